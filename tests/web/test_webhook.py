"""Promises of the push door: one answer for everything, memory only, and nothing else behind it."""

import http.client
import sys
from collections.abc import Iterator

import pytest

from addon.web.webhook import PushDoor
from tests.web.world import FakeEngine, ask, say, serving

GENUINE = {
    "X-Goog-Channel-ID": "c1",
    "X-Goog-Channel-Token": "right",
    "X-Goog-Resource-ID": "r1",
    "X-Goog-Resource-State": "exists",
}
_disk: list[str] = []
_watching = False


def _audit(event: str, arguments: tuple[object, ...]) -> None:
    if _watching and event in ("open", "sqlite3.connect", "os.rename", "os.mkdir", "os.remove"):
        _disk.append(f"{event} {arguments[0]}")


sys.addaudithook(_audit)


@pytest.fixture
def disk() -> Iterator[list[str]]:
    """What this process opened or changed on disk during the test."""
    global _watching  # noqa: PLW0603 - an audit hook cannot be taken away again
    _disk.clear()
    _watching = True
    yield _disk
    _watching = False


@pytest.mark.parametrize("path", ["/push", "/webhook"])
def test_a_push_reaches_the_engine_with_what_google_said(path: str) -> None:
    """Both doors' names work, and the four headers arrive as they are."""
    engine = FakeEngine()
    with serving(PushDoor(engine, lambda: True)) as (port,):
        status, body, _ = ask(port, "POST", path, GENUINE, b"")

    assert (status, body) == (204, b"")
    assert engine.taken == [("c1", "right", "r1", "exists")]


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({}, b""),
        ({}, b"{" * 4000),
        ({**GENUINE, "X-Goog-Channel-Token": "wrong"}, b""),
        ({"X-Goog-Channel-ID": "\xff\xfe", "X-Goog-Channel-Token": "\xe4" * 3000}, b""),
        ({"Content-Type": "multipart/form-data", "X-Forwarded-For": "'; DROP TABLE"}, b"\x00"),
    ],
)
def test_whatever_a_push_carries_the_answer_is_the_same(headers: dict[str, str], body: bytes) -> None:
    """A forger learns nothing: byte for byte, but for the date, it is what Google hears."""
    engine = FakeEngine()
    with serving(PushDoor(engine, lambda: True)) as (port,):
        genuine = ask(port, "POST", "/push", GENUINE, b"")
        forged = ask(port, "POST", "/push", headers, body)

    for _, _, found in (genuine, forged):
        del found["Date"]
    assert forged[0] == genuine[0] == 204
    assert forged[1] == genuine[1] == b""
    assert forged[2].items() == genuine[2].items()
    assert len(engine.taken) == 1


def test_300_forged_pushes_reach_nothing(disk: list[str]) -> None:
    """They wake nobody and touch no disk; a true push among them is still heard."""
    engine = FakeEngine()
    with serving(PushDoor(engine, lambda: True)) as (port,):
        ask(port, "POST", "/push", GENUINE, b"")
        engine.taken.clear()
        disk.clear()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        for number in range(300):
            connection.request("POST", "/push", b"", {**GENUINE, "X-Goog-Channel-Token": f"guess-{number}"})
            answer = connection.getresponse()
            assert (answer.status, answer.read()) == (204, b"")
        connection.close()
        touched = list(disk)

        assert engine.taken == [] and engine.refused == 300
        assert touched == []
        assert ask(port, "POST", "/push", GENUINE, b"")[0] == 204
        assert len(engine.taken) == 1


def test_an_answer_without_a_body_keeps_the_connection() -> None:
    """A tunnel that carries many pushes needs one connection only; who asks to close is closed."""
    with serving(PushDoor(FakeEngine(), lambda: True)) as (port,):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.connect()
        kept = connection.sock
        for _ in range(3):
            connection.request("POST", "/push", b"", GENUINE)
            assert connection.getresponse().read() == b""
            assert connection.sock is kept
        connection.request("POST", "/push", b"", {**GENUINE, "Connection": "close"})
        last = connection.getresponse()
        connection.close()

        assert last.getheader("Connection") == "close"
        assert b"Connection: close" in say(port, b"POST /push HTTP/1.0\r\n\r\n")


def test_an_engine_in_trouble_is_not_the_callers_business(caplog: pytest.LogCaptureFixture) -> None:
    """The push is answered, and the surprise is logged."""

    class Broken(FakeEngine):
        def on_push(self, channel_id: str, token: str, resource_id: str, state: str) -> bool:
            raise RuntimeError("surprise")

    with serving(PushDoor(Broken(), lambda: True)) as (port,):
        assert ask(port, "POST", "/push", GENUINE, b"")[:2] == (204, b"")

    assert "A push could not be taken" in caplog.text


@pytest.mark.parametrize(("healthy", "answer"), [(True, (200, b"healthy")), (False, (503, b"unhealthy"))])
def test_health_is_one_bare_word(healthy: bool, answer: tuple[int, bytes]) -> None:
    """Outside, nobody learns more than that."""
    with serving(PushDoor(FakeEngine(), lambda: healthy)) as (port,):
        assert ask(port, "GET", "/health")[:2] == answer


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("POST", "/", 404),
        ("GET", "/live", 404),
        ("GET", "/static/panel.css", 404),
        ("POST", "/push/", 404),
        ("POST", "/push/../x", 404),
        ("GET", "/PUSH", 404),
        ("GET", "/push", 405),
        ("PUT", "/push", 405),
        ("TRACE", "/webhook", 405),
        ("OPTIONS", "/push", 405),
        ("POST", "/health", 405),
    ],
)
def test_there_is_nothing_else_behind_the_push_door(method: str, path: str, status: int) -> None:
    """No page, no file, no other method; and the engine hears of none of it."""
    engine = FakeEngine()
    with serving(PushDoor(engine, lambda: True)) as (port,):
        found, _, headers = ask(port, method, path, GENUINE)

    assert found == status and engine.taken == []
    assert ("Allow" in headers) == (status == 405)


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"POST /push HTTP/1.1\r\nContent-Length: 300000000\r\n\r\n", b"413"),
        (b"POST /push HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1388\r\n" + b"a" * 5000, b"413"),
        (b"POST /push HTTP/1.1\r\nX-Long: ".ljust(16_384, b"a"), b"431"),
        (b"POST /push HTTP/1.1\r\nContent-Length: minus\r\n\r\n", b"400"),
        (b"POST /push HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", b"501"),
        (b"POST /push HTTP/1.1\r\nBad Header\r\n\r\n", b"400"),
        (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", b"400"),
        (b"POST\r\n\r\n", b"400"),
    ],
)
def test_large_and_broken_requests_are_refused_at_once(raw: bytes, status: bytes) -> None:
    """They are answered before their bodies are read, and never reach the engine."""
    engine = FakeEngine()
    with serving(PushDoor(engine, lambda: True)) as (port,):
        answer = say(port, raw)

        assert answer.split(b" ", 2)[1] == status
        assert engine.taken == [] and engine.refused == 0
        assert ask(port, "POST", "/push", GENUINE)[0] == 204
