"""What a test can do to the fake: people's deeds, switches, faults and questions, as methods or by name."""

from __future__ import annotations

import inspect
import json
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from copy import deepcopy
from dataclasses import asdict, fields
from functools import wraps
from typing import Any

from tests.google_server.errors import Refusal
from tests.google_server.faults import Fault
from tests.google_server.people import People
from tests.google_server.state import Switches
from tests.google_server.tokens import CALENDAR_SCOPES, Consent
from tests.google_server.values import Doc
from tests.google_server.world import World


class ControlError(Exception):
    """An operation that does not exist, has wrong arguments, or that Google refuses."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def _locked(kind: type[Control]) -> type[Control]:
    """Make every operation of the class hold the world's lock; waiting for pushes must not."""

    def guarded(method: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(method)
        def deed(self: Control, *arguments: Any, **named: Any) -> Any:
            with self._lock:
                result = method(self, *arguments, **named)
                return deepcopy(result) if isinstance(result, dict) else result

        return deed

    for name, method in inspect.getmembers(kind, inspect.isfunction):
        if not name.startswith("_") and name not in {
            "settle_pushes",
            "perform",
            "perform_json",
            "operations",
        }:
            setattr(kind, name, guarded(method))
    return kind


@_locked
class Control(People):
    """All operations, as methods; each holds the lock and gives copies, so threads may use them.

    `settle` waits for the pushes that are due, `document` makes authorised-user documents; a server has both.
    """

    def __init__(
        self,
        world: World,
        lock: AbstractContextManager[bool] | None = None,
        settle: Callable[[float], bool] | None = None,
        document: Callable[[str, tuple[str, ...]], Doc] | None = None,
    ) -> None:
        super().__init__(world)
        self._lock = lock if lock is not None else threading.RLock()
        self._settle = settle
        self._document = document

    # Doors

    def operations(self) -> dict[str, str]:
        """Every operation with its arguments and what it does."""
        found = inspect.getmembers(self, inspect.ismethod)
        return {
            name: f"{inspect.signature(method)} {inspect.getdoc(method) or ''}".strip()
            for name, method in found
            if not name.startswith("_") and name not in {"perform", "perform_json", "operations"}
        }

    def perform(self, operation: str, /, **arguments: Any) -> Any:
        """Do an operation by name; raises ControlError."""
        if operation not in self.operations():
            raise ControlError(404, f"no operation {operation!r}; there are {', '.join(self.operations())}")
        method = getattr(self, operation)
        try:
            inspect.signature(method).bind(**arguments)
        except TypeError as error:
            raise ControlError(400, f"{operation}: {error}") from error
        try:
            return method(**arguments)
        except Refusal as error:
            raise ControlError(409, str(error)) from error
        except (KeyError, ValueError, TypeError) as error:
            raise ControlError(400, f"{operation}: {error.args[0] if error.args else error}") from error

    def perform_json(self, operation: str, body: bytes) -> Any:
        """As `perform`, with the arguments as a JSON object."""
        try:
            arguments = json.loads(body) if body else {}
        except ValueError as error:
            raise ControlError(400, f"the body is not JSON: {error}") from error
        if not isinstance(arguments, dict):
            raise ControlError(400, "the arguments are a JSON object")
        return self.perform(operation, **arguments)

    # Accounts and calendars

    def add_account(self, account: str, name: str = "") -> str:
        """A new Google user with an empty primary calendar."""
        return self._world.add_account(account, name).email

    def add_calendar(self, owner: str, calendar: str = "", summary: str = "", time_zone: str = "") -> str:
        """A new calendar; its id."""
        return self._world.add_calendar(owner, calendar_id=calendar, summary=summary, time_zone=time_zone).id

    def share_calendar(self, calendar: str, account: str, role: str) -> None:
        """Give an account a role: owner, writer, reader, freeBusyReader; empty takes it away."""
        self._world.share(calendar, account, role)

    def remove_calendar(self, calendar: str) -> None:
        """Delete a calendar; calls for it answer 404."""
        self._world.remove_calendar(calendar)

    # Tokens and consent

    def token_document(self, account: str, scopes: list[str] | None = None) -> Doc:
        """A fresh consent, as the document for `tokens/<email>.json`."""
        if self._document is None:
            raise ValueError("only a running server knows its token address")
        return self._document(account, tuple(scopes or CALENDAR_SCOPES))

    def access_token(self, account: str, scopes: list[str] | None = None) -> str:
        """A fresh access token."""
        return self._world.tokens.access_token(account, tuple(scopes or CALENDAR_SCOPES))

    def expire_access_tokens(self, account: str = "") -> None:
        """End the access tokens of one account or of all; a refresh helps."""
        self._world.tokens.expire_access(account)

    def revoke(self, account: str) -> None:
        """The person takes Calbot's access away: invalid_grant from now on."""
        self._world.tokens.revoke_account(account)

    def change_password(self, account: str) -> None:
        """The person has a new password: tokens that may use Gmail are dead, others live on."""
        self._world.tokens.change_password(account)

    def add_client(self, client_id: str, client_secret: str) -> None:
        """Another OAuth client, of the same project."""
        self._world.tokens.clients[client_id] = client_secret

    def set_consent(self, **values: Any) -> Doc:
        """How the person at the consent page behaves: account, deny, untick, not_a_test_user, testing."""
        known = {one.name for one in fields(Consent)}
        for name, value in values.items():
            if name not in known:
                raise ValueError(f"no consent switch {name!r}; there are {', '.join(sorted(known))}")
            setattr(self._world.tokens.consent, name, set(value) if name == "untick" else value)
        return _lists(asdict(self._world.tokens.consent))

    def expire_sync_tokens(self, calendar: str = "") -> None:
        """Sync tokens handed out so far answer 410: for one calendar, or all calendars and calendar lists."""
        self._world.expire_sync_tokens(calendar)

    # Switches

    def set(self, **values: Any) -> Doc:
        """Set switches (see state.Switches): latency, page_sizes, non_organizer, quota_per_minute, …"""
        known = {one.name for one in fields(Switches)}
        for name, value in values.items():
            if name not in known:
                raise ValueError(f"no switch {name!r}; there are {', '.join(sorted(known))}")
            setattr(self._world.switches, name, set(value) if name == "omit_attendees" else value)
        return _lists(asdict(self._world.switches))

    def set_latency(self, milliseconds: float, operation: str = "") -> None:
        """How long every call takes, or every call of one operation (`events.patch`)."""
        if operation:
            self._world.switches.operation_latency[operation] = milliseconds / 1000
        else:
            self._world.switches.latency = milliseconds / 1000

    def set_clock_offset(self, seconds: float) -> float:
        """Move the fake's time against the clock; the new time."""
        self._world.switches.clock_offset = seconds
        return self._world.now()

    def advance_clock(self, seconds: float) -> float:
        """Let time pass in the fake; the new time."""
        self._world.switches.clock_offset += seconds
        return self._world.now()

    def lose_pushes(self, count: int = 1) -> None:
        """The next pushes (not `sync` messages) never arrive."""
        self._world.switches.lose_pushes = count

    def duplicate_pushes(self, count: int = 1) -> None:
        """The next pushes arrive twice."""
        self._world.switches.duplicate_pushes = count

    def delay_pushes(self, seconds: float) -> None:
        """Pushes arrive this much later, until it is 0 again."""
        self._world.switches.delay_pushes = seconds

    def between_pages(self, operation: str, arguments: Doc | None = None) -> None:
        """Do an operation right after the next page that has a next page (several: one after each)."""
        self._world.between_pages.append(lambda: self.perform(operation, **(arguments or {})))

    def add_fault(self, kind: str, **matching: Any) -> int:
        """Something goes wrong (see faults.Fault, faults.KINDS); `matching` says where and how often."""
        return self._world.faults.add(Fault(kind=kind, **matching)).number

    def clear_faults(self) -> None:
        """No more faults."""
        self._world.faults.clear()

    def settle_pushes(self, seconds: float = 2.0) -> bool:
        """Wait until all pushes that are due were tried."""
        if self._settle is None:
            raise ValueError("only a running server delivers pushes")
        return self._settle(seconds)

    # Questions

    def now(self) -> float:
        """The fake's time in epoch seconds."""
        return self._world.now()

    def events(self, calendar: str, deleted: bool = False, query: str = "") -> list[Doc]:
        """The events of a calendar as stored, in order of creation; `query` filters by title."""
        rows = self._calendar(calendar).ordered
        found = [row.doc for row in rows if deleted or not row.deleted]
        return [doc for doc in found if query in str(doc.get("summary", ""))]

    def event(self, calendar: str, event: str) -> Doc:
        """One event as stored, deleted or not."""
        return self._row(calendar, event).doc

    def calendars(self) -> list[Doc]:
        """All calendars with their owners, roles and numbers of events and changes."""
        return [
            {
                "id": one.id,
                "summary": one.summary,
                "owner": one.owner,
                "acl": dict(one.acl),
                "events": sum(not row.deleted for row in one.ordered),
                "changes": len(one.log),
            }
            for one in self._world.calendars.values()
        ]

    def mails(self, to: str = "", kind: str = "") -> list[Doc]:
        """The invitation mails that Google sent."""
        return [asdict(one) for one in self._world.mails if to in {"", one.to} and kind in {"", one.kind}]

    def gmail(self) -> list[Doc]:
        """The messages sent through the Gmail API."""
        return [asdict(one) for one in self._world.gmail]

    def calls(self, operation: str = "", account: str = "", since: int = 0) -> list[Doc]:
        """The call log after call number `since`."""
        return [
            asdict(one)
            for one in self._world.calls
            if one.number > since and operation in {"", one.operation} and account in {"", one.account}
        ]

    def counters(self) -> Doc:
        """Calls per account: all of them, in the last minute, the most in any minute; and per operation."""
        operations: dict[str, int] = {}
        for call in self._world.calls:
            operations[call.operation] = operations.get(call.operation, 0) + 1
        accounts = {
            one.email: {
                "total": one.total_calls,
                "last_minute": len(one.calls),
                "most_in_a_minute": one.most_calls,
            }
            for one in self._world.accounts.values()
        }
        return {"accounts": accounts, "operations": operations}

    def reset_calls(self) -> None:
        """Forget the call log and the counters."""
        self._world.calls.clear()
        for account in self._world.accounts.values():
            account.calls.clear()
            account.total_calls = account.most_calls = 0

    def pushes(self, channel: str = "") -> list[Doc]:
        """Every push so far with its tries and outcome: waiting, delivered, failed or lost."""
        return [asdict(one) for one in self._world.push_log if channel in {"", one.channel}]

    def channels(self) -> list[Doc]:
        """The live channels. (Google has no such call.)"""
        return [asdict(one) for one in self._world.channels.live()]

    def faults(self) -> list[Doc]:
        """The faults still to come."""
        return [asdict(one) for one in self._world.faults.waiting]

    def surprises(self) -> list[str]:
        """Tracebacks of the fake's own failures; empty is well."""
        return list(self._world.surprises)

    def schema_problems(self) -> list[str]:
        """What the discovery document says against our answers; empty is well."""
        return list(self._world.schema_problems)


def _lists(document: Doc) -> Doc:
    return {key: sorted(one) if isinstance(one, set) else one for key, one in document.items()}
