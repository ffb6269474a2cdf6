"""The Calendars port over Google's official client: one account's calls, and the one retry policy."""

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from googleapiclient import discovery
from googleapiclient.errors import HttpError
from googleapiclient.model import JsonModel
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt

from calbot.errors import Deleted, NotFound, Refused, RetryLater, StaleSyncToken, Uncertain
from calbot.google import bodies, wire
from calbot.google.errors import reason_of, translated
from calbot.google.transport import AccountHttp, Dragged
from calbot.kinds import SendUpdates
from calbot.model import Change, Channel, Content, Event, Gone, Page
from calbot.ports import Clock, Random

DEFAULT_API = "https://www.googleapis.com/calendar/v3/"
PAGE_SIZE = 2500
CHANNEL_SECONDS = 7 * 86400
NO_PUSH = "pushNotSupportedForRequestedResource"
NO_ACCESS = frozenset({"forbidden", "requiredAccessLevel"})
_TRIES = 3
_LONGEST_BRIDGE = 4.0
_QUIETLY = {"sendUpdates": "none"}
_WHOLE_EVENT = {"fields": wire.EVENT_FIELDS, "prettyPrint": False}
T = TypeVar("T")


class _Bytes(JsonModel):  # type: ignore[misc]
    """Leaves answers as bytes: msgspec reads them straight into our types."""

    def deserialize(self, content: bytes) -> bytes:
        """Return the body as it came."""
        return content

    @property
    def no_content_response(self) -> bytes:
        """Return the body of a 204."""
        return b""


def service(api: str) -> Any:
    """Build the client's calendar service, once for all accounts; `api` is its base URL with a slash at the end."""
    return discovery.build(
        "calendar",
        "v3",
        http=_NoHttp(),
        model=_Bytes(),
        cache_discovery=False,
        static_discovery=True,
        client_options={"api_endpoint": api},
    )


class _NoHttp:
    """Stands where `build` wants a transport; each call brings its account's own."""


class GoogleCalendars:
    """One account's calendars."""

    def __init__(self, service: Any, http: AccountHttp, clock: Clock, random: Random) -> None:
        # Kept: the client builds all of a resource's methods anew, for milliseconds, each time it is asked for one.
        self._events = service.events()
        self._channels = service.channels()
        self._http = http
        self._clock = clock
        self._random = random

    def name(self, calendar: str) -> str:
        """Return the calendar's own name, as a proof that it can be read."""
        call = self._events.list(calendarId=calendar, maxResults=1, fields="summary", prettyPrint=False)
        return self._read(call, wire.name)

    def page(self, calendar: str, *, sync_token: str | None, page_token: str | None) -> Page:
        """Return one page of what changed since `sync_token`, or of everything.

        The parameters never vary: Google ties the sync token to them. Raises StaleSyncToken when it no longer holds.
        """
        call = self._events.list(
            calendarId=calendar,
            maxResults=PAGE_SIZE,
            singleEvents=False,
            syncToken=sync_token,
            pageToken=page_token,
            fields=wire.LIST_FIELDS,
            prettyPrint=False,
        )
        try:
            return self._read(call, wire.page)
        except Refused as error:
            if sync_token is None or error.reason != "invalid_request":
                raise
            raise StaleSyncToken(str(error), "conflict") from error

    def get(self, calendar: str, event_id: str) -> Event:
        """Return the event as it is now. Raises Deleted when it is, NotFound when Google knows nothing of it."""
        call = self._events.get(calendarId=calendar, eventId=event_id, fields=wire.EVENT_FIELDS, prettyPrint=False)
        return _alive(self._read(call, wire.change))

    def add_guests(
        self, calendar: str, event: Event, guests: tuple[str, ...], stamp: str | None, send_updates: SendUpdates
    ) -> Event:
        """Add `guests`, and our stamp unless it is None, to exactly this version of the event."""
        return self._write_guests(calendar, event, bodies.with_guests(event, guests, stamp), stamp, send_updates)

    def remove_guests(
        self, calendar: str, event: Event, guests: tuple[str, ...], stamp: str | None, send_updates: SendUpdates
    ) -> Event:
        """Take `guests` off exactly this version of the event."""
        return self._write_guests(calendar, event, bodies.without_guests(event, guests, stamp), stamp, send_updates)

    def _write_guests(
        self, calendar: str, event: Event, body: dict[str, object], stamp: str | None, send_updates: SendUpdates
    ) -> Event:
        call = self._events.patch(
            calendarId=calendar,
            eventId=event.id,
            sendUpdates=send_updates,
            fields="id,etag,status,attendees",
            prettyPrint=False,
            body=body,
        )
        call.headers["If-Match"] = event.etag
        written = _alive(self._write(call, wire.change))
        kept = event.stamp if stamp is None else stamp
        return msgspec.structs.replace(event, etag=written.etag, guests=written.guests, stamp=kept)

    def role(self, calendar: str) -> str:
        """Return this account's role on the calendar, in Google's words; `none` when Google does not show it at all."""
        call = self._events.list(calendarId=calendar, maxResults=1, fields="accessRole", prettyPrint=False)
        try:
            return self._read(call, wire.role)
        except NotFound:
            return "none"
        except Refused as error:
            if isinstance(error.__cause__, HttpError) and reason_of(error.__cause__) in NO_ACCESS:
                return "none"
            raise

    def insert(self, calendar: str, event_id: str, content: Content, stamp: str) -> Event:
        """Make an event with this id that shows this; return it as Google made it. Nobody is mailed."""
        body = {"id": event_id, **bodies.of_content(content, stamp)}
        call = self._events.insert(calendarId=calendar, body=body, **_QUIETLY, **_WHOLE_EVENT)
        return _alive(self._write(call, wire.change))

    def rewrite(
        self, calendar: str, event_id: str, content: Content, stamp: str, etag: str | None, *, revive: bool = False
    ) -> Event:
        """Make the event show exactly this; return it as Google made it. Nobody is mailed.

        Only its creator can change an event's source; Google does not say whether it ignores or refuses others' wishes.
        """
        body = bodies.of_change(event_id, content, stamp, revive=revive)
        try:
            return self._patch(calendar, event_id, body, etag)
        except Refused as error:
            if error.reason != "forbidden":
                raise
        del body["source"]
        return self._patch(calendar, event_id, body, etag)

    def restore(self, calendar: str, event_id: str) -> Event:
        """Bring a deleted event back, marked as such; return it. Nobody is mailed."""
        return self._patch(calendar, event_id, {"status": "confirmed", **bodies.BROUGHT_BACK}, None)

    def _patch(self, calendar: str, event_id: str, body: dict[str, object], etag: str | None) -> Event:
        call = self._events.patch(calendarId=calendar, eventId=event_id, body=body, **_QUIETLY, **_WHOLE_EVENT)
        if etag is not None:
            call.headers["If-Match"] = etag
        return _alive(self._write(call, wire.change))

    def remove(self, calendar: str, event_id: str, etag: str | None = None) -> None:
        """Delete the event. Nobody is mailed."""
        call = self._events.delete(calendarId=calendar, eventId=event_id, **_QUIETLY)
        if etag is not None:
            call.headers["If-Match"] = etag
        self._write(call, lambda _: None)

    def whole(self, calendar: str, event_id: str) -> str:
        """Return all that Google has of the event, as its JSON, for keeping."""
        call = self._events.get(calendarId=calendar, eventId=event_id, prettyPrint=False)
        text, found = self._read(call, wire.whole)
        _alive(found)
        return text

    def insert_whole(self, calendar: str, event_id: str, whole: str) -> Event:
        """Make an event of what `whole` kept, under this id; return it. Nobody is mailed."""
        body = {"id": event_id, **bodies.of_whole(whole)}
        call = self._events.insert(
            calendarId=calendar,
            body=body,
            conferenceDataVersion=1,
            supportsAttachments=True,
            **_QUIETLY,
            **_WHOLE_EVENT,
        )
        return _alive(self._write(call, wire.change))

    def open_channel(self, channel: Channel, token: str) -> Channel | None:
        """Open a push channel; return it with its resource id and expiry, None when the calendar has no push."""
        body = {
            "id": channel.id,
            "type": "web_hook",
            "address": channel.address,
            "token": token,
            "params": {"ttl": str(CHANNEL_SECONDS)},
        }
        call = self._events.watch(calendarId=channel.key.calendar, body=body, prettyPrint=False)
        try:
            opened = self._write(call, wire.channel)
        except Refused as error:
            if isinstance(error.__cause__, HttpError) and reason_of(error.__cause__) == NO_PUSH:
                return None
            raise
        return msgspec.structs.replace(channel, resource_id=opened.resource_id, expires=opened.expires)

    def close_channel(self, channel: Channel) -> None:
        """Stop a push channel. One that is already gone is success."""
        body = {"id": channel.id, "resourceId": channel.resource_id}
        try:
            self._write(self._channels.stop(body=body), lambda _: None)
        except NotFound:
            return

    def _read(self, call: Any, read: Callable[[bytes], T]) -> T:
        """Ask, bridging a few seconds of trouble; anything longer is the caller's to put off."""
        retrying = Retrying(
            stop=stop_after_attempt(_TRIES),
            wait=self._jitter,
            retry=retry_if_exception(_passes_soon),
            sleep=self._clock.sleep,
            reraise=True,
        )
        return retrying(lambda: read(self._execute(call, write=False)))

    def _write(self, call: Any, read: Callable[[bytes], T]) -> T:
        """Send once. An answer that is lost or cannot be read is Uncertain."""
        body = self._execute(call, write=True)
        try:
            return read(body)
        except RetryLater as error:
            raise Uncertain(str(error), error.reason) from error

    def _execute(self, call: Any, *, write: bool) -> bytes:
        try:
            body: bytes = call.execute(http=self._http, num_retries=0)
        except HttpError as error:
            raise translated(error, write=write) from error
        return body

    def _jitter(self, state: RetryCallState) -> float:
        return self._random.uniform(0.1, min(_LONGEST_BRIDGE, 0.5 * 2**state.attempt_number))


def _alive(found: Change) -> Event:
    if isinstance(found, Gone):
        raise Deleted("The event is deleted.", "not_found")
    return found


def _passes_soon(error: BaseException) -> bool:
    if isinstance(error, Dragged):
        return False
    return isinstance(error, RetryLater) and (error.after or 0.0) <= _LONGEST_BRIDGE
