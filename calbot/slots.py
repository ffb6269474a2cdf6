"""Up to eight threads that carry out one account's deeds; they decide nothing and write nothing down."""

import logging
import queue
import threading
from collections.abc import Callable
from typing import Protocol

from calbot.deeds import UNEXPECTED, Decide, Later, Never, Result, Task, carry_out
from calbot.inbox import Finished, Inbox
from calbot.ports import Calendars

SLOTS = 8
BELIEVED_SURPRISE = 3
log = logging.getLogger(__name__)


class Slots(Protocol):
    """Where a worker hands its tasks; results come back through its inbox."""

    def submit(self, task: Task, calendars: Calendars, decide: Decide) -> None: ...


def attempt(task: Task, calendars: Calendars, decide: Decide) -> Result:
    """Carry out a task; a surprise costs this event alone, and is tried again before it is believed."""
    try:
        return carry_out(task, calendars, decide)
    except Exception:
        log.exception("Surprise while working on an event of %s", task.deed.key.account)
        if task.deed.attempts + 1 < BELIEVED_SURPRISE:
            return Later("internal", UNEXPECTED, None, uncertain=True)
        return Never("internal", UNEXPECTED)


class ThreadSlots:
    """Daemon threads, started when there is work for them."""

    def __init__(self, name: str, post: Callable[[Task, Result], None]) -> None:
        self._name = name
        self._post = post
        self._waiting: queue.SimpleQueue[tuple[Task, Calendars, Decide]] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._busy = 0
        self._lock = threading.Lock()

    def submit(self, task: Task, calendars: Calendars, decide: Decide) -> None:
        """Let the next free thread carry out the task."""
        with self._lock:
            self._busy += 1
            if self._busy > len(self._threads) and len(self._threads) < SLOTS:
                name = f"slot-{len(self._threads) + 1}-{self._name}"
                self._threads.append(threading.Thread(target=self._run, name=name, daemon=True))
                self._threads[-1].start()
        self._waiting.put((task, calendars, decide))

    def _run(self) -> None:
        while True:
            task, calendars, decide = self._waiting.get()
            result = attempt(task, calendars, decide)
            with self._lock:
                self._busy -= 1
            self._post(task, result)


def thread_slots(name: str, inbox: Inbox) -> Slots:
    """Return slots whose results come through this inbox."""
    return ThreadSlots(name, lambda task, result: inbox.post(Finished(task, result)))
