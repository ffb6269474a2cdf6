"""What is said to a person who asked for something: sums and sentences of deeds."""

from collections import Counter
from collections.abc import Sequence

from calbot.actions import Deed, Invite, RemoveCopy, RestoreOriginal, Retract
from calbot.errands import PAUSED, UNDER_WAY
from calbot.explaining import Explanation
from calbot.model import Answer
from calbot.preview import Foreseen

Data = dict[str, str | int | float | bool | None]
OFF, DRY = "Mirroring is off.", "A dry run writes nothing."
_TAKES_BACK = frozenset({"retract", "remove_copy", "restore_original"})


def many(count: int, noun: str) -> str:
    """Return a number with its noun."""
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{count} {noun if count == 1 else plural}"


def released(count: int, *, approve: bool, invites: bool) -> Answer:
    """Return what is said of held work that was let go on, or let go of."""
    if invites:
        what = "approved: the invitations go out now." if approve else "discarded: nobody is invited to them."
    else:
        what = "approved: it is done now." if approve else "discarded: nothing is done about them, and copies stay."
    return Answer(status="ok", message=f"{many(count, 'event')} {what}", data={"count": count})


def taken_by_undo(deed: Deed) -> int:
    """Return how many guests or copies an undo of the deed takes away."""
    if isinstance(deed.action, Invite):
        return len(deed.action.guests)
    return 1 if deed.verb == "mirror" else 0


def undone(wish: Sequence[Deed], errors: tuple[str, ...]) -> Answer:
    """Return what is said to an undo once all accounts had their turn; `wish` is what it was written down as."""
    deeds = [d for d in wish if d.verb in _TAKES_BACK]
    taken = [d for d in deeds if d.state == "done"]
    gone = [d for d in deeds if d.state in {"skipped", "superseded"}]
    stays = [d for d in deeds if d.reason_text is not None and (d.verb == "retract" or d.state == "skipped")]
    left = [d for d in deeds if d in stays or d not in [*taken, *gone]]
    said = [_taken_back(taken)] if taken else []
    off = sum(d.reason_text is None for d in gone if d.verb == "retract")
    said += [f"{many(off, 'event')}: the guests were off already."] if off else []
    said += [f"Not taken back: {deed.reason_text or 'it waits for Google.'}" for deed in left[:3]]
    data: Data = {"undone": sum(d not in left for d in [*taken, *gone]), "left": len(left)}
    if not said and not errors:
        return Answer(status="ok", message="What had not gone out yet is discarded.", data=data)
    text = " ".join([*said, *errors])
    if not left and not errors:
        return Answer(status="ok", message=text, data=data)
    if taken:
        return Answer(status="partial", message=text, data=data)
    codes = {PAUSED: "paused", UNDER_WAY: "busy", OFF: "paused", DRY: "paused"}
    standard = "auth_required" if errors else "upstream_error"
    code = next((code for said, code in codes.items() if said in text), standard)
    return Answer(status="error", code=code, message=text, retryable=code in codes.values(), data=data)


def _taken_back(deeds: Sequence[Deed]) -> str:
    said = []
    retracts = [deed for deed in deeds if isinstance(deed.action, Retract)]
    if len(retracts) == 1 and isinstance(action := retracts[0].action, Retract):
        said.append(f"{' and '.join(action.guests)} taken off “{_title(action.event.title)}” again.")
    elif retracts:
        guests = sum(len(deed.action.guests) for deed in retracts if isinstance(deed.action, Retract))
        said.append(f"{many(guests, 'guest')} taken off {many(len(retracts), 'event')} again.")
    removed = [deed.action for deed in deeds if isinstance(deed.action, RemoveCopy)]
    if len(removed) == 1:
        said.append(f"The copy of “{_title(removed[0].event.title)}” is taken away again.")
    elif removed:
        said.append(f"{many(len(removed), 'copy')} taken away again.")
    said += [
        f"“{_title(deed.action.event.title)}”: {deed.reason_text or 'the original is back.'}"
        for deed in deeds
        if isinstance(deed.action, RestoreOriginal)
    ]
    return " ".join(said)


def _title(title: str) -> str:
    return " ".join(title.split()) or "an event without a title"


def taken_up(deeds: Sequence[Deed], off: str | None, errors: tuple[str, ...]) -> Answer:
    """Return what is said to an apply once all accounts have planned; `off` says why nobody is invited, if so."""
    counts = Counter(deed.state for deed in deeds if deed.verb == "invite")
    copied = sum(deed.verb == "mirror" and deed.state != "skipped" for deed in deeds)
    unmirrored = sum(deed.verb == "mirror" and deed.state == "skipped" for deed in deeds)
    held, skipped = counts["held"], counts["skipped"]
    planned = counts.total() - held - skipped
    said = [f"{many(planned, 'event')} to invite to." if planned else ""]
    said += [f"{many(copied, 'copy')} to make." if copied else ""]
    said += [f"{many(held, 'event')} held: approve or discard them." if held else ""]
    said += [f"Dry run: {many(skipped, 'event')} would be invited to." if skipped else ""]
    said += [f"Dry run: {many(unmirrored, 'copy')} would be made." if unmirrored else ""]
    if not deeds:
        said = [off or "There is nobody to invite."]
    data: Data = {"planned": planned, "held": held}
    if copied:
        data["copies"] = copied
    text = " ".join([*filter(None, said), *errors])
    return Answer(status="partial" if errors else "ok", message=text, data=data)


def foreseen(one: Foreseen) -> str:
    """Return a line of the preview."""
    guests = ", ".join(one.action.guests) if isinstance(one.action, Invite) else ""
    title = " ".join(one.event.title.split()) or "(no title)"
    return f"{one.event.start[:16]} {title}: {guests}"


def verdict(one: Explanation) -> str:
    """Return in a sentence what would be decided about an event now."""
    action = one.action
    copied = f" It has a copy on {' and '.join(link.target for link in one.links)}." if one.links else ""
    if action is None:
        return "The event is gone; its history is what is left."
    if isinstance(action, Invite):
        return f"{' and '.join(action.guests)} would be invited, by the rule {action.rule}.{copied}"
    return f"{getattr(action, 'text', '')}{copied}"
