"""Promises of `calbot login` at a real terminal (tmux): pastes in pieces, what the screen says, and what is kept."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from calbot.clock import SystemClock
from calbot.google.wallet import Wallet
from calbot.vault import Vault
from tests.google_server.http import GoogleServer
from tests.google_server.tokens import PREFIX
from tests.service.running import ANNA, BOB, Service, free_port, wait_for
from tests.service.test_sign_in import CLIENT, landed

TMUX = shutil.which("tmux")
pytestmark = pytest.mark.skipif(TMUX is None, reason="tmux is not installed")
BROWSER = """
import sys, urllib.request
with urllib.request.urlopen(sys.argv[1], timeout=20) as answer:
    open(sys.argv[2], "wb").write(answer.read())
"""


class Screen:
    """A terminal of 100 columns with a shell in it, in a data directory beside the fake Google."""

    def __init__(self, data: Path, google: GoogleServer) -> None:
        self.data = data
        self._socket = str(data / "tmux")
        (data / "client_secret.json").write_text(json.dumps(CLIENT))
        self._environment = Service(data, google, free_port()).environment(
            CALBOT_AUTH_URI=google.auth_uri, TERM="screen", LANG="C.UTF-8"
        )

    def open(self, **environment: str) -> None:
        """Start the shell."""
        self._tmux("new-session", "-d", "-x", "100", "-y", "60", "/bin/sh", environment=environment)
        wait_for(lambda: self.text().strip(), 10, "the shell is there")

    def run(self, *arguments: str) -> None:
        """Type a command that says in the end with which code it ended."""
        command = shlex.join([sys.executable, "-m", "calbot", *arguments])
        self._tmux("send-keys", "-l", f"clear; {command}; echo ended with $?")
        self.enter()

    def enter(self) -> None:
        """Press Enter."""
        self._tmux("send-keys", "Enter")

    def paste(self, text: str) -> None:
        """Paste, as from the clipboard."""
        self._tmux("load-buffer", "-", typed=text)
        self._tmux("paste-buffer", "-d")

    def address(self) -> str:
        """Return the address that is to be opened, once it is on the screen."""
        wait_for(lambda: re.search(r"^http\S+(?=\n\n)", self.text(), re.MULTILINE), 20, "the address is shown")
        wait_for(lambda: re.search(r"(Enter|paste it here):", self.text()), 5, "it is asked for")
        found = re.search(r"^http\S+", self.text(), re.MULTILINE)
        assert found is not None
        return found[0]

    def end(self) -> str:
        """Return what the screen shows once the command has ended."""
        wait_for(lambda: re.search(r"ended with \d", self.text()), 30, f"the command ends:\n{self.text()}")
        return self.text()

    def text(self) -> str:
        """Return what the screen shows; lines that it has wrapped are whole again."""
        return self._tmux("capture-pane", "-p", "-J")

    def close(self) -> None:
        """End the terminal."""
        self._tmux("kill-server")

    def _tmux(self, *arguments: str, typed: str | None = None, environment: dict[str, str] | None = None) -> str:
        words = [str(TMUX), "-S", self._socket, "-f", "/dev/null", *arguments]
        known = {**self._environment, **(environment or {})}
        ended = subprocess.run(
            words, env=known, cwd=self.data, input=typed, capture_output=True, text=True, timeout=10, check=True
        )
        return ended.stdout


@pytest.fixture
def google() -> Iterator[GoogleServer]:
    """Two people's Google."""
    with GoogleServer(SystemClock(), [ANNA, BOB]) as server:
        yield server


@pytest.fixture
def screen(data: Path, google: GoogleServer) -> Iterator[Screen]:
    """A terminal that is opened by the test."""
    terminal = Screen(data, google)
    yield terminal
    terminal.close()


def signed_in(data: Path) -> list[str]:
    """Return who is signed in, with a token that is sealed and can be opened."""
    wallet = Wallet(data, Vault(data))
    for path in (data / "tokens").glob("*.json"):
        assert b"refresh" not in path.read_bytes()
    return [one.email for one in wallet.accounts() if one.usable]


@pytest.mark.parametrize("last", ["\n", ""], ids=["to the end", "without the last Enter"])
def test_an_address_that_was_broken_into_lines_is_read_whole(screen: Screen, data: Path, last: str) -> None:
    """As a mail program or another terminal gives it: blanks, and line breaks also within the code."""
    screen.open()
    screen.run("login", "--client", "client_secret.json")
    answer = landed(screen.address())
    middle = answer.index("code=") + 7
    pieces = [answer[:30], answer[30:middle], answer[middle : middle + 10], answer[middle + 10 :]]

    screen.paste("\n   " + "  \n  ".join(pieces) + last)
    if not last:
        screen.enter()

    text = screen.end()
    assert f"{ANNA} is signed in." in text and "ended with 0" in text
    assert signed_in(data) == [ANNA]


def test_what_comes_after_the_address_is_not_taken_for_a_command(screen: Screen, data: Path) -> None:
    """The shell that comes back finds nothing to read: an address is full of signs that mean something to it."""
    screen.open()
    screen.run("login", "--client", "client_secret.json")
    screen.paste(landed(screen.address()).split("&scope=")[0] + "\n")
    wait_for(lambda: "press Enter if it is" in screen.text(), 10, "it is asked whether that is all")

    screen.paste("\ntouch zebra\n")

    assert "ended with 0" in screen.end()
    screen.run("version")
    wait_for(lambda: "ended with 0" in screen.text(), 20, "the shell goes on")
    assert not (data / "zebra").exists()


def test_half_an_address_is_asked_for_the_rest(screen: Screen, data: Path) -> None:
    """It ends in the code, so there is no telling whether it is whole."""
    screen.open()
    screen.run("login", "--client", "client_secret.json")
    answer = landed(screen.address())
    middle = answer.index("code=") + 7
    screen.paste(answer[:middle] + "\n")
    wait_for(lambda: "Paste the rest" in screen.text(), 10, "the rest is asked for")

    screen.paste(answer[middle:])
    screen.enter()

    assert "ended with 0" in screen.end() and signed_in(data) == [ANNA]


def test_an_address_that_ends_in_its_code_is_taken_at_a_further_enter(screen: Screen, data: Path) -> None:
    """Whoever left out what Google says after it."""
    screen.open()
    screen.run("login", "--client", "client_secret.json")
    screen.paste(landed(screen.address()).split("&scope=")[0] + "\n")
    wait_for(lambda: "press Enter if it is" in screen.text(), 10, "it is asked whether that is all")

    screen.enter()

    assert "ended with 0" in screen.end() and signed_in(data) == [ANNA]


def test_what_is_no_address_at_all_is_said_at_once(screen: Screen, data: Path) -> None:
    """In one sentence, with 3; nothing was written."""
    screen.open()
    screen.run("login", "--client", "client_secret.json")
    screen.address()

    screen.paste("hello\n")

    text = screen.end()
    assert "not the address Google sends back" in text and "ended with 3" in text and "Traceback" not in text
    assert nothing_written(data)


def test_a_box_that_was_not_ticked_is_named_and_nothing_is_written(
    screen: Screen, data: Path, google: GoogleServer
) -> None:
    """Neither a token, nor the client, nor a key."""
    google.control.set_consent(untick=[PREFIX + "calendar.events"])
    screen.open()
    screen.run("login", "--client", "client_secret.json")

    screen.paste(landed(screen.address()) + "\n")

    text = " ".join(screen.end().split())
    assert "“View and edit events on all your calendars”" in text and "ended with 3" in text
    assert nothing_written(data)


def nothing_written(data: Path) -> bool:
    """Say whether the data directory holds no more than the test put there."""
    return {path.name for path in data.iterdir()} == {"client_secret.json", "options.json", "tmux"}


def test_where_there_is_a_browser_it_is_used_by_itself(screen: Screen, data: Path) -> None:
    """Nothing is pasted; the page that it lands on promises no more than is known then."""
    (data / "browser.py").write_text(BROWSER)
    page = data / "page.html"
    screen.open(BROWSER=f"{sys.executable} {data / 'browser.py'} %s {page}", DISPLAY=":9")
    screen.run("login", "--client", "client_secret.json", "--account", BOB)

    text = screen.end()

    assert f"{BOB} is signed in." in text and "ended with 0" in text and signed_in(data) == [BOB]
    assert "is said in the terminal" in page.read_text() and "signed in" not in page.read_text()


def test_where_the_browser_is_on_another_machine_the_address_is_pasted(screen: Screen, data: Path) -> None:
    """Both roads are open at once."""
    screen.open(BROWSER="true", DISPLAY=":9")
    screen.run("login", "--client", "client_secret.json")

    screen.paste(landed(screen.address()) + "\n")

    assert "ended with 0" in screen.end() and signed_in(data) == [ANNA]


@pytest.mark.parametrize(
    ("words", "environment"), [((), {"BROWSER": "true"}), (("--no-browser",), {"BROWSER": "true", "DISPLAY": ":9"})]
)
def test_without_a_screen_or_where_it_is_not_wanted_no_browser_is_used(
    screen: Screen, words: tuple[str, ...], environment: dict[str, str]
) -> None:
    """A machine in the cellar may have a browser for text, in which nobody can sign in."""
    screen.open(**environment)
    screen.run("login", "--client", "client_secret.json", *words)

    assert "127.0.0.1%3A45871" in screen.address()
