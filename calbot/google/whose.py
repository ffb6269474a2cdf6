"""Whose token it is, as Google says: a token from elsewhere need not name its account."""

from typing import TypeVar
from urllib.parse import quote

import msgspec
import urllib3
from google.oauth2.credentials import Credentials

from calbot.errors import GoogleError
from calbot.google.calendars import DEFAULT_API
from calbot.google.transport import AccountHttp
from calbot.google.wallet import Token
from calbot.ports import Clock

T = TypeVar("T")
_ONE = urllib3.Timeout(connect=5.0, read=10.0)


class _Calendar(msgspec.Struct):
    id: str = ""


class _Person(msgspec.Struct):
    email: str = ""
    self: bool = False


class _Event(msgspec.Struct):
    organizer: _Person = msgspec.field(default_factory=_Person)


class _Events(msgspec.Struct):
    items: list[_Event] = []


def whose(token: Token, clock: Clock, *, calendar_api: str | None, token_uri: str | None) -> str:
    """Return the address of a token's account, in lower case; nothing where Google does not say it.

    The id of the primary calendar is the account's address. Each permission shows it in another place, at least in
    events that the account organises itself.
    """
    credentials = Credentials(
        token=None,
        refresh_token=token.refresh_token,
        token_uri=token_uri or token.token_uri,
        client_id=token.client_id,
        client_secret=token.client_secret,
    )
    pool = urllib3.PoolManager(retries=False, timeout=_ONE)
    http, api = AccountHttp("this token", credentials, pool, clock), calendar_api or DEFAULT_API
    own = quote("items(organizer(email,self))")
    try:
        for path in ("calendars/primary?fields=id", "users/me/calendarList/primary?fields=id"):
            if (found := _answer(http, api + path, _Calendar)) is not None and found.id:
                return found.id.lower()
        events = _answer(http, f"{api}calendars/primary/events?maxResults=250&fields={own}", _Events)
    except GoogleError:
        return ""
    mine = (event.organizer.email for event in (events.items if events is not None else ()) if event.organizer.self)
    return next((email.lower() for email in mine if email), "")


def _answer(http: AccountHttp, address: str, kind: type[T]) -> T | None:
    """Ask once. Raises GoogleError where there is no answer."""
    answer, content = http.request(address)
    try:
        return msgspec.json.decode(content, type=kind) if answer.status == 200 else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
