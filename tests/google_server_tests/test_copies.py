"""What writing copies of events relies on: texts, colours, sources, revivals, single dates, and what is dropped."""

from typing import Any

import pytest
from googleapiclient.errors import HttpError

from tests.google_server.http import GoogleServer
from tests.google_server.people import DINNER
from tests.google_server_tests.conftest import ANNA, BOB, CAROL, Client, listed, refusal

WEEKLY = {"id": "dinners", "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=3"]}
FIRST = "dinners_20261201T180000Z"
SECOND = "dinners_20261208T180000Z"
PAGE = {"title": "Dinner", "url": "https://www.google.com/calendar/event?eid=1"}
MEET = {
    "conferenceId": "abc",
    "conferenceSolution": {"key": {"type": "hangoutsMeet"}, "name": "Google Meet"},
    "entryPoints": [{"entryPointType": "video", "uri": "https://meet.example.com/abc"}],
}


@pytest.mark.parametrize("role", ["owner", "writer", "writerWithoutPrivateAccess", "reader", "freeBusyReader"])
def test_a_listing_tells_the_role_of_who_asks(google: GoogleServer, client: Client, role: str) -> None:
    """Each account its own, in every listing."""
    google.control.share_calendar(ANNA, BOB, role)

    at_anna, at_bob = (
        client(one).events().list(calendarId=ANNA, maxResults=1, fields="accessRole").execute() for one in (ANNA, BOB)
    )

    assert at_anna == {"accessRole": "owner"}
    assert at_bob == {"accessRole": role}


def test_control_characters_are_taken_out_of_texts(events: Any) -> None:
    """Tabs and line feeds stay; of CRLF the line feed does."""
    body = {**DINNER, "summary": "Din\x00n\x1ber\x7f", "description": "One\r\nTwo\tThree", "location": "\x07Home"}

    made = events.insert(calendarId="primary", body=body).execute()

    assert (made["summary"], made["description"], made["location"]) == ("Dinner", "One\nTwo\tThree", "Home")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"colorId": "12"}, "invalid"),
        ({"source": {"title": "Mail", "url": "message://1"}}, "invalid"),
        ({"source": {"url": "https://example.com"}}, "required"),
        ({"source": {"title": "Mail"}}, "required"),
    ],
)
def test_colours_and_sources_are_checked(events: Any, change: dict[str, Any], reason: str) -> None:
    """Colours of the palette; sources on the web, with a title."""
    with pytest.raises(HttpError) as caught:
        events.insert(calendarId="primary", body={**DINNER, **change}).execute()

    assert refusal(caught.value) == (400, reason)


def test_only_the_creator_sees_and_changes_the_source(google: GoogleServer, client: Client) -> None:
    """Others' writes of it are ignored, or by switch refused; the rest of the event is theirs to change."""
    family = google.control.add_calendar(ANNA, summary="Family")
    google.control.share_calendar(family, BOB, "writer")
    anna, bob = client(ANNA).events(), client(BOB).events()
    body = {**DINNER, "id": "dinner", "source": PAGE}
    anna.insert(calendarId=family, body=body).execute()

    hidden = "source" not in bob.get(calendarId=family, eventId="dinner").execute()
    changes = {"source": {"title": "Bob", "url": "https://example.com"}, "location": "Home"}
    bob.patch(calendarId=family, eventId="dinner", body=changes).execute()
    bob.update(calendarId=family, eventId="dinner", body={**DINNER, "location": "Home"}).execute()
    google.control.set(source_of_others="refuse")
    with pytest.raises(HttpError) as caught:
        bob.patch(calendarId=family, eventId="dinner", body=changes).execute()
    seen = anna.get(calendarId=family, eventId="dinner").execute()
    cleared = anna.patch(calendarId=family, eventId="dinner", body={"source": None}).execute()

    assert hidden and refusal(caught.value) == (403, "forbidden")
    assert seen["source"] == PAGE and seen["location"] == "Home"
    assert "source" not in cleared


@pytest.mark.parametrize("write", ["insert", "patch"])
def test_files_and_calls_need_their_parameters(events: Any, write: str) -> None:
    """Without them they are dropped in silence, and what is there stays."""
    more = {"attachments": [{"fileUrl": "https://drive.example.com/menu"}], "conferenceData": MEET}
    asked = {"supportsAttachments": True, "conferenceDataVersion": 1}
    if write == "insert":
        bare = events.insert(calendarId="primary", body={**DINNER, **more}).execute()
        whole = events.insert(calendarId="primary", body={**DINNER, **more}, **asked).execute()
    else:
        name = events.insert(calendarId="primary", body=DINNER).execute()["id"]
        bare = events.patch(calendarId="primary", eventId=name, body=more).execute()
        whole = events.patch(calendarId="primary", eventId=name, body=more, **asked).execute()

    nothing = {"attachments": None, "conferenceData": None}
    kept = events.patch(calendarId="primary", eventId=whole["id"], body=nothing).execute()
    cleared = events.patch(calendarId="primary", eventId=whole["id"], body=nothing, **asked).execute()

    assert {"attachments", "conferenceData", "hangoutLink"}.isdisjoint(bare)
    assert whole["attachments"] == more["attachments"]
    assert whole["hangoutLink"] == kept["hangoutLink"] == "https://meet.example.com/abc"
    assert {"attachments", "conferenceData", "hangoutLink"}.isdisjoint(cleared)


def test_a_deleted_event_stays_deleted_until_its_status_is_written(events: Any) -> None:
    """A patch of anything else is taken, and brings nothing back."""
    events.insert(calendarId="primary", body={**DINNER, "id": "dinner"}).execute()
    events.delete(calendarId="primary", eventId="dinner").execute()

    patched = events.patch(calendarId="primary", eventId="dinner", body={"summary": "Lunch"}).execute()
    revived = events.patch(calendarId="primary", eventId="dinner", body={"status": "confirmed"}).execute()

    assert (patched["status"], revived["status"]) == ("cancelled", "confirmed")
    assert revived["summary"] == "Lunch"


def test_deleting_asks_for_the_version_if_it_is_told(google: GoogleServer, events: Any) -> None:
    """412 for another one; 410 for what is deleted, whatever the version."""
    made = events.insert(calendarId="primary", body={**DINNER, "id": "dinner"}).execute()
    google.control.edit_event(ANNA, "dinner", {"summary": "Lunch"})
    outcomes = []
    for etag in (made["etag"], google.control.event(ANNA, "dinner")["etag"], made["etag"]):
        request = events.delete(calendarId="primary", eventId="dinner")
        request.headers["If-Match"] = etag
        try:
            request.execute()
            outcomes.append(204)
        except HttpError as error:
            outcomes.append(error.status_code)

    assert outcomes == [412, 204, 410]


def test_a_date_nobody_touched_can_be_deleted_once_and_brought_back(google: GoogleServer, events: Any) -> None:
    """It becomes a cancelled exception; deleting it again is 410; its status revives it."""
    google.control.create_event(ANNA, WEEKLY)

    events.delete(calendarId="primary", eventId=SECOND).execute()
    with pytest.raises(HttpError) as caught:
        events.delete(calendarId="primary", eventId=SECOND).execute()
    cancelled = [item["id"] for item in listed(events)[0] if item["status"] == "cancelled"]
    revived = events.patch(calendarId="primary", eventId=SECOND, body={"status": "confirmed"}).execute()

    assert refusal(caught.value) == (410, "deleted")
    assert cancelled == [SECOND]
    assert (revived["status"], revived["start"]["dateTime"]) == ("confirmed", "2026-12-08T19:00:00+01:00")


def test_a_single_date_takes_no_recurrence(google: GoogleServer, events: Any) -> None:
    """400; without one it is changed."""
    google.control.create_event(ANNA, WEEKLY)
    request = events.patch(calendarId="primary", eventId=SECOND, body={"recurrence": ["RRULE:FREQ=DAILY"]})

    with pytest.raises(HttpError) as caught:
        request.execute()

    assert refusal(caught.value) == (400, "invalid")


def test_a_moved_series_takes_its_exceptions_with_it(google: GoogleServer, events: Any) -> None:
    """They belong to dates that are no more; the dates of the new time are all there, a cancelled one too."""
    google.control.create_event(ANNA, WEEKLY)
    google.control.edit_event(ANNA, SECOND, {"summary": "Late dinner"})
    google.control.delete_event(ANNA, "dinners_20261215T180000Z")

    later = {
        "start": {"dateTime": "2026-12-01T20:00:00+01:00", "timeZone": "Europe/Berlin"},
        "end": {"dateTime": "2026-12-01T22:00:00+01:00", "timeZone": "Europe/Berlin"},
    }
    events.patch(calendarId="primary", eventId="dinners", body=later).execute()
    dates = events.instances(calendarId="primary", eventId="dinners").execute()["items"]

    assert google.control.event(ANNA, SECOND)["status"] == "cancelled"
    assert [date["summary"] for date in dates] == ["Dinner"] * 3


def test_a_series_written_as_it_is_keeps_its_exceptions(google: GoogleServer, events: Any) -> None:
    """The same times and rule again are no move; nor does a title, a colour or a property make one."""
    made = google.control.create_event(ANNA, WEEKLY)
    google.control.edit_event(ANNA, SECOND, {"summary": "Late dinner"})

    body = {key: made[key] for key in ("start", "end", "recurrence")} | {"summary": "Choir", "colorId": "3"}
    after = events.patch(calendarId="primary", eventId="dinners", body=body).execute()

    assert after["sequence"] == 0
    assert google.control.event(ANNA, SECOND)["summary"] == "Late dinner"


def test_a_series_that_becomes_a_single_event_has_no_dates(google: GoogleServer, events: Any) -> None:
    """Null ends it; its exceptions go, the first date's too, and its dates are not found."""
    google.control.create_event(ANNA, WEEKLY)
    for date in (FIRST, SECOND):
        google.control.edit_event(ANNA, date, {"summary": "Late dinner"})

    after = events.patch(calendarId="primary", eventId="dinners", body={"recurrence": None}).execute()
    with pytest.raises(HttpError) as caught:
        events.get(calendarId="primary", eventId="dinners_20261215T180000Z").execute()

    assert "recurrence" not in after
    assert {google.control.event(ANNA, date)["status"] for date in (FIRST, SECOND)} == {"cancelled"}
    assert refusal(caught.value) == (404, "notFound")


@pytest.mark.parametrize("inherit", [True, False])
def test_by_switch_a_date_begins_with_the_private_properties_of_its_series(
    google: GoogleServer, events: Any, *, inherit: bool
) -> None:
    """Google's documentation does not say; shared ones it has in any case."""
    google.control.set(dates_inherit_private=inherit)
    properties = {"private": {"calbot": "1"}, "shared": {"all": "2"}}
    google.control.create_event(ANNA, {**WEEKLY, "extendedProperties": properties})

    after = events.patch(calendarId="primary", eventId=SECOND, body={"summary": "Late dinner"}).execute()

    assert after["extendedProperties"]["shared"] == {"all": "2"}
    assert ("private" in after["extendedProperties"]) is inherit


def test_copies_without_guests_mail_nobody_whatever_is_asked(google: GoogleServer, client: Client) -> None:
    """And everybody else who writes the calendar sees them at once."""
    family = google.control.add_calendar(ANNA, summary="Family")
    google.control.share_calendar(family, CAROL, "writer")
    anna, carol = client(ANNA).events(), client(CAROL).events()

    anna.insert(calendarId=family, body={**DINNER, "id": "dinner"}, sendUpdates="all").execute()
    carol.patch(calendarId=family, eventId="dinner", body={"summary": "Lunch"}, sendUpdates="all").execute()
    carol.delete(calendarId=family, eventId="dinner", sendUpdates="all").execute()

    assert google.control.mails() == []
