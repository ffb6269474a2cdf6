"""Promises of the pages of work with the real engine against the fake Google: each button does what it says."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
from flask.testing import FlaskClient

from addon.web.deeds import DeedPages
from addon.web.desk import Desk
from addon.web.panel import panel
from calbot import health
from calbot.clock import SystemRandom
from calbot.model import Outgoing
from calbot.settings import Settings
from calbot.store import history, outbox
from calbot.store.database import translated
from tests.household import ANNA, BOB, INVITE_BOB, Household, wait
from tests.web.office import SAME
from tests.web.test_panel import read

THREE_AN_HOUR = msgspec.structs.replace(INVITE_BOB, invites_per_hour=3)


class Panel:
    """The panel of a household, and a browser before it."""

    def __init__(self, home: Household) -> None:
        self.home = home
        engine, random = home.engine, SystemRandom()
        desk = Desk(engine, home.database, home.clock, random, patience=15.0)
        engine.listen(desk)
        pages = DeedPages(
            engine,
            desk,
            home.database,
            clock=home.clock,
            random=random,
            time_zone="Europe/Berlin",
            only_peer=None,
        )
        app = panel(
            engine,
            assess=health.assess,
            clock=home.clock,
            alive=lambda: True,
            mqtt_problem=lambda: None,
            outcomes=self.outcomes,
            options=(),
            time_zone="Europe/Berlin",
            deeds=pages,
        )
        self.browser: FlaskClient = app.test_client()

    def outcomes(self) -> list[Outgoing]:
        """The latest rows of the outbox."""
        with translated():
            reader = self.home.database.read()
            return [row for stream in outbox.STREAMS for row in outbox.latest(reader, stream, 100)]

    def see(self, page: str = "") -> str:
        """What a page says."""
        return read(self.browser.get(f"/{page}").text).text

    def press(self, page: str, action: str, after: str = "") -> str:
        """Send the first form of a page that goes there and stands behind `after`; what the answer's page says."""
        text = self.browser.get(f"/{page}").text
        form = re.search(rf'<form method="post" action="{action}".*?</form>', text[text.index(after) :], re.DOTALL)
        assert form is not None, f"{action} on {page}: {read(text).text}"
        fields = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', form[0]))
        fields |= dict(re.findall(r'<select id="\w+" name="(\w+)">.*?value="([^"]*)" selected', form[0], re.DOTALL))
        sent = self.browser.post(f"/{action}", data=fields, headers=SAME)
        assert sent.status_code == 303, sent.text
        self.location = sent.headers["Location"]
        return self.see(self.location)


@contextlib.contextmanager
def household(directory: Path, settings: Settings = INVITE_BOB) -> Iterator[tuple[Household, Panel]]:
    """Anna's household with its panel, once her calendar was read."""
    with Household(directory, settings=settings) as home:
        wait(lambda: home.has_read(ANNA), "Anna's calendar is read")
        yield home, Panel(home)


def burst(home: Household, count: int) -> list[str]:
    """Somebody makes many events at once, and they are held."""
    made = [home.create(summary=f"Match {number}") for number in range(count)]
    home.look()
    wait(lambda: len(history.held(home.database.read())) == 1, "the pass is held")
    return made


def dinner(home: Household) -> str:
    """Somebody makes an event, and bob is invited."""
    made = home.create(summary="Dinner")
    home.look()
    wait(lambda: made in home.invitations(), "bob is invited")
    wait(lambda: any(one.event_type == "invited" for one in home.outcomes()), "it is written down")
    return made


def guests(home: Household, event: str) -> list[str]:
    """Who is on an event."""
    found = home.google.event(ANNA, event)
    return [guest["email"] for guest in found.get("attendees", [])]


def test_approve_sends_what_was_held(tmp_path: Path) -> None:
    """Nobody is invited before; everybody once afterwards."""
    with household(tmp_path, THREE_AN_HOUR) as (home, page):
        made = burst(home, 6)
        before = home.invitations()

        said = page.press("", "approve")
        wait(lambda: len(home.invitations()) >= 6, "all are invited")

        assert before == [] and "Approved" in said
        assert sorted(home.invitations()) == sorted(made)
        wait(lambda: "Waiting for you" not in page.see(), "the card is gone")


def test_discard_drops_what_was_held(tmp_path: Path) -> None:
    """The card goes, nobody is invited, and the event's page says so."""
    with household(tmp_path, THREE_AN_HOUR) as (home, page):
        burst(home, 6)
        link = re.findall(r'href="(discard[^"]+)"', page.browser.get("/").text)[0]

        said = page.press(link.replace("&amp;", "&"), "discard")

        assert "Discarded" in said and "Waiting for you" not in page.see() and home.invitations() == []
        event = re.findall(r'href="(event\?[^"]+)"', page.browser.get("/find?text=Match 1").text)[0]
        assert "Discarded" in page.see(event.replace("&amp;", "&"))


def test_undo_on_the_timeline_takes_the_guest_off(tmp_path: Path) -> None:
    """The line loses its button, and what was taken back is told."""
    with household(tmp_path) as (home, page):
        made = dinner(home)

        said = page.press("", "undo")

        assert "Taken back" in said and guests(home, made) == []
        after = page.see()
        assert f"Taken back: {BOB}" in after and "Undo:" not in after


def test_undo_of_an_hour_is_confirmed_when_it_is_much(tmp_path: Path) -> None:
    """Six at once are shown first; yes takes all of them back."""
    with household(tmp_path) as (home, page):
        made = [home.create(summary=f"Match {number}") for number in range(6)]
        home.look()
        wait(lambda: len(home.invitations()) == 6, "all are invited")
        wait(lambda: sum(one.event_type == "invited" for one in home.outcomes()) == 6, "it is written down")

        asking = page.press("undo", "undo", "By time")
        said = page.press(page.location, "confirm")

        assert "Take all of this back?" in asking and "Match 5" in asking
        assert "Taken back" in said and [guests(home, one) for one in made] == [[]] * 6


def test_apply_invites_to_what_was_there_before(tmp_path: Path) -> None:
    """The preview foresees it, apply does it, and afterwards there is nothing more to do."""
    home = Household(tmp_path)
    made = home.create(summary="Concert")
    with home:
        wait(lambda: home.has_read(ANNA), "Anna's calendar is read")
        page = Panel(home)
        foreseen, before = page.see("preview"), home.invitations()

        page.press("apply", "apply")
        wait(lambda: home.invitations() == [made], "bob is invited")

        assert "Concert" in foreseen and "Would be invited" in foreseen and before == []
        wait(lambda: "Everybody is on it already" in page.see("preview"), "nothing is left to do")


def test_an_event_explains_itself(tmp_path: Path) -> None:
    """From the timeline's link: the rule, the decision, and what was done."""
    with household(tmp_path) as (home, page):
        dinner(home)
        link = re.findall(r'href="(event\?[^"]+)"', page.browser.get("/").text)[0].replace("&amp;", "&")

        wait(lambda: "Nothing to do" in page.see(link), "our own write was read back")

        told = page.see(link)
        assert "Dinner" in told and "invite_emails" in told and f"Invited {BOB}" in told
