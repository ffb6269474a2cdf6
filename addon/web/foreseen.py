"""The preview in words: what the rules would do, counted, grouped by decision, and never too long to show; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo

from addon.web.copied import shows, targets
from addon.web.links import event_link
from addon.web.past import when
from addon.web.timeline import Tone
from addon.web.words import clean, people, where
from calbot.actions import Invite, Skip
from calbot.policy import Link
from calbot.preview import Foreseen
from calbot.store.copyhistory import with_names

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
    """The page's values: of what is still to come `events` would get `guests` invitations, and `copies` a copy."""

    events: int
    guests: int
    copies: int
    counts: tuple[tuple[str, str], ...]
    groups: tuple[Group, ...]


def forecast(found: Sequence[Foreseen], now: float, zone: tzinfo, names: Mapping[str, str] | None = None) -> Forecast:
    """Return what would be done, invitations first; `names` are what calendars are called, by their ids."""
    coming = [one for one in found if isinstance(one.action, Invite) and not one.past]
    gone = [one for one in found if isinstance(one.action, Invite) and one.past]
    alone: list[Foreseen] = []
    copied: list[Foreseen] = []
    over: list[Foreseen] = []
    left: dict[str, list[Foreseen]] = {}
    for one in found:
        if not isinstance(one.action, Skip):
            continue
        if new_copies(one):
            (over if one.past else copied).append(one)
        elif one.links:
            alone.append(one)
        else:
            left.setdefault(one.action.reason, []).append(one)
    guests = sum(len(one.action.guests) for one in coming if isinstance(one.action, Invite))
    page = _Page(now, zone, names or {})
    groups = [
        page.group("Would be invited", "good", coming, MOST_INVITED),
        page.group("Would be copied", "good", copied, MOST_INVITED),
        page.group("Over by now; would have been invited", "quiet", gone, MOST_OF_A_REASON),
        page.group("Over by now; would have been copied", "quiet", over, MOST_OF_A_REASON),
        page.group("Has its copy already", "quiet", alone, MOST_OF_A_REASON),
        *(
            page.group(_HEADINGS.get(reason, reason.replace("_", " ")), "quiet", left[reason], MOST_OF_A_REASON)
            for reason in sorted(left, key=lambda reason: (_ORDER.index(reason) if reason in _ORDER else 99, reason))
        ),
    ]
    copies = sum(len(new_copies(one)) for one in (*coming, *copied))
    mirrors = any(one.links or one.unmirrored for one in found)
    counts = (
        ("events would get guests", str(len(coming))),
        ("invitations in all", str(guests)),
        *((("copies would be made", str(copies)),) if mirrors else ()),
        ("would be left alone", str(sum(len(rows) for rows in (alone, *left.values())))),
        ("events looked at", str(len(found))),
    )
    return Forecast(len(coming), guests, copies, counts, tuple(group for group in groups if group.count))


def new_copies(one: Foreseen) -> tuple[Link, ...]:
    """Return the copies that an event is to have and has not."""
    return tuple(link for link in one.links if link.target not in one.copied)


@dataclass(frozen=True, slots=True)
class _Page:
    now: float
    zone: tzinfo
    names: Mapping[str, str]

    def group(self, heading: str, tone: Tone, found: Sequence[Foreseen], most: int) -> Group:
        """Return the group of these events."""
        return Group(heading, tone, len(found), tuple(self.row(one) for one in found[:most]))

    def row(self, one: Foreseen) -> Row:
        """Return the line of one event."""
        match one.action:
            case Invite():
                texts = [f"{people(one.action.guests)} (rule: {one.action.rule})"]
            case Skip():
                texts = [one.action.text]
            case _:
                texts = []
        new = new_copies(one)
        if new:
            shown = " or ".join(dict.fromkeys(shows(link.mask) for link in new))
            rules = ", ".join(dict.fromkeys(link.rule for link in new))
            copied = f"opied to {targets(new, self.names)}, with {shown} (rule: {rules})"
            texts = [*texts, f"c{copied}"] if isinstance(one.action, Invite) else [f"C{copied}", *texts]
        elif one.links:
            its = "its" if isinstance(one.action, Invite) else "Its"
            texts.append(f"{its} copy is on {targets(one.links, self.names)}.")
        elif one.unmirrored is not None:
            why = with_names(one.unmirrored.text, self.names)
            no = "no" if isinstance(one.action, Invite) else "No"
            texts += [f"{no} copy: {why}"] if why not in texts else []
        return Row(
            title=clean(one.event.title, 120) or "Event without a title",
            when=when(one.event, self.now, self.zone),
            where=where(one.calendar_name, one.key.account),
            text=clean("; ".join(texts) if isinstance(one.action, Invite) else " ".join(texts), 300),
            link=event_link(one.key),
        )
