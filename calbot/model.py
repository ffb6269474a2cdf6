"""The nouns of Calbot, frozen.

Instants are seconds since the epoch (UTC, float). Times of events are kept as Google writes them: RFC 3339
with an offset, or `YYYY-MM-DD` for all-day events, whose end is exclusive. Addresses are lower case.
"""

from typing import Literal

import msgspec

from calbot.kinds import CopyState, NoticeType, OutcomeType


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

    `time_zone` and `end_time_zone` are the event's own (IANA), `colour` is Google's colour id, `meeting` the address of
    its video call; each is empty where Google names none. `attached` says that files hang on it.
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
    end_time_zone: str = ""
    colour: str = ""
    link: str = ""
    meeting: str = ""
    attached: bool = False
    stamp: str = ""
    copy_of: str = ""
    brought_back: bool = False

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


class Content(Noun, frozen=True, kw_only=True, omit_defaults=True):
    """What a copy shows, as it is written to Google and as it is read back. `link` leads to the original."""

    title: str = ""
    description: str = ""
    location: str = ""
    start: str = ""
    end: str = ""
    time_zone: str = ""
    end_time_zone: str = ""
    recurrence: tuple[str, ...] = ()
    busy: bool = True
    visibility: str = "default"
    colour: str = ""
    link: str = ""


class Copy(Noun, frozen=True, kw_only=True):
    """One copy of a meeting on a target calendar, or of one date of a series that is copied there.

    `uid` is the meeting's iCalUID; `original_start` the date's place in the series, as in Google's ids of single dates
    (`20261201T090000Z` or `20261201`), empty for everything else. `event_id` is its id on the target. `series` is the
    row of the copy of the series that this is a date of. `content` is what we wrote last, `etag` Google's version of
    that; `colour` is one that a person chose for the copy.
    """

    id: int
    uid: str
    original_start: str
    target: str
    generation: int
    event_id: str
    series: int | None = None
    state: CopyState = "planned"
    etag: str | None = None
    content: Content | None = None
    colour: str = ""


class Outcome(Noun, frozen=True, kw_only=True, tag="calendar"):
    """Something that happened to an event, as told to people and automations."""

    event_type: OutcomeType
    key: EventKey
    calendar_name: str = ""
    event: Event | None = None
    target_calendar: str | None = None
    copy_id: str | None = None
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
