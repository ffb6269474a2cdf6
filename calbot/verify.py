"""Copies compared with their originals, all of them as Google has them now: what is not as it should be, by name."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Literal

import msgspec

from calbot.content import differences, place_in_series, read_back, shown, strictest
from calbot.identity import is_copy, is_own_copy, stands_alone
from calbot.model import CalendarKey, Change, Content, Copy, Event, EventKey, Gone, Noun
from calbot.owing import NO_COLOUR, meeting_mark
from calbot.policy import Link
from calbot.store.sourcing import Source

Kind = Literal["missing", "left_behind", "differs", "double", "copy_of_copy", "unknown"]
Look = Callable[[str, str, str], Event | None]
"""An event of an account's calendar by its id, as Google has it now; None when there is none such."""


class Side(Noun, frozen=True):
    """A calendar as Google has it now, read wholly by this account; `unreadable` are ids of what was not understood."""

    account: str
    name: str
    events: Mapping[str, Event]
    gone: Mapping[str, Gone] = {}
    unreadable: frozenset[str] = frozenset()

    def dates(self) -> Mapping[str, Mapping[str, Change]]:
        """Return the changed and the cancelled dates of each series by their places in it."""
        found: defaultdict[str, dict[str, Change]] = defaultdict(dict)
        changes: list[Change] = [*self.gone.values(), *self.events.values()]
        for change in changes:
            if change.series is not None:
                start = place_in_series(change.original_start, "") if change.original_start else ""
                found[change.series][start or change.id.rpartition("_")[2]] = change
        return found


class Book(Noun, frozen=True):
    """What the store says: every copy, what stands behind each, and those about which something is still to be done.

    `iid` is what this installation's stamps begin with.
    """

    copies: tuple[Copy, ...]
    sources: Mapping[int, Sequence[Source]]
    waiting: frozenset[int] = frozenset()
    iid: str = ""


class Difference(Noun, frozen=True, kw_only=True):
    """One thing that is not as it should be; `date` is the place in its series where it is about a single date."""

    kind: Kind
    target: str
    event_id: str
    title: str
    start: str
    text: str
    date: str = ""
    parts: tuple[str, ...] = ()


class Compared(Noun, frozen=True, kw_only=True):
    """What came of it: how many copies were compared, and how many were not, and why not.

    `others` are those that another installation has made, and that this one does not know.
    """

    copies: int
    calendars: int
    differences: tuple[Difference, ...]
    waiting: int
    by_hand: int
    kept: int
    unread: int
    others: int


class _Behind(Noun, frozen=True):
    key: EventKey
    link: Link
    event: Event
    place: int
    calendar_name: str

    def rank(self) -> tuple[bool, int, str, str, str]:
        return not self.event.organised_by_us, self.place, self.key.account, self.key.calendar, self.key.event


def compare(book: Book, origins: Mapping[CalendarKey, Side], targets: Mapping[str, Side], look: Look) -> Compared:
    """Compare every copy on these targets with what stands behind it on these origins.

    `look` is asked only about single dates where the two sides do not agree. Raises what `look` raises.
    """
    return _Comparison(book, origins, targets, look).result()


class _Comparison:
    def __init__(
        self, book: Book, origins: Mapping[CalendarKey, Side], targets: Mapping[str, Side], look: Look
    ) -> None:
        self._book = book
        self._origins = origins
        self._targets = targets
        self._look = look
        self._counts: Counter[str] = Counter()
        self._rows: defaultdict[int, dict[str, Copy]] = defaultdict(dict)
        for copy in book.copies:
            if copy.series is not None:
                self._rows[copy.series][copy.original_start] = copy
        self._origin_dates = {key: side.dates() for key, side in origins.items()}
        self._target_dates = {target: side.dates() for target, side in targets.items()}

    def result(self) -> Compared:
        found = [one for copy in self._book.copies if copy.series is None for one in self._whole(copy)]
        found += [one for target, side in self._targets.items() for one in self._strays(target, side)]
        return Compared(
            copies=self._counts["compared"],
            calendars=len({copy.target for copy in self._book.copies if copy.state == "live"}),
            differences=tuple(found),
            waiting=self._counts["waiting"],
            by_hand=self._counts["by hand"],
            kept=self._counts["kept"],
            unread=self._counts["unread"],
            others=self._counts["others"],
        )

    def _whole(self, copy: Copy) -> Iterator[Difference]:
        """Compare one copy, and the dates of it."""
        side, behind, aside = self._targets.get(copy.target), self._behind(copy), self._aside(copy)
        if aside is not None:
            self._counts[aside] += 1
            return
        if side is None or behind is None or copy.event_id in side.unreadable:
            self._counts["unread"] += copy.state == "live" or behind != []
            return
        found = side.events.get(copy.event_id)
        self._counts["compared"] += bool(behind or found)
        if not behind:
            if found is not None and stands_alone(found.copy_of):
                self._counts["kept"] += 1
            elif found is not None:
                yield _difference("left_behind", copy, found, "It is still there, though nothing asks for it.")
            return
        if found is None:
            yield _difference("missing", copy, behind[0].event, "There is no copy.")
            return
        meant = _meant(copy, behind)
        parts = differences(meant, read_back(found))
        if parts:
            yield _difference("differs", copy, found, f"It differs in {', '.join(parts)}.", parts=parts)
        if meant.recurrence and found.recurrence:
            yield from self._dates(copy, behind)

    def _aside(self, copy: Copy) -> str | None:
        """Return what a copy counts as that is not compared; None for one that is."""
        if copy.id in self._book.waiting:
            return "waiting"
        return {"deleted": "by hand", "kept": "kept"}.get(copy.state)

    def _behind(self, copy: Copy) -> list[_Behind] | None:
        """Return what stands behind a copy and is there, the first one the one whose word counts; None: not known."""
        found = []
        for source in self._book.sources.get(copy.id, ()):
            side = self._origins.get(CalendarKey(source.key.account, source.key.calendar))
            if source.link is None:
                continue
            if side is None or source.key.event in side.unreadable:
                return None
            event = side.events.get(source.key.event)
            if event is not None:
                found.append(_Behind(source.key, source.link, event, source.place, side.name))
        return sorted(found, key=_Behind.rank)

    def _dates(self, copy: Copy, behind: list[_Behind]) -> Iterator[Difference]:
        """Compare the dates of a copied series at which either side is not as its series."""
        rows = self._rows[copy.id]
        shown_dates = self._target_dates[copy.target].get(copy.event_id, {})
        theirs = [self._origin_dates[_calendar(one)].get(one.key.event, {}) for one in behind]
        places = {*shown_dates, *(start for dates in theirs for start in dates)}
        for start in sorted(places):
            row, there = rows.get(start), shown_dates.get(start)
            wanted = self._behind_date(start, behind, theirs, row)
            aside = self._aside(row) if row is not None else "by hand" if wanted and isinstance(there, Gone) else None
            if aside is not None:
                self._counts[aside] += 1
                continue
            if there is None:
                there = self._look(self._targets[copy.target].account, copy.target, f"{copy.event_id}_{start}")
            yield from _date(row or copy, copy, start, wanted, there)

    def _behind_date(
        self, start: str, behind: list[_Behind], theirs: Sequence[Mapping[str, Change]], row: Copy | None
    ) -> list[_Behind]:
        """Return what stands behind one date: each source of its series that has it and has not left it out.

        Whoever sees no more than the date stands behind it too; and what the organiser has cancelled is cancelled.
        """
        own = {
            CalendarKey(source.key.account, source.key.calendar): source
            for source in (self._book.sources.get(row.id, ()) if row is not None else ())
        }
        found = []
        for one, dates in zip(behind, theirs, strict=True):
            source, change = own.get(_calendar(one)), dates.get(start)
            if isinstance(change, Gone) and one.event.organised_by_us:
                return []
            if isinstance(change, Gone):
                continue
            if change is None:
                date = self._look(one.key.account, one.key.calendar, f"{one.key.event}_{start}")
                found += [msgspec.structs.replace(one, event=date)] if date is not None else []
            elif source is not None and source.link is not None:
                found.append(msgspec.structs.replace(one, event=change, link=source.link))
            elif source is None and change.my_response != "declined":
                found.append(msgspec.structs.replace(one, event=change))
        alone = [source for key, source in own.items() if key not in {_calendar(one) for one in behind}]
        return sorted([*found, *self._alone(alone)], key=_Behind.rank)

    def _alone(self, sources: Iterable[Source]) -> Iterator[_Behind]:
        """Yield those of these events that are there and stand behind a copy."""
        for source in sources:
            side = self._origins.get(CalendarKey(source.key.account, source.key.calendar))
            event = side.events.get(source.key.event) if side is not None else None
            if source.link is not None and side is not None and event is not None:
                yield _Behind(source.key, source.link, event, source.place, side.name)

    def _strays(self, target: str, side: Side) -> Iterator[Difference]:
        """Find copies that should not be there at all: doubles, copies of copies, and those that nobody knows."""
        known = {copy.event_id: copy for copy in self._book.copies if copy.target == target}
        ours = [one for one in side.events.values() if one.series is None and (one.copy_of or one.id in known)]
        copied = {meeting_mark(event.ical_uid, "") for other in self._targets.values() for event in _copies(other)}
        seen: set[str] = set()
        for event in sorted(ours, key=lambda one: (one.id not in known, one.id)):
            copy = known.get(event.id)
            meeting = meeting_mark(copy.uid, copy.original_start) if copy is not None else _mark(event.copy_of)
            if meeting in copied or (copy is not None and is_own_copy("", copy.uid, "")):
                yield _stray("copy_of_copy", target, event, "It is the copy of a copy.")
            elif meeting in seen:
                yield _stray("double", target, event, "There is another copy of this meeting here.")
            elif copy is None and stands_alone(event.copy_of):
                self._counts["kept"] += 1
            elif copy is None and event.copy_of.partition(" ")[0] != self._book.iid:
                self._counts["others"] += 1
            elif copy is None:
                yield _stray("unknown", target, event, "It has Calbot's mark, and Calbot does not know it.")
            seen.add(meeting)


def _copies(side: Side) -> list[Event]:
    return [event for event in side.events.values() if is_copy(event) and event.ical_uid]


def _mark(stamp: str) -> str:
    """Return the meeting's part of our stamp on a copy."""
    return stamp.partition(" ")[2].partition(" ")[0]


def _calendar(one: _Behind) -> CalendarKey:
    return CalendarKey(one.key.account, one.key.calendar)


def _meant(copy: Copy, behind: list[_Behind]) -> Content:
    """Return what a copy has to show of what stands behind it."""
    first, mask = behind[0], strictest([one.link.mask for one in behind])
    content = shown(first.event, mask, account=first.key.account, calendar=first.calendar_name)
    if not copy.colour:
        return content
    return msgspec.structs.replace(content, colour="" if copy.colour == NO_COLOUR else copy.colour)


def _date(copy: Copy, parent: Copy, start: str, wanted: list[_Behind], there: Change | None) -> Iterator[Difference]:
    """Compare one date of a copied series; the colours that people chose for it are theirs."""
    found = there if isinstance(there, Event) else None
    basis = msgspec.structs.replace(parent, event_id=f"{parent.event_id}_{start}")
    if not wanted:
        if found is not None:
            text = "This date is still there, though the original has none."
            yield _difference("left_behind", basis, found, text, date=start)
        return
    if found is None:
        yield _difference("missing", basis, wanted[0].event, "This date is missing.", date=start)
        return
    meant = msgspec.structs.replace(_meant(copy, wanted), recurrence=())
    chosen = {"colour"} if copy is parent or parent.colour else set()
    parts = tuple(part for part in differences(meant, read_back(found)) if part not in chosen)
    if parts:
        text = f"This date differs in {', '.join(parts)}."
        yield _difference("differs", basis, found, text, date=start, parts=parts)


def _stray(kind: Kind, target: str, event: Event, text: str) -> Difference:
    return Difference(kind=kind, target=target, event_id=event.id, title=event.title, start=event.start, text=text)


def _difference(
    kind: Kind, copy: Copy, event: Event | None, text: str, *, date: str = "", parts: tuple[str, ...] = ()
) -> Difference:
    return Difference(
        kind=kind,
        target=copy.target,
        event_id=copy.event_id,
        title=event.title if event is not None else "",
        start=event.start if event is not None else "",
        text=text,
        date=date,
        parts=parts,
    )
