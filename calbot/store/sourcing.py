"""Which events stand behind each copy, and did."""

from collections.abc import Iterable

import msgspec

from calbot.kinds import CopyState
from calbot.model import CalendarKey, Copy, EventKey, Noun
from calbot.policy import Link
from calbot.store.copies import COLUMNS, copy_in
from calbot.store.database import Tx

_CHUNK = 500
_encode = msgspec.msgpack.Encoder().encode
_link = msgspec.msgpack.Decoder(Link).decode


class Source(Noun, frozen=True):
    """An event behind a copy. Without a link it is one no longer: it is gone, or the rules say so.

    `place` is where its account stands among the household's.
    """

    key: EventKey
    link: Link | None
    place: int


def of_source(tx: Tx, key: EventKey) -> list[tuple[Copy, Link | None]]:
    """Return the copies that an event stands behind, or did."""
    rows = tx.execute(
        f"SELECT {COLUMNS}, s.link FROM source s JOIN copy c ON c.id = s.copy "
        "WHERE s.account = ? AND s.calendar = ? AND s.event = ? ORDER BY c.id",
        (key.account, key.calendar, key.event),
    )
    return [(copy_in(row), _link(link) if link is not None else None) for *row, link in rows]


def states(tx: Tx, calendar: CalendarKey, ids: Iterable[str]) -> dict[str, dict[str, CopyState]]:
    """Return how the copies stand of each of these events that has any, by target; one that waits to go is one."""
    wanted = list(ids)
    found: dict[str, dict[str, CopyState]] = {}
    for first in range(0, len(wanted), _CHUNK):
        some = wanted[first : first + _CHUNK]
        marks = ",".join("?" * len(some))
        rows = tx.execute(
            "SELECT s.event, c.target, c.state FROM source s JOIN copy c ON c.id = s.copy "
            f"WHERE s.account = ? AND s.calendar = ? AND s.event IN ({marks}) "
            "AND (s.link IS NOT NULL OR c.state = 'deleted' OR EXISTS "
            "(SELECT 1 FROM deed d WHERE d.copy = c.id AND d.verb = 'remove_copy' AND d.finished_at IS NULL))",
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


def drop_unwatched(tx: Tx, copy: int) -> None:
    """Let calendars that nobody reads any more speak for a copy no longer, where one that is read does."""
    tx.execute(
        "UPDATE source SET link = NULL WHERE copy = ? AND link IS NOT NULL AND EXISTS (SELECT 1 FROM calendar c "
        "WHERE c.account = source.account AND c.calendar = source.calendar AND NOT c.watched)",
        (copy,),
    )


def with_copies(tx: Tx, calendar: CalendarKey, ids: Iterable[str]) -> set[str]:
    """Return those of these events that have a copy by itself."""
    found: set[str] = set()
    for id_ in ids:
        key = EventKey(calendar.account, calendar.calendar, id_)
        live = (copy for copy, linked in of_source(tx, key) if linked is not None)
        if any(copy.state == "live" and copy.series is None for copy in live):
            found.add(id_)
    return found
