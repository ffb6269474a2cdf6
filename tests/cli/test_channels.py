"""`calbot channels`: where Google pushes to, until when, and new channels on demand, without a gap."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from calbot.commandline.local import is_running
from calbot.settings import Settings
from tests.cli.terminal import Terminal, alone, beside
from tests.google_server.errors import push_not_supported
from tests.google_server.values import Request, Response
from tests.household import ANNA, BOB
from tests.simulation.machine import VirtualClock
from tests.simulation.simulation import DAY, PUSH_URL, Simulation

Simulate = Callable[..., Simulation]
WITH_PUSH = Settings(invite_emails=(BOB,), push_url=PUSH_URL, time_zone="Europe/Berlin")


def pushing(simulate: Simulate, **parts: object) -> Simulation:
    """A service with its channels open."""
    simulation = simulate(settings=WITH_PUSH, **parts)
    simulation.until_quiet()
    return simulation


def told(simulation: Simulation) -> Any:
    """What the command tells, for programs."""
    return beside(simulation, push_url=PUSH_URL).json("channels")


def ask(simulation: Simulation, **args: str) -> tuple[str, str]:
    """Have the channels renewed; the answer's status and message."""
    answer = simulation.ask("renew_channels", **args)
    return answer.status, answer.message


def about_channels(simulation: Simulation, since: int) -> list[str]:
    """The calls about channels since so many calls."""
    made = simulation.world.calls[since:]
    return [call.operation for call in made if call.operation in {"events.watch", "channels.stop"}]


def test_each_calendar_is_listed_with_its_channel(simulate: Simulate) -> None:
    """Its state, its end, and since when pushes come; in words and for programs."""
    simulation = pushing(simulate)
    channel, _ = simulation.channel_of()
    terminal = beside(simulation, push_url=PUSH_URL)

    words, document = terminal.run("channels"), told(simulation)

    assert words.exit_code == 0, words.output
    assert f"{ANNA}, primary: Google pushes, since " in words.stdout
    assert document["push_url"] == PUSH_URL
    (one,) = document["channels"]
    assert (one["account"], one["calendar"], one["state"], one["id"]) == (ANNA, "primary", "healthy", channel.id)
    assert one["expires"] == channel.expires
    assert one["first_push"] is not None


def test_without_push_url_it_says_that_calbot_polls(simulate: Simulate) -> None:
    """Nobody has to guess why there are none."""
    simulation = simulate()
    simulation.until_quiet()

    listed = beside(simulation).run("channels")

    assert listed.exit_code == 0
    assert "push_url: none; Calbot polls" in listed.stdout


def test_a_channel_to_another_address_and_one_that_ran_out_are_named(simulate: Simulate) -> None:
    """After push_url was changed, or Calbot was off for weeks, the list says what is of no use any more."""
    simulation = pushing(simulate)

    moved: Any = beside(simulation, push_url="https://example.org/elsewhere").json("channels")
    later = Terminal(simulation.directory, VirtualClock(simulation.clock.now() + 20 * DAY), push_url=PUSH_URL)
    over: Any = later.json("channels")

    assert [one["state"] for one in moved["channels"]] == ["other_address"]
    assert [one["state"] for one in over["channels"]] == ["expired"]


def test_a_channel_that_google_did_not_open_is_told_with_its_reason(simulate: Simulate) -> None:
    """What the service met is in its announcements, and the list repeats it."""
    simulation = simulate(settings=WITH_PUSH)
    simulation.google.add_fault("forbidden", operation="events.watch", count=None)
    simulation.until_quiet()
    (simulation.directory / "tokens").mkdir(exist_ok=True)
    sign_in = {"refresh_token": "r", "client_id": "c"}
    (Path(simulation.directory) / "tokens" / f"{ANNA}.json").write_text(json.dumps(sign_in))

    (one,) = told(simulation)["channels"]

    assert one["state"] == "failed"
    assert "Google opens no push channel" in one["why"]


def test_renewing_opens_the_new_before_the_old_is_stopped(simulate: Simulate) -> None:
    """However fresh the old one is; pushes come through one of them all the time."""
    simulation = pushing(simulate)
    first, _ = simulation.channel_of()
    since = len(simulation.world.calls)

    answer = ask(simulation)
    second, _ = simulation.channel_of()
    event = simulation.create()
    simulation.run(1)

    assert answer == ("ok", "Google has opened new push channels.")
    assert second.id != first.id
    assert about_channels(simulation, since) == ["events.watch", "channels.stop"]
    assert simulation.invitations() == [event]


def test_what_google_refuses_leaves_the_old_channel(simulate: Simulate) -> None:
    """The answer says so; nothing is stopped for what could not be opened, and nothing is asked for again at once."""
    simulation = pushing(simulate)
    first, _ = simulation.channel_of()
    simulation.google.add_fault("forbidden", operation="events.watch")
    since = len(simulation.world.calls)

    status, message = ask(simulation)
    simulation.run(60)

    assert status == "error" and "Google opens no push channel" in message
    assert about_channels(simulation, since) == ["events.watch"]
    assert simulation.channel_of()[0].id == first.id


def test_a_calendar_without_push_is_told(simulate: Simulate) -> None:
    """Google pushes no changes of some calendars; who asks for it hears so."""
    simulation = pushing(simulate)

    def amend(request: Request, answer: Response) -> None:
        if request.path.endswith("/watch"):
            answer.status, answer.body = 400, json.dumps(push_not_supported().document()).encode()

    simulation.wire.amend = amend

    status, message = ask(simulation)

    assert status == "error" and "Google pushes no changes of primary" in message


def test_renewing_without_push_url_or_account_is_answered(simulate: Simulate) -> None:
    """Nothing to renew is no success."""
    polling = simulate()
    polling.until_quiet()

    unset, unknown = ask(polling), ask(polling, account=BOB)

    assert unset[0] == unknown[0] == "error"
    assert "push_url" in unset[1]
    assert BOB in unknown[1]


def test_a_dead_sign_in_answers_the_wish(simulate: Simulate) -> None:
    """Nobody waits for an account that cannot do it."""
    simulation = pushing(simulate)
    simulation.google.revoke(ANNA)

    status, message = ask(simulation)

    assert status == "error" and "sign-in" in message


@pytest.mark.parametrize("words", [["channels", "renew"], ["channels", "renew", "--json"]])
def test_without_a_running_service_renew_says_who_opens_channels(data: Path, words: list[str]) -> None:
    """Exit 1, one sentence, nothing asked of Google."""
    with alone(data) as (terminal, google):
        terminal.run("sync")
        google.reset_calls()
        ended = terminal.run(*words)
        calls = google.calls()

    assert (ended.exit_code, ended.stdout) == (1, "")
    assert "calbot run" in ended.stderr
    assert calls == []


def test_renew_of_an_unknown_account_is_exit_4(data: Path) -> None:
    """The account is looked for before anything else."""
    with alone(data) as (terminal, _google):
        ended = terminal.run("channels", "renew", "--account", "nobody@example.com")

    assert ended.exit_code == 4


def test_a_look_whether_calbot_runs_keeps_nobody_out(simulate: Simulate) -> None:
    """It is seen while it holds its directory; the look leaves no lock behind, and makes none."""
    simulation = simulate()

    while_it_runs = is_running(simulation.directory)
    simulation.die()
    after = is_running(simulation.directory)
    simulation.start()
    elsewhere = is_running(simulation.directory / "nowhere")

    assert (while_it_runs, after, elsewhere) == (True, False, False)
    assert not (simulation.directory / "nowhere").exists()


def test_renew_asks_the_running_service(simulate: Simulate) -> None:
    """The command waits for the service's answer, and prints it."""
    simulation = pushing(simulate)
    first, _ = simulation.channel_of()
    terminal = beside(simulation, push_url=PUSH_URL)

    words, document = terminal.run("channels", "renew"), terminal.json("channels", "renew")

    assert (words.exit_code, words.stdout) == (0, "Google has opened new push channels.\n")
    assert isinstance(document, dict) and document["status"] == "ok"
    assert len(simulation.calls("events.watch")) == 3
    assert simulation.channel_of()[0].id != first.id
