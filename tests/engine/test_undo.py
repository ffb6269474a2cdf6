"""Undo takes back what a deed added, only that, and for good."""

from collections.abc import Callable
from typing import Any

import pytest

from calbot.model import Answer, Outcome
from calbot.policy import Match, Rule
from calbot.settings import Settings
from tests.google_server.values import Doc
from tests.household import ANNA, BOB, CAROL
from tests.simulation.machine import Crash
from tests.simulation.simulation import Simulation
from tests.simulation.test_crash_at_every_seam import household

Simulate = Callable[..., Simulation]
DAVE = "dave@example.org"
BOTH = Settings(invite_emails=(BOB, DAVE), time_zone="Europe/Berlin")
OTHERS: list[Doc] = [
    {"email": "Carol@Example.com", "displayName": "Carol C.", "optional": True, "responseStatus": "tentative"},
    {"email": "room@resource.calendar.google.com", "resource": True, "responseStatus": "accepted"},
]


def invited(simulation: Simulation, **parts: Any) -> str:
    """An event that Calbot has invited to."""
    event = simulation.create(**parts)
    simulation.until_quiet()
    assert BOB in simulation.guests(event)
    return event


def begun(simulate: Simulate, **parts: object) -> Simulation:
    """A simulation that knows its empty calendar."""
    simulation = simulate(**parts)
    simulation.until_quiet()
    return simulation


def last_invitation(simulation: Simulation) -> Outcome:
    """What was told of the newest invitation."""
    return simulation.outcomes("invited")[-1]


def undone(answer: Answer) -> tuple[str, object, object]:
    """The answer in short."""
    return answer.status, answer.data.get("undone"), answer.data.get("left")


def stays_off(simulation: Simulation, event: str) -> bool:
    """Whether nobody comes back to the event, whatever happens to it and to Calbot."""
    mails = len(simulation.invitations())
    simulation.google.edit_event(ANNA, event, {"summary": "Changed"})
    simulation.run(130)
    simulation.restart()
    simulation.ask("resync", full=True)
    simulation.google.edit_event(ANNA, event, {"location": "At home"})
    simulation.until_quiet()
    return BOB not in simulation.guests(event) and len(simulation.invitations()) == mails


# What is asked for

Way = Callable[[Outcome], dict[str, str | float]]
WAYS: dict[str, Way] = {
    "its token": lambda invitation: {"token": invitation.undo_token or ""},
    "its event": lambda invitation: {"event_id": invitation.key.event},
    "its run": lambda invitation: {"run_id": invitation.run_id},
    "the last minutes": lambda _invitation: {"minutes": 5},
    "the last": lambda _invitation: {"last": True},
    "nothing": lambda _invitation: {},
}


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("way", WAYS.values(), ids=list(WAYS))
def test_the_invitation_is_taken_back_whatever_names_it(simulate: Simulate, way: Way, restart: bool) -> None:
    """By token, event, run, minutes or as the last: Bob is off, others and earlier events untouched, it is told."""
    simulation = begun(simulate)
    earlier = invited(simulation, summary="Earlier")
    simulation.run(600)
    event = invited(simulation, attendees=OTHERS)
    before = simulation.document(event)["attendees"]
    if restart:
        simulation.restart()

    answer = simulation.ask("undo", **way(last_invitation(simulation)))

    assert undone(answer) == ("ok", 1, 0)
    assert simulation.document(event)["attendees"] == [entry for entry in before if entry["email"] != BOB]
    assert BOB in simulation.guests(earlier)
    assert [(o.key.event, o.guests_removed) for o in simulation.outcomes("undone")] == [(event, (BOB,))]
    assert stays_off(simulation, event)


def test_undo_of_a_run_takes_all_of_it_back(simulate: Simulate) -> None:
    """Two events of one pass, with two guests each."""
    simulation = begun(simulate, settings=BOTH)
    earlier = invited(simulation)
    events = [simulation.create(summary=f"Dinner {number}") for number in range(2)]
    simulation.until_quiet()
    run = last_invitation(simulation).run_id

    answer = simulation.ask("undo", run_id=run)

    assert undone(answer) == ("ok", 2, 0)
    assert [simulation.guests(event) for event in events] == [[], []]
    assert simulation.guests(earlier) == [BOB, DAVE]
    assert sorted(o.key.event for o in simulation.outcomes("undone")) == sorted(events)
    assert all(stays_off(simulation, event) for event in events)


def test_undo_again_and_again_goes_back_one_by_one(simulate: Simulate) -> None:
    """Each undo without a name takes back the newest invitation that stands."""
    simulation = begun(simulate)
    events = []
    for number in range(3):
        events.append(invited(simulation, summary=f"Dinner {number}"))
        simulation.run(5)

    left = []
    for _ in range(3):
        assert undone(simulation.ask("undo")) == ("ok", 1, 0)
        left.append([event for event in events if BOB in simulation.guests(event)])

    assert left == [events[:2], events[:1], []]
    assert simulation.ask("undo").code == "not_found"


def test_undo_twice_changes_nothing_the_second_time(simulate: Simulate) -> None:
    """Its answer says that there is nothing, and no call is made."""
    simulation = begun(simulate)
    event = invited(simulation)
    token = last_invitation(simulation).undo_token
    simulation.ask("undo", token=token)
    writes = len(simulation.wire.written)

    again = simulation.ask("undo", token=token)
    by_event = simulation.ask("undo", event_id=event)

    assert (again.data.get("undone", 0), by_event.data.get("undone", 0)) == (0, 0)
    assert len(simulation.wire.written) == writes
    assert len(simulation.outcomes("undone")) == 1


@pytest.mark.parametrize(
    ("args", "code"),
    [
        ({"token": "u-77-abcd"}, "undo_expired"),
        ({"token": "nonsense"}, "undo_expired"),
        ({"event_id": "nosuchevent"}, "not_found"),
        ({"run_id": "nosuchrun"}, "not_found"),
        ({"minutes": 5}, "not_found"),
        ({}, "not_found"),
        ({"minutes": -5}, "invalid"),
    ],
)
def test_an_undo_that_finds_nothing_says_so(simulate: Simulate, args: dict[str, str | float], code: str) -> None:
    """An unknown name, nothing in that time, nothing at all, or no time."""
    simulation = begun(simulate)

    answer = simulation.ask("undo", **args)

    assert (answer.status, answer.code) == ("error", code)
    assert answer.message


# What people did since


@pytest.mark.parametrize("response", ["accepted", "declined", "tentative"])
def test_a_guest_who_answered_is_taken_off_too(simulate: Simulate, response: str) -> None:
    """What Bob says to the invitation, and his comment, do not make it somebody else's."""
    simulation = begun(simulate)
    event = invited(simulation)
    simulation.google.rsvp(BOB, event, response, comment="Looking forward")
    simulation.until_quiet()

    answer = simulation.ask("undo", event_id=event)

    assert undone(answer) == ("ok", 1, 0)
    assert simulation.guests(event) == []


def set_entry(simulation: Simulation, event: str, email: str, **fields: object) -> None:
    """Anna changes what one entry says."""
    entries = [
        {**entry, **fields} if entry["email"] == email else entry for entry in simulation.document(event)["attendees"]
    ]
    simulation.google.edit_event(ANNA, event, {"attendees": entries})


@pytest.mark.parametrize("seen", [False, True])
def test_a_guest_whom_somebody_made_optional_is_left_alone(simulate: Simulate, seen: bool) -> None:
    """Somebody cares about that entry by now; the answer says that it was left, and why."""
    simulation = begun(simulate)
    event = invited(simulation)
    set_entry(simulation, event, BOB, optional=True)
    if seen:
        simulation.until_quiet()
    before = simulation.document(event)["attendees"]

    answer = simulation.ask("undo", event_id=event)

    assert answer.status != "ok"
    assert BOB in answer.message
    assert simulation.document(event)["attendees"] == before
    assert simulation.outcomes("undone") == []


def test_what_can_be_taken_back_is_when_the_rest_cannot(simulate: Simulate) -> None:
    """Of two guests one was made optional: the other goes, and both are accounted for."""
    simulation = begun(simulate, settings=BOTH)
    event = invited(simulation)
    set_entry(simulation, event, BOB, optional=True)

    answer = simulation.ask("undo", event_id=event)

    assert answer.status == "partial"
    assert simulation.guests(event) == [BOB]
    assert [outcome.guests_removed for outcome in simulation.outcomes("undone")] == [(DAVE,)]


def test_a_guest_removed_and_added_again_by_a_person_stays(simulate: Simulate) -> None:
    """Bob is Anna's guest now, not ours, and the answer does not say that he is off."""
    simulation = begun(simulate)
    event = invited(simulation)
    simulation.google.remove_guest(ANNA, event, BOB)
    simulation.until_quiet()
    simulation.google.add_guest(ANNA, event, BOB)
    simulation.until_quiet()

    answer = simulation.ask("undo", event_id=event)

    assert "off already" not in answer.message
    assert answer.status != "ok"
    assert simulation.guests(event) == [BOB]
    assert simulation.outcomes("undone") == []


@pytest.mark.parametrize("seen", [False, True])
def test_a_guest_whom_a_person_has_taken_off_already_needs_no_undo(simulate: Simulate, seen: bool) -> None:
    """Nothing is written, nothing is told to be undone, and the answer says how it is."""
    simulation = begun(simulate)
    event = invited(simulation)
    simulation.google.remove_guest(ANNA, event, BOB)
    if seen:
        simulation.until_quiet()

    answer = simulation.ask("undo", event_id=event)

    assert (answer.status, answer.data["left"]) == ("ok", 0)
    assert "already" in answer.message
    assert len(simulation.wire.written) == 1
    assert simulation.outcomes("undone") == []
    assert stays_off(simulation, event)


def test_a_guest_added_again_after_an_undo_is_not_undone_again(simulate: Simulate) -> None:
    """Anna overrules the undo by hand; nothing of ours is there to be taken back."""
    simulation = begun(simulate)
    event = invited(simulation)
    token = last_invitation(simulation).undo_token
    simulation.ask("undo", token=token)
    simulation.google.add_guest(ANNA, event, BOB)
    simulation.until_quiet()

    answers = [simulation.ask("undo", token=token), simulation.ask("undo", event_id=event), simulation.ask("undo")]

    assert [answer.data.get("undone", 0) for answer in answers] == [0, 0, 0]
    assert simulation.guests(event) == [BOB]


def test_edits_of_the_event_do_not_hinder_undo(simulate: Simulate) -> None:
    """A new title, place and guest stay; Bob goes."""
    simulation = begun(simulate)
    event = invited(simulation)
    simulation.google.edit_event(ANNA, event, {"summary": "Big dinner", "location": "At home"})
    simulation.google.add_guest(ANNA, event, CAROL)

    answer = simulation.ask("undo", event_id=event)

    assert undone(answer) == ("ok", 1, 0)
    assert simulation.document(event)["summary"] == "Big dinner"
    assert simulation.guests(event) == [CAROL]


def test_an_event_deleted_since_needs_no_undo(simulate: Simulate) -> None:
    """Nothing is written, nothing fails, and the command is answered."""
    simulation = begun(simulate)
    event = invited(simulation)
    simulation.google.delete_event(ANNA, event)
    writes = len(simulation.wire.written)

    answer = simulation.ask("undo", event_id=event)

    assert answer.data.get("undone", 0) in {0, 1}
    assert answer.message
    assert len(simulation.wire.written) == writes
    assert simulation.open_rows() == []


# What Google does meanwhile


@pytest.mark.parametrize(
    "fault",
    ["closeAfter", "closeBefore", "errorAfter", "truncated", "notJson", "hang", "conditionNotMet", "unavailable"],
)
def test_a_lost_or_refused_answer_undoes_once(simulate: Simulate, fault: str) -> None:
    """Whatever the answer to the write: in the end Bob is off, which is told once, and he is not invited again."""
    simulation = begun(simulate)
    event = invited(simulation, attendees=OTHERS)
    before = simulation.document(event)["attendees"]
    simulation.google.add_fault(fault, operation="events.patch")

    answer = simulation.ask("undo", event_id=event)
    simulation.until_quiet()

    assert undone(answer) in {("ok", 1, 0), ("error", 0, 1)}, "done, or it waits for Google and says so"
    assert simulation.document(event)["attendees"] == [entry for entry in before if entry["email"] != BOB]
    assert [outcome.guests_removed for outcome in simulation.outcomes("undone")] == [(BOB,)]
    assert [written.removed for written in simulation.wire.written[1:]] == [{BOB}]
    assert stays_off(simulation, event)


def test_a_lost_answer_and_a_new_guest_by_hand_are_told_apart(simulate: Simulate) -> None:
    """Our write landed, its answer was lost, and Anna put Bob back meanwhile: he is hers and stays."""
    simulation = begun(simulate)
    event = invited(simulation)
    simulation.google.add_fault("closeAfter", operation="events.patch")
    done = False

    def put_back() -> None:
        nonlocal done
        if not done and BOB not in simulation.guests(event):
            done = True
            simulation.google.add_guest(ANNA, event, BOB)

    simulation.wire.during = put_back
    simulation.ask("undo", event_id=event)
    simulation.until_quiet()

    assert done
    assert simulation.guests(event) == [BOB]
    assert len([written for written in simulation.wire.written if written.removed]) == 1


def test_somebody_changes_the_event_in_the_middle_of_an_undo(simulate: Simulate) -> None:
    """Between our look and our write Carol comes in and Bob is made optional: both stay."""
    simulation = begun(simulate)
    event = invited(simulation)
    gets = len(simulation.calls("events.get"))
    done = False

    def meanwhile() -> None:
        nonlocal done
        if not done and len(simulation.calls("events.get")) > gets:
            done = True
            simulation.google.add_guest(ANNA, event, CAROL)
            set_entry(simulation, event, BOB, optional=True)

    simulation.wire.during = meanwhile
    answer = simulation.ask("undo", event_id=event)

    assert done
    assert answer.status != "ok"
    assert sorted(simulation.guests(event)) == [BOB, CAROL]


# Restored backups


@pytest.mark.parametrize("taken", ["before the invitation", "after the invitation"])
def test_an_undone_guest_stays_off_with_an_old_store(simulate: Simulate, taken: str) -> None:
    """A backup that knows nothing of the undo finds it on the event itself."""
    simulation = begun(simulate)
    simulation.run(70)
    backup = simulation.back_up()
    event = invited(simulation)
    if taken == "after the invitation":
        backup = simulation.back_up()
    simulation.ask("undo", event_id=event)
    simulation.until_quiet()

    simulation.restore(backup)
    simulation.until_quiet()

    assert BOB not in simulation.guests(event)
    assert stays_off(simulation, event)


# Work that waits


def test_undo_of_an_invitation_that_waits_discards_it(simulate: Simulate) -> None:
    """Google was not available; Anna changes her mind before it is again."""
    simulation = begun(simulate)
    simulation.google.add_fault("unavailable", operation="events.patch", count=None)
    event = simulation.create()
    simulation.run(120)
    (row,) = simulation.open_rows()

    answer = simulation.ask("undo", event_id=event)
    simulation.google.clear_faults()
    simulation.until_quiet()

    assert row[2] == "parked"
    assert answer.status == "ok"
    assert simulation.invitations() == []
    assert "discarded" in [row[0] for row in simulation.history(event)]
    assert stays_off(simulation, event)


@pytest.mark.parametrize("asked", ["before Google can be asked", "after that"])
def test_undo_of_an_invitation_whose_answer_was_lost_takes_it_back(simulate: Simulate, asked: str) -> None:
    """It had gone out, though nobody could say so yet: undo does not leave Bob on the event for that."""
    simulation = begun(simulate)
    simulation.google.add_fault("closeAfter", operation="events.patch")
    simulation.google.add_fault("unavailable", operation="events.get", count=None)
    event = simulation.create()
    simulation.run(120)
    (row,) = simulation.open_rows()
    there = simulation.guests(event)
    if asked == "after that":
        simulation.google.clear_faults()

    simulation.ask("undo", event_id=event)
    simulation.run(120)
    simulation.google.clear_faults()
    simulation.until_quiet()

    assert (row[2], there) == ("parked", [BOB])
    assert simulation.guests(event) == []
    assert stays_off(simulation, event)


@pytest.mark.parametrize("way", ["minutes", "event"])
def test_undo_of_an_undecided_invitation_leaves_a_guest_put_there_by_a_person(simulate: Simulate, way: str) -> None:
    """Ours never arrived, and nobody could tell; Bob is there because Anna invited him. Without our mark he is hers."""
    simulation = begun(simulate)
    event = simulation.create()
    simulation.google.add_fault("closeBefore", operation="events.patch")

    def meanwhile() -> None:
        if 0 in simulation.calls("events.patch") and simulation.document(event)["summary"] == "Dinner":
            simulation.google.edit_event(ANNA, event, {"summary": "Changed"})

    simulation.wire.during = meanwhile
    simulation.until_quiet()
    ((_, _, _, reason),) = simulation.held_rows()
    simulation.google.add_guest(ANNA, event, BOB)

    answer = simulation.ask("undo", minutes=60) if way == "minutes" else simulation.ask("undo", event_id=event)
    simulation.until_quiet()

    assert reason == "conflict"
    assert answer.message
    assert simulation.guests(event) == [BOB]
    assert simulation.wire.written == []
    assert simulation.held_rows() == []


def test_undo_of_a_held_run_discards_it(simulate: Simulate) -> None:
    """What the brake keeps is part of the run that is taken back."""
    simulation = begun(simulate)
    simulation.google.seed_events(ANNA, 60)
    simulation.run(70)
    run = str(simulation.notices("brake_on")[0].data["run_id"])

    answer = simulation.ask("undo", run_id=run)
    simulation.until_quiet()

    assert answer.status == "ok"
    assert simulation.held_rows() == []
    assert simulation.ask("approve").code == "not_found"
    assert simulation.invitations() == []
    assert stays_off(simulation, "seed0000003")


# Events of others


def test_google_refuses_to_take_a_guest_off_somebody_elses_event(simulate: Simulate) -> None:
    """We may add to Carol's party as long as she lets guests do so, but only she can take off: the answer says so."""
    rule = Rule("parties", (BOB,), match=Match(organiser_is_me=False))
    simulation = begun(simulate, settings=Settings(rules=(rule,), time_zone="Europe/Berlin"))
    event = simulation.create(CAROL, attendees=[{"email": ANNA}])
    simulation.until_quiet()
    added = simulation.guests(event, CAROL)

    answer = simulation.ask("undo", event_id=event)
    simulation.until_quiet()

    assert BOB in added
    assert answer.status == "error"
    assert answer.message
    assert BOB in simulation.guests(event, CAROL)
    assert simulation.outcomes("undone") == []
    assert simulation.open_rows() == []


# Kills


def undo_the_last_of_two(simulation: Simulation) -> tuple[list[str], int]:
    """Two events are invited to, one after the other, and the last is undone; the events, and the seams before it.

    Whoever is killed on the way lives again, and then takes up what was asked and not answered, as the bridge does.
    """
    simulation.live()
    events = []
    for number in range(2):
        events.append(simulation.create(summary=f"Dinner {number}"))
        simulation.plan(61.0, lambda: None)
        simulation.live()
    before = len(simulation.seams.crossed)
    try:
        simulation.ask("undo")
    except Crash:
        simulation.die()
        simulation.live()
        simulation.take_up()
    simulation.plan(300.0, lambda: None)
    simulation.live()
    return events, before


def test_a_crash_anywhere_in_an_undo_takes_back_the_last_and_no_other() -> None:
    """Killed at every seam of it: Bob is off the second event, on the first, and it is told once."""
    with household() as simulation:
        _, first = undo_the_last_of_two(simulation)
        seams = simulation.seams.crossed[first:]
    bad: dict[str, object] = {}
    fired = 0

    for number, place in enumerate(seams, first + 1):
        with household(crash_at=frozenset({number})) as simulation:
            events, _ = undo_the_last_of_two(simulation)
            fired += len(simulation.seams.fired)
            guests = [simulation.guests(event) for event in events]
            told = [outcome.key.event for outcome in simulation.outcomes("undone")]
            rows = [*simulation.open_rows(), *simulation.trouble]
            asked = simulation.answer_to("command-1")
            never_asked = "before a commit" in place and asked is None and guests == [[BOB], [BOB]] and told == []
            fine = guests == [[BOB], []] and told == events[1:] and asked is not None
            if rows or len(simulation.invitations()) != 2 or not (fine or never_asked):
                bad[f"{number} {place}"] = (guests, told, rows, asked)

    assert bad == {}
    assert fired >= 0.9 * len(seams)
    assert len(seams) > 10
