"""What a person may do about Calbot's decisions: approve, discard, undo, take up; see ahead, and ask why."""

import hashlib
import math
from collections.abc import Callable, Mapping

from calbot import answers
from calbot.actions import Deed, Invite, RemoveCopy
from calbot.answers import many
from calbot.errors import BadOptions
from calbot.explaining import Explanation, explain
from calbot.inbox import Item, TakeBack, TakeUp
from calbot.model import Answer, CalendarKey, Command, Notice, Noun
from calbot.moments import day_and_time
from calbot.policy import Policy
from calbot.ports import Clock, Random
from calbot.preview import AHEAD, DAY, Window, foresee
from calbot.store import copies, fates, ledger, outbox, releases, switches, undoable
from calbot.store.database import Database
from calbot.switchboard import Switchboard
from calbot.wishes import Scope

Data = dict[str, str | int | float | bool | None]
MOST_DAYS = 3650.0
SHOWN = 10
_RELEASED = "released"


class Letters(Noun, frozen=True):
    """What goes to which accounts' inboxes; their answers make the command's."""

    to: Mapping[str, Item]


def run_of(command: Command) -> str:
    """Return the run under which a command's deeds are written down: the same however often it is taken up."""
    return f"w-{hashlib.sha256(command.id.encode()).hexdigest()[:12]}"


class Control:
    """Decides what a command means; the accounts' workers do it. `watched` returns the calendars that they read."""

    def __init__(
        self,
        switchboard: Switchboard,
        watched: Callable[[], tuple[CalendarKey, ...]],
        database: Database,
        clock: Clock,
        random: Random,
    ) -> None:
        self._switchboard = switchboard
        self._watched = watched
        self._database = database
        self._clock = clock
        self._random = random

    def release(self, command: Command, *, approve: bool) -> Answer:
        """Let held work go on, or let go of it: of the run that `token` names, or all of it.

        That it was done is remembered with it, for a command that is taken up again after a restart.
        """
        token, now = command.args.get("token"), self._clock.now()
        with self._database.write() as tx:
            before, _, count = (switches.fact(tx, _RELEASED) or "").rpartition(" ")
            if before == command.id:
                return answers.released(int(count), approve=approve, invites=False)
            deeds = releases.held(tx, str(token) if token else None, command.received, now)
            if not deeds:
                which = f" under {str(token)[:40]!r}" if token else ""
                return Answer(status="error", code="not_found", message=f"Nothing is held{which}.")
            for deed in deeds:
                if approve:
                    releases.approve(tx, deed, now)
                    continue
                releases.set_aside(tx, deed, "discarded", now)
                if isinstance(deed.action, Invite):
                    fates.note(tx, deed.key, deed.action.guests, "discarded", now)
                elif isinstance(deed.action, RemoveCopy):
                    copies.stand(tx, deed.action.copy.id, "kept", now)
            invites = all(isinstance(deed.action, Invite) for deed in deeds)
            answer = answers.released(len(deeds), approve=approve, invites=invites)
            data: Data = {"count": len(deeds), "approved": approve}
            notice = Notice(event_type="brake_released", text=answer.message, data=data)
            outbox.put(tx, [notice], now, self._random)
            switches.remember(tx, _RELEASED, f"{command.id} {len(deeds)}")
        return answer

    def undo(self, command: Command) -> Answer | Letters:
        """Have deeds taken back: one by its token, an event's, a run's, those of some minutes, or the last.

        Taken up again after a restart, accounts that had written down their share before have no more to plan.
        """
        if self._switchboard.effective().dry_run:
            text = "A dry run writes nothing: switch dry_run off to undo."
            return Answer(status="error", code="invalid", message=text)
        tx, run_id = self._database.read(), run_of(command)
        begun = {deed.key.account for deed in releases.of_wish(tx, run_id)}
        numbers = self._meant(command)
        if begun and (command.args.get("last") or not command.args):
            numbers = []
        if numbers is None:
            text = "There is nothing under this token any more; what was done is kept for 90 days."
            return Answer(status="error", code="undo_expired", message=text)
        deeds = [deed for number in numbers if (deed := ledger.by_id(tx, number)) is not None]
        if not deeds and not begun:
            return Answer(status="error", code="not_found", message="There is nothing to undo.")
        question = None if begun else self._question(deeds, command)
        unknown = {deed.key.account for deed in deeds} - set(self._accounts())
        if question is None and unknown:
            text = f"{', '.join(sorted(unknown))} is no longer watched; sign it in again first."
            return Answer(status="error", code="auth_required", message=text)
        shares = {account: tuple(d.id for d in deeds if d.key.account == account) for account in self._accounts()}
        letters: dict[str, Item] = {
            account: TakeBack(command.id, run_id, () if account in begun else share, command.source)
            for account, share in shares.items()
            if share or account in begun
        }
        return question or Letters(letters)

    def _question(self, deeds: list[Deed], command: Command) -> Answer | None:
        """Return what is asked back when this takes many guests off and was not confirmed."""
        removals = sum(answers.taken_by_undo(deed) for deed in deeds if deed.state == "done")
        token = hashlib.sha256(repr(sorted(deed.id for deed in deeds)).encode()).hexdigest()[:12]
        most = self._switchboard.effective().removals_per_pass
        if removals <= most or command.args.get("confirm") == token:
            return None
        what = "guests" if all(isinstance(deed.action, Invite) for deed in deeds) else "guests and copies"
        text = f"This takes {removals} {what} off {many(len(deeds), 'event')}, more than {most} at once: confirm it."
        data: Data = {"confirm_token": token, "count": removals}
        return Answer(status="error", code="confirm_required", message=text, data=data)

    def _meant(self, command: Command) -> list[int] | None:
        tx, args, asked = self._database.read(), command.args, command.received
        names = [name for name in ("token", "event_id", "run_id", "minutes") if args.get(name) is not None]
        if len(names) > 1 or (names and args.get("last")):
            raise BadOptions("undo: say one of token, event_id, run_id, minutes or last, not several.")
        value = args.get(names[0]) if names else None
        match names:
            case ["token"]:
                return undoable.by_token(tx, str(value), asked)
            case ["event_id"]:
                return undoable.of_event(tx, str(value), asked)
            case ["run_id"]:
                return undoable.of_run(tx, str(value), asked)
            case ["minutes"]:
                return undoable.since(tx, asked - 60 * _positive("minutes", value), asked)
            case _:
                return undoable.last(tx, asked)

    def undone(self, command: Command, errors: tuple[str, ...]) -> Answer:
        """Return what is said to an undo once all accounts had their turn."""
        return answers.undone(releases.of_wish(self._database.read(), run_of(command)), errors)

    def take_up(self, command: Command, account: str | None) -> Answer | Letters:
        """Have the rules applied to known events of the next days that were left alone."""
        days = _days(command.args.get("days"))
        rule = command.args.get("rule")
        rules = {one.name for email in self._accounts() for one in self._policy(email).rules}
        if rule is not None and rule not in rules:
            known = ", ".join(sorted(rules)) or "none"
            return Answer(
                status="error", code="not_found", message=f"There is no rule {str(rule)[:60]!r}; known: {known}."
            )
        scope = Scope(days, str(rule) if rule is not None else None)
        letter = TakeUp(command.id, run_of(command), scope, command.source)
        accounts = [email for email in self._accounts() if account in {None, email}]
        if not accounts:
            return Answer(status="error", code="not_found", message="Calbot watches no account yet.")
        return Letters(dict.fromkeys(accounts, letter))

    def taken_up(self, command: Command, errors: tuple[str, ...]) -> Answer:
        """Return what is said to an apply once all accounts have planned."""
        deeds = releases.of_wish(self._database.read(), run_of(command))
        effective = self._switchboard.effective()
        off = "Auto-invite is off, so nobody is invited." if not effective.auto_invite else None
        return answers.taken_up(deeds, off, errors)

    def preview(self, command: Command, account: str | None) -> Answer:
        """Say what the rules would do, in numbers and the first ten events."""
        tx, now = self._database.read(), self._clock.now()
        within = Window(now, now + _days(command.args.get("days")) * DAY, now)
        events = guests = invited = copied = 0
        first: list[tuple[float, str]] = []
        for begin, one in foresee(tx, self._policy, within, account=account, watched=self._watched()):
            events += 1
            if isinstance(one.action, Invite) and one.waits is None:
                invited += 1
                guests += len(one.action.guests)
                first = sorted([*first, (begin, answers.foreseen(one))])[:SHOWN]
            copied += len({link.target for link in one.links} - {*one.copied}) if not one.past else 0
        data: Data = {
            "invite": invited,
            "guests": guests,
            "copies": copied,
            "skip": events - invited,
            "first": "\n".join(line for _, line in first),
        }
        text = f"{many(invited, 'event')} of {events} would be invited to."
        text += f" {many(copied, 'copy')} would be made." if copied else ""
        return Answer(status="ok", message=text, data=data)

    def explain(self, command: Command) -> Answer:
        """Say which rules were tried on an event, what is decided, and what was done."""
        wanted = str(command.args.get("event_id", ""))
        found = explain(self._database.read(), wanted, self._policy, self._clock.now())
        if not found:
            return Answer(status="error", code="not_found", message=f"Calbot knows no event {wanted[:60]!r}.")
        return Answer(status="ok", message=answers.verdict(found[0]), data=self._explained(found[0]))

    def _explained(self, one: Explanation) -> Data:
        action, zone = one.action, self._policy(one.key.account).time_zone
        history = [
            f"{day_and_time(past.at, zone)} {past.verb} {past.state}: {past.text or ', '.join(past.guests)}"
            for past in one.history
        ]
        return {
            "event_id": one.key.event,
            "account": one.key.account,
            "calendar": one.calendar_name or one.key.calendar,
            "title": one.event.title if one.event is not None else None,
            "decision": None if action is None else "invite" if isinstance(action, Invite) else "skip",
            "reason": getattr(action, "reason", None),
            "rule": getattr(action, "rule", None),
            "copies": "\n".join(f"{link.target} ({link.mask.shows}, rule {link.rule})" for link in one.links),
            "tried": "\n".join(f"{tried.rule}: {tried.why}" for tried in one.tried),
            "history": "\n".join(history),
        }

    def _accounts(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(key.account for key in self._watched()))

    def _policy(self, account: str) -> Policy:
        return self._switchboard.orders(account, self._clock.now()).policy


def _positive(name: str, value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf:
        return float(value)
    raise BadOptions(f"{name}: write a number above 0.")


def _days(value: object) -> float:
    return float(AHEAD) if value is None else min(MOST_DAYS, _positive("days", value))
