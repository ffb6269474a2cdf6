"""What is known of an outage, in a file that outlives restarts, and who has been told of it by which way."""

import datetime as dt
import logging
import threading
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

from addon.alerts.courier import RETRIES, Channel
from addon.alerts.judge import Message
from addon.glance import Found
from addon.web.words import moment, span
from calbot.errors import CalbotError
from calbot.model import Noun
from calbot.ports import Clock
from calbot.secrecy import cleaned
from calbot.vault import write_whole

SURE = 2
"""So many looks in a row have to fail before people are told."""
_LARGEST = 64 * 1024
_WAIT = 5.0
News = Literal["up", "down"]
log = logging.getLogger(__name__)


class State(Noun, frozen=True, kw_only=True):
    """What is known, as the status file has it. Times are RFC 3339.

    `failures` counts the looks that failed in a row. `told` names the ways that told of the outage and have not told
    yet that it is over; `down_since` is when that began.
    """

    url: str
    status: News
    since: dt.datetime
    checked_at: dt.datetime
    reason: str = ""
    failures: int = 0
    told: tuple[str, ...] = ()
    down_since: dt.datetime | None = None


def judged(before: State | None, found: Found, url: str, now: dt.datetime) -> State:
    """Return what is known after a look."""
    if before is None or before.url != url:
        before = State(url=url, status="up", since=now, checked_at=now)
    status: News = "up" if found.up else "down"
    since = before.since if before.status == status else now
    down_since = before.down_since if before.told else since if not found.up else None
    return State(
        url=url,
        status=status,
        since=since,
        checked_at=now,
        reason=found.reason,
        failures=0 if found.up else before.failures + 1,
        told=before.told,
        down_since=down_since,
    )


def wanted(state: State | None, way: str) -> News | None:
    """Return what a way has still to tell."""
    if state is None:
        return None
    if state.status == "down":
        return "down" if state.failures >= SURE and way not in state.told else None
    return "up" if way in state.told else None


def message(state: State, zone: ZoneInfo) -> Message:
    """Return what people are told of it: that it is down and why, or that it is up again."""
    now = state.checked_at.timestamp()
    began = (state.down_since or state.since).timestamp()
    if state.status == "up":
        lasted = span(max(0.0, state.since.timestamp() - began))
        text = f"Calbot at {state.url} works again. It was down for {lasted}."
        return Message(kind="monitor", title="Calbot is up again", text=text)
    text = f"{state.reason}\nIt has been so since {moment(began, now, zone)}, says calbot monitor."
    return Message(kind="monitor", title="Calbot is down", text=text)


class Notes:
    """The status file, and what is in it. Any thread may ask."""

    def __init__(self, path: Path, url: str) -> None:
        self._path = path
        self._url = url
        self._lock = threading.Lock()
        self._is_warned = False
        self.state: State | None = None

    def open(self, ways: tuple[str, ...], *, afresh: bool) -> None:
        """Take up what an earlier run knew. `afresh` wants two failed looks of this run before it tells anything."""
        try:
            with self._path.open("rb") as file:
                known = msgspec.json.decode(file.read(_LARGEST), type=State)
        except FileNotFoundError:
            return
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            log.warning("%s cannot be read; what an earlier run knew is forgotten.", self._path)
            return
        told = tuple(way for way in known.told if way in ways)
        self.state = msgspec.structs.replace(known, told=told, failures=0 if afresh else known.failures)

    def note(self, found: Found, now: dt.datetime) -> State:
        """Write down what a look has found; return what is known now."""
        with self._lock:
            state = self.state = judged(self.state, found, self._url, now)
            self._write(state)
        return state

    def told(self, way: str, what: News) -> None:
        """Write down that people were told."""
        with self._lock:
            if self.state is None:
                return
            others = tuple(name for name in self.state.told if name != way)
            self.state = msgspec.structs.replace(self.state, told=(*others, way) if what == "down" else others)
            self._write(self.state)

    def _write(self, state: State) -> None:
        try:
            write_whole(self._path, msgspec.json.format(msgspec.json.encode(state)) + b"\n")
        except OSError as error:
            if not self._is_warned:
                text = "%s cannot be written (%s); calbot monitor goes on, and would tell things twice after a restart."
                log.warning(text, self._path, error.strerror or error)
            self._is_warned = True
        else:
            self._is_warned = False


class Teller:
    """One way to people: brings what it has to tell, and tries again; what is over by then is told no more."""

    def __init__(self, channel: Channel, notes: Notes, clock: Clock, zone: ZoneInfo, stop: threading.Event) -> None:
        self.name = channel.name
        self._channel = channel
        self._notes = notes
        self._clock = clock
        self._zone = zone
        self._stop = stop
        self._message: tuple[News, Message] | None = None
        self._tries = 0
        self._at = 0.0
        self._is_warned = False
        self._woken = threading.Event()

    @property
    def has_tried(self) -> bool:
        """Say whether nothing is to be told, or it was tried at least once."""
        return wanted(self._notes.state, self.name) is None or self._tries > 0

    def wake(self) -> None:
        """Have a look at what there is to tell."""
        self._woken.set()

    def start(self) -> None:
        """Begin, on a thread of its own: a way that hangs holds up nobody."""
        threading.Thread(target=self._run, name=f"tell-{self.name}", daemon=True).start()

    def step(self) -> None:
        """Bring what is to be told, if it is time for that."""
        state = self._notes.state
        what = wanted(state, self.name)
        if what is None or state is None:
            self._message = None
            return
        if self._message is None or self._message[0] != what:
            self._message, self._tries, self._at = (what, message(state, self._zone)), 0, 0.0
        if self._clock.monotonic() < self._at:
            return
        why = self._trouble_with(self._message[1])
        if why:
            self._at = self._clock.monotonic() + RETRIES[min(self._tries, len(RETRIES) - 1)]
            self._tries += 1
            if not self._is_warned:
                log.warning("Alerts through %s do not arrive: %s", self.name, why)
        else:
            self._notes.told(self.name, what)
            log.info("Told through %s: %s.", self.name, self._message[1].title)
        self._is_warned = bool(why)

    def _trouble_with(self, told: Message) -> str:
        try:
            self._channel.send(told)
        except CalbotError as error:
            return cleaned(str(error)) or "it does not say why."
        except Exception:  # The bulkhead: one way's surprise is not the others'.
            log.debug("%s", self.name, exc_info=True)
            return "something unexpected happened; the log at level debug says more."
        return ""

    def _run(self) -> None:
        while not self._stop.is_set():
            self._woken.clear()
            self.step()
            self._woken.wait(_WAIT)
