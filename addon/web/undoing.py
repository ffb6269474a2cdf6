"""What can be taken back, as the page of undo lists it: changes of late, by the pass that made them; pure."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo

from addon.web.links import event_link
from addon.web.words import clean, day, moment, nearby, people, plural, where
from calbot.actions import Deed, DeleteOriginal, Invite, LookUp, Mirror
from calbot.model import Outcome, Outgoing

MOST_LINES = 50
MOST_RUNS = 30
MOST_OF_A_RUN = 10
_NOUNS = {"invited": "invitation", "mirrored": "copy", "original_deleted": "deleted original"}


@dataclass(frozen=True, slots=True)
class Line:
    """One change that can be taken back; `what` are the guests, or the copy, or the deletion."""

    title: str
    when: str
    what: str
    where: str
    at: str
    age: str
    token: str
    link: str


@dataclass(frozen=True, slots=True)
class Run:
    """The changes of one pass, newest first; `lines` are the first of them, `cut` says that there may be others.

    `headline` counts them: the invitations, the copies.
    """

    run_id: str
    at: str
    count: int
    headline: str
    lines: tuple[Line, ...]
    cut: bool

    @property
    def more(self) -> int:
        """Return how many are not shown."""
        return self.count - len(self.lines)


@dataclass(frozen=True, slots=True)
class Meant:
    """One change that a person is about to take back; `state` says so if it has not gone out yet."""

    title: str
    when: str
    what: str
    state: str


def changes(rows: Sequence[Outgoing], good: Collection[str]) -> list[tuple[float, Outcome]]:
    """Return when and what was done and can be taken back, newest first."""
    return [
        (row.created, row.content)
        for row in sorted(rows, key=lambda row: row.seq, reverse=True)
        if isinstance(row.content, Outcome) and row.content.undo_token in good and row.content.event_type in _NOUNS
    ]


def runs(found: Sequence[tuple[float, Outcome]], now: float, zone: tzinfo, *, cut: bool) -> list[Run]:
    """Return the passes, newest first; `cut` says that there may be older changes than these."""
    by_run: dict[str, list[tuple[float, Outcome]]] = {}
    for pair in found:
        by_run.setdefault(pair[1].run_id, []).append(pair)
    return [
        Run(
            run_id,
            moment(made[0][0], now, zone),
            len(made),
            _counted([one for _, one in made], or_more=cut and made[-1] is found[-1]),
            tuple(line(at, one, now, zone) for at, one in made[:MOST_OF_A_RUN]),
            cut=cut and made[-1] is found[-1],
        )
        for run_id, made in list(by_run.items())[:MOST_RUNS]
    ]


def _counted(made: Sequence[Outcome], *, or_more: bool) -> str:
    """Return how many changes of each kind there are."""
    counts = Counter(_NOUNS[one.event_type] for one in made)
    parts = [plural(count, noun) for noun, count in counts.items()]
    if or_more:
        parts[-1] = parts[-1].replace(" ", " or more ", 1)
    return " and ".join(parts)


def line(at: float, one: Outcome, now: float, zone: tzinfo) -> Line:
    """Return the line of one change."""
    return Line(
        title=(clean(one.event.title, 160) if one.event else "") or "Event without a title",
        when=day(one.event.start, now, zone) if one.event else "",
        what=clean(_what(one), 300),
        where=where(one.calendar_name, one.key.account),
        at=moment(at, now, zone),
        age=nearby(at, now),
        token=one.undo_token or "",
        link=event_link(one.key),
    )


def _what(one: Outcome) -> str:
    match one.event_type:
        case "mirrored":
            return f"copied to {one.target_calendar or 'another calendar'}"
        case "original_deleted":
            return "deleted; its copy stays"
        case _:
            return people(one.guests_added)


def meant(deeds: Sequence[Deed], now: float, zone: tzinfo, names: Mapping[str, str]) -> list[Meant]:
    """Return the first lines of what is about to be taken back: what went out, then the rest.

    `names` are what calendars are called, by their ids.
    """
    gone_out_first = sorted(deeds, key=lambda deed: deed.state != "done")
    return [_meant(deed, now, zone, names) for deed in gone_out_first[:MOST_LINES]]


def _meant(deed: Deed, now: float, zone: tzinfo, names: Mapping[str, str]) -> Meant:
    action = deed.action
    event = action.event if not isinstance(action, LookUp) else None
    match action:
        case Invite():
            what, dropped = people(action.guests), "not sent yet, would be dropped"
        case Mirror():
            target = names.get(action.copy.target, action.copy.target)
            what, dropped = f"copied to {target}", "not copied yet, would be dropped"
        case DeleteOriginal():
            what, dropped = "deleted; its copy stays", "not deleted yet, would be dropped"
        case _:
            what, dropped = "", "would be dropped"
    return Meant(
        title=(clean(event.title, 160) if event else "") or "Event without a title",
        when=day(event.start, now, zone) if event else "",
        what=clean(what, 300),
        state="" if deed.state == "done" else dropped,
    )
