"""The panel's commands: written down, handed to the engine, their answers waited for a moment and found again."""

import logging
import re
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Protocol

from calbot.errors import StoreError
from calbot.model import Answer, Command
from calbot.ports import Clock, Random
from calbot.store import commands
from calbot.store.database import Database, translated

PATIENCE = 3.0
"""Seconds that a browser waits for an answer before it is told that the work is under way."""
MOST_WAITING = 2
REMEMBERED = 200
SOURCE = "panel"
Args = dict[str, str | int | float | bool | None]
log = logging.getLogger(__name__)
_ID = re.compile(r"panel-[0-9a-f]{32}")


class Doer(Protocol):
    """Who carries commands out; the answer comes to its listeners."""

    def carry_out(self, command: Command) -> None:
        """Do, or start to do, what a stored command says."""
        ...


@dataclass(frozen=True, slots=True)
class Sent:
    """A command of ours and its answer, if there is one yet; `command` is None for one from before a restart.

    `back` is the page from which it was sent.
    """

    command: Command | None
    answer: Answer | None
    back: str


class Desk:
    """Sends commands. It listens to the engine, so that a page comes as soon as its answer is there."""

    def __init__(
        self, engine: Doer, database: Database, clock: Clock, random: Random, *, patience: float = PATIENCE
    ) -> None:
        self._engine = engine
        self._database = database
        self._clock = clock
        self._random = random
        self._patience = patience
        self._lock = threading.Lock()
        self._waiting = 0
        self._sent: OrderedDict[str, tuple[Command, str]] = OrderedDict()
        self._awaited: dict[str, threading.Event] = {}

    @property
    def has_room(self) -> bool:
        """Say whether another browser may wait for its answer."""
        return self._waiting < MOST_WAITING

    def changed(self) -> None:
        """Do nothing: the pages read when they are asked."""

    def answered(self, command: Command, answer: Answer) -> None:
        """Let the page that waits for this answer be shown."""
        with self._lock:
            awaited = self._awaited.get(command.id)
        if awaited is not None and answer.final:
            awaited.set()

    def send(self, name: str, args: Args, back: str = "./") -> str:
        """Have a command carried out and return its id, with its answer or after a moment. Raises StoreError."""
        id_ = f"panel-{self._random.token(16).hex()}"
        command = Command(name=name, id=id_, args=args, source=SOURCE, received=self._clock.now())
        with self._database.write() as tx:
            commands.add(tx, command)
        answered = threading.Event()
        with self._lock:
            self._awaited[id_] = answered
            self._sent[id_] = command, back
            while len(self._sent) > REMEMBERED:
                self._sent.popitem(last=False)
        try:
            self._engine.carry_out(command)
            if self._takes_place():
                try:
                    answered.wait(self._patience)
                finally:
                    with self._lock:
                        self._waiting -= 1
        finally:
            with self._lock:
                del self._awaited[id_]
        return id_

    def take_up_unfinished(self) -> None:
        """Carry out what was sent before the last stop and never answered."""
        try:
            with translated():
                unfinished = commands.unfinished(self._database.read(), sources=(SOURCE,))
        except StoreError as error:
            log.warning("What the panel was asked before the last stop waits for the next start: %s", error)
            return
        for command in unfinished:
            if command.id not in self._sent:
                self._engine.carry_out(command)

    def find(self, id_: str) -> Sent | None:
        """Return what became of a command of ours; None when there was none. Raises StoreError."""
        if not _ID.fullmatch(id_):
            return None
        with translated():
            known, answer = commands.known(self._database.read(), id_, self._clock.now())
        if not known:
            return None
        command, back = self._sent.get(id_, (None, "./"))
        return Sent(command, answer, back)

    def _takes_place(self) -> bool:
        with self._lock:
            free = self.has_room
            self._waiting += free
            return free
