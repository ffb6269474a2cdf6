"""The dates of a series: their places in Google's ids, their own times, and when two recurrences mean the same."""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from calbot import moments
from calbot.model import Event

LINES = ("RRULE", "EXRULE", "RDATE", "EXDATE")
"""What a line of a recurrence begins with."""
_BELOW_DAYS = frozenset({"HOURLY", "MINUTELY", "SECONDLY"})
_USUAL = frozenset({("INTERVAL", "1"), ("WKST", "MO")})

When = date | datetime
"""A date of all-day events, or a time with a zone."""


def moment(text: str, time_zone: str) -> When | None:
    """Return what Google wrote as a date, or as clocks show it in `time_zone`; None when it cannot be read.

    Without a zone that the machine knows, it is as clocks show it by the offset it is written with.
    """
    try:
        if len(text) in {len("20261201"), len("2026-12-01")}:
            return date.fromisoformat(text)
        when = datetime.fromisoformat(text)
        known = moments.zone(time_zone)
        if when.tzinfo is None:
            return when.replace(tzinfo=known)
        return when.astimezone(known) if isinstance(known, ZoneInfo) else when
    except (ValueError, OverflowError):
        return None


def place_in_series(original_start: str, time_zone: str) -> str:
    """Return the end of Google's id of a single date: `20261201`, or `20261201T090000Z`, always in UTC.

    `original_start` is RFC 3339, a date, or a place already; without an offset it is in `time_zone`. What cannot be
    read has no place: empty.
    """
    when = moment(original_start, time_zone)
    if isinstance(when, datetime):
        try:
            return when.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
        except OverflowError:
            return ""
    return when.strftime("%Y%m%d") if when else ""


def occurrence(series: Event, original_start: str) -> Event | None:
    """Return the series' own date at this place, as nobody has changed it: an event without a recurrence.

    `original_start` is as in Google's ids. Clocks show the same times on every date, also where daylight saving time
    begins or ends in between; an end in another zone, or one that this would put before the start, keeps its distance
    in time. Whether the recurrence names this date is not asked. None when there cannot be such a date: the place
    cannot be read, or is a date where the series has times, or the reverse.
    """
    first = moment(series.start, series.time_zone)
    last = moment(series.end or series.start, series.end_time_zone or series.time_zone)
    start = moment(original_start, series.time_zone)
    if first is None or last is None or start is None:
        return None
    try:
        if isinstance(start, datetime) and isinstance(first, datetime) and isinstance(last, datetime):
            start = start.astimezone(first.tzinfo)
            end: When = _timed_end(first, last, start)
        elif not (isinstance(start, datetime) or isinstance(first, datetime) or isinstance(last, datetime)):
            end = start + (last - first)
        else:
            return None
    except OverflowError:
        return None
    return msgspec.structs.replace(
        series,
        id=f"{series.id}_{place_in_series(original_start, series.time_zone)}",
        series=series.id,
        recurrence=(),
        original_start=_written(start),
        start=_written(start),
        end=_written(end),
    )


def _timed_end(first: datetime, last: datetime, start: datetime) -> datetime:
    elapsed = last.astimezone(UTC) - first.astimezone(UTC)
    exact = (start.astimezone(UTC) + elapsed).astimezone(last.tzinfo)
    if str(first.tzinfo) != str(last.tzinfo):
        return exact
    shown = start + (last.replace(tzinfo=None) - first.replace(tzinfo=None))
    return shown if shown.astimezone(UTC) >= start.astimezone(UTC) else exact


def _written(when: When) -> str:
    return when.isoformat(timespec="seconds") if isinstance(when, datetime) else when.isoformat()


def meaning(recurrence: Iterable[str], start: str, time_zone: str) -> frozenset[tuple[str, ...]]:
    """Return a recurrence in a form that is equal for lines that mean the same dates of a series that starts then.

    Order, case and blanks do not count, nor do parts that say what is so anyway, nor the way an end or a date is
    written: in UTC, by the clock of a zone, or as a day.
    """
    first = moment(start, time_zone)
    found: set[tuple[str, ...]] = set()
    for line in recurrence:
        head, _, values = re.sub(r"\s", "", line).partition(":")
        name = head.upper().partition(";")[0]
        if name in {"RDATE", "EXDATE"}:
            zone = next(
                (part[5:].strip('"') for part in head.split(";") if part.upper().startswith("TZID=")), time_zone
            )
            found |= {(name, _point(value, zone)) for value in values.split(",") if value}
        else:
            found.add((name, *_rule(values.upper(), first)))
    return frozenset(found)


def _point(value: str, time_zone: str) -> str:
    """Return a date of RDATE or EXDATE in one way of writing; a period stays as it is, but for its start."""
    begin, slash, rest = value.upper().partition("/")
    return (place_in_series(begin, time_zone) or begin) + slash + rest


def _rule(text: str, first: When | None) -> Iterator[str]:
    parts = {key: value for key, _, value in (part.partition("=") for part in text.split(";")) if key}
    for key, value in sorted(parts.items()):
        if (key, value) in _USUAL:
            continue
        shown = ",".join(sorted(one.removeprefix("+") for one in value.split(",")))
        if key == "UNTIL" and parts.get("FREQ") not in _BELOW_DAYS and "BYHOUR" not in parts:
            shown = _last_day(value, first)
        yield f"{key}={shown}"


def _last_day(until: str, first: When | None) -> str:
    """Return the last day on which a series that starts so may have a date."""
    if not isinstance(first, datetime) or len(until) <= len("20261201"):
        return until[: len("20261201")]
    try:
        end = datetime.fromisoformat(until)
        end = end.replace(tzinfo=first.tzinfo) if end.tzinfo is None else end.astimezone(first.tzinfo)
        day = end.date() if end.time() >= first.time() else end.date() - timedelta(days=1)
    except (ValueError, OverflowError):
        return until
    return day.strftime("%Y%m%d")
