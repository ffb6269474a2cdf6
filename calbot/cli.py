"""The engine's commands. They run without Home Assistant: `python -m calbot`."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, NoReturn

import click
import msgspec

from calbot import __version__, doing, local, looking, mirrorcommands, reports
from calbot.errors import BadOptions, CalbotError, GoogleError, SignInNeeded, StoreError
from calbot.google.accounts import GoogleAccounts
from calbot.local import FAILED, PARTIAL, SIGN_IN, USAGE, Here, Wanted, pass_here
from calbot.login import login
from calbot.model import Noun
from calbot.store import copyhistory
from calbot.store.database import Database

CheckMore = Callable[[], "list[Checked]"]


class Checked(Noun, frozen=True):
    """One part that was checked, and what to do when it failed."""

    part: str
    verdict: Literal["ok", "failed", "sign_in"]
    text: str


class Group(click.Group):
    """Turns our own errors into a sentence and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. Expected trouble ends it without a traceback; what it writes is its user's alone."""
        os.umask(0o077)
        try:
            return super().invoke(ctx)
        except BadOptions as error:
            _end(str(error), USAGE)
        except SignInNeeded as error:
            _end(str(error), SIGN_IN)
        except CalbotError as error:
            _end(str(error), FAILED)


@click.group(cls=Group)
@click.pass_context
def calbot(context: click.Context) -> None:
    """Calbot watches Google calendars and invites the right people."""
    context.obj = []


for command in (
    login,
    looking.show_preview,
    looking.show_explanation,
    doing.apply,
    doing.undo,
    doing.approve,
    doing.discard,
    mirrorcommands.mirror,
):
    calbot.add_command(command)


@calbot.command()
def version() -> None:
    """Print the version."""
    click.echo(__version__)


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
        for problem in done.problems:
            reports.say(f"problem: {problem}", err=True)
        if not done.outcomes and not done.problems:
            reports.say("Nothing would be done." if dry_run else "Nothing new.")
    if done.sign_in_needed:
        raise click.exceptions.Exit(SIGN_IN)
    if done.problems:
        raise click.exceptions.Exit(PARTIAL if done.outcomes else FAILED)


@calbot.command()
@click.option("--json", "as_json", is_flag=True, help="Print the verdicts as JSON.")
@click.pass_obj
@pass_here
def check(here: Here, more: list[CheckMore], *, as_json: bool) -> None:
    """Test every part and say what to do about what does not work."""
    found: list[Checked] = []
    for part in (lambda: _check_engine(here), *more):
        for checked in part():
            found.append(checked)
            if not as_json:
                mark = "ok    " if checked.verdict == "ok" else "FAILED"
                reports.say(f"{mark}  {checked.part}: {checked.text}")
    if as_json:
        reports.put([msgspec.to_builtins(checked) for checked in found])
    verdicts = {checked.verdict for checked in found}
    if any(checked.part == "options" and checked.verdict == "failed" for checked in found):
        raise click.exceptions.Exit(USAGE)
    if verdicts != {"ok"}:
        raise click.exceptions.Exit(SIGN_IN if "sign_in" in verdicts else FAILED)


def _check_engine(here: Here) -> Iterator[Checked]:
    try:
        what = local.wanted(here)
    except BadOptions as error:
        yield Checked("options", "failed", str(error))
        return
    yield Checked("options", "ok", _whom(what))
    for note in what.notes:
        yield Checked("options", "ok", note)
    yield _check_store(what.data)
    yield from _check_held(what)
    accounts = local.accounts(here, what)
    for problem in accounts.problems():
        yield Checked("token", "sign_in", problem)
    chosen = what.settings.calendars(accounts.emails())
    if not chosen:
        yield Checked("accounts", "sign_in", "Nobody is signed in yet; run: calbot login")
    for email, calendars in chosen.items():
        for calendar in calendars:
            yield _check_calendar(accounts, email, calendar)


def _whom(what: Wanted) -> str:
    if what.settings.rules:
        return f"Invites by the rules {', '.join(rule.name for rule in what.settings.rules)}; see calbot preview."
    return f"Invites {', '.join(what.settings.invite_emails) or 'nobody yet; set invite_emails'}."


def _check_store(data: Path) -> Checked:
    try:
        Database(data).examine()
    except StoreError as error:
        return Checked("store", "failed", str(error))
    return Checked("store", "ok", f"{data} can be written.")


def _check_held(what: Wanted) -> Iterator[Checked]:
    """Tell what waits for a person; a store that cannot be read has been told of, or is not there yet."""
    try:
        with local.reading(what.data) as database:
            runs = copyhistory.held(database.read())
    except StoreError:
        return
    for run in runs:
        text = reports.held_line(run, what.settings.time_zone)
        yield Checked("brake", "ok", f"{text}. calbot approve {run.run_id}, or calbot discard {run.run_id}")


def _check_calendar(accounts: GoogleAccounts, email: str, calendar: str) -> Checked:
    part = f"{email}, calendar {calendar}"
    try:
        name = accounts.calendars(email).name(calendar)
    except SignInNeeded as error:
        return Checked(part, "sign_in", str(error))
    except GoogleError as error:
        return Checked(part, "failed", f"{error} Check the calendar's id and that it is shared with the account.")
    return Checked(part, "ok", f"can be read as “{name}”.")


def _end(text: str, code: int) -> NoReturn:
    reports.say(text, err=True)
    raise click.exceptions.Exit(code)
