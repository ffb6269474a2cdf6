"""One message and one channel: what a channel is, why a message did not arrive by it, and when it is tried again."""

import logging
from collections.abc import Callable
from typing import Protocol

from addon.alerts.judge import Message
from calbot.errors import CalbotError
from calbot.secrecy import cleaned

RETRIES = (30.0, 120.0, 600.0, 1800.0)
"""Seconds until a message is tried again; Home Assistant may be starting."""
SURPRISE = "something unexpected happened; the log at level debug says more."
LONGEST_COMPLAINT = 400
log = logging.getLogger(__name__)


class Channel(Protocol):
    """A way to people."""

    @property
    def name(self) -> str:
        """Return how people and logs call it: no secret is in it, and no other channel has it."""
        ...

    def check(self) -> None:
        """Look, without sending, for what will keep messages from arriving. Raises CalbotError with a sentence."""
        ...

    def send(self, message: Message) -> None:
        """Bring a message. Raises CalbotError with a sentence when it does not arrive; it is then brought again."""
        ...


def trouble_with(channel: Channel, deed: Callable[[], None]) -> str:
    """Do it; return a sentence without secrets when it does not work, else nothing."""
    try:
        deed()
    except CalbotError as error:
        return cleaned(str(error))[:LONGEST_COMPLAINT] or SURPRISE
    except Exception:  # The bulkhead: one channel's surprise is not the others'.
        log.debug("%s", channel.name, exc_info=True)
        return SURPRISE
    return ""
