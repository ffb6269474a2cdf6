"""The main job, seen from outside: Google on one side, an independent MQTT client on the other."""

import json
from pathlib import Path

import pytest

from tests.service.running import ANNA, BOB, house, wait_for

CAROL = "carol@example.com"


def guests(event: dict[str, object]) -> list[str]:
    """Return the addresses on an event."""
    attendees = event.get("attendees", [])
    assert isinstance(attendees, list)
    return [guest["email"] for guest in attendees]


def test_an_event_is_pushed_invited_and_announced(tmp_path: Path) -> None:
    """Created in Google, pushed, guest added, heard on MQTT: all within seconds."""
    with house(tmp_path) as (service, google, listener):
        service.start()
        wait_for(service.is_watching, 20, "watching")
        wait_for(google.channels, 10, "a push channel")

        event = google.create_event(ANNA)["id"]

        wait_for(lambda: listener.events("invited"), 10, "an announcement")
        (announced,) = listener.events("invited")
        assert guests(google.event(ANNA, event)) == [BOB]
        assert (announced["event_id"], announced["guests_added"]) == (event, [BOB])
        assert announced["source"] == "push"
        assert announced["latency_s"] < 5
        assert [mail["to"] for mail in google.mails(kind="invitation")] == [BOB]


@pytest.mark.slow
def test_polling_alone_does_the_same(tmp_path: Path) -> None:
    """Without push_url no door is open and no channel is asked for; the next poll finds the event."""
    with house(tmp_path, push_url=None, poll_interval=15) as (service, google, listener):
        service.start()
        wait_for(service.is_watching, 20, "watching")

        event = google.create_event(ANNA)["id"]

        wait_for(lambda: listener.events("invited"), 25, "an announcement")
        assert guests(google.event(ANNA, event)) == [BOB]
        assert listener.events("invited")[0]["source"] == "poll"
        assert google.channels() == []


def test_a_hanging_account_delays_nobody(tmp_path: Path) -> None:
    """While Google does not answer for Carol, Anna's event is invited as fast as ever."""
    with house(tmp_path, ANNA, CAROL) as (service, google, listener):
        google.add_fault("hang", operation="events.list", account=CAROL, count=None, seconds=60)
        service.start()
        wait_for(lambda: any(c["account"] == CAROL for c in google.calls("events.list")), 20, "Carol's call")
        wait_for(lambda: google.channels() and service.is_watching(), 20, "Anna is watched")

        event = google.create_event(ANNA)["id"]

        wait_for(lambda: listener.events("invited"), 10, "an announcement")
        assert guests(google.event(ANNA, event)) == [BOB]


def test_a_resync_by_mqtt_is_answered_when_it_is_done(tmp_path: Path) -> None:
    """The command is accepted, carried out, and answered with its id."""
    with house(tmp_path, push_url=None, poll_interval=3600) as (service, google, listener):
        service.start()
        wait_for(service.is_watching, 20, "watching")
        event = google.create_event(ANNA)["id"]

        listener.ask("resync", v=1, id="please")

        wait_for(lambda: len(listener.payloads("calbot/response/resync")) == 2, 10, "two answers")
        accepted, final = listener.payloads("calbot/response/resync")
        assert (accepted["id"], accepted["status"], accepted["final"]) == ("please", "accepted", False)
        assert (final["id"], final["status"], final["final"]) == ("please", "ok", True)
        wait_for(lambda: guests(google.event(ANNA, event)) == [BOB], 10, "the guest")


def test_the_broker_may_be_down_and_nothing_is_lost(tmp_path: Path) -> None:
    """Invitations go on without MQTT; what they came to is announced when the broker is back."""
    with house(tmp_path) as (service, google, listener):
        service.start(MQTT_PORT="1")
        wait_for(lambda: google.channels() and service.is_watching(), 20, "watching with push")
        event = google.create_event(ANNA)["id"]
        wait_for(lambda: guests(google.event(ANNA, event)) == [BOB], 10, "the guest")
        wait_for(lambda: "No MQTT broker answers" in service.get("/health")[1], 10, "a word about it")
        service.stop()

        service.start()

        wait_for(lambda: listener.events("invited"), 20, "an announcement")
        assert [message["event_id"] for message in listener.events("invited")] == [event]


def test_an_event_that_came_while_calbot_was_off_is_invited_at_its_start(tmp_path: Path) -> None:
    """A start always reads what changed meanwhile."""
    with house(tmp_path) as (service, google, listener):
        service.start()
        wait_for(service.is_watching, 20, "watching")
        code, _ = service.stop()
        event = google.create_event(ANNA)["id"]

        service.start()

        wait_for(lambda: listener.events("invited"), 20, "an announcement")
        assert code == 0
        assert guests(google.event(ANNA, event)) == [BOB]


def test_the_doors_tell_machines_how_it_is(tmp_path: Path) -> None:
    """`/live` and `/health` answer 200 when all is well, and health names what is known."""
    with house(tmp_path) as (service, _google, _listener):
        service.start()
        wait_for(service.is_watching, 20, "watching")

        live, health = service.get("/live"), service.get("/health")

        assert live[0] == 200
        assert (health[0], json.loads(health[1])["level"]) == (200, "ok")


def test_no_secret_is_in_the_log(tmp_path: Path) -> None:
    """Neither tokens nor passwords are logged, even at level debug."""
    with house(tmp_path) as (service, google, listener):
        secrets = [json.loads(p.read_text())["refresh_token"] for p in (tmp_path / "tokens").iterdir()]
        service.start(CALBOT_LOG_LEVEL="debug", MQTT_PASSWORD="canary-password", MQTT_USERNAME="calbot")
        wait_for(service.is_watching, 20, "watching")
        google.create_event(ANNA)
        wait_for(lambda: listener.events("invited"), 10, "an announcement")
        service.stop()

        assert secrets
        assert not [secret for secret in [*secrets, "canary-password", "Bearer"] if secret in service.log()]
