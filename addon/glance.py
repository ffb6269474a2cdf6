"""One look at a Calbot from outside: its `/health`, asked with a deadline, whatever answers there."""

import base64
import contextlib
import http.client
import socket
import threading
from dataclasses import dataclass
from typing import Self
from urllib.parse import unquote, urlsplit

import msgspec

from addon.web.words import clean
from calbot import secrecy
from calbot.errors import BadOptions
from calbot.ports import Clock

LARGEST = 256 * 1024
MOST_REASONS = 5
_LONGEST = 400
_BRACES = str.maketrans("{}", "()")
_WAIT = 0.05
_EXAMPLE = "write it like http://192.0.2.7:8099/health"


class Target(msgspec.Struct, frozen=True):
    """Where to look. `shown` has neither password nor query."""

    scheme: str
    host: str
    port: int
    path: str
    shown: str
    headers: dict[str, str]

    @classmethod
    def of(cls, url: str) -> Self:
        """Return the target of an address, with its user and password if it has any. Raises BadOptions."""
        wrong = f"--url: what is there is not a web address; {_EXAMPLE}."
        try:
            parts = urlsplit(url.strip())
            host, port = parts.hostname, parts.port
        except ValueError:
            raise BadOptions(wrong) from None
        if parts.scheme not in ("http", "https") or not host or not url.isprintable() or " " in url.strip():
            raise BadOptions(wrong)
        headers = {"Accept": "application/json", "User-Agent": "calbot-monitor", "Connection": "close"}
        if parts.username is not None:
            sign_in = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            secrecy.remember(unquote(parts.password or ""), parts.password)
            headers["Authorization"] = f"Basic {base64.b64encode(sign_in.encode()).decode()}"
        path = (parts.path or "/health") + (f"?{parts.query}" if parts.query else "")
        shown = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path or '/health'}"
        standard = 443 if parts.scheme == "https" else 80
        return cls(parts.scheme, host, port if port is not None else standard, path, shown, headers)


@dataclass(frozen=True, slots=True)
class Found:
    """What a look has found: is it up, and if not, why; a sentence, or one to a line."""

    up: bool
    reason: str = ""


class _Reason(msgspec.Struct, frozen=True):
    text: str
    remedy: str = ""
    level: str = "problem"


class _Health(msgspec.Struct, frozen=True):
    level: str
    reasons: tuple[_Reason, ...] = ()


def glance(target: Target, seconds: float, stop: threading.Event, clock: Clock) -> Found | None:
    """Look once, for so many seconds at most; None when `stop` was set meanwhile."""
    call = _Call(target, seconds)
    deadline = clock.monotonic() + seconds
    call.start()
    while not call.over.wait(_WAIT):
        late = clock.monotonic() >= deadline
        if late or stop.is_set():
            call.cut()
            return Found(up=False, reason=_silent(target, f"no answer within {seconds:g} s")) if late else None
    return None if stop.is_set() else call.found


def judged(target: Target, status: int, body: bytes) -> Found:
    """Return what an answer means. The push door's `/health` says one word, the panel's says why."""
    if body.strip() in {b"healthy", b"unhealthy"} and status == 200:
        up = body.strip() == b"healthy"
        return Found(
            up=up, reason="" if up else f"Calbot at {target.shown} says that it is unhealthy; its panel says why."
        )
    try:
        health = msgspec.json.decode(body, type=_Health)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Found(up=False, reason=_other(target, f"answers {status}, and not as Calbot does"))
    if status == 200 and health.level != "problem":
        return Found(up=True)
    told = [_plain(f"{one.text} {one.remedy}") for one in health.reasons if one.level == "problem"]
    lines = list(dict.fromkeys(told))[:MOST_REASONS] or ["It does not say what it is."]
    return Found(up=False, reason="\n".join([f"Calbot at {target.shown} runs and has a problem:", *lines]))


class _Call(threading.Thread):
    """One request. Only its sockets know deadlines of their own, one for each step, so it can be cut from outside."""

    def __init__(self, target: Target, seconds: float) -> None:
        super().__init__(name="glance", daemon=True)
        self._target = target
        kind = http.client.HTTPSConnection if target.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(target.host, target.port, timeout=seconds + 1)  # the deadline is who asks for it
        self._socket: socket.socket | None = None
        self.over = threading.Event()
        self.found = Found(up=False)

    def cut(self) -> None:
        """End it where it stands."""
        open_one = self._socket or self._connection.sock
        if open_one is not None:
            with contextlib.suppress(OSError):
                open_one.shutdown(socket.SHUT_RDWR)

    def run(self) -> None:
        target, connection = self._target, self._connection
        try:
            connection.connect()
            self._socket = connection.sock  # which the connection forgets once the answer begins
            connection.request("GET", target.path, headers=target.headers)
            answer = connection.getresponse()
            self.found = judged(target, answer.status, answer.read(LARGEST + 1))
        except (OSError, http.client.HTTPException, ValueError) as error:  # ValueError: a name no host can have
            self.found = Found(up=False, reason=_silent(target, _why(error)))
        finally:
            connection.close()
            self.over.set()


def _why(error: Exception) -> str:
    """Return in words why there is no answer."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there"
    if isinstance(error, ConnectionError):
        return "the connection breaks off"
    if isinstance(error, http.client.HTTPException):
        return "what comes back is no answer"
    text = getattr(error, "verify_message", None) or getattr(error, "strerror", None) or type(error).__name__
    return _plain(str(text))


def _silent(target: Target, why: str) -> str:
    return f"Calbot does not answer at {target.shown} ({why}). Look whether it runs."


def _other(target: Target, what: str) -> str:
    return f"Calbot does not answer at {target.shown}: what is there {what}. Look whether it runs, and at the address."


def _plain(text: str) -> str:
    """Return one line with nothing in it that a screen or a template could act on, and no secret."""
    return clean(secrecy.cleaned(text), _LONGEST).translate(_BRACES)
