"""`calbot alerts`: what stands, what people have taken note of, and a test by every way that the options name."""

import contextlib
import dataclasses
import datetime as dt
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from addon import options, supervisor
from addon.alerts import alerts as store
from addon.alerts.asked import NO_WAY, acknowledgement, result
from addon.alerts.bringing import Channel
from addon.alerts.channels import channels
from addon.alerts.courier import Courier
from addon.alerts.judge import Trouble
from addon.alerts.mail import by_gmail
from addon.options import Options
from addon.supervisor import Supervisor
from calbot.commandline import local, reports
from calbot.commandline.local import FAILED, NOT_FOUND, PARTIAL, USAGE, Args, Here, RunningService, pass_here
from calbot.envfile import surroundings
from calbot.errors import BadOptions
from calbot.model import Answer
from calbot.store.database import Database
from calbot.vault import given_key

_CODES = {"not_found": NOT_FOUND, "invalid": USAGE}


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print the alerts as JSON.")
@click.pass_context
def alerts(context: click.Context, *, as_json: bool) -> None:
    """List the alerts that stand; acknowledge them, and test the ways by which they reach you."""
    if context.invoked_subcommand is None:
        _list(context.ensure_object(Here), as_json=as_json)
    elif as_json:
        raise click.UsageError("Write --json behind the command that it is for.")


@alerts.command()
@click.argument("alert", metavar="ID", required=False)
@click.option("--all", "everything", is_flag=True, help="All that stand.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
@pass_here
def ack(here: Here, *, alert: str | None, everything: bool, as_json: bool) -> None:
    """Take it that you know of the alert ID: it stands until it is over, and is not told again."""
    if (alert is None) != everything:
        raise click.UsageError("Name one alert, or write --all.")
    data = local.wanted(here).data
    if local.is_running(data):
        answer = _asked(here, data, "ack_alert", {"id": alert} if alert is not None else {"all": True})
    else:
        with contextlib.closing(Database(data)) as database:
            database.open()
            with database.write() as tx:
                answer = acknowledgement(alert, found=store.acknowledge(tx, alert))
    if as_json:
        reports.put(reports.of_ran(answer, (), ()))
    if not as_json or answer.status == "error":
        reports.say(answer.message, err=answer.status == "error")
    _exit(answer)


@alerts.command()
@click.option("--json", "as_json", is_flag=True, help="Print what became of each way as JSON.")
@pass_here
def test(here: Here, *, as_json: bool) -> None:
    """Send a test by every way, and say of each whether it arrived."""
    here = dataclasses.replace(here, environ=surroundings(here.environ))
    wanted, core = options.load(here.environ), _core(here)
    if core is None and not wanted.alerts:
        raise BadOptions(f"alerts: {NO_WAY}")
    if local.is_running(wanted.place.data):
        answer = _asked(here, wanted.place.data, "test_alert", {})
    else:
        answer = result(Courier(_channels(here, wanted, core), here.clock).test())
    if as_json:
        reports.put(reports.of_ran(answer, (), ()))
    else:
        for name, came in answer.data.items():
            reports.say(f"{'ok    ' if came == 'ok' else 'FAILED'}  {name}{'' if came == 'ok' else f': {came}'}")
        if not answer.data:
            reports.say(answer.message, err=True)
    _exit(answer)


def _list(here: Here, *, as_json: bool) -> None:
    what = local.wanted(here)
    with local.reading(what.data) as database:
        found = store.standing(database.read())
    if as_json:
        reports.put({"alerts": [_plain(one) for one in found]})
        return
    zone = ZoneInfo(what.settings.time_zone)
    for one in found:
        since = dt.datetime.fromtimestamp(one.since, zone)
        known = ", acknowledged" if one.acknowledged else "" if one.told else ", not told yet"
        reports.say(f"{one.id}: since {since:%Y-%m-%d %H:%M}{known}")
        for line in one.text.splitlines():
            reports.say(f"  {line}")
    if not found:
        reports.say("No alert stands.")


def _plain(one: Trouble) -> dict[str, object]:
    since = dt.datetime.fromtimestamp(one.since, dt.UTC).isoformat(timespec="seconds")
    told = {"told": one.told, "acknowledged": one.acknowledged}
    return {"id": one.id, "kind": one.kind, "since": since, "text": one.text, **told}


def _core(here: Here) -> Supervisor | None:
    token = here.environ.get("SUPERVISOR_TOKEN", "").strip()
    address = here.environ.get("CALBOT_SUPERVISOR_URL", "").strip() or supervisor.ADDRESS
    return Supervisor(token, address) if token else None


def _channels(here: Here, wanted: Options, core: Supervisor | None) -> tuple[Channel, ...]:
    mail = by_gmail(wanted.place.data, given_key(here.environ), wanted.endpoints, here.clock)
    return channels(core, wanted.notify, wanted.alerts, mail, here.clock, here.random)


def _asked(here: Here, data: Path, name: str, args: Args) -> Answer:
    """Have the running service carry a command out. Raises StoreError."""
    database = Database(data)
    database.open_beside()
    with contextlib.closing(database):
        ran = RunningService(database, here).ask(name, args)
    return ran.answer or Answer(status="error", code="timeout", message=" ".join(ran.problems))


def _exit(answer: Answer) -> None:
    if answer.status == "partial":
        raise click.exceptions.Exit(PARTIAL)
    if answer.status == "error":
        raise click.exceptions.Exit(_CODES.get(answer.code or "", FAILED))
