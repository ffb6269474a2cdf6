"""Logging for people: one line a message, on standard error and in a file that cannot grow, and no secrets in either.

The file is written under the Supervisor too: at `info` it grows by a few lines a day and is never synced, so that it
wears no SD card, and it says what was before the last restart, which the Supervisor's own log has forgotten by then.
"""

import contextlib
import logging
import os
import sys
from collections import deque
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path

from calbot import discretion
from calbot.ports import Clock

FOLDER = "logs"
LARGEST = 1024 * 1024
OLDER = 3
AGAIN_SECONDS = 30.0
"""So long a file that cannot be written is left alone."""
LONGEST_LINE = 8000
_TAIL = 256 * 1024
# At level debug some of them log whole requests, tokens included.
_QUIET = (
    *("googleapiclient", "google", "google_auth_oauthlib", "oauthlib", "requests_oauthlib", "requests", "httplib2"),
    *("urllib3", "waitress", "werkzeug", "amqtt", "transitions", "paho", "asyncio"),
    *("apprise", "markdown", "MARKDOWN"),
)
_FORMAT, _TIME = "%(asctime)s %(levelname)-7s %(message)s", "%Y-%m-%d %H:%M:%S"


class _OneLine(logging.Formatter):
    """Keeps what came from outside from forging lines or colours."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the library's name
        """Return the line."""
        return _printable(super().formatMessage(record))

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, and a traceback below it, moved in, so that no line of it passes for one of ours."""
        first, *more = super().format(record).split("\n")
        return "\n".join([first, *(f"  {_printable(line)}" for line in more)])


class LogFile(RotatingFileHandler):
    """A log file of one process: a mebibyte, and three older ones.

    A disk that is full or read-only costs lines, but no exception: after a while it is tried again.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self._clock = clock
        self._failed_at: float | None = None
        self._lost = 0
        super().__init__(path, maxBytes=LARGEST, backupCount=OLDER, encoding="utf-8", delay=True, errors="replace")
        self.setFormatter(_OneLine(_FORMAT, _TIME))

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, or count it as lost."""
        if self._failed_at is not None and self._clock.monotonic() - self._failed_at < AGAIN_SECONDS:
            self._lost += 1
            return
        try:
            Path(self.baseFilename).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self.shouldRollover(record):
                self.doRollover()
            stream = self.stream or self._open()
            self.stream = stream
            gap = f"\n({self._lost} lines are missing here: the log file could not be written.)\n" if self._lost else ""
            stream.write(f"{gap}{self.format(record)}\n")
            stream.flush()
        except (OSError, ValueError) as error:  # ValueError: the file is closed
            self._give_up(error)
        else:
            self._failed_at, self._lost = None, 0

    def close(self) -> None:
        """Close the file; what the disk does not take is lost."""
        with contextlib.suppress(OSError, ValueError):
            super().close()

    def _open(self) -> TextIOWrapper:
        """Open the file for its user alone."""
        handle = os.open(self.baseFilename, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with contextlib.suppress(OSError):
            os.fchmod(handle, 0o600)
        return os.fdopen(handle, "a", encoding=self.encoding, errors=self.errors)

    def _give_up(self, error: OSError | ValueError) -> None:
        """Leave the file alone for a while; say so once, on whatever else there is."""
        first = self._failed_at is None
        self._failed_at = self._clock.monotonic()
        self._lost += 1
        stream, self.stream = self.stream, None
        if stream is not None:
            with contextlib.suppress(OSError, ValueError):
                stream.close()
        if first:
            text = "The log file cannot be written (%s); Calbot goes on without it and tries again."
            logging.getLogger(__name__).warning(text, getattr(error, "strerror", None) or error)


def set_up(level: str) -> None:
    """Log from this level on, on standard error, without secrets."""
    discretion.keep()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_OneLine(_FORMAT, _TIME))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def keep_file(data: Path, clock: Clock, name: str = "calbot") -> None:
    """Log into `logs/<name>.log` of the data directory as well.

    To be called by the one process that holds the directory, or this name in it: two may not write the same file.
    """
    logging.getLogger().addHandler(LogFile(path(data, name), clock))


def path(data: Path, name: str = "calbot") -> Path:
    """Return where the file is."""
    return data / FOLDER / f"{name}.log"


def latest(data: Path, count: int) -> list[str]:
    """Return the newest lines of the service's file, also of the one before it; none when it cannot be read."""
    current = path(data)
    lines: deque[str] = deque(maxlen=count)
    for file in (current.with_name(f"{current.name}.1"), current):
        with contextlib.suppress(OSError), file.open("rb") as opened:
            size = opened.seek(0, os.SEEK_END)
            opened.seek(max(0, size - _TAIL))
            found = opened.read(_TAIL).decode(errors="replace").splitlines()
            lines.extend(found[1:] if size > _TAIL else found)
    return list(lines)


def _printable(line: str) -> str:
    return "".join(sign if sign.isprintable() else " " for sign in line[:LONGEST_LINE])
