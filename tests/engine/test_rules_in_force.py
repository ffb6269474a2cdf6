"""Rule changed, switch toggled, pause and resume: what happens to events that were seen before, line by line."""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import pytest

from calbot.policy import Match, Rule
from calbot.settings import Settings
from tests.household import ANNA, BOB, CAROL, INVITE_BOB, NOON
from tests.simulation.simulation import DAY, Simulation

Simulate = Callable[..., Simulation]
DAVE = "dave@example.org"


def ruled(*rules: Rule, **parts: object) -> Settings:
    """The household under these rules."""
    return Settings(rules=rules, time_zone="Europe/Berlin", **parts)  # type: ignore[arg-type]


EVERYBODY = Rule("everybody", (BOB,))
SCHOOL = Rule("school", (BOB,), match=Match(title="(?i)school"))


@dataclass(frozen=True)
class Line:
    """A line of the table: in force while the event is seen, and what makes Bob wanted afterwards.

    `first` and `then` are settings to start or restart with, or arguments of the command `set`.
    """

    first: Settings | dict[str, object]
    then: Settings | dict[str, object]
    reason: str | None


NO_DINNERS = Rule("no dinners", skip=True, match=Match(title="(?i)dinner"))
TABLE = {
    "auto-invite is switched off and on": Line(
        {"key": "auto_invite", "value": False}, {"key": "auto_invite", "value": True}, "auto_invite_off"
    ),
    "auto-invite of an account is switched off and on": Line(
        {"key": "auto_invite", "value": False, "account": ANNA},
        {"key": "auto_invite", "value": True, "account": ANNA},
        "auto_invite_off",
    ),
    "auto-invite is off and on in the options": Line(
        msgspec.structs.replace(INVITE_BOB, auto_invite=False), INVITE_BOB, "auto_invite_off"
    ),
    "a dry run is switched on and off": Line(
        {"key": "dry_run", "value": True}, {"key": "dry_run", "value": False}, "dry_run"
    ),
    "a dry run is on and off in the options": Line(
        msgspec.structs.replace(INVITE_BOB, dry_run=True), INVITE_BOB, "dry_run"
    ),
    "there is no rule, then one": Line(Settings(time_zone="Europe/Berlin"), INVITE_BOB, "no_rule"),
    "no rule matches, then one does": Line(ruled(SCHOOL), ruled(SCHOOL, EVERYBODY), "no_rule"),
    "a rule skips it, then none does": Line(ruled(NO_DINNERS, EVERYBODY), ruled(EVERYBODY), "rule_skip"),
    "the rule names one more guest": Line(
        msgspec.structs.replace(INVITE_BOB, invite_emails=(DAVE,)),
        msgspec.structs.replace(INVITE_BOB, invite_emails=(DAVE, BOB)),
        None,
    ),
}
lines = pytest.mark.parametrize("line", TABLE.values(), ids=list(TABLE))


def put_in_force(simulation: Simulation, what: Settings | dict[str, object]) -> None:
    """Restart with other options, or switch."""
    if isinstance(what, Settings):
        simulation.restart(what)
    else:
        assert simulation.ask("set", **what).status == "ok"  # type: ignore[arg-type]
    simulation.run(5)


def seen_before(simulate: Simulate, line: Line) -> tuple[Simulation, str]:
    """An event that was seen under the line's first part; now its second is in force."""
    simulation = simulate(settings=line.first if isinstance(line.first, Settings) else INVITE_BOB)
    simulation.until_quiet()
    if not isinstance(line.first, Settings):
        put_in_force(simulation, line.first)
    event = simulation.create()
    simulation.until_quiet()
    assert simulation.invitations() == []
    if line.reason is not None:
        assert simulation.history(event) == [("skipped", line.reason)]
    put_in_force(simulation, line.then)
    return simulation, event


@lines
def test_earlier_events_stay_as_they_are(simulate: Simulate, line: Line) -> None:
    """Time, a restart, a full reading and a guest's answer take nothing up; a new event is invited to."""
    simulation, event = seen_before(simulate, line)
    simulation.run(300)
    simulation.restart()
    simulation.ask("resync", full=True)
    simulation.google.add_guest(ANNA, event, CAROL)
    simulation.google.rsvp(CAROL, event, "accepted")
    new = simulation.create(summary="New dinner")
    simulation.until_quiet()

    assert simulation.invitations() == [new]
    assert BOB not in simulation.guests(event)


@lines
def test_an_earlier_event_that_changes_is_taken_up(simulate: Simulate, line: Line) -> None:
    """Once, and under what is in force now."""
    simulation, event = seen_before(simulate, line)

    simulation.google.edit_event(ANNA, event, {"location": "At home"})
    simulation.until_quiet()
    simulation.google.edit_event(ANNA, event, {"location": "At Bob's"})
    simulation.until_quiet()

    assert simulation.invitations() == [event]
    assert BOB in simulation.guests(event)


@lines
def test_apply_takes_earlier_events_up(simulate: Simulate, line: Line) -> None:
    """Once: the second apply has nothing to do, and says so."""
    simulation, event = seen_before(simulate, line)

    first = simulation.ask("apply")
    simulation.until_quiet()
    second = simulation.ask("apply")
    simulation.until_quiet()

    assert (first.status, first.data["planned"], first.data["held"]) == ("ok", 1, 0)
    assert (second.status, second.data["planned"], second.data["held"]) == ("ok", 0, 0)
    assert first.message
    assert simulation.invitations() == [event]


@lines
def test_preview_says_what_apply_would_do_and_does_nothing(simulate: Simulate, line: Line) -> None:
    """One event, one guest, and Google is not asked to write."""
    simulation, event = seen_before(simulate, line)
    writes = len(simulation.wire.written)

    answer = simulation.ask("preview")
    simulation.run(130)

    assert (answer.status, answer.data["invite"], answer.data["guests"]) == ("ok", 1, 1)
    assert "Dinner" in str(answer.data["first"])
    assert len(simulation.wire.written) == writes
    assert BOB not in simulation.guests(event)


GONE = {
    "the rule is removed": ruled(),
    "the rule names somebody else": msgspec.structs.replace(INVITE_BOB, invite_emails=(DAVE,)),
    "the rule no longer matches": ruled(SCHOOL),
    "the rule skips it now": ruled(NO_DINNERS, EVERYBODY),
    "auto-invite is off": msgspec.structs.replace(INVITE_BOB, auto_invite=False),
}


@pytest.mark.parametrize("after", GONE.values(), ids=list(GONE))
def test_what_was_invited_stays_invited(simulate: Simulate, after: Settings) -> None:
    """Nobody is taken off, neither then nor when the event changes nor by apply; and back again invites no twice."""
    simulation = simulate()
    simulation.until_quiet()
    event = simulation.create()
    simulation.until_quiet()

    simulation.restart(after)
    simulation.run(130)
    simulation.google.edit_event(ANNA, event, {"location": "At home"})
    simulation.until_quiet()
    simulation.ask("apply")
    simulation.until_quiet()
    during = simulation.guests(event)
    simulation.restart(INVITE_BOB)
    simulation.google.edit_event(ANNA, event, {"location": "At Bob's"})
    simulation.until_quiet()

    assert BOB in during
    assert simulation.invitations() == [event]
    assert all(not written.removed for written in simulation.wire.written)


# Pause and resume


@pytest.mark.parametrize(
    ("meanwhile", "invited"),
    [
        (INVITE_BOB, True),
        (msgspec.structs.replace(INVITE_BOB, dry_run=True), False),
        (msgspec.structs.replace(INVITE_BOB, auto_invite=False), False),
        (Settings(time_zone="Europe/Berlin"), False),
        (ruled(SCHOOL), False),
    ],
    ids=["nothing else", "a dry run", "auto-invite off", "no rule", "another rule"],
)
def test_a_pause_postpones_and_resume_decides_afresh(simulate: Simulate, meanwhile: Settings, invited: bool) -> None:
    """What waited is decided under what is in force when Calbot goes on."""
    simulation = simulate()
    simulation.until_quiet()
    simulation.ask("pause")
    event = simulation.create()
    simulation.run(200)
    before = list(simulation.wire.written)
    simulation.restart(meanwhile)
    simulation.run(200)
    between = list(simulation.wire.written)

    simulation.ask("resume")
    simulation.until_quiet()

    assert (before, between) == ([], [])
    assert simulation.invitations() == ([event] if invited else [])
    assert (BOB in simulation.guests(event)) == invited


def test_a_pause_keeps_what_is_approved_and_applied_until_resume(simulate: Simulate) -> None:
    """A person's word counts, but nothing is written while paused."""
    simulation = simulate(settings=Settings(time_zone="Europe/Berlin"))
    simulation.until_quiet()
    earlier = simulation.create(summary="Earlier")
    simulation.until_quiet()
    simulation.restart(INVITE_BOB)
    simulation.google.seed_events(ANNA, 60)
    simulation.run(70)
    simulation.ask("pause")

    simulation.ask("apply", days=30)
    simulation.ask("approve")
    simulation.run(300)
    during = list(simulation.wire.written)
    simulation.ask("resume")
    simulation.run(300)
    simulation.ask("approve")
    simulation.until_quiet()

    assert during == []
    assert len(simulation.invitations()) == len(set(simulation.invitations())) == 61
    assert earlier in simulation.invitations()


def test_the_past_is_not_taken_up_after_a_long_pause(simulate: Simulate) -> None:
    """What is over when Calbot goes on is nobody's invitation any more."""
    simulation = simulate()
    simulation.until_quiet()
    simulation.ask("pause")
    event = simulation.create(start={"dateTime": "2026-11-20T15:00:00Z"}, end={"dateTime": "2026-11-20T16:00:00Z"})
    simulation.run(200)
    simulation.run(DAY)

    simulation.ask("resume")
    simulation.until_quiet()

    assert simulation.invitations() == []
    assert BOB not in simulation.guests(event)


# Apply


def on_day(simulation: Simulation, days: int, calendar: str = ANNA, **parts: object) -> str:
    """An event so many days from now, at six in the evening."""
    day = f"2026-{'11' if days < 11 else '12'}-{20 + days if days < 11 else days - 10:02}"
    times = {"start": {"dateTime": f"{day}T18:00:00Z"}, "end": {"dateTime": f"{day}T19:00:00Z"}}
    return simulation.create(calendar, **times, **parts)


def unruled(simulate: Simulate, **parts: object) -> Simulation:
    """A simulation in which nobody is invited yet."""
    simulation = simulate(settings=Settings(time_zone="Europe/Berlin"), **parts)
    simulation.until_quiet()
    assert simulation.clock.now() - NOON < DAY
    return simulation


def test_apply_reaches_as_many_days_as_it_is_told(simulate: Simulate) -> None:
    """Events of the next three days, not those after; a second apply with more days takes the rest."""
    simulation = unruled(simulate)
    near, far = on_day(simulation, 2), on_day(simulation, 20)
    simulation.until_quiet()
    simulation.restart(INVITE_BOB)

    simulation.ask("apply", days=3)
    simulation.until_quiet()
    first = simulation.invitations()
    simulation.ask("apply", days=30)
    simulation.until_quiet()

    assert first == [near]
    assert simulation.invitations() == [near, far]


def test_apply_of_a_rule_takes_up_what_that_rule_decides(simulate: Simulate) -> None:
    """Another rule's events are left for another time."""
    simulation = unruled(simulate)
    school, other = simulation.create(summary="School play"), simulation.create(summary="Dinner")
    simulation.until_quiet()
    simulation.restart(ruled(SCHOOL, Rule("rest", (DAVE,))))

    simulation.ask("apply", rule="school")
    simulation.until_quiet()

    assert simulation.guests(school) == [BOB]
    assert simulation.guests(other) == []


def test_apply_of_an_account_leaves_the_others(simulate: Simulate) -> None:
    """Carol's events are not Anna's."""
    simulation = unruled(simulate, signed_in=(ANNA, CAROL))
    annas, carols = simulation.create(ANNA), simulation.create(CAROL)
    simulation.until_quiet()
    simulation.restart(INVITE_BOB)

    simulation.ask("apply", account=CAROL)
    simulation.until_quiet()

    assert simulation.invitations() == [carols]
    assert simulation.guests(annas) == []


def test_apply_stands_under_the_brake(simulate: Simulate) -> None:
    """Eighty earlier events are held until a person approves, and the answer says how many."""
    simulation = unruled(simulate)
    simulation.google.seed_events(ANNA, 80)
    simulation.run(130)
    simulation.restart(INVITE_BOB)

    answer = simulation.ask("apply")
    simulation.run(300)
    before = simulation.invitations()
    simulation.ask("approve")
    simulation.until_quiet()

    assert (answer.status, answer.data["held"]) == ("ok", 80)
    assert before == []
    assert len(simulation.invitations()) == len(set(simulation.invitations())) == 80


def test_apply_twice_holds_nothing_twice(simulate: Simulate) -> None:
    """What is held already is not planned again."""
    simulation = unruled(simulate)
    simulation.google.seed_events(ANNA, 80)
    simulation.run(130)
    simulation.restart(INVITE_BOB)

    simulation.ask("apply")
    simulation.ask("apply")
    simulation.run(60)
    count = len(simulation.held_rows())
    simulation.ask("approve")
    simulation.until_quiet()

    assert count == 80
    assert len(simulation.invitations()) == 80


def test_apply_takes_up_what_was_there_at_first_sight(simulate: Simulate) -> None:
    """`first_sync: ignore` knew the events; apply is how to invite to them later."""
    simulation = simulate(signed_in=())
    event = simulation.create()
    simulation.accounts.sign_in(ANNA)
    simulation.run(70)
    before = simulation.invitations()

    simulation.ask("apply")
    simulation.until_quiet()

    assert before == []
    assert simulation.invitations() == [event]


def test_apply_calls_nobody_back(simulate: Simulate) -> None:
    """Removed by hand, undone or discarded stays so."""
    simulation = simulate()
    simulation.until_quiet()
    removed, undone = simulation.create(summary="Removed"), simulation.create(summary="Undone")
    simulation.until_quiet()
    simulation.google.remove_guest(ANNA, removed, BOB)
    simulation.ask("undo", event_id=undone)
    simulation.google.seed_events(ANNA, 60)
    simulation.run(70)
    simulation.ask("discard")
    mails = len(simulation.invitations())

    answer = simulation.ask("apply")
    simulation.until_quiet()

    assert answer.data["planned"] == answer.data["held"] == 0
    assert len(simulation.invitations()) == mails
    assert simulation.guests(removed) == simulation.guests(undone) == []


@pytest.mark.parametrize(
    "after",
    [msgspec.structs.replace(INVITE_BOB, dry_run=True), msgspec.structs.replace(INVITE_BOB, auto_invite=False)],
    ids=["dry run", "auto-invite off"],
)
def test_apply_writes_nothing_where_nothing_may_be_written(simulate: Simulate, after: Settings) -> None:
    """And what it left alone can be applied when it may."""
    simulation = unruled(simulate)
    event = simulation.create()
    simulation.until_quiet()
    simulation.restart(after)

    answer = simulation.ask("apply")
    simulation.run(130)
    before = list(simulation.wire.written)
    simulation.restart(INVITE_BOB)
    simulation.ask("apply")
    simulation.until_quiet()

    assert answer.data["planned"] == 0
    assert before == []
    assert simulation.invitations() == [event]


@pytest.mark.parametrize(
    ("args", "code"),
    [
        ({"days": -1}, "invalid"),
        ({"days": 0}, "invalid"),
        ({"account": "nobody@example.com"}, "not_found"),
        ({"rule": "nothing"}, "not_found"),
    ],
)
def test_an_apply_that_makes_no_sense_is_refused(simulate: Simulate, args: dict[str, str | float], code: str) -> None:
    """With the reason, and nothing is done."""
    simulation = unruled(simulate)
    simulation.create()
    simulation.until_quiet()
    simulation.restart(INVITE_BOB)

    answer = simulation.ask("apply", **args)
    simulation.until_quiet()

    assert (answer.status, answer.code) == ("error", code)
    assert answer.message
    assert simulation.invitations() == []


# The brake and what is in force


@pytest.mark.parametrize(
    "after",
    [msgspec.structs.replace(INVITE_BOB, dry_run=True), msgspec.structs.replace(INVITE_BOB, auto_invite=False)],
    ids=["dry run", "auto-invite off"],
)
def test_approve_overrules_no_switch(simulate: Simulate, after: Settings) -> None:
    """What was held is looked at afresh: where nothing may be written, nothing is."""
    simulation = simulate()
    simulation.until_quiet()
    simulation.google.seed_events(ANNA, 60)
    simulation.run(70)
    simulation.restart(after)

    simulation.ask("approve")
    simulation.until_quiet()

    assert simulation.wire.written == []
    assert simulation.open_rows() == []


def test_a_guest_can_be_what_makes_a_rule_match(simulate: Simulate) -> None:
    """Carol comes in by hand, and with her the rule that brings Bob; that alone is change enough."""
    simulation = simulate(settings=ruled(Rule("with Carol", (BOB,), match=Match(has_guest=(CAROL,)))))
    simulation.until_quiet()
    event = simulation.create()
    simulation.until_quiet()
    before = simulation.invitations()

    simulation.google.add_guest(ANNA, event, CAROL)
    simulation.until_quiet()

    assert before == []
    assert simulation.invitations() == [event]
