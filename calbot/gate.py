"""The last look at a deed before it goes out: has the hour room, does Google's quota let us, is it still wanted."""

from calbot import copywork, originalwork
from calbot.actions import Deed, DeleteOriginal, Invite, Mirror, RemoveCopy, RestoreOriginal, Retract
from calbot.model import Outcome
from calbot.planner import BRAKE, brake
from calbot.policy import Policy
from calbot.record import too_many, wait
from calbot.settle import QUOTA
from calbot.stays import DRY_RUN
from calbot.store import allowance, ledger
from calbot.store.database import Tx
from calbot.telling import of_deed


class Gate:
    """Asks about one deed after the other, within one transaction; what may not go is parked or held there."""

    def __init__(self, tx: Tx, policy: Policy, resting_until: float | None, now: float) -> None:
        self.said: list[Outcome] = []
        self._tx = tx
        self._policy = policy
        self._resting_until = resting_until
        self._now = now
        self._sent: int | None = None
        self._waiting = 0

    def ready(self, deed: Deed) -> Deed | None:
        """Return the deed as it may go out now, or None; of a copy, with what it has to show by now."""
        if isinstance(deed.action, Mirror | RemoveCopy):
            return copywork.refreshed(self._tx, deed, self._policy, self._now)
        if isinstance(deed.action, DeleteOriginal):
            return originalwork.refreshed(self._tx, deed, self._policy, self._now)
        return deed if self._lets(deed) else None

    def _lets(self, deed: Deed) -> bool:
        """Say whether the deed may go out now; what a person approved is not asked about the hour's room."""
        if isinstance(deed.action, Retract | RestoreOriginal) and self._policy.dry_run:
            text = "A dry run writes nothing."
            ledger.park(self._tx, deed, self._now + allowance.SOON, DRY_RUN, text, uncertain=deed.uncertain)
            return False
        if not isinstance(deed.action, Invite):
            return True
        if self._resting_until is not None:
            text = "Google's limit of invitations is used up."
            ledger.park(self._tx, deed, self._resting_until, QUOTA, text, uncertain=deed.uncertain)
            return False
        guests, limit = len(deed.action.guests), self._policy.invites_per_hour
        if self._sent is None:
            self._sent = allowance.sent(self._tx, self._now)
        used = self._sent
        if deed.uncertain or deed.state == "started":  # It may be among those that count already.
            used -= allowance.sent(self._tx, self._now) - allowance.sent(self._tx, self._now, without=deed.id)
        verdict = "go" if deed.approved else brake(used, [guests], limit)
        if verdict == "go":
            self._sent = used + guests
            return True
        if verdict == "wait":
            self._waiting += guests
            stay = wait(self._tx, used + self._waiting - limit, self._policy, self._now)
            ledger.park(self._tx, deed, stay.until, BRAKE, stay.text, uncertain=deed.uncertain)
        else:
            text = too_many(guests, used, limit)
            ledger.hold(self._tx, deed, BRAKE, text)
            self.said.append(of_deed("held", deed, reason=BRAKE, reason_text=text))
        return False
