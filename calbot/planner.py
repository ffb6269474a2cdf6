"""A change and what we knew before it, in; what to announce and what to do about it, out."""

from collections.abc import Iterable, Iterator
from typing import Literal

import msgspec

from calbot.actions import Action, Deed, Invite, Skip
from calbot.identity import changed_parts, is_copy, present, was_invited
from calbot.model import Change, Event, EventKey, Gone, Noun, Outcome
from calbot.policy import FULL, Case, Decision, Link
from calbot.rules import matched_rules, weigh

SUSPICIOUS_KNOWN = 4
BRAKE = "brake"
"""The reason of rows that the brake keeps: held for a person, or parked until the hour has room."""


class Verdict(Noun, frozen=True):
    """What one change means.

    `overtakes` is an open row of the ledger that the change makes pointless; `recheck` one whose lost answer
    the change may settle, so that it should be looked at now; `outdates` one that is under way on an older version.
    `removed` are guests of ours whom somebody has taken off. `change` is what the copies of the event have to follow;
    `links` are those that it is to have from now on, None where that was not decided anew, and `unmirrored` says why
    not.
    """

    said: Outcome | None = None
    action: Action | None = None
    overtakes: Deed | None = None
    recheck: Deed | None = None
    outdates: Deed | None = None
    removed: tuple[str, ...] = ()
    change: Change | None = None
    links: tuple[Link, ...] | None = None
    unmirrored: Skip | None = None


def plan(change: Change, known: Event | None, open_deed: Deed | None, case: Case) -> Verdict:
    """Decide about one change of a listing.

    `known` is the event as it was last seen, `open_deed` the unfinished invitation to it in the ledger. A row that may
    have reached Google is never replaced by a new decision: only a look at the event settles it.
    """
    key = EventKey(case.calendar.account, case.calendar.calendar, change.id)
    if isinstance(change, Gone) and is_copy(change):
        return Verdict()
    if isinstance(change, Gone):
        said = Outcome(event_type="cancelled", key=key, event=known) if known else None
        overtaken = open_deed if open_deed is not None and open_deed.state != "started" else None
        return Verdict(said, overtakes=overtaken, change=_followed(change, case))
    if known is not None and (known.etag == change.etag or is_copy(change)):
        return Verdict()
    said, removed = _announcement(key, known, change), _taken_off(known, change, case)
    if removed:
        case = msgspec.structs.replace(case, fates={**case.fates, **dict.fromkeys(removed, "removed")})
    if open_deed is not None and not _replaceable(open_deed):
        landed, under_way = _landed(open_deed, change), open_deed.state == "started"
        decided = decided_anew(change, case)
        return msgspec.structs.replace(
            decided,
            said=said,
            action=None,
            recheck=open_deed if landed else None,
            outdates=open_deed if under_way else None,
            removed=removed,
        )
    if known is not None and said is None and open_deed is None and _same_rules(known, change, case):
        return Verdict(removed=removed, change=_followed(change, case))
    return msgspec.structs.replace(decided_anew(change, case), said=said, overtakes=open_deed, removed=removed)


def is_wanted(verdict: Verdict) -> bool:
    """Say whether a verdict asks for a guest or a copy."""
    return isinstance(verdict.action, Invite) or bool(verdict.links)


def decided_anew(event: Event, case: Case) -> Verdict:
    """Return what the rules say of an event, as a verdict."""
    decision = weigh(event, case)
    links = (*decision.links, *_inherited(event, decision, case))
    return Verdict(
        action=decision.action, change=_followed(event, case, links), links=links, unmirrored=decision.unmirrored
    )


def _inherited(event: Event, decision: Decision, case: Case) -> Iterator[Link]:
    """Yield a date's links to copies of its series that no rule asks for any more: while they stay, it is in them."""
    parent, asked = case.parent, {link.target for link in decision.links}
    if event.series is None or parent is None or not case.series_copies.keys() - asked:
        return
    of_series = msgspec.structs.replace(case, copies=case.series_copies, series_copies={}, parent=None)
    wanted = {link.target for link in weigh(parent, of_series).links}
    yield from (Link(one, FULL, "", inherits=True) for one in case.series_copies if one not in asked | wanted)


def _followed(change: Change, case: Case, links: tuple[Link, ...] = ()) -> Change | None:
    """Return a change that copies have to follow: there are some of the event or its series, or are to be."""
    return change if links or case.copies or case.series_copies else None


def _same_rules(known: Event, event: Event, case: Case) -> bool:
    """Say whether no other rule speaks for the event than before, as one that asks for a guest may.

    Nor does another calendar that gets copies have the event by itself, being among its guests.
    """
    targets = {rule.mirror for rule in case.policy.rules}
    before, now = ({guest.email for guest in one.guests} & targets for one in (known, event))
    return before == now and matched_rules(known, case) == matched_rules(event, case)


def _replaceable(deed: Deed) -> bool:
    if deed.state == "held":
        return deed.reason == BRAKE
    return deed.state == "planned" or (deed.state == "parked" and not deed.uncertain)


def _landed(deed: Deed, event: Event) -> bool:
    """Say whether an invitation whose answer was lost turns out to be on the event, or to have been there."""
    action = deed.action
    waits = deed.state in {"held", "parked"}
    return (
        waits
        and isinstance(action, Invite)
        and all(present(event, guest) or was_invited(event.stamp, guest) for guest in action.guests)
    )


def _taken_off(known: Event | None, event: Event, case: Case) -> tuple[str, ...]:
    """Return the guests of the rules who were on the event, whoever put them there, and whom somebody took off.

    A single date that is seen for the first time had the guests of its series before.
    """
    before = known or case.parent
    if before is None or event.guests_hidden or before.guests_hidden:
        return ()
    named = (guest for rule in case.policy.rules for guest in rule.invite)
    wanted = [guest for guest in dict.fromkeys((*named, *case.fates)) if case.fates.get(guest, "invited") == "invited"]
    gone = [guest for guest in wanted if present(before, guest) and not present(event, guest)]
    return tuple(guest for guest in gone if known is not None or was_invited(before.stamp, guest))


def brake(sent: int, wanted: list[int], limit: int) -> Literal["go", "wait", "hold"]:
    """Say whether invitations may go out: `sent` are those of the last hour, `wanted` those of each event of a pass.

    One event over the limit waits by itself until the hour has room; more than one are held for a person, and so is
    one event that no hour has room for.
    """
    if not wanted or sent + sum(wanted) <= limit:
        return "go"
    return "wait" if len(wanted) == 1 and wanted[0] <= limit else "hold"


def removals_brake(removals: int, known: int, limit: int) -> bool:
    """Say whether so many removals of copies in one pass wait for a person: `known` is how many copies there are.

    More than the limit do, and more than a tenth of all; but a single one only where the limit is 0.
    """
    return removals > limit or (removals > 1 and removals * 10 > known)


def _announcement(key: EventKey, known: Event | None, event: Event) -> Outcome | None:
    if known is None:
        return None if is_copy(event) else Outcome(event_type="event_created", key=key, event=event)
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
    return not (isinstance(action, Skip) and action.reason in {"already_invited", "already_mirrored"})
