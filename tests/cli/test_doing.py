"""Apply, undo, approve and discard, beside the running service: asked first, done by it, and told with an exit code."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.cli.terminal import Terminal, beside
from tests.cli.test_looking import DANGEROUS, HOSTILE, on
from tests.household import ANNA, BOB, CAROL, INVITE_BOB, NOON
from tests.simulation.machine import VirtualClock
from tests.simulation.simulation import Simulation

Simulate = Callable[..., Simulation]


def invited(simulation: Simulation, *titles: str) -> list[str]:
    """Let the service invite to new events; their ids."""
    simulation.until_quiet()
    made = [simulation.create(summary=title, **on(1 + number)) for number, title in enumerate(titles)]
    simulation.until_quiet()
    return made


def test_undo_takes_back_the_last_invitation(simulate: Simulate) -> None:
    """Bare, and with --last, it is the last that still stands."""
    simulation = simulate()
    first, second = invited(simulation, "Dinner")[0], invited(simulation, "Picnic")[0]
    terminal = beside(simulation)

    bare = terminal.run("undo")
    between = (BOB in simulation.guests(first), BOB in simulation.guests(second))
    last = terminal.run("undo", "--last")

    assert (bare.exit_code, last.exit_code) == (0, 0), bare.output + last.output
    assert between == (True, False)
    assert BOB not in simulation.guests(first)
    assert bare.stdout == f"{BOB} taken off “Picnic” again.\n"


def test_what_explain_prints_undoes_it(simulate: Simulate) -> None:
    """The token is good until it was used; then the answer says so."""
    simulation = simulate()
    dinner, picnic = invited(simulation, "Dinner", "Picnic")
    terminal = beside(simulation)
    (token,) = (line.split()[-1] for line in terminal.run("explain", dinner).stdout.splitlines() if "undo" in line)

    done, again = terminal.run("undo", token), terminal.run("undo", token)

    assert (done.exit_code, BOB in simulation.guests(dinner), BOB in simulation.guests(picnic)) == (0, False, True)
    assert again.exit_code != 0 and again.stderr


@pytest.mark.parametrize("by", ["--event", "--run", "--minutes"])
def test_undo_of_an_event_a_run_or_the_last_minutes(simulate: Simulate, by: str) -> None:
    """Each takes back what it names, and the JSON says how much that was."""
    simulation = simulate()
    dinner, picnic = invited(simulation, "Dinner", "Picnic")
    run_id = next(outcome.run_id for outcome in simulation.outcomes("invited"))
    what = {"--event": dinner, "--run": run_id, "--minutes": "60"}[by]

    told: Any = beside(simulation).json("undo", by, what)

    undone = [dinner] if by == "--event" else [dinner, picnic]
    assert told["status"] == "ok"
    assert sorted(outcome["event_id"] for outcome in told["outcomes"]) == sorted(undone)
    assert all(outcome["guests_removed"] == [BOB] for outcome in told["outcomes"])
    assert [event for event in (dinner, picnic) if BOB not in simulation.guests(event)] == undone


def test_a_large_undo_asks_first(simulate: Simulate) -> None:
    """A no, or nobody to ask, changes nothing; a yes, or --yes, does it."""
    simulation = simulate(settings=msgspec.structs.replace(INVITE_BOB, removals_per_pass=2))
    made = invited(simulation, *(f"Dinner {number}" for number in range(4)))
    terminal = beside(simulation)

    unasked, refused = terminal.run("undo", "--minutes", "60"), terminal.run("undo", "--minutes", "60", keys="n\n")
    untouched = all(BOB in simulation.guests(event) for event in made)
    agreed = terminal.run("undo", "--minutes", "60", keys="y\n")

    assert (unasked.exit_code, refused.exit_code, untouched) == (2, 1, True)
    assert "--yes" in unasked.stderr and "4 guests off 4 events" in unasked.stderr
    assert agreed.exit_code == 0, agreed.output
    assert not any(BOB in simulation.guests(event) for event in made)


def test_yes_on_the_command_line_is_a_yes(simulate: Simulate) -> None:
    """For scripts."""
    simulation = simulate(settings=msgspec.structs.replace(INVITE_BOB, removals_per_pass=1))
    made = invited(simulation, "Dinner", "Picnic")

    ended = beside(simulation).run("undo", "--minutes", "60", "--yes")

    assert ended.exit_code == 0, ended.output
    assert not any(BOB in simulation.guests(event) for event in made)


def test_nothing_to_undo_is_exit_4(simulate: Simulate) -> None:
    """Also for programs, which get the code in words."""
    simulation = simulate()
    simulation.until_quiet()
    terminal = beside(simulation)

    said, told = terminal.run("undo"), terminal.run("undo", "--event", "zebra", "--json")

    assert (said.exit_code, said.stdout, told.exit_code) == (4, "", 4)
    assert json.loads(told.stdout)["code"] == "not_found"


def test_what_somebody_changed_since_is_left_and_that_is_partial(simulate: Simulate) -> None:
    """Of two invitations one was changed by hand: exit 5, and the sentence says which was left."""
    simulation = simulate()
    dinner, picnic = invited(simulation, "Dinner", "Picnic")
    guests = [{**one, "optional": True} if one["email"] == BOB else one for one in attendees(simulation, dinner)]
    simulation.google.edit_event(ANNA, dinner, {"attendees": guests})
    simulation.until_quiet()

    ended = beside(simulation).run("undo", "--minutes", "60")

    assert ended.exit_code == 5, ended.output
    assert (BOB in simulation.guests(dinner), BOB in simulation.guests(picnic)) == (True, False)
    assert "Somebody changed" in ended.output


def attendees(simulation: Simulation, event: str) -> list[dict[str, Any]]:
    """The guest list as Google has it."""
    return list(simulation.document(event)["attendees"])


def test_apply_shows_what_it_would_do_and_asks(simulate: Simulate) -> None:
    """Events that were there before Calbot are invited to after a yes, and only then."""
    simulation = simulate()
    dentist = simulation.create(summary="Dentist", **on(1))
    over = simulation.create(summary="Football", **on(-2))
    simulation.until_quiet()
    terminal = beside(simulation)

    unasked, refused = terminal.run("apply"), terminal.run("apply", keys="n\n")
    before = simulation.invitations()
    agreed = terminal.run("apply", keys="y\n")
    simulation.until_quiet()
    again = terminal.run("apply")

    line = f'Sat 2026-11-21 13:00  invite  "Dentist"  {BOB} (rule invite_emails)\n'
    assert (unasked.exit_code, refused.exit_code, before) == (2, 1, [])
    assert unasked.stdout == line and "--yes" in unasked.stderr
    assert agreed.exit_code == 0, agreed.output
    assert agreed.stdout.startswith(line) and "Send 1 invitation?" in agreed.stderr
    assert simulation.invitations() == [dentist] and BOB not in simulation.guests(over)
    assert (again.exit_code, again.stdout) == (0, "There is nothing to invite to.\n")


def test_apply_of_one_rule_and_some_days(simulate: Simulate, data: Path) -> None:
    """What it shows is what it does."""
    rules = [
        {"name": "school", "match": {"title": "(?i)school"}, "do": {"invite": [CAROL]}},
        {"name": "rest", "do": {"invite": [BOB]}},
    ]
    settings = Terminal(data, VirtualClock(NOON), rules=rules).settings()
    simulation = simulate(settings=settings)
    near, far = (simulation.create(summary="School play", **on(days)) for days in (1, 20))
    other = simulation.create(summary="Dinner", **on(1))
    simulation.until_quiet()

    ended = beside(simulation, rules=rules).run("apply", "--rule", "school", "--days", "7", "--yes", "--json")
    simulation.until_quiet()

    told = json.loads(ended.stdout)
    assert [line.split('"')[1] for line in ended.stderr.splitlines()] == ["School play"]
    assert (told["status"], told["data"]["planned"]) == ("ok", 1)
    assert [CAROL in simulation.guests(event) for event in (near, far, other)] == [True, False, False]
    assert BOB not in simulation.guests(other)


def test_apply_over_the_brake_says_so_and_waits_for_approve(simulate: Simulate) -> None:
    """What is held is told with its token; approve sends it, and then nothing is held."""
    simulation = simulate(settings=msgspec.structs.replace(INVITE_BOB, invites_per_hour=2))
    made = [simulation.create(summary=f"Dinner {number}", **on(1 + number)) for number in range(3)]
    simulation.until_quiet()
    terminal = beside(simulation, limits={"invites_per_hour": 2})

    applied = terminal.run("apply", "--yes")
    simulation.run(60)
    held = simulation.invitations()
    approved = terminal.run("approve")
    simulation.until_quiet()
    again = terminal.run("approve")

    assert "The limit of 2 invitations an hour leaves room for 2: they are held until calbot approve." in applied.stdout
    assert (applied.exit_code, held, approved.exit_code) == (0, [], 0), applied.output + approved.output
    assert "3 events, 3 invitations," in approved.stdout
    assert sorted(simulation.invitations()) == sorted(made)
    assert (again.exit_code, again.stderr) == (4, "Nothing is held.\n")


def test_what_went_out_in_the_last_hour_counts_against_the_limit(simulate: Simulate) -> None:
    """Of two an hour one is used up: a second and a third wait, one alone by itself."""
    simulation = simulate(settings=msgspec.structs.replace(INVITE_BOB, invites_per_hour=2))
    for number in range(2):
        simulation.create(summary=f"Dinner {number}", **on(1 + number))
    invited(simulation, "Picnic")
    terminal = beside(simulation, limits={"invites_per_hour": 2})

    both, one = terminal.run("apply").stdout, terminal.run("apply", "--days", "1").stdout

    assert "leaves room for 1: they are held until calbot approve." in both
    assert "leaves room" not in one


def test_what_is_under_way_is_not_offered_again(simulate: Simulate) -> None:
    """Held events are shown as held; apply takes up the others, and counts only them."""
    simulation = simulate(settings=msgspec.structs.replace(INVITE_BOB, invites_per_hour=2))
    dentist = simulation.create(summary="Dentist", **on(1))
    simulation.until_quiet()
    simulation.google.seed_events(ANNA, 3)
    simulation.run(100)
    terminal = beside(simulation, limits={"invites_per_hour": 2})

    seen = [line.split()[3] for line in terminal.run("preview").stdout.splitlines()[:4]]
    explained = terminal.run("explain", "Event 2").stdout
    applied = terminal.run("apply", "--yes").stdout
    simulation.run(10)

    assert sorted(seen) == ["held", "held", "held", "invite"]
    assert "is held: to invite bob@example.com waits for approve or discard" in explained
    assert "calbot apply does it" not in explained
    assert [line.split('"')[1] for line in applied.splitlines() if '"' in line] == ["Dentist"]
    assert simulation.invitations() == [dentist]


def test_discard_drops_one_run_or_all(simulate: Simulate) -> None:
    """Nobody is invited; a token that holds nothing is exit 4."""
    simulation = simulate(settings=msgspec.structs.replace(INVITE_BOB, invites_per_hour=1))
    simulation.until_quiet()
    made = [simulation.create(summary=f"Dinner {number}", **on(1)) for number in range(3)]
    simulation.run(200)
    ((_, _, run_id, _), *_rest) = simulation.held_rows()
    terminal = beside(simulation)

    unknown = terminal.run("discard", "run-zebra")
    told: Any = terminal.json("discard", str(run_id))
    simulation.until_quiet()

    assert (unknown.exit_code, "run-zebra" in unknown.stderr) == (4, True)
    assert (told["status"], told["data"]["count"]) == ("ok", 3)
    assert not any(BOB in simulation.guests(event) for event in made)
    assert simulation.held_rows() == []
    assert terminal.run("apply", "--yes").stdout == "There is nothing to invite to.\n"


def test_hostile_titles_reach_no_terminal_from_any_command(simulate: Simulate) -> None:
    """Undo, apply, approve: what the service answers is cleaned as well."""
    simulation = simulate(settings=msgspec.structs.replace(INVITE_BOB, invites_per_hour=1))
    simulation.create(summary=HOSTILE, **on(1))
    simulation.create(summary=HOSTILE, **on(2))
    simulation.until_quiet()
    terminal = beside(simulation, limits={"invites_per_hour": 1})

    printed = [terminal.run("apply", "--yes").output, terminal.run("approve").output]
    simulation.until_quiet()
    printed += [terminal.run("undo").output, terminal.run("undo", "--json").output]

    assert all("Dinner" in one for one in printed)
    assert not DANGEROUS & set("".join(printed))


def test_a_service_that_does_not_answer_is_exit_1(simulate: Simulate) -> None:
    """After five minutes, with a sentence; nothing hangs for ever."""
    simulation = simulate()
    simulation.until_quiet()
    terminal = Terminal(simulation.directory, simulation.clock)

    ended = terminal.run("undo")

    assert ended.exit_code == 1
    assert "did not answer" in ended.stderr


def test_bad_options_are_exit_2_for_every_command(data: Path) -> None:
    """Before anything is read or done."""
    terminal = Terminal(data, VirtualClock(NOON), invite_emails="bob")
    commands = [("preview",), ("explain", "x"), ("apply",), ("undo",), ("approve",), ("discard",), ("sync",)]

    ended = [terminal.run(*words) for words in commands]

    assert [one.exit_code for one in ended] == [2] * len(commands)
    assert all("invite_emails" in one.stderr for one in ended)
