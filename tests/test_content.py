"""Promises of calbot.content and calbot.occurrences: masks, templates, texts, what is the same, dates of series."""

import re
from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from calbot.content import (
    BUSY,
    MOST_DESCRIPTION,
    MOST_TITLE,
    NAMES,
    cleaned,
    cut,
    differences,
    occurrence,
    place_in_series,
    read_back,
    shown,
    strictest,
    unknown_names,
)
from calbot.identity import copy_id, is_own_copy
from calbot.model import Content, Event
from calbot.policy import FULL, Mask
from tests.google_server import recurrence
from tests.household import ANNA, BOB, FAMILY, dinner

TITLE = Mask("title")
ZONE = "Europe/Berlin"
WEEKLY = ("RRULE:FREQ=WEEKLY",)


def told(event: Event, mask: Mask = FULL) -> Content:
    """What a copy of an event on Anna's calendar shows."""
    return shown(event, mask, account=ANNA, calendar="Anna’s")


def rich(**parts: object) -> Event:
    """A dinner of which everything can be told."""
    basis: dict[str, object] = {
        "description": "Bring wine",
        "location": "Kitchen",
        "organiser": BOB,
        "time_zone": ZONE,
        "end_time_zone": ZONE,
        "recurrence": WEEKLY,
        "busy": False,
        "visibility": "private",
        "colour": "11",
        "link": "https://calendar.example.com/dinner",
        "meeting": "https://meet.example.com/dinner",
    }
    return dinner(**{**basis, **parts})


TIMES = {
    "start": "2026-12-01T19:00:00+01:00",
    "end": "2026-12-01T21:00:00+01:00",
    "time_zone": ZONE,
    "end_time_zone": ZONE,
    "recurrence": WEEKLY,
}


def content(**parts: object) -> Content:
    """Dinner as a copy shows it."""
    return Content(**{**TIMES, "recurrence": (), "title": "Dinner", **parts})  # type: ignore[arg-type]


# Masks


def test_full_shows_all_that_a_copy_can_show() -> None:
    """And the address of the video call, which is not Google's own there."""
    assert told(rich()) == content(
        **TIMES,
        description="Bring wine\nVideo call: https://meet.example.com/dinner",
        location="Kitchen",
        busy=False,
        visibility="private",
        colour="11",
        link="https://calendar.example.com/dinner",
    )


def test_title_shows_title_and_times_alone() -> None:
    """Who may see it, and whether one is free then, stay as they were."""
    assert told(rich(), TITLE) == content(**TIMES, busy=False, visibility="private")


def test_busy_shows_times_alone() -> None:
    """Busy for everybody, whatever the source says."""
    assert told(rich(), BUSY) == Content(title="Busy", **TIMES)  # type: ignore[arg-type]


def test_busy_does_not_tell_where_somebody_is() -> None:
    """A single event needs no zone: neither its name nor its offset is told. Days have none."""
    flight = rich(recurrence=(), time_zone="Asia/Tokyo", start="2026-12-02T09:00:00+09:00", end="2026-12-02T12:00")
    days = rich(start="2026-12-24", end="2026-12-27", time_zone="Asia/Tokyo")

    assert told(flight, BUSY) == Content(title="Busy", start="2026-12-02T00:00:00Z", end="2026-12-02T11:00:00Z")
    assert told(days, BUSY) == Content(title="Busy", start="2026-12-24", end="2026-12-27", recurrence=WEEKLY)


def test_a_template_shows_what_it_names() -> None:
    """And nothing else of the source."""
    template = Mask("template", "{title} ({calendar}, {account})", "{type} by {organiser}\n{location}: {link}")

    assert told(rich(kind="fromGmail"), template) == content(
        **TIMES,
        title="Dinner (Anna’s, anna@example.com)",
        description="fromGmail by bob@example.com\nKitchen: https://calendar.example.com/dinner",
        busy=False,
        visibility="private",
    )


VALUES = st.text(st.sampled_from("{}titledscrpon ax"), max_size=20) | st.sampled_from(["{title}", "{account}", "{{x}}"])


@settings(deadline=None)
@given(st.lists(st.sampled_from(NAMES) | st.just("x y") | st.just("nobody")), VALUES, VALUES, VALUES)
def test_what_a_stranger_wrote_is_never_a_template(
    names: list[str], title: str, description: str, location: str
) -> None:
    """Each name is replaced once, by the value as it is; what is no name stays as it stands there."""
    event = rich(title=title, description=description, location=location, meeting="")
    values = {
        "title": title.strip(),
        "description": description.strip(),
        "location": location.strip(),
        "organiser": BOB,
        "calendar": "Anna’s",
        "account": ANNA,
        "type": "default",
        "link": event.link,
    }
    template = "|".join(f"{{{name}}}" for name in names)

    found = told(event, Mask("template", "-", template)).description

    assert found == "|".join(values.get(name, f"{{{name}}}") for name in names).strip()
    assert unknown_names(template) == tuple(dict.fromkeys(name for name in names if name not in NAMES))


def test_names_that_a_template_cannot_have_are_told() -> None:
    """Once each, in order; braces with nothing between them too."""
    assert unknown_names("{title}: {titel} {Title} { title } {titel} {} and {link") == ("titel", "Title", " title ", "")
    assert unknown_names("".join(f"{{{name}}}" for name in NAMES)) == ()


MARKS = {
    "title": "TitleMark",
    "description": "DescriptionMark",
    "location": "LocationMark",
    "organiser": "organisermark@example.com",
    "kind": "typeMark",
    "link": "https://calendar.example.com/linkmark",
    "colour": "11",
}
TEMPLATES = st.builds(
    lambda title, description: Mask("template", " ".join(title), "\n".join(description)),
    st.lists(st.sampled_from([f"{{{name}}}" for name in NAMES] + ["Somebody", "{nobody}"]), max_size=2),
    st.lists(st.sampled_from([f"{{{name}}}" for name in NAMES]), max_size=4),
)
MASKS = st.sampled_from([FULL, TITLE, BUSY]) | TEMPLATES


def revealed(mask: Mask) -> set[str]:
    """Which marks of a source come through a mask."""
    copy = shown(dinner(**MARKS), mask, account="accountMark", calendar="calendarMark")
    text = f"{copy.title} {copy.description} {copy.location} {copy.link} {copy.colour}"
    return {mark for mark in [*MARKS.values(), "accountMark", "calendarMark"] if mark in text}


@settings(deadline=None)
@given(st.lists(MASKS, min_size=1, max_size=4))
def test_the_strictest_mask_shows_nothing_that_another_hides(masks: list[Mask]) -> None:
    """It is one of them, or busy; the account and its calendar, which full does not tell, are in its link."""
    found = strictest(masks)

    told_by_link = {"accountMark", "calendarMark", MARKS["organiser"], MARKS["kind"]}
    assert found in {*masks, BUSY}
    for mask in masks:
        assert revealed(found) <= revealed(mask) | (told_by_link if mask == FULL else set())


@pytest.mark.parametrize(
    ("masks", "expected"),
    [
        ([], BUSY),
        ([FULL], FULL),
        ([FULL, TITLE], TITLE),
        ([TITLE, BUSY, FULL], BUSY),
        ([FULL, Mask("template", "{title} at {location}")], Mask("template", "{title} at {location}")),
        ([Mask("template", "{title} at {location}"), TITLE], TITLE),
        ([Mask("template", "{location}"), TITLE], BUSY),
        ([Mask("template", "Anna: {title}"), TITLE], Mask("template", "Anna: {title}")),
        ([Mask("template", "Away"), FULL], Mask("template", "Away")),
    ],
)
def test_which_mask_is_the_strictest(masks: list[Mask], expected: Mask) -> None:
    """Of equals the first; busy where each shows something that another hides."""
    assert strictest(masks) == expected


# Texts


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("  Dinner \n at\teight ", "Dinner   at eight"),
        ("Din\x00ner\x1b[0m\x7f\x9f", "Dinner[0m"),
        ("One\r\nTwo\rThree\u2028Four\x85", "One Two Three Four"),
        ("half \ud83d of a 🎉\ufffe", "half  of a 🎉"),
        ("\u200fשבת\u200e 👩‍👩‍👧 \u202ecod\u202c e\u0301", "\u200fשבת\u200e 👩‍👩‍👧 \u202ecod\u202c e\u0301"),
        ("   ", ""),
        ("x" * 2000, "x" * 1023 + "…"),
        ("🎉" * 600, "🎉" * 511 + "…"),
    ],
)
def test_a_title_is_written_as_google_will_keep_it(title: str, expected: str) -> None:
    """On one line, without what has no look, and not longer than Google takes; marks and joiners are text."""
    assert told(rich(title=title)).title == expected


@settings(deadline=None)
@given(st.text(st.characters()), st.text(st.characters()), st.sampled_from([FULL, TITLE, Mask("template", "{title}")]))
def test_what_was_cleaned_is_clean(title: str, description: str, mask: Mask) -> None:
    """Cleaning twice changes nothing, the store and the wire take it, and Google's cleaning makes no difference."""
    found = told(rich(title=title, description=description, location=title), mask)

    again = told(rich(title=found.title, description=found.description, location=found.location, meeting=""), mask)
    assert (again.title, again.description, again.location) == (found.title, found.description, found.location)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(found), type=Content) == found
    assert not [sign for sign in found.title if sign in "\n\r\t\x00"]


@settings(deadline=None)
@given(st.text(st.sampled_from("ab 🎉\n"), max_size=40), st.integers(1, 30))
def test_what_is_cut_fits(text: str, most: int) -> None:
    """In the units that Google's servers count, and no character is cut in two."""
    found = cut(text, most)

    assert len(found.encode("utf-16-le")) <= 2 * most
    assert found == text or (found.endswith("…") and text.startswith(found[:-1]))


@pytest.mark.parametrize("length", [0, 1, 8100, 8141, 8142, 8143, 8192, 9000])
def test_a_long_description_still_leads_to_the_call(length: int) -> None:
    """Whatever has to be cut, the link is whole, and on a line of its own."""
    found = told(rich(description="x" * length)).description

    assert found.split("\n")[-1] == "Video call: https://meet.example.com/dinner"
    assert len(found) <= MOST_DESCRIPTION
    assert found.count("x") >= min(length, MOST_DESCRIPTION - 100)


def test_a_link_that_would_be_cut_off_is_told_again() -> None:
    """It stands at the end of a description that is too long."""
    found = told(rich(description=f"{'x' * 8192}\nhttps://meet.example.com/dinner")).description

    assert found.endswith("x…\nVideo call: https://meet.example.com/dinner") and len(found) == MOST_DESCRIPTION


def test_an_endless_link_is_not_told() -> None:
    """No video call has one, and it would leave no room for the description."""
    assert told(rich(meeting=f"https://meet.example.com/{'x' * 2000}")).description == "Bring wine"


def test_what_a_template_makes_is_cut_too() -> None:
    """A title may be made of a description."""
    long = rich(description="x" * 8000, meeting="")

    found = told(long, Mask("template", "{description}", "{description}{description}"))

    assert (found.title, found.description) == ("x" * 1023 + "…", "x" * 8191 + "…")


@pytest.mark.parametrize(
    "description",
    ["At https://meet.example.com/x?a=1&b=2", '<a href="https://meet.example.com/x?a=1&amp;b=2">here</a>'],
)
def test_a_link_that_is_there_is_not_told_twice(description: str) -> None:
    """Also where the description is HTML."""
    assert told(rich(description=description, meeting="https://meet.example.com/x?a=1&b=2")).description == description


@pytest.mark.parametrize(
    ("kind", "title"),
    [
        ("outOfOffice", "Out of office"),
        ("focusTime", "Focus time"),
        ("birthday", "Birthday"),
        ("workingLocation", "Working location"),
        ("fromGmail", ""),
        ("default", ""),
        ("holodeck", ""),
    ],
)
def test_a_special_event_without_a_title_says_what_it_is(kind: str, title: str) -> None:
    """An ordinary one stays without: Google says so in everybody's own language."""
    assert told(rich(kind=kind, title=" \n")).title == told(rich(kind=kind, title=""), TITLE).title == title
    assert told(rich(kind=kind, title="Mine")).title == "Mine"


@pytest.mark.parametrize(
    ("kind", "visibility", "expected"),
    [
        ("default", "private", "private"),
        ("default", "confidential", "private"),
        ("default", "public", "public"),
        ("default", "", "default"),
        ("birthday", "private", "default"),
    ],
)
def test_who_may_see_a_copy(kind: str, visibility: str, expected: str) -> None:
    """As the source; but every birthday is private, by Google's will and nobody's wish."""
    event = rich(kind=kind, visibility=visibility)

    assert {told(event, mask).visibility for mask in (FULL, TITLE, Mask("template", "{title}"))} == {expected}
    assert told(event, BUSY).visibility == "default"


# Times


def test_a_series_with_times_always_has_a_zone() -> None:
    """Google takes none without; days need none."""
    bare = rich(time_zone="", end_time_zone="")
    days = rich(start="2026-12-01", end="2026-12-02")

    assert (told(bare).time_zone, told(bare).end_time_zone) == ("UTC", "UTC")
    assert told(rich(end_time_zone="")).end_time_zone == told(rich(time_zone="")).time_zone == ZONE
    assert (told(days).time_zone, told(days).end_time_zone, told(days).recurrence) == ("", "", WEEKLY)


def test_an_event_without_an_end_gets_one() -> None:
    """At its start, or with its day."""
    assert told(rich(end="")).end == TIMES["start"]
    assert told(rich(start="2026-12-31", end="")).end == "2027-01-01"


def test_only_lines_of_a_recurrence_are_copied() -> None:
    """Google refuses any other."""
    lines = ("RRULE:FREQ=DAILY", "DTSTART:20261201", "EXDATE;VALUE=DATE:20261224", "X-WHAT:1", "rrule:FREQ=YEARLY")

    assert told(rich(recurrence=lines)).recurrence == (lines[0], lines[2], lines[4])


# What counts as the same


@pytest.mark.parametrize(
    ("part", "parts"),
    [
        ("title", {"title": "Lunch"}),
        ("title", {"title": "dinner"}),
        ("description", {"description": "Bring wine"}),
        ("location", {"location": "Kitchen"}),
        ("start", {"start": "2026-12-01T18:59:59+01:00"}),
        ("start", {"start": "2026-12-01T19:00:00Z"}),
        ("end", {"end": "2026-12-01T21:30:00+01:00"}),
        ("recurrence", {"recurrence": WEEKLY}),
        ("busy", {"busy": False}),
        ("visibility", {"visibility": "public"}),
        ("colour", {"colour": "5"}),
    ],
)
def test_each_difference_that_a_person_sees_is_named(part: str, parts: dict[str, object]) -> None:
    """Alone, and whichever of the two has it."""
    assert differences(content(), content(**parts)) == (part,)
    assert differences(content(**parts), content()) == (part,)


def test_a_day_is_not_its_midnight() -> None:
    """An all-day event looks otherwise than one from midnight to midnight."""
    day = content(start="2026-12-01", end="2026-12-02", time_zone="", end_time_zone="")
    hours = content(start="2026-12-01T00:00:00+01:00", end="2026-12-02T00:00:00+01:00")

    in_utc = content(start="2026-12-01T00:00:00Z", end="2026-12-02T00:00:00Z", time_zone="UTC", end_time_zone="UTC")

    assert differences(day, hours) == differences(hours, day) == ("start", "end")
    assert differences(day, in_utc) == differences(in_utc, day) == ("start", "end")
    assert differences(day, day) == ()


@pytest.mark.parametrize(
    "parts",
    [
        {"start": "2026-12-01T18:00:00Z", "end": "2026-12-01T15:00:00-05:00"},
        {"start": "2026-12-01T18:00:00.000Z"},
        {"start": "2026-12-01T19:00:00"},
        {"time_zone": "America/New_York", "end_time_zone": "America/New_York"},
        {"title": " Din\x00ner \r\n", "description": "\n", "location": "\x7f "},
        {"visibility": ""},
        {"link": "https://calendar.example.com/other"},
    ],
)
def test_what_google_only_wrote_anew_is_no_difference(parts: dict[str, object]) -> None:
    """Offsets, the zone of a single event, what has no look, and where links lead."""
    assert differences(content(), content(**parts)) == ()


def test_texts_are_the_same_when_they_look_the_same() -> None:
    """Line ends, blanks at the ends of lines, and letters that are composed or not."""
    mine = content(description="Café  \r\n\tsecond line\r\n", visibility="confidential")

    assert differences(mine, content(description="Cafe\u0301\n\tsecond line", visibility="private")) == ()
    assert differences(mine, content(description="Café\nsecond line", visibility="private")) == ("description",)


def test_the_zone_of_a_series_moves_its_dates() -> None:
    """So it counts there: half of the year the clocks agree, and then no longer."""
    berlin, lagos = (content(**{**TIMES, "time_zone": zone, "end_time_zone": zone}) for zone in (ZONE, "Africa/Lagos"))

    assert differences(berlin, lagos) == ("time_zone",)
    assert differences(berlin, msgspec.structs.replace(lagos, recurrence=())) == ("recurrence",)
    assert differences(berlin, msgspec.structs.replace(berlin, time_zone="europe/berlin", end_time_zone="")) == ()
    assert differences(berlin, msgspec.structs.replace(berlin, time_zone="", end_time_zone="")) == ()


def repeated(*lines: str, **parts: object) -> Content:
    """Dinner, again and again."""
    return content(recurrence=lines, **parts)


ALL_DAY = {"start": "2026-12-01", "end": "2026-12-02", "time_zone": "", "end_time_zone": ""}


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        (["RRULE:FREQ=WEEKLY;BYDAY=MO,TU"], ["rrule:byday=tu, mo;freq=weekly;interval=1;WKST=MO"]),
        (["RRULE:FREQ=DAILY", "EXDATE:20261224T180000Z"], ["EXDATE:20261224T180000Z", "RRULE:FREQ=DAILY"]),
        (["EXDATE;TZID=Europe/Berlin:20261224T190000"], ["EXDATE:20261224T180000Z"]),
        (['EXDATE;TZID="America/New_York":20261224T130000'], ["EXDATE:20261224T190000"]),
        (["RDATE:20261224T180000Z,20261225T180000Z"], ["RDATE:20261225T180000Z", "RDATE:20261224T180000Z"]),
        (["RRULE:FREQ=DAILY;UNTIL=20261231T225959Z"], ["RRULE:FREQ=DAILY;UNTIL=20261231"]),
        (["RRULE:FREQ=DAILY;UNTIL=20261231T180000Z"], ["RRULE:FREQ=DAILY;UNTIL=20261231"]),
        (["RRULE:FREQ=DAILY;UNTIL=20261231T190000"], ["RRULE:FREQ=DAILY;UNTIL=20261231T180000Z"]),
        (["RRULE:FREQ=MONTHLY;BYDAY=+1MO"], ["RRULE:FREQ=MONTHLY;BYDAY=1MO"]),
    ],
)
def test_recurrences_that_mean_the_same_are_the_same(mine: list[str], theirs: list[str]) -> None:
    """However they are written."""
    assert differences(repeated(*mine), repeated(*theirs)) == ()


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        (["RRULE:FREQ=WEEKLY"], ["RRULE:FREQ=WEEKLY;INTERVAL=2"]),
        (["RRULE:FREQ=WEEKLY;WKST=SU"], ["RRULE:FREQ=WEEKLY"]),
        (["RRULE:FREQ=WEEKLY"], ["EXRULE:FREQ=WEEKLY"]),
        (["RRULE:FREQ=DAILY"], ["RRULE:FREQ=DAILY", "EXDATE:20261224T180000Z"]),
        (["EXDATE:20261224T180000Z"], ["RDATE:20261224T180000Z"]),
        (["EXDATE;TZID=America/New_York:20261224T190000"], ["EXDATE;TZID=Europe/Berlin:20261224T190000"]),
        (["RRULE:FREQ=DAILY;UNTIL=20261231T175959Z"], ["RRULE:FREQ=DAILY;UNTIL=20261231"]),
        (["RRULE:FREQ=HOURLY;UNTIL=20261231T185959Z"], ["RRULE:FREQ=HOURLY;UNTIL=20261231T225959Z"]),
        (
            ["RRULE:FREQ=DAILY;BYHOUR=9,20;UNTIL=20261231T190000Z"],
            ["RRULE:FREQ=DAILY;BYHOUR=9,20;UNTIL=20261231T180000Z"],
        ),
        (["RRULE:FREQ=DAILY;COUNT=3"], ["RRULE:FREQ=DAILY;COUNT=4"]),
    ],
)
def test_recurrences_that_mean_other_dates_differ(mine: list[str], theirs: list[str]) -> None:
    """One date more or less is a difference."""
    assert differences(repeated(*mine), repeated(*theirs)) == ("recurrence",)


def test_recurrences_of_days_are_compared_by_days() -> None:
    """With and without saying that they are dates."""
    mine = repeated("RRULE:FREQ=DAILY;UNTIL=20261231", "EXDATE;VALUE=DATE:20261224", **ALL_DAY)
    theirs = repeated("EXDATE:20261224", "RRULE:FREQ=DAILY;UNTIL=20261231T235959Z", **ALL_DAY)

    assert differences(mine, msgspec.structs.replace(theirs)) == ()


LINES = st.lists(st.text(st.sampled_from("RULEXDAT:;=,TZID20261231TZ/ \n"), max_size=40), max_size=3)


@settings(deadline=None)
@given(LINES, st.text(max_size=12), st.text(max_size=12))
def test_nothing_that_google_may_send_is_too_much(lines: list[str], start: str, zone: str) -> None:
    """Nonsense is the same as itself, and tells no date."""
    event = rich(recurrence=tuple(lines), start=start, time_zone=zone)

    found = told(event)

    assert differences(found, found) == () and told(event, BUSY).title == "Busy"
    assert occurrence(event, start) is None or place_in_series(start, zone)


def test_what_a_calendar_shows_is_read_in_the_terms_of_copies() -> None:
    """All but the link, of which an event says only where it is itself."""
    event = rich(title="Dinner", description="Bring wine", meeting="")

    assert read_back(event) == msgspec.structs.replace(told(event), link="")
    assert differences(told(event), read_back(event)) == ()


# Dates of series


@pytest.mark.parametrize(
    ("original_start", "zone", "place"),
    [
        ("2026-12-08", ZONE, "20261208"),
        ("20261208", "", "20261208"),
        ("2026-12-08T19:00:00+01:00", "", "20261208T180000Z"),
        ("2026-12-08T19:00:00+01:00", "America/New_York", "20261208T180000Z"),
        ("2026-12-08T18:00:00Z", ZONE, "20261208T180000Z"),
        ("20261208T180000Z", ZONE, "20261208T180000Z"),
        ("2026-12-08T19:00:00", ZONE, "20261208T180000Z"),
        ("2026-12-09T00:30:00+05:45", "Asia/Kathmandu", "20261208T184500Z"),
        ("0001-01-01T00:00:00+14:00", "", ""),
        ("soon", ZONE, ""),
        ("", ZONE, ""),
    ],
)
def test_where_a_date_is_in_its_series(original_start: str, zone: str, place: str) -> None:
    """As at the end of Google's id of it; what cannot be read has no place."""
    assert place_in_series(original_start, zone) == place


def test_a_date_of_a_series_is_an_event_like_the_others() -> None:
    """By the clock of its zone, in winter and in summer."""
    series = rich(id="dinners")

    winter, summer = occurrence(series, "20261208T180000Z"), occurrence(series, "20270608T170000Z")

    assert winter == msgspec.structs.replace(
        series,
        id="dinners_20261208T180000Z",
        series="dinners",
        recurrence=(),
        original_start="2026-12-08T19:00:00+01:00",
        start="2026-12-08T19:00:00+01:00",
        end="2026-12-08T21:00:00+01:00",
    )
    assert summer is not None
    assert (summer.start, summer.end) == ("2027-06-08T19:00:00+02:00", "2027-06-08T21:00:00+02:00")


@pytest.mark.parametrize("zone", ["", "Mars/Base_One"])
def test_without_a_known_zone_the_offset_is_the_clock(zone: str) -> None:
    """As it is written with the series."""
    found = occurrence(rich(time_zone=zone, end_time_zone=zone), "20270608T180000Z")

    assert found is not None and (found.start, found.end) == ("2027-06-08T19:00:00+01:00", "2027-06-08T21:00:00+01:00")


def test_a_date_of_days_is_as_many_days() -> None:
    """Over a leap day too."""
    found = occurrence(rich(start="2027-02-27", end="2027-03-02"), "20280227")

    assert found is not None
    assert (found.start, found.end, found.original_start) == ("2028-02-27", "2028-03-01", "2028-02-27")


@pytest.mark.parametrize(
    ("place", "end"),
    [
        ("20261019T200000Z", "2026-10-20T06:00:00+02:00"),
        ("20261024T200000Z", "2026-10-25T06:00:00+01:00"),
        ("20270327T210000Z", "2027-03-28T06:00:00+02:00"),
    ],
)
def test_a_night_shift_ends_by_the_clock(place: str, end: str) -> None:
    """However long the night is."""
    shift = rich(start="2026-10-19T22:00:00+02:00", end="2026-10-20T06:00:00+02:00")

    found = occurrence(shift, place)

    assert found is not None and found.end == end


def test_a_date_never_ends_before_it_starts() -> None:
    """A quarter of an hour in the hour that comes twice, the second time."""
    feed = rich(start="2026-10-24T02:30:00+02:00", end="2026-10-24T02:45:00+02:00")

    found = occurrence(feed, "20261025T013000Z")

    assert found is not None and (found.start, found.end) == ("2026-10-25T02:30:00+01:00", "2026-10-25T02:45:00+01:00")


def test_a_flight_takes_its_time() -> None:
    """Where it starts and ends in different zones, which change their clocks on different days."""
    flight = rich(start="2027-03-07T10:00:00+01:00", end="2027-03-07T13:00:00-05:00", end_time_zone="America/New_York")

    found = occurrence(flight, "20270314T090000Z")

    assert found is not None and found.end == "2027-03-14T14:00:00-04:00"


@pytest.mark.parametrize(
    ("parts", "place"),
    [
        ({}, "20261208"),
        ({}, "some day"),
        ({"start": "2026-12-01", "end": "2026-12-02"}, "20261208T180000Z"),
        ({"start": "2026-12-01"}, "20261208"),
        ({"start": ""}, "20261208T180000Z"),
        ({"start": "2026-12-01", "end": "2026-12-02"}, "99991231"),
    ],
)
def test_a_place_that_a_series_cannot_have_is_no_date(parts: dict[str, object], place: str) -> None:
    """A day of a series with times, a time of a series of days, nonsense."""
    assert occurrence(rich(**parts), place) is None


ZONES = (ZONE, "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Kathmandu", "UTC")
STARTS = st.datetimes(datetime(2026, 9, 1), datetime(2027, 12, 1)).map(lambda moment: moment.replace(microsecond=0))  # noqa: DTZ001 - a zone's clock


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(ZONES),
    STARTS,
    st.integers(0, 3000),
    st.sampled_from(["DAILY", "WEEKLY", "MONTHLY"]),
    st.integers(0, 400),
)
def test_dates_are_where_google_has_them(zone: str, start: datetime, minutes: int, frequency: str, number: int) -> None:
    """The fake computes them from the rule, we from their ids; whatever the clocks do in between."""
    first = start.replace(tzinfo=ZoneInfo(zone))
    last = first + timedelta(minutes=minutes)
    lines = [f"RRULE:FREQ={frequency}"]
    document = {
        "id": "dinners",
        "start": {"dateTime": first.isoformat(), "timeZone": zone},
        "end": {"dateTime": last.isoformat(), "timeZone": zone},
        "recurrence": lines,
    }
    original = next(islice(recurrence.occurrences(document), number, None), None)
    assume(original is not None)
    assert isinstance(original, datetime)
    assume(original.astimezone(UTC).astimezone(original.tzinfo).replace(tzinfo=None) == original.replace(tzinfo=None))
    theirs = recurrence.instance(document, original)
    series = rich(
        id="dinners",
        start=document["start"]["dateTime"],  # type: ignore[index]
        end=document["end"]["dateTime"],  # type: ignore[index]
        time_zone=zone,
        end_time_zone=zone,
        recurrence=tuple(lines),
    )

    ours = occurrence(series, theirs["id"].removeprefix("dinners_"))

    assert ours is not None and ours.id == theirs["id"]
    assert place_in_series(theirs["originalStartTime"]["dateTime"], zone) == theirs["id"].removeprefix("dinners_")
    assert (ours.start, ours.end) == (theirs["start"]["dateTime"], theirs["end"]["dateTime"])


# Ids of copies


def test_the_id_of_a_copy_is_one_that_google_takes() -> None:
    """Of its letters, and always the same: whoever asks, from whatever account, after whatever crash."""
    found = copy_id("dinner@google.com", "20261208T180000Z", FAMILY, 0)

    assert re.fullmatch(r"calbot[0-9a-v]{52}", found)
    assert found == copy_id("dinner@google.com", "20261208T180000Z", FAMILY.upper(), 0)


def test_each_copy_has_an_id_of_its_own() -> None:
    """By meeting, date, target and generation."""
    ids = {
        copy_id("dinner@google.com", "", FAMILY, 0),
        copy_id("lunch@google.com", "", FAMILY, 0),
        copy_id("dinner@google.com", "20261208", FAMILY, 0),
        copy_id("dinner@google.com", "", ANNA, 0),
        copy_id("dinner@google.com", "", FAMILY, 1),
        copy_id("dinner@google.com", "", f"{FAMILY}1", 0),
        copy_id("\ud83d", "", FAMILY, 0),
    }

    assert len(ids) == 7


COPY = copy_id("dinner@google.com", "", FAMILY, 0)


@pytest.mark.parametrize(
    ("event_id", "ical_uid", "copy_of", "ours"),
    [
        (COPY, "", "", True),
        (f"{COPY}_20261208T180000Z", "", "", True),
        (f"{COPY}_R20261208T180000", "", "", True),
        ("0imported", f"{COPY}@google.com", "", True),
        ("0imported", f"{COPY}_R20261208@google.com", "", True),
        ("0copied", "0copied@google.com", "the stamp", True),
        ("dinner", "dinner@google.com", "", False),
        (COPY[:-1], f"{COPY[:-1]}@google.com", "", False),
        (f"{COPY}0", f"{COPY}0@google.com", "", False),
        (f"0{COPY}", "", "", False),
        ("calbot", "calbot@example.com", "", False),
    ],
)
def test_a_copy_is_known_by_its_ids_or_its_stamp(event_id: str, ical_uid: str, copy_of: str, *, ours: bool) -> None:
    """Also a date of one, one that somebody was invited to, or imported elsewhere; no event of people is."""
    assert is_own_copy(event_id, ical_uid, copy_of) is ours


def test_a_text_is_cleaned_of_what_cannot_be_seen_only() -> None:
    """Line feeds and tabs are seen."""
    assert cleaned("a\n\tb\x01\u200d\ufeff") == "a\n\tb\u200d\ufeff" and MOST_TITLE < MOST_DESCRIPTION
