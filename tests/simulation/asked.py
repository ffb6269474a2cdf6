"""What rules ask, and what a copy has to show of its source: told by documents, in other words than the engine's."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from calbot.policy import FULL, Mask, Match, Rule
from tests.google_server import recurrence
from tests.google_server.values import Doc

BUSY_TITLE = "Busy"
OWN = re.compile(r"calbot[0-9a-v]{52}")
SPECIAL = {"outOfOffice": "Out of office", "focusTime": "Focus time", "birthday": "Birthday"}
STRICT = ("busy", "title", "template", "full")
CONTENT = (
    *("status", "summary", "description", "location", "start", "end", "recurrence", "eventType", "visibility"),
    *("transparency", "colorId", "organizer"),
)


@dataclass(frozen=True)
class Era:
    """The options in force at some time; `on` while copies are written. None stands for what was there before us."""

    rules: tuple[Rule, ...]
    on: bool = True
    deletes: bool = False
    grace: float = 3600.0
    number: int = field(default=0, compare=False)


def is_ours(event_id: str) -> bool:
    """Whether the id is that of a copy, or of a date of one."""
    return OWN.match(event_id) is not None


def own_answer(doc: Doc) -> str:
    """How the owner of the calendar answered."""
    return next((str(one.get("responseStatus")) for one in doc.get("attendees", ()) if one.get("self")), "")


def signature(doc: Doc) -> tuple[str, ...]:
    """What of an event counts as a change of it."""
    return (*(repr(doc.get(key)) for key in CONTENT), own_answer(doc))


def asked(doc: Doc, calendar: str, account: str, era: Era) -> dict[str, Mask]:
    """Which calendars are to have a copy, and how much it shows, for an event as this account sees it."""
    if doc["status"] == "cancelled" or is_ours(doc["id"]) or own_answer(doc) == "declined":
        return {}
    found: dict[str, list[Mask]] = {}
    for rule in _matched(doc, calendar, account, era):
        target = rule.mirror
        if target is None or target in {calendar, _host(doc), *_guests(doc)}:
            continue
        if rule.uninvitable_only and doc.get("eventType", "default") == "default" and _organised(doc):
            continue
        if (
            _is_private(doc)
            and rule.mask.shows != "busy"
            and not {"private", "confidential"} & {*rule.match.visibility}
        ):
            continue
        found.setdefault(target, []).append(rule.mask)
    return {target: strictest(masks) for target, masks in found.items()}


def moved(doc: Doc, calendar: str, account: str, era: Era) -> set[str]:
    """On which calendars a copy is to take the place of the event."""
    if not era.deletes or not _organised(doc) or doc.get("recurrence") or "recurringEventId" in doc:
        return set()
    if doc.get("eventType", "default") != "default" or "attachments" in doc:
        return set()
    links = asked(doc, calendar, account, era)
    rules = [rule for rule in _matched(doc, calendar, account, era) if rule.delete_original]
    guests = {guest for rule in rules for guest in rule.invite}
    if {*_guests(doc)} - {account, calendar, *guests}:
        return set()
    return {rule.mirror for rule in rules if rule.mirror is not None and links.get(rule.mirror) == FULL}


def strictest(masks: Iterable[Mask]) -> Mask:
    """The mask that shows least."""
    return min(masks, key=lambda mask: STRICT.index(mask.shows))


def _matched(doc: Doc, calendar: str, account: str, era: Era) -> list[Rule]:
    found: list[Rule] = []
    for rule in era.rules:
        if _matches(rule.match, doc, calendar, account):
            found.append(rule)
            if rule.skip or not rule.goes_on:
                break
    return [] if found and found[-1].skip else found


def _matches(match: Match, doc: Doc, calendar: str, account: str) -> bool:
    given = (
        (match.accounts, account in match.accounts),
        (match.calendars, calendar in {account if name == "primary" else name for name in match.calendars}),
        (match.title, re.search(match.title or "", str(doc.get("summary", "")))),
        (match.event_types, doc.get("eventType", "default") in match.event_types),
        (match.visibility, doc.get("visibility", "default") in match.visibility),
        (match.organiser_is_me is not None, match.organiser_is_me == _organised(doc)),
        (match.all_day is not None, match.all_day == ("date" in doc["start"])),
    )
    return all(holds for wanted, holds in given if wanted)


def _host(doc: Doc) -> str:
    return str(doc.get("organizer", {}).get("email", "")).lower()


def _organised(doc: Doc) -> bool:
    return bool(doc.get("organizer", {}).get("self"))


def _guests(doc: Doc) -> list[str]:
    return [str(one["email"]).lower() for one in doc.get("attendees", ())]


def _is_private(doc: Doc) -> bool:
    return doc.get("visibility") in {"private", "confidential"} and doc.get("eventType") != "birthday"


def unlike(source: Doc, mask: Mask, copy: Doc, *, colour: str | None = None) -> list[str]:
    """What a person would find amiss in a copy. `colour` is one that somebody chose for it; `any` looks at none."""
    title = " ".join(str(source.get("summary", "")).split()) or SPECIAL.get(source.get("eventType", ""), "")
    meant: Doc = {"summary": title, "description": "", "location": "", "transparency": "opaque", "colorId": ""}
    if mask.shows != "busy":
        meant["transparency"] = source.get("transparency", "opaque")
    match mask.shows:
        case "full":
            meant["description"] = str(source.get("description", "")).strip()
            meant["location"] = str(source.get("location", "")).strip()
            meant["colorId"] = source.get("colorId", "")
            meant["visibility"] = "private" if _is_private(source) else "default"
        case "busy":
            meant["summary"], meant["visibility"] = BUSY_TITLE, "default"
        case "template":
            words = {"{title}": title, "{location}": str(source.get("location", "")).strip()}
            for key, template in (("summary", mask.title), ("description", mask.description)):
                meant[key] = template
                for word, value in words.items():
                    meant[key] = meant[key].replace(word, value)
                meant[key] = meant[key].strip()
    if colour is not None:
        meant["colorId"] = colour
    found = [
        f"{key} is {copy.get(key, 'opaque' if key == 'transparency' else '')!r}, not {value!r}"
        for key, value in meant.items()
        if key not in {"visibility", "colorId"}
        and _seen(copy.get(key, "opaque" if key == "transparency" else "")) != _seen(value)
    ]
    if "visibility" in meant and (copy.get("visibility") == "private") != (meant["visibility"] == "private"):
        found.append(f"visibility is {copy.get('visibility')}")
    if colour != "any" and copy.get("colorId", "") != meant["colorId"]:
        found.append(f"colour is {copy.get('colorId')!r}, not {meant['colorId']!r}")
    found += [
        f"{side} is {copy[side]}, not {source[side]}" for side in ("start", "end") if not same(source, copy, side)
    ]
    if "attendees" in copy:
        found.append("it has guests")
    return found


def same(one: Doc, other: Doc, side: str) -> bool:
    """Whether two events start, or end, at the same time."""
    return when(one[side]) == when(other[side])


def when(moment: Doc) -> str:
    """A start or end in one form: a date, or an instant in UTC."""
    value = recurrence.value_of(moment)
    return f"{value.astimezone(UTC):%Y%m%dT%H%M%SZ}" if isinstance(value, datetime) else f"{value:%Y%m%d}"


def _seen(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.split("\n")).strip()


def dates(doc: Doc) -> dict[str, Doc]:
    """The dates of a series by their places in it, as nobody has changed them; of anything else only itself."""
    if not doc.get("recurrence"):
        return {"": doc}
    found = (recurrence.instance(doc, original) for original in recurrence.occurrences(doc))
    return {one["id"].rpartition("_")[2]: one for one in found}
