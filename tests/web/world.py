"""The example household behind the doors, and a server of them on free loopback ports."""

import contextlib
import http.client
import socket
from collections.abc import Callable, Iterator, Sequence
from wsgiref.types import WSGIApplication

from flask import Flask

from addon.web.panel import panel
from addon.web.server import Door, WebServer
from calbot.clock import SystemClock
from calbot.model import CalendarKey, Event, EventKey, Outcome, Outgoing
from calbot.status import AccountStatus, CalendarStatus, Effective, Health, Snapshot

NOW = 1795191600.0
ANNA = "anna@example.com"
SETTINGS = Effective(
    auto_invite=True,
    dry_run=False,
    poll_interval=60,
    invites_per_hour=50,
    removals_per_pass=5,
    first_sync="ignore",
    invite_emails=("bob@example.com",),
)
FAMILY = CalendarStatus(key=CalendarKey(ANNA, "family@group.calendar.google.com"), name="Family", last_success=NOW - 20)
SNAPSHOT = Snapshot(
    started_at=NOW - 3600,
    broker_connected=True,
    settings=SETTINGS,
    accounts=(AccountStatus(email=ANNA, aid="a7c1", calendars=(FAMILY,)),),
)
DINNER = Event(
    id="dinner",
    etag='"1"',
    title="Dinner",
    start="2026-11-28T18:00:00+01:00",
    end="2026-11-28T20:00:00+01:00",
    link="https://www.google.com/calendar/event?eid=dinner",
)
INVITED = Outcome(
    event_type="invited",
    key=EventKey(ANNA, "primary", "dinner"),
    calendar_name="Family",
    event=DINNER,
    guests_added=("bob@example.com",),
)
FINE = Health("ok", (), NOW - 20, NOW + 60)


class FakeEngine:
    """Remembers the pushes it was told, and takes those whose token is right."""

    def __init__(self, snapshot: Snapshot = SNAPSHOT) -> None:
        self.snapshot = snapshot
        self.taken: list[tuple[str, str, str, str]] = []
        self.refused = 0

    def on_push(self, channel_id: str, token: str, resource_id: str, state: str) -> bool:
        if token != "right":
            self.refused += 1
            return False
        self.taken.append((channel_id, token, resource_id, state))
        return True


class FixedClock:
    """It is always now."""

    def now(self) -> float:
        return NOW

    def monotonic(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        raise AssertionError("nobody sleeps in the panel")


def sent(*contents: Outcome, age: float = 30.0) -> list[Outgoing]:
    """Return rows of the outbox."""
    return [Outgoing(n, "calendar", str(n), content, NOW - age) for n, content in enumerate(contents, 1)]


def example_panel(
    engine: FakeEngine | None = None,
    *,
    assess: Callable[[Snapshot, float], Health] = lambda _snapshot, _now: FINE,
    alive: Callable[[], bool] = lambda: True,
    mqtt_problem: str | None = None,
    outcomes: Callable[[], Sequence[Outgoing]] = lambda: (),
    options: Sequence[tuple[str, str, str]] = (),
    names: Sequence[str] = (),
    only_peer: str | None = None,
) -> Flask:
    """Return the panel of the example household, or of the one that is given."""
    return panel(
        engine or FakeEngine(),
        assess=assess,
        clock=FixedClock(),
        alive=alive,
        mqtt_problem=lambda: mqtt_problem,
        outcomes=outcomes,
        options=options,
        time_zone="Europe/Berlin",
        names=names,
        only_peer=only_peer,
    )


@contextlib.contextmanager
def serving(
    *apps: WSGIApplication, connections: Sequence[int] = (), deadline: float = 8.0, bodies: Sequence[int] = ()
) -> Iterator[list[int]]:
    """Serve the applications on free ports of loopback, one door each; give the ports."""
    limits, largest = connections or [800] * len(apps), bodies or [4096] * len(apps)
    doors = [
        Door(f"door {n}", app, "127.0.0.1", 0, "CALBOT_TEST_PORT", connections=limit, largest_body=body)
        for n, (app, limit, body) in enumerate(zip(apps, limits, largest, strict=True))
    ]
    server = WebServer(doors, SystemClock(), deadline)
    server.start()
    try:
        yield list(server.ports)
    finally:
        server.stop()


def ask(
    port: int,
    method: str,
    path: str,
    headers: dict[str, str] | None = None,
    body: bytes | None = None,
) -> tuple[int, bytes, http.client.HTTPMessage]:
    """Ask once, on a connection of its own; return status, body and headers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers
    finally:
        connection.close()


def say(port: int, raw: bytes) -> bytes:
    """Send bytes as they are; return the first bytes of what comes back, or nothing when it was cut."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        try:
            connection.sendall(raw)
            return connection.recv(65536)
        except (BrokenPipeError, ConnectionResetError):
            return b""
