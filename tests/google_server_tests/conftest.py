"""The world of these tests: a clock that stands still, a server, and the official client on it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

import pytest
from google.oauth2.credentials import Credentials
from googleapiclient.discovery import build

from tests.google_server.http import GoogleServer
from tests.google_server.tokens import CALENDAR_SCOPES

ANNA, BOB, CAROL = "anna@example.com", "bob@example.com", "carol@example.com"
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()


class StandingClock:
    """Stands at noon of 20 November 2026 until somebody moves it."""

    def __init__(self) -> None:
        self.seconds = NOON

    def now(self) -> float:
        return self.seconds


Client = Callable[..., Any]


@pytest.fixture
def clock() -> StandingClock:
    """The server's clock."""
    return StandingClock()


@pytest.fixture
def google(clock: StandingClock) -> Iterator[GoogleServer]:
    """A server whose answers all have to fit the discovery document."""
    with GoogleServer(clock, [ANNA, BOB, CAROL]) as server:
        yield server
    assert server.world.schema_problems == []
    assert server.world.surprises == []


def credentials(google: GoogleServer, account: str, scopes: tuple[str, ...] = CALENDAR_SCOPES) -> Credentials:
    """What a sign-in leaves behind. (`from_authorized_user_info` would forget our token address.)"""
    document = google.token_document(account, scopes)
    keys = ("refresh_token", "token_uri", "client_id", "client_secret", "scopes")
    return Credentials(None, **{key: document[key] for key in keys})


@pytest.fixture
def client(google: GoogleServer) -> Iterator[Client]:
    """Makes official clients: `client("anna@example.com")`."""
    with ExitStack() as stack:

        def made(account: str = ANNA, scopes: tuple[str, ...] = CALENDAR_SCOPES) -> Any:
            options = {"api_endpoint": google.calendar_api}
            signed_in = credentials(google, account, scopes)
            service = build("calendar", "v3", credentials=signed_in, client_options=options)
            stack.callback(service.close)
            return service

        yield made


@pytest.fixture
def events(client: Client) -> Any:
    """Anna's events through the official client."""
    return client().events()


def listed(events: Any, **parameters: Any) -> tuple[list[dict[str, Any]], str, int]:
    """Everything of a listing over its pages: the items, the sync token, the number of pages."""
    items: list[dict[str, Any]] = []
    page: str | None = None
    number = 0
    while True:
        answer = events.list(calendarId="primary", pageToken=page, **parameters).execute()
        number += 1
        items += answer["items"]
        assert ("nextPageToken" in answer) != ("nextSyncToken" in answer)
        page = answer.get("nextPageToken")
        if page is None:
            return items, answer["nextSyncToken"], number


def refusal(error: Any) -> tuple[int, str]:
    """Status and reason of the official client's HttpError."""
    return error.status_code, error.error_details[0]["reason"]
