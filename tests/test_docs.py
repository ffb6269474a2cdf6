"""DOCS.md tells the truth: what it shows of the command line is what the commands print on the demo's events."""

import re
import shlex
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from tests.cli.terminal import Terminal, beside
from tests.demo import TITLES, happening
from tests.household import NOON
from tests.simulation.simulation import Simulation

Simulate = Callable[..., Simulation]
DOCS = Path(__file__).parent.parent / "DOCS.md"
BERLIN = ZoneInfo("Europe/Berlin")


def told(text: str) -> list[tuple[str, str]]:
    """The commands in the fenced blocks of a page, each with what it prints."""
    blocks = re.findall(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    parts = [part for block in blocks for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]]
    return [(command, printed) for command, _, printed in (part.partition("\n") for part in parts)]


def demo(simulation: Simulation) -> Terminal:
    """The demo's first four events: two were there before Calbot, two came after it."""
    now = datetime.fromtimestamp(NOON, BERLIN)
    for number, title in enumerate(TITLES[:4]):
        if number == 2:
            simulation.until_quiet()
        simulation.create(**happening(title, number, now)[1])
        if number >= 2:
            simulation.until_quiet()
    return beside(simulation)


def test_what_the_documentation_shows_is_what_is_printed(simulate: Simulate) -> None:
    """Byte for byte, in the order of the page, and none of the three is left out."""
    terminal = demo(simulate())
    shown = told(DOCS.read_text("utf-8"))

    printed = [(command, terminal.run(*shlex.split(command)[1:]).output) for command, _ in shown]

    assert printed == shown
    assert {command.split()[1] for command, _ in shown} >= {"preview", "explain", "undo"}


def test_a_planted_untruth_is_found() -> None:
    """A block that shows another output is not what is printed; other blocks are left alone."""
    page = "```console\n$ calbot version\n1.0\n$ calbot preview\nNothing.\n```\n```yaml\n$ no\n```\n"

    assert told(page) == [("calbot version", "1.0\n"), ("calbot preview", "Nothing.\n")]
