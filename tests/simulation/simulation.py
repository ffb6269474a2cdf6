"""One household, one fake Google, one engine, and a seed that decides who does what next."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Self

from calbot.channels import token_of
from calbot.deeds import Decide, Result, Task
from calbot.engine import AFTER_TROUBLE, Engine
from calbot.errors import StoreError
from calbot.inbox import Finished, Inbox
from calbot.model import Answer, Channel, Command, Notice, Outcome
from calbot.ports import Calendars
from calbot.settings import Settings
from calbot.slots import Slots, attempt
from calbot.store import commands
from calbot.store.database import Database
from calbot.worker import Worker
from tests.google_server.channels import Push
from tests.google_server.control import Control
from tests.google_server.listing import decoded
from tests.google_server.values import Doc
from tests.google_server.world import World
from tests.household import ANNA, BOB, CAROL, INVITE_BOB, NOON, notices, told
from tests.simulation.machine import (
    Crash,
    Disk,
    SeamedConnection,
    Seams,
    SeededRandom,
    SimulatedAccounts,
    VirtualClock,
    Wire,
)

TEND_EVERY = 5.0
DAY = 86_400.0
LONGEST_ANSWER = 6 * 3600.0
PUSH_URL = "https://example.org/push"


class SeededSlots:
    """Slots without threads: the simulation decides when a task is begun, and when its result is heard of."""

    def __init__(self, inbox: Inbox) -> None:
        self.waiting: list[tuple[Task, Calendars, Decide]] = []
        self.finished: list[tuple[Task, Result]] = []
        self._inbox = inbox

    def submit(self, task: Task, calendars: Calendars, decide: Decide) -> None:
        self.waiting.append((task, calendars, decide))

    def call(self, number: int) -> None:
        """Carry out a waiting task."""
        task, calendars, decide = self.waiting.pop(number)
        self.finished.append((task, attempt(task, calendars, decide)))

    def post(self, number: int) -> None:
        """Let the worker hear of a result."""
        self._inbox.post(Finished(*self.finished.pop(number)))


class Simulation:
    """`simulation.start()`, let people act through `google`, then `until_quiet()` or `run(seconds)`.

    Everything that can happen at the same moment happens in an order that `seed` decides. A second installation is one
    with a directory of its own that stands `beside` the first: it has its Google and its clock.
    """

    def __init__(
        self,
        directory: Path,
        *,
        settings: Settings = INVITE_BOB,
        signed_in: tuple[str, ...] = (ANNA,),
        people: tuple[str, ...] = (ANNA, BOB, CAROL),
        beside: Simulation | None = None,
        seed: int = 0,
        crash_at: frozenset[int] = frozenset(),
        latency: float = 0.04,
    ) -> None:
        self.directory = directory
        self.settings = settings
        self.clock: VirtualClock = beside.clock if beside else VirtualClock(NOON)
        self.world: World = beside.world if beside else World(self.clock, people)
        self.world.switches.latency = latency
        self.google = Control(self.world)
        self.seams = Seams(crash_at)
        self.wire = Wire(self.world, self.clock, self.seams)
        self.chance = random.Random(f"world {seed}")
        self.disorder = False
        self.down_for = 0.0
        self.lives = 0
        self.trouble: list[str] = []
        self._disk = Disk(self.seams)
        self._random = SeededRandom(seed)
        self.accounts = SimulatedAccounts(self.world, self.wire, self.clock, self._random)
        for email in signed_in:
            self.accounts.sign_in(email)
        self._database: Database | None = None
        self._engine: Engine | None = None
        self._slots: list[SeededSlots] = []
        self._wake: dict[str, float] = {}
        self._shaken: set[str] = set()
        self._tend_at = 0.0
        self._commands = 0
        self._plans: list[tuple[float, Callable[[], None]]] = []

    # Life and death

    @property
    def lives_now(self) -> bool:
        """Whether the process is running."""
        return self._engine is not None

    @property
    def engine(self) -> Engine:
        assert self._engine is not None, "the engine is down"
        return self._engine

    @property
    def database(self) -> Database:
        assert self._database is not None, "the engine is down"
        return self._database

    def start(self) -> Self:
        """Begin a life on the same directory; returns the simulation."""
        self.lives += 1
        self._database = Database(self.directory, connect=self._disk.connect)
        self._database.open()
        engine = Engine(
            self.settings,
            self.accounts,
            self._database,
            self.clock,
            self._random,
            make_slots=self._make_slots,
        )
        engine.open()
        self._engine = engine
        self._wake.clear()
        self._shaken.clear()
        self._tend_at = self.clock.monotonic() + TEND_EVERY
        return self

    def die(self) -> None:
        """End the process as a kill does: memory is gone, what was not committed too, the directory is free."""
        self._engine = None
        self._slots.clear()
        self._disk.drop()
        if self._database is not None:
            self._database.close()
        self._database = None

    def restart(self, settings: Settings | None = None) -> None:
        """Die and live again, perhaps with edited options."""
        self.die()
        self.settings = settings or self.settings
        self.start()

    def _make_slots(self, _name: str, inbox: Inbox) -> Slots:
        slots = SeededSlots(inbox)
        self._slots.append(slots)
        return slots

    # Time

    def plan(self, seconds: float, deed: Callable[[], None]) -> None:
        """Let something happen in so many seconds."""
        self._plans.append((self.clock.now() + seconds, deed))

    def turn(self) -> bool:
        """Do one of the things that can be done now; False when there is none."""
        ready = self._ready()
        if not ready:
            return False
        self.chance.choice(ready)()
        return True

    def run(self, seconds: float) -> None:
        """Let so much time pass, and everything happen that is due in it."""
        end = self.clock.now() + seconds
        while self.clock.now() <= end:
            if not self.turn():
                if self._next_time() > end:
                    self.clock.to(end)
                    return
                self.clock.to(self._next_time())

    def until_quiet(self, within: float = 2 * DAY) -> None:
        """Go on until nothing is left to do and every calendar is known as it is."""
        end = self.clock.now() + within
        while True:
            if self.turn():
                continue
            if self.is_quiet():
                return
            assert self.clock.now() < end, f"not quiet within {within:g} s: {self.open_rows()}"
            self.clock.to(self._next_time())

    def deliver_pushes(self) -> None:
        """Bring every push that is due to the engine now, in whatever it is in the middle of."""
        for push in [push for push in self.world.outgoing_pushes if push.due <= self.world.now()]:
            self._deliver(push)

    def command(self, name: str, **args: str | float | None) -> None:
        """Give the engine a command, as the bridge does."""
        self._commands += 1
        self.engine.carry_out(Command(name=name, id=f"command-{self._commands}", args={**args}))

    def ask(self, name: str, **args: str | float | None) -> Answer:
        """Give the engine a command through its table, as every door does, and go on until it is answered."""
        self._commands += 1
        command = Command(name=name, id=f"command-{self._commands}", args={**args}, received=self.clock.now())
        with self.database.write() as tx:
            commands.add(tx, command)
        self.engine.carry_out(command)
        end = self.clock.now() + LONGEST_ANSWER
        while (answer := self.answer_to(command.id)) is None:
            assert self.clock.now() < end, f"{name} is not answered: {self.open_rows()}"
            if not self.turn():
                self.clock.to(self._next_time())
        return answer

    def take_up(self) -> None:
        """Carry out what was asked and never answered, as a door does when it opens again."""
        for command in commands.unfinished(self.database.read()):
            self.engine.carry_out(command)

    def answer_to(self, command: str) -> Answer | None:
        """Return the final answer to a command, if there is one."""
        return commands.known(self.database.read(), command, self.clock.now())[1]

    def back_up(self) -> bytes:
        """Keep the store as it is now; the engine is restarted for it."""
        self.die()
        backup = self._store().read_bytes()
        self.start()
        return backup

    def restore(self, backup: bytes) -> None:
        """Begin a life with the store of an earlier day."""
        self.die()
        self._store().write_bytes(backup)
        for rest in ("-wal", "-shm"):
            Path(f"{self._store()}{rest}").unlink(missing_ok=True)
        self.start()

    def _store(self) -> Path:
        return self.directory / "calbot.db"

    def live(self, within: float = 2 * DAY) -> None:
        """Go on until all is quiet, getting up again after every crash."""
        while True:
            try:
                if self._engine is None:
                    self.start()
                self.until_quiet(within)
                return
            except Crash:
                self.die()
                self.run(self.down_for)

    def _ready(self) -> list[Callable[[], None]]:
        now, mono = self.world.now(), self.clock.monotonic()
        ready: list[Callable[[], None]] = []
        pushes = [push for push in self.world.outgoing_pushes if push.due <= now]
        ready += [partial(self._deliver, push) for push in (pushes if self.disorder else pushes[:1])]
        ready += [partial(self._happen, plan) for plan in self._plans if plan[0] <= self.clock.now()]
        if self._engine is None:
            return ready
        for worker in self.engine.workers.values():
            due = self._wake.get(worker.email, 0.0)
            if due <= mono or (worker.inbox._items and worker.email not in self._shaken):
                ready.append(partial(self._step, worker))
        for slots in self._slots:
            ready += [partial(slots.call, number) for number in range(len(slots.waiting))]
            ready += [partial(slots.post, number) for number in range(len(slots.finished))]
        if self._tend_at <= mono:
            ready.append(self._tend)
        return ready

    def _next_time(self) -> float:
        wait = [*self._wake.values(), self._tend_at] if self._engine is not None else [self.clock.monotonic() + 1]
        times = [at - self.clock.monotonic() + self.clock.now() for at in wait]
        times += [at for at, _ in self._plans]
        times += [push.due - self.world.now() + self.clock.now() for push in self.world.outgoing_pushes]
        return max(self.clock.now() + 1e-6, min(times))

    def _step(self, worker: Worker) -> None:
        """One turn of a worker's thread, with its bulkhead: what surprises is kept in `trouble`."""
        self._shaken.discard(worker.email)
        try:
            worker.step()
            self._wake[worker.email] = self.clock.monotonic() + worker.wake_in()
            return
        except StoreError:
            pass
        except Exception as error:  # noqa: BLE001 - as the engine's own bulkhead
            self.trouble.append(f"{type(error).__name__}: {error}")
        self._shaken.add(worker.email)
        self._wake[worker.email] = self.clock.monotonic() + AFTER_TROUBLE

    def _tend(self) -> None:
        self._tend_at = self.clock.monotonic() + TEND_EVERY
        self.engine.tend()

    def _happen(self, plan: tuple[float, Callable[[], None]]) -> None:
        self._plans.remove(plan)
        plan[1]()

    def _deliver(self, push: Push) -> None:
        self.world.outgoing_pushes.remove(push)
        status = 0
        if self._engine is not None:
            heard = push.headers
            self.engine.on_push(
                heard["X-Goog-Channel-ID"],
                heard.get("X-Goog-Channel-Token", ""),
                heard["X-Goog-Resource-ID"],
                heard["X-Goog-Resource-State"],
            )
            status = 204
        if push.finished(status, self.world.now()):
            self.world.outgoing_pushes.append(push)

    # Questions

    def is_quiet(self) -> bool:
        """Whether nothing is under way and every calendar is known as it is."""
        if self._engine is None or self.world.outgoing_pushes or self._plans:
            return False
        if any(slots.waiting or slots.finished for slots in self._slots):
            return False
        workers = self.engine.workers.values()
        return (
            not any(worker.inbox._items for worker in workers)
            and not self.open_rows()
            and all(self.is_current(w.email, calendar) for w in workers for calendar in w.reading.calendars)
        )

    def is_current(self, account: str, calendar: str) -> bool:
        """Whether the stored sync token stands at the calendar's newest change."""
        row = (
            self.database.read()
            .execute("SELECT sync_token FROM calendar WHERE account = ? AND calendar = ?", (account, calendar))
            .fetchone()
        )
        if row is None or not row[0]:
            return False
        _name, head, *_rest = decoded("sync", row[0], "syncToken")
        place = self.world.calendars[account if calendar == "primary" else calendar]
        return int(head) == len(place.log)

    def open_rows(self) -> list[tuple[object, ...]]:
        """The ledger's rows that wait for something other than a person: approval, or a switch."""
        question = "SELECT event, verb, state, reason FROM deed WHERE state IN ('planned', 'started', 'parked')"
        rows = self.database.read().execute(question).fetchall()
        switches = self.engine.snapshot.settings
        waits = {"mirroring_off": not switches.mirroring, "dry_run": switches.dry_run}
        return [row for row in rows if not waits.get(row[3])]

    def held_rows(self) -> list[tuple[object, ...]]:
        """The ledger's rows that wait for a person."""
        question = "SELECT event, verb, run_id, reason FROM deed WHERE state = 'held'"
        return self.database.read().execute(question).fetchall()

    def history(self, event: str) -> list[tuple[object, ...]]:
        """State and reason of each of the ledger's rows of an event."""
        question = "SELECT state, reason FROM deed WHERE event = ? ORDER BY id"
        return self.database.read().execute(question, (event,)).fetchall()

    def outcomes(self, kind: str = "") -> list[Outcome]:
        """What was told about events."""
        return [outcome for outcome in told(self.database) if kind in {"", outcome.event_type}]

    def notices(self, kind: str = "") -> list[Notice]:
        """What was told about Calbot itself."""
        return [notice for notice in notices(self.database) if kind in {"", notice.event_type}]

    def invitations(self, to: str = BOB) -> list[str]:
        """The events that somebody got an invitation mail for, once for each mail."""
        return [mail.event for mail in self.world.mails if mail.to == to and mail.kind == "invitation"]

    def calls(self, operation: str, account: str = "") -> list[int]:
        """The statuses of the calls of one kind so far (0: the connection died)."""
        return [
            call.status for call in self.world.calls if call.operation == operation and account in {"", call.account}
        ]

    def guests(self, event: str, calendar: str = ANNA) -> list[str]:
        """The addresses on an event as Google has them."""
        return [str(guest["email"]) for guest in self.document(event, calendar).get("attendees", [])]

    def document(self, event: str, calendar: str = ANNA) -> Doc:
        """An event as Google has it."""
        return self.world.calendars[calendar].rows[event].doc

    def create(self, calendar: str = ANNA, **body: object) -> str:
        """A person makes an event like DINNER; its id."""
        return str(self.google.create_event(calendar, dict(body))["id"])

    def channel_of(self, account: str = ANNA, calendar: str = "primary") -> tuple[Channel, str]:
        """The newest push channel of a calendar, and its right token."""
        channels = self.engine.workers[account].channels._channels.values()
        channel = max((c for c in channels if c.key.calendar == calendar), key=lambda c: c.created)
        return channel, token_of(self.engine._secret, channel.id)


__all__ = ["DAY", "PUSH_URL", "SeamedConnection", "Simulation"]
