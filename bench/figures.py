"""What a benchmark found: a figure, its goal, and the floor beside it; how that is told in a table."""

import os
import re
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One number of SPEC §14. `goal` None: it is only told; `least`: the goal is the least, not the most."""

    name: str
    value: float
    unit: str
    goal: float | None = None
    least: bool = False
    floor: str = ""
    note: str = ""

    @property
    def hit(self) -> bool | None:
        """Whether the goal is met; None without a goal."""
        if self.goal is None:
            return None
        return self.value >= self.goal if self.least else self.value <= self.goal


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """A process's memory in MiB: resident now, at its highest, and its share of what it shares."""

    resident: float
    highest: float
    share: float


def memory(pid: int | None = None) -> Memory:
    """Return the memory of a process; of this one without `pid`."""
    folder = Path("/proc") / str(pid or os.getpid())
    return memory_told((folder / "status").read_text() + (folder / "smaps_rollup").read_text())


def memory_told(text: str) -> Memory:
    """Return the memory that a process's `status` and `smaps_rollup` tell."""
    return Memory(resident=_kib(text, "VmRSS"), highest=_kib(text, "VmHWM"), share=_kib(text, "Pss"))


def _kib(text: str, name: str) -> float:
    found = re.search(rf"^{name}:\s+(\d+) kB", text, re.MULTILINE)
    assert found is not None, f"{name} is not told"
    return int(found[1]) / 1024


def cpu_seconds(pid: int) -> float:
    """Return the processor time that a process has used."""
    fields = (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def percentile(values: Iterable[float], part: float) -> float:
    """Return the value below which `part` (0..1) of them lie, the nearest one."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(part * (len(ordered) - 1)))]


def median(values: Sequence[float]) -> float:
    """Return the middle one."""
    return statistics.median(values)


def told(figures: Sequence[Figure]) -> None:
    """Print figures for the process that started this one, or for a person."""
    if os.environ.get("BENCH_JSON") == "1":
        print(msgspec.json.encode(figures).decode(), flush=True)
    else:
        print(table(figures), flush=True)


def read(line: bytes | str) -> list[Figure]:
    """Read what `told` printed."""
    return msgspec.json.decode(line, type=list[Figure])


def table(figures: Sequence[Figure]) -> str:
    """Return the figures as a table for people."""
    head = ("figure", "measured", "goal", "", "floor in this run", "note")
    rows = [head, *(_row(figure) for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    rows.insert(1, tuple("-" * width for width in widths))
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _row(figure: Figure) -> tuple[str, ...]:
    sign = ">=" if figure.least else "<="
    goal = "" if figure.goal is None else f"{sign} {_number(figure.goal)} {figure.unit}"
    verdict = {None: "", True: "hit", False: "MISS"}[figure.hit]
    return (figure.name, f"{_number(figure.value)} {figure.unit}", goal, verdict, figure.floor, figure.note)


def _number(value: float) -> str:
    return f"{value:.0f}" if value == int(value) or abs(value) >= 100 else f"{value:.3g}"
