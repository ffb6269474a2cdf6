"""What people do in Google Calendar by hand: make, change and delete events, invite, and answer."""

from datetime import UTC, datetime, timedelta

from tests.google_server import guests, recurrence, writing
from tests.google_server.guests import Write
from tests.google_server.state import Calendar, Row
from tests.google_server.values import Doc, zone
from tests.google_server.world import World

DINNER: Doc = {
    "summary": "Dinner",
    "start": {"dateTime": "2026-12-01T19:00:00+01:00", "timeZone": "Europe/Berlin"},
    "end": {"dateTime": "2026-12-01T21:00:00+01:00", "timeZone": "Europe/Berlin"},
}


class People:
    """Deeds of people; the calendar's owner acts unless `account` says who. Each gives the event."""

    def __init__(self, world: World) -> None:
        self._world = world

    def _calendar(self, name: str) -> Calendar:
        if name not in self._world.calendars:
            raise KeyError(f"no calendar {name!r}; there are {', '.join(self._world.calendars)}")
        return self._world.calendars[name]

    def create_event(self, calendar: str, body: Doc | None = None, account: str = "", send_updates: str = "all") -> Doc:
        """A new event: DINNER with what the body changes; the organizer is among its guests, as in the UI."""
        target = self._calendar(calendar)
        wanted = {**DINNER, **(body or {})}
        if wanted.get("attendees") and target.id not in guests.emails(wanted):
            wanted["attendees"] = [*wanted["attendees"], {"email": target.id, "responseStatus": "accepted"}]
        return writing.insert(self._world, target, wanted, self._write(target, account, send_updates)).doc

    def edit_event(self, calendar: str, event: str, changes: Doc, account: str = "", send_updates: str = "all") -> Doc:
        """Change fields, with patch semantics."""
        target = self._calendar(calendar)
        write = Write(account or target.owner, send_updates, "", attachments=True, conference=True)
        return writing.patch(self._world, target, event, changes, write).doc

    def delete_event(self, calendar: str, event: str, account: str = "", send_updates: str = "all") -> Doc:
        """Delete an event or one date of a series; a guest thereby declines."""
        target = self._calendar(calendar)
        writing.delete(self._world, target, event, self._write(target, account, send_updates))
        return target.rows[event].doc

    def move_event(self, calendar: str, event: str, destination: str, account: str = "") -> Doc:
        """Hand an event over to another calendar."""
        source = self._calendar(calendar)
        write = self._write(source, account, "none")
        return writing.move(self._world, source, self._calendar(destination), event, write).doc

    def add_guest(self, calendar: str, event: str, email: str, send_updates: str = "all") -> Doc:
        """Invite somebody by hand; the others' answers stay."""
        present = self._row(calendar, event).doc.get("attendees", [])
        changes = {"attendees": [*present, {"email": email}]}
        return self.edit_event(calendar, event, changes, send_updates=send_updates)

    def remove_guest(self, calendar: str, event: str, email: str, send_updates: str = "all") -> Doc:
        """Take somebody out by hand."""
        present = self._row(calendar, event).doc.get("attendees", [])
        rest = [one for one in present if str(one["email"]).lower() != email.lower()]
        return self.edit_event(calendar, event, {"attendees": rest}, send_updates=send_updates)

    def rsvp(self, account: str, event: str, answer: str, comment: str = "") -> Doc:
        """Answer an invitation: accepted, declined, tentative or needsAction."""
        present = self._row(account, event).doc.get("attendees", [])
        own: Doc = {"responseStatus": answer, **({"comment": comment} if comment else {})}
        changed = [{**one, **own} if str(one["email"]).lower() == account else one for one in present]
        return self.edit_event(account, event, {"attendees": changed}, send_updates="none")

    def invite_from_outside(
        self, account: str, organizer: str, body: Doc | None = None, changes: Doc | None = None
    ) -> Doc:
        """An invitation by somebody who is not simulated; the account holds a guest's copy.

        With the `id` of a known one in the body, it is the organizer's change of it.
        """
        target = self._calendar(account)
        wanted = {**DINNER, **(body or {})}
        listed = guests.emails(wanted)
        wanted["attendees"] = [
            *wanted.get("attendees", []),
            *([] if target.id in listed else [{"email": target.id}]),
        ]
        event_id = wanted.get("id")
        if event_id in target.rows:
            row = target.rows[event_id]
            return self._world.put(target, guests.flagged({**row.doc, **wanted}, target.id)).doc
        uid = f"{event_id or 'outside' + str(self._world.next('outside'))}@mail.example.com"
        wanted |= {"iCalUID": uid, "organizer": {"email": organizer}}
        row = writing.imported(self._world, target, wanted, Write(organizer))
        return self._world.put(target, {**row.doc, **(changes or {})}).doc

    def put_raw(self, calendar: str, doc: Doc) -> Doc:
        """Store fields past all checks: fromGmail events, old birthdays, whatever Google itself makes."""
        target = self._calendar(calendar)
        event_id = str(doc.get("id") or f"raw{self._world.next('raw'):06d}")
        base: Doc = (
            target.rows[event_id].doc
            if event_id in target.rows
            else {
                **writing.head(self._world, target, event_id, None, target.owner, "default"),
                **DINNER,
                "reminders": {"useDefault": True},
            }
        )
        return self._world.put(target, guests.flagged({**base, **doc, "id": event_id}, target.id)).doc

    def seed_events(
        self,
        calendar: str,
        count: int,
        first: str = "",
        minutes_apart: int = 60,
        prefix: str = "seed",
        body: Doc | None = None,
    ) -> int:
        """Fill a calendar with `count` one-hour events from `first` on (RFC 3339; else tomorrow).

        Ids are `<prefix><7 digits>`; nobody is told by push.
        """
        target, world = self._calendar(calendar), self._world
        home = zone(target.time_zone) or UTC
        tomorrow = datetime.fromtimestamp(world.now() + 86_400, home).replace(minute=0, second=0, microsecond=0)
        begin = datetime.fromisoformat(first).astimezone(home) if first else tomorrow
        given, offset = body or {}, len(target.ordered)
        write = Write(target.owner)
        template = writing.prepared(world, target, {**DINNER, **given, "id": f"{prefix}00000"}, write)
        for number in range(offset, offset + count):
            start = (begin.astimezone(UTC) + timedelta(minutes=minutes_apart * (number - offset))).astimezone(home)
            name = f"{prefix}{number:07d}"
            doc = {
                **template,
                "id": name,
                "iCalUID": f"{name}@google.com",
                "htmlLink": template["htmlLink"].replace(template["id"], name),
                "summary": given.get("summary", f"Event {number}"),
            }
            if "start" not in given:
                doc["start"] = recurrence.document_of(start, template["start"])
                doc["end"] = recurrence.document_of(start + timedelta(hours=1), template["end"])
            row = world.put(target, doc, quiet=True)
            guests.spread(world, target, None, row.doc)
        return count

    def _row(self, calendar: str, event: str) -> Row:
        return writing.find(self._world, self._calendar(calendar), event)

    @staticmethod
    def _write(target: Calendar, account: str, send_updates: str) -> Write:
        return Write(account or target.owner, send_updates, "", attachments=True, conference=True)
