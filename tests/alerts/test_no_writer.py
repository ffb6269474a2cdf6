"""A calendar for copies that nobody may write to: said at once, told after half an hour, solved when it is."""

import msgspec

from addon.alerts.judge import SETTLED, Memory, judge
from calbot import health
from calbot.status import Snapshot
from tests.alerts.test_judge import NOTHING, SETTINGS
from tests.household import FAMILY, NOON
from tests.web.world import NOW, SNAPSHOT

TEXT = "None of the signed-in accounts may write to the calendar {}."
REMEDY = "In Google Calendar, share it with one of them with “Make changes to events”."


def test_a_calendar_that_nobody_may_write_to_is_named_with_the_remedy() -> None:
    """By its name where one of the accounts can read it, else by its id."""
    lost = msgspec.structs.replace(SNAPSHOT, unwritable=(FAMILY, "x@group.calendar.google.com"))

    verdict = health.assess(lost, NOW)

    assert verdict.level == "degraded"
    assert [(one.code, one.text, one.remedy) for one in verdict.reasons] == [
        ("no_writer", TEXT.format("Family"), REMEDY),
        ("no_writer", TEXT.format("x@group.calendar.google.com"), REMEDY),
    ]


def test_copies_alone_are_enough_to_be_set_up() -> None:
    """With a calendar for copies nobody has to be invited."""
    settings = msgspec.structs.replace(SNAPSHOT.settings, invite_emails=())
    nobody = msgspec.structs.replace(SNAPSHOT, settings=settings)
    copying = msgspec.structs.replace(settings, central_calendar=FAMILY)

    alone, both = health.assess(nobody, NOW), health.assess(msgspec.structs.replace(nobody, settings=copying), NOW)

    assert [one.code for one in alone.reasons] == ["no_rule"] and "central_calendar" in alone.reasons[0].remedy
    assert (both.level, both.reasons) == ("ok", ())


def test_held_work_is_not_called_invitations_where_it_may_be_copies() -> None:
    """How much waits is said either way."""
    account = msgspec.structs.replace(SNAPSHOT.accounts[0], held=7)
    held = msgspec.structs.replace(SNAPSHOT, accounts=(account,))
    copying = msgspec.structs.replace(held.settings, central_calendar=FAMILY)

    texts = [health.assess(one, NOW).reasons[0].text for one in (held, msgspec.structs.replace(held, settings=copying))]

    assert "invitations to 7 events wait" in texts[0] and "7 events wait" in texts[1] and "invitation" not in texts[1]


def test_people_hear_of_it_after_half_an_hour_and_once_it_is_solved() -> None:
    """Who may write is not known right after a start: that nothing is wrong yet is no proof."""
    snapshot = Snapshot(started_at=NOON, settings=SETTINGS, unwritable=(FAMILY,))
    reasons = tuple(one for one in health.assess(snapshot, NOON).reasons if one.code == "no_writer")
    wrong = msgspec.structs.replace(NOTHING, level="degraded", reasons=reasons)
    again = msgspec.structs.replace(snapshot, started_at=NOON + 1900)

    first = judge(Memory(), wrong, snapshot, NOON)
    late = judge(first.memory, wrong, snapshot, NOON + 1800)
    started = judge(late.memory, NOTHING, again, NOON + 1901)
    early = judge(started.memory, NOTHING, again, NOON + 1902 + SETTLED)
    solved = judge(early.memory, NOTHING, again, NOON + 2300)

    assert first.messages == () and [one.title for one in late.messages] == ["Calbot cannot write its copies"]
    assert (early.cleared, len(solved.cleared)) == ((), 1)
