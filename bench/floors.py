"""What nothing can be faster than: bare calls of Google's API over a kept connection, and durable commits."""

import itertools
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import urllib3

from bench import figures
from bench.programs import Google

SAMPLES = 25
SLOTS = 8


def read_and_write(google: Google, account: str, *parts: float) -> list[str]:
    """Tell what two bare calls and one durable commit take, at each of these percentiles (0..1)."""
    calls, commits = _calls(google, account), _commits()
    return [
        f"two bare urllib3 calls {2 * figures.percentile(calls, part):.1f} + "
        f"one durable commit {figures.percentile(commits, part):.1f} ms"
        for part in parts
    ]


def inserts(google: Google, account: str, calendar: str, count: int) -> float:
    """How many seconds bare inserts of `count` events take, by as many threads as an account has slots."""
    pool = urllib3.PoolManager(maxsize=SLOTS, retries=False)
    headers = _headers(google, account)
    moments = {name: {"dateTime": f"2030-01-01T1{hour}:00:00Z"} for hour, name in enumerate(("start", "end"))}
    numbers = itertools.count()

    def insert() -> None:
        while (number := next(numbers)) < count:
            body = msgspec.json.encode({"id": f"floor{number:05d}", "summary": "Floor", **moments})
            answer = pool.request("POST", f"{google.calendar_api}calendars/{calendar}/events", body, headers=headers)
            assert answer.status == 200, answer.data

    return _together(insert)


def _together(work: Callable[[], None]) -> float:
    threads = [threading.Thread(target=work) for _ in range(SLOTS)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - began


def _calls(google: Google, account: str) -> list[float]:
    """How long a bare GET of one event takes, in milliseconds."""
    event = google("events", calendar=account)[0]["id"]
    url = f"{google.calendar_api}calendars/primary/events/{event}"
    pool, headers = urllib3.PoolManager(retries=False), _headers(google, account)
    found = []
    for _ in range(SAMPLES + 1):
        began = time.perf_counter()
        answer = pool.request("GET", url, headers=headers)
        found.append((time.perf_counter() - began) * 1000)
        assert answer.status == 200
    return found[1:]


def _headers(google: Google, account: str) -> dict[str, str]:
    token = google("access_token", account=account)
    return {"authorization": f"Bearer {token}", "content-type": "application/json"}


def _commits() -> list[float]:
    """How long a durable commit of one row takes, in milliseconds."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        connection = sqlite3.connect(Path(folder) / "floor.db", isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("CREATE TABLE one (id INTEGER PRIMARY KEY, body BLOB)")
        found = []
        for _ in range(SAMPLES):
            began = time.perf_counter()
            connection.execute("INSERT INTO one (body) VALUES (?)", (bytes(1000),))
            found.append((time.perf_counter() - began) * 1000)
        connection.close()
    return found
