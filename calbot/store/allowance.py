"""How much of the hour's allowance of invitations is used, and when there is room again."""

from calbot.planner import BRAKE
from calbot.store.database import Tx

HOUR = 3600.0
SOON = 600.0
_OPEN = "finished_at IS NULL AND verb = 'invite'"
_SENT = "verb = 'invite' AND state IN ('done', 'undone') AND finished_at > ? AND finished_at <= ?"


def sent(tx: Tx, now: float, *, without: int = 0) -> int:
    """Return the invitations that went out in the last hour or are going out, without those of one deed.

    What may have gone out, its answer being lost, counts too. What is written down for the future was so while the
    machine's clock was wrong, and what was begun long ago is of an account that nobody works on: neither counts.
    """
    (count,) = tx.execute(
        f"SELECT (SELECT coalesce(sum(guests), 0) FROM deed WHERE {_SENT}) + "
        f"(SELECT coalesce(sum(guests), 0) FROM deed WHERE {_OPEN} AND state IN ('started', 'parked', 'held')"
        " AND id != ? AND started_at <= ? AND CASE WHEN uncertain THEN started_at > ? "
        "ELSE state = 'started' AND started_at > ? END)",
        (now - HOUR, now + SOON, without, now + SOON, now - HOUR, now - SOON),
    ).fetchone()
    return int(count)


def promised(tx: Tx, now: float) -> int:
    """Return the invitations that are decided and go out within minutes.

    What the brake keeps is not among them, nor what waits for longer: another account's trouble delays nobody.
    """
    (count,) = tx.execute(
        f"SELECT coalesce(sum(guests), 0) FROM deed WHERE {_OPEN} AND state IN ('planned', 'parked') AND "
        "NOT uncertain AND CASE state WHEN 'planned' THEN planned_at > ? ELSE "
        "retry_at > ? AND retry_at < ? AND reason IS NOT ? END",
        (now - SOON, now - SOON, now + SOON, BRAKE),
    ).fetchone()
    return int(count)


def waiting(tx: Tx) -> int:
    """Return the invitations that wait by themselves until the hour has room."""
    (count,) = tx.execute(
        f"SELECT coalesce(sum(guests), 0) FROM deed WHERE {_OPEN} AND state = 'parked' AND reason = ?", (BRAKE,)
    ).fetchone()
    return int(count)


def room_at(tx: Tx, now: float, lacking: int) -> float:
    """Return when `lacking` of the last hour's invitations will be an hour old; in an hour at the latest."""
    rows = tx.execute(
        f"SELECT finished_at, guests FROM deed WHERE {_SENT} ORDER BY finished_at", (now - HOUR, now + SOON)
    )
    for finished_at, guests in rows:
        lacking -= guests
        if lacking <= 0:
            return min(float(finished_at), now) + HOUR
    return now + HOUR
