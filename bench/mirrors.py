"""What 1,000 copies cost: making them, following one source, idling with them; calls, milliseconds and memory.

Anna is signed in, and everything on her calendar is copied to Bob's family calendar, on which she may write. The
copies are made by the engine in this process, Google answering at once and its window of 480 calls a minute never
making anybody wait. Then all of Calbot takes over the same store in a process of its own, Google taking 40 ms for every
call: once with pushes, which are timed as `bench.latency` does it, and once polling, to idle.
"""

import argparse
import contextlib
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench import figures, floors, household, programs
from bench.figures import Figure, Memory
from bench.household import Calbot
from bench.programs import Google
from bench.relay import Relay, pushes
from calbot.clock import SystemClock, SystemRandom
from calbot.engine import Engine
from calbot.google.accounts import GoogleAccounts
from calbot.inbox import Resync
from calbot.policy import Rule
from calbot.settings import Settings
from calbot.store.database import Database

ANNA, BOB = "anna@example.com", "bob@example.com"
FAMILY, ASIDE = "family@group.calendar.google.com", "aside@group.calendar.google.com"
OPTIONS = {"central_calendar": FAMILY, "rules": [{"name": "everything", "do": {"mirror": True}}]}
COPIES, BURSTS = 1000, 4
FLOOR_INSERTS = 200
API_MS = 40.0
APART = 0.9
"""Seconds between two changes: pushes are allowed ten syncs of a calendar at once and then one a second."""
POLL_SECONDS = 15
SETTLE = 1.0
WORDS = "Bring the blue folder, and something to eat for the way back. "


class Hurried(SystemClock):
    """The machine's clock, but that who waits for room in Google's window is told at once that the time is over."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self._ahead

    def sleep(self, seconds: float) -> None:
        self._ahead += seconds


@dataclass(frozen=True, slots=True)
class Made:
    """What making the copies came to."""

    seconds: float
    served: float
    calls: Counter[str]


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of one change: the calls, and from the push to Google's taking of our write, None without one."""

    calls: Counter[str]
    milliseconds: float | None


def measure(*, quick: bool) -> list[Figure]:
    """Make the copies once, then look at what they cost from then on."""
    with contextlib.ExitStack() as stack:
        google = stack.enter_context(programs.google(ANNA, BOB))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        google("add_calendar", owner=BOB, calendar=FAMILY, summary="Family")
        google("share_calendar", calendar=FAMILY, account=ANNA, role="writer")
        google("add_calendar", owner=ANNA, calendar=ASIDE, summary="Aside")
        made = _make(folder, google)
        floor = floors.inserts(google, ANNA, ASIDE, FLOOR_INSERTS) * COPIES / FLOOR_INSERTS
        google("set_latency", milliseconds=API_MS)
        followed = _follow(folder, google, 4 if quick else 6)
        idle, memory = _idle(folder, google)
        return [*_of_making(made, floor), *followed, *_of_idling(idle, memory)]


# Making


def _make(folder: Path, google: Google) -> Made:
    """Let the engine see an empty calendar first: what is there already is not copied."""
    programs.sign_in(folder, {ANNA: google.accounts[ANNA]})
    database, clock, random = Database(folder), SystemClock(), SystemRandom()
    database.open()
    accounts = GoogleAccounts(folder, Hurried(), random, calendar_api=google.calendar_api, token_uri=google.token_uri)
    settings = Settings(rules=(Rule("everything", mirror=FAMILY),), central_calendar=FAMILY)
    engine = Engine(settings, accounts, database, clock, random)
    engine.open()
    engine.start()
    try:
        assert programs.until(lambda: _counted(google)["events.list"] >= 3, 10, every=0.05), "it did not look"
        time.sleep(0.5)
        google("reset_calls")
        seconds, used = 0.0, figures.cpu_seconds(google.pid)
        for burst in range(1, BURSTS + 1):
            google("seed_events", calendar=ANNA, count=COPIES // BURSTS, body={"description": WORDS * 6})
            began = time.time()
            engine.workers[ANNA].inbox.post(Resync(f"look-{burst}", "primary"))
            wanted = COPIES // BURSTS * burst
            assert programs.until(lambda: _live(database) >= wanted, 60, every=0.05), "some were not copied"  # noqa: B023
            seconds += max(call["time"] for call in google("calls", operation="events.insert")) - began
        return Made(seconds, figures.cpu_seconds(google.pid) - used, _counted(google))
    finally:
        engine.stop()
        database.close()


def _live(database: Database) -> int:
    (count,) = database.read().execute("SELECT count(*) FROM copy WHERE state = 'live'").fetchone()
    return int(count)


def _of_making(made: Made, floor: float) -> list[Figure]:
    inserts, lists = made.calls["events.insert"], made.calls["events.list"]
    others = {name: count for name, count in made.calls.items() if name not in {"events.insert", "events.list"}}
    return [
        Figure(
            name=f"{COPIES} copies made, API answering at once",
            value=made.seconds,
            unit="s",
            floor=f"bare urllib3 inserts by {floors.SLOTS} threads {floor:.1f} s",
            note=f"{BURSTS} bursts, no window of calls; Google's CPU {made.served:.1f} s",
        ),
        Figure(
            name="calls for each copy made",
            value=(made.calls.total() - lists) / COPIES,
            unit="calls",
            goal=1,
            floor="1 insert",
            note=f"{inserts} inserts, others: {others or 'none'}; {lists} lists for {BURSTS} looks",
        ),
    ]


# Following


def _follow(folder: Path, google: Google, samples: int) -> list[Figure]:
    """Turn about: a new event, an edited one, and a copy to which a person gives a colour."""
    sources = [event["id"] for event in google("events", calendar=ANNA)]
    copies = [event["id"] for event in google("events", calendar=FAMILY)]
    new, edited, coloured = list[Answered](), list[Answered](), list[Answered]()
    with pushes() as relay, _calbot(folder, google, {}, push_url=relay.url) as service:
        relay.door = service.push_port
        assert programs.until(lambda: _pushes_come(service, google, relay), 20, every=0.5), "no push comes"
        time.sleep(SETTLE)
        for number in range(samples):
            source, copy = sources[number * 97 % COPIES], copies[number * 89 % COPIES]
            new.append(_answer(google, relay, "create_event", calendar=ANNA, body=_event()))
            title = {"summary": f"Another title {number}"}
            edited.append(_answer(google, relay, "edit_event", calendar=ANNA, event=source, changes=title))
            if number % 2:
                colour = {"colorId": str(1 + number % 11)}
                coloured.append(_answer(google, relay, "edit_event", calendar=FAMILY, event=copy, changes=colour))
    read_and_write = floors.read_and_write(google, ANNA, 0.5, 0.95)
    return [
        *_of_time("new event: push -> copy inserted, API 40 ms", new, read_and_write),
        *_of_time("edited event: push -> copy patched, API 40 ms", edited, read_and_write),
        _of_calls("API calls for one new event, with its copy's echo", new, 3, "1 list, 1 insert, 1 list for the echo"),
        _of_calls("API calls for one edited event, with its copy's echo", edited, 3, "1 list, 1 patch, 1 for the echo"),
        _of_calls("API calls for one copy that a person changed", coloured, 1, "1 list of the target"),
    ]


def _pushes_come(service: Calbot, google: Google, relay: Relay) -> bool:
    """Make an event, so that there is a push; it is copied, which warms everything up."""
    if not service.is_online():
        return False
    google("reset_calls")
    google("create_event", calendar=ANNA, body=_event())
    return programs.until(lambda: relay.passed and _counted(google)["events.insert"], 2, every=0.1)


def _event() -> dict[str, Any]:
    start = datetime.now(UTC) + timedelta(days=10)
    moments = {"start": start, "end": start + timedelta(hours=1)}
    return {"summary": "Dinner", **{name: {"dateTime": at.isoformat()} for name, at in moments.items()}}


def _answer(google: Google, relay: Relay, deed: str, **arguments: object) -> Answered:
    """Let a person do something, and see what Calbot calls for it."""
    relay.passed.clear()
    google("reset_calls")
    google(deed, **arguments)
    time.sleep(APART)
    calls = google("calls")
    writes = [call for call in calls if call["operation"] in {"events.insert", "events.patch"}]
    taken = [call["time"] + API_MS / 1000 for call in writes if call["status"] == 200]
    milliseconds = (taken[0] - relay.passed[0]) * 1000 if taken else None
    return Answered(Counter(call["operation"] for call in calls), milliseconds)


def _of_time(name: str, found: Iterable[Answered], read_and_write: list[str]) -> list[Figure]:
    times = [one.milliseconds for one in found if one.milliseconds is not None]
    assert times, f"{name}: nothing was written"
    return [
        Figure(
            name=f"{name}: p50",
            value=figures.median(times),
            unit="ms",
            floor=read_and_write[0],
            note=f"{len(times)} samples, fastest {min(times):.0f} ms",
        ),
        Figure(
            name=f"{name}: p95",
            value=figures.percentile(times, 0.95),
            unit="ms",
            goal=100,
            floor=read_and_write[1],
            note=f"slowest {max(times):.0f} ms",
        ),
    ]


def _of_calls(name: str, found: list[Answered], goal: float, floor: str) -> Figure:
    """Figure the calls for one change."""
    calls = sum((one.calls for one in found), Counter[str]())
    told = ", ".join(f"{count} {operation.partition('.')[2]}" for operation, count in sorted(calls.items()))
    value = calls.total() / len(found)
    return Figure(name=name, value=value, unit="calls", goal=goal, floor=floor, note=f"{told} for {len(found)}")


# Idling


def _idle(folder: Path, google: Google) -> tuple[Counter[str], Memory]:
    """Count the calls of one poll of both calendars, the source's and the target."""
    google("reset_calls")
    with _calbot(folder, google, {"poll_interval": POLL_SECONDS}) as service:
        assert programs.until(lambda: _counted(google)["events.list"] >= 2, 20, every=0.2), "it did not read"
        time.sleep(SETTLE)
        google("reset_calls")
        time.sleep(POLL_SECONDS)
        return _counted(google), figures.memory(service.pid)


def _of_idling(calls: Counter[str], memory: Memory) -> list[Figure]:
    others = {name: count for name, count in calls.items() if name != "events.list"}
    return [
        Figure(
            name=f"idle poll with {COPIES} copies: calls for each calendar",
            value=calls.total() / 2,
            unit="calls",
            goal=1,
            floor="1 list",
            note=f"source and target, 1 poll, others: {others or 'none'}",
        ),
        Figure(
            name=f"idle memory with {COPIES} copies: RSS",
            value=memory.resident,
            unit="MiB",
            goal=64,
            note=f"one account, polling; PSS {memory.share:.1f} MiB, highest RSS {memory.highest:.1f} MiB",
        ),
    ]


# What both lives share


def _calbot(
    folder: Path, google: Google, more: dict[str, object], *, push_url: str | None = None
) -> AbstractContextManager[Calbot]:
    """Run the whole service on the store with the copies."""
    return household.calbot(
        accounts={ANNA: google.accounts[ANNA]},
        calendar_api=google.calendar_api,
        token_uri=google.token_uri,
        options={**OPTIONS, **more},
        push_url=push_url,
        data=folder,
    )


def _counted(google: Google) -> Counter[str]:
    return Counter(google("counters")["operations"])


def main() -> int:
    """Measure and tell."""
    parser = argparse.ArgumentParser(prog="python -m bench.mirrors", description=__doc__)
    parser.add_argument("--quick", action="store_true")
    figures.told(measure(quick=parser.parse_args().quick))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
