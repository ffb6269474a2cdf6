"""The Supervisor's API, version 1, as an app sees it: its envelope, the broker's record, and Core behind a proxy.

Written from the reference (HOMEASSISTANT.md §6), not from the client. `python -m tests.supervisor` serves it alone.
"""

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

TOKEN = "supervisor-token-3f1c9ab2"
SERVICES = ("notify", "persistent_notification", "mobile_app_anna", "mobile_app_bob")


@dataclass(frozen=True)
class Call:
    """One request: with its body, and the token it carried."""

    method: str
    path: str
    body: Any
    token: str


@dataclass
class Fault:
    """What is answered instead: a status and a message, after some seconds; status 0 cuts the connection."""

    status: int = 502
    message: str = "Bad Gateway"
    seconds: float = 0.0
    left: int | None = None


@dataclass
class Household:
    """What this Supervisor and this Core know."""

    token: str = TOKEN
    mqtt: dict[str, Any] | None = None
    services: list[str] = field(default_factory=lambda: list(SERVICES))
    notifications: dict[str, dict[str, str]] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    faults: dict[str, Fault] = field(default_factory=dict)
    """By the beginning of the path."""


class FakeSupervisor:
    """Serves from `with` to its end; `address` is where. What it knows may be changed at any time."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0, token: str = TOKEN) -> None:
        self.knows = Household(token=token)
        self.released = threading.Event()
        knows, released = self.knows, self.released

        class Handler(_Handler):
            household = knows
            ending = released

        self._server = ThreadingHTTPServer((host, port), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def address(self) -> str:
        """Where it serves."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def install_broker(self, port: int, password: str | None = None, host: str = "127.0.0.1") -> None:
        """Let Mosquitto register itself, as it does at each of its starts, perhaps with a new password."""
        record: dict[str, Any] = {"addon": "core_mosquitto", "host": host, "port": port, "ssl": False}
        if password is not None:
            record |= {"username": "addons", "password": password}
        self.knows.mqtt = record | {"protocol": "3.1.1"}

    def remove_broker(self) -> None:
        """Let Mosquitto be gone."""
        self.knows.mqtt = None

    def fail(
        self,
        path: str,
        status: int = 502,
        message: str = "Bad Gateway",
        *,
        seconds: float = 0.0,
        count: int | None = None,
    ) -> None:
        """Answer what begins with `path` like this, for so many times or until `heal`."""
        self.knows.faults[path] = Fault(status, message, seconds, count)

    def heal(self) -> None:
        """Answer everything again."""
        self.knows.faults.clear()

    def calls(self, path: str = "") -> list[Call]:
        """The calls so far of what begins with `path`."""
        return [call for call in list(self.knows.calls) if call.path.startswith(path)]

    def told(self, service: str = "persistent_notification/create") -> list[dict[str, str]]:
        """What reached a service, like `notify/mobile_app_anna`."""
        return [call.body for call in self.calls(f"/core/api/services/{service}")]


class _Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    household: Household
    ending: threading.Event
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer a question."""
        self._serve("GET")

    def do_POST(self) -> None:
        """Answer a call."""
        self._serve("POST")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Say nothing."""

    def _serve(self, method: str) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(length)
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        knows = self.household
        if self.path.startswith("/fake/"):
            self._control(raw)
            return
        body: Any = json.loads(raw) if raw else {}
        knows.calls.append(Call(method, self.path, body, token))
        for beginning, fault in list(knows.faults.items()):
            if self.path.startswith(beginning) and fault.left != 0:
                if fault.left is not None:
                    fault.left -= 1
                self._fail(fault)
                return
        if token != knows.token:
            self._error(401, "Unauthorized")
            return
        match method, self.path.strip("/").split("/"):
            case "GET", ["services", "mqtt"]:
                if knows.mqtt is None:
                    self._error(400, "Service not enabled")
                else:
                    self._ok(knows.mqtt)
            case "GET", ["addons", "self", "info"]:
                self._ok({"slug": "local_calbot", "hostname": "local-calbot", "version": "0.1.0", "watchdog": False})
            case "POST", ["addons", "self", "options" | "restart"]:
                self._ok({})
            case "GET", ["core", "api", "services"]:
                self._send(200, [{"domain": "light", "services": {"turn_on": {}}}, self._notify_domain()])
            case "POST", ["core", "api", "services", "persistent_notification", "create"] if _is_text(body, "message"):
                knows.notifications[body.get("notification_id", "")] = body
                self._send(200, [])
            case "POST", ["core", "api", "services", "notify", name] if name in knows.services and _is_text(
                body, "message"
            ):
                self._send(200, [])
            case "POST", ["core", "api", "services", *_]:
                self._plain(400, "400: Bad Request")
            case _:
                self._error(404, "Not Found")

    def _control(self, raw: bytes) -> None:
        """For who runs this as a program: read what was asked, set the broker's record and the faults."""
        knows = self.household
        if raw:
            wish = json.loads(raw)
            knows.mqtt = wish.get("mqtt", knows.mqtt)
            if "faults" in wish:
                knows.faults = {path: Fault(**fault) for path, fault in wish["faults"].items()}
        calls = [
            {"method": c.method, "path": c.path, "body": c.body, "known": c.token == knows.token} for c in knows.calls
        ]
        self._send(200, {"calls": calls, "notifications": knows.notifications})

    def _notify_domain(self) -> dict[str, Any]:
        return {"domain": "notify", "services": {name: {"fields": {}} for name in self.household.services}}

    def _fail(self, fault: Fault) -> None:
        if fault.seconds:
            self.ending.wait(fault.seconds)
        if fault.status == 0:
            self.close_connection = True
            self.connection.close()
        elif self.path.startswith("/core/"):
            self._plain(fault.status, f"{fault.status}: {fault.message}")
        else:
            self._error(fault.status, fault.message)

    def _ok(self, data: object) -> None:
        self._send(200, {"result": "ok", "data": data})

    def _error(self, status: int, message: str) -> None:
        self._send(status, {"result": "error", "message": message})

    def _plain(self, status: int, text: str) -> None:
        self._answer(status, "text/plain", text.encode())

    def _send(self, status: int, document: object) -> None:
        self._answer(status, "application/json", json.dumps(document).encode())

    def _answer(self, status: int, kind: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def _is_text(body: Any, key: str) -> bool:
    return isinstance(body, dict) and isinstance(body.get(key), str)
