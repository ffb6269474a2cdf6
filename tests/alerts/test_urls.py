"""The channels by apprise, against real servers: what arrives, what is said when it does not, and what never shows."""

import io
import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from addon.alerts.judge import Message
from addon.alerts.urls import UrlChannel
from addon.ways import Url, ways
from calbot.errors import CalbotError
from tests.alerts import receivers

ROOT = Path(__file__).resolve().parents[2]
KEY = "SG.Zq3fGh7kLm2nPq5rSt8v.Xy4zAb6cDe8fGh1jKl3mNp5qRs7tUv9w"
DISK = Message(
    kind="disk", title="Calbot cannot write\nto its disk", text="Dinner <b>*at*</b> eight & more\nIt is full."
)
TEXT = "Dinner <b>*at*</b> eight & more\nIt is full."


def complaint(url: str) -> str:
    """What a channel says that cannot bring a message."""
    with pytest.raises(CalbotError) as caught:
        UrlChannel("it", url).send(DISK)
    return str(caught.value)


def test_an_alert_arrives_at_a_web_hook_as_it_was_written() -> None:
    """The title on one line; the text is text, whatever strangers wrote into it."""
    with receivers.web() as web:
        UrlChannel("json", f"json://anna:hunter2hunter2@{web.host}/hook").send(DISK)

        sent = json.loads(web.got[0].body)
        assert (sent["title"], sent["message"]) == ("Calbot cannot write to its disk", TEXT)
        assert len(web.got) == 1 and web.got[0].path == "/hook"


def test_an_alert_arrives_as_a_mail() -> None:
    """By SMTP, in plain text, to everybody that the URL names, each once."""
    with receivers.mail() as server:
        url = f"mailto://127.0.0.1:{server.port}?from=calbot@example.org&to=anna@example.com,bob@example.com&mode=insecure"
        UrlChannel("mailto", url).send(DISK)

        assert sorted(to for _, people, _ in server.got for to in people) == ["anna@example.com", "bob@example.com"]
        mail = server.got[0][2]
        assert mail["Subject"] == "Calbot cannot write to its disk" and "calbot@example.org" in mail["From"]
        assert mail.get_content_type() == "text/plain" and mail.get_content().split() == TEXT.split()


def test_a_mail_server_that_refuses_is_quoted() -> None:
    """What apprise says of it, and where to look."""
    with receivers.mail() as server:
        server.refuses = "554 5.7.1 Not from you"
        said = complaint(f"mailto://127.0.0.1:{server.port}?from=calbot@example.org&to=anna@example.com&mode=insecure")

    assert "https://appriseit.com/services/" in said and server.got == []


def test_a_failure_is_told_without_the_key() -> None:
    """Neither in the sentence nor in our log, at whatever level that is: what apprise says goes nowhere else."""
    lines, ours = io.StringIO(), logging.getLogger()
    handler, level = logging.StreamHandler(lines), ours.level
    ours.addHandler(handler)
    ours.setLevel(logging.DEBUG)

    try:
        with receivers.web() as web:
            web.status = 401
            said = complaint(f"json://anna:dinner-at-8@{web.host}/hook")
            away = complaint("json://anna:dinner-at-8@127.0.0.1:9/hook")
            complaint("slack://dinner-at-8")
    finally:
        ours.removeHandler(handler)
        ours.setLevel(level)

    assert "401" in said and "onnection" in away and "urllib3" not in said
    assert "dinner-at-8" not in f"{said}{away}{lines.getvalue()}" and "JSON" not in lines.getvalue()


def test_a_topic_that_is_a_secret_is_not_told() -> None:
    """apprise names it; whoever knows it can read along."""
    with receivers.web() as web:
        web.status = 403
        (way,) = ways([f"ntfy://{web.host}/Aq3fGh7kLm2nPq5rSt8v"])
        assert isinstance(way, Url)

        said = complaint(way.url)

    assert "403" in said and "topic" in said and "Aq3fGh7kLm2nPq5rSt8v" not in said


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("nonsense://abc", "nonsense://"),
        ("sendgrid://only-a-key", "sendgrid://"),
        ("json://", "json://"),
        ("syslog://", "reaches nobody from here"),
        ("DBUS://", "reaches nobody from here"),
        ("macosx://_/", "reaches nobody from here"),
        ("file:///etc/passwd", "file://"),
        ("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/?template=/etc/passwd", "names a file"),
        ("discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js?template=file:///data/client.json", "names a file"),
    ],
)
def test_what_is_no_way_to_people_is_said_by_its_scheme(url: str, words: str) -> None:
    """Not by more of the URL, and before anything is sent; nothing on this machine is read or rung."""
    with pytest.raises(CalbotError, match=words) as caught:
        UrlChannel("it", url).check()

    said = str(caught.value)
    assert "passwd" not in said and "only-a-key" not in said


def test_a_redirect_is_not_followed() -> None:
    """An alert goes where the URL says and nowhere else."""
    with receivers.web() as elsewhere, receivers.web() as web:
        web.status, web.location = 307, f"http://{elsewhere.host}/other"
        complaint(f"json://{web.host}/hook")

        assert len(web.got) == 1 and elsewhere.got == []


def test_a_service_that_says_nothing_is_given_up() -> None:
    """After seconds, not minutes; the courier tries again."""
    with receivers.web() as web:
        web.hangs.set()

        said = complaint(f"json://{web.host}/hook?rto=0.3&retry=5&optional=yes")

        assert said and len(web.got) == 1


def test_sendgrid_gets_key_sender_people_and_text(tmp_path: Path) -> None:
    """By its own plugin, at a proxy in SendGrid's place; in a process of its own, for its environment."""
    program = (
        "import sys; from addon.alerts.urls import UrlChannel; from addon.alerts.judge import Message;"
        "UrlChannel('x', sys.stdin.read()).send(Message(kind='disk', title='A title', text='Dinner <b>at</b> 8'))"
    )
    with receivers.proxy(tmp_path, "api.sendgrid.com") as proxy:
        environment = {**os.environ, **proxy.environment(), "PYTHONPATH": str(ROOT)}
        url = f"sendgrid://{KEY}:calbot@example.org/anna@example.com"
        done = subprocess.run(
            [sys.executable, "-c", program], input=url, env=environment, text=True, capture_output=True, check=False
        )

        assert done.returncode == 0, done.stderr
        (got,) = proxy.kept.got
    sent = json.loads(got.body)
    assert (got.host, got.path, got.headers["authorization"]) == ("api.sendgrid.com", "/v3/mail/send", f"Bearer {KEY}")
    assert sent["from"] == {"email": "calbot@example.org"} and sent["subject"] == "A title"
    assert sent["personalizations"] == [{"to": [{"email": "anna@example.com"}]}]
    assert sent["content"] == [{"type": "text/plain", "value": "Dinner <b>at</b> 8"}]


def test_the_state_of_apprise_is_nowhere_on_the_disk(tmp_path: Path) -> None:
    """It keeps no cache, makes no keys, and writes nothing into the home of whoever runs Calbot."""
    program = (
        "import sys; from addon.alerts.urls import UrlChannel;"
        "[UrlChannel('x', url).check() for url in sys.stdin.read().split()]"
    )
    urls = "mailto://u:passw0rd@example.org matrix://u:passw0rd@example.org/room ntfy://example.org/x"
    done = subprocess.run(
        [sys.executable, "-B", "-c", program],
        input=urls,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        text=True,
        capture_output=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert list(tmp_path.rglob("*")) == []
