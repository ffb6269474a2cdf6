"""`purge`: copies that the rules would not make now are taken away, asked first, and never a meeting's last one."""

from typing import Any

import msgspec
import pytest

from calbot.policy import Match, Rule
from calbot.settings import AccountChoice, Settings
from tests.engine.scenes import LATER, SECOND, WEEKLY, Simulate, asked, sign_out
from tests.household import ANNA, BOB, CAROL, FAMILY
from tests.simulation.machine import Crash
from tests.simulation.simulation import Simulation

WORK = "work@group.calendar.google.com"
BERLIN = "Europe/Berlin"
ALL = Settings(rules=(Rule("all", mirror=FAMILY),), time_zone=BERLIN, removals_per_pass=10)
PARTIES = msgspec.structs.replace(ALL, rules=(Rule("parties", match=Match(title="Party"), mirror=FAMILY),))
NOTHING = msgspec.structs.replace(ALL, rules=(Rule("bob", (BOB,)),))
THIRD = "20261215T180000Z"


def begun(simulate: Simulate, settings: Settings = ALL, **parts: Any) -> Simulation:
    """A household with two shared calendars of Anna's."""
    simulation = simulate(settings=msgspec.structs.replace(settings, rules=()), **parts)
    simulation.google.add_calendar(ANNA, FAMILY, "Family")
    simulation.google.add_calendar(ANNA, WORK, "Work")
    simulation.restart(settings)
    simulation.until_quiet()
    return simulation


def made(simulation: Simulation, *titles: str, **body: Any) -> list[str]:
    """New events with their copies; the events' ids."""
    events = [simulation.create(summary=title, **body) for title in titles]
    simulation.until_quiet()
    return events


def titles(simulation: Simulation, calendar: str = FAMILY) -> list[str]:
    """What is on a shared calendar."""
    return sorted(str(doc.get("summary")) for doc in simulation.google.events(calendar))


def purged(simulation: Simulation, **args: Any) -> tuple[str, Any, Any]:
    """Ask for a purge, and say yes when asked back; status, how many are gone, and how many are left."""
    answer = simulation.ask("purge", **args)
    if answer.code == "confirm_required":
        answer = simulation.ask("purge", confirm=answer.data["confirm_token"], **args)
    return answer.status, answer.data.get("removed"), answer.data.get("left")


def states(simulation: Simulation) -> list[tuple[Any, ...]]:
    """How each whole copy stands, in order."""
    return simulation.database.read().execute("SELECT state FROM copy WHERE series IS NULL ORDER BY id").fetchall()


def test_what_no_rule_asks_for_goes_and_the_rest_stays(simulate: Simulate) -> None:
    """Each is told of once; nobody is mailed, and nothing else on the calendar is touched."""
    simulation = begun(simulate)
    made(simulation, "Dentist", "Party", "Dinner")
    simulation.google.create_event(FAMILY, {"summary": "Somebody's own"})
    simulation.restart(PARTIES)
    simulation.until_quiet()

    assert purged(simulation) == ("ok", 2, 0)
    assert titles(simulation) == ["Party", "Somebody's own"]
    assert [outcome.reason for outcome in simulation.outcomes("copy_removed")] == [None, None]
    assert states(simulation) == [("retired",), ("live",), ("retired",)]
    assert simulation.world.mails == []
    assert simulation.ask("purge").message == "There is nothing to take away."


def test_what_the_rules_ask_for_goes_only_with_all(simulate: Simulate) -> None:
    """And comes back when its original changes, the same copy as before."""
    simulation = begun(simulate)
    dentist, _ = made(simulation, "Dentist", "Dinner")
    ids = {doc["summary"]: doc["id"] for doc in simulation.google.events(FAMILY)}

    assert purged(simulation) == ("ok", 0, 0)
    assert titles(simulation) == ["Dentist", "Dinner"]
    assert purged(simulation, all=True) == ("ok", 2, 0)
    simulation.google.expire_sync_tokens()
    simulation.run(200)
    simulation.until_quiet()
    assert titles(simulation) == []
    simulation.google.edit_event(ANNA, dentist, {"summary": "Doctor"})
    simulation.until_quiet()
    assert [(doc["id"], doc["summary"]) for doc in simulation.google.events(FAMILY)] == [(ids["Dentist"], "Doctor")]


def test_past_copies_of_rules_in_force_stay(simulate: Simulate) -> None:
    """Also by the rule that copies only what nobody can be invited to."""
    obvious = Settings(invite_emails=(BOB,), central_calendar=FAMILY, time_zone=BERLIN)
    simulation = begun(simulate, obvious)
    body = {"id": "outside", "start": {"date": "2026-11-21"}, "end": {"date": "2026-11-22"}}
    simulation.google.invite_from_outside(ANNA, CAROL, {"summary": "Fair", **body})
    simulation.until_quiet()
    simulation.run(4 * 86400)
    simulation.until_quiet()

    assert titles(simulation) == ["Fair"]
    assert purged(simulation) == ("ok", 0, 0)


def test_many_at_once_are_asked_back(simulate: Simulate) -> None:
    """Nothing is done before the yes, and the yes is to exactly what was asked."""
    simulation = begun(simulate, msgspec.structs.replace(ALL, removals_per_pass=1))
    made(simulation, "Dentist", "Dinner")
    first = simulation.ask("purge", all=True)
    made(simulation, "Party")
    second = simulation.ask("purge", all=True, confirm=first.data["confirm_token"])
    before = titles(simulation)
    last = simulation.ask("purge", all=True, confirm=second.data["confirm_token"])

    assert [first.code, second.code, last.code] == ["confirm_required", "confirm_required", None]
    assert [first.data["count"], second.data["count"], last.data["removed"]] == [2, 3, 3]
    assert (before, titles(simulation)) == (["Dentist", "Dinner", "Party"], [])
    assert simulation.held_rows() == []


def test_one_calendar_alone(simulate: Simulate) -> None:
    """The others keep theirs; a calendar without copies is named."""
    both = msgspec.structs.replace(ALL, rules=(Rule("one", mirror=FAMILY, goes_on=True), Rule("two", mirror=WORK)))
    simulation = begun(simulate, both)
    made(simulation, "Dentist")
    simulation.restart(NOTHING)

    assert simulation.ask("purge", target="zebra@example.com").code == "not_found"
    assert purged(simulation, target=WORK.upper()) == ("ok", 1, 0)
    assert (titles(simulation), titles(simulation, WORK)) == (["Dentist"], [])


def test_the_last_of_a_meeting_never_goes(simulate: Simulate) -> None:
    """Neither when its original is deleted, nor in the time of grace before, nor with `all`."""
    moves = Rule("moves", match=Match(title="Move"), mirror=FAMILY, delete_original=True)
    settings = msgspec.structs.replace(ALL, rules=(moves,), delete_original=True, grace=3600)
    simulation = begun(simulate, settings)
    simulation.create(summary="Move me")
    simulation.run(900)
    in_grace = purged(simulation, all=True)
    there = len(simulation.google.events(ANNA))
    simulation.run(8000)
    after = purged(simulation, all=True)
    simulation.restart(NOTHING)
    ruleless = purged(simulation, all=True)

    assert (there, simulation.google.events(ANNA)) == (1, [])
    assert [in_grace, after, ruleless] == [("ok", 0, 0)] * 3
    assert titles(simulation) == ["Move me"]


def test_what_the_brake_holds_is_taken_with_the_rest(simulate: Simulate) -> None:
    """A person has decided: nothing stays held."""
    simulation = begun(simulate, msgspec.structs.replace(ALL, removals_per_pass=1))
    events = made(simulation, "Dentist", "Dinner", "Party")
    simulation.die()
    for event in events[:2]:
        simulation.google.delete_event(ANNA, event)
    simulation.start()
    simulation.run(200)
    held = [row[1] for row in simulation.held_rows()]

    assert held == ["remove_copy", "remove_copy"]
    assert purged(simulation) == ("ok", 2, 0)
    assert (titles(simulation), simulation.held_rows()) == (["Party"], [])


def test_a_series_goes_and_comes_with_its_dates(simulate: Simulate) -> None:
    """Asked for again, the moved date is moved and the cancelled one is not there."""
    simulation = begun(simulate)
    (choir,) = [simulation.create(**WEEKLY)]
    simulation.until_quiet()
    simulation.google.edit_event(ANNA, f"{choir}_{SECOND}", LATER)
    simulation.google.delete_event(ANNA, f"{choir}_{THIRD}")
    simulation.until_quiet()
    gone = purged(simulation, all=True)
    between = simulation.google.events(FAMILY)
    simulation.google.edit_event(ANNA, choir, {"location": "Church"})
    simulation.until_quiet()
    docs = {doc["id"].partition("_")[2]: doc for doc in simulation.google.events(FAMILY, deleted=True)}

    assert (gone, between) == (("ok", 1, 0), [])
    assert docs[""]["location"] == "Church"
    assert docs[SECOND]["start"]["dateTime"].startswith("2026-12-08T20:30")
    assert docs[THIRD]["status"] == "cancelled"


def test_copies_of_calendars_that_are_no_longer_watched_go(simulate: Simulate) -> None:
    """Their originals are there, but nobody would copy them now."""
    chosen = (AccountChoice(ANNA), AccountChoice(BOB))
    simulation = begun(simulate, msgspec.structs.replace(ALL, accounts=chosen), signed_in=(ANNA, BOB))
    made(simulation, "Dentist")
    simulation.create(BOB, summary="Bob's")
    simulation.until_quiet()
    sign_out(simulation, BOB)
    simulation.restart(msgspec.structs.replace(ALL, accounts=chosen[:1]))
    simulation.until_quiet()

    assert purged(simulation) == ("ok", 1, 0)
    assert titles(simulation) == ["Dentist"]


def test_what_was_never_made_is_let_go(simulate: Simulate) -> None:
    """A copy that nobody can write, and that no rule asks for any more, is not made when somebody can."""
    simulation = begun(simulate)
    simulation.google.share_calendar(FAMILY, ANNA, "reader")
    simulation.create(summary="Dentist")
    simulation.run(900)
    simulation.restart(NOTHING)
    answer = simulation.ask("purge")
    simulation.google.share_calendar(FAMILY, ANNA, "owner")
    simulation.run(4000)
    simulation.until_quiet()

    assert (answer.status, answer.message) == ("ok", "1 copy not made yet, and not made now.")
    assert titles(simulation) == []


def test_a_dry_run_takes_nothing_away(simulate: Simulate) -> None:
    """It says so."""
    simulation = begun(simulate)
    made(simulation, "Dentist")
    simulation.command("set", key="dry_run", value=True)
    answer = simulation.ask("purge", all=True)

    assert (answer.code, titles(simulation)) == ("invalid", ["Dentist"])
    assert "dry run" in answer.message


@pytest.mark.parametrize("how", ["paused", "mirroring off"])
def test_while_nothing_is_written_it_waits(simulate: Simulate, how: str) -> None:
    """The answer says for what; it is done when that is over, and not before."""
    simulation = begun(simulate)
    made(simulation, "Dentist")
    if how == "paused":
        simulation.command("pause")
    else:
        simulation.command("set", key="mirroring", value=False)
    answer = simulation.ask("purge", all=True)
    simulation.run(3000)
    before = titles(simulation)
    if how == "paused":
        simulation.command("resume")
    else:
        simulation.command("set", key="mirroring", value=True)
    simulation.until_quiet()

    assert (answer.status, answer.data) == ("partial", {"removed": 0, "left": 1})
    assert ("paused" if how == "paused" else "Mirroring is off") in answer.message
    assert (before, titles(simulation)) == (["Dentist"], [])


def test_what_somebody_deleted_by_hand_stays_deleted(simulate: Simulate) -> None:
    """A purge does not turn it into one of ours, which a change would bring back."""
    simulation = begun(simulate)
    (event,) = made(simulation, "Dentist")
    (copy,) = [doc["id"] for doc in simulation.google.events(FAMILY)]
    simulation.google.delete_event(FAMILY, copy)
    simulation.run(200)
    simulation.until_quiet()
    assert purged(simulation, all=True) == ("ok", 0, 0)
    simulation.google.edit_event(ANNA, event, {"summary": "Doctor"})
    simulation.until_quiet()

    assert (titles(simulation), states(simulation)) == ([], [("deleted",)])


@pytest.mark.parametrize("place", range(2, 22))
def test_a_kill_anywhere_leads_to_the_same_end(simulate: Simulate, place: int) -> None:
    """Taken up again, the command plans nothing twice, and is answered."""
    simulation = begun(simulate)
    made(simulation, "Dentist", "Dinner")
    simulation.restart(NOTHING)
    simulation.until_quiet()
    token = str(simulation.ask("purge").data["confirm_token"])
    simulation.seams.crash_at = frozenset({len(simulation.seams.crossed) + place})
    try:
        asked(simulation, "purge", confirm=token)
        simulation.until_quiet()
    except Crash:
        simulation.die()
        simulation.start()
        simulation.take_up()
        simulation.until_quiet()
    simulation.run(60)
    simulation.until_quiet()

    removals = simulation.database.read().execute("SELECT copy, state FROM deed WHERE verb = 'remove_copy'").fetchall()
    assert titles(simulation) == []
    assert len(simulation.seams.fired) == 1
    assert sorted(removals) == [(1, "done"), (2, "done")]
    assert states(simulation) == [("retired",), ("retired",)]
    answer = simulation.answer_to(f"command-{simulation._commands}")
    assert answer is not None and (answer.status, answer.data["removed"]) == ("ok", 2)
