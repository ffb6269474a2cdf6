"""The Compose file's services from the real image: users, mounts, limits, commands and health checks as it says."""

import contextlib
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from calbot.clock import SystemClock
from tests.container.engine import CACHE, IMAGE, Engine, Network
from tests.container.household import ask, is_watching
from tests.google_server.control import Control
from tests.google_server.http import GoogleServer
from tests.service.running import ANNA, BOB, free_port, wait_for
from tests.standalone.composing import FILE, FOLDER, as_run, composed
from tests.standalone.test_guides import commands_of

pytestmark = pytest.mark.container

PASSWORD = "0123456789abcdef"
PROJECT = "calbot-ci"


@dataclass
class Composed:
    """The file's services, each under its name; what differs from the file is where Google is."""

    docker: Engine
    google: Control
    folder: Path
    services: dict[str, Any]
    network: Network
    _google_at: dict[str, str]
    names: list[str] = field(default_factory=list)

    def start(self, name: str) -> None:
        """Start a service as the file has it, beside the others."""
        service = self.services[name]
        quick = {**service["healthcheck"], "interval": "1s"}
        service = {**service, "environment": {**service["environment"], **self._google_at}, "healthcheck": quick}
        words = as_run(service, self.folder, IMAGE, PROJECT)
        beside = ("-d", "--name", f"{PROJECT}-{name}", "--network", f"container:{self.network.holder}")
        self.docker.run("run", *beside, *words)
        self.names.append(name)

    def state(self, name: str) -> Any:
        """Return what the daemon knows of how a service is."""
        return self.docker.inspect(f"{PROJECT}-{name}")["State"]

    def log(self, name: str) -> str:
        """Return what a service logged."""
        done = self.docker.run("logs", f"{PROJECT}-{name}")
        return done.stdout + done.stderr

    def wait(self, name: str, condition: Callable[[], object], what: str, seconds: float = 30) -> None:
        """Wait for a condition while a service runs."""
        try:
            wait_for(condition, seconds, what)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{json.dumps(self.state(name))}\n{self.log(name)}") from None

    def do(self, name: str, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command in a service, as `docker compose exec` does."""
        return self.docker.run("exec", f"{PROJECT}-{name}", *command, check=check)

    def once(self, command: str, given: bytes = b"") -> None:
        """Run a command as `docker compose run --rm` does for calbot, with something on its standard input."""
        words = as_run({**self.services["calbot"], "healthcheck": {}}, self.folder, IMAGE, PROJECT)
        environment = {"DOCKER_HOST": f"unix://{CACHE / 'docker.sock'}"}
        whole = ["/usr/bin/docker", "run", "--rm", "-i", "--network", "none", *words, "sh", "-c", command]
        done = subprocess.run(whole, input=given, env=environment, check=False, timeout=60, capture_output=True)
        assert done.returncode == 0, done.stderr.decode()

    def typed(self, line: str) -> str:
        """Do what somebody types who follows a guide, in the folder of the file; return what is printed."""
        docker = f"/usr/bin/docker -H unix://{CACHE / 'docker.sock'}"
        for said, meant in (("exec -T calbot", f"exec -i {PROJECT}-calbot"), ("exec calbot", f"exec {PROJECT}-calbot")):
            line = line.replace(f"docker compose {said}", f"{docker} {meant}")
        line = line.replace("docker compose restart calbot monitor", f"{docker} restart {PROJECT}-calbot")
        words = ["/bin/sh", "-c", line]
        done = subprocess.run(words, cwd=self.folder, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
        return done.stdout

    def stop(self, name: str) -> tuple[int, float]:
        """Stop a service as `docker compose stop` does; return its exit code and how many seconds that took."""
        began = time.monotonic()
        self.docker.run("stop", "-t", self.services[name]["stop_grace_period"].rstrip("s"), f"{PROJECT}-{name}")
        return self.state(name)["ExitCode"], time.monotonic() - began

    def remove(self, *names: str) -> None:
        """Remove services, running or not."""
        for name in names or tuple(self.names):
            self.docker.run("rm", "-f", f"{PROJECT}-{name}", check=False)


@pytest.fixture
def house(image: Engine) -> Iterator[Composed]:
    """A copy of the folder with its two files filled in, a Google, and a broker by the file's own command."""
    folder = Path(tempfile.mkdtemp(prefix="compose-", dir=CACHE))
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        for name in ("compose.yaml", "mosquitto.conf"):
            shutil.copy(FOLDER / name, folder)
        shutil.copy(FOLDER / "example.yaml", folder / "calbot.yaml")
        given = {"MQTT_PASSWORD": PASSWORD, "TZ": "Europe/Berlin", "MONITOR_INTERVAL_SECONDS": "10"}
        services: dict[str, Any] = composed(FILE.read_text("utf-8"), given)["services"]
        network = Network(image, {"mosquitto": "127.0.0.1", "calbot": "127.0.0.1"})
        stack.callback(network.close)
        stack.enter_context(network.inside())
        server = stack.enter_context(GoogleServer(SystemClock(), [ANNA, BOB], allow_http_push=True))
        stack.enter_context(_broker(services["mosquitto"]))
        google_at = {"CALBOT_CALENDAR_API": server.calendar_api, "CALBOT_TOKEN_URI": server.token_uri}
        all_of_it = Composed(image, server.control, folder, services, network, google_at)
        for volume in ("data", "monitor"):
            stack.callback(image.run, "volume", "rm", "-f", f"{PROJECT}_{volume}", check=False)
        stack.callback(all_of_it.remove)
        all_of_it.once(
            f"mkdir -p /data/tokens && cat >/data/tokens/{ANNA}.json", json.dumps(server.token_document(ANNA)).encode()
        )
        yield all_of_it


@contextlib.contextmanager
def _broker(service: dict[str, Any]) -> Iterator[None]:
    """The broker's own command on this machine's Mosquitto, since its image cannot be fetched here."""
    place = Path(tempfile.mkdtemp(prefix="broker-"))
    (place / "data").mkdir()
    config = (FOLDER / "mosquitto.conf").read_text("utf-8")
    (place / "mosquitto.conf").write_text(config.replace("/tmp/", f"{place}/").replace("/mosquitto/", f"{place}/"))
    shutil.chown(place, 1883, 1883)
    shutil.chown(place / "data", 1883, 1883)
    moved = [
        word.replace("/tmp/", f"{place}/").replace("/mosquitto/config/", f"{place}/") for word in service["command"]
    ]
    path = "/usr/sbin:/usr/bin:/sbin:/bin"
    given = {"MQTT_PASSWORD": PASSWORD, "PATH": path}
    broker = subprocess.Popen(moved, env=given, user=1883, group=1883, extra_groups=[])
    try:
        check = [*service["healthcheck"]["test"][1:]]
        asking = {"XDG_CONFIG_HOME": str(place), "PATH": path}
        wait_for(
            lambda: subprocess.run(check, env=asking, user=1883, group=1883, check=False).returncode == 0,
            20,
            "a broker",
        )
        yield
    finally:
        broker.terminate()
        broker.wait(10)
        shutil.rmtree(place, ignore_errors=True)


def test_the_services_work_as_the_file_has_them(house: Composed, figure: Callable[[str], None]) -> None:
    """Calbot and the monitor get healthy, an event is invited and told to the broker that wants its password.

    Both are nobody in particular, without a capability, and neither can write where it has no business.
    """
    heard = _listener()
    house.start("calbot")
    house.wait("calbot", lambda: house.state("calbot")["Health"]["Status"] == "healthy", "a healthy Calbot", 60)
    house.wait("calbot", is_watching, "watching")
    house.start("monitor")
    house.wait("monitor", lambda: house.state("monitor")["Health"]["Status"] == "healthy", "a healthy monitor", 60)

    event = house.google.create_event(ANNA)["id"]
    house.do("calbot", "calbot", "sync")

    house.wait("calbot", lambda: any(b'"invited"' in one for one in heard), "an announcement")
    assert [guest["email"] for guest in house.google.event(ANNA, event)["attendees"]] == [BOB]
    for name in ("calbot", "monitor"):
        status = house.do(name, "cat", "/proc/1/status", "/proc/self/status").stdout
        assert {line.split()[1] for line in status.splitlines() if line.startswith("Uid:")} == {"8098"}
        capabilities = [
            line.split()[1] for line in status.splitlines() if line.startswith(("CapPrm", "CapEff", "CapBnd"))
        ]
        assert set(capabilities) == {"0" * 16}
        assert house.do(name, "touch", "/app/here", check=False).returncode != 0
        assert not house.state(name)["OOMKilled"]
    assert house.do("monitor", "touch", "/calbot/here", check=False).returncode != 0
    assert house.do("calbot", "ls", "/app/addon/standalone", check=False).returncode != 0
    known = json.loads(house.do("monitor", "cat", "/data/status.json").stdout)
    assert (known["status"], known["url"]) == ("up", "http://calbot:8099/health")

    (code, seconds), watched = house.stop("calbot"), house.log("monitor")
    house.wait("monitor", lambda: '"down"' in house.do("monitor", "cat", "/data/status.json").stdout, "it is seen", 40)
    figure(f"Compose: Calbot stopped within {seconds:.1f} s")
    assert (code, seconds < 5) == (0, True)
    assert "is watched" in watched and "Traceback" not in watched
    assert house.stop("monitor")[0] == 0


def test_the_broker_is_reached_with_its_password_only(house: Composed) -> None:
    """What `check` says in the container, and who comes without the password."""
    house.start("calbot")
    house.wait("calbot", is_watching, "watching")

    said = house.do("calbot", "calbot", "check", check=False)

    assert "lets Calbot in as calbot" in said.stdout, said.stdout + said.stderr
    assert PASSWORD not in said.stdout + house.log("calbot")
    assert house.do("calbot", "calbot", "version").stdout.strip()
    with pytest.raises(AssertionError):
        _listener(password="another", seconds=2)


def test_a_backup_of_the_guide_is_restored(house: Composed) -> None:
    """Its commands, as written, from one volume into a new one: the store is there, the key is not."""
    making, packing, _ = commands_of("BACKUP.md", "docker compose exec")
    (restoring,) = commands_of("BACKUP.md", "docker compose run --rm")
    house.start("calbot")
    house.wait("calbot", is_watching, "watching")

    house.typed(making)
    house.typed(packing)
    house.remove("calbot")
    house.docker.run("volume", "rm", f"{PROJECT}_data")
    inner, _, packed = restoring.partition("sh -c ")[2].partition(" < ")
    house.once(inner.strip("'"), (house.folder / packed).read_bytes())
    house.start("calbot")

    house.wait("calbot", lambda: "came from a backup" in house.log("calbot"), "the restored store")
    house.wait("calbot", lambda: ask("/health") in {200, 503}, "an answer")
    assert "its key is not here" in house.log("calbot") + house.do("calbot", "calbot", "check", check=False).stdout


def test_an_earlier_bot_is_taken_over_by_the_guide(house: Composed) -> None:
    """Its commands, as written: what the bot had is taken, its settings can be changed, and no copy is left."""
    there = house.folder / "earlier-bot"
    there.mkdir()
    (there / ".env").write_text("INVITE_EMAIL=carol@example.com\nPOLL_INTERVAL_MINUTES=2\n")
    (there / "processed_events.json").write_text('["abcdefghijklmnopqrst"]')
    shown, *steps = commands_of("MOVING.md", "docker compose")
    house.start("calbot")
    house.wait("calbot", is_watching, "watching")

    house.typed(shown.replace("/path/to/earlier-bot", str(there)))
    dry, taken, _, out, back = (house.typed(line) for line in steps)

    assert "nothing is written" in dry and "taken" in taken and "1 event that" in taken
    assert out == ""
    assert "INVITE_EMAIL=carol@example.com" in (house.folder / "earlier.env").read_text()
    assert "encrypted" in back and "is deleted" in back
    assert house.do("calbot", "ls", "/tmp/earlier", check=False).returncode != 0
    house.wait("calbot", is_watching, "watching again")
    assert "POLL_INTERVAL_MINUTES" in house.do("calbot", "calbot", "env", "decrypt").stdout


def _listener(password: str = PASSWORD, seconds: float = 10) -> list[bytes]:
    """Listen on the broker with the file's user name; fail when it does not let us in."""
    heard: list[bytes] = []
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=f"l-{free_port()}", protocol=paho.MQTTv5)
    client.username_pw_set("calbot", password)
    client.on_message = lambda _client, _data, message: heard.append(bytes(message.payload))
    client.on_connect = lambda client, _data, _flags, code, _more: code.is_failure or client.subscribe("calbot/#", 1)
    inside: list[bool] = []
    client.on_subscribe = lambda *_: inside.append(True)
    client.connect("127.0.0.1", 1883)
    client.loop_start()
    wait_for(lambda: inside, seconds, "the broker to let us in")
    return heard
