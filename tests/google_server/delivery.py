"""The thread that carries pushes to loopback addresses, with Google's rules for trying again."""

import http.client
import threading
import time
from contextlib import AbstractContextManager
from urllib.parse import urlsplit

from tests.google_server.channels import Push
from tests.google_server.world import World

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class Delivery:
    """Takes pushes out of the world's queue when they are due; `lock` is the one that guards the world."""

    def __init__(self, world: World, lock: AbstractContextManager[bool]) -> None:
        self._world = world
        self._lock = lock
        self._stopping = threading.Event()
        self._something = threading.Event()
        self._busy = 0
        self._thread = threading.Thread(target=self._run, name="google-pushes", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._something.set()
        self._thread.join(5)

    def notice(self) -> None:
        """Look at the queue now."""
        self._something.set()

    def settle(self, seconds: float = 2.0) -> bool:
        """Wait until everything that is due has been tried; False when that takes too long."""
        self._something.set()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with self._lock:
                now = self._world.now()
                if not self._busy and not any(push.due <= now for push in self._world.outgoing_pushes):
                    return True
            time.sleep(0.002)
        return False

    def _run(self) -> None:
        while not self._stopping.is_set():
            push, wait = self._next()
            if push is None:
                self._something.wait(wait)
                self._something.clear()
                continue
            status = post(push.address, push.headers, self._world.switches.push_routes)
            with self._lock:
                if push.finished(status, self._world.now()):
                    self._world.outgoing_pushes.append(push)
                self._busy -= 1

    def _next(self) -> tuple[Push | None, float]:
        with self._lock:
            queue, now = self._world.outgoing_pushes, self._world.now()
            for push in queue:
                if push.due <= now:
                    queue.remove(push)
                    self._busy += 1
                    return push, 0.0
            return None, min([0.5, *(push.due - now for push in queue)])


def post(address: str, headers: dict[str, str], routes: dict[str, str]) -> int:
    """POST an empty message; its status, or 0 when nobody answers or the address is not on this machine."""
    for start, stand_in in routes.items():
        if address.startswith(start):
            address = stand_in + address[len(start) :]
            break
    parts = urlsplit(address)
    if parts.hostname not in LOOPBACK or parts.scheme != "http":
        return 0
    connection = http.client.HTTPConnection(parts.hostname, parts.port or 80, timeout=5)
    try:
        path = parts.path or "/"
        target = f"{path}?{parts.query}" if parts.query else path
        connection.request("POST", target, headers={**headers, "Content-Length": "0"})
        answer = connection.getresponse()
        answer.read()
        return answer.status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()
