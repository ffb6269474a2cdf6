"""`calbot accounts`: which accounts there are and how they stand; signing them in, letting them send mail, removing."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import click
import msgspec

from calbot import purge
from calbot.commandline import reports
from calbot.commandline.doing import CODES, ask_first
from calbot.commandline.local import (
    FAILED,
    NOT_FOUND,
    PARTIAL,
    SIGN_IN,
    Here,
    Place,
    Ran,
    pass_here,
    place,
    reading,
    wanted,
)
from calbot.commandline.login import browser_option, client_option, sign_in, wallet_of
from calbot.errors import StoreError
from calbot.google import consent
from calbot.google.consent import MAIL, Google
from calbot.google.wallet import Kept, Wallet
from calbot.model import Noun

AGAIN = "sign in again"
_NAMED = "The option accounts names it: take it out there too, or Calbot goes on asking you to sign in."
_SHORT = 12


class Account(Noun, frozen=True):
    """One account as it is listed. `ends_at` in RFC 3339, where Google named an end; `mail` is yes, no or AGAIN."""

    email: str
    state: str
    ends_at: str | None
    client: str
    missing: tuple[str, ...]
    mail: str
    calendars: tuple[str, ...]


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print the accounts as JSON.")
@click.pass_context
@pass_here
def accounts(here: Here, context: click.Context, *, as_json: bool) -> None:
    """List the Google accounts, or sign them in and remove them."""
    if context.invoked_subcommand is not None:
        return
    found = _listed(here)
    if as_json:
        reports.put(msgspec.to_builtins(found))
        return
    for one in found:
        for line in _lines(one):
            reports.say(line)
    if not found:
        reports.say("Nobody is signed in yet; run: calbot accounts add")


@accounts.command()
@client_option
@browser_option
@pass_here
def add(here: Here, *, client_file: Path | None, browser: bool | None) -> None:
    """Sign in a further account."""
    sign_in(here, "", client_file=client_file, browser=browser)


@accounts.command("sign-in")
@click.argument("email")
@client_option
@browser_option
@pass_here
def renew(here: Here, *, email: str, client_file: Path | None, browser: bool | None) -> None:
    """Sign the account EMAIL in again; with --client by a client of its own, which leaves the others theirs."""
    email = _known(here, email)
    sign_in(here, email, client_file=client_file, browser=browser)


@accounts.command()
@click.argument("email")
@click.option("--remove", "away", is_flag=True, help="No longer; the account's calendars stay signed in.")
@client_option
@browser_option
@pass_here
def mail(here: Here, *, email: str, away: bool, client_file: Path | None, browser: bool | None) -> None:
    """Let Calbot send its alerts as mail from the account EMAIL: a permission of its own, for nothing else."""
    email = email.strip().lower()
    if not away:
        sign_in(here, email, client_file=client_file, browser=browser, purpose=MAIL)
        return
    wallet, _ = wallet_of(here)
    if email not in {one.email for one in wallet.mail_accounts()}:
        reports.say(f"Calbot sends no mail from {email}.", err=True)
        raise click.exceptions.Exit(NOT_FOUND)
    wallet.remove_mail(email)
    reports.say(
        f"Calbot sends no mail from {email} any more. Google goes on listing the permission; ending it there ends the "
        "sign-in of its calendars with it."
    )


@accounts.command()
@click.argument("email")
@click.option(
    "--purge-copies/--keep-copies",
    "purges",
    default=None,
    help="Take the copies away that stand on its events alone, before it goes; they are kept otherwise.",
)
@click.option("--revoke", is_flag=True, help="Have Google end the permission, too: all that it gave to the project.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--confirm", metavar="TOKEN", help="What was asked back, where many copies would go at once.")
@pass_here
def remove(here: Here, *, email: str, purges: bool | None, revoke: bool, yes: bool, confirm: str | None) -> None:
    """Remove the account EMAIL. Events, invitations, and what is remembered of them stay."""
    email = _known(here, email)
    wallet, google = wallet_of(here)
    count = _copies(here, email)
    ask_first(here, f"Remove {email}? Its sign-in is deleted, and its calendars are no longer watched.", yes=yes)
    if purges is None:
        stand = "copy stands" if count == 1 else "copies stand"
        question = f"{count} {stand} on its events alone. Take {'it' if count == 1 else 'them'} away first?"
        purges = bool(count) and not yes and click.confirm(question, default=False, err=True)
    if purges:
        _take_copies_away(here, email, confirm, yes=yes, revoke=revoke)
    if revoke:
        _end_at_google(wallet, google, email)
    wallet.remove(email)
    stay = f" {count} {'copy stays' if count == 1 else 'copies stay'}." if count and not purges else ""
    reports.say(f"{email} is removed.{stay}")
    if email in _chosen(here):
        reports.say(_NAMED)


def _listed(here: Here) -> tuple[Account, ...]:
    """Return every account that is signed in, sends mail, or is named by the options. Raises BadOptions."""
    wallet, _ = wallet_of(here)
    kept = {one.email: one for one in wallet.accounts()}
    mails = {one.email: one for one in wallet.mail_accounts()}
    settings = wanted(here).settings
    calendars = settings.calendars(kept)
    zone, now = ZoneInfo(settings.time_zone), here.clock.now()
    found = []
    for email in dict.fromkeys((*kept, *_chosen(here), *mails)):
        one = kept.get(email) or Kept(email, usable=False)
        ends = datetime.fromtimestamp(one.expires_at, zone) if one.expires_at is not None else None
        over = one.expires_at is not None and one.expires_at <= now
        if email not in kept:
            state = "not signed in" if email in calendars else "sends mail only"
        elif not one.usable or one.missing or over:
            state = AGAIN
        else:
            state = f"ends on {ends:%a %Y-%m-%d %H:%M}" if ends is not None else "signed in"
        may_send = mails.get(email)
        found.append(
            Account(
                email=email,
                state=state,
                ends_at=ends.isoformat(timespec="seconds") if ends is not None else None,
                client=one.client_id,
                missing=one.missing,
                mail="no" if may_send is None else "yes" if may_send.usable and not may_send.missing else AGAIN,
                calendars=calendars.get(email, ()),
            )
        )
    return tuple(found)


def _lines(one: Account) -> list[str]:
    lines = [f"{one.email}: {one.state}"]
    if one.calendars:
        lines.append(f"  calendars  {', '.join(one.calendars)}")
    elif one.state not in {"not signed in", "sends mail only"}:
        lines.append("  calendars  none: the option accounts names others only")
    if one.client:
        short = one.client if len(one.client) <= _SHORT else f"{one.client[:_SHORT]}…"
        lines.append(f"  client     {short}")
    if one.missing:
        lines.append(f"  missing    {', '.join(f'“{box}”' for box in one.missing)}")
    if one.mail != "no":
        again = f": calbot accounts mail {one.email}" if one.mail == AGAIN else ""
        lines.append(f"  mail       {one.mail}{again}")
    if one.state in {AGAIN, "not signed in"}:
        lines.append(f"  next       calbot accounts sign-in {one.email}")
    return lines


def _known(here: Here, email: str) -> str:
    """Return the account as it is kept. Ends the command with 4 when there is none of this name."""
    email = email.strip().lower()
    wallet, _ = wallet_of(here)
    there = [one.email for one in (*wallet.accounts(), *wallet.mail_accounts())]
    if email not in {*there, *_chosen(here)}:
        known = ", ".join(dict.fromkeys(there)) or "none yet"
        reports.say(f"There is no account {email}; there are: {known}. To sign it in: calbot accounts add", err=True)
        raise click.exceptions.Exit(NOT_FOUND)
    return email


def _chosen(here: Here) -> tuple[str, ...]:
    return tuple(one.email for one in wanted(here).settings.accounts)


def _copies(here: Here, email: str) -> int:
    """Return how many copies stand on the account's events alone; none before there is a store."""
    try:
        with reading(wanted(here).data) as database:
            return purge.left_of(database.read(), email)
    except StoreError:
        return 0


def _take_copies_away(here: Here, email: str, confirm: str | None, *, yes: bool, revoke: bool) -> None:
    """Return when no copy stands on the account's events alone any more; end the command otherwise."""
    with place(here, wanted(here)) as there:
        ran = _purged(here, there, email, confirm, yes=yes)
    for outcome in ran.outcomes:
        if outcome.event_type == "copy_removed":
            reports.say(reports.outcome_line(outcome))
    answer = ran.answer
    if answer is not None and answer.status == "ok":
        reports.say(answer.message)
    if answer is not None and not _copies(here, email):  # Another account may have taken over what one was asked.
        return
    said = [answer.message] if answer is not None and answer.status != "ok" else []
    for text in dict.fromkeys((*said, *(one for one in ran.problems if one not in "".join(said)))):
        reports.say(text, err=True)
    reports.say(f"{email} stays signed in.", err=True)
    if answer is not None and (token := answer.data.get("confirm_token")) is not None:
        words = f"calbot accounts remove {email} --purge-copies{' --revoke' if revoke else ''}"
        reports.say(f"{words} --yes --confirm {token}", err=True)
    code = CODES.get(answer.code or "", PARTIAL) if answer is not None else PARTIAL
    raise click.exceptions.Exit(PARTIAL if code == SIGN_IN else code)


def _purged(here: Here, there: Place, email: str, confirm: str | None, *, yes: bool) -> Ran:
    """Have the copies taken away; where so many are to be confirmed, whoever is there is asked."""
    args: Mapping[str, str | int | float | bool | None] = {"account": email, "confirm": confirm}
    ran = there.ask("purge", args)
    token = ran.answer.data.get("confirm_token") if ran.answer is not None else None
    if ran.answer is None or token is None or yes or not here.can_ask():
        return ran
    reports.say(ran.answer.message, err=True)
    if not click.confirm("Go on?", err=True):
        return ran
    return there.ask("purge", {**args, "confirm": token})


def _end_at_google(wallet: Wallet, google: Google, email: str) -> None:
    """Have Google end what the account granted. Ends the command with 5 when it cannot be asked: nothing is removed."""
    tokens = [one for one in (wallet.token(email), wallet.mail(email)) if one is not None]
    if not tokens:
        reports.say(
            f"The sign-in of {email} cannot be opened, so Google cannot be told; end the permission at "
            "myaccount.google.com/connections.",
            err=True,
        )
        raise click.exceptions.Exit(FAILED)
    for token in tokens:
        if not consent.revoke(token.refresh_token, google):
            reports.say(
                f"Google cannot be reached, so the permission goes on and {email} stays. Try again later, or leave out "
                "--revoke.",
                err=True,
            )
            raise click.exceptions.Exit(PARTIAL)
    also = " That it may send mail ended with it." if wallet.mail(email) is not None else ""
    reports.say(f"Google has ended the permission of {email}.{also}")
