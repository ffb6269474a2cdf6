"""A sign-in tried at Google: does it live, what may it do, when does it end; and what time it is there."""

from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Literal
from urllib.parse import urlencode

import msgspec
import urllib3

from calbot import secrecy
from calbot.google.transport import DEAD_SIGN_INS
from calbot.google.wallet import Token
from calbot.model import Noun

PATIENCE = urllib3.Timeout(connect=5.0, read=10.0)


class Tried(Noun, frozen=True):
    """What came of a trial. `granted` is None where Google named no scopes, `lasts` the seconds that are left."""

    verdict: Literal["alive", "dead", "away"]
    why: str = ""
    granted: frozenset[str] | None = None
    lasts: float | None = None


class _Granted(msgspec.Struct):
    access_token: str
    scope: str | None = None
    refresh_token: str | None = None
    refresh_token_expires_in: float | None = None


class _Refused(msgspec.Struct):
    error: str


def tried(token: Token, token_uri: str | None, renewed: Callable[[str, str], None] | None = None) -> Tried:
    """Ask for an access token, which is thrown away.

    `renewed` hears of a new refresh token, before and after, which an answer may bring
    (https://datatracker.ietf.org/doc/html/rfc6749#section-6).
    """
    form = {
        "grant_type": "refresh_token",
        "refresh_token": token.refresh_token,
        "client_id": token.client_id,
        "client_secret": token.client_secret,
    }
    try:
        answer = urllib3.request(
            "POST",
            token_uri or token.token_uri,
            body=urlencode(form),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            timeout=PATIENCE,
            retries=False,
            redirect=False,
        )
    except (urllib3.exceptions.HTTPError, ValueError):
        return Tried("away", "Google’s sign-in service cannot be reached")
    try:
        if answer.status == 200:
            granted = msgspec.json.decode(answer.data, type=_Granted)
            secrecy.remember(granted.access_token, passing=True)
            if granted.refresh_token not in (None, token.refresh_token) and renewed is not None:
                secrecy.remember(granted.refresh_token)
                renewed(token.refresh_token, str(granted.refresh_token))
            scopes = frozenset(granted.scope.split()) if granted.scope is not None else None
            return Tried("alive", granted=scopes, lasts=granted.refresh_token_expires_in)
        word = msgspec.json.decode(answer.data, type=_Refused).error
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Tried("away", f"Google’s sign-in service answered {answer.status}")
    return Tried("dead" if word in DEAD_SIGN_INS else "away", f"Google’s sign-in service answered {word}")


def google_time(api: str) -> float | None:
    """Return Google's time in epoch seconds, to the second; None when nobody answers, or without a date."""
    try:
        answer = urllib3.request("GET", api, timeout=PATIENCE, retries=False, redirect=False)
        return parsedate_to_datetime(answer.headers.get("date", "")).timestamp()
    except (urllib3.exceptions.HTTPError, ValueError, TypeError, OverflowError, IndexError):  # as the library raises
        return None
