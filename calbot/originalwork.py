"""Originals whose copies take their place, as rows of the ledger: planned, let out one by one, closed, taken back."""

import msgspec

from calbot.actions import Deed, DeleteOriginal, Mirror, RemoveCopy, RestoreOriginal
from calbot.copyrules import why_kept
from calbot.copywork import DRY_RUN, MIRRORING_OFF, NOTHING, SOON, Written, write_down
from calbot.identity import restored_id
from calbot.model import Copy, Event, EventKey, Notice, Outcome
from calbot.originals import Finding, OriginalGone, Restored, Stays, Verified
from calbot.policy import FULL, Link, Policy
from calbot.store import calendars, copies, fates, ledger, originals, releases, targets
from calbot.store.database import Tx
from calbot.store.history import undo_token
from calbot.telling import Run, told

MOST_AN_HOUR = 10
GRACE = "grace"
HOUR = 3600.0


def plan(tx: Tx, run: Run, copy: Copy) -> Written:
    """Write down the deletion of the originals of which this copy, that was just written, is to take the place."""
    deeds = []
    for source in copies.sources(tx, copy.id):
        event = calendars.event(tx, source.key)
        if source.link is None or not source.link.delete_original or event is None:
            continue
        if ledger.open_deed(tx, source.key, "delete_original") is None:
            action = DeleteOriginal(
                event, copy, targets.writer(tx, copy.target) or "", source.link.guests, source.link.rule
            )
            origin = {"run_id": run.id, "source": run.source, "seen_at": run.seen_at}
            deeds.append(ledger.add(tx, source.key, action, "planned", run.now, **origin))  # type: ignore[arg-type]
    return Written(tuple(deeds))


def refreshed(tx: Tx, deed: Deed, policy: Policy, now: float) -> Deed | None:
    """Return a deletion as it may go out now; None when it has to wait, or is not wanted any more.

    What may have been done already goes out whatever the rules say by now: it has to be looked after.
    """
    row, action = ledger.by_id(tx, deed.id), deed.action
    if row is None or row.state not in {"planned", "started", "parked"} or not isinstance(action, DeleteOriginal):
        return None
    copy = copies.by_id(tx, action.copy.id)
    writer = targets.writer(tx, action.copy.target)
    if copy is None or writer is None:
        _park(tx, row, SOON, now, "no_write_access", "Nobody can look after the copy just now.")
        return None
    action = msgspec.structs.replace(action, copy=copy, writer=writer)
    if deed.uncertain:
        return msgspec.structs.replace(row, action=action, uncertain=True)
    if policy.dry_run or not policy.mirroring:
        why = DRY_RUN if policy.dry_run else MIRRORING_OFF
        _park(tx, row, SOON, now, why, "Nothing is written just now.")
        return None
    link = _link(tx, row.key, copy)
    text = _unwanted(tx, row, link, copy, policy)
    if text is not None or link is None:
        ledger.finish(tx, row, "skipped", now, reason="conflict", text=text)
        return None
    if copy.state != "live" or any(one.verb == "mirror" for one in copies.open_deeds(tx, copy.id)):
        _park(tx, row, SOON, now, "conflict", "The copy is being written.")
        return None
    if action.verified is not None and (until := originals.room_at(tx, row.id, now, MOST_AN_HOUR, HOUR)) is not None:
        text = f"{MOST_AN_HOUR} originals an hour are deleted at most."
        _park(tx, row, until - now, now, GRACE, text)
        return None
    away = fates.of_event(tx, EventKey(writer, copy.target, copy.event_id))
    guests = tuple(guest for guest in link.guests if away.get(guest, "invited") == "invited")
    return msgspec.structs.replace(row, action=msgspec.structs.replace(action, guests=guests))


def _link(tx: Tx, key: EventKey, copy: Copy) -> Link | None:
    return next((link for known, link in copies.of_source(tx, key) if known.id == copy.id), None)


def _unwanted(tx: Tx, row: Deed, link: Link | None, copy: Copy, policy: Policy) -> str | None:
    """Return why the original stays after all, as a sentence."""
    event = calendars.event(tx, row.key)
    if not policy.delete_originals:
        return "Deleting originals is off (delete_original.enabled)."
    if event is None:
        return "Somebody deleted the original."
    if link is None or not link.delete_original:
        return "No rule asks for it any more."
    if copy.state in {"deleted", "retired", "kept"}:
        return "The copy is gone."
    return why_kept(event, link.guests, row.key.account)


def _park(tx: Tx, row: Deed, seconds: float, now: float, reason: str, text: str) -> None:
    ledger.park(tx, row, now + seconds, reason, text, uncertain=row.uncertain)


def ended(tx: Tx, deed: Deed, finding: Finding, run: Run) -> Written:
    """Close a deletion, or a restoration, by what came of it, or let it go on after the time of grace."""
    action, now = deed.action, run.now
    if isinstance(action, RestoreOriginal) and isinstance(finding, Restored):
        return _restored(tx, deed, action, finding, run)
    if not isinstance(action, DeleteOriginal):
        return NOTHING
    said: list[Outcome | Notice] = []
    match finding:
        case Verified(event, whole):
            originals.keep(tx, deed.id, whole, now)
            until = now + run.policy.grace
            since = msgspec.structs.replace(deed, action=msgspec.structs.replace(action, event=event, verified=now))
            ledger.park(tx, since, until, GRACE, "The copy is right; the original is deleted later.", uncertain=False)
        case Stays(text):
            ledger.finish(tx, deed, "skipped", now, reason="conflict", text=text)
        case OriginalGone():
            ledger.finish(tx, deed, "done", now)
            copies.stand(tx, action.copy.id, "kept", now)
            copies.unlink(tx, action.copy.id)
            calendars.forget(tx, deed.key)
            said.append(told(tx, "original_deleted", deed, undo_token=undo_token(deed.id, deed.key)))
            return Written((), tuple(said))
        case Restored(event, anew):
            text = "Somebody removed the copy meanwhile, so the original is back."
            ledger.finish(tx, deed, "skipped", now, reason="copy_deleted_by_hand", text=_with_note(text, anew=anew))
            copies.stand(tx, action.copy.id, "deleted", now)
            _stand_behind(tx, deed, action.copy, event, run)
            said.append(told(tx, "undone", deed, event=event, reason_text=_with_note(text, anew=anew)))
    more = write_down(tx, run, deed.key.account, [action.copy.id], 0, approved=True)
    return Written(more.deeds, (*said, *more.said))


def _restored(tx: Tx, deed: Deed, action: RestoreOriginal, restored: Restored, run: Run) -> Written:
    """Let the copy follow its original again; what was undone is not done anew."""
    text = _with_note("The original is back.", anew=restored.anew)
    ledger.finish(tx, deed, "done", run.now, text=text)
    before = ledger.by_id(tx, action.deed)
    if before is not None and before.state == "done":
        releases.set_aside(tx, before, "undone", run.now)
    copy = copies.by_id(tx, action.copy.id)
    if copy is not None and copy.state == "kept":
        copies.stand(tx, copy.id, "live", run.now)
    _stand_behind(tx, deed, action.copy, restored.event, run)
    return Written((), (told(tx, "undone", deed, event=restored.event, reason_text=text),))


def _stand_behind(tx: Tx, deed: Deed, copy: Copy, event: Event, run: Run) -> None:
    """Let an original that is back stand behind its copy, to be kept from now on, whatever the rules say."""
    rule = getattr(deed.action, "rule", "")
    link = Link(copy.target, FULL, rule, keep=True)
    copies.link(tx, msgspec.structs.replace(deed.key, event=event.id), copy.id, link, run.policy.place)


def unmade(tx: Tx, deed: Deed, run_id: str, source: str, now: float) -> list[Deed]:
    """Write down that a copy that a deed has made is taken away for good, or an original that it deleted comes back.

    What had not gone out yet is let go: the event gets no copy, or the original stays.
    """
    origin = {"run_id": run_id, "source": source, "seen_at": now}
    action = deed.action
    waits = deed.state in {"planned", "parked", "held"} and not deed.uncertain
    if isinstance(action, DeleteOriginal) and waits:
        releases.set_aside(tx, deed, "discarded", now)
        _keep(tx, deed.key, action)
    elif isinstance(action, DeleteOriginal) and deed.state == "done" and originals.whole(tx, deed.id) is not None:
        for event in (action.event.id, restored_id(action.event.id, deed.id)):
            _keep(tx, msgspec.structs.replace(deed.key, event=event), action)
        back = RestoreOriginal(action.event, action.copy, deed.id, action.rule)
        return [ledger.add(tx, deed.key, back, "planned", now, **origin)]  # type: ignore[arg-type]
    elif isinstance(action, Mirror):
        copy = copies.by_id(tx, action.copy.id)
        copies.unlink(tx, action.copy.id)
        if waits:
            releases.set_aside(tx, deed, "discarded", now)
            copies.stand(tx, action.copy.id, "deleted", now)
        elif copy is not None and copy.state == "live" and ledger.open_deed(tx, deed.key, "remove_copy") is None:
            gone = RemoveCopy(copy, action.event, action.source, action.rule, by_person=True)
            return [ledger.add(tx, deed.key, gone, "planned", now, approved=True, **origin)]  # type: ignore[arg-type]
    return []


def _keep(tx: Tx, key: EventKey, action: DeleteOriginal) -> None:
    """Have an original stand behind its copy and stay, also where a listing brings it back before we hear of that."""
    place = min((source.place for source in copies.sources(tx, action.copy.id)), default=0)
    copies.link(tx, key, action.copy.id, Link(action.copy.target, FULL, action.rule, keep=True), place)


def _with_note(text: str, *, anew: bool) -> str:
    if not anew:
        return text
    return f"{text} It is a new event: its address, the guests' answers and who made it when could not come back."
