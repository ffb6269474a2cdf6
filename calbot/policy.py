"""What the household wants: rules, the policy in force, and all that a decision about an event is made from; frozen."""

from collections.abc import Mapping

from calbot.kinds import Fate, SendUpdates
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


class Rule(Noun, frozen=True):
    """Whom to invite to what. One that `goes_on` lets the next rule have its say too."""

    name: str
    invite: tuple[str, ...] = ()
    send_updates: SendUpdates = "all"
    match: Match = Match()
    skip: bool = False
    goes_on: bool = False


class Policy(Noun, frozen=True):
    """Everything besides the event that a decision depends on. `time_zone` is the household's."""

    rules: tuple[Rule, ...]
    auto_invite: bool = True
    dry_run: bool = False
    time_zone: str = "UTC"
    invites_per_hour: int = 50


class Case(Noun, frozen=True, kw_only=True):
    """What a decision about an event is made from, besides the event: where it is, the policy, the time, the past.

    `fates` says what became of guests before; `parent` is the series of a single date, where it is known.
    """

    calendar: CalendarKey
    policy: Policy
    now: float
    fates: Mapping[str, Fate] = {}
    parent: Event | None = None


class Tried(Noun, frozen=True):
    """A rule that was held against an event: did it match, and why (not), as a sentence."""

    rule: str
    matched: bool
    why: str
