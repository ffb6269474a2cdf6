"""A change and what we knew before it, in; what to announce and what to do about it, out."""

from collections.abc import Iterable

from calbot.identity import changed_parts, present
from calbot.model import Action, Change, Deed, Event, EventKey, Gone, Invite, Noun, Outcome, Policy, Skip
from calbot.rules import judge

SUSPICIOUS_KNOWN = 4


class Verdict(Noun, frozen=True):
    """What one change means.

    `overtakes` is an open row of the ledger that the change makes pointless; `recheck` one whose lost answer
    the change may settle, so that it should be looked at now; `outdates` one that is under way on an older version.
    """

    said: Outcome | None = None
    action: Action | None = None
    overtakes: Deed | None = None
    recheck: Deed | None = None
    outdates: Deed | None = None


def plan(
    key: EventKey, change: Change, known: Event | None, open_deed: Deed | None, policy: Policy, now: float
) -> Verdict:
    """Decide about one change of a listing.

    `known` is the event as it was last seen, `open_deed` the unfinished invitation to it in the ledger. A row that may
    have reached Google is never replaced by a new decision: only a look at the event settles it.
    """
    if isinstance(change, Gone):
        said = Outcome(event_type="cancelled", key=key, event=known) if known else None
        return Verdict(said, overtakes=open_deed if open_deed is not None and open_deed.state != "started" else None)
    if known is not None and known.etag == change.etag:
        return Verdict()
    said = _announcement(key, known, change)
    if open_deed is not None and not _replaceable(open_deed):
        landed, under_way = _landed(open_deed, change), open_deed.state == "started"
        return Verdict(said, recheck=open_deed if landed else None, outdates=open_deed if under_way else None)
    if known is not None and said is None and open_deed is None:
        return Verdict()
    return Verdict(said, judge(change, policy, now), open_deed)


def _replaceable(deed: Deed) -> bool:
    return deed.state == "planned" or (deed.state == "parked" and not deed.uncertain)


def _landed(deed: Deed, event: Event) -> bool:
    """Say whether an invitation whose answer was lost turns out to be on the event."""
    action = deed.action
    waits = deed.state in {"held", "parked"}
    return waits and isinstance(action, Invite) and all(present(event, guest) for guest in action.guests)


def _announcement(key: EventKey, known: Event | None, event: Event) -> Outcome | None:
    if known is None:
        return None if event.copy_of else Outcome(event_type="event_created", key=key, event=event)
    parts = changed_parts(known, event)
    if not parts:
        return None
    if {"start", "end"} & set(parts):
        return Outcome(
            event_type="moved", key=key, event=event, changed=parts, old_start=known.start, old_end=known.end
        )
    return Outcome(event_type="updated", key=key, event=event, changed=parts)


def in_order(changes: Iterable[Change]) -> list[Change]:
    """Return a page's changes with parents of series before their exceptions."""
    return sorted(changes, key=lambda change: change.series is not None)


def looks_emptied(known: int, seen: int) -> bool:
    """Say whether a full listing names so little of what we knew that it must not be believed."""
    return known >= SUSPICIOUS_KNOWN and seen * 2 < known


def is_remembered(action: Action) -> bool:
    """Say whether a row of the ledger is owed for this action: for all but what needs no explanation."""
    return not (isinstance(action, Skip) and action.reason == "already_invited")
