"""The real process under a Supervisor: finds its broker, loses it, tells people, and keeps the token to itself."""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from addon.supervisor import MOSQUITTO as LINK
from tests.mqtt.world import MOSQUITTO, Mosquitto
from tests.service.running import Listener, Service, house, wait_for
from tests.supervisor.server import TOKEN, FakeSupervisor

OLD, NEW = "old password", "new password"


@contextlib.contextmanager
def under_supervision(data: Path, **options: object) -> Iterator[tuple[Service, FakeSupervisor, Listener]]:
    """A service that finds neither a broker in its options nor one at the Supervisor; not started yet."""
    with house(data, mqtt={}, **options) as (service, _google, listener), FakeSupervisor() as fake:
        yield service, fake, listener


def begin(service: Service, fake: FakeSupervisor) -> None:
    """Start the service as the Supervisor does."""
    service.start(SUPERVISOR_TOKEN=TOKEN, CALBOT_SUPERVISOR_URL=fake.address, CALBOT_BIND="127.0.0.1")
    wait_for(service.is_watching, 30, "watching")


def end(service: Service) -> None:
    """Stop it; whatever happened, nobody has read the token."""
    assert service.stop()[0] == 0
    assert TOKEN not in service.log() and "Traceback" not in service.log()
    assert not [one for one in service.data.rglob("*") if one.is_file() and TOKEN.encode() in one.read_bytes()]


def test_without_mosquitto_the_way_to_it_is_said_and_it_is_found_when_it_appears(tmp_path: Path) -> None:
    """Invitations do not wait for a broker; nobody restarts anything."""
    with under_supervision(tmp_path) as (service, fake, listener):
        begin(service, fake)
        wait_for(lambda: LINK in service.get("/health")[1], 10, "the sentence")
        asked = len(fake.calls("/services/mqtt"))
        wait_for(lambda: len(fake.calls("/services/mqtt")) > asked, 10, "another question")

        fake.install_broker(listener.client.port)

        wait_for(lambda: "online" in listener.availability(), 20, "Calbot on MQTT")
        wait_for(lambda: LINK not in service.get("/health")[1], 10, "the sentence gone")
        assert all(call.token == TOKEN for call in fake.calls())
        end(service)


def test_the_options_win_over_the_supervisor(tmp_path: Path) -> None:
    """Who names a broker gets that one, and the Supervisor is not asked."""
    with under_supervision(tmp_path) as (service, fake, listener):
        (tmp_path / "calbot.yaml").write_text(f"mqtt: {{host: 127.0.0.1, port: {listener.client.port}}}\n")
        begin(service, fake)

        wait_for(lambda: "online" in listener.availability(), 20, "Calbot on MQTT")
        assert fake.calls("/services/mqtt") == []
        end(service)


@pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed")
def test_a_changed_password_is_asked_for(tmp_path: Path) -> None:
    """Mosquitto comes back with another password, and Calbot with it."""

    def admit(password: str) -> None:
        subprocess.run(["mosquitto_passwd", "-b", "-c", str(passwords), "addons", password], check=True)
        fake.install_broker(broker.port, password)

    passwords = tmp_path / "passwords"
    lines = ("allow_anonymous false", f"password_file {passwords}")
    with under_supervision(tmp_path / "data") as (service, fake, _):
        broker = Mosquitto(tmp_path, *lines)
        try:
            admit(OLD)
            broker.start()
            begin(service, fake)
            wait_for(lambda: '"mqtt":null' in service.get("/health")[1], 20, "a connection")

            broker.kill()
            wait_for(lambda: '"mqtt":null' not in service.get("/health")[1], 20, "the connection's end")
            admit(NEW)
            broker.start()

            wait_for(lambda: '"mqtt":null' in service.get("/health")[1], 30, "a connection with the new password")
            assert OLD not in service.log() and NEW not in service.log()
            end(service)
        finally:
            broker.kill()


def test_people_are_told_by_every_way_that_works(tmp_path: Path) -> None:
    """A damaged token file: the bell rings and Anna's phone too, although one of the named services is gone."""
    with under_supervision(tmp_path, notify=["notify.gone", "notify.mobile_app_anna"]) as (service, fake, listener):
        fake.install_broker(listener.client.port)
        begin(service, fake)
        (tmp_path / "tokens" / "carol@example.com.json").write_text("not JSON")

        wait_for(lambda: fake.told("notify/mobile_app_anna"), 20, "a message on the phone")
        wait_for(lambda: listener.payloads("calbot/event/system")[-1]["event_type"] == "alert_raised", 10, "the event")
        (message,) = fake.told("notify/mobile_app_anna")
        assert message["title"] == "Calbot needs you to sign in again" and "carol@example.com" in message["message"]
        wait_for(lambda: list(fake.knows.notifications) == ["calbot_sign_in"], 10, "the bell")
        wait_for(
            lambda: service.log().count("notify.gone did not arrive") == 1, 10, "a word about the one that is gone"
        )

        end(service)
        begin(service, fake)
        wait_for(lambda: "online" in listener.availability()[-1:], 20, "Calbot on MQTT again")
        assert len(fake.told("notify/mobile_app_anna")) == len(fake.told()) == 1
        end(service)


def test_bad_options_reach_people_too(tmp_path: Path) -> None:
    """Calbot stays up, calls nobody at Google, and says which option it is."""
    with under_supervision(tmp_path, notify=["phone"]) as (service, fake, _):
        service.start(SUPERVISOR_TOKEN=TOKEN, CALBOT_SUPERVISOR_URL=fake.address, CALBOT_BIND="127.0.0.1")

        wait_for(fake.told, 30, "the notification")
        assert "notify: 'phone' is not a notify service" in fake.told()[0]["message"]
        end(service)


def test_a_supervisor_that_hangs_holds_up_no_stop(tmp_path: Path) -> None:
    """Neither the broker's address nor a notification is waited for."""
    with under_supervision(tmp_path) as (service, fake, _):
        fake.fail("/", seconds=60)
        (tmp_path / "tokens" / "carol@example.com.json").write_text("not JSON")
        begin(service, fake)
        wait_for(lambda: fake.told() and fake.calls("/services"), 10, "questions")

        code, seconds = service.stop()

        assert code == 0 and seconds < 5
