"""Which rules apply to an event, whom they let be invited to it and which copies they ask for, and why (not)."""

from collections.abc import Iterable, Iterator, Sequence

from calbot.actions import Action, Invite, Skip
from calbot.copyrules import PRIVATE, copies, loudest, moves
from calbot.identity import is_copy, present, was_invited
from calbot.kinds import Fate, SkipReason
from calbot.matching import why_not
from calbot.model import Event
from calbot.moments import is_past
from calbot.policy import EVERYBODY, Case, Decision, Rule, Tried

OBVIOUS = "invite_emails"
_GUESTLESS = frozenset({"birthday", "focusTime", "outOfOffice", "workingLocation"})
_SENTENCES: dict[Fate, str] = {
    "removed": "{} invited before and somebody took them off again.",
    "undone": "{} invited before and that was undone.",
    "discarded": "{} to be invited before and that was discarded.",
    "refused": "{} refused by Google before.",
    "handled": "An earlier bot has handled it, so {} not invited again.",
}
_BARRED: dict[frozenset[Fate], SkipReason] = {
    frozenset({"refused"}): "no_write_access",
    frozenset({"handled"}): "already_invited",
}

Refusal = tuple[SkipReason, str]


def obvious_rules(invite_emails: tuple[str, ...], central_calendar: str | None = None) -> tuple[Rule, ...]:
    """Return the rule that stands in for empty `rules`; none when nobody is named, and no calendar for copies."""
    if not invite_emails:
        return (Rule("central_calendar", mirror=central_calendar),) if central_calendar else ()
    return (Rule(OBVIOUS, invite_emails, mirror=central_calendar, uninvitable_only=central_calendar is not None),)


def judge(event: Event, case: Case) -> Action:
    """Decide who should be invited to one live event: Invite or Skip."""
    return weigh(event, case).action


def matched_rules(event: Event, case: Case) -> tuple[str, ...]:
    """Return the names of the rules that apply to the event, in order, whatever comes of them."""
    return tuple(rule.name for rule, against in _held_against(event, case) if against is None)


def weigh(event: Event, case: Case) -> Decision:
    """Decide all that is to be done about one live event; with it come the rules tried, and why each matched or not."""
    held = tuple(_held_against(event, case))
    tried = tuple(Tried(rule.name, against is None, against or "it matches") for rule, against in held)
    matched = [rule for rule, against in held if against is None]
    action = _decide(event, case, matched)
    links, unmirrored = copies(event, case, matched, action)
    return Decision(action, links, unmirrored, tried)


def _held_against(event: Event, case: Case) -> Iterator[tuple[Rule, str | None]]:
    """Try rules in order until one has the last word; what speaks against each, or None where it matches."""
    for rule in case.policy.rules:
        against = why_not(rule.match, event, case)
        yield rule, against
        if against is None and (rule.skip or not rule.goes_on):
            return


def _decide(event: Event, case: Case, matched: Sequence[Rule]) -> Action:
    policy = case.policy
    if refusal := _never(event, case):
        return Skip(event, *refusal)
    if not policy.rules:
        return Skip(event, "no_rule", "No rule says whom to invite.")
    if not matched:
        return Skip(event, "no_rule", "No rule matches it.")
    if matched[-1].skip:
        name = matched[-1].name
        return Skip(event, "rule_skip", f"The rule {name} says to leave it alone.", name)
    moved = moves(event, case, matched)
    rules = [rule for rule in matched if rule.invite and rule not in moved]
    if not rules and any(rule.invite for rule in matched):
        return Skip(event, "no_rule", "Its guests are invited to the copy that takes its place.", matched[-1].name)
    if not rules:
        return Skip(event, "no_rule", _invite_nobody(matched), ", ".join(rule.name for rule in matched))
    refusals = [_refusal(rule, event) for rule in rules]
    willing = [rule for rule, refused in zip(rules, refusals, strict=True) if refused is None]
    if not willing and refusals[0] is not None:
        return Skip(event, *refusals[0], rules[0].name)
    guests = tuple(dict.fromkeys(guest.lower() for rule in willing for guest in rule.invite))
    absent = tuple(guest for guest in guests if not present(event, guest))
    if not absent:
        return Skip(event, "already_invited", "Everybody to invite is on it already.", _named(willing, guests))
    fates = {guest: fate for guest in absent if (fate := _fate(guest, event, case))}
    wanted = tuple(guest for guest in absent if guest not in fates)
    if not wanted:
        return Skip(event, *_barred(fates), _named(willing, absent))
    names = _named(willing, wanted)
    if not policy.auto_invite:
        return Skip(event, "auto_invite_off", f"Auto-invite is off; {_were(wanted)} not invited.", names)
    if policy.dry_run:
        return Skip(event, "dry_run", f"Dry run: {_names(wanted)} would be invited.", names)
    return Invite(event, wanted, names, loudest(_of(willing, wanted)))


def _never(event: Event, case: Case) -> Refusal | None:
    """Return what no rule can overrule."""
    if is_copy(event):
        return "own_copy", "It is a copy that Calbot made."
    if event.kind in _GUESTLESS:
        return "event_type", f"Events of the type {event.kind} take no guests."
    if is_past(event, case.policy.time_zone, case.now):
        return "past", "It is over."
    if event.my_response == "declined":
        return "declined", "It was declined."
    if event.locked:
        return "no_write_access", "Google does not let it be changed (it is locked)."
    if event.guests_hidden:
        return "no_write_access", "Google hides its guest list, so nobody can be added without harm."
    return None


def _refusal(rule: Rule, event: Event) -> Refusal | None:
    """Return why this rule may invite nobody to an event that it matches; None when it may."""
    if event.kind not in {"default", *rule.match.event_types}:
        return "event_type", f"Its type is {event.kind}, which the rule does not name."
    if not event.organised_by_us and rule.match.organiser_is_me is not False:
        return "not_organiser", "Somebody else organises it."
    if not event.organised_by_us and not event.guests_may_invite:
        return "not_organiser", "Somebody else organises it and lets nobody else invite."
    if event.visibility in PRIVATE and not PRIVATE & {*rule.match.visibility}:
        return "private", "It is private."
    return None


def _fate(guest: str, event: Event, case: Case) -> Fate | None:
    """Return what became of an absent guest whom we wanted on the event, if that is a reason not to ask again."""
    fate = case.fates.get(guest)
    if fate is not None:
        return "removed" if fate == "invited" else fate
    if was_invited(event.stamp, guest):
        return "removed"
    parent = case.parent
    if parent is not None and was_invited(parent.stamp, guest) and not present(parent, guest):
        return "removed"
    return "handled" if not case.handled.isdisjoint({guest, EVERYBODY}) else None


def _invite_nobody(rules: Sequence[Rule]) -> str:
    if len(rules) == 1:
        return f"The rule {rules[0].name} invites nobody."
    return f"The rules {_names(rule.name for rule in rules)} invite nobody."


def _barred(fates: dict[str, Fate]) -> Refusal:
    reason = _BARRED.get(frozenset(fates.values()), "removed_by_hand")
    met = [(sentence, [guest for guest in fates if fates[guest] == fate]) for fate, sentence in _SENTENCES.items()]
    return reason, " ".join(sentence.format(_were(guests)) for sentence, guests in met if guests)


def _of(rules: Iterable[Rule], guests: tuple[str, ...]) -> list[Rule]:
    """Return those of the rules that name any of the guests."""
    return [rule for rule in rules if any(guest.lower() in guests for guest in rule.invite)]


def _named(rules: Iterable[Rule], guests: tuple[str, ...]) -> str:
    return ", ".join(rule.name for rule in _of(rules, guests))


def _were(guests: Sequence[str]) -> str:
    return f"{_names(guests)} {'was' if len(guests) == 1 else 'were'}"


def _names(names: Iterable[str]) -> str:
    return " and ".join(names)
