"""A Google that only repeats: pages of events gzipped beforehand, sent as fast as the socket takes them."""

import argparse
import gzip
import http.server
import random
import signal
import threading
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

PAGE = 2500
PAGE_BYTES = 3_100_000
ACCOUNTS = ("anna@example.com", "bob@example.com")
WORDS = (
    "dinner",
    "school",
    "football",
    "dentist",
    "meeting",
    "birthday",
    "choir",
    "piano",
    "shopping",
    "garden",
    "train",
    "flight",
    "parents",
    "holiday",
    "lunch",
    "review",
    "planning",
    "cinema",
    "doctor",
    "swimming",
    "bring",
    "the",
    "with",
    "and",
    "for",
    "about",
    "please",
    "at",
    "before",
    "after",
    "room",
)


def pages(count: int) -> list[bytes]:
    """Return `count` events as Google lists them, 2,500 a page of 3.1 MB, each page gzipped."""
    chance = random.Random(count)
    found = []
    for first in range(0, count, PAGE):
        items = [_event(number, chance) for number in range(first, min(first + PAGE, count))]
        last = first + PAGE >= count
        mark = {"nextSyncToken": "replay-1"} if last else {"nextPageToken": str(first // PAGE + 1)}
        listing = {"summary": "anna@example.com", "timeZone": "Europe/Berlin", **mark, "items": items}
        found.append(gzip.compress(msgspec.json.encode(listing), 6))
    return found


def _event(number: int, chance: random.Random) -> dict[str, Any]:
    """An event with the fields that Calbot asks for, filled up with text to Google's usual size of one."""
    start = datetime(2019, 1, 1, 8, tzinfo=UTC) + timedelta(hours=number)
    identity = f"{chance.getrandbits(130):026x}"
    event: dict[str, Any] = {
        "id": identity,
        "etag": f'"{chance.getrandbits(53):016d}"',
        "status": "confirmed",
        "htmlLink": f"https://www.google.com/calendar/event?eid={chance.getrandbits(300):x}",
        "summary": " ".join(chance.choices(WORDS, k=3)),
        "location": " ".join(chance.choices(WORDS, k=4)),
        "organizer": {"email": "anna@example.com", "self": True},
        "start": {"dateTime": start.isoformat(), "timeZone": "Europe/Berlin"},
        "end": {"dateTime": (start + timedelta(hours=1)).isoformat(), "timeZone": "Europe/Berlin"},
        "iCalUID": f"{identity}@google.com",
        "eventType": "default",
    }
    if number % 3 == 0:
        event["attendees"] = [
            {"email": "anna@example.com", "organizer": True, "self": True, "responseStatus": "accepted"},
            {
                "email": f"guest{number % 40}@example.com",
                "displayName": "A Guest",
                "responseStatus": "needsAction",
            },
        ]
    missing = PAGE_BYTES // PAGE - len(msgspec.json.encode(event)) - len(',"description":""')
    event["description"] = " ".join(chance.choices(WORDS, k=missing // 5))[:missing]
    return event


class Replay(http.server.ThreadingHTTPServer):
    """Serves prepared pages, and a token to whoever asks."""

    daemon_threads = True

    def __init__(self, prepared: list[bytes]) -> None:
        self.prepared = prepared
        super().__init__(("127.0.0.1", 0), _Asked)


class _Asked(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_GET(self) -> None:
        assert isinstance(self.server, Replay)
        query = parse_qs(urlsplit(self.path).query)
        if "syncToken" in query:
            self._answer(gzip.compress(b'{"nextSyncToken":"replay-1","items":[]}', 1))
        else:
            self._answer(self.server.prepared[int(query.get("pageToken", ["0"])[0])])

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        token = b'{"access_token":"replayed","expires_in":3599,"token_type":"Bearer"}'
        self._answer(gzip.compress(token, 1))

    def _answer(self, packed: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json; charset=UTF-8")
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(packed)))
        self.end_headers()
        self.wfile.write(packed)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as its base has it
        """The benchmark looks at the other side."""


def main() -> int:
    """Serve until SIGTERM; print the addresses first."""
    parser = argparse.ArgumentParser(prog="python -m bench.replay", description=__doc__)
    parser.add_argument("--events", type=int, default=10_000)
    options = parser.parse_args()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    server = Replay(pages(options.events))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    host = f"http://127.0.0.1:{server.server_address[1]}"
    token = {"type": "authorized_user", "refresh_token": "r", "client_id": "c", "client_secret": "s"}
    told = {
        "calendar_api": f"{host}/calendar/v3/",
        "token_uri": f"{host}/token",
        "pages": [len(page) for page in server.prepared],
        "accounts": dict.fromkeys(ACCOUNTS, token),
    }
    print(msgspec.json.encode(told).decode(), flush=True)
    stop.wait()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
