"""What the fake remembers: accounts, calendars with their change logs, events, mails, calls, switches."""

from collections import deque
from dataclasses import dataclass, field

from tests.google_server.values import Doc

WRITERS = frozenset({"owner", "writer", "writerWithoutPrivateAccess"})
NO_PRIVATE_DETAILS = frozenset({"reader", "writerWithoutPrivateAccess"})


@dataclass(slots=True, eq=False)
class Row:
    """One event on one calendar: its document, its number there, and where it stands in the log."""

    number: int
    doc: Doc
    seq: int = 0
    updated: float = 0.0
    rendered: dict[str, str] = field(default_factory=dict)

    @property
    def deleted(self) -> bool:
        return self.doc.get("status") == "cancelled"


@dataclass(slots=True, eq=False)
class Calendar:
    """A calendar: `rows` by event id, `ordered` as created, `log` one entry per change (index + 1 = seq)."""

    id: str
    summary: str
    owner: str
    time_zone: str
    number: int
    acl: dict[str, str] = field(default_factory=dict)
    rows: dict[str, Row] = field(default_factory=dict)
    ordered: list[Row] = field(default_factory=list)
    log: list[Row] = field(default_factory=list)
    exceptions: dict[str, list[str]] = field(default_factory=dict)
    token_generation: int = 0
    updated: float = 0.0
    details: Doc = field(default_factory=dict)

    @property
    def primary(self) -> bool:
        return self.id == self.owner

    @property
    def pushable(self) -> bool:
        """Google offers no push for holiday, birthday and contacts calendars."""
        return not self.id.endswith("group.v.calendar.google.com")

    def person(self) -> Doc:
        """Organizer or creator as this calendar would be named in one."""
        return {"email": self.id} if self.primary else {"email": self.id, "displayName": self.summary}


@dataclass(slots=True)
class Entry:
    """One line of an account's calendar list, with its place in that list's change log."""

    calendar: str
    number: int
    seq: int = 0
    deleted: bool = False
    hidden: bool = False
    etag: str = ""


@dataclass(slots=True)
class Account:
    """One Google user: the primary calendar has the e-mail address as its id."""

    email: str
    name: str
    entries: dict[str, Entry] = field(default_factory=dict)
    list_seq: int = 0
    list_generation: int = 0
    calls: deque[float] = field(default_factory=deque)
    most_calls: int = 0
    total_calls: int = 0


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail Google sent for an event. `kind`: invitation, update, cancellation or reply."""

    number: int
    kind: str
    to: str
    sender: str
    calendar: str
    event: str
    summary: str
    time: float
    external: bool


@dataclass(frozen=True, slots=True)
class SentMail:
    """A message that an account sent through the Gmail API; `raw` is the RFC 5322 text."""

    number: int
    account: str
    to: str
    subject: str
    raw: str
    time: float


@dataclass(slots=True)
class Call:
    """One call as the fake saw it; `status` 0 means that the connection died."""

    number: int
    time: float
    method: str
    path: str
    operation: str
    account: str = ""
    calendar: str = ""
    event: str = ""
    query: dict[str, list[str]] = field(default_factory=dict)
    if_match: str = ""
    body: Doc | None = None
    status: int = 0
    reason: str = ""
    fault: str = ""
    applied: bool = False


@dataclass(slots=True)
class Switches:
    """What a test can set. `latency` in seconds; `operation_latency` overrides it for single operations.

    `page_sizes`: the sizes of the next pages (0 gives an empty one). `non_organizer`: refuse | local.
    `revive`: allow | refuse (403 when a deleted event is confirmed again).
    `source_of_others`: ignore | refuse (403), when `source` is written by somebody who did not create the event.
    `exceptions_first`: full lists bring the changed dates of series before their parents.
    `dates_inherit_private`: a date that is changed by itself begins with the private properties of its series.
    `quota_per_minute`: None counts only. `push_gap`: step of the message numbers.
    `push_routes`: start of an https address -> the loopback http address that stands for it.
    """

    latency: float = 0.0
    operation_latency: dict[str, float] = field(default_factory=dict)
    page_sizes: list[int] = field(default_factory=list)
    non_organizer: str = "refuse"
    revive: str = "allow"
    source_of_others: str = "ignore"
    exceptions_first: bool = False
    dates_inherit_private: bool = True
    quota_per_minute: int | None = None
    allow_http_push: bool = False
    push_unauthorized: bool = False
    sync_before_answer: bool = False
    push_gap: int = 3
    lose_pushes: int = 0
    duplicate_pushes: int = 0
    delay_pushes: float = 0.0
    push_routes: dict[str, str] = field(default_factory=dict)
    omit_attendees: set[str] = field(default_factory=set)
    clock_offset: float = 0.0
