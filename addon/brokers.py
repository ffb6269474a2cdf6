"""Which broker we speak to: the options', else the Supervisor's, else one of our own that is kept alive."""

import logging
from collections.abc import Callable

from addon.broker import HOST, EmbeddedBroker, NoBroker
from addon.mqtt.connection import BrokerAddress
from addon.options import Mqtt
from addon.supervisor import Supervisor
from calbot.errors import CalbotError
from calbot.ports import Clock
from calbot.secrecy import remember

AGAIN_SECONDS = 10.0
log = logging.getLogger(__name__)


class Brokers:
    """Chooses once; `stop` ends our own broker if there is one."""

    def __init__(self, supervisor: Supervisor | None, clock: Clock) -> None:
        self._supervisor = supervisor
        self._clock = clock
        self._own: EmbeddedBroker | None = None
        self._due = 0.0

    def choose(self, mqtt: Mqtt) -> Callable[[], BrokerAddress]:
        """Return who tells where the broker is."""
        if mqtt.host is not None:
            address = BrokerAddress(mqtt.host, mqtt.port, mqtt.username, mqtt.password)
            return lambda: address
        if self._supervisor is not None:
            return found_by(self._supervisor)
        own = EmbeddedBroker(self._clock, port=mqtt.port)
        try:
            own.start()
        except CalbotError as error:
            log.warning("%s", error)
        else:
            self._own = own
            log.info("No broker is configured: Calbot runs its own at %s:%d.", HOST, own.port)
        address = BrokerAddress(HOST, own.port, version5=own.version5)
        return lambda: address

    def keep(self) -> None:
        """Start our own broker again when it has died."""
        own = self._own
        if own is None or own.alive or self._clock.monotonic() < self._due:
            return
        self._due = self._clock.monotonic() + AGAIN_SECONDS
        try:
            own.start()
        except NoBroker as error:
            log.warning("%s", error)
        else:
            log.info("Calbot's own broker had ended and runs again.")

    def stop(self) -> None:
        """End our own broker."""
        if self._own is not None:
            self._own.stop()


def found_by(asked: Supervisor) -> Callable[[], BrokerAddress]:
    """Return who asks the Supervisor for the broker. Mosquitto may change its password whenever it starts."""

    def ask() -> BrokerAddress:
        found = asked.mqtt()
        remember(found.password)
        return BrokerAddress(found.host, found.port, found.username, found.password, tls=found.ssl)

    return ask
