"""The image as Home Assistant runs it: unprivileged, read-only, small, and quick to stop."""

import http.client
import json
import os
import re
import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path
from threading import Event

import pytest

from tests.container.conftest import Household
from tests.container.engine import APP, SUPERVISOR, Container
from tests.service.running import ANNA, BOB, wait_for

pytestmark = pytest.mark.container


def ask(path: str, source: str = "127.0.0.1") -> int:
    """Ask the panel door from an address; return the status, 0 when nobody is there."""
    target = "127.0.0.1" if source == "127.0.0.1" else APP
    door = http.client.HTTPConnection(target, 8099, timeout=5, source_address=(source, 0))
    try:
        door.request("GET", path)
        return door.getresponse().status
    except OSError:
        return 0
    finally:
        door.close()


def status(process: int) -> dict[str, str]:
    """Return what the kernel says about a process."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return {name: value.strip() for name, value in (line.split(":", 1) for line in lines)}


def is_watching() -> bool:
    """Say whether the door tells of a good look at every calendar."""
    door = http.client.HTTPConnection("127.0.0.1", 8099, timeout=5)
    try:
        door.request("GET", "/health")
        answer = json.loads(door.getresponse().read())
    except (OSError, ValueError):
        return False
    finally:
        door.close()
    return answer["level"] == "ok" and answer["last_success"] is not None


def started(home: Household, **options: object) -> Container:
    """A container that watches Anna's calendar."""
    container = home.container(**options)
    container.start()
    container.wait(is_watching, "watching")
    return container


def test_an_invitation_lands(home: Household, figure: Callable[[str], None]) -> None:
    """Options that only root may read, a read-only image, 128 MB: created in Google, pushed, invited, announced."""
    container = home.container()
    container.start()
    container.wait_until_healthy()
    container.wait(lambda: home.google.channels() and is_watching(), "watching with push")

    event = home.google.create_event(ANNA)["id"]

    container.wait(lambda: home.listener.events("invited"), "an announcement")
    (announced,) = home.listener.events("invited")
    assert (announced["event_id"], announced["guests_added"], announced["source"]) == (event, [BOB], "push")
    assert [guest["email"] for guest in home.google.event(ANNA, event)["attendees"]] == [BOB]
    home.listener.check()
    resident = sum(int(status(pid)["VmRSS"].split()[0]) for pid in container.processes())
    figure(f"idle memory {resident / 1024:.1f} MiB in all processes, {len(container.processes())} of them")
    assert resident < 90 * 1024
    assert not container.state()["OOMKilled"]


def test_nobody_but_root_reads_the_options(home: Household) -> None:
    """The Supervisor's file keeps its owner and mode, is nowhere copied, and everything else there is Calbot's."""
    container = started(home, mqtt={"host": "127.0.0.1", "port": 1, "password": "canary-password"})

    found = (container.data / "options.json").stat()
    others = [path for path in container.data.rglob("*") if path.name != "options.json"]
    readers = [path for path in others if path.is_file() and b"canary-password" in path.read_bytes()]

    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (0, 0, 0o600)
    assert {(path.stat().st_uid, path.stat().st_gid) for path in [*others, container.data]} == {(8098, 8098)}
    assert not [path for path in others if path.suffix.startswith(".db") and path.stat().st_mode & 0o077]
    assert readers == []
    assert "canary-password" not in container.log()


def test_no_right_is_left(home: Household) -> None:
    """The service is nobody in particular, has no capability, can get none, and writes nowhere but to /data."""
    container = started(home)

    process = status(container.service())

    assert process["Uid"].split() == process["Gid"].split() == ["8098"] * 4
    assert process["Groups"] == ""
    assert {process[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert process["NoNewPrivs"] == "1"
    search = ("find", "/", "-xdev", "!", "-readable", "-prune", "-o", "-writable", "!", "-type", "l", "-print")
    writable = container.do("setpriv", "--reuid=calbot", "--regid=calbot", "--clear-groups", *search)
    assert writable.stdout.split() == ["/data"]
    assert container.do("touch", "/app/here", check=False).returncode != 0  # not even root


def test_only_home_assistant_sees_the_panel(home: Household) -> None:
    """The Supervisor's address gets the page, a machine on loopback only the two answers for machines."""
    started(home)

    assert ask("/", SUPERVISOR) == 200
    assert (ask("/"), ask("/", APP)) == (403, 403)
    assert (ask("/live"), ask("/health")) == (200, 200)


@pytest.mark.parametrize("moment", [0.0, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.8])
def test_a_stop_during_start_up_exits_0(home: Household, moment: float, figure: Callable[[str], None]) -> None:
    """Whether the shell, setpriv or Python is at it: a request to stop is kept until somebody can take it."""
    container = home.container()
    container.start()
    Event().wait(moment)

    code, seconds = container.stop()

    figure(f"stop {moment:.2f} s after the start: exit {code} within {seconds:.1f} s")
    assert (code, seconds < 5) == (0, True), container.log()


def test_a_stop_in_steady_state_exits_0(home: Household, figure: Callable[[str], None]) -> None:
    """What Home Assistant's Stop button does; the device is said to be offline."""
    container = started(home)
    wait_for(lambda: home.listener.availability()[-1:] == ["online"], 15, "online")

    code, seconds = container.stop()

    figure(f"stop in steady state: exit {code} within {seconds:.1f} s")
    assert (code, seconds < 5) == (0, True), container.log()


def test_a_stop_with_the_broker_down_exits_0(home: Household, figure: Callable[[str], None]) -> None:
    """Nobody answers at the broker's address."""
    container = home.container(mqtt={"host": "127.0.0.1", "port": 1})
    container.start()
    container.wait_until_healthy()

    code, seconds = container.stop()

    figure(f"stop with the broker down: exit {code} within {seconds:.1f} s")
    assert (code, seconds < 5) == (0, True), container.log()


def test_a_backup_holds_the_whole_store(home: Household) -> None:
    """`backup_pre`, as the Supervisor runs it, leaves one sound file of the running store, and it is Calbot's."""
    container = started(home)
    (command,) = re.findall(
        r"^backup_pre: (.+)$", (Path(__file__).parents[2] / "config.yaml").read_text(), re.MULTILINE
    )

    container.do(*command.split())

    copy = container.data / "backup.db"
    assert (copy.stat().st_uid, stat.S_IMODE(copy.stat().st_mode)) == (8098, 0o600)
    with sqlite3.connect(copy) as store:
        assert store.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert store.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'deed'").fetchone() == (1,)
    assert not copy.with_name("backup.db.partial").exists()


def test_a_restart_goes_on_where_it_was(home: Household) -> None:
    """The second start finds the data it made its own, and the options written anew by root."""
    container = started(home)
    assert container.stop()[0] == 0
    (container.data / "calbot.db").chmod(0o644)
    os.chown(container.data / "calbot.db", 0, 0)  # as a restored backup may leave it

    container.start()

    container.wait(is_watching, "watching")
    assert (container.data / "calbot.db").stat().st_uid == 8098


def test_the_command_line_is_at_hand(home: Household) -> None:
    """`calbot` in the container is the same unprivileged program, with the same options."""
    container = started(home)

    said = container.do("calbot", "check", check=False)

    assert "Traceback" not in said.stderr
    assert f"{ANNA}" in said.stdout
    assert container.do("calbot", "version").stdout.strip()
