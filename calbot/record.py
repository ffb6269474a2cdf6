"""Verdicts written down: rows of the ledger, and what people hear of them."""

from collections.abc import Iterable

import msgspec

from calbot.model import SILENT_SKIPS, Action, Deed, DeedState, EventKey, Notice, Noun, Outcome, Skip
from calbot.planner import Verdict, is_remembered
from calbot.ports import Random
from calbot.store import ledger, outbox
from calbot.store.database import Tx

LARGE_RUN = 20


class Run(Noun, frozen=True, kw_only=True):
    """The pass that verdicts come from; `seen_at` is when its cause reached us, in epoch seconds."""

    id: str
    source: str
    seen_at: float
    now: float
    calendar_name: str = ""
    dry_run: bool = False


def enter(tx: Tx, run: Run, verdicts: Iterable[tuple[EventKey, Verdict]], room: int, random: Random) -> list[Deed]:
    """Write verdicts into ledger and outbox; return the deeds to carry out, the first `room` of them started."""
    verdicts = list(verdicts)
    deeds: list[Deed] = []
    said: list[Outcome | Notice] = []
    planned = sum(v.action is not None and not isinstance(v.action, Skip) for _, v in verdicts)
    for key, verdict in verdicts:
        if verdict.overtakes is not None:
            ledger.supersede(tx, verdict.overtakes, run.now)
        if verdict.recheck is not None:
            waits = verdict.recheck
            ledger.park(tx, waits, run.now, waits.reason or "network", "A change may settle it.", uncertain=True)
        announced = [verdict.said] if verdict.said is not None else []
        action = verdict.action
        if isinstance(action, Skip):
            if is_remembered(action):
                _add(tx, run, key, action, "skipped")
            if action.reason not in SILENT_SKIPS:
                announced.append(skipped(key, action))
        elif action is not None:
            place = (planned, len(deeds)) if planned > LARGE_RUN else None
            state: DeedState = "started" if len(deeds) < room else "planned"
            deeds.append(_add(tx, run, key, action, state, place))
        said += [
            msgspec.structs.replace(
                outcome,
                calendar_name=run.calendar_name,
                source=run.source,
                seen_at=run.seen_at,
                run_id=run.id,
                dry_run=run.dry_run,
            )
            for outcome in announced
        ]
    outbox.put(tx, said, run.now, random)
    return deeds


def _add(
    tx: Tx, run: Run, key: EventKey, action: Action, state: DeedState, batch: tuple[int, int] | None = None
) -> Deed:
    origin = {"run_id": run.id, "source": run.source}
    return ledger.add(tx, key, action, state, run.now, seen_at=run.seen_at, batch=batch, **origin)


def skipped(key: EventKey, skip: Skip) -> Outcome:
    """Return the announcement of a skip."""
    return Outcome(
        event_type="skipped", key=key, event=skip.event, reason=skip.reason, reason_text=skip.text, rule=skip.rule
    )
