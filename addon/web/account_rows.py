"""The accounts as their page shows them: how each stands, what helps, and whether it sends mail; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal
from zoneinfo import ZoneInfo

from addon.web.words import moment
from calbot.google.wallet import Kept
from calbot.status import AccountStatus

SOON = 8 * 86400.0
NOT_SIGNED_IN = "Not signed in"


@dataclass(frozen=True, slots=True)
class Row:
    """One account on its page. `mail` says whether it may send mail, or could and has to be asked again."""

    email: str
    tone: str
    state: str
    text: str
    usable: bool
    mail: Literal["no", "yes", "again"] = "no"


def rows(
    accounts: Sequence[Kept],
    mails: Sequence[Kept],
    statuses: Mapping[str, AccountStatus],
    chosen: Sequence[str],
    now: float,
    zone: ZoneInfo,
) -> list[Row]:
    """Return a row for each account that is signed in, that the options name, or that sends mail."""
    found = [_row(one, statuses.get(one.email), now, zone) for one in accounts]
    there = {row.email for row in found}
    found += [
        Row(email, "quiet", NOT_SIGNED_IN, "The options name it.", usable=False)
        for email in chosen
        if email not in there
    ]
    there |= {*chosen}
    text = "It is asked for mail only; its calendars are not watched."
    found += [Row(one.email, "quiet", NOT_SIGNED_IN, text, usable=False) for one in mails if one.email not in there]
    states = {one.email: one for one in mails}
    return [replace(row, mail=_mail(states.get(row.email), now)) for row in found]


def ending(one: Kept, now: float, zone: ZoneInfo, what: str = "the sign-in of") -> str:
    """Return the sentence about a consent that Google ends soon; nothing where it does not."""
    if not one.usable or one.expires_at is None or _is_over(one, now) or one.expires_at - now > SOON:
        return ""
    return (
        f"Google ends {what} {one.email} on {moment(one.expires_at, now, zone)}, because your project is in "
        "Testing. Open Audience in Google Cloud, press Publish app, then sign in again."
    )


def _is_over(one: Kept, now: float) -> bool:
    return one.expires_at is not None and one.expires_at <= now


def _mail(one: Kept | None, now: float) -> Literal["no", "yes", "again"]:
    if one is None:
        return "no"
    return "yes" if one.usable and not one.missing and not _is_over(one, now) else "again"


def _row(one: Kept, status: AccountStatus | None, now: float, zone: ZoneInfo) -> Row:
    row = Row(one.email, "good", "Signed in", "", usable=True)
    if not one.usable:
        text = "Its sign-in cannot be opened here: sign in again."
        return replace(row, tone="bad", state="Sign in again", text=text, usable=False)
    if _is_over(one, now) or (status is not None and not status.signed_in):
        return replace(row, tone="bad", state="Sign in again", text="Google no longer accepts this sign-in.")
    if one.missing:
        text = f"On Google’s page not every box was ticked: {', '.join(f'“{box}”' for box in one.missing)}."
        return replace(row, tone="bad", state="Sign in again", text=text)
    if ends := ending(one, now, zone):
        return replace(row, tone="warn", state="Ends soon", text=ends)
    return row
