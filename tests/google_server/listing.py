"""Pages of events: the parameters, sync and page tokens, what belongs on a page, and its token at the end."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zlib import crc32

from tests.google_server import errors, recurrence
from tests.google_server.events import moment
from tests.google_server.state import Calendar, Row
from tests.google_server.values import Doc, Request, moment_of, stamp

if TYPE_CHECKING:
    from tests.google_server.world import World

FORBIDDEN_WITH_TOKEN = [
    "iCalUID",
    "orderBy",
    "privateExtendedProperty",
    "q",
    "sharedExtendedProperty",
    "timeMin",
    "timeMax",
    "updatedMin",
]
NO_TOKEN_WITH = ["iCalUID", "orderBy", "privateExtendedProperty", "q", "sharedExtendedProperty", "updatedMin"]
SAME_AS_BEFORE = [
    "alwaysIncludeEmail",
    "eventTypes",
    "maxAttendees",
    "maxResults",
    "showHiddenInvitations",
    "singleEvents",
    "timeZone",
]
DAY = 86_400.0


@dataclass(slots=True)
class Page:
    """The rows of a page, and either the token of the next page or the sync token (or neither)."""

    rows: list[Row]
    next_page: str = ""
    next_sync: str = ""


@dataclass(slots=True)
class Span:
    """What a listing covers: a delta from `start` (None: everything), up to `head`, in this time window."""

    start: int | None
    head: int
    earliest: str
    latest: str


def events_page(world: World, calendar: Calendar, request: Request) -> Page:
    """One page of a calendar's events as the request asks for it."""
    size = wanted_size(world, request, usual=250, most=2500)
    order = request.one("orderBy")
    if order not in {None, "startTime", "updated"}:
        raise errors.bad_value("orderBy", order or "")
    if order == "startTime" and not request.flag("singleEvents"):
        message = "The requested ordering is not available for the particular query."
        raise errors.Refusal(400, "badRequest", message, domain="calendar", location="orderBy")
    shape = _shape(request)
    span, position = _span(world, calendar, request, shape)
    ordered = _candidates(world, calendar, request, span)
    rows: list[Row] = []
    while position < len(ordered) and len(rows) < size:
        row = ordered[position]
        position += 1
        if span.start is not None and row.number and row.seq != span.start + position:
            continue
        if _belongs(calendar, row, request, span):
            rows.append(row)
    if position < len(ordered):
        token = [
            calendar.id,
            shape,
            calendar.token_generation,
            span.start,
            span.head,
            position,
            span.earliest,
        ]
        turn_page(world)
        return Page(rows, next_page=encoded("page", [*token, span.latest, request.one("syncToken") or ""]))
    if any(request.one(name) is not None for name in NO_TOKEN_WITH):
        return Page(rows)
    token = [calendar.id, span.head, shape, calendar.token_generation, span.earliest, span.latest]
    return Page(rows, next_sync=encoded("sync", token))


def instances_page(world: World, calendar: Calendar, parent: Row, request: Request) -> Page:
    """One page of the dates of a series, changed or not."""
    size = wanted_size(world, request, usual=250, most=2500)
    span = Span(None, 0, request.one("timeMin") or "", request.one("timeMax") or "")
    rows = [row for row in _expanded(calendar, parent) if _belongs(calendar, row, request, span)]
    if wanted := request.one("originalStart"):
        rows = [row for row in rows if _same_start(row.doc["originalStartTime"], wanted)]
    token = request.one("pageToken")
    position = int(decoded("page", token, "pageToken")[0]) if token else 0
    if position + size < len(rows):
        turn_page(world)
        return Page(rows[position : position + size], next_page=encoded("page", [position + size]))
    return Page(rows[position:])


def wanted_size(world: World, request: Request, *, usual: int, most: int) -> int:
    """How many items go on this page; the switch `page_sizes` has the first word."""
    text = request.one("maxResults")
    if text is not None and (not text.isdigit() or int(text) < 1):
        raise errors.bad_value("maxResults", text)
    size = min(int(text), most) if text else usual
    return min(size, world.switches.page_sizes.pop(0)) if world.switches.page_sizes else size


def encoded(kind: str, parts: list[Any]) -> str:
    """An opaque token."""
    return base64.urlsafe_b64encode(json.dumps([kind, *parts]).encode()).decode().rstrip("=") + "="


def decoded(kind: str, token: str, name: str) -> list[Any]:
    """The parts of a token of this kind; raises 400 when it is not one of ours."""
    try:
        parts = json.loads(base64.urlsafe_b64decode(token.rstrip("=") + "=" * (-len(token.rstrip("=")) % 4)))
    except ValueError as error:
        raise errors.invalid(f"Invalid {name} value.", name) from error
    if not isinstance(parts, list) or parts[:1] != [kind]:
        raise errors.invalid(f"Invalid {name} value.", name)
    return parts[1:]


def _shape(request: Request) -> int:
    """A hash of the parameters that have to stay the same from one sync to the next."""
    return crc32(repr([(name, sorted(request.query.get(name, ()))) for name in SAME_AS_BEFORE]).encode())


def _span(world: World, calendar: Calendar, request: Request, shape: int) -> tuple[Span, int]:
    sync, page = request.one("syncToken"), request.one("pageToken")
    if sync is not None:
        for name in FORBIDDEN_WITH_TOKEN:
            if request.one(name) is not None:
                message = f"Sync token cannot be used with other query restrictions: {name}."
                raise errors.invalid(message, name)
        if request.one("showDeleted") not in {None, "true"}:
            raise errors.invalid("showDeleted cannot be false with a sync token.", "showDeleted")
    if page is not None:
        name, before, generation, start, head, position, earliest, latest, token = decoded("page", page, "pageToken")
        if name != calendar.id or int(before) != shape or token != (sync or ""):
            raise errors.invalid("Invalid page token value.", "pageToken")
        if int(generation) != calendar.token_generation:
            raise errors.full_sync_required()
        return Span(None if start is None else int(start), int(head), earliest, latest), int(position)
    if sync is not None:
        name, head, before, generation, earliest, latest = decoded("sync", sync, "syncToken")
        if name != calendar.id:
            raise errors.invalid("Invalid sync token value.", "syncToken")
        if int(generation) != calendar.token_generation:
            raise errors.full_sync_required()
        if int(before) != shape:
            message = "The request parameters differ from those of the request that gave the sync token."
            raise errors.invalid(message, "syncToken")
        return Span(int(head), len(calendar.log), earliest, latest), 0
    earliest, latest = request.one("timeMin") or "", request.one("timeMax") or ""
    try:
        low, high = (moment_of(one) if one else None for one in (earliest, latest))
        changed = moment_of(request.one("updatedMin") or "2100-01-01").timestamp()
    except ValueError as error:
        raise errors.invalid("Bad Request", "timeMin") from error
    if low and high and low >= high:
        raise errors.time_range_empty()
    if changed < world.now() - 30 * DAY:
        raise errors.updated_min_too_long_ago()
    return Span(None, len(calendar.log), earliest, latest), 0


def _candidates(world: World, calendar: Calendar, request: Request, span: Span) -> list[Row]:
    """The rows in their order; of a delta, one per change, so that only the newest change of a row counts."""
    source = calendar.ordered if span.start is None else calendar.log[span.start : span.head]
    if not request.flag("singleEvents") and request.one("orderBy") is None:
        if world.switches.exceptions_first and span.start is None:
            return sorted(source, key=lambda row: "recurringEventId" not in row.doc)
        return source
    if request.flag("singleEvents"):
        newest = dict.fromkeys(source) if span.start is not None else source
        limit = span.latest or stamp(world.now() + 365 * DAY)
        source = [
            one
            for row in newest
            for one in (_expanded(calendar, row, limit) if row.doc.get("recurrence") else [Row(0, row.doc, row.seq)])
            if span.start is not None or "recurringEventId" not in row.doc
        ]
    if request.one("orderBy") == "startTime":
        return sorted(source, key=lambda row: moment(row.doc["start"]))
    if request.one("orderBy") == "updated":
        return sorted(source, key=lambda row: str(row.doc["updated"]))
    return source


def _expanded(calendar: Calendar, parent: Row, limit: str = "") -> list[Row]:
    """The dates of a series as rows: stored exceptions in the place of the dates they changed."""
    if parent.deleted:
        return [Row(0, parent.doc, parent.seq)]
    rows, last = [], moment_of(limit) if limit else None
    for original in recurrence.occurrences(parent.doc):
        doc = recurrence.instance(parent.doc, original)
        if last and moment(doc["start"]) > last:
            break
        stored = calendar.rows.get(doc["id"])
        rows.append(Row(0, stored.doc if stored else doc, parent.seq))
    return rows


def _belongs(calendar: Calendar, row: Row, request: Request, span: Span) -> bool:
    doc = row.doc
    if row.deleted:
        exception = "recurringEventId" in doc and not request.flag("showDeleted")
        kept = span.start is not None or request.flag("showDeleted") or request.one("updatedMin") is not None
        if not kept and not (exception and not request.flag("singleEvents") and _parent_lives(calendar, doc)):
            return False
        if span.start is not None:
            return True
    query = request.query
    if "eventTypes" in query and doc.get("eventType", "default") not in query["eventTypes"]:
        return False
    if "iCalUID" in query and doc.get("iCalUID") != query["iCalUID"][0]:
        return False
    if "updatedMin" in query and moment_of(doc["updated"]) < moment_of(query["updatedMin"][0]):
        return False
    for part in ("private", "shared"):
        for pair in query.get(f"{part}ExtendedProperty", ()):
            key, _, value = pair.partition("=")
            if doc.get("extendedProperties", {}).get(part, {}).get(key) != value:
                return False
    if "q" in query and not _mentions(doc, query["q"][0].lower()):
        return False
    return _within(doc, span) if span.earliest or span.latest else True


def _parent_lives(calendar: Calendar, doc: Doc) -> bool:
    parent = calendar.rows.get(doc["recurringEventId"])
    return parent is not None and not parent.deleted


def _within(doc: Doc, span: Span) -> bool:
    start, end = moment(doc["start"]), moment(doc["end"])
    if span.latest and start >= moment_of(span.latest):
        return False
    if not span.earliest or end > moment_of(span.earliest):
        return True
    length, earliest = end - start, moment_of(span.earliest)
    if not doc.get("recurrence"):
        return False
    return any(
        moment(recurrence.document_of(one, doc["start"])) + length > earliest for one in recurrence.occurrences(doc)
    )


def _mentions(doc: Doc, words: str) -> bool:
    people = [*doc.get("attendees", ()), doc.get("organizer", {}), doc.get("creator", {})]
    texts = [doc.get(key, "") for key in ("summary", "description", "location")]
    texts += [str(one.get(key, "")) for one in people for key in ("email", "displayName")]
    return all(any(word in text.lower() for text in texts) for word in words.split())


def _same_start(when: Doc, wanted: str) -> bool:
    return moment(when) == moment_of(wanted)


def turn_page(world: World) -> None:
    if world.between_pages:
        world.between_pages.pop(0)()
