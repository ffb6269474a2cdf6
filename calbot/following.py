"""Copies follow their sources: which events stand behind each copy, and what a copy has to show."""

import hashlib
from collections.abc import Sequence

import msgspec

from calbot.actions import Mirror, RemoveCopy
from calbot.content import occurrence, place_in_series, shown, strictest
from calbot.model import CalendarKey, Change, Content, Copy, Event, EventKey, Gone, Noun
from calbot.policy import Link
from calbot.store import calendars, copies, switches
from calbot.store.database import Tx

NO_COLOUR = "none"
"""What stands for the colour of the calendar where a person chose it for a copy."""


def follow(tx: Tx, key: EventKey, change: Change, links: tuple[Link, ...] | None, place: int, now: float) -> set[int]:
    """Let an event stand behind the copies that it is to have; return the copies that may have to change.

    `links` None leaves it behind those that it has. The store has the event as it is now. `place` is its account's.
    """
    if isinstance(change, Gone):
        return _leave(tx, key, change, place, now)
    if change.series is not None:
        return _follow_date(tx, key, change, links, place, now)
    before = {copy.target: copy for copy, _ in copies.of_source(tx, key) if copy.series is None}
    kept = {copy.id for copy, link in copies.of_source(tx, key) if link is not None and link.keep}
    touched = {copy.id for copy, link in copies.of_source(tx, key) if link is not None}
    for link in links or ():
        copy = before.get(link.target) or copies.of_meeting(tx, change.ical_uid or change.id, link.target, now)
        stays = msgspec.structs.replace(link, delete_original=False, guests=(), keep=True)
        copies.link(tx, key, copy.id, stays if copy.id in kept else link, place)
        touched.add(copy.id)
        if change.recurrence and copy.id not in {known.id for known in before.values()}:
            _gather_dates(tx, key, copy, link, place, now)
    if links is not None:
        wanted = {link.target for link in links}
        for target, copy in before.items():
            if target not in wanted:
                copies.link(tx, key, copy.id, None, place)
    return touched


def _leave(tx: Tx, key: EventKey, gone: Gone, place: int, now: float) -> set[int]:
    """Let an event that is gone stand behind nothing; a date that is gone is cancelled in its series' copies."""
    touched = set()
    for copy, link in copies.of_source(tx, key):
        if link is not None:
            copies.link(tx, key, copy.id, None, place)
            touched.add(copy.id)
    if gone.series is not None:
        for parent, _ in _series_copies(tx, key, gone.series):
            date = _date_of(tx, parent, key, gone.original_start, now)
            copies.link(tx, key, date.id, None, place)
            touched.add(date.id)
    return touched


def _follow_date(
    tx: Tx, key: EventKey, date: Event, links: tuple[Link, ...] | None, place: int, now: float
) -> set[int]:
    """Let a single date stand behind its place in the copies of its series, or behind a copy of its own."""
    own = copies.of_source(tx, key)
    touched = {copy.id for copy, link in own if link is not None}
    if links is None:
        return touched
    wanted = {link.target: link for link in links}
    kept = set()
    for parent, _ in _series_copies(tx, key, date.series or ""):
        copy = _date_of(tx, parent, key, date.original_start, now)
        copies.link(tx, key, copy.id, wanted.pop(parent.target, None), place)
        kept.add(copy.id)
    for target, link in wanted.items():
        start = place_in_series(date.original_start or date.start, date.time_zone)
        alone = copies.of_meeting(tx, date.ical_uid or date.id, target, now, original_start=start)
        copies.link(tx, key, alone.id, link, place)
        kept.add(alone.id)
    for copy, _ in own:
        if copy.id not in kept:
            copies.link(tx, key, copy.id, None, place)
    return touched | kept


def _series_copies(tx: Tx, key: EventKey, series: str) -> list[tuple[Copy, Link]]:
    behind = copies.of_source(tx, msgspec.structs.replace(key, event=series))
    return [(copy, link) for copy, link in behind if link is not None and copy.series is None]


def _date_of(tx: Tx, parent: Copy, key: EventKey, original_start: str | None, now: float) -> Copy:
    start = place_in_series(original_start, "") if original_start else key.event.rpartition("_")[2]
    return copies.of_meeting(tx, parent.uid, parent.target, now, original_start=start, series=parent)


def _gather_dates(tx: Tx, key: EventKey, parent: Copy, link: Link, place: int, now: float) -> None:
    """Let the dates of a series that is copied from now on stand behind their places in its copy.

    Changed dates are copied as the series is, unless they have been decided about; cancelled ones are left out.
    """
    for date in calendars.dates_of(tx, key):
        own = msgspec.structs.replace(key, event=date.id)
        decided = {copy.target for copy, linked in copies.of_source(tx, own) if linked is not None}
        copy = _date_of(tx, parent, own, date.original_start, now)
        for alone, _ in copies.of_source(tx, own):
            if alone.target == parent.target and alone.series is None:
                copies.link(tx, own, alone.id, None, place)
        wanted = link if parent.target in decided or date.my_response != "declined" else None
        copies.link(tx, own, copy.id, wanted, place)
    for gone in calendars.cancelled_dates(tx, key):
        own = msgspec.structs.replace(key, event=gone.id)
        copies.link(tx, own, _date_of(tx, parent, own, gone.original_start, now).id, None, place)


class Wanted(Noun, frozen=True):
    """What a copy has to show, and of which event."""

    content: Content
    event: Event
    source: EventKey
    rule: str


def owed(tx: Tx, copy: Copy) -> Mirror | RemoveCopy | None:
    """Return what has to be done so that a copy is as its sources are; None when it is, or is not ours to change.

    A date waits until the copy of its series is written.
    """
    if copy.state in {"deleted", "kept"}:
        return None
    parent = copies.by_id(tx, copy.series) if copy.series is not None else None
    if copy.series is not None and (parent is None or not _stands(tx, parent)):
        return None
    behind = _behind(tx, copy) if parent is None else _behind_date(tx, copy, parent)
    if not behind:
        gone = copy.state == "live" or (parent is not None and copy.state == "planned")
        return RemoveCopy(copy, _as_shown(copy), _any_source(tx, copy)) if gone else None
    if parent is not None and copy.state == "planned" and behind[0].of_series:
        return None
    wanted = _wanted(tx, copy, behind)
    return wanted if wanted is not None and not (copy.state == "live" and copy.content == wanted.content) else None


class _Behind(Noun, frozen=True):
    """A source of a copy, with its link; `of_series` says that a date has nothing of its own there."""

    key: EventKey
    link: Link
    event: Event | None
    place: int
    of_series: bool = False

    def rank(self) -> tuple[bool, int, str, str, str]:
        """Return what says whose word counts: the organiser's account, else the first of the household's."""
        organiser = self.event is not None and self.event.organised_by_us
        return not organiser, self.place, self.key.account, self.key.calendar, self.key.event


def _behind(tx: Tx, copy: Copy) -> list[_Behind]:
    """Return the events that stand behind a copy, the first one the one whose word counts."""
    found = [
        _Behind(source.key, source.link, calendars.event(tx, source.key), source.place)
        for source in copies.sources(tx, copy.id)
        if source.link is not None
    ]
    return sorted(found, key=_Behind.rank)


def _behind_date(tx: Tx, date: Copy, parent: Copy) -> list[_Behind]:
    """Return what stands behind one date: each source of its series, unless that has cancelled it or left it out."""
    own = {(source.key.account, source.key.calendar): source for source in copies.sources(tx, date.id)}
    found = []
    for one in _behind(tx, parent):
        source = own.get((one.key.account, one.key.calendar))
        if source is None:
            found.append(msgspec.structs.replace(one, of_series=True))
        elif source.link is not None:
            event = calendars.event(tx, source.key)
            found.append(msgspec.structs.replace(one, key=source.key, link=source.link, event=event))
    return found


def _wanted(tx: Tx, copy: Copy, behind: Sequence[_Behind]) -> Mirror | None:
    """Return how the copy has to be; None where the store lacks what it takes to say so."""
    first = behind[0]
    event = first.event
    if event is not None and first.of_series:
        event = occurrence(event, copy.original_start)
    if event is None:
        return None
    calendar = calendars.known(tx, CalendarKey(first.key.account, first.key.calendar))
    mask = strictest([one.link.mask for one in behind])
    name = calendar.name if calendar is not None else first.key.calendar
    content = shown(event, mask, account=first.key.account, calendar=name)
    if copy.colour:
        content = msgspec.structs.replace(content, colour="" if copy.colour == NO_COLOUR else copy.colour)
    if copy.series is not None:
        content = msgspec.structs.replace(content, recurrence=())
    return Mirror(copy, event, first.key, content, first.link.rule, _stamp(tx, copy))


def _stamp(tx: Tx, copy: Copy) -> str:
    """Return what says on Google that a copy is ours, and of which meeting, in words that tell nobody anything."""
    return f"{switches.fact(tx, 'iid') or ''} {meeting_mark(copy.uid, copy.original_start)}"


def meeting_mark(uid: str, original_start: str) -> str:
    """Return the mark of a meeting, or of a date of one whose series we do not see, in our stamps."""
    place = place_in_series(original_start, "") if "-" in original_start else original_start
    return hashlib.sha256(f"{uid}\n{place}".encode(errors="surrogatepass")).hexdigest()[:20]


def _stands(tx: Tx, series: Copy) -> bool:
    """Say whether the copy of a series is there, as a series, and no write to it is under way or waits."""
    if series.state != "live" or series.content is None or not series.content.recurrence:
        return False
    return not any(deed.verb == "mirror" for deed in copies.open_deeds(tx, series.id))


def _any_source(tx: Tx, copy: Copy) -> EventKey:
    """Return an event that stood behind a copy, for what is said of it."""
    found = sorted(copies.sources(tx, copy.id), key=lambda source: source.place)
    return found[0].key if found else EventKey("", copy.target, copy.event_id)


def _as_shown(copy: Copy) -> Event:
    """Return what a copy showed, as an event: its source may be gone."""
    shown_last = copy.content or Content()
    return Event(
        id=copy.event_id,
        etag="",
        ical_uid=copy.uid,
        title=shown_last.title,
        start=shown_last.start,
        end=shown_last.end,
        recurrence=shown_last.recurrence,
    )
