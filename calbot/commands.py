"""What each command does: switches and pauses at once, resync through the accounts' inboxes."""

import math
import threading
from collections.abc import Mapping
from typing import Protocol

from calbot.errors import BadOptions, StoreError
from calbot.inbox import Resumed, Resync
from calbot.model import Answer, Command, Notice, Noun
from calbot.ports import Clock, Random
from calbot.store import commands, outbox
from calbot.store.database import Database
from calbot.switchboard import FOR_EVER, Switchboard
from calbot.worker import Worker

FROM_THE_TABLE = ("cli",)


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
        self._lock = threading.Lock()
        self._pending: dict[str, _Pending] = {}

    def carry_out(self, command: Command) -> None:
        """Do it, or start it; trouble is an answer."""
        try:
            answer = self._start(command)
        except BadOptions as error:
            answer = Answer(status="error", code="invalid", message=str(error))
        except StoreError as error:
            answer = Answer(status="error", code="internal", message=str(error), retryable=True)
        if answer is not None:
            self._desk.answer(command, answer)

    def take_from_table(self) -> None:
        """Take up what the command line has put into the command table."""
        for command in commands.unfinished(self._database.read(), sources=FROM_THE_TABLE):
            if command.id not in self._pending:
                self.carry_out(command)

    def end_pauses(self) -> None:
        """Resume what was paused until now."""
        for account in self._desk.switchboard.ended_pauses(self._clock.now()):
            self._resume(account)

    def resynced(self, account: str, command_id: str, error: str | None) -> None:
        """Count an account as read; the last one brings the answer."""
        with self._lock:
            pending = self._pending.get(command_id)
            if pending is None:
                return
            errors = (*pending.errors, f"{account}: {error}") if error else pending.errors
            pending = _Pending(pending.command, pending.waits_for - {account}, errors)
            self._pending[command_id] = pending
            if pending.waits_for:
                return
            del self._pending[command_id]
        self._desk.answer(pending.command, _summary(errors))

    def _start(self, command: Command) -> Answer | None:
        account = command.args.get("account")
        if account is not None and account not in self._desk.workers:
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
                self._resume(who)
                return Answer(status="ok", message="Calbot goes on.")
            case "resync":
                return self._resync(command, who)
            case _:
                return Answer(status="error", code="unknown_command", message=f"There is no command {command.name}.")

    def _set(self, key: str, value: object, account: str | None) -> Answer:
        if account is not None and key != "auto_invite":
            raise BadOptions(f"{key}: it holds for the whole installation; leave the account out.")
        with self._database.write() as tx:
            self._desk.switchboard.switch(tx, key, value, account)
            notice = _notice("settings_changed", f"{key} is now {value}.", account)
            outbox.put(tx, [notice], self._clock.now(), self._random)
        self._desk.settings_changed()
        return Answer(status="ok", message=f"{key} is now {value}.")

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

    def _resume(self, account: str | None) -> None:
        with self._database.write() as tx:
            self._desk.switchboard.resume(tx, account)
            outbox.put(tx, [_notice("resumed", "Calbot goes on.", account)], self._clock.now(), self._random)
        self._desk.settings_changed()
        for worker in self._desk.workers.values():
            worker.inbox.post(Resumed())

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
        with self._lock:
            self._pending[command.id] = _Pending(command, frozenset(worker.email for worker in workers))
        for worker in workers:
            worker.inbox.post(Resync(command.id, calendar, bool(command.args.get("full"))))
        return None


def _notice(event_type: str, text: str, account: str | None) -> Notice:
    return Notice(event_type=event_type, text=text, account=account)  # type: ignore[arg-type]


def _summary(errors: tuple[str, ...]) -> Answer:
    if not errors:
        return Answer(status="ok", message="Everything was read.")
    code = "auth_required" if any("sign" in error for error in errors) else "upstream_error"
    return Answer(status="error", code=code, message=" ".join(errors), retryable=code == "upstream_error")
