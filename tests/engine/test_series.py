"""Series: one invitation covers all dates; single dates with guest lists of their own are treated by themselves."""

from collections.abc import Callable

import pytest

from calbot.policy import Match, Rule
from calbot.settings import Settings
from tests.google_server.values import Doc
from tests.household import ANNA, BOB, CAROL
from tests.simulation.simulation import Simulation

Simulate = Callable[..., Simulation]
DAVE = "dave@example.org"
WEEKLY: Doc = {"summary": "Choir", "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=9"]}
SECOND, THIRD, FOURTH = "20261208T180000Z", "20261215T180000Z", "20261222T180000Z"
"""DINNER's time a week later, two and three weeks later, as in the ids of single dates."""
LATER: Doc = {
    "start": {"dateTime": "2026-12-08T20:30:00+01:00", "timeZone": "Europe/Berlin"},
    "end": {"dateTime": "2026-12-08T22:00:00+01:00", "timeZone": "Europe/Berlin"},
}


def begun(simulate: Simulate, **parts: object) -> Simulation:
    """A simulation that knows its empty calendar."""
    simulation = simulate(**parts)
    simulation.until_quiet()
    return simulation


def change(simulation: Simulation, date: str, **changes: object) -> str:
    """Somebody changes one date of a series; its id."""
    return str(simulation.google.edit_event(ANNA, date, dict(changes))["id"])


def settled(simulation: Simulation) -> None:
    """Let everything come to rest, some polls and a full reading later."""
    simulation.until_quiet()
    simulation.run(130)
    simulation.ask("resync", full=True)
    simulation.until_quiet()


def test_a_series_is_invited_once(simulate: Simulate) -> None:
    """One write and one mail for all its dates."""
    simulation = begun(simulate)

    series = simulation.create(**WEEKLY)
    settled(simulation)

    assert simulation.invitations() == [series]
    assert len(simulation.wire.written) == 1


@pytest.mark.parametrize("inherits", [True, False])
def test_a_date_changed_after_the_series_was_invited_needs_nothing(simulate: Simulate, inherits: bool) -> None:
    """It has the series' guests already, whether Google hands our mark down to it or not."""
    simulation = begun(simulate)
    simulation.world.switches.dates_inherit_private = inherits
    series = simulation.create(**WEEKLY)
    simulation.until_quiet()

    moved = change(simulation, f"{series}_{SECOND}", **LATER)
    settled(simulation)

    assert simulation.guests(moved) == [BOB]
    assert len(simulation.wire.written) == 1


@pytest.mark.parametrize("first", [False, True])
def test_a_date_with_its_own_guests_before_the_series_is_invited(simulate: Simulate, first: bool) -> None:
    """Both are invited to, each once, and Carol's entry on her date stays; also when it is listed before its series."""
    simulation = begun(simulate)
    simulation.world.switches.exceptions_first = first
    series = simulation.create(**WEEKLY)
    own = change(simulation, f"{series}_{SECOND}", attendees=[{"email": CAROL, "optional": True}])
    plain = change(simulation, f"{series}_{THIRD}", summary="Rehearsal")
    before = simulation.document(own)["attendees"]
    if first:
        simulation.google.expire_sync_tokens()
    settled(simulation)

    assert simulation.guests(series) == simulation.guests(plain) == [BOB]
    assert simulation.document(own)["attendees"][:-1] == before
    assert simulation.guests(own)[-1] == BOB
    assert sorted(simulation.invitations()) == sorted([series, own, plain])


def test_a_date_with_its_own_guests_after_the_series_was_invited(simulate: Simulate) -> None:
    """Carol comes to one date: Bob is on it from the series, nobody is mailed by us."""
    simulation = begun(simulate)
    series = simulation.create(**WEEKLY)
    simulation.until_quiet()

    own = change(simulation, f"{series}_{SECOND}", attendees=[{"email": BOB}, {"email": CAROL, "comment": "Once"}])
    before = simulation.document(own)["attendees"]
    settled(simulation)

    assert simulation.document(own)["attendees"] == before
    assert len(simulation.wire.written) == 1


@pytest.mark.parametrize("inherits", [True, False])
def test_a_guest_removed_from_one_date_stays_off_that_date(simulate: Simulate, inherits: bool) -> None:
    """Bob misses one evening: he is not called back to it, and stays on all others."""
    simulation = begun(simulate)
    simulation.world.switches.dates_inherit_private = inherits
    series = simulation.create(**WEEKLY)
    simulation.until_quiet()

    date = change(simulation, f"{series}_{SECOND}", attendees=[{"email": CAROL}])
    settled(simulation)
    change(simulation, date, summary="Without Bob")
    settled(simulation)
    simulation.restart()
    change(simulation, date, location="At home")
    simulation.google.edit_event(ANNA, series, {"location": "In church"})
    settled(simulation)

    assert simulation.guests(date) == [CAROL]
    assert simulation.guests(series) == [BOB]
    assert len(simulation.wire.written) == 1


@pytest.mark.parametrize("inherits", [True, False])
def test_a_guest_removed_from_the_series_stays_off_its_dates(simulate: Simulate, inherits: bool) -> None:
    """Neither the series nor a date of it that is changed later brings Bob back."""
    simulation = begun(simulate)
    simulation.world.switches.dates_inherit_private = inherits
    series = simulation.create(**WEEKLY)
    simulation.until_quiet()
    simulation.google.remove_guest(ANNA, series, BOB)
    simulation.until_quiet()

    date = change(simulation, f"{series}_{THIRD}", **{**LATER, "summary": "Concert"})
    settled(simulation)
    simulation.google.edit_event(ANNA, series, {"summary": "Choir without Bob"})
    settled(simulation)

    assert simulation.guests(date) == simulation.guests(series) == []
    assert simulation.invitations() == [series]


def test_a_date_of_its_own_keeps_the_guest_who_was_removed_from_the_series(simulate: Simulate) -> None:
    """Somebody took Bob off the series and left him on one date: both is respected."""
    simulation = begun(simulate)
    series = simulation.create(**WEEKLY)
    simulation.until_quiet()
    date = change(simulation, f"{series}_{SECOND}", **LATER)
    simulation.until_quiet()

    simulation.google.remove_guest(ANNA, series, BOB)
    settled(simulation)

    assert simulation.guests(date) == [BOB]
    assert simulation.guests(series) == []
    assert len(simulation.wire.written) == 1


def test_dates_that_arrive_before_their_series(simulate: Simulate) -> None:
    """On an earlier page than their parent, in the first listing that is acted on: each once, and nothing is lost."""
    simulation = simulate(
        settings=Settings(invite_emails=(BOB,), first_sync="invite_future", time_zone="Europe/Berlin"), signed_in=()
    )
    simulation.world.switches.exceptions_first = True
    simulation.world.switches.page_sizes = [1, 1, 0, 1, 1]
    series = simulation.create(**WEEKLY)
    own = change(simulation, f"{series}_{SECOND}", attendees=[{"email": CAROL}])
    cancelled = f"{series}_{THIRD}"
    simulation.google.delete_event(ANNA, cancelled)
    simulation.accounts.sign_in(ANNA)
    simulation.run(70)

    settled(simulation)

    assert sorted(simulation.invitations()) == sorted([series, own])
    assert simulation.guests(own)[-1] == BOB
    assert simulation.outcomes("failed") == []


def test_a_cancelled_date_is_no_cancelled_series(simulate: Simulate) -> None:
    """Bob stays on the rest, and no call is made for the date that is gone."""
    simulation = begun(simulate)
    series = simulation.create(**WEEKLY)
    simulation.until_quiet()

    simulation.google.delete_event(ANNA, f"{series}_{FOURTH}")
    settled(simulation)

    assert simulation.guests(series) == [BOB]
    assert len(simulation.wire.written) == 1
    assert series not in {outcome.key.event for outcome in simulation.outcomes("cancelled")}


def split(simulation: Simulation, series: str, *, new_id: str, stamped: bool) -> str:
    """Somebody changes this and all following dates: the series ends, a new one with its guests goes on; its id."""
    old = simulation.document(series)
    parts: Doc = {
        key: old[key] for key in ("attendees", "extendedProperties") if key in old and (stamped or key == "attendees")
    }
    simulation.google.edit_event(ANNA, series, {"recurrence": ["RRULE:FREQ=WEEKLY;UNTIL=20261214T225959Z"]})
    times = {
        "start": {"dateTime": "2026-12-15T20:00:00+01:00", "timeZone": "Europe/Berlin"},
        "end": {"dateTime": "2026-12-15T22:00:00+01:00", "timeZone": "Europe/Berlin"},
    }
    new: Doc = {"id": new_id, "summary": "Choir, later", "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=7"], **times, **parts}
    return str(simulation.google.put_raw(ANNA, new)["id"])


@pytest.mark.parametrize("stamped", [True, False])
def test_a_series_that_is_split_needs_no_second_invitation(simulate: Simulate, stamped: bool) -> None:
    """The guests go along with the following dates; nobody is mailed by us."""
    simulation = begun(simulate)
    series = simulation.create(**WEEKLY)
    simulation.until_quiet()

    new = split(simulation, series, new_id=f"{series}_R20261215T180000", stamped=stamped)
    settled(simulation)

    assert simulation.guests(new) == simulation.guests(series) == [BOB]
    assert len(simulation.wire.written) == 1


@pytest.mark.parametrize("stamped", [True, False])
def test_a_guest_removed_before_a_split_stays_off_the_new_series(simulate: Simulate, stamped: bool) -> None:
    """What goes on is the same series to people, whether Google copies our mark or only its id tells."""
    simulation = begun(simulate)
    series = simulation.create(**WEEKLY)
    simulation.until_quiet()
    simulation.google.remove_guest(ANNA, series, BOB)
    simulation.until_quiet()

    new = split(simulation, series, new_id=f"{series}_R20261215T180000", stamped=stamped)
    settled(simulation)
    simulation.google.edit_event(ANNA, new, {"location": "In church"})
    settled(simulation)

    assert simulation.guests(new) == []
    assert len(simulation.wire.written) == 1


def test_a_rule_may_be_about_one_date(simulate: Simulate) -> None:
    """A date that is renamed gets the guest of the rule that matches it now; the series does not."""
    rules = (Rule("concerts", (DAVE,), match=Match(title="Concert"), goes_on=True), Rule("everything", (BOB,)))
    simulation = begun(simulate, settings=Settings(rules=rules, time_zone="Europe/Berlin"))
    series = simulation.create(**WEEKLY)
    simulation.until_quiet()

    date = change(simulation, f"{series}_{FOURTH}", summary="Concert")
    settled(simulation)

    assert sorted(simulation.guests(date)) == sorted([BOB, DAVE])
    assert simulation.guests(series) == [BOB]
    assert simulation.invitations(DAVE) == [date]
    assert simulation.invitations(BOB) == [series]


def test_undo_of_a_series_holds_for_a_date_that_has_its_own_guests(simulate: Simulate) -> None:
    """What is taken back is what the deed added, wherever it came along: Bob goes, Carol stays on her evening."""
    simulation = begun(simulate)
    series = simulation.create(**WEEKLY)
    simulation.until_quiet()
    own = change(simulation, f"{series}_{SECOND}", attendees=[{"email": BOB}, {"email": CAROL}])
    simulation.until_quiet()

    answer = simulation.ask("undo", event_id=series)
    later = change(simulation, f"{series}_{FOURTH}", **{**LATER, "summary": "Concert"})
    settled(simulation)

    assert answer.status == "ok"
    assert simulation.guests(series) == simulation.guests(later) == []
    assert simulation.guests(own) == [CAROL]
    assert len(simulation.wire.written) == 3
