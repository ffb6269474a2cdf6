"""One calendar, one pass: gather what changed, decide about it, write all of it down together."""

from collections.abc import Callable, Iterator

import msgspec

from calbot.actions import Deed, LookUp
from calbot.byhand import noticed
from calbot.cases import cases
from calbot.copyrules import calendar_of
from calbot.errors import RetryLater, StaleSyncToken
from calbot.identity import is_copy
from calbot.model import CalendarKey, Change, EventKey, Notice, Noun, Outcome, Page, Unreadable
from calbot.moments import is_past
from calbot.planner import Verdict, decided_anew, in_order, is_wanted, looks_emptied, plan
from calbot.policy import Case, Policy
from calbot.ports import Calendars, Random
from calbot.record import enter
from calbot.store import calendars as calendar_store
from calbot.store import copies, earlier, ledger, outbox
from calbot.store.calendars import Known
from calbot.store.database import Database
from calbot.telling import Run


class Order(Noun, frozen=True, kw_only=True):
    """What a pass is to do, and under which policy.

    `room` is how many deeds may go out at once; `believe` accepts a listing that lacks most of what we knew. A calendar
    may be read for the sake of our copies on it alone (`copies_only`).
    """

    key: CalendarKey
    policy: Policy
    now: float
    run_id: str
    source: str
    seen_at: float
    room: int
    full: bool = False
    copies_only: bool = False
    invite_existing: bool = False
    believe: bool = False


class Passed(Noun, frozen=True):
    """What a pass came to: deeds to carry out, the rows it overtook, and those under way that it outdated."""

    name: str
    deeds: tuple[Deed, ...]
    overtaken: frozenset[int]
    outdated: frozenset[int]


class Unbelievable(RetryLater):
    """A full listing that lacks most of what was known: more likely a fault than the truth."""


class _Listing(Noun, frozen=True):
    """A complete listing. `page` holds it when it is short; else it lies staged in the store, or is saved already."""

    page: Page
    staged: bool
    full: bool
    unreadable: tuple[Unreadable, ...]
    stale_token: bool = False


def sync(
    order: Order,
    calendars: Calendars,
    database: Database,
    random: Random,
    tick: Callable[[], None],
    in_force: Callable[[Order], Order],
) -> Passed:
    """Run one pass, calling `tick` as it gets on. Raises the errors of the Calendars port, Unbelievable, StoreError.

    Nothing is half done then. A listing takes its time: `in_force` brings the order up to date when it is there.
    """
    known = _registered(order.key, database)
    listing = _gather(order, known, calendars, database, tick)
    order = in_force(order)
    if listing.full and known.last_success is not None:
        _doubt(order, known, listing, database)
    first = known.last_success is None
    verdicts = _baseline(order, known, database) if first else _verdicts(order, known, listing, database)
    changed = _changed_copies(order, known, listing, database)
    return _write_down(order, known, listing, verdicts, changed, database, random)


def _registered(key: CalendarKey, database: Database) -> Known:
    known = calendar_store.known(database.read(), key)
    if known is not None:
        return known
    with database.write() as tx:
        return calendar_store.register(tx, key)


def _gather(order: Order, known: Known, calendars: Calendars, database: Database, tick: Callable[[], None]) -> _Listing:
    token = None if order.full else known.sync_token
    try:
        return _list(order, known, token, calendars, database, tick)
    except StaleSyncToken:
        listing = _list(order, known, None, calendars, database, tick)
        return msgspec.structs.replace(listing, stale_token=True)


def _list(
    order: Order, known: Known, token: str | None, calendars: Calendars, database: Database, tick: Callable[[], None]
) -> _Listing:
    """Read all pages. One alone stays in memory; of several, each is staged in a transaction of its own.

    At first sight of a calendar there is nothing to compare with, so its pages need no stage beside the events.
    """
    calendar = order.key.calendar
    first = known.last_success is None
    keep = calendar_store.save if first else calendar_store.stage
    page = _wanted(order, calendars.page(calendar, sync_token=token, page_token=None))
    unreadable = list(page.unreadable)
    several = page.next_page is not None or token is None
    if several:
        with database.write() as tx:
            (calendar_store.forget_events if first else calendar_store.clear_stage)(tx, known.id)
            keep(tx, known.id, page.changes)
    while (following := page.next_page) is not None:
        tick()
        del page  # So that two pages never lie in memory at once.
        page = _wanted(order, calendars.page(calendar, sync_token=token, page_token=following))
        unreadable += page.unreadable
        with database.write() as tx:
            keep(tx, known.id, page.changes)
    return _Listing(page, staged=several and not first, full=token is None, unreadable=tuple(unreadable))


def _wanted(order: Order, page: Page) -> Page:
    """Return a page without what others have on a calendar that is read for our copies alone."""
    if not order.copies_only:
        return page
    return msgspec.structs.replace(page, changes=tuple(change for change in page.changes if is_copy(change)))


def _doubt(order: Order, known: Known, listing: _Listing, database: Database) -> None:
    """Refuse a full listing that names less than half of what we knew, unless it insists."""
    reader = database.read()
    before = calendar_store.count(reader, known.id)
    missing = len(calendar_store.absent(reader, known.id)) if listing.staged else 0
    if looks_emptied(before, before - missing) and not order.believe:
        message = f"Google's full listing lacks {missing} of {before} known events; it is not believed yet."
        raise Unbelievable(message, "upstream_5xx")


def _chunks(known: Known, listing: _Listing, database: Database) -> Iterator[list[Change]]:
    if listing.staged:
        yield from calendar_store.staged(database.read(), known.id)
    else:
        yield list(listing.page.changes)


def _baseline(order: Order, known: Known, database: Database) -> list[tuple[EventKey, Verdict]]:
    """At first sight of a calendar its events are known, not acted on; or invited to, when that was chosen."""
    if not order.invite_existing or order.copies_only:
        return []
    case, reader = Case(calendar=order.key, policy=order.policy, now=order.now), database.read()
    wanted: list[tuple[EventKey, Verdict]] = []
    for chunk in calendar_store.saved(reader, known.id):
        handled = earlier.guests(reader, chunk)
        for event in sorted(chunk, key=lambda event: event.series is not None):
            whom = handled.get(event.id)
            own = case if whom is None else msgspec.structs.replace(case, handled=whom)
            if is_wanted(verdict := decided_anew(event, own)):
                wanted.append((_key(order, event.id), verdict))
    return wanted


def _verdicts(order: Order, known: Known, listing: _Listing, database: Database) -> list[tuple[EventKey, Verdict]]:
    reader = database.read()
    found: dict[str, tuple[EventKey, Verdict]] = {}
    for chunk in _chunks(known, listing, database):
        changes = [change for change in in_order(chunk) if not is_copy(change) or not order.copies_only]
        ids = [change.id for change in changes]
        before, waiting = calendar_store.events(reader, known.id, ids), ledger.open_invitations(reader, order.key, ids)
        for change, case in zip(changes, cases(reader, order.key, changes, order.policy, order.now), strict=True):
            verdict = plan(change, before.get(change.id), waiting.get(change.id), case)
            found.pop(change.id, None)  # Changed between two pages, an event may be on both: the last word counts.
            if verdict != Verdict():
                found[change.id] = (_key(order, change.id), verdict)
    if not listing.full:
        return list(found.values())
    unclear = ledger.being_looked_up(reader, order.key) | {item.id for item in listing.unreadable}
    return [*found.values(), *_absences(order, known, unclear, database)]


def _changed_copies(order: Order, known: Known, listing: _Listing, database: Database) -> list[Change]:
    """Return the copies on the calendar that are no longer as we wrote them."""
    reader, found = database.read(), list[Change]()
    for chunk in _chunks(known, listing, database):
        ours = [change for change in chunk if is_copy(change)]
        found += copies.unlike_written(reader, calendar_of(order.key), ours) if ours else []
    return found


def _absences(order: Order, known: Known, unclear: set[str], database: Database) -> list[tuple[EventKey, Verdict]]:
    """A full listing names no deletions: what it lacks is looked up by id before it counts as deleted.

    An invitation that waits for such an event stays: if the event is gone, its own look finds that out.
    """
    reader = database.read()
    ids = [id_ for id_ in calendar_store.absent(reader, known.id) if id_ not in unclear]
    events = calendar_store.events(reader, known.id, ids)
    live = [id_ for id_ in ids if not is_past(events[id_], order.policy.time_zone, order.now)]
    return [(_key(order, id_), Verdict(action=LookUp(id_))) for id_ in live]


def _key(order: Order, event_id: str) -> EventKey:
    return EventKey(order.key.account, order.key.calendar, event_id)


def _write_down(
    order: Order,
    known: Known,
    listing: _Listing,
    verdicts: list[tuple[EventKey, Verdict]],
    changed: list[Change],
    database: Database,
    random: Random,
) -> Passed:
    """Store events, decisions, announcements and the sync token in one transaction."""
    page = listing.page
    name, time_zone = page.calendar_name or known.name, page.time_zone or known.time_zone
    run = Run(
        id=order.run_id,
        source=order.source,
        seen_at=order.seen_at,
        now=order.now,
        policy=order.policy,
        calendar_name=name,
    )
    with database.write() as tx:
        if listing.staged:
            calendar_store.take_over_stage(tx, known.id)
            calendar_store.clear_stage(tx, known.id)
        elif known.last_success is not None:
            calendar_store.save(tx, known.id, page.changes)
        deeds = enter(tx, run, verdicts, order.room, random)
        seen = noticed(tx, run, order.key, changed)
        outbox.put(tx, [*_remarks(order, listing, name), *seen.said], order.now, random)
        calendar_store.synced(tx, known.id, page.sync_token or "", name, time_zone, order.now)
    overtaken = frozenset(verdict.overtakes.id for _, verdict in verdicts if verdict.overtakes is not None)
    outdated = frozenset(verdict.outdates.id for _, verdict in verdicts if verdict.outdates is not None)
    return Passed(name, (*deeds, *seen.deeds), overtaken, outdated)


def _remarks(order: Order, listing: _Listing, name: str) -> list[Outcome | Notice]:
    account, calendar = order.key.account, order.key.calendar
    remarks: list[Outcome | Notice] = [
        Outcome(
            event_type="failed",
            key=_key(order, item.id),
            calendar_name=name,
            reason="invalid_request",
            reason_text=f"Calbot cannot read this event: {item.problem}",
            retryable=False,
            source=order.source,
            run_id=order.run_id,
        )
        for item in listing.unreadable
    ]
    if listing.stale_token:
        text = f"Google asked for a full reading of {name}; it was compared with what was known."
        remarks.append(Notice(event_type="full_resync", text=text, account=account, calendar=calendar))
    return remarks
