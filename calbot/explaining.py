"""Why an event was, or was not, invited to: the rules as they are held against it now, and what was done before."""

from calbot.actions import Action, Skip
from calbot.cases import cases
from calbot.model import CalendarKey, Event, EventKey, Noun
from calbot.policy import Decision, Link, Tried
from calbot.preview import Orders
from calbot.rules import weigh
from calbot.store import history
from calbot.store.database import Tx
from calbot.store.history import Found, Past


class Explanation(Noun, frozen=True, kw_only=True):
    """One event explained. `action` is what would be decided now; an event that is gone has a history alone."""

    key: EventKey
    calendar_name: str
    event: Event | None
    action: Action | None
    tried: tuple[Tried, ...]
    links: tuple[Link, ...]
    unmirrored: Skip | None
    history: tuple[Past, ...]


def explain(tx: Tx, text: str, orders: Orders, now: float) -> tuple[Explanation, ...]:
    """Return the explanation of every event that `text` names: by id, iCalUID, link, else a part of the title."""
    return tuple(_explained(tx, found, orders, now) for found in history.find_events(tx, text))


def _explained(tx: Tx, found: Found, orders: Orders, now: float) -> Explanation:
    decision = _weighed(tx, found.key, found.event, orders, now) if found.event is not None else None
    return Explanation(
        key=found.key,
        calendar_name=found.calendar_name,
        event=found.event,
        action=decision.action if decision is not None else None,
        tried=decision.tried if decision is not None else (),
        links=decision.links if decision is not None else (),
        unmirrored=decision.unmirrored if decision is not None else None,
        history=tuple(history.of_event(tx, found.key)),
    )


def _weighed(tx: Tx, key: EventKey, event: Event, orders: Orders, now: float) -> Decision:
    """Return what would be decided now, and the rules tried."""
    (case,) = cases(tx, CalendarKey(key.account, key.calendar), [event], orders(key.account), now)
    return weigh(event, case)
