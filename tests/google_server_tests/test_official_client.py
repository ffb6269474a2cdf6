"""The official client reads and writes against the fake as against Google."""

from typing import Any

import pytest
from googleapiclient.errors import HttpError

from tests.google_server.http import GoogleServer
from tests.google_server.people import DINNER
from tests.google_server_tests.conftest import ANNA, BOB, Client, StandingClock, listed, refusal


def test_a_full_list_over_250_events_comes_in_pages_with_each_event_once(google: GoogleServer, events: Any) -> None:
    """Without maxResults a page holds 250 events; only the last one carries the sync token."""
    google.control.seed_events(ANNA, 600)

    items, token, pages = listed(events)

    assert len({item["id"] for item in items}) == len(items) == 600
    assert pages == 3 and token


def test_a_sync_token_gives_only_what_changed_since(google: GoogleServer, events: Any) -> None:
    """New, changed and deleted events come once each, the deleted one as a bare tombstone."""
    google.control.seed_events(ANNA, 3)
    _, token, _ = listed(events)
    new = google.control.create_event(ANNA)
    google.control.edit_event(ANNA, "seed0000000", {"summary": "Moved"})
    google.control.edit_event(ANNA, "seed0000000", {"location": "Home"})
    google.control.delete_event(ANNA, "seed0000001")

    items, later, _ = listed(events, syncToken=token)
    nothing, _, _ = listed(events, syncToken=later)

    assert [item["id"] for item in items] == [new["id"], "seed0000000", "seed0000001"]
    assert items[1]["location"] == "Home"
    assert set(items[2]) == {"kind", "etag", "id", "status"}
    assert nothing == []


def test_an_expired_sync_token_answers_410_and_the_full_list_has_no_tombstones(
    google: GoogleServer, events: Any
) -> None:
    """410 fullSyncRequired; afterwards what was deleted in the gap is simply absent."""
    google.control.seed_events(ANNA, 2)
    _, token, _ = listed(events)
    google.control.delete_event(ANNA, "seed0000000")
    google.control.expire_sync_tokens(ANNA)

    with pytest.raises(HttpError) as caught:
        listed(events, syncToken=token)
    items, _, _ = listed(events)
    with_deleted, _, _ = listed(events, showDeleted=True)

    assert refusal(caught.value) == (410, "fullSyncRequired")
    assert [item["id"] for item in items] == ["seed0000001"]
    assert len(with_deleted) == 2


@pytest.mark.parametrize(
    "parameters",
    [
        {"timeMin": "2026-01-01T00:00:00Z"},
        {"timeMax": "2026-01-01T00:00:00Z"},
        {"q": "x"},
        {"orderBy": "updated"},
        {"iCalUID": "x"},
        {"updatedMin": "2026-11-19T00:00:00Z"},
        {"privateExtendedProperty": "a=b"},
        {"sharedExtendedProperty": "a=b"},
        {"showDeleted": False},
        {"singleEvents": True},
        {"eventTypes": ["default"]},
    ],
)
def test_a_sync_token_refuses_restrictions_and_other_parameters(events: Any, parameters: dict[str, Any]) -> None:
    """400: forbidden beside a token, or not the parameters the token was made with."""
    _, token, _ = listed(events)

    with pytest.raises(HttpError) as caught:
        listed(events, syncToken=token, **parameters)

    assert refusal(caught.value) == (400, "invalid")


def test_pages_may_be_short_or_empty_and_changes_between_them_are_not_lost(google: GoogleServer, events: Any) -> None:
    """Who loops on the token and not on the items, and then asks for the increment, has everything."""
    google.control.seed_events(ANNA, 6)
    google.control.set(page_sizes=[2, 0, 1])
    google.control.between_pages("edit_event", {"calendar": ANNA, "event": "seed0000000", "changes": {"summary": "X"}})
    google.control.between_pages("create_event", {"calendar": ANNA, "body": {"id": "added"}})

    items, token, pages = listed(events)
    delta, _, _ = listed(events, syncToken=token)

    assert pages == 4
    assert {item["id"] for item in items} >= {f"seed{number:07d}" for number in range(6)}
    assert [item["id"] for item in delta] == ["seed0000000", "added"]


def test_a_long_increment_is_paged_with_the_same_sync_token(google: GoogleServer, events: Any) -> None:
    """More changes than maxResults come in pages, each once."""
    _, token, _ = listed(events, maxResults=10)
    google.control.seed_events(ANNA, 25)

    items, _, pages = listed(events, syncToken=token, maxResults=10)

    assert pages == 3
    assert len({item["id"] for item in items}) == 25


def test_an_insert_is_stored_in_normal_form(events: Any) -> None:
    """Google adds ids, links and reminders, omits defaults, and shows times in the calendar's zone."""
    body = {
        "summary": "Dinner",
        "start": {"dateTime": "2026-12-01T18:00:00Z"},
        "end": {"dateTime": "2026-12-01T20:00:00Z"},
        "transparency": "opaque",
    }

    made = events.insert(calendarId="primary", body=body).execute()

    assert made["start"] == {"dateTime": "2026-12-01T19:00:00+01:00", "timeZone": "Europe/Berlin"}
    assert made["organizer"] == {"email": ANNA, "self": True}
    assert made["iCalUID"] == made["id"] + "@google.com"
    assert "transparency" not in made
    assert made["reminders"] == {"useDefault": True}


def test_an_id_is_taken_for_ever(google: GoogleServer, events: Any) -> None:
    """409 for an id in use, also after its event was deleted; a patch to confirmed brings it back."""
    body = {**DINNER, "id": "dinner0001"}
    events.insert(calendarId="primary", body=body).execute()

    with pytest.raises(HttpError) as taken:
        events.insert(calendarId="primary", body=body).execute()
    events.delete(calendarId="primary", eventId="dinner0001").execute()
    with pytest.raises(HttpError) as still_taken:
        events.insert(calendarId="primary", body=body).execute()
    back = events.patch(calendarId="primary", eventId="dinner0001", body={"status": "confirmed"}).execute()

    assert refusal(taken.value) == refusal(still_taken.value) == (409, "duplicate")
    assert back["status"] == "confirmed" and back["summary"] == "Dinner"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"id": "has-dash"}, "invalid"),
        ({"id": "abc"}, "invalid"),
        ({"start": None}, "required"),
        ({"end": {"dateTime": "2026-12-01T18:00:00+01:00"}}, "timeRangeEmpty"),
        ({"end": {"date": "2026-12-02"}}, "invalid"),
        ({"attendees": [{"displayName": "Bob"}]}, "required"),
        (
            {"recurrence": ["RRULE:FREQ=DAILY"], "start": {"dateTime": "2026-12-01T19:00:00+01:00"}},
            "required",
        ),
        ({"eventType": "fromGmail"}, "eventTypeRestriction"),
        ({"eventType": "focusTime", "attendees": [{"email": BOB}]}, "eventTypeRestriction"),
    ],
)
def test_a_bad_insert_is_refused_by_its_reason(events: Any, change: dict[str, Any], reason: str) -> None:
    """400 with Google's word for what is wrong."""
    with pytest.raises(HttpError) as caught:
        events.insert(calendarId="primary", body={**DINNER, **change}).execute()

    assert refusal(caught.value) == (400, reason)


def test_a_patch_merges_objects_deletes_nulls_and_replaces_arrays(events: Any) -> None:
    """extendedProperties merge, null removes, attendees are exactly what the patch says."""
    body = {
        **DINNER,
        "location": "Home",
        "attendees": [{"email": BOB}],
        "extendedProperties": {"private": {"kept": "1", "gone": "2"}},
    }
    made = events.insert(calendarId="primary", body=body).execute()
    changes = {
        "location": None,
        "attendees": [{"email": "x@example.com"}],
        "extendedProperties": {"private": {"gone": None, "new": "3"}},
    }

    after = events.patch(calendarId="primary", eventId=made["id"], body=changes).execute()

    assert "location" not in after and after["summary"] == "Dinner"
    assert [guest["email"] for guest in after["attendees"]] == ["x@example.com"]
    assert after["extendedProperties"]["private"] == {"kept": "1", "new": "3"}
    assert after["etag"] != made["etag"] and after["updated"] > made["updated"]


def test_switching_between_all_day_and_timed_needs_an_explicit_null(events: Any) -> None:
    """A patch that only adds `date` beside `dateTime` is refused."""
    made = events.insert(calendarId="primary", body=DINNER).execute()
    day = {"start": {"date": "2026-12-01"}, "end": {"date": "2026-12-02"}}
    switched = {key: {**value, "dateTime": None, "timeZone": None} for key, value in day.items()}

    with pytest.raises(HttpError) as caught:
        events.patch(calendarId="primary", eventId=made["id"], body=day).execute()
    after = events.patch(calendarId="primary", eventId=made["id"], body=switched).execute()

    assert refusal(caught.value) == (400, "invalid")
    assert after["start"] == {"date": "2026-12-01"} and after["sequence"] == 1


def test_an_update_replaces_everything(events: Any) -> None:
    """What a PUT does not mention is gone."""
    made = events.insert(calendarId="primary", body={**DINNER, "location": "Home", "colorId": "3"}).execute()

    after = events.update(calendarId="primary", eventId=made["id"], body=DINNER).execute()

    assert "location" not in after and "colorId" not in after
    assert after["iCalUID"] == made["iCalUID"]


def test_if_match_refuses_an_old_etag(google: GoogleServer, events: Any) -> None:
    """412 conditionNotMet, and nothing is written; `*` and the fresh etag pass."""
    made = events.insert(calendarId="primary", body=DINNER).execute()
    google.control.edit_event(ANNA, made["id"], {"location": "Home"})
    request = events.patch(calendarId="primary", eventId=made["id"], body={"summary": "Lost"})
    request.headers["If-Match"] = made["etag"]

    with pytest.raises(HttpError) as caught:
        request.execute()
    request.headers["If-Match"] = "*"
    after = request.execute()

    assert refusal(caught.value) == (412, "conditionNotMet")
    assert after["summary"] == "Lost" and after["location"] == "Home"


def test_if_none_match_answers_304(events: Any) -> None:
    """A get with the present etag gives no body."""
    made = events.insert(calendarId="primary", body=DINNER).execute()
    request = events.get(calendarId="primary", eventId=made["id"])
    request.headers["If-None-Match"] = made["etag"]

    with pytest.raises(HttpError) as caught:
        request.execute()

    assert caught.value.status_code == 304


def test_a_deleted_event_can_be_read_but_not_deleted_again(events: Any) -> None:
    """get: 200 and cancelled; delete: 410; never there: 404."""
    made = events.insert(calendarId="primary", body=DINNER).execute()
    events.delete(calendarId="primary", eventId=made["id"]).execute()

    with pytest.raises(HttpError) as again:
        events.delete(calendarId="primary", eventId=made["id"]).execute()
    with pytest.raises(HttpError) as never:
        events.get(calendarId="primary", eventId="neverthere").execute()

    assert events.get(calendarId="primary", eventId=made["id"]).execute()["status"] == "cancelled"
    assert refusal(again.value) == (410, "deleted")
    assert refusal(never.value) == (404, "notFound")


def test_fields_gives_only_what_was_asked_for(google: GoogleServer, events: Any) -> None:
    """Nested selections, in single events and in lists."""
    made = google.control.create_event(ANNA, {"attendees": [{"email": BOB}]})
    fields = "nextSyncToken,items(id,start/dateTime,attendees(email))"

    single = events.get(calendarId="primary", eventId=made["id"], fields="id,etag").execute()
    page = events.list(calendarId="primary", fields=fields).execute()

    assert set(single) == {"id", "etag"}
    assert set(page) == {"nextSyncToken", "items"}
    assert page["items"] == [
        {
            "id": made["id"],
            "start": {"dateTime": "2026-12-01T19:00:00+01:00"},
            "attendees": [{"email": BOB}, {"email": ANNA}],
        }
    ]


def test_moving_an_event_leaves_a_tombstone_and_changes_the_organizer(google: GoogleServer, client: Client) -> None:
    """The target calendar organizes; the source's next increment has the deletion."""
    family = google.control.add_calendar(ANNA, summary="Family")
    service = client()
    made = google.control.create_event(ANNA)
    _, token, _ = listed(service.events())

    moved = service.events().move(calendarId="primary", eventId=made["id"], destination=family).execute()
    items, _, _ = listed(service.events(), syncToken=token)

    assert moved["id"] == made["id"]
    assert moved["organizer"] == {"email": family, "displayName": "Family", "self": True}
    assert [item["status"] for item in items] == ["cancelled"]


def test_an_import_needs_the_owner_as_organizer_or_guest(events: Any) -> None:
    """400 otherwise; the same iCalUID again updates the copy."""
    body = {**DINNER, "iCalUID": "x@mail.example.com", "organizer": {"email": "out@example.com"}}

    with pytest.raises(HttpError) as caught:
        events.import_(calendarId="primary", body=body).execute()
    first = events.import_(calendarId="primary", body={**body, "attendees": [{"email": ANNA}]}).execute()
    changed = {**body, "attendees": [{"email": ANNA}], "summary": "Late"}
    second = events.import_(calendarId="primary", body=changed).execute()

    assert refusal(caught.value) == (400, "participantIsNeitherOrganizerNorAttendee")
    assert first["id"] == second["id"] and second["summary"] == "Late"


def test_updated_min_does_not_reach_back_more_than_30_days(clock: StandingClock, events: Any) -> None:
    """410 updatedMinTooLongAgo."""
    with pytest.raises(HttpError) as caught:
        events.list(calendarId="primary", updatedMin="2026-10-01T00:00:00Z").execute()

    assert refusal(caught.value) == (410, "updatedMinTooLongAgo")


def test_listing_by_start_time_needs_single_events_and_gives_no_sync_token(google: GoogleServer, events: Any) -> None:
    """400 without singleEvents; with it, series are expanded and ordered."""
    google.control.create_event(ANNA, {"recurrence": ["RRULE:FREQ=DAILY;COUNT=3"], "id": "dinners"})
    early = {
        "id": "first",
        "start": {"dateTime": "2026-12-02T08:00:00+01:00"},
        "end": {"dateTime": "2026-12-02T09:00:00+01:00"},
    }
    google.control.create_event(ANNA, early)

    with pytest.raises(HttpError) as caught:
        events.list(calendarId="primary", orderBy="startTime").execute()
    answer = events.list(calendarId="primary", orderBy="startTime", singleEvents=True).execute()

    assert caught.value.status_code == 400
    assert [item["id"] for item in answer["items"]] == [
        "dinners_20261201T180000Z",
        "first",
        "dinners_20261202T180000Z",
        "dinners_20261203T180000Z",
    ]
    assert "nextSyncToken" not in answer


def test_the_calendar_list_syncs_like_events_do(google: GoogleServer, client: Client) -> None:
    """Full list, increment with a new and a lost calendar, 410, and paging."""
    calendars = client().calendarList()
    token = calendars.list().execute()["nextSyncToken"]
    new = google.control.add_calendar(ANNA, summary="Family")
    shared = google.control.add_calendar(BOB, summary="Work")
    google.control.share_calendar(shared, ANNA, "reader")
    google.control.share_calendar(shared, ANNA, "")

    delta = calendars.list(syncToken=token).execute()["items"]
    page = calendars.list(maxResults=1).execute()
    google.control.expire_sync_tokens()
    with pytest.raises(HttpError) as caught:
        calendars.list(syncToken=token).execute()

    assert {item["id"]: item.get("deleted", False) for item in delta} == {new: False, shared: True}
    assert [item["id"] for item in page["items"]] == [ANNA] and "nextPageToken" in page
    assert refusal(caught.value) == (410, "fullSyncRequired")


def test_a_calendar_that_goes_away_answers_404_and_one_without_write_access_403(
    google: GoogleServer, client: Client
) -> None:
    """Losing one calendar leaves the others alone."""
    service = client(BOB)
    shared = service.calendars().insert(body={"summary": "Shared"}).execute()["id"]
    google.control.share_calendar(shared, ANNA, "reader")

    with pytest.raises(HttpError) as reading_only:
        client().events().insert(calendarId=shared, body=DINNER).execute()
    service.calendars().delete(calendarId=shared).execute()
    with pytest.raises(HttpError) as gone:
        client().events().list(calendarId=shared).execute()

    assert refusal(reading_only.value) == (403, "requiredAccessLevel")
    assert refusal(gone.value) == (404, "notFound")
    assert client().calendars().get(calendarId="primary").execute()["id"] == ANNA


def test_who_only_sees_free_and_busy_gets_no_details(google: GoogleServer, client: Client) -> None:
    """Times, and not a word more."""
    google.control.create_event(BOB, {"location": "Home"})
    google.control.share_calendar(BOB, ANNA, "freeBusyReader")

    answer = client().events().list(calendarId=BOB).execute()

    assert answer["accessRole"] == "freeBusyReader"
    assert "summary" not in answer["items"][0] and "location" not in answer["items"][0]


def test_extended_properties_are_cut_as_google_cuts_them(events: Any) -> None:
    """Long keys vanish, long values are shortened, both without a word."""
    properties = {"private": {"k" * 45: "gone", "short": "v" * 1025}}

    made = events.insert(calendarId="primary", body={**DINNER, "extendedProperties": properties}).execute()

    assert made["extendedProperties"]["private"] == {"short": "v" * 1024}
