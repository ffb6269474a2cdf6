"""The brake at its edges: never more than the limit goes out, and nobody waits for what cannot go."""

import json

import pytest

from calbot.model import CalendarKey
from calbot.store import allowance, ledger
from tests.engine.scenes import (
    HOUR,
    WEEKLY,
    Simulate,
    begun,
    created,
    limited,
    lost_on_the_way,
    mailed_at,
    most_in_an_hour,
    sign_out,
    until_in_slots,
    until_parked,
)
from tests.google_server.values import Request, Response
from tests.household import ANNA, BOB, CAROL
from tests.simulation.simulation import DAY, Simulation

BOTH = (ANNA, CAROL)
YEAR = 365 * DAY


def interrupted(simulate: Simulate) -> Simulation:
    """Carol's share of an hour is started and none of its calls made, and the process is killed."""
    simulation = begun(simulate, settings=limited(3), signed_in=BOTH)
    created(simulation, 3, CAROL)
    until_in_slots(simulation, 3)
    simulation.die()
    return simulation


def in_flight_rows(simulation: Simulation, account: str) -> list[str]:
    """The states of an account's open rows."""
    return [deed.state for deed in ledger.open_deeds(simulation.database.read(), account)]


# Wrong clocks


@pytest.mark.parametrize("ahead", [30 * HOUR, YEAR], ids=["a day and more", "a year"])
def test_a_clock_that_was_ahead_stops_nobody(simulate: Simulate, ahead: float) -> None:
    """What is written down as sent in the future does not count as sent now, and nothing is tried in circles."""
    simulation = begun(simulate, settings=limited(3))
    created(simulation, 3)
    simulation.until_quiet()
    with simulation.database.write() as tx:
        tx.execute("UPDATE deed SET planned_at = planned_at + ?, finished_at = finished_at + ?", (ahead, ahead))
    simulation.restart()
    simulation.run(70)
    commits = simulation.seams.commits

    event = simulation.create(summary="Now")
    simulation.run(130)

    assert simulation.guests(event) == [BOB]
    assert simulation.seams.commits - commits < 50


def test_a_quota_rest_written_by_a_wrong_clock_does_not_silence_the_next_one(simulate: Simulate) -> None:
    """A real stop is announced when it begins and when it ends."""
    simulation = begun(simulate)
    with simulation.database.write() as tx:
        tx.execute("UPDATE account SET rest_until = ?", (simulation.clock.now() + YEAR,))
    simulation.restart()
    simulation.google.add_fault("quotaExceeded", operation="events.patch")

    event = simulation.create()
    simulation.until_quiet()

    assert simulation.guests(event) == [BOB]
    assert (len(simulation.notices("quota_exceeded")), len(simulation.notices("quota_restored"))) == (1, 1)


def test_a_rest_that_google_wants_for_days_is_kept_for_one(simulate: Simulate) -> None:
    """Fifty-five hours are no wrong clock: nothing is tried in the first of them, whatever comes up."""
    simulation = begun(simulate)
    simulation.google.add_fault("quotaExceeded", operation="events.patch", retry_after=200_000)
    simulation.create()
    simulation.run(70)
    before = len(simulation.calls("events.patch"))

    for number in range(3):
        simulation.create(summary=f"Later {number}")
        simulation.run(HOUR)

    assert (before, len(simulation.calls("events.patch"))) == (1, 1)
    assert simulation.engine.snapshot.accounts[0].resting_until is not None


# What counts


def test_what_is_settled_while_another_account_decides_counts(simulate: Simulate) -> None:
    """Anna's are written down a moment after the time that Carol's pass goes by: five an hour are five."""
    simulation = begun(simulate, settings=limited(5), signed_in=BOTH)
    created(simulation, 3)
    simulation.until_quiet()
    (last,) = simulation.database.read().execute("SELECT max(finished_at) FROM deed").fetchone()

    counted = allowance.sent(simulation.database.read(), last - 0.2)
    room = allowance.room_at(simulation.database.read(), last - 0.2, 3)

    assert counted == 3
    assert room <= last + HOUR


def test_invitations_whose_answers_are_lost_count_as_sent(simulate: Simulate) -> None:
    """They may have mailed somebody: while nobody can tell, no others go out in their place."""
    simulation = begun(simulate, settings=limited(3))
    lost_on_the_way(simulation, events=3)
    created(simulation, 3)
    simulation.run(1500)
    waiting = in_flight_rows(simulation, ANNA)
    simulation.google.clear_faults()

    created(simulation, 1, name="Later")
    simulation.run(2 * HOUR)

    assert waiting == ["parked"] * 3
    assert most_in_an_hour(mailed_at(simulation)) <= 3


def test_lost_answers_count_while_their_next_look_is_far_off(simulate: Simulate) -> None:
    """The allowance is used up by what was begun within the hour, and by that only."""
    simulation = begun(simulate, settings=limited(3))
    lost_on_the_way(simulation, events=3)
    created(simulation, 3)
    until_parked(simulation, 3)
    now = simulation.clock.now()

    reader = simulation.database.read()
    counts = [allowance.sent(reader, now + later) for later in (0.0, HOUR / 2, HOUR - 130, 2 * HOUR, -YEAR)]

    assert counts == [3, 3, 3, 0, 0]


def test_resumed_work_of_an_earlier_life_asks_for_room_again(simulate: Simulate) -> None:
    """Carol's was started, she was paused for long, Anna used the hour: what is resumed does not come on top."""
    simulation = interrupted(simulate)
    simulation.start()
    simulation.command("pause", account=CAROL)
    simulation.run(1300)
    annas = created(simulation, 3)
    simulation.run(120)
    before = simulation.invitations()

    simulation.command("resume", account=CAROL)
    simulation.run(2 * HOUR)
    simulation.until_quiet()

    assert sorted(before) == sorted(annas)
    assert len(simulation.invitations()) == 6
    assert most_in_an_hour(mailed_at(simulation)) <= 3


def test_a_deed_that_waits_started_counts_once(simulate: Simulate) -> None:
    """At the limit's edge it is no rival of its own: after a kill the one invitation of the hour goes out at once."""
    simulation = begun(simulate, settings=limited(1))
    event = simulation.create()
    until_in_slots(simulation)
    simulation.restart()

    simulation.run(60)

    assert simulation.guests(event) == [BOB]


# What cannot go


@pytest.mark.parametrize("fate", ["removed", "signed out", "paused"])
def test_what_was_started_for_an_account_that_rests_delays_no_other(simulate: Simulate, fate: str) -> None:
    """Nobody works on Carol's rows any more: Anna's invitation goes out within the hour, and the next at once."""
    simulation = interrupted(simulate)
    if fate == "removed":
        sign_out(simulation, CAROL)
    elif fate == "signed out":
        simulation.google.revoke(CAROL)
    simulation.start()
    if fate == "paused":
        simulation.command("pause", account=CAROL)
    first = simulation.create(summary="First")
    simulation.run(HOUR + 130)

    second = simulation.create(summary="Second")
    simulation.run(130)

    assert [simulation.guests(event) for event in (first, second)] == [[BOB], [BOB]]


@pytest.mark.parametrize("waits", ["for Google", "approved"])
def test_what_is_due_for_a_paused_account_delays_no_other(simulate: Simulate, waits: str) -> None:
    """It is due and cannot go: an hour later it is not promised to go out soon any more."""
    simulation = begun(simulate, settings=limited(3), signed_in=BOTH)
    if waits == "approved":
        created(simulation, 4, CAROL)
        simulation.run(70)
        simulation.command("pause", account=CAROL)
        assert simulation.ask("approve").data["count"] == 4
    else:
        simulation.google.add_fault("unavailable", operation="events.patch", count=3)
        created(simulation, 3, CAROL)
        until_parked(simulation, 3)
        simulation.command("pause", account=CAROL)
    simulation.run(HOUR)

    events = created(simulation, 2)
    simulation.run(130)

    assert [simulation.guests(event) for event in events] == [[BOB], [BOB]]
    assert simulation.held_rows() == []


def test_what_is_approved_while_its_account_is_paused_goes_out_at_resume(simulate: Simulate) -> None:
    """The word of a person is kept until then: not before, all of it, once."""
    simulation = begun(simulate, settings=limited(3))
    events = created(simulation, 4)
    simulation.run(70)
    simulation.command("pause")
    simulation.ask("approve")
    simulation.run(2 * HOUR)
    before = simulation.invitations()

    simulation.command("resume")
    simulation.until_quiet()

    assert before == []
    assert sorted(simulation.invitations()) == sorted(events)


def test_a_waiting_invitation_that_a_full_listing_lacks_is_not_lost(simulate: Simulate) -> None:
    """Google's listing left it out once, the event is alive and unchanged: when the hour has room, Bob is invited."""
    simulation = begun(simulate, settings=limited(1))
    simulation.create(summary="First")
    simulation.run(70)
    event = simulation.create(summary="Second")
    simulation.run(70)
    waiting = simulation.open_rows()
    gaps: list[str] = []

    def amend(request: Request, answer: Response) -> None:
        if not gaps and request.path.endswith("/events") and event.encode() in answer.body:
            body = json.loads(answer.body)
            body["items"] = [item for item in body["items"] if item["id"] != event]
            answer.body = json.dumps(body).encode()
            gaps.append(event)

    simulation.wire.amend = amend
    simulation.ask("resync", full=True)
    simulation.until_quiet()

    assert gaps == [event]
    assert [(row[0], row[2], row[3]) for row in waiting] == [(event, "parked", "brake")]
    assert simulation.invitations().count(event) == 1


def test_a_series_that_waits_and_its_dates_go_out_in_the_end(simulate: Simulate) -> None:
    """Held back by the brake, the dates wait for their series and are not tried in circles."""
    simulation = begun(simulate, settings=limited(2))
    created(simulation, 2)
    simulation.run(70)
    series = simulation.create(**WEEKLY)
    simulation.run(70)
    commits = simulation.seams.commits

    simulation.until_quiet()

    assert simulation.guests(series) == [BOB]
    assert simulation.seams.commits - commits < 500
    assert ledger.open_invitations(simulation.database.read(), CalendarKey(ANNA, "primary"), [series]) == {}
