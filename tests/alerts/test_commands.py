"""`calbot alerts` where no service runs: the store tells what stands and keeps what is known; tests go from here."""

import json
from pathlib import Path

import click
import msgspec
import pytest
from click.testing import CliRunner, Result

from addon.alertcommands import alerts
from addon.alerts.judge import Memory, Trouble
from calbot import cli
from calbot.clock import SystemClock, SystemRandom
from calbot.commandline.local import Here
from calbot.store import switches
from calbot.store.database import Database
from tests.alerts import receivers
from tests.household import ANNA, NOON

DISK = Trouble(kind="disk", text="The disk is full.\nFree some space.", since=NOON, seen=NOON, raised=NOON, told=True)
SIGN_IN = Trouble(kind="sign_in", subject=ANNA, text="Sign in again.", since=NOON, seen=NOON, raised=NOON)
SOON = Trouble(kind="sync", text="It may pass.", since=NOON, seen=NOON)


class Terminal:
    """Anna at a terminal in a data directory that no service works in."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.environ = {"CALBOT_DATA": str(data), "TZ": "Europe/Berlin"}

    def options(self, *ways: object) -> None:
        """Name these ways."""
        (self.data / "options.json").write_text(json.dumps({"alerts": list(ways)}))

    def keep(self, *troubles: Trouble) -> None:
        """Let a run before have left this."""
        database = Database(self.data)
        database.open()
        with database.write() as tx:
            switches.remember(tx, "alerts", msgspec.json.encode(Memory(troubles=troubles)).decode())
        database.close()

    def run(self, *words: str) -> Result:
        """Run a command to its end."""
        group = cli.Group(commands={"alerts": alerts})
        here = Here(self.environ, SystemClock(), SystemRandom())
        with click.Context(click.Command("terminal"), obj=here) as above:
            return CliRunner().invoke(group, ["alerts", *words], prog_name="calbot", parent=above)


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    """A terminal."""
    return Terminal(tmp_path)


def test_what_stands_is_listed(terminal: Terminal) -> None:
    """By its id, since when, what it is, and whether people know; what is not an alert yet is not."""
    terminal.keep(DISK, SIGN_IN, SOON)

    shown = terminal.run()
    plain = json.loads(terminal.run("--json").stdout)

    assert shown.exit_code == 0 and shown.stdout.splitlines() == [
        "disk: since 2026-11-20 13:00",
        "  The disk is full.",
        "  Free some space.",
        f"sign_in:{ANNA}: since 2026-11-20 13:00, not told yet",
        "  Sign in again.",
    ]
    assert [(one["id"], one["since"], one["told"], one["acknowledged"]) for one in plain["alerts"]] == [
        ("disk", "2026-11-20T12:00:00+00:00", True, False),
        (f"sign_in:{ANNA}", "2026-11-20T12:00:00+00:00", False, False),
    ]


def test_nothing_stands(terminal: Terminal) -> None:
    """In a directory that was used, and in one that never was."""
    never = terminal.run()
    terminal.keep()

    assert never.exit_code == 1 and "There is no store" in never.stderr
    assert terminal.run().stdout == "No alert stands.\n" and terminal.run("--json").exit_code == 0


def test_an_alert_is_acknowledged_in_the_store(terminal: Terminal) -> None:
    """One, or all; it stands on. One that is not there is exit 4, and naming none is a mistake of use."""
    terminal.keep(DISK, SIGN_IN, SOON)

    one = terminal.run("ack", "disk")
    after = json.loads(terminal.run("--json").stdout)["alerts"]
    gone = terminal.run("ack", "sync")
    every = json.loads(terminal.run("ack", "--all", "--json").stdout)

    assert one.exit_code == 0 and "not told again" in one.stdout
    assert [alert["acknowledged"] for alert in after] == [True, False]
    assert gone.exit_code == 4 and "There is no alert sync" in gone.stderr
    assert every["status"] == "ok" and "acknowledged" in terminal.run().stdout.splitlines()[3]
    assert terminal.run("ack").exit_code == terminal.run("ack", "disk", "--all").exit_code == 2


def test_a_test_goes_out_by_every_way(terminal: Terminal) -> None:
    """And it is said of each whether it arrived: exit 0 for all, 5 for some, 1 for none, 2 where no way is named."""
    with receivers.web() as well, receivers.web() as broken:
        broken.status = 500
        good, bad = {"url": f"json://{well.host}/hook"}, {"url": f"form://u:hunter2hunter2@{broken.host}/"}
        terminal.options(good, {"url": good["url"] + "/2"})
        every = terminal.run("test")
        terminal.options(good, bad, {"gmail": {"from": ANNA}})
        some, plain = terminal.run("test"), json.loads(terminal.run("test", "--json").stdout)
        terminal.options(bad)
        none = terminal.run("test")
        terminal.options()
        unset = terminal.run("test")

    assert (every.exit_code, some.exit_code, none.exit_code, unset.exit_code) == (0, 5, 1, 2)
    assert every.stdout == "ok      json\nok      json 2\n" and len(well.got) == 4
    assert some.stdout.startswith("ok      json\nFAILED  form: ") and f"calbot accounts mail {ANNA}" in some.stdout
    assert plain["data"]["json"] == "ok" and "500" in plain["data"]["form"] and plain["status"] == "partial"
    assert "alerts" in unset.stderr and "hunter2" not in f"{some.output}{none.output}{plain}"
