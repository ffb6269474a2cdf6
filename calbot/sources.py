"""Where options come from: the Supervisor's file, over it `calbot.yaml`, over that the environment."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo

import msgspec

from calbot import settings as engine_settings
from calbot.checks import WORDS, email_address, email_addresses, number, refuse_unknown, shown, switch
from calbot.errors import BadOptions
from calbot.optionfiles import json_options, yaml_options
from calbot.secrecy import remember
from calbot.settings import Settings

SHELL_KEYS = ("mqtt", "event_detail", "log_level", "notify", "alerts", "report_at", "heartbeat_url")
"""Options that the engine leaves to the shell around it."""
NESTED = {**engine_settings.NESTED, "mqtt": ("host", "port", "username", "password", "base_topic")}

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
_ADDRESSES = "CALBOT_ALERTS"
"""Apprise URLs with blanks between them."""
_BY_OWN_NAME = {f"CALBOT_{key.upper().replace('.', '_')}": key for key in _SWITCHES + _NUMBERS + _LISTS + _TEXTS}
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
_OTHERS = {
    "CALBOT_DATA",
    "CALBOT_IMAGE",
    "CALBOT_PANEL_PORT",
    "CALBOT_PANEL_NAMES",
    "CALBOT_PUSH_PORT",
    "CALBOT_BIND",
    "CALBOT_OPTIONS_FD",
    "CALBOT_PATIENCE",
}
_OTHERS.add("CALBOT_SUPERVISOR_URL")  # where tests have a Supervisor of their own
_OTHERS |= {_ADDRESSES, *(f"CALBOT_{name.upper()}" for name in _ENDPOINTS)}
_MAIL = ("SENDER_EMAIL", "TO_EMAIL", "SENDGRID_API_KEY")
_ELSEWHERE = {"EXPECTED_CHANNEL_ID", "GOOGLE_AUTH_PATH", "PROCESSED_FILE", "CLOUDFLARE_TUNNEL_TOKEN", "TZ"}
"""Names that mean something to Calbot or to what runs beside it, but set no option."""
_SECRET = re.compile(r"(_KEY|TOKEN|SECRET|PASSWORD|HEARTBEAT_URL|KUMA_PUSH_URL|CHANNEL_ID|^CALBOT_ALERTS)$")
_SENDGRID_KEY = re.compile(r"[A-Za-z0-9._-]{1,200}")


class Surroundings(dict[str, str]):
    """The environment with a file's settings under it: which names the file gave, and what is to be said of it."""

    def __init__(
        self,
        merged: Mapping[str, str],
        file: str = "",
        names: frozenset[str] = frozenset(),
        notes: tuple[str, ...] = (),
    ) -> None:
        super().__init__(merged)
        self.file, self.names, self.notes = file, names, notes

    def of_file(self) -> dict[str, str]:
        """Return what the file gave."""
        return {name: value for name, value in self.items() if name in self.names}

    def of_their_own(self) -> dict[str, str]:
        """Return the real environment, which wins under whatever name it sets an option."""
        return {name: value for name, value in self.items() if name not in self.names}

    def origin(self, name: str) -> str:
        """Return where a variable is from, in words."""
        return f"{self.file}, {name}" if name in self.names else name


def is_setting(name: str) -> bool:
    """Say whether a variable sets something of Calbot's, or looks as if it were meant to."""
    known = _BY_OLD_NAME.keys() | _BROKER.keys() | _ELSEWHERE | {*_MAIL}
    return name in known or name.startswith(("CALBOT_", "MONITOR_"))


def remember_secrets(environ: Mapping[str, str]) -> None:
    """Have no value shown of a variable that is secret by its name; of a list of addresses none by itself either."""
    for name, value in environ.items():
        if _SECRET.search(name):
            remember(value, *(one for one in value.split() if "://" in one))


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Addresses that stand in for Google's own, where they are set."""

    calendar_api: str | None = None
    gmail_api: str | None = None
    auth_uri: str | None = None
    token_uri: str | None = None
    revoke_uri: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """What was found before the shell's own options are read: `values` is laid together, not yet checked."""

    data: Path
    values: Mapping[str, object]
    origin: Mapping[str, str]
    endpoints: Endpoints
    time_zone: str
    patience: int
    notes: tuple[str, ...]


def data_directory(environ: Mapping[str, str]) -> Path:
    """Return the data directory."""
    return Path(environ.get("CALBOT_DATA") or ("/data" if environ.get("CALBOT_IMAGE") == "1" else "./data"))


def gather(environ: Mapping[str, str]) -> Found:
    """Read every source and lay one over the other. Raises BadOptions."""
    surroundings = environ if isinstance(environ, Surroundings) else Surroundings(environ)
    remember_secrets(environ)
    data = data_directory(environ)
    values: dict[str, object] = {}
    origin: dict[str, str] = {}
    opened = env_number(environ, "CALBOT_OPTIONS_FD", -1)
    in_file = json_options(data / "options.json", opened if opened >= 0 else None)
    _lay(values, origin, "options.json", in_file)
    _lay(values, origin, "calbot.yaml", yaml_options(data / "calbot.yaml"))
    for name, key, value in _alerts(environ) + _spoken(surroundings.of_file()) + _spoken(surroundings.of_their_own()):
        group, _, inner = key.rpartition(".")
        _lay(values, origin, surroundings.origin(name), {group: {inner: value}} if group else {inner: value})
    remember(*_secrets(values))
    refuse_unknown(values, engine_settings.KEYS + SHELL_KEYS)
    zone, zone_notes = _time_zone(environ)
    notes = (*surroundings.notes, *_environment_notes(environ), *zone_notes)
    patience = number(env_number(environ, "CALBOT_PATIENCE", 1800), "CALBOT_PATIENCE", 30, 86400, "seconds")
    return Found(data, values, origin, _endpoints(environ), zone, patience, notes)


def settings(found: Found) -> tuple[Settings, tuple[str, ...]]:
    """Return the engine's settings and every remark about the options. Raises BadOptions."""
    given = {key: value for key, value in found.values.items() if key not in SHELL_KEYS}
    overridden = found.endpoints.calendar_api is not None
    try:
        parsed, notes = engine_settings.parse(given, endpoints_overridden=overridden)
    except BadOptions as error:
        raise named(error, found.origin) from None
    surroundings = {"time_zone": found.time_zone, "patience": found.patience}
    return msgspec.structs.replace(parsed, **surroundings), (*notes, *found.notes)


def named(error: BadOptions, origin: Mapping[str, str]) -> BadOptions:
    """Return the complaint with the file or variable that the bad value is from."""
    key = str(error).split(":", 1)[0].split(",", 1)[0]
    source = origin.get(key) or origin.get(key.split(".", 1)[0], "options.json")
    return error if source == "options.json" else BadOptions(f"{source}: {error}")


def _secrets(values: Mapping[str, object]) -> Iterator[str]:
    """Give the secrets among the options, whichever file they are from."""
    broker, alerts = values.get("mqtt"), values.get("alerts")
    ways = [one.get("url") if isinstance(one, Mapping) else one for one in alerts] if isinstance(alerts, list) else []
    password = broker.get("password") if isinstance(broker, Mapping) else None
    yield from (one.strip() for one in (password, values.get("heartbeat_url"), *ways) if isinstance(one, str))


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
        elif name == "SOURCE_CALENDARS" and word.lower() == "primary":
            found.append((name, key, []))  # of whoever is signed in
        elif key in _SWITCHES:
            found.append((name, key, _env_switch(name, word)))
        elif key in _NUMBERS:
            found.append((name, key, env_number(environ, name, 0)))
        elif key in _LISTS:
            found.append((name, key, list(dict.fromkeys(part.strip() for part in word.split(",") if part.strip()))))
        else:
            found.append((name, key, word))
    return found


def _alerts(environ: Mapping[str, str]) -> list[tuple[str, str, object]]:
    """Return what the environment says of alerts; a URL for each service goes before mail. Raises BadOptions."""
    if addresses := environ.get(_ADDRESSES, "").split():
        return [(_ADDRESSES, "alerts", [{"url": address} for address in addresses])]
    sender, to, key = (environ.get(name, "").strip() for name in _MAIL)
    if not (sender and to):
        return []
    sender = email_address(sender, "SENDER_EMAIL")
    people = email_addresses(to.split(","), "TO_EMAIL")
    if not key:
        return [("SENDER_EMAIL", "alerts", [{"gmail": {"from": sender, "to": list(people)}}])]
    if not _SENDGRID_KEY.fullmatch(key):
        raise BadOptions("SENDGRID_API_KEY: holds a character that no such key has; copy it anew from SendGrid.")
    targets = "/".join(quote(one, safe="@") for one in people)
    return [("SENDGRID_API_KEY", "alerts", [{"url": f"sendgrid://{key}:{quote(sender, safe='@')}/{targets}"}])]


def _env_switch(name: str, word: str) -> bool:
    return switch(WORDS.get(word.lower(), word), name)


def env_number(environ: Mapping[str, str], name: str, standard: int) -> int:
    """Return a whole number from the environment. Raises BadOptions."""
    word = environ.get(name, "").strip() or str(standard)
    if not re.fullmatch(r"-?[0-9]{1,9}", word):
        raise BadOptions(f"{name}: {shown(word)} is not a whole number; write digits only.")
    return int(word)


def _environment_notes(environ: Mapping[str, str]) -> list[str]:
    notes = []
    if environ.get("EXPECTED_CHANNEL_ID"):
        notes.append("EXPECTED_CHANNEL_ID: superseded by a secret per channel; you can remove it.")
    given = [name for name in _MAIL if environ.get(name, "").strip()]
    missing = [name for name in _MAIL[:2] if name not in given]
    if given and missing and not environ.get(_ADDRESSES, "").strip():
        notes.append(f"{given[0]}: nobody is mailed by it, as long as {' and '.join(missing)} is not set too.")
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
            raise BadOptions(f"{variable}: {shown(address)} is not a web address; write it like https://host/path.")
        found[name] = address.rstrip("/") + "/" if name.endswith("_api") else address
    return Endpoints(**found)
