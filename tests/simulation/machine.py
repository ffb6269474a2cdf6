"""What the simulation puts in the machine's place: time, chance, the disk's commits and the wire to Google."""

import contextlib
import io
import random
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec
import urllib3
from google.oauth2.credentials import Credentials

from calbot.errors import SignInNeeded
from calbot.google.calendars import GoogleCalendars, service
from calbot.google.transport import AccountHttp, Meter
from calbot.ports import Calendars
from tests.google_server.api import handle
from tests.google_server.errors import Refusal
from tests.google_server.state import Call
from tests.google_server.values import ConnectionLost, Doc, Request, Response
from tests.google_server.world import World
from tests.google_server.writing import find

API = "https://google.example/calendar/v3/"
TOKEN_URI = "https://google.example/token"
READ_TIMEOUT = 30.0


class Crash(BaseException):
    """The process is killed at this very place: nothing of ours may catch it."""


class VirtualClock:
    """Time that passes only when somebody lets it."""

    def __init__(self, start: float) -> None:
        self._start = start
        self._seconds = start

    def now(self) -> float:
        return self._seconds

    def monotonic(self) -> float:
        return self._seconds - self._start + 1000.0

    def sleep(self, seconds: float) -> None:
        self._seconds += max(0.0, seconds)

    def to(self, moment: float) -> None:
        """Let time pass until then, if it is not later already."""
        self._seconds = max(self._seconds, moment)


class SeededRandom:
    """Chance that a seed replays."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(f"engine {seed}")

    def uniform(self, low: float, high: float) -> float:
        return self._random.uniform(low, high)

    def token(self, nbytes: int) -> bytes:
        return self._random.randbytes(nbytes)


class Seams:
    """The places where a run can be killed. `crossed` names each that was passed; `fired` those that killed.

    `crash_at` are numbers of crossings, counted from 1 over all lives; `crash_next` is a place whose next crossing
    kills, once. `disk_full` makes every commit fail, and
    `unreadable` every question that holds this piece of SQL.
    """

    def __init__(self, crash_at: frozenset[int] = frozenset()) -> None:
        self.crash_at = crash_at
        self.crash_next: str | None = None
        self.crossed: list[str] = []
        self.fired: list[str] = []
        self.disk_full = False
        self.unreadable: str | None = None
        self.refused_commits = 0
        self.commits = 0
        self.on_crash: Callable[[], None] = lambda: None

    def cross(self, place: str) -> None:
        """Pass a seam, or die there."""
        self.crossed.append(place)
        if len(self.crossed) in self.crash_at or place == self.crash_next:
            self.crash_next = None
            self.fired.append(place)
            self.on_crash()
            raise Crash(place)


class SeamedConnection(sqlite3.Connection):
    """A connection whose commits are seams. It waits for no disk: crashes here are of the process, not of the power."""

    seams: Seams

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        if sql == "PRAGMA synchronous = FULL":
            return super().execute("PRAGMA synchronous = OFF")
        if self.seams.unreadable is not None and self.seams.unreadable in sql:
            raise sqlite3.OperationalError("disk I/O error")
        if sql != "COMMIT":
            return super().execute(sql, parameters)
        self.seams.cross("before a commit")
        if self.seams.disk_full:
            self.seams.refused_commits += 1
            raise sqlite3.OperationalError("database or disk is full")
        done = super().execute(sql)
        self.seams.commits += 1
        self.seams.cross("after a commit")
        return done


class Disk:
    """Opens seamed connections and can drop them all, as the end of a process does."""

    def __init__(self, seams: Seams) -> None:
        self._seams = seams
        self._open: list[sqlite3.Connection] = []

    def connect(self, path: str) -> sqlite3.Connection:
        """What `Database` takes as its way to connect."""
        connection = sqlite3.connect(
            path, check_same_thread=False, isolation_level=None, timeout=5.0, factory=SeamedConnection
        )
        connection.seams = self._seams
        self._open.append(connection)
        return connection

    def drop(self) -> None:
        """Close every connection; what was not committed is lost."""
        for connection in self._open:
            connection.close()
        self._open.clear()


@dataclass(frozen=True, slots=True)
class Written:
    """A write of ours to an event that Google took: its guest list before and after. `late` for a stray one."""

    time: float
    calendar: str
    event: str
    before: tuple[Doc, ...]
    after: tuple[Doc, ...]
    late: bool

    @property
    def added(self) -> frozenset[str]:
        """The addresses that it brought."""
        return _addresses(self.after) - _addresses(self.before)

    @property
    def removed(self) -> frozenset[str]:
        """The addresses that it took."""
        return _addresses(self.before) - _addresses(self.after)


@dataclass(frozen=True, slots=True)
class Change:
    """A call of ours that changed an event: the event before and after (None: not there), and the mails it sent.

    `number` is the call's place in the world's log.
    """

    number: int
    time: float
    operation: str
    account: str
    calendar: str
    event: str
    query: dict[str, list[str]]
    if_match: str
    body: Doc
    before: Doc | None
    after: Doc | None
    mails: int
    late: bool


def _addresses(entries: tuple[Doc, ...]) -> frozenset[str]:
    return frozenset(str(entry["email"]).lower() for entry in entries)


class Wire(urllib3.PoolManager):
    """The pool's place: each request goes straight to the fake Google, and time passes as its answer says.

    `during` is called in the middle of each call, before and after Google has worked on it: others act there.
    `amend` may change an answer. Writes cut off by a crash are kept in `strays`: they may land later. `written` are
    the writes to events that Google took, whether their answers came back or not; `changed` hears of each change of an
    event at once.
    """

    def __init__(self, world: World, clock: VirtualClock, seams: Seams) -> None:
        super().__init__()
        self.during: Callable[[], None] = lambda: None
        self.amend: Callable[[Request, Response], None] = lambda _request, _response: None
        self.strays: list[Request] = []
        self.written: list[Written] = []
        self.changed: Callable[[Change], None] = lambda _change: None
        self._world = world
        self._clock = clock
        self._seams = seams

    def request(
        self,
        method: str,
        url: str,
        body: Any = None,
        fields: Any = None,
        headers: Any = None,
        json: Any = None,
        **_ignored: Any,
    ) -> urllib3.BaseHTTPResponse:
        data = body.encode() if isinstance(body, str) else body or b""
        request = Request.to(method, url, dict(headers or {}), data)
        self.during()
        try:
            self._seams.cross("before a call")
        except Crash:
            if method == "PATCH":
                self.strays.append(request)
            raise
        try:
            answer = self._hand_over(request)
        except ConnectionLost as error:
            self._seams.cross("after a call, its answer lost")
            raise urllib3.exceptions.ProtocolError("the connection broke") from error
        if method != "GET":
            self._seams.cross("after a write, before its answer")
        self.during()
        self.amend(request, answer)
        if answer.delay > READ_TIMEOUT:
            self._clock.sleep(READ_TIMEOUT)
            pool = self.connection_from_url(url)
            raise urllib3.exceptions.ReadTimeoutError(pool, url, "Read timed out.")
        self._clock.sleep(answer.delay)
        self._seams.cross("after a call")
        return urllib3.HTTPResponse(
            io.BytesIO(answer.body),
            headers=answer.headers,
            status=answer.status,
            preload_content=False,
            request_method=method,
        )

    def land(self, request: Request) -> None:
        """Let a stray write arrive at Google; nobody waits for its answer."""
        with contextlib.suppress(ConnectionLost):
            self._hand_over(request, late=True)

    def _hand_over(self, request: Request, *, late: bool = False) -> Response:
        if request.method == "GET" or "/events" not in request.path:
            return handle(self._world, request)
        event = request.path.rpartition("/")[2]
        if request.method == "POST":
            event = str(msgspec.json.decode(request.body or b"{}", type=dict[str, Any]).get("id", ""))
        before = {name: self._document(name, event) for name in self._world.calendars}
        number, mails = len(self._world.calls), len(self._world.mails)
        try:
            return handle(self._world, request)
        finally:
            (call,) = self._world.calls[number:]
            if call.applied:
                self._note(call, before[call.calendar], len(self._world.mails) - mails, late=late)

    def _note(self, call: Call, before: Doc | None, mails: int, *, late: bool) -> None:
        """Write down what a call of ours did to an event."""
        row = self._world.calendars[call.calendar].rows.get(call.event)
        after = None if row is None else row.doc
        now = self._clock.now()
        if call.method == "PATCH":
            entries = [tuple((doc or {}).get("attendees", ())) for doc in (before, after)]
            self.written.append(Written(now, call.calendar, call.event, entries[0], entries[1], late))
        if call.operation.startswith("events."):
            change = Change(
                call.number,
                now,
                call.operation,
                call.account,
                call.calendar,
                call.event,
                call.query,
                call.if_match,
                call.body or {},
                before,
                after,
                mails,
                late,
            )
            self.changed(change)

    def _document(self, calendar: str, event: str) -> Doc | None:
        """An event as it is now, a date of a series that nobody has changed included."""
        try:
            return find(self._world, self._world.calendars[calendar], event).doc
        except Refusal:
            return None


@lru_cache(maxsize=1)
def _service() -> object:
    return service(API)


class SimulatedAccounts:
    """The Accounts port: sign-ins without files, each with the real client over the wire."""

    def __init__(self, world: World, wire: Wire, clock: VirtualClock, chance: SeededRandom) -> None:
        self._world = world
        self._wire = wire
        self._clock = clock
        self._random = chance
        self.meter = Meter()
        self._refresh_tokens: dict[str, str] = {}
        self._versions: dict[str, int] = {}

    def sign_in(self, email: str) -> None:
        """What a finished sign-in leaves."""
        self._refresh_tokens[email] = self._world.tokens.grant(email).refresh_token
        self._versions[email] = self._versions.get(email, 0) + 1

    def emails(self) -> tuple[str, ...]:
        return tuple(self._refresh_tokens)

    def problems(self) -> tuple[str, ...]:
        return ()

    def version(self, email: str) -> int:
        return self._versions.get(email, 0)

    def sign_in_ends(self, email: str) -> float | None:
        grant = self._world.tokens.grants.get(self._refresh_tokens.get(email, ""))
        return grant.expires if grant is not None else None

    def clock_off(self) -> float | None:
        return self.meter.clock_off

    def calendars(self, email: str, tick: Callable[[], None] | None = None) -> Calendars:
        if email not in self._refresh_tokens:
            raise SignInNeeded(f"There is no token file {email}.json.", "auth_revoked")
        client, secret = next(iter(self._world.tokens.clients.items()))
        credentials = Credentials(
            token=None,
            refresh_token=self._refresh_tokens[email],
            token_uri=TOKEN_URI,
            client_id=client,
            client_secret=secret,
        )
        http = AccountHttp(email, credentials, self._wire, self._clock, tick=tick, meter=self.meter)
        return GoogleCalendars(_service(), http, self._clock, self._random)
