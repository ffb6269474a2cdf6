"""What goes out: never more unanswered messages than the broker takes, the rest in order behind them."""

import collections
import dataclasses
from typing import Protocol


class Wire(Protocol):
    """A connection to publish on; None when it is not the one of this epoch any more."""

    def publish(
        self,
        epoch: int,
        topic: str,
        payload: bytes,
        *,
        retain: bool = False,
        correlation: bytes | None = None,
    ) -> int | None:
        """Publish with QoS 1; return the id of the PUBACK."""
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class Message:
    """Something to publish. One that is `owed` outlives the connection; a state is told afresh instead."""

    topic: str
    payload: bytes
    retain: bool = False
    correlation: bytes | None = None
    owed: bool = False


class Sender:
    """Publishes through one connection at a time. Our own queue is the truth, not the client's.

    `published` counts what went out, `answered` how far the broker's answers have come on this connection.
    """

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._epoch: int | None = None
        self._window = 0
        self._waiting: collections.deque[Message] = collections.deque()
        self._unanswered: dict[int, tuple[int, Message]] = {}
        self.published = 0
        self.answered = 0

    @property
    def waiting(self) -> int:
        """Return how many messages wait for room."""
        return len(self._waiting)

    @property
    def is_connected(self) -> bool:
        """True while what is sent goes out."""
        return self._epoch is not None

    @property
    def has_room(self) -> bool:
        """True when a message would go out at once."""
        return self._epoch is not None and not self._waiting and len(self._unanswered) < self._window

    def connected(self, epoch: int, window: int) -> None:
        """Use this connection from now on."""
        self._epoch, self._window = epoch, window

    def disconnected(self) -> None:
        """Keep what is owed for the next connection, and nothing else."""
        unanswered = [message for _, message in self._unanswered.values()]
        kept = [message for message in (*unanswered, *self._waiting) if message.owed]
        self._epoch = None
        self._unanswered.clear()
        self._waiting = collections.deque(kept)

    def send(self, message: Message) -> None:
        """Publish now, or as soon as there is room."""
        if self._epoch is not None or message.owed:
            self._waiting.append(message)
            self.flush()

    def send_at_once(self, message: Message) -> tuple[int, int] | None:
        """Publish if there is room now; return the epoch and the id of the PUBACK, else None."""
        if not self.has_room or self._epoch is None:
            return None
        mid = self._publish(self._epoch, message)
        return None if mid is None else (self._epoch, mid)

    def acknowledged(self, epoch: int, mid: int) -> None:
        """Note that the broker answered a message, and use the room."""
        if epoch != self._epoch:
            return
        number, _ = self._unanswered.pop(mid, (0, None))
        self.answered = max(self.answered, number)
        self.flush()

    def flush(self) -> None:
        """Publish as much as there is room for."""
        while self._epoch is not None and self._waiting and len(self._unanswered) < self._window:
            if self._publish(self._epoch, self._waiting[0]) is None:
                return
            self._waiting.popleft()

    def _publish(self, epoch: int, message: Message) -> int | None:
        mid = self._wire.publish(
            epoch, message.topic, message.payload, retain=message.retain, correlation=message.correlation
        )
        if mid is not None:
            self.published += 1
            self._unanswered[mid] = (self.published, message)
        return mid


class Retained:
    """The retained messages as they should stand at the broker."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._bodies: dict[str, bytes] = {}

    def put(self, topic: str, body: bytes) -> None:
        """Let the topic say this, now and after every reconnection."""
        self._bodies[topic] = body
        self._sender.send(Message(topic, body, retain=True))

    def clear(self, topic: str) -> None:
        """Take back what the topic says."""
        self._bodies.pop(topic, None)
        self._sender.send(Message(topic, b"", retain=True, owed=True))

    def again(self) -> None:
        """Say everything once more."""
        for topic, body in self._bodies.items():
            self._sender.send(Message(topic, body, retain=True))
