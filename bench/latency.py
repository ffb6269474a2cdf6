"""From a push to the invitation, Google taking 40 ms for every call: one event, and bursts of 50 and 200.

All of Calbot runs in one process, the fake Google in another. Pushes go through a relay in this one, which
notes when it sends a push on to Calbot's push door: the push counts as received then. An invitation counts as
accepted 40 ms after the PATCH reached Google, when its answer leaves. Samples are 4 s apart: pushes are
allowed ten syncs at once and then one a second, and the echo of our own PATCH takes one too.
"""

import argparse
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from bench import figures, floors, household, programs
from bench.figures import Figure
from bench.household import Calbot
from bench.programs import Google
from bench.relay import Relay, pushes

ANNA, BOB = "anna@example.com", "bob@example.com"
API_MS = 40.0
APART = 4.0
REFILL = 4.0


def measure(*, quick: bool) -> list[Figure]:
    """Measure single pushes, bursts, and a push that lands during a sync."""
    with programs.google(ANNA, BOB, latency_ms=API_MS) as google, pushes() as relay:
        options = {"invite_emails": [BOB], "limits": {"invites_per_hour": 1000}}
        with household.calbot(
            accounts={ANNA: google.accounts[ANNA]},
            calendar_api=google.calendar_api,
            token_uri=google.token_uri,
            options=options,
            push_url=relay.url,
        ) as service:
            relay.door = service.push_port
            assert programs.until(lambda: _pushes_come(service, google, relay), 30, every=1), "no push comes"
            return [
                *_single(google, relay, 10 if quick else 25),
                *_burst(google, relay, 50, 0.6),
                *_burst(google, relay, 200, 1.6),
                _during_a_sync(google),
            ]


def _pushes_come(service: Calbot, google: Google, relay: Relay) -> bool:
    """Make an event, so that there is a push; it is invited to, which warms everything up."""
    google("create_event", calendar=ANNA, body=_event())
    return service.is_online() and programs.until(lambda: relay.passed and _accepted(google), 3)


def _event() -> dict[str, Any]:
    start = datetime.now(UTC) + timedelta(days=10)
    moments = {"start": start, "end": start + timedelta(hours=1)}
    return {"summary": "Dinner", **{name: {"dateTime": at.isoformat()} for name, at in moments.items()}}


def _accepted(google: Google) -> list[float]:
    """Return when each PATCH was accepted, in epoch seconds."""
    patches = [call for call in google("calls") if call["operation"] == "events.patch"]
    return [call["time"] + API_MS / 1000 for call in patches if call["status"] == 200]


def _counted(google: Google) -> dict[str, int]:
    found: dict[str, int] = google("counters")["operations"]
    return found


def _single(google: Google, relay: Relay, samples: int) -> list[Figure]:
    found: list[float] = []
    operations: dict[str, int] = {}
    for _ in range(samples):
        time.sleep(APART - 1)
        relay.passed.clear()
        google("reset_calls")
        google("create_event", calendar=ANNA, body=_event())
        time.sleep(1)
        accepted = _accepted(google)
        assert len(accepted) == 1, f"{len(accepted)} invitations for one event"
        found.append((accepted[0] - relay.passed[0]) * 1000)
        for operation, count in _counted(google).items():
            operations[operation] = operations.get(operation, 0) + count
    lists, patches = operations.get("events.list", 0), operations.get("events.patch", 0)
    read_and_write = floors.read_and_write(google, ANNA, 0.5, 0.95)
    return [
        Figure(
            name="push -> PATCH accepted, API 40 ms: p50",
            value=figures.median(found),
            unit="ms",
            goal=87,
            floor=read_and_write[0],
            note=f"{samples} samples, fastest {min(found):.0f} ms",
        ),
        Figure(
            name="push -> PATCH accepted, API 40 ms: p95",
            value=figures.percentile(found, 0.95),
            unit="ms",
            goal=100,
            floor=read_and_write[1],
            note=f"slowest {max(found):.0f} ms",
        ),
        Figure(
            name="API calls for one new event, with its echo",
            value=sum(operations.values()) / samples,
            unit="calls",
            goal=3,
            floor="1 list, 1 patch, 1 list for the echo",
            note=f"{lists} lists, {patches} patches for {samples} events",
        ),
    ]


def _burst(google: Google, relay: Relay, count: int, goal: float) -> list[Figure]:
    """All events are there when the push comes; it is the last one's. `invites_per_hour` is 1000."""
    time.sleep(REFILL)
    first = (datetime.now(UTC) + timedelta(days=20)).isoformat()
    relay.passed.clear()
    google("reset_calls")
    google("seed_events", calendar=ANNA, count=count - 1, first=first, prefix=f"burst{count}")
    google("create_event", calendar=ANNA, body=_event())
    time.sleep(goal)
    assert programs.until(lambda: len(_accepted(google)) >= count, 30, every=0.2), "some were not invited"
    seconds = max(_accepted(google)) - relay.passed[0]
    time.sleep(4)
    operations = _counted(google)
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
            name=f"{name}: patches for each event",
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
            note=f"{len(relay.passed)} pushes came",
        ),
    ]


def _during_a_sync(google: Google) -> Figure:
    """Three pushes land while a list is under way; they tell of an event with all its guests: no PATCH."""
    time.sleep(REFILL)
    event = google("events", calendar=ANNA)[-1]["id"]
    google("set", operation_latency={"events.list": 0.5})
    google("reset_calls")
    google("edit_event", calendar=ANNA, event=event, changes={"location": "Here"})
    time.sleep(0.2)
    for place in ("There", "Elsewhere", "At home"):
        google("edit_event", calendar=ANNA, event=event, changes={"location": place})
    time.sleep(4)
    operations = _counted(google)
    google("set", operation_latency={})
    return Figure(
        name="lists for a push, with 3 more during its sync",
        value=operations["events.list"],
        unit="calls",
        goal=2,
        floor="1 + exactly 1 more",
        note=f"others: {({name: n for name, n in operations.items() if name != 'events.list'}) or 'none'}",
    )


def main() -> int:
    """Measure and tell."""
    parser = argparse.ArgumentParser(prog="python -m bench.latency", description=__doc__)
    parser.add_argument("--quick", action="store_true")
    figures.told(measure(quick=parser.parse_args().quick))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
