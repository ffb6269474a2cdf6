"""The command line from outside: what it prints, its exit codes, and that it works beside the service as without it."""

import contextlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from calbot.commandline.local import is_running
from tests.google_server.control import Control
from tests.household import FAMILY, at
from tests.service.running import ANNA, BOB, ROOT, Service, house, wait_for

BOTH = pytest.mark.parametrize("runs", [True, False], ids=["beside the service", "without it"])


@contextlib.contextmanager
def begun(data: Path, *, runs: bool, **options: object) -> Iterator[tuple[Service, Control]]:
    """A house where everything was read once, with the service running or not."""
    with house(data, push_url=None, poll_interval=3600, **options) as (service, google, _listener):
        google.add_calendar(ANNA, FAMILY, "Family")
        if runs:
            service.start()
            wait_for(service.is_watching, 20, "watching")
        else:
            read_once(service)
        yield service, google
        assert is_running(data) is runs  # A command leaves the directory as it found it.


def tomorrow(google: Control, title: str) -> str:
    """Anna makes an event for tomorrow; its id."""
    begin = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    return str(google.create_event(ANNA, {**at(begin), "summary": title})["id"])


def has_bob(google: Control, event: str) -> bool:
    """Whether Bob is on the event, as Google has it."""
    return BOB in {one["email"] for one in google.event(ANNA, event).get("attendees", [])}


def read_once(service: Service) -> None:
    """See the calendar for the first time, so that what comes then is new."""
    assert service.run("sync").returncode == 0


def test_version_is_the_packages(tmp_path: Path) -> None:
    """`calbot version` prints what pyproject.toml says."""
    with house(tmp_path) as (service, _google, _listener):
        printed = service.run("version").stdout.strip()

    assert f'version = "{printed}"' in (ROOT / "pyproject.toml").read_text()


def test_sync_does_what_is_due_once_and_says_so(tmp_path: Path) -> None:
    """Without a running service `calbot sync` invites and prints what happened."""
    with house(tmp_path) as (service, google, _listener):
        read_once(service)
        google.create_event(ANNA)

        done, again = service.run("sync"), service.run("sync")

        assert (done.returncode, again.returncode) == (0, 0)
        assert f'invited       "Dinner" (2026-12-01T19:00:00+01:00)  {BOB}' in done.stdout
        assert again.stdout == "Nothing new.\n"
        assert [mail["to"] for mail in google.mails(kind="invitation")] == [BOB]


def test_a_dry_run_only_tells(tmp_path: Path) -> None:
    """`--dry-run` writes nothing, neither in Google nor in the store: afterwards the real thing still happens."""
    with house(tmp_path) as (service, google, _listener):
        read_once(service)
        google.create_event(ANNA)

        told = json.loads(service.run("sync", "--dry-run", "--json").stdout)
        mails = google.mails()
        service.run("sync")

        assert [(o["event_type"], o["reason"]) for o in told["outcomes"]] == [
            ("event_created", None),
            ("skipped", "dry_run"),
        ]
        assert mails == []
        assert google.channels() == []
        assert len(google.mails(kind="invitation")) == 1


def test_beside_a_running_service_sync_asks_it(tmp_path: Path) -> None:
    """The command goes through the service's table and comes back with what it did."""
    with house(tmp_path, push_url=None, poll_interval=3600) as (service, google, listener):
        service.start()
        wait_for(service.is_watching, 20, "watching")
        google.create_event(ANNA)

        done = service.run("sync")

        assert done.returncode == 0, done.stderr
        assert "event_created" in done.stdout
        wait_for(lambda: listener.events("invited"), 10, "the service did it")


def test_check_names_what_works_and_what_does_not(tmp_path: Path) -> None:
    """Every part has its line; the exit code says what is needed."""
    with house(tmp_path, push_url=None) as (service, google, _listener):
        good = service.run("check")
        google.revoke(ANNA)
        bad = service.run("check", "--json")

        assert good.returncode == 0, good.stdout
        assert "can be read as" in good.stdout
        assert bad.returncode == 3
        verdicts = {checked["part"]: checked["verdict"] for checked in json.loads(bad.stdout)}
        assert verdicts[f"{ANNA}, sign-in"] == "sign_in"
        assert verdicts["options"] == "ok"


def test_nobody_signed_in_is_exit_3_with_the_remedy(tmp_path: Path) -> None:
    """Without any token file `sync` says where to put one."""
    with house(tmp_path) as (service, _google, _listener):
        (tmp_path / "tokens" / f"{ANNA}.json").unlink()

        ended = service.run("sync")

        assert ended.returncode == 3
        assert "calbot login" in ended.stderr


def test_wrong_use_is_exit_2(tmp_path: Path) -> None:
    """An unknown command or option is a matter of usage."""
    with house(tmp_path) as (service, _google, _listener):
        codes = {service.run("fly").returncode, service.run("sync", "--far").returncode}

    assert codes == {2}


def test_every_command_has_help(tmp_path: Path) -> None:
    """`--help` explains each command."""
    with house(tmp_path) as (service, _google, _listener):
        for command in ("run", "sync", "check", "version"):
            helped = service.run(command, "--help")
            assert helped.returncode == 0
            assert f"calbot {command}" in helped.stdout


@BOTH
def test_sync_apply_and_undo(tmp_path: Path, runs: bool) -> None:
    """What is new is invited to, undone, and asked for again: each answer says what came of it."""
    with begun(tmp_path, runs=runs, auto_invite=False) as (service, google):
        event = tomorrow(google, "Dentist")
        synced = service.run("sync")
        (tmp_path / "options.json").write_text(
            (tmp_path / "options.json").read_text().replace('"auto_invite": false', '"auto_invite": true')
        )
        if runs:
            service.stop()
            service.start()
            wait_for(service.is_watching, 20, "watching")
        applied = service.run("apply", "--yes", "--json")
        invited = has_bob(google, event)
        undone = service.run("undo", "--event", event, "--json")
        again = service.run("undo", "--event", event)

        assert [synced.returncode, applied.returncode, undone.returncode] == [0, 0, 0], applied.stderr + undone.stderr
        assert (invited, has_bob(google, event)) == (True, False)
        assert json.loads(applied.stdout)["status"] == json.loads(undone.stdout)["status"] == "ok"
        assert again.returncode == 4


@BOTH
@pytest.mark.parametrize("word", ["approve", "discard"])
def test_held_work_is_decided(tmp_path: Path, runs: bool, word: str) -> None:
    """Approved it goes out, discarded it never does."""
    with begun(tmp_path, runs=runs, limits={"invites_per_hour": 1}) as (service, google):
        made = [tomorrow(google, f"Dinner {number}") for number in range(3)]
        service.run("sync")

        decided = service.run(word, "--json")
        once_more = service.run(word)

        assert decided.returncode == 0, decided.stderr
        assert json.loads(decided.stdout)["status"] == "ok"
        assert once_more.returncode == 4
        if word == "approve":
            wait_for(lambda: all(has_bob(google, event) for event in made), 10, "invited")
        else:
            assert not any(has_bob(google, event) for event in made)


@BOTH
def test_mirror_purge_takes_copies_away(tmp_path: Path, runs: bool) -> None:
    """All of them where that is said; the originals stay."""
    with begun(tmp_path, runs=runs, central_calendar=FAMILY, invite_emails=[]) as (service, google):
        event = tomorrow(google, "Dentist")
        service.run("sync")
        wait_for(lambda: google.events(FAMILY), 10, "copied")

        purged = service.run("mirror", "purge", "--all", "--yes", "--json")

        assert purged.returncode == 0, purged.stderr
        assert json.loads(purged.stdout)["status"] == "ok"
        assert google.events(FAMILY) == []
        assert google.event(ANNA, event)["status"] == "confirmed"


def test_channels_are_listed_and_renewed_beside_the_service(tmp_path: Path) -> None:
    """The list is of the store; the renewal is the service's, and pushes go on coming."""
    with house(tmp_path, poll_interval=3600) as (service, google, _listener):
        service.start()
        wait_for(lambda: google.channels() and service.is_watching(), 20, "watching")
        (before,) = google.channels()

        renewed = service.run("channels", "renew")
        listed = json.loads(service.run("channels", "--json").stdout)
        (after,) = google.channels()

        assert (renewed.returncode, renewed.stdout) == (0, "Google has opened new push channels.\n"), renewed.stderr
        assert after["id"] != before["id"]
        assert [one["id"] for one in listed["channels"]] == [after["id"]]
        assert listed["channels"][0]["state"] in {"healthy", "waiting"}


def test_check_asks_the_running_service_and_tries_the_push_address(tmp_path: Path) -> None:
    """Its health is told in its own words, a push comes through to its door, its broker lets us in."""
    with house(tmp_path) as (service, google, _listener):
        before = json.loads(service.run("check", "--json").stdout)
        service.start()
        wait_for(lambda: google.channels() and service.is_watching(), 20, "watching")

        ended = service.run("check", "--json")
        elsewhere = service.run("check", "--json", CALBOT_PUSH_URL=f"http://127.0.0.1:{service.panel_port}/push")

        def of(part: str, told: list[dict[str, str]]) -> list[tuple[str, str]]:
            return [(one["verdict"], one["text"]) for one in told if one["part"] == part]

        told = json.loads(ended.stdout)
        assert of("push_url", before)[0][0] == "warn"
        assert ended.returncode == 0, ended.stdout
        assert of("push_url", told) == [("ok", f"http://127.0.0.1:{service.push_port}/push leads to Calbot.")]
        assert any("its status is ok" in text for _verdict, text in of("service", told))
        assert of("broker", told)[0][0] == "ok"
        assert of("push_url", json.loads(elsewhere.stdout))[0][0] == "failed"


def test_a_service_that_does_not_answer_is_named(tmp_path: Path) -> None:
    """It holds the directory, and its panel is not where it should be."""
    with house(tmp_path, push_url=None) as (service, _google, _listener):
        service.start()
        wait_for(service.is_watching, 20, "watching")

        ended = service.run("check", "--json", CALBOT_PANEL_PORT="1")

        assert ended.returncode == 1
        assert any("does not answer at" in one["text"] for one in json.loads(ended.stdout) if one["part"] == "service")
