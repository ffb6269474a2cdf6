"""People, rules, accounts, crashes and lost answers in any order: copies are what the rules say, and nothing is lost.

`CALBOT_SWARM=5000` tries more of it, `CALBOT_SWARM_FROM=7` another lot; the steps that fail are printed as a program,
and the same two numbers run them again. With `CALBOT_SWARM_SHRINK=1` hypothesis takes minutes to make them few.
"""

import json
import logging
import os
import random
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from functools import partial, wraps
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from calbot.model import CalendarKey
from calbot.sides import verified
from tests.conftest import MEMORY
from tests.google_server import recurrence
from tests.google_server.errors import Refusal
from tests.google_server.faults import Fault
from tests.google_server.values import Doc, Request, Response
from tests.household import FAMILY
from tests.simulation.asked import is_ours
from tests.simulation.copies import Copies
from tests.simulation.households import HOMES, PEOPLE, WISHES, WORK, era, furnish, options, possible, watched
from tests.simulation.machine import Crash, Seams, SeededRandom, SimulatedAccounts, Wire
from tests.simulation.simulation import Simulation
from tests.simulation.town import Town

EXAMPLES = int(os.environ.get("CALBOT_SWARM", "300")) // 20
FIRST = int(os.environ.get("CALBOT_SWARM_FROM", "1"))
PHASES = [Phase.generate, Phase.shrink] if os.environ.get("CALBOT_SWARM_SHRINK") else [Phase.generate]
FAULTS = {
    "insert": ["closeAfter", "closeBefore", "errorAfter", "truncated", "hang", "unavailable", "tooManyRequests"],
    "patch": ["closeAfter", "closeBefore", "errorAfter", "truncated", "hang", "internalError", "conditionNotMet"],
    "delete": ["closeAfter", "closeBefore", "errorAfter", "hang", "badGateway", "rateLimitExceeded"],
    "get": ["unavailable", "closeAfter", "notJson", "userRateLimitExceeded"],
    "list": ["unavailable", "closeBefore", "truncated", "fullSyncRequired", "rateLimitExceeded"],
}
SEAMS = (
    "before a commit",
    "after a commit",
    "before a call",
    "after a write, before its answer",
    "after a call, its answer lost",
    "after a call",
)
WORDS = ("Plan", "Move", "Party", "Secret", "Plan", "Move")
KINDS = (
    "single",
    "single",
    "all day",
    "series",
    "series",
    "days",
    "private",
    "birthday",
    "focus",
    "outside",
    "with others",
)
TUESDAYS = (5, 12, 19, 26)
HAPPENED: Counter[str] = Counter()
"""What all examples together brought about: a run that passes because nothing happened is no proof."""
places = st.integers(0, 40)
laters = st.sampled_from([None, None, 0, 1, 2, 3, 5, 8])
waits = st.sampled_from([0, 0, 1, 61, 130])
Act = Callable[..., None]


def deed(**parts: st.SearchStrategy[Any]) -> Callable[[Act], Any]:
    """Something that may happen, and then some time passes."""

    def made(act: Act) -> Any:
        @wraps(act)
        def step(self: Any, wait: int, **drawn: object) -> None:
            act(self, **drawn)
            if wait:
                self.time_passes(wait)
            self.judge()

        step.__annotations__ = {}
        given: dict[str, Any] = {"wait": waits, **parts}
        return rule(**given)(step)  # type: ignore[no-untyped-call]

    return made


def at(day: int, hour: int, zone: str = "Europe/Berlin", month: int = 1) -> Doc:
    """A time of early 2027."""
    return {"dateTime": f"2027-{month:02}-{day:02}T{hour:02}:00:00", "timeZone": zone}


class Surprises(logging.Handler):
    """Takes what the engine's bulkheads have caught."""

    def __init__(self, wrong: list[str]) -> None:
        super().__init__(logging.ERROR)
        self._wrong = wrong

    def emit(self, record: logging.LogRecord) -> None:
        self._wrong.append(logging.Formatter().format(record))


class AnyCopies(RuleBasedStateMachine):
    """A household with copies and its Calbot, or two; each rule is something that may happen next."""

    @initialize(
        home=st.sampled_from([0, 1, 2, 3, 4, 2, 3]),
        number=places,
        second=st.sampled_from([False, False, True]),
        deletes=st.sampled_from([True, True, False]),
        grace=st.sampled_from([300, 300, 3600]),
        removals=st.sampled_from([1000, 1000, 1]),
        revive=st.sampled_from(["allow", "allow", "refuse"]),
        kinds=st.lists(st.tuples(st.sampled_from(KINDS), st.sampled_from(WORDS)), min_size=2, max_size=5),
        before=st.booleans(),
    )
    def begin(
        self,
        home: int,
        number: int,
        second: bool,
        deletes: bool,
        grace: int,
        removals: int,
        revive: str,
        kinds: list[tuple[str, str]],
        before: bool,
    ) -> None:
        """Calendars are known, perhaps with an event that was there before; then some events come."""
        self.home = HOMES[home]
        self.possible = possible(self.home)
        self.wish = WISHES[self.possible[number % len(self.possible)]]
        self.given = {"deletes": deletes, "grace": grace, "removals": removals}
        self.mirroring, self.dry, self.eras, self.count = True, False, 0, 0
        self.meanwhile: list[tuple[int, Act]] = []
        self.close: list[tuple[int, Act]] = []
        """As `meanwhile`, but in the middle of what is not a listing."""
        self.lies: list[str] = []
        self.folders = [Path(tempfile.mkdtemp(prefix="calbot-", dir=MEMORY if MEMORY.is_dir() else None))]
        first = Simulation(self.folders[0], settings=self._settings(), signed_in=tuple(self.home), people=PEOPLE)
        simulations = [first]
        furnish(first.world)
        if second:
            self.folders.append(Path(tempfile.mkdtemp(prefix="calbot-", dir=MEMORY if MEMORY.is_dir() else None)))
            signed_in = tuple(self.home)
            more = Simulation(self.folders[1], settings=self._settings(), signed_in=signed_in, beside=first, seed=2)
            simulations.append(more)
        self.google, self.world = first.google, first.world
        self.world.switches.revive = revive
        self.town = Town(simulations)
        self.copies = Copies(self.town, watched(self.home), self._era())
        self.surprises = Surprises(self.copies.wrong)
        logging.getLogger("calbot").addHandler(self.surprises)
        if before:
            self._create("series", "Plan", 0, before_us=True)
        for simulation in simulations:
            simulation.start()
        self.town.until_quiet()
        self.copies.settle()
        for simulation in simulations:
            simulation.wire.during = self._during
            simulation.wire.amend = self._amend
        for kind, word in kinds:
            self._create(kind, word, self.count)
        self.time_passes(61)
        self.judge()

    def teardown(self) -> None:
        """See how it ended, and leave nothing behind."""
        if not hasattr(self, "copies"):
            return
        try:
            if sys.exc_info()[0] is None:
                self._end()
        finally:
            logging.getLogger("calbot").removeHandler(self.surprises)
            for simulation in self.town.simulations:
                simulation.die()
            for folder in self.folders:
                shutil.rmtree(folder, ignore_errors=True)

    def _end(self) -> None:
        """At last copies are on, everything is as it must be, and then nobody does anything any more."""
        self.come_to_rest()
        self._switch(mirroring=True, dry=False)
        self.come_to_rest()
        HAPPENED.update(self.copies.count)
        for simulation in self.town.simulations:
            HAPPENED["crashed"] += len(simulation.seams.fired)
            HAPPENED.update(f"{one.event_type} {one.reason or ''}".strip() for one in simulation.outcomes())
        HAPPENED.update(call.fault for call in self.world.calls if call.fault)
        HAPPENED["two installations"] += len(self.town.simulations) - 1

    def judge(self) -> None:
        """Nothing that was written so far was wrong."""
        assert not self.copies.wrong, "\n".join(self.copies.wrong)

    def _settings(self) -> Any:
        return options(self.home, self.wish, **self.given)  # type: ignore[arg-type]

    def _era(self) -> Any:
        self.eras += 1
        return era(self.wish, self._settings(), on=self.mirroring and not self.dry, number=self.eras)

    # People and their events

    @deed(kind=st.sampled_from(KINDS), word=st.sampled_from(WORDS), host=places)
    def create(self, kind: str, word: str, host: int) -> None:
        self._create(kind, word, host)

    def _create(self, kind: str, word: str, host: int, *, before_us: bool = False) -> None:
        self.count += 1
        hosts = [*self.home, *(one for one in (FAMILY, WORK) if any(one in names for names in self.home.values()))]
        calendar = hosts[host % len(hosts)]
        day = TUESDAYS[self.count % 4]
        body: Doc = {
            "summary": f"{word} {self.count}",
            "description": f"Details{self.count}",
            "location": f"Room{self.count}",
            "start": at(day, 10 + self.count % 9),
            "end": at(day, 11 + self.count % 9),
        }
        match kind:
            case "all day" | "days" | "birthday":
                body["start"], body["end"] = {"date": f"2027-01-{day:02}"}, {"date": f"2027-01-{day + 1:02}"}
                if kind == "days":
                    body["recurrence"] = ["RRULE:FREQ=DAILY;COUNT=4"]
            case "series":
                body["start"], body["end"] = at(9 + self.count % 7, 9, month=3), at(9 + self.count % 7, 10, month=3)
                body["recurrence"] = ["RRULE:FREQ=WEEKLY;COUNT=5"]
            case "private":
                body["visibility"] = "private"
        if kind == "birthday":
            body |= {
                "visibility": "private",
                "transparency": "transparent",
                "recurrence": ["RRULE:FREQ=YEARLY;COUNT=3"],
            }
        if kind in {"birthday", "focus"}:
            calendar = calendar if calendar in self.home else next(iter(self.home))
            body["eventType"] = "birthday" if kind == "birthday" else "focusTime"
        if kind == "with others":
            body["attendees"] = [{"email": one} for one in PEOPLE[: 1 + self.count % 3] if one != calendar]
        if kind == "outside":
            calendar = calendar if calendar in self.home else next(iter(self.home))
            self.google.invite_from_outside(calendar, "zoe@example.net", {**body, "id": f"outside{self.count:04}"})
        else:
            self.google.create_event(calendar, body)
        self.copies.look(before_us=before_us)

    def _pick(self, place: int, *, live: bool = True, series: bool | None = None, hosted: bool = True) -> Any:
        """One of people's events: its calendar and its document."""
        found = [
            (calendar.id, row.doc)
            for calendar in self.world.calendars.values()
            for row in calendar.ordered
            if not is_ours(row.doc["id"])
            and row.deleted != live
            and (not hosted or row.doc["organizer"].get("self"))
            and (series is None or bool(row.doc.get("recurrence")) == series)
        ]
        return found[place % len(found)] if found else None

    def _later(self, calls: int | None, act: Act) -> None:
        """Act now, or in the middle of one of the next calls."""
        if calls is None:
            act()
        else:
            self.meanwhile.append((calls, act))

    def _edit(self, calendar: str, event: str, changes: Doc) -> None:
        """A person changes an event, if Google lets them; it may be gone by now."""
        row = self.world.calendars[calendar].rows.get(event)
        if row is None or not row.deleted:
            try:
                self.google.edit_event(calendar, event, changes)
            except (Refusal, KeyError):
                return
            self.copies.look()

    @deed(place=places, word=st.sampled_from(WORDS), later=laters)
    def retitle(self, place: int, word: str, later: int | None) -> None:
        if found := self._pick(place):
            self.count += 1
            changes = {"summary": f"{word} {self.count}", "description": f"Details{self.count}"}
            if found[1].get("eventType") == "birthday":
                del changes["description"]
            self._later(later, partial(self._edit, found[0], found[1]["id"], changes))

    @deed(place=places, hour=st.integers(7, 20), later=laters)
    def reschedule(self, place: int, hour: int, later: int | None) -> None:
        """Another time of the day; an all-day event becomes one of an hour, or the other way round."""
        if (found := self._pick(place)) and "recurringEventId" not in found[1]:
            doc = found[1]
            day = recurrence.value_of(doc["start"]).isoformat()[:10]
            if hour == 7 or (doc.get("eventType") == "birthday"):
                following = f"{day[:8]}{int(day[8:]) + 1:02}"
                changes: Doc = {"start": {"date": day, "dateTime": None, "timeZone": None}, "end": {"date": following}}
                changes["end"] |= {"dateTime": None, "timeZone": None}
            else:
                sides = {"start": hour, "end": hour + 1}
                changes = {
                    side: {"dateTime": f"{day}T{at_:02}:00:00", "timeZone": "Europe/Berlin", "date": None}
                    for side, at_ in sides.items()
                }
            self._later(later, partial(self._edit, found[0], doc["id"], changes))

    @deed(place=places, what=st.sampled_from(["colour", "free", "private", "public", "location", "lines"]))
    def retouch(self, place: int, what: str) -> None:
        """Small things change."""
        if found := self._pick(place):
            self.count += 1
            changes: dict[str, Doc] = {
                "colour": {"colorId": str(1 + self.count % 11)},
                "free": {"transparency": "transparent"},
                "private": {"visibility": "private"},
                "public": {"visibility": "default"},
                "location": {"location": None},
                "lines": {"description": f"Two\r\nlines, Details{self.count} \n"},
            }
            self._edit(found[0], found[1]["id"], changes[what])

    @deed(place=places, count=st.integers(2, 7))
    def repeat_otherwise(self, place: int, count: int) -> None:
        """A series gets shorter, longer, or ends being one; a single event becomes one."""
        if (found := self._pick(place)) and "recurringEventId" not in found[1]:
            lines = [f"RRULE:FREQ=WEEKLY;COUNT={count}"] if count < 7 else None
            changes: Doc = {"recurrence": lines}
            for side in ("start", "end"):
                if "dateTime" in found[1][side]:
                    changes[side] = {"timeZone": found[1][side].get("timeZone") or "Europe/Berlin"}
            self._edit(found[0], found[1]["id"], changes)

    def _date(self, place: int, date: int) -> tuple[str, str] | None:
        """One date of a series."""
        found = self._pick(place, series=True)
        originals = list(recurrence.occurrences(found[1])) if found else []
        if not found or not originals:
            return None
        return found[0], recurrence.instance_id(found[1]["id"], originals[date % len(originals)])

    @deed(place=places, date=st.integers(0, 4), what=st.sampled_from(["title", "hour", "day", "cancel"]), later=laters)
    def change_one_date(self, place: int, date: int, what: str, later: int | None) -> None:
        if found := self._date(place, date):
            self._later(later, partial(self._change_date, *found, what))

    def _change_date(self, calendar: str, event: str, what: str) -> None:
        self.count += 1
        try:
            doc = self.google.event(calendar, event)
        except (Refusal, KeyError):
            return
        if doc["status"] == "cancelled":
            return
        if what == "cancel":
            self.google.delete_event(calendar, event)
            self.copies.look()
        elif what == "title":
            self._edit(calendar, event, {"summary": f"{WORDS[self.count % 6]} {self.count}"})
        elif "dateTime" in doc["start"]:
            step = {"hour": "T{:02}:30:00", "day": "T{:02}:45:00"}[what].format(6 + self.count % 12)
            day = doc["start"]["dateTime"][:10]
            if what == "day":
                day = f"{day[:8]}{int(day[8:]) % 27 + 1:02}"
            start = {"dateTime": day + step, "timeZone": "Europe/Berlin"}
            self._edit(calendar, event, {"start": start, "end": {**start, "dateTime": f"{day}T22:00:00"}})

    @deed(place=places, date=st.integers(1, 3))
    def split(self, place: int, date: int) -> None:
        """This and following: the series ends before a date, and another one begins there."""
        found = self._pick(place, series=True)
        originals = list(recurrence.occurrences(found[1])) if found else []
        if not found or len(originals) <= date or found[1].get("eventType", "default") != "default":
            return
        calendar, doc = found
        self.count += 1
        dates = [recurrence.instance_id("x", one)[2:] for one in originals]
        until = f"RRULE:FREQ={'DAILY' if 'DAILY' in doc['recurrence'][0] else 'WEEKLY'};UNTIL={dates[date - 1]}"
        rest = recurrence.instance(doc, originals[date])
        new: Doc = {key: rest[key] for key in ("start", "end", "description", "location") if key in rest}
        rule_ = until.partition(";")[0] + f";COUNT={len(originals) - date}"
        new |= {
            "id": f"{doc['id']}_R{dates[date].rstrip('Z')}",
            "summary": f"{doc['summary']} on",
            "recurrence": [rule_],
        }
        self.google.edit_event(calendar, doc["id"], {"recurrence": [until]})
        self.google.put_raw(calendar, {**new, "iCalUID": f"{new['id']}@google.com"})
        self.copies.look()

    @deed(place=places, later=laters)
    def delete(self, place: int, later: int | None) -> None:
        if found := self._pick(place, hosted=place % 2 == 0):
            self._later(later, partial(self._delete, found[0], found[1]["id"]))

    def _delete(self, calendar: str, event: str) -> None:
        if not self.world.calendars[calendar].rows[event].deleted:
            self.google.delete_event(calendar, event)
            self.copies.look()

    @deed(place=places)
    def undelete(self, place: int) -> None:
        """A person takes an event out of the bin again."""
        found = self._pick(place, live=False)
        if found and "recurringEventId" not in found[1] and found[1].get("eventType") != "birthday":
            switches, before = self.world.switches, self.world.switches.revive
            switches.revive = "allow"
            self.google.edit_event(found[0], found[1]["id"], {"status": "confirmed"})
            switches.revive = before
            self.copies.look()

    @deed(place=places, who=places, what=st.sampled_from(["add", "remove", "declined", "accepted"]), one=st.booleans())
    def guests_come_and_go(self, place: int, who: int, what: str, one: bool) -> None:
        """Another account is invited, to all of it or to one date; or answers; or is taken off."""
        found = self._date(place, who) if one else None
        if found is None and (picked := self._pick(place)) and picked[1].get("eventType", "default") == "default":
            found = picked[0], picked[1]["id"]
        guest = list(self.home)[who % len(self.home)]
        if found is None or guest == found[0]:
            return
        try:
            present = [str(entry["email"]) for entry in self.google._row(*found).doc.get("attendees", ())]
            if what == "add" and guest not in present:
                self.google.add_guest(*found, guest)
            elif what == "remove" and guest in present:
                self.google.remove_guest(*found, guest)
            elif what in {"declined", "accepted"} and guest in present:
                self.google.rsvp(guest, found[1], what)
        except (Refusal, KeyError):
            return
        self.copies.look()

    # People and copies

    def _copy(self, place: int) -> tuple[str, str] | None:
        """One of the copies; its calendar and its id."""
        found = [
            (calendar.id, str(row.doc["id"]))
            for calendar in self.world.calendars.values()
            for row in calendar.ordered
            if is_ours(row.doc["id"]) and not row.deleted and "_" not in row.doc["id"]
        ]
        return found[place % len(found)] if found else None

    @deed(place=places, what=st.sampled_from(["delete", "delete", "recolour", "retitle"]), later=laters)
    def change_a_copy(self, place: int, what: str, later: int | None) -> None:
        """A person changes or deletes a copy; in the middle of a call, best the one that Calbot is busy with."""
        if later is not None:
            self.meanwhile.append((later, partial(self._change_busy_copy, place, what)))
        elif found := self._copy(place):
            self._change_copy(*found, what)

    def _change_busy_copy(self, place: int, what: str) -> None:
        call = self.world.calls[-1]
        ids = [id_ for id_, meeting in self.copies.meetings.items() if meeting[0].partition("@")[0] == call.event]
        busy = [(one.id, id_) for one in self.world.calendars.values() for id_ in (call.event, *ids) if id_ in one.rows]
        live = [(calendar, id_) for calendar, id_ in busy if is_ours(id_) and not self._row(calendar, id_).deleted]
        if found := live[0] if live else self._copy(place):
            self._change_copy(*found, what)

    def _row(self, calendar: str, event: str) -> Any:
        return self.world.calendars[calendar].rows[event]

    def _change_copy(self, calendar: str, event: str, what: str) -> None:
        self.count += 1
        if self._row(calendar, event).deleted or event.partition("_")[0] not in self.copies.meetings:
            return
        if what == "delete":
            self.google.delete_event(calendar, event)
            self.copies.by_hand(calendar, event, "deleted")
        elif what == "recolour":
            colour = str(1 + self.count % 11)
            self.google.edit_event(calendar, event, {"colorId": colour})
            self.copies.by_hand(calendar, event, "recoloured", colour)
        else:
            self.google.edit_event(calendar, event, {"summary": f"By hand {self.count}"})
            self.copies.by_hand(calendar, event, "changed")
        self.copies.look()

    @deed(place=places, what=st.sampled_from(["delete", "delete", "retitle", "recolour"]), calls=st.integers(0, 11))
    def an_original_is_about_to_go(self, place: int, what: str, calls: int) -> None:
        """Its grace is over; in the middle of the calls of that a person does something to the copy."""
        question = "SELECT retry_at FROM deed WHERE verb = 'delete_original' AND state = 'parked' ORDER BY retry_at"
        lives = [simulation for simulation in self.town.simulations if simulation.lives_now]
        due = [row[0] for simulation in lives for row in simulation.database.read().execute(question)]
        if due:
            self.town.run(max(0.0, min(due) - self.town.clock.now() - 1.0))
            self.close.append((calls, partial(self._change_busy_copy, place, what)))
            self.time_passes(30)

    @deed(place=places, date=st.integers(0, 4))
    def delete_a_date_of_a_copy(self, place: int, date: int) -> None:
        found = self._copy(place)
        doc = self._row(*found).doc if found else {}
        originals = list(recurrence.occurrences(doc)) if doc.get("recurrence") else []
        if not found or not originals:
            return
        event = recurrence.instance_id(found[1], originals[date % len(originals)])
        row = self.world.calendars[found[0]].rows.get(event)
        if row is None or not row.deleted:
            self.google.delete_event(found[0], event)
            self.copies.by_hand(found[0], event, "deleted")
            self.copies.look()

    @deed(place=places)
    def bring_a_copy_back(self, place: int) -> None:
        """A person takes a copy out of the bin that they had put there."""
        hand = [where for where in self.copies.by_person if "_" not in where[1] and self._row(*where).deleted]
        if hand and self.world.switches.revive == "allow":
            calendar, event = hand[place % len(hand)]
            self.google.edit_event(calendar, event, {"status": "confirmed"})
            self.copies.by_hand(calendar, event, "brought back")

    # Time, and what goes wrong

    def _during(self) -> None:
        waiting, self.meanwhile = self.meanwhile, []
        self.meanwhile += [(calls - 1, act) for calls, act in waiting if calls]
        ready = [act for calls, act in waiting if not calls]
        if self.world.calls[-1].operation != "events.list":
            waiting, self.close = self.close, []
            self.close += [(calls - 1, act) for calls, act in waiting if calls]
            ready += [act for calls, act in waiting if not calls]
        for act in ready:
            act()

    def _amend(self, request: Request, answer: Response) -> None:
        """A full listing may lack what is there: all of it, or every second event."""
        whole = request.method == "GET" and request.path.endswith("/events") and request.one("syncToken") is None
        if not (self.lies and whole and answer.status == 200):
            return
        kind, listing = self.lies.pop(), json.loads(answer.body)
        calendar = str(self.world.calls[-1].calendar)
        unchanged = [(calendar, one["id"]) for one in listing.get("items", ())]
        gone = {
            event
            for number, (name, event) in enumerate(unchanged)
            if (known := self.copies.known.get((name, event))) and known.settled and (kind == "empty" or number % 2)
        }
        listing["items"] = [one for one in listing.get("items", ()) if one["id"] not in gone]
        HAPPENED[f"{kind} listing"] += bool(gone)
        answer.body = json.dumps(listing).encode()

    def time_passes(self, seconds: float) -> None:
        """Whoever dies of it lives again afterwards."""
        self.town.run(seconds)
        self.town.revive()

    @rule(seconds=st.sampled_from([61, 400, 4000]))
    def wait(self, seconds: int) -> None:
        self.time_passes(seconds)
        self.judge()

    @deed(crossings=st.integers(1, 14), who=places)
    def a_crash_is_near(self, crossings: int, who: int) -> None:
        seams = self.town.simulations[who % len(self.town.simulations)].seams
        seams.crash_at |= {len(seams.crossed) + crossings}

    @deed(place=st.sampled_from(SEAMS), who=places)
    def a_crash_is_certain(self, place: str, who: int) -> None:
        self.town.simulations[who % len(self.town.simulations)].seams.crash_next = place

    @rule(who=places)
    def restart(self, who: int) -> None:
        self._restart(self.town.simulations[who % len(self.town.simulations)])

    def _restart(self, simulation: Simulation) -> None:
        try:
            simulation.restart(self._settings())
        except Crash:
            simulation.die()
        self.town.revive()

    @rule(
        what=st.sampled_from([(name, kind) for name, kinds in FAULTS.items() for kind in kinds]),
        count=st.sampled_from([1, 1, 2, 4]),
        skip=st.integers(0, 2),
    )
    def an_answer_goes_wrong(self, what: tuple[str, str], count: int, skip: int) -> None:
        name, kind = what
        self.world.faults.add(Fault(kind=kind, operation=f"events.{name}", count=count, skip=skip))

    @rule(lies=st.lists(st.sampled_from(["empty", "partial"]), max_size=3), page=st.integers(0, 3))
    def sync_tokens_expire(self, lies: list[str], page: int) -> None:
        self.google.expire_sync_tokens()
        self.lies = lies
        self.world.switches.page_sizes = [page, 2] if page else []

    # Options and switches

    def _settle_first(self, first: bool) -> None:
        if first:
            self.come_to_rest()

    @deed(number=places, deletes=st.booleans(), first=st.sampled_from([True, True, False]))
    def options_change(self, number: int, deletes: bool, first: bool) -> None:
        self._settle_first(first)
        self.wish = WISHES[self.possible[number % len(self.possible)]]
        self.given["deletes"] = deletes
        for simulation in self.town.simulations:
            simulation.die()
            simulation.settings = self._settings()
        self.copies.new_era(self._era())
        self.town.revive()

    @deed(
        mirroring=st.booleans(), dry=st.sampled_from([False, False, True]), first=st.sampled_from([True, True, False])
    )
    def switch(self, mirroring: bool, dry: bool, first: bool) -> None:
        self._settle_first(first)
        self._switch(mirroring=mirroring, dry=dry)

    def _switch(self, *, mirroring: bool, dry: bool) -> None:
        if (mirroring, dry) == (self.mirroring, self.dry):
            return
        self.mirroring, self.dry = mirroring, dry
        self.copies.begin_era(self._era())
        for key, value in (("mirroring", mirroring), ("dry_run", dry)):
            self.town.ask("set", key=key, value=value)
        self.copies.new_era(self.copies.era)

    @deed(command=st.sampled_from(["resume", "pause"]))
    def pause_or_resume(self, command: str) -> None:
        self.town.ask(command)

    @deed(command=st.sampled_from(["approve", "discard"]))
    def answer_what_is_held(self, command: str) -> None:
        if any(simulation.held_rows() for simulation in self.town.simulations if simulation.lives_now):
            HAPPENED[command] += 1
            self.town.ask(command)

    @rule()
    def come_to_rest(self) -> None:
        """Everything is as it must be once nothing is left to do; then nothing is done, at one call for a calendar."""
        self.town.ask("resume")
        self.town.until_quiet(within=4 * 86_400.0)
        self.meanwhile.clear()
        self.close.clear()
        complaints = self.copies.complaints()
        assert not complaints, "\n".join(complaints)
        self.copies.settle()
        self._quiet()

    def _quiet(self) -> None:
        self.world.faults.clear()
        self.town.run(70)
        self.town.until_quiet()
        began = len(self.world.calls)
        self.town.run(119)
        calls = [call for call in self.world.calls[began:] if call.operation != "oauth.token"]
        seen = self.copies.watched
        lists = Counter(
            (call.account if call.calendar in seen.get(call.account, ()) else "", call.calendar) for call in calls
        )
        others = [(call.operation, call.calendar, call.event) for call in calls if call.operation != "events.list"]
        assert others == []
        assert max(lists.values()) <= 3 * len(self.town.simulations), f"not quiet: {lists}"
        self.judge()
        self._verify()

    def _verify(self) -> None:
        """`calbot mirror verify` finds nothing either, but for copies that a person has rewritten."""
        for simulation in self.town.simulations:
            workers = simulation.engine.workers.values() if simulation.lives_now else ()
            seen = {CalendarKey(worker.email, calendar) for worker in workers for calendar in worker.reading.sources}
            if not seen:
                continue
            rules = [rule for worker in workers for rule in simulation.engine.orders(worker.email).policy.rules]
            targets = {rule.mirror for rule in rules if rule.mirror is not None}
            wire = Wire(self.world, simulation.clock, Seams())  # No crash and no fault is meant for this one.
            reader = SimulatedAccounts(self.world, wire, simulation.clock, SeededRandom(EXAMPLES))
            reader._refresh_tokens = simulation.accounts._refresh_tokens
            began = len(self.world.calls)
            looked = verified(simulation.database, reader.calendars, seen, targets, lambda: None)
            del self.world.calls[began:]
            by_person = {event.partition("_")[0] for _, event in self.copies.by_person}
            found = [one for one in looked.compared.differences if one.event_id.partition("_")[0] not in by_person]
            assert found == [], found
            HAPPENED["verified"] += looked.compared.copies


def test_in_any_order_copies_are_what_the_rules_say_and_no_original_is_lost() -> None:
    """Some households by default; every write is judged as it is made, and the whole whenever all is quiet."""
    run_state_machine_as_test(
        seed(FIRST)(AnyCopies),
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=30,
            deadline=None,
            database=None,
            print_blob=True,
            phases=PHASES,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )

    wanted = {"made", "updated", "removed", "deleted by hand", "crashed", "verified"}
    assert HAPPENED["verified"], "no copy was looked at"
    if EXAMPLES >= 150:
        wanted |= {"date updated", "series made", "original deleted", "recoloured by hand", "two installations"}
        assert any(HAPPENED[kind] for kinds in FAULTS.values() for kind in kinds), "no fault fired"
    assert {what for what in wanted if EXAMPLES >= 10 and not HAPPENED[what]} == set()


def test_whatever_happens_around_its_deletion_no_original_is_lost() -> None:
    """Someone removes or changes the copy at any call of it; answers are lost, processes die, installations are two."""
    done: Counter[str] = Counter()
    for number in range(EXAMPLES * 3):
        chance = random.Random(f"originals {FIRST} {number}")
        machine = AnyCopies()
        home, seams = chance.choice([0, 1, 3]), chance.choice([None, None, *SEAMS])
        steps: list[object] = [("home", home), ("seam", seams)]
        try:
            machine.begin(
                home=home,
                number=len(possible(HOMES[home])) - chance.choice([1, 2]),
                second=chance.random() < 0.3,
                deletes=True,
                grace=300,
                removals=1000,
                revive=chance.choice(["allow", "allow", "refuse"]),
                kinds=[("single", "Move")] * chance.choice([1, 2]),
                before=False,
            )
            if chance.random() < 0.5:
                name = chance.choice(["delete", "get", "patch"])
                machine.an_answer_goes_wrong((name, chance.choice(FAULTS[name])), 1, chance.randint(0, 3))
            calls, what = number % 12, chance.choice(["delete", "delete", "delete", "retitle"])
            steps += [("calls", calls), ("what", what), *machine.world.faults.waiting]
            machine.town.simulations[0].seams.crash_next = seams if chance.random() < 0.5 else None
            machine.an_original_is_about_to_go(place=0, what=what, calls=calls, wait=chance.choice([0, 1, 130]))
            machine.town.simulations[-1].seams.crash_next = seams
            machine.come_to_rest()
            done.update(machine.copies.count)
        except AssertionError as error:
            error.add_note(f"household {number} of CALBOT_SWARM_FROM={FIRST}: {steps}")
            raise
        finally:
            machine.teardown()

    if EXAMPLES >= 10:
        assert {what for what in ("original deleted", "restored", "deleted by hand") if not done[what]} == set()
    print(dict(done))
