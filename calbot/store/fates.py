"""What became of the guests we wanted on an event; kept where the event itself cannot tell."""

from collections.abc import Iterable, Mapping

from calbot.kinds import Fate
from calbot.model import EventKey
from calbot.store.database import Tx

KEEP_SECONDS = 90 * 86400.0
_CHUNK = 500


def note(tx: Tx, key: EventKey, guests: Iterable[str], fate: Fate, now: float) -> None:
    """Remember what became of these guests."""
    tx.executemany(
        "INSERT OR REPLACE INTO guest (account, calendar, event, email, fate, at) VALUES (?, ?, ?, ?, ?, ?)",
        [(key.account, key.calendar, key.event, guest, fate, now) for guest in guests],
    )


def of_event(tx: Tx, key: EventKey) -> Mapping[str, Fate]:
    """Return what became of each guest of one event whom we wanted on it."""
    return of_events(tx, key.account, key.calendar, [key.event]).get(key.event, {})


def of_events(tx: Tx, account: str, calendar: str, ids: Iterable[str]) -> dict[str, dict[str, Fate]]:
    """Return the same for each of these events that has any."""
    wanted = list(ids)
    found: dict[str, dict[str, Fate]] = {}
    for first in range(0, len(wanted), _CHUNK):
        some = wanted[first : first + _CHUNK]
        marks = ",".join("?" * len(some))
        rows = tx.execute(
            f"SELECT event, email, fate FROM guest WHERE account = ? AND calendar = ? AND event IN ({marks})",
            (account, calendar, *some),
        )
        for event, email, fate in rows:
            found.setdefault(event, {})[email] = fate
    return found


def of_date(found: Mapping[str, Mapping[str, Fate]], event: str, series: str | None) -> Mapping[str, Fate]:
    """Return an event's fates among those found; what was said against a guest of a series holds for its dates too."""
    own = found.get(event, {})
    if series is None:
        return own
    against: dict[str, Fate] = {guest: fate for guest, fate in found.get(series, {}).items() if fate != "invited"}
    return against | dict(own)


def prune(tx: Tx, now: float) -> None:
    """Forget the guests of events that are gone for 90 days."""
    tx.execute(
        "DELETE FROM guest WHERE at < ? AND NOT EXISTS (SELECT 1 FROM event e JOIN calendar c ON c.id = e.calendar_id "
        "WHERE c.account = guest.account AND c.calendar = guest.calendar AND e.id = guest.event)",
        (now - KEEP_SECONDS,),
    )
