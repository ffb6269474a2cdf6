"""Who is invited, once, and what of an event is never touched."""

from collections.abc import Callable

import pytest

from calbot.settings import Settings
from tests.google_server.values import Doc
from tests.household import ANNA, BOB, CAROL
from tests.simulation.simulation import Simulation

Simulate = Callable[..., Simulation]
GUESTS: list[Doc] = [
    {
        "email": "Carol@Example.com",
        "displayName": "Carol C.",
        "optional": True,
        "responseStatus": "tentative",
        "comment": 'Late, "sorry" é',
        "additionalGuests": 2,
    },
    {"email": "room@resource.calendar.google.com", "resource": True, "responseStatus": "accepted"},
    {"email": "dave@example.org", "responseStatus": "declined"},
]


def test_other_guests_stay_exactly_as_google_held_them(simulate: Simulate) -> None:
    """Answers, optional flags, comments, names, rooms and their order survive an invitation."""
    simulation = simulate()
    simulation.until_quiet()
    event = simulation.create(attendees=GUESTS)
    before = simulation.document(event)["attendees"]

    simulation.until_quiet()

    after = simulation.document(event)["attendees"]
    assert after[:-1] == before
    assert after[-1]["email"] == BOB
    assert {one["email"].lower() for one in before} >= {CAROL, "dave@example.org"}


@pytest.mark.parametrize(("option", "listed"), [(BOB, "BOB@Example.COM"), ("Bob@Example.com", BOB)])
def test_capitals_in_an_address_make_no_patch(simulate: Simulate, option: str, listed: str) -> None:
    """Somebody who is there already is there, however the address is written."""
    simulation = simulate(settings=Settings(invite_emails=(option,)))
    simulation.until_quiet()

    event = simulation.create(attendees=[{"email": listed}])
    simulation.until_quiet()
    simulation.google.edit_event(ANNA, event, {"summary": "Another title"})
    simulation.plan(120, lambda: None)
    simulation.until_quiet()

    assert simulation.calls("events.patch") == []
    assert simulation.trouble == []


def test_capitals_in_the_option_make_one_patch(simulate: Simulate) -> None:
    """An invited guest is recognised at the next change."""
    simulation = simulate(settings=Settings(invite_emails=("Bob@Example.com",)))
    simulation.until_quiet()

    event = simulation.create()
    simulation.until_quiet()
    simulation.google.edit_event(ANNA, event, {"summary": "Another title"})
    simulation.plan(120, lambda: None)
    simulation.until_quiet()

    assert len(simulation.calls("events.patch")) == 1


def test_a_permanent_403_delays_no_other_event(simulate: Simulate) -> None:
    """One event that Google refuses costs one call, is told, and the others are invited at once."""
    simulation = simulate()
    simulation.until_quiet()
    bad = simulation.create(summary="Bad")
    good = [simulation.create(summary=f"Good {number}") for number in range(8)]
    simulation.google.add_fault("forbidden", operation="events.patch", event=bad, count=None)

    simulation.until_quiet()

    mails = [mail for mail in simulation.world.mails if mail.to == BOB]
    found = next(call.time for call in simulation.world.calls if call.operation == "events.patch")
    assert sorted(mail.event for mail in mails) == sorted(good)
    assert max(mail.time for mail in mails) - found < 2.0
    assert simulation.calls("events.patch").count(403) == 1
    assert [(o.key.event, o.reason, o.retryable) for o in simulation.outcomes("failed")] == [(bad, "forbidden", False)]


def test_a_guest_removed_by_hand_stays_removed(simulate: Simulate) -> None:
    """Neither a later change of the event nor a restart brings them back, and the reason is told."""
    simulation = simulate()
    simulation.until_quiet()
    event = simulation.create()
    simulation.until_quiet()

    simulation.google.remove_guest(ANNA, event, BOB)
    simulation.until_quiet()
    simulation.google.edit_event(ANNA, event, {"summary": "Without Bob"})
    simulation.until_quiet()
    simulation.restart()
    simulation.google.edit_event(ANNA, event, {"summary": "Still without Bob"})
    simulation.until_quiet()

    assert simulation.invitations() == [event]
    assert simulation.guests(event) == []
    assert {outcome.reason for outcome in simulation.outcomes("skipped")} == {"removed_by_hand"}


def test_a_guest_removed_by_hand_stays_removed_with_an_old_store(simulate: Simulate) -> None:
    """A restored backup that knows nothing of the invitation finds it on the event itself."""
    simulation = simulate()
    simulation.until_quiet()
    simulation.run(70)
    simulation.die()
    backup = (simulation.directory / "calbot.db").read_bytes()
    simulation.start()
    event = simulation.create()
    simulation.until_quiet()
    simulation.google.remove_guest(ANNA, event, BOB)
    simulation.until_quiet()
    simulation.die()
    (simulation.directory / "calbot.db").write_bytes(backup)

    simulation.start()
    simulation.until_quiet()

    assert simulation.invitations() == [event]
    assert simulation.guests(event) == []


def test_a_hidden_guest_list_is_not_written(simulate: Simulate) -> None:
    """With attendeesOmitted a patch would throw out everybody Google did not name."""
    simulation = simulate()
    simulation.until_quiet()
    event = simulation.create(attendees=GUESTS)
    simulation.world.switches.omit_attendees = {event}

    simulation.until_quiet()

    assert simulation.calls("events.patch") == []
    assert simulation.history(event) == [("skipped", "no_write_access")]
    assert [outcome.reason for outcome in simulation.outcomes("skipped")] == ["no_write_access"]


def test_a_guest_list_that_becomes_hidden_is_not_written(simulate: Simulate) -> None:
    """Also when the fresh look after a 412 is what hides it."""
    simulation = simulate()
    simulation.until_quiet()
    event = simulation.create(attendees=GUESTS)
    simulation.google.add_fault("conditionNotMet", operation="events.patch")

    def hide() -> None:
        if 412 in simulation.calls("events.patch"):
            simulation.world.switches.omit_attendees = {event}

    simulation.wire.during = hide
    simulation.until_quiet()

    assert simulation.calls("events.patch") == [412]
    assert BOB not in simulation.guests(event)


ALONE: dict[str, tuple[Doc, str, bool]] = {
    "past": (
        {"start": {"dateTime": "2026-11-01T10:00:00Z"}, "end": {"dateTime": "2026-11-01T11:00:00Z"}},
        "past",
        False,
    ),
    "a series that is over": (
        {
            "start": {"dateTime": "2026-10-01T10:00:00+02:00", "timeZone": "Europe/Berlin"},
            "end": {"dateTime": "2026-10-01T11:00:00+02:00", "timeZone": "Europe/Berlin"},
            "recurrence": ["RRULE:FREQ=DAILY;COUNT=3"],
        },
        "past",
        False,
    ),
    "private": ({"visibility": "private"}, "private", True),
    "confidential": ({"visibility": "confidential"}, "private", True),
    "our copy": ({"extendedProperties": {"private": {"calbot": "copy-of-something"}}}, "own_copy", False),
    "focus time": ({"eventType": "focusTime"}, "event_type", True),
    "out of office": ({"eventType": "outOfOffice"}, "event_type", True),
    "declined by ourselves": (
        {"attendees": [{"email": ANNA, "responseStatus": "declined"}, {"email": CAROL}]},
        "declined",
        True,
    ),
}


@pytest.mark.parametrize("what", ALONE)
def test_what_takes_no_guests_is_left_alone_and_the_reason_is_kept(simulate: Simulate, what: str) -> None:
    """No call is made; the ledger knows why; what people may wonder about is told, the rest is not."""
    body, reason, announced = ALONE[what]
    simulation = simulate()
    simulation.until_quiet()

    event = simulation.create(**body)
    simulation.until_quiet()

    assert simulation.calls("events.patch") == []
    assert simulation.history(event) == [("skipped", reason)]
    assert [outcome.reason for outcome in simulation.outcomes("skipped")] == ([reason] if announced else [])


def test_a_birthday_is_left_alone(simulate: Simulate) -> None:
    """It takes no guests, and its reason is kept."""
    simulation = simulate()
    simulation.until_quiet()

    simulation.google.put_raw(ANNA, {"id": "birthday1", "eventType": "birthday", "visibility": "private"})
    simulation.until_quiet()

    assert simulation.history("birthday1") == [("skipped", "event_type")]


def test_what_somebody_else_organises_is_left_alone(simulate: Simulate) -> None:
    """We add nobody to the parties of others."""
    simulation = simulate()
    simulation.until_quiet()

    event = str(simulation.google.invite_from_outside(ANNA, "host@example.org")["id"])
    simulation.until_quiet()

    assert simulation.calls("events.patch") == []
    assert simulation.history(event) == [("skipped", "not_organiser")]


def test_two_watched_accounts_in_one_meeting_invite_once(simulate: Simulate) -> None:
    """The guest's copy of the meeting, on a calendar that is watched too, is no meeting of its own."""
    simulation = simulate(signed_in=(ANNA, CAROL))
    simulation.until_quiet()

    event = simulation.create(attendees=[{"email": CAROL}])
    simulation.until_quiet()

    assert simulation.invitations() == [event]
    assert len(simulation.calls("events.patch")) == 1


def test_an_event_changed_while_we_invite_keeps_both_changes(simulate: Simulate) -> None:
    """A 412 is read afresh and merged: the person's new guest and title stay, ours is added."""
    simulation = simulate()
    simulation.until_quiet()
    event = simulation.create()
    calls, done = len(simulation.world.calls), False

    def meanwhile() -> None:
        nonlocal done
        if not done and len(simulation.world.calls) > calls:  # The listing is on its way.
            done = True
            simulation.google.add_guest(ANNA, event, "dave@example.org")
            simulation.google.edit_event(ANNA, event, {"summary": "Big dinner"})

    simulation.wire.during = meanwhile
    simulation.until_quiet()

    assert done
    assert 412 in simulation.calls("events.patch")
    assert {"dave@example.org", BOB} <= set(simulation.guests(event))
    assert simulation.document(event)["summary"] == "Big dinner"
    assert simulation.invitations().count(event) == 1


@pytest.mark.parametrize("fault", ["closeAfter", "errorAfter", "truncated", "notJson", "hang"])
def test_a_lost_answer_invites_once_and_is_told_once(simulate: Simulate, fault: str) -> None:
    """The write went through and nobody said so: a look at the event settles it, not a second write."""
    simulation = simulate()
    simulation.until_quiet()
    simulation.google.add_fault(fault, operation="events.patch")

    event = simulation.create()
    simulation.until_quiet()

    assert simulation.invitations() == [event]
    assert len(simulation.calls("events.patch")) == 1
    assert [outcome.guests_added for outcome in simulation.outcomes("invited")] == [(BOB,)]
    write, look = (n for n, c in enumerate(simulation.world.calls) if c.operation in {"events.patch", "events.get"})
    assert look == write + 1, "it is looked at at once"


def test_a_lost_answer_is_held_when_nothing_tells_what_became_of_it(simulate: Simulate) -> None:
    """No stamp, another version, the guest absent: nobody knows, so a person decides, and hears of it."""
    simulation = simulate()
    simulation.until_quiet()
    event = simulation.create()
    simulation.google.add_fault("closeBefore", operation="events.patch")

    def meanwhile() -> None:
        if 0 in simulation.calls("events.patch") and simulation.document(event)["summary"] == "Dinner":
            simulation.google.edit_event(ANNA, event, {"summary": "Changed"})

    simulation.wire.during = meanwhile
    simulation.until_quiet()

    assert simulation.invitations() == []
    assert [outcome.key.event for outcome in simulation.outcomes("held")] == [event]
    assert simulation.engine.snapshot.accounts[0].held == 1


def test_an_event_deleted_before_it_is_invited_is_no_failure(simulate: Simulate) -> None:
    """The invitation is dropped without a word; the deletion is told."""
    simulation = simulate()
    simulation.until_quiet()
    event = simulation.create()
    gone = False

    def meanwhile() -> None:
        nonlocal gone
        if not gone and simulation.calls("events.list")[1:]:
            gone = True
            simulation.google.delete_event(ANNA, event)

    simulation.run(58)
    simulation.wire.during = meanwhile
    simulation.until_quiet()

    assert gone
    assert simulation.invitations() == []
    assert simulation.outcomes("failed") == []


def test_an_event_that_google_does_not_find_yet_is_invited_later(simulate: Simulate) -> None:
    """A 404 just after an event was made is no deletion."""
    simulation = simulate()
    simulation.until_quiet()
    event = simulation.create()
    simulation.google.add_fault("notFound", operation="events.[pg]*", event=event, count=2)

    simulation.until_quiet()

    assert simulation.invitations() == [event]


def test_google_sends_the_invitations(simulate: Simulate) -> None:
    """The obvious rule has Google send its mails to everybody."""
    simulation = simulate()
    simulation.until_quiet()

    simulation.create()
    simulation.until_quiet()

    (patch,) = [call for call in simulation.world.calls if call.operation == "events.patch"]
    assert patch.query["sendUpdates"] == ["all"]
    assert patch.if_match


def test_several_guests_are_invited_by_one_write(simulate: Simulate) -> None:
    """One patch carries everybody who is missing."""
    simulation = simulate(settings=Settings(invite_emails=(BOB, CAROL, "dave@example.org")))
    simulation.until_quiet()

    event = simulation.create(attendees=[{"email": CAROL}])
    simulation.until_quiet()

    assert len(simulation.calls("events.patch")) == 1
    assert sorted(g for g in simulation.guests(event) if g != ANNA) == [BOB, CAROL, "dave@example.org"]
    assert [outcome.guests_added for outcome in simulation.outcomes("invited")] == [(BOB, "dave@example.org")]
