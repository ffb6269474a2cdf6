"""Deleted originals, kept whole for as long as they can be brought back; and how many were deleted of late."""

from calbot.store.database import Tx

KEEP_SECONDS = 30 * 86400.0
BROUGHT_BACK = "copy_deleted_by_hand"
"""The reason of deletions that were taken back at once, as a person had removed the copy."""


def keep(tx: Tx, deed: int, whole: str, now: float) -> None:
    """Keep all that Google has of an original, under the deed that will delete it."""
    tx.execute("INSERT OR REPLACE INTO original (deed, whole, at) VALUES (?, ?, ?)", (deed, whole, now))


def whole(tx: Tx, deed: int) -> str | None:
    """Return what was kept of the original that a deed deleted."""
    row = tx.execute("SELECT whole FROM original WHERE deed = ?", (deed,)).fetchone()
    return row[0] if row else None


def renew(tx: Tx, deed: int, now: float) -> None:
    """Keep an original from now on for the whole time: it was deleted just now."""
    tx.execute("UPDATE original SET at = ? WHERE deed = ?", (now, deed))


def room_at(tx: Tx, deed: int, now: float, most: int, within: float) -> float | None:
    """Return when another original may be deleted, where `most` may within so many seconds; None: at once.

    Besides those that are deleted, those count that may be, and those that were for a moment.
    """
    times = sorted(
        at
        for (at,) in tx.execute(
            "SELECT coalesce(finished_at, started_at) AS at FROM deed WHERE verb = 'delete_original' AND id != ?1 AND "
            "at > ?2 AND at <= ?3 AND (state IN ('done', 'undone') OR (state = 'skipped' AND reason = ?4) OR "
            "((state = 'started' OR uncertain) AND EXISTS (SELECT 1 FROM original o WHERE o.deed = deed.id)))",
            (deed, now - within, now, BROUGHT_BACK),
        )
    )
    return times[-most] + within if len(times) >= most else None


def prune(tx: Tx, now: float) -> None:
    """Forget what can be brought back no longer."""
    tx.execute("DELETE FROM original WHERE at < ?", (now - KEEP_SECONDS,))
