"""One account's deeds on their way: the queue, what is in the slots, what is parked, and what came of them."""

import logging
from collections import deque
from collections.abc import Iterable, Mapping
from functools import partial

import msgspec

from calbot.actions import Deed, DeleteOriginal, Invite, LookUp, RestoreOriginal
from calbot.cases import case_of
from calbot.copyrules import guests_of_copy
from calbot.deeds import UNEXPECTED, Decide, Never, Result, Task
from calbot.errors import StoreError
from calbot.gate import Gate
from calbot.house import House
from calbot.identity import is_copy, is_own_copy
from calbot.inbox import Finished, Inbox
from calbot.planner import BRAKE
from calbot.ports import Calendars, Clock, Random
from calbot.rules import judge
from calbot.settle import Context, Settled, settle
from calbot.slots import SLOTS, Slots
from calbot.stays import DRY_RUN, MIRRORING_OFF, NO_WRITER
from calbot.store import ledger, originals, outbox, parked, switches, targets
from calbot.store.database import Database
from calbot.sync import Passed
from calbot.wishes import Planned

IN_FLIGHT = 2 * SLOTS
STALE_DECISION = 60.0
log = logging.getLogger(__name__)


class Dispatch:
    """Hands deeds to the slots, each written down as started first, and settles their results."""

    def __init__(
        self,
        account: str,
        house: House,
        slots: Slots,
        inbox: Inbox,
        database: Database,
        clock: Clock,
        random: Random,
    ) -> None:
        self._account = account
        self._house = house
        self._slots = slots
        self._inbox = inbox
        self._database = database
        self._clock = clock
        self._random = random
        self._queue: deque[Task] = deque()
        self._in_flight: dict[int, Task] = {}
        self._outdated: set[int] = set()
        self._next_parked: float | None = None
        self._afresh_before = 0.0
        self._resting_until: float | None = None

    def load(self) -> None:
        """Take up where an earlier life ended: what was started is looked at before anything is repeated."""
        reader, now = self._database.read(), self._clock.now()
        for deed in ledger.open_deeds(reader, self._account):
            if deed.state == "started":
                unsure = msgspec.structs.replace(deed, uncertain=not isinstance(deed.action, LookUp))
                self._queue.append(Task(unsure, fresh=True, queued_at=now))
            elif deed.state == "planned" or (deed.state == "parked" and deed.retry_at is None):
                self._queue.append(Task(deed, fresh=True, queued_at=now))
        self._next_parked = parked.next_due(reader, self._account, now)
        self._resting_until = switches.resting_until(reader, self._account)

    @property
    def room(self) -> int:
        """Return how many newly found deeds may go out at once."""
        if self.resting_until is not None:
            return 0
        return max(0, IN_FLIGHT - len(self._in_flight) - len(self._queue))

    @property
    def resting_until(self) -> float | None:
        """Return until when Google's quota lets the account invite nobody (epoch seconds); None: it may.

        A time that is more than a day away was written while the machine's clock was wrong.
        """
        until, now = self._resting_until, self._clock.now()
        return until if until is not None and now < until < now + parked.LONGEST_WAIT else None

    @property
    def next_parked(self) -> float | None:
        """Return when the next parked deed can go out, in epoch seconds; None while nothing can."""
        full = len(self._in_flight) + len(self._queue) >= IN_FLIGHT
        return None if full or self._house.orders(self._account).paused else self._next_parked

    @property
    def in_flight(self) -> int:
        """Return how many deeds the slots have."""
        return len(self._in_flight)

    def is_empty(self) -> bool:
        """Say whether nothing is in the slots and nothing waits that may go out."""
        paused = self._house.orders(self._account).paused
        return not self._in_flight and (paused or not self._queue)

    def is_busy_with(self, calendar: str) -> bool:
        """Say whether our own writes to this calendar are under way."""
        return any(task.deed.key.calendar == calendar for task in self._in_flight.values())

    def add(self, passed: Passed, google: Calendars) -> None:
        """Take what a pass found: what is written as started goes out, the rest waits for room."""
        now = self._clock.now()
        self._drop(passed.overtaken)
        self._outdated |= passed.outdated & self._in_flight.keys()
        self.look_again()
        paused = self._house.orders(self._account).paused
        for deed in self._own(passed.deeds):
            task = Task(deed, fresh=paused, queued_at=now)
            if deed.state == "started" and not paused:
                self._submit(task, google)
            else:
                self._queue.append(task)

    def find_planned(self) -> None:
        """Take what another account has written down for this one: copies that this one writes."""
        known = {task.deed.id for task in self._queue} | self._in_flight.keys()
        now = self._clock.now()
        for deed in ledger.open_deeds(self._database.read(), self._account):
            if deed.state == "planned" and deed.id not in known:
                self._queue.append(Task(deed, fresh=True, queued_at=now))
        self.look_again()

    def _own(self, deeds: Iterable[Deed]) -> list[Deed]:
        """Return those of newly written deeds that are this account's; the others' accounts are told of theirs."""
        others = {deed.key.account for deed in deeds} - {self._account}
        if others:
            self._house.wake(others)
        return [deed for deed in deeds if deed.key.account == self._account]

    def look_again(self) -> None:
        """Read the ledger for parked deeds: one of them became due, or something else changed there."""
        self._next_parked = parked.next_due(self._database.read(), self._account, self._clock.now())

    def plan_afresh(self) -> None:
        """Look at each event again before what waits is done: it was decided in another time."""
        self._afresh_before = self._clock.now()
        with self._database.write() as tx:
            for reason in (BRAKE, DRY_RUN, MIRRORING_OFF, NO_WRITER):
                parked.unpark(tx, self._account, reason, self._clock.now())
        self.look_again()

    def take(self, planned: Planned) -> None:
        """Take deeds that a person asked for, and let go of those that a person does not want."""
        now = self._clock.now()
        self._drop(planned.dropped)
        self._queue.extend(Task(deed, fresh=True, queued_at=now) for deed in self._own(planned.deeds))
        self.look_again()

    def has_any_of(self, deeds: Iterable[int]) -> bool:
        """Say whether one of these deeds is in the slots just now, or was when an earlier life ended."""
        started = {task.deed.id for task in self._queue if task.deed.state == "started"}
        return not (self._in_flight.keys() | started).isdisjoint(deeds)

    def settle(self, results: list[tuple[Task, Result]], names: Mapping[str, str], google: Calendars | None) -> None:
        """Write results that wait together in one transaction; what has another version goes out again.

        A result that cannot be written for a reason nobody thought of costs its own event, no other.
        """
        try:
            settled = self._write(results, names)
        except StoreError:
            for task, result in results:
                self._inbox.post(Finished(task, result))
            raise
        except Exception:
            log.exception("Surprise while settling for %s", self._account)
            if len(results) > 1:
                for one in results:
                    self.settle([one], names, google)
                return
            settled = self._write([(results[0][0], Never("internal", UNEXPECTED))], names)
        for task, _ in results:
            self._in_flight.pop(task.deed.id, None)
            self._outdated.discard(task.deed.id)
        self._drop(settled.overtaken)
        now = self._clock.now()
        for task in [Task(deed, fresh=False, queued_at=now) for deed in settled.again]:
            if google is not None:
                self._submit(task, google)
            else:
                self._queue.append(msgspec.structs.replace(task, fresh=True))
        self._queue.extend(Task(deed, fresh=False, queued_at=now) for deed in self._own(settled.more))
        self._resting_until = settled.resting_until
        self._house.wrote()

    def _write(self, results: list[tuple[Task, Result]], names: Mapping[str, str]) -> Settled:
        policy, now = self._house.orders(self._account).policy, self._clock.now()
        resting, outdated = self._resting_until, frozenset(self._outdated)
        context = Context(self._account, policy, names, outdated, resting, now)
        with self._database.write() as tx:
            settled = settle(tx, results, context, self._random)
            self._next_parked = parked.next_due(tx, self._account, now)
        return settled

    def _drop(self, overtaken: frozenset[int]) -> None:
        if overtaken:
            self._queue = deque(task for task in self._queue if task.deed.id not in overtaken)

    def hand_out(self, google: Calendars) -> None:
        """Give what waits to the slots, as far as there is room."""
        now = self._clock.now()
        room = IN_FLIGHT - len(self._in_flight)
        if self._next_parked is not None and self._next_parked <= now and room > len(self._queue):
            self._take_parked(now, room)
        ready = self._ready(room, now)
        if not ready:
            return
        policy = self._house.orders(self._account).policy
        with self._database.write() as tx:
            gate = Gate(tx, policy, self.resting_until, now)
            going = [
                msgspec.structs.replace(task, deed=deed)
                for task in ready
                if (deed := gate.ready(task.deed)) is not None
            ]
            ledger.start(tx, [task.deed for task in going], now)
            outbox.put(tx, [*gate.said], now, self._random)
            self._next_parked = parked.next_due(tx, self._account, now)
        if len(going) < len(ready):  # What was put down for another account, or instead of what was pointless.
            self._house.wake({*targets.writers(self._database.read()).values()})
        self._drop(frozenset(task.deed.id for task in ready))
        for task in going:
            self._submit(task, google)

    def _ready(self, room: int, now: float) -> list[Task]:
        """Return the first tasks that may go. A single date waits for the invitation to its series, which may do."""
        series = {
            task.deed.key.event
            for task in (*self._queue, *self._in_flight.values())
            if isinstance(task.deed.action, Invite) and task.deed.action.event.recurrence
        }
        under_way = {_series_in(task.deed) for task in self._in_flight.values()} - {None}
        ready: list[Task] = []
        for place, task in enumerate(self._queue):
            if len(ready) >= room:
                break
            action = task.deed.action
            if isinstance(action, Invite) and action.event.series in series:
                self._queue[place] = msgspec.structs.replace(task, fresh=True)
            elif _series_in(task.deed) not in under_way:
                under_way |= {_series_in(task.deed)} - {None}
                ready.append(self._refreshed(task, now))
        return ready

    def _take_parked(self, now: float, room: int) -> None:
        taken = {task.deed.id for task in self._queue} | set(self._in_flight)
        due = parked.due(self._database.read(), self._account, now, room)
        self._queue.extend(Task(deed, fresh=True, queued_at=now) for deed in due if deed.id not in taken)

    def _refreshed(self, task: Task, now: float) -> Task:
        waited = task.queued_at <= self._afresh_before or now - task.queued_at > STALE_DECISION
        return msgspec.structs.replace(task, fresh=True) if waited else task

    def _submit(self, task: Task, google: Calendars) -> None:
        self._in_flight[task.deed.id] = task
        policy, now = self._house.orders(self._account).policy, self._clock.now()
        case = case_of(self._database.read(), task.deed, policy, now)
        decide = partial(judge, case=case)
        if isinstance(task.deed.action, Invite) and is_copy(task.deed.action.event):
            decide = partial(guests_of_copy, invite=task.deed.action, case=case)
        self._slots.submit(task, google, Decide(decide, self._house.connect, self._whole(task.deed)))

    def _whole(self, deed: Deed) -> str:
        """Return what is kept of a deleted original that the deed is about."""
        action = deed.action
        number = action.deed if isinstance(action, RestoreOriginal) else deed.id
        about_one = isinstance(action, RestoreOriginal | DeleteOriginal)
        return originals.whole(self._database.read(), number) or "" if about_one else ""


def _series_in(deed: Deed) -> str | None:
    """Return what is done one after the other: a copy with its guests, and the dates of it if it is a series."""
    if not is_own_copy(deed.key.event, "", ""):
        return None
    return f"{deed.key.calendar} {deed.key.event.partition('_')[0]}"
