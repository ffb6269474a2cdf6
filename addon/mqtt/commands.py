"""The road of a command: refused or committed, acknowledged, accepted, carried out, answered."""

import collections
import dataclasses
import hashlib
import logging
import sqlite3
from collections.abc import Callable, Mapping
from typing import Protocol

from addon.mqtt import messages, requests
from addon.mqtt.encoding import Voice
from addon.mqtt.posts import Received
from addon.mqtt.requests import Refusal, Request, Value
from addon.mqtt.sending import Message, Retained, Sender
from addon.mqtt.topics import Topics
from calbot.errors import StoreError
from calbot.model import Answer, Command
from calbot.ports import Clock, Random
from calbot.status import Snapshot
from calbot.store import commands, switches
from calbot.store.database import Database

MOST_COMMANDS = 20
IN_SECONDS = 10.0
MOST_UNCONFIRMED = 40
SOURCE = "mqtt"
_UNCONFIRMED = "mqtt_unconfirmed"
_ACCEPTED = Answer(status="accepted", final=False)

log = logging.getLogger(__name__)


class Worker(Protocol):
    """Who carries commands out; the answer comes to its listeners."""

    def carry_out(self, command: Command) -> None:
        """Do, or start to do, what a committed command says."""
        ...

    def answer(self, command: Command, answer: Answer) -> None:
        """Store a final answer, and tell it to the listeners."""
        ...

    @property
    def snapshot(self) -> Snapshot:
        """Return how everything is."""
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class Reply:
    """Where else a requester wants the answer, and what it knows the answer by."""

    topic: str
    correlation: bytes | None


class CommandRoad:
    """Takes every message that comes in on a command topic. Only the bridge's thread walks here.

    `ours` has the commands that are about MQTT itself, which the engine does not know.
    """

    def __init__(
        self,
        *,
        topics: Topics,
        voice: Voice,
        engine: Worker,
        database: Database,
        sender: Sender,
        retained: Retained,
        acknowledge: Callable[[Received], None],
        ours: Mapping[str, Callable[[], Answer]],
        clock: Clock,
        random: Random,
    ) -> None:
        self._topics = topics
        self._voice = voice
        self._engine = engine
        self._database = database
        self._sender = sender
        self._retained = retained
        self._acknowledge = acknowledge
        self._ours = ours
        self._clock = clock
        self._random = random
        self._replies: dict[str, list[Reply]] = {}
        self._recent: collections.deque[float] = collections.deque()
        self._cleared: set[str] = set()
        self._resumed = False
        self._unconfirmed: dict[str, int | None] = {}

    def open(self) -> None:
        """Read which commands the broker may deliver once more."""
        self._unconfirmed = dict.fromkeys((switches.fact(self._database.read(), _UNCONFIRMED) or "").split())

    def connected(self, *, resumed: bool) -> None:
        """Note whether the broker remembers what it has given us before."""
        self._resumed = resumed
        self._cleared.clear()
        if not resumed and self._unconfirmed:
            self._unconfirmed.clear()
            self._write_unconfirmed()

    def disconnected(self) -> None:
        """Note that no acknowledgement on its way will be confirmed."""
        self._unconfirmed = dict.fromkeys(self._unconfirmed)

    def confirm(self) -> None:
        """Forget the commands whose acknowledgement the broker has: it answered what we said behind it."""
        answered = self._sender.answered
        had = [key for key, number in self._unconfirmed.items() if number is not None and number < answered]
        if had:
            for key in had:
                del self._unconfirmed[key]
            self._write_unconfirmed()

    def _settle(self, message: Received, command_id: str) -> None:
        """Acknowledge a command; the broker knows it once it answers something that we say after this."""
        self._acknowledge(message)
        if command_id in self._unconfirmed:
            self._unconfirmed[command_id] = self._sender.published

    def _write_unconfirmed(self) -> None:
        with self._database.write() as tx:
            switches.remember(tx, _UNCONFIRMED, " ".join(self._unconfirmed))

    def take_up_unfinished(self) -> None:
        """Carry out what was accepted before the last stop and never answered."""
        for command in commands.unfinished(self._database.read(), sources=(SOURCE,)):
            self._carry_out(command)

    def take(self, name: str, message: Received) -> None:
        """Walk the whole road with one message."""
        now = self._clock.now()
        asked = requests.parse(name, message.payload, now)
        replies = self._replies_to(message)
        match asked:
            case None:
                self._acknowledge(message)
            case _ if message.retained:
                self._acknowledge(message)
                self._refuse_retained(name, message.topic, asked.id, replies, now)
            case Refusal():
                self._acknowledge(message)
                self._say(name, asked.id, _error(asked.code, asked.message), replies, received=now)
            case Request():
                try:
                    self._take_request(asked, message, replies, now)
                except Exception as error:
                    known = isinstance(error, StoreError | sqlite3.Error)
                    log.warning("The command %s is refused: %s", asked.name, error, exc_info=not known)
                    self._acknowledge(message)
                    answer = _error("internal", "Calbot cannot use its store at present.", retry_after=60.0)
                    self._say(name, asked.id, answer, replies, received=now)

    def answered(self, command: Command, answer: Answer) -> None:
        """Tell the answer to everybody who asked for this command."""
        if command.source != SOURCE:
            return
        replies = self._replies.pop(command.id, []) if answer.final else self._replies.get(command.id, [])
        self._say(command.name, command.id, answer, replies, received=command.received)

    def _take_request(self, asked: Request, message: Received, replies: list[Reply], now: float) -> None:
        command_id = asked.id or self._made_id(message, now)
        known, answer = commands.known(self._database.read(), command_id, now)
        if known:
            self._settle(message, command_id)
            if answer is None:
                self._replies.setdefault(command_id, []).extend(replies)
            self._say(asked.name, command_id, answer or _ACCEPTED, replies, received=now, duplicate=True)
            return
        wait = self._too_many()
        if wait:
            text = f"More than {MOST_COMMANDS} commands in {IN_SECONDS:g} s. Send it again in {wait:g} s."
            self._settle(message, command_id)
            refusal = _error("rate_limited", text, retry_after=wait)
            self._say(asked.name, command_id, refusal, replies, received=now)
            return
        command = Command(name=asked.name, id=command_id, args=self._named(asked.args), source=SOURCE, received=now)
        trouble = self._commit(command, now)
        self._settle(message, command_id)
        if trouble:
            self._say(asked.name, command_id, trouble, replies, received=now)
            return
        self._replies[command_id] = replies
        self._say(asked.name, command_id, _ACCEPTED, replies, received=now)
        self._carry_out(command)

    def _commit(self, command: Command, now: float) -> Answer | None:
        """Write the command down; return what to answer when that fails."""
        try:
            try:
                with self._database.write() as tx:
                    commands.add(tx, command)
                    if command.id in self._unconfirmed:
                        switches.remember(tx, _UNCONFIRMED, " ".join(self._unconfirmed))
            except sqlite3.IntegrityError:  # the same id, more than a day ago
                with self._database.write() as tx:
                    commands.prune(tx, now)
                    commands.add(tx, command)
        except sqlite3.IntegrityError:
            return _error("busy", "A command with this id is still under way. Send another id.")
        except StoreError as error:
            return _error("internal", str(error), retry_after=60.0)
        return None

    def _named(self, args: dict[str, Value]) -> dict[str, Value]:
        """Return the arguments with the address of an account that was named by its short id."""
        wanted = args.get("account")
        if wanted is None:
            return args
        emails = {account.aid: account.email for account in self._engine.snapshot.accounts}
        return {**args, "account": emails.get(str(wanted), wanted)}

    def _carry_out(self, command: Command) -> None:
        try:
            ours = self._ours.get(command.name)
            if ours is None:
                self._engine.carry_out(command)
            else:
                self._engine.answer(command, ours())
        except Exception:
            log.exception("The command %s failed in a way that nobody expected.", command.name)
            self._engine.answer(command, _error("internal", "Calbot failed at this command; its log says more."))

    def _made_id(self, message: Received, now: float) -> str:
        """Return an id for a command that came without one: a redelivery gets the one of the first time.

        Brokers use a `mid` again. What can come once more is only what they may not know to be acknowledged.
        """
        if message.qos == 0:
            return f"auto-{self._random.token(8).hex()}"
        digest = hashlib.sha256(message.topic.encode() + b"\0" + message.payload).hexdigest()[:12]
        stem = f"auto-{message.mid}-{digest}-"
        if message.again and self._resumed:
            for known in self._unconfirmed:
                if known.startswith(stem):
                    return known
        number = 0
        while commands.known(self._database.read(), f"{stem}{number}", now)[0]:
            number += 1
        self._unconfirmed[f"{stem}{number}"] = None
        while len(self._unconfirmed) > MOST_UNCONFIRMED:
            del self._unconfirmed[next(iter(self._unconfirmed))]
        return f"{stem}{number}"

    def _too_many(self) -> float:
        """Count a command in; return the seconds until there is room when there is none."""
        now = self._clock.monotonic()
        while self._recent and now - self._recent[0] >= IN_SECONDS:
            self._recent.popleft()
        if len(self._recent) >= MOST_COMMANDS:
            return max(0.1, round(self._recent[0] + IN_SECONDS - now, 1))
        self._recent.append(now)
        return 0.0

    def _refuse_retained(self, name: str, topic: str, command_id: str | None, replies: list[Reply], now: float) -> None:
        text = "It was not carried out: retained, it would run again at each start. Send it without retain."
        self._say(name, command_id, _error("retained_rejected", text), replies, received=now)
        if topic not in self._cleared:
            self._cleared.add(topic)
            self._sender.send(Message(topic, b"", retain=True))

    def _replies_to(self, message: Received) -> list[Reply]:
        if message.response_topic is None:
            return []
        if not self._topics.may_answer_on(message.response_topic):
            log.info("The response topic %.100r is refused: answers do not go there.", message.response_topic)
            return []
        return [Reply(message.response_topic, message.correlation)]

    def _say(
        self,
        name: str,
        command_id: str | None,
        answer: Answer,
        replies: list[Reply],
        *,
        received: float,
        duplicate: bool = False,
    ) -> None:
        now = self._clock.now()
        body = messages.answer(self._voice, name, command_id, answer, now, received=received, duplicate=duplicate)
        usual = self._topics.response(name)
        if all(reply.topic != usual for reply in replies):
            self._sender.send(Message(usual, body, owed=answer.final))
        for reply in replies:
            self._sender.send(Message(reply.topic, body, correlation=reply.correlation, owed=answer.final))
        if answer.final:
            self._retained.put(self._topics.command_last, body)


def _error(code: str, message: str, *, retry_after: float | None = None) -> Answer:
    retryable = retry_after is not None
    return Answer(status="error", code=code, message=message, retryable=retryable, retry_after_s=retry_after)
