"""What happens while something is under way is not forgotten, and one poisoned result spoils no other."""

from collections.abc import Callable

import pytest

from calbot.deeds import Done
from calbot.model import Answer, Command
from calbot.settings import Settings
from tests.google_server.values import Request, Response
from tests.household import ANNA, BOB, CAROL
from tests.simulation.simulation import PUSH_URL, Simulation

Simulate = Callable[..., Simulation]
WITH_PUSH = Settings(invite_emails=(BOB,), push_url=PUSH_URL, time_zone="Europe/Berlin")


class Ear:
    """Hears what is answered."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []

    def changed(self) -> None:
        """Not of interest."""

    def answered(self, _command: Command, answer: Answer) -> None:
        """Keep the answer."""
        self.answers.append(answer)


def step(simulation: Simulation) -> None:
    """Let Anna's worker take its turn."""
    simulation.engine.workers[ANNA].step()


def guests(simulation: Simulation, event: str) -> list[str]:
    """Return the addresses on an event."""
    return [guest["email"] for guest in simulation.google.event(ANNA, event).get("attendees", [])]


def test_an_event_that_becomes_fit_while_it_is_looked_at_is_invited(simulate: Simulate) -> None:
    """Private when the slot looks, public before its result is settled: the listing in between counts."""
    simulation = simulate()
    simulation.until_quiet()
    event = simulation.create()
    simulation.command("resync")
    step(simulation)
    (slots,) = simulation._slots
    simulation.google.edit_event(ANNA, event, {"visibility": "private"})
    slots.call(0)
    simulation.google.edit_event(ANNA, event, {"visibility": "default"})
    simulation.command("resync")
    step(simulation)

    slots.post(0)
    simulation.until_quiet()

    assert guests(simulation, event) == [BOB]
    assert len(simulation.google.mails(kind="invitation")) == 1


def test_an_event_that_comes_back_while_it_is_looked_up_is_judged(simulate: Simulate) -> None:
    """Deleted in a gap, restored as a public one before its look-up is settled: it is a new event."""
    simulation = simulate()
    simulation.until_quiet()
    kept = [simulation.create(summary=f"Kept {number}", visibility="private") for number in range(4)]
    event = simulation.create(visibility="private")
    simulation.until_quiet()
    simulation.google.delete_event(ANNA, event)
    simulation.command("resync", full=True)
    step(simulation)
    (slots,) = simulation._slots
    simulation.google.put_raw(ANNA, {**simulation.google.event(ANNA, kept[0]), "id": event, "visibility": "default"})
    slots.call(0)
    simulation.command("resync")
    step(simulation)

    slots.post(0)
    simulation.until_quiet()

    assert guests(simulation, event) == [BOB]


def test_two_full_readings_in_a_row_look_an_absent_event_up_once(simulate: Simulate) -> None:
    """A look-up that is under way is not planned again."""
    simulation = simulate()
    simulation.until_quiet()
    for number in range(4):
        simulation.create(summary=f"Kept {number}", visibility="private")
    event = simulation.create(visibility="private")
    simulation.until_quiet()
    simulation.google.delete_event(ANNA, event)
    simulation.google.expire_sync_tokens(ANNA)

    for _ in range(2):
        simulation.command("resync", full=True)
        step(simulation)
    (account,) = simulation.engine.snapshot.accounts
    simulation.until_quiet()

    assert account.calendars[0].failures == 0
    assert [outcome.key.event for outcome in simulation.outcomes("cancelled")] == [event]


def test_a_result_that_cannot_be_settled_spoils_no_other(simulate: Simulate) -> None:
    """A surprise while settling refuses its own event; the others of the same moment are done."""
    simulation = simulate()
    simulation.until_quiet()
    events = [simulation.create(summary=f"Dinner {number}") for number in range(3)]
    simulation.command("resync")
    step(simulation)
    (slots,) = simulation._slots
    for _ in events:
        slots.call(0)
    task, result = slots.finished[1]
    assert isinstance(result, Done)
    slots.finished[1] = (task, Done(None, (BOB,)))  # type: ignore[arg-type]
    for _ in events:
        slots.post(0)

    step(simulation)
    simulation.until_quiet()

    assert len(simulation.outcomes("invited")) == 2
    assert [outcome.reason for outcome in simulation.outcomes("failed")] == ["internal"]


def test_a_surprise_in_a_slot_is_tried_again(simulate: Simulate) -> None:
    """What nobody thought of may pass: only the third time it counts."""
    simulation = simulate()
    simulation.until_quiet()
    times = 0

    def nonsense(request: Request, answer: Response) -> None:
        nonlocal times
        if request.method == "PATCH" and times < 1:
            times += 1
            raise ZeroDivisionError

    simulation.wire.amend = nonsense
    event = simulation.create()
    simulation.until_quiet()

    assert times == 1
    assert guests(simulation, event) == [BOB]
    assert len(simulation.outcomes("invited")) == 1
    assert simulation.outcomes("failed") == []
    assert len(simulation.google.mails(kind="invitation")) == 1


def test_a_signed_out_account_answers_a_resync(simulate: Simulate) -> None:
    """The wish is refused with the remedy, and the other account's part is done."""
    simulation = simulate(signed_in=(ANNA, CAROL))
    simulation.google.revoke(CAROL)
    simulation.google.expire_access_tokens(CAROL)
    simulation.run(120)

    ear = Ear()
    simulation.engine.listen(ear)
    simulation.command("resync")
    simulation.run(5)

    (answer,) = ear.answers
    assert (answer.status, answer.code) == ("error", "auth_required")
    assert "Sign in again" in answer.message


def test_a_paused_account_with_a_due_deed_sleeps(simulate: Simulate) -> None:
    """While nothing may go out, what is due wakes nobody."""
    simulation = simulate()
    simulation.until_quiet()
    simulation.google.add_fault("unavailable", operation="events.patch", count=9)
    simulation.create()
    simulation.command("resync")
    simulation.run(20)
    simulation.command("pause")
    waits = []
    for _ in range(9):
        simulation.run(11)
        waits.append(simulation.engine.workers[ANNA].wake_in())

    assert simulation.open_rows()
    assert sorted(waits)[4] > 1, "mostly asleep; only polls wake it"


@pytest.mark.parametrize("times", [1, 2])
def test_an_event_that_google_does_not_find_at_once_is_invited(simulate: Simulate, times: int) -> None:
    """A 404 right after an event was made may pass."""
    simulation = simulate(settings=WITH_PUSH)
    simulation.until_quiet()
    simulation.google.add_fault("notFound", operation="events.patch", count=times)

    event = simulation.create()
    simulation.until_quiet()

    assert guests(simulation, event) == [BOB]


def test_three_network_failures_do_not_make_an_emptied_listing_true(simulate: Simulate) -> None:
    """Only listings that were doubted themselves count towards being believed."""
    simulation = simulate()
    simulation.until_quiet()
    for number in range(8):
        simulation.create(summary=f"Kept {number}", visibility="private")
    simulation.until_quiet()
    simulation.google.add_fault("unavailable", operation="events.list", count=9)
    simulation.run(300)
    calls = len(simulation.calls("events.get"))

    simulation.wire.amend = emptied
    simulation.command("resync", full=True)
    simulation.run(5)

    assert len(simulation.calls("events.get")) == calls


def emptied(request: Request, answer: Response) -> None:
    """Let full listings name nothing."""
    if request.method == "GET" and request.path.endswith("/events") and request.one("syncToken") is None:
        answer.body = b'{"kind": "calendar#events", "items": [], "nextSyncToken": "x"}'
