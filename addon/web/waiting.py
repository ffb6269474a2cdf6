"""What waits, as the status page tells it: held work for a person, single invitations for room, accounts for quota."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo

from addon.web.words import clean, moment, nearby, plural, where
from calbot.status import Snapshot
from calbot.store.history import HeldRun

SHOWN = 10
_WHY = {
    "brake": "That is more than may go out in an hour without somebody’s word.",
    "conflict": "Calbot cannot tell whether its last try arrived, and does not try again by itself.",
}
_APPROVING = {"conflict": "Approve looks at the event as it is now, and invites only who is not on it."}


@dataclass(frozen=True, slots=True)
class Card:
    """Held work of one pass; `titles` are the first events of it, `more` counts the others."""

    run_id: str
    headline: str
    where: str
    since: str
    age: str
    why: str
    titles: tuple[str, ...]
    more: int
    approving: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """The cards, how many more there are, and a line for each thing that goes on by itself."""

    cards: tuple[Card, ...] = ()
    more: int = 0
    lines: tuple[str, ...] = ()


def waiting(snapshot: Snapshot, held: Sequence[HeldRun], now: float, zone: tzinfo) -> Waiting:
    """Return what waits, oldest first."""
    cards = tuple(card(run, now, zone) for run in held[:SHOWN])
    return Waiting(cards, len(held) - len(cards), _lines(snapshot, now, zone))


def card(run: HeldRun, now: float, zone: tzinfo) -> Card:
    """Return the card of held work."""
    titles = tuple(clean(title, 120) or "Event without a title" for title in run.titles)
    events = plural(run.count, "event")
    return Card(
        run_id=run.run_id,
        headline=f"{plural(run.guests, 'invitation')} to {events}" if run.reason != "conflict" else events,
        where=where(run.calendar_name or run.calendar, run.account),
        since=moment(run.since, now, zone),
        age=nearby(run.since, now),
        why=clean(run.text, 400) or _WHY.get(run.reason, "It waits for your word."),
        titles=titles,
        more=max(0, run.count - len(titles)),
        approving=_APPROVING.get(run.reason, ""),
    )


def _lines(snapshot: Snapshot, now: float, zone: tzinfo) -> tuple[str, ...]:
    lines = []
    for account in snapshot.accounts:
        if account.waiting_until is not None and account.waiting_until > now:
            at = moment(account.waiting_until, now, zone)
            lines.append(f"An invitation of {account.email} waits for the hour to have room. It goes on at {at}.")
        if account.resting_until is not None and account.resting_until > now:
            at = moment(account.resting_until, now, zone)
            lines.append(
                f"Google takes no more invitations of {account.email} for now (its quota). They go on at {at}; "
                "everything else works meanwhile."
            )
    return tuple(lines)
