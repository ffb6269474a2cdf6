"""A household in a network of its own: fake Google, fake Supervisor, Mosquitto, who listens, and containers beside."""

import contextlib
import http.client
import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from addon.broker import EmbeddedBroker
from calbot.clock import SystemClock
from tests.container.engine import APP, CACHE, SUPERVISOR, Container, Engine, Network
from tests.google_server.control import Control
from tests.google_server.http import GoogleServer
from tests.service.running import ANNA, BOB, Listener
from tests.supervisor.server import TOKEN, FakeSupervisor

BROKER = "core-mosquitto"
"""The broker's name, as the Supervisor gives it."""


def get(path: str, source: str = "127.0.0.1") -> tuple[int, bytes]:
    """Ask the panel door from an address; return status and body, 0 when nobody is there."""
    target = "127.0.0.1" if source == "127.0.0.1" else APP
    door = http.client.HTTPConnection(target, 8099, timeout=5, source_address=(source, 0))
    try:
        door.request("GET", path)
        answer = door.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException):
        return 0, b""
    finally:
        door.close()


def ask(path: str, source: str = "127.0.0.1") -> int:
    """Ask the panel door from an address; return the status, 0 when nobody is there."""
    return get(path, source)[0]


def health() -> dict[str, Any]:
    """Return what the door tells machines of how it is; nothing when nobody is there."""
    found: dict[str, Any] = json.loads(get("/health")[1] or b"{}")
    return found


def is_watching() -> bool:
    """Say whether the door tells of a good look at every calendar, and of a broker."""
    found = health()
    return found.get("level") == "ok" and found["last_success"] is not None and found["mqtt"] is None


@dataclass
class Household:
    """What is in the network. The broker is known to nobody but the Supervisor."""

    google: Control
    supervisor: FakeSupervisor
    broker: EmbeddedBroker
    listener: Listener
    network: Network
    _docker: Engine
    _server: GoogleServer
    _folder: Path
    _made: list[Container] = field(default_factory=list)

    def container(self, *, environment: dict[str, str] | None = None, **options: object) -> Container:
        """A container that is not started yet: Anna is signed in, Bob is to be invited."""
        data = Path(tempfile.mkdtemp(dir=self._folder))
        wanted = {"invite_emails": [BOB], "push_url": "http://127.0.0.1:8098/push"}
        written = data / "options.json"
        written.touch(mode=0o600)  # as the Supervisor leaves it
        written.write_text(json.dumps({**wanted, **options}))
        (data / "tokens").mkdir()
        (data / "tokens" / f"{ANNA}.json").write_text(json.dumps(self._server.token_document(ANNA)))
        given = {
            "SUPERVISOR_TOKEN": TOKEN,
            "CALBOT_CALENDAR_API": self._server.calendar_api,
            "CALBOT_TOKEN_URI": self._server.token_uri,
            **(environment or {}),
        }
        made = Container(self._docker, self.network, data, given)
        self._made.append(made)
        return made

    def started(self, *, environment: dict[str, str] | None = None, **options: object) -> Container:
        """A container that watches Anna's calendar, and has its broker."""
        container = self.container(environment=environment, **options)
        container.start()
        container.wait(is_watching, "watching")
        return container

    def clear(self) -> None:
        """Remove every container."""
        for container in self._made:
            container.remove()


@contextlib.contextmanager
def household(docker: Engine) -> Iterator[Household]:
    """Everything that a container finds beside it."""
    network = Network(docker, {"supervisor": SUPERVISOR, BROKER: "127.0.0.1"})
    folder = Path(tempfile.mkdtemp(prefix="data-", dir=CACHE))
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        stack.callback(network.close)
        stack.enter_context(network.inside())
        server = stack.enter_context(GoogleServer(SystemClock(), [ANNA, BOB], allow_http_push=True))
        broker = EmbeddedBroker(SystemClock())
        broker.start()
        stack.callback(broker.stop)
        supervisor = stack.enter_context(FakeSupervisor(SUPERVISOR, 80))
        supervisor.install_broker(broker.port, "the broker's password", BROKER)
        listener = Listener(broker.port)
        stack.callback(listener.close)
        home = Household(server.control, supervisor, broker, listener, network, docker, server, folder)
        stack.callback(home.clear)
        yield home
