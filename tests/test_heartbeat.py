"""The heartbeat: up only when Calbot truly works, told every minute and at once, and never to where it must not go."""

import logging
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from addon.heartbeat import EVERY, SETTLED, Heartbeat, Look, Monitor, NoHeartbeat, allowed, judged
from calbot.clock import SystemClock
from calbot.secrecy import MASK, cleaned, remember
from calbot.status import Snapshot
from tests.household import NOON
from tests.kuma import NAME, TOKEN, Kuma, certificate, monitor
from tests.simulation.machine import VirtualClock
from tests.web.world import NOW, SNAPSHOT

HOUR = 3600.0
UP, DOWN, UNKNOWN = Look(True, "OK", 0.1234), Look(False, "The disk is full."), Look(None, "")


@pytest.fixture
def kuma() -> Iterator[Kuma]:
    """A monitor that is well."""
    with monitor() as made:
        yield made


def telling(url: str, addresses: dict[str, list[str]] | None = None, *, supervised: bool = False) -> Monitor:
    """Who tells, with a resolver that knows these names and no other."""

    def resolve(name: str, _port: int) -> list[str]:
        if addresses is None:
            return ["127.0.0.1"]
        if name not in addresses:
            raise OSError("unknown")
        return addresses[name]

    return Monitor(url, supervised, SystemClock(), resolve)


# What is up


def with_account(**parts: object) -> Snapshot:
    """All is well but for this."""
    account = msgspec.structs.replace(SNAPSHOT.accounts[0], **parts)
    return msgspec.structs.replace(SNAPSHOT, accounts=(account,))


def read_ago(seconds: float, *, every: float = 60.0) -> Snapshot:
    """The calendar was read so long ago."""
    calendar = msgspec.structs.replace(
        SNAPSHOT.accounts[0].calendars[0], last_success=NOW - seconds, every=every, stale_after=3 * every + 60
    )
    return with_account(calendars=(calendar,))


def look(snapshot: Snapshot, *, silent: float = 0.0) -> Look:
    """How Calbot is, by this snapshot."""
    return judged(snapshot, NOW, watch_silent=silent, ping=0.25)


def test_all_well_is_up_with_the_ping() -> None:
    """With how long Google's last call took."""
    assert look(SNAPSHOT) == Look(True, "OK", 0.25)


@pytest.mark.parametrize(
    ("snapshot", "told"),
    [
        (msgspec.structs.replace(SNAPSHOT, disk_problem="The disk is full."), "The disk is full."),
        (msgspec.structs.replace(SNAPSHOT, option_problem="poll_interval: too small."), "poll_interval"),
        (msgspec.structs.replace(SNAPSHOT, accounts=()), "No Google account"),
        (msgspec.structs.replace(SNAPSHOT, hung=(SNAPSHOT.accounts[0].email,)), "stood still"),
        (with_account(signed_in=False), "sign-in"),
        (with_account(waiting_since=NOW - HOUR - 1), "more than an hour"),
        (read_ago(130), "was not read lately"),
        (read_ago(1900, every=900), "was not read lately"),
    ],
)
def test_what_keeps_it_from_working_is_down_with_the_reason(snapshot: Snapshot, told: str) -> None:
    """A problem, no account, a hang, work that lies, and a calendar that has missed two readings."""
    started = msgspec.structs.replace(snapshot, started_at=NOW - 5 * HOUR)

    found = look(started)

    assert found.up is False and told in found.text


@pytest.mark.parametrize(
    "snapshot",
    [
        msgspec.structs.replace(SNAPSHOT, broker_problem="No MQTT broker answers."),
        msgspec.structs.replace(SNAPSHOT, settings=msgspec.structs.replace(SNAPSHOT.settings, paused_until=NOW + 60)),
        msgspec.structs.replace(SNAPSHOT, clock_off=900.0),
        with_account(held=5),
        with_account(waiting_since=NOW - 2 * HOUR, paused=True),
        with_account(waiting_since=NOW - HOUR + 60),
        read_ago(110),
        read_ago(1700, every=900),
    ],
)
def test_what_does_not_keep_it_from_working_is_up(snapshot: Snapshot) -> None:
    """The broker, a pause, what people are to decide: calendars are read all the same."""
    assert look(msgspec.structs.replace(snapshot, started_at=NOW - 5 * HOUR)).up is True


def test_who_watches_is_watched_too() -> None:
    """A snapshot that nobody keeps up to date proves nothing."""
    assert (look(SNAPSHOT, silent=29).up, look(SNAPSHOT, silent=31).up) == (True, False)


def test_after_a_start_nobody_knows_yet() -> None:
    """What was read in an earlier life is old; two readings' time is given, and then it is down."""
    old = read_ago(5 * HOUR)

    young = look(msgspec.structs.replace(old, started_at=NOW - 20))
    late = look(msgspec.structs.replace(old, started_at=NOW - 130))
    never = look(
        msgspec.structs.replace(
            with_account(calendars=(msgspec.structs.replace(old.accounts[0].calendars[0], last_success=None),)),
            started_at=NOW - 20,
        )
    )

    assert (young.up, late.up, never.up) == (None, False, None)


def test_a_long_first_reading_is_not_down_while_it_gets_on() -> None:
    """Nobody knows yet, for half an hour; a calendar of the same account that waits for it is not down either."""
    read = read_ago(300).accounts[0].calendars[0]
    never = msgspec.structs.replace(read, last_success=None)
    started = msgspec.structs.replace(with_account(calendars=(never, read), syncing=True), started_at=NOW - 1000)

    assert look(started).up is None
    assert look(msgspec.structs.replace(started, started_at=NOW - 1900)).up is False
    assert look(msgspec.structs.replace(started, accounts=with_account(calendars=(never,)).accounts)).up is False


def test_work_that_lay_while_calbot_was_off_has_its_hour_too() -> None:
    """It waits from the start on."""
    assert look(msgspec.structs.replace(with_account(waiting_since=NOW - 9 * HOUR), started_at=NOW - 60)).up is True


# When it is told


class Story:
    """A heartbeat on a virtual clock to a real monitor, stepped every second."""

    def __init__(self, kuma: Kuma) -> None:
        self.clock = VirtualClock(NOON)
        self.look = UP
        self.kuma = kuma
        self.heartbeat = Heartbeat(Monitor(kuma.url(), False, self.clock), lambda: self.look)

    def live(self, seconds: float) -> list[str]:
        """What is told in that time."""
        before = len(self.kuma.heard)
        for _ in range(round(seconds)):
            self.heartbeat.step()
            self.clock.sleep(1)
        return self.kuma.statuses()[before:]


def test_it_is_told_once_a_minute_with_the_ping(kuma: Kuma) -> None:
    """In the words of Uptime Kuma; what the copied address says of that is replaced, its own parameters stay."""
    story = Story(kuma)
    kept = telling(kuma.url() + "&monitor=home%20one")

    told = story.live(5 * EVERY)
    kept.tell(DOWN)

    assert told == ["up"] * 5
    assert kuma.heard[0] == {"status": "up", "msg": "OK", "ping": "123"}
    assert kuma.heard[-1] == {"monitor": "home one", "status": "down", "msg": "The disk is full.", "ping": ""}
    assert kuma.hosts[-1] == f"127.0.0.1:{kuma.port}"


def test_down_and_up_are_told_at_once(kuma: Kuma) -> None:
    """Within seconds; and once a minute while it lasts."""
    story = Story(kuma)
    story.live(10)

    story.look = DOWN
    first = story.live(SETTLED + 1)
    minutes = story.live(2 * EVERY)
    story.look = UP
    up = story.live(1)

    assert (first, minutes, up) == (["down"], ["down"] * 2, ["up"])


def test_what_flickers_is_not_told(kuma: Kuma) -> None:
    """A second of doubt, ten times a minute, at whatever moment."""
    story = Story(kuma)
    told = story.live(1)
    for _ in range(60):
        story.look = DOWN
        told += story.live(2)
        story.look = UP
        told += story.live(2)

    assert set(told) == {"up"} and len(told) >= 3


def test_nobody_is_told_what_nobody_knows(kuma: Kuma) -> None:
    """Neither up nor down, until something is known."""
    story = Story(kuma)
    story.look = UNKNOWN

    told = story.live(90)
    story.look = UP

    assert told == [] and story.live(1) == ["up"]


def test_a_monitor_that_is_away_is_said_once_by_its_host_alone(kuma: Kuma, caplog: pytest.LogCaptureFixture) -> None:
    """One line when it begins and one when it is over; the address holds a token."""
    caplog.set_level(logging.DEBUG)
    story = Story(kuma)
    story.live(1)

    kuma.mood = "gone"
    story.live(5 * EVERY)
    complaint = story.heartbeat.complaint
    kuma.mood = ""
    story.live(2 * EVERY)

    assert [record.levelname for record in caplog.records if record.name == "addon.heartbeat"] == ["WARNING", "INFO"]
    assert "404" in complaint and story.heartbeat.complaint == "" and TOKEN not in cleaned(caplog.text) + complaint
    assert TOKEN not in repr(telling(kuma.url()))


def test_the_thread_tells_and_stops_at_once(kuma: Kuma) -> None:
    """Also with a monitor that does not answer; its address is a secret from then on."""
    heartbeat = Heartbeat(telling(kuma.url()), lambda: UP)
    heartbeat.start()
    end = time.monotonic() + 10
    while not kuma.heard:
        assert time.monotonic() < end

    began = time.monotonic()
    heartbeat.stop()

    assert time.monotonic() - began < 0.5 and heartbeat._thread.daemon
    assert cleaned(f"GET /api/push/{TOKEN} {kuma.url()}") == f"GET /api/push/{MASK} {MASK}"


def test_a_look_that_fails_ends_nothing(kuma: Kuma, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, and the next one is told."""
    looks = iter([ZeroDivisionError("oh")])

    def stumbling() -> Look:
        for error in looks:
            raise error
        return UP

    heartbeat = Heartbeat(telling(kuma.url()), stumbling)
    heartbeat.start()
    end = time.monotonic() + 10
    while not kuma.heard:
        assert time.monotonic() < end
    heartbeat.stop()

    assert "surprise in the heartbeat" in caplog.text


def test_the_message_is_short_one_line_and_without_secrets(kuma: Kuma) -> None:
    """Two hundred signs of what a stranger may have named."""
    remember("a-long-secret")

    telling(kuma.url()).tell(Look(False, "a-long-secret \n\x1b[31m &status=up " + "x" * 500))

    (heard,) = kuma.heard
    assert heard["status"] == "down" and len(heard["msg"]) == 200
    assert heard["msg"].startswith(f"{MASK} [31m &status=up xxx")


# Where it may go


@pytest.mark.parametrize("mood", ["elsewhere", "drips", "mute", "floods"])
def test_it_follows_nobody_and_waits_five_seconds_at_most(kuma: Kuma, mood: str) -> None:
    """Redirects, answers that drip, that never come, that never end."""
    kuma.mood = mood
    began = time.monotonic()

    if mood == "floods":
        telling(kuma.url()).tell(UP)
    else:
        with pytest.raises(NoHeartbeat):
            telling(kuma.url()).tell(UP)

    assert time.monotonic() - began < 5.5 and not kuma.strays


@pytest.mark.parametrize(
    ("address", "https", "http", "supervised"),
    [
        ("93.184.216.34", True, False, True),
        ("2606:2800:220:1::1", True, False, True),
        ("10.1.2.3", True, True, True),
        ("172.16.0.9", True, True, True),
        ("192.168.1.20", True, True, True),
        ("fd12:3456::1", True, True, True),
        ("100.64.1.1", True, False, True),
        ("172.30.31.255", True, True, True),
        ("127.0.0.1", True, True, False),
        ("127.9.9.9", True, True, False),
        ("::1", True, True, False),
        ("::ffff:127.0.0.1", True, True, False),
        ("172.30.32.2", False, False, False),
        ("172.30.33.254", False, False, False),
        ("::ffff:172.30.32.2", False, False, False),
        ("64:ff9b::ac1e:2002", False, False, False),
        ("2002:ac1e:2002::1", False, False, False),
        ("169.254.169.254", False, False, False),
        ("::ffff:169.254.169.254", False, False, False),
        ("64:ff9b::a9fe:a9fe", False, False, False),
        ("fe80::1", False, False, False),
        ("fe80::1%eth0", False, False, False),
        ("fd00:ec2::254", False, False, False),
        ("fd20:ce::254", False, False, False),
        ("fd0c:ac1e:2100::2", False, False, False),
        ("100.100.100.200", False, False, False),
        ("168.63.129.16", False, False, False),
        ("192.0.0.192", False, False, False),
        ("0.0.0.0", False, False, False),
        ("0.1.2.3", False, False, False),
        ("::", False, False, False),
        ("224.0.0.1", False, False, False),
        ("255.255.255.255", False, False, False),
        ("ff02::1", False, False, False),
        ("::127.0.0.1", False, False, False),
        ("fec0::1", False, False, False),
        ("not an address", False, False, False),
    ],
)
def test_where_a_heartbeat_may_go(address: str, https: bool, http: bool, supervised: bool) -> None:
    """`supervised` is whether https may go there beside a Supervisor, too."""
    assert allowed(address, plain=False, supervised=False) == https
    assert allowed(address, plain=True, supervised=False) == http
    assert allowed(address, plain=False, supervised=True) == supervised


@pytest.mark.parametrize(
    "url",
    [
        "http://supervisor/core/api",
        "https://SUPERVISOR./core/api",
        "http://hassio/",
        "http://rebound.example.org/api/push/x",
        "http://public.example.org/api/push/x",
        "http://user@172.30.32.2/",
        "http://10.0.0.1@metadata.example.org/",
        "http://2852039166/latest/meta-data",
        "http://0xa9fea9fe/",
        "http://[::ffff:172.30.32.2]/",
    ],
)
def test_a_name_is_judged_by_where_it_leads(url: str) -> None:
    """However it is written, and whoever answers for it."""
    names = {
        "supervisor": ["10.0.0.1"],
        "supervisor.": ["10.0.0.1"],
        "hassio": ["10.0.0.1"],
        "rebound.example.org": ["172.30.32.2"],
        "public.example.org": ["93.184.216.34"],
        "metadata.example.org": ["169.254.169.254"],
        "172.30.32.2": ["172.30.32.2"],
        "2852039166": ["169.254.169.254"],
        "0xa9fea9fe": ["169.254.169.254"],
        "::ffff:172.30.32.2": ["::ffff:172.30.32.2"],
    }

    with pytest.raises(NoHeartbeat, match="https addresses"):
        telling(url, names).tell(UP)


def test_a_name_is_resolved_once_and_that_address_is_asked(kuma: Kuma) -> None:
    """Who answers otherwise the second time (DNS rebinding) is not asked a second time; the name stays in `Host`."""
    answers = iter([["169.254.169.254", "127.0.0.1"], ["169.254.169.254"]])
    asked: list[str] = []

    def resolve(name: str, _port: int) -> list[str]:
        asked.append(name)
        return next(answers)

    Monitor(kuma.url(NAME), False, SystemClock(), resolve).tell(UP)

    assert asked == [NAME] and kuma.hosts == [f"{NAME}:{kuma.port}"]


def test_beside_a_supervisor_the_machine_itself_is_out_of_bounds(kuma: Kuma) -> None:
    """Its own doors are no monitor; nothing is sent."""
    with pytest.raises(NoHeartbeat, match="https addresses"):
        telling(kuma.url(), supervised=True).tell(UP)

    assert not kuma.heard and not kuma.strays


def test_a_name_that_nobody_knows_is_one_sentence() -> None:
    """Of the address nothing but that."""
    with pytest.raises(NoHeartbeat, match="cannot be resolved"):
        telling(f"https://{NAME}/api/push/{TOKEN}", {}).tell(UP)


@pytest.fixture
def trusted(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Makes a certificate for a name that this machine trusts for the length of the test."""
    before = os.environ.get("SSL_CERT_FILE")

    def made(name: str) -> Path:
        path = certificate(tmp_path, name)
        os.environ["SSL_CERT_FILE"] = str(path)
        return path

    yield made
    os.environ.pop("SSL_CERT_FILE", None)
    if before is not None:
        os.environ["SSL_CERT_FILE"] = before


def test_with_tls_the_certificate_is_that_of_the_name(trusted: Callable[[str], Path]) -> None:
    """Although the address is asked: the name is in the greeting, and it is what the certificate is held against."""
    with monitor(trusted(NAME)) as kuma:
        telling(kuma.url(NAME, "https")).tell(UP)
        telling(kuma.url(NAME, "https")).check()
        with pytest.raises(NoHeartbeat, match="cannot be reached"):
            telling(kuma.url("other.example.org", "https")).tell(UP)
        with pytest.raises(NoHeartbeat, match="certificate"):
            telling(kuma.url("other.example.org", "https")).check()

        assert kuma.statuses() == ["up"]


def test_a_check_tells_nobody(kuma: Kuma) -> None:
    """That it can be reached, or not."""
    telling(kuma.url()).check()
    unreachable = telling("http://127.0.0.1:9/api/push/x")

    with pytest.raises(NoHeartbeat, match="cannot be reached"):
        unreachable.check()
    assert not kuma.heard and not kuma.strays
