"""The wrapper gcsa (PyPI) works against the fake unchanged; it has no sync tokens: no increment, no 410."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from gcsa.calendar import Calendar
from gcsa.event import Event
from gcsa.google_calendar import GoogleCalendar
from googleapiclient.errors import HttpError

from tests.google_server.http import GoogleServer
from tests.google_server_tests.conftest import ANNA, BOB, Client, credentials, refusal

BERLIN = ZoneInfo("Europe/Berlin")
EVENING = datetime(2026, 12, 1, 19, tzinfo=BERLIN)


@pytest.fixture
def calendar(google: GoogleServer, client: Client) -> Any:
    """Its calendar, on a service that asks the fake; it has no option for another address."""
    made = GoogleCalendar(credentials=credentials(google, ANNA))
    made.service.close()
    made.service = client()
    return made


def test_it_lists_everything_over_pages(google: GoogleServer, calendar: Any) -> None:
    """250 events a page; its window is a year unless told otherwise."""
    google.control.seed_events(ANNA, 600, first="2026-11-21T08:00:00+00:00")

    found = list(calendar.get_events(EVENING - timedelta(days=20), EVENING + timedelta(days=60)))

    assert len({event.event_id for event in found}) == 600
    assert len(google.control.calls("events.list")) == 3


def test_it_lists_series_expanded_and_by_start(google: GoogleServer, calendar: Any) -> None:
    """singleEvents and orderBy=startTime, as an index expression."""
    google.control.create_event(ANNA, {"recurrence": ["RRULE:FREQ=WEEKLY;COUNT=3"], "id": "dinners"})

    found = list(calendar[EVENING - timedelta(days=1) : EVENING + timedelta(days=8) : "startTime"])
    series = list(calendar.get_instances("dinners", time_min=EVENING))

    assert [event.start.date().isoformat() for event in found] == ["2026-12-01", "2026-12-08"]
    assert len(series) == 3


def test_it_inserts_updates_moves_and_deletes(google: GoogleServer, calendar: Any) -> None:
    """Its update is a PUT; it has no patch and no If-Match."""
    family = google.control.add_calendar(ANNA, summary="Family")

    made = calendar.add_event(Event("Dinner", start=EVENING, attendees=BOB, location="Home"), send_updates="all")
    made.summary = "Late dinner"
    after = calendar.update_event(made)
    moved = calendar.move_event(after, family)
    calendar.delete_event(moved, calendar_id=family)

    assert (after.event_id, after.summary, after.location) == (made.event_id, "Late dinner", "Home")
    assert [mail["to"] for mail in google.control.mails(kind="invitation")] == [BOB]
    assert google.control.event(family, made.event_id)["status"] == "cancelled"
    assert google.control.event(ANNA, made.event_id)["status"] == "cancelled"


def test_refusals_reach_it_as_the_clients_errors(google: GoogleServer, calendar: Any) -> None:
    """An id in use and an event that never was."""
    calendar.add_event(Event("Dinner", start=EVENING, event_id="dinner"))

    with pytest.raises(HttpError) as taken:
        calendar.add_event(Event("Dinner", start=EVENING, event_id="dinner"))
    with pytest.raises(HttpError) as unknown:
        calendar.get_event("neverthere")

    assert refusal(taken.value) == (409, "duplicate")
    assert refusal(unknown.value) == (404, "notFound")


def test_it_reads_calendars_and_the_list(google: GoogleServer, calendar: Any) -> None:
    """calendarList and calendars, and a calendar made by it."""
    made = calendar.add_calendar(Calendar("Family", description="Ours"))

    assert {one.calendar_id for one in calendar.get_calendar_list()} == {ANNA, made.calendar_id}
    assert calendar.get_calendar(made.calendar_id).description == "Ours"
