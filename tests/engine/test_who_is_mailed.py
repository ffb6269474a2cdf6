"""Whom Google mails when rules with different words for it meet on one event: nobody misses an invitation."""

import pytest

from calbot.policy import Rule
from calbot.settings import Settings
from tests.engine.scenes import DAVE, Simulate, begun
from tests.household import BOB

QUIET, LOUD = Rule("quiet", (DAVE,), "none"), Rule("loud", (BOB,), "all")


@pytest.mark.parametrize("first", [QUIET, LOUD], ids=["quiet first", "loud first"])
def test_a_guest_whose_rule_mails_is_mailed_in_either_order(simulate: Simulate, first: Rule) -> None:
    """One write has one answer for all: the loudest of the rules that name somebody gives it."""
    second = LOUD if first is QUIET else QUIET
    on = Rule(first.name, first.invite, first.send_updates, goes_on=True)
    simulation = begun(simulate, settings=Settings(rules=(on, second), time_zone="Europe/Berlin"))

    event = simulation.create()
    simulation.until_quiet()

    assert sorted(simulation.guests(event)) == sorted([BOB, DAVE])
    assert simulation.invitations(BOB) == [event]


def test_a_rule_that_names_nobody_new_mails_nobody(simulate: Simulate) -> None:
    """Bob is on the event already: the quiet rule's guest is put there without a mail to anybody."""
    rules = (Rule("loud", (BOB,), "all", goes_on=True), QUIET)
    simulation = begun(simulate, settings=Settings(rules=rules, time_zone="Europe/Berlin"))

    event = simulation.create(attendees=[{"email": BOB}])
    mails = len(simulation.world.mails)
    simulation.until_quiet()

    assert {BOB, DAVE} <= {*simulation.guests(event)}
    assert len(simulation.world.mails) == mails
