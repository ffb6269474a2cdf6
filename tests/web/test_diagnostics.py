"""Promises of the diagnostics: all that a helper needs, nobody's name, nothing secret, and never too large."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from addon.web.diagnostics import LARGEST, LINES, NAME, Diagnostics
from addon.web.panel import panel
from calbot import __version__, health, secrecy
from calbot.errors import StoreError
from calbot.model import CalendarKey
from calbot.status import AccountStatus, CalendarStatus, Snapshot
from calbot.store.database import Database, translated
from calbot.store.sizes import sizes
from tests.web.office import Office, event
from tests.web.world import ANNA, FAMILY, NOW, SNAPSHOT, FakeEngine, FixedClock, example_panel

SECRET = "correct-horse-battery-9"
OPTIONS = (
    ("accounts", f"{ANNA}, anton@example.com", "options.json"),
    ("central_calendar", "c_188a@group.calendar.google.com", "options.json"),
    ("push_url", "https://calbot.schmidt-family.example.net/push", "options.json"),
    ("mqtt.host", "nas.schmidt.lan", "MQTT_HOST"),
    ("mqtt.username", "none", "default"),
    ("rules", "Anna's school run", "options.json"),
    ("poll_interval", "60 s", "default"),
)


def made(
    snapshot: Snapshot = SNAPSHOT,
    *,
    lines: Callable[[int], list[str]] = lambda _: [],
    sizes: Callable[[], object] = dict,
    options: tuple[tuple[str, str, str], ...] = OPTIONS,
    hosts: tuple[str, ...] = (),
) -> tuple[dict[str, Any], str]:
    """Return the file, and its text."""
    maker = Diagnostics(assess=health.assess, options=options, lines=lines, sizes=sizes, supervised=False, hosts=hosts)
    content = maker.document(snapshot, NOW)
    assert len(content) <= LARGEST
    return json.loads(content), content.decode()


def test_it_holds_what_a_helper_asks_for() -> None:
    """Versions, uptime, each option with its origin, health, every calendar's state, figures and the log."""
    told, _ = made(lines=lambda count: [f"line {n}" for n in range(count)], sizes=lambda: {"ledger": {"done": 3}})

    assert told["version"] == __version__ and told["python"] and told["platform"] and told["libraries"]["flask"]
    assert told["uptime"] == 3600 and told["options"]["poll_interval"] == {"value": "60 s", "from": "default"}
    assert told["health"]["level"] == "ok" and told["store"] == {"ledger": {"done": 3}}
    (account,) = told["snapshot"]["accounts"]
    assert account["calendars"][0]["last_success"] == FAMILY.last_success
    assert told["log"] == [f"line {n}" for n in range(LINES)]


def test_nobody_is_named_in_it() -> None:
    """People post it in public: addresses keep a letter, calendars a number, and hosts and rules only that they are."""
    problem = msgspec.structs.replace(FAMILY, failures=9, problem="forbidden", problem_text=f"Not shared with {ANNA}.")
    mine = msgspec.structs.replace(FAMILY, key=CalendarKey(ANNA, ANNA), name=ANNA)
    short = msgspec.structs.replace(FAMILY, key=CalendarKey(ANNA, "primary"), name="Jo")
    account = AccountStatus(email=ANNA, aid="a7c1", calendars=(problem, mine, short))
    snapshot = msgspec.structs.replace(SNAPSHOT, accounts=(account,), token_problems=(f"{ANNA}.json is none.",))

    _, text = made(
        snapshot,
        lines=lambda _: [
            f"{ANNA} cannot read Family; GET /calendars/anna%40example.com/events for bob@schmidt.example.de"
        ],
    )

    for name in ("anna", "bob", "anton", '"Jo"', "Family", "family@", "schmidt", "school", "c_188a"):
        assert name not in text
    assert "a…@example.com" in text and "The calendar calendar 1 of a…@example.com" in text


def test_a_long_text_is_not_cut_within_an_address() -> None:
    """Half of it would not be known for one, and masked ones are shorter: so the cut can come to be seen."""
    line = f"{'x' * 50}@example.com " * 31 + f"{'y' * 30} anna.schmidt@schmidt.example.de"

    told, text = made(lines=lambda _: [f"{line} and more"], options=())

    assert "anna" not in text and len(told["log"][0]) < 1000


def test_no_host_of_the_household_is_in_it() -> None:
    """Complaints name the broker's, the monitor's and the one that Google pushes to: these say where one lives."""
    complaint = "No MQTT broker answers at nas.schmidt.lan:1883; the heartbeat to kuma.schmidt.example does not arrive."
    snapshot = msgspec.structs.replace(SNAPSHOT, broker_problem=complaint)
    hosts = ("nas.schmidt.lan", "kuma.schmidt.example")

    told, text = made(snapshot, lines=lambda _: [complaint], hosts=hosts)

    assert "schmidt" not in text
    assert told["log"] == ["No MQTT broker answers at host 2:1883; the heartbeat to host 1 does not arrive."]


def test_the_same_person_is_the_same_sign_and_another_another() -> None:
    """So that a helper can follow who it is about; where a domain is a family's own, it goes, too."""
    lines = [f"{ANNA} wrote to Anna@Example.com, anton@example.com, a.b@schmidt.example.de, ab@gmail.com and {ANNA}."]

    told, _ = made(lines=lambda _: lines, options=())

    signs = "a…@example.com wrote to a…@example.com, a…2@example.com, a…@…, a…@gmail.com and a…@example.com."
    assert told["log"] == [signs]


def test_no_secret_is_in_it() -> None:
    """Not even one that stands in a text of ours."""
    secrecy.remember(SECRET)
    snapshot = msgspec.structs.replace(SNAPSHOT, notes=(f"x {SECRET}",), disk_problem=f"y {SECRET}")

    _, text = made(snapshot, lines=lambda _: [f"z {SECRET}"], options=(("k", SECRET, SECRET),))

    assert SECRET not in text and text.count(secrecy.MASK) >= 5


def test_no_event_is_in_it(tmp_path: Path) -> None:
    """Though the store is full of them."""
    with Office(tmp_path) as office:
        office.knows(event("one", "Surgery"), event("two", "Interview"))
        office.invited(event("one", "Surgery"))
        told, text = made(sizes=lambda: sizes(office.database.read()))

    assert told["store"] == {
        "ledger": {"done": 1},
        "outbox": {"waiting": 1},
        "copies": {},
        "commands": {},
        "calendars": 1,
        "events": 2,
        "channels": 0,
    }
    assert "Surgery" not in text and "Interview" not in text


def test_it_is_there_without_a_store(tmp_path: Path) -> None:
    """That is when it is needed most."""

    def away() -> object:
        with translated():
            return sizes(Database(tmp_path / "nowhere").read())

    told, _ = made(sizes=away)

    assert told["store"]["problem"]
    with pytest.raises(StoreError):
        away()


def test_it_never_becomes_too_large() -> None:
    """Hundreds of calendars with long complaints, and a log of endless lines."""
    calendars = tuple(
        CalendarStatus(key=CalendarKey(ANNA, f"{n}@example.com"), problem="forbidden", problem_text="x" * 5000)
        for n in range(60)
    )
    accounts = tuple(AccountStatus(email=f"u{n}@example.com", aid=str(n), calendars=calendars) for n in range(10))
    snapshot = msgspec.structs.replace(SNAPSHOT, accounts=accounts)

    told, _ = made(snapshot, lines=lambda count: ["y" * 100_000] * (count - 1) + ["the newest"])

    assert told["log"][-1] == "the newest" and told["snapshot"]["accounts"]


def test_the_panel_gives_it_as_a_file_and_links_to_it() -> None:
    """Relative, so that it works behind Home Assistant's ingress."""
    browser = page(only_peer=None)

    answer = browser.get("/diagnostics")

    assert answer.status_code == 200 and json.loads(answer.data)["version"] == __version__
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{NAME}"'
    assert answer.headers["Cache-Control"] == "no-store" and answer.mimetype == "application/json"
    assert re.search(r'<footer>.*href="diagnostics" download', browser.get("/").text)


def test_only_who_may_see_the_panel_gets_it() -> None:
    """Under the Supervisor its address alone, and not loopback, which may ask for the health; nor foreign names."""
    refused = page(only_peer="172.30.32.2").get("/diagnostics")
    rebound = page(only_peer=None).get("/diagnostics", headers={"Host": "evil.example.com"})
    posted = page(only_peer=None).post("/diagnostics")

    assert (refused.status_code, rebound.status_code, posted.status_code) == (403, 403, 405)


def test_a_panel_without_it_has_no_link() -> None:
    """Nothing leads nowhere."""
    browser = example_panel().test_client()

    assert "diagnostics" not in browser.get("/").text and browser.get("/diagnostics").status_code == 404


def page(*, only_peer: str | None) -> Any:
    """A browser before a panel with diagnostics."""
    maker = Diagnostics(assess=health.assess, options=OPTIONS, lines=lambda _: [], sizes=dict, supervised=False)
    app = panel(
        FakeEngine(),
        assess=health.assess,
        clock=FixedClock(),
        alive=lambda: True,
        mqtt_problem=lambda: None,
        outcomes=tuple,
        options=OPTIONS,
        time_zone="Europe/Berlin",
        only_peer=only_peer,
        diagnostics=maker,
    )
    return app.test_client()
