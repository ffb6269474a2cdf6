"""Copies as rows of the ledger: written down where something is owed, and closed by what came of it."""

from collections.abc import Iterable
from itertools import chain

import msgspec

from calbot.actions import Action, Deed, DeleteOriginal, Mirror, RemoveCopy
from calbot.cases import cases
from calbot.copying import Copied, Ending, IdTaken, LeftToOthers, NoPlace, Removed, StandsAlone, TakenAway
from calbot.following import by_itself, follow
from calbot.kinds import DeedState
from calbot.model import CalendarKey, Content, Copy, Event, EventKey, Notice, Noun, Outcome
from calbot.owing import any_source, has_source, owed
from calbot.planner import BRAKE, Verdict, removals_brake
from calbot.policy import Link, Policy
from calbot.rules import weigh
from calbot.stays import too_many, why_waiting
from calbot.store import calendars, copies, ledger, targets
from calbot.store.database import Tx
from calbot.store.history import undo_token
from calbot.store.ledger import Stay
from calbot.telling import Run, removed_by_hand, told

BY_HAND = "copy_deleted_by_hand"


class Written(Noun, frozen=True):
    """Deeds that were written down, those of this account that may go out at once as started; and what is said."""

    deeds: tuple[Deed, ...] = ()
    said: tuple[Outcome | Notice, ...] = ()


NOTHING = Written()


def follow_all(
    tx: Tx, run: Run, account: str, verdicts: Iterable[tuple[EventKey, Verdict]], room: int, *, approved: bool = False
) -> Written:
    """Let the copies follow what became of their sources, and write down what that takes."""

    def weighed(key: EventKey, event: Event) -> tuple[Link, ...]:
        (case,) = cases(tx, CalendarKey(key.account, key.calendar), [event], run.policy, run.now)
        return weigh(event, case).links

    touched: set[int] = set()
    for key, verdict in verdicts:
        if verdict.change is not None:
            touched |= follow(tx, key, verdict.change, verdict.links, run.policy.place, run.now, weighed)
    return write_down(tx, run, account, touched, room, approved=approved)


def write_down(tx: Tx, run: Run, account: str, touched: Iterable[int], room: int, *, approved: bool = False) -> Written:
    """Write down what is owed to these copies; too many removals at once are held for a person."""
    wholes, dates = _in_order(tx, touched)
    wanted = [action for copy in wholes if (action := _due(tx, copy, run.now)) is not None]
    removals = [action for action in wanted if is_removal(action)]
    known = copies.known(tx)
    hold = not approved and removals_brake(len(removals), known, run.policy.removals_per_pass)
    stay = Stay(BRAKE, too_many(len(removals), known, run.policy.removals_per_pass)) if hold else None
    deeds: list[Deed] = []
    said: list[Outcome | Notice] = []
    # Dates are asked after the deeds of their series are written down: they wait for those.
    for action in chain(wanted, (found for copy in dates if (found := _due(tx, copy, run.now)) is not None)):
        if stay is not None and is_removal(action):
            deed = _add(tx, run, account, action, "held", stay)
            said.append(told(tx, "held", deed, reason=BRAKE, reason_text=stay.text))
        elif waits := why_waiting(tx, action, run.policy, run.now):
            _add(tx, run, account, action, "parked", waits, approved=approved)
        else:
            free = targets.writer(tx, action.copy.target) == account and not copies.dates_under_way(tx, action.copy.id)
            state: DeedState = "started" if free and len(deeds) < room else "planned"
            deeds.append(_add(tx, run, account, action, state, approved=approved))
    if stay is not None:
        data: dict[str, str | int | float | bool | None] = {
            "token": run.id,
            "run_id": run.id,
            "count": len(removals),
            "limit": run.policy.removals_per_pass,
        }
        said.append(Notice(event_type="brake_on", text=stay.text, account=account, reason=BRAKE, data=data))
    return Written(tuple(deeds), tuple(said))


def is_removal(action: Action) -> bool:
    """Say whether an action takes a whole copy away; dates, wherever they are copied, do not count for themselves."""
    return isinstance(action, RemoveCopy) and action.copy.series is None and not action.copy.original_start


def _in_order(tx: Tx, touched: Iterable[int]) -> tuple[list[Copy], list[Copy]]:
    """Return these copies: those by themselves, and those that are dates of series."""
    found = [copy for id_ in sorted(touched) if (copy := copies.by_id(tx, id_)) is not None]
    return [copy for copy in found if copy.series is None], [copy for copy in found if copy.series is not None]


def _due(tx: Tx, copy: Copy, now: float) -> Mirror | RemoveCopy | None:
    """Return what is owed to a copy and not written down yet; what was written down and is pointless now is closed."""
    under_way = copies.open_deeds(tx, copy.id)
    if any(deed.state == "started" or _by_person(deed.action) for deed in under_way):
        return None
    if any(isinstance(deed.action, DeleteOriginal) and deed.uncertain for deed in under_way):
        return None
    action = owed(tx, copy)
    own = [deed for deed in under_way if isinstance(deed.action, Mirror | RemoveCopy)]
    if action is not None and any(type(deed.action) is type(action) for deed in own):
        return None
    if action is None and any(isinstance(deed.action, Mirror) for deed in own) and copies.dates(tx, copy.id):
        return None
    for deed in under_way if isinstance(action, RemoveCopy) else own:
        ledger.supersede(tx, deed, now)
    if any(deed.uncertain for deed in own):
        _doubt(tx, copy, own, now)
        doubted = copies.by_id(tx, copy.id)
        return owed(tx, doubted) if doubted is not None else None
    return action


def _doubt(tx: Tx, copy: Copy, lost: Iterable[Deed], now: float) -> None:
    """Note that nobody knows how a copy is, as the answer to a write was lost that is not repeated."""
    for deed in lost:
        if copy.series is not None:
            copies.doubt(tx, copy.id)
        elif isinstance(deed.action, RemoveCopy):
            copies.stand(tx, copy.id, "retired", now)
        elif copy.state != "retired" or not has_source(tx, copy):
            copies.stand(tx, copy.id, "live", now)
            copies.forget_content(tx, copy.id)


def refreshed(tx: Tx, deed: Deed, policy: Policy, now: float) -> Deed | None:
    """Return a copy's deed with what is owed to the copy by now; None when it may not go out, or is pointless.

    What waited was decided in another time, and its sources may have changed since.
    """
    row = ledger.by_id(tx, deed.id)
    if row is None or row.state not in {"planned", "started", "parked"} or row.key.account != deed.key.account:
        return None
    action = _by_now(tx, row)
    if action is None:
        ledger.supersede(tx, row, now)
        copy = copies.by_id(tx, row.action.copy.id) if isinstance(row.action, Mirror | RemoveCopy) else None
        if copy is not None and (deed.uncertain or row.state == "started"):
            _doubt(tx, copy, [row], now)
        if copy is not None:
            run = Run(id=row.run_id, source=row.source, seen_at=row.seen_at or now, now=now, policy=policy)
            write_down(tx, run, row.key.account, [copy.id], 0, approved=row.approved)
        return None
    writer = targets.writer(tx, action.copy.target)
    if writer is not None and writer != row.key.account:
        targets.hand_over(tx, row.id, writer)
        return None
    waits = why_waiting(tx, action, policy, now)
    if waits is not None:
        ledger.park(tx, row, waits.until, waits.reason, waits.text, uncertain=row.uncertain)
        return None
    return msgspec.structs.replace(row, action=action, uncertain=deed.uncertain)


def _by_now(tx: Tx, row: Deed) -> Mirror | RemoveCopy | None:
    """Return what a row of the ledger about a copy comes to by now; None when nothing is to be done any more."""
    before = row.action
    copy = copies.by_id(tx, before.copy.id) if isinstance(before, Mirror | RemoveCopy) else None
    if copy is None:
        return None
    if isinstance(before, RemoveCopy) and before.by_person:
        return msgspec.structs.replace(before, copy=copy)
    action = owed(tx, copy)
    if action is None and isinstance(before, Mirror) and copy.state == "live" and copies.dates(tx, copy.id):
        return msgspec.structs.replace(before, copy=copy, content=copy.content or before.content)
    if type(action) is not type(before):
        return None
    if isinstance(action, Mirror) and isinstance(before, Mirror) and row.uncertain:
        return msgspec.structs.replace(action, tried=(*before.tried, before.content.colour))
    return action


def _add(
    tx: Tx,
    run: Run,
    account: str,
    action: Mirror | RemoveCopy,
    state: DeedState,
    stay: Stay | None = None,
    *,
    approved: bool = False,
) -> Deed:
    target = action.copy.target
    key = EventKey(targets.writer(tx, target) or account, target, action.copy.event_id)
    origin = {"run_id": run.id, "source": run.source, "seen_at": run.seen_at}
    return ledger.add(tx, key, action, state, run.now, stay=stay, approved=approved, **origin)  # type: ignore[arg-type]


def ended(tx: Tx, deed: Deed, ending: Ending, run: Run) -> Written:
    """Close a copy's deed by what came of it, and write down what else is owed to the copy and its dates since."""
    action = deed.action
    if not isinstance(action, Mirror | RemoveCopy):
        return Written()
    copy, now = action.copy, run.now
    row = ledger.by_id(tx, deed.id)
    if row is None or row.state not in {"started", "parked"} or row.key.account != deed.key.account:
        return NOTHING  # Another account has taken over, and looks for itself.
    touched = {copy.id}
    said: list[Outcome | Notice] = []
    match ending:
        case Copied(written, content, colour):
            ledger.finish(tx, deed, "done", now)
            ledger.note_content(tx, deed.id, copy.content if copy.state == "live" else None, content, written.etag)
            copies.written(tx, msgspec.structs.replace(copy, colour=colour), written, content, now)
            if copy.state != "live" and copy.series is None:
                token = undo_token(deed.id, deed.key)
                said.append(told(tx, "mirrored", deed, undo_token=token))
            if copy.series is None and isinstance(action, Mirror):
                touched |= _dates_since(tx, copy, action)
        case Removed():
            ledger.finish(tx, deed, "done", now)
            copies.stand(tx, copy.id, "deleted" if _by_person(action) else "retired", now)
            if copy.content is None:  # So that it is known to be gone by us, whatever becomes of its series.
                copies.remember_content(tx, copy.id, Content())
            if _by_person(action):
                copies.unmade(tx, copy.id)
            for date in copies.dates(tx, copy.id):  # They are gone with it.
                if date.state in {"live", "planned"}:
                    copies.stand(tx, date.id, "retired", now)
            if copy.series is None:
                said.append(told(tx, "copy_removed", deed, reason_text=_why_removed(tx, action)))
        case LeftToOthers():
            ledger.finish(tx, deed, "done", now, text="Another Calbot goes on with it.")
            copies.stand(tx, copy.id, "retired", now)
        case NoPlace():
            ledger.finish(tx, deed, "skipped", now, reason="not_found", text="The series has no such date.")
            touched |= by_itself(tx, copy, now)
        case StandsAlone():
            ledger.finish(tx, deed, "skipped", now, reason="conflict", text="The copy took the place of its original.")
            copies.stand(tx, copy.id, "kept", now)
        case TakenAway():
            said += taken_away(tx, copy, now)
            ledger.finish(tx, deed, "skipped", now, reason=BY_HAND, text="Somebody deleted the copy; it stays deleted.")
        case IdTaken():
            ledger.supersede(tx, deed, now)
            copies.next_generation(tx, copy, now)
    more = write_down(tx, run, deed.key.account, touched, 0, approved=deed.approved)
    return Written(more.deeds, (*said, *more.said))


def after_refusal(tx: Tx, deed: Deed, run: Run) -> Written:
    """Write down what is owed to a copy after a deed that came to nothing: something else than that, or its dates."""
    refused = deed.action
    if not isinstance(refused, Mirror | RemoveCopy):
        return NOTHING
    copy = copies.by_id(tx, refused.copy.id)
    action = owed(tx, copy) if copy is not None else None
    same = type(action) is type(refused) and getattr(action, "content", None) == getattr(refused, "content", None)
    touched = {date.id for date in copies.dates(tx, refused.copy.id)} | (set() if same else {refused.copy.id})
    return write_down(tx, run, deed.key.account, touched, 0, approved=deed.approved)


def _why_removed(tx: Tx, action: Action) -> str:
    if _by_person(action):
        return "It was undone."
    source = action.source if isinstance(action, RemoveCopy) else None
    there = source is not None and calendars.event(tx, source) is not None
    return "No rule asks for it any more." if there else "The event is gone."


def _by_person(action: Action) -> bool:
    return isinstance(action, RemoveCopy) and action.by_person


def _dates_since(tx: Tx, series: Copy, mirror: Mirror) -> set[int]:
    """Return the dates of a series that was just written.

    Where its times changed, or it was brought back, nobody knows what Google has made of them.
    """
    before, now = series.content, mirror.content
    dates = copies.dates(tx, series.id)
    if (
        before is None
        or series.state != "live"
        or any(getattr(before, part) != getattr(now, part) for part in ("start", "end", "time_zone", "recurrence"))
    ):
        for date in dates:
            if date.state in {"live", "retired"}:
                copies.doubt(tx, date.id)
    return {date.id for date in dates}


def taken_away(tx: Tx, copy: Copy, now: float) -> list[Outcome | Notice]:
    """Note that a person deleted a copy, and say so; a single date is not worth a word."""
    copies.stand(tx, copy.id, "deleted", now)
    if copy.series is not None:
        return []
    return [removed_by_hand(tx, copy, any_source(tx, copy), "Somebody deleted the copy; it stays deleted.")]
