"""How we are, from a snapshot and a time: the judge is not the one being judged."""

from calbot.status import AccountStatus, CalendarStatus, Effective, Health, Level, Reason, Snapshot

CLOCK_OFF = 300.0
SOON_ENDS = 2 * 86400.0
LONGEST_CALL = 45.0
"""A call to Google may take 40 s, with its connection; a worker ticks as each begins."""
_WORST: tuple[Level, ...] = ("ok", "paused", "setup", "degraded", "problem")


def standstill(settings: Effective) -> float:
    """Return after how many seconds without a sign of life a worker stands still: before two polls are missed."""
    return max(LONGEST_CALL, min(90.0, 1.5 * settings.poll_interval))


def assess(snapshot: Snapshot, now: float) -> Health:
    """Return the verdict. Only a calendar's last *successful* sync counts as life."""
    reasons = [*_general(snapshot, now)]
    for account in snapshot.accounts:
        if account.email in snapshot.hung:
            text = f"The work for {account.email} has stood still for {standstill(snapshot.settings):.0f} s or longer."
            reasons.append(
                Reason(code="hung", text=text, remedy="Restart Calbot.", level="problem", account=account.email)
            )
        reasons += _of_account(account, now, snapshot.started_at, snapshot.settings)
    level: Level = max((reason.level for reason in reasons), key=_WORST.index, default="ok")
    successes = [c.last_success for a in snapshot.accounts for c in a.calendars if c.last_success is not None]
    owed = [(c.last_success or snapshot.started_at) + c.stale_after for a in snapshot.accounts for c in a.calendars]
    return Health(level, tuple(reasons), min(successes, default=None), min(owed, default=None))


def _general(snapshot: Snapshot, now: float) -> list[Reason]:
    reasons = [Reason(code="note", text=note, level="ok") for note in snapshot.notes]
    if snapshot.option_problem:
        text, remedy = snapshot.option_problem, "Correct the option and start Calbot again."
        reasons.append(Reason(code="options", text=text, remedy=remedy, level="problem"))
    if snapshot.disk_problem:
        reasons.append(Reason(code="store", text=snapshot.disk_problem, remedy="", level="problem"))
    if snapshot.broker_problem:
        reasons.append(Reason(code="mqtt", text=snapshot.broker_problem))
    if snapshot.broker_advice:
        reasons.append(Reason(code="not_listening", text=snapshot.broker_advice, level="ok"))
    reasons += [
        Reason(code="token_file", text=text, remedy="Sign in again.", level="problem")
        for text in snapshot.token_problems
    ]
    if not snapshot.accounts and not snapshot.token_problems and not snapshot.option_problem:
        text, remedy = (
            "No Google account is signed in yet.",
            "Sign in with Google, here in the panel or with: calbot login.",
        )
        reasons.append(Reason(code="no_account", text=text, remedy=remedy, level="setup"))
    settings = snapshot.settings
    if not (settings.invite_emails or settings.rules or settings.central_calendar) and snapshot.accounts:
        text, remedy = (
            "Nobody to invite is configured.",
            "Set invite_emails or central_calendar, in the configuration of Calbot.",
        )
        reasons.append(Reason(code="no_rule", text=text, remedy=remedy, level="setup"))
    if snapshot.clock_off is not None and abs(snapshot.clock_off) > CLOCK_OFF:
        off, side = round(abs(snapshot.clock_off) / 60), "ahead of" if snapshot.clock_off > 0 else "behind"
        text = f"This machine's clock is {off} minutes {side} Google's; sign-ins and pushes fail with a wrong clock."
        remedy = "Set the clock, or let the machine set it by itself from the network (NTP)."
        reasons.append(Reason(code="clock", text=text, remedy=remedy))
    names = {one.key.calendar.lower(): one.name for account in snapshot.accounts for one in account.calendars}
    for target in snapshot.unwritable:
        text = f"None of the signed-in accounts may write to the calendar {names.get(target) or target}."
        remedy = "In Google Calendar, share it with one of them with “Make changes to events”."
        reasons.append(Reason(code="no_writer", text=text, remedy=remedy))
    until = snapshot.settings.paused_until
    if until is not None and until > now:
        reasons.append(Reason(code="paused", text="Calbot is paused.", remedy="Press Resume.", level="paused"))
    return reasons


def _of_account(account: AccountStatus, now: float, started_at: float, settings: Effective) -> list[Reason]:
    if not account.signed_in:
        text = account.sign_in_text or f"Google no longer accepts the sign-in of {account.email}."
        remedy = "It takes a minute, in the panel or with calbot login; what waited is done then."
        return [Reason(code="sign_in_needed", text=text, remedy=remedy, level="problem", account=account.email)]
    reasons = []
    if account.sign_in_ends is not None and account.sign_in_ends - now < SOON_ENDS:
        hours = max(0, round((account.sign_in_ends - now) / 3600))
        when = f"in about {hours} hours" if hours > 1 else "within the hour"
        text = f"Google ends the sign-in of {account.email} {when}, because your project is in Testing."
        remedy = "Open Audience in Google Cloud, press Publish app, then sign in again."
        reasons.append(Reason(code="sign_in_ends", text=text, remedy=remedy, account=account.email))
    if account.held:
        waits = "1 invitation waits" if account.held == 1 else f"invitations to {account.held} events wait"
        if settings.central_calendar or settings.rules:  # It may be that copies are to be taken away.
            waits = "1 event waits" if account.held == 1 else f"{account.held} events wait"
        text = f"{account.email}: {waits} for you to approve or discard."
        remedy = "Press Approve or Discard in the panel, which says why."
        reasons.append(Reason(code="held", text=text, remedy=remedy, account=account.email))
    for calendar in account.calendars:
        reason = _of_calendar(account, calendar, now, started_at, settings.patience)
        if reason:
            reasons.append(reason)
    return reasons


def _of_calendar(
    account: AccountStatus, calendar: CalendarStatus, now: float, started_at: float, patience: float
) -> Reason | None:
    """Return what is wrong with a calendar. While one is read as a whole the account's others wait for it."""
    email, name = account.email, calendar.name or calendar.key.calendar
    since = calendar.last_success if calendar.last_success is not None else started_at
    age = now - max(since, started_at)
    if calendar.failures and calendar.problem_text:
        lasting = age > max(patience, calendar.stale_after) or calendar.problem in {"forbidden", "not_found"}
        if not lasting and calendar.failures < 3 and age <= calendar.stale_after:
            return None
        level: Level = "problem" if lasting else "degraded"
        text = f"The calendar {name} of {email} cannot be read: {calendar.problem_text}"
        remedy = "Calbot goes on trying by itself." if level == "degraded" else "Check that it is shared and online."
        return Reason(code=calendar.problem or "internal", text=text, remedy=remedy, level=level, account=email)
    if age > (max(patience, calendar.stale_after) if account.syncing else calendar.stale_after):
        text = f"The calendar {name} of {email} was last read {int(age)} s ago."
        return Reason(code="stale", text=text, remedy="Restart Calbot.", level="problem", account=email)
    if calendar.push == "failed":
        text = f"Push for {name} of {email} does not work; it is read every minute instead."
        return Reason(code="push", text=text, remedy="Check push_url.", level="degraded", account=email)
    return None
