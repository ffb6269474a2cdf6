"""The judge of health: who stands still, whose clock is wrong, whose sign-in ends; and each in words with a remedy."""

import datetime as dt
import threading
from collections.abc import Callable

import msgspec
import pytest

from addon.app import SLOWEST_STEP, reason_to_end
from addon.heartbeat import judged
from addon.web.views import page
from calbot import health
from calbot.google.transport import ANSWER_SECONDS
from calbot.pulse import Pulse
from calbot.status import Snapshot
from tests.household import ANNA, BOB, INVITE_BOB, NOON
from tests.simulation.machine import VirtualClock
from tests.simulation.simulation import PUSH_URL, Simulation
from tests.web.world import NOW, SNAPSHOT

Simulate = Callable[..., Simulation]
HOUR = 3600.0
POLL = 60.0
"""The default of `poll_interval`."""


def codes(snapshot: Snapshot, now: float = NOW) -> dict[str, str]:
    """The reasons of the verdict, each with its level."""
    return {reason.code: reason.level for reason in health.assess(snapshot, now).reasons}


def with_account(**parts: object) -> Snapshot:
    """All is well but for this."""
    account = msgspec.structs.replace(SNAPSHOT.accounts[0], **parts)
    return msgspec.structs.replace(SNAPSHOT, accounts=(account, *SNAPSHOT.accounts[1:]))


def test_a_worker_that_stands_still_is_a_problem_of_its_account() -> None:
    """With its remedy; the others' accounts are judged as ever."""
    email = SNAPSHOT.accounts[0].email

    verdict = health.assess(msgspec.structs.replace(SNAPSHOT, hung=(email,)), NOW)

    (reason,) = verdict.reasons
    assert (verdict.level, reason.code, reason.account) == ("problem", "hung", email)
    assert email in reason.text and "stood still" in reason.text and reason.remedy == "Restart Calbot."


@pytest.mark.parametrize(("poll", "bound"), [(15, 50.0), (30, 60.0), (60, 120.0), (3600, 120.0), (86400, 120.0)])
def test_standing_still_is_found_out_before_two_polls_are_missed(poll: int, bound: float) -> None:
    """And never sooner than a call to Google may take, with its connection."""
    settings = msgspec.structs.replace(SNAPSHOT.settings, poll_interval=poll)

    assert 40 < health.standstill(settings) < bound


@pytest.mark.parametrize("push", [None, PUSH_URL])
def test_a_hang_is_a_problem_within_two_polls_of_the_default(simulate: Simulate, push: str | None) -> None:
    """Also with healthy push, where a calendar is read every quarter of an hour only, and the heartbeat says so too."""
    simulation = simulate(settings=msgspec.structs.replace(INVITE_BOB, push_url=push))
    simulation.run(20 * 60)
    assert health.assess(simulation.engine.snapshot, simulation.clock.now()).level == "ok"
    healthy = simulation.engine.snapshot.accounts[0].calendars[0].push

    simulation._wake[ANNA] = float("inf")  # Its thread does not come back from what it does.
    began = simulation.clock.now()
    while health.assess(simulation.engine.snapshot, simulation.clock.now()).level != "problem":
        simulation.clock.sleep(1)
        simulation.engine.tend()
        assert simulation.clock.now() - began <= 2 * POLL, "not within two polls"

    snapshot, now = simulation.engine.snapshot, simulation.clock.now()
    assert healthy == ("healthy" if push else "off")
    assert codes(snapshot, now) == {"hung": "problem"}
    assert judged(snapshot, now, watch_silent=0, ping=None).up is False
    assert simulation.engine.longest_silence() >= now - began


def test_a_worker_that_never_comes_back_ends_the_process_where_it_is_started_again(simulate: Simulate) -> None:
    """After three minutes, longer than the slowest answer; under the Supervisor the others' work goes on instead."""
    simulation = simulate()
    simulation.run(300)
    engine = simulation.engine
    well = reason_to_end(engine, supervised=False)

    simulation._wake[ANNA] = float("inf")
    ended: list[float] = []
    began = simulation.clock.now()
    for _ in range(200):
        simulation.clock.sleep(1)
        engine.tend()
        if reason_to_end(engine, supervised=False):
            ended.append(simulation.clock.now() - began)

    assert well is None and 145 <= ended[0] <= 185
    assert ANSWER_SECONDS < SLOWEST_STEP and "stood still" in (reason_to_end(engine, supervised=False) or "")
    assert reason_to_end(engine, supervised=True) is None


def test_a_worker_that_gets_on_is_no_hang(simulate: Simulate) -> None:
    """An hour of waiting for what is due: it says itself that it is there."""
    simulation = simulate()

    silences = []
    for _ in range(720):
        simulation.run(5)
        silences.append(simulation.engine.longest_silence())
        assert simulation.engine.snapshot.hung == ()

    assert max(silences) <= 40 and simulation.engine.pulse.longest_seen() <= 40


def test_who_watches_does_not_count_what_it_slept_through() -> None:
    """A machine that was put to sleep, or a process that was stopped, is no worker's fault: nothing ends for it."""
    clock = VirtualClock(NOON)
    pulse = Pulse(clock)
    pulse.ticked(ANNA)
    pulse.look([ANNA])

    clock.sleep(8 * HOUR)
    pulse.look([ANNA])
    asleep = pulse.longest_seen()
    for _ in range(200):
        clock.sleep(1)
        pulse.look([ANNA])
    stuck = pulse.longest_seen()
    pulse.ticked(ANNA)
    pulse.look([ANNA])

    assert asleep <= 5 and 200 <= stuck <= 206 and pulse.longest_seen() == 0.0


def test_a_slot_at_work_does_not_speak_for_its_worker() -> None:
    """Calls of other threads for the account are no sign of life of the one that decides."""
    clock = VirtualClock(NOON)
    pulse = Pulse(clock)
    pulse.begins(ANNA)
    clock.sleep(100)

    slot = threading.Thread(target=pulse.called, args=(ANNA,))
    slot.start()
    slot.join()
    silent = pulse.silence([ANNA])
    pulse.called(ANNA)

    assert (silent, pulse.silence([ANNA]), pulse.silence([BOB])) == (100.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("off", "said"),
    [
        (None, None),
        (0.0, None),
        (299.0, None),
        (-299.0, None),
        (600.0, "10 minutes ahead of"),
        (-5400.0, "90 minutes behind"),
    ],
)
def test_a_wrong_clock_is_named_with_how_far_and_which_way(off: float | None, said: str | None) -> None:
    """From five minutes on; it is no problem yet, and it goes when it is right."""
    verdict = health.assess(msgspec.structs.replace(SNAPSHOT, clock_off=off), NOW)

    texts = [f"{reason.level}: {reason.text} {reason.remedy}" for reason in verdict.reasons if reason.code == "clock"]
    assert len(texts) == (said is not None)
    assert said is None or (said in texts[0] and "NTP" in texts[0] and texts[0].startswith("degraded"))


@pytest.mark.parametrize(
    ("left", "said"),
    [(None, None), (7 * 24, None), (48.5, None), (47, "in about 47 hours"), (0.4, "within the hour"), (-5, "hour")],
)
def test_a_sign_in_that_ends_soon_is_said_with_the_remedy(left: float | None, said: str | None) -> None:
    """In the last two days: before that there is time."""
    snapshot = with_account(sign_in_ends=None if left is None else NOW + left * HOUR)

    reasons = [reason for reason in health.assess(snapshot, NOW).reasons if reason.code == "sign_in_ends"]

    assert len(reasons) == (said is not None)
    assert said is None or (said in reasons[0].text and "Publish app" in reasons[0].remedy)
    assert all((one.level, one.account) == ("degraded", snapshot.accounts[0].email) for one in reasons)


def test_the_panel_says_once_that_a_sign_in_ends() -> None:
    """It has a sentence of its own, with the day, and from earlier on."""
    snapshot = with_account(sign_in_ends=NOW + HOUR)
    verdict, day = health.assess(snapshot, NOW), "Google ends the sign-in of anna@example.com on Fri 4 Dec."

    shown = page(snapshot, verdict, mqtt_problem=None, outcomes=(), options=(), now=NOW, zone=dt.UTC, endings=(day,))

    assert verdict.level == "degraded" and [one.text for one in shown.advice] == [day]


def test_a_dead_sign_in_is_all_that_is_said_of_its_account() -> None:
    """That it was to end is no news by then."""
    assert set(codes(with_account(signed_in=False, sign_in_ends=NOW + HOUR))) == {"sign_in_needed"}


def test_a_calendar_that_is_not_read_any_more_is_not_well_because_it_failed_only_twice() -> None:
    """Slow failures are few: three polls and a minute without a reading are told, however few they are."""
    calendar = SNAPSHOT.accounts[0].calendars[0]
    failing = msgspec.structs.replace(
        calendar, last_success=NOW - 170, failures=1, problem="timeout", problem_text="Google did not answer in time."
    )
    started = msgspec.structs.replace(with_account(calendars=(failing,)), started_at=NOW - HOUR)

    soon = codes(started, NOW)
    late = codes(started, NOW + 3 * POLL)

    assert "timeout" not in soon and late["timeout"] == "degraded"


def test_a_long_first_reading_is_no_problem_for_half_an_hour() -> None:
    """50,000 events on a slow line: nobody is to restart what gets on."""
    never = msgspec.structs.replace(SNAPSHOT.accounts[0].calendars[0], last_success=None)
    reading = msgspec.structs.replace(with_account(calendars=(never,), syncing=True), started_at=NOW)
    idle = msgspec.structs.replace(with_account(calendars=(never,)), started_at=NOW)

    assert "stale" not in codes(reading, NOW + 1790) and codes(reading, NOW + 1810)["stale"] == "problem"
    assert codes(idle, NOW + 300)["stale"] == "problem"


def test_the_worker_tells_when_its_sign_in_ends_and_since_when_work_waits(simulate: Simulate) -> None:
    """From Google's side to the snapshot."""
    simulation = simulate()
    simulation.world.tokens.consent.testing = True
    simulation.accounts.sign_in(ANNA)
    simulation.run(120)
    account = simulation.engine.snapshot.accounts[0]

    simulation.ask("pause")
    simulation.create()
    simulation.run(120)
    paused = simulation.engine.snapshot.accounts[0]
    simulation.ask("resume")
    simulation.run(120)
    done = simulation.engine.snapshot.accounts[0]

    assert account.sign_in_ends == NOON + 7 * 24 * HOUR and account.waiting_since is None
    assert paused.paused and paused.waiting_since is not None
    assert NOON < paused.waiting_since < simulation.clock.now() - 120
    assert done.waiting_since is None and simulation.invitations() != []
