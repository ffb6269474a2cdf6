"""What is owed to a copy: what it has to show by what stands behind it, compared with what we wrote."""

import hashlib
from collections.abc import Sequence

import msgspec

from calbot.actions import Mirror, RemoveCopy
from calbot.content import occurrence, place_in_series, shown, strictest
from calbot.identity import stamp_with_others
from calbot.model import CalendarKey, Content, Copy, Event, EventKey, Noun
from calbot.policy import Link
from calbot.store import calendars, copies, sourcing, switches
from calbot.store.database import Tx
from calbot.store.sourcing import Source

NO_COLOUR = "none"
"""What stands for the colour of the calendar where a person chose it for a copy."""


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
