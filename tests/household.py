"""The example world of all tests: Anna's household at a fake Google, with the real engine on threads and sockets."""

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from calbot.clock import SystemClock, SystemRandom
from calbot.engine import Engine
from calbot.google.accounts import GoogleAccounts
from calbot.inbox import PlanAfresh, Resync
from calbot.model import Event, Guest, Notice, Outcome
from calbot.settings import Settings
from calbot.store import outbox
from calbot.store.database import Database
from tests.google_server.http import GoogleServer
from tests.google_server.people import DINNER
from tests.google_server.values import Doc

ANNA, BOB, CAROL = "anna@example.com", "bob@example.com", "carol@example.com"
FAMILY = "family@group.calendar.google.com"
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()
"""When the virtual clocks start: some days before DINNER."""
INVITE_BOB = Settings(invite_emails=(BOB,), time_zone="Europe/Berlin")
NO_BRAKE = Settings(invite_emails=(BOB,), time_zone="Europe/Berlin", invites_per_hour=10_000)
"""For what is about bursts, not about the brake."""
PATIENCE = 15.0

__all__ = ["ANNA", "BOB", "CAROL", "DINNER", "FAMILY", "INVITE_BOB", "NOON", "NO_BRAKE", "Household"]


def dinner(*guests: str, **parts: object) -> Event:
    """DINNER as the engine sees it, with these guests and with other parts if wanted."""
    basis: dict[str, object] = {
        "id": "dinner",
        "etag": '"1"',
        "title": "Dinner",
        "start": DINNER["start"]["dateTime"],
        "end": DINNER["end"]["dateTime"],
        "organiser": ANNA,
        "organised_by_us": True,
        "guests": tuple(Guest(guest.lower(), json.dumps({"email": guest})) for guest in guests),
    }
    return Event(**{**basis, **parts})  # type: ignore[arg-type]


def at(moment: datetime) -> Doc:
    """A one-hour event that begins then."""
    end = moment + timedelta(hours=1)
    return {"start": {"dateTime": moment.isoformat()}, "end": {"dateTime": end.isoformat()}}


def told(database: Database) -> list[Outcome]:
    """Every outcome so far, in order."""
    rows = outbox.since(database.read(), "calendar", 0, 100_000)
    return [row.content for row in rows if isinstance(row.content, Outcome)]


def notices(database: Database) -> list[Notice]:
    """Everything said about Calbot itself so far, in order."""
    rows = outbox.since(database.read(), "system", 0, 100_000)
    return [row.content for row in rows if isinstance(row.content, Notice)]


def wait(condition: Callable[[], bool], what: str, seconds: float = PATIENCE) -> None:
    """Return as soon as the condition holds; fail when it does not within the bound."""
    end = time.monotonic() + seconds
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < end, f"not within {seconds:g} s: {what}"
        pause.wait(0.01)


class Household:
    """A fake Google over HTTP and an engine with real threads: `with Household(tmp_path, [ANNA]) as home:`."""

    def __init__(self, directory: Path, signed_in: Iterable[str] = (ANNA,), settings: Settings = INVITE_BOB) -> None:
        self.directory = directory
        self.clock = SystemClock()
        self.server = GoogleServer(self.clock, [ANNA, BOB, CAROL])
        self.google = self.server.control
        self.world = self.server.world
        self._signed_in = tuple(signed_in)
        self._settings = settings
        self._looks = 0

    def __enter__(self) -> Self:
        self.server.start()
        for email in self._signed_in:
            self.sign_in(email)
        self.database = Database(self.directory)
        self.database.open()
        accounts = GoogleAccounts(
            self.directory,
            self.clock,
            SystemRandom(),
            calendar_api=self.server.calendar_api,
            token_uri=self.server.token_uri,
        )
        self.engine = Engine(self._settings, accounts, self.database, self.clock, SystemRandom())
        self.engine.open()
        self.engine.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.engine.stop()
        self.server.stop()
        self.database.close()

    def sign_in(self, email: str) -> None:
        """Put a fresh token file into the data directory, as a finished sign-in does."""
        folder = self.directory / "tokens"
        folder.mkdir(exist_ok=True)
        partial = folder / f"{email}.partial"
        partial.write_text(json.dumps(self.server.token_document(email)))
        partial.replace(folder / f"{email}.json")

    def create(self, calendar: str = ANNA, **body: object) -> str:
        """A person makes an event for tomorrow; its id."""
        tomorrow = datetime.fromtimestamp(self.clock.now(), UTC).replace(microsecond=0) + timedelta(days=1)
        return str(self.google.create_event(calendar, {**at(tomorrow), **body})["id"])

    def look(self, account: str = ANNA) -> None:
        """Have an account's calendars read now, as the button does."""
        self._looks += 1
        self.engine.workers[account].inbox.post(Resync(f"look-{self._looks}"))

    def nudge(self, account: str = ANNA) -> None:
        """Let a worker take its next step now."""
        self.engine.workers[account].inbox.post(PlanAfresh())

    def invitations(self, to: str = BOB) -> list[str]:
        """The events that somebody got an invitation mail for."""
        with self.server.lock:
            return [mail.event for mail in self.world.mails if mail.to == to and mail.kind == "invitation"]

    def outcomes(self) -> list[Outcome]:
        """Every outcome so far. Each call brings a connection of its own, so any thread may ask."""
        return told(self.database)

    def has_read(self, account: str) -> bool:
        """Whether the account's calendars were read well at least once."""
        statuses = [s for s in self.engine.snapshot.accounts if s.email == account]
        return bool(statuses) and all(c.last_success is not None for c in statuses[0].calendars)


def rows(database: Database, question: str) -> list[tuple[object, ...]]:
    """The answer of the store to a question in SQL."""
    reader: sqlite3.Connection = database.read()
    return reader.execute(question).fetchall()
