"""`calbot preview` and `calbot explain`: what would be done and why, read from the store and changed nowhere."""

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path

import click
import msgspec

from calbot import explaining, preview, sources
from calbot.actions import Invite
from calbot.checks import refuse_unknown
from calbot.commandline import reports
from calbot.commandline.local import NOT_FOUND, Here, Wanted, pass_here, reading, wanted, watched
from calbot.errors import BadOptions
from calbot.moments import day_and_time
from calbot.optionfiles import yaml_document
from calbot.preview import AHEAD, BACK, DAY, Foreseen, Orders
from calbot.settings import KEYS
from calbot.sources import SHELL_KEYS
from calbot.status import Effective
from calbot.store import allowance, copyhistory
from calbot.store.database import Database
from calbot.store.history import HeldRun
from calbot.switchboard import Switchboard

MOST_EXPLAINED = 3
MOST_DAYS = 3650


@click.command("preview")
@click.option("--days", type=click.IntRange(1, MOST_DAYS), default=AHEAD, show_default=True, help="How far ahead.")
@click.option("--account", help="Only the calendars of this account.")
@click.option("--rules", "file", type=click.Path(path_type=Path), help="Try the rules in this YAML file instead.")
@click.option("--json", "as_json", is_flag=True, help="Print the preview as JSON.")
@pass_here
def show_preview(here: Here, *, days: int, account: str | None, file: Path | None, as_json: bool) -> None:
    """Show what the rules would do to each event; nothing is done."""
    what = wanted(here) if file is None else _with_rules(wanted(here), file)
    known = foresee(here, what, days=days, back=BACK, account=account)
    if as_json:
        reports.put(known.document())
        return
    if file is not None:
        reports.say(f"The rules of {file.name}, which are not in force:")
    for line in reports.foreseen_lines(known.foreseen, known.names):
        reports.say(line)
    reports.say(known.summary())
    for remark in known.remarks:
        reports.say(remark)
    for run in known.held:
        reports.say(reports.held_line(run, what.settings.time_zone))
        reports.say(f"  calbot approve {run.run_id}, or calbot discard {run.run_id}")


@click.command("explain", short_help="Say what was done about EVENT, and why.")
@click.argument("event")
@click.option("--json", "as_json", is_flag=True, help="Print the explanation as JSON.")
@pass_here
def show_explanation(here: Here, *, event: str, as_json: bool) -> None:
    """Say which rules were tried on EVENT (id, iCalUID, link or a part of the title), and what was done and why."""
    what = wanted(here)
    now, time_zone = here.clock.now(), what.settings.time_zone
    with reading(what.data) as database:
        reader = database.read()
        found = explaining.explain(reader, event, _orders(what, database, now), now)
        past = [copyhistory.with_copies(reader, one.key, one.history, now) for one in found]
        found = tuple(msgspec.structs.replace(one, history=own) for one, own in zip(found, past, strict=True))
        standing = [copyhistory.standing(reader, one.key) for one in found]
        names = copyhistory.names(reader)
    if as_json:
        reports.put([reports.of_explanation(one) for one in found])
    elif len(found) > 1:
        reports.say(f"{len(found)} events fit:")
        for one in found:
            about = f"{reports.when(one.event)}  {reports.title(one.event)}" if one.event is not None else "(gone)"
            reports.say(f"{one.key.event}  {about}  {one.key.account}")
        reports.say()
    if not found:
        reports.say(f"No event that Calbot knows has this id, iCalUID or link, or this in its title: {event}", err=True)
        raise click.exceptions.Exit(NOT_FOUND)
    if as_json:
        return
    for one, copies in list(zip(found, standing, strict=True))[:MOST_EXPLAINED]:
        for line in reports.explanation_lines(one, time_zone, copies, names):
            reports.say(line)
    if len(found) > MOST_EXPLAINED:
        reports.say("For one of the others: calbot explain ID")


@dataclasses.dataclass(frozen=True, slots=True)
class Foresight:
    """A preview with what is to be said beside it: the days it is about, switches, what is held, and the brake.

    `room` is how many invitations the hour has left of its `limit`, `names` what calendars are called, by their ids.
    """

    foreseen: tuple[Foreseen, ...]
    first: str
    last: str
    remarks: tuple[str, ...]
    held: tuple[HeldRun, ...]
    limit: int
    room: int
    names: Mapping[str, str]

    @property
    def invitations(self) -> tuple[Foreseen, ...]:
        """Return the events to come that would be invited to."""
        return tuple(one for one in self.foreseen if not one.past and isinstance(one.action, Invite))

    @property
    def guests(self) -> int:
        """Return how many invitations that would be."""
        return sum(len(one.action.guests) for one in self.invitations if isinstance(one.action, Invite))

    @property
    def copies(self) -> int:
        """Return how many copies would be made of events to come."""
        return sum(len(reports.new_copies(one)) for one in self.foreseen if not one.past)

    def summary(self) -> str:
        """Return all of it in one sentence."""
        if not self.foreseen:
            return f"Calbot knows no event from {self.first} to {self.last}."
        events = _count(len(self.foreseen), "event")
        send = f"send {_count(self.guests, 'invitation')}, to {_count(len(self.invitations), 'event')}"
        make = f"make {self.copies} {'copy' if self.copies == 1 else 'copies'}"
        would = " and ".join([*([send] if self.guests else []), *([make] if self.copies else [])])
        return f"{events} from {self.first} to {self.last}; the rules would {would or 'send nothing'}."

    def document(self) -> dict[str, object]:
        """Return all of it for JSON."""
        return {
            "from": self.first,
            "to": self.last,
            "invite": len(self.invitations),
            "guests": self.guests,
            "copies": self.copies,
            "skip": sum(not one.past for one in self.foreseen) - len(self.invitations),
            "remarks": list(self.remarks),
            "held": [reports.of_held(run) for run in self.held],
            "events": [reports.of_foreseen(one) for one in self.foreseen],
        }


def foresee(here: Here, what: Wanted, *, days: int, back: int, account: str | None) -> Foresight:
    """Read the store and weigh. Raises StoreError, and UsageError for an account that is not looked at."""
    now, time_zone = here.clock.now(), what.settings.time_zone
    looked_at = watched(here, what)
    if account is not None:
        account = account.strip().lower()
        if looked_at is not None and account not in {key.account for key in looked_at}:
            raise click.UsageError(f"There is no account {reports.clean(account)}.")
    with reading(what.data) as database:
        orders = _orders(what, database, now)
        reader = database.read()
        foreseen = preview.preview(reader, orders, now, days=days, back=back, account=account, watched=looked_at)
        switches = _board(what, database).effective()
        held = copyhistory.held(reader)
        names = copyhistory.names(reader)
        used = allowance.sent(reader, now) + allowance.promised(reader, now)
    return Foresight(
        foreseen=foreseen,
        first=day_and_time(now - back * DAY, time_zone)[:10],
        last=day_and_time(now + days * DAY, time_zone)[:10],
        remarks=tuple(_remarks(switches, now)),
        held=tuple(held),
        limit=switches.invites_per_hour,
        room=max(0, switches.invites_per_hour - used),
        names=names,
    )


def _board(what: Wanted, database: Database) -> Switchboard:
    board = Switchboard(what.settings, database)
    board.look()
    return board


def _orders(what: Wanted, database: Database, now: float) -> Orders:
    board = _board(what, database)
    return lambda account: board.orders(account, now).policy


def _remarks(switches: Effective, now: float) -> Iterator[str]:
    if not switches.auto_invite:
        yield "But auto_invite is off: nobody is invited until it is on."
    for account in switches.accounts_off:
        yield f"But auto_invite is off for {account}: nobody is invited there until it is on."
    if not switches.mirroring:
        yield "But mirroring is off: nothing is copied until it is on."
    if switches.dry_run:
        yield "But dry_run is on: nothing is written."
    if switches.paused_until is not None and switches.paused_until > now:
        yield "But Calbot is paused: everything waits."
    for account in switches.accounts_paused:
        yield f"But {account} is paused: everything there waits."


def _with_rules(what: Wanted, file: Path) -> Wanted:
    """Return what is wanted, with a file's rules in the place of the options'. Raises BadOptions."""
    given = _rules_in(file)
    tried = {key: value for key, value in given.items() if key in KEYS}
    found = dataclasses.replace(what.found, values={**what.found.values, **tried}, origin={})
    try:
        refuse_unknown(given, KEYS + SHELL_KEYS)
        settings, notes = sources.settings(found)
    except BadOptions as error:
        raise BadOptions(f"{file.name}: {error}") from None
    return Wanted(found, settings, notes)


def _rules_in(file: Path) -> dict[str, object]:
    try:
        given = yaml_document(file)
    except RecursionError:
        raise BadOptions(f"{file.name}: is nested too deeply; write it flat, as the documentation shows.") from None
    if given is None:
        raise BadOptions(f"{file.name}: there is no such file.")
    if isinstance(given, list):
        return {"rules": given}
    if not isinstance(given, dict) or "rules" not in given:
        raise BadOptions(f"{file.name}: holds no rules; write a list of rules, or rules: with a list.")
    return given


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
