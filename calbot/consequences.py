"""What copies, and originals whose place they take, owe after a deed has come to its end."""

from calbot import byhand, copywork, originalwork
from calbot.actions import Deed, Invite, LookUp, Mirror, RemoveCopy
from calbot.cases import case_of
from calbot.copying import Copied, IdTaken, LeftToOthers, NoPlace, Removed, StandsAlone, TakenAway
from calbot.copyrules import guests_of_copy
from calbot.copywork import NOTHING, Written
from calbot.deeds import Alive, Never, Result, Vanished
from calbot.identity import is_copy
from calbot.model import CalendarKey, Copy, Event, EventKey, Gone
from calbot.originals import OriginalGone, Restored, Stays, StillThere, Verified
from calbot.planner import Verdict, decided_anew
from calbot.policy import Case
from calbot.ports import Random
from calbot.record import enter
from calbot.store import calendars, copies, fates, ledger, releases, sourcing
from calbot.store.database import Tx
from calbot.telling import Run

_WAITS = frozenset({"planned", "started", "parked"})


def follow_up(tx: Tx, deed: Deed, result: Result, run: Run, random: Random) -> Written:
    """Let copies follow what came of a deed: of their own, or of one about their source."""
    calendar = CalendarKey(deed.key.account, deed.key.calendar)
    match result:
        case Copied(written):
            first = copywork.ended(tx, deed, result, run)
            more = _taking_its_place(tx, deed, written, run, random)
            return Written((*first.deeds, *more.deeds), (*first.said, *more.said))
        case Removed() | TakenAway() | StandsAlone() | NoPlace() | LeftToOthers() | IdTaken():
            return copywork.ended(tx, deed, result, run)
        case Verified() | Stays() | StillThere() | OriginalGone() | Restored():
            return originalwork.ended(tx, deed, result, run)
        case Never() if isinstance(deed.action, Mirror | RemoveCopy):
            return copywork.after_refusal(tx, deed, run)
        case Never() if isinstance(deed.action, Invite) and not deed.action.event.organised_by_us:
            return _copied_instead(tx, deed, run)
        case Alive(event):
            return byhand.noticed(tx, run, calendar, [event])
        case Vanished() if isinstance(deed.action, LookUp):
            gone = Gone(deed.key.event)
            if is_copy(gone):
                return byhand.noticed(tx, run, calendar, [gone])
            return copywork.follow_all(tx, run, deed.key.account, [(deed.key, Verdict(change=gone))], 0, approved=True)
    return NOTHING


def _taking_its_place(tx: Tx, deed: Deed, written: Event, run: Run, random: Random) -> Written:
    """Have guests invited to a copy that is to take the place of its original, and the original deleted later."""
    action = deed.action
    copy = copies.by_id(tx, action.copy.id) if isinstance(action, Mirror) else None
    if copy is None or copy.series is not None or copy.state != "live":
        return NOTHING
    key = EventKey(deed.key.account, copy.target, copy.event_id)
    calendar = CalendarKey(key.account, key.calendar)
    case = Case(calendar=calendar, policy=run.policy, now=run.now, fates=fates.of_event(tx, key))
    planned = originalwork.plan(tx, run, copy)
    deeds = [*planned.deeds]
    links = [one.link for one in sourcing.sources(tx, copy.id) if one.link is not None and one.link.delete_original]
    if links and ledger.open_deed(tx, key, "invite") is None:
        guests = originalwork.still_wanted(tx, copy, [guest for link in links for guest in link.guests])
        asked = Invite(written, tuple(dict.fromkeys(guests)), links[0].rule, links[0].send_updates)
        invite = guests_of_copy(written, asked, case)
        if isinstance(invite, Invite):
            deeds += enter(tx, run, [(key, Verdict(action=invite))], 0, random, _beside(tx, run, copy))
    return Written(tuple(deeds), planned.said)


def _beside(tx: Tx, run: Run, copy: Copy) -> list[int]:
    """Return the guests of each other copy of the same pass: those that wait for their copy, and those held already.

    No more are counted than the brake needs to know.
    """
    found: list[int] = []
    for deed in releases.of_wish(tx, run.id):
        action = deed.action
        if isinstance(action, Invite) and deed.state == "held":
            found.append(len(action.guests))
        elif isinstance(action, Mirror) and action.copy.id != copy.id and deed.state in _WAITS:
            behind = sourcing.sources(tx, action.copy.id)
            moving = [one.link for one in behind if one.link is not None and one.link.delete_original]
            found += [len({guest for link in moving for guest in link.guests})] if moving else []
        if sum(found) > run.policy.invites_per_hour:
            break
    return [one for one in found if one]


def _copied_instead(tx: Tx, deed: Deed, run: Run) -> Written:
    """Have an event copied to which Google lets us invite nobody, where a rule copies such."""
    event = calendars.event(tx, deed.key)
    if event is None:
        return NOTHING
    verdict = decided_anew(event, case_of(tx, deed, run.policy, run.now))
    return copywork.follow_all(tx, run, deed.key.account, [(deed.key, verdict)], 0)
