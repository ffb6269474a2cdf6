"""Which deeds a person means who wants something undone, newest first; and the guest list as a deed left it."""

import msgspec

from calbot.actions import Deed
from calbot.model import EventKey, Guest
from calbot.store.database import Tx
from calbot.store.history import deed_of, undo_token

_entries = msgspec.json.Decoder(tuple[msgspec.Raw, ...]).decode
_FREE = (
    "NOT EXISTS (SELECT 1 FROM deed r WHERE r.account = deed.account AND r.calendar = deed.calendar"
    " AND r.event = deed.event AND r.verb IN ('retract', 'remove_copy', 'restore_original')"
    " AND r.state IN ('planned', 'started', 'parked', 'held'))"
)
"""Nobody is taking it back already."""
_OURS = (
    "(verb = 'invite' OR (verb = 'mirror' AND coalesce(before, '') = '' AND EXISTS "
    "(SELECT 1 FROM copy c WHERE c.id = deed.copy AND c.series IS NULL AND c.state IN ('planned', 'live')))"
    " OR (verb = 'delete_original' AND (state != 'done' OR EXISTS (SELECT 1 FROM original o WHERE o.deed = deed.id))))"
)
"""What can be taken back: invitations, copies that a deed has made and that are there, originals that were kept."""
_LIVE = f"(state IN ('planned', 'started', 'parked', 'held') OR (state = 'done' AND {_FREE}))"


def last(tx: Tx, before: float) -> list[int]:
    """Return what was done last before then (epoch seconds), can be taken back, and was not."""
    return _numbers(tx, f"state = 'done' AND {_FREE}", before, (), "ORDER BY finished_at DESC, id DESC LIMIT 1")


def by_token(tx: Tx, token: str, before: float) -> list[int] | None:
    """Return the deed that this token is for; empty when it was undone, None when there is none such."""
    number = deed_of(token)
    row = tx.execute("SELECT account, calendar, event FROM deed WHERE id = ?", (number,)).fetchone()
    if number is None or row is None or undo_token(number, EventKey(*row)) != token.strip():
        return None
    return _numbers(tx, f"id = ? AND {_LIVE}", before, (number,))


def of_event(tx: Tx, event_id: str, before: float) -> list[int]:
    """Return the deeds about the event of this id, on whatever calendar, and about its copies."""
    own = "SELECT copy FROM source WHERE event = ?"
    about = f"(event = ? OR copy IN ({own}) OR event IN (SELECT event_id FROM copy WHERE id IN ({own})))"
    return _numbers(tx, f"{about} AND {_LIVE}", before, (event_id, event_id, event_id))


def of_run(tx: Tx, run_id: str, before: float) -> list[int]:
    """Return the deeds of a run."""
    return _numbers(tx, f"run_id = ? AND {_LIVE}", before, (run_id,))


def since(tx: Tx, moment: float, before: float) -> list[int]:
    """Return what was done, or decided, after this moment (epoch seconds)."""
    return _numbers(tx, f"coalesce(finished_at, planned_at) > ? AND {_LIVE}", before, (moment,))


def _numbers(
    tx: Tx, which: str, before: float, bounds: tuple[str | float, ...], order: str = "ORDER BY id DESC"
) -> list[int]:
    """Return what is meant of all that had gone out, or was decided, before then: a later deed was never meant."""
    question = f"SELECT id FROM deed WHERE {_OURS} AND {which} AND coalesce(finished_at, planned_at) <= ? {order}"
    return [number for (number,) in tx.execute(question, (*bounds, before))]


def as_written(tx: Tx, deed: Deed) -> tuple[Guest, ...]:
    """Return the guest list as the deed left it."""
    (after,) = tx.execute("SELECT after FROM deed WHERE id = ?", (deed.id,)).fetchone()
    entries = [bytes(entry).decode() for entry in _entries(after or "[]")]
    return tuple(Guest(msgspec.json.decode(entry, type=_Named).email.lower(), entry) for entry in entries)


class _Named(msgspec.Struct):
    email: str = ""
