"""Copies on target calendars: what we wrote there, and how each stands."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from calbot.actions import Deed
from calbot.identity import copy_id
from calbot.kinds import CopyState
from calbot.model import Change, Content, Copy, Event, EventKey, Gone
from calbot.policy import Link
from calbot.store import ledger
from calbot.store.database import Tx
from calbot.store.ledger import OPEN, deed_in

KEEP_SECONDS = 400 * 86400.0
_CHUNK = 500
COLUMNS = (
    "c.id, c.uid, c.original_start, c.target, c.generation, c.event_id, c.series, c.state, c.etag, c.content, c.colour"
)
_encode = msgspec.msgpack.Encoder().encode
_content = msgspec.msgpack.Decoder(Content).decode
_link = msgspec.msgpack.Decoder(Link).decode


def copy_in(row: Any) -> Copy:
    """Return the copy in a row of COLUMNS."""
    id_, uid, original_start, target, generation, event_id, series, state, etag, content, colour = row
    return Copy(
        id=id_,
        uid=uid,
        original_start=original_start,
        target=target,
        generation=generation,
        event_id=event_id,
        series=series,
        state=state,
        etag=etag,
        content=_content(content) if content is not None else None,
        colour=colour,
    )


def by_id(tx: Tx, copy: int) -> Copy | None:
    """Return one copy."""
    row = tx.execute(f"SELECT {COLUMNS} FROM copy c WHERE c.id = ?", (copy,)).fetchone()
    return copy_in(row) if row else None


def on_target(tx: Tx, target: str, event_id: str) -> Copy | None:
    """Return the copy that has this id on the target calendar."""
    row = tx.execute(
        f"SELECT {COLUMNS} FROM copy c WHERE c.target = ? AND c.event_id = ?", (target, event_id)
    ).fetchone()
    return copy_in(row) if row else None


def unlike_written(tx: Tx, target: str, changes: Sequence[Change]) -> list[Change]:
    """Return those of the changes of a target that are not our own writes: they have another version.

    A date of a copied series that we have not written is among them.
    """
    ids = {one.id for one in changes} | {one.series for one in changes if one.series is not None}
    etags: dict[str, str | None] = {}
    for some in _chunks(sorted(ids)):
        marks = ",".join("?" * len(some))
        question = f"SELECT event_id, etag FROM copy WHERE target = ? AND event_id IN ({marks})"
        etags |= dict(tx.execute(question, (target, *some)).fetchall())
    return [
        one
        for one in changes
        if isinstance(one, Gone)
        or (one.id in etags and etags[one.id] != one.etag)
        or (one.id not in etags and one.series in etags)
    ]


def _chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    yield from (ids[first : first + _CHUNK] for first in range(0, len(ids), _CHUNK))


def of_meeting(
    tx: Tx, uid: str, target: str, now: float, *, original_start: str = "", series: Copy | None = None
) -> Copy:
    """Return the copy of a meeting on a target; its row is made when there is none.

    Of a date of a copied series the copy is Google's own instance of that.
    """
    row = tx.execute(
        f"SELECT {COLUMNS} FROM copy c WHERE uid = ? AND original_start = ? AND target = ? AND coalesce(series, 0) = ?",
        (uid, original_start, target, series.id if series is not None else 0),
    ).fetchone()
    if row is not None:
        return copy_in(row)
    event_id = copy_id(uid, original_start, target, 0) if series is None else f"{series.event_id}_{original_start}"
    found_there = on_target(tx, target, event_id)
    if found_there is not None:  # It was found on Google before anybody knew whose it is.
        tx.execute("UPDATE copy SET uid = ?, original_start = ? WHERE id = ?", (uid, original_start, found_there.id))
        return msgspec.structs.replace(found_there, uid=uid, original_start=original_start)
    cursor = tx.execute(
        "INSERT INTO copy (uid, original_start, target, event_id, series, changed_at) VALUES (?, ?, ?, ?, ?, ?)",
        (uid, original_start, target, event_id, series.id if series is not None else None, now),
    )
    return Copy(
        id=int(cursor.lastrowid or 0),
        uid=uid,
        original_start=original_start,
        target=target,
        generation=0,
        event_id=event_id,
        series=series.id if series is not None else None,
    )


def found(tx: Tx, target: str, event_id: str, etag: str, content: Content, now: float) -> int:
    """Give a copy on Google, of which nothing else is known, its row; return that."""
    cursor = tx.execute(
        "INSERT INTO copy (uid, original_start, target, event_id, state, etag, content, changed_at) "
        "VALUES (?, '', ?, ?, 'live', ?, ?, ?)",
        (f"unknown {event_id}", target, event_id, etag, _encode(content), now),
    )
    return int(cursor.lastrowid or 0)


def series_of_meeting(tx: Tx, uid: str, target: str) -> Copy | None:
    """Return the copy of a whole series on a target that something stands behind."""
    row = tx.execute(
        f"SELECT {COLUMNS} FROM copy c WHERE uid = ? AND original_start = '' AND target = ? AND series IS NULL AND "
        "EXISTS (SELECT 1 FROM source s WHERE s.copy = c.id AND s.link IS NOT NULL)",
        (uid, target),
    ).fetchone()
    return copy_in(row) if row else None


def alone_dates(tx: Tx, series: Copy) -> list[Copy]:
    """Return the copies that dates of a series have by themselves on the target of its copy."""
    rows = tx.execute(
        f"SELECT {COLUMNS} FROM copy c WHERE uid = ? AND original_start != '' AND target = ? AND series IS NULL",
        (series.uid, series.target),
    )
    return [copy_in(row) for row in rows.fetchall()]


def dates(tx: Tx, series: int) -> list[Copy]:
    """Return the single dates of a copied series that stand, or stood, for themselves."""
    rows = tx.execute(f"SELECT {COLUMNS} FROM copy c WHERE c.series = ? ORDER BY c.id", (series,))
    return [copy_in(row) for row in rows]


def written(tx: Tx, copy: Copy, as_it_is: Event, content: Content, now: float) -> None:
    """Note what we wrote, and Google's version of it."""
    tx.execute(
        "UPDATE copy SET state = 'live', etag = ?, content = ?, colour = ?, stamp = ?, changed_at = ? WHERE id = ?",
        (as_it_is.etag, _encode(content), copy.colour, as_it_is.copy_of, now, copy.id),
    )


def stamp(tx: Tx, copy: int) -> str:
    """Return our stamp on a copy as it was when we wrote it last."""
    row = tx.execute("SELECT stamp FROM copy WHERE id = ? AND state = 'live'", (copy,)).fetchone()
    return row[0] if row else ""


def version(tx: Tx, key: EventKey, over: str, etag: str) -> None:
    """Note that something else of ours was written to a copy than what it shows: it has another version since."""
    tx.execute(
        "UPDATE copy SET etag = ? WHERE target = ? AND event_id = ? AND etag = ?", (etag, key.calendar, key.event, over)
    )


def stand(tx: Tx, copy: int, state: CopyState, now: float) -> None:
    """Note how a copy stands, where we did not write what it shows."""
    version = ", etag = NULL" if state == "retired" else ""
    tx.execute(f"UPDATE copy SET state = ?, changed_at = ?{version} WHERE id = ?", (state, now, copy))


def look_of(tx: Tx, copy: int, colour: str) -> None:
    """Note the colour that a person chose for a copy."""
    tx.execute("UPDATE copy SET colour = ? WHERE id = ?", (colour, copy))


def take_back_up(tx: Tx, copy: int) -> None:
    """Let a copy that was left to itself follow its source again, now that there is one."""
    tx.execute("UPDATE copy SET state = 'live', etag = NULL, content = NULL WHERE id = ? AND state = 'kept'", (copy,))


def replaced(tx: Tx, copy: Copy) -> bool:
    """Say whether a copy took the place of its original: where that is back, a person wants it."""
    question = "SELECT 1 FROM deed WHERE copy = ? AND verb = 'delete_original' AND state IN ('done', 'undone') LIMIT 1"
    return copy.state == "kept" and tx.execute(question, (copy.id,)).fetchone() is not None


def unmade(tx: Tx, copy: int) -> None:
    """Note that the making of a copy is undone."""
    tx.execute("UPDATE deed SET state = 'undone' WHERE copy = ? AND verb = 'mirror' AND state = 'done'", (copy,))


def doubt(tx: Tx, copy: int) -> None:
    """Note that nobody knows how a date is: Google may have changed it with its series."""
    tx.execute("UPDATE copy SET state = 'planned', etag = NULL WHERE id = ?", (copy,))


def remember_content(tx: Tx, copy: int, content: Content) -> None:
    """Note what a copy showed last."""
    tx.execute("UPDATE copy SET content = ? WHERE id = ?", (_encode(content), copy))


def forget_content(tx: Tx, copy: int) -> None:
    """Forget what a copy shows."""
    tx.execute("UPDATE copy SET etag = NULL, content = NULL WHERE id = ?", (copy,))


def next_generation(tx: Tx, copy: Copy, now: float) -> None:
    """Give a copy, and its dates, another id: the one it has is taken for ever."""
    generation = copy.generation + 1
    event_id = copy_id(copy.uid, copy.original_start, copy.target, generation)
    tx.execute(
        "UPDATE copy SET generation = ?, event_id = ?, state = 'planned', etag = NULL, content = NULL, changed_at = ? "
        "WHERE id = ?",
        (generation, event_id, now, copy.id),
    )
    tx.execute(
        "UPDATE copy SET event_id = ? || '_' || original_start, state = 'planned', etag = NULL, content = NULL "
        "WHERE series = ?",
        (event_id, copy.id),
    )


def known(tx: Tx) -> int:
    """Return how many copies there are; dates of series do not count for themselves."""
    own = "series IS NULL AND original_start = ''"
    (count,) = tx.execute(f"SELECT count(*) FROM copy WHERE state = 'live' AND {own}").fetchone()
    return int(count)


def all_of(tx: Tx) -> list[Copy]:
    """Return every copy and date that we know of, series before their dates."""
    rows = tx.execute(f"SELECT {COLUMNS} FROM copy c ORDER BY c.series IS NOT NULL, c.id")
    return [copy_in(row) for row in rows]


def open_deeds(tx: Tx, copy: int) -> list[Deed]:
    """Return what is to be done about a copy and not finished."""
    rows = tx.execute(f"SELECT {ledger.COLUMNS} FROM deed WHERE copy = ? AND {OPEN} ORDER BY id", (copy,))
    return [deed_in(row) for row in rows]


def dates_under_way(tx: Tx, series: int) -> bool:
    """Say whether a deed about a date of a copied series is in the slots just now."""
    question = (
        "SELECT 1 FROM copy c JOIN deed d ON d.copy = c.id WHERE c.series = ? AND d.finished_at IS NULL "
        "AND d.state = 'started' LIMIT 1"
    )
    return tx.execute(question, (series,)).fetchone() is not None


def writes(tx: Tx, copy: int, since: float) -> int:
    """Return how often we wrote a copy since then (epoch seconds)."""
    (count,) = tx.execute(
        "SELECT count(*) FROM deed WHERE copy = ? AND verb = 'mirror' AND state = 'done' AND finished_at > ?",
        (copy, since),
    ).fetchone()
    return int(count)


def prune(tx: Tx, now: float) -> None:
    """Forget copies that nothing stands behind for more than a year; their ids are not asked for again."""
    tx.execute(
        "DELETE FROM copy WHERE changed_at < ? AND state IN ('retired', 'deleted', 'planned') AND NOT EXISTS "
        "(SELECT 1 FROM source s WHERE s.copy = copy.id AND s.link IS NOT NULL)",
        (now - KEEP_SECONDS,),
    )
