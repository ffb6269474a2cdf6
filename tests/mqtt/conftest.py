"""Fixtures of the MQTT tests: a broker, an observer of everything, a house with a bridge in it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.mqtt.world import MOSQUITTO, House, Mosquitto, Observer

MakeHouse = Callable[..., House]
MakeObserver = Callable[..., Observer]


@pytest.fixture
def make_broker(tmp_path: Path) -> Iterator[Callable[..., Mosquitto]]:
    """Starts brokers; they end with the test."""
    if MOSQUITTO is None:
        pytest.skip("mosquitto is not installed")
    made: list[Mosquitto] = []

    def make(*lines: str) -> Mosquitto:
        made.append(Mosquitto(tmp_path, *lines))
        made[-1].start()
        return made[-1]

    yield make
    for broker in made:
        broker.kill()


@pytest.fixture
def broker(make_broker: Callable[..., Mosquitto]) -> Mosquitto:
    """A broker that lets everybody in."""
    return make_broker()


@pytest.fixture
def make_observer(broker: Mosquitto) -> Iterator[MakeObserver]:
    """Makes clients of the broker; they leave with the test."""
    made: list[Observer] = []

    def make(*filters: str, **options: Any) -> Observer:
        made.append(Observer(broker.port, *filters, **options))
        return made[-1]

    yield make
    for observer in made:
        observer.close()


@pytest.fixture
def observer(make_observer: MakeObserver) -> Observer:
    """Hears everything."""
    return make_observer("#")


@pytest.fixture
def make_house(tmp_path: Path, broker: Mosquitto) -> Iterator[MakeHouse]:
    """Makes bridges that are not started yet; they end with the test."""
    made: list[House] = []

    def make(**options: Any) -> House:
        address = options.pop("broker", broker.address)
        made.append(House(tmp_path / f"house{len(made)}", address, **options))
        return made[-1]

    yield make
    for house in made:
        house.close()


@pytest.fixture
def house(make_house: MakeHouse, observer: Observer) -> House:
    """A bridge that speaks, and is heard."""
    made = make_house()
    made.start()
    return made
