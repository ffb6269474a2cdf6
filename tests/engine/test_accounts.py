"""Several accounts: none delays another; a dead sign-in stops one of them, is told once, and ends."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from calbot.clock import SystemClock, SystemRandom
from calbot.google.accounts import GoogleAccounts
from calbot.settings import AccountChoice, Settings
from tests.google_server.values import Request, Response
from tests.household import ANNA, BOB, CAROL, Household, notices, wait
from tests.simulation.simulation import Simulation

Simulate = Callable[..., Simulation]


@pytest.mark.parametrize("kind", ["hang", "unavailable", "closeBefore", "notJson"])
def test_an_account_in_trouble_delays_no_other(tmp_path: Path, kind: str) -> None:
    """With real threads and sockets: Anna's calls hang or fail, Carol's guests are invited at once."""
    with Household(tmp_path, [ANNA, CAROL]) as home:
        wait(lambda: home.has_read(ANNA) and home.has_read(CAROL), "the first reading")
        home.google.add_fault(kind, account=ANNA, count=None, seconds=60)
        home.look(ANNA)
        home.create(ANNA)
        event = home.create(CAROL)

        home.look(CAROL)

        wait(lambda: home.invitations() == [event], "Carol's guests are invited", 5)


def test_a_burst_on_real_threads_invites_everybody_once(tmp_path: Path) -> None:
    """Eight slots at once, lost answers among them: one mail, one outcome for each event."""
    settings = Settings(invite_emails=(BOB,), invites_per_hour=10_000)
    with Household(tmp_path, [ANNA], settings) as home:
        wait(lambda: home.has_read(ANNA), "the first reading")
        home.google.add_fault("closeAfter", operation="events.patch", count=3, skip=5)
        home.google.add_fault("errorAfter", operation="events.patch", count=3, skip=10)
        home.google.seed_events(ANNA, 60)

        home.look(ANNA)

        wait(lambda: len(home.invitations()) == 60, "sixty invitations")
        wait(lambda: sum(o.event_type == "invited" for o in home.outcomes()) == 60, "sixty outcomes")
        home.engine.stop()
        assert len(set(home.invitations())) == 60
        assert home.world.schema_problems == []
        assert home.world.surprises == []


def test_a_token_file_that_is_none_stops_that_account_only(tmp_path: Path) -> None:
    """It is named, nobody else waits for it, and a good file in its place brings the account to life."""
    settings = Settings(invite_emails=(BOB,), accounts=(AccountChoice(ANNA), AccountChoice(CAROL)))
    (tmp_path / "tokens").mkdir()
    (tmp_path / "tokens" / f"{ANNA}.json").write_text("{")
    with Household(tmp_path, [CAROL], settings) as home:
        wait(lambda: home.has_read(CAROL), "Carol's first reading")
        problems = home.engine.snapshot.token_problems
        wait(lambda: any(not account.signed_in for account in home.engine.snapshot.accounts), "Anna is signed out")

        home.sign_in(ANNA)
        home.nudge(ANNA)

        wait(lambda: home.has_read(ANNA), "Anna's first reading")
        assert len(problems) == 1 and ANNA in problems[0]


def test_a_replaced_token_file_ends_a_dead_sign_in(tmp_path: Path) -> None:
    """With the real files: revoked, told, replaced, and what waited is invited."""
    with Household(tmp_path, [ANNA]) as home:
        wait(lambda: home.has_read(ANNA), "the first reading")
        home.google.revoke(ANNA)
        event = home.create(ANNA)
        home.look(ANNA)
        wait(lambda: not home.engine.snapshot.accounts[0].signed_in, "it is noticed")

        home.sign_in(ANNA)
        newer = (tmp_path / "tokens" / f"{ANNA}.json").stat().st_mtime_ns + 1_000_000
        os.utime(tmp_path / "tokens" / f"{ANNA}.json", ns=(newer, newer))
        home.nudge(ANNA)

        wait(lambda: home.invitations() == [event], "the invitation")
        wait(lambda: home.engine.snapshot.accounts[0].signed_in, "it is said")


def test_a_removed_account_leaves_without_a_complaint_and_may_come_back(tmp_path: Path) -> None:
    """Nothing is read or done for it, nobody is alarmed; signed in again, it goes on, and nobody is invited twice."""
    with Household(tmp_path, [ANNA, CAROL], Settings(invite_emails=(BOB,))) as home:
        wait(lambda: home.has_read(ANNA) and home.has_read(CAROL), "the first reading")
        event = home.create(ANNA)
        home.look(ANNA)
        wait(lambda: home.invitations() == [event], "an invitation")

        (tmp_path / "tokens" / f"{ANNA}.json").unlink()
        home.engine.tend()
        emails = [account.email for account in home.engine.snapshot.accounts]
        meanwhile = home.create(ANNA)
        other = home.create(CAROL)
        home.look(CAROL)
        wait(lambda: home.invitations() == [event, other], "Carol's guests are invited")
        home.sign_in(ANNA)
        home.engine.tend()
        home.look(ANNA)

        wait(lambda: sorted(home.invitations()) == sorted([event, other, meanwhile]), "what came meanwhile", 10)
        assert emails == [CAROL] and ANNA in home.engine.workers
        assert [notice for notice in notices(home.database) if notice.event_type == "sign_in_needed"] == []


def test_a_dead_sign_in_is_announced_once_and_ends_with_a_new_one(simulate: Simulate) -> None:
    """Over restarts and days: one notice, hardly a call, the token is asked for no more; then everything is done."""
    simulation = simulate()
    simulation.until_quiet()
    simulation.google.revoke(ANNA)
    event = simulation.create()

    simulation.run(3600)
    for _ in range(3):
        simulation.restart()
        simulation.run(3600)
    needed = simulation.notices("sign_in_needed")
    asked = len(simulation.calls("oauth.token"))
    simulation.accounts.sign_in(ANNA)
    simulation.until_quiet()

    assert len(needed) == 1 and ANNA in needed[0].text and "sign in again" in needed[0].text.lower()
    assert asked <= 1 + 4 * 3
    assert len(simulation.notices("sign_in_restored")) == 1
    assert simulation.invitations() == [event]


def test_a_signed_out_account_delays_no_other(simulate: Simulate) -> None:
    """Carol goes on while Anna has to sign in."""
    simulation = simulate(signed_in=(ANNA, CAROL))
    simulation.until_quiet()
    simulation.google.revoke(ANNA)

    simulation.create(ANNA)
    carols = simulation.create(CAROL)
    simulation.run(62)

    assert simulation.invitations() == [carols]


def test_an_expired_access_token_is_renewed_without_a_word(simulate: Simulate) -> None:
    """A 401 with a good refresh token costs one refresh."""
    simulation = simulate()
    simulation.until_quiet()
    simulation.google.expire_access_tokens()

    event = simulation.create()
    simulation.until_quiet()

    assert simulation.invitations() == [event]
    assert simulation.notices("sign_in_needed") == []
    assert len(simulation.calls("oauth.token")) == 2


@pytest.mark.parametrize("operation", ["events.list", "events.patch"])
def test_a_spell_of_401s_with_a_good_sign_in_signs_nobody_out(simulate: Simulate, operation: str) -> None:
    """Only the refresh tells that a sign-in is dead; anything else is Google's trouble, and passes."""
    simulation = simulate()
    simulation.until_quiet()
    simulation.google.add_fault("authError", operation=operation, count=8)

    event = simulation.create()
    simulation.until_quiet()

    assert simulation.calls(operation).count(401) == 8
    assert simulation.invitations() == [event]
    assert simulation.notices("sign_in_needed") == []


@pytest.mark.parametrize("seed", range(8))
def test_what_a_dead_sign_in_left_waiting_is_done_after_the_next(simulate: Simulate, seed: int) -> None:
    """It died while invitations were on their way; old failures that arrive late do not end the new sign-in."""
    simulation = simulate(seed=seed)
    simulation.until_quiet()
    events = [simulation.create(summary=f"Dinner {number}") for number in range(6)]
    (slots,) = simulation._slots
    while not slots.waiting:
        if not simulation.turn():
            simulation.clock.sleep(1)
    simulation.google.revoke(ANNA)
    while len(slots.finished) < 3:
        slots.call(0)
    slots.post(0)
    while simulation.turn() and len(slots.finished) > 1:
        pass

    simulation.accounts.sign_in(ANNA)
    simulation.until_quiet()
    simulation.run(120)

    assert sorted(simulation.invitations()) == sorted(events)
    assert simulation.engine.snapshot.accounts[0].signed_in
    assert simulation.open_rows() == []


def test_a_new_account_is_found_while_running(simulate: Simulate) -> None:
    """Carol signs in: her calendar is watched within seconds, and what was on it is not acted on."""
    simulation = simulate()
    simulation.until_quiet()
    simulation.create(CAROL, summary="Before")
    simulation.accounts.sign_in(CAROL)
    simulation.run(20)

    event = simulation.create(CAROL, summary="After")
    simulation.until_quiet()

    assert simulation.invitations() == [event]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (502, b"<html>Bad Gateway</html>"),
        (403, b"<html>Forbidden by the proxy</html>"),
        (400, b'{"error": "temporarily_unavailable"}'),
        (200, b"<html>Welcome to the hotel</html>"),
        (200, b"[]"),
        (200, b"{}"),
    ],
)
def test_what_the_sign_in_service_answers_in_trouble_signs_nobody_out(
    simulate: Simulate, status: int, body: bytes
) -> None:
    """Only Google's own word that the sign-in is dead counts; everything else passes."""
    simulation = simulate()
    simulation.until_quiet()
    simulation.google.expire_access_tokens()

    def amend(request: Request, answer: Response) -> None:
        if request.path == "/token":
            answer.status, answer.body = status, body

    simulation.wire.amend = amend
    event = simulation.create()
    simulation.run(61)
    simulation.wire.amend = lambda _request, _answer: None
    simulation.until_quiet()

    assert simulation.notices("sign_in_needed") == []
    assert simulation.invitations() == [event]


@pytest.mark.parametrize("error", ["invalid_grant", "deleted_client", "admin_policy_enforced"])
def test_a_sign_in_that_google_names_dead_is_dead(simulate: Simulate, error: str) -> None:
    """The words of Google's sign-in service that no waiting helps against."""
    simulation = simulate()
    simulation.until_quiet()
    simulation.google.expire_access_tokens()

    def amend(request: Request, answer: Response) -> None:
        if request.path == "/token":
            answer.status, answer.body = 400, json.dumps({"error": error}).encode()

    simulation.wire.amend = amend
    simulation.run(300)

    assert len(simulation.notices("sign_in_needed")) == 1


def test_an_account_whose_start_failed_is_started_later(simulate: Simulate) -> None:
    """Its worker counts only from the moment on that it knows what an earlier life left."""
    simulation = simulate()
    simulation.until_quiet()
    simulation.accounts.sign_in(CAROL)
    simulation.seams.unreadable = "FROM channel"
    simulation.run(20)
    meanwhile = set(simulation.engine.workers)

    simulation.seams.unreadable = None
    simulation.run(20)

    assert meanwhile == {ANNA}
    assert set(simulation.engine.workers) == {ANNA, CAROL}


def test_a_token_file_that_did_not_change_is_not_read_again(tmp_path: Path) -> None:
    """Who asks every second costs a look at the directory; a change is seen all the same."""
    (tmp_path / "tokens").mkdir()
    (tmp_path / "tokens" / f"{ANNA}.json").write_text("{")
    clock = SystemClock()
    accounts = GoogleAccounts(tmp_path, clock, SystemRandom(), calendar_api=None, token_uri=None)

    (first,), (again,) = accounts.problems(), accounts.problems()
    (tmp_path / "tokens" / f"{ANNA}.json").write_text('{"refresh_token": "r", "client_id": "c"}')

    assert first is again
    assert accounts.problems() == ()
    assert accounts.emails() == (ANNA,)
