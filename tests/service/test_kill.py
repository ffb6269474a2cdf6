"""kill -9 at random moments: nothing is lost, nothing is done twice."""

import os
import random
import threading
from collections import Counter
from pathlib import Path

import pytest

from tests.google_server.control import Control
from tests.service.running import ANNA, BOB, house, wait_for

KILLS = int(os.environ.get("CALBOT_TEST_KILLS", "50"))
EVENTS = 2 * KILLS


@pytest.mark.kill
def test_killed_at_random_moments_every_event_is_invited_and_announced_exactly_once(tmp_path: Path) -> None:
    """Events arrive, the process dies at any moment, answers get lost: in the end all is done, once."""
    seed = int(os.environ.get("CALBOT_TEST_SEED", "0")) or random.randrange(1, 10**6)
    dice = random.Random(seed)
    print(f"CALBOT_TEST_SEED={seed}")
    events: list[str] = []
    busy_kills = 0
    with house(tmp_path) as (service, google, listener):
        google.set_latency(80)
        service.start()
        wait_for(service.is_watching, 20, "the first start")
        for kill in range(KILLS):
            if kill % 4 == 0:
                google.add_fault("closeAfter", operation="events.patch")
            pause(dice.uniform(0.2, 1.0))
            events += [google.create_event(ANNA)["id"] for _ in range(2)]
            pause(dice.uniform(0.0, 0.25))
            busy_kills += int(invited(google, events) < len(events))
            service.kill()
            service.start()
        google.clear_faults()

        wait_for(lambda: invited(google, events) == len(events), 90, "every event has its guest")
        wait_for(lambda: {m["event_id"] for m in listener.events("invited")} >= set(events), 60, "announced")
        wait_for(service.is_watching, 20, "the last start")

        guests = [g["email"] for e in events for g in google.event(ANNA, e)["attendees"]]
        mails = Counter(mail["event"] for mail in google.mails(to=BOB, kind="invitation"))
        announced = {(m["event_id"], m["id"]) for m in listener.events("invited")}
        seqs = {m["seq"] for m in listener.payloads("calbot/event/calendar")}

    assert busy_kills > KILLS / 10, "the kills must hit work under way, else nothing is shown"
    assert guests.count(BOB) == len(events)
    assert mails == dict.fromkeys(events, 1)
    assert len(announced) == len(events), "one id for each outcome, however often it is sent"
    assert seqs == set(range(1, max(seqs) + 1)), "no announcement is missing"
    print(f"{KILLS} kills, {busy_kills} with work under way, {len(events)} events, {len(mails)} mails")


def invited(google: Control, events: list[str]) -> int:
    """Count the events that have their guest."""
    return sum(
        any(guest["email"] == BOB for guest in google.event(ANNA, event).get("attendees", [])) for event in events
    )


def pause(seconds: float) -> None:
    """Let time pass that the process does not know of."""
    threading.Event().wait(seconds)
