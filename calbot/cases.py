"""What decisions about events are made from, gathered from the store: the past of their guests, and their series."""

from collections.abc import Sequence

import msgspec

from calbot.identity import series_of
from calbot.model import CalendarKey, Change, Event
from calbot.policy import Case, Policy
from calbot.store import calendars, fates
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
    return [
        msgspec.structs.replace(
            general, fates=fates.of_date(past, change.id, origin), parent=parents.get(origin) if origin else None
        )
        if (origin := origins.get(change.id)) is not None or change.id in past
        else general
        for change in changes
    ]
