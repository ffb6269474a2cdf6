"""Preview and explain: what would be done and why, also while the service works, and nothing is changed by asking."""

import base64
import json
import shutil
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from calbot.commandline.reports import clean
from calbot.moments import day_and_time
from tests.cli.terminal import Terminal, alone, beside
from tests.household import ANNA, BOB, CAROL, INVITE_BOB, NOON, at
from tests.simulation.machine import VirtualClock
from tests.simulation.simulation import DAY, Simulation

Simulate = Callable[..., Simulation]
HOSTILE = "Dinner\x1b]0;yours\x07\x9b31m\r\n\u202etxt.exe \u2066 \x7f"
DANGEROUS = set("\x1b\x07\x9b\r\u202e\u2066\x7f")


def on(days: float) -> dict[str, Any]:
    """An hour-long event so many days from the simulation's noon."""
    return {
        side: {**time, "timeZone": "Europe/Berlin"}
        for side, time in at(datetime.fromtimestamp(NOON + days * DAY, UTC)).items()
    }


def events(terminal: Terminal, *words: str) -> dict[str, dict[str, Any]]:
    """What a preview says, by title."""
    document: Any = terminal.json("preview", *words)
    return {event["title"]: event for event in document["events"]}


def test_the_preview_says_for_each_event_what_would_be_done(simulate: Simulate) -> None:
    """What is new to Calbot, what it invited to, what is private, and what is over."""
    simulation = simulate()
    simulation.create(summary="Dentist", **on(1))
    simulation.create(summary="Doctor", visibility="private", **on(2))
    simulation.create(summary="Football", **on(-3))
    simulation.until_quiet()
    simulation.create(summary="Picnic", **on(4))
    simulation.until_quiet()

    printed = beside(simulation).run("preview")

    assert printed.exit_code == 0, printed.output
    assert printed.stdout.splitlines() == [
        f'Tue 2026-11-17 13:00  over    "Football"  would have been: {BOB} (rule invite_emails)',
        f'Sat 2026-11-21 13:00  invite  "Dentist"   {BOB} (rule invite_emails)',
        'Sun 2026-11-22 13:00  leave   "Doctor"    It is private.',
        'Tue 2026-11-24 13:00  leave   "Picnic"    Everybody to invite is on it already.',
        "4 events from 2026-10-21 to 2027-02-18; the rules would send 1 invitation, to 1 event.",
    ]


def test_the_preview_reaches_thirty_days_back_and_ninety_ahead(simulate: Simulate) -> None:
    """A series counts while it goes on, whenever it began; what is over before or begins after does not."""
    simulation = simulate()
    for days in (-31, -29, 89, 91):
        simulation.create(summary=f"{days}", **on(days))
    simulation.create(summary="weekly", recurrence=["RRULE:FREQ=WEEKLY"], **on(-400))
    simulation.create(summary="last year's", recurrence=["RRULE:FREQ=WEEKLY;COUNT=5"], **on(-400))
    simulation.create(summary="next year's", recurrence=["RRULE:FREQ=WEEKLY"], **on(300))
    simulation.until_quiet()
    terminal = beside(simulation)

    found = events(terminal)
    near = events(terminal, "--days", "7")

    assert set(found) == {"-29", "89", "weekly"}
    assert set(near) == {"-29", "weekly"}
    assert [event["past"] for event in found.values()] == [False, True, False]
    assert found["weekly"]["decision"] == "invite"


def test_the_preview_tells_what_the_switches_keep_from_happening(simulate: Simulate) -> None:
    """It shows what the rules would do, and says beside it that nothing of it happens now."""
    simulation = simulate(settings=msgspec.structs.replace(INVITE_BOB, dry_run=True))
    simulation.create(**on(1))
    simulation.until_quiet()
    simulation.command("set", key="auto_invite", value=False)
    simulation.command("pause")

    printed = beside(simulation, dry_run=True).run("preview").stdout

    assert "invite" in printed.splitlines()[0]
    assert [line for line in printed.splitlines() if line.startswith("But")] == [
        "But auto_invite is off: nobody is invited until it is on.",
        "But dry_run is on: nothing is written.",
        "But Calbot is paused: everything waits.",
    ]


@pytest.mark.parametrize("as_options", [False, True], ids=["a list of rules", "a calbot.yaml"])
def test_a_rule_set_is_tried_before_it_is_saved(simulate: Simulate, tmp_path: Path, as_options: bool) -> None:
    """The rules of a file take the place of the options' for this one look."""
    simulation = simulate()
    simulation.create(summary="School play", **on(1))
    simulation.create(summary="Dinner", **on(2))
    simulation.until_quiet()
    rules = [{"name": "school", "match": {"title": "(?i)school"}, "do": {"invite": [CAROL]}}]
    file = tmp_path / "trial.yaml"
    file.write_text(json.dumps({"rules": rules, "mqtt": {"host": "broker"}} if as_options else rules))
    terminal = beside(simulation)

    found = events(terminal, "--rules", str(file))
    printed = terminal.run("preview", "--rules", str(file)).stdout

    assert {title: event["guests"] for title, event in found.items()} == {"School play": [CAROL], "Dinner": []}
    assert found["Dinner"]["tried"] == [
        {"rule": "school", "matched": False, "why": "its title does not match (?i)school"}
    ]
    assert printed.startswith("The rules of trial.yaml, which are not in force:\n")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "there is no such file"),
        ("{}", "holds no rules"),
        ("just words", "holds no rules"),
        ("rules: [{name: x, match: {titel: y}, do: {invite: [bob@example.com]}}]", "titel"),
        ("[{name: x, match: {title: '('}, do: {invite: [bob@example.com]}}]", "title"),
        ("rules: [\n", "line"),
        ("[" * 5000, "nested too deeply"),
        ("wrong: 1\nrules: []", "wrong: unknown option"),
    ],
)
def test_a_file_of_rules_that_cannot_be_understood_is_named(
    simulate: Simulate, tmp_path: Path, content: str | None, complaint: str
) -> None:
    """With the remedy, and exit code 2."""
    simulation = simulate()
    simulation.until_quiet()
    file = tmp_path / "trial.yaml"
    if content is not None:
        file.write_text(content)

    ended = beside(simulation).run("preview", "--rules", str(file))

    assert ended.exit_code == 2
    assert "trial.yaml" in ended.stderr and complaint in ended.stderr
    assert len(ended.stderr.splitlines()) == 1 and ended.stderr.count("trial.yaml") == 1


def test_the_preview_of_one_account_is_of_that_one(simulate: Simulate) -> None:
    """In whatever case it is written; an account that is not looked at is a mistake."""
    simulation = simulate(signed_in=(ANNA, CAROL))
    simulation.create(ANNA, summary="Anna's", **on(1))
    simulation.create(CAROL, summary="Carol's", **on(1))
    simulation.until_quiet()
    terminal = beside(simulation, accounts=[ANNA, CAROL])

    both, annas = events(terminal), events(terminal, "--account", "Anna@Example.com")
    nobodys = terminal.run("preview", "--account", "nobody@example.com")

    assert (set(both), set(annas)) == ({"Anna's", "Carol's"}, {"Anna's"})
    assert all("[" in line for line in terminal.run("preview").stdout.splitlines()[:-1])
    assert nobodys.exit_code == 2 and "nobody@example.com" in nobodys.stderr


def test_a_calendar_that_is_no_longer_looked_at_is_not_previewed(simulate: Simulate) -> None:
    """What the store still knows of it does not matter: nothing would be done there."""
    simulation = simulate(signed_in=(ANNA, CAROL))
    simulation.create(ANNA, summary="Anna's", **on(1))
    simulation.create(CAROL, summary="Carol's", **on(1))
    simulation.until_quiet()

    found = events(beside(simulation, accounts=[ANNA]))

    assert set(found) == {"Anna's"}


def test_what_is_held_is_told_with_the_way_on(simulate: Simulate) -> None:
    """The preview and the check name the run, how much it is, and both commands."""
    simulation = simulate(settings=msgspec.structs.replace(INVITE_BOB, invites_per_hour=2))
    simulation.until_quiet()
    simulation.google.seed_events(ANNA, 3)
    simulation.run(200)
    ((_, _, run_id, _), *_rest) = simulation.held_rows()

    printed = beside(simulation).run("preview").stdout

    assert f"calbot approve {run_id}, or calbot discard {run_id}" in printed
    assert '3 events, 3 invitations, in anna@example.com: "Event 0", "Event 1", "Event 2"' in printed


def test_an_event_is_explained_by_whatever_names_it(simulate: Simulate) -> None:
    """Its id, its iCalUID, Google's link, and a part of the title in any case."""
    simulation = simulate()
    simulation.until_quiet()
    event = simulation.create(summary="School play", **on(1))
    simulation.until_quiet()
    eid = base64.urlsafe_b64encode(f"{event} {ANNA}".encode()).decode().rstrip("=")
    names = [event, str(simulation.document(event)["iCalUID"]), f"https://calendar.example/event?eid={eid}", "SCHOOL"]
    terminal = beside(simulation)

    explained = [terminal.run("explain", name) for name in names]

    (told,) = msgspec.convert(terminal.json("explain", event), list[dict[str, Any]])
    (token,) = [outcome.undo_token for outcome in simulation.outcomes("invited")]
    done = day_and_time(told["history"][0]["at"], "Europe/Berlin")
    lines = [
        f'"School play", Sat 2026-11-21 13:00, calendar primary of {ANNA}',
        f"  id     {event}",
        "  now    leave it alone: Everybody to invite is on it already.",
        "  rule   invite_emails: it matches",
        f"  {done}  invited {BOB} (rule invite_emails)",
        f"                    to take it back: calbot undo {token}",
    ]
    assert [one.stdout.splitlines() for one in explained] == [lines] * 4


def test_several_events_that_fit_are_listed_and_the_first_explained(simulate: Simulate) -> None:
    """Each with its id, by which one alone can be asked for."""
    simulation = simulate()
    ids = [simulation.create(summary=f"Dinner {number}", **on(number)) for number in range(1, 6)]
    simulation.until_quiet()

    printed = beside(simulation).run("explain", "dinner").stdout

    assert printed.startswith("5 events fit:\n")
    assert all(printed.count(event) == (2 if number < 3 else 1) for number, event in enumerate(ids))


def test_an_event_that_is_gone_is_explained_by_its_history(simulate: Simulate) -> None:
    """Google no longer has it, the ledger remembers."""
    simulation = simulate()
    simulation.until_quiet()
    event = simulation.create(**on(1))
    simulation.until_quiet()
    simulation.google.delete_event(ANNA, event)
    simulation.until_quiet()
    terminal = beside(simulation)

    printed = terminal.run("explain", event).stdout
    (told,) = msgspec.convert(terminal.json("explain", event), list[dict[str, Any]])

    assert "which is gone" in printed and f"invited {BOB}" in printed
    assert (told["decision"], [row["state"] for row in told["history"]]) == (None, ["done"])


def test_an_event_that_is_over_says_so_and_still_shows_its_rules(simulate: Simulate) -> None:
    """What would be decided now is true for now; which rules fit is what people want to know."""
    rules = [{"name": "soon", "match": {"within_days": 3}, "do": {"invite": [BOB]}}]
    simulation = simulate()
    simulation.create(summary="Football", **on(-9))
    simulation.until_quiet()

    (told,) = msgspec.convert(beside(simulation, rules=rules).json("explain", "football"), list[dict[str, Any]])

    assert (told["decision"], told["reason"]) == ("skip", "past")
    assert told["tried"] == [{"rule": "soon", "matched": True, "why": "it matches"}]


def test_an_event_that_nobody_knows_is_exit_4(simulate: Simulate) -> None:
    """In words for people, as an empty list for programs."""
    simulation = simulate()
    simulation.until_quiet()
    terminal = beside(simulation)

    said, told = terminal.run("explain", "\x1b[2Jzebra"), terminal.run("explain", "zebra", "--json")

    assert (said.exit_code, told.exit_code) == (4, 4)
    assert "zebra" in said.stderr and "\x1b" not in said.stderr
    assert json.loads(told.stdout) == []


@pytest.mark.parametrize("words", [("preview",), ("explain", "dinner"), ("sync",)], ids=" ".join)
def test_a_title_cannot_command_a_terminal(simulate: Simulate, words: tuple[str, ...]) -> None:
    """Whatever it holds is written out; programs get it as it is."""
    simulation = simulate()
    simulation.until_quiet()
    simulation.create(summary=HOSTILE, **on(1))
    if words != ("sync",):
        simulation.until_quiet()
    terminal = beside(simulation)

    printed = terminal.run(*words).output
    stored = simulation.google.event(ANNA, simulation.create(summary=HOSTILE, **on(1)))["summary"]
    raw = terminal.run(*words, "--json").stdout

    assert "Dinner" in printed
    assert not DANGEROUS & {*printed, *raw, *clean(HOSTILE)} and DANGEROUS & {*stored}
    assert stored in [one["title"] for one in titled(json.loads(raw))]


def titled(document: Any) -> list[dict[str, Any]]:
    """The events in a JSON document of any command."""
    if isinstance(document, list):
        return document
    return [*document.get("events", []), *document.get("outcomes", [])]


@pytest.mark.parametrize("words", [("preview",), ("explain", "Dinner")], ids=" ".join)
def test_looking_changes_nothing(simulate: Simulate, words: tuple[str, ...]) -> None:
    """Not a byte of the store, whether the service runs or not, and nothing is asked of Google."""
    simulation = simulate()
    simulation.until_quiet()
    simulation.create(**on(1))
    simulation.until_quiet()
    terminal = beside(simulation)
    store = simulation.directory / "calbot.db"
    calls, before = len(simulation.world.calls), (store.read_bytes(), log(store))

    running = terminal.run(*words)
    after = store.read_bytes(), log(store)
    simulation.die()
    rested = store.read_bytes()
    stopped = Terminal(simulation.directory, VirtualClock(simulation.clock.now())).run(*words)

    assert (running.exit_code, running.stdout) == (0, stopped.stdout)
    assert (after, store.read_bytes(), len(simulation.world.calls)) == (before, rested, calls)


def test_what_a_power_cut_left_is_read_and_not_put_in_order(simulate: Simulate, tmp_path: Path) -> None:
    """The log beside the store holds the newest; it is read, and left for the next start to bring in."""
    simulation = simulate()
    simulation.create(summary="Dentist", **on(1))
    simulation.until_quiet()
    for name in ("calbot.db", "calbot.db-wal"):
        shutil.copy(simulation.directory / name, tmp_path / name)
    store = tmp_path / "calbot.db"
    before = store.read_bytes(), log(store)

    printed = Terminal(tmp_path, VirtualClock(NOON)).run("preview")

    assert "Dentist" in printed.stdout
    assert before[1] and (store.read_bytes(), log(store)) == before


def log(store: Path) -> bytes:
    """What stands beside the store and is not in it yet."""
    return store.with_name(store.name + "-wal").read_bytes()


@pytest.mark.parametrize("command", [("preview",), ("explain", "x"), ("approve",), ("apply", "--yes")], ids=" ".join)
def test_without_a_store_that_can_be_read_the_sentence_says_what_to_do(
    simulate: Simulate, data: Path, command: tuple[str, ...]
) -> None:
    """None yet, one of an older Calbot, one of a newer, one that is damaged: exit 1, and nothing is touched."""
    terminal = Terminal(data, VirtualClock(NOON))
    store = data / "calbot.db"
    nothing = terminal.run(*command)
    simulate().die()
    versions = []
    for version in (1, 999):
        with sqlite3.connect(store) as connection:
            connection.execute(f"PRAGMA user_version = {version}")
        connection.close()
        versions.append(terminal.run(*command))
    store.write_bytes(b"no store at all" * 100)
    damaged = terminal.run(*command)

    ended = [nothing, *versions, damaged]
    assert [one.exit_code for one in ended] == [1, 1, 1, 1]
    assert "Start Calbot once" in nothing.stderr and "Start Calbot once" in versions[0].stderr
    assert "newer Calbot" in versions[1].stderr and "cannot use its store" in damaged.stderr
    assert all(len(one.output.splitlines()) == 1 for one in ended)


def test_check_tells_the_rules_that_decide(data: Path) -> None:
    """Where there are rules, they decide and not invite_emails."""
    rule = {"name": "school", "match": {"title": "(?i)school"}, "do": {"invite": [CAROL]}}
    with alone(data, rules=[rule]) as (terminal, _google):
        with_rules = terminal.run("check").stdout
        terminal.set_options()
        without = terminal.run("check").stdout

    assert "Invites by the rules school; see calbot preview." in with_rules
    assert f"Invites {BOB}." in without


def test_a_preview_of_thousands_of_events_stays_quick_to_read(simulate: Simulate) -> None:
    """A long title is cut, so that each event keeps to its line."""
    simulation = simulate()
    simulation.create(summary="x" * 3000, **on(1))
    simulation.until_quiet()

    line = beside(simulation).run("preview").stdout.splitlines()[0]

    assert len(line) < 160 and "x…" in line


def test_a_series_is_judged_with_what_became_of_its_guests(simulate: Simulate) -> None:
    """Bob was taken off the series by hand: no date of it would invite him again."""
    simulation = simulate()
    simulation.until_quiet()
    series = simulation.create(recurrence=["RRULE:FREQ=WEEKLY;COUNT=4"], **on(1))
    simulation.until_quiet()
    simulation.google.remove_guest(ANNA, series, BOB)
    simulation.until_quiet()

    (told,) = events(beside(simulation)).values()

    assert (told["decision"], told["reason"]) == ("skip", "removed_by_hand")


def test_help_and_wrong_use(data: Path) -> None:
    """Each command explains itself; what cannot be meant is exit 2."""
    terminal = Terminal(data, VirtualClock(NOON))
    names = ("preview", "explain", "apply", "undo", "approve", "discard", "sync", "check", "version", "login")

    helped = [terminal.run(name, "--help") for name in names]
    wrong = [
        terminal.run("preview", "--days", "0"),
        terminal.run("preview", "--days", "soon"),
        terminal.run("explain"),
        terminal.run("undo", "--minutes", "-5"),
        terminal.run("undo", "--minutes", "inf"),
        terminal.run("undo", "u-1-abcd", "--last"),
        terminal.run("apply", "--rule", "nobody's"),
    ]

    assert all(one.exit_code == 0 and f"calbot {name}" in one.stdout for name, one in zip(names, helped, strict=True))
    assert [one.exit_code for one in wrong] == [2] * len(wrong)
