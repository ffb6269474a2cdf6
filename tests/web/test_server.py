"""Promises of the web server: clear words for a taken port, patience with nobody, and a quick end."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from time import monotonic
from types import SimpleNamespace
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
from waitress.adjustments import Adjustments
from waitress.channel import ClientDisconnected

from addon.web import server
from addon.web.server import Door, WebServer
from addon.web.webhook import PushDoor
from calbot.clock import SystemClock
from tests.web.world import FakeEngine, ask, example_panel, serving

PUSH = PushDoor(FakeEngine(), lambda: True)


def eventually(true: Callable[[], bool], within: float = 5.0) -> bool:
    """Wait until something is true, for a time at most."""
    ends = monotonic() + within
    pause = threading.Event()
    while not true():
        if monotonic() > ends:
            return False
        pause.wait(0.02)
    return True


@contextlib.contextmanager
def crowd(port: int, size: int, says: bytes) -> Iterator[list[socket.socket]]:
    """Open many connections that say the beginning of something."""
    with contextlib.ExitStack() as stack:
        guests = []
        for _ in range(size):
            guest = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
            guest.sendall(says)
            guests.append(guest)
        yield guests


def is_cut(guest: socket.socket) -> bool:
    """Say whether the other side has closed."""
    guest.setblocking(False)
    try:
        return guest.recv(65536) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def test_a_taken_port_is_named_with_the_variable_that_moves_it() -> None:
    """No traceback, and the other door is open all the same."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        with socket.create_server(("127.0.0.1", 0)) as probe:
            free = probe.getsockname()[1]
        doors = [
            Door("panel", example_panel(), "127.0.0.1", free, "CALBOT_PANEL_PORT"),
            Door("push door", PUSH, "127.0.0.1", taken, "CALBOT_PUSH_PORT"),
        ]
        house = WebServer(doors, SystemClock())
        (blocked,) = house.start()
        try:
            assert house.ports == (free, 0)
            assert ask(free, "GET", "/live")[0] == 200
        finally:
            house.stop()

    assert str(blocked) == (
        f"The push door cannot listen on 127.0.0.1, port {taken}: another program uses that port; "
        "stop it, or choose another port with CALBOT_PUSH_PORT."
    )
    with socket.create_server(("127.0.0.1", free)):
        pass


def test_an_address_that_is_not_ours_is_named() -> None:
    """A wrong CALBOT_BIND says so."""
    house = WebServer([Door("panel", PUSH, "192.0.2.1", 0, "CALBOT_PANEL_PORT")], SystemClock())

    (blocked,) = house.start()

    assert "does not have that address; correct CALBOT_BIND" in str(blocked)
    house.stop()


def test_each_door_shows_only_its_own_side() -> None:
    """Two ports, one loop: the panel is not on the push door, nor the other way round."""
    with serving(example_panel(), PUSH) as (inner, outer):
        assert ask(inner, "GET", "/live")[0] == 200 and ask(outer, "GET", "/live")[0] == 404
        assert ask(inner, "POST", "/push")[0] == 404 and ask(outer, "POST", "/push")[0] == 204
        assert len([thread for thread in threading.enumerate() if thread.name == "web"]) == 1


@pytest.mark.parametrize(
    "says",
    [
        b"POST /push HTTP/1.1\r\nX-Slow: ",
        b"POST /push HTTP/1.1\r\nHost: x\r\nContent-Length: 4000\r\n\r\nhalf",
        b"POST /push HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    ],
    ids=["slow head", "slow body", "slow chunks"],
)
def test_150_slow_clients_hold_up_nobody_and_are_cut_at_the_deadline(says: bytes) -> None:
    """They go on dripping bytes, which alone would keep them for ever; both doors answer meanwhile."""
    with serving(example_panel(), PUSH, deadline=1.0) as (inner, outer), crowd(outer, 150, says) as guests:
        dripping = monotonic()
        for _ in range(5):
            assert ask(inner, "GET", "/live")[0] == 200
            assert ask(outer, "POST", "/push")[0] == 204
            for guest in guests:
                with contextlib.suppress(OSError):
                    guest.sendall(b"a")
        assert monotonic() - dripping < 3

        assert eventually(lambda: all(is_cut(guest) for guest in guests))


def test_a_crowd_before_the_push_door_cannot_lock_the_panel() -> None:
    """When the push door is full, the panel still has room, and the push door comes back by itself."""
    with (
        serving(example_panel(), PUSH, connections=[60, 30], deadline=1.0) as (inner, outer),
        crowd(outer, 50, b"POST /push HTTP/1.1\r\nX-Slow: "),
    ):
        for _ in range(3):
            assert ask(inner, "GET", "/live")[0] == 200

        assert ask(outer, "POST", "/push")[0] == 204


def test_an_answer_that_nobody_fetches_is_dropped() -> None:
    """A client that asks for much and reads nothing does not keep its connection, nor the memory."""

    def much(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Length", "8000000")])
        return [b"x" * 8_000_000]

    with serving(much, deadline=1.0) as (port,), socket.socket() as guest:
        guest.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        guest.connect(("127.0.0.1", port))
        guest.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert eventually(lambda: _listeners_clients(port) == 0, within=6)


def _listeners_clients(port: int) -> int:
    """Count the server's established connections on a port, as Linux tells them."""
    with open("/proc/net/tcp", encoding="ascii") as table:  # noqa: PTH123 - not a file
        rows = [line.split() for line in table][1:]
    return sum(row[1].endswith(f":{port:04X}") and row[3] == "01" for row in rows)


def test_a_client_that_talks_nonsense_and_hangs_up_leaves_no_traceback() -> None:
    """It goes while its refusal is being written, which waitress by itself cannot put into words."""

    class Gone(server._Channel):
        def write_soon(self, data: bytes) -> int:
            raise ClientDisconnected

    house = SimpleNamespace(adj=Adjustments(), active_channels={}, add_task=[].append, pull_trigger=lambda: None)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        channel = Gone(house, ours, ("127.0.0.1", 1), house.adj, map={})
        channel.received(b"nonsense\r\n\r\n")
        channel.service()

        assert channel.close_when_flushed


def test_stopping_is_quick_with_connections_open_and_frees_the_ports() -> None:
    """Idle, half-asked and kept connections end with the server, within a second."""
    doors = [
        Door("panel", example_panel(), "127.0.0.1", 0, "CALBOT_PANEL_PORT"),
        Door("push door", PUSH, "127.0.0.1", 0, "CALBOT_PUSH_PORT"),
    ]
    house = WebServer(doors, SystemClock())
    house.start()
    inner, outer = house.ports
    with crowd(inner, 20, b""), crowd(outer, 20, b"POST /push HT") as halves:
        began = monotonic()
        house.stop()

        assert monotonic() - began < 1
        assert eventually(lambda: all(is_cut(guest) for guest in halves))
    for port in (inner, outer):
        with socket.create_server(("127.0.0.1", port)):
            pass
    house.stop()


def test_stopping_does_not_wait_for_a_request_that_hangs() -> None:
    """A page that waits for the disk does not hold the process."""
    entered, leave = threading.Event(), threading.Event()

    def stuck(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        entered.set()
        leave.wait(10)
        start_response("200 OK", [])
        return [b"late"]

    house = WebServer([Door("panel", stuck, "127.0.0.1", 0, "CALBOT_PANEL_PORT")], SystemClock())
    house.start()
    with crowd(house.ports[0], 1, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"):
        assert entered.wait(5)
        began = monotonic()
        house.stop()

        assert monotonic() - began < 1
    leave.set()


def test_a_server_that_never_started_stops_too() -> None:
    """Stopping comes from everywhere, also before the start was through."""
    WebServer([], SystemClock()).stop()


def test_the_loop_ticks_also_when_nobody_comes() -> None:
    """The watch can see that the loop lives."""
    house = WebServer([Door("push door", PUSH, "127.0.0.1", 0, "CALBOT_PUSH_PORT")], SystemClock())
    house.start()
    first = house.ticked
    try:
        assert eventually(lambda: house.ticked > first)
    finally:
        house.stop()
