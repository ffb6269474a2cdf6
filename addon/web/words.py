"""Times, spans, options and foreign text as people read them; pure."""

import unicodedata
from collections.abc import Sequence
from datetime import UTC, date, datetime, tzinfo

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
OPTION_NAMES = {
    "accounts": "Accounts",
    "invite_emails": "Who is invited",
    "central_calendar": "Calendar for copies",
    "rules": "Rules",
    "auto_invite": "Auto-invite",
    "mirroring": "Copies",
    "dry_run": "Dry run",
    "first_sync": "Events from before",
    "poll_interval": "Asks Google every",
    "push_url": "Push address",
    "delete_original.enabled": "Deletes originals",
    "delete_original.grace": "Originals stay for",
    "limits.invites_per_hour": "Invitations per hour",
    "limits.removals_per_pass": "Removals at once",
    "mqtt.host": "MQTT broker",
    "mqtt.port": "MQTT port",
    "mqtt.username": "MQTT user",
    "mqtt.password": "MQTT password",
    "mqtt.base_topic": "MQTT topic",
    "event_detail": "Detail of events",
    "notify": "Notify services",
    "alerts": "More ways for alerts",
    "report_at": "Daily report at",
    "heartbeat_url": "Heartbeat",
    "log_level": "Log level",
}
"""What the panel calls each option."""


def span(seconds: float) -> str:
    """Return a length of time: `45 seconds`, `15 minutes`, `3 hours`, `2 days`."""
    for size, unit, enough in ((1, "second", 90), (60, "minute", 5400), (3600, "hour", 129_600)):
        if seconds < enough:
            count = round(seconds / size)
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return f"{round(seconds / 86400)} days"


def nearby(then: float, now: float) -> str:
    """Return how far an instant is from now: `just now`, `5 minutes ago`, `in 3 hours`."""
    if abs(now - then) < 3:
        return "just now"
    return f"{span(now - then)} ago" if then < now else f"in {span(then - now)}"


def moment(instant: float, now: float, zone: tzinfo) -> str:
    """Return an instant as a time, with the date when it is not today's."""
    at, today = local(instant, zone), local(now, zone)
    clock = f"{at:%H:%M}"
    return clock if at.date() == today.date() else f"{_date(at, today)}, {clock}"


def day(start: str, now: float, zone: tzinfo) -> str:
    """Return an event's start, as Google writes it, in the household's zone; what is no time is left out."""
    today = local(now, zone)
    try:
        if len(start) == len("2026-12-01"):
            return _date(date.fromisoformat(start), today)
        at = datetime.fromisoformat(start)
        at = at.astimezone(zone) if at.tzinfo else at
    except (ValueError, OverflowError):
        return ""
    return f"{_date(at, today)}, {at:%H:%M}"


def machine_time(instant: float) -> str:
    """Return an instant in RFC 3339."""
    return f"{local(instant, UTC):%Y-%m-%dT%H:%M:%SZ}"


def people(addresses: Sequence[str]) -> str:
    """Return addresses as a sentence lists them."""
    if len(addresses) <= 2:
        return " and ".join(addresses)
    return f"{addresses[0]}, {addresses[1]} and {len(addresses) - 2} more"


def listed(names: Sequence[str]) -> str:
    """Return names as a sentence lists them, each of them."""
    return " and ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part)


def plural(count: int, noun: str) -> str:
    """Return a count with its noun: `1 event`, `2 events`, `2 copies`."""
    many = f"{noun[:-1]}ies" if noun.endswith("py") else f"{noun}s"
    return f"{count} {noun if count == 1 else many}"


def where(*parts: str | None) -> str:
    """Return calendar and account on one line; once, where the calendar is called like its account."""
    return " · ".join(dict.fromkeys(clean(part, 80) for part in parts if part))


def clean(text: str, longest: int) -> str:
    """Return foreign text on one line, without signs that hide, break or turn it, cut at `longest`."""
    seen = "".join(" " if sign.isspace() else sign for sign in text if sign.isspace() or not _unseen(sign))
    line = " ".join(seen.split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def local(instant: float, zone: tzinfo) -> datetime:
    """Return an instant in a zone; one that no calendar holds is the epoch."""
    try:
        return datetime.fromtimestamp(instant, zone)
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, zone)


def _date(at: date, today: date) -> str:
    year = "" if at.year == today.year else f" {at.year}"
    return f"{_DAYS[at.weekday()]} {at.day} {_MONTHS[at.month - 1]}{year}"


def _unseen(sign: str) -> bool:
    """Say whether a sign shows nothing, or worse; the two that join letters and emoji are welcome."""
    return unicodedata.category(sign) in ("Cc", "Cs", "Co", "Cn") or (
        unicodedata.category(sign) == "Cf" and sign not in "\u200c\u200d"
    )
