"""Promises of calbot.matching: what holds of an event, what does not and why; times, zones and hostile texts."""

import threading
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calbot.matching import pattern, why_not
from calbot.model import CalendarKey, Event
from calbot.policy import Case, Match, Policy
from tests.household import ANNA, BOB, CAROL, FAMILY, NOON, dinner

HOUR = 60


@dataclass(frozen=True)
class Seen:
    """Where and when an event is looked at; NOON is Friday, 13:00 in Berlin."""

    account: str = ANNA
    calendar: str = "primary"
    zone: str = "Europe/Berlin"
    now: float = NOON

    def case(self) -> Case:
        """The same, as rules are given it."""
        policy = Policy(rules=(), time_zone=self.zone)
        return Case(calendar=CalendarKey(self.account, self.calendar), policy=policy, now=self.now)


HERE = Seen()
SHARED = Seen(calendar=FAMILY)


def day(date: str, **parts: object) -> Event:
    """An all-day event."""
    return dinner(start=date, end=date, **parts)


def starting(text: str, zone: str = "", **parts: object) -> Event:
    """A timed event, as Google writes its start, and its own zone."""
    return dinner(start=text, time_zone=zone, **parts)


OURS = {"organised_by_us": True}
THEIRS = {"organised_by_us": False}
GREAT_PARTY = "2026-11-29T20:00:00-05:00"
"""Sunday evening in New York, Monday in Berlin."""

TABLE: list[tuple[str, Match, Event, Seen, str | None]] = [
    ("nothing asked", Match(), dinner(), HERE, None),
    # Where it is.
    ("account, in any case", Match(accounts=("ANNA@example.com",)), dinner(), HERE, None),
    ("account, as it is stored", Match(accounts=(ANNA,)), dinner(), Seen(account="Anna@Example.com"), None),
    (
        "not that account",
        Match(accounts=(BOB, CAROL)),
        dinner(),
        HERE,
        f"it is in the account {ANNA}, not in {BOB} or {CAROL}",
    ),
    ("primary", Match(calendars=("primary",)), dinner(), HERE, None),
    ("primary, by its address", Match(calendars=("Anna@Example.com",)), dinner(), HERE, None),
    ("by its address, primary", Match(calendars=("Primary",)), dinner(), Seen(calendar=ANNA), None),
    (
        "primary is each account's own",
        Match(calendars=(BOB,)),
        dinner(),
        HERE,
        f"it is on the calendar primary, not on {BOB}",
    ),
    (
        "somebody's own that is shared",
        Match(calendars=("primary",)),
        dinner(),
        Seen(calendar=BOB),
        f"it is on the calendar {BOB}, not on primary",
    ),
    ("shared", Match(calendars=("primary", FAMILY.upper())), dinner(), SHARED, None),
    (
        "not that one",
        Match(calendars=("primary",)),
        dinner(),
        SHARED,
        f"it is on the calendar {FAMILY}, not on primary",
    ),
    # What it says.
    ("a part of the title", Match(title="inn"), dinner(), HERE, None),
    ("the case counts", Match(title="dinner"), dinner(), HERE, "its title does not match dinner"),
    ("unless told", Match(title="(?i)dinner"), dinner(), HERE, None),
    ("umlauts", Match(title="(?i)FRÜHSTÜCK"), dinner(title="frühstück"), HERE, None),
    ("a dot is one letter", Match(title="^Fr.hst.ck$"), dinner(title="Frühstück"), HERE, None),
    ("an empty pattern", Match(title=""), dinner(title=""), HERE, None),
    ("no title", Match(title="."), dinner(title=""), HERE, "its title does not match ."),
    ("a whole title", Match(title="^$"), dinner(title=""), HERE, None),
    (
        "the end is the text's",
        Match(description="cake$"),
        dinner(description="cake\nwine"),
        HERE,
        "its description does not match cake$",
    ),
    ("or a line's", Match(description="(?m)cake$"), dinner(description="cake\nwine"), HERE, None),
    ("location", Match(location="Room"), dinner(title="Room"), HERE, "its location does not match Room"),
    # What it is.
    ("somebody else's", Match(organiser_is_me=True), dinner(**THEIRS), HERE, "somebody else organises it"),
    ("our own", Match(organiser_is_me=False), dinner(**OURS), HERE, "we organise it ourselves"),
    ("type", Match(event_types=("fromGmail", "tea")), dinner(), HERE, "its type is default, not fromGmail or tea"),
    ("all day", Match(all_day=False), day("2026-12-01"), HERE, "it lasts all day"),
    ("timed", Match(all_day=True), dinner(), HERE, "it does not last all day"),
    ("busy", Match(busy=False), dinner(), HERE, "it is shown as busy"),
    ("free", Match(busy=True), dinner(busy=False), HERE, "it is shown as free"),
    # Who comes.
    ("our answer", Match(my_rsvp=("declined", "tentative")), dinner(my_response="tentative"), HERE, None),
    (
        "another answer",
        Match(my_rsvp=("accepted",)),
        dinner(my_response="tentative"),
        HERE,
        "our answer to it is tentative, not accepted",
    ),
    ("ours, and we are no guest", Match(my_rsvp=("accepted",)), dinner(**OURS), HERE, None),
    (
        "ours, and no answer yet",
        Match(my_rsvp=("accepted",)),
        dinner(my_response="needsAction"),
        HERE,
        "our answer to it is needsAction, not accepted",
    ),
    ("an answer left out", Match(my_rsvp=("needsAction",)), dinner(my_response="", **THEIRS), HERE, None),
    (
        "theirs, and we are no guest",
        Match(my_rsvp=("accepted", "needsAction")),
        dinner(**THEIRS),
        HERE,
        "we are not among its guests, so there is no answer of ours",
    ),
    ("one of several guests", Match(has_guest=(BOB, "Carol@Example.com")), dinner(ANNA, CAROL), HERE, None),
    ("no such guest", Match(has_guest=(BOB, CAROL)), dinner(ANNA), HERE, f"its guests do not include {BOB} or {CAROL}"),
    (
        "an organiser is no guest",
        Match(has_guest=(BOB,)),
        dinner(organiser=BOB),
        HERE,
        f"its guests do not include {BOB}",
    ),
    ("a creator is no guest", Match(has_guest=(BOB,)), dinner(creator=BOB), HERE, f"its guests do not include {BOB}"),
    # Weekdays.
    ("weekday", Match(weekdays=(0, 1)), dinner(), HERE, None),
    ("another weekday", Match(weekdays=(0, 6)), dinner(), HERE, "it is on Tuesday, not on Monday or Sunday"),
    ("New York's Sunday", Match(weekdays=(6,)), starting(GREAT_PARTY, "America/New_York"), HERE, None),
    (
        "is not Berlin's Monday",
        Match(weekdays=(0,)),
        starting(GREAT_PARTY, "America/New_York"),
        HERE,
        "it is on Sunday, not on Monday",
    ),
    (
        "written by Berlin's clocks",
        Match(weekdays=(6,)),
        starting("2026-11-30T02:00:00+01:00", "America/New_York"),
        HERE,
        None,
    ),
    ("no zone: as written", Match(weekdays=(6,)), starting(GREAT_PARTY), HERE, None),
    ("no zone: as written in UTC", Match(weekdays=(0,)), starting("2026-11-30T01:00:00Z"), HERE, None),
    ("a zone nobody knows: as written", Match(weekdays=(6,)), starting(GREAT_PARTY, "../../etc/passwd"), HERE, None),
    ("a folder is no zone", Match(weekdays=(6,)), starting(GREAT_PARTY, "America"), HERE, None),
    ("no offset: as written", Match(weekdays=(6,)), starting("2026-11-29T02:00:00", "America/New_York"), HERE, None),
    (
        "a date is a date everywhere",
        Match(weekdays=(6,)),
        day("2026-11-29", time_zone="Asia/Tokyo"),
        Seen(zone="Pacific/Auckland"),
        None,
    ),
    ("a series: its first", Match(weekdays=(1,)), dinner(recurrence=("RRULE:FREQ=WEEKLY;BYDAY=TU,FR",)), HERE, None),
    ("no day at all", Match(weekdays=(0, 1, 2, 3, 4, 5, 6)), starting("soon"), HERE, "its start cannot be read"),
    # Hours.
    ("from, inclusive", Match(hours=(19 * HOUR, 20 * HOUR)), dinner(), HERE, None),
    (
        "to, exclusive",
        Match(hours=(18 * HOUR, 19 * HOUR)),
        dinner(),
        HERE,
        "it begins at 19:00, not between 18:00 and 19:00",
    ),
    ("a minute before", Match(hours=(18 * HOUR, 19 * HOUR)), starting("2026-12-01T18:59:59+01:00"), HERE, None),
    (
        "a minute too early",
        Match(hours=(19 * HOUR, 20 * HOUR)),
        starting("2026-12-01T18:59:59+01:00"),
        HERE,
        "it begins at 18:59, not between 19:00 and 20:00",
    ),
    ("until midnight", Match(hours=(19 * HOUR, 24 * HOUR)), starting("2026-12-01T23:59:00+01:00"), HERE, None),
    (
        "midnight is the next day's",
        Match(hours=(19 * HOUR, 24 * HOUR)),
        starting("2026-12-01T00:00:00+01:00"),
        HERE,
        "it begins at 00:00, not between 19:00 and 24:00",
    ),
    ("over midnight, before", Match(hours=(22 * HOUR, 6 * HOUR)), starting("2026-12-01T22:00:00+01:00"), HERE, None),
    ("over midnight, after", Match(hours=(22 * HOUR, 6 * HOUR)), starting("2026-12-01T05:59:00+01:00"), HERE, None),
    (
        "over midnight, too late",
        Match(hours=(22 * HOUR, 6 * HOUR)),
        starting("2026-12-01T06:00:00+01:00"),
        HERE,
        "it begins at 06:00, not between 22:00 and 06:00",
    ),
    (
        "over midnight, too early",
        Match(hours=(22 * HOUR, 6 * HOUR)),
        starting("2026-12-01T21:59:00+01:00"),
        HERE,
        "it begins at 21:59, not between 22:00 and 06:00",
    ),
    ("the whole day", Match(hours=(9 * HOUR, 9 * HOUR)), dinner(), HERE, None),
    (
        "all day: no hour",
        Match(hours=(0, 24 * HOUR)),
        day("2026-12-01"),
        HERE,
        "it lasts all day, so it begins at no hour",
    ),
    (
        "all day: none of the whole day",
        Match(hours=(0, 0)),
        day("2026-12-01"),
        HERE,
        "it lasts all day, so it begins at no hour",
    ),
    (
        "New York's evening",
        Match(hours=(20 * HOUR, 21 * HOUR)),
        starting("2026-11-30T02:00:00+01:00", "America/New_York"),
        HERE,
        None,
    ),
    (
        "summer, from winter",
        Match(hours=(9 * HOUR, 10 * HOUR)),
        starting("2027-07-01T07:00:00Z", "Europe/Berlin"),
        HERE,
        None,
    ),
    ("winter", Match(hours=(9 * HOUR, 10 * HOUR)), starting("2027-01-07T08:00:00Z", "Europe/Berlin"), HERE, None),
    (
        "the hour that comes twice, first",
        Match(hours=(150, 151)),
        starting("2027-10-31T00:30:00Z", "Europe/Berlin"),
        HERE,
        None,
    ),
    (
        "the hour that comes twice, again",
        Match(hours=(150, 151)),
        starting("2027-10-31T01:30:00Z", "Europe/Berlin"),
        HERE,
        None,
    ),
    (
        "the hour that is left out",
        Match(hours=(180, 181)),
        starting("2027-03-28T01:00:00Z", "Europe/Berlin"),
        HERE,
        None,
    ),
    (
        "half an hour's zone",
        Match(hours=(5 * HOUR + 30, 6 * HOUR)),
        starting("2026-12-01T00:00:00Z", "Asia/Kolkata"),
        HERE,
        None,
    ),
    (
        "the end of all time",
        Match(hours=(0, 1)),
        starting("9999-12-31T23:59:00Z", "Asia/Tokyo"),
        HERE,
        "it begins at 23:59, not between 00:00 and 00:01",
    ),
    # Within days.
    ("at the last moment", Match(within_days=2), starting("2026-11-22T12:00:00Z"), HERE, None),
    (
        "a second too late",
        Match(within_days=2),
        starting("2026-11-22T12:00:01Z"),
        HERE,
        "it begins more than 2 days from now",
    ),
    ("one day", Match(within_days=1), starting("2026-11-22T12:00:00Z"), HERE, "it begins more than 1 day from now"),
    ("under way", Match(within_days=0), starting("2026-11-20T11:59:00Z"), HERE, None),
    ("not yet", Match(within_days=0), starting("2026-11-20T12:01:00Z"), HERE, "it begins more than 0 days from now"),
    (
        "a series that has begun",
        Match(within_days=1),
        starting("2024-01-01T12:00:00Z", recurrence=("RRULE:FREQ=YEARLY",)),
        HERE,
        None,
    ),
    (
        "a series to come",
        Match(within_days=1),
        dinner(recurrence=("RRULE:FREQ=DAILY",)),
        HERE,
        "it begins more than 1 day from now",
    ),
    (
        "a day, early in Auckland",
        Match(within_days=1),
        day("2026-11-22", time_zone="Europe/Berlin"),
        Seen(zone="Pacific/Auckland"),
        None,
    ),
    (
        "the same day in Berlin",
        Match(within_days=1),
        day("2026-11-22", time_zone="Pacific/Auckland"),
        HERE,
        "it begins more than 1 day from now",
    ),
    ("no offset: its own zone", Match(within_days=1), starting("2026-11-22T00:00:00", "Pacific/Auckland"), HERE, None),
    (
        "no offset, no zone: ours",
        Match(within_days=1),
        starting("2026-11-22T00:00:00"),
        Seen(zone="Pacific/Auckland"),
        None,
    ),
    ("no telling", Match(within_days=9999), starting("someday"), HERE, "its start cannot be read"),
    # How it looks.
    (
        "visibility",
        Match(visibility=("private", "public")),
        dinner(),
        HERE,
        "its visibility is default, not private or public",
    ),
    (
        "nothing else does",
        Match(visibility=("public",)),
        dinner(visibility="confidential"),
        HERE,
        "its visibility is confidential, not public",
    ),
    ("private covers confidential", Match(visibility=("private",)), dinner(visibility="confidential"), HERE, None),
    (
        "confidential is narrower",
        Match(visibility=("confidential",)),
        dinner(visibility="private"),
        HERE,
        "its visibility is private, not confidential",
    ),
    ("colour", Match(colours=("5", "11")), dinner(colour="11"), HERE, None),
    (
        "another colour",
        Match(colours=("5", "1")),
        dinner(colour="11"),
        HERE,
        "its colour is tomato, not banana or lavender",
    ),
    ("an unheard-of colour", Match(colours=("5",)), dinner(colour="12"), HERE, "its colour is 12, not banana"),
    ("the calendar's colour", Match(colours=("5",)), dinner(), HERE, "it has no colour of its own, not banana"),
    # The first that does not hold.
    ("the first", Match(title="x", description="y", busy=False), dinner(), HERE, "its title does not match x"),
]


@pytest.mark.parametrize(
    ("match", "event", "seen", "expected"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_what_does_not_hold_is_said(match: Match, event: Event, seen: Seen, expected: str | None) -> None:
    """Nothing is said of what matches; else the first thing that does not, in words for people."""
    assert why_not(match, event, seen.case()) == expected


TEXTS = [
    "",
    "\x00\x01\x07\x1b[31m",
    "👩‍👩‍👧‍👦 🎂",
    "\u202etxt.exe\u202c \u200f\u200e",
    "\ufeff\ufffe\uffff",
    "e\u0301" * 4000,
    "a" * 100_000 + "b",
    "\ud83d",
    "line\r\nline\u2028line",
]
PATTERNS = [
    "(a+)+$",
    "(a|aa)+$",
    "(.*)*(.*)*(.*)*x$",
    r"(\pL{1,50}){1,5}!",
    r"^(([a-z])+.)+[A-Z]([a-z])+$",
    r"(?i)\x{17F}chool",
    "$^",
]


@pytest.mark.parametrize("wanted", PATTERNS)
@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_no_text_of_a_stranger_stops_a_pattern(wanted: str, text: str) -> None:
    """Patterns that keep other engines busy for years answer at once, with what is true."""
    found = why_not(Match(title=wanted), dinner(title=text), HERE.case()) is None

    assert found == ((text == "" and wanted == "$^") or (wanted in PATTERNS[:2] and text.endswith("a")))


def test_a_pattern_for_disaster_still_finds_what_is_there() -> None:
    """At the end of a long text, and in one of 8 kB."""
    case, long = HERE.case(), "a" * 50_000

    assert why_not(Match(title="(a+)+$"), dinner(title=f"b{long}"), case) is None
    assert why_not(Match(title="(a+)+$"), dinner(title=f"{long}b"), case) is not None
    assert why_not(Match(description="🎂$"), dinner(description="\u202e" * 2730 + "🎂"), case) is None
    assert why_not(Match(title=r"\x00"), dinner(title="a\x00b"), case) is None


@settings(max_examples=300, deadline=None)
@given(
    st.text(st.characters(), max_size=60), st.sampled_from([*PATTERNS, "(?i)ß|é", r"\bschool\b", r"[^\x00-\x{10FFFF}]"])
)
def test_any_text_has_an_answer(text: str, wanted: str) -> None:
    """Also one with half a character in it, which no UTF-8 can write."""
    parts = {"title": text, "description": text, "location": text, "time_zone": text, "kind": text, "start": text}

    answer = why_not(
        Match(title=wanted, description=wanted, location=wanted), dinner(**parts, colour=text), HERE.case()
    )
    start = why_not(Match(weekdays=(0,), hours=(0, 1), within_days=1), dinner(**parts), HERE.case())

    assert answer is None or answer.endswith(wanted)
    assert start is None or start.startswith("it")
    assert why_not(Match(weekdays=(1,)), dinner(time_zone=text), HERE.case()) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("(", "missing )"),
        ("[a", "missing ]"),
        ("a{9999}", "invalid repetition size"),
        (r"(a)\1", "invalid escape sequence"),
        ("(?<=a)b", "(?<="),
        ("(?=a)", "(?="),
        ("*", "no argument for repetition operator"),
        ("\\", "trailing \\"),
        (r"\pL{1000}", "too large"),
        ("((a{100}){100}){100}", "invalid repetition size"),
        ("\ud83d", "surrogates not allowed"),
    ],
)
def test_a_pattern_that_cannot_be_understood_is_refused(
    text: str, words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """In RE2's words, raised and not written anywhere; the second time as well."""
    for _ in range(2):
        with pytest.raises(ValueError) as caught:
            pattern(text)
        assert words in str(caught.value) and not str(caught.value).startswith("b'")

    assert capfd.readouterr() == ("", "")


def test_a_pattern_is_compiled_once() -> None:
    """Thousands of events are held against the same few."""
    assert pattern("once(?i)only") is pattern("once(?i)only")


def test_accounts_may_search_with_one_pattern_at_a_time() -> None:
    """Each has a thread of its own; a pattern is everybody's."""
    wrong: list[str] = []

    def search(text: str) -> None:
        for number in range(300):
            found = why_not(Match(title=r"^(\w+) (\d+)$"), dinner(title=f"{text} {number}"), HERE.case())
            wrong.extend([found] if found else [])

    threads = [threading.Thread(target=search, args=(text,)) for text in ("school", "dinner", "tea")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []
