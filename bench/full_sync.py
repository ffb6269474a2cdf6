"""First full sync of 10,000 and 50,000 events, Google answering at once: seconds, and the most memory held.

The replay server is another process with its pages prepared; its processor time during the sync is told
beside the figure, and is not taken off it. Seconds are those of one worker's step in a process of its own;
the most memory is that of the whole service, `python -m addon`, beside a real broker.
"""

import argparse
import contextlib
import gzip
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from bench import figures, household, programs
from bench.figures import Figure, Memory

GOALS = {10_000: 0.6, 50_000: 3.0}
RSS_GOAL = 90.0
SETTLE = 4.0


class Sample(msgspec.Struct, kw_only=True):
    """What one process found."""

    seconds: float
    cpu: float = 0.0
    before: float = 0.0
    highest: float = 0.0
    after: float = 0.0
    events: int = 0


def measure(*, quick: bool) -> list[Figure]:
    """Measure both sizes, each time in a fresh process with a fresh store."""
    found: list[Figure] = []
    for count, goal in GOALS.items():
        times = (3 if quick else 7) if count == 10_000 else (2 if quick else 5)
        found += _of_size(count, goal, times)
    return found


def _of_size(count: int, goal: float, times: int) -> list[Figure]:
    with programs.python("bench.replay", "--events", str(count)) as (pid, addresses):
        whole, reads, stores, served = [], [], [], []
        for _ in range(times):
            used = figures.cpu_seconds(pid)
            whole.append(_fresh("sync", addresses))
            served.append(figures.cpu_seconds(pid) - used)
            assert whole[-1].events == count
            reads.append(_fresh("read", addresses))
            stores.append(_fresh("store", addresses))
        service = _service(addresses)
    seconds = figures.median([one.seconds for one in whole])
    read, store = (figures.median([one.seconds for one in some]) for some in (reads, stores))
    highest, read_highest = (max(one.highest for one in some) for some in (whole, reads))
    before = figures.median([one.before for one in whole])
    name = f"first full sync of {count // 1000} k events"
    cpu = figures.median([one.cpu for one in whole])
    return [
        Figure(
            name=name,
            value=seconds,
            unit="s",
            goal=goal,
            floor=f"urllib3 + msgspec {read:.2f} s, plain inserts in one commit {store:.2f} s",
            note=f"median of {times}; own CPU {cpu:.2f} s, server's CPU {figures.median(served):.2f} s",
        ),
        Figure(
            name=f"{name}: highest RSS, everything",
            value=service.highest,
            unit="MiB",
            goal=RSS_GOAL,
            floor=f"before it {before:.0f} MiB, urllib3 + msgspec {read_highest:.0f} MiB",
            note=f"{SETTLE:.0f} s after it {service.resident:.0f} MiB; engine alone {highest:.0f} MiB, "
            f"after it {figures.median([one.after for one in whole]):.0f} MiB",
        ),
    ]


def _service(addresses: dict[str, Any]) -> Memory:
    """Let the whole service do it, and look at its memory some seconds after the end."""
    email = "anna@example.com"
    with household.calbot(
        accounts={email: addresses["accounts"][email]},
        calendar_api=addresses["calendar_api"],
        token_uri=addresses["token_uri"],
        options={"invite_emails": ["bob@example.com"]},
    ) as service:
        assert programs.until(lambda: _is_read(service.data / "calbot.db"), 60, every=0.2), "it is not read"
        time.sleep(SETTLE)
        return figures.memory(service.pid)


def _is_read(path: Path) -> bool:
    try:
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as reader:
            (done,) = reader.execute("SELECT count(last_success) FROM calendar").fetchone()
    except sqlite3.Error:
        return False
    return bool(done)


def _fresh(part: str, addresses: dict[str, Any]) -> Sample:
    """Run a part of this module in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        command = [sys.executable, "-m", "bench.full_sync", "--part", part, "--data", folder]
        asked = msgspec.json.encode(addresses)
        done = subprocess.run(command, cwd=programs.ROOT, input=asked, stdout=subprocess.PIPE, check=True, timeout=300)
        return msgspec.json.decode(done.stdout, type=Sample)


def _sync(directory: Path, addresses: dict[str, Any]) -> Sample:
    """One step of one worker: sign in, read every page, stage, take over, commit."""
    from calbot.clock import SystemClock, SystemRandom  # noqa: PLC0415 - other parts measure without it
    from calbot.engine import Engine  # noqa: PLC0415
    from calbot.google.accounts import GoogleAccounts  # noqa: PLC0415
    from calbot.settings import AccountChoice, Settings  # noqa: PLC0415
    from calbot.store.database import Database  # noqa: PLC0415

    email, clock, random = "anna@example.com", SystemClock(), SystemRandom()
    programs.sign_in(directory, {email: addresses["accounts"][email]})
    database = Database(directory)
    database.open()
    accounts = GoogleAccounts(
        directory, clock, random, calendar_api=addresses["calendar_api"], token_uri=addresses["token_uri"]
    )
    settings = Settings(accounts=(AccountChoice(email),), invite_emails=("bob@example.com",))
    engine = Engine(settings, accounts, database, clock, random)
    engine.open()
    before = figures.memory().resident
    began, cpu = time.perf_counter(), time.process_time()
    engine.workers[email].step()
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    held = figures.memory()
    (events,) = database.read().execute("SELECT count(*) FROM event").fetchone()
    return Sample(seconds=seconds, cpu=cpu, before=before, highest=held.highest, after=held.resident, events=events)


def _read(directory: Path, addresses: dict[str, Any]) -> Sample:
    """The floor of the reading: the same pages over bare urllib3, read into plain objects, dropped."""
    import urllib3  # noqa: PLC0415 - the other parts measure without it

    class Item(msgspec.Struct, gc=False):
        id: str
        etag: str
        summary: str
        description: str
        attendees: tuple[msgspec.Raw, ...] = ()

    class Listing(msgspec.Struct):
        items: list[Item]

    decode = msgspec.json.Decoder(Listing).decode
    address = f"{addresses['calendar_api']}calendars/primary/events"
    pool = urllib3.PoolManager(retries=False)
    events = 0
    began = time.perf_counter()
    for number in range(len(addresses["pages"])):
        answer = pool.request("GET", f"{address}?pageToken={number}", headers={"accept-encoding": "gzip"})
        events += len(decode(answer.data).items)
    return Sample(seconds=time.perf_counter() - began, highest=figures.memory().highest, events=events)


def _store(directory: Path, addresses: dict[str, Any]) -> Sample:
    """The floor of the storing: rows of an event's usual size, one commit that is durable."""
    count = 2500 * len(addresses["pages"])
    connection = sqlite3.connect(directory / "floor.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE event (calendar_id, id, etag, body, PRIMARY KEY (calendar_id, id))")
    body = gzip.compress(bytes(range(256)), 0) * 3
    began = time.perf_counter()
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany(
        "INSERT INTO event VALUES (1, ?, ?, ?)",
        ((f"{number * 2654435761 % 2**32:026x}", f'"{number:016d}"', body) for number in range(count)),
    )
    connection.execute("COMMIT")
    return Sample(seconds=time.perf_counter() - began, events=count)


PARTS: dict[str, Callable[[Path, dict[str, Any]], Sample]] = {"sync": _sync, "read": _read, "store": _store}


def main() -> int:
    """Measure and tell; with `--part`, be one of the measured processes."""
    parser = argparse.ArgumentParser(prog="python -m bench.full_sync", description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--part", choices=sorted(PARTS))
    parser.add_argument("--data", type=Path)
    options = parser.parse_args()
    if options.part:
        addresses = msgspec.json.decode(sys.stdin.buffer.read())
        print(msgspec.json.encode(PARTS[options.part](options.data, addresses)).decode())
    else:
        figures.told(measure(quick=options.quick))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
