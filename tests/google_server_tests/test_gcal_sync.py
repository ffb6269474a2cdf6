"""The client of Home Assistant's own integration (PyPI gcal_sync) works against the fake unchanged."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
from gcal_sync.api import GoogleCalendarService, ListEventsRequest, SyncEventsRequest
from gcal_sync.auth import AbstractAuth
from gcal_sync.exceptions import ApiForbiddenException, AuthException
from gcal_sync.model import DateOrDatetime, Event
from gcal_sync.store import InMemoryCalendarStore
from gcal_sync.sync import CalendarEventSyncManager, CalendarListSyncManager

from tests.google_server.http import GoogleServer
from tests.google_server.people import DINNER
from tests.google_server_tests.conftest import ANNA


class Auth(AbstractAuth):
    """Hands over an access token."""

    def __init__(self, session: aiohttp.ClientSession, host: str, token: str) -> None:
        super().__init__(session, host)
        self.token = token

    async def async_get_access_token(self) -> str:
        return self.token


@pytest.fixture
async def service(google: GoogleServer) -> AsyncIterator[GoogleCalendarService]:
    """Its service, on the fake."""
    async with aiohttp.ClientSession() as session:
        token = google.control.access_token(ANNA)
        yield GoogleCalendarService(Auth(session, google.calendar_api.rstrip("/"), token))


async def stored(manager: CalendarEventSyncManager) -> dict[str, Any]:
    """What the client keeps, by event id."""
    timeline: Any = await manager._store.async_load()
    return dict(timeline["items"])


async def test_the_full_list_and_the_increment_fill_its_store(
    google: GoogleServer, service: GoogleCalendarService
) -> None:
    """Its pages hold 1,000 events; then one call brings the changes; a deleted event stays, as cancelled."""
    google.control.seed_events(ANNA, 1200)
    manager = CalendarEventSyncManager(service, ANNA, InMemoryCalendarStore())

    await manager.run()
    first = await stored(manager)
    full_calls = len(google.control.calls("events.list"))
    google.control.create_event(ANNA, {"id": "dinner"})
    google.control.delete_event(ANNA, "seed0000000")
    await manager.run()
    second = await stored(manager)

    assert len(first) == 1200 and full_calls == 2
    assert len(google.control.calls("events.list")) == 3
    assert second["dinner"]["summary"] == "Dinner"
    assert second["seed0000000"]["status"] == "cancelled"


async def test_a_410_makes_it_start_afresh(google: GoogleServer, service: GoogleCalendarService) -> None:
    """It drops its token and its store, and lists everything again: what was deleted in the gap is gone."""
    google.control.seed_events(ANNA, 3)
    manager = CalendarEventSyncManager(service, ANNA, InMemoryCalendarStore())
    await manager.run()
    google.control.delete_event(ANNA, "seed0000001")
    google.control.expire_sync_tokens(ANNA)

    await manager.run()

    assert set(await stored(manager)) == {"seed0000000", "seed0000002"}
    assert [call["status"] for call in google.control.calls("events.list")] == [200, 410, 200]


async def test_its_paged_listing_reads_everything(google: GoogleServer, service: GoogleCalendarService) -> None:
    """The other way to list: by start time with expanded series, page after page."""
    google.control.seed_events(ANNA, 1100, first="2026-11-21T08:00:00+00:00")
    begin = datetime(2026, 11, 20, tzinfo=UTC)

    found = await service.async_list_events(ListEventsRequest(calendarId=ANNA, timeMin=begin))
    events = [event async for page in found for event in page.items]

    assert len({event.id for event in events}) == len(events) == 1100


async def test_it_inserts_patches_and_deletes(google: GoogleServer, service: GoogleCalendarService) -> None:
    """It has no update (PUT) and no If-Match."""
    start, end = (DateOrDatetime(dateTime=DINNER[key]["dateTime"]) for key in ("start", "end"))

    await service.async_create_event("primary", Event(summary="Dinner", start=start, end=end))
    made = google.control.events(ANNA)[0]
    await service.async_patch_event("primary", made["id"], {"location": "Home"})
    read = await service.async_get_event("primary", made["id"])
    await service.async_delete_event("primary", made["id"])

    assert (read.summary, read.location) == ("Dinner", "Home")
    assert google.control.event(ANNA, made["id"])["status"] == "cancelled"


async def test_it_cancels_one_date_of_a_series(google: GoogleServer, service: GoogleCalendarService) -> None:
    """By a patch of the instance's id to cancelled; the parent stays."""
    google.control.create_event(ANNA, {"id": "dinners", "recurrence": ["RRULE:FREQ=DAILY;COUNT=4"]})
    manager = CalendarEventSyncManager(service, ANNA, InMemoryCalendarStore())
    await manager.run()

    await manager.store_service.async_delete_event("dinners@google.com", "dinners_20261202T180000Z")
    await manager.run()

    items = await stored(manager)
    assert items["dinners_20261202T180000Z"]["status"] == "cancelled"
    assert items["dinners"]["status"] == "confirmed"


async def test_the_calendar_list_syncs(google: GoogleServer, service: GoogleCalendarService) -> None:
    """Full, then the increment, then 410 and full again."""
    manager = CalendarListSyncManager(service, InMemoryCalendarStore())
    await manager.run()
    family = google.control.add_calendar(ANNA, summary="Family")
    await manager.run()
    google.control.expire_sync_tokens()
    await manager.run()

    calendars = (await manager.store_service.async_list_calendars()).calendars

    assert {calendar.id for calendar in calendars} == {ANNA, family}
    assert [call["status"] for call in google.control.calls("calendarList.list")] == [200, 200, 410, 200]


async def test_a_window_can_be_synced(google: GoogleServer, service: GoogleCalendarService) -> None:
    """The first listing may carry timeMin; the increment must not, and keeps to the window."""
    google.control.seed_events(ANNA, 10, first="2026-11-21T08:00:00+00:00")
    request = SyncEventsRequest(calendarId=ANNA, timeMin=datetime(2026, 11, 21, 15, tzinfo=UTC))
    manager = CalendarEventSyncManager(service, store=InMemoryCalendarStore(), request_template=request)

    await manager.run()
    google.control.edit_event(ANNA, "seed0000000", {"summary": "Long past"})
    await manager.run()

    assert set(await stored(manager)) == {"seed0000007", "seed0000008", "seed0000009"}


async def test_refusals_reach_it_as_its_own_errors(google: GoogleServer, service: GoogleCalendarService) -> None:
    """401 and 403, each by its name."""
    google.control.add_fault("rateLimitExceeded")
    with pytest.raises(ApiForbiddenException):
        await service.async_get_calendar("primary")
    google.control.expire_access_tokens(ANNA)

    with pytest.raises(AuthException):
        await service.async_get_calendar("primary")
