"""`calbot import`: takes over what an earlier bot left, so that nobody whom it invited is invited again."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import click

from calbot import sources
from calbot.commandline import local, reports
from calbot.commandline.local import FAILED, NOT_FOUND, PARTIAL, USAGE, Here, pass_here
from calbot.envfile import surroundings
from calbot.errors import BadOptions, DirectoryInUse, StoreError
from calbot.google.wallet import Wallet
from calbot.settings import Settings
from calbot.sources import Found
from calbot.store.database import Database
from calbot.store.schema import MIGRATIONS
from calbot.takeover import handover
from calbot.takeover.directory import EarlierBot, read
from calbot.takeover.handover import Given
from calbot.takeover.steps import Item, State
from calbot.vault import VARIABLE, Vault, given_key

_MARKS: Mapping[State, str] = {"taken": "taken", "here": "here", "left": "left", "refused": "NOT TAKEN"}
_GROUPS: Mapping[State, str] = {"taken": "taken", "here": "here", "left": "left", "refused": "not_taken"}
_GOT: frozenset[State] = frozenset({"taken", "here"})


@click.command("import")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Only say what would be taken; nothing is written.")
@click.option("--replace", is_flag=True, help="Take settings and sign-ins also where Calbot has its own.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@pass_here
def take_over(here: Here, *, directory: Path, dry_run: bool, replace: bool, as_json: bool) -> None:
    """Take over settings, sign-ins and the list of handled events of an earlier bot from DIR; DIR stays as it is."""
    found = sources.gather(surroundings(here.environ))
    _refuse_what_is_no_other(directory, found.data)
    vault = Vault(found.data, given_key(here.environ))
    try:
        bot = read(directory, vault.decrypt, here.environ, without=found.data)
    except OSError as error:
        reports.say(f"{directory} cannot be read: {error.strerror}. Correct its permissions.", err=True)
        raise click.exceptions.Exit(FAILED) from None
    given = Given(found, vault, Wallet(found.data, vault), here.clock, replace=replace)
    plan = handover.planned(bot, given)
    if dry_run:
        items = plan.items
    elif plan.handled is not None:
        with _store(found.data) as database:
            items = handover.carried_out(plan, database)
    else:
        items = handover.carried_out(plan, None)
    _tell(items, _what_next(bot, given, items, here, dry_run=dry_run), dry_run=dry_run, as_json=as_json)


def _refuse_what_is_no_other(directory: Path, data: Path) -> None:
    """Return where the directory may be an earlier bot's; end the command otherwise."""
    if not directory.exists():
        reports.say(f"There is no directory {directory}.", err=True)
        raise click.exceptions.Exit(NOT_FOUND)
    if not directory.is_dir():
        reports.say(f"{directory} is no directory; name the one that the earlier bot ran in.", err=True)
        raise click.exceptions.Exit(USAGE)
    if directory.resolve() == data.resolve():
        reports.say(f"{directory} is Calbot's own data directory; name the one that the earlier bot ran in.", err=True)
        raise click.exceptions.Exit(USAGE)


@contextlib.contextmanager
def _store(data: Path) -> Iterator[Database]:
    """Give the store to write, also beside the running service. Raises StoreError."""
    database = Database(data)
    try:
        database.open()
    except DirectoryInUse:
        database.open_beside()
        (version,) = database.read().execute("PRAGMA user_version").fetchone()
        if version != len(MIGRATIONS):
            database.close()
            raise StoreError("The running Calbot is of another version. Restart it, then import again.") from None
    try:
        yield database
    finally:
        database.close()


def _tell(items: tuple[Item, ...], then: list[str], *, dry_run: bool, as_json: bool) -> None:
    """Print the report, and end with its exit code."""
    states = {item.state for item in items}
    if as_json:
        groups = {word: [_of_item(item) for item in items if item.state == state] for state, word in _GROUPS.items()}
        reports.put({"dry_run": dry_run, **groups, "next": then})
    else:
        if dry_run:
            reports.say("This is what an import would do; nothing is written.")
        for item in sorted(items, key=lambda item: [*_MARKS].index(item.state)):
            reports.say(f"{_MARKS[item.state]:10} {item.name}: {item.text}", err=item.state == "refused")
        if not items:
            reports.say("There is nothing of an earlier bot in that directory.", err=True)
        for number, step in enumerate(then, 1):
            reports.say(f"{'Next:' if number == 1 else '':10} {number}. {step}")
    if not states & _GOT:
        raise click.exceptions.Exit(FAILED)
    if "refused" in states:
        raise click.exceptions.Exit(PARTIAL)


def _of_item(item: Item) -> Mapping[str, str]:
    return {"part": item.part, "name": item.name, "text": item.text, "account": item.account}


def _what_next(bot: EarlierBot, given: Given, items: tuple[Item, ...], here: Here, *, dry_run: bool) -> list[str]:
    """Return what is to be done now, one sentence each."""
    got = {item.part for item in items if item.state in _GOT}
    accounts = dict.fromkeys(item.account for item in items if item.sign_in)
    sign_ins = [f"Sign in: calbot login{f' --account {one}' if one else ''}" for one in accounts]
    if not got:
        where = "Name the directory that holds the bot's token_….json, processed_events.json or .env.encrypted."
        return sign_ins or [where]
    if dry_run:
        return ["Import it: the same command without --dry-run."]
    then = ["Stop the earlier bot for good, or both invite.", *sign_ins]
    running = local.is_running(given.found.data)
    if "env" in got and running:
        then.append("Restart Calbot: it reads the settings at its start.")
    if given_key(here.environ) is not None:
        then.append(f"Keep {VARIABLE} set wherever Calbot runs: what was taken is sealed with it.")
    try:
        found = sources.gather(surroundings(here.environ))
        then += _about_what_was(bot, found)
        then += _about_accounts(given, sources.settings(found)[0])
    except BadOptions as error:
        then.append(f"Correct the options, or Calbot does not start: {error}")
    then.append("See whether all is well: calbot check, and calbot preview.")
    then.append("Delete the earlier bot's directory when all is well: it is as it was, and holds secrets.")
    return then


def _about_what_was(bot: EarlierBot, found: Found) -> Iterator[str]:
    """Yield what is to be known of events and copies that were there before."""
    first_sync = found.values.get("first_sync") or "ignore"
    if bot.processed is None:
        keep = (
            "Leave first_sync at ignore" if first_sync == "ignore" else "Set first_sync to ignore before Calbot starts"
        )
        yield (
            f"{keep}: without the list of handled events nobody knows whom the bot has invited. Events that exist now "
            "are then left alone until they change."
        )
    if found.values.get("central_calendar"):
        beside = "" if first_sync == "ignore" else " With first_sync: invite_future it makes its own beside them."
        yield f"Copies that the bot made on the central calendar are left alone, and never deleted.{beside}"


def _about_accounts(given: Given, settings: Settings) -> Iterator[str]:
    """Yield which accounts are signed in and not looked at, and the other way round."""
    chosen, signed_in = {one.email for one in settings.accounts}, {one.email for one in given.wallet.accounts()}
    for email in sorted(chosen - signed_in):
        yield f"Sign in {email}, whom accounts names: calbot login --account {email}"
    for email in sorted(signed_in - chosen) if chosen else ():
        yield f"Add {email} to accounts, or nobody looks at its calendars: it is signed in, and accounts names others."
