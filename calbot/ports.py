"""What the engine needs from the world, as protocols: the seams that a simulation replaces."""

from collections.abc import Callable
from typing import Protocol

from calbot.kinds import SendUpdates
from calbot.model import Channel, Content, Event, Page


class Clock(Protocol):
    """Now (epoch seconds), monotonic seconds, and waiting."""

    def now(self) -> float: ...
    def monotonic(self) -> float: ...
    def sleep(self, seconds: float) -> None: ...


class Random(Protocol):
    """Jitter and unguessable bytes."""

    def uniform(self, low: float, high: float) -> float: ...
    def token(self, nbytes: int) -> bytes: ...


class Calendars(Protocol):
    """One account's calendars. Every method raises the errors of `calbot.errors`, and no others."""

    def name(self, calendar: str) -> str:
        """Return the calendar's own name, as a proof that it can be read."""
        ...

    def page(self, calendar: str, *, sync_token: str | None, page_token: str | None) -> Page:
        """Return one page of what changed since `sync_token`, or of everything."""
        ...

    def get(self, calendar: str, event_id: str) -> Event:
        """Return the event as it is now. Raises Deleted when it is, NotFound when Google knows nothing of it."""
        ...

    def add_guests(
        self, calendar: str, event: Event, guests: tuple[str, ...], stamp: str | None, send_updates: SendUpdates
    ) -> Event:
        """Add `guests`, and our stamp unless it is None, to exactly this version of the event; return it as written.

        Raises ChangedMeanwhile when Google holds another version, Uncertain when the answer was lost.
        """
        ...

    def remove_guests(
        self, calendar: str, event: Event, guests: tuple[str, ...], stamp: str | None, send_updates: SendUpdates
    ) -> Event:
        """Take `guests` off exactly this version of the event, in the same way."""
        ...

    def role(self, calendar: str) -> str:
        """Return this account's role on the calendar, in Google's words; `none` when Google does not show it at all.

        They are owner, writer, writerWithoutPrivateAccess, reader and freeBusyReader.
        """
        ...

    def insert(self, calendar: str, event_id: str, content: Content, stamp: str) -> Event:
        """Make an event with this id that shows this; return it as Google made it. Nobody is mailed.

        Raises AlreadyExists when the id is taken, also by a deleted event, and Uncertain when the answer was lost.
        """
        ...

    def rewrite(
        self, calendar: str, event_id: str, content: Content, stamp: str, etag: str | None, *, revive: bool = False
    ) -> Event:
        """Make the event show exactly this; return it as Google made it. Nobody is mailed.

        With an etag only this version of it is written: ChangedMeanwhile. A deleted event is Deleted, and stays so
        unless `revive` says otherwise.
        """
        ...

    def remove(self, calendar: str, event_id: str, etag: str | None = None) -> None:
        """Delete the event, with an etag only this version of it. Nobody is mailed. Raises Deleted when it is gone."""
        ...

    def whole(self, calendar: str, event_id: str) -> str:
        """Return all that Google has of the event, as its JSON, for keeping. Raises as `get` does."""
        ...

    def restore(self, calendar: str, event_id: str) -> Event:
        """Bring a deleted event back; return it. Nobody is mailed."""
        ...

    def insert_whole(self, calendar: str, event_id: str, whole: str) -> Event:
        """Make an event of what `whole` kept, under this id; return it. Nobody is mailed. Raises as `insert` does."""
        ...

    def open_channel(self, channel: Channel, token: str) -> Channel | None:
        """Open a push channel; return it with its resource id and expiry, None when the calendar has no push."""
        ...

    def close_channel(self, channel: Channel) -> None:
        """Stop a push channel. One that is already gone is success."""
        ...


class Accounts(Protocol):
    """The signed-in accounts."""

    def emails(self) -> tuple[str, ...]:
        """Return the addresses that have a usable token file."""
        ...

    def problems(self) -> tuple[str, ...]:
        """Return a sentence for each token file that is not one."""
        ...

    def version(self, email: str) -> int:
        """Return a number that changes when the account is signed in anew; 0 when it is not signed in."""
        ...

    def calendars(self, email: str, tick: Callable[[], None] | None = None) -> Calendars:
        """Return the account's calendars, whose every call begins with `tick`. Raises SignInNeeded without a token."""
        ...

    def sign_in_ends(self, email: str) -> float | None:
        """Return when Google ends the account's sign-in by itself, in epoch seconds; None when it named no end."""
        ...

    def clock_off(self) -> float | None:
        """Return by how many seconds our clock is ahead of Google's; None until Google has answered."""
        ...
