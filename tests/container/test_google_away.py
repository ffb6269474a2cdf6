"""Google away for three real minutes beside the container: it stays up, says so once, and says once that it is over."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event

import pytest

from tests.container.engine import Container
from tests.container.household import Household, ask, is_watching
from tests.service.running import ANNA, BOB, wait_for

pytestmark = pytest.mark.container

AWAY = 180.0
PATIENCE = 60
POLL = 15
STALE = 3 * POLL + 60
"""Seconds without a good look that a calendar that is read every POLL seconds is always granted."""
SETTLED = 60
"""Seconds that a trouble has to be gone before it is told that it is over."""


@dataclass
class Watch:
    """Looks at a container once a second, as the Supervisor and an uptime monitor do."""

    container: Container
    began: float = field(default_factory=time.monotonic)
    live: list[int] = field(default_factory=list)
    health: list[int] = field(default_factory=list)
    states: list[str] = field(default_factory=list)
    checks: dict[str, int] = field(default_factory=dict)
    """When the image's health check ran, and how it ended."""
    turned: dict[int, float] = field(default_factory=dict)
    """When /health first answered so, since the watch began."""

    def look(self) -> None:
        """Look once."""
        self.live.append(ask("/live"))
        self.health.append(ask("/health"))
        self.turned.setdefault(self.health[-1], time.monotonic() - self.began)
        state = self.container.state()["Health"]
        self.states.append(state["Status"])
        self.checks |= {check["Start"]: check["ExitCode"] for check in state["Log"]}

    def until(self, condition: Callable[[], object], seconds: float, what: str) -> None:
        """Look until something holds that is to hold in time."""

        def looked() -> bool:
            self.look()
            return bool(condition()) or Event().wait(1.0)

        wait_for(looked, seconds, what)

    def turns(self) -> list[int]:
        """Return what /health answered, without what it repeated."""
        before = [0, *self.health]
        return [now for now, last in zip(self.health, before, strict=False) if now != last]


def test_google_away_for_three_minutes(home: Household, figure: Callable[[str], None]) -> None:
    """The container is healthy throughout, /health is not; one alert, and one that says it is solved."""
    container = home.started(environment={"CALBOT_PATIENCE": str(PATIENCE)}, push_url="", poll_interval=POLL)
    container.wait_until_healthy()
    watch = Watch(container)
    watch.look()

    home.google.add_fault("closeBefore", count=None)  # who asks Google anything is cut off
    event = home.google.create_event(ANNA)["id"]
    away_since = time.monotonic()
    watch.until(lambda: time.monotonic() - away_since >= AWAY, AWAY + 10, "three minutes")

    (alert,) = home.supervisor.told()
    assert alert["title"] == "Calbot cannot read your calendars" and ANNA in alert["message"]
    assert watch.turns() == [200, 503], container.log()
    assert PATIENCE <= watch.turned[503] <= STALE + 10
    assert home.listener.events("invited") == []

    home.google.clear_faults()
    back = time.monotonic()
    home.listener.ask("resync")  # the next try by itself may be minutes away
    watch.until(lambda: watch.health[-1] == 200, 15, "/health 200")
    mended = time.monotonic() - back
    watch.until(lambda: len(home.supervisor.told()) > 1, SETTLED + 30, "the message that it is over")
    solved = time.monotonic() - back
    quiet = time.monotonic() + 10
    watch.until(lambda: time.monotonic() >= quiet, 15, "ten seconds more")

    container.wait(lambda: home.listener.events("invited") and is_watching(), "the invitation that waited")
    assert [told["title"] for told in home.supervisor.told()] == [alert["title"], f"Solved: {alert['title']}"]
    assert list(home.supervisor.knows.notifications) == [alert["notification_id"]]  # one took the other's place
    assert [one["event_type"] for one in alerts(home)] == ["alert_raised", "alert_cleared"]
    assert [guest["email"] for guest in home.google.event(ANNA, event)["attendees"]] == [BOB]
    assert watch.turns() == [200, 503, 200], container.log()
    assert (set(watch.live), set(watch.states), set(watch.checks.values())) == ({200}, {"healthy"}, {0})
    assert len(watch.checks) > AWAY / 2
    home.listener.check()
    code, seconds = container.stop()
    assert (code, seconds < 5) == (0, True), container.log()
    figure(
        f"Google away for {AWAY:.0f} s: /health 503 after {watch.turned[503]:.0f} s, healthy in {len(watch.checks)} "
        f"checks; back: /health 200 after {mended:.1f} s, solved after {solved:.0f} s"
    )


def alerts(home: Household) -> list[dict[str, object]]:
    """Return what was said over MQTT of alerts, in order."""
    return [one for one in home.listener.payloads("calbot/event/system") if one["event_type"].startswith("alert_")]
