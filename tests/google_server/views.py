"""How stored things look in an answer: tombstones, omitted guests, hidden details; text is cached."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tests.google_server import errors
from tests.google_server.render import Tree, compact, field_tree, pretty, selected
from tests.google_server.state import NO_PRIVATE_DETAILS, Account, Calendar, Entry, Row
from tests.google_server.values import Doc, Request, stamp

if TYPE_CHECKING:
    from tests.google_server.world import World

TOMBSTONE = ("kind", "etag", "id", "status", "recurringEventId", "originalStartTime")
BUSY_ONLY = (
    "kind",
    "etag",
    "id",
    "status",
    "start",
    "end",
    "eventType",
    "iCalUID",
    "recurrence",
    "updated",
    "created",
)


@dataclass(frozen=True, slots=True)
class View:
    """How a caller wants documents: fields (`tree` None: all), layout, most guests, and what may be seen."""

    tree: Tree | None
    fields: str
    is_pretty: bool
    most_guests: int | None
    busy_only: bool = False
    hide_private: bool = False
    reader: str = ""

    @classmethod
    def of(cls, request: Request, role: str = "", reader: str = "") -> View:
        fields, most = request.one("fields") or "", request.one("maxAttendees")
        layout = request.one("prettyPrint") not in {"false", "False", "0"}
        tree = field_tree(fields) if fields else None
        if most is not None and not most.isdigit():
            raise errors.bad_value("maxAttendees", most)
        return cls(
            tree,
            fields,
            layout,
            int(most) if most else None,
            role == "freeBusyReader",
            role in NO_PRIVATE_DETAILS,
            reader,
        )

    def below(self, name: str) -> View | None:
        """The view of what is under a field, or None when that field was not asked for."""
        if self.tree is None:
            return self
        part = self.tree.get(name, self.tree.get("*"))
        if part is None:
            return None
        return replace(self, tree=part, fields=f"{name}/{self.fields}")

    def text(self, document: Doc) -> str:
        """The document as the body of an answer."""
        shown = selected(document, self.tree)
        return pretty(shown) + "\n" if self.is_pretty else compact(shown)


def event_texts(world: World, rows: list[Row], view: View, *, listed: bool) -> list[str]:
    """The events' JSON texts, rendered once per view; in lists a deleted event is a bare tombstone."""
    omitted = world.switches.omit_attendees
    seen = f"{listed}{view.most_guests}{view.busy_only}{view.hide_private}{view.is_pretty}{view.fields}"
    texts = []
    for row in rows:
        left_out = bool(omitted) and row.doc["id"] in omitted
        key = seen + "omitted" if left_out else seen
        if "source" in row.doc:
            key += view.reader
        text = row.rendered.get(key)
        if text is None:
            document = event_document(row, view, listed=listed, omitted=left_out)
            world.check("Event", document)
            shown = selected(document, view.tree)
            text = pretty(shown, 2 if listed else 0) if view.is_pretty else compact(shown)
            row.rendered[key] = text
        texts.append(text)
    return texts


def event_document(row: Row, view: View, *, listed: bool, omitted: bool) -> Doc:
    """An event as this caller may see it."""
    doc = row.doc
    if listed and row.deleted:
        return {key: doc[key] for key in TOMBSTONE if key in doc}
    private = doc.get("visibility") in {"private", "confidential"}
    if view.busy_only or (view.hide_private and private):
        return {**{key: doc[key] for key in BUSY_ONLY if key in doc}, "visibility": "private"}
    if "source" in doc and view.reader != doc["creator"]["email"]:
        doc = {key: value for key, value in doc.items() if key != "source"}
    guests = doc.get("attendees", [])
    if omitted or (view.most_guests is not None and len(guests) > view.most_guests):
        own = [one for one in guests if one.get("self")]
        return {**doc, "attendees": own, "attendeesOmitted": True}
    return doc


def events_envelope(calendar: Calendar, role: str) -> Doc:
    """The head of a page of events."""
    return {
        "kind": "calendar#events",
        "etag": f'"p{len(calendar.log)}.{calendar.number}"',
        "summary": calendar.summary,
        "description": calendar.details.get("description", ""),
        "updated": stamp(calendar.updated),
        "timeZone": calendar.time_zone,
        "accessRole": role,
        "defaultReminders": [{"method": "popup", "minutes": 10}] if calendar.primary else [],
    }


def calendar_document(calendar: Calendar) -> Doc:
    return {
        "kind": "calendar#calendar",
        "etag": f'"calendar-{calendar.number}"',
        "id": calendar.id,
        "summary": calendar.summary,
        **calendar.details,
        "timeZone": calendar.time_zone,
        "conferenceProperties": {"allowedConferenceSolutionTypes": ["hangoutsMeet"]},
    }


def entry_document(world: World, account: Account, entry: Entry) -> Doc:
    """One line of the calendar list; of a removed one only what Google still tells."""
    doc: Doc = {"kind": "calendar#calendarListEntry", "etag": entry.etag, "id": entry.calendar}
    calendar = world.calendars.get(entry.calendar)
    if entry.deleted or calendar is None:
        return {**doc, "deleted": True}
    doc.update(
        {
            "summary": calendar.summary,
            **calendar.details,
            "timeZone": calendar.time_zone,
            "colorId": "14",
            "backgroundColor": "#9fe1e7",
            "foregroundColor": "#000000",
            "selected": True,
            "accessRole": calendar.acl.get(account.email, "reader"),
            "defaultReminders": [{"method": "popup", "minutes": 10}] if calendar.primary else [],
            "conferenceProperties": {"allowedConferenceSolutionTypes": ["hangoutsMeet"]},
        }
    )
    if entry.calendar == account.email:
        doc["primary"] = True
    return doc
