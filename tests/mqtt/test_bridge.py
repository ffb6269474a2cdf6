"""The bridge as others see it: what stands on which topic, when it is told, and whose place it is."""

from typing import Any

import msgspec
import pytest

from addon.mqtt.requests import COMMANDS
from calbot.model import Notice
from calbot.status import Snapshot
from tests.mqtt import schemas
from tests.mqtt.conftest import MakeHouse, MakeObserver
from tests.mqtt.world import IID, INVITED, STARTED, House, Observer, wait_until

RETAINED = {
    "calbot/availability",
    "calbot/info",
    "calbot/state",
    "calbot/health",
    "calbot/settings",
    "calbot/alerts",
    "calbot/counters",
    "homeassistant/device/calbot_k3f9a2/config",
    "homeassistant/device/calbot_k3f9a2_a7c1/config",
    "calbot/account/a7c1/state",
    "calbot/last_event",
    "calbot/command_last",
}
PASSING = {"calbot/event/calendar", "calbot/event/system", "calbot/response/ping", "calbot/command/ping"}


def with_account(snapshot: Snapshot, **parts: Any) -> Snapshot:
    """The snapshot with its account changed."""
    return msgspec.structs.replace(snapshot, accounts=(msgspec.structs.replace(snapshot.accounts[0], **parts),))


@pytest.mark.parametrize("detail", ["minimal", "standard", "full"])
def test_every_topic_keeps_to_the_contract(
    make_house: MakeHouse, observer: Observer, make_observer: MakeObserver, detail: str
) -> None:
    """Retained or not, QoS 1, and each message heard on `#` keeps to its schema."""
    house = make_house(event_detail=detail)
    house.start()
    house.engine.says(INVITED, STARTED)
    observer.send("calbot/command/ping", {"v": 1, "id": "1"})
    observer.answers("1")
    for topic in RETAINED | PASSING:
        observer.wait_for(topic)

    assert {message.topic for message in observer.seen} == RETAINED | PASSING
    assert {message.qos for message in observer.seen} == {1}
    checked = [
        schemas.check(name, message.payload)
        for message in observer.seen
        if (name := schemas.name_for(message.topic)) and "/command/" not in message.topic and message.payload
    ]
    assert len(checked) >= 10
    assert {message["iid"] for message in checked} == {IID}
    late = make_observer("#")
    wait_until(lambda: len(late.seen) >= len(RETAINED))
    assert {message.topic for message in late.seen} == RETAINED
    assert all(message.retained for message in late.seen)


def test_online_is_said_before_anything_else(house: House, observer: Observer) -> None:
    """But for the announcements. Plain text, and once; then each state once."""
    observer.wait_for("calbot/health")

    observer.wait_for("calbot/counters")
    assert [message.topic.split("/")[0] for message in observer.seen[:2]] == ["homeassistant"] * 2
    assert observer.seen[2].topic == "calbot/availability" and observer.seen[2].payload == b"online"
    assert len(observer.seen) == len({message.topic for message in observer.seen}) == 10


def test_a_start_is_online_within_a_second(make_house: MakeHouse, observer: Observer) -> None:
    """Also a second start, which finds its own traces."""
    house = make_house()
    house.start()
    before = house.clock.monotonic()
    house.restart_bridge()

    observer.wait_for("calbot/availability", 2)
    assert house.clock.monotonic() - before < 1


def test_info_says_what_we_can_do(house: House, observer: Observer) -> None:
    """Version, accounts by their short ids, commands."""
    info = observer.wait_for("calbot/info")[0].json

    assert (info["version"], info["api"], info["accounts"]) == ("0.1.0", 1, ["a7c1"])
    assert info["commands"] == list(COMMANDS)


def test_states_are_told_when_they_change_and_only_then(house: House, observer: Observer) -> None:
    """A snapshot that differs in one thing is one message on one topic."""
    for topic in ("calbot/health", "calbot/settings", "calbot/counters"):
        observer.wait_for(topic)
    observer.seen.clear()
    house.engine.show(house.engine.snapshot)
    settings = msgspec.structs.replace(house.engine.snapshot.settings, dry_run=True)
    house.engine.show(msgspec.structs.replace(house.engine.snapshot, settings=settings))

    assert observer.wait_for("calbot/settings")[0].json["dry_run"] is True
    assert {message.topic for message in observer.seen} == {"calbot/settings"}


def test_trouble_changes_state_health_and_account(house: House, observer: Observer) -> None:
    """With its reasons, and since when."""
    house.engine.show(with_account(house.engine.snapshot, signed_in=False, sign_in_text="Sign in again."))

    state = observer.wait_for("calbot/state", 2)[1].json
    assert state["status"] == "problem" and state["reasons"][0]["code"] == "sign_in_needed"
    assert observer.wait_for("calbot/health", 2)[1].json["status"] == "problem"
    assert observer.wait_for("calbot/account/a7c1/state", 2)[1].json["status"] == "sign_in_needed"
    assert state["since"] > observer.on("calbot/state")[0].json["since"]


def test_health_is_told_each_minute(house: House, observer: Observer) -> None:
    """Without any change, with a new time."""
    observer.wait_for("calbot/health")
    house.advance(61)

    first, second = (message.json for message in observer.wait_for("calbot/health", 2))
    assert second["ts"] > first["ts"]


def test_everything_is_told_again_every_six_hours(house: House, observer: Observer) -> None:
    """For those whom the broker dropped a message."""
    observer.wait_for("calbot/health")
    house.advance(6 * 3600)

    observer.wait_for("calbot/info", 2)
    observer.wait_for("calbot/settings", 2)
    observer.wait_for("calbot/availability", 2)


def test_an_account_that_is_gone_leaves_nothing_behind(house: House, observer: Observer) -> None:
    """Whether it goes while we run or while we do not."""
    account = house.engine.snapshot.accounts[0]
    other = msgspec.structs.replace(account, email="carol@example.com", aid="b2d2")
    house.engine.show(msgspec.structs.replace(house.engine.snapshot, accounts=(account, other)))
    observer.wait_for("calbot/account/b2d2/state")
    house.engine.show(msgspec.structs.replace(house.engine.snapshot, accounts=(account,)))
    assert observer.wait_for("calbot/account/b2d2/state", 2)[1].payload == b""

    house.engine.snapshot = msgspec.structs.replace(house.engine.snapshot, accounts=())
    house.restart_bridge()

    assert observer.wait_for("calbot/account/a7c1/state", 2)[-1].payload == b""


def test_a_dead_installation_before_us_is_no_obstacle(make_house: MakeHouse, observer: Observer) -> None:
    """Its availability says offline: we take over at once, and clear what it left."""
    observer.send("calbot/availability", "offline", retain=True)
    observer.send("calbot/info", {"v": 1, "iid": "zzzzzz", "accounts": ["x9x9"]}, retain=True)
    observer.send("calbot/account/x9x9/state", "{}", retain=True)
    house = make_house()
    house.start()

    assert observer.wait_for("calbot/account/x9x9/state", 2)[1].payload == b""
    assert observer.wait_for("calbot/info", 2)[1].json["iid"] == IID


def test_an_installation_that_only_seems_alive_is_waited_for_ten_seconds(
    make_house: MakeHouse, observer: Observer
) -> None:
    """It says online and does not answer: then its place is free. Commands wait so long."""
    observer.send("calbot/availability", "online", retain=True)
    observer.send("calbot/info", {"v": 1, "iid": "zzzzzz"}, retain=True)
    house = make_house()
    house.bridge.start()
    asked = observer.wait_for("calbot/command/ping")[0].json
    house.advance(9)
    observer.send("fence", "x")
    assert asked["id"] and not house.bridge.connected and len(observer.on("calbot/info")) == 1

    house.advance(2)

    wait_until(lambda: house.bridge.connected)
    assert observer.wait_for("calbot/info", 2)[1].json["iid"] == IID


def rests(house: House) -> bool:
    """Whether its bridge has gone away and counts the five minutes."""
    connection = house.bridge._connection
    return connection._client is None and not connection._rest


def test_a_living_installation_keeps_its_place(make_house: MakeHouse, observer: Observer) -> None:
    """We say so and publish nothing; we look again every five minutes, and follow when it is gone."""
    first = make_house()
    first.start()
    second = make_house(iid="zzzzzz")
    second.bridge.start()

    wait_until(lambda: second.bridge.problem)
    assert second.bridge.problem_code == "duplicate_instance"
    assert IID in str(second.bridge.problem) and "mqtt.base_topic" in str(second.bridge.problem)
    assert not second.bridge.connected
    assert {message.json["iid"] for message in observer.wait_for("calbot/info")} == {IID}
    asked = len(observer.on("calbot/command/ping"))
    wait_until(lambda: rests(second))
    second.advance(301)
    wait_until(lambda: len(observer.on("calbot/command/ping")) > asked)
    wait_until(lambda: rests(second))
    assert second.bridge.problem_code == "duplicate_instance"
    assert {message.payload for message in observer.on("calbot/availability")} == {b"online"}
    first.bridge.stop()
    observer.send("calbot/availability", "offline", retain=True)
    second.advance(301)
    wait_until(lambda: second.bridge.connected)
    assert second.bridge.problem is None


def test_an_installation_is_seen_behind_any_number_of_waiting_commands(
    make_house: MakeHouse, observer: Observer
) -> None:
    """Commands are not acknowledged while it is unclear whose they are, and 20 of them hold up QoS 1."""
    house = make_house()
    house.start()
    house.bridge.stop()
    observer.send("calbot/info", {"v": 1, "iid": "zzzzzz"}, retain=True)
    for number in range(30):
        observer.send("calbot/command/resync", {"id": f"n{number}"})
    observer.send("calbot/availability", "online", retain=True)
    house.bridge = house.make_bridge()
    house.bridge.start()

    observer.wait_for("calbot/command/ping")

    assert not house.bridge.connected
    assert observer.on("calbot/response/resync") == []
    house.advance(11)
    observer.answers("n29", 1)


def test_online_is_said_again_each_minute(house: House, observer: Observer) -> None:
    """Whatever another client said in our name."""
    observer.send("calbot/availability", "offline", retain=True)
    house.advance(61)

    assert observer.wait_for("calbot/availability", 3)[-1].payload == b"online"


def test_two_installations_with_base_topics_of_their_own_do_not_meet(make_house: MakeHouse, observer: Observer) -> None:
    """Each answers its own commands."""
    make_house().start()
    make_house(iid="zzzzzz", base_topic="home/calbot").start()

    observer.send("home/calbot/command/ping", {"id": "1"})

    assert observer.wait_for("home/calbot/response/ping", 2)[1].json["iid"] == "zzzzzz"
    assert observer.on("calbot/response/ping") == []


def test_no_message_tells_more_than_the_minimum_when_the_minimum_is_wanted(
    make_house: MakeHouse, observer: Observer
) -> None:
    """Nothing that anybody can hear names a person, a title or a place."""
    house = make_house(event_detail="minimal")
    house.engine.snapshot = with_account(house.engine.snapshot, signed_in=False, sign_in_text="anna@example.com")
    house.engine.says(INVITED, Notice(event_type="sign_in_needed", text="anna@example.com", account="anna@example.com"))
    house.start()
    observer.wait_for("calbot/event/system")
    observer.wait_for("calbot/last_event")

    for message in observer.seen:
        text = message.payload.replace(b"dinner1@example.com", b"")
        assert not any(word in text for word in (b"@", b"Dinner", b"Elm", b"Family")), message.payload


def test_a_surprise_in_one_piece_of_work_does_not_stop_the_bridge(house: House, observer: Observer) -> None:
    """A snapshot that cannot be judged is logged; commands are answered."""
    house.engine.snapshot = None  # type: ignore[assignment]
    house.bridge.changed()
    observer.send("calbot/command/ping", {"id": "1"})

    assert observer.answers("1")[1]["status"] == "ok"


@pytest.mark.parametrize("trouble", ["store", "snapshot"])
def test_trouble_that_stays_is_not_met_in_a_busy_loop(
    house: House, observer: Observer, caplog: pytest.LogCaptureFixture, trouble: str
) -> None:
    """A store that cannot be read, or a surprise in each step, is tried about once a second."""
    if trouble == "store":
        with house.database.write() as tx:
            tx.execute("ALTER TABLE outbox RENAME TO gone")
        house.bridge._publisher._not_before = 0.0
    else:
        house.engine.snapshot = None  # type: ignore[assignment]
    caplog.clear()
    house.advance(61)

    for number in range(15):
        observer.send("calbot/command/ping", {"id": f"n{number}"})
        observer.answers(f"n{number}")

    assert 1 <= len(caplog.records) <= 4, caplog.text


def test_reasons_without_end_fit(house: House, observer: Observer) -> None:
    """Five hundred calendars in trouble are one message of 4 KB."""
    snapshot = house.engine.snapshot
    calendars = tuple(
        msgspec.structs.replace(
            snapshot.accounts[0].calendars[0],
            name=f"Calendar {number}",
            problem="network",
            problem_text="x" * 300,
        )
        for number in range(500)
    )
    house.engine.show(with_account(snapshot, calendars=calendars))

    told = schemas.check("account_state", observer.wait_for("calbot/account/a7c1/state", 2)[1].payload)
    assert told["status"] == "degraded" and told["calendars"]
