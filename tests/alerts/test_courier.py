"""The courier and its channels: everybody is told, whatever becomes of the others."""

import logging
import threading

import pytest

from addon.alerts.channels import NotifyService, PersistentNotification, channels
from addon.alerts.courier import MOST_WAITING, RETRIES, Channel, Courier
from addon.alerts.judge import Message
from addon.supervisor import Supervisor
from calbot.clock import SystemClock
from calbot.errors import CalbotError
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

    def send(self, message: Message) -> None:
        self.tries += 1
        if self.error is not None:
            raise self.error
        self.brought.append(message)


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
    hung, release = threading.Event(), threading.Event()

    class Hanging:
        name = "hanging"

        def send(self, message: Message) -> None:
            hung.set()
            release.wait(10)

    clock = SystemClock()
    courier = Courier((Hanging(),), clock)
    courier.start()
    courier.post(DISK)
    assert hung.wait(5)

    began = clock.monotonic()
    courier.post(SOLVED)
    courier.stop()

    assert clock.monotonic() - began < 0.5
    release.set()


def test_home_assistant_is_told_by_each_way_that_was_named() -> None:
    """The notification always, each service once; a service that is unknown hurts none of the rest."""
    with FakeSupervisor() as fake:
        named = ("notify.gone", "notify.mobile_app_anna", "notify.persistent_notification", "notify.mobile_app_bob")
        ways: tuple[Channel, ...] = channels(Supervisor(TOKEN, fake.address), named)
        courier = Courier(ways, SystemClock())
        courier.start()
        courier.post(DISK)
        courier.post(SOLVED)

        wait_for(lambda: len(fake.told("notify/mobile_app_bob")) == 2, 5, "the last of the channels")
        courier.stop()

        phone = [{"title": one.title, "message": one.text} for one in (DISK, SOLVED)]
        assert fake.told("notify/mobile_app_anna") == fake.told("notify/mobile_app_bob") == phone
        assert fake.told("notify/persistent_notification") == [] and len(fake.told("notify/gone")) == 1
        assert [one["notification_id"] for one in fake.told()] == ["calbot_disk"] * 2
        assert fake.knows.notifications["calbot_disk"]["title"] == SOLVED.title


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
