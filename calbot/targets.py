"""One account's part in who writes on target calendars: it offers itself where nobody does, and reads what it wrote."""

import logging

from calbot.copyrules import calendar_of
from calbot.errors import GoogleError, SignInNeeded
from calbot.house import House
from calbot.model import CalendarKey
from calbot.ports import Calendars, Clock
from calbot.store import targets
from calbot.store.database import Database

ASK_AGAIN = 600.0
"""Seconds between two looks whether the account may write on a calendar by now."""
_WRITES = frozenset({"writer", "owner"})
log = logging.getLogger(__name__)


class Targets:
    """Claims target calendars for an account. Each has one writer; another takes over when that one is signed out."""

    def __init__(
        self, account: str, calendars: tuple[str, ...], house: House, database: Database, clock: Clock
    ) -> None:
        self._account = account
        self._read = {calendar_of(CalendarKey(account, calendar)) for calendar in calendars}
        self._house = house
        self._database = database
        self._clock = clock
        self._ask_at: dict[str, float] = {}

    def own(self) -> tuple[str, ...]:
        """Return the calendars that this account writes and does not read as sources anyway."""
        writers = targets.writers(self._database.read())
        mine = {target for target, account in writers.items() if account == self._account}
        return tuple(sorted((mine & self._wanted()) - self._read))

    def tend(self, google: Calendars) -> bool:
        """Claim what nobody writes and this account may write; say whether there was such. Raises SignInNeeded."""
        writers, now, claimed = targets.writers(self._database.read()), self._clock.monotonic(), False
        for target in sorted(self._wanted()):
            writer = writers.get(target)
            if writer is not None and (writer == self._account or self._house.works(writer)):
                continue
            if self._ask_at.get(target, now) > now:
                continue
            self._ask_at[target] = now + ASK_AGAIN
            if self._may_write(target, google):
                claimed |= self._claim(target, writer)
        return claimed

    def next_due(self) -> float:
        """Return in how many seconds a calendar without a writer is asked about again."""
        writers, now = targets.writers(self._database.read()), self._clock.monotonic()
        waits = [
            self._ask_at.get(target, now) - now
            for target in self._wanted()
            if (writer := writers.get(target)) is None or not (writer == self._account or self._house.works(writer))
        ]
        return max(0.0, min(waits, default=ASK_AGAIN))

    def lost(self, target: str) -> None:
        """Have somebody else write on a calendar that does not let this account any more."""
        with self._database.write() as tx:
            targets.release(tx, target, self._account)
        self._ask_at[target] = self._clock.monotonic() + ASK_AGAIN
        log.warning("%s may no longer write to the calendar %s.", self._account, target)

    def _wanted(self) -> set[str]:
        rules = self._house.orders(self._account).policy.rules
        return {rule.mirror for rule in rules if rule.mirror is not None} | targets.in_use(self._database.read())

    def _may_write(self, target: str, google: Calendars) -> bool:
        try:
            return google.role(target) in _WRITES
        except SignInNeeded:
            raise
        except GoogleError as error:
            log.debug("Whether %s may write to %s is not known: %s", self._account, target, error)
            return False

    def _claim(self, target: str, instead_of: str | None) -> bool:
        with self._database.write() as tx:
            if targets.writer(tx, target) != instead_of:  # Another account was faster.
                return False
            targets.claim(tx, target, self._account, self._clock.now())
        log.info("%s writes the copies on %s.", self._account, target)
        return True
