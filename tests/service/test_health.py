"""Health as it is told outside: a worker that hangs at the real process, and a sign-in that dies and comes back."""

import contextlib
import json
import sqlite3
import time
from pathlib import Path

import pytest

from tests.kuma import monitor
from tests.service.running import ANNA, BOB, Listener, Service, house, wait_for
from tests.supervisor.server import TOKEN, FakeSupervisor

CAROL = "carol@example.com"
BOUND = 50.0
"""A call to Google may take 40 s; with polls of a quarter of a minute that is what there is to wait for."""


def reasons(service: Service) -> list[str]:
    """What `/health` names."""
    return [str(reason["code"]) for reason in json.loads(service.get("/health")[1])["reasons"]]


def said(listener: Listener, kind: str) -> list[str | None]:
    """The reasons of what was announced of one kind."""
    return [one.get("reason") for one in listener.payloads("calbot/event/system") if one["event_type"] == kind]


@pytest.mark.slow
def test_a_worker_that_hangs_is_down_outside_while_the_others_go_on(tmp_path: Path) -> None:
    """An answer that drips keeps the worker: `/health` is 503 and the monitor hears `down`, and Anna's are invited."""
    with (
        monitor() as kuma,
        house(tmp_path, ANNA, CAROL, push_url=None, poll_interval=15, heartbeat_url=kuma.url()) as (
            service,
            google,
            listener,
        ),
    ):
        service.start()
        wait_for(lambda: service.is_watching() and kuma.statuses() == ["up"], 20, "watching, and up")
        before = service.get("/health")[0]

        google.add_fault("drip", operation="events.list", account=CAROL, count=None)
        listener.ask("resync", id="look")
        wait_for(lambda: any(call["fault"] == "drip" for call in google.calls("events.list")), 20, "a call that drips")
        began = time.monotonic()
        event = google.create_event(ANNA)["id"]

        wait_for(lambda: service.get("/health")[0] == 503, BOUND + 10, "503")
        took = time.monotonic() - began
        assert (before, service.get("/live")[0]) == (200, 200) and took <= BOUND
        assert reasons(service) == ["hung"] and kuma.statuses()[-1] == "down" and CAROL in kuma.heard[-1]["msg"]
        assert [mail["event"] for mail in google.mails(to=BOB, kind="invitation")] == [event]
        assert int(kuma.heard[0]["ping"]) >= 0
        code, seconds = service.stop()
        assert code == 0 and seconds < 5 and kuma.url() not in service.log()


@pytest.mark.slow
def test_a_revoked_sign_in_is_one_alert_and_resumes_where_it_was(tmp_path: Path) -> None:
    """However often it is looked for; the other account goes on inviting; nothing that happened meanwhile is lost."""
    with (
        FakeSupervisor() as fake,
        house(tmp_path, ANNA, CAROL, push_url=None, poll_interval=15) as (service, google, listener),
    ):
        service.start(SUPERVISOR_TOKEN=TOKEN, CALBOT_SUPERVISOR_URL=fake.address, CALBOT_BIND="127.0.0.1")
        wait_for(service.is_watching, 30, "watching")
        wait_for(lambda: "online" in listener.availability(), 20, "Calbot on MQTT")

        def told() -> list[str]:
            return [call.body["title"] for call in fake.calls("/core/api/services/persistent_notification/create")]

        google.revoke(ANNA)
        meanwhile = [google.create_event(ANNA)["id"] for _ in range(3)]
        hers = google.create_event(CAROL)["id"]
        for number in range(12):
            listener.ask("resync", id=f"look-{number}")
            wait_for(lambda: listener.payloads("calbot/response/resync")[number:], 20, "an answer")  # noqa: B023
        wait_for(lambda: listener.events("invited"), 20, "Carol's event is invited to")
        wait_for(told, 20, "people hear of it")
        first = (said(listener, "sign_in_needed"), said(listener, "alert_raised"), told())
        invited = [mail["event"] for mail in google.mails(to=BOB, kind="invitation")]
        refreshes = len(google.calls("oauth.token", account=ANNA))

        service.sign_in(ANNA)
        wait_for(lambda: len(listener.events("invited")) == 4, 30, "what happened meanwhile")
        wait_for(lambda: said(listener, "alert_cleared"), 90, "the alert is cleared")

        assert first == (["auth_revoked"], ["sign_in"], ["Calbot needs you to sign in again"])
        assert invited == [hers] and refreshes <= 3
        mails = [mail["event"] for mail in google.mails(to=BOB, kind="invitation")]
        assert sorted(mails) == sorted([hers, *meanwhile])
        assert said(listener, "alert_raised") == said(listener, "alert_cleared") == ["sign_in"]
        wait_for(lambda: len(told()) == 2, 10, "people hear that it is over")
        assert told()[1] == "Solved: Calbot needs you to sign in again"
        assert said(listener, "sign_in_restored") == [None] and service.stop()[0] == 0


def test_the_report_of_a_day_comes_when_calbot_is_up_again(tmp_path: Path) -> None:
    """As a notification with true figures; without a way to people it is said that there is none."""
    with (
        FakeSupervisor() as fake,
        house(tmp_path, push_url=None, report_at="00:00") as (service, _google, _listener),
    ):
        service.start()
        wait_for(service.is_watching, 20, "watching")
        alone = service.get("/health")[1]
        service.stop()
        with contextlib.closing(sqlite3.connect(tmp_path / "calbot.db")) as store, store:
            (known,) = store.execute("SELECT value FROM meta WHERE key = 'report'").fetchone()
            store.execute("UPDATE meta SET value = ? WHERE key = 'report'", ('{"at":"00:00:00","on":"2026-01-01"}',))

        def told() -> list[dict[str, str]]:
            calls = fake.calls("/core/api/services/persistent_notification/create")
            return [call.body for call in calls if call.body["notification_id"] == "calbot_report"]

        for _ in range(2):
            service.start(SUPERVISOR_TOKEN=TOKEN, CALBOT_SUPERVISOR_URL=fake.address, CALBOT_BIND="127.0.0.1")
            wait_for(lambda: service.is_watching() and told(), 20, "the report")
            service.stop()

        assert "there is no way to bring a report" in alone and json.loads(known)["on"] is not None
        assert len(told()) == 1 and told()[0]["title"] == "Calbot today: nothing to do"
        assert "1 calendar was read" in told()[0]["message"] and "Traceback" not in service.log()
