"""Anna's household with the real engine and the MQTT bridge at it, and somebody who listens and commands."""

from typing import Any

from addon.mqtt.bridge import Bridge
from tests.household import ANNA, Household
from tests.mqtt.world import Observer, wait_until

TITLE = "Dinner with the neighbours"


class Home:
    """Anna's household with the MQTT bridge at it, and somebody who listens and commands."""

    def __init__(self, household: Household, observer: Observer, bridge: Bridge) -> None:
        self.household = household
        self.observer = observer
        self.bridge = bridge
        self._asked = 0

    def ask(self, command: str, **args: Any) -> Any:
        """Send a command; return its final answer."""
        self._asked += 1
        name = f"{command}-{self._asked}"
        self.observer.send(f"calbot/command/{command}", {"v": 1, "id": name, "args": args})
        wait_until(lambda: any(answer["final"] for answer in self.observer.answers(name, 1)), 20)
        return next(answer for answer in self.observer.answers(name, 1) if answer["final"])

    def told(self, event_type: str, stream: str = "calendar") -> list[Any]:
        """What was told on a stream so far, of one type."""
        heard = [message.json for message in self.observer.on(f"calbot/event/{stream}")]
        return [message for message in heard if message["event_type"] == event_type]

    def wait_told(self, event_type: str, count: int = 1, stream: str = "calendar") -> list[Any]:
        """The same, once that are so many."""
        wait_until(lambda: len(self.told(event_type, stream)) >= count, 20)
        return self.told(event_type, stream)

    def invite(self) -> Any:
        """Let Anna make an event; what was told when Bob was invited to it."""
        before = len(self.told("invited"))
        self.household.create(summary=TITLE)
        self.household.look()
        return self.wait_told("invited", before + 1)[-1]

    def brake(self, events: int = 4) -> Any:
        """Let Anna make more events than the hour has room for; what was told of the brake."""
        held, told = len(self.told("held")), len(self.told("brake_on", "system"))
        for _ in range(events):
            self.household.create(summary=TITLE)
        self.household.look()
        self.wait_told("held", held + events)
        return self.wait_told("brake_on", told + 1, "system")[-1]

    def guests(self, event: str) -> list[str]:
        """Who is on an event at Google."""
        found = self.household.google.event(ANNA, event).get("attendees", [])
        assert isinstance(found, list)
        return [guest["email"] for guest in found]

    def account(self) -> Any:
        """What was told of Anna's account last."""
        return self.observer.on(f"calbot/account/{self.household.engine.snapshot.accounts[0].aid}/state")[-1].json
