"""Copies follow their sources: which events stand behind each copy, and what a copy has to show."""

import hashlib
from collections.abc import Sequence

import msgspec

from calbot.actions import Mirror, RemoveCopy
from calbot.content import occurrence, place_in_series, shown, strictest
from calbot.identity import stamp_with_others
from calbot.model import CalendarKey, Change, Content, Copy, Event, EventKey, Gone, Noun
from calbot.policy import Link
from calbot.store import calendars, copies, sourcing, switches
from calbot.store.database import Tx
from calbot.store.sourcing import Source

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
    before = [(copy, link) for copy, link in sourcing.of_source(tx, key) if copy.series is None]
    known = {copy.target: copy for copy, _ in before}
    linked = {copy.id for copy, link in before if link is not None}
    touched = set(linked)
    for link in links or ():
        copy = known.get(link.target) or copies.of_meeting(tx, change.ical_uid or change.id, link.target, now)
        stays = msgspec.structs.replace(link, delete_original=False, guests=(), keep=True)
        sourcing.link(tx, key, copy.id, stays if _is_kept(tx, copy) else link, place)
        sourcing.drop_unwatched(tx, copy.id)
        if copy.state == "kept":
            copies.take_back_up(tx, copy.id)
        touched.add(copy.id)
        if change.recurrence and copy.id not in linked:
            touched |= _gather_dates(tx, key, copy, link, place, now)
    if change.recurrence:
        touched |= {date.id for copy in linked for date in copies.dates(tx, copy)}
    if links is not None:
        wanted = {link.target for link in links}
        for target, copy in known.items():
            if target not in wanted:
                sourcing.link(tx, key, copy.id, None, place)
                touched |= _free_dates(tx, copy, now)
    return touched


def _is_kept(tx: Tx, copy: Copy) -> bool:
    """Say whether a person wants the original of a copy to stay: what one account knows of that holds for all."""
    behind = sourcing.sources(tx, copy.id)
    return copies.replaced(tx, copy) or any(one.link is not None and one.link.keep for one in behind)


def _leave(tx: Tx, key: EventKey, gone: Gone, place: int, now: float) -> set[int]:
    """Let an event that is gone stand behind nothing; a date that is gone is cancelled in its series' copies."""
    touched = set()
    for copy, link in sourcing.of_source(tx, key):
        if link is not None:
            sourcing.link(tx, key, copy.id, None, place)
            sourcing.drop_unwatched(tx, copy.id)
            touched |= {copy.id} | _free_dates(tx, copy, now)
    if gone.series is not None:
        for parent, _ in _series_copies(tx, key, gone.series):
            date = _date_of(tx, parent, key, gone.original_start, now)
            sourcing.link(tx, key, date.id, None, place)
            touched.add(date.id)
    return touched


def _follow_date(
    tx: Tx, key: EventKey, date: Event, links: tuple[Link, ...] | None, place: int, now: float
) -> set[int]:
    """Let a single date stand behind its place in the copies of its series, or behind a copy of its own.

    Whoever is invited to one date alone sees no series; where another account's series is copied, the date is in that.
    """
    own = sourcing.of_source(tx, key)
    touched = {copy.id for copy, link in own if link is not None}
    if links is None:
        return touched
    wanted = {link.target: link for link in links}
    kept = set()
    parents = _series_copies(tx, key, date.series or "")
    seen = {parent.target for parent, _ in parents}
    for target in wanted.keys() - seen:
        others = copies.series_of_meeting(tx, date.ical_uid, target)
        parents += [(others, wanted[target])] if others is not None else []
    for parent, link in parents:
        copy = _date_of(tx, parent, key, date.original_start, now)
        if copy.state == "kept":  # The copy of the series has no such date.
            continue
        asked = wanted.pop(parent.target, None)
        sourcing.link(tx, key, copy.id, link if asked is not None and asked.inherits else asked, place)
        kept.add(copy.id)
    for target, link in wanted.items():
        if not link.inherits:
            start = place_in_series(date.original_start or date.start, date.time_zone)
            alone = copies.of_meeting(tx, date.ical_uid or date.id, target, now, original_start=start)
            sourcing.link(tx, key, alone.id, link, place)
            kept.add(alone.id)
    for copy, _ in own:
        if copy.id not in kept:
            sourcing.link(tx, key, copy.id, None, place)
    return touched | kept


def _series_copies(tx: Tx, key: EventKey, series: str) -> list[tuple[Copy, Link]]:
    behind = sourcing.of_source(tx, msgspec.structs.replace(key, event=series))
    return [(copy, link) for copy, link in behind if link is not None and copy.series is None]


def _date_of(tx: Tx, parent: Copy, key: EventKey, original_start: str | None, now: float) -> Copy:
    start = place_in_series(original_start, "") if original_start else key.event.rpartition("_")[2]
    return copies.of_meeting(tx, parent.uid, parent.target, now, original_start=start, series=parent)


def _gather_dates(tx: Tx, key: EventKey, parent: Copy, link: Link, place: int, now: float) -> set[int]:
    """Let the dates of a series that is copied from now on stand behind their places in its copy; return all touched.

    Changed dates are copied as the series is, unless they are declined; cancelled ones are left out. Copies that dates
    have had by themselves are given up.
    """
    touched = set()
    for date in calendars.dates_of(tx, key):
        own = msgspec.structs.replace(key, event=date.id)
        copy = _date_of(tx, parent, own, date.original_start, now)
        sourcing.link(tx, own, copy.id, link if date.my_response != "declined" else None, place)
        touched.add(copy.id)
    for gone in calendars.cancelled_dates(tx, key):
        own = msgspec.structs.replace(key, event=gone.id)
        copy = _date_of(tx, parent, own, gone.original_start, now)
        sourcing.link(tx, own, copy.id, None, place)
        touched.add(copy.id)
    for alone in copies.alone_dates(tx, parent):
        copy = copies.of_meeting(tx, parent.uid, parent.target, now, original_start=alone.original_start, series=parent)
        if copy.state == "kept":
            continue
        for source in sourcing.sources(tx, alone.id):
            if source.link is not None:
                sourcing.link(tx, source.key, copy.id, source.link, source.place)
                sourcing.link(tx, source.key, alone.id, None, source.place)
        touched |= {alone.id, copy.id}
    return touched


def _free_dates(tx: Tx, parent: Copy, now: float) -> set[int]:
    """Give dates copies by themselves whose series' copy has lost its last source: others may see them alone."""
    if parent.series is not None or has_source(tx, parent):
        return set()
    touched = set()
    for date in copies.dates(tx, parent.id):
        for source in sourcing.sources(tx, date.id):
            if source.link is None:
                continue
            sourcing.link(tx, source.key, date.id, None, source.place)
            if calendars.event(tx, source.key) is not None and _has_a_copy_alone(tx, source, parent):
                alone = copies.of_meeting(tx, parent.uid, parent.target, now, original_start=date.original_start)
                sourcing.link(tx, source.key, alone.id, source.link, source.place)
                touched.add(alone.id)
    return touched


def by_itself(tx: Tx, date: Copy, now: float) -> set[int]:
    """Give a date a copy by itself of which the copy of its series has none; return that."""
    copies.stand(tx, date.id, "kept", now)
    alone = copies.of_meeting(tx, date.uid, date.target, now, original_start=date.original_start)
    for source in sourcing.sources(tx, date.id):
        sourcing.link(tx, source.key, alone.id, source.link, source.place)
        sourcing.link(tx, source.key, date.id, None, source.place)
    return {alone.id}


def _has_a_copy_alone(tx: Tx, date: Source, series: Copy) -> bool:
    """Say whether a date is to have a copy by itself when the copy of its series goes.

    Its account sees no series; or the series is there, and a rule asks for the date but not for the series.
    """
    own = [
        source.key
        for source in sourcing.sources(tx, series.id)
        if (source.key.account, source.key.calendar) == (date.key.account, date.key.calendar)
    ]
    asked = date.link is not None and not date.link.inherits
    return not own or (asked and any(calendars.event(tx, key) is not None for key in own))


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
        return RemoveCopy(copy, _as_shown(copy), any_source(tx, copy), stamp=_stamp(tx, copy)) if gone else None
    if parent is not None and copy.state == "planned" and copy.content is None and behind[0].of_series:
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
        for source in _speaking(tx, copy)
        if source.link is not None
    ]
    return sorted(found, key=_Behind.rank)


def _speaking(tx: Tx, copy: Copy) -> list[Source]:
    """Return the sources of a copy; calendars that nobody reads any more have no say where others have one."""
    every = sourcing.sources(tx, copy.id)
    watched = [source for source in every if calendars.is_watched(tx, source.key)]
    return watched if any(source.link is not None for source in watched) else every


def _behind_date(tx: Tx, date: Copy, parent: Copy) -> list[_Behind]:
    """Return what stands behind one date: each source of its series, unless that has cancelled it or left it out."""
    own = {(source.key.account, source.key.calendar): source for source in _speaking(tx, date)}
    found = []
    for one in _behind(tx, parent):
        source = own.get((one.key.account, one.key.calendar))
        organiser = one.event is not None and one.event.organised_by_us
        if organiser and source is not None and source.link is None and calendars.event(tx, source.key) is None:
            return []  # Who organises it has cancelled the date, for everybody.
        if source is None:
            found.append(msgspec.structs.replace(one, of_series=True))
        elif source.link is not None:
            event = calendars.event(tx, source.key)
            found.append(msgspec.structs.replace(one, key=source.key, link=source.link, event=event))
    of_series = {(one.key.account, one.key.calendar) for one in _behind(tx, parent)}
    alone = [
        _Behind(source.key, source.link, calendars.event(tx, source.key), source.place)
        for place, source in own.items()
        if source.link is not None and place not in of_series
    ]
    return sorted([*found, *alone], key=_Behind.rank) if alone else found


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
    stamp = stamp_with_others(copies.stamp(tx, copy.id), _stamp(tx, copy))
    return Mirror(copy, event, first.key, content, first.link.rule, stamp)


def has_source(tx: Tx, copy: Copy) -> bool:
    """Say whether any event stands behind a copy."""
    return any(source.link is not None for source in sourcing.sources(tx, copy.id))


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


def any_source(tx: Tx, copy: Copy) -> EventKey:
    """Return an event that stood behind a copy, for what is said of it."""
    found = sorted(sourcing.sources(tx, copy.id), key=lambda source: source.place)
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
