"""A damaged store stops no start and invites nobody twice; a full disk stops every write to Google."""

import random
import shutil
from collections.abc import Callable

import pytest

from tests.household import ANNA, BOB, CAROL
from tests.simulation.simulation import Simulation

Simulate = Callable[..., Simulation]
LENGTHS = {"0 bytes": 0, "1 byte": 1, "the header": 100, "one page": 4096, "three pages": 12288, "half": -2}


def worn_in(simulation: Simulation) -> list[str]:
    """Let a store come to hold invited events, a snapshot of it, and one more event since; returns the events."""
    simulation.until_quiet()
    events = [simulation.create(summary=f"Dinner {number}") for number in range(5)]
    simulation.until_quiet()
    simulation.run(120)
    events.append(simulation.create(summary="After the snapshot"))
    simulation.until_quiet()
    return events


@pytest.mark.parametrize("snapshot", [True, False], ids=["with a snapshot", "without one"])
@pytest.mark.parametrize("damage", [*LENGTHS, "garbage", "missing"])
def test_a_damaged_store_stops_no_start_and_invites_nobody_twice(
    simulate: Simulate, damage: str, snapshot: bool
) -> None:
    """The best copy there is takes over, it is said in words, and new events are invited to as ever."""
    simulation = simulate()
    events = worn_in(simulation)
    folder = simulation.directory / "snapshots"
    assert len(list(folder.glob("*.db"))) == 1, "there is no snapshot to go back to"
    simulation.die()
    path = simulation.directory / "calbot.db"
    whole = path.read_bytes()
    if damage == "garbage":
        path.write_bytes(random.Random(1).randbytes(len(whole)))
    elif damage == "missing":
        path.unlink()
        path.with_name("calbot.db-wal").write_bytes(b"left behind")
    else:
        length = LENGTHS[damage]
        path.write_bytes(whole[: length if length >= 0 else len(whole) // 2])
    if not snapshot:
        shutil.rmtree(folder)

    simulation.start()
    simulation.until_quiet()
    new = simulation.create(summary="New")
    simulation.until_quiet()

    said = [notice.text for notice in simulation.notices("alert_raised")]
    assert sorted(simulation.invitations()) == sorted([*events, new])
    assert len(said) == 1 and said[0].startswith("The store was damaged")
    assert ("was restored" in said[0]) == snapshot
    assert said[0] in simulation.engine.snapshot.notes
    assert list((simulation.directory / "damaged").iterdir())


def test_a_snapshot_is_written_every_hour_and_three_are_kept(simulate: Simulate) -> None:
    """They are whole and newest first in use."""
    simulation = simulate()
    simulation.until_quiet()

    simulation.run(6 * 3600)

    assert len(list((simulation.directory / "snapshots").glob("*.db"))) == 3
    assert not list((simulation.directory / "snapshots").glob("*.partial"))


@pytest.mark.parametrize("seed", range(12))
def test_flipped_bits_invite_nobody_twice(simulate: Simulate, seed: int) -> None:
    """Bytes changed at random places are found or harm nothing."""
    simulation = simulate()
    events = worn_in(simulation)
    simulation.die()
    path, chance = simulation.directory / "calbot.db", random.Random(seed)
    content = bytearray(path.read_bytes())
    for _ in range(chance.choice([1, 20, 400])):
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(content)

    simulation.start()
    simulation.run(3 * 3600)

    assert sorted(simulation.invitations()) == sorted(events)
    simulation.trouble.clear()  # A store that is odd may surprise the engine; it may not harm anybody.


def test_nothing_is_written_to_google_while_nothing_can_be_recorded(simulate: Simulate) -> None:
    """A full disk: no invitation goes out; with room again all of them do, once, by themselves."""
    simulation = simulate()
    simulation.until_quiet()
    simulation.seams.disk_full = True
    events = [simulation.create(summary=f"Dinner {number}") for number in range(5)]

    simulation.run(600)
    during = simulation.calls("events.patch")
    problem = simulation.engine.snapshot.disk_problem
    simulation.seams.disk_full = False
    simulation.until_quiet(within=2000)

    assert simulation.seams.refused_commits > 3
    assert during == []
    assert "disk" in (problem or "")
    assert sorted(simulation.invitations()) == sorted(events)
    assert simulation.engine.snapshot.disk_problem is None


def test_results_that_cannot_be_recorded_are_recorded_later(simulate: Simulate) -> None:
    """The disk fills up while invitations are on their way: each is told once, when there is room again."""
    simulation = simulate()
    simulation.until_quiet()
    events = [simulation.create(summary=f"Dinner {number}") for number in range(5)]

    def fill_up() -> None:
        if simulation.calls("events.patch"):
            simulation.seams.disk_full = True

    simulation.wire.during = fill_up
    simulation.run(300)
    simulation.wire.during = lambda: None
    refused = simulation.seams.refused_commits
    simulation.seams.disk_full = False
    simulation.until_quiet()

    assert refused > 3
    assert sorted(simulation.invitations()) == sorted(events)
    assert sorted(outcome.key.event for outcome in simulation.outcomes("invited")) == sorted(events)


@pytest.mark.parametrize("seed", range(6))
def test_a_disk_that_fills_up_now_and_then_loses_nothing(simulate: Simulate, seed: int) -> None:
    """Push, invitations and a new sign-in go on through short spells without room."""
    simulation = simulate(seed=seed, signed_in=(ANNA, CAROL))
    simulation.until_quiet()
    chance = random.Random(seed)
    events: list[str] = []

    def spell() -> None:
        simulation.seams.disk_full = chance.random() < 0.5

    for second in range(0, 300, 3):
        simulation.plan(second, spell)
    for second in (10, 70, 130, 190):
        simulation.plan(second, lambda: events.append(simulation.create(summary="Dinner")))
    simulation.plan(100, lambda: simulation.google.revoke(ANNA))
    simulation.plan(160, lambda: simulation.accounts.sign_in(ANNA))
    simulation.plan(301, lambda: setattr(simulation.seams, "disk_full", False))
    simulation.until_quiet(within=7200)

    assert simulation.seams.refused_commits > 0
    assert sorted(simulation.invitations()) == sorted(events)
    assert [outcome.guests_added for outcome in simulation.outcomes("invited")] == [(BOB,)] * 4
    assert len(simulation.notices("sign_in_needed")) == len(simulation.notices("sign_in_restored"))


def test_two_calbots_never_share_a_directory(simulate: Simulate) -> None:
    """The second is told what to do."""
    simulation = simulate()

    other = Simulation(simulation.directory)

    with pytest.raises(Exception, match="Another Calbot works in"):
        other.start()
    other.die()
