"""Commands that the shell adds to the engine's: `ack_alert` and `test_alert`, with the engine's own table of them."""

from collections.abc import Callable

from addon.alerts.alerts import Alerts
from addon.alerts.asked import Asked
from addon.alerts.courier import Courier
from addon.alerts.judge import Message
from calbot.model import Command
from calbot.status import Health, Reason
from calbot.store import commands
from tests.alerts.test_courier import Hanging, Pigeon
from tests.service.running import wait_for
from tests.simulation.machine import SeededRandom
from tests.simulation.simulation import Simulation

Simulate = Callable[..., Simulation]
FULL = Health(
    "problem", (Reason(code="store", level="problem", text="The disk is full.", remedy="Free some space."),), None, None
)


def alerted(simulation: Simulation, *channels: Pigeon) -> tuple[Alerts, list[Message]]:
    """Alerts beside the simulated engine, which knows their commands; what they say."""
    said: list[Message] = []
    courier = Courier(channels, simulation.clock)
    alerts = Alerts(
        simulation.database, simulation.clock, SeededRandom(3), send=said.append, said=simulation.engine.wrote
    )
    alerts.open()
    asked = Asked(alerts, courier, simulation.engine.commands.answered)
    simulation.engine.commands.also("ack_alert", asked.acknowledge)
    simulation.engine.commands.also("test_alert", asked.test)
    return alerts, said


def test_what_people_know_stands_and_is_not_told(simulate: Simulate) -> None:
    """Over a restart, too; when it is over it is forgotten, and the same trouble another day is told anew."""
    simulation = simulate()
    simulation.until_quiet()
    alerts, said = alerted(simulation)
    snapshot = simulation.engine.snapshot
    alerts.look(FULL, snapshot)

    answer = simulation.ask("ack_alert", id="disk")
    again, more = alerted(simulation)
    again.look(FULL, snapshot)

    assert answer.status == "ok" and [message.kind for message in said] == ["disk"] and more == []
    assert [(one.id, one.acknowledged) for one in again.standing] == [("disk", True)]
    simulation.clock.sleep(7 * 3600)
    for _ in range(3):
        again.look(Health("ok", (), None, None), snapshot)
        simulation.clock.sleep(60)
    again.look(FULL, snapshot)
    assert [one.acknowledged for one in again.standing] == [False]
    assert [message.title.startswith("Solved") for message in more] == [True, False]


def test_what_is_not_there_cannot_be_known(simulate: Simulate) -> None:
    """An id of nothing, none at all, and both at once each get their answer."""
    simulation = simulate()
    alerts, _ = alerted(simulation)

    assert simulation.ask("ack_alert", id="disk").code == "not_found"
    assert simulation.ask("ack_alert", all=True).code == "not_found"
    assert simulation.ask("ack_alert").code == simulation.ask("ack_alert", id="disk", all=True).code == "invalid"
    assert alerts.standing == ()


def test_a_test_that_takes_its_time_is_sent_once(simulate: Simulate) -> None:
    """While a way hangs, the engine goes on, and does not take the command for a forgotten one."""
    simulation = simulate()
    simulation.until_quiet()
    hanging, well = Hanging(), Pigeon()
    alerted(simulation, hanging, well)
    with simulation.database.write() as tx:
        commands.add(tx, Command(name="test_alert", id="cli-1", source="cli", received=simulation.clock.now()))

    for _ in range(5):
        simulation.engine.tend()
    unanswered = simulation.answer_to("cli-1")
    hanging.release.set()
    wait_for(lambda: simulation.answer_to("cli-1") is not None, 10, "the answer")

    answer = simulation.answer_to("cli-1")
    assert unanswered is None and answer is not None and answer.data == {"hanging": "ok", "pigeon": "ok"}
    assert (hanging.tries, well.tries) == (1, 1)


def test_without_a_way_a_test_says_what_to_do(simulate: Simulate) -> None:
    """Instead of that all is well."""
    simulation = simulate()
    alerted(simulation)
    simulation.command("test_alert")

    wait_for(lambda: any(n.event_type == "command_failed" for n in simulation.notices()), 10, "the answer")
    (said,) = [notice for notice in simulation.notices() if notice.event_type == "command_failed"]
    assert "alerts" in said.text and "notify" in said.text
