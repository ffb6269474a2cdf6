"""What was done and what waits, as people ask for it: held runs, an event's past, and events by whatever names them."""

import base64
import binascii
import hashlib
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from calbot.actions import Action, Invite, LookUp, Retract
from calbot.kinds import DeedState, Verb
from calbot.model import Event, EventKey, Noun
from calbot.store.database import Tx

MOST_TITLES = 5
_UNDER_WAY = frozenset({"planned", "started", "parked", "held"})
_TOKEN = re.compile(r"u-(\d{1,15})-([0-9a-f]{4})")
_action = msgspec.msgpack.Decoder(Action).decode
_event = msgspec.msgpack.Decoder(Event).decode


class HeldRun(Noun, frozen=True, kw_only=True):
    """Work of one pass that waits for a person: how much, since when (epoch seconds), why, and the first titles."""

    run_id: str
    account: str
    calendar: str
    calendar_name: str
    reason: str
    text: str
    since: float
    count: int
    guests: int
    titles: tuple[str, ...]


class Past(Noun, frozen=True, kw_only=True):
    """One row of an event's history. `token` undoes it, where it can be undone; `retry_at` is when it is tried next."""

    at: float
    verb: Verb
    state: DeedState
    reason: str | None
    text: str | None
    rule: str | None
    guests: tuple[str, ...]
    run_id: str
    retry_at: float | None
    token: str | None


class Found(Noun, frozen=True):
    """An event that somebody asked for; None for one that is only in the history by now."""

    key: EventKey
    calendar_name: str
    event: Event | None


def undo_token(deed: int, key: EventKey) -> str:
    """Return the token by which a deed is undone. Its end keeps a token of another store from fitting."""
    mark = hashlib.sha256(f"{deed}\n{key.account}\n{key.calendar}\n{key.event}".encode()).hexdigest()[:4]
    return f"u-{deed}-{mark}"


def deed_of(token: str) -> int | None:
    """Return the number in an undo token; None when it is none."""
    found = _TOKEN.fullmatch(token.strip())
    return int(found[1]) if found else None


def held(tx: Tx) -> list[HeldRun]:
    """Return what waits for approve or discard, a line for each run, oldest first."""
    rows = tx.execute(
        "SELECT d.run_id, d.account, d.calendar, coalesce(c.name, ''), coalesce(d.reason, ''),"
        " coalesce(min(d.reason_text), ''), min(d.planned_at), count(*), sum(d.guests) "
        "FROM deed d LEFT JOIN calendar c ON c.account = d.account AND c.calendar = d.calendar "
        "WHERE d.finished_at IS NULL AND d.state = 'held' "
        "GROUP BY d.run_id, d.account, d.calendar, d.reason ORDER BY min(d.id)"
    ).fetchall()
    return [
        HeldRun(
            run_id=run_id,
            account=account,
            calendar=calendar,
            calendar_name=name,
            reason=reason,
            text=text,
            since=since,
            count=count,
            guests=guests,
            titles=tuple(_titles(tx, run_id, account, calendar)),
        )
        for run_id, account, calendar, name, reason, text, since, count, guests in rows
    ]


def _titles(tx: Tx, run_id: str, account: str, calendar: str) -> list[str]:
    rows = tx.execute(
        "SELECT action FROM deed WHERE run_id = ? AND account = ? AND calendar = ? AND state = 'held' "
        "ORDER BY id LIMIT ?",
        (run_id, account, calendar, MOST_TITLES),
    )
    return [_title(action) for (action,) in rows]


def _title(body: bytes) -> str:
    action = _action(body)
    return "" if isinstance(action, LookUp) else action.event.title


def of_event(tx: Tx, key: EventKey, limit: int = 50) -> list[Past]:
    """Return what was decided and done about an event, newest first."""
    rows = tx.execute(
        "SELECT id, coalesce(finished_at, planned_at), verb, state, reason, reason_text, rule, action, run_id, retry_at"
        " FROM deed WHERE account = ? AND calendar = ? AND event = ? ORDER BY id DESC LIMIT ?",
        (key.account, key.calendar, key.event, limit),
    ).fetchall()
    being_undone = any(row[2] == "retract" and row[3] in _UNDER_WAY for row in rows)
    return [_past(key, *row, free=not being_undone) for row in rows]


def _past(key: EventKey, id_: int, at: float, verb: Any, state: Any, *rest: Any, free: bool) -> Past:
    reason, text, rule, body, run_id, retry_at = rest
    action = _action(body)
    undoable = verb == "invite" and state == "done" and free
    return Past(
        at=at,
        verb=verb,
        state=state,
        reason=reason,
        text=text,
        rule=rule,
        guests=action.guests if isinstance(action, Invite | Retract) else (),
        run_id=run_id,
        retry_at=retry_at,
        token=undo_token(id_, key) if undoable else None,
    )


def find_events(tx: Tx, text: str, limit: int = 20) -> list[Found]:
    """Return the events that `text` names: by id, iCalUID or Google's link, else by a part of the title."""
    wanted = text.strip()
    ids = {wanted, _id_in_link(wanted)} - {""}
    found = [known for id_ in ids for known in _by_id(tx, id_)]
    if found or not wanted:
        return found[:limit]
    part = wanted.casefold()
    rows = tx.execute(
        "SELECT c.account, c.calendar, c.name, e.id, e.body FROM event e JOIN calendar c ON c.id = e.calendar_id"
    )
    for account, calendar, name, id_, body in rows:
        event = _event(body)
        if event.ical_uid == wanted or part in event.title.casefold():
            found.append(Found(EventKey(account, calendar, id_), name, event))
    exact = [one for one in found if one.event is not None and one.event.ical_uid == wanted]
    return (exact or found)[:limit]


def _by_id(tx: Tx, id_: str) -> list[Found]:
    rows = tx.execute(
        "SELECT c.account, c.calendar, c.name, e.body FROM calendar c "
        "LEFT JOIN event e ON e.calendar_id = c.id AND e.id = ?1 "
        "WHERE e.id IS NOT NULL OR EXISTS (SELECT 1 FROM deed d "
        "WHERE d.account = c.account AND d.calendar = c.calendar AND d.event = ?1)",
        (id_,),
    )
    return [
        Found(EventKey(account, calendar, id_), name, _event(body) if body is not None else None)
        for account, calendar, name, body in rows
    ]


def _id_in_link(text: str) -> str:
    """Return the event's id in one of Google's links: `eid` is base64 of id, a blank and the calendar."""
    try:
        (eid,) = parse_qs(urlsplit(text).query).get("eid", [""])
        decoded = base64.urlsafe_b64decode(eid + "=" * (-len(eid) % 4)).decode()
    except (ValueError, binascii.Error):
        return ""
    return decoded.partition(" ")[0]
