"""What came of the deeds, written down: ledger, events and announcements in one transaction."""

from collections.abc import Mapping
from typing import assert_never

import msgspec

from calbot.deeds import (
    Again,
    Alive,
    Done,
    Later,
    Never,
    NotDone,
    Result,
    SignedOut,
    Task,
    Undecided,
    Vanished,
)
from calbot.model import (
    SILENT_SKIPS,
    CalendarKey,
    Deed,
    Event,
    Invite,
    LookUp,
    Notice,
    Noun,
    Outcome,
    Policy,
)
from calbot.planner import plan
from calbot.ports import Random
from calbot.schedule import backoff
from calbot.store import calendars as calendar_store
from calbot.store import ledger, outbox
from calbot.store.database import Tx
from calbot.sync import Order, enter, skipped

MOST_VERSIONS = 5
ANNOUNCED_FAILURE = 3
BELIEVED_GONE = 2
SIGNED_OUT = "auth_revoked"


class Settled(Noun, frozen=True):
    """Deeds that go out once more, written as started, and deeds that were newly planned."""

    again: tuple[Deed, ...]
    more: tuple[Deed, ...]


def settle(
    tx: Tx,
    results: list[tuple[Task, Result]],
    policy: Policy,
    now: float,
    random: Random,
    names: Mapping[str, str],
) -> Settled:
    """Move each deed's row to where its result says, and announce what people should hear."""
    again: list[Deed] = []
    more: list[Deed] = []
    said: list[Outcome | Notice] = []
    for task, result in results:
        deed = task.deed
        heard: list[Outcome] = []
        match result:
            case Done(written, guests):
                heard = _done(tx, deed, written, guests, now)
            case Again(action):
                tried = msgspec.structs.replace(deed, action=action, attempts=deed.attempts + 1, uncertain=False)
                if tried.attempts % MOST_VERSIONS:
                    ledger.start(tx, [tried])
                    again.append(tried)
                else:
                    heard = _later(tx, tried, Later("conflict", "The event keeps changing.", None, False), now, random)
            case NotDone(skip):
                ledger.finish(tx, deed, "skipped", now, reason=skip.reason, text=skip.text)
                heard = [] if skip.reason in SILENT_SKIPS else [skipped(deed.key, skip)]
            case Never(reason, text):
                ledger.finish(tx, deed, "refused", now, reason=reason, text=text)
                heard = [_failure(deed, reason, text, retry_at=None)]
            case Later() as later:
                counted = msgspec.structs.replace(deed, attempts=deed.attempts + 1)
                heard = _later(tx, counted, later, now, random)
            case Undecided(text):
                ledger.hold(tx, deed, "conflict", text)
                heard = [_outcome("held", deed, reason="conflict", reason_text=text)]
            case Vanished() if isinstance(deed.action, Invite) and deed.attempts < BELIEVED_GONE:
                # Google may not find an event for some seconds after it was made.
                later = Later("not_found", "Google does not find the event.", None, deed.uncertain)
                heard = _later(tx, msgspec.structs.replace(deed, attempts=deed.attempts + 1), later, now, random)
            case Vanished():
                heard = _vanished(tx, deed, now)
            case Alive(event):
                ledger.finish(tx, deed, "done", now)
                more += _alive(tx, deed, event, policy, now, random, names)
            case SignedOut(text):
                ledger.park(tx, deed, None, SIGNED_OUT, text, uncertain=deed.uncertain)
            case _:
                assert_never(result)
        said += [msgspec.structs.replace(o, calendar_name=names.get(deed.key.calendar, "")) for o in heard]
    outbox.put(tx, said, now, random)
    return Settled(tuple(again), tuple(more))


def _done(tx: Tx, deed: Deed, written: Event, guests: tuple[str, ...], now: float) -> list[Outcome]:
    ledger.finish(tx, deed, "done", now, written=written)
    if isinstance(deed.action, Invite):
        calendar_store.wrote(tx, deed.key, deed.action.event.etag, written)
    return [_outcome("invited", deed, event=written, guests_added=guests)]


def _later(tx: Tx, deed: Deed, later: Later, now: float, random: Random) -> list[Outcome]:
    retry_at = now + backoff(deed.attempts, random.uniform(0, 1), later.after)
    ledger.park(tx, deed, retry_at, later.reason, later.text, uncertain=later.uncertain)
    if deed.attempts != ANNOUNCED_FAILURE:
        return []
    return [_failure(deed, later.reason, later.text, retry_at=retry_at)]


def _vanished(tx: Tx, deed: Deed, now: float) -> list[Outcome]:
    known = calendar_store.event(tx, deed.key)
    if not isinstance(deed.action, LookUp):
        ledger.finish(tx, deed, "superseded", now, reason="not_found", text="The event was deleted.")
        return []
    ledger.finish(tx, deed, "done", now)
    calendar_store.mark_gone(tx, deed.key)
    return [_outcome("cancelled", deed, event=known)] if known is not None else []


def _alive(
    tx: Tx, deed: Deed, event: Event, policy: Policy, now: float, random: Random, names: Mapping[str, str]
) -> list[Deed]:
    """Treat an event that turned out to be there like one that a listing brought."""
    key = CalendarKey(deed.key.account, deed.key.calendar)
    verdict = plan(deed.key, event, calendar_store.event(tx, deed.key), None, policy, now)
    calendar = calendar_store.known(tx, key)
    if calendar is not None:
        calendar_store.save(tx, calendar.id, [event])
    order = Order(
        key=key, policy=policy, now=now, run_id=deed.run_id, source=deed.source, seen_at=now, room=0
    )  # fmt: skip
    return enter(tx, order, [(deed.key, verdict)], random, calendar_name=names.get(deed.key.calendar, ""))


def _failure(deed: Deed, reason: str, text: str, *, retry_at: float | None) -> Outcome:
    return _outcome("failed", deed, reason=reason, reason_text=text, retryable=retry_at is not None, retry_at=retry_at)


def _outcome(event_type: str, deed: Deed, **parts: object) -> Outcome:
    event = None if isinstance(deed.action, LookUp) else deed.action.event
    rule = None if isinstance(deed.action, LookUp) else deed.action.rule
    basis = {
        "event": event,
        "rule": rule,
        "source": deed.source,
        "run_id": deed.run_id,
        "seen_at": deed.seen_at,
    }
    return Outcome(event_type=event_type, key=deed.key, **{**basis, **parts})  # type: ignore[arg-type]
