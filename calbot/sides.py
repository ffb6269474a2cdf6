"""Both sides of all copies as Google has them now, each calendar read wholly; nothing is written anywhere."""

from collections.abc import Callable, Iterable, Iterator

import msgspec

from calbot.copyrules import calendar_of
from calbot.errors import GoogleError, NotFound, SignInNeeded
from calbot.model import CalendarKey, Event, Gone, Noun
from calbot.ports import Calendars
from calbot.store import calendars, copies, sourcing, switches, targets
from calbot.store.database import Database, Tx
from calbot.verify import Book, Compared, Side, compare

Connect = Callable[[str], Calendars]


class Verified(Noun, frozen=True):
    """What comparing came to, and a sentence for each calendar that could not be read."""

    compared: Compared
    problems: tuple[str, ...]


def verified(
    database: Database,
    connect: Connect,
    looked_at: Iterable[CalendarKey],
    targets: Iterable[str],
    tick: Callable[[], object],
) -> Verified:
    """Read all that is needed, wholly, and compare. Raises SignInNeeded.

    What differs is looked at once more: it may have been on its way.
    """
    look = _Reader(database, connect, frozenset(looked_at), frozenset(targets), tick)
    first = look.verified()
    if not first.compared.differences:
        return first
    again = look.verified()
    lasting = tuple(one for one in again.compared.differences if one in first.compared.differences)
    return Verified(msgspec.structs.replace(again.compared, differences=lasting), again.problems)


class _Reader:
    """Reads both sides of all copies from Google, and the store; it writes nothing."""

    def __init__(
        self,
        database: Database,
        connect: Connect,
        looked_at: frozenset[CalendarKey],
        targets: frozenset[str],
        tick: Callable[[], object],
    ) -> None:
        self._database = database
        self._connect = connect
        self._looked_at = looked_at
        self._targets = targets
        self._tick = tick
        self._google: dict[str, Calendars] = {}

    def verified(self) -> Verified:
        """Compare as things stand. Raises SignInNeeded."""
        tx = self._database.read()
        problems: list[str] = []
        used = {
            CalendarKey(source.key.account, source.key.calendar)
            for behind in _book(tx).sources.values()
            for source in behind
            if source.link is not None
        }
        origins = dict(self._sides(tx, sorted(used & self._looked_at, key=repr), problems))
        writers, first = targets.writers(tx), min(key.account for key in self._looked_at)
        keys = [CalendarKey(writers.get(one, first), one) for one in sorted(self._targets | targets.in_use(tx))]
        sides = {calendar_of(key): side for key, side in self._sides(tx, keys, problems)}
        try:
            compared = compare(_book(self._database.read()), origins, sides, self._look)
        except SignInNeeded:
            raise
        except GoogleError as error:
            problems.append(str(error))
            compared = compare(Book((), {}), {}, {}, self._look)
        return Verified(compared, tuple(dict.fromkeys(problems)))

    def _sides(self, tx: Tx, keys: Iterable[CalendarKey], problems: list[str]) -> Iterator[tuple[CalendarKey, Side]]:
        """Yield the calendars that can be read; say of the others why they cannot."""
        for key in keys:
            known = calendars.known(tx, key)
            try:
                yield key, self._whole(key, known.name if known is not None else "")
            except SignInNeeded:
                raise
            except GoogleError as error:
                problems.append(f"{key.account}, calendar {key.calendar}: {error}")

    def _whole(self, key: CalendarKey, name: str) -> Side:
        """Read a calendar from the first page to the last."""
        events: dict[str, Event] = {}
        gone: dict[str, Gone] = {}
        unreadable: set[str] = set()
        following: str | None = None
        while True:
            self._tick()
            page = self._calendars(key.account).page(key.calendar, sync_token=None, page_token=following)
            for change in page.changes:
                if isinstance(change, Event):
                    gone.pop(change.id, None)
                    events[change.id] = change
                else:
                    events.pop(change.id, None)
                    gone[change.id] = change
            unreadable |= {one.id for one in page.unreadable}
            following = page.next_page
            if following is None:
                return Side(
                    key.account, name or page.calendar_name or key.calendar, events, gone, frozenset(unreadable)
                )

    def _look(self, account: str, calendar: str, event_id: str) -> Event | None:
        self._tick()
        try:
            return self._calendars(account).get(calendar, event_id)
        except NotFound:
            return None

    def _calendars(self, account: str) -> Calendars:
        if account not in self._google:
            self._google[account] = self._connect(account)
        return self._google[account]


def _book(tx: Tx) -> Book:
    known = tuple(copies.all_of(tx))
    waiting = {
        copy.id
        for copy in known
        if any(deed.verb in {"mirror", "remove_copy"} for deed in copies.open_deeds(tx, copy.id))
    }
    return Book(
        known,
        {copy.id: sourcing.sources(tx, copy.id) for copy in known},
        frozenset(waiting),
        switches.fact(tx, "iid") or "",
    )
