"""What was done in a span of time, and what waits, in figures; nothing is written here."""

import msgspec

from calbot.model import Notice, Noun, Outcome
from calbot.store.database import Tx

_decode = msgspec.msgpack.Decoder(Outcome | Notice).decode


class Figures(Noun, frozen=True, kw_only=True):
    """What came to its end between two instants, counted; and what waits now.

    `events` and `guests` are of the invitations that went out. `reasons` are why deeds failed, each with how often, the
    most common first.
    """

    events: int = 0
    guests: int = 0
    undone: int = 0
    copies_made: int = 0
    copies_updated: int = 0
    copies_removed: int = 0
    originals_deleted: int = 0
    originals_restored: int = 0
    failed: int = 0
    reasons: tuple[tuple[str, int], ...] = ()
    discarded: int = 0
    held: int = 0
    waiting: int = 0
    calendars: int = 0
    last_success: float | None = None
    alerts_raised: int = 0
    alerts_cleared: int = 0


def figures(tx: Tx, since: float, until: float) -> Figures:
    """Return what was done after `since` and up to `until`, both in epoch seconds."""
    span = (since, until)
    done = {
        verb: (int(count), int(guests))
        for verb, count, guests in tx.execute(
            "SELECT verb, count(*), sum(guests) FROM deed WHERE state IN ('done', 'undone')"
            " AND finished_at > ? AND finished_at <= ? GROUP BY verb",
            span,
        )
    }
    nothing = (0, 0)
    written, updated = _copies_written(tx, span)
    reasons = _failures(tx, span)
    calendars, last_success = tx.execute(
        "SELECT count(*), min(last_success) FROM calendar WHERE watched AND last_success IS NOT NULL"
    ).fetchone()
    raised, cleared = (_said(tx, span, kind) for kind in ("alert_raised", "alert_cleared"))
    return Figures(
        events=done.get("invite", nothing)[0],
        guests=done.get("invite", nothing)[1],
        undone=done.get("retract", nothing)[0],
        copies_made=written,
        copies_updated=updated,
        copies_removed=done.get("remove_copy", nothing)[0],
        originals_deleted=done.get("delete_original", nothing)[0],
        originals_restored=done.get("restore_original", nothing)[0],
        failed=sum(count for _, count in reasons),
        reasons=reasons,
        discarded=_finished(tx, span, "discarded"),
        held=_open(tx, "held"),
        waiting=_open(tx, "planned") + _open(tx, "started") + _open(tx, "parked"),
        calendars=int(calendars),
        last_success=last_success,
        alerts_raised=raised,
        alerts_cleared=cleared,
    )


def waiting_since(tx: Tx, account: str) -> float | None:
    """Return when the account's oldest work that can go out was written down, in epoch seconds; None: nothing waits.

    What is held or put off waits for something else, and is not meant.
    """
    row = tx.execute(
        "SELECT planned_at FROM deed WHERE id = (SELECT min(id) FROM deed WHERE account = ?"
        " AND finished_at IS NULL AND state IN ('planned', 'started'))",
        (account,),
    ).fetchone()
    return float(row[0]) if row else None


def _copies_written(tx: Tx, span: tuple[float, float]) -> tuple[int, int]:
    """Return how many copies were made, and how many that were there were written again."""
    made, all_ = tx.execute(
        "SELECT coalesce(sum(coalesce(before, '') = ''), 0), count(*) FROM deed WHERE verb = 'mirror'"
        " AND state = 'done' AND after IS NOT NULL AND finished_at > ? AND finished_at <= ?",
        span,
    ).fetchone()
    return int(made), int(all_) - int(made)


def _failures(tx: Tx, span: tuple[float, float]) -> tuple[tuple[str, int], ...]:
    rows = tx.execute(
        "SELECT coalesce(reason_text, reason, ''), count(*) FROM deed WHERE state = 'refused'"
        " AND finished_at > ? AND finished_at <= ? GROUP BY 1 ORDER BY 2 DESC, 1",
        span,
    )
    return tuple((str(text), int(count)) for text, count in rows)


def _finished(tx: Tx, span: tuple[float, float], state: str) -> int:
    question = "SELECT count(*) FROM deed WHERE state = ? AND finished_at > ? AND finished_at <= ?"
    (count,) = tx.execute(question, (state, *span)).fetchone()
    return int(count)


def _open(tx: Tx, state: str) -> int:
    (count,) = tx.execute("SELECT count(*) FROM deed WHERE finished_at IS NULL AND state = ?", (state,)).fetchone()
    return int(count)


def _said(tx: Tx, span: tuple[float, float], kind: str) -> int:
    """Return how often something was announced about Calbot itself."""
    rows = tx.execute("SELECT body FROM outbox WHERE stream = 'system' AND created > ? AND created <= ?", span)
    said = (_decode(body) for (body,) in rows)
    return sum(isinstance(one, Notice) and one.event_type == kind for one in said)
