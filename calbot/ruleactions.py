"""What a rule of the options does, parsed and checked: whom it invites, what it copies where, what it leaves alone."""

import re
from collections.abc import Mapping
from typing import Literal, cast

from calbot.checks import (
    MOST_GUESTS,
    WORDS,
    choice,
    email_address,
    flag,
    section,
    shown,
    target_calendar,
    text,
)
from calbot.content import NAMES, unknown_names
from calbot.errors import BadOptions
from calbot.kinds import SendUpdates
from calbot.policy import FULL, Mask, Rule

ACTIONS = ("invite", "mirror", "mask", "delete_original", "skip", "send_updates")
LONGEST_TEMPLATE = 1000

_MASKS = ("full", "title", "busy")
_PAIRS = re.compile(r"\{[^{}]*\}")
_TARGET = "write true for central_calendar, or a calendar's id like family@group.calendar.google.com"
_TEMPLATE = 'write it in quotes, like "{title} ({calendar})"'


def acting(name: str, do: Mapping[str, object], guests: tuple[str, ...], central: str | None) -> Rule:
    """Return a rule that does this to every event; `guests` and `central` are the options of the household.

    `do` has no blanks. Raises BadOptions.
    """
    invite = _guests(do.get("invite"), guests)
    mirror = _mirror(do.get("mirror"), central)
    mask = _mask(do["mask"]) if "mask" in do else None
    skip, deletes = (key in do and flag(do[key], f"do.{key}") for key in ("skip", "delete_original"))
    asked = {"invite": invite, "mirror": mirror, "mask": mask, "delete_original": deletes}
    wanted = [key for key in ACTIONS if asked.get(key)]
    if skip and wanted:
        raise BadOptions(f"do.skip: the event cannot be left alone and have {wanted[0]} done too; keep one of the two.")
    if not skip and wanted in ([], ["mask"]):
        raise BadOptions("do: says nothing to do; write invite, mirror or skip, like do: {invite: [bob@example.com]}.")
    if deletes and not mirror:
        raise BadOptions("do.delete_original: no copy would stay; add mirror: true, or take it away.")
    if deletes and mask not in (None, FULL):
        raise BadOptions("do.delete_original: a copy with a mask lacks what the original says; take mask away.")
    if mask and not mirror:
        raise BadOptions("do.mask: the rule makes no copy that it could mask; add mirror: true, or take mask away.")
    updates = choice(do.get("send_updates", "all"), "do.send_updates", ("all", "externalOnly", "none"))
    return Rule(
        name,
        invite,
        cast("SendUpdates", updates),
        skip=skip,
        mirror=mirror,
        mask=mask or FULL,
        delete_original=deletes,
    )


def remarks(rule: Rule, *, deletes: bool) -> list[str]:
    """Return what should be known of a rule that deletes originals; `deletes` is the option's own switch."""
    if rule.delete_original and not deletes:
        return ["do.delete_original: does nothing while delete_original.enabled is off."]
    if rule.delete_original and rule.invite:
        return ["do.invite: its guests are invited to the copy, because the original is deleted."]
    return []


def _guests(value: object, guests: tuple[str, ...]) -> tuple[str, ...]:
    key, found = "do.invite", list[str]()
    for one in value if isinstance(value, list) else [value]:
        word = one.strip().lower() if isinstance(one, str) else one
        if word in (None, "", "false") or word is False:
            continue
        if word is True or word in ("true", "invite_emails"):
            if not guests:
                raise BadOptions(f"{key}: invite_emails is empty; fill it in, or write addresses here.")
            found += guests
        else:
            found.append(email_address(word, key))
    unique = tuple(dict.fromkeys(found))
    if len(unique) > MOST_GUESTS:
        raise BadOptions(f"{key}: {len(unique)} addresses are too many; Google allows {MOST_GUESTS}.")
    return unique


def _mirror(value: object, central: str | None) -> str | None:
    word = value.strip().lower() if isinstance(value, str) else value
    meant = WORDS.get(word, word) if isinstance(word, str) else word
    if meant is None or meant is False:
        return None
    if meant is True or meant == "central_calendar":
        if not central:
            raise BadOptions("do.mirror: central_calendar is empty; fill it in, or write a calendar's id here.")
        return central
    return target_calendar(value, "do.mirror", _TARGET)


def _mask(value: object) -> Mask:
    """Return what is written as a word, as a title with names in braces, or as a group of title and description."""
    if isinstance(value, Mapping):
        parts = section(value, "do.mask", ("title", "description"))
        title, description = (_template(parts.get(key, ""), f"do.mask.{key}") for key in ("title", "description"))
        if not title:
            raise BadOptions(f"do.mask.title: is empty; {_TEMPLATE}.")
        return Mask("template", title, description)
    remedy = f"write {' or '.join(_MASKS)}, or a title with names in braces, like {{title}} ({{calendar}})"
    words = text(value, "do.mask", remedy)
    if "{" in words or "}" in words:
        return Mask("template", _template(words, "do.mask"))
    if words.lower() not in _MASKS:
        raise BadOptions(f"do.mask: {shown(words)} is not one of the choices; {remedy}.")
    return Mask(cast("Literal['full', 'title', 'busy']", words.lower()))


def _template(value: object, key: str) -> str:
    if not isinstance(value, str):
        raise BadOptions(f"{key}: {shown(value)} is not text; {_TEMPLATE}.")
    lines = [text(line, key, _TEMPLATE) for line in value.strip().splitlines()]
    if len(lines) > 1 and not key.endswith("description"):
        raise BadOptions(f"{key}: {shown(value)} has several lines; write one.")
    if len(value) > LONGEST_TEMPLATE:
        raise BadOptions(f"{key}: {shown(value)} is too long; {LONGEST_TEMPLATE} letters are allowed.")
    known = ", ".join(f"{{{name}}}" for name in NAMES)
    unknown = unknown_names(value)
    if unknown:
        raise BadOptions(f"{key}: {shown(unknown[0])} is no name of a part; these are: {known}.")
    if set("{}") & {*_PAIRS.sub("", value)}:
        raise BadOptions(f"{key}: {shown(value)} has a brace without its other half; write names like {{title}}.")
    return "\n".join(lines)
