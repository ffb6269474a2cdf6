"""Verdicts written down: rows of the ledger, and what people hear of them."""

import math
from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from calbot.actions import Action, Deed, Invite, LookUp, Skip
from calbot.copywork import follow_all
from calbot.kinds import SILENT_SKIPS, DeedState
from calbot.model import CalendarKey, EventKey, Notice, Noun, Outcome
from calbot.moments import zone
from calbot.planner import BRAKE, Verdict, brake, is_remembered, removals_brake
from calbot.policy import Policy
from calbot.ports import Random
from calbot.store import allowance, copies, fates, ledger, outbox, releases, sourcing
from calbot.store.database import Tx
from calbot.store.ledger import Stay
from calbot.telling import Run, of_deed, of_run, skipped

LARGE_RUN = 20


def enter(
    tx: Tx,
    run: Run,
    verdicts: Iterable[tuple[EventKey, Verdict]],
    room: int,
    random: Random,
    beside: Sequence[int] = (),
) -> list[Deed]:
    """Write verdicts into ledger and outbox; return the deeds to carry out, the first `room` of them started.

    A pass that is more than the hour has room for is held as a whole; what was held before stays held. `beside` are
    the guests of each other event of the same pass that are invited later, or held already.
    """
    verdicts = [(key, _as_it_stands(tx, verdict)) for key, verdict in verdicts]
    deeds: list[Deed] = []
    said: list[Outcome | Notice] = []
    for key, verdict in verdicts:
        _overtake(tx, run, key, verdict)
    invites = [v.action for _, v in verdicts if isinstance(v.action, Invite) and not _heir(v)]
    stay, state = _braked(tx, run, invites, beside)
    first = not beside or not releases.held(tx, run.id, math.inf, run.now)
    doubts = _doubtful(tx, run, verdicts)
    parents = {invite.event.id for invite in invites if invite.event.recurrence}
    planned = sum(v.action is not None and not isinstance(v.action, Skip) for _, v in verdicts)
    place = 0
    for key, verdict in verdicts:
        announced = [verdict.said] if verdict.said is not None else []
        action = verdict.action
        for skip in _skips(verdict):
            if is_remembered(skip):
                _add(tx, run, key, skip, "skipped")
            if skip.reason not in SILENT_SKIPS and not (skip.verb == "invite" and verdict.links):
                announced.append(skipped(key, skip))
        if isinstance(action, LookUp) and doubts is not None and key.event in doubts.events:
            _add(tx, run, key, action, "held", stay=doubts.stay)
        elif action is not None and not isinstance(action, Skip):
            batch = (planned, place) if planned > LARGE_RUN else None
            place += 1
            if heir := _heir(verdict):
                _inherit(tx, run, key, action, heir)
            elif isinstance(action, Invite) and stay is not None:
                deed = _add(tx, run, key, action, state, batch, stay)
                announced.append(of_deed("held", deed, reason=BRAKE, reason_text=stay.text, retry_at=stay.until))
            else:
                waits = isinstance(action, Invite) and action.event.series in parents
                start: DeedState = "started" if len(deeds) < room and not waits else "planned"
                deeds.append(_add(tx, run, key, action, start, batch))
        said += [of_run(outcome, run) for outcome in announced]
    if stay is not None and state == "held" and first:
        count = sum(len(one.guests) for one in invites) + sum(beside)
        said.append(_brake_on(run, verdicts, count, run.policy.invites_per_hour, stay))
    if doubts is not None:
        said.append(_brake_on(run, verdicts, len(doubts.events), run.policy.removals_per_pass, doubts.stay))
    account = verdicts[0][0].account if verdicts else ""
    copied = follow_all(tx, run, account, verdicts, max(0, room - len(deeds)))
    outbox.put(tx, [*said, *copied.said], run.now, random)
    return [*deeds, *copied.deeds]


def _skips(verdict: Verdict) -> list[Skip]:
    """Return what is left alone, and why; what holds for guests and copies alike is said once."""
    skips = [skip for skip in (verdict.action, verdict.unmirrored) if isinstance(skip, Skip)]
    return skips[:1] if len({skip.reason for skip in skips}) == 1 else skips


class _Doubts(Noun, frozen=True):
    """Events that a full listing lacks, more of them with copies than may be taken away unasked."""

    events: frozenset[str]
    stay: Stay


def _doubtful(tx: Tx, run: Run, verdicts: list[tuple[EventKey, Verdict]]) -> _Doubts | None:
    absent = [key for key, verdict in verdicts if isinstance(verdict.action, LookUp)]
    if not absent:
        return None
    calendar = CalendarKey(absent[0].account, absent[0].calendar)
    events = sourcing.with_copies(tx, calendar, [key.event for key in absent])
    limit = run.policy.removals_per_pass
    if not removals_brake(len(events), copies.known(tx), limit):
        return None
    text = (
        f"Google no longer names {len(events)} events that have copies, more than limits.removals_per_pass ({limit}) "
        "or a tenth of all. Whether they are gone is not looked up, and no copy is taken away, until you approve."
    )
    return _Doubts(frozenset(events), Stay(BRAKE, text))


def _as_it_stands(tx: Tx, verdict: Verdict) -> Verdict:
    """Return the verdict with a held row as it is by now: a person may have approved or discarded it meanwhile."""
    before = verdict.overtakes or verdict.recheck
    if before is None or before.state != "held":
        return verdict
    row = ledger.by_id(tx, before.id)
    if row is not None and row.state in {"held", "parked"}:
        return verdict if verdict.recheck else msgspec.structs.replace(verdict, overtakes=row)
    return msgspec.structs.replace(verdict, overtakes=None, recheck=None, action=None)


def _overtake(tx: Tx, run: Run, key: EventKey, verdict: Verdict) -> None:
    if verdict.overtakes is not None:
        ledger.supersede(tx, verdict.overtakes, run.now)
    if verdict.recheck is not None:
        waits = verdict.recheck
        ledger.park(tx, waits, run.now, waits.reason or "network", "A change may settle it.", uncertain=True)
    fates.note(tx, key, verdict.removed, "removed", run.now)


def _heir(verdict: Verdict) -> Deed | None:
    """Return the row whose standing with the brake passes to the verdict's action: it was held, or let past."""
    before = verdict.overtakes
    if before is None or not isinstance(verdict.action, Invite):
        return None
    return before if before.reason == BRAKE or before.approved else None


def _inherit(tx: Tx, run: Run, key: EventKey, action: Action, before: Deed) -> None:
    """Let a newer version of an event stand where the one before stood; that it is held is not said twice."""
    text = "The event was changed while the limit of invitations an hour kept it."
    held = before.state == "held"
    stay = Stay(before.reason or BRAKE, text, None if held else before.retry_at or run.now)
    origin = {"run_id": before.run_id, "source": run.source}
    state: DeedState = "held" if held else "parked"
    standing = {"batch": before.batch, "stay": stay, "approved": before.approved}
    ledger.add(tx, key, action, state, run.now, seen_at=run.seen_at, **standing, **origin)  # type: ignore[arg-type]


def _braked(tx: Tx, run: Run, invites: list[Invite], beside: Sequence[int]) -> tuple[Stay | None, DeedState]:
    """Return why the invitations of this pass do not go out now, and how their rows stand; None: they do."""
    if not invites:
        return None, "planned"
    limit, wanted = run.policy.invites_per_hour, [*(len(invite.guests) for invite in invites), *beside]
    used, ahead = allowance.sent(tx, run.now) + allowance.promised(tx, run.now), allowance.waiting(tx)
    match brake(used + ahead if len(wanted) == 1 else used, wanted, limit):
        case "go":
            return None, "planned"
        case "wait":
            return wait(tx, used + ahead + sum(wanted) - limit, run.policy, run.now), "parked"
        case "hold":
            return Stay(BRAKE, too_many(sum(wanted), used, limit)), "held"


def too_many(wanted: int, used: int, limit: int) -> str:
    """Return the sentence of invitations that wait for a person."""
    return (
        f"{wanted} invitations at once, after {used} in the last hour, are more than the {limit} an hour that "
        "limits.invites_per_hour allows. None of them is sent until you approve."
    )


def wait(tx: Tx, lacking: int, policy: Policy, now: float) -> Stay:
    """Return until when an invitation waits for room in the hour, where `lacking` have to be an hour old first."""
    until = allowance.room_at(tx, now, lacking)
    clock = datetime.fromtimestamp(until, zone(policy.time_zone)).strftime("%H:%M")
    limit = policy.invites_per_hour
    text = f"{limit} invitations an hour are allowed (limits.invites_per_hour); this one goes out at {clock}."
    return Stay(BRAKE, text, until)


def _brake_on(run: Run, verdicts: list[tuple[EventKey, Verdict]], count: int, limit: int, stay: Stay) -> Notice:
    key = verdicts[0][0]
    return Notice(
        event_type="brake_on",
        text=stay.text,
        account=key.account,
        calendar=key.calendar,
        reason=BRAKE,
        data={
            "token": run.id,
            "run_id": run.id,
            "count": count,
            "limit": limit,
        },
    )


def _add(
    tx: Tx,
    run: Run,
    key: EventKey,
    action: Action,
    state: DeedState,
    batch: tuple[int, int] | None = None,
    stay: Stay | None = None,
) -> Deed:
    origin = {"run_id": run.id, "source": run.source, "seen_at": run.seen_at}
    return ledger.add(tx, key, action, state, run.now, batch=batch, stay=stay, **origin)  # type: ignore[arg-type]
