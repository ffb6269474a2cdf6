"""Copies as they are written to Google and read back: the Calendars port, the official client, the fake Google."""

import json
from collections.abc import Callable, Iterator

import msgspec
import pytest

from calbot.errors import (
    AlreadyExists,
    ChangedMeanwhile,
    Deleted,
    GoogleError,
    NotFound,
    Refused,
    RetryLater,
    Uncertain,
)
from calbot.model import Content, Event
from calbot.ports import Calendars
from tests.google_server.control import Control
from tests.google_server.discovery import problems
from tests.google_server.values import Doc, Request, Response
from tests.google_server.world import World
from tests.household import ANNA, BOB, CAROL, DINNER, FAMILY, NOON
from tests.simulation.machine import Seams, SeededRandom, SimulatedAccounts, VirtualClock, Wire

COPY = "calbot" + "0a1b" * 13
STAMP = "hash-of-the-meeting"
LINK = "https://www.google.com/calendar/event?eid=dinner"
ZONE = "Europe/Berlin"
FULL = Content(
    title="Dinner",
    description="Bring wine",
    location="Home",
    start="2026-12-01T19:00:00+01:00",
    end="2026-12-01T21:00:00+01:00",
    time_zone=ZONE,
    end_time_zone=ZONE,
    busy=False,
    visibility="private",
    colour="3",
    link=LINK,
)
BUSY = Content(title="Busy", start=FULL.start, end=FULL.end, time_zone=ZONE, end_time_zone=ZONE)
DAYS = Content(title="Holidays", start="2026-12-01", end="2026-12-04")
WEEKLY = msgspec.structs.replace(FULL, recurrence=("RRULE:FREQ=WEEKLY;COUNT=3",))
SECOND = f"{COPY}_20261208T180000Z"
LATER = msgspec.structs.replace(
    FULL, title="Late dinner", start="2026-12-08T20:30:00+01:00", end="2026-12-08T22:30:00+01:00"
)
FAMILY_DINNER: Doc = {
    **DINNER,
    "id": "dinner",
    "description": "Bring wine",
    "location": "Home",
    "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=3"],
    "colorId": "5",
    "visibility": "private",
    "attendees": [{"email": BOB, "responseStatus": "accepted", "comment": "Yes", "optional": True}],
    "reminders": {"useDefault": False, "overrides": [{"method": "popup", "minutes": 5}]},
    "attachments": [{"fileUrl": "https://drive.example.com/menu", "title": "Menu"}],
    "conferenceData": {"createRequest": {"requestId": "1", "conferenceSolutionKey": {"type": "hangoutsMeet"}}},
    "extendedProperties": {"private": {"calbot_invited": "abc"}, "shared": {"all": "1"}},
    "guestsCanModify": True,
}


class Family:
    """A fake Google with Anna's family calendar, on which Bob may write, and the port as each of them has it."""

    def __init__(self) -> None:
        self.clock = VirtualClock(NOON)
        self.world = World(self.clock, [ANNA, BOB, CAROL])
        self.world.checker = problems
        self.google = Control(self.world)
        self.google.add_calendar(ANNA, FAMILY, "Family")
        self.google.share_calendar(FAMILY, BOB, "writer")
        self.wire = Wire(self.world, self.clock, Seams())
        self.accounts = SimulatedAccounts(self.world, self.wire, self.clock, SeededRandom(1))
        self.anna, self.bob, self.carol = (self._calendars(email) for email in (ANNA, BOB, CAROL))

    def _calendars(self, email: str) -> Calendars:
        self.accounts.sign_in(email)
        return self.accounts.calendars(email)

    def stored(self, event: str = COPY, calendar: str = FAMILY) -> Doc:
        """An event as Google has it."""
        return self.google.event(calendar, event)

    def sent(self, operation: str) -> list[Doc]:
        """The calls of this kind."""
        return self.google.calls(operation)


@pytest.fixture
def family() -> Iterator[Family]:
    """Whatever is done with copies: nobody is mailed, and Google's answers are Google's."""
    family = Family()
    yield family
    calls = [call for call in family.google.calls() if call["operation"].startswith("events.")]
    assert [call for call in calls if call["method"] != "GET" and call["query"].get("sendUpdates") != ["none"]] == []
    assert family.google.mails() == []
    assert family.world.surprises == []
    assert family.world.schema_problems == []


def shows(event: Event) -> Content:
    """What an event shows, in the terms of what we write; `link` is not among it."""
    parts = {name: getattr(event, name) for name in Content.__struct_fields__ if name not in {"colour", "link"}}
    return Content(**parts, colour=event.colour)


def without_link(content: Content) -> Content:
    """What is written, but for the link to the original, which an event does not show."""
    return msgspec.structs.replace(content, link="")


# Making


@pytest.mark.parametrize("content", [FULL, BUSY, DAYS, WEEKLY], ids=["full", "busy", "days", "weekly"])
def test_a_copy_shows_what_it_is_to_show(family: Family, content: Content) -> None:
    """And what the port says of it is what a later look finds."""
    made = family.anna.insert(FAMILY, COPY, content, STAMP)

    assert shows(made) == without_link(content)
    assert (made.id, made.copy_of, made.guests, made.organiser) == (COPY, STAMP, (), FAMILY)
    assert made == family.anna.get(FAMILY, COPY)


def test_a_copy_leads_to_its_original(family: Family) -> None:
    """The link is the event's source, which needs a title of its own."""
    family.anna.insert(FAMILY, COPY, FULL, STAMP)
    family.anna.insert(FAMILY, f"{COPY}1", msgspec.structs.replace(FULL, title=""), STAMP)

    assert family.stored()["source"] == {"title": "Dinner", "url": LINK}
    assert family.stored(f"{COPY}1")["source"] == {"title": "Original", "url": LINK}


@pytest.mark.parametrize("link", ["", "http://example.com/x", "javascript:alert(1)", "HTTPS"])
def test_only_https_links_are_written(family: Family, link: str) -> None:
    """Anything else is left out, at first and later: the link that was there goes."""
    content = msgspec.structs.replace(FULL, link=link)

    family.anna.insert(FAMILY, COPY, content, STAMP)
    family.anna.insert(FAMILY, f"{COPY}1", FULL, STAMP)
    family.anna.rewrite(FAMILY, f"{COPY}1", content, STAMP, None)

    assert "source" not in family.stored()
    assert "source" not in family.stored(f"{COPY}1")


def test_nothing_is_written_that_nobody_asked_for(family: Family) -> None:
    """No guests, no reminders, no call: an insert names what the copy shows, and our stamp."""
    family.anna.insert(FAMILY, COPY, BUSY, STAMP)

    (call,) = family.sent("events.insert")
    assert call["body"] == {
        "id": COPY,
        "summary": "Busy",
        "start": {"dateTime": FULL.start, "timeZone": ZONE},
        "end": {"dateTime": FULL.end, "timeZone": ZONE},
        "transparency": "opaque",
        "visibility": "default",
        "extendedProperties": {"private": {"calbot": STAMP}},
    }
    assert call["query"]["sendUpdates"] == ["none"]


def test_a_series_without_a_time_zone_is_written_in_utc(family: Family) -> None:
    """Google takes no series without one; the first date stays at its instant."""
    made = family.anna.insert(FAMILY, COPY, msgspec.structs.replace(WEEKLY, time_zone="", end_time_zone=""), STAMP)

    assert (made.time_zone, made.end_time_zone) == ("UTC", "UTC")
    assert made.start == FULL.start


def test_a_flight_keeps_the_zones_of_both_its_ends(family: Family) -> None:
    """Start and end may be in different zones."""
    made = family.anna.insert(FAMILY, COPY, msgspec.structs.replace(FULL, end_time_zone="Asia/Tokyo"), STAMP)

    assert (made.time_zone, made.end_time_zone) == (ZONE, "Asia/Tokyo")


def test_what_google_makes_of_a_title_is_what_is_told(family: Family) -> None:
    """Control characters go, and line ends are Google's: the answer says so, not our wish."""
    content = msgspec.structs.replace(FULL, title="Din\x00ner\x1b\x7f", description="One\r\nTwo\tThree")

    made = family.anna.insert(FAMILY, COPY, content, STAMP)

    assert (made.title, made.description) == ("Dinner", "One\nTwo\tThree")


@pytest.mark.parametrize("deleted", [False, True], ids=["live", "deleted"])
def test_an_id_that_is_taken_is_told_and_nothing_is_changed(family: Family, *, deleted: bool) -> None:
    """Also by an event that was deleted: ids stay taken."""
    family.anna.insert(FAMILY, COPY, FULL, STAMP)
    if deleted:
        family.google.delete_event(FAMILY, COPY)
    before = family.stored()

    with pytest.raises(AlreadyExists):
        family.bob.insert(FAMILY, COPY, BUSY, "another")

    assert family.stored() == before


def test_another_conflict_is_only_trouble_that_passes(family: Family) -> None:
    """409 is a taken id only when Google says `duplicate`."""
    family.google.add_fault("conflict", operation="events.insert")

    with pytest.raises(RetryLater):
        family.anna.insert(FAMILY, COPY, FULL, STAMP)
    family.anna.insert(FAMILY, COPY, FULL, STAMP)

    assert family.stored()["status"] == "confirmed"


# Lost answers

Write = Callable[[Family], object]
MAKE: Write = lambda family: family.anna.insert(FAMILY, COPY, LATER, STAMP)  # noqa: E731
WRITES: dict[str, Write] = {
    "rewrite": lambda family: family.anna.rewrite(FAMILY, COPY, LATER, STAMP, None),
    "restore": lambda family: family.anna.restore(FAMILY, COPY),
    "remove": lambda family: family.anna.remove(FAMILY, COPY),
    "insert_whole": lambda family: family.anna.insert_whole(FAMILY, f"{COPY}1", json.dumps(DINNER)),
}


@pytest.mark.parametrize("kind", ["closeBefore", "closeAfter", "errorAfter", "truncated", "notJson", "hang"])
def test_an_insert_whose_answer_is_lost_is_sent_once(family: Family, kind: str) -> None:
    """Nobody knows: it is Uncertain, whatever happened, and never repeated by itself."""
    family.google.add_fault(kind, operation="events.insert")

    with pytest.raises(Uncertain):
        MAKE(family)

    assert len(family.sent("events.insert")) == 1
    assert len(family.google.events(FAMILY)) == (0 if kind == "closeBefore" else 1)


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
@pytest.mark.parametrize("kind", ["closeBefore", "closeAfter", "errorAfter"])
def test_no_write_is_repeated_when_its_answer_is_lost(family: Family, kind: str, write: Write) -> None:
    """Uncertain, and one call only."""
    family.anna.insert(FAMILY, COPY, FULL, STAMP)
    before = len(family.google.calls())
    family.google.add_fault(kind, operation="events.*")

    with pytest.raises(Uncertain):
        write(family)

    assert len(family.google.calls()) == before + 1


@pytest.mark.parametrize("write", [MAKE, *WRITES.values()], ids=["insert", *WRITES])
@pytest.mark.parametrize(
    ("fault", "error"), [("forbidden", Refused), ("rateLimitExceeded", RetryLater), ("quotaExceeded", RetryLater)]
)
def test_what_google_refuses_is_told_in_our_words(
    family: Family, fault: str, error: type[GoogleError], write: Write
) -> None:
    """No error of the client's or of the network's comes through."""
    family.google.add_fault(fault, operation="events.*")

    with pytest.raises(error):
        write(family)


# Changing


@pytest.mark.parametrize("before", [FULL, BUSY, DAYS, WEEKLY], ids=["full", "busy", "days", "weekly"])
@pytest.mark.parametrize("after", [FULL, BUSY, DAYS, WEEKLY], ids=["full", "busy", "days", "weekly"])
def test_a_copy_can_come_to_show_anything_else(family: Family, before: Content, after: Content) -> None:
    """What is empty now is cleared; times become days and days times; series begin and end."""
    family.anna.insert(FAMILY, COPY, before, STAMP)

    written = family.anna.rewrite(FAMILY, COPY, after, STAMP, None)

    assert shows(written) == without_link(after)
    assert written == family.anna.get(FAMILY, COPY)
    assert ("source" in family.stored()) is bool(after.link)


def test_a_copy_of_days_can_repeat_and_stop(family: Family) -> None:
    """An all-day series needs no time zone, and leaves none."""
    yearly = msgspec.structs.replace(DAYS, recurrence=("RRULE:FREQ=YEARLY;COUNT=2",))

    series = family.anna.insert(FAMILY, COPY, yearly, STAMP)
    single = family.anna.rewrite(FAMILY, COPY, DAYS, STAMP, series.etag)

    assert shows(series) == yearly
    assert shows(single) == DAYS
    assert family.stored()["start"] == {"date": "2026-12-01"}


def test_a_time_zone_that_is_known_no_more_is_the_calendars(family: Family) -> None:
    """Nothing of the zone before stays behind."""
    family.anna.insert(FAMILY, COPY, msgspec.structs.replace(FULL, time_zone="Asia/Tokyo"), STAMP)

    written = family.anna.rewrite(
        FAMILY, COPY, msgspec.structs.replace(FULL, time_zone="", end_time_zone=""), STAMP, None
    )

    assert (written.time_zone, written.start) == (ZONE, FULL.start)


def test_what_others_put_on_a_copy_stays(family: Family) -> None:
    """Reminders, other programs' properties, guests whom a person invited: none of them is ours to clear."""
    family.anna.insert(FAMILY, COPY, FULL, STAMP)
    theirs: Doc = {
        "reminders": {"useDefault": False, "overrides": [{"method": "popup", "minutes": 5}]},
        "extendedProperties": {"private": {"other": "1"}},
        "attendees": [{"email": CAROL, "responseStatus": "needsAction"}],
    }
    family.google.edit_event(FAMILY, COPY, theirs, send_updates="none")

    family.anna.rewrite(FAMILY, COPY, BUSY, "new stamp", None)

    after = family.stored()
    assert after["reminders"] == theirs["reminders"]
    assert after["attendees"] == theirs["attendees"]
    assert after["extendedProperties"]["private"] == {"other": "1", "calbot": "new stamp"}


def test_only_the_version_that_was_read_is_written(family: Family) -> None:
    """With an etag another version stays as it is; without one it is written over."""
    made = family.anna.insert(FAMILY, COPY, FULL, STAMP)
    family.google.edit_event(FAMILY, COPY, {"summary": "By hand"})

    with pytest.raises(ChangedMeanwhile):
        family.anna.rewrite(FAMILY, COPY, BUSY, STAMP, made.etag)
    with pytest.raises(ChangedMeanwhile):
        family.anna.remove(FAMILY, COPY, made.etag)
    untouched = family.stored()["summary"]
    written = family.anna.rewrite(FAMILY, COPY, BUSY, STAMP, None)
    again = family.anna.rewrite(FAMILY, COPY, FULL, STAMP, written.etag)

    assert untouched == "By hand"
    assert (written.title, again.title) == ("Busy", "Dinner")


@pytest.mark.parametrize("others", ["ignore", "refuse"])
def test_whoever_did_not_make_the_copy_changes_it_all_the_same(family: Family, others: str) -> None:
    """Google shows and changes the link for the copy's creator only; everything else is written."""
    family.google.set(source_of_others=others)
    family.anna.insert(FAMILY, COPY, FULL, STAMP)

    written = family.bob.rewrite(FAMILY, COPY, msgspec.structs.replace(BUSY, link=f"{LINK}2"), STAMP, None)

    assert shows(written) == BUSY
    assert "source" not in json.loads(family.bob.whole(FAMILY, COPY))
    assert json.loads(family.anna.whole(FAMILY, COPY))["source"]["url"] == LINK


# Deleted copies


def test_a_deleted_copy_is_not_brought_back_by_writing_it(family: Family) -> None:
    """It stays deleted, and the port says so."""
    family.anna.insert(FAMILY, COPY, FULL, STAMP)
    family.google.delete_event(FAMILY, COPY)

    with pytest.raises(Deleted):
        family.anna.rewrite(FAMILY, COPY, BUSY, STAMP, None)

    assert family.stored()["status"] == "cancelled"


@pytest.mark.parametrize("after", [FULL, DAYS, WEEKLY], ids=["full", "days", "weekly"])
def test_a_deleted_copy_is_revived_when_that_is_asked(family: Family, after: Content) -> None:
    """With what it is to show now, in one write."""
    family.anna.insert(FAMILY, COPY, BUSY, STAMP)
    family.anna.remove(FAMILY, COPY)

    revived = family.anna.rewrite(FAMILY, COPY, after, STAMP, None, revive=True)

    assert shows(revived) == without_link(after)
    assert [event["id"] for event in family.google.events(FAMILY)] == [COPY]


def test_reviving_that_google_does_not_allow_is_refused(family: Family) -> None:
    """For good: only another id helps."""
    family.anna.insert(FAMILY, COPY, FULL, STAMP)
    family.anna.remove(FAMILY, COPY)
    family.google.set(revive="refuse")

    with pytest.raises(Refused):
        family.anna.rewrite(FAMILY, COPY, FULL, STAMP, None, revive=True)
    with pytest.raises(Refused):
        family.anna.restore(FAMILY, COPY)


def test_a_copy_is_removed_once(family: Family) -> None:
    """The second time it is gone, and what never was is not found."""
    made = family.anna.insert(FAMILY, COPY, FULL, STAMP)

    family.anna.remove(FAMILY, COPY, made.etag)
    with pytest.raises(Deleted):
        family.anna.remove(FAMILY, COPY)
    with pytest.raises(Deleted):
        family.anna.remove(FAMILY, COPY, made.etag)
    with pytest.raises(NotFound) as caught:
        family.anna.remove(FAMILY, f"{COPY}1")

    assert family.stored()["status"] == "cancelled"
    assert not isinstance(caught.value, Deleted)


# Single dates of a copied series


def test_a_single_date_of_a_copy_is_moved_and_the_others_stay(family: Family) -> None:
    """It is written under Google's id for it, though nobody touched it before."""
    family.anna.insert(FAMILY, COPY, WEEKLY, STAMP)

    written = family.anna.rewrite(FAMILY, SECOND, LATER, "the date's stamp", None)

    assert shows(written) == without_link(LATER)
    assert (written.series, written.original_start) == (COPY, "2026-12-08T19:00:00+01:00")
    assert written.copy_of == "the date's stamp"
    assert shows(family.anna.get(FAMILY, COPY)) == without_link(WEEKLY)
    assert "recurrence" not in family.sent("events.patch")[0]["body"]


def test_a_single_date_of_a_copy_can_last_all_day(family: Family) -> None:
    """Whatever the series is."""
    family.anna.insert(FAMILY, COPY, WEEKLY, STAMP)
    day = msgspec.structs.replace(DAYS, start="2026-12-08", end="2026-12-09")

    written = family.anna.rewrite(FAMILY, SECOND, day, STAMP, None)

    assert shows(written) == day


def test_a_single_date_of_a_copy_is_taken_out_and_brought_back(family: Family) -> None:
    """Removing it leaves the series; reviving it is a write with what it shows."""
    family.anna.insert(FAMILY, COPY, WEEKLY, STAMP)

    family.anna.remove(FAMILY, SECOND)
    with pytest.raises(Deleted):
        family.anna.get(FAMILY, SECOND)
    with pytest.raises(Deleted):
        family.anna.remove(FAMILY, SECOND)
    with pytest.raises(Deleted):
        family.anna.rewrite(FAMILY, SECOND, LATER, STAMP, None)
    revived = family.anna.rewrite(FAMILY, SECOND, LATER, STAMP, None, revive=True)

    assert shows(revived) == without_link(LATER)
    assert family.stored()["status"] == "confirmed"


@pytest.mark.parametrize("inherit", [True, False])
def test_a_date_that_a_person_changed_tells_of_its_stamp_or_not(family: Family, *, inherit: bool) -> None:
    """Nobody knows whether Google lets a date inherit the private properties of its series: both must do."""
    family.google.set(dates_inherit_private=inherit)
    family.anna.insert(FAMILY, COPY, WEEKLY, STAMP)

    family.google.edit_event(FAMILY, SECOND, {"summary": "By hand"})
    found = family.anna.get(FAMILY, SECOND)

    assert (found.title, found.series) == ("By hand", COPY)
    assert found.copy_of == (STAMP if inherit else "")


def test_a_date_that_a_series_does_not_have_is_not_found(family: Family) -> None:
    """Neither to be written nor to be taken out."""
    family.anna.insert(FAMILY, COPY, WEEKLY, STAMP)
    never = f"{COPY}_20261209T180000Z"

    with pytest.raises(NotFound):
        family.anna.rewrite(FAMILY, never, LATER, STAMP, None)
    with pytest.raises(NotFound):
        family.anna.remove(FAMILY, never)


# Roles


@pytest.mark.parametrize("role", ["owner", "writer", "writerWithoutPrivateAccess", "reader", "freeBusyReader"])
def test_a_role_is_told_in_googles_words(family: Family, role: str) -> None:
    """Each account has its own."""
    family.google.share_calendar(FAMILY, CAROL, role)

    assert family.carol.role(FAMILY) == role
    assert family.anna.role(FAMILY) == "owner"
    assert family.bob.role(FAMILY) == "writer"


def test_a_calendar_that_google_does_not_show_has_no_role(family: Family) -> None:
    """Never shared, no longer shared, or gone."""
    never = family.carol.role(FAMILY)
    family.google.share_calendar(FAMILY, BOB, "")
    no_longer = family.bob.role(FAMILY)
    family.google.remove_calendar(FAMILY)
    gone = family.anna.role(FAMILY)
    family.google.add_fault("forbidden", operation="events.list")
    forbidden = family.anna.role(ANNA)

    assert {never, no_longer, gone, forbidden} == {"none"}


@pytest.mark.parametrize(
    ("fault", "error"),
    [("accessNotConfigured", Refused), ("internalError", RetryLater), ("notJson", RetryLater)],
)
def test_trouble_is_not_taken_for_a_role(family: Family, fault: str, error: type[GoogleError]) -> None:
    """Only Google's own word about this calendar says that there is none."""
    family.google.add_fault(fault, operation="events.list", count=3)

    with pytest.raises(error):
        family.anna.role(FAMILY)


def test_an_answer_without_a_role_is_no_answer(family: Family) -> None:
    """It is not what Google says: ask again later."""

    def emptied(request: Request, answer: Response) -> None:
        if request.method == "GET":
            answer.body = b"{}"

    family.wire.amend = emptied

    with pytest.raises(RetryLater):
        family.anna.role(FAMILY)


def test_whoever_may_only_read_cannot_write(family: Family) -> None:
    """Refused, for good, and nothing is changed."""
    family.anna.insert(FAMILY, COPY, FULL, STAMP)
    family.google.share_calendar(FAMILY, CAROL, "reader")
    before = family.stored()

    with pytest.raises(Refused):
        family.carol.insert(FAMILY, f"{COPY}1", FULL, STAMP)
    with pytest.raises(Refused):
        family.carol.rewrite(FAMILY, COPY, BUSY, STAMP, None)
    with pytest.raises(Refused):
        family.carol.remove(FAMILY, COPY)

    assert family.stored() == before


# Originals, kept whole


def test_an_original_that_was_deleted_comes_back_as_it_was(family: Family) -> None:
    """Restored: the same event, its guests' answers with it."""
    made = family.google.create_event(ANNA, FAMILY_DINNER, send_updates="none")
    before = family.anna.get(ANNA, "dinner")
    family.anna.remove(ANNA, "dinner", made["etag"])

    restored = family.anna.restore(ANNA, "dinner")

    assert restored.brought_back
    assert msgspec.structs.replace(restored, etag=before.etag, brought_back=False) == before


def test_an_original_is_made_anew_from_what_was_kept(family: Family) -> None:
    """Everything that can be written again: guests with their answers, files, the video call, reminders."""
    family.google.create_event(ANNA, FAMILY_DINNER, send_updates="none")
    kept = family.anna.whole(ANNA, "dinner")
    family.anna.remove(ANNA, "dinner")

    made = family.anna.insert_whole(ANNA, "dinneragain", kept)

    googles_own = {"id", "iCalUID", "etag", "htmlLink", "created", "updated", "sequence"}
    before, after = (
        {name: part for name, part in one.items() if name not in googles_own}
        for one in (json.loads(kept), family.stored("dinneragain", ANNA))
    )
    before["conferenceData"].pop("createRequest")
    assert after == before
    assert (made.id, made.stamp, made.attached) == ("dinneragain", "abc", True)
    assert made.meeting == "https://meet.example.com/dinner"
    assert [guest.email for guest in made.guests] == [BOB, ANNA]


def test_one_date_is_made_anew_as_an_event_of_its_own(family: Family) -> None:
    """What was a date of a series is none any more."""
    family.google.create_event(ANNA, FAMILY_DINNER, send_updates="none")
    kept = family.anna.whole(ANNA, "dinner_20261208T180000Z")

    made = family.anna.insert_whole(ANNA, "dinneragain", kept)

    assert (made.series, made.recurrence, made.start) == (None, (), "2026-12-08T19:00:00+01:00")


def test_an_event_from_gmail_is_made_anew_as_an_ordinary_one(family: Family) -> None:
    """Google makes no others for us."""
    family.google.put_raw(ANNA, {"id": "flight", "eventType": "fromGmail", "summary": "Flight"})

    made = family.anna.insert_whole(ANNA, "flightagain", family.anna.whole(ANNA, "flight"))

    assert (made.title, made.kind) == ("Flight", "default")


def test_what_was_kept_is_made_once(family: Family) -> None:
    """Its id protects it, as every insert's."""
    family.google.create_event(ANNA, FAMILY_DINNER, send_updates="none")
    kept = family.anna.whole(ANNA, "dinner")
    family.anna.insert_whole(ANNA, "dinneragain", kept)

    with pytest.raises(AlreadyExists):
        family.anna.insert_whole(ANNA, "dinneragain", kept)


@pytest.mark.parametrize("kept", ["", "[]", "{"])
def test_what_was_kept_and_is_spoilt_is_refused(family: Family, kept: str) -> None:
    """In our words, without asking Google."""
    with pytest.raises(Refused):
        family.anna.insert_whole(ANNA, "dinneragain", kept)

    assert family.sent("events.insert") == []


def test_nothing_is_kept_of_what_is_gone(family: Family) -> None:
    """Deleted is Deleted, unknown is not found."""
    family.google.create_event(ANNA, {"id": "dinner"})
    family.google.delete_event(ANNA, "dinner")

    with pytest.raises(Deleted):
        family.anna.whole(ANNA, "dinner")
    with pytest.raises(NotFound) as caught:
        family.anna.whole(ANNA, "never00")

    assert not isinstance(caught.value, Deleted)


# Reading


def _video(uri: str, kind: str = "video") -> Doc:
    return {"conferenceData": {"entryPoints": [{"entryPointType": kind, "uri": uri}]}}


@pytest.mark.parametrize(
    ("parts", "meeting"),
    [
        ({"hangoutLink": "https://meet.example.com/a", **_video("https://zoom.example.com/b")}, "meet.example.com/a"),
        (_video("https://zoom.example.com/b"), "zoom.example.com/b"),
        ({"hangoutLink": "http://meet.example.com/a"}, ""),
        ({"hangoutLink": "javascript:alert(1)", **_video("https://zoom.example.com/b")}, "zoom.example.com/b"),
        (_video("http://zoom.example.com/b"), ""),
        (_video("https://phones.example.com/b", "phone"), ""),
        ({"conferenceData": {"conferenceId": "x"}}, ""),
        ({}, ""),
    ],
)
def test_where_an_event_meets_is_read(family: Family, parts: Doc, meeting: str) -> None:
    """Google's own call, else the first video call of others; never an address that is not https."""
    family.google.put_raw(ANNA, {"id": "dinner", **parts})

    found = family.anna.get(ANNA, "dinner")
    (listed,) = family.anna.page(ANNA, sync_token=None, page_token=None).changes

    assert found.meeting == (f"https://{meeting}" if meeting else "")
    assert listed == found


def test_whether_files_hang_on_an_event_is_read_without_reading_them(family: Family) -> None:
    """Google is asked for their addresses only."""
    files = [{"fileUrl": "https://drive.example.com/menu", "title": "Secret menu", "mimeType": "text/plain"}]
    family.google.put_raw(ANNA, {"id": "dinner", "attachments": files})
    family.google.put_raw(ANNA, {"id": "lunch"})
    answers: list[bytes] = []
    family.wire.amend = lambda _request, answer: answers.append(answer.body)

    found = [family.anna.get(ANNA, name).attached for name in ("dinner", "lunch")]

    assert found == [True, False]
    assert not any(b"Secret menu" in answer for answer in answers)


def test_the_zone_of_the_end_is_read(family: Family) -> None:
    """Days have none."""
    tokyo = {"dateTime": "2026-12-02T12:00:00+09:00", "timeZone": "Asia/Tokyo"}
    family.google.create_event(ANNA, {"id": "flight", "end": tokyo})
    family.google.create_event(ANNA, {"id": "leave", "start": {"date": "2026-12-01"}, "end": {"date": "2026-12-02"}})

    zones = [
        (event.time_zone, event.end_time_zone)
        for event in (family.anna.get(ANNA, "flight"), family.anna.get(ANNA, "leave"))
    ]

    assert zones == [(ZONE, "Asia/Tokyo"), ("", "")]
