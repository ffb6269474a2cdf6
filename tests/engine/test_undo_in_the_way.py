"""Undo meets what is in its way: lost answers, other deeds, hidden lists, other people. It never claims too much."""

from typing import Any

import pytest

from calbot.policy import Match, Rule
from calbot.settings import Settings
from tests.engine.scenes import (
    DAVE,
    WEEKLY,
    Simulate,
    asked,
    begun,
    lost_on_the_way,
    move,
    sign_out,
    until_in_slots,
    until_parked,
)
from tests.household import ANNA, BOB, CAROL
from tests.simulation.simulation import Simulation

TWO_RULES = Settings(
    rules=(Rule("all", (BOB,), goes_on=True), Rule("parties", (DAVE,), match=Match(title="party"))),
    time_zone="Europe/Berlin",
)


def invited(simulation: Simulation, **parts: Any) -> str:
    """An event that Calbot has invited Bob to."""
    event = simulation.create(**parts)
    simulation.until_quiet()
    assert BOB in simulation.guests(event)
    return event


# Rows on their way


@pytest.mark.parametrize("paused", [False, True])
def test_undo_holds_for_what_an_earlier_life_had_started(simulate: Simulate, paused: bool) -> None:
    """Killed before its call went out: nobody is told "discarded" of an invitation that goes out afterwards."""
    simulation = begun(simulate)
    event = simulation.create()
    until_in_slots(simulation)
    simulation.restart()
    if paused:
        simulation.command("pause")

    answer = simulation.ask("undo", event_id=event)
    simulation.command("resume")
    simulation.until_quiet()

    said_done = answer.status == "ok"
    assert said_done is not paused
    assert (BOB in simulation.guests(event)) is not said_done


def test_undo_of_what_may_have_gone_out_takes_it_off(simulate: Simulate) -> None:
    """The write landed, its answer and every look were lost: "it had not gone out" would be wrong."""
    simulation = begun(simulate)
    event = simulation.create()
    lost_on_the_way(simulation)
    until_parked(simulation)
    there = simulation.guests(event)
    simulation.google.clear_faults()

    answer = simulation.ask("undo", event_id=event)
    simulation.until_quiet()

    assert there == [BOB]
    assert (answer.status, answer.data["undone"]) == ("ok", 1)
    assert simulation.guests(event) == []


def test_undo_leaves_a_guest_of_a_person_where_ours_never_arrived(simulate: Simulate) -> None:
    """The connection died before the write; Anna put Bob there herself, so he is hers."""
    simulation = begun(simulate)
    event = simulation.create()
    lost_on_the_way(simulation, "closeBefore")
    until_parked(simulation)
    simulation.google.clear_faults()
    simulation.google.add_guest(ANNA, event, BOB)

    answer = simulation.ask("undo", event_id=event)
    simulation.until_quiet()

    assert answer.message
    assert simulation.guests(event) == [BOB]
    assert simulation.wire.written == []


@pytest.mark.parametrize("way", ["event", "minutes"])
def test_undo_takes_back_every_deed_on_an_event(simulate: Simulate, way: str) -> None:
    """Two rules invited at two times: both guests go, and both deeds are undone."""
    simulation = begun(simulate, settings=TWO_RULES)
    event = invited(simulation)
    simulation.google.edit_event(ANNA, event, {"summary": "party"})
    simulation.until_quiet()
    before = simulation.guests(event)

    answer = simulation.ask("undo", minutes=60) if way == "minutes" else simulation.ask("undo", event_id=event)
    simulation.until_quiet()

    assert sorted(before) == sorted([BOB, DAVE])
    assert answer.status == "ok"
    assert simulation.guests(event) == []
    assert [state for state, _ in simulation.history(event)].count("undone") == 2


def test_undo_of_a_hidden_guest_list_is_refused(simulate: Simulate) -> None:
    """Google shows a part of the list only: nothing is written, it is not said to be undone, and can be asked again."""
    simulation = begun(simulate)
    event = invited(simulation, attendees=[{"email": CAROL}])
    simulation.google.set(omit_attendees=[event])

    refused = simulation.ask("undo", event_id=event)
    there = set(simulation.guests(event))
    simulation.google.set(omit_attendees=[])
    answer = simulation.ask("undo", event_id=event)

    assert (refused.status, refused.data["undone"]) == ("error", 0)
    assert "hides" in refused.message
    assert {BOB, CAROL} <= there
    assert answer.status == "ok"
    assert set(simulation.guests(event)) == there - {BOB}


# Series and their dates


def test_undo_of_a_series_takes_the_guest_off_a_date_that_was_moved(simulate: Simulate) -> None:
    """Bob came along to the date because of our invitation: he goes there too."""
    simulation = begun(simulate)
    series = invited(simulation, **WEEKLY)
    date = move(simulation, series)
    simulation.until_quiet()
    before = simulation.guests(date)

    answer = simulation.ask("undo", event_id=series)
    simulation.until_quiet()

    assert before == [BOB]
    assert answer.status == "ok"
    assert (simulation.guests(series), simulation.guests(date)) == ([], [])


def test_undo_of_a_series_leaves_a_guest_whom_a_person_put_on_a_date(simulate: Simulate) -> None:
    """Bob was taken off one evening by hand and put there again by hand: there he is a person's guest."""
    simulation = begun(simulate)
    series = invited(simulation, **WEEKLY)
    date = move(simulation, series)
    simulation.until_quiet()
    simulation.google.remove_guest(ANNA, date, BOB)
    simulation.until_quiet()
    simulation.google.add_guest(ANNA, date, BOB)
    simulation.until_quiet()

    answer = simulation.ask("undo", event_id=series)
    simulation.until_quiet()

    assert answer.status == "ok"
    assert (simulation.guests(series), simulation.guests(date)) == ([], [BOB])


def test_undo_of_a_series_leaves_the_other_deeds_of_a_date(simulate: Simulate) -> None:
    """Dave was invited to one evening only; that can still be undone afterwards."""
    simulation = begun(simulate, settings=TWO_RULES)
    series = invited(simulation, **WEEKLY)
    date = move(simulation, series)
    simulation.google.edit_event(ANNA, date, {"summary": "party"})
    simulation.until_quiet()
    before = sorted(simulation.guests(date))

    simulation.ask("undo", event_id=series)
    between = simulation.guests(date)
    answer = simulation.ask("undo", event_id=date)

    assert (before, between) == ([BOB, DAVE], [DAVE])
    assert (answer.status, answer.data["undone"]) == ("ok", 1)
    assert simulation.guests(date) == []


def test_undo_of_a_date_leaves_its_series(simulate: Simulate) -> None:
    """A date with guests of its own has an invitation of its own, and that alone is taken back."""
    simulation = begun(simulate)
    series = simulation.create(**WEEKLY)
    date = move(simulation, series)
    simulation.google.edit_event(ANNA, date, {"attendees": [{"email": CAROL}]})
    simulation.until_quiet()
    before = sorted(simulation.guests(date))

    answer = simulation.ask("undo", event_id=date)
    simulation.until_quiet()

    assert before == [BOB, CAROL]
    assert answer.status == "ok"
    assert (simulation.guests(series), simulation.guests(date)) == ([BOB], [CAROL])


# Switches


def test_undo_in_a_dry_run_is_refused(simulate: Simulate) -> None:
    """A dry run writes nothing, and the answer names the remedy."""
    simulation = begun(simulate)
    event = invited(simulation)
    simulation.command("set", key="dry_run", value=True)

    answer = simulation.ask("undo", event_id=event)
    simulation.run(120)

    assert (answer.status, answer.code) == ("error", "invalid")
    assert "dry_run" in answer.message
    assert simulation.guests(event) == [BOB]


@pytest.mark.parametrize("waits", ["for the pause to end", "for Google"])
def test_an_undo_that_waits_writes_nothing_in_a_dry_run(simulate: Simulate, waits: str) -> None:
    """It was asked before; it is done when the dry run ends."""
    simulation = begun(simulate)
    event = invited(simulation)
    if waits == "for Google":
        simulation.google.add_fault("unavailable", operation="events.get", count=None)
    else:
        simulation.command("pause")
    simulation.ask("undo", event_id=event)
    simulation.command("set", key="dry_run", value=True)
    simulation.command("resume")
    simulation.google.clear_faults()

    simulation.run(1300)
    during = simulation.guests(event)
    simulation.command("set", key="dry_run", value=False)
    simulation.until_quiet()

    assert during == [BOB]
    assert simulation.guests(event) == []


def test_undo_while_paused_says_paused(simulate: Simulate) -> None:
    """Not that somebody has to sign in; it may be asked again, and is done when Calbot goes on."""
    simulation = begun(simulate)
    event = invited(simulation)
    simulation.command("pause")

    answer = simulation.ask("undo", event_id=event)
    before = simulation.guests(event)
    simulation.command("resume")
    simulation.until_quiet()

    assert (answer.status, answer.code, answer.retryable) == ("error", "paused", True)
    assert (before, simulation.guests(event)) == ([BOB], [])


# Accounts that go


def test_undo_of_a_removed_accounts_event_names_the_remedy(simulate: Simulate) -> None:
    """Its calendar is no longer watched, so nothing is planned there and the answer is no "ok"."""
    simulation = begun(simulate, signed_in=(ANNA, CAROL))
    event = simulation.create(CAROL)
    simulation.until_quiet()
    sign_out(simulation, CAROL)

    answer = simulation.ask("undo", event_id=event)

    assert (answer.status, answer.code) == ("error", "auth_required")
    assert CAROL in answer.message
    assert simulation.guests(event, CAROL) == [BOB]


def test_an_undo_that_was_refused_is_not_carried_out_days_later(simulate: Simulate) -> None:
    """Signed out with the letter in its inbox: after the next sign-in nobody is taken off for it."""
    simulation = begun(simulate)
    event = invited(simulation)
    command = asked(simulation, "undo", last=True)

    sign_out(simulation, ANNA)
    simulation.run(600)
    answer = simulation.answer_to(command)
    simulation.accounts.sign_in(ANNA)
    simulation.until_quiet()
    simulation.run(300)

    assert answer is not None and answer.status == "error"
    assert simulation.guests(event) == [BOB]
    assert simulation.outcomes("undone") == []
