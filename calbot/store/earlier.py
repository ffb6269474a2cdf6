"""What a bot that was here before Calbot has handled: names of events, and whom it had its chance to invite."""

from collections.abc import Iterable, Sequence

from calbot.model import Change
from calbot.policy import EVERYBODY
from calbot.store.database import Tx
from calbot.takeover.processed import names_of

_CHUNK = 500


def add(tx: Tx, names: Iterable[str], guests: Iterable[str]) -> None:
    """Remember that events of these names were handled, for these guests; none means everybody."""
    whom = [*guests] or [EVERYBODY]
    rows = ((name, guest) for name in sorted(names) for guest in whom)
    tx.executemany("INSERT OR IGNORE INTO processed (name, guest) VALUES (?, ?)", rows)


def guests(tx: Tx, changes: Sequence[Change]) -> dict[str, frozenset[str]]:
    """Return whom an earlier bot had its chance to invite, by the id of each of these events that it has handled."""
    (any_there,) = tx.execute("SELECT EXISTS (SELECT 1 FROM processed)").fetchone()
    if not any_there:
        return {}
    named = {change.id: names_of(change) for change in changes}
    known = _rows(tx, sorted(frozenset[str]().union(*named.values())))
    found = {id_: frozenset[str]().union(*(known.get(name, ()) for name in names)) for id_, names in named.items()}
    return {id_: whom for id_, whom in found.items() if whom}


def _rows(tx: Tx, names: Sequence[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for first in range(0, len(names), _CHUNK):
        some = names[first : first + _CHUNK]
        marks = ",".join("?" * len(some))
        for name, guest in tx.execute(f"SELECT name, guest FROM processed WHERE name IN ({marks})", tuple(some)):
            found.setdefault(name, set()).add(guest)
    return found
