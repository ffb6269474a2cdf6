"""Which workers get on: each ticks while it does, and who has not ticked for too long stands still."""

import threading
from collections.abc import Collection

from calbot.ports import Clock

LONGEST_LOOK = 5.0
"""What counts at most of the time between two looks: a machine that stood still as a whole is no worker's fault."""


class Pulse:
    """Ticks come from the workers' threads, `look` from the one that watches; anybody may ask."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ticks: dict[str, float] = {}
        self._threads: dict[str, int] = {}
        self._still: dict[str, tuple[float, float]] = {}
        self._looked = clock.monotonic()

    def begins(self, account: str) -> None:
        """Note that this thread is the account's worker from now on."""
        self._threads[account] = threading.get_ident()
        self.ticked(account)

    def ticked(self, account: str) -> None:
        """Note that an account's worker gets on."""
        self._ticks[account] = self._clock.monotonic()

    def called(self, account: str) -> None:
        """Note that a call for the account begins; that of a slot says nothing about the worker."""
        if self._threads.get(account, threading.get_ident()) == threading.get_ident():
            self.ticked(account)

    def silence(self, accounts: Collection[str]) -> float:
        """Return for how many seconds the slowest of these has not got on."""
        now = self._clock.monotonic()
        return max((now - self._ticks[account] for account in accounts if account in self._ticks), default=0.0)

    def hung(self, accounts: Collection[str], seconds: float) -> tuple[str, ...]:
        """Return those of the accounts whose worker has not got on for so long."""
        return tuple(account for account in accounts if self.silence((account,)) >= seconds)

    def look(self, accounts: Collection[str]) -> None:
        """Count for how long each of these stands still, as who watches all of them sees it."""
        now = self._clock.monotonic()
        passed, self._looked = min(now - self._looked, LONGEST_LOOK), now
        still: dict[str, tuple[float, float]] = {}
        for account in accounts:
            tick = self._ticks.get(account, now)
            known, seconds = self._still.get(account, (tick, 0.0))
            still[account] = (tick, seconds + passed if tick == known else 0.0)
        self._still = still

    def longest_seen(self) -> float:
        """Return for how many seconds the slowest one was seen to stand still."""
        return max((seconds for _, seconds in self._still.values()), default=0.0)
