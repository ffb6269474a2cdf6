"""What goes wrong on demand: refusals, broken connections, spoiled answers, slowness, and the quota."""

import http.client
import json
from typing import Any, Self
from urllib.parse import urlsplit

import pytest
from googleapiclient.errors import HttpError

from tests.google_server.api import handle
from tests.google_server.http import GoogleServer
from tests.google_server.people import DINNER
from tests.google_server.values import Request
from tests.google_server_tests.conftest import ANNA, BOB, Client, StandingClock, listed, refusal

BODY = json.dumps({**DINNER, "id": "dinner0001"}).encode()


class Plain:
    """One bare connection, so that no client library hides what happens to it."""

    def __init__(self, google: GoogleServer) -> None:
        self.token = google.control.access_token(ANNA)
        parts = urlsplit(google.calendar_api)
        assert parts.hostname
        self.connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=5)

    def call(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, bytes, Any]:
        headers = {"Authorization": f"Bearer {self.token}", **(headers or {})}
        try:
            self.connection.request(method, "/calendar/v3/" + path, body, headers)
            answer = self.connection.getresponse()
            return answer.status, answer.read(), answer.headers
        except BaseException:
            self.connection.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()


@pytest.mark.parametrize(
    ("kind", "status", "reason"),
    [
        ("authError", 401, "authError"),
        ("userRateLimitExceeded", 403, "userRateLimitExceeded"),
        ("rateLimitExceeded", 403, "rateLimitExceeded"),
        ("quotaExceeded", 403, "quotaExceeded"),
        ("forbidden", 403, "forbidden"),
        ("forbiddenForNonOrganizer", 403, "forbiddenForNonOrganizer"),
        ("tooManyRequests", 429, "rateLimitExceeded"),
        ("internalError", 500, "backendError"),
        ("badGateway", 502, "backendError"),
        ("unavailable", 503, "backendError"),
        ("notFound", 404, "notFound"),
        ("conflict", 409, "conflict"),
        ("preconditionFailed", 412, "failedPrecondition"),
        ("conditionNotMet", 412, "conditionNotMet"),
        ("invalid", 400, "invalid"),
        ("eventTypeRestriction", 400, "eventTypeRestriction"),
    ],
)
def test_a_planned_refusal_hits_once_and_changes_nothing(
    google: GoogleServer, kind: str, status: int, reason: str
) -> None:
    """Then the same call works."""
    google.control.add_fault(kind, operation="events.insert", retry_after=7)

    with Plain(google) as plain:
        refused, body, headers = plain.call("POST", "calendars/primary/events", BODY)
        stored = google.control.events(ANNA)
        passed, _, _ = plain.call("POST", "calendars/primary/events", BODY)

    assert (refused, json.loads(body)["error"]["errors"][0]["reason"]) == (status, reason)
    assert stored == [] and passed == 200
    assert headers["Retry-After"] == "7"


def test_a_fault_hits_only_what_it_names(google: GoogleServer, client: Client) -> None:
    """Operation, account, calendar and event are patterns; `skip` lets calls pass, `count` says how often."""
    google.control.seed_events(ANNA, 2)
    matching = {
        "operation": "events.*",
        "account": ANNA,
        "calendar": ANNA,
        "event": "*1",
        "count": 2,
        "skip": 1,
    }
    google.control.add_fault("unavailable", **matching)
    events = client().events()

    statuses = []
    for event in ["seed0000000", *["seed0000001"] * 4]:
        try:
            events.get(calendarId="primary", eventId=event).execute()
            statuses.append(200)
        except HttpError as error:
            statuses.append(error.status_code)

    assert statuses == [200, 200, 503, 503, 200]
    assert [call["fault"] for call in google.control.calls("events.get")] == [
        "",
        "",
        "unavailable",
        "unavailable",
        "",
    ]


def test_the_connection_can_die_before_the_work(google: GoogleServer) -> None:
    """No answer, nothing stored."""
    google.control.add_fault("closeBefore", operation="events.insert")

    with Plain(google) as plain, pytest.raises(http.client.RemoteDisconnected):
        plain.call("POST", "calendars/primary/events", BODY)

    assert google.control.events(ANNA) == []
    assert google.control.calls("events.insert")[0]["status"] == 0


@pytest.mark.parametrize("kind", ["closeAfter", "errorAfter", "truncated", "notJson"])
def test_a_write_can_be_applied_although_its_answer_is_lost(google: GoogleServer, kind: str) -> None:
    """Doing it again with the same id answers 409: the first try had succeeded."""
    google.control.add_fault(kind, operation="events.insert")
    outcome: tuple[int, bytes]

    with Plain(google) as plain:
        try:
            outcome = plain.call("POST", "calendars/primary/events", BODY)[:2]
        except http.client.HTTPException as error:
            outcome = 0, type(error).__name__.encode()
        again, _, _ = plain.call("POST", "calendars/primary/events", BODY)

    assert [event["id"] for event in google.control.events(ANNA)] == ["dinner0001"]
    assert again == 409
    match kind:
        case "closeAfter":
            assert outcome[1] == b"RemoteDisconnected"
        case "truncated":
            assert outcome[1] == b"IncompleteRead"
        case "errorAfter":
            assert outcome[0] == 503
        case _:
            assert outcome[0] == 200 and outcome[1].startswith(b"<html>")


def test_a_hanging_call_ends_when_the_client_gives_up(google: GoogleServer) -> None:
    """The other calls go on meanwhile."""
    google.control.add_fault("hang", operation="events.list")

    with Plain(google) as hanging, Plain(google) as plain:
        hanging.connection.timeout = 0.05
        with pytest.raises(TimeoutError):
            hanging.call("GET", "calendars/primary/events")
        status, _, _ = plain.call("GET", "calendars/primary/events")

    assert status == 200


def test_slowness_is_per_fault_per_operation_or_for_all(google: GoogleServer, clock: StandingClock) -> None:
    """As data on the answer, so that a simulation may use a clock of its own; the server sleeps it."""
    google.control.set_latency(20)
    google.control.set_latency(50, "events.list")
    google.control.add_fault("slow", operation="calendars.get", seconds=3)
    headers = {"Authorization": f"Bearer {google.control.access_token(ANNA)}"}

    paths = ["calendars/primary", "calendars/primary", "calendars/primary/events"]
    delays = [handle(google.world, Request.to("GET", f"/calendar/v3/{path}", headers)).delay for path in paths]

    assert delays == [3.02, 0.02, 0.05]


def test_a_fresh_event_can_be_invisible_for_a_moment(google: GoogleServer, events: Any) -> None:
    """notFoundAfterInsert: the next get answers 404, the one after it works."""
    google.control.add_fault("notFoundAfterInsert", operation="events.insert")
    made = events.insert(calendarId="primary", body=DINNER).execute()

    with pytest.raises(HttpError) as caught:
        events.get(calendarId="primary", eventId=made["id"]).execute()
    found = events.get(calendarId="primary", eventId=made["id"]).execute()

    assert refusal(caught.value) == (404, "notFound")
    assert found["id"] == made["id"]


def test_calls_are_counted_per_account_in_a_sliding_minute(
    google: GoogleServer, client: Client, clock: StandingClock
) -> None:
    """The most of any minute is kept; a quota, when set, refuses what goes over it."""
    anna, bob = client().events(), client(BOB).events()
    for _ in range(3):
        listed(anna)
    clock.seconds += 61
    listed(anna)
    listed(bob)
    google.control.set(quota_per_minute=1)

    with pytest.raises(HttpError) as caught:
        listed(anna)
    counters = google.control.counters()["accounts"]

    assert refusal(caught.value) == (403, "rateLimitExceeded")
    assert counters[ANNA] == {"total": 5, "last_minute": 2, "most_in_a_minute": 3}
    assert counters[BOB]["total"] == 1


def test_the_call_log_tells_who_did_what_with_which_outcome(google: GoogleServer, events: Any) -> None:
    """Operation, ids, body, status and reason; `since` gives the rest of it."""
    made = events.insert(calendarId="primary", body=DINNER).execute()
    mark = google.control.calls()[-1]["number"]
    with pytest.raises(HttpError):
        events.delete(calendarId="primary", eventId="neverthere").execute()

    first = google.control.calls("events.insert")[0]
    later = google.control.calls(since=mark)

    assert (first["account"], first["calendar"], first["event"]) == (ANNA, ANNA, made["id"])
    assert first["body"]["summary"] == "Dinner" and first["applied"]
    assert [(call["operation"], call["status"], call["reason"]) for call in later] == [
        ("events.delete", 404, "notFound")
    ]


def test_answers_are_pretty_gzipped_and_carry_their_headers(google: GoogleServer) -> None:
    """Pretty unless prettyPrint=false; gzip only when Accept-Encoding and User-Agent both say so."""
    google.control.create_event(ANNA)
    packed = {"Accept-Encoding": "gzip", "User-Agent": "x (gzip)"}

    with Plain(google) as plain:
        _, pretty, headers = plain.call("GET", "calendars/primary/events")
        _, dense, _ = plain.call("GET", "calendars/primary/events?prettyPrint=false")
        _, squeezed, gzip = plain.call("GET", "calendars/primary/events", headers=packed)
        _, plain_body, half = plain.call("GET", "calendars/primary/events", headers={"Accept-Encoding": "gzip"})

    assert pretty.startswith(b'{\n "kind": "calendar#events",\n') and b'\n  {\n   "kind": "calendar#event"' in pretty
    assert json.loads(pretty) == json.loads(dense) and b"\n" not in dense
    assert headers["ETag"] and "Origin" in headers["Vary"]
    assert gzip["Content-Encoding"] == "gzip" and len(squeezed) < len(pretty)
    assert half["Content-Encoding"] is None and plain_body == pretty
