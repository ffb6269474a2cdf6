"""What the parts of a worker need of the engine around them, and who hears of its news."""

from collections.abc import Iterable
from typing import Protocol

from calbot.model import Answer, Command, Noun
from calbot.policy import Policy
from calbot.ports import Calendars
from calbot.status import AccountStatus


class Orders(Noun, frozen=True, kw_only=True):
    """What the household wants of one account just now; `poll_interval` in seconds."""

    policy: Policy
    poll_interval: float
    invite_existing: bool
    paused: bool


class House(Protocol):
    """The engine, as a worker sees it."""

    def orders(self, account: str) -> Orders: ...
    def connect(self, account: str) -> Calendars: ...
    def sign_in_version(self, account: str) -> int: ...
    def is_wanted(self, account: str) -> bool: ...
    def report(self, status: AccountStatus) -> None: ...
    def ticked(self, account: str) -> None: ...
    def note_syncing(self, account: str, syncing: bool) -> None: ...  # noqa: FBT001 - one state, told
    def did(self, account: str, command_id: str, error: str | None) -> None: ...
    def wrote(self) -> None: ...
    def wake(self, accounts: Iterable[str]) -> None: ...
    def works(self, account: str) -> bool: ...
    def sign_in_ends(self, account: str) -> float | None: ...


class Listener(Protocol):
    """Who wants to hear of news. Its methods only post, they never wait."""

    def changed(self) -> None:
        """Note that the snapshot was replaced, or that the outbox got rows."""
        ...

    def answered(self, command: Command, answer: Answer) -> None:
        """Note an answer to a command."""
        ...
