"""Kill the engine anywhere in an hour with push, pages, a 410, a dead sign-in and a command: the end is the same."""

from collections import Counter

from calbot.errors import StoreError
from calbot.settings import Settings
from tests.household import ANNA, BOB
from tests.simulation.machine import Crash
from tests.simulation.simulation import PUSH_URL, Simulation
from tests.simulation.test_crash_at_every_seam import household

BUSY = Settings(invite_emails=(BOB,), push_url=PUSH_URL, time_zone="Europe/Berlin")


class BusyHour:
    """What people do, planned by the clock, so that it goes on while Calbot is down."""

    def __init__(self, simulation: Simulation) -> None:
        self.simulation = simulation
        self.invited: list[str] = []
        self.deleted: list[str] = []
        self.declined: list[str] = []

    def happen(self) -> None:
        simulation = self.simulation
        simulation.settings = BUSY
        simulation.live()
        simulation.plan(1, lambda: self._create(4))
        simulation.plan(20, self._change_and_delete)
        simulation.plan(40, self._gap)
        simulation.plan(80, lambda: self._create(1))
        simulation.plan(80.05, lambda: simulation.google.revoke(ANNA))
        simulation.plan(200, lambda: simulation.accounts.sign_in(ANNA))
        simulation.plan(260, self._pages)
        simulation.live()
        simulation.plan(1000, lambda: None)
        simulation.live()

    def _create(self, count: int) -> None:
        self.invited += [self.simulation.create(summary=f"Dinner {len(self.invited)}") for _ in range(count)]

    def _change_and_delete(self) -> None:
        self.simulation.google.edit_event(ANNA, self.invited[0], {"summary": "Changed"})
        self.simulation.google.delete_event(ANNA, self.invited[1])
        self.deleted.append(self.invited[1])

    def _gap(self) -> None:
        self.simulation.google.lose_pushes(3)
        self._create(1)
        self.simulation.google.delete_event(ANNA, self.invited[2])
        self.deleted.append(self.invited[2])
        self.declined.append(self.simulation.create(summary="Private", visibility="private"))
        self.simulation.google.expire_sync_tokens()

    def _pages(self) -> None:
        self.simulation.world.switches.page_sizes = [1, 0, 1]
        self._create(3)

    def complaints(self) -> list[str]:
        """What is not as it must be."""
        simulation = self.simulation
        found = [f"surprise: {trouble}" for trouble in simulation.trouble]
        mails = Counter(simulation.invitations())
        told = Counter((outcome.event_type, outcome.key.event) for outcome in simulation.outcomes())
        for event in self.invited:
            alive = event not in self.deleted
            if mails[event] > 1 or (alive and mails[event] != 1):
                found.append(f"{event}: {mails[event]} mails, {simulation.history(event)}")
            if told["event_created", event] != 1 and (alive or told["event_created", event] > 1):
                found.append(f"{event}: created {told['event_created', event]} times")
            if told["invited", event] > 1 or (alive and told["invited", event] != 1):
                found.append(f"{event}: invited {told['invited', event]} times, {simulation.history(event)}")
        found += [
            f"{event}: cancelled {told['cancelled', event]} times, {simulation.history(event)}"
            for event in self.deleted
            if told["cancelled", event] != told["event_created", event]
        ]
        found += [f"{event} was invited to" for event in self.declined if mails[event]]
        found += [f"held: {event}" for kind, event in told if kind == "held"]
        found += [f"open: {row}" for row in simulation.open_rows()]
        needed, restored = len(simulation.notices("sign_in_needed")), len(simulation.notices("sign_in_restored"))
        if (needed, restored) != (1, 1):
            found.append(f"sign-in: needed {needed} times, restored {restored} times")
        if not simulation.is_current(ANNA, "primary"):
            found.append("not current")
        if simulation.engine.snapshot.accounts[0].calendars[0].push != "healthy":
            found.append("push is not healthy")
        if len(simulation.google.channels()) > 2:
            found.append(f"{len(simulation.google.channels())} channels")
        return found


def test_a_crash_anywhere_in_a_busy_hour_changes_nothing() -> None:
    """At every seam of it: everybody is invited once, every deletion told once, every row closed."""
    with household() as simulation:
        hour = BusyHour(simulation)
        hour.happen()
        assert hour.complaints() == []
        seams = list(simulation.seams.crossed)
    bad: dict[str, list[str]] = {}
    fired = 0

    for number, place in enumerate(seams, 1):
        with household(crash_at=frozenset({number})) as simulation:
            hour = BusyHour(simulation)
            hour.happen()
            fired += len(simulation.seams.fired)
            if wrong := hour.complaints():
                bad[f"{number} {place}"] = wrong

    assert bad == {}
    assert len(seams) > 120
    assert fired >= 0.98 * len(seams)


def test_a_crash_is_nothing_that_the_engine_can_catch() -> None:
    """The kill of these tests goes through every bulkhead."""
    assert not issubclass(Crash, Exception)
    assert not issubclass(Crash, StoreError)
