"""The report of each day: when it is due, also over restarts and where clocks are changed, and that it is sent once."""

import datetime as dt
import logging
from collections.abc import Callable
from zoneinfo import ZoneInfo

import msgspec

from addon.alerts.alerts import Alerts
from addon.alerts.judge import Message
from addon.alerts.report import DAY, Day, report
from calbot.board import Board
from calbot.errors import StoreError
from calbot.google.transport import Meter
from calbot.model import Noun
from calbot.ports import Clock
from calbot.store import figures, switches
from calbot.store.database import Database, translated

AGAIN_SECONDS = 60.0
_FACT = "report"
log = logging.getLogger(__name__)


class Told(Noun, frozen=True):
    """The day of the last report, and the time of day that was asked for then."""

    at: dt.time
    on: dt.date | None


_decode = msgspec.json.Decoder(Told).decode


def due(at: dt.time, zone: ZoneInfo, now: float, told: dt.date | None) -> dt.date | None:
    """Return today's date when its report is due.

    A time that does not exist on this day is an hour later; of one that comes twice the first is meant.
    """
    today = dt.datetime.fromtimestamp(now, zone).date()
    return today if told != today and now >= dt.datetime.combine(today, at, zone).timestamp() else None


def begun(at: dt.time, zone: ZoneInfo, now: float, known: Told | None) -> dt.date | None:
    """Return the day that counts as told at a start: who asks for a time that is over means tomorrow's."""
    told = known.on if known is not None else None
    if known is not None and known.at == at:
        return told
    return due(at, zone, now, told) or told


class Daily:
    """For who watches: `open` once the store is, `look` every second. Without a time there is no report."""

    def __init__(
        self,
        at: dt.time | None,
        time_zone: str,
        database: Database,
        clock: Clock,
        *,
        day: Callable[[], Day],
        send: Callable[[Message], None],
    ) -> None:
        self._at = at
        self._zone = ZoneInfo(time_zone)
        self._database = database
        self._clock = clock
        self._day = day
        self._send = send
        self._opened = False
        self._told: dt.date | None = None
        self._again_at = clock.monotonic()

    def open(self) -> None:
        """Read when the last one was sent. Raises StoreError."""
        with self._database.write() as tx:
            known = _known(switches.fact(tx, _FACT))
            if self._at is None:
                if known is not None:
                    switches.remember(tx, _FACT, "")
                return
            self._told = begun(self._at, self._zone, self._clock.now(), known)
            switches.remember(tx, _FACT, self._note(self._at))
        self._opened = True

    def look(self) -> None:
        """Send the report if it is due."""
        if self._at is None or not self._opened or self._clock.monotonic() < self._again_at:
            return
        today = due(self._at, self._zone, self._clock.now(), self._told)
        if today is None:
            return
        try:
            message = report(self._day())
        except StoreError as error:  # Nothing could be read, so there is nothing to tell yet.
            log.debug("%s", error)
            self._again_at = self._clock.monotonic() + AGAIN_SECONDS
            return
        except Exception:
            log.exception("A surprise in the daily report; there is none today.")
            self._told = today
            return
        self._told = today
        self._send(message)
        try:
            with self._database.write() as tx:
                switches.remember(tx, _FACT, self._note(self._at))
        except StoreError as error:  # A full disk keeps nobody from hearing of it.
            log.debug("%s", error)

    def _note(self, at: dt.time) -> str:
        return msgspec.json.encode(Told(at, self._told)).decode()


def gathered(database: Database, board: Board, meter: Meter, alerts: Alerts, clock: Clock) -> Day:
    """Return what the report of the last 24 hours is made of. Raises StoreError."""
    now = clock.now()
    with translated():
        counted = figures.figures(database.read(), now - DAY, now)
    return Day(
        figures=counted,
        snapshot=board.snapshot,
        reads=board.reads(now - DAY),
        calls=meter.lately(),
        alerts=alerts.standing,
        now=now,
    )


def _known(text: str | None) -> Told | None:
    try:
        return _decode(text) if text else None
    except msgspec.MsgspecError:
        return None
