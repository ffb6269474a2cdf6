"""SIGTERM: exit 0 within five seconds, from any moment."""

import contextlib
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.running import ANNA, house, wait_for

FIVE = 5.0


@contextlib.contextmanager
def silent_server() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(50)
        yield int(server.getsockname()[1])


def test_in_steady_state(tmp_path: Path) -> None:
    """A running Calbot says goodbye: offline on MQTT, exit 0."""
    with house(tmp_path) as (service, _google, _listener):
        service.start()
        wait_for(service.is_watching, 20, "watching")

        code, seconds = service.stop()

    assert code == 0
    assert seconds < FIVE


@pytest.mark.parametrize("after", [0.0, 0.01, 0.03, 0.06, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8])
def test_during_the_start(tmp_path: Path, after: float) -> None:
    """However early the signal comes, also before Python can take it, the exit code is 0."""
    with house(tmp_path) as (service, _google, _listener):
        process = subprocess.Popen(
            ["env", "--block-signal=TERM", sys.executable, "-m", "addon"],
            cwd=tmp_path,
            env=service.environment(),
            stderr=subprocess.PIPE,
        )
        wait_for(lambda: blocks_or_takes_sigterm(process.pid), 5, "the process is there")
        threading.Event().wait(after)
        began = time.monotonic()

        process.send_signal(signal.SIGTERM)

        _, errors = process.communicate(timeout=10)
    assert process.returncode == 0, errors.decode()
    assert time.monotonic() - began < FIVE
    assert b"Traceback" not in errors


def test_with_google_hanging(tmp_path: Path) -> None:
    """A call that never ends does not keep the process alive."""
    with house(tmp_path) as (service, google, _listener):
        google.add_fault("hang", operation="*", count=None, seconds=60)
        service.start()
        wait_for(google.calls, 20, "a call that hangs")

        code, seconds = service.stop()

    assert code == 0
    assert seconds < FIVE


def test_with_the_broker_hanging(tmp_path: Path) -> None:
    """A broker that takes the connection and says nothing does not keep the process alive."""
    with silent_server() as port, house(tmp_path) as (service, google, _listener):
        service.start(MQTT_PORT=str(port))
        wait_for(lambda: google.calls("events.list"), 20, "watching")

        code, seconds = service.stop()

    assert code == 0
    assert seconds < FIVE


def test_with_an_invitation_under_way(tmp_path: Path) -> None:
    """What was started is finished by the next start, once."""
    with house(tmp_path) as (service, google, listener):
        service.start()
        wait_for(lambda: google.channels() and service.is_watching(), 20, "watching with push")
        google.set_latency(800, operation="events.patch")
        event = google.create_event(ANNA)["id"]
        wait_for(lambda: google.calls("events.list") and google.event(ANNA, event), 5, "the event")
        threading.Event().wait(0.3)

        code, seconds = service.stop()
        service.start()

        wait_for(lambda: listener.events("invited"), 20, "an announcement")
        assert (code, seconds < FIVE) == (0, True)
        assert len(google.mails(kind="invitation")) == 1


def blocks_or_takes_sigterm(pid: int) -> bool:
    """Say whether the process holds SIGTERM back or has a handler for it (from /proc)."""
    bit = 1 << (signal.SIGTERM - 1)
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    masks = dict(line.split(":\t") for line in status.splitlines() if line.startswith(("SigBlk", "SigCgt")))
    return any(int(mask, 16) & bit for mask in masks.values())


WHILE_LOCKED = """
import signal
from addon import stopping
stopping.listen()
with stopping.requested._cond:
    signal.raise_signal(signal.SIGTERM)
stopping.requested.wait()
"""


def test_while_the_loop_begins_to_wait() -> None:
    """A signal interrupts the very lines that hold the event's lock, and does not wait for them."""
    assert subprocess.run([sys.executable, "-c", WHILE_LOCKED], timeout=FIVE, check=False).returncode == 0
