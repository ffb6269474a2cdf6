"""Home Assistant, a broker that keeps what is retained, the fake Google and the service, once for each version."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from calbot.clock import SystemClock
from tests.google_server.control import Control
from tests.google_server.http import GoogleServer
from tests.homeassistant.core import FOLDER, HomeAssistant
from tests.household import CAROL, FAMILY
from tests.mqtt.world import MOSQUITTO, Mosquitto
from tests.service.running import ANNA, BOB, Listener, Service, wait_for

VERSIONS = os.environ.get("CALBOT_HOMEASSISTANT", "2026.11.0 2026.4.4").split()


class Broker(Mosquitto):
    """A broker that keeps retained messages and sessions on disk, as Home Assistant's does."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        text = self._configuration.read_text().replace("persistence false", "persistence true")
        self._configuration.write_text(f"{text}persistence_location {directory}/\n")

    def restart(self) -> None:
        assert self._process
        self._process.terminate()
        self._process.wait()
        self.start()


@dataclass
class World:
    """Everything, running."""

    home: HomeAssistant
    broker: Broker
    service: Service
    google: Control
    listener: Listener
    iid: str
    aid: str

    def invite(self) -> str:
        """Let something happen in Google; return its id when the outcome was announced."""
        event = str(self.google.create_event(ANNA)["id"])
        self.wait_for_event("invited", event)
        return event

    def invite_anna(self, title: str) -> str:
        """Let somebody else ask Anna to something, so that Bob cannot be invited to it; return its id."""
        return str(self.google.invite_from_outside(ANNA, CAROL, {"summary": title})["id"])

    def wait_for_event(self, event_type: str, event: str) -> None:
        def came() -> bool:
            return any(told["event_id"] == event for told in self.listener.events(event_type))

        wait_for(came, 30, f"{event_type} for {event}")

    def guests(self, event: str) -> list[str]:
        """Who is on an event in Google."""
        found = self.google.event(ANNA, event).get("attendees", [])
        assert isinstance(found, list)
        return [guest["email"] for guest in found]


@pytest.fixture(scope="module", params=VERSIONS)
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The service has announced itself before Home Assistant comes, and both are ready."""
    version = str(request.param)
    if not (FOLDER / "rootfs" / f"core-{version}" / "made-from").exists() or MOSQUITTO is None:
        pytest.skip("Home Assistant is not built: run tests/run.sh homeassistant")
    directory = tmp_path_factory.mktemp(f"home-{version}")
    place = FOLDER / "run" / version
    shutil.rmtree(place, ignore_errors=True)
    broker = Broker(directory)
    broker.start()
    home = HomeAssistant(version, place, broker.port)
    with GoogleServer(SystemClock(), [ANNA, BOB], allow_http_push=True) as google:
        listener = Listener(broker.port)
        google.control.add_calendar(ANNA, FAMILY, "Family")
        service = Service(directory / "data", google, broker.port, central_calendar=FAMILY)
        service.sign_in(ANNA)
        service.start()
        try:
            wait_for(service.is_watching, 30, "watching")
            wait_for(google.control.channels, 30, "a push channel")
            wait_for(lambda: listener.payloads("calbot/info"), 10, "info")
            home.start()
            info = listener.payloads("calbot/info")[-1]
            yield World(home, broker, service, google.control, listener, info["iid"], info["accounts"][0])
            listener.check()
        finally:
            home.stop()
            if service.process is not None and service.process.poll() is None:
                service.kill()
            listener.close()
            broker.kill()
