"""Copies on the guests' calendars, answers on their way back to the organizer, and the mails Google sends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.google_server.events import PRIVATE, SHARED
from tests.google_server.state import Calendar, Mail
from tests.google_server.values import Doc

if TYPE_CHECKING:
    from tests.google_server.world import World

OWN_ANSWER = ("responseStatus", "comment", "additionalGuests")


@dataclass(frozen=True, slots=True)
class Write:
    """Who writes, and how. `send_updates`: all | externalOnly | none."""

    actor: str
    send_updates: str = "none"
    if_match: str = ""
    attachments: bool = False
    conference: bool = False


def emails(doc: Doc | None) -> list[str]:
    """The guests' addresses in lower case."""
    return [str(one["email"]).lower() for one in (doc or {}).get("attendees", ())]


def organizer(doc: Doc) -> str:
    return str(doc.get("organizer", {}).get("email", "")).lower()


def flagged(doc: Doc, calendar: str) -> Doc:
    """The document as it appears on this calendar, with its `self` and `organizer` flags."""
    result, host = dict(doc), organizer(doc)
    for role in ("organizer", "creator"):
        if role in doc:
            person = {key: value for key, value in doc[role].items() if key != "self"}
            result[role] = {**person, "self": True} if person.get("email", "").lower() == calendar else person
    if "attendees" in doc:
        result["attendees"] = [_flagged_guest(one, calendar, host) for one in doc["attendees"]]
    return result


def _flagged_guest(guest: Doc, calendar: str, host: str) -> Doc:
    email = str(guest["email"]).lower()
    entry = {key: value for key, value in guest.items() if key not in {"self", "organizer"}}
    if email == host:
        entry["organizer"] = True
    if email == calendar:
        entry["self"] = True
    return entry


def own_answer(doc: Doc, calendar: str) -> Doc:
    """How the owner of this calendar answered, as attendee fields."""
    for one in doc.get("attendees", ()):
        if str(one["email"]).lower() == calendar:
            return {key: one[key] for key in OWN_ANSWER if key in one}
    return {}


def with_answer(doc: Doc, email: str, answer: Doc) -> Doc:
    """The document with this guest's answer in place of the one before."""
    guests = []
    for one in doc.get("attendees", ()):
        if str(one["email"]).lower() == email:
            kept = {key: value for key, value in one.items() if key not in OWN_ANSWER}
            guests.append({**kept, **answer})
        else:
            guests.append(one)
    return {**doc, "attendees": guests}


def spread(world: World, calendar: Calendar, before: Doc | None, after: Doc) -> None:
    """Bring the copies on all simulated guests' calendars in line with the organizer's document."""
    gone = set(emails(before)) - set(emails(after))
    for email in dict.fromkeys([*emails(after), *emails(before)]):
        target = world.calendars.get(email)
        if target is None or target is calendar:
            continue
        row = target.rows.get(after["id"])
        if row is not None and row.doc.get("iCalUID") != after.get("iCalUID"):
            continue
        if email in gone or after["status"] == "cancelled":
            if row is not None and not row.deleted:
                world.put(target, {**row.doc, "status": "cancelled"})
            elif row is None and "recurringEventId" in after and after["recurringEventId"] in target.rows:
                world.put(target, flagged(_copy(after, {}), target.id))
            continue
        copy = flagged(_copy(after, row.doc if row else {}), target.id)
        if row is None or _content(row.doc) != _content(copy):
            world.put(target, copy)


def _copy(source: Doc, existing: Doc) -> Doc:
    properties: Doc = {}
    if shared := source.get("extendedProperties", {}).get("shared"):
        properties["shared"] = shared
    if private := existing.get("extendedProperties", {}).get("private"):
        properties["private"] = private
    doc = {key: value for key, value in source.items() if key not in (*PRIVATE, "extendedProperties")}
    if properties:
        doc["extendedProperties"] = properties
    for key in PRIVATE:
        own = existing.get(key) if existing else source.get(key) if key == "visibility" else None
        if own is not None:
            doc[key] = own
    doc.setdefault("reminders", {"useDefault": True})
    return doc


def _content(doc: Doc) -> Doc:
    return {key: value for key, value in doc.items() if key not in {"etag", "updated", "kind", "htmlLink"}}


def send(world: World, calendar: Calendar, before: Doc | None, after: Doc, write: Write) -> None:
    """Put the mails of a write by the organizer (or in their name) into the outbox."""
    if write.send_updates not in {"all", "externalOnly"}:
        return
    old, new = set(emails(before)), set(emails(after))
    cancelled = after["status"] == "cancelled"
    if before is not None and not cancelled and all(before.get(key) == after.get(key) for key in SHARED):
        return
    silent = {write.actor.lower(), organizer(after)}
    for email in dict.fromkeys([*emails(after), *emails(before)]):
        if email in silent:
            continue
        kind = "cancellation" if cancelled or email not in new else "update" if email in old else "invitation"
        post(world, calendar, after, kind, email, write)


def post(world: World, calendar: Calendar, doc: Doc, kind: str, to: str, write: Write) -> None:
    """One mail into the outbox, unless `sendUpdates` leaves this person out."""
    external = to not in world.accounts and to not in world.calendars
    if write.send_updates == "none" or (write.send_updates == "externalOnly" and not external):
        return
    number = world.next("mail")
    title = str(doc.get("summary", ""))
    sender = organizer(doc) if kind != "reply" else write.actor
    world.mails.append(Mail(number, kind, to, sender, calendar.id, doc["id"], title, world.now(), external))
