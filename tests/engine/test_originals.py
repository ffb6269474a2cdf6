"""Originals whose copies take their place: when they are deleted, when they stay, and how they come back."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from calbot.policy import Match, Rule
from calbot.settings import Settings
from tests.engine.scenes import HOUR, WEEKLY, Simulate, asked, until
from tests.engine.test_copies import begun, copies, edit, the_copy
from tests.household import ANNA, BOB, CAROL, FAMILY
from tests.simulation.households import DAVE
from tests.simulation.machine import Crash
from tests.simulation.simulation import Simulation

MOVES = Rule("moves", match=Match(title="Move"), mirror=FAMILY, delete_original=True)
MOVING = Settings(rules=(MOVES,), delete_original=True, grace=3600, time_zone="Europe/Berlin")


def is_live(simulation: Simulation, event: str, calendar: str = ANNA) -> bool:
    """Whether an event is there, by itself or made anew from what was kept of it."""
    rows = simulation.world.calendars[calendar].ordered
    title = simulation.document(event, calendar)["summary"]
    return any(row.doc["summary"] == title and not row.deleted for row in rows)


def deletions(simulation: Simulation, calendar: str = ANNA) -> list[Any]:
    """Our deletions of events on a calendar that Google took."""
    calls = simulation.world.calls
    return [call for call in calls if call.operation == "events.delete" and call.calendar == calendar and call.applied]


def copied(simulate: Simulate, settings: Settings = MOVING, **parts: Any) -> tuple[Simulation, str]:
    """An original whose copy has just been made."""
    simulation = begun(simulate, settings, **parts)
    event = simulation.create(summary="Move")
    until(simulation, lambda: len(copies(simulation)) == 1)
    simulation.run(10)
    return simulation, event


@pytest.mark.parametrize(
    "settings",
    [
        msgspec.structs.replace(MOVING, delete_original=False),
        msgspec.structs.replace(MOVING, rules=(msgspec.structs.replace(MOVES, delete_original=False),)),
        Settings(central_calendar=FAMILY, delete_original=True, time_zone="Europe/Berlin"),
    ],
)
def test_an_original_stays_unless_the_option_and_its_rule_want_it_gone(simulate: Simulate, settings: Settings) -> None:
    """One of the two is not enough."""
    simulation, event = copied(simulate, settings)

    simulation.until_quiet()
    simulation.run(3 * HOUR)

    assert is_live(simulation, event)


def test_an_original_goes_after_its_grace_and_nobody_is_told_by_mail(simulate: Simulate) -> None:
    """Not before; the copy stays, and what was done can be undone."""
    simulation, event = copied(simulate)

    simulation.run(HOUR - 120)
    assert is_live(simulation, event)
    simulation.until_quiet()

    (deletion,) = deletions(simulation)
    assert deletion.query["sendUpdates"] == ["none"] and simulation.world.mails == []
    assert the_copy(simulation)["summary"] == "Move"
    (outcome,) = simulation.outcomes("original_deleted")
    assert outcome.key.event == event and outcome.undo_token


@pytest.mark.parametrize("times", range(12))
def test_a_copy_that_a_person_removes_meanwhile_brings_its_original_back(simulate: Simulate, times: int) -> None:
    """At any moment around the deletion, also between the last look before it and the deletion itself."""
    simulation, event = copied(simulate)
    simulation.run(HOUR - 120)
    copy, began = the_copy(simulation)["id"], len(simulation.world.calls)
    passed: list[int] = []

    def remove() -> None:
        busy = [call for call in simulation.world.calls[began:] if call.event in {copy, event}]
        passed.append(len(busy))
        if busy and len(passed) - passed.index(1) == times and copies(simulation):
            simulation.google.delete_event(FAMILY, copy)
            passed.append(len(simulation.world.calls))

    simulation.wire.during = remove
    simulation.until_quiet()
    simulation.wire.during = lambda: None
    simulation.until_quiet()
    simulation.run(2 * HOUR)

    looks = [call.number for call in simulation.world.calls if call.event == copy and call.operation == "events.get"]
    gone = [call.number for call in deletions(simulation)]
    saw_it_last = bool(gone) and bool(copies(simulation) or max(looks) > gone[0])
    assert is_live(simulation, event) or copies(simulation) or saw_it_last
    if not copies(simulation) and not is_live(simulation, event):
        assert max(looks) <= max(passed), "the copy was removed before our last look at it, and the original is gone"


def test_an_original_stays_when_its_copy_was_deleted_during_the_grace(simulate: Simulate) -> None:
    """Who deletes the copy wants the event where it was."""
    simulation, event = copied(simulate)

    simulation.google.delete_event(FAMILY, the_copy(simulation)["id"])
    simulation.until_quiet()
    simulation.run(3 * HOUR)

    assert is_live(simulation, event) and deletions(simulation) == []


def test_an_original_edited_during_the_grace_is_copied_anew_before_it_goes(simulate: Simulate) -> None:
    """What was written last is what stays."""
    simulation, event = copied(simulate)

    simulation.run(HOUR / 2)
    simulation.google.edit_event(ANNA, event, {"location": "The new flat"})
    simulation.until_quiet()

    assert not is_live(simulation, event)
    assert the_copy(simulation)["location"] == "The new flat"


@pytest.mark.parametrize("times", range(8))
def test_an_edit_at_the_last_moment_is_never_lost(simulate: Simulate, times: int) -> None:
    """However close to the deletion a person writes, the words are in the original or in the copy."""
    simulation, event = copied(simulate)
    simulation.run(HOUR - 120)
    began, passed = len(simulation.world.calls), [0]

    def write() -> None:
        busy = any(call.event == event for call in simulation.world.calls[began:])
        passed[0] += busy
        if busy and passed[0] == times + 1 and is_live(simulation, event):
            simulation.google.edit_event(ANNA, event, {"location": "The new flat"})

    simulation.wire.during = write
    simulation.until_quiet()

    edited = simulation.document(event).get("location") == "The new flat"
    assert the_copy(simulation).get("location") == ("The new flat" if edited else None)
    assert not is_live(simulation, event)


@pytest.mark.parametrize(
    "body",
    [
        {"attendees": [{"email": BOB}]},
        {"recurrence": WEEKLY["recurrence"]},
        {"eventType": "focusTime"},
    ],
)
def test_what_a_copy_cannot_replace_stays(simulate: Simulate, body: dict[str, Any]) -> None:
    """Meetings with other guests, series, and special types."""
    simulation = begun(simulate, MOVING)
    event = simulation.create(summary="Move", **body)

    simulation.until_quiet()
    simulation.run(3 * HOUR)

    assert is_live(simulation, event) and len(copies(simulation)) == 1


def test_what_somebody_else_organises_stays(simulate: Simulate) -> None:
    """To delete it would be to decline it."""
    simulation = begun(simulate, MOVING)
    event = simulation.google.invite_from_outside(ANNA, "zoe@example.net", {"summary": "Move"})["id"]

    simulation.until_quiet()
    simulation.run(3 * HOUR)

    assert is_live(simulation, event)
    assert simulation.document(event)["attendees"][0].get("responseStatus") != "declined"


def test_the_guests_of_the_rule_are_invited_to_the_copy(simulate: Simulate) -> None:
    """Once, and never to the original, whose end would uninvite them."""
    rule = msgspec.structs.replace(MOVES, invite=(DAVE,))
    simulation, event = copied(simulate, msgspec.structs.replace(MOVING, rules=(rule,)))

    simulation.until_quiet()

    assert not is_live(simulation, event)
    assert [guest["email"] for guest in the_copy(simulation)["attendees"] if guest["email"] != FAMILY] == [DAVE]
    assert [(mail.kind, mail.event) for mail in simulation.world.mails] == [("invitation", the_copy(simulation)["id"])]


def test_no_more_than_ten_originals_go_in_an_hour(simulate: Simulate) -> None:
    """The rest waits for the next one."""
    simulation = begun(simulate, msgspec.structs.replace(MOVING, grace=0))
    events = [simulation.create(summary=f"Move {number}") for number in range(14)]

    simulation.until_quiet()

    times = [call.time for call in deletions(simulation)]
    assert len(times) == 14 and not any(is_live(simulation, event) for event in events)
    assert max(sum(0 <= later - time < HOUR for later in times) for time in times) == 10


@pytest.mark.parametrize(
    "settings",
    [
        msgspec.structs.replace(MOVING, delete_original=False),
        Settings(time_zone="Europe/Berlin"),
        msgspec.structs.replace(MOVING, mirroring=False),
        msgspec.structs.replace(MOVING, dry_run=True),
    ],
)
def test_what_is_switched_off_during_the_grace_leaves_the_original(simulate: Simulate, settings: Settings) -> None:
    """The grace is there for second thoughts."""
    simulation, event = copied(simulate)

    simulation.restart(settings)
    simulation.run(4 * HOUR)

    assert is_live(simulation, event) and deletions(simulation) == []
    assert len(copies(simulation)) == 1


def _other_options(simulation: Simulation) -> None:
    simulation.restart(Settings(time_zone="Europe/Berlin"))


def _gone_option(simulation: Simulation) -> None:
    simulation.restart(msgspec.structs.replace(MOVING, delete_original=False))


def _full_reading(simulation: Simulation) -> None:
    simulation.google.expire_sync_tokens()


def _lookalike(simulation: Simulation) -> None:
    simulation.create(summary="Move")


@pytest.mark.parametrize("happening", [_other_options, _gone_option, _full_reading, _lookalike])
def test_nothing_takes_away_the_only_copy_that_is_left(
    simulate: Simulate, happening: Callable[[Simulation], None]
) -> None:
    """Its original is gone because of us: it stands by itself now."""
    simulation, event = copied(simulate)
    simulation.until_quiet()
    copy = the_copy(simulation)["id"]
    assert not is_live(simulation, event)

    happening(simulation)
    simulation.run(4 * HOUR)

    assert copy in {one["id"] for one in copies(simulation)}


def test_an_old_store_does_not_take_away_the_only_copy_that_is_left(simulate: Simulate) -> None:
    """A backup from before the deletion finds the original gone, and knows from the copy that we did it."""
    simulation, _ = copied(simulate)
    backup = simulation.back_up()
    simulation.until_quiet()
    assert len(deletions(simulation)) == 1

    simulation.restore(backup)
    simulation.until_quiet()
    simulation.run(4 * HOUR)

    assert len(copies(simulation)) == 1


def test_another_installation_does_not_take_away_the_only_copy_that_is_left(simulate: Simulate, tmp_path: Any) -> None:
    """It sees the original go, and knows from the copy that this was no person's wish."""
    simulation = begun(simulate, MOVING)
    second = Simulation(tmp_path, settings=MOVING, beside=simulation, seed=2).start()
    second.until_quiet()
    event = simulation.create(summary="Move")
    until(simulation, lambda: len(copies(simulation)) == 1)
    second.run(30)

    for one in (simulation, second, simulation, second):
        one.until_quiet()
    second.run(HOUR)

    assert not is_live(simulation, event) and len(copies(simulation)) == 1
    second.die()


def test_an_undo_brings_the_original_back_for_good(simulate: Simulate) -> None:
    """Within thirty days, and it is not deleted again."""
    simulation, event = copied(simulate)
    simulation.until_quiet()
    token = simulation.outcomes("original_deleted")[0].undo_token

    answer = simulation.ask("undo", token=token)
    simulation.until_quiet()
    simulation.run(4 * HOUR)

    assert answer.status == "ok"
    assert is_live(simulation, event) and len(deletions(simulation)) == 1
    assert simulation.world.mails == []


@pytest.mark.parametrize("kind", ["closeAfter", "closeBefore", "errorAfter", "hang", "unavailable"])
def test_a_lost_answer_to_a_deletion_loses_neither(simulate: Simulate, kind: str) -> None:
    """The original goes once, the copy stays, and it is told once."""
    simulation, event = copied(simulate)
    simulation.google.add_fault(kind, operation="events.delete", count=2)

    simulation.until_quiet()

    assert not is_live(simulation, event) and len(copies(simulation)) == 1
    assert len(simulation.outcomes("original_deleted")) == 1


@pytest.mark.parametrize("place", ["before a call", "after a call", "before a commit", "after a commit"])
@pytest.mark.parametrize("times", range(4))
def test_a_sudden_end_around_a_deletion_loses_neither(simulate: Simulate, place: str, times: int) -> None:
    """At any seam of it."""
    simulation, event = copied(simulate)
    simulation.run(HOUR - 60)
    crossed = len(simulation.seams.crossed)
    asked(simulation, "ping")
    end = simulation.clock.now() + 2 * HOUR
    died = 0
    while simulation.clock.now() < end:
        try:
            if not simulation.lives_now:
                simulation.start()
            busy = any(row[1] == "delete_original" and row[2] == "started" for row in simulation.open_rows())
            if busy and died <= times and simulation.seams.crash_next is None:
                simulation.seams.crash_next = place
                died += 1
            if not simulation.turn():
                simulation.clock.to(simulation._next_time())
        except Crash:
            simulation.die()
    simulation.seams.crash_next = None
    simulation.live()

    assert len(simulation.seams.crossed) > crossed
    assert not is_live(simulation, event) and len(copies(simulation)) == 1
    assert len(simulation.outcomes("original_deleted")) == 1


def test_a_person_who_takes_the_original_out_of_the_bin_keeps_it(simulate: Simulate) -> None:
    """It is not deleted a second time."""
    simulation, event = copied(simulate)
    simulation.until_quiet()

    edit(simulation, event, status="confirmed")
    simulation.run(4 * HOUR)
    simulation.until_quiet()

    assert is_live(simulation, event)
    assert len(deletions(simulation)) == 1


def test_a_meeting_that_another_account_sees_too_stays(simulate: Simulate) -> None:
    """Carol is a guest of it: it is not ours alone."""
    simulation = begun(simulate, MOVING, signed_in=(ANNA, CAROL))
    event = simulation.create(summary="Move", attendees=[{"email": CAROL}])

    simulation.until_quiet()
    simulation.run(3 * HOUR)

    assert is_live(simulation, event) and len(copies(simulation)) == 1
