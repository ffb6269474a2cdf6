"""The service as a process, a broker beside it, and somebody who listens on MQTT."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from addon.broker import EmbeddedBroker
from calbot.clock import SystemClock
from tests.google_server.control import Control
from tests.google_server.http import GoogleServer
from tests.mqtt import schemas

ROOT = Path(__file__).resolve().parents[2]
ANNA, BOB = "anna@example.com", "bob@example.com"


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(condition: Callable[[], object], seconds: float, what: str) -> None:
    """Wait until the condition holds; fail with `what` when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        threading.Event().wait(0.01)


class Listener:
    """An independent MQTT client that keeps everything it hears, in order."""

    def __init__(self, port: int) -> None:
        self.heard: list[tuple[str, bytes, bool]] = []
        self._subscribed = threading.Event()
        self.client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=f"listener-{os.getpid()}", protocol=paho.MQTTv5
        )
        self.client.on_message = lambda _c, _u, m: self.heard.append((m.topic, bytes(m.payload), m.retain))
        self.client.on_subscribe = lambda *_: self._subscribed.set()
        self.client.on_connect = lambda client, *_: client.subscribe("calbot/#", qos=1)
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        assert self._subscribed.wait(5.0)

    def close(self) -> None:
        """Stop listening."""
        self.client.disconnect()
        self.client.loop_stop()

    def check(self) -> None:
        """Fail unless every message that was heard keeps to its schema."""
        for topic, payload, _ in list(self.heard):
            name = schemas.name_for(topic)
            if name is not None and payload and "/command/" not in topic:
                schemas.check(name, payload)

    def payloads(self, topic: str) -> list[Any]:
        """Return what came on a topic, decoded."""
        return [json.loads(payload) for heard, payload, _ in list(self.heard) if heard == topic]

    def events(self, event_type: str) -> list[dict[str, Any]]:
        """Return the calendar events of one type."""
        return [m for m in self.payloads("calbot/event/calendar") if m["event_type"] == event_type]

    def availability(self) -> list[str]:
        """Return every availability, in order."""
        return [payload.decode() for topic, payload, _ in list(self.heard) if topic == "calbot/availability"]

    def ask(self, command: str, **message: object) -> None:
        """Send a command."""
        self.client.publish(f"calbot/command/{command}", json.dumps(message), qos=1)


class Service:
    """`python -m addon` on a data directory."""

    def __init__(self, data: Path, google: GoogleServer, broker_port: int, **options: object) -> None:
        self.data = data
        self.panel_port, self.push_port = free_port(), free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self._google = google
        data.mkdir(parents=True, exist_ok=True)
        wanted = {
            "invite_emails": [BOB],
            "push_url": f"http://127.0.0.1:{self.push_port}/push",
            "limits": {"invites_per_hour": 1000},
            "mqtt": {"host": "127.0.0.1", "port": broker_port},
        }
        (data / "options.json").write_text(json.dumps({**wanted, **options}))

    def sign_in(self, *accounts: str) -> None:
        """Put the accounts' token files where Calbot looks for them."""
        (self.data / "tokens").mkdir(exist_ok=True)
        for account in accounts:
            document = self._google.token_document(account)
            (self.data / "tokens" / f"{account}.json").write_text(json.dumps(document))

    def environment(self, **more: str) -> dict[str, str]:
        """Return what the process finds in its environment."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        return {
            **kept,
            "PYTHONPATH": str(ROOT),
            "CALBOT_DATA": str(self.data),
            "CALBOT_CALENDAR_API": self._google.calendar_api,
            "CALBOT_TOKEN_URI": self._google.token_uri,
            "CALBOT_PANEL_PORT": str(self.panel_port),
            "CALBOT_PUSH_PORT": str(self.push_port),
            **more,
        }

    def start(self, **environment: str) -> None:
        """Start the process."""
        with (self.data / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "addon"],
                cwd=self.data,
                env=self.environment(**environment),
                stdout=log,
                stderr=log,
            )

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the command line to its end."""
        return subprocess.run(
            [sys.executable, "-m", "addon", *arguments],
            cwd=self.data,
            env=self.environment(**environment),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def kill(self) -> None:
        """End the process like a power cut."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(5.0)

    def stop(self, within: float = 10.0) -> tuple[int, float]:
        """Ask the process to end; return its exit code and how many seconds it took."""
        assert self.process is not None
        began = time.monotonic()
        self.process.terminate()
        return self.process.wait(within), time.monotonic() - began

    def log(self) -> str:
        """Return what the process logged."""
        return (self.data / "log").read_text(errors="replace")

    def get(self, path: str) -> tuple[int, str]:
        """Ask the panel door."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.panel_port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def is_watching(self) -> bool:
        """Say whether every account was read and, with push, has its channel."""
        try:
            status, body = self.get("/health")
        except OSError:
            return False
        return status in {200, 503} and '"last_success":null' not in body.replace(" ", "")


@contextlib.contextmanager
def house(data: Path, *accounts: str, **options: object) -> Iterator[tuple[Service, Control, Listener]]:
    """A fake Google, a broker, a listener, and a service that is not started yet."""
    names = list(accounts or (ANNA,))
    with GoogleServer(SystemClock(), [*names, BOB], allow_http_push=True) as google:
        broker = EmbeddedBroker(SystemClock())
        broker.start()
        listener = Listener(broker.port)
        service = Service(data, google, broker.port, **options)
        service.sign_in(*names)
        try:
            yield service, google.control, listener
            listener.check()
        finally:
            if service.process is not None and service.process.poll() is None:
                service.kill()
            listener.close()
            broker.stop()
