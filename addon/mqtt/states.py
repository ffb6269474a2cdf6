"""The retained states: told when they change, and again when somebody may have missed them."""

import math
import re
from collections.abc import Callable
from typing import Protocol

from addon.mqtt import messages
from addon.mqtt.encoding import Voice
from addon.mqtt.requests import COMMANDS
from addon.mqtt.sending import Retained
from addon.mqtt.topics import Topics
from calbot.ports import Clock
from calbot.status import Health, Snapshot
from calbot.store import outbox
from calbot.store.database import Database

HEALTH_EVERY = 60.0
REFRESH_EVERY = 5.0
REFRESH_APART = 0.2
AGAIN_EVERY = 6 * 3600.0
_TS = re.compile(rb'"ts":"[^"]*"')

Assess = Callable[[Snapshot, float], Health]


class Reporting(Protocol):
    """Who has the snapshot."""

    @property
    def snapshot(self) -> Snapshot:
        """Return how everything is."""
        ...


class States:
    """Tells info, state, health, settings and accounts. Only the bridge's thread works here."""

    def __init__(
        self,
        *,
        topics: Topics,
        voice: Voice,
        engine: Reporting,
        assess: Assess,
        version: str,
        database: Database,
        retained: Retained,
        clock: Clock,
    ) -> None:
        self._topics = topics
        self._voice = voice
        self._engine = engine
        self._assess = assess
        self._version = version
        self._database = database
        self._retained = retained
        self._clock = clock
        self._told: dict[str, bytes] = {}
        self._accounts: set[str] = set()
        self._level: str | None = None
        self._since = 0.0
        self._healthy: object = None
        self._dirty = False
        self._refresh_at = 0.0
        self._refreshed_at = 0.0
        self._health_at = 0.0
        self._again_at = math.inf

    def news(self) -> None:
        """Note that the snapshot was replaced."""
        self._dirty = True

    def remember_accounts(self, aids: tuple[str, ...]) -> None:
        """Note accounts that an earlier run told of, so that those that are gone are cleared."""
        self._accounts.update(aid for aid in aids if re.fullmatch(r"[a-z0-9]{1,16}", aid))

    def tell_everything(self) -> None:
        """Tell all states as they are now, whether they changed or not."""
        self.refresh()
        self.tell_again()

    def tell_again(self) -> None:
        """Tell all states as they were told last."""
        self._retained.again()
        self._again_at = self._clock.monotonic() + AGAIN_EVERY

    def due(self) -> float:
        """Return when `step` has something to do."""
        soonest = min(self._refresh_at, self._health_at, self._again_at)
        return min(soonest, self._refreshed_at + REFRESH_APART) if self._dirty else soonest

    def step(self) -> None:
        """Tell what changed, and what is owed by the time."""
        now = self._clock.monotonic()
        if now >= self._again_at:
            self.tell_everything()
        elif now >= self.due():
            self.refresh()

    def refresh(self) -> None:
        """Tell what changed."""
        now, monotonic = self._clock.now(), self._clock.monotonic()
        self._dirty = False
        self._refreshed_at, self._refresh_at = monotonic, monotonic + REFRESH_EVERY
        snapshot = self._engine.snapshot
        health = self._assess(snapshot, now)
        if health.level != self._level:
            self._since = snapshot.started_at if self._level is None else now
            self._level = health.level
        voice, topics = self._voice, self._topics
        self._tell(topics.info, messages.info(voice, snapshot, self._version, [*COMMANDS], now))
        self._tell(topics.settings, messages.settings(voice, snapshot, now))
        self._tell(topics.state, messages.state(voice, snapshot, health, self._since, now))
        self._tell(topics.alerts, messages.alerts(voice, health, now))
        for account in snapshot.accounts:
            self._tell(
                topics.account_state(account.aid), messages.account_state(voice, account, snapshot.settings, now)
            )
        self._clear_gone({account.aid for account in snapshot.accounts})
        held = sum(account.held for account in snapshot.accounts)
        healthy = (health.level, len(health.reasons), messages.push(snapshot), held)
        if monotonic >= self._health_at:
            self._retained.put(topics.availability, b"online")  # somebody may have said otherwise of us
        if healthy != self._healthy or monotonic >= self._health_at:
            self._healthy, self._health_at = healthy, monotonic + HEALTH_EVERY
            waiting = outbox.depth(self._database.read())
            self._retained.put(topics.health, messages.health(voice, snapshot, health, waiting, now))

    def _tell(self, topic: str, body: bytes) -> None:
        content = _TS.sub(b"", body, count=1)
        if self._told.get(topic) != content:
            self._told[topic] = content
            self._retained.put(topic, body)

    def _clear_gone(self, aids: set[str]) -> None:
        for aid in self._accounts - aids:
            topic = self._topics.account_state(aid)
            self._told.pop(topic, None)
            self._retained.clear(topic)
        self._accounts = aids
