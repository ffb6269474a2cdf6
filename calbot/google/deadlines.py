"""An end for each answer: however slowly it drips in, all of it is there within so many seconds, or none of it is.

A socket's own timeout begins anew with each byte that comes.
"""

import http.client
import io
import socket

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from calbot.ports import Clock


class TooSlow(TimeoutError):
    """The answer was not there in time."""


class _Bytes(io.RawIOBase):
    """What comes over a socket until the end; each wait is as long as the socket's own, and no longer than is left."""

    def __init__(self, sock: socket.socket, clock: Clock, end: float) -> None:
        self._file = sock.makefile("rb", buffering=0)  # Holds the socket open, as http.client expects of its file.
        self._socket = sock
        self._clock = clock
        self._end = end
        self._patience = sock.gettimeout()

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int | None:  # type: ignore[override]
        """Read what is there. Raises TooSlow when the time is over, TimeoutError when nothing came for long."""
        left = self._end - self._clock.monotonic()
        if left <= 0:
            raise TooSlow("The answer was not there in time.")
        self._socket.settimeout(left if self._patience is None else min(left, self._patience))
        return self._file.readinto(buffer)

    def close(self) -> None:
        """Let go of the socket; before the next request urllib3 sets its time-out anew."""
        self._file.close()
        super().close()


class _Socket:
    """What http.client takes for the socket that an answer is read from."""

    def __init__(self, sock: socket.socket, clock: Clock, seconds: float) -> None:
        self._socket = sock
        self._clock = clock
        self._end = clock.monotonic() + seconds

    def makefile(self, _mode: str) -> io.BufferedReader:
        """Return the answer's bytes as a file."""
        return io.BufferedReader(_Bytes(self._socket, self._clock, self._end))


def kept_by(pool: urllib3.PoolManager, clock: Clock, seconds: float) -> urllib3.PoolManager:
    """Return the pool, whose answers, their headers included, end within `seconds` of their request from now on."""

    def answer(sock: socket.socket, *rest: object, **named: object) -> http.client.HTTPResponse:
        return http.client.HTTPResponse(_Socket(sock, clock, seconds), *rest, **named)  # type: ignore[arg-type]

    class Plain(HTTPConnection):
        response_class = staticmethod(answer)  # type: ignore[assignment]

    class Secure(HTTPSConnection):
        response_class = staticmethod(answer)  # type: ignore[assignment]

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    pool.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}
    return pool
