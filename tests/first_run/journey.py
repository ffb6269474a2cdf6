"""The way of a newcomer: each click in the panel, what is seen there, and how long it takes."""

import contextlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from addon.broker import EmbeddedBroker
from calbot.clock import SystemClock
from tests.first_run.chromium import Chromium, Tab
from tests.google_server.http import GoogleServer
from tests.service.running import ANNA, BOB, Service, wait_for

MOST_CLICKS = 10
SMALLEST_PICTURE = 8_000
"""Bytes of a picture; one of an empty page has half of that."""


@dataclass
class Journey:
    """What happened: a line for each screen, and the pictures."""

    tab: Tab
    pictures: Path
    lines: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)
    clicked: int = 0

    def screen(self, name: str, *expected: str) -> None:
        """Note the screen that is there now: it has to show what is expected, and is photographed."""
        text = self.tab.text()
        missing = [words for words in expected if words not in text]
        assert not missing, f"{name} does not show {missing}: {text}"
        assert len(text) > 80, f"{name} is empty: {text!r}"
        path = self.pictures / f"{len(self.lines) + 1:02}-{name}.png"
        self.tab.picture(path)
        assert path.stat().st_size > SMALLEST_PICTURE, f"the picture of {name} is empty"
        seconds, clicks = time.monotonic() - self.began, self.tab.clicks - self.clicked
        self.lines.append(f"{name:16} {clicks} clicks {seconds:6.1f} s")
        self.began, self.clicked = time.monotonic(), self.tab.clicks

    def report(self) -> str:
        """Return the table of screens."""
        return "\n".join([*self.lines, f"{'all':16} {self.tab.clicks} clicks"])


@contextlib.contextmanager
def newcomer(data: Path) -> Iterator[tuple[Service, GoogleServer]]:
    """A service on an empty data directory, a fake Google, and a broker; what is wanted stands in the environment."""
    with GoogleServer(SystemClock(), [ANNA, BOB], allow_http_push=True) as google:
        broker = EmbeddedBroker(SystemClock())
        broker.start()
        service = Service(data, google, broker.port)
        (data / "options.json").unlink()
        assert list(data.iterdir()) == []
        service.start(
            CALBOT_AUTH_URI=google.auth_uri,
            CALBOT_LOG_LEVEL="debug",
            INVITE_EMAIL=BOB,
            CALBOT_POLL_INTERVAL="15",
            MQTT_HOST="127.0.0.1",
            MQTT_PORT=str(broker.port),
        )
        try:
            yield service, google
        finally:
            if service.process is not None and service.process.poll() is None:
                service.kill()
            broker.stop()


def travel(data: Path, pictures: Path) -> Journey:
    """Go the whole way, from the first look at the panel to the first invitation."""
    pictures.mkdir(parents=True, exist_ok=True)
    for old in pictures.glob("*.png"):
        old.unlink()
    file = pictures / "client_secret.json"
    with newcomer(data) as (service, google), Chromium() as browser:
        client = {"client_id": "calbot-client", "client_secret": google.world.tokens.clients["calbot-client"]}
        file.write_text(json.dumps({"installed": client}))
        try:
            return _travel(service, google, browser, file, pictures)
        finally:
            file.unlink()


def _travel(service: Service, google: GoogleServer, browser: Chromium, file: Path, pictures: Path) -> Journey:
    panel = f"http://127.0.0.1:{service.panel_port}/"
    tab = browser.tab()
    tab.look(1000)
    wait_for(lambda: "/" in service.log() and "panel is at" in service.log(), 20, "the panel opens")
    journey = Journey(tab, pictures)

    tab.go(panel)
    journey.screen("status-at-first", "Almost there", "No Google account")
    tab.click("Sign in with Google")
    journey.screen("project", "project in Google Cloud", "Press Create")
    tab.click("Done, next")
    journey.screen("calendar-api", "Press Enable")
    tab.click("Done, next")
    journey.screen("consent-screen", "External", "Publish app")
    tab.click("Done, next")
    journey.screen("desktop-client", "Desktop app", "Download JSON")
    tab.click("Done, next")
    journey.screen("json-file", "client_secret")
    tab.choose(file)
    tab.click("Continue")
    journey.screen("sign-in", "verified this app", "can’t be reached", "Copy the whole address", "paste")
    address = tab.click_away("Open Google")
    tab.paste(f"  {address}\n")
    tab.click("Finish")
    journey.screen("done", "Signed in", ANNA, BOB, "What happens next")
    clicks = tab.clicks
    assert clicks <= MOST_CLICKS, f"{clicks} clicks of at most {MOST_CLICKS}:\n{journey.report()}"

    wait_for(service.is_watching, 30, "Anna's calendar is read")
    event = google.control.create_event(ANNA)["id"]
    wait_for(lambda: google.control.mails(to=BOB, kind="invitation"), 40, "the first invitation")
    assert [mail["event"] for mail in google.control.mails(to=BOB, kind="invitation")] == [event]
    tab.go(panel)
    journey.screen("first-invitation", "Everything works", "Dinner", BOB)
    tab.go(f"{panel}accounts")
    journey.screen("accounts", ANNA, "Sign in again", "Remove")
    tab.look(390, dark=True)
    tab.go(f"{panel}sign-in-google")
    journey.screen("phone-sign-in", "Open Google")
    tab.go(f"{panel}sign-in-consent")
    journey.screen("phone-consent", "Publish app")
    _keeps_its_secrets(service, google, address)
    return journey


def _keeps_its_secrets(service: Service, google: GoogleServer, address: str) -> None:
    """Neither the log nor any file shows what was entrusted."""
    code = parse_qs(urlsplit(address).query)["code"][0]
    grants = [grant.refresh_token for grant in google.world.tokens.grants.values()]
    secrets = [code, *grants, *google.world.tokens.access, google.world.tokens.clients["calbot-client"]]
    for path in [one for one in service.data.rglob("*") if one.is_file()]:
        content = path.read_bytes()
        shown = [secret for secret in secrets if secret.encode() in content]
        assert shown == [], f"{path.name} shows {shown}"
