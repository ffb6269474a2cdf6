"""Push channels: what is delivered, with which headers, and all that may go wrong on the way."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from googleapiclient.errors import HttpError

from tests.google_server.http import GoogleServer
from tests.google_server_tests.conftest import ANNA, BOB, Client, StandingClock, listed, refusal


class Receiver:
    """A webhook: keeps the headers of what arrives and answers with the statuses it was given, then 204."""

    def __init__(self) -> None:
        self.received: list[dict[str, str]] = []
        self.statuses: list[int] = []
        receiver = self

        class Door(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver.received.append(dict(self.headers.items()))
                self.send_response(receiver.statuses.pop(0) if receiver.statuses else 204)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}/push"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)

    def numbers(self) -> list[int]:
        return [int(headers["X-Goog-Message-Number"]) for headers in self.received]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A webhook on this machine."""
    made = Receiver()
    made.thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    made.thread.join()


def watch(events: Any, receiver: Receiver, name: str = "channel-1", **body: Any) -> dict[str, Any]:
    """Open a channel to the receiver."""
    wanted = {"id": name, "type": "web_hook", "address": receiver.address, "token": "pretended", **body}
    channel: dict[str, Any] = events.watch(calendarId="primary", body=wanted).execute()
    return channel


def test_a_change_is_pushed_with_googles_headers(google: GoogleServer, events: Any, receiver: Receiver) -> None:
    """First `sync` with number 1, then `exists` with a higher number; no body."""
    channel = watch(events, receiver)
    google.control.create_event(ANNA)

    assert google.control.settle_pushes()
    sync, exists = receiver.received
    assert (sync["X-Goog-Resource-State"], sync["X-Goog-Message-Number"]) == ("sync", "1")
    assert exists["X-Goog-Channel-ID"] == "channel-1"
    assert exists["X-Goog-Channel-Token"] == "pretended"
    assert exists["X-Goog-Resource-State"] == "exists"
    assert int(exists["X-Goog-Message-Number"]) > 2
    assert exists["X-Goog-Resource-ID"] == channel["resourceId"]
    assert exists["X-Goog-Resource-URI"] == channel["resourceUri"]
    assert exists["X-Goog-Channel-Expiration"] == "Fri, 27 Nov 2026 12:00:00 GMT"
    assert exists["Content-Length"] == "0" and exists["User-Agent"].startswith("APIs-Google")
    assert int(channel["expiration"]) == (google.control.now() + 604_800) * 1000


def test_ones_own_writes_are_pushed_and_listed_too(google: GoogleServer, events: Any, receiver: Receiver) -> None:
    """An app hears its own echo."""
    google.control.seed_events(ANNA, 1)
    watch(events, receiver)
    _, token, _ = listed(events)

    events.patch(calendarId="primary", eventId="seed0000000", body={"colorId": "3"}).execute()
    items, _, _ = listed(events, syncToken=token)

    assert google.control.settle_pushes()
    assert [item["id"] for item in items] == ["seed0000000"]
    assert [headers["X-Goog-Resource-State"] for headers in receiver.received] == ["sync", "exists"]


def test_the_sync_message_can_come_before_the_answer(google: GoogleServer, events: Any, receiver: Receiver) -> None:
    """By switch: it is there when watch returns."""
    google.control.set(sync_before_answer=True)

    watch(events, receiver)

    assert receiver.numbers() == [1]


def test_pushes_can_be_lost_doubled_and_late(
    google: GoogleServer, events: Any, receiver: Receiver, clock: StandingClock
) -> None:
    """The log of pushes tells which fate each had."""
    watch(events, receiver)
    google.control.lose_pushes(1)
    google.control.create_event(ANNA)
    google.control.duplicate_pushes(1)
    google.control.create_event(ANNA)
    google.control.delay_pushes(5)
    google.control.create_event(ANNA)

    assert google.control.settle_pushes()
    early = receiver.numbers()
    clock.seconds += 6
    assert google.control.settle_pushes()

    assert early == [1, 7, 7]
    assert receiver.numbers() == [1, 7, 7, 10]
    assert [push["outcome"] for push in google.control.pushes()] == [
        "delivered",
        "lost",
        "delivered",
        "delivered",
        "delivered",
    ]


@pytest.mark.parametrize(
    ("statuses", "tries", "outcome"),
    [([503, 500, 502], 4, "delivered"), ([404], 1, "failed"), ([202], 1, "delivered")],
)
def test_only_some_statuses_are_tried_again(
    google: GoogleServer,
    events: Any,
    receiver: Receiver,
    clock: StandingClock,
    statuses: list[int],
    tries: int,
    outcome: str,
) -> None:
    """500, 502, 503 and 504 with backoff; any other error loses the message."""
    receiver.statuses = list(statuses)
    watch(events, receiver)

    for _ in statuses:
        assert google.control.settle_pushes()
        clock.seconds += 10
    assert google.control.settle_pushes()

    assert len(receiver.received) == tries
    assert google.control.pushes()[0]["outcome"] == outcome


def test_a_channel_ends_without_a_word(
    google: GoogleServer, events: Any, receiver: Receiver, clock: StandingClock
) -> None:
    """After its expiration nothing is sent; a ttl in params or an expiration in the body sets it."""
    watch(events, receiver, params={"ttl": "60"})
    clock.seconds += 61
    google.control.create_event(ANNA)

    assert google.control.settle_pushes()
    assert receiver.numbers() == [1]
    assert google.control.channels() == []


def test_stop_needs_the_resource_id_and_the_same_user(google: GoogleServer, client: Client, receiver: Receiver) -> None:
    """404 otherwise; afterwards it is silent, and its id is never free again."""
    events = client().events()
    channel = watch(events, receiver)
    right = {"id": channel["id"], "resourceId": channel["resourceId"]}

    with pytest.raises(HttpError) as wrong_resource:
        client().channels().stop(body={**right, "resourceId": "other"}).execute()
    with pytest.raises(HttpError) as wrong_user:
        client(BOB).channels().stop(body=right).execute()
    client().channels().stop(body=right).execute()
    with pytest.raises(HttpError) as again:
        client().channels().stop(body=right).execute()
    with pytest.raises(HttpError) as reused:
        watch(events, receiver)
    google.control.create_event(ANNA)

    assert google.control.settle_pushes()
    assert {refusal(one.value) for one in (wrong_resource, wrong_user, again)} == {(404, "notFound")}
    assert "Channel 'channel-1' not found for project" in str(again.value)
    assert refusal(reused.value) == (400, "channelIdNotUnique")
    assert receiver.numbers() == [1]


def test_the_address_must_be_https_unless_the_test_says_otherwise(
    google: GoogleServer, events: Any, receiver: Receiver
) -> None:
    """400 for http; a route leads an https address to this machine; 401 for a distrusted domain."""
    google.control.set(allow_http_push=False, push_routes={"https://example.org/push": receiver.address})

    with pytest.raises(HttpError) as caught:
        watch(events, receiver)
    watch(events, receiver, address="https://example.org/push")
    assert google.control.settle_pushes()
    google.control.set(push_unauthorized=True)
    with pytest.raises(HttpError) as distrusted:
        watch(events, receiver, "channel-2", address="https://example.org/push")

    assert refusal(caught.value) == (400, "push.webhookUrlNotHttps")
    assert receiver.numbers() == [1]
    assert refusal(distrusted.value) == (401, "push.webhookUrlUnauthorized")


def test_holiday_calendars_offer_no_push(google: GoogleServer, events: Any, receiver: Receiver) -> None:
    """400 pushNotSupportedForRequestedResource: poll them."""
    holidays = "en.german#holiday@group.v.calendar.google.com"
    google.control.add_calendar(ANNA, holidays, "Holidays")
    body = {"id": "channel-1", "type": "web_hook", "address": receiver.address}

    with pytest.raises(HttpError) as caught:
        events.watch(calendarId=holidays, body=body).execute()

    assert refusal(caught.value) == (400, "pushNotSupportedForRequestedResource")
    assert events.list(calendarId=holidays).execute()["accessRole"] == "reader"


def test_the_calendar_list_can_be_watched(google: GoogleServer, client: Client, receiver: Receiver) -> None:
    """A new calendar is a message."""
    body = {"id": "list-1", "type": "web_hook", "address": receiver.address}
    client().calendarList().watch(body=body).execute()

    google.control.add_calendar(ANNA, summary="Family")

    assert google.control.settle_pushes()
    assert [headers["X-Goog-Resource-State"] for headers in receiver.received] == ["sync", "exists"]
