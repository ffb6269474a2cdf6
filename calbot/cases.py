"""What decisions about events are made from, gathered from the store: past guests, copies, and their series."""

from collections.abc import Mapping, Sequence

import msgspec

from calbot.actions import Deed, LookUp
from calbot.identity import series_of, stamp_with
from calbot.kinds import CopyState, Fate
from calbot.model import CalendarKey, Change, Event, Gone
from calbot.policy import Case, Policy
from calbot.store import calendars, earlier, fates, sourcing
from calbot.store.database import Tx


def cases(tx: Tx, calendar: CalendarKey, changes: Sequence[Change], policy: Policy, now: float) -> list[Case]:
    """Return the case of each of a calendar's events or changes, in their order.

    Series that are among the changes themselves count as they are there.
    """
    general = Case(calendar=calendar, policy=policy, now=now)
    origins = {change.id: series for change in changes if (series := series_of(change.id, change.series)) is not None}
    wanted = set(origins.values())
    past = fates.of_events(tx, calendar.account, calendar.calendar, {*(change.id for change in changes), *wanted})
    known = calendars.known(tx, calendar) if wanted else None
    parents = calendars.events(tx, known.id, wanted) if known is not None else {}
    parents |= {change.id: change for change in changes if isinstance(change, Event) and change.id in wanted}
    parents = {id_: _remembered(event, past.get(id_, {})) for id_, event in parents.items()}
    states = sourcing.states(tx, calendar, {*(change.id for change in changes), *wanted})
    handled = earlier.guests(tx, changes)
    special = (past, states, handled)
    return [
        msgspec.structs.replace(
            general,
            fates=fates.of_date(past, change.id, origin),
            handled=handled.get(change.id, frozenset()),
            parent=parents.get(origin) if origin else None,
            copies=states.get(change.id, {}),
            series_copies=_of_series(states.get(origin or "", {}), change),
        )
        if (origin := origins.get(change.id)) is not None or any(change.id in known_of for known_of in special)
        else general
        for change in changes
    ]


def _of_series(states: Mapping[str, CopyState], change: Change) -> Mapping[str, CopyState]:
    """Return how the copies of a date's series stand; of a half that was cut off, only those that a person deleted."""
    if change.series is not None:
        return states
    return {target: state for target, state in states.items() if state == "deleted"}


def case_of(tx: Tx, deed: Deed, policy: Policy, now: float) -> Case:
    """Return what else the deed's event is decided by, from the store."""
    key, action = deed.key, deed.action
    event = calendars.event(tx, key) if isinstance(action, LookUp) else action.event
    (case,) = cases(tx, CalendarKey(key.account, key.calendar), [event or Gone(key.event)], policy, now)
    return case


def _remembered(series: Event, fates: Mapping[str, Fate]) -> Event:
    """Return a series with a stamp for each guest whom we invited to it: on others' events the store alone knows."""
    ours = [guest for guest, fate in fates.items() if fate == "invited"]
    return msgspec.structs.replace(series, stamp=stamp_with(series.stamp, ours)) if ours else series
