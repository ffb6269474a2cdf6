"""Single values of the options, checked; every complaint names its key and the remedy."""

import difflib
import math
import re
from collections.abc import Iterable, Mapping

from calbot.errors import BadOptions

MOST_GUESTS = 200
"""Google's own limit of guests per event."""
WORDS = {
    **dict.fromkeys(("on", "true", "yes", "1"), True),
    **dict.fromkeys(("off", "false", "no", "0"), False),
}

_READ_ONLY = ("@import.calendar.google.com", "@group.v.calendar.google.com")
"""How the ids of subscribed calendars end, and those of holidays and birthdays."""
_EMAIL = re.compile(r"[^\s@<>()\[\]\\,;:\"]{1,64}@([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z0-9-]{2,}")


def given(value: object) -> bool:
    """Whether somebody wrote something there; forms leave blanks, and empty lists and groups."""
    if isinstance(value, str):
        return bool(value.strip())
    return value is not None and not (isinstance(value, list | Mapping) and not value)


def switch(value: object, key: str) -> bool:
    """Return a truth value."""
    if isinstance(value, bool):
        return value
    raise BadOptions(f"{key}: {shown(value)} is neither on nor off; write true or false.")


def flag(value: object, key: str) -> bool:
    """Return a truth value that may be written as a word, yes or on for instance."""
    return switch(WORDS.get(value.strip().lower(), value) if isinstance(value, str) else value, key)


def number(value: object, key: str, low: int, high: int, unit: str = "") -> int:
    """Return a whole number from `low` to `high`."""
    wanted = f"write a whole number from {low} to {high}{f' ({unit})' if unit else ''}"
    if isinstance(value, float) and math.isfinite(value) and value.is_integer():
        value = int(value)
    if isinstance(value, str) and re.fullmatch(r"\d{1,9}", value):
        raise BadOptions(f"{key}: {shown(value)} is text; write the number {value} without quotes.")
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadOptions(f"{key}: {shown(value)} is not a whole number; {wanted}.")
    if not low <= value <= high:
        raise BadOptions(f"{key}: {shown(value)} is too {'small' if value < low else 'large'}; {wanted}.")
    return value


def text(value: object, key: str, remedy: str = "write it in quotes") -> str:
    """Return a text without the blanks around it; control characters are refused."""
    if not isinstance(value, str):
        raise BadOptions(f"{key}: {shown(value)} is not text; {remedy}.")
    value = value.strip()
    if not value.isprintable():
        raise BadOptions(f"{key}: {shown(value)} holds an invisible character; {remedy}.")
    return value


def choice(value: object, key: str, choices: tuple[str, ...]) -> str:
    """Return one of `choices`."""
    if isinstance(value, str) and value in choices:
        return value
    raise BadOptions(f"{key}: {shown(value)} is not one of the choices; write {' or '.join(choices)}.")


def section(value: object, key: str, known: Iterable[str]) -> dict[str, object]:
    """Return a nested group of options, without those that are null."""
    if not isinstance(value, Mapping):
        raise BadOptions(f"{key}: {shown(value)} is not a group; it may hold {' and '.join(known)}.")
    refuse_unknown(value, known, key)
    return {str(name): inner for name, inner in value.items() if inner is not None}


def refuse_unknown(keys: Iterable[object], known: Iterable[str], inside: str = "") -> None:
    """Raise BadOptions for a key that is none of `known`, with the nearest one."""
    known = tuple(known)
    for key in keys:
        if key in known:
            continue
        name = shown(key).strip("'")
        near = difflib.get_close_matches(name, known, n=1)
        remedy = f"did you mean {near[0]}?" if near else "remove it; the documentation has the known ones."
        raise BadOptions(f"{inside}{'.' if inside else ''}{name}: unknown option; {remedy}")


def email_address(value: object, key: str) -> str:
    """Return an address in lower case."""
    address = text(value, key, "write it like bob@example.com").lower()
    if len(address) > 254 or not _EMAIL.fullmatch(address):
        raise BadOptions(f"{key}: {shown(address)} is not an e-mail address; write it like bob@example.com.")
    return address


def email_addresses(value: object, key: str) -> tuple[str, ...]:
    """Return the addresses of a list, each once; blanks that forms leave are none."""
    if not isinstance(value, list):
        raise BadOptions(f"{key}: {shown(value)} is not a list; write [bob@example.com].")
    entries = (entry.strip() if isinstance(entry, str) else entry for entry in value)
    addresses = tuple(dict.fromkeys(email_address(entry, key) for entry in entries if entry not in ("", None)))
    if len(addresses) > MOST_GUESTS:
        raise BadOptions(f"{key}: {len(addresses)} addresses are too many; Google allows {MOST_GUESTS}.")
    return addresses


def calendar_id(value: object, key: str, remedy: str) -> str:
    """Return a calendar's id, or a blank where a form left one."""
    name = text(value, key, remedy)
    if len(name) > 254 or " " in name:
        raise BadOptions(f"{key}: {shown(name)} is not a calendar's id; {remedy}.")
    return name


def target_calendar(value: object, key: str, remedy: str) -> str | None:
    """Return the id, in lower case, of a calendar that can get copies; None where a form left a blank."""
    name = text(value, key, remedy).lower()
    if not name:
        return None
    if "/" in name:
        raise BadOptions(f"{key}: {shown(name)} is a web address; {remedy}.")
    if name == "primary":
        raise BadOptions(f"{key}: primary is another calendar in each account; {remedy}.")
    if name.endswith(_READ_ONLY):
        raise BadOptions(f"{key}: {shown(name)} is a calendar that Google lets nobody write to; {remedy}.")
    if len(name) > 254 or " " in name or "@" not in name:
        raise BadOptions(f"{key}: {shown(name)} is not a calendar's id; {remedy}.")
    return name


def shown(value: object) -> str:
    """Return a value as a sentence may show it: short, on one line, and without a way to fail."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case str():
            return repr(value if len(value) <= 60 else f"{value[:57]}...")
        case int():
            return str(value) if abs(value) < 10**15 else "a huge number"
        case float():
            return repr(value)
        case list() | tuple():
            return "a list"
        case Mapping():
            return "a group"
        case _:
            return f"a {type(value).__name__}"
