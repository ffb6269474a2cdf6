"""Which events an earlier bot's list of processed events names, whatever shape the list has; pure."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping

from calbot.errors import CalbotError
from calbot.model import Change, Event

LARGEST = 50 * 2**20
_SHORTEST, _LONGEST = 5, 1024
"""Google gives an event's id 5 to 1,024 characters: developers.google.com/calendar/api/v3/reference/events#id"""
_ENDING = re.compile(r"(_R?\d{8}(T\d{6}Z?)?)*$")
_OF_GOOGLE = re.compile(r"_?[a-v0-9]{16,}")
"""Google's own ids are of base32hex, those of imported events behind an underscore."""
_BETWEEN = re.compile(r"[:/|,; ]")
_OWN_NAMES = ("id", "event_id", "eventId", "iCalUID", "ical_uid", "uid", "recurringEventId")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")


class NoList(CalbotError):
    """What is there cannot be read as a list of events; the text says why."""


def root(name: str) -> str:
    """Return an id or iCalUID as all dates and both halves of its series share it.

    `<id>_20261120T090000Z` is a date, `<id>_R20261120T090000` the half after “this and following”, and Google makes
    the iCalUID `<id>@google.com`.
    """
    plain = name.removesuffix("@google.com")
    return (_ENDING.sub("", plain, count=1) if "_" in plain else plain) or name


def names_of(change: Change) -> frozenset[str]:
    """Return the names by which a list may know an event."""
    own = {change.id, change.series or ""} | ({change.ical_uid} if isinstance(change, Event) else set())
    return frozenset(root(name) for name in own if name)


def spellings(listed: Iterable[str]) -> frozenset[str]:
    """Return what `names_of` may say of these entries: an id may stand among other things, like `primary:<id>`."""
    found: set[str] = set()
    for entry in listed:
        found.add(root(entry))
        found |= {root(word) for word in _BETWEEN.split(entry) if len(word) >= _SHORTEST}
        for inner in _OF_GOOGLE.findall(entry):
            found |= {inner, inner.lstrip("_")}
    return frozenset(found)


def listed(content: bytes) -> frozenset[str]:
    """Return the ids and iCalUIDs that a list names, as they stand there. Raises NoList.

    In doubt a text counts as an id: at worst it is that of no event.
    """
    try:
        found = json.loads(content.decode("utf-8-sig"), parse_int=float)
    except UnicodeDecodeError:
        raise NoList("it is not text in UTF-8") from None
    except json.JSONDecodeError as error:
        raise NoList(f"it is broken off or no JSON (line {error.lineno}, column {error.colno})") from None
    except RecursionError:
        raise NoList("it is nested too deeply") from None
    if not isinstance(found, list | dict):
        raise NoList("it holds no list")
    try:
        ids = frozenset(_ids(found))
    except RecursionError:
        raise NoList("it is nested too deeply") from None
    if not ids and found and not (isinstance(found, dict) and any(value in ([], {}) for value in found.values())):
        raise NoList("it names no event")
    return ids


def _ids(found: object) -> Iterator[str]:
    match found:
        case str() if _is_plausible(found) or _is_of_google(found):
            yield found.strip()
        case list():
            for entry in found:
                yield from _ids(entry)
        case dict() if any(name in found for name in _OWN_NAMES):
            for name in _OWN_NAMES:
                yield from _ids(found.get(name))
        case dict():
            yield from _of_group(found)


def _of_group(found: Mapping[str, object]) -> Iterator[str]:
    """Yield the ids of a group: its keys, or what stands under them, as under `processed` or a calendar's name."""
    groups = {key for key, value in found.items() if isinstance(value, list | dict)}
    for key, value in found.items():
        inner = [one for one in _ids(value) if key in groups or _is_of_google(one)]
        if _is_of_google(key):
            yield key.strip()
            yield from filter(_is_of_google, inner)  # The rest tells of the event: its guests, its title.
        elif inner:
            yield from inner
        elif _is_plausible(key) and (not groups or (key in groups and "@" in key)):
            yield key.strip()


def _is_plausible(name: str) -> bool:
    name = name.strip()
    return _SHORTEST <= len(name) <= _LONGEST and name.isprintable() and " " not in name and not _DATE.match(name)


def _is_of_google(name: str) -> bool:
    return _OF_GOOGLE.search(name) is not None and not name.endswith("calendar.google.com")
