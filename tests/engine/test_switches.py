"""Switches, pauses and dry runs: what was seen meanwhile is not acted on behind people's backs."""

from collections.abc import Callable

import msgspec
import pytest

from calbot.model import Answer, Command
from calbot.policy import Policy, Rule
from calbot.rules import obvious_rules
from calbot.settings import AccountChoice, Settings
from calbot.store import commands
from tests.household import ANNA, BOB, CAROL, FAMILY, INVITE_BOB, NO_BRAKE
from tests.simulation.simulation import Simulation

Simulate = Callable[..., Simulation]


def test_a_dry_run_tells_what_it_would_do_and_writes_nothing(simulate: Simulate) -> None:
    """Every decision is announced, marked as a dry run, and Google is only read."""
    simulation = simulate(settings=msgspec.structs.replace(INVITE_BOB, dry_run=True))
    simulation.until_quiet()

    event = simulation.create()
    simulation.until_quiet()

    (skipped,) = simulation.outcomes("skipped")
    assert (skipped.key.event, skipped.reason, skipped.dry_run) == (event, "dry_run", True)
    assert BOB in (skipped.reason_text or "")
    assert {call.method for call in simulation.world.calls if call.operation.startswith("events")} == {"GET"}


@pytest.mark.parametrize("key", ["auto_invite", "dry_run"])
def test_what_was_seen_while_nothing_was_invited_is_not_invited_later(simulate: Simulate, key: str) -> None:
    """Switched on again, old events stay as they are; one that changes from then on is invited to."""
    simulation = simulate()
    simulation.until_quiet()
    simulation.command("set", key=key, value=key == "dry_run")
    quiet, changed = simulation.create(summary="Quiet"), simulation.create(summary="Changed")
    simulation.until_quiet()

    simulation.command("set", key=key, value=key != "dry_run")
    simulation.plan(200, lambda: None)
    simulation.until_quiet()
    before = simulation.invitations()
    simulation.google.edit_event(ANNA, changed, {"location": "At home"})
    simulation.until_quiet()

    assert before == []
    assert simulation.invitations() == [changed]
    assert BOB not in simulation.guests(quiet)
    assert {outcome.reason for outcome in simulation.outcomes("skipped")} <= {"auto_invite_off", "dry_run"}


def test_a_pause_postpones_and_resume_takes_everything_up(simulate: Simulate) -> None:
    """While paused nothing is written; afterwards what waited is looked at afresh and done, once."""
    simulation = simulate()
    simulation.until_quiet()
    simulation.command("pause")
    kept, deleted, made_private = (simulation.create(summary=title) for title in ("Kept", "Deleted", "Private"))
    simulation.run(300)
    during = simulation.calls("events.patch")
    simulation.google.delete_event(ANNA, deleted)
    simulation.google.edit_event(ANNA, made_private, {"visibility": "private"})

    simulation.command("resume")
    simulation.until_quiet()

    assert during == []
    assert simulation.invitations() == [kept]


@pytest.mark.parametrize("account", [None, ANNA])
def test_paused_can_be_set_like_a_switch(simulate: Simulate, account: str | None) -> None:
    """For the installation or one account; the snapshot shows whose switch it is."""
    simulation = simulate()
    simulation.until_quiet()
    scope = {} if account is None else {"account": account}
    simulation.command("set", key="paused", value=True, **scope)
    held = simulation.engine.snapshot.settings
    event = simulation.create()
    simulation.run(300)
    during = simulation.invitations()

    simulation.command("set", key="paused", value=False, **scope)
    simulation.until_quiet()

    assert (held.paused_until is not None, held.accounts_paused) == (account is None, (account,) if account else ())
    assert (during, simulation.invitations()) == ([], [event])
    assert simulation.engine.snapshot.settings.accounts_paused == ()


def test_resuming_the_installation_by_its_switch_leaves_an_accounts_own_pause(simulate: Simulate) -> None:
    """Each switch is for itself; only the command resume ends them all."""
    simulation = simulate()
    simulation.command("set", key="paused", value=True, account=ANNA)
    simulation.command("set", key="paused", value=True)

    simulation.command("set", key="paused", value=False)

    held = simulation.engine.snapshot.settings
    assert (held.paused_until, held.accounts_paused) == (None, (ANNA,))


def test_the_snapshot_shows_whose_auto_invite_is_off(simulate: Simulate) -> None:
    """An account's own switch, whatever the installation's is."""
    simulation = simulate()
    simulation.command("set", key="auto_invite", value=False, account=ANNA)
    off = simulation.engine.snapshot.settings

    simulation.command("set", key="auto_invite", value=True, account=ANNA)

    on = simulation.engine.snapshot.settings
    assert (off.accounts_off, on.accounts_off) == ((ANNA,), ())


def test_a_pause_of_some_minutes_ends_by_itself(simulate: Simulate) -> None:
    """Also when Calbot was restarted in it."""
    simulation = simulate()
    simulation.until_quiet()
    simulation.command("pause", minutes=10)
    event = simulation.create()
    simulation.run(120)
    simulation.restart()
    simulation.run(300)
    before = simulation.invitations()

    simulation.run(300)

    assert before == []
    assert simulation.invitations() == [event]


def test_one_account_paused_is_only_that_one(simulate: Simulate) -> None:
    """The other goes on."""
    simulation = simulate(signed_in=(ANNA, CAROL))
    simulation.until_quiet()
    simulation.command("pause", account=CAROL)
    annas, carols = simulation.create(ANNA), simulation.create(CAROL)
    simulation.run(200)
    before = simulation.invitations()

    simulation.command("resume", account=CAROL)
    simulation.until_quiet()

    assert before == [annas]
    assert sorted(simulation.invitations()) == sorted([annas, carols])


def test_a_switch_survives_a_restart_until_its_option_is_edited(simulate: Simulate) -> None:
    """Switched over MQTT wins over the option; an edited option wins over the switch, for good."""
    simulation = simulate()
    simulation.until_quiet()

    simulation.command("set", key="poll_interval", value=120)
    simulation.restart()
    kept = simulation.engine.snapshot.settings.poll_interval
    simulation.restart(msgspec.structs.replace(INVITE_BOB, poll_interval=300))
    edited = simulation.engine.snapshot.settings.poll_interval
    simulation.restart(INVITE_BOB)
    back = simulation.engine.snapshot.settings.poll_interval

    assert (kept, edited, back) == (120, 300, 60)


def test_auto_invite_of_one_account_survives_a_restart(simulate: Simulate) -> None:
    """And the other account is not touched by it."""
    simulation = simulate(signed_in=(ANNA, CAROL))
    simulation.until_quiet()
    simulation.command("set", key="auto_invite", value=False, account=CAROL)
    simulation.restart()

    annas, _carols = simulation.create(ANNA), simulation.create(CAROL)
    simulation.until_quiet()

    assert simulation.invitations() == [annas]


def test_mirroring_is_switched_for_the_whole_installation(simulate: Simulate) -> None:
    """Over its option, until that is edited; an account cannot have it for itself."""
    simulation = simulate(settings=msgspec.structs.replace(INVITE_BOB, central_calendar=FAMILY))
    simulation.until_quiet()
    before = simulation.engine.orders(ANNA).policy.mirroring

    simulation.command("set", key="mirroring", value="off")
    simulation.command("set", key="mirroring", value=True, account=ANNA)
    simulation.restart()
    kept = simulation.engine.snapshot.settings.mirroring, simulation.engine.orders(ANNA).policy.mirroring

    assert (before, kept) == (True, (False, False))
    assert "whole installation" in simulation.notices("command_failed")[0].text


def test_what_the_options_say_of_copies_is_in_force(simulate: Simulate) -> None:
    """Without rules the obvious one mirrors; accounts stand as they were chosen, all others behind them."""
    chosen = (AccountChoice(CAROL), AccountChoice(ANNA))
    wanted = Settings(
        accounts=chosen, central_calendar=FAMILY, delete_original=True, grace=60, removals_per_pass=7, mirroring=False
    )
    board = simulate(settings=wanted).engine.switchboard

    policies = [board.orders(account, 0.0).policy for account in (CAROL, ANNA, BOB)]

    assert [policy.place for policy in policies] == [0, 1, 2]
    assert policies[0] == Policy(
        rules=(Rule("central_calendar", mirror=FAMILY),),
        mirroring=False,
        removals_per_pass=7,
        delete_originals=True,
        grace=60.0,
    )
    assert obvious_rules((BOB,), FAMILY) == (Rule("invite_emails", (BOB,), mirror=FAMILY, uninvitable_only=True),)
    assert (obvious_rules((BOB,), None), obvious_rules((), None)) == ((Rule("invite_emails", (BOB,)),), ())


def test_every_command_gets_one_final_answer(simulate: Simulate) -> None:
    """Good, bad and unknown ones alike."""
    simulation = simulate()
    simulation.until_quiet()

    simulation.command("set", key="auto_invite", value="off")
    simulation.command("set", key="auto_invite", value="perhaps")
    simulation.command("pause", minutes=-1)
    simulation.command("dance")
    simulation.command("resync", account="nobody@example.com")
    simulation.command("resync", full=True)
    simulation.until_quiet()

    assert [notice.event_type for notice in simulation.notices() if "command_id" in notice.data] == [
        "command_succeeded",
        "command_failed",
        "command_failed",
        "command_failed",
        "command_failed",
        "command_succeeded",
    ]


def test_a_full_resync_repeats_nothing(simulate: Simulate) -> None:
    """Reading everything again tells and invites nothing anew."""
    simulation = simulate()
    simulation.until_quiet()
    event = simulation.create()
    simulation.until_quiet()
    told = len(simulation.outcomes())

    simulation.command("resync", full=True)
    simulation.until_quiet()

    assert simulation.invitations() == [event]
    assert len(simulation.outcomes()) == told


def test_nobody_configured_invites_nobody(simulate: Simulate) -> None:
    """Without invite_emails every event is known, and explained."""
    simulation = simulate(settings=Settings())
    simulation.until_quiet()

    event = simulation.create()
    simulation.until_quiet()

    assert simulation.calls("events.patch") == []
    assert simulation.history(event) == [("skipped", "no_rule")]
    assert simulation.outcomes("skipped") == []


def test_the_end_of_one_pause_ends_no_other(simulate: Simulate) -> None:
    """Carol is paused until she is resumed, whatever the whole house does meanwhile."""
    simulation = simulate(signed_in=(ANNA, CAROL))
    simulation.until_quiet()
    simulation.command("pause", account=CAROL)
    simulation.command("pause", minutes=1)
    simulation.run(120)

    annas, _carols = simulation.create(ANNA), simulation.create(CAROL)
    simulation.run(200)

    assert simulation.invitations() == [annas]
    assert [status.paused for status in simulation.engine.snapshot.accounts] == [False, True]


def test_resume_without_an_account_ends_every_pause(simulate: Simulate) -> None:
    """One button for all of it."""
    simulation = simulate(signed_in=(ANNA, CAROL))
    simulation.until_quiet()
    simulation.command("pause", account=CAROL)
    simulation.command("pause")

    simulation.command("resume")
    simulation.run(60)

    assert [status.paused for status in simulation.engine.snapshot.accounts] == [False, False]


def test_what_one_account_cannot_do_alone_is_said(simulate: Simulate) -> None:
    """PlanAfresh, or switched on, while the whole house is not: the answer says so."""
    simulation = simulate()
    simulation.until_quiet()
    simulation.command("pause")
    simulation.command("set", key="auto_invite", value=False)

    simulation.command("resume", account=ANNA)
    simulation.command("set", key="auto_invite", value=True, account=ANNA)

    resumed, switched = [notice.text for notice in simulation.notices("command_succeeded")][-2:]
    assert "still paused" in resumed
    assert "off for the whole installation" in switched


def test_a_limit_is_switched_under_either_of_its_names(simulate: Simulate) -> None:
    """As the option is called, or short."""
    simulation = simulate()
    simulation.until_quiet()

    simulation.command("set", key="limits.invites_per_hour", value=10)

    assert simulation.engine.snapshot.settings.invites_per_hour == 10


def test_what_waits_is_decided_under_the_new_setting(simulate: Simulate) -> None:
    """Of a burst that waits for its turn nothing more goes out once a dry run is switched on."""
    simulation = simulate(settings=NO_BRAKE)
    simulation.until_quiet()
    simulation.google.seed_events(ANNA, 100)
    while not (waiting := [row for row in simulation.open_rows() if row[2] == "planned"]):
        if not simulation.turn():
            simulation.clock.sleep(1)

    simulation.command("set", key="dry_run", value=True)
    simulation.until_quiet()

    assert len(simulation.invitations()) == 100 - len(waiting)
    assert len(simulation.outcomes("skipped")) == len(waiting)


class Heard:
    """Listens to answers."""

    def __init__(self) -> None:
        self.answers: list[tuple[str, str]] = []

    def changed(self) -> None:
        """News does not matter here."""

    def answered(self, command: Command, answer: Answer) -> None:
        self.answers.append((command.id, answer.status))


def test_an_answer_that_cannot_be_stored_is_given_when_there_is_room(simulate: Simulate) -> None:
    """Once, and without a restart."""
    simulation = simulate()
    simulation.until_quiet()
    heard = Heard()
    simulation.engine.listen(heard)
    simulation.seams.disk_full = True
    simulation.command("ping")
    simulation.run(30)
    during = list(heard.answers)

    simulation.seams.disk_full = False
    simulation.run(30)

    assert during == []
    assert heard.answers == [("command-1", "ok")]


def test_a_command_from_the_table_is_carried_out_once(simulate: Simulate) -> None:
    """Also when its answer could not be stored at first."""
    simulation = simulate()
    simulation.until_quiet()
    heard = Heard()
    simulation.engine.listen(heard)
    with simulation.database.write() as tx:
        commands.add(tx, Command(name="resync", id="cli-1", source="cli", received=simulation.clock.now()))
    while "cli-1" not in simulation.engine.commands._pending:
        if not simulation.turn():
            simulation.clock.sleep(1)
    simulation.seams.disk_full = True
    before = len(simulation.calls("events.list"))
    simulation.run(60)
    listings = len(simulation.calls("events.list")) - before
    simulation.seams.disk_full = False

    simulation.run(60)

    assert listings <= 5
    assert [command for command, _ in heard.answers] == ["cli-1"]
    known, answer = commands.known(simulation.database.read(), "cli-1", simulation.clock.now())
    assert known and answer is not None
