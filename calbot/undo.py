"""Take back what a deed added, and nothing else: look afresh, then write over exactly that version."""

from collections.abc import Iterable

import msgspec

from calbot.actions import Deed, Retract
from calbot.errors import ChangedMeanwhile, Refused, RetryLater, SignInNeeded, Uncertain
from calbot.identity import stamp_without, was_invited, was_taken_back
from calbot.model import Event, Noun
from calbot.ports import Calendars

MOST_VERSIONS = 5
_ANSWERS = frozenset({"responseStatus", "comment", "additionalGuests", "displayName", "self", "organizer", "id"})
"""What a guest, or Google, writes into an entry by themselves: it does not make the entry somebody else's."""


class Undone(Noun, frozen=True):
    """The guests are off the event, taken off by us; `left` says why others of the deed are not."""

    event: Event
    guests: tuple[str, ...]
    left: str | None = None


def take_back(deed: Deed, retract: Retract, calendars: Calendars) -> Undone:
    """Take the deed's guests off again. Raises the errors of the Calendars port.

    Refused when somebody changed all of them since; RetryLater when the event does not stand still.
    """
    calendar = deed.key.calendar
    for _ in range(MOST_VERSIONS):
        event = calendars.get(calendar, retract.event.id)
        if event.guests_hidden:
            raise Refused("Google hides its guest list, so nobody can be taken off without harm.", "forbidden")
        if deed.uncertain and (found := _landed(retract, event)):
            return found
        there = {guest.email: guest.entry for guest in event.guests if guest.email in retract.guests}
        ours = {guest for guest in there if _is_ours(guest, retract, event)}
        put = {guest.email: guest.entry for guest in retract.event.guests}
        wanted = tuple(
            guest for guest in retract.guests if guest in ours and _same_hand(put.get(guest, ""), there[guest])
        )
        left = _left(guest for guest in retract.guests if guest in there and guest not in wanted)
        if not wanted:
            if left is None:
                return Undone(event, ())
            raise Refused(left, "conflict")
        stamp = stamp_without(event.stamp, wanted) if event.organised_by_us else None
        try:
            return Undone(calendars.remove_guests(calendar, event, wanted, stamp, retract.send_updates), wanted, left)
        except ChangedMeanwhile:
            continue
        except Uncertain as lost:
            return _look_for(retract, calendar, calendars, lost)
    raise RetryLater("The event keeps changing.", "conflict")


def _is_ours(guest: str, retract: Retract, event: Event) -> bool:
    """Say whether a guest on the event was put there by the deed, and by nobody else since."""
    if guest in retract.anew or was_taken_back(event.stamp, guest):
        return False
    return guest not in retract.unsure or was_invited(event.stamp, guest)


def _landed(retract: Retract, event: Event) -> Undone | None:
    """Say whether a write whose answer was lost is there: the marks on the event, or the guests' absence, tell."""
    on_it = {guest.email for guest in event.guests}
    marked = tuple(guest for guest in retract.guests if was_taken_back(event.stamp, guest))
    gone = tuple(guest for guest in retract.guests if guest not in on_it)
    if not marked and len(gone) < len(retract.guests):
        return None
    taken = marked or gone
    return Undone(event, taken, _left(guest for guest in retract.guests if guest in on_it and guest not in taken))


def _look_for(retract: Retract, calendar: str, calendars: Calendars, lost: Uncertain) -> Undone:
    try:
        event = calendars.get(calendar, retract.event.id)
    except (RetryLater, Refused, SignInNeeded):
        raise lost from None
    found = _landed(retract, event)
    if found is None:
        raise lost
    return found


def _same_hand(put: str, there: str) -> bool:
    """Say whether an entry is as we left it, whatever the guest has answered since."""
    return _kept(put) == _kept(there)


def _kept(entry: str) -> dict[str, object]:
    fields = msgspec.json.decode(entry or "{}", type=dict[str, object])
    email = str(fields.pop("email", "")).lower()
    return {"email": email, **{name: value for name, value in fields.items() if name not in _ANSWERS}}


def _left(guests: Iterable[str]) -> str | None:
    names = " and ".join(guests)
    return (
        f"Somebody changed the entry of {names} since, or put them there again; it was left alone." if names else None
    )
