"""Faults on demand: what goes wrong, at which calls, and how many times."""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from tests.google_server import errors
from tests.google_server.errors import Refusal

KINDS = [
    "authError",
    "userRateLimitExceeded",
    "rateLimitExceeded",
    "quotaExceeded",
    "forbidden",
    "forbiddenForNonOrganizer",
    "tooManyRequests",
    "internalError",
    "badGateway",
    "unavailable",
    "notFound",
    "conflict",
    "preconditionFailed",
    "conditionNotMet",
    "fullSyncRequired",
    "invalidGrant",
    "closeBefore",
    "closeAfter",
    "errorAfter",
    "truncated",
    "notJson",
    "slow",
    "hang",
    "notFoundAfterInsert",
]
"""`closeAfter` and `errorAfter` (503) come after the write was applied; `truncated` and `notJson` too."""
AFTER = frozenset({"closeAfter", "errorAfter", "truncated", "notJson", "slow", "hang", "notFoundAfterInsert"})


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
        match self.kind:
            case "authError":
                return errors.wrong_credentials()
            case "userRateLimitExceeded" | "rateLimitExceeded":
                return errors.rate_limit(self.kind, retry_after=self.retry_after)
            case "tooManyRequests":
                return errors.rate_limit(status=429, retry_after=self.retry_after)
            case "quotaExceeded":
                return errors.quota_exceeded()
            case "forbidden":
                return errors.forbidden()
            case "forbiddenForNonOrganizer":
                return errors.not_the_organizer()
            case "internalError":
                return errors.backend_error(500)
            case "badGateway":
                return errors.backend_error(502)
            case "unavailable" | "errorAfter":
                return errors.backend_error(503)
            case "notFound":
                return errors.not_found()
            case "conflict":
                return errors.conflict()
            case "preconditionFailed":
                return errors.precondition_check_failed()
            case "conditionNotMet":
                return errors.condition_not_met()
            case "fullSyncRequired":
                return errors.full_sync_required()
            case _:
                return None


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
