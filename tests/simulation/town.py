"""Several installations in one world: whatever can happen to any of them happens in an order that a seed decides."""

import random
from collections.abc import Callable

from tests.simulation.machine import Crash
from tests.simulation.simulation import DAY, Simulation


class Town:
    """The first installation's world and clock are everybody's. Who dies of a crash stays down until `revive`."""

    def __init__(self, simulations: list[Simulation], seed: int = 0) -> None:
        self.simulations = simulations
        self.clock = simulations[0].clock
        self.world = simulations[0].world
        self._chance = random.Random(f"town {seed}")

    def revive(self) -> None:
        """Begin a life for everybody who is down, and take up what was asked of them."""
        for simulation in self.simulations:
            for _ in range(100):
                if simulation.lives_now:
                    break
                try:
                    simulation.start()
                    simulation.take_up()
                except Crash:
                    simulation.die()

    def turn(self) -> bool:
        """Let one thing happen that can happen now; False when there is none."""
        ready: list[tuple[Simulation, Callable[[], None]]] = []
        for simulation in self.simulations:
            if simulation.lives_now:
                ready += [(simulation, act) for act in simulation._ready()]
        if not ready:
            return False
        simulation, act = self._chance.choice(ready)
        try:
            act()
        except Crash:
            simulation.die()
        return True

    def run(self, seconds: float) -> None:
        """Let so much time pass, and everything happen that is due in it."""
        end = self.clock.now() + seconds
        while self.clock.now() <= end:
            if not self.turn():
                if self._next_time() > end:
                    self.clock.to(end)
                    return
                self.clock.to(self._next_time())

    def until_quiet(self, within: float = 2 * DAY) -> None:
        """Go on until nobody has anything left to do; who dies meanwhile lives again at once."""
        end = self.clock.now() + within
        while True:
            self.revive()
            if self.turn():
                continue
            if all(map(Simulation.is_quiet, self.simulations)):
                return
            rows = [row for simulation in self.simulations for row in simulation.open_rows()]
            assert self.clock.now() < end, f"not quiet within {within:g} s: {rows}"
            self.clock.to(self._next_time())

    def ask(self, name: str, **args: str | float | None) -> None:
        """Ask the same of every installation; one that dies of it is asked again when it lives."""
        for simulation in self.simulations:
            for _ in range(100):
                self.revive()
                try:
                    simulation.ask(name, **args)
                    break
                except Crash:
                    simulation.die()
        self.revive()

    def _next_time(self) -> float:
        return min(simulation._next_time() for simulation in self.simulations)
