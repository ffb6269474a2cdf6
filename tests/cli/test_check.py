"""`calbot check`: each part in a broken house is named with its remedy, nothing is changed, and no secret is told."""

import json
import os
import socket
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from cryptography.fernet import Fernet

from addon import commands
from addon.broker import EmbeddedBroker
from calbot import secrecy
from calbot.clock import SystemClock
from calbot.commandline.checked import Checked, Part, results
from calbot.store.database import Database
from calbot.store.schema import MIGRATIONS
from calbot.vault import Vault
from tests.cli.terminal import Terminal, alone
from tests.google_server.control import Control
from tests.household import ANNA, BOB
from tests.mqtt.faults import Door, SilentServer
from tests.service.running import free_port
from tests.supervisor.server import TOKEN, FakeSupervisor

FAMILY = "family@group.calendar.google.com"
REFUSED = b"\x20\x03\x00\x86\x00"
EVENTS_ONLY = ["https://www.googleapis.com/auth/calendar.events"]
URL = "json://user:Sup3rS3cretWord@127.0.0.1:9/hook"


@pytest.fixture
def house(data: Path) -> Iterator[tuple[Terminal, Control]]:
    """Anna is signed in; no service runs; nobody else can read what is secret."""
    with alone(data) as (terminal, google):
        for path in (data / "tokens").iterdir():
            path.chmod(0o600)
        yield terminal, google


def checked(terminal: Terminal) -> dict[str, dict[str, str]]:
    """What the engine's check tells, by part; of several about one part the worst."""
    return by_part(json.loads(terminal.run("check", "--json").stdout))


def by_part(told: list[dict[str, str]]) -> dict[str, dict[str, str]]:
    """The worst verdict about each part."""
    worst = ("ok", "warn", "failed", "sign_in")
    return {one["part"]: one for one in sorted(told, key=lambda one: worst.index(one["verdict"]))}


def shell(terminal: Terminal, *words: str) -> Result:
    """Run the shell's command, which checks more."""
    terminal.group = commands.calbot
    return terminal.run(*words)


def shell_checked(terminal: Terminal) -> dict[str, dict[str, str]]:
    """What the shell's check tells, by part."""
    return by_part(json.loads(shell(terminal, "check", "--json").stdout))


def sign_in(terminal: Terminal, document: object, folder: str = "tokens") -> None:
    """Put a consent of Anna's where Calbot looks for it."""
    path = terminal.data / folder / f"{ANNA}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(document))
    path.chmod(0o600)


def test_a_sound_house_is_told_part_by_part(house: tuple[Terminal, Control]) -> None:
    """Each part has a line, all are well, and the exit code is 0."""
    terminal, _google = house

    told = checked(terminal)
    words = terminal.run("check")

    parts = {"options", "key", "store", "disk", "service", "clock", f"{ANNA}, sign-in", f"{ANNA}, calendar primary"}
    assert set(told) == parts
    assert {one["verdict"] for one in told.values()} == {"ok"}
    assert words.exit_code == 0
    assert "ok      clock: Google answers" in words.stdout
    assert f"ok      {ANNA}, calendar primary: can be read as" in words.stdout


def test_nothing_is_changed_by_a_check(house: tuple[Terminal, Control]) -> None:
    """No file appears, and Google is only asked."""
    terminal, google = house
    before = {path: path.stat().st_mtime_ns for path in terminal.data.rglob("*")}

    terminal.run("check")
    shell(terminal, "check")

    assert {path: path.stat().st_mtime_ns for path in terminal.data.rglob("*")} == before
    assert {call["operation"] for call in google.calls()} == {"events.list", "oauth.token", "unknown"}  # only its date


def test_a_check_makes_no_data_directory(house: tuple[Terminal, Control]) -> None:
    """Where CALBOT_DATA is misspelt, nothing appears there."""
    terminal, _google = house
    elsewhere = terminal.data / "elsewhere"
    terminal.environ["CALBOT_DATA"] = str(elsewhere)

    ended = shell(terminal, "check")

    assert ended.exit_code == 3
    assert not elsewhere.exists()


@pytest.mark.parametrize(
    ("fault", "remedy"), [("accessNotConfigured", "Enable the Google Calendar API"), ("internalError", "again later")]
)
def test_what_is_not_the_calendars_fault_has_another_remedy(
    house: tuple[Terminal, Control], fault: str, remedy: str
) -> None:
    """An API that is off in the user's project, and Google's own trouble."""
    terminal, google = house
    google.add_fault(fault, operation="events.list", count=None)

    told = checked(terminal)[f"{ANNA}, calendar primary"]

    assert told["verdict"] == "failed"
    assert remedy in told["remedy"]


def test_a_dead_sign_in_is_one_line_with_the_command_that_helps(house: tuple[Terminal, Control]) -> None:
    """Its calendars are not asked as well: one remedy is enough."""
    terminal, google = house
    google.revoke(ANNA)

    ended = terminal.run("check")

    assert ended.exit_code == 3
    assert f"FAILED  {ANNA}, sign-in: Google no longer accepts the sign-in" in ended.stdout
    assert f"calbot login --account {ANNA}" in ended.stdout
    assert "calendar primary" not in ended.stdout


def test_missing_scopes_are_named_in_googles_words(house: tuple[Terminal, Control]) -> None:
    """So that the box can be found on the page."""
    terminal, google = house
    sign_in(terminal, google.token_document(ANNA, EVENTS_ONLY))

    told = checked(terminal)[f"{ANNA}, sign-in"]

    assert told["verdict"] == "sign_in"
    assert "“See the list of Google calendars you’re subscribed to”" in told["text"]
    assert "View and edit events" not in told["text"]


def test_a_client_in_testing_is_warned_about_with_the_day(house: tuple[Terminal, Control]) -> None:
    """Google names the end with each token; a warning is no failure."""
    terminal, google = house
    google.set_consent(testing=True)
    sign_in(terminal, google.token_document(ANNA))

    ended = terminal.run("check")

    assert ended.exit_code == 0
    assert "warn    anna@example.com, sign-in: It works, but Google ends it on 20" in ended.stdout
    assert "press Publish app" in ended.stdout


def test_a_consent_to_send_mail_is_tried_by_itself(house: tuple[Terminal, Control]) -> None:
    """One without the permission is named; a good one is well; both beside a good sign-in."""
    terminal, google = house
    sign_in(terminal, google.token_document(ANNA), "mail")
    lacking = checked(terminal)[f"{ANNA}, mail"]
    sign_in(terminal, google.token_document(ANNA, ["https://www.googleapis.com/auth/gmail.send"]), "mail")

    good = checked(terminal)

    assert lacking["verdict"] == "sign_in" and "“Send email on your behalf”" in lacking["text"]
    assert good[f"{ANNA}, mail"]["verdict"] == good[f"{ANNA}, sign-in"]["verdict"] == "ok"


@pytest.mark.parametrize(
    ("role", "verdict", "word"),
    [
        ("writer", "ok", "be invited to"),
        ("reader", "warn", "Make changes to events"),
        ("freeBusyReader", "failed", "See all event details"),
        ("", "failed", "shared with the account"),
    ],
)
def test_what_an_account_may_do_on_a_calendar_is_told(
    house: tuple[Terminal, Control], role: str, verdict: str, word: str
) -> None:
    """Reading is not inviting: the role decides, and the remedy is a setting of Google Calendar."""
    terminal, google = house
    calendar = google.add_calendar(BOB, FAMILY, "Family")
    if role:
        google.share_calendar(calendar, ANNA, role)
    terminal.set_options(accounts=[{"email": ANNA, "calendars": [calendar]}])

    told = checked(terminal)[f"{ANNA}, calendar {calendar}"]

    assert told["verdict"] == verdict
    assert word in f"{told['text']} {told['remedy']}"


@pytest.mark.parametrize(("role", "verdict"), [("writer", "ok"), ("reader", "failed")])
def test_a_target_that_nobody_may_write_to_is_named(house: tuple[Terminal, Control], role: str, verdict: str) -> None:
    """Copies need a writer among the accounts."""
    terminal, google = house
    calendar = google.add_calendar(BOB, FAMILY, "Family")
    google.share_calendar(calendar, ANNA, role)
    terminal.set_options(central_calendar=calendar)

    told = checked(terminal)[f"calendar {calendar}"]

    assert told["verdict"] == verdict
    assert ANNA in told["text"] or "share it" in told["remedy"]


def test_a_wrong_clock_is_named_with_how_much(house: tuple[Terminal, Control]) -> None:
    """Google's own date says it."""
    terminal, google = house
    google.set_clock_offset(3600)

    told = checked(terminal)["clock"]

    assert told["verdict"] == "failed"
    assert "s behind Google's" in told["text"]


def test_which_key_is_in_force_is_told_and_never_the_key(house: tuple[Terminal, Control]) -> None:
    """The environment's, else the file's, else none yet."""
    terminal, google = house
    none_yet = checked(terminal)["key"]["text"]
    Vault(terminal.data).seal(terminal.data / "tokens" / f"{ANNA}.json", ANNA)
    file = checked(terminal)["key"]["text"]
    key = Fernet.generate_key().decode()
    terminal.environ["DOTENV_ENCRYPTION_KEY"] = key

    given = terminal.run("check")

    assert "no key yet" in none_yet
    assert "calbot.key is in force" in file
    assert "DOTENV_ENCRYPTION_KEY is in force" in given.stdout
    assert key not in given.output
    assert given.exit_code == 0, given.output  # The file's key still opens what it sealed.
    assert google.surprises() == []


def test_a_sealed_file_without_its_key_is_named(house: tuple[Terminal, Control]) -> None:
    """As after a restored backup: the account is to sign in again."""
    terminal, _google = house
    Vault(terminal.data).seal(terminal.data / "tokens" / f"{ANNA}.json", ANNA)
    (terminal.data / "calbot.key").unlink()

    told = json.loads(terminal.run("check", "--json").stdout)

    assert any(one["verdict"] == "sign_in" and f"{ANNA}.json cannot be opened" in one["text"] for one in told)


def test_a_key_file_that_is_none_is_a_failure(house: tuple[Terminal, Control]) -> None:
    """It would be put aside, and what it sealed be lost."""
    terminal, _google = house
    (terminal.data / "calbot.key").write_text("not a key")
    (terminal.data / "calbot.key").chmod(0o600)

    assert checked(terminal)["key"]["verdict"] == "failed"


@pytest.mark.parametrize("name", ["calbot.key", f"tokens/{ANNA}.json"])
def test_secrets_that_others_can_read_are_a_warning(house: tuple[Terminal, Control], name: str) -> None:
    """With the command that helps."""
    terminal, _google = house
    Vault(terminal.data).seal(terminal.data / "tokens" / f"{ANNA}.json", ANNA)
    (terminal.data / name).chmod(0o644)

    told = checked(terminal)["key"]

    assert told["verdict"] == "warn"
    assert told["remedy"] == f"chmod 600 {terminal.data / name}"


def test_a_data_directory_that_others_can_write_to_is_a_warning(house: tuple[Terminal, Control]) -> None:
    """Whoever can write there could put a sign-in of their own in it."""
    terminal, _google = house
    terminal.data.chmod(0o777)

    told = checked(terminal)["key"]

    assert told["verdict"] == "warn" and "chmod 700" in told["remedy"]


@pytest.mark.parametrize("what", ["newer", "damaged"])
def test_a_store_that_cannot_be_used_is_named(house: tuple[Terminal, Control], what: str) -> None:
    """Before the service is started on it."""
    terminal, _google = house
    if what == "damaged":
        (terminal.data / "calbot.db").write_bytes(b"garbage" * 1000)
    else:
        with closing(sqlite3.connect(terminal.data / "calbot.db")) as store:
            store.execute("CREATE TABLE deed (x)")
            store.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")

    told = checked(terminal)["store"]

    assert told["verdict"] == "failed"
    assert what in told["text"]


def test_notes_about_options_are_warnings(house: tuple[Terminal, Control]) -> None:
    """What is surely not meant is told, and the check still succeeds."""
    terminal, _google = house
    terminal.environ["CALBOT_POL_INTERVAL"] = "30"

    ended = terminal.run("check")

    assert ended.exit_code == 0
    assert "warn    options: CALBOT_POL_INTERVAL" in ended.stdout


def test_a_bad_option_is_exit_2_and_the_rest_is_checked_as_far_as_it_goes(house: tuple[Terminal, Control]) -> None:
    """Key and store do not depend on it; and nothing is said twice."""
    terminal, _google = house
    terminal.set_options(poll_interval="often")

    ended = shell(terminal, "check", "--json")

    told = json.loads(ended.stdout)
    assert ended.exit_code == 2
    assert [one["part"] for one in told if one["verdict"] == "failed"] == ["options"]
    assert {"key", "store"} <= {one["part"] for one in told}


def test_without_any_way_to_google_the_check_ends_soon(data: Path) -> None:
    """Each part has its end; what was not tried is said so."""
    nobody = f"http://127.0.0.1:{free_port()}"
    environ = {"CALBOT_CALENDAR_API": f"{nobody}/calendar/v3/", "CALBOT_TOKEN_URI": f"{nobody}/token"}
    terminal = Terminal(data, SystemClock(), environ)
    sign_in(terminal, {"refresh_token": "refresh-of-anna", "client_id": "client", "client_secret": "s3cr3t-of-client"})
    began = SystemClock().monotonic()

    ended = terminal.run("check")

    assert ended.exit_code == 1
    assert SystemClock().monotonic() - began < 30
    assert "FAILED  clock: Google cannot be reached." in ended.stdout
    assert "was not tried" in ended.stdout


def test_a_part_that_hangs_is_given_up_and_hides_no_other() -> None:
    """Its time is over when everybody's is, what it had said before is told, and who waits learns what for."""
    hanging = threading.Event()
    waited: list[str] = []

    def hang() -> Iterator[Checked]:
        yield Checked("slow", "ok", "This much was found.")
        hanging.wait(60)

    def fail() -> Iterator[Checked]:
        raise RuntimeError("boom")

    parts = [Part("slow", hang), Part("broken", fail), Part("good", lambda: [Checked("good", "ok", "Well.")])]

    found = [*results(parts, SystemClock(), waited.append, patience=1.5)]
    hanging.set()

    assert [(one.part, one.verdict) for one in found] == [
        ("slow", "ok"),
        ("slow", "failed"),
        ("broken", "failed"),
        ("good", "ok"),
    ]
    assert "RuntimeError: boom" in found[2].text
    assert waited == ["slow"]


def test_what_any_part_says_is_cleaned() -> None:
    """Whatever a foreign library puts into its complaint."""
    secrecy.remember("Sup3rS3cretWord-7")

    def fail() -> Iterator[Checked]:
        yield Checked("one", "failed", "refused by Sup3rS3cretWord-7", "not with Sup3rS3cretWord-7")
        raise ValueError("Sup3rS3cretWord-7")

    found = [*results([Part("one", fail)], SystemClock(), print)]

    assert len(found) == 2
    assert "Sup3rS3cretWord-7" not in str(found)


# The shell's part


def test_the_broker_is_logged_in_to(house: tuple[Terminal, Control]) -> None:
    """More than a connection: MQTT is spoken, and nothing is published."""
    terminal, _google = house
    broker = EmbeddedBroker(SystemClock())
    broker.start()
    door = Door(broker.port)
    try:
        terminal.set_options(mqtt={"host": "127.0.0.1", "port": door.port})
        told = shell_checked(terminal)["broker"]
    finally:
        door.close()
        broker.stop()

    assert told["verdict"] == "ok"
    assert b"calbot-check-" in door.heard[0]
    assert b"calbot/availability" not in door.heard[0]


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        ("refused", "refused the user name or password: check mqtt.username and mqtt.password"),
        ("silent", "took the connection and says nothing"),
        ("nobody", "No MQTT broker answers at"),
    ],
)
def test_a_broker_that_does_not_let_calbot_in_is_named(
    house: tuple[Terminal, Control], what: str, sentence: str
) -> None:
    """In the words that the running service has for it; the password is not told."""
    terminal, _google = house
    broker, silent = EmbeddedBroker(SystemClock()), SilentServer()
    broker.start()
    door = Door(broker.port, refusal=REFUSED)
    port = {"refused": door.port, "silent": silent.port, "nobody": free_port()}[what]
    terminal.set_options(mqtt={"host": "127.0.0.1", "port": port, "username": "cal", "password": "Tr0ub4dor&3"})
    try:
        ended = shell(terminal, "check")
    finally:
        door.close()
        silent.close()
        broker.stop()

    assert ended.exit_code == 1
    assert sentence in ended.stdout
    assert "Tr0ub4dor" not in ended.output


def test_the_supervisors_broker_and_notify_services_are_looked_up(house: tuple[Terminal, Control]) -> None:
    """The broker that it knows is logged in to; a service that is not there is named with those that are."""
    terminal, _google = house
    terminal.set_options(notify=["notify.mobile_app_anna", "notify.mobile_app_dora"])
    broker = EmbeddedBroker(SystemClock())
    broker.start()
    with FakeSupervisor() as supervisor:
        terminal.environ |= {"SUPERVISOR_TOKEN": TOKEN, "CALBOT_SUPERVISOR_URL": supervisor.address}
        without = shell_checked(terminal)["broker"]
        supervisor.install_broker(broker.port)
        told = json.loads(shell(terminal, "check", "--json").stdout)
    broker.stop()

    assert without["verdict"] == "failed" and "install Mosquitto" in without["text"]
    assert ("broker", "ok") in {(one["part"], one["verdict"]) for one in told}
    notify = {one["text"]: one["verdict"] for one in told if one["part"] == "notify"}
    assert notify == {
        "notify.mobile_app_anna is there.": "ok",
        "Home Assistant has no notify.mobile_app_dora.": "failed",
    }
    assert TOKEN not in json.dumps(told)


@pytest.mark.parametrize(("status", "verdict"), [(204, "ok"), (403, "failed")])
def test_a_proxy_that_keeps_googles_posts_out_is_named(
    house: tuple[Terminal, Control], status: int, verdict: str
) -> None:
    """That the door's health can be read does not say that Google may post there."""
    terminal, _google = house

    class Proxy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer(200, b"healthy")

        def do_POST(self) -> None:
            self.answer(status, b"")

        def answer(self, code: int, body: bytes) -> None:
            self.send_response(code)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with closing(Database(terminal.data)) as service, ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as server:
        service.take_directory()
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        terminal.set_options(push_url=f"http://127.0.0.1:{server.server_port}/push")
        told = shell_checked(terminal)["push_url"]
        server.shutdown()

    assert told["verdict"] == verdict
    assert verdict == "ok" or f"answers {status}" in told["text"]


def test_notify_without_home_assistant_is_a_warning(house: tuple[Terminal, Control]) -> None:
    """It would be heard by nobody."""
    terminal, _google = house
    terminal.set_options(notify=["notify.mobile_app_anna"])

    assert shell_checked(terminal)["notify"]["verdict"] == "warn"


def test_ways_to_people_are_looked_at_and_not_used(house: tuple[Terminal, Control]) -> None:
    """A URL that apprise does not take fails, a Gmail way without its consent is a matter of signing in."""
    terminal, google = house
    terminal.set_options(alerts=[{"url": URL}, {"url": "nosuch://k3y-0f-Nobody/x"}, {"gmail": {"from": ANNA}}])

    ended = shell(terminal, "check", "--json")

    told = {one["part"]: one["verdict"] for one in json.loads(ended.stdout) if one["part"].startswith("alerts")}
    assert sorted(told.values()) == ["failed", "ok", "sign_in"]
    assert told[next(part for part in told if "gmail" in part)] == "sign_in"
    assert "Sup3rS3cretWord" not in ended.output and "k3y-0f-Nobody" not in ended.output
    assert google.gmail() == []


@pytest.mark.parametrize(("listens", "verdict"), [(True, "ok"), (False, "failed")])
def test_the_heartbeats_monitor_is_reached_and_told_nothing(
    house: tuple[Terminal, Control], listens: bool, verdict: str
) -> None:
    """A connection says enough; its token is not told."""
    terminal, _google = house
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1] if listens else free_port()
        terminal.set_options(heartbeat_url=f"http://127.0.0.1:{port}/api/push/t0kenOfKuma9x")
        ended = shell(terminal, "check", "--json")

    assert by_part(json.loads(ended.stdout))["heartbeat_url"]["verdict"] == verdict
    assert "t0kenOfKuma9x" not in ended.output


def test_no_check_tells_a_secret(house: tuple[Terminal, Control]) -> None:
    """Neither what is in the token file nor what the options hold, whether all is well or not."""
    terminal, google = house
    document: Any = google.token_document(ANNA)
    sign_in(terminal, document)
    terminal.set_options(
        alerts=[{"url": URL}], mqtt={"host": "127.0.0.1", "port": free_port(), "password": "Tr0ub4dor&3"}
    )

    good = shell(terminal, "check")
    google.revoke(ANNA)
    bad = shell(terminal, "check", "--json")

    for secret in (document["refresh_token"], document["client_secret"], "Tr0ub4dor", "Sup3rS3cretWord"):
        assert secret not in good.output + bad.output


def test_as_root_or_not_an_unreadable_disk_is_said(house: tuple[Terminal, Control]) -> None:
    """A data directory that cannot be made is a failure with the remedy."""
    terminal, _google = house
    terminal.environ["CALBOT_DATA"] = os.devnull + "/data"

    ended = terminal.run("check")

    assert ended.exit_code in {1, 2, 3}
    assert "Traceback" not in ended.output
    assert ended.exception is None or isinstance(ended.exception, SystemExit)
