"""The Calendars port over Google's official client: one account's calls, its errors translated in one place."""

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from googleapiclient import discovery
from googleapiclient.errors import HttpError
from googleapiclient.model import JsonModel
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt

from calbot.errors import (
    CalbotError,
    ChangedMeanwhile,
    Deleted,
    NotFound,
    Refused,
    RetryLater,
    SignInNeeded,
    StaleSyncToken,
    Uncertain,
)
from calbot.google import wire
from calbot.google.transport import AccountHttp, asked_to_wait
from calbot.kinds import FailureReason, SendUpdates
from calbot.model import Channel, Event, Gone, Page
from calbot.ports import Clock, Random

DEFAULT_API = "https://www.googleapis.com/calendar/v3/"
PAGE_SIZE = 2500
CHANNEL_SECONDS = 7 * 86400
NO_PUSH = "pushNotSupportedForRequestedResource"
_TRIES = 3
_LONGEST_BRIDGE = 4.0
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


class _ErrorItem(msgspec.Struct):
    reason: str = ""


class _ErrorBody(msgspec.Struct):
    status: str = ""
    errors: tuple[_ErrorItem, ...] = ()


class _ErrorAnswer(msgspec.Struct):
    error: _ErrorBody


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
        found = self._read(call, wire.change)
        if isinstance(found, Gone):
            raise Deleted("The event is deleted.", "not_found")
        return found

    def add_guests(
        self, calendar: str, event: Event, guests: tuple[str, ...], stamp: str | None, send_updates: SendUpdates
    ) -> Event:
        """Add `guests`, and our stamp unless it is None, to exactly this version of the event."""
        return self._write_guests(calendar, event, wire.with_guests(event, guests, stamp), stamp, send_updates)

    def remove_guests(
        self, calendar: str, event: Event, guests: tuple[str, ...], stamp: str | None, send_updates: SendUpdates
    ) -> Event:
        """Take `guests` off exactly this version of the event."""
        return self._write_guests(calendar, event, wire.without_guests(event, guests, stamp), stamp, send_updates)

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
        written = self._write(call, wire.change)
        if isinstance(written, Gone):
            raise Deleted("The event was deleted meanwhile.", "not_found")
        kept = event.stamp if stamp is None else stamp
        return msgspec.structs.replace(event, etag=written.etag, guests=written.guests, stamp=kept)

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
            if isinstance(error.__cause__, HttpError) and _reason(error.__cause__) == NO_PUSH:
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
            raise _translated(error, write=write) from error
        return body

    def _jitter(self, state: RetryCallState) -> float:
        return self._random.uniform(0.1, min(_LONGEST_BRIDGE, 0.5 * 2**state.attempt_number))


def _passes_soon(error: BaseException) -> bool:
    return isinstance(error, RetryLater) and (error.after or 0.0) <= _LONGEST_BRIDGE


def _reason(error: HttpError) -> str:
    try:
        answer = msgspec.json.decode(error.content, type=_ErrorAnswer)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    return answer.error.errors[0].reason if answer.error.errors else answer.error.status


def _retry_after(error: HttpError) -> float | None:
    return asked_to_wait(error.resp.get("retry-after"))


_LIMITS: dict[str, FailureReason] = {
    "rateLimitExceeded": "rate_limited",
    "userRateLimitExceeded": "quota_user",
    "quotaExceeded": "calendar_limits",
    "calendarUsageLimitsExceeded": "calendar_limits",
    "dailyLimitExceeded": "quota_project",
}


def _translated(error: HttpError, *, write: bool) -> CalbotError:
    """Say in our words what Google refused: `errors[0].reason` decides, never the message (errors guide)."""
    status, reason = int(error.resp.status), _reason(error)
    text = f"Google answered {status} {reason}".rstrip() + "."
    if reason in _LIMITS or status == 429:
        return RetryLater(text, _LIMITS.get(reason, "rate_limited"), _retry_after(error))
    match status:
        case 401 if reason.startswith("push."):
            return Refused(text, "forbidden")
        case 401:
            # The token was renewed just before: a sign-in that is dead fails there, so this one passes.
            return RetryLater("Google does not accept a token that it has just given.", "auth_expired")
        case 403 if reason == "insufficientPermissions":
            return SignInNeeded("The sign-in lacks the permission to use calendars.", "auth_revoked")
        case 404:
            return NotFound(text, "not_found")
        case 410 if reason in {"fullSyncRequired", "updatedMinTooLongAgo"}:
            return StaleSyncToken(text, "conflict")
        case 410:
            return Deleted(text, "not_found")
        case 412:
            return ChangedMeanwhile(text, "conflict")
        case 409:
            return RetryLater(text, "conflict")
        case _ if status >= 500 or status == 408:
            unsure = Uncertain if write else RetryLater
            return unsure(text, "upstream_5xx", _retry_after(error))
        case _ if not reason:  # Somebody on the way answered: Google itself gives a reason.
            return RetryLater(text, "upstream_5xx", _retry_after(error))
        case 403:
            return Refused(text, "forbidden")
        case _:
            return Refused(text, "invalid_request")
