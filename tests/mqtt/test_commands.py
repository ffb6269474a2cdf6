"""The road of a command: every message is answered, once accepted it is carried out once, whatever breaks."""

from typing import Any

import pytest

from addon.mqtt.posts import Received
from calbot.clock import SystemClock
from calbot.model import Answer, Command
from calbot.store import commands, switches
from tests.mqtt.conftest import MakeHouse, MakeObserver
from tests.mqtt.schemas import check
from tests.mqtt.world import House, Mosquitto, Observer, wait_until


def final(answers: list[Any]) -> Any:
    """The one final answer among them."""
    (found,) = [answer for answer in answers if answer["final"]]
    return found


def test_a_command_is_accepted_then_answered_and_stays_readable(house: House, observer: Observer) -> None:
    """Accepted, final, and the final answer retained on command_last; committed before it is accepted."""
    observer.send("calbot/command/resync", {"v": 1, "id": "tx1", "args": {"account": "anna@example.com"}})

    accepted, done = observer.answers("tx1")
    assert (accepted["status"], accepted["final"], accepted["code"]) == ("accepted", False, None)
    assert (done["status"], done["final"], done["message"]) == ("ok", True, "done")
    assert observer.wait_for("calbot/command_last")[-1].json == done
    assert [command.args for command in house.engine.carried] == [{"account": "anna@example.com"}]
    known, answer = commands.known(house.database.read(), "tx1", house.clock.now())
    assert known and answer is not None and answer.status == "ok"


def test_what_is_done_later_is_answered_later(house: House, observer: Observer) -> None:
    """From whatever thread the engine answers."""
    house.engine.holds_back = True
    observer.send("calbot/command/resync", {"id": "slow"})
    observer.answers("slow", 1)

    house.engine.answer(house.engine.carried[0], Answer(status="error", code="upstream_error", message="Google"))

    assert final(observer.answers("slow"))["code"] == "upstream_error"


def test_a_button_press_is_a_command(house: House, observer: Observer) -> None:
    """With an id of our making, by which it is answered."""
    observer.send("calbot/command/resync", "PRESS")

    accepted, done = [message.json for message in observer.wait_for("calbot/response/resync", 2)]
    assert accepted["id"] and accepted["id"] == done["id"]
    observer.send("calbot/command/resync", "PRESS")
    third = observer.wait_for("calbot/response/resync", 4)[2].json
    assert third["id"] != accepted["id"] and not third["duplicate"]


def test_a_button_press_with_qos_0_is_one_too(house: House, observer: Observer) -> None:
    """Home Assistant's buttons send QoS 0 unless told otherwise."""
    observer.send("calbot/command/resync", "PRESS", qos=0)
    observer.send("calbot/command/resync", "PRESS", qos=0)

    observer.wait_for("calbot/response/resync", 4)
    assert len({command.id for command in house.engine.carried}) == 2


@pytest.mark.parametrize(
    ("name", "payload", "code"),
    [
        ("ping", "{", "bad_json"),
        ("ping", b"\xff\xfe\xfd", "bad_json"),
        ("ping", '{"id":NaN}', "bad_json"),
        ("ping", '{"id":"1","id":"2"}', "bad_json"),
        ("ping", '{"id":"' + "x" * 5000 + '"}', "too_large"),
        ("self_destruct", "{}", "unknown_command"),
        ("resync", '{"id":"9","args":{"acount":"x"}}', "invalid"),
        ("ping", '{"ts":"2020-01-01T00:00:00Z","ttl_s":60}', "stale"),
    ],
)
def test_bad_input_is_answered_and_leaves_nothing_behind(
    house: House, observer: Observer, name: str, payload: str | bytes, code: str
) -> None:
    """One final answer with its code, no row, no deed; and the next command works."""
    observer.send(f"calbot/command/{name}", payload)
    observer.send("calbot/command/ping", {"id": "next"})

    assert final(observer.answers("next"))["status"] == "ok"
    refused = observer.on(f"calbot/response/{name}")[0].json
    assert (refused["status"], refused["final"], refused["code"]) == ("error", True, code)
    assert [command.id for command in house.engine.carried] == ["next"]


def test_a_message_larger_than_a_packet_may_be_never_reaches_us(house: House, observer: Observer) -> None:
    """The broker drops it, and the connection stays."""
    observer.send("calbot/command/ping", "x" * 20_000)
    observer.send("calbot/command/ping", {"id": "next"})

    assert final(observer.answers("next"))["status"] == "ok"
    assert len(observer.on("calbot/availability")) == 1


def test_a_retained_command_is_refused_and_cleared_once(
    make_house: MakeHouse, observer: Observer, make_observer: MakeObserver
) -> None:
    """It is not carried out, and the next start does not see it any more."""
    observer.send("calbot/command/resync", {"id": "ghost"}, retain=True)
    house = make_house()
    house.start()

    assert observer.answers("ghost", 1)[0]["code"] == "retained_rejected"
    cleared = observer.wait_for("calbot/command/resync", 2)
    assert [message.payload for message in cleared[1:]] == [b""]
    assert house.engine.carried == []
    later = make_observer("calbot/command/+", "calbot/availability")
    later.wait_for("calbot/availability")
    assert later.on("calbot/command/resync") == []


def test_an_empty_payload_is_neither_carried_out_nor_answered(house: House, observer: Observer) -> None:
    """Clearing a topic is no order."""
    observer.send("calbot/command/resync", b"")
    observer.send("calbot/command/ping", {"id": "next"})

    observer.answers("next")
    assert observer.on("calbot/response/resync") == []


def test_the_same_id_gets_the_stored_answer(house: House, observer: Observer) -> None:
    """Marked as a duplicate, also after a restart; the work is done once."""
    observer.send("calbot/command/resync", {"id": "tx1"})
    observer.answers("tx1")
    observer.send("calbot/command/resync", {"id": "tx1"})
    observer.answers("tx1", 3)
    house.restart_bridge()
    observer.send("calbot/command/resync", {"id": "tx1"})

    answers = observer.answers("tx1", 4)
    assert [answer["duplicate"] for answer in answers] == [False, False, True, True]
    assert answers[3]["message"] == "done" and answers[3]["final"]
    assert len(house.engine.carried) == 1


def test_the_same_id_while_it_is_under_way_waits_for_the_same_answer(house: House, observer: Observer) -> None:
    """Everybody who asked is told, on their own topic."""
    house.engine.holds_back = True
    observer.send("calbot/command/resync", {"id": "tx1"}, response_topic="reply/one", correlation=b"1")
    observer.answers("tx1", 1)
    observer.send("calbot/command/resync", {"id": "tx1"}, response_topic="reply/two", correlation=b"2")
    observer.wait_for("reply/two")

    house.engine.answer(house.engine.carried[0], Answer(status="ok"))

    assert [message.json["final"] for message in observer.wait_for("reply/one", 2)] == [False, True]
    assert [message.json["duplicate"] for message in observer.wait_for("reply/two", 2)] == [True, False]
    assert [message.correlation for message in observer.on("reply/two")] == [b"2", b"2"]
    assert len(house.engine.carried) == 1


def test_an_id_may_be_used_again_after_a_day(house: House, observer: Observer) -> None:
    """The table forgets, and the old row is not in the way."""
    observer.send("calbot/command/resync", {"id": "tx1"})
    observer.answers("tx1")
    house.advance(86_401)
    observer.send("calbot/command/resync", {"id": "tx1"})

    assert not any(answer["duplicate"] for answer in observer.answers("tx1", 4))
    assert len(house.engine.carried) == 2


def test_the_response_topic_of_mqtt_5_gets_every_answer_with_its_correlation(house: House, observer: Observer) -> None:
    """Beside the usual response."""
    observer.send("calbot/command/ping", {"id": "1"}, response_topic="reply/me", correlation=b"\x01\x02")

    replies = observer.wait_for("reply/me", 2)
    assert [reply.correlation for reply in replies] == [b"\x01\x02"] * 2
    assert [reply.json for reply in replies] == observer.answers("1")


@pytest.mark.parametrize("topic", ["calbot/command/resync", "homeassistant/status"])
def test_a_response_topic_that_would_be_an_order_is_refused(house: House, observer: Observer, topic: str) -> None:
    """The command is answered where answers belong."""
    observer.send("calbot/command/ping", {"id": "1"}, response_topic=topic)

    assert final(observer.answers("1"))["status"] == "ok"
    assert observer.on(topic) == []


def test_more_than_20_commands_in_10_seconds_are_told_to_wait(house: House, observer: Observer) -> None:
    """Each is answered; when the time is over there is room again, and the id is still free."""
    for number in range(23):
        observer.send("calbot/command/ping", {"id": f"n{number}"})

    refused = observer.answers("n22", 1)[0]
    assert refused["code"] == "rate_limited" and refused["retryable"] and 0 < refused["retry_after_s"] <= 10
    assert len(house.engine.carried) == 20
    house.advance(10)
    observer.send("calbot/command/ping", {"id": "n22"})
    assert observer.answers("n22", 3)[-1]["status"] == "ok"


def test_a_flood_of_a_thousand_commands_is_answered_to_the_last(house: House, observer: Observer) -> None:
    """Twenty are carried out, and the bridge is well afterwards."""
    for number in range(1000):
        observer.client.publish("calbot/command/ping", f'{{"id":"f{number}"}}', 1)

    wait_until(lambda: len(observer.on("calbot/response/ping")) >= 1020, 20)
    answers = [message.json for message in observer.on("calbot/response/ping")]
    assert {answer["id"] for answer in answers if answer["final"]} == {f"f{number}" for number in range(1000)}
    assert len(house.engine.carried) == 20
    house.advance(10)
    observer.send("calbot/command/ping", {"id": "after"})
    assert final(observer.answers("after"))["status"] == "ok"


def test_a_command_sent_while_we_are_away_arrives_once(make_house: MakeHouse, observer: Observer) -> None:
    """The broker keeps our session for a day."""
    house = make_house()
    house.start()
    house.bridge.stop()
    observer.send("calbot/command/resync", {"id": "away"})
    house.bridge = house.make_bridge()
    house.start()

    assert final(observer.answers("away"))["status"] == "ok"
    assert len(house.engine.carried) == 1


def test_a_command_without_an_id_that_is_delivered_again_is_the_same_command(
    make_house: MakeHouse, observer: Observer
) -> None:
    """We die between the commit and the acknowledgement; the broker delivers again with DUP."""
    house = make_house()
    house.start()
    house.engine.holds_back = True
    house.on_statement("INSERT INTO command", house.bridge._connection.drop)
    observer.client.publish("calbot/command/resync", "PRESS", 1)

    duplicate = observer.wait_for("calbot/response/resync")[0].json
    assert duplicate["id"] == house.engine.carried[0].id and duplicate["duplicate"]
    assert len(house.engine.carried) == 1


def delivery(house: House, **parts: Any) -> Received:
    """A press of a button as the broker delivers it, on the connection that stands."""
    connection = house.bridge._connection
    return Received(connection._epoch, mid=7, topic="calbot/command/resync", payload=b"PRESS", **parts)


def test_a_press_that_was_lost_is_not_taken_for_an_older_one(make_house: MakeHouse, observer: Observer) -> None:
    """The broker uses a number again once it has our acknowledgement; DUP then means a press that we never wrote."""
    house = make_house()
    house.start()
    house.bridge._posts.put(delivery(house))
    observer.wait_for("calbot/response/resync", 2)
    wait_until(lambda: not switches.fact(house.database.read(), "mqtt_unconfirmed"))
    house.restart_bridge()

    house.bridge._posts.put(delivery(house, again=True))

    observer.wait_for("calbot/response/resync", 4)
    assert not any(message.json["duplicate"] for message in observer.on("calbot/response/resync"))
    assert len({command.id for command in house.engine.carried}) == 2


def test_a_press_that_was_written_is_known_after_a_restart_too(make_house: MakeHouse, observer: Observer) -> None:
    """We die before the broker can know of our acknowledgement."""
    house = make_house()
    house.start()
    house.engine.holds_back = True
    house.on_statement("INSERT INTO command", house.bridge._connection.drop)
    house.bridge._posts.put(delivery(house))
    wait_until(lambda: house.engine.carried)
    wait_until(lambda: house.bridge.connected)
    house.restart_bridge()

    house.bridge._posts.put(delivery(house, again=True))

    wait_until(lambda: any(message.json["duplicate"] for message in observer.on("calbot/response/resync")))
    assert len({command.id for command in house.engine.carried}) == 1


def test_a_stored_answer_that_cannot_be_read_is_no_reason_for_silence(house: House, observer: Observer) -> None:
    """Whatever goes wrong on the road is answered."""
    observer.send("calbot/command/resync", {"id": "tx1"})
    observer.answers("tx1")
    with house.database.write() as tx:
        tx.execute("UPDATE command SET answer = '{'")

    observer.send("calbot/command/resync", {"id": "tx1"})

    assert observer.answers("tx1", 3)[2]["code"] == "internal"


def test_what_was_accepted_is_taken_up_again_at_the_next_start(make_house: MakeHouse, observer: Observer) -> None:
    """And answered then."""
    house = make_house()
    unfinished = Command(name="resync", id="left", source="mqtt", received=SystemClock().now())
    others = Command(name="resync", id="panel", source="panel", received=SystemClock().now())
    with house.database.write() as tx:
        commands.add(tx, unfinished)
        commands.add(tx, others)

    house.start()

    assert final(observer.answers("left", 1))["status"] == "ok"
    assert [command.id for command in house.engine.carried] == ["left"]


def test_a_command_that_breaks_the_engine_is_answered_and_over(house: House, observer: Observer) -> None:
    """It is not tried again at the next start, and others go on."""
    house.engine.fails = True
    observer.send("calbot/command/resync", {"id": "poison"})
    assert final(observer.answers("poison"))["code"] == "internal"

    house.engine.fails = False
    observer.send("calbot/command/resync", {"id": "next"})

    assert final(observer.answers("next"))["status"] == "ok"
    assert commands.unfinished(house.database.read()) == []


def test_a_store_that_cannot_be_written_refuses_commands_aloud(house: House, observer: Observer) -> None:
    """Nothing is carried out that was not committed, and the message does not come again."""
    with house.database.write() as tx:
        tx.execute("ALTER TABLE command RENAME TO gone")
        tx.execute("CREATE TABLE command (id TEXT, answer TEXT, received REAL)")
    observer.send("calbot/command/resync", {"id": "lost"})

    refused = observer.answers("lost", 1)[0]
    assert (refused["status"], refused["code"], refused["retryable"]) == ("error", "internal", True)
    assert house.engine.carried == []


def test_a_store_that_cannot_be_read_refuses_commands_aloud(house: House, observer: Observer) -> None:
    """The message is acknowledged and answered all the same."""
    with house.database.write() as tx:
        tx.execute("DROP TABLE command")
    for number in range(25):  # more than the broker would leave unacknowledged
        observer.send("calbot/command/resync", {"id": f"lost{number}"})

    refused = observer.answers("lost24", 1)[0]
    assert (refused["status"], refused["code"], refused["retryable"]) == ("error", "internal", True)
    assert house.engine.carried == []


def test_answers_to_commands_of_other_doors_are_not_told_here(house: House, observer: Observer) -> None:
    """The panel asked, the panel is answered."""
    with house.database.write() as tx:
        commands.add(tx, Command(name="ping", id="p", source="panel"))
    house.engine.answer(Command(name="ping", id="p", source="panel"), Answer(status="ok"))
    observer.send("calbot/command/ping", {"id": "next"})

    observer.answers("next")
    assert {message.json["id"] for message in observer.on("calbot/response/ping")} == {"next"}


def test_a_command_with_a_strange_name_is_answered(house: House, observer: Observer) -> None:
    """On the response topic of that name."""
    observer.send("calbot/command/naïve name", {"id": "1"})

    answer = observer.wait_for("calbot/response/naïve name")[0]
    assert check("response", answer.payload)["code"] == "unknown_command"


def test_a_command_comes_back_after_the_broker_was_killed(
    house: House, broker: Mosquitto, make_observer: MakeObserver
) -> None:
    """A broker that forgot everything gets everything again."""
    broker.kill()
    wait_until(lambda: not house.bridge.connected)
    broker.start()
    late = make_observer("#")
    wait_until(lambda: house.bridge.connected)

    late.send("calbot/command/ping", {"id": "1"})
    assert final(late.answers("1"))["status"] == "ok"
    assert {"calbot/availability", "calbot/info", "calbot/state", "calbot/health", "calbot/settings"} <= {
        message.topic for message in late.seen
    }
