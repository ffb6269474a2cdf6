"""The nouns of Calbot, frozen.

Instants are seconds since the epoch (UTC, float). Times of events are kept as Google writes them: RFC 3339
with an offset, or `YYYY-MM-DD` for all-day events, whose end is exclusive. Addresses are lower case.
"""

from typing import Literal

import msgspec

from calbot.kinds import DeedState, NoticeType, OutcomeType, SendUpdates, SkipReason, Verb


class Noun(msgspec.Struct, frozen=True):
    """A value of ours: compared by content, never changed."""


class CalendarKey(Noun, frozen=True):
    """One calendar as one account sees it."""

    account: str
    calendar: str


class EventKey(Noun, frozen=True):
    """One event on one calendar of one account."""

    account: str
    calendar: str
    event: str


class Guest(Noun, frozen=True):
    """One attendee; `entry` is Google's own JSON of it, written back untouched."""

    email: str
    entry: str


class Event(Noun, frozen=True, kw_only=True, omit_defaults=True, tag="event"):
    """A live event, in the parts that Calbot decides on.

    `time_zone` is the event's own (IANA), `colour` Google's colour id; either is empty where Google names none.
    """

    id: str
    etag: str
    ical_uid: str = ""
    kind: str = "default"
    title: str = ""
    description: str = ""
    location: str = ""
    start: str = ""
    end: str = ""
    recurrence: tuple[str, ...] = ()
    series: str | None = None
    original_start: str | None = None
    organiser: str = ""
    creator: str = ""
    organised_by_us: bool = False
    my_response: str | None = None
    guests: tuple[Guest, ...] = ()
    guests_hidden: bool = False
    visibility: str = "default"
    busy: bool = True
    locked: bool = False
    guests_may_invite: bool = True
    time_zone: str = ""
    colour: str = ""
    link: str = ""
    stamp: str = ""
    copy_of: str = ""

    @property
    def all_day(self) -> bool:
        """True when start and end are dates without a time."""
        return len(self.start) == len("2026-12-01")


class Gone(Noun, frozen=True, tag="gone"):
    """What is left of a deleted event: its id, and its place in a series if it had one."""

    id: str
    series: str | None = None
    original_start: str | None = None


Change = Event | Gone


class Unreadable(Noun, frozen=True):
    """An item of a listing that could not be understood, and why."""

    id: str
    problem: str


class Page(Noun, frozen=True):
    """One page of a listing. Exactly one of `next_page` and `sync_token` is set."""

    changes: tuple[Change, ...]
    next_page: str | None
    sync_token: str | None
    calendar_name: str = ""
    time_zone: str = ""
    unreadable: tuple[Unreadable, ...] = ()


class Invite(Noun, frozen=True, tag=True):
    """Add these guests to this event, as it was read."""

    event: Event
    guests: tuple[str, ...]
    rule: str
    send_updates: SendUpdates = "all"


class Retract(Noun, frozen=True, tag=True):
    """Take these guests off again, whom the deeds with these numbers put there; `event` is as they left it.

    `anew` are those among them whom somebody has taken off since: where they stand again, it is not by us. `unsure` are
    those of whom nobody knows whether our write arrived: only the stamp tells.
    """

    event: Event
    guests: tuple[str, ...]
    deeds: tuple[int, ...]
    rule: str
    send_updates: SendUpdates = "all"
    anew: tuple[str, ...] = ()
    unsure: tuple[str, ...] = ()


class LookUp(Noun, frozen=True, tag=True):
    """Ask Google whether an event that a full listing did not name is really gone."""

    event_id: str


class Skip(Noun, frozen=True, tag=True):
    """Leave this event alone, for this reason."""

    event: Event
    reason: SkipReason
    text: str
    rule: str | None = None


Action = Invite | Retract | LookUp | Skip


class Deed(Noun, frozen=True, kw_only=True):
    """A row of the ledger: one action and how far it has come.

    `uncertain` says that a write was sent whose answer never came, `approved` that a person let it past the brake.
    `batch` is size and place in a large run.
    """

    id: int
    key: EventKey
    verb: Verb
    state: DeedState
    action: Action
    attempts: int = 0
    retry_at: float | None = None
    uncertain: bool = False
    approved: bool = False
    reason: str | None = None
    reason_text: str | None = None
    run_id: str = ""
    source: str = "poll"
    seen_at: float | None = None
    batch: tuple[int, int] | None = None


class Outcome(Noun, frozen=True, kw_only=True, tag="calendar"):
    """Something that happened to an event, as told to people and automations."""

    event_type: OutcomeType
    key: EventKey
    calendar_name: str = ""
    event: Event | None = None
    guests_added: tuple[str, ...] = ()
    guests_removed: tuple[str, ...] = ()
    undo_token: str | None = None
    changed: tuple[str, ...] = ()
    old_start: str | None = None
    old_end: str | None = None
    reason: str | None = None
    reason_text: str | None = None
    rule: str | None = None
    retryable: bool | None = None
    retry_at: float | None = None
    source: str = "poll"
    seen_at: float | None = None
    run_id: str = ""
    batch: tuple[str, int, int] | None = None
    dry_run: bool = False


class Notice(Noun, frozen=True, kw_only=True, tag="system"):
    """Something that happened to Calbot itself."""

    event_type: NoticeType
    text: str
    account: str | None = None
    calendar: str | None = None
    reason: str | None = None
    data: dict[str, str | int | float | bool | None] = {}


Stream = Literal["calendar", "system"]


class Outgoing(Noun, frozen=True):
    """A row of the outbox. `seq` counts without gaps within its stream; `id` never changes."""

    seq: int
    stream: Stream
    id: str
    content: Outcome | Notice
    created: float
    attempts: int = 0


class Channel(Noun, frozen=True, kw_only=True):
    """A push channel. Its token is computed from `id` and the installation's key, never stored."""

    id: str
    key: CalendarKey
    address: str
    created: float
    resource_id: str | None = None
    expires: float | None = None
    confirmed: float | None = None


class Command(Noun, frozen=True, kw_only=True):
    """A request from MQTT, the panel or the command line, checked and typed."""

    name: str
    id: str
    args: dict[str, str | int | float | bool | None] = {}
    source: str = "mqtt"
    received: float = 0.0


class Answer(Noun, frozen=True, kw_only=True):
    """What is said to a command. `final` answers are stored with it."""

    status: Literal["accepted", "ok", "partial", "error"]
    code: str | None = None
    message: str = ""
    final: bool = True
    retryable: bool = False
    retry_after_s: float | None = None
    data: dict[str, str | int | float | bool | None] = {}
