"""What the container's tests share: the daemon, the image, a household in their network, and figures for the end."""

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from addon.broker import EmbeddedBroker
from calbot.clock import SystemClock
from tests.container.engine import CACHE, Container, Engine, Network, build, engine
from tests.google_server.control import Control
from tests.google_server.http import GoogleServer
from tests.service.running import ANNA, BOB, Listener

FIGURES = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    """Pytest's own hook, at the start."""
    config.stash[FIGURES] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Pytest's own hook, at the end."""
    for line in config.stash[FIGURES]:
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def figure(pytestconfig: pytest.Config) -> Callable[[str], None]:
    """Prints a line at the end."""
    return pytestconfig.stash[FIGURES].append


@pytest.fixture(scope="session")
def docker() -> Iterator[Engine]:
    """The daemon."""
    missing = [
        tool for tool in ("/usr/sbin/dockerd", "/usr/bin/docker", "/usr/bin/mmdebstrap") if not shutil.which(tool)
    ]
    if os.geteuid() != 0 or missing:
        pytest.skip(f"building needs root and Debian's docker.io and mmdebstrap (missing: {missing or 'root'})")
    with engine() as ours:
        yield ours


@pytest.fixture(scope="session")
def image(docker: Engine, figure: Callable[[str], None]) -> Engine:
    """The daemon, with the image built."""
    seconds = build(docker)
    size, base = (
        docker.inspect(name)["Size"] / 1e6 for name in ("localhost/calbot:ci", "localhost/calbot-base:trixie")
    )
    figure(f"image {size:.0f} MB, {base:.0f} MB of them Debian's; built in {seconds:.0f} s")
    return docker


@dataclass
class Household:
    """A fake Google, a broker and a listener in a network of their own, and containers beside them."""

    google: Control
    listener: Listener
    network: Network
    _docker: Engine
    _server: GoogleServer
    _broker: EmbeddedBroker
    _folder: Path
    _made: list[Container] = field(default_factory=list)

    def container(self, **options: object) -> Container:
        """A container that is not started yet: Anna is signed in, Bob is to be invited."""
        data = Path(tempfile.mkdtemp(dir=self._folder))
        wanted = {
            "invite_emails": [BOB],
            "push_url": "http://127.0.0.1:8098/push",
            "mqtt": {"host": "127.0.0.1", "port": self._broker.port},
        }
        written = data / "options.json"
        written.touch(mode=0o600)  # as the Supervisor leaves it
        written.write_text(json.dumps({**wanted, **options}))
        (data / "tokens").mkdir()
        (data / "tokens" / f"{ANNA}.json").write_text(json.dumps(self._server.token_document(ANNA)))
        places = {
            "CALBOT_CALENDAR_API": self._server.calendar_api,
            "CALBOT_TOKEN_URI": self._server.token_uri,
        }
        made = Container(self._docker, self.network, data, places)
        self._made.append(made)
        return made

    def clear(self) -> None:
        """Remove every container."""
        for container in self._made:
            container.remove()


@contextlib.contextmanager
def _household(docker: Engine) -> Iterator[Household]:
    network = Network(docker)
    folder = Path(tempfile.mkdtemp(prefix="data-", dir=CACHE))
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        stack.callback(network.close)
        stack.enter_context(network.inside())
        server = stack.enter_context(GoogleServer(SystemClock(), [ANNA, BOB], allow_http_push=True))
        broker = EmbeddedBroker(SystemClock())
        broker.start()
        stack.callback(broker.stop)
        listener = Listener(broker.port)
        stack.callback(listener.close)
        home = Household(server.control, listener, network, docker, server, broker, folder)
        stack.callback(home.clear)
        yield home


@pytest.fixture
def home(image: Engine) -> Iterator[Household]:
    """A household of the test's own."""
    with _household(image) as household:
        yield household
