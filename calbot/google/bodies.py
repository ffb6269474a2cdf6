"""What we write to Google: the bodies of inserts and patches, made from our nouns."""

import re

import msgspec

from calbot.errors import Refused
from calbot.google.wire import HTTPS
from calbot.identity import BACK_KEY, COPY_KEY, STAMP_KEY
from calbot.model import Content, Event

UNTITLED = "Original"
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_SINGLE_DATE = re.compile(r".+_\d{8}(T\d{6}Z)?")
_KEPT = (
    *("summary", "description", "location", "start", "end", "recurrence", "attendees", "status"),
    *("transparency", "visibility", "colorId", "reminders", "source", "extendedProperties"),
    *("attachments", "conferenceData", "anyoneCanAddSelf", "guestsCanInviteOthers", "guestsCanModify"),
    *("guestsCanSeeOtherGuests", "eventType", "birthdayProperties", "focusTimeProperties"),
    *("outOfOfficeProperties", "workingLocationProperties"),
)


def with_guests(event: Event, guests: tuple[str, ...], stamp: str | None) -> dict[str, object]:
    """Return the body of the inviting PATCH: every entry as Google gave it, the new ones after them."""
    attendees = [msgspec.json.decode(guest.entry) for guest in event.guests]
    return _guest_list([*attendees, *({"email": guest} for guest in guests)], stamp)


def without_guests(event: Event, guests: tuple[str, ...], stamp: str | None) -> dict[str, object]:
    """Return the body of the PATCH that takes these guests off and leaves every other entry as Google gave it."""
    return _guest_list([msgspec.json.decode(one.entry) for one in event.guests if one.email not in guests], stamp)


def _guest_list(attendees: list[object], stamp: str | None) -> dict[str, object]:
    body: dict[str, object] = {"attendees": attendees}
    return body if stamp is None else body | {"extendedProperties": {"private": {STAMP_KEY: stamp}}}


def of_content(content: Content, stamp: str) -> dict[str, object]:
    """Return the body of an insert, without its id: what the content leaves empty is left out."""
    return {
        name: _without_nulls(part) if isinstance(part, dict) else part
        for name, part in _parts(content, stamp).items()
        if part is not None
    }


def of_change(event_id: str, content: Content, stamp: str, *, revive: bool) -> dict[str, object]:
    """Return the body of a PATCH after which the event shows this and nothing else: null is what clears a field.

    A single date of a series has no recurrence, and Google takes none for it.
    """
    body = _parts(content, stamp)
    if _SINGLE_DATE.fullmatch(event_id):
        del body["recurrence"]
    return body | {"status": "confirmed"} if revive else body


BROUGHT_BACK: dict[str, object] = {"extendedProperties": {"private": {BACK_KEY: "1"}}}
"""What marks an original that somebody wanted back: whatever else is forgotten, it is not deleted again."""


def of_whole(whole: str) -> dict[str, object]:
    """Return the body of an insert, without its id, that makes an event of Google's own JSON anew.

    What only Google sets is left out. Nobody can make an event from Gmail: it becomes an ordinary one.
    """
    try:
        kept = msgspec.json.decode(whole, type=dict[str, object])
    except msgspec.DecodeError as error:
        raise Refused("What was kept of the event cannot be read.", "internal") from error
    body = {name: kept[name] for name in _KEPT if name in kept}
    if body.get("eventType") == "fromGmail":
        del body["eventType"]
    call = body.get("conferenceData")
    if isinstance(call, dict) and "entryPoints" in call:  # The call is there already: ask for no other.
        body["conferenceData"] = {name: part for name, part in call.items() if name != "createRequest"}
    return body


def _parts(content: Content, stamp: str) -> dict[str, object]:
    """Return every part of a copy as Google names it; None is what the content leaves empty."""
    fallback = "UTC" if content.recurrence else ""
    start_zone = content.time_zone or content.end_time_zone or fallback
    end_zone = content.end_time_zone or start_zone
    source = {"title": content.title or UNTITLED, "url": content.link} if content.link.startswith(HTTPS) else None
    return {
        "summary": content.title or None,
        "description": content.description or None,
        "location": content.location or None,
        "start": _moment(content.start, start_zone),
        "end": _moment(content.end, end_zone),
        "recurrence": content.recurrence or None,
        "transparency": "opaque" if content.busy else "transparent",
        "visibility": content.visibility,
        "colorId": content.colour or None,
        "source": source,
        "extendedProperties": {"private": {COPY_KEY: stamp}},
    }


def _moment(text: str, zone: str) -> dict[str, object]:
    if _DATE.fullmatch(text):
        return {"date": text, "dateTime": None, "timeZone": None}
    return {"date": None, "dateTime": text, "timeZone": zone or None}


def _without_nulls(part: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in part.items() if value is not None}
