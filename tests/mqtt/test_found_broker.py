"""The broker that the Supervisor knows: asked for before every attempt, also when it knows an old password."""

import subprocess
from collections.abc import Callable
from pathlib import Path

from addon.brokers import found_by
from addon.supervisor import MOSQUITTO, Supervisor
from tests.mqtt.conftest import MakeHouse
from tests.mqtt.world import Mosquitto, wait_until
from tests.supervisor.server import TOKEN, FakeSupervisor


def test_an_old_password_is_tried_until_the_supervisor_knows_better(
    make_house: MakeHouse, make_broker: Callable[..., Mosquitto], tmp_path: Path
) -> None:
    """Mosquitto was faster than its record: refused, a minute's rest, asked again, connected."""
    passwords = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-b", "-c", str(passwords), "addons", "new"], check=True)
    broker = make_broker("allow_anonymous false", f"password_file {passwords}")
    with FakeSupervisor() as fake:
        fake.install_broker(broker.port, "old")
        house = make_house(broker=found_by(Supervisor(TOKEN, fake.address)))
        house.bridge.start()
        wait_until(lambda: house.bridge.problem and "refused the user name or password" in house.bridge.problem)
        asked = len(fake.calls("/services/mqtt"))

        fake.install_broker(broker.port, "new")
        house.advance(61)

        wait_until(lambda: house.bridge.connected)
        assert len(fake.calls("/services/mqtt")) == asked + 1


def test_no_broker_is_a_problem_in_words_until_there_is_one(make_house: MakeHouse, broker: Mosquitto) -> None:
    """The way to Mosquitto is said; so is a Supervisor that is away; both end by themselves."""
    with FakeSupervisor() as fake:
        house = make_house(broker=found_by(Supervisor(TOKEN, fake.address)))
        house.bridge.start()
        wait_until(lambda: house.bridge.problem and MOSQUITTO in house.bridge.problem)

        fake.fail("/services", 0)
        house.advance(5)
        wait_until(lambda: house.bridge.problem and "does not answer" in house.bridge.problem)
        fake.heal()
        fake.install_broker(broker.port)
        house.advance(80)

        wait_until(lambda: house.bridge.connected)
        assert house.bridge.problem is None
