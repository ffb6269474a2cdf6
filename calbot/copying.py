"""Carry out a copy's deed against Google: insert, write anew, revive, take away; any of it may be repeated."""

import msgspec

from calbot.actions import Mirror, RemoveCopy
from calbot.content import differences, read_back
from calbot.errors import AlreadyExists, ChangedMeanwhile, Deleted, NotFound, Refused, RetryLater
from calbot.identity import stamp_of_others, stamp_with_others, stands_alone
from calbot.model import Content, Event, Noun
from calbot.owing import NO_COLOUR
from calbot.ports import Calendars

MOST_VERSIONS = 5
BELIEVED_ABSENT = 2
WRITES = frozenset({"writer", "owner"})


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


class NoPlace(Noun, frozen=True):
    """The copy of the series has no such date: Google makes none where the rule of the series names none."""


class LeftToOthers(Noun, frozen=True):
    """Another installation wants the copy too, and goes on with it alone."""


class IdTaken(Noun, frozen=True):
    """The copy's id is of no use any more: it needs the next one."""


Ending = Copied | Removed | TakenAway | StandsAlone | NoPlace | LeftToOthers | IdTaken


def keep_copy(mirror: Mirror, attempts: int, calendars: Calendars) -> Ending:
    """Make the copy show what it should; `attempts` were made before. Raises the errors of the Calendars port."""
    copy = mirror.copy
    if copy.series is not None:
        return _keep_date(mirror, attempts, calendars)
    if copy.state == "retired":
        return _revive(mirror, calendars)
    if copy.state == "live" and copy.etag is not None:
        return _write(mirror, calendars)
    try:
        written = calendars.insert(copy.target, copy.event_id, mirror.content, mirror.stamp)
    except AlreadyExists:
        return _adopt(mirror, calendars)
    return Copied(written, mirror.content, copy.colour)


def _keep_date(mirror: Mirror, attempts: int, calendars: Calendars) -> Ending:
    """Write one date of the copy of a series; what we have taken away, or Google with the series, comes back."""
    copy = mirror.copy
    again = copy.state == "retired" or (copy.state == "planned" and copy.content is not None)
    try:
        return _write(mirror, calendars, revive=again)
    except Deleted:
        return TakenAway()
    except NotFound:
        if attempts < BELIEVED_ABSENT:  # Right after its series was made, or by who may see the calendar no longer.
            raise
        calendars.get(copy.target, copy.event_id.rpartition("_")[0])
        return NoPlace()


def take_copy(remove: RemoveCopy, calendars: Calendars) -> Ending:
    """Take the copy away, unless it says itself that it stands alone, or is another installation's too.

    Raises the errors of the Calendars port.
    """
    try:
        return _take_date(remove, calendars) if remove.copy.series is not None else _take_whole(remove, calendars)
    except Deleted:
        return Removed()
    except NotFound:  # Of a calendar that we may no longer see, Google says the same.
        if calendars.role(remove.copy.target) not in WRITES:
            raise
        return Removed()


def _take_date(remove: RemoveCopy, calendars: Calendars) -> Ending:
    calendars.remove(remove.copy.target, remove.copy.event_id)
    return Removed()


def _take_whole(remove: RemoveCopy, calendars: Calendars) -> Ending:
    copy = remove.copy
    for _ in range(MOST_VERSIONS):
        found = calendars.get(copy.target, copy.event_id)
        others = stamp_of_others(found.copy_of, remove.stamp)
        if stands_alone(found.copy_of):
            return StandsAlone()
        try:
            if others is not None and not remove.by_person:
                calendars.rewrite(copy.target, copy.event_id, read_back(found), others, found.etag)
                return LeftToOthers()
            calendars.remove(copy.target, copy.event_id, found.etag)
        except ChangedMeanwhile:
            continue
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
        return _write(mirror, calendars, calendars.get(copy.target, copy.event_id))
    except NotFound:
        pass  # As we left it.
    try:
        written = calendars.rewrite(copy.target, copy.event_id, mirror.content, mirror.stamp, None, revive=True)
    except (Refused, ChangedMeanwhile):
        return IdTaken()
    return Copied(written, mirror.content, copy.colour)


def _write(mirror: Mirror, calendars: Calendars, found: Event | None = None, *, revive: bool = False) -> Ending:
    """Write over exactly the version that we know; a person's colour stays, and what a person deleted is left so."""
    copy = mirror.copy
    for _ in range(MOST_VERSIONS):
        if found is not None:
            mirror = msgspec.structs.replace(mirror, stamp=stamp_with_others(found.copy_of, mirror.stamp))
            if found.copy_of == mirror.stamp and not differences(mirror.content, read_back(found)):
                return Copied(found, mirror.content, mirror.copy.colour)
        etag = found.etag if found is not None else None if revive else copy.etag
        try:
            written = calendars.rewrite(copy.target, copy.event_id, mirror.content, mirror.stamp, etag, revive=revive)
        except ChangedMeanwhile:
            try:
                found = calendars.get(copy.target, copy.event_id)
            except Deleted:
                return TakenAway()
            ours = {mirror.content.colour, *mirror.tried}
            if copy.content is not None and found.colour not in {copy.content.colour, *ours}:
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
