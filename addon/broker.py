"""A broker of our own for a Calbot without Home Assistant's: mosquitto as a child, else amqtt in a thread."""

import asyncio
import contextlib
import ctypes
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
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

    `port` 0 takes a free one; it is known after `start`. `path` is where mosquitto is looked for.
    """

    def __init__(self, clock: Clock, *, port: int = 0, path: str | None = None) -> None:
        self.port = port
        self._clock = clock
        self._path = path
        self._child: subprocess.Popen[bytes] | None = None
        self._directory: tempfile.TemporaryDirectory[str] | None = None
        self._inner: _Amqtt | None = None

    @property
    def alive(self) -> bool:
        """True while the broker runs."""
        if self._child is not None:
            return self._child.poll() is None
        return self._inner is not None and self._inner.alive

    def start(self) -> None:
        """Start the broker and wait until it answers. Raises NoBroker."""
        self.port = self.port or _free_port()
        program = _mosquitto(self._path)
        if program:
            self._start_child(program)
        else:
            self._inner = _Amqtt(self.port)
            self._inner.start()
        deadline = self._clock.monotonic() + START_SECONDS
        while not _answers(self.port):
            if not self.alive or self._clock.monotonic() > deadline:
                self.stop()
                raise NoBroker(f"The embedded broker did not start on {HOST}:{self.port}: is the port taken?")
            self._clock.sleep(0.01)

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
        if self._directory is not None:
            self._directory.cleanup()
            self._directory = None
        inner, self._inner = self._inner, None
        if inner is not None:
            inner.stop()

    def _start_child(self, program: str) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="calbot-broker-")
        configuration = Path(self._directory.name) / "mosquitto.conf"
        lines = [f"listener {self.port} {HOST}", "allow_anonymous true", "persistence false", "log_type error"]
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
        self._port = port
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    @property
    def alive(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        try:
            from amqtt.broker import Broker
        except ImportError as error:
            raise NoBroker(
                "There is no MQTT broker: install mosquitto (Debian: apt-get install mosquitto), "
                "or set mqtt.host to a broker of yours."
            ) from error
        # It logs every packet, and each connection that ends as an error.
        for name in ("amqtt", "transitions"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self._loop = asyncio.new_event_loop()
        configuration = {
            "listeners": {"default": {"type": "tcp", "bind": f"{HOST}:{self._port}"}},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
        }
        self._thread = threading.Thread(
            target=self._run, args=(Broker, configuration), name="broker", daemon=True
        )
        self._thread.start()
