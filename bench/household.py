"""All of Calbot as people run it, in a process of its own: `python -m addon` beside a real mosquitto."""

import contextlib
import os
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from bench import programs

NOT_OURS = ("CALBOT_", "MQTT_", "SUPERVISOR_")


class Listener:
    """What a subscriber of all topics of Calbot hears: the last of each, and when it said `online`."""

    def __init__(self, port: int) -> None:
        self.last: dict[str, bytes] = {}
        self.online_at: float | None = None
        self._subscribed = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.on_message = self._heard
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.connect("127.0.0.1", port)
        self._client.subscribe("calbot/#")
        self._client.loop_start()
        assert self._subscribed.wait(5)

    def _heard(self, client: Client, data: object, message: MQTTMessage) -> None:
        if message.topic == "calbot/availability" and message.payload == b"online":
            self.online_at = time.perf_counter() if self.online_at is None else self.online_at
        self.last[message.topic] = bytes(message.payload)

    def close(self) -> None:
        """Leave the broker."""
        self._client.disconnect()
        self._client.loop_stop()


class Calbot:
    """The running service, from without."""

    def __init__(self, pid: int, data: Path, panel_port: int, push_port: int, listener: Listener) -> None:
        self.pid = pid
        self.data = data
        self.push_port = push_port
        self.listener = listener
        self.started = 0.0
        self._panel = f"http://127.0.0.1:{panel_port}"

    @property
    def seconds_to_online(self) -> float:
        """From the start of the process to `online` at a subscriber."""
        assert self.listener.online_at is not None
        return self.listener.online_at - self.started

    def health(self) -> dict[str, Any]:
        """What `GET /health` of the panel door says; empty while it says nothing."""
        try:
            with urllib.request.urlopen(f"{self._panel}/health", timeout=5) as answer:
                found: dict[str, Any] = msgspec.json.decode(answer.read())
        except OSError:
            return {}
        return found

    def is_online(self) -> bool:
        """Whether a subscriber has heard `online`."""
        return self.listener.online_at is not None


@contextlib.contextmanager
def calbot(
    *,
    accounts: Mapping[str, object],
    calendar_api: str,
    token_uri: str,
    options: Mapping[str, object],
    push_url: str | None = None,
    data: Path | None = None,
) -> Iterator[Calbot]:
    """Run the service until the block ends; it is started and not waited for. A given `data` is kept."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        directory = data or folder / "data"
        programs.sign_in(directory, accounts)
        panel_port, push_port = programs.free_port(), programs.free_port()
        wanted: dict[str, object] = {"accounts": [{"email": email} for email in accounts], **options}
        if push_url is not None:
            wanted["push_url"] = push_url or f"http://127.0.0.1:{push_port}/push"
        (directory / "options.json").write_bytes(msgspec.json.encode(wanted))
        broker = stack.enter_context(programs.mosquitto(folder))
        listener = Listener(broker)
        stack.callback(listener.close)
        environ = {name: value for name, value in os.environ.items() if not name.startswith(NOT_OURS)}
        environ |= {
            "CALBOT_DATA": str(directory),
            "CALBOT_CALENDAR_API": calendar_api,
            "CALBOT_TOKEN_URI": token_uri,
            "CALBOT_PANEL_PORT": str(panel_port),
            "CALBOT_PUSH_PORT": str(push_port),
            "MQTT_HOST": "127.0.0.1",
            "MQTT_PORT": str(broker),
        }
        began = time.perf_counter()
        program = stack.enter_context(programs.running(sys.executable, "-m", "addon", environ=environ))
        service = Calbot(program.pid, directory, panel_port, push_port, listener)
        service.started = began
        yield service
