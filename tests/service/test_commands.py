"""The command line from outside: what it prints, and its exit codes."""

import json
from pathlib import Path

from tests.service.running import ANNA, BOB, ROOT, Service, house, wait_for


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
        assert verdicts[f"{ANNA}, calendar primary"] == "sign_in"
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
