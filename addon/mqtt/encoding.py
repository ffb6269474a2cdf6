"""Flat JSON of at most 4 KB: who speaks, how much is told, and what is shortened when it does not fit."""

import dataclasses
import re
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Literal

import msgspec

VERSION = 1
MOST_BYTES = 4096
Detail = Literal["minimal", "standard", "full"]
Json = str | int | float | bool | None | list["Json"] | dict[str, "Json"]

_SHORTER = ((1024, 128), (512, 64), (256, 32), (128, 16), (64, 8), (40, 4), (40, 1))
"""Letters a text and items a list may keep, try after try. No word of the contract has 40 letters."""
_LAST_RESORT = (24, 1)
_MOST_KEYS = 16
_HEAD = frozenset({"v", "id", "seq", "ts", "iid", "event_type"})
_NEVER_CUT = _HEAD | {"event_id", "copy_id", "run_id", "account_id", "calendar_id", "batch_id", "command", "code"}
_ADDRESS = re.compile(r"[^\s\"'<>,;:()]+@[^\s\"'<>,;:()]+")
_MACHINE_WORDS = frozenset(
    (
        "code",
        "command",
        "command_id",
        "confirm_token",
        "copy_id",
        "decision",
        "event_id",
        "reason",
        "run_id",
        "token",
        "undo_token",
    )
)
"""The keys of data whose texts are words and ids of ours; any other text may be somebody's, and so may one of many."""
_LAST_INSTANT = 253402300799.0  # the end of the year 9999


@dataclasses.dataclass(frozen=True, slots=True)
class Voice:
    """Who speaks, and how much of people's affairs is told."""

    iid: str
    detail: Detail = "standard"

    def head(self, at: float) -> dict[str, Json]:
        """Return what every message begins with."""
        return {"v": VERSION, "ts": rfc3339(at), "iid": self.iid}

    def person(self, text: str | None) -> str | None:
        """Return what tells of people, titles or places, unless only the minimum may be told."""
        return None if self.detail == "minimal" else text or None

    def plain(self, text: str) -> str:
        """Return a sentence of ours, which in the minimum names no addresses."""
        return _ADDRESS.sub("…", text) if self.detail == "minimal" else text

    def datum(self, key: str, value: Json) -> Json:
        """Return a value of the data of an answer or a notice. The minimum tells numbers and machine words only."""
        if self.detail != "minimal" or not isinstance(value, str):
            return value
        ours = key == "rule" or (key in _MACHINE_WORDS and not re.search(r"\s", value))
        return self.plain(value) if ours else None


def rfc3339(at: float | None) -> str | None:
    """Return the instant in UTC with milliseconds; None for none, and for one beyond the calendar."""
    if at is None or not 0 <= at <= _LAST_INSTANT:
        return None
    moment = datetime.fromtimestamp(at, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def encoded(message: dict[str, Json]) -> bytes:
    """Return the JSON, with texts and lists shortened until it fits. Ids and times are never cut."""
    try:
        body = msgspec.json.encode(message)
    except UnicodeEncodeError:
        message = _clean(message)
        body = msgspec.json.encode(message)
    for letters, items in _SHORTER:
        if len(body) <= MOST_BYTES:
            return body
        body = msgspec.json.encode(_shorter(message, letters, items, _NEVER_CUT))
    if len(body) > MOST_BYTES:  # nothing that Google or we make is so long
        body = msgspec.json.encode(_shorter(message, *_LAST_RESORT, _HEAD))
    return body


def _shorter(message: dict[str, Json], letters: int, items: int, uncut: Collection[str] = ()) -> dict[str, Json]:
    return {
        key: value if key in uncut else _shorter_value(value, letters, items, whole=key == "link")
        for key, value in message.items()
    }


def _shorter_value(value: Json, letters: int, items: int, *, whole: bool = False) -> Json:
    match value:
        case str() if len(value) > letters:
            return None if whole else _cut(value, letters)
        case list():
            return [_shorter_value(item, letters, items) for item in value[:items]]
        case dict():
            kept = {key[:letters]: inner for key, inner in list(value.items())[:_MOST_KEYS]}
            return _shorter(kept, letters, items)
        case _:
            return value


def _cut(text: str, letters: int) -> str:
    """Return the beginning with an ellipsis; of many lines whole ones, where more than half of it is left."""
    kept = text[: letters - 1]
    lines, _, _ = kept.rpartition("\n")
    return f"{lines}\n…" if 2 * len(lines) > letters else f"{kept}…"


def _clean(message: dict[str, Json]) -> dict[str, Json]:
    return {_clean_text(key): _clean_value(value) for key, value in message.items()}


def _clean_value(value: Json) -> Json:
    match value:
        case str():
            return _clean_text(value)
        case list():
            return [_clean_value(item) for item in value]
        case dict():
            return _clean(value)
        case _:
            return value


def _clean_text(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
