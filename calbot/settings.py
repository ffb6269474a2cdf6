"""The engine's keys of the options, parsed and checked; every complaint names its key and the remedy."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Literal, cast
from urllib.parse import urlsplit, urlunsplit

from calbot.checks import (
    WORDS,
    calendar_id,
    choice,
    email_address,
    email_addresses,
    number,
    refuse_unknown,
    section,
    shown,
    switch,
    target_calendar,
    text,
)
from calbot.errors import BadOptions
from calbot.model import Noun
from calbot.policy import Rule
from calbot.ruleoptions import Around, parse_rules

FirstSync = Literal["ignore", "invite_future"]

KEYS = (
    "accounts",
    "invite_emails",
    "central_calendar",
    "rules",
    "auto_invite",
    "mirroring",
    "dry_run",
    "first_sync",
    "poll_interval",
    "push_url",
    "delete_original",
    "limits",
)
"""The options that the engine understands."""
NESTED = {
    "limits": ("invites_per_hour", "removals_per_pass"),
    "delete_original": ("enabled", "grace"),
}

_CENTRAL = "write the id that Google Calendar's settings show for it, like family@group.calendar.google.com"


class AccountChoice(Noun, frozen=True):
    """An account to watch, and which of its calendars."""

    email: str
    calendars: tuple[str, ...] = ("primary",)


class Settings(Noun, frozen=True, kw_only=True):
    """What the household asked of the engine. Where there are `rules`, only they act.

    `poll_interval` is in seconds, as is `grace`: how long an original stays once its copy was found equal, where
    `delete_original` and a rule say that it goes. `central_calendar` is an id in lower case.
    """

    accounts: tuple[AccountChoice, ...] = ()
    invite_emails: tuple[str, ...] = ()
    central_calendar: str | None = None
    rules: tuple[Rule, ...] = ()
    auto_invite: bool = True
    mirroring: bool = True
    dry_run: bool = False
    first_sync: FirstSync = "ignore"
    poll_interval: int = 60
    push_url: str | None = None
    delete_original: bool = False
    grace: int = 3600
    invites_per_hour: int = 50
    removals_per_pass: int = 5
    time_zone: str = "UTC"
    patience: int = 1800
    """Seconds that a calendar may be unreachable before it counts as a problem."""

    def calendars(self, signed_in: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """Return each account's calendars; where none is chosen, the primary one of everybody who is signed in."""
        chosen = {choice.email: choice.calendars for choice in self.accounts}
        return chosen or dict.fromkeys(signed_in, ("primary",))


def parse(raw: Mapping[str, object], *, endpoints_overridden: bool) -> tuple[Settings, tuple[str, ...]]:
    """Return the settings, and a sentence for each option that is surely not meant.

    A missing or null option has its default. Raises BadOptions.
    """
    refuse_unknown(raw, KEYS)
    given = {key: value for key, value in raw.items() if value is not None}
    limits = section(given.get("limits", {}), "limits", NESTED["limits"])
    deletion = section(given.get("delete_original", {}), "delete_original", NESTED["delete_original"])
    deletes = switch(deletion.get("enabled", False), "delete_original.enabled")
    first_sync = choice(given.get("first_sync", "ignore"), "first_sync", ("ignore", "invite_future"))
    accounts = _accounts(given.get("accounts", []))
    guests = email_addresses(given.get("invite_emails", []), "invite_emails")
    central = target_calendar(given.get("central_calendar", ""), "central_calendar", _CENTRAL)
    watched = {one.email: one.calendars for one in accounts}
    around = Around(guests=guests, central=central, deletes=deletes, watched=watched)
    rules, rule_notes = parse_rules(given.get("rules", []), around)
    if deletes and not any(rule.delete_original for rule in rules):
        rule_notes += ("delete_original.enabled: deletes nothing, because no rule says delete_original.",)
    settings = Settings(
        accounts=accounts,
        invite_emails=guests,
        central_calendar=central,
        rules=rules,
        auto_invite=switch(given.get("auto_invite", True), "auto_invite"),
        mirroring=switch(given.get("mirroring", True), "mirroring"),
        dry_run=switch(given.get("dry_run", False), "dry_run"),
        first_sync=cast("FirstSync", first_sync),
        poll_interval=number(given.get("poll_interval", 60), "poll_interval", 15, 86400, "seconds"),
        push_url=_push_url(given.get("push_url", ""), plain_allowed=endpoints_overridden),
        delete_original=deletes,
        grace=number(deletion.get("grace", 3600), "delete_original.grace", 0, 604_800, "seconds"),
        invites_per_hour=number(limits.get("invites_per_hour", 50), "limits.invites_per_hour", 1, 10_000),
        removals_per_pass=number(limits.get("removals_per_pass", 5), "limits.removals_per_pass", 0, 10_000),
    )
    return settings, rule_notes


def parse_switch(key: str, value: object) -> bool | int | str:
    """Return the checked value of a setting that is switched while running. Raises BadOptions."""
    parser = _SWITCHES.get(key.removeprefix("limits."))
    if parser is None:
        known = ", ".join(_SWITCHES)
        raise BadOptions(f"{key[:60]!r}: cannot be switched while running; these can: {known}.")
    if isinstance(value, str):
        word = value.strip().lower()
        plain = WORDS.get(word, value) if parser is switch else word
        value = int(word) if parser is not switch and re.fullmatch(r"\d{1,9}", word) else plain
    return parser(value, key)


def _poll_interval(value: object, key: str) -> int:
    return number(value, key, 15, 86400, "seconds")


def _invites_per_hour(value: object, key: str) -> int:
    return number(value, key, 1, 10_000)


_SWITCHES: dict[str, Callable[[object, str], bool | int]] = {
    "auto_invite": switch,
    "mirroring": switch,
    "dry_run": switch,
    "paused": switch,
    "poll_interval": _poll_interval,
    "invites_per_hour": _invites_per_hour,
}


def _accounts(value: object) -> tuple[AccountChoice, ...]:
    if not isinstance(value, list):
        raise BadOptions(f"accounts: {shown(value)} is not a list; write [{{email: anna@example.com}}].")
    chosen: dict[str, AccountChoice] = {}
    for entry in value:
        if entry is None or entry in ("", {}):
            continue
        whole: object = {"email": entry} if isinstance(entry, str) else entry
        group = section(whole, "accounts", ("email", "calendars"))
        if not group.get("email") and not group.get("calendars"):
            continue
        email = email_address(group.get("email", ""), "accounts")
        if email in chosen:
            raise BadOptions(f"accounts: {email} is there twice; put its calendars into one entry.")
        chosen[email] = AccountChoice(email, _calendars(group.get("calendars", [])))
    return tuple(chosen.values())


def _calendars(value: object) -> tuple[str, ...]:
    key, remedy = "accounts.calendars", "write [primary], or the ids from Google Calendar's settings"
    if not isinstance(value, list):
        raise BadOptions(f"{key}: {shown(value)} is not a list; {remedy}.")
    names = [calendar_id(entry, key, remedy) for entry in value if entry is not None]
    return tuple(dict.fromkeys(name for name in names if name)) or ("primary",)


def _push_url(value: object, *, plain_allowed: bool) -> str | None:
    example = "write it like https://example.org/push"
    address = text(value, "push_url", example)
    if not address:
        return None
    parts = urlsplit("")
    try:
        parts = urlsplit(address)
        usable = bool(parts.hostname) and parts.port != 0 and "@" not in parts.netloc and " " not in address
    except ValueError:
        usable = False
    if not usable or len(address) > 1000 or parts.scheme not in ("http", "https"):
        raise BadOptions(f"push_url: {shown(address)} is not a web address; {example}.")
    if parts.scheme == "http" and not plain_allowed:
        raise BadOptions(f"push_url: {shown(address)} is not https, as Google wants it; {example}.")
    path = "/push" if parts.path in ("", "/") else parts.path
    return urlunsplit((parts.scheme, parts.netloc, path, parts.query, ""))
