"""How much of what the store holds: figures for diagnostics, without any content."""

from calbot.store.database import Tx

_BY_STATE = {"ledger": "deed", "outbox": "outbox", "copies": "copy", "commands": "command"}
_WHOLE = {"calendars": "calendar", "events": "event", "channels": "channel"}


def sizes(tx: Tx) -> dict[str, dict[str, int] | int]:
    """Return the number of rows of each part of the store, by state where they have one."""
    found: dict[str, dict[str, int] | int] = {}
    for name, table in _BY_STATE.items():
        rows = tx.execute(f"SELECT state, count(*) FROM {table} GROUP BY state ORDER BY state")
        found[name] = {str(state): int(count) for state, count in rows}
    for name, table in _WHOLE.items():
        found[name] = int(tx.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
    return found
