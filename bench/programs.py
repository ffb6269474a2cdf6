"""Programs that a benchmark runs beside itself: started in their own process, stopped by their own handle."""

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

ROOT = Path(__file__).resolve().parent.parent


def free_port() -> int:
    """Return a loopback port that is free just now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextlib.contextmanager
def running(
    *command: str, environ: Mapping[str, str] | None = None, output: Any = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program until the block ends; then SIGTERM, and after five seconds SIGKILL."""
    program = subprocess.Popen(
        command, cwd=ROOT, env=dict(environ or os.environ), stdout=output, stderr=subprocess.DEVNULL
    )
    try:
        yield program
    finally:
        program.terminate()
        try:
            program.wait(5)
        except subprocess.TimeoutExpired:
            program.kill()
            program.wait(5)


@contextlib.contextmanager
def python(module: str, *arguments: str) -> Iterator[tuple[int, Any]]:
    """Run a module that prints one JSON line when it is ready; give its process id and that line."""
    with running(sys.executable, "-m", module, *arguments, output=subprocess.PIPE) as program:
        assert program.stdout is not None
        line = program.stdout.readline()
        assert line, f"{module} did not start"
        yield program.pid, msgspec.json.decode(line)


@contextlib.contextmanager
def mosquitto(directory: Path) -> Iterator[int]:
    """Run a broker on a free loopback port; give the port."""
    port = free_port()
    configuration = directory / "mosquitto.conf"
    configuration.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n")
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"])
    with running("mosquitto", "-c", str(configuration), environ={**os.environ, "PATH": path}):
        until(lambda: _answers(port), 5)
        yield port


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


def until(fulfilled: Callable[[], object], seconds: float, *, every: float = 0.002) -> bool:
    """Wait until the condition holds; False when it does not within `seconds`."""
    end = time.monotonic() + seconds
    while not fulfilled():
        if time.monotonic() > end:
            return False
        time.sleep(every)
    return True


class Google:
    """The fake Google in its own process, as its control port lets one act on it."""

    def __init__(self, pid: int, addresses: dict[str, Any]) -> None:
        self.pid = pid
        self.calendar_api: str = addresses["calendar_api"]
        self.token_uri: str = addresses["token_uri"]
        self.accounts: dict[str, dict[str, Any]] = addresses["accounts"]
        self._control: str = addresses["control_url"]

    def __call__(self, deed: str, /, **arguments: object) -> Any:
        """Do an operation of the control port and return its result."""
        body = msgspec.json.encode(arguments)
        with urllib.request.urlopen(f"{self._control}{deed}", body, timeout=30) as answer:
            return msgspec.json.decode(answer.read())["result"]


@contextlib.contextmanager
def google(*accounts: str, latency_ms: float = 0.0) -> Iterator[Google]:
    """Run the fake Google with these accounts."""
    arguments = ["--allow-http-push", "--latency-ms", str(latency_ms)]
    for account in accounts:
        arguments += ["--account", account]
    with python("tests.google_server", *arguments) as (pid, addresses):
        yield Google(pid, addresses)


def sign_in(directory: Path, documents: Mapping[str, object]) -> None:
    """Put token files into a data directory."""
    folder = directory / "tokens"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for email, document in documents.items():
        path = folder / f"{email}.json"
        path.write_bytes(msgspec.json.encode(document))
        path.chmod(0o600)
