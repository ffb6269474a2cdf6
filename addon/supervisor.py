"""A small client of the Supervisor: the broker it knows, ourselves, and Home Assistant's services behind its proxy."""

import http
import json
from collections.abc import Mapping
from typing import TypeVar

import msgspec
import urllib3

from calbot.errors import CalbotError

ADDRESS = "http://supervisor"
SECONDS = 5.0
MOSQUITTO = "https://my.home-assistant.io/redirect/supervisor_addon/?addon=core_mosquitto"
NO_BROKER = (
    f"Home Assistant has no MQTT broker yet: install Mosquitto ({MOSQUITTO}) and start it. "
    "Calbot works without it meanwhile, and finds it by itself."
)
_LONGEST = 200
_ALONE = (502, 503, 504)

Answer = TypeVar("Answer")


class SupervisorError(CalbotError):
    """The Supervisor, or Home Assistant behind it, did not do what was asked; the text says what helps."""


class MqttService(msgspec.Struct, frozen=True, kw_only=True):
    """The broker that the Supervisor knows. Mosquitto may change the password whenever it starts."""

    host: str
    port: int = 1883
    ssl: bool = False
    username: str | None = None
    password: str | None = None

    def __repr__(self) -> str:
        return f"MqttService({self.host}:{self.port})"


class SelfInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What the Supervisor knows of us."""

    slug: str
    hostname: str = ""
    version: str | None = None
    version_latest: str | None = None
    ingress_url: str | None = None
    watchdog: bool | None = None


class _Envelope(msgspec.Struct, frozen=True):
    """What the Supervisor wraps every answer of its own in."""

    data: msgspec.Raw = msgspec.Raw(b"{}")
    message: str | None = None


class _Domain(msgspec.Struct, frozen=True):
    """One domain's services, by name, as Core lists them."""

    domain: str
    services: dict[str, msgspec.Raw] = {}


class Supervisor:
    """Asks with the token of this start, which goes nowhere else. Any thread may ask; a question waits 5 s at most.

    Every method raises SupervisorError, and no other.
    """

    def __init__(self, token: str, address: str = ADDRESS) -> None:
        self._token = token
        self._address = address.rstrip("/")

    def mqtt(self) -> MqttService:
        """Return the broker as it is now. Nobody tells of changes: ask before every attempt to connect."""
        return self._own("/services/mqtt", MqttService)

    def self_info(self) -> SelfInfo:
        """Return what the Supervisor knows of us."""
        return self._own("/addons/self/info", SelfInfo)

    def notify_services(self) -> tuple[str, ...]:
        """Return the household's notify services, like `notify.mobile_app_anna`."""
        path = "/core/api/services"
        domains = self._read(path, self._ask("GET", path), list[_Domain])
        return tuple(sorted(f"notify.{name}" for one in domains if one.domain == "notify" for name in one.services))

    def call(self, domain: str, service: str, data: Mapping[str, str]) -> None:
        """Call one of Home Assistant's services."""
        self._ask("POST", f"/core/api/services/{domain}/{service}", data)

    def _own(self, path: str, kind: type[Answer]) -> Answer:
        """Return what the Supervisor itself answers, out of its envelope."""
        envelope = self._read(path, self._ask("GET", path), _Envelope)
        return self._read(path, envelope.data, kind)

    def _ask(self, method: str, path: str, data: Mapping[str, str] | None = None) -> bytes:
        headers = {"Authorization": f"Bearer {self._token}", "Connection": "close"}
        body = None
        if data is not None:
            headers["Content-Type"] = "application/json"
            body = json.dumps(data).encode()
        timeout = urllib3.Timeout(total=SECONDS)
        try:  # A connection for each question: they are rare, and one that was kept may be closed by now.
            with urllib3.PoolManager(retries=False, timeout=timeout) as pool:
                answer = pool.request(method, self._address + path, body=body, headers=headers, redirect=False)
                status, content = answer.status, answer.data
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise self._trouble(path, error=error) from None  # a header's complaint would show the token
        if status != http.HTTPStatus.OK:
            raise self._trouble(path, status=status, content=content)
        return content

    def _read(self, path: str, content: bytes | msgspec.Raw, kind: type[Answer]) -> Answer:
        try:
            return msgspec.json.decode(content, type=kind)
        except msgspec.MsgspecError as error:
            raise self._trouble(path, error=error) from error

    def _trouble(
        self, path: str, *, status: int = 0, content: bytes = b"", error: Exception | None = None
    ) -> SupervisorError:
        """Say in our words what came instead of an answer, and what helps."""
        said = self._said(content)
        core = path.startswith("/core/")
        who = "Home Assistant" if core else "the Supervisor"
        asked = " when asked for the MQTT broker" if path == "/services/mqtt" else ""
        if isinstance(error, msgspec.MsgspecError):
            return SupervisorError(f"Calbot does not understand what {who} answers at {path}: {error}.")
        if error is not None:
            return SupervisorError(f"The Supervisor does not answer{asked} ({type(error).__name__}); trying again.")
        if "service not enabled" in said.lower():
            return SupervisorError(NO_BROKER)
        if "not ready" in said.lower() or (status in _ALONE and not core):
            return SupervisorError("The Supervisor is not ready yet; trying again.")
        if core and status in _ALONE:
            return SupervisorError("Home Assistant does not answer, it may be starting; trying again.")
        if status in (401, 403):
            return SupervisorError(
                f"The Supervisor does not let Calbot use {path} ({status}). "
                "Restart Calbot; if that does not help, install it again, so that it gets its permissions."
            )
        if core and status in (400, 404):
            service = ".".join(path.rsplit("/", 2)[1:])
            return SupervisorError(
                f"Home Assistant does not know {service}, or not yet: compare it with the names under "
                "Developer tools, Actions."
            )
        return SupervisorError(f"{who[0].upper()}{who[1:]} answered {status} at {path}{f': {said}' if said else '.'}")

    def _said(self, content: bytes) -> str:
        """Return the message of an error's envelope, without the token should it be in there."""
        try:
            message = msgspec.json.decode(content, type=_Envelope).message or ""
        except msgspec.MsgspecError:
            message = ""
        return message.replace(self._token, "…")[:_LONGEST]
