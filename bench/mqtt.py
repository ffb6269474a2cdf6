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
from calbot.model import Answer, Command, Effective, Snapshot
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

    def __init__(self, port: int, topic: str, heard: Callable[[paho.MQTTMessage], None]) -> None:
        self.acknowledged = threading.Event()
        self._ready = threading.Event()
        self._heard = heard
        self._topic = topic
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        self._client.on_connect = lambda *_: self._client.subscribe(topic, 1)
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

    def _on_publish(self, *_: Any) -> None:
        _tune(self._client.socket())
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
        answer = Answer(status="ok", message="pong")
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
    """Return what was measured; `directory` is where the store lies."""
    clock = SteppingClock()
    with contextlib.ExitStack() as stack:
        folder = directory or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        broker = EmbeddedBroker(clock)
        broker.start()
        stack.callback(broker.stop)
        echoes, answers = [], []
        for number in range(samples):
            if number == 0:
                echo = stack.enter_context(_echo(broker.port))
                ping = stack.enter_context(_bridge(broker.port, folder, clock))
                commit = stack.enter_context(_commits(folder / "bare"))
                commits: list[float] = []
            clock.ahead += 0.6
            echoes.append(_timed(clock, echo))
            commits.append(_timed(clock, commit)[0])
            answers.append(_timed(clock, ping))
    return [
        _row("bare echo: publish to echo", [echo[0] for echo in echoes]),
        _row("bare echo: publish to PUBACK", [echo[1] for echo in echoes]),
        _row("one durable commit", commits),
        _row("command: publish to accepted", [answer[0] for answer in answers]),
        _row("command: publish to PUBACK", [answer[1] for answer in answers]),
    ]
