"""What came of the deeds, written down: ledger, events and announcements in one transaction."""

from collections.abc import Mapping

import msgspec

from calbot.actions import Deed, Invite, LookUp, Mirror, RemoveCopy, Retract
from calbot.cases import case_of
from calbot.consequences import follow_up
from calbot.copywork import NOTHING
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
from calbot.identity import is_copy
from calbot.kinds import SILENT_SKIPS, DeedState
from calbot.model import CalendarKey, Event, Notice, Noun, Outcome
from calbot.planner import Verdict, plan
from calbot.policy import Policy
from calbot.ports import Random
from calbot.record import enter
from calbot.schedule import COOL_DOWN, LONGEST_REST, backoff
from calbot.stays import NO_WRITER, SOON
from calbot.store import calendars as calendar_store
from calbot.store import copies, fates, ledger, outbox, parked, releases, switches, targets
from calbot.store.database import Tx
from calbot.store.history import undo_token
from calbot.telling import Run, of_deed, skipped, told
from calbot.undo import Undone

MOST_VERSIONS = 5
QUOTA = "calendar_limits"
ANNOUNCED_FAILURE = 3
SIGNED_OUT = "auth_revoked"
MOST_REFUSALS = 3
_NO_ACCESS = frozenset({"forbidden", "not_found"})


class Settled(Noun, frozen=True):
    """Deeds that go out once more, written as started; deeds that were newly planned; rows that were overtaken.

    `resting_until` is when Google's quota lets the account invite again (epoch seconds), as it stands now.
    """

    again: tuple[Deed, ...]
    more: tuple[Deed, ...]
    overtaken: frozenset[int]
    resting_until: float | None


class Context(Noun, frozen=True):
    """What settling needs to know: the policy, the calendars' names, and the deeds whose event changed meanwhile."""

    account: str
    policy: Policy
    names: Mapping[str, str]
    outdated: frozenset[int]
    resting_until: float | None
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
            case Undone():
                heard = _undone(tx, deed, result, now)
            case Again(action):
                tried, heard = _tried_again(tx, deed, action, now, random)
                again += tried
            case NotDone(skip):
                ledger.finish(tx, deed, "skipped", now, reason=skip.reason, text=skip.text)
                heard = [] if skip.reason in SILENT_SKIPS else [skipped(deed.key, skip)]
            case Never(reason, text):
                heard = _refused(tx, deed, reason, text, now)
            case Later() as later:
                attempts = deed.attempts + (not _is_asked_to_wait(later))
                heard = _later(tx, msgspec.structs.replace(deed, attempts=attempts), later, now, random)
            case Undecided(text):
                ledger.hold(tx, deed, "conflict", text)
                heard = [of_deed("held", deed, reason="conflict", reason_text=text)]
            case Vanished():
                heard = _vanished(tx, deed, now)
            case Alive(event):
                verdict = _judged_anew(tx, deed, event, context)
                more += enter(tx, _run(deed, context), [(deed.key, verdict)], 0, random)
                overtaken |= {verdict.overtakes.id} if verdict.overtakes is not None else set()
            case SignedOut(text):
                ledger.park(tx, deed, None, SIGNED_OUT, text, uncertain=deed.uncertain)
            case _:
                pass  # What came of a copy, or of an original that it replaces: below.
        name = context.names.get(deed.key.calendar, "")
        said += [
            outcome if outcome.calendar_name else msgspec.structs.replace(outcome, calendar_name=name)
            for outcome in heard
        ]
        copied = NOTHING if deed.id in context.outdated else follow_up(tx, deed, result, _run(deed, context), random)
        more += copied.deeds
        said += copied.said
    said += _sums(tx, [task.deed for task, _ in results], context)
    resting_until, remark = _quota(tx, [result for _, result in results], context)
    outbox.put(tx, [*said, *remark], now, random)
    return Settled(tuple(again), tuple(more), frozenset(overtaken), resting_until)


def _quota(tx: Tx, results: list[Result], context: Context) -> tuple[float | None, list[Notice]]:
    """Let the account's invitations rest when Google's limits are used up, and say so once; say when that is over."""
    rests = [
        min(one.after or COOL_DOWN, LONGEST_REST) for one in results if isinstance(one, Later) and one.reason == QUOTA
    ]
    before, account = context.resting_until, context.account
    if rests:
        until = context.now + max(rests)
        switches.rest(tx, account, until)
        text = (
            f"Google lets {account} invite nobody for now: its limit of invitations is used up. "
            f"Calbot tries again in {round(max(rests) / 3600, 1):g} h; nothing is lost."
        )
        new = before is None or not context.now < before < context.now + parked.LONGEST_WAIT
        data: dict[str, str | int | float | bool | None] = {"retry_at": until}
        notice = Notice(event_type="quota_exceeded", text=text, account=account, reason=QUOTA, data=data)
        return until, [notice] if new else []
    if before is not None and before <= context.now and any(isinstance(one, Done) for one in results):
        switches.rest(tx, account, None)
        text = f"Google lets {account} invite again."
        return None, [Notice(event_type="quota_restored", text=text, account=account)]
    return before, []


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


def _tried_again(tx: Tx, deed: Deed, action: Invite, now: float, random: Random) -> tuple[list[Deed], list[Outcome]]:
    """Let an invitation go out once more, to another version of its event; return it, if it does, and what is said."""
    tried = msgspec.structs.replace(deed, action=action, attempts=deed.attempts + 1, uncertain=False)
    if tried.attempts % MOST_VERSIONS == 0:
        return [], _later(tx, tried, Later("conflict", "The event keeps changing.", None, False), now, random)
    if _is_more(action, deed):
        ledger.park(tx, tried, now, "conflict", "There are more to invite than before.", uncertain=False)
        return [], []
    ledger.start(tx, [tried], now)
    return [tried], []


def _is_more(action: Invite, deed: Deed) -> bool:
    """Say whether an action is more invitations than the brake has counted for its deed."""
    counted = len(deed.action.guests) if isinstance(deed.action, Invite) else 0
    return len(action.guests) > counted and not deed.approved


def _done(tx: Tx, deed: Deed, written: Event, guests: tuple[str, ...], now: float) -> list[Outcome]:
    ledger.finish(tx, deed, "done", now, written=written)
    fates.note(tx, deed.key, guests, "invited", now)
    if isinstance(deed.action, Invite):
        calendar_store.wrote(tx, deed.key, deed.action.event.etag, written)
        copies.version(tx, deed.key, deed.action.event.etag, written.etag)
    token = undo_token(deed.id, deed.key)
    return [of_deed("invited", deed, event=written, guests_added=guests, undo_token=token)]


def _undone(tx: Tx, deed: Deed, undone: Undone, now: float) -> list[Outcome]:
    """Close an undo with the deed that it took back. Whoever is off by then was taken off, by us or by a person."""
    action = deed.action
    if not isinstance(action, Retract):
        return []
    state: DeedState = "done" if undone.guests else "skipped"
    ledger.finish(tx, deed, state, now, text=undone.left, written=undone.event)
    for number in action.deeds:
        taken_back = ledger.by_id(tx, number)
        if taken_back is not None and taken_back.state == "done":
            releases.set_aside(tx, taken_back, "undone", now)
    fates.note(tx, deed.key, action.guests, "undone", now)
    if not undone.guests:
        return []
    return [of_deed("undone", deed, event=undone.event, guests_removed=undone.guests, reason_text=undone.left)]


def _refused(tx: Tx, deed: Deed, reason: str, text: str, now: float) -> list[Outcome]:
    """Close a row that Google refuses. To an event of somebody else it is not asked again."""
    about_copy = isinstance(deed.action, Mirror | RemoveCopy)
    if about_copy and reason in _NO_ACCESS and deed.attempts < MOST_REFUSALS:
        return _let_another(tx, deed, reason, text, now)
    ledger.finish(tx, deed, "refused", now, reason=reason, text=text)
    if isinstance(deed.action, Invite) and not deed.action.event.organised_by_us:
        fates.note(tx, deed.key, deed.action.guests, "refused", now)
    return [_failure(tx, deed, reason, text, retry_at=None)]


def _let_another(tx: Tx, deed: Deed, reason: str, text: str, now: float) -> list[Outcome]:
    """Let go of a calendar that seems to be no longer ours to write; the copy waits for who may."""
    first = targets.release(tx, deed.key.calendar, deed.key.account)
    tried = msgspec.structs.replace(deed, attempts=deed.attempts + 1)
    ledger.park(tx, tried, now + SOON, NO_WRITER, text, uncertain=deed.uncertain)
    return [] if not first else [_failure(tx, deed, reason, text, retry_at=now + SOON)]


def _later(tx: Tx, deed: Deed, later: Later, now: float, random: Random) -> list[Outcome]:
    asked = COOL_DOWN if later.reason == QUOTA and later.after is None else later.after
    retry_at = now + backoff(deed.attempts, random.uniform(0, 1), asked)
    ledger.park(tx, deed, retry_at, later.reason, later.text, uncertain=later.uncertain)
    announced = 1 if later.reason == QUOTA else ANNOUNCED_FAILURE
    if deed.attempts != announced or _is_asked_to_wait(later):
        return []
    return [_failure(tx, deed, later.reason, later.text, retry_at=retry_at)]


def _is_asked_to_wait(later: Later) -> bool:
    """Say whether Google named a time: then waiting is what it wants, and no failure."""
    return later.after is not None and later.reason != QUOTA


def _vanished(tx: Tx, deed: Deed, now: float) -> list[Outcome]:
    known = calendar_store.event(tx, deed.key)
    if not isinstance(deed.action, LookUp):
        ledger.finish(tx, deed, "superseded", now, reason="not_found", text="The event was deleted.")
        return []
    ledger.finish(tx, deed, "done", now)
    calendar_store.forget(tx, deed.key)
    waits = ledger.open_deed(tx, deed.key, "invite")
    if waits is not None and waits.state == "held":
        ledger.supersede(tx, waits, now)
    return [of_deed("cancelled", deed, event=known)] if known is not None else []


def _run(deed: Deed, context: Context) -> Run:
    return Run(
        id=deed.run_id,
        source=deed.source,
        seen_at=deed.seen_at or context.now,
        now=context.now,
        policy=context.policy,
        calendar_name=context.names.get(deed.key.calendar, ""),
    )


def _judged_anew(tx: Tx, deed: Deed, event: Event, context: Context) -> Verdict:
    """Treat an event that turned out to be there like one that a listing brought."""
    ledger.finish(tx, deed, "done", context.now)
    calendar = calendar_store.known(tx, CalendarKey(deed.key.account, deed.key.calendar))
    known, waits = calendar_store.event(tx, deed.key), ledger.open_deed(tx, deed.key, "invite")
    case = case_of(tx, deed, context.policy, context.now)
    if calendar is not None:
        calendar_store.save(tx, calendar.id, [event])
    if is_copy(event):
        return Verdict()
    return plan(event, known, waits, case)


def _failure(tx: Tx, deed: Deed, reason: str, text: str, *, retry_at: float | None) -> Outcome:
    again = retry_at is not None
    return told(tx, "failed", deed, reason=reason, reason_text=text, retryable=again, retry_at=retry_at)
