"""Promises of the panel door: who may look, what machines are told, and that foreign text stays text."""

import json
from html.parser import HTMLParser

import msgspec
import pytest
from flask.testing import FlaskClient

from calbot.errors import StoreError
from calbot.model import Outgoing
from calbot.status import Health, Level, Reason
from tests.web.world import (
    ANNA,
    DINNER,
    FAMILY,
    FINE,
    INVITED,
    NOW,
    SNAPSHOT,
    FakeEngine,
    ask,
    example_panel,
    sent,
)
from tests.web.world import serving as served

PAYLOADS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</title><svg/onload=alert(1)>",
    "{{ 7*7 }}{% raw %}",
    "javascript:alert(1)",
    "<!--<iframe src=https://evil.example>",
    "&lt;script&gt; &#x3c;b&#x3e;",
    "\u202egnp.exe\u2066",
    "line\nbreak\x00\x1b[31m",
]


class Read(HTMLParser):
    """Collects a page's elements and text."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def read(page: str) -> Read:
    """Parse a page."""
    reader = Read()
    reader.feed(page)
    return reader


def client(**given: object) -> FlaskClient:
    """Return a client of the example panel."""
    return example_panel(**given).test_client()  # type: ignore[arg-type]


@pytest.mark.parametrize(("alive", "status"), [(True, 200), (False, 503)])
def test_live_says_whether_the_loops_tick(alive: bool, status: int) -> None:
    """It asks nothing else: not Google, not MQTT."""
    assert client(alive=lambda: alive, mqtt_problem="down").get("/live").status_code == status


@pytest.mark.parametrize(
    ("level", "status"), [("ok", 200), ("setup", 200), ("paused", 200), ("degraded", 200), ("problem", 503)]
)
def test_health_is_json_and_503_only_for_a_problem(level: Level, status: int) -> None:
    """A fresh installation, a pause or a hiccup is no reason to restart anything."""
    reason = Reason(code="x", text="Something.", remedy="Do this.", level=level, account=ANNA)
    verdict = Health(level, (reason,), NOW - 20, NOW + 60)

    answer = client(assess=lambda _snapshot, _now: verdict, mqtt_problem="No broker.").get("/health")

    assert answer.status_code == status
    body = json.loads(answer.data)
    assert body.pop("version")
    assert body == {
        "level": level,
        "reasons": [{"code": "x", "text": "Something.", "remedy": "Do this.", "level": level, "account": ANNA}],
        "last_success": NOW - 20,
        "next_by": NOW + 60,
        "mqtt": "No broker.",
    }


@pytest.mark.parametrize("payload", PAYLOADS)
def test_foreign_text_stays_text_wherever_it_is_shown(payload: str) -> None:
    """Titles, calendars, reasons, sentences and settings make no element, attribute, link or template."""
    event = msgspec.structs.replace(DINNER, title=payload, link=payload, start=payload)
    outcome = msgspec.structs.replace(
        INVITED, event=event, calendar_name=payload, guests_added=(payload,), reason_text=payload
    )
    failed = msgspec.structs.replace(outcome, event_type="failed", rule=payload)
    calendar = msgspec.structs.replace(FAMILY, name=payload, failures=3, problem_text=payload)
    account = msgspec.structs.replace(
        SNAPSHOT.accounts[0], signed_in=False, sign_in_text=payload, calendars=(calendar,)
    )
    snapshot = msgspec.structs.replace(SNAPSHOT, accounts=(account,), notes=(payload,), token_problems=(payload,))
    verdict = Health("degraded", (Reason(code="x", text=payload, remedy=payload),), NOW, NOW)
    plain = read(client().get("/").text)

    page = read(
        client(
            engine=FakeEngine(snapshot),
            assess=lambda _snapshot, _now: verdict,
            mqtt_problem=payload,
            outcomes=lambda: sent(outcome, failed),
            options=[("invite_emails", payload, payload)],
        )
        .get("/")
        .text
    )

    assert {tag for tag, _ in page.elements} <= {tag for tag, _ in plain.elements} | _TAGS
    for tag, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        assert tag != "a" or (attributes["href"] or "").startswith("https://")
    assert "49" not in page.text.replace(payload, "") and "\u202e" not in page.text and "\x1b" not in page.text


_TAGS = {
    "ul",
    "li",
    "ol",
    "a",
    "article",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "time",
    "div",
    "header",
    "h3",
}
_TAGS |= {"code", "bdi", "span", "p"}


def test_an_event_is_shown_with_its_time_its_guest_and_a_link() -> None:
    """The timeline tells who was invited to what, where and when, in the household's zone."""
    page = read(client(outcomes=lambda: sent(INVITED)).get("/").text)

    links = [attributes for tag, attributes in page.elements if tag == "a"]
    assert links == [{"href": DINNER.link, "target": "_blank", "rel": "noopener noreferrer"}]
    for words in (
        "Dinner",
        "Sat 28 Nov, 18:00",
        "Invited bob@example.com",
        "Family · anna@example.com",
        "30 seconds ago",
    ):
        assert words in page.text


def test_only_what_is_https_becomes_a_link() -> None:
    """A link that a calendar carries may be anything."""
    for link in ("http://www.google.com/x", "javascript:alert(1)", "//evil.example", "https://[", ""):
        outcome = msgspec.structs.replace(INVITED, event=msgspec.structs.replace(DINNER, link=link))

        page = read(client(outcomes=lambda outcome=outcome: sent(outcome)).get("/").text)

        assert [tag for tag, _ in page.elements if tag == "a"] == []


@pytest.mark.parametrize("path", ["/", "/live", "/health", "/static/panel.css", "/static/calbot.svg", "/nothing"])
def test_every_answer_carries_the_browsers_orders(path: str) -> None:
    """A strict policy, no sniffing, no foreign frame; also on errors and files."""
    with client().get(path) as answer:
        headers = answer.headers

    assert headers["Content-Security-Policy"] == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "frame-ancestors 'self'; base-uri 'none'; form-action 'self'"
    )
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "X-Frame-Options" not in headers


def test_the_page_obeys_its_own_policy_and_works_below_any_path() -> None:
    """Nothing inline, a charset of its own, and only relative addresses: ingress moves the page."""
    page = read(client(outcomes=lambda: sent(INVITED)).get("/").text)

    assert ("meta", {"charset": "utf-8"}) in page.elements
    assert not {"script", "style", "iframe", "form", "base"} & {tag for tag, _ in page.elements}
    for tag, attributes in page.elements:
        for name in ("src", "href"):
            address = attributes.get(name)
            assert address is None or tag == "a" or (address.startswith("static/") and ":" not in address)


def test_static_files_that_the_page_names_are_there() -> None:
    """Nothing on the page leads to a 404."""
    panel = client()
    page = read(panel.get("/").text)
    named = {
        attributes.get("src") or attributes.get("href") for tag, attributes in page.elements if tag in ("img", "link")
    }

    assert named
    for address in named:
        with panel.get(f"/{address}") as answer:
            assert answer.status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/static/", 404),
        ("GET", "/static/../panel.py", 404),
        ("GET", "/static/%2e%2e/panel.py", 404),
        ("POST", "/push", 404),
        ("POST", "/", 405),
        ("OPTIONS", "/", 405),
        ("TRACE", "/", 405),
        ("DELETE", "/health", 405),
    ],
)
def test_unknown_pages_and_methods_are_refused(method: str, path: str, status: int) -> None:
    """In plain words, without a stack trace or a server's name."""
    answer = client().open(path, method=method)

    assert answer.status_code == status and answer.mimetype == "text/plain"
    assert "Server" not in answer.headers
    assert ("Allow" in answer.headers) == (status == 405)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("localhost:8099", 200),
        ("LOCALHOST:8099", 200),
        ("127.0.0.1:8099", 200),
        ("[::1]:8099", 200),
        ("[::1]", 200),
        ("192.0.2.7:8099", 200),
        ("[2001:db8::7]:8099", 200),
        ("calbot:8099", 200),
        ("Pi.local:8099", 200),
        ("nas.home.arpa", 200),
        ("nas.fritz.lan.", 200),
        ("calbot.house.internal", 200),
        ("panel.example.org", 200),
        ("PANEL.example.org.:443", 200),
        ("not.panel.example.org", 403),
        ("local.example", 403),
        ("pi.local.example", 403),
        ("evil.example/.local", 403),
        ("evil.example@localhost", 403),
        ("[::1].example", 403),
        ("evil.example", 403),
        ("evil.example:8099", 403),
        ("localhost.evil.example", 403),
        ("127.0.0.1.evil.example:8099", 403),
        ("evil.example:localhost", 403),
        ("", 403),
    ],
)
@pytest.mark.parametrize("path", ["/", "/health"])
def test_a_strangers_name_opens_nothing(host: str, status: int, path: str) -> None:
    """A web site whose DNS points here (rebinding) cannot read the page through somebody's browser."""
    answer = client(names=["panel.example.org"]).get(path, headers={"Host": host})

    assert answer.status_code == status
    assert status == 200 or ANNA not in answer.text


@pytest.mark.parametrize(
    ("peer", "path", "status"),
    [
        ("172.30.32.2", "/", 200),
        ("172.30.32.2", "/health", 200),
        ("127.0.0.1", "/live", 200),
        ("::1", "/health", 200),
        ("127.0.0.1", "/", 403),
        ("172.30.33.5", "/", 403),
        ("172.30.33.5", "/live", 403),
        ("172.30.33.5", "/static/panel.css", 403),
        ("172.30.32.1", "/health", 403),
    ],
)
def test_under_the_supervisor_pages_answer_only_its_address(peer: str, path: str, status: int) -> None:
    """Other apps on the same network get nothing, whatever headers they send."""
    panel = client(only_peer="172.30.32.2")
    headers = {
        "X-Forwarded-For": "172.30.32.2",
        "X-Ingress-Path": "/api/hassio_ingress/x",
        "Host": "ha.local",
    }

    answer = panel.get(path, headers=headers, environ_overrides={"REMOTE_ADDR": peer})

    assert answer.status_code == status


def test_a_history_that_cannot_be_read_does_not_hide_the_rest() -> None:
    """With a broken disk the page is needed most."""

    def broken() -> list[Outgoing]:
        raise StoreError("The disk is full; make room.")

    answer = client(outcomes=broken).get("/")

    assert answer.status_code == 200
    assert "The disk is full; make room." in answer.text and ANNA in answer.text


def test_a_surprise_is_logged_and_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    """The visitor learns that it went wrong, and nothing of the inside."""

    def broken() -> list[Outgoing]:
        raise RuntimeError("canary-secret")

    answer = client(outcomes=broken).get("/")

    assert answer.status_code == 500 and "canary" not in answer.text and "Traceback" not in answer.text
    assert "canary-secret" in caplog.text
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


def test_the_page_is_never_kept_by_a_browser() -> None:
    """Yesterday's status must not look like today's."""
    assert client().get("/").headers["Cache-Control"] == "no-store"


def test_the_panel_is_served_over_a_real_connection() -> None:
    """Through waitress too: charset in the page, no server's name, HEAD without a body."""
    with served(example_panel(outcomes=lambda: sent(INVITED))) as (port,):
        status, body, headers = ask(port, "GET", "/", {"Host": f"localhost:{port}"})
        head = ask(port, "HEAD", "/")

    assert status == 200 and b"Dinner" in body and "Server" not in headers
    assert head[:2] == (200, b"")


def test_nothing_says_up_while_nobody_hears() -> None:
    """When all is well but MQTT, the headline is not that everything works."""
    fine = client(assess=lambda _snapshot, _now: FINE)
    mute = client(assess=lambda _snapshot, _now: FINE, mqtt_problem="The broker does not answer.")

    assert "Everything works" in fine.get("/").text
    assert "Everything works" not in mute.get("/").text
