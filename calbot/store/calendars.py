"""Calendars and the events on them as they were last seen, and the pages of a listing under way."""

from collections.abc import Iterable, Iterator

import msgspec

from calbot.model import CalendarKey, Change, Event, EventKey, Gone, Noun
from calbot.store.database import Tx

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Event).decode
_decode_change = msgspec.msgpack.Decoder(Change).decode
_CHUNK = 500


class Known(Noun, frozen=True):
    """What we know of a calendar: its row, where its listing stands, its own words for itself."""

    id: int
    name: str
    time_zone: str
    sync_token: str | None
    last_success: float | None


def known(tx: Tx, key: CalendarKey) -> Known | None:
    """Return the calendar's row; None when it was never seen."""
    row = tx.execute(
        "SELECT id, name, time_zone, sync_token, last_success FROM calendar WHERE account = ? AND calendar = ?",
        (key.account, key.calendar),
    ).fetchone()
    return Known(*row) if row else None


def name_of(tx: Tx, calendar: str) -> str:
    """Return a calendar's own name, by whichever account it is known; else its id."""
    row = tx.execute("SELECT name FROM calendar WHERE calendar = ? AND name != '' LIMIT 1", (calendar,)).fetchone()
    return row[0] if row else calendar


def register(tx: Tx, key: CalendarKey) -> Known:
    """Give the calendar its row."""
    cursor = tx.execute("INSERT INTO calendar (account, calendar) VALUES (?, ?)", (key.account, key.calendar))
    return Known(int(cursor.lastrowid or 0), "", "", None, None)


def synced(tx: Tx, calendar_id: int, sync_token: str, name: str, time_zone: str, now: float) -> None:
    """Store where the listing ended and that it ended well."""
    tx.execute(
        "UPDATE calendar SET sync_token = ?, name = ?, time_zone = ?, last_success = ? WHERE id = ?",
        (sync_token, name, time_zone, now, calendar_id),
    )


def watch(tx: Tx, keys: Iterable[CalendarKey]) -> None:
    """Note which calendars are read from now on; what is known of the others grows old."""
    tx.execute("UPDATE calendar SET watched = 0")
    tx.executemany(
        "UPDATE calendar SET watched = 1 WHERE account = ? AND calendar = ?",
        [(key.account, key.calendar) for key in keys],
    )


def ever_read(tx: Tx) -> set[CalendarKey]:
    """Return the calendars that were read well at some time."""
    rows = tx.execute("SELECT account, calendar FROM calendar WHERE last_success IS NOT NULL")
    return {CalendarKey(account, calendar) for account, calendar in rows}


def is_watched(tx: Tx, key: EventKey) -> bool:
    """Say whether the calendar of an event is read, as far as is known."""
    question = "SELECT watched FROM calendar WHERE account = ? AND calendar = ?"
    row = tx.execute(question, (key.account, key.calendar)).fetchone()
    return row is None or bool(row[0])


def last_successes(tx: Tx, account: str) -> dict[str, float]:
    """Return when each calendar of the account was last synced."""
    rows = tx.execute(
        "SELECT calendar, last_success FROM calendar WHERE account = ? AND last_success IS NOT NULL",
        (account,),
    )
    return dict(rows.fetchall())


def save(tx: Tx, calendar_id: int, changes: Iterable[Change]) -> None:
    """Take over events as they are now; what is gone is forgotten."""
    latest = {change.id: change for change in changes}.values()
    tx.executemany(
        "INSERT INTO event (calendar_id, id, etag, body) VALUES (?, ?, ?, ?) "
        "ON CONFLICT DO UPDATE SET etag = excluded.etag, body = excluded.body",
        ((calendar_id, event.id, event.etag, _encode(event)) for event in latest if isinstance(event, Event)),
    )
    gone = [change for change in latest if isinstance(change, Gone)]
    tx.executemany("DELETE FROM event WHERE calendar_id = ? AND id = ?", [(calendar_id, one.id) for one in gone])
    _note_dates(tx, calendar_id, latest)


def _note_dates(tx: Tx, calendar_id: int, changes: Iterable[Change]) -> None:
    """Remember which dates of series are cancelled: Google names them once, and they stay so."""
    for change in changes:
        if change.series is None:
            continue
        if isinstance(change, Gone):
            tx.execute(
                "INSERT OR REPLACE INTO cancelled_date (calendar_id, series, id, original_start) VALUES (?, ?, ?, ?)",
                (calendar_id, change.series, change.id, change.original_start),
            )
        else:
            tx.execute(
                "DELETE FROM cancelled_date WHERE calendar_id = ? AND series = ? AND id = ?",
                (calendar_id, change.series, change.id),
            )


def cancelled_dates(tx: Tx, key: EventKey) -> list[Gone]:
    """Return the cancelled dates of a series."""
    rows = tx.execute(
        "SELECT id, series, original_start FROM cancelled_date WHERE series = ? AND calendar_id = "
        "(SELECT id FROM calendar WHERE account = ? AND calendar = ?)",
        (key.event, key.account, key.calendar),
    )
    return [Gone(*row) for row in rows]


def forget_events(tx: Tx, calendar_id: int) -> None:
    """Drop what a first listing that did not come to its end has left."""
    tx.execute("DELETE FROM cancelled_date WHERE calendar_id = ?", (calendar_id,))
    tx.execute("DELETE FROM event WHERE calendar_id = ?", (calendar_id,))


def saved(tx: Tx, calendar_id: int) -> Iterator[list[Event]]:
    """Yield the live events, some hundred at a time."""
    last = 0
    while rows := tx.execute(
        "SELECT rowid, body FROM event WHERE calendar_id = ? AND rowid > ? ORDER BY rowid LIMIT ?",
        (calendar_id, last, _CHUNK),
    ).fetchall():
        last = rows[-1][0]
        yield [_decode(body) for _, body in rows]


def wrote(tx: Tx, key: EventKey, over: str, written: Event) -> None:
    """Take over an event as our own write left it, unless a listing has brought a newer version than `over`."""
    tx.execute(
        "UPDATE event SET etag = ?, body = ? WHERE id = ? AND etag = ? AND calendar_id = "
        "(SELECT id FROM calendar WHERE account = ? AND calendar = ?)",
        (written.etag, _encode(written), key.event, over, key.account, key.calendar),
    )


def event(tx: Tx, key: EventKey) -> Event | None:
    """Return a live event as it was last seen."""
    row = tx.execute(
        "SELECT body FROM event WHERE id = ? AND calendar_id = "
        "(SELECT id FROM calendar WHERE account = ? AND calendar = ?)",
        (key.event, key.account, key.calendar),
    ).fetchone()
    return _decode(row[0]) if row else None


def dates_of(tx: Tx, key: EventKey) -> list[Event]:
    """Return the known single dates of a series; Google writes their ids `<series>_<date>`."""
    rows = tx.execute(
        "SELECT body FROM event WHERE id > ?1 || '_' AND id < ?1 || '`' AND calendar_id = "
        "(SELECT id FROM calendar WHERE account = ?2 AND calendar = ?3)",
        (key.event, key.account, key.calendar),
    )
    return [event for (body,) in rows if (event := _decode(body)).series == key.event]


def forget(tx: Tx, key: EventKey) -> None:
    """Forget an event that is deleted."""
    tx.execute(
        "DELETE FROM event WHERE id = ? AND calendar_id = (SELECT id FROM calendar WHERE account = ? AND calendar = ?)",
        (key.event, key.account, key.calendar),
    )


def clear_stage(tx: Tx, calendar_id: int) -> None:
    """Drop the pages of a listing that did not come to its end."""
    tx.execute("DELETE FROM staged WHERE calendar_id = ?", (calendar_id,))


def stage(tx: Tx, calendar_id: int, changes: Iterable[Change]) -> None:
    """Keep a page until its listing is complete; what is gone has no etag."""
    tx.executemany(
        "INSERT INTO staged (calendar_id, id, etag, body) VALUES (?, ?, ?, ?)",
        (
            (calendar_id, change.id, change.etag if isinstance(change, Event) else None, _encode(change))
            for change in changes
        ),
    )


def staged(tx: Tx, calendar_id: int) -> Iterator[list[Change]]:
    """Yield what was staged, in the order it came, some hundred at a time."""
    last = 0
    while rows := tx.execute(
        "SELECT rowid, body FROM staged WHERE calendar_id = ? AND rowid > ? ORDER BY rowid LIMIT ?",
        (calendar_id, last, _CHUNK),
    ).fetchall():
        last = rows[-1][0]
        yield [_decode_change(body) for _, body in rows]


def take_over_stage(tx: Tx, calendar_id: int) -> None:
    """Make the staged listing what we know; of an event that is on several pages, the last word counts."""
    latest = "(SELECT id, etag, body, max(rowid) FROM staged WHERE calendar_id = ?1 GROUP BY id)"
    tx.execute(
        "INSERT INTO event (calendar_id, id, etag, body) "
        f"SELECT ?1, id, etag, body FROM {latest} WHERE etag IS NOT NULL "
        "ON CONFLICT DO UPDATE SET etag = excluded.etag, body = excluded.body",
        (calendar_id,),
    )
    tx.execute(
        f"DELETE FROM event WHERE calendar_id = ?1 AND id IN (SELECT id FROM {latest} WHERE etag IS NULL)",
        (calendar_id,),
    )
    gone = tx.execute(
        "SELECT body FROM staged WHERE rowid IN (SELECT max(rowid) FROM staged WHERE calendar_id = ?1 GROUP BY id) "
        "AND etag IS NULL",
        (calendar_id,),
    ).fetchall()
    _note_dates(tx, calendar_id, [_decode_change(body) for (body,) in gone])


def events(tx: Tx, calendar_id: int, ids: Iterable[str]) -> dict[str, Event]:
    """Return the live events among these ids as they were last seen."""
    wanted = list(ids)
    found: dict[str, Event] = {}
    for first in range(0, len(wanted), _CHUNK):
        some = wanted[first : first + _CHUNK]
        marks = ",".join("?" * len(some))
        rows = tx.execute(
            f"SELECT id, body FROM event WHERE calendar_id = ? AND id IN ({marks})",
            (calendar_id, *some),
        )
        found |= {id_: _decode(body) for id_, body in rows}
    return found


def count(tx: Tx, calendar_id: int) -> int:
    """Return how many live events we know."""
    (number,) = tx.execute("SELECT count(*) FROM event WHERE calendar_id = ?", (calendar_id,)).fetchone()
    return int(number)


def absent(tx: Tx, calendar_id: int) -> tuple[str, ...]:
    """Return the ids of live events that the staged full listing does not name."""
    rows = tx.execute(
        "SELECT id FROM event WHERE calendar_id = ?1 AND id NOT IN (SELECT id FROM staged WHERE calendar_id = ?1)",
        (calendar_id,),
    )
    return tuple(id_ for (id_,) in rows)
