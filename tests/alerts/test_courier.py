"""The courier and its channels: everybody is told, whatever becomes of the others."""

import logging
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from addon.alerts.bringing import RETRIES, Channel
from addon.alerts.channels import NotifyService, PersistentNotification, channels
from addon.alerts.courier import CHECK_SECONDS, FAREWELL_SECONDS, MOST_WAITING, TEST, Courier, Tried
from addon.alerts.judge import Message
from addon.alerts.owed import Owed
from addon.supervisor import Supervisor
from calbot.clock import SystemClock, SystemRandom
from calbot.errors import CalbotError
from calbot.secrecy import remember
from calbot.store import switches
from calbot.store.database import Database
from tests.household import NOON
from tests.service.running import wait_for
from tests.simulation.machine import VirtualClock
from tests.supervisor.server import TOKEN, FakeSupervisor

DISK = Message(kind="disk", title="Calbot cannot write", text="The disk is full.")
SOLVED = Message(kind="disk", title="Solved: Calbot cannot write", text="It is over again.")


class Pigeon:
    """A channel that keeps what it brings, unless it is told to fail."""

    def __init__(self, name: str = "pigeon") -> None:
        self.name = name
        self.brought: list[Message] = []
        self.tries = 0
        self.error: Exception | None = None
        self.unfit: Exception | None = None

    def check(self) -> None:
        if self.unfit is not None:
            raise self.unfit

    def send(self, message: Message) -> None:
        self.tries += 1
        if self.error is not None:
            raise self.error
        self.brought.append(message)


class Hanging(Pigeon):
    """A channel that hangs until it is released."""

    def __init__(self) -> None:
        super().__init__("hanging")
        self.hangs, self.release = threading.Event(), threading.Event()

    def send(self, message: Message) -> None:
        self.hangs.set()
        self.release.wait(20)
        super().send(message)


class Nobody:
    """Sends no mail."""

    def check(self, sender: str) -> None:
        raise CalbotError(f"{sender} sends no mail.")

    def send(self, sender: str, to: Sequence[str], subject: str, text: str, **_: object) -> None:
        raise CalbotError(f"{sender} sends no mail to {to}: {subject}, {text}")


class Board:
    """Where notes are shown."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, sentence: str) -> None:
        self.notes.append(sentence)

    def forget(self, sentence: str) -> None:
        self.notes = [note for note in self.notes if note != sentence]


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was logged for people."""
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize("error", [CalbotError("Nobody is there."), RuntimeError("surprise")])
def test_a_failing_channel_hurts_nobody(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    """The others get every message, at once; the failure is logged once, however often it happens."""
    broken, well, clock = Pigeon("broken"), Pigeon(), VirtualClock(NOON)
    broken.error = error
    courier = Courier((broken, well), clock)

    for message in (DISK, SOLVED):
        courier.post(message)
        courier.step()
    for _ in range(200):
        clock.sleep(60)
        courier.step()

    assert well.brought == [DISK, SOLVED] and list(courier.complaints()) == ["broken"]
    assert broken.tries == 2 * (1 + len(RETRIES)) and len(warnings(caplog)) == 1


def test_what_did_not_arrive_comes_later_and_in_order() -> None:
    """Home Assistant restarts: the alert arrives when it is back, before its `solved`."""
    pigeon, clock = Pigeon(), VirtualClock(NOON)
    pigeon.error = CalbotError("Home Assistant may be starting.")
    courier = Courier((pigeon,), clock)
    courier.post(DISK)
    courier.step()
    courier.post(SOLVED)
    courier.step()

    pigeon.error = None
    courier.step()
    too_early = list(pigeon.brought)
    clock.sleep(RETRIES[0])
    courier.step()

    assert too_early == [] and pigeon.brought == [DISK, SOLVED] and courier.complaints() == {}


def test_what_waits_is_bounded() -> None:
    """A channel that never works takes no memory."""
    pigeon, clock = Pigeon(), VirtualClock(NOON)
    pigeon.error = CalbotError("No.")
    courier = Courier((pigeon,), clock)

    for number in range(3 * MOST_WAITING):
        courier.post(Message(kind="sync", title=str(number), text=""))
        courier.step()
    pigeon.error = None
    clock.sleep(RETRIES[-1])
    courier.step()

    assert len(pigeon.brought) == MOST_WAITING


def test_who_posts_does_not_wait() -> None:
    """A channel that hangs holds up its own thread, and no stop either."""
    hanging, clock = Hanging(), SystemClock()
    courier = Courier((hanging,), clock)
    courier.start()
    courier.post(DISK)
    assert hanging.hangs.wait(5)

    began = clock.monotonic()
    courier.post(SOLVED)
    courier.stop()

    assert clock.monotonic() - began < FAREWELL_SECONDS + 0.5
    hanging.release.set()


def test_a_channel_that_hangs_delays_no_other() -> None:
    """Each has its own thread: while one mail server says nothing, the phone gets the alert and its end."""
    hanging, well = Hanging(), Pigeon()
    courier = Courier((hanging, well), SystemClock())
    courier.start()
    courier.post(DISK)
    assert hanging.hangs.wait(5)

    courier.post(SOLVED)

    wait_for(lambda: well.brought == [DISK, SOLVED], 5, "both messages")
    assert hanging.brought == [] and courier.works() == {"hanging": None, "pigeon": True}
    hanging.release.set()
    wait_for(lambda: hanging.brought == [DISK, SOLVED], 5, "both messages, late")
    courier.stop()


def test_what_will_not_arrive_is_noted_before_it_is_needed() -> None:
    """The note goes as soon as somebody has put it right; nothing has to be restarted."""
    pigeon, clock, board = Pigeon(), VirtualClock(NOON), Board()
    pigeon.unfit = CalbotError("Anna has not allowed it.")
    courier = Courier((pigeon,), clock, board)
    for _ in range(3):
        clock.sleep(CHECK_SECONDS)
        courier.step()
    noted, complained = board.notes, courier.complaints()
    pigeon.unfit = CalbotError("Anna's key is gone.")
    clock.sleep(CHECK_SECONDS)
    courier.step()
    noted_then = board.notes

    pigeon.unfit = None
    clock.sleep(CHECK_SECONDS)
    courier.step()

    assert noted == ["Alerts through pigeon will not arrive: Anna has not allowed it."]
    assert noted_then == ["Alerts through pigeon will not arrive: Anna's key is gone."]
    assert complained == {"pigeon": "Anna has not allowed it."}
    assert (board.notes, courier.complaints(), pigeon.tries) == ([], {}, 0)


def test_a_look_does_not_hide_what_did_not_arrive() -> None:
    """That a channel seems right says nothing of the message that it lost; only another message does."""
    pigeon, clock = Pigeon(), VirtualClock(NOON)
    pigeon.error = CalbotError("The server is away.")
    courier = Courier((pigeon,), clock)
    courier.post(DISK)
    for _ in range(200):
        courier.step()
        clock.sleep(CHECK_SECONDS)
    lost = courier.complaints()

    pigeon.error = None
    courier.post(SOLVED)
    courier.step()

    assert (lost, courier.complaints()) == ({"pigeon": "The server is away."}, {})


def test_a_test_says_of_each_channel_whether_it_arrived() -> None:
    """One that hangs is waited for no longer than it was said; it is tried once, not again and again."""
    broken, hanging, well, odd = Pigeon("broken"), Hanging(), Pigeon(), Pigeon("odd")
    broken.error, odd.error = CalbotError("Nobody is there."), RuntimeError("hunter2")
    clock = SystemClock()
    courier = Courier((broken, hanging, well, odd), clock)

    began = clock.monotonic()
    tried = courier.test(patience=0.5)
    took = clock.monotonic() - began

    assert tried[0] == Tried("broken", "Nobody is there.") and tried[2] == Tried("pigeon")
    assert "in time" in tried[1].why and "unexpected" in tried[3].why and "hunter2" not in tried[3].why
    assert took < 3 and well.brought == [TEST] and broken.tries == 1
    assert courier.works() == {"broken": False, "hanging": None, "pigeon": True, "odd": False}
    hanging.release.set()


def test_a_test_that_arrives_brings_what_waits() -> None:
    """Who mends a channel and presses the button does not wait for the next try."""
    pigeon, clock = Pigeon(), VirtualClock(NOON)
    pigeon.error = CalbotError("The server is away.")
    courier = Courier((pigeon,), clock)
    courier.post(DISK)
    courier.step()

    pigeon.error = None
    courier.test()
    courier.step()

    assert pigeon.brought == [TEST, DISK] and courier.complaints() == {}


def test_a_secret_in_a_complaint_is_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever a channel says; not in the log either."""
    pigeon = Pigeon()
    remember("Aq3fGh7kLm2nPq5rSt8v")
    pigeon.error = CalbotError("There is no /bot/Aq3fGh7kLm2nPq5rSt8v here.")
    courier = Courier((pigeon,), VirtualClock(NOON))

    courier.post(DISK)
    courier.step()

    assert "Aq3f" not in f"{courier.complaints()}{warnings(caplog)}" and "There is no" in courier.complaints()["pigeon"]


def test_home_assistant_is_told_by_each_way_that_was_named() -> None:
    """The notification always, each service once; a service that is unknown hurts none of the rest."""
    with FakeSupervisor() as fake:
        named = ("notify.gone", "notify.mobile_app_anna", "notify.persistent_notification", "notify.mobile_app_bob")
        core, nobody = Supervisor(TOKEN, fake.address), Nobody()
        ways: tuple[Channel, ...] = channels(core, named, (), lambda: nobody, SystemClock(), SystemRandom())
        courier = Courier(ways, SystemClock())
        courier.start()
        courier.post(DISK)
        courier.post(SOLVED)

        phones = ("notify/mobile_app_anna", "notify/mobile_app_bob")
        wait_for(lambda: all(len(fake.told(one)) == 2 for one in phones), 5, "both messages on both phones")
        wait_for(lambda: fake.told("notify/gone"), 5, "a try of the one that is gone")
        bell = fake.knows.notifications
        wait_for(lambda: bell.get("calbot_disk", {}).get("title") == SOLVED.title, 5, "the bell")
        courier.stop()

        phone = [{"title": one.title, "message": one.text} for one in (DISK, SOLVED)]
        assert fake.told("notify/mobile_app_anna") == fake.told("notify/mobile_app_bob") == phone
        assert fake.told("notify/persistent_notification") == [] and len(fake.told("notify/gone")) == 1
        assert [one["notification_id"] for one in fake.told()] == ["calbot_disk"] * 2


def test_a_notification_shows_what_was_meant() -> None:
    """Lines stay lines, links stay links, and a stranger's Markdown is text."""
    sent: list[dict[str, str]] = []

    class Core:
        def call(self, domain: str, service: str, data: object) -> None:
            assert isinstance(data, dict)
            sent.append(data)

    text = "The calendar ![x](https://example.org/x.png) <b>bold</b>\nInstall it: https://example.org/a_b?c=d_e"
    PersistentNotification(Core()).send(Message(kind="sync", title="Title", text=text))
    NotifyService(Core(), "notify.mobile_app_anna").send(Message(kind="sync", title="Title", text=text))

    shown = "The calendar \\!\\[x\\](https://example.org/x.png) \\<b\\>bold\\</b\\>\n\n"
    assert sent[0]["message"] == f"{shown}Install it: https://example.org/a_b?c=d_e"
    assert sent[1] == {"title": "Title", "message": text}


def test_a_crash_loses_no_message_and_doubles_none(tmp_path: Path) -> None:
    """What has arrived by one way and not by the other comes by that one alone, in order, before what is new."""
    store, clock = Database(tmp_path), VirtualClock(NOON)
    store.open()
    well, broken = Pigeon(), Pigeon("broken")
    broken.error = CalbotError("Home Assistant may be starting.")
    courier = Courier((well, broken), clock, owed=Owed(store))
    courier.open()
    for message in (DISK, SOLVED):
        courier.post(message)
    courier.step()
    store.close()

    store.open()
    early = Message(kind="disk", title="Calbot cannot write", text="Told before the store is open.")
    broken.error = None
    again = Courier((well, broken), clock, owed=Owed(store))
    again.post(early)
    again.open()
    again.step()
    third = Courier((well, broken), clock, owed=Owed(store))
    third.open()
    third.step()
    store.close()

    assert well.brought == [DISK, SOLVED, early] and broken.brought == [DISK, SOLVED, early]


@pytest.mark.parametrize("text", ["", "{", '{"pigeon": 7}', '{"nobody": [{"kind": "a", "title": "b", "text": "c"}]}'])
def test_what_was_owed_to_nobody_stops_nothing(tmp_path: Path, text: str) -> None:
    """A note of another version, or of a way that is no longer there."""
    store, pigeon = Database(tmp_path), Pigeon()
    store.open()
    with store.write() as tx:
        switches.remember(tx, "owed", text)
    courier = Courier((pigeon,), VirtualClock(NOON), owed=Owed(store))

    courier.open()
    courier.post(DISK)
    courier.step()
    store.close()

    assert pigeon.brought == [DISK]
