"""The composition root: builds every part, starts it, watches it, and closes it."""

import logging
import sys
from collections.abc import Mapping
from typing import Protocol

from addon import logs, options, stopping, supervisor
from addon.alerts.alerts import Alerts
from addon.alerts.channels import channels
from addon.alerts.courier import TEST, Courier
from addon.brokers import Brokers
from addon.doors import SUPERVISOR, Inside, doors
from addon.mqtt.bridge import Bridge
from addon.mqtt.connection import MqttOptions
from addon.options import Options, Place
from addon.supervisor import Supervisor
from addon.web.alert_page import AlertPage
from addon.web.desk import Desk
from addon.web.server import WebServer
from calbot import __version__, health
from calbot.clock import SystemClock, SystemRandom
from calbot.engine import Engine
from calbot.errors import BadOptions, DirectoryInUse, StoreError
from calbot.google.accounts import GoogleAccounts
from calbot.google.wallet import Wallet
from calbot.settings import Settings
from calbot.sources import Endpoints
from calbot.status import Health
from calbot.store.database import Database, translated
from calbot.vault import Vault, given_key

WATCH_SECONDS = 1.0
OPEN_AGAIN = 3.0
TICK_SECONDS = 30.0
SLOWEST_STEP = 180.0
OK, FAILED, USAGE = 0, 1, 2
log = logging.getLogger(__name__)


class Part(Protocol):
    """What is stopped in the end."""

    def stop(self) -> None: ...


class App:
    """One run of the service."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._clock = SystemClock()
        self._random = SystemRandom()
        self._parts: list[Part] = []
        self._ticked = self._clock.monotonic()
        self._key: str | None = None
        token = environ.get("SUPERVISOR_TOKEN", "").strip()
        address = environ.get("CALBOT_SUPERVISOR_URL", "").strip() or supervisor.ADDRESS
        self._supervisor = Supervisor(token, address) if token else None
        self._brokers = Brokers(self._supervisor, self._clock)

    def run(self) -> int:
        """Serve until a stop is requested; return the exit code."""
        try:
            where = options.place(self._environ)
            wanted, problem = self._options(where)
        except BadOptions as error:
            sys.stderr.write(f"{error}\n")
            return USAGE
        logs.set_up(wanted.log_level if wanted is not None else "info")
        database = Database(where.data)
        try:
            database.take_directory()
        except (StoreError, DirectoryInUse) as error:
            log.critical("%s", error)
            return FAILED
        try:
            return self._serve(where, wanted, problem, database)
        finally:
            database.close()

    def _options(self, where: Place) -> tuple[Options | None, str | None]:
        """Return the options, or under the Supervisor what is wrong with them: there the panel says it."""
        try:
            wanted = options.load(self._environ)
            self._key = given_key(self._environ)
            return wanted, None
        except BadOptions as error:
            if not where.supervised:
                raise
            return None, str(error)

    def _serve(self, where: Place, wanted: Options | None, problem: str | None, database: Database) -> int:
        engine = self._engine(where, wanted, problem, database)
        courier = self._courier(wanted)
        alerts = Alerts(database, self._clock, self._random, send=courier.post, said=engine.wrote)
        desk = Desk(engine, database, self._clock, self._random)
        engine.listen(desk)
        self._doors(engine, where, wanted, database, self._alert_page(where, wanted, courier), desk)
        code = OK
        if self._open(engine, database, alerts):
            desk.take_up_unfinished()
            bridge = self._bridge(engine, wanted, database) if wanted is not None else None
            engine.start()
            log.info("Calbot %s is running.", __version__)
            code = self._watch(engine, bridge, alerts)
        self._close(engine)
        return code

    def _open(self, engine: Engine, database: Database, alerts: Alerts) -> bool:
        """Open the store, as often as the disk refuses; return False when a stop was requested first."""
        while not stopping.requested.is_set():
            self._ticked = self._clock.monotonic()
            try:
                with translated():
                    database.open()
                    alerts.open()
                    engine.open()
            except StoreError as error:
                engine.board.note_disk(str(error))
                self._judge(engine, alerts)
                stopping.requested.wait(OPEN_AGAIN)
            else:
                return True
        return False

    def _engine(self, where: Place, wanted: Options | None, problem: str | None, database: Database) -> Engine:
        endpoints = wanted.endpoints if wanted is not None else Endpoints()
        accounts = GoogleAccounts(
            where.data,
            self._clock,
            self._random,
            calendar_api=endpoints.calendar_api,
            token_uri=endpoints.token_uri,
            vault=Vault(where.data, self._key),
        )
        notes = wanted.notes if wanted is not None else ()
        for note in notes:
            log.warning("%s", note)
        settings = wanted.settings if wanted is not None else Settings()
        return Engine(settings, accounts, database, self._clock, self._random, notes=notes, option_problem=problem)

    def _courier(self, wanted: Options | None) -> Courier:
        """Start who brings alerts to people, through Home Assistant if there is one."""
        named = wanted.notify if wanted is not None else ()
        if named and self._supervisor is None:
            log.warning("notify: there is no Home Assistant around this Calbot that could notify anybody; ignored.")
        courier = Courier(channels(self._supervisor, named) if self._supervisor is not None else (), self._clock)
        courier.start()
        self._parts.append(courier)
        return courier

    def _bridge(self, engine: Engine, wanted: Options, database: Database) -> Bridge:
        self._parts.append(self._brokers)
        bridge = Bridge(
            engine=engine,
            database=database,
            broker=self._brokers.choose(wanted.mqtt),
            options=MqttOptions(wanted.mqtt.base_topic, wanted.event_detail),
            assess=health.assess,
            version=__version__,
            clock=self._clock,
            random=self._random,
        )
        bridge.start()
        self._parts.append(bridge)
        return bridge

    def _doors(
        self,
        engine: Engine,
        where: Place,
        wanted: Options | None,
        database: Database,
        alerts: AlertPage,
        desk: Desk,
    ) -> None:
        """Open the doors that can be opened; the panel's also says what is wrong with the options."""
        house = Inside(
            engine=engine,
            database=database,
            desk=desk,
            alerts=alerts,
            clock=self._clock,
            random=self._random,
            wallet=Wallet(where.data, Vault(where.data, self._key)),
            alive=lambda: self._is_alive(engine, web),
        )
        web = WebServer(doors(house, where, wanted), self._clock)
        self._parts.append(web)
        for blocked in web.start():
            engine.board.note(f"{blocked} Calbot goes on without that door; polling does not need it.")
        if web.ports[0]:
            log.info("The panel is at http://%s:%d/", where.bind, web.ports[0])

    def _alert_page(self, where: Place, wanted: Options | None, courier: Courier) -> AlertPage:
        return AlertPage(
            found=self._supervisor.notify_services if self._supervisor is not None else None,
            named=wanted.notify if wanted is not None else (),
            complaints=courier.complaints,
            test=lambda: courier.post(TEST),
            random=self._random,
            only_peer=SUPERVISOR if where.supervised else None,
        )

    def _watch(self, engine: Engine, bridge: Bridge | None, alerts: Alerts) -> int:
        """Look after everything once a second until a stop is requested; a dead worker is not to be lived with."""
        level = ""
        while not stopping.requested.wait(WATCH_SECONDS):
            self._ticked = self._clock.monotonic()
            try:
                engine.tend()
            except Exception:
                log.exception("A surprise in looking after the engine; it goes on.")
            self._brokers.keep()
            if bridge is not None:
                engine.board.note_broker(connected=bridge.connected, problem=bridge.problem, advice=bridge.advice)
            verdict = self._judge(engine, alerts)
            if verdict.level != level:
                level = verdict.level
                log.info("Status: %s. %s", level, " ".join(f"{r.text} {r.remedy}" for r in verdict.reasons))
            if engine.has_dead_worker():
                log.error("A worker has died; Calbot ends so that it is started again.")
                return FAILED
        return OK

    def _judge(self, engine: Engine, alerts: Alerts) -> Health:
        """Return how everything is, and let people hear of it if they should."""
        snapshot = engine.snapshot
        verdict = health.assess(snapshot, self._clock.now())
        try:
            alerts.look(verdict, snapshot)
        except Exception:
            log.exception("A surprise in judging alerts; it goes on.")
        return verdict

    def _is_alive(self, engine: Engine, web: WebServer) -> bool:
        now = self._clock.monotonic()
        ticked = min(self._ticked, web.ticked)
        return now - ticked < TICK_SECONDS and engine.longest_silence() < SLOWEST_STEP

    def _close(self, engine: Engine) -> None:
        engine.stop()
        for part in reversed(self._parts):
            part.stop()
        log.info("Calbot has stopped.")
