"""The embedded broker: there when asked for, only for this machine, gone with us."""

import gc
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterator
from importlib.util import find_spec

import pytest

from addon.broker import EmbeddedBroker, NoBroker
from addon.mqtt.connection import BrokerAddress
from calbot.clock import SystemClock
from tests.mqtt.conftest import MakeHouse
from tests.mqtt.world import MOSQUITTO, Observer, accepts, free_port, wait_until

NOWHERE = "/nonexistent"
WITHOUT_AMQTT = find_spec("amqtt") is None
KINDS = [
    pytest.param(
        None, marks=pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed"), id="mosquitto"
    ),
    pytest.param(NOWHERE, marks=pytest.mark.skipif(WITHOUT_AMQTT, reason="amqtt is not installed"), id="amqtt"),
]


@pytest.fixture(params=KINDS)
def embedded(request: pytest.FixtureRequest) -> Iterator[EmbeddedBroker]:
    """A broker of each kind, started."""
    made = EmbeddedBroker(SystemClock(), path=request.param)
    made.start()
    yield made
    made.stop()
    with warnings.catch_warnings():  # amqtt leaves its sockets to the garbage collector
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def test_it_lives_from_start_to_stop(embedded: EmbeddedBroker) -> None:
    """On a port of its own choice."""
    Observer(embedded.port, "x", version5=False).close()
    lived = embedded.alive

    embedded.stop()

    assert lived and not embedded.alive
    wait_until(lambda: not accepts(embedded.port))


def test_a_bridge_speaks_on_it(embedded: EmbeddedBroker, make_house: MakeHouse) -> None:
    """Whichever version of MQTT it has."""
    house = make_house(broker=lambda: BrokerAddress("127.0.0.1", embedded.port, version5=embedded.version5))
    house.start()
    observer = Observer(embedded.port, "calbot/#", version5=False)
    observer.client.publish("calbot/command/ping", '{"id":"1"}', 1)

    assert observer.answers("1")[1]["status"] == "ok"
    observer.close()
    house.bridge.stop()


@pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed")
def test_a_given_port_is_used() -> None:
    """And one that is taken is explained."""
    port = free_port()
    first = EmbeddedBroker(SystemClock(), port=port)
    first.start()

    assert first.port == port
    second = EmbeddedBroker(SystemClock(), port=port)
    with pytest.raises(NoBroker, match=f"cannot have port {port}"):
        second.start()
    first.stop()


@pytest.mark.skipif(not WITHOUT_AMQTT, reason="amqtt is installed")
def test_without_any_broker_the_remedy_is_named() -> None:
    """Install mosquitto, or name a broker."""
    with pytest.raises(NoBroker, match="install mosquitto"):
        EmbeddedBroker(SystemClock(), path=NOWHERE).start()


@pytest.mark.skipif(sys.platform != "linux" or MOSQUITTO is None, reason="needs Linux and mosquitto")
def test_it_dies_with_us_also_when_we_are_killed() -> None:
    """No broker is left behind by a kill -9."""
    program = (
        "import sys; from addon.broker import EmbeddedBroker; from calbot.clock import SystemClock\n"
        "broker = EmbeddedBroker(SystemClock()); broker.start()\n"
        "print(broker.port, flush=True); sys.stdin.read()"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert parent.stdout and parent.stdin
    port = int(parent.stdout.readline())
    assert accepts(port)

    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()

    wait_until(lambda: not accepts(port))
    parent.stdin.close()
    parent.stdout.close()
