"""What we say keeps to the contract, fits into 4 KB, and tells no more than was asked for."""

import json
from typing import Any

import jsonschema
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from addon.mqtt import messages
from addon.mqtt.encoding import MOST_BYTES, Detail, Voice, encoded, rfc3339
from calbot.health import assess
from calbot.model import Answer, Notice, Outcome
from calbot.status import FOR_EVER
from tests.mqtt.schemas import FOLDER, check, schema
from tests.mqtt.world import ANNA, DINNER, FAMILY, IID, INVITED, STARTED, example_snapshot, row

VOICE = Voice(IID)
AIDS = {ANNA: "a7c1"}
NOW = 1_790_000_010.0
DETAILS: tuple[Detail, ...] = ("minimal", "standard", "full")


def test_every_schema_is_a_schema() -> None:
    """And forbids the names that Home Assistant keeps for itself."""
    found = sorted(path.name.removesuffix(".schema.json") for path in FOLDER.glob("*.schema.json"))

    assert len(found) == 13
    for name in found:
        jsonschema.Draft202012Validator.check_schema(schema(name))
    with pytest.raises(jsonschema.ValidationError):
        check(
            "event_system",
            json.dumps({**json.loads(messages.event(VOICE, row(STARTED), {}, NOW)), "icon": "x"}).encode(),
        )


@pytest.mark.parametrize("detail", DETAILS)
def test_every_message_keeps_to_its_schema(detail: Detail) -> None:
    """At every level of detail."""
    voice, snapshot = Voice(IID, detail), example_snapshot()
    health = assess(snapshot, NOW)

    check("event_calendar", messages.event(voice, row(), AIDS, NOW))
    check("event_system", messages.event(voice, row(STARTED), AIDS, NOW))
    check("info", messages.info(voice, snapshot, "0.1.0", ["ping"], NOW))
    check("state", messages.state(voice, snapshot, health, NOW, NOW))
    check("health", messages.health(voice, snapshot, health, 3, NOW))
    check("settings", messages.settings(voice, snapshot, NOW))
    check("account_state", messages.account_state(voice, snapshot.accounts[0], snapshot.settings, NOW))
    check("alerts", messages.alerts(voice, health, NOW))
    check("counters", messages.counters(voice, {"invited": 3}, NOW))
    answer = messages.answer(voice, "ping", "1", Answer(status="ok"), NOW, received=NOW, duplicate=False)
    check("command_last", answer)


def test_a_calendar_event_tells_what_happened() -> None:
    """The keys of the contract, with the event's own times and offsets."""
    told = check("event_calendar", messages.event(VOICE, row(seq=7, attempts=1), AIDS, NOW))

    expected = {
        "event_type": "invited",
        "seq": 7,
        "ts": "2026-09-21T14:13:20.000Z",
        "account": ANNA,
        "account_id": "a7c1",
        "calendar": "Family",
        "title": "Dinner",
        "start": "2026-12-01T19:00:00+01:00",
        "guests_added": ["bob@example.com"],
        "replayed": True,
        "late_s": 10.0,
        "undo_token": None,
    }
    assert {key: told[key] for key in expected} == expected


def test_the_minimum_names_no_titles_places_or_people() -> None:
    """Not in events, not in states, not in answers to the question who is invited."""
    voice, snapshot = Voice(IID, "minimal"), example_snapshot()
    health = assess(snapshot, NOW + 10_000_000)
    said = [
        messages.event(voice, row(), AIDS, NOW),
        messages.event(
            voice, row(Notice(event_type="sign_in_needed", text=f"{ANNA}: sign in", account=ANNA)), AIDS, NOW
        ),
        messages.state(voice, snapshot, health, NOW, NOW),
        messages.settings(voice, snapshot, NOW),
        messages.account_state(voice, snapshot.accounts[0], snapshot.settings, NOW),
        messages.alerts(voice, health, NOW),
    ]

    for secret in (b"@", b"Dinner", b"Elm", b"wine", b"Family", b"family"):
        assert all(secret not in message.replace(b"dinner1@example.com", b"") for message in said), secret


def test_the_minimum_leaves_people_out_of_answers() -> None:
    """What Google said names people and calendars; what is wrong with a message is told without addresses."""
    failed = Answer(status="error", code="upstream_error", message=f"{ANNA}: Family is gone", data={"who": ANNA})
    wrong = Answer(status="error", code="invalid", message=f"account: there is no <{ANNA}>.")

    said = [
        json.loads(messages.answer(voice, "resync", "1", answer, NOW, received=NOW, duplicate=False))
        for voice in (Voice(IID, "minimal"), VOICE)
        for answer in (failed, wrong)
    ]

    assert [one["message"] for one in said] == [
        "",
        "account: there is no <…>.",
        f"{ANNA}: Family is gone",
        f"account: there is no <{ANNA}>.",
    ]
    assert (said[0]["data"], said[2]["data"]) == ({"who": None}, {"who": ANNA})


EXPLAINED = {
    "event_id": "dinner1",
    "account": ANNA,
    "calendar": "Family",
    "title": "Dinner",
    "decision": "skip",
    "reason": "rule_skip",
    "rule": "default",
    "tried": "Elm: its title does not match (?i)school\ndefault: it matches",
    "history": "Nov 20: bob@example.com was invited to Dinner",
}
FORESEEN = {"invite": 3, "guests": 4, "skip": 2, "first": "Dinner, Nov 21 → bob@example.com\nFamily at 12 Elm Street"}


def said_to(voice: Voice, command: str, data: dict[str, Any], text: str = "") -> Any:
    """The final answer to a command, as it goes out."""
    answer = Answer(status="ok", message=text, data=data)
    return check("response", messages.answer(voice, command, "1", answer, NOW, received=NOW, duplicate=False))


def test_explain_and_preview_are_answered_whole() -> None:
    """Titles, people and the past, line by line; the default level keeps nothing of it back."""
    assert said_to(VOICE, "explain", EXPLAINED, "Dinner is skipped.")["data"] == EXPLAINED
    assert said_to(VOICE, "preview", FORESEEN, "3 invitations.")["data"] == FORESEEN


def test_the_minimum_explains_without_titles_places_and_people() -> None:
    """What was decided, by which rule and how often; the rest is in the panel."""
    voice = Voice(IID, "minimal")

    explained = said_to(voice, "explain", EXPLAINED, "Dinner is skipped.")
    foreseen = said_to(voice, "preview", FORESEEN, "Dinner is first.")

    told = ("event_id", "decision", "reason", "rule")
    assert explained["data"] == {**dict.fromkeys(EXPLAINED), **{key: EXPLAINED[key] for key in told}}
    assert foreseen["data"] == {"invite": 3, "guests": 4, "skip": 2, "first": None}
    assert explained["message"] == foreseen["message"] == ""


def test_the_minimum_tells_what_the_next_command_needs() -> None:
    """Tokens and counts; but a sentence is no word of ours, whatever its key."""
    voice = Voice(IID, "minimal")
    data = {"confirm_token": "c-41f0", "count": 12, "undone": 0, "reason": "Dinner was changed", "token": "for Anna"}

    told = said_to(voice, "undo", data)["data"]

    assert told == {"confirm_token": "c-41f0", "count": 12, "undone": 0, "reason": None, "token": None}


@pytest.mark.parametrize("detail", DETAILS)
def test_the_brake_tells_everybody_how_to_go_on(detail: Detail) -> None:
    """Token, count and limit are in every brake_on, for an automation that approves."""
    data: dict[str, Any] = {"token": "r-9f2", "run_id": "r-9f2", "count": 60, "limit": 50}
    notice = Notice(
        event_type="brake_on", text="60 are held: Dinner and more.", account=ANNA, reason="brake", data=data
    )

    told = check("event_system", messages.event(Voice(IID, detail), row(notice), AIDS, NOW))

    assert {key: told[key] for key in data} == data and told["reason"] == "brake"
    assert (told["text"] is None) == (detail == "minimal")


def test_a_brake_without_a_token_breaks_the_contract() -> None:
    """The schema asks for it, of this type only."""
    for kind in ("brake_released", "quota_restored"):
        check("event_system", messages.event(VOICE, row(Notice(event_type=kind, text="")), AIDS, NOW))
    with pytest.raises(jsonschema.ValidationError):
        check("event_system", messages.event(VOICE, row(Notice(event_type="brake_on", text="")), AIDS, NOW))


@pytest.mark.parametrize("detail", DETAILS)
def test_what_can_be_undone_carries_its_token(detail: Detail) -> None:
    """At every level; without it only the last deed could be taken back."""
    outcome = msgspec.structs.replace(INVITED, undo_token="u-17-3fa9")

    told = check("event_calendar", messages.event(Voice(IID, detail), row(outcome), AIDS, NOW))

    assert told["undo_token"] == "u-17-3fa9"
    assert check("event_calendar", messages.event(VOICE, row(), AIDS, NOW))["undo_token"] is None


def test_an_undo_tells_who_was_taken_off() -> None:
    """Not in the minimum; and nobody was added."""
    undone = msgspec.structs.replace(
        INVITED, event_type="undone", guests_added=(), guests_removed=("bob@example.com", "carol@example.com")
    )

    told, least = (
        check("event_calendar", messages.event(voice, row(undone), AIDS, NOW))
        for voice in (VOICE, Voice(IID, "minimal"))
    )

    assert (told["event_type"], told["guests_added"]) == ("undone", [])
    assert told["guests_removed"] == ["bob@example.com", "carol@example.com"] and least["guests_removed"] == []


def test_what_the_brake_keeps_says_until_when() -> None:
    """A single event goes on by itself; a pass waits for a person, without a time."""
    alone = msgspec.structs.replace(
        INVITED, event_type="held", guests_added=(), reason="brake", reason_text="It goes on at 14:20.", retry_at=NOW
    )

    told = check("event_calendar", messages.event(VOICE, row(alone), AIDS, NOW))
    of_pass = check(
        "event_calendar", messages.event(VOICE, row(msgspec.structs.replace(alone, retry_at=None)), AIDS, NOW)
    )

    assert (told["reason"], told["retry_at"], told["reason_text"]) == ("brake", rfc3339(NOW), "It goes on at 14:20.")
    assert of_pass["retry_at"] is None


def test_an_account_says_until_when_it_waits_or_rests() -> None:
    """Null while it does neither."""
    snapshot = example_snapshot()
    busy = msgspec.structs.replace(snapshot.accounts[0], held=3, waiting_until=NOW + 60, resting_until=NOW + 3600)

    calm, told = (
        check("account_state", messages.account_state(VOICE, account, snapshot.settings, NOW))
        for account in (snapshot.accounts[0], busy)
    )

    assert (calm["held"], calm["waiting_until"], calm["resting_until"]) == (0, None, None)
    assert (told["held"], told["waiting_until"], told["resting_until"]) == (3, rfc3339(NOW + 60), rfc3339(NOW + 3600))


def test_a_long_explanation_is_cut_between_lines() -> None:
    """It stays valid JSON of 4 KB; what is short beside it stays whole."""
    lines = [f"rule {number}: its title does not match (?i)schöol {number:03}" for number in range(200)]

    told = said_to(VOICE, "explain", EXPLAINED | {"tried": "\n".join(lines), "history": "é" * 9000})["data"]

    *kept, last = told["tried"].split("\n")
    assert last == "…" and len(kept) > 5 and kept == lines[: len(kept)]
    assert told["history"].strip("é") == "…" and len(told["history"]) > 300
    assert {key: told[key] for key in ("title", "decision", "rule")} == {
        "title": "Dinner",
        "decision": "skip",
        "rule": "default",
    }


@given(st.lists(st.text(max_size=400), max_size=60), st.sampled_from(DETAILS))
def test_any_preview_fits(titles: list[str], detail: Detail) -> None:
    """Whatever people call their events."""
    told = said_to(Voice(IID, detail), "preview", {**FORESEEN, "first": "\n".join(titles)}, "\n".join(titles))

    assert told["data"]["invite"] == 3


def test_an_account_shows_its_own_switches_and_every_pause() -> None:
    """From the settings in force, which are known before the account's worker is."""
    snapshot = example_snapshot()

    def told(**parts: Any) -> tuple[object, ...]:
        held = msgspec.structs.replace(snapshot.settings, **parts)
        said = check("account_state", messages.account_state(VOICE, snapshot.accounts[0], held, NOW))
        return said["status"], said["paused"], said["sync"], said["auto_invite"]

    assert told() == ("ok", False, True, True)
    assert told(accounts_paused=(ANNA,)) == ("paused", True, False, True)
    assert told(paused_until=NOW + 60) == ("paused", True, True, True)
    assert told(accounts_off=(ANNA,)) == ("ok", False, True, False)


def test_an_event_of_many_tells_its_place_among_them() -> None:
    """Which run, how many, and which of them it is."""
    told = check("event_calendar", messages.event(VOICE, row(with_batch("b-1", 40, 7)), AIDS, NOW))

    assert (told["batch_id"], told["batch_size"], told["batch_index"]) == ("b-1", 40, 7)


def with_batch(*batch: Any) -> Outcome:
    """The invitation as one of many."""
    return msgspec.structs.replace(INVITED, batch=batch)


def test_places_and_guests_are_told_only_in_full() -> None:
    """The level is the user's choice."""
    standard = messages.event(VOICE, row(), AIDS, NOW)
    full = check("event_calendar", messages.event(Voice(IID, "full"), row(), AIDS, NOW))

    assert b"Elm" not in standard and b"wine" not in standard
    assert full["location"] == "12 Elm Street" and full["guests"] == ["bob@example.com"]


def test_a_long_text_is_shortened_and_ids_are_not() -> None:
    """A title of 70,000 letters fits, and the event can still be found."""
    long = msgspec.structs.replace(DINNER, title="é" * 70_000, description="x" * 8000, id="i" * 1000)
    outcome = msgspec.structs.replace(
        INVITED,
        event=long,
        key=msgspec.structs.replace(INVITED.key, event="i" * 1000),
        guests_added=tuple(f"guest{number}@example.com" for number in range(200)),
    )

    told = check("event_calendar", messages.event(Voice(IID, "full"), row(outcome), AIDS, NOW))

    assert told["event_id"] == "i" * 1000 and told["title"].endswith("…") and told["guests_added"]


def test_a_link_is_whole_or_absent() -> None:
    """Half a link leads nowhere."""
    outcome = msgspec.structs.replace(
        INVITED, event=msgspec.structs.replace(DINNER, link="https://calendar.example.com/" + "x" * 5000)
    )

    assert check("event_calendar", messages.event(VOICE, row(outcome), AIDS, NOW))["link"] is None


def test_data_of_a_notice_never_takes_the_place_of_a_key() -> None:
    """Nor does it use a name that Home Assistant keeps for itself."""
    notice = Notice(event_type="command_failed", text="no", data={"seq": 99, "icon": "mdi:x", "command": "ping"})

    told = check("event_system", messages.event(VOICE, row(notice, seq=4), AIDS, NOW))

    assert told["seq"] == 4 and told["command"] == "ping" and "icon" not in told


def test_text_that_is_no_unicode_still_goes_out() -> None:
    """Half a surrogate pair becomes a question mark."""
    told = check("event_system", messages.event(VOICE, row(Notice(event_type="started", text="a\ud800b")), {}, NOW))

    assert told["text"] == "a?b"


def test_a_pause_without_end_has_no_end() -> None:
    """However large the number that stands for it."""
    snapshot = example_snapshot()
    settings = msgspec.structs.replace(snapshot.settings, paused_until=FOR_EVER)

    told = check("settings", messages.settings(VOICE, msgspec.structs.replace(snapshot, settings=settings), NOW))

    assert told["paused"] is True and told["paused_until"] is None


def test_instants_are_rfc_3339_in_utc_with_milliseconds() -> None:
    """And those beyond the calendar are none."""
    assert rfc3339(0.9996) == "1970-01-01T00:00:00.999Z"
    assert rfc3339(float("inf")) is None and rfc3339(float("nan")) is None and rfc3339(None) is None


texts = st.text(max_size=3000)


@given(
    title=texts,
    calendar=texts,
    reason=texts,
    guests=st.lists(st.text(max_size=300), max_size=60),
    event_id=st.text(min_size=1, max_size=1024),
    detail=st.sampled_from(DETAILS),
)
def test_any_calendar_event_fits(
    title: str, calendar: str, reason: str, guests: list[str], event_id: str, detail: Detail
) -> None:
    """Whatever Google's texts hold, the message is at most 4 KB and keeps to its schema."""
    outcome = Outcome(
        event_type="failed",
        key=msgspec.structs.replace(INVITED.key, event=event_id),
        calendar_name=calendar,
        event=msgspec.structs.replace(DINNER, title=title, location=title, description=title, organiser=calendar),
        guests_added=tuple(guests),
        changed=tuple(guests),
        reason="internal",
        reason_text=reason,
    )

    told = check("event_calendar", messages.event(Voice(IID, detail), row(outcome), AIDS, NOW))

    assert told["id"] == row().id


flat = st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | texts


KNOWN = frozenset(schema("event_system")["properties"])
"""Keys whose values have their own shape: nobody puts anything else there."""


@given(st.dictionaries(st.text(max_size=60).filter(lambda key: key not in KNOWN), flat, max_size=80), texts)
def test_any_notice_and_any_answer_fit(data: dict[str, Any], text: str) -> None:
    """Also with more data than anybody would send."""
    check(
        "event_system",
        messages.event(VOICE, row(Notice(event_type="started", text=text, data=data)), {}, NOW),
    )
    answer = Answer(status="error", code="internal", message=text, data=data)
    check("response", messages.answer(VOICE, text, "1", answer, NOW, received=NOW, duplicate=False))


@given(st.dictionaries(st.text(max_size=10), flat | st.lists(texts, max_size=9), max_size=12))
def test_what_fits_is_not_changed(message: dict[str, Any]) -> None:
    """Shortening begins where it has to."""
    whole = msgspec.json.encode(message)

    if len(whole) <= MOST_BYTES:
        assert encoded(message) == whole


def test_a_calendar_has_a_short_id_that_tells_nothing() -> None:
    """The same each time, another one for another account."""
    one = messages.calendar_id(FAMILY)

    assert one == messages.calendar_id(FAMILY) and len(one) == 8
    assert one != messages.calendar_id(msgspec.structs.replace(FAMILY, account="carol@example.com"))
