"""What waits, as the status page tells it: held work for a person, single invitations for room, accounts for quota."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import tzinfo

from addon.web.words import clean, moment, nearby, plural, where
from calbot.status import Snapshot
from calbot.store.copyhistory import Held

SHOWN = 10
_WHY = {
    "brake": "That is more than may go out in an hour without somebody’s word.",
    "conflict": "Calbot cannot tell whether its last try arrived, and does not try again by itself.",
}
_APPROVING = {"conflict": "Approve looks at the event as it is now, and invites only who is not on it."}
_REMOVING = "Approve takes these copies away. Discard keeps them: they stay as they are, and follow no event any more."
_LOOKING = (
    "Approve asks Google about each of them, and takes the copies of those away that are gone. Discard keeps them."
)
_UNINVITED = "Nobody is invited to these events, and Calbot does not ask again. The events stay as they are."
_KEPT = "The copies stay as they are, and from then on by themselves: they follow no event any more."
_UNASKED = "Google is not asked whether these events are gone, and their copies stay."


@dataclass(frozen=True, slots=True)
class Card:
    """Held work of one pass; `titles` are the first events of it, `more` counts the others.

    `approving` says what the two buttons do, where that is no matter of course; `discarding` what the one of them does.
    """

    run_id: str
    headline: str
    where: str
    since: str
    age: str
    why: str
    titles: tuple[str, ...]
    more: int
    approving: str
    discarding: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Waiting:
    """The cards, how many more there are, and a line for each thing that goes on by itself."""

    cards: tuple[Card, ...] = ()
    more: int = 0
    lines: tuple[str, ...] = ()


def waiting(snapshot: Snapshot, held: Sequence[Held], now: float, zone: tzinfo) -> Waiting:
    """Return what waits, oldest first."""
    cards = tuple(card(run, now, zone) for run in held[:SHOWN])
    return Waiting(cards, len(held) - len(cards), _lines(snapshot, now, zone))


def card(run: Held, now: float, zone: tzinfo) -> Card:
    """Return the card of held work."""
    titles = tuple(clean(title, 120) or "Event without a title" for title in run.titles)
    return Card(
        run_id=run.run_id,
        headline=_headline(run),
        where=where(run.calendar_name or run.calendar, run.account),
        since=moment(run.since, now, zone),
        age=nearby(run.since, now),
        why=clean(run.text, 400) or _WHY.get(run.reason, "It waits for your word."),
        titles=titles,
        more=max(0, run.count - len(titles)),
        approving=" ".join(_approving(run)),
        discarding=tuple(_discarding(run)),
    )


def _headline(run: Held) -> str:
    events = plural(run.invited, "event")
    invited = f"{plural(run.invitations, 'invitation')} to {events}" if run.reason != "conflict" else events
    parts = [invited] if run.invited else []
    parts += [f"{plural(run.removals, 'copy')} would be taken away"] if run.removals else []
    parts += [f"{plural(run.look_ups, 'event')} with copies may be gone"] if run.look_ups else []
    return ", ".join(parts)


def _approving(run: Held) -> Iterator[str]:
    if run.invited and run.reason in _APPROVING:
        yield _APPROVING[run.reason]
    if run.removals:
        yield _REMOVING
    if run.look_ups:
        yield _LOOKING


def _discarding(run: Held) -> Iterator[str]:
    if run.invited:
        yield _UNINVITED
    if run.removals:
        yield _KEPT
    if run.look_ups:
        yield _UNASKED


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
