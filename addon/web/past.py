"""An event's page in words: what the rules say about it now, which were tried, and what was done before; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo

from addon.web.copied import CopyLine, copy_lines
from addon.web.timeline import Tone, safe
from addon.web.words import clean, day, machine_time, moment, nearby, people, where
from calbot.actions import Action, Invite, Skip
from calbot.explaining import Explanation
from calbot.kinds import Verb
from calbot.model import Event
from calbot.policy import Tried
from calbot.store.copyhistory import PastOfCopy, Standing, with_names
from calbot.store.history import Past

_INVITING = {
    "planned": "Is about to invite {}",
    "started": "Is inviting {} just now",
    "parked": "Waits to invite {}",
    "held": "Held back; would invite {}",
    "done": "Invited {}",
    "refused": "Not done: inviting {}",
    "skipped": "Left alone",
    "superseded": "Overtaken by a later change, before {} was invited",
    "discarded": "Discarded; {} was not invited",
    "undone": "Invited {}; that was taken back later",
}
_RETRACTING = {
    "planned": "Is about to take {} off again",
    "started": "Is taking {} off again just now",
    "parked": "Waits to take {} off again",
    "held": "Held back; would take {} off again",
    "done": "Taken back: {}",
    "refused": "Not taken back: {}",
    "skipped": "Not taken back: {}",
    "superseded": "Overtaken by a later change, before {} was taken off",
    "discarded": "Discarded; {} stays on the list",
    "undone": "Taken back: {}",
}
_MIRRORING = {
    "planned": "Is about to be copied to {}",
    "started": "Is being copied to {} just now",
    "parked": "Waits to be copied to {}",
    "held": "Held back; would be copied to {}",
    "done": "Copied to {}",
    "refused": "Not done: the copy on {}",
    "skipped": "Not copied",
    "superseded": "Overtaken by a later change, before it was copied to {}",
    "discarded": "Discarded; not copied to {}",
    "undone": "Copied to {}; that was taken back later",
}
_FOLLOWING = {
    **_MIRRORING,
    "planned": "The copy on {} is about to follow",
    "started": "The copy on {} follows just now",
    "parked": "The copy on {} waits to follow",
    "held": "Held back; the copy on {} would follow",
    "done": "The copy on {} followed",
    "skipped": "The copy on {} does not follow",
    "superseded": "Overtaken by a later change, before the copy on {} followed",
    "discarded": "Discarded; the copy on {} stays as it is",
}
_REMOVING = {
    "planned": "The copy on {} is about to be taken away",
    "started": "The copy on {} is being taken away just now",
    "parked": "The copy on {} waits to be taken away",
    "held": "Held back; the copy on {} would be taken away",
    "done": "Took the copy on {} away",
    "refused": "Not done: taking the copy on {} away",
    "skipped": "Left the copy on {} where it is",
    "superseded": "Overtaken by a later change, before the copy on {} was taken away",
    "discarded": "Discarded; the copy on {} stays",
    "undone": "Took the copy on {} away; that was taken back later",
}
_DELETING = {
    "planned": "Is to be deleted, as its copy stands",
    "started": "Is being deleted just now; its copy stays",
    "parked": "Waits to be deleted, as its copy stands",
    "held": "Held back; would be deleted, as its copy stands",
    "done": "Deleted; its copy stays",
    "refused": "Not done: deleting it",
    "skipped": "Not deleted",
    "superseded": "Overtaken by a later change, before it was deleted",
    "discarded": "Discarded; it was not deleted",
    "undone": "Deleted; it was brought back later",
}
_RESTORING = {
    "planned": "Is about to be brought back",
    "started": "Is being brought back just now",
    "parked": "Waits to be brought back",
    "held": "Held back; would be brought back",
    "done": "Brought back to its calendar",
    "refused": "Not done: bringing it back",
    "skipped": "Not brought back",
    "superseded": "Overtaken by a later change, before it was brought back",
    "discarded": "Discarded; it was not brought back",
    "undone": "Brought back to its calendar",
}
_SENTENCES: dict[Verb, dict[str, str]] = {
    "invite": _INVITING,
    "retract": _RETRACTING,
    "mirror": _MIRRORING,
    "remove_copy": _REMOVING,
    "delete_original": _DELETING,
    "restore_original": _RESTORING,
}
_ABOUT_COPIES = frozenset({"mirror", "remove_copy"})
_TONES: dict[str, Tone] = {"done": "good", "held": "warn", "parked": "warn", "refused": "bad"}


@dataclass(frozen=True, slots=True)
class Line:
    """One thing of the past; `token` undoes it where that can be done."""

    tone: Tone
    text: str
    why: str
    rule: str
    time: str
    at: str
    age: str
    token: str


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that was tried."""

    tone: Tone
    name: str
    state: str
    why: str


@dataclass(frozen=True, slots=True)
class EventView:
    """The values of an event's page; `known` is false when the calendar has it no longer."""

    title: str
    when: str
    where: str
    place: str
    link: str
    guests: str
    known: bool
    tone: Tone
    decision: str
    why: str
    copies: tuple[CopyLine, ...]
    rules: tuple[Rule, ...]
    history: tuple[Line, ...]


def event_view(
    found: Explanation,
    now: float,
    zone: tzinfo,
    standing: Sequence[Standing] = (),
    names: Mapping[str, str] | None = None,
) -> EventView:
    """Return an event's page; `standing` are its copies, `names` what calendars are called, by their ids."""
    event = found.event
    tone, decision, why = _decision(found)
    names = names or {}
    return EventView(
        title=(clean(event.title, 160) if event else "") or "Event without a title",
        when=when(event, now, zone) if event else "",
        where=where(found.calendar_name, found.key.account),
        place=clean(event.location, 160) if event else "",
        link=safe(event.link) if event else "",
        guests=clean(people([guest.email for guest in event.guests]), 300) if event else "",
        known=event is not None,
        tone=tone,
        decision=decision,
        why=why,
        copies=copy_lines(found.links, found.unmirrored, standing, names),
        rules=tuple(_rule(tried) for tried in found.tried),
        history=tuple(_line(past, now, zone, names) for past in found.history),
    )


def when(event: Event, now: float, zone: tzinfo) -> str:
    """Return when an event is; of a series, when it begins."""
    start = day(event.start, now, zone)
    return f"{start}, repeats" if start and event.recurrence else start


def decided(action: Action | None, *, copied: bool = False) -> tuple[Tone, str, str]:
    """Return a decision as tone, headline and reason; `copied` says that the event has a copy, or would get one."""
    match action:
        case Invite():
            return "good", clean(f"Would invite {people(action.guests)}", 300), f"Rule: {clean(action.rule, 200)}."
        case Skip(reason="already_invited"):
            return "good", "Nothing to do" if not copied else "Nobody else to invite", clean(action.text, 400)
        case Skip():
            return "quiet", "Would leave it alone" if not copied else "Would invite nobody", clean(action.text, 400)
        case _:
            return "quiet", "Nothing to decide", ""


def _decision(found: Explanation) -> tuple[Tone, str, str]:
    if found.event is None:
        return "quiet", "Nothing to decide", "The calendar has this event no longer; what was done about it is below."
    return decided(found.action, copied=bool(found.links))


def _rule(tried: Tried) -> Rule:
    state = "matches" if tried.matched else "does not match"
    why = clean(tried.why, 400)
    return Rule("good" if tried.matched else "quiet", clean(tried.rule, 80), state, why[:1].upper() + why[1:])


def _line(past: Past, now: float, zone: tzinfo, names: Mapping[str, str]) -> Line:
    why = past.text or (past.reason or "").replace("_", " ")
    why = with_names(why, names) if past.verb in _ABOUT_COPIES else why
    if past.state == "parked" and past.retry_at is not None:
        why = f"{why} Next try {nearby(max(past.retry_at, now), now)}.".strip()
    return Line(
        tone=_tone(past),
        text=clean(_sentence(past), 400),
        why=clean(why, 400),
        rule=clean(past.rule or "", 80),
        time=machine_time(past.at),
        at=moment(past.at, now, zone),
        age=nearby(past.at, now),
        token=past.token or "",
    )


def _tone(past: Past) -> Tone:
    """Return the tone of what was done; what was taken away again, or only followed, is no news."""
    again = isinstance(past, PastOfCopy) and past.again
    if past.state == "done" and (again or past.verb not in {"invite", "mirror", "look_up"}):
        return "quiet"
    return _TONES.get(past.state, "quiet")


def _sentence(past: Past) -> str:
    sentences = _SENTENCES.get(past.verb)
    if sentences is None:
        return "Asked Google whether the event is gone"
    if past.verb not in _ABOUT_COPIES:
        return sentences[past.state].format(people(past.guests) or "nobody")
    if isinstance(past, PastOfCopy):
        if past.verb == "mirror" and past.again:
            sentences = _FOLLOWING
        return sentences[past.state].format(clean(past.target, 80))
    return sentences[past.state].format("a shared calendar")
