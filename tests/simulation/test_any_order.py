"""People, commands, crashes, lost answers and old backups in any order: nobody is invited twice or against a will.

`CALBOT_SWARM=5000` tries more of it, `CALBOT_SWARM_FROM=7` another lot; the steps that fail are printed as a program,
and the same two numbers run them again. With `CALBOT_SWARM_SHRINK=1` hypothesis takes minutes to make them few.
"""

import contextlib
import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from functools import wraps
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from calbot.model import Answer
from calbot.policy import Match, Rule
from calbot.settings import Settings
from calbot.store import commands
from tests.conftest import MEMORY
from tests.google_server.faults import Fault
from tests.google_server.values import Doc
from tests.household import ANNA, BOB, CAROL
from tests.simulation.book import DAVE, OURS, Book, Page, Plan
from tests.simulation.machine import Crash
from tests.simulation.simulation import Simulation

EXAMPLES = int(os.environ.get("CALBOT_SWARM", "300")) // 3
FIRST = int(os.environ.get("CALBOT_SWARM_FROM", "1"))
PHASES = [Phase.generate, Phase.shrink] if os.environ.get("CALBOT_SWARM_SHRINK") else [Phase.generate]
HOME = Settings(time_zone="Europe/Berlin", invites_per_hour=1000)
RULES = (
    (Rule("everything", (BOB,)),),
    (Rule("everything", (BOB, DAVE)),),
    (Rule("parties", (DAVE,), match=Match(title="Party"), goes_on=True), Rule("everything", (BOB,))),
    (Rule("parties only", (BOB,), match=Match(title="Party")),),
    (Rule("no parties", skip=True, match=Match(title="Party")), Rule("everything", (BOB,))),
    (),
)
FAULTS = {
    "patch": [
        "closeAfter",
        "closeBefore",
        "errorAfter",
        "truncated",
        "hang",
        "unavailable",
        "conditionNotMet",
        "conflict",
    ],
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
OTHERS = ("erin@example.com", "Heidi@Example.net")
DATES = ("20270112T180000Z", "20270119T180000Z", "20270126T180000Z")
EVENING: Doc = {
    "start": {"dateTime": "2027-01-05T19:00:00+01:00", "timeZone": "Europe/Berlin"},
    "end": {"dateTime": "2027-01-05T21:00:00+01:00", "timeZone": "Europe/Berlin"},
}
Act = Callable[..., None]
HAPPENED: Counter[str] = Counter()
"""What all examples together brought about: a run that passes because nothing happened is no proof."""
places = st.integers(0, 30)
laters = st.sampled_from([None, None, 0, 1, 2, 3])
waits = st.sampled_from([0, 0, 1, 61, 130])
ours = st.sampled_from(OURS)
kinds = st.sampled_from(["series", "plain", "with others", "series", "plain", "series", "with Bob", "private"])


def guests_of(number: int, title: str) -> tuple[str, ...]:
    """Whom these rules want on an event of this title: an oracle too simple to be wrong."""
    party = title.startswith("Party")
    return ((BOB,), (BOB, DAVE), (DAVE, BOB) if party else (BOB,), (BOB,) * party, (BOB,) * (not party), ())[number]


def deed(*, on_event: bool = False, **parts: st.SearchStrategy[Any]) -> Callable[[Act], Any]:
    """Something that may happen, and then some time passes; `on_event` needs one that is not closed."""

    def made(act: Act) -> Any:
        @wraps(act)
        def step(self: Any, wait: int, **drawn: object) -> None:
            act(self, **drawn)
            if wait:
                self.time_passes(wait)

        step.__annotations__ = {}
        given: dict[str, Any] = {"wait": waits, **parts}
        declared = rule(**given)(step)  # type: ignore[no-untyped-call]
        return precondition(lambda self: bool(self.has_events()))(declared) if on_event else declared

    return made


class AnyOrder(RuleBasedStateMachine):
    """A household and its Calbot; each rule is something that may happen next."""

    @initialize(
        number=st.integers(0, 2),
        both=st.booleans(),
        limit=st.sampled_from([1000, 2, 1000, 3]),
        kinds=st.lists(kinds, min_size=2, max_size=5),
        read=st.sampled_from([True, True, False]),
    )
    def begin(self, number: int, both: bool, limit: int, kinds: list[str], read: bool) -> None:
        """An empty calendar is known; then some events come, and may be read at once."""
        self.folder = Path(tempfile.mkdtemp(prefix="calbot-", dir=MEMORY if MEMORY.is_dir() else None))
        self.hosts = (ANNA, CAROL) if both else (ANNA,)
        self.number = number
        self.auto = True
        self.pages: list[Page] = []
        self.meanwhile: list[tuple[int, Callable[[str], None], str]] = []
        self.simulation = Simulation(self.folder, settings=self._settings(limit), signed_in=self.hosts)
        self.simulation.disorder = True
        self.book = Book(self.simulation, limit=limit)
        self.simulation.start()
        self.simulation.until_quiet()
        self.pages.append(self.book.page(self.simulation.back_up()))
        self.simulation.wire.during = self._during
        for kind in kinds:
            self._create(self.hosts[0], kind == "series", kind)
        if read:
            self.time_passes(61)

    def teardown(self) -> None:
        """See how it ended, and leave nothing behind."""
        if not hasattr(self, "folder"):
            return
        try:
            if sys.exc_info()[0] is None:
                self._end()
        finally:
            self.simulation.die()
            shutil.rmtree(self.folder, ignore_errors=True)

    def _end(self) -> None:
        """At last everything is looked at once more, also with a store that knows of nothing."""
        self.come_to_rest()
        self.edit_everything(wait=0)
        self.come_to_rest()
        self._count()
        self.restore(place=0)
        self.come_to_rest()

    def _count(self) -> None:
        book, simulation = self.book, self.simulation
        HAPPENED["added"] += book.added.total()
        HAPPENED["undone"] += book.removed.total()
        HAPPENED["discarded"] += len(book.discarded)
        HAPPENED["barred"] += len(book.barred) - book.removed.total()
        HAPPENED["told of an undo"] += len(simulation.outcomes("undone"))
        HAPPENED["crashed"] += len(simulation.seams.fired)
        HAPPENED["to a single date"] += sum(event.count("_") for event, _ in book.added)
        HAPPENED["held at the end"] += len(book.held)
        HAPPENED["an old store"] += book.untold_from is not None
        HAPPENED.update(call.fault for call in simulation.world.calls if call.fault)
        HAPPENED.update(f"{o.event_type} {o.reason or ''}".strip() for o in simulation.outcomes())
        HAPPENED.update(notice.event_type for notice in simulation.notices())

    def _settings(self, limit: int | None = None) -> Settings:
        limit = limit or self.simulation.settings.invites_per_hour
        return msgspec.structs.replace(HOME, rules=RULES[self.number], invites_per_hour=limit)

    # People

    def has_events(self) -> bool:
        """Whether there is an event that people can do something to."""
        return self._live(0) is not None

    def _live(self, place: int) -> str | None:
        live = [event for event, plan in self.book.plans.items() if not plan.closed]
        return live[place % len(live)] if live else None

    @contextlib.contextmanager
    def _acting(self, event: str | None = None) -> Iterator[None]:
        """What was written so far is judged by what people meant so far."""
        self.book.read()
        yield
        if event is not None:
            self.book.plans[event].era = self.book.era

    @deed(
        host=places,
        party=st.booleans(),
        kind=kinds,
        count=st.sampled_from([1, 1, 1, 2, 4]),
    )
    def create(self, host: int, party: bool, kind: str, count: int) -> None:
        with self._acting():
            for _ in range(count):
                self._create(self.hosts[host % len(self.hosts)], party, kind)

    def _create(self, host: str, party: bool, kind: str) -> None:
        title = f"{'Party' if party else 'Plan'} {len(self.book.plans)}"
        body: Doc = {"summary": title, **EVENING}
        match kind:
            case "series":
                body["recurrence"] = ["RRULE:FREQ=WEEKLY;COUNT=9"]
            case "with Bob":
                body["attendees"] = [{"email": BOB.upper(), "responseStatus": "accepted"}]
            case "with others":
                body["attendees"] = [{"email": OTHERS[1], "optional": True, "comment": "Maybe"}]
            case "private":
                body["visibility"] = "private"
        event = self.simulation.create(host, **body)
        self.book.plans[event] = Plan(host, title, self.book.era, closed=kind == "private", private=kind == "private")
        if kind == "with Bob":
            self.book.put_on(event, BOB)

    @deed(on_event=True, place=places, party=st.booleans())
    def edit(self, place: int, party: bool) -> None:
        event = self._live(place)
        if event is not None:
            self._edit(event, "Party" if party else "Plan")

    @deed(on_event=True)
    def edit_everything(self) -> None:
        """Whatever Calbot knows or not, it looks at each event again."""
        for event, plan in list(self.book.plans.items()):
            if not plan.closed:
                self._edit(event, plan.title.partition(" ")[0])

    def _edit(self, event: str, kind: str) -> None:
        with self._acting(event):
            plan = self.book.plans[event]
            plan.title = f"{kind} {plan.title.partition(' ')[2]}!"
            self.simulation.google.edit_event(plan.host, event, {"summary": plan.title})

    @deed(on_event=True, place=places, other=st.sampled_from(OTHERS), later=laters)
    def others_come_and_go(self, place: int, other: str, later: int | None) -> None:
        event = self._live(place)
        if event is not None:
            self._now_or(later, lambda event: self._come_or_go(event, other), event)

    def _come_or_go(self, event: str, other: str) -> None:
        if not self.book.plans[event].closed:
            with self._acting():
                google, host = self.simulation.google, self.book.plans[event].host
                change = google.remove_guest if other.lower() in self.book.guests(event) else google.add_guest
                change(host, event, other)

    @deed(on_event=True, place=places, answer=st.sampled_from(["accepted", "declined", "tentative"]))
    def bob_answers(self, place: int, answer: str) -> None:
        event = self._live(place)
        if event is not None and BOB in self.book.guests(event):
            with self._acting():
                self.simulation.google.rsvp(BOB, event, answer, comment="as I said")

    @deed(on_event=True, place=places, guest=ours, later=laters)
    def take_off(self, place: int, guest: str, later: int | None) -> None:
        """A person takes one of our guests off; perhaps in the middle of one of our next calls."""
        event = self._live(place)
        if event is not None:
            self._now_or(later, lambda event: self._take_off(event, guest), event)

    def _take_off(self, event: str, guest: str) -> None:
        if guest in self.book.guests(event) and not self.book.plans[event].closed:
            with self._acting():
                self.book.took_off(event, guest, named=guest in {g for r in RULES[self.number] for g in r.invite})
                self.simulation.google.remove_guest(self.book.plans[event].host, event, guest)

    @deed(on_event=True, place=places, guest=ours, later=laters)
    def put_on(self, place: int, guest: str, later: int | None) -> None:
        """A person puts one of our guests on."""
        event = self._live(place)
        if event is not None:
            self._now_or(later, lambda event: self._put_on(event, guest), event)

    def _put_on(self, event: str, guest: str) -> None:
        if guest not in self.book.guests(event) and not self.book.plans[event].closed:
            with self._acting():
                self.simulation.google.add_guest(self.book.plans[event].host, event, guest)
                self.book.put_on(event, guest)

    @deed(on_event=True, place=places)
    def host_declines(self, place: int) -> None:
        event = self._live(place)
        if event is not None and self.book.plans[event].host in self.book.guests(event):
            with self._acting():
                self.simulation.google.rsvp(self.book.plans[event].host, event, "declined")
                self.book.plans[event].closed = self.book.plans[event].declined = True

    @deed(on_event=True, place=places, later=laters)
    def cancel(self, place: int, later: int | None) -> None:
        event = self._live(place)
        if event is not None:
            self._now_or(later, self._cancel, event)

    def _cancel(self, event: str) -> None:
        plan = self.book.plans[event]
        if not plan.closed:
            with self._acting():
                self.simulation.google.delete_event(plan.host, event)
                for name, other in self.book.plans.items():
                    other.closed = other.closed or event in {name, other.series}

    @deed(
        on_event=True,
        place=places,
        date=st.sampled_from(DATES),
        guest_list=st.sampled_from(["inherited", "Erin too", "only Erin"]),
    )
    def change_one_date(self, place: int, date: str, guest_list: str) -> None:
        """A single date of a series gets a title, and perhaps a guest list, of its own."""
        series = [event for event, plan in self.book.plans.items() if not plan.closed and self._recurs(event)]
        if not series:
            return
        event = series[place % len(series)]
        name, plan = f"{event}_{date}", self.book.plans[event]
        if name in self.book.plans:
            return
        with self._acting():
            present: list[Doc] = self.simulation.document(event, plan.host).get("attendees", [])
            erin: list[Doc] = [{"email": OTHERS[0], "comment": "Just this once"}]
            rest = [entry for entry in present if str(entry["email"]).lower() not in OURS]
            lists = {"inherited": present, "Erin too": [*present, *erin], "only Erin": [*rest, *erin]}
            title = f"{plan.title} on {date[:8]}"
            changes: Doc = {"summary": title}
            if guest_list != "inherited":
                changes["attendees"] = lists[guest_list]
            self.simulation.google.edit_event(plan.host, name, changes)
            self.book.plans[name] = Plan(plan.host, title, self.book.era, series=event)
            self.book.came_along(event, name)
            for guest in OURS:
                off = guest not in self.book.guests(event)  # Later nobody can say whether they missed this date only.
                if off or (event, guest) in self.book.barred | self.book.perhaps:
                    self.book.perhaps.add((name, guest))
                if guest_list == "only Erin" and guest in self.book.guests(event):
                    self.book.took_off(name, guest, named=False)

    def _recurs(self, event: str) -> bool:
        return bool(self.simulation.document(event, self.book.plans[event].host).get("recurrence"))

    def _now_or(self, calls: int | None, act: Callable[[str], None], event: str) -> None:
        if calls is None:
            act(event)
        else:
            self.meanwhile.append((calls, act, event))

    def _during(self) -> None:
        """In the middle of a call people act too, best on the very event that Calbot is busy with."""
        waiting, self.meanwhile = self.meanwhile, []
        busy_with = self.simulation.world.calls[-1].event
        for calls, act, event in waiting:
            if calls:
                self.meanwhile.append((calls - 1, act, event))
            else:
                act(busy_with if busy_with in self.book.plans else event)

    # Time, and what goes wrong

    def time_passes(self, seconds: float) -> None:
        """Whoever dies of it lives again afterwards."""
        self._survive(lambda: self.simulation.run(seconds))
        self._revive()

    @rule(seconds=st.sampled_from([61, 1000, 4000]))
    def wait(self, seconds: int) -> None:
        self.time_passes(seconds)

    @deed(crossings=st.integers(1, 12))
    def a_crash_is_near(self, crossings: int) -> None:
        seams = self.simulation.seams
        seams.crash_at |= {len(seams.crossed) + crossings}

    @deed(place=st.sampled_from(SEAMS))
    def a_crash_is_certain(self, place: str) -> None:
        self.simulation.seams.crash_next = place

    @rule()
    def restart(self) -> None:
        self._survive(self.simulation.restart)

    @rule(
        what=st.sampled_from([(name, kind) for name, kinds in FAULTS.items() for kind in kinds]),
        count=st.sampled_from([1, 1, 2, 5]),
        skip=st.integers(0, 2),
    )
    def an_answer_goes_wrong(self, what: tuple[str, str], count: int, skip: int) -> None:
        name, kind = what
        self.simulation.world.faults.add(Fault(kind=kind, operation=f"events.{name}", count=count, skip=skip))

    @rule()
    def sync_tokens_expire(self) -> None:
        self.simulation.google.expire_sync_tokens()

    @rule()
    def back_up(self) -> None:
        self._revive()
        self.book.read()
        page = self.book.page(b"")
        try:
            page.store = self.simulation.back_up()
            self.pages.append(page)
        except Crash:
            self.simulation.die()

    @precondition(lambda self: self.pages)
    @rule(place=places)
    def restore(self, place: int) -> None:
        """Somebody puts an old store back."""
        self._revive()
        self.book.read()
        page = self.pages[place % len(self.pages)]
        self.simulation.seams.crash_at, self.simulation.seams.crash_next = frozenset(), None
        self.simulation.restore(page.store)
        self.book.turn_back(page)
        in_force = self.simulation.engine.snapshot.settings
        self.auto, self.book.limit = in_force.auto_invite, max(self.book.limit, in_force.invites_per_hour)

    # Commands

    def _ask(self, name: str, **args: str | float | None) -> Answer | None:
        """The answer; None when the process died of it, or is down."""
        self._revive()
        self.book.read()
        try:
            return self.simulation.ask(name, **args)
        except Crash:
            self.simulation.die()
            return None

    @deed(what=st.sampled_from(["last", "event", "minutes", "token"]), place=places, minutes=st.sampled_from([2, 70]))
    def undo(self, what: str, place: int, minutes: int) -> None:
        self._revive()
        self.book.read()
        args: dict[str, str | float] = {"last": True}
        scope: set[str] = set()
        match what:
            case "event" if self.book.plans:
                event = list(self.book.plans)[place % len(self.book.plans)]
                args, scope = {"event_id": event}, {event}
            case "minutes":
                args, scope = {"minutes": minutes}, self._since(60.0 * minutes)
            case "token" if tokens := self._tokens():
                token, event = tokens[place % len(tokens)]
                args, scope = {"token": token}, {event}
        self.book.scope |= scope
        self.book.free_undos += 0 if scope or what == "minutes" else 1
        answer = self._ask("undo", **args)
        if answer is not None and answer.code == "confirm_required":
            answer = self._ask("undo", **args, confirm=str(answer.data["confirm_token"]))
        if what == "event" and answer is not None and answer.status == "ok":
            for event in scope:
                self.book.undone(event)

    def _tokens(self) -> list[tuple[str, str]]:
        invited = self.simulation.outcomes("invited")
        return [(outcome.undo_token, outcome.key.event) for outcome in invited if outcome.undo_token]

    def _since(self, seconds: float) -> set[str]:
        """The events that were not told long ago to be invited."""
        moment = self.simulation.clock.now() - seconds
        question = "SELECT event FROM deed WHERE verb = 'invite' GROUP BY 1 HAVING max(ifnull(finished_at, 1e12)) <= ?"
        old = self.simulation.database.read().execute(question, (moment,)).fetchall()
        return set(self.book.plans) - {str(event) for (event,) in old}

    @deed(limit=st.sampled_from([1000, 2, 1000, 1]))
    def set_limit(self, limit: int) -> None:
        self._revive()
        self.book.read()
        self.book.sent.clear()
        self.book.limit = max(limit, self.book.limit)
        self.book.on_its_way()
        if self._ask("set", key="invites_per_hour", value=limit) is not None:
            self.book.limit = limit

    @deed()
    def approve(self) -> None:
        self._revive()
        self.book.read()
        self.book.approved |= self.book.held
        self._ask("approve")

    @deed()
    def discard(self) -> None:
        self._revive()
        self.book.read()
        held = set(self.book.held)
        answer = self._ask("discard")
        if answer is not None:
            assert (answer.status == "ok") == bool(held)
            self.book.note_store()

    @deed(on=st.sampled_from([True, True, False]))
    def switch_auto_invite(self, on: bool) -> None:
        self._ask("set", key="auto_invite", value=on)
        self._revive()
        self.book.new_era()
        self.auto = self.simulation.engine.snapshot.settings.auto_invite

    @deed(command=st.sampled_from(["resume", "resume", "pause"]))
    def pause_or_resume(self, command: str) -> None:
        self._ask(command)

    @deed(number=st.sampled_from([0, 1, 2, 0, 1, 2, 3, 4, 5]))
    def rules_change(self, number: int) -> None:
        self.book.read()
        self.number = number
        self.book.new_era()
        self._survive(lambda: self.simulation.restart(self._settings()))

    # Life

    def _survive(self, act: Callable[[], None]) -> None:
        try:
            act()
        except Crash:
            self.simulation.die()
        self.book.read()

    def _revive(self) -> None:
        """Begin a life if there is none, and take up what was asked and not answered."""
        for _ in range(100):
            try:
                if not self.simulation.lives_now:
                    self.simulation.start()
                    self.simulation.take_up()
                return
            except Crash:
                self.simulation.die()

    @rule()
    def come_to_rest(self) -> None:
        """Everything is as it must be once nothing is left to do."""
        for _ in range(100):
            self._revive()
            try:
                self.simulation.ask("resume")
                self.simulation.take_up()
                self.simulation.until_quiet(within=30 * 86_400.0)
                if not commands.unfinished(self.simulation.database.read()):
                    break
            except Crash:
                self.simulation.die()
        self.meanwhile.clear()
        self.book.read()
        wanted = {
            event: guests_of(self.number, plan.title) if self.auto else () for event, plan in self.book.plans.items()
        }
        assert self.book.complaints(wanted) == []


def test_in_any_order_nobody_is_invited_twice_or_against_a_will() -> None:
    """A few dozen households by default; every write is judged as it is made, and the whole whenever all is quiet."""
    run_state_machine_as_test(
        seed(FIRST)(AnyOrder),
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

    if EXAMPLES >= 100:
        wanted = {"added", "undone", "discarded", "barred", "crashed", "held brake", "brake_released", "an old store"}
        assert {what for what in wanted if not HAPPENED[what]} == set()
    print(dict(HAPPENED))
