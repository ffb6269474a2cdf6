"""A Home Assistant Core as a process: set up without hands, connected to a broker, asked and told over its API."""

import contextlib
import json
import os
import re
import signal
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.homeassistant.sockets import Socket
from tests.service.running import free_port, wait_for

RIG = Path(__file__).parent / "rig"
FOLDER = Path(os.environ.get("XDG_CACHE_HOME") or "/var/cache") / "calbot-tests" / "homeassistant"
OUR_DOING = ("Skipping pip installation of required modules",)
LINE = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+\S* (\w+) \(.*?\) \[(.*?)\] (.*)$")
CONFIGURATION = """
homeassistant: {name: Home, time_zone: Europe/Berlin, latitude: 52.5, longitude: 13.4, country: DE, currency: EUR}
frontend:
config:
history:
logger: {default: info}
automation: !include automations.yaml
recorder: {commit_interval: 0}
"""

Json = dict[str, Any]


class HomeAssistant:
    """One installation in `directory`, which lies below FOLDER; its broker lets everybody in."""

    def __init__(self, version: str, directory: Path, broker_port: int) -> None:
        self.version = version
        self.numbers = tuple(int(number) for number in version.split(".")[:2])
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.tokens: Json = {}
        self._directory = directory
        self._broker_port = broker_port
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Set up at the first time; return when it runs and has said so on the broker."""
        first = not self._directory.exists()
        if first:
            self._configure()
        self._launch()
        if first:
            self._onboard()
            self._add_mqtt()
        wait_for(lambda: self.api("GET", "/api/config")["state"] == "RUNNING", 60, "Home Assistant runs")
        for issue in self.ask("repairs/list_issues")["issues"]:
            if issue["issue_id"] == "deprecated_method":  # an installation without a container
                self.ask("repairs/ignore_issue", domain=issue["domain"], issue_id=issue["issue_id"], ignore=True)

    def stop(self, *, hard: bool = False) -> None:
        """End it, with a word or like a power cut."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGKILL if hard else signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def ask(self, kind: str, **more: Any) -> Any:
        """Ask over its WebSocket."""
        socket = Socket(f"ws://127.0.0.1:{self.port}/api/websocket")
        socket.open()
        try:
            socket.hear()
            socket.say({"type": "auth", "access_token": self.tokens["access_token"]})
            assert socket.hear()["type"] == "auth_ok"
            answer = socket.ask(type=kind, **more)
        finally:
            socket.close()
        assert answer["success"], answer
        return answer["result"]

    def api(self, method: str, path: str, body: object = None) -> Any:
        """Ask over HTTP. Raises OSError."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        if self.tokens:
            headers["Authorization"] = f"Bearer {self.tokens['access_token']}"
        request = urllib.request.Request(self.address + path, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.loads(answer.read() or "null")

    def call(self, service: str, **data: Any) -> None:
        """Call a service such as switch.turn_on."""
        self.api("POST", f"/api/services/{service.replace('.', '/')}", data)

    def state(self, entity: str) -> str | None:
        """The state of an entity; None when there is no such entity."""
        found = self.entity(entity)
        return None if found is None else str(found["state"])

    def entity(self, entity: str) -> Json | None:
        """The state and the attributes of an entity."""
        try:
            found: Json = self.api("GET", f"/api/states/{entity}")
        except urllib.error.HTTPError as error:
            error.close()
            return None
        return found

    def wait_state(self, entity: str, state: str, seconds: float = 15) -> None:
        """Return when an entity has a state."""
        wait_for(lambda: self.state(entity) == state, seconds, f"{entity} is {state}, not {self.state(entity)}")

    def device(self, identifier: str) -> Json | None:
        """A device of the MQTT integration."""
        devices: list[Json] = self.ask("config/device_registry/list")
        return next((one for one in devices if ["mqtt", identifier] in one["identifiers"]), None)

    def delete(self, device: Json) -> None:
        """Delete a device as the user interface does."""
        entry = device["config_entries"][0]
        if self.numbers >= (2026, 9):
            self.ask("config/device_registry/remove", device_id=device["id"])
        else:
            self.ask("config/device_registry/remove_config_entry", device_id=device["id"], config_entry_id=entry)

    def automate(self, name: str, **configuration: Any) -> None:
        """Make an automation, and return when it waits for its trigger."""
        alias = name.replace("_", " ").capitalize()
        self.api("POST", f"/api/config/automation/config/{name}", {"alias": alias, **configuration})
        self.wait_state(f"automation.{name}", "on")

    def log_mark(self) -> int:
        """How long its log is now."""
        return self._log.stat().st_size

    def problems(self, since: int = 0) -> list[str]:
        """Warnings and errors of its log from a mark on."""
        found = []
        for line in self._log.read_bytes()[since:].decode(errors="replace").splitlines():
            told = LINE.match(line)
            if told and told[1] in {"WARNING", "ERROR", "CRITICAL"} and not told[3].startswith(OUR_DOING):
                found.append(f"{told[1]} {told[2]}: {told[3]}")
            elif found and not told:
                found[-1] += f"\n{line}"
        return found

    @property
    def _log(self) -> Path:
        return self._directory / "log"

    def _launch(self) -> None:
        inside = f"/work/{self._directory.relative_to(FOLDER)}"
        programs = f"/core-{self.version}/bin"
        command = ["/usr/bin/env", f"PATH={programs}:/usr/sbin:/usr/bin:/sbin:/bin", f"{programs}/hass"]
        command += ["-c", f"{inside}/config", "--skip-pip", "--log-no-color"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [str(RIG / "enter.sh"), str(FOLDER / "rootfs"), str(FOLDER), *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "RIG_OFFLINE": "1"},
                start_new_session=True,
            )
        wait_for(self._answers, 90, f"Home Assistant answers; its log: {self._log}")

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self._log.read_text()[-3000:]
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.address}/manifest.json", timeout=2):
            return True
        return False

    def _configure(self) -> None:
        configuration = self._directory / "config"
        (configuration / ".storage").mkdir(parents=True)
        (configuration / "www").mkdir()
        (configuration / "automations.yaml").write_text("[]\n")
        text = CONFIGURATION
        # Every step of the onboarding but the first is marked as done: the others set up what needs the internet.
        self._store("onboarding", 4, {"done": ["core_config", "analytics", "integration"]})
        if self.numbers >= (2026, 8):
            self._store("http", 3 if self.numbers >= (2026, 11) else 2, self._http())
        else:
            text += f"http: {{server_host: 127.0.0.1, server_port: {self.port}}}\n"
        (configuration / "configuration.yaml").write_text(text)

    def _http(self) -> Json:
        stable = {
            "server_port": self.port,
            "server_host": ["127.0.0.1"],
            "cors_allowed_origins": [],
            "login_attempts_threshold": -1,
            "ip_ban_enabled": True,
            "use_x_frame_options": True,
            "ssl_profile": "intermediate_v6" if self.numbers >= (2026, 11) else "modern",
            "created_at": "2026-11-20T00:00:00+00:00",
            "error": None,
            "error_message": None,
        }
        return {"pending": None, "yaml_migration_done": True, "stable": stable}

    def _store(self, key: str, version: int, data: Json) -> None:
        path = self._directory / "config" / ".storage" / key
        path.write_text(json.dumps({"version": version, "minor_version": 1, "key": key, "data": data}))

    def _onboard(self) -> None:
        user = {"name": "Anna", "username": "anna", "password": "pass-word", "language": "en"}
        user["client_id"] = f"{self.address}/"
        found: list[Json] = []

        def made() -> bool:
            with contextlib.suppress(OSError):
                found.append(self.api("POST", "/api/onboarding/users", user))
            return bool(found)

        wait_for(made, 30, "the first user")
        form = {"grant_type": "authorization_code", "code": found[0]["auth_code"], "client_id": user["client_id"]}
        with urllib.request.urlopen(f"{self.address}/auth/token", urlencode(form).encode(), timeout=20) as answer:
            self.tokens = json.loads(answer.read())

    def _add_mqtt(self) -> None:
        flows = "/api/config/config_entries/flow"
        form = self.api("POST", flows, {"handler": "mqtt", "show_advanced_options": True})
        fields = {field["name"] for field in form["data_schema"]}
        filled: Json = {"broker": "127.0.0.1", "port": self._broker_port}
        if "protocol" in fields:
            filled["protocol"] = "5"
        others = {"set_client_cert": False, "set_ca_cert": "off", "transport": "tcp"}
        if "other_settings" in fields:
            filled["other_settings"] = others
        filled |= {name: value for name, value in others.items() if name in fields}
        made = self.api("POST", f"{flows}/{form['flow_id']}", filled)
        assert made["type"] == "create_entry", made
