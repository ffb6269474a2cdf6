"""What an earlier bot has handled is left alone by the engine, whatever becomes of it; everything else is not."""

from collections.abc import Iterable
from pathlib import Path

import msgspec
import pytest

from calbot import explaining
from calbot.model import CalendarKey, EventKey
from calbot.policy import EVERYBODY, Case, Policy, Rule
from calbot.preview import Orders
from calbot.rules import judge
from calbot.settings import Settings
from calbot.store import earlier
from calbot.store.database import Database
from calbot.takeover.processed import spellings
from tests.engine.scenes import LATER, SECOND, WEEKLY, Simulate
from tests.engine.test_originals import MOVES, MOVING
from tests.household import ANNA, BOB, CAROL, FAMILY, INVITE_BOB, NOON, dinner
from tests.simulation.simulation import Simulation

INVITE_EXISTING = msgspec.structs.replace(INVITE_BOB, first_sync="invite_future")


def taken_over(simulation: Simulation, ids: Iterable[str], guests: Iterable[str] = (BOB,)) -> None:
    """An import has told of these events."""
    with simulation.database.write() as tx:
        earlier.add(tx, spellings(ids), guests)


def before(simulate: Simulate, settings: Settings = INVITE_EXISTING) -> Simulation:
    """A household that has just installed Calbot: nobody is signed in yet."""
    return simulate(settings=settings, signed_in=())


def signed_in(simulation: Simulation) -> None:
    """Anna signs in, and everything that follows from that has happened."""
    simulation.accounts.sign_in(ANNA)
    simulation.run(30)
    simulation.until_quiet()


def explained(simulation: Simulation, event: str) -> tuple[str | None, str]:
    """Why the event is left alone: reason and sentence; nothing where somebody would be invited."""
    orders: Orders = lambda account: simulation.engine.orders(account).policy  # noqa: E731
    (found,) = explaining.explain(simulation.database.read(), event, orders, simulation.clock.now())
    action = found.action
    return getattr(action, "reason", None), getattr(action, "text", "")


def test_what_was_handled_is_not_invited_to_and_what_was_not_is(simulate: Simulate) -> None:
    """At first sight, after an edit, by apply: the one never, the other once."""
    simulation = before(simulate)
    old, other = simulation.create(summary="Old"), simulation.create(summary="Other")
    taken_over(simulation, [old])

    signed_in(simulation)
    at_first = simulation.invitations()
    simulation.google.edit_event(ANNA, old, {"summary": "Old, at another place"})
    simulation.until_quiet()
    answer = simulation.ask("apply")
    new = simulation.create(summary="New")
    simulation.until_quiet()

    assert at_first == [other]
    assert answer.status == "ok"
    assert simulation.invitations() == [other, new]
    assert explained(simulation, old) == (
        "already_invited",
        f"An earlier bot has handled it, so {BOB} was not invited again.",
    )


def test_a_guest_whom_somebody_took_off_an_event_of_the_bot_stays_off(simulate: Simulate) -> None:
    """Whether Calbot saw the guest there or not."""
    simulation = before(simulate)
    gone = simulation.create(summary="Gone before")
    there = simulation.create(summary="There", attendees=[{"email": BOB}])
    taken_over(simulation, [gone, there])
    signed_in(simulation)

    simulation.google.remove_guest(ANNA, there, BOB)
    simulation.until_quiet()
    for event in (gone, there):
        simulation.google.edit_event(ANNA, event, {"location": "Elsewhere"})
    simulation.until_quiet()

    assert [BOB in simulation.guests(event) for event in (gone, there)] == [False, False]


def test_others_than_the_bots_guests_are_invited_as_the_rules_say(simulate: Simulate) -> None:
    """It had its chance to invite Bob, not Carol; where nobody knows whom it invited, it is nobody."""
    both = Settings(invite_emails=(BOB, CAROL), first_sync="invite_future", time_zone="Europe/Berlin")
    simulation = before(simulate, both)
    known, unknown = simulation.create(summary="Known"), simulation.create(summary="Unknown")
    taken_over(simulation, [known])
    taken_over(simulation, [unknown], ())

    signed_in(simulation)

    assert simulation.invitations(BOB) == []
    assert simulation.invitations(CAROL) == [known]


@pytest.mark.parametrize("named", ["{0}", "{0}_20261208T180000Z", "{0}@google.com"])
def test_a_series_is_one_thing(simulate: Simulate, named: str) -> None:
    """Whichever of its dates the list names, no date of it and no second half is invited to."""
    simulation = before(simulate)
    series = simulation.create(**WEEKLY)
    taken_over(simulation, [named.format(series)])
    signed_in(simulation)

    simulation.google.edit_event(ANNA, f"{series}_{SECOND}", LATER)
    simulation.google.put_raw(
        ANNA,
        {
            **simulation.document(series),
            "id": f"{series}_R20261222T180000",
            "iCalUID": f"{series}_R20261222T180000@google.com",
            "summary": "Choir, second half",
        },
    )
    simulation.until_quiet()
    simulation.ask("apply")

    assert simulation.invitations() == []


def test_a_copy_that_takes_the_place_of_a_handled_event_invites_nobody_either(simulate: Simulate) -> None:
    """Its guests are those of the event."""
    moves = msgspec.structs.replace(MOVES, invite=(BOB, CAROL))
    simulation = before(simulate, msgspec.structs.replace(MOVING, rules=(moves,), first_sync="invite_future"))
    simulation.google.add_calendar(ANNA, FAMILY, "Family")
    taken_over(simulation, [simulation.create(summary="Move")])

    signed_in(simulation)
    simulation.run(2 * 3600)
    simulation.until_quiet()

    (copy,) = simulation.google.events(FAMILY)
    assert [one["email"] for one in copy["attendees"]] == [CAROL]


@pytest.mark.parametrize(
    ("handled", "fate", "reason"),
    [
        ({BOB}, "invited", "removed_by_hand"),
        ({BOB}, "refused", "no_write_access"),
        ({EVERYBODY}, None, "already_invited"),
        ({BOB, CAROL}, None, "already_invited"),
    ],
)
def test_what_calbot_knows_itself_is_said_first(handled: set[str], fate: str | None, reason: str) -> None:
    """That a guest was taken off, or refused, says more than that a bot was there."""
    policy = Policy((Rule("family", (BOB,)),))
    fates = {BOB: fate} if fate else {}
    case = Case(
        calendar=CalendarKey(ANNA, "primary"),
        policy=policy,
        now=NOON,
        fates=fates,  # type: ignore[arg-type]
        handled=frozenset(handled),
    )

    action = judge(dinner(), case)

    assert getattr(action, "reason", None) == reason


def test_a_household_without_an_earlier_bot_pays_with_one_look(data: Path) -> None:
    """One question to the store for each page, however many events are on it; and an import may be repeated."""
    database = Database(data)
    database.open()
    reader, asked = database.read(), list[str]()
    reader.set_trace_callback(asked.append)
    events = [dinner(id=f"dinner{number}") for number in range(2000)]

    nothing = earlier.guests(reader, events)
    looks = len(asked)
    for _ in range(2):
        with database.write() as tx:
            earlier.add(tx, ["dinner7", "dinner9"], [BOB])
    with database.write() as tx:
        earlier.add(tx, ["dinner9"], [])
    known = earlier.guests(reader, events)
    (rows,) = reader.execute("SELECT count(*) FROM processed").fetchone()
    database.close()

    assert (nothing, looks) == ({}, 1)
    assert known == {"dinner7": {BOB}, "dinner9": {BOB, EVERYBODY}} and rows == 3


def test_what_was_handled_is_in_the_backup_too(simulate: Simulate, data: Path) -> None:
    """A restored store knows it."""
    simulation = before(simulate)
    old = simulation.create(summary="Old")
    taken_over(simulation, [old])
    backup = simulation.back_up()
    simulation.restore(backup)

    signed_in(simulation)

    key = EventKey(ANNA, "primary", old)
    assert simulation.invitations() == [] and explained(simulation, key.event)[0] == "already_invited"
