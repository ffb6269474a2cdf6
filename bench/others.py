"""The benchmarks that stand alone, `bench.mqtt` and `bench.push_door`, as figures of the one table."""

import argparse
import os
import re
import subprocess
import sys

from bench import figures, mqtt, programs
from bench.figures import Figure

_RATE = re.compile(r"^(push door|empty Flask view)\s+([\d.]+) requests/s", re.MULTILINE)


def commands(*, quick: bool) -> list[Figure]:
    """A command over MQTT, beside a tuned bare echo and one durable commit."""
    rows = {row.what: row for row in mqtt.measure(150 if quick else mqtt.SAMPLES)}
    echo, commit = rows["bare echo, there and back"], rows["one durable commit"]
    answer = rows["command to accepted"]
    note = f"{answer.samples} samples, turn about"
    return [
        Figure(
            name="MQTT command -> acknowledged: p50",
            value=answer.p50,
            unit="ms",
            goal=echo.p50 + commit.p50 + 1,
            floor=f"bare echo {echo.p50:.2f} + commit {commit.p50:.2f} ms; the goal is 1 ms more",
            note=note,
        ),
        Figure(
            name="MQTT command -> acknowledged: p95",
            value=answer.p95,
            unit="ms",
            goal=10,
            floor=f"bare echo {echo.p95:.2f} + commit {commit.p95:.2f} ms",
            note=note,
        ),
    ]


def push_door(*, quick: bool) -> list[Figure]:
    """Throughput of the push door beside an empty Flask view on the same waitress."""
    told = _told("bench.push_door", CALBOT_BENCH_SECONDS="1" if quick else "3")
    rates = {name: float(rate) for name, rate in _RATE.findall(told)}
    return [
        Figure(
            name="push door throughput / empty Flask view",
            value=float(_found(r"^ratio ([\d.]+)", told)),
            unit="x",
            goal=0.8,
            least=True,
            floor=f"empty Flask view {rates['empty Flask view']:.0f} requests/s",
            note=f"push door {rates['push door']:.0f} requests/s",
        )
    ]


def _found(pattern: str, told: str) -> str:
    found = re.search(pattern, told, re.MULTILINE)
    assert found is not None, f"no {pattern} in: {told}"
    return found[1]


def _told(module: str, *arguments: str, **environ: str) -> str:
    """Run a module and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=programs.ROOT,
        env={**os.environ, **environ},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
        timeout=300,
    )
    return done.stdout


def main() -> int:
    """Measure and tell."""
    parser = argparse.ArgumentParser(prog="python -m bench.others", description=__doc__)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    figures.told([*commands(quick=quick), *push_door(quick=quick)])
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
