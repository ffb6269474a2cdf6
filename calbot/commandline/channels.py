"""`calbot channels` and `calbot channels renew`: where Google pushes changes to, until when, and new ones on demand."""

from collections.abc import Iterator, Mapping

import click

from calbot.commandline import reports
from calbot.commandline.doing import report
from calbot.commandline.local import (
    FAILED,
    NOT_FOUND,
    Here,
    Wanted,
    is_running,
    pass_here,
    place,
    reading,
    wanted,
    watched,
)
from calbot.copyrules import calendar_of
from calbot.model import CalendarKey, Channel, Notice, Noun
from calbot.moments import day_and_time
from calbot.store import channels as channel_store
from calbot.store import outbox, targets
from calbot.store.database import Tx

MOST_NEWS = 500
_WORDS = {
    "healthy": "Google pushes",
    "waiting": "open, but nothing has come through it yet",
    "opening": "is being opened",
    "failed": "Google opened none",
    "off": "polled only, as push_url is not set",
    "expired": "has run out",
    "replaced": "was replaced and is to be stopped",
    "other_address": "leads to another address than push_url",
}


class Told(Noun, frozen=True):
    """How push is for one calendar, by one channel or without any. Instants in epoch seconds."""

    key: CalendarKey
    state: str
    why: str | None = None
    channel: Channel | None = None


@click.group(invoke_without_command=True, short_help="List the push channels, or renew them.")
@click.option("--json", "as_json", is_flag=True, help="Print the channels as JSON.")
@click.pass_context
@pass_here
def channels(here: Here, context: click.Context, *, as_json: bool) -> None:
    """List the push channels: each calendar's state, when it runs out, since when pushes come through it.

    Without push_url there are none, and Calbot polls. The running service opens and renews them by itself.
    """
    if context.invoked_subcommand is not None:
        return
    what = wanted(here)
    now, address = here.clock.now(), what.settings.push_url
    with reading(what.data) as database:
        told = [*_all(database.read(), here, what, now)]
    if as_json:
        reports.put({"push_url": address, "channels": [_of_told(one) for one in told]})
        return
    reports.say(f"push_url: {address or 'none; Calbot polls'}")
    for one in told:
        reports.say(_line(one, what.settings.time_zone))
    if not told:
        reports.say("No calendar is watched yet.")


@channels.command("renew")
@click.option("--account", help="Only the channels of this account.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
@pass_here
def renew(here: Here, *, account: str | None, as_json: bool) -> None:
    """Have the running service open new channels now; the old ones are stopped after that."""
    what = wanted(here)
    if account is not None:
        account = account.strip().lower()
        if account not in {key.account for key in watched(here, what) or ()}:
            reports.say(f"There is no account {account}.", err=True)
            raise click.exceptions.Exit(NOT_FOUND)
    if not is_running(what.data):
        text = "Calbot does not run here, and only the running service opens push channels. Start it: calbot run"
        reports.say(text, err=True)
        raise click.exceptions.Exit(FAILED)
    with place(here, what) as there:
        ran = there.ask("renew_channels", {"account": account})
    report(ran, frozenset(), as_json=as_json)


def _all(tx: Tx, here: Here, what: Wanted, now: float) -> Iterator[Told]:
    """Yield every channel that is known, and every calendar that has none. Raises sqlite3.Error."""
    known = channel_store.everything(tx)
    sources = watched(here, what) or frozenset()
    read = {(key.account, calendar_of(key)) for key in sources}
    written = {
        CalendarKey(*one) for one in ((who, target) for target, who in targets.writers(tx).items()) if one not in read
    }
    keys = {*sources, *written, *(channel.key for channel in known)}
    news = [row.content for row in outbox.latest(tx, "system", MOST_NEWS) if isinstance(row.content, Notice)]
    for key in sorted(keys, key=lambda key: (key.account, key.calendar)):
        own = [channel for channel in known if channel.key == key]
        newest = max((one for one in own if _is_live(one, what, now)), key=lambda one: one.created, default=None)
        for channel in own:
            yield Told(key, _state(channel, newest, what, now), channel=channel)
        if newest is None and what.settings.push_url is None:
            yield Told(key, "off")
        elif not own:
            last = next((one for one in news if (one.account, one.calendar) == (key.account, key.calendar)), None)
            failed = last is not None and last.event_type == "channel_failed"
            yield Told(key, "failed" if failed else "waiting", last.text if last is not None and failed else None)


def _is_live(channel: Channel, what: Wanted, now: float) -> bool:
    ends = channel.expires is not None and channel.expires <= now
    return not ends and channel.address == what.settings.push_url and channel.resource_id is not None


def _state(channel: Channel, newest: Channel | None, what: Wanted, now: float) -> str:
    if channel.expires is not None and channel.expires <= now:
        return "expired"
    if channel.address != what.settings.push_url:
        return "other_address"
    if channel.resource_id is None:
        return "opening"
    if newest is not None and channel.id != newest.id:
        return "replaced"
    return "healthy" if channel.confirmed is not None else "waiting"


def _line(one: Told, time_zone: str) -> str:
    who = f"{one.key.account}, {one.key.calendar}"
    if one.channel is None:
        words = "has no channel yet" if one.state == "waiting" else _WORDS[one.state]
        return f"{who}: {one.why or words}"
    parts = [_WORDS[one.state]]
    if one.channel.confirmed is not None:
        parts.append(f"since {day_and_time(one.channel.confirmed, time_zone)}")
    if one.channel.expires is not None and one.state != "expired":
        parts.append(f"until {day_and_time(one.channel.expires, time_zone)}")
    return f"{who}: {', '.join(parts)}"


def _of_told(one: Told) -> Mapping[str, object]:
    channel = one.channel
    return {
        "account": one.key.account,
        "calendar": one.key.calendar,
        "state": one.state,
        "why": one.why,
        "id": channel.id if channel is not None else None,
        "address": channel.address if channel is not None else None,
        "opened": channel.created if channel is not None else None,
        "expires": channel.expires if channel is not None else None,
        "first_push": channel.confirmed if channel is not None else None,
    }
