"""How many calls an invitation costs, and that Google's quota is kept."""

from collections.abc import Callable

import pytest

from tests.household import ANNA, BOB, CAROL, NO_BRAKE
from tests.simulation.simulation import Simulation

Simulate = Callable[..., Simulation]
HOUR = 3600.0


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


# Google's own limit of invitations


def worn_out(simulate: Simulate, events: int = 12, **parts: object) -> Simulation:
    """A simulation whose Anna has just been told by Google that she invites too much."""
    simulation = simulate(**parts)
    simulation.until_quiet()
    simulation.google.add_fault("quotaExceeded", operation="events.patch", account=ANNA, count=None)
    simulation.google.seed_events(ANNA, events)
    simulation.run(70)
    assert simulation.invitations() == []
    return simulation


def patches(simulation: Simulation, account: str = ANNA) -> int:
    """How many writes an account has sent so far."""
    return len(simulation.calls("events.patch", account))


def test_an_exceeded_quota_pauses_the_accounts_invitations_for_hours(simulate: Simulate) -> None:
    """Not one by one but the account: what waits and what is new is not tried for hours, then all of it goes out."""
    simulation = worn_out(simulate)
    tried = patches(simulation)
    simulation.create(summary="New")
    simulation.run(5 * HOUR)
    between = patches(simulation)
    listings = len(simulation.calls("events.list"))
    simulation.google.clear_faults()
    simulation.run(HOUR)

    simulation.run(20 * HOUR)

    assert tried <= 16
    assert between == tried
    assert listings > 250, "reading goes on"
    assert len(simulation.invitations()) == len(set(simulation.invitations())) == 13
    assert simulation.open_rows() == []


def test_an_exceeded_quota_is_said_once_and_so_is_its_end(simulate: Simulate) -> None:
    """One notice for the account and one when it is over, with words that say until when."""
    simulation = worn_out(simulate)
    simulation.create(summary="New")
    simulation.run(2 * HOUR)
    during = simulation.notices("quota_exceeded"), simulation.notices("quota_restored")
    until = simulation.engine.snapshot.accounts[0].resting_until
    simulation.google.clear_faults()

    simulation.run(25 * HOUR)

    ((exceeded,), none) = during
    (restored,) = simulation.notices("quota_restored")
    assert none == []
    assert exceeded.account == restored.account == ANNA
    assert len(simulation.notices("quota_exceeded")) == 1
    assert until is not None and until > simulation.clock.now() - 25 * HOUR
    assert len(simulation.outcomes("failed")) <= 13, "each event fails at most once"
    assert simulation.engine.snapshot.accounts[0].resting_until is None


def test_a_quota_that_stays_exceeded_is_tried_a_few_times_a_day(simulate: Simulate) -> None:
    """Not once for each event that waits, and it is not said anew each time."""
    simulation = worn_out(simulate)
    before = patches(simulation)

    simulation.run(48 * HOUR)

    assert 2 <= patches(simulation) - before <= 48 / 6 * 16
    assert len(simulation.notices("quota_exceeded")) <= 8
    assert len(simulation.held_rows()) == 0


def test_an_exceeded_quota_outlives_a_restart(simulate: Simulate) -> None:
    """The next life does not begin with trying it, and says nothing again."""
    simulation = worn_out(simulate)
    tried = patches(simulation)

    for _ in range(3):
        simulation.restart()
        simulation.run(HOUR)

    assert patches(simulation) == tried
    assert len(simulation.notices("quota_exceeded")) == 1
    assert simulation.engine.snapshot.accounts[0].resting_until is not None


def test_another_account_goes_on(simulate: Simulate) -> None:
    """Carol's quota is her own."""
    simulation = worn_out(simulate, signed_in=(ANNA, CAROL))

    carols = simulation.create(CAROL)
    simulation.run(70)

    assert simulation.invitations() == [carols]
    assert {status.email: status.resting_until is None for status in simulation.engine.snapshot.accounts} == {
        ANNA: False,
        CAROL: True,
    }


def test_look_ups_and_undo_go_on_while_invitations_rest(simulate: Simulate) -> None:
    """They invite nobody, so Google's limit is not about them."""
    simulation = simulate()
    simulation.until_quiet()
    kept = [simulation.create(summary=f"Kept {number}") for number in range(5)]
    simulation.until_quiet()
    simulation.google.add_fault("quotaExceeded", operation="events.patch")
    simulation.create(summary="One too many")
    simulation.run(70)
    simulation.google.delete_event(ANNA, kept[0])
    simulation.google.expire_sync_tokens()

    simulation.run(120)
    answer = simulation.ask("undo", event_id=kept[1])

    assert [outcome.key.event for outcome in simulation.outcomes("cancelled")] == [kept[0]]
    assert (answer.status, answer.data["undone"]) == ("ok", 1)
    assert BOB not in simulation.guests(kept[1])
    assert simulation.engine.snapshot.accounts[0].resting_until is not None


@pytest.mark.parametrize("operation", ["events.patch", "events.list"])
@pytest.mark.parametrize("kind", ["tooManyRequests", "rateLimitExceeded", "userRateLimitExceeded"])
def test_retry_after_holds_for_the_whole_account(simulate: Simulate, operation: str, kind: str) -> None:
    """Asked to wait two minutes at one call, the account makes none for two minutes; another one goes on."""
    simulation = simulate(settings=NO_BRAKE, signed_in=(ANNA, CAROL))
    simulation.until_quiet()
    simulation.google.add_fault(kind, operation=operation, account=ANNA, retry_after=120)
    simulation.google.seed_events(ANNA, 200)
    carols = simulation.create(CAROL)

    simulation.run(400)

    told = next(call.time for call in simulation.world.calls if call.fault == kind)
    soon = [call for call in simulation.world.calls if call.account == ANNA and told + 2 < call.time < told + 119]
    assert [call.operation for call in soon] == []
    assert len(simulation.invitations()) == len(set(simulation.invitations())) == 201
    assert any(call.account == CAROL and told < call.time < told + 119 for call in simulation.world.calls)
    assert carols in simulation.invitations()


def test_retry_after_does_not_make_invitations_fail(simulate: Simulate) -> None:
    """A minute of patience is nothing that people have to hear of."""
    simulation = simulate(settings=NO_BRAKE)
    simulation.until_quiet()
    simulation.google.add_fault("rateLimitExceeded", operation="events.patch", count=3, retry_after=60)
    simulation.google.seed_events(ANNA, 30)

    simulation.until_quiet()

    assert len(simulation.invitations()) == 30
    assert simulation.outcomes("failed") == []
