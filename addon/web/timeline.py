"""The lines of the timeline: each outcome and notice as a person would tell it; pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Literal
from urllib.parse import urlsplit

from addon.web.links import event_link
from addon.web.words import clean, day, machine_time, moment, nearby, people
from addon.web.words import where as place
from calbot.model import Notice, Outcome, Outgoing
from calbot.store.copyhistory import with_names

Tone = Literal["good", "quiet", "warn", "bad"]
ORIGINALS_KEPT = 30 * 86400.0
"""Seconds for which an original that was deleted can be brought back."""

_NOTICE_TONES: dict[str, Tone] = {
    **dict.fromkeys(("sync_failed", "channel_failed", "quota_exceeded", "alert_raised", "command_failed"), "warn"),
    "brake_on": "warn",
    **dict.fromkeys(("sign_in_restored", "alert_cleared", "quota_restored"), "good"),
    "sign_in_needed": "bad",
}
_OF_COPIES = frozenset({"already_mirrored", "copy_deleted_by_hand", "mirroring_off"})
"""Reasons for which there is no copy, whoever is invited."""


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


def entries(
    rows: Sequence[Outgoing],
    now: float,
    zone: tzinfo,
    undoable: Collection[str] = (),
    names: Mapping[str, str] | None = None,
) -> tuple[Entry, ...]:
    """Return a line for each row, in their order.

    `undoable` are the tokens that are still good, `names` what calendars are called, by their ids.
    """
    return tuple(_entry(row, now, zone, undoable, names or {}) for row in rows)


def _entry(row: Outgoing, now: float, zone: tzinfo, undoable: Collection[str], names: Mapping[str, str]) -> Entry:
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
        text=clean(_text(outcome, row.created, now, zone, names), 400),
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
        case "invited" | "mirrored":
            return "good"
        case "held":
            return "warn"
        case "failed":
            return "warn" if outcome.retryable else "bad"
        case _:
            return "quiet"


def _text(outcome: Outcome, at: float, now: float, zone: tzinfo, names: Mapping[str, str]) -> str:
    reason = outcome.reason_text or outcome.reason or ""
    of_copies = outcome.target_calendar or outcome.reason in _OF_COPIES or "a copy would be made" in reason
    reason = with_names(reason, names) if of_copies else reason
    copy = f"the copy on {_target(outcome, names)}" if outcome.target_calendar else ""
    match outcome.event_type:
        case "invited":
            guests = people(outcome.guests_added)
            return f"Would invite {guests}" if outcome.dry_run else f"Invited {guests}"
        case "mirrored":
            return f"Copied to {_target(outcome, names)}"
        case "copy_removed":
            if outcome.reason == "copy_deleted_by_hand":
                return f"Somebody deleted {copy or 'the copy'}; it stays deleted"
            return _with_reason(f"Took {copy or 'the copy'} away", reason)
        case "original_deleted":
            until = f" It can be brought back until {moment(at + ORIGINALS_KEPT, now, zone)}."
            return f"Deleted; {copy or 'its copy'} stays.{until if at + ORIGINALS_KEPT > now else ''}"
        case "undone":
            return f"Taken back: {people(outcome.guests_removed) or reason or copy or 'nobody'}"
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
            return _with_reason("Not copied" if outcome.reason in _OF_COPIES else "Left alone", reason)
        case "held":
            return _with_reason(f"Held back, {copy}" if copy else "Held back", reason)
        case "failed":
            again = f" Next try {nearby(outcome.retry_at, now)}." if outcome.retryable and outcome.retry_at else ""
            return f"Not done{f', {copy}' if copy else ''}: {reason or 'no reason is known'}{again}"


def _with_reason(text: str, reason: str) -> str:
    return f"{text}: {reason}" if reason else text


def _target(outcome: Outcome, names: Mapping[str, str]) -> str:
    """Return what the copy's calendar is called."""
    target = outcome.target_calendar or "another calendar"
    return clean(names.get(target, target), 80)


def safe(link: str) -> str:
    """Return a link that a page may offer, or nothing."""
    try:
        return link if urlsplit(link).scheme == "https" and link.isprintable() else ""
    except ValueError:
        return ""
