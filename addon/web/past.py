"""An event's page in words: what the rules say about it now, which were tried, and what was done before; pure."""

from dataclasses import dataclass
from datetime import tzinfo

from addon.web.timeline import Tone, safe
from addon.web.words import clean, day, machine_time, moment, nearby, people, where
from calbot.actions import Invite, LookUp, Retract, Skip
from calbot.explaining import Explanation
from calbot.model import Event
from calbot.policy import Tried
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
    rules: tuple[Rule, ...]
    history: tuple[Line, ...]


def event_view(found: Explanation, now: float, zone: tzinfo) -> EventView:
    """Return an event's page."""
    event = found.event
    tone, decision, why = _decision(found)
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
        rules=tuple(_rule(tried) for tried in found.tried),
        history=tuple(_line(past, now, zone) for past in found.history),
    )


def when(event: Event, now: float, zone: tzinfo) -> str:
    """Return when an event is; of a series, when it begins."""
    start = day(event.start, now, zone)
    return f"{start}, repeats" if start and event.recurrence else start


def decided(action: Invite | Skip | Retract | LookUp | None) -> tuple[Tone, str, str]:
    """Return a decision as tone, headline and reason."""
    match action:
        case Invite():
            return "good", clean(f"Would invite {people(action.guests)}", 300), f"Rule: {clean(action.rule, 200)}."
        case Skip(reason="already_invited"):
            return "good", "Nothing to do", clean(action.text, 400)
        case Skip():
            return "quiet", "Would leave it alone", clean(action.text, 400)
        case _:
            return "quiet", "Nothing to decide", ""


def _decision(found: Explanation) -> tuple[Tone, str, str]:
    if found.event is None:
        return "quiet", "Nothing to decide", "The calendar has this event no longer; what was done about it is below."
    return decided(found.action)


def _rule(tried: Tried) -> Rule:
    state = "matches" if tried.matched else "does not match"
    why = clean(tried.why, 400)
    return Rule("good" if tried.matched else "quiet", clean(tried.rule, 80), state, why[:1].upper() + why[1:])


def _line(past: Past, now: float, zone: tzinfo) -> Line:
    sentences = {"invite": _INVITING, "retract": _RETRACTING}.get(past.verb)
    guests = people(past.guests) or "nobody"
    text = sentences[past.state].format(guests) if sentences else "Asked Google whether the event is gone"
    why = past.text or (past.reason or "").replace("_", " ")
    if past.state == "parked" and past.retry_at is not None:
        why = f"{why} Next try {nearby(max(past.retry_at, now), now)}.".strip()
    return Line(
        tone="quiet" if past.verb == "retract" and past.state == "done" else _TONES.get(past.state, "quiet"),
        text=clean(text, 400),
        why=clean(why, 400),
        rule=clean(past.rule or "", 80),
        time=machine_time(past.at),
        at=moment(past.at, now, zone),
        age=nearby(past.at, now),
        token=past.token or "",
    )
