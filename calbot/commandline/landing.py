"""Where Google's answer arrives while somebody signs in at a terminal: on a page of this machine, or pasted."""

import hmac
import os
import select
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal, Self
from urllib.parse import parse_qs, urlsplit

from calbot.google.turns import LARGEST_PASTE, WrongTurn, progress
from calbot.ports import Clock

QUIET = 0.6
"""Seconds without a further piece after which a paste is taken to be over."""
_HEAD = (
    ("Content-Type", "text/html; charset=utf-8"),
    ("Cache-Control", "no-store"),
    ("Referrer-Policy", "no-referrer"),
    ("Content-Security-Policy", "default-src 'none'"),
)
_PAGE = "<!doctype html><meta charset=utf-8><title>Calbot</title><p>{}"
_LANDED = "Google’s answer has arrived. Whether the sign-in worked is said in the terminal. You can close this page."
_BEFORE = "An answer had arrived before this one; what came of it is said in the terminal. You can close this page."


class Landing:
    """Where the browser of this machine lands: a server on a free port of loopback, for one answer of Google's.

    It answers only who calls it by its own address, lest a stranger's name is made to lead here, and only an address
    that carries the state of this sign-in.
    """

    def __init__(self, state: str) -> None:
        self._state = state
        self._lock = threading.Lock()
        self._answer = ""
        self._reader, self._writer = os.pipe()
        landing = self

        class Page(BaseHTTPRequestHandler):
            server_version, sys_version = "Calbot", ""
            timeout = 10.0

            def do_GET(self) -> None:
                """Take an answer; what else a browser asks for is not there."""
                status, text = landing._take(self.headers.get("Host", ""), self.path)
                self.send_response(status)
                for name, value in _HEAD:
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(_PAGE.format(text).encode() if text else b"")

            def log_message(self, *_: object) -> None:
                """Say nothing: the path holds the code."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
        self._host = f"127.0.0.1:{self._server.server_port}"
        self.address = f"http://{self._host}/"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        os.close(self._reader)
        with self._lock:
            os.close(self._writer)
            self._writer = -1

    def fileno(self) -> int:
        """Return what can be read from as soon as there is an answer."""
        return self._reader

    @property
    def answer(self) -> str:
        """Return the address that the browser landed on; empty while it has not."""
        with self._lock:
            return self._answer

    def _take(self, host: str, path: str) -> tuple[int, str]:
        """Return the status and the text of the page that is shown for this path."""
        try:
            parts = urlsplit(path)
            (state,) = parse_qs(parts.query, max_num_fields=50).get("state", [""])
        except ValueError:
            return 404, ""
        if host != self._host or parts.path != "/" or not _same(state, self._state):
            return 404, ""
        with self._lock:
            if self._answer or self._writer < 0:
                return 409, _BEFORE
            self._answer = self.address.rstrip("/") + path
            os.write(self._writer, b"\n")
        return 200, _LANDED


def _same(given: str, state: str) -> bool:
    return hmac.compare_digest(given.encode(), state.encode())


def answer(landing: Landing | None, clock: Clock, patience: float, say: Callable[[str], None]) -> str:
    """Return Google's answer, from the page or from a paste, whichever comes first. Raises WrongTurn.

    A paste may come in several lines; one that seems to lack its end is asked for, with `say`. Without a page what is
    pasted last is returned as it is. `patience` in seconds.
    """
    pasted = _Pasted()
    until = clock.monotonic() + patience
    while (left := until - clock.monotonic()) > 0:
        roads: list[Landing | _Pasted] = [
            *([landing] if landing is not None else []),
            *([pasted] if pasted.is_open else []),
        ]
        if not roads:
            return pasted.text
        ready, _, _ = select.select(roads, [], [], min(left, QUIET) if pasted.text else left)
        if landing is not None and landing in ready:
            return landing.answer
        if pasted in ready:
            pasted.read()
        if pasted.is_over(quiet=not ready):
            return pasted.text
        if not ready and (hint := pasted.hint()):
            say(hint)
    raise WrongTurn("no_address", "No answer came from Google within ten minutes. Run the command again.")


def drop_the_rest() -> None:
    """Drop what was typed or pasted and not read: the shell is not to take it for commands."""
    descriptor = _standard_input()
    if descriptor is not None and os.isatty(descriptor):
        import termios  # noqa: PLC0415 - where there is a terminal there is this

        termios.tcflush(descriptor, termios.TCIFLUSH)


class _Pasted:
    """What is pasted into standard input, in the pieces in which it comes."""

    def __init__(self) -> None:
        self.text = ""
        self._descriptor = _standard_input()
        self._said: Literal["", "begun", "cut"] = ""
        self._ended = False
        self._piece = b""

    @property
    def is_open(self) -> bool:
        """Say whether more may come."""
        return self._descriptor is not None and not self._ended

    def fileno(self) -> int:
        """Return where it comes from."""
        return self._descriptor if self._descriptor is not None else -1

    def read(self) -> None:
        """Take the next piece."""
        try:
            self._piece = os.read(self.fileno(), LARGEST_PASTE)
        except OSError:
            self._piece = b""
        self._ended = not self._piece
        self.text = (self.text + self._piece.decode("utf-8", "replace"))[:LARGEST_PASTE]

    def is_over(self, *, quiet: bool) -> bool:
        """Say whether this is all; an empty line says so too, once something is there."""
        came = progress(self.text)
        if came == "none" and not self._ended:
            self.text = ""
            return False
        if self._ended:
            return came != "none"
        if quiet:
            return came in {"whole", "wrong"} or not self._is_terminal()
        return bool(self._said) and not self._piece.strip()

    def hint(self) -> str:
        """Return what to tell somebody of whose paste a part seems to be missing; nothing a second time."""
        came = progress(self.text)
        if came not in {"begun", "cut"} or self._said == came:
            return ""
        self._said = "begun" if came == "begun" else "cut"
        return "That may not be all of the address yet. Paste the rest, or press Enter if it is:"

    def _is_terminal(self) -> bool:
        return self._descriptor is not None and os.isatty(self._descriptor)


def _standard_input() -> int | None:
    try:
        return sys.stdin.fileno() if sys.stdin is not None else None
    except (OSError, ValueError):
        return None
