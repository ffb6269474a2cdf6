"""The channels through Home Assistant: its own notification, and the notify services that the options name."""

import re
from collections.abc import Mapping
from typing import Protocol

from addon.alerts.courier import Channel
from addon.alerts.judge import Message

_MARKDOWN = re.compile(r"([\\`*\[\]<>#|!])")


class Core(Protocol):
    """Who calls Home Assistant's services."""

    def call(self, domain: str, service: str, data: Mapping[str, str]) -> None:
        """Call a service. Raises CalbotError."""
        ...


class PersistentNotification:
    """The bell in Home Assistant: one entry of each kind, which a later message replaces."""

    name = "notify.persistent_notification"

    def __init__(self, core: Core) -> None:
        self._core = core

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

    def send(self, message: Message) -> None:
        """Bring a message. Raises CalbotError."""
        data = {"title": message.title, "message": message.text}
        self._core.call("notify", self.name.removeprefix("notify."), data)


def channels(core: Core, notify: tuple[str, ...]) -> tuple[Channel, ...]:
    """Return every channel: the notification always, and each service that was named."""
    named = [name for name in notify if name != "notify.persistent_notification"]
    return (PersistentNotification(core), *(NotifyService(core, name) for name in named))
