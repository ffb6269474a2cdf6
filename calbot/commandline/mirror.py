"""`calbot mirror verify` and `calbot mirror purge`: are the copies as they should be, and away with unwanted ones."""

from collections.abc import Callable, Iterator, Mapping

import click
import msgspec

from calbot import purge
from calbot.commandline import reports
from calbot.commandline.doing import CODES
from calbot.commandline.local import (
    FAILED,
    NOT_FOUND,
    PARTIAL,
    SIGN_IN,
    Here,
    Patience,
    Ran,
    Wanted,
    pass_here,
    place,
    reading,
    watched,
)
from calbot.commandline.local import accounts as signed_in
from calbot.commandline.local import wanted as options
from calbot.errors import SignInNeeded
from calbot.model import Event
from calbot.policy import Policy
from calbot.purge import Leaving
from calbot.sides import Verified, verified
from calbot.status import Effective
from calbot.store import targets
from calbot.store.database import Database
from calbot.switchboard import Switchboard
from calbot.verify import Difference


@click.group()
def mirror() -> None:
    """Look after the copies that Calbot keeps on other calendars."""


@mirror.command("verify")
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
@pass_here
def show_differences(here: Here, *, as_json: bool) -> None:
    """Compare every copy with its original, as Google has both now; nothing is changed."""
    what = options(here)
    looked_at = watched(here, what)
    if looked_at is None:
        raise SignInNeeded("Nobody is signed in yet; run: calbot login", "auth_revoked")
    with reading(what.data) as database:
        orders = _orders(_board(what, database), here.clock.now())
        rules = [rule for email in {key.account for key in looked_at} for rule in orders(email).rules]
        targets = {rule.mirror for rule in rules if rule.mirror is not None}
        found = verified(database, signed_in(here, what).calendars, looked_at, targets, Patience(here).lasts)
    if as_json:
        reports.put({**msgspec.to_builtins(found.compared), "problems": list(found.problems)})
    else:
        for one in found.compared.differences:
            reports.say(_difference_line(one))
        reports.say(_sum(found))
    for problem in found.problems:
        reports.say(f"problem: {problem}", err=True)
    if found.problems:
        raise click.exceptions.Exit(FAILED)
    if found.compared.differences:
        raise click.exceptions.Exit(PARTIAL)


def _difference_line(one: Difference) -> str:
    event = Event(id=one.event_id, etag="", title=one.title, start=one.start)
    return f"{reports.when(event):20}  {reports.title(event)}  {one.target}: {one.text}"


def _sum(found: Verified) -> str:
    compared = found.compared
    count = len(compared.differences)
    there = f"{_many(compared.copies, ('copy', 'copies'))} on {_many(compared.calendars, ('calendar', 'calendars'))}"
    if count:
        said = f"{there}: {_many(count, ('difference', 'differences'))}."
    elif found.problems:
        said = f"{there}; not everything could be read."
    else:
        said = f"{there}: all as they should be." if compared.copies else "There are no copies."
    beside = [
        f"{compared.waiting} {'waits' if compared.waiting == 1 else 'wait'}" if compared.waiting else "",
        f"{compared.by_hand} deleted by hand" if compared.by_hand else "",
        f"{compared.kept} without an original" if compared.kept else "",
        f"{compared.unread} could not be compared" if compared.unread else "",
        f"{compared.others} of another Calbot" if compared.others else "",
    ]
    more = ", ".join(filter(None, beside))
    return f"{said} {more}.".strip() if more else said


@mirror.command("purge")
@click.option("--target", metavar="CALENDAR", help="Only copies on the calendar with this id.")
@click.option("--all", "every", is_flag=True, help="Every copy, also those that the rules ask for.")
@click.option("--yes", is_flag=True, help="Do it; without this it is only shown.")
@click.option("--confirm", metavar="TOKEN", help="What was asked back, where many copies would go at once.")
@click.option("--json", "as_json", is_flag=True, help="Print what would go, or what happened, as JSON.")
@pass_here
def take_away(here: Here, *, target: str | None, every: bool, yes: bool, confirm: str | None, as_json: bool) -> None:
    """Take away the copies that the rules would not make now; without --yes they are only listed."""
    what = options(here)
    target = target.strip().lower() if target is not None else None
    if yes:
        with place(here, what) as there:
            ran = there.ask("purge", {"target": target, "all": every or None, "confirm": confirm})
        _report(ran, _command(target, every=every), as_json=as_json)
        return
    with reading(what.data) as database:
        board, tx, now = _board(what, database), database.read(), here.clock.now()
        if target is not None and target not in targets.in_use(tx):
            reports.say(f"There are no copies on {target}.", err=True)
            raise click.exceptions.Exit(NOT_FOUND)
        going = purge.leaving(tx, _orders(board, now), now, target=target, every=every, watched=watched(here, what))
    if as_json:
        reports.put([_of_leaving(one) for one in going])
        return
    for one in going:
        reports.say(_leaving_line(one))
    if not going:
        reports.say("There is nothing to take away.")
        return
    reports.say(f"{_many(len(going), ('copy', 'copies'))} would be taken away: {_command(target, every=every)}")
    for remark in _remarks(board.effective(), now):
        reports.say(remark)


def _board(what: Wanted, database: Database) -> Switchboard:
    board = Switchboard(what.settings, database)
    board.look()
    return board


def _orders(board: Switchboard, now: float) -> Callable[[str], Policy]:
    return lambda account: board.orders(account, now).policy


def _command(target: str | None, *, every: bool) -> str:
    words = ["calbot mirror purge", f"--target {target}" if target is not None else "", "--all" if every else ""]
    return " ".join([*filter(None, words), "--yes"])


def _report(ran: Ran, command: str, *, as_json: bool) -> None:
    """Print what came of a purge, and end with its exit code."""
    answer = ran.answer
    if as_json:
        reports.put(
            reports.of_ran(answer, (one for one in ran.outcomes if one.event_type == "copy_removed"), ran.problems)
        )
    if answer is None or answer.status == "error":
        for text in (*((answer.message,) if answer is not None else ()), *ran.problems):
            reports.say(text, err=True)
        if answer is not None and (token := answer.data.get("confirm_token")) is not None:
            reports.say(f"{command} --confirm {token}", err=True)
    elif not as_json:
        for one in ran.outcomes:
            if one.event_type == "copy_removed":
                reports.say(reports.outcome_line(one))
        reports.say(answer.message)
        for problem in ran.problems:
            if problem not in answer.message:
                reports.say(f"problem: {problem}", err=True)
    if answer is None:
        raise click.exceptions.Exit(SIGN_IN if ran.sign_in_needed else FAILED)
    if answer.status == "partial":
        raise click.exceptions.Exit(PARTIAL)
    if answer.status == "error":
        raise click.exceptions.Exit(CODES.get(answer.code or "", FAILED))


def _leaving_line(one: Leaving) -> str:
    return f"{reports.when(one.event):20}  {reports.title(one.event)}  {one.calendar_name}: {one.why}"


def _of_leaving(one: Leaving) -> Mapping[str, object]:
    return {
        "target": one.copy.target,
        "calendar_name": one.calendar_name,
        "copy_id": one.copy.event_id,
        "title": one.event.title,
        "start": one.event.start,
        "why": one.why,
    }


def _remarks(switches: Effective, now: float) -> Iterator[str]:
    if switches.dry_run:
        yield "But dry_run is on: nothing is taken away until it is off."
    if not switches.mirroring:
        yield "But mirroring is off: they go when it is on again."
    if switches.paused_until is not None and switches.paused_until > now:
        yield "But Calbot is paused: they go when it goes on."
    for account in switches.accounts_paused:
        yield f"But {account} is paused: what it writes goes when it goes on."


def _many(count: int, nouns: tuple[str, str]) -> str:
    return f"{count} {nouns[0] if count == 1 else nouns[1]}"
