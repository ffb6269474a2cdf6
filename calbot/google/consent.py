"""Signing in: Google's consent page for the user's own Desktop client, and what the browser brings back from it."""

import base64
import hmac
import re
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlencode

import msgspec
import urllib3

from calbot import secrecy
from calbot.google.accounts import DEFAULT_TOKEN_URI
from calbot.google.calendars import DEFAULT_API
from calbot.google.turns import Client, WrongTurn, answer_in, not_exchanged, old, other_account, unreachable, unticked

DEFAULT_AUTH_URI = "https://accounts.google.com/o/oauth2/v2/auth"
DEFAULT_REVOKE_URI = "https://oauth2.googleapis.com/revoke"
DEAD_PAGE = "http://127.0.0.1:45871/"
"""Where Google sends the browser; nothing listens there, so the address stays to be copied."""
PATIENCE = 15.0
"""Seconds that Google has for each answer; the panel has few threads."""
_PREFIX = "https://www.googleapis.com/auth/"
_WHOSE = ("openid", f"{_PREFIX}userinfo.email")
_COVERS = {
    f"{_PREFIX}calendar.events": frozenset({f"{_PREFIX}calendar"}),
    f"{_PREFIX}calendar.calendarlist.readonly": frozenset(
        f"{_PREFIX}{one}" for one in ("calendar", "calendar.readonly", "calendar.calendarlist")
    ),
}
"""What wider permissions, which tokens from elsewhere may have, let us do of it."""
_EMAIL = re.compile(r"[^\s@/\\\x00-\x20\x7f]{1,64}@[^\s@/\\\x00-\x20\x7f]{1,130}")


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a consent is for. `boxes` are the permissions that it cannot do without, each as Google’s page calls it.

    A consent has one purpose, and a token of its own: Google ends every token that may send mail when the user’s
    password changes (https://developers.google.com/identity/protocols/oauth2#expiration), and reading calendars is not
    to end with it.
    """

    name: Literal["calendars", "mail"]
    boxes: Mapping[str, str]

    @property
    def scopes(self) -> tuple[str, ...]:
        """Return all that is asked for."""
        return (*self.boxes, *_WHOSE)

    def missing(self, granted: Container[str]) -> tuple[str, ...]:
        """Return the boxes that were not ticked, in Google’s words."""
        return tuple(
            words
            for scope, words in self.boxes.items()
            if scope not in granted and not any(wider in granted for wider in _COVERS.get(scope, ()))
        )


CALENDARS = Purpose(
    "calendars",
    {
        f"{_PREFIX}calendar.events": "View and edit events on all your calendars",
        f"{_PREFIX}calendar.calendarlist.readonly": "See the list of Google calendars you’re subscribed to",
    },
)
MAIL = Purpose("mail", {f"{_PREFIX}gmail.send": "Send email on your behalf"})


@dataclass(frozen=True, slots=True)
class Google:
    """Where Google is, as `calbot.sources` was told."""

    auth_uri: str = DEFAULT_AUTH_URI
    token_uri: str = DEFAULT_TOKEN_URI
    calendar_api: str = DEFAULT_API
    revoke_uri: str = DEFAULT_REVOKE_URI


def places(
    auth_uri: str | None, token_uri: str | None, calendar_api: str | None, revoke_uri: str | None = None
) -> Google:
    """Return where Google is: at these addresses, where something stands in for it."""
    return Google(
        auth_uri or DEFAULT_AUTH_URI,
        token_uri or DEFAULT_TOKEN_URI,
        calendar_api or DEFAULT_API,
        revoke_uri or DEFAULT_REVOKE_URI,
    )


@dataclass(frozen=True, slots=True)
class Started:
    """A sign-in under way: the address to open, and what proves that an answer belongs to it."""

    address: str = field(repr=False)
    state: str = field(repr=False)
    verifier: str = field(repr=False)
    client: Client
    redirect_uri: str = DEAD_PAGE
    account: str = ""
    """Whose sign-in is renewed; empty for any account."""
    purpose: Purpose = CALENDARS


@dataclass(frozen=True, slots=True)
class SignedIn:
    """What came of it: the account and its token document. `remark` is what still has to be done, in words."""

    email: str
    document: bytes = field(repr=False)
    expires: float | None = None
    remark: str = ""
    purpose: Purpose = CALENDARS


def begin(
    taken: Client,
    google: Google,
    *,
    state: str,
    redirect_uri: str = DEAD_PAGE,
    account: str = "",
    purpose: Purpose = CALENDARS,
) -> Started:
    """Return a sign-in under way. `state` is unguessable and never used twice.

    What was granted before is not asked for again (no `include_granted_scopes`): purposes stay apart.
    """
    flow = _flow(taken, google, redirect_uri, purpose)
    hint = {"login_hint": account} if account else {}
    address, _ = flow.authorization_url(access_type="offline", prompt="consent", state=state, **hint)
    secrecy.remember(taken.client_secret, flow.code_verifier)
    return Started(str(address), state, str(flow.code_verifier), taken, redirect_uri, account, purpose)


def state_of(pasted: str) -> str:
    """Return the state that a pasted address carries. Raises WrongTurn for anything but an answer of Google's."""
    return answer_in(pasted)["state"]


def finish(started: Started, pasted: str, google: Google, *, now: float, patience: float = PATIENCE) -> SignedIn:
    """Return who signed in and the token document. Raises WrongTurn; then nothing was changed anywhere."""
    answer = answer_in(pasted)
    if not hmac.compare_digest(answer["state"].encode(), started.state.encode()):
        raise old()
    secrecy.remember(answer["code"])
    token = _exchanged(started, answer["code"], google, patience)
    secrecy.remember(*(str(token.get(name, "")) for name in ("access_token", "refresh_token", "id_token")))
    granted = _words(token.get("scope"))
    if missing := started.purpose.missing(granted):
        raise unticked(missing)
    refresh = token.get("refresh_token")
    if not isinstance(refresh, str) or not refresh:
        text = (
            "Google gave no lasting permission (no refresh token). Open myaccount.google.com/connections, remove "
            "Calbot’s access there, then open Google here again."
        )
        raise WrongTurn("no_refresh_token", text)
    email = _email(token, started)
    lifetime = token.get("refresh_token_expires_in")
    expires = now + lifetime if isinstance(lifetime, (int, float)) and lifetime > 0 else None
    document = {
        "type": "authorized_user",
        "account": email,
        "client_id": started.client.client_id,
        "client_secret": started.client.client_secret,
        "refresh_token": refresh,
        "token_uri": google.token_uri,
        "scopes": sorted(granted),
        "expires_at": expires,
    }
    remark = _first_call(google, str(token.get("access_token", ""))) if started.purpose is CALENDARS else ""
    return SignedIn(email, msgspec.json.encode(document), expires, remark, started.purpose)


def revoke(refresh_token: str, google: Google) -> bool:
    """Have Google end all that this token’s account has granted to its project; one that is dead already is well.

    Return False when Google cannot be asked. Every consent of the account to the project ends, also one for another
    purpose (https://developers.google.com/identity/protocols/oauth2/native-app#tokenrevoke).
    """
    try:
        answer = urllib3.request(
            "POST",
            google.revoke_uri,
            body=urlencode({"token": refresh_token}),
            headers={"content-type": "application/x-www-form-urlencoded"},
            timeout=urllib3.Timeout(connect=10.0, read=20.0),
            retries=False,
            redirect=False,
        )
        return answer.status == 200 or (answer.status == 400 and answer.json()["error"] == "invalid_token")
    except (urllib3.exceptions.HTTPError, ValueError, KeyError, TypeError):
        return False


def _flow(taken: Client, google: Google, redirect_uri: str, purpose: Purpose) -> Any:
    import os  # noqa: PLC0415 - with what follows

    from google_auth_oauthlib.flow import Flow  # noqa: PLC0415 - 6 MiB that only signing in needs

    if google.token_uri.startswith("http://"):  # A stand-in for Google; oauthlib asks for this by its environment.
        os.environ.setdefault("OAUTHLIB_INSECURE_TRANSPORT", "1")
    addresses = {"auth_uri": google.auth_uri, "token_uri": google.token_uri}
    known = {"client_id": taken.client_id, "client_secret": taken.client_secret}
    return Flow.from_client_config({"installed": known | addresses}, purpose.scopes, redirect_uri=redirect_uri)


def _exchanged(started: Started, code: str, google: Google, patience: float) -> Mapping[str, Any]:
    """Return Google's token answer for a code. Raises WrongTurn: what oauthlib and requests met, in our words."""
    flow = _flow(started.client, google, started.redirect_uri, started.purpose)
    flow.oauth2session.max_redirects = 0
    flow.oauth2session.scope = None  # Else oauthlib refuses what has a box unticked; which one is ours to say.

    from oauthlib.oauth2 import OAuth2Error  # noqa: PLC0415 - as in _flow
    from requests import RequestException  # noqa: PLC0415 - as in _flow

    try:
        found = flow.fetch_token(code=code, code_verifier=started.verifier, include_client_id=True, timeout=patience)
    except OAuth2Error as error:
        raise not_exchanged(str(error.error)) from None  # The chain would carry the code into a log.
    except (RequestException, ValueError, TypeError, KeyError):
        raise unreachable() from None
    return found if isinstance(found, Mapping) else {}


def _words(scope: object) -> set[str]:
    if isinstance(scope, str):
        return set(scope.split())
    return {str(one) for one in scope} if isinstance(scope, (list, tuple, set)) else set()


def _email(token: Mapping[str, Any], started: Started) -> str:
    """Return whose sign-in it is, from the id token: it came straight from Google, so its signature says no more."""
    parts = str(token.get("id_token", "")).split(".")
    try:
        claims = msgspec.json.decode(base64.urlsafe_b64decode(parts[1] + "=="))
        email, audience = str(claims["email"]).lower(), claims["aud"]
    except (IndexError, ValueError, KeyError, TypeError, msgspec.DecodeError):
        email, audience = "", ""
    if audience != started.client.client_id or not _EMAIL.fullmatch(email) or email.startswith("."):
        text = "Google did not say whose account it is. Open Google again and tick every box."
        raise WrongTurn("no_email", text)
    if started.account and email != started.account:
        raise other_account(email, started.account, started.purpose.name)
    return email


def _first_call(google: Google, access_token: str) -> str:
    """Ask for one calendar with the fresh token; return what keeps Google from giving it, if that is for people."""
    try:
        answer = urllib3.request(
            "GET",
            f"{google.calendar_api}users/me/calendarList?maxResults=1",
            headers={"authorization": f"Bearer {access_token}"},
            timeout=urllib3.Timeout(connect=10.0, read=20.0),
            retries=False,
            redirect=False,
        )
        found = answer.json() if answer.status == 403 else {}
        reasons = {one["reason"] for one in found["error"]["errors"]} if found else set()
    except (urllib3.exceptions.HTTPError, ValueError, KeyError, TypeError):
        return ""  # The engine will meet it, and say so.
    if "accessNotConfigured" in reasons:
        return (
            "One thing is missing: the Google Calendar API is not enabled in your project. Open it in Google Cloud, "
            "press Enable, and wait a minute or two; nobody needs to sign in again."
        )
    return ""
