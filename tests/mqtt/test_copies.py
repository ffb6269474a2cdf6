"""What is told of copies: where they lie, what can be taken back, how many there were; no more than was asked for."""

from typing import Any

import jsonschema
import msgspec
import pytest

from addon.mqtt import messages
from addon.mqtt.encoding import MOST_BYTES, Detail, Voice
from calbot.kinds import OutcomeType
from calbot.model import Answer, Outcome
from tests.mqtt.conftest import MakeHouse
from tests.mqtt.schemas import check
from tests.mqtt.world import ANNA, DINNER, IID, INVITED, Observer, example_snapshot, row

AIDS = {ANNA: "a7c1"}
NOW = 1_790_000_010.0
VOICE = Voice(IID)
LEAST = Voice(IID, "minimal")
EVERY = pytest.mark.parametrize("detail", ["minimal", "standard", "full"])
SHARED = "family@group.calendar.google.com"
COPY_ID = "calbot" + "0123456789abcdefghijklmnop" * 2 + "_20261201T090000Z"
MIRRORED = msgspec.structs.replace(
    INVITED, event_type="mirrored", guests_added=(), target_calendar=SHARED, copy_id=COPY_ID
)


def of_copy(event_type: OutcomeType, **parts: Any) -> Outcome:
    """Something that happened to the copy of the dinner."""
    return msgspec.structs.replace(MIRRORED, event_type=event_type, **parts)


def told(outcome: Outcome, voice: Voice = VOICE) -> dict[str, Any]:
    """How it goes out; the copy of the last event is no different."""
    body = messages.event(voice, row(outcome), AIDS, NOW)
    check("last_event", body)
    return check("event_calendar", body)


@EVERY
@pytest.mark.parametrize("event_type", ["mirrored", "copy_removed", "original_deleted"])
def test_a_copy_is_found_by_its_calendar_and_its_id(event_type: OutcomeType, detail: Detail) -> None:
    """The event is the original; the minimum keeps back whose calendar the copy lies on."""
    message = told(of_copy(event_type, undo_token="u-9-41f0"), Voice(IID, detail))

    assert (message["event_type"], message["event_id"], message["copy_id"]) == (event_type, DINNER.id, COPY_ID)
    assert message["target_calendar"] == (None if detail == "minimal" else SHARED)


def test_what_is_about_no_copy_names_none() -> None:
    """Both keys are there."""
    message = told(INVITED)

    assert (message["target_calendar"], message["copy_id"]) == (None, None)


@EVERY
def test_a_deleted_original_can_be_brought_back_with_its_token(detail: Detail) -> None:
    """At every level."""
    message = told(of_copy("original_deleted", undo_token="u-9-41f0"), Voice(IID, detail))

    assert message["undo_token"] == "u-9-41f0"


@pytest.mark.parametrize(
    "outcome",
    [
        of_copy("mirrored", copy_id=None),
        of_copy("copy_removed", copy_id=None),
        of_copy("original_deleted", copy_id=None, undo_token="u-9-41f0"),
        of_copy("original_deleted", undo_token=None),
    ],
)
def test_a_copy_without_its_id_and_a_deletion_without_its_token_break_the_contract(outcome: Outcome) -> None:
    """The schema asks for them, of these types only."""
    with pytest.raises(jsonschema.ValidationError):
        told(outcome)


def test_a_copy_that_a_person_took_away_says_so() -> None:
    """The reason tells it from what we took away."""
    by_hand = told(of_copy("copy_removed", reason="copy_deleted_by_hand", reason_text="Anna deleted it."))

    assert (by_hand["reason"], by_hand["reason_text"]) == ("copy_deleted_by_hand", "Anna deleted it.")
    assert told(of_copy("copy_removed"))["reason"] is None


@pytest.mark.parametrize("reason", ["already_mirrored", "mirroring_off", "copy_deleted_by_hand"])
def test_why_there_is_no_copy_has_a_name(reason: str) -> None:
    """For automations."""
    assert told(of_copy("skipped", reason=reason, copy_id=None))["reason"] == reason


def test_the_id_of_a_copy_is_never_cut() -> None:
    """However long everything beside it; half an id finds nothing."""
    addresses = tuple(f"{'g' * 300}{number}@example.com" for number in range(200))
    text = "é" * 5000
    dinner = msgspec.structs.replace(DINNER, title=text, description=text, location=text, id="i" * 1000)
    key = msgspec.structs.replace(MIRRORED.key, event="i" * 1000)
    outcome = of_copy(
        "mirrored", event=dinner, key=key, target_calendar=text, guests_added=addresses, changed=addresses
    )

    message = told(outcome, Voice(IID, "full"))

    assert (message["copy_id"], message["event_id"]) == (COPY_ID, "i" * 1000)
    assert len(message["target_calendar"]) < len(COPY_ID)


@EVERY
@pytest.mark.parametrize("mirroring", [True, False])
def test_the_settings_say_whether_copies_are_made(mirroring: bool, detail: Detail) -> None:
    """The truth behind the switch; nothing else depends on it."""
    snapshot = example_snapshot()
    force = msgspec.structs.replace(snapshot.settings, mirroring=mirroring)

    body = messages.settings(Voice(IID, detail), msgspec.structs.replace(snapshot, settings=force), NOW)

    message = check("settings", body)
    assert (message["mirroring"], message["auto_invite"]) == (mirroring, True)


@EVERY
@pytest.mark.parametrize("central", [SHARED, None])
def test_the_settings_name_the_calendar_for_copies(central: str | None, detail: Detail) -> None:
    """Not in the minimum: it may tell whose household this is."""
    snapshot = example_snapshot()
    force = msgspec.structs.replace(snapshot.settings, central_calendar=central)

    body = messages.settings(Voice(IID, detail), msgspec.structs.replace(snapshot, settings=force), NOW)

    assert check("settings", body)["central_calendar"] == (None if detail == "minimal" else central)


def test_this_version_says_that_it_makes_copies() -> None:
    """Automations that also meet older ones can ask."""
    message = check("info", messages.info(VOICE, example_snapshot(), "0.1.0", ["ping"], NOW))

    assert "mirroring" in message["capabilities"]


def test_copies_are_counted_by_what_happened_to_them(make_house: MakeHouse, observer: Observer) -> None:
    """Made, taken away, and standing alone."""
    house = make_house()
    house.start()
    observer.wait_for("calbot/counters")
    house.engine.says(*[MIRRORED] * 3, of_copy("copy_removed"), of_copy("original_deleted", undo_token="u-9-41f0"))
    observer.wait_for("calbot/event/calendar", 5)

    house.advance(31)

    totals = check("counters", observer.wait_for("calbot/counters", 2)[1].payload)
    assert (totals["mirrored_total"], totals["copy_removed_total"], totals["original_deleted_total"]) == (3, 1, 1)
    assert (totals["invited_total"], totals["events_total"]) == (0, 5)


FORESEEN: dict[str, Any] = {"invite": 3, "guests": 4, "copies": 7, "skip": 2, "first": "Dinner, Nov 21 → Family"}


def answered(voice: Voice, command: str, data: dict[str, Any]) -> Any:
    """The final answer to a command, which is also the last one that is kept."""
    answer = Answer(status="ok", message="Dinner", data=data)
    body = messages.answer(voice, command, "1", answer, NOW, received=NOW, duplicate=False)
    check("command_last", body)
    return check("response", body)["data"]


def test_a_preview_counts_the_copies_to_be_made() -> None:
    """Also in the minimum; where they would lie, it does not say."""
    assert answered(VOICE, "preview", FORESEEN) == FORESEEN
    assert answered(LEAST, "preview", FORESEEN) == {**FORESEEN, "first": None}


def test_an_explanation_tells_of_the_copies() -> None:
    """Line by line; in the minimum only by their ids."""
    data = {"decision": "skip", "copy_id": COPY_ID, "copies": f"{SHARED}: live (rule Dinner)\nWork: planned"}

    assert answered(VOICE, "explain", data) == data
    assert answered(LEAST, "explain", data) == {**data, "copies": None}


def test_an_answer_that_is_cut_keeps_the_numbers() -> None:
    """And whole lines of the rest."""
    lines = [f"Dinner {number} → {SHARED}" for number in range(300)]

    body = messages.answer(
        VOICE,
        "preview",
        "1",
        Answer(status="ok", data={**FORESEEN, "first": "\n".join(lines)}),
        NOW,
        received=NOW,
        duplicate=False,
    )

    data = check("response", body)["data"]
    *kept, last = data["first"].split("\n")
    assert len(body) <= MOST_BYTES and data["copies"] == 7
    assert last == "…" and kept == lines[: len(kept)] and kept
