"""Does a rule match this event, and may anybody be invited to it at all: the answer and the reason."""

from calbot.identity import present, was_invited
from calbot.model import Action, Event, Invite, Policy, Rule, Skip, SkipReason
from calbot.moments import is_past

OBVIOUS = "invite_emails"


def obvious_rules(invite_emails: tuple[str, ...]) -> tuple[Rule, ...]:
    """Return the rule that stands in for empty `rules`; none when nobody is named."""
    return (Rule(OBVIOUS, invite_emails),) if invite_emails else ()


def judge(event: Event, policy: Policy, now: float) -> Action:
    """Decide what should be done about one live event."""
    refusal = _never(event, policy, now)
    if refusal:
        return Skip(event, *refusal)
    if not policy.rules:
        return Skip(event, "no_rule", "No rule says whom to invite.")
    rule = policy.rules[0]
    absent = tuple(guest for guest in rule.invite if not present(event, guest))
    if not absent:
        return Skip(event, "already_invited", "Everybody to invite is on it already.", rule.name)
    wanted = tuple(guest for guest in absent if not was_invited(event.stamp, guest))
    if not wanted:
        text = f"{_names(absent)} was invited before and somebody took them off again."
        return Skip(event, "removed_by_hand", text, rule.name)
    if not policy.auto_invite:
        return Skip(event, "auto_invite_off", f"Auto-invite is off; {_names(wanted)} was not invited.", rule.name)
    if policy.dry_run:
        return Skip(event, "dry_run", f"Dry run: {_names(wanted)} would be invited.", rule.name)
    return Invite(event, wanted, rule.name, rule.send_updates)


def _never(event: Event, policy: Policy, now: float) -> tuple[SkipReason, str] | None:
    if event.copy_of:
        return "own_copy", "It is a copy that Calbot made."
    if event.kind != "default":
        return "event_type", f"Events of the type {event.kind} take no guests."
    if is_past(event, policy.time_zone, now):
        return "past", "It is over."
    if not event.organised_by_us:
        return "not_organiser", "Somebody else organises it."
    if event.my_response == "declined":
        return "declined", "It was declined."
    if event.visibility in {"private", "confidential"}:
        return "private", "It is private."
    if event.locked:
        return "no_write_access", "Google does not let it be changed (it is locked)."
    if event.guests_hidden:
        return "no_write_access", "Google hides its guest list, so nobody can be added without harm."
    return None


def _names(guests: tuple[str, ...]) -> str:
    return " and ".join(guests)
