"""The benchmarks that speak for themselves, `bench.mqtt` and `bench.push_door`, as figures of the one table."""

import os
import re
import subprocess
import sys

from bench import programs
from bench.figures import Figure

_RATE = re.compile(r"^(push door|empty Flask view)\s+([\d.]+) requests/s", re.MULTILINE)


def push_door(*, quick: bool) -> list[Figure]:
    """Throughput of the push door beside an empty Flask view on the same waitress."""
    told = _told("bench.push_door", CALBOT_BENCH_SECONDS="1" if quick else "3")
    rates = {name: float(rate) for name, rate in _RATE.findall(told)}
    return [
        Figure(
            name="push door throughput / empty Flask view",
            value=rates["push door"] / rates["empty Flask view"],
            unit="x",
            goal=0.8,
            least=True,
            floor=f"empty Flask view {rates['empty Flask view']:.0f} requests/s",
            note=f"push door {rates['push door']:.0f} requests/s",
        )
    ]


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
