"""Push door throughput beside an empty Flask view, in one run: `python -m bench.push_door`.

Both are served by the same waitress with the same settings, in a process of their own, and are asked by the
same clients over kept connections, turn about; the ratio is the median over the turns, so that a busy machine
hits both alike. Set CALBOT_BENCH_SECONDS to measure longer.
"""

import multiprocessing
import os
import re
import shutil
import socket
import statistics
import subprocess
import tempfile
import threading
from multiprocessing.connection import Connection
from pathlib import Path
from time import perf_counter
from wsgiref.types import WSGIApplication

from flask import Flask

from addon.web.server import Door, WebServer
from addon.web.webhook import PushDoor
from calbot.channels import is_genuine
from calbot.clock import SystemClock
from calbot.model import CalendarKey, Channel

CLIENTS = 8
ROUNDS = 7
SECONDS = float(os.environ.get("CALBOT_BENCH_SECONDS", "1"))
HEADERS = {
    "X-Goog-Channel-ID": "0d1f2c3b-bench",
    "X-Goog-Channel-Token": "t" * 43,
    "X-Goog-Resource-ID": "r" * 27,
    "X-Goog-Resource-State": "exists",
    "X-Goog-Message-Number": "12345",
}
SECRET = b"s" * 32
CHANNEL = Channel(
    id=HEADERS["X-Goog-Channel-ID"],
    key=CalendarKey("anna@example.com", "primary"),
    address="https://example.org/push",
    created=0.0,
    resource_id=HEADERS["X-Goog-Resource-ID"],
    expires=9e9,
)


class BenchEngine:
    """Checks a push as the engine does, and counts it."""

    def __init__(self) -> None:
        self.pushes = 0

    def on_push(self, channel_id: str, token: str, resource_id: str, state: str) -> bool:
        self.pushes += 1
        return is_genuine(CHANNEL, SECRET, token, resource_id, 1.0)


def empty_flask() -> WSGIApplication:
    """Return the smallest Flask application that takes a push."""
    app = Flask("empty")

    @app.post("/push")
    def push() -> str:
        return ""

    return app


def serve(pipe: Connection) -> None:
    """Serve both doors until the other end of the pipe closes."""
    apps: dict[str, WSGIApplication] = {
        "push door": PushDoor(BenchEngine(), lambda: True),
        "empty Flask view": empty_flask(),
    }
    server = WebServer([Door(name, app, "127.0.0.1", 0, "-") for name, app in apps.items()], SystemClock())
    server.start()
    pipe.send(server.ports)
    pipe.poll(None)
    server.stop()


def by_wrk(port: int) -> float:
    """Return requests per second, as wrk counts them."""
    script = 'wrk.method = "POST"\n' + "".join(
        f'wrk.headers["{name}"] = "{value}"\n' for name, value in HEADERS.items()
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "push.lua"
        path.write_text(script, encoding="ascii")
        command = ["wrk", "-t1", f"-c{CLIENTS}", f"-d{max(1, round(SECONDS))}s", "-s", str(path)]
        told = subprocess.run([*command, f"http://127.0.0.1:{port}/push"], check=True, capture_output=True, text=True)
    if "Non-2xx" in told.stdout:
        raise SystemExit(told.stdout)
    found = re.search(r"Requests/sec:\s+([\d.]+)", told.stdout)
    return float(found.group(1)) if found else 0.0


def by_threads(port: int) -> float:
    """Return requests per second of a few threads with kept connections, where wrk is not installed."""
    head = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())
    request = f"POST /push HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n{head}\r\n".encode()
    counts = [0] * CLIENTS
    ends = perf_counter() + SECONDS

    def client(number: int) -> None:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            while perf_counter() < ends:
                connection.sendall(request)
                answer = connection.recv(4096)
                if not answer.startswith((b"HTTP/1.1 204", b"HTTP/1.1 200")) or not answer.endswith(b"\r\n\r\n"):
                    raise SystemExit(f"an odd answer: {answer[:200]!r}")
                counts[number] += 1

    threads = [threading.Thread(target=client, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / SECONDS


def main() -> None:
    """Measure in turns and print the ratio."""
    context = multiprocessing.get_context("spawn")
    near, far = context.Pipe()
    process = context.Process(target=serve, args=(far,), daemon=True)
    process.start()
    door, empty = near.recv()
    ask = by_wrk if shutil.which("wrk") else by_threads
    rates: dict[str, list[float]] = {"push door": [], "empty Flask view": []}
    for _ in range(ROUNDS):
        rates["push door"].append(ask(door))
        rates["empty Flask view"].append(ask(empty))
    near.close()
    process.join(5)
    for name, found in rates.items():
        each = ", ".join(f"{one:.0f}" for one in found)
        print(f"{name:17} {statistics.median(found):8.0f} requests/s   ({each})")
    ratio = statistics.median(ours / flask for ours, flask in zip(*rates.values(), strict=True))
    how = f"{ask.__name__}, {CLIENTS} clients, {ROUNDS} x {SECONDS:g} s each"
    print(f"ratio {ratio:.2f}, goal at least 0.80 ({how})")


if __name__ == "__main__":
    main()
