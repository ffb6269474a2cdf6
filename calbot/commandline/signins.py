"""What `calbot check` asks Google: the clock, each sign-in and its permissions, what it may do on each calendar."""

from collections.abc import Iterator, Sequence
from functools import partial

from calbot.commandline import local
from calbot.commandline.checked import Checked, Part
from calbot.commandline.local import Here, Wanted
from calbot.errors import GoogleError, RetryLater, SignInNeeded
from calbot.google.accounts import GoogleAccounts
from calbot.google.calendars import DEFAULT_API
from calbot.google.consent import CALENDARS, MAIL, Purpose
from calbot.google.trial import Tried, google_time, tried
from calbot.google.wallet import Token, Wallet
from calbot.moments import day_and_time
from calbot.policy import Rule
from calbot.ports import Calendars
from calbot.rules import obvious_rules
from calbot.vault import Vault, given_key

MOST_SECONDS_OFF = 60.0
NOBODY = "Nobody is signed in yet; run: calbot login"
_WRITES = frozenset({"owner", "writer"})
_SHARE = "In Google Calendar, share it with “Make changes to events”."
_NOT_SHARED = "Check the calendar's id and that it is shared with the account."
_PUBLISH = "Open Audience in Google Cloud, press Publish app, then sign in once more."


def parts(here: Here, what: Wanted) -> list[Part]:
    """Return what is to be asked; each account by itself, so that none waits for another."""
    signed_in = local.accounts(here, what)
    chosen = what.settings.calendars(signed_in.emails())
    wallet = Wallet(what.data, Vault(what.data, given_key(here.environ)))
    targets = sorted({rule.mirror for rule in _rules(what) if rule.mirror is not None})
    return [
        Part("clock", partial(_clock, here, what)),
        Part("accounts", partial(_who, signed_in.problems(), chosen)),
        *(Part(email, partial(_account, here, what, wallet, email, calendars)) for email, calendars in chosen.items()),
        *(Part(f"{one.email}, mail", partial(_mail, here, what, wallet, one.email)) for one in wallet.mail_accounts()),
        *(Part(f"calendar {target}", partial(_target, here, what, target, [*chosen])) for target in targets),
    ]


def _rules(what: Wanted) -> tuple[Rule, ...]:
    wanted = what.settings
    return wanted.rules or obvious_rules(wanted.invite_emails, wanted.central_calendar)


def _accounts(here: Here, what: Wanted) -> GoogleAccounts:
    """Return the accounts for one thread alone, each with its file found, whatever case its name is in."""
    accounts = local.accounts(here, what)
    accounts.emails()
    return accounts


def _clock(here: Here, what: Wanted) -> Iterator[Checked]:
    there, now = google_time(what.found.endpoints.calendar_api or DEFAULT_API), here.clock.now()
    if there is None:
        yield Checked("clock", "failed", "Google cannot be reached.", "Check this machine's way to the internet.")
    elif abs(now - there) > MOST_SECONDS_OFF:
        off = f"{abs(now - there):.0f} s {'ahead of' if now > there else 'behind'} Google's"
        yield Checked("clock", "failed", f"This machine's clock is {off}.", "Set it; best by NTP.")
    else:
        yield Checked("clock", "ok", "Google answers, and this machine's clock agrees with Google's.")


def _who(problems: Sequence[str], chosen: object) -> Iterator[Checked]:
    for problem in problems:
        yield Checked("token", "sign_in", problem)
    if not chosen:
        yield Checked("accounts", "sign_in", NOBODY)


def _account(here: Here, what: Wanted, wallet: Wallet, email: str, names: tuple[str, ...]) -> Iterator[Checked]:
    """Try a sign-in, and what it may do on each of its calendars; what is dead is not asked further."""
    part = f"{email}, sign-in"
    try:
        accounts = _accounts(here, what)
        calendars = accounts.calendars(email)
    except SignInNeeded as error:
        yield Checked(part, "sign_in", str(error), f"calbot login --account {email}")
        return
    token = wallet.token(email)
    if token is None:
        return
    found = tried(token, what.found.endpoints.token_uri, partial(accounts.renewed, email))
    yield from _consent(here, what, part, email, token, found, CALENDARS)
    if found.verdict == "alive":
        for name in names:
            yield _calendar(what, calendars, email, name)


def _mail(here: Here, what: Wanted, wallet: Wallet, email: str) -> Iterator[Checked]:
    part, token = f"{email}, mail", wallet.mail(email)
    if token is None:
        yield Checked(part, "sign_in", "The consent to send mail cannot be opened.", _again(email, MAIL))
        return
    yield from _consent(here, what, part, email, token, tried(token, what.found.endpoints.token_uri), MAIL)


def _consent(
    here: Here, what: Wanted, part: str, email: str, token: Token, found: Tried, purpose: Purpose
) -> Iterator[Checked]:
    """Say whether a consent lives, which boxes of Google's page it lacks, and when Google ends it."""
    its = "sign-in" if purpose is CALENDARS else "consent to send mail"
    if found.verdict == "away":
        yield Checked(part, "failed", f"{found.why}, so the {its} was not tried.", "Try it again later.")
        return
    if found.verdict == "dead":
        yield Checked(part, "sign_in", f"Google no longer accepts the {its} of {email}.", _again(email, purpose))
        return
    missing = purpose.missing(found.granted) if found.granted is not None else token.missing(purpose)
    if missing:
        names = " and ".join(f"“{one}”" for one in missing)
        remedy = f"{_again(email, purpose)}, and tick every box on Google’s page."
        yield Checked(part, "sign_in", f"The {its} lacks: {names}.", remedy)
        return
    ends = here.clock.now() + found.lasts if found.lasts is not None else token.expires_at
    if ends is not None:
        until = day_and_time(ends, what.settings.time_zone)
        text = f"It works, but Google ends it on {until}, because the project is in Testing."
        yield Checked(part, "warn", text, _PUBLISH)
        return
    may = "has every permission that Calbot needs" if purpose is CALENDARS else "may send mail"
    yield Checked(part, "ok", f"Google accepts it, and it {may}.")


def _again(email: str, purpose: Purpose) -> str:
    if purpose is CALENDARS:
        return f"Sign in again, in the panel or with: calbot login --account {email}"
    return f"Allow it again, in the panel or with: calbot accounts mail {email}"


def _calendar(what: Wanted, calendars: Calendars, email: str, calendar: str) -> Checked:
    part = f"{email}, calendar {calendar}"
    try:
        role = calendars.role(calendar)
        name = calendars.name(calendar) if role != "none" else ""
    except SignInNeeded as error:
        return Checked(part, "sign_in", str(error), _again(email, CALENDARS))
    except GoogleError as error:
        return Checked(part, "failed", str(error), _remedy(error))
    if role == "none":
        return Checked(part, "failed", "Google does not show it to this account.", _NOT_SHARED)
    if role == "freeBusyReader":
        text = f"Of “{name}” only busy times are shown to this account."
        return Checked(part, "failed", text, "In Google Calendar, share it with “See all event details”.")
    if role in _WRITES:
        return Checked(part, "ok", f"can be read as “{name}”, and its events be invited to.")
    if any(rule.invite for rule in _rules(what)):
        return Checked(part, "warn", f"can be read as “{name}”, but nobody be invited to its events.", _SHARE)
    return Checked(part, "ok", f"can be read as “{name}”.")


def _remedy(error: GoogleError) -> str:
    if "accessNotConfigured" in str(error):
        return "Enable the Google Calendar API in your project in Google Cloud, and wait a minute or two."
    return "Try it again later." if isinstance(error, RetryLater) else _NOT_SHARED


def _target(here: Here, what: Wanted, target: str, emails: Sequence[str]) -> Iterator[Checked]:
    """Say who can write copies to a calendar; one of the accounts is enough."""
    part, accounts = f"calendar {target}", _accounts(here, what)
    trouble = ""
    for email in emails:
        try:
            if accounts.calendars(email).role(target) in _WRITES:
                yield Checked(part, "ok", f"{email} can write copies to it.")
                return
        except GoogleError as error:
            trouble = f" ({email}: {error})"
    if emails:
        text = f"None of the signed-in accounts may write to it.{trouble}"
        yield Checked(part, "failed", text, _SHARE)
