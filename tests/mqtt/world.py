"""What the MQTT tests share: a broker, an observer, an engine of few lines, a clock to move, example nouns."""

import json
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from addon.mqtt.bridge import Bridge, Listener
from addon.mqtt.connection import BrokerAddress, MqttOptions
from calbot.clock import SystemClock, SystemRandom
from calbot.health import assess
from calbot.model import Answer, CalendarKey, Command, Event, EventKey, Guest, Notice, Outcome, Outgoing
from calbot.status import AccountStatus, CalendarStatus, Effective, Snapshot
from calbot.store import commands, outbox
from calbot.store.database import Database

IID = "k3f9a2"
ANNA = "anna@example.com"
FAMILY = CalendarKey(ANNA, "family@example.com")
DINNER = Event(
    id="dinner1",
    etag='"1"',
    ical_uid="dinner1@example.com",
    title="Dinner",
    description="Bring wine",
    location="12 Elm Street",
    start="2026-12-01T19:00:00+01:00",
    end="2026-12-01T22:00:00+01:00",
    organiser=ANNA,
    guests=(Guest("bob@example.com", "{}"),),
    link="https://calendar.example.com/event?eid=dinner1",
)
INVITED = Outcome(
    event_type="invited",
    key=EventKey(ANNA, FAMILY.calendar, DINNER.id),
    calendar_name="Family",
    event=DINNER,
    guests_added=("bob@example.com",),
    rule="default",
    run_id="r-1",
)
STARTED = Notice(event_type="started", text="Calbot started.")
MOSQUITTO = shutil.which("mosquitto", path="/usr/local/sbin:/usr/sbin:/usr/local/bin:/usr/bin:/bin")
SECONDS = 10.0


def wait_until(condition: Callable[[], object], seconds: float = SECONDS) -> None:
    """Return when the condition holds; fail when it does not within the bound."""
    clock, pause = SystemClock(), threading.Event()
    deadline = clock.monotonic() + seconds
    while not condition():
        assert clock.monotonic() < deadline, "this did not happen in time"
        pause.wait(0.002)


def free_port() -> int:
    """A port on 127.0.0.1 that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def accepts(port: int) -> bool:
    """Whether somebody listens on the port."""
    try:
        socket.create_connection(("127.0.0.1", port), 0.2).close()
    except OSError:
        return False
    return True


class MovableClock(SystemClock):
    """The machine's clock, which can be put forward."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def now(self) -> float:
        return super().now() + self.ahead

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead


class Mosquitto:
    """A broker on a free port of 127.0.0.1 that can be killed and started again."""

    def __init__(self, directory: Path, *lines: str) -> None:
        self.port = free_port()
        self._configuration = directory / f"mosquitto-{self.port}.conf"
        base = [
            f"listener {self.port} 127.0.0.1",
            "persistence false",
            "user root",
            "log_type none",
            "max_queued_messages 0",
        ]
        self._configuration.write_text("\n".join([*base, *(lines or ("allow_anonymous true",))]) + "\n")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        assert MOSQUITTO
        self._process = subprocess.Popen([MOSQUITTO, "-c", str(self._configuration)], stderr=subprocess.DEVNULL)
        wait_until(lambda: accepts(self.port))

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def address(self) -> BrokerAddress:
        return BrokerAddress("127.0.0.1", self.port)


def _tune(sock: Any) -> None:
    """Let nothing wait 40 ms for the kernel."""
    if sock is not None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


class Seen:
    """One message as the observer saw it."""

    def __init__(self, message: paho.MQTTMessage) -> None:
        self.topic = message.topic
        self.payload = bytes(message.payload)
        self.qos = message.qos
        self.retained = message.retain
        self.correlation: bytes | None = getattr(message.properties, "CorrelationData", None)

    @property
    def json(self) -> Any:
        return json.loads(self.payload)


class Observer:
    """An independent client that remembers what it hears."""

    def __init__(self, port: int, *filters: str, client_id: str = "", version5: bool = True) -> None:
        self.seen: list[Seen] = []
        self._ready = threading.Event()
        self._filters = filters
        protocol = paho.MQTTv5 if version5 else paho.MQTTv311
        self.client = paho.Client(CallbackAPIVersion.VERSION2, client_id, protocol=protocol)
        self.client.on_message = self._heard
        self.client.on_publish = lambda client, *_: _tune(client.socket())
        self.client.on_socket_open = lambda _client, _data, sock: _tune(sock)
        self.client.on_subscribe = lambda *_: self._ready.set()
        self.client.on_connect = self._connected
        self.client.reconnect_delay_set(1, 1)
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        if filters:
            assert self._ready.wait(SECONDS)

    def _heard(self, client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        _tune(client.socket())
        self.seen.append(Seen(message))

    def _connected(self, client: paho.Client, *_: object) -> None:
        if self._filters:
            client.subscribe([(topic, 1) for topic in self._filters])

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def send(
        self,
        topic: str,
        payload: str | bytes | dict[str, Any],
        *,
        qos: int = 1,
        retain: bool = False,
        response_topic: str | None = None,
        correlation: bytes | None = None,
    ) -> None:
        """Publish, and return when the broker has it."""
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        if response_topic is not None:
            properties.ResponseTopic = response_topic
        if correlation is not None:
            properties.CorrelationData = correlation
        body = json.dumps(payload) if isinstance(payload, dict) else payload
        self.client.publish(topic, body, qos, retain, properties).wait_for_publish(SECONDS)

    def on(self, topic: str) -> list[Seen]:
        """What was heard on a topic so far."""
        return [message for message in list(self.seen) if message.topic == topic]

    def wait_for(self, topic: str, count: int = 1, seconds: float = SECONDS) -> list[Seen]:
        """Return what was heard on a topic, once that are so many messages."""
        wait_until(lambda: len(self.on(topic)) >= count, seconds)
        return self.on(topic)

    def answers(self, command_id: str, count: int = 2) -> list[Any]:
        """Return the answers to a command, once there are so many."""

        def found() -> list[Any]:
            said = [message.json for message in list(self.seen) if "/response/" in message.topic]
            return [answer for answer in said if answer["id"] == command_id]

        wait_until(lambda: len(found()) >= count)
        return found()


class FakeEngine:
    """Carries commands out by remembering them, and answers `ok` unless it is told to hold back."""

    def __init__(self, database: Database, snapshot: Snapshot, *, iid: str = IID) -> None:
        self.iid = iid
        self.snapshot = snapshot
        self.carried: list[Command] = []
        self.holds_back = False
        self.fails = False
        self._database = database
        self._listeners: list[Listener] = []

    def listen(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def carry_out(self, command: Command) -> None:
        self.carried.append(command)
        if self.fails:
            raise RuntimeError("a surprise")
        if not self.holds_back:
            self.answer(command, Answer(status="ok", message="done"))

    def answer(self, command: Command, answer: Answer) -> None:
        with self._database.write() as tx:
            commands.finish(tx, command.id, answer, command.received)
        for listener in self._listeners:
            listener.answered(command, answer)

    def show(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        for listener in self._listeners:
            listener.changed()

    def says(self, *contents: Outcome | Notice) -> None:
        with self._database.write() as tx:
            outbox.put(tx, list(contents), SystemClock().now(), SystemRandom())
        for listener in self._listeners:
            listener.changed()


def example_snapshot() -> Snapshot:
    """One account, one calendar, everything well."""
    now = SystemClock().now()
    settings = Effective(
        auto_invite=True,
        mirroring=True,
        dry_run=False,
        poll_interval=60,
        invites_per_hour=50,
        removals_per_pass=5,
        first_sync="ignore",
        invite_emails=("bob@example.com",),
    )
    family = CalendarStatus(key=FAMILY, name="Family", last_success=now)
    account = AccountStatus(email=ANNA, aid="a7c1", calendars=(family,))
    return Snapshot(started_at=now, settings=settings, accounts=(account,))


def row(content: Outcome | Notice = INVITED, *, seq: int = 1, attempts: int = 0) -> Outgoing:
    """A row of the outbox."""
    stream = "calendar" if isinstance(content, Outcome) else "system"
    return Outgoing(seq, stream, "01JD3M8Q4ZABCDEFGHJKMNPQRS", content, 1_790_000_000.0, attempts)  # type: ignore[arg-type]


class House:
    """A bridge with everything around it."""

    def __init__(self, directory: Path, broker: Callable[[], BrokerAddress], **options: Any) -> None:
        self.clock = MovableClock()
        self.random = SystemRandom()
        self.database = Database(directory)
        self.database.open()
        self.engine = FakeEngine(self.database, example_snapshot(), iid=options.pop("iid", IID))
        self.broker = broker
        self.options = MqttOptions(**options)
        self.bridge = self.make_bridge()

    def make_bridge(self) -> Bridge:
        return Bridge(
            engine=self.engine,
            database=self.database,
            broker=self.broker,
            options=self.options,
            assess=assess,
            version="0.1.0",
            clock=self.clock,
            random=self.random,
        )

    def start(self) -> None:
        """Start the bridge, and return when it speaks."""
        self.bridge.start()
        wait_until(lambda: self.bridge.connected)

    def restart_bridge(self) -> None:
        """End the bridge as a process would end, and start a new one on the same store."""
        self.bridge.stop()
        self.bridge = self.make_bridge()
        self.start()

    def on_statement(self, beginning: str, work: Callable[[], object]) -> None:
        """Do something at the moment when the store is given a statement that begins so."""
        writer = self.database._writer
        assert writer
        writer.set_trace_callback(lambda statement: statement.startswith(beginning) and work())

    def advance(self, seconds: float) -> None:
        """Put the clock forward, and let the bridge notice."""
        self.clock.ahead += seconds
        self.bridge.changed()

    def close(self) -> None:
        self.bridge.stop()
        self.database.close()
