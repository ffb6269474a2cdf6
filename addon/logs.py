"""Logging for people: one line a message, on standard error, without control characters."""

import logging
import sys

# At level debug some of them log whole requests, tokens included.
_QUIET = (
    *("googleapiclient", "google", "google_auth_oauthlib", "oauthlib", "requests_oauthlib", "requests"),
    *("urllib3", "waitress", "werkzeug", "amqtt", "transitions"),
)


class _OneLine(logging.Formatter):
    """Keeps what came from outside from forging lines or colours."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the library's name
        """Return the line; only a traceback, which is ours, may follow it on lines of its own."""
        line = super().formatMessage(record)
        return "".join(sign if sign.isprintable() else " " for sign in line)


def set_up(level: str) -> None:
    """Log from this level on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_OneLine("%(asctime)s %(levelname)-7s %(message)s", "%Y-%m-%d %H:%M:%S"))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
