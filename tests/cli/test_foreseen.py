"""What the preview weighs an event with: its series, its own beginning, what is under way."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from calbot.actions import Invite, Skip
from calbot.explaining import explain
from calbot.identity import stamp_with
from calbot.model import CalendarKey
from calbot.policy import Policy
from calbot.preview import Foreseen, preview
from calbot.store import calendars
from tests.cli.test_looking import on
from tests.household import ANNA, BOB, INVITE_BOB, NOON, dinner
from tests.simulation.simulation import DAY, Simulation

Simulate = Callable[..., Simulation]


def foreseen(simulation: Simulation, **parts: float) -> dict[str, Foreseen]:
    """The preview by title, under the policy that the engine has."""
    reader, now = simulation.database.read(), simulation.clock.now()
    return {one.event.title: one for one in preview(reader, policy(simulation), now, **parts)}  # type: ignore[arg-type]


def policy(simulation: Simulation) -> Callable[[str], Policy]:
    """Where the engine's policy for an account comes from."""
    return lambda account: simulation.engine.orders(account).policy


def test_a_single_date_is_weighed_with_its_series(simulate: Simulate) -> None:
    """Bob was taken off the series: a date of it that does not know of it would not invite him either."""
    simulation = simulate()
    simulation.until_quiet()
    series = dinner(id="choir", title="Choir", recurrence=("RRULE:FREQ=WEEKLY",), stamp=stamp_with("", (BOB,)))
    dates = [dinner(id=name, title=name, series=parent) for name, parent in (("Concert", "choir"), ("Fair", "fairs"))]
    with simulation.database.write() as tx:
        known = calendars.known(tx, CalendarKey(ANNA, "primary"))
        assert known is not None
        calendars.save(tx, known.id, [series, *dates])

    found = foreseen(simulation)

    assert {title: isinstance(one.action, Invite) for title, one in found.items()} == {
        "Choir": False,
        "Concert": False,
        "Fair": True,
    }


def test_what_is_over_is_weighed_as_it_was_before_it_began(simulate: Simulate) -> None:
    """Also an event that has no length, and one whose rule looks only some days ahead."""
    simulation = simulate()
    moment = {"dateTime": datetime.fromtimestamp(NOON - DAY, UTC).isoformat()}
    simulation.create(summary="Bell", start=moment, end=moment)
    simulation.create(summary="Match", **on(-20))
    simulation.until_quiet()

    found = foreseen(simulation)

    assert [(one.past, isinstance(one.action, Invite)) for one in found.values()] == [(True, True)] * 2


def test_what_goes_on_just_now_is_neither_over_nor_left_out(simulate: Simulate) -> None:
    """A holiday that began last week counts as an event to come; one at the edge of the window counts by its day."""
    simulation = simulate()
    today = datetime.fromtimestamp(NOON, UTC).date()

    def days(first: int, last: int) -> dict[str, Any]:
        ends = {"start": today + timedelta(days=first), "end": today + timedelta(days=last)}
        return {side: {"date": day.isoformat()} for side, day in ends.items()}

    simulation.create(summary="Holiday", **days(-7, 3))
    simulation.create(summary="Long ago", **days(-33, -31))
    simulation.create(summary="Edge", **days(-33, -29))
    simulation.until_quiet()

    found = foreseen(simulation, back=30)

    assert {title: one.past for title, one in found.items()} == {"Edge": True, "Holiday": False}


def test_what_is_under_way_is_told(simulate: Simulate) -> None:
    """Held by the brake: the rules still invite, and it waits."""
    simulation = simulate(settings=msgspec.structs.replace(INVITE_BOB, invites_per_hour=1))
    simulation.until_quiet()
    simulation.google.seed_events(ANNA, 2)
    simulation.run(100)

    found = foreseen(simulation)

    assert {(one.waits, isinstance(one.action, Invite)) for one in found.values()} == {("held", True)}


def test_a_calendar_that_was_not_read_to_its_end_is_not_previewed(simulate: Simulate) -> None:
    """Half a calendar would be half a truth."""
    simulation = simulate()
    simulation.google.seed_events(ANNA, 3)
    simulation.until_quiet()
    whole = len(foreseen(simulation))
    with simulation.database.write() as tx:
        tx.execute("UPDATE calendar SET last_success = NULL")

    assert (whole, foreseen(simulation)) == (3, {})


def test_an_explanation_is_of_now_with_the_switches_as_they_are(simulate: Simulate) -> None:
    """The preview leaves switches out; why somebody is not invited may be just that."""
    simulation = simulate()
    simulation.create(summary="Dentist", **on(1))
    simulation.until_quiet()
    simulation.command("set", key="auto_invite", value=False)
    now = simulation.clock.now()

    (one,) = explain(simulation.database.read(), "dentist", policy(simulation), now)

    assert isinstance(one.action, Skip) and one.action.reason == "auto_invite_off"
    assert isinstance(foreseen(simulation)["Dentist"].action, Invite)
