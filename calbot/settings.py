"""The engine's keys of the options, parsed and checked; every complaint names its key and the remedy."""

import difflib
import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Literal, cast
from urllib.parse import urlsplit, urlunsplit

from calbot.errors import BadOptions
from calbot.model import Noun

FirstSync = Literal["ignore", "invite_future"]

KEYS = (
    "accounts",
    "invite_emails",
    "central_calendar",
    "rules",
    "auto_invite",
    "mirroring",
    "dry_run",
    "first_sync",
    "poll_interval",
    "push_url",
    "delete_original",
    "limits",
    "alerts",
    "report_at",
    "heartbeat_url",
)
"""The options that the engine understands, or will."""
NESTED = {
    "limits": ("invites_per_hour", "removals_per_pass"),
    "delete_original": ("enabled", "grace"),
}
MOST_GUESTS = 200
"""Google's own limit of guests per event."""

_LATER: dict[str, tuple[object, str]] = {
    "central_calendar": (None, "copies come in a later version"),
    "mirroring": (True, "copies come in a later version"),
    "limits": ({"invites_per_hour": 50, "removals_per_pass": 5}, "the brake comes in a later version"),
    "delete_original": ({"enabled": False, "grace": 3600}, "deleting originals comes in a later version"),
    "alerts": ([], "alerts come in a later version"),
    "report_at": (None, "the daily report comes in a later version"),
    "heartbeat_url": (None, "the heartbeat comes in a later version"),
}
_EMAIL = re.compile(r"[^\s@<>()\[\]\\,;:\"]{1,64}@([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z0-9-]{2,}")
WORDS = {
    **dict.fromkeys(("on", "true", "yes", "1"), True),
    **dict.fromkeys(("off", "false", "no", "0"), False),
}


class AccountChoice(Noun, frozen=True):
    """An account to watch, and which of its calendars."""

    email: str
    calendars: tuple[str, ...] = ("primary",)


class Settings(Noun, frozen=True, kw_only=True):
    """What the household asked of the engine. `poll_interval` is in seconds."""

    accounts: tuple[AccountChoice, ...] = ()
    invite_emails: tuple[str, ...] = ()
    auto_invite: bool = True
    dry_run: bool = False
    first_sync: FirstSync = "ignore"
    poll_interval: int = 60
    push_url: str | None = None
    invites_per_hour: int = 50
    removals_per_pass: int = 5
    time_zone: str = "UTC"
    patience: int = 1800
    """Seconds that a calendar may be unreachable before it counts as a problem."""

    def calendars(self, signed_in: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """Return each account's calendars; where none is chosen, the primary one of everybody who is signed in."""
        chosen = {choice.email: choice.calendars for choice in self.accounts}
        return chosen or dict.fromkeys(signed_in, ("primary",))


def parse(raw: Mapping[str, object], *, endpoints_overridden: bool) -> tuple[Settings, tuple[str, ...]]:
    """Return the settings, and a sentence for each option that is accepted but not available yet.

    A missing or null option has its default. Raises BadOptions.
    """
    refuse_unknown(raw, KEYS)
    given = {key: value for key, value in raw.items() if value is not None}
    if given.get("rules", []) != []:
        raise BadOptions("rules: not available in this version; leave it empty.")
    limits = section(given.get("limits", {}), "limits", NESTED["limits"])
    section(given.get("delete_original", {}), "delete_original", NESTED["delete_original"])
    first_sync = choice(given.get("first_sync", "ignore"), "first_sync", ("ignore", "invite_future"))
    settings = Settings(
        accounts=_accounts(given.get("accounts", [])),
        invite_emails=_emails(given.get("invite_emails", []), "invite_emails"),
        auto_invite=switch(given.get("auto_invite", True), "auto_invite"),
        dry_run=switch(given.get("dry_run", False), "dry_run"),
        first_sync=cast("FirstSync", first_sync),
        poll_interval=number(given.get("poll_interval", 60), "poll_interval", 15, 86400, "seconds"),
        push_url=_push_url(given.get("push_url", ""), plain_allowed=endpoints_overridden),
        invites_per_hour=number(limits.get("invites_per_hour", 50), "limits.invites_per_hour", 1, 10_000),
        removals_per_pass=number(limits.get("removals_per_pass", 5), "limits.removals_per_pass", 0, 10_000),
    )
    return settings, _notes(given)


def parse_switch(key: str, value: object) -> bool | int | str:
    """Return the checked value of a setting that is switched while running. Raises BadOptions."""
    parser = _SWITCHES.get(key.removeprefix("limits."))
    if parser is None:
        known = ", ".join(_SWITCHES)
        raise BadOptions(f"{key[:60]!r}: cannot be switched while running; these can: {known}.")
    if isinstance(value, str):
        word = value.strip().lower()
        plain = WORDS.get(word, value) if parser is switch else word
        value = int(word) if parser is not switch and re.fullmatch(r"\d{1,9}", word) else plain
    return parser(value, key)


def _poll_interval(value: object, key: str) -> int:
    return number(value, key, 15, 86400, "seconds")


def _invites_per_hour(value: object, key: str) -> int:
    return number(value, key, 1, 10_000)


def switch(value: object, key: str) -> bool:
    """Return a truth value."""
    if isinstance(value, bool):
        return value
    raise BadOptions(f"{key}: {shown(value)} is neither on nor off; write true or false.")


_SWITCHES: dict[str, Callable[[object, str], bool | int]] = {
    "auto_invite": switch,
    "dry_run": switch,
    "paused": switch,
    "poll_interval": _poll_interval,
    "invites_per_hour": _invites_per_hour,
}


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


def email_address(value: object, key: str) -> str:
    """Return an address in lower case."""
    address = text(value, key, "write it like bob@example.com").lower()
    if len(address) > 254 or not _EMAIL.fullmatch(address):
        raise BadOptions(f"{key}: {shown(address)} is not an e-mail address; write it like bob@example.com.")
    return address


def _emails(value: object, key: str) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise BadOptions(f"{key}: {shown(value)} is not a list; write [bob@example.com].")
    entries = (entry.strip() if isinstance(entry, str) else entry for entry in value)
    addresses = tuple(dict.fromkeys(email_address(entry, key) for entry in entries if entry not in ("", None)))
    if len(addresses) > MOST_GUESTS:
        raise BadOptions(f"{key}: {len(addresses)} addresses are too many; Google allows {MOST_GUESTS}.")
    return addresses


def _accounts(value: object) -> tuple[AccountChoice, ...]:
    if not isinstance(value, list):
        raise BadOptions(f"accounts: {shown(value)} is not a list; write [{{email: anna@example.com}}].")
    chosen: dict[str, AccountChoice] = {}
    for entry in value:
        if entry is None or entry in ("", {}):
            continue
        whole: object = {"email": entry} if isinstance(entry, str) else entry
        group = section(whole, "accounts", ("email", "calendars"))
        if not group.get("email") and not group.get("calendars"):
            continue
        email = email_address(group.get("email", ""), "accounts")
        if email in chosen:
            raise BadOptions(f"accounts: {email} is there twice; put its calendars into one entry.")
        chosen[email] = AccountChoice(email, _calendars(group.get("calendars", [])))
    return tuple(chosen.values())


def _calendars(value: object) -> tuple[str, ...]:
    key, remedy = "accounts.calendars", "write [primary], or the ids from Google Calendar's settings"
    if not isinstance(value, list):
        raise BadOptions(f"{key}: {shown(value)} is not a list; {remedy}.")
    names = [text(entry, key, remedy) for entry in value if entry is not None]
    for name in names:
        if len(name) > 254 or " " in name:
            raise BadOptions(f"{key}: {shown(name)} is not a calendar's id; {remedy}.")
    return tuple(dict.fromkeys(name for name in names if name)) or ("primary",)


def _push_url(value: object, *, plain_allowed: bool) -> str | None:
    example = "write it like https://example.org/push"
    address = text(value, "push_url", example)
    if not address:
        return None
    parts = urlsplit("")
    try:
        parts = urlsplit(address)
        usable = bool(parts.hostname) and parts.port != 0 and "@" not in parts.netloc and " " not in address
    except ValueError:
        usable = False
    if not usable or len(address) > 1000 or parts.scheme not in ("http", "https"):
        raise BadOptions(f"push_url: {shown(address)} is not a web address; {example}.")
    if parts.scheme == "http" and not plain_allowed:
        raise BadOptions(f"push_url: {shown(address)} is not https, as Google wants it; {example}.")
    path = "/push" if parts.path in ("", "/") else parts.path
    return urlunsplit((parts.scheme, parts.netloc, path, parts.query, ""))


def _notes(given: Mapping[str, object]) -> tuple[str, ...]:
    notes = []
    for key, (default, when) in _LATER.items():
        value = given.get(key, default)
        if isinstance(value, Mapping) and isinstance(default, Mapping):
            value = {**default, **{name: inner for name, inner in value.items() if inner is not None}}
        if value != default and value not in ("", [], {}):
            notes.append(f"{key}: {when}; ignored for now.")
    return tuple(notes)
