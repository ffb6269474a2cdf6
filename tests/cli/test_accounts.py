"""`calbot accounts`: who is there and how they stand; removing one takes its copies first, or leaves all as it is."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from calbot import purge
from calbot.policy import Match, Rule
from tests.cli.terminal import Terminal, alone, beside
from tests.cli.test_mirror import ALL_RULE, BERLIN, COPY_ALL, begun, copied, household, made, on_family, tomorrow
from tests.google_server.control import Control
from tests.google_server.tokens import PREFIX
from tests.household import ANNA, BOB, CAROL, FAMILY
from tests.simulation.machine import VirtualClock
from tests.simulation.simulation import Simulation

Simulate = Callable[..., Simulation]
BOTH = {"rules": ALL_RULE, "invite_emails": []}


def token(data: Path, email: str, folder: str = "tokens", **parts: object) -> None:
    """Put an account's consent where Calbot looks for it."""
    (data / folder).mkdir(parents=True, exist_ok=True)
    document = {"refresh_token": "canary", "client_id": "123456789012-abc", "client_secret": "canary", **parts}
    (data / folder / f"{email}.json").write_text(json.dumps(document))


def signed_in(data: Path) -> set[str]:
    """Whose files are there."""
    return {
        f"{path.parent.name} {path.stem}" for folder in ("tokens", "mail") for path in (data / folder).glob("*.json")
    }


def couple(data: Path, google: Control) -> None:
    """Bob is signed in too, and writes on the family's calendar as Anna does."""
    (data / "tokens" / f"{BOB}.json").write_text(json.dumps(google.token_document(BOB)))
    household(google)
    google.share_calendar(FAMILY, BOB, "writer")


def two_copies(terminal: Terminal, google: Control) -> None:
    """A copy of what Anna alone has, and one of a meeting of both."""
    terminal.run("sync")
    tomorrow(google, "Dentist")
    shared = tomorrow(google, "Dinner")
    google.add_guest(ANNA, shared, BOB)
    terminal.run("sync")
    terminal.run("sync")
    assert on_family(google) == ["Dentist", "Dinner"]


# The list


def test_the_list_says_how_each_account_stands(data: Path) -> None:
    """Signed in, ends, locked, a box unticked, named but absent, only for mail: in words and as JSON, no secret."""
    chosen = [{"email": ANNA, "calendars": ["primary", FAMILY]}, BOB, CAROL, "dora@example.com"]
    terminal = Terminal(data, VirtualClock(1_795_000_000.0), accounts=chosen)
    token(data, ANNA, scopes=[f"{PREFIX}calendar"], expires_at=1_795_172_800.0)
    token(data, BOB, scopes=[f"{PREFIX}calendar.events"])
    token(data, ANNA, "mail")
    token(data, "erik@example.com", "mail")
    token(data, "fred@example.com")
    (data / "tokens" / f"{CAROL}.json").write_text('{"sealed": "gAAAAA"}')

    listed = terminal.run("accounts")
    told: Any = terminal.json("accounts")

    states = {one["email"]: one["state"] for one in told}
    assert listed.exit_code == 0 and "canary" not in listed.output + json.dumps(told)
    assert states == {
        ANNA: "ends on Fri 2026-11-20 12:06",
        BOB: "sign in again",
        CAROL: "sign in again",
        "fred@example.com": "signed in",
        "dora@example.com": "not signed in",
        "erik@example.com": "sends mail only",
    }
    assert told[0]["ends_at"] == "2026-11-20T12:06:40+01:00"
    assert (told[0]["client"], told[0]["mail"], told[0]["calendars"]) == (
        "123456789012-abc",
        "yes",
        ["primary", FAMILY],
    )
    assert told[1]["missing"] == ["See the list of Google calendars you’re subscribed to"]
    assert f"  calendars  primary, {FAMILY}\n  client     123456789012…\n  mail       yes\n" in listed.stdout
    assert f"  next       calbot accounts sign-in {CAROL}\n" in listed.stdout
    assert "fred@example.com: signed in\n  calendars  none: the option accounts names others only\n" in listed.stdout


def test_a_sign_in_that_is_over_is_not_shown_as_one_that_ends(data: Path) -> None:
    """Its day has passed."""
    terminal = Terminal(data, VirtualClock(1_795_000_000.0))
    token(data, ANNA, expires_at=1_794_999_999.0)

    assert f"{ANNA}: sign in again" in terminal.run("accounts").stdout


def test_with_nobody_there_the_list_says_how_to_begin(data: Path) -> None:
    """An empty list for programs."""
    terminal = Terminal(data, VirtualClock(0.0))

    assert "calbot accounts add" in terminal.run("accounts").stdout and terminal.json("accounts") == []


@pytest.mark.parametrize("words", [("sign-in",), ("remove", "--yes")])
def test_an_account_that_is_not_there_is_exit_4(data: Path, words: tuple[str, ...]) -> None:
    """Who is there is named; a path is no account."""
    terminal = Terminal(data, VirtualClock(0.0))
    token(data, ANNA)

    ended = [terminal.run("accounts", *words, name) for name in (BOB, "../options", "")]

    assert [one.exit_code for one in ended] == [4] * 3
    assert all(ANNA in one.stderr for one in ended) and signed_in(data) == {f"tokens {ANNA}"}


# Removing


def test_removing_asks_first_and_takes_the_mail_along(data: Path) -> None:
    """Without a terminal it is not done; a no is a no; the other accounts stay."""
    terminal = Terminal(data, VirtualClock(0.0), accounts=[ANNA, BOB])
    for email in (ANNA, BOB):
        token(data, email)
        token(data, email, "mail")
    everybody = signed_in(data)

    unasked, refused = terminal.run("accounts", "remove", ANNA), terminal.run("accounts", "remove", ANNA, keys="n\n")
    before = signed_in(data)
    done = terminal.run("accounts", "remove", ANNA.upper(), keys="y\n")

    assert (unasked.exit_code, refused.exit_code, before) == (2, 1, everybody)
    assert done.exit_code == 0 and f"{ANNA} is removed." in done.stdout and "take it out there too" in done.stdout
    assert signed_in(data) == {f"tokens {BOB}", f"mail {BOB}"}


def test_copies_are_kept_unless_it_is_said(data: Path) -> None:
    """Where nobody is asked; the answer counts them."""
    with alone(data, **BOTH) as (terminal, google):
        couple(data, google)
        two_copies(terminal, google)
        ended = terminal.run("accounts", "remove", ANNA, "--yes")

        assert ended.exit_code == 0 and "1 copy stays." in ended.stdout
        assert signed_in(data) == {f"tokens {BOB}"} and on_family(google) == ["Dentist", "Dinner"]


@pytest.mark.parametrize("chosen", [[], [BOB]], ids=["watched", "not watched any more"])
def test_its_own_copies_go_before_it_and_those_of_others_stay(data: Path, chosen: list[str]) -> None:
    """What Bob sees too stands on his event as well."""
    with alone(data, **BOTH) as (terminal, google):
        couple(data, google)
        two_copies(terminal, google)
        terminal.set_options(**BOTH, accounts=chosen)
        ended = terminal.run("accounts", "remove", ANNA, "--purge-copies", "--yes")
        after = on_family(google)
        later = terminal.run("sync")

        assert ended.exit_code == 0, ended.output
        assert 'copy_removed  "Dentist"' in ended.stdout and f"{ANNA} is removed." in ended.stdout
        assert after == on_family(google) == ["Dinner"], later.output
        assert signed_in(data) == {f"tokens {BOB}"}
        assert len(google.events(ANNA)) == 2


def test_at_a_terminal_it_is_asked_what_becomes_of_copies(data: Path) -> None:
    """Keeping them is what Enter means."""
    with alone(data, **BOTH) as (terminal, google):
        couple(data, google)
        two_copies(terminal, google)
        asked = terminal.run("accounts", "remove", ANNA, keys="y\ny\n")
        after = on_family(google)

        assert asked.exit_code == 0 and "1 copy stands on its events alone" in asked.stderr
        assert (after, signed_in(data)) == (["Dinner"], {f"tokens {BOB}"})


def test_when_a_copy_cannot_be_taken_away_the_account_stays(data: Path) -> None:
    """Exit 5, it says what is left; asked again, too, until all are gone."""
    with alone(data, **BOTH) as (terminal, google):
        couple(data, google)
        two_copies(terminal, google)
        terminal.set_options(**BOTH, mirroring=False)
        waits = [terminal.run("accounts", "remove", ANNA, "--purge-copies", "--yes") for _ in range(2)]
        between = (signed_in(data), on_family(google))
        terminal.set_options(**BOTH)
        done = terminal.run("sync"), terminal.run("accounts", "remove", ANNA, "--purge-copies", "--yes")

        assert [one.exit_code for one in waits] == [5, 5], [one.output for one in waits]
        assert all("1 copy not taken away yet" in one.stderr and "stays signed in" in one.stderr for one in waits)
        assert between == ({f"tokens {ANNA}", f"tokens {BOB}"}, ["Dentist", "Dinner"])
        assert done[1].exit_code == 0, done[1].output
        assert (signed_in(data), on_family(google)) == ({f"tokens {BOB}"}, ["Dinner"])


def test_a_copy_that_another_account_stood_behind_once_is_waited_for_too(data: Path) -> None:
    """Bob was taken off the meeting, so it is Anna's alone, and nobody else would take its copy away."""
    with alone(data, **BOTH) as (terminal, google):
        couple(data, google)
        terminal.run("sync")
        shared = tomorrow(google, "Dinner")
        google.add_guest(ANNA, shared, BOB)
        terminal.run("sync")
        google.edit_event(ANNA, shared, {"attendees": []})
        terminal.run("sync")
        terminal.set_options(**BOTH, mirroring=False)
        waits = [terminal.run("accounts", "remove", ANNA, "--purge-copies", "--yes") for _ in range(2)]
        between = (signed_in(data), on_family(google))
        terminal.set_options(**BOTH)
        terminal.run("sync")
        done = terminal.run("accounts", "remove", ANNA, "--purge-copies", "--yes")

        assert [one.exit_code for one in waits] == [5, 5], [one.output for one in waits]
        assert between == ({f"tokens {ANNA}", f"tokens {BOB}"}, ["Dinner"])
        assert (done.exit_code, signed_in(data), on_family(google)) == (0, {f"tokens {BOB}"}, [])


def test_a_sign_in_that_is_dead_takes_no_copies_away(data: Path) -> None:
    """Its account is the only one that could: exit 5, and it stays until somebody signs in or keeps the copies."""
    with alone(data, **BOTH) as (terminal, google):
        household(google)
        terminal.run("sync")
        tomorrow(google, "Dentist")
        terminal.run("sync")
        google.revoke(ANNA)
        google.expire_access_tokens()
        ended = terminal.run("accounts", "remove", ANNA, "--purge-copies", "--yes")
        kept = terminal.run("accounts", "remove", ANNA, "--keep-copies", "--yes")

        assert ended.exit_code == 5 and "stays signed in" in ended.stderr
        assert kept.exit_code == 0 and (signed_in(data), on_family(google)) == (set(), ["Dentist"])


def test_a_dry_run_takes_nothing_away(data: Path) -> None:
    """Then the account stays too."""
    with alone(data, **BOTH) as (terminal, google):
        couple(data, google)
        two_copies(terminal, google)
        terminal.set_options(**BOTH, dry_run=True)
        ended = terminal.run("accounts", "remove", ANNA, "--purge-copies", "--yes")

        assert ended.exit_code == 2 and "dry_run" in ended.stderr and "stays signed in" in ended.stderr
        assert on_family(google) == ["Dentist", "Dinner"] and f"tokens {ANNA}" in signed_in(data)


def test_many_copies_at_once_need_a_second_yes(simulate: Simulate) -> None:
    """Beside the service: until then exit 2, the account is there, and the command that confirms is printed."""
    simulation = begun(simulate)
    for number in range(4):
        made(simulation, f"Event {number}")
    terminal = beside(simulation, rules=ALL_RULE)
    token(simulation.directory, ANNA)

    asked = terminal.run("accounts", "remove", ANNA, "--purge-copies", "--yes")
    between = (signed_in(simulation.directory), len(copied(simulation)))
    words = asked.stderr.splitlines()[-1].split()
    wrong = terminal.run(*words[1:-1], "zebra")
    done = terminal.run(*words[1:])

    assert (asked.exit_code, wrong.exit_code, between) == (2, 2, ({f"tokens {ANNA}"}, 4))
    assert words[:-1] == f"calbot accounts remove {ANNA} --purge-copies --yes --confirm".split()
    assert done.exit_code == 0, done.output
    assert (signed_in(simulation.directory), copied(simulation)) == (set(), [])


def test_whoever_is_asked_may_say_yes_to_many(simulate: Simulate) -> None:
    """At a terminal the question comes at once; a no leaves all as it is."""
    simulation = begun(simulate)
    for number in range(4):
        made(simulation, f"Event {number}")
    terminal = beside(simulation, rules=ALL_RULE)
    token(simulation.directory, ANNA)

    refused = terminal.run("accounts", "remove", ANNA, "--purge-copies", keys="y\nn\n")
    between = (signed_in(simulation.directory), len(copied(simulation)))
    done = terminal.run("accounts", "remove", ANNA, "--purge-copies", keys="y\ny\n")

    assert (refused.exit_code, between) == (2, ({f"tokens {ANNA}"}, 4))
    assert done.exit_code == 0 and (signed_in(simulation.directory), copied(simulation)) == (set(), [])


def test_what_is_the_only_one_left_never_goes(simulate: Simulate) -> None:
    """Its original was deleted in its favour; what waits to be deleted counts as such already."""
    rules = (Rule("moves", match=Match(title="Move"), mirror=FAMILY, delete_original=True), Rule("rest", mirror=FAMILY))
    settings = msgspec.structs.replace(COPY_ALL, rules=rules, delete_original=True, grace=300)
    simulation = begun(simulate, settings)
    made(simulation)
    simulation.create(summary="Move me")
    simulation.until_quiet()
    simulation.run(4000)
    simulation.until_quiet()
    simulation.create(summary="Move me too")
    simulation.run(200)
    terminal = beside(simulation, rules=ALL_RULE)
    token(simulation.directory, ANNA)

    ended = terminal.run("accounts", "remove", ANNA, "--purge-copies", "--yes")

    originals = [doc["summary"] for doc in simulation.google.events(ANNA)]
    assert ended.exit_code == 0, ended.output
    assert originals == ["Dentist", "Move me too"] and copied(simulation) == ["Move me", "Move me too"]


def test_a_series_whose_single_date_another_account_has_stays(simulate: Simulate) -> None:
    """Bob is invited to one date alone, and sees it in the copy of Anna's series."""
    chosen = msgspec.structs.replace(COPY_ALL, time_zone=BERLIN)
    simulation = begun(simulate, chosen, signed_in=(ANNA, BOB))
    choir = made(simulation, "Choir", recurrence=["RRULE:FREQ=WEEKLY;COUNT=4"])
    made(simulation)
    simulation.google.edit_event(ANNA, f"{choir}_20261208T180000Z", {"attendees": [{"email": BOB}]})
    simulation.run(200)
    simulation.until_quiet()

    with simulation.database.write() as tx:
        going = purge.leaving(
            tx, lambda one: simulation.engine.orders(one).policy, simulation.clock.now(), account=ANNA
        )
        left = purge.left_of(tx, ANNA)

    assert ([one.event.title for one in going], left) == (["Dentist"], 1)
    assert going[0].why == f"It stands on events of {ANNA} alone."


# Ending it at Google


def test_revoking_ends_the_permission_at_google_and_the_mail_with_it(data: Path) -> None:
    """Which is said; the token goes in the body of the call, and the other accounts' go on."""
    with alone(data) as (terminal, google):
        (data / "tokens" / f"{BOB}.json").write_text(json.dumps(google.token_document(BOB)))
        (data / "mail").mkdir()
        (data / "mail" / f"{ANNA}.json").write_text(json.dumps(google.token_document(ANNA, [f"{PREFIX}gmail.send"])))
        ended = terminal.run("accounts", "remove", ANNA, "--revoke", "--yes")
        calls = google.calls(operation="oauth.revoke")

        assert ended.exit_code == 0 and "That it may send mail ended with it." in ended.stdout
        assert [call["query"] for call in calls] == [{}, {}]
        assert {one.account for one in google._world.tokens.grants.values() if not one.revoked} == {BOB}
        assert signed_in(data) == {f"tokens {BOB}"}


def test_when_google_cannot_be_told_the_account_stays(data: Path) -> None:
    """Else nobody could end the permission from here any more. Exit 5."""
    with alone(data) as (terminal, google):
        google.add_fault("unavailable", operation="oauth.revoke", count=None)
        ended = terminal.run("accounts", "remove", ANNA, "--revoke", "--yes")

        assert ended.exit_code == 5 and "leave out --revoke" in ended.stderr and signed_in(data) == {f"tokens {ANNA}"}


# Mail


def test_mail_is_ended_and_the_calendars_stay(data: Path) -> None:
    """Google is not told: that would end both. Exit 4 where there is none."""
    with alone(data) as (terminal, google):
        token(data, ANNA, "mail")
        done, again = [terminal.run("accounts", "mail", ANNA, "--remove") for _ in range(2)]

        assert (done.exit_code, again.exit_code) == (0, 4)
        assert "sends no mail" in done.stdout and signed_in(data) == {f"tokens {ANNA}"}
        assert google.calls(operation="oauth.revoke") == []
