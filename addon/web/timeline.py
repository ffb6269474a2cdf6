"""The lines of the timeline: each outcome and notice as a person would tell it; pure."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Literal
from urllib.parse import urlsplit

from addon.web.links import event_link
from addon.web.words import clean, day, machine_time, moment, nearby, people
from addon.web.words import where as place
from calbot.model import Notice, Outcome, Outgoing

Tone = Literal["good", "quiet", "warn", "bad"]

_NOTICE_TONES: dict[str, Tone] = {
    **dict.fromkeys(("sync_failed", "channel_failed", "quota_exceeded", "alert_raised", "command_failed"), "warn"),
    "brake_on": "warn",
    **dict.fromkeys(("sign_in_restored", "alert_cleared", "quota_restored"), "good"),
    "sign_in_needed": "bad",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One line. `time` is for machines, `at` and `age` for people; `rehearsed` marks a dry run.

    `why` leads to the event's page; `undo` is the token by which this can be taken back, if it still can.
    """

    tone: Tone
    text: str
    title: str
    when: str
    where: str
    link: str
    time: str
    at: str
    age: str
    rehearsed: bool
    why: str = ""
    undo: str = ""


def entries(rows: Sequence[Outgoing], now: float, zone: tzinfo, undoable: Collection[str] = ()) -> tuple[Entry, ...]:
    """Return a line for each row, in their order; `undoable` are the tokens that are still good."""
    return tuple(_entry(row, now, zone, undoable) for row in rows)


def _entry(row: Outgoing, now: float, zone: tzinfo, undoable: Collection[str]) -> Entry:
    times = {
        "time": machine_time(row.created),
        "at": moment(row.created, now, zone),
        "age": nearby(row.created, now),
    }
    if isinstance(row.content, Notice):
        notice = row.content
        tone = _NOTICE_TONES.get(notice.event_type, "quiet")
        where = place(notice.calendar, notice.account)
        return Entry(tone, clean(notice.text, 400), "", "", where, link="", rehearsed=False, **times)
    outcome = row.content
    event = outcome.event
    return Entry(
        tone=_tone(outcome),
        text=clean(_text(outcome, now, zone), 400),
        title=(clean(event.title, 160) if event else "") or "Event without a title",
        when=day(event.start, now, zone) if event else "",
        where=place(outcome.calendar_name, outcome.key.account),
        link=safe(event.link) if event else "",
        rehearsed=outcome.dry_run,
        why=event_link(outcome.key),
        undo=token if (token := outcome.undo_token) is not None and token in undoable else "",
        **times,
    )


def _tone(outcome: Outcome) -> Tone:
    match outcome.event_type:
        case "invited":
            return "good"
        case "held":
            return "warn"
        case "failed":
            return "warn" if outcome.retryable else "bad"
        case _:
            return "quiet"


def _text(outcome: Outcome, now: float, zone: tzinfo) -> str:
    reason = outcome.reason_text or outcome.reason
    match outcome.event_type:
        case "invited":
            guests = people(outcome.guests_added)
            return f"Would invite {guests}" if outcome.dry_run else f"Invited {guests}"
        case "undone":
            return f"Taken back: {people(outcome.guests_removed) or 'nobody'}"
        case "event_created":
            return "New event"
        case "updated":
            return f"Changed: {', '.join(outcome.changed)}" if outcome.changed else "Changed"
        case "moved":
            before = day(outcome.old_start or "", now, zone)
            return f"Moved from {before}" if before else "Moved"
        case "cancelled":
            return "Cancelled"
        case "skipped":
            return f"Left alone: {reason}" if reason else "Left alone"
        case "held":
            return f"Held back: {reason}" if reason else "Held back"
        case "failed":
            again = f" Next try {nearby(outcome.retry_at, now)}." if outcome.retryable and outcome.retry_at else ""
            return f"Not done: {reason or 'no reason is known'}{again}"


def safe(link: str) -> str:
    """Return a link that a page may offer, or nothing."""
    try:
        return link if urlsplit(link).scheme == "https" and link.isprintable() else ""
    except ValueError:
        return ""
