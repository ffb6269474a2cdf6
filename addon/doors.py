"""Builds the doors: the panel with all its pages, and the push door where there is a public address for it."""

from collections.abc import Callable
from dataclasses import dataclass

from addon import logs
from addon.options import Options, Place
from addon.web.alert_page import AlertPage
from addon.web.deeds import DeedPages
from addon.web.desk import Desk
from addon.web.diagnostics import Diagnostics
from addon.web.panel import panel
from addon.web.server import Door
from addon.web.sign_in import LARGEST_BODY, Pages
from addon.web.webhook import PushDoor
from calbot import health
from calbot.engine import Engine
from calbot.google.consent import places
from calbot.google.wallet import Wallet
from calbot.model import Outgoing
from calbot.ports import Clock, Random
from calbot.store import outbox
from calbot.store.database import Database, translated
from calbot.store.sizes import sizes

SUPERVISOR = "172.30.32.2"
SHOWN_OUTCOMES = 100


@dataclass(frozen=True, slots=True)
class Inside:
    """What lies behind the doors. `alive` says whether the loops tick."""

    engine: Engine
    database: Database
    desk: Desk
    alerts: AlertPage
    clock: Clock
    random: Random
    wallet: Wallet
    alive: Callable[[], bool]


def doors(inside: Inside, where: Place, wanted: Options | None) -> list[Door]:
    """Return the doors to open; without right options the panel says what is wrong, and there is no other."""
    found = [_panel(inside, where, wanted)]
    if wanted is not None and wanted.settings.push_url is not None:
        engine, clock = inside.engine, inside.clock
        push = PushDoor(engine, healthy=lambda: health.assess(engine.snapshot, clock.now()).level != "problem")
        found.append(Door("push door", push, where.bind, where.push_port, "CALBOT_PUSH_PORT"))
    return found


def _panel(inside: Inside, where: Place, wanted: Options | None) -> Door:
    engine, database = inside.engine, inside.database
    peer = SUPERVISOR if where.supervised else None
    zone = wanted.settings.time_zone if wanted is not None else "UTC"
    deeds = DeedPages(
        engine, inside.desk, database, clock=inside.clock, random=inside.random, time_zone=zone, only_peer=peer
    )
    page = panel(
        engine,
        assess=health.assess,
        clock=inside.clock,
        alive=inside.alive,
        mqtt_problem=lambda: engine.snapshot.broker_problem if wanted else "MQTT waits for right options.",
        outcomes=lambda: _latest(database),
        options=wanted.shown() if wanted is not None else (),
        time_zone=zone,
        names=where.panel_names,
        only_peer=peer,
        sign_in=_sign_in(inside, where, wanted) if wanted is not None else None,
        deeds=deeds if wanted is not None else None,
        diagnostics=Diagnostics(
            assess=health.assess,
            options=wanted.shown() if wanted is not None else (),
            lines=lambda count: logs.latest(where.data, count),
            sizes=lambda: _sizes(database),
            supervised=where.supervised,
            hosts=wanted.hosts() if wanted is not None else (),
        ),
    )
    page.register_blueprint(inside.alerts.blueprint())
    return Door("panel", page, where.bind, where.panel_port, "CALBOT_PANEL_PORT", 900, largest_body=LARGEST_BODY)


def _sign_in(inside: Inside, where: Place, wanted: Options) -> Pages:
    """Seal the tokens that lie there plain, and return the pages that bring new ones."""
    endpoints = wanted.endpoints
    inside.wallet.seal()
    return Pages(
        inside.engine,
        inside.wallet,
        places(endpoints.auth_uri, endpoints.token_uri, endpoints.calendar_api),
        clock=inside.clock,
        random=inside.random,
        time_zone=wanted.settings.time_zone,
        only_peer=SUPERVISOR if where.supervised else None,
        chosen=[choice.email for choice in wanted.settings.accounts],
        desk=inside.desk,
    )


def _sizes(database: Database) -> object:
    with translated():
        return sizes(database.read())


def _latest(database: Database) -> list[Outgoing]:
    with translated():
        reader = database.read()
        return [row for stream in outbox.STREAMS for row in outbox.latest(reader, stream, SHOWN_OUTCOMES)]
