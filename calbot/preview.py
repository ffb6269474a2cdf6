"""What the rules would do to the events around today: each known one held against them, and nothing done about it."""

import math
from collections.abc import Callable, Container, Iterator

import msgspec

from calbot.actions import Action, Skip
from calbot.cases import cases
from calbot.kinds import DeedState
from calbot.model import CalendarKey, Event, EventKey, Noun
from calbot.moments import instant, is_past
from calbot.policy import Case, Link, Policy, Tried
from calbot.rules import weigh
from calbot.store import calendars, ledger
from calbot.store.database import Tx

DAY = 86_400.0
AHEAD, BACK = 90, 30
"""How many days the preview looks forward and back, unless it is told otherwise."""
Orders = Callable[[str], Policy]
"""The policy for an account's address."""


class Foreseen(Noun, frozen=True, kw_only=True):
    """What the rules say about one event. What is `past` was judged as if it were about to begin.

    `waits` is how far something has come that was decided about it before and is not done yet. `links` are the copies
    that it is to have, those that are there too (`copied` names their targets); `unmirrored` says why there is none.
    """

    key: EventKey
    calendar_name: str
    event: Event
    action: Action
    tried: tuple[Tried, ...]
    past: bool
    waits: DeedState | None = None
    links: tuple[Link, ...] = ()
    copied: tuple[str, ...] = ()
    unmirrored: Skip | None = None


class Window(Noun, frozen=True):
    """From when to when, and now; in epoch seconds."""

    first: float
    last: float
    now: float


def preview(
    tx: Tx,
    orders: Orders,
    now: float,
    *,
    days: float = AHEAD,
    back: float = BACK,
    account: str | None = None,
    watched: Container[CalendarKey] | None = None,
) -> tuple[Foreseen, ...]:
    """Return what the rules would do to what overlaps the last `back` and the next `days` days, by its start.

    A series counts when it is not over before and begins before the end. Switches are left out of it: auto-invite
    counts as on, a dry run as off. `watched` leaves the calendars out that are no longer looked at.
    """
    within = Window(now - back * DAY, now + days * DAY, now)
    found = foresee(tx, orders, within, account=account, watched=watched)
    return tuple(one for _, one in sorted(found, key=lambda pair: (pair[0], pair[1].key.event)))


def foresee(
    tx: Tx, orders: Orders, within: Window, *, account: str | None = None, watched: Container[CalendarKey] | None = None
) -> Iterator[tuple[float, Foreseen]]:
    """Yield the same in no order, each with when it begins: a household may have many thousand events."""
    for row, name, key in _read_calendars(tx):
        if account not in {None, key.account} or (watched is not None and key not in watched):
            continue
        policy = msgspec.structs.replace(orders(key.account), auto_invite=True, mirroring=True, dry_run=False)
        for chunk in calendars.saved(tx, row):
            near = [event for event in chunk if _is_near(event, policy.time_zone, within)]
            waiting = ledger.open_invitations(tx, key, [event.id for event in near])
            for event, case in zip(near, cases(tx, key, near, policy, within.now), strict=True):
                waits = waiting[event.id].state if event.id in waiting else None
                yield _begin(event, policy.time_zone), _foreseen(name, case, event, within.now, waits)


def _foreseen(calendar_name: str, case: Case, event: Event, now: float, waits: DeedState | None) -> Foreseen:
    past = is_past(event, case.policy.time_zone, now)
    decision = weigh(event, _before_it_began(event, case) if past else case)
    return Foreseen(
        key=EventKey(case.calendar.account, case.calendar.calendar, event.id),
        calendar_name=calendar_name,
        event=event,
        action=decision.action,
        tried=decision.tried,
        links=decision.links,
        copied=(*case.copies, *case.series_copies),
        unmirrored=decision.unmirrored,
        past=past,
        waits=waits,
    )


def _before_it_began(event: Event, case: Case) -> Case:
    """Return the case as it was just before the event began."""
    begin = instant(event.start, case.policy.time_zone)
    return case if begin is None else msgspec.structs.replace(case, now=begin - 1.0)


def _read_calendars(tx: Tx) -> list[tuple[int, str, CalendarKey]]:
    """Return row, name and key of each calendar that was read to its end at least once."""
    rows = tx.execute(
        "SELECT id, name, account, calendar FROM calendar WHERE last_success IS NOT NULL ORDER BY account, calendar"
    )
    return [(row, name, CalendarKey(account, calendar)) for row, name, account, calendar in rows.fetchall()]


def _is_near(event: Event, time_zone: str, within: Window) -> bool:
    return _begin(event, time_zone) < within.last and not is_past(event, time_zone, within.first)


def _begin(event: Event, time_zone: str) -> float:
    """Return when the event begins; one that does not say so counts as always near, and comes first."""
    begin = instant(event.start, time_zone)
    return -math.inf if begin is None else begin
