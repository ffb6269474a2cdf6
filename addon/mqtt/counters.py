"""Totals of what happened, counted from the outbox; they go on over restarts and outlive its rows."""

import msgspec

from addon.mqtt import messages
from addon.mqtt.encoding import Voice
from addon.mqtt.sending import Retained
from addon.mqtt.topics import Topics
from calbot.ports import Clock
from calbot.store import switches
from calbot.store.database import Database

TELL_EVERY = 30.0
MOST_ROWS = 2000
_FACT = "counters"


class _Totals(msgspec.Struct, frozen=True):
    """How far the stream was counted, and what of."""

    seq: int = 0
    totals: dict[str, int] = {}


class _Kind(msgspec.Struct):
    event_type: str


_kind = msgspec.msgpack.Decoder(_Kind).decode


class Counters:
    """Counts and tells, at most every 30 seconds. Only the bridge's thread works here."""

    def __init__(self, *, topics: Topics, voice: Voice, database: Database, retained: Retained, clock: Clock) -> None:
        self._topics = topics
        self._voice = voice
        self._database = database
        self._retained = retained
        self._clock = clock
        self._counted: _Totals | None = None
        self._told: _Totals | None = None
        self._next_at = 0.0

    def due(self) -> float:
        """Return when `step` has something to do."""
        return self._next_at

    def step(self) -> None:
        """Count what is new, and tell the totals when they changed."""
        now = self._clock.monotonic()
        if now < self._next_at:
            return
        self._next_at = now + TELL_EVERY
        counted = self._count(self._counted or self._read())
        if counted != self._told:
            self._told = counted
            body = messages.counters(self._voice, counted.totals, self._clock.now())
            self._retained.put(self._topics.counters, body)

    def _read(self) -> _Totals:
        found = switches.fact(self._database.read(), _FACT)
        try:
            return msgspec.json.decode(found, type=_Totals) if found else _Totals()
        except msgspec.MsgspecError:
            return _Totals()

    def _count(self, before: _Totals) -> _Totals:
        select = "SELECT seq, body FROM outbox WHERE stream = 'calendar' AND seq > ? ORDER BY seq LIMIT ?"
        rows = self._database.read().execute(select, (before.seq, MOST_ROWS)).fetchall()
        totals = dict(before.totals)
        for _, body in rows:
            try:
                kind = _kind(body).event_type
            except msgspec.MsgspecError:
                continue
            totals[kind] = totals.get(kind, 0) + 1
        if len(rows) == MOST_ROWS:
            self._next_at = 0.0
        self._counted = counted = _Totals(rows[-1][0] if rows else before.seq, totals)
        if rows:
            with self._database.write() as tx:
                switches.remember(tx, _FACT, msgspec.json.encode(counted).decode())
        return counted
