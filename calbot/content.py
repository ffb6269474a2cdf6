"""What a copy shows of its source, which of several masks is the strictest, and whether a copy is as it was meant."""

import html
import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

from calbot.model import Content, Event
from calbot.moments import instant
from calbot.occurrences import LINES, meaning, moment
from calbot.occurrences import occurrence as occurrence  # noqa: PLC0414 - it belongs to what copies are made from
from calbot.occurrences import place_in_series as place_in_series  # noqa: PLC0414 - as above
from calbot.policy import Mask

NAMES = ("title", "description", "location", "organiser", "calendar", "account", "type", "link")
"""What a template may name in braces."""
BUSY = Mask("busy")
BUSY_TITLE = "Busy"
_TEXTS = ("title", "description", "location")
MOST_TITLE = 1024
MOST_DESCRIPTION = 8192
"""Google's own limit; both are counted in UTF-16, where an emoji is two, to be safe."""
_TITLES = {
    "outOfOffice": "Out of office",
    "focusTime": "Focus time",
    "birthday": "Birthday",
    "workingLocation": "Working location",
}
_NAME = re.compile(r"\{([^{}]*)\}")
_LINE_ENDS = re.compile(r"\r\n|[\r\x85\u2028\u2029]")
_NEVER = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_EXPOSED: Mapping[str, frozenset[str]] = {
    "full": frozenset({*NAMES, "colour"}),
    "title": frozenset({"title"}),
    "busy": frozenset(),
}


def unknown_names(template: str) -> tuple[str, ...]:
    """Return what the template has in braces that is none of NAMES; it would stay in copies as it stands there."""
    return tuple(dict.fromkeys(name for name in _NAME.findall(template) if name not in NAMES))


def strictest(masks: Sequence[Mask]) -> Mask:
    """Return the first mask that shows nothing that any other hides; where none is so, and without masks, busy."""
    exposed = [_exposed(mask) for mask in masks]
    return next((mask for mask, mine in zip(masks, exposed, strict=True) if all(mine <= one for one in exposed)), BUSY)


def _exposed(mask: Mask) -> frozenset[str]:
    if mask.shows != "template":
        return _EXPOSED[mask.shows]
    return frozenset(_NAME.findall(f"{mask.title}\n{mask.description}")) & {*NAMES}


def shown(event: Event, mask: Mask, *, account: str, calendar: str) -> Content:
    """Return what a copy of the event shows; `account` and `calendar` say where the event was seen.

    The copy is an ordinary event, whatever kind its source is. Google makes every birthday private, so that says
    nothing about who may see its copy.
    """
    if mask.shows == "busy":
        return _times(event, BUSY_TITLE, hides_zone=True)
    title = _title(event)
    visibility = "default" if event.kind == "birthday" else _visible(event)
    if mask.shows == "title":
        return _times(event, title, busy=event.busy, visibility=visibility)
    description = _description(event)
    if mask.shows == "full":
        return _times(
            event,
            title,
            description,
            one_line(event.location),
            busy=event.busy,
            visibility=visibility,
            colour=event.colour,
            link=event.link,
        )
    values = {
        "title": title,
        "description": description,
        "location": one_line(event.location),
        "organiser": event.organiser,
        "calendar": calendar,
        "account": account,
        "type": event.kind,
        "link": event.link,
    }
    title, description = (_filled(template, values) for template in (mask.title, mask.description))
    return _times(
        event,
        cut(one_line(title), MOST_TITLE),
        cut(cleaned(description).strip(), MOST_DESCRIPTION),
        busy=event.busy,
        visibility=visibility,
    )


def _filled(template: str, values: Mapping[str, str]) -> str:
    """Return the template with its names replaced, once: what a stranger wrote into a value is never a template."""
    return _NAME.sub(lambda found: values.get(found[1], found[0]), template)


def _title(event: Event) -> str:
    return cut(one_line(event.title), MOST_TITLE) or _TITLES.get(event.kind, "")


def _description(event: Event) -> str:
    """Return the source's description, which leads to its video call even where it has to be cut."""
    whole = cleaned(event.description).strip()
    text = cut(whole, MOST_DESCRIPTION)
    meeting = one_line(event.meeting)
    line = f"Video call: {meeting}"
    if not meeting or meeting in html.unescape(text) or len(line) > MOST_TITLE:
        return text
    rest = cut(whole, MOST_DESCRIPTION - len(line) - 1)
    return f"{rest}\n{line}" if rest else line


def _times(
    event: Event,
    title: str,
    description: str = "",
    location: str = "",
    *,
    busy: bool = True,
    visibility: str = "default",
    colour: str = "",
    link: str = "",
    hides_zone: bool = False,
) -> Content:
    """Return the content with the times of the event; a zone may tell where somebody is.

    Google repeats a series by the clock of its zone, so that one always stays.
    """
    recurrence = tuple(line for line in map(one_line, event.recurrence) if line.upper().startswith(LINES))
    start, end = event.start, event.end or _end(event)
    zone, end_zone = event.time_zone, event.end_time_zone
    if event.all_day:
        zone = end_zone = ""
    elif recurrence:
        zone = zone or end_zone or "UTC"
        end_zone = zone if hides_zone else end_zone or zone
    elif hides_zone:
        start, end = _in_utc(start, zone), _in_utc(end, end_zone or zone)
        zone = end_zone = ""
    return Content(
        title=title,
        description=description,
        location=location,
        start=start,
        end=end,
        time_zone=zone,
        end_time_zone=end_zone,
        recurrence=recurrence,
        busy=busy,
        visibility=visibility,
        colour=colour,
        link=link,
    )


def _end(event: Event) -> str:
    """Return the end of an event that names none: at its start, or with its day."""
    day = moment(event.start, event.time_zone)
    if isinstance(day, date) and not isinstance(day, datetime):
        return (day + timedelta(days=1)).isoformat()
    return event.start


def _in_utc(text: str, time_zone: str) -> str:
    when = moment(text, time_zone)
    if not isinstance(when, datetime):
        return text
    return when.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def cleaned(text: str) -> str:
    """Return text as Google stores it: no control characters but line feeds and tabs, no halves of characters.

    Marks of direction, joiners and combining characters are part of what people write, and stay.
    """
    return _NEVER.sub("", _LINE_ENDS.sub("\n", text))


def one_line(text: str) -> str:
    """Return the text cleaned and on one line, without blanks around it."""
    return re.sub(r"[\n\t]+", " ", cleaned(text)).strip()


def cut(text: str, most: int) -> str:
    """Return the text, or as much of it as has room with an ellipsis in `most` units of UTF-16."""
    units = text.encode("utf-16-le", errors="surrogatepass")
    if len(units) <= 2 * most:
        return text
    return units[: 2 * (most - 1)].decode("utf-16-le", errors="ignore").rstrip() + "…"


def read_back(event: Event) -> Content:
    """Return what an event on a calendar shows, for `differences`. Where its link to an original leads is not known."""
    return Content(
        title=event.title,
        description=event.description,
        location=event.location,
        start=event.start,
        end=event.end,
        time_zone=event.time_zone,
        end_time_zone=event.end_time_zone,
        recurrence=event.recurrence,
        busy=event.busy,
        visibility=event.visibility,
        colour=event.colour,
    )


def differences(meant: Content, found: Content) -> tuple[str, ...]:
    """Name the parts in which a person would see that `found` is not as `meant`; none when Google only wrote it anew.

    A zone counts where it moves something: in a series with times. Where links lead is not compared.
    """
    parts = {
        **{name: _seen(getattr(meant, name)) == _seen(getattr(found, name)) for name in _TEXTS},
        "start": _same_time(meant.start, meant.time_zone, found.start, found.time_zone),
        "end": _same_time(meant.end, _end_zone(meant), found.end, _end_zone(found)),
        "recurrence": _repeats(meant) == _repeats(found),
        "busy": meant.busy == found.busy,
        "visibility": _visible(meant) == _visible(found),
        "colour": meant.colour == found.colour,
        "time_zone": _same_zones(meant, found),
    }
    return tuple(name for name, same in parts.items() if not same)


def _visible(what: Event | Content) -> str:
    """Return the visibility in Google's present words: confidential means private."""
    return {"confidential": "private", "": "default"}.get(what.visibility, what.visibility)


def _seen(text: str) -> str:
    """Return text by what is seen of it: without blanks at the ends of lines, each letter in one form."""
    lines = unicodedata.normalize("NFC", cleaned(text)).split("\n")
    return "\n".join(line.rstrip() for line in lines).strip()


def _end_zone(content: Content) -> str:
    return content.end_time_zone or content.time_zone


def _same_time(meant: str, zone: str, found: str, found_zone: str) -> bool:
    if len(meant) == len("2026-12-01") or len(found) == len("2026-12-01"):
        return meant == found
    mine, theirs = instant(meant, zone), instant(found, found_zone)
    return meant == found if mine is None or theirs is None else mine == theirs


def _repeats(content: Content) -> frozenset[tuple[str, ...]]:
    return meaning(content.recurrence, content.start, content.time_zone)


def _same_zones(meant: Content, found: Content) -> bool:
    if not (meant.recurrence and found.recurrence) or "T" not in meant.start or "T" not in found.start:
        return True
    pairs = ((meant.time_zone, found.time_zone), (_end_zone(meant), _end_zone(found)))
    return all(mine.lower() == theirs.lower() for mine, theirs in pairs if mine and theirs)
