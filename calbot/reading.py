"""One account's calendars: when each is read, and how the reading went."""

import logging
from functools import partial

import msgspec

from calbot import schedule
from calbot.channels import Channels
from calbot.copyrules import calendar_of
from calbot.deeds import UNEXPECTED
from calbot.dispatch import Dispatch
from calbot.errors import GoogleError, RetryLater, SignInNeeded, StoreError
from calbot.house import House
from calbot.inbox import Resync
from calbot.model import CalendarKey, Notice
from calbot.ports import Calendars, Clock, Random
from calbot.schedule import Timing
from calbot.status import CalendarStatus
from calbot.store import calendars as calendar_store
from calbot.store import outbox
from calbot.store.database import Database
from calbot.sync import Order, Unbelievable, sync

BELIEVED_AFTER = 3
ANNOUNCED_FAILURE = 3
log = logging.getLogger(__name__)


class Reading:
    """Reads calendars when they are due, one after the other; each one's trouble is its own."""

    def __init__(
        self,
        account: str,
        calendars: tuple[str, ...],
        house: House,
        dispatch: Dispatch,
        channels: Channels,
        database: Database,
        clock: Clock,
        random: Random,
    ) -> None:
        self.sources = calendars
        self.calendars = calendars
        self._account = account
        self._house = house
        self._dispatch = dispatch
        self._channels = channels
        self._database = database
        self._clock = clock
        self._random = random
        self._timings = {calendar: Timing() for calendar in calendars}
        self._statuses = {c: CalendarStatus(key=CalendarKey(account, c)) for c in calendars}
        self._seen_at: dict[str, float] = {}
        self._resyncs: list[Resync] = []
        self._doubts: dict[str, int] = {}

    def load(self) -> None:
        """Read when each calendar was last read well."""
        for calendar, at in calendar_store.last_successes(self._database.read(), self._account).items():
            if calendar in self._statuses:
                self._note(calendar, last_success=at)

    def watch(self, targets: tuple[str, ...]) -> None:
        """Read these calendars too, for the sake of our copies on them alone."""
        if self.calendars == (*self.sources, *targets):
            return
        self.calendars = (*self.sources, *targets)
        known = calendar_store.last_successes(self._database.read(), self._account)
        for calendar in targets:
            if calendar not in self._timings:
                self._timings[calendar] = Timing()
            status = CalendarStatus(key=CalendarKey(self._account, calendar), last_success=known.get(calendar))
            self._statuses.setdefault(calendar, status)
        for gone in self._timings.keys() - set(self.calendars):
            del self._timings[gone], self._statuses[gone]

    def names(self) -> dict[str, str]:
        """Return each calendar's own name."""
        return {calendar: status.name for calendar, status in self._statuses.items()}

    def statuses(self) -> tuple[CalendarStatus, ...]:
        """Return how each calendar is doing."""
        now = self._clock.now()
        for calendar in self.calendars:
            push, every = self._channels.state(calendar, now), self._interval(calendar)
            self._note(calendar, push=push, every=every, stale_after=3 * every + 60)
        return tuple(self._statuses.values())

    def pushed(self, calendar: str, at: float) -> None:
        """Note that Google pushed; `at` is when, in epoch seconds."""
        if calendar in self._timings and self._timings[calendar].pushed_at is None:
            self._time(calendar, pushed_at=self._clock.monotonic())
            self._seen_at.setdefault(calendar, at)

    def wrote(self, calendar: str) -> None:
        """Note that we wrote to the calendar, so that the push of it is ours."""
        for known in self._timings:
            if calendar_of(CalendarKey(self._account, known)) == calendar_of(CalendarKey(self._account, calendar)):
                self._time(known, wrote_at=self._clock.monotonic())

    def ask(self, wish: Resync | None) -> None:
        """Make calendars due at once: those of the wish, or all of them."""
        if wish is not None:
            self._resyncs.append(wish)
        for calendar in self.calendars:
            if wish is None or wish.calendar in {None, calendar}:
                self._time(calendar, asked=True)

    def give_up_wishes(self, error: str) -> None:
        """Tell everybody who asked that it cannot be done."""
        for wish in self._resyncs:
            self._house.did(self._account, wish.command_id, error)
        self._resyncs.clear()

    def due_in(self) -> float:
        """Return the seconds until the next calendar is due."""
        now = self._clock.monotonic()
        return min(self._due_at(calendar, now) for calendar in self.calendars) - now

    def read_what_is_due(self, google: Calendars) -> bool:
        """Run a pass over each calendar that is due; say whether any went well. Raises SignInNeeded."""
        well = False
        for calendar in self.calendars:
            if self._due_at(calendar, self._clock.monotonic()) <= self._clock.monotonic():
                well |= self._read(calendar, google)
        return well

    def _read(self, calendar: str, google: Calendars) -> bool:
        wishes = [wish for wish in self._resyncs if wish.calendar in {None, calendar}]
        order = self._order(calendar, wishes)
        by_push = order.source == "push"
        tokens, tokens_at = schedule.spent(self._timings[calendar], self._clock.monotonic())
        self._house.ticked(self._account)
        self._time(calendar, asked=False, pushed_at=None, wrote_at=None, retry_at=None)
        if by_push:
            self._time(calendar, tokens=tokens, tokens_at=tokens_at)
        trouble = self._pass(order, google)
        self._time(calendar, synced_at=self._clock.monotonic())
        if trouble is not None:
            self._failed(calendar, trouble)
        self._answer(wishes, str(trouble) if trouble is not None else None)
        return trouble is None

    def _order(self, calendar: str, wishes: list[Resync]) -> Order:
        orders, now = self._house.orders(self._account), self._clock.now()
        pushed = self._timings[calendar].pushed_at is not None
        return Order(
            key=CalendarKey(self._account, calendar),
            policy=orders.policy,
            now=now,
            run_id=f"r-{self._random.token(4).hex()}",
            source="push" if pushed else "command" if wishes else "poll",
            seen_at=self._seen_at.pop(calendar, now),
            room=0 if orders.paused else self._dispatch.room,
            full=any(wish.full for wish in wishes),
            invite_existing=orders.invite_existing,
            copies_only=calendar not in self.sources,
            believe=self._doubts.get(calendar, 0) >= BELIEVED_AFTER,
        )

    def _in_force(self, order: Order) -> Order:
        """Return the order as it is by now: somebody may have switched something, or paused, during the listing."""
        orders = self._house.orders(self._account)
        room = 0 if orders.paused else self._dispatch.room
        return msgspec.structs.replace(order, policy=orders.policy, room=room, now=self._clock.now())

    def _pass(self, order: Order, google: Calendars) -> GoogleError | None:
        """Run the pass; return its trouble. Nothing is half done then."""
        calendar = order.key.calendar
        whole = order.full or self._statuses[calendar].last_success is None
        try:
            if whole:
                self._house.note_syncing(self._account, True)
            tick = partial(self._house.ticked, self._account)
            passed = sync(order, google, self._database, self._random, tick, self._in_force)
        except SignInNeeded:
            raise
        except Unbelievable as error:
            self._doubts[calendar] = self._doubts.get(calendar, 0) + 1
            return error
        except GoogleError as error:
            return error
        except StoreError as error:
            return RetryLater(str(error), "internal")
        except Exception:
            log.exception("Surprise while reading %s of %s", calendar, self._account)
            return RetryLater(UNEXPECTED, "internal")
        finally:
            if whole:
                self._house.note_syncing(self._account, False)
        self._doubts.pop(calendar, None)
        self._dispatch.add(passed, google)
        self._note(
            calendar,
            name=passed.name,
            last_success=self._clock.now(),
            failures=0,
            failing_since=None,
            problem=None,
            problem_text=None,
            retry_at=None,
        )
        self._house.wrote()
        return None

    def _answer(self, wishes: list[Resync], error: str | None) -> None:
        """Tell who asked, once the last of the calendars they asked for was read."""
        for wish in wishes:
            waits = any(self._timings[c].asked for c in self.calendars if wish.calendar in {None, c})
            if error is not None or not waits:
                self._resyncs.remove(wish)
                self._house.did(self._account, wish.command_id, error)

    def _failed(self, calendar: str, error: GoogleError) -> None:
        """Put the calendar off, longer each time, and say so once it is more than a blip."""
        status, now = self._statuses[calendar], self._clock.now()
        asked = error.after if isinstance(error, RetryLater) else None
        wait = schedule.backoff(status.failures, self._random.uniform(0, 1), asked)
        self._time(calendar, retry_at=self._clock.monotonic() + wait)
        self._note(
            calendar,
            failures=status.failures + 1,
            failing_since=status.failing_since or now,
            problem=error.reason,
            problem_text=str(error),
            retry_at=now + wait,
        )
        log.warning("%s: %s could not be read: %s Next try in %d s.", self._account, calendar, error, wait)
        if status.failures + 1 == ANNOUNCED_FAILURE:
            notice = Notice(
                event_type="sync_failed",
                text=str(error),
                account=self._account,
                calendar=calendar,
                reason=error.reason,
            )
            with self._database.write() as tx:
                outbox.put(tx, [notice], now, self._random)

    def _due_at(self, calendar: str, now: float) -> float:
        busy = self._dispatch.is_busy_with(calendar)
        timing = msgspec.structs.replace(self._timings[calendar], busy=busy)
        return schedule.due_at(timing, self._interval(calendar), now)

    def _interval(self, calendar: str) -> float:
        healthy = self._channels.state(calendar, self._clock.now()) == "healthy"
        return schedule.interval(self._house.orders(self._account).poll_interval, push_healthy=healthy)

    def _time(self, calendar: str, **parts: object) -> None:
        self._timings[calendar] = msgspec.structs.replace(self._timings[calendar], **parts)

    def _note(self, calendar: str, **parts: object) -> None:
        self._statuses[calendar] = msgspec.structs.replace(self._statuses[calendar], **parts)
