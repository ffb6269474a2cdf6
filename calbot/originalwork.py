"""Originals whose copies take their place, as rows of the ledger: planned, let out one by one, closed, taken back."""

from collections.abc import Sequence

import msgspec

from calbot.actions import Deed, DeleteOriginal, Mirror, RemoveCopy, RestoreOriginal
from calbot.cases import cases
from calbot.copyrules import why_kept
from calbot.copywork import NOTHING, Written, write_down
from calbot.identity import present, restored_id, was_invited
from calbot.model import CalendarKey, Copy, Event, EventKey, Notice, Outcome
from calbot.originals import DELETED, Finding, OriginalGone, Restored, Stays, StillThere, Verified
from calbot.policy import EVERYBODY, FULL, Link, Policy
from calbot.rules import weigh
from calbot.stays import DRY_RUN, MIRRORING_OFF, NO_WRITER, SOON
from calbot.store import calendars, copies, earlier, fates, ledger, originals, releases, sourcing, targets
from calbot.store.database import Tx
from calbot.store.history import undo_token
from calbot.store.ledger import Stay
from calbot.telling import Run, told

MOST_AN_HOUR = 10
GRACE = "grace"
HOUR = 3600.0
LONGEST_NAP = 86400.0
"""What waits longer is asked about in between: a time further away counts as one of a wrong clock."""
RIGHT = "The copy is right; the original is deleted later."
LAST = 1 << 30
"""The place of an event that is not there yet, behind every account's."""


def plan(tx: Tx, run: Run, copy: Copy) -> Written:
    """Write down the deletion of the originals of which this copy, that was just written, is to take the place."""
    deeds = []
    for source in sourcing.sources(tx, copy.id):
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
    """Return a deletion as it may go out now, as started; None when it has to wait, or is not wanted any more.

    It is decided anew by the rules. What may have been done already goes out whatever they say, to be looked after.
    """
    row, action = ledger.by_id(tx, deed.id), deed.action
    if row is None or row.state not in {"planned", "started", "parked"} or not isinstance(action, DeleteOriginal):
        return None
    action = _as_things_stand(tx, deed, action, policy, now)
    unsure = action.verified is not None and (deed.uncertain or row.uncertain)
    row = msgspec.structs.replace(row, action=action, uncertain=unsure)
    if not unsure:
        stay = _not_now(tx, row, action, policy, now) or _unwanted(tx, row, action, policy, now)
        if stay is not None and stay.until is not None:
            ledger.park(tx, row, stay.until, stay.reason, stay.text, uncertain=False)
            return None
        if stay is not None:
            ledger.finish(tx, row, "skipped", now, reason=stay.reason, text=stay.text)
            return None
    ledger.start(tx, [row], now)  # At once: the next one is to know of it, as only so many go out in an hour.
    return row


def _as_things_stand(tx: Tx, deed: Deed, action: DeleteOriginal, policy: Policy, now: float) -> DeleteOriginal:
    """Return a deletion with copy, writer and guests as they are by now; one to be verified anew, if it has to be."""
    copy = copies.by_id(tx, action.copy.id)
    writer = targets.writer(tx, action.copy.target)
    link = _asked_for(tx, deed.key, action.copy, policy, now)
    lost = action.verified is not None and (action.verified > now or originals.whole(tx, deed.id) is None)
    return msgspec.structs.replace(
        action,
        copy=copy or msgspec.structs.replace(action.copy, state="deleted"),
        writer=writer or action.writer,
        guests=still_wanted(tx, action.copy, link.guests) if link is not None else action.guests,
        verified=None if lost and not deed.uncertain else action.verified,
    )


def still_wanted(tx: Tx, copy: Copy, guests: Sequence[str]) -> tuple[str, ...]:
    """Return those of the guests of a copy whom nobody has taken off its original."""
    barred = set()
    for source in sourcing.sources(tx, copy.id):
        event, past = calendars.event(tx, source.key), fates.of_event(tx, source.key)
        barred |= {guest for guest in guests if past.get(guest, "invited") != "invited"}
        if event is not None:
            absent = {guest for guest in guests if not present(event, guest)}
            handled = earlier.guests(tx, [event]).get(event.id, frozenset())
            barred |= absent if EVERYBODY in handled else absent & handled
            barred |= {guest for guest in absent if was_invited(event.stamp, guest)}
    return tuple(guest for guest in guests if guest not in barred)


def _asked_for(tx: Tx, key: EventKey, copy: Copy, policy: Policy, now: float) -> Link | None:
    """Return what the rules say of an event and its copy by now, where they want the copy to take its place."""
    event = calendars.event(tx, key)
    if event is None:
        return None
    (case,) = cases(tx, CalendarKey(key.account, key.calendar), [event], policy, now)
    return next((one for one in weigh(event, case).links if one.target == copy.target and one.delete_original), None)


def _not_now(tx: Tx, row: Deed, action: DeleteOriginal, policy: Policy, now: float) -> Stay | None:
    """Return why, and until when, a deletion has to wait."""
    copy = action.copy
    if policy.dry_run or not policy.mirroring:
        return Stay(DRY_RUN if policy.dry_run else MIRRORING_OFF, "Nothing is written just now.", now + SOON)
    if targets.writer(tx, copy.target) is None:
        return Stay(NO_WRITER, "Nobody can look after the copy just now.", now + SOON)
    if copy.state == "planned" or any(one.verb == "mirror" for one in copies.open_deeds(tx, copy.id)):
        return Stay("conflict", "The copy is being written.", now + SOON)
    if action.verified is None:
        return None
    if now < (until := action.verified + policy.grace):
        return Stay(GRACE, RIGHT, min(until, now + LONGEST_NAP))
    if ledger.open_deed(tx, EventKey(action.writer, copy.target, copy.event_id), "invite") is not None:
        return Stay("conflict", "The guests are not on the copy yet.", now + SOON)
    if (room := originals.room_at(tx, row.id, now, MOST_AN_HOUR, HOUR)) is not None:
        return Stay(GRACE, f"{MOST_AN_HOUR} originals an hour are deleted at most.", room)
    return None


def _unwanted(tx: Tx, row: Deed, action: DeleteOriginal, policy: Policy, now: float) -> Stay | None:
    """Return why the original stays after all, for good."""
    event, behind = calendars.event(tx, row.key), sourcing.sources(tx, action.copy.id)
    text = None
    if not policy.delete_originals:
        text = "Deleting originals is off (delete_original.enabled)."
    elif event is None:
        text = DELETED
    elif action.copy.state != "live":
        text = "The copy is gone."
    elif any(source.link is not None and source.link.keep for source in behind):
        text = "It was brought back, so it stays."
    elif _asked_for(tx, row.key, action.copy, policy, now) is None:
        text = why_kept(event, action.guests, row.key.account) or "No rule asks for it any more."
    return Stay("conflict", text) if text is not None else None


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
            _expect(tx, deed, action.copy)
            until = now + min(run.policy.grace, LONGEST_NAP)
            since = msgspec.structs.replace(deed, action=msgspec.structs.replace(action, event=event, verified=now))
            ledger.park(tx, since, until, GRACE, RIGHT, uncertain=False)
        case StillThere():
            ledger.park(tx, deed, now, "conflict", "The original is still there.", uncertain=False)
        case Stays(text):
            ledger.finish(tx, deed, "skipped", now, reason="conflict", text=text)
        case OriginalGone():
            return _gone(tx, deed, now)
        case Restored(event, anew):
            text = "Somebody removed the copy meanwhile, so the original is back."
            ledger.finish(tx, deed, "skipped", now, reason=originals.BROUGHT_BACK, text=_with_note(text, anew=anew))
            copies.stand(tx, action.copy.id, "deleted", now)
            _stand_behind(tx, deed, action.copy, event, run)
            said.append(told(tx, "undone", deed, event=event, reason_text=_with_note(text, anew=anew)))
    more = write_down(tx, run, deed.key.account, [action.copy.id], 0, approved=True)
    return Written(more.deeds, (*said, *more.said))


def _gone(tx: Tx, deed: Deed, now: float) -> Written:
    """Let what copies there are of an original stand by themselves, now that it is deleted; and say so."""
    ledger.finish(tx, deed, "done", now)
    originals.renew(tx, deed.id, now)
    for copy, link in sourcing.of_source(tx, deed.key):
        if link is not None:
            copies.stand(tx, copy.id, "kept", now)
            sourcing.unlink(tx, copy.id)
    calendars.forget(tx, deed.key)
    return Written((), (told(tx, "original_deleted", deed, undo_token=undo_token(deed.id, deed.key)),))


def _expect(tx: Tx, deed: Deed, copy: Copy) -> None:
    """Have the copy known to the event that the original would come back as, before a listing brings that."""
    again = msgspec.structs.replace(deed.key, event=restored_id(deed.key.event, deed.id))
    sourcing.link(tx, again, copy.id, None, LAST)


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
    link = _kept(copy, getattr(deed.action, "rule", ""))
    sourcing.link(tx, msgspec.structs.replace(deed.key, event=event.id), copy.id, link, run.policy.place)


def unmade(tx: Tx, deed: Deed, run_id: str, source: str, now: float) -> list[Deed]:
    """Write down that a copy that a deed has made is taken away for good, or an original that it deleted comes back.

    What had not gone out yet is let go: the event gets no copy, or the original stays. What may have gone out is both.
    """
    is_open = deed.state in {"planned", "started", "parked", "held"}
    if is_open:
        releases.set_aside(tx, deed, "discarded", now)
    sent = not is_open or deed.uncertain or deed.state == "started"
    back: RestoreOriginal | RemoveCopy | None = None
    if isinstance(deed.action, DeleteOriginal):
        back = _original_back(tx, deed, deed.action, now, sent=sent and deed.action.verified is not None)
    elif isinstance(deed.action, Mirror):
        back = _copy_gone(tx, deed, deed.action, now, sent=sent)
    if back is None:
        return []
    approved = isinstance(back, RemoveCopy)
    return [
        ledger.add(tx, deed.key, back, "planned", now, run_id=run_id, source=source, seen_at=now, approved=approved)
    ]


def _original_back(tx: Tx, deed: Deed, action: DeleteOriginal, now: float, *, sent: bool) -> RestoreOriginal | None:
    """Have an original stand behind its copy and stay, also where a listing brings it back before we hear of that."""
    places = [one.place for one in sourcing.sources(tx, action.copy.id)]
    sourcing.link(tx, deed.key, action.copy.id, _kept(action.copy, action.rule), min(places, default=0))
    if not sent or originals.whole(tx, deed.id) is None:
        return None
    if deed.state != "done":  # It counts as what it may have done, until that is taken back.
        ledger.finish(tx, deed, "done", now)
    return RestoreOriginal(
        action.event, action.copy, deed.id, action.rule, targets.writer(tx, action.copy.target) or ""
    )


def _copy_gone(tx: Tx, deed: Deed, action: Mirror, now: float, *, sent: bool) -> RemoveCopy | None:
    """Let nothing stand behind a copy any more; what may be there is looked for, and taken away."""
    copy = copies.by_id(tx, action.copy.id)
    sourcing.unlink(tx, action.copy.id)
    if not sent or copy is None:
        copies.stand(tx, action.copy.id, "deleted", now)
        return None
    if deed.state != "done":
        copies.stand(tx, copy.id, "live", now)
    elif copy.state != "live":
        return None
    if ledger.open_deed(tx, deed.key, "remove_copy") is not None:
        return None
    return RemoveCopy(copy, action.event, action.source, action.rule, by_person=True)


def _kept(copy: Copy, rule: str) -> Link:
    """Return the link of an original that is to be kept from now on, whatever the rules say."""
    return Link(copy.target, FULL, rule, keep=True)


def _with_note(text: str, *, anew: bool) -> str:
    if not anew:
        return text
    return f"{text} It is a new event: its address, the guests' answers and who made it when could not come back."
