"""Delete an original whose copy takes its place, after a look and before another; and bring one back."""

import contextlib
from collections.abc import Callable, Iterator

import msgspec

from calbot.actions import Deed, DeleteOriginal, RestoreOriginal
from calbot.content import cleaned, differences, one_line, read_back, shown
from calbot.copyrules import why_kept
from calbot.errors import (
    AlreadyExists,
    ChangedMeanwhile,
    Deleted,
    GoogleError,
    NotFound,
    Refused,
    RetryLater,
    SignInNeeded,
    Uncertain,
)
from calbot.google import wire
from calbot.identity import present, restored_id, stamp_freed, stamp_kept, stands_alone
from calbot.model import Copy, Event, Gone, Noun
from calbot.policy import FULL
from calbot.ports import Calendars

BELIEVED_ABSENT = 2
"""How often Google may not find an event before it counts as gone: right after an insert it may not yet."""
DELETED = "Somebody deleted the original."
NO_COPY = "Somebody removed the copy."


class Verified(Noun, frozen=True):
    """The copy shows all that the original does; `whole` is all that Google has of the original, to be kept."""

    event: Event
    whole: str


class Stays(Noun, frozen=True):
    """The original stays, for this reason."""

    text: str


class StillThere(Noun, frozen=True):
    """The original is there: nothing that was sent has deleted it."""


class OriginalGone(Noun, frozen=True):
    """The original is deleted, and its copy was there afterwards."""


class Restored(Noun, frozen=True):
    """The original is there again: `anew` says that it is another event with the same content."""

    event: Event
    anew: bool


Finding = Verified | Stays | StillThere | OriginalGone | Restored


def delete(deed: Deed, action: DeleteOriginal, own: Calendars, writer: Calendars, whole: str) -> Finding:
    """Verify the copy; or, when that was done and the time of grace is over, delete the original.

    What may have been deleted already is only looked at, and looked after. `own` are the calendars of the original's
    account, `writer` those of the copy's. Raises the errors of the port.
    """
    if action.verified is None:
        return _verify(deed, action, own, writer)
    if not deed.uncertain:
        return _delete(deed, action, own, writer, whole)
    with _in_doubt():
        if _found(deed, lambda: own.get(deed.key.calendar, action.event.id)) is not None:
            return StillThere()
        return _look_after(deed, action, own, writer, whole)


def _verify(deed: Deed, action: DeleteOriginal, own: Calendars, writer: Calendars) -> Finding:
    """Read copy and original back; what is kept of the original is of the version that will be deleted."""
    try:
        whole = own.whole(deed.key.calendar, action.event.id)
    except Deleted:
        return Stays(DELETED)
    original = wire.change(whole.encode())
    if isinstance(original, Gone):
        return Stays(DELETED)
    wrong = _wrong(deed, action, original, _copy(deed, action.copy, writer))
    return Stays(wrong) if wrong is not None else Verified(original, whole)


def _delete(deed: Deed, action: DeleteOriginal, own: Calendars, writer: Calendars, whole: str) -> Finding:
    """Delete exactly the version that was verified, while a copy equal to it is there with all guests on it."""
    try:
        original = own.get(deed.key.calendar, action.event.id)
    except Deleted:
        return Stays(DELETED)
    if original.etag != action.event.etag:
        return _verify(deed, action, own, writer)
    found = _copy(deed, action.copy, writer)
    wrong = _wrong(deed, action, original, found)
    if wrong is not None or found is None:
        return Stays(wrong or "")
    if not all(present(found, guest) for guest in action.guests):
        return Stays("Not all guests are on the copy.")
    try:
        if not stands_alone(found.copy_of):
            _stamp(action.copy, writer, found, original, stamp_kept(found.copy_of))
    except Deleted:
        return Stays(NO_COPY)
    except ChangedMeanwhile:
        return _verify(deed, action, own, writer)
    try:
        own.remove(deed.key.calendar, original.id, original.etag)
    except Deleted:
        return Stays(DELETED)
    except ChangedMeanwhile:
        _free(deed, action.copy, writer, original)
        return _verify(deed, action, own, writer)
    except Refused:
        _free(deed, action.copy, writer, original)
        raise
    with _in_doubt():
        return _look_after(deed, action, own, writer, whole)


def _look_after(deed: Deed, action: DeleteOriginal, own: Calendars, writer: Calendars, whole: str) -> Finding:
    """Look at the copy once more, as the original is gone; if a person has removed it, bring the original back."""
    if _copy(deed, action.copy, writer) is not None:
        return OriginalGone()
    return _bring_back(deed, action.event.id, deed.id, own, whole)


def restore(
    deed: Deed, action: RestoreOriginal, own: Calendars, writer: Callable[[], Calendars], whole: str
) -> Restored:
    """Bring back an original because a person wants it. Raises the errors of the port.

    Its copy then goes again when the original does, if its calendar can be written just now.
    """
    restored = _bring_back(deed, action.event.id, action.deed, own, whole)
    with contextlib.suppress(GoogleError):
        _free(deed, action.copy, writer(), restored.event)
    return restored


def _bring_back(deed: Deed, event_id: str, number: int, own: Calendars, whole: str) -> Restored:
    """Revive an original that the deed with this number deleted; where Google does not let us, make it anew."""
    calendar, again = deed.key.calendar, restored_id(event_id, number)
    try:
        return Restored(own.restore(calendar, event_id), anew=False)
    except (Refused, ChangedMeanwhile) as error:
        if isinstance(error, NotFound) and not _is_believed(deed, error):
            raise
    try:
        return Restored(own.insert_whole(calendar, again, whole), anew=True)
    except AlreadyExists:
        return Restored(own.get(calendar, again), anew=True)


def _wrong(deed: Deed, action: DeleteOriginal, original: Event, found: Event | None) -> str | None:
    """Return why the copy cannot take the original's place, as a sentence: also one that somebody has yet to update."""
    reason = why_kept(original, action.guests, deed.key.account)
    if reason is not None:
        return reason
    if found is None:
        return NO_COPY
    meant = shown(original, FULL, account=deed.key.account, calendar=deed.key.calendar)
    if one_line(original.title) not in meant.title or cleaned(original.description).strip() not in meant.description:
        return "Its text is too long for a copy."
    parts = [part for part in differences(meant, read_back(found)) if part != "colour"]
    return f"The copy is not as the original: {', '.join(parts)}." if parts else None


def _copy(deed: Deed, copy: Copy, writer: Calendars) -> Event | None:
    """Return the copy as it is; None when somebody removed it."""
    with _elsewhere():
        return _found(deed, lambda: writer.get(copy.target, copy.event_id))


def _stamp(copy: Copy, writer: Calendars, found: Event, original: Event, stamp: str) -> None:
    """Write another stamp on the copy, over exactly this version, and leave it as it is."""
    as_it_is = msgspec.structs.replace(read_back(found), link=original.link)
    with _elsewhere():
        writer.rewrite(copy.target, copy.event_id, as_it_is, stamp, found.etag)


def _free(deed: Deed, copy: Copy, writer: Calendars, original: Event) -> None:
    """Let the copy go again when the original does, which is surely there; where that fails, the copy stays."""
    with contextlib.suppress(GoogleError):
        found = _copy(deed, copy, writer)
        if found is not None and stands_alone(found.copy_of):
            _stamp(copy, writer, found, original, stamp_freed(found.copy_of))


def _found(deed: Deed, look: Callable[[], Event]) -> Event | None:
    """Return the event that a look finds; None when it is gone."""
    try:
        return look()
    except NotFound as error:
        if _is_believed(deed, error):
            return None
        raise


def _is_believed(deed: Deed, error: NotFound) -> bool:
    """Say whether what Google does not find is gone."""
    return isinstance(error, Deleted) or deed.attempts >= BELIEVED_ABSENT


@contextlib.contextmanager
def _in_doubt() -> Iterator[None]:
    """Let trouble be one that leaves it open what was deleted: only a look can tell."""
    try:
        yield
    except GoogleError as error:
        raise Uncertain(str(error), error.reason, getattr(error, "after", None)) from error


@contextlib.contextmanager
def _elsewhere() -> Iterator[None]:
    """Let it be no matter of the original's account that another account is signed out."""
    try:
        yield
    except SignInNeeded as error:
        raise RetryLater(str(error), "auth_revoked") from error
