"""The courier: brings messages to people from a thread of its own, each channel for itself, and tries again."""

import collections
import logging
import queue
import threading
from typing import Protocol

from addon.alerts.judge import Message
from calbot.errors import CalbotError
from calbot.ports import Clock

RETRIES = (30.0, 120.0, 600.0, 1800.0)
"""Seconds until a message is tried again; Home Assistant may be starting. After the last one it is given up."""
TEST = Message(kind="test", title="Calbot can reach you", text="This is a test. An alert would look like this.")
MOST_WAITING = 50
LOOK_SECONDS = 5.0

log = logging.getLogger(__name__)


class Channel(Protocol):
    """A way to people. `name` is how a log calls it."""

    @property
    def name(self) -> str:
        """Return how a log calls it."""
        ...

    def send(self, message: Message) -> None:
        """Bring a message. Raises CalbotError with a sentence when it does not arrive."""
        ...


class _Road:
    """One channel, and what waits for it."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.waiting: collections.deque[Message] = collections.deque(maxlen=MOST_WAITING)
        self.tries = 0
        self.at = 0.0
        self.complaint = ""


class Courier:
    """`post` from any thread, it only posts; `step` is what the thread does over and over."""

    def __init__(self, channels: tuple[Channel, ...], clock: Clock) -> None:
        self._roads = [_Road(channel) for channel in channels]
        self._clock = clock
        self._posted: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="courier", daemon=True)

    def post(self, message: Message) -> None:
        """Let a message go to every channel."""
        self._posted.put(message)
        self._woken.set()

    def complaints(self) -> dict[str, str]:
        """Return, by the channel's name, why the last message did not arrive, where it did not."""
        return {road.channel.name: road.complaint for road in self._roads if road.complaint}

    def start(self) -> None:
        """Begin to deliver."""
        self._thread.start()

    def stop(self) -> None:
        """End; what is under way is not waited for."""
        self._stopping.set()
        self._woken.set()

    def step(self) -> None:
        """Take what was posted, and deliver on each channel what is due."""
        while not self._posted.empty():
            message = self._posted.get()
            for road in self._roads:
                road.waiting.append(message)
        for road in self._roads:
            while road.waiting and road.at <= self._clock.monotonic() and not self._stopping.is_set():
                self._deliver(road)

    def _deliver(self, road: _Road) -> None:
        try:
            road.channel.send(road.waiting[0])
        except CalbotError as error:
            self._failed(road, str(error))
        except Exception:  # The bulkhead: one channel's surprise is not the others'.
            log.debug("%s", road.channel.name, exc_info=True)
            self._failed(road, "something unexpected happened.")
        else:
            if road.complaint:
                log.info("Alerts through %s arrive again.", road.channel.name)
            road.waiting.popleft()
            road.tries, road.at, road.complaint = 0, 0.0, ""

    def _failed(self, road: _Road, why: str) -> None:
        """Put the channel off, longer each time, and say so once until it works again."""
        if not road.complaint:
            log.warning("An alert through %s did not arrive: %s", road.channel.name, why)
        road.complaint = why
        if road.tries == len(RETRIES):
            road.waiting.popleft()
            road.tries, road.at = 0, 0.0
            return
        road.at = self._clock.monotonic() + RETRIES[road.tries]
        road.tries += 1

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._woken.clear()
            self.step()
            self._woken.wait(LOOK_SECONDS)
