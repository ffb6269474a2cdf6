"""Trouble at the start and behind the scenes: the panel says what it is, and Calbot goes on by itself."""

import os
import signal
import socket
from pathlib import Path

from tests.service.running import ANNA, Service, free_port, house, wait_for
from tests.service.test_bad_input import answers, is_open, service_says


def children(service: Service) -> list[int]:
    """The processes that the service has started."""
    assert service.process is not None
    tasks = Path(f"/proc/{service.process.pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


def test_a_store_that_cannot_be_opened_yet_is_said_on_the_panel_and_waited_for(tmp_path: Path) -> None:
    """The doors are open meanwhile; as soon as it can be, Calbot watches."""
    with house(tmp_path, push_url=None) as (service, google, _listener):
        (tmp_path / "calbot.db").mkdir()
        for number in range(100):
            (tmp_path / "calbot.db" / f"{number:0100}").touch()
        service.start()
        wait_for(lambda: service_says(service, "cannot use its store"), 20, "a word about it")
        live, calls = service.get("/live")[0], google.calls("events.list")

        (tmp_path / "calbot.db").rename(tmp_path / "elsewhere")

        wait_for(service.is_watching, 20, "watching")
        assert (live, calls) == (200, [])
        assert service.log().count("cannot use its store") == 1


def test_a_broker_of_our_own_that_dies_is_started_again(tmp_path: Path) -> None:
    """Whoever listened finds it at the same port."""
    port = free_port()
    with house(tmp_path, push_url=None, mqtt={"port": port}) as (service, _google, _listener):
        service.start()
        wait_for(lambda: is_open(port) and service.is_watching(), 20, "its own broker")

        for child in children(service):
            os.kill(child, signal.SIGKILL)

        wait_for(lambda: "runs again" in service.log() and is_open(port), 20, "the broker")


def test_under_the_supervisor_no_broker_of_our_own_is_started(tmp_path: Path) -> None:
    """Nobody would listen to it; what to do is said instead."""
    port = free_port()
    with house(tmp_path, push_url=None, mqtt={"port": port}) as (service, _google, _listener):
        service.start(SUPERVISOR_TOKEN="a-token", CALBOT_BIND="127.0.0.1")
        wait_for(lambda: answers(service), 20, "the panel")

        wait_for(lambda: service_says(service, "broker"), 20, "a word about it")
        assert not is_open(port)


def test_a_taken_push_port_leaves_the_panel(tmp_path: Path) -> None:
    """It names the port that is taken."""
    with house(tmp_path) as (service, _google, _listener), socket.socket() as taken:
        taken.bind(("127.0.0.1", service.push_port))
        taken.listen()
        service.start()

        wait_for(lambda: service_says(service, "CALBOT_PUSH_PORT"), 20, "a word about it")
        assert service.get("/live")[0] == 200


def test_what_calbot_writes_is_its_users_alone(tmp_path: Path) -> None:
    """The store holds the household's calendar."""
    with house(tmp_path, push_url=None) as (service, _google, _listener):
        service.run("sync")

        assert [path.name for path in tmp_path.glob("calbot.*") if path.stat().st_mode & 0o077] == []


def test_sync_with_a_dead_sign_in_is_exit_3(tmp_path: Path) -> None:
    """Beside what else there is to say."""
    with house(tmp_path, push_url=None) as (service, google, _listener):
        assert service.run("sync").returncode == 0
        google.revoke(ANNA)

        ended = service.run("sync")

        assert ended.returncode == 3, ended.stderr


def test_check_leaves_a_damaged_store_to_the_service(tmp_path: Path) -> None:
    """It says so; the service restores it and tells."""
    with house(tmp_path, push_url=None) as (service, _google, _listener):
        service.run("sync")
        (tmp_path / "calbot.db").write_bytes(b"damaged" * 1000)

        checked = service.run("check")

        assert checked.returncode == 1
        assert "The store is damaged" in checked.stdout
        assert (tmp_path / "calbot.db").read_bytes() == b"damaged" * 1000
