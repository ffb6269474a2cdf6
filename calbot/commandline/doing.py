"""`calbot apply`, `undo`, `approve` and `discard`: carried out by the running service, or here where there is none."""

from collections.abc import Mapping

import click

from calbot.actions import Invite
from calbot.answers import many
from calbot.commandline import reports
from calbot.commandline.local import (
    FAILED,
    NOT_FOUND,
    PARTIAL,
    SIGN_IN,
    USAGE,
    Args,
    Here,
    Place,
    Ran,
    pass_here,
    place,
    reading,
    wanted,
)
from calbot.commandline.looking import MOST_DAYS, foresee
from calbot.preview import AHEAD, Foreseen
from calbot.rules import obvious_rules
from calbot.store import copyhistory

CODES: Mapping[str, int] = {
    "not_found": NOT_FOUND,
    "invalid": USAGE,
    "confirm_required": USAGE,
    "auth_required": SIGN_IN,
}
_INVITING = frozenset({"invited", "mirrored", "copy_removed", "held", "failed"})
_LONGEST_AGO = 90 * 24 * 60
MOST_QUESTIONS = 3  # What is meant may grow while somebody thinks.


@click.command(short_help="Apply the rules to earlier events, too.")
@click.option("--days", type=click.IntRange(1, MOST_DAYS), default=AHEAD, show_default=True, help="How far ahead.")
@click.option("--rule", help="Only what this rule invites to.")
@click.option("--account", help="Only the calendars of this account.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print what happened as JSON.")
@pass_here
def apply(here: Here, *, days: int, rule: str | None, account: str | None, yes: bool, as_json: bool) -> None:
    """Apply the rules to the events that were there before them, too; shows what that does first, and asks."""
    what = wanted(here)
    obvious = obvious_rules(what.settings.invite_emails, what.settings.central_calendar)
    names = [one.name for one in what.settings.rules or obvious]
    if rule is not None and rule not in names:
        raise click.UsageError(f"There is no rule {reports.clean(rule)}; there are: {', '.join(names)}.")
    known = foresee(here, what, days=days, back=0, account=account)
    asked = [one for one in known.foreseen if not one.past and (rule is None or rule in _rules(one))]
    chosen = [one for one in asked if (isinstance(one.action, Invite) and one.waits is None) or _copies(one)]
    for line in reports.foreseen_lines(chosen):
        reports.say(line, err=as_json)
    if not chosen:
        if as_json:
            reports.put(reports.of_ran(None, [], ()))
        reports.say("There is nothing to invite to.", err=as_json)
        return
    for remark in known.remarks:
        reports.say(remark, err=as_json)
    guests = sum(map(_guests, chosen))
    if guests > known.room:
        then = "it waits until there is room" if len(chosen) == 1 else "they are held until calbot approve"
        text = f"The limit of {known.limit} invitations an hour leaves room for {known.room}: {then}."
        reports.say(text, err=as_json)
    made = sum(map(_copies, chosen))
    deeds = [f"send {many(guests, 'invitation')}"] if guests or not made else []
    deeds += [f"make {many(made, 'copy')}"] if made else []
    ask_first(here, f"{' and '.join(deeds)[:1].upper()}{' and '.join(deeds)[1:]}?", yes=yes)
    with place(here, what) as there:
        ran = there.ask("apply", {"days": days, "rule": rule, "account": account and account.strip().lower()})
    report(ran, _INVITING, as_json=as_json)


@click.command(short_help="Take back what Calbot did.")
@click.argument("token", required=False)
@click.option("--last", is_flag=True, help="The last invitation; this is also what is meant without anything.")
@click.option("--event", "event_id", metavar="ID", help="All that Calbot added to this event.")
@click.option("--run", "run_id", metavar="ID", help="All of one run.")
@click.option("--minutes", type=click.IntRange(1, _LONGEST_AGO), help="All of the last minutes.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print what happened as JSON.")
@pass_here
def undo(
    here: Here,
    *,
    token: str | None,
    last: bool,
    event_id: str | None,
    run_id: str | None,
    minutes: int | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Take back what Calbot did: what TOKEN names, or one of the options. What people changed since stays."""
    given = {"token": token, "last": last or None, "event_id": event_id, "run_id": run_id, "minutes": minutes}
    args: dict[str, str | int | float | bool | None] = {key: value for key, value in given.items() if value is not None}
    if len(args) > 1:
        raise click.UsageError("Name one thing: TOKEN, --last, --event, --run or --minutes.")
    with place(here, wanted(here)) as there:
        ran = _ask(here, there, "undo", args or {"last": True}, yes=yes)
    report(ran, frozenset({"undone", "copy_removed", "failed"}), as_json=as_json)


@click.command()
@click.argument("token", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print what happened as JSON.")
@pass_here
def approve(here: Here, *, token: str | None, as_json: bool) -> None:
    """Let what is held go on: all of it, or the run TOKEN."""
    _decide(here, "approve", token, as_json=as_json)


@click.command()
@click.argument("token", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print what happened as JSON.")
@pass_here
def discard(here: Here, *, token: str | None, as_json: bool) -> None:
    """Drop what is held: all of it, or the run TOKEN."""
    _decide(here, "discard", token, as_json=as_json)


def _decide(here: Here, name: str, token: str | None, *, as_json: bool) -> None:
    what = wanted(here)
    with reading(what.data) as database:
        runs = [run for run in copyhistory.held(database.read()) if token in {None, run.run_id}]
    if not runs:
        reports.say("Nothing is held." if token is None else f"Nothing is held under the token {token}.", err=True)
        raise click.exceptions.Exit(NOT_FOUND)
    for run in runs:
        reports.say(reports.held_line(run, what.settings.time_zone), err=as_json)
    with place(here, what) as there:
        ran = there.ask(name, {"token": token})
    report(ran, _INVITING, as_json=as_json)


def _ask(here: Here, there: Place, name: str, args: Args, *, yes: bool) -> Ran:
    """Have a command carried out; where its answer is a question, put it to whoever is there."""
    ran = there.ask(name, args)
    for _ in range(MOST_QUESTIONS):
        token = ran.answer.data.get("confirm_token") if ran.answer is not None else None
        if ran.answer is None or ran.answer.code != "confirm_required" or token is None:
            break
        reports.say(ran.answer.message, err=True)
        ask_first(here, "Go on?", yes=yes)
        ran = there.ask(name, {**args, "confirm": token})
    return ran


def ask_first(here: Here, question: str, *, yes: bool) -> None:
    """Return when it may be done; end the command otherwise."""
    if yes:
        return
    if not here.can_ask():
        reports.say("Nothing was done: there is no terminal to ask at. Add --yes if you mean it.", err=True)
        raise click.exceptions.Exit(USAGE)
    if not click.confirm(question, err=True):
        reports.say("Nothing was done.", err=True)
        raise click.exceptions.Exit(FAILED)


def report(ran: Ran, kinds: frozenset[str], *, as_json: bool) -> None:
    """Print what came of it, and end with its exit code."""
    answer = ran.answer
    outcomes = [outcome for outcome in ran.outcomes if outcome.event_type in kinds]
    if as_json:
        reports.put(reports.of_ran(answer, outcomes, ran.problems))
    else:
        for outcome in outcomes:
            if len(outcomes) > 1 or outcome.event_type not in {
                "undone",
                "copy_removed",
            }:  # The answer itself tells of a single one.
                reports.say(reports.outcome_line(outcome))
    if answer is not None and (not as_json or answer.status == "error"):
        reports.say(answer.message or answer.status, err=answer.status == "error")
    for problem in ran.problems:
        if answer is None or problem not in answer.message:
            reports.say(f"problem: {problem}", err=True)
    if answer is None:
        raise click.exceptions.Exit(SIGN_IN if ran.sign_in_needed else FAILED)
    if answer.status == "partial":
        raise click.exceptions.Exit(PARTIAL)
    if answer.status == "error":
        raise click.exceptions.Exit(CODES.get(answer.code or "", FAILED))


def _rules(one: Foreseen) -> frozenset[str]:
    """Return the names of the rules that speak for the event."""
    return frozenset(rule.rule for rule in one.tried if rule.matched)


def _copies(one: Foreseen) -> int:
    """Return how many copies are yet to be made of the event."""
    return len(reports.new_copies(one))


def _guests(one: Foreseen) -> int:
    return len(one.action.guests) if isinstance(one.action, Invite) and one.waits is None else 0
