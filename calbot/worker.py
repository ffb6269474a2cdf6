"""One Google account: takes what waits, settles, reads, hands out. `step` is a plain function; a thread repeats it."""

import logging

from calbot import settle
from calbot.channels import Channels
from calbot.deeds import Result, SignedOut, Task
from calbot.dispatch import Dispatch
from calbot.errands import Errands
from calbot.errors import SignInNeeded
from calbot.house import House
from calbot.inbox import Finished, Inbox, Item, LookAround, PlanAfresh, Push, RenewChannels, Resync, TakeBack, TakeUp
from calbot.model import Notice
from calbot.planner import BRAKE
from calbot.ports import Calendars, Clock, Random
from calbot.reading import Reading
from calbot.schedule import LEAST_WAIT
from calbot.status import AccountStatus
from calbot.store import figures, ledger, outbox, parked, switches
from calbot.store.database import Database
from calbot.targets import Targets

LOOK_FOR_SIGN_IN = 5.0
LONGEST_WAIT = 30.0
log = logging.getLogger(__name__)


class Worker:
    """The order of one account's decisions. Only its own thread, or a simulation, calls `step`."""

    def __init__(
        self,
        email: str,
        aid: str,
        house: House,
        inbox: Inbox,
        channels: Channels,
        dispatch: Dispatch,
        reading: Reading,
        errands: Errands,
        targets: Targets,
        database: Database,
        clock: Clock,
        random: Random,
    ) -> None:
        self.email = email
        self.inbox = inbox
        self.channels = channels
        self.reading = reading
        self._aid = aid
        self._house = house
        self._dispatch = dispatch
        self._errands = errands
        self._targets = targets
        self._database = database
        self._clock = clock
        self._random = random
        self._google: Calendars | None = None
        self._signed_out: str | None = None
        self._said_signed_out = False
        self._sign_in_version = -1
        self._connected_at = 0.0

    def open(self) -> None:
        """Read what an earlier life left."""
        self.channels.load()
        self.reading.load()
        self.reading.watch(self._targets.own())
        self._dispatch.load()
        self._said_signed_out = switches.sign_in_problem(self._database.read(), self.email) is not None
        self._report()

    def step(self) -> None:
        """Take what waits, settle what is done, read what is due, hand out what may go. Raises StoreError."""
        self._house.ticked(self.email)
        self._take(self.inbox.take())
        google = self._connected()
        self._errands.plan()
        if google is not None:
            try:
                self._work(google)
            except SignInNeeded as error:
                self._sign_out(str(error))
        self._errands.answer(self._signed_out)
        for command_id, in_vain in self.channels.answers(self._signed_out):
            self._house.did(self.email, command_id, in_vain)
        if self._signed_out is not None:
            self.reading.give_up_wishes(self._signed_out)
        self._say_signed_out()
        self._report()

    def wake_in(self) -> float:
        """Return after how many seconds `step` has something to do, if nothing is posted before."""
        if self._signed_out is not None:
            return LOOK_FOR_SIGN_IN
        wall = self._clock.now()
        times = [
            LONGEST_WAIT,
            self.reading.due_in(),
            self.channels.next_due(self.reading.calendars, wall) - wall,
            self._targets.next_due(),
        ]
        if self._dispatch.next_parked is not None:
            times.append(self._dispatch.next_parked - wall)
        return max(LEAST_WAIT, min(times))

    def is_quiet(self) -> bool:
        """Say whether nothing is under way and nothing is due."""
        if self._signed_out is not None:
            return True
        return self._dispatch.is_empty() and self.reading.due_in() > 0

    def _take(self, items: list[Item]) -> None:
        results: list[tuple[Task, Result]] = []
        delivered: list[Push] = []
        for item in items:
            match item:
                case Finished(task, result):
                    results.append((task, result))
                case Push():
                    delivered.append(item)
                    if item.changed:
                        self.reading.pushed(item.calendar, item.at)
                case Resync():
                    self.reading.ask(item)
                case RenewChannels():
                    self.channels.renew(item.command_id, self.reading.calendars)
                case PlanAfresh():
                    self._dispatch.plan_afresh()
                case LookAround():
                    self._dispatch.find_planned()
                case TakeBack() | TakeUp():
                    self._errands.ask(item)
        if results:
            self._dispatch.settle(results, self.reading.names(), self._google if not self._signed_out else None)
        for task, result in results:
            self.reading.wrote(task.deed.key.calendar)
            if isinstance(result, SignedOut) and task.queued_at >= self._connected_at:
                self._sign_out(result.text)
            elif isinstance(result, SignedOut):  # It was begun with the sign-in before this one.
                self._take_up_signed_out()
        self._say_signed_out()
        for push in delivered:  # Last, as it writes: no item may be lost when the disk is full.
            self.channels.learn(push.channel_id, push.resource_id)

    def _work(self, google: Calendars) -> None:
        now = self._clock.now()
        if self._targets.tend(google):
            self._dispatch.look_again()
        self.reading.watch(self._targets.own())
        if self.channels.next_due(self.reading.calendars, now) <= now:
            self.channels.tend(self.reading.calendars, google)
        if self.reading.read_what_is_due(google) and self._said_signed_out:
            self._signed_in()
        if not self._house.orders(self.email).paused:
            self._dispatch.hand_out(google)

    def _connected(self) -> Calendars | None:
        """Return the account's calendars unless its sign-in is dead; a new token file ends that."""
        version = self._house.sign_in_version(self.email)
        if version != self._sign_in_version:
            self._sign_in_version, self._connected_at = version, self._clock.now()
            try:
                self._google = self._house.connect(self.email)
                self._signed_out = None
            except SignInNeeded as error:
                self._google = None
                self._sign_out(str(error))
            self.reading.ask(None)
        return self._google if self._signed_out is None else None

    def _sign_out(self, text: str) -> None:
        """Stop this account, however often its dead sign-in is found."""
        self._signed_out = text

    def _say_signed_out(self) -> None:
        """Say that the sign-in is dead, once, also over restarts; but not of an account that somebody just removed."""
        if self._signed_out is None or self._said_signed_out or not self._house.is_wanted(self.email):
            return
        if self._house.sign_in_version(self.email) != self._sign_in_version:  # Another one came meanwhile.
            return
        text = self._signed_out
        log.warning("%s", text)
        with self._database.write() as tx:
            switches.set_sign_in_problem(tx, self.email, text)
            notice = Notice(event_type="sign_in_needed", text=text, account=self.email, reason="auth_revoked")
            outbox.put(tx, [notice], self._clock.now(), self._random)
        self._said_signed_out = True

    def _signed_in(self) -> None:
        """Say that the sign-in lives again, once a call has gone through."""
        with self._database.write() as tx:
            switches.set_sign_in_problem(tx, self.email, None)
            notice = Notice(event_type="sign_in_restored", text="Signed in again.", account=self.email)
            outbox.put(tx, [notice], self._clock.now(), self._random)
            parked.unpark(tx, self.email, settle.SIGNED_OUT, self._clock.now())
        self._said_signed_out = False
        self._dispatch.look_again()

    def _take_up_signed_out(self) -> None:
        """Make due what waits for a sign-in."""
        with self._database.write() as tx:
            parked.unpark(tx, self.email, settle.SIGNED_OUT, self._clock.now())
        self._dispatch.look_again()

    def _report(self) -> None:
        """Tell the engine how this account is doing."""
        counts = ledger.counts(self._database.read(), self.email)
        status = AccountStatus(
            email=self.email,
            aid=self._aid,
            signed_in=self._signed_out is None,
            sign_in_text=self._signed_out,
            calendars=self.reading.statuses(),
            in_flight=self._dispatch.in_flight,
            waiting=counts.get("planned", 0) + counts.get("parked", 0),
            held=counts.get("held", 0),
            paused=self._house.orders(self.email).paused,
            waiting_until=parked.next_due(self._database.read(), self.email, self._clock.now(), BRAKE),
            resting_until=self._dispatch.resting_until,
            waiting_since=figures.waiting_since(self._database.read(), self.email),
            sign_in_ends=self._house.sign_in_ends(self.email),
        )
        self._house.report(status)
