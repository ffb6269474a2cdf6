"""What the command line prints: lines for people and JSON for programs, in which nobody's text commands a terminal."""

import json
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

import click
import msgspec

from calbot.actions import Action, Invite, LookUp, Retract, Skip
from calbot.explaining import Explanation
from calbot.model import Answer, Event, EventKey, Outcome
from calbot.moments import day_and_time
from calbot.preview import Foreseen
from calbot.store.history import HeldRun, Past

LONGEST_TITLE = 60
_JOINERS = "\u200c\u200d"  # They hold emoji and some scripts together.
_DANGEROUS = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_UNDER_WAY = frozenset({"planned", "started", "parked", "held"})
_DEEDS = {
    ("invite", "planned"): "is about to invite {}",
    ("invite", "started"): "is inviting {}",
    ("invite", "parked"): "waits to invite {}",
    ("invite", "held"): "is held: to invite {} waits for approve or discard",
    ("invite", "done"): "invited {}",
    ("invite", "refused"): "could not invite {}",
    ("invite", "skipped"): "left it alone",
    ("invite", "superseded"): "did not invite {}: the event changed first",
    ("invite", "discarded"): "did not invite {}: it was discarded",
    ("invite", "undone"): "invited {}, which was taken back since",
    ("retract", "done"): "took {} off again",
    ("retract", "refused"): "could not take {} off again",
    ("look_up", "done"): "looked whether it is deleted",
}


def clean(text: str) -> str:
    """Return the text with everything written out that a terminal might obey, or that turns its writing round."""
    return "".join(sign if _is_harmless(sign) else _written_out(sign) for sign in text)


def say(line: str = "", *, err: bool = False) -> None:
    """Print one line, whatever is in it."""
    click.echo(clean(line), err=err)


def put(document: object) -> None:
    """Print a document as JSON; what is dangerous in a terminal is escaped, so that it reads back the same."""
    text = json.dumps(document, indent=2, ensure_ascii=False)
    click.echo("".join(sign if sign == "\n" or _is_harmless(sign) else json.dumps(sign)[1:-1] for sign in text))


def _is_harmless(sign: str) -> bool:
    return sign in _JOINERS or unicodedata.category(sign) not in _DANGEROUS


def _written_out(sign: str) -> str:
    return sign.encode("unicode_escape").decode()


def title(event: Event) -> str:
    """Return an event's title in quotes, not longer than a line bears."""
    text = event.title or "(no title)"
    short = text if len(text) <= LONGEST_TITLE else f"{text[: LONGEST_TITLE - 1]}…"
    return f'"{short}"'


def when(event: Event) -> str:
    """Return when an event begins: `Tue 2026-12-01 19:00`, in the words of its own calendar."""
    try:
        start = datetime.fromisoformat(event.start)
    except ValueError:
        return event.start or "some time"
    return f"{start:%a %Y-%m-%d}" if event.all_day else f"{start:%a %Y-%m-%d %H:%M}"


def outcome_line(outcome: Outcome) -> str:
    """Return an outcome as one line."""
    event = outcome.event
    what = json.dumps(event.title or "(no title)", ensure_ascii=False) if event else outcome.key.event
    start = f" ({event.start})" if event else ""
    rest = ", ".join((*outcome.guests_added, *outcome.guests_removed)) or outcome.reason_text or ""
    return f"{outcome.event_type:13} {what}{start}  {rest}".rstrip()


def of_outcome(outcome: Outcome) -> Mapping[str, object]:
    """Return an outcome for JSON."""
    return {
        "event_type": outcome.event_type,
        **_named(outcome.key, outcome.event),
        "guests_added": list(outcome.guests_added),
        "guests_removed": list(outcome.guests_removed),
        "reason": outcome.reason,
        "reason_text": outcome.reason_text,
        "undo_token": outcome.undo_token,
        "dry_run": outcome.dry_run,
    }


def of_ran(answer: Answer | None, outcomes: Iterable[Outcome], problems: Iterable[str]) -> Mapping[str, object]:
    """Return what came of a command for JSON."""
    return {
        "status": answer.status if answer is not None else None,
        "code": answer.code if answer is not None else None,
        "message": answer.message if answer is not None else None,
        "data": dict(answer.data) if answer is not None else {},
        "outcomes": [of_outcome(outcome) for outcome in outcomes],
        "problems": list(problems),
    }


def foreseen_lines(foreseen: Sequence[Foreseen]) -> Iterator[str]:
    """Yield one line for each event: when, what would be done, which event, whom or why not, and where if need be."""
    several = len({(one.key.account, one.key.calendar) for one in foreseen}) > 1
    width = max((len(title(one.event)) for one in foreseen), default=0)
    for one in foreseen:
        place = f"  [{one.calendar_name or one.key.calendar}, {one.key.account}]" if several else ""
        about = f"{when(one.event):20}  {_verb(one):6}  {title(one.event):{width}}"
        yield f"{about}  {_verdict(one.action, past=one.past)}{place}"


def _verb(one: Foreseen) -> str:
    if one.past:
        return "over"
    if one.waits == "held":
        return "held"
    if isinstance(one.action, Invite):
        return "invite" if one.waits is None else "waits"
    return "leave"


def _verdict(action: Action, *, past: bool) -> str:
    match action:
        case Invite():
            whom = f"{', '.join(action.guests)} (rule {action.rule})"
            return f"would have been: {whom}" if past else whom
        case Skip():
            return action.text
        case Retract() | LookUp():
            return ""


def of_foreseen(one: Foreseen) -> Mapping[str, object]:
    """Return a line of the preview for JSON."""
    named = {**_named(one.key, one.event), "calendar_name": one.calendar_name}
    tried = [msgspec.to_builtins(rule) for rule in one.tried]
    return {
        **named,
        "end": one.event.end,
        "past": one.past,
        "waits": one.waits,
        **_decision(one.action),
        "tried": tried,
    }


def explanation_lines(one: Explanation, time_zone: str) -> Iterator[str]:
    """Yield the explanation of one event, for people."""
    what = f"{title(one.event)}, {when(one.event)}" if one.event is not None else f"{one.key.event}, which is gone"
    place = f" as {one.calendar_name}" if one.calendar_name not in {"", one.key.account} else ""
    yield f"{what}, calendar {one.key.calendar} of {one.key.account}{place}"
    if one.event is not None:
        yield f"  id     {one.key.event}"
    match one.action:
        case Invite():
            by_itself = bool(one.history) and one.history[0].state in _UNDER_WAY
            how = "" if by_itself else "; a change of the event or calbot apply does it"
            yield f"  now    invite {_verdict(one.action, past=False)}{how}"
        case Skip():
            yield f"  now    leave it alone: {one.action.text}"
        case _:
            pass
    for rule in one.tried:
        yield f"  rule   {rule.rule}: {rule.why}"
    for row in one.history:
        yield f"  {day_and_time(row.at, time_zone)}  {_deed(row, time_zone)}"
        if row.token is not None:
            yield f"  {'':16}  to take it back: calbot undo {row.token}"
    if not one.history:
        yield "  done   nothing: it was there at the first look at the calendar, or there was nothing to do"


def _deed(row: Past, time_zone: str) -> str:
    words = _DEEDS.get((row.verb, row.state), f"{row.verb}: {row.state}").format(", ".join(row.guests) or "nobody")
    rule = f" (rule {row.rule})" if row.rule and row.verb == "invite" and row.state != "skipped" else ""
    why = f": {row.text}" if row.text else ""
    until = f" It is tried again at {day_and_time(row.retry_at, time_zone)}." if row.retry_at else ""
    return f"{words}{rule}{why}{until}"


def of_explanation(one: Explanation) -> Mapping[str, object]:
    """Return an explanation for JSON."""
    named = {**_named(one.key, one.event), "calendar_name": one.calendar_name}
    tried = [msgspec.to_builtins(rule) for rule in one.tried]
    history = [msgspec.to_builtins(row) for row in one.history]
    return {**named, **_decision(one.action), "tried": tried, "history": history}


def _decision(action: Action | None) -> Mapping[str, object]:
    return {
        "decision": "invite" if isinstance(action, Invite) else "skip" if isinstance(action, Skip) else None,
        "guests": list(action.guests) if isinstance(action, Invite) else [],
        "rule": action.rule if isinstance(action, Invite | Skip) else None,
        "reason": action.reason if isinstance(action, Skip) else None,
        "reason_text": action.text if isinstance(action, Skip) else None,
    }


def _named(key: EventKey, event: Event | None) -> Mapping[str, object]:
    return {
        "account": key.account,
        "calendar": key.calendar,
        "event_id": key.event,
        "title": event.title if event else None,
        "start": event.start if event else None,
    }


def held_line(run: HeldRun, time_zone: str) -> str:
    """Return what waits for a person, as one line."""
    many = f"{run.count} events, {run.guests} invitations," if run.count != 1 else "1 event"
    named = ", ".join(f'"{one[:LONGEST_TITLE]}"' for one in run.titles if one)
    more = f": {named}{' …' if run.count > len(run.titles) else ''}" if named else ""
    return f"held since {day_and_time(run.since, time_zone)}: {many} in {run.calendar_name or run.calendar}{more}"


def of_held(run: HeldRun) -> Mapping[str, object]:
    """Return what waits for a person for JSON."""
    plain: Mapping[str, object] = msgspec.to_builtins(run)
    return plain
