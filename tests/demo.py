"""`./run.sh demo`: the real service against a simulated Google account and an embedded broker, told line by line."""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from addon.broker import EmbeddedBroker
from calbot.clock import SystemClock

ROOT = Path(__file__).resolve().parent.parent
ANNA, BOB = "anna@example.com", "bob@example.com"
TITLES = (
    "Dentist",
    "Dinner",
    "School play",
    "Football",
    "Piano lesson",
    "Parents' evening",
    "Haircut",
    "Picnic",
)
EVERY = 2.5
PATIENCE = 5.0
START_SECONDS = 20.0


def main() -> int:
    """Run the demo; 0 when every invitation landed and was announced."""
    parser = argparse.ArgumentParser(prog="./run.sh demo", description=__doc__)
    parser.add_argument("--for", dest="seconds", type=float, metavar="SECONDS", help="end by itself after so long")
    arguments = parser.parse_args()
    with contextlib.ExitStack() as cleanup, contextlib.suppress(KeyboardInterrupt):
        return _run(cleanup, arguments.seconds)
    return 1


def _run(cleanup: contextlib.ExitStack, seconds: float | None) -> int:
    began = time.monotonic()
    data = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="calbot-demo-")))
    google = cleanup.enter_context(_google(data))
    broker = EmbeddedBroker(SystemClock())
    broker.start()
    cleanup.callback(broker.stop)
    radio = Radio(broker.port)
    cleanup.callback(radio.stop)
    panel = _port(int(os.environ.get("CALBOT_PANEL_PORT", "8099")))
    push = _port(0)
    print(
        "Calbot's demo: the real service, a simulated Google account, a broker of its own. Nothing leaves this machine."
    )
    print(f"  panel      http://127.0.0.1:{panel}/")
    print(f"  MQTT       mosquitto_sub -p {broker.port} -t 'calbot/#' -v    (broker: process {broker.pid})")
    print(f"  Google     {google.api}    (switches: {google.control})")
    print("  stop with Ctrl-C", flush=True)
    calbot = cleanup.enter_context(_calbot(data, google, broker.port, panel, push))
    if not radio.online.wait(START_SECONDS):
        return _ended("Calbot did not come online on MQTT.", data)
    _tell("Calbot", f"online after {time.monotonic() - began:.1f} s")
    _wait_until_watching(google, calbot)
    story = Story(google, radio)
    try:
        _add_events(story, calbot, seconds, began)
    except KeyboardInterrupt:
        print()
    if calbot.poll() is not None:
        return _ended("Calbot ended by itself.", data)
    return story.summary(data)


def _add_events(story: Story, calbot: subprocess.Popen[bytes], seconds: float | None, began: float) -> None:
    """Be Anna, who keeps adding events, until the time is up."""
    for number in itertools.count():
        if calbot.poll() is not None:
            return
        if seconds is not None and number and time.monotonic() - began + EVERY > seconds:
            time.sleep(max(0.0, seconds - (time.monotonic() - began)))
            return
        story.add(f"{TITLES[number % len(TITLES)]}", number)
        story.listen(EVERY)


def happening(title: str, number: int, now: datetime) -> tuple[datetime, dict[str, Any]]:
    """When the event with this number begins, three an afternoon from tomorrow on, and its document."""
    start = now.replace(hour=15, minute=0, second=0, microsecond=0) + timedelta(days=1 + number // 3, hours=number % 3)
    times = {"start": start, "end": start + timedelta(hours=1)}
    return start, {"summary": title, **{side: {"dateTime": moment.isoformat()} for side, moment in times.items()}}


@dataclass
class Google:
    """The simulated Google, seen from outside: its public API, and its switches."""

    api: str
    control: str
    token_uri: str
    document: Mapping[str, str]
    access: str = ""

    def perform(self, operation: str, **arguments: object) -> Any:
        """Do what a person would do in Google's own calendar."""
        return _ask(self.control + operation, json.dumps(arguments).encode())["result"]

    def guests(self, event: str) -> list[str]:
        """Read an event's guests over the public API, as any other program of Anna's would."""
        if not self.access:
            grant = {key: self.document[key] for key in ("client_id", "client_secret", "refresh_token")}
            form = "&".join(f"{key}={value}" for key, value in {**grant, "grant_type": "refresh_token"}.items())
            self.access = _ask(self.token_uri, form.encode(), "application/x-www-form-urlencoded")["access_token"]
        found = _ask(f"{self.api}calendars/primary/events/{event}", None, token=self.access)
        return [guest["email"] for guest in found.get("attendees", [])]


class Radio:
    """An MQTT client of its own: what it hears is what an automation would hear."""

    def __init__(self, port: int) -> None:
        self.online = threading.Event()
        self.heard: list[dict[str, Any]] = []
        self.news = threading.Condition()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id="calbot-demo-listener")
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", port)
        self._client.subscribe("calbot/#", qos=1)
        self._client.loop_start()

    def stop(self) -> None:
        """Stop listening."""
        self._client.disconnect()
        self._client.loop_stop()

    def invited(self) -> dict[str, dict[str, Any]]:
        """Return the announcements of invitations by event."""
        with self.news:
            return {m["event_id"]: m for m in self.heard if m["event_type"] == "invited"}

    def _on_message(self, _client: paho.Client, _userdata: object, message: paho.MQTTMessage) -> None:
        if message.topic == "calbot/availability" and message.payload == b"online":
            self.online.set()
        if message.topic == "calbot/event/calendar":
            with self.news:
                self.heard.append(json.loads(message.payload))
                self.news.notify_all()


@dataclass
class Story:
    """What happened so far, and telling it."""

    google: Google
    radio: Radio
    added: dict[str, tuple[str, float]] = field(default_factory=dict)
    told: int = 0

    def add(self, title: str, number: int) -> None:
        """Let Anna add an event."""
        start, body = happening(title, number, datetime.now().astimezone())
        event = self.google.perform("create_event", calendar=ANNA, body=body)
        self.added[event["id"]] = (title, time.monotonic())
        _tell("Anna", f"adds “{title}” on {start:%A %d %B, %H:%M}")

    def listen(self, seconds: float) -> None:
        """Tell what comes over MQTT for so long."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            with self.radio.news:
                self.radio.news.wait_for(lambda: len(self.radio.heard) > self.told, left)
                fresh, self.told = self.radio.heard[self.told :], len(self.radio.heard)
            for message in fresh:
                self._tell_message(message)

    def _tell_message(self, message: Mapping[str, Any]) -> None:
        kind, title = message["event_type"], message.get("title") or "?"
        if kind == "invited":
            guests = ", ".join(message["guests_added"])
            _tell("MQTT", f"{kind}: {guests} to “{title}”, {message['latency_s']:.2f} s after Google's push")
            _tell(
                "Google",
                f"guests of “{title}”: {', '.join(self.google.guests(message['event_id'])) or 'none'}",
            )
        elif kind != "event_created":
            _tell("MQTT", f"{kind}: “{title}” {message.get('reason_text') or ''}".rstrip())

    def summary(self, data: Path) -> int:
        """Count what landed, by Google's own word, and what was announced, by the independent listener's."""
        deadline = time.monotonic() + PATIENCE
        while (missing := self._missing()) and time.monotonic() < deadline:
            self.listen(0.2)
        landed = sum(BOB in self.google.guests(event) for event in self.added)
        announced = len(self.radio.invited().keys() & self.added.keys())
        print(f"\nevents added: {len(self.added)}")
        print(f"with {BOB} on the guest list, read from Google: {landed}")
        print(f"invitations announced on MQTT, heard by an independent client: {announced}")
        for event, what in missing.items():
            print(f"  “{self.added[event][0]}”: {what}")
        if missing or not self.added:
            return _ended("Not everything landed.", data)
        return 0

    def _missing(self) -> dict[str, str]:
        announced = self.radio.invited()
        missing = {}
        for event in self.added:
            if BOB not in self.google.guests(event):
                missing[event] = "not invited"
            elif event not in announced:
                missing[event] = "invited, but not announced"
        return missing


@contextlib.contextmanager
def _google(data: Path) -> Iterator[Google]:
    arguments = ["--account", ANNA, "--account", BOB, "--latency-ms", "40", "--allow-http-push"]
    command = [sys.executable, "-m", "tests.google_server", *arguments]
    with _process(command, {}, data / "google.log", read=True) as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        document = told["accounts"][ANNA]
        (data / "tokens").mkdir()
        (data / "tokens" / f"{ANNA}.json").write_text(json.dumps(document))
        yield Google(told["calendar_api"], told["control_url"], told["token_uri"], document)


@contextlib.contextmanager
def _calbot(data: Path, google: Google, broker: int, panel: int, push: int) -> Iterator[subprocess.Popen[bytes]]:
    (data / "options.json").write_text(
        json.dumps(
            {
                "invite_emails": [BOB],
                "push_url": f"http://127.0.0.1:{push}/push",
                "mqtt": {"host": "127.0.0.1", "port": broker},
            }
        )
    )
    environment = {
        "CALBOT_DATA": str(data),
        "CALBOT_CALENDAR_API": google.api,
        "CALBOT_TOKEN_URI": google.token_uri,
        "CALBOT_PANEL_PORT": str(panel),
        "CALBOT_PUSH_PORT": str(push),
    }
    with _process([sys.executable, "-m", "addon"], environment, data / "calbot.log") as process:
        yield process


@contextlib.contextmanager
def _process(
    command: list[str], environment: Mapping[str, str], log: Path, *, read: bool = False
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process of ours for as long as it is needed, then end it."""
    with log.open("wb") as errors:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE if read else errors,
            stderr=errors,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(6.0)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout is not None:
                process.stdout.close()


def _wait_until_watching(google: Google, calbot: subprocess.Popen[bytes]) -> None:
    """Return once Calbot has read the calendar and Google knows where to push."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and calbot.poll() is None:
        operations = google.perform("counters")["operations"]
        if operations.get("events.list") and google.perform("channels"):
            return
        time.sleep(0.05)


def _ask(url: str, body: bytes | None, kind: str = "application/json", token: str = "") -> Any:
    headers = {"Content-Type": kind} if body is not None else {}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=10) as answer:
        return json.load(answer)


def _port(wished: int) -> int:
    """Return the wished port if it is free, else one that is."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wished))
        except OSError:
            return _port(0)
        return int(probe.getsockname()[1])


def _tell(who: str, what: str) -> None:
    print(f"{datetime.now().astimezone():%H:%M:%S}  {who:7} {what}", flush=True)


def _ended(why: str, data: Path) -> int:
    print(why)
    log = data / "calbot.log"
    lines = log.read_text(errors="replace").splitlines()[-12:] if log.exists() else []
    print("The end of Calbot's log:", *lines, sep="\n  ")
    return 1


if __name__ == "__main__":
    sys.exit(main())
