"""The store's file when the disk is full, broken or odd: said in a sentence, tried again, and nothing is lost by it."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from calbot.errors import StoreError
from calbot.model import Notice
from calbot.store import outbox, switches
from calbot.store.database import Database
from calbot.store.tidying import tidy
from tests.household import NOON, notices
from tests.simulation.machine import SeededRandom
from tests.simulation.simulation import Simulation

Simulate = Callable[..., Simulation]
WEEK = 7 * 86_400.0


def failing(begin: str, error: Exception, *, after: bool = False) -> Callable[[str], sqlite3.Connection]:
    """A way to connect with which SQL that begins so fails, before or after it was carried out."""

    class Failing(sqlite3.Connection):
        def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
            if not sql.startswith(begin):
                return super().execute(sql, parameters)
            if after:
                super().execute(sql, parameters)
            raise error

    return lambda path: sqlite3.connect(path, check_same_thread=False, isolation_level=None, factory=Failing)


def opened(directory: Path) -> Database:
    """A store that is open."""
    database = Database(directory)
    database.open()
    return database


def written(database: Database, *statements: str, error: Exception | None = None) -> None:
    """One transaction of these statements, in which something happens at the end."""
    with database.write() as tx:
        for statement in statements:
            tx.execute(statement)
        if error is not None:
            raise error


def test_a_transaction_that_sqlite_ended_is_told_for_what_it_was(data: Path) -> None:
    """A full disk rolls back by itself; the sentence is about the disk, and the next transaction works."""
    database = opened(data)

    with pytest.raises(StoreError, match="disk is full"):
        written(database, "ROLLBACK", error=sqlite3.OperationalError("database or disk is full"))
    written(database, "INSERT INTO meta (key, value) VALUES ('dinner', 'is served')")

    assert switches.fact(database.read(), "dinner") == "is served"
    database.close()


def test_a_malformed_page_is_trouble_of_the_store(data: Path) -> None:
    """SQLite has more words for it than one."""
    database = opened(data)

    with pytest.raises(StoreError, match="malformed"):
        written(database, "DELETE FROM meta", error=sqlite3.DatabaseError("database disk image is malformed"))

    assert "malformed" in (database.problem or "")
    database.close()


def test_a_double_row_is_no_trouble_of_the_store(data: Path) -> None:
    """Who asks for it hears of it, and nothing of the transaction stays."""
    database = opened(data)

    with pytest.raises(sqlite3.IntegrityError):
        written(database, *["INSERT INTO meta (key, value) VALUES ('dinner', 'is served')"] * 2)

    assert switches.fact(database.read(), "dinner") is None
    assert database.problem is None
    database.close()


def test_a_copy_that_does_not_fit_leaves_nothing_behind(data: Path) -> None:
    """The half copy would only make the disk fuller."""
    database = Database(data, connect=failing("VACUUM", sqlite3.OperationalError("disk is full"), after=True))
    database.open()

    with pytest.raises(StoreError, match="disk is full"):
        database.snapshot(1)

    assert list((data / "snapshots").iterdir()) == []
    database.close()


def test_a_place_for_copies_that_cannot_be_made_is_a_sentence(data: Path) -> None:
    """The file system's trouble is the store's trouble."""
    database = opened(data)
    (data / "snapshots").write_text("in the way")

    with pytest.raises(StoreError, match="cannot use its store"):
        database.snapshot(1)

    database.close()


def test_a_start_on_a_full_disk_can_be_tried_again(data: Path) -> None:
    """It is a sentence first; the store is not taken for damaged, and opens when there is room."""
    opened(data).close()
    before = (data / "calbot.db").read_bytes()
    database = Database(data, connect=failing("PRAGMA journal_mode", sqlite3.OperationalError("disk is full")))
    with pytest.raises(StoreError, match="disk is full"):
        database.open()
    database.close()
    kept = (data / "calbot.db").read_bytes() == before
    database = Database(data)

    database.open()
    database.open()

    assert kept
    assert database.recovery is None
    database.close()


def test_a_file_that_cannot_be_opened_is_not_put_aside(data: Path) -> None:
    """That says nothing about what is in it."""
    (data / "calbot.db").mkdir()
    for number in range(100):
        (data / "calbot.db" / f"{number:0100}").touch()
    database = Database(data)

    with pytest.raises(StoreError, match="unable to open"):
        database.open()
    database.close()

    assert (data / "calbot.db").is_dir()


def test_a_copy_that_cannot_be_restored_is_kept_for_the_next_try(simulate: Simulate, data: Path) -> None:
    """The damaged file stays in its place until there is room for the copy."""
    simulation = simulate()
    simulation.until_quiet()
    simulation.run(120)
    simulation.die()
    (data / "calbot.db").write_bytes(b"damaged" * 1000)
    (data / "calbot.partial").mkdir()
    database = Database(data)
    with pytest.raises(StoreError):
        database.open()

    (data / "calbot.partial").rmdir()
    database.open()

    assert "was restored" in (database.recovery or "")
    database.close()


def test_looking_at_a_damaged_store_changes_nothing(data: Path) -> None:
    """It is named; putting it right is the service's, which says so."""
    opened(data).close()
    (data / "calbot.db").write_bytes(b"damaged" * 1000)
    before = sorted(path.name for path in data.iterdir())

    with pytest.raises(StoreError, match="damaged"):
        Database(data).examine()

    assert sorted(path.name for path in data.iterdir()) == before


@pytest.mark.parametrize("seen", [True, False])
def test_announcements_that_nobody_fetches_go_after_a_week(data: Path, seen: bool) -> None:
    """It is an alert only where somebody fetched them once."""
    database, random = opened(data), SeededRandom(1)
    with database.write() as tx:
        for text in ("one", "two", "three"):
            outbox.put(tx, [Notice(event_type="started", text=text)], NOON, random)
        if seen:
            switches.remember(tx, switches.HOME_ASSISTANT_SEEN, "1")

    tidy(database, NOON + WEEK + 60, "UTC", random)

    alerts = [notice.text for notice in notices(database) if notice.event_type == "alert_raised"]
    assert [text.startswith("2 announcements") for text in alerts] == ([True] if seen else [])
    assert outbox.depth(database.read()) == (2 if seen else 1)
    database.close()


def test_a_store_that_cannot_be_read_is_told_and_waited_for(simulate: Simulate) -> None:
    """A sentence on the panel while it lasts, no surprise, and everything goes on afterwards."""
    simulation = simulate()
    simulation.until_quiet()
    simulation.seams.unreadable = "FROM command"
    simulation.run(60)
    during = simulation.engine.snapshot.disk_problem

    simulation.seams.unreadable = None
    simulation.run(60)

    assert "disk I/O error" in (during or "")
    assert simulation.engine.snapshot.disk_problem is None


def test_a_data_directory_from_a_backup_goes_on_where_the_backup_was(simulate: Simulate, data: Path) -> None:
    """Only `backup.db` comes back: nobody is invited twice, and what came since is invited."""
    simulation = simulate()
    simulation.until_quiet()
    simulation.create(summary="Before")
    simulation.until_quiet()
    simulation.database.copy_to(data / "backup.db")
    simulation.create(summary="Between")
    simulation.until_quiet()
    simulation.die()
    for part in data.glob("calbot.db*"):
        part.unlink()
    simulation.create(summary="After")

    simulation.start()
    simulation.until_quiet()

    assert len(simulation.invitations()) == len(set(simulation.invitations())) == 3
    assert "came from a backup" in (simulation.database.recovery or "")


@pytest.mark.parametrize("content", [b"", b"not a store" * 999])
def test_a_damaged_backup_is_no_reason_to_start_in_silence(data: Path, content: bytes) -> None:
    """Without any sound copy it is said that everything begins anew."""
    (data / "backup.db").write_bytes(content)

    database = opened(data)

    assert "starts afresh" in (database.recovery or "")
    database.close()
