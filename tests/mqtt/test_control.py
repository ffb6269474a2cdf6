"""What a person decides over MQTT, with the real engine behind it: undo, approve, discard, explain, preview, apply."""

from typing import Any

import pytest

from addon.mqtt.encoding import Detail
from tests.household import ANNA, BOB, CAROL
from tests.mqtt.conftest import MakeHome
from tests.mqtt.home import TITLE
from tests.mqtt.world import wait_until

DETAILS: tuple[Detail, ...] = ("minimal", "standard", "full")


def test_an_undo_takes_back_what_its_token_names(make_home: MakeHome) -> None:
    """Bob is off the event again, the outcome says so, and the other event keeps him."""
    home = make_home()
    first, second = home.invite(), home.invite()

    answer = home.ask("undo", token=first["undo_token"])

    assert (answer["status"], answer["data"]) == ("ok", {"undone": 1, "left": 0}), answer
    assert home.guests(first["event_id"]) == [] and home.guests(second["event_id"]) == [BOB]
    (undone,) = home.wait_told("undone")
    assert (undone["event_id"], undone["guests_removed"], undone["guests_added"]) == (first["event_id"], [BOB], [])
    assert undone["undo_token"] is None


@pytest.mark.parametrize("by", ["event_id", "run_id", "minutes", "last", "nothing"])
def test_an_undo_by_anything_else_finds_it_too(make_home: MakeHome, by: str) -> None:
    """The event, the run, the last minutes, the last deed; and without a word the last."""
    home = make_home()
    invited = home.invite()
    args = {"event_id": invited["event_id"], "run_id": invited["run_id"], "minutes": 5, "last": True}

    answer = home.ask("undo", **({by: args[by]} if by in args else {}))

    assert (answer["status"], answer["data"]["undone"]) == ("ok", 1), answer
    assert home.guests(invited["event_id"]) == []


def test_a_press_of_the_undo_button_is_the_last_deed(make_home: MakeHome) -> None:
    """A bare word, as a button without a template sends it."""
    home = make_home()
    invited = home.invite()

    home.observer.send("calbot/command/undo", "PRESS")

    home.wait_told("undone")
    assert home.guests(invited["event_id"]) == []


@pytest.mark.parametrize(
    ("args", "code"),
    [
        ({"token": "u-999-0000"}, "undo_expired"),
        ({"event_id": "nothing"}, "not_found"),
        ({"token": "u-999-0000", "minutes": 5}, "invalid"),
        ({"last": True}, "not_found"),
    ],
)
def test_what_cannot_be_undone_is_refused_with_its_code(make_home: MakeHome, args: dict[str, Any], code: str) -> None:
    """A sentence that says why, and nothing happens."""
    home = make_home()

    answer = home.ask("undo", **args)

    assert (answer["status"], answer["code"]) == ("error", code) and answer["message"]
    assert home.told("undone") == []


@pytest.mark.parametrize("detail", ["minimal", "standard"])
def test_an_undo_of_many_asks_first_and_takes_the_answers_token(make_home: MakeHome, detail: Detail) -> None:
    """Also where people and titles are not told: the token is no secret."""
    home = make_home(detail, removals_per_pass=1)
    events = [home.invite()["event_id"] for _ in range(2)]

    asked = home.ask("undo", minutes=30)
    untouched = [home.guests(event) for event in events]
    done = home.ask("undo", minutes=30, confirm=asked["data"]["confirm_token"])

    assert (asked["code"], asked["data"]["count"]) == ("confirm_required", 2)
    assert untouched == [[BOB], [BOB]]
    assert (done["status"], done["data"]["undone"]) == ("ok", 2), done
    assert [home.guests(event) for event in events] == [[], []]


def test_the_brake_is_told_with_what_it_holds(make_home: MakeHome) -> None:
    """Each event once as held, the pass once with its token; account, health and alerts agree."""
    home = make_home(invites_per_hour=3)

    told = home.brake()

    assert (told["count"], told["limit"], told["token"]) == (4, 3, told["run_id"])
    held = home.told("held")
    assert {one["reason"] for one in held} == {"brake"} and {one["retry_at"] for one in held} == {None}
    assert {one["run_id"] for one in held} == {told["run_id"]}
    wait_until(lambda: home.account()["held"] == 4)
    alerts = home.observer.on("calbot/alerts")[-1].json
    wait_until(lambda: home.observer.on("calbot/alerts")[-1].json["count"] == 1)
    alerts = home.observer.on("calbot/alerts")[-1].json
    assert alerts["action_needed"] and [item["code"] for item in alerts["items"]] == ["held"]
    assert home.household.invitations() == []


def test_health_counts_what_is_held_at_once(make_home: MakeHome) -> None:
    """Also when a second pass is added to the first: a dashboard does not wait for the minute."""
    home = make_home(invites_per_hour=3)

    for count in (4, 8):
        home.brake()
        wait_until(lambda count=count: home.observer.on("calbot/health")[-1].json["held"] == count)  # type: ignore[misc]


@pytest.mark.parametrize("named", [True, False])
def test_approve_lets_held_work_go_out(make_home: MakeHome, named: bool) -> None:
    """The run that the token names, or all of it."""
    home = make_home(invites_per_hour=3)
    token = home.brake()["token"]

    answer = home.ask("approve", **({"token": token} if named else {}))

    assert (answer["status"], answer["data"]) == ("ok", {"count": 4}), answer
    invited = home.wait_told("invited", 4)
    assert all(home.guests(one["event_id"]) == [BOB] for one in invited)
    assert home.wait_told("brake_released", stream="system")
    wait_until(lambda: home.account()["held"] == 0)


def test_discard_drops_held_work_for_good(make_home: MakeHome) -> None:
    """Also after another look at the calendar; a later event is invited to."""
    home = make_home(invites_per_hour=3)
    token = home.brake()["token"]

    answer = home.ask("discard", token=token)
    home.ask("resync", full=True)

    assert (answer["status"], answer["data"]) == ("ok", {"count": 4}), answer
    assert home.household.invitations() == []
    wait_until(lambda: home.account()["held"] == 0)
    home.invite()
    assert len(home.household.invitations()) == 1


@pytest.mark.parametrize("command", ["approve", "discard"])
def test_nothing_held_is_not_found(make_home: MakeHome, command: str) -> None:
    """And so is a token that nothing is held under: the rest stays held."""
    home = make_home(invites_per_hour=3)
    nothing = home.ask(command)
    home.brake()

    other = home.ask(command, token="r-other")
    empty = home.ask(command, token="")

    assert (nothing["code"], other["code"], empty["code"]) == ("not_found", "not_found", "invalid")
    assert home.told("invited") == []
    assert home.ask(command)["data"] == {"count": 4}


def test_one_event_over_the_limit_says_when_it_goes_on(make_home: MakeHome) -> None:
    """It waits by itself: nothing to approve, nothing to alert."""
    home = make_home(invites_per_hour=1)
    home.invite()

    home.household.create(summary=TITLE)
    home.household.look()

    (held,) = home.wait_told("held")
    assert held["reason"] == "brake" and held["retry_at"] is not None
    wait_until(lambda: home.account()["waiting_until"] == held["retry_at"])
    assert home.account()["held"] == 0
    assert home.ask("approve")["code"] == "not_found"
    assert home.told("brake_on", "system") == []


def test_the_limit_that_is_set_is_the_one_in_force(make_home: MakeHome) -> None:
    """As the number in Home Assistant sets it; the settings show it."""
    home = make_home()

    answer = home.ask("set", key="invites_per_hour", value=2)
    told = home.brake(3)

    assert answer["status"] == "ok" and told["limit"] == 2
    wait_until(lambda: home.observer.on("calbot/settings")[-1].json["invites_per_hour"] == 2)
    assert home.ask("set", key="invites_per_hour", value=0)["code"] == "invalid"


def test_explain_says_what_was_decided_and_why(make_home: MakeHome) -> None:
    """By id and by a part of the title: rule, what was tried, what was done."""
    home = make_home()
    invited = home.invite()

    answers = [home.ask("explain", event_id=name) for name in (invited["event_id"], "the neighbours")]

    for answer in answers:
        data = answer["data"]
        assert answer["status"] == "ok" and answer["message"]
        assert (data["event_id"], data["title"], data["account"]) == (invited["event_id"], TITLE, ANNA)
        assert (data["decision"], data["reason"]) == ("skip", "already_invited")
        assert BOB in data["history"] and data["tried"]
    assert home.ask("explain", event_id="no such event")["code"] == "not_found"


def test_preview_counts_and_names_the_first_and_does_nothing(make_home: MakeHome) -> None:
    """What the rules would do if auto-invite were on, in the days that are asked for."""
    home = make_home(auto_invite=False)
    for _ in range(12):
        home.household.create(summary=TITLE)
    home.household.look()
    home.wait_told("skipped", 12)

    foreseen = home.ask("preview", days=7)

    assert foreseen["status"] == "ok"
    assert (foreseen["data"]["invite"], foreseen["data"]["guests"]) == (12, 12)
    first = foreseen["data"]["first"].splitlines()
    assert len(first) == 10 and all(TITLE in line and BOB in line for line in first)
    assert home.ask("preview", days=0.1)["data"]["invite"] == 0
    assert home.household.invitations() == []


@pytest.mark.parametrize("account", [ANNA, "its short id", None])
def test_apply_invites_to_what_was_there_before(make_home: MakeHome, account: str | None) -> None:
    """Of one account by either name, or of all."""
    home = make_home(auto_invite=False)
    event = home.household.create(summary=TITLE)
    home.household.look()
    home.wait_told("skipped")
    home.ask("set", key="auto_invite", value=True)
    named = home.account()["account_id"] if account == "its short id" else account

    answer = home.ask("apply", days=7, **({"account": named} if named else {}))

    assert (answer["status"], answer["data"]) == ("ok", {"planned": 1, "held": 0}), answer
    home.wait_told("invited")
    assert home.guests(event) == [BOB]


def test_apply_over_the_limit_is_held(make_home: MakeHome) -> None:
    """Many old events at once are what the brake is for; approve lets them go."""
    home = make_home(auto_invite=False, invites_per_hour=3)
    for _ in range(5):
        home.household.create(summary=TITLE)
    home.household.look()
    home.wait_told("skipped", 5)
    home.ask("set", key="auto_invite", value=True)

    answer = home.ask("apply")

    assert (answer["status"], answer["data"]) == ("ok", {"planned": 0, "held": 5}), answer
    home.wait_told("brake_on", stream="system")
    assert home.ask("approve")["data"] == {"count": 5}
    home.wait_told("invited", 5)


def test_a_rule_or_an_account_that_is_not_there_is_not_found(make_home: MakeHome) -> None:
    """And nothing is applied."""
    home = make_home()

    answers = [home.ask("apply", rule="nobody"), home.ask("apply", account=CAROL), home.ask("preview", account=CAROL)]

    assert [answer["code"] for answer in answers] == ["not_found"] * 3


@pytest.mark.parametrize("detail", DETAILS)
def test_only_the_minimum_keeps_titles_and_people_back(make_home: MakeHome, detail: Detail) -> None:
    """In every message of a life with invitations, the brake, an undo, explain and preview."""
    home = make_home(detail, invites_per_hour=3)
    token = home.brake()["token"]
    home.ask("explain", event_id="neighbours")
    home.ask("explain", event_id=home.told("held")[0]["event_id"])
    home.ask("preview")
    home.ask("approve", token=token)
    invited = home.wait_told("invited", 4)
    home.ask("undo", token=invited[0]["undo_token"])
    home.ask("explain", event_id=invited[0]["event_id"])
    home.ask("apply")
    home.ask("undo", minutes=5)
    home.wait_told("undone")

    said = [message for message in home.observer.seen if "/command/" not in message.topic]
    for secret in (TITLE.encode(), BOB.encode(), ANNA.encode()):
        leaks = [(message.topic, message.payload) for message in said if secret in message.payload]
        assert bool(leaks) == (detail != "minimal"), (secret, leaks[:3])
