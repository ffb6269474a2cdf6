"""What the broker's thread and the engine hand to the bridge's thread."""

import dataclasses

from calbot.model import Answer, Command


@dataclasses.dataclass(frozen=True, slots=True)
class Connected:
    """A new connection stands. `window` is how many unanswered messages the broker takes from us."""

    epoch: int
    resumed: bool
    tells_subscribers: bool
    window: int


@dataclasses.dataclass(frozen=True, slots=True)
class Disconnected:
    """The connection of this epoch is gone."""

    epoch: int


@dataclasses.dataclass(frozen=True, slots=True)
class Subscribed:
    """The broker answered a subscription; `codes` of 0x80 and above are refusals."""

    epoch: int
    mid: int
    codes: tuple[int, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Acknowledged:
    """The broker took a message of ours, or said why not."""

    epoch: int
    mid: int
    code: int


@dataclasses.dataclass(frozen=True, slots=True)
class Received:
    """A message came in."""

    epoch: int
    mid: int
    topic: str
    payload: bytes
    qos: int = 1
    retained: bool = False
    again: bool = False
    response_topic: str | None = None
    correlation: bytes | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Changed:
    """The engine has a new snapshot, or rows in the outbox."""


@dataclasses.dataclass(frozen=True, slots=True)
class Answered:
    """The engine answers a command."""

    command: Command
    answer: Answer


@dataclasses.dataclass(frozen=True, slots=True)
class Stop:
    """Say goodbye."""


Post = Connected | Disconnected | Subscribed | Acknowledged | Received | Changed | Answered | Stop
