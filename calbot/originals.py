"""Delete an original whose copy takes its place, after a look and before another; and bring one back."""

import msgspec

from calbot.actions import Deed, DeleteOriginal, RestoreOriginal
from calbot.content import differences, read_back
from calbot.copyrules import why_kept
from calbot.errors import AlreadyExists, ChangedMeanwhile, Deleted, NotFound, Refused, RetryLater
from calbot.google import wire
from calbot.identity import present, restored_id, stamp_kept, stands_alone
from calbot.model import Content, Event, Gone, Noun
from calbot.ports import Calendars

NOT_YET = "The guests are not on the copy yet."


class Verified(Noun, frozen=True):
    """The copy is as it was meant; `whole` is all that Google has of the original, to be kept."""

    event: Event
    whole: str


class Stays(Noun, frozen=True):
    """The original stays, for this reason."""

    text: str


class OriginalGone(Noun, frozen=True):
    """The original is deleted, and its copy was there afterwards."""


class Restored(Noun, frozen=True):
    """The original is there again: `anew` says that it is another event with the same content."""

    event: Event
    anew: bool


Finding = Verified | Stays | OriginalGone | Restored


def delete(deed: Deed, action: DeleteOriginal, own: Calendars, writer: Calendars, whole: str) -> Finding:
    """Verify the copy; or, when that was done and the time of grace is over, delete the original.

    `own` are the calendars of the original's account, `writer` those of the copy's. Raises the errors of the port.
    """
    calendar, copy = deed.key.calendar, action.copy
    if action.verified is None:
        return _verify(deed, action, own, writer)
    try:
        original = own.get(calendar, action.event.id)
    except Deleted:
        if not deed.uncertain:
            return Stays("Somebody deleted the original.")
        return _look_after(deed, action, own, writer, whole)
    wrong = _wrong(action, writer)
    if wrong is not None:
        return Stays(wrong)
    found = writer.get(copy.target, copy.event_id)
    if not all(present(found, guest) for guest in action.guests):
        raise RetryLater(NOT_YET, "conflict", 600.0)
    if original.etag != action.event.etag:
        return _verify(deed, action, own, writer)
    try:
        if not stands_alone(found.copy_of) and copy.content is not None:
            stamp = stamp_kept(found.copy_of)
            writer.rewrite(copy.target, copy.event_id, _as_it_is(copy.content, found), stamp, found.etag)
        own.remove(calendar, original.id, original.etag)
    except ChangedMeanwhile:
        return _verify(deed, action, own, writer)
    except Deleted:
        return Stays("Somebody deleted the original.")
    return _look_after(deed, action, own, writer, whole)


def _verify(deed: Deed, action: DeleteOriginal, own: Calendars, writer: Calendars) -> Finding:
    """Read copy and original back; what is kept of the original is of the version that will be deleted."""
    wrong = _wrong(action, writer)
    if wrong is not None:
        return Stays(wrong)
    try:
        whole = own.whole(deed.key.calendar, action.event.id)
    except Deleted:
        return Stays("Somebody deleted the original.")
    original = wire.change(whole.encode())
    if isinstance(original, Gone):
        return Stays("Somebody deleted the original.")
    reason = why_kept(original, action.guests, deed.key.account)
    return Stays(reason) if reason is not None else Verified(original, whole)


def _as_it_is(content: Content, found: Event) -> Content:
    """Return what the copy shows, in the colour that it has: it is written for its stamp alone."""
    return msgspec.structs.replace(content, colour=found.colour)


def _wrong(action: DeleteOriginal, writer: Calendars) -> str | None:
    """Return what is wrong with the copy, as a sentence; None when it is as it was meant."""
    copy = action.copy
    try:
        found = writer.get(copy.target, copy.event_id)
    except NotFound:
        return "Somebody removed the copy."
    if copy.content is None:
        return "What the copy shows is not known."
    parts = [part for part in differences(copy.content, read_back(found)) if part != "colour"]
    return f"The copy is not as the original: {', '.join(parts)}." if parts else None


def _look_after(deed: Deed, action: DeleteOriginal, own: Calendars, writer: Calendars, whole: str) -> Finding:
    """Look at the copy once more, as the original is gone; if a person has removed it, bring the original back."""
    try:
        writer.get(action.copy.target, action.copy.event_id)
    except Deleted:
        return bring_back(deed.key.calendar, action.event.id, deed.id, own, whole)
    return OriginalGone()


def bring_back(calendar: str, event_id: str, deed: int, own: Calendars, whole: str) -> Restored:
    """Revive an original; where Google does not let us, make it anew. Raises the errors of the port."""
    try:
        return Restored(own.restore(calendar, event_id), anew=False)
    except (Refused, ChangedMeanwhile):
        again = restored_id(event_id, deed)
    try:
        return Restored(own.insert_whole(calendar, again, whole), anew=True)
    except AlreadyExists:
        return Restored(own.get(calendar, again), anew=True)


def restore(deed: Deed, action: RestoreOriginal, own: Calendars, whole: str) -> Restored:
    """Bring back an original because a person wants it. Raises the errors of the port."""
    return bring_back(deed.key.calendar, action.event.id, action.deed, own, whole)
