"""The preview in words: what the rules would do, counted, grouped by decision, and never too long to show; pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo

from addon.web.links import event_link
from addon.web.past import when
from addon.web.timeline import Tone
from addon.web.words import clean, people, where
from calbot.actions import Invite, Skip
from calbot.preview import Foreseen

MOST_INVITED = 200
MOST_OF_A_REASON = 30
_HEADINGS = {
    "dry_run": "Would be invited, but dry run is on",
    "auto_invite_off": "Would be invited, but auto-invite is off",
    "paused": "Waits until Calbot goes on",
    "already_invited": "Everybody is on it already",
    "removed_by_hand": "Somebody was taken off by hand, and stays off",
    "rule_skip": "A rule says to leave it alone",
    "private": "Private",
    "declined": "Declined",
    "not_organiser": "Somebody else organises it",
    "event_type": "Takes no guests",
    "no_write_access": "Cannot be changed",
    "own_copy": "A copy that Calbot made",
    "no_rule": "No rule matches",
    "past": "Over",
}
_ORDER = tuple(_HEADINGS)


@dataclass(frozen=True, slots=True)
class Row:
    """One event, and why it is where it is."""

    title: str
    when: str
    where: str
    text: str
    link: str


@dataclass(frozen=True, slots=True)
class Group:
    """The events of one decision: the first of them, and how many more there are."""

    heading: str
    tone: Tone
    count: int
    rows: tuple[Row, ...]

    @property
    def more(self) -> int:
        """Return how many are not shown."""
        return self.count - len(self.rows)


@dataclass(frozen=True, slots=True)
class Forecast:
    """The page's values: of what is still to come `events` would get `guests` invitations."""

    events: int
    guests: int
    counts: tuple[tuple[str, str], ...]
    groups: tuple[Group, ...]


def forecast(found: Sequence[Foreseen], now: float, zone: tzinfo) -> Forecast:
    """Return what would be done, invitations first."""
    coming = [one for one in found if isinstance(one.action, Invite) and not one.past]
    gone = [one for one in found if isinstance(one.action, Invite) and one.past]
    left: dict[str, list[Foreseen]] = {}
    for one in found:
        if isinstance(one.action, Skip):
            left.setdefault(one.action.reason, []).append(one)
    guests = sum(len(one.action.guests) for one in coming if isinstance(one.action, Invite))
    groups = [
        _group("Would be invited", "good", coming, MOST_INVITED, now, zone),
        _group("Over by now; would have been invited", "quiet", gone, MOST_OF_A_REASON, now, zone),
        *(
            _group(_HEADINGS.get(reason, reason.replace("_", " ")), "quiet", left[reason], MOST_OF_A_REASON, now, zone)
            for reason in sorted(left, key=lambda reason: (_ORDER.index(reason) if reason in _ORDER else 99, reason))
        ),
    ]
    counts = (
        ("events would get guests", str(len(coming))),
        ("invitations in all", str(guests)),
        ("would be left alone", str(sum(len(rows) for rows in left.values()))),
        ("events looked at", str(len(found))),
    )
    return Forecast(len(coming), guests, counts, tuple(group for group in groups if group.count))


def _group(heading: str, tone: Tone, found: Sequence[Foreseen], most: int, now: float, zone: tzinfo) -> Group:
    return Group(heading, tone, len(found), tuple(_row(one, now, zone) for one in found[:most]))


def _row(one: Foreseen, now: float, zone: tzinfo) -> Row:
    match one.action:
        case Invite():
            text = f"{people(one.action.guests)} (rule: {one.action.rule})"
        case Skip():
            text = one.action.text
        case _:
            text = ""
    return Row(
        title=clean(one.event.title, 120) or "Event without a title",
        when=when(one.event, now, zone),
        where=where(one.calendar_name, one.key.account),
        text=clean(text, 300),
        link=event_link(one.key),
    )
