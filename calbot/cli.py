"""The engine's commands. They run without Home Assistant: `python -m calbot`."""

import errno
import io
import os
import platform
import sqlite3
import sys
import traceback
from typing import Any, NoReturn

import click

from calbot import __version__
from calbot.commandline import accounts, doing, local, looking, mirror, reports
from calbot.commandline.channels import channels
from calbot.commandline.checking import check
from calbot.commandline.env import env
from calbot.commandline.importing import take_over
from calbot.commandline.local import FAILED, PARTIAL, SIGN_IN, USAGE, Here, pass_here
from calbot.commandline.login import login
from calbot.errors import BadOptions, CalbotError, SignInNeeded
from calbot.secrecy import cleaned
from calbot.store.schema import MIGRATIONS

INTERRUPTED = 130
REPORT = "https://github.com/calbot/calbot/issues"
EPILOG = """\b
Exit codes: 0 done, 1 failed, 2 wrong use or a wrong option, 3 somebody has to
sign in, 4 not found, 5 only a part was done, 130 interrupted.

With --json only JSON is on standard output; what went wrong is told on standard error. CALBOT_DATA names the data
directory. Commands that write are carried out by the running Calbot, where there is one."""


class Group(click.Group):
    """Turns what goes wrong into a sentence and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. Only a mistake of ours ends with a traceback; what is written is its user's alone."""
        os.umask(0o077)
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):  # Not every terminal has every sign.
                stream.reconfigure(errors="backslashreplace")
        try:
            return super().invoke(ctx)
        except BadOptions as error:
            _end(str(error), USAGE)
        except SignInNeeded as error:
            _end(str(error), SIGN_IN)
        except CalbotError as error:
            _end(str(error), FAILED)
        except KeyboardInterrupt:
            _end("Interrupted. What had begun goes on when Calbot runs again.", INTERRUPTED)
        except OSError as error:
            if error.errno == errno.EPIPE:  # Whoever read us has enough; click ends quietly.
                raise
            where = f" ({error.filename})" if error.filename else ""
            _end(f"This machine does not let Calbot do it: {error.strerror or error}{where}.", FAILED)
        except (click.ClickException, click.Abort, click.exceptions.Exit):
            raise
        except Exception:  # noqa: BLE001 - the last bulkhead
            _surprise()


@click.group(cls=Group, epilog=EPILOG)
@click.pass_context
def calbot(context: click.Context) -> None:
    """Calbot watches Google calendars and invites the right people."""
    context.obj = []


for command in (
    login,
    accounts.accounts,
    looking.show_preview,
    looking.show_explanation,
    doing.apply,
    doing.undo,
    doing.approve,
    doing.discard,
    mirror.mirror,
    env,
    channels,
    check,
    take_over,
):
    calbot.add_command(command)


@calbot.command()
@click.option("--json", "as_json", is_flag=True, help="Print what it runs on, too, as JSON.")
def version(*, as_json: bool) -> None:
    """Print the version."""
    if not as_json:
        reports.say(__version__)
        return
    made_of = {"python": platform.python_version(), "sqlite": sqlite3.sqlite_version, "schema": len(MIGRATIONS)}
    reports.put({"version": __version__, **made_of})


@calbot.command()
@click.option("--dry-run", is_flag=True, help="Only say what would be done; nothing is written anywhere.")
@click.option("--json", "as_json", is_flag=True, help="Print what happened as JSON.")
@pass_here
def sync(here: Here, *, dry_run: bool, as_json: bool) -> None:
    """Read every calendar once and do what is due."""
    what = local.wanted(here)
    with (local.on_a_copy if dry_run else local.place)(here, what) as there:
        done = there.read_all()
    if as_json:
        outcomes = [reports.of_outcome(outcome) for outcome in done.outcomes]
        reports.put({"outcomes": outcomes, "problems": list(done.problems)})
    else:
        for outcome in done.outcomes:
            reports.say(reports.outcome_line(outcome))
        if not done.outcomes and not done.problems:
            reports.say("Nothing would be done." if dry_run else "Nothing new.")
    for problem in done.problems:
        reports.say(f"problem: {problem}", err=True)
    if done.sign_in_needed:
        raise click.exceptions.Exit(SIGN_IN)
    if done.problems:
        raise click.exceptions.Exit(PARTIAL if done.outcomes else FAILED)


def _end(text: str, code: int) -> NoReturn:
    reports.say(cleaned(text), err=True)
    raise click.exceptions.Exit(code)


def _surprise() -> NoReturn:
    """Say that it is our own mistake, with all that a report needs and no secret in it."""
    for line in cleaned(traceback.format_exc()).splitlines():
        reports.say(line, err=True)
    _end(f"Calbot has a mistake here. Please report it with the lines above: {REPORT}", FAILED)
