"""Promises of signing in, against the fake's authorisation server: it ends in a token, and each wrong turn is named."""

import json
import stat
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from calbot import secrecy
from calbot.clock import SystemClock, SystemRandom
from calbot.google import consent
from calbot.google.accounts import GoogleAccounts
from calbot.google.consent import CALENDARS, DEAD_PAGE, MAIL, Google, Purpose, SignedIn, Started
from calbot.google.turns import Client, WrongTurn, client, progress
from calbot.google.wallet import CannotKeep, Wallet
from calbot.vault import Vault
from tests.google_server.http import GoogleServer
from tests.google_server.tokens import PREFIX

ANNA, BOB = "anna@example.com", "bob@example.com"
OURS = Client("calbot-client", "calbot-secret")
NOW = 1_000_000.0


@pytest.fixture
def google() -> Iterator[GoogleServer]:
    """Two people's Google."""
    with GoogleServer(SystemClock(), [ANNA, BOB]) as server:
        yield server


def at(google: GoogleServer) -> Google:
    """Return where it is."""
    return Google(google.auth_uri, google.token_uri, google.calendar_api, google.revoke_uri)


def begun(
    google: GoogleServer,
    taken: Client = OURS,
    account: str = "",
    state: str = "state-1",
    purpose: Purpose = CALENDARS,
) -> Started:
    """Return a sign-in under way."""
    return consent.begin(taken, at(google), state=state, account=account, purpose=purpose)


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        """Follow nothing."""


def landed(address: str) -> str:
    """Open an address as a browser does, and return where it goes on to; Google's own page when it does not."""
    try:
        urllib.request.build_opener(_Stay).open(address, timeout=5).close()
    except urllib.error.HTTPError as error:
        error.close()
        return str(error.headers.get("Location") or address)
    return address


def turn_of(google: GoogleServer, started: Started, pasted: str | None = None) -> WrongTurn:
    """Return the wrong turn that a sign-in takes."""
    with pytest.raises(WrongTurn) as caught:
        consent.finish(started, landed(started.address) if pasted is None else pasted, at(google), now=NOW)
    return caught.value


def test_the_address_asks_for_what_is_needed_and_no_more(google: GoogleServer) -> None:
    """PKCE, a lasting permission, the two calendar scopes and whose account it is; the hint names who is meant."""
    started = begun(google, account=ANNA)

    query = {name: values[0] for name, values in parse_qs(urlsplit(started.address).query).items()}

    assert started.address.startswith(google.auth_uri)
    assert query["redirect_uri"] == DEAD_PAGE and query["response_type"] == "code"
    assert query["access_type"] == "offline" and query["prompt"] == "consent"
    assert query["code_challenge_method"] == "S256" and len(query["code_challenge"]) == 43
    assert set(query["scope"].split()) == {
        PREFIX + "calendar.events",
        PREFIX + "calendar.calendarlist.readonly",
        PREFIX + "userinfo.email",
        "openid",
    }
    assert query["login_hint"] == ANNA
    assert started.verifier not in started.address and started.verifier not in repr(started)
    assert OURS.client_secret not in started.address + repr(started)


def test_a_sign_in_ends_in_a_token_that_reads_the_calendar(google: GoogleServer, tmp_path: Path) -> None:
    """Whose it is comes from Google; the file is sealed; the engine's own way of reading it works."""
    vault = Vault(tmp_path)
    started = begun(google, account=BOB)

    signed_in = consent.finish(started, landed(started.address), at(google), now=NOW)
    Wallet(tmp_path, vault).keep(signed_in)

    path = tmp_path / "tokens" / f"{BOB}.json"
    accounts = GoogleAccounts(tmp_path, SystemClock(), SystemRandom(), calendar_api=google.calendar_api, token_uri=None)
    assert (signed_in.email, signed_in.remark, signed_in.expires) == (BOB, "", None)
    assert "refresh" not in repr(signed_in)
    assert b"refresh" not in path.read_bytes() and stat.S_IMODE(path.stat().st_mode) == 0o600
    assert accounts.emails() == (BOB,)
    assert accounts.calendars(BOB).name("primary") == BOB
    assert google.world.schema_problems == []


@pytest.mark.parametrize(
    "way",
    [
        "{}",
        "  {}\n\n",
        "\ufeff{}\u200b",
        "<{}>",
        '"{}"',
        "\u201c{}\u201d",
    ],
)
def test_a_pasted_address_may_have_blanks_around_it(google: GoogleServer, way: str) -> None:
    """And whatever else comes along when people copy."""
    started = begun(google)

    pasted = way.format(landed(started.address))

    assert consent.finish(started, pasted, at(google), now=NOW).email == ANNA


def test_a_pasted_address_may_be_broken_into_lines_or_lack_its_beginning(google: GoogleServer) -> None:
    """As mail programs, terminals and address bars give it."""
    broken = begun(google)
    address = landed(broken.address)
    lines = "\r\n ".join(address[n : n + 20] for n in range(0, len(address), 20))
    short = begun(google)

    first = consent.finish(broken, lines, at(google), now=NOW)
    second = consent.finish(short, landed(short.address).removeprefix("http://"), at(google), now=NOW)

    assert first.email == second.email == ANNA


@pytest.mark.parametrize(
    ("pasted", "turn", "told"),
    [
        ("", "no_address", "address bar"),
        ("hello", "no_address", "address bar"),
        ("http://[", "no_address", "address bar"),
        ("http://127.0.0.1:45871/", "no_address", "address bar"),
        ("http://127.0.0.1:45871/?state=state-1", "no_address", "address bar"),
        ("http://127.0.0.1:45871/?" + "&".join(f"a{n}=1" for n in range(99)), "no_address", "address bar"),
        ("4/0AeaYSHBabcdefghijklmnop", "only_the_code", "whole address"),
        ("https://accounts.google.com/signin/oauth/error?authError=x", "google_page", "Publish app"),
        ("https://accounts.google.com/o/oauth2/v2/auth?client_id=x", "google_page", "cannot be reached"),
        ("http://127.0.0.1:45871/?error=access_denied&state=state-1", "denied", "Cancel was pressed"),
        ("http://127.0.0.1:45871/?error=admin_policy_enforced", "blocked", "administrator"),
        ("http://127.0.0.1:45871/?error=<script>", "blocked", "press Continue"),
        ("http://127.0.0.1:45871/?state=another&code=4/abc", "old", "earlier attempt"),
        ("http://127.0.0.1:45871/?state=state-1&code=4/abc", "old", "earlier attempt"),
    ],
)
def test_what_is_pasted_wrongly_is_named(google: GoogleServer, pasted: str, turn: str, told: str) -> None:
    """Each with its own sentence and what to press; what was pasted is not repeated."""
    wrong = turn_of(google, begun(google), pasted)

    assert wrong.turn == turn and told in str(wrong)
    assert "abc" not in str(wrong) and "<script>" not in str(wrong)


def test_a_code_is_good_once(google: GoogleServer) -> None:
    """The second time it is an old one."""
    started = begun(google)
    address = landed(started.address)
    consent.finish(started, address, at(google), now=NOW)

    assert turn_of(google, started, address).turn == "old"


def test_a_code_of_another_attempt_does_not_fit(google: GoogleServer) -> None:
    """Even if its state were forged: the verifier is not the one that Google was told of."""
    first, second = begun(google, state="one"), begun(google, state="two")
    stolen = landed(second.address).replace("state=two", "state=one")

    assert turn_of(google, first, stolen).turn == "old"


def test_cancel_and_a_stranger_to_the_test_are_told_apart(google: GoogleServer) -> None:
    """The first lands on our page with an error, the second stays on Google's."""
    google.control.set_consent(deny=True)
    cancelled = turn_of(google, begun(google))
    google.control.set_consent(deny=False, not_a_test_user=True)
    stranger = turn_of(google, begun(google))

    assert (cancelled.turn, stranger.turn) == ("denied", "google_page")
    assert "not one of its test users" in str(stranger) and "Publish app" in str(stranger)


@pytest.mark.parametrize(
    ("scope", "name"),
    [
        ("calendar.events", "View and edit events on all your calendars"),
        ("calendar.calendarlist.readonly", "See the list of Google calendars"),
    ],
)
def test_a_box_that_was_not_ticked_is_named(google: GoogleServer, scope: str, name: str) -> None:
    """In Google's own words for it."""
    google.control.set_consent(untick=[PREFIX + scope])

    wrong = turn_of(google, begun(google))

    assert wrong.turn == "unticked" and f"“{name}" in str(wrong) and "tick every box" in str(wrong)


def test_two_boxes_are_both_named(google: GoogleServer) -> None:
    """In one sentence."""
    google.control.set_consent(untick=[PREFIX + "calendar.events", PREFIX + "calendar.calendarlist.readonly"])

    assert "these boxes were not ticked" in str(turn_of(google, begun(google)))


def test_an_account_that_google_does_not_name_is_not_guessed(google: GoogleServer) -> None:
    """No e-mail scope, no e-mail: the paste decides nothing about whose token it is."""
    google.control.set_consent(untick=["openid", PREFIX + "userinfo.email"])

    assert turn_of(google, begun(google)).turn == "no_email"


def test_another_account_than_the_one_meant_is_refused(google: GoogleServer) -> None:
    """Else Bob's calendar would be watched because Anna's was renewed."""
    google.control.set_consent(account=BOB)

    wrong = turn_of(google, begun(google, account=ANNA))

    assert wrong.turn == "other_account" and ANNA in str(wrong) and BOB in str(wrong)


@pytest.mark.parametrize("known", [Client("gone", "calbot-secret"), Client("calbot-client", "changed")])
def test_a_client_that_google_does_not_know_is_named(google: GoogleServer, known: Client) -> None:
    """Deleted, or with another secret."""
    started = begun(google)
    foreign = msgspec.structs.replace(known)
    address = landed(started.address)
    changed = Started(started.address, started.state, started.verifier, foreign)

    wrong = turn_of(google, changed, address)

    assert wrong.turn == "wrong_client" and "Desktop client" in str(wrong)
    assert "changed" not in str(wrong).replace("was changed", "")


@pytest.mark.parametrize("kind", ["unavailable", "closeBefore", "notJson", "hang"])
def test_google_away_is_said_and_can_be_tried_again(google: GoogleServer, kind: str) -> None:
    """Whatever the way in which it does not answer."""
    started = begun(google)
    address = landed(started.address)
    seconds = 30 if kind == "hang" else 0
    google.control.add_fault(kind, operation="oauth.token", count=None, seconds=seconds)

    with pytest.raises(WrongTurn) as caught:
        consent.finish(started, address, at(google), now=NOW, patience=0.5)

    assert caught.value.turn == "unreachable" and "Wait a moment" in str(caught.value)


def test_no_lasting_permission_is_named(google: GoogleServer) -> None:
    """The remedy is on Google's page of connected apps."""
    consent.finish(once := begun(google), landed(once.address), at(google), now=NOW)
    started = begun(google)
    address = landed(started.address.replace("prompt=consent", "prompt=none"))

    wrong = turn_of(google, started, address)

    assert wrong.turn == "no_refresh_token" and "myaccount.google.com/connections" in str(wrong)


def test_an_api_that_is_not_enabled_is_remarked_and_the_sign_in_stays(google: GoogleServer) -> None:
    """Nobody has to sign in twice for a button that was not pressed."""
    google.control.add_fault("accessNotConfigured", operation="calendarList.list")
    started = begun(google)

    signed_in = consent.finish(started, landed(started.address), at(google), now=NOW)

    assert signed_in.email == ANNA
    assert "Google Calendar API is not enabled" in signed_in.remark and "press Enable" in signed_in.remark


def test_in_testing_the_end_is_kept(google: GoogleServer, tmp_path: Path) -> None:
    """Google says how many seconds are left: seven days."""
    google.control.set_consent(testing=True)
    started = begun(google)

    signed_in = consent.finish(started, landed(started.address), at(google), now=NOW)
    wallet = Wallet(tmp_path, Vault(tmp_path))
    wallet.keep(signed_in)

    assert signed_in.expires is not None and abs(signed_in.expires - NOW - 604_800) < 5
    assert wallet.accounts()[0].expires_at == signed_in.expires


DESKTOP = {
    "client_id": "1-a.apps.googleusercontent.com",
    "client_secret": "canary",
    "token_uri": "https://evil.example/",
}


def test_a_desktop_client_is_taken_without_its_addresses() -> None:
    """Google's addresses are known; a file cannot send the code elsewhere."""
    taken = client(b"\xef\xbb\xbf" + json.dumps({"installed": DESKTOP}).encode() + b"\n")

    assert (taken.client_id, taken.client_secret) == (DESKTOP["client_id"], "canary")
    assert b"evil" not in taken.document() and "canary" not in repr(taken)
    assert client(taken.document()) == taken


@pytest.mark.parametrize(
    ("content", "turn", "told"),
    [
        (b"", "not_json", "Download JSON"),
        (b"%PDF-1.7", "not_json", "Download JSON"),
        (b"\xff\xfe", "not_json", "Download JSON"),
        (b"[" * 60_000, "not_json", "Download JSON"),
        (b"[1]", "not_a_client", "Download JSON"),
        (json.dumps({"web": DESKTOP}).encode(), "web_client", "Desktop app"),
        (b'{"type": "service_account", "private_key": "canary"}', "not_a_client", "service account"),
        (b'{"type": "authorized_user", "refresh_token": "canary"}', "not_a_client", "Download JSON"),
        (b'{"installed": {"client_id": 7}}', "not_a_client", "Download JSON"),
        (b'{"installed": {"client_id": "canary"}}', "not_a_client", "client_secret"),
        (b'{"installed": {"client_id": "a b", "client_secret": "canary"}}', "not_a_client", "client_id"),
    ],
)
def test_what_is_no_desktop_client_is_named(content: bytes, turn: str, told: str) -> None:
    """Each with what to press in Google Cloud; nothing of the file is repeated."""
    with pytest.raises(WrongTurn) as caught:
        client(content)

    assert caught.value.turn == turn and told in str(caught.value)
    assert "canary" not in str(caught.value)


def signed_in_as(email: str, client_id: str = "own") -> SignedIn:
    """Return a sign-in as the exchange gives it."""
    document = {"refresh_token": "canary", "client_id": client_id, "client_secret": "canary"}
    return SignedIn(email, json.dumps(document).encode())


def test_each_account_may_have_its_own_client(tmp_path: Path) -> None:
    """The one it was signed in with; everybody else gets the one that was given last."""
    wallet = Wallet(tmp_path, Vault(tmp_path))
    nobody = wallet.client()
    wallet.keep_client(OURS)
    wallet.keep(signed_in_as(ANNA))

    own, other = wallet.client(ANNA), wallet.client(BOB)

    assert nobody is None and other == OURS
    assert own is not None and own.client_id == "own"
    assert b"calbot" not in (tmp_path / "client.json").read_bytes()


def test_plain_files_are_sealed_and_those_that_cannot_be_opened_stay(tmp_path: Path) -> None:
    """A token that a user put there, a client, a file of another key, and one that is no token."""
    (tmp_path / "tokens").mkdir()
    plain, broken = tmp_path / "tokens" / "Anna@Example.com.json", tmp_path / "tokens" / "carol@example.com.json"
    plain.write_bytes(signed_in_as(ANNA).document)
    broken.write_text("{")
    (tmp_path / "client.json").write_bytes(OURS.document())
    foreign = Wallet(tmp_path, Vault(tmp_path, "A" * 43 + "="))
    foreign.keep(signed_in_as(BOB))
    before = (tmp_path / "tokens" / f"{BOB}.json").read_bytes()

    Wallet(tmp_path, Vault(tmp_path)).seal()

    wallet = Wallet(tmp_path, Vault(tmp_path))
    assert b"canary" not in plain.read_bytes()
    assert b"calbot-secret" not in (tmp_path / "client.json").read_bytes() and wallet.client() == OURS
    assert broken.read_text() == "{"
    assert (tmp_path / "tokens" / f"{BOB}.json").read_bytes() == before
    assert [(kept.email, kept.usable) for kept in wallet.accounts()] == [
        (ANNA, True),
        (BOB, False),
        ("carol@example.com", False),
    ]


def test_removing_an_account_removes_its_token_file_only(tmp_path: Path) -> None:
    """And one that is not there is no trouble."""
    wallet = Wallet(tmp_path, Vault(tmp_path))
    wallet.keep_client(OURS)
    wallet.keep(signed_in_as(ANNA))
    wallet.keep(signed_in_as(BOB))

    wallet.remove(ANNA)
    wallet.remove("../client")

    assert [path.name for path in (tmp_path / "tokens").iterdir()] == [f"{BOB}.json"]
    assert [kept.email for kept in wallet.accounts()] == [BOB]
    assert wallet.client() == OURS


def test_an_account_is_removed_however_its_file_is_written(tmp_path: Path) -> None:
    """Else the other file would go on signing it in."""
    wallet = Wallet(tmp_path, Vault(tmp_path))
    wallet.keep(signed_in_as(ANNA))
    (tmp_path / "tokens" / f"{ANNA.upper()}.json").write_bytes(signed_in_as(ANNA).document)

    wallet.remove(ANNA)

    assert wallet.accounts() == ()


def test_a_disk_that_refuses_is_said(tmp_path: Path) -> None:
    """In a sentence, not a traceback."""
    (tmp_path / "tokens").write_text("a file where the folder belongs")

    with pytest.raises(CannotKeep, match="cannot be kept"):
        Wallet(tmp_path, Vault(tmp_path)).keep(signed_in_as(ANNA))


# Mail, a purpose of its own


def allowed(google: GoogleServer, data: Path, purpose: Purpose, account: str = ANNA) -> Wallet:
    """Return the wallet after a consent of the account for this purpose."""
    wallet = Wallet(data, Vault(data))
    started = begun(google, account=account, state=f"state-{purpose.name}", purpose=purpose)
    wallet.keep(consent.finish(started, landed(started.address), at(google), now=NOW))
    return wallet


def test_mail_is_asked_for_alone(google: GoogleServer, tmp_path: Path) -> None:
    """Nothing that was granted before comes along: what may send mail dies with the password."""
    allowed(google, tmp_path, CALENDARS)
    started = begun(google, account=ANNA, purpose=MAIL)
    query = {name: values[0] for name, values in parse_qs(urlsplit(started.address).query).items()}

    wallet = allowed(google, tmp_path, MAIL)

    expected = {PREFIX + "gmail.send", PREFIX + "userinfo.email", "openid"}
    kept, calendars = wallet.mail(ANNA), wallet.token(ANNA)
    assert set(query["scope"].split()) == expected and "include_granted_scopes" not in query
    assert kept is not None and set(kept.scopes or ()) == expected and query["login_hint"] == ANNA
    assert calendars is not None and not any("gmail" in scope for scope in calendars.scopes or ())
    assert len(google.control.calls(operation="calendarList.list")) == 1  # Of the first consent alone.


def test_a_new_password_ends_the_mail_and_not_the_calendars(google: GoogleServer, tmp_path: Path) -> None:
    """That is why each has a token of its own."""
    allowed(google, tmp_path, CALENDARS)
    wallet = allowed(google, tmp_path, MAIL)
    google.control.change_password(ANNA)

    grants = google.world.tokens.grants
    mail, calendars = wallet.mail(ANNA), wallet.token(ANNA)

    assert mail is not None and grants[mail.refresh_token].revoked
    assert calendars is not None and not grants[calendars.refresh_token].revoked


def test_mail_needs_its_box_and_its_account(google: GoogleServer) -> None:
    """Both are named, in Google's words and by address."""
    google.control.set_consent(untick=[PREFIX + "gmail.send"])
    unticked = turn_of(google, begun(google, account=ANNA, purpose=MAIL))
    google.control.set_consent(untick=[], account=BOB)
    other = turn_of(google, begun(google, account=ANNA, purpose=MAIL))

    assert unticked.turn == "unticked" and "“Send email on your behalf”" in str(unticked)
    assert other.turn == "other_account" and f"{ANNA} whose mail is to be sent" in str(other)


def test_a_mail_consent_is_sealed_for_mail(google: GoogleServer, tmp_path: Path) -> None:
    """In its own file, which cannot be passed off as the sign-in of the calendars; removing it leaves those."""
    allowed(google, tmp_path, CALENDARS)
    wallet = allowed(google, tmp_path, MAIL)
    path, token = tmp_path / "mail" / f"{ANNA}.json", tmp_path / "tokens" / f"{ANNA}.json"
    kept, mode, senders = path.read_bytes(), stat.S_IMODE(path.stat().st_mode), wallet.mail_senders()

    wallet.remove_mail(ANNA)
    after = (wallet.mail(ANNA), wallet.mail_senders(), token.exists())
    token.write_bytes(kept)

    assert (mode, senders, after) == (0o600, (ANNA,), (None, (), True))
    assert b"refresh" not in kept
    assert [(one.email, one.usable) for one in wallet.accounts()] == [(ANNA, False)]


def test_plain_mail_consents_are_sealed_too_and_go_with_their_account(tmp_path: Path) -> None:
    """Whoever put one there; removing the account leaves none behind."""
    (tmp_path / "mail").mkdir()
    plain = tmp_path / "mail" / f"{ANNA}.json"
    plain.write_bytes(signed_in_as(ANNA).document)
    wallet = Wallet(tmp_path, Vault(tmp_path))
    wallet.keep(signed_in_as(ANNA))

    wallet.seal()
    sealed, found = plain.read_bytes(), wallet.mail(ANNA)
    wallet.remove(ANNA)

    assert b"canary" not in sealed and found is not None and found.refresh_token == "canary"
    assert "canary" not in repr(found)
    assert not plain.exists() and wallet.accounts() == ()


# What is known of a sign-in


@pytest.mark.parametrize(
    ("scopes", "missing"),
    [
        ([PREFIX + "calendar.events"], ("See the list of Google calendars you’re subscribed to",)),
        ([PREFIX + "calendar.events", PREFIX + "calendar.calendarlist.readonly"], ()),
        ([PREFIX + "calendar"], ()),
        (f"{PREFIX}calendar.events {PREFIX}calendar.readonly", ()),
        (None, ()),
    ],
)
def test_what_a_token_from_elsewhere_lacks_is_known(tmp_path: Path, scopes: object, missing: tuple[str, ...]) -> None:
    """Wider permissions are enough; a file that does not name its own is believed."""
    (tmp_path / "tokens").mkdir()
    document = {"refresh_token": "canary", "client_id": "own", "scopes": scopes}
    (tmp_path / "tokens" / f"{ANNA}.json").write_text(json.dumps(document))

    (kept,) = Wallet(tmp_path, Vault(tmp_path)).accounts()

    assert (kept.usable, kept.client_id, kept.missing) == (True, "own", missing)


def test_the_secrets_of_a_sign_in_are_known_to_be_secret(google: GoogleServer, tmp_path: Path) -> None:
    """Code, verifier, tokens and client secret: whatever is written later, they are not in it."""
    started = begun(google)
    answer = landed(started.address)
    consent.finish(started, answer, at(google), now=NOW)
    code = answer.split("code=")[1].split("&", maxsplit=1)[0]
    tokens = google.world.tokens
    (tmp_path / "tokens").mkdir()
    (tmp_path / "tokens" / f"{BOB}.json").write_text('{"refresh_token": "a-plain-canary", "client_id": "own"}')
    Wallet(tmp_path, Vault(tmp_path)).accounts()

    secrets = [code, started.verifier, OURS.client_secret, *tokens.grants, *tokens.access, "a-plain-canary"]

    said = secrecy.cleaned(" ".join(secrets))
    assert len(secrets) >= 6 and [secret for secret in secrets if secret in said] == []


# Ending it


def test_revoking_ends_all_of_the_account_and_says_nothing_in_an_address(google: GoogleServer, tmp_path: Path) -> None:
    """The mail with the calendars, as Google does it; a token that is dead already is well; others are left alone."""
    allowed(google, tmp_path, CALENDARS)
    allowed(google, tmp_path, CALENDARS, BOB)
    wallet = allowed(google, tmp_path, MAIL)
    token = wallet.token(ANNA)
    assert token is not None

    done = [consent.revoke(token.refresh_token, at(google)) for _ in range(2)]

    calls = google.control.calls(operation="oauth.revoke")
    assert done == [True, True] and [call["query"] for call in calls] == [{}, {}]
    assert {one.account for one in google.world.tokens.grants.values() if not one.revoked} == {BOB}


@pytest.mark.parametrize("kind", ["unavailable", "closeBefore"])
def test_google_away_is_not_taken_for_revoked(google: GoogleServer, kind: str) -> None:
    """The caller has to know."""
    google.control.add_fault(kind, operation="oauth.revoke", count=None)

    assert not consent.revoke("zebra", at(google))


# A paste in pieces


@pytest.mark.parametrize(
    ("pasted", "came"),
    [
        ("", "none"),
        (" \r\n\u200b", "none"),
        ("http://127.0.", "begun"),
        ("http://127.0.0.1:45871/?state=state-1&co", "begun"),
        ("127.0.0.1:45871/?state=state-1", "begun"),
        ("http://127.0.0.1:45871/?state=state-1&code=4/0Aab", "cut"),
        ("http://127.0.0.1:45871/?state=state-1&code=4/0Aab\ncdef&sco", "whole"),
        ("http://127.0.0.1:45871/?error=access_denied&state=state-1", "whole"),
        ("hello", "wrong"),
        ("4/0AeaYSHBabcdefghijklmnop", "wrong"),
        ("https://accounts.google.com/o/oauth2/v2/auth?client_id=x", "wrong"),
    ],
)
def test_how_far_a_paste_has_come_is_known(pasted: str, came: str) -> None:
    """Google names what was granted after the code: before that, the code may be broken in two."""
    assert progress(pasted) == came
