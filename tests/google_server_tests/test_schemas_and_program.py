"""The check of answers against Google's schemas, the control port, and the fake as a program of its own."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.google_server.control import ControlError
from tests.google_server.discovery import problems
from tests.google_server.http import GoogleServer
from tests.google_server_tests.conftest import ANNA, BOB, StandingClock, listed


@pytest.mark.parametrize(
    ("event", "problem"),
    [
        ({"sumary": "Dinner"}, "sumary is unknown"),
        ({"sequence": "1"}, "sequence is str, not integer"),
        ({"sequence": True}, "sequence is bool, not integer"),
        (
            {"start": {"dateTime": "2026-12-01T19:00:00"}},
            "start.dateTime is no date-time: 2026-12-01T19:00:00",
        ),
        ({"attendees": [{"mail": BOB}]}, "attendees[0].mail is unknown"),
        ({"extendedProperties": {"private": {"a": 1}}}, "extendedProperties.private.a is int, not string"),
    ],
)
def test_a_planted_mistake_is_found(event: dict[str, Any], problem: str) -> None:
    """Unknown names, wrong types and bad times; a right document has no problems."""
    right = {"id": "dinner", "start": {"dateTime": "2026-12-01T19:00:00+01:00"}, "status": "confirmed"}

    assert problems("Event", {**right, **event}) == [problem]
    assert problems("Event", right) == []


def test_a_mistake_in_an_answer_is_kept_for_the_test_to_see(clock: StandingClock) -> None:
    """The whole suite looks at this list after each test, so it has to fill."""
    with GoogleServer(clock, [ANNA]) as google:
        google.control.put_raw(ANNA, {"id": "wrong", "summary": 5})
        headers = {"Authorization": f"Bearer {google.control.access_token(ANNA)}"}

        with urlopen(Request(google.calendar_api + "calendars/primary/events", headers=headers)) as answer:
            answer.read()

        assert google.control.schema_problems() == ["Event: summary is int, not string"]


def control(address: str, operation: str, **arguments: Any) -> Any:
    """One operation through the control port."""
    with urlopen(Request(address + operation, json.dumps(arguments).encode())) as answer:
        return json.load(answer)["result"]


def test_the_control_port_does_what_the_methods_do(google: GoogleServer) -> None:
    """JSON in, JSON out; mistakes are explained."""
    made = control(google.control_url, "create_event", calendar=ANNA, body={"attendees": [{"email": BOB}]})
    control(google.control_url, "rsvp", account=BOB, event=made["id"], answer="accepted")

    with pytest.raises(HTTPError) as unknown:
        control(google.control_url, "no_such_thing")
    with pytest.raises(HTTPError) as missing:
        control(google.control_url, "create_event")
    with unknown.value, missing.value, urlopen(google.control_url + "operations") as answer:
        operations = json.load(answer)["operations"]

        assert (unknown.value.code, missing.value.code) == (404, 400)
        assert "calendar" in json.load(missing.value)["error"]

    assert control(google.control_url, "event", calendar=ANNA, event=made["id"])["attendees"][0] == {
        "email": BOB,
        "responseStatus": "accepted",
    }
    assert {"seed_events", "add_fault", "expire_sync_tokens", "calls", "settle_pushes"} <= set(operations)


def test_switches_and_consent_can_be_set_from_outside(google: GoogleServer) -> None:
    """Their answers are the whole set, as JSON."""
    switches = control(google.control_url, "set", omit_attendees=["dinner"], page_sizes=[1, 0])
    consent = control(google.control_url, "set_consent", untick=["email"])

    assert (switches["omit_attendees"], switches["page_sizes"]) == (["dinner"], [1, 0])
    assert consent["untick"] == ["email"]
    assert google.world.switches.omit_attendees == {"dinner"}


def test_a_wrong_switch_or_fault_is_named(google: GoogleServer) -> None:
    """So that a misspelt test cannot pass."""
    with pytest.raises(ControlError, match="no switch 'latencey'"):
        google.control.perform("set", latencey=1)
    with pytest.raises(ControlError, match="no fault is called 'boom'"):
        google.control.perform("add_fault", kind="boom")


def test_large_pages_are_quick(google: GoogleServer, events: Any) -> None:
    """A page of 2,500 events is joined from texts that were made before: far below the first time."""
    google.control.seed_events(ANNA, 5000)
    google.world.checker = None

    items, _, pages = listed(events, maxResults=2500)
    start = time.perf_counter()
    listed(events, maxResults=2500)

    assert (len(items), pages) == (5000, 2)
    assert time.perf_counter() - start < 1.0


@pytest.fixture
def program() -> Iterator[subprocess.Popen[str]]:
    """The fake in a process of its own."""
    command = [
        sys.executable,
        "-m",
        "tests.google_server",
        "--account",
        ANNA,
        "--account",
        BOB,
        "--seed-events",
        "3",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True) as process:
        yield process
        process.kill()


def test_the_program_prints_all_one_needs_and_stops_with_0(program: subprocess.Popen[str]) -> None:
    """One JSON line, then service until SIGTERM."""
    assert program.stdout
    told = json.loads(program.stdout.readline())

    sign_in = told["accounts"][BOB]
    seeded = control(told["control_url"], "events", calendar=BOB)
    program.send_signal(signal.SIGTERM)

    assert sign_in["type"] == "authorized_user" and sign_in["token_uri"] == told["token_uri"]
    assert sign_in["client_id"] == told["client"]["id"]
    assert len(seeded) == 3
    assert program.wait(5) == 0
