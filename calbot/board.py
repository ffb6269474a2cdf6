"""The snapshot of how everything is: one frozen value, replaced whole by whoever has news."""

import logging
import threading
from collections.abc import Callable

import msgspec

from calbot.status import AccountStatus, Snapshot

QUARTER = 900.0
KEPT_QUARTERS = 100
"""A day of them, and an hour."""
log = logging.getLogger(__name__)


class Board:
    """Keeps the snapshot. `told` is called when others should look at it anew."""

    def __init__(self, snapshot: Snapshot, told: Callable[[], None]) -> None:
        self.snapshot = snapshot
        self._told = told
        self._lock = threading.Lock()
        self._left: set[str] = set()
        self._reads: dict[int, int] = {}

    def replace(self, **parts: object) -> None:
        """Put up a snapshot with these parts changed."""
        with self._lock:
            self.snapshot = msgspec.structs.replace(self.snapshot, **parts)

    def report(self, status: AccountStatus) -> None:
        """Take in how an account is doing."""
        with self._lock:
            if status.email in self._left:
                return
            others = {known.email: known for known in self.snapshot.accounts}
            before = others.get(status.email)
            if before is not None:
                self._count(before, status)
            accounts = tuple({**others, status.email: status}.values())
            self.snapshot = msgspec.structs.replace(self.snapshot, accounts=accounts)
        if before != status:
            self._told()

    def _count(self, before: AccountStatus, after: AccountStatus) -> None:
        """Count the readings that went well, by quarters of an hour."""
        known = {one.key: one.last_success for one in before.calendars}
        for one in after.calendars:
            if one.last_success is not None and one.last_success != known.get(one.key):
                quarter = int(one.last_success // QUARTER)
                self._reads = {at: count for at, count in self._reads.items() if at > quarter - KEPT_QUARTERS}
                self._reads[quarter] = self._reads.get(quarter, 0) + 1

    def reads(self, since: float) -> int:
        """Return how often calendars were read well since then (epoch seconds), as far as this process remembers."""
        return sum(count for quarter, count in self._reads.items() if (quarter + 1) * QUARTER > since)

    def note_syncing(self, account: str, syncing: bool) -> None:  # noqa: FBT001 - one state, told
        """Take in that a whole calendar is being read, or was."""
        known = self.of(account)
        if known is not None and known.syncing != syncing:
            self.report(msgspec.structs.replace(known, syncing=syncing))

    def of(self, account: str) -> AccountStatus | None:
        """Return how an account is doing."""
        return {status.email: status for status in self.snapshot.accounts}.get(account)

    def take_down(self, account: str) -> None:
        """Show an account that was removed no longer."""
        with self._lock:
            self._left.add(account)
            accounts = tuple(status for status in self.snapshot.accounts if status.email != account)
            self.snapshot = msgspec.structs.replace(self.snapshot, accounts=accounts)
        self._told()

    def put_back(self, account: str) -> None:
        """Show an account again that was removed before."""
        with self._lock:
            self._left.discard(account)

    def note(self, sentence: str) -> None:
        """Show a sentence to people for as long as this process lives."""
        log.warning("%s", sentence)
        with self._lock:
            self.snapshot = msgspec.structs.replace(self.snapshot, notes=(*self.snapshot.notes, sentence))

    def forget(self, sentence: str) -> None:
        """Show a sentence no longer that was noted before."""
        with self._lock:
            notes = tuple(note for note in self.snapshot.notes if note != sentence)
            self.snapshot = msgspec.structs.replace(self.snapshot, notes=notes)

    def note_disk(self, problem: str | None) -> None:
        """Take in how the store is, for whoever judges."""
        if problem != self.snapshot.disk_problem:
            if problem is not None:
                log.warning("%s", problem)
            self.replace(disk_problem=problem)
            self._told()

    def note_clock(self, off: float | None) -> None:
        """Take in how our clock stands against Google's, as far as minutes go."""
        minutes = None if off is None else round(off / 60) * 60.0
        if minutes != self.snapshot.clock_off:
            self.replace(clock_off=minutes)
            self._told()

    def note_unwritable(self, targets: tuple[str, ...]) -> None:
        """Take in on which target calendars nobody may write."""
        if targets != self.snapshot.unwritable:
            self.replace(unwritable=targets)
            self._told()

    def note_broker(self, *, connected: bool, problem: str | None, advice: str | None) -> None:
        """Take in how the broker is, and what would make Home Assistant listen to it."""
        known = self.snapshot
        if (connected, problem, advice) != (known.broker_connected, known.broker_problem, known.broker_advice):
            self.replace(broker_connected=connected, broker_problem=problem, broker_advice=advice)
            self._told()
