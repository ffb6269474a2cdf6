"""Whatever others do to a guest list between and during our writes: their entries stay as Google held them.

`CALBOT_SWARM=5000` tries more of them, `CALBOT_SWARM_FROM=7` others; hypothesis prints the smallest that fails.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from calbot.settings import Settings
from tests.conftest import MEMORY
from tests.google_server.values import Doc
from tests.household import ANNA, BOB, CAROL
from tests.simulation.machine import Written
from tests.simulation.simulation import Simulation

Simulate = Callable[..., Simulation]
EXAMPLES = int(os.environ.get("CALBOT_SWARM", "300")) // 2
FIRST = int(os.environ.get("CALBOT_SWARM_FROM", "1"))
OURS = (BOB, "frank@example.org", "grace@example.com")
"""The guests of the rule: the first one, two or three of them."""
OTHERS = (CAROL, "Dave@Example.Org", "erin@example.com", "room@resource.calendar.google.com", "heidi@example.net")
LATER = "2026-12-24T19:00:00+01:00"

entries = st.fixed_dictionaries(
    {"email": st.sampled_from([*OTHERS, *OURS, BOB.upper()])},
    optional={
        "displayName": st.sampled_from(["Carol C.", 'Say "hi"', "Zoë — ☂", "<b>"]),
        "optional": st.just(True),
        "responseStatus": st.sampled_from(["accepted", "declined", "tentative"]),
        "comment": st.sampled_from(["Late, sorry", "é\\n"]),
        "additionalGuests": st.integers(1, 3),
        "resource": st.just(True),
    },
)
places = st.integers(0, 9)
edits = st.one_of(
    st.tuples(st.just("add"), entries),
    st.tuples(st.just("remove"), places),
    st.tuples(st.just("remove ours"), places),
    st.tuples(st.just("change"), places, entries),
    st.tuples(st.just("answer"), places, st.sampled_from(["accepted", "declined", "tentative", "needsAction"])),
    st.tuples(st.just("capitals"), places),
    st.tuples(st.just("reverse")),
    st.tuples(st.just("title")),
)
steps = st.one_of(
    st.tuples(st.just("now"), edits),
    st.tuples(st.just("now"), edits),
    st.tuples(st.just("in a call"), edits, places),
    st.tuples(st.just("sync")),
    st.tuples(st.just("sync")),
    st.tuples(st.just("restart")),
)


class Party:
    """An event whose guest list people edit, beside what they did to the guests of our rule."""

    def __init__(self, directory: Path, guests: tuple[str, ...], first: list[Doc]) -> None:
        self.guests = guests
        self.taken_off: set[str] = set()
        self.perhaps: set[str] = set()
        self.titles = 0
        self._seen: set[str] = set()
        self._waiting: list[tuple[int, tuple[object, ...]]] = []
        self.simulation = Simulation(directory, settings=Settings(invite_emails=guests, time_zone="Europe/Berlin"))
        self.simulation.start()
        self.simulation.until_quiet()
        self.simulation.wire.during = self._in_a_call
        kept = {str(entry["email"]).lower(): entry for entry in first}
        self.event = self.simulation.create(attendees=list(kept.values()))

    def guest_list(self) -> list[Doc]:
        """The guest list as Google holds it."""
        return deepcopy(self.simulation.document(self.event).get("attendees", []))

    def take(self, step: tuple[object, ...]) -> None:
        match step:
            case ("now", tuple(edit)):
                self.edit(edit)
            case ("in a call", tuple(edit), int(calls)):
                self._waiting.append((calls, edit))
            case ("sync",):
                self.sync()
            case ("restart",):
                self.simulation.restart()

    def sync(self) -> None:
        """Let Calbot come to rest; then see who of ours is there, and who has to be."""
        self.edit(("title",))
        self.simulation.run(61)
        self.simulation.until_quiet()
        there = self._there()
        for guest in set(self.guests) - self.perhaps:
            assert there.count(guest) == (0 if guest in self.taken_off else 1), f"{guest} in {self.guest_list()}"
        for guest in self.perhaps & set(there):
            self.perhaps.remove(guest)
        self._seen |= set(there)

    def _there(self) -> list[str]:
        return [str(entry["email"]).lower() for entry in self.guest_list()]

    def _in_a_call(self) -> None:
        waiting, self._waiting = self._waiting, []
        for calls, edit in waiting:
            if calls:
                self._waiting.append((calls - 1, edit))
            else:
                self.edit(edit)

    def edit(self, edit: tuple[object, ...]) -> None:
        """Somebody changes the event in Google's own way: what an entry says is theirs, and stays."""
        before = self.guest_list()
        match edit:
            case ("title",):
                self.titles += 1
                self.simulation.google.edit_event(ANNA, self.event, {"summary": f"Party {self.titles}"})
                return
            case _:
                after = edited(before, self.guests, edit)
        if after != before:
            self.simulation.google.edit_event(ANNA, self.event, {"attendees": after})
        was, now = {str(one["email"]).lower() for one in before}, set(self._there())
        for guest in (was - now) & set(self.guests):
            invited = any(guest in written.added for written in self.simulation.wire.written)
            (self.taken_off if invited or guest in self._seen | self.taken_off else self.perhaps).add(guest)
        self.taken_off -= now - was
        self.perhaps -= now - was


def edited(before: list[Doc], ours: tuple[str, ...], edit: tuple[object, ...]) -> list[Doc]:
    """Return the list after an edit; Anna herself stays on it and goes on accepting."""
    people = [entry for entry in before if entry["email"] != ANNA]
    chosen = people[edit[1] % len(people)] if people and len(edit) > 1 and isinstance(edit[1], int) else None
    match edit:
        case ("add", dict(entry)) if str(entry["email"]).lower() not in {str(e["email"]).lower() for e in before}:
            return [*before, entry]
        case ("remove", _):
            return [entry for entry in before if entry is not chosen]
        case ("remove ours", int(place)):
            return [entry for entry in before if str(entry["email"]).lower() != ours[place % len(ours)]]
        case ("change", _, dict(fields)) if chosen is not None:
            chosen.update({key: value for key, value in fields.items() if key != "email"})
        case ("answer", _, answer) if chosen is not None:
            chosen["responseStatus"] = answer
        case ("capitals", _) if chosen is not None:
            chosen["email"] = str(chosen["email"]).swapcase()
        case ("reverse",):
            return before[::-1]
    return before


def harm(written: Written, ours: tuple[str, ...]) -> str | None:
    """Say what one of our writes did beside adding guests of ours at the end."""
    kept, new = written.after[: len(written.before)], written.after[len(written.before) :]
    if json.dumps(kept) != json.dumps(written.before):
        return f"{written.before} became {kept}"
    if any(entry != {"email": entry["email"], "responseStatus": "needsAction"} for entry in new):
        return f"{new} says more than whom we invite"
    return None if new and written.added <= set(ours) else f"{new} was added"


@settings(max_examples=EXAMPLES, deadline=None, database=None, print_blob=True, suppress_health_check=list(HealthCheck))
@seed(FIRST)
@given(count=st.integers(1, 3), first=st.lists(entries, max_size=6), acts=st.lists(steps, min_size=2, max_size=14))
def test_everyone_elses_entry_stays_byte_for_byte(count: int, first: list[Doc], acts: list[tuple[object, ...]]) -> None:
    """Others edit the list, also in the middle of our calls; our guests are there unless a person took them off."""
    folder = Path(tempfile.mkdtemp(prefix="calbot-", dir=MEMORY if MEMORY.is_dir() else None))
    party = Party(folder, OURS[:count], first)
    simulation = party.simulation
    try:
        for act in [*acts, ("sync",), ("sync",)]:
            party.take(act)
    finally:
        simulation.die()
        shutil.rmtree(folder, ignore_errors=True)

    patches = [call for call in simulation.world.calls if call.operation == "events.patch"]
    assert [trouble for written in simulation.wire.written if (trouble := harm(written, party.guests))] == []
    assert {key for patch in patches for key in patch.body or {}} <= {"attendees", "extendedProperties"}
    assert simulation.trouble == []
    invited = [guest for written in simulation.wire.written for guest in written.added]
    assert len(invited) == len(set(invited)), "somebody was invited twice"


def test_a_guest_put_on_and_taken_off_by_hand_is_not_invited(simulate: Simulate) -> None:
    """We never invited Bob: Anna did, and thought better of it. Her word holds, also at the next change."""
    simulation = simulate()
    simulation.until_quiet()
    event = simulation.create(attendees=[{"email": BOB}])
    simulation.until_quiet()

    simulation.google.remove_guest(ANNA, event, BOB)
    simulation.until_quiet()
    simulation.google.edit_event(ANNA, event, {"summary": "Without Bob"})
    simulation.until_quiet()

    assert simulation.calls("events.patch") == []
    assert BOB not in simulation.guests(event)


def test_what_changed_in_a_call_makes_a_second_version_and_no_second_mail(simulate: Simulate) -> None:
    """Carol answers while Bob is being invited: the 412 is read afresh, her answer stays, Bob has one mail."""
    simulation = simulate()
    simulation.until_quiet()
    event = simulation.create(attendees=[{"email": CAROL, "optional": True}])
    calls = 0

    def answer() -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            simulation.google.rsvp(CAROL, event, "accepted", comment="I bring wine")

    simulation.wire.during = answer
    simulation.until_quiet()

    carol = next(one for one in simulation.document(event)["attendees"] if one["email"] == CAROL)
    assert simulation.calls("events.patch") == [412, 200]
    assert carol == {"email": CAROL, "optional": True, "responseStatus": "accepted", "comment": "I bring wine"}
    assert simulation.invitations() == [event]
