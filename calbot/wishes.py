"""What a person asks of an account's events: to take deeds back, to take events up; written down as deeds."""

from collections.abc import Container, Iterable

import msgspec

from calbot.actions import Deed, DeleteOriginal, Invite, Mirror, Retract, Skip
from calbot.cases import cases
from calbot.identity import present, was_invited
from calbot.model import CalendarKey, Event, EventKey, Guest, Notice, Noun, Outcome
from calbot.moments import instant
from calbot.originalwork import unmade
from calbot.planner import Verdict
from calbot.policy import Case, Decision
from calbot.ports import Random
from calbot.preview import DAY
from calbot.record import enter
from calbot.rules import weigh
from calbot.store import calendars as calendar_store
from calbot.store import fates, ledger, outbox, releases, undoable
from calbot.store.database import Tx
from calbot.telling import Run, of_deed


class Planned(Noun, frozen=True):
    """Deeds to carry out because a person asked for them, and rows that a person lets go of."""

    deeds: tuple[Deed, ...]
    dropped: frozenset[int]


NOTHING = Planned((), frozenset())


def take_back(tx: Tx, deeds: Iterable[int], run_id: str, source: str, now: float, random: Random) -> Planned:
    """Write down that these deeds are undone: what is done is taken back, what is not done yet is let go.

    What may have reached Google, its answer being lost, is both. Guests whom somebody has taken off since are no longer
    the deed's, even if they stand there again.
    """
    dropped: set[int] = set()
    said: list[Outcome | Notice] = []
    done: dict[EventKey, list[Deed]] = {}
    planned: list[Deed] = []
    for deed in _with_guests(tx, deeds):
        if isinstance(deed.action, Mirror | DeleteOriginal):
            planned += unmade(tx, deed, run_id, source, now)
            if deed.state in {"planned", "parked", "held"}:
                dropped.add(deed.id)
        elif deed.state in {"planned", "parked", "held"} and isinstance(deed.action, Invite):
            releases.set_aside(tx, deed, "discarded", now)
            fates.note(tx, deed.key, deed.action.guests, "discarded", now)
            dropped.add(deed.id)
            if deed.uncertain:
                done.setdefault(deed.key, []).append(deed)
            else:
                text = "It had not gone out yet."
                said.append(of_deed("undone", deed, reason_text=text, run_id=run_id, source=source, batch=None))
        elif deed.state == "done":
            done.setdefault(deed.key, []).append(deed)
    actions = {key: _retract(tx, own) for key, own in done.items()}
    for key, action in list(actions.items()):
        actions |= _on_dates(tx, key, action, actions)
    retracts = [
        ledger.add(tx, key, action, "planned", now, run_id=run_id, source=source, seen_at=now)
        for key, action in actions.items()
        if ledger.open_deed(tx, key, "retract") is None
    ]
    outbox.put(tx, said, now, random)
    return Planned((*retracts, *planned), frozenset(dropped))


def _with_guests(tx: Tx, numbers: Iterable[int]) -> list[Deed]:
    """Return these deeds, and the invitations to copies that they have made: guests are told before a copy goes."""
    deeds = {deed.id: deed for number in numbers if (deed := ledger.by_id(tx, number)) is not None}
    for deed in list(deeds.values()):
        waits = ledger.open_deed(tx, deed.key, "invite")
        if isinstance(deed.action, Mirror):
            deeds |= {one.id: one for one in (*ledger.done(tx, deed.key), waits) if one is not None}
    return list(deeds.values())


def _retract(tx: Tx, deeds: list[Deed]) -> Retract:
    """Return the one action that takes back all of these deeds to an event."""
    invites = [(deed, deed.action) for deed in deeds if isinstance(deed.action, Invite)]
    put: dict[str, Guest] = {}
    for deed, invite in invites:
        written = {guest.email: guest for guest in undoable.as_written(tx, deed)}
        put |= {one: written.get(one, Guest(one, f'{{"email":"{one}"}}')) for one in invite.guests}
    past = fates.of_event(tx, deeds[0].key)
    known = {guest for deed, invite in invites if deed.state == "done" for guest in invite.guests}
    newest = max(invites, key=lambda one: one[0].id)[1]
    return Retract(
        event=msgspec.structs.replace(newest.event, guests=tuple(put.values())),
        guests=tuple(put),
        deeds=tuple(deed.id for deed in deeds),
        rule=newest.rule,
        send_updates=newest.send_updates,
        anew=tuple(guest for guest in put if past.get(guest) == "removed"),
        unsure=tuple(guest for guest in put if guest not in known),
    )


def _on_dates(tx: Tx, key: EventKey, action: Retract, others: Container[EventKey]) -> dict[EventKey, Retract]:
    """Return what takes the guests of a series off its single dates, where our invitation has come with the date."""
    found: dict[EventKey, Retract] = {}
    for event in calendar_store.dates_of(tx, key) if action.event.recurrence else []:
        date = msgspec.structs.replace(key, event=event.id)
        past = fates.of_event(tx, date)
        ours = [one for one in action.guests if past.get(one, "invited") == "invited" and was_invited(event.stamp, one)]
        guests = tuple(one for one in ours if present(event, one))
        if not guests or date in others:
            continue
        own = [
            one for one in ledger.done(tx, date) if isinstance(one.action, Invite) and {*one.action.guests} <= {*guests}
        ]
        as_put = msgspec.structs.replace(event, guests=action.event.guests)
        deeds = tuple(one.id for one in own)
        found[date] = msgspec.structs.replace(action, event=as_put, guests=guests, deeds=deeds, anew=())
    return found


class Scope(Noun, frozen=True):
    """Which events are to be taken up: those that begin within so many days, to which this rule speaks, if one is."""

    days: float
    rule: str | None = None


def wanted(reader: Tx, key: CalendarKey, scope: Scope, run: Run) -> list[tuple[EventKey, Verdict]]:
    """Return invitations to the known events that the rules speak for and that were left alone.

    Nothing is said of those that nobody would be invited to.
    """
    known = calendar_store.known(reader, key)
    verdicts: list[tuple[EventKey, Verdict]] = []
    for chunk in calendar_store.saved(reader, known.id) if known is not None else ():
        near = [event for event in chunk if _begins_within(event, scope, run)]
        for event, case in zip(near, cases(reader, key, near, run.policy, run.now), strict=True):
            decision = weigh(event, case)
            if scope.rule is not None and scope.rule not in {one.rule for one in decision.tried if one.matched}:
                continue
            verdict = _taken_up(event, decision, case)
            if verdict is not None:
                verdicts.append((EventKey(key.account, key.calendar, event.id), verdict))
    return verdicts


def _taken_up(event: Event, decision: Decision, case: Case) -> Verdict | None:
    """Return what is new in a decision about a known event; None when it asks for nothing that was not done before."""
    dry = [one for one in (decision.action, decision.unmirrored) if isinstance(one, Skip) and one.reason == "dry_run"]
    action = decision.action if isinstance(decision.action, Invite) or decision.action in dry else None
    new = bool({link.target for link in decision.links} - {*case.copies, *case.series_copies})
    if action is None and not new and not dry:
        return None
    unmirrored = decision.unmirrored if decision.unmirrored in dry else None
    return Verdict(
        action=action, change=event if new else None, links=decision.links if new else None, unmirrored=unmirrored
    )


def take_up(
    tx: Tx, key: CalendarKey, verdicts: list[tuple[EventKey, Verdict]], run: Run, random: Random
) -> tuple[Deed, ...]:
    """Write down what was wanted, without what waits already. More than the hour has room for are held."""
    known = calendar_store.known(tx, key)
    waiting = ledger.open_invitations(tx, key, [event.event for event, _ in verdicts])
    free = [(event, verdict) for event, verdict in verdicts if event.event not in waiting]
    name = known.name if known is not None else ""
    return tuple(enter(tx, msgspec.structs.replace(run, calendar_name=name), free, 0, random))


def _begins_within(event: Event, scope: Scope, run: Run) -> bool:
    begins = instant(event.start, run.policy.time_zone)
    return begins is not None and begins <= run.now + scope.days * DAY
