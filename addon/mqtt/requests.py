"""A message on a command topic becomes a request, or a refusal with its code: strictly read."""

import dataclasses
import json
import math
import re
from datetime import datetime
from typing import Literal, NoReturn

import msgspec

MOST_BYTES = 4096
LONGEST_ID = 64

RefusalCode = Literal["bad_json", "invalid", "unknown_command", "stale", "too_large"]
Value = str | int | float | bool | None

_MOST_DIGITS = 18
_BARE_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,31}")
_ENVELOPE = ("v", "id", "ts", "ttl_s", "args")
_WORDS: dict[type, str] = {str: "text", bool: "true or false", float: "a number"}


@dataclasses.dataclass(frozen=True, slots=True)
class Argument:
    """What a command takes under one name.

    With `narrows` null or an empty text is not the same as nothing: a template that found nothing writes it, and
    without the argument the command would reach further.
    """

    types: tuple[type, ...]
    required: bool = False
    above: float | None = None
    narrows: bool = False


_TEXT = Argument((str,))
_ONLY = Argument((str,), narrows=True)
_DAYS = Argument((float,), above=0.0)
COMMANDS: dict[str, dict[str, Argument]] = {
    "resync": {"account": _TEXT, "calendar": _TEXT, "full": Argument((bool,))},
    "set": {
        "key": Argument((str,), required=True),
        "value": Argument((str, bool, float), required=True),
        "account": _TEXT,
    },
    "pause": {"minutes": Argument((float,), above=0.0), "account": _TEXT},
    "resume": {"account": _TEXT},
    "renew_channels": {"account": _TEXT},
    "undo": {
        "token": _ONLY,
        "event_id": _ONLY,
        "run_id": _ONLY,
        "minutes": Argument((float,), above=0.0, narrows=True),
        "last": Argument((bool,)),
        "confirm": _TEXT,
    },
    "approve": {"token": _ONLY},
    "discard": {"token": _ONLY},
    "explain": {"event_id": Argument((str,), required=True)},
    "preview": {"days": _DAYS, "account": _TEXT},
    "apply": {"days": _DAYS, "rule": _ONLY, "account": _ONLY},
    "ack_alert": {"id": _ONLY, "all": Argument((bool,))},
    "republish": {},
    "ping": {},
}
"""The commands of this version and their arguments."""


@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    """A command as it was asked for. `id` is None when the requester gave none."""

    name: str
    id: str | None
    args: dict[str, Value]


@dataclasses.dataclass(frozen=True, slots=True)
class Refusal:
    """Why a message is no command that we carry out; `id` is what could be read of its id."""

    code: RefusalCode
    message: str
    id: str | None = None


class _Bad(Exception):
    def __init__(self, code: RefusalCode, message: str) -> None:
        super().__init__(message)
        self.code: RefusalCode = code


def parse(name: str, payload: bytes, now: float) -> Request | Refusal | None:
    """Return the request, the refusal, or None for an empty payload, which is never a command."""
    if not payload:
        return None
    request_id: str | None = None
    try:
        document = _document(payload)
        request_id = _readable_id(document)
        return _request(name, document, now)
    except _Bad as bad:
        return Refusal(bad.code, str(bad), request_id)


def _document(payload: bytes) -> dict[str, object]:
    if len(payload) > MOST_BYTES:
        raise _Bad("too_large", f"The message has {len(payload)} bytes; send at most {MOST_BYTES}.")
    try:
        text = payload.decode()
    except UnicodeDecodeError as error:
        raise _Bad("bad_json", f"The message is not UTF-8 ({error.reason}); send JSON in UTF-8.") from error
    try:
        document = json.loads(
            text,
            object_pairs_hook=_without_doubles,
            parse_constant=_no_constant,
            parse_float=_finite,
            parse_int=_of_usual_size,
        )
        msgspec.json.encode(document)  # refuses lone surrogates
    except json.JSONDecodeError as error:
        if _BARE_WORD.fullmatch(text.strip()):
            return {}
        raise _Bad("bad_json", f"The message is not JSON: {error.msg} at character {error.pos}.") from error
    except RecursionError as error:
        raise _Bad("bad_json", "The message is nested too deeply; send one flat object.") from error
    except (ValueError, OverflowError) as error:
        raise _Bad("bad_json", f"The message is not strict JSON: {error}.") from error
    if not isinstance(document, dict):
        raise _Bad("bad_json", 'The message must be a JSON object such as {"v":1,"id":"1","args":{}}.')
    return document


def _without_doubles(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is there twice")
    return found


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not a JSON value")


def _of_usual_size(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise ValueError(f"{digits[:20]}… is too large a number")
    return int(digits)


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"{digits[:20]} is too large a number")
    return number


def _readable_id(document: dict[str, object]) -> str | None:
    found = document.get("id")
    return found if isinstance(found, str) and 0 < len(found) <= LONGEST_ID else None


def _request(name: str, document: dict[str, object], now: float) -> Request:
    arguments = COMMANDS.get(name)
    if arguments is None:
        known = ", ".join(COMMANDS)
        raise _Bad("unknown_command", f"There is no command {name[:60]!r}. This version knows: {known}.")
    version = document.get("v", 1)
    if isinstance(version, bool) or version != 1:
        raise _Bad("invalid", 'v: this version of Calbot speaks 1; send "v":1.')
    if document.get("id") is not None and _readable_id(document) is None:
        raise _Bad("invalid", f"id: send a text of 1 to {LONGEST_ID} characters, in quotes.")
    _refuse_stale(document, now)
    for key in document:
        if key not in _ENVELOPE and key in arguments:
            raise _Bad("invalid", f'{key}: belongs inside args: {{"args":{{"{key}": …}}}}.')
    given = document.get("args", {})
    if not isinstance(given, dict):
        raise _Bad("invalid", 'args: send an object such as {"args":{}}.')
    return Request(name, _readable_id(document), _args(name, arguments, given))


def _refuse_stale(document: dict[str, object], now: float) -> None:
    ts, ttl = document.get("ts"), document.get("ttl_s")
    sent = None if ts is None else _instant(ts)
    if ttl is None:
        return
    if isinstance(ttl, bool) or not isinstance(ttl, int | float) or ttl < 0:
        raise _Bad("invalid", 'ttl_s: send the seconds for which the command holds, such as "ttl_s":300.')
    if sent is not None and now - sent > ttl:
        age = round(now - sent)
        raise _Bad(
            "stale",
            f"The command is {age} s old and held for {ttl:g} s. Send it again, with the time of now.",
        )


def _instant(ts: object) -> float:
    try:
        moment = datetime.fromisoformat(ts) if isinstance(ts, str) else None
        if moment is None or moment.tzinfo is None:
            raise ValueError
        return moment.timestamp()
    except (ValueError, OverflowError) as error:
        raise _Bad("invalid", 'ts: send RFC 3339 with an offset, such as "2026-11-20T12:00:00Z".') from error


def _args(name: str, arguments: dict[str, Argument], given: dict[str, object]) -> dict[str, Value]:
    for key in given:
        if key not in arguments:
            takes = f"it takes {', '.join(arguments)}" if arguments else "it takes none"
            raise _Bad("invalid", f"{key[:60]}: not an argument of {name}; {takes}. Leave it out.")
    found: dict[str, Value] = {}
    for key, argument in arguments.items():
        value = given.get(key)
        if argument.narrows and key in given and (value is None or value == ""):
            raise _Bad("invalid", f"{key}: it is empty. Say which one, or leave it out if {name} may reach further.")
        if value is not None:
            found[key] = _value(key, argument, value)
        elif argument.required:
            raise _Bad("invalid", f'{key}: {name} needs it; send {{"args":{{"{key}": …}}}}.')
    return found


def _value(key: str, argument: Argument, value: object) -> Value:
    if isinstance(value, str | bool) and type(value) in argument.types:
        return value
    if isinstance(value, int | float) and not isinstance(value, bool) and float in argument.types:
        if argument.above is not None and value <= argument.above:
            raise _Bad("invalid", f"{key}: send a number above {argument.above:g}.")
        return value
    raise _Bad("invalid", f"{key}: send {' or '.join(_WORDS[kind] for kind in argument.types)}.")
