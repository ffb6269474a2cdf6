"""Series with their exceptions, and the event types that allow only some changes."""

from typing import Any

import pytest
from googleapiclient.errors import HttpError

from tests.google_server.http import GoogleServer
from tests.google_server_tests.conftest import ANNA, listed, refusal

WEEKLY = {"id": "dinners", "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=3"]}
SECOND = "dinners_20261208T180000Z"


def test_instances_are_computed_with_their_ids(google: GoogleServer, events: Any) -> None:
    """`<parent>_<original start in UTC>`, also for dates that nobody touched."""
    google.control.create_event(ANNA, WEEKLY)

    items = events.instances(calendarId="primary", eventId="dinners").execute()["items"]
    single = events.get(calendarId="primary", eventId=SECOND).execute()

    assert [item["id"][-16:] for item in items] == [
        "20261201T180000Z",
        "20261208T180000Z",
        "20261215T180000Z",
    ]
    assert single["recurringEventId"] == "dinners" and "recurrence" not in single
    assert single["originalStartTime"]["dateTime"] == "2026-12-08T19:00:00+01:00"


@pytest.mark.parametrize(
    ("rule", "day", "ids"),
    [
        ("RRULE:FREQ=YEARLY;COUNT=2", True, ["20261201", "20271201"]),
        ("RRULE:FREQ=DAILY;UNTIL=20261203", True, ["20261201", "20261202", "20261203"]),
        ("RRULE:FREQ=WEEKLY;BYDAY=TU,TH;COUNT=3", True, ["20261201", "20261203", "20261208"]),
        (
            "RRULE:FREQ=DAILY;INTERVAL=2;UNTIL=20261203T180000Z",
            False,
            ["20261201T180000Z", "20261203T180000Z"],
        ),
        ("RRULE:FREQ=MONTHLY;COUNT=2", False, ["20261201T180000Z", "20270101T180000Z"]),
    ],
)
def test_rules_are_followed(google: GoogleServer, events: Any, rule: str, day: bool, ids: list[str]) -> None:
    """Days, weeks, months and years, with COUNT and with UNTIL."""
    times = {"start": {"date": "2026-12-01"}, "end": {"date": "2026-12-02"}} if day else {}
    google.control.create_event(ANNA, {"id": "series", "recurrence": [rule], **times})

    items = events.instances(calendarId="primary", eventId="series").execute()["items"]

    assert [item["id"].partition("_")[2] for item in items] == ids


def test_a_changed_date_becomes_an_exception_in_the_next_increment(google: GoogleServer, events: Any) -> None:
    """The parent stays as it was; the exception is a row of its own."""
    google.control.create_event(ANNA, WEEKLY)
    _, token, _ = listed(events)

    events.patch(calendarId="primary", eventId=SECOND, body={"summary": "Late dinner"}).execute()
    items, _, _ = listed(events, syncToken=token)

    assert [(item["id"], item["summary"]) for item in items] == [(SECOND, "Late dinner")]


def test_a_cancelled_date_is_listed_as_long_as_its_series_lives(google: GoogleServer, events: Any) -> None:
    """Also in full lists, with nothing but ids and the original start."""
    google.control.create_event(ANNA, WEEKLY)
    events.delete(calendarId="primary", eventId=SECOND).execute()

    items, _, _ = listed(events)
    events.delete(calendarId="primary", eventId="dinners").execute()
    after, _, _ = listed(events)

    assert set(items[1]) == {"kind", "etag", "id", "status", "recurringEventId", "originalStartTime"}
    assert after == []


def test_exceptions_can_come_before_their_series(google: GoogleServer, events: Any) -> None:
    """By switch, in full lists; in increments whenever they changed in that order."""
    google.control.create_event(ANNA, WEEKLY)
    _, token, _ = listed(events, maxResults=1)
    google.control.edit_event(ANNA, SECOND, {"summary": "Late dinner"})
    google.control.edit_event(ANNA, "dinners", {"location": "Home"})
    google.control.set(exceptions_first=True)

    full, _, pages = listed(events, maxResults=1)
    delta, _, _ = listed(events, syncToken=token, maxResults=1)

    assert pages == 2
    assert [item["id"] for item in full] == [item["id"] for item in delta] == [SECOND, "dinners"]


def test_changing_the_times_of_a_series_drops_exceptions_that_no_longer_fit(google: GoogleServer, events: Any) -> None:
    """As after "this and following": the shortened parent keeps only the exceptions among its dates."""
    google.control.create_event(ANNA, WEEKLY)
    google.control.edit_event(ANNA, SECOND, {"summary": "Late dinner"})

    short = {"recurrence": ["RRULE:FREQ=WEEKLY;UNTIL=20261205T000000Z"]}
    after = events.patch(calendarId="primary", eventId="dinners", body=short).execute()

    assert after["sequence"] == 1
    assert google.control.event(ANNA, SECOND)["status"] == "cancelled"


def test_a_birthday_takes_a_colour_but_no_description(google: GoogleServer, events: Any) -> None:
    """400 eventTypeRestriction for what its type does not allow, extended properties included."""
    birthday = {
        "id": "grandma",
        "eventType": "birthday",
        "summary": "Grandma",
        "start": {"date": "1961-03-04"},
        "end": {"date": "1961-03-05"},
        "recurrence": ["RRULE:FREQ=YEARLY"],
        "visibility": "private",
        "transparency": "transparent",
    }
    events.insert(calendarId="primary", body=birthday).execute()

    coloured = events.patch(calendarId="primary", eventId="grandma", body={"colorId": "3"}).execute()
    with pytest.raises(HttpError) as described:
        events.patch(calendarId="primary", eventId="grandma", body={"description": "x"}).execute()
    body = {"extendedProperties": {"private": {"a": "b"}}}
    with pytest.raises(HttpError) as stamped:
        events.patch(calendarId="primary", eventId="grandma", body=body).execute()

    assert coloured["colorId"] == "3"
    assert refusal(described.value) == refusal(stamped.value) == (400, "eventTypeRestriction")


def test_an_event_from_gmail_takes_guests_but_no_new_title(google: GoogleServer, events: Any) -> None:
    """fromGmail: colour, reminders, visibility, status, guests and extended properties only."""
    google.control.put_raw(ANNA, {"id": "flight", "eventType": "fromGmail", "summary": "Flight"})

    guests = {"attendees": [{"email": "x@example.com"}]}
    after = events.patch(calendarId="primary", eventId="flight", body=guests).execute()
    with pytest.raises(HttpError) as caught:
        events.patch(calendarId="primary", eventId="flight", body={"summary": "Train"}).execute()

    assert after["attendees"][0]["responseStatus"] == "needsAction"
    assert refusal(caught.value) == (400, "eventTypeRestriction")


def test_events_can_be_filtered_by_type(google: GoogleServer, events: Any) -> None:
    """`eventTypes` may be repeated."""
    google.control.create_event(ANNA)
    google.control.put_raw(ANNA, {"id": "flight", "eventType": "fromGmail"})

    items, _, _ = listed(events, eventTypes=["fromGmail"])

    assert [item["id"] for item in items] == ["flight"]
