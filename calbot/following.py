"""Copies follow their sources: which events stand behind each copy, from one change of those to the next."""

from collections.abc import Callable

import msgspec

from calbot.content import place_in_series
from calbot.model import Change, Copy, Event, EventKey, Gone
from calbot.owing import has_source
from calbot.policy import Link
from calbot.store import calendars, copies, sourcing
from calbot.store.database import Tx
from calbot.store.sourcing import Source

Weigh = Callable[[EventKey, Event], tuple[Link, ...]]
"""What the rules say of the copies of an event."""


def follow(
    tx: Tx, key: EventKey, change: Change, links: tuple[Link, ...] | None, place: int, now: float, weigh: Weigh
) -> set[int]:
    """Let an event stand behind the copies that it is to have; return the copies that may have to change.

    `links` None leaves it behind those that it has. The store has the event as it is now. `place` is its account's;
    `weigh` is asked about the dates of a series that is copied from now on.
    """
    if isinstance(change, Gone):
        return _leave(tx, key, change, place, now, weigh)
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
            touched |= _gather_dates(tx, key, copy, place, now, weigh)
    if change.recurrence:
        touched |= {date.id for copy in linked for date in copies.dates(tx, copy)}
    if links is not None:
        wanted = {link.target for link in links}
        for target, copy in known.items():
            if target not in wanted:
                sourcing.link(tx, key, copy.id, None, place)
                touched |= _free_dates(tx, copy, now, weigh)
    return touched


def _is_kept(tx: Tx, copy: Copy) -> bool:
    """Say whether a person wants the original of a copy to stay: what one account knows of that holds for all."""
    behind = sourcing.sources(tx, copy.id)
    return copies.replaced(tx, copy) or any(one.link is not None and one.link.keep for one in behind)


def _leave(tx: Tx, key: EventKey, gone: Gone, place: int, now: float, weigh: Weigh) -> set[int]:
    """Let an event that is gone stand behind nothing; a date that is gone is cancelled in its series' copies."""
    touched = set()
    for copy, link in sourcing.of_source(tx, key):
        if link is not None:
            sourcing.link(tx, key, copy.id, None, place)
            sourcing.drop_unwatched(tx, copy.id)
            touched |= {copy.id} | _free_dates(tx, copy, now, weigh)
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


def _gather_dates(tx: Tx, key: EventKey, parent: Copy, place: int, now: float, weigh: Weigh) -> set[int]:
    """Let the dates of a series that is copied from now on stand behind their places in its copy; return all touched.

    Of changed dates the rules decide one by one, a private one among them; cancelled ones are left out. Copies that
    dates have had by themselves are given up.
    """
    touched = set()
    for date in calendars.dates_of(tx, key):
        own = msgspec.structs.replace(key, event=date.id)
        copy = _date_of(tx, parent, own, date.original_start, now)
        asked = next((link for link in weigh(own, date) if link.target == parent.target), None)
        sourcing.link(tx, own, copy.id, asked, place)
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


def _free_dates(tx: Tx, parent: Copy, now: float, weigh: Weigh) -> set[int]:
    """Give dates copies by themselves whose series' copy has lost its last source: others may see them alone."""
    if parent.series is not None or has_source(tx, parent):
        return set()
    touched = set()
    for date in copies.dates(tx, parent.id):
        for source in sourcing.sources(tx, date.id):
            if source.link is None:
                continue
            sourcing.link(tx, source.key, date.id, None, source.place)
            if _has_a_copy_alone(tx, source, parent, weigh):
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


def _has_a_copy_alone(tx: Tx, date: Source, series: Copy, weigh: Weigh) -> bool:
    """Say whether a date is to have a copy by itself when the copy of its series goes.

    Its account sees no series; or the series is there, and the rules in force ask for the date but not for the series.
    """
    event = calendars.event(tx, date.key)
    own = [
        source.key
        for source in sourcing.sources(tx, series.id)
        if (source.key.account, source.key.calendar) == (date.key.account, date.key.calendar)
    ]
    if event is None or not own:
        return event is not None
    asked = any(link.target == series.target and not link.inherits for link in weigh(date.key, event))
    return asked and any(calendars.event(tx, key) is not None for key in own)
