"""The command line as a whole: exit codes, clean output, and no traceback, over every command in every broken house."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from addon import commands
from calbot import cli, secrecy
from calbot.store.schema import MIGRATIONS
from tests.cli.terminal import Terminal, alone
from tests.google_server.control import Control
from tests.household import ANNA, at
from tests.service.running import ROOT, house, wait_for

NOWHERE = "http://127.0.0.1:1/"
COMMANDS: Mapping[str, str] = {
    "sync": "sync",
    "dry run": "sync --dry-run",
    "preview": "preview",
    "explain": "explain Nothing",
    "apply": "apply --yes",
    "undo": "undo --event nothing",
    "approve": "approve r-1",
    "discard": "discard",
    "verify": "mirror verify",
    "purge": "mirror purge",
    "purge --yes": "mirror purge --yes",
    "channels": "channels",
    "renew": "channels renew",
    "accounts": "accounts",
    "check": "check",
    "alerts": "alerts",
    "ack": "alerts ack --all",
    "env": "env decrypt",
    "import": "import /nonexistent",
    "version": "version",
}
"""One of each kind; those that sign in or move files are tested beside what they do."""
FINE = {"version": 0, "accounts": 0, "env": 4, "import": 4}
NOT_RUNNING = {"renew": 1}
EVERY = dict.fromkeys(COMMANDS, 0) | {"ack": 4, "env": 4, "import": 4}
HOUSES: Mapping[str, Mapping[str, int]] = {
    "sound": EVERY | {"explain": 4, "undo": 4, "approve": 4, "discard": 4} | NOT_RUNNING,
    "bad option": dict.fromkeys(COMMANDS, 2) | {"version": 0, "env": 4, "import": 4},
    "nobody signed in": EVERY
    | {"sync": 3, "dry run": 3, "undo": 3, "verify": 3, "purge --yes": 3, "check": 3}
    | {"explain": 4, "approve": 4, "discard": 4}
    | NOT_RUNNING,
    "sign-in dead": EVERY
    | {"sync": 3, "dry run": 3, "check": 3, "explain": 4, "undo": 4, "approve": 4, "discard": 4}
    | NOT_RUNNING,
    "no store": dict.fromkeys(COMMANDS, 1)
    | FINE
    | {"sync": 0, "dry run": 0, "check": 0, "purge --yes": 0}
    | {"undo": 4, "ack": 4},
    "store damaged": dict.fromkeys(COMMANDS, 1) | FINE | {"sync": 0, "purge --yes": 0, "undo": 4, "ack": 4},
    "store newer": dict.fromkeys(COMMANDS, 1) | FINE,
    "google away": EVERY
    | {"sync": 1, "dry run": 1, "check": 1, "explain": 4, "undo": 4, "approve": 4, "discard": 4}
    | NOT_RUNNING,
    "broker away": EVERY | {"check": 1, "explain": 4, "undo": 4, "approve": 4, "discard": 4} | NOT_RUNNING,
}


@pytest.fixture
def terminal(data: Path) -> Iterator[tuple[Terminal, Control]]:
    """The shell's command line, where Anna is signed in and everything was read once."""
    with alone(data) as (there, google):
        there.group = commands.calbot
        assert there.run("sync").exit_code == 0
        yield there, google


def break_it(what: str, terminal: Terminal, google: Control) -> None:
    """Break the house; some of it is mended by commands, so it is broken before each."""
    store = terminal.data / "calbot.db"
    match what:
        case "bad option":
            terminal.set_options(poll_interval="often")
        case "nobody signed in":
            (terminal.data / "tokens" / f"{ANNA}.json").unlink(missing_ok=True)
        case "sign-in dead":
            google.revoke(ANNA)
        case "no store":
            store.unlink(missing_ok=True)
        case "store damaged":
            store.write_bytes(b"garbage" * 1000)
        case "store newer":
            with closing(sqlite3.connect(store)) as newer:
                newer.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
        case "google away":
            terminal.environ |= {"CALBOT_CALENDAR_API": NOWHERE, "CALBOT_TOKEN_URI": NOWHERE}
        case "broker away":
            terminal.set_options(mqtt={"host": "127.0.0.1", "port": 1})


@pytest.mark.parametrize("what", HOUSES)
def test_every_command_in_every_house_has_its_exit_code(what: str, terminal: tuple[Terminal, Control]) -> None:
    """And where it fails there is a sentence on standard error, and no traceback; with --json the rest is JSON."""
    there, google = terminal
    wrong = []

    for name, words in COMMANDS.items():
        for more in ([], ["--json"]):
            break_it(what, there, google)
            ended = there.run(*words.split(), *more)
            wrong += [f"{words} {more}: {sentence}" for sentence in _faults(ended, HOUSES[what][name], name, more)]

    assert wrong == []


def _faults(ended: Result, code: int, name: str, more: list[str]) -> Iterator[str]:
    if ended.exit_code != code:
        yield f"ends with {ended.exit_code}, not {code}: {ended.output}"
    if "Traceback" in ended.output or not isinstance(ended.exception, SystemExit | None):
        yield f"shows its inside: {ended.output}"
    if code and name != "check" and not ended.stderr.strip():
        yield "fails without a sentence"
    if more and ended.stdout.strip():
        try:
            json.loads(ended.stdout)
        except ValueError:
            yield f"is no JSON: {ended.stdout}"


@pytest.mark.parametrize(
    "words",
    [
        *("fly", "sync --far", "explain", "undo u-1 --last", "undo --minutes 0", "preview --days x", "mirror"),
        *("apply --rule no-such --yes", "preview --account dora@example.com", "channels fly", "apply"),
        *("alerts ack", "env run", "import", "accounts mail"),
    ],
)
def test_wrong_use_is_exit_2_with_a_word_on_standard_error(words: str, terminal: tuple[Terminal, Control]) -> None:
    """Nothing is done, and nothing is on standard output. Without anybody to ask, what asks first is wrong use, too."""
    there, google = terminal
    there.set_options(invite_emails=[], rules=[{"name": "family", "do": {"invite": ["bob@example.com"]}}])
    if words == "apply":
        google.create_event(ANNA, {"summary": "Dinner", **_tomorrow(google)})
        there.set_options(auto_invite=False)
        there.run("sync")
        there.set_options()

    ended = there.run(*words.split())

    assert (ended.exit_code, "Traceback" in ended.output) == (2, False), ended.output
    assert ended.stderr


def _tomorrow(google: Control) -> dict[str, object]:
    return dict(at(datetime.fromtimestamp(google.now() // 60 * 60 + 86400, UTC)))


def every_command(group: click.Group, before: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command and group below a group, with the words that lead to it."""
    for name, command in group.commands.items():
        yield (*before, name), command
        if isinstance(command, click.Group):
            yield from every_command(command, (*before, name))


WORDS = [words for words, _ in every_command(commands.calbot)]


def test_the_contracts_commands_are_there() -> None:
    """Their names are API."""
    named = (
        "run login accounts channels check sync preview apply explain undo approve discard env import monitor version"
    )

    assert {*named.split(), "alerts", "mirror"} <= {words[0] for words in WORDS}
    assert {("mirror", "verify"), ("mirror", "purge"), ("channels", "renew")} <= set(WORDS)


@pytest.mark.parametrize("words", WORDS, ids=" ".join)
def test_every_command_explains_itself(words: tuple[str, ...]) -> None:
    """`--help` says what it does, and what each option is for."""
    command = dict(every_command(commands.calbot))[words]

    helped = CliRunner().invoke(commands.calbot, [*words, "--help"], prog_name="calbot")

    assert helped.exit_code == 0
    assert f"Usage: calbot {' '.join(words)}" in helped.stdout
    assert command.help and len(command.help) > 15
    assert [one.name for one in command.params if isinstance(one, click.Option) and not one.help] == []


def test_the_exit_codes_are_in_the_help() -> None:
    """Of both command lines."""
    for group in (cli.calbot, commands.calbot):
        told = CliRunner().invoke(group, ["--help"]).stdout
        assert "Exit codes: 0 done, 1 failed, 2 wrong use" in told


def test_the_shell_adds_what_needs_the_shell_and_nothing_else() -> None:
    """`python -m calbot` has all the rest, and loads neither web server nor MQTT."""
    assert set(commands.calbot.commands) - set(cli.calbot.commands) == {"run", "monitor", "alerts"}
    program = "import sys, calbot.cli; print(*sys.modules)"

    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)

    assert {"flask", "paho", "waitress", "addon"}.isdisjoint(loaded.stdout.split())


def test_version_is_told_with_what_it_runs_on() -> None:
    """For programs and for reports of mistakes."""
    runner = CliRunner()

    words, document = runner.invoke(cli.calbot, ["version"]), runner.invoke(cli.calbot, ["version", "--json"])

    told = json.loads(document.stdout)
    assert words.stdout == f"{told['version']}\n"
    assert set(told) == {"version", "python", "sqlite", "schema"}
    assert told["schema"] == len(MIGRATIONS)


def a_group(fail: Callable[[], None]) -> click.Group:
    """A command line whose one command does this."""
    group = cli.Group("calbot")
    group.add_command(click.Command("work", callback=fail))
    return group


def test_a_mistake_of_ours_is_told_with_what_a_report_needs_and_no_secret() -> None:
    """The traceback is there, cleaned; the exit code is that of any failure."""
    secrecy.remember("Sup3rS3cretWord-9")

    def fail() -> None:
        raise KeyError("Sup3rS3cretWord-9")

    ended = CliRunner().invoke(a_group(fail), ["work"])

    assert ended.exit_code == 1
    assert "Please report it" in ended.stderr and "KeyError" in ended.stderr
    assert "Sup3rS3cretWord-9" not in ended.output
    assert ended.stdout == ""


def test_what_the_machine_refuses_is_a_sentence() -> None:
    """As on a disk that is full, or read only."""

    def fail() -> None:
        raise PermissionError(13, "Permission denied", "/data/x")

    ended = CliRunner().invoke(a_group(fail), ["work"])

    assert (ended.exit_code, ended.stdout) == (1, "")
    assert ended.stderr == "This machine does not let Calbot do it: Permission denied (/data/x).\n"


def test_an_interruption_is_exit_130() -> None:
    """One sentence, no traceback."""

    def fail() -> None:
        raise KeyboardInterrupt

    ended = CliRunner().invoke(a_group(fail), ["work"])

    assert ended.exit_code == 130
    assert "Traceback" not in ended.output and ended.stderr.count("\n") == 1


# As processes


def test_ctrl_c_ends_a_command_at_once_wherever_it_is(tmp_path: Path) -> None:
    """While Google hangs, and what had begun is left for the next start; the directory is free again."""
    with house(tmp_path, push_url=None) as (service, google, _listener):
        google.add_fault("hang", operation="events.list", seconds=30, count=None)
        with (tmp_path / "err").open("wb") as err:
            process = subprocess.Popen(
                [sys.executable, "-m", "addon", "sync"],
                cwd=tmp_path,
                env=service.environment(),
                stdout=subprocess.DEVNULL,
                stderr=err,
            )
            wait_for(lambda: google.calls("oauth.token"), 20, "it asks Google")
            process.send_signal(signal.SIGINT)
            code = process.wait(10)
        google.clear_faults()
        said = (tmp_path / "err").read_text()

        assert code == 130
        assert "Interrupted." in said and "Traceback" not in said
        assert service.run("sync").returncode == 0


@pytest.mark.parametrize("words", [["--help"], ["version", "--json"], ["preview", "--json"], ["check"]])
def test_a_reader_that_has_enough_is_no_trouble(tmp_path: Path, words: list[str]) -> None:
    """`calbot … | head -1`: nobody is told of a broken pipe."""
    with house(tmp_path, push_url=None) as (service, _google, _listener):
        service.run("sync")
        reads, writes = os.pipe()
        os.close(reads)
        with os.fdopen(writes, "wb") as nobody:
            ended = subprocess.run(
                [sys.executable, "-m", "addon", *words],
                cwd=tmp_path,
                env=service.environment(),
                stdout=nobody,
                stderr=subprocess.PIPE,
                text=True,
                timeout=60,
                check=False,
            )

    assert ended.stderr == ""
    assert ended.returncode == 1


def test_a_terminal_that_has_few_signs_is_no_trouble(tmp_path: Path) -> None:
    """What it cannot show is written out; JSON stays JSON."""
    with house(tmp_path, push_url=None) as (service, google, _listener):
        service.run("sync")
        google.create_event(ANNA, {"summary": "Dinner “out” 🎈", **_tomorrow(google)})
        service.run("sync")

        words = service.run("explain", "Dinner", PYTHONIOENCODING="latin-1")
        document = service.run("explain", "Dinner", "--json", PYTHONIOENCODING="latin-1")

    assert (words.returncode, words.stderr) == (0, "")
    assert "Dinner \\u201cout\\u201d \\U0001f388" in words.stdout
    assert json.loads(document.stdout)[0]["title"] == "Dinner “out” 🎈"


def test_both_ways_to_start_it_do_the_same(tmp_path: Path) -> None:
    """The engine's own command line works where the shell's packages are not."""
    with house(tmp_path, push_url=None) as (service, _google, _listener):
        ended = subprocess.run(
            [sys.executable, "-m", "calbot", "check", "--json"],
            cwd=tmp_path,
            env=service.environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        shells = service.run("check", "--json")

    engine = {one["part"] for one in json.loads(ended.stdout)}
    both = {one["part"] for one in json.loads(shells.stdout)}
    assert ended.returncode == 0, ended.stdout
    assert engine < both
    assert {"broker", "push_url"} <= both - engine
