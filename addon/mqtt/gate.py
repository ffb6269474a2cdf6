"""When one stream's events may go out: a pure state machine over times of a clock that never runs back."""

import dataclasses
from typing import Literal, Self

PROBE_AFTER = 30.0
PROBE_AFTER_RECONNECT = 60.0
REANNOUNCE_AFTER = 1.0
APART = 0.005
"""Before 2026.8 Home Assistant merges events that come within one millisecond."""

NO_MATCHING_SUBSCRIBERS = 0x10


@dataclasses.dataclass(frozen=True, slots=True)
class Gate:
    """What is known about who listens to one stream.

    `seen` says that Home Assistant spoke at some time, `unheard` that nobody subscribes at the moment.
    `probe_at` is when one event may try a closed gate; None means that only a birth opens it. `announce_at`
    is when states are to be told again after a birth; the gate opens behind them.
    """

    connected: bool = False
    open: bool = True
    seen: bool = False
    unheard: bool = False
    tells_subscribers: bool = True
    probe_at: float | None = None
    probing: bool = False
    announce_at: float | None = None
    published_at: float | None = None

    def after_connect(self, now: float, *, first: bool, tells_subscribers: bool) -> Self:
        """Return the gate after we connected; `first` is true for the first time since the start.

        A broker that was away has lost Home Assistant too, and we cannot see when it comes back.
        """
        waits = self.seen and not first
        return dataclasses.replace(
            self,
            connected=True,
            tells_subscribers=tells_subscribers,
            open=not waits,
            probe_at=now + PROBE_AFTER_RECONNECT if waits else None,
            probing=False,
            announce_at=None,
        )

    def after_disconnect(self) -> Self:
        """Return the gate after our connection went."""
        return dataclasses.replace(self, connected=False, announce_at=None)

    def after_status(self, word: Literal["online", "offline"], now: float, *, retained: bool) -> Self:
        """Return the gate after `homeassistant/status`. A retained `online` may be older than the truth."""
        seen = dataclasses.replace(self, seen=True, probing=self.probing and retained)
        if word == "offline":
            # Without reason codes a probe would always look heard.
            probe_at = now + PROBE_AFTER if self.tells_subscribers else None
            return dataclasses.replace(seen, open=False, probe_at=probe_at, announce_at=None)
        return seen if retained else dataclasses.replace(seen, announce_at=now + REANNOUNCE_AFTER)

    def after_announcing(self) -> Self:
        """Return the gate after discovery and states were told again following a birth."""
        return dataclasses.replace(self, open=True, unheard=False, probe_at=None, probing=False, announce_at=None)

    def after_publish(self, now: float) -> Self:
        """Return the gate after an event went out: a probe is alone until it is answered."""
        probe_at = None if self.open else now + PROBE_AFTER
        return dataclasses.replace(self, published_at=now, probe_at=probe_at, probing=not self.open)

    def after_puback(self, code: int, now: float) -> Self:
        """Return the gate after the broker took an event, or said that nobody listens, or refused it."""
        if code:
            unheard = code == NO_MATCHING_SUBSCRIBERS
            return dataclasses.replace(self, open=False, unheard=unheard, probe_at=now + PROBE_AFTER, probing=False)
        if self.probing:
            return dataclasses.replace(self, open=True, unheard=False, probe_at=None, probing=False)
        return dataclasses.replace(self, unheard=False)

    def may_publish_at(self) -> float | None:
        """Return from when on the next event may go out; None: not before something happens."""
        if not self.connected:
            return None
        apart = 0.0 if self.published_at is None else self.published_at + APART
        if self.open:
            return apart
        return None if self.probe_at is None else max(apart, self.probe_at)
