"""A connection that is kept: a thread connects, reads, writes, and tries again for as long as it takes."""

import dataclasses
import logging
import threading
from collections.abc import Callable
from typing import Literal, Protocol

from addon.mqtt.client import Client
from addon.mqtt.encoding import Detail
from addon.mqtt.posts import Disconnected, Post, Received
from calbot.errors import CalbotError
from calbot.ports import Clock, Random

CONNACK_SECONDS = 10.0
LOOP_SECONDS = 1.0
MOST_POSTS = 500
"""So many posts may wait for the bridge before the socket is left unread and the broker keeps the rest."""

_UNSUPPORTED_VERSION, _TAKEN_OVER = 0x84, 0x8E
_BAD_CREDENTIALS = frozenset({0x86, 0x87})
_STEADY_SECONDS = 10.0
_JOIN_SECONDS = 0.4
_LOOK_SECONDS = 0.5

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where the broker is, and who we are to it. `version5` is false when it is known to speak 3.1.1 only."""

    host: str
    port: int = 1883
    username: str | None = None
    password: str | None = dataclasses.field(default=None, repr=False)
    tls: bool = False
    version5: bool = True

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclasses.dataclass(frozen=True, slots=True)
class MqttOptions:
    """How we speak, whichever broker it is. `panel` is where Home Assistant's page of our device leads to."""

    base_topic: str = "calbot"
    event_detail: Detail = "standard"
    panel: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong: a word for programs, a sentence for people."""

    code: Literal["broker_unreachable", "broker_refused", "duplicate_instance"]
    text: str


@dataclasses.dataclass(frozen=True, slots=True)
class End:
    """How a connection, or an attempt at one, came to its end."""

    kind: Literal["unanswered", "silent", "closed_early", "version", "credentials", "refused", "taken_over", "lost"]
    problem: Problem
    connected: bool = False


class Ended(Protocol):
    """What is known of a connection, or of an attempt at one, when it is over: MQTT's code, 0 where there was none."""

    @property
    def code(self) -> int:
        """Return the broker's last word to a CONNECT."""
        ...

    @property
    def connected(self) -> bool:
        """Say whether the broker took it."""
        ...


def failures_after(end: End, lasted: float, failures: int) -> int:
    """Return how many failures in a row count before the next attempt: none after a connection that held."""
    return 0 if end.connected and lasted > _STEADY_SECONDS else failures


def pause_after(end: End, failures: int, jitter: float) -> float:
    """Return the seconds to wait. `failures` counts those in a row before, `jitter` lies around 1."""
    if end.kind == "taken_over":
        return 300.0
    if end.kind == "credentials":
        return 60.0
    return float(min(60, 2 ** min(failures, 6))) * jitter


def end_of(client: Ended, address: BrokerAddress) -> End:
    """Return how this connection ended, in words that say what helps."""
    if client.code == _UNSUPPORTED_VERSION and not client.connected:
        text = f"The broker at {address} does not speak this version of MQTT."
        return End("version", Problem("broker_refused", text))
    if client.code in _BAD_CREDENTIALS and not client.connected:
        text = f"The broker at {address} refused the user name or password: check mqtt.username and mqtt.password."
        return End("credentials", Problem("broker_refused", text))
    if client.code == _TAKEN_OVER:
        text = (
            "Another Calbot with the same installation id is connected to this broker. "
            "Stop one of them; trying again in 5 minutes."
        )
        return End("taken_over", Problem("duplicate_instance", text), connected=client.connected)
    if client.code:
        text = f"The broker at {address} ended the connection with code 0x{client.code:02X}; trying again."
        return End("refused", Problem("broker_refused", text), connected=client.connected)
    if client.connected:
        text = f"The connection to the broker at {address} was lost; trying again."
        return End("lost", Problem("broker_unreachable", text), connected=True)
    text = f"What answers at {address} closed the connection without a word: is it an MQTT broker?"
    return End("closed_early", Problem("broker_unreachable", text))


def silent(address: BrokerAddress) -> End:
    """Return the end of an attempt that nobody greeted."""
    text = f"No MQTT broker answers at {address}: it took the connection and says nothing."
    return End("silent", Problem("broker_unreachable", text))


def unanswered(address: BrokerAddress | None, error: Exception) -> End:
    """Return the end of an attempt at which nothing was found."""
    text = f"No MQTT broker answers at {address}: {error}. Check mqtt.host and mqtt.port."
    return End("unanswered", Problem("broker_unreachable", text))


class Connection:
    """Keeps a connection until it is closed. Only `close` waits, and less than a second.

    `broker` is asked before every attempt and may raise CalbotError with a sentence. `post` takes what
    happens; `backlog` says how much of that was not looked at yet. Epochs count the attempts: what came in
    one cannot be acknowledged in another.
    """

    def __init__(
        self,
        *,
        client_id: str,
        will_topic: str,
        broker: Callable[[], BrokerAddress],
        post: Callable[[Post], None],
        backlog: Callable[[], int],
        clock: Clock,
        random: Random,
    ) -> None:
        self._client_id = client_id
        self._will_topic = will_topic
        self._broker = broker
        self._post = post
        self._backlog = backlog
        self._clock = clock
        self._random = random
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._client: Client | None = None
        self._epoch = 0
        self._version5 = True
        self._only_311 = False
        self._failures = 0
        self._rest = 0.0
        self._say_offline = True
        self.problem: Problem | None = None

    def start(self) -> None:
        """Begin to connect."""
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)
        self._thread.start()

    def publish(
        self,
        epoch: int,
        topic: str,
        payload: bytes,
        *,
        retain: bool = False,
        correlation: bytes | None = None,
    ) -> int | None:
        """Hand over a QoS 1 message; return the id of its PUBACK, None when this connection is gone."""
        client = self._of(epoch)
        return client.publish(topic, payload, retain=retain, correlation=correlation) if client else None

    def subscribe(self, epoch: int, *filters: str, qos: int = 1) -> int | None:
        """Ask for subscriptions; return the id of the answer, None when this connection is gone."""
        client = self._of(epoch)
        return client.subscribe(filters, qos) if client else None

    def unsubscribe(self, epoch: int, *filters: str) -> None:
        """Give subscriptions back."""
        client = self._of(epoch)
        if client:
            client.unsubscribe(filters)

    def acknowledge(self, message: Received) -> None:
        """Tell the broker that we have the message for good. One of an earlier connection will come again."""
        client = self._of(message.epoch)
        if client and message.qos:
            client.acknowledge(message.mid)

    def drop(self) -> None:
        """Cut the connection, whatever it thinks of itself: a new client is made."""
        client = self._client
        if client:
            client.cut()
        if self._thread and not self._thread.is_alive() and not self._closing.is_set():
            self.start()

    def rest(self, epoch: int, seconds: float) -> None:
        """Leave without a word, and come back after so many seconds."""
        client = self._of(epoch)
        if client:
            self._rest = seconds
            client.leave(say_offline=False)

    def close(self, *, say_offline: bool) -> None:
        """Leave, so that others learn it if they should. Returns within a second, also when the broker hangs."""
        self._say_offline = say_offline
        self._closing.set()
        client = self._client
        if client:
            client.leave(say_offline=say_offline)
        if self._thread:
            self._thread.join(_JOIN_SECONDS)
            if client and self._thread.is_alive():
                client.cut()
                self._thread.join(_JOIN_SECONDS)

    def _of(self, epoch: int) -> Client | None:
        client = self._client
        return client if client and client.epoch == epoch else None

    def _run(self) -> None:
        while not self._closing.is_set():
            started = self._clock.monotonic()
            end = self._connected_once()
            if self._closing.is_set():
                return
            if self._rest:
                seconds, self._rest = self._rest, 0.0
                self._pause(seconds)
                continue
            if end.problem != self.problem:
                log.info("%s", end.problem.text)
            self.problem = end.problem
            if self._version5 and end.kind in {"version", "closed_early", "silent"}:
                # A broker of 3.1.1 says so with 132, or hangs up, or waits for the rest of what it cannot read.
                self._version5, self._only_311 = False, end.kind == "version"
                continue
            self._version5 = not self._only_311
            self._failures = failures_after(end, self._clock.monotonic() - started, self._failures)
            self._pause(pause_after(end, self._failures, self._random.uniform(0.7, 1.3)))
            self._failures += 1

    def _pause(self, seconds: float) -> None:
        until = self._clock.monotonic() + seconds
        while (left := until - self._clock.monotonic()) > 0 and not self._closing.is_set():
            self._closing.wait(min(left, _LOOK_SECONDS))

    def _connected_once(self) -> End:
        """Connect, stay until the end, and return how it came."""
        address: BrokerAddress | None = None
        client: Client | None = None
        try:
            address = self._broker()
            self._epoch += 1
            client = Client(
                epoch=self._epoch,
                client_id=self._client_id,
                will_topic=self._will_topic,
                version5=self._version5 and address.version5,
                username=address.username,
                password=address.password,
                tls=address.tls,
                post=self._post,
            )
            client.open(address.host, address.port)
            self._client = client
            if self._stay(client):
                return end_of(client, address)
            return silent(address)
        except CalbotError as error:
            text = str(error)
        except (OSError, ValueError) as error:
            return unanswered(address, error)
        except Exception:
            log.exception("The MQTT connection broke in a way that nobody expected.")
            text = f"The connection to the broker at {address} broke; trying again."
        finally:
            self._client = None
            if client:
                client.discard()
                self._post(Disconnected(client.epoch))
        return End("unanswered", Problem("broker_unreachable", text))

    def _stay(self, client: Client) -> bool:
        """Serve the connection to its end; return False when the broker never greeted us."""
        deadline = self._clock.monotonic() + CONNACK_SECONDS
        if self._closing.is_set():
            client.leave(say_offline=self._say_offline)
        while True:
            while self._backlog() > MOST_POSTS and not self._closing.is_set():
                self._closing.wait(0.002)
            if not client.loop(LOOP_SECONDS):
                return True
            if client.connected:
                self.problem = None
            elif self._clock.monotonic() > deadline:
                return False
