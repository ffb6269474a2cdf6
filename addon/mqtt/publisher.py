"""The outbox goes out: in order, one at a time per stream while its gate is open, and marked once heard."""

import logging
import sqlite3
from collections.abc import Callable
from typing import Literal, get_args

import msgspec

from addon.mqtt import messages
from addon.mqtt.encoding import Voice
from addon.mqtt.gate import Gate
from addon.mqtt.sending import Message, Retained, Sender
from addon.mqtt.topics import Topics
from calbot.errors import StoreError
from calbot.model import Outgoing, Stream
from calbot.ports import Clock
from calbot.status import Snapshot
from calbot.store import outbox, switches
from calbot.store.database import Database

STREAMS: tuple[Stream, ...] = get_args(Stream)
AFTER_TROUBLE = 5.0
SOON = 0.05
"""What was heard is written down with the next try when that comes so soon: one commit for each event."""

log = logging.getLogger(__name__)


class Publisher:
    """Publishes the rows of the outbox. Only the bridge's thread works here."""

    def __init__(
        self,
        *,
        topics: Topics,
        voice: Voice,
        snapshot: Callable[[], Snapshot],
        database: Database,
        sender: Sender,
        retained: Retained,
        clock: Clock,
    ) -> None:
        self._topics = topics
        self._voice = voice
        self._snapshot = snapshot
        self._database = database
        self._sender = sender
        self._retained = retained
        self._clock = clock
        self._gates: dict[Stream, Gate] = dict.fromkeys(STREAMS, Gate())
        self._in_flight: dict[tuple[int, int], tuple[Outgoing, bytes]] = {}
        self._heard: dict[Stream, list[int]] = {stream: [] for stream in STREAMS}
        self._maybe_more: set[Stream] = set(STREAMS)
        self._not_before = 0.0
        self._first = True

    @property
    def unheard(self) -> bool:
        """True while nobody subscribes to a stream and Home Assistant was never seen."""
        return any(gate.connected and gate.unheard and not gate.seen for gate in self._gates.values())

    @property
    def idle(self) -> bool:
        """True while nothing is on its way and nothing more can be sent at present."""
        gates = [self._gates[stream] for stream in self._maybe_more]
        return not self._in_flight and not any(gate.connected and gate.open for gate in gates)

    def open(self) -> None:
        """Read whether Home Assistant was ever seen."""
        if switches.fact(self._database.read(), switches.HOME_ASSISTANT_SEEN):
            self._gates = dict.fromkeys(STREAMS, Gate(seen=True))

    def connected(self, *, tells_subscribers: bool) -> None:
        """Begin again on a new connection, behind its announcements."""
        self._in_flight.clear()
        now, first, self._first = self._clock.monotonic(), self._first, False
        for stream, gate in self._gates.items():
            self._gates[stream] = gate.after_connect(now, first=first, tells_subscribers=tells_subscribers)
        self.news()

    def disconnected(self) -> None:
        """Forget what was on its way: it is still in the outbox."""
        self._in_flight.clear()
        for stream, gate in self._gates.items():
            self._gates[stream] = gate.after_disconnect()

    def status(self, payload: bytes, *, retained: bool) -> None:
        """Take in what `homeassistant/status` says."""
        words: dict[bytes, Literal["online", "offline"]] = {b"online": "online", b"offline": "offline"}
        word = words.get(payload.strip())
        if word is None:
            return
        if not all(gate.seen for gate in self._gates.values()):
            with self._database.write() as tx:
                switches.remember(tx, switches.HOME_ASSISTANT_SEEN, "1")
        now = self._clock.monotonic()
        for stream, gate in self._gates.items():
            self._gates[stream] = gate.after_status(word, now, retained=retained)

    def announce_at(self) -> float | None:
        """Return when states are to be told again after a birth; None when there was none."""
        return self._gates["calendar"].announce_at

    def announced(self) -> None:
        """Note that they were told."""
        for stream, gate in self._gates.items():
            self._gates[stream] = gate.after_announcing()
        self.news()

    def news(self) -> None:
        """Note that the outbox may have new rows."""
        self._maybe_more.update(STREAMS)

    def acknowledged(self, epoch: int, mid: int, code: int) -> None:
        """Take in the broker's word on an event."""
        row, body = self._in_flight.pop((epoch, mid), (None, b""))
        if row is None:
            return
        gate = self._gates[row.stream]
        self._gates[row.stream] = gate.after_puback(code, self._clock.monotonic())
        if code:
            log.debug("Nobody took the event %s (0x%02X); it waits.", row.id, code)
            return
        self._heard[row.stream].append(row.seq)
        if row.stream == "calendar":
            self._retained.put(self._topics.last_event, body)

    def step(self) -> float | None:
        """Publish what may go now; return when the next may, None when something has to happen first."""
        now = self._clock.monotonic()
        if now < self._not_before:
            return self._not_before
        try:
            dues = [self._step(stream, now) for stream in STREAMS]
            soon = any(due is not None and due <= now + SOON for due in dues)
            if not soon and not self._in_flight:
                self._mark()
        except (StoreError, sqlite3.Error) as error:
            log.warning("Events wait, because the store cannot be used: %s", error)
            self._not_before = now + AFTER_TROUBLE
            return self._not_before
        return min((due for due in dues if due is not None), default=None)

    def _step(self, stream: Stream, now: float) -> float | None:
        gate = self._gates[stream]
        due = gate.may_publish_at()
        if due is None or stream not in self._maybe_more or self._is_busy(stream) or not self._sender.has_room:
            return None
        if due > now:
            return due
        row = self._next(stream)
        if row is None:
            self._maybe_more.discard(stream)
            return None
        body = self._body(row)
        if body is None:
            self._heard[stream].append(row.seq)
            return now
        self._mark(trying=row)
        sent = self._sender.send_at_once(Message(self._topics.event(stream), body))
        if sent is not None:
            self._in_flight[sent] = (row, body)
            self._gates[stream] = gate.after_publish(now)
        return None

    def _is_busy(self, stream: Stream) -> bool:
        return any(row.stream == stream for row, _ in self._in_flight.values())

    def _next(self, stream: Stream) -> Outgoing | None:
        heard = self._heard[stream]
        while True:
            try:
                rows = outbox.waiting(self._database.read(), stream, limit=len(heard) + 1)
            except msgspec.MsgspecError:
                self._skip_unreadable(stream)
                continue
            return next((row for row in rows if row.seq not in heard), None)

    def _skip_unreadable(self, stream: Stream) -> None:
        """Step over the oldest row, or the ones before it, so that the rest goes out."""
        self._mark()
        select = "SELECT seq FROM outbox WHERE stream = ? AND state = 'waiting' ORDER BY seq LIMIT 1"
        row = self._database.read().execute(select, (stream,)).fetchone()
        if row:
            log.error("Event %d of the stream %s cannot be read; it is left out.", row[0], stream)
            self._heard[stream].append(int(row[0]))
            self._mark()

    def _body(self, row: Outgoing) -> bytes | None:
        aids = {account.email: account.aid for account in self._snapshot().accounts}
        try:
            return messages.event(self._voice, row, aids, self._clock.now())
        except Exception:
            log.exception("Event %s cannot be told; it is left out.", row.id)
            return None

    def _mark(self, trying: Outgoing | None = None) -> None:
        """Write down what was heard and what is tried next, in one transaction."""
        if trying is None and not any(self._heard.values()):
            return
        with self._database.write() as tx:
            for stream, seqs in self._heard.items():
                outbox.mark_sent(tx, stream, seqs, self._clock.now())
            if trying:
                outbox.mark_tried(tx, trying.stream, trying.seq)
        for seqs in self._heard.values():
            seqs.clear()
