"""Rows of the ledger that a person decides about: held for one, let go on, set aside, wished for."""

from calbot.actions import Deed
from calbot.kinds import DeedState
from calbot.store.database import Tx
from calbot.store.ledger import COLUMNS, deed_in


def set_aside(tx: Tx, deed: Deed, state: DeedState, now: float) -> None:
    """Close a row because a person said so: `discarded` before it went out, `undone` after."""
    tx.execute("UPDATE deed SET state = ?, finished_at = coalesce(finished_at, ?) WHERE id = ?", (state, now, deed.id))


def approve(tx: Tx, deed: Deed, now: float) -> None:
    """Let a held row go on, afresh and past the brake."""
    tx.execute(
        "UPDATE deed SET state = 'parked', retry_at = ?, approved = 1, uncertain = 0, reason = 'approved',"
        " reason_text = NULL WHERE id = ? AND finished_at IS NULL",
        (now, deed.id),
    )


def held(tx: Tx, run_id: str | None, before: float, now: float) -> list[Deed]:
    """Return the rows that wait for a person since before then, oldest first: of one run, or all.

    What was written down in the future was so while the machine's clock was wrong.
    """
    rows = tx.execute(
        f"SELECT {COLUMNS} FROM deed WHERE finished_at IS NULL AND state = 'held' AND (?1 IS NULL OR run_id = ?1) "
        "AND (planned_at <= ?2 OR planned_at > ?3) ORDER BY id",
        (run_id, before, now),
    )
    return [deed_in(row) for row in rows]


def of_wish(tx: Tx, run_id: str, account: str | None = None) -> list[Deed]:
    """Return the rows that a person's wish was written down as, oldest first: of one account, or all."""
    rows = tx.execute(
        f"SELECT {COLUMNS} FROM deed WHERE run_id = ?1 AND (?2 IS NULL OR account = ?2) ORDER BY id",
        (run_id, account),
    )
    return [deed_in(row) for row in rows]
