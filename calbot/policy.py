"""What the household wants: rules, the policy in force, and all that a decision about an event is made from; frozen."""

from collections.abc import Mapping
from typing import Literal

from calbot.actions import Action, Skip
from calbot.kinds import CopyState, Fate, SendUpdates
from calbot.model import CalendarKey, Event, Noun


class Match(Noun, frozen=True, kw_only=True, omit_defaults=True):
    """What an event must be like; everything that is set has to hold. Of several values any one will do.

    `title`, `description` and `location` are RE2 patterns, searched for. `weekdays` count from Monday, 0. `hours` are
    minutes of the day, from and to; from later than to goes over midnight. `colours` are Google's colour ids.
    """

    accounts: tuple[str, ...] = ()
    calendars: tuple[str, ...] = ()
    title: str | None = None
    description: str | None = None
    location: str | None = None
    organiser_is_me: bool | None = None
    event_types: tuple[str, ...] = ()
    all_day: bool | None = None
    busy: bool | None = None
    my_rsvp: tuple[str, ...] = ()
    has_guest: tuple[str, ...] = ()
    weekdays: tuple[int, ...] = ()
    hours: tuple[int, int] | None = None
    within_days: int | None = None
    visibility: tuple[str, ...] = ()
    colours: tuple[str, ...] = ()


class Mask(Noun, frozen=True):
    """What a copy shows of its source: all, its title, its time alone, or what a template names.

    `title` and `description` belong to a template; `{title}` and the like in them stand for the source's own.
    """

    shows: Literal["full", "title", "busy", "template"] = "full"
    title: str = ""
    description: str = ""


FULL = Mask()
EVERYBODY = "*"
"""Stands for every guest among those whom an earlier bot had its chance to invite."""


class Rule(Noun, frozen=True):
    """Whom to invite to what, and where to keep copies. One that `goes_on` lets the next rule have its say too.

    `mirror` is the id of the calendar that gets copies, in lower case; `uninvitable_only` says that only what nobody
    can be invited to is copied.
    """

    name: str
    invite: tuple[str, ...] = ()
    send_updates: SendUpdates = "all"
    match: Match = Match()
    skip: bool = False
    goes_on: bool = False
    mirror: str | None = None
    mask: Mask = FULL
    uninvitable_only: bool = False
    delete_original: bool = False


class Policy(Noun, frozen=True):
    """Everything besides the event that a decision depends on. `time_zone` is the household's.

    `place` is where the account stands among the household's, from 0; `grace` the seconds between a copy and the
    deletion of its original, where `delete_originals` allows that at all.
    """

    rules: tuple[Rule, ...]
    auto_invite: bool = True
    dry_run: bool = False
    time_zone: str = "UTC"
    invites_per_hour: int = 50
    mirroring: bool = True
    removals_per_pass: int = 5
    delete_originals: bool = False
    grace: float = 3600.0
    place: int = 0


class Case(Noun, frozen=True, kw_only=True):
    """What a decision about an event is made from, besides the event: where it is, the policy, the time, the past.

    `fates` says what became of guests before; `handled` whom an earlier bot had its chance to invite (`EVERYBODY` where
    it is not known whom); `parent` is the series of a single date, where it is known; `copies` how the event's copies
    stand, by target calendar, and `series_copies` those of the series of a single date.
    """

    calendar: CalendarKey
    policy: Policy
    now: float
    fates: Mapping[str, Fate] = {}
    handled: frozenset[str] = frozenset()
    parent: Event | None = None
    copies: Mapping[str, CopyState] = {}
    series_copies: Mapping[str, CopyState] = {}


class Tried(Noun, frozen=True):
    """A rule that was held against an event: did it match, and why (not), as a sentence."""

    rule: str
    matched: bool
    why: str


class Link(Noun, frozen=True):
    """That an event is to have a copy on this calendar, masked so, because of this rule.

    With `delete_original` the copy is to take its place, and `guests` are invited to the copy; `keep` says that a
    person wants the original to stay. A date that `inherits` is copied as its series is: no rule speaks for either now.
    """

    target: str
    mask: Mask
    rule: str
    delete_original: bool = False
    guests: tuple[str, ...] = ()
    send_updates: SendUpdates = "all"
    keep: bool = False
    inherits: bool = False


class Decision(Noun, frozen=True):
    """All that the rules say of an event: whom to invite or why nobody, which copies, why not, and what was tried."""

    action: Action
    links: tuple[Link, ...] = ()
    unmirrored: Skip | None = None
    tried: tuple[Tried, ...] = ()
