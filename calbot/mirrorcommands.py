"""`calbot mirror verify` and `calbot mirror purge`: are the copies as they should be, and away with unwanted ones."""

from collections.abc import Callable, Iterable, Iterator, Mapping

import click
import msgspec

from calbot import purge, reports
from calbot.copyrules import calendar_of
from calbot.doing import CODES
from calbot.errors import GoogleError, NotFound, SignInNeeded
from calbot.local import (
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
from calbot.local import accounts as signed_in
from calbot.local import wanted as options
from calbot.model import CalendarKey, Event, Gone, Noun
from calbot.policy import Policy
from calbot.ports import Calendars
from calbot.purge import Leaving
from calbot.status import Effective
from calbot.store import calendars, copies
from calbot.store.database import Database, Tx
from calbot.switchboard import Switchboard
from calbot.verify import Book, Compared, Difference, Side, compare

Connect = Callable[[str], Calendars]


@click.group()
def mirror() -> None:
    """Look after the copies that Calbot keeps on other calendars."""


class Verified(Noun, frozen=True):
    """What comparing came to, and a sentence for each calendar that could not be read."""

    compared: Compared
    problems: tuple[str, ...]


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
        for problem in found.problems:
            reports.say(f"problem: {problem}", err=True)
        reports.say(_sum(found))
    if found.problems:
        raise click.exceptions.Exit(FAILED)
    if found.compared.differences:
        raise click.exceptions.Exit(PARTIAL)


def verified(
    database: Database,
    connect: Connect,
    looked_at: Iterable[CalendarKey],
    targets: Iterable[str],
    tick: Callable[[], object],
) -> Verified:
    """Read all that is needed, wholly, and compare. Raises SignInNeeded.

    What differs is looked at once more: it may have been on its way.
    """
    look = _Reader(database, connect, frozenset(looked_at), frozenset(targets), tick)
    first = look.verified()
    if not first.compared.differences:
        return first
    again = look.verified()
    lasting = tuple(one for one in again.compared.differences if one in first.compared.differences)
    return Verified(msgspec.structs.replace(again.compared, differences=lasting), again.problems)


class _Reader:
    """Reads both sides of all copies from Google, and the store; it writes nothing."""

    def __init__(
        self,
        database: Database,
        connect: Connect,
        looked_at: frozenset[CalendarKey],
        targets: frozenset[str],
        tick: Callable[[], object],
    ) -> None:
        self._database = database
        self._connect = connect
        self._looked_at = looked_at
        self._targets = targets
        self._tick = tick
        self._google: dict[str, Calendars] = {}

    def verified(self) -> Verified:
        """Compare as things stand. Raises SignInNeeded."""
        tx = self._database.read()
        problems: list[str] = []
        used = {
            CalendarKey(source.key.account, source.key.calendar)
            for behind in _book(tx).sources.values()
            for source in behind
            if source.link is not None
        }
        origins = dict(self._sides(tx, sorted(used & self._looked_at, key=repr), problems))
        writers, first = copies.writers(tx), min(key.account for key in self._looked_at)
        keys = [CalendarKey(writers.get(one, first), one) for one in sorted(self._targets | copies.in_use(tx))]
        targets = {calendar_of(key): side for key, side in self._sides(tx, keys, problems)}
        try:
            compared = compare(_book(self._database.read()), origins, targets, self._look)
        except SignInNeeded:
            raise
        except GoogleError as error:
            problems.append(str(error))
            compared = compare(Book((), {}), {}, {}, self._look)
        return Verified(compared, tuple(dict.fromkeys(problems)))

    def _sides(self, tx: Tx, keys: Iterable[CalendarKey], problems: list[str]) -> Iterator[tuple[CalendarKey, Side]]:
        """Yield the calendars that can be read; say of the others why they cannot."""
        for key in keys:
            known = calendars.known(tx, key)
            try:
                yield key, self._whole(key, known.name if known is not None else "")
            except SignInNeeded:
                raise
            except GoogleError as error:
                problems.append(f"{key.account}, calendar {key.calendar}: {error}")

    def _whole(self, key: CalendarKey, name: str) -> Side:
        """Read a calendar from the first page to the last."""
        events: dict[str, Event] = {}
        gone: dict[str, Gone] = {}
        unreadable: set[str] = set()
        following: str | None = None
        while True:
            self._tick()
            page = self._calendars(key.account).page(key.calendar, sync_token=None, page_token=following)
            for change in page.changes:
                if isinstance(change, Event):
                    gone.pop(change.id, None)
                    events[change.id] = change
                else:
                    events.pop(change.id, None)
                    gone[change.id] = change
            unreadable |= {one.id for one in page.unreadable}
            following = page.next_page
            if following is None:
                return Side(
                    key.account, name or page.calendar_name or key.calendar, events, gone, frozenset(unreadable)
                )

    def _look(self, account: str, calendar: str, event_id: str) -> Event | None:
        self._tick()
        try:
            return self._calendars(account).get(calendar, event_id)
        except NotFound:
            return None

    def _calendars(self, account: str) -> Calendars:
        if account not in self._google:
            self._google[account] = self._connect(account)
        return self._google[account]


def _book(tx: Tx) -> Book:
    known = tuple(copies.all_of(tx))
    waiting = {
        copy.id
        for copy in known
        if any(deed.verb in {"mirror", "remove_copy"} for deed in copies.open_deeds(tx, copy.id))
    }
    return Book(known, {copy.id: copies.sources(tx, copy.id) for copy in known}, frozenset(waiting))


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
        f"{compared.kept} {'stands' if compared.kept == 1 else 'stand'} by themselves" if compared.kept else "",
        f"{compared.unread} could not be compared" if compared.unread else "",
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
        if target is not None and target not in copies.in_use(tx):
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
