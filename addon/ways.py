"""The ways to people beside Home Assistant that the options name: apprise URLs, and Gmail."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from calbot import secrecy
from calbot.checks import email_address, email_addresses
from calbot.errors import BadOptions

_URL = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]{0,30})://\S{1,2000}")
_EXAMPLE = "write {url: sendgrid://KEY:from@example.org/to@example.org}, or {gmail: {from: anna@example.com}}"
MOST_WAYS = 20


@dataclass(frozen=True, slots=True)
class Url:
    """A service by its apprise URL, which holds its secrets."""

    url: str = field(repr=False)

    @property
    def name(self) -> str:
        """Return what may be shown of it."""
        return self.url.split("://", 1)[0].lower()


@dataclass(frozen=True, slots=True)
class Gmail:
    """Mail by the Gmail API, from an account that has given that consent; without `to` it writes to itself."""

    sender: str
    to: tuple[str, ...]

    @property
    def name(self) -> str:
        """Return what may be shown of it."""
        return f"gmail, from {self.sender}"


Way = Url | Gmail


def ways(value: object) -> tuple[Way, ...]:
    """Return the ways that the option `alerts` names. Raises BadOptions, which repeats no URL.

    What is in the URLs is secret from here on.
    """
    if value is None:
        return ()
    if not isinstance(value, list):
        raise BadOptions(f"alerts: what is there is not a list; {_EXAMPLE}.")
    found = tuple(dict.fromkeys(way for entry in value if (way := _way(entry)) is not None))
    if len(found) > MOST_WAYS:
        raise BadOptions(f"alerts: {len(found)} entries are too many; {MOST_WAYS} are used at most.")
    secrecy.remember(*(way.url for way in found if isinstance(way, Url)))
    return found


def numbered(found: tuple[Way, ...]) -> tuple[tuple[str, Way], ...]:
    """Return each way with a name of its own: the second of a kind is "sendgrid 2"."""
    named, counted = [], dict[str, int]()
    for way in found:
        counted[way.name] = number = counted.get(way.name, 0) + 1
        named.append((way.name if number == 1 else f"{way.name} {number}", way))
    return tuple(named)


def _way(entry: object) -> Way | None:
    """Return one entry's way; forms leave blank ones, and know no group that may be left out, so theirs is flat."""
    if isinstance(entry, str) or entry is None:
        return _url(entry or "")
    group = _group(entry, "alerts", ("url", "gmail", "gmail_from", "gmail_to"))
    flat = {"from": group.get("gmail_from") or None, "to": group.get("gmail_to") or None}
    gmail = group.get("gmail") or (flat if any(flat.values()) else None)
    if isinstance(gmail, Mapping) and not any(gmail.values()):
        gmail = None
    if gmail is None:
        return _url(group.get("url") or "")
    if group.get("url"):
        raise BadOptions(f"alerts: an entry has both url and gmail; make two of it: {_EXAMPLE}.")
    return _gmail(gmail)


def _url(value: object) -> Url | None:
    address = value.strip() if isinstance(value, str) else ""
    if value == "" or (isinstance(value, str) and not address):
        return None
    if not _URL.fullmatch(address) or not address.isprintable():
        raise BadOptions(f"alerts.url: what is there is not an apprise URL like schema://…; {_EXAMPLE}.")
    return Url(address)


def _gmail(value: object) -> Gmail:
    group = _group(value, "alerts.gmail", ("from", "to"))
    if "://" in f"{list(group.values())}":
        raise BadOptions(f"alerts.gmail: from and to are addresses, and a URL has an entry of its own; {_EXAMPLE}.")
    sender = email_address(group.get("from") or "", "alerts.gmail.from")
    to = group.get("to") or [sender]
    wanted = [part for one in (to if isinstance(to, list) else [to]) for part in _parts(one)]
    return Gmail(sender, email_addresses(wanted, "alerts.gmail.to") or (sender,))


def _parts(value: object) -> list[object]:
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else [value]


def _group(value: object, key: str, known: tuple[str, ...]) -> dict[str, object]:
    """Return a group of options. Unlike elsewhere, what is wrong in it is not repeated: it may be a key."""
    if not isinstance(value, Mapping) or any(name not in known for name in value):
        raise BadOptions(f"{key}: an entry has something else than {' and '.join(known)}; {_EXAMPLE}.")
    return {str(name): inner for name, inner in value.items() if inner is not None}
