"""Originals are deleted only while all that it takes holds, are looked after in any trouble, and come back for good."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from calbot.policy import Mask, Match, Rule
from calbot.settings import AccountChoice, Settings
from tests.engine.scenes import HOUR, Simulate, until
from tests.engine.test_copies import begun, copies, the_copy
from tests.google_server.values import Doc
from tests.household import ANNA, BOB, CAROL, FAMILY
from tests.simulation.households import WORK
from tests.simulation.machine import Crash
from tests.simulation.simulation import DAY, Simulation

MOVE = Rule("move", mirror=FAMILY, delete_original=True)
WITH_BOB = Rule("move", (BOB,), mirror=FAMILY, delete_original=True)
MOVING = Settings(rules=(MOVE,), time_zone="Europe/Berlin", delete_original=True, grace=3600)
SUMMER: Doc = {
    "start": {"dateTime": "2027-06-01T10:00:00+02:00", "timeZone": "Europe/Berlin"},
    "end": {"dateTime": "2027-06-01T11:00:00+02:00", "timeZone": "Europe/Berlin"},
}


def with_(**parts: Any) -> Settings:
    """The options, which move every event of Anna's, with other parts."""
    return msgspec.structs.replace(MOVING, **parts)


def waiting(simulate: Simulate, settings: Settings = MOVING, **parts: Any) -> tuple[Simulation, str]:
    """An original in its grace: the copy is made and verified."""
    simulation = begun(simulate, settings, **parts)
    event = simulation.create(**SUMMER)
    simulation.run(600)
    return simulation, event


def is_there(simulation: Simulation, event: str, calendar: str = ANNA) -> bool:
    """Whether an event is not deleted."""
    return not simulation.world.calendars[calendar].rows[event].deleted


def titles(simulation: Simulation, calendar: str) -> list[str]:
    """What people see on a calendar."""
    return [str(row.doc["summary"]) for row in simulation.world.calendars[calendar].ordered if not row.deleted]


def just_before_the_deletion(simulation: Simulation, act: Callable[[], object]) -> None:
    """Let something happen between our last look at the copy, which is stamped then, and the deletion."""
    copy = the_copy(simulation)["id"]

    def amend(request: Any, _answer: Any) -> None:
        if request.method == "PATCH" and request.path.endswith(f"/{copy}"):
            simulation.wire.amend = lambda *_: None
            act()

    simulation.wire.amend = amend


def takes_copy_away(simulation: Simulation) -> None:
    """A person deletes the copy."""
    simulation.google.delete_event(FAMILY, the_copy(simulation)["id"])


def has(simulation: Simulation, verb: str) -> bool:
    """Whether a deed waits of which nobody knows whether it was done."""
    question = "SELECT 1 FROM deed WHERE verb = ? AND state = 'parked' AND uncertain"
    return bool(simulation.database.read().execute(question, (verb,)).fetchall())


# When it is time


def test_a_grace_of_days_is_as_long_as_it_says(simulate: Simulate) -> None:
    """Also where it is longer than the longest wait of anything else."""
    simulation, event = waiting(simulate, with_(grace=2 * 86400, poll_interval=300))

    simulation.run(2 * DAY - HOUR)

    assert is_there(simulation, event)
    simulation.run(2 * HOUR)
    assert not is_there(simulation, event)


def test_a_grace_that_is_made_longer_meanwhile_holds(simulate: Simulate) -> None:
    """What waits already is asked by the clock, not by what was written down."""
    simulation, event = waiting(simulate)

    simulation.restart(with_(grace=4 * 3600))
    simulation.run(3 * HOUR)

    assert is_there(simulation, event)


@pytest.mark.parametrize(
    "rules",
    [
        (Rule("other", match=Match(title="zzz"), mirror=FAMILY),),
        (Rule("copy", mirror=FAMILY),),
        (Rule("move", mirror=WORK, delete_original=True),),
        (Rule("move", mirror=FAMILY, mask=Mask("busy")),),
    ],
    ids=["rule gone", "rule only copies", "other target", "mask"],
)
def test_what_no_rule_asks_for_any_more_stays(simulate: Simulate, rules: tuple[Rule, ...]) -> None:
    """It is decided anew when the grace is over, though the event was not touched since."""
    simulation, event = waiting(simulate)

    simulation.restart(with_(rules=rules))
    simulation.run(3 * HOUR)

    assert is_there(simulation, event)


def test_an_original_stays_while_its_copy_shows_only_that_somebody_is_busy(simulate: Simulate) -> None:
    """Another account's stricter mask holds for the copy, whatever this account's rule says."""
    masked = Rule("bobs", match=Match(accounts=(BOB,)), mirror=FAMILY, mask=Mask("busy"))
    simulation, event = waiting(simulate, with_(rules=(masked, WITH_BOB)), signed_in=(ANNA, BOB))

    simulation.google.add_guest(ANNA, event, BOB)
    simulation.run(3 * HOUR)

    assert titles(simulation, FAMILY) == ["Busy"]
    assert is_there(simulation, event)


@pytest.mark.parametrize("grace", [0, 600])
def test_an_original_stays_while_its_copy_is_an_older_version(simulate: Simulate, grace: int) -> None:
    """It was changed, and its calendar cannot be read for longer than the grace."""
    simulation = begun(simulate, with_(grace=grace))
    event = simulation.create(description="old")
    until(simulation, lambda: bool(copies(simulation)))

    simulation.google.edit_event(ANNA, event, {"description": "new"})
    simulation.google.add_fault("unavailable", operation="events.list", account=ANNA, calendar=ANNA, count=None)
    simulation.run(HOUR)

    assert is_there(simulation, event)


def test_an_original_whose_text_a_copy_has_no_room_for_stays(simulate: Simulate) -> None:
    """What is cut in the copy would be lost."""
    simulation = begun(simulate)
    event = simulation.create(summary="x" * 1500)

    simulation.run(3 * HOUR)

    assert is_there(simulation, event)


def test_what_is_kept_for_undo_is_there_when_a_long_rest_is_over(simulate: Simulate) -> None:
    """The thirty days begin with the deletion, however long that had to wait."""
    simulation, event = waiting(simulate)
    simulation.world.switches.revive = "refuse"

    simulation.die()
    simulation.clock.to(simulation.clock.now() + 31 * DAY)
    simulation.start()
    simulation.run(3 * HOUR)

    assert not is_there(simulation, event)
    assert simulation.ask("undo", last=True).status == "ok"
    assert titles(simulation, ANNA) == ["Dinner"]


# Guests


def test_with_auto_invite_off_nobody_is_invited_to_a_copy_and_the_original_stays(simulate: Simulate) -> None:
    """The copy could not take its place: nobody would know of it."""
    simulation, event = waiting(simulate, with_(rules=(WITH_BOB,), auto_invite=False))

    simulation.run(2 * HOUR)

    assert simulation.invitations() == []
    assert is_there(simulation, event)


def test_an_original_stays_when_somebody_took_a_guest_off_its_copy(simulate: Simulate) -> None:
    """That is seen once, and not asked for ever."""
    simulation, event = waiting(simulate, with_(rules=(WITH_BOB,)))

    simulation.google.remove_guest(FAMILY, the_copy(simulation)["id"], BOB)
    simulation.until_quiet()

    assert is_there(simulation, event)
    assert simulation.open_rows() == []


def test_whom_somebody_took_off_the_original_is_not_invited_to_the_copy(simulate: Simulate) -> None:
    """No rule asks again for a guest whom a person does not want there."""
    simulation, event = waiting(simulate, with_(rules=(Rule("invite", (BOB,)),)))
    simulation.google.remove_guest(ANNA, event, BOB)
    simulation.until_quiet()

    simulation.restart(with_(rules=(WITH_BOB,)))
    simulation.google.edit_event(ANNA, event, {"summary": "Supper"})
    simulation.until_quiet()

    assert titles(simulation, FAMILY) == ["Supper"]
    assert len(simulation.invitations()) == 1


def test_guests_are_invited_to_the_event_where_a_second_rule_masks_its_copy(simulate: Simulate) -> None:
    """A copy with a mask takes no place, so its guests are asked as ever."""
    rules = (msgspec.structs.replace(WITH_BOB, goes_on=True), Rule("busy", mirror=FAMILY, mask=Mask("busy")))
    simulation, event = waiting(simulate, with_(rules=rules))

    assert simulation.invitations() == [event]
    simulation.run(2 * HOUR)
    assert is_there(simulation, event)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("how", ["minutes", "event_id"])
def test_guests_are_told_before_their_copy_is_taken_away_again(simulate: Simulate, how: str, seed: int) -> None:
    """They got an invitation to it; whoever undoes the event undoes that too."""
    simulation, event = waiting(simulate, with_(rules=(WITH_BOB,)), seed=seed)

    answer = simulation.ask("undo", **{how: 60.0 if how == "minutes" else event})

    assert answer.status == "ok"
    assert copies(simulation) == []
    assert [mail.kind for mail in simulation.world.mails if mail.to == BOB] == ["invitation", "cancellation"]


# In trouble


@pytest.mark.parametrize(
    ("kind", "operation", "calendar", "count"),
    [
        ("unavailable", "events.get", FAMILY, 6),
        ("tooManyRequests", "events.get", FAMILY, 6),
        ("notFound", "events.get", FAMILY, 1),
        ("forbidden", "events.get", FAMILY, 6),
        ("tooManyRequests", "events.patch", ANNA, 1),
        ("notFound", "events.patch", ANNA, 1),
        ("closeBefore", "events.patch", ANNA, 1),
    ],
)
def test_no_trouble_keeps_an_original_from_coming_back(
    simulate: Simulate, kind: str, operation: str, calendar: str, count: int
) -> None:
    """A person has removed the copy just before the deletion; whatever goes wrong then, we know that it was ours."""
    simulation, event = waiting(simulate)

    def act() -> None:
        takes_copy_away(simulation)
        simulation.google.add_fault(kind, operation=operation, calendar=calendar, count=count)

    just_before_the_deletion(simulation, act)
    simulation.until_quiet()

    assert is_there(simulation, event)


@pytest.mark.parametrize(("kind", "count"), [("unavailable", 6), ("forbidden", 6), ("notFound", 2)])
def test_a_deletion_is_told_and_can_be_undone_whatever_follows_it(simulate: Simulate, kind: str, count: int) -> None:
    """The look at the copy fails at first."""
    simulation, event = waiting(simulate)
    trouble: dict[str, Any] = {"operation": "events.get", "calendar": FAMILY, "count": count}
    just_before_the_deletion(simulation, lambda: simulation.google.add_fault(kind, **trouble))

    simulation.until_quiet()

    assert not is_there(simulation, event)
    (told,) = simulation.outcomes("original_deleted")
    assert simulation.ask("undo", token=told.undo_token or "").status == "ok"
    assert is_there(simulation, event)


@pytest.mark.parametrize(
    "settings",
    [with_(delete_original=False), with_(dry_run=True), with_(mirroring=False), with_(rules=())],
    ids=["option off", "dry run", "mirroring off", "rule gone"],
)
def test_what_a_crash_kept_from_being_deleted_is_asked_about_afresh(simulate: Simulate, settings: Settings) -> None:
    """The process dies just before the deletion goes out, and the options are edited."""
    simulation, event = waiting(simulate)
    just_before_the_deletion(simulation, lambda: setattr(simulation.seams, "crash_next", "before a call"))
    with pytest.raises(Crash):
        simulation.until_quiet()

    simulation.restart(settings)
    simulation.run(3 * HOUR)

    assert is_there(simulation, event)


def test_an_original_that_was_made_anew_before_a_crash_is_not_taken_for_another(simulate: Simulate) -> None:
    """A person had removed the copy; the restored event gets no copy, and stays."""
    simulation, _ = waiting(simulate)
    simulation.world.switches.revive = "refuse"

    def amend(request: Any, _answer: Any) -> None:
        if request.method == "POST":
            simulation.wire.amend = lambda *_: None
            simulation.seams.crash_next = "before a commit"

    def act() -> None:
        takes_copy_away(simulation)
        simulation.wire.amend = amend

    just_before_the_deletion(simulation, act)
    with pytest.raises(Crash):
        simulation.until_quiet()
    simulation.restart()
    simulation.run(3 * HOUR)

    assert titles(simulation, ANNA) == ["Dinner"]
    assert copies(simulation) == []


def test_the_dead_sign_in_of_who_writes_the_copies_is_no_matter_of_the_originals_account(simulate: Simulate) -> None:
    """Only that one is signed out, and the original stays until somebody can look at the copy."""
    simulation = simulate(settings=MOVING, signed_in=(ANNA, BOB))
    simulation.google.add_calendar(CAROL, FAMILY, "Family")
    simulation.world.share(FAMILY, ANNA, "reader")
    simulation.world.share(FAMILY, BOB, "writer")
    simulation.until_quiet()
    event = simulation.create()
    simulation.run(1200)

    simulation.google.revoke(BOB)
    simulation.run(2 * HOUR)

    assert {one.email: one.signed_in for one in simulation.engine.snapshot.accounts} == {ANNA: True, BOB: False}
    assert is_there(simulation, event)


# Undo


@pytest.mark.parametrize("edited", [False, True])
def test_the_copy_of_an_original_that_came_back_goes_with_it(simulate: Simulate, edited: bool) -> None:
    """It no longer says of itself that it is all that is left."""
    simulation, event = waiting(simulate)
    simulation.until_quiet()
    simulation.ask("undo", last=True)
    if edited:
        simulation.google.edit_event(ANNA, event, {"summary": "Supper"})
        simulation.until_quiet()

    simulation.google.delete_event(ANNA, event)
    simulation.until_quiet()

    assert copies(simulation) == []


def test_what_a_person_wrote_into_the_copy_survives_the_return_of_its_original(simulate: Simulate) -> None:
    """While it stood by itself it was theirs."""
    simulation, _ = waiting(simulate)
    simulation.until_quiet()
    simulation.google.edit_event(FAMILY, the_copy(simulation)["id"], {"description": "Bring wine"})

    simulation.ask("undo", last=True)

    assert the_copy(simulation)["description"] == "Bring wine"


def test_what_one_account_was_told_to_keep_another_does_not_delete(simulate: Simulate) -> None:
    """Both read the same calendar."""
    accounts = (AccountChoice(ANNA, (WORK,)), AccountChoice(BOB, (WORK,)))
    simulation = simulate(settings=with_(accounts=accounts), signed_in=(ANNA, BOB))
    for calendar in (WORK, FAMILY):
        simulation.google.add_calendar(ANNA, calendar, "Shared")
        simulation.world.share(calendar, BOB, "writer")
    simulation.run(HOUR)
    event = simulation.create(WORK, **SUMMER)
    simulation.until_quiet()
    assert not is_there(simulation, event, WORK)

    simulation.ask("undo", last=True)
    simulation.google.edit_event(WORK, event, {"summary": "Supper"})
    simulation.run(3 * HOUR)

    assert is_there(simulation, event, WORK)
    assert titles(simulation, FAMILY) == ["Supper"]


@pytest.mark.parametrize("kind", ["closeBefore", "closeAfter"])
def test_a_deletion_whose_answer_was_lost_can_be_undone(simulate: Simulate, kind: str) -> None:
    """Nobody knows yet whether it was done; the original is there in the end."""
    simulation, event = waiting(simulate)
    simulation.google.add_fault(kind, operation="events.delete", calendar=ANNA)
    until(simulation, lambda: has(simulation, "delete_original"), 2 * HOUR)

    answer = simulation.ask("undo", event_id=event)
    simulation.run(3 * HOUR)

    assert answer.status != "error"
    assert is_there(simulation, event)


def test_a_copy_whose_insert_was_lost_can_be_undone(simulate: Simulate) -> None:
    """It is there all the same, and is taken away."""
    simulation = begun(simulate, with_(delete_original=False))
    simulation.google.add_fault("closeAfter", operation="events.insert")
    simulation.google.add_fault("unavailable", operation="events.get", calendar=FAMILY, count=3)
    event = simulation.create()
    until(simulation, lambda: has(simulation, "mirror"))
    assert len(copies(simulation)) == 1

    simulation.ask("undo", event_id=event)
    simulation.until_quiet()

    assert copies(simulation) == []


def test_what_other_rules_have_copied_stays_when_the_original_goes(simulate: Simulate) -> None:
    """The copies on all calendars stand by themselves then."""
    rules = (msgspec.structs.replace(MOVE, goes_on=True), Rule("too", mirror=WORK))
    simulation, event = waiting(simulate, with_(rules=rules))

    simulation.until_quiet()

    assert not is_there(simulation, event)
    assert titles(simulation, FAMILY) == titles(simulation, WORK) == ["Dinner"]
