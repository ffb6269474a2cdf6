"""Who is who: our stamp on events, what counts as a change of content, and sortable ids."""

import hashlib
import re
from collections.abc import Iterable

from calbot.model import Event

STAMP_KEY = "calbot_invited"
COPY_KEY = "calbot"
TAKEN_BACK = "-"
MOST_MARKS = 73
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_CONTENT = (
    "title",
    "description",
    "location",
    "start",
    "end",
    "recurrence",
    "kind",
    "visibility",
    "busy",
    "organiser",
    "original_start",
    "my_response",
    "locked",
    "colour",
)


def _mark(guest: str) -> str:
    return hashlib.sha256(guest.lower().encode()).hexdigest()[:12]


def stamp_with(stamp: str, guests: Iterable[str]) -> str:
    """Return `stamp` with these guests added: a comma list of hashes, kept in the event's private properties.

    Google cuts a property at 1,024 characters, so the newest 73 marks are kept.
    """
    marks = [mark for mark in stamp.split(",") if mark]
    marks += [mark for guest in guests if (mark := _mark(guest)) not in marks]
    return ",".join(marks[-MOST_MARKS:])


def stamp_without(stamp: str, guests: Iterable[str]) -> str:
    """Return `stamp` with the marks of these guests turned into marks of having been taken back by us."""
    ours = {_mark(guest) for guest in guests}
    return ",".join(f"{TAKEN_BACK}{mark}" if mark in ours else mark for mark in stamp.split(","))


def was_invited(stamp: str, guest: str) -> bool:
    """Say whether we put this guest on the event at some time, whatever became of it."""
    return not {_mark(guest), TAKEN_BACK + _mark(guest)}.isdisjoint(stamp.split(","))


def was_taken_back(stamp: str, guest: str) -> bool:
    """Say whether we took this guest off again: who stands there now was put there by somebody else."""
    return TAKEN_BACK + _mark(guest) in stamp.split(",")


def present(event: Event, guest: str) -> bool:
    """Say whether the guest is on the event already, as attendee, or as its organiser or creator."""
    wanted = guest.lower()
    return wanted in {event.organiser, event.creator} or any(wanted == other.email for other in event.guests)


def series_of(event_id: str, series: str | None) -> str | None:
    """Return the series that an event comes from: a single date's, or the one that “this and following” cut it off.

    Google names the second half of a series cut in two `<id>_R<date>`.
    """
    cut = re.fullmatch(r"(.+)_R\d{8}(T\d{6}Z?)?", event_id)
    return series or (cut[1] if cut else None)


def changed_parts(old: Event, new: Event) -> tuple[str, ...]:
    """Name the parts of the content that differ. Guests, their answers and etags are not content."""
    return tuple(part for part in _CONTENT if getattr(old, part) != getattr(new, part))


def ulid(now: float, chance: bytes) -> str:
    """Return 26 characters that sort by time: 48 bits of milliseconds, 80 bits of chance."""
    number = (int(now * 1000) << 80) | int.from_bytes(chance[:10], "big")
    letters = []
    for _ in range(26):
        letters.append(_CROCKFORD[number & 31])
        number >>= 5
    return "".join(reversed(letters))
