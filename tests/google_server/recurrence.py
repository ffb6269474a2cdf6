"""The dates of a series: enough of RRULE and EXDATE to compute instances, their ids and their documents."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo
from itertools import count

from tests.google_server.values import Doc, zone

Moment = date | datetime
DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
HORIZON = 1_500
"""No series is followed further than this many dates."""


def value_of(when: Doc) -> Moment:
    """A start or end as a date (all-day) or an aware datetime in its own zone."""
    if "date" in when:
        return date.fromisoformat(when["date"])
    moment = datetime.fromisoformat(when["dateTime"])
    own = zone(when.get("timeZone", ""))
    if moment.tzinfo is None:
        return moment.replace(tzinfo=own or UTC)
    return moment.astimezone(own) if own else moment


def document_of(moment: Moment, like: Doc) -> Doc:
    """The reverse of `value_of`, with the time zone and the offset's zone of `like`."""
    if not isinstance(moment, datetime):
        return {"date": moment.isoformat()}
    return {**like, "dateTime": moment.isoformat(timespec="seconds")}


def instance_id(parent: str, original: Moment) -> str:
    """The id of an instance, for ever: `<parent>_<original start in UTC>` or `<parent>_<date>`."""
    if isinstance(original, datetime):
        return f"{parent}_{original.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    return f"{parent}_{original:%Y%m%d}"


def occurrences(doc: Doc) -> Iterator[Moment]:
    """The original starts of a series in order, at most HORIZON of them, without those EXDATE takes out."""
    first = value_of(doc["start"])
    rules = [line for line in doc.get("recurrence", ()) if line.startswith("RRULE:")]
    excluded = {one for line in doc.get("recurrence", ()) for one in _excluded(line, first)}
    produced: Iterator[Moment] = _ruled(first, _parts(rules[0])) if rules else iter([first])
    for number, moment in enumerate(produced):
        if number >= HORIZON:
            return
        if _key(moment) not in excluded:
            yield moment


def instance(parent: Doc, original: Moment) -> Doc:
    """The document of one instance nobody has changed."""
    start, end = value_of(parent["start"]), value_of(parent["end"])
    doc = {key: value for key, value in parent.items() if key != "recurrence"}
    doc["id"] = instance_id(parent["id"], original)
    doc["recurringEventId"] = parent["id"]
    doc["originalStartTime"] = document_of(original, parent["start"])
    doc["start"] = document_of(original, parent["start"])
    doc["end"] = document_of(_plus(original, start, end), parent["end"])
    return doc


def instance_by_id(parent: Doc, event_id: str) -> Doc | None:
    """The unchanged instance that has this id, or None when the series has no such date."""
    for original in occurrences(parent):
        if instance_id(parent["id"], original) == event_id:
            return instance(parent, original)
    return None


def _plus(original: Moment, start: Moment, end: Moment) -> Moment:
    return original + (end - start) if type(start) is type(end) else original


def _key(moment: Moment) -> str:
    if isinstance(moment, datetime):
        return moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    return moment.strftime("%Y%m%d")


def _parts(rule: str) -> dict[str, str]:
    return dict(part.split("=", 1) for part in rule.removeprefix("RRULE:").split(";") if "=" in part)


def _excluded(line: str, first: Moment) -> Iterator[str]:
    if not line.startswith("EXDATE"):
        return
    head, _, values = line.partition(":")
    name = dict(part.split("=", 1) for part in head.split(";")[1:] if "=" in part).get("TZID", "")
    for text in values.split(","):
        if len(text) == 8 or text.endswith("Z"):
            yield text
        else:
            local: tzinfo | None = zone(name) or (first.tzinfo if isinstance(first, datetime) else UTC)
            yield _key(datetime.strptime(text, "%Y%m%dT%H%M%S").replace(tzinfo=local))


def _ruled(first: Moment, rule: dict[str, str]) -> Iterator[Moment]:
    limit, until = int(rule.get("COUNT", "0")), rule.get("UNTIL", "")
    for number, moment in enumerate(_endless(first, rule), start=1):
        if (limit and number > limit) or (until and _after(moment, until)):
            return
        yield moment


def _after(moment: Moment, until: str) -> bool:
    if len(until) == 8 or not isinstance(moment, datetime):
        return moment.strftime("%Y%m%d") > until[:8]
    return _key(moment) > until


def _endless(first: Moment, rule: dict[str, str]) -> Iterator[Moment]:
    step = int(rule.get("INTERVAL", "1"))
    match rule.get("FREQ", ""):
        case "DAILY":
            yield from (first + timedelta(days=step * number) for number in count())
        case "WEEKLY":
            days = [DAYS.index(day[-2:]) for day in rule["BYDAY"].split(",")] if "BYDAY" in rule else []
            monday = first - timedelta(days=first.weekday())
            for week in count(0, step):
                for day in sorted(days or [first.weekday()]):
                    moment = monday + timedelta(weeks=week, days=day)
                    if moment >= first:
                        yield moment
        case "MONTHLY" | "YEARLY":
            months = step * (12 if rule["FREQ"] == "YEARLY" else 1)
            for number in range(HORIZON):
                year, month = divmod(first.year * 12 + first.month - 1 + months * number, 12)
                try:
                    yield first.replace(year=year, month=month + 1)
                except ValueError:
                    if year >= 9999:
                        return
        case _:
            yield first
