"""Who writes on which target calendar, and what waits for that."""

from collections.abc import Mapping

from calbot.store.database import Tx
from calbot.store.ledger import OPEN


def writers(tx: Tx) -> Mapping[str, str]:
    """Return the account that writes on each target calendar."""
    return dict(tx.execute("SELECT calendar, account FROM target").fetchall())


def writer(tx: Tx, target: str) -> str | None:
    """Return the account that writes on a target calendar."""
    row = tx.execute("SELECT account FROM target WHERE calendar = ?", (target,)).fetchone()
    return row[0] if row else None


def in_use(tx: Tx) -> set[str]:
    """Return the calendars on which copies are."""
    # From one calendar to the next over the index: there may be thousands of copies on each.
    rows = tx.execute(
        "WITH RECURSIVE one (target) AS (SELECT min(target) FROM copy UNION ALL "
        "SELECT (SELECT min(target) FROM copy WHERE target > one.target) FROM one WHERE one.target IS NOT NULL) "
        "SELECT target FROM one WHERE EXISTS "
        "(SELECT 1 FROM copy c WHERE c.target = one.target AND c.state IN ('planned', 'live'))"
    )
    return {target for (target,) in rows}


def claim(tx: Tx, target: str, account: str, now: float) -> None:
    """Let this account write on a target from now on; what waits for that is its own to do."""
    tx.execute("INSERT OR REPLACE INTO target (calendar, account) VALUES (?, ?)", (target, account))
    own = f"calendar = ? AND verb IN ('mirror', 'remove_copy') AND {OPEN}"
    tx.execute(  # Two accounts may each have been asked for the same.
        f"UPDATE deed SET state = 'superseded', finished_at = ? WHERE {own} AND id NOT IN "
        f"(SELECT max(id) FROM deed WHERE {own} GROUP BY event, verb)",
        (now, target, target),
    )
    tx.execute(
        "UPDATE deed SET account = ?, state = CASE state WHEN 'held' THEN 'held' ELSE 'parked' END, retry_at = ?, "
        "uncertain = (uncertain OR state = 'started') "
        f"WHERE calendar = ? AND verb IN ('mirror', 'remove_copy') AND {OPEN}",
        (account, now, target),
    )


def hand_over(tx: Tx, deed: int, account: str) -> None:
    """Let the account that writes on a target by now do what another one was to do there."""
    tx.execute(  # It may have been asked for the same already.
        "UPDATE OR IGNORE deed SET account = ?, state = 'parked', retry_at = 0 WHERE id = ?", (account, deed)
    )


def release(tx: Tx, target: str, account: str) -> bool:
    """Note that this account can write there no longer; say whether it could before."""
    return tx.execute("DELETE FROM target WHERE calendar = ? AND account = ?", (target, account)).rowcount > 0
