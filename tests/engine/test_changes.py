"""Changes on calendars are noticed, each once, whatever Google answers meanwhile."""

import json
from collections.abc import Callable

import pytest

from calbot.settings import Settings
from tests.google_server.values import Request, Response
from tests.household import ANNA, BOB
from tests.simulation.simulation import PUSH_URL, Simulation

Simulate = Callable[..., Simulation]
WITH_PUSH = Settings(invite_emails=(BOB,), push_url=PUSH_URL, time_zone="Europe/Berlin")
INVITE_FUTURE = Settings(invite_emails=(BOB,), first_sync="invite_future", time_zone="Europe/Berlin")


def emptied(request: Request, answer: Response) -> None:
    """Let full listings name nothing, as a broken index does."""
    if request.method == "GET" and request.path.endswith("/events") and request.one("syncToken") is None:
        document = json.loads(answer.body)
        answer.body = json.dumps({**document, "items": []}).encode()


def test_a_push_in_the_middle_of_a_sync_causes_exactly_one_more(simulate: Simulate) -> None:
    """What a listing under way no longer sees is read by one further listing, and no more than one."""
    simulation = simulate(settings=WITH_PUSH)
    simulation.until_quiet()
    before = len(simulation.calls("events.list"))
    simulation.create(summary="First", visibility="private")
    times = 0

    def meanwhile() -> None:
        nonlocal times
        times += 1
        if times == 2:  # Google has worked on the listing; its answer is on the way.
            simulation.create(summary="Second", visibility="private")
            simulation.deliver_pushes()

    simulation.wire.during = meanwhile
    simulation.until_quiet()
    simulation.run(30)

    assert [outcome.event.title for outcome in simulation.outcomes("event_created") if outcome.event] == [
        "First",
        "Second",
    ]
    assert len(simulation.calls("events.list")) - before == 2


@pytest.mark.parametrize("operation", ["events.list", "events.patch"])
def test_four_503s_in_a_row_lose_no_event(simulate: Simulate, operation: str) -> None:
    """The listing, or the invitation, is tried again until it goes through."""
    simulation = simulate()
    simulation.until_quiet()
    simulation.google.add_fault("unavailable", operation=operation, count=4)

    event = simulation.create()
    simulation.until_quiet()

    assert simulation.calls(operation).count(503) == 4
    assert simulation.invitations() == [event]


def test_what_changed_in_a_410_gap_is_acted_on_once(simulate: Simulate) -> None:
    """The full listing is compared with what was known: new is invited, handled is not, deleted is looked up."""
    simulation = simulate()
    simulation.until_quiet()
    kept, edited, deleted = (simulation.create(summary=title) for title in ("Kept", "Edited", "Deleted"))
    simulation.until_quiet()
    simulation.die()
    simulation.google.edit_event(ANNA, edited, {"location": "At home"})
    simulation.google.delete_event(ANNA, deleted)
    new = simulation.create(summary="New")
    simulation.google.expire_sync_tokens()

    simulation.start()
    simulation.until_quiet()

    assert sorted(simulation.invitations()) == sorted([kept, edited, deleted, new])
    assert [outcome.key.event for outcome in simulation.outcomes("updated")] == [edited]
    assert [outcome.key.event for outcome in simulation.outcomes("cancelled")] == [deleted]
    assert [call.event for call in simulation.world.calls if call.operation == "events.get"] == [deleted]
    assert [outcome.key.event for outcome in simulation.outcomes("event_created")].count(kept) == 1
    assert len(simulation.notices("full_resync")) == 1


def test_an_emptied_full_listing_is_not_believed(simulate: Simulate) -> None:
    """When Google names less than half of what was known, nothing is called deleted; it is asked again."""
    simulation = simulate()
    simulation.until_quiet()
    for number in range(6):
        simulation.create(summary=f"Dinner {number}")
    simulation.until_quiet()
    simulation.google.expire_sync_tokens()
    simulation.wire.amend = emptied

    simulation.run(90)
    doubted = simulation.engine.snapshot.accounts[0].calendars[0]
    simulation.wire.amend = lambda _request, _answer: None
    simulation.until_quiet()

    assert "not believed" in (doubted.problem_text or "")
    assert simulation.outcomes("cancelled") == []
    assert len(simulation.invitations()) == 6


def test_a_listing_that_insists_on_being_empty_is_verified_event_by_event(simulate: Simulate) -> None:
    """Believed at last, each absence is looked up by id, and what is there is not called deleted."""
    simulation = simulate()
    simulation.until_quiet()
    events = [simulation.create(summary=f"Dinner {number}") for number in range(6)]
    simulation.until_quiet()
    simulation.google.expire_sync_tokens()
    simulation.wire.amend = emptied

    simulation.run(3 * 3600)
    simulation.until_quiet()

    looked_up = {call.event for call in simulation.world.calls if call.operation == "events.get"}
    assert looked_up == set(events)
    assert simulation.outcomes("cancelled") == []
    assert len(simulation.invitations()) == 6


@pytest.mark.parametrize("count", [251, 2501])
def test_a_large_calendar_is_known_whole_at_first_sight(simulate: Simulate, count: int) -> None:
    """No page is left out or read twice, and nothing that was there before is acted on."""
    simulation = simulate()
    simulation.google.seed_events(ANNA, count)

    simulation.until_quiet()
    known = simulation.database.read().execute("SELECT count(*), count(DISTINCT id) FROM event").fetchone()
    pages = len(simulation.calls("events.list"))
    event = simulation.create()
    simulation.until_quiet()

    assert known == (count, count)
    assert pages == (1 if count <= 2500 else 2)
    assert simulation.invitations() == [event]
    assert len(simulation.outcomes("event_created")) == 1


def test_short_and_empty_pages_are_followed_to_the_end(simulate: Simulate) -> None:
    """A page without items is not the last one; an event that is known is told once."""
    simulation = simulate()
    simulation.until_quiet()
    simulation.world.switches.page_sizes = [2, 0, 1, 0, 0, 3]

    events = [simulation.create(summary=f"Dinner {number}") for number in range(9)]
    simulation.until_quiet()

    assert sorted(simulation.invitations()) == sorted(events)
    assert len(simulation.outcomes("event_created")) == 9


def test_an_event_that_a_listing_names_twice_is_handled_once(simulate: Simulate) -> None:
    """Changed between two pages, an event may be on both; the last word counts."""
    simulation = simulate()
    simulation.until_quiet()
    simulation.world.switches.page_sizes = [2]
    event = simulation.create(summary="Old")
    other = simulation.create(summary="Other")
    third = simulation.create(summary="Third")
    first_page: list[object] = []

    def repeat(request: Request, answer: Response) -> None:
        if not request.path.endswith("/events"):
            return
        document = json.loads(answer.body)
        if "nextPageToken" in document:
            first_page[:] = document["items"]
        elif first_page:
            document["items"] += first_page
            answer.body = json.dumps(document).encode()

    simulation.wire.amend = repeat
    simulation.until_quiet()

    assert len(first_page) == 2
    assert sorted(simulation.invitations()) == sorted([event, other, third])
    assert len(simulation.outcomes("event_created")) == 3


def test_first_sync_ignore_acts_on_nothing_that_was_there(simulate: Simulate) -> None:
    """Events from before Calbot are known; one of them is invited to when it changes."""
    simulation = simulate()
    old, changed = simulation.create(), simulation.create()
    simulation.until_quiet()
    before = simulation.invitations()

    simulation.google.edit_event(ANNA, changed, {"summary": "Dinner, later"})
    simulation.until_quiet()

    assert before == []
    assert simulation.invitations() == [changed]
    assert BOB not in simulation.guests(old)


def test_first_sync_invite_future_invites_to_what_is_to_come(simulate: Simulate) -> None:
    """Future events of before Calbot get the guests, past ones do not, and a restart adds none."""
    simulation = simulate(settings=INVITE_FUTURE)
    future = [simulation.create(summary=f"Dinner {number}") for number in range(30)]
    moment = {"dateTime": "2026-11-01T10:00:00+01:00"}
    past = simulation.create(start=moment, end={"dateTime": "2026-11-01T11:00:00+01:00"})

    simulation.until_quiet()
    simulation.restart()
    simulation.until_quiet()

    assert sorted(simulation.invitations()) == sorted(future)
    assert simulation.guests(past) == []


def test_an_event_created_while_calbot_was_down_is_invited_at_start(simulate: Simulate) -> None:
    """A start always reads, also with push."""
    simulation = simulate(settings=WITH_PUSH)
    simulation.until_quiet()
    simulation.die()
    event = simulation.create()
    simulation.run(600)

    simulation.start()
    simulation.run(5)

    assert simulation.invitations() == [event]


@pytest.mark.parametrize("operation", ["events.list", "events.patch", "events.get"])
def test_an_answer_that_is_not_json_is_only_trouble(simulate: Simulate, operation: str) -> None:
    """A proxy's page in place of Google's answer is tried again, and invites nobody twice."""
    simulation = simulate()
    simulation.until_quiet()
    if operation == "events.get":
        simulation.google.add_fault("closeAfter", operation="events.patch")
    simulation.google.add_fault("notJson", operation=operation, count=4)

    event = simulation.create()
    simulation.until_quiet()

    assert any(call.fault == "notJson" for call in simulation.world.calls)
    assert simulation.invitations() == [event]
    assert [outcome.key.event for outcome in simulation.outcomes("invited")] == [event]


def test_an_unreadable_item_is_announced_and_the_rest_goes_on(simulate: Simulate) -> None:
    """One event that nobody understands costs itself alone."""
    simulation = simulate()
    simulation.until_quiet()
    odd, good = simulation.create(summary="Odd"), simulation.create(summary="Good")

    def spoil(request: Request, answer: Response) -> None:
        if request.path.endswith("/events"):
            answer.body = answer.body.replace(b'"summary": "Odd"', b'"summary": ["odd"]')
            answer.body = answer.body.replace(b'"summary":"Odd"', b'"summary":["odd"]')

    simulation.wire.amend = spoil
    simulation.until_quiet()

    failed = simulation.outcomes("failed")
    assert [(outcome.key.event, outcome.reason, outcome.retryable) for outcome in failed] == [
        (odd, "invalid_request", False)
    ]
    assert simulation.invitations() == [good]


@pytest.mark.parametrize("operation", ["events.list", "events.patch"])
def test_retry_after_is_honoured(simulate: Simulate, operation: str) -> None:
    """Google's own wish is never undercut."""
    simulation = simulate()
    simulation.until_quiet()
    simulation.google.add_fault("tooManyRequests", operation=operation, retry_after=200)

    event = simulation.create()
    simulation.until_quiet()

    refused = next(call for call in simulation.world.calls if call.status == 429)
    later = [c for c in simulation.world.calls if c.operation == operation and c.number > refused.number]
    assert later[0].time - refused.time >= 200
    assert simulation.invitations() == [event]


def test_series_moves_and_deletions_are_told_as_what_they_are(simulate: Simulate) -> None:
    """A moved event brings its old times, a deleted one its last content, a guest's answer nothing."""
    simulation = simulate()
    simulation.until_quiet()
    moved, deleted, answered = (simulation.create(summary=title) for title in ("Moved", "Deleted", "Answered"))
    simulation.until_quiet()
    times = {"start": {"dateTime": "2026-12-02T19:00:00+01:00"}, "end": {"dateTime": "2026-12-02T21:00:00+01:00"}}

    simulation.google.edit_event(ANNA, moved, times)
    simulation.google.delete_event(ANNA, deleted)
    simulation.google.rsvp(BOB, answered, "accepted")
    simulation.plan(61, lambda: None)
    simulation.until_quiet()

    (move,) = simulation.outcomes("moved")
    (end,) = simulation.outcomes("cancelled")
    assert (move.key.event, move.old_start) == (moved, "2026-12-01T19:00:00+01:00")
    assert end.key.event == deleted and end.event is not None and end.event.title == "Deleted"
    assert simulation.outcomes("updated") == []
    assert len(simulation.invitations()) == 3
