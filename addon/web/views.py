"""What the status page says, from a snapshot, its health, the latest outcomes and the time; pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo

from addon.web.links import Link, link_for, without_links
from addon.web.timeline import Entry, Tone, entries
from addon.web.words import OPTION_NAMES, clean, moment, nearby, people, plural, span
from calbot.model import Outcome, Outgoing
from calbot.status import FOR_EVER, AccountStatus, CalendarStatus, Health, Snapshot

DAY = 86400.0
SHOWN = 40

_HEADLINES: dict[str, tuple[Tone, str]] = {
    "ok": ("good", "Everything works"),
    "setup": ("quiet", "Almost there"),
    "paused": ("quiet", "Paused"),
    "degraded": ("warn", "Working, but something needs a look"),
    "problem": ("bad", "Calbot needs your help"),
}
_TONES: dict[str, Tone] = {
    "ok": "good",
    "setup": "quiet",
    "paused": "quiet",
    "degraded": "warn",
    "problem": "bad",
}


@dataclass(frozen=True, slots=True)
class Part:
    """One of the four parts of the status line: how it is, and the next step."""

    name: str
    tone: Tone
    state: str
    detail: str


@dataclass(frozen=True, slots=True)
class Advice:
    """Something that wants a look, and what helps."""

    tone: Tone
    text: str
    remedy: str
    link: Link | None = None


@dataclass(frozen=True, slots=True)
class CalendarRow:
    """One calendar of an account."""

    tone: Tone
    name: str
    last_success: str
    problem: str
    remedy: str
    push: str


@dataclass(frozen=True, slots=True)
class AccountCard:
    """One account with its calendars."""

    email: str
    tone: Tone
    state: str
    remedy: str
    calendars: tuple[CalendarRow, ...]


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One setting: what it is called, its value, and where that is from."""

    name: str
    key: str
    value: str
    origin: str


@dataclass(frozen=True, slots=True)
class Page:
    """Everything on the status page."""

    tone: Tone
    headline: str
    subline: str
    parts: tuple[Part, ...]
    advice: tuple[Advice, ...]
    notes: tuple[str, ...]
    accounts: tuple[AccountCard, ...]
    counts: tuple[tuple[str, str], ...]
    timeline: tuple[Entry, ...]
    settings: tuple[SettingRow, ...]
    as_of: str


def page(
    snapshot: Snapshot,
    health: Health,
    *,
    mqtt_problem: str | None,
    outcomes: Sequence[Outgoing],
    options: Sequence[tuple[str, str, str]],
    now: float,
    zone: tzinfo,
    endings: Sequence[str] = (),
    undoable: Collection[str] = (),
    names: Mapping[str, str] | None = None,
) -> Page:
    """Return the status page's values; `undoable` are tokens that are still good, `names` what calendars are called."""
    unheard = health.level == "ok" and mqtt_problem is not None
    tone, headline = _HEADLINES["degraded" if unheard else health.level]
    newest = sorted(outcomes, key=lambda row: (row.created, row.stream, row.seq), reverse=True)
    return Page(
        tone=tone,
        headline=headline,
        subline=_subline(snapshot, health, now, zone),
        parts=(_google(snapshot), _sync(snapshot, now), _push(snapshot), _mqtt(snapshot, mqtt_problem)),
        advice=(*_advice(health), *(Advice("warn", clean(text, 400), "", link_for("ends")) for text in endings)),
        notes=(*_modes(snapshot), *(clean(note, 400) for note in snapshot.notes)),
        accounts=tuple(_account(account, now) for account in snapshot.accounts),
        counts=_counts(snapshot, newest, now),
        timeline=entries(newest[:SHOWN], now, zone, undoable, names),
        settings=_settings(snapshot, options, names or {}),
        as_of=moment(now, now, zone),
    )


def _subline(snapshot: Snapshot, health: Health, now: float, zone: tzinfo) -> str:
    until = snapshot.settings.paused_until
    if until is not None and until > now:
        return "Until you resume." if until >= FOR_EVER else f"Until {moment(until, now, zone)}."
    if health.last_success is None:
        return "Calbot has not looked at a calendar yet."
    return f"Calbot last looked at your calendars {nearby(health.last_success, now)}."


def _advice(health: Health) -> tuple[Advice, ...]:
    """Return what wants a look, worst first; what is merely good to know stands in the notes."""
    order = ("problem", "degraded", "setup", "paused", "ok")
    wanted = [one for one in health.reasons if one.level != "ok" or one.code == "not_listening"]
    wanted = [one for one in wanted if one.code != "sign_in_ends"]  # `endings` says it, earlier and with the day.
    return tuple(
        Advice(
            _TONES.get(one.level, "quiet") if one.level != "ok" else "quiet",
            clean(without_links(one.text), 400),
            clean(without_links(one.remedy), 400),
            link_for(one.code, one.account or "", one.text),
        )
        for one in sorted(wanted, key=lambda one: order.index(one.level))
    )


def _google(snapshot: Snapshot) -> Part:
    name, accounts = "Google", snapshot.accounts
    lost = [account for account in accounts if not account.signed_in]
    if snapshot.option_problem:
        return Part(name, "quiet", "Not asked", "Calbot talks to Google once the options are right.")
    if lost:
        return Part(name, "bad", "Sign-in needed", people([account.email for account in lost]))
    if snapshot.token_problems:
        return Part(name, "bad", "A sign-in cannot be used", clean(snapshot.token_problems[0], 300))
    if not accounts:
        return Part(name, "quiet", "No account yet", "Sign in a Google account to begin.")
    return Part(name, "good", "Signed in", people([account.email for account in accounts]))


def _sync(snapshot: Snapshot, now: float) -> Part:
    calendars = [calendar for account in snapshot.accounts for calendar in account.calendars]
    failing = [one for one in calendars if one.problem or one.failures]
    looked = [one.last_success for one in calendars if one.last_success is not None]
    late = [one for one in calendars if one.last_success is not None and now - one.last_success > one.stale_after]
    if snapshot.disk_problem:
        return Part("Sync", "bad", "Stopped", clean(snapshot.disk_problem, 300))
    if not calendars:
        return Part("Sync", "quiet", "Nothing to watch yet", "Calendars appear here after the first sign-in.")
    if failing:
        share = "Not working"
        if len(failing) < len(calendars):
            share = f"{len(failing)} of {len(calendars)} calendars {'fails' if len(failing) == 1 else 'fail'}"
        return Part("Sync", "warn", share, clean(failing[0].problem_text or "Calbot tries again by itself.", 300))
    if not looked:
        return Part("Sync", "quiet", "First look under way", "This takes a minute for a large calendar.")
    if late:
        return Part("Sync", "warn", "Late", f"The oldest look was {nearby(min(looked), now)}.")
    return Part("Sync", "good", "Up to date", f"{plural(len(calendars), 'calendar')}, {nearby(min(looked), now)}")


def _push(snapshot: Snapshot) -> Part:
    states = {calendar.push for account in snapshot.accounts for calendar in account.calendars}
    every = span(snapshot.settings.poll_interval)
    if "failed" in states:
        remedy = f"Calbot asks every {every} meanwhile. Check that push_url leads to the push door."
        return Part("Push", "warn", "Not working", remedy)
    if "waiting" in states:
        return Part("Push", "quiet", "Waiting", "Google has not sent its first message yet.")
    if "healthy" in states:
        return Part("Push", "good", "Working", "Google tells Calbot of changes at once.")
    return Part("Push", "quiet", "Off", f"Calbot asks Google every {every}. Set push_url to hear at once.")


def _mqtt(snapshot: Snapshot, problem: str | None) -> Part:
    if problem is not None:
        return Part("MQTT", "warn", "Not connected", clean(without_links(problem), 300))
    if not snapshot.broker_connected:
        return Part("MQTT", "quiet", "Connecting", "Home Assistant hears of everything once the broker answers.")
    if snapshot.broker_advice is not None:
        return Part("MQTT", "quiet", "Connected", clean(without_links(snapshot.broker_advice), 300))
    return Part("MQTT", "good", "Connected", "Home Assistant hears of everything.")


def _modes(snapshot: Snapshot) -> list[str]:
    modes = []
    if snapshot.settings.dry_run:
        modes.append("Dry run: everything is decided and shown, nothing is written.")
    if not snapshot.settings.auto_invite:
        modes.append("Auto-invite is off: nobody is invited to new events.")
    if not snapshot.settings.mirroring:
        modes.append("Mirroring is off: no copy is made, changed or taken away.")
    return modes


def _account(account: AccountStatus, now: float) -> AccountCard:
    rows = tuple(_calendar(calendar, now) for calendar in account.calendars)
    if not account.signed_in:
        return AccountCard(account.email, "bad", "Sign-in needed", clean(account.sign_in_text or "", 300), rows)
    if account.paused:
        return AccountCard(account.email, "quiet", "Paused", "", rows)
    if account.syncing:
        return AccountCard(account.email, "good", "Looking now", "", rows)
    return AccountCard(account.email, "good", "Signed in", "", rows)


def _calendar(calendar: CalendarStatus, now: float) -> CalendarRow:
    late = calendar.last_success is not None and now - calendar.last_success > calendar.stale_after
    troubled = bool(calendar.problem or calendar.failures)
    problem, remedy = "", ""
    if troubled:
        problem = clean(calendar.problem_text or calendar.problem or "Google did not answer.", 300)
        remedy = "Calbot tries again by itself."
        if calendar.retry_at is not None:
            remedy = f"Calbot tries again {nearby(max(calendar.retry_at, now), now)}."
    elif late:
        problem = "No look for longer than planned."
    tone: Tone = "warn" if troubled or late else "quiet" if calendar.last_success is None else "good"
    return CalendarRow(
        tone=tone,
        name=clean(calendar.name or calendar.key.calendar, 80),
        last_success=nearby(calendar.last_success, now) if calendar.last_success is not None else "not yet",
        problem=problem,
        remedy=remedy,
        push={"off": "off", "waiting": "waiting", "healthy": "working", "failed": "not working"}[calendar.push],
    )


def _counts(snapshot: Snapshot, newest: Sequence[Outgoing], now: float) -> tuple[tuple[str, str], ...]:
    invited = sum(
        len(row.content.guests_added)
        for row in newest
        if isinstance(row.content, Outcome)
        and row.content.event_type == "invited"
        and not row.content.dry_run
        and now - row.created < DAY
    )
    return (
        ("invitations in 24 hours", str(invited)),
        ("waiting to be done", str(sum(account.waiting for account in snapshot.accounts))),
        ("held back", str(sum(account.held for account in snapshot.accounts))),
        ("forged pushes turned away", str(snapshot.pushes_refused)),
    )


def _settings(
    snapshot: Snapshot, options: Sequence[tuple[str, str, str]], names: Mapping[str, str]
) -> tuple[SettingRow, ...]:
    force = snapshot.settings
    switched = {
        "auto_invite": "on" if force.auto_invite else "off",
        "mirroring": "on" if force.mirroring else "off",
        "dry_run": "on" if force.dry_run else "off",
        "poll_interval": f"{force.poll_interval} s",
        "limits.invites_per_hour": str(force.invites_per_hour),
    }
    rows = []
    for key, value, origin in options:
        effective = switched.get(key, value)
        source = origin if effective == value else f"switched while running ({origin}: {value})"
        name = names.get(effective) if key == "central_calendar" else None
        shown = f"{name} ({effective})" if name else effective
        rows.append(SettingRow(OPTION_NAMES.get(key, key), key, clean(shown, 300), clean(source, 300)))
    return tuple(rows)
