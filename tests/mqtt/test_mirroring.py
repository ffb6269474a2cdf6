"""Copies over MQTT, with the real engine behind it: told of, counted, switched, foreseen, explained, taken back."""

from typing import Any

import pytest

from addon.mqtt.encoding import Detail
from calbot.policy import Rule
from tests.household import ANNA, BOB, CAROL, FAMILY
from tests.mqtt.conftest import MakeHome
from tests.mqtt.home import TITLE, Home
from tests.mqtt.world import wait_until

EVERY = pytest.mark.parametrize("detail", ["minimal", "standard", "full"])


def home_with_copies(make_home: MakeHome, detail: Detail = "standard", **settings: Any) -> Home:
    """A home whose copies go to the family's calendar."""
    return make_home(detail, central_calendar=FAMILY, **settings)


def ask_anna(home: Home, title: str = TITLE) -> str:
    """Let Carol, who is not watched, ask Anna to something: nobody can be invited to it. Returns its id."""
    body = {"summary": title}
    event = str(home.household.google.invite_from_outside(ANNA, CAROL, body)["id"])
    home.household.look()
    return event


def copies(home: Home) -> list[Any]:
    """The ids on the family's calendar."""
    return [copy["id"] for copy in home.household.google.events(FAMILY)]


@EVERY
def test_a_copy_is_told_of_with_the_place_where_it_lies(make_home: MakeHome, detail: Detail) -> None:
    """Once; the key is the original's, and whoever may know more than the minimum finds the copy at Google."""
    home = home_with_copies(make_home, detail)

    event = ask_anna(home)

    (told,) = home.wait_told("mirrored")
    assert (told["event_id"], [told["copy_id"]]) == (event, copies(home))
    assert told["target_calendar"] == (None if detail == "minimal" else "Family")
    assert home.observer.wait_for("calbot/last_event")[-1].json["iid"] == told["iid"]


def test_mirroring_is_switched_for_the_whole_installation(make_home: MakeHome) -> None:
    """The settings show what is in force; off there is no copy, and on again the next event has one."""
    home = home_with_copies(make_home)

    off = home.ask("set", key="mirroring", value=False)
    wait_until(lambda: home.observer.on("calbot/settings")[-1].json["mirroring"] is False)
    left = ask_anna(home, "School play")
    wait_until(lambda: (left, "mirroring_off") in [(told["event_id"], told["reason"]) for told in home.told("skipped")])
    on = home.ask("set", key="mirroring", value="on")
    wait_until(lambda: home.observer.on("calbot/settings")[-1].json["mirroring"] is True)
    event = ask_anna(home, "Concert")

    assert (off["status"], on["status"]) == ("ok", "ok"), (off, on)
    assert [told["event_id"] for told in home.wait_told("mirrored")] == [event]
    assert [copy["summary"] for copy in home.household.google.events(FAMILY)] == ["Concert"]


@pytest.mark.parametrize("args", [{"value": "perhaps"}, {"value": 7}, {"value": True, "account": ANNA}])
def test_mirroring_is_on_or_off_for_all(make_home: MakeHome, args: dict[str, Any]) -> None:
    """Anything else is refused with a sentence, and nothing changes."""
    home = home_with_copies(make_home)

    answer = home.ask("set", key="mirroring", **args)

    assert (answer["status"], answer["code"]) == ("error", "invalid") and "mirroring" in answer["message"]
    assert home.observer.on("calbot/settings")[-1].json["mirroring"] is True


def test_a_copy_follows_quietly_and_goes_with_a_word(make_home: MakeHome) -> None:
    """`mirrored` is said of new copies only; `copy_removed` when the original is gone."""
    home = home_with_copies(make_home)
    event = ask_anna(home)
    (made,) = home.wait_told("mirrored")

    home.household.google.invite_from_outside(ANNA, CAROL, {"id": event, "summary": "Supper"})
    home.household.look()
    wait_until(lambda: home.household.google.event(FAMILY, made["copy_id"])["summary"] == "Supper", 20)
    home.household.google.put_raw(ANNA, {"id": event, "status": "cancelled"})
    home.household.look()

    (gone,) = home.wait_told("copy_removed")
    assert (gone["event_id"], gone["copy_id"], gone["target_calendar"]) == (event, made["copy_id"], "Family")
    assert gone["reason"] is None and len(home.told("mirrored")) == 1
    assert copies(home) == []


def test_a_preview_counts_the_copies(make_home: MakeHome) -> None:
    """Beside the invitations; nothing is made by asking."""
    home = home_with_copies(make_home, mirroring=False, auto_invite=False)
    for number in range(3):
        ask_anna(home, f"Concert {number}")
    home.household.create(summary=TITLE)
    home.household.look()
    home.wait_told("skipped", 4)

    foreseen = home.ask("preview", days=30)

    assert foreseen["status"] == "ok"
    assert (foreseen["data"]["copies"], foreseen["data"]["invite"]) == (3, 1), foreseen["data"]
    assert copies(home) == []


def test_an_undo_takes_a_copy_away(make_home: MakeHome) -> None:
    """By the token that came with it; it stays away."""
    home = home_with_copies(make_home)
    ask_anna(home)
    (made,) = home.wait_told("mirrored")

    answer = home.ask("undo", token=made["undo_token"])

    assert (answer["status"], answer["data"]) == ("ok", {"undone": 1, "left": 0}), answer
    (gone,) = home.wait_told("copy_removed")
    assert (gone["event_id"], gone["copy_id"], gone["reason"]) == (made["event_id"], made["copy_id"], None)
    home.ask("resync", full=True)
    assert copies(home) == []


@EVERY
def test_a_deleted_original_comes_back_by_its_token(make_home: MakeHome, detail: Detail) -> None:
    """At every level: the outcome carries it, and what came of it is `undone`."""
    rule = Rule("move", mirror=FAMILY, delete_original=True)
    home = home_with_copies(make_home, detail, rules=(rule,), delete_original=True, grace=0)
    event = home.household.create(summary=TITLE)
    home.household.look()
    (deleted,) = home.wait_told("original_deleted")
    gone = home.household.google.event(ANNA, event)["status"]

    answer = home.ask("undo", token=deleted["undo_token"])

    assert (deleted["event_id"], [deleted["copy_id"]], gone) == (event, copies(home), "cancelled")
    assert answer["status"] == "ok", answer
    (undone,) = home.wait_told("undone")
    assert (undone["event_id"], undone["copy_id"]) == (event, deleted["copy_id"])
    assert home.household.google.event(ANNA, event)["status"] == "confirmed"


@EVERY
def test_only_the_minimum_keeps_the_calendar_back(make_home: MakeHome, detail: Detail) -> None:
    """In every message of a life with copies."""
    home = home_with_copies(make_home, detail)
    ask_anna(home)
    (made,) = home.wait_told("mirrored")
    home.ask("explain", event_id=made["event_id"])
    home.ask("preview")
    home.household.google.delete_event(FAMILY, made["copy_id"])
    home.household.look()
    home.ask("explain", event_id="neighbours")

    said = [message for message in home.observer.seen if "/command/" not in message.topic]
    for secret in (FAMILY.encode(), b"Family", TITLE.encode(), ANNA.encode(), BOB.encode()):
        leaks = [(message.topic, message.payload) for message in said if secret in message.payload]
        assert bool(leaks) == (detail != "minimal"), (secret, leaks[:3])
