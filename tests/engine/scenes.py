"""What the tests of undo, brake and commands share: places in the middle of things, and short ways there."""

from collections.abc import Callable

import msgspec

from calbot.model import Command
from calbot.policy import Match, Rule
from calbot.settings import Settings
from calbot.store import commands
from tests.google_server.values import Doc
from tests.household import ANNA, BOB, INVITE_BOB
from tests.simulation.simulation import Simulation

Simulate = Callable[..., Simulation]
HOUR = 3600.0
DAVE = "dave@example.org"
WEEKLY: Doc = {"summary": "Choir", "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=9"]}
SECOND = "20261208T180000Z"
"""DINNER's time a week later, as in the id of a single date."""
LATER: Doc = {
    "start": {"dateTime": "2026-12-08T20:30:00+01:00", "timeZone": "Europe/Berlin"},
    "end": {"dateTime": "2026-12-08T22:00:00+01:00", "timeZone": "Europe/Berlin"},
}
OTHERS = Settings(rules=(Rule("others", (BOB,), match=Match(organiser_is_me=False)),), time_zone="Europe/Berlin")
"""Bob is invited to what other people organise."""


def begun(simulate: Simulate, **parts: object) -> Simulation:
    """A simulation that knows its empty calendars."""
    simulation = simulate(**parts)
    simulation.until_quiet()
    return simulation


def limited(limit: int, **parts: object) -> Settings:
    """The household with another limit."""
    return msgspec.structs.replace(INVITE_BOB, invites_per_hour=limit, **parts)


def created(simulation: Simulation, count: int, calendar: str = ANNA, name: str = "Dinner") -> list[str]:
    """A person makes so many events; their ids."""
    return [simulation.create(calendar, summary=f"{name} {number}") for number in range(count)]


def until(simulation: Simulation, condition: Callable[[], bool], within: float = HOUR) -> None:
    """Let everything happen until the condition holds, and nothing after that."""
    end = simulation.clock.now() + within
    while not condition():
        assert simulation.clock.now() < end, f"not within {within:g} s: {simulation.open_rows()}"
        if not simulation.turn():
            simulation.clock.to(simulation._next_time())


def until_in_slots(simulation: Simulation, count: int = 1) -> None:
    """Stop where so many deeds are written down as started, and none of their calls is made."""
    until(simulation, lambda: sum(len(slots.waiting) for slots in simulation._slots) >= count)


def until_parked(simulation: Simulation, count: int = 1) -> None:
    """Stop where so many deeds are parked."""
    until(simulation, lambda: [row[2] for row in simulation.open_rows()].count("parked") >= count)


def lost_on_the_way(simulation: Simulation, kind: str = "closeAfter", events: int = 1) -> None:
    """Let the answers to the next writes be lost, and everything that looks for them fail until faults are cleared."""
    simulation.google.add_fault(kind, operation="events.patch", count=events)
    simulation.google.add_fault("internalError", operation="events.get", count=None)


def asked(simulation: Simulation, name: str, **args: str | float) -> str:
    """Put a command into the table and carry it out, without waiting for its answer; its id."""
    simulation._commands += 1
    command = Command(name=name, id=f"command-{simulation._commands}", args={**args}, received=simulation.clock.now())
    with simulation.database.write() as tx:
        commands.add(tx, command)
    simulation.engine.carry_out(command)
    return command.id


def sign_out(simulation: Simulation, account: str) -> None:
    """Somebody signs an account out: its token is gone. A running engine notices it now."""
    simulation.accounts._refresh_tokens.pop(account)
    simulation.accounts._versions.pop(account)
    if simulation.lives_now:
        simulation._tend()
        simulation._wake.clear()


def move(simulation: Simulation, series: str, calendar: str = ANNA) -> str:
    """A person puts one date of a series off by an hour and a half; its id."""
    return str(simulation.google.edit_event(calendar, f"{series}_{SECOND}", dict(LATER))["id"])


def mailed_at(simulation: Simulation) -> list[float]:
    """When each invitation mail went out."""
    return [mail.time for mail in simulation.world.mails if mail.kind == "invitation"]


def most_in_an_hour(times: list[float]) -> int:
    """The most of these instants that lie within any hour."""
    return max((sum(0 <= later - time < HOUR for later in times) for time in times), default=0)
