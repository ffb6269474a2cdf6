"""What people do to copies, as listings and looks tell it."""

from collections.abc import Iterable

import msgspec

from calbot.actions import Deed, LookUp, Mirror, RemoveCopy
from calbot.content import differences, read_back
from calbot.copyrules import calendar_of
from calbot.copywork import Written, taken_away, write_down
from calbot.model import CalendarKey, Change, Copy, Event, EventKey, Gone, Notice, Outcome
from calbot.owing import NO_COLOUR, owed
from calbot.store import copies, ledger, targets
from calbot.store.database import Tx
from calbot.store.ledger import Stay
from calbot.telling import Run

SETTLED = 10.0
"""Seconds after which a copy that changed during a write of ours is looked at."""


def noticed(tx: Tx, run: Run, calendar: CalendarKey, changes: Iterable[Change]) -> Written:
    """Take in what a listing says of copies: a person may have deleted one, brought it back, or given it a colour.

    Only the account that writes on a calendar is asked: what it has under way is left to the answer of that.
    """
    target = calendar_of(calendar)
    if targets.writer(tx, target) != calendar.account:
        return Written()
    said: list[Outcome | Notice] = []
    touched: set[int] = set()
    for change in changes:
        copy = copies.on_target(tx, target, change.id) or _date(tx, target, change, run.now)
        if copy is None or (isinstance(change, Event) and change.etag == copy.etag):
            continue
        under_way = copies.open_deeds(tx, copy.id)
        if copy.series is not None and any(deed.state == "started" for deed in copies.open_deeds(tx, copy.series)):
            continue  # Its series is being written or taken away, and it with that.
        if any(deed.uncertain and deed.state == "parked" for deed in under_way):
            _settle_first(tx, under_way, run.now)
        elif any(_is_doing(deed, change) for deed in under_way):
            continue
        elif any(deed.state == "started" for deed in under_way):
            _look_again(tx, run, EventKey(calendar.account, calendar.calendar, change.id))
        elif isinstance(change, Gone):
            by_google = copy.series is not None and copy.state == "planned" and copy.content is not None
            said += taken_away(tx, copy, run.now) if copy.state in {"live", "planned"} and not by_google else []
        else:
            _changed_by_hand(tx, copy, change, run.now)
            touched.add(copy.id)
    more = write_down(tx, run, calendar.account, touched, 0)
    return Written(more.deeds, (*said, *more.said))


def _is_doing(deed: Deed, change: Change) -> bool:
    """Say whether a change is what a deed under way is to bring about."""
    action = deed.action
    if deed.state != "started":
        return False
    if isinstance(change, Gone):
        return isinstance(action, RemoveCopy)
    return isinstance(action, Mirror) and not differences(action.content, read_back(change))


def _date(tx: Tx, target: str, change: Change, now: float) -> Copy | None:
    """Return a date of a copied series that stands for itself since a person has changed it."""
    series, cut, place = change.id.rpartition("_")
    parent = copies.on_target(tx, target, series) if cut else None
    if parent is None or parent.state != "live":
        return None
    return copies.of_meeting(tx, parent.uid, target, now, original_start=place, series=parent)


def _settle_first(tx: Tx, deeds: list[Deed], now: float) -> None:
    """Have a write whose answer was lost repeated now: that tells whose doing the change was."""
    for deed in deeds:
        if deed.uncertain and deed.state == "parked":
            ledger.park(tx, deed, now, deed.reason or "network", "The copy has changed.", uncertain=True)


def _look_again(tx: Tx, run: Run, key: EventKey) -> None:
    """Have a copy looked at that changed while a deed of ours was under way: whose doing it was, the look tells."""
    if ledger.open_deed(tx, key, "look_up") is None:
        stay = Stay("conflict", "A write of ours is under way.", run.now + SETTLED)
        origin = {"run_id": run.id, "source": run.source, "seen_at": run.seen_at}
        ledger.add(tx, key, LookUp(key.event), "parked", run.now, stay=stay, **origin)  # type: ignore[arg-type]


def _changed_by_hand(tx: Tx, copy: Copy, change: Event, now: float) -> None:
    if copy.state == "planned" and copy.series is not None:
        action, series = owed(tx, copy), copies.by_id(tx, copy.series)
        plain = series.content.colour if series is not None and series.content is not None else ""
        as_it_is = msgspec.structs.replace(read_back(change), colour=plain)
        content = action.content if isinstance(action, Mirror) else as_it_is
        copies.written(tx, copy, change, content, now)
        if change.colour != content.colour:
            copies.look_of(tx, copy.id, change.colour or NO_COLOUR)
    elif copy.state in {"deleted", "planned"}:
        copies.written(tx, copy, change, read_back(change), now)
    elif copy.state == "retired":
        copies.stand(tx, copy.id, "kept" if copy.series is None else "live", now)
    elif copy.state == "live" and copy.content is not None:
        action = owed(tx, copy)
        ours = {copy.content.colour, action.content.colour if isinstance(action, Mirror) else copy.content.colour}
        chosen = copy.colour if change.colour in ours else change.colour or NO_COLOUR
        colour = "" if chosen == NO_COLOUR else chosen or copy.content.colour
        meant = msgspec.structs.replace(copy.content, colour=colour)
        if differences(meant, read_back(change)):
            copies.look_of(tx, copy.id, chosen)
        else:  # Nothing else is new: so the next write need not look first.
            copies.written(tx, msgspec.structs.replace(copy, colour=chosen), change, meant, now)
