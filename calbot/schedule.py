"""What is due now and when to wake: pure answers from the state of a calendar and a time."""

from calbot.model import Noun

PUSH_BACKSTOP = 900.0
BURST = 10
REFILL_SECONDS = 1.0
ECHO_SECONDS = 0.1
ECHO_LIMIT = 2.0
BACKOFF_FIRST = 10.0
BACKOFF_CAP = 1800.0
LEAST_WAIT = 0.05
LONGEST_REST = 86400.0
COOL_DOWN = 6 * 3600.0
"""How long an account invites nobody after Google's limit of invitations is used up: hours, by Google's help page."""


class Timing(Noun, frozen=True, kw_only=True):
    """When a calendar was and wants to be synced; all in monotonic seconds.

    `pushed_at` is the first push not yet answered by a sync, `wrote_at` our own last write, `tokens` and
    `tokens_at` the allowance for syncs that pushes ask for: ten at once, then one a second.
    """

    asked: bool = True
    synced_at: float | None = None
    retry_at: float | None = None
    pushed_at: float | None = None
    wrote_at: float | None = None
    busy: bool = False
    tokens: float = float(BURST)
    tokens_at: float = 0.0


def interval(poll_interval: float, *, push_healthy: bool) -> float:
    """Return the seconds between two polls."""
    return max(PUSH_BACKSTOP, poll_interval) if push_healthy else poll_interval


def due_at(timing: Timing, every: float, now: float) -> float:
    """Return when the calendar is to be synced next; in the past or now means at once."""
    if timing.retry_at is not None and not timing.asked:
        return timing.retry_at
    if timing.asked or timing.synced_at is None:
        return now
    at = timing.synced_at + every
    if timing.pushed_at is not None:
        at = min(at, max(_room_at(timing), _echo_over_at(timing, now)))
    return at


def _room_at(timing: Timing) -> float:
    """Return when the allowance has room for one more sync."""
    lacking = max(0.0, 1.0 - timing.tokens)
    return timing.tokens_at + lacking * REFILL_SECONDS


def _echo_over_at(timing: Timing, now: float) -> float:
    """Return when a push can be acted on: our own writes push too, and one sync shall answer all of them."""
    if timing.pushed_at is None or (timing.wrote_at is None and not timing.busy):
        return now
    limit = timing.pushed_at + ECHO_LIMIT
    if timing.busy:
        return limit
    return min(limit, (timing.wrote_at or 0.0) + ECHO_SECONDS)


def spent(timing: Timing, now: float) -> tuple[float, float]:
    """Return the allowance after one sync taken now, as (tokens, tokens_at)."""
    refilled = min(float(BURST), timing.tokens + (now - timing.tokens_at) / REFILL_SECONDS)
    return max(0.0, refilled - 1.0), now


def backoff(failures: int, chance: float, asked: float | None = None) -> float:
    """Return how long to wait after this many failures in a row: full jitter from 10 s up to 30 min.

    `chance` is uniform in 0..1; `asked` is what Google wished for, which is never undercut.
    """
    ceiling = min(BACKOFF_CAP, BACKOFF_FIRST * 2.0 ** min(failures, 12))
    own = BACKOFF_FIRST + chance * max(0.0, ceiling - BACKOFF_FIRST)
    return max(own, min(asked or 0.0, LONGEST_REST))
