"""The daily report in plain words, from figures; pure."""

from statistics import median

from addon.alerts.judge import Message, Trouble
from addon.web.words import clean, listed, nearby, plural, span
from calbot.model import Noun
from calbot.status import Snapshot
from calbot.store.figures import Figures

DAY = 86400.0
MOST_ALERTS = 4
_LONGEST_LINE = 300


class Day(Noun, frozen=True, kw_only=True):
    """What a report is made of.

    `reads` are the readings of calendars that went well in the last day, or since the start if that is later; `calls`
    how long Google's last calls took, in seconds; `alerts` what stands; `now` in epoch seconds.
    """

    figures: Figures
    snapshot: Snapshot
    reads: int
    calls: tuple[float, ...]
    alerts: tuple[Trouble, ...]
    now: float


def report(day: Day) -> Message:
    """Return what people are told of the last 24 hours."""
    done = _done(day.figures)
    troubles = _troubles(day)
    title = "Calbot today: " + (listed(done[:2]) if done else "nothing to do")
    if troubles:
        title += f"; {plural(len(troubles), 'thing')} to look at"
    lines = [f"In the last 24 hours: {listed(done)}." if done else "Nothing happened in the last 24 hours."]
    lines += [_reading(day), *troubles, _accounts(day), _alerts(day), _google(day), _running(day)]
    text = "\n".join(clean(line, _LONGEST_LINE) for line in lines if line)
    return Message(kind="report", title=clean(title, 120), text=text)


def _done(figures: Figures) -> list[str]:
    """Return what was done, each with its number; what was not done at all is left out."""
    counts = (
        (figures.events, f"{plural(figures.guests, 'invitation')} to {plural(figures.events, 'event')}"),
        (figures.copies_made, f"{plural(figures.copies_made, 'copy')} made"),
        (figures.copies_updated, f"{plural(figures.copies_updated, 'copy')} brought up to date"),
        (figures.copies_removed, f"{plural(figures.copies_removed, 'copy')} taken away"),
        (figures.originals_deleted, f"{plural(figures.originals_deleted, 'original')} deleted"),
        (figures.originals_restored, f"{plural(figures.originals_restored, 'original')} brought back"),
        (figures.undone, f"{plural(figures.undone, 'event')} undone"),
        (figures.discarded, f"{plural(figures.discarded, 'event')} discarded"),
    )
    return [words for count, words in counts if count]


def _troubles(day: Day) -> list[str]:
    """Return a line for each thing that somebody should look at."""
    figures, lines = day.figures, []
    if figures.held:
        verb = "waits" if figures.held == 1 else "wait"
        lines.append(f"{plural(figures.held, 'event')} {verb} for you: press Approve or Discard in the panel.")
    if figures.failed:
        why, often = figures.reasons[0]
        most = f", {often} of them so" if often < figures.failed else ""
        lines.append(f"{plural(figures.failed, 'event')} failed{most}: {why or 'the panel says why.'}")
    lines += [f"{one.email} needs you to sign in again." for one in day.snapshot.accounts if not one.signed_in]
    return lines


def _reading(day: Day) -> str:
    """Return how often calendars were read: that it looked is news, too, on a day on which nothing happened."""
    figures, up = day.figures, day.now - day.snapshot.started_at
    if not figures.calendars or figures.last_success is None:
        return "No calendar has been read yet."
    since = "" if up >= DAY else f" since Calbot started {span(up)} ago"
    were = "was" if figures.calendars == 1 else "were"
    last = nearby(figures.last_success, day.now)
    age = span(max(1.0, day.now - figures.last_success))
    lately = f"last {last}" if figures.calendars == 1 else f"each of them in the last {age}"
    return f"{plural(figures.calendars, 'calendar')} {were} read {plural(day.reads, 'time')}{since}, {lately}."


def _accounts(day: Day) -> str:
    accounts = day.snapshot.accounts
    if not accounts:
        return "No Google account is signed in."
    good = sum(one.signed_in for one in accounts)
    return f"Sign-ins: {good} of {plural(len(accounts), 'account')} {'works' if good == 1 else 'work'}."


def _alerts(day: Day) -> str:
    figures = day.figures
    told = f"{plural(figures.alerts_raised, 'alert')} came up, {figures.alerts_cleared} went away."
    came = told if figures.alerts_raised or figures.alerts_cleared else ""
    if not day.alerts:
        return f"{came} No alert stands.".strip()
    texts = [one.text.partition("\n")[0] for one in day.alerts[:MOST_ALERTS]]
    more = len(day.alerts) - MOST_ALERTS
    return f"{came} Standing: {' '.join(texts)}{f' And {more} more.' if more > 0 else ''}".strip()


def _google(day: Day) -> str:
    if not day.calls:
        return ""
    usual, slowest = _seconds(median(day.calls)), _seconds(max(day.calls))
    return f"Google took {usual} as a rule and {slowest} at most, in the last {plural(len(day.calls), 'call')}."


def _seconds(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds < 1 else f"{seconds:.1f} s"


def _running(day: Day) -> str:
    return f"Calbot has been running for {span(max(0.0, day.now - day.snapshot.started_at))}."
