"""The courier: brings messages to people, each channel on a thread of its own, and tries again."""

import collections
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from addon.alerts.bringing import RETRIES, Channel, trouble_with
from addon.alerts.judge import Message
from addon.alerts.owed import Messages, Owed
from calbot.ports import Clock

TEST = Message(kind="test", title="Calbot can reach you", text="This is a test. An alert would look like this.")
MOST_WAITING = 50
LOOK_SECONDS = 5.0
FIRST_CHECK, CHECK_SECONDS = 2.0, 60.0
"""Seconds after a start, and between looks: the start itself has better things to do than to load apprise."""
FAREWELL_SECONDS = 1.0
TEST_SECONDS = 45.0
PAGE_PATIENCE = 2.0
"""Seconds that a browser waits for the tests; the page shows later ones when it is looked at again."""

log = logging.getLogger(__name__)


class Notes(Protocol):
    """Where people see what is not as it should be, and is no alert: the board."""

    def note(self, sentence: str) -> None:
        """Show and log a sentence."""
        ...

    def forget(self, sentence: str) -> None:
        """Show it no longer."""
        ...


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of a test: `why` says what kept it from arriving, and is empty when it did arrive."""

    name: str
    why: str = ""


class Courier:
    """`post` from any thread, it only posts; `step` is what the channels' threads do over and over."""

    def __init__(
        self, channels: tuple[Channel, ...], clock: Clock, notes: Notes | None = None, owed: Owed | None = None
    ) -> None:
        self._roads = [_Road(channel, clock, notes, self._keep) for channel in channels]
        self._clock = clock
        self._owed = owed

    def open(self) -> None:
        """Take up what an earlier run could not bring. Raises StoreError."""
        left = self._owed.open() if self._owed is not None else {}
        for road in self._roads:
            road.take_up(left.get(road.channel.name, ()))

    def works(self) -> dict[str, bool | None]:
        """Return each channel by name: whether the last message arrived, None where nothing is known yet."""
        return {road.channel.name: False if road.complaint else road.has_arrived or None for road in self._roads}

    def post(self, message: Message) -> None:
        """Let a message go to every channel."""
        for road in self._roads:
            road.post(message)
        self._keep()

    def owed(self) -> Messages:
        """Return by the channel's name what has not arrived and is not given up."""
        return {road.channel.name: road.owed for road in self._roads}

    def complaints(self) -> dict[str, str]:
        """Return, by the channel's name, why the last message did not arrive or the next one will not."""
        return {road.channel.name: road.complaint for road in self._roads if road.complaint}

    def test(self, patience: float = TEST_SECONDS) -> tuple[Tried, ...]:
        """Send a test by every channel at once, and return what became of each after `patience` seconds at most."""
        tests = [road.begin_test() for road in self._roads]
        deadline = self._clock.monotonic() + patience
        return tuple(test.result(max(0.0, deadline - self._clock.monotonic())) for test in tests)

    def start(self) -> None:
        """Begin to deliver, each channel on its own thread: one that hangs holds up no other."""
        for road in self._roads:
            road.start()

    def stop(self) -> None:
        """End, after a moment for what is under way: an answer that nobody heard lets the alert come twice."""
        for road in self._roads:
            road.stop()
        deadline = self._clock.monotonic() + FAREWELL_SECONDS
        for road in self._roads:
            road.wait(max(0.0, deadline - self._clock.monotonic()))

    def step(self) -> None:
        """Deliver on each channel what is due, one channel after the other."""
        for road in self._roads:
            road.step()

    def _keep(self) -> None:
        if self._owed is not None:
            self._owed.keep(self.owed)


class _Test:
    """A test on its way; `send` returns why it did not arrive, or nothing."""

    def __init__(self, name: str, send: Callable[[], str]) -> None:
        self._name = name
        self._send = send
        self._why: str | None = None
        self._thread = threading.Thread(target=self._run, name=f"test-{name}", daemon=True)

    @property
    def is_over(self) -> bool:
        return self._why is not None

    def start(self) -> None:
        self._thread.start()

    def result(self, patience: float) -> Tried:
        """Wait for what becomes of it, no longer than that."""
        self._thread.join(patience)
        why = self._why if self._why is not None else "it was not done in time; it may arrive yet."
        return Tried(self._name, why)

    def _run(self) -> None:
        self._why = self._send()


class _Road:
    """One channel, and what waits for it. `complaint` is what people are shown."""

    def __init__(self, channel: Channel, clock: Clock, notes: Notes | None, settled: Callable[[], None]) -> None:
        self.channel = channel
        self._settled = settled
        self._notes = notes
        self._note = ""
        self._clock = clock
        self.complaint = ""
        self.has_arrived = False
        self._test: _Test | None = None
        self._posted: collections.deque[Message] = collections.deque(maxlen=MOST_WAITING)
        self._waiting: collections.deque[Message] = collections.deque(maxlen=MOST_WAITING)
        self._tries = 0
        self._at = 0.0
        self._check_at = clock.monotonic() + FIRST_CHECK
        self._is_warned = self._is_unfit = False
        self._moving = threading.Lock()  # What is owed can be asked for at any time.
        self._busy = threading.Lock()  # A channel need not be made for two threads.
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"courier-{channel.name}", daemon=True)

    @property
    def owed(self) -> tuple[Message, ...]:
        with self._moving:
            return (*self._waiting, *self._posted)

    def post(self, message: Message) -> None:
        with self._moving:
            self._posted.append(message)
        self._woken.set()

    def take_up(self, messages: tuple[Message, ...]) -> None:
        with self._moving:
            self._posted.extendleft(reversed(messages))
        self._woken.set()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._woken.set()

    def wait(self, seconds: float) -> None:
        if self._thread.is_alive():
            self._thread.join(seconds)

    def step(self) -> None:
        """Take what was posted, and deliver what is due; else have a look whether it could be delivered."""
        with self._moving:
            self._waiting.extend(self._posted)
            self._posted.clear()
        with self._busy:
            if not self._waiting and self._check_at <= self._clock.monotonic():
                self._check()
            while self._waiting and self._at <= self._clock.monotonic() and not self._stopping.is_set():
                self._deliver(self._waiting[0])

    def begin_test(self) -> _Test:
        """Send a test on a thread of its own, unless there is one under way."""
        if self._test is None or self._test.is_over:
            self._test = _Test(self.channel.name, self.test)
            self._test.start()
        return self._test

    def test(self) -> str:
        """Send a test, once; return why it did not arrive, or nothing."""
        with self._busy:
            if self._stopping.is_set():
                return "Calbot is stopping."
            why = trouble_with(self.channel, lambda: self.channel.send(TEST))
            if why:
                self._complain(why)
            else:
                self._arrived()
                self._tries, self._at = 0, 0.0  # What waits need not wait longer.
        self._woken.set()
        return why

    def _check(self) -> None:
        """Complain before the first message, and take it back when it has become right."""
        self._check_at = self._clock.monotonic() + CHECK_SECONDS
        why = trouble_with(self.channel, self.channel.check)
        if why:
            self._warn(why)
        elif self._is_unfit:  # What did not arrive says nothing of the next one; only another message does.
            self._is_right()

    def _deliver(self, message: Message) -> None:
        why = trouble_with(self.channel, lambda: self.channel.send(message))
        if not why:
            self._arrived()
            self._settle()
            return
        self._complain(why)
        if self._tries == len(RETRIES):
            self._settle()
            return
        self._at = self._clock.monotonic() + RETRIES[self._tries]
        self._tries += 1

    def _settle(self) -> None:
        """Owe the first of what waits no longer: it has arrived, or is given up."""
        with self._moving:
            self._waiting.popleft()
        self._tries, self._at = 0, 0.0
        self._settled()

    def _complain(self, why: str, verb: str = "did not") -> None:
        """Show why nothing arrives; the log says it once until it works again."""
        self.complaint = why
        if not self._is_warned:
            self._is_warned = True
            log.warning("An alert through %s %s arrive: %s", self.channel.name, verb, why)

    def _warn(self, why: str) -> None:
        """Complain before anything is lost, where people look for what is not right."""
        self.complaint, self._is_unfit, note = why, True, f"Alerts through {self.channel.name} will not arrive: {why}"
        if note == self._note:
            return
        if self._notes is None:
            self._complain(why, "will not")
            return
        self._notes.forget(self._note)
        self._notes.note(note)
        self._note, self._is_warned = note, True

    def _arrived(self) -> None:
        self.has_arrived = True
        self._is_right()

    def _is_right(self) -> None:
        if self._is_warned:
            log.info("Alerts through %s arrive again.", self.channel.name)
        if self._notes is not None and self._note:
            self._notes.forget(self._note)
        self._is_warned = self._is_unfit = False
        self.complaint = self._note = ""

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._woken.clear()
            self.step()
            self._woken.wait(LOOK_SECONDS)
