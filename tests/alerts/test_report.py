"""The daily report: true figures in plain words, once a day, whatever happens to the process and to the clock."""

import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from addon.alerts.alerts import Alerts
from addon.alerts.daily import Daily, Told, begun, due, gathered
from addon.alerts.judge import Message, Trouble
from addon.alerts.report import Day, report
from calbot.google.transport import Meter
from calbot.status import Snapshot
from calbot.store import figures as store_figures
from calbot.store import switches
from calbot.store.database import Database
from calbot.store.figures import Figures
from tests.engine.test_copies import edit
from tests.google_server.values import Doc
from tests.household import ANNA, BOB, CAROL, FAMILY, INVITE_BOB, NOON
from tests.simulation.machine import Disk, Seams, SeededRandom, VirtualClock
from tests.simulation.simulation import DAY, Simulation
from tests.web.world import NOW, SNAPSHOT

Simulate = Callable[..., Simulation]
Begin = Callable[..., "Story"]
HOUR = 3600.0
BERLIN = ZoneInfo("Europe/Berlin")
SEVEN = dt.time(7)
BIRTHDAY: Doc = {
    "start": {"date": "2026-12-24"},
    "end": {"date": "2026-12-25"},
    "eventType": "birthday",
    "visibility": "private",
    "transparency": "transparent",
    "recurrence": ["RRULE:FREQ=YEARLY"],
}
QUIET = Figures(calendars=3, last_success=NOW - 20)
OLD = msgspec.structs.replace(SNAPSHOT, started_at=NOW - 5 * DAY)


def day(figures: Figures = QUIET, snapshot: Snapshot = OLD, *alerts: Trouble, reads: int = 4320) -> Day:
    """A day of this household."""
    return Day(figures=figures, snapshot=snapshot, reads=reads, calls=(0.2, 0.25, 3.0), alerts=alerts, now=NOW)


def at(text: str, zone: ZoneInfo = BERLIN, fold: int = 0) -> float:
    """A local time, in epoch seconds."""
    return dt.datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).timestamp()


# What it says


def test_a_day_on_which_nothing_happened_says_so_and_that_it_looked() -> None:
    """Honest zeros; nothing is made up."""
    told = report(day())

    assert told == Message(
        kind="report",
        title="Calbot today: nothing to do",
        text="Nothing happened in the last 24 hours.\n"
        "3 calendars were read 4320 times, each of them in the last 20 seconds.\n"
        "Sign-ins: 1 of 1 account works.\n"
        "No alert stands.\n"
        "Google took 0.25 s as a rule and 3.0 s at most, in the last 3 calls.\n"
        "Calbot has been running for 5 days.",
    )


def test_a_busy_day_is_counted_with_what_wants_a_look() -> None:
    """The first two in the title, everything in the text, in at most fifteen lines."""
    busy = Figures(
        events=2,
        guests=3,
        undone=1,
        copies_made=1,
        copies_updated=4,
        copies_removed=2,
        originals_deleted=1,
        originals_restored=1,
        failed=3,
        reasons=(("Google answered 403 forbidden.", 2), ("Google answered 404.", 1)),
        discarded=1,
        held=6,
        calendars=1,
        last_success=NOW - 90,
        alerts_raised=2,
        alerts_cleared=1,
    )
    standing = Trouble(kind="broker", text="No MQTT broker answers.\nmore", since=NOW, seen=NOW, raised=NOW)

    told = report(day(busy, msgspec.structs.replace(SNAPSHOT, started_at=NOW - 5 * HOUR), standing, reads=1))

    done = (
        "3 invitations to 2 events, 1 copy made, 4 copies brought up to date, 2 copies taken away, "
        "1 original deleted, 1 original brought back, 1 event undone and 1 event discarded"
    )
    assert told.title == "Calbot today: 3 invitations to 2 events and 1 copy made; 2 things to look at"
    assert told.text.splitlines() == [
        f"In the last 24 hours: {done}.",
        "1 calendar was read 1 time since Calbot started 5 hours ago, last 2 minutes ago.",
        "6 events wait for you: press Approve or Discard in the panel.",
        "3 events failed, 2 of them so: Google answered 403 forbidden.",
        "Sign-ins: 1 of 1 account works.",
        "2 alerts came up, 1 went away. Standing: No MQTT broker answers.",
        "Google took 0.25 s as a rule and 3.0 s at most, in the last 3 calls.",
        "Calbot has been running for 5 hours.",
    ]


def test_a_dead_sign_in_and_an_unread_calendar_are_in_it() -> None:
    """A report of a Calbot that does not work says that."""
    account = msgspec.structs.replace(OLD.accounts[0], signed_in=False)

    told = report(day(Figures(), msgspec.structs.replace(OLD, accounts=(account,))))

    assert f"{ANNA} needs you to sign in again." in told.text and "0 of 1 account work." in told.text
    assert "No calendar has been read yet." in told.text and told.title.endswith("1 thing to look at")


def test_without_an_account_it_is_a_report_all_the_same() -> None:
    """Nothing to count, nothing that breaks."""
    bare = Day(
        figures=Figures(),
        snapshot=Snapshot(started_at=NOW, settings=SNAPSHOT.settings),
        reads=0,
        calls=(),
        alerts=(),
        now=NOW,
    )

    assert "No Google account is signed in." in report(bare).text


def test_strangers_words_stay_on_their_line() -> None:
    """What Google answers, or a calendar is called, breaks no line and fills no screen."""
    failed = msgspec.structs.replace(QUIET, failed=1, reasons=(("x\n\x1b[31m" + "y" * 2000, 1),))

    told = report(day(failed))

    assert max(map(len, told.text.splitlines())) <= 300 and "\x1b" not in told.text


# Where the figures are from


def test_the_figures_are_those_of_the_store(simulate: Simulate) -> None:
    """Invitations, copies made, changed and removed, an undo, a refusal, a held pass: each as it was."""
    mirroring = msgspec.structs.replace(INVITE_BOB, central_calendar=FAMILY)
    simulation = simulate(settings=mirroring, people=(ANNA, BOB, CAROL))
    simulation.google.add_calendar(ANNA, FAMILY)
    simulation.until_quiet()
    before = simulation.clock.now()
    dinner, lunch = simulation.create(summary="Dinner"), simulation.create(summary="Lunch")
    simulation.google.add_fault("forbidden", operation="events.patch", event=lunch)
    copied = simulation.create(summary="Carol is born", **BIRTHDAY)
    simulation.until_quiet()
    edit(simulation, copied, summary="Carol was born")
    simulation.until_quiet()
    simulation.google.delete_event(ANNA, copied)
    simulation.until_quiet()
    simulation.ask("undo", event_id=dinner)
    simulation.until_quiet()
    for _ in range(51):
        simulation.google.create_event(ANNA, {"summary": "Import"})
    simulation.run(300)

    now = simulation.clock.now()
    found = store_figures.figures(simulation.database.read(), before, now)
    earlier = store_figures.figures(simulation.database.read(), 0.0, before)

    assert (found.events, found.guests, found.undone) == (1, 1, 1)
    assert (found.copies_made, found.copies_updated, found.copies_removed) == (1, 1, 1)
    assert found.failed == 1 and "403" in found.reasons[0][0] and found.held == 51
    assert found.calendars == 2 and found.last_success is not None and now - found.last_success <= 120
    assert (earlier.events, earlier.copies_made, earlier.failed) == (0, 0, 0)


def test_readings_are_counted(simulate: Simulate) -> None:
    """Those that went well, of the last day alone; what an earlier life did is not claimed."""
    simulation = simulate()
    simulation.run(3 * HOUR)
    three_hours = simulation.engine.board.reads(simulation.clock.now() - DAY)
    simulation.google.add_fault("closeBefore", operation="events.list", count=None)
    simulation.run(HOUR)
    failing = simulation.engine.board.reads(simulation.clock.now() - DAY)
    simulation.google.clear_faults()
    simulation.restart()

    calls = [status for status in simulation.calls("events.list") if status == 200]
    assert three_hours == failing == len(calls) >= 170
    assert simulation.engine.board.reads(simulation.clock.now() - DAY) == 0


# When it is sent


class Story:
    """A daily report on a virtual clock and a real store, looked after every ten minutes."""

    def __init__(self, data: Path, start: float, time: dt.time | None = SEVEN, zone: str = "Europe/Berlin") -> None:
        self.clock = VirtualClock(start)
        self.seams = Seams()
        self.disk = Disk(self.seams)
        self.database = Database(data, connect=self.disk.connect)
        self.database.open()
        self.zone = zone
        self.sent: list[float] = []
        self.unreadable = False
        self.begin(time)

    def begin(self, time: dt.time | None = SEVEN) -> None:
        """A start of the process."""
        self.daily = Daily(time, self.zone, self.database, self.clock, day=self.gathered, send=self.send)
        self.daily.open()

    def gathered(self) -> Day:
        if self.unreadable:
            with self.database.write():
                pass
        return day()

    def send(self, message: Message) -> None:
        assert message.kind == "report"
        self.sent.append(self.clock.now())

    def end(self) -> None:
        """Leave the directory."""
        self.disk.drop()
        self.database.close()

    def live(self, until: str, step: float = 600.0) -> list[str]:
        """Let time pass until then; the local times of what was sent meanwhile."""
        before, zone = len(self.sent), ZoneInfo(self.zone)
        while self.clock.now() < at(until, zone):
            self.daily.look()
            self.clock.sleep(step)
        return [f"{dt.datetime.fromtimestamp(one, zone):%m-%d %H:%M}" for one in self.sent[before:]]


@pytest.fixture
def begin(data: Path) -> Iterator[Begin]:
    """Begins a story in the data directory."""
    made: list[Story] = []

    def one(*parts: Any) -> Story:
        made.append(Story(data, *parts))
        return made[-1]

    yield one
    for story in made:
        story.end()


def test_it_comes_once_a_day_at_its_time(begin: Begin) -> None:
    """In the household's zone; asked for in the afternoon it begins tomorrow."""
    story = begin(at("2026-11-20 15:00"))

    assert story.live("2026-11-23 12:00") == ["11-21 07:00", "11-22 07:00", "11-23 07:00"]


def test_asked_for_in_the_morning_it_comes_today(begin: Begin) -> None:
    """Its time has not come yet."""
    assert begin(at("2026-11-20 05:00")).live("2026-11-20 12:00") == ["11-20 07:00"]


def test_restarts_repeat_nothing_and_forget_nothing(begin: Begin) -> None:
    """Twenty of them around its time."""
    story = begin(at("2026-11-20 03:00"))
    sent: list[str] = []
    for hour in range(4, 24):
        sent += story.live(f"2026-11-20 {hour:02d}:00")
        story.begin()

    assert sent == ["11-20 07:00"]


def test_what_was_missed_comes_when_calbot_is_up_again_on_the_same_day(begin: Begin) -> None:
    """Not a day later, and one that was missed for days comes once."""
    story = begin(at("2026-11-20 15:00"))
    story.clock.to(at("2026-11-21 18:00"))
    story.begin()
    late = story.live("2026-11-22 06:00")
    story.clock.to(at("2026-11-26 02:00"))
    story.begin()

    assert late == ["11-21 18:00"] and story.live("2026-11-26 12:00") == ["11-26 07:00"]


def test_another_time_counts_from_when_it_is_asked_for(begin: Begin) -> None:
    """To a time that is over: tomorrow. After today's report: no second one. Switched off and on: as at first."""
    story = begin(at("2026-11-20 05:00"))
    story.live("2026-11-20 12:00")
    story.begin(dt.time(20))
    twice = story.live("2026-11-20 23:00")
    evening = story.live("2026-11-21 12:00")
    story.begin(dt.time(9))
    over = story.live("2026-11-21 23:30")
    story.begin(None)
    off = story.live("2026-11-25 12:00")
    story.begin(dt.time(9))

    assert (twice, evening, over, off) == ([], [], [], [])
    assert story.live("2026-11-26 12:00") == ["11-26 09:00"]


@pytest.mark.parametrize(
    ("time", "start", "until", "sent"),
    [
        (dt.time(2, 30), "2026-03-28 12:00", "2026-03-30 12:00", ["03-29 03:30", "03-30 02:30"]),
        (dt.time(2, 30), "2026-10-24 12:00", "2026-10-26 12:00", ["10-25 02:30", "10-26 02:30"]),
        (dt.time(0, 0), "2026-03-28 12:00", "2026-03-30 12:00", ["03-29 00:00", "03-30 00:00"]),
        (dt.time(23, 50), "2026-10-24 12:00", "2026-10-26 12:00", ["10-24 23:50", "10-25 23:50"]),
    ],
)
def test_days_of_23_and_25_hours_have_one_report_each(
    begin: Begin, time: dt.time, start: str, until: str, sent: list[str]
) -> None:
    """A time that does not exist is an hour later; of one that comes twice the first is meant."""
    story = begin(at(start), time)

    assert story.live(until) == sent


def test_the_first_of_two_equal_times_is_meant() -> None:
    """Half past two in summer time; an hour later it is told already."""
    first, second = at("2026-10-25 02:30", fold=0), at("2026-10-25 02:30", fold=1)

    assert second - first == HOUR
    assert due(dt.time(2, 30), BERLIN, first, None) == dt.date(2026, 10, 25)
    assert due(dt.time(2, 30), BERLIN, first - 1, None) is None
    assert due(dt.time(2, 30), BERLIN, second, dt.date(2026, 10, 25)) is None


def test_midnight_that_does_not_exist_is_one_oclock(begin: Begin) -> None:
    """Where clocks are changed at midnight."""
    story = begin(at("2026-03-28 12:00", ZoneInfo("Asia/Beirut")), dt.time(0), "Asia/Beirut")

    assert story.live("2026-03-30 12:00") == ["03-29 01:00", "03-30 00:00"]


def test_a_clock_that_was_wrong_for_a_while_does_not_silence_it() -> None:
    """A year ahead: the day that was written down is not today."""
    wrong = Told(SEVEN, dt.date(2027, 11, 20))

    assert begun(SEVEN, BERLIN, at("2026-11-20 08:00"), wrong) == dt.date(2027, 11, 20)
    assert due(SEVEN, BERLIN, at("2026-11-20 08:00"), dt.date(2027, 11, 20)) == dt.date(2026, 11, 20)


def test_a_full_disk_keeps_nobody_from_hearing_and_repeats_nothing(begin: Begin) -> None:
    """What could not be written down is remembered as long as the process lives."""
    story = begin(at("2026-11-20 05:00"))
    story.seams.disk_full = True

    assert story.live("2026-11-20 20:00") == ["11-20 07:00"]


def test_figures_that_cannot_be_read_are_waited_for(begin: Begin) -> None:
    """The report comes when they can."""
    story = begin(at("2026-11-20 05:00"))
    story.unreadable = story.seams.disk_full = True
    before = story.live("2026-11-20 09:00")
    story.seams.disk_full = False

    assert before == [] and story.live("2026-11-20 12:00") == ["11-20 09:00"]


def test_a_note_of_another_version_stops_nothing(begin: Begin) -> None:
    """It counts as asked for anew."""
    story = begin(at("2026-11-20 05:00"))
    with story.database.write() as tx:
        switches.remember(tx, "report", '{"at": 7}')
    story.begin()

    assert story.live("2026-11-20 12:00") == ["11-20 07:00"]


def test_before_the_store_is_open_nothing_is_sent(begin: Begin) -> None:
    """Nobody knows yet whether it was."""
    story = begin(at("2026-11-20 05:00"))
    story.daily = Daily(SEVEN, "UTC", story.database, story.clock, day=day, send=story.send)

    assert story.live("2026-11-20 12:00") == []


def test_all_of_it_together(simulate: Simulate) -> None:
    """From an event on Google to the words of the next morning."""
    simulation = simulate()
    simulation.until_quiet()
    sent: list[Message] = []
    meter = Meter()
    alerts = Alerts(simulation.database, simulation.clock, SeededRandom(1), send=sent.append, said=lambda: None)
    meter.measured(0.2, NOON, None)

    def gather() -> Day:
        return gathered(simulation.database, simulation.engine.board, meter, alerts, simulation.clock)

    daily = Daily(SEVEN, "Europe/Berlin", simulation.database, simulation.clock, day=gather, send=sent.append)
    daily.open()
    simulation.create()
    for _ in range(24 * 12):
        simulation.run(300)
        daily.look()

    (told,) = sent
    assert told.title == "Calbot today: 1 invitation to 1 event"
    assert "1 calendar was read" in told.text and "since Calbot started 18 hours ago" in told.text
    assert "Google took 0.20 s" in told.text
