"""The connection: kept through everything, explained when it is not there, left within a second."""

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from addon.mqtt.connection import BrokerAddress, End, Problem, failures_after, pause_after
from calbot.errors import CalbotError
from tests.mqtt.conftest import MakeHouse, MakeObserver
from tests.mqtt.faults import TAKEN_OVER, UNSUPPORTED_VERSION, Door, SilentServer
from tests.mqtt.world import House, Mosquitto, Observer, wait_until

SECRET = "correct horse battery staple"


@pytest.fixture
def make_door(broker: Mosquitto) -> Iterator[Callable[..., Door]]:
    """Makes doors in front of the broker."""
    made: list[Door] = []

    def make(**options: Any) -> Door:
        made.append(Door(broker.port, **options))
        return made[-1]

    yield make
    for door in made:
        door.close()


def through(door: Door | SilentServer) -> Callable[[], BrokerAddress]:
    """The address of a door."""
    return lambda: BrokerAddress("127.0.0.1", door.port)


def seconds_to_stop(house: House) -> float:
    """How long the bridge takes to end."""
    before = house.clock.monotonic()
    house.bridge.stop()
    return house.clock.monotonic() - before


def test_we_introduce_ourselves_as_the_contract_says(make_house: MakeHouse, make_door: Callable[..., Door]) -> None:
    """MQTT 5, a session of a day, keepalive 30, at most 20 unanswered, 16 KB, a will that waits 20 s."""
    door = make_door()
    make_house(broker=through(door)).start()

    connect = bytes(door.heard[0])
    assert b"\x00\x04MQTT\x05\x2c\x00\x1e" in connect  # will retained with QoS 1, no clean start; 30 s
    assert b"\x11\x00\x01\x51\x80" in connect  # session expiry 24 h
    assert b"\x21\x00\x14" in connect  # receive maximum 20
    assert b"\x27\x00\x00\x40\x00" in connect  # maximum packet size 16 kB
    assert b"\x18\x00\x00\x00\x14\x00\x13calbot/availability\x00\x07offline" in connect  # will delay 20 s
    assert b"\x00\x0dcalbot-k3f9a2" in connect


def test_a_stop_lets_the_will_speak(
    make_house: MakeHouse, make_door: Callable[..., Door], make_observer: MakeObserver
) -> None:
    """DISCONNECT 0x04: when we are not back in time, others read `offline`."""
    door = make_door(hurried=True)
    observer = make_observer("calbot/availability")
    house = make_house(broker=through(door))
    house.start()
    observer.wait_for("calbot/availability")
    house.bridge.stop()

    wait_until(lambda: bytes(door.heard[0]).endswith(b"\xe0\x01\x04"))
    assert observer.wait_for("calbot/availability", 2)[1].payload == b"offline"


@pytest.mark.parametrize("refusal", [UNSUPPORTED_VERSION, b"\x20\x02\x00\x01", b""])
def test_a_broker_of_3_1_1_is_spoken_to_in_its_version(
    make_house: MakeHouse, make_door: Callable[..., Door], observer: Observer, refusal: bytes
) -> None:
    """Whether it says 132, an older 1, or just hangs up; and the goodbye is said aloud."""
    door = make_door(refusal=refusal)
    house = make_house(broker=through(door))
    house.start()
    observer.send("calbot/command/ping", {"id": "1"}, response_topic="reply/me", correlation=b"1")

    assert observer.answers("1")[1]["status"] == "ok"
    assert observer.on("reply/me") == []  # 3.1.1 does not know it
    assert b"\x00\x04MQTT\x04" in bytes(door.heard[1])
    assert house.bridge.problem is None
    house.bridge.stop()
    assert [message.payload for message in observer.wait_for("calbot/availability", 2)] == [
        b"online",
        b"offline",
    ]


def test_a_broker_that_waits_for_the_rest_of_mqtt_5_is_spoken_to_in_3_1_1(
    make_house: MakeHouse, make_door: Callable[..., Door]
) -> None:
    """amqtt takes the properties for something else and never answers."""
    door = make_door(keeps_silent=True)
    house = make_house(broker=through(door))
    house.bridge.start()
    wait_until(lambda: door.heard and door.heard[0])

    house.advance(11)

    wait_until(lambda: house.bridge.connected)
    assert b"\x00\x04MQTT\x04" in bytes(door.heard[1])


def test_a_user_who_may_not_publish_is_told_so(make_house: MakeHouse, make_door: Callable[..., Door]) -> None:
    """A connection on which nothing gets through is a problem, not a success."""
    house = make_house(broker=through(make_door(denies=True)))
    house.bridge.start()

    wait_until(lambda: house.bridge.problem_code == "broker_refused")
    assert house.bridge.problem == "The broker does not let Calbot publish below calbot/: allow its user to."


def test_refused_credentials_are_explained_and_never_shown(
    make_broker: Callable[..., Mosquitto], make_house: MakeHouse, caplog: pytest.LogCaptureFixture
) -> None:
    """The sentence names the options; the password is in no log line and no repr."""
    caplog.set_level(logging.DEBUG)
    strict = make_broker("allow_anonymous false")
    address = BrokerAddress("127.0.0.1", strict.port, "calbot", SECRET)
    house = make_house(broker=lambda: address)
    house.bridge.start()

    wait_until(lambda: house.bridge.problem)
    assert house.bridge.problem == (
        f"The broker at 127.0.0.1:{strict.port} refused the user name or password: "
        "check mqtt.username and mqtt.password."
    )
    assert house.bridge.problem_code == "broker_refused" and not house.bridge.connected
    assert SECRET not in caplog.text and SECRET not in repr(address)
    assert seconds_to_stop(house) < 1


def test_a_missing_broker_is_explained_and_found_when_it_comes(make_house: MakeHouse, broker: Mosquitto) -> None:
    """The engine does not care meanwhile."""
    broker.kill()
    house = make_house()
    house.bridge.start()
    wait_until(lambda: house.bridge.problem)
    assert str(house.bridge.problem).startswith(f"No MQTT broker answers at 127.0.0.1:{broker.port}: ")

    broker.start()

    wait_until(lambda: house.bridge.connected)
    wait_until(lambda: house.bridge.problem is None)


def test_a_broker_that_takes_the_connection_and_says_nothing_is_explained(make_house: MakeHouse) -> None:
    """After ten seconds, and it does not keep us from ending."""
    server = SilentServer()
    house = make_house(broker=through(server))
    house.bridge.start()
    wait_until(lambda: house.bridge._connection._client)

    house.advance(11)

    wait_until(lambda: house.bridge.problem)
    assert "it took the connection and says nothing" in str(house.bridge.problem)
    assert seconds_to_stop(house) < 1
    server.close()


def test_a_stop_with_a_hanging_broker_takes_less_than_a_second(
    make_house: MakeHouse, make_door: Callable[..., Door]
) -> None:
    """While it connects, and while it is connected."""
    server = SilentServer()
    connecting = make_house(broker=through(server))
    connecting.bridge.start()
    wait_until(lambda: connecting.bridge._connection._client)
    assert seconds_to_stop(connecting) < 1
    server.close()
    door = make_door()
    connected = make_house(broker=through(door))
    connected.start()
    door.frozen.set()
    connected.engine.says()

    assert seconds_to_stop(connected) < 1


def test_a_bridge_that_was_never_started_can_be_stopped(make_house: MakeHouse) -> None:
    """And one that is stopped twice."""
    house = make_house()

    house.bridge.stop()
    assert seconds_to_stop(house) < 1


def test_the_address_is_asked_for_before_every_attempt(make_house: MakeHouse, broker: Mosquitto) -> None:
    """The Supervisor may have no broker yet, then one somewhere else."""
    asked: list[int] = []

    def address() -> BrokerAddress:
        asked.append(len(asked))
        if len(asked) == 1:
            raise CalbotError("Home Assistant has no MQTT broker yet.")
        return broker.address()

    house = make_house(broker=address)
    house.bridge.start()
    wait_until(lambda: house.bridge.problem)
    assert house.bridge.problem == "Home Assistant has no MQTT broker yet."

    wait_until(lambda: house.bridge.connected)
    assert len(asked) == 2


def test_two_clients_of_one_id_do_not_chase_each_other(make_house: MakeHouse, make_door: Callable[..., Door]) -> None:
    """The one that is told 0x8E stays away for five minutes and says why."""
    door = make_door()
    house = make_house(broker=through(door))
    house.start()

    door.say(TAKEN_OVER)

    wait_until(lambda: house.bridge.problem)
    assert house.bridge.problem_code == "duplicate_instance"
    assert "same installation id" in str(house.bridge.problem)


@pytest.mark.parametrize("version5", [True, False])
@pytest.mark.parametrize("answers", [True, False])
def test_who_finds_another_installation_leaves_without_a_word(
    make_house: MakeHouse, make_door: Callable[..., Door], observer: Observer, version5: bool, answers: bool
) -> None:
    """Neither the will nor a goodbye says `offline` for the one that lives, once known or while it is asked."""
    door = make_door()
    if answers:
        make_house().start()
    else:
        observer.send("calbot/availability", "online", retain=True)
        observer.send("calbot/info", {"v": 1, "iid": "yyyyyy"}, retain=True)
    second = make_house(iid="zzzzzz", broker=lambda: BrokerAddress("127.0.0.1", door.port, version5=version5))
    second.bridge.start()
    observer.wait_for("calbot/command/ping")
    if not answers:
        second.bridge.stop()

    wait_until(lambda: bytes(door.heard[0]).endswith(b"\xe0\x00"))
    assert bytes(door.heard[0]).count(b"offline") == 1  # in the will
    second.bridge.stop()
    assert {message.payload for message in observer.on("calbot/availability")} == {b"online"}


def test_a_broker_that_restarts_after_a_long_time_is_found_again_at_once(
    make_house: MakeHouse, make_door: Callable[..., Door]
) -> None:
    """It says DISCONNECT 0x8B; failures of weeks ago do not count."""
    door = make_door()
    house = make_house(broker=through(door))
    house.start()
    house.bridge._connection._failures = 6
    house.advance(60)

    door.say(b"\xe0\x01\x8b")

    wait_until(lambda: len(door.heard) == 2, 3)


def test_only_a_connection_that_held_forgives_failures() -> None:
    """However it ended."""
    problem = Problem("broker_unreachable", "x")

    assert failures_after(End("refused", problem, connected=True), 60.0, 5) == 0
    assert failures_after(End("lost", problem, connected=True), 1.0, 5) == 5
    assert failures_after(End("silent", problem), 60.0, 5) == 5


def test_the_pauses_between_attempts_grow_from_one_second_to_sixty() -> None:
    """Spread by chance; a refused password waits 60 s, a duplicate five minutes."""
    problem = Problem("broker_unreachable", "x")

    assert [pause_after(End("lost", problem), failures, 1.0) for failures in range(8)] == [
        1,
        2,
        4,
        8,
        16,
        32,
        60,
        60,
    ]
    assert pause_after(End("unanswered", problem), 0, 0.7) == 0.7
    assert pause_after(End("credentials", problem), 0, 0.7) == 60
    assert pause_after(End("taken_over", problem), 0, 1.3) == 300


def test_a_dead_connection_that_looks_alive_is_replaced(
    make_house: MakeHouse, make_door: Callable[..., Door], observer: Observer
) -> None:
    """A self-ping each minute that does not come back within ten seconds makes a new client."""
    door = make_door()
    house = make_house(broker=through(door))
    house.start()
    house.advance(60)
    wait_until(lambda: len(observer.on("calbot/command/ping")) == 1)
    wait_until(lambda: house.bridge._session._ping is None)
    assert observer.on("calbot/response/ping") == []  # to ourselves we need no answer
    door.frozen.set()
    house.advance(60)
    wait_until(lambda: house.bridge._session._ping)
    door.frozen.clear()

    house.advance(11)

    wait_until(lambda: len(door.heard) == 2)
    wait_until(lambda: house.bridge.connected)
    observer.send("calbot/command/ping", {"id": "1"})
    assert observer.answers("1")[1]["status"] == "ok"


def test_an_answer_takes_no_40_milliseconds(house: House, observer: Observer) -> None:
    """Without TCP_NODELAY and TCP_QUICKACK a QoS 1 exchange waits for the kernel's timers."""
    took = []
    for number in range(15):
        before = house.clock.monotonic()
        observer.client.publish("calbot/command/ping", f'{{"id":"q{number}"}}', 0)
        observer.answers(f"q{number}", 1)
        took.append(house.clock.monotonic() - before)

    assert sorted(took)[7] < 0.03, took
