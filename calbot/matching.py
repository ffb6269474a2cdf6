"""Is an event what a rule asks for: nothing to say, or the first thing that does not hold, as a sentence."""

import functools
from collections.abc import Iterable
from typing import Protocol

from calbot.model import Event
from calbot.moments import instant, local_start
from calbot.policy import Case, Match

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_DAY_SECONDS = 86400
COLOURS = (
    *("lavender", "sage", "grape", "flamingo", "banana", "tangerine"),
    *("peacock", "graphite", "blueberry", "basil", "tomato"),
)
"""Google's names of its colours for events, from its id 1 on."""


class Pattern(Protocol):
    """An RE2 pattern: searches UTF-8 in a time that grows with the text and no faster, whatever the text."""

    def search(self, text: bytes, /) -> object | None:
        """Return something when the pattern is found anywhere in the text."""


@functools.lru_cache(maxsize=512)
def pattern(text: str) -> Pattern:
    """Compile a pattern; upper and lower case differ unless it begins with `(?i)`.

    Raises ValueError, in RE2's words, when it cannot be understood.
    """
    import re2  # type: ignore[import-untyped]  # noqa: PLC0415  (4 MiB that only those with patterns pay)

    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    try:
        compiled: Pattern = re2.compile(text.encode(), options)
    except re2.error as error:
        words = error.args[0]
        raise ValueError(words.decode(errors="replace") if isinstance(words, bytes) else str(words)) from error
    return compiled


def why_not(match: Match, event: Event, case: Case) -> str | None:
    """Return None when everything holds; else the first thing that does not. Raises ValueError as `pattern` does."""
    return (
        _place(match, case)
        or _lacks("title", match.title, event.title)
        or _lacks("description", match.description, event.description)
        or _lacks("location", match.location, event.location)
        or _nature(match, event)
        or _people(match, event)
        or _time(match, event, case)
        or _look(match, event)
    )


def _place(match: Match, case: Case) -> str | None:
    account = case.calendar.account.lower()
    if match.accounts and account not in _lower(match.accounts):
        return f"it is in the account {account}, not in {_either(match.accounts)}"
    wanted = {_calendar(name, account) for name in match.calendars}
    if wanted and _calendar(case.calendar.calendar, account) not in wanted:
        return f"it is on the calendar {case.calendar.calendar}, not on {_either(match.calendars)}"
    return None


def _lacks(what: str, wanted: str | None, text: str) -> str | None:
    if wanted is None or pattern(wanted).search(text.encode(errors="replace")):
        return None
    return f"its {what} does not match {wanted}"


def _nature(match: Match, event: Event) -> str | None:
    if match.organiser_is_me is not None and match.organiser_is_me != event.organised_by_us:
        return "somebody else organises it" if match.organiser_is_me else "we organise it ourselves"
    if match.event_types and event.kind not in match.event_types:
        return f"its type is {event.kind}, not {_either(match.event_types)}"
    if match.all_day is not None and match.all_day != event.all_day:
        return "it lasts all day" if event.all_day else "it does not last all day"
    if match.busy is not None and match.busy != event.busy:
        return "it is shown as busy" if event.busy else "it is shown as free"
    return None


def _people(match: Match, event: Event) -> str | None:
    answer = event.my_response
    if answer is None and event.organised_by_us:
        answer = "accepted"
    if match.my_rsvp and answer is None:
        return "we are not among its guests, so there is no answer of ours"
    if match.my_rsvp and (answer or "needsAction") not in match.my_rsvp:
        return f"our answer to it is {answer or 'needsAction'}, not {_either(match.my_rsvp)}"
    if match.has_guest and not _lower(match.has_guest) & {guest.email for guest in event.guests}:
        return f"its guests do not include {_either(match.has_guest)}"
    return None


def _time(match: Match, event: Event, case: Case) -> str | None:
    if not match.weekdays and match.hours is None and match.within_days is None:
        return None
    start = local_start(event)
    if start is None:
        return "its start cannot be read"
    if match.weekdays and start.weekday() not in match.weekdays:
        return f"it is on {_WEEKDAYS[start.weekday()]}, not on {_either(_WEEKDAYS[day] for day in match.weekdays)}"
    if match.hours is not None and event.all_day:
        return "it lasts all day, so it begins at no hour"
    if match.hours is not None and not _within(match.hours, start.hour * 60 + start.minute):
        earliest, latest = map(_clock, match.hours)
        return f"it begins at {start:%H:%M}, not between {earliest} and {latest}"
    if match.within_days is not None and _is_later(event, match.within_days, case):
        return f"it begins more than {match.within_days} {'day' if match.within_days == 1 else 'days'} from now"
    return None


def _look(match: Match, event: Event) -> str | None:
    wanted = {*match.visibility, "confidential"} if "private" in match.visibility else {*match.visibility}
    if wanted and event.visibility not in wanted:
        return f"its visibility is {event.visibility}, not {_either(match.visibility)}"
    if match.colours and not event.colour:
        return f"it has no colour of its own, not {_either(map(_colour, match.colours))}"
    if match.colours and event.colour not in match.colours:
        return f"its colour is {_colour(event.colour)}, not {_either(map(_colour, match.colours))}"
    return None


def _is_later(event: Event, days: int, case: Case) -> bool:
    own = event.time_zone or case.policy.time_zone
    start = instant(event.start, case.policy.time_zone if event.all_day else own)
    return start is None or start - case.now > days * _DAY_SECONDS


def _within(hours: tuple[int, int], minute: int) -> bool:
    earliest, latest = hours
    return earliest <= minute < latest if earliest < latest else minute >= earliest or minute < latest


def _calendar(name: str, account: str) -> str:
    return account if name.lower() == "primary" else name.lower()


def _lower(names: Iterable[str]) -> set[str]:
    return {name.lower() for name in names}


def _colour(number: str) -> str:
    return {str(place): name for place, name in enumerate(COLOURS, 1)}.get(number, number)


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _either(names: Iterable[str]) -> str:
    return " or ".join(names)
