"""The outbox: every outcome reaches a listener, in order, under one id, whatever is restarted."""

from typing import Any

import msgspec
import pytest

from calbot.model import Notice
from calbot.store import outbox
from tests.mqtt.conftest import MakeHouse, MakeObserver
from tests.mqtt.world import DINNER, INVITED, STARTED, House, Mosquitto, Observer, wait_until

CALENDAR, SYSTEM = "calbot/event/calendar", "calbot/event/system"


def dinner(number: int) -> Any:
    """One of many outcomes."""
    return msgspec.structs.replace(INVITED, event=msgspec.structs.replace(DINNER, title=f"Dinner {number}"))


def waiting(house: House, stream: Any = "calendar") -> int:
    """How many rows of a stream were not heard yet."""
    return len(outbox.waiting(house.database.read(), stream, 1000))


def test_outcomes_go_out_in_order_under_one_id_each(house: House, observer: Observer) -> None:
    """Counted without gaps, each stream by itself, never retained, QoS 1, and marked when heard."""
    house.engine.says(*(dinner(number) for number in range(30)), STARTED)

    heard = observer.wait_for(CALENDAR, 30)
    assert [message.json["seq"] for message in heard] == [*range(1, 31)]
    assert [message.json["title"] for message in heard] == [f"Dinner {number}" for number in range(30)]
    assert len({message.json["id"] for message in heard}) == 30
    assert all(message.qos == 1 and not message.retained for message in heard)
    assert observer.wait_for(SYSTEM)[0].json["seq"] == 1
    wait_until(lambda: waiting(house) == 0 and waiting(house, "system") == 0)
    assert len(observer.on(CALENDAR)) == 30


def test_events_of_a_stream_are_five_milliseconds_apart(house: House, observer: Observer) -> None:
    """Twenty of them take at least 95 ms."""
    before = house.clock.monotonic()
    house.engine.says(*(dinner(number) for number in range(20)))

    observer.wait_for(CALENDAR, 20)

    assert house.clock.monotonic() - before >= 0.095


def test_the_last_event_can_be_read_later(house: House, observer: Observer, make_observer: MakeObserver) -> None:
    """A retained copy of the last one; the events themselves are gone."""
    house.engine.says(dinner(1), dinner(2))
    observer.wait_for("calbot/last_event", 2)

    late = make_observer("calbot/last_event", "calbot/event/+")

    assert late.wait_for("calbot/last_event")[0].json == observer.on(CALENDAR)[1].json
    assert late.on(CALENDAR) == []


def test_what_happened_while_we_were_down_is_told_at_the_next_start(make_house: MakeHouse, observer: Observer) -> None:
    """And says how late it is."""
    house = make_house()
    house.engine.says(dinner(1))
    house.clock.ahead += 100

    house.start()

    told = observer.wait_for(CALENDAR)[0].json
    assert told["late_s"] >= 100 and told["replayed"] is False


def test_a_restart_tells_nothing_twice(house: House, observer: Observer) -> None:
    """What was heard is marked before we end."""
    house.engine.says(dinner(1))
    observer.wait_for(CALENDAR)
    wait_until(lambda: waiting(house) == 0)
    house.restart_bridge()
    house.engine.says(dinner(2))

    assert [message.json["seq"] for message in observer.wait_for(CALENDAR, 2)] == [1, 2]


def test_an_event_without_an_acknowledgement_is_told_again_under_its_id(house: House, observer: Observer) -> None:
    """We die between handing it over and hearing of it: it says that it is a replay."""
    house.on_statement("UPDATE outbox SET attempts", house.bridge._connection.drop)
    house.engine.says(dinner(1))
    wait_until(lambda: not house.bridge.connected)
    house.on_statement("nothing", lambda: None)

    told = observer.wait_for(CALENDAR)[-1].json
    assert told["replayed"] is True and told["seq"] == 1
    assert len({message.json["id"] for message in observer.on(CALENDAR)}) == 1


def test_events_wait_while_nobody_listens(make_house: MakeHouse, make_observer: MakeObserver) -> None:
    """The broker says so with 0x10; a probe every 30 seconds finds the listener, then all follow in order."""
    house = make_house()
    house.start()
    house.engine.says(*(dinner(number) for number in range(5)))
    wait_until(lambda: house.bridge.advice)
    assert "add the MQTT integration" in str(house.bridge.advice) and "my.home-assistant.io" in str(house.bridge.advice)
    assert house.bridge.problem is None
    listener = make_observer(CALENDAR, "calbot/availability")
    listener.wait_for("calbot/availability")
    assert waiting(house) == 5 and listener.on(CALENDAR) == []

    house.advance(30)

    assert [message.json["seq"] for message in listener.wait_for(CALENDAR, 5)] == [1, 2, 3, 4, 5]
    wait_until(lambda: house.bridge.advice is None)


def test_a_listener_to_one_stream_gets_it_though_nobody_hears_the_other(
    make_house: MakeHouse, make_observer: MakeObserver
) -> None:
    """Each stream has its own gate."""
    listener = make_observer(CALENDAR)
    house = make_house()
    house.start()
    house.engine.says(STARTED, dinner(1), STARTED, dinner(2))

    listener.wait_for(CALENDAR, 2)
    wait_until(lambda: waiting(house) == 0)
    assert waiting(house, "system") == 2


def test_events_wait_while_home_assistant_is_offline_and_come_after_its_birth(house: House, observer: Observer) -> None:
    """Though another listener is there: first the states again, then the events."""
    observer.send("homeassistant/status", "offline")
    observer.send("calbot/command/ping", {"id": "fence"})
    observer.answers("fence")
    house.engine.says(dinner(1))
    house.engine.says(dinner(2))
    observer.send("calbot/command/ping", {"id": "fence2"})
    observer.answers("fence2")
    assert observer.on(CALENDAR) == []

    observer.send("homeassistant/status", "online")
    observer.send("calbot/command/ping", {"id": "fence3"})
    observer.answers("fence3")
    assert observer.on(CALENDAR) == []
    states = len(observer.on("calbot/state"))
    house.advance(5)

    observer.wait_for(CALENDAR, 2)
    order = [message.topic for message in observer.seen]
    assert len(observer.on("calbot/state")) == states + 1
    assert max(n for n, topic in enumerate(order) if topic == "calbot/state") < order.index(CALENDAR)


def test_after_the_broker_was_killed_events_wait_for_home_assistant(
    house: House, observer: Observer, broker: Mosquitto, make_observer: MakeObserver
) -> None:
    """It was seen, so it is waited for; its birth opens the gate and nothing is lost."""
    observer.send("homeassistant/status", "online")
    house.engine.says(dinner(1))
    observer.wait_for(CALENDAR)
    broker.kill()
    wait_until(lambda: not house.bridge.connected)
    house.engine.says(dinner(2))
    broker.start()
    late = make_observer("#")
    wait_until(lambda: house.bridge.connected)
    late.send("calbot/command/ping", {"id": "fence"})
    late.answers("fence")
    assert late.on(CALENDAR) == []

    late.send("homeassistant/status", "online")
    late.send("calbot/command/ping", {"id": "fence2"})
    late.answers("fence2")
    house.advance(5)

    assert [message.json["seq"] for message in late.wait_for(CALENDAR)] == [2]


def test_that_home_assistant_was_seen_is_remembered(house: House, observer: Observer) -> None:
    """Over restarts: a listener that is missing is then no reason for advice."""
    observer.send("homeassistant/status", "online")
    observer.send("calbot/command/ping", {"id": "fence"})
    observer.answers("fence")
    house.restart_bridge()
    observer.close()
    house.engine.says(dinner(1))
    wait_until(lambda: not house.bridge._publisher._gates["calendar"].open)

    assert house.bridge.advice is None


@pytest.mark.parametrize("poison", ["unreadable", "untellable"])
def test_a_row_that_cannot_be_told_does_not_stop_the_others(
    make_house: MakeHouse, observer: Observer, poison: str
) -> None:
    """It is left out, and said so in the log."""
    house = make_house()
    house.engine.says(dinner(1), dinner(2), dinner(3))
    content = b"\xc1" if poison == "unreadable" else msgspec.msgpack.encode(dinner(2)).replace(b"invited", b"INVITED")
    with house.database.write() as tx:
        tx.execute("UPDATE outbox SET body = ? WHERE seq = 2", (content,))

    house.start()

    assert [message.json["seq"] for message in observer.wait_for(CALENDAR, 2)] == [1, 3]
    wait_until(lambda: waiting(house) == 0)


def test_what_is_said_at_the_stop_still_goes_out(house: House, observer: Observer) -> None:
    """The last words come before the goodbye."""
    house.engine.says(Notice(event_type="stopping", text="Calbot is stopping."))
    house.bridge.stop()

    assert observer.wait_for(SYSTEM)[0].json["event_type"] == "stopping"
    wait_until(lambda: waiting(house, "system") == 0)
