"""Commands that a door takes up again after a kill do what they were asked for, once; none is unanswered for ever."""

import pytest

from calbot.model import Answer
from tests.engine.scenes import Simulate, asked, begun, created, sign_out, until, until_in_slots
from tests.household import ANNA, BOB, CAROL
from tests.simulation.machine import Crash
from tests.simulation.simulation import Simulation

BOTH = (ANNA, CAROL)


def answered(simulation: Simulation, command: str, within: float = 600.0) -> Answer:
    """The answer to a command, once it is there."""
    until(simulation, lambda: simulation.answer_to(command) is not None, within)
    answer = simulation.answer_to(command)
    assert answer is not None
    return answer


# Undo


@pytest.mark.parametrize("first", [ANNA, CAROL])
def test_an_undo_over_two_accounts_is_done_for_both(simulate: Simulate, first: str) -> None:
    """Killed when one of them had written down its share: the other's is done as well."""
    simulation = begun(simulate, signed_in=BOTH)
    annas, carols = simulation.create(ANNA), simulation.create(CAROL)
    simulation.until_quiet()
    command = asked(simulation, "undo", minutes=60)
    simulation.engine.workers[first].step()

    simulation.restart()
    simulation.take_up()
    answer = answered(simulation, command)
    simulation.until_quiet()

    assert (answer.status, answer.data["undone"]) == ("ok", 2)
    assert simulation.guests(annas) == simulation.guests(carols, CAROL) == []
    assert len(simulation.outcomes("undone")) == 2


@pytest.mark.parametrize("way", ["last", "minutes", "nothing"])
def test_an_undo_takes_back_what_was_there_when_it_was_asked(simulate: Simulate, way: str) -> None:
    """What went out afterwards, while Calbot was down or busy, is not meant."""
    simulation = begun(simulate)
    meant = simulation.create(summary="Meant")
    simulation.until_quiet()
    later = simulation.create(summary="Later")
    until_in_slots(simulation)
    command = asked(
        simulation, "undo", **({"last": True} if way == "last" else {"minutes": 60} if way == "minutes" else {})
    )
    simulation.restart()
    simulation.until_quiet()

    simulation.take_up()
    answer = answered(simulation, command)
    simulation.until_quiet()

    assert answer.status == "ok"
    assert (simulation.guests(meant), simulation.guests(later)) == ([], [BOB])


def test_an_undo_that_is_taken_up_after_it_was_done_takes_back_no_second(simulate: Simulate) -> None:
    """Killed between the deed and the answer: the invitation before that one stays."""
    simulation = begun(simulate)
    events = []
    for number in range(2):
        events.append(simulation.create(summary=f"Dinner {number}"))
        simulation.until_quiet()
        simulation.run(5)
    command = asked(simulation, "undo", last=True)
    simulation.engine.workers[ANNA].step()
    simulation.restart()
    simulation.until_quiet()

    simulation.take_up()
    answer = answered(simulation, command)
    simulation.until_quiet()

    assert answer.status == "ok"
    assert [simulation.guests(event) for event in events] == [[BOB], []]


def test_an_undo_of_the_last_that_is_taken_up_goes_to_no_other_account(simulate: Simulate) -> None:
    """Anna had written it down: Carol's earlier invitation is by now the last that stands, and was never meant."""
    simulation = begun(simulate, signed_in=BOTH)
    carols = simulation.create(CAROL)
    simulation.until_quiet()
    simulation.run(5)
    annas = simulation.create(ANNA)
    simulation.until_quiet()
    command = asked(simulation, "undo", last=True)
    simulation.engine.workers[ANNA].step()

    simulation.restart()
    simulation.take_up()
    answer = answered(simulation, command)
    simulation.until_quiet()

    assert (answer.status, answer.data["undone"]) == ("ok", 1)
    assert (simulation.guests(annas), simulation.guests(carols, CAROL)) == ([], [BOB])


# Approve and discard


@pytest.mark.parametrize(("word", "invited"), [("approve", 60), ("discard", 0)])
def test_a_decision_that_was_stored_without_its_answer_is_answered_as_it_was(
    simulate: Simulate, word: str, invited: int
) -> None:
    """Killed between the two: the answer is not that nothing is held."""
    simulation = begun(simulate)
    simulation.google.seed_events(ANNA, 60)
    simulation.run(70)
    token = str(simulation.notices("brake_on")[0].data["token"])
    simulation.seams.crash_at = frozenset({len(simulation.seams.crossed) + 4})
    with pytest.raises(Crash):
        asked(simulation, word, token=token)
    simulation.die()
    simulation.start()
    simulation.take_up()

    answer = answered(simulation, "command-1")
    simulation.until_quiet()

    assert simulation.seams.fired == ["after a commit"]
    assert (answer.status, answer.data["count"]) == ("ok", 60)
    assert len(simulation.invitations()) == invited
    assert len(simulation.notices("brake_released")) == 1


# Nothing pends for ever


@pytest.mark.parametrize("name", ["undo", "apply", "resync"])
def test_a_command_is_answered_when_its_account_is_removed_meanwhile(simulate: Simulate, name: str) -> None:
    """The letter lies in an inbox that nobody opens any more."""
    simulation = begun(simulate, signed_in=BOTH)
    created(simulation, 1)
    simulation.until_quiet()
    command = asked(simulation, name)

    sign_out(simulation, ANNA)
    answer = answered(simulation, command)

    assert answer.message
    assert answer.status in {"error", "partial"}


def test_an_undo_taken_up_when_its_account_is_gone_is_answered(simulate: Simulate) -> None:
    """Its share was written down in an earlier life; nobody is left who could do it."""
    simulation = begun(simulate)
    created(simulation, 1)
    simulation.until_quiet()
    command = asked(simulation, "undo", last=True)
    simulation.engine.workers[ANNA].step()
    simulation.die()
    sign_out(simulation, ANNA)
    simulation.start()

    simulation.take_up()
    answer = answered(simulation, command)

    assert answer.status == "error"
    assert answer.message


def test_an_undo_of_what_cannot_be_settled_now_is_answered(simulate: Simulate) -> None:
    """An invitation of an earlier life lies between started and done while Calbot is paused: ask again later."""
    simulation = begun(simulate)
    event = simulation.create()
    until_in_slots(simulation)
    simulation.restart()
    simulation.command("pause")

    answer = simulation.ask("undo", event_id=event)

    assert (answer.status, answer.code, answer.retryable) == ("error", "busy", True)
