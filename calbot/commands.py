"""What each command does: some at once, others through the accounts' inboxes; each gets one final answer."""

import logging
import math
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from calbot.control import Control, Letters
from calbot.errors import BadOptions, StoreError
from calbot.inbox import LookAround, PlanAfresh, RenewChannels, Resync
from calbot.model import Answer, CalendarKey, Command, Notice, Noun
from calbot.ports import Clock, Random
from calbot.purge import Purge
from calbot.settings import parse_switch
from calbot.status import FOR_EVER
from calbot.store import commands, outbox
from calbot.store.database import Database, translated
from calbot.switchboard import Switchboard
from calbot.worker import Worker

FROM_THE_TABLE = ("cli",)
GONE = "It is no longer signed in."
log = logging.getLogger(__name__)


class _Pending(Noun, frozen=True):
    command: Command
    waits_for: frozenset[str]
    errors: tuple[str, ...] = ()


class Desk(Protocol):
    """What commands need of the engine."""

    @property
    def workers(self) -> Mapping[str, Worker]: ...
    @property
    def switchboard(self) -> Switchboard: ...
    def answer(self, command: Command, answer: Answer) -> None: ...
    def settings_changed(self) -> None: ...


class Commands:
    """The commands under way. Every one gets exactly one final answer."""

    def __init__(self, desk: Desk, database: Database, clock: Clock, random: Random) -> None:
        self._desk = desk
        self._database = database
        self._clock = clock
        self._random = random
        self._control = Control(desk.switchboard, self._watched, database, clock, random)
        self._purge = Purge(desk.switchboard, self._watched, database, clock)
        self._lock = threading.Lock()
        self._pending: dict[str, _Pending] = {}
        self._owed: dict[str, tuple[Command, Answer]] = {}
        self._paying = threading.Lock()
        self._others: dict[str, Callable[[Command], Answer | None]] = {}

    def also(self, name: str, do: Callable[[Command], Answer | None]) -> None:
        """Know one more command. `do` returns its answer soon, or None: then it comes by `answered`."""
        self._others[name] = do

    def answered(self, command: Command, answer: Answer) -> None:
        """Take the final answer to a command that is under way."""
        self._answer(command, answer)

    def carry_out(self, command: Command) -> None:
        """Do it, or start it; trouble is an answer."""
        try:
            with translated():
                answer = self._start(command)
        except BadOptions as error:
            answer = Answer(status="error", code="invalid", message=str(error))
        except StoreError as error:
            answer = Answer(status="error", code="internal", message=str(error), retryable=True)
        if answer is not None:
            self._answer(command, answer)

    def tend(self) -> None:
        """Do what comes up by itself: answers that are owed, ended pauses, commands in the table. Raises StoreError."""
        with self._paying:
            self._pay()
        now = self._clock.now()
        ended = [account for account, until in self._desk.switchboard.pauses().items() if until <= now]
        if ended:
            self._end_pauses(ended)
        under_way = {*self._pending, *self._owed}  # Asked before the table: an answer is stored, then forgotten here.
        for command in commands.unfinished(self._database.read(), sources=FROM_THE_TABLE):
            if command.id not in under_way:
                self.carry_out(command)

    def gone(self, account: str) -> None:
        """Count an account as done with everything: it was signed out."""
        with self._lock:
            waiting = [id_ for id_, pending in self._pending.items() if account in pending.waits_for]
        for command_id in waiting:
            self.did(account, command_id, GONE)

    def did(self, account: str, command_id: str, error: str | None) -> None:
        """Count an account as done with its share; the last one brings the answer."""
        with self._lock:
            pending = self._pending.get(command_id)
            if pending is None:
                return
            errors = (*pending.errors, f"{account}: {error}") if error else pending.errors
            pending = _Pending(pending.command, pending.waits_for - {account}, errors)
            self._pending[command_id] = pending
            if pending.waits_for:
                return
        self._answer(pending.command, self._summary(pending.command, errors))

    def _summary(self, command: Command, errors: tuple[str, ...]) -> Answer:
        match command.name:
            case "undo":
                return self._control.undone(command, errors)
            case "apply":
                return self._control.taken_up(command, errors)
            case "purge":
                return self._purge.taken(command, errors)
            case "renew_channels":
                return _renewed(errors)
            case _:
                return _read(errors)

    def _answer(self, command: Command, answer: Answer) -> None:
        """Store and tell a final answer; one that cannot be stored now is owed."""
        with self._paying:
            self._owed[command.id] = command, answer
            self._pending.pop(command.id, None)
            try:
                self._pay()
            except StoreError as error:
                log.warning("The answer to %s waits: %s", command.name, error)

    def _pay(self) -> None:
        for command, answer in list(self._owed.values()):
            self._desk.answer(command, answer)
            del self._owed[command.id]

    def _start(self, command: Command) -> Answer | None:
        account = command.args.get("account")
        if account is not None and account not in self._desk.workers and command.name != "purge":
            return Answer(status="error", code="not_found", message=f"There is no account {account}.")
        who = str(account) if account is not None else None
        match command.name:
            case "ping":
                return Answer(status="ok", message="pong")
            case "set":
                return self._set(str(command.args.get("key")), command.args.get("value"), who)
            case "pause":
                return self._pause(command.args.get("minutes"), who)
            case "resume":
                return self._resume(who)
            case "resync":
                return self._resync(command, who)
            case "renew_channels":
                return self._send(command, self._renewal(command, who))
            case "approve" | "discard":
                return self._release(command)
            case "undo":
                return self._send(command, self._control.undo(command))
            case "apply":
                return self._send(command, self._control.take_up(command, who))
            case "purge":
                return self._take_copies(command)
            case "preview":
                return self._control.preview(command, who)
            case "explain":
                return self._control.explain(command)
            case _:
                return self._by_others(command)

    def _by_others(self, command: Command) -> Answer | None:
        do = self._others.get(command.name)
        if do is None:
            return Answer(status="error", code="unknown_command", message=f"There is no command {command.name}.")
        with self._lock:
            self._pending[command.id] = _Pending(command, frozenset({command.name}))
        return do(command)

    def _set(self, key: str, value: object, account: str | None) -> Answer:
        key = key.removeprefix("limits.")
        if key == "paused":
            return self._switch_pause(account, paused=bool(parse_switch(key, value)))
        if account is not None and key != "auto_invite":
            raise BadOptions(f"{key}: it holds for the whole installation; leave the account out.")
        text = f"{key} is now {value}."
        with self._database.write() as tx:
            self._desk.switchboard.switch(tx, key, value, account)
            outbox.put(tx, [_notice("settings_changed", text, account)], self._clock.now(), self._random)
        self._take_force()
        board = self._desk.switchboard
        if account is not None and not board.effective().auto_invite:
            text += " But auto_invite is off for the whole installation, so nobody is invited."
        return Answer(status="ok", message=text)

    def _pause(self, minutes: object, account: str | None) -> Answer:
        if minutes is not None and not (
            isinstance(minutes, int | float) and not isinstance(minutes, bool) and 0 < minutes < math.inf
        ):
            raise BadOptions("minutes: write a number above 0, or leave it out to pause until resume.")
        until = FOR_EVER if minutes is None else self._clock.now() + 60 * float(minutes)
        text = "Calbot is paused." if minutes is None else f"Calbot is paused for {minutes} minutes."
        with self._database.write() as tx:
            self._desk.switchboard.pause(tx, until, account)
            outbox.put(tx, [_notice("paused", text, account)], self._clock.now(), self._random)
        self._desk.settings_changed()
        return Answer(status="ok", message=text)

    def _switch_pause(self, account: str | None, *, paused: bool) -> Answer:
        if paused:
            return self._pause(None, account)
        self._end_pauses([account])
        return Answer(status="ok", message="Calbot goes on.")

    def _resume(self, account: str | None) -> Answer:
        pauses = self._desk.switchboard.pauses()
        self._end_pauses([None, *filter(None, pauses)] if account is None else [account])
        if account is not None and None in pauses:
            return Answer(status="ok", message="All of Calbot is still paused; resume it without an account.")
        return Answer(status="ok", message="Calbot goes on.")

    def _end_pauses(self, accounts: Iterable[str | None]) -> None:
        with self._database.write() as tx:
            for account in accounts:
                self._desk.switchboard.resume(tx, account)
                outbox.put(tx, [_notice("resumed", "Calbot goes on.", account)], self._clock.now(), self._random)
        self._take_force()

    def _take_force(self) -> None:
        """Let what was switched hold at once, also for what waits already."""
        self._desk.settings_changed()
        for worker in self._desk.workers.values():
            worker.inbox.post(PlanAfresh())

    def _resync(self, command: Command, account: str | None) -> Answer | None:
        wanted = command.args.get("calendar")
        calendar = str(wanted) if wanted is not None else None
        workers = [
            worker
            for worker in self._desk.workers.values()
            if account in {None, worker.email} and (calendar is None or calendar in worker.reading.calendars)
        ]
        if not workers:
            what = f"the calendar {calendar}" if calendar else "an account"
            return Answer(status="error", code="not_found", message=f"Calbot does not watch {what}.")
        letter = Resync(command.id, calendar, bool(command.args.get("full")))
        return self._send(command, Letters({worker.email: letter for worker in workers}))

    def _renewal(self, command: Command, account: str | None) -> Answer | Letters:
        """Ask the accounts for new push channels; no calendar is without one meanwhile."""
        wanted = [one for one in self._desk.workers.values() if account in {None, one.email}]
        if not wanted:
            return Answer(status="error", code="auth_required", message="Nobody is signed in yet.")
        if not any(worker.channels.has_address for worker in wanted):
            text = "push_url: is not set, so there are no push channels; Calbot polls instead."
            return Answer(status="error", code="invalid", message=text)
        return Letters({worker.email: RenewChannels(command.id) for worker in wanted})

    def _watched(self) -> tuple[CalendarKey, ...]:
        workers = self._desk.workers.values()
        return tuple(CalendarKey(worker.email, calendar) for worker in workers for calendar in worker.reading.sources)

    def _release(self, command: Command) -> Answer:
        answer = self._control.release(command, approve=command.name == "approve")
        if answer.status == "ok":
            self._take_force()
        return answer

    def _take_copies(self, command: Command) -> Answer | None:
        wanted = self._purge.ask(command)
        for account in wanted.to if isinstance(wanted, Letters) else ():
            if account in self._desk.workers:
                self._desk.workers[account].inbox.post(LookAround())
        return self._send(command, wanted)

    def _send(self, command: Command, wanted: Answer | Letters) -> Answer | None:
        """Send letters to the accounts they are for; their shares make the answer."""
        if isinstance(wanted, Answer):
            return wanted
        if not wanted.to:
            return self._summary(command, ())
        with self._lock:
            self._pending[command.id] = _Pending(command, frozenset(wanted.to))
        for account, letter in wanted.to.items():
            worker = self._desk.workers.get(account)
            if worker is None:
                self.did(account, command.id, GONE)
            else:
                worker.inbox.post(letter)
        return None


def _notice(event_type: str, text: str, account: str | None) -> Notice:
    return Notice(event_type=event_type, text=text, account=account)  # type: ignore[arg-type]


def _renewed(errors: tuple[str, ...]) -> Answer:
    return _read(errors) if errors else Answer(status="ok", message="Google has opened new push channels.")


def _read(errors: tuple[str, ...]) -> Answer:
    if not errors:
        return Answer(status="ok", message="Everything was read.")
    code = "auth_required" if any("sign" in error for error in errors) else "upstream_error"
    return Answer(status="error", code=code, message=" ".join(errors), retryable=code == "upstream_error")
