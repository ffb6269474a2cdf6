"""One thread owns commands and outbox: it takes what the broker and the engine post, and answers both."""

import collections
import functools
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable
from typing import Protocol, assert_never

from addon.mqtt.announcer import About, Announcer
from addon.mqtt.commands import CommandRoad
from addon.mqtt.connection import BrokerAddress, Connection, MqttOptions
from addon.mqtt.counters import Counters
from addon.mqtt.encoding import Voice
from addon.mqtt.posts import (
    Acknowledged,
    Answered,
    Changed,
    Connected,
    Disconnected,
    Post,
    Received,
    Stop,
    Subscribed,
)
from addon.mqtt.publisher import Publisher
from addon.mqtt.sending import Retained, Sender
from addon.mqtt.session import Session
from addon.mqtt.states import Assess, States
from addon.mqtt.topics import Topics
from calbot.errors import StoreError
from calbot.model import Answer, Command
from calbot.ports import Clock, Random
from calbot.status import Snapshot
from calbot.store.database import Database

DRAIN_SECONDS = 0.25
LONGEST_WAIT = 5.0
AFTER_SURPRISE = 1.0
MOST_WAITING = 200
MOST_LATER = 2000
NOT_LISTENING = (
    "The broker works, but Home Assistant is not listening: add the MQTT integration "
    "(https://my.home-assistant.io/redirect/config_flow_start/?domain=mqtt)."
)

log = logging.getLogger(__name__)


class Listener(Protocol):
    """What an engine tells of news."""

    def changed(self) -> None:
        """Note that the snapshot was replaced or the outbox got rows."""
        ...

    def answered(self, command: Command, answer: Answer) -> None:
        """Note an answer to a command."""
        ...


class Engine(Protocol):
    """What the bridge needs of the engine."""

    @property
    def iid(self) -> str:
        """Return the installation's id."""
        ...

    @property
    def snapshot(self) -> Snapshot:
        """Return how everything is."""
        ...

    def carry_out(self, command: Command) -> None:
        """Do, or start to do, what a committed command says."""
        ...

    def answer(self, command: Command, answer: Answer) -> None:
        """Store a final answer, and tell it to the listeners."""
        ...

    def listen(self, listener: Listener) -> None:
        """Tell this listener of news from now on."""
        ...


class Bridge:
    """Between an opened engine and a broker.

    `broker` is asked for its address before every attempt; it may raise CalbotError with a sentence.
    """

    def __init__(
        self,
        *,
        engine: Engine,
        database: Database,
        broker: Callable[[], BrokerAddress],
        options: MqttOptions,
        assess: Assess,
        version: str,
        clock: Clock,
        random: Random,
    ) -> None:
        self._engine = engine
        self._clock = clock
        topics = Topics(options.base_topic)
        self._posts: queue.SimpleQueue[Post] = queue.SimpleQueue()
        self._connection = connection = Connection(
            client_id=f"calbot-{engine.iid}",
            will_topic=topics.availability,
            broker=broker,
            post=self._posts.put,
            backlog=self._posts.qsize,
            clock=clock,
            random=random,
        )
        voice = Voice(engine.iid, options.event_detail)
        self._sender = sender = Sender(connection)
        retained = Retained(sender)
        self._announcer = announcer = Announcer(
            topics=topics,
            voice=voice,
            engine=engine,
            about=About(version, options.panel),
            database=database,
            sender=sender,
        )
        self._counters = Counters(topics=topics, voice=voice, database=database, retained=retained, clock=clock)
        self._states = states = States(
            topics=topics,
            voice=voice,
            engine=engine,
            assess=assess,
            version=version,
            database=database,
            retained=retained,
            clock=clock,
        )
        self._road = road = CommandRoad(
            topics=topics,
            voice=voice,
            engine=engine,
            database=database,
            sender=sender,
            retained=retained,
            acknowledge=connection.acknowledge,
            ours={"republish": self._republish},
            clock=clock,
            random=random,
        )
        self._publisher = publisher = Publisher(
            topics=topics,
            voice=voice,
            snapshot=lambda: engine.snapshot,
            database=database,
            sender=sender,
            retained=retained,
            clock=clock,
        )
        self._session = Session(
            iid=engine.iid,
            topics=topics,
            line=connection,
            sender=sender,
            retained=retained,
            announcer=announcer,
            states=states,
            road=road,
            publisher=publisher,
            clock=clock,
            random=random,
        )
        self._thread: threading.Thread | None = None
        self._later: collections.deque[Received] = collections.deque()
        self._news_posted = False
        self._stop_at: float | None = None
        self._next_event_at: float | None = None
        self._not_before = 0.0

    def start(self) -> None:
        """Take up what was left undone and begin to connect, in threads of our own."""
        self._engine.listen(self)
        self._thread = threading.Thread(target=self._run, name="bridge", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Say goodbye and end. Returns within a second, whatever broker and store do."""
        self._stop_at = self._clock.monotonic() + DRAIN_SECONDS
        self._posts.put(Stop())
        if self._thread:
            self._thread.join(DRAIN_SECONDS + 0.05)
        self._connection.close(say_offline=self._session.speaking)

    def changed(self) -> None:
        """Note that the snapshot was replaced or the outbox got rows; from any thread."""
        if not self._news_posted:
            self._news_posted = True
            self._posts.put(Changed())

    def answered(self, command: Command, answer: Answer) -> None:
        """Note an answer to a command; from any thread."""
        self._posts.put(Answered(command, answer))

    @property
    def connected(self) -> bool:
        """True while we speak on the broker and commands reach us."""
        return self._session.listening

    @property
    def problem(self) -> str | None:
        """Why we do not, as a sentence; None when we do, or have not tried yet."""
        trouble = self._session.problem or self._connection.problem
        return trouble.text if trouble else None

    @property
    def problem_code(self) -> str | None:
        """The same as a word: broker_unreachable, broker_refused, duplicate_instance."""
        trouble = self._session.problem or self._connection.problem
        return trouble.code if trouble else None

    @property
    def advice(self) -> str | None:
        """What would make events arrive, when nobody listens to them; no fault of ours."""
        return NOT_LISTENING if self.connected and self._publisher.unheard else None

    def _run(self) -> None:
        self._guarded(self._publisher.open)
        self._guarded(self._road.open)
        self._guarded(self._announcer.open)
        self._connection.start()
        self._guarded(self._road.take_up_unfinished)
        while self._stop_at is None or (self._clock.monotonic() < self._stop_at and not self._publisher.idle):
            try:
                post = self._posts.get(timeout=self._wait())
            except queue.Empty:
                post = None
            if post is not None:
                self._guarded(functools.partial(self._take, post))
            if self._clock.monotonic() >= self._not_before and not self._guarded(self._step):
                self._not_before = self._clock.monotonic() + AFTER_SURPRISE

    def _wait(self) -> float:
        """Return how long nothing is due."""
        dues = [self._session.due(), self._next_event_at]
        if self._session.speaking:
            dues += [self._states.due(), self._counters.due()]
        now = self._clock.monotonic()
        soonest = min((due for due in dues if due is not None), default=now + LONGEST_WAIT)
        return max(0.0, max(soonest, self._not_before) - now)

    def _take(self, post: Post) -> None:
        match post:
            case Received():
                self._receive(post)
            case Acknowledged():
                self._sender.acknowledged(post.epoch, post.mid)
                self._publisher.acknowledged(post.epoch, post.mid, post.code)
                self._session.acknowledged(post)
                while self._later and self._sender.waiting <= MOST_WAITING:
                    self._session.received(self._later.popleft())
                self._road.confirm()
                self._announcer.confirm()
            case Answered():
                self._road.answered(post.command, post.answer)
            case Changed():
                self._news_posted = False
                self._states.news()
                self._publisher.news()
            case Connected():
                self._session.connected(post)
            case Disconnected():
                self._session.disconnected(post.epoch)
                self._later.clear()
            case Subscribed():
                self._session.subscribed(post)
            case Stop():
                self._publisher.news()
            case _:
                assert_never(post)

    def _receive(self, message: Received) -> None:
        """Take a message in, but not faster than answers go out.

        With QoS 1 the broker then waits, because it is not acknowledged; of QoS 0 what is too much is dropped.
        """
        if self._stop_at is not None:
            return  # with QoS 1 it comes again at the next start
        if not self._later and self._sender.waiting <= MOST_WAITING:
            self._session.received(message)
        elif message.qos or len(self._later) < MOST_LATER:
            self._later.append(message)

    def _step(self) -> None:
        self._session.step()
        if self._session.speaking:
            self._states.step()
            self._counters.step()
        self._next_event_at = self._publisher.step()

    def _republish(self) -> Answer:
        self._announcer.republish()
        self._states.tell_everything()
        return Answer(status="ok", message="Everything is announced to Home Assistant again.")

    def _guarded(self, work: Callable[[], object]) -> bool:
        """Do a piece of work; say whether it came to its end. The bulkhead: whatever happens, the next is done."""
        try:
            work()
        except (StoreError, sqlite3.Error) as error:
            log.warning("The MQTT bridge cannot use the store: %s", error)
        except Exception:
            log.exception("A surprise in the MQTT bridge; it goes on.")
        else:
            return True
        return False
