"""Whatever people do, and however pages fall, increments add up to the full list; no sockets, by seed."""

import contextlib
import json
import random
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.google_server.api import handle
from tests.google_server.control import Control
from tests.google_server.errors import Refusal
from tests.google_server.values import Request
from tests.google_server.world import World
from tests.google_server_tests.conftest import ANNA, BOB, CAROL, StandingClock

PEOPLE = (ANNA, BOB, CAROL)


class Reader:
    """Keeps what a careful client would keep of one calendar."""

    def __init__(self, world: World, account: str, token: str) -> None:
        self.world = world
        self.headers = {"Authorization": f"Bearer {token}"}
        self.sync = ""
        self.kept: dict[str, Any] = {}

    def read(self, size: int, sync: str) -> dict[str, Any]:
        """All items of a listing by id, the last one of each; remembers the sync token."""
        found: dict[str, Any] = {}
        page = ""
        while True:
            query = {
                "maxResults": size,
                **({"syncToken": sync} if sync else {}),
                **({"pageToken": page} if page else {}),
            }
            url = "/calendar/v3/calendars/primary/events?" + urlencode(query)
            response = handle(self.world, Request.to("GET", url, self.headers))
            answer = json.loads(response.body)
            assert response.status == 200, answer
            assert ("nextPageToken" in answer) != ("nextSyncToken" in answer)
            found |= {item["id"]: item for item in answer["items"]}
            page = answer.get("nextPageToken", "")
            if not page:
                self.sync = answer["nextSyncToken"]
                return found

    def catch_up(self) -> None:
        self.kept |= self.read(7, self.sync)

    def living(self) -> dict[str, Any]:
        return {name: item for name, item in self.kept.items() if item["status"] != "cancelled"}


def something_happens(control: Control, chance: random.Random) -> None:
    """One deed of a person; what Google refuses does not happen."""
    owner = chance.choice(PEOPLE)
    known = control.events(owner)
    event = chance.choice(known)["id"] if known else ""
    deeds = {
        "create": lambda: control.create_event(owner, {"attendees": [{"email": chance.choice(PEOPLE)}]}),
        "series": lambda: control.create_event(owner, {"recurrence": ["RRULE:FREQ=WEEKLY;COUNT=4"]}),
        "edit": lambda: control.edit_event(owner, event, {"summary": f"Title {chance.randrange(99)}"}),
        "recolour": lambda: control.edit_event(owner, event, {"colorId": str(chance.randrange(1, 12))}),
        "delete": lambda: control.delete_event(owner, event),
        "one date": lambda: control.edit_event(owner, f"{event}_20261208T180000Z", {"location": "Home"}),
        "no date": lambda: control.delete_event(owner, f"{event}_20261215T180000Z"),
        "guest": lambda: control.add_guest(owner, event, chance.choice([*PEOPLE, "x@example.com"])),
        "no guest": lambda: control.remove_guest(owner, event, chance.choice(PEOPLE)),
        "answer": lambda: control.rsvp(owner, event, chance.choice(["accepted", "declined", "tentative"])),
        "back": lambda: control.edit_event(owner, event, {"status": "confirmed"}),
    }
    deed = chance.choice(list(deeds))
    if deed in {"create", "series"} or event:
        with contextlib.suppress(Refusal):
            deeds[deed]()


@pytest.mark.parametrize("seed", range(6))
def test_increments_add_up_to_the_full_list(seed: int) -> None:
    """For every person's calendar, with changes between the pages, and with equal copies for all guests."""
    chance = random.Random(seed)
    world = World(StandingClock(), PEOPLE)
    control = Control(world)
    readers = {one: Reader(world, one, control.access_token(one)) for one in PEOPLE}

    for _ in range(120):
        something_happens(control, chance)
        if chance.random() < 0.15:
            world.between_pages.append(lambda: something_happens(control, chance))
        if chance.random() < 0.2:
            world.switches.page_sizes.extend(chance.choices([0, 1, 5], k=2))
            readers[chance.choice(PEOPLE)].catch_up()
    world.between_pages.clear()

    for one, reader in readers.items():
        reader.catch_up()
        reader.catch_up()
        full = {name: item for name, item in reader.read(50, "").items() if item["status"] != "cancelled"}
        assert reader.living() == full, one
        for event in control.events(one):
            organizer = event["organizer"]["email"]
            original = control.event(organizer, event["id"])
            assert {key: event.get(key) for key in ("summary", "start", "location")} == {
                key: original.get(key) for key in ("summary", "start", "location")
            }
