"""What a pass and its deeds come to, as people and automations hear it."""

import msgspec

from calbot.actions import Deed, DeleteOriginal, LookUp, Mirror, RemoveCopy, RestoreOriginal, Skip
from calbot.model import CalendarKey, Copy, EventKey, Noun, Outcome
from calbot.policy import Policy
from calbot.store import calendars, targets
from calbot.store.database import Tx


class Run(Noun, frozen=True, kw_only=True):
    """The pass that verdicts come from; `seen_at` is when its cause reached us, in epoch seconds."""

    id: str
    source: str
    seen_at: float
    now: float
    policy: Policy
    calendar_name: str = ""


def of_run(outcome: Outcome, run: Run) -> Outcome:
    """Return an announcement with the pass that it came of."""
    return msgspec.structs.replace(
        outcome,
        calendar_name=run.calendar_name,
        source=run.source,
        seen_at=run.seen_at,
        run_id=run.id,
        dry_run=run.policy.dry_run,
    )


def skipped(key: EventKey, skip: Skip) -> Outcome:
    """Return the announcement of a skip."""
    return Outcome(
        event_type="skipped", key=key, event=skip.event, reason=skip.reason, reason_text=skip.text, rule=skip.rule
    )


def of_deed(event_type: str, deed: Deed, **parts: object) -> Outcome:
    """Return the announcement of what came of a deed."""
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


def told(tx: Tx, event_type: str, deed: Deed, **parts: object) -> Outcome:
    """Return the announcement of what came of a copy's deed: it is about the source, and says where the copy is."""
    action = deed.action
    if not isinstance(action, Mirror | RemoveCopy | DeleteOriginal | RestoreOriginal):
        return of_deed(event_type, deed, **parts)
    source = action.source if isinstance(action, Mirror | RemoveCopy) else deed.key
    where: dict[str, object] = {
        "calendar_name": _name(tx, source.account, source.calendar),
        "target_calendar": _name(tx, targets.writer(tx, action.copy.target) or "", action.copy.target),
        "copy_id": action.copy.event_id,
    }
    return msgspec.structs.replace(of_deed(event_type, deed, **parts), key=source, **where)


def removed_by_hand(tx: Tx, copy: Copy, source: EventKey, text: str) -> Outcome:
    """Return the announcement that a person deleted a copy."""
    writer = targets.writer(tx, copy.target) or source.account
    return Outcome(
        event_type="copy_removed",
        key=source,
        event=calendars.event(tx, source),
        calendar_name=_name(tx, source.account, source.calendar),
        target_calendar=_name(tx, writer, copy.target),
        copy_id=copy.event_id,
        reason="copy_deleted_by_hand",
        reason_text=text,
    )


def _name(tx: Tx, account: str, calendar: str) -> str:
    known = calendars.known(tx, CalendarKey(account, calendar))
    return known.name if known is not None and known.name else calendars.name_of(tx, calendar)
