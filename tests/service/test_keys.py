"""Promises of keys and encrypted settings at the real process: without the key, in a restored backup, as it turns."""

import fnmatch
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from cryptography.fernet import Fernet

from calbot.envfile import NAME, store
from calbot.vault import KEY_FILE, Vault
from tests.google_server.control import Control
from tests.service.running import ANNA, BOB, ROOT, Service, house, wait_for

TEXT = f"INVITE_EMAIL={BOB}\nMQTT_PASSWORD=canary-password\n"


def contents(data: Path) -> dict[str, bytes]:
    """Return the files of the data directory by their names, without logs and what belongs to the live store."""
    live = ("log", "calbot.lock", "calbot.db", "snapshots")
    files = {str(path.relative_to(data)): path for path in data.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in files.items() if not name.startswith(live)}


def answers(service: Service) -> bool:
    """Say whether the panel's door is open."""
    try:
        return bool(service.get("/live"))
    except OSError:
        return False


def told(service: Service) -> str:
    """Return what the panel says is wrong."""
    return str(json.loads(service.get("/health")[1])["reasons"])


def invited(google: Control, event: str) -> bool:
    """Say whether Bob is on the event."""
    return any(guest["email"] == BOB for guest in google.event(ANNA, event).get("attendees", []))


def back_up(service: Service, to: Path) -> None:
    """Make a backup as the Supervisor does, with what `config.yaml` says, and restore it elsewhere."""
    known = yaml.safe_load((ROOT / "config.yaml").read_text())
    left_out = [*known["backup_exclude"], "log"]
    subprocess.run([sys.executable, "-m", "addon.backup"], env=service.environment(), check=True)
    for path in service.data.rglob("*"):
        name = str(path.relative_to(service.data))
        if path.is_file() and not any(
            fnmatch.fnmatch(name, one) or fnmatch.fnmatch(path.name, one) for one in left_out
        ):
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, to / name)


@pytest.mark.parametrize("supervised", [False, True])
def test_without_the_key_of_the_settings_it_stays_up_and_says_so(data: Path, supervised: bool) -> None:
    """Under the Supervisor and without: no call to Google, nothing changed; with the key back it goes on."""
    environment = {"SUPERVISOR_TOKEN": "a-token", "CALBOT_BIND": "127.0.0.1"} if supervised else {}
    key = Fernet.generate_key().decode()
    with house(data, invite_emails=[]) as (service, google, _listener):
        service.start(DOTENV_ENCRYPTION_KEY=key)
        wait_for(service.is_watching, 20, "the calendar is read")
        service.stop()
        store(data, Vault(data, key), TEXT)
        before, calls = contents(data), len(google.calls())

        service.start(**environment)
        wait_for(lambda: answers(service), 20, "the panel")
        wait_for(lambda: NAME in told(service), 20, "the sentence")
        status, said = service.get("/health")[0], told(service)
        stopped = service.stop()
        after = contents(data)

        assert (status, stopped[0]) == (503, 0)
        assert "DOTENV_ENCRYPTION_KEY" in said and "its key is not here" in said
        assert len(google.calls()) == calls
        assert NAME in before and after == before

        service.start(DOTENV_ENCRYPTION_KEY=key)
        wait_for(service.is_watching, 20, "the calendar is read")
        event = str(google.create_event(ANNA)["id"])
        wait_for(lambda: invited(google, event), 20, "the guest of the encrypted settings")
        assert "canary-password" not in service.log() and service.stop()[0] == 0


def test_a_restored_backup_keeps_the_ledger_and_asks_for_a_new_sign_in(data: Path) -> None:
    """It holds `backup.db` and sealed tokens but no key; after the sign-in nothing is done twice."""
    with house(data / "before") as (service, google, listener):
        service.start()
        wait_for(lambda: google.channels() and service.is_watching(), 20, "watching")
        event = str(google.create_event(ANNA)["id"])
        wait_for(lambda: listener.events("invited"), 10, "an announcement")
        back_up(service, data / "restored")
        service.stop()
        restored = set(contents(data / "restored"))
        service.data = data / "restored"
        sealed = (service.data / "tokens" / f"{ANNA}.json").read_bytes()

        service.start()
        wait_for(lambda: answers(service) and "Sign in again" in told(service), 20, "what to do")
        kept = service.run("explain", event, "--json")
        untouched = (service.data / "tokens" / f"{ANNA}.json").read_bytes() == sealed
        service.sign_in(ANNA)
        wait_for(service.is_watching, 30, "the calendar is read")
        later = str(google.create_event(ANNA)["id"])
        wait_for(lambda: invited(google, later), 20, "the next guest")

        assert {"backup.db", "options.json", f"tokens/{ANNA}.json"} <= restored
        assert not [name for name in restored if name.endswith(".key")]
        assert untouched and kept.returncode == 0
        assert [row["state"] for row in json.loads(kept.stdout)[0]["history"]] == ["done"]
        mails = [mail["event"] for mail in google.mails(to=BOB, kind="invitation")]
        assert sorted(mails) == sorted([event, later])
        assert service.stop()[0] == 0


def test_a_restored_backup_with_encrypted_settings_waits_for_its_key(data: Path) -> None:
    """The settings are in it and their key is not; with the key put back all is as before."""
    with house(data / "before", invite_emails=[]) as (service, google, listener):
        store(service.data, Vault(service.data), TEXT)
        service.start()
        wait_for(lambda: google.channels() and service.is_watching(), 20, "watching")
        event = str(google.create_event(ANNA)["id"])
        wait_for(lambda: listener.events("invited"), 10, "an announcement")
        back_up(service, data / "restored")
        service.stop()
        before, calls = contents(data / "restored"), len(google.calls())
        key = (service.data / KEY_FILE).read_bytes()
        service.data = data / "restored"

        service.start()
        wait_for(lambda: answers(service) and NAME in told(service), 20, "the sentence")
        service.stop()
        idle = len(google.calls()) == calls
        (service.data / KEY_FILE).write_bytes(key)
        service.start()
        wait_for(service.is_watching, 20, "the calendar is read")
        later = str(google.create_event(ANNA)["id"])
        wait_for(lambda: invited(google, later), 20, "the next guest")

        assert idle and contents(service.data)[NAME] == before[NAME]
        assert contents(service.data)[f"tokens/{ANNA}.json"] == before[f"tokens/{ANNA}.json"]
        assert [mail["event"] for mail in google.mails(to=BOB, kind="invitation")] == [event, later]
        assert service.stop()[0] == 0


def test_nobody_is_signed_out_while_keys_are_rotated(data: Path) -> None:
    """Again and again beside the running service: it asks for no new token, and goes on inviting."""
    with house(data) as (service, google, _listener):
        service.start()
        wait_for(service.is_watching, 20, "the calendar is read")
        keys = set()
        tokens = dict(google._world.tokens.access)
        for _ in range(5):
            assert service.run("env", "rotate").returncode == 0
            keys.add((data / KEY_FILE).read_text())
            event = str(google.create_event(ANNA)["id"])
            wait_for(lambda event=event: invited(google, event), 20, "the guest")  # type: ignore[misc]

        assert tokens and len(keys) == 5 and google._world.tokens.access == tokens
        assert "cannot be opened" not in service.log() and "Sign in again" not in service.log()
        assert service.stop()[0] == 0
        service.start()
        wait_for(service.is_watching, 20, "the calendar is read")
        assert service.stop()[0] == 0


def test_a_start_finishes_what_a_rotation_left(data: Path) -> None:
    """With the new key in its place, the older one goes; until then the log says what to do with it."""
    given = Fernet.generate_key().decode()
    with house(data) as (service, _google, _listener):
        service.start(DOTENV_ENCRYPTION_KEY=given)
        wait_for(service.is_watching, 20, "the calendar is read")
        rotated = service.run("env", "rotate", DOTENV_ENCRYPTION_KEY=given)
        service.stop()
        newer, older = (data / KEY_FILE).read_text().split()

        service.start(DOTENV_ENCRYPTION_KEY=given)
        wait_for(service.is_watching, 20, "the calendar is read")
        service.stop()
        said, between = service.log(), (data / KEY_FILE).read_text().split()
        service.start(DOTENV_ENCRYPTION_KEY=newer)
        wait_for(service.is_watching, 20, "the calendar is read")

        assert rotated.returncode == 0 and older == given and between == [newer, given]
        assert "DOTENV_ENCRYPTION_KEY was superseded" in said and newer not in said + service.log()
        assert (data / KEY_FILE).read_text().split() == [newer]
        assert service.stop()[0] == 0
