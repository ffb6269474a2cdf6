"""Fixtures of the MQTT tests: a broker, an observer of everything, a house with a bridge, a home with an engine."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from addon.mqtt.bridge import Bridge
from addon.mqtt.connection import MqttOptions
from addon.mqtt.encoding import Detail
from calbot.clock import SystemRandom
from calbot.health import assess
from calbot.settings import Settings
from tests.household import ANNA, BOB, Household
from tests.mqtt.home import Home
from tests.mqtt.schemas import check, name_for
from tests.mqtt.world import MOSQUITTO, House, Mosquitto, Observer, wait_until

MakeHouse = Callable[..., House]
MakeHome = Callable[..., Home]
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


@pytest.fixture
def make_home(tmp_path: Path, broker: Mosquitto, observer: Observer) -> Iterator[MakeHome]:
    """Makes households that speak; when they end, everything that was heard keeps to its schema.

    Anna may write to the calendar that gets the copies.
    """
    with contextlib.ExitStack() as opened:

        def make(detail: Detail = "standard", **settings: Any) -> Home:
            wanted = {"invite_emails": (BOB,), "time_zone": "Europe/Berlin", **settings}
            household = Household(tmp_path, [ANNA], Settings(**wanted))
            if "central_calendar" in wanted:
                household.google.add_calendar(ANNA, wanted["central_calendar"], "Family")
            opened.enter_context(household)
            bridge = Bridge(
                engine=household.engine,
                database=household.database,
                broker=broker.address,
                options=MqttOptions(event_detail=detail),
                assess=assess,
                version="0.1.0",
                clock=household.clock,
                random=SystemRandom(),
            )
            bridge.start()
            opened.callback(bridge.stop)
            wait_until(lambda: bridge.connected)
            wait_until(lambda: household.has_read(ANNA), 20)
            return Home(household, observer, bridge)

        yield make
    for message in observer.seen:
        name = name_for(message.topic)
        if name is not None and message.payload and message.topic.startswith("calbot/") and name != "command":
            check(name, message.payload)
