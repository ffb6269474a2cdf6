"""Alerts on the virtual clock: the real engine, the real judge of health, and Google going away."""

from collections.abc import Callable
from pathlib import Path

import pytest

from addon.alerts.alerts import Alerts
from addon.alerts.judge import Message
from calbot import health
from calbot.store import switches
from tests.household import ANNA, NOON
from tests.simulation.machine import SeededRandom
from tests.simulation.simulation import Simulation

LIVELY = 180.0
"""Longer than this no worker may be silent while `/live` says yes (addon/app.py)."""


class Watch:
    """What the main thread does every second, on the simulation's clock; and what people hear of it."""

    def __init__(self, simulation: Simulation) -> None:
        self.simulation = simulation
        self.told: list[Message] = []
        self.levels: list[tuple[float, str]] = []
        self.silence = 0.0
        self.announced = 0
        self.alerts = self.begin()

    def begin(self) -> Alerts:
        """Open the alerts of this life."""
        simulation = self.simulation
        alerts = Alerts(simulation.database, simulation.clock, SeededRandom(7), send=self.told.append, said=self.noted)
        alerts.open()
        self.alerts = alerts
        return alerts

    def noted(self) -> None:
        """Hear that the outbox got rows."""
        self.announced += 1

    def look(self) -> None:
        """Judge once."""
        simulation = self.simulation
        snapshot, now = simulation.engine.snapshot, simulation.clock.now()
        verdict = health.assess(snapshot, now)
        if not self.levels or self.levels[-1][1] != verdict.level:
            self.levels.append((now - NOON, verdict.level))
        self.silence = max(self.silence, simulation.engine.longest_silence())
        self.alerts.look(verdict, snapshot)

    def live(self, seconds: float, step: float = 5.0) -> None:
        """Let time pass."""
        end = self.simulation.clock.now() + seconds
        while self.simulation.clock.now() < end:
            self.simulation.run(step)
            self.look()

    def events(self, kind: str) -> list[str | None]:
        """The reasons of the announcements of one kind."""
        return [notice.reason for notice in self.simulation.notices(kind)]


@pytest.fixture
def watch(simulate: Callable[..., Simulation]) -> Watch:
    """A household that is read and well."""
    watch = Watch(simulate())
    watch.live(120)
    assert watch.levels[-1][1] == "ok"
    return watch


def go_away(simulation: Simulation) -> None:
    """Let Google answer nobody."""
    simulation.google.add_fault("closeBefore", count=None)


def test_google_away_for_half_an_hour(watch: Watch) -> None:
    """Alive all the time, a problem in the end, one alert, one `solved`; and no storm when it is back."""
    simulation = watch.simulation
    left = simulation.clock.now() - NOON
    go_away(simulation)
    watch.live(1805)
    away = (watch.levels[-1], list(watch.told), watch.events("alert_raised"))

    simulation.google.clear_faults()
    calls = len(simulation.calls("events.list"))
    watch.live(3600)

    (since, level), told, raised = away
    assert level == "problem" and 1700 <= since - left <= 1805
    assert [message.title for message in told] == ["Calbot cannot read your calendars"] and raised == ["sync"]
    assert [message.title for message in watch.told[1:]] == ["Solved: Calbot cannot read your calendars"]
    assert watch.events("alert_raised") == watch.events("alert_cleared") == ["sync"] and watch.announced == 2
    assert watch.levels[-1][1] == "ok" and watch.silence < LIVELY
    assert len(simulation.calls("events.list")) - calls < 75


def test_a_blip_of_google_alerts_nobody(watch: Watch) -> None:
    """Five minutes are shown, and not shouted."""
    go_away(watch.simulation)
    watch.live(300)
    watch.simulation.google.clear_faults()
    watch.live(3600)

    assert "degraded" in [level for _, level in watch.levels]
    assert watch.told == [] == watch.events("alert_raised")


def test_a_restart_in_an_outage_repeats_nothing(watch: Watch) -> None:
    """Three restarts while Google is away: still one alert, and no `solved` before it is."""
    go_away(watch.simulation)
    watch.live(2400)
    for _ in range(3):
        watch.simulation.restart()
        watch.begin()
        watch.live(900)
    before = [message.title for message in watch.told]
    watch.simulation.google.clear_faults()
    watch.live(3600)

    assert len(before) == 1 and len(watch.told) == 2
    assert watch.events("alert_raised") == watch.events("alert_cleared") == ["sync"]


def test_a_dead_sign_in_is_told_at_once_and_solved_by_signing_in(watch: Watch) -> None:
    """Over a restart, too: the first reading with the new sign-in is what solves it."""
    simulation = watch.simulation
    simulation.google.revoke(ANNA)
    watch.live(130)
    told = len(watch.told)
    simulation.restart()
    watch.begin()
    watch.live(600)
    again = len(watch.told)

    simulation.accounts.sign_in(ANNA)
    watch.live(300)

    assert told == again == 1 and ANNA in watch.told[0].text
    assert len(watch.told) == 2 and watch.events("alert_cleared") == ["sign_in"]
    assert [notice.account for notice in simulation.notices("alert_raised")] == [ANNA]


def test_a_full_disk_is_told_although_it_cannot_be_written_down(watch: Watch) -> None:
    """People hear of it at once; the announcement follows when there is room again."""
    watch.simulation.seams.disk_full = True
    watch.simulation.create()
    watch.live(120)
    told = [message.title for message in watch.told]
    watch.simulation.seams.disk_full = False
    watch.live(300)

    assert told == ["Calbot cannot write to its disk"] and len(watch.told) == 2
    assert watch.events("alert_raised") == watch.events("alert_cleared") == ["disk"]


def test_acknowledged_is_remembered(watch: Watch, data: Path) -> None:
    """Over a restart; what is unknown is not acknowledged."""
    assert watch.alerts.acknowledge(None) is False
    go_away(watch.simulation)
    watch.live(2400)

    assert watch.alerts.acknowledge("broker") is False
    assert watch.alerts.acknowledge("sync") is True
    watch.simulation.restart()

    assert [trouble.acknowledged for trouble in watch.begin().standing] == [True]


def test_what_cannot_be_read_is_judged_afresh(watch: Watch) -> None:
    """A note of another version stops nothing."""
    with watch.simulation.database.write() as tx:
        switches.remember(tx, "alerts", '{"troubles": 7}')

    assert watch.begin().standing == ()
    watch.live(60)
