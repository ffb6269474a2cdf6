"""What an event document may say: checks, normal form, patch merging, and the special event types."""

import re
from datetime import UTC, date, datetime
from typing import Any

from tests.google_server import errors
from tests.google_server.values import Doc, zone

GOOD_ID = re.compile(r"[a-v0-9]{5,1024}")
READ_ONLY = frozenset(
    [
        "kind",
        "etag",
        "id",
        "htmlLink",
        "created",
        "updated",
        "creator",
        "organizer",
        "iCalUID",
        "hangoutLink",
        "sequence",
        "recurringEventId",
        "originalStartTime",
        "privateCopy",
        "locked",
        "attendeesOmitted",
        "eventType",
        "endTimeUnspecified",
    ]
)
SHARED = [
    "status",
    "summary",
    "description",
    "location",
    "start",
    "end",
    "recurrence",
    "attendees",
    "conferenceData",
    "attachments",
    "source",
    "anyoneCanAddSelf",
    "guestsCanInviteOthers",
    "guestsCanModify",
    "guestsCanSeeOtherGuests",
]
"""What belongs to the organizer; the rest (reminders, colour, private properties) is each copy's own."""
PRIVATE = ("reminders", "colorId", "transparency", "visibility")
DEFAULTS: Doc = {
    "transparency": "opaque",
    "visibility": "default",
    "anyoneCanAddSelf": False,
    "guestsCanInviteOthers": True,
    "guestsCanModify": False,
    "guestsCanSeeOtherGuests": True,
    "summary": "",
    "description": "",
    "location": "",
    "attendees": [],
    "recurrence": [],
    "attachments": [],
}
CHOICES = {
    "status": {"confirmed", "tentative", "cancelled"},
    "transparency": {"opaque", "transparent"},
    "visibility": {"default", "public", "private", "confidential"},
}
ANSWERS = {"needsAction", "declined", "tentative", "accepted"}
TEXTS = ("summary", "description", "location")
UNSEEN = dict.fromkeys(sign for sign in [*range(0x20), 0x7F] if chr(sign) not in "\n\t")
"""Control characters, which Google takes out of texts; of CRLF the line feed stays."""
COLOURS = frozenset(str(number) for number in range(1, 12))
TYPES = frozenset({"default", "birthday", "focusTime", "fromGmail", "outOfOffice", "workingLocation"})
ON_PRIMARY_ONLY = frozenset({"focusTime", "outOfOffice", "workingLocation", "birthday"})
CHANGEABLE = {
    "birthday": frozenset({"colorId", "summary", "reminders", "start", "end"}),
    "fromGmail": frozenset(
        {"colorId", "reminders", "visibility", "transparency", "status", "attendees", "extendedProperties"}
    ),
}


def merged(old: Doc, patch: Doc) -> Doc:
    """`old` with patch semantics: objects merge, null deletes, arrays and values replace."""
    result = dict(old)
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            before = result.get(key)
            inner = merged(before if isinstance(before, dict) else {}, value)
            result[key] = inner
            if not inner:
                del result[key]
        else:
            result[key] = value
    return result


def writable(body: Doc, *, attachments: bool, conference: bool) -> Doc:
    """What of a request body Google looks at."""
    dropped = READ_ONLY
    if not attachments:
        dropped = dropped | {"attachments"}
    if not conference:
        dropped = dropped | {"conferenceData"}
    return {key: value for key, value in body.items() if key not in dropped}


def checked(doc: Doc, time_zone: str) -> Doc:
    """A merged document in Google's normal form, defaults left out; raises the Refusal it deserves."""
    result = dict(doc)
    for side in ("start", "end"):
        if not isinstance(result.get(side), dict):
            raise errors.required(f"Missing {side} time.")
        if result.get("recurrence") and "dateTime" in result[side] and not result[side].get("timeZone"):
            raise errors.required(f"Missing time zone definition for {side} time.")
        result[side] = _time(result[side], side, time_zone)
    if result["start"].keys() & {"date"} != result["end"].keys() & {"date"}:
        raise errors.invalid("Invalid start or end time: both must be dates, or both times.")
    if moment(result["end"]) < moment(result["start"]):
        raise errors.time_range_empty()
    for line in result.get("recurrence") or ():
        if not isinstance(line, str) or not line.startswith(("RRULE:", "EXDATE", "RDATE", "EXRULE")):
            raise errors.invalid("Invalid recurrence rule.")
    for key, choices in CHOICES.items():
        if key in result and result[key] not in choices:
            raise errors.invalid(f"Invalid value for: {result[key]} is not a valid value")
    for key in TEXTS:
        if isinstance(result.get(key), str):
            result[key] = result[key].translate(UNSEEN)
    if "colorId" in result and result["colorId"] not in COLOURS:
        raise errors.invalid("Invalid event color.")
    if "source" in result:
        _check_source(result["source"])
    if "attendees" in result:
        result["attendees"] = _attendees(result["attendees"])
    result["reminders"] = _reminders(result.get("reminders") or {"useDefault": True})
    if "extendedProperties" in result:
        result["extendedProperties"] = _properties(result["extendedProperties"])
        if not result["extendedProperties"]:
            del result["extendedProperties"]
    result.setdefault("status", "confirmed")
    return {key: value for key, value in result.items() if key not in DEFAULTS or DEFAULTS[key] != value}


def check_new_type(body: Doc, *, primary: bool) -> str:
    """The event type of an insert, or the Refusal of one that this type does not allow."""
    kind = str(body.get("eventType") or "default")
    if kind not in TYPES:
        raise errors.bad_value("eventType", kind)
    if kind == "fromGmail" or (kind in ON_PRIMARY_ONLY and not primary):
        raise errors.event_type_restriction(kind)
    if kind != "default" and body.get("attendees"):
        raise errors.event_type_restriction(kind)
    if kind == "birthday":
        yearly = any("FREQ=YEARLY" in line for line in body.get("recurrence") or ())
        private = body.get("visibility") == "private" and body.get("transparency") == "transparent"
        if not (yearly and private and "date" in (body.get("start") or {})):
            raise errors.event_type_restriction(kind)
    return kind


def check_type_change(old: Doc, wanted: Doc, body: Doc) -> None:
    """Refuse what the type of an existing event does not allow."""
    kind = old.get("eventType", "default")
    if body.get("eventType", kind) != kind:
        raise errors.event_type_restriction(kind)
    changed = {key for key in old.keys() | wanted.keys() if old.get(key) != wanted.get(key)}
    if kind in CHANGEABLE and not changed <= CHANGEABLE[kind]:
        raise errors.event_type_restriction(kind)
    if kind in ON_PRIMARY_ONLY and wanted.get("attendees"):
        raise errors.event_type_restriction(kind)


def _time(when: Doc, side: str, time_zone: str) -> Doc:
    given = {key for key in ("date", "dateTime") if when.get(key) is not None}
    if len(given) != 1:
        raise errors.invalid(f"Invalid {side} time.") if given else errors.required(f"Missing {side} time.")
    try:
        if "date" in given:
            named = {"timeZone": when["timeZone"]} if when.get("timeZone") else {}
            return {"date": date.fromisoformat(when["date"]).isoformat(), **named}
        moment = datetime.fromisoformat(when["dateTime"])
    except (TypeError, ValueError) as error:
        raise errors.bad_value(f"{side}.{next(iter(given))}", str(when[next(iter(given))])) from error
    own, home = zone(when.get("timeZone") or ""), zone(time_zone)
    if when.get("timeZone") and own is None:
        raise errors.invalid(f"Invalid time zone definition for {side} time.")
    if moment.tzinfo is None:
        if own is None:
            raise errors.required(f"Missing time zone definition for {side} time.")
        moment = moment.replace(tzinfo=own)
    shown = moment.astimezone(home or UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return {"dateTime": shown, "timeZone": when.get("timeZone") or time_zone}


def moment(when: Doc) -> datetime:
    """A start or end as an aware datetime; a date is its midnight in UTC."""
    if "date" in when:
        return datetime.fromisoformat(when["date"]).replace(tzinfo=UTC)
    return datetime.fromisoformat(when["dateTime"])


def _check_source(given: Any) -> None:
    """A page that the event was made from: title and address, http or https."""
    if not isinstance(given, dict) or not (given.get("title") and given.get("url")):
        raise errors.required("Missing source title or url.")
    if not str(given["url"]).startswith(("http://", "https://")):
        raise errors.invalid("Invalid source url.")


def _attendees(given: Any) -> list[Doc]:
    if not isinstance(given, list):
        raise errors.parse_error()
    kept: dict[str, Doc] = {}
    for one in given:
        email = one.get("email") if isinstance(one, dict) else None
        if not email or not isinstance(email, str):
            raise errors.required("Missing attendee email.")
        if not re.fullmatch(r"[^@\s<>,;]+@[^@\s<>,;]+\.[^@\s<>,;]+", email):
            raise errors.invalid("Invalid attendee email.")
        answer = one.get("responseStatus") or "needsAction"
        if answer not in ANSWERS:
            raise errors.bad_value("attendees.responseStatus", str(answer))
        entry = {key: value for key, value in one.items() if value not in (None, False, 0, "")}
        kept.setdefault(email.lower(), {**entry, "responseStatus": answer})
    return list(kept.values())


def _reminders(given: Doc) -> Doc:
    overrides = given.get("overrides") or []
    if given.get("useDefault") and overrides:
        raise errors.Refusal(
            400,
            "cannotUseDefaultRemindersAndSpecifyOverride",
            "Cannot specify both default reminders and overrides at the same time.",
            domain="calendar",
        )
    for one in overrides:
        if one.get("method") not in {"email", "popup"} or not 0 <= int(one.get("minutes", -1)) <= 40_320:
            raise errors.invalid("Invalid reminder.")
    if len(overrides) > 5:
        raise errors.invalid("Too many reminders.")
    return {"useDefault": bool(given.get("useDefault")), **({"overrides": overrides} if overrides else {})}


def _properties(given: Doc) -> Doc:
    kept: Doc = {}
    for part in ("private", "shared"):
        values = {key: str(value)[:1024] for key, value in (given.get(part) or {}).items() if len(key) <= 44}
        if values:
            kept[part] = values
    pairs = [pair for part in kept.values() for pair in part.items()]
    if len(pairs) > 300 or sum(len(key) + len(value) for key, value in pairs) > 32_768:
        raise errors.invalid("Extended properties limit exceeded.")
    return kept
