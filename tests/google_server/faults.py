"""Faults on demand: what goes wrong, at which calls, and how many times."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from tests.google_server import errors
from tests.google_server.errors import Refusal

REFUSALS: dict[str, Callable[[], Refusal]] = {
    "authError": errors.wrong_credentials,
    "userRateLimitExceeded": lambda: errors.rate_limit("userRateLimitExceeded"),
    "rateLimitExceeded": errors.rate_limit,
    "tooManyRequests": lambda: errors.rate_limit(status=429),
    "quotaExceeded": errors.quota_exceeded,
    "forbidden": errors.forbidden,
    "accessNotConfigured": errors.access_not_configured,
    "forbiddenForNonOrganizer": errors.not_the_organizer,
    "internalError": errors.backend_error,
    "badGateway": lambda: errors.backend_error(502),
    "unavailable": lambda: errors.backend_error(503),
    "notFound": errors.not_found,
    "conflict": errors.conflict,
    "duplicate": errors.duplicate,
    "preconditionFailed": errors.precondition_check_failed,
    "conditionNotMet": errors.condition_not_met,
    "fullSyncRequired": errors.full_sync_required,
    "invalid": lambda: errors.invalid("Invalid Value"),
    "eventTypeRestriction": lambda: errors.event_type_restriction("default"),
}
KINDS = (
    *REFUSALS,
    "invalidGrant",
    "closeBefore",
    "closeAfter",
    "errorAfter",
    "truncated",
    "notJson",
    "slow",
    "hang",
    "drip",
    "notFoundAfterInsert",
)
"""`closeAfter` and `errorAfter` (503) come after the write was applied; `truncated` and `notJson` too.

`drip` sends the answer byte by byte, its headers too, `seconds` (else one) apart; only over sockets.
`notFoundAfterInsert` lets the insert pass; then the next `seconds` (1 or more) calls for it answer 404.
"""
AFTER = frozenset({"closeAfter", "errorAfter", "truncated", "notJson", "slow", "hang", "drip", "notFoundAfterInsert"})


@dataclass(slots=True, kw_only=True)
class Fault:
    """One thing that goes wrong. What it hits is given by shell-like patterns (`events.*`).

    `count`: how often (None: until it is removed); `skip`: so many matching calls go well first;
    `seconds`: how slow, or how long a hang lasts; `retry_after` in seconds, for rate limits.
    """

    kind: str
    operation: str = "*"
    account: str = "*"
    calendar: str = "*"
    event: str = "*"
    count: int | None = 1
    skip: int = 0
    seconds: float = 0.0
    retry_after: int | None = None
    fired: int = 0
    number: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"no fault is called {self.kind!r}; there are {', '.join(KINDS)}")

    def refusal(self) -> Refusal | None:
        """The refusal this fault answers with, or None when it does something else."""
        make = REFUSALS.get(self.kind)
        refusal = make() if make else None
        if refusal is not None and self.retry_after is not None:
            refusal.headers["Retry-After"] = str(self.retry_after)
        return refusal


@dataclass(slots=True)
class Faults:
    """The faults still to come, in the order they were added."""

    waiting: list[Fault] = field(default_factory=list)
    added: int = 0

    def add(self, fault: Fault) -> Fault:
        self.added += 1
        fault.number = self.added
        self.waiting.append(fault)
        return fault

    def take(self, operation: str, account: str, calendar: str, event: str) -> Fault | None:
        """The fault that hits this call, if any; it is used up by it."""
        for fault in self.waiting:
            called = (
                (operation, fault.operation),
                (account, fault.account),
                (calendar, fault.calendar),
                (event, fault.event),
            )
            if not all(pattern == "*" or fnmatchcase(value, pattern) for value, pattern in called):
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            fault.fired += 1
            if fault.count is not None:
                fault.count -= 1
                if fault.count <= 0:
                    self.waiting.remove(fault)
            return fault
        return None

    def clear(self) -> None:
        self.waiting.clear()
