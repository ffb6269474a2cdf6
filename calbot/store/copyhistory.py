"""What was done about an event's copies, what of that waits for a person, and what calendars are called."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import msgspec

from calbot.actions import Action, LookUp, Mirror, RemoveCopy
from calbot.copyrules import calendar_of
from calbot.kinds import CopyState
from calbot.model import CalendarKey, EventKey, Noun
from calbot.store import calendars, history, sourcing, undoable
from calbot.store.database import Tx
from calbot.store.history import MOST_TITLES, HeldRun, Past

MOST = 50
_action = msgspec.msgpack.Decoder(Action).decode


class PastOfCopy(Past, frozen=True, kw_only=True):
    """A row about a copy of an event. `target` is its calendar's name; `again` says that the copy was there before."""

    target: str
    again: bool = False


class Held(HeldRun, frozen=True, kw_only=True):
    """Work that waits, `removals` of it copies to be taken away, `look_ups` events that may be gone."""

    removals: int = 0
    look_ups: int = 0

    @property
    def invited(self) -> int:
        """Return how many events wait for their guests."""
        return self.count - self.removals - self.look_ups

    @property
    def invitations(self) -> int:
        """Return how many invitations wait; each of the others counts as one of `guests`."""
        return self.guests - self.removals - self.look_ups


class Standing(Noun, frozen=True):
    """A copy of an event, or of the series that it is a date of: where, and how it stands."""

    target: str
    state: CopyState


def names(tx: Tx) -> Mapping[str, str]:
    """Return what calendars are called, by their ids in lower case; those whose name is not known are left out."""
    rows = tx.execute("SELECT account, calendar, name FROM calendar WHERE name != '' ORDER BY id DESC").fetchall()
    return {calendar_of(CalendarKey(account, calendar)): name for account, calendar, name in rows}


def with_names(text: str, names: Mapping[str, str]) -> str:
    """Return a sentence of ours with calendars called by their names instead of their ids."""
    for id_, name in names.items():
        if id_ in text:
            text = text.replace(id_, name)
    return text


def standing(tx: Tx, key: EventKey) -> tuple[Standing, ...]:
    """Return the copies that an event stands behind now."""
    return tuple(Standing(copy.target, copy.state) for copy, link in sourcing.of_source(tx, key) if link is not None)


def with_copies(tx: Tx, key: EventKey, past: tuple[Past, ...], now: float) -> tuple[Past, ...]:
    """Return an event's history with what was done about its copies, newest first."""
    rows = tx.execute(
        "SELECT id, account, calendar, event, coalesce(finished_at, planned_at), verb, state, reason, reason_text,"
        " rule, action, run_id, retry_at FROM deed WHERE verb IN ('mirror', 'remove_copy') AND copy IN "
        "(SELECT copy FROM source WHERE account = ? AND calendar = ? AND event = ?) ORDER BY id DESC LIMIT ?",
        (key.account, key.calendar, key.event, MOST),
    ).fetchall()
    if not rows:
        return past
    called = names(tx)
    found = [_past(tx, called, now, EventKey(*row[1:4]), row[0], *row[4:]) for row in rows]
    return tuple(sorted((*past, *found), key=lambda one: one.at, reverse=True))


def _past(tx: Tx, called: Mapping[str, str], now: float, key: EventKey, id_: int, *rest: Any) -> PastOfCopy:
    at, verb, state, reason, text, rule, body, run_id, retry_at = rest
    action = _action(body)
    copy = action.copy if isinstance(action, Mirror | RemoveCopy) else None
    again = copy is not None and (copy.state == "live" or copy.series is not None)
    token = history.undo_token(id_, key)
    good = verb == "mirror" and state == "done" and not again and undoable.by_token(tx, token, now)
    return PastOfCopy(
        at=at,
        verb=verb,
        state=state,
        reason=reason,
        text=text,
        rule=rule,
        guests=(),
        run_id=run_id,
        retry_at=retry_at,
        token=token if good else None,
        target=called.get(key.calendar, key.calendar),
        again=again,
    )


def only_targets(tx: Tx) -> frozenset[CalendarKey]:
    """Return the calendars that are read for the sake of copies alone: nothing on them was ever decided about."""
    rows = tx.execute(
        "SELECT t.account, t.calendar FROM target t WHERE NOT EXISTS "
        "(SELECT 1 FROM source s WHERE s.account = t.account AND s.calendar = t.calendar) AND NOT EXISTS "
        "(SELECT 1 FROM deed d WHERE d.account = t.account AND d.calendar = t.calendar "
        "AND d.verb NOT IN ('mirror', 'remove_copy', 'look_up'))"
    )
    return frozenset(CalendarKey(account, calendar) for account, calendar in rows)


def held(tx: Tx) -> list[Held]:
    """Return what waits for approve or discard, oldest first, and which of it is about copies."""
    rows = tx.execute(
        "SELECT run_id, account, calendar, coalesce(reason, ''), verb, count(*) FROM deed "
        "WHERE finished_at IS NULL AND state = 'held' AND verb IN ('look_up', 'remove_copy') GROUP BY 1, 2, 3, 4, 5"
    ).fetchall()
    counts = Counter(
        {(run, account, calendar, reason, verb): many for run, account, calendar, reason, verb, many in rows}
    )
    called = names(tx) if counts else {}
    return [_held(tx, run, counts, called) for run in history.held(tx)]


def _held(tx: Tx, run: HeldRun, counts: Counter[tuple[str, str, str, str, str]], called: Mapping[str, str]) -> Held:
    which = (run.run_id, run.account, run.calendar, run.reason)
    look_ups = counts[*which, "look_up"]
    parts = {name: getattr(run, name) for name in HeldRun.__struct_fields__}
    if look_ups:
        parts["titles"] = _titles(tx, run)
    parts["calendar_name"] = run.calendar_name or called.get(run.calendar, "")
    return Held(**parts, removals=counts[*which, "remove_copy"], look_ups=look_ups)


def _titles(tx: Tx, run: HeldRun) -> tuple[str, ...]:
    """Return the first titles, also of events that Google was to be asked about: the store has those."""
    rows = tx.execute(
        "SELECT action, event FROM deed WHERE run_id = ? AND account = ? AND calendar = ? AND state = 'held' "
        "ORDER BY id LIMIT ?",
        (run.run_id, run.account, run.calendar, MOST_TITLES),
    ).fetchall()
    titles = []
    for body, id_ in rows:
        action = _action(body)
        event = (
            calendars.event(tx, EventKey(run.account, run.calendar, id_))
            if isinstance(action, LookUp)
            else action.event
        )
        titles.append(event.title if event is not None else "")
    return tuple(titles)
