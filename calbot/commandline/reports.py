"""What the command line prints: lines for people and JSON for programs, in which nobody's text commands a terminal."""

import json
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

import click
import msgspec

from calbot.actions import Action, Invite, Skip
from calbot.explaining import Explanation
from calbot.model import Answer, Event, EventKey, Outcome
from calbot.moments import day_and_time
from calbot.policy import Link, Mask
from calbot.preview import Foreseen
from calbot.store.copyhistory import Held, PastOfCopy, Standing, with_names
from calbot.store.history import HeldRun, Past

LONGEST_TITLE = 60
_JOINERS = "\u200c\u200d"  # They hold emoji and some scripts together.
_DANGEROUS = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_UNDER_WAY = frozenset({"planned", "started", "parked", "held"})
_WORK = {
    "invite": ("invite {}", "inviting {}", "invited {}"),
    "retract": ("take {} off again", "taking {} off again", "took {} off again"),
    "look_up": ("look whether it is deleted", "looking whether it is deleted", "looked whether it is deleted"),
    "mirror": ("copy it to {}", "copying it to {}", "copied to {}"),
    "follow": ("change the copy on {}", "changing the copy on {}", "changed the copy on {}"),
    "remove_copy": ("take the copy on {} away", "taking the copy on {} away", "took the copy on {} away"),
    "delete_original": ("delete it", "deleting it", "deleted it; its copy stays"),
    "restore_original": ("bring it back", "bringing it back", "brought it back"),
}
_STATES = {
    "planned": "is about to {0}",
    "started": "is {1}",
    "parked": "waits to {0}",
    "held": "is held: to {0} waits for approve or discard",
    "done": "{2}",
    "refused": "could not {0}",
    "skipped": "left it alone",
    "superseded": "did not {0}: the event changed first",
    "discarded": "did not {0}: it was discarded",
    "undone": "{2}, which was taken back since",
}
_SHOWS = {"full": "all it says", "title": "its title", "busy": "“Busy”"}


def clean(text: str) -> str:
    """Return the text with everything written out that a terminal might obey, or that turns its writing round."""
    return "".join(sign if _is_harmless(sign) else _written_out(sign) for sign in text)


def say(line: str = "", *, err: bool = False) -> None:
    """Print one line, whatever is in it."""
    click.echo(clean(line), err=err)


def put(document: object) -> None:
    """Print a document as JSON; what is dangerous in a terminal is escaped, so that it reads back the same."""
    whole = (getattr(sys.stdout, "encoding", None) or "").lower().startswith("utf")
    text = json.dumps(document, indent=2, ensure_ascii=not whole)
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
    if outcome.target_calendar:
        where = f"{'to' if outcome.event_type == 'mirrored' else 'its copy on'} {outcome.target_calendar}"
        rest = f"{where}: {rest}" if rest else where
    return f"{outcome.event_type:13} {what}{start}  {rest}".rstrip()


def of_outcome(outcome: Outcome) -> Mapping[str, object]:
    """Return an outcome for JSON."""
    return {
        "event_type": outcome.event_type,
        **_named(outcome.key, outcome.event),
        "guests_added": list(outcome.guests_added),
        "guests_removed": list(outcome.guests_removed),
        "target_calendar": outcome.target_calendar,
        "copy_id": outcome.copy_id,
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


def foreseen_lines(foreseen: Sequence[Foreseen], names: Mapping[str, str] | None = None) -> Iterator[str]:
    """Yield a line for each event: when, what would be done, which, whom or why not; `names` are those of calendars."""
    several = len({(one.key.account, one.key.calendar) for one in foreseen}) > 1
    width = max((len(title(one.event)) for one in foreseen), default=0)
    for one in foreseen:
        place = f"  [{one.calendar_name or one.key.calendar}, {one.key.account}]" if several else ""
        about = f"{when(one.event):20}  {_verb(one):6}  {title(one.event):{width}}"
        yield f"{about}  {_foreseen(one, names or {})}{place}"


def new_copies(one: Foreseen) -> tuple[Link, ...]:
    """Return the copies that an event is to have and has not."""
    return tuple(link for link in one.links if link.target not in one.copied)


def _verb(one: Foreseen) -> str:
    if one.past:
        return "over"
    if one.waits == "held":
        return "held"
    if isinstance(one.action, Invite):
        return "invite" if one.waits is None else "waits"
    return "copy" if new_copies(one) else "leave"


def _foreseen(one: Foreseen, names: Mapping[str, str]) -> str:
    """Return whom an event would invite and where it would be copied to, or why not."""
    copies = [f"to {names.get(link.target, link.target)} (rule {link.rule})" for link in new_copies(one)]
    text = _verdict(one.action, past=one.past)
    if isinstance(one.action, Invite):
        return "; ".join([text, *(f"copy {copy}" for copy in copies)])
    if copies:
        return f"would have been: copy {', '.join(copies)}" if one.past else ", ".join(copies)
    if one.links:
        return f"{text} Its copy is on {', '.join(names.get(link.target, link.target) for link in one.links)}."
    why = one.unmirrored.text if one.unmirrored is not None else text
    return text if why == text else f"{text} No copy: {with_names(why, names)}"


def _verdict(action: Action, *, past: bool) -> str:
    if isinstance(action, Invite):
        whom = f"{', '.join(action.guests)} (rule {action.rule})"
        return f"would have been: {whom}" if past else whom
    return action.text if isinstance(action, Skip) else ""


def of_foreseen(one: Foreseen) -> Mapping[str, object]:
    """Return a line of the preview for JSON."""
    return {
        **_named(one.key, one.event),
        "calendar_name": one.calendar_name,
        "end": one.event.end,
        "past": one.past,
        "waits": one.waits,
        **_decision(one.action),
        **_copies(one.links, one.unmirrored),
        "copied": list(one.copied),
        "tried": msgspec.to_builtins(one.tried),
    }


def explanation_lines(
    one: Explanation, time_zone: str, standing: Sequence[Standing] = (), names: Mapping[str, str] | None = None
) -> Iterator[str]:
    """Yield the explanation of one event, for people; `standing` are its copies, `names` what calendars are called."""
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
    yield from _copy_lines(one, standing, names or {})
    for rule in one.tried:
        yield f"  rule   {rule.rule}: {rule.why}"
    for row in one.history:
        yield f"  {day_and_time(row.at, time_zone)}  {_deed(row, time_zone)}"
        if row.token is not None:
            yield f"  {'':16}  to take it back: calbot undo {row.token}"
    if not one.history:
        yield "  done   nothing: it was there at the first look at the calendar, or there was nothing to do"


def _copy_lines(one: Explanation, standing: Sequence[Standing], names: Mapping[str, str]) -> Iterator[str]:
    """Yield what copies an event has, which it would get, and why not another."""
    states = {copy.target: copy.state for copy in standing}
    has = {"live": "is on", "planned": "is on its way to", "kept": "stands by itself on"}
    for link in one.links:
        goes = "; the event itself is then deleted" if link.delete_original else ""
        where = f"{has.get(states.pop(link.target, ''), 'would be made on')} {names.get(link.target, link.target)}"
        yield f"  copy   {where}, with {_shown(link.mask)} (rule {link.rule}){goes}"
    why = with_names(one.unmirrored.text, names) if one.unmirrored is not None else ""
    left = [f"{has[state]} {names.get(target, target)}" for target, state in states.items() if state in has]
    for where in left:
        yield f"  copy   {where}: {why or 'no rule asks for it by now; it stays'}"
    if why and not left:
        yield f"  copy   none: {why}"


def _shown(mask: Mask) -> str:
    own = " and ".join(f"“{part}”" for part in (mask.title, mask.description) if part)
    return _SHOWS.get(mask.shows) or own or "nothing"


def _deed(row: Past, time_zone: str) -> str:
    again = isinstance(row, PastOfCopy) and row.verb == "mirror" and row.again
    whom = row.target if isinstance(row, PastOfCopy) else ", ".join(row.guests) or "nobody"
    words = _STATES[row.state].format(*_WORK["follow" if again else row.verb]).format(whom)
    named = row.verb in {"invite", "mirror"} and row.state != "skipped"
    rule = f" (rule {row.rule})" if row.rule and named else ""
    why = f": {row.text}" if row.text else ""
    until = f" It is tried again at {day_and_time(row.retry_at, time_zone)}." if row.retry_at else ""
    return f"{words}{rule}{why}{until}"


def of_explanation(one: Explanation) -> Mapping[str, object]:
    """Return an explanation for JSON."""
    return {
        **_named(one.key, one.event),
        "calendar_name": one.calendar_name,
        **_decision(one.action),
        **_copies(one.links, one.unmirrored),
        "tried": msgspec.to_builtins(one.tried),
        "history": [msgspec.to_builtins(row) for row in one.history],
    }


def _copies(links: Sequence[Link], unmirrored: Skip | None) -> Mapping[str, object]:
    """Return the copies that an event is to have, and why not another."""
    wanted = [{"target": link.target, "mask": _mask(link.mask), "rule": link.rule} for link in links]
    why = {"reason": unmirrored.reason, "reason_text": unmirrored.text} if unmirrored is not None else None
    return {"links": wanted, "unmirrored": why}


def _mask(mask: Mask) -> str | Mapping[str, str]:
    """Return a mask as the options write it."""
    if mask.shows != "template":
        return mask.shows
    return {"title": mask.title, "description": mask.description} if mask.description else mask.title


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
    if isinstance(run, Held) and run.removals + run.look_ups:
        many = _held_copies(run)
    named = ", ".join(f'"{one[:LONGEST_TITLE]}"' for one in run.titles if one)
    more = f": {named}{' …' if run.count > len(run.titles) else ''}" if named else ""
    return f"held since {day_and_time(run.since, time_zone)}: {many} in {run.calendar_name or run.calendar}{more}"


def _held_copies(run: Held) -> str:
    parts = [f"{run.invited} events, {run.invitations} invitations"] if run.invited else []
    parts += [f"{run.removals} {'copy' if run.removals == 1 else 'copies'} to take away"] if run.removals else []
    events = "1 event" if run.look_ups == 1 else f"{run.look_ups} events"
    parts += [f"{events} with copies that may be gone"] if run.look_ups else []
    return ", ".join(parts)


def of_held(run: HeldRun) -> Mapping[str, object]:
    """Return what waits for a person for JSON."""
    plain: Mapping[str, object] = msgspec.to_builtins(run)
    return plain
