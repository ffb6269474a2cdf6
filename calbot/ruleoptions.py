"""The rules of the options, parsed and checked; every complaint names the rule, its key and the remedy."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import cast

import msgspec

from calbot.checks import (
    MOST_GUESTS,
    WORDS,
    calendar_id,
    choice,
    email_address,
    number,
    refuse_unknown,
    section,
    shown,
    switch,
    text,
)
from calbot.errors import BadOptions
from calbot.kinds import SendUpdates
from calbot.matching import COLOURS, pattern
from calbot.policy import Match, Rule

MOST_RULES = 100
LONGEST_NAME = 60
LONGEST_PATTERN = 1000
ACTIONS = ("invite", "mirror", "mask", "delete_original", "skip", "send_updates")
EXAMPLE = "write [{name: school, match: {title: school}, do: {invite: [bob@example.com]}}]"

_LATER = {"mirror": "copies come", "mask": "copies come", "delete_original": "deleting originals comes"}
_TYPES = ("default", "birthday", "focusTime", "fromGmail", "outOfOffice", "workingLocation")
_ANSWERS = ("accepted", "tentative", "needsAction", "declined")
_VISIBILITIES = ("default", "public", "private", "confidential")
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
"""Google's names of its colours for events, from its id 1 on."""
_HOURS = re.compile(r"([0-9]{1,2})(?::([0-9]{2}))?\s*[-–]\s*([0-9]{1,2})(?::([0-9]{2}))?")
_CALENDAR = "write primary, or an id from Google Calendar's settings"


def parse_rules(
    value: object, guests: tuple[str, ...], central: object, watched: Mapping[str, Sequence[str]]
) -> tuple[tuple[Rule, ...], tuple[str, ...]]:
    """Return the rules in their order, and a sentence for each that does not all that it says.

    `guests` is the option invite_emails, `central` the option central_calendar, `watched` the chosen accounts with
    their calendars, empty when none is chosen. Raises BadOptions.
    """
    if not _given(value):
        return (), ()
    if not isinstance(value, list):
        raise BadOptions(f"rules: {shown(value)} is not a list; {EXAMPLE}.")
    if len(value) > MOST_RULES:
        raise BadOptions(f"rules: {len(value)} rules are too many; {MOST_RULES} are allowed.")
    rules: list[Rule] = []
    notes: list[str] = []
    for place, entry in enumerate(value, 1):
        if not isinstance(entry, Mapping) and not _given(entry):
            continue
        name = _label(entry, f"rule {place}")
        try:
            if any(name.casefold() == rule.name.casefold() for rule in rules):
                raise BadOptions("name: is there twice; give each rule a name of its own.")
            rule, remarks = _rule(entry, name, guests, central)
        except BadOptions as error:
            raise BadOptions(f"rules, {name}: {error}") from None
        remarks += _traps(rule, rules, watched)
        rules.append(rule)
        notes += [f"rules, {name}: {remark}" for remark in remarks]
    forgotten = [guest for guest in guests if rules and not any(guest in rule.invite for rule in rules)]
    if forgotten:
        notes.append(
            f"rules: none of them invites {forgotten[0]} of invite_emails, and where there are rules only they act."
        )
    return tuple(rules), tuple(notes)


def _given(value: object) -> bool:
    """Whether somebody wrote something there; forms leave blanks, and empty lists and groups."""
    if isinstance(value, str):
        return bool(value.strip())
    return value is not None and not (isinstance(value, list | Mapping) and not value)


def _label(entry: object, standard: str) -> str:
    name = entry.get("name") if isinstance(entry, Mapping) else None
    name = name.strip() if isinstance(name, str) else ""
    return name if name and name.isprintable() and len(name) <= LONGEST_NAME else standard


def _rule(entry: object, name: str, guests: tuple[str, ...], central: object) -> tuple[Rule, list[str]]:
    if not isinstance(entry, Mapping):
        raise BadOptions(f"{shown(entry)} is not a group; {EXAMPLE}.")
    refuse_unknown(entry, ("name", "match", "do", "continue"))
    if _given(entry.get("name")) and len(text(entry["name"], "name")) > LONGEST_NAME:
        raise BadOptions(f"name: {shown(entry['name'])} is too long; {LONGEST_NAME} letters are allowed.")
    match = _match(_group(entry, "match", tuple(_MATCHERS)))
    do = _group(entry, "do", ACTIONS)
    invite = _guests(do.get("invite"), guests)
    asked = {key: _flag(do[key], f"do.{key}") for key in ACTIONS if key in {"skip", "delete_original"} & do.keys()}
    asked |= {"invite": bool(invite), "mirror": _mirror(do.get("mirror"), central), "mask": _mask(do.get("mask"))}
    wanted = [key for key in ACTIONS if asked.get(key)]
    if "skip" in wanted and len(wanted) > 1:
        raise BadOptions(f"do.skip: the event cannot be left alone and have {wanted[0]} done too; keep one of the two.")
    if not wanted or wanted == ["mask"]:
        raise BadOptions("do: says nothing to do; write invite or skip, like do: {invite: [bob@example.com]}.")
    send_updates = choice(do.get("send_updates", "all"), "do.send_updates", ("all", "externalOnly", "none"))
    goes_on = _given(entry.get("continue")) and _flag(entry["continue"], "continue")
    rule = Rule(name, invite, cast("SendUpdates", send_updates), match, "skip" in wanted, goes_on)
    late = [key for key in wanted if key in _LATER]
    phrase = " and ".join(dict.fromkeys(_LATER[key] for key in late))
    keys = " and ".join(f"do.{key}" for key in late)
    return rule, [f"{keys}: {phrase} in a later version; ignored for now."] if late else []


def _group(entry: Mapping[object, object], key: str, known: tuple[str, ...]) -> dict[str, object]:
    value = entry.get(key)
    inner = section(value if _given(value) else {}, key, known)
    return {name: one for name, one in inner.items() if _given(one)}


def _flag(value: object, key: str) -> bool:
    return switch(WORDS.get(value.strip().lower(), value) if isinstance(value, str) else value, key)


def _guests(value: object, guests: tuple[str, ...]) -> tuple[str, ...]:
    key, found = "do.invite", list[str]()
    for one in value if isinstance(value, list) else [value]:
        word = one.strip().lower() if isinstance(one, str) else one
        if word in (None, "", "false") or word is False:
            continue
        if word is True or word in ("true", "invite_emails"):
            if not guests:
                raise BadOptions(f"{key}: invite_emails is empty; fill it in, or write addresses here.")
            found += guests
        else:
            found.append(email_address(word, key))
    unique = tuple(dict.fromkeys(found))
    if len(unique) > MOST_GUESTS:
        raise BadOptions(f"{key}: {len(unique)} addresses are too many; Google allows {MOST_GUESTS}.")
    return unique


def _mirror(value: object, central: object) -> bool:
    word = value.strip().lower() if isinstance(value, str) else value
    if word is None or word is False or word == "false":
        return False
    if word is True or word in ("true", "central_calendar"):
        if not _given(central):
            raise BadOptions("do.mirror: central_calendar is empty; fill it in, or write a calendar's id here.")
        return True
    return bool(calendar_id(value, "do.mirror", "write true, or an id from Google Calendar's settings"))


def _mask(value: object) -> bool:
    if isinstance(value, Mapping):
        for key, one in section(value, "do.mask", ("title", "description")).items():
            text(one, f"do.mask.{key}")
        return True
    return value is not None and bool(choice(value, "do.mask", ("full", "title", "busy")))


def _match(group: Mapping[str, object]) -> Match:
    values = {name: read(group[key], f"match.{key}") for key, (name, read) in _MATCHERS.items() if key in group}
    return msgspec.structs.replace(Match(), **values)


def _several(read: Callable[[object, str], object]) -> Callable[[object, str], object]:
    """Return a reader of one value or a list of them, each once and in the order in which they are written."""

    def values(value: object, key: str) -> tuple[object, ...]:
        entries = [one for one in value if _given(one)] if isinstance(value, list) else [value]
        if len(entries) > MOST_GUESTS:
            raise BadOptions(f"{key}: {len(entries)} values are too many; {MOST_GUESTS} are allowed.")
        return tuple(dict.fromkeys(read(one, key) for one in entries))

    return values


def _one_of(known: Sequence[str]) -> Callable[[object, str], str]:
    """Return a reader of a word that may be written in any case, and with _ or without."""
    by_word = {_plain(word): word for word in known}

    def word_of(value: object, key: str) -> str:
        found = by_word.get(_plain(value)) if isinstance(value, str) else None
        if found is None:
            raise BadOptions(f"{key}: {shown(value)} is not one of the choices; write {' or '.join(known)}.")
        return found

    return word_of


def _plain(word: str) -> str:
    return re.sub(r"[\s_-]", "", word).casefold()


def _calendar(value: object, key: str) -> str:
    return calendar_id(value, key, _CALENDAR)


def _weekday(value: object, key: str) -> int:
    word = value.strip().lower() if isinstance(value, str) else ""
    found = [number for number, day in enumerate(_DAYS) if word in {day, day[:3]}]
    if not found:
        raise BadOptions(f"{key}: {shown(value)} is not a day of the week; write it like mon or [sat, sun].")
    return found[0]


def _colour(value: object, key: str) -> str:
    word = str(value).strip().lower() if isinstance(value, str) or type(value) is int else ""
    ids = {name: str(place) for place, name in enumerate(COLOURS, 1)}
    found = ids.get(word) or (word if word in ids.values() else None)
    if found is None:
        raise BadOptions(f"{key}: {shown(value)} is not a colour of Google's; write {' or '.join(COLOURS)}.")
    return found


def _pattern(value: object, key: str) -> str:
    if not isinstance(value, str):
        raise BadOptions(f"{key}: {shown(value)} is not text; write it in quotes.")
    if len(value) > LONGEST_PATTERN:
        raise BadOptions(f"{key}: {shown(value)} is too long; {LONGEST_PATTERN} letters are allowed.")
    try:
        pattern(value)
    except ValueError as error:
        why = "".join(sign if sign.isprintable() else "?" for sign in f"{error}"[:100])
        remedy = "write plain words, with \\ before signs like ( ) [ + * ? that are meant as such"
        raise BadOptions(f"{key}: {shown(value)} is not a pattern that RE2 understands ({why}); {remedy}.") from None
    return value


def _hours(value: object, key: str) -> tuple[int, int]:
    found = _HOURS.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is not None:
        hour, minute, last_hour, last_minute = (int(part or 0) for part in found.groups())
        span = hour * 60 + minute, last_hour * 60 + last_minute
        if max(minute, last_minute) < 60 and span[0] < 1440 and span[1] <= 1440 and span[0] != span[1]:
            return span
    raise BadOptions(f"{key}: {shown(value)} is not a span of hours; write it like 08:00-17:00.")


def _days(value: object, key: str) -> int:
    return number(value, key, 1, 3650, "days")


_MATCHERS: dict[str, tuple[str, Callable[[object, str], object]]] = {
    "account": ("accounts", _several(email_address)),
    "calendar": ("calendars", _several(_calendar)),
    "title": ("title", _pattern),
    "description": ("description", _pattern),
    "location": ("location", _pattern),
    "organiser_is_me": ("organiser_is_me", _flag),
    "event_type": ("event_types", _several(_one_of(_TYPES))),
    "all_day": ("all_day", _flag),
    "busy": ("busy", _flag),
    "my_rsvp": ("my_rsvp", _several(_one_of(_ANSWERS))),
    "has_guest": ("has_guest", _several(email_address)),
    "weekdays": ("weekdays", _several(_weekday)),
    "hours": ("hours", _hours),
    "within_days": ("within_days", _days),
    "visibility": ("visibility", _several(_one_of(_VISIBILITIES))),
    "colour": ("colours", _several(_colour)),
}
"""Each key of `match`: the field of `Match` that it fills, and how it is read."""


def _traps(rule: Rule, before: Sequence[Rule], watched: Mapping[str, Sequence[str]]) -> list[str]:
    """Return a sentence for each reason why a rule can never do what it says."""
    found = []
    strange = [one for one in rule.match.accounts if watched and one not in watched]
    if strange:
        found.append(f"match.account: {strange[0]} is not among the accounts; nothing is matched there.")
    calendars = {name.lower() for names in watched.values() for name in names}
    calendars |= {one for one, names in watched.items() if "primary" in names}
    other = [one for one in rule.match.calendars if watched and one.lower() not in calendars]
    if other:
        found.append(f"match.calendar: {other[0]} is not among the accounts' calendars; nothing is matched there.")
    if rule.match.hours and rule.match.all_day:
        found.append("match.hours: events that last all day begin at no hour; nothing is matched.")
    for key in ("title", "description", "location"):
        words = getattr(rule.match, key)
        if words and words != words.strip():
            found.append(f"match.{key}: the blank at its beginning or end counts; is it meant?")
    first = next((one for one in before if one.match == Match() and (one.skip or not one.goes_on)), None)
    if first:
        found.append(f"never reached, because {first.name} before it takes every event; change their order.")
    return found
