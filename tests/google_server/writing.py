"""Insert, patch, update, delete, move and import of events, with all that they cause on other calendars."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from tests.google_server import errors, events, guests, recurrence
from tests.google_server.guests import Write
from tests.google_server.state import Calendar, Row
from tests.google_server.values import Doc, stamp

if TYPE_CHECKING:
    from tests.google_server.world import World


def find(world: World, calendar: Calendar, event_id: str) -> Row:
    """The row of an id, deleted or not; an instance nobody changed yet is computed (its row has number 0)."""
    row = calendar.rows.get(event_id)
    if row is not None:
        return row
    parent_id, cut, _ = event_id.rpartition("_")
    parent = calendar.rows.get(parent_id) if cut else None
    if parent is not None and not parent.deleted and parent.doc.get("recurrence"):
        doc = recurrence.instance_by_id(parent.doc, event_id)
        if doc is not None:
            return Row(0, doc if world.switches.dates_inherit_private else _without_private(doc))
    raise errors.not_found()


def _without_private(doc: Doc) -> Doc:
    shared = {key: value for key, value in doc.get("extendedProperties", {}).items() if key != "private"}
    rest = {key: value for key, value in doc.items() if key != "extendedProperties"}
    return {**rest, "extendedProperties": shared} if shared else rest


def insert(world: World, calendar: Calendar, body: Doc, write: Write) -> Row:
    """A new event with this calendar as its organizer."""
    row = world.put(calendar, prepared(world, calendar, body, write))
    guests.spread(world, calendar, None, row.doc)
    guests.send(world, calendar, None, row.doc, write)
    return row


def prepared(world: World, calendar: Calendar, body: Doc, write: Write) -> Doc:
    """The document an insert of this body would store."""
    kind = events.check_new_type(body, primary=calendar.primary)
    if body.get("id") and body.get("iCalUID"):
        raise errors.invalid("Only one of id and iCalUID may be given.")
    event_id = _new_id(world, calendar, body)
    fields = events.writable(body, attachments=write.attachments, conference=write.conference)
    doc = _conference(events.checked(events.merged({}, fields), calendar.time_zone), event_id)
    return guests.flagged(
        {**head(world, calendar, event_id, body.get("iCalUID"), write.actor, kind), **doc}, calendar.id
    )


def imported(world: World, calendar: Calendar, body: Doc, write: Write) -> Row:
    """A private copy of an event that lives elsewhere; the same iCalUID again updates it."""
    uid = body.get("iCalUID")
    if not uid:
        raise errors.required("Missing iCalUID.")
    host = str((body.get("organizer") or {}).get("email") or "").lower()
    if host != calendar.id and calendar.id not in guests.emails(body):
        raise errors.neither_organizer_nor_attendee()
    fields = events.writable(body, attachments=write.attachments, conference=write.conference)
    doc = events.checked(events.merged({}, fields), calendar.time_zone)
    known = next((row for row in calendar.ordered if row.doc.get("iCalUID") == uid), None)
    event_id = known.doc["id"] if known else _new_id(world, calendar, {"id": body.get("id")})
    top = head(world, calendar, event_id, uid, write.actor, "default")
    if host:
        top["organizer"] = {
            "email": host,
            **{k: v for k, v in body["organizer"].items() if k == "displayName"},
        }
    if known:
        top["created"] = known.doc["created"]
    return world.put(calendar, guests.flagged({**top, **doc}, calendar.id))


def patch(world: World, calendar: Calendar, event_id: str, body: Doc, write: Write) -> Row:
    """Change what the body names."""
    row = find(world, calendar, event_id)
    fields = events.writable(body, attachments=write.attachments, conference=write.conference)
    if body.get("attendeesOmitted") and "attendees" in fields:
        own: Doc = next((one for one in fields["attendees"] if _is(one, calendar.id)), {})
        answer = {key: own[key] for key in guests.OWN_ANSWER if key in own}
        fields["attendees"] = guests.with_answer(row.doc, calendar.id, answer).get("attendees", [])
    _keep_source(world, row.doc, fields, write)
    return _replace(world, calendar, row, events.merged(row.doc, fields), body, write)


def update(world: World, calendar: Calendar, event_id: str, body: Doc, write: Write) -> Row:
    """Put the body in place of all that can be written."""
    row = find(world, calendar, event_id)
    fields = events.writable(body, attachments=write.attachments, conference=write.conference)
    _keep_source(world, row.doc, fields, write)
    kept = {key: value for key, value in row.doc.items() if key in events.READ_ONLY}
    return _replace(world, calendar, row, {**kept, **events.merged({}, fields)}, body, write)


def _keep_source(world: World, doc: Doc, fields: Doc, write: Write) -> None:
    """Only the creator sees and changes what an event was made from."""
    if doc["creator"]["email"] == write.actor:
        return
    given = fields.pop("source", None)
    if given is not None and given != doc.get("source") and world.switches.source_of_others == "refuse":
        raise errors.forbidden()
    if "source" in doc:
        fields["source"] = doc["source"]


def delete(world: World, calendar: Calendar, event_id: str, write: Write) -> None:
    """Cancel an event; on a guest's calendar this declines it."""
    row = find(world, calendar, event_id)
    if row.deleted:
        raise errors.already_deleted()
    _match(row, write)
    before = row.doc
    after = world.put(calendar, {**before, "status": "cancelled"}).doc
    for name in calendar.exceptions.get(event_id, ()):
        if not calendar.rows[name].deleted:
            world.put(calendar, {**calendar.rows[name].doc, "status": "cancelled"})
    if guests.organizer(before) == calendar.id:
        guests.spread(world, calendar, before, after)
        guests.send(world, calendar, before, after, write)
        for name in calendar.exceptions.get(event_id, ()):
            guests.spread(world, calendar, calendar.rows[name].doc, calendar.rows[name].doc)
    else:
        _answer(world, calendar, before, {"responseStatus": "declined"}, write)


def move(world: World, source: Calendar, target: Calendar, event_id: str, write: Write) -> Row:
    """Hand an event to another calendar, which becomes its organizer; the source keeps a tombstone."""
    row = find(world, source, event_id)
    before = row.doc
    if before.get("eventType", "default") != "default":
        raise errors.event_type_restriction(before["eventType"])
    if row.number == 0 or "recurringEventId" in before:
        message = "Cannot change the organizer of an instance."
        raise errors.Refusal(400, "cannotChangeOrganizerOfInstance", message, domain="calendar")
    if guests.organizer(before) != source.id:
        raise errors.not_the_organizer()
    if row.deleted:
        raise errors.not_found()
    _match(row, write)
    existing = target.rows.get(event_id)
    if existing is not None and not existing.deleted:
        raise errors.duplicate()
    world.put(source, {**before, "status": "cancelled"})
    moved = world.put(target, guests.flagged({**before, "organizer": target.person()}, target.id))
    for name in source.exceptions.get(event_id, ()):
        exception = source.rows[name].doc
        world.put(target, guests.flagged({**exception, "organizer": target.person()}, target.id))
        if exception["status"] != "cancelled":
            world.put(source, {**exception, "status": "cancelled"})
    guests.spread(world, target, before, moved.doc)
    guests.send(world, target, before, moved.doc, write)
    return moved


def _replace(world: World, calendar: Calendar, row: Row, wanted: Doc, body: Doc, write: Write) -> Row:
    before = row.doc
    _match(row, write)
    if row.deleted and wanted.get("status") == "confirmed" and world.switches.revive == "refuse":
        raise errors.forbidden()
    if "recurringEventId" in before and wanted.get("recurrence"):
        raise errors.invalid("Recurrence of a single date cannot be set.")
    if "conferenceData" in before and "conferenceData" not in wanted:
        wanted.pop("hangoutLink", None)
    if wanted.get("status") == "cancelled" and not row.deleted:
        delete(world, calendar, before["id"], Write(write.actor, write.send_updates))
        return calendar.rows[before["id"]]
    wanted = guests.flagged(_conference(events.checked(wanted, calendar.time_zone), before["id"]), calendar.id)
    if guests.organizer(before) != calendar.id:
        return _replace_as_guest(world, calendar, row, wanted, write)
    events.check_type_change(before, wanted, body)
    return _commit(world, calendar, before, wanted, write)


def _commit(world: World, calendar: Calendar, before: Doc, wanted: Doc, write: Write) -> Row:
    moved = any(before.get(key) != wanted.get(key) for key in ("start", "end", "recurrence"))
    doc = {**wanted, "sequence": int(before.get("sequence", 0)) + (1 if moved else 0)}
    after = world.put(calendar, doc)
    if moved and calendar.exceptions.get(doc["id"]):
        _drop_lost_exceptions(world, calendar, after.doc)
    guests.spread(world, calendar, before, after.doc)
    guests.send(world, calendar, None if before["status"] == "cancelled" else before, after.doc, write)
    return after


def _replace_as_guest(world: World, calendar: Calendar, row: Row, wanted: Doc, write: Write) -> Row:
    before = row.doc
    answer = guests.own_answer(wanted, calendar.id)
    answered = answer != guests.own_answer(before, calendar.id) and calendar.id in guests.emails(wanted)
    differing = {key for key in events.SHARED if before.get(key) != wanted.get(key)} - {"status"}
    added: list[Doc] = []
    if "attendees" in differing:
        others, now = _others(before, calendar.id), _others(wanted, calendar.id)
        untouched = all(now.get(key) == one for key, one in others.items())
        stays = calendar.id in guests.emails(wanted) or calendar.id not in guests.emails(before)
        new = now.keys() - others.keys()
        if untouched and stays and (not new or before.get("guestsCanInviteOthers", True)):
            differing.discard("attendees")
            added = [one for one in wanted["attendees"] if str(one["email"]).lower() in new]
    local = world.switches.non_organizer == "local"
    if differing and not before.get("guestsCanModify") and not local:
        raise errors.not_the_organizer()
    found = None if local else _source(world, before)
    if found is not None:
        host, source = found
        if added or differing:
            shared = {key: wanted[key] for key in events.SHARED if key in differing and key in wanted}
            rest = {key: value for key, value in source.items() if key not in differing}
            if added:
                rest["attendees"] = [*source.get("attendees", ()), *added]
            _commit(world, host, source, guests.flagged({**rest, **shared}, host.id), write)
        fresh = calendar.rows[before["id"]].doc if before["id"] in calendar.rows else before
        own = {key: value for key, value in wanted.items() if key not in events.SHARED or key == "status"}
        wanted = {**{key: fresh[key] for key in events.SHARED if key in fresh}, **own}
    if answered:
        wanted = guests.with_answer(wanted, calendar.id, answer)
    after = world.put(calendar, wanted)
    if answered:
        _answer(world, calendar, before, answer, write)
    return after


def _source(world: World, copy: Doc) -> tuple[Calendar, Doc] | None:
    """The organizer's calendar and document behind a guest's copy, when that calendar is simulated."""
    host = world.calendars.get(guests.organizer(copy))
    if host is None:
        return None
    try:
        row = find(world, host, copy["id"])
    except errors.Refusal:
        return None
    return None if row.deleted else (host, row.doc)


def _answer(world: World, calendar: Calendar, doc: Doc, answer: Doc, write: Write) -> None:
    found = _source(world, doc)
    if found is not None and calendar.id in guests.emails(found[1]):
        host, source = found
        after = world.put(host, guests.with_answer(source, calendar.id, answer))
        guests.spread(world, host, source, after.doc)
    guests.post(world, calendar, doc, "reply", guests.organizer(doc), write)


def _others(doc: Doc, own: str) -> dict[str, Doc]:
    """The other guests, without their answers: nobody answers for somebody else."""
    return {
        str(one["email"]).lower(): {
            k: v for k, v in one.items() if k not in (*guests.OWN_ANSWER, "self", "organizer", "email")
        }
        for one in doc.get("attendees", ())
        if not _is(one, own)
    }


def _is(guest: Doc, email: str) -> bool:
    return str(guest.get("email", "")).lower() == email


def _drop_lost_exceptions(world: World, calendar: Calendar, parent: Doc) -> None:
    originals = recurrence.occurrences(parent) if parent.get("recurrence") else ()
    dates = {recurrence.instance_id(parent["id"], one) for one in originals}
    for name in calendar.exceptions[parent["id"]]:
        row = calendar.rows[name]
        if name not in dates and not row.deleted:
            after = world.put(calendar, {**row.doc, "status": "cancelled"})
            guests.spread(world, calendar, after.doc, after.doc)


def _match(row: Row, write: Write) -> None:
    if write.if_match and write.if_match != "*" and row.doc["etag"] not in write.if_match.split(", "):
        raise errors.condition_not_met()


def _new_id(world: World, calendar: Calendar, body: Doc) -> str:
    event_id = body.get("id")
    if not event_id:
        return f"event{world.next('event'):06d}"
    if not isinstance(event_id, str) or not events.GOOD_ID.fullmatch(event_id):
        raise errors.invalid("Invalid resource id value.")
    if event_id in calendar.rows:
        raise errors.duplicate()
    return event_id


def head(world: World, calendar: Calendar, event_id: str, uid: str | None, actor: str, kind: str) -> Doc:
    """The fields of a new event that Google sets."""
    return {
        "kind": "calendar#event",
        "etag": "",
        "id": event_id,
        "status": "confirmed",
        "htmlLink": f"https://www.google.com/calendar/event?eid={event_id}.{calendar.number}",
        "created": stamp(int(world.now())),
        "updated": "",
        "creator": {"email": actor},
        "organizer": calendar.person(),
        "iCalUID": uid or f"{event_id}@google.com",
        "sequence": 0,
        "eventType": kind,
    }


def _conference(doc: Doc, event_id: str) -> Doc:
    data = doc.get("conferenceData") or {}
    request = data.get("createRequest")
    if not request or "entryPoints" in data:
        meets = data.get("conferenceSolution", {}).get("key", {}).get("type") == "hangoutsMeet"
        doors = [one["uri"] for one in data.get("entryPoints", ()) if one.get("entryPointType") == "video"]
        return {**doc, "hangoutLink": doors[0]} if meets and doors else doc
    link = f"https://meet.example.com/{event_id}"
    made = {
        "createRequest": {**request, "status": {"statusCode": "success"}},
        "entryPoints": [{"entryPointType": "video", "uri": link, "label": link}],
        "conferenceSolution": {"key": {"type": "hangoutsMeet"}, "name": "Google Meet"},
        "conferenceId": event_id,
    }
    return {**doc, "conferenceData": made, "hangoutLink": link}


def starts(doc: Doc) -> datetime:
    """When an event starts, for sorting and time windows; an all-day one at midnight UTC."""
    return events.moment(doc["start"])
