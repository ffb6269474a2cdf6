"""Promises of sign-ins at the real process: `calbot login`, sealing at the start, keys that are wrong or gone."""

import json
import stat
import subprocess
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from calbot.clock import SystemClock
from tests.google_server.http import GoogleServer
from tests.google_server.tokens import PREFIX
from tests.service.running import ANNA, BOB, Service, free_port, house, wait_for

CLIENT = {"installed": {"client_id": "calbot-client", "client_secret": "calbot-secret"}}


@pytest.fixture
def google() -> Iterator[GoogleServer]:
    """Two people's Google."""
    with GoogleServer(SystemClock(), [ANNA, BOB]) as server:
        yield server


class Terminal:
    """A data directory, and `calbot login` in a terminal beside it."""

    def __init__(self, data: Path, google: GoogleServer) -> None:
        self.service = Service(data, google, free_port())
        self.data = data
        self._google = google
        (data / "client_secret.json").write_text(json.dumps(CLIENT))

    def begin(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Start the command."""
        environment = {"CALBOT_AUTH_URI": self._google.auth_uri, "PYTHONUNBUFFERED": "1", **environment}
        return subprocess.Popen(
            [sys.executable, "-m", "calbot", "login", *arguments],
            cwd=self.data,
            env=self.service.environment(**environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def sign_in(self, *arguments: str, pasted: str | None = None) -> tuple[int, str, str]:
        """Go the whole way by paste; return exit code, output and errors."""
        process = self.begin("--client", "client_secret.json", *arguments)
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(3)]
        answer = landed(lines[2].strip()) if pasted is None else pasted
        out, err = process.communicate(f"  {answer} \n", timeout=30)
        return process.returncode, "".join(lines) + out, err


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        """Follow nothing."""


def landed(address: str) -> str:
    """Open Google's page; return the address that the browser lands on."""
    try:
        urllib.request.build_opener(_Stay).open(address, timeout=5).close()
    except urllib.error.HTTPError as error:
        error.close()
        return str(error.headers.get("Location") or address)
    return address


def test_an_account_is_signed_in_by_paste(data: Path, google: GoogleServer) -> None:
    """The token is sealed, the client too, and `check` finds everything in order."""
    terminal = Terminal(data, google)

    code, out, err = terminal.sign_in()
    checked = terminal.service.run("check")

    token = data / "tokens" / f"{ANNA}.json"
    assert (code, err) == (0, "") and f"{ANNA} is signed in." in out
    assert stat.S_IMODE(token.stat().st_mode) == stat.S_IMODE((data / "calbot.key").stat().st_mode) == 0o600
    assert b"refresh" not in token.read_bytes() and b"calbot-secret" not in (data / "client.json").read_bytes()
    assert f"{ANNA}, calendar primary: can be read" in checked.stdout


def test_with_a_browser_nothing_is_pasted(data: Path, google: GoogleServer) -> None:
    """It lands on a real page, which says that it can be closed."""
    terminal = Terminal(data, google)
    process = terminal.begin("--client", "client_secret.json", "--browser", "--account", BOB, BROWSER="true")
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(3)]
    with urllib.request.urlopen(lines[2].strip(), timeout=10) as answer:
        page = answer.read().decode()

    out, err = process.communicate(timeout=30)

    assert (process.returncode, err) == (0, "") and f"{BOB} is signed in." in out
    assert "You can close this page" in page


@pytest.mark.parametrize(
    ("pasted", "consent", "told"),
    [
        ("hello", {}, "not the address"),
        ("http://127.0.0.1:45871/?state=x&code=4/x", {}, "earlier attempt"),
        (None, {"deny": True}, "Cancel was pressed"),
        (None, {"untick": [PREFIX + "calendar.events"]}, "tick every box"),
        (None, {"not_a_test_user": True}, "test users"),
    ],
)
def test_a_wrong_turn_ends_with_its_sentence_and_3(
    data: Path, google: GoogleServer, pasted: str | None, consent: dict[str, object], told: str
) -> None:
    """No traceback, no token."""
    google.control.set_consent(**consent)

    code, _, err = Terminal(data, google).sign_in(pasted=pasted)

    assert code == 3 and told in err and "Traceback" not in err and err.count("\n") == 1
    assert not (data / "tokens").exists()


def test_without_a_client_it_says_how_to_get_one(data: Path, google: GoogleServer) -> None:
    """Exit code 3, before anything is opened."""
    ended = Terminal(data, google).service.run("login")

    assert ended.returncode == 3 and "Desktop app" in ended.stderr and "--client FILE" in ended.stderr


def test_an_api_that_is_not_enabled_keeps_the_sign_in(data: Path, google: GoogleServer) -> None:
    """Partly done: exit code 5."""
    google.control.add_fault("accessNotConfigured", operation="calendarList.list")

    code, out, err = Terminal(data, google).sign_in()

    assert code == 5 and "is signed in" in out and "press Enable" in err
    assert (data / "tokens" / f"{ANNA}.json").exists()


def test_plain_tokens_are_sealed_at_the_start_and_go_on_working(data: Path) -> None:
    """Who put a token there finds it sealed; the calendar is read as before."""
    with house(data) as (service, _, _listener):
        token = data / "tokens" / f"{ANNA}.json"
        assert b"refresh_token" in token.read_bytes()

        service.start()
        wait_for(service.is_watching, 20, "the calendar is read")

        assert b"refresh_token" not in token.read_bytes()
        assert stat.S_IMODE(token.stat().st_mode) == 0o600
        assert service.stop()[0] == 0


def test_sealed_tokens_without_their_key_ask_for_a_new_sign_in(data: Path) -> None:
    """As after a restored backup: Calbot runs, nothing is deleted, and the account is named."""
    with house(data) as (service, _, _listener):
        service.start()
        wait_for(service.is_watching, 20, "the calendar is read")
        service.stop()
        (data / "calbot.key").unlink()
        token = data / "tokens" / f"{ANNA}.json"
        before = token.read_bytes()

        service.start()
        wait_for(lambda: "cannot be opened" in service.log(), 20, "the account says so")
        wait_for(lambda: json.loads(service.get("/health")[1])["reasons"], 20, "the panel says so")
        told = json.loads(service.get("/health")[1])

        assert token.read_bytes() == before and not (data / "calbot.key").exists()
        assert ANNA in str(told["reasons"]) and "Sign in again" in str(told["reasons"])
        assert service.get("/live")[0] == 200
        assert service.stop()[0] == 0


def test_a_given_key_seals_and_a_wrong_one_is_one_sentence(data: Path) -> None:
    """Exit code 2 for the wrong one; with the right one no key file is made."""
    key = Fernet.generate_key().decode()
    with house(data) as (service, _, _listener):
        wrong = service.run("run", DOTENV_ENCRYPTION_KEY=f'"{key}"')
        service.start(DOTENV_ENCRYPTION_KEY=key)
        wait_for(service.is_watching, 20, "the calendar is read")

        assert wrong.returncode == 2 and "DOTENV_ENCRYPTION_KEY" in wrong.stderr and "quotes" in wrong.stderr
        assert key not in wrong.stderr and "Traceback" not in wrong.stderr
        assert not (data / "calbot.key").exists()
        assert b"refresh_token" not in (data / "tokens" / f"{ANNA}.json").read_bytes()
        assert service.stop()[0] == 0


def test_an_account_that_is_removed_in_the_panel_leaves_quietly(data: Path) -> None:
    """Its token file goes; Calbot says that nobody is signed in, not that something is wrong."""
    with house(data) as (service, _, _listener):
        service.start()
        wait_for(service.is_watching, 20, "the calendar is read")
        browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        panel = f"http://127.0.0.1:{service.panel_port}"
        page = browser.open(f"{panel}/accounts", timeout=5).read().decode()
        proof = page.split('name="proof" value="')[1][:64]
        form = urllib.parse.urlencode({"proof": proof, "account": ANNA, "confirmed": "yes"}).encode()
        request = urllib.request.Request(f"{panel}/remove", form, {"Origin": panel})

        with browser.open(request, timeout=5) as answer:
            assert answer.geturl() == f"{panel}/accounts"

        wait_for(lambda: '"no_account"' in service.get("/health")[1], 10, "nobody is signed in")
        assert not (data / "tokens" / f"{ANNA}.json").exists()
        assert service.get("/health")[0] == 200 and service.get("/live")[0] == 200
        assert service.stop()[0] == 0 and "Traceback" not in service.log()


def test_signing_in_beside_the_running_service_is_noticed(data: Path) -> None:
    """The command line needs no stop: within seconds the new account is watched."""
    with house(data) as (service, control, _listener):
        (data / "client_secret.json").write_text(json.dumps(CLIENT))
        service.start()
        wait_for(service.is_watching, 20, "Anna's calendar is read")
        terminal = Terminal.__new__(Terminal)
        terminal.service, terminal.data, terminal._google = service, data, service._google
        control.set_consent(account=BOB)
        done = threading.Event()

        code, out, _ = terminal.sign_in()
        done.set()

        assert code == 0 and BOB in out
        wait_for(lambda: f'"{BOB}"' in service.get("/health")[1] or BOB in service.get("/")[1], 20, "Bob is watched")
