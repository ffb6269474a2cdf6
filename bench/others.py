"""The benchmarks that stand alone, `bench.mqtt` and `bench.push_door`, as figures of the one table."""

import argparse
import os
import re
import subprocess
import sys

from bench import figures, programs
from bench.figures import Figure

_RATE = re.compile(r"^(push door|empty Flask view)\s+([\d.]+) requests/s", re.MULTILINE)


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
    figures.told(push_door(quick=quick))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
