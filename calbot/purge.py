"""Copies that the rules in force would not make now: which they are, and having them taken away on a person's word."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Container, Mapping

import msgspec

from calbot import copywork
from calbot.actions import RemoveCopy
from calbot.cases import cases
from calbot.control import Data, Letters, run_of
from calbot.errands import PAUSED
from calbot.inbox import Item, TakeBack
from calbot.model import Answer, CalendarKey, Command, Copy, Event, EventKey, Noun
from calbot.planner import removals_brake
from calbot.policy import Decision, Policy
from calbot.ports import Clock
from calbot.preview import Orders
from calbot.rules import weigh
from calbot.store import calendars, copies, ledger, releases, sourcing, targets
from calbot.store.database import Database, Tx
from calbot.switchboard import Switchboard
from calbot.telling import Run

TO_STAY = frozenset({"planned", "started", "parked", "held", "done"})
"""How a deletion of an original stands that has, or may yet have, left its copy as the only one there is."""


class Leaving(Noun, frozen=True):
    """A copy that is to go, what it shows, the name of the calendar that it is on, and why it goes."""

    copy: Copy
    event: Event
    calendar_name: str
    why: str


class _Known(Noun, frozen=True):
    """The events that stand behind copies, and what the rules say of each that is known."""

    behind: Mapping[int, tuple[EventKey, ...]]
    events: Mapping[EventKey, Event]
    decided: Mapping[EventKey, Decision]


def leaving(
    tx: Tx,
    orders: Orders,
    now: float,
    *,
    target: str | None = None,
    every: bool = False,
    watched: Container[CalendarKey] | None = None,
    account: str | None = None,
) -> tuple[Leaving, ...]:
    """Return the copies that would go, on `target` or wherever they are, also unmade ones; with `every` all of them.

    With `account` they are those that stand on this account's events alone, whatever the rules say of them. A copy that
    is, or may soon be, the only one left of its meeting never goes; one that is being written just now does not either.
    Switches are left out of it, as in a preview. `watched` are the calendars that are looked at.
    """
    there = [copy for copy in copies.all_of(tx) if copy.series is None and target in {None, copy.target}]
    meant = [copy for copy in there if account is None or _stands_on(tx, copy, account)]
    candidates = [copy for copy in meant if _can_go(tx, copy, again=account is not None)]
    known = _weighed(tx, candidates, orders, now)
    found = []
    for copy in candidates:
        if account is not None:
            why: str | None = f"It stands on events of {account} alone."
        else:
            why = _why(copy, known, watched) or ("All copies are to go; a rule asks for this one." if every else None)
        if why is not None:
            event = next((known.events[key] for key in known.behind[copy.id] if key in known.events), None)
            found.append(Leaving(copy, event or _as_shown(copy), _name(tx, copy.target), why))
    return tuple(sorted(found, key=lambda one: (one.copy.target, one.event.start, one.copy.id)))


def left_of(tx: Tx, account: str) -> int:
    """Return how many copies that stand on this account's events alone are there, and are not the only ones left."""
    return sum(
        copy.series is None
        and copy.state == "live"
        and _stands_on(tx, copy, account)
        and not any(state in TO_STAY for state in _deletions(tx, copy))
        for copy in copies.all_of(tx)
    )


def _stands_on(tx: Tx, copy: Copy, account: str) -> bool:
    """Say whether this account's events alone stand behind a copy and its dates, or did where none does any more.

    Of one that waits to go it is known no longer who was the last, so it is enough that any of them did.
    """
    behind = [one for part in (copy, *copies.dates(tx, copy.id)) for one in sourcing.sources(tx, part.id)]
    linked, ever = {one.key.account for one in behind if one.link is not None}, {one.key.account for one in behind}
    under_way = copies.open_deeds(tx, copy.id)
    if not linked and any(deed.verb == "remove_copy" and deed.state != "held" for deed in under_way):
        return account in ever
    return (linked or ever) == {account}


def _can_go(tx: Tx, copy: Copy, *, again: bool) -> bool:
    """Say whether a copy is there, or waits to be made, and nothing that is under way speaks against its going.

    With `again` that it waits to go does not: it is asked for anew.
    """
    under_way = copies.open_deeds(tx, copy.id)
    if any(deed.state == "started" or deed.verb == "restore_original" for deed in under_way):
        return False
    going = [deed for deed in under_way if deed.verb == "remove_copy" and deed.state != "held"]
    if any(deed.state != "parked" or deed.uncertain or not again for deed in going):
        return False
    if any(state in TO_STAY for state in _deletions(tx, copy)):
        return False
    return copy.state == "live" or (copy.state == "planned" and any(not deed.uncertain for deed in under_way))


def _deletions(tx: Tx, copy: Copy) -> list[str]:
    rows = tx.execute("SELECT state FROM deed WHERE copy = ? AND verb = 'delete_original'", (copy.id,))
    return [state for (state,) in rows]


def _weighed(tx: Tx, candidates: list[Copy], orders: Orders, now: float) -> _Known:
    """Hold the events behind these copies against the rules, as if every switch were on."""
    behind = {
        copy.id: tuple(source.key for source in sourcing.sources(tx, copy.id) if source.link is not None)
        for copy in candidates
    }
    wanted: defaultdict[CalendarKey, set[str]] = defaultdict(set)
    for key in (one for keys in behind.values() for one in keys):
        wanted[CalendarKey(key.account, key.calendar)].add(key.event)
    events: dict[EventKey, Event] = {}
    decided: dict[EventKey, Decision] = {}
    for calendar, ids in wanted.items():
        known = calendars.known(tx, calendar)
        found = list(calendars.events(tx, known.id, sorted(ids)).values()) if known is not None else []
        policy = msgspec.structs.replace(orders(calendar.account), auto_invite=True, mirroring=True, dry_run=False)
        for event, case in zip(found, cases(tx, calendar, found, policy, now), strict=True):
            key = EventKey(calendar.account, calendar.calendar, event.id)
            events[key], decided[key] = event, weigh(event, case)
    return _Known(behind, events, decided)


def _why(copy: Copy, known: _Known, watched: Container[CalendarKey] | None) -> str | None:
    """Return why the rules would not make this copy now; None where one of its sources still asks for it."""
    reasons = []
    for key in known.behind[copy.id]:
        decision = known.decided.get(key)
        if watched is not None and CalendarKey(key.account, key.calendar) not in watched:
            reasons.append(f"The calendar {key.calendar} of {key.account} is no longer watched.")
        elif decision is None:
            reasons.append("Its original is gone.")
        elif copy.target in {link.target for link in decision.links}:
            return None
        else:
            reasons.append(decision.unmirrored.text if decision.unmirrored is not None else "No rule asks for it.")
    return reasons[0] if reasons else "Nothing stands behind it any more."


def _as_shown(copy: Copy) -> Event:
    content = copy.content
    if content is None:
        return Event(id=copy.event_id, etag="")
    return Event(id=copy.event_id, etag="", title=content.title, start=content.start, end=content.end)


def _name(tx: Tx, target: str) -> str:
    """Return a target calendar's own name, from whoever reads it."""
    row = tx.execute("SELECT name FROM calendar WHERE lower(calendar) = ? AND name != ''", (target,)).fetchone()
    return row[0] if row is not None else target


class Purge:
    """What the command `purge` means: its deeds are written down at once; the accounts that write carry them out."""

    def __init__(
        self,
        switchboard: Switchboard,
        watched: Callable[[], tuple[CalendarKey, ...]],
        database: Database,
        clock: Clock,
    ) -> None:
        self._switchboard = switchboard
        self._watched = watched
        self._database = database
        self._clock = clock

    def ask(self, command: Command) -> Answer | Letters:
        """Write down which copies go; many at once have to be confirmed.

        Taken up again after a restart, a command that was written down before plans nothing more.
        """
        if self._switchboard.effective().dry_run:
            text = "A dry run writes nothing: switch dry_run off to take copies away."
            return Answer(status="error", code="invalid", message=text)
        with self._database.write() as tx:
            if not releases.of_wish(tx, run_of(command)):
                refused = self._plan(tx, command)
                if refused is not None:
                    return refused
            writers = dict.fromkeys(deed.key.account for deed in releases.of_wish(tx, run_of(command)))
        # An undo of nothing: its answer comes when none of the run's deeds is under way any more.
        letter: Item = TakeBack(command.id, run_of(command), (), command.source)
        return Letters(dict.fromkeys(writers, letter))

    def _plan(self, tx: Tx, command: Command) -> Answer | None:
        """Write down the removals; return what is said instead where there are none, or too many unasked."""
        now, args = self._clock.now(), command.args
        target = str(args["target"]).strip().lower() if args.get("target") is not None else None
        if target is not None and target not in targets.in_use(tx):
            return Answer(status="error", code="not_found", message=f"There are no copies on {target[:80]}.")
        watched = self._watched()
        every, account = bool(args.get("all")), _account(command)
        going = leaving(tx, self._orders, now, target=target, every=every, watched={*watched}, account=account)
        if not going:
            return _nothing(left_of(tx, account) if account is not None else 0)
        there = [one.copy for one in going if one.copy.state == "live"]
        question = self._question(tx, there, command)
        if question is not None:
            return question
        for one in going:
            sourcing.unlink(tx, one.copy.id)
            for deed in copies.open_deeds(tx, one.copy.id):
                if deed.verb == "remove_copy":  # The brake held it, or it waits: a person has decided now.
                    ledger.supersede(tx, deed, now)
        first = watched[0].account if watched else ""
        run = Run(
            id=run_of(command), source=command.source, seen_at=command.received, now=now, policy=self._orders(first)
        )
        copywork.write_down(tx, run, first, [one.copy.id for one in going], 0, approved=True)
        left = left_of(tx, account) if account is not None else 0
        if there or left:
            return None if there else _nothing(left)
        data: Data = {"removed": 0, "left": 0}
        return Answer(status="ok", message=f"{_many(len(going))} not made yet, and not made now.", data=data)

    def _question(self, tx: Tx, going: list[Copy], command: Command) -> Answer | None:
        """Return what is asked back when this takes many copies away and was not confirmed."""
        most, known = self._switchboard.effective().removals_per_pass, copies.known(tx)
        named = repr([(copy.id, copy.event_id) for copy in going])
        token = hashlib.sha256(named.encode()).hexdigest()[:12]
        if not removals_brake(len(going), known, most) or command.args.get("confirm") == token:
            return None
        text = (
            f"This takes {len(going)} of {known} copies away, more than limits.removals_per_pass ({most}) or a tenth "
            "of all: confirm it."
        )
        data: Data = {"confirm_token": token, "count": len(going)}
        return Answer(status="error", code="confirm_required", message=text, data=data)

    def taken(self, command: Command, errors: tuple[str, ...]) -> Answer:
        """Return what is said once nothing of it is under way any more, or can be for now."""
        deeds = [
            deed
            for deed in releases.of_wish(self._database.read(), run_of(command))
            if isinstance(deed.action, RemoveCopy)
        ]
        gone = [deed for deed in deeds if deed.state == "done"]
        stayed = [deed for deed in deeds if deed.state in {"superseded", "skipped"}]
        left = [deed for deed in deeds if deed not in [*gone, *stayed]]
        account = _account(command)
        others = max(0, left_of(self._database.read(), account) - len(left)) if account is not None else 0
        said = [f"{_many(len(gone))} taken away."] if gone or not deeds else []
        said += [f"{_many(len(stayed))} stayed: asked for again meanwhile, or all that is left."] if stayed else []
        said += [f"{_many(len(left))} not taken away yet: {_reason(left[0].reason_text, errors)}"] if left else []
        said += [f"{_many(others)} not taken away yet."] if others else []
        data: Data = {"removed": len(gone), "left": len(left) + others}
        text = " ".join([*said, *(one for one in errors if not left or left[0].reason_text)])
        if not left and not others and not errors:
            return Answer(status="ok", message=text, data=data)
        if not gone and any(PAUSED not in error for error in errors):
            return Answer(status="error", code="auth_required", message=text, data=data)
        return Answer(status="partial", message=text, data=data)

    def _orders(self, account: str) -> Policy:
        return self._switchboard.orders(account, self._clock.now()).policy


def _account(command: Command) -> str | None:
    """Return the account whose copies alone are meant, if one is."""
    account = command.args.get("account")
    return str(account).strip().lower() if account is not None else None


def _nothing(left: int) -> Answer:
    data: Data = {"removed": 0, "left": left}
    if left:
        text = f"{_many(left)} not taken away yet: what was asked before is still under way."
        return Answer(status="partial", message=text, data=data)
    return Answer(status="ok", message="There is nothing to take away.", data=data)


def _many(count: int) -> str:
    return "1 copy" if count == 1 else f"{count} copies"


def _reason(text: str | None, errors: tuple[str, ...]) -> str:
    return text or " ".join(errors) or "it waits for Google."
