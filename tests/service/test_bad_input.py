"""Bad input gets a sentence with the remedy; the process keeps running where it can, and nothing is lost."""

import json
import socket
import subprocess
import urllib.request
from pathlib import Path

import pytest

from tests.google_server.control import Control
from tests.service.running import ANNA, BOB, Listener, Service, free_port, house, wait_for


def test_missing_options_invite_nobody_and_say_what_to_set(tmp_path: Path) -> None:
    """Without options Calbot runs, tells what is missing, and mails nobody."""
    with house(tmp_path, invite_emails=[]) as (service, google, _listener):
        service.start()
        wait_for(lambda: google.channels() and service.is_watching(), 20, "watching")
        google.create_event(ANNA)
        wait_for(lambda: "Set invite_emails" in service.get("/health")[1], 10, "a remedy")

        status, _ = service.get("/health")

        assert status == 200
        assert google.mails() == []


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ('{"invite_emails": ["bob"]}', "invite_emails: 'bob' is not an e-mail address"),
        ('{"invite_email": "bob@example.com"}', "invite_email: unknown option; did you mean invite_emails?"),
        ("{", "options.json: line 1 is not JSON"),
        ('{"rules": [{"name": "school"}]}', "rules, school: do: says nothing to do"),
        ('{"push_url": "http://example.org/push2 "}', "push_url"),
    ],
)
def test_bad_options_end_the_start_with_a_sentence(tmp_path: Path, options: str, sentence: str) -> None:
    """Standalone, options that cannot be understood are named with the remedy, and the exit code is 2."""
    with house(tmp_path) as (service, google, _listener):
        (tmp_path / "options.json").write_text(options)
        environment = {"CALBOT_CALENDAR_API": ""} if "push_url" in options else {}

        ended = service.run("run", **environment)

        assert ended.returncode == 2
        assert sentence in ended.stderr
        assert "Traceback" not in ended.stderr
        assert google.calls() == []


def test_under_the_supervisor_bad_options_leave_a_panel_that_says_so(tmp_path: Path) -> None:
    """There the process stays, `/health` names the option, and Google is not called."""
    with house(tmp_path) as (service, google, _listener):
        (tmp_path / "options.json").write_text('{"invite_emails": ["bob"]}')
        service.start(SUPERVISOR_TOKEN="a-token", CALBOT_BIND="127.0.0.1")
        wait_for(lambda: answers(service), 20, "the panel")

        status, body = service.get("/health")

        assert status == 503
        assert "'bob' is not an e-mail address" in body
        assert google.calls() == []


def test_a_token_file_that_is_not_one_stops_only_its_account(tmp_path: Path) -> None:
    """The broken file is named with the remedy; Anna's events are invited all the same."""
    with house(tmp_path) as (service, google, listener):
        (tmp_path / "tokens" / "carol@example.com.json").write_text("not a token")
        service.start()
        wait_for(lambda: google.channels() and service.is_watching(), 20, "watching")

        google.create_event(ANNA)

        wait_for(lambda: listener.events("invited"), 10, "an announcement")
        assert "carol@example.com.json is not a Google token" in service.get("/health")[1]
        assert "carol@example.com.json is not a Google token" in service.log()


def test_a_sign_in_that_google_refuses_is_said_once_and_ends_with_a_new_token(tmp_path: Path) -> None:
    """The remedy is named on the panel and over MQTT; a new file is taken up without a restart."""
    with house(tmp_path) as (service, google, listener):
        google.revoke(ANNA)
        service.start()
        wait_for(lambda: service_says(service, "Sign in again"), 20, "a remedy")
        event = google.create_event(ANNA)["id"]

        service.sign_in(ANNA)

        wait_for(lambda: google.calls("events.list"), 20, "reading again")
        said = [m["event_type"] for m in listener.payloads("calbot/event/system")]
        assert said.count("sign_in_needed") == 1
        assert event in {e["id"] for e in google.events(ANNA)}


def test_a_wrong_broker_password_is_named_and_calbot_goes_on(tmp_path: Path) -> None:
    """The broker's refusal is said with the option to check; invitations do not need the broker."""
    passwords = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-b", "-c", passwords, "calbot", "right"], check=True)
    passwords.chmod(0o644)
    port = free_port()
    settings = f"listener {port} 127.0.0.1\nallow_anonymous false\npassword_file {passwords}\nuser root\n"
    (tmp_path / "mosquitto.conf").write_text(settings)
    broker = subprocess.Popen(["mosquitto", "-c", tmp_path / "mosquitto.conf"], stderr=subprocess.DEVNULL)
    try:
        with house(tmp_path / "data") as (service, google, _listener):
            wait_for(lambda: is_open(port), 5, "the broker")
            service.start(MQTT_PORT=str(port), MQTT_USERNAME="calbot", MQTT_PASSWORD="wrong")
            wait_for(lambda: google.channels() and service.is_watching(), 20, "watching")

            event = google.create_event(ANNA)["id"]

            wait_for(lambda: google.event(ANNA, event).get("attendees"), 10, "the guest")
            wait_for(lambda: service_says(service, "mqtt.username and mqtt.password"), 10, "the remedy")
            assert "wrong" not in service.log()
    finally:
        broker.kill()
        broker.wait()


def test_an_answer_that_is_not_json_is_survived(tmp_path: Path) -> None:
    """Nonsense from Google costs a moment, not the event."""
    with house(tmp_path) as (service, google, listener):
        service.start()
        wait_for(lambda: google.channels() and service.is_watching(), 20, "watching")
        google.add_fault("notJson", operation="events.list", count=2)
        google.add_fault("notJson", operation="events.patch", count=1)

        google.create_event(ANNA)

        wait_for(lambda: listener.events("invited"), 30, "an announcement")
        assert len(google.mails(kind="invitation")) == 1


def test_pushes_with_a_wrong_token_cost_nothing(tmp_path: Path) -> None:
    """300 forged pushes: every one gets 204, Google gets no call, the disk no byte."""
    with house(tmp_path) as (service, google, _listener):
        service.start()
        wait_for(lambda: google.channels() and service.is_watching(), 20, "watching")
        wait_for(lambda: "ok" in service.get("/health")[1], 10, "rest")
        channel = google.channels()[0]
        settle(google)
        calls, written = len(google.calls()), bytes_of(tmp_path / "calbot.db-wal")

        codes = {push(service, channel["id"], token) for token in ["wrong", "", "x" * 255] * 100}

        assert codes == {204}
        assert len(google.calls()) == calls
        assert bytes_of(tmp_path / "calbot.db-wal") == written


def test_a_garbage_command_is_answered_with_its_fault(tmp_path: Path) -> None:
    """What cannot be read as a command gets an answer that says why, and the next one works."""
    with house(tmp_path) as (service, _google, listener):
        service.start()
        wait_for(lambda: "online" in listener.availability(), 20, "online")

        listener.client.publish("calbot/command/set", b"\xff\xfe{", qos=1)
        listener.client.publish("calbot/command/fly", b'{"v":1,"id":"f"}', qos=1)
        listener.ask("ping", v=1, id="p")

        wait_for(lambda: any(a["final"] for a in listener.payloads("calbot/response/ping")), 10, "pong")
        assert listener.payloads("calbot/response/set")[0]["code"] == "bad_json"
        assert listener.payloads("calbot/response/fly")[0]["code"] == "unknown_command"


def test_a_truncated_store_does_not_stop_the_start_or_invite_twice(tmp_path: Path) -> None:
    """The damage is said, the file kept aside, and who was invited stays invited once."""
    with house(tmp_path) as (service, google, listener):
        service.start()
        wait_for(lambda: google.channels() and service.is_watching(), 20, "watching")
        google.create_event(ANNA)
        wait_for(lambda: listener.events("invited"), 10, "an announcement")
        service.stop()
        store = tmp_path / "calbot.db"
        store.write_bytes(store.read_bytes()[: store.stat().st_size // 2])

        service.start()

        wait_for(lambda: service_says(service, "damaged") and service.is_watching(), 20, "a word about it")
        event = google.create_event(ANNA, {"summary": "After"})["id"]
        wait_for(lambda: google.event(ANNA, event).get("attendees"), 10, "work goes on")
        assert len(google.mails(to=BOB, kind="invitation")) == 2
        assert list((tmp_path / "damaged").iterdir())


def test_a_taken_port_is_named_and_calbot_goes_on(tmp_path: Path) -> None:
    """Without its doors Calbot still reads, invites and announces."""
    with (
        house(tmp_path, push_url=None) as (service, google, listener),
        socket.socket() as taken,
    ):
        taken.bind(("127.0.0.1", service.panel_port))
        taken.listen()
        service.start()
        # Its panel cannot be asked; what is made before the first reading has ended would be left alone.
        wait_for(lambda: has_read(listener), 20, "watching")

        google.create_event(ANNA)
        listener.ask("resync")

        wait_for(lambda: listener.events("invited"), 30, "an announcement")
        assert "CALBOT_PANEL_PORT" in service.log()


def test_a_second_calbot_on_the_same_directory_is_refused(tmp_path: Path) -> None:
    """It says whose directory it is, and ends."""
    with house(tmp_path) as (service, _google, _listener):
        service.start()
        wait_for(service.is_watching, 20, "watching")

        ended = service.run("run", CALBOT_PANEL_PORT=str(free_port()), CALBOT_PUSH_PORT=str(free_port()))

        assert ended.returncode == 1
        assert "Another Calbot works in" in ended.stderr


def has_read(listener: Listener) -> bool:
    """Whether an account says over MQTT that its calendars were read."""
    told = [payload for topic, payload, _ in list(listener.heard) if topic.startswith("calbot/account/") and payload]
    return any(json.loads(payload)["last_sync"] for payload in told)


def answers(service: Service) -> bool:
    """Say whether the panel door is open."""
    try:
        return service.get("/live")[0] == 200
    except OSError:
        return False


def service_says(service: Service, words: str) -> bool:
    """Say whether the panel's health holds these words."""
    try:
        return words in service.get("/health")[1]
    except OSError:
        return False


def is_open(port: int) -> bool:
    """Say whether somebody listens."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def push(service: Service, channel: str, token: str) -> int:
    """Send a push as Google would, and return the answer's code."""
    headers = {
        "X-Goog-Channel-ID": channel,
        "X-Goog-Channel-Token": token,
        "X-Goog-Resource-ID": "x",
        "X-Goog-Resource-State": "exists",
    }
    request = urllib.request.Request(f"http://127.0.0.1:{service.push_port}/push", b"", headers)
    with urllib.request.urlopen(request, timeout=5) as answer:
        return int(answer.status)


def bytes_of(path: Path) -> bytes:
    """Return a file's content."""
    return path.read_bytes()


def settle(google: Control) -> None:
    """Wait until no more calls come for a moment."""
    seen: list[int] = []

    def calm() -> bool:
        seen.append(len(google.calls()))
        return len(seen) > 60 and len(set(seen[-60:])) == 1

    wait_for(calm, 20, "a calm moment")
