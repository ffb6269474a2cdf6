"""Copies on target calendars, and which events stand behind each."""

from collections.abc import Iterable
from typing import Any

import msgspec

from calbot.actions import Deed
from calbot.identity import copy_id
from calbot.kinds import CopyState
from calbot.model import CalendarKey, Change, Content, Copy, Event, EventKey, Gone, Noun
from calbot.policy import Link
from calbot.store.database import Tx
from calbot.store.ledger import COLUMNS, OPEN, deed_in

KEEP_SECONDS = 400 * 86400.0
_CHUNK = 500
_COLUMNS = (
    "c.id, c.uid, c.original_start, c.target, c.generation, c.event_id, c.series, c.state, c.etag, c.content, c.colour"
)
_encode = msgspec.msgpack.Encoder().encode
_content = msgspec.msgpack.Decoder(Content).decode
_link = msgspec.msgpack.Decoder(Link).decode


class Source(Noun, frozen=True):
    """An event behind a copy. Without a link it is one no longer: it is gone, or the rules say so.

    `place` is where its account stands among the household's.
    """

    key: EventKey
    link: Link | None
    place: int


def _copy_in(row: Any) -> Copy:
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
    row = tx.execute(f"SELECT {_COLUMNS} FROM copy c WHERE c.id = ?", (copy,)).fetchone()
    return _copy_in(row) if row else None


def on_target(tx: Tx, target: str, event_id: str) -> Copy | None:
    """Return the copy that has this id on the target calendar."""
    row = tx.execute(
        f"SELECT {_COLUMNS} FROM copy c WHERE c.target = ? AND c.event_id = ?", (target, event_id)
    ).fetchone()
    return _copy_in(row) if row else None


def unlike_written(tx: Tx, target: str, changes: Iterable[Change]) -> list[Change]:
    """Return those of the changes of a target that are not our own writes: they have another version."""
    etags = dict(tx.execute("SELECT event_id, etag FROM copy WHERE target = ?", (target,)).fetchall())
    return [one for one in changes if isinstance(one, Gone) or etags.get(one.id, one.etag) != one.etag]


def of_meeting(
    tx: Tx, uid: str, target: str, now: float, *, original_start: str = "", series: Copy | None = None
) -> Copy:
    """Return the copy of a meeting on a target; its row is made when there is none.

    Of a date of a copied series the copy is Google's own instance of that.
    """
    row = tx.execute(
        f"SELECT {_COLUMNS} FROM copy c WHERE uid = ? AND original_start = ? AND target = ? "
        "AND coalesce(series, 0) = ?",
        (uid, original_start, target, series.id if series is not None else 0),
    ).fetchone()
    if row is not None:
        return _copy_in(row)
    event_id = copy_id(uid, original_start, target, 0) if series is None else f"{series.event_id}_{original_start}"
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


def of_source(tx: Tx, key: EventKey) -> list[tuple[Copy, Link | None]]:
    """Return the copies that an event stands behind, or did."""
    rows = tx.execute(
        f"SELECT {_COLUMNS}, s.link FROM source s JOIN copy c ON c.id = s.copy "
        "WHERE s.account = ? AND s.calendar = ? AND s.event = ? ORDER BY c.id",
        (key.account, key.calendar, key.event),
    )
    return [(_copy_in(row), _link(link) if link is not None else None) for *row, link in rows]


def series_of_meeting(tx: Tx, uid: str, target: str) -> Copy | None:
    """Return the copy of a whole series on a target that something stands behind."""
    row = tx.execute(
        f"SELECT {_COLUMNS} FROM copy c WHERE uid = ? AND original_start = '' AND target = ? AND series IS NULL AND "
        "EXISTS (SELECT 1 FROM source s WHERE s.copy = c.id AND s.link IS NOT NULL)",
        (uid, target),
    ).fetchone()
    return _copy_in(row) if row else None


def alone_dates(tx: Tx, series: Copy) -> list[Copy]:
    """Return the copies that dates of a series have by themselves on the target of its copy."""
    rows = tx.execute(
        f"SELECT {_COLUMNS} FROM copy c WHERE uid = ? AND original_start != '' AND target = ? AND series IS NULL",
        (series.uid, series.target),
    )
    return [_copy_in(row) for row in rows.fetchall()]


def drop_unwatched(tx: Tx, copy: int) -> None:
    """Let calendars that nobody reads any more speak for a copy no longer, where one that is read does."""
    tx.execute(
        "UPDATE source SET link = NULL WHERE copy = ? AND link IS NOT NULL AND EXISTS (SELECT 1 FROM calendar c "
        "WHERE c.account = source.account AND c.calendar = source.calendar AND NOT c.watched)",
        (copy,),
    )


def states(tx: Tx, calendar: CalendarKey, ids: Iterable[str]) -> dict[str, dict[str, CopyState]]:
    """Return how the copies stand of each of these events that has any, by target."""
    wanted = list(ids)
    found: dict[str, dict[str, CopyState]] = {}
    for first in range(0, len(wanted), _CHUNK):
        some = wanted[first : first + _CHUNK]
        marks = ",".join("?" * len(some))
        rows = tx.execute(
            "SELECT s.event, c.target, c.state FROM source s JOIN copy c ON c.id = s.copy "
            f"WHERE s.account = ? AND s.calendar = ? AND s.event IN ({marks}) "
            "AND (s.link IS NOT NULL OR c.state = 'deleted')",
            (calendar.account, calendar.calendar, *some),
        )
        for event, target, state in rows:
            found.setdefault(event, {})[target] = state
    return found


def sources(tx: Tx, copy: int) -> list[Source]:
    """Return the events behind a copy, those that were once among them."""
    rows = tx.execute("SELECT account, calendar, event, link, place FROM source WHERE copy = ?", (copy,))
    return [
        Source(EventKey(account, calendar, event), _link(link) if link is not None else None, place)
        for account, calendar, event, link, place in rows
    ]


def dates(tx: Tx, series: int) -> list[Copy]:
    """Return the single dates of a copied series that stand, or stood, for themselves."""
    rows = tx.execute(f"SELECT {_COLUMNS} FROM copy c WHERE c.series = ? ORDER BY c.id", (series,))
    return [_copy_in(row) for row in rows]


def link(tx: Tx, key: EventKey, copy: int, wanted: Link | None, place: int) -> None:
    """Let an event stand behind a copy, or no longer."""
    tx.execute(
        "INSERT INTO source (account, calendar, event, copy, link, place) VALUES (?, ?, ?, ?, ?, ?) "
        "ON CONFLICT DO UPDATE SET link = excluded.link, place = excluded.place",
        (key.account, key.calendar, key.event, copy, _encode(wanted) if wanted is not None else None, place),
    )


def unlink(tx: Tx, copy: int) -> None:
    """Let no event stand behind a copy any more."""
    tx.execute("UPDATE source SET link = NULL WHERE copy = ?", (copy,))


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
    """Let a copy that was left to itself follow its source again, now that there is one; not one that replaced it."""
    tx.execute(
        "UPDATE copy SET state = 'live', etag = NULL, content = NULL WHERE id = ? AND state = 'kept' AND NOT EXISTS "
        "(SELECT 1 FROM deed WHERE deed.copy = copy.id AND verb = 'delete_original' AND deed.state = 'done')",
        (copy,),
    )


def doubt(tx: Tx, copy: int) -> None:
    """Forget what a copy shows: Google may have changed it with its series, or a person brought it back."""
    tx.execute("UPDATE copy SET state = 'planned', etag = NULL, content = NULL WHERE id = ?", (copy,))


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
    (count,) = tx.execute("SELECT count(*) FROM copy WHERE state = 'live' AND series IS NULL").fetchone()
    return int(count)


def all_of(tx: Tx) -> list[Copy]:
    """Return every copy and date that we know of, series before their dates."""
    rows = tx.execute(f"SELECT {_COLUMNS} FROM copy c ORDER BY c.series IS NOT NULL, c.id")
    return [_copy_in(row) for row in rows]


def with_copies(tx: Tx, calendar: CalendarKey, ids: Iterable[str]) -> set[str]:
    """Return those of these events that have a copy by itself."""
    found: set[str] = set()
    for id_ in ids:
        key = EventKey(calendar.account, calendar.calendar, id_)
        live = (copy for copy, linked in of_source(tx, key) if linked is not None)
        if any(copy.state == "live" and copy.series is None for copy in live):
            found.add(id_)
    return found


def open_deeds(tx: Tx, copy: int) -> list[Deed]:
    """Return what is to be done about a copy and not finished."""
    rows = tx.execute(f"SELECT {COLUMNS} FROM deed WHERE copy = ? AND {OPEN} ORDER BY id", (copy,))
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
