"""What came of checking a part, and how many parts are checked at once, each in a bounded time."""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from calbot.errors import CalbotError
from calbot.model import Noun
from calbot.ports import Clock
from calbot.secrecy import cleaned

PATIENCE = 40.0
"""Seconds that all parts have together."""
QUIET = 1.0
"""Seconds after which whoever waits is told what for."""
Verdict = Literal["ok", "warn", "failed", "sign_in"]


class Checked(Noun, frozen=True):
    """One part that was checked, in a sentence; and what to do, unless it is well. `warn` is well enough to work."""

    part: str
    verdict: Verdict
    text: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """Something to check. `check` yields as it goes; it may take its time, and whatever it raises is a failure."""

    name: str
    check: Callable[[], Iterable[Checked]]


@dataclass(slots=True)
class _UnderWay:
    """A part that a thread of its own checks: nobody waits for one that hangs, not even the end of the process."""

    part: Part
    found: list[Checked] = field(default_factory=list)
    thread: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self._run, name=f"check-{self.part.name}", daemon=True)

    def _run(self) -> None:
        try:
            for one in self.part.check():
                self.found.append(one)
        except CalbotError as error:
            self.found.append(Checked(self.part.name, "failed", str(error)))
        except Exception as error:  # noqa: BLE001 - one part's surprise must not hide the others'
            text = f"could not be checked: {type(error).__name__}: {error}"
            self.found.append(Checked(self.part.name, "failed", text))


def results(
    parts: Sequence[Part], clock: Clock, waiting: Callable[[str], None], patience: float = PATIENCE
) -> Iterator[Checked]:
    """Check all parts at once and yield what came of them, in their order, without a secret in it.

    `waiting` hears of those that take long.
    """
    deadline = clock.monotonic() + patience
    under_way = [_UnderWay(part) for part in parts]
    for one in under_way:
        one.thread.start()
    for one in under_way:
        one.thread.join(min(QUIET, max(0.0, deadline - clock.monotonic())))
        if one.thread.is_alive():
            waiting(one.part.name)
            one.thread.join(max(0.0, deadline - clock.monotonic()))
        late = one.thread.is_alive()
        for told in tuple(one.found):
            yield Checked(told.part, told.verdict, cleaned(told.text), cleaned(told.remedy))
        if late:
            yield Checked(one.part.name, "failed", f"This took longer than {patience:.0f} s.", "Try it again later.")
