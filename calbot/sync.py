"""One calendar, one pass: gather what changed, decide about it, write all of it down together."""

from collections.abc import Iterable, Iterator

import msgspec

from calbot.errors import RetryLater, StaleSyncToken
from calbot.model import (
    SILENT_SKIPS,
    Action,
    CalendarKey,
    Change,
    Deed,
    DeedState,
    EventKey,
    Invite,
    LookUp,
    Notice,
    Noun,
    Outcome,
    Page,
    Policy,
    Skip,
    Unreadable,
)
from calbot.moments import is_past
from calbot.planner import Verdict, in_order, is_remembered, looks_emptied, plan
from calbot.ports import Calendars, Random
from calbot.rules import judge
from calbot.store import calendars as calendar_store
from calbot.store import ledger, outbox
from calbot.store.calendars import Known
from calbot.store.database import Database, Tx

LARGE_RUN = 20


class Order(Noun, frozen=True, kw_only=True):
    """What a pass is to do, and under which policy.

    `room` is how many deeds may go out at once; `believe` accepts a listing that lacks most of what we knew.
    """

    key: CalendarKey
    policy: Policy
    now: float
    run_id: str
    source: str
    seen_at: float
    room: int
    full: bool = False
    invite_existing: bool = False
    believe: bool = False


class Passed(Noun, frozen=True):
    """What a pass came to: deeds to carry out, those that are written as started first."""

    name: str
    deeds: tuple[Deed, ...]
    overtaken: frozenset[int]
    rechecked: bool


class _Listing(Noun, frozen=True):
    """A complete listing. `page` holds it when it is short; else it lies staged in the store, or is saved already."""

    page: Page
    staged: bool
    full: bool
    stale_token: bool
    unreadable: tuple[Unreadable, ...]


def sync(order: Order, calendars: Calendars, database: Database, random: Random) -> Passed:
    """Run one pass. Raises the errors of the Calendars port, and StoreError; nothing is half done then."""
    known = _registered(order.key, database)
    listing = _gather(order, known, calendars, database)
    if listing.full and known.last_success is not None:
        _doubt(order, known, listing, database)
    first = known.last_success is None
    verdicts = _baseline(order, known, database) if first else _verdicts(order, known, listing, database)
    return _write_down(order, known, listing, verdicts, database, random)


def _registered(key: CalendarKey, database: Database) -> Known:
    known = calendar_store.known(database.read(), key)
    if known is not None:
        return known
    with database.write() as tx:
        return calendar_store.register(tx, key)


def _gather(order: Order, known: Known, calendars: Calendars, database: Database) -> _Listing:
    token = None if order.full else known.sync_token
    try:
        return _list(order, known, token, calendars, database, stale=False)
    except StaleSyncToken:
        return _list(order, known, None, calendars, database, stale=True)


def _list(
    order: Order, known: Known, token: str | None, calendars: Calendars, database: Database, *, stale: bool
) -> _Listing:
    """Read all pages. One alone stays in memory; of several, each is staged in a transaction of its own.

    At first sight of a calendar there is nothing to compare with, so its pages need no stage beside the events.
    """
    calendar = order.key.calendar
    first = known.last_success is None
    keep = calendar_store.save if first else calendar_store.stage
    page = calendars.page(calendar, sync_token=token, page_token=None)
    unreadable = list(page.unreadable)
    several = page.next_page is not None or token is None
    if several:
        with database.write() as tx:
            (calendar_store.forget_events if first else calendar_store.clear_stage)(tx, known.id)
            keep(tx, known.id, page.changes)
    while (following := page.next_page) is not None:
        del page  # So that two pages never lie in memory at once.
        page = calendars.page(calendar, sync_token=token, page_token=following)
        unreadable += page.unreadable
        with database.write() as tx:
            keep(tx, known.id, page.changes)
    return _Listing(page, several and not first, token is None, stale, tuple(unreadable))


def _doubt(order: Order, known: Known, listing: _Listing, database: Database) -> None:
    """Refuse a full listing that names less than half of what we knew, unless it insists."""
    reader = database.read()
    before = calendar_store.count(reader, known.id)
    missing = len(calendar_store.absent(reader, known.id)) if listing.staged else 0
    if looks_emptied(before, before - missing) and not order.believe:
        message = f"Google's full listing lacks {missing} of {before} known events; it is not believed yet."
        raise RetryLater(message, "upstream_5xx")


def _chunks(known: Known, listing: _Listing, database: Database) -> Iterator[list[Change]]:
    if listing.staged:
        yield from calendar_store.staged(database.read(), known.id)
    else:
        yield list(listing.page.changes)


def _baseline(order: Order, known: Known, database: Database) -> list[tuple[EventKey, Verdict]]:
    """At first sight of a calendar its events are known, not acted on; or invited to, when that was chosen."""
    if not order.invite_existing:
        return []
    return [
        (_key(order, event.id), Verdict(action=action))
        for chunk in calendar_store.saved(database.read(), known.id)
        for event in chunk
        if isinstance(action := judge(event, order.policy, order.now), Invite)
    ]


def _verdicts(order: Order, known: Known, listing: _Listing, database: Database) -> list[tuple[EventKey, Verdict]]:
    reader = database.read()
    open_deeds = {deed.key.event: deed for deed in ledger.open_deeds(reader, order.key.account, order.key.calendar)}
    found: dict[str, tuple[EventKey, Verdict]] = {}
    for chunk in _chunks(known, listing, database):
        before = calendar_store.events(reader, known.id, [change.id for change in chunk])
        for change in in_order(chunk):
            key = _key(order, change.id)
            verdict = plan(key, change, before.get(change.id), open_deeds.get(change.id), order.policy, order.now)
            found.pop(change.id, None)  # Changed between two pages, an event may be on both: the last word counts.
            if verdict != Verdict():
                found[change.id] = (key, verdict)
    absences = _absences(order, known, open_deeds, database) if listing.full else []
    return [*found.values(), *absences]


def _absences(
    order: Order, known: Known, open_deeds: dict[str, Deed], database: Database
) -> list[tuple[EventKey, Verdict]]:
    """A full listing names no deletions: what it lacks is looked up by id before it counts as deleted."""
    reader = database.read()
    ids = calendar_store.absent(reader, known.id)
    events = calendar_store.events(reader, known.id, ids)
    live = [id_ for id_ in ids if not is_past(events[id_], order.policy.time_zone, order.now)]
    return [
        (_key(order, id_), Verdict(action=LookUp(id_), overtakes=_not_started(open_deeds.get(id_)))) for id_ in live
    ]


def _not_started(deed: Deed | None) -> Deed | None:
    return deed if deed is not None and deed.state in {"planned", "parked"} and not deed.uncertain else None


def _key(order: Order, event_id: str) -> EventKey:
    return EventKey(order.key.account, order.key.calendar, event_id)


def _write_down(
    order: Order,
    known: Known,
    listing: _Listing,
    verdicts: list[tuple[EventKey, Verdict]],
    database: Database,
    random: Random,
) -> Passed:
    """Store events, decisions, announcements and the sync token in one transaction."""
    page = listing.page
    name, time_zone = page.calendar_name or known.name, page.time_zone or known.time_zone
    overtaken = frozenset(v.overtakes.id for _, v in verdicts if v.overtakes is not None)
    rechecks = [v.recheck for _, v in verdicts if v.recheck is not None]
    with database.write() as tx:
        if listing.staged:
            calendar_store.take_over_stage(tx, known.id)
            calendar_store.clear_stage(tx, known.id)
        elif known.last_success is not None:
            calendar_store.save(tx, known.id, page.changes)
        deeds = enter(tx, order, verdicts, random, calendar_name=name)
        for deed in rechecks:
            ledger.park(tx, deed, order.now, deed.reason or "network", "A change may settle it.", uncertain=True)
        outbox.put(tx, _remarks(order, listing, len(deeds), name), order.now, random)
        calendar_store.synced(tx, known.id, page.sync_token or "", name, time_zone, order.now)
    return Passed(name, tuple(deeds), overtaken, bool(rechecks))


def enter(
    tx: Tx, order: Order, verdicts: Iterable[tuple[EventKey, Verdict]], random: Random, *, calendar_name: str
) -> list[Deed]:
    """Write verdicts into ledger and outbox; return the deeds to carry out, the first `room` of them started."""
    deeds: list[Deed] = []
    said: list[Outcome | Notice] = []
    for key, verdict in verdicts:
        if verdict.overtakes is not None:
            ledger.supersede(tx, verdict.overtakes, order.now)
        announced = [verdict.said] if verdict.said is not None else []
        action = verdict.action
        if isinstance(action, Skip):
            if is_remembered(action):
                _add(tx, key, action, "skipped", order)
            if action.reason not in SILENT_SKIPS:
                announced.append(skipped(key, action))
        elif action is not None:
            state: DeedState = "started" if len(deeds) < order.room else "planned"
            deeds.append(_add(tx, key, action, state, order))
        said += [
            msgspec.structs.replace(
                outcome,
                calendar_name=calendar_name,
                source=order.source,
                seen_at=order.seen_at,
                run_id=order.run_id,
                dry_run=order.policy.dry_run,
            )
            for outcome in announced
        ]
    outbox.put(tx, said, order.now, random)
    return deeds


def _add(tx: Tx, key: EventKey, action: Action, state: DeedState, order: Order) -> Deed:
    origin = {"run_id": order.run_id, "source": order.source}
    return ledger.add(tx, key, action, state, order.now, seen_at=order.seen_at, **origin)


def skipped(key: EventKey, skip: Skip) -> Outcome:
    """Return the announcement of a skip."""
    return Outcome(
        event_type="skipped",
        key=key,
        event=skip.event,
        reason=skip.reason,
        reason_text=skip.text,
        rule=skip.rule,
    )


def _remarks(order: Order, listing: _Listing, planned: int, name: str) -> list[Outcome | Notice]:
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
    if planned > LARGE_RUN:
        text = f"{planned} things to do were found in {name}."
        data: dict[str, str | int | float | bool | None] = {"run_id": order.run_id, "planned": planned}
        remarks.append(Notice(event_type="sync_completed", text=text, account=account, calendar=calendar, data=data))
    return remarks
