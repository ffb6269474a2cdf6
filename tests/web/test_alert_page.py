"""The page of alerts: what is found, what is used, what did not arrive, and a test that only our own page can send."""

import re
from collections.abc import Sequence

from flask.testing import FlaskClient

from addon.web.alert_page import AlertPage, Way, ways
from calbot.clock import SystemRandom
from calbot.errors import CalbotError
from tests.web.world import example_panel

FOUND = ("notify.mobile_app_anna", "notify.notify", "notify.persistent_notification")


class Household:
    """A panel with the page, and what it was told to send."""

    def __init__(self, *named: str, alone: bool = False) -> None:
        self.tests = 0
        self.error: CalbotError | None = None
        self.complaints: dict[str, str] = {}
        page = AlertPage(
            found=None if alone else self.found,
            named=named,
            complaints=lambda: self.complaints,
            test=self.test,
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

    def press(self, proof: str, site: str = "same-origin") -> int:
        """Press the button; the status of what came."""
        headers = {"Sec-Fetch-Site": site}
        return self.browser.post("/alerts-test", data={"proof": proof}, headers=headers).status_code


def test_the_ways_in_use_come_first() -> None:
    """The bell always, what was named with how it is, then what else was found."""
    shown = ways(("notify.gone", "notify.mobile_app_anna"), FOUND, {"notify.mobile_app_anna": "It is off."})

    assert [(way.tone, way.state) for way in shown] == [
        ("good", "Gets alerts"),
        ("warn", "Not found"),
        ("warn", "Did not arrive"),
        ("quiet", "Not used"),
    ]
    assert shown[2].text == "It is off." and shown[3] == Way("notify.notify", "quiet", "Not used")


def test_a_test_is_sent_from_our_own_page_only() -> None:
    """The button works with its proof; nobody else's page can press it."""
    household = Household("notify.mobile_app_anna")
    page = household.browser.get("/alerts").text
    proof = re.findall(r'name="proof" value="([0-9a-f]{64})"', page)[0]

    assert "notify.mobile_app_anna" in page and "notify.notify" in page
    assert household.press(proof, "cross-site") == 403 and household.press("wrong") == 403 and household.tests == 0
    assert household.press(proof) == 303 and household.tests == 1
    assert "on its way" in household.browser.get("/alerts?sent").text


def test_a_home_assistant_that_is_away_is_said() -> None:
    """The page is there all the same, and accuses no service of being unknown."""
    household = Household("notify.mobile_app_anna")
    household.error = CalbotError("Home Assistant does not answer.")

    page = household.browser.get("/alerts").text

    assert "Home Assistant does not answer." in page and "Not found" not in page


def test_without_home_assistant_there_is_nothing_to_press() -> None:
    """Standalone: a sentence instead."""
    page = Household(alone=True).browser.get("/alerts").text

    assert "no Home Assistant" in page and "<form" not in page


def test_strange_names_are_text() -> None:
    """What a service or a complaint says is never markup."""
    household = Household("notify.mobile_app_anna")
    household.complaints["notify.mobile_app_anna"] = "<script>alert(1)</script>"

    assert "<script>alert" not in household.browser.get("/alerts").text
