"""Keeps secrets out of every log record, traceback and warning of this process, whoever writes them.

`faulthandler` is left alone: it writes names of files and functions, and no values.
"""

import logging
import sys
import threading
import traceback
from types import TracebackType
from typing import Any

from calbot.secrecy import cleaned

log = logging.getLogger(__name__)
_formatter = logging.Formatter()
Raised = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


def keep() -> None:
    """Clean from now on what logging, warnings and uncaught exceptions write, on whatever handler it ends up."""
    logging.setLogRecordFactory(discreet_record)
    logging.raiseExceptions = False  # A handler that fails would print the record's arguments as they are.
    logging.captureWarnings(capture=True)
    sys.excepthook = _on_uncaught
    threading.excepthook = _on_uncaught_in_thread
    sys.unraisablehook = _on_unraisable


def discreet_record(*args: Any, **more: Any) -> logging.LogRecord:
    """Return a record that has no secret in it any more: its text is whole, and its arguments are gone."""
    record = logging.LogRecord(*args, **more)
    try:
        text = record.getMessage()
    except Exception:  # noqa: BLE001 - foreign code's mistake in a format or a __repr__ is no reason to lose its line
        text = f"{record.msg!s} (its values could not be filled in)"
    record.msg, record.args = cleaned(text), ()
    if record.exc_info is not None:
        record.exc_text = cleaned(_traceback(record.exc_info))
        record.exc_info = None  # Whoever formats it anew would take the secrets from it again.
    if record.stack_info:
        record.stack_info = cleaned(record.stack_info)
    return record


def _traceback(raised: Raised) -> str:
    try:
        return _formatter.formatException(raised) if raised[0] is not None else ""
    except Exception:  # noqa: BLE001 - an exception whose own text raises
        return "".join(traceback.format_tb(raised[2])) + str(raised[0])


def _on_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, None)
        return
    log.critical("A surprise ends this.", exc_info=(kind, error, trace))


def _on_uncaught_in_thread(told: threading.ExceptHookArgs) -> None:
    if issubclass(told.exc_type, SystemExit):
        return
    name = told.thread.name if told.thread is not None else "?"
    error = told.exc_value or told.exc_type()
    log.error("A surprise ends the thread %s.", name, exc_info=(told.exc_type, error, told.exc_traceback))


def _on_unraisable(told: Any) -> None:
    error = told.exc_value
    if error is not None:
        what = told.err_msg or "A surprise that nobody could be told of"
        log.warning("%s.", what, exc_info=(told.exc_type, error, told.exc_traceback))
