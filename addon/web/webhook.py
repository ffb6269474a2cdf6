"""The push door: what Google says goes to the engine in memory, and everybody hears the same answer."""

import logging
from collections.abc import Callable, Iterable
from typing import Protocol
from wsgiref.types import StartResponse, WSGIEnvironment

_log = logging.getLogger(__name__)

PUSH_PATHS = frozenset({"/push", "/webhook"})
_PLAIN = ("Content-Type", "text/plain; charset=utf-8")


class PushTaker(Protocol):
    """The part of the engine that the push door needs."""

    def on_push(self, channel_id: str, token: str, resource_id: str, state: str) -> bool:
        """Note a push in memory; return False when it is forged or unknown."""
        ...


class PushDoor:
    """A bare WSGI callable, and not Flask, since it is open to the whole world and must stay cheap."""

    def __init__(self, engine: PushTaker, healthy: Callable[[], bool]) -> None:
        self._engine = engine
        self._healthy = healthy

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
        if path in PUSH_PATHS:
            if method != "POST":
                return _text(start_response, "405 Method Not Allowed", b"Google posts here.\n", ("Allow", "POST"))
            self._take(environ)
            start_response("204 No Content", [])
            return []
        if path == "/health":
            if method not in ("GET", "HEAD"):
                return _text(start_response, "405 Method Not Allowed", b"Use GET.\n", ("Allow", "GET, HEAD"))
            healthy = self._healthy()
            status = "200 OK" if healthy else "503 Service Unavailable"
            return _text(start_response, status, b"healthy" if healthy else b"unhealthy")
        return _text(start_response, "404 Not Found", b"Nothing here.\n")

    def _take(self, environ: WSGIEnvironment) -> None:
        try:
            self._engine.on_push(
                environ.get("HTTP_X_GOOG_CHANNEL_ID", ""),
                environ.get("HTTP_X_GOOG_CHANNEL_TOKEN", ""),
                environ.get("HTTP_X_GOOG_RESOURCE_ID", ""),
                environ.get("HTTP_X_GOOG_RESOURCE_STATE", ""),
            )
        except Exception:  # noqa: BLE001 - the door tells nobody what moved inside
            _log.exception("A push could not be taken; the next poll finds what it was about.")


def _text(start_response: StartResponse, status: str, body: bytes, *headers: tuple[str, str]) -> Iterable[bytes]:
    length = ("Content-Length", str(len(body)))
    start_response(status, [_PLAIN, length, ("X-Content-Type-Options", "nosniff"), *headers])
    return [body]
