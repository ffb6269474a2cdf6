"""Alerts of the real process, by mail server, web hook, SendGrid and Gmail: each once, until people say they know."""

import contextlib
import json
import re
import sqlite3
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

import pytest

from tests.alerts.receivers import MailReceiver, Proxy, WebReceiver, mail, proxy, web
from tests.google_server.control import Control
from tests.google_server.tokens import PREFIX
from tests.service.running import ANNA, BOB, Listener, Service, house, wait_for

KEY = "SG.Zq3fGh7kLm2nPq5rSt8v.Xy4zAb6cDe8fGh1jKl3mNp5qRs7tUv9w"
PASSWORD = "hunter2hunter2"
CAROL = "carol@example.com"
TITLE = "Calbot needs you to sign in again"
GMAIL = f"gmail, from {ANNA}"


@dataclass(slots=True)
class Street:
    """A household, and everybody whom its alerts can reach. `broken` answers 500."""

    service: Service
    google: Control
    listener: Listener
    hook: WebReceiver
    broken: WebReceiver
    server: MailReceiver
    sendgrid: Proxy
    environment: dict[str, str] = field(default_factory=dict)

    def begin(self) -> None:
        """Start the service, which finds them all on loopback."""
        starts = self.service.log().count("is running.") if (self.service.data / "log").exists() else 0
        self.service.start(**self.environment)
        wait_for(lambda: self.service.log().count("is running.") > starts, 20, "Calbot")
        wait_for(lambda: "online" in self.listener.availability(), 20, "Calbot on MQTT")

    def trouble(self) -> Path:
        """Let something be wrong; the file to remove when it is to be right again."""
        file = self.service.data / "tokens" / f"{CAROL}.json"
        file.write_text("not JSON")
        return file

    def titles(self) -> dict[str, list[str]]:
        """What has arrived, by way."""
        return {
            "hook": [json.loads(one.body)["title"] for one in list(self.hook.got)],
            "server": [str(message["Subject"]) for _, _, message in list(self.server.got)],
            "sendgrid": [json.loads(one.body)["subject"] for one in list(self.sendgrid.kept.got)],
            "gmail": [str(one["subject"]) for one in self.google.gmail()],
        }

    def shown(self) -> str:
        """Everything that people and logs are shown."""
        heard = b"".join(payload for _, payload, _ in list(self.listener.heard)).decode(errors="replace")
        pages = "".join(self.service.get(path)[1] for path in ("/", "/alerts", "/health"))
        return f"{self.service.log()}{heard}{pages}"

    def arrived(self, *titles: str) -> None:
        """Wait until these have arrived by every way, and nothing else."""
        wait_for(lambda: all(came == list(titles) for came in self.titles().values()), 15, f"{titles} by every way")


@contextlib.contextmanager
def street(data: Path, certificates: Path) -> Iterator[Street]:
    """A household with every kind of way."""
    with web() as hook, web() as broken, mail() as server, proxy(certificates, "api.sendgrid.com") as sendgrid:
        broken.status = 500
        ways = [
            {"url": f"form://anna:{PASSWORD}@{broken.host}/hook"},
            {"url": f"json://anna:{PASSWORD}@{hook.host}/hook?rto=60"},
            {"url": f"mailto://127.0.0.1:{server.port}?from=calbot@example.org&to={ANNA}&mode=insecure"},
            {"url": f"sendgrid://{KEY}:calbot@example.org/{BOB}"},
            {"gmail": {"from": ANNA, "to": [BOB]}},
        ]
        with house(data, push_url=None, alerts=ways) as (service, google, listener):
            consent = google.token_document(ANNA, [f"{PREFIX}gmail.send"])
            (data / "mail").mkdir()
            (data / "mail" / f"{ANNA}.json").write_text(json.dumps(consent))
            environment = {**sendgrid.environment(), "CALBOT_GMAIL_API": consent["token_uri"].removesuffix("token")}
            yield Street(service, google, listener, hook, broken, server, sendgrid, environment)


def owed(road: Street) -> set[str]:
    """The ways by which something has still to arrive, as the store has it."""
    with contextlib.closing(sqlite3.connect(f"file:{road.service.data}/calbot.db?mode=ro", uri=True)) as store:
        (text,) = store.execute("SELECT value FROM meta WHERE key = 'owed'").fetchone()
    return {way for way, messages in json.loads(text).items() if messages}


@pytest.fixture
def road(tmp_path: Path) -> Iterator[Street]:
    """A household with every kind of way, not started yet."""
    (tmp_path / "certificates").mkdir()
    with street(tmp_path / "data", tmp_path / "certificates") as found:
        yield found


def test_an_alert_arrives_once_by_every_way_and_a_broken_one_hurts_none(road: Street) -> None:
    """At a web hook, a mail server, SendGrid and Gmail, with key, sender, people and text; also over a restart."""
    road.begin()

    road.trouble()
    road.arrived(TITLE)

    (sent,) = road.sendgrid.kept.got
    body = json.loads(sent.body)
    assert (sent.host, sent.headers["authorization"]) == ("api.sendgrid.com", f"Bearer {KEY}")
    assert body["from"]["email"] == "calbot@example.org" and body["personalizations"] == [{"to": [{"email": BOB}]}]
    assert f"{CAROL}.json" in body["content"][0]["value"] and body["content"][0]["type"] == "text/plain"
    (mailed,) = road.google.gmail()
    assert (mailed["account"], mailed["to"]) == (ANNA, BOB) and CAROL in mailed["raw"]
    assert road.server.got[0][1] == [ANNA] and f"{CAROL}.json" in road.server.got[0][2].get_content()
    wait_for(lambda: "An alert through form did not arrive" in road.service.log(), 10, "a word about the broken one")

    road.service.stop()
    road.begin()
    wait_for(lambda: road.service.log().count("Status: problem") == 2, 20, "the second look at it")
    assert f"{CAROL}.json" in road.service.get("/alerts")[1]

    assert road.titles() == {way: [TITLE] for way in ("hook", "server", "sendgrid", "gmail")}
    assert KEY not in road.shown() and PASSWORD not in road.shown() and "refresh-" not in road.shown()


@pytest.mark.slow
def test_its_end_arrives_once_by_every_way(road: Street) -> None:
    """A minute after it is over, as one that comes and goes is not."""
    road.begin()
    file = road.trouble()
    road.arrived(TITLE)

    file.unlink()

    wait_for(lambda: len(road.titles()["hook"]) == 2, 90, "its end")
    road.arrived(TITLE, f"Solved: {TITLE}")


def test_a_way_that_hangs_holds_up_neither_the_others_nor_the_stop(road: Street) -> None:
    """The web hook takes the alert and never answers."""
    road.hook.hangs.set()
    road.begin()

    road.trouble()
    road.arrived(TITLE)
    code, seconds = road.service.stop()

    assert code == 0 and seconds < 5


def test_what_could_not_be_brought_before_a_crash_is_brought_after_it(road: Street) -> None:
    """By the way that had no answer alone; by the others it has arrived."""
    road.hook.hangs.set()
    road.begin()
    road.trouble()
    wait_for(lambda: all(road.titles()[way] == [TITLE] for way in ("server", "sendgrid", "gmail")), 20, "the others")
    wait_for(lambda: owed(road) == {"form", "json"}, 10, "what arrived to be crossed out")

    road.service.kill()
    road.hook.hangs.clear()
    road.begin()
    wait_for(lambda: len(road.titles()["hook"]) == 2, 30, "the second try")
    wait_for(lambda: road.service.log().count("Status: problem") == 2, 20, "the second look at it")
    road.service.stop()
    road.begin()
    wait_for(lambda: road.service.log().count("Status: problem") == 3, 20, "the third look at it")

    assert road.titles() == {"hook": [TITLE, TITLE]} | {way: [TITLE] for way in ("server", "sendgrid", "gmail")}


def test_a_test_is_sent_through_the_running_service(road: Street) -> None:
    """The command waits for each way and says of each what became of it; the page shows it."""
    road.begin()

    tested = road.service.run("alerts", "test", "--json", CALBOT_GMAIL_API="http://127.0.0.1:9/")

    answer = json.loads(tested.stdout)
    assert tested.returncode == 5 and answer["status"] == "partial"
    assert {name: came == "ok" for name, came in answer["data"].items()} == {
        "form": False,
        "json": True,
        "mailto": True,
        "sendgrid": True,
        GMAIL: True,
    }
    road.arrived("Calbot can reach you")
    page = road.service.get("/alerts")[1]
    assert page.count(">Works<") == 4 and "500" in page and PASSWORD not in page + tested.stdout + tested.stderr


def test_people_say_that_they_know(road: Street) -> None:
    """By MQTT, on the panel and at a terminal: it stands on, and one that is not there is answered as such."""
    road.begin()
    road.trouble()
    road.arrived(TITLE)
    (alert,) = listed(road)

    road.listener.ask("ack_alert", id="1", args={"id": "nothing"})
    road.listener.ask("ack_alert", id="2", args={})
    road.listener.ask("ack_alert", id="3", args={"all": True})
    wait_for(lambda: len(final(road)) == 3, 10, "three answers")
    by_mqtt = listed(road)
    at_the_terminal = road.service.run("alerts", "ack", alert["id"])
    unknown = road.service.run("alerts", "ack", "nothing")

    assert [(one["status"], one["code"]) for one in final(road)] == [
        ("error", "not_found"),
        ("error", "invalid"),
        ("ok", None),
    ]
    assert not alert["acknowledged"] and [one["acknowledged"] for one in by_mqtt] == [True]
    assert (at_the_terminal.returncode, unknown.returncode) == (0, 4)
    assert "Acknowledged" in road.service.get("/alerts")[1]


def test_the_panel_has_a_button_for_it(road: Street) -> None:
    """Which goes the way of every command; the page shows it at once."""
    road.begin()
    road.trouble()
    road.arrived(TITLE)

    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    page = f"http://127.0.0.1:{road.service.panel_port}/alerts"
    shown = browser.open(page, timeout=5).read().decode()
    fields = dict(re.findall(r'name="(proof|alert)" value="([^"]+)"', shown))
    request = urllib.request.Request(f"{page}-ack", urllib.parse.urlencode(fields).encode())
    request.add_header("Sec-Fetch-Site", "same-origin")
    after = browser.open(request, timeout=10).read().decode()

    assert ">Acknowledge</button>" in shown and ">Acknowledged<" in after and ">Acknowledge</button>" not in after
    assert [one["acknowledged"] for one in listed(road)] == [True]


def test_what_cannot_work_is_noted_at_the_start(tmp_path: Path) -> None:
    """A scheme that nobody knows, and mail that nobody has allowed: Calbot runs, and says both without a secret."""
    ways = [{"url": f"nonsense://{PASSWORD}"}, {"gmail": {"from": ANNA}}]
    with house(tmp_path, push_url=None, alerts=ways) as (service, google, listener):
        service.start()
        wait_for(lambda: "online" in listener.availability(), 20, "Calbot on MQTT")
        wait_for(lambda: service.log().count("will not arrive") == 2, 20, "two notes")

        page, status = service.get("/alerts")[1], service.get("/")[1]
        assert "nonsense://" in page and f"calbot accounts mail {ANNA}" in page
        assert f"calbot accounts mail {ANNA}" in status and PASSWORD not in page + status + service.log()
        assert google.calls("gmail.send") == []


def listed(road: Street) -> list[dict[str, Any]]:
    """What the command line lists."""
    found: list[dict[str, Any]] = json.loads(road.service.run("alerts", "--json").stdout)["alerts"]
    return found


def final(road: Street) -> list[dict[str, Any]]:
    """The final answers on MQTT, in order."""
    return [one for one in road.listener.payloads("calbot/response/ack_alert") if one["final"]]
