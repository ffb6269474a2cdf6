"""What people did and what Calbot wrote, kept apart from both: says when a write, or the end, is not as it must be."""

from collections import Counter
from dataclasses import dataclass, field

from calbot.actions import Invite
from calbot.identity import was_invited
from calbot.store import ledger
from tests.google_server.values import Doc
from tests.household import BOB, told
from tests.simulation.machine import Written
from tests.simulation.simulation import Simulation

DAVE = "dave@example.org"
OURS = (BOB, DAVE)
HOUR = 3600.0
Place = tuple[str, str]
"""An event and a guest."""


@dataclass
class Plan:
    """An event as people mean it. `era` counts the changes of rules and switches before its last edit."""

    host: str
    title: str
    era: int
    series: str | None = None
    closed: bool = False
    declined: bool = False
    private: bool = False


@dataclass
class Page:
    """What the book has to know again when an old store comes back."""

    store: bytes
    written: int
    scope: set[str]
    free_undos: int
    seen: set[Place]
    remembered: set[Place]


@dataclass
class Book:
    """Fed with `read` before anybody acts; what is wrong is an AssertionError."""

    simulation: Simulation
    plans: dict[str, Plan] = field(default_factory=dict)
    era: int = 0
    barred: set[Place] = field(default_factory=set)
    """Must not be invited: a person took them off, or had it undone."""
    remembered: set[Place] = field(default_factory=set)
    """Of these: where only Calbot's store can tell."""
    discarded: set[Place] = field(default_factory=set)
    perhaps: set[Place] = field(default_factory=set)
    """Put there and taken off by hand before Calbot looked: nobody can say what it should do."""
    seen: set[Place] = field(default_factory=set)
    ours: dict[Place, float] = field(default_factory=dict)
    """Stands there because Calbot invited them, since then."""
    added: Counter[Place] = field(default_factory=Counter)
    removed: Counter[Place] = field(default_factory=Counter)
    by_hand: Counter[Place] = field(default_factory=Counter)
    held: set[str] = field(default_factory=set)
    approved: set[str] = field(default_factory=set)
    scope: set[str] = field(default_factory=set)
    """The events that an undo was asked for, and (`free_undos`) how many may be of any event."""
    free_undos: int = 0
    owed: set[Place] = field(default_factory=set)
    """An undo said that it is done: they have to be off."""
    limit: int = 1000
    sent: list[tuple[float, int]] = field(default_factory=list)
    untold_from: int | None = None
    """Writes from this one on may be unknown to a store that was put back."""
    _read: int = 0

    # Writes

    def read(self) -> None:
        """Look at everything that was written since the last time; afterwards note what is held."""
        written = self.simulation.wire.written
        while self._read < len(written):
            self._read += 1
            self._judge(written[self._read - 1])
        if self.simulation.lives_now:
            self.note_store()

    def note_store(self) -> None:
        """Take from the store which events are held, and whose invitations a person has discarded."""
        reader = self.simulation.database.read()
        self.held = {str(row[0]) for row in self.simulation.held_rows()}
        self.approved -= {event for event in self.approved if event not in self.held and not self._is_open(event)}
        rows = reader.execute("SELECT event, action FROM deed WHERE state = 'discarded'").fetchall()
        for event, body in rows:
            action = ledger._decode(body)
            if isinstance(action, Invite):
                self.discarded |= {(event, guest) for guest in action.guests}

    def _is_open(self, event: str) -> bool:
        return any(row[0] == event for row in self.simulation.open_rows())

    def _judge(self, written: Written) -> None:
        event, plan = written.event, self.plans[written.event]
        about = f"{event} at {written.time:.2f}"
        others = [entry for entry in written.before if _address(entry) not in written.removed]
        rest = [entry for entry in written.after if _address(entry) not in written.added]
        assert others == rest, f"{about}: {others} became {rest}"
        assert written.added <= set(OURS), f"{about}: {set(written.added)} was added"
        assert not (written.added and written.removed), f"{about}: added and removed at once"
        for guest in written.added:
            place = event, guest
            assert not plan.closed, f"{about}: nobody may be invited to it"
            assert place not in self.barred, f"{about}: {guest} against a person's will"
            assert place not in self.discarded, f"{about}: {guest} was discarded"
            assert event not in self.held - self.approved, f"{about}: {guest} while it was held"
            self.added[place] += 1
            assert self.added[place] == 1, f"{about}: {guest} twice"
            self.ours[place] = written.time
        for guest in written.removed:
            self._judge_removal((event, guest), about)
        if written.added and event not in self.approved:
            self._count(written)

    def _judge_removal(self, place: Place, about: str) -> None:
        assert place in self.ours, f"{about}: {place[1]} was not put there by us"
        series = self.plans[place[0]].series
        if not {place[0], series} & self.scope:
            assert self.free_undos > 0, f"{about}: nobody asked for an undo of it"
            self.free_undos -= 1
            self.scope.add(series or place[0])
        self.removed[place] += 1
        self.barred.add(place)
        del self.ours[place]

    def _count(self, written: Written) -> None:
        self.sent.append((written.time, len(written.added)))
        hour = sum(count for time, count in self.sent if written.time - time < HOUR)
        assert hour <= self.limit, f"{written.event}: {hour} invitations in an hour, {self.limit} are allowed"

    # People

    def guests(self, event: str) -> list[str]:
        """Who is on an event, in lower case."""
        return [guest.lower() for guest in self.simulation.guests(event, self.plans[event].host)]

    def took_off(self, event: str, guest: str, named: bool) -> None:
        """A person took one of our guests off; `named` while a rule names them."""
        place = event, guest
        document = self.simulation.document(event, self.plans[event].host)
        stamp = str(document.get("extendedProperties", {}).get("private", {}).get("calbot_invited", ""))
        self.ours.pop(place, None)
        if was_invited(stamp, guest):
            self.barred.add(place)
        elif place in self.seen and named:
            self.barred.add(place)
            self.remembered.add(place)
        else:
            self.perhaps.add(place)

    def came_along(self, event: str, date: str) -> None:
        """A date of its own begins with the guests of its series: ours there are ours here, and an undo is for both."""
        there = self.guests(date)
        self.ours |= {(date, g): since for (of, g), since in list(self.ours.items()) if of == event and g in there}

    def put_on(self, event: str, guest: str) -> None:
        """A person put one of our guests on."""
        self.by_hand[event, guest] += 1
        self.ours.pop((event, guest), None)

    def new_era(self) -> None:
        """Rules or switches changed: what was not looked at before may go either way."""
        self.era += 1
        self.perhaps |= self.remembered
        self.barred -= self.remembered
        self.remembered.clear()

    def on_its_way(self) -> None:
        """What was let go under one limit is not stopped by the next."""
        self.approved |= {str(row[0]) for row in self.simulation.open_rows() if row[2] == "started"}

    def undone(self, event: str) -> None:
        """An undo of this event says that all is taken back."""
        if self.untold_from is None:
            self.owed |= {place for place in self.ours if place[0] == event}

    def page(self, store: bytes) -> Page:
        """What belongs to a backup."""
        return Page(store, self._read, set(self.scope), self.free_undos, set(self.seen), set(self.remembered))

    def turn_back(self, page: Page) -> None:
        """The store of that page is in use again; what is on Google is not turned back."""
        forgotten = self.remembered - page.remembered
        self.barred -= forgotten
        self.perhaps |= forgotten | (self.seen - page.seen)
        self.remembered -= forgotten
        self.seen &= page.seen
        self.scope |= page.scope
        self.free_undos += page.free_undos
        self.untold_from = page.written if self.untold_from is None else min(self.untold_from, page.written)
        self.discarded.clear()
        self.approved.clear()
        self.owed.clear()
        self.sent.clear()
        self.era += 1
        self.note_store()
        self.approved |= {str(row[0]) for row in self.simulation.open_rows()}

    # The end

    def complaints(self, wanted: dict[str, tuple[str, ...]]) -> list[str]:
        """What is not as it must be once all is quiet; `wanted` are the guests of each event by the rules in force."""
        simulation = self.simulation
        found = [f"surprise: {trouble}" for trouble in [*simulation.trouble, *simulation.world.surprises]]
        found += [f"open: {row}" for row in simulation.open_rows()]
        for event, plan in self.plans.items():
            found += self._of_event(event, plan, wanted.get(event, ()))
        found += self._told()
        self._settle()
        return found

    def _of_event(self, event: str, plan: Plan, wanted: tuple[str, ...]) -> list[str]:
        guests = self.guests(event)
        about = f"{event} ({self.simulation.history(event)})"
        found = [f"{about}: {guests}" for guest in OURS if guests.count(guest) > 1]
        found += [
            f"{about}: {guest} has {mails} mails"
            for guest in OURS
            if (mails := self.simulation.invitations(guest).count(event))
            > self.added[event, guest] + self.by_hand[event, guest]
        ]
        if plan.closed:
            return found
        found += [
            f"{about}: {place[1]} is left by an undo" for place in self.owed & self.ours.keys() if place[0] == event
        ]
        found += [f"{about}: {guest} is gone" for guest in OURS if (event, guest) in self.ours and guest not in guests]
        if plan.era == self.era and event not in self.held and (plan.series is None or plan.series not in self.held):
            excused = self.barred | self.discarded | self.perhaps
            found += [
                f"{about}: {guest} was not invited"
                for guest in wanted
                if guest not in guests
                and (event, guest) not in excused
                and (plan.series is None or (plan.series, guest) not in excused)
            ]
        return found

    def _told(self) -> list[str]:
        """Every invitation and every undo is told once, but for what an old store cannot know."""
        invited: Counter[Place] = Counter()
        undone: Counter[Place] = Counter()
        for outcome in told(self.simulation.database):
            if outcome.event_type == "invited":
                invited.update((outcome.key.event, guest) for guest in outcome.guests_added)
            if outcome.event_type == "undone":
                undone.update((outcome.key.event, guest) for guest in outcome.guests_removed)
        found = [f"{place}: told {count} times to be invited" for place, count in invited.items() if count > 1]
        found += [f"{place}: told {count} times to be undone" for place, count in undone.items() if count > 1]
        found += [f"{place}: told to be invited, and was not" for place in invited if not self.added[place]]
        found += [f"{place}: told to be undone, and was not" for place in undone if not self.removed[place]]
        known = self.simulation.wire.written[: self.untold_from]
        for written in known:
            gone = self.plans[written.event].closed
            places = [(written.event, guest) for guest in written.added]
            found += [
                f"{place}: not told to be invited"
                for place in places
                if not invited[place] and not gone and place not in self.barred
            ]
            places = [(written.event, guest) for guest in written.removed]
            found += [f"{place}: not told to be undone" for place in places if not undone[place] and not gone]
        return found

    def _settle(self) -> None:
        """Calbot has looked at everything now, and no undo is under way."""
        self.seen |= {(event, guest) for event in self.plans for guest in self.guests(event)}
        self.scope.clear()
        self.free_undos = 0


def _address(entry: Doc) -> str:
    return str(entry["email"]).lower()
