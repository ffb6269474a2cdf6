"""Every topic's name, from the base topic."""

import dataclasses
import re
from collections.abc import Iterable

HOMEASSISTANT_STATUS = "homeassistant/status"
DEVICES = "homeassistant/device/"
_LONGEST = 1024


def config_topic(iid: str, aid: str | None = None) -> str:
    """Return where the device of an installation, or of one of its accounts, is announced; retained."""
    return f"{DEVICES}calbot_{iid}{f'_{aid}' if aid else ''}/config"


def config_topics(iid: str, aids: Iterable[str]) -> tuple[str, ...]:
    """Return where another installation announced its devices; none for ids that are none."""
    if not re.fullmatch(r"[a-z0-9]{6}", iid):
        return ()
    known = [aid for aid in aids if re.fullmatch(r"[a-z0-9]{1,16}", aid)]
    return (config_topic(iid), *(config_topic(iid, aid) for aid in known))


@dataclasses.dataclass(frozen=True, slots=True)
class Topics:
    """The topics below one base topic, such as `calbot`."""

    base: str

    @property
    def availability(self) -> str:
        """Retained `online` or `offline`; also the will."""
        return f"{self.base}/availability"

    @property
    def info(self) -> str:
        """Who we are; retained."""
        return f"{self.base}/info"

    @property
    def state(self) -> str:
        """The status and its reasons; retained."""
        return f"{self.base}/state"

    @property
    def health(self) -> str:
        """A sign of life each minute; retained."""
        return f"{self.base}/health"

    @property
    def settings(self) -> str:
        """The settings in force; retained."""
        return f"{self.base}/settings"

    @property
    def last_event(self) -> str:
        """A copy of the last calendar event; retained."""
        return f"{self.base}/last_event"

    @property
    def command_last(self) -> str:
        """The last command's final answer; retained."""
        return f"{self.base}/command_last"

    @property
    def alerts(self) -> str:
        """What is wrong, counted and named; retained."""
        return f"{self.base}/alerts"

    @property
    def counters(self) -> str:
        """Totals since the installation; retained."""
        return f"{self.base}/counters"

    @property
    def commands(self) -> str:
        """The filter that matches every command."""
        return f"{self.base}/command/+"

    def event(self, stream: str) -> str:
        """Return a stream of the outbox; never retained."""
        return f"{self.base}/event/{stream}"

    def account_state(self, aid: str) -> str:
        """Return an account's state; retained."""
        return f"{self.base}/account/{aid}/state"

    def command(self, name: str) -> str:
        """Return where a command comes in."""
        return f"{self.base}/command/{name}"

    def response(self, name: str) -> str:
        """Return where a command is answered."""
        return f"{self.base}/response/{name}"

    def command_name(self, topic: str) -> str | None:
        """Return the command that this topic carries; None when it carries none."""
        prefix = f"{self.base}/command/"
        return topic.removeprefix(prefix) if topic.startswith(prefix) else None

    def may_answer_on(self, topic: str) -> bool:
        """Say whether a requester may have the answer here.

        Refused are commands and Home Assistant's topics, so that an answer never becomes an order, our own
        topics that others believe, and what is no topic to publish on.
        """
        if not topic or len(topic) > _LONGEST or topic.startswith("$") or set("+#\0") & set(topic):
            return False
        if topic.startswith(f"{self.base}/"):
            return topic.startswith(f"{self.base}/response/")
        return topic != "homeassistant" and not topic.startswith("homeassistant/")
