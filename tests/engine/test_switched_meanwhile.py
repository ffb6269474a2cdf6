"""What is switched while a pass is under way holds from its answer on: nothing goes out after it."""

from collections.abc import Callable

import pytest

from calbot.model import Answer, Command
from calbot.settings import Settings
from tests.engine.scenes import Simulate, begun, limited, until
from tests.google_server.values import Request, Response
from tests.household import ANNA, BOB, INVITE_BOB
from tests.simulation.simulation import Simulation

Switch = Callable[[Simulation], None]
SWITCHES: dict[str, Switch] = {
    "pause": lambda simulation: simulation.command("pause"),
    "the account's pause": lambda simulation: simulation.command("pause", account=ANNA),
    "auto_invite off": lambda simulation: simulation.command("set", key="auto_invite", value=False),
    "dry_run": lambda simulation: simulation.command("set", key="dry_run", value=True),
}


class Once:
    """Hears of news, and the first time that the condition holds then does something."""

    def __init__(self, condition: Callable[[], bool], deed: Callable[[], None]) -> None:
        self.done = False
        self._condition = condition
        self._deed = deed

    def changed(self) -> None:
        """Act, once."""
        if not self.done and self._condition():
            self.done = True
            self._deed()

    def answered(self, _command: Command, _answer: Answer) -> None:
        """Not of interest."""


def during_the_listing(simulation: Simulation, event: str, deed: Callable[[], None]) -> list[str]:
    """Do it while Google's answer that names the event is on its way; what is returned then gets an entry."""
    done: list[str] = []

    def amend(request: Request, answer: Response) -> None:
        if not done and request.path.endswith("/events") and event.encode() in answer.body:
            done.append(event)
            deed()

    simulation.wire.amend = amend
    return done


@pytest.mark.parametrize("switch", SWITCHES.values(), ids=list(SWITCHES))
@pytest.mark.parametrize("whole", [False, True], ids=["changes", "a full listing"])
def test_nothing_goes_out_after_a_switch_during_the_listing(simulate: Simulate, switch: Switch, whole: bool) -> None:
    """The switch is answered, the listing comes in afterwards: what it names is decided under the switch."""
    simulation = begun(simulate)
    event = simulation.create()
    done = during_the_listing(simulation, event, lambda: switch(simulation))

    simulation.command("resync", full=whole)
    simulation.run(600)

    assert done == [event]
    assert simulation.invitations() == []
    assert simulation.wire.written == []


def test_a_limit_lowered_during_the_listing_holds(simulate: Simulate) -> None:
    """One went out in this hour, and one is allowed by now: the second waits."""
    simulation = begun(simulate)
    first = simulation.create(summary="First")
    simulation.until_quiet()
    second = simulation.create(summary="Second")
    done = during_the_listing(
        simulation, second, lambda: simulation.command("set", key="limits.invites_per_hour", value=1)
    )

    simulation.run(600)

    assert done == [second]
    assert simulation.invitations() == [first]


def test_a_switch_to_more_during_the_listing_holds_too(simulate: Simulate) -> None:
    """Auto-invite switched on while the listing is on its way: what it names is invited to."""
    off = Settings(invite_emails=(BOB,), time_zone="Europe/Berlin", auto_invite=False)
    simulation = begun(simulate, settings=off)
    event = simulation.create()
    done = during_the_listing(simulation, event, lambda: simulation.command("set", key="auto_invite", value=True))

    simulation.until_quiet()

    assert done == [event]
    assert simulation.guests(event) == [BOB]


def paused_after_the_pass(simulate: Simulate, settings: Settings = INVITE_BOB) -> tuple[Simulation, str]:
    """A pass has written down its invitation as started, and before its call goes out somebody pauses."""
    simulation = begun(simulate, settings=settings)
    event = simulation.create()
    ear = Once(lambda: [row[2] for row in simulation.open_rows()] == ["started"], lambda: simulation.command("pause"))
    simulation.engine.listen(ear)
    simulation.command("resync", full=True)
    until(simulation, lambda: ear.done)
    return simulation, event


def test_nothing_goes_out_after_a_pause_between_the_decision_and_the_call(simulate: Simulate) -> None:
    """It waits for the pause to end, and then goes out once."""
    simulation, event = paused_after_the_pass(simulate)
    simulation.run(600)
    during = simulation.invitations()

    simulation.command("resume")
    simulation.until_quiet()

    assert during == []
    assert simulation.invitations() == [event]


def test_what_was_started_before_a_pause_is_no_rival_of_its_own(simulate: Simulate) -> None:
    """At the limit's edge it counts once: resumed, it goes out at once and waits for no hour to pass."""
    simulation, event = paused_after_the_pass(simulate, limited(1))
    simulation.run(60)

    simulation.command("resume")
    simulation.run(60)

    assert simulation.invitations() == [event]
