"""Copies of ours that the store does not know: an old backup was restored, and their meetings are gone since."""

from collections.abc import Callable, Iterable

from calbot.actions import Deed
from calbot.content import read_back
from calbot.copyrules import calendar_of
from calbot.copywork import NOTHING, Written, write_down
from calbot.identity import is_copy, stands_alone
from calbot.model import CalendarKey, Event, Notice, Outcome
from calbot.owing import meeting_mark
from calbot.policy import Policy
from calbot.ports import Random
from calbot.store import calendars, copies, outbox, switches, targets
from calbot.store.database import Database, Tx
from calbot.telling import Run


def swept(
    database: Database,
    watched: Iterable[CalendarKey],
    policy_of: Callable[[str], Policy],
    since: float,
    now: float,
    random: Random,
) -> frozenset[str] | None:
    """Sweep in a transaction of its own; return the accounts that have to do something now, None if it is too early."""
    with database.write() as tx:
        run_id = f"r-{random.token(4).hex()}"
        written = sweep(tx, watched, policy_of, since, now, run_id)
        if written is None:
            return None
        outbox.put(tx, list(written.said), now, random)
    return frozenset(deed.key.account for deed in written.deeds)


def sweep(
    tx: Tx, watched: Iterable[CalendarKey], policy_of: Callable[[str], Policy], since: float, now: float, run_id: str
) -> Written | None:
    """Write down that unknown copies of ours are taken away, where no known event is their meeting.

    None before every calendar was read since this moment (epoch seconds): a source may yet be found. One
    whose meeting is known is taken for its copy when that is written next. The brake holds as for every removal.
    """
    read = {key: calendars.known(tx, key) for key in watched}
    if any(known is None or (known.last_success or 0.0) < since for known in read.values()):
        return None
    if calendars.ever_read(tx) - read.keys():  # Somebody's calendars are not looked at: their copies stay.
        return None
    strangers = {
        key: found for key, known in read.items() if known is not None and (found := _strangers(tx, key, known.id))
    }
    if not strangers:
        return NOTHING
    meetings = {
        meeting_mark(event.ical_uid or event.id, event.original_start or "")
        for known in read.values()
        if known is not None
        for chunk in calendars.saved(tx, known.id)
        for event in chunk
    }
    deeds: list[Deed] = []
    said: list[Outcome | Notice] = []
    for key, found in strangers.items():
        lost = [event for event in found if event.copy_of.split(" ")[1] not in meetings]
        run = Run(id=run_id, source="poll", seen_at=now, now=now, policy=policy_of(key.account))
        ids = [copies.found(tx, calendar_of(key), event.id, event.etag, read_back(event), now) for event in lost]
        written = write_down(tx, run, key.account, ids, 0)
        deeds += written.deeds
        said += written.said
    return Written(tuple(deeds), tuple(said))


def _strangers(tx: Tx, key: CalendarKey, calendar_id: int) -> list[Event]:
    """Return the whole copies on a calendar that this installation made and the store does not know."""
    target = calendar_of(key)
    if targets.writer(tx, target) != key.account:
        return []
    iid = switches.fact(tx, "iid")
    return [
        event
        for chunk in calendars.saved(tx, calendar_id)
        for event in chunk
        if event.copy_of.partition(" ")[0] == iid
        and event.series is None
        and is_copy(event)
        and not stands_alone(event.copy_of)
        and copies.on_target(tx, target, event.id) is None
    ]
