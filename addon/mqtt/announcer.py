"""Home Assistant is told of our devices, and of what is gone; the user's deletion of a device is respected."""

import collections
import dataclasses
import logging
import sqlite3

import msgspec

from addon.mqtt import discovery
from addon.mqtt.discovery import Components, Device
from addon.mqtt.encoding import Voice
from addon.mqtt.sending import Message, Sender
from addon.mqtt.states import Reporting
from addon.mqtt.topics import Topics
from calbot.errors import StoreError
from calbot.status import AccountStatus
from calbot.store import switches
from calbot.store.database import Database

_FACT = "mqtt_discovery"

log = logging.getLogger(__name__)


class _Table(msgspec.Struct, frozen=True):
    """What was announced, by topic, and which devices the user has deleted."""

    announced: dict[str, dict[str, str]] = {}
    deleted: frozenset[str] = frozenset()


_NOTHING = _Table()


@dataclasses.dataclass(frozen=True, slots=True)
class About:
    """What an announcement says of us besides the entities. `panel` is where the device's page leads to."""

    version: str
    panel: str | None = None


class Announcer:
    """Publishes the devices. Only the bridge's thread works here.

    The table of what was announced is written before anything goes out, so that it never lacks a component that
    Home Assistant may know; what was taken back leaves it when the broker has our word.
    """

    def __init__(
        self,
        *,
        topics: Topics,
        voice: Voice,
        engine: Reporting,
        about: About,
        database: Database,
        sender: Sender,
    ) -> None:
        self._topics = topics
        self._voice = voice
        self._engine = engine
        self._about = about
        self._database = database
        self._sender = sender
        self._table = _NOTHING
        self._goal: _Table | None = None
        self._goal_at = 0
        self._shown: object = None
        self._clearing: collections.Counter[str] = collections.Counter()

    def open(self) -> None:
        """Read what an earlier run announced."""
        found = switches.fact(self._database.read(), _FACT)
        if found:
            try:
                self._table = msgspec.json.decode(found, type=_Table)
            except msgspec.MsgspecError:
                log.warning("What was announced to Home Assistant cannot be read back; it is announced anew.")

    @property
    def heard_on(self) -> tuple[str, ...]:
        """The topics of our announcements, where a deletion shows."""
        return tuple(device.topic for device in self._devices())

    def announce(self) -> None:
        """Announce every device that the user did not delete, and take back what is no more.

        Without a connection nothing happens: each one begins with this.
        """
        if not self._sender.is_connected:
            return
        devices = self._devices()
        self._shown = self._accounts()
        table = self._table
        wanted = {device.topic: device.components for device in devices if device.topic not in table.deleted}
        deleted = table.deleted & {device.topic for device in devices}
        known = {topic: {**table.announced.get(topic, {}), **parts} for topic, parts in wanted.items()}
        self._write(_Table({**table.announced, **known}, table.deleted))
        for topic in table.announced.keys() - wanted.keys():
            self._clear(topic)
        for device in devices:
            if device.topic in wanted:
                self._say(device, table.announced.get(device.topic, {}))
        self._goal, self._goal_at = _Table(wanted, deleted), self._sender.published + self._sender.waiting

    def step(self) -> bool:
        """Announce when the accounts are others than before; say whether that was so."""
        if self._shown == self._accounts():
            return False
        self.announce()
        return True

    def confirm(self) -> None:
        """Forget what was taken back once the broker has everything that was said about it."""
        if self._goal is not None and self._sender.answered >= self._goal_at:
            goal, self._goal = self._goal, None
            self._write(goal)

    def disconnected(self) -> None:
        """Note that it is not known what of it arrived."""
        self._goal = None
        self._clearing.clear()

    def heard(self, topic: str, payload: bytes) -> None:
        """Take in a message on one of our announcements' topics: an empty one not of ours is a deletion."""
        if payload or topic not in self._table.announced:
            return
        if self._clearing[topic] > 0:
            self._clearing[topic] -= 1
            return
        log.info("The device %s was deleted in Home Assistant; the command republish brings it back.", topic)
        self._goal = None
        announced = {other: parts for other, parts in self._table.announced.items() if other != topic}
        self._write(_Table(announced, self._table.deleted | {topic}))

    def republish(self) -> None:
        """Announce everything, also what the user deleted."""
        self._write(_Table(self._table.announced))
        self.announce()

    def _say(self, device: Device, before: Components) -> None:
        farewell = device.farewell(before)
        for body in (farewell, device.body()):
            if body is not None:
                self._sender.send(Message(device.topic, body, retain=True))

    def _clear(self, topic: str) -> None:
        self._clearing[topic] += 1
        self._sender.send(Message(topic, b"", retain=True))

    def _write(self, table: _Table) -> None:
        if table == self._table:
            return
        self._table = table
        try:
            with self._database.write() as tx:
                switches.remember(tx, _FACT, msgspec.json.encode(table).decode())
        except (StoreError, sqlite3.Error) as error:
            log.warning("What is announced to Home Assistant cannot be written down: %s", error)

    def _accounts(self) -> object:
        return [(account.email, account.aid) for account in self._engine.snapshot.accounts]

    def _devices(self) -> list[Device]:
        voice, topics, version = self._voice, self._topics, self._about.version
        accounts: tuple[AccountStatus, ...] = self._engine.snapshot.accounts
        house = discovery.installation(voice, topics, version, self._about.panel)
        return [house, *(discovery.account(voice, topics, version, account) for account in accounts)]
