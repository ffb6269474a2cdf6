"""The ledger: what is to be done, how far it has come, and what it changed."""

from typing import Any

import msgspec

from calbot.model import Action, Deed, DeedState, Event, EventKey, LookUp, Skip, Verb
from calbot.store.database import Tx

KEEP_SECONDS = 90 * 86400.0
LONGEST_WAIT = 86400.0 + 3600.0
_COLUMNS = (
    "id, account, calendar, event, verb, state, action, attempts, retry_at, uncertain, reason, run_id, source, "
    "seen_at, batch_size, batch_index"
)
_OPEN = "state IN ('planned', 'started', 'parked', 'held')"
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Action).decode


def _verb(action: Action) -> Verb:
    return "look_up" if isinstance(action, LookUp) else "invite"


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
) -> Deed:
    """Write an action down. A Skip is a finished row; of the others there is one open row for each event."""
    skip = isinstance(action, Skip)
    rule = None if isinstance(action, LookUp) else action.rule
    cursor = tx.execute(
        "INSERT INTO deed (account, calendar, event, verb, state, action, reason, reason_text, rule, run_id, source,"
        " seen_at, planned_at, finished_at, batch_size, batch_index) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            key.account,
            key.calendar,
            key.event,
            _verb(action),
            state,
            _encode(action),
            action.reason if isinstance(action, Skip) else None,
            action.text if isinstance(action, Skip) else None,
            rule,
            run_id,
            source,
            seen_at,
            now,
            now if skip else None,
            *(batch or (None, None)),
        ),
    )
    return Deed(
        id=int(cursor.lastrowid or 0),
        key=key,
        verb=_verb(action),
        state=state,
        action=action,
        run_id=run_id,
        source=source,
        seen_at=seen_at,
        batch=batch,
    )


def start(tx: Tx, deeds: list[Deed]) -> None:
    """Note that these go out now: whatever happens to the process, they are looked at before they are repeated."""
    tx.executemany(
        "UPDATE deed SET state = 'started', action = ?, attempts = ?, uncertain = ?, retry_at = NULL, reason = NULL "
        "WHERE id = ?",
        [(_encode(deed.action), deed.attempts, deed.uncertain, deed.id) for deed in deeds],
    )


def park(tx: Tx, deed: Deed, retry_at: float | None, reason: str, text: str, *, uncertain: bool) -> None:
    """Put the deed off until `retry_at`; None means until somebody says so (resume, sign-in)."""
    tx.execute(
        "UPDATE deed SET state = 'parked', attempts = ?, retry_at = ?, uncertain = ?, reason = ?, reason_text = ?, "
        "action = ? WHERE id = ?",
        (deed.attempts, retry_at, uncertain, reason, text, _encode(deed.action), deed.id),
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


def _guest_list(event: Event | None) -> str | None:
    return None if event is None else "[" + ",".join(guest.entry for guest in event.guests) + "]"


def hold(tx: Tx, deed: Deed, reason: str, text: str) -> None:
    """Keep the deed for a person to decide."""
    tx.execute(
        "UPDATE deed SET state = 'held', retry_at = NULL, reason = ?, reason_text = ? WHERE id = ?",
        (reason, text, deed.id),
    )


def supersede(tx: Tx, deed: Deed, now: float) -> None:
    """Close a row that a newer listing made pointless."""
    tx.execute("UPDATE deed SET state = 'superseded', finished_at = ? WHERE id = ?", (now, deed.id))


def open_deeds(tx: Tx, account: str, calendar: str | None = None) -> list[Deed]:
    """Return the unfinished rows of an account or one of its calendars, oldest first."""
    rows = tx.execute(
        f"SELECT {_COLUMNS} FROM deed WHERE account = ? AND (?2 IS NULL OR calendar = ?2) AND {_OPEN} ORDER BY id",
        (account, calendar),
    )
    return [_deed(row) for row in rows]


def unpark(tx: Tx, account: str, reason: str) -> None:
    """Make rows due that wait for somebody's word."""
    tx.execute(
        "UPDATE deed SET retry_at = 0 WHERE account = ? AND state = 'parked' AND reason = ?",
        (account, reason),
    )


def due(tx: Tx, account: str, now: float, limit: int) -> list[Deed]:
    """Return parked rows whose time has come, oldest first.

    A time that is more than a day away was written while the machine's clock was wrong.
    """
    rows = tx.execute(
        f"SELECT {_COLUMNS} FROM deed WHERE account = ? AND state = 'parked' AND NOT (retry_at > ? AND retry_at < ?) "
        "ORDER BY id LIMIT ?",
        (account, now, now + LONGEST_WAIT, limit),
    )
    return [_deed(row) for row in rows]


def next_due(tx: Tx, account: str, now: float) -> float | None:
    """Return when the next parked row is due."""
    (at,) = tx.execute(
        "SELECT min(CASE WHEN retry_at < ?2 THEN retry_at ELSE 0 END) FROM deed "
        "WHERE account = ?1 AND state = 'parked' AND retry_at IS NOT NULL",
        (account, now + LONGEST_WAIT),
    ).fetchone()
    return None if at is None else float(at)


def open_invitation(tx: Tx, key: EventKey) -> Deed | None:
    """Return the unfinished invitation to an event."""
    row = tx.execute(
        f"SELECT {_COLUMNS} FROM deed WHERE account = ? AND calendar = ? AND event = ? AND verb = 'invite' AND {_OPEN}",
        (key.account, key.calendar, key.event),
    ).fetchone()
    return _deed(row) if row else None


def of_run(tx: Tx, account: str, run_id: str) -> dict[str, int]:
    """Return how many rows a run has, by state."""
    rows = tx.execute(
        "SELECT state, count(*) FROM deed WHERE account = ? AND run_id = ? AND batch_size IS NOT NULL GROUP BY state",
        (account, run_id),
    )
    return {str(state): int(count) for state, count in rows}


def counts(tx: Tx, account: str) -> dict[str, int]:
    """Return how many open rows there are, by state."""
    rows = tx.execute(f"SELECT state, count(*) FROM deed WHERE account = ? AND {_OPEN} GROUP BY state", (account,))
    return {str(state): int(count) for state, count in rows}


def prune(tx: Tx, now: float) -> None:
    """Forget finished rows after 90 days."""
    tx.execute(f"DELETE FROM deed WHERE NOT ({_OPEN}) AND finished_at < ?", (now - KEEP_SECONDS,))


def _deed(row: Any) -> Deed:
    id_, account, calendar, event, verb, state, action, attempts, retry_at, uncertain, *rest = row
    reason, run_id, source, seen_at, size, index = rest
    return Deed(
        id=id_,
        key=EventKey(account, calendar, event),
        verb=verb,
        state=state,
        action=_decode(action),
        attempts=attempts,
        retry_at=retry_at,
        uncertain=bool(uncertain),
        reason=reason,
        run_id=run_id,
        source=source,
        seen_at=seen_at,
        batch=(size, index) if size is not None else None,
    )
