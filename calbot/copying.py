"""Carry out a copy's deed against Google: insert, write anew, revive, take away; any of it may be repeated."""

import msgspec

from calbot.actions import Mirror, RemoveCopy
from calbot.content import differences, read_back
from calbot.errors import AlreadyExists, ChangedMeanwhile, Deleted, NotFound, Refused, RetryLater
from calbot.following import NO_COLOUR
from calbot.identity import stands_alone
from calbot.model import Content, Event, Noun
from calbot.ports import Calendars

MOST_VERSIONS = 5


class Copied(Noun, frozen=True):
    """The copy shows what it should; `written` is how Google has it, `colour` one that a person chose for it."""

    written: Event
    content: Content
    colour: str


class Removed(Noun, frozen=True):
    """The copy is gone, as it should be."""


class TakenAway(Noun, frozen=True):
    """A person deleted the copy."""


class StandsAlone(Noun, frozen=True):
    """The copy took the place of its original and stays, whoever asks: it may be all that is left."""


class IdTaken(Noun, frozen=True):
    """The copy's id is of no use any more: it needs the next one."""


Ending = Copied | Removed | TakenAway | StandsAlone | IdTaken


def keep_copy(mirror: Mirror, calendars: Calendars) -> Ending:
    """Make the copy show what it should. Raises the errors of the Calendars port."""
    copy = mirror.copy
    if copy.series is not None:
        return _write(mirror, calendars, revive=copy.state == "retired")
    if copy.state == "retired":
        return _revive(mirror, calendars)
    if copy.state == "live" and copy.etag is not None:
        return _write(mirror, calendars)
    try:
        written = calendars.insert(copy.target, copy.event_id, mirror.content, mirror.stamp)
    except AlreadyExists:
        return _adopt(mirror, calendars)
    return Copied(written, mirror.content, copy.colour)


def take_copy(remove: RemoveCopy, calendars: Calendars) -> Ending:
    """Take the copy away, unless it says itself that it stands alone. Raises the errors of the Calendars port."""
    copy = remove.copy
    try:
        if copy.series is not None:
            calendars.remove(copy.target, copy.event_id)
            return Removed()
        for _ in range(MOST_VERSIONS):
            found = calendars.get(copy.target, copy.event_id)
            if stands_alone(found.copy_of):
                return StandsAlone()
            try:
                calendars.remove(copy.target, copy.event_id, found.etag)
            except ChangedMeanwhile:
                continue
            return Removed()
    except NotFound:
        return Removed()
    raise RetryLater("The copy keeps changing.", "conflict")


def _adopt(mirror: Mirror, calendars: Calendars) -> Ending:
    """Take the event that has the copy's id for the copy if it is one: an answer was lost, or somebody was faster."""
    copy = mirror.copy
    try:
        found = calendars.get(copy.target, copy.event_id)
    except Deleted:
        return TakenAway()
    if not found.copy_of:
        return IdTaken()
    chosen = found.colour if found.colour != mirror.content.colour and found.colour else ""
    return _write(_coloured(mirror, chosen), calendars, found)


def _revive(mirror: Mirror, calendars: Calendars) -> Ending:
    """Bring back a copy that we took away; where Google does not let us, it gets another id."""
    copy = mirror.copy
    try:
        written = calendars.rewrite(copy.target, copy.event_id, mirror.content, mirror.stamp, None, revive=True)
    except (Refused, ChangedMeanwhile):
        return IdTaken()
    return Copied(written, mirror.content, copy.colour)


def _write(mirror: Mirror, calendars: Calendars, found: Event | None = None, *, revive: bool = False) -> Ending:
    """Write over exactly the version that we know; a person's colour stays, and what a person deleted is left so."""
    copy = mirror.copy
    for _ in range(MOST_VERSIONS):
        if found is not None and not differences(mirror.content, read_back(found)):
            return Copied(found, mirror.content, mirror.copy.colour)
        etag = found.etag if found is not None else copy.etag
        try:
            written = calendars.rewrite(copy.target, copy.event_id, mirror.content, mirror.stamp, etag, revive=revive)
        except ChangedMeanwhile:
            try:
                found = calendars.get(copy.target, copy.event_id)
            except Deleted:
                return TakenAway()
            if copy.content is not None and found.colour != copy.content.colour:
                mirror = _coloured(mirror, found.colour or NO_COLOUR)
        except Deleted:
            return TakenAway()
        else:
            return Copied(written, mirror.content, mirror.copy.colour)
    raise RetryLater("The copy keeps changing.", "conflict")


def _coloured(mirror: Mirror, chosen: str) -> Mirror:
    """Return the deed with the colour that a person chose for the copy, if one did."""
    if not chosen:
        return mirror
    content = msgspec.structs.replace(mirror.content, colour="" if chosen == NO_COLOUR else chosen)
    return msgspec.structs.replace(mirror, content=content, copy=msgspec.structs.replace(mirror.copy, colour=chosen))
