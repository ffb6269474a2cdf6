"""Promises of the sign-in pages: a browser is enough, wrong turns are named, strangers stay out, secrets stay in."""

import io
import json
import logging
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from addon import supervisor
from addon.mqtt.bridge import NOT_LISTENING
from addon.web import steps
from addon.web.desk import Desk
from addon.web.guard import COOKIE
from addon.web.panel import panel
from addon.web.sign_in import LARGEST_BODY, Pages
from addon.web.under_way import GOOD_FOR
from addon.web.under_way import MOST as UNDER_WAY
from calbot.clock import SystemClock, SystemRandom
from calbot.google.consent import MAIL, Google, SignedIn
from calbot.google.turns import Client
from calbot.google.wallet import Wallet
from calbot.model import Answer, Command
from calbot.status import Health, Reason
from calbot.store import commands
from calbot.store.database import Database
from calbot.vault import Vault
from tests.google_server.http import GoogleServer
from tests.google_server.tokens import PREFIX
from tests.web.test_panel import PAYLOADS, read
from tests.web.world import ANNA, FINE, NOW, FakeEngine, ask, serving

BOB = "bob@example.com"
SUPERVISOR = "172.30.32.2"
OURS = {"client_id": "calbot-client", "client_secret": "calbot-secret"}
SAME = {"Sec-Fetch-Site": "same-origin"}
PAGES = ["accounts", *(step.path for step in steps.STEPS), f"sign-in-done?account={ANNA}"]
PAGES += [f"sign-in-project?account={ANNA}", f"sign-in-file?account={ANNA}", f"sign-in-google?account={ANNA}"]
PAGES += [f"sign-in-mail?account={ANNA}", f"mail-done?account={ANNA}"]


class SteppedClock:
    """Stands still until a test moves it."""

    seconds = NOW

    def now(self) -> float:
        return self.seconds

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        raise AssertionError("nobody sleeps in the panel")


class House:
    """The panel with its sign-in pages, a browser in front of it and the fake Google behind it."""

    def __init__(
        self,
        data: Path,
        google: GoogleServer | None = None,
        only_peer: str | None = None,
        verdict: Health = FINE,
        chosen: Sequence[str] = (),
        desk: Desk | None = None,
    ) -> None:
        self.data, self.clock = data, SteppedClock()
        self.wallet = Wallet(data, Vault(data))
        place = Google() if google is None else Google(google.auth_uri, google.token_uri, google.calendar_api)
        self.pages = Pages(
            FakeEngine(),
            self.wallet,
            place,
            clock=self.clock,
            random=SystemRandom(),
            time_zone="Europe/Berlin",
            only_peer=only_peer,
            chosen=chosen,
            desk=desk,
        )
        self.app: Flask = panel(
            FakeEngine(),
            assess=lambda _snapshot, _now: verdict,
            clock=self.clock,
            alive=lambda: True,
            mqtt_problem=lambda: None,
            outcomes=tuple,
            options=(),
            time_zone="Europe/Berlin",
            only_peer=only_peer,
            sign_in=self.pages,
        )
        self.browser = self.app.test_client()

    def signed_in(self, email: str = ANNA, expires: float | None = None) -> None:
        """Keep a sign-in of the account."""
        document = {"refresh_token": "canary-refresh", **OURS, "expires_at": expires}
        self.wallet.keep(SignedIn(email, json.dumps(document).encode()))

    def sends_mail(self, email: str = ANNA, expires: float | None = None) -> None:
        """Keep a consent to send mail."""
        document = {"refresh_token": "canary-mail", **OURS, "expires_at": expires}
        self.wallet.keep(SignedIn(email, json.dumps(document).encode(), purpose=MAIL))

    def with_client(self) -> None:
        """Keep the client."""
        self.wallet.keep_client(Client(**OURS))

    def post(self, page: str, form: str = "", browser: FlaskClient | None = None, **fields: object) -> TestResponse:
        """Fill in the form of a page and send it, as its browser does."""
        browser = browser or self.browser
        proof = proof_in(browser.get(f"/{form or page}").text)
        return browser.post(f"/{page}", data={"proof": proof, **fields}, headers=SAME)


def proof_in(page: str) -> str:
    """Return what the form carries."""
    found = re.search(r'name="proof" value="([0-9a-f]{64})"', page)
    return found[1] if found else ""


@pytest.fixture
def house(tmp_path: Path) -> House:
    """A house where Google is never asked."""
    return House(tmp_path)


@pytest.fixture
def google() -> Iterator[GoogleServer]:
    """Two people's Google."""
    with GoogleServer(SystemClock(), [ANNA, BOB]) as server:
        yield server


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        """Follow nothing."""


def consented(page: str) -> str:
    """Follow the page's link to Google; return the address that the browser lands on."""
    address = next(
        values["href"] or "" for tag, values in read(page).elements if tag == "a" and values.get("id") == "google"
    )
    try:
        urllib.request.build_opener(_Stay).open(address, timeout=5).close()
    except urllib.error.HTTPError as error:
        error.close()
        return str(error.headers.get("Location") or address)
    return address


# The way


def test_a_browser_is_enough(tmp_path: Path, google: GoogleServer) -> None:
    """A file, a pasted address with blanks, and the account is there; the next page says what happens."""
    home = House(tmp_path, google)
    content = json.dumps({"installed": OURS}).encode()
    first = home.browser.get("/sign-in")

    given = home.post("sign-in-file", file=(io.BytesIO(content), "client_secret_1.json"))
    landed = consented(home.browser.get("/sign-in-google").text)
    finished = home.post("sign-in-google", pasted=f" {landed} \n")
    done = home.browser.get(f"/{finished.location}")

    assert (first.location, given.status_code, given.location) == ("sign-in-project", 303, "sign-in-google")
    assert finished.status_code == 303
    assert [(kept.email, kept.usable) for kept in home.wallet.accounts()] == [(ANNA, True)]
    assert "Signed in" in done.text and ANNA in done.text and BOB in done.text
    assert home.browser.get("/sign-in").location == "sign-in-google"


def test_the_content_of_the_file_can_be_pasted(house: House) -> None:
    """For a browser that shows a JSON instead of saving it."""
    given = house.post("sign-in-file", content=json.dumps({"installed": OURS}))

    kept = house.wallet.client()
    assert given.status_code == 303 and kept is not None and kept.client_id == OURS["client_id"]


def test_each_step_has_its_screen_its_link_and_what_to_press(house: House) -> None:
    """They lead from one to the next, and each link opens a new tab that learns nothing of us."""
    house.with_client()
    for step in steps.STEPS:
        page = read(house.browser.get(f"/{step.path}").text)
        links = [values for tag, values in page.elements if tag == "a"]

        assert step.title in page.text and all(one.path in {link["href"] for link in links} for one in steps.STEPS)
        outside = [link for link in links if (link["href"] or "").startswith("https://")]
        assert step.path == "sign-in-file" or outside
        assert all(link["target"] == "_blank" and "noopener" in (link["rel"] or "") for link in outside)
        for press in step.presses:
            assert all(part in page.text for _, part in steps.pressed(press))


def test_the_two_frightening_pages_are_explained_before_they_come(house: House) -> None:
    """“Google hasn’t verified this app” and the dead page, above the link that leads there."""
    house.with_client()

    page = house.browser.get("/sign-in-google").text

    assert page.index("hasn’t verified this app") < page.index("Open Google")
    assert page.index("can’t be reached") < page.index("Open Google") < page.index("paste the address")


def test_a_sign_in_in_testing_is_warned_about_on_each_page(tmp_path: Path, google: GoogleServer) -> None:
    """Done, accounts and status name the day and Publish app."""
    google.control.set_consent(testing=True)
    home = House(tmp_path, google)
    home.with_client()
    landed = consented(home.browser.get("/sign-in-google").text)

    done = home.browser.get(f"/{home.post('sign-in-google', pasted=landed).location}")

    for page in (done.text, home.browser.get("/accounts").text, home.browser.get("/").text):
        assert "Testing" in page and "Publish app" in page and re.search(r"\d (Nov|Dec)", page)


def test_an_api_that_is_not_enabled_is_said_with_its_link(tmp_path: Path, google: GoogleServer) -> None:
    """The account is kept: after the press of one button it works."""
    google.control.add_fault("accessNotConfigured", operation="calendarList.list")
    home = House(tmp_path, google)
    home.with_client()
    landed = consented(home.browser.get("/sign-in-google").text)

    done = home.browser.get(f"/{home.post('sign-in-google', pasted=landed).location}")

    assert "not enabled" in done.text and steps.ENABLE_API in done.text
    assert home.wallet.accounts()[0].usable


# Wrong turns


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "Choose the file"),
        (b"nonsense", "Download JSON"),
        (json.dumps({"web": OURS}).encode(), "Desktop app"),
        (b'{"type": "service_account"}', "service account"),
    ],
)
def test_a_wrong_file_is_named_and_changes_nothing(house: House, content: bytes, told: str) -> None:
    """The page comes again, with the sentence."""
    house.with_client()

    answer = house.post("sign-in-file", file=(io.BytesIO(content), "x.json"))

    assert answer.status_code == 422 and told in read(answer.text).text
    assert house.wallet.client() == Client(**OURS)


@pytest.mark.parametrize(
    ("consent", "told"),
    [
        ({"deny": True}, "Cancel was pressed"),
        ({"not_a_test_user": True}, "not one of its test users"),
        ({"untick": [PREFIX + "calendar.events"]}, "View and edit events on all your calendars"),
    ],
)
def test_what_goes_wrong_at_google_is_named(
    tmp_path: Path, google: GoogleServer, consent: dict[str, object], told: str
) -> None:
    """The page comes again with a fresh link; nothing is kept."""
    google.control.set_consent(**consent)
    home = House(tmp_path, google)
    home.with_client()
    landed = consented(home.browser.get("/sign-in-google").text)

    answer = home.post("sign-in-google", pasted=landed)

    assert answer.status_code == 422 and told in read(answer.text).text
    assert home.wallet.accounts() == ()
    google.control.set_consent(deny=False, not_a_test_user=False, untick=[])
    assert home.post("sign-in-google", pasted=consented(answer.text)).status_code == 303


def test_an_old_address_and_that_of_another_browser_are_refused(tmp_path: Path, google: GoogleServer) -> None:
    """After half an hour, after use, and in a session that did not begin it."""
    home, stranger = House(tmp_path, google), None
    home.with_client()
    stranger = home.app.test_client()
    late = consented(home.browser.get("/sign-in-google").text)
    home.clock.seconds += GOOD_FOR + 1
    mine = consented(home.browser.get("/sign-in-google").text)

    answers = [home.post("sign-in-google", pasted=late), home.post("sign-in-google", browser=stranger, pasted=mine)]
    good = home.post("sign-in-google", pasted=mine)
    answers.append(home.post("sign-in-google", pasted=mine))

    assert good.status_code == 303
    assert [answer.status_code for answer in answers] == [422] * 3
    assert all("earlier attempt" in answer.text for answer in answers)


def test_the_link_of_another_tab_still_counts(tmp_path: Path, google: GoogleServer) -> None:
    """Reloading the page does not spoil the sign-in that Google's tab is busy with."""
    home = House(tmp_path, google)
    home.with_client()
    landed = consented(home.browser.get("/sign-in-google").text)

    for _ in range(UNDER_WAY - 2):
        home.browser.get("/sign-in-google")

    assert home.post("sign-in-google", pasted=landed).status_code == 303


def test_a_renewal_is_for_the_account_that_was_meant(tmp_path: Path, google: GoogleServer) -> None:
    """Google is told whom; another one's consent is refused in words."""
    home = House(tmp_path, google)
    home.signed_in(ANNA)
    google.control.set_consent(account=BOB)
    page = home.browser.get(f"/sign-in-google?account={ANNA}").text

    where = f"sign-in-google?account={ANNA}"
    answer = home.post("sign-in-google", form=where, pasted=consented(page), account=ANNA)

    assert "login_hint=anna%40example.com" in page
    assert answer.status_code == 422 and BOB in answer.text
    assert [kept.email for kept in home.wallet.accounts()] == [ANNA]


def test_without_a_client_the_way_begins_at_its_beginning(house: House) -> None:
    """Also for who comes by a bookmark."""
    assert house.browser.get("/sign-in-google").location == "sign-in-project"


# Removing


def test_removing_asks_first_and_removes_the_token_only(house: House) -> None:
    """One request removes nothing."""
    house.with_client()
    house.signed_in(ANNA)
    house.signed_in(BOB)

    asked = house.post("remove", form="accounts", account=ANNA)
    after_asking = len(house.wallet.accounts())
    proof = proof_in(asked.text)
    done = house.browser.post("/remove", data={"proof": proof, "account": ANNA, "confirmed": "yes"}, headers=SAME)

    assert asked.status_code == 200 and "Remove" in asked.text and after_asking == 2
    assert (done.status_code, done.location) == (303, "accounts")
    assert [kept.email for kept in house.wallet.accounts()] == [BOB]
    assert house.wallet.client() == Client(**OURS)


def test_accounts_that_the_options_name_are_shown_before_they_are_signed_in(tmp_path: Path) -> None:
    """With a way to sign in; another one's page says that it is not watched, and removing one says what is left."""
    home = House(tmp_path, chosen=[BOB])
    home.with_client()
    home.signed_in(ANNA)
    before = home.browser.get("/accounts").text
    google = home.browser.get(f"/sign-in-google?account={BOB}").text
    home.signed_in(BOB)

    assert "Not signed in" in before and f"account={BOB}" in before.replace("%40", "@")
    assert "login_hint=bob%40example.com" in google
    assert "names others only" in home.browser.get(f"/sign-in-done?account={ANNA}").text
    assert "take it out there too" in home.post("remove", form="accounts", account=BOB).text
    assert "take it out there too" not in home.post("remove", form="accounts", account=ANNA).text


@pytest.mark.parametrize("account", ["", "nobody@example.com", "../client", f"{ANNA}\x00", "../../etc/passwd"])
def test_only_accounts_that_are_there_can_be_removed(house: House, account: str) -> None:
    """A path is not an account."""
    house.with_client()
    house.signed_in(ANNA)

    house.post("remove", form="accounts", account=account, confirmed="yes")

    assert len(house.wallet.accounts()) == 1 and house.wallet.client() is not None


# Clients


OTHERS = {"client_id": "others-client", "client_secret": "others-secret"}


def test_an_account_may_be_signed_in_with_a_client_of_its_own(tmp_path: Path, google: GoogleServer) -> None:
    """The others keep theirs, and so do those who begin elsewhere meanwhile; once it worked it is the account's."""
    google.control.add_client(*OTHERS.values())
    home = House(tmp_path, google)
    home.with_client()
    home.signed_in(ANNA)
    home.signed_in(BOB)
    where = f"sign-in-file?account={ANNA}"

    given = home.post("sign-in-file", form=where, account=ANNA, content=json.dumps({"installed": OTHERS}))
    page = home.browser.get(f"/{given.location}").text
    others = home.browser.get(f"/sign-in-google?account={BOB}").text
    stranger = home.app.test_client().get(f"/sign-in-google?account={ANNA}").text
    finished = home.post("sign-in-google", form=given.location or "", pasted=consented(page), account=ANNA)

    assert given.location == f"sign-in-google?account={ANNA}".replace("@", "%40") and finished.status_code == 303
    assert "client_id=others-client" in page and "client_id=calbot-client" in others
    assert "client_id=calbot-client" in stranger
    known = [home.wallet.client(one) for one in (ANNA, BOB, "")]
    assert [one.client_id for one in known if one] == ["others-client", "calbot-client", "calbot-client"]


def test_the_first_client_is_everybodys(tmp_path: Path) -> None:
    """Also where it is given for an account that the options name."""
    home = House(tmp_path, chosen=[BOB])

    home.post("sign-in-file", form=f"sign-in-file?account={BOB}", account=BOB, content=json.dumps({"installed": OURS}))

    assert home.wallet.client() == Client(**OURS)


def test_the_way_to_a_client_of_ones_own_keeps_the_account_in_mind(house: House) -> None:
    """From the accounts page over every screen to the file."""
    house.with_client()
    house.signed_in(ANNA)
    query = f"?account={ANNA.replace('@', '%40')}"

    hrefs = [
        {values["href"] for tag, values in read(house.browser.get(f"/{page}").text).elements if tag == "a"}
        for page in ("accounts", *(f"{step.path}{query}" for step in steps.STEPS[:5]))
    ]

    assert all(f"{step.path}{query}" in links for step, links in zip(steps.STEPS, hrefs, strict=False))
    assert f"sign-in-google{query}" in hrefs[-1]


# Mail


def test_mail_is_allowed_with_a_consent_of_its_own(tmp_path: Path, google: GoogleServer) -> None:
    """From the accounts page to what is left to do; the calendars' sign-in is not touched."""
    home = House(tmp_path, google)
    home.with_client()
    home.signed_in(ANNA)
    before = home.browser.get("/accounts").text
    token = (home.data / "tokens" / f"{ANNA}.json").read_bytes()
    page = home.browser.get(f"/sign-in-mail?account={ANNA}").text

    finished = home.post("sign-in-mail", form=f"sign-in-mail?account={ANNA}", pasted=consented(page), account=ANNA)
    done = home.browser.get(f"/{finished.location}").text
    after = home.browser.get("/accounts").text

    assert "send its alerts as mail from this account" in before and "sign-in-mail?account=anna%40" in before
    assert steps.ENABLE_GMAIL in page and "Send email on your behalf" in page and "login_hint=anna" in page
    assert finished.status_code == 303 and "may send its alerts as mail" in done and ANNA in done
    assert home.wallet.mail_senders() == (ANNA,) and (home.data / "tokens" / f"{ANNA}.json").read_bytes() == token
    assert "may send its alerts as mail from this account" in after and "sign-in-mail" not in after


@pytest.mark.parametrize(
    ("consent", "told"),
    [
        ({"untick": [PREFIX + "gmail.send"]}, "“Send email on your behalf”"),
        ({"account": BOB}, "whose mail is to be sent"),
        ({"deny": True}, "Cancel was pressed"),
    ],
)
def test_what_goes_wrong_about_mail_is_named(
    tmp_path: Path, google: GoogleServer, consent: dict[str, object], told: str
) -> None:
    """The page for mail comes again, and nothing is kept."""
    google.control.set_consent(**consent)
    home = House(tmp_path, google)
    home.with_client()
    home.signed_in(ANNA)
    where = f"sign-in-mail?account={ANNA}"
    landed = consented(home.browser.get(f"/{where}").text)

    answer = home.post("sign-in-mail", form=where, pasted=landed, account=ANNA)

    assert answer.status_code == 422 and told in read(answer.text).text and "Gmail API" in answer.text
    assert (
        home.wallet.mail_accounts() == ()
        and "scope=https%3A%2F%2Fwww.googleapis.com%2Fauth%2Fgmail.send" in answer.text
    )


@pytest.mark.parametrize("account", ["", "nobody@example.com", "../client"])
def test_mail_is_one_known_accounts(house: House, account: str) -> None:
    """Nobody else is asked for it."""
    house.with_client()
    house.signed_in(ANNA)

    assert house.browser.get("/sign-in-mail", query_string={"account": account}).location == "accounts"
    assert house.browser.get("/mail-done", query_string={"account": account}).location == "accounts"


def test_mail_is_ended_alone_and_goes_with_its_account(house: House) -> None:
    """The page of removing says so; another account's stays."""
    for email in (ANNA, BOB):
        house.signed_in(email)
        house.sends_mail(email)

    house.post("mail-remove", form="accounts", account=ANNA)
    between = (house.wallet.mail_senders(), len(house.wallet.accounts()))
    house.sends_mail(ANNA)
    asked = house.post("remove", form="accounts", account=ANNA)
    data = {"proof": proof_in(asked.text), "account": ANNA, "confirmed": "yes"}
    house.browser.post("/remove", data=data, headers=SAME)

    assert between == ((BOB,), 2) and "no more mail from it" in asked.text
    assert house.wallet.mail_senders() == (BOB,) and [one.email for one in house.wallet.accounts()] == [BOB]


def test_a_sign_in_that_is_over_is_not_said_to_end(house: House) -> None:
    """Its day has passed, so there is nothing left but to sign in again."""
    house.signed_in(ANNA, expires=NOW - 1)
    page, status = house.browser.get("/accounts").text, house.browser.get("/").text

    assert "Google no longer accepts this sign-in" in page and "Google ends" not in page + status


def test_a_mail_consent_that_ends_or_cannot_be_opened_is_said(house: House) -> None:
    """In seven days with Testing; at once without its key; also where the calendars are not signed in."""
    house.signed_in(ANNA)
    house.sends_mail(ANNA, expires=NOW + 86400)
    ends = house.browser.get("/").text
    house.sends_mail(ANNA, expires=NOW - 1)
    over = house.browser.get("/accounts").text
    (house.data / "mail" / f"{BOB}.json").write_text('{"sealed": "gAAAA"}')
    locked = house.browser.get("/accounts").text

    assert "permission to send mail from anna@example.com" in ends and "Testing" in ends
    assert "no longer lets Calbot send mail" in over and "Allow it again" in over
    assert BOB in locked and "mail only" in locked


# Removing with its copies


class Answering:
    """An engine that answers a purge as the test wants, and remembers what it was asked."""

    def __init__(self, data: Path, *answers: Answer | None) -> None:
        self.database = Database(data)
        self.database.open()
        self.asked: list[Command] = []
        self._answers = list(answers)
        self.desk = Desk(self, self.database, SystemClock(), SystemRandom(), patience=0.05)

    def carry_out(self, command: Command) -> None:
        """Answer, or not."""
        self.asked.append(command)
        answer = self._answers.pop(0)
        if answer is not None:
            with self.database.write() as tx:
                commands.finish(tx, command.id, answer, command.received)
            self.desk.answered(command, answer)


GONE = Answer(status="ok", message="2 copies taken away.", data={"removed": 2, "left": 0})
LEFT = Answer(status="partial", message="1 copy not taken away yet: Mirroring is off.", data={"left": 1})
ASKS = Answer(status="error", code="confirm_required", message="This takes 9 copies.", data={"confirm_token": "abc123"})


@pytest.mark.parametrize(
    ("answers", "told", "stays"),
    [
        ([GONE], "", False),
        ([LEFT], "Mirroring is off.", True),
        ([None], "taking the copies away", True),
        ([Answer(status="ok", message="Done.", data={"left": 1})], "Done.", True),
        ([ASKS], "This takes 9 copies.", True),
        ([ASKS, GONE], "", False),
    ],
)
def test_copies_go_before_the_account_or_it_stays(
    tmp_path: Path, answers: list[Answer | None], told: str, stays: bool
) -> None:
    """What is left is said on the page, which can be sent again; so many at once are confirmed there."""
    engine = Answering(tmp_path, *answers)
    home = House(tmp_path, desk=engine.desk)
    home.signed_in(ANNA)
    page = home.post("remove", form="accounts", account=ANNA)
    for _ in answers:
        hidden = {one["name"] or "": one["value"] or "" for tag, one in read(page.text).elements if tag == "input"}
        page = home.browser.post("/remove", data={**hidden, "copies": "purge"}, headers=SAME)
    engine.database.close()

    kept = [one.email for one in home.wallet.accounts()]
    assert kept == ([ANNA] if stays else []) and told in page.text
    assert (page.status_code, page.location) == ((409, None) if stays else (303, "accounts"))
    assert {(one.name, one.args["account"]) for one in engine.asked} == {("purge", ANNA)}
    assert [one.args.get("confirm") for one in engine.asked] == [None, "abc123"][: len(answers)]


def test_copies_are_kept_unless_that_is_chosen(tmp_path: Path) -> None:
    """It is what is ticked at first; then nobody is asked to take any away."""
    engine = Answering(tmp_path)
    home = House(tmp_path, desk=engine.desk)
    home.signed_in(ANNA)
    asked = home.post("remove", form="accounts", account=ANNA)
    radios = {one["value"]: "checked" in one for tag, one in read(asked.text).elements if one.get("type") == "radio"}
    data = {"proof": proof_in(asked.text), "account": ANNA, "confirmed": "yes", "copies": "keep"}

    done = home.browser.post("/remove", data=data, headers=SAME)
    engine.database.close()

    assert radios == {"keep": True, "purge": False}
    assert (done.status_code, engine.asked, home.wallet.accounts()) == (303, [], ())


# Strangers


FOREIGN: list[dict[str, str]] = [
    {},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "none"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
    {"Origin": "null"},
    {"Origin": "http://evil.example"},
    {"Origin": "http://localhost.evil.example"},
    {"Origin": "http://localhost:8123"},
    {"Origin": "ftp://localhost"},
    {"Origin": "http://["},
    {"Origin": "http://evil.example", "X-Forwarded-Host": "evil.example"},
    {"Referer": "http://localhost/accounts"},
]


@pytest.mark.parametrize("headers", FOREIGN)
def test_a_form_from_elsewhere_is_refused(house: House, headers: dict[str, str]) -> None:
    """Even with the right session and proof."""
    house.signed_in(ANNA)
    proof = proof_in(house.browser.get("/accounts").text)

    answer = house.browser.post("/remove", data={"proof": proof, "account": ANNA, "confirmed": "yes"}, headers=headers)

    assert answer.status_code == 403 and len(house.wallet.accounts()) == 1


@pytest.mark.parametrize("headers", [SAME, {"Origin": "http://localhost"}, {"Origin": "https://LOCALHOST"}])
def test_a_form_of_ours_is_taken_with_or_without_https(house: House, headers: dict[str, str]) -> None:
    """Without https browsers send no Sec-Fetch-Site; the origin says the same."""
    house.signed_in(ANNA)
    proof = proof_in(house.browser.get("/accounts").text)

    answer = house.browser.post("/remove", data={"proof": proof, "account": ANNA, "confirmed": "yes"}, headers=headers)

    assert answer.status_code == 303


@pytest.mark.parametrize("page", ["remove", "sign-in-file", "sign-in-google", "sign-in-mail", "mail-remove"])
@pytest.mark.parametrize("way", ["no cookie", "another cookie", "an odd cookie", "no proof", "another proof", "ä"])
def test_a_form_of_another_session_is_refused(house: House, page: str, way: str) -> None:
    """Cookie and proof belong together, and to this run of Calbot."""
    house.signed_in(ANNA)
    proof = proof_in(house.browser.get("/accounts").text)
    sender = house.app.test_client()
    cookie = house.browser.get_cookie(COOKIE)
    assert cookie is not None
    sent = {"another cookie": "A" * 43, "an odd cookie": "x"}.get(way, cookie.value)
    if way != "no cookie":
        sender.set_cookie(COOKIE, sent)
    given = {"no proof": "", "another proof": "0" * 64, "ä": "ä" * 64}.get(way, proof)

    answer = sender.post(f"/{page}", data={"proof": given, "account": ANNA, "confirmed": "yes"}, headers=SAME)

    assert answer.status_code == 403 and "reload" in answer.text
    assert len(house.wallet.accounts()) == 1 and house.wallet.client("x") is None


def test_a_proof_is_good_for_its_run_only(tmp_path: Path) -> None:
    """After a restart the page has to be loaded again."""
    before, after = House(tmp_path), House(tmp_path)
    after.signed_in(ANNA)
    proof = proof_in(before.browser.get("/sign-in-file").text)
    cookie = before.browser.get_cookie(COOKIE)
    assert cookie is not None
    after.browser.set_cookie(COOKIE, cookie.value)

    answer = after.browser.post("/remove", data={"proof": proof, "account": ANNA, "confirmed": "yes"}, headers=SAME)

    assert answer.status_code == 403 and len(after.wallet.accounts()) == 1


@pytest.mark.parametrize(
    ("method", "page"),
    [("GET", "remove"), ("PUT", "remove"), ("GET", "mail-remove"), ("POST", "accounts"), ("POST", "mail-done")],
)
def test_what_changes_something_is_post_only(house: House, method: str, page: str) -> None:
    """And what shows something is not."""
    assert house.browser.open(f"/{page}", method=method, headers=SAME).status_code == 405


def test_the_session_cookie_is_ours_alone(house: House) -> None:
    """No script reads it, no other site sends it, and it comes unguessable."""
    header = house.browser.get("/accounts").headers["Set-Cookie"]

    assert "HttpOnly" in header and "SameSite=Strict" in header and "Path=/" in header and "Secure" not in header
    assert re.search(rf"{COOKIE}=[A-Za-z0-9_-]{{43}};", header)


# Behind Home Assistant


INGRESS = "/api/hassio_ingress/abcdefghijklmnop"


def test_under_ingress_the_cookie_is_for_our_path(tmp_path: Path) -> None:
    """The other apps of that origin do not get it; with https it is Secure."""
    home = House(tmp_path, only_peer=SUPERVISOR)
    headers = {"X-Ingress-Path": INGRESS, "X-Forwarded-Proto": "https"}

    answer = home.browser.get("/accounts", headers=headers, environ_base={"REMOTE_ADDR": SUPERVISOR})

    assert f"Path={INGRESS}/;" in answer.headers["Set-Cookie"] + ";"
    assert "Secure" in answer.headers["Set-Cookie"]


@pytest.mark.parametrize(
    "path", ["/", "/evil", f"{INGRESS}/; Domain=evil.example", f"{INGRESS}/../..", "//evil.example"]
)
def test_an_odd_ingress_path_is_not_believed(tmp_path: Path, path: str) -> None:
    """Only what looks like the Supervisor's own."""
    home = House(tmp_path, only_peer=SUPERVISOR)

    answer = home.browser.get("/accounts", headers={"X-Ingress-Path": path}, environ_base={"REMOTE_ADDR": SUPERVISOR})

    assert answer.headers["Set-Cookie"].endswith("Path=/; SameSite=Strict") or "Path=/;" in answer.headers["Set-Cookie"]


def test_forwarding_headers_are_believed_from_the_supervisor_only(tmp_path: Path) -> None:
    """Elsewhere they are anybody's words."""
    behind, alone = House(tmp_path / "a", only_peer=SUPERVISOR), House(tmp_path / "b")
    headers = {"Origin": "https://ha.example.org", "X-Forwarded-Host": "ha.example.org", "X-Ingress-Path": INGRESS}
    codes = []
    for home, peer in ((behind, SUPERVISOR), (alone, "127.0.0.1")):
        environ = {"REMOTE_ADDR": peer}
        page = home.browser.get("/sign-in-file", environ_base=environ)
        data = {"proof": proof_in(page.text), "content": json.dumps({"installed": OURS})}
        answer = home.browser.post("/sign-in-file", data=data, headers=headers, environ_base=environ)
        codes.append((answer.status_code, "Path=/" in page.headers["Set-Cookie"]))

    assert codes == [(303, True), (403, True)]


def test_another_address_than_the_supervisors_sees_nothing(tmp_path: Path) -> None:
    """Not a page, not a form."""
    home = House(tmp_path, only_peer=SUPERVISOR)

    seen = [home.browser.get(f"/{page}", environ_base={"REMOTE_ADDR": "172.30.33.7"}).status_code for page in PAGES]

    assert set(seen) == {403}


def test_every_address_on_the_pages_is_relative_or_leads_outside(house: House) -> None:
    """Under ingress the panel lies below a path that it does not know; all its pages lie beside each other."""
    house.with_client()
    house.signed_in(ANNA)
    house.sends_mail(ANNA)
    for name in ["", *PAGES]:
        for tag, values in read(house.browser.get(f"/{name}").text).elements:
            for key in ("href", "src", "action"):
                address = values.get(key)
                if address is not None and not address.startswith("https://"):
                    assert re.fullmatch(r"(\./|static/[\w.]+|[a-z-]+)(\?\S*)?", address), (name, tag, address)


# Foreign text, and secrets


@pytest.mark.parametrize("payload", PAYLOADS)
def test_foreign_text_stays_text(house: House, payload: str) -> None:
    """In the names of token files, in forms and in addresses; no page has inline script or style."""
    house.with_client()
    name = payload.replace("/", "|").replace("\x00", "").replace(" ", "")[:60]
    (house.data / "tokens").mkdir(exist_ok=True)
    (house.data / "tokens" / f"{name}@example.com.json").write_text("{}")
    pages = [house.browser.get("/accounts").text, house.browser.get("/").text]
    pages.append(house.browser.get("/sign-in-google", query_string={"account": payload}).text)
    pages.append(house.post("sign-in-google", pasted=payload, account=payload).text)
    pages.append(house.post("sign-in-file", content=payload).text)
    pages.append(house.post("remove", form="accounts", account=f"{name}@example.com".lower()).text)

    for page in pages:
        for tag, values in read(page).elements:
            assert tag not in {"script", "style", "iframe", "svg", "object", "b1"}
            assert tag != "img" or values["src"] == "static/calbot.svg"
            assert not any(key.startswith("on") or key == "style" for key in values), (tag, values)
    assert "49" not in read(pages[3]).text


def test_no_secret_is_on_a_page_in_a_header_or_in_the_log(
    tmp_path: Path, google: GoogleServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Client secret, code, verifier, refresh and access token; in the good way and in wrong turns."""
    caplog.set_level(logging.DEBUG)
    home = House(tmp_path, google)
    answers = [home.post("sign-in-file", content=json.dumps({"installed": OURS}))]
    page = home.browser.get("/sign-in-google")
    landed = consented(page.text)
    answers += [page, home.post("sign-in-google", pasted=landed), home.post("sign-in-google", pasted=landed)]
    google.control.set_consent(untick=[PREFIX + "calendar.events"])
    second = consented(home.browser.get("/sign-in-google").text)
    answers.append(home.post("sign-in-google", pasted=second))
    google.control.add_fault("notJson", operation="oauth.token", count=None)
    third = consented(home.browser.get("/sign-in-google").text)
    answers.append(home.post("sign-in-google", pasted=third))
    google.control.set_consent(account=ANNA, untick=[])
    google.control.clear_faults()
    fourth = consented(home.browser.get(f"/sign-in-mail?account={ANNA}").text)
    answers.append(home.post("sign-in-mail", form=f"sign-in-mail?account={ANNA}", pasted=fourth, account=ANNA))
    answers += [home.browser.get(f"/{name}") for name in ["", *PAGES]]

    codes = [address.split("code=")[1].split("&", maxsplit=1)[0] for address in (landed, second, third, fourth)]
    tokens = google.world.tokens
    secrets = [OURS["client_secret"], *codes, *tokens.access, *tokens.grants]
    said = "\n".join([*(f"{answer.headers}{answer.text}" for answer in answers), *ours(caplog)])
    assert [secret for secret in secrets if secret in said] == []
    assert len(tokens.grants) >= 2 and len(secrets) >= 6


def ours(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what the log would show; the libraries' loggers are set to warnings by addon.logs."""
    from addon.logs import _QUIET  # noqa: PLC0415 - what the service keeps quiet

    return [
        f"{record.getMessage()} {record.exc_info}"
        for record in caplog.records
        if record.levelno >= logging.WARNING or not record.name.startswith(_QUIET)
    ]


# Sizes


def test_the_panel_door_lets_a_file_in_and_no_more(tmp_path: Path) -> None:
    """64 kB are enough for any client file; the other pages and doors take less."""
    home = House(tmp_path)
    with serving(home.app, home.app, bodies=[LARGEST_BODY, 4096]) as (wide, narrow):
        status, _, headers = ask(wide, "GET", "/sign-in-file")
        cookie = headers["Set-Cookie"].split(";")[0]
        sender = {"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded", **SAME}
        proof = proof_in(ask(wide, "GET", "/sign-in-file", {"Cookie": cookie})[1].decode())
        padded = json.dumps({"installed": {**OURS, "x": "x" * 60_000}})
        body = f"proof={proof}&content={urllib.parse.quote(padded)}".encode()

        taken = ask(wide, "POST", "/sign-in-file", sender, body)[0]
        elsewhere = ask(wide, "POST", "/sign-in-google", sender, body)[0]
        huge = ask(wide, "POST", "/sign-in-file", sender, b"x" * (LARGEST_BODY + 1))[0]
        other_door = ask(narrow, "POST", "/sign-in-file", sender, body)[0]

    assert (status, taken, elsewhere, huge, other_door) == (200, 303, 413, 413, 413)


# The next step on the status page


@pytest.mark.parametrize(
    ("reason", "label", "href"),
    [
        (Reason(code="no_account", text="No Google account."), "Sign in with Google", "sign-in"),
        (
            Reason(code="sign_in_needed", text="Dead.", account=ANNA),
            "Sign in again",
            "sign-in-google?account=anna%40example.com",
        ),
        (Reason(code="token_file", text="Broken."), "Open Accounts", "accounts"),
        (Reason(code="mqtt", text=supervisor.NO_BROKER), "Open Mosquitto", supervisor.MOSQUITTO),
        (
            Reason(code="not_listening", text=NOT_LISTENING, level="ok"),
            "Add the MQTT integration",
            "https://my.home-assistant.io/redirect/config_flow_start/?domain=mqtt",
        ),
        (Reason(code="no_rule", text="Nobody to invite.", remedy="Set invite_emails."), "Set invite_emails", ""),
    ],
)
def test_what_is_missing_is_said_with_a_button(tmp_path: Path, reason: Reason, label: str, href: str) -> None:
    """In words, and with where to press; Home Assistant's pages open in a tab of their own."""
    home = House(tmp_path, verdict=Health("degraded", (reason,), NOW, NOW))

    page = read(home.browser.get("/").text)

    links = {values["href"]: values for tag, values in page.elements if tag == "a"}
    assert label in page.text and "(https://" not in page.text
    assert not href or href in links
    assert not href.startswith("https") or links[href]["target"] == "_blank"


def test_an_address_in_foreign_text_is_no_button(tmp_path: Path) -> None:
    """Only Home Assistant's own redirects are links."""
    text = "Broken (https://evil.example/redirect/?x=1) https://my.home-assistant.io.evil.example/redirect/a?b=c"
    home = House(tmp_path, verdict=Health("degraded", (Reason(code="mqtt", text=text),), NOW, NOW))

    page = read(home.browser.get("/").text)

    assert not [values for tag, values in page.elements if tag == "a" and "evil" in (values["href"] or "")]
