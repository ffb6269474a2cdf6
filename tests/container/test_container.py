"""The image as Home Assistant runs it: unprivileged, read-only, small, and quick to stop."""

import os
import re
import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path
from threading import Event

import pytest

from tests.container.engine import APP, SUPERVISOR
from tests.container.household import BROKER, Household, ask, health, is_watching
from tests.service.running import ANNA, BOB, wait_for
from tests.supervisor.server import TOKEN

pytestmark = pytest.mark.container

PAGES = ("/", "/accounts", "/sign-in-file", "/alerts", "/static/panel.css")


def status(process: int) -> dict[str, str]:
    """Return what the kernel says about a process."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return {name: value.strip() for name, value in (line.split(":", 1) for line in lines)}


def test_an_invitation_lands(home: Household, figure: Callable[[str], None]) -> None:
    """Options that only root may read, a read-only image, 128 MB: created in Google, pushed, invited, announced.

    Nobody but the Supervisor knows the broker, and nothing but its name says where the Supervisor is.
    """
    container = home.container()
    container.start()
    container.wait_until_healthy()
    container.wait(lambda: home.google.channels() and is_watching(), "watching with push")
    asked = home.supervisor.calls("/services/mqtt")
    assert asked and {call.token for call in home.supervisor.calls()} == {TOKEN}
    assert "mqtt" not in (container.data / "options.json").read_text()
    assert container.do("getent", "hosts", "supervisor").stdout.split() == [SUPERVISOR, "supervisor"]

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
    mqtt = {"host": BROKER, "port": home.broker.port, "username": "calbot", "password": "canary-password"}
    container = home.started(mqtt=mqtt)

    found = (container.data / "options.json").stat()
    others = [path for path in container.data.rglob("*") if path.name != "options.json"]
    secrets = ("canary-password", TOKEN)
    copies = [path for path in others if path.is_file() and any(s.encode() in path.read_bytes() for s in secrets)]

    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (0, 0, 0o600)
    assert {(path.stat().st_uid, path.stat().st_gid) for path in [*others, container.data]} == {(8098, 8098)}
    assert not [path for path in others if path.suffix.startswith(".db") and path.stat().st_mode & 0o077]
    assert copies == []
    assert not [secret for secret in secrets if secret in container.log()]


def test_no_right_is_left(home: Household) -> None:
    """The service is nobody in particular, has no capability, can get none, and writes nowhere but to /data."""
    container = home.started()

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
    """The Supervisor's address gets the pages, a machine on loopback only the two answers for machines."""
    home.started()

    assert {page: ask(page, SUPERVISOR) for page in PAGES} == dict.fromkeys(PAGES, 200)
    assert {(page, who): ask(page, who) for page in PAGES for who in ("127.0.0.1", APP)} == {
        (page, who): 403 for page in PAGES for who in ("127.0.0.1", APP)
    }
    assert [ask(answer) for answer in ("/live", "/health")] == [200, 200]
    assert [ask(answer, APP) for answer in ("/live", "/health")] == [403, 403]


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
    container = home.started()
    wait_for(lambda: home.listener.availability()[-1:] == ["online"], 15, "online")

    code, seconds = container.stop()

    figure(f"stop in steady state: exit {code} within {seconds:.1f} s")
    assert (code, seconds < 5) == (0, True), container.log()


def test_a_stop_with_the_broker_down_exits_0(home: Household, figure: Callable[[str], None]) -> None:
    """Nobody answers where the Supervisor says that the broker is, and it was asked more than once."""
    home.supervisor.install_broker(1, "the broker's password", BROKER)
    container = home.container()
    container.start()
    container.wait_until_healthy()
    container.wait(lambda: len(home.supervisor.calls("/services/mqtt")) > 1, "another question for the broker")

    code, seconds = container.stop()

    figure(f"stop with the broker down: exit {code} within {seconds:.1f} s")
    assert (code, seconds < 5) == (0, True), container.log()


def test_a_stop_after_the_broker_went_exits_0(home: Household, figure: Callable[[str], None]) -> None:
    """It was there, and Mosquitto has ended since."""
    container = home.started()
    home.broker.stop()
    container.wait(lambda: health()["mqtt"] is not None, "the loss noticed")

    code, seconds = container.stop()

    figure(f"stop after the broker went: exit {code} within {seconds:.1f} s")
    assert (code, seconds < 5) == (0, True), container.log()


def test_a_backup_holds_the_whole_store(home: Household) -> None:
    """`backup_pre`, as the Supervisor runs it, leaves one sound file of the running store, and it is Calbot's."""
    container = home.started()
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
    container = home.started()
    assert container.stop()[0] == 0
    (container.data / "calbot.db").chmod(0o644)
    os.chown(container.data / "calbot.db", 0, 0)  # as a restored backup may leave it

    container.start()

    container.wait(is_watching, "watching")
    assert (container.data / "calbot.db").stat().st_uid == 8098


def test_the_command_line_is_at_hand(home: Household) -> None:
    """`calbot` in the container is the same unprivileged program, with the same options."""
    container = home.started()

    said = container.do("calbot", "check", check=False)

    assert "Traceback" not in said.stderr
    assert f"{ANNA}" in said.stdout
    assert container.do("calbot", "version").stdout.strip()
