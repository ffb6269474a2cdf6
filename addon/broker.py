"""A broker of our own for a Calbot without Home Assistant's: mosquitto as a child, else amqtt in a thread."""

import asyncio
import contextlib
import ctypes
import functools
import importlib.util
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

from calbot.errors import CalbotError
from calbot.ports import Clock

HOST = "127.0.0.1"
START_SECONDS = 5.0
STOP_SECONDS = 1.0
_PR_SET_PDEATHSIG = 1

log = logging.getLogger(__name__)


class NoBroker(CalbotError):
    """No broker could be started; the text says what is missing."""


class EmbeddedBroker:
    """Listens on 127.0.0.1 without passwords, keeps nothing on disk, and ends with this process.

    `port` 0 takes a free one; it is known after `start`. `path` is where mosquitto is looked for. Start it
    in a thread that stays: the child ends with the thread that made it.
    """

    def __init__(self, clock: Clock, *, port: int = 0, path: str | None = None) -> None:
        self.port = port
        self._clock = clock
        self._path = path
        self._child: subprocess.Popen[bytes] | None = None
        self._inner: _Amqtt | None = None

    @property
    def version5(self) -> bool:
        """False for amqtt: it speaks 3.1.1, and waits for ever when it is greeted in MQTT 5 with properties."""
        return self._inner is None

    @property
    def alive(self) -> bool:
        """True while the broker runs."""
        if self._child is not None:
            return self._child.poll() is None
        return self._inner is not None and self._inner.alive

    @property
    def pid(self) -> int:
        """The process that serves: mosquitto's, or our own."""
        return self._child.pid if self._child is not None else os.getpid()

    def start(self) -> None:
        """Start the broker and wait until it answers. Raises NoBroker."""
        self.port = _free_port(self.port)
        program = _mosquitto(self._path)
        if program is None:
            self._inner = inner = _Amqtt(self.port)
            inner.start()
            self._wait(inner.started.is_set)
            return
        with tempfile.TemporaryDirectory(prefix="calbot-broker-") as directory:
            self._start_child(program, Path(directory) / "mosquitto.conf")
            self._wait(lambda: _answers(self.port))

    def stop(self) -> None:
        """End the broker; also when it never started."""
        child, self._child = self._child, None
        if child is not None:
            child.terminate()
            try:
                child.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        inner, self._inner = self._inner, None
        if inner is not None:
            inner.stop()

    def _wait(self, ready: Callable[[], bool]) -> None:
        deadline = self._clock.monotonic() + START_SECONDS
        while not ready():
            if not self.alive or self._clock.monotonic() > deadline:
                self.stop()
                raise NoBroker(f"The embedded broker did not start on {HOST}:{self.port}.")
            self._clock.sleep(0.005)

    def _start_child(self, program: str, configuration: Path) -> None:
        lines = [f"listener {self.port} {HOST}", "allow_anonymous true", "persistence false"]
        lines += ["set_tcp_nodelay true", "log_type error"]
        if os.geteuid() == 0:
            lines.append("user root")  # else it changes to a user who may not read this file
        configuration.write_text("\n".join(lines) + "\n")
        die_with_us = _death_signal() if sys.platform == "linux" else None
        self._child = subprocess.Popen(
            [program, "-c", str(configuration)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=die_with_us,  # noqa: PLW1509  it calls the kernel and nothing else
            start_new_session=True,  # a Ctrl-C is for us; we stop the broker when our goodbye is said
        )


class _Amqtt:
    """The broker in Python, on an event loop of its own."""

    def __init__(self, port: int) -> None:
        self.started = threading.Event()
        self._port = port
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._thread: threading.Thread | None = None

    @property
    def alive(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        if importlib.util.find_spec("amqtt") is None:
            raise NoBroker(
                "There is no MQTT broker: install mosquitto (Debian: apt-get install mosquitto), "
                "or set mqtt.host to a broker of yours."
            )
        # It logs every packet, and each connection that ends as an error.
        for name in ("amqtt", "transitions"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self._thread = threading.Thread(target=self._run, name="broker", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        if self._loop is not None and self._stopping is not None:
            with contextlib.suppress(RuntimeError):  # it ended by itself
                self._loop.call_soon_threadsafe(self._stopping.set)
        if self._thread is not None:
            self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception:
            log.exception("The embedded broker ended.")

    async def _serve(self) -> None:
        from amqtt.broker import Broker  # noqa: PLC0415  an extra that need not be there

        configuration = {
            "listeners": {"default": {"type": "tcp", "bind": f"{HOST}:{self._port}"}},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
        }
        stopping = asyncio.Event()
        self._loop, self._stopping = asyncio.get_running_loop(), stopping
        broker = Broker(configuration)
        await broker.start()
        self.started.set()
        await stopping.wait()
        await broker.shutdown()


def _mosquitto(path: str | None) -> str | None:
    """Return mosquitto's place; Debian keeps it where people other than root do not look."""
    places = os.environ.get("PATH", "") + os.pathsep + "/usr/sbin" if path is None else path
    return shutil.which("mosquitto", path=places)


def _death_signal() -> Callable[[], object]:
    """Return a function that lets a child end with the thread that made it, also when we are killed.

    mosquitto forgets a SIGTERM that comes while it starts, and has nothing to save.
    """
    prctl = ctypes.CDLL(None).prctl
    return functools.partial(prctl, _PR_SET_PDEATHSIG, signal.SIGKILL)


def _free_port(wanted: int) -> int:
    """Return the port if it is free, or a free one for 0. Raises NoBroker."""
    try:
        with socket.create_server((HOST, wanted)) as server:
            port: int = server.getsockname()[1]
            return port
    except OSError as error:
        raise NoBroker(f"The embedded broker cannot have port {wanted}: {error.strerror}.") from error


def _answers(port: int) -> bool:
    try:
        with socket.create_connection((HOST, port), timeout=0.5):
            return True
    except OSError:
        return False
