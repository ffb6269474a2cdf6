"""What all tests share: a data directory in memory where the machine has one, and simulations that end well."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from calbot import secrecy
from tests.simulation.simulation import Simulation

MEMORY = Path("/dev/shm")


@pytest.fixture(autouse=True, scope="module")
def _nothing_is_secret_yet() -> None:
    """The secrets of other tests are none here: looked for in each line of a log, thousands of them take long."""
    secrecy.SECRETS.forget()


@pytest.fixture
def data() -> Iterator[Path]:
    """An empty data directory; in memory if possible, as no test here is about the power failing."""
    folder = Path(tempfile.mkdtemp(prefix="calbot-", dir=MEMORY if MEMORY.is_dir() else None))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def simulate(data: Path) -> Iterator[Callable[..., Simulation]]:
    """Makes a started simulation in the data directory; at the end no step of its engine may have been a surprise."""
    made: list[Simulation] = []

    def begin(**parts: object) -> Simulation:
        simulation = Simulation(data, **parts)  # type: ignore[arg-type]
        made.append(simulation)
        return simulation.start()

    yield begin
    for simulation in made:
        simulation.die()
    assert [trouble for simulation in made for trouble in simulation.trouble] == []
    assert [surprise for simulation in made for surprise in simulation.world.surprises] == []
