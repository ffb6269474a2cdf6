"""The numbers of SPEC §14, measured side by side: each part in a fresh process, one table at the end."""

import argparse
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import msgspec

from bench import figures, programs
from bench.figures import Figure

PARTS = ("full_sync", "latency", "mirrors", "start", "idle", "others")


def main() -> int:
    """Run the parts; 1 when one of them failed, or with `--strict` when a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer samples, under 3 minutes")
    parser.add_argument("--strict", action="store_true", help="exit with 1 when a goal is missed")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    parser.add_argument("--part", action="append", choices=PARTS, help="only this one; may be given again")
    options = parser.parse_args()
    began = time.monotonic()
    found: list[Figure] = []
    failed: list[str] = []
    for part in options.part or PARTS:
        print(f"{part} …", file=sys.stderr, flush=True)
        figures_of_part = _run(part, quick=options.quick)
        failed += [part] if figures_of_part is None else []
        found += figures_of_part or []
    print(figures.table(found))
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    print(
        f"\nPython {platform.python_version()}, {os.cpu_count()} cores, load {load}, "
        f"{time.monotonic() - began:.0f} s{', quick' if options.quick else ''}"
    )
    if failed:
        print(f"These parts failed: {', '.join(failed)}.")
    if options.json:
        options.json.write_bytes(msgspec.json.format(msgspec.json.encode(found)))
    missed = any(figure.hit is False for figure in found)
    return 1 if failed or (options.strict and missed) else 0


def _run(part: str, *, quick: bool) -> list[Figure] | None:
    """Run one part; None when it fails, whose own words are on standard error."""
    command = [sys.executable, "-m", f"bench.{part}", *(["--quick"] if quick else [])]
    environ = {**os.environ, "BENCH_JSON": "1"}
    try:
        done = subprocess.run(command, cwd=programs.ROOT, env=environ, stdout=subprocess.PIPE, check=True, timeout=900)
    except subprocess.SubprocessError as error:
        print(error, file=sys.stderr)
        return None
    return figures.read(done.stdout)


if __name__ == "__main__":
    raise SystemExit(main())
