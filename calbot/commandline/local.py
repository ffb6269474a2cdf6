"""Where a command of the command line works: in the store, to read; in the service that holds it; in an engine here."""

import contextlib
import fcntl
import os
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import click
import msgspec

from calbot import sources
from calbot.clock import SystemClock, SystemRandom
from calbot.engine import Engine
from calbot.envfile import surroundings
from calbot.errors import DirectoryInUse, SignInNeeded, StoreError
from calbot.google.accounts import GoogleAccounts
from calbot.model import Answer, CalendarKey, Command, Noun, Outcome
from calbot.ports import Clock, Random
from calbot.settings import Settings
from calbot.sources import Found
from calbot.store import commands, outbox
from calbot.store.database import Database, Tx, translated
from calbot.store.schema import MIGRATIONS
from calbot.vault import Vault, given_key

FAILED, USAGE, SIGN_IN, NOT_FOUND, PARTIAL = 1, 2, 3, 4, 5
LONGEST = 300.0
SOON = 0.1
Args = Mapping[str, str | int | float | bool | None]


def _at_a_terminal() -> bool:
    return sys.stdin.isatty()


@dataclass(frozen=True, slots=True)
class Here:
    """The machine as a command sees it; whoever replays time hands in a clock of his own."""

    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    clock: Clock = field(default_factory=SystemClock)
    random: Random = field(default_factory=SystemRandom)
    can_ask: Callable[[], bool] = _at_a_terminal


pass_here = click.make_pass_decorator(Here, ensure=True)


class Wanted(Noun, frozen=True):
    """What the options ask of the engine, and every remark about them."""

    found: Found
    settings: Settings
    notes: tuple[str, ...]

    @property
    def data(self) -> Path:
        """Return the data directory."""
        return self.found.data


def wanted(here: Here) -> Wanted:
    """Read the options. Raises BadOptions."""
    found = sources.gather(surroundings(here.environ))
    settings, notes = sources.settings(found)
    return Wanted(found, settings, notes)


def accounts(here: Here, what: Wanted) -> GoogleAccounts:
    """Return the signed-in accounts."""
    return GoogleAccounts(
        what.data,
        here.clock,
        here.random,
        calendar_api=what.found.endpoints.calendar_api,
        token_uri=what.found.endpoints.token_uri,
        vault=Vault(what.data, given_key(here.environ)),
    )


def watched(here: Here, what: Wanted) -> frozenset[CalendarKey] | None:
    """Return the calendars that are looked at; None while nobody is signed in."""
    chosen = what.settings.calendars(accounts(here, what).emails())
    return frozenset(CalendarKey(email, name) for email, names in chosen.items() for name in names) or None


@contextlib.contextmanager
def reading(data: Path) -> Iterator[Database]:
    """Give the store to read, also while the service works on it; it is not locked, migrated or written to.

    Raises StoreError when there is none, or none that this version can read.
    """
    path = data / "calbot.db"
    if not path.exists():
        raise StoreError(f"There is no store in {data} yet. Start Calbot once.")
    with translated():
        with contextlib.closing(_only_to_read(str(path))) as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            (journal,) = connection.execute("PRAGMA journal_mode").fetchone()
        if version > len(MIGRATIONS):
            raise StoreError(f"The store {path} was written by a newer Calbot. Install that version again.")
        if version < len(MIGRATIONS) or journal != "wal":
            raise StoreError(f"The store in {data} is as an older Calbot left it. Start Calbot once.")
        database = Database(data, connect=_only_to_read)
        with contextlib.closing(database.read()):
            yield database


def _only_to_read(path: str) -> Tx:
    return sqlite3.connect(f"{Path(path).absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=5.0)


def is_running(data: Path) -> bool:
    """Say whether a Calbot works in the directory, without keeping another from it."""
    try:
        with (data / "calbot.lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


class Ran(Noun, frozen=True):
    """What happened while a command was carried out, what could not be done, and the answer where there is one."""

    outcomes: tuple[Outcome, ...]
    problems: tuple[str, ...] = ()
    sign_in_needed: bool = False
    answer: Answer | None = None


class Place(Protocol):
    """Something that carries commands out."""

    def read_all(self) -> Ran:
        """Read every calendar once and do what is due."""
        ...

    def ask(self, name: str, args: Args) -> Ran:
        """Carry a command out and wait for its answer; without one there is a problem."""
        ...


@contextlib.contextmanager
def place(here: Here, what: Wanted) -> Iterator[Place]:
    """Give the running service, or an engine of our own where there is none. Raises SignInNeeded, StoreError."""
    with contextlib.closing(Database(what.data)) as database:
        try:
            database.open()
        except DirectoryInUse:
            database.open_beside()
            yield RunningService(database, here)
        else:
            yield _engine(here, what, database)


@contextlib.contextmanager
def on_a_copy(here: Here, what: Wanted) -> Iterator[Place]:
    """Give an engine in dry run on a copy of the store, so that not even the store learns of what it does."""
    with tempfile.TemporaryDirectory(prefix="calbot-") as folder:
        if (what.data / "calbot.db").exists():
            Database(what.data).copy_to(Path(folder) / "calbot.db")
        settings = msgspec.structs.replace(what.settings, dry_run=True)
        with contextlib.closing(Database(Path(folder))) as database:
            database.open()
            yield _engine(here, msgspec.structs.replace(what, settings=settings), database)


class OwnEngine:
    """An engine in this process, on a directory that nobody else holds."""

    def __init__(self, engine: Engine, database: Database, here: Here) -> None:
        self._engine = engine
        self._database = database
        self._here = here

    def read_all(self) -> Ran:
        """Run until everything due is done."""
        return self._run(outbox.newest(self._database.read(), "calendar"), None)

    def ask(self, name: str, args: Args) -> Ran:
        """Carry a command out, and what else is due meanwhile."""
        before = outbox.newest(self._database.read(), "calendar")
        command = _left(self._database, self._here, name, args)
        try:
            self._engine.carry_out(command)
            ran = self._run(before, command)
        finally:
            if _answer(self._database, self._here, command) is None:  # So that no later start carries it out.
                text = f"{name} was broken off; what had begun goes on when Calbot runs again."
                self._engine.answer(command, Answer(status="error", code="internal", message=text, retryable=True))
        return msgspec.structs.replace(ran, answer=_answer(self._database, self._here, command))

    def _run(self, before: int, command: Command | None) -> Ran:
        workers = self._engine.workers.values()
        patience = Patience(self._here)
        while patience.lasts():
            for worker in workers:
                worker.step()
            answer = _answer(self._database, self._here, command) if command is not None else None
            busy = [worker for worker in workers if not worker.is_quiet()]
            if not busy and (command is None or answer is not None):
                break
            for worker in busy or workers:
                worker.inbox.wait(SOON)
        snapshot = self._engine.snapshot
        sign_ins = [*(account.sign_in_text for account in snapshot.accounts), *snapshot.token_problems]
        readings = [calendar.problem_text for account in snapshot.accounts for calendar in account.calendars]
        problems = tuple(text for text in dict.fromkeys([*sign_ins, *readings]) if text is not None)
        answer = _answer(self._database, self._here, command) if command is not None else None
        return Ran(_since(self._database, before), problems, sign_in_needed=any(sign_ins), answer=answer)


def _engine(here: Here, what: Wanted, database: Database) -> OwnEngine:
    signed_in = accounts(here, what)
    engine = Engine(what.settings, signed_in, database, here.clock, here.random, tend_channels=False)
    engine.open()
    if not engine.workers:
        raise SignInNeeded("Nobody is signed in yet; run: calbot login", "auth_revoked")
    return OwnEngine(engine, database, here)


class RunningService:
    """The service that holds the directory: a command is left in its table, and it writes the answer beside it."""

    def __init__(self, database: Database, here: Here) -> None:
        self._database = database
        self._here = here

    def read_all(self) -> Ran:
        """Have every calendar read now."""
        ran = self.ask("resync", {})
        if ran.answer is None or ran.answer.status == "ok":
            return ran
        return msgspec.structs.replace(
            ran, problems=(ran.answer.message,), sign_in_needed=ran.answer.code == "auth_required"
        )

    def ask(self, name: str, args: Args) -> Ran:
        """Leave the command and wait for its answer."""
        before = outbox.newest(self._database.read(), "calendar")
        command = _left(self._database, self._here, name, args)
        patience = Patience(self._here)
        with translated():
            while (answer := _answer(self._database, self._here, command)) is None and patience.lasts():
                self._here.clock.sleep(SOON)
            outcomes = _since(self._database, before)
        problems = () if answer is not None else ("The running Calbot did not answer. It may do it yet.",)
        return Ran(outcomes, problems, answer=answer)


class Patience:
    """How long an answer is waited for; whoever waits at a terminal is told so after a moment."""

    def __init__(self, here: Here) -> None:
        self._clock = here.clock
        self._began = here.clock.monotonic()
        self._next_word = self._began + 3.0

    def lasts(self) -> bool:
        """Say whether to go on waiting."""
        now = self._clock.monotonic()
        if now >= self._next_word and sys.stderr.isatty():
            click.echo(f"Still at it, {now - self._began:.0f} s so far …", err=True)
            self._next_word = now + 10.0
        return now < self._began + LONGEST


def _left(database: Database, here: Here, name: str, args: Args) -> Command:
    """Write a command down as the service takes them up."""
    known: dict[str, str | int | float | bool | None] = {key: value for key, value in args.items() if value is not None}
    id_ = f"cli-{here.random.token(8).hex()}"
    command = Command(name=name, id=id_, args=known, source="cli", received=here.clock.now())
    with database.write() as tx:
        commands.add(tx, command)
    return command


def _answer(database: Database, here: Here, command: Command) -> Answer | None:
    return commands.known(database.read(), command.id, here.clock.now())[1]


def _since(database: Database, before: int) -> tuple[Outcome, ...]:
    rows = outbox.since(database.read(), "calendar", before + 1, 10_000)
    return tuple(row.content for row in rows if isinstance(row.content, Outcome))
