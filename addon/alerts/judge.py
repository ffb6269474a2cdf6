"""When a trouble becomes an alert, when it counts as solved, and when people are told; pure."""

import math
from typing import Literal, get_args

from msgspec import field, structs

from addon.web.words import clean, span
from calbot.health import SOON_ENDS
from calbot.kinds import FailureReason
from calbot.model import Noun
from calbot.status import AccountStatus, Health, Reason, Snapshot

Kind = Literal["sync", "hung", "sign_in", "ending", "disk", "broker", "options", "held", "copies", "clock", "other"]
"""A class of faults: people get at most one message of each in QUIET seconds."""

QUIET = 6 * 3600.0
SETTLED = 60.0
"""So many seconds a trouble must be gone before it is solved: what flickers is not."""
SYNC_PATIENCE = 1800.0
BROKER_PATIENCE = 300.0
COPIES_PATIENCE = 1800.0
CLOCK_PATIENCE = 300.0
HUNG_PATIENCE = 45.0
"""Longer than what is left of the slowest answer that Calbot waits for, once the health calls a worker hung."""
_TOLD_LATE = 300.0
"""So many seconds after a start it is known at the latest who may write copies."""
MOST_LINES = 5
_LONGEST_LINE = 400

_KINDS: dict[str, Kind] = {
    "options": "options",
    "store": "disk",
    "mqtt": "broker",
    "token_file": "sign_in",
    "sign_in_needed": "sign_in",
    "held": "held",
    "no_writer": "copies",
    "hung": "hung",
    "clock": "clock",
    "sign_in_ends": "ending",
}
_KINDS |= dict.fromkeys((*get_args(FailureReason), "stale"), "sync")
_PATIENCE: dict[Kind, float] = {
    "broker": BROKER_PATIENCE,
    "copies": COPIES_PATIENCE,
    "clock": CLOCK_PATIENCE,
    "hung": HUNG_PATIENCE,
}
_BRACES = str.maketrans("{}", "()")
_OF_ACCOUNTS = frozenset({"sync", "hung", "sign_in", "ending", "held"})
"""What nobody looks at while the options cannot be used."""
_OF_ONE_ACCOUNT = frozenset({"forbidden", "not_found"})
"""What is wrong with one account's calendars; all else that keeps them from being read is one cause: Google is away."""
_TITLES: dict[Kind, str] = {
    "sync": "Calbot cannot read your calendars",
    "hung": "Calbot's work stands still",
    "sign_in": "Calbot needs you to sign in again",
    "ending": "Google ends a sign-in soon",
    "disk": "Calbot cannot write to its disk",
    "broker": "Calbot's MQTT connection does not work",
    "options": "Calbot waits for you to correct its options",
    "held": "Calbot holds invitations back",
    "copies": "Calbot cannot write its copies",
    "clock": "The clock of Calbot's machine is wrong",
    "other": "Calbot has a problem",
}


class Trouble(Noun, frozen=True, kw_only=True):
    """One cause, from when it was first seen. It is an alert once it is raised.

    `seen` is when it was seen last, `gone` since when it was not, `told` whether people got a message of it. `accounts`
    are those that it hits; who is hit later may have a cause of its own, and then it is told `again`.
    """

    kind: Kind
    subject: str = ""
    text: str = ""
    since: float
    seen: float
    gone: float | None = None
    raised: float | None = None
    told: bool = False
    acknowledged: bool = False
    accounts: tuple[str, ...] = ()
    again: bool = False

    @property
    def id(self) -> str:
        """Return the alert's name, the same over restarts."""
        return f"{self.kind}:{self.subject}" if self.subject else self.kind


class Message(Noun, frozen=True, kw_only=True):
    """What people are told: a title and a few lines. The next one of a kind takes the place of the one before."""

    kind: str
    title: str
    text: str


class Memory(Noun, frozen=True, kw_only=True):
    """What is known of troubles, and when each class was last told."""

    troubles: tuple[Trouble, ...] = ()
    told_at: dict[str, float] = field(default_factory=dict)


class Judged(Noun, frozen=True, kw_only=True):
    """The memory from now on, and what came of this look."""

    memory: Memory
    raised: tuple[Trouble, ...] = ()
    cleared: tuple[Trouble, ...] = ()
    messages: tuple[Message, ...] = ()

    @property
    def is_news(self) -> bool:
        """Say whether there is something to write down."""
        return bool(self.raised or self.cleared or self.messages)


class _Found(Noun, frozen=True):
    """A cause as the health shows it now; `lasting` are those of its accounts of which people are to hear."""

    lines: tuple[str, ...]
    patience: float
    accounts: frozenset[str]
    lasting: frozenset[str]


def judge(memory: Memory, health: Health, snapshot: Snapshot, now: float) -> Judged:
    """Return what to raise, to clear and to say. Asked every second or so; the same answer is not given twice."""
    found = _found(health.reasons)
    known = {(trouble.kind, trouble.subject): trouble for trouble in memory.troubles}
    standing: list[Trouble] = []
    raised: list[Trouble] = []
    cleared: list[Trouble] = []
    for key in dict.fromkeys([*known, *found]):
        trouble = known.get(key) or Trouble(kind=key[0], subject=key[1], since=now, seen=now)
        cause = found.get(key)
        if cause is not None:
            trouble = structs.replace(trouble, text=_listed(cause.lines), seen=now, gone=None)
            if trouble.raised is None and now - trouble.since >= cause.patience:
                trouble = structs.replace(trouble, raised=now, accounts=tuple(sorted(cause.accounts)))
                raised.append(trouble)
            elif trouble.raised is not None:
                trouble = _widened(trouble, cause, snapshot)
        else:
            gone = now if trouble.gone is None else min(trouble.gone, now)  # clocks are set back, too
            trouble = structs.replace(trouble, gone=gone, seen=min(trouble.seen, now))
            if now - gone >= SETTLED and _is_proven(trouble, snapshot, now):
                if trouble.raised is not None:
                    cleared.append(trouble)
                continue
        standing.append(trouble)
    told, told_at, messages = _told(standing, memory.told_at, now)
    messages += _solved(cleared, told, now)
    after = Memory(troubles=tuple(told), told_at=told_at)
    return Judged(memory=after, raised=tuple(raised), cleared=tuple(cleared), messages=tuple(messages))


def acknowledged(memory: Memory, alert: str | None) -> Memory:
    """Return the memory with this alert, or every one, known to its people: it is not told any more."""
    troubles = tuple(
        structs.replace(trouble, acknowledged=True)
        if trouble.raised is not None and alert in {None, trouble.id}
        else trouble
        for trouble in memory.troubles
    )
    return structs.replace(memory, troubles=troubles)


def kept(memory: Memory) -> Memory:
    """Return what a restart takes over: the alerts. The patience with the rest begins anew."""
    alerts = tuple(structs.replace(t, gone=None) for t in memory.troubles if t.raised is not None)
    return structs.replace(memory, troubles=alerts)


def joined(before: Memory, since: Memory) -> Memory:
    """Return what was known before with what was found out since; the newer one wins."""
    troubles = {trouble.id: trouble for trouble in (*before.troubles, *since.troubles)}
    return Memory(troubles=tuple(troubles.values()), told_at={**before.told_at, **since.told_at})


def _found(reasons: tuple[Reason, ...]) -> dict[tuple[Kind, str], _Found]:
    """Return the causes behind the reasons; many calendars that Google does not answer for are one."""
    found: dict[tuple[Kind, str], _Found] = {}
    for reason in reasons:
        kind = _KINDS.get(reason.code, "other")
        if reason.level not in {"degraded", "problem"} or (kind == "other" and reason.level != "problem"):
            continue
        subject = reason.account or ""
        if kind == "sync" and reason.code not in _OF_ONE_ACCOUNT:
            subject = ""
        elif reason.code == "token_file":
            subject = clean(reason.text, 100)
        elif kind == "other":
            subject = reason.code
        line = _plain(f"{reason.text} {reason.remedy}")
        before = found.get((kind, subject), _Found((), math.inf, frozenset(), frozenset()))
        patience = _patience(kind, reason)
        hit = {reason.account} if reason.account else set()
        lasting = before.lasting | (hit if patience == 0 else set())
        patience = min(patience, before.patience)
        found[kind, subject] = _Found((*before.lines, line), patience, before.accounts | hit, lasting)
    return found


def _widened(trouble: Trouble, cause: _Found, snapshot: Snapshot) -> Trouble:
    """Return an alert with the accounts that it hits by now; it is told anew when there are others among them."""
    began, accounts = snapshot.started_at, snapshot.accounts
    read = {one.email for one in accounts if all((c.last_success or 0.0) > began for c in one.calendars)}
    known = set(trouble.accounts) - (read - cause.accounts)
    if cause.lasting <= known:
        return structs.replace(trouble, accounts=tuple(sorted(known)))
    hit = tuple(sorted(known | cause.lasting))
    return structs.replace(trouble, accounts=hit, again=trouble.told, acknowledged=False)


def _patience(kind: Kind, reason: Reason) -> float:
    """Return for how many seconds a cause is borne before people hear of it."""
    if kind in _PATIENCE:
        return _PATIENCE[kind]
    if kind == "sync":
        # The health has waited for half an hour itself before it says `problem`, but for these.
        waited = reason.level == "problem" and reason.code not in {*_OF_ONE_ACCOUNT, "stale"}
        return 0.0 if waited else SYNC_PATIENCE
    return 0.0


def _is_proven(trouble: Trouble, snapshot: Snapshot, now: float) -> bool:
    """Say whether it is over indeed: after a restart nothing has failed yet, and nothing has gone well either."""
    if snapshot.option_problem is not None and trouble.kind in _OF_ACCOUNTS:
        return False
    if trouble.kind == "copies" and 0 <= now - snapshot.started_at < _TOLD_LATE:
        return False
    accounts = [one for one in snapshot.accounts if trouble.subject in {"", one.email}]
    if trouble.kind == "held":  # of an account that is signed out the health says only that
        return not any(account.held for account in accounts)
    if trouble.kind == "clock":
        return snapshot.clock_off is not None
    if trouble.kind == "ending":  # a sign-in that has ended meanwhile is told of as that, and its end was no way out
        return all(one.signed_in and _lasts(one, now) for one in accounts)
    if trouble.kind == "hung":
        return all(any(_succeeded(c.last_success, trouble) for c in one.calendars) for one in accounts if one.signed_in)
    if trouble.kind == "sync":
        signed_in = [account for account in accounts if account.signed_in]
        return all(_is_read(account, trouble) for account in signed_in) if signed_in else not accounts
    if trouble.kind == "sign_in" and any(one.email == trouble.subject for one in accounts):
        return any(_succeeded(c.last_success, trouble) for one in accounts for c in one.calendars)
    return True


def _is_read(account: AccountStatus, trouble: Trouble) -> bool:
    """Say whether each calendar was read since; one that is forbidden is a trouble of its own."""
    apart = frozenset[str]() if trouble.subject else _OF_ONE_ACCOUNT
    return all(_succeeded(c.last_success, trouble) for c in account.calendars if c.problem not in apart)


def _lasts(account: AccountStatus, now: float) -> bool:
    return account.sign_in_ends is None or account.sign_in_ends - now >= SOON_ENDS


def _succeeded(success: float | None, trouble: Trouble) -> bool:
    return success is not None and success > trouble.seen


def _told(
    standing: list[Trouble], told_at: dict[str, float], now: float
) -> tuple[list[Trouble], dict[str, float], list[Message]]:
    """Tell of each class what was not told yet, in one message, unless one went out not long ago."""
    told_at = {kind: at for kind, at in told_at.items() if 0 <= now - at < QUIET}
    messages: list[Message] = []
    for kind, title in _TITLES.items():
        fresh = [trouble for trouble in standing if trouble.kind == kind and _wants_to_be_told(trouble)]
        if not fresh or kind in told_at:
            continue
        told_at[kind] = now
        messages.append(Message(kind=kind, title=title, text=_listed(tuple(one.text for one in fresh))))
        standing = [structs.replace(one, told=True, again=False) if one in fresh else one for one in standing]
    return standing, told_at, messages


def _wants_to_be_told(trouble: Trouble) -> bool:
    return (
        trouble.raised is not None
        and trouble.gone is None
        and (trouble.again or not trouble.told)
        and not trouble.acknowledged
    )


def _solved(cleared: list[Trouble], standing: list[Trouble], now: float) -> list[Message]:
    """Say of each class, once, that all of what was told is over."""
    messages = []
    for kind, title in _TITLES.items():
        over = [trouble for trouble in cleared if trouble.kind == kind and trouble.told]
        if not over or any(trouble.kind == kind and trouble.told for trouble in standing):
            continue
        lasted = span(max(0.0, now - min(trouble.since for trouble in over)))
        messages.append(Message(kind=kind, title=f"Solved: {title}", text=f"It is over again, after {lasted}."))
    return messages


def _listed(texts: tuple[str, ...]) -> str:
    """Return texts one below the other, each once, and how many more there are."""
    each = tuple(dict.fromkeys(texts))
    more = len(each) - MOST_LINES
    return "\n".join([*each[:MOST_LINES], *([f"And {more} more."] if more > 0 else [])])


def _plain(text: str) -> str:
    """Return one line with nothing in it that a screen or a template could act on.

    Home Assistant has taken the text of notifications for templates, and calendars are named by strangers.
    """
    return clean(text, _LONGEST_LINE).translate(_BRACES)
