"""The engine's commands. They run without Home Assistant: `python -m calbot`."""

import json
import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NoReturn

import click
import msgspec

from calbot import __version__, sources
from calbot.clock import SystemClock, SystemRandom
from calbot.engine import Engine
from calbot.errors import BadOptions, CalbotError, DirectoryInUse, GoogleError, SignInNeeded, StoreError
from calbot.google.accounts import GoogleAccounts
from calbot.login import login
from calbot.model import Answer, Command, Noun, Outcome
from calbot.settings import Settings
from calbot.sources import Endpoints
from calbot.store import commands, outbox
from calbot.store.database import Database
from calbot.vault import Vault, given_key

LONGEST_SYNC = 300.0
FAILED, USAGE, SIGN_IN, PARTIAL = 1, 2, 3, 5
CheckMore = Callable[[], "list[Checked]"]


class Checked(Noun, frozen=True):
    """One part that was checked, and what to do when it failed."""

    part: str
    verdict: Literal["ok", "failed", "sign_in"]
    text: str


class _Synced(Noun, frozen=True):
    """What a `sync` did, and what it could not do."""

    outcomes: list[Outcome]
    problems: list[str]
    sign_in_needed: bool = False


class _Wanted(Noun, frozen=True):
    """What the options ask of the engine."""

    data: Path
    settings: Settings
    endpoints: Endpoints
    notes: tuple[str, ...]


def _found() -> _Wanted:
    found = sources.gather(os.environ)
    settings, notes = sources.settings(found)
    given_key(os.environ)
    return _Wanted(found.data, settings, found.endpoints, notes)


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


calbot.add_command(login)


@calbot.command()
def version() -> None:
    """Print the version."""
    click.echo(__version__)


@calbot.command()
@click.option("--dry-run", is_flag=True, help="Only say what would be done; nothing is written anywhere.")
@click.option("--json", "as_json", is_flag=True, help="Print what happened as JSON.")
def sync(*, dry_run: bool, as_json: bool) -> None:
    """Read every calendar once and do what is due."""
    found = _found()
    if dry_run:
        done = _sync_a_copy(found)
    else:
        try:
            done = _sync_here(found)
        except DirectoryInUse:
            done = _ask_the_service(found)
    if as_json:
        document = {"outcomes": [_plain(outcome) for outcome in done.outcomes], "problems": done.problems}
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        _print(done.outcomes, done.problems, dry_run=dry_run)
    if done.sign_in_needed:
        raise click.exceptions.Exit(SIGN_IN)
    if done.problems:
        raise click.exceptions.Exit(PARTIAL if done.outcomes else FAILED)


@calbot.command()
@click.option("--json", "as_json", is_flag=True, help="Print the verdicts as JSON.")
@click.pass_obj
def check(more: list[CheckMore], *, as_json: bool) -> None:
    """Test every part and say what to do about what does not work."""
    found: list[Checked] = []
    for part in (_check_engine, *more):
        for checked in part():
            found.append(checked)
            if not as_json:
                mark = "ok    " if checked.verdict == "ok" else "FAILED"
                click.echo(f"{mark}  {checked.part}: {checked.text}")
    if as_json:
        click.echo(json.dumps([msgspec.to_builtins(checked) for checked in found], indent=2, ensure_ascii=False))
    verdicts = {checked.verdict for checked in found}
    if any(checked.part == "options" and checked.verdict == "failed" for checked in found):
        raise click.exceptions.Exit(USAGE)
    if verdicts != {"ok"}:
        raise click.exceptions.Exit(SIGN_IN if "sign_in" in verdicts else FAILED)


def _check_engine() -> Iterator[Checked]:
    try:
        found = _found()
    except BadOptions as error:
        yield Checked("options", "failed", str(error))
        return
    invited = ", ".join(found.settings.invite_emails) or "nobody yet; set invite_emails"
    yield Checked("options", "ok", f"Invites {invited}.")
    for note in found.notes:
        yield Checked("options", "ok", note)
    yield _check_store(found.data)
    accounts = _accounts(found)
    for problem in accounts.problems():
        yield Checked("token", "sign_in", problem)
    chosen = found.settings.calendars(accounts.emails())
    if not chosen:
        yield Checked("accounts", "sign_in", "Nobody is signed in yet; run: calbot login")
    for email, calendars in chosen.items():
        for calendar in calendars:
            yield _check_calendar(accounts, email, calendar)


def _check_store(data: Path) -> Checked:
    try:
        Database(data).examine()
    except StoreError as error:
        return Checked("store", "failed", str(error))
    return Checked("store", "ok", f"{data} can be written.")


def _check_calendar(accounts: GoogleAccounts, email: str, calendar: str) -> Checked:
    part = f"{email}, calendar {calendar}"
    try:
        name = accounts.calendars(email).name(calendar)
    except SignInNeeded as error:
        return Checked(part, "sign_in", str(error))
    except GoogleError as error:
        return Checked(part, "failed", f"{error} Check the calendar's id and that it is shared with the account.")
    return Checked(part, "ok", f"can be read as “{name}”.")


def _accounts(found: _Wanted) -> GoogleAccounts:
    return GoogleAccounts(
        found.data,
        SystemClock(),
        SystemRandom(),
        calendar_api=found.endpoints.calendar_api,
        token_uri=found.endpoints.token_uri,
        vault=Vault(found.data, given_key(os.environ)),
    )


def _sync_here(found: _Wanted) -> _Synced:
    """Run the engine in this process until everything due is done."""
    database = Database(found.data)
    database.open()
    try:
        return _run_once(found, found.settings, database)
    finally:
        database.close()


def _sync_a_copy(found: _Wanted) -> _Synced:
    """Run it in dry run on a copy of the store, so that not even the store learns of it."""
    with tempfile.TemporaryDirectory(prefix="calbot-") as place:
        if (found.data / "calbot.db").exists():
            Database(found.data).copy_to(Path(place) / "calbot.db")
        database = Database(Path(place))
        database.open()
        try:
            return _run_once(found, msgspec.structs.replace(found.settings, dry_run=True), database)
        finally:
            database.close()


def _run_once(found: _Wanted, settings: Settings, database: Database) -> _Synced:
    clock = SystemClock()
    engine = Engine(settings, _accounts(found), database, clock, SystemRandom(), tend_channels=False)
    engine.open()
    if not engine.workers:
        raise SignInNeeded("Nobody is signed in yet; run: calbot login", "auth_revoked")
    before = outbox.newest(database.read(), "calendar")
    deadline = clock.monotonic() + LONGEST_SYNC
    waiting = set(engine.workers.values())
    while waiting and clock.monotonic() < deadline:
        for worker in list(waiting):
            worker.step()
            if worker.is_quiet():
                waiting.discard(worker)
        for worker in waiting:
            worker.inbox.wait(0.2)
    found_out = engine.snapshot
    sign_ins = [*(account.sign_in_text for account in found_out.accounts), *found_out.token_problems]
    readings = [calendar.problem_text for account in found_out.accounts for calendar in account.calendars]
    rows = outbox.since(database.read(), "calendar", before + 1, 10_000)
    outcomes = [row.content for row in rows if isinstance(row.content, Outcome)]
    problems = [text for text in dict.fromkeys([*sign_ins, *readings]) if text is not None]
    return _Synced(outcomes, problems, sign_in_needed=any(sign_ins))


def _ask_the_service(found: _Wanted) -> _Synced:
    """Put the command into the running service's table and wait for its answer."""
    database, clock = Database(found.data), SystemClock()
    database.open_beside()
    before = outbox.newest(database.read(), "calendar")
    wanted = Command(name="resync", id=f"cli-{SystemRandom().token(8).hex()}", source="cli", received=clock.now())
    with database.write() as tx:
        commands.add(tx, wanted)
    answer: Answer | None = None
    deadline = clock.monotonic() + LONGEST_SYNC
    while answer is None and clock.monotonic() < deadline:
        threading.Event().wait(0.2)
        _, answer = commands.known(database.read(), wanted.id, clock.now())
    rows = outbox.since(database.read(), "calendar", before + 1, 10_000)
    outcomes = [row.content for row in rows if isinstance(row.content, Outcome)]
    if answer is None:
        return _Synced(outcomes, ["The running Calbot did not answer."])
    problems = [] if answer.status == "ok" else [answer.message]
    return _Synced(outcomes, problems, sign_in_needed=answer.code == "auth_required")


def _print(outcomes: list[Outcome], problems: list[str], *, dry_run: bool) -> None:
    for outcome in outcomes:
        event = outcome.event
        title = json.dumps(event.title or "(no title)", ensure_ascii=False) if event else outcome.key.event
        start = f" ({event.start})" if event else ""
        rest = ", ".join(outcome.guests_added) or outcome.reason_text or ""
        click.echo(f"{outcome.event_type:13} {title}{start}  {rest}".rstrip())
    for problem in problems:
        click.echo(f"problem: {problem}", err=True)
    if not outcomes and not problems:
        click.echo("Nothing new." if not dry_run else "Nothing would be done.")


def _plain(outcome: Outcome) -> Mapping[str, object]:
    event = outcome.event
    return {
        "event_type": outcome.event_type,
        "account": outcome.key.account,
        "calendar": outcome.key.calendar,
        "event_id": outcome.key.event,
        "title": event.title if event else None,
        "start": event.start if event else None,
        "guests_added": list(outcome.guests_added),
        "reason": outcome.reason,
        "reason_text": outcome.reason_text,
        "dry_run": outcome.dry_run,
    }


def _end(text: str, code: int) -> NoReturn:
    click.echo(text, err=True)
    raise click.exceptions.Exit(code)
