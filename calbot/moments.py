"""When an event begins and when it is over, from the times and recurrences that Google writes."""

import re
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from calbot.model import Event

_PERIOD_DAYS = {"DAILY": 1, "WEEKLY": 7, "MONTHLY": 31, "YEARLY": 366}


def zone(name: str) -> tzinfo:
    """Return the zone of this IANA name; UTC when the machine does not know it."""
    return _known_zone(name) or UTC


def _known_zone(name: str) -> tzinfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def instant(text: str, time_zone: str) -> float | None:
    """Return the instant of `YYYY-MM-DD` (midnight in `time_zone`) or RFC 3339; None when it is neither."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone(time_zone))
    try:
        return moment.timestamp()
    except (OverflowError, ValueError):
        return None


def local_start(event: Event) -> datetime | None:
    """Return the start as clocks show it in the event's own zone, else by the offset it is written with.

    An all-day event starts at midnight of its date, in no zone. None when the start cannot be read.
    """
    try:
        moment = datetime.fromisoformat(event.start)
    except ValueError:
        return None
    own = _known_zone(event.time_zone)
    if moment.tzinfo is None or own is None:
        return moment
    try:
        return moment.astimezone(own)
    except OverflowError:
        return moment


def day_and_time(moment: float, time_zone: str) -> str:
    """Return an instant (epoch seconds) as `2026-11-20 14:03` of a zone."""
    return datetime.fromtimestamp(moment, zone(time_zone)).strftime("%Y-%m-%d %H:%M")


def is_past(event: Event, time_zone: str, now: float) -> bool:
    """Say whether the event, and every repetition of it, has ended. What cannot be told is not past."""
    end = instant(event.end or event.start, time_zone)
    if end is None or end > now:
        return False
    if not event.recurrence:
        return True
    last = _last_start(event, time_zone)
    start = instant(event.start, time_zone)
    return last is not None and start is not None and last + (end - start) <= now


def _last_start(event: Event, time_zone: str) -> float | None:
    """Return an instant at or after the last repetition's start; None when it goes on for ever."""
    start = instant(event.start, time_zone)
    latest = start
    for line in event.recurrence:
        if line.startswith("RDATE"):
            return None
        if not line.startswith("RRULE:"):
            continue
        parts = dict(part.split("=", 1) for part in line.removeprefix("RRULE:").split(";") if "=" in part)
        day = int(event.start[8:10]) if event.start[8:10].isdecimal() else 31
        bound = _until(parts.get("UNTIL"), time_zone) if "UNTIL" in parts else _after_count(parts, start, day)
        if bound is None or latest is None:
            return None
        latest = max(latest, bound)
    return latest


def _until(text: str | None, time_zone: str) -> float | None:
    digits = re.fullmatch(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)(Z?))?", text or "")
    if digits is None:
        return None
    year, month, day, hour, minute, second, utc = digits.groups()
    try:
        moment = datetime(
            int(year), int(month), int(day), int(hour or 23), int(minute or 59), int(second or 59), tzinfo=UTC
        )
    except ValueError:
        return None
    return (moment if utc else moment.replace(tzinfo=zone(time_zone))).timestamp()


def _after_count(parts: dict[str, str], start: float | None, day: int) -> float | None:
    """Return an instant at or after the last of `COUNT` repetitions; None where periods may be without one."""
    frequency = parts.get("FREQ", "")
    days = _PERIOD_DAYS.get(frequency)
    if {part for part in parts if part.startswith("BY")} - ({"BYDAY"} if frequency == "WEEKLY" else set()):
        return None
    if frequency in {"MONTHLY", "YEARLY"} and day > 28:
        return None
    count, interval = parts.get("COUNT", ""), parts.get("INTERVAL", "1")
    if days is None or start is None or not (count.isdecimal() and interval.isdecimal()):
        return None
    if len(count) > 6 or len(interval) > 6:
        return None
    return start + timedelta(days=days * int(count) * int(interval)).total_seconds()
