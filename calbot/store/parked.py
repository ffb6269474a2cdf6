"""Rows of the ledger that wait for their time: which are due, and when the next one is."""

from calbot.actions import Deed
from calbot.store.database import Tx
from calbot.store.ledger import COLUMNS, deed_in

LONGEST_WAIT = 86400.0 + 3600.0
_PARKED = "finished_at IS NULL AND state = 'parked'"


def unpark(tx: Tx, account: str, reason: str, now: float) -> None:
    """Make rows due that wait for this reason."""
    tx.execute(
        f"UPDATE deed SET retry_at = ? WHERE account = ? AND {_PARKED} AND reason = ?",
        (now, account, reason),
    )


def due(tx: Tx, account: str, now: float, limit: int) -> list[Deed]:
    """Return parked rows whose time has come, oldest first.

    A time that is more than a day away was written while the machine's clock was wrong.
    """
    rows = tx.execute(
        f"SELECT {COLUMNS} FROM deed WHERE account = ? AND {_PARKED} AND NOT (retry_at > ? AND retry_at < ?) "
        "ORDER BY id LIMIT ?",
        (account, now, now + LONGEST_WAIT, limit),
    )
    return [deed_in(row) for row in rows]


def next_due(tx: Tx, account: str, now: float, reason: str | None = None) -> float | None:
    """Return when the next parked row is due: of those that wait for this reason, or of all."""
    (at,) = tx.execute(
        "SELECT min(CASE WHEN retry_at < ?2 THEN retry_at ELSE 0 END) FROM deed "
        f"WHERE account = ?1 AND {_PARKED} AND retry_at IS NOT NULL AND (?3 IS NULL OR reason = ?3)",
        (account, now + LONGEST_WAIT, reason),
    ).fetchone()
    return None if at is None else float(at)
