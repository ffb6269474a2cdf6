"""Promises of the monitor: what counts as down, who is told of it how often, and that no answer can hold it."""

import datetime as dt
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest

from addon.alerts.judge import Message
from addon.glance import LARGEST, Found, Target, glance, judged
from addon.monitor import LOOK_AGAIN, Monitor
from addon.outage import Notes, State, Teller
from calbot.clock import SystemClock
from calbot.errors import BadOptions, CalbotError
from tests.service.running import free_port, wait_for
from tests.simulation.machine import VirtualClock

URL = "http://127.0.0.1:8099/health"
TARGET = Target.of(URL)
FINE = json.dumps({"level": "ok", "reasons": []}).encode()
BAD = {"code": "store", "text": "The disk is full.", "remedy": "Make room.", "level": "problem"}
MILD = {"code": "push", "text": "Push does not work.", "remedy": "", "level": "degraded"}
PROBLEM = json.dumps({"level": "problem", "reasons": [MILD, BAD]}).encode()
UP, DOWN = Found(up=True), Found(up=False, reason="Calbot does not answer.")
UTC = ZoneInfo("UTC")
START = 1_795_191_600.0


class Phone:
    """A way to people. `trouble` is what keeps messages from arriving."""

    def __init__(self, name: str = "phone") -> None:
        self.name = name
        self.got: list[Message] = []
        self.tried = 0
        self.trouble: Exception | None = None

    def check(self) -> None:
        """Find nothing."""

    def send(self, message: Message) -> None:
        """Take a message."""
        self.tried += 1
        if self.trouble is not None:
            raise self.trouble
        self.got.append(message)

    @property
    def titles(self) -> list[str]:
        """What it was told."""
        return [message.title for message in self.got]


class Watch:
    """A monitor on a data directory, without its threads and its network: `see` is what a look finds."""

    def __init__(self, directory: Path, *phones: Phone, clock: VirtualClock | None = None, once: bool = False) -> None:
        self.clock = clock or VirtualClock(START)
        self.notes = Notes(directory / "monitor.json", URL)
        self.tellers = [Teller(phone, self.notes, self.clock, UTC, threading.Event()) for phone in phones]
        self.notes.open(tuple(phone.name for phone in phones), afresh=not once)

    def see(self, *found: Found) -> None:
        """Let looks find this, and what follows from each happen."""
        for one in found:
            self.notes.note(one, dt.datetime.fromtimestamp(self.clock.now(), dt.UTC))
            self.tell()
            self.clock.sleep(60.0)

    def tell(self) -> None:
        """Let each way do what it has to."""
        for teller in self.tellers:
            teller.step()

    @property
    def state(self) -> State:
        """What is known."""
        assert self.notes.state is not None
        return self.notes.state


# What counts as down


def test_a_calbot_that_is_well_or_on_its_way_is_up() -> None:
    """Only a problem is one; without an account, paused or degraded it runs."""
    for level in ("ok", "setup", "paused", "degraded"):
        body = json.dumps({"level": level, "reasons": [MILD], "next_by": None, "unknown": 1}).encode()

        assert judged(TARGET, 200, body) == UP


def test_a_problem_is_told_with_its_reasons() -> None:
    """Those that make it one; what is merely degraded is left out."""
    found = judged(TARGET, 503, PROBLEM)

    assert not found.up
    assert found.reason == f"Calbot at {URL} runs and has a problem:\nThe disk is full. Make room."


@pytest.mark.parametrize(("word", "up"), [(b"healthy", True), (b"unhealthy\n", False)])
def test_the_push_doors_word_is_understood(word: bytes, up: bool) -> None:
    """It is what can be reached from outside."""
    assert judged(TARGET, 200, word).up is up


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"<html>Welcome to nginx</html>"),
        (200, b""),
        (200, b"[1]"),
        (200, b'"ok"'),
        (200, b'{"level": 7}'),
        (200, b'{"status": "ok"}'),
        (200, b"\xff\xfe"),
        (200, b"[" * 100_000),
        (200, FINE[:-1] + b" " * LARGEST),
        (502, b"Bad Gateway"),
        (302, b""),
        (503, b"stuck"),
        (500, b"healthy"),
    ],
)
def test_what_is_not_calbots_answer_is_down(status: int, body: bytes) -> None:
    """Whoever answers in its place, and whatever it says."""
    found = judged(TARGET, status, body)

    assert not found.up and URL in found.reason and "address" in found.reason


def test_reasons_are_one_line_each_and_no_template() -> None:
    """Calendars are named by strangers."""
    reason = {"text": "A\nB\x1b[1m {{ states('x') }} \u202eC", "remedy": "", "level": "problem"}

    found = judged(TARGET, 503, json.dumps({"level": "problem", "reasons": [reason] * 3 + [BAD] * 9}).encode())

    assert found.reason.split("\n")[1:] == ["A B[1m (( states('x') )) C", "The disk is full. Make room."]


@pytest.mark.parametrize(
    "url", ["", "calbot:8099", "ftp://host/health", "http://", "http://host:99999/", "http://a b/", "http://h/\n"]
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    """The sentence does not repeat it: there may be a password in it."""
    with pytest.raises(BadOptions, match="--url") as refused:
        Target.of(url)

    assert not url or url not in str(refused.value).replace("http://192.0.2.7:8099/health", "")


def test_a_password_in_the_address_is_sent_and_never_shown() -> None:
    """For a proxy before Calbot."""
    target = Target.of("https://anna:correct-horse%21@calbot.example.org/health?key=abc")

    assert target.headers["Authorization"] == "Basic YW5uYTpjb3JyZWN0LWhvcnNlIQ=="
    assert (target.port, target.path) == (443, "/health?key=abc")
    assert target.shown == "https://calbot.example.org/health"


# One look


@contextmanager
def answering(serve: Callable[[socket.socket], None]) -> Iterator[Target]:
    """A server that does this with each connection; gives the target that leads to it."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def run() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    try:
                        serve(connection)
                    except OSError:
                        continue

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield Target.of(f"http://127.0.0.1:{server.getsockname()[1]}/health")
        server.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def says(answer: bytes) -> Callable[[socket.socket], None]:
    """Send this whatever is asked."""

    def serve(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(answer)

    return serve


def drips(head: bytes) -> Callable[[socket.socket], None]:
    """Send one byte after the other, for ever."""

    def serve(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(head)
        while True:
            connection.sendall(b" ")
            threading.Event().wait(0.02)

    return serve


def holds(connection: socket.socket) -> None:
    """Never answer, until the other side gives up."""
    while connection.recv(65536):
        pass


def looked(target: Target, seconds: float = 5.0) -> tuple[Found | None, float]:
    """What a look finds, and how long it takes."""
    began = time.monotonic()
    found = glance(target, seconds, threading.Event(), SystemClock())
    return found, time.monotonic() - began


def test_a_look_asks_and_understands() -> None:
    """Over a real connection."""
    body = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(FINE), FINE)

    with answering(says(body)) as target:
        found, _ = looked(target)

    assert found == UP


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000 + b"\r\n",
        b"HTTP/1.1 999999 \r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n" + b"x" * 9_000_000,
    ],
)
def test_garbage_and_floods_are_down_and_no_exception(answer: bytes) -> None:
    """Also what is much larger than any answer of Calbot."""
    with answering(says(answer)) as target:
        found, seconds = looked(target)

    assert found is not None and not found.up
    assert target.shown in found.reason and seconds < 3


@pytest.mark.parametrize("serve", [holds, drips(b""), drips(b"HTTP/1.1 200 OK\r\n"), drips(b"HTTP/1.1 200 OK\r\n\r\n")])
def test_a_look_ends_in_time_however_slowly_it_is_answered(serve: Callable[[socket.socket], None]) -> None:
    """A byte now and then does not keep it, and its connection does not stay open."""
    with answering(serve) as target:
        found, seconds = looked(target, 0.5)

        wait_for(lambda: not [t for t in threading.enumerate() if t.name == "glance"], 5, "the look's thread ends")
    assert found is not None and not found.up and "no answer within 0.5 s" in found.reason
    assert seconds < 1.5


def test_what_does_not_listen_is_down() -> None:
    """It is said in words."""
    found, _ = looked(Target.of(f"http://127.0.0.1:{free_port()}/health"))

    assert found is not None and "nothing listens there" in found.reason


def test_a_stop_ends_a_look_at_once() -> None:
    """Nothing is noted then."""
    stop = threading.Event()
    threading.Timer(0.2, stop.set).start()
    began = time.monotonic()

    with answering(holds) as target:
        found = glance(target, 5.0, stop, SystemClock())

    assert found is None and time.monotonic() - began < 1.5


# Who is told


def test_down_and_up_again_are_told_once_each(tmp_path: Path) -> None:
    """However long it lasts."""
    phone = Phone()
    watch = Watch(tmp_path, phone)

    watch.see(UP, DOWN, DOWN, DOWN, DOWN, UP, UP, UP)

    assert phone.titles == ["Calbot is down", "Calbot is up again"]
    down, up = (message.text for message in phone.got)
    assert down.startswith("Calbot does not answer.") and "calbot monitor" in down
    assert up == f"Calbot at {URL} works again. It was down for 4 minutes."


def test_one_failed_look_tells_nothing(tmp_path: Path) -> None:
    """A restart is no outage, and an outage that nobody heard of is not over either."""
    phone = Phone()
    watch = Watch(tmp_path, phone)

    watch.see(UP, DOWN, UP, DOWN, UP, DOWN, UP)

    assert phone.tried == 0


def test_the_second_look_comes_soon(tmp_path: Path) -> None:
    """Also where the first one would be followed by a day's pause; and as rarely as asked otherwise."""
    clock, stop = VirtualClock(START), threading.Event()
    notes = Notes(tmp_path / "monitor.json", URL)
    monitor = Monitor(TARGET, notes, (), clock=clock, stop=stop, interval=3600)

    now = dt.datetime.fromtimestamp(clock.now(), dt.UTC)
    pauses = [monitor.pause(notes.note(found, now)) for found in (UP, DOWN, DOWN, DOWN, UP)]

    assert pauses == [3600, LOOK_AGAIN, 3600, 3600, 3600]


def test_what_was_told_is_written_before_it_counts(tmp_path: Path) -> None:
    """A look of cron's ends as soon as it counts: had it not been written by then, the next one would tell it again."""

    counted: list[bool] = []

    class Watched(Notes):
        def _write(self, state: State) -> None:
            counted.append(self.state is not None and "phone" in self.state.told)
            super()._write(state)

    notes = Watched(tmp_path / "monitor.json", URL)
    down = dt.datetime(2026, 11, 21, 9, 0, tzinfo=dt.UTC)
    notes.note(Found(up=False, reason="It does not answer."), down)

    notes.told("phone", down)

    assert counted[-1] is False and notes.state is not None and notes.state.told == {"phone": down}


def test_a_restart_tells_nothing_twice(tmp_path: Path) -> None:
    """What was told is known from the file, the beginning of the outage too."""
    phone, clock = Phone(), VirtualClock(START)
    Watch(tmp_path, phone, clock=clock).see(UP, DOWN, DOWN)

    Watch(tmp_path, phone, clock=clock).see(DOWN, DOWN, DOWN)
    Watch(tmp_path, phone, clock=clock).see(UP, UP)
    Watch(tmp_path, phone, clock=clock).see(UP)

    assert phone.titles == ["Calbot is down", "Calbot is up again"]
    assert "down for 5 minutes" in phone.got[-1].text


def test_a_restart_of_everything_is_no_outage(tmp_path: Path) -> None:
    """A failed look of before is none of this run's; for cron, whose every look is a run, it is."""
    running, cron = Phone(), Phone()

    for phone, directory, once in ((running, tmp_path / "a", False), (cron, tmp_path / "b", True)):
        for found in (DOWN, DOWN):
            Watch(directory, phone, once=once).see(found)

    assert (running.tried, cron.titles) == (0, ["Calbot is down"])


def test_what_did_not_arrive_is_tried_again_and_survives_a_restart(tmp_path: Path) -> None:
    """It is told once by each way that works, and a way that broke learns of it later, or never of what is over."""
    good, broken, clock = Phone("good"), Phone("broken"), VirtualClock(START)
    broken.trouble = CalbotError("The network is away.")
    Watch(tmp_path, good, broken, clock=clock).see(DOWN, DOWN, DOWN)
    again = Watch(tmp_path, good, broken, clock=clock)

    again.see(DOWN, DOWN)
    broken.trouble = None
    again.see(*[DOWN] * 4)
    again.see(UP)

    assert good.titles == broken.titles == ["Calbot is down", "Calbot is up again"]


def test_tries_are_further_and_further_apart_and_never_end(tmp_path: Path) -> None:
    """A surprise of the way's own code is treated like a refusal."""
    phone = Phone()
    phone.trouble = ValueError("a bug")
    watch = Watch(tmp_path, phone)

    watch.see(*[DOWN] * 1200)
    tries = phone.tried
    phone.trouble = None
    watch.see(*[DOWN] * 31)

    assert 40 <= tries <= 48  # in twenty hours: after half a minute, two, ten, and then every half hour
    assert phone.titles == ["Calbot is down"]


def test_what_is_over_before_it_could_be_told_is_told_no_more(tmp_path: Path) -> None:
    """Neither that it is down when it is up, nor that it is up to who never heard that it was down."""
    phone = Phone()
    phone.trouble = CalbotError("away")
    watch = Watch(tmp_path, phone)

    watch.see(DOWN, DOWN, DOWN)
    phone.trouble = None
    watch.see(*[UP] * 60)

    assert phone.got == []


def test_the_same_message_is_brought_again(tmp_path: Path) -> None:
    """A mail that is tried twice is one mail: the channel knows it by being the same."""
    seen: list[Message] = []

    class Mail(Phone):
        def send(self, message: Message) -> None:
            seen.append(message)
            raise CalbotError("lost")

    watch = Watch(tmp_path, Mail())
    watch.see(*[DOWN] * 5)

    assert len(seen) > 2 and all(one is seen[0] for one in seen)


def test_a_way_that_hangs_holds_up_no_other(tmp_path: Path) -> None:
    """Each has a thread of its own."""
    hanging, good, stop = Phone("hanging"), Phone("good"), threading.Event()

    class Hanging(Phone):
        def send(self, message: Message) -> None:
            stop.wait(30)

    hanging = Hanging("hanging")
    notes = Notes(tmp_path / "monitor.json", URL)
    tellers = [Teller(phone, notes, SystemClock(), UTC, stop) for phone in (hanging, good)]
    for teller in tellers:
        teller.start()
    for _ in range(2):
        notes.note(DOWN, dt.datetime.now(dt.UTC))
        for teller in tellers:
            teller.wake()

    wait_for(lambda: good.titles == ["Calbot is down"], 5, "the other way tells")
    stop.set()


def test_each_way_is_told_of_the_outage_that_it_heard_of(tmp_path: Path) -> None:
    """One way fails for days, over the end of an outage and a second one: no other way hears of the first again."""
    good, failing = Phone("good"), Phone("failing")
    watch = Watch(tmp_path, good, failing)
    watch.see(DOWN, DOWN)
    failing.trouble = CalbotError("away")
    watch.see(*[UP] * 1440)
    watch.see(DOWN, DOWN, DOWN)
    failing.trouble = None

    watch.see(*[UP] * 31)

    assert good.titles == ["Calbot is down", "Calbot is up again"] * 2
    assert "It has been so since 16:22," in good.got[2].text and "down for 3 minutes" in good.got[3].text
    assert failing.titles == ["Calbot is down", "Calbot is up again"] and "down for 24 hours" in failing.got[1].text


def test_a_second_outage_is_told_by_a_message_of_its_own(tmp_path: Path) -> None:
    """Where the first one's hung in its way from before the end until after the next beginning."""
    watch = Watch(tmp_path, phone := Phone())
    phone.trouble = CalbotError("away")
    watch.see(DOWN, DOWN)
    for found in (UP, DOWN, DOWN):
        watch.notes.note(found, dt.datetime.fromtimestamp(watch.clock.now(), dt.UTC))
        watch.clock.sleep(60.0)
    phone.trouble = None

    watch.see(DOWN)

    assert "It has been so since 16:23," in phone.got[0].text


def test_what_an_earlier_run_left_waits_for_the_first_look(tmp_path: Path) -> None:
    """For cron: its last run could not tell that Calbot was down, and by now it is up."""
    phone, clock = Phone(), SystemClock()
    phone.trouble = CalbotError("away")
    Watch(tmp_path, phone, once=True).see(DOWN, DOWN)
    phone.trouble, asked = None, phone.tried
    watch = Watch(tmp_path, phone, once=True)
    teller = Teller(phone, watch.notes, clock, UTC, stop := threading.Event())

    teller.start()
    teller_is_early = threading.Event().wait(0.2) or phone.tried > asked
    watch.notes.note(UP, dt.datetime.now(dt.UTC))
    teller.wake()
    wait_for(lambda: not teller._woken.is_set(), 5, "it has looked")

    stop.set()
    assert not teller_is_early and phone.got == []


def test_a_surprise_ends_no_way(tmp_path: Path) -> None:
    """Whatever it is, also in our own part of it: the next look has it tried again."""

    class Odd(SystemClock):
        surprises = 1

        def monotonic(self) -> float:
            if self.surprises:
                self.surprises -= 1
                raise ValueError("a bug")
            return super().monotonic()

    phone, stop = Phone(), threading.Event()
    notes = Notes(tmp_path / "monitor.json", URL)
    teller = Teller(phone, notes, clock := Odd(), UTC, stop)
    teller.start()
    for _ in range(2):
        notes.note(DOWN, dt.datetime.now(dt.UTC))
    teller.wake()
    wait_for(lambda: not clock.surprises, 5, "the surprise")

    teller.wake()
    wait_for(lambda: phone.titles == ["Calbot is down"], 5, "it tells")

    stop.set()


# The status file


def test_the_status_file_says_what_is_known(tmp_path: Path) -> None:
    """For whoever looks: up or down, since when, when it was looked, why, and who was told. It is its user's alone."""
    watch = Watch(tmp_path, Phone("mail"))

    watch.see(UP, DOWN, DOWN)

    path = tmp_path / "monitor.json"
    told = json.loads(path.read_text())
    assert told["status"] == "down" and told["reason"] == "Calbot does not answer." and list(told["told"]) == ["mail"]
    since, checked = (dt.datetime.fromisoformat(told[key]) for key in ("since", "checked_at"))
    assert checked - since == dt.timedelta(seconds=60) and path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "content", [b"", b"{", b'{"status": "sideways"}', b"\xff", b"[" * 70_000, b'{"x":' + b"[" * 60_000]
)
def test_a_damaged_status_file_is_begun_anew(tmp_path: Path, content: bytes) -> None:
    """It is written again at the next look."""
    (tmp_path / "monitor.json").write_bytes(content)

    Watch(tmp_path, Phone()).see(UP)

    assert msgspec.json.decode((tmp_path / "monitor.json").read_bytes(), type=State).status == "up"


def test_a_disk_that_takes_no_status_file_keeps_nobody_from_hearing(tmp_path: Path) -> None:
    """It is said once."""
    (tmp_path / "monitor.json").mkdir()
    (tmp_path / "monitor.json" / "x").touch()
    phone = Phone()

    Watch(tmp_path, phone).see(UP, DOWN, DOWN, UP)

    assert phone.titles == ["Calbot is down", "Calbot is up again"]


def test_what_is_known_of_one_calbot_says_nothing_of_another(tmp_path: Path) -> None:
    """The address was changed between two runs."""
    phone = Phone()
    Watch(tmp_path, phone).see(DOWN, DOWN)
    state = json.loads((tmp_path / "monitor.json").read_text())
    (tmp_path / "monitor.json").write_text(json.dumps({**state, "url": "http://other/health"}))

    Watch(tmp_path, phone).see(UP)

    assert phone.titles == ["Calbot is down"]
