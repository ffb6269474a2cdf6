"""What a person said of a series holds for its dates and its later half; nobody is invited against that."""

from collections.abc import Callable

import pytest

from calbot.actions import Deed
from calbot.model import CalendarKey
from calbot.planner import Verdict
from calbot.record import enter
from calbot.store import ledger, releases
from calbot.telling import Run
from tests.engine.scenes import (
    HOUR,
    OTHERS,
    SECOND,
    WEEKLY,
    Simulate,
    begun,
    limited,
    move,
)
from tests.google_server.values import Doc
from tests.household import ANNA, BOB, CAROL
from tests.simulation.machine import SeededRandom
from tests.simulation.simulation import Simulation

Said = Callable[[Simulation], str]
HALF: Doc = {
    "start": {"dateTime": "2026-12-15T19:00:00+01:00", "timeZone": "Europe/Berlin"},
    "end": {"dateTime": "2026-12-15T20:00:00+01:00", "timeZone": "Europe/Berlin"},
    "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=6"],
}


def discarded(simulation: Simulation) -> str:
    """A series that the brake held together with another event, and that a person discarded."""
    series = simulation.create(**WEEKLY)
    simulation.create()
    simulation.run(70)
    assert simulation.ask("discard").data["count"] == 2
    return series


def undone_while_it_waited(simulation: Simulation) -> str:
    """A series whose invitation waited for the hour's room when a person undid it."""
    simulation.create()
    simulation.run(70)
    series = simulation.create(**WEEKLY)
    simulation.run(70)
    assert simulation.ask("undo", event_id=series).status == "ok"
    return series


def undone(simulation: Simulation) -> str:
    """A series that was invited to, and undone."""
    series = simulation.create(**WEEKLY)
    simulation.until_quiet()
    assert simulation.ask("undo", event_id=series).status == "ok"
    return series


def removed(simulation: Simulation) -> str:
    """A series that a person put Bob on, and took him off again."""
    series = simulation.create(**WEEKLY, attendees=[{"email": BOB}])
    simulation.until_quiet()
    simulation.google.remove_guest(ANNA, series, BOB)
    simulation.until_quiet()
    return series


SAID = pytest.mark.parametrize(
    "said", [discarded, undone_while_it_waited, undone, removed], ids=lambda said: said.__name__
)


def about_a_series(simulate: Simulate, said: Said) -> tuple[Simulation, str, int]:
    """The simulation hours after it was said, the series without Bob, and how many mails he has by then."""
    limit = 1 if said in {discarded, undone_while_it_waited} else 50
    simulation = begun(simulate, settings=limited(limit))
    series = said(simulation)
    simulation.run(HOUR + 300)
    assert BOB not in simulation.guests(series)
    return simulation, series, len(simulation.invitations())


@SAID
def test_what_was_said_of_a_series_holds_for_a_date_that_is_moved(simulate: Simulate, said: Said) -> None:
    """The date gets an entry of its own, and Bob no invitation to it: not then, and not when it changes again."""
    simulation, series, mails = about_a_series(simulate, said)

    date = move(simulation, series)
    simulation.until_quiet()
    simulation.restart()
    simulation.google.edit_event(ANNA, date, {"summary": "Concert"})
    simulation.run(HOUR)
    simulation.until_quiet()

    assert BOB not in [*simulation.guests(date), *simulation.guests(series)]
    assert len(simulation.invitations()) == mails


@SAID
def test_what_was_said_of_a_series_holds_for_its_following_half(simulate: Simulate, said: Said) -> None:
    """A change of “this and following” makes a second series: to people it is the same one."""
    simulation, series, mails = about_a_series(simulate, said)

    simulation.google.edit_event(ANNA, series, {"recurrence": ["RRULE:FREQ=WEEKLY;UNTIL=20261214T225959Z"]})
    half = f"{series}_R20261215T180000"
    simulation.google.put_raw(ANNA, {"id": half, "summary": "Choir", **HALF})
    simulation.run(HOUR)
    simulation.until_quiet()

    assert BOB not in [*simulation.guests(half), *simulation.guests(series)]
    assert len(simulation.invitations()) == mails


@SAID
def test_what_was_said_of_a_series_holds_when_the_rules_are_applied(simulate: Simulate, said: Said) -> None:
    """Apply takes up what was left alone, not what somebody did not want."""
    simulation, series, mails = about_a_series(simulate, said)
    date = move(simulation, series)
    simulation.until_quiet()

    simulation.ask("apply")
    simulation.until_quiet()

    assert BOB not in [*simulation.guests(date), *simulation.guests(series)]
    assert len(simulation.invitations()) == mails


# Somebody else's series


def of_carol(simulate: Simulate) -> tuple[Simulation, str]:
    """Carol's series, to which Calbot has invited Bob; no mark of ours can be on it."""
    simulation = begun(simulate, settings=OTHERS)
    series = simulation.create(CAROL, **WEEKLY, attendees=[{"email": ANNA}], guestsCanModify=True)
    simulation.until_quiet()
    assert BOB in simulation.guests(series, CAROL)
    return simulation, series


@pytest.mark.parametrize("how", ["undo", "by hand"])
def test_what_was_said_of_somebody_elses_series_holds_for_its_dates(simulate: Simulate, how: str) -> None:
    """Undone, or Bob taken off by Carol: when she moves a date, he is not invited to it."""
    simulation, series = of_carol(simulate)
    if how == "undo":
        simulation.ask("undo", event_id=series)
    else:
        simulation.google.remove_guest(CAROL, series, BOB)
    simulation.until_quiet()
    off = BOB not in simulation.guests(series, CAROL)

    date = move(simulation, series, CAROL)
    simulation.run(130)
    simulation.until_quiet()

    assert off
    assert BOB not in simulation.guests(date, CAROL)
    assert simulation.invitations() == [series]


def test_a_guest_taken_off_a_date_of_somebody_elses_series_stays_off(simulate: Simulate) -> None:
    """The date is seen for the first time, and without Bob: somebody did not want him there."""
    simulation, series = of_carol(simulate)

    date = f"{series}_{SECOND}"
    simulation.google.edit_event(CAROL, date, {"attendees": [{"email": ANNA}, {"email": CAROL}]})
    simulation.run(200)
    simulation.until_quiet()

    assert BOB not in simulation.guests(date, CAROL)
    assert BOB in simulation.guests(series, CAROL)
    assert simulation.invitations() == [series]


# A held row that a person decides about while a pass does


def undecided(simulate: Simulate) -> tuple[Simulation, Deed]:
    """An invitation that never arrived, to an event that changed before anybody could look: it is held."""
    simulation = begun(simulate)
    event = simulation.create()
    simulation.google.add_fault("closeBefore", operation="events.patch")

    def meanwhile() -> None:
        if 0 in simulation.calls("events.patch") and simulation.document(event)["summary"] == "Dinner":
            simulation.google.edit_event(ANNA, event, {"summary": "Changed"})

    simulation.wire.during = meanwhile
    simulation.until_quiet()
    (deed,) = ledger.open_deeds(simulation.database.read(), ANNA)
    assert (deed.state, deed.reason) == ("held", "conflict")
    return simulation, deed


@pytest.mark.parametrize("wanted", ["recheck", "overtakes"])
def test_a_held_row_discarded_while_a_pass_decides_stays_discarded(simulate: Simulate, wanted: str) -> None:
    """The pass saw it as held; written down afterwards, its verdict does not bring the row back to life."""
    simulation, deed = undecided(simulate)
    verdict = Verdict(recheck=deed) if wanted == "recheck" else Verdict(action=deed.action, overtakes=deed)
    policy, now = simulation.engine.orders(ANNA).policy, simulation.clock.now()
    run = Run(id="r-late", source="poll", seen_at=now, now=now, policy=policy)
    simulation.ask("discard")

    with simulation.database.write() as tx:
        enter(tx, run, [(deed.key, verdict)], 5, SeededRandom(0))
    simulation.run(HOUR)
    row = ledger.by_id(simulation.database.read(), deed.id)

    assert row is not None and row.state == "discarded"
    assert simulation.open_rows() == []
    assert simulation.invitations() == []


def test_a_finished_row_is_never_parked_or_held_again(simulate: Simulate) -> None:
    """Whoever writes to it late writes nothing: the event stays free for a later invitation, and the calendar read."""
    simulation, deed = undecided(simulate)
    simulation.ask("discard")

    with simulation.database.write() as tx:
        ledger.park(tx, deed, simulation.clock.now(), "network", "Late.", uncertain=True)
        ledger.hold(tx, deed, "brake", "Late.")
        releases.approve(tx, deed, simulation.clock.now())
    other = simulation.create(summary="Another")
    simulation.until_quiet()
    row = ledger.by_id(simulation.database.read(), deed.id)

    assert row is not None and row.state == "discarded"
    assert ledger.open_invitations(simulation.database.read(), CalendarKey(ANNA, "primary"), [deed.key.event]) == {}
    assert simulation.guests(other) == [BOB]
