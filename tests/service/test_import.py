"""A household moves over from an earlier bot: the real command, the real service, and nobody is invited twice."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from calbot.store.database import Database
from tests.earlierbot import KEY, EarlierBot
from tests.google_server.control import Control
from tests.google_server.http import GoogleServer
from tests.household import at
from tests.service.running import ANNA, BOB, Service, house, wait_for

CAROL = "carol@example.com"


def create(google: Control, title: str, days: float = 1) -> str:
    """A person makes an event; its id."""
    begin = datetime.now(UTC).replace(microsecond=0) + timedelta(days=days)
    return str(google.create_event(ANNA, {**at(begin), "summary": title})["id"])


def left_behind(folder: Path, google: GoogleServer, handled: list[str]) -> EarlierBot:
    """The directory of a bot that invited Bob for Anna and Carol."""
    bot = EarlierBot(folder)
    bot.env(INVITE_EMAIL=BOB, POLL_INTERVAL_MINUTES="60", SENDGRID_API_KEY="canary-sendgrid-key-1")
    bot.processed({"processed": handled})
    bot.token(google, ANNA, "anna")
    bot.token(google, CAROL, "carol_example_com")
    bot.client()
    return bot


def invitations(google: Control) -> list[str]:
    """The events that Bob got an invitation to, by mail."""
    return [mail["event"] for mail in google.mails(BOB, "invitation")]


def test_a_household_moves_over_and_nobody_is_invited_twice(tmp_path: Path) -> None:
    """What the bot handled stays as it is, also when it changes; what it missed, and what is new, is invited once."""
    with house(tmp_path / "data", ANNA, CAROL, invite_emails=None, first_sync="invite_future", push_url=None) as (
        service,
        google,
        listener,
    ):
        for token in (service.data / "tokens").iterdir():
            token.unlink()
        handled, taken_off = create(google, "Handled"), create(google, "Taken off")
        missed = create(google, "Missed")
        bot = left_behind(tmp_path / "bot", server(service), [handled, f"{taken_off}_20261120T090000Z"])
        before = bot.state()

        taken = service.run("import", str(bot.folder), DOTENV_ENCRYPTION_KEY=KEY)
        service.start(DOTENV_ENCRYPTION_KEY=KEY)
        wait_for(service.is_watching, 20, "the calendars are read")
        wait_for(lambda: invitations(google), 20, "the event that the bot has missed")
        for event in (handled, taken_off):
            google.edit_event(ANNA, event, {"location": "Elsewhere"})
        new = create(google, "New")
        listener.ask("resync", id="look")
        wait_for(lambda: len(invitations(google)) > 1, 20, "the new event")
        applied = service.run("apply", "--yes", DOTENV_ENCRYPTION_KEY=KEY)
        told = service.run("explain", "Handled", DOTENV_ENCRYPTION_KEY=KEY)
        service.stop()

        assert taken.returncode == 0, taken.stdout + taken.stderr
        assert invitations(google) == [missed, new]
        assert "nothing to invite" in applied.stdout
        assert "An earlier bot has handled it" in told.stdout
        lying_about = "".join(path.read_bytes().decode("latin-1") for path in service.data.rglob("*") if path.is_file())
        assert bot.shown_in(taken.stdout, taken.stderr, lying_about) == []
        assert bot.state() == before


def test_it_can_be_imported_while_the_service_runs(tmp_path: Path) -> None:
    """The sign-in is taken up at once, with the list before it; a second import finds everything there."""
    with house(tmp_path / "data", ANNA, CAROL, first_sync="invite_future", push_url=None) as (service, google, _):
        (service.data / "tokens" / f"{ANNA}.json").unlink()
        handled, missed = create(google, "Handled"), create(google, "Missed")
        bot = left_behind(tmp_path / "bot", server(service), [handled])
        (bot.folder / "bot.key").write_text(KEY)
        service.start()
        wait_for(service.is_watching, 20, "Carol's calendar is read")

        taken = service.run("import", str(bot.folder))
        wait_for(lambda: invitations(google), 20, "the event that the bot has missed")
        again = service.run("import", str(bot.folder))
        stopped, _ = service.stop()

        assert taken.returncode == again.returncode == 0, taken.stdout + taken.stderr
        assert "Restart Calbot" in taken.stdout
        assert "carol@example.com is signed in here already, which stays" in taken.stdout
        assert invitations(google) == [missed] and stopped == 0
        assert bot.shown_in(service.log(), taken.stdout, taken.stderr) == []


@pytest.mark.parametrize("seen", ["calbot.db-wal", ".env.encrypted", "client.json", "tokens/anna@example.com.json"])
def test_an_import_that_was_killed_is_whole_the_second_time(tmp_path: Path, seen: str) -> None:
    """Wherever it was: no sign-in lies there without the list, and then everything does."""
    with house(tmp_path / "data", ANNA, CAROL) as (service, google, _listener):
        for token in (service.data / "tokens").iterdir():
            token.unlink()
        bot = left_behind(tmp_path / "bot", server(service), [create(google, "Handled")])
        environment = service.environment(DOTENV_ENCRYPTION_KEY=KEY)
        command = [sys.executable, "-m", "addon", "import", str(bot.folder)]
        process = subprocess.Popen(command, cwd=service.data, env=environment, stdout=subprocess.DEVNULL)
        wait_for(lambda: (service.data / seen).exists() or process.poll() is not None, 20, seen)
        process.kill()
        process.wait(5)
        signed_in, listed = [*(service.data / "tokens").glob("*.json")], names(service.data)

        again = service.run("import", str(bot.folder), DOTENV_ENCRYPTION_KEY=KEY)

        assert listed or not signed_in
        assert again.returncode == 0, again.stdout + again.stderr
        assert len(names(service.data)) == 1
        assert len([*(service.data / "tokens").glob("*.json")]) == 2
        assert (service.data / ".env.encrypted").exists() and (service.data / "client.json").exists()


def names(data: Path) -> list[str]:
    """The names of handled events in a store, none where there is no store yet."""
    database = Database(data)
    if not (data / "calbot.db").exists():
        return []
    database.open()
    found = [name for (name,) in database.read().execute("SELECT name FROM processed")]
    database.close()
    return found


def test_a_key_that_is_none_ends_with_its_sentence(tmp_path: Path) -> None:
    """Before anything is read or written; the key is not repeated."""
    bot = EarlierBot(tmp_path / "bot")
    bot.env(INVITE_EMAIL=BOB)
    wrong = Fernet.generate_key().decode()[:-3]
    with house(tmp_path / "data") as (service, _google, _listener):
        ended = service.run("import", str(bot.folder), DOTENV_ENCRYPTION_KEY=wrong)

        assert ended.returncode == 2 and "DOTENV_ENCRYPTION_KEY" in ended.stderr
        assert wrong not in ended.stdout + ended.stderr
        assert not (service.data / "calbot.db").exists()


def server(service: Service) -> GoogleServer:
    """The Google that a service speaks to."""
    return service._google
