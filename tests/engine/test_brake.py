"""The brake: more invitations than an hour allows wait for a person, or for room; nobody is mailed by accident."""

from collections.abc import Callable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import msgspec
import pytest

from calbot.model import Outcome
from calbot.settings import Settings
from tests.household import ANNA, BOB, CAROL, INVITE_BOB, NOON
from tests.simulation.machine import Crash
from tests.simulation.simulation import DAY, Simulation
from tests.simulation.test_crash_at_every_seam import household

Simulate = Callable[..., Simulation]
THREE = (BOB, "dave@example.org", "erin@example.com")
HOUR = 3600.0


def limited(limit: int, **parts: object) -> Settings:
    """The household with another limit."""
    return msgspec.structs.replace(INVITE_BOB, invites_per_hour=limit, **parts)


def read(simulation: Simulation) -> None:
    """Have everything read now, in a pass of its own."""
    assert simulation.ask("resync").status == "ok"
    simulation.run(2)


def held(simulate: Simulate, count: int = 60, **parts: object) -> Simulation:
    """A simulation whose brake has just stopped a pass of so many events."""
    simulation = simulate(**parts)
    simulation.until_quiet()
    simulation.google.seed_events(ANNA, count)
    simulation.run(70)
    assert simulation.invitations() == []
    assert len(simulation.held_rows()) == count
    return simulation


def most_in_an_hour(times: list[float]) -> int:
    """The most of these instants that lie within any hour."""
    return max((sum(0 <= later - time < HOUR for later in times) for time in times), default=0)


def sent_at(simulation: Simulation) -> list[float]:
    """When each invitation mail went out."""
    return [mail.time for mail in simulation.world.mails if mail.kind == "invitation"]


# A pass that is too much


def test_five_hundred_events_at_once_mail_nobody_before_approve(simulate: Simulate) -> None:
    """None goes out before a person says so, then all, none twice; another account's event does not wait for it."""
    simulation = simulate(signed_in=(ANNA, CAROL))
    simulation.until_quiet()
    simulation.google.seed_events(ANNA, 500)
    carols = simulation.create(CAROL)
    simulation.run(600)
    before = simulation.invitations()
    (braked,) = simulation.notices("brake_on")

    answer = simulation.ask("approve", token=str(braked.data["token"]))
    simulation.until_quiet()

    after = simulation.invitations()
    assert before == [carols]
    assert (braked.data["count"], braked.data["limit"]) == (500, 50)
    assert (answer.status, answer.data["count"]) == ("ok", 500)
    assert len(after) == len(set(after)) == 501
    assert len(simulation.outcomes("invited")) == 501
    assert len(simulation.notices("brake_released")) == 1
    assert simulation.held_rows() == []


def test_each_held_event_says_so_once(simulate: Simulate) -> None:
    """One outcome for each, with the brake as its reason and what to do; one notice for all; the panel counts them."""
    simulation = held(simulate)
    simulation.run(HOUR)

    outcomes = simulation.outcomes("held")
    assert len(outcomes) == 60
    assert {(outcome.reason, outcome.retry_at) for outcome in outcomes} == {("brake", None)}
    assert all("approve" in (outcome.reason_text or "") for outcome in outcomes)
    assert len(simulation.notices("brake_on")) == 1
    assert simulation.engine.snapshot.accounts[0].held == 60


@pytest.mark.parametrize(("count", "invited"), [(50, 50), (51, 0)])
def test_the_limit_itself_is_allowed(simulate: Simulate, count: int, invited: int) -> None:
    """Fifty at once go out, fifty-one are held: all of them."""
    simulation = simulate()
    simulation.until_quiet()

    simulation.google.seed_events(ANNA, count)
    simulation.run(300)

    assert len(simulation.invitations()) == invited
    assert len(simulation.held_rows()) == count - invited


def test_the_limit_is_one_for_all_accounts(simulate: Simulate) -> None:
    """Thirty of Anna's and then thirty of Carol's within the hour are more than fifty."""
    simulation = simulate(signed_in=(ANNA, CAROL))
    simulation.until_quiet()
    simulation.google.seed_events(ANNA, 30)
    simulation.run(130)

    simulation.google.seed_events(CAROL, 30, prefix="other")
    simulation.run(130)

    assert len(simulation.invitations()) == 30
    assert len(simulation.held_rows()) == 30


def test_guests_are_counted_not_events(simulate: Simulate) -> None:
    """Twenty events with three guests each are sixty invitations."""
    simulation = simulate(settings=limited(50, invite_emails=THREE))
    simulation.until_quiet()

    simulation.google.seed_events(ANNA, 20)
    simulation.run(130)

    assert simulation.invitations() == []
    assert [notice.data["count"] for notice in simulation.notices("brake_on")] in ([20], [60])


def test_held_work_does_not_count_as_sent(simulate: Simulate) -> None:
    """What comes while a pass is held goes out at once, and the held stays held."""
    simulation = held(simulate)

    event = simulation.create()
    read(simulation)

    assert simulation.invitations() == [event]
    assert len(simulation.held_rows()) == 60


def test_approved_work_counts_as_sent(simulate: Simulate) -> None:
    """After sixty approved ones the hour is full: the next single event waits."""
    simulation = held(simulate)
    simulation.ask("approve")
    simulation.run(60)
    count = len(simulation.invitations())

    event = simulation.create()
    read(simulation)

    assert (count, len(simulation.invitations())) == (60, 60)
    assert [o.key.event for o in simulation.outcomes("held") if o.retry_at is not None] == [event]


def test_a_calendar_at_first_sight_is_braked_too(simulate: Simulate) -> None:
    """`invite_future` on a full calendar mails nobody before approve."""
    simulation = simulate(settings=limited(50, first_sync="invite_future"), signed_in=())
    simulation.google.seed_events(ANNA, 80)
    simulation.accounts.sign_in(ANNA)
    simulation.run(300)
    before = simulation.invitations()

    simulation.ask("approve")
    simulation.until_quiet()

    assert before == []
    assert len(set(simulation.invitations())) == len(simulation.invitations()) == 80


def test_one_event_with_more_guests_than_any_hour_has_room_for_is_held(simulate: Simulate) -> None:
    """Waiting would not help it, so a person decides."""
    simulation = simulate(settings=limited(2, invite_emails=THREE))
    simulation.until_quiet()
    event = simulation.create()
    simulation.run(3 * HOUR)
    before = list(simulation.world.mails)
    outcomes = simulation.outcomes("held")

    simulation.ask("approve")
    simulation.until_quiet()

    assert before == []
    assert [(outcome.key.event, outcome.retry_at) for outcome in outcomes] == [(event, None)]
    assert [outcome.guests_added for outcome in simulation.outcomes("invited")] == [THREE]


# What a person says to it


def test_discarded_invitations_are_never_sent(simulate: Simulate) -> None:
    """Neither then, nor when an event changes, nor after a restart; and it is said that the brake let go."""
    simulation = held(simulate)

    answer = simulation.ask("discard")
    simulation.google.edit_event(ANNA, "seed0000003", {"summary": "Changed"})
    simulation.run(130)
    simulation.restart()
    simulation.google.edit_event(ANNA, "seed0000004", {"summary": "Changed as well"})
    simulation.until_quiet()

    assert (answer.status, answer.data["count"]) == ("ok", 60)
    assert simulation.invitations() == []
    assert simulation.held_rows() == []
    assert len(simulation.notices("brake_released")) == 1
    assert simulation.history("seed0000000") == [("discarded", "brake")]


def test_approve_names_one_run_and_leaves_the_other(simulate: Simulate) -> None:
    """Two passes are held; the one whose token is given goes out."""
    simulation = held(simulate)
    simulation.google.seed_events(ANNA, 70, prefix="more", first="2026-12-05T08:00:00Z")
    simulation.run(70)
    first, second = (str(notice.data["token"]) for notice in simulation.notices("brake_on"))

    answer = simulation.ask("approve", token=second)
    simulation.until_quiet()
    left = {str(row[2]) for row in simulation.held_rows()}

    assert answer.data["count"] == 70
    assert len(simulation.invitations()) == 70
    assert all(event.startswith("more") for event in simulation.invitations())
    assert left == {first}


@pytest.mark.parametrize("first", ["approve", "discard"])
@pytest.mark.parametrize("second", ["approve", "discard"])
def test_what_is_decided_is_decided_once(simulate: Simulate, first: str, second: str) -> None:
    """The second word finds nothing held and changes nothing."""
    simulation = held(simulate)
    token = str(simulation.notices("brake_on")[0].data["token"])
    simulation.ask(first, token=token)

    answers = [simulation.ask(second, token=token), simulation.ask(second)]
    simulation.until_quiet()

    assert [(answer.status, answer.code) for answer in answers] == [("error", "not_found")] * 2
    invited = simulation.invitations()
    assert len(invited) == len(set(invited)) == (60 if first == "approve" else 0)
    assert len(simulation.notices("brake_released")) == 1


@pytest.mark.parametrize("command", ["approve", "discard"])
def test_there_is_nothing_to_decide_where_nothing_is_held(simulate: Simulate, command: str) -> None:
    """With or without a token the answer says so."""
    simulation = simulate()
    simulation.until_quiet()

    answers = [simulation.ask(command), simulation.ask(command, token="run-of-yesterday")]

    assert [(answer.status, answer.code) for answer in answers] == [("error", "not_found")] * 2
    assert all(answer.message for answer in answers)


def test_approved_invitations_survive_a_kill(simulate: Simulate) -> None:
    """Killed in the middle of what was approved: the rest goes out afterwards, without a second approve."""
    simulation = held(simulate)
    simulation.ask("approve")
    while len(simulation.invitations()) < 20:
        if not simulation.turn():
            simulation.clock.sleep(0.01)
    simulation.restart()

    simulation.until_quiet()

    invited = simulation.invitations()
    assert len(invited) == len(set(invited)) == 60
    assert len(simulation.outcomes("invited")) == 60
    assert simulation.held_rows() == []


def test_held_work_survives_a_restart(simulate: Simulate) -> None:
    """It is still held, is not said again, and can be approved."""
    simulation = held(simulate)

    simulation.restart()
    simulation.run(300)
    before = simulation.invitations()
    answer = simulation.ask("approve")
    simulation.until_quiet()

    assert before == []
    assert answer.data["count"] == 60
    assert len(simulation.invitations()) == len(set(simulation.invitations())) == 60
    assert len(simulation.outcomes("held")) == 60


# What happens to an event while it is held


def test_an_event_edited_while_it_is_held_stays_held(simulate: Simulate) -> None:
    """It is not invited for the edit, not said again to be held; once approved, its new version is invited to."""
    simulation = held(simulate)
    simulation.google.edit_event(ANNA, "seed0000007", {"location": "At home"})
    simulation.google.add_guest(ANNA, "seed0000008", "heidi@example.net")
    simulation.run(130)
    before, said = simulation.invitations(), len(simulation.outcomes("held"))

    answer = simulation.ask("approve")
    simulation.until_quiet()

    assert (before, said) == ([], 60)
    assert answer.data["count"] == 60
    assert len(simulation.invitations()) == len(set(simulation.invitations())) == 60
    assert simulation.document("seed0000007")["location"] == "At home"
    assert "heidi@example.net" in simulation.guests("seed0000008")
    assert [o.event.location for o in simulation.outcomes("invited") if o.event and o.key.event == "seed0000007"] == [
        "At home"
    ]


def test_an_event_cancelled_while_it_is_held_is_dropped(simulate: Simulate) -> None:
    """Approve no longer counts it; so with one that became private."""
    simulation = held(simulate)
    simulation.google.delete_event(ANNA, "seed0000007")
    simulation.google.edit_event(ANNA, "seed0000008", {"visibility": "private"})
    simulation.run(130)

    answer = simulation.ask("approve")
    simulation.until_quiet()

    assert answer.data["count"] == 58
    assert len(simulation.invitations()) == 58
    assert not {"seed0000007", "seed0000008"} & set(simulation.invitations())


def test_an_event_cancelled_just_before_approve_is_not_invited(simulate: Simulate) -> None:
    """Calbot has not read of it yet; the fresh look or the etag tells."""
    simulation = held(simulate)
    simulation.google.delete_event(ANNA, "seed0000007")
    simulation.google.edit_event(ANNA, "seed0000008", {"visibility": "private"})

    simulation.ask("approve")
    simulation.until_quiet()

    assert len(simulation.invitations()) == 58
    assert simulation.outcomes("failed") == []


def test_a_guest_whom_somebody_invites_meanwhile_gets_no_second_mail(simulate: Simulate) -> None:
    """Anna invites Bob by hand while we wait for her word."""
    simulation = held(simulate)
    simulation.google.add_guest(ANNA, "seed0000007", BOB)
    simulation.run(130)

    simulation.ask("approve")
    simulation.until_quiet()

    assert simulation.invitations().count("seed0000007") == 1
    assert simulation.guests("seed0000007").count(BOB) == 1


def test_held_events_that_are_over_are_dropped(simulate: Simulate) -> None:
    """Nobody is asked about the past for ever."""
    simulation = simulate()
    simulation.until_quiet()
    simulation.google.seed_events(ANNA, 60, first="2026-11-20T13:00:00Z", minutes_apart=1)
    simulation.google.seed_events(ANNA, 1, first="2026-12-24T13:00:00Z", prefix="later")
    simulation.run(70)
    before = len(simulation.held_rows())

    simulation.run(DAY + HOUR)
    answer = simulation.ask("approve")
    simulation.until_quiet()

    assert before == 61
    assert answer.data["count"] == 1
    assert len(simulation.invitations()) == 1


def test_held_events_that_are_over_are_dropped_even_if_approved_late(simulate: Simulate) -> None:
    """Whoever approves when all is over is told that nothing is held, or mails nobody all the same."""
    simulation = simulate()
    simulation.until_quiet()
    simulation.google.seed_events(ANNA, 60, first="2026-11-20T13:00:00Z", minutes_apart=0)
    simulation.run(70)
    simulation.die()
    simulation.clock.to(NOON + 3 * HOUR)
    simulation.start()

    simulation.ask("approve")
    simulation.until_quiet()

    assert simulation.invitations() == []
    assert simulation.held_rows() == []


# One event over the limit


def test_single_events_are_braked_at_the_limit_and_go_on_by_themselves(simulate: Simulate) -> None:
    """Sixty in an hour, one at a time: the fifty-first waits, says until when, and goes out then. Nobody approves."""
    simulation = simulate()
    simulation.until_quiet()
    events: list[str] = []
    invited: list[str] = []
    outcomes: list[Outcome] = []
    for _ in range(60):
        events.append(simulation.create(summary=f"Dinner {len(events)}"))
        start = simulation.clock.now()
        read(simulation)
        if len(events) == 51:
            invited, outcomes = simulation.invitations(), simulation.outcomes("held")
        simulation.run(start + 59 - simulation.clock.now())
    (braked,) = outcomes
    until = braked.retry_at or 0.0
    simulation.run(until - simulation.clock.now() - 30)
    before = len(simulation.invitations())
    simulation.run(60)
    after = simulation.invitations()

    simulation.until_quiet()

    assert invited == events[:50]
    assert (braked.key.event, braked.reason) == (events[50], "brake")
    assert until == pytest.approx(sent_at(simulation)[0] + HOUR, abs=60)
    assert f"{datetime.fromtimestamp(until, UTC).astimezone(ZoneInfo('Europe/Berlin')):%H:%M}" in str(
        braked.reason_text
    )
    assert (before, len(after), after[50]) == (50, 51, events[50])
    assert simulation.invitations() == events
    assert most_in_an_hour(sent_at(simulation)) <= 50
    assert simulation.notices("brake_on") == []
    assert simulation.held_rows() == []


def waiting(simulate: Simulate) -> tuple[Simulation, str, float]:
    """A simulation whose second event waits for room, with its id and until when."""
    simulation = simulate(settings=limited(1))
    simulation.until_quiet()
    simulation.create(summary="First")
    read(simulation)
    event = simulation.create(summary="Second")
    read(simulation)
    (outcome,) = simulation.outcomes("held")
    assert outcome.key.event == event
    assert outcome.retry_at is not None
    return simulation, event, outcome.retry_at


def test_an_event_that_waits_survives_a_restart(simulate: Simulate) -> None:
    """It goes out at the time that was said, not before."""
    simulation, event, until = waiting(simulate)

    simulation.restart()
    simulation.run(until - simulation.clock.now() - 30)
    before = simulation.invitations()
    simulation.run(90)

    assert event not in before
    assert simulation.invitations().count(event) == 1
    assert len(simulation.outcomes("held")) == 1


def test_a_raised_limit_lets_a_waiting_event_go(simulate: Simulate) -> None:
    """At once, without waiting for the time that was said."""
    simulation, event, _until = waiting(simulate)

    simulation.ask("set", key="invites_per_hour", value=10)
    simulation.run(60)

    assert simulation.invitations().count(event) == 1


def test_a_raised_limit_approves_nothing_that_is_held(simulate: Simulate) -> None:
    """What waits for a person's word goes on waiting for it."""
    simulation = held(simulate)

    simulation.ask("set", key="invites_per_hour", value=1000)
    simulation.run(300)

    assert simulation.invitations() == []
    assert len(simulation.held_rows()) == 60


def test_a_lowered_limit_holds_from_then_on(simulate: Simulate) -> None:
    """Two go out, then the limit is one: the next one waits until fewer than one was sent in the last hour."""
    simulation = simulate()
    simulation.until_quiet()
    for number in range(2):
        simulation.create(summary=f"Dinner {number}")
        read(simulation)
    simulation.ask("set", key="invites_per_hour", value=1)

    event = simulation.create(summary="One more")
    read(simulation)
    before = simulation.invitations()
    simulation.run(HOUR + 120)

    assert len(before) == 2
    assert simulation.invitations()[2:] == [event]


def test_an_event_that_waits_and_is_edited_keeps_its_place(simulate: Simulate) -> None:
    """It still goes out at its time, in its new version, and says no second time that it waits."""
    simulation, event, until = waiting(simulate)

    simulation.google.edit_event(ANNA, event, {"location": "At home"})
    read(simulation)
    before = simulation.invitations()
    simulation.run(until - simulation.clock.now() + 60)

    assert event not in before
    assert simulation.invitations().count(event) == 1
    assert simulation.document(event)["location"] == "At home"
    assert len(simulation.outcomes("held")) == 1


def test_an_event_that_waits_and_is_cancelled_is_dropped(simulate: Simulate) -> None:
    """Its place is free for the next one."""
    simulation, event, until = waiting(simulate)

    simulation.google.delete_event(ANNA, event)
    read(simulation)
    third = simulation.create(summary="Third")
    read(simulation)
    simulation.run(until - simulation.clock.now() + 60)

    assert simulation.invitations()[1:] == [third]


# Removals


def invited_in_a_burst(simulate: Simulate, count: int) -> tuple[Simulation, list[str]]:
    """So many events, all invited to."""
    simulation = simulate()
    simulation.until_quiet()
    events = [simulation.create(summary=f"Dinner {number}") for number in range(count)]
    simulation.run(90)
    assert sorted(simulation.invitations()) == sorted(events)
    return simulation, events


def test_more_removals_than_the_limit_need_a_confirmation(simulate: Simulate) -> None:
    """Seven at once are asked about first; nothing is taken off before the token comes back, then all are."""
    simulation, events = invited_in_a_burst(simulate, 7)

    asked = simulation.ask("undo", minutes=60)
    simulation.run(120)
    between = [simulation.guests(event) for event in events]
    answer = simulation.ask("undo", minutes=60, confirm=str(asked.data["confirm_token"]))

    assert (asked.status, asked.code, asked.data["count"]) == ("error", "confirm_required", 7)
    assert between == [[BOB]] * 7
    assert (answer.status, answer.data["undone"], answer.data["left"]) == ("ok", 7, 0)
    assert [simulation.guests(event) for event in events] == [[]] * 7


def test_a_wrong_confirmation_takes_nobody_off(simulate: Simulate) -> None:
    """A made-up token, or one that was meant for another undo, is none."""
    simulation, events = invited_in_a_burst(simulate, 7)
    token = str(simulation.ask("undo", minutes=60).data["confirm_token"])
    more = [simulation.create(summary=f"More {number}") for number in range(2)]
    simulation.run(90)

    answers = [
        simulation.ask("undo", minutes=60, confirm="yes"),
        simulation.ask("undo", minutes=60, confirm=token),
    ]
    simulation.run(60)

    assert {answer.status for answer in answers} == {"error"}
    assert [simulation.guests(event) for event in [*events, *more]] == [[BOB]] * 9


def test_few_removals_need_no_confirmation(simulate: Simulate) -> None:
    """Five are taken off at once."""
    simulation, events = invited_in_a_burst(simulate, 5)

    answer = simulation.ask("undo", minutes=60)

    assert (answer.status, answer.data["undone"]) == ("ok", 5)
    assert [simulation.guests(event) for event in events] == [[]] * 5


def test_guests_that_a_rule_gained_meanwhile_are_counted_too(simulate: Simulate) -> None:
    """Two invitations wait for the end of a pause; by then each event has two guests, and the hour room for two."""
    simulation = simulate(settings=limited(2))
    simulation.until_quiet()
    simulation.ask("pause")
    for number in range(2):
        simulation.create(summary=f"Dinner {number}")
    simulation.run(70)
    simulation.restart(limited(2, invite_emails=(BOB, "dave@example.org")))

    simulation.ask("resume")
    simulation.run(HOUR - 200)

    assert len(sent_at(simulation)) <= 2


# Invitations whose answer was lost


def undecided(simulate: Simulate) -> tuple[Simulation, str]:
    """An invitation that never arrived, to an event that was changed before anybody could look: a person decides."""
    simulation = simulate()
    simulation.until_quiet()
    event = simulation.create()
    simulation.google.add_fault("closeBefore", operation="events.patch")

    def meanwhile() -> None:
        if 0 in simulation.calls("events.patch") and simulation.document(event)["summary"] == "Dinner":
            simulation.google.edit_event(ANNA, event, {"summary": "Changed"})

    simulation.wire.during = meanwhile
    simulation.until_quiet()
    assert [(row[0], row[3]) for row in simulation.held_rows()] == [(event, "conflict")]
    return simulation, event


def test_an_undecided_invitation_goes_on_when_it_is_approved(simulate: Simulate) -> None:
    """It is looked at afresh, and sent once."""
    simulation, event = undecided(simulate)

    answer = simulation.ask("approve")
    simulation.until_quiet()

    assert (answer.status, answer.data["count"]) == ("ok", 1)
    assert simulation.invitations() == [event]
    assert len(simulation.outcomes("invited")) == 1


def test_an_undecided_invitation_that_was_settled_by_hand_is_not_sent_again(simulate: Simulate) -> None:
    """Anna invited Bob herself before she approved."""
    simulation, event = undecided(simulate)
    simulation.google.add_guest(ANNA, event, BOB)

    simulation.ask("approve")
    simulation.until_quiet()

    assert simulation.invitations() == [event]
    assert len([written for written in simulation.wire.written if written.added]) == 0


def test_an_undecided_invitation_is_dropped_when_it_is_discarded(simulate: Simulate) -> None:
    """Then and for good."""
    simulation, event = undecided(simulate)

    simulation.ask("discard")
    simulation.google.edit_event(ANNA, event, {"location": "At home"})
    simulation.until_quiet()

    assert simulation.invitations() == []
    assert simulation.held_rows() == []


# Kills


def decide_about_four(simulation: Simulation, word: str) -> tuple[list[str], int]:
    """Four events are held and a person decides; the events, and the seams before that. As in test_undo."""
    simulation.settings = limited(3)
    simulation.live()
    events = [simulation.create(summary=f"Dinner {number}") for number in range(4)]
    simulation.plan(61.0, lambda: None)
    simulation.live()
    before = len(simulation.seams.crossed)
    try:
        simulation.ask(word)
    except Crash:
        simulation.die()
        simulation.live()
        simulation.take_up()
    simulation.plan(300.0, lambda: None)
    simulation.live()
    return events, before


@pytest.mark.parametrize("word", ["approve", "discard"])
def test_a_crash_anywhere_while_a_person_decides_changes_nothing(word: str) -> None:
    """Killed at every seam of it: all four are invited once, or none of them ever; and it is said once."""
    with household() as simulation:
        _, first = decide_about_four(simulation, word)
        seams = simulation.seams.crossed[first:]
    bad: dict[str, object] = {}
    fired = 0

    for number, place in enumerate(seams, first + 1):
        with household(crash_at=frozenset({number})) as simulation:
            events, _ = decide_about_four(simulation, word)
            fired += len(simulation.seams.fired)
            for event in events:
                simulation.google.edit_event(ANNA, event, {"location": "At home"})
            asked = simulation.answer_to("command-1") is not None
            simulation.live()
            invited = simulation.invitations()
            wanted = sorted(events) if word == "approve" and asked else []
            rows = [*simulation.open_rows(), *simulation.trouble, *(simulation.held_rows() if asked else [])]
            released = len(simulation.notices("brake_released"))
            if sorted(invited) != wanted or rows or released != asked:
                bad[f"{number} {place}"] = (invited, rows, asked, released)

    assert bad == {}
    assert fired >= 0.9 * len(seams)
    assert len(seams) > 3
