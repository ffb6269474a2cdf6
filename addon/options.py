"""All options of one start: from the data directory and the environment, checked and frozen."""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import msgspec

from addon.optionfiles import json_options, yaml_options
from calbot import settings as engine
from calbot.errors import BadOptions
from calbot.settings import Settings, choice, number, refuse_unknown, section, shown, text

EventDetail = Literal["minimal", "standard", "full"]
LogLevel = Literal["debug", "info", "warning", "error"]

SHELL_KEYS = ("mqtt", "event_detail", "log_level")
NESTED = {**engine.NESTED, "mqtt": ("host", "port", "username", "password", "base_topic")}

_SWITCHES = ("auto_invite", "mirroring", "dry_run", "delete_original.enabled")
_NUMBERS = (
    "poll_interval",
    "delete_original.grace",
    "limits.invites_per_hour",
    "limits.removals_per_pass",
    "mqtt.port",
)
_LISTS = ("accounts", "invite_emails", "notify")
_TEXTS = (
    *(
        "central_calendar",
        "first_sync",
        "push_url",
        "event_detail",
        "report_at",
        "heartbeat_url",
        "log_level",
    ),
    *("mqtt.host", "mqtt.username", "mqtt.password", "mqtt.base_topic"),
)
_BY_OWN_NAME = {
    f"CALBOT_{key.upper().replace('.', '_')}": key for key in _SWITCHES + _NUMBERS + _LISTS + _TEXTS
}
_BY_OLD_NAME = {
    "INVITE_EMAIL": "invite_emails",
    "SOURCE_CALENDARS": "accounts",
    "POLL_INTERVAL_MINUTES": "poll_interval",
    "ENABLE_AUTO_INVITE": "auto_invite",
    "DEBUG_LOGGING": "log_level",
    "WEBHOOK_URL": "push_url",
    "GOOGLE_WEBHOOK_URL": "push_url",
    "UPTIME_KUMA_PUSH_URL": "heartbeat_url",
}
_BROKER = {f"MQTT_{name.upper()}": f"mqtt.{name}" for name in ("host", "port", "username", "password")}
_ENDPOINTS = ("calendar_api", "gmail_api", "auth_uri", "token_uri", "revoke_uri")
_OTHERS = {"CALBOT_DATA", "CALBOT_IMAGE", "CALBOT_PANEL_PORT", "CALBOT_PUSH_PORT", "CALBOT_BIND"}
_OTHERS |= {f"CALBOT_{name.upper()}" for name in _ENDPOINTS}
_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}|[0-9A-Fa-f:.%]{2,60}")
_TOPIC = re.compile(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*")


@dataclass(frozen=True, slots=True)
class Place:
    """Where Calbot lives: its data directory, and the doors' ports and address."""

    data: Path
    panel_port: int = 8099
    push_port: int = 8098
    bind: str = "127.0.0.1"
    supervised: bool = False


@dataclass(frozen=True, slots=True)
class Mqtt:
    """The broker that was asked for; without a host, one is to be found."""

    host: str | None = None
    port: int = 1883
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    base_topic: str = "calbot"


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Addresses that stand in for Google's own, where they are set."""

    calendar_api: str | None = None
    gmail_api: str | None = None
    auth_uri: str | None = None
    token_uri: str | None = None
    revoke_uri: str | None = None


@dataclass(frozen=True, slots=True)
class Options:
    """Everything that was asked for. `origin` says where each option, by its dotted name, is from."""

    settings: Settings
    mqtt: Mqtt
    event_detail: EventDetail
    log_level: LogLevel
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
            "auto_invite": "on" if wanted.auto_invite else "off",
            "dry_run": "on" if wanted.dry_run else "off",
            "first_sync": wanted.first_sync,
            "poll_interval": f"{wanted.poll_interval} s",
            "push_url": wanted.push_url or "none",
            "limits.invites_per_hour": str(wanted.invites_per_hour),
            "limits.removals_per_pass": str(wanted.removals_per_pass),
            "mqtt.host": broker.host or "found by itself",
            "mqtt.port": str(broker.port),
            "mqtt.username": broker.username or "none",
            "mqtt.password": "set" if broker.password else "none",
            "mqtt.base_topic": broker.base_topic,
            "event_detail": self.event_detail,
            "log_level": self.log_level,
        }
        return tuple((key, value, self.origin.get(key, "default")) for key, value in values.items())


def place(environ: Mapping[str, str]) -> Place:
    """Return where Calbot lives; no file is read, so that the panel can say what is wrong with them."""
    supervised = bool(environ.get("SUPERVISOR_TOKEN"))
    home = "/data" if environ.get("CALBOT_IMAGE") == "1" else "./data"
    panel, push = (
        number(_env_number(environ, name, standard), name, 1, 65535)
        for name, standard in (("CALBOT_PANEL_PORT", 8099), ("CALBOT_PUSH_PORT", 8098))
    )
    if panel == push:
        raise BadOptions(
            f"CALBOT_PUSH_PORT: {push} is the panel's port too; give one of them another number."
        )
    bind = environ.get("CALBOT_BIND", "").strip() or ("0.0.0.0" if supervised else "127.0.0.1")  # noqa: S104
    bind = "127.0.0.1" if bind == "localhost" else bind.strip("[]")
    try:
        ipaddress.ip_address(bind)
    except ValueError:
        raise BadOptions(
            f"CALBOT_BIND: {shown(bind)} is not an IP address; write 127.0.0.1 or 0.0.0.0."
        ) from None
    return Place(Path(environ.get("CALBOT_DATA") or home), panel, push, bind, supervised)


def load(environ: Mapping[str, str]) -> Options:
    """Return the options of this start. Raises BadOptions: one sentence with the key and the remedy."""
    where = place(environ)
    merged: dict[str, object] = {}
    origin: dict[str, str] = {}
    _lay(merged, origin, "options.json", json_options(where.data / "options.json"))
    _lay(merged, origin, "calbot.yaml", yaml_options(where.data / "calbot.yaml"))
    for name, key, value in _spoken(environ):
        group, _, inner = key.rpartition(".")
        _lay(merged, origin, name, {group: {inner: value}} if group else {inner: value})
    endpoints = _endpoints(environ)
    try:
        refuse_unknown(merged, engine.KEYS + SHELL_KEYS)
        mqtt = _mqtt(merged.get("mqtt"))
        given = {key: value for key, value in merged.items() if key not in SHELL_KEYS}
        settings, notes = engine.parse(given, endpoints_overridden=endpoints.calendar_api is not None)
        detail = choice(
            merged.get("event_detail") or "standard", "event_detail", ("minimal", "standard", "full")
        )
        level = choice(merged.get("log_level") or "info", "log_level", ("debug", "info", "warning", "error"))
    except BadOptions as error:
        source = origin.get(str(error).split(":", 1)[0], "options.json")
        raise BadOptions(str(error) if source == "options.json" else f"{source}: {error}") from None
    zone, zone_notes = _time_zone(environ)
    return Options(
        settings=msgspec.structs.replace(settings, time_zone=zone),
        mqtt=mqtt,
        event_detail=cast("EventDetail", detail),
        log_level=cast("LogLevel", level),
        place=where,
        endpoints=endpoints,
        notes=(*notes, *_environment_notes(environ), *zone_notes),
        origin=origin,
    )


def _lay(merged: dict[str, object], origin: dict[str, str], name: str, layer: Mapping[str, object]) -> None:
    """Lay one source over the others: groups merge, everything else replaces."""
    for key, value in layer.items():
        below = merged.get(key)
        if key in NESTED and value is None:
            continue
        origin[key] = name
        if key in NESTED and isinstance(value, dict):
            origin |= {f"{key}.{inner}": name for inner in value}
            value = {**below, **value} if isinstance(below, dict) else value  # noqa: PLW2901
        merged[key] = value


def _spoken(environ: Mapping[str, str]) -> list[tuple[str, str, object]]:
    """Return name, key and value of each option that the environment sets; the last one wins."""
    found: list[tuple[str, str, object]] = []
    for name, key in [*_BY_OLD_NAME.items(), *_BY_OWN_NAME.items(), *_BROKER.items()]:
        word = environ.get(name, "").strip()
        if not word:
            continue
        if name == "DEBUG_LOGGING":
            if _env_switch(name, word):
                found.append((name, key, "debug"))
        elif name == "POLL_INTERVAL_MINUTES":
            if not re.fullmatch(r"\d{1,6}(\.\d{1,6})?", word):
                raise BadOptions(f"{name}: {shown(word)} is not a number; write minutes, like 5.")
            found.append((name, key, round(float(word) * 60)))
        elif key in _SWITCHES:
            found.append((name, key, _env_switch(name, word)))
        elif key in _NUMBERS:
            found.append((name, key, _env_number(environ, name, 0)))
        elif key in _LISTS:
            found.append(
                (name, key, list(dict.fromkeys(part.strip() for part in word.split(",") if part.strip())))
            )
        else:
            found.append((name, key, word))
    return found


def _env_switch(name: str, word: str) -> bool:
    return engine.switch(engine.WORDS.get(word.lower(), word), name)


def _env_number(environ: Mapping[str, str], name: str, standard: int) -> int:
    word = environ.get(name, "").strip() or str(standard)
    if not re.fullmatch(r"-?[0-9]{1,9}", word):
        raise BadOptions(f"{name}: {shown(word)} is not a whole number; write digits only.")
    return int(word)


def _environment_notes(environ: Mapping[str, str]) -> list[str]:
    notes = []
    if environ.get("EXPECTED_CHANNEL_ID"):
        notes.append("EXPECTED_CHANNEL_ID: superseded by a secret per channel; you can remove it.")
    known = _OTHERS | _BY_OWN_NAME.keys()
    for name in sorted(environ):
        if name.startswith("CALBOT_") and name not in known:
            try:
                refuse_unknown([name], known)
            except BadOptions as error:
                notes.append(f"{error}")
    return notes


def _time_zone(environ: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    name = environ.get("TZ", "").strip().removeprefix(":")
    if not name:
        return "UTC", ()
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return "UTC", (f"TZ: {shown(name)} is not a time zone like Europe/Berlin; UTC is used.",)
    return name, ()


def _endpoints(environ: Mapping[str, str]) -> Endpoints:
    found: dict[str, str] = {}
    for name in _ENDPOINTS:
        variable = f"CALBOT_{name.upper()}"
        address = environ.get(variable, "").strip()
        if not address:
            continue
        try:
            usable = urlsplit(address).scheme in ("http", "https") and bool(urlsplit(address).hostname)
        except ValueError:
            usable = False
        if not usable:
            raise BadOptions(
                f"{variable}: {shown(address)} is not a web address; write it like https://host/path."
            )
        found[name] = address.rstrip("/") + "/" if name.endswith("_api") else address
    return Endpoints(**found)


def _mqtt(value: object) -> Mqtt:
    group = section(value if value is not None else {}, "mqtt", NESTED["mqtt"])
    texts = {
        name: text(group[name], f"mqtt.{name}")
        for name in ("host", "username", "base_topic")
        if name in group
    }
    password = group.get("password") or None
    if password is not None and not isinstance(password, str):
        raise BadOptions("mqtt.password: is not text; write it in quotes.")
    host, topic = texts.get("host", ""), texts.get("base_topic") or "calbot"
    if host and not _HOST.fullmatch(host):
        raise BadOptions(
            f"mqtt.host: {shown(host)} is not a host; write only its name or address, like 192.0.2.7."
        )
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
