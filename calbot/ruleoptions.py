"""The rules of the options, parsed and checked; every complaint names the rule, its key and the remedy."""

import re
from collections.abc import Callable, Mapping, Sequence

import msgspec

from calbot.checks import (
    MOST_GUESTS,
    calendar_id,
    email_address,
    flag,
    given,
    number,
    refuse_unknown,
    section,
    shown,
    text,
)
from calbot.errors import BadOptions
from calbot.matching import COLOURS, pattern
from calbot.model import Noun
from calbot.policy import Match, Rule
from calbot.ruleactions import ACTIONS, acting, remarks

MOST_RULES = 100
LONGEST_NAME = 60
LONGEST_PATTERN = 1000
EXAMPLE = "write [{name: school, match: {title: school}, do: {invite: [bob@example.com]}}]"

_TYPES = ("default", "birthday", "focusTime", "fromGmail", "outOfOffice", "workingLocation")
_ANSWERS = ("accepted", "tentative", "needsAction", "declined")
_VISIBILITIES = ("default", "public", "private", "confidential")
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_HOURS = re.compile(r"([0-9]{1,2})(?::([0-9]{2}))?\s*[-–]\s*([0-9]{1,2})(?::([0-9]{2}))?")
_CALENDAR = "write primary, or an id from Google Calendar's settings"


class Around(Noun, frozen=True, kw_only=True):
    """The other options that rules speak of: invite_emails, central_calendar, and delete_original.enabled.

    `watched` are the chosen accounts with their calendars; it is empty when none is chosen.
    """

    guests: tuple[str, ...] = ()
    central: str | None = None
    deletes: bool = False
    watched: Mapping[str, Sequence[str]] = {}


def parse_rules(value: object, around: Around) -> tuple[tuple[Rule, ...], tuple[str, ...]]:
    """Return the rules in their order, and a sentence for each that does not all that it says. Raises BadOptions."""
    if not given(value):
        return (), ()
    if not isinstance(value, list):
        raise BadOptions(f"rules: {shown(value)} is not a list; {EXAMPLE}.")
    if len(value) > MOST_RULES:
        raise BadOptions(f"rules: {len(value)} rules are too many; {MOST_RULES} are allowed.")
    rules: list[Rule] = []
    notes: list[str] = []
    for place, entry in enumerate(value, 1):
        if not isinstance(entry, Mapping) and not given(entry):
            continue
        name = _label(entry, f"rule {place}")
        try:
            if any(name.casefold() == rule.name.casefold() for rule in rules):
                raise BadOptions("name: is there twice; give each rule a name of its own.")
            rule = _rule(entry, name, around)
        except BadOptions as error:
            raise BadOptions(f"rules, {name}: {error}") from None
        found = [*remarks(rule, deletes=around.deletes), *_traps(rule, rules, around.watched)]
        rules.append(rule)
        notes += [f"rules, {name}: {one}" for one in found]
    return tuple(rules), (*notes, *_forgotten(rules, around))


def _forgotten(rules: Sequence[Rule], around: Around) -> list[str]:
    """Return a sentence for each option that the rules have put out of force, perhaps without being meant to."""
    guests = [guest for guest in around.guests if not any(guest in rule.invite for rule in rules)]
    missed = [f"invites {guests[0]} of invite_emails"] if guests else []
    if around.central and not any(rule.mirror == around.central for rule in rules):
        missed.append("mirrors to central_calendar")
    return [f"rules: none of them {one}, and where there are rules only they act." for one in missed if rules]


def _label(entry: object, standard: str) -> str:
    name = entry.get("name") if isinstance(entry, Mapping) else None
    name = name.strip() if isinstance(name, str) else ""
    return name if name and name.isprintable() and len(name) <= LONGEST_NAME else standard


def _rule(entry: object, name: str, around: Around) -> Rule:
    if not isinstance(entry, Mapping):
        raise BadOptions(f"{shown(entry)} is not a group; {EXAMPLE}.")
    refuse_unknown(entry, ("name", "match", "do", "continue"))
    if given(entry.get("name")) and len(text(entry["name"], "name")) > LONGEST_NAME:
        raise BadOptions(f"name: {shown(entry['name'])} is too long; {LONGEST_NAME} letters are allowed.")
    match = _match(_group(entry, "match", tuple(_MATCHERS)))
    rule = acting(name, _group(entry, "do", ACTIONS), around.guests, around.central)
    goes_on = given(entry.get("continue")) and flag(entry["continue"], "continue")
    return msgspec.structs.replace(rule, match=match, goes_on=goes_on)


def _group(entry: Mapping[object, object], key: str, known: tuple[str, ...]) -> dict[str, object]:
    value = entry.get(key)
    inner = section(value if given(value) else {}, key, known)
    return {name: one for name, one in inner.items() if given(one)}


def _match(group: Mapping[str, object]) -> Match:
    values = {name: read(group[key], f"match.{key}") for key, (name, read) in _MATCHERS.items() if key in group}
    return msgspec.structs.replace(Match(), **values)


def _several(read: Callable[[object, str], object]) -> Callable[[object, str], object]:
    """Return a reader of one value or a list of them, each once and in the order in which they are written."""

    def values(value: object, key: str) -> tuple[object, ...]:
        entries = [one for one in value if given(one)] if isinstance(value, list) else [value]
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
    "organiser_is_me": ("organiser_is_me", flag),
    "event_type": ("event_types", _several(_one_of(_TYPES))),
    "all_day": ("all_day", flag),
    "busy": ("busy", flag),
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
    main = rule.match.accounts or tuple(watched) or ("primary",)
    own = {one for name in rule.match.calendars for one in (main if name.lower() == "primary" else (name.lower(),))}
    if rule.mirror and own == {rule.mirror}:
        found.append("do.mirror: these events are on that calendar already; nothing is copied.")
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
