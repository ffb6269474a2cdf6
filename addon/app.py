"""The composition root: builds every part, starts it, watches it, and closes it."""

import logging
import sys
from collections.abc import Mapping
from functools import partial
from typing import Protocol

from addon import logs, options, stopping, supervisor
from addon.alerts.alerts import Alerts
from addon.alerts.asked import Asked
from addon.alerts.channels import channels
from addon.alerts.courier import PAGE_PATIENCE, Courier
from addon.alerts.daily import Daily, gathered
from addon.alerts.mail import by_gmail
from addon.alerts.owed import Owed
from addon.brokers import Brokers
from addon.doors import SUPERVISOR, Inside, doors
from addon.heartbeat import Heartbeat, Look, Monitor, judged
from addon.mqtt.bridge import Bridge
from addon.mqtt.connection import MqttOptions
from addon.options import Options, Place
from addon.supervisor import Supervisor
from addon.web.alert_page import AlertPage
from addon.web.desk import Desk
from addon.web.server import WebServer
from calbot import __version__, health, rotation
from calbot.clock import SystemClock, SystemRandom
from calbot.engine import Engine
from calbot.envfile import EnvFileLocked
from calbot.errors import BadOptions, DirectoryInUse, StoreError
from calbot.google.accounts import GoogleAccounts
from calbot.google.transport import Meter
from calbot.google.wallet import Wallet
from calbot.secrecy import cleaned
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


def reason_to_end(engine: Engine, *, supervised: bool) -> str | None:
    """Return why the process is to end and be started again; None while it is not.

    Docker and systemd start again what has ended, and ask no `/live`. The Supervisor does so only where its watchdog is
    switched on, which asks: there the other accounts' work goes on beside a worker that hangs.
    """
    if engine.has_dead_worker():
        return "A worker has died."
    if engine.pulse.longest_seen() >= SLOWEST_STEP and not supervised:
        return "A worker has stood still for minutes."
    return None


class App:
    """One run of the service."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._clock = SystemClock()
        self._random = SystemRandom()
        self._meter = Meter()
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
            sys.stderr.write(f"{cleaned(str(error))}\n")
            return USAGE
        logs.set_up(wanted.log_level if wanted is not None else "info")
        database = Database(where.data)
        try:
            database.take_directory()
        except (StoreError, DirectoryInUse) as error:
            log.critical("%s", error)
            return FAILED
        logs.keep_file(where.data, self._clock)
        try:
            return self._serve(where, wanted, problem, database)
        finally:
            database.close()

    def _options(self, where: Place) -> tuple[Options | None, str | None]:
        """Return the options, or what is wrong: the panel says it, under the Supervisor or where a key is missing."""
        try:
            wanted = options.load(self._environ)
            self._key = given_key(self._environ)
            return wanted, None
        except BadOptions as error:
            if not where.supervised and not isinstance(error, EnvFileLocked):
                raise
            return None, str(error)

    def _serve(self, where: Place, wanted: Options | None, problem: str | None, database: Database) -> int:
        if wanted is not None:
            rotation.finish(where.data, Vault(where.data, self._key))
        engine = self._engine(where, wanted, problem, database)
        courier = self._courier(engine, where, wanted, database)
        alerts = Alerts(database, self._clock, self._random, send=courier.post, said=engine.wrote)
        asked = Asked(alerts, courier, engine.commands.answered)
        engine.commands.also("ack_alert", asked.acknowledge)
        engine.commands.also("test_alert", asked.test)
        desk = Desk(engine, database, self._clock, self._random)
        engine.listen(desk)
        self._doors(engine, where, wanted, database, self._alert_page(where, courier, alerts, desk), desk)
        daily = self._daily(engine, wanted, database, alerts, courier)
        self._beat(engine, where, wanted)
        code = OK
        if self._open(engine, database, alerts, daily, courier):
            desk.take_up_unfinished()
            bridge = self._bridge(engine, wanted, database) if wanted is not None else None
            engine.start()
            log.info("Calbot %s is running.", __version__)
            code = self._watch(engine, bridge, alerts, daily, supervised=where.supervised)
        self._close(engine)
        return code

    def _open(self, engine: Engine, database: Database, alerts: Alerts, daily: Daily, courier: Courier) -> bool:
        """Open the store, as often as the disk refuses; return False when a stop was requested first."""
        while not stopping.requested.is_set():
            self._ticked = self._clock.monotonic()
            try:
                with translated():
                    database.open()
                    alerts.open()
                    daily.open()
                    engine.open()
                    courier.open()
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
            meter=self._meter,
        )
        notes = wanted.notes if wanted is not None else ()
        for note in notes:
            log.warning("%s", note)
        settings = wanted.settings if wanted is not None else Settings()
        return Engine(settings, accounts, database, self._clock, self._random, notes=notes, option_problem=problem)

    def _courier(self, engine: Engine, where: Place, wanted: Options | None, database: Database) -> Courier:
        """Start who brings alerts to people, through Home Assistant if there is one, and by the ways of the options."""
        named = wanted.notify if wanted is not None else ()
        if named and self._supervisor is None:
            log.warning("notify: there is no Home Assistant around this Calbot that could notify anybody; ignored.")
        endpoints = wanted.endpoints if wanted is not None else Endpoints()
        mail = by_gmail(where.data, self._key, endpoints, self._clock)
        ways = wanted.alerts if wanted is not None else ()
        found = channels(self._supervisor, named, ways, mail, self._clock, self._random)
        if wanted is not None and wanted.report_at is not None and not found:
            engine.board.note("report_at: there is no way to bring a report to anybody yet; name one in alerts.")
        courier = Courier(found, self._clock, engine.board, Owed(database))
        courier.start()
        self._parts.append(courier)
        return courier

    def _daily(
        self, engine: Engine, wanted: Options | None, database: Database, alerts: Alerts, courier: Courier
    ) -> Daily:
        at, zone = (wanted.report_at, wanted.settings.time_zone) if wanted is not None else (None, "UTC")
        day = partial(gathered, database, engine.board, self._meter, alerts, self._clock)
        return Daily(at, zone, database, self._clock, day=day, send=courier.post)

    def _beat(self, engine: Engine, where: Place, wanted: Options | None) -> None:
        """Tell a monitor how Calbot is, as seen by a thread that looks after nothing else."""
        if wanted is None or wanted.heartbeat_url is None:
            return

        def look() -> Look:
            silent = self._clock.monotonic() - self._ticked
            return judged(engine.snapshot, self._clock.now(), watch_silent=silent, ping=self._meter.latency)

        heartbeat = Heartbeat(Monitor(wanted.heartbeat_url, where.supervised, self._clock), look)
        heartbeat.start()
        self._parts.append(heartbeat)

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

    def _alert_page(self, where: Place, courier: Courier, alerts: Alerts, desk: Desk) -> AlertPage:
        return AlertPage(
            found=self._supervisor.notify_services if self._supervisor is not None else None,
            works=courier.works,
            complaints=courier.complaints,
            standing=lambda: alerts.standing,
            acknowledge=lambda alert: desk.send("ack_alert", {"id": alert} if alert else {"all": True}, "alerts"),
            test=lambda: courier.test(PAGE_PATIENCE),
            clock=self._clock,
            random=self._random,
            only_peer=SUPERVISOR if where.supervised else None,
        )

    def _watch(self, engine: Engine, bridge: Bridge | None, alerts: Alerts, daily: Daily, *, supervised: bool) -> int:
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
            daily.look()
            if verdict.level != level:
                level = verdict.level
                log.info("Status: %s. %s", level, " ".join(f"{r.text} {r.remedy}" for r in verdict.reasons))
            why = reason_to_end(engine, supervised=supervised)
            if why is not None:
                log.error("%s Calbot ends so that it is started again.", why)
                stopping.end_soon(FAILED)
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
