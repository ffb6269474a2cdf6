"""Which copies an event is to have, by the rules that match it, and why it has none."""

from collections.abc import Iterable, Sequence

from calbot.actions import Action, Invite, Skip
from calbot.content import strictest
from calbot.identity import is_copy, present, was_invited, was_restored
from calbot.kinds import SendUpdates, SkipReason
from calbot.model import CalendarKey, Event
from calbot.moments import is_past
from calbot.policy import FULL, Case, Link, Rule

PRIVATE = frozenset({"private", "confidential"})
_UNINVITABLE = frozenset({"not_organiser", "event_type", "no_write_access"})
"""Reasons for which nobody can be invited, whoever asks."""

Refusal = tuple[SkipReason, str]


def loudest(rules: Iterable[Rule]) -> SendUpdates:
    """Return whom Google tells: one write has one answer, and nobody shall miss an invitation."""
    return min((rule.send_updates for rule in rules), key=("all", "externalOnly", "none").index)


def calendar_of(key: CalendarKey) -> str:
    """Return the id of a calendar: an account's `primary` goes by the account's address."""
    name = key.calendar.lower()
    return key.account.lower() if name == "primary" else name


def copies(event: Event, case: Case, matched: Sequence[Rule], action: Action) -> tuple[tuple[Link, ...], Skip | None]:
    """Return the copies that an event is to have, and why not one that a rule asks for.

    `action` is what was decided about inviting to it. Copies that are there follow their source also while no new ones
    are made.
    """
    if matched and matched[-1].skip:
        return (), None
    rules = [rule for rule in matched if rule.mirror is not None and not _left_to_guests(rule, action, case)]
    targets = list(dict.fromkeys(rule.mirror for rule in rules if rule.mirror is not None))
    moved = moves(event, case, matched)
    links: list[Link] = []
    skips: list[Skip] = []
    for target in targets:
        asking = [rule for rule in rules if rule.mirror == target]
        willing = [rule for rule in asking if _refusal(rule, event, case, action) is None]
        refusal = _refusal(asking[0], event, case, action) if not willing else _not_now(target, case)
        names = ", ".join(rule.name for rule in willing or asking)
        if refusal is not None:
            skips.append(Skip(event, *refusal, names, "mirror"))
        of_series = event.series is not None and target in case.series_copies
        if willing and (refusal is None or target in case.copies or of_series):
            moving = [rule for rule in willing if rule in moved]
            guests = tuple(dict.fromkeys(guest.lower() for rule in moving for guest in rule.invite))
            updates = loudest(moving) if moving else "all"
            mask = strictest([rule.mask for rule in willing])
            links.append(Link(target, mask, names, bool(moving), guests, updates))
    return tuple(links), skips[0] if skips else None


def moves(event: Event, case: Case, matched: Sequence[Rule]) -> list[Rule]:
    """Return those of the matching rules whose copies are to take the place of the event.

    Their guests are invited to the copies. A copy shows no more than its strictest rule lets it, and only one that
    shows all can take a place.
    """
    if not (case.policy.delete_originals and case.policy.mirroring):
        return []
    return [rule for rule in matched if rule.delete_original and _is_moved(rule, event, case, matched)]


def _is_moved(rule: Rule, event: Event, case: Case, matched: Sequence[Rule]) -> bool:
    target = rule.mirror
    if target is None or (rule.invite and not case.policy.auto_invite):
        return False
    others = [other for other in matched if other.mirror == target]
    guests = [guest for other in others if other.delete_original for guest in other.invite]
    return (
        strictest([other.mask for other in others]) == FULL
        and why_kept(event, guests, case.calendar.account) is None
        and case.copies.get(target) != "deleted"
        and not _is_there(target, event, case)
    )


def why_kept(event: Event, guests: Sequence[str], account: str) -> str | None:
    """Return why the original must stay, as a sentence; None when a copy may take its place."""
    allowed = {account.lower(), event.organiser, event.creator, *(guest.lower() for guest in guests)}
    if event.brought_back or was_restored(event.id):
        return "It was brought back, so it stays."
    if not event.organised_by_us:
        return "Somebody else organises it."
    if event.kind != "default":
        return f"It is of the type {event.kind}, which a copy cannot be."
    if event.recurrence or event.series is not None:
        return "It is a series, or a date of one."
    if event.guests_hidden or any(guest.email not in allowed for guest in event.guests):
        return "It has other guests."
    if event.attached:
        return "Files are attached to it, which a copy does not have."
    if event.locked:
        return "Google does not let it be changed."
    return None


def guests_of_copy(event: Event, invite: Invite, case: Case) -> Action:
    """Return who is still to be invited to a copy that takes the place of its original: no rule speaks for copies."""
    policy = case.policy
    absent = tuple(guest for guest in invite.guests if not present(event, guest))
    wanted = tuple(guest for guest in absent if guest not in case.fates and not was_invited(event.stamp, guest))
    if not absent:
        return Skip(event, "already_invited", "Everybody to invite is on it already.", invite.rule)
    if not wanted:
        return Skip(event, "removed_by_hand", "Somebody took them off the copy.", invite.rule)
    if is_past(event, policy.time_zone, case.now):
        return Skip(event, "past", "It is over.", invite.rule)
    if not policy.auto_invite:
        return Skip(event, "auto_invite_off", "Auto-invite is off; nobody is invited to the copy.", invite.rule)
    if policy.dry_run:
        return Skip(event, "dry_run", f"Dry run: {' and '.join(wanted)} would be invited to the copy.", invite.rule)
    return Invite(event, wanted, invite.rule, invite.send_updates)


def _left_to_guests(rule: Rule, action: Action, case: Case) -> bool:
    """Say whether a rule that copies only what nobody can be invited to leaves this event to its guests."""
    if not rule.uninvitable_only:
        return False
    if isinstance(action, Skip) and action.reason == "past":
        return rule.mirror not in {*case.copies, *case.series_copies}
    return not (isinstance(action, Skip) and action.reason in _UNINVITABLE)


def _refusal(rule: Rule, event: Event, case: Case, action: Action) -> Refusal | None:
    """Return why this rule may not have its copy of an event; None when it may."""
    target = rule.mirror or ""
    if is_copy(event):
        return "own_copy", "It is a copy that Calbot made."
    if _is_there(target, event, case) or (isinstance(action, Invite) and target in action.guests):
        return "already_mirrored", f"It is on {target} itself."
    if event.my_response == "declined":
        return "declined", "It was declined."
    # Google makes every birthday private, so that says nothing about it.
    is_private = event.visibility in PRIVATE and event.kind != "birthday"
    if is_private and rule.mask.shows != "busy" and not PRIVATE & {*rule.match.visibility}:
        return "private", "It is private."
    has_copy = target in {*case.copies, *case.series_copies}
    if not has_copy and is_past(event, case.policy.time_zone, case.now):
        return "past", "It is over."
    return None


def _is_there(target: str, event: Event, case: Case) -> bool:
    """Say whether the meeting is on the target by itself: made there, organised there, or with it among the guests."""
    return target in {calendar_of(case.calendar), event.organiser, *(guest.email for guest in event.guests)}


def _not_now(target: str, case: Case) -> Refusal | None:
    """Return why a copy that the rules want is not made."""
    state = case.copies.get(target) or case.series_copies.get(target)
    if state == "deleted":
        return "copy_deleted_by_hand", f"Somebody deleted the copy on {target}; it stays deleted."
    if state is not None:
        return None
    if not case.policy.mirroring:
        return "mirroring_off", f"Mirroring is off; there is no copy on {target}."
    if case.policy.dry_run:
        return "dry_run", f"Dry run: a copy would be made on {target}."
    return None
