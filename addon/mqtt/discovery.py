"""The devices that Home Assistant finds: what each entity listens to and what its switch or button sends. Pure."""

import dataclasses
import re
from collections.abc import Mapping

import msgspec

from addon.mqtt.encoding import Json, Voice
from addon.mqtt.messages import CALENDAR_EVENTS, SYSTEM_EVENTS
from addon.mqtt.topics import Topics, config_topic
from calbot.status import AccountStatus

ORIGIN = "Calbot"
COMMAND_SECONDS = 300
Component = dict[str, Json]
Components = Mapping[str, str]
"""Each component's key and platform, as they were announced."""


@dataclasses.dataclass(frozen=True, slots=True)
class Device:
    """One announcement: its topic, and its payload as Home Assistant takes it."""

    topic: str
    payload: dict[str, Json]
    parts: dict[str, Component]

    @property
    def components(self) -> dict[str, str]:
        """Each component's key and platform."""
        return {key: str(part["p"]) for key, part in self.parts.items()}

    def body(self) -> bytes:
        """Return the whole announcement."""
        return self._body(self.parts)

    def farewell(self, announced: Components) -> bytes | None:
        """Return what has to go ahead of it, so that components announced before do not stay behind for ever.

        Just left out they would live on until Home Assistant restarts, and then be orphans that nobody can remove.
        """
        gone = {key: platform for key, platform in announced.items() if self.components.get(key) != platform}
        if not gone:
            return None
        return self._body(self.parts | {key: {"p": platform} for key, platform in gone.items()})

    def _body(self, parts: Mapping[str, Component]) -> bytes:
        return msgspec.json.encode({**self.payload, "cmps": parts})


def is_ours(payload: bytes) -> bool:
    """Say whether an announcement is a Calbot's."""
    try:
        return msgspec.json.decode(payload, type=_Announced).o.name == ORIGIN
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False


def installation(voice: Voice, topics: Topics, version: str, panel: str | None) -> Device:
    """Return the device of the installation. `panel` is where its page leads to, if that is known."""
    device: dict[str, Json] = {"ids": [f"calbot_{voice.iid}"], "name": "Calbot", "mf": "Calbot"}
    device |= {"mdl": "Google Calendar invitations", "sw": version} | ({"cu": panel} if panel else {})
    parts = _Parts(f"calbot_{voice.iid}", "calbot")
    _events(parts, topics)
    _conditions(parts, topics)
    _switches(parts, topics)
    _buttons(parts, topics)
    _diagnostics(parts, topics)
    return _device(config_topic(voice.iid), topics, device, version, parts)


def account(voice: Voice, topics: Topics, version: str, told: AccountStatus) -> Device:
    """Return the device of one account. The minimum names it by its short id."""
    email = voice.person(told.email)
    name = email or f"account {told.aid}"
    ident, slug = f"calbot_{voice.iid}_{told.aid}", re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    device: dict[str, Json] = {"ids": [ident], "name": f"Calbot {name}", "mf": "Calbot", "mdl": "Google account"}
    device["via_device"] = f"calbot_{voice.iid}"
    parts, state = _Parts(ident, f"calbot_{slug}"), topics.account_state(told.aid)
    ops: list[Json] = ["ok", "sign_in_needed", "paused", "degraded"]
    parts.add("sensor", "status", "Status", state, "status", dev_cla="enum", ops=ops, ic="mdi:account-sync")
    parts.add("sensor", "last_sync", "Last successful sync", state, "last_sync", dev_cla="timestamp")
    parts.flag("sign_in_problem", "Sign-in problem", state, "sign_in_problem", dev_cla="problem")
    setting = {"account": f'"{told.aid}"'}
    parts.switch("auto_invite", "Auto-invite", state, topics, setting, ic="mdi:account-plus")
    parts.switch("sync", "Sync", state, topics, setting, ic="mdi:sync")
    parts.button("resync", "Resync now", topics, setting, ic="mdi:refresh")
    return _device(config_topic(voice.iid, told.aid), topics, device, version, parts)


class _Origin(msgspec.Struct):
    name: str = ""


class _Announced(msgspec.Struct):
    o: _Origin


class _Parts:
    """Components of one device, put together with what each of them needs."""

    def __init__(self, ident: str, slug: str) -> None:
        self.made: dict[str, Component] = {}
        self._ident = ident
        self._slug = slug

    def add(self, platform: str, key: str, name: str, topic: str, field: str | None, **more: Json) -> None:
        """Add what shows a topic; `field` is the key in its JSON."""
        part: Component = {"stat_t": topic}
        if field is not None:
            part["val_tpl"] = f"{{{{ value_json.get('{field}') }}}}"
        self._put(platform, key, name, part | more)

    def flag(self, key: str, name: str, topic: str, field: str, **more: Json) -> None:
        """Add what shows whether a key is true."""
        self.add("binary_sensor", key, name, topic, None, val_tpl=_on_off(field), **more)

    def switch(self, key: str, name: str, topic: str, topics: Topics, args: Mapping[str, str], **more: Json) -> None:
        """Add a switch; it shows what is in force, not what was wished. Sync is the opposite of `paused`."""
        setting, on = ("paused", "OFF") if key == "sync" else (key, "ON")
        wish = {"key": f'"{setting}"', "value": f"{{{{ 'true' if value == '{on}' else 'false' }}}}", **args}
        part: Component = {"stat_t": topic, "val_tpl": _on_off(key), "opt": False}
        self._put("switch", key, name, part | {"cmd_t": topics.command("set"), "cmd_tpl": _command(wish)} | more)

    def button(
        self, command: str, name: str, topics: Topics, args: Mapping[str, str], *, key: str = "", **more: Json
    ) -> None:
        """Add a button for a command; it has the command's name unless there is another `key`."""
        part: Component = {"cmd_t": topics.command(command), "cmd_tpl": _command(args)}
        self._put("button", key or command, name, part | more)

    def number(self, key: str, name: str, topics: Topics, setting: str, span: tuple[int, int], **more: Json) -> None:
        """Add a whole number that is set; it shows what is in force, not what was wished."""
        part: Component = {"stat_t": topics.settings, "val_tpl": f"{{{{ value_json.get('{setting}') }}}}", "opt": False}
        part |= {"min": span[0], "max": span[1], "step": 1, "mode": "box"}
        wish = {"key": f'"{setting}"', "value": "{{ value | int }}"}
        self._put("number", key, name, part | {"cmd_t": topics.command("set"), "cmd_tpl": _command(wish)} | more)

    def _put(self, platform: str, key: str, name: str, part: Component) -> None:
        ids: Component = {
            "p": platform,
            "uniq_id": f"{self._ident}_{key}",
            "def_ent_id": f"{platform}.{self._slug}_{key}",
        }
        self.made[key] = ids | {"name": name, "qos": 1} | part


def _events(parts: _Parts, topics: Topics) -> None:
    """Add the outcomes. They are never unavailable: a state trigger would fire falsely, and events would be missed."""
    kinds = (("calendar", "Calendar events", CALENDAR_EVENTS), ("system", "System events", SYSTEM_EVENTS))
    for stream, name, types in kinds:
        key = "events" if stream == "calendar" else stream
        parts.add("event", key, name, topics.event(stream), None, evt_typ=[*types], avty=[], ic="mdi:calendar-star")


def _conditions(parts: _Parts, topics: Topics) -> None:
    worst = "{{ 'ON' if value_json.get('worst') == 'problem' else 'OFF' }}"
    parts.add("binary_sensor", "problem", "Problem", topics.alerts, None, val_tpl=worst, dev_cla="problem")
    parts.flag("action_needed", "Action needed", topics.alerts, "action_needed", dev_cla="problem")
    why = "{{ {'since': value_json.since, 'reasons': value_json.reasons | map(attribute='text') | list} | tojson }}"
    ops: list[Json] = ["ok", "setup", "paused", "degraded", "problem"]
    reasons: Component = {"json_attr_t": topics.state, "json_attr_tpl": why}
    parts.add(
        "sensor",
        "status",
        "Status",
        topics.state,
        "status",
        dev_cla="enum",
        ops=ops,
        ic="mdi:calendar-check",
        **reasons,
    )
    parts.add("sensor", "last_sync", "Last successful sync", topics.health, "last_success", dev_cla="timestamp")
    what = "{{ {'title': value_json.get('title'), 'kind': value_json.get('event_type')} | tojson }}"
    change: Component = {"json_attr_t": topics.last_event, "json_attr_tpl": what}
    parts.add("sensor", "last_change", "Last change", topics.last_event, "ts", dev_cla="timestamp", **change)


def _switches(parts: _Parts, topics: Topics) -> None:
    parts.switch("auto_invite", "Auto-invite", topics.settings, topics, {}, ic="mdi:account-plus")
    parts.switch("mirroring", "Mirroring", topics.settings, topics, {}, ic="mdi:calendar-multiple")
    parts.switch("dry_run", "Dry run", topics.settings, topics, {}, ic="mdi:test-tube", ent_cat="config")
    parts.switch("paused", "Paused", topics.settings, topics, {}, ic="mdi:pause-circle", ent_cat="config")
    limit: Component = {"ent_cat": "config", "ic": "mdi:speedometer"}
    parts.number("invite_limit", "Invitations per hour", topics, "invites_per_hour", (1, 10_000), **limit)


def _buttons(parts: _Parts, topics: Topics) -> None:
    parts.button("resync", "Resync now", topics, {}, ic="mdi:refresh")
    parts.button("undo", "Undo last change", topics, {"last": "true"}, ic="mdi:undo-variant")
    parts.button("approve", "Approve held", topics, {}, ic="mdi:check-circle-outline")
    parts.button("discard", "Discard held", topics, {}, ic="mdi:delete-outline")
    parts.button("renew_channels", "Renew push channels", topics, {}, ic="mdi:cached", ent_cat="config")
    known: Component = {"ic": "mdi:bell-check-outline", "ent_cat": "config"}
    parts.button("ack_alert", "Acknowledge alerts", topics, {"all": "true"}, key="ack_alerts", **known)


def _diagnostics(parts: _Parts, topics: Topics) -> None:
    def add(key: str, name: str, topic: str, field: str, icon: str, **more: Json) -> None:
        parts.add("sensor", key, name, topic, field, ic=icon, ent_cat="diagnostic", **more)

    add("alerts", "Alerts", topics.alerts, "count", "mdi:alert-circle-outline", stat_cla="measurement")
    add("outbox", "Events to tell", topics.health, "outbox", "mdi:tray-full", stat_cla="measurement")
    add("held", "Held", topics.health, "held", "mdi:hand-back-right", stat_cla="measurement")
    add("invited_total", "Invitations", topics.counters, "invited_total", "mdi:counter", stat_cla="total_increasing")
    add("mirrored_total", "Copies", topics.counters, "mirrored_total", "mdi:counter", stat_cla="total_increasing")
    add("failed_total", "Failures", topics.counters, "failed_total", "mdi:counter", stat_cla="total_increasing")
    add("version", "Version", topics.info, "version", "mdi:tag")
    told = ("id", "command", "final", "code", "message", "data", "duplicate", "duration_ms")
    pairs = ", ".join(f"'{key}': value_json.get('{key}')" for key in told)
    last: Component = {"json_attr_t": topics.command_last, "json_attr_tpl": f"{{{{ {{{pairs}}} | tojson }}}}"}
    add("last_command", "Last command", topics.command_last, "status", "mdi:console-line", **last)
    push = "{{ {'healthy': 'ON', 'waiting': 'OFF', 'failed': 'OFF'}.get(value_json.get('push')) }}"
    shown: Component = {"dev_cla": "connectivity", "ent_cat": "diagnostic"}
    parts.add("binary_sensor", "push", "Push notifications", topics.health, None, val_tpl=push, **shown)
    words: Component = {"pl_on": "online", "pl_off": "offline", "avty": []}
    parts.add("binary_sensor", "connected", "Connected", topics.availability, None, **words, **shown)


def _device(topic: str, topics: Topics, device: dict[str, Json], version: str, parts: _Parts) -> Device:
    root: dict[str, Json] = {"dev": device, "o": {"name": ORIGIN, "sw": version}, "avty": [{"t": topics.availability}]}
    return Device(topic, root, parts.made)


def _on_off(field: str) -> str:
    return f"{{{{ 'ON' if value_json.get('{field}') else 'OFF' }}}}"


def _command(args: Mapping[str, str]) -> str:
    """Return the template of a command that is known by its id, and void when it comes too late."""
    inner = ",".join(f'"{key}":{value}' for key, value in args.items())
    moment = "{{ (utcnow().timestamp() * 1000) | int }}-{{ range(1000, 9999) | random }}"
    head = f'"v":1,"id":"ha-{moment}","ts":"{{{{ utcnow().isoformat() }}}}","ttl_s":{COMMAND_SECONDS}'
    return f'{{{head},"args":{{{inner}}}}}'
