"""Kill the engine at every commit and every call, let it live again: the end is always the same."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import MEMORY
from tests.google_server.faults import Fault
from tests.household import BOB
from tests.simulation.simulation import Simulation

EVENTS = 5
LOST_ANSWERS = ("none", "before the crash", "after the crash")


@contextmanager
def household(seed: int = 0, crash_at: frozenset[int] = frozenset()) -> Iterator[Simulation]:
    """A simulation in a directory of its own."""
    folder = Path(tempfile.mkdtemp(prefix="calbot-", dir=MEMORY if MEMORY.is_dir() else None))
    simulation = Simulation(folder, seed=seed, crash_at=crash_at)
    try:
        yield simulation
    finally:
        simulation.die()
        shutil.rmtree(folder, ignore_errors=True)


def five_events_arrive(simulation: Simulation, lost: str = "none") -> list[str]:
    """The run: an empty calendar is known, then a burst of events comes. Returns their ids."""
    simulation.live()
    if lost == "before the crash":
        simulation.world.faults.add(Fault(kind="closeAfter", operation="events.patch"))
    elif lost == "after the crash":
        fault = Fault(kind="closeAfter", operation="events.patch")
        simulation.seams.on_crash = lambda: None if fault.number else _add(simulation, fault)
    events = [simulation.create(summary=f"Dinner {number}") for number in range(EVENTS)]
    simulation.plan(61.0, lambda: None)
    simulation.live()
    return events


def _add(simulation: Simulation, fault: Fault) -> None:
    simulation.world.faults.add(fault)


def complaints(simulation: Simulation, events: list[str]) -> list[str]:
    """What is not as it must be after any number of crashes."""
    found = [f"surprise: {trouble}" for trouble in simulation.trouble]
    mails = simulation.invitations()
    told = [outcome.key.event for outcome in simulation.outcomes("invited")]
    for event in events:
        if mails.count(event) != 1:
            found.append(f"{event}: {mails.count(event)} mails")
        if simulation.guests(event).count(BOB) != 1:
            found.append(f"{event}: guests {simulation.guests(event)}")
        if told.count(event) != 1:
            found.append(f"{event}: told {told.count(event)} times, {simulation.history(event)}")
    ids = simulation.database.read().execute(
        "SELECT count(*), count(DISTINCT id), max(seq) FROM outbox GROUP BY stream"
    )
    found += [f"outbox numbers {row}" for row in ids if len(set(row)) != 1]
    open_rows = "SELECT event, state FROM deed WHERE state IN ('planned', 'started', 'parked', 'held')"
    found += [f"open {row}" for row in simulation.database.read().execute(open_rows)]
    if not simulation.is_current("anna@example.com", "primary"):
        found.append("the sync token is not current")
    return found


def seams_of_a_clean_run(seed: int = 0) -> list[str]:
    """The names of all seams that a run without crashes crosses."""
    with household(seed) as simulation:
        assert complaints(simulation, five_events_arrive(simulation)) == []
        return simulation.seams.crossed


def test_a_run_has_seams_of_every_kind() -> None:
    """The sweep below is not empty: there are commits, calls and writes to be killed at."""
    seams = seams_of_a_clean_run()

    kinds = {"before a commit", "after a commit", "before a call", "after a write, before its answer", "after a call"}
    assert set(seams) == kinds
    assert len(seams) > 40


@pytest.mark.parametrize("lost", LOST_ANSWERS)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_crash_anywhere_changes_nothing(seed: int, lost: str) -> None:
    """Killed at any seam, with or without a lost answer beside it: each event is invited to, and told of, once."""
    seams = seams_of_a_clean_run(seed)
    bad: dict[str, list[str]] = {}
    fired: list[str] = []

    for number, place in enumerate(seams, 1):
        with household(seed, frozenset({number})) as simulation:
            wrong = complaints(simulation, five_events_arrive(simulation, lost))
            fired += simulation.seams.fired
            if wrong:
                bad[f"{number} {place}"] = wrong

    assert bad == {}
    assert len(fired) == len(seams), "a crash did not fire"
    assert lost != "none" or fired == seams


def test_two_crashes_change_nothing() -> None:
    """Killed again while it recovers: the end is the same."""
    seams = seams_of_a_clean_run()
    pairs = [(first, first + gap) for first in range(1, len(seams) + 1) for gap in (1, 2, 5, 11)]
    bad: dict[str, list[str]] = {}
    fired = 0

    for pair in pairs:
        with household(crash_at=frozenset(pair)) as simulation:
            wrong = complaints(simulation, five_events_arrive(simulation))
            fired += len(simulation.seams.fired)
            if wrong:
                bad[f"{pair} {simulation.seams.fired}"] = wrong

    assert bad == {}
    assert fired > 1.9 * len(pairs), "the second crashes did not fire"


def test_a_write_cut_off_by_a_crash_may_land_later() -> None:
    """The killed process's last PATCH reaches Google only after the next life began: still one invitation each."""
    seams = seams_of_a_clean_run()
    bad: dict[str, list[str]] = {}
    landed = 0

    for number in [n for n, place in enumerate(seams, 1) if place == "before a call"]:
        for calls_later in range(1, 12, 2):
            with household(crash_at=frozenset({number})) as simulation:
                calls = 0

                def arrive(simulation: Simulation = simulation, wanted: int = calls_later) -> None:
                    nonlocal calls, landed
                    if simulation.wire.strays:
                        calls += 1
                        if calls > wanted:
                            landed += 1
                            simulation.wire.land(simulation.wire.strays.pop())

                simulation.wire.during = arrive
                wrong = complaints(simulation, five_events_arrive(simulation))
                if wrong:
                    bad[f"{number}, {calls_later} calls later"] = wrong

    assert bad == {}
    assert landed > 4 * EVENTS
