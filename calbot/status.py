"""How everything is: calendars, accounts, settings in force, and the verdict over all of them, frozen."""

from typing import Literal

from calbot.model import CalendarKey, Noun

FOR_EVER = 1e12
"""The end of a pause that has none: an instant beyond the calendar, so that no date is told for it."""
PushState = Literal["off", "waiting", "healthy", "failed"]


class CalendarStatus(Noun, frozen=True, kw_only=True):
    """How one calendar is doing. `stale_after` is the age in seconds of a success that is still good."""

    key: CalendarKey
    name: str = ""
    last_success: float | None = None
    failures: int = 0
    failing_since: float | None = None
    problem: str | None = None
    problem_text: str | None = None
    retry_at: float | None = None
    push: PushState = "off"
    every: float = 60.0
    """How often it is to be read, in seconds."""
    stale_after: float = 180.0


class AccountStatus(Noun, frozen=True, kw_only=True):
    """How one account is doing.

    `waiting_until` is when the next invitation has room in the hour, `resting_until` when Google's quota lets it invite
    again; both in epoch seconds.
    """

    email: str
    aid: str
    signed_in: bool = True
    sign_in_text: str | None = None
    calendars: tuple[CalendarStatus, ...] = ()
    syncing: bool = False
    in_flight: int = 0
    waiting: int = 0
    held: int = 0
    paused: bool = False
    waiting_until: float | None = None
    resting_until: float | None = None
    waiting_since: float | None = None
    """When the oldest work that can go out was written down, in epoch seconds: not what is held or put off."""
    sign_in_ends: float | None = None
    """When Google ends this sign-in by itself, in epoch seconds: a client in "Testing"."""


class Effective(Noun, frozen=True, kw_only=True):
    """The settings in force: options with what was switched over MQTT or in the panel."""

    auto_invite: bool
    mirroring: bool = True
    dry_run: bool
    poll_interval: int
    invites_per_hour: int
    removals_per_pass: int
    patience: int = 1800
    first_sync: str
    invite_emails: tuple[str, ...]
    central_calendar: str | None = None
    rules: int = 0
    """How many rules there are, beside the obvious one."""
    paused_until: float | None = None
    """None: running. FOR_EVER: until resumed."""
    accounts_off: tuple[str, ...] = ()
    """The accounts whose own switch keeps them from inviting."""
    accounts_paused: tuple[str, ...] = ()
    """The accounts that are paused by themselves."""


class Snapshot(Noun, frozen=True, kw_only=True):
    """Everything that doors and judges may know, replaced whole."""

    started_at: float
    settings: Effective
    accounts: tuple[AccountStatus, ...] = ()
    token_problems: tuple[str, ...] = ()
    option_problem: str | None = None
    unwritable: tuple[str, ...] = ()
    """Target calendars to which none of the accounts may write."""
    notes: tuple[str, ...] = ()
    disk_problem: str | None = None
    broker_connected: bool = False
    broker_problem: str | None = None
    broker_advice: str | None = None
    hung: tuple[str, ...] = ()
    """The accounts whose worker has not got on for longer than any work takes."""
    clock_off: float | None = None
    """By how many seconds our clock is ahead of Google's; None until Google has answered."""
    pushes_refused: int = 0


Level = Literal["ok", "setup", "paused", "degraded", "problem"]


class Reason(Noun, frozen=True, kw_only=True):
    """One cause of a status: what, for whom, and what to do."""

    code: str
    text: str
    remedy: str = ""
    level: Level = "degraded"
    account: str | None = None


class Health(Noun, frozen=True):
    """The verdict: the worst level, why, and when the next successful sync is owed."""

    level: Level
    reasons: tuple[Reason, ...]
    last_success: float | None
    next_by: float | None
