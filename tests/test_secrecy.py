"""Promises of secrecy: what was told is found however it is written, and nothing else is touched."""

import base64
import gc
import threading
import time
from collections.abc import Callable
from urllib.parse import quote, urlencode

import pytest

from calbot import secrecy, sources
from calbot.secrecy import MASK, Secrets

PASSWORD = 'so "long"/and+odd: wörd&7'
TOKEN = "fake-refresh-9f8e7d6c5b4a39281706"
KEY = "VGhpcyBpcyBhIGtleSBvZiAzMiBieXRlcyBmb3IgdGVzdHM="
SENDGRID = "SG.abcdefghijklmnopqrstuv.ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopq"


def knowing(*secrets: str | None) -> Secrets:
    """Return what knows these."""
    known = Secrets()
    known.remember(*secrets)
    return known


@pytest.mark.parametrize(
    "written",
    [
        PASSWORD,
        quote(PASSWORD),
        quote(PASSWORD, safe=""),
        repr(PASSWORD),
        '{"password": "so \\"long\\"/and+odd: w\\u00f6rd&7"}',
        '{"password":"so \\"long\\"/and+odd: wörd&7"}',
        urlencode({"password": PASSWORD}),
        repr(PASSWORD.encode()),
    ],
)
def test_a_secret_is_found_however_it_is_escaped(written: str) -> None:
    """As it is, in an address, in a form, in Python and in JSON."""
    cleaned = knowing(PASSWORD).cleaned(f"before {written} after")

    assert MASK in cleaned and "odd" not in cleaned
    assert cleaned.startswith("before ") and cleaned.endswith(" after")


@pytest.mark.parametrize("user", ["u", "us", "use", "calbot", "anna@example.com"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_a_password_is_found_in_a_basic_sign_in(user: str, encode: Callable[[bytes], bytes]) -> None:
    """Whatever the length of the user's name, it is no longer in what is left."""
    password = "k7?>xq~Zp-93"

    cleaned = knowing(password).cleaned(f"sent {encode(f'{user}:{password}'.encode()).decode()} to the host")

    before, after = cleaned.removeprefix("sent ").removesuffix(" to the host").split(MASK)
    assert len(before) <= -(-(len(user) + 1) * 8 // 6)
    assert len(after.rstrip("=")) <= 1


@pytest.mark.parametrize(
    "secret",
    [
        "ya29.a0AfH6SMBx-yz_0123456789",
        "1//0gABCDEFGHIJKLMNOPQRSTUVWXYZ-abc_def",
        "1%2F%2F0gABCDEFGHIJKLMNOPQRSTUVWXYZ-abc_def",
        "4/0AQSTgQFabcdefghijklmnopqrstuvwx",
        "4%2F0AQSTgQFabcdefghijklmnopqrstuvwx",
        "GOCSPX-abcdefghijklmnopqrst",
        "gAAAAABlabcdefghijklmnopqrstuvwxyz0123456789_-A==",
        SENDGRID,
    ],
)
@pytest.mark.parametrize("around", ["{}", "'{}'", "token={}&x=1", '{{"a":"{}"}}', "({})"])
def test_what_only_google_fernet_and_sendgrid_write_is_known_by_its_look(secret: str, around: str) -> None:
    """Nobody has to have told it."""
    assert Secrets().cleaned(around.format(secret)) == around.format(MASK)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("GET /?state=abc&code=xyz-12345678&scope=all", "GET /?state=abc&code=[secret]&scope=all"),
        ("refresh_token=abcdefgh&x=1", "refresh_token=[secret]&x=1"),
        ('{"access_token": "abcdefgh", "n": 1}', '{"access_token": "[secret]", "n": 1}'),
        ('{"client_secret":"abcdefgh"}', '{"client_secret":"[secret]"}'),
        ("Authorization: Bearer abcdef-1234567", "Authorization: Bearer [secret]"),
        ("'authorization': 'Basic dTpw'", "'authorization': 'Basic [secret]'"),
    ],
)
def test_what_stands_where_secrets_stand_is_taken_out(text: str, left: str) -> None:
    """The name before it stays, so that a log can be read."""
    assert Secrets().cleaned(text) == left


@pytest.mark.parametrize(
    "text",
    [
        "The calendar Family of anna@example.com was last read 300 s ago.",
        "c_188a0f3b2e5d4c7a9b@group.calendar.google.com of anna@example.com",
        "calbot2k7v0c3lr9m4e5t6n8b1d0q2h4j6g8a0s2f4 was copied",
        "_60q30c1g60o30e1i60o4ac1g60rj8gpl88rj2c1h84s34h9g60s30c1g60o30c1g",
        "https://www.google.com/calendar/event?eid=NHA2cWJhYmNkZWZnaGlqa2xtbm9wIGFubmFAZXhhbXBsZS5jb20",
        "Bearer of good news, a meeting of pallbearers",
        "Basic training at 7, basic understanding",
        "Dinner with code=7 and 1//2 cups of flour at 4/0 o'clock",
        "sg.calendar-hosting-company.example-of-a-long-domain-name-indeed.org",
        "syncToken CPDAlvWDx70CEPDAlvWDx70CGAU= and page_token=None",
        "http://127.0.0.1:8099/health answers 503 within 5.0 s",
        "2026-11-28T18:00:00+01:00 Europe/Berlin",
        "r-01JD0000000000000000000000 waits; calbot approve r-01JD0000000000000000000000",
    ],
)
def test_ordinary_lines_stay_as_they_are(text: str) -> None:
    """Addresses, ids, titles, links and times are no secrets, also where many secrets are known."""
    known = knowing(PASSWORD, TOKEN, KEY, "sendgrid://key-123456:alerts@example.com/anna@example.com")

    assert known.cleaned(text) == text


def test_a_password_that_is_a_word_is_found_only_by_itself() -> None:
    """A longer word that holds it is another word."""
    known = knowing("dinner")

    assert known.cleaned("dinners at dinnertime, undinnerly") == "dinners at dinnertime, undinnerly"
    assert known.cleaned("u:dinner@h %3Adinner 'dinner' \\ndinner") == f"u:{MASK}@h %3A{MASK} '{MASK}' \\n{MASK}"


def test_the_words_of_a_pass_phrase_are_ordinary_words() -> None:
    """The phrase is the secret; of a list of addresses each is one."""
    words = "zebrafish umbrellas lighthouse"
    addresses = "json://192.0.2.7/aB3dE6gH9k-one json://192.0.2.7/aB3dE6gH9k-two"

    sources.remember_secrets({"MQTT_PASSWORD": words, "CALBOT_ALERTS": addresses})

    assert secrecy.cleaned(f"{words}; umbrellas for Lighthouse, lighthouse") == (
        f"{MASK}; umbrellas for Lighthouse, lighthouse"
    )
    assert [secrecy.cleaned(one) for one in addresses.split()] == [MASK, MASK]


def test_our_own_words_and_very_short_ones_are_never_taken_out() -> None:
    """A password `calbot` would make every line unreadable, and be told by that."""
    known = knowing("calbot", "1234", "", None, "   ", "secret")

    assert known.cleaned("calbot login 1234, no [secret]") == "calbot login 1234, no [secret]"


def test_a_token_that_a_message_cut_short_is_taken_out_too() -> None:
    """Long values are cut before they are logged; half a token is still half a token."""
    known = knowing(TOKEN)

    assert known.cleaned(f"refused: {TOKEN[:20]}…") == f"refused: {MASK}…"
    assert known.cleaned("fake-refresh-meeting") == "fake-refresh-meeting"


def test_of_cut_tokens_that_begin_alike_nothing_is_left() -> None:
    """Those of some servers share their first letters: the one that fits best is taken out."""
    one, other = f"eyJhbGciOiJSUzI1NiIs{'A' * 60}", f"eyJhbGciOiJSUzI1NiIs{'B' * 40}"

    assert knowing(one, other).cleaned(f"refused: {other[:50]}…") == f"refused: {MASK}…"


def test_an_address_hides_no_other_address_of_its_host() -> None:
    """Not escaped either: only as a whole is it a secret."""
    known = knowing("http://127.0.0.1:3001/api/push/aB3dE6gH9k")
    text = "redirect_uri=http%3A%2F%2F127.0.0.1%3A8085%2F http%3A//127.0.0.1%3A3001/"

    assert known.cleaned(text) == text
    assert known.cleaned(quote("http://127.0.0.1:3001/api/push/aB3dE6gH9k", safe="")) == MASK


@pytest.mark.parametrize(
    ("url", "keys"),
    [
        ("https://kuma.example.org/api/push/aB3dE6gH9k?status=up&msg=OK", ["aB3dE6gH9k"]),
        (f"sendgrid://{SENDGRID}:alerts@example.org/anna@example.com", [SENDGRID]),
        ("tgram://123456789:AAGdeFghIjkLmnOpqRstUvw/-100123", ["AAGdeFghIjkLmnOpqRstUvw"]),
        ("mailto://anna1985:correct%20horse@example.com?to=bob@example.org", ["correct horse", "correct%20horse"]),
        ("pover://uQiRzpo4DXghDmr9QzzfQu27cmVRsG@aZ9xKqLmNoPqRs", ["aZ9xKqLmNoPqRs", "uQiRzpo4DXghDmr9QzzfQu27cmVRsG"]),
        ("json://127.0.0.1:8080/hook/kD83jsKe02", ["kD83jsKe02"]),
        ("mailto://example.com?user=anna&pass=correcthorse&from=Calbot2Home&smtp=mx2.example.com", ["correcthorse"]),
        ("discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js", ["JHMHI8qBe7bk2ZwO5U711o3dV_js"]),
    ],
)
def test_the_keys_in_an_address_are_found_by_themselves(url: str, keys: list[str]) -> None:
    """An error tells of a part of it, or of the address that apprise makes of it."""
    known = knowing(url)

    assert known.cleaned(f"cannot reach {url} now") == f"cannot reach {MASK} now"
    assert [known.cleaned(f"refused: {key}.") for key in keys] == [f"refused: {MASK}."] * len(keys)


@pytest.mark.parametrize(
    "text",
    [
        "anna1985@example.com",
        "alerts@example.org",
        "https://kuma.example.org/status",
        "http://raspberry4:8080/",
        "api/push",
        "status=up",
        "mx2.example.com answers Calbot2Home",
    ],
)
def test_hosts_and_mail_addresses_in_an_address_are_no_secrets(text: str) -> None:
    """What is left of a message says where it was to go."""
    known = knowing(
        "https://kuma.example.org/api/push/aB3dE6gH9k?status=up",
        "mailto://anna1985:correct%20horse@example.com",
        f"sendgrid://{SENDGRID}:alerts@example.org/anna1985@example.com",
        "json://raspberry4:8080/hook",
        "mailto://example.com?user=anna&pass=correcthorse&from=Calbot2Home&smtp=mx2.example.com",
    )

    assert known.cleaned(text) == text


def test_months_of_access_tokens_are_not_kept() -> None:
    """Only the newest are; those that last are known all the time; and what can be known by its look is never kept."""
    known = knowing(TOKEN)

    for hour in range(3000):
        known.remember(f"access-{hour:08}-token-of-another-server", passing=True)
        known.remember(f"ya29.{hour:030}")

    newest = "access-00002999-token-of-another-server"
    assert known.cleaned(f"{TOKEN} {newest}") == f"{MASK} {MASK}"
    assert len(known._forms) < 2000
    assert not any(form.startswith("ya29") for form, _ in known._forms)


def test_a_line_is_cleaned_in_no_time_however_much_is_known() -> None:
    """A thousand secrets, a long line: at debug there are many of them."""
    known = knowing(*(f"secret-{number:06}-of-somebody" for number in range(900)))
    line = "GET https://www.googleapis.com/calendar/v3/calendars/primary/events?maxResults=250 " * 3

    began = time.perf_counter()
    for _ in range(100):
        known.cleaned(line)

    assert (time.perf_counter() - began) / 100 < 0.005


def test_secrets_may_be_told_while_texts_are_cleaned() -> None:
    """No thread sees half of it, and what was known before stays known."""
    known = Secrets(lasting=50, passing=20)
    known.remember(TOKEN)
    left: list[str] = []
    over = threading.Event()

    def clean() -> None:
        while not over.is_set():
            text = known.cleaned(f"a {TOKEN} b")
            if text != f"a {MASK} b":
                left.append(text)

    threads = [threading.Thread(target=clean) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(2000):
        known.remember(f"fake-refresh-{number:020}", passing=True)
    over.set()
    for thread in threads:
        thread.join()

    assert left == []


def test_a_finalizer_may_tell_of_a_secret_while_another_is_told() -> None:
    """The collector runs when it likes, in whatever thread."""
    known = Secrets()

    class Last:
        def __del__(self) -> None:
            known.remember("told-by-a-finalizer")

    class Telling(str):
        __slots__ = ()

        def strip(self, *_: object) -> str:
            one = Last()
            one.itself = one  # type: ignore[attr-defined]
            del one
            return str(self)

    with known._lock:
        known.remember(Telling("told-in-the-middle"))
        gc.collect()

    assert known.cleaned("told-in-the-middle told-by-a-finalizer") == f"{MASK} {MASK}"
