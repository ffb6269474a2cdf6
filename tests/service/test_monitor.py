"""Promises of `calbot monitor` as a process, beside a Calbot that comes and goes, with alerts that really arrive."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.service.running import ROOT, free_port, wait_for

BAD = {"code": "store", "text": "The disk is full.", "remedy": "Make room.", "level": "problem"}
SECRET = "aK7-monitor-way-42"


class Calbot:
    """What answers as Calbot's panel does, where it does."""

    def __init__(self) -> None:
        self.port = free_port()
        self.looks = 0
        self.problem = False
        self._server: ThreadingHTTPServer | None = None

    def start(self) -> None:
        """Be there."""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.looks += 1
                health = {"level": "problem" if outer.problem else "ok", "reasons": [BAD] if outer.problem else []}
                body = json.dumps(health).encode()
                self.send_response(503 if outer.problem else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Be gone."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
        self._server = None


class Receiver:
    """The service behind an apprise URL of the kind json://. `status` is how it answers."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self.asked = 0
        self.status = 200
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer.asked += 1
                document = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if outer.status == 200:
                    outer.got.append(document)
                self.send_response(outer.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        """How apprise is told of it."""
        return f"json://127.0.0.1:{self.server.server_port}/hook/{SECRET}"

    @property
    def titles(self) -> list[str]:
        """What people were told."""
        return [str(document["title"]) for document in self.got]


class House:
    """A data directory, a Calbot to be watched, and a receiver of alerts."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.calbot, self.receiver = Calbot(), Receiver()
        self.set_alerts(self.receiver.url)

    def set_alerts(self, *urls: str) -> None:
        """Write the options."""
        (self.data / "options.json").write_text(json.dumps({"alerts": [{"url": url} for url in urls]}))

    def environment(self, **more: str) -> dict[str, str]:
        """Return what the monitor finds in its environment."""
        panel = {"CALBOT_PANEL_PORT": str(self.calbot.port), "MONITOR_INTERVAL_SECONDS": "10"}
        return {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "CALBOT_DATA": str(self.data), **panel, **more}

    def once(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Look once, as cron does."""
        return subprocess.run(
            [sys.executable, "-m", "addon", "monitor", "--once", *words],
            cwd=self.data,
            env=self.environment(**environment),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    @contextlib.contextmanager
    def watching(self, *words: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
        """Let it run until the end of the block, however that goes."""
        with (self.data / "err").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "addon", "monitor", *words],
                cwd=self.data,
                env=self.environment(**environment),
                stdout=log,
                stderr=log,
            )
        try:
            yield process
        finally:
            process.kill()
            process.wait(5)

    def log(self) -> str:
        """What it wrote."""
        return (self.data / "err").read_text()

    def status(self) -> dict[str, Any]:
        """What its file says, if it is there yet."""
        with contextlib.suppress(FileNotFoundError):
            return dict(json.loads((self.data / "monitor.json").read_text()))
        return {}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A house whose Calbot is there."""
    made = House(tmp_path)
    made.calbot.start()
    yield made
    made.calbot.stop()
    made.receiver.server.shutdown()
    made.receiver.server.server_close()


def stopped(process: subprocess.Popen[bytes], number: int = signal.SIGTERM) -> tuple[int, float]:
    """Ask it to end; its exit code, and how many seconds it took."""
    began = time.monotonic()
    process.send_signal(number)
    return process.wait(10), time.monotonic() - began


@pytest.mark.slow
def test_an_outage_is_told_once_and_its_end_once(house: House) -> None:
    """By the way that the options name, also when the monitor is started anew in the middle of it."""
    with house.watching() as process:
        wait_for(lambda: house.status().get("status") == "up", 20, "the first look")
        house.calbot.stop()
        wait_for(lambda: house.receiver.titles, 40, "the alert")
        wait_for(lambda: list(house.status()["told"]) == ["json"], 5, "what was told is written down")
        assert stopped(process)[0] == 0
    with house.watching() as process:
        wait_for(lambda: house.status()["failures"] == 1, 20, "a look of the new process")
        house.calbot.start()
        wait_for(lambda: len(house.receiver.titles) > 1, 30, "the end is told")
        wait_for(lambda: house.status()["told"] == {}, 5, "what was told is written down")
        seconds = stopped(process)[1]

    assert house.receiver.titles == ["Calbot is down", "Calbot is up again"] and seconds < 5
    down = str(house.receiver.got[0]["message"])
    assert f"Calbot does not answer at http://127.0.0.1:{house.calbot.port}/health" in down
    assert SECRET not in house.log() + (house.data / "logs" / "monitor.log").read_text()


def test_looks_of_cron_add_up(house: House) -> None:
    """Exit codes tell of each look; one failed look tells nobody; with two, down and up are told once each."""
    codes = [house.once().returncode]
    house.calbot.stop()
    codes.append(house.once().returncode)
    house.calbot.start()
    codes.append(house.once().returncode)
    assert house.receiver.asked == 0

    house.calbot.stop()
    codes += [house.once().returncode for _ in range(3)]
    house.calbot.start()
    codes += [house.once().returncode for _ in range(2)]

    assert codes == [0, 1, 0, 1, 1, 1, 0, 0]
    assert house.receiver.titles == ["Calbot is down", "Calbot is up again"]


def test_a_problem_is_told_in_calbots_own_words(house: House) -> None:
    """It runs, and it needs somebody."""
    house.calbot.problem = True

    looks = [house.once() for _ in range(2)]

    assert [look.returncode for look in looks] == [1, 1]
    (told,) = house.receiver.got
    assert "runs and has a problem" in told["message"] and "The disk is full. Make room." in told["message"]


def test_an_alert_that_did_not_arrive_is_not_lost(house: House) -> None:
    """The receiver refuses at first; a later run brings it, and then no more."""
    house.calbot.stop()
    house.receiver.status = 500
    house.once()
    refused = house.once()
    house.receiver.status = 200

    house.once()
    house.once()

    assert house.receiver.asked > 1 and house.receiver.titles == ["Calbot is down"]
    assert "Alerts through json do not arrive" in refused.stderr and SECRET not in refused.stderr + refused.stdout


def test_without_a_way_it_says_so_and_goes_on(house: House) -> None:
    """The status file and the exit code are of use by themselves."""
    house.set_alerts()
    house.calbot.stop()

    looks = [house.once("--json") for _ in range(2)]

    assert [look.returncode for look in looks] == [1, 1]
    assert "alerts: no way to you is set" in looks[0].stderr
    assert json.loads(looks[1].stdout) | {"status": "down", "failures": 2, "told": {}} == json.loads(looks[1].stdout)
    assert house.status()["status"] == "down"


def test_the_status_file_is_where_it_was_asked_for(house: House, tmp_path: Path) -> None:
    """And the log lies beside it, so that Calbot's own data may be there to be read only."""
    wanted = tmp_path / "elsewhere" / "status.json"

    house.once(MONITOR_STATUS_FILE=str(wanted))

    assert json.loads(wanted.read_text())["status"] == "up"
    assert not (tmp_path / "monitor.json").exists() and not (tmp_path / "logs").exists()


def test_two_monitors_do_not_keep_one_file(house: House) -> None:
    """Everything would be told twice. Calbot's own lock is not in their way, nor they in Calbot's."""
    with house.watching():
        wait_for(house.status, 20, "the first look")
        second = house.once()

    assert second.returncode == 1 and "Another calbot monitor" in second.stderr
    assert not (house.data / "calbot.lock").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("after", [0.05, 0.3, 0.6, 1.5])
def test_a_stop_ends_it_whenever_it_comes(house: House, number: int, after: float) -> None:
    """While it starts, while it waits for an answer that never comes, while an alert hangs."""
    house.calbot.stop()
    with socket.create_server(("127.0.0.1", house.calbot.port)) as silent:
        silent.settimeout(10)
        with house.watching() as process:
            wait_for(lambda: _takes_stop_requests(process), 10, "it takes signals")
            threading.Event().wait(after)

            code, seconds = stopped(process, number)

    assert code == 0 and seconds < 5


@pytest.mark.parametrize(
    ("words", "environment", "said"),
    [
        (("--url", "calbot:8099"), {}, "--url"),
        ((), {"MONITOR_INTERVAL_SECONDS": "5"}, "MONITOR_INTERVAL_SECONDS"),
        ((), {"MONITOR_INTERVAL_SECONDS": "soon"}, "MONITOR_INTERVAL_SECONDS"),
        ((), {"CALBOT_REPORT_AT": "late"}, "report_at"),
    ],
)
def test_wrong_options_are_exit_2(house: House, words: tuple[str, ...], environment: dict[str, str], said: str) -> None:
    """With a sentence that names the one."""
    ended = house.once(*words, **environment)

    assert ended.returncode == 2 and said in ended.stderr and "Traceback" not in ended.stderr


def test_it_loads_nothing_that_it_does_not_need(house: House) -> None:
    """Neither servers nor Google's client nor apprise, until there is something to tell: it runs for years."""
    house.calbot.stop()
    with house.watching(PYTHONVERBOSE="1") as process:
        wait_for(house.status, 30, "the first look")
        resident = re.search(r"VmHWM:\s*(\d+) kB", _proc(process))
        loaded = set(re.findall(r"^import '([a-z0-9_]+)[.']", house.log(), re.MULTILINE))

    assert "addon" in loaded
    assert loaded & {"flask", "waitress", "paho", "googleapiclient", "google", "apprise", "amqtt", "sqlite3"} == set()
    assert resident is not None and int(resident[1]) < 60 * 1024


def _takes_stop_requests(process: subprocess.Popen[bytes]) -> bool:
    """Say whether it has come to its first lines; who starts it in earnest holds SIGTERM back until then."""
    caught = re.search(r"SigCgt:\s*([0-9a-f]+)", _proc(process))
    return caught is not None and bool(int(caught[1], 16) & 1 << signal.SIGTERM - 1)


def _proc(process: subprocess.Popen[bytes]) -> str:
    return Path(f"/proc/{process.pid}/status").read_text()
