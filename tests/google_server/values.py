"""The small shapes all parts of the fake share: JSON documents, the clock, requests, answers, times."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

Doc = dict[str, Any]
"""A JSON object as Google sends it: the fake stays on Google's side of the border."""


class Clock(Protocol):
    """Tells the time in epoch seconds; tests hand in a virtual one."""

    def now(self) -> float: ...


class ConnectionLost(Exception):
    """The connection died without an answer; `applied` says whether the work was done before it died."""

    def __init__(self, *, applied: bool) -> None:
        super().__init__("closed after the work" if applied else "closed before the work")
        self.applied = applied


@dataclass(slots=True)
class Request:
    """One call: `path` is still percent-encoded, header names are lower case."""

    method: str
    path: str
    query: dict[str, list[str]] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @classmethod
    def to(cls, method: str, url: str, headers: dict[str, str] | None = None, body: bytes = b"") -> Request:
        """A request from a whole URL or a path with a query; header names in any case."""
        parts = urlsplit(url)
        query = parse_qs(parts.query, keep_blank_values=True) if parts.query else {}
        return cls(method, parts.path, query, {k.lower(): v for k, v in (headers or {}).items()}, body)

    def one(self, name: str) -> str | None:
        """The first value of a query parameter, or None."""
        values = self.query.get(name)
        return values[0] if values else None

    def flag(self, name: str) -> bool:
        """Whether a boolean query parameter is true."""
        return (self.one(name) or "").lower() == "true"


@dataclass(slots=True)
class Response:
    """One answer. The caller waits `delay` seconds before it hands the answer over.

    `truncated`: `body` is only half of what `Content-Length` promises, and the connection closes after it.
    `drip`: seconds between its single bytes.
    `pushes_first`: queued pushes go out before this answer does.
    """

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    delay: float = 0.0
    truncated: bool = False
    pushes_first: bool = False
    drip: float = 0.0


def stamp(seconds: float) -> str:
    """Epoch seconds as Google writes `created` and `updated`: UTC with milliseconds."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


@lru_cache(maxsize=64)
def zone(name: str) -> ZoneInfo | None:
    """The named time zone, or None when there is no such zone."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


@lru_cache(maxsize=4096)
def moment_of(text: str) -> datetime:
    """An RFC 3339 date or time as an aware datetime; a bare date is its midnight in UTC.

    Raises ValueError when the text is neither.
    """
    parsed = datetime.fromisoformat(text)
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
