"""One SQLite file: opened, checked, migrated; one writer behind a lock, a reader for each thread."""

import contextlib
import fcntl
import os
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from calbot.errors import DirectoryInUse, StoreError
from calbot.store.schema import MIGRATIONS

Tx = sqlite3.Connection
Connect = Callable[[str], sqlite3.Connection]
KEPT_SNAPSHOTS = 3
BACKUP = "backup.db"
"""The copy that a backup of the data directory takes instead of the live file."""
SMALLEST_FILE = 512
LARGEST_WAL = 4 * 2**20
_OF_THE_DISK = frozenset(
    {
        *(sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY),
        *(sqlite3.SQLITE_PERM, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM),
    }
)
"""What says nothing about the file: a store is not put aside for it."""


def connect(path: str) -> sqlite3.Connection:
    """Open a connection that any thread may use, with transactions left to us."""
    return sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=5.0)


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Say in our words what SQLite and the disk say. Raises StoreError.

    Reading raises what SQLite raises: who stands over a piece of work puts this around it.
    """
    try:
        yield
    except (sqlite3.IntegrityError, sqlite3.ProgrammingError):
        raise
    except (sqlite3.Error, OSError) as error:
        why = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
        raise StoreError(f"Calbot cannot use its store: {why}. Free some disk space or check the disk.") from error


class Database:
    """The store's file in the data directory.

    `recovery` is a sentence for people when the file was damaged and had to be replaced at `open`.
    """

    def __init__(self, directory: Path, *, connect: Connect = connect) -> None:
        self._directory = directory
        self._path = directory / "calbot.db"
        self._backup = directory / BACKUP
        self._connect = connect
        self._lock = threading.Lock()
        self._local = threading.local()
        self._directory_lock: IO[str] | None = None
        self._writer: sqlite3.Connection | None = None
        self.recovery: str | None = None
        self.problem: str | None = None

    def take_directory(self) -> None:
        """Keep every other Calbot out of the directory, until `close`. Raises DirectoryInUse, StoreError."""
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._directory_lock = (self._directory / "calbot.lock").open("w")
        except OSError as error:
            message = f"Calbot cannot write to {self._directory}: {error.strerror}. Make it writable for Calbot's user."
            raise StoreError(message) from error
        try:
            fcntl.flock(self._directory_lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._directory_lock.close()
            self._directory_lock = None
            message = f"Another Calbot works in {self._directory}. Stop it, or set CALBOT_DATA to another directory."
            raise DirectoryInUse(message) from error

    def open(self) -> None:
        """Take the directory, check the file, replace it if it is damaged, and migrate it.

        May be tried again. Raises DirectoryInUse, StoreError.
        """
        if self._writer is not None:
            return
        if self._directory_lock is None:
            self.take_directory()
        with translated():
            damage = _damage(self._path)
            if damage or (not self._path.exists() and self._backup.exists()):
                self._replace(damage)
            writer = self._configured(self._connect(str(self._path)))
            self._migrate(writer)
        self._writer = writer

    def open_beside(self) -> None:
        """Open the file of a running Calbot, to leave it a command. Raises StoreError when there is none."""
        if not self._path.exists():
            raise StoreError(f"There is no store in {self._directory} yet. Start Calbot once.")
        with translated():
            self._writer = self._configured(self._connect(str(self._path)))

    def examine(self) -> None:
        """Raise StoreError when Calbot could not work with what is there. Nothing is changed."""
        place = next(path for path in (self._directory, *self._directory.absolute().parents) if path.exists())
        if not os.access(place, os.W_OK | os.X_OK):
            raise StoreError(f"Calbot cannot write to {place}. Make it writable for Calbot's user.")
        with translated():
            damage = _damage(self._path)
            if damage is None and self._path.exists():
                with contextlib.closing(sqlite3.connect(self._path, isolation_level=None)) as connection:
                    self._refuse_newer(*connection.execute("PRAGMA user_version").fetchone())
        if damage:
            raise StoreError(f"The store is damaged ({damage}); the next start restores a copy of it, if there is one.")

    def copy_to(self, target: Path) -> None:
        """Write a whole, consistent copy, also of a running Calbot's store. Raises StoreError."""
        # A connection of its own: SQLite refuses VACUUM INTO to one that may only read.
        with translated(), contextlib.closing(self._connect(str(self._path))) as connection:
            connection.execute("VACUUM INTO ?", (str(target),))

    @contextlib.contextmanager
    def write(self) -> Iterator[Tx]:
        """One short transaction: all of it is durable at the end, or nothing. Raises StoreError."""
        if self._writer is None:
            raise StoreError("The store is closed.")
        with self._lock:
            try:
                with translated():
                    self._writer.execute("BEGIN IMMEDIATE")
                    yield self._writer
                    self._writer.execute("COMMIT")
                self.problem = None
            except StoreError as error:
                self.problem = str(error)
                raise
            finally:
                if self._writer.in_transaction:  # SQLite ends some by itself, as when the disk is full.
                    with contextlib.suppress(sqlite3.Error):
                        self._writer.execute("ROLLBACK")

    def read(self) -> Tx:
        """Return this thread's own reading connection."""
        reader: sqlite3.Connection | None = getattr(self._local, "reader", None)
        if reader is None:
            reader = self._configured(self._connect(str(self._path)))
            reader.execute("PRAGMA query_only = ON")
            reader.execute("PRAGMA cache_size = -256")
            self._local.reader = reader
        return reader

    def snapshot(self, stamp: int) -> Path:
        """Write a whole, consistent copy beside the file and keep the newest few; `stamp` orders them.

        Raises StoreError.
        """
        folder = self._directory / "snapshots"
        target = folder / f"calbot-{stamp:012d}.db"
        partial = target.with_suffix(".partial")
        with translated():
            folder.mkdir(mode=0o700, exist_ok=True)
            for left in folder.glob("*.partial"):
                left.unlink()
            try:
                self.copy_to(partial)
                partial.replace(target)
            finally:
                partial.unlink(missing_ok=True)
            for old in _snapshots(self._directory)[KEPT_SNAPSHOTS:]:
                old.unlink(missing_ok=True)
        return target

    def close(self) -> None:
        """Bring everything into the one file, close the writer, and leave the directory to others."""
        with self._lock:
            if self._writer is not None:
                with contextlib.suppress(sqlite3.Error):
                    self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                self._writer.close()
                self._writer = None
        if self._directory_lock is not None:
            self._directory_lock.close()
            self._directory_lock = None

    def _configured(self, connection: sqlite3.Connection) -> sqlite3.Connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA busy_timeout = 5000")
        connection.execute(f"PRAGMA journal_size_limit = {LARGEST_WAL}")
        return connection

    def _migrate(self, connection: sqlite3.Connection) -> None:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        self._refuse_newer(version)
        for number in range(version, len(MIGRATIONS)):
            script = f"BEGIN IMMEDIATE;{MIGRATIONS[number]};PRAGMA user_version = {number + 1};COMMIT;"
            connection.executescript(script)

    def _refuse_newer(self, version: int) -> None:
        if version > len(MIGRATIONS):
            raise StoreError(f"The store {self._path} was written by a newer Calbot. Install that version again.")

    def _replace(self, damage: str | None) -> None:
        """Put a sound copy in the file's place: after a restored backup that backup, else the newest snapshot."""
        restored = not self._path.exists() and self._backup.exists()
        copies = [*([self._backup] if restored else []), *_snapshots(self._directory)]
        sound = next((copy for copy in copies if _damage(copy) is None), None)
        partial = self._path.with_suffix(".partial")
        if sound is not None:
            shutil.copyfile(sound, partial)
            with partial.open("rb") as copied:
                os.fsync(copied.fileno())
        aside = self._directory / "damaged"
        aside.mkdir(mode=0o700, exist_ok=True)
        number = len(list(aside.iterdir()))
        for suffix in ("", "-wal", "-shm"):
            part = self._path.with_name(self._path.name + suffix)
            if part.exists():
                part.replace(aside / f"{number:04d}-{part.name}")
        what = f"The store was damaged ({damage})" if damage else "The data directory came from a backup"
        if sound is not None:
            partial.replace(self._path)
            self.recovery = (
                f"{what} and a copy of the store was restored. "
                "What happened since is read again from Google; nobody is invited twice."
            )
            return
        self.recovery = (
            f"{what} and there was no sound copy of the store. Calbot starts afresh: "
            "events that exist now are known and not acted on."
        )


def _snapshots(directory: Path) -> list[Path]:
    return sorted((directory / "snapshots").glob("calbot-*.db"), reverse=True)


def _damage(path: Path) -> str | None:
    """Say what is wrong with a store's file; None for a sound or absent one. Raises what the disk raises."""
    if not path.exists():
        leftovers = path.with_name(path.name + "-wal")
        return "the file is missing" if leftovers.exists() and leftovers.stat().st_size else None
    if path.stat().st_size < SMALLEST_FILE:  # SQLite takes such a file for a new one.
        return "the file is empty"
    try:
        connection = sqlite3.connect(path, isolation_level=None)
        try:
            (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'deed'").fetchone()
            (version,) = connection.execute("PRAGMA user_version").fetchone()
        finally:
            connection.close()
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_IOERR_SHORT_READ and error.sqlite_errorcode & 0xFF in _OF_THE_DISK:
            raise
        return str(error)
    except UnicodeDecodeError:  # Of SQLite's own message, which quotes what is damaged.
        return "its tables are damaged"
    if verdict != "ok":
        return str(verdict)
    return "its tables are missing" if version and not tables else None
