"""Signing in: consent, codes with PKCE, refreshing, revoking, scopes, and mail through Gmail."""

import base64
import hashlib
import http.client
import json
from email.message import EmailMessage
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from google.auth.exceptions import RefreshError
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError

from tests.google_server.http import GoogleServer
from tests.google_server.tokens import CALENDAR_SCOPES, PREFIX
from tests.google_server_tests.conftest import ANNA, BOB, Client, StandingClock, credentials, refusal

VERIFIER = "a-verifier-that-is-long-enough-for-anybody-who-counts"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
ASKED = {
    "client_id": "calbot-client",
    "redirect_uri": "http://127.0.0.1:1/",
    "response_type": "code",
    "scope": f"openid email {PREFIX}calendar.events {PREFIX}gmail.send",
    "state": "xyz",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
    "access_type": "offline",
    "prompt": "consent",
}
CLIENT = {"client_id": "calbot-client", "client_secret": "calbot-secret"}


def ask(address: str, method: str = "GET", **form: str) -> tuple[int, str, bytes]:
    """Status, Location and body of a call that follows no redirect."""
    parts = urlsplit(address)
    assert parts.hostname
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=5)
    try:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        connection.request(method, target, urlencode(form) if form else None, headers)
        answer = connection.getresponse()
        return answer.status, answer.headers.get("Location", ""), answer.read()
    finally:
        connection.close()


def consented(google: GoogleServer, **changes: str) -> dict[str, str]:
    """What the browser would carry to the redirect address."""
    status, location, _ = ask(google.auth_uri + "?" + urlencode({**ASKED, **changes}))
    assert status == 302 and location.startswith(ASKED["redirect_uri"])
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}


def exchanged(google: GoogleServer, code: str, **changes: str) -> tuple[int, dict[str, Any]]:
    """Status and answer of the token endpoint for a code."""
    form = {
        **CLIENT,
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": ASKED["redirect_uri"],
        "code_verifier": VERIFIER,
        **changes,
    }
    status, _, body = ask(google.token_uri, "POST", **form)
    answer: dict[str, Any] = json.loads(body)
    return status, answer


def test_a_consent_ends_in_tokens(google: GoogleServer) -> None:
    """Code and state come back; the exchange gives both tokens, the granted scopes and whose they are."""
    back = consented(google, login_hint=BOB)

    status, answer = exchanged(google, back["code"])

    claims = answer["id_token"].split(".")[1]
    assert back["state"] == "xyz" and status == 200
    assert answer["refresh_token"] and answer["token_type"] == "Bearer"
    assert PREFIX + "gmail.send" in answer["scope"].split()
    assert json.loads(base64.urlsafe_b64decode(claims + "=="))["email"] == BOB


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"code_verifier": "another"}, "invalid_grant"),
        ({"code_verifier": ""}, "invalid_grant"),
        ({"code": "unknown"}, "invalid_grant"),
        ({"redirect_uri": "http://127.0.0.1:2/"}, "redirect_uri_mismatch"),
        ({"client_secret": "wrong"}, "invalid_client"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
    ],
)
def test_a_wrong_exchange_is_refused(google: GoogleServer, change: dict[str, str], error: str) -> None:
    """With OAuth's own kind of error body."""
    code = consented(google)["code"]

    status, answer = exchanged(google, **{"code": code, **change})

    assert status in {400, 401} and answer["error"] == error


def test_a_code_is_good_once_and_for_ten_minutes(google: GoogleServer, clock: StandingClock) -> None:
    """invalid_grant afterwards."""
    used, late = consented(google)["code"], consented(google)["code"]
    first = exchanged(google, used)[0]
    again = exchanged(google, used)[0]
    clock.seconds += 601

    assert (first, again, exchanged(google, late)[0]) == (200, 400, 400)


def test_the_person_may_cancel_or_untick_a_scope_or_not_be_a_test_user(google: GoogleServer) -> None:
    """access_denied at the redirect address; fewer scopes; Google's own 403 page."""
    google.control.set_consent(untick=[PREFIX + "gmail.send"])
    _, fewer = exchanged(google, consented(google)["code"])
    google.control.set_consent(deny=True)
    denied = consented(google)
    google.control.set_consent(not_a_test_user=True)
    status, _, page = ask(google.auth_uri + "?" + urlencode(ASKED))

    assert PREFIX + "gmail.send" not in fewer["scope"]
    assert denied == {"error": "access_denied", "state": "xyz"}
    assert status == 403 and b"access_denied" in page


def test_a_refresh_token_comes_only_at_the_first_consent_or_when_asked(google: GoogleServer) -> None:
    """Without prompt=consent the second sign-in has none."""
    first = exchanged(google, consented(google, prompt="")["code"])[1]
    second = exchanged(google, consented(google, prompt="")["code"])[1]
    asked = exchanged(google, consented(google)["code"])[1]

    assert ["refresh_token" in answer for answer in (first, second, asked)] == [True, False, True]


def test_a_redirect_must_go_to_loopback_or_https(google: GoogleServer) -> None:
    """Plain http to anywhere else is Google's 400 page."""
    wrong = {**ASKED, "redirect_uri": "http://homeassistant.example.com/"}
    status, _, page = ask(google.auth_uri + "?" + urlencode(wrong))

    assert status == 400 and b"redirect_uri_mismatch" in page


def test_in_testing_a_refresh_token_dies_after_seven_days(google: GoogleServer, clock: StandingClock) -> None:
    """The answer says when; then it is invalid_grant."""
    google.control.set_consent(testing=True)
    _, answer = exchanged(google, consented(google)["code"])
    form = {**CLIENT, "grant_type": "refresh_token", "refresh_token": answer["refresh_token"]}
    clock.seconds += 6 * 86_400
    before = ask(google.token_uri, "POST", **form)[0]
    clock.seconds += 2 * 86_400

    status, _, body = ask(google.token_uri, "POST", **form)

    assert answer["refresh_token_expires_in"] == 604_800
    assert before == 200
    assert status == 400 and json.loads(body)["error"] == "invalid_grant"


def test_an_expired_access_token_is_refreshed_by_the_client(google: GoogleServer, client: Client) -> None:
    """401 authError once, then a fresh token."""
    events = client().events()
    events.list(calendarId="primary").execute()
    google.control.expire_access_tokens(ANNA)

    events.list(calendarId="primary").execute()

    assert [call["status"] for call in google.control.calls("events.list")] == [200, 401, 200]
    assert len(google.control.calls("oauth.token", ANNA)) == 2


@pytest.mark.parametrize("way", ["person", "call"])
def test_a_revoked_sign_in_cannot_be_refreshed(google: GoogleServer, client: Client, way: str) -> None:
    """invalid_grant for that account only, by the person's hand or by the revoke call."""
    anna, bob = client(ANNA), client(BOB)
    anna.events().list(calendarId="primary").execute()
    if way == "person":
        google.control.revoke(ANNA)
    else:
        assert ask(google.revoke_uri, "POST", token=google.control.access_token(ANNA))[0] == 200

    with pytest.raises(RefreshError, match="invalid_grant"):
        anna.events().list(calendarId="primary").execute()

    assert bob.events().list(calendarId="primary").execute()["items"] == []


def test_the_token_endpoint_can_fail_too(google: GoogleServer, client: Client) -> None:
    """invalidGrant once, though the grant is good; 503s that the client bridges by itself."""
    google.control.add_fault("invalidGrant", operation="oauth.token", account=ANNA)

    with pytest.raises(RefreshError):
        client().events().list(calendarId="primary").execute()

    assert client().events().list(calendarId="primary").execute()["items"] == []
    assert google.control.calls("oauth.token")[0]["fault"] == "invalidGrant"


def test_scopes_are_enforced(google: GoogleServer, client: Client) -> None:
    """403 insufficientPermissions for what was not granted."""
    service = client(scopes=(PREFIX + "calendar.events",))

    with pytest.raises(HttpError) as caught:
        service.calendarList().list().execute()

    assert service.events().list(calendarId="primary").execute()["items"] == []
    assert refusal(caught.value) == (403, "insufficientPermissions")


def test_a_scope_for_owned_calendars_does_not_open_shared_ones(google: GoogleServer, client: Client) -> None:
    """calendar.events.owned stops at the own calendars."""
    google.control.share_calendar(BOB, ANNA, "writer")
    events = client(scopes=(PREFIX + "calendar.events.owned",)).events()

    with pytest.raises(HttpError) as caught:
        events.list(calendarId=BOB).execute()

    assert events.list(calendarId="primary").execute()["items"] == []
    assert refusal(caught.value) == (403, "insufficientPermissions")


def test_an_unknown_token_is_an_auth_error(google: GoogleServer) -> None:
    """401 with the location of what is wrong."""
    status, _, body = ask(google.calendar_api + "calendars/primary")

    assert status == 401 and json.loads(body)["error"]["errors"][0]["location"] == "Authorization"


def test_gmail_puts_mails_into_the_outbox(google: GoogleServer) -> None:
    """With its own scope; the outbox has recipient, subject and text."""
    scopes = (*CALENDAR_SCOPES, PREFIX + "gmail.send")
    options = {"api_endpoint": google.gmail_api}
    message = EmailMessage()
    message["To"], message["Subject"] = BOB, "Calbot needs you"
    message.set_content("Please sign in again.")
    body = {"raw": base64.urlsafe_b64encode(message.as_bytes()).decode()}

    with build("gmail", "v1", credentials=credentials(google, ANNA, scopes), client_options=options) as gmail:
        sent = gmail.users().messages().send(userId="me", body=body).execute()
    with (
        build("gmail", "v1", credentials=credentials(google, ANNA), client_options=options) as gmail,
        pytest.raises(HttpError) as caught,
    ):
        gmail.users().messages().send(userId="me", body=body).execute()

    mail = google.control.gmail()[0]
    assert sent["labelIds"] == ["SENT"]
    assert (mail["account"], mail["to"], mail["subject"]) == (ANNA, BOB, "Calbot needs you")
    assert "sign in again" in mail["raw"]
    assert refusal(caught.value)[0] == 403


def test_what_was_granted_before_comes_along_only_if_asked_for(google: GoogleServer) -> None:
    """A token for one purpose holds no other, unless the consent page was told to include it."""
    first = exchanged(google, consented(google, scope=f"openid {PREFIX}calendar.events")["code"])[1]
    apart = exchanged(google, consented(google, scope=f"openid {PREFIX}gmail.send")["code"])[1]
    asked = {"scope": f"openid {PREFIX}gmail.send", "include_granted_scopes": "true"}
    together = exchanged(google, consented(google, **asked)["code"])[1]

    assert first["scope"] == f"openid {PREFIX}calendar.events"
    assert apart["scope"] == f"openid {PREFIX}gmail.send"
    assert set(together["scope"].split()) == {"openid", f"{PREFIX}gmail.send", f"{PREFIX}calendar.events"}


def test_a_new_password_ends_what_may_use_gmail(google: GoogleServer) -> None:
    """Refresh and access tokens of that grant; those for calendars alone live on."""
    calendars = exchanged(google, consented(google, scope=f"{PREFIX}calendar.events")["code"])[1]
    mail = exchanged(google, consented(google, scope=f"{PREFIX}gmail.send {PREFIX}calendar.events")["code"])[1]
    google.control.change_password(ANNA)

    refreshed = [
        ask(google.token_uri, "POST", **CLIENT, grant_type="refresh_token", refresh_token=one["refresh_token"])[0]
        for one in (calendars, mail)
    ]

    assert refreshed == [200, 400]
    assert google.world.tokens.access[mail["access_token"]].expires == 0.0


def test_another_client_has_codes_and_tokens_of_its_own(google: GoogleServer) -> None:
    """What one was given is nothing to the other."""
    google.control.add_client("others-client", "others-secret")
    others = {"client_id": "others-client", "client_secret": "others-secret"}
    codes = [consented(google, client_id="others-client")["code"] for _ in range(2)]

    wrong, right = exchanged(google, codes[0])[0], exchanged(google, codes[1], **others)[0]

    assert (wrong, right) == (400, 200)
