"""What comes in on a command topic is read strictly, and refused in words that help."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from addon.mqtt.requests import COMMANDS, MOST_BYTES, Refusal, Request, parse

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


def test_a_bare_word_is_refused_where_arguments_are_needed() -> None:
    """`set` cannot guess what to set."""
    refused = parse("set", b"PRESS", NOW)

    assert isinstance(refused, Refusal) and refused.code == "invalid" and "key" in refused.message


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
