"""The ways to people beside Home Assistant that the options name: apprise URLs and Gmail; pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from calbot.checks import email_address, email_addresses, section, shown
from calbot.errors import BadOptions

_URL = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]{0,30}://\S{1,2000}")
_EXAMPLE = "write {url: sendgrid://KEY:from@example.org/to@example.org}, or {gmail: {from: …, to: …}}"


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
    """Return the ways that the option `alerts` names. Raises BadOptions, which repeats no URL."""
    if value is None:
        return ()
    if not isinstance(value, list):
        raise BadOptions(f"alerts: {_kind(value)} is not a list; {_EXAMPLE}.")
    found = [_way(entry) for entry in value if entry not in (None, "", {})]
    return tuple(dict.fromkeys(one for one in found if one is not None))


def _way(entry: object) -> Way | None:
    whole: object = {"url": entry} if isinstance(entry, str) else entry
    group = section(whole, "alerts", ("url", "gmail"))
    url, gmail = group.get("url") or None, group.get("gmail") or None
    if isinstance(gmail, Mapping) and not any(gmail.values()):  # as the form of Home Assistant leaves it
        gmail = None
    if url is not None and gmail is not None:
        raise BadOptions(f"alerts: an entry has both url and gmail; make two of it: {_EXAMPLE}.")
    if gmail is not None:
        return _gmail(gmail)
    if url is None:
        return None
    if not isinstance(url, str) or not _URL.fullmatch(url.strip()):
        raise BadOptions(f"alerts.url: what is there is not an apprise URL like schema://…; {_EXAMPLE}.")
    return Url(url.strip())


def _gmail(value: object) -> Gmail:
    group = section(value, "alerts.gmail", ("from", "to"))
    sender = email_address(group.get("from") or "", "alerts.gmail.from")
    to = group.get("to") or [sender]
    return Gmail(sender, email_addresses(to if isinstance(to, list) else [to], "alerts.gmail.to"))


def _kind(value: object) -> str:
    return "a text" if isinstance(value, str) else shown(value)
