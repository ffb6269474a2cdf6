"""Copies on the command line: which an event has or would get, why not, what was done, and what waits."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from calbot.actions import RemoveCopy, Skip
from calbot.commandline import reports
from calbot.explaining import Explanation
from calbot.kinds import DeedState, Verb
from calbot.model import Copy, EventKey, Outcome
from calbot.policy import Link, Mask
from calbot.settings import Settings
from calbot.store import copyhistory, ledger
from calbot.store.copyhistory import PastOfCopy, Standing
from calbot.store.history import Past
from tests.cli.terminal import Terminal, beside
from tests.cli.test_looking import on
from tests.household import ANNA, BOB, FAMILY, NOON, dinner
from tests.simulation.simulation import Simulation

Simulate = Callable[..., Simulation]
SHARED = Settings(invite_emails=(BOB,), central_calendar=FAMILY, time_zone="Europe/Berlin")
TEMPLATE = Mask("template", "{title} (Anna)")


def household(simulate: Simulate, **parts: object) -> tuple[Simulation, Terminal]:
    """Anna's household with a shared calendar that has been read, and a terminal."""
    simulation = simulate(settings=msgspec.structs.replace(SHARED, **parts))
    simulation.google.add_calendar(ANNA, FAMILY, "Family")
    simulation.until_quiet()
    return simulation, beside(simulation, central_calendar=FAMILY, accounts=[{"email": ANNA}], **parts)


def test_the_preview_says_what_would_be_copied_where(simulate: Simulate) -> None:
    """A copy that is there is told as such; the sum counts those that would be made."""
    simulation = simulate(settings=SHARED)
    simulation.google.add_calendar(ANNA, FAMILY, "Family")
    simulation.create(summary="Dentist", **on(1))
    simulation.create(summary="Leave", eventType="outOfOffice", **on(2))
    simulation.until_quiet()
    simulation.create(summary="Focus", eventType="focusTime", **on(3))
    simulation.until_quiet()
    terminal = beside(simulation, central_calendar=FAMILY, accounts=[{"email": ANNA}])

    printed = terminal.run("preview").stdout.splitlines()
    document: Any = terminal.json("preview")

    assert printed == [
        f'Sat 2026-11-21 13:00  invite  "Dentist"  {BOB} (rule invite_emails)',
        'Sun 2026-11-22 13:00  copy    "Leave"    to Family (rule invite_emails)',
        'Mon 2026-11-23 13:00  leave   "Focus"    Events of the type focusTime take no guests. Its copy is on Family.',
        "3 events from 2026-10-21 to 2027-02-18; the rules would send 1 invitation, to 1 event and make 1 copy.",
    ]
    assert document["copies"] == 1
    assert [(one["links"], one["copied"]) for one in document["events"]] == [
        ([], []),
        ([{"target": FAMILY, "mask": "full", "rule": "invite_emails"}], []),
        ([{"target": FAMILY, "mask": "full", "rule": "invite_emails"}], [FAMILY]),
    ]


def test_an_explanation_names_the_copy_and_how_to_take_it_back(simulate: Simulate) -> None:
    """The calendar goes by its name; the history has what was done about the copy."""
    simulation, terminal = household(simulate)
    simulation.create(summary="Focus", eventType="focusTime", **on(3))
    simulation.until_quiet()

    printed = terminal.run("explain", "Focus").stdout
    document: Any = terminal.json("explain", "Focus")

    assert "  copy   is on Family, with all it says (rule invite_emails)\n" in printed
    assert "copied to Family (rule invite_emails)\n" in printed and "calbot undo u-" in printed
    assert [row["target"] for row in document[0]["history"] if row["verb"] == "mirror"] == ["Family"]
    assert document[0]["unmirrored"] is None and document[0]["links"][0]["target"] == FAMILY


def test_what_was_taken_back_is_told_and_why_it_stays_away(simulate: Simulate) -> None:
    """The token of the explanation takes the copy away, and the next explanation says that it is gone."""
    simulation, terminal = household(simulate)
    simulation.create(summary="Focus", eventType="focusTime", **on(3))
    simulation.until_quiet()
    document: Any = terminal.json("explain", "Focus")
    (token,) = [row["token"] for row in document[0]["history"] if row["token"]]

    undone = terminal.run("undo", token)
    printed = terminal.run("explain", "Focus").stdout

    assert undone.exit_code == 0, undone.output
    assert "  copy   none: Somebody deleted the copy on Family; it stays deleted.\n" in printed
    assert "took the copy on Family away" in printed and "calbot undo" not in printed


def test_what_is_off_is_said_beside_the_preview(simulate: Simulate) -> None:
    """It shows what the rules would do, and that nothing of it happens now."""
    _, terminal = household(simulate, mirroring=False)

    printed = terminal.run("preview").stdout

    assert "But mirroring is off: nothing is copied until it is on.\n" in printed


def test_held_removals_are_told_as_what_they_are(simulate: Simulate) -> None:
    """Copies to take away are no invitations; events that may be gone are neither."""
    simulation, terminal = household(simulate)
    copy = Copy(id=1, uid="uid", original_start="", target=FAMILY, generation=0, event_id="calbot1")
    origin = {"run_id": "r-1", "source": "poll", "seen_at": NOON}
    stay = ledger.Stay("brake", "Too many.")
    with simulation.database.write() as tx:
        for number in range(7):
            action = RemoveCopy(copy, dinner(title=f"Match {number}"), EventKey(ANNA, "primary", "dinner"))
            key = EventKey(ANNA, FAMILY, f"calbot{number}")
            ledger.add(tx, key, action, "held", NOON, stay=stay, **origin)  # type: ignore[arg-type]

    printed = terminal.run("preview").stdout

    assert '7 copies to take away in Family: "Match 0", ' in printed and "calbot approve r-1" in printed
    (run,) = copyhistory.held(simulation.database.read())
    assert (run.removals, run.invited, run.look_ups) == (7, 0, 0)


def explained(**parts: object) -> Explanation:
    """The explanation of Dinner, of which only these parts matter."""
    basis: dict[str, object] = {"key": EventKey(ANNA, "primary", "dinner"), "calendar_name": "", "event": dinner()}
    basis |= {"action": None, "tried": (), "links": (), "unmirrored": None, "history": ()}
    return Explanation(**{**basis, **parts})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("parts", "standing", "line"),
    [
        ({"links": (Link(FAMILY, Mask("busy"), "work"),)}, (), "would be made on Family, with “Busy” (rule work)"),
        (
            {"links": (Link(FAMILY, TEMPLATE, "own", delete_original=True),)},
            (Standing(FAMILY, "live"),),
            "is on Family, with “{title} (Anna)” (rule own); the event itself is then deleted",
        ),
        ({}, (Standing(FAMILY, "live"),), "is on Family: no rule asks for it by now; it stays"),
        ({}, (Standing(FAMILY, "kept"),), "stands by itself on Family: no rule asks for it by now; it stays"),
        (
            {"unmirrored": Skip(dinner(), "private", f"It is not for {FAMILY}.", "own", "mirror")},
            (),
            "none: It is not for Family.",
        ),
    ],
)
def test_an_explanation_says_how_each_copy_stands(
    parts: dict[str, object], standing: tuple[Standing, ...], line: str
) -> None:
    """There, to be made, left from another rule, or not made at all, and why."""
    printed = list(reports.explanation_lines(explained(**parts), "Europe/Berlin", standing, {FAMILY: "Family"}))

    assert f"  copy   {line}" in printed


@pytest.mark.parametrize("verb", ["mirror", "remove_copy", "delete_original", "restore_original"])
@pytest.mark.parametrize("state", ["planned", "started", "parked", "held", "done", "refused", "superseded", "undone"])
def test_everything_done_about_copies_has_its_words(verb: Verb, state: DeedState) -> None:
    """Where the copy is, is told."""
    times = {"at": NOON, "retry_at": None, "run_id": "r"}
    past = Past(verb=verb, state=state, reason=None, text=None, rule="own", guests=(), token=None, **times)  # type: ignore[arg-type]
    of_copy = PastOfCopy(**msgspec.structs.asdict(past), target="Family")

    plain, named = (
        list(reports.explanation_lines(explained(history=(one,)), "Europe/Berlin"))[-1] for one in (past, of_copy)
    )

    assert ("Family" in named) == (verb in {"mirror", "remove_copy"}) and "{" not in plain + named


@pytest.mark.parametrize(
    ("kind", "parts", "line"),
    [
        ("mirrored", {}, "to Family"),
        ("copy_removed", {}, "its copy on Family"),
        ("failed", {"reason_text": "Not now."}, "its copy on Family: Not now."),
    ],
)
def test_an_outcome_says_where_the_copy_is(kind: Any, parts: dict[str, str], line: str) -> None:
    """So does its JSON."""
    key = EventKey(ANNA, "primary", "dinner")
    outcome = Outcome(event_type=kind, key=key, event=dinner(), target_calendar="Family", copy_id="c", **parts)  # type: ignore[arg-type]

    assert reports.outcome_line(outcome).endswith(f"  {line}")
    assert (reports.of_outcome(outcome)["target_calendar"], reports.of_outcome(outcome)["copy_id"]) == ("Family", "c")
