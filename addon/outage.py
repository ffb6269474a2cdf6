"""What is known of an outage, in a file that outlives restarts, and who has been told of it by which way."""

import datetime as dt
import logging
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

from addon.alerts.bringing import RETRIES, Channel, trouble_with
from addon.alerts.judge import Message
from addon.glance import Found
from addon.web.words import moment, span
from calbot.model import Noun
from calbot.ports import Clock
from calbot.vault import write_whole

SURE = 2
"""So many looks in a row have to fail before people are told."""
_LARGEST = 64 * 1024
_WAIT = 5.0
News = Literal["up", "down"]
log = logging.getLogger(__name__)


class State(Noun, frozen=True, kw_only=True):
    """What is known, as the status file has it. Times are RFC 3339.

    `failures` counts the looks that failed in a row. `told` names the ways that told of an outage and have not told
    yet that it is over, each with the time when that outage began.
    """

    url: str
    status: News
    since: dt.datetime
    checked_at: dt.datetime
    reason: str = ""
    failures: int = 0
    told: Mapping[str, dt.datetime] = msgspec.field(default_factory=dict)


def judged(before: State | None, found: Found, url: str, now: dt.datetime) -> State:
    """Return what is known after a look."""
    if before is None or before.url != url:
        before = State(url=url, status="up", since=now, checked_at=now)
    status: News = "up" if found.up else "down"
    return State(
        url=url,
        status=status,
        since=before.since if before.status == status else now,
        checked_at=now,
        reason=found.reason,
        failures=0 if found.up else before.failures + 1,
        told=before.told,
    )


def wanted(state: State | None, way: str) -> News | None:
    """Return what a way has still to tell."""
    if state is None:
        return None
    if state.status == "down":
        return "down" if state.failures >= SURE and way not in state.told else None
    return "up" if way in state.told else None


def message(state: State, way: str, zone: ZoneInfo) -> Message:
    """Return what people are told by a way: that it is down and why, or that what it told of is over."""
    now, since = state.checked_at.timestamp(), state.since.timestamp()
    if state.status == "up":
        lasted = span(max(0.0, since - state.told.get(way, state.since).timestamp()))
        text = f"Calbot at {state.url} works again. It was down for {lasted}."
        return Message(kind="monitor", title="Calbot is up again", text=text)
    text = f"{state.reason}\nIt has been so since {moment(since, now, zone)}, says calbot monitor."
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
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            log.warning("%s cannot be read; what an earlier run knew is forgotten.", self._path)
            return
        told = {way: began for way, began in known.told.items() if way in ways}
        self.state = msgspec.structs.replace(known, told=told, failures=0 if afresh else known.failures)

    def note(self, found: Found, now: dt.datetime) -> State:
        """Write down what a look has found; return what is known now."""
        with self._lock:
            state = self.state = judged(self.state, found, self._url, now)
            self._write(state)
        return state

    def told(self, way: str, down_since: dt.datetime | None) -> None:
        """Write down that people were told of an outage that began then, or that there is none any more."""
        with self._lock:
            if self.state is None:
                return
            told = {name: began for name, began in self.state.told.items() if name != way}
            if down_since is not None:
                told[way] = down_since
            state = msgspec.structs.replace(self.state, told=told)
            self._write(state)
            self.state = state  # Only now: whoever sees that it is told may end the process.

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
        self._begun: tuple[tuple[News, dt.datetime], Message] | None = None
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
            return
        news = what, state.since
        if self._begun is None or self._begun[0] != news:
            self._begun, self._tries, self._at = (news, message(state, self.name, self._zone)), 0, 0.0
        if self._clock.monotonic() < self._at:
            return
        told = self._begun[1]
        why = trouble_with(self._channel, lambda: self._channel.send(told))
        if why:
            self._at = self._clock.monotonic() + RETRIES[min(self._tries, len(RETRIES) - 1)]
            self._tries += 1
            if not self._is_warned:
                log.warning("Alerts through %s do not arrive: %s", self.name, why)
        else:
            self._notes.told(self.name, state.since if what == "down" else None)
            log.info("Told through %s: %s.", self.name, told.title)
        self._is_warned = bool(why)

    def _run(self) -> None:
        self._woken.wait()  # What an earlier run left to be told may be over: the first look says so.
        while not self._stop.is_set():
            self._woken.clear()
            try:
                self.step()
            except Exception:
                log.exception("A surprise in telling through %s; it goes on.", self.name)
            self._woken.wait(_WAIT)
