"""Once an hour: what is too old goes, what was lost is said, and a copy of the store is written."""

from calbot.model import Notice
from calbot.ports import Random
from calbot.store import commands, ledger, outbox, switches
from calbot.store.database import Database


def tidy(database: Database, now: float, random: Random) -> None:
    """Prune the tables and write a snapshot. Raises StoreError."""
    with database.write() as tx:
        lost = outbox.prune(tx, now)
        if lost and switches.fact(tx, switches.HOME_ASSISTANT_SEEN):
            text = (
                f"{lost} announcements were never fetched and are dropped: "
                f"they were older than a week, or more than {outbox.KEEP_ROWS:,} waited."
            )
            outbox.put(tx, [Notice(event_type="alert_raised", text=text, reason="outbox")], now, random)
        commands.prune(tx, now)
        ledger.prune(tx, now)
    database.snapshot(int(now))
