"""Carry out one deed against Google and say what came of it."""

from collections.abc import Callable
from dataclasses import dataclass

from calbot.actions import (
    Action,
    Deed,
    DeleteOriginal,
    Invite,
    LookUp,
    Mirror,
    RemoveCopy,
    RestoreOriginal,
    Retract,
    Skip,
)
from calbot.copying import Ending, keep_copy, take_copy
from calbot.errors import ChangedMeanwhile, Deleted, NotFound, Refused, RetryLater, SignInNeeded, Uncertain
from calbot.identity import present, stamp_with, was_invited
from calbot.kinds import FailureReason
from calbot.model import Event, Noun
from calbot.originals import BELIEVED_ABSENT, Finding, delete, restore
from calbot.ports import Calendars
from calbot.undo import Undone, take_back

UNEXPECTED = "Calbot met something it does not understand; the log has the details."


class Task(Noun, frozen=True):
    """A deed for a slot. `fresh` asks for a look at the event first: its decision has waited or is in doubt."""

    deed: Deed
    fresh: bool
    queued_at: float


class Done(Noun, frozen=True):
    """The guests are on the event, put there by us; `written` is the event since."""

    written: Event
    guests: tuple[str, ...]


class Again(Noun, frozen=True):
    """The event is another version by now: this is what to do about it, to be written down before it is tried."""

    action: Invite


class NotDone(Noun, frozen=True):
    """Looked at afresh, there is nothing to do, for this reason."""

    skip: Skip


class Never(Noun, frozen=True):
    """Google refuses for good."""

    reason: FailureReason
    text: str


class Later(Noun, frozen=True):
    """Not now. `uncertain`: it may have been done all the same."""

    reason: FailureReason
    text: str
    after: float | None
    uncertain: bool


class Undecided(Noun, frozen=True):
    """An answer was lost, the event changed since, and nothing on it tells whether we were the ones."""

    text: str


class Vanished(Noun, frozen=True):
    """The event is deleted."""


class Alive(Noun, frozen=True):
    """The event that was looked up is there."""

    event: Event


class SignedOut(Noun, frozen=True):
    """The account's sign-in is dead."""

    text: str


Result = Ending | Finding | Done | Undone | Again | NotDone | Never | Later | Undecided | Vanished | Alive | SignedOut


@dataclass(frozen=True, slots=True)
class Decide:
    """What a slot may ask besides its account's calendars: the rules, another account's calendars, and what was kept.

    `reach` raises SignInNeeded; `whole` is a deleted original's JSON.
    """

    judge: Callable[[Event], Action]
    reach: Callable[[str], Calendars]
    whole: str = ""

    def __call__(self, event: Event) -> Action:
        """Return what the rules say of the event as it is now."""
        return self.judge(event)

    def calendars_of(self, account: str) -> Calendars:
        """Return another account's calendars; that it is signed out is no matter of this account's."""
        try:
            return self.reach(account)
        except SignInNeeded as error:
            raise RetryLater(str(error), "auth_revoked") from error


def carry_out(task: Task, calendars: Calendars, decide: Decide) -> Result:
    """Do what the deed says and return what came of it; expected trouble is a result, not an exception."""
    deed = task.deed
    calendar = deed.key.calendar
    try:
        match deed.action:
            case LookUp(event_id):
                return Alive(calendars.get(calendar, event_id))
            case Invite() if task.fresh:
                return _look_then_invite(deed, deed.action, calendars, decide)
            case Invite():
                return _invite(deed, deed.action, calendars, decide)
            case Retract():
                return take_back(deed, deed.action, calendars)
            case Mirror():
                return keep_copy(deed.action, deed.attempts, calendars)
            case RemoveCopy():
                return take_copy(deed.action, calendars)
            case DeleteOriginal() as action:
                return delete(deed, action, calendars, decide.calendars_of(action.writer), decide.whole)
            case RestoreOriginal() as action:
                return restore(deed, action, calendars, lambda: decide.calendars_of(action.writer), decide.whole)
            case Skip():
                return NotDone(deed.action)
    except Deleted:
        return Vanished()
    except NotFound as error:
        if deed.attempts >= BELIEVED_ABSENT:
            return Never("not_found", str(error)) if isinstance(deed.action, Mirror | RemoveCopy) else Vanished()
        return Later("not_found", str(error), None, deed.uncertain)
    except SignInNeeded as error:
        return SignedOut(str(error))
    except Refused as error:
        return Never(error.reason, str(error))
    except RetryLater as error:
        unsure = deed.uncertain or isinstance(error, Uncertain)
        return Later(error.reason, str(error), error.after, unsure)


def _invite(deed: Deed, invite: Invite, calendars: Calendars, decide: Decide) -> Result:
    calendar, event = deed.key.calendar, invite.event
    # Of others' events Google may refuse our private properties, so there the store alone remembers.
    stamp = stamp_with(event.stamp, invite.guests) if event.organised_by_us else None
    try:
        written = calendars.add_guests(calendar, event, invite.guests, stamp, invite.send_updates)
    except ChangedMeanwhile:
        event = calendars.get(calendar, event.id)
        return (_settled(invite, event) if deed.uncertain else None) or _decided(event, decide)
    except Uncertain as error:
        return _look_for(invite, deed, calendars, error)
    return Done(written, invite.guests)


def _look_then_invite(deed: Deed, invite: Invite, calendars: Calendars, decide: Decide) -> Result:
    event = calendars.get(deed.key.calendar, invite.event.id)
    if deed.uncertain:
        found = _settled(invite, event)
        if found is not None:
            return found
        if event.etag != invite.event.etag:
            text = "An answer from Google was lost, and the event was changed since. Look at its guests."
            return Undecided(text)
    decided = decide(event)
    if isinstance(decided, Invite) and decided.event.etag == invite.event.etag and decided.guests == invite.guests:
        return _invite(deed, decided, calendars, decide)
    return _decided(event, decide)


def _decided(event: Event, decide: Decide) -> Result:
    action = decide(event)
    match action:
        case Invite():
            return Again(action)
        case Skip():
            return NotDone(action)
        case _:
            return Alive(event)


def _look_for(invite: Invite, deed: Deed, calendars: Calendars, lost: Uncertain) -> Result:
    """Look at once whether a write whose answer was lost has landed; if it has not, it still may."""
    later = Later(lost.reason, str(lost), lost.after, uncertain=True)
    try:
        event = calendars.get(deed.key.calendar, invite.event.id)
    except (RetryLater, Refused, SignInNeeded):
        return later
    return _settled(invite, event) or later


def _settled(invite: Invite, event: Event) -> Result | None:
    """Say what a lost answer was, where the event tells: our stamp is written with the guests, or not at all."""
    ours = [guest for guest in invite.guests if was_invited(event.stamp, guest)]
    if len(ours) == len(invite.guests):
        if all(present(event, guest) for guest in ours):
            return Done(event, invite.guests)
        text = f"{' and '.join(ours)} was invited and somebody took them off again."
        return NotDone(Skip(event, "removed_by_hand", text, invite.rule))
    there = all(present(event, guest) for guest in invite.guests)
    if there and not event.organised_by_us:
        return Done(event, invite.guests)
    if there:
        return NotDone(Skip(event, "already_invited", "Somebody else invited them.", invite.rule))
    return None
