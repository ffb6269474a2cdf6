"""Where a next step leads: our own pages, and Home Assistant's through My Home Assistant; pure."""

import re
from dataclasses import dataclass
from urllib.parse import urlencode

from calbot.model import EventKey

_MY = re.compile(r"https://my\.home-assistant\.io/redirect/[\w/]+\?[\w=&-]+")
_IN_TEXT = re.compile(rf" ?\({_MY.pattern}\)")
_LABELS = {"core_mosquitto": "Open Mosquitto in Home Assistant", "domain=mqtt": "Add the MQTT integration"}


@dataclass(frozen=True, slots=True)
class Link:
    """A button: what it says and where it leads; `outside` opens a new tab."""

    label: str
    href: str
    outside: bool = False


def link_for(code: str, account: str = "", text: str = "") -> Link | None:
    """Return the link of a reason: by its code, else the one in its text."""
    if code == "no_account":
        return Link("Sign in with Google", "sign-in")
    if code == "sign_in_needed":
        return Link("Sign in again", f"sign-in-google?{urlencode({'account': account})}")
    if code in {"token_file", "ends"}:
        return Link("Open Accounts", "accounts")
    found = _MY.search(text)
    if found is None:
        return None
    label = next((label for part, label in _LABELS.items() if part in found[0]), "Open Home Assistant")
    return Link(label, found[0], outside=True)


def event_link(key: EventKey) -> str:
    """Return the address of an event's page."""
    return f"event?{urlencode({'account': key.account, 'calendar': key.calendar, 'event': key.event})}"


def without_links(text: str) -> str:
    """Return a text without the links in brackets that its button carries."""
    return _IN_TEXT.sub("", text)
