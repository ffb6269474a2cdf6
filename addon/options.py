"""All options of one start: from the data directory and the environment, checked and frozen."""

import datetime as dt
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast
from urllib.parse import urlsplit

from addon import ways
from addon.ways import Way
from calbot import sources
from calbot.checks import choice, number, section, shown, text
from calbot.envfile import surroundings
from calbot.errors import BadOptions
from calbot.settings import Settings
from calbot.sources import Endpoints

EventDetail = Literal["minimal", "standard", "full"]
LogLevel = Literal["debug", "info", "warning", "error"]

_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}|[0-9A-Fa-f:.%]{2,60}")
_SERVICE = re.compile(r"notify\.[a-z0-9_]{1,100}")
_TIME_OF_DAY = re.compile(r"([01]?\d|2[0-3]):[0-5]\d")
_TOPIC = re.compile(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*")


@dataclass(frozen=True, slots=True)
class Place:
    """Where Calbot lives: its data directory, and the doors' ports and address."""

    data: Path
    panel_port: int = 8099
    push_port: int = 8098
    bind: str = "127.0.0.1"
    supervised: bool = False
    panel_names: tuple[str, ...] = ()
    """Names by which people reach the panel, beside those that a house gives its machines."""


@dataclass(frozen=True, slots=True)
class Mqtt:
    """The broker that was asked for; without a host, one is to be found."""

    host: str | None = None
    port: int = 1883
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    base_topic: str = "calbot"


@dataclass(frozen=True, slots=True)
class Options:
    """Everything that was asked for. `origin` says where each option, by its dotted name, is from."""

    settings: Settings
    mqtt: Mqtt
    event_detail: EventDetail
    log_level: LogLevel
    notify: tuple[str, ...]
    alerts: tuple[Way, ...]
    report_at: dt.time | None
    heartbeat_url: str | None = field(repr=False)
    place: Place
    endpoints: Endpoints
    notes: tuple[str, ...]
    origin: Mapping[str, str]

    def shown(self) -> tuple[tuple[str, str, str], ...]:
        """Return key, value and origin of each option that is in force, in words and without secrets."""
        wanted, broker = self.settings, self.mqtt
        accounts = ", ".join(
            one.email + ("" if one.calendars == ("primary",) else f" ({', '.join(one.calendars)})")
            for one in wanted.accounts
        )
        values = {
            "accounts": accounts or "every signed-in account",
            "invite_emails": ", ".join(wanted.invite_emails) or "nobody",
            "central_calendar": wanted.central_calendar or "none",
            "rules": ", ".join(rule.name for rule in wanted.rules) or "none",
            "auto_invite": "on" if wanted.auto_invite else "off",
            "mirroring": "on" if wanted.mirroring else "off",
            "dry_run": "on" if wanted.dry_run else "off",
            "first_sync": wanted.first_sync,
            "poll_interval": f"{wanted.poll_interval} s",
            "push_url": wanted.push_url or "none",
            "delete_original.enabled": "on" if wanted.delete_original else "off",
            "delete_original.grace": f"{wanted.grace} s",
            "limits.invites_per_hour": str(wanted.invites_per_hour),
            "limits.removals_per_pass": str(wanted.removals_per_pass),
            "mqtt.host": broker.host or "found by itself",
            "mqtt.port": str(broker.port),
            "mqtt.username": broker.username or "none",
            "mqtt.password": "set" if broker.password else "none",
            "mqtt.base_topic": broker.base_topic,
            "event_detail": self.event_detail,
            "notify": ", ".join(self.notify) or "Home Assistant's own notifications only",
            "alerts": ", ".join(way.name for way in self.alerts) or "none",
            "report_at": f"{self.report_at:%H:%M}" if self.report_at is not None else "none",
            "heartbeat_url": "set" if self.heartbeat_url else "none",
            "log_level": self.log_level,
        }
        return tuple((key, value, self.origin.get(key, "default")) for key, value in values.items())

    def hosts(self) -> tuple[str, ...]:
        """Return the household's own hosts that these options name."""
        named = (
            self.mqtt.host,
            *(urlsplit(url or "").hostname for url in (self.settings.push_url, self.heartbeat_url)),
        )
        return tuple({host for host in named if host})


def place(environ: Mapping[str, str]) -> Place:
    """Return where Calbot lives; no file is read, so that the panel can say what is wrong with them."""
    supervised = bool(environ.get("SUPERVISOR_TOKEN"))
    panel, push = (
        number(sources.env_number(environ, name, standard), name, 1, 65535)
        for name, standard in (("CALBOT_PANEL_PORT", 8099), ("CALBOT_PUSH_PORT", 8098))
    )
    if panel == push:
        raise BadOptions(f"CALBOT_PUSH_PORT: {push} is the panel's port too; give one of them another number.")
    bind = environ.get("CALBOT_BIND", "").strip() or ("0.0.0.0" if supervised else "127.0.0.1")  # noqa: S104
    bind = "127.0.0.1" if bind == "localhost" else bind.strip("[]")
    try:
        ipaddress.ip_address(bind)
    except ValueError:
        raise BadOptions(f"CALBOT_BIND: {shown(bind)} is not an IP address; write 127.0.0.1 or 0.0.0.0.") from None
    return Place(sources.data_directory(environ), panel, push, bind, supervised, _panel_names(environ))


def _panel_names(environ: Mapping[str, str]) -> tuple[str, ...]:
    names = environ.get("CALBOT_PANEL_NAMES", "").lower().replace(",", " ").split()
    for name in names:
        if not _HOST.fullmatch(name):
            raise BadOptions(f"CALBOT_PANEL_NAMES: {shown(name)} is not a name; write it like calbot.example.org.")
    return tuple(name.rstrip(".") for name in names)


def load(environ: Mapping[str, str]) -> Options:
    """Return the options of this start. Raises BadOptions: one sentence with the key and the remedy."""
    where = place(environ)
    environ = surroundings(environ)
    found = sources.gather(environ)
    settings, notes = sources.settings(found)
    try:
        mqtt = _mqtt(found.values.get("mqtt"))
        detail = choice(found.values.get("event_detail") or "standard", "event_detail", ("minimal", "standard", "full"))
        notify = _notify(found.values.get("notify"))
        levels = ("debug", "info", "warning", "error")
        level = choice(found.values.get("log_level") or "info", "log_level", levels)
        alerts = ways.ways(found.values.get("alerts"))
        report_at = _report_at(found.values.get("report_at"))
        heartbeat_url = _heartbeat_url(found.values.get("heartbeat_url"))
    except BadOptions as error:
        raise sources.named(error, found.origin) from None
    return Options(
        settings=settings,
        mqtt=mqtt,
        event_detail=cast("EventDetail", detail),
        log_level=cast("LogLevel", level),
        notify=notify,
        alerts=alerts,
        report_at=report_at,
        heartbeat_url=heartbeat_url,
        place=where,
        endpoints=found.endpoints,
        notes=notes,
        origin=found.origin,
    )


def _mqtt(value: object) -> Mqtt:
    group = section(value if value is not None else {}, "mqtt", sources.NESTED["mqtt"])
    texts = {name: text(group[name], f"mqtt.{name}") for name in ("host", "username", "base_topic") if name in group}
    password = group.get("password") or None
    if password is not None and not isinstance(password, str):
        raise BadOptions("mqtt.password: is not text; write it in quotes.")
    host, topic = texts.get("host", ""), texts.get("base_topic") or "calbot"
    if host and not _HOST.fullmatch(host):
        raise BadOptions(f"mqtt.host: {shown(host)} is not a host; write only its name or address, like 192.0.2.7.")
    if len(topic) > 64 or not _TOPIC.fullmatch(topic) or topic.split("/")[0] == "homeassistant":
        raise BadOptions(
            f"mqtt.base_topic: {shown(topic)} cannot be used; write letters, digits, - and _ , like calbot."
        )
    return Mqtt(
        host=host or None,
        port=number(group.get("port", 1883), "mqtt.port", 1, 65535),
        username=texts.get("username") or None,
        password=password,
        base_topic=topic,
    )


def _notify(value: object) -> tuple[str, ...]:
    example = "write it like [notify.mobile_app_anna]"
    if value is None:
        return ()
    if not isinstance(value, list):
        raise BadOptions(f"notify: {shown(value)} is not a list; {example}.")
    names = [text(entry, "notify", example).lower() for entry in value if entry is not None]
    for name in names:
        if name and not _SERVICE.fullmatch(name):
            raise BadOptions(f"notify: {shown(name)} is not a notify service; {example}.")
    return tuple(dict.fromkeys(name for name in names if name))


def _report_at(value: object) -> dt.time | None:
    """Return a time of day, in the household's time zone."""
    example = 'write it in quotes, like "07:00"'
    word = text(value if value is not None else "", "report_at", example)
    if not word:
        return None
    if not _TIME_OF_DAY.fullmatch(word):
        raise BadOptions(f"report_at: {shown(word)} is not a time of day; {example}.")
    hour, minute = word.split(":")
    return dt.time(int(hour), int(minute))


def _heartbeat_url(value: object) -> str | None:
    """Return the address; it is a secret, so no complaint repeats it."""
    remedy = "copy the push URL that Uptime Kuma shows for a monitor of the type Push"
    address = text(value if value is not None else "", "heartbeat_url", remedy)
    if not address:
        return None
    try:
        parts = urlsplit(address)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or " " in address or len(address) > 1000:
        raise BadOptions(f"heartbeat_url: what is there is not a web address; {remedy}.")
    return address
