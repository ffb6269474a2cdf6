"""The units of systemd: taken by systemd itself, locked in, and what they start starts, serves and stops in time."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from addon import app, stopping
from addon.commands import calbot
from tests.service.running import ROOT, Service, house, wait_for
from tests.standalone.composing import FOLDER

UNITS = {name: (FOLDER / name).read_text("utf-8") for name in ("calbot.service", "calbot-monitor.service")}
TREE, PYTHON = "/opt/calbot", "/opt/calbot/.venv/bin/python"
LARGEST_EXPOSURE = 2.0
"""Of ten, as systemd counts; a unit that locks nothing in has 9.6."""
DENY_NEW_CODE = "import ctypes, os, sys; ctypes.CDLL(None).prctl(65, 1, 0, 0, 0); os.execv(sys.argv[1], sys.argv[1:])"
"""What MemoryDenyWriteExecute does, by the kernel's own switch (PR_SET_MDWE, Linux 6.3; an older one ignores it)."""


# The rules


def analysed(verb: str, name: str, text: str, folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """What systemd says about a unit whose program is there."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not there; Debian has it in the package systemd")
    file = folder / name
    file.write_text(text.replace(PYTHON, sys.executable))
    command = ["systemd-analyze", verb, *more, str(file)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def complaints(name: str, text: str, folder: Path) -> str:
    """What systemd would log about a unit; nothing when it is content."""
    done = analysed("verify", name, text, folder, "--man=no")
    return done.stdout + done.stderr + ("" if done.returncode == 0 else "refused")


def exposure(name: str, text: str, folder: Path) -> float:
    """How open a unit is, of ten, as systemd counts."""
    done = analysed("security", name, text, folder, "--offline=true", "--no-pager")
    found = re.search(r"exposure level for \S+: ([\d.]+)", done.stdout)
    assert found is not None, done.stdout + done.stderr
    return float(found[1])


def settings(text: str) -> dict[str, str]:
    """The keys of a unit with their values; of a key that is there twice, all of them."""
    found: dict[str, str] = {}
    for key, value in re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE):
        found[key] = f"{found[key]} {value}".strip() if key in found else value
    return found


def environment(text: str, states: Path) -> dict[str, str]:
    """The variables that a unit sets, its state directories below another folder, this code for the installed."""
    words = settings(text)["Environment"].replace("%S", str(states)).split()
    given = dict(word.split("=", 1) for word in words)
    return {name: str(ROOT) if value == TREE else value for name, value in given.items()}


def command(text: str) -> list[str]:
    """What a unit starts, with this Python for the installed one."""
    program, *words = settings(text)["ExecStart"].split()
    return [sys.executable if program == PYTHON else program, *words]


# What is there


@pytest.mark.parametrize("name", UNITS)
def test_systemd_takes_the_unit(name: str, tmp_path: Path) -> None:
    """Every key is known to it, every value understood, and the program is one."""
    assert complaints(name, UNITS[name], tmp_path) == ""


@pytest.mark.parametrize("name", UNITS)
def test_the_unit_is_locked_in(name: str, tmp_path: Path) -> None:
    """No capability, no device, nothing of the machine to write but its own state."""
    unit = settings(UNITS[name])

    assert exposure(name, UNITS[name], tmp_path) <= LARGEST_EXPOSURE
    assert (unit["CapabilityBoundingSet"], unit["AmbientCapabilities"], unit["User"]) == ("", "", "calbot")
    assert (unit["ProtectSystem"], unit["NoNewPrivileges"], unit["UMask"]) == ("strict", "yes", "0077")
    assert "ReadWritePaths" not in unit


def test_only_calbot_writes_to_its_data() -> None:
    """The monitor finds the data beside its own, and may only read there."""
    watched, monitor = (settings(text) for text in UNITS.values())

    assert (watched["StateDirectory"], monitor["StateDirectory"]) == ("calbot", "calbot-monitor")
    assert "CALBOT_DATA=%S/calbot" in watched["Environment"].split()
    assert "CALBOT_DATA=%S/calbot" in monitor["Environment"].split()
    assert "MONITOR_STATUS_FILE=%S/calbot-monitor/status.json" in monitor["Environment"].split()


@pytest.mark.parametrize("name", UNITS)
def test_a_fault_starts_it_again_and_a_wrong_option_does_not(name: str) -> None:
    """The exit codes are the program's; a stop has more time than Calbot takes."""
    unit = settings(UNITS[name])

    assert (unit["Restart"], unit["RestartPreventExitStatus"]) == ("on-failure", str(app.USAGE))
    assert int(unit["TimeoutStopSec"]) > 2 * stopping.PATIENCE
    assert set(command(UNITS[name])[3:]) <= set(calbot.commands)


@pytest.mark.parametrize("name", UNITS)
def test_the_password_file_is_read_and_may_be_missing(name: str) -> None:
    """What is secret stands in one file for both, and not in the unit, which everybody may read."""
    assert settings(UNITS[name])["EnvironmentFile"] == "-/etc/calbot/env"


def test_what_the_unit_starts_serves_and_stops_in_time(tmp_path: Path) -> None:
    """With the unit's environment and nothing else: it watches, answers on /live, and ends with 0 within its time."""
    text = UNITS["calbot.service"]
    given = environment(text, tmp_path)
    with house(Path(given["CALBOT_DATA"])) as (service, _, _):
        google = {name: value for name, value in service.environment().items() if name.startswith("CALBOT_")}
        _started(service, command(text), {**google, **given})
        wait_for(service.is_watching, 20, "watching")

        answer, (code, seconds) = service.get("/live"), service.stop()

        assert answer == (200, "alive\n")
        assert (code, seconds < int(settings(text)["TimeoutStopSec"])) == (0, True), service.log()
        assert not [path for path in service.data.rglob("calbot.db*") if path.stat().st_mode & 0o077]


def test_a_wrong_option_ends_it_with_the_code_that_the_unit_knows(tmp_path: Path) -> None:
    """So systemd leaves it ended, and the journal has the sentence."""
    text = UNITS["calbot.service"]
    with house(tmp_path / "calbot", poll_interval="often") as (service, _, _):
        _started(service, command(text), environment(text, tmp_path))
        assert service.process is not None

        code = service.process.wait(20)

        assert str(code) == settings(text)["RestartPreventExitStatus"]
        assert "poll_interval" in service.log()


def _started(service: Service, words: list[str], given: Mapping[str, str]) -> None:
    """Start a unit's command as systemd would: its umask, no new rights, no memory that is written and then run."""
    unit = settings(UNITS["calbot.service"])
    locked = [sys.executable, "-c", DENY_NEW_CODE] if unit["MemoryDenyWriteExecute"] == "yes" else []
    if os.geteuid() == 0 and shutil.which("setpriv"):
        locked = ["setpriv", "--no-new-privs", "--inh-caps=-all", *locked]
    with (service.data / "log").open("ab") as log:
        service.process = subprocess.Popen(
            [*locked, *words],
            cwd=service.data,
            env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", **given},
            umask=int(unit["UMask"], 8),
            stdout=log,
            stderr=log,
        )


# Each rule can fail


def test_planted_units_are_refused(tmp_path: Path) -> None:
    """A key with a slip of the pen, values that mean nothing, a program that is not there."""
    good = UNITS["calbot.service"]
    planted = [
        good.replace("RestartSec=10", "RestartSecs=10"),
        good.replace("ProtectSystem=strict", "ProtectSystem=strictly"),
        good.replace("Type=exec", "Type=simply"),
        good.replace("SystemCallFilter=@system-service", "SystemCallFilter=@everything-useful"),
        good.replace(PYTHON, "/opt/calbot/nothing"),
        good.replace("MemoryMax=512M", "MemoryMax=plenty"),
    ]

    assert [number for number, text in enumerate(planted) if not complaints("calbot.service", text, tmp_path)] == []


def test_planted_holes_raise_the_figure(tmp_path: Path) -> None:
    """Without its locks a unit is far above the bound; each of the larger ones counts."""
    good = UNITS["calbot.service"]
    locks = r"^(Protect|Private|Restrict|Capability|System|Memory|No|Lock|Device).*\n"
    open_wide = re.sub(locks, "", good, flags=re.MULTILINE)
    before = exposure("calbot.service", good, tmp_path)

    assert exposure("calbot.service", open_wide, tmp_path) > 3 * LARGEST_EXPOSURE
    for key in ("CapabilityBoundingSet", "SystemCallFilter", "ProtectSystem", "User"):
        less = re.sub(rf"^{key}=.*\n", "", good, flags=re.MULTILINE)
        assert exposure("calbot.service", less, tmp_path) > before
