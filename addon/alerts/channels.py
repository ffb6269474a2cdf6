"""Every channel of an installation: Home Assistant's notification and notify services, apprise URLs, and Gmail."""

import re
from collections.abc import Callable, Mapping
from typing import Protocol

from addon.alerts.bringing import Channel
from addon.alerts.judge import Message
from addon.alerts.mail import GmailChannel, Post
from addon.alerts.urls import UrlChannel
from addon.ways import Url, Way, numbered
from calbot.ports import Clock, Random

BELL = "notify.persistent_notification"
_MARKDOWN = re.compile(r"([\\`*\[\]<>#|!])")


class Core(Protocol):
    """Who calls Home Assistant's services."""

    def call(self, domain: str, service: str, data: Mapping[str, str]) -> None:
        """Call a service. Raises CalbotError."""
        ...


class PersistentNotification:
    """The bell in Home Assistant: one entry of each kind, which a later message replaces."""

    name = BELL

    def __init__(self, core: Core) -> None:
        self._core = core

    def check(self) -> None:
        """Find nothing: it is there whenever Home Assistant is."""

    def send(self, message: Message) -> None:
        """Bring a message. Raises CalbotError."""
        data = {
            "notification_id": f"calbot_{message.kind}",
            "title": message.title,
            "message": _MARKDOWN.sub(r"\\\1", message.text).replace("\n", "\n\n"),
        }
        self._core.call("persistent_notification", "create", data)


class NotifyService:
    """A service like notify.mobile_app_anna."""

    def __init__(self, core: Core, name: str) -> None:
        self.name = name
        self._core = core

    def check(self) -> None:
        """Find nothing: services come while Home Assistant starts; the page compares the names when it is looked at."""

    def send(self, message: Message) -> None:
        """Bring a message. Raises CalbotError."""
        data = {"title": message.title, "message": message.text}
        self._core.call("notify", self.name.removeprefix("notify."), data)


def channels(
    core: Core | None,
    notify: tuple[str, ...],
    alerts: tuple[Way, ...],
    post: Callable[[], Post],
    clock: Clock,
    random: Random,
) -> tuple[Channel, ...]:
    """Return every channel: with a Home Assistant its notification and each service that was named, then the ways."""
    found: list[Channel] = []
    if core is not None:
        named = dict.fromkeys(name for name in notify if name != BELL)
        found += [PersistentNotification(core), *(NotifyService(core, name) for name in named)]
    for name, way in numbered(alerts):
        found.append(
            UrlChannel(name, way.url) if isinstance(way, Url) else GmailChannel(name, way, post, clock, random)
        )
    return tuple(found)
