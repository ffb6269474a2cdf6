"""Discovery: what Home Assistant is told of our devices keeps to its rules, and is told when and as often as needed."""

import json
import re
from typing import Any

import jinja2
import msgspec
import pytest

from addon.mqtt import discovery, requests
from addon.mqtt.discovery import Device
from addon.mqtt.encoding import Voice
from addon.mqtt.messages import CALENDAR_EVENTS, SYSTEM_EVENTS
from addon.mqtt.requests import Request
from addon.mqtt.topics import Topics
from calbot.errors import BadOptions
from calbot.settings import parse_switch
from calbot.status import AccountStatus
from calbot.store import switches
from tests.mqtt.conftest import MakeHouse, MakeObserver
from tests.mqtt.schemas import schema
from tests.mqtt.world import ANNA, IID, INVITED, House, Observer, example_snapshot, wait_until

TOPICS = Topics("home/calbot")
ANNAS = AccountStatus(email=ANNA, aid="a7c1")
HOUSE = discovery.installation(Voice(IID), TOPICS, "1.2.3", None)
ACCOUNT = discovery.account(Voice(IID), TOPICS, "1.2.3", ANNAS)
CONFIG = f"homeassistant/device/calbot_{IID}/config"
ANNAS_CONFIG = f"homeassistant/device/calbot_{IID}_a7c1/config"
BOTH = pytest.mark.parametrize("device", [HOUSE, ACCOUNT], ids=["installation", "account"])

IN_EVERY = {"p", "uniq_id", "def_ent_id", "name", "qos"}
OF_PLATFORM = {
    "event": ({"stat_t", "evt_typ", "avty"}, {"ic"}),
    "sensor": (
        {"stat_t", "val_tpl"},
        {"dev_cla", "ops", "stat_cla", "ent_cat", "ic", "json_attr_t", "json_attr_tpl"},
    ),
    "binary_sensor": ({"stat_t"}, {"val_tpl", "dev_cla", "ent_cat", "pl_on", "pl_off", "avty"}),
    "switch": ({"stat_t", "val_tpl", "cmd_t", "cmd_tpl", "opt"}, {"ic", "ent_cat"}),
    "button": ({"cmd_t", "cmd_tpl", "ic"}, {"ent_cat"}),
    "number": (
        {"stat_t", "val_tpl", "cmd_t", "cmd_tpl", "opt", "min", "max", "step", "mode"},
        {"ic", "ent_cat"},
    ),
}
"""What a component has to have, and what else it may have: Home Assistant drops a misspelt key without a word."""


def parts(device: Device) -> dict[str, dict[str, Any]]:
    """The components as Home Assistant reads them."""
    found: dict[str, dict[str, Any]] = json.loads(device.body())["cmps"]
    return found


def rendered(template: str, **names: Any) -> str:
    """What a template makes of a value, with the functions of Home Assistant's that ours use."""

    class Now:
        def timestamp(self) -> float:
            return 1_790_000_000.123

        def isoformat(self) -> str:
            return "2026-09-21T14:13:20.123456+00:00"

    environment = jinja2.Environment(autoescape=False)  # noqa: S701  it makes JSON, not pages
    environment.globals["utcnow"] = Now
    environment.filters["tojson"] = json.dumps
    return environment.from_string(template).render(**names)


def shown(part: dict[str, Any], message: dict[str, Any]) -> str:
    """The state that a component reads from a message."""
    return rendered(part["val_tpl"], value_json=message)


@BOTH
def test_the_root_has_the_four_keys_that_every_version_takes(device: Device) -> None:
    """Any other refuses the whole payload; availability is a list, so that components can be exempted from it."""
    root = json.loads(device.body())

    assert set(root) == {"dev", "o", "avty", "cmps"}
    assert root["avty"] == [{"t": "home/calbot/availability"}]
    assert root["o"] == {"name": "Calbot", "sw": "1.2.3"}
    assert set(root["dev"]) <= {"ids", "name", "mf", "mdl", "sw", "cu", "via_device"}


@BOTH
def test_every_component_has_the_keys_of_its_platform_and_no_others(device: Device) -> None:
    """`qos` in each, because the root's is ignored before 2026.5."""
    for key, part in parts(device).items():
        needed, allowed = OF_PLATFORM[part["p"]]
        assert needed | IN_EVERY <= set(part) <= needed | allowed | IN_EVERY, key
        assert part["qos"] == 1
        assert part.get("opt", False) is False
        assert part.get("ent_cat") in {None, "config", "diagnostic"}
        assert part["p"] not in {"sensor", "binary_sensor"} or part.get("ent_cat") != "config"
        assert part.get("ic", "mdi:x").startswith("mdi:")


@BOTH
def test_ids_are_unique_and_entity_ids_have_their_domain(device: Device) -> None:
    """`uniq_id` has the installation's id; the entity id is only a wish."""
    made = parts(device)

    assert len({part["uniq_id"] for part in made.values()}) == len(made)
    assert all(part["uniq_id"].startswith(f"calbot_{IID}_") for part in made.values())
    assert all(re.fullmatch(rf"{part['p']}\.calbot_[a-z0-9_]+", part["def_ent_id"]) for part in made.values())
    assert not {p["uniq_id"] for p in parts(HOUSE).values()} & {p["uniq_id"] for p in parts(ACCOUNT).values()}


def test_the_entities_are_those_of_the_contract_that_this_version_can_serve() -> None:
    """By their entity ids, which blueprints and dashboards rely on."""
    told = {part["def_ent_id"].replace("calbot_", "") for part in parts(HOUSE).values()}
    of_account = {part["def_ent_id"] for part in parts(ACCOUNT).values()}

    assert told == {
        *("event.events", "event.system", "binary_sensor.problem", "binary_sensor.action_needed", "sensor.status"),
        *("sensor.last_sync", "sensor.last_change", "switch.auto_invite", "switch.dry_run", "switch.paused"),
        *("switch.mirroring", "sensor.mirrored_total"),
        *("button.undo", "button.approve", "button.discard", "number.invite_limit"),
        *("button.renew_channels", "button.ack_alerts"),
        *("button.resync", "sensor.alerts", "sensor.outbox", "sensor.held", "sensor.invited_total"),
        *("sensor.failed_total", "sensor.last_command", "sensor.version", "binary_sensor.push"),
        "binary_sensor.connected",
    }
    slug = "calbot_anna_example_com"
    assert of_account == {
        *(f"sensor.{slug}_status", f"sensor.{slug}_last_sync", f"binary_sensor.{slug}_sign_in_problem"),
        *(f"switch.{slug}_auto_invite", f"switch.{slug}_sync", f"button.{slug}_resync"),
    }
    assert json.loads(ACCOUNT.body())["dev"]["via_device"] == json.loads(HOUSE.body())["dev"]["ids"][0]


def test_only_events_and_the_connection_are_never_unavailable() -> None:
    """An event entity that goes and comes makes triggers fire falsely."""
    exempt = {key for key, part in parts(HOUSE).items() if part.get("avty") == []}

    assert exempt == {"events", "system", "connected"}
    assert not any("avty" in part for part in parts(ACCOUNT).values())


def test_event_entities_know_every_type_of_the_contract() -> None:
    """Home Assistant warns of one that it was not told of."""
    made = parts(HOUSE)

    assert made["events"]["evt_typ"] == schema("event_calendar")["properties"]["event_type"]["enum"]
    assert made["system"]["evt_typ"] == schema("event_system")["properties"]["event_type"]["enum"]
    assert (made["events"]["evt_typ"], made["system"]["evt_typ"]) == ([*CALENDAR_EVENTS], [*SYSTEM_EVENTS])


@BOTH
def test_attributes_come_from_slow_topics_only(device: Device) -> None:
    """Those of health and info would fill the recorder."""
    attributes = {part["json_attr_t"] for part in parts(device).values() if "json_attr_t" in part}

    assert not attributes & {"home/calbot/health", "home/calbot/info"}


@BOTH
@pytest.mark.parametrize(
    ("platform", "value"), [("switch", "ON"), ("switch", "OFF"), ("button", "PRESS"), ("number", 50), ("number", 50.0)]
)
def test_every_command_that_is_sent_is_one_that_we_take(device: Device, platform: str, value: object) -> None:
    """With an id, the time and how long it holds."""
    now = 1_790_000_001.0
    for part in parts(device).values():
        if part["p"] != platform:
            continue
        payload = rendered(part["cmd_tpl"], value=value)
        name = TOPICS.command_name(part["cmd_t"])
        assert name is not None
        asked = requests.parse(name, payload.encode(), now)

        assert isinstance(asked, Request), (payload, asked)
        assert re.fullmatch(r"ha-1790000000123-\d{4}", asked.id or "")
        assert (json.loads(payload)["ts"], json.loads(payload)["ttl_s"]) == ("2026-09-21T14:13:20.123456+00:00", 300)
        late = requests.parse(name, payload.encode(), now + 400)
        assert isinstance(late, requests.Refusal) and late.code == "stale"


def test_switches_set_what_they_show() -> None:
    """An account's sync is the opposite of its pause; accounts are named by their short ids."""

    def wish(device: Device, key: str, value: str) -> Any:
        return json.loads(rendered(parts(device)[key]["cmd_tpl"], value=value))["args"]

    assert wish(HOUSE, "auto_invite", "ON") == {"key": "auto_invite", "value": True}
    assert wish(HOUSE, "mirroring", "ON") == {"key": "mirroring", "value": True}
    assert wish(HOUSE, "mirroring", "OFF") == {"key": "mirroring", "value": False}
    assert wish(HOUSE, "dry_run", "OFF") == {"key": "dry_run", "value": False}
    assert wish(HOUSE, "paused", "ON") == {"key": "paused", "value": True}
    assert wish(ACCOUNT, "sync", "ON") == {"key": "paused", "value": False, "account": "a7c1"}
    assert wish(ACCOUNT, "auto_invite", "OFF") == {"key": "auto_invite", "value": False, "account": "a7c1"}
    assert shown(parts(HOUSE)["paused"], {"paused": True}) == "ON"
    assert [shown(parts(HOUSE)["mirroring"], {"mirroring": on}) for on in (True, False)] == ["ON", "OFF"]
    assert shown(parts(ACCOUNT)["sync"], {"sync": False}) == "OFF"


def test_mirroring_is_switched_like_auto_invite() -> None:
    """But for its word, its name and its picture; so it goes unavailable and waits for the truth as that does."""
    made = parts(HOUSE)
    own = {"uniq_id", "def_ent_id", "name", "ic"}

    invite, mirror = (
        {key: str(value).replace(word, "…") for key, value in made[word].items() if key not in own}
        for word in ("auto_invite", "mirroring")
    )

    assert invite == mirror
    assert "ent_cat" not in made["mirroring"]
    assert (made["mirroring"]["name"], made["mirrored_total"]["name"]) == ("Mirroring", "Copies")
    assert made["mirrored_total"]["stat_cla"] == "total_increasing"
    assert shown(made["mirrored_total"], {"mirrored_total": 12}) == "12"


@BOTH
@pytest.mark.parametrize("value", ["ON", "OFF"])
def test_every_switch_is_one_that_the_engine_knows(device: Device, value: str) -> None:
    """It would be refused otherwise."""
    for part in parts(device).values():
        if part["p"] == "switch":
            args = json.loads(rendered(part["cmd_tpl"], value=value))["args"]
            assert parse_switch(args["key"], args["value"]) is args["value"]


def test_each_button_has_its_own_command_and_its_own_picture() -> None:
    """So that nobody presses Discard for Approve; the undo is of the last change."""
    buttons = {key: part for key, part in parts(HOUSE).items() if part["p"] == "button"}

    assert {key: (part["name"], part["cmd_t"]) for key, part in buttons.items()} == {
        "resync": ("Resync now", "home/calbot/command/resync"),
        "undo": ("Undo last change", "home/calbot/command/undo"),
        "approve": ("Approve held", "home/calbot/command/approve"),
        "discard": ("Discard held", "home/calbot/command/discard"),
        "renew_channels": ("Renew push channels", "home/calbot/command/renew_channels"),
        "ack_alerts": ("Acknowledge alerts", "home/calbot/command/ack_alert"),
    }
    assert len({part["ic"] for part in buttons.values()}) == len(buttons)
    args = {key: json.loads(rendered(part["cmd_tpl"], value="PRESS"))["args"] for key, part in buttons.items()}
    assert args == {
        "resync": {},
        "undo": {"last": True},
        "approve": {},
        "discard": {},
        "renew_channels": {},
        "ack_alerts": {"all": True},
    }


@pytest.mark.parametrize("value", [120, 120.0, "120"])
def test_the_limit_is_set_as_a_whole_number(value: object) -> None:
    """However Home Assistant hands it to the template; what it shows is what is in force."""
    part = parts(HOUSE)["invite_limit"]
    args = json.loads(rendered(part["cmd_tpl"], value=value))["args"]

    assert args == {"key": "invites_per_hour", "value": 120} and isinstance(args["value"], int)
    assert parse_switch("invites_per_hour", args["value"]) == 120
    assert shown(part, {"invites_per_hour": 50}) == "50"


@pytest.mark.parametrize("end", ["min", "max"])
def test_the_limit_offers_what_the_engine_takes(end: str) -> None:
    """Both ends, and nothing beyond them."""
    part = parts(HOUSE)["invite_limit"]

    assert parse_switch("invites_per_hour", part[end]) == part[end]
    with pytest.raises(BadOptions):
        parse_switch("invites_per_hour", part[end] + (1 if end == "max" else -1))


def test_states_are_read_as_home_assistant_wants_them() -> None:
    """ON and OFF, the word None for what is unknown, attributes as JSON."""
    made = parts(HOUSE)

    assert shown(made["problem"], {"worst": "problem"}) == "ON"
    assert shown(made["problem"], {"worst": "degraded"}) == "OFF"
    assert shown(made["action_needed"], {"action_needed": True}) == "ON"
    assert [shown(made["push"], {"push": word}) for word in ("healthy", "failed", "off")] == ["ON", "OFF", "None"]
    assert shown(made["last_sync"], {"last_success": None}) == "None"
    why = {"since": "s", "reasons": [{"text": "a"}, {"text": None}]}
    assert json.loads(rendered(made["status"]["json_attr_tpl"], value_json=why)) == {
        "since": "s",
        "reasons": ["a", None],
    }
    change = {"title": 'A "b"', "event_type": "moved"}
    told = json.loads(rendered(made["last_change"]["json_attr_tpl"], value_json=change))
    assert told == {"title": 'A "b"', "kind": "moved"}
    said = {"id": "1", "final": True, "data": {"confirm_token": "c-1", "count": 9}}
    answered = json.loads(rendered(made["last_command"]["json_attr_tpl"], value_json=said))
    assert (answered["id"], answered["final"], answered["data"]["confirm_token"]) == ("1", True, "c-1")


def test_the_minimum_names_no_people() -> None:
    """An account goes by its short id then."""
    body = discovery.account(Voice(IID, "minimal"), TOPICS, "1.2.3", ANNAS).body()

    assert b"anna" not in body and b"@" not in body
    assert b'"name":"Calbot account a7c1"' in body and b"sensor.calbot_account_a7c1_status" in body


def test_the_page_of_the_device_leads_to_the_panel_when_it_is_known() -> None:
    """Below the Supervisor."""
    device = discovery.installation(Voice(IID), TOPICS, "1.2.3", "homeassistant://hassio/ingress/calbot")

    assert device.payload["dev"]["cu"] == "homeassistant://hassio/ingress/calbot"  # type: ignore[index,call-overload]
    assert "cu" not in HOUSE.payload["dev"]  # type: ignore[operator]


def test_a_component_that_is_gone_or_another_platform_is_taken_back_first() -> None:
    """By its platform alone; what stays is in the same message."""
    farewell = HOUSE.farewell({**HOUSE.components, "old": "button", "paused": "number"})
    assert farewell is not None
    taken = json.loads(farewell)["cmps"]

    assert taken["old"] == {"p": "button"} and taken["paused"] == {"p": "number"}
    assert taken["status"] == parts(HOUSE)["status"]
    assert HOUSE.farewell(HOUSE.components) is None and HOUSE.farewell({}) is None


def configs(observer: Observer, topic: str = CONFIG) -> list[bytes]:
    """What was announced on a topic so far."""
    return [message.payload for message in observer.on(topic)]


def table(house: House) -> dict[str, Any]:
    """What is written down of announcements."""
    found: dict[str, Any] = json.loads(switches.fact(house.database.read(), "mqtt_discovery") or "{}")
    return found


def remember(house: House, **announced: Any) -> None:
    """Let an earlier version have announced this."""
    with house.database.write() as tx:
        switches.remember(tx, "mqtt_discovery", json.dumps(announced))


def test_devices_are_announced_before_online(house: House, observer: Observer) -> None:
    """Retained, with QoS 1, the installation first; the table knows them."""
    observer.wait_for("calbot/health")

    order = [message.topic for message in observer.seen]
    assert order[:3] == [CONFIG, ANNAS_CONFIG, "calbot/availability"]
    assert all(message.qos == 1 for message in observer.seen)
    assert set(table(house)["announced"]) == {CONFIG, ANNAS_CONFIG}


def test_the_base_topic_is_in_every_topic(make_house: MakeHouse, observer: Observer) -> None:
    """Only the prefix of discovery is fixed."""
    make_house(base_topic="home/calbot").start()

    for part in json.loads(observer.wait_for(CONFIG)[0].payload)["cmps"].values():
        used = [part[key] for key in ("stat_t", "cmd_t", "json_attr_t") if key in part]
        assert all(topic.startswith("home/calbot/") for topic in used)


def test_a_birth_brings_everything_again_in_order(house: House, observer: Observer) -> None:
    """The same payloads, then the states, half a second to five after it."""
    observer.wait_for("calbot/counters")
    observer.send("homeassistant/status", "online")
    observer.send("calbot/command/ping", {"id": "fence"})
    observer.answers("fence")
    assert len(configs(observer)) == 1
    observer.seen.clear()

    house.advance(5)

    observer.wait_for("calbot/counters")
    order = [message.topic for message in observer.seen]
    assert order.index(CONFIG) < order.index("calbot/availability") < order.index("calbot/state")


def test_a_birth_while_it_is_unclear_whose_the_topic_is_announces_nothing(
    make_house: MakeHouse, observer: Observer
) -> None:
    """The announcement comes when we speak."""
    observer.send("calbot/availability", "online", retain=True)
    observer.send("calbot/info", {"v": 1, "iid": "zzzzzz"}, retain=True)
    house = make_house()
    house.bridge.start()
    observer.wait_for("calbot/command/ping")
    observer.send("homeassistant/status", "online")
    wait_until(house.bridge._publisher.announce_at)
    house.advance(5)
    wait_until(house.bridge._posts.empty)
    assert not house.bridge.connected and configs(observer) == []

    house.advance(6)

    assert len(observer.wait_for(CONFIG)) == 1


def test_an_account_is_announced_when_it_comes_and_cleared_when_it_goes(house: House, observer: Observer) -> None:
    """While we run."""
    account = house.engine.snapshot.accounts[0]
    other = msgspec.structs.replace(account, email="carol@example.com", aid="b2d2")
    topic = f"homeassistant/device/calbot_{IID}_b2d2/config"
    house.engine.show(msgspec.structs.replace(house.engine.snapshot, accounts=(account, other)))
    assert json.loads(observer.wait_for(topic)[0].payload)["dev"]["name"] == "Calbot carol@example.com"

    house.engine.show(msgspec.structs.replace(house.engine.snapshot, accounts=(account,)))

    assert observer.wait_for(topic, 2)[1].payload == b""
    wait_until(lambda: topic not in table(house)["announced"])
    assert table(house)["deleted"] == []


def test_what_an_earlier_version_announced_is_taken_back_at_the_start(
    make_house: MakeHouse, observer: Observer
) -> None:
    """Its components by their platform, its devices whole; what is not in our table is left alone."""
    gone, foreign = f"homeassistant/device/calbot_{IID}_zz99/config", "homeassistant/device/calbot_other1/config"
    observer.send(gone, "{}", retain=True)
    observer.send(foreign, "{}", retain=True)
    house = make_house()
    remember(house, announced={CONFIG: {"old": "button", "status": "sensor"}, gone: {"status": "sensor"}})
    house.start()

    first, second = [json.loads(message.payload)["cmps"] for message in observer.wait_for(CONFIG, 2)]
    assert first["old"] == {"p": "button"} and "old" not in second
    assert observer.wait_for(gone, 2)[1].payload == b""
    wait_until(lambda: set(table(house)["announced"]) == {CONFIG, ANNAS_CONFIG})
    assert table(house)["announced"][CONFIG] == HOUSE.components
    assert len(observer.on(foreign)) == 1


def test_a_table_forgets_nothing_before_the_broker_has_it(make_house: MakeHouse, observer: Observer) -> None:
    """A kill in between takes it back at the next start."""
    house = make_house()
    remember(house, announced={CONFIG: {"old": "button"}})
    announcer = house.bridge._announcer
    announcer.open()
    announcer.announce()
    announcer.confirm()
    assert table(house)["announced"] == {CONFIG: {"old": "button"}}  # nothing was said without a connection
    announcer._sender.connected(1, 0)
    announcer.announce()
    announcer.confirm()

    assert table(house)["announced"][CONFIG] == HOUSE.components | {"old": "button"}


def test_a_device_that_the_user_deleted_stays_away_until_republish(
    house: House, observer: Observer, make_observer: MakeObserver
) -> None:
    """Over births, reconnections and restarts; the other device is not touched."""
    observer.wait_for("calbot/counters")
    observer.send(ANNAS_CONFIG, b"", retain=True)
    wait_until(lambda: table(house)["deleted"] == [ANNAS_CONFIG])
    observer.send("homeassistant/status", "online")
    observer.send("calbot/command/ping", {"id": "fence"})
    observer.answers("fence")
    house.advance(5)
    observer.wait_for(CONFIG, 2)
    house.restart_bridge()
    observer.wait_for(CONFIG, 3)
    observer.send("calbot/command/ping", {"id": "fence2"})
    observer.answers("fence2")
    assert [payload == b"" for payload in configs(observer, ANNAS_CONFIG)] == [False, True]

    observer.send("calbot/command/republish", {"id": "again"})

    assert observer.answers("again")[1]["status"] == "ok"
    assert json.loads(observer.wait_for(ANNAS_CONFIG, 3)[2].payload)["cmps"]
    assert table(house)["deleted"] == []


def test_a_reinstallation_clears_what_the_old_one_announced_and_waits_a_second(
    make_house: MakeHouse, observer: Observer
) -> None:
    """Only announcements of a Calbot, so that its entity ids are free for ours."""
    old, olds, stranger = (f"homeassistant/device/calbot_zzzzzz{aid}/config" for aid in ("", "_x9x9", "_b1b1"))
    observer.send("calbot/info", {"v": 1, "iid": "zzzzzz", "accounts": ["x9x9", "b1b1", "../#"]}, retain=True)
    observer.send(old, {"o": {"name": "Calbot"}}, retain=True)
    observer.send(olds, {"o": {"name": "Calbot"}}, retain=True)
    observer.send(stranger, {"o": {"name": "Someone"}}, retain=True)
    house = make_house()
    house.bridge.start()
    before = house.clock.monotonic()

    assert observer.wait_for(old, 2)[1].payload == b""
    assert observer.wait_for(olds, 2)[1].payload == b""
    observer.wait_for(CONFIG)
    assert house.clock.monotonic() - before >= 0.9
    assert len(observer.on(stranger)) == 1


def test_commands_name_accounts_by_their_short_ids_too(house: House, observer: Observer) -> None:
    """The engine hears the address."""
    observer.send("calbot/command/resync", {"id": "1", "args": {"account": "a7c1"}})
    observer.answers("1")

    assert house.engine.carried[0].args == {"account": ANNA}


def test_counters_count_on_over_restarts_and_at_most_every_30_seconds(house: House, observer: Observer) -> None:
    """Every outcome once, whether it was heard or not."""
    observer.wait_for("calbot/counters")
    house.engine.says(INVITED, msgspec.structs.replace(INVITED, event_type="failed"))
    observer.wait_for("calbot/event/calendar", 2)
    assert len(observer.on("calbot/counters")) == 1
    house.advance(31)
    told = observer.wait_for("calbot/counters", 2)[1].json
    house.engine.says(INVITED)
    house.restart_bridge()

    assert (told["invited_total"], told["failed_total"], told["events_total"]) == (1, 1, 2)
    assert observer.wait_for("calbot/counters", 3)[-1].json["invited_total"] == 2


def test_alerts_count_what_is_wrong_and_say_whether_a_person_is_needed(house: House, observer: Observer) -> None:
    """None of it while all is well."""
    well = observer.wait_for("calbot/alerts")[0].json
    account = msgspec.structs.replace(example_snapshot().accounts[0], signed_in=False)
    house.engine.show(msgspec.structs.replace(house.engine.snapshot, accounts=(account,)))
    wrong = observer.wait_for("calbot/alerts", 2)[1].json

    assert (well["count"], well["worst"], well["action_needed"], well["items"]) == (0, "ok", False, [])
    assert (wrong["count"], wrong["worst"], wrong["action_needed"]) == (1, "problem", True)
    assert wrong["items"][0]["code"] == "sign_in_needed"
