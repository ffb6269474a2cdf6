"""Who is who: our stamp on events, the ids of our copies, what counts as a change of content, and sortable ids."""

import base64
import hashlib
import re
from collections.abc import Iterable

from calbot.model import Change, Event, Gone

STAMP_KEY = "calbot_invited"
COPY_KEY = "calbot"
BACK_KEY = "calbot_back"
"""The private property of an original that was deleted and that somebody wanted back."""
KEPT = "kept"
RESTORED = "again"
TAKEN_BACK = "-"
MOST_MARKS = 73
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_OWN_ID = re.compile(COPY_KEY + "[0-9a-v]{52}(?![0-9a-zA-Z])")
_RESTORED_ID = re.compile(RESTORED + "[0-9a-v]{52}")
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


def copy_id(uid: str, original_start: str, target: str, generation: int) -> str:
    """Return the id of a meeting's copy on `target`: whoever asks, and however often, gets the same one.

    `uid` is the meeting's iCalUID, `original_start` the place of a single date in its series, or empty. Google's ids
    are of base32hex, in lower case.
    """
    whole = "\n".join([uid, original_start, target.lower(), str(generation)])
    digest = hashlib.sha256(whole.encode(errors="surrogatepass")).digest()
    return COPY_KEY + base64.b32hexencode(digest).decode().rstrip("=").lower()


def stamp_with_others(found: str, ours: str) -> str:
    """Return the stamp on a copy with us among the installations that it names: `one,another meeting`."""
    mine, meeting = _named(ours)
    return " ".join([",".join(sorted({*_named(found)[0], *mine})), meeting, *found.split(" ")[2:]]).strip()


def stamp_of_others(found: str, ours: str) -> str | None:
    """Return the stamp on a copy without us; None when it names nobody else."""
    mine, meeting = _named(ours)
    others = _named(found)[0] - mine
    return f"{','.join(sorted(others))} {meeting}" if others else None


def _named(stamp: str) -> tuple[set[str], str]:
    installations, _, rest = stamp.partition(" ")
    return {one for one in installations.split(",") if one}, rest.partition(" ")[0]


def stamp_kept(stamp: str) -> str:
    """Return the stamp of a copy that stands by itself from now on: its original is deleted, by us."""
    return stamp if stands_alone(stamp) else f"{stamp} {KEPT}"


def stamp_freed(stamp: str) -> str:
    """Return the stamp of a copy that follows its original again: that is back."""
    return stamp.removesuffix(KEPT).rstrip()


def stands_alone(stamp: str) -> bool:
    """Say whether a copy's stamp says that it may be all that is left of a meeting."""
    return stamp.endswith(KEPT)


def restored_id(event_id: str, deed: int) -> str:
    """Return the id of an event that is made anew in place of one that a deed deleted: the same however often."""
    digest = hashlib.sha256(f"restored\n{event_id}\n{deed}".encode()).digest()
    return RESTORED + base64.b32hexencode(digest).decode().rstrip("=").lower()


def was_restored(event_id: str) -> bool:
    """Say whether an event was made anew in place of one that we deleted."""
    return _RESTORED_ID.fullmatch(event_id) is not None


def is_own_copy(event_id: str, ical_uid: str, copy_of: str) -> bool:
    """Say whether an event is a copy that Calbot made, or a date of one, or a guest's or imported view of one.

    `copy_of` is our stamp. It may be lost; the id and the iCalUID that Google derives from it stay.
    """
    return bool(copy_of) or _OWN_ID.match(event_id) is not None or _OWN_ID.match(ical_uid) is not None


def is_copy(change: Change) -> bool:
    """Say whether a change is of a copy that Calbot made; of a deleted one its id tells."""
    if isinstance(change, Gone):
        return is_own_copy(change.id, "", "")
    return is_own_copy(change.id, change.ical_uid, change.copy_of)


def ulid(now: float, chance: bytes) -> str:
    """Return 26 characters that sort by time: 48 bits of milliseconds, 80 bits of chance."""
    number = (int(now * 1000) << 80) | int.from_bytes(chance[:10], "big")
    letters = []
    for _ in range(26):
        letters.append(_CROCKFORD[number & 31])
        number >>= 5
    return "".join(reversed(letters))
