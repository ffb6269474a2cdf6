"""Once an hour: what is too old goes, what was lost is said, and a copy of the store is written."""

import math

from calbot.actions import LookUp
from calbot.model import Notice
from calbot.moments import is_past
from calbot.ports import Random
from calbot.store import commands, copies, fates, ledger, originals, outbox, releases, switches
from calbot.store.database import Database, Tx


def tidy(database: Database, now: float, time_zone: str, random: Random) -> None:
    """Prune the tables, let go of held work that came to nothing, and write a snapshot. Raises StoreError."""
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
        fates.prune(tx, now)
        copies.prune(tx, now)
        originals.prune(tx, now)
        _let_go(tx, now, time_zone)
    database.snapshot(int(now))


def _let_go(tx: Tx, now: float, time_zone: str) -> None:
    """Close held rows whose event is over: nobody needs to decide about them any more."""
    for deed in releases.held(tx, None, math.inf, now):
        if not isinstance(deed.action, LookUp) and is_past(deed.action.event, time_zone, now):
            ledger.finish(tx, deed, "skipped", now, reason="past", text="It was over before anybody approved.")
