"""The Supervisor's client: what it reads, what it says when it cannot, and what it never says."""

import http.server
import logging
import threading
from collections.abc import Callable, Iterator

import pytest

from addon.supervisor import MOSQUITTO, MqttService, Supervisor, SupervisorError
from tests.supervisor.server import TOKEN, FakeSupervisor

HELLO = {"title": "Hello", "message": "It works."}


@pytest.fixture
def fake() -> Iterator[FakeSupervisor]:
    """A Supervisor without a broker."""
    with FakeSupervisor() as serving:
        yield serving


@pytest.fixture
def supervisor(fake: FakeSupervisor) -> Supervisor:
    """Its client."""
    return Supervisor(TOKEN, fake.address)


def complaint(question: Callable[[], object]) -> str:
    """What the client says instead of an answer."""
    with pytest.raises(SupervisorError) as caught:
        question()
    return str(caught.value)


def test_the_broker_is_read_as_it_is_now(fake: FakeSupervisor, supervisor: Supervisor) -> None:
    """Each question is asked anew, so that a changed password is the one that is used."""
    fake.install_broker(1883, "first", host="core-mosquitto")
    first = supervisor.mqtt()
    fake.install_broker(1884, "second", host="core-mosquitto")

    assert first == MqttService(host="core-mosquitto", username="addons", password="first")
    assert supervisor.mqtt() == MqttService(host="core-mosquitto", port=1884, username="addons", password="second")
    assert "first" not in repr(first)


def test_a_broker_without_passwords_is_one(fake: FakeSupervisor, supervisor: Supervisor) -> None:
    """User name and password may be absent."""
    fake.install_broker(1883)

    assert supervisor.mqtt() == MqttService(host="127.0.0.1")


def test_no_broker_is_a_sentence_with_the_way_out(supervisor: Supervisor) -> None:
    """Nobody has to search for the name of what is missing."""
    assert MOSQUITTO in complaint(supervisor.mqtt)


def test_we_know_ourselves_and_the_ways_to_people(fake: FakeSupervisor, supervisor: Supervisor) -> None:
    """Our slug, and every notify service of the household."""
    assert supervisor.self_info().slug == "local_calbot"
    assert "notify.mobile_app_anna" in supervisor.notify_services()


def test_a_service_is_called(fake: FakeSupervisor, supervisor: Supervisor) -> None:
    """What is sent arrives as it is, with the token."""
    supervisor.call("notify", "mobile_app_anna", HELLO)

    (call,) = fake.calls()
    assert (call.method, call.path) == ("POST", "/core/api/services/notify/mobile_app_anna")
    assert (call.body, call.token) == (HELLO, TOKEN)


@pytest.mark.parametrize(
    ("path", "status", "message", "said"),
    [
        ("/services", 400, "System is not ready with state: setup", "not ready yet"),
        ("/services", 502, "Bad Gateway", "not ready yet"),
        ("/services", 403, "Forbidden", "install it again"),
        ("/services", 500, f"broken by {TOKEN}", "answered 500"),
        ("/services", 302, "Found", "answered 302"),
        ("/services", 0, "", "does not answer"),
        ("/core", 502, "Bad Gateway", "may be starting"),
        ("/core", 401, "Unauthorized", "install it again"),
        ("/core", 400, "Bad Request", "does not know notify.mobile_app_anna"),
    ],
)
def test_every_trouble_has_its_sentence(
    fake: FakeSupervisor, supervisor: Supervisor, path: str, status: int, message: str, said: str
) -> None:
    """Whatever comes instead of an answer, people read what it is, and nobody reads the token."""
    fake.install_broker(1883)
    fake.fail(path, status, message)

    text = complaint(
        supervisor.mqtt if path == "/services" else lambda: supervisor.call("notify", "mobile_app_anna", HELLO)
    )

    assert said in text and TOKEN not in text


def test_answers_that_nobody_can_read_are_trouble_too(fake: FakeSupervisor, supervisor: Supervisor) -> None:
    """Another shape than expected raises nothing but our own error."""
    fake.knows.mqtt = {"host": 7}

    assert "does not understand" in complaint(supervisor.mqtt)
    assert "does not answer" in complaint(Supervisor(TOKEN, "http://127.0.0.1:1").mqtt)


def test_the_token_goes_nowhere_else(fake: FakeSupervisor, caplog: pytest.LogCaptureFixture) -> None:
    """No redirect is followed; neither a log at its loudest nor an unusable token's complaint shows it."""
    caplog.set_level(logging.DEBUG)
    heard: list[str] = []

    class Redirecting(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(self.path)
            self.send_response(302)
            self.send_header("Location", f"{fake.address}/stolen")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Redirecting)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        assert "302" in complaint(Supervisor(TOKEN, f"http://127.0.0.1:{server.server_port}").mqtt)
    finally:
        server.shutdown()
        server.server_close()
    broken = f"{TOKEN}\nX-More: 1"
    said = complaint(Supervisor(broken, fake.address).mqtt)

    assert heard == ["/services/mqtt"] and fake.calls() == []
    assert TOKEN not in said and TOKEN not in caplog.text
    assert TOKEN not in repr(Supervisor(TOKEN))
