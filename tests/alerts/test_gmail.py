"""Mail through the Gmail API, against the fake Google: what is sent, by whose consent, and what is said when not."""

import email
import json
import logging
from collections.abc import Iterator
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import pytest

from addon.alerts.bringing import RETRIES
from addon.alerts.courier import TEST, Courier
from addon.alerts.judge import Message
from addon.alerts.mail import GmailChannel
from addon.ways import Gmail as Way
from calbot.clock import SystemClock
from calbot.errors import CalbotError, Refused, RetryLater, SignInNeeded, Uncertain
from calbot.google.gmail import Gmail, rfc5322
from calbot.vault import Vault
from tests.google_server.http import GoogleServer
from tests.google_server.tokens import PREFIX
from tests.household import ANNA, BOB, CAROL, NOON
from tests.simulation.machine import SeededRandom, VirtualClock

MAIL = (f"{PREFIX}gmail.send", "openid", f"{PREFIX}userinfo.email")
DISK = Message(kind="disk", title="Calbot cannot write – Grüße", text="Dinner <b>at</b> eight: “Łódź” 🎂\nIt is full.")


class House:
    """A data directory with a mail consent of Anna's, beside the fake Google."""

    def __init__(self, data: Path, google: GoogleServer) -> None:
        self.google = google
        self.data = data
        self.vault = Vault(data)
        self.gmail = Gmail(data, self.vault, SystemClock(), api=google.gmail_api, token_uri=google.token_uri)

    def consent(self, account: str = ANNA, scopes: tuple[str, ...] = MAIL) -> None:
        """Keep a fresh consent of an account as signing in does."""
        document = json.dumps(self.google.token_document(account, scopes)).encode()
        self.vault.write(self.data / "mail" / f"{account}.json", f"mail:{account}", document)

    def send(self, subject: str = "A subject", text: str = "A text") -> None:
        """Send a mail of Anna's to Bob."""
        self.gmail.send(ANNA, [BOB], subject, text)

    def complaint(self) -> CalbotError:
        """What is said when it does not go out."""
        with pytest.raises(CalbotError) as caught:
            self.send()
        return caught.value

    def mails(self) -> list[EmailMessage]:
        """What Gmail took."""
        return [email.message_from_bytes(one["raw"].encode(), policy=default) for one in self.google.control.gmail()]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """Anna has allowed Calbot to send mail."""
    with GoogleServer(SystemClock(), [ANNA, BOB]) as google:
        found = House(tmp_path, google)
        found.consent()
        yield found


def test_an_alert_arrives_as_a_mail_of_hers(house: House) -> None:
    """With everything that a mail has, in everybody's letters, from her account to whom she named."""
    clock = VirtualClock(NOON)
    channel = GmailChannel("gmail", Way(ANNA, (BOB, CAROL)), lambda: house.gmail, clock, SeededRandom(1))

    channel.check()
    channel.send(DISK)

    (mail,) = house.mails()
    assert mail["From"] == f"Calbot <{ANNA}>" and mail["To"] == f"{BOB}, {CAROL}"
    assert mail["Subject"] == DISK.title and mail.get_content().split() == DISK.text.split()
    assert mail["Date"] == "Fri, 20 Nov 2026 12:00:00 +0000" and mail.get_content_type() == "text/plain"
    assert mail["Message-ID"].startswith("<calbot-") and mail["Message-ID"].endswith("@example.com>")
    assert mail["Auto-Submitted"] == "auto-generated"
    assert {call["account"] for call in house.google.control.calls("gmail.send")} == {ANNA}


def test_no_mail_can_be_given_another_header(house: House) -> None:
    """A title with line breaks is one line; an address that is two is refused."""
    for end in ("\n", "\r\n", "\r", "\u2028", "\x0b", "\x85"):
        house.send(subject=f"Dinner{end}Bcc: mallory@example.org{end}{end}Come!")
    for address in ("bob@example.com\nBcc: x@example.org", "bob@example.com,x@example.org", "Bob <bob@example.com>"):
        with pytest.raises(Refused):
            rfc5322(ANNA, [address], "x", "y", None, NOON)

    for mail in house.mails():
        assert mail["Bcc"] is None and mail["Subject"] == "Dinner Bcc: mallory@example.org Come!"
        assert mail["To"] == BOB and mail.get_content().strip() == "A text"


def test_a_lost_answer_is_repeated_and_can_be_known_for_the_same(house: House) -> None:
    """The repetition has the id and the date of the first; the next alert has its own."""
    clock = VirtualClock(NOON)
    courier = Courier((GmailChannel("gmail", Way(ANNA, (BOB,)), lambda: house.gmail, clock, SeededRandom(1)),), clock)
    house.google.control.add_fault("closeAfter", operation="gmail.send")

    courier.post(DISK)
    courier.step()
    sent_once, said = len(house.mails()), courier.complaints()
    clock.sleep(RETRIES[0])
    courier.step()
    courier.post(Message(kind="disk", title=DISK.title, text=DISK.text))
    courier.step()

    first, again, other = house.mails()
    assert sent_once == 1 and list(said) == ["gmail"] and courier.complaints() == {}
    assert (first["Message-ID"], first["Date"]) == (again["Message-ID"], again["Date"])
    assert other["Message-ID"] != first["Message-ID"]


def test_every_test_is_a_mail_of_its_own(house: House) -> None:
    """Although each says the same; else a mail program would show the first one only."""
    channel = GmailChannel("gmail", Way(ANNA, (BOB,)), lambda: house.gmail, SystemClock(), SeededRandom(1))

    channel.send(TEST)
    channel.send(TEST)

    assert len({mail["Message-ID"] for mail in house.mails()}) == 2


def test_one_call_sends_once(house: House) -> None:
    """Nobody below the courier repeats a mail: not when the connection closes, not at an error of Google's."""
    for fault, kind in (("closeAfter", Uncertain), ("errorAfter", Uncertain), ("truncated", Uncertain)):
        before = len(house.google.control.calls("gmail.send"))
        house.google.control.add_fault(fault, operation="gmail.send")

        said = house.complaint()

        assert isinstance(said, kind), fault
        assert len(house.google.control.calls("gmail.send")) == before + 1


def test_the_calendars_token_is_never_used_for_mail(house: House) -> None:
    """It may send mail or not: alerts of a dead sign-in go by another token, and there is no other way to one."""
    (house.data / "tokens").mkdir()
    document = house.google.token_document(BOB, (*MAIL, f"{PREFIX}calendar.events"))
    (house.data / "tokens" / f"{BOB}.json").write_text(json.dumps(document))

    with pytest.raises(SignInNeeded, match=f"run: calbot accounts mail {BOB}"):
        house.gmail.send(BOB, [ANNA], "x", "y")

    assert house.mails() == [] and house.google.control.calls("oauth.token") == []


def test_a_calendar_that_is_signed_out_does_not_keep_the_mail(house: House) -> None:
    """The sign-in for calendars dies, and the mail that says so goes out."""
    grant = house.google.world.tokens.grants
    calendar = house.google.token_document(ANNA)["refresh_token"]
    grant[calendar].revoked = True

    house.send()

    assert len(house.mails()) == 1


def test_a_dead_consent_is_said_with_its_remedy(house: House, caplog: pytest.LogCaptureFixture) -> None:
    """One that was withdrawn, one that lacks the scope, one that is damaged; no token is shown."""
    with caplog.at_level(logging.DEBUG, logger="calbot"):
        house.google.control.revoke(ANNA)
        withdrawn = house.complaint()
        house.consent(scopes=("openid",))
        unticked = house.complaint()
        (house.data / "mail" / f"{ANNA}.json").write_text('{"refresh_token": 7}')
        damaged = house.complaint()
        house.vault.write(house.data / "mail" / f"{ANNA}.json", f"mail:{BOB}", b"{}")
        anothers = house.complaint()

    for said in (withdrawn, unticked, damaged, anothers):
        assert isinstance(said, SignInNeeded) and f"run: calbot accounts mail {ANNA}" in str(said)
        assert "refresh-" not in f"{said}{caplog.text}"
    assert len({str(said) for said in (withdrawn, unticked, damaged, anothers)}) == 4


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        ("accessNotConfigured", Refused, "The Gmail API is not enabled .* https://console.cloud.google.com/"),
        ("userRateLimitExceeded", RetryLater, "no more mail for now"),
        ("tooManyRequests", RetryLater, "no more mail for now"),
        ("quotaExceeded", RetryLater, "no more mail for now"),
        ("closeBefore", Uncertain, "connection broke"),
        ("unavailable", Uncertain, "may have gone out"),
        ("notJson", Uncertain, "may have gone out"),
        ("invalid", Refused, "400 invalid"),
    ],
)
def test_what_google_says_against_it_is_a_sentence(house: House, fault: str, kind: type, words: str) -> None:
    """Each by what can be done about it."""
    house.google.control.add_fault(fault, operation="gmail.send")

    with pytest.raises(kind, match=words):
        house.send()


def test_a_google_that_is_away_is_said(tmp_path: Path) -> None:
    """Neither its sign-in service nor Gmail answers: then nothing was sent."""
    with GoogleServer(SystemClock(), [ANNA]) as google:
        house = House(tmp_path, google)
        house.consent()

    said = house.complaint()

    assert isinstance(said, RetryLater) and not isinstance(said, Uncertain) and "cannot be reached" in str(said)
