"""What has not arrived yet, by the channel: it outlives the process, so that no restart and no crash loses an alert."""

import logging
from collections.abc import Callable, Mapping

import msgspec

from addon.alerts.judge import Message
from calbot.errors import StoreError
from calbot.store import switches
from calbot.store.database import Database

_FACT = "owed"
log = logging.getLogger(__name__)
Messages = Mapping[str, tuple[Message, ...]]
_decode = msgspec.json.Decoder(dict[str, tuple[Message, ...]]).decode


class Owed:
    """Kept beside what is known of the alerts. A message is in it before it goes out and until it has arrived."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._is_open = False

    def open(self) -> Messages:
        """Return what an earlier run could not bring. Raises StoreError."""
        with self._database.write() as tx:
            text = switches.fact(tx, _FACT)
        self._is_open = True
        try:
            return _decode(text) if text else {}
        except msgspec.MsgspecError:
            return {}

    def keep(self, owed: Callable[[], Messages]) -> None:
        """Write down what is owed now. What a full disk does not take is there at the next one, or when it arrives."""
        if not self._is_open:  # Else it would take the place of what an earlier run has left.
            return
        try:
            with self._database.write() as tx:
                switches.remember(tx, _FACT, msgspec.json.encode(owed()).decode())
        except StoreError as error:
            log.debug("%s", error)
