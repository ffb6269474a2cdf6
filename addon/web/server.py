"""The web server: every door in one loop of one thread, guarded against slow and greedy clients.

Deadlines and kept connections rely on internals of waitress 3.0.2; that is why its version is pinned.
"""

import errno
import logging
import socket
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from wsgiref.types import WSGIApplication

from waitress import create_server, wasyncore
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.task import WSGITask

from calbot.errors import CalbotError
from calbot.ports import Clock

DEADLINE = 8.0
"""Seconds that a request may take to arrive, and that an answer may take to be fetched."""
LIMITS = {
    "channel_timeout": 10,
    "cleanup_interval": 1,
    "asyncore_use_poll": True,
    "max_request_header_size": 16384,
    "expose_tracebacks": False,
    "log_socket_errors": False,
    "ident": None,
}


class DoorBlocked(CalbotError):
    """A port cannot be listened on; the text names it and the remedy."""


@dataclass(frozen=True, slots=True)
class Door:
    """What answers on which port. `variable` is the environment variable that moves the port.

    A door lets nobody in while `connections` are open over all doors: give the inner door the higher number,
    so that a crowd before the outer one cannot lock it. All stay below the 1024 that `select` can count.
    """

    name: str
    app: WSGIApplication
    bind: str
    port: int
    variable: str
    connections: int = 800
    threads: int = 4
    largest_body: int = 4096


class WebServer:
    """Serves its doors from `start` to `stop`, in a thread of its own."""

    def __init__(self, doors: Sequence[Door], clock: Clock, deadline: float = DEADLINE) -> None:
        self._doors = doors
        self._clock = clock
        self._deadline = deadline
        self._map: dict[int, Any] = {}
        self._servers: dict[str, Any] = {}
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="web", daemon=True)
        self.ticked = 0.0
        """When the loop last went round, on the monotonic clock."""

    @property
    def ports(self) -> tuple[int, ...]:
        """The ports that are listened on, in the order of the doors; 0 for a door that is blocked."""
        servers = (self._servers.get(door.name) for door in self._doors)
        return tuple(int(server.effective_port) if server else 0 for server in servers)

    def start(self) -> list[DoorBlocked]:
        """Listen on every door that can be listened on and begin to serve; return what blocks the others."""
        logging.getLogger("waitress").setLevel(logging.ERROR)  # its warnings come once per request of a flood
        blocked: list[DoorBlocked] = []
        for door in self._doors:
            try:
                listener = _listener(door)
            except DoorBlocked as error:
                blocked.append(error)
                continue
            server = create_server(
                door.app,
                map=self._map,
                sockets=[listener],
                threads=door.threads,
                connection_limit=door.connections,
                max_request_body_size=door.largest_body,
                **LIMITS,
            )
            server.channel_class = _Channel
            self._servers[door.name] = server
        self.ticked = self._clock.monotonic()
        if self._servers:
            self._thread.start()
        return blocked

    def stop(self, timeout: float = 1.0) -> None:
        """Close every door and connection, at once; wait at most `timeout` seconds until that is done."""
        if self._thread.is_alive() and not self._stopping:
            self._stopping = True
            next(iter(self._servers.values())).trigger.pull_trigger()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def _run(self) -> None:
        swept = 0.0
        while not self._stopping:
            wasyncore.loop(timeout=1, use_poll=True, map=self._map, count=1)
            self.ticked = now = self._clock.monotonic()
            if now - swept >= 1:
                swept = now
                _cut_overdue(self._map, now, self._deadline)
        self._close()

    def _close(self) -> None:
        for server in self._servers.values():
            server.task_dispatcher.set_thread_count(0)
            server.del_channel()
            server.socket.close()
        for channel in [one for one in self._map.values() if isinstance(one, HTTPChannel)]:
            channel.handle_close()
        for server in self._servers.values():
            server.task_dispatcher.shutdown(timeout=0.3)
            if server.task_dispatcher.threads:
                server.trigger.socket.close()  # a thread at work will still write into its pipe
            else:
                server.trigger.close()


class _Task(WSGITask):  # type: ignore[misc]  # waitress comes without types
    """Keeps the connection after an answer that has no body, where waitress would close it."""

    def set_close_on_finish(self) -> None:
        asked = self.request.headers.get("CONNECTION", "").lower() == "close"
        if self.has_body or asked or self.version != "1.1":
            super().set_close_on_finish()


class _Request(HTTPRequestParser):  # type: ignore[misc]  # as above
    """A request that has a path before it was understood: waitress logs it when its client went away."""

    path = "?"


class _Channel(HTTPChannel):  # type: ignore[misc]  # as above
    """One connection; it remembers since when it has been waiting for its client."""

    task_class = _Task
    parser_class = _Request
    awaited: object = None
    awaited_since = 0.0


def _cut_overdue(connections: dict[int, Any], now: float, deadline: float) -> None:
    """Close each connection whose client takes too long to finish its request or to fetch its answer."""
    for channel in [one for one in connections.values() if isinstance(one, _Channel)]:
        awaited = None if channel.requests else channel.request or (channel.total_outbufs_len and "answer") or None
        if awaited is None or awaited is not channel.awaited:
            channel.awaited, channel.awaited_since = awaited, now
        elif now - channel.awaited_since >= deadline:
            channel.handle_close()


def _listener(door: Door) -> socket.socket:
    family = socket.AF_INET6 if ":" in door.bind else socket.AF_INET
    try:
        return socket.create_server((door.bind, door.port), family=family, backlog=1024)
    except OSError as error:
        where = f"The {door.name} cannot listen on {door.bind}, port {door.port}"
        if error.errno == errno.EADDRINUSE:
            remedy = f"another program uses that port; stop it, or choose another port with {door.variable}."
        elif error.errno == errno.EADDRNOTAVAIL:
            remedy = "this machine does not have that address; correct CALBOT_BIND."
        else:
            remedy = f"{error.strerror}; choose another port with {door.variable}."
        raise DoorBlocked(f"{where}: {remedy}") from None
