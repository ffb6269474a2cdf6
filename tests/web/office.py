"""A panel with its pages of work over a real store, and an engine that answers what a test wants."""

import re
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

import msgspec
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from addon.web.deeds import DeedPages
from addon.web.desk import Desk
from addon.web.panel import panel
from calbot.actions import Deed, Invite
from calbot.actions import Skip as Left
from calbot.clock import SystemRandom
from calbot.house import Orders
from calbot.model import Answer, CalendarKey, Command, Event, EventKey, Outcome, Outgoing
from calbot.policy import Policy, Rule
from calbot.status import Snapshot
from calbot.store import calendars, commands, history, ledger, outbox
from calbot.store.database import Database, translated
from tests.web.world import ANNA, FAMILY, FINE, NOW, SNAPSHOT, FixedClock

BOB, CAROL = "bob@example.com", "carol@example.com"
SAME = {"Sec-Fetch-Site": "same-origin"}
PASS = "r-00000001"
POLICY = Policy(rules=(Rule("guests", (BOB,)),), time_zone="Europe/Berlin")


def event(id_: str, title: str = "Dinner", start: str = "2026-11-28T18:00:00+01:00", **parts: object) -> Event:
    """An event of Anna's."""
    basis = {"etag": '"1"', "end": start, "organiser": ANNA, "organised_by_us": True}
    return Event(**{"id": id_, "title": title, "start": start, **basis, **parts})  # type: ignore[arg-type]


class Office:
    """The panel. `answer` makes the engine's answer to a command; None leaves it under way."""

    def __init__(self, directory: Path, *, patience: float = 0.05) -> None:
        self.directory = directory
        self.random = SystemRandom()
        self.database = Database(directory)
        self.database.open()
        self.snapshot: Snapshot = SNAPSHOT
        self.policy = POLICY
        self.commands: list[Command] = []
        self.answer: Callable[[Command], Answer | None] = lambda _: Answer(status="ok", message="It is done.")
        self.desk = Desk(self, self.database, FixedClock(), self.random, patience=patience)
        self.pages = DeedPages(
            self,
            self.desk,
            self.database,
            clock=FixedClock(),
            random=self.random,
            time_zone="Europe/Berlin",
            only_peer=None,
        )
        self.app = panel(
            self,
            assess=lambda _snapshot, _now: FINE,
            clock=FixedClock(),
            alive=lambda: True,
            mqtt_problem=lambda: None,
            outcomes=self.outcomes,
            options=(),
            time_zone="Europe/Berlin",
            deeds=self.pages,
        )
        self.browser: FlaskClient = self.app.test_client()
        self.knows()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.database.close()

    # The engine

    def orders(self, _account: str) -> Orders:
        """What is in force for everybody."""
        return Orders(policy=self.policy, poll_interval=60.0, invite_existing=False, paused=False)

    def carry_out(self, command: Command) -> None:
        """Answer as the test wants."""
        self.commands.append(command)
        answer = self.answer(command)
        if answer is not None:
            self.finish(command, answer)

    def finish(self, command: Command, answer: Answer) -> None:
        """Store an answer and tell it."""
        with self.database.write() as tx:
            commands.finish(tx, command.id, answer, NOW)
        self.desk.answered(command, answer)

    def outcomes(self) -> Sequence[Outgoing]:
        """The latest rows of the outbox."""
        with translated():
            return outbox.latest(self.database.read(), "calendar", 100)

    # What has happened

    def key(self, id_: str) -> EventKey:
        """The key of an event on the family's calendar."""
        return EventKey(ANNA, FAMILY.key.calendar, id_)

    def knows(self, *events: Event, key: CalendarKey = FAMILY.key) -> None:
        """Put events on a calendar."""
        with self.database.write() as tx:
            known = calendars.known(tx, key) or calendars.register(tx, key)
            name = "Family" if key == FAMILY.key else key.account
            calendars.synced(tx, known.id, "token", name, "Europe/Berlin", NOW - 20)
            calendars.save(tx, known.id, events)

    def invited(self, one: Event, *guests: str, run_id: str = PASS, at: float = NOW - 300, **parts: object) -> str:
        """Note that guests were invited to an event; the token that undoes it."""
        guests = guests or (BOB,)
        deed = self.planned(one, *guests, run_id=run_id, at=at)
        token = history.undo_token(deed.id, deed.key)
        outcome = Outcome(
            event_type="invited",
            key=deed.key,
            calendar_name="Family",
            event=one,
            guests_added=guests,
            undo_token=token,
            run_id=run_id,
            rule="guests",
        )
        with self.database.write() as tx:
            ledger.finish(tx, deed, "done", at, written=one)
            outbox.put(tx, [msgspec.structs.replace(outcome, **parts)], at, self.random)
        return token

    def planned(self, one: Event, *guests: str, run_id: str = PASS, at: float = NOW - 300) -> Deed:
        """Note that guests are to be invited."""
        action = Invite(one, guests or (BOB,), "guests")
        with self.database.write() as tx:
            return ledger.add(tx, self.key(one.id), action, "started", at, run_id=run_id, source="poll", seen_at=at)

    def held(self, *events: Event, run_id: str = PASS, reason: str = "brake", text: str = "More than 50.") -> None:
        """Note that invitations to these events wait for somebody's word."""
        for one in events:
            deed = self.planned(one, BOB, CAROL, run_id=run_id)
            with self.database.write() as tx:
                ledger.hold(tx, deed, reason, text)

    def left_alone(self, one: Event, text: str) -> None:
        """Note that an event was left alone."""
        action = Left(one, "private", text, "guests")
        with self.database.write() as tx:
            ledger.add(tx, self.key(one.id), action, "skipped", NOW - 60, run_id=PASS, source="poll", seen_at=NOW)

    def undone(self, token: str) -> None:
        """Note that an invitation was taken back."""
        with self.database.write() as tx:
            tx.execute("UPDATE deed SET state = 'undone' WHERE id = ?", (history.deed_of(token),))

    def rule(self, name: str) -> None:
        """Have one rule, called like this."""
        self.policy = msgspec.structs.replace(POLICY, rules=(Rule(name, (BOB,)),))

    def lose_the_store(self) -> None:
        """Let neither readers nor the writer find what they need."""
        self.database.close()
        with sqlite3.connect(self.directory / "calbot.db") as connection:
            for table in ("deed", "event", "command", "calendar"):
                connection.execute(f"ALTER TABLE {table} RENAME TO lost_{table}")

    # The browser

    def get(self, page: str, **query: object) -> TestResponse:
        """Look at a page."""
        return self.browser.get(f"/{page}", query_string=query or None)

    def post(self, page: str, **fields: object) -> TestResponse:
        """Send a form of the status page, and follow to its answer."""
        sent = self.browser.post(f"/{page}", data={"proof": self.proof(), **fields}, headers=SAME)
        return self.browser.get(f"/{sent.headers['Location']}") if sent.status_code == 303 else sent

    def proof(self) -> str:
        """What the forms of this browser carry."""
        found = re.search(r'name="proof" value="([0-9a-f]{64})"', self.get("find").text + self.get("undo").text)
        if found is None:
            self.invited(event("for-its-form"), run_id="r-form", at=NOW - 7000)
            found = re.search(r'name="proof" value="([0-9a-f]{64})"', self.get("undo").text)
        assert found is not None
        return found[1]
