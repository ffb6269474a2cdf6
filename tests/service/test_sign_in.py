"""Promises of sign-ins at the real process: `calbot login`, sealing at the start, keys that are wrong or gone."""

import contextlib
import http.client
import json
import sqlite3
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
from calbot.commandline.landing import Landing
from calbot.google.turns import Client
from calbot.google.wallet import Wallet
from calbot.vault import Vault
from tests.google_server.control import Control
from tests.google_server.http import GoogleServer
from tests.google_server.tokens import PREFIX
from tests.household import FAMILY
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

    def begin(self, *arguments: str, command: str = "login", **environment: str) -> subprocess.Popen[str]:
        """Start the command."""
        environment = {"CALBOT_AUTH_URI": self._google.auth_uri, "PYTHONUNBUFFERED": "1", **environment}
        return subprocess.Popen(
            [sys.executable, "-m", "calbot", *command.split(), *arguments],
            cwd=self.data,
            env=self.service.environment(**environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def sign_in(
        self, *arguments: str, pasted: str | None = None, command: str = "login", client: str = "client_secret.json"
    ) -> tuple[int, str, str]:
        """Go the whole way by paste; return exit code, output and errors."""
        process = self.begin(*(("--client", client) if client else ()), *arguments, command=command)
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(3)]
        answer = landed(lines[2].strip()) if pasted is None and lines[2] else pasted or ""
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


def test_the_page_takes_one_answer_from_its_own_address_with_the_right_state() -> None:
    """Nobody else's name leads there, no other state counts, and what came first stays."""
    with Landing("right") as landing:
        host = landing.address.removeprefix("http://").rstrip("/")
        wrong = [
            ask(host, "/?state=wrong&code=x"),
            ask(host, "/?state=right&code=x", name="evil.example"),
            ask(host, "/?state=right&code=x", name=host.replace("127.0.0.1", "localhost.evil.example")),
            ask(host, "/?state=right&state=right&code=x"),
            ask(host, "/other?state=right&code=x"),
            ask(host, "/?code=x&note=state=right"),
            ask(host, "/favicon.ico"),
            ask(host, "/?state=right&code=x", method="POST"),
        ]
        before = landing.answer
        first, second = ask(host, "/?state=right&code=one"), ask(host, "/?state=right&code=two")

        assert [status for status, _ in wrong] == [404] * 7 + [501] and before == ""
        assert (first[0], second[0]) == (200, 409) and "You can close this page" in first[1] + second[1]
        assert landing.answer == f"{landing.address}?state=right&code=one"


def ask(host: str, path: str, *, name: str | None = None, method: str = "GET") -> tuple[int, str]:
    """Ask a door of this machine, under its own name or another."""
    connection = http.client.HTTPConnection(host, timeout=5)
    try:
        connection.request(method, path, headers={"Host": name or host})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_a_page_that_was_landed_on_does_not_promise_what_fails_afterwards(data: Path, google: GoogleServer) -> None:
    """Google's answer is there, and whether it is good is known only after it."""
    google.control.set_consent(untick=[PREFIX + "calendar.events"])
    process = Terminal(data, google).begin("--client", "client_secret.json", "--browser", BROWSER="true")
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(3)]
    with urllib.request.urlopen(lines[2].strip(), timeout=10) as answer:
        page = answer.read().decode()

    _, err = process.communicate(timeout=30)

    assert process.returncode == 3 and "View and edit events" in err
    assert "signed in" not in page and "is said in the terminal" in page


def test_with_nothing_to_paste_from_the_browser_is_enough(data: Path, google: GoogleServer) -> None:
    """As from a desktop's menu: standard input is at its end at once."""
    process = Terminal(data, google).begin("--client", "client_secret.json", "--browser", BROWSER="true")
    assert process.stdin is not None and process.stdout is not None
    process.stdin.close()
    process.stdin = None
    lines = [process.stdout.readline() for _ in range(3)]
    urllib.request.urlopen(lines[2].strip(), timeout=10).close()

    out, err = process.communicate(timeout=30)

    assert (process.returncode, err) == (0, "") and f"{ANNA} is signed in." in out


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


def test_an_account_is_removed_in_the_panel_with_the_copies_that_are_its_own(data: Path) -> None:
    """The service takes them away while the page waits; what Bob sees too stays, and is looked after by him."""
    rules = [{"name": "all", "match": {}, "do": {"mirror": FAMILY}}]
    with house(data, ANNA, BOB, rules=rules, invite_emails=[]) as (service, control, _listener):
        control.add_calendar(ANNA, FAMILY, "Family")
        control.share_calendar(FAMILY, BOB, "writer")
        service.start()
        wait_for(service.is_watching, 20, "Anna's calendar is read")
        wait_for(lambda: asked(data, "SELECT 1 FROM calendar WHERE account = ? AND last_success", BOB), 20, "Bob's too")
        control.create_event(ANNA, {"summary": "Dentist"})
        shared = control.create_event(ANNA, {"summary": "Dinner"})
        control.add_guest(ANNA, shared["id"], BOB)
        wait_for(lambda: titles(control) == ["Dentist", "Dinner"], 20, "there are copies")
        behind = "SELECT 1 FROM source WHERE account = ? AND link NOT NULL"
        wait_for(lambda: asked(data, behind, BOB), 20, "Bob's event stands behind a copy")
        browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        panel = f"http://127.0.0.1:{service.panel_port}"
        page = browser.open(f"{panel}/accounts", timeout=5).read().decode()
        proof = page.split('name="proof" value="')[1][:64]
        fields = {"proof": proof, "account": ANNA, "confirmed": "yes", "copies": "purge"}
        request = urllib.request.Request(f"{panel}/remove", urllib.parse.urlencode(fields).encode(), {"Origin": panel})

        with browser.open(request, timeout=15) as answer:
            assert answer.geturl() == f"{panel}/accounts"

        assert titles(control) == ["Dinner"] and not (data / "tokens" / f"{ANNA}.json").exists()
        assert service.stop()[0] == 0 and "Traceback" not in service.log()


def titles(control: Control) -> list[str]:
    """Return what the family's calendar shows."""
    return sorted(str(doc.get("summary")) for doc in control.events(FAMILY))


def asked(data: Path, question: str, account: str) -> bool:
    """Say whether the store has any row of the account that is asked for."""
    with contextlib.closing(sqlite3.connect(f"file:{data / 'calbot.db'}?mode=ro", uri=True)) as reader:
        return bool(reader.execute(question, (account,)).fetchone())


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


# Several accounts, clients and purposes


def test_an_account_may_have_a_client_of_its_own(data: Path, google: GoogleServer) -> None:
    """Given for an account by name it is that account's; what the others use stays as it was."""
    google.control.add_client("others-client", "others-secret")
    other = {"installed": {"client_id": "others-client", "client_secret": "others-secret"}}
    (data / "other.json").write_text(json.dumps(other))
    terminal, wallet = Terminal(data, google), Wallet(data, Vault(data))
    first = terminal.sign_in()

    again = terminal.sign_in(BOB, command="accounts sign-in", client="other.json")
    google.control.set_consent(account=BOB)
    own = terminal.sign_in("--account", BOB, client="other.json")
    renewed = terminal.sign_in(BOB, command="accounts sign-in", client="")

    assert [first[0], own[0], renewed[0]] == [0, 0, 0], again
    assert again[0] == 4 and f"There is no account {BOB}" in again[2]
    assert wallet.client() == wallet.client(ANNA) == Client("calbot-client", "calbot-secret")
    assert wallet.client(BOB) == Client("others-client", "others-secret")


def test_the_first_client_is_everybodys_also_where_it_came_with_an_account(data: Path, google: GoogleServer) -> None:
    """There is no other that it could replace."""
    terminal, wallet = Terminal(data, google), Wallet(data, Vault(data))

    first = terminal.sign_in("--account", ANNA)
    google.control.set_consent(account=BOB)
    second = terminal.sign_in(command="accounts add", client="")

    assert (first[0], second[0]) == (0, 0), second
    assert [one.email for one in wallet.accounts()] == [ANNA, BOB]
    assert wallet.client() == Client("calbot-client", "calbot-secret")


def test_a_client_given_for_nobody_by_name_is_the_next_ones_too(data: Path, google: GoogleServer) -> None:
    """Those that are signed in keep theirs."""
    google.control.add_client("others-client", "others-secret")
    other = {"installed": {"client_id": "others-client", "client_secret": "others-secret"}}
    (data / "other.json").write_text(json.dumps(other))
    terminal, wallet = Terminal(data, google), Wallet(data, Vault(data))
    terminal.sign_in()
    google.control.set_consent(account=BOB)

    ended = terminal.sign_in(command="accounts add", client="other.json")

    known = [wallet.client(one) for one in ("", ANNA, BOB)]
    assert ended[0] == 0
    assert [one.client_id for one in known if one] == ["others-client", "calbot-client", "others-client"]


def test_mail_is_allowed_in_a_terminal_for_one_account(data: Path, google: GoogleServer) -> None:
    """By a consent of its own, of the account that is meant; the calendars' sign-in stays as it is."""
    terminal, wallet = Terminal(data, google), Wallet(data, Vault(data))
    terminal.sign_in()
    token = (data / "tokens" / f"{ANNA}.json").read_bytes()

    allowed = terminal.sign_in(ANNA, command="accounts mail", client="")
    google.control.set_consent(account=BOB)
    other = terminal.sign_in(ANNA, command="accounts mail", client="")
    google.control.set_consent(account="", untick=[PREFIX + "gmail.send"])
    unticked = terminal.sign_in(BOB, command="accounts mail", client="")
    listed = terminal.service.run("accounts")

    assert allowed[0] == 0 and f"may send its alerts as mail from {ANNA}" in allowed[1]
    assert (other[0], unticked[0]) == (3, 3)
    assert "whose mail is to be sent" in other[2] and "“Send email on your behalf”" in unticked[2]
    assert wallet.mail_senders() == (ANNA,) and (data / "tokens" / f"{ANNA}.json").read_bytes() == token
    assert "mail       yes" in listed.stdout, listed


def test_in_testing_the_list_says_when_it_ends(data: Path, google: GoogleServer) -> None:
    """The terminal says so at once, with the remedy."""
    google.control.set_consent(testing=True)
    terminal = Terminal(data, google)

    code, _, err = terminal.sign_in()
    listed = terminal.service.run("accounts")

    assert code == 0 and "press Publish app" in err
    assert f"{ANNA}: ends on " in listed.stdout
