"""Answers that Google did not mean: from a proxy on the way, cut off, or refusing what helps nobody to ask again."""

from collections.abc import Callable

import urllib3

from tests.google_server.values import Request, Response
from tests.simulation.simulation import Simulation

Simulate = Callable[..., Simulation]
HOURS = 3600.0


def test_tls_that_breaks_under_the_answer_invites_once(simulate: Simulate) -> None:
    """The write arrived and nobody knows: it is looked for, not repeated, and told as what it was."""
    simulation = simulate()
    simulation.until_quiet()
    broken: list[str] = []

    def amend(request: Request, _answer: Response) -> None:
        if request.method == "PATCH" and not broken:
            broken.append(request.path)
            raise urllib3.exceptions.SSLError("EOF occurred in violation of protocol")

    simulation.wire.amend = amend
    event = simulation.create()
    simulation.until_quiet()

    assert simulation.invitations() == [event]
    assert len(simulation.calls("events.patch")) == 1
    assert [outcome.key.event for outcome in simulation.outcomes("invited")] == [event]


def test_a_page_that_is_not_googles_refuses_nothing(simulate: Simulate) -> None:
    """A 403 from a proxy on the way is trouble, and trouble passes."""
    simulation = simulate()
    simulation.until_quiet()
    blocked: list[str] = []

    def amend(request: Request, answer: Response) -> None:
        if request.method == "PATCH" and not blocked:
            blocked.append(request.path)
            answer.status, answer.body = 403, b"<html>Blocked by your administrator</html>"

    simulation.wire.amend = amend
    event = simulation.create()
    simulation.until_quiet()

    assert simulation.invitations() == [event]
    assert [state for state, _ in simulation.history(event)] != ["refused"]
    assert [outcome for outcome in simulation.outcomes("failed") if not outcome.retryable] == []


def test_a_sync_token_that_google_calls_invalid_is_given_up(simulate: Simulate) -> None:
    """A 400 for it would come for ever; a full listing finds everything."""
    simulation = simulate()
    simulation.until_quiet()
    (stale,) = simulation.database.read().execute("SELECT sync_token FROM calendar").fetchone()

    def amend(request: Request, answer: Response) -> None:
        if request.one("syncToken") == stale:
            answer.status = 400
            answer.body = b'{"error": {"code": 400, "errors": [{"reason": "invalid"}]}}'

    simulation.wire.amend = amend
    event = simulation.create()
    simulation.until_quiet()

    assert simulation.invitations() == [event]


def test_calendar_limits_are_left_alone_for_hours(simulate: Simulate) -> None:
    """Google names no time: the next try is six hours later."""
    simulation = simulate()
    simulation.until_quiet()
    simulation.google.add_fault("quotaExceeded", operation="events.patch", count=1)

    event = simulation.create()
    simulation.run(5.9 * HOURS)
    before = simulation.invitations()
    simulation.run(0.3 * HOURS)

    assert before == []
    assert simulation.invitations() == [event]
