"""One account's share in what people ask: planned when nothing of it is under way, answered when all was tried."""

from calbot.dispatch import Dispatch
from calbot.house import House
from calbot.inbox import TakeBack, TakeUp
from calbot.model import CalendarKey
from calbot.ports import Clock, Random
from calbot.store import releases
from calbot.store.database import Database
from calbot.telling import Run
from calbot.wishes import NOTHING, Planned, take_back, take_up, wanted

PAUSED = "Calbot is paused; it is done when it goes on."
UNDER_WAY = "One of these invitations is under way and nothing can be done about it just now; ask again later."


class Errands:
    """Takes letters, plans what they ask for once, and tells the house when this account is done with them."""

    def __init__(
        self,
        account: str,
        calendars: tuple[str, ...],
        house: House,
        dispatch: Dispatch,
        database: Database,
        clock: Clock,
        random: Random,
    ) -> None:
        self._account = account
        self._calendars = calendars
        self._house = house
        self._dispatch = dispatch
        self._database = database
        self._clock = clock
        self._random = random
        self._asked: list[TakeBack | TakeUp] = []
        self._planned: list[TakeBack | TakeUp] = []

    def ask(self, letter: TakeBack | TakeUp) -> None:
        """Take a letter in."""
        self._asked.append(letter)

    def plan(self) -> None:
        """Write down what the letters ask for; one about a deed that is in the slots just now waits for it."""
        for letter in list(self._asked):
            if isinstance(letter, TakeBack) and self._dispatch.has_any_of(letter.deeds):
                continue
            planned = self._take_back(letter) if isinstance(letter, TakeBack) else self._take_up(letter)
            self._asked.remove(letter)
            self._planned.append(letter)
            self._dispatch.take(planned)
            self._house.wrote()

    def _take_back(self, letter: TakeBack) -> Planned:
        with self._database.write() as tx:
            if releases.of_wish(tx, letter.run_id, self._account):
                return NOTHING
            return take_back(tx, letter.deeds, letter.run_id, letter.source, self._clock.now(), self._random)

    def _take_up(self, letter: TakeUp) -> Planned:
        """Judge without keeping others from writing: there may be many thousand events."""
        policy, now, reader = self._house.orders(self._account).policy, self._clock.now(), self._database.read()
        run = Run(id=letter.run_id, source=letter.source, seen_at=now, now=now, policy=policy)
        verdicts = {}
        for calendar in self._calendars:
            self._house.ticked(self._account)
            key = CalendarKey(self._account, calendar)
            verdicts[key] = wanted(reader, key, letter.scope, run)
        with self._database.write() as tx:
            if releases.of_wish(tx, letter.run_id, self._account):
                return NOTHING
            found = [deed for key, own in verdicts.items() for deed in take_up(tx, key, own, run, self._random)]
        return Planned(tuple(found), frozenset())

    def answer(self, signed_out: str | None) -> None:
        """Tell the house of each letter of which nothing is left to be tried, or can be for now."""
        error = signed_out
        if error is None and self._house.orders(self._account).paused:
            error = PAUSED
        if error is not None:
            for letter in self._asked:
                self._house.did(self._account, letter.command_id, UNDER_WAY)
            self._asked.clear()
        for letter in list(self._planned):
            if isinstance(letter, TakeUp) or self._was_tried(letter.run_id):
                self._done(letter, None)
            elif error is not None:
                self._done(letter, error)

    def _was_tried(self, run_id: str) -> bool:
        deeds = releases.of_wish(self._database.read(), run_id, self._account)
        return all(deed.state not in {"planned", "started"} for deed in deeds)

    def _done(self, letter: TakeBack | TakeUp, error: str | None) -> None:
        self._planned.remove(letter)
        self._house.did(self._account, letter.command_id, error)
