"""How long a command over MQTT takes, beside a bare paho echo and one durable commit in the same run."""

import argparse
import contextlib
import socket
import statistics
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from addon.broker import EmbeddedBroker
from addon.mqtt.bridge import Bridge, Listener
from addon.mqtt.connection import BrokerAddress, MqttOptions
from calbot.clock import SystemClock, SystemRandom
from calbot.health import assess
from calbot.model import Answer, Command
from calbot.status import Effective, Snapshot
from calbot.store import commands
from calbot.store.database import Database

SAMPLES = 300
SECONDS = 5.0


class Row(NamedTuple):
    """One measurement, in milliseconds."""

    what: str
    p50: float
    p95: float
    samples: int


class Client:
    """A bare paho client with tuned sockets, which counts what it hears on a topic and its PUBACKs."""

    def __init__(self, port: int, topic: str, heard: Callable[[paho.MQTTMessage], None], clock: SystemClock) -> None:
        self.acknowledged = threading.Event()
        self.acknowledged_at = 0.0
        self._clock = clock
        self._ready = threading.Event()
        self._heard = heard
        self._topic = topic
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_socket_open = lambda _client, _data, sock: _tune(sock)
        self._client.on_publish = self._on_publish
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        self._ready.wait(SECONDS)

    def publish(self, topic: str, payload: bytes) -> None:
        """Publish with QoS 1, and return at once."""
        self.acknowledged.clear()
        self._client.publish(topic, payload, 1)

    def close(self) -> None:
        """Leave."""
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(self, *_: Any) -> None:
        self._client.subscribe(self._topic, 1)

    def _on_publish(self, *_: Any) -> None:
        _tune(self._client.socket())
        self.acknowledged_at = self._clock.monotonic()
        self.acknowledged.set()

    def _on_message(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        _tune(self._client.socket())
        self._heard(message)


class PingingEngine:
    """Answers a ping as the engine does: the answer is stored before it is told."""

    iid = "bench1"

    def __init__(self, database: Database, clock: SystemClock) -> None:
        settings = Effective(
            auto_invite=True,
            dry_run=False,
            poll_interval=60,
            invites_per_hour=50,
            removals_per_pass=5,
            first_sync="ignore",
            invite_emails=(),
        )
        self.snapshot = Snapshot(started_at=clock.now(), settings=settings)
        self._database = database
        self._clock = clock
        self._listeners: list[Listener] = []

    def listen(self, listener: Listener) -> None:
        """Take a listener."""
        self._listeners.append(listener)

    def carry_out(self, command: Command) -> None:
        """Answer."""
        self.answer(command, Answer(status="ok", message="pong"))

    def answer(self, command: Command, answer: Answer) -> None:
        """Store it, then tell it."""
        with self._database.write() as tx:
            commands.finish(tx, command.id, answer, self._clock.now())
        for listener in self._listeners:
            listener.answered(command, answer)


class SteppingClock(SystemClock):
    """The machine's clock, put forward before each sample so that nobody is rate limited."""

    ahead = 0.0

    def monotonic(self) -> float:
        """Return seconds that never run backwards."""
        return super().monotonic() + self.ahead


def measure(samples: int = SAMPLES, directory: Path | None = None) -> list[Row]:
    """Return what was measured, turn about; `directory` is where the stores lie."""
    clock = SteppingClock()
    with contextlib.ExitStack() as stack:
        folder = directory or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        broker = EmbeddedBroker(clock)
        broker.start()
        stack.callback(broker.stop)
        echo = stack.enter_context(_echo(broker.port, clock))
        ping = stack.enter_context(_ping(broker.port, folder / "bridge", clock))
        commit = stack.enter_context(_commit(folder / "bare", clock))
        echoes, commits, answers = [], [], []
        for number in range(samples):
            clock.ahead += 0.6
            echoes.append(echo(number))
            commits.append(commit(number))
            answers.append(ping(number))
    return [
        _row("bare echo, there and back", [back for back, _ in echoes]),
        _row("bare publish to PUBACK", [puback for _, puback in echoes]),
        _row("one durable commit", commits),
        _row("command to accepted", [back for back, _ in answers]),
        _row("command to PUBACK", [puback for _, puback in answers]),
    ]


@contextlib.contextmanager
def _echo(port: int, clock: SystemClock) -> Iterator[Callable[[int], tuple[float, float]]]:
    """A bare client that sends back what it gets, and one that asks it."""
    heard = threading.Event()
    server = Client(port, "echo/in", lambda message: server.publish("echo/out", bytes(message.payload)), clock)
    client = Client(port, "echo/out", lambda _: heard.set(), clock)

    def exchange(number: int) -> tuple[float, float]:
        return _exchange(clock, client, heard, "echo/in", f'{{"v":1,"id":"echo{number}"}}')

    yield exchange
    client.close()
    server.close()


@contextlib.contextmanager
def _ping(port: int, folder: Path, clock: SystemClock) -> Iterator[Callable[[int], tuple[float, float]]]:
    """A bridge, and a client that asks it."""
    accepted, done = threading.Event(), threading.Event()
    database = Database(folder)
    database.open()
    bridge = Bridge(
        engine=PingingEngine(database, clock),
        database=database,
        broker=lambda: BrokerAddress("127.0.0.1", port),
        options=MqttOptions(),
        assess=assess,
        version="0",
        clock=clock,
        random=SystemRandom(),
    )
    bridge.start()
    while not bridge.connected:
        accepted.wait(0.01)
    client = Client(
        port,
        "calbot/response/ping",
        lambda message: accepted.set() if b'"accepted"' in message.payload else done.set(),
        clock,
    )

    def exchange(number: int) -> tuple[float, float]:
        took = _exchange(clock, client, accepted, "calbot/command/ping", f'{{"v":1,"id":"ping{number}"}}')
        assert done.wait(SECONDS)
        done.clear()
        return took

    yield exchange
    client.close()
    bridge.stop()
    database.close()


@contextlib.contextmanager
def _commit(folder: Path, clock: SystemClock) -> Iterator[Callable[[int], float]]:
    """The same row, committed as durably, and nothing else."""
    database = Database(folder)
    database.open()

    def commit(number: int) -> float:
        before = clock.monotonic()
        with database.write() as tx:
            commands.add(tx, Command(name="ping", id=f"bare{number}", received=clock.now()))
        return 1000 * (clock.monotonic() - before)

    yield commit
    database.close()


def _exchange(
    clock: SystemClock, client: Client, heard: threading.Event, topic: str, payload: str
) -> tuple[float, float]:
    """Return the milliseconds until the answer, and until the PUBACK."""
    heard.clear()
    before = clock.monotonic()
    client.publish(topic, payload.encode())
    assert heard.wait(SECONDS)
    back = clock.monotonic()
    assert client.acknowledged.wait(SECONDS)
    return 1000 * (back - before), 1000 * (client.acknowledged_at - before)


def _row(what: str, values: list[float]) -> Row:
    ordered = sorted(values)
    p95 = ordered[min(len(ordered) - 1, round(0.95 * len(ordered)))]
    return Row(what, statistics.median(ordered), p95, len(ordered))


def _tune(sock: Any) -> None:
    if sock is not None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.mqtt", description=__doc__)
    parser.add_argument("--samples", type=int, default=SAMPLES)
    parser.add_argument("--directory", type=Path, help="where the stores lie; a temporary one otherwise")
    asked = parser.parse_args()
    rows = measure(asked.samples, asked.directory)
    for row in rows:
        print(f"{row.what:28} p50 {row.p50:7.2f} ms   p95 {row.p95:7.2f} ms   n {row.samples}")
    echo, _, commit, accepted, _ = rows
    goal = echo.p50 + commit.p50 + 1.0
    verdict = "met" if accepted.p50 <= goal and accepted.p95 <= 10.0 else "missed"
    print(f"goal: accepted p50 <= {goal:.2f} ms (echo + commit + 1), p95 <= 10 ms: {verdict}")


if __name__ == "__main__":
    main()
