"""Without a running service a command runs the engine itself, on the same store, and leaves nothing behind."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from addon import commands
from calbot.commandline import local
from calbot.store import commands as table
from tests.cli.terminal import Terminal, alone
from tests.google_server.control import Control
from tests.household import ANNA, BOB, at
from tests.service.running import house, wait_for
from tests.simulation.machine import VirtualClock


def tomorrow(google: Control, title: str) -> str:
    """Anna makes an event for tomorrow; its id."""
    begin = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    return str(google.create_event(ANNA, {**at(begin), "summary": title})["id"])


def guests(google: Control, event: str) -> list[str]:
    """Who is on the event, as Google has it."""
    return [str(one["email"]) for one in google.event(ANNA, event).get("attendees", [])]


def test_what_the_service_would_do_is_done_here(data: Path) -> None:
    """Preview, apply, explain, undo: one after the other, with nobody beside."""
    with alone(data) as (terminal, google):
        event = tomorrow(google, "Dentist")
        read = terminal.run("sync")
        seen = terminal.run("preview")
        applied = terminal.run("apply", "--yes")
        after_apply = guests(google, event)
        explained: Any = terminal.json("explain", "dentist")
        undone = terminal.run("undo", "--last")
        after_undo = guests(google, event)
        once_more = terminal.run("undo")

    assert [one.exit_code for one in (read, seen, applied, undone)] == [0, 0, 0, 0], applied.output + undone.output
    assert "the rules would send 1 invitation, to 1 event." in seen.stdout
    assert applied.stdout.splitlines()[1].startswith('invited       "Dentist"')
    assert (BOB in after_apply, BOB in after_undo) == (True, False)
    assert [row["state"] for row in explained[0]["history"]] == ["done"]
    assert undone.stdout == f"{BOB} taken off “Dentist” again.\n"
    assert once_more.exit_code == 4


def test_what_was_undone_stays_undone(data: Path) -> None:
    """Neither a later sync nor apply invites again."""
    with alone(data) as (terminal, google):
        terminal.run("sync")
        event = tomorrow(google, "Dentist")
        terminal.run("sync")
        terminal.run("undo")
        later = [terminal.run("sync"), terminal.run("apply", "--yes"), terminal.run("sync")]
        left = guests(google, event)

    assert BOB not in left
    assert [one.stdout for one in later] == ["Nothing new.\n", "There is nothing to invite to.\n", "Nothing new.\n"]


def test_held_work_is_approved_here(data: Path) -> None:
    """The brake held it in one process, the yes comes in another, the check in between tells of it."""
    with alone(data, limits={"invites_per_hour": 2}) as (terminal, google):
        terminal.run("sync")
        made = [tomorrow(google, f"Dinner {number}") for number in range(3)]
        synced = terminal.run("sync")
        before = [BOB in guests(google, event) for event in made]
        checked = terminal.run("check").stdout
        approved: Any = terminal.json("approve")
        after = [BOB in guests(google, event) for event in made]

    assert (before, after) == ([False] * 3, [True] * 3)
    assert synced.stdout.count("\nheld ") + synced.stdout.startswith("held ") == 3
    assert "calbot discard" in checked
    assert (approved["status"], len(approved["outcomes"])) == ("ok", 3)


def test_a_command_that_takes_too_long_is_broken_off(data: Path) -> None:
    """Google is slow, patience ends: that is said, and no later start takes the same command up again."""
    with alone(data) as (terminal, google):
        terminal.run("sync")
        tomorrow(google, "Dentist")
        terminal.run("sync")
        google.add_fault(kind="slow", operation="events.get", seconds=3.0)
        ended = Terminal(data, Hasty(terminal.clock.now()), terminal.environ).run("undo")
        with local.reading(data) as database:
            left = table.unfinished(database.read())

    assert ended.exit_code == 1
    assert "broken off" in ended.stderr
    assert left == []


class Hasty(VirtualClock):
    """A clock by which a minute passes at every look."""

    def monotonic(self) -> float:
        self.sleep(60.0)
        return super().monotonic()


def test_nobody_signed_in_is_exit_3(data: Path) -> None:
    """With the remedy, where something would have to be written; looking needs no sign-in."""
    with alone(data) as (terminal, google):
        tomorrow(google, "Dentist")
        terminal.run("sync")
        (data / "tokens" / f"{ANNA}.json").unlink()
        ended = [terminal.run("undo"), terminal.run("apply", "--yes")]
        seen, explained = terminal.run("preview"), terminal.run("explain", "dentist")

    assert [one.exit_code for one in ended] == [3, 3]
    assert all("calbot login" in one.stderr for one in ended)
    assert (seen.exit_code, explained.exit_code) == (0, 0)


def test_a_sign_in_that_google_no_longer_takes_is_told(data: Path) -> None:
    """The undo cannot be done now: not 0, and the sentence names the account."""
    with alone(data) as (terminal, google):
        terminal.run("sync")
        tomorrow(google, "Dentist")
        terminal.run("sync")
        google.revoke(ANNA)
        ended = terminal.run("undo")

    assert ended.exit_code in {1, 3}, ended.output
    assert ANNA in ended.stderr and "problem:" not in ended.stderr


def test_the_installed_command_has_them_all() -> None:
    """`calbot` in the app is the engine's commands, and `run`."""
    assert set(commands.calbot.commands) >= {
        *("run", "login", "check", "sync", "preview", "apply", "explain", "undo", "approve", "discard", "version"),
    }


def test_beside_a_real_service_it_is_the_service_that_does_it(tmp_path: Path) -> None:
    """Two processes, one store: the preview reads it, the undo goes through the table and MQTT hears of it."""
    with house(tmp_path, push_url=None, poll_interval=3600) as (service, google, listener):
        service.start()
        wait_for(service.is_watching, 20, "watching")
        event = tomorrow(google, "Dentist")
        service.run("sync")
        wait_for(lambda: listener.events("invited"), 10, "the invitation")

        seen, undone = service.run("preview"), service.run("undo", "--json")
        wait_for(lambda: listener.events("undone"), 10, "the undo on MQTT")

        assert (seen.returncode, undone.returncode) == (0, 0), seen.stderr + undone.stderr
        assert "Everybody to invite is on it already." in seen.stdout
        assert BOB not in guests(google, event)
