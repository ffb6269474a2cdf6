"""What comes in on a command topic is read strictly, and refused in words that help."""

import json

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from addon.mqtt.requests import COMMANDS, MOST_BYTES, Refusal, Request, parse
from tests.mqtt.schemas import schema

NOW = 1_790_000_000.0  # 2026-09-21T14:13:20Z


def test_a_full_command_is_read() -> None:
    """Id and arguments come out as they were sent."""
    payload = (
        b'{"v":1,"id":"tx1","ts":"2026-09-21T14:13:00Z","ttl_s":300,"args":{"account":"anna@example.com","full":true}}'
    )

    asked = parse("resync", payload, NOW)

    assert asked == Request("resync", "tx1", {"account": "anna@example.com", "full": True})


@pytest.mark.parametrize("payload", [b"PRESS", b"resync", b" PRESS\n", b"{}", b'{"v":1}'])
def test_a_bare_word_does_where_no_argument_is_needed(payload: bytes) -> None:
    """A button's PRESS and a lone word are commands without arguments."""
    asked = parse("resync", payload, NOW)

    assert asked == Request("resync", None, {})


def test_an_empty_payload_is_never_a_command() -> None:
    """It is what clearing a retained topic sends us."""
    assert parse("resync", b"", NOW) is None
    assert parse("no such command", b"", NOW) is None


@pytest.mark.parametrize(
    "payload",
    [
        b"\xff\xfe{}",
        b"{",
        b"NaN",
        b'{"id":NaN}',
        b'{"args":{"minutes":Infinity}}',
        b'{"args":{"minutes":1e999}}',
        b'{"id":"a","id":"b"}',
        b'{"args":{"full":true,"full":false}}',
        b"[" * 4000,
        b'{"a":' * 700,
        b"[]",
        b"17",
        b"null",
        b"true",
        b'"PRESS"',
        b"two words",
        b"   ",
        b'{"id":"\\ud800"}',
        b'{"args":{"minutes":' + b"9" * 3000 + b"}}",
        b"{'id':1}",
        b"\x00",
    ],
)
def test_what_is_no_strict_json_object_is_bad_json(payload: bytes) -> None:
    """Not UTF-8, NaN, doubled keys, deep nesting, lone surrogates, numbers without end, and no object."""
    asked = parse("pause", payload, NOW)

    assert isinstance(asked, Refusal) and asked.code == "bad_json", asked


def test_more_than_four_kilobytes_is_too_large() -> None:
    """The limit is exact."""
    fits = b'{"id":"1"}'.ljust(MOST_BYTES)

    assert isinstance(parse("ping", fits, NOW), Request)
    refused = parse("ping", fits + b" ", NOW)
    assert isinstance(refused, Refusal) and refused.code == "too_large"


def test_an_unknown_command_is_told_the_known_ones() -> None:
    """The refusal names what there is."""
    refused = parse("rm", b'{"id":"1"}', NOW)

    assert isinstance(refused, Refusal) and refused.code == "unknown_command" and refused.id == "1"
    assert all(name in refused.message for name in COMMANDS)


@pytest.mark.parametrize(
    ("name", "document", "key"),
    [
        ("resync", {"args": {"acount": "x"}}, "acount"),
        ("ping", {"args": {"loud": True}}, "loud"),
        ("resync", {"args": []}, "args"),
        ("resync", {"args": {"full": "yes"}}, "full"),
        ("resync", {"args": {"account": 3}}, "account"),
        ("pause", {"args": {"minutes": "5"}}, "minutes"),
        ("pause", {"args": {"minutes": True}}, "minutes"),
        ("pause", {"args": {"minutes": 0}}, "minutes"),
        ("pause", {"args": {"minutes": -3}}, "minutes"),
        ("pause", {"minutes": 5}, "minutes"),
        ("set", {"args": {"key": "auto_invite"}}, "value"),
        ("set", {"args": {"value": True}}, "key"),
        ("set", {"args": {"key": "auto_invite", "value": [1]}}, "value"),
        ("undo", {"args": {"token": 7}}, "token"),
        ("undo", {"args": {"minutes": "30"}}, "minutes"),
        ("undo", {"args": {"minutes": 0}}, "minutes"),
        ("undo", {"args": {"last": "yes"}}, "last"),
        ("undo", {"args": {"last": 1}}, "last"),
        ("undo", {"args": {"confirm": True}}, "confirm"),
        ("undo", {"args": {"all": True}}, "all"),
        ("undo", {"token": "u-1-abcd"}, "token"),
        ("approve", {"args": {"token": True}}, "token"),
        ("approve", {"args": {"minutes": 5}}, "minutes"),
        ("discard", {"args": {"token": ["r-1"]}}, "token"),
        ("explain", {"args": {}}, "event_id"),
        ("explain", {"args": {"event_id": None}}, "event_id"),
        ("explain", {"args": {"event_id": 5}}, "event_id"),
        ("preview", {"args": {"days": 0}}, "days"),
        ("preview", {"args": {"days": "7"}}, "days"),
        ("preview", {"args": {"rule": "x"}}, "rule"),
        ("apply", {"args": {"days": -1}}, "days"),
        ("apply", {"args": {"rule": False}}, "rule"),
        ("ping", {"v": 2}, "v"),
        ("ping", {"v": True}, "v"),
        ("ping", {"id": ""}, "id"),
        ("ping", {"id": 7}, "id"),
        ("ping", {"id": "x" * 65}, "id"),
        ("ping", {"ts": "yesterday"}, "ts"),
        ("ping", {"ts": "2026-09-21T14:13:00"}, "ts"),
        ("ping", {"ts": 1_790_000_000}, "ts"),
        ("ping", {"ttl_s": "300"}, "ttl_s"),
        ("ping", {"ttl_s": -1}, "ttl_s"),
    ],
)
def test_what_is_wrong_in_a_command_is_named(name: str, document: dict[str, object], key: str) -> None:
    """The code is `invalid`, and the sentence begins with the key."""
    refused = parse(name, json.dumps(document).encode(), NOW)

    assert isinstance(refused, Refusal) and refused.code == "invalid"
    assert refused.message.startswith(f"{key}: ")


@pytest.mark.parametrize(("name", "key"), [("set", "key"), ("explain", "event_id")])
def test_a_bare_word_is_refused_where_arguments_are_needed(name: str, key: str) -> None:
    """`set` cannot guess what to set, `explain` not what to explain."""
    refused = parse(name, b"PRESS", NOW)

    assert isinstance(refused, Refusal) and refused.code == "invalid" and key in refused.message


@pytest.mark.parametrize("name", ["undo", "approve", "discard", "preview", "apply"])
@pytest.mark.parametrize("payload", [b"PRESS", b"{}", b'{"args":{}}'])
def test_nothing_named_is_what_was_last_or_everything(name: str, payload: bytes) -> None:
    """The last deed, everything that is held, all rules; the engine knows which."""
    assert parse(name, payload, NOW) == Request(name, None, {})


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("undo", {"token": "u-17-3fa9"}),
        ("undo", {"event_id": "dinner1"}),
        ("undo", {"run_id": "r-9f2", "confirm": "c-1"}),
        ("undo", {"minutes": 30}),
        ("undo", {"minutes": 0.5}),
        ("undo", {"last": True}),
        ("approve", {"token": "r-9f2"}),
        ("discard", {"token": "r-9f2"}),
        ("explain", {"event_id": "https://calendar.example.com/event?eid=abc"}),
        ("preview", {"days": 14, "account": "a7c1"}),
        ("apply", {"days": 14.0, "rule": "family", "account": "anna@example.com"}),
    ],
)
def test_arguments_come_out_as_they_were_sent(name: str, args: dict[str, str | float | bool]) -> None:
    """Nothing is guessed, nothing is turned into another type."""
    asked = parse(name, json.dumps({"args": args}).encode(), NOW)

    assert asked == Request(name, None, args)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "key"),
    [
        *(("undo", key) for key in ("token", "event_id", "run_id", "minutes")),
        *(("approve", "token"), ("discard", "token"), ("apply", "rule"), ("apply", "account")),
    ],
)
@pytest.mark.parametrize("value", [None, ""])
def test_an_argument_that_narrows_may_not_be_empty(name: str, key: str, value: str | None) -> None:
    """An automation whose trigger has no token must not approve everything, nor undo what somebody else did last."""
    refused = parse(name, json.dumps({"args": {key: value}}).encode(), NOW)

    assert isinstance(refused, Refusal) and refused.code == "invalid" and refused.message.startswith(f"{key}: ")


def test_a_command_is_stale_when_its_time_is_over() -> None:
    """The offset counts, and the last second still holds."""
    holds = b'{"id":"1","ts":"2026-09-21T16:08:20+02:00","ttl_s":300}'
    stale = b'{"id":"1","ts":"2026-09-21T16:08:20+02:00","ttl_s":299}'

    assert isinstance(parse("ping", holds, NOW), Request)
    refused = parse("ping", stale, NOW)
    assert isinstance(refused, Refusal) and refused.code == "stale" and refused.id == "1"


def test_a_null_argument_is_one_that_was_not_given() -> None:
    """Templates write null for what they do not know."""
    assert parse("resync", b'{"args":{"account":null}}', NOW) == Request("resync", None, {})


def test_the_schema_names_every_command_with_its_arguments() -> None:
    """`docs/schemas` is what others write their commands by."""
    told = schema("command")["$defs"]

    assert {name: set(args.get("properties", {})) for name, args in told.items()} == {
        name: set(arguments) for name, arguments in COMMANDS.items()
    }
    assert {name: args.get("required", []) for name, args in told.items()} == {
        name: [key for key, argument in arguments.items() if argument.required] for name, arguments in COMMANDS.items()
    }


arguments = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "x", "u-1-abcd"])
names = st.sampled_from(sorted({key for found in COMMANDS.values() for key in found} | {"other"}))


@given(st.sampled_from(sorted(COMMANDS)), st.dictionaries(names, arguments, max_size=3))
def test_the_schema_takes_what_we_take(name: str, args: dict[str, object]) -> None:
    """And refuses what we refuse."""
    asked = parse(name, json.dumps({"args": args}).encode(), NOW)

    assert jsonschema.Draft202012Validator(schema("command")["$defs"][name]).is_valid(args) == isinstance(
        asked, Request
    )


@given(st.sampled_from([*COMMANDS, "x", ""]), st.binary(max_size=200))
def test_any_bytes_have_a_verdict(name: str, payload: bytes) -> None:
    """Nothing that a stranger sends raises anything."""
    asked = parse(name, payload, NOW)

    assert asked is None or isinstance(asked, Request | Refusal)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(
    st.sampled_from(sorted(COMMANDS)),
    st.fixed_dictionaries({}, optional=dict.fromkeys(("v", "id", "ts", "ttl_s", "args", "minutes"), json_values)),
)
def test_any_json_has_a_verdict(name: str, document: dict[str, object]) -> None:
    """And what is accepted has a short id and flat arguments."""
    asked = parse(name, json.dumps(document).encode(), NOW)

    assert isinstance(asked, Request | Refusal)
    if isinstance(asked, Request):
        assert asked.id is None or 0 < len(asked.id) <= 64
        assert set(asked.args) <= set(COMMANDS[name])
        assert all(isinstance(value, str | int | float | bool) for value in asked.args.values())
