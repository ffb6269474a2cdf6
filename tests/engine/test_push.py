"""The push door believes only its own channels; channels come, stay, are renewed and go; polling needs none of it."""

import json
from collections.abc import Callable

import msgspec
import pytest

from calbot.health import assess
from calbot.schedule import BURST, REFILL_SECONDS
from calbot.settings import Settings
from tests.google_server.errors import push_not_supported
from tests.google_server.values import Request, Response
from tests.household import ANNA, BOB, rows
from tests.simulation.simulation import DAY, PUSH_URL, Simulation

Simulate = Callable[..., Simulation]
WITH_PUSH = Settings(invite_emails=(BOB,), push_url=PUSH_URL, time_zone="Europe/Berlin")


def test_300_forged_pushes_cost_nothing(simulate: Simulate) -> None:
    """No call to Google, no write to the disk; they are counted in memory."""
    simulation = simulate(settings=WITH_PUSH)
    simulation.until_quiet()
    channel, _token = simulation.channel_of()
    calls, commits = len(simulation.world.calls), simulation.seams.commits

    for number in range(300):
        name = channel.id if number % 2 else f"calbot-{number}"
        assert not simulation.engine.on_push(name, f"guess {number}", channel.resource_id or "", "exists")
    while simulation.turn():
        pass

    assert len(simulation.world.calls) == calls
    assert simulation.seams.commits == commits
    assert simulation.engine.snapshot.pushes_refused == 300


@pytest.mark.parametrize("what", ["token", "empty token", "odd token", "resource", "channel", "expired"])
def test_a_push_that_is_not_of_our_channel_is_refused(simulate: Simulate, what: str) -> None:
    """Token, resource, channel and expiry are checked, whatever bytes they are made of."""
    simulation = simulate(settings=WITH_PUSH)
    simulation.until_quiet()
    channel, token = simulation.channel_of()
    heard = [channel.id, token, channel.resource_id or "", "exists"]
    before = len(simulation.world.calls)
    match what:
        case "token":
            heard[1] = token[:-1] + ("0" if token[-1] != "0" else "1")
        case "empty token":
            heard[1] = ""
        case "odd token":
            heard[1] = "\u00e9\udcff" * 32
        case "resource":
            heard[2] = "resource-of-somebody-else"
        case "channel":
            heard[0] = "calbot-unknown"
        case _:
            known = simulation.engine.workers[ANNA].channels
            known._channels = {channel.id: msgspec.structs.replace(channel, expires=simulation.clock.now() - 1)}

    believed = simulation.engine.on_push(*heard)

    assert not believed
    assert len(simulation.world.calls) == before
    assert not simulation.engine.workers[ANNA].inbox._items


def test_a_genuine_push_is_believed(simulate: Simulate) -> None:
    """What the forged ones lack is all it takes."""
    simulation = simulate(settings=WITH_PUSH)
    simulation.until_quiet()
    channel, token = simulation.channel_of()

    assert simulation.engine.on_push(channel.id, token, channel.resource_id or "", "exists")


def test_a_pushed_event_is_invited_within_a_second(simulate: Simulate) -> None:
    """Push is what makes it quick."""
    simulation = simulate(settings=WITH_PUSH)
    simulation.until_quiet()
    simulation.run(200)

    event = simulation.create()
    simulation.run(1)

    assert simulation.invitations() == [event]
    assert [outcome.source for outcome in simulation.outcomes("invited")] == ["push"]


def test_a_channel_is_opened_and_kept_over_restarts(simulate: Simulate) -> None:
    """One channel for the calendar, in every life the same one, and it is still listened to."""
    simulation = simulate(settings=WITH_PUSH)
    simulation.until_quiet()
    first, _ = simulation.channel_of()

    for _ in range(3):
        simulation.restart()
        simulation.until_quiet()
        simulation.run(100)
    event = simulation.create()
    simulation.run(1)

    assert simulation.channel_of()[0].id == first.id
    assert len(simulation.calls("events.watch")) == 1
    assert simulation.invitations() == [event]


def test_a_channel_is_renewed_with_overlap(simulate: Simulate) -> None:
    """A day before it runs out another is opened, and only then the old one is stopped."""
    simulation = simulate(settings=WITH_PUSH)
    simulation.until_quiet()
    first, _ = simulation.channel_of()
    assert first.expires is not None

    simulation.clock.sleep(5.9 * DAY)
    simulation.run(0.2 * DAY)

    second, _ = simulation.channel_of()
    about = [c for c in simulation.world.calls if c.operation in {"events.watch", "channels.stop"}]
    assert [(call.operation, call.status) for call in about] == [
        ("events.watch", 200),
        ("events.watch", 200),
        ("channels.stop", 204),
    ]
    assert second.id != first.id
    assert about[1].time < first.expires - 0.9 * DAY
    assert [channel["id"] for channel in simulation.google.channels()] == [second.id]
    assert len(simulation.notices("channel_renewed")) == 1
    assert simulation.engine.snapshot.accounts[0].calendars[0].push == "healthy"


def test_channels_go_when_the_address_changes(simulate: Simulate) -> None:
    """Another push_url brings another channel; the old one is stopped, and without an address none is left."""
    simulation = simulate(settings=WITH_PUSH)
    simulation.until_quiet()

    simulation.restart(msgspec.structs.replace(WITH_PUSH, push_url="https://example.org/other"))
    simulation.until_quiet()
    elsewhere = [channel["address"] for channel in simulation.google.channels()]
    simulation.restart(msgspec.structs.replace(WITH_PUSH, push_url=None))
    simulation.until_quiet()
    simulation.run(60)

    assert elsewhere == ["https://example.org/other"]
    assert simulation.google.channels() == []


def test_push_that_google_refuses_falls_back_to_polling_and_says_so(simulate: Simulate) -> None:
    """The address is not authorised: told once, not asked for again all day, and events are found by polls."""
    simulation = simulate(settings=WITH_PUSH)
    simulation.world.switches.push_unauthorized = True
    simulation.until_quiet()

    event = simulation.create()
    simulation.run(3600)

    (notice,) = simulation.notices("channel_failed")
    assert PUSH_URL in notice.text
    assert simulation.calls("events.watch") == [401, 401], "the second is with a renewed token"
    assert 59 <= len(simulation.calls("events.list")) <= 63
    assert simulation.invitations() == [event]
    assert simulation.engine.snapshot.accounts[0].calendars[0].push == "failed"


def test_a_channel_whose_answer_was_lost_is_learnt_from_its_first_push(simulate: Simulate) -> None:
    """Google opened it and nobody heard: its own sync message tells, and no second channel is opened for it."""
    simulation = simulate(settings=WITH_PUSH)
    simulation.google.add_fault("closeAfter", operation="events.watch")

    simulation.until_quiet()
    simulation.run(3600)

    assert len(simulation.google.channels()) == 1
    assert simulation.engine.snapshot.accounts[0].calendars[0].push == "healthy"


def test_polls_come_every_minute_without_push(simulate: Simulate) -> None:
    """Sixty listings an hour, and nothing else."""
    simulation = simulate()
    simulation.until_quiet()
    simulation.google.reset_calls()

    simulation.run(3600)

    assert 59 <= len(simulation.calls("events.list")) <= 61
    assert {call.operation for call in simulation.world.calls} <= {"events.list", "oauth.token"}


def test_polls_come_every_quarter_of_an_hour_with_healthy_push(simulate: Simulate) -> None:
    """Four listings an hour."""
    simulation = simulate(settings=WITH_PUSH)
    simulation.until_quiet()
    simulation.google.reset_calls()

    simulation.run(3600)

    assert 3 <= len(simulation.calls("events.list")) <= 4


def test_lost_pushes_are_made_good_by_the_next_poll(simulate: Simulate) -> None:
    """Nothing waits longer than a quarter of an hour."""
    simulation = simulate(settings=WITH_PUSH)
    simulation.until_quiet()
    simulation.google.lose_pushes(1000)

    event = simulation.create()
    simulation.run(901)

    assert simulation.invitations() == [event]


@pytest.mark.parametrize("seed", range(5))
def test_our_own_echo_costs_at_most_one_listing(simulate: Simulate, seed: int) -> None:
    """However many events we invited to, the pushes of our own writes are answered together."""
    simulation = simulate(settings=WITH_PUSH, seed=seed)
    simulation.until_quiet()
    simulation.run(60)
    simulation.google.reset_calls()

    for number in range(10):
        simulation.create(summary=f"Dinner {number}")
    simulation.run(60)

    assert len(simulation.invitations()) == 10
    assert len(simulation.calls("events.list")) <= 2
    assert len(simulation.calls("events.patch")) == 10
    assert {call.operation for call in simulation.world.calls} <= {"events.list", "events.patch", "oauth.token"}


def test_replayed_pushes_are_answered_in_moderation(simulate: Simulate) -> None:
    """A genuine push, replayed a thousand times in a minute, costs a listing a second at the most, after a burst."""
    simulation = simulate(settings=WITH_PUSH)
    simulation.until_quiet()
    channel, token = simulation.channel_of()
    simulation.google.reset_calls()
    start = simulation.clock.now()

    for _ in range(1000):
        simulation.engine.on_push(channel.id, token, channel.resource_id or "", "exists")
        simulation.run(0.06)

    seconds = simulation.clock.now() - start
    assert len(simulation.calls("events.list")) <= BURST + seconds / REFILL_SECONDS + 1


def answering_watches(simulation: Simulation, change: Callable[[dict[str, object]], object]) -> None:
    """Let Google's answers to `watch` be changed on their way."""

    def amend(request: Request, answer: Response) -> None:
        if request.path.endswith("/watch") and answer.status == 200:
            document = json.loads(answer.body)
            change(document)
            answer.body = json.dumps(document).encode()

    simulation.wire.amend = amend


def test_a_channel_that_lives_an_hour_is_renewed_halfway(simulate: Simulate) -> None:
    """However short Google makes it, opening the next one takes its time."""
    simulation = simulate(settings=WITH_PUSH)
    answering_watches(
        simulation, lambda document: document.update(expiration=str(int((simulation.clock.now() + 3600) * 1000)))
    )

    simulation.until_quiet()
    simulation.run(6 * 3600)

    assert 11 <= simulation.calls("events.watch").count(200) <= 14
    assert simulation.engine.snapshot.accounts[0].calendars[0].push == "healthy"


@pytest.mark.parametrize("told", ["nothing", "the past"])
def test_a_channel_whose_end_is_not_told_is_kept_for_a_week(simulate: Simulate, told: str) -> None:
    """One call, and then the next one six days later."""
    simulation = simulate(settings=WITH_PUSH)
    gone_by = str(int((simulation.clock.now() - DAY) * 1000))
    answering_watches(
        simulation,
        lambda document: document.pop("expiration") if told == "nothing" else document.update(expiration=gone_by),
    )
    simulation.until_quiet()

    simulation.run(3600)
    in_the_first_hour = simulation.calls("events.watch").count(200)
    simulation.clock.sleep(6 * DAY)
    simulation.run(3600)

    assert in_the_first_hour == 1
    assert simulation.calls("events.watch").count(200) == 2


def test_a_calendar_without_push_is_polled_and_nothing_is_wrong(simulate: Simulate) -> None:
    """Google pushes no holidays: that is no failure, and not asked for again all day."""
    simulation = simulate(settings=WITH_PUSH)

    def amend(request: Request, answer: Response) -> None:
        if request.path.endswith("/watch"):
            answer.status, answer.body = 400, json.dumps(push_not_supported().document()).encode()

    simulation.wire.amend = amend
    simulation.until_quiet()
    simulation.run(3600)

    assert len(simulation.calls("events.watch")) == 1
    assert len(simulation.calls("events.list")) >= 59
    assert simulation.notices("channel_failed") == []
    assert simulation.engine.snapshot.accounts[0].calendars[0].push == "off"
    assert assess(simulation.engine.snapshot, simulation.clock.now()).level == "ok"


def test_a_channel_that_surely_was_not_opened_is_not_listened_for(simulate: Simulate) -> None:
    """Google said no: nothing of it stays, in memory or on the disk."""
    simulation = simulate(settings=WITH_PUSH)
    simulation.google.add_fault("userRateLimitExceeded", operation="events.watch", count=1)

    while not simulation.calls("events.watch"):
        assert simulation.turn()

    assert simulation.engine.workers[ANNA].channels._channels == {}
    assert rows(simulation.database, "SELECT id FROM channel") == []


def test_a_full_disk_gathers_no_channels(simulate: Simulate) -> None:
    """Each try is written down before it is remembered; with room again one channel is opened."""
    simulation = simulate(settings=WITH_PUSH)
    simulation.seams.disk_full = True
    simulation.run(300)
    during = dict(simulation.engine.workers[ANNA].channels._channels)

    simulation.seams.disk_full = False
    simulation.until_quiet()

    assert during == {}
    assert len(simulation.calls("events.watch")) == 1
