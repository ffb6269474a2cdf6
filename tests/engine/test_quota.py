"""How many calls an invitation costs, and that Google's quota is kept."""

from collections.abc import Callable

from calbot.settings import Settings
from tests.household import ANNA, BOB
from tests.simulation.simulation import Simulation

Simulate = Callable[..., Simulation]
NO_BRAKE = Settings(invite_emails=(BOB,), invites_per_hour=10_000, time_zone="Europe/Berlin")


def test_a_burst_costs_one_listing_and_a_patch_for_each_event(simulate: Simulate) -> None:
    """No look before, no look after."""
    simulation = simulate(settings=NO_BRAKE)
    simulation.until_quiet()
    simulation.google.reset_calls()
    simulation.google.seed_events(ANNA, 25)

    simulation.run(61)

    assert len(simulation.invitations()) == 25
    assert simulation.google.counters()["operations"] == {"events.list": 1, "events.patch": 25}


def test_a_burst_of_200_stays_within_the_quota_and_is_done_in_one_pass(simulate: Simulate) -> None:
    """Two hundred events: one listing, two hundred patches, none refused."""
    simulation = simulate(settings=NO_BRAKE)
    simulation.until_quiet()
    simulation.google.reset_calls()
    simulation.google.seed_events(ANNA, 200)

    simulation.run(70)

    counters = simulation.google.counters()
    assert len(simulation.invitations()) == 200
    assert counters["operations"]["events.patch"] == 200
    assert counters["accounts"][ANNA]["most_in_a_minute"] <= 480


def test_more_events_than_the_window_holds_wait_for_room(simulate: Simulate) -> None:
    """Never more than 480 calls in any minute; nobody is forgotten for it, and none is refused by Google."""
    simulation = simulate(settings=NO_BRAKE)
    simulation.world.switches.quota_per_minute = 600
    simulation.world.switches.latency = 0.001
    simulation.until_quiet()
    simulation.google.seed_events(ANNA, 600)

    simulation.until_quiet()

    counters = simulation.google.counters()
    assert len(simulation.invitations()) == len(set(simulation.invitations())) == 600
    assert 400 < counters["accounts"][ANNA]["most_in_a_minute"] <= 480
    assert all(call.status == 200 for call in simulation.world.calls)


def test_a_large_run_is_told_as_one(simulate: Simulate) -> None:
    """From twenty-one events on, a summary goes with the single outcomes."""
    simulation = simulate(settings=NO_BRAKE)
    simulation.until_quiet()
    simulation.google.seed_events(ANNA, 30)

    simulation.until_quiet()

    (summary,) = simulation.notices("sync_completed")
    invited = simulation.outcomes("invited")
    assert summary.data["done"] == 30
    assert [outcome.batch for outcome in sorted(invited, key=lambda o: o.batch or ())] == [
        (summary.data["run_id"], 30, index) for index in range(30)
    ]
