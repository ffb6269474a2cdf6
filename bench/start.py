"""From the start of the process to `online` on MQTT, and the memory of an idle service with two accounts.

A real broker and the fake Google run beside it; both doors are open and push channels are up.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench import figures, household, programs
from bench.figures import Figure, Memory
from bench.programs import Google
from tests import kuma

ANNA, BOB = "anna@example.com", "bob@example.com"
OPTIONS = {"invite_emails": ["carol@example.com"]}
IDLE_SECONDS = 60.0
EVENTS = 200
PACKAGES = (
    "",
    "msgspec",
    "urllib3",
    "google.oauth2.credentials, google.auth.transport.urllib3",
    "googleapiclient.discovery",
    "tenacity",
    "calbot.engine",
    "calbot.google.accounts",
    "paho.mqtt.client",
    "waitress",
    "flask",
    "addon.app",
)


def measure(*, quick: bool) -> list[Figure]:
    """Measure start and memory; quick ones idle for a quarter of the minute."""
    with programs.google(ANNA, BOB) as google:
        for account in (ANNA, BOB):
            google("seed_events", calendar=account, count=EVENTS)
        starts = [_start(google) for _ in range(3 if quick else 7)]
        again = _again(google, 3 if quick else 7)
        idle = _idle(google, IDLE_SECONDS / 4 if quick else IDLE_SECONDS)
    bare = _imported("")
    everything = _imported("addon.app")
    floor = f"bare Python {bare[0]:.0f} ms, import addon.app {everything[0]:.0f} ms"
    memory = f"bare Python {bare[1].resident:.0f}, import addon.app {everything[1].resident:.0f} MiB"
    return [
        Figure(
            name="start -> online on MQTT, empty data directory",
            value=statistics.median(starts),
            unit="s",
            goal=1.0,
            floor=floor,
            note=f"median of {len(starts)}, slowest {max(starts):.2f} s",
        ),
        Figure(
            name="start -> online on MQTT, again",
            value=statistics.median(again),
            unit="s",
            goal=1.0,
            floor=floor,
            note=f"median of {len(again)}, slowest {max(again):.2f} s",
        ),
        Figure(
            name="idle memory, two accounts: RSS",
            value=idle.resident,
            unit="MiB",
            goal=64,
            floor=memory,
            note=f"at most {idle.highest:.1f} MiB",
        ),
        Figure(
            name="idle memory, two accounts: PSS",
            value=idle.share,
            unit="MiB",
            goal=64,
            floor=f"bare Python {bare[1].share:.0f}, import addon.app {everything[1].share:.0f} MiB",
        ),
    ]


def imports() -> list[Figure]:
    """Tell what each of the main packages costs, imported alone into a bare process."""
    bare = _imported("")
    found = []
    for names in PACKAGES:
        cost = _imported(names)
        found.append(
            Figure(
                name=f"import {names or 'nothing (bare Python)'}",
                value=cost[1].resident - (bare[1].resident if names else 0),
                unit="MiB",
                note=f"{cost[0] - (bare[0] if names else 0):.0f} ms",
            )
        )
    return found


def _imported(names: str) -> tuple[float, Memory]:
    """Milliseconds of a whole process (median of 5) and its memory, with these imports and no others."""
    code = f"import {names}\n" if names else ""
    code += "import sys; print(open('/proc/self/status').read(), open('/proc/self/smaps_rollup').read())"
    times, told = [], ""
    for _ in range(5):
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=programs.ROOT,
            stdout=subprocess.PIPE,
            check=True,
            text=True,
            timeout=60,
        )
        times.append((time.perf_counter() - began) * 1000)
        told = done.stdout
    return statistics.median(times), figures.memory_told(told)


def _start(google: Google, data: Path | None = None) -> float:
    with household.calbot(
        accounts=google.accounts,
        calendar_api=google.calendar_api,
        token_uri=google.token_uri,
        options=OPTIONS,
        data=data,
    ) as service:
        assert programs.until(service.is_online, 20), "it did not come online"
        return service.seconds_to_online


def _again(google: Google, times: int) -> list[float]:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        _start(google, Path(folder))
        return [_start(google, Path(folder)) for _ in range(times)]


def _idle(google: Google, seconds: float) -> Memory:
    """Tell the memory with all that can be on, but apprise: push, panel, MQTT, report, heartbeat, mail by Gmail."""
    with (
        kuma.monitor() as monitor,
        household.calbot(
            accounts=google.accounts,
            calendar_api=google.calendar_api,
            token_uri=google.token_uri,
            options={
                **OPTIONS,
                "report_at": "07:00",
                "heartbeat_url": monitor.url(),
                "alerts": [{"gmail": {"from": ANNA}}],
            },
            push_url="",
        ) as service,
    ):
        assert programs.until(service.is_online, 20), "it did not come online"
        assert programs.until(service.health, 20, every=0.2), "its panel does not answer"
        time.sleep(seconds)
        return figures.memory(service.pid)


def main() -> int:
    """Measure and tell; `--imports` tells the packages instead."""
    parser = argparse.ArgumentParser(prog="python -m bench.start", description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--imports", action="store_true")
    options = parser.parse_args()
    figures.told(imports() if options.imports else measure(quick=options.quick))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
