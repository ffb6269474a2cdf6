"""The alerts as they stand: judged anew at each look, announced, and remembered over restarts."""

import logging
import threading
from collections.abc import Callable

import msgspec

from addon.alerts.judge import Judged, Memory, Message, Trouble, acknowledged, joined, judge, kept
from calbot.errors import StoreError
from calbot.model import Notice, Outcome
from calbot.ports import Clock, Random
from calbot.status import Health, Snapshot
from calbot.store import outbox, switches
from calbot.store.database import Database, Tx

AGAIN_SECONDS = 30.0
_FACT = "alerts"
_decode = msgspec.json.Decoder(Memory).decode

log = logging.getLogger(__name__)


class Alerts:
    """For who watches, and for who acknowledges.

    `send` takes a message and does not wait; `said` hears that the outbox got rows.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        random: Random,
        *,
        send: Callable[[Message], None],
        said: Callable[[], None],
    ) -> None:
        self._database = database
        self._clock = clock
        self._random = random
        self._send = send
        self._said = said
        self._lock = threading.Lock()
        self._memory = Memory()
        self._unsaid: list[Outcome | Notice] = []
        self._unwritten = False
        self._write_at = 0.0

    @property
    def standing(self) -> tuple[Trouble, ...]:
        """Return what is raised and not cleared."""
        return tuple(trouble for trouble in self._memory.troubles if trouble.raised is not None)

    def open(self) -> None:
        """Remember what an earlier run knew, so that nothing is told twice. Raises StoreError.

        `look` works before that, too: a disk that cannot be read is something to tell.
        """
        with self._database.write() as tx:
            known = kept(_known(tx))
        with self._lock:
            self._memory = joined(known, self._memory)

    def look(self, health: Health, snapshot: Snapshot) -> None:
        """Judge, announce, and hand over what people are to be told. A full disk keeps nobody from hearing of it."""
        with self._lock:
            judged = judge(self._memory, health, snapshot, self._clock.now())
            self._memory = judged.memory
            for message in judged.messages:  # Before it counts as told: a crash in between tells it twice, not never.
                self._send(message)
            if judged.is_news:
                self._announce(judged)
            if self._unwritten and self._clock.monotonic() >= self._write_at:
                self._write()

    def acknowledge(self, alert: str | None) -> bool:
        """Take it that people know of the alert with this id, or of all; return False when there is none."""
        with self._lock:
            if not any(alert in {None, trouble.id} for trouble in self.standing):
                return False
            self._memory = acknowledged(self._memory, alert)
            self._write()
            return True

    def _announce(self, judged: Judged) -> None:
        for trouble in judged.raised:
            log.debug("Alert %s is raised.", trouble.id)
            self._unsaid.append(_notice(trouble, cleared=False))
        for trouble in judged.cleared:
            log.debug("Alert %s is cleared.", trouble.id)
            self._unsaid.append(_notice(trouble, cleared=True))
        self._unwritten, self._write_at = True, 0.0

    def _write(self) -> None:
        """Write down what is known and announce what is new, together; what the disk does not take waits."""
        self._unwritten = True
        try:
            with self._database.write() as tx:
                switches.remember(tx, _FACT, msgspec.json.encode(kept(self._memory)).decode())
                outbox.put(tx, self._unsaid, self._clock.now(), self._random)
        except StoreError as error:
            self._write_at = self._clock.monotonic() + AGAIN_SECONDS
            log.debug("%s", error)
            return
        self._unwritten = False
        if self._unsaid:
            self._unsaid = []
            self._said()


def standing(tx: Tx) -> tuple[Trouble, ...]:
    """Return the alerts that the store knows to stand; while Calbot runs, as they were at their last change."""
    return tuple(trouble for trouble in _known(tx).troubles if trouble.raised is not None)


def acknowledge(tx: Tx, alert: str | None) -> bool:
    """Write down, where no Calbot runs, that people know of an alert or of all; return False when there is none."""
    known = _known(tx)
    if not any(alert in {None, trouble.id} for trouble in known.troubles if trouble.raised is not None):
        return False
    switches.remember(tx, _FACT, msgspec.json.encode(acknowledged(known, alert)).decode())
    return True


def _known(tx: Tx) -> Memory:
    text = switches.fact(tx, _FACT)
    try:
        return _decode(text) if text else Memory()
    except msgspec.MsgspecError:
        log.warning("What was known of alerts cannot be read; they are judged afresh.")
        return Memory()


def _notice(trouble: Trouble, *, cleared: bool) -> Notice:
    account = trouble.subject if "@" in trouble.subject and " " not in trouble.subject else None
    return Notice(
        event_type="alert_cleared" if cleared else "alert_raised",
        text=trouble.text,
        account=account,
        reason=trouble.kind,
        data={"alert": trouble.id},
    )
