"""The whole state of the fake and the primitives that change it; no sockets, threads or sleeping."""

from collections import deque
from collections.abc import Callable, Iterable

from tests.google_server import errors
from tests.google_server.channels import Channels, Push, events_resource, list_resource
from tests.google_server.faults import Faults
from tests.google_server.state import WRITERS, Account, Calendar, Call, Entry, Mail, Row, SentMail, Switches
from tests.google_server.tokens import Tokens
from tests.google_server.values import Clock, Doc, stamp

FIRST_ETAG = 3_400_000_000_000_000


class World:
    """One Google. `accounts` are e-mail addresses; each has its primary calendar.

    `outgoing_pushes` is for the caller to deliver; `on_push` is called when there is one. `between_pages`:
    what happens after the next page that has a successor, and so on. `checker(schema, document)` gives the
    problems of an answer, kept in `schema_problems`; `surprises` are tracebacks of the fake itself.
    """

    def __init__(self, clock: Clock, accounts: Iterable[str] = (), *, time_zone: str = "Europe/Berlin") -> None:
        self.clock = clock
        self.time_zone = time_zone
        self.switches = Switches()
        self.accounts: dict[str, Account] = {}
        self.calendars: dict[str, Calendar] = {}
        self.gone_calendars: set[str] = set()
        self.tokens = Tokens(self)
        self.channels = Channels(self)
        self.faults = Faults()
        self.outgoing_pushes: deque[Push] = deque()
        self.push_log: list[Push] = []
        self.on_push: Callable[[], None] = lambda: None
        self.mails: list[Mail] = []
        self.gmail: list[SentMail] = []
        self.calls: list[Call] = []
        self.between_pages: list[Callable[[], None]] = []
        self.checker: Callable[[str, Doc], list[str]] | None = None
        self.schema_problems: list[str] = []
        self.surprises: list[str] = []
        self._counters: dict[str, int] = {}
        self._numbers: dict[str, int] = {}
        for email in accounts:
            self.add_account(email)

    def now(self) -> float:
        """Epoch seconds by the clock, moved by the switch `clock_offset`."""
        return self.clock.now() + self.switches.clock_offset

    def next(self, name: str) -> int:
        """1, 2, 3 and so on, for each name."""
        self._counters[name] = self._counters.get(name, 0) + 1
        return self._counters[name]

    def number_of(self, thing: str) -> int:
        """A number that stays with this thing."""
        return self._numbers.setdefault(thing, len(self._numbers) + 1)

    def add_account(self, email: str, name: str = "") -> Account:
        """A Google user with an empty primary calendar."""
        email = email.lower()
        self.accounts[email] = Account(email, name or email.partition("@")[0].title())
        self.add_calendar(email, calendar_id=email, summary=email)
        return self.accounts[email]

    def account(self, email: str) -> Account:
        """The account, or KeyError with the names there are."""
        if email not in self.accounts:
            raise KeyError(f"no account {email!r}; there are {', '.join(self.accounts) or 'none'}")
        return self.accounts[email]

    def add_calendar(self, owner: str, *, calendar_id: str = "", summary: str = "", time_zone: str = "") -> Calendar:
        """A calendar in its owner's list; holiday and birthday calendars are read-only to them."""
        number = self.next("calendar")
        name = calendar_id or f"c_{number:04d}@group.calendar.google.com"
        calendar = Calendar(name, summary or name, owner, time_zone or self.time_zone, number, updated=self.now())
        self.calendars[name] = calendar
        self.gone_calendars.discard(name)
        self.share(name, owner, "owner" if calendar.pushable else "reader")
        return calendar

    def share(self, calendar_id: str, account: str, role: str) -> None:
        """Give an account a role on a calendar (owner, writer, reader, freeBusyReader, or none: empty)."""
        calendar = self.calendars[calendar_id]
        if role:
            calendar.acl[account] = role
        else:
            calendar.acl.pop(account, None)
        self.list_changed(account, calendar_id, deleted=not role)

    def remove_calendar(self, calendar_id: str) -> None:
        """The calendar is gone for everybody: its calls answer 404 from now on."""
        calendar = self.calendars.pop(calendar_id)
        self.gone_calendars.add(calendar_id)
        for account in calendar.acl:
            self.list_changed(account, calendar_id, deleted=True)
        self.channels.changed(events_resource(calendar_id)[0], "not_exists")

    def list_changed(self, account: str, calendar_id: str, *, deleted: bool = False) -> None:
        """Note a change in an account's calendar list."""
        owner = self.account(account)
        entry = owner.entries.get(calendar_id)
        if entry is None:
            entry = owner.entries[calendar_id] = Entry(calendar_id, len(owner.entries) + 1)
        owner.list_seq += 1
        entry.seq, entry.deleted, entry.etag = owner.list_seq, deleted, self.etag()
        self.channels.changed(list_resource(account)[0])

    def calendar_for(self, account: str, name: str, *, write: bool = False) -> tuple[Calendar, str]:
        """A calendar by the name in a call (`primary` is one's own) and the caller's role on it."""
        calendar = self.calendars.get(account if name == "primary" else name.lower())
        calendar = calendar or self.calendars.get(name)
        role = calendar.acl.get(account, "") if calendar else ""
        if calendar is None or not role:
            raise errors.not_found()
        if write and role not in WRITERS:
            raise errors.writer_needed()
        return calendar, role

    def etag(self) -> str:
        """An etag nobody had before, in its quotation marks."""
        return f'"{FIRST_ETAG + 2 * self.next("etag")}"'

    def put(self, calendar: Calendar, doc: Doc, *, quiet: bool = False) -> Row:
        """Store a document as the newest change: fresh etag, later `updated`, a message to the channels."""
        row = calendar.rows.get(doc["id"])
        now = max(self.now(), row.updated + 0.001 if row else 0.0)
        calendar.updated = max(now, calendar.updated)
        doc = {**doc, "etag": self.etag(), "updated": stamp(now)}
        if row is None:
            row = Row(len(calendar.ordered) + 1, doc)
            calendar.rows[doc["id"]] = row
            calendar.ordered.append(row)
            if parent := doc.get("recurringEventId"):
                calendar.exceptions.setdefault(parent, []).append(doc["id"])
        row.doc, row.updated = doc, now
        row.rendered.clear()
        calendar.log.append(row)
        row.seq = len(calendar.log)
        if not quiet:
            self.channels.changed(events_resource(calendar.id)[0])
        return row

    def expire_sync_tokens(self, calendar_id: str = "") -> None:
        """Make every token handed out so far answer 410: for one calendar, or for everything."""
        for calendar in self.calendars.values():
            if calendar_id in {"", calendar.id}:
                calendar.token_generation += 1
        if not calendar_id:
            for account in self.accounts.values():
                account.list_generation += 1

    def count_call(self, account: Account) -> None:
        """Count a call in the account's sliding minute."""
        now = self.now()
        account.total_calls += 1
        account.calls.append(now)
        while account.calls and account.calls[0] <= now - 60.0:
            account.calls.popleft()
        account.most_calls = max(account.most_calls, len(account.calls))

    def check_quota(self, account: Account) -> None:
        """Raise the rate refusal when a quota is set and the account's last minute is over it."""
        quota = self.switches.quota_per_minute
        if quota is not None and len(account.calls) > quota:
            raise errors.rate_limit()

    def check(self, schema: str, document: Doc) -> None:
        """Have the checker look at an answer and keep what it finds."""
        if self.checker is not None:
            self.schema_problems.extend(f"{schema}: {one}" for one in self.checker(schema, document))
