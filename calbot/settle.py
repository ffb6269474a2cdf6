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
from calbot.planner import Verdict, plan
from calbot.ports import Random
from calbot.record import Run, enter, skipped
from calbot.schedule import backoff
from calbot.store import calendars as calendar_store
from calbot.store import ledger, outbox
from calbot.store.database import Tx

MOST_VERSIONS = 5
ANNOUNCED_FAILURE = 3
SIGNED_OUT = "auth_revoked"


class Settled(Noun, frozen=True):
    """Deeds that go out once more, written as started; deeds that were newly planned; rows that were overtaken."""

    again: tuple[Deed, ...]
    more: tuple[Deed, ...]
    overtaken: frozenset[int]


class Context(Noun, frozen=True):
    """What settling needs to know: the policy, the calendars' names, and the deeds whose event changed meanwhile."""

    policy: Policy
    names: Mapping[str, str]
    outdated: frozenset[int]
    now: float


def settle(tx: Tx, results: list[tuple[Task, Result]], context: Context, random: Random) -> Settled:
    """Move each deed's row to where its result says, and announce what people should hear."""
    again: list[Deed] = []
    more: list[Deed] = []
    overtaken: set[int] = set()
    said: list[Outcome | Notice] = []
    now = context.now
    for task, result in results:
        deed = task.deed
        heard: list[Outcome] = []
        match result:
            case NotDone() | Never() | Vanished() if deed.id in context.outdated:
                ledger.park(tx, deed, now, "conflict", "The event changed meanwhile.", uncertain=deed.uncertain)
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
            case Vanished():
                heard = _vanished(tx, deed, now)
            case Alive(event):
                ledger.finish(tx, deed, "done", now)
                verdict = _judged_anew(tx, deed, event, context)
                more += enter(tx, _run(deed, context), [(deed.key, verdict)], 0, random)
                overtaken |= {verdict.overtakes.id} if verdict.overtakes is not None else set()
            case SignedOut(text):
                ledger.park(tx, deed, None, SIGNED_OUT, text, uncertain=deed.uncertain)
            case _:
                assert_never(result)
        name = context.names.get(deed.key.calendar, "")
        said += [msgspec.structs.replace(outcome, calendar_name=name) for outcome in heard]
    said += _sums(tx, [task.deed for task, _ in results], context)
    outbox.put(tx, said, now, random)
    return Settled(tuple(again), tuple(more), frozenset(overtaken))


def _sums(tx: Tx, deeds: list[Deed], context: Context) -> list[Notice]:
    """Sum up each large run whose last deed is settled."""
    runs = {deed.run_id: deed.key for deed in deeds if deed.batch is not None}
    sums = []
    for run_id, key in runs.items():
        counts = ledger.of_run(tx, key.account, run_id)
        if counts.keys() & {"planned", "started", "parked"}:
            continue
        name = context.names.get(key.calendar, key.calendar)
        text = f"{name}: " + ", ".join(f"{count} {state}" for state, count in sorted(counts.items())) + "."
        data: dict[str, str | int | float | bool | None] = {"run_id": run_id, **counts}
        notice = Notice(event_type="sync_completed", text=text, account=key.account, calendar=key.calendar, data=data)
        sums.append(notice)
    return sums


def _done(tx: Tx, deed: Deed, written: Event, guests: tuple[str, ...], now: float) -> list[Outcome]:
    ledger.finish(tx, deed, "done", now, written=written)
    if isinstance(deed.action, Invite):
        calendar_store.wrote(tx, deed.key, deed.action.event.etag, written)
    return [_outcome("invited", deed, event=written, guests_added=guests)]


def _later(tx: Tx, deed: Deed, later: Later, now: float, random: Random) -> list[Outcome]:
    retry_at = now + backoff(deed.attempts, random.uniform(0, 1), later.after)
    ledger.park(tx, deed, retry_at, later.reason, later.text, uncertain=later.uncertain)
    if deed.attempts != (1 if later.reason == "calendar_limits" else ANNOUNCED_FAILURE):
        return []
    return [_failure(deed, later.reason, later.text, retry_at=retry_at)]


def _vanished(tx: Tx, deed: Deed, now: float) -> list[Outcome]:
    known = calendar_store.event(tx, deed.key)
    if not isinstance(deed.action, LookUp):
        ledger.finish(tx, deed, "superseded", now, reason="not_found", text="The event was deleted.")
        return []
    ledger.finish(tx, deed, "done", now)
    calendar_store.forget(tx, deed.key)
    return [_outcome("cancelled", deed, event=known)] if known is not None else []


def _judged_anew(tx: Tx, deed: Deed, event: Event, context: Context) -> Verdict:
    """Treat an event that turned out to be there like one that a listing brought."""
    known, waits = calendar_store.event(tx, deed.key), ledger.open_invitation(tx, deed.key)
    verdict = plan(deed.key, event, known, waits, context.policy, context.now)
    calendar = calendar_store.known(tx, CalendarKey(deed.key.account, deed.key.calendar))
    if calendar is not None:
        calendar_store.save(tx, calendar.id, [event])
    return verdict


def _run(deed: Deed, context: Context) -> Run:
    return Run(
        id=deed.run_id,
        source=deed.source,
        seen_at=deed.seen_at or context.now,
        now=context.now,
        calendar_name=context.names.get(deed.key.calendar, ""),
        dry_run=context.policy.dry_run,
    )


def _failure(deed: Deed, reason: str, text: str, *, retry_at: float | None) -> Outcome:
    return _outcome("failed", deed, reason=reason, reason_text=text, retryable=retry_at is not None, retry_at=retry_at)


def _outcome(event_type: str, deed: Deed, **parts: object) -> Outcome:
    event, rule = (None, None) if isinstance(deed.action, LookUp) else (deed.action.event, deed.action.rule)
    basis = {
        "event": event,
        "rule": rule,
        "source": deed.source,
        "run_id": deed.run_id,
        "seen_at": deed.seen_at,
        "batch": (deed.run_id, *deed.batch) if deed.batch is not None else None,
    }
    return Outcome(event_type=event_type, key=deed.key, **{**basis, **parts})  # type: ignore[arg-type]
