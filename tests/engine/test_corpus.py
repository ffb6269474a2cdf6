"""Awkward events as Google sends them (tests/events): each is read, copied through every mask, and found as meant."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from calbot.content import MOST_DESCRIPTION, differences, read_back, shown
from calbot.google import wire
from calbot.identity import copy_id, is_own_copy
from calbot.model import Content, Event, Gone
from calbot.policy import FULL, Mask
from tests.google_server.control import Control
from tests.google_server.discovery import problems
from tests.google_server.values import Doc
from tests.google_server.world import World
from tests.household import ANNA, FAMILY, NOON
from tests.simulation.machine import Seams, SeededRandom, SimulatedAccounts, VirtualClock, Wire

CORPUS = {path.stem: path.read_bytes() for path in sorted((Path(__file__).parent.parent / "events").glob("*.json"))}
GONE = {"date_cancelled", "deleted"}
LIVE = sorted(CORPUS.keys() - GONE)
BUSY = Mask("busy")
MASKS = {
    "full": FULL,
    "title": Mask("title"),
    "busy": BUSY,
    "template": Mask(
        "template", "{title} ({calendar})", "{description}\n{location} {organiser} {type}\n{link} {nobody}"
    ),
}
STAMP = "hash-of-the-meeting"
WEEKLY = Content(
    title="Weekly",
    start="2026-12-01T19:00:00+01:00",
    end="2026-12-01T21:00:00+01:00",
    time_zone="Europe/Berlin",
    end_time_zone="Europe/Berlin",
    recurrence=("RRULE:FREQ=WEEKLY",),
)
WORDS = ("title", "description", "location", "organiser", "creator", "link", "meeting", "colour")
TOLD = (
    *("id", "iCalUID", "htmlLink", "summary", "description", "location", "creator", "organizer", "attendees"),
    *("hangoutLink", "conferenceData", "attachments", "source", "extendedProperties", "birthdayProperties"),
    *("focusTimeProperties", "outOfOfficeProperties", "workingLocationProperties", "holodeckProperties"),
)
"""What of an event tells more than when somebody is busy."""


def event(name: str) -> Event:
    """An event of the corpus as a listing brings it."""
    page = wire.page(b'{"nextSyncToken":"1","items":[' + CORPUS[name] + b"]}")
    (found,) = page.changes
    assert isinstance(found, Event)
    return found


def content(name: str, mask: Mask) -> Content:
    """What a copy of it shows."""
    return shown(event(name), mask, account=ANNA, calendar="Anna")


def words(value: object) -> set[str]:
    """All words with letters anywhere in a document, but for the names of its fields."""
    if isinstance(value, dict):
        return {word for one in value.values() for word in words(one)}
    if isinstance(value, list):
        return {word for one in value for word in words(one)}
    return {word.lower() for word in re.findall(r"[^\W\d_]\w{2,}", value)} if isinstance(value, str) else set()


class Family:
    """A fake Google with a family calendar that lives in New York, and the port as Anna has it."""

    def __init__(self) -> None:
        self.clock = VirtualClock(NOON)
        self.world = World(self.clock, [ANNA])
        self.world.checker = problems
        self.google = Control(self.world)
        self.google.add_calendar(ANNA, FAMILY, "Family", "America/New_York")
        wire = Wire(self.world, self.clock, Seams())
        accounts = SimulatedAccounts(self.world, wire, self.clock, SeededRandom(1))
        accounts.sign_in(ANNA)
        self.anna = accounts.calendars(ANNA)

    def found(self, event_id: str) -> tuple[str, ...]:
        """What is hung on a copy that has no place there."""
        stored = self.google.event(FAMILY, event_id)
        return tuple(sorted({"attendees", "conferenceData", "attachments", "hangoutLink"} & stored.keys()))


@pytest.fixture
def family() -> Iterator[Family]:
    """Whatever is copied: nobody is mailed, and the fake understood all of it."""
    family = Family()
    yield family
    assert family.google.mails() == []
    assert family.world.surprises == []
    assert family.world.schema_problems == []


def test_the_corpus_is_there() -> None:
    """What Google sends is by far not only dinners."""
    assert len(CORPUS) >= 80
    assert len({json.loads(text)["id"] for text in CORPUS.values()}) == len(CORPUS)


@pytest.mark.parametrize("name", CORPUS)
def test_each_is_as_google_sends_it(name: str) -> None:
    """By Google's own description of an event; only what does not exist yet is not in it."""
    unknown = {"holodeckProperties is unknown", "newList is unknown"} if name == "not_understood_yet" else set()

    assert set(problems("Event", json.loads(CORPUS[name]))) == unknown


@pytest.mark.parametrize("name", CORPUS)
def test_each_is_read(name: str) -> None:
    """As one item of a listing, none of which is unreadable; what is deleted is gone."""
    page = wire.page(b'{"nextSyncToken":"1","items":[' + CORPUS[name] + b"]}")

    (found,) = page.changes
    document: Doc = json.loads(CORPUS[name])
    assert page.unreadable == () and found.id == document["id"]
    assert isinstance(found, Gone) == (name in GONE)
    if isinstance(found, Event):
        assert not is_own_copy(found.id, found.ical_uid, found.copy_of)
        assert found.title == document.get("summary", "") and len(found.guests) == len(document.get("attendees", ()))


@pytest.mark.parametrize("name", LIVE)
def test_a_copy_is_found_as_it_was_meant(family: Family, name: str) -> None:
    """Through each mask; and no guest, call or file comes along."""
    for kind, mask in MASKS.items():
        meant = content(name, mask)
        copy = copy_id(event(name).ical_uid, kind, FAMILY, 0)

        family.anna.insert(FAMILY, copy, meant, STAMP)

        read = family.anna.get(FAMILY, copy)
        assert (kind, differences(meant, read_back(read))) == (kind, ())
        assert read.guests == () and read.kind == "default" and family.found(copy) == ()
        assert is_own_copy(read.id, read.ical_uid, "") and read.copy_of == STAMP


@pytest.mark.parametrize("kind", MASKS)
def test_a_copy_becomes_any_other(family: Family, kind: str) -> None:
    """All-day and timed, series and single, long and empty: nothing of the former stays."""
    copy = copy_id("one meeting", "", FAMILY, 0)
    family.anna.insert(FAMILY, copy, content(LIVE[0], MASKS[kind]), STAMP)

    for name in [*LIVE, *reversed(LIVE[::2])]:
        meant = content(name, MASKS[kind])
        family.anna.rewrite(FAMILY, copy, meant, STAMP, None)

        assert (name, differences(meant, read_back(family.anna.get(FAMILY, copy)))) == (name, ())
        assert family.found(copy) == ()


@pytest.mark.parametrize("kind", MASKS)
def test_a_date_of_a_copied_series_becomes_any_single_event(family: Family, kind: str) -> None:
    """Whatever a date of the source was changed to."""
    series = copy_id("one series", "", FAMILY, 0)
    date = f"{series}_20261208T180000Z"
    family.anna.insert(FAMILY, series, WEEKLY, STAMP)

    for name in [name for name in LIVE if not event(name).recurrence]:
        meant = content(name, MASKS[kind])
        family.anna.rewrite(FAMILY, date, meant, STAMP, None)

        assert (name, differences(meant, read_back(family.anna.get(FAMILY, date)))) == (name, ())
    assert differences(WEEKLY, read_back(family.anna.get(FAMILY, series))) == ()


@pytest.mark.parametrize("name", LIVE)
def test_a_busy_copy_tells_nothing_but_when(family: Family, name: str) -> None:
    """Not a word of the original is anywhere in what Google keeps, nor the zone that a single event is in."""
    source: dict[str, Any] = json.loads(CORPUS[name])
    bare = msgspec.structs.replace(event(name), **dict.fromkeys(WORDS, ""))
    family.anna.insert(FAMILY, "plain", shown(bare, BUSY, account=ANNA, calendar="Anna"), STAMP)

    family.anna.insert(FAMILY, "secret", content(name, BUSY), STAMP)

    stored = family.google.event(FAMILY, "secret")
    raw, plain = (json.dumps(one, ensure_ascii=False).lower() for one in (stored, family.google.event(FAMILY, "plain")))
    secrets = words([source.get(part) for part in TOLD]) - words(plain)
    assert secrets
    assert [word for word in secrets if word in words(stored)] == []
    assert [word for word in secrets if len(word) > 5 and word in raw] == []
    if not event(name).recurrence and not event(name).all_day:
        assert stored["start"]["timeZone"] == stored["end"]["timeZone"] == "America/New_York"


def test_what_is_long_is_cut_and_still_leads_to_the_call() -> None:
    """Google takes 8,192 characters; the address of the call is among them."""
    found = content("description_8k_with_call", FULL)

    assert len(found.description.encode("utf-16-le")) // 2 <= MOST_DESCRIPTION
    assert found.description.endswith("…\nVideo call: https://meet.google.com/abc-defg-hij")
    assert found.description.startswith("0001 Line of a very long agenda")
    assert len(content("description_8k", FULL).description) > 8000
    assert content("title_1024", FULL).title == event("title_1024").title.strip()


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("call_by_google", "Agenda follows\nVideo call: https://meet.google.com/abc-defg-hij"),
        ("call_by_another", "Video call: https://video.example.com/j/98765432100?pwd=aGVsbG8&from=addon"),
        ("call_pending", ""),
    ],
)
def test_a_copy_leads_to_the_video_call(name: str, line: str) -> None:
    """It is no call of Google's, so its address is told in words."""
    assert content(name, FULL).description == line


def test_a_call_that_the_description_tells_is_not_told_twice() -> None:
    """Nor where the description is written in HTML."""
    assert (
        content("call_by_google_in_description", FULL).description == event("call_by_google_in_description").description
    )


def test_special_events_are_told_in_words() -> None:
    """Their copies are ordinary events; one without a title says what it is, and a birthday can be seen by all."""
    titles = {name: content(name, FULL).title for name in LIVE if event(name).kind != "default"}

    assert titles == {
        "birthday": "Carol's birthday",
        "birthday_untitled": "Birthday",
        "focus_time": "Focus time",
        "from_gmail": "Flight to New York (XY 7450)",
        "not_understood_yet": "From the future",
        "out_of_office": "Out of office",
        "working_location_custom": "Carol's kitchen",
        "working_location_home": "Home",
        "working_location_office": "Office (Harbour)",
    }
    assert content("birthday", FULL).visibility == "default" and content("from_gmail", FULL).visibility == "private"


def test_a_title_that_looks_like_a_template_is_a_title() -> None:
    """Whatever a stranger wrote, nothing of it is replaced by what the template may tell."""
    title = event("title_like_a_template").title

    found = content("title_like_a_template", MASKS["template"])

    assert content("title_like_a_template", FULL).title == title
    assert found.title == f"{title} (Anna)"
    assert found.description.startswith("{account} {calendar} {{7*7}} {% raw %} {link}\n{location}'; DROP TABLE")
    assert found.description.endswith(" {nobody}")
