"""What waits for one worker: pushes fold, results and requests keep their order."""

import threading

from calbot.deeds import Result, Task
from calbot.model import Noun
from calbot.wishes import Scope


class Push(Noun, frozen=True):
    """Google says that something changed on this calendar, never what; without `changed`, that its channel is open."""

    calendar: str
    channel_id: str
    resource_id: str
    at: float
    changed: bool = True


class Resync(Noun, frozen=True):
    """Somebody wants these calendars read now; `calendar` None means all of the account."""

    command_id: str
    calendar: str | None = None
    full: bool = False


class RenewChannels(Noun, frozen=True):
    """Somebody wants new push channels for all of the account's calendars."""

    command_id: str


class PlanAfresh(Noun, frozen=True):
    """A pause ended or a setting changed: what waits was decided in another time."""


class LookAround(Noun, frozen=True):
    """Another account has written down deeds for this one, or has let go of a calendar."""


class TakeBack(Noun, frozen=True):
    """Somebody wants these deeds undone; what that takes is written down under `run_id`."""

    command_id: str
    run_id: str
    deeds: tuple[int, ...]
    source: str


class TakeUp(Noun, frozen=True):
    """Somebody wants known events judged as if they were new."""

    command_id: str
    run_id: str
    scope: Scope
    source: str


class Finished(Noun, frozen=True):
    """A slot is done with a task."""

    task: Task
    result: Result


Item = Push | Resync | RenewChannels | PlanAfresh | LookAround | TakeBack | TakeUp | Finished
_WISHES = Resync | RenewChannels | TakeBack | TakeUp


class Inbox:
    """A worker's letter box: many post, one takes."""

    def __init__(self) -> None:
        self._items: list[Item] = []
        self._pushed: set[tuple[str, bool]] = set()
        self._posted = threading.Condition()

    def post(self, item: Item) -> None:
        """Put an item in; a push for a calendar that has one waiting changes nothing."""
        with self._posted:
            if isinstance(item, Push):
                if (item.channel_id, item.changed) in self._pushed:
                    return
                self._pushed.add((item.channel_id, item.changed))
            self._items.append(item)
            self._posted.notify()

    def take(self) -> list[Item]:
        """Take everything. A push that comes from now on is a new one."""
        with self._posted:
            items, self._items = self._items, []
            self._pushed.clear()
            return items

    def forget_wishes(self) -> None:
        """Drop what people asked: they are told that it cannot be, and a later sign-in shall not do it after all."""
        with self._posted:
            self._items = [item for item in self._items if not isinstance(item, _WISHES)]

    def wait(self, seconds: float) -> None:
        """Return when something is there, or after `seconds`."""
        with self._posted:
            if not self._items:
                self._posted.wait(seconds)
