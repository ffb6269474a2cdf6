"""From a push to the invitation, with a Google that takes 40 ms for every call: one event, and bursts of 50 and 200.

The engine and its real push door run in this process, the fake Google in another. A push counts as received when the
door hands it to the engine, an invitation as accepted when the client has read Google's answer to the PATCH. Samples
are 4 s apart: pushes are allowed 5 syncs at once and then one every 2 s, and the echo of our own PATCH takes one too.
"""

import argparse
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import urllib3

from addon.web.server import Door, WebServer
from addon.web.webhook import PushDoor
from bench import figures, house, programs
from bench.figures import Figure
from bench.programs import Google
from calbot.clock import SystemClock
from calbot.engine import Engine
from calbot.model import Channel, Event, Page, SendUpdates
from calbot.ports import Accounts, Calendars
from calbot.settings import AccountChoice, Settings

ANNA, BOB = "anna@example.com", "bob@example.com"
API_MS = 40.0
APART = 4.0
REFILL = 12.0


class Watch:
    """When the engine got pushes, and when its invitations were accepted."""

    def __init__(self) -> None:
        self.pushes: list[float] = []
        self.accepted: list[float] = []

    def reset(self) -> None:
        """Forget, for the next sample."""
        self.pushes.clear()
        self.accepted.clear()


class WatchedDoor:
    """The engine as the push door sees it."""

    def __init__(self, engine: Engine, watch: Watch) -> None:
        self._engine = engine
        self._watch = watch

    def on_push(self, channel_id: str, token: str, resource_id: str, state: str) -> bool:
        if state != "sync":
            self._watch.pushes.append(time.perf_counter())
        return self._engine.on_push(channel_id, token, resource_id, state)


class WatchedCalendars:
    """The Calendars port, with a note of each invitation that was accepted."""

    def __init__(self, calendars: Calendars, watch: Watch) -> None:
        self._calendars = calendars
        self._watch = watch

    def page(self, calendar: str, *, sync_token: str | None, page_token: str | None) -> Page:
        return self._calendars.page(calendar, sync_token=sync_token, page_token=page_token)

    def get(self, calendar: str, event_id: str) -> Event:
        return self._calendars.get(calendar, event_id)

    def add_guests(
        self, calendar: str, event: Event, guests: tuple[str, ...], stamp: str, send_updates: SendUpdates
    ) -> Event:
        written = self._calendars.add_guests(calendar, event, guests, stamp, send_updates)
        self._watch.accepted.append(time.perf_counter())
        return written

    def open_channel(self, channel: Channel, token: str) -> Channel:
        return self._calendars.open_channel(channel, token)

    def close_channel(self, channel: Channel) -> None:
        self._calendars.close_channel(channel)


class WatchedAccounts:
    """The Accounts port over watched calendars."""

    def __init__(self, accounts: Accounts, watch: Watch) -> None:
        self._accounts = accounts
        self._watch = watch

    def emails(self) -> tuple[str, ...]:
        return self._accounts.emails()

    def problems(self) -> tuple[str, ...]:
        return self._accounts.problems()

    def version(self, email: str) -> int:
        return self._accounts.version(email)

    def calendars(self, email: str) -> Calendars:
        return WatchedCalendars(self._accounts.calendars(email), self._watch)


def measure(*, quick: bool) -> list[Figure]:
    """Measure single pushes, bursts, and a push that lands during a sync."""
    with programs.google(ANNA, BOB, latency_ms=API_MS) as google, tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        programs.sign_in(directory, {ANNA: google.accounts[ANNA]})
        port = programs.free_port()
        settings = Settings(
            accounts=(AccountChoice(ANNA),),
            invite_emails=(BOB,),
            push_url=f"http://127.0.0.1:{port}/push",
            invites_per_hour=1000,
        )
        watch = Watch()
        engine, _ = house.built(
            directory,
            settings,
            calendar_api=google.calendar_api,
            token_uri=google.token_uri,
            watched=lambda accounts: WatchedAccounts(accounts, watch),
        )
        door = PushDoor(WatchedDoor(engine, watch), lambda: True)
        web = WebServer([Door("push door", door, "127.0.0.1", port, "CALBOT_PUSH_PORT")], SystemClock())
        web.start()
        engine.start()
        try:
            assert programs.until(lambda: _is_ready(engine), 20), "no push channel came up"
            return [
                *_single(google, watch, 10 if quick else 25),
                *_burst(google, watch, 50, 0.6),
                *_burst(google, watch, 200, 1.6),
                _during_a_sync(google, watch),
            ]
        finally:
            engine.stop()
            web.stop()


def _is_ready(engine: Engine) -> bool:
    accounts = engine.snapshot.accounts
    return bool(accounts) and all(
        calendar.last_success is not None and calendar.push == "healthy"
        for account in accounts
        for calendar in account.calendars
    )


def _event() -> dict[str, Any]:
    start = datetime.now(UTC) + timedelta(days=10)
    moments = {"start": start, "end": start + timedelta(hours=1)}
    return {"summary": "Dinner", **{name: {"dateTime": at.isoformat()} for name, at in moments.items()}}


def _floor(google: Google) -> list[float]:
    """How long a bare GET of one event takes, over a connection that is kept."""
    token = google("access_token", account=ANNA)
    event = google("events", calendar=ANNA)[0]["id"]
    pool = urllib3.PoolManager(retries=False)
    found = []
    for _ in range(26):
        began = time.perf_counter()
        url = f"{google.calendar_api}calendars/primary/events/{event}"
        answer = pool.request("GET", url, headers={"authorization": f"Bearer {token}"})
        found.append((time.perf_counter() - began) * 1000)
        assert answer.status == 200
    return found[1:]


def _single(google: Google, watch: Watch, samples: int) -> list[Figure]:
    found: list[float] = []
    operations: dict[str, int] = {}
    for _ in range(samples):
        time.sleep(APART)
        watch.reset()
        google("reset_calls")
        google("create_event", calendar=ANNA, body=_event())
        assert programs.until(lambda: watch.accepted, 5), "no invitation went out"
        found.append((watch.accepted[0] - watch.pushes[0]) * 1000)
        time.sleep(1)
        for operation, count in google("counters")["operations"].items():
            operations[operation] = operations.get(operation, 0) + count
    lists, patches = operations.get("events.list", 0), operations.get("events.patch", 0)
    bare = _floor(google)
    floor = f"two bare urllib3 calls {2 * figures.median(bare):.0f} (p95 {2 * figures.percentile(bare, 0.95):.0f}) ms"
    calls = sum(operations.values()) / samples
    return [
        Figure(
            name="push -> PATCH accepted, API 40 ms: p50",
            value=figures.median(found),
            unit="ms",
            goal=87,
            floor=floor,
            note=f"{samples} samples",
        ),
        Figure(
            name="push -> PATCH accepted, API 40 ms: p95",
            value=figures.percentile(found, 0.95),
            unit="ms",
            goal=100,
            floor=floor,
            note=f"slowest {max(found):.0f} ms",
        ),
        Figure(
            name="API calls for one new event, with its echo",
            value=calls,
            unit="calls",
            goal=3,
            floor="1 list + 1 patch, 1 list for the echo",
            note=f"{lists} lists, {patches} patches for {samples} events",
        ),
    ]


def _burst(google: Google, watch: Watch, count: int, goal: float) -> list[Figure]:
    """All events are there when the push comes; it is the last one's. `invites_per_hour` is 1000."""
    time.sleep(REFILL)
    watch.reset()
    google("reset_calls")
    first = (datetime.now(UTC) + timedelta(days=20)).isoformat()
    google("seed_events", calendar=ANNA, count=count - 1, first=first, prefix=f"burst{count}")
    google("create_event", calendar=ANNA, body=_event())
    assert programs.until(lambda: len(watch.accepted) >= count, 30), f"{len(watch.accepted)} of {count} invited"
    seconds = max(watch.accepted) - watch.pushes[0]
    time.sleep(4)
    operations = google("counters")["operations"]
    lists, patches = operations["events.list"], operations["events.patch"]
    name = f"burst of {count} new events, API 40 ms"
    rounds = -(-count // 8)
    return [
        Figure(
            name=f"{name}: last invited",
            value=seconds,
            unit="s",
            goal=goal,
            floor=f"1 list + {rounds} rounds of 8 slots {(rounds + 1) * API_MS / 1000:.2f} s",
            note="invites_per_hour 1000",
        ),
        Figure(
            name=f"{name}: patches per event",
            value=patches / count,
            unit="calls",
            goal=1,
            note=f"{patches} patches, {sum(operations.values()) - patches - lists} other calls",
        ),
        Figure(
            name=f"{name}: lists with the echo",
            value=lists,
            unit="calls",
            goal=2,
            floor="1 for the burst, 1 for its echo",
            note=f"{len(watch.pushes)} pushes came",
        ),
    ]


def _during_a_sync(google: Google, watch: Watch) -> Figure:
    """Three pushes land while a list is under way; the events are edited, so that no PATCH adds a push of its own."""
    time.sleep(REFILL)
    event = google("events", calendar=ANNA)[0]["id"]
    google("set_latency", milliseconds=500, operation="events.list")
    google("reset_calls")
    google("edit_event", calendar=ANNA, event=event, changes={"location": "Here"})
    time.sleep(0.2)
    for place in ("There", "Elsewhere", "At home"):
        google("edit_event", calendar=ANNA, event=event, changes={"location": place})
    time.sleep(4)
    operations = google("counters")["operations"]
    google("set_latency", milliseconds=API_MS, operation="events.list")
    return Figure(
        name="lists for a push, with 3 more during its sync",
        value=operations["events.list"],
        unit="calls",
        goal=2,
        floor="1 + exactly 1 more",
        note=f"{operations.get('events.patch', 0)} patches",
    )


def main() -> int:
    """Measure and tell."""
    parser = argparse.ArgumentParser(prog="python -m bench.latency", description=__doc__)
    parser.add_argument("--quick", action="store_true")
    figures.told(measure(quick=parser.parse_args().quick))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
