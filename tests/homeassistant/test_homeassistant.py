"""What a user of Home Assistant gets: entities without a warning, switches with an effect, events and no ghosts.

The tests of one version share one Home Assistant, in this order; each leaves its switches as it found them.
"""

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from addon.mqtt import discovery
from addon.mqtt.encoding import Voice
from addon.mqtt.topics import Topics
from calbot.status import AccountStatus
from tests.homeassistant.chromium import PROGRAM, Chromium
from tests.homeassistant.conftest import World
from tests.household import FAMILY
from tests.service.running import ANNA, BOB, wait_for

pytestmark = pytest.mark.homeassistant

ACCOUNT = "calbot_anna_example_com"
EXPECTED = {
    "home_assistant_dies": ("recorder",),
    "the_broker_restarts": ("Error returned from MQTT server", "paho.mqtt.client", "automation.without_guards"),
}
"""What Home Assistant says of restarts that are no doing of ours."""
GUARDED = {"trigger": "state", "entity_id": "event.calbot_events", "not_from": ["unavailable"]}
GUARDED |= {"not_to": ["unavailable", "unknown"]}
BARE = {"trigger": "state", "entity_id": "event.calbot_events"}
LONG_AGO, MUCH = datetime.fromtimestamp(0, UTC), timedelta(seconds=10.5)
RESTARTS: dict[str, Callable[[World], None]] = {}


def restart(work: Callable[[World], None]) -> Callable[[World], None]:
    """Note a way to restart something, by its name."""
    RESTARTS[work.__name__] = work
    return work


@restart
def home_assistant_restarts(world: World) -> None:
    """With a word."""
    births(world, world.home.stop, world.home.start)


@restart
def home_assistant_dies(world: World) -> None:
    """Like a power cut."""
    births(world, lambda: world.home.stop(hard=True), world.home.start)


@restart
def the_broker_restarts(world: World) -> None:
    """And both come back to it."""
    births(world, world.broker.restart)


@restart
def calbot_restarts(world: World) -> None:
    """As an update does it."""
    world.service.stop()
    world.service.start()
    wait_for(world.service.is_watching, 30, "watching again")


@restart
def calbot_dies(world: World) -> None:
    """Like a power cut."""
    world.service.kill()
    world.service.start()
    wait_for(world.service.is_watching, 30, "watching again")


@restart
def calbot_is_away(world: World) -> None:
    """Long enough to be offline: entities are unavailable then, the event entities are not."""
    world.service.stop()
    world.home.wait_state("sensor.calbot_status", "unavailable", 30)
    assert world.home.state("binary_sensor.calbot_connected") == "off"
    assert world.home.state("event.calbot_events") not in {"unknown", "unavailable"}
    world.service.start()
    births(world)


def births(world: World, *works: Callable[[], None]) -> None:
    """Do something, and return when Home Assistant has its states again."""
    for work in works:
        work()
    world.home.wait_state("binary_sensor.calbot_connected", "on", 60)
    world.home.wait_state("sensor.calbot_status", "ok", 60)


def expected(world: World) -> list[str]:
    """The entity ids of both devices."""
    voice, topics = Voice(world.iid), Topics("calbot")
    account = AccountStatus(email=ANNA, aid=world.aid)
    devices = [
        discovery.installation(voice, topics, "1", None),
        discovery.account(voice, topics, "1", account),
    ]
    return [str(part["def_ent_id"]) for device in devices for part in device.parts.values()]


def count(world: World, automation: str) -> int:
    """How often an automation ran, as an independent client heard it."""
    return len(world.listener.payloads(f"calbot/test/{automation}"))


def automate(world: World, name: str, trigger: dict[str, Any]) -> None:
    """Let an automation say each time that it runs."""
    told = "{{ [trigger.from_state.state if trigger.from_state else None, trigger.to_state.state] | tojson }}"
    action = {"action": "mqtt.publish", "data": {"topic": f"calbot/test/{name}", "qos": 1, "payload": told}}
    world.home.automate(name, triggers=[trigger], conditions=[], actions=[action], mode="queued")


def setting(world: World, key: str) -> Any:
    """What an independent client read last of the settings."""
    return world.listener.payloads("calbot/settings")[-1][key]


def own(world: World, key: str) -> Any:
    """What it read last of the account."""
    return world.listener.payloads(f"calbot/account/{world.aid}/state")[-1][key]


def turn(world: World, entity: str, state: str) -> None:
    """Press a switch, and wait until it shows what is in force."""
    world.home.call(f"switch.turn_{state}", entity_id=entity)
    world.home.wait_state(entity, state)


def limit(world: World, invitations: int) -> None:
    """Set how many invitations may go out in an hour, and wait until that is in force."""
    world.home.call("number.set_value", entity_id="number.calbot_invite_limit", value=invitations)
    world.home.wait_state("number.calbot_invite_limit", str(invitations))
    assert setting(world, "invites_per_hour") == invitations


def press(world: World, button: str) -> Any:
    """Press a button of the installation; return the final answer."""
    topic = f"calbot/response/{button}"
    before = len(world.listener.payloads(topic))
    world.home.call("button.press", entity_id=f"button.calbot_{button}")
    wait_for(lambda: len(world.listener.payloads(topic)) == before + 2, 15, f"two answers to {button}")
    return world.listener.payloads(topic)[-1]


def rested(world: World) -> bool:
    """Whether nothing was asked for ten seconds: more than twenty commands within them would be refused."""
    answers = [json.loads(body) for topic, body, _ in [*world.listener.heard] if topic.startswith("calbot/response/")]
    return max((datetime.fromisoformat(one["ts"]) for one in answers), default=LONG_AGO) < datetime.now(UTC) - MUCH


def skips(world: World) -> list[tuple[str, str]]:
    """Which events were left alone so far, and why."""
    return [(told["event_id"], told["reason"]) for told in world.listener.events("skipped")]


def last_outcome(world: World) -> Any:
    """What the event entity told last."""
    entity = world.home.entity("event.calbot_events")
    assert entity is not None
    return entity["attributes"]


def hold(world: World) -> list[str]:
    """Have old events taken up, more of them than the hour has room for; return them."""
    wait_for(lambda: rested(world), 15, "ten quiet seconds")
    turn(world, "switch.calbot_auto_invite", "off")
    events = [str(world.google.create_event(ANNA)["id"]) for _ in range(3)]
    for event in events:
        world.wait_for_event("skipped", event)
    turn(world, "switch.calbot_auto_invite", "on")
    limit(world, 2)
    world.listener.ask("apply")
    for event in events:
        world.wait_for_event("held", event)
    return events


def test_discovery_makes_every_entity_without_a_warning(world: World) -> None:
    """With the entity ids that were asked for; the account's device hangs below the installation's."""
    home = world.home
    for entity in expected(world):
        wait_for(lambda entity=entity: home.state(entity), 20, entity)  # type: ignore[misc]
    house, account = home.device(f"calbot_{world.iid}"), home.device(f"calbot_{world.iid}_{world.aid}")
    assert house is not None and account is not None

    assert (house["name"], account["name"]) == ("Calbot", f"Calbot {ANNA}")
    assert account["via_device_id"] == house["id"]
    home.wait_state("sensor.calbot_status", "ok")
    home.wait_state("binary_sensor.calbot_problem", "off")
    home.wait_state("binary_sensor.calbot_connected", "on")
    home.wait_state("binary_sensor.calbot_push", "on")
    home.wait_state(f"sensor.{ACCOUNT}_status", "ok")
    assert "unavailable" not in {home.state(entity) for entity in expected(world)}
    entities = home.ask("config/entity_registry/list")
    assert sorted(entity["entity_id"] for entity in entities if entity["platform"] == "mqtt") == sorted(expected(world))
    assert home.problems() == []


def test_an_invitation_fires_the_event_entity(world: World) -> None:
    """An automation hears each outcome once, with what happened as attributes; so do the sensors."""
    automate(world, "announce_outcomes", GUARDED)
    automate(world, "without_guards", BARE)

    event = world.invite()

    wait_for(lambda: count(world, "announce_outcomes") == 2, 15, "two outcomes: created and invited")
    entity = world.home.entity("event.calbot_events")
    assert entity is not None
    told = entity["attributes"]
    assert (told["event_type"], told["event_id"], told["guests_added"]) == ("invited", event, [BOB])
    assert world.guests(event) == [BOB]
    last = world.home.entity("sensor.calbot_last_change")
    assert last is not None and last["attributes"]["kind"] == "invited"


@pytest.mark.parametrize("switch", ["switch.calbot_auto_invite", f"switch.{ACCOUNT}_auto_invite"])
def test_auto_invite_off_leaves_new_events_alone(world: World, switch: str) -> None:
    """For the installation or one account, as Google sees it; on again it invites."""
    read = setting if switch == "switch.calbot_auto_invite" else own
    turn(world, switch, "off")
    assert read(world, "auto_invite") is False
    system = world.home.entity("event.calbot_system")
    assert system is not None and system["attributes"]["event_type"] in {"settings_changed", "command_succeeded"}
    event = str(world.google.create_event(ANNA)["id"])
    world.wait_for_event("skipped", event)
    assert world.guests(event) == []

    turn(world, switch, "on")

    assert read(world, "auto_invite") is True
    assert world.guests(world.invite()) == [BOB]


def test_a_copy_fires_the_event_entity(world: World) -> None:
    """Of what nobody can be invited to; off there is none, and on again the next one has its copy."""
    turn(world, "switch.calbot_mirroring", "off")
    assert setting(world, "mirroring") is False
    left = world.invite_anna("School play")
    wait_for(lambda: (left, "mirroring_off") in skips(world), 15, "a word about it")

    turn(world, "switch.calbot_mirroring", "on")
    event = world.invite_anna("Concert")

    assert setting(world, "mirroring") is True
    wait_for(lambda: last_outcome(world)["event_type"] == "mirrored", 30, "the event entity shows the copy")
    told = last_outcome(world)
    assert (told["event_id"], told["target_calendar"]) == (event, "Family")
    assert world.google.event(FAMILY, told["copy_id"])["summary"] == "Concert"
    assert [copy["id"] for copy in world.google.events(FAMILY)] == [told["copy_id"]]
    assert world.guests(event) == [ANNA]


def test_a_dry_run_writes_nothing_to_google(world: World) -> None:
    """It only says what it would do."""
    turn(world, "switch.calbot_dry_run", "on")
    assert setting(world, "dry_run") is True
    written = len(world.google.calls("events.patch"))
    event = str(world.google.create_event(ANNA)["id"])

    wait_for(lambda: [e for e in world.listener.events("skipped") if e["event_id"] == event], 15, "a word about it")
    assert world.guests(event) == []
    assert len(world.google.calls("events.patch")) == written
    turn(world, "switch.calbot_dry_run", "off")
    assert setting(world, "dry_run") is False


@pytest.mark.parametrize("switch", ["switch.calbot_paused", f"switch.{ACCOUNT}_sync"])
def test_a_pause_postpones_everything(world: World, switch: str) -> None:
    """Nothing is written while it lasts; what came meanwhile is invited afterwards."""
    off, on = ("on", "off") if switch == "switch.calbot_paused" else ("off", "on")
    turn(world, switch, off)
    world.home.wait_state(f"sensor.{ACCOUNT}_status", "paused")
    before = len(world.listener.payloads("calbot/event/calendar"))
    event = str(world.google.create_event(ANNA)["id"])
    assert world.google.settle_pushes()
    assert world.guests(event) == []
    assert len(world.listener.payloads("calbot/event/calendar")) == before

    turn(world, switch, on)

    world.wait_for_event("invited", event)
    assert world.guests(event) == [BOB]


@pytest.mark.parametrize("button", ["button.calbot_resync", f"button.{ACCOUNT}_resync"])
def test_resync_reads_the_calendar(world: World, button: str) -> None:
    """Google is asked again, the command is answered, and a sensor shows it."""
    asked, answered = len(world.google.calls("events.list")), len(world.listener.payloads("calbot/response/resync"))

    world.home.call("button.press", entity_id=button)

    wait_for(lambda: len(world.listener.payloads("calbot/response/resync")) == answered + 2, 15, "two answers")
    accepted, final = world.listener.payloads("calbot/response/resync")[-2:]
    assert (accepted["status"], final["status"], final["id"][:3]) == ("accepted", "ok", "ha-")
    assert len(world.google.calls("events.list")) > asked

    def shown() -> bool:
        sensor = world.home.entity("sensor.calbot_last_command")
        return sensor is not None and sensor["attributes"].get("id") == final["id"]

    wait_for(shown, 10, "the sensor shows the last command")


@pytest.mark.parametrize(("button", "invited"), [("approve", [BOB]), ("discard", [])])
def test_held_work_waits_for_a_press(world: World, button: str, invited: list[str]) -> None:
    """Above the limit that was set here; a sensor counts it, and Approve or Discard decides about all of it."""
    events = hold(world)
    world.home.wait_state("binary_sensor.calbot_action_needed", "on")
    wait_for(lambda: int(world.home.state("sensor.calbot_held") or 0) >= len(events), 10, "a sensor counts them")
    untouched = [world.guests(event) for event in events]

    answer = press(world, button)

    assert untouched == [[], [], []]
    assert answer["status"] == "ok" and answer["data"]["count"] >= len(events)
    for event in events if invited else []:
        world.wait_for_event("invited", event)
    world.home.wait_state("sensor.calbot_held", "0")
    world.home.wait_state("binary_sensor.calbot_action_needed", "off")
    assert [world.guests(event) for event in events] == [invited] * len(events)
    limit(world, 1000)
    world.home.wait_state("sensor.calbot_status", "ok")


def test_undo_takes_the_last_invitation_back(world: World) -> None:
    """One press, one event; the event entity tells who was taken off."""
    heard = count(world, "announce_outcomes")
    before, last = world.invite(), world.invite()

    answer = press(world, "undo")

    assert (answer["status"], answer["data"]["undone"]) == ("ok", 1)
    world.wait_for_event("undone", last)
    assert (world.guests(before), world.guests(last)) == ([BOB], [])

    def told() -> bool:
        entity = world.home.entity("event.calbot_events")
        return entity is not None and entity["attributes"].get("event_type") == "undone"

    wait_for(told, 10, "the event entity shows the undo")
    wait_for(lambda: count(world, "announce_outcomes") == heard + 5, 10, "an automation heard all five outcomes")
    entity = world.home.entity("event.calbot_events")
    assert entity is not None
    assert (entity["attributes"]["event_id"], entity["attributes"]["guests_removed"]) == (last, [BOB])


@pytest.mark.parametrize("happens", [*RESTARTS])
def test_a_restart_fires_no_ghost(world: World, happens: str) -> None:
    """Whoever restarts: the next outcome is the next that an automation hears."""
    guarded, bare, mark = count(world, "announce_outcomes"), count(world, "without_guards"), world.home.log_mark()

    RESTARTS[happens](world)
    world.invite()

    wait_for(lambda: count(world, "announce_outcomes") >= guarded + 2, 40, "the outcomes")
    answers = len(world.listener.payloads("calbot/response/resync"))
    world.home.call("button.press", entity_id="button.calbot_resync")
    wait_for(lambda: len(world.listener.payloads("calbot/response/resync")) == answers + 2, 15, "an answer")
    assert count(world, "announce_outcomes") == guarded + 2, world.listener.payloads("calbot/test/announce_outcomes")[
        guarded:
    ]
    if happens.startswith("calbot"):  # not even a trigger without any guard
        assert count(world, "without_guards") == bare + 2, world.listener.payloads("calbot/test/without_guards")[bare:]
    excused = EXPECTED.get(happens, ())
    assert [one for one in world.home.problems(mark) if not any(word in one for word in excused)] == []


def test_a_sensor_counts_the_copies(world: World) -> None:
    """Each once, over all the restarts."""
    made = {told["copy_id"] for told in world.listener.events("mirrored")}

    world.home.wait_state("sensor.calbot_mirrored_total", str(len(made)), 35)


def test_a_device_that_the_user_deletes_comes_back_on_republish_only(world: World) -> None:
    """Also not when Calbot restarts."""
    identifier = f"calbot_{world.iid}_{world.aid}"
    device = world.home.device(identifier)
    assert device is not None
    world.home.delete(device)
    wait_for(lambda: world.home.device(identifier) is None, 10, "deleted")
    wait_for(lambda: "was deleted in Home Assistant" in world.service.log(), 10, "we noticed")
    calbot_restarts(world)
    assert world.home.device(identifier) is None

    world.listener.ask("republish", id=f"again-{world.home.version}")

    wait_for(lambda: world.home.device(identifier), 10, "back")
    world.home.wait_state(f"sensor.{ACCOUNT}_status", "ok")


@pytest.mark.skipif(PROGRAM is None, reason="chromium is not installed")
def test_the_pages_of_the_devices_show_everything(world: World, tmp_path: Path) -> None:
    """As a browser shows them. With CALBOT_PICTURES the newest version's pictures are kept there."""
    kept = os.environ.get("CALBOT_PICTURES")
    folder = Path(kept) if kept and world.home.numbers >= (2026, 11) else tmp_path
    house, account = (world.home.device(f"calbot_{world.iid}{aid}") for aid in ("", f"_{world.aid}"))
    assert house is not None and account is not None

    with Chromium(world.home, tmp_path / "profile") as browser:
        text = browser.picture(
            f"/config/devices/device/{house['id']}", folder / "homeassistant.png", "Calbot", "Auto-invite"
        )
        assert all(word in text for word in ("Problem", "Action needed", "Status", "Resync now", "Dry run", "Paused"))
        assert all(word in text for word in ("Calendar events", "System events", "Push notifications", "Version"))
        assert all(word in text for word in ("Mirroring", "Copies"))
        assert all(
            word in text for word in ("Undo last change", "Approve held", "Discard held", "Invitations per hour")
        )
        text = browser.picture(
            f"/config/devices/device/{account['id']}", folder / "homeassistant_account.png", ANNA, "Sign-in problem"
        )
        assert all(word in text for word in ("Sync", "Auto-invite", "Resync now"))
