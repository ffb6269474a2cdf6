"""Stop requests, taken from the first moment on: exit 0 within five seconds, whatever hangs."""

import os
import signal
import threading
from types import FrameType

PATIENCE = 4.0

requested = threading.Event()
"""Set once the process was asked to end."""


def listen() -> None:
    """Take SIGTERM and SIGINT from now on. Called before anything slow is imported.

    Who starts us may have blocked SIGTERM, so that one which came before this line waits for it.
    """
    signal.signal(signal.SIGTERM, _on_signal)
    signal.signal(signal.SIGINT, _on_signal)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})


def _on_signal(_number: int, _frame: FrameType | None) -> None:
    """Let a thread take the request: who was interrupted may be inside the event's own lock, and would wait for it."""
    threading.Thread(target=_take, name="stop", daemon=True).start()


def _take() -> None:
    requested.set()
    _end_anyway(0)


def end_soon(code: int) -> None:
    """End the process with this code when a tidy stop takes too long; the store loses nothing by it."""
    threading.Thread(target=_end_anyway, args=(code,), name="patience", daemon=True).start()


def _end_anyway(code: int) -> None:
    threading.Event().wait(PATIENCE)
    os._exit(code)
