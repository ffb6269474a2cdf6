"""All accounts together: their workers, the push door's check, commands, and the snapshot everybody reads."""

import logging
import threading
from collections.abc import Callable, Iterable
from functools import partial

import msgspec

from calbot.board import Board
from calbot.channels import Channels, is_genuine
from calbot.commands import Commands
from calbot.dispatch import Dispatch
from calbot.errands import Errands
from calbot.errors import StoreError
from calbot.health import standstill
from calbot.house import Listener, Orders
from calbot.inbox import Inbox, LookAround, Push
from calbot.model import Answer, CalendarKey, Command, Notice, Outcome
from calbot.orphans import swept
from calbot.policy import Policy
from calbot.ports import Accounts, Calendars, Clock, Random
from calbot.pulse import Pulse
from calbot.reading import Reading
from calbot.settings import Settings
from calbot.slots import Slots, thread_slots
from calbot.status import Snapshot
from calbot.store import calendars as calendar_store
from calbot.store import commands, outbox, switches, targets
from calbot.store.database import Database, translated
from calbot.store.tidying import tidy
from calbot.switchboard import Switchboard
from calbot.targets import Targets
from calbot.worker import Worker

HOUSEKEEPING = 3600.0
FIRST_HOUSEKEEPING = 60.0
AFTER_TROUBLE = 5.0
MakeSlots = Callable[[str, Inbox], Slots]
log = logging.getLogger(__name__)


class Engine:
    """The engine behind all doors. `open` reads the store, `start` makes threads, `stop` only asks them to end."""

    def __init__(
        self,
        settings: Settings,
        accounts: Accounts,
        database: Database,
        clock: Clock,
        random: Random,
        *,
        notes: tuple[str, ...] = (),
        option_problem: str | None = None,
        tend_channels: bool = True,
        make_slots: MakeSlots = thread_slots,
    ) -> None:
        self.iid = ""
        self.workers: dict[str, Worker] = {}
        self.pulse = Pulse(clock)
        self.switchboard = Switchboard(settings, database)
        self.commands = Commands(self, database, clock, random)
        self._settings = settings
        self._accounts = accounts
        self._database = database
        self._clock = clock
        self._random = random
        self._tend_channels = tend_channels
        self._make_slots = make_slots
        self._listeners: list[Listener] = []
        self._threaded = False
        self._stopping = threading.Event()
        self._secret = b""
        self._swept = False
        self._watched: dict[str, tuple[str, ...]] | None = None
        self._housekeeping_at = clock.monotonic() + FIRST_HOUSEKEEPING
        self._resting: dict[str, Worker] = {}  # of accounts that were removed; they come back with a new sign-in
        self._threads: list[threading.Thread] = []
        settings_now = self.switchboard.effective()
        first = Snapshot(started_at=clock.now(), settings=settings_now, notes=notes, option_problem=option_problem)
        self.board = Board(first, self.wrote)
        self.report, self.note_syncing = self.board.report, self.board.note_syncing
        self.ticked, self.sign_in_version = self.pulse.ticked, accounts.version
        self.sign_in_ends = accounts.sign_in_ends

    @property
    def snapshot(self) -> Snapshot:
        """Return how everything is, as one frozen value. Who stands still is found out by who asks, whatever hangs."""
        known = self.board.snapshot
        hung = self.pulse.hung(self.workers, standstill(known.settings))
        return known if hung == known.hung else msgspec.structs.replace(known, hung=hung)

    def listen(self, listener: Listener) -> None:
        """Tell this listener of news from now on."""
        self._listeners.append(listener)

    def open(self) -> None:
        """Read who and what there is. May be tried again. Raises StoreError."""
        with self._database.write() as tx:
            self.iid = switches.installation_id(tx, self._random)
            secret = switches.fact(tx, "channel_secret") or self._random.token(32).hex()
            switches.remember(tx, "channel_secret", secret)
        self._secret = bytes.fromhex(secret)
        self.switchboard.load()
        self.board.replace(settings=self.switchboard.effective())
        self.find_accounts()
        recovery = self._database.recovery
        said: list[Outcome | Notice] = [Notice(event_type="started", text="Calbot started.")]
        if recovery:
            said.append(Notice(event_type="alert_raised", text=recovery, reason="store"))
        with self._database.write() as tx:
            outbox.put(tx, said, self._clock.now(), self._random)
        if recovery:
            self.board.note(recovery)

    def find_accounts(self) -> None:
        """Give every account that is chosen, or signed in where none is chosen, its worker. Raises StoreError."""
        if self.board.snapshot.option_problem is not None:
            return
        wanted = self._settings.calendars(self._accounts.emails())
        for email in [one for one in self.workers if one not in wanted and not self._accounts.version(one)]:
            self._let_rest(email)
        for email, calendars in wanted.items():
            if email in self._resting:
                self.board.put_back(email)
                self.workers = {**self.workers, email: self._resting.pop(email)}
            elif email not in self.workers:
                worker = self._worker(email, calendars)
                worker.open()
                if self._threaded:
                    self._start(worker)
                self.workers = {**self.workers, email: worker}
        if wanted != self._watched:
            with self._database.write() as tx:
                keys = [CalendarKey(email, name) for email, names in wanted.items() for name in names]
                calendar_store.watch(tx, keys)
            self._watched = wanted
        problems = self._accounts.problems()
        if problems != self.board.snapshot.token_problems:
            for problem in problems:
                log.warning("%s", problem)
            self.board.replace(token_problems=problems)

    def start(self) -> None:
        """Give each worker its thread."""
        self._threaded = True
        for worker in self.workers.values():
            self._start(worker)

    def stop(self) -> None:
        """Ask every thread to end; none is waited for."""
        self._stopping.set()
        try:
            with self._database.write() as tx:
                notice = Notice(event_type="stopping", text="Calbot is stopping.")
                outbox.put(tx, [notice], self._clock.now(), self._random)
        except StoreError as error:
            log.warning("%s", error)

    def tend(self) -> None:
        """Do what comes up every few seconds: new sign-ins, ended pauses, commands of the command line, tidying."""
        trouble: str | None = None
        self.pulse.look(self.workers)
        self.board.note_clock(self._accounts.clock_off())
        try:
            with translated():
                self.find_accounts()
                self.commands.tend()
                self._tend_targets()
                if self._clock.monotonic() >= self._housekeeping_at:
                    self._housekeeping_at = self._clock.monotonic() + HOUSEKEEPING
                    tidy(self._database, self._clock.now(), self._settings.time_zone, self._random)
                    self._sweep()
        except StoreError as error:
            trouble = str(error)
        self.board.note_disk(trouble or self._database.problem)

    def _sweep(self) -> None:
        """Have copies taken away that a restored backup does not know; once in a life, as soon as all was read."""
        keys = [CalendarKey(email, one) for email, worker in self.workers.items() for one in worker.reading.calendars]
        since, now = self.snapshot.started_at, self._clock.now()
        woken = None if self._swept else swept(self._database, keys, self._policy, since, now, self._random)
        if woken is not None:
            self._swept = True
            self.wake(woken)

    def _policy(self, account: str) -> Policy:
        return self.orders(account).policy

    def _tend_targets(self) -> None:
        """Note which target calendars nobody can write to, once every account had time to say that it can."""
        writers = targets.writers(self._database.read())
        wanted = {rule.mirror for email in self.workers for rule in self._policy(email).rules if rule.mirror}
        if self._clock.now() - self.snapshot.started_at >= FIRST_HOUSEKEEPING:
            self.board.note_unwritable(tuple(sorted(one for one in wanted if not self.works(writers.get(one, "")))))

    def has_dead_worker(self) -> bool:
        """Say whether a worker's thread ended by itself."""
        return any(not thread.is_alive() for thread in self._threads)

    def on_push(self, channel_id: str, token: str, resource_id: str, state: str) -> bool:
        """Take a push, in memory only. Return False for one that is forged, stale or unknown."""
        now = self._clock.now()
        for worker in list(self.workers.values()):
            channel = worker.channels.find(channel_id)
            if channel is not None and is_genuine(channel, self._secret, token, resource_id, now):
                worker.inbox.post(Push(channel.key.calendar, channel_id, resource_id, now, changed=state != "sync"))
                return True
        self.board.replace(pushes_refused=self.board.snapshot.pushes_refused + 1)
        return False

    def carry_out(self, command: Command) -> None:
        """Do what a command of the command table says; its answer goes to the listeners."""
        self.commands.carry_out(command)

    def answer(self, command: Command, answer: Answer) -> None:
        """Store a final answer with its event, then tell it."""
        said: list[Outcome | Notice] = []
        if command.name != "ping":
            kind = "command_failed" if answer.status == "error" else "command_succeeded"
            text = answer.message or f"{command.name}: {answer.status}."
            data: dict[str, str | int | float | bool | None] = {
                "command": command.name,
                "command_id": command.id,
            }
            said.append(Notice(event_type=kind, text=text, reason=answer.code, data=data))  # type: ignore[arg-type]
        with self._database.write() as tx:
            commands.finish(tx, command.id, answer, self._clock.now())
            outbox.put(tx, said, self._clock.now(), self._random)
        for listener in self._listeners:
            listener.answered(command, answer)
            listener.changed()

    def settings_changed(self) -> None:
        """Let switched settings take force everywhere."""
        self.switchboard.adopt()
        self.board.replace(settings=self.switchboard.effective())

    def orders(self, account: str) -> Orders:
        """Return what is in force for one account."""
        return self.switchboard.orders(account, self._clock.now())

    def connect(self, account: str) -> Calendars:
        """Return the account's calendars. Raises SignInNeeded."""
        return self._accounts.calendars(account, partial(self.pulse.called, account))

    def is_wanted(self, account: str) -> bool:
        """Say whether the account is chosen, or signed in where none is chosen."""
        return account in self._settings.calendars(self._accounts.emails())

    def wake(self, accounts: Iterable[str]) -> None:
        """Tell accounts that others have written down deeds for them."""
        for account in accounts:
            if (worker := self.workers.get(account)) is not None:
                worker.inbox.post(LookAround())

    def works(self, account: str) -> bool:
        """Say whether an account is watched and its sign-in lives, as far as is known."""
        status = self.board.of(account)
        return account in self.workers and (status is None or status.signed_in)

    def longest_silence(self) -> float:
        """Return for how many seconds the slowest worker has not got on."""
        return self.pulse.silence(self.workers)

    def did(self, account: str, command_id: str, error: str | None) -> None:
        """Take in that an account has done its share of a command."""
        self.commands.did(account, command_id, error)

    def wrote(self) -> None:
        """Tell the listeners that there is news."""
        for listener in self._listeners:
            listener.changed()

    def _worker(self, email: str, calendars: tuple[str, ...]) -> Worker:
        with self._database.write() as tx:
            aid = switches.account_id(tx, email, self._random)
        inbox, store, clock, random = Inbox(), self._database, self._clock, self._random
        address, tended = self._settings.push_url, self._tend_channels
        channels = Channels(email, address, self._secret, store, clock, random, tended=tended)
        dispatch = Dispatch(email, self, self._make_slots(aid, inbox), inbox, store, clock, random)
        reading = Reading(email, calendars, self, dispatch, channels, store, clock, random)
        errands = Errands(email, calendars, self, dispatch, store, clock, random)
        targets = Targets(email, calendars, self, store, clock)
        return Worker(email, aid, self, inbox, channels, dispatch, reading, errands, targets, store, clock, random)

    def _start(self, worker: Worker) -> None:
        name = f"worker-{worker.email}"
        self._threads.append(threading.Thread(target=self._run, args=(worker,), name=name, daemon=True))
        self._threads[-1].start()

    def _let_rest(self, email: str) -> None:
        """Take an account that was removed out of everything that is asked, shown and judged."""
        self._resting[email] = self.workers[email]
        self.workers = {known: worker for known, worker in self.workers.items() if known != email}
        self.board.take_down(email)
        log.info("%s is signed out; its calendars are no longer watched.", email)
        self._resting[email].inbox.forget_wishes()
        self.commands.gone(email)

    def _run(self, worker: Worker) -> None:
        """Step a worker for ever. The bulkhead: whatever happens to one account stays with it."""
        self.pulse.begins(worker.email)
        while not self._stopping.is_set():
            if worker.email in self._resting:
                self._stopping.wait(1.0)
                self.ticked(worker.email)
                continue
            try:
                with translated():
                    worker.step()
                self.ticked(worker.email)
                worker.inbox.wait(worker.wake_in())
            except StoreError as error:
                log.warning("%s: %s", worker.email, error)
                self._stopping.wait(AFTER_TROUBLE)
            except Exception:
                log.exception("Surprise in the work for %s; it goes on.", worker.email)
                self._stopping.wait(AFTER_TROUBLE)
