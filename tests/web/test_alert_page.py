"""The page of alerts: what stands, which ways there are and how they work, and forms only our own page can send."""

import re
from collections.abc import Sequence

from flask.testing import FlaskClient

from addon.alerts.judge import Trouble
from addon.web.alert_page import BELL, AlertPage, Way, ways
from calbot.clock import SystemRandom
from calbot.errors import CalbotError
from tests.simulation.machine import VirtualClock
from tests.web.world import NOW, example_panel

FOUND = ("notify.mobile_app_anna", "notify.notify", BELL)
DISK = Trouble(
    kind="disk", text="The disk is full.\nFree some space.", since=NOW - 7200, seen=NOW, raised=NOW, told=True
)


class Household:
    """A panel with the page, and what it was told to do."""

    def __init__(self, *used: str, alone: bool = False) -> None:
        self.tests = 0
        self.error: CalbotError | None = None
        self.works: dict[str, bool | None] = dict.fromkeys(used if alone else (BELL, *used))
        self.complaints: dict[str, str] = {}
        self.standing: list[Trouble] = []
        self.known: list[str | None] = []
        self.refusal: CalbotError | None = None
        page = AlertPage(
            found=None if alone else self.found,
            works=lambda: self.works,
            complaints=lambda: self.complaints,
            standing=lambda: self.standing,
            acknowledge=self.acknowledge,
            test=self.test,
            clock=VirtualClock(NOW),
            random=SystemRandom(),
            only_peer=None,
        )
        app = example_panel()
        app.register_blueprint(page.blueprint())
        self.browser: FlaskClient = app.test_client()

    def found(self) -> Sequence[str]:
        if self.error is not None:
            raise self.error
        return FOUND

    def test(self) -> None:
        self.tests += 1

    def acknowledge(self, alert: str | None) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.known.append(alert)

    def page(self) -> str:
        """What the browser gets."""
        return self.browser.get("/alerts").text

    def press(self, proof: str = "", site: str = "same-origin", form: str = "test", **fields: str) -> int:
        """Press a button; the status of what came."""
        proof = proof or re.findall(r'name="proof" value="([0-9a-f]{64})"', self.page())[0]
        headers = {"Sec-Fetch-Site": site}
        return self.browser.post(f"/alerts-{form}", data={"proof": proof, **fields}, headers=headers).status_code


def test_the_ways_in_use_come_first() -> None:
    """The bell, what was named with how it is, mail and messengers, then what else was found."""
    works = {BELL: True, "notify.gone": None, "notify.mobile_app_anna": False, "sendgrid": None}
    shown = ways(works, {"notify.mobile_app_anna": "It is off."}, FOUND)

    assert [(way.tone, way.state) for way in shown] == [
        ("good", "Works"),
        ("warn", "Not found"),
        ("warn", "Does not arrive"),
        ("good", "Gets alerts"),
        ("quiet", "Not used"),
    ]
    assert shown[2].text == "It is off." and shown[4] == Way("notify.notify", "quiet", "Not used")


def test_a_test_is_sent_from_our_own_page_only() -> None:
    """The button works with its proof; nobody else's page can press it."""
    household = Household("notify.mobile_app_anna")
    page = household.page()

    assert "notify.mobile_app_anna" in page and "notify.notify" in page
    assert household.press(site="cross-site") == 403 and household.press("wrong") == 403 and household.tests == 0
    assert household.press() == 303 and household.tests == 1
    assert "on its way" in household.browser.get("/alerts?sent").text


def test_what_stands_can_be_acknowledged_from_our_own_page_only() -> None:
    """Each alert by itself, with since when it stands; one that is known already has no button."""
    household = Household()
    household.standing = [
        DISK,
        Trouble(kind="held", text="It waits.", since=NOW, seen=NOW, raised=NOW, acknowledged=True),
    ]

    page = household.page()

    assert "The disk is full." in page and "Free some space." in page and "2 hours ago" in page
    assert page.count(">Acknowledge</button>") == 1 and page.count(">Acknowledged<") == 1
    assert household.press("wrong", form="ack", alert="disk") == 403 and household.known == []
    assert household.press(form="ack", alert="disk") == 303 and household.known == ["disk"]


def test_what_cannot_be_acknowledged_now_is_said() -> None:
    """A full disk takes nothing down."""
    household = Household()
    household.standing, household.refusal = [DISK], CalbotError("The disk takes nothing.")
    proof = re.findall(r'name="proof" value="([0-9a-f]{64})"', household.page())[0]

    headers = {"Sec-Fetch-Site": "same-origin"}
    answer = household.browser.post("/alerts-ack", data={"proof": proof, "alert": "disk"}, headers=headers)

    assert "The disk takes nothing." in answer.text


def test_a_home_assistant_that_is_away_is_said() -> None:
    """The page is there all the same, and accuses no service of being unknown."""
    household = Household("notify.mobile_app_anna")
    household.error = CalbotError("Home Assistant does not answer.")

    page = household.page()

    assert "Home Assistant does not answer." in page and "Not found" not in page


def test_without_home_assistant_and_without_a_way_there_is_nothing_to_press() -> None:
    """Standalone: a sentence instead."""
    page = Household(alone=True).page()

    assert "No way is set yet" in page and "<form" not in page


def test_without_home_assistant_the_other_ways_are_there() -> None:
    """They can be tested, and nothing on the page is about Home Assistant's services."""
    household = Household("sendgrid", "gmail, from anna@example.com", alone=True)
    household.works["sendgrid"], household.complaints["sendgrid"] = False, "It did not take the key."

    page = household.page()

    assert "sendgrid" in page and "It did not take the key." in page and "gmail, from anna@example.com" in page
    assert "Configuration tab" not in page and household.press() == 303 and household.tests == 1


def test_strange_names_are_text() -> None:
    """What a service, a complaint or an alert says is never markup."""
    household = Household("notify.mobile_app_anna")
    household.complaints["notify.mobile_app_anna"] = "<script>alert(1)</script>"
    strange = '<script>alert(2)</script>"><script>alert(3)</script>'
    household.standing = [Trouble(kind="sync", subject=strange, text=strange, since=NOW, seen=NOW, raised=NOW)]

    assert "<script>alert" not in household.page()
