"""What can be taken back, as the page of undo lists it: invitations of late, by the pass that made them; pure."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import tzinfo

from addon.web.links import event_link
from addon.web.words import clean, day, moment, nearby, people, where
from calbot.actions import Deed, Invite
from calbot.model import Outcome, Outgoing

MOST_LINES = 50
MOST_RUNS = 30
MOST_OF_A_RUN = 10


@dataclass(frozen=True, slots=True)
class Line:
    """One invitation that can be taken back."""

    title: str
    when: str
    guests: str
    where: str
    at: str
    age: str
    token: str
    link: str


@dataclass(frozen=True, slots=True)
class Run:
    """The invitations of one pass, newest first; `lines` are the first of them, `cut` says that there may be others."""

    run_id: str
    at: str
    count: int
    lines: tuple[Line, ...]
    cut: bool

    @property
    def more(self) -> int:
        """Return how many are not shown."""
        return self.count - len(self.lines)


@dataclass(frozen=True, slots=True)
class Meant:
    """One invitation that a person is about to take back; `state` says so if it has not gone out yet."""

    title: str
    when: str
    guests: str
    state: str


def invitations(rows: Sequence[Outgoing], good: Collection[str]) -> list[tuple[float, Outcome]]:
    """Return when and what was invited and can be taken back, newest first."""
    return [
        (row.created, row.content)
        for row in sorted(rows, key=lambda row: row.seq, reverse=True)
        if isinstance(row.content, Outcome) and row.content.undo_token in good and row.content.event_type == "invited"
    ]


def runs(found: Sequence[tuple[float, Outcome]], now: float, zone: tzinfo, *, cut: bool) -> list[Run]:
    """Return the passes, newest first; `cut` says that there may be older invitations than these."""
    by_run: dict[str, list[tuple[float, Outcome]]] = {}
    for at, one in found:
        by_run.setdefault(one.run_id, []).append((at, one))
    return [
        Run(
            run_id,
            moment(made[0][0], now, zone),
            len(made),
            tuple(line(at, one, now, zone) for at, one in made[:MOST_OF_A_RUN]),
            cut=cut and made[-1] is found[-1],
        )
        for run_id, made in list(by_run.items())[:MOST_RUNS]
    ]


def line(at: float, one: Outcome, now: float, zone: tzinfo) -> Line:
    """Return the line of one invitation."""
    return Line(
        title=(clean(one.event.title, 160) if one.event else "") or "Event without a title",
        when=day(one.event.start, now, zone) if one.event else "",
        guests=clean(people(one.guests_added), 300),
        where=where(one.calendar_name, one.key.account),
        at=moment(at, now, zone),
        age=nearby(at, now),
        token=one.undo_token or "",
        link=event_link(one.key),
    )


def meant(deeds: Sequence[Deed], now: float, zone: tzinfo) -> list[Meant]:
    """Return the first lines of invitations that are about to be taken back: those that went out, then the others."""
    gone_out_first = sorted(deeds, key=lambda deed: deed.state != "done")
    return [_meant(deed, now, zone) for deed in gone_out_first[:MOST_LINES]]


def _meant(deed: Deed, now: float, zone: tzinfo) -> Meant:
    invite = deed.action if isinstance(deed.action, Invite) else None
    return Meant(
        title=(clean(invite.event.title, 160) if invite else "") or "Event without a title",
        when=day(invite.event.start, now, zone) if invite else "",
        guests=clean(people(invite.guests), 300) if invite else "",
        state="" if deed.state == "done" else "not sent yet, would be dropped",
    )
