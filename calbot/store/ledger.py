"""The ledger: what is to be done, how far it has come, and what it changed."""

from collections.abc import Sequence
from typing import Any

import msgspec

from calbot.actions import (
    Action,
    Deed,
    DeleteOriginal,
    Invite,
    LookUp,
    Mirror,
    RemoveCopy,
    RestoreOriginal,
    Retract,
    Skip,
)
from calbot.kinds import DeedState, Verb
from calbot.model import CalendarKey, Content, Event, EventKey, Noun
from calbot.store.database import Tx

KEEP_SECONDS = 90 * 86400.0
_CHUNK = 500
COLUMNS = (
    "id, account, calendar, event, verb, state, action, attempts, retry_at, uncertain, reason, run_id, source, "
    "seen_at, batch_size, batch_index, approved, reason_text"
)
OPEN = "finished_at IS NULL AND state IN ('planned', 'started', 'parked', 'held')"
"""The first half lets SQLite use the index of open rows."""
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Action).decode


class Stay(Noun, frozen=True):
    """Why a row goes no further, as a word and a sentence, and until when if it goes on by itself (epoch seconds)."""

    reason: str
    text: str
    until: float | None = None


def _verb(action: Action) -> Verb:
    match action:
        case LookUp():
            return "look_up"
        case Retract():
            return "retract"
        case Invite():
            return "invite"
        case Skip():
            return action.verb
        case Mirror():
            return "mirror"
        case RemoveCopy():
            return "remove_copy"
        case DeleteOriginal():
            return "delete_original"
        case RestoreOriginal():
            return "restore_original"


def add(
    tx: Tx,
    key: EventKey,
    action: Action,
    state: DeedState,
    now: float,
    *,
    run_id: str,
    source: str,
    seen_at: float,
    batch: tuple[int, int] | None = None,
    stay: Stay | None = None,
    approved: bool = False,
) -> Deed:
    """Write an action down. A Skip is a finished row; of the others there is one open row for each event and verb."""
    skip = isinstance(action, Skip)
    if isinstance(action, Skip):
        stay = Stay(action.reason, action.text)
    cursor = tx.execute(
        "INSERT INTO deed (account, calendar, event, verb, state, action, reason, reason_text, retry_at, rule, run_id,"
        " source, seen_at, planned_at, finished_at, batch_size, batch_index, guests, approved, started_at, copy) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            key.account,
            key.calendar,
            key.event,
            _verb(action),
            state,
            _encode(action),
            *((stay.reason, stay.text, stay.until) if stay is not None else (None, None, None)),
            None if isinstance(action, LookUp) else action.rule,
            run_id,
            source,
            seen_at,
            now,
            now if skip else None,
            *(batch or (None, None)),
            _guests(action),
            approved,
            now if state == "started" else None,
            action.copy.id if isinstance(action, Mirror | RemoveCopy | DeleteOriginal | RestoreOriginal) else None,
        ),
    )
    return Deed(
        id=int(cursor.lastrowid or 0),
        key=key,
        verb=_verb(action),
        state=state,
        action=action,
        approved=approved,
        run_id=run_id,
        source=source,
        seen_at=seen_at,
        batch=batch,
        reason=stay.reason if stay is not None else None,
        retry_at=stay.until if stay is not None else None,
    )


def start(tx: Tx, deeds: list[Deed], now: float) -> None:
    """Note that these go out now: whatever happens to the process, they are looked at before they are repeated."""
    tx.executemany(
        "UPDATE deed SET state = 'started', action = ?, guests = ?, attempts = ?, uncertain = ?, retry_at = NULL,"
        " reason = NULL, started_at = ? WHERE id = ? AND finished_at IS NULL",
        [(_encode(deed.action), _guests(deed.action), deed.attempts, deed.uncertain, now, deed.id) for deed in deeds],
    )


def _guests(action: Action) -> int:
    """Return how many invitations an action is."""
    return len(action.guests) if isinstance(action, Invite) else 1


def park(tx: Tx, deed: Deed, retry_at: float | None, reason: str, text: str, *, uncertain: bool) -> None:
    """Put the deed off until `retry_at`; None means until somebody says so (resume, sign-in)."""
    tx.execute(
        "UPDATE deed SET state = 'parked', attempts = ?, retry_at = ?, uncertain = ?, reason = ?, reason_text = ?, "
        "action = ?, guests = ? WHERE id = ? AND finished_at IS NULL",
        (deed.attempts, retry_at, uncertain, reason, text, _encode(deed.action), _guests(deed.action), deed.id),
    )


def finish(
    tx: Tx,
    deed: Deed,
    state: DeedState,
    now: float,
    *,
    reason: str | None = None,
    text: str | None = None,
    written: Event | None = None,
) -> None:
    """Close the row; `written` is the event after our write, kept with the guests before it."""
    before = None if isinstance(deed.action, LookUp) else deed.action.event
    tx.execute(
        "UPDATE deed SET state = ?, finished_at = ?, reason = ?, reason_text = ?, before = ?, after = ?, etag = ?, "
        "attempts = ?, action = ? WHERE id = ?",
        (
            state,
            now,
            reason,
            text,
            _guest_list(before) if written else None,
            _guest_list(written) if written else None,
            written.etag if written else None,
            deed.attempts,
            _encode(deed.action),
            deed.id,
        ),
    )


def note_content(tx: Tx, deed: int, before: Content | None, after: Content, etag: str) -> None:
    """Keep what a copy showed before, if it was there, and after our write."""
    old = msgspec.json.encode(before).decode() if before is not None else None
    new = msgspec.json.encode(after).decode()
    tx.execute("UPDATE deed SET before = ?, after = ?, etag = ? WHERE id = ?", (old, new, etag, deed))


def _guest_list(event: Event | None) -> str | None:
    return None if event is None else "[" + ",".join(guest.entry for guest in event.guests) + "]"


def hold(tx: Tx, deed: Deed, reason: str, text: str) -> None:
    """Keep the deed for a person to decide."""
    tx.execute(
        "UPDATE deed SET state = 'held', retry_at = NULL, reason = ?, reason_text = ? "
        "WHERE id = ? AND finished_at IS NULL",
        (reason, text, deed.id),
    )


def supersede(tx: Tx, deed: Deed, now: float) -> None:
    """Close a row that a newer listing made pointless."""
    tx.execute("UPDATE deed SET state = 'superseded', finished_at = ? WHERE id = ?", (now, deed.id))


def by_id(tx: Tx, deed: int) -> Deed | None:
    """Return one row."""
    row = tx.execute(f"SELECT {COLUMNS} FROM deed WHERE id = ?", (deed,)).fetchone()
    return deed_in(row) if row else None


def done(tx: Tx, key: EventKey) -> list[Deed]:
    """Return the invitations to an event that went out and are not undone, oldest first."""
    rows = tx.execute(
        f"SELECT {COLUMNS} FROM deed WHERE account = ? AND calendar = ? AND event = ? AND verb = 'invite' "
        "AND state = 'done' ORDER BY id",
        (key.account, key.calendar, key.event),
    )
    return [deed_in(row) for row in rows]


def open_deeds(tx: Tx, account: str) -> list[Deed]:
    """Return the unfinished rows of an account, oldest first."""
    rows = tx.execute(f"SELECT {COLUMNS} FROM deed WHERE account = ? AND {OPEN} ORDER BY id", (account,))
    return [deed_in(row) for row in rows]


def open_invitations(tx: Tx, calendar: CalendarKey, ids: Sequence[str]) -> dict[str, Deed]:
    """Return the unfinished invitations to these events of a calendar."""
    found: dict[str, Deed] = {}
    for first in range(0, len(ids), _CHUNK):
        some = ids[first : first + _CHUNK]
        marks = ",".join("?" * len(some))
        rows = tx.execute(
            f"SELECT {COLUMNS} FROM deed WHERE account = ? AND calendar = ? AND event IN ({marks}) "
            f"AND verb = 'invite' AND {OPEN}",
            (calendar.account, calendar.calendar, *some),
        )
        found |= {deed.key.event: deed for deed in map(deed_in, rows)}
    return found


def being_looked_up(tx: Tx, calendar: CalendarKey) -> set[str]:
    """Return the events of a calendar whose look-up is not finished."""
    rows = tx.execute(
        f"SELECT event FROM deed WHERE account = ? AND calendar = ? AND verb = 'look_up' AND {OPEN}",
        (calendar.account, calendar.calendar),
    )
    return {event for (event,) in rows}


def open_deed(tx: Tx, key: EventKey, verb: Verb) -> Deed | None:
    """Return the unfinished row of this verb for an event."""
    row = tx.execute(
        f"SELECT {COLUMNS} FROM deed WHERE account = ? AND calendar = ? AND event = ? AND verb = ? AND {OPEN}",
        (key.account, key.calendar, key.event, verb),
    ).fetchone()
    return deed_in(row) if row else None


def of_run(tx: Tx, account: str, run_id: str) -> dict[str, int]:
    """Return how many rows a run has, by state."""
    rows = tx.execute(
        "SELECT state, count(*) FROM deed WHERE account = ? AND run_id = ? AND batch_size IS NOT NULL GROUP BY state",
        (account, run_id),
    )
    return {str(state): int(count) for state, count in rows}


def counts(tx: Tx, account: str) -> dict[str, int]:
    """Return how many open rows there are, by state."""
    rows = tx.execute(f"SELECT state, count(*) FROM deed WHERE account = ? AND {OPEN} GROUP BY state", (account,))
    return {str(state): int(count) for state, count in rows}


def prune(tx: Tx, now: float) -> None:
    """Forget finished rows after 90 days."""
    tx.execute("DELETE FROM deed WHERE finished_at < ?", (now - KEEP_SECONDS,))


def deed_in(row: Any) -> Deed:
    """Return the deed in a row of COLUMNS."""
    id_, account, calendar, event, verb, state, action, attempts, retry_at, uncertain, *rest = row
    reason, run_id, source, seen_at, size, index, approved, text = rest
    return Deed(
        id=id_,
        key=EventKey(account, calendar, event),
        verb=verb,
        state=state,
        action=_decode(action),
        attempts=attempts,
        retry_at=retry_at,
        uncertain=bool(uncertain),
        approved=bool(approved),
        reason=reason,
        reason_text=text,
        run_id=run_id,
        source=source,
        seen_at=seen_at,
        batch=(size, index) if size is not None else None,
    )
