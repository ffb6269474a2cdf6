"""A file for whoever helps: versions, options, health, figures and the log's newest lines, fit to be shown in public.

No event is in it, no calendar by name, no secret, and of addresses only so much that they can be told apart.
"""

import platform
import re
import sqlite3
import sys
from collections.abc import Callable, Sequence
from importlib import metadata

import msgspec

from calbot import __version__
from calbot.errors import CalbotError
from calbot.secrecy import cleaned
from calbot.status import Health, Snapshot

NAME = "calbot-diagnostics.json"
LINES = 200
LARGEST = 512 * 1024
_LONGEST = 1000
_MOST = (200, 40, 8)
"""So many entries of a list are in it, fewer when it would be too large."""
_LIBRARIES = (
    "flask",
    "waitress",
    "paho-mqtt",
    "google-api-python-client",
    "google-auth",
    "msgspec",
    "urllib3",
    "apprise",
)
_ONLY_WHETHER = frozenset({"push_url", "mqtt.host", "mqtt.username", "rules"})
"""Options whose values tell who one is and where one lives; that they are set is enough."""
_UNSET = frozenset({"none", "found by itself"})
_ADDRESS = re.compile(r"([\w.!#$&'*+/=?^`{|}~-]{1,64})(@|%40)([\w-]{1,63}(?:\.[\w-]{1,63})+)")
_OF_MANY = re.compile(r"(?:.*\.)?(?:gmail\.com|googlemail\.com|google\.com|example\.(?:com|org|net))", re.IGNORECASE)
_NOTE = "Made to be shown to who helps. Look it over before you post it."

Plain = dict[str, "Plain"] | list["Plain"] | str | int | float | bool | None


class Diagnostics:
    """Makes the file. `lines` gives the newest lines of the log, `sizes` the store's figures or raises CalbotError.

    `hosts` are those of the household, which tell where it lives wherever a text names them.
    """

    def __init__(
        self,
        *,
        assess: Callable[[Snapshot, float], Health],
        options: Sequence[tuple[str, str, str]],
        lines: Callable[[int], list[str]],
        sizes: Callable[[], object],
        supervised: bool,
        hosts: Sequence[str] = (),
    ) -> None:
        self._assess = assess
        self._options = options
        self._lines = lines
        self._sizes = sizes
        self._supervised = supervised
        self._hosts = hosts

    def document(self, snapshot: Snapshot, now: float) -> bytes:
        """Return the file, as JSON of at most LARGEST bytes."""
        strangers = Strangers(snapshot, self._hosts)
        whole: dict[str, object] = {
            "note": _NOTE,
            "version": __version__,
            "python": sys.version,
            "platform": platform.platform(),
            "sqlite": sqlite3.sqlite_version,
            "libraries": {name: _version(name) for name in _LIBRARIES},
            "home_assistant": self._supervised,
            "now": now,
            "uptime": max(0.0, now - snapshot.started_at),
            "options": {key: {"value": _shown(key, value), "from": origin} for key, value, origin in self._options},
            "health": msgspec.to_builtins(self._assess(snapshot, now)),
            "snapshot": msgspec.to_builtins(snapshot),
            "store": self._figures(),
            "log": self._lines(LINES),
        }
        for most in _MOST:
            content = msgspec.json.format(msgspec.json.encode(_fit(whole, most, strangers.masked)))
            if len(content) <= LARGEST:
                return content
        return msgspec.json.encode({"version": __version__, "note": "There is more than fits."})

    def _figures(self) -> object:
        try:
            return self._sizes()
        except CalbotError as error:
            return {"problem": str(error)}


class Strangers:
    """Makes people strangers: an address is always the same sign, calendars and hosts are numbers; nobody is found."""

    def __init__(self, snapshot: Snapshot, hosts: Sequence[str]) -> None:
        self._signs: dict[str, str] = {}
        names = {one.name for account in snapshot.accounts for one in account.calendars if len(one.name) > 2}
        self._names = {name: f"calendar {n}" for n, name in enumerate(sorted(names), 1) if "@" not in name}
        self._names |= {host: f"host {n}" for n, host in enumerate(sorted(hosts), 1)}
        longest_first = sorted(self._names, key=len, reverse=True)
        found = "|".join(map(re.escape, longest_first))
        self._any_name = re.compile(rf"(?<!\w)(?:{found})(?!\w)") if found else None

    def masked(self, text: str) -> str:
        """Return a text that names nobody."""
        text = _ADDRESS.sub(self._sign, cleaned(text))
        return self._any_name.sub(lambda name: self._names[name[0]], text) if self._any_name is not None else text

    def _sign(self, address: re.Match[str]) -> str:
        local, at, domain = address.groups()
        known = f"{local}@{domain}".lower()
        if known not in self._signs:
            first = f"{local[0].lower()}…"
            place = domain.lower() if _OF_MANY.fullmatch(domain) else "…"
            sign, number = f"{first}@{place}", 1
            while sign in self._signs.values():
                number += 1
                sign = f"{first}{number}@{place}"
            self._signs[known] = sign
        return self._signs[known].replace("@", at)


def _fit(value: object, most: int, masked: Callable[[str], str]) -> Plain:
    """Return a value with every text in it masked, and with neither long texts nor long lists."""
    match value:
        case str():
            text = masked(_whole_words(value, 2 * _LONGEST))
            return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
        case dict():
            inner = [(key, one) for key, one in value.items() if key != "name"]
            return {masked(str(key)): _fit(one, most, masked) for key, one in inner[: _MOST[0]]}
        case list() | tuple():
            kept = value[-most:] if value and isinstance(value[0], str) else value[:most]
            return [_fit(one, most, masked) for one in kept]
        case bool() | int() | float() | None:
            return value
        case _:
            return masked(str(value))


def _whole_words(text: str, most: int) -> str:
    """Return the beginning of a text: half an address would not be known for one."""
    return text if len(text) <= most else text[: text.rfind(" ", 0, most) if " " in text[:most] else most]


def _shown(key: str, value: str) -> str:
    return "set" if key in _ONLY_WHETHER and value not in _UNSET else value


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
