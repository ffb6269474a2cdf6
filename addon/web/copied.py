"""Which copies an event has or would get, what they show, and why there is none, in words; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from addon.web.timeline import Tone
from addon.web.words import clean, listed
from calbot.actions import Skip
from calbot.kinds import CopyState
from calbot.policy import Link, Mask
from calbot.store.copyhistory import Standing, with_names

_SHOWS = {"full": "all that it says", "title": "its title and time", "busy": "“Busy” and its time"}
_HAS: dict[CopyState, tuple[Tone, str]] = {
    "live": ("good", "Has a copy on {}"),
    "planned": ("good", "Is about to be copied to {}"),
    "kept": ("quiet", "Has a copy on {} that stands by itself"),
}


@dataclass(frozen=True, slots=True)
class CopyLine:
    """One copy, or why there is none."""

    tone: Tone
    text: str
    why: str


def copy_lines(
    links: Sequence[Link], unmirrored: Skip | None, standing: Sequence[Standing], names: Mapping[str, str]
) -> tuple[CopyLine, ...]:
    """Return a line for each copy that is or would be there, and one for why another is not."""
    states = {one.target: one.state for one in standing}
    lines = [_wanted(link, states.get(link.target), names) for link in links]
    not_wanted = with_names(unmirrored.text, names) if unmirrored is not None else ""
    left = [target for target in states if target not in {link.target for link in links} and states[target] in _HAS]
    for target in left:
        why = not_wanted or "No rule asks for it by now; the copy stays as it is."
        lines.append(CopyLine("quiet", _HAS[states[target]][1].format(called(target, names)), clean(why, 400)))
    if not_wanted and not left:
        lines.append(CopyLine("quiet", "Not copied", clean(not_wanted, 400)))
    return tuple(lines)


def shows(mask: Mask) -> str:
    """Return what a mask lets be seen."""
    if mask.shows != "template":
        return _SHOWS[mask.shows]
    parts = [f"“{part}”" for part in (mask.title, mask.description) if part]
    return f"words of the rule’s own, {' and '.join(parts)}" if parts else "words of the rule’s own"


def targets(links: Sequence[Link], names: Mapping[str, str]) -> str:
    """Return the calendars of these copies as a sentence lists them."""
    return listed([called(link.target, names) for link in links])


def called(target: str, names: Mapping[str, str]) -> str:
    """Return what a calendar is called, its id where that is not known."""
    return clean(names.get(target) or target, 80)


def _wanted(link: Link, state: CopyState | None, names: Mapping[str, str]) -> CopyLine:
    tone, text = _HAS.get(state or "deleted", ("good", "Would be copied to {}"))
    goes = " The event itself is deleted once its copy stands." if link.delete_original and state != "kept" else ""
    why = f"The copy shows {shows(link.mask)}. Rule: {link.rule}.{goes}"
    return CopyLine(tone, text.format(called(link.target, names)), clean(why, 400))
