"""Why a copy's deed does not go out just now, as a word, a sentence and a time."""

from calbot.actions import Mirror, RemoveCopy
from calbot.planner import BRAKE
from calbot.policy import Policy
from calbot.store import copies, targets
from calbot.store.database import Tx
from calbot.store.ledger import Stay

NO_WRITER = "no_write_access"
MIRRORING_OFF = "mirroring_off"
DRY_RUN = "dry_run"
SOON = 600.0
MOST_WRITES = 20
"""How often a copy may be written within an hour: more is two programs at odds, not a person."""


def why_waiting(tx: Tx, action: Mirror | RemoveCopy, policy: Policy, now: float) -> Stay | None:
    """Return why a copy's deed cannot go out just now, as things stand for all copies."""
    if not policy.mirroring:
        return Stay(MIRRORING_OFF, "Mirroring is off.", now + SOON)
    if policy.dry_run:
        return Stay(DRY_RUN, "A dry run writes nothing.", now + SOON)
    if targets.writer(tx, action.copy.target) is None:
        text = (
            f"None of the signed-in accounts may write to the calendar {action.copy.target}. In Google Calendar, share "
            "it with one of them with “Make changes to events”."
        )
        return Stay(NO_WRITER, text, now + SOON)
    if copies.writes(tx, action.copy.id, now - 3600.0) >= MOST_WRITES:
        text = (
            f"The copy was written {MOST_WRITES} times within an hour; is another program at odds with Calbot about it?"
        )
        return Stay(BRAKE, text, now + 3600.0)
    return None


def too_many(removals: int, known: int, limit: int) -> str:
    """Return the sentence of removals that wait for a person."""
    return (
        f"{removals} of {known} copies would be taken away at once, more than limits.removals_per_pass ({limit}) or a "
        "tenth of all. None of them is until you approve."
    )
