"""`calbot import`: what an earlier bot left is taken over whole, sealed, told, and as often as anybody likes."""

import json
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from cryptography.fernet import Fernet

from calbot import secrecy
from calbot.clock import SystemClock
from calbot.envfile import opened, parsed
from calbot.google.wallet import Wallet
from calbot.model import Event
from calbot.store import earlier
from calbot.store.database import Database
from calbot.vault import Vault
from tests.cli.terminal import Terminal
from tests.earlierbot import EVENT, KEY, OTHER, EarlierBot
from tests.google_server.http import GoogleServer
from tests.google_server.tokens import PREFIX
from tests.household import ANNA, BOB, CAROL

READ_ONLY = (PREFIX + "calendar.readonly",)
OURS = (PREFIX + "calendar.events", PREFIX + "calendar.calendarlist.readonly", "openid", PREFIX + "userinfo.email")
SENDS = (PREFIX + "gmail.send",)


@dataclass
class Scene:
    """An earlier bot's directory, a data directory of ours, and the Google of both."""

    bot: EarlierBot
    google: GoogleServer
    data: Path
    environ: dict[str, str]

    def run(self, *words: str, **options: object) -> Result:
        """Import, and hold that no secret is printed and the directory stays as it is."""
        before = self.bot.state()
        terminal = Terminal(self.data, SystemClock(), self.environ)
        if options:
            terminal.set_options(**options)
        ended = terminal.run("import", str(self.bot.folder), *words)
        assert ended.exception is None or isinstance(ended.exception, SystemExit), ended.output
        assert self.bot.shown_in(ended.output, str(self.files())) == []
        assert self.bot.state() == before
        return ended

    def report(self, *words: str) -> Any:
        """Import and return the report."""
        return json.loads(self.run(*words, "--json").stdout)

    @property
    def vault(self) -> Vault:
        return Vault(self.data, self.environ.get("DOTENV_ENCRYPTION_KEY"))

    @property
    def wallet(self) -> Wallet:
        return Wallet(self.data, self.vault)

    def settings(self) -> dict[str, str]:
        """What our own env file says."""
        found = opened(self.data, self.vault)
        return parsed(found.text) if found is not None else {}

    def handled(self, *ids: str) -> list[bool]:
        """Whether each of these events counts as handled for Bob."""
        database = Database(self.data)
        try:
            known = earlier.guests(database.read(), [Event(id=one, etag="1") for one in ids])
        finally:
            database.close()
        return [not {BOB, "*"}.isdisjoint(known.get(one, set())) for one in ids]

    def files(self) -> dict[str, bytes]:
        """All files in our data directory."""
        return {str(path.relative_to(self.data)): path.read_bytes() for path in self.data.rglob("*") if path.is_file()}


@pytest.fixture
def scene(data: Path) -> Iterator[Scene]:
    """A bot that has left nothing yet."""
    with GoogleServer(SystemClock(), [ANNA, BOB, CAROL]) as google:
        environ = {
            "CALBOT_CALENDAR_API": google.calendar_api,
            "CALBOT_TOKEN_URI": google.token_uri,
            "DOTENV_ENCRYPTION_KEY": KEY,
        }
        yield Scene(EarlierBot(data / "bot"), google, data / "data", environ)


def whole(scene: Scene) -> None:
    """A directory with everything in it."""
    scene.bot.env(
        INVITE_EMAIL=BOB,
        POLL_INTERVAL_MINUTES="5",
        SENDER_EMAIL=ANNA,
        TO_EMAIL=BOB,
        SENDGRID_API_KEY="canary-sendgrid-key-1",
        EXPECTED_CHANNEL_ID="canary-channel-1",
        GOOGLE_AUTH_PATH="/app",
        MY_OWN_TOKEN="canary-own-token-1",
    )
    scene.bot.processed([EVENT, f"{OTHER}_20261120T090000Z"])
    scene.bot.token(scene.google, ANNA, "anna", account=ANNA)
    scene.bot.token(scene.google, CAROL, CAROL)
    scene.bot.client()


def states(report: Any) -> dict[str, str]:
    """What became of each thing, by its name."""
    return {item["name"]: word for word in ("taken", "here", "left", "not_taken") for item in report[word]}


def text_of(report: Any, name: str) -> str:
    """What is said of a thing."""
    return " ".join(
        item["text"] for word in ("taken", "here", "left", "not_taken") for item in report[word] if item["name"] == name
    )


def test_everything_is_taken_and_sealed(scene: Scene) -> None:
    """The list, the settings, the client, both sign-ins: exit code 0, and nothing plain on the disk."""
    whole(scene)

    ended = scene.run()

    assert ended.exit_code == 0, ended.output
    assert [kept.email for kept in scene.wallet.accounts() if kept.usable] == [ANNA, CAROL]
    client = scene.wallet.client()
    assert client is not None and client.client_id == "calbot-client"
    assert scene.settings()["SENDGRID_API_KEY"] == "canary-sendgrid-key-1"
    assert scene.handled(EVENT, OTHER, "q" * 26) == [True, True, False]
    sealed = scene.files()
    assert [name for name, content in sealed.items() if scene.bot.shown_in(content.decode("latin-1"))] == []
    assert {stat.S_IMODE((scene.data / name).stat().st_mode) for name in sealed if name != "options.json"} == {0o600}


def test_the_report_says_what_each_thing_became(scene: Scene) -> None:
    """Known names as what they are now, unknown ones as ignored, and what is to be done next."""
    whole(scene)

    report = scene.report()

    assert states(report) == {
        "processed_events.json": "taken",
        ".env.encrypted": "taken",
        **dict.fromkeys(
            ("INVITE_EMAIL", "POLL_INTERVAL_MINUTES", "SENDER_EMAIL", "TO_EMAIL", "SENDGRID_API_KEY"), "taken"
        ),
        "GOOGLE_AUTH_PATH": "left",
        "EXPECTED_CHANNEL_ID": "left",
        "MY_OWN_TOKEN": "left",
        "client_secret.json": "taken",
        "token_anna.json": "taken",
        f"token_{CAROL}.json": "taken",
    }
    assert "2 events" in text_of(report, "processed_events.json") and BOB in text_of(report, "processed_events.json")
    assert "invite_emails" in text_of(report, "INVITE_EMAIL")
    assert [item["account"] for item in report["taken"] if item["part"] == "token"] == [ANNA, CAROL]
    assert "Stop the earlier bot" in report["next"][0]
    assert "DOTENV_ENCRYPTION_KEY" in " ".join(report["next"])


def test_a_second_import_changes_nothing(scene: Scene) -> None:
    """It says that everything is here already, and ends the same: 0."""
    whole(scene)
    scene.run()
    before = {name: content for name, content in scene.files().items() if not name.startswith("calbot.db")}

    report, again = scene.report(), scene.run()

    after = {name: content for name, content in scene.files().items() if not name.startswith("calbot.db")}
    assert again.exit_code == 0
    assert after == before
    assert {states(report)[name] for name in ("token_anna.json", "client_secret.json", ".env.encrypted")} == {"here"}


def test_a_dry_run_writes_nothing_and_says_the_same(scene: Scene) -> None:
    """Neither a store nor a key is made."""
    whole(scene)
    scene.environ.pop("DOTENV_ENCRYPTION_KEY")
    (scene.bot.folder / "bot.key").write_text(KEY)

    dry, code = scene.report("--dry-run"), scene.run("--dry-run").exit_code
    left = sorted(scene.files())
    real = scene.report()

    assert (left, code, dry["dry_run"]) == (["options.json"], 0, True)
    assert states(dry) == states(real)
    assert len(scene.wallet.accounts()) == 2  # sealed with a key file of our own


@pytest.mark.parametrize("scopes", [(PREFIX + "calendar",), READ_ONLY, OURS, (PREFIX + "calendar.events",)])
def test_google_says_whose_a_token_is(scene: Scene, scopes: tuple[str, ...]) -> None:
    """Whatever it may do; the file's name says nothing, or something else."""
    scene.google.control.create_event(CAROL, {"summary": "Her own"})
    scene.bot.token(scene.google, CAROL, "anna", scopes)
    scene.bot.token(scene.google, ANNA, BOB, scopes)
    scene.google.control.create_event(ANNA, {"summary": "Her own"})

    report = scene.report()

    assert [kept.email for kept in scene.wallet.accounts()] == [ANNA, CAROL]
    assert "Google says whose it is" in text_of(report, f"token_{BOB}.json")
    suffices = scopes in {(PREFIX + "calendar",), OURS}
    assert any("calbot login --account" in step for step in report["next"]) is not suffices
    assert ("sign in again" in text_of(report, "token_anna.json")) is not suffices


def test_google_says_it_also_to_our_own_kind_of_consent(scene: Scene) -> None:
    """It may not ask for calendars by name, and the account has no event that would tell."""
    scene.bot.token(scene.google, ANNA, "x", OURS)

    assert states(scene.report()) == {"token_x.json": "taken"}
    assert [kept.email for kept in scene.wallet.accounts()] == [ANNA]


def test_a_token_of_which_nobody_says_whose_it_is_is_named(scene: Scene) -> None:
    """With how to say it."""
    scene.bot.token(scene.google, ANNA, "x", (PREFIX + "calendar.events",))

    report = scene.report()

    assert states(report) == {"token_x.json": "not_taken"}
    assert "token_<address>.json" in text_of(report, "token_x.json")


def test_a_token_that_opens_no_calendar_is_named(scene: Scene) -> None:
    """It would only fail later."""
    scene.bot.token(scene.google, ANNA, ANNA, ("openid",))

    report = scene.report()

    assert states(report) == {f"token_{ANNA}.json": "not_taken"}
    assert report["next"] == [f"Sign in: calbot login --account {ANNA}"]


def test_the_client_of_most_sign_ins_is_taken(scene: Scene) -> None:
    """Others are left; one that Calbot has already stays."""
    scene.google.world.tokens.clients["another"] = "canary-of-another"
    scene.bot.client("client_secret_a.json", client_id="unused", client_secret="canary-of-unused")
    scene.bot.client("client_secret_b.json")
    scene.bot.token(scene.google, ANNA, "anna")

    report, first = scene.report(), scene.wallet.client()
    scene.bot.client("client_secret_b.json", client_id="another", client_secret="canary-of-another")
    later, second = scene.report(), scene.wallet.client()

    assert states(report) == {
        "client_secret_a.json": "left",
        "client_secret_b.json": "taken",
        "token_anna.json": "taken",
    }
    assert {states(later)[f"client_secret_{one}.json"] for one in "ab"} == {"left"}
    assert first is not None and first.client_id == "calbot-client" and second == first


@pytest.mark.parametrize("said", ["bob", f"{BOB}, somebody", ""])
def test_where_nobody_knows_whom_the_bot_invited_it_was_everybody(scene: Scene, said: str) -> None:
    """A name that is no address, or none at all."""
    scene.bot.env(INVITE_EMAIL=said, ENABLE_AUTO_INVITE="true")
    scene.bot.processed([EVENT])

    report = scene.report()

    assert "does not invite anybody" in text_of(report, "processed_events.json")
    assert scene.handled(EVENT) == [True]


def test_beside_a_calbot_of_another_version_nothing_is_taken(scene: Scene) -> None:
    """It would not know the list."""
    whole(scene)
    running = Database(scene.data)
    running.open()
    with running.write() as tx:
        tx.execute("PRAGMA user_version = 3")

    ended = scene.run()
    running.close()

    assert ended.exit_code == 1 and "another version" in ended.stderr
    assert scene.wallet.accounts() == () and scene.settings() == {}


def test_no_value_of_the_bots_settings_is_ever_shown(scene: Scene) -> None:
    """Also of settings that Calbot does not know: whoever logs them has them masked; a key is not kept."""
    scene.bot.env(".env", INVITE_EMAIL=BOB, MY_OWN="canary-own-value-12345", DOTENV_ENCRYPTION_KEY=KEY)

    report = scene.report()

    assert secrecy.cleaned("is canary-own-value-12345 so") == "is [secret] so"
    assert scene.settings() == {"INVITE_EMAIL": BOB}
    assert states(report)["DOTENV_ENCRYPTION_KEY"] == "left"


def test_a_dead_token_stops_nothing_else(scene: Scene) -> None:
    """It is named with what helps, and kept out; exit code 5."""
    scene.bot.token(scene.google, ANNA, ANNA)
    scene.bot.token(scene.google, CAROL, "carol")
    scene.google.control.revoke(ANNA)

    report, code = scene.report(), scene.run().exit_code

    assert code == 5
    assert states(report) == {f"token_{ANNA}.json": "not_taken", "token_carol.json": "taken"}
    assert f"Sign in: calbot login --account {ANNA}" in report["next"]
    assert [kept.email for kept in scene.wallet.accounts()] == [CAROL]


def test_without_google_what_names_itself_is_taken(scene: Scene) -> None:
    """With a remark; of the others nobody knows whose they are."""
    scene.bot.token(scene.google, ANNA, "anna", account=ANNA)
    scene.bot.token(scene.google, CAROL, "carol")
    scene.google.stop()

    ended = scene.run()

    assert ended.exit_code == 5
    assert "could not be asked whether it still works" in ended.stdout
    assert "token_carol.json: Google cannot be asked whose it is" in ended.stderr
    assert [kept.email for kept in scene.wallet.accounts()] == [ANNA]


def test_a_sign_in_that_works_here_stays(scene: Scene) -> None:
    """Unless it is dead by now, or somebody wants it replaced."""
    scene.bot.token(scene.google, ANNA, "anna")
    tokens = scene.data / "tokens"
    tokens.mkdir(parents=True)
    (tokens / f"{ANNA}.json").write_text(json.dumps(scene.google.token_document(ANNA)))
    scene.wallet.seal()
    ours = scene.wallet.token(ANNA)
    stays, after = scene.report(), scene.wallet.token(ANNA)
    replaced, now = scene.report("--replace"), scene.wallet.token(ANNA)
    here = scene.report()

    assert states(stays) == {"token_anna.json": "left"} and after == ours
    assert states(replaced) == {"token_anna.json": "taken"}
    assert now is not None and ours is not None and now.refresh_token != ours.refresh_token
    assert states(here) == {"token_anna.json": "here"}


def test_a_dead_sign_in_here_is_replaced(scene: Scene) -> None:
    """That is what the import is for."""
    (scene.data / "tokens").mkdir(parents=True)
    document = scene.google.token_document(ANNA)
    (scene.data / "tokens" / f"{ANNA}.json").write_text(json.dumps({**document, "refresh_token": "of-long-ago"}))
    scene.bot.token(scene.google, ANNA, "anna")

    report = scene.report()

    now = scene.wallet.token(ANNA)
    assert states(report) == {"token_anna.json": "taken"}
    assert now is not None and now.refresh_token != "of-long-ago"


def test_a_sign_in_here_that_cannot_be_opened_is_not_lost(scene: Scene) -> None:
    """Its key may be elsewhere, so only --replace takes its place."""
    scene.bot.token(scene.google, ANNA, "anna")
    Vault(scene.data, Fernet.generate_key().decode()).write(scene.data / "tokens" / f"{ANNA}.json", ANNA, b"{}")
    before = (scene.data / "tokens" / f"{ANNA}.json").read_bytes()

    report, code = scene.report(), scene.run().exit_code
    after = (scene.data / "tokens" / f"{ANNA}.json").read_bytes()
    replaced = scene.report("--replace")

    assert states(report) == {"token_anna.json": "not_taken"} and code == 1 and after == before
    assert states(replaced) == {"token_anna.json": "taken"}


def test_of_several_sign_ins_of_one_account_the_first_that_works_is_taken(scene: Scene) -> None:
    """A dead one and a later one are told of, and no reason for another exit code."""
    dead = scene.bot.token(scene.google, ANNA, ANNA, account=ANNA)
    scene.google.world.tokens.grants[str(dead["refresh_token"])].revoked = True
    scene.bot.token(scene.google, ANNA, "b_works")
    scene.bot.token(scene.google, ANNA, "c_works")

    report, code = scene.report(), scene.run().exit_code

    assert states(report) == {
        f"token_{ANNA}.json": "left",
        "token_b_works.json": "taken",
        "token_c_works.json": "left",
    }
    assert code == 0
    assert "calbot login" not in " ".join(report["next"])


def test_a_token_that_may_send_mail_goes_on_sending(scene: Scene) -> None:
    """One that may do nothing else is its sender's; one of both kinds serves both."""
    scene.bot.env(SENDER_EMAIL=ANNA, TO_EMAIL=BOB)
    scene.bot.token(scene.google, ANNA, "sender", SENDS)
    only_mail, mails = scene.report(), scene.wallet.mail_senders()
    accounts = scene.wallet.accounts()
    scene.wallet.remove_mail(ANNA)
    (scene.bot.folder / "token_sender.json").unlink()
    scene.bot.token(scene.google, ANNA, "anna", (*SENDS, PREFIX + "calendar"))
    scene.report()

    assert (states(only_mail)["token_sender.json"], mails, accounts) == ("taken", (ANNA,), ())
    assert scene.wallet.mail_senders() == (ANNA,) and [one.email for one in scene.wallet.accounts()] == [ANNA]


def test_a_consent_for_mail_alone_is_no_sign_in(scene: Scene) -> None:
    """What lets the bot read the same account's calendars is taken, too, or is missed where it is dead."""
    scene.bot.env(SENDER_EMAIL=ANNA, TO_EMAIL=BOB)
    scene.bot.token(scene.google, ANNA, "a_mail", SENDS)
    calendars = scene.bot.token(scene.google, ANNA, ANNA, account=ANNA)
    whole = states(scene.report())
    signed_in = [one.email for one in scene.wallet.accounts()]
    scene.wallet.remove(ANNA)
    scene.google.world.tokens.grants[str(calendars["refresh_token"])].revoked = True
    dead = states(scene.report())

    assert (whole["token_a_mail.json"], whole[f"token_{ANNA}.json"], signed_in) == ("taken", "taken", [ANNA])
    assert dead[f"token_{ANNA}.json"] == "not_taken"


def test_our_own_settings_stay_and_what_differs_is_named(scene: Scene) -> None:
    """Names, never values; --replace takes the bot's, leaves what it does not say, and keeps ours as the backup."""
    scene.bot.env(INVITE_EMAIL=BOB, ENABLE_AUTO_INVITE="false")
    scene.data.mkdir()
    text = f"INVITE_EMAIL={CAROL}\nENABLE_AUTO_INVITE=false\nMQTT_PASSWORD='ours # \\n'\n"
    (scene.data / ".env.encrypted").write_bytes(scene.vault.encrypt(text.encode()))

    report, stays = scene.run(), scene.settings()
    replaced, now = scene.run("--replace"), scene.settings()

    assert report.exit_code == 1 and stays["INVITE_EMAIL"] == CAROL
    assert "of INVITE_EMAIL." in report.stderr and "ENABLE" not in report.stderr and CAROL not in report.output
    assert replaced.exit_code == 0
    assert now == {"INVITE_EMAIL": BOB, "ENABLE_AUTO_INVITE": "false", "MQTT_PASSWORD": r"ours # \n"}
    assert scene.vault.decrypt((scene.data / ".env.encrypted.bak").read_bytes()).decode() == text


def test_settings_that_cannot_be_written_stop_nothing_else(scene: Scene) -> None:
    """The disk says no: they are named, ours stay, and the sign-in is taken."""
    scene.bot.env(INVITE_EMAIL=BOB)
    scene.bot.token(scene.google, ANNA, "anna")
    (scene.data / ".env.encrypted.bak" / "in the way").mkdir(parents=True)
    (scene.data / ".env.encrypted").write_bytes(scene.vault.encrypt(f"INVITE_EMAIL={CAROL}\n".encode()))

    report, code = scene.report("--replace"), scene.run().exit_code

    assert states(report) == dict.fromkeys((".env.encrypted", "INVITE_EMAIL"), "not_taken") | {
        "token_anna.json": "taken"
    }
    assert "was not kept" in text_of(report, ".env.encrypted") and code == 5
    assert scene.settings()["INVITE_EMAIL"] == CAROL


def test_a_setting_that_would_keep_calbot_from_starting_is_left_out(scene: Scene) -> None:
    """It is named with the remedy; the others are taken."""
    scene.bot.env(
        INVITE_EMAIL=BOB, POLL_INTERVAL_MINUTES="often", ENABLE_AUTO_INVITE="perhaps", MY_OWN='"a # \\" b"', TZ="x"
    )

    report = scene.report()
    checked = Terminal(scene.data, SystemClock(), scene.environ).run("check", "--json")

    assert scene.settings() == {"INVITE_EMAIL": BOB, "TZ": "x"}
    assert {"POLL_INTERVAL_MINUTES", "ENABLE_AUTO_INVITE"} <= {item["name"] for item in report["not_taken"]}
    assert "not a number" in text_of(report, "POLL_INTERVAL_MINUTES")
    assert checked.exit_code != 2


@pytest.mark.parametrize("value", ["family@group.calendar.google.com", f"primary,{ANNA}"])
def test_calendars_are_not_taken_for_accounts(scene: Scene, value: str) -> None:
    """Nobody could sign in as one, and nothing else would be looked at."""
    scene.bot.env(SOURCE_CALENDARS=value, INVITE_EMAIL=BOB)

    report = scene.report()

    assert scene.settings() == {"INVITE_EMAIL": BOB}
    assert "is a calendar, not an account" in text_of(report, "SOURCE_CALENDARS")


@pytest.mark.parametrize("content", [f'["{EVENT}", "'.encode(), b"\x00\x01", b"null"])
def test_a_list_that_cannot_be_read_keeps_the_safe_side(scene: Scene, content: bytes) -> None:
    """It is named, the rest is taken, and it is said how to go on without it."""
    scene.bot.token(scene.google, ANNA, "anna")
    (scene.bot.folder / "processed_events.json").write_bytes(content)

    ended = scene.run(first_sync="invite_future")
    calm = scene.run(first_sync="ignore")

    assert ended.exit_code == 5
    assert "processed_events.json" in ended.stderr
    assert "Set first_sync to ignore before Calbot starts" in ended.stdout
    assert "Leave first_sync at ignore" in calm.stdout


def test_without_a_list_it_is_said_how_to_go_on(scene: Scene) -> None:
    """Nothing was there to be taken, so the exit code is 0."""
    scene.bot.token(scene.google, ANNA, "anna")

    ended = scene.run()

    assert ended.exit_code == 0 and "Leave first_sync at ignore" in ended.stdout


def test_copies_of_the_bot_are_left_alone(scene: Scene) -> None:
    """Where there is a central calendar, that is said."""
    whole(scene)

    ended = scene.run(central_calendar="family@group.calendar.google.com", first_sync="invite_future")

    assert "Copies that the bot made on the central calendar are left alone" in ended.stdout
    assert "makes its own beside them" in ended.stdout


def test_accounts_that_nobody_looks_at_are_told(scene: Scene) -> None:
    """And those that are to be looked at and are not signed in."""
    scene.bot.env(SOURCE_CALENDARS=f"{ANNA},{BOB}")
    scene.bot.token(scene.google, ANNA, "anna")
    scene.bot.token(scene.google, CAROL, "carol")

    ended = scene.run()

    assert f"calbot login --account {BOB}" in ended.stdout
    assert f"Add {CAROL} to accounts" in ended.stdout


@pytest.mark.parametrize(
    ("make", "code", "told"),
    [
        (lambda folder: folder.rmdir(), 4, "There is no directory"),
        (lambda folder: (folder.rmdir(), folder.write_text("x")), 2, "is no directory"),
        (lambda folder: None, 1, "There is nothing of an earlier bot"),
        (lambda folder: (folder / "notes.txt").write_text("x"), 1, "There is nothing of an earlier bot"),
        (lambda folder: (folder / "token.pickle").write_bytes(b"x"), 1, "pickle"),
    ],
)
def test_where_there_is_nothing_the_exit_code_says_so(scene: Scene, make: Any, code: int, told: str) -> None:
    """4 for no directory, 2 for no directory but a file, 1 for one without a bot."""
    make(scene.bot.folder)

    ended = scene.run()

    assert ended.exit_code == code and told in ended.stderr
    assert sorted(scene.files()) == ["options.json"]


def test_calbots_own_directory_is_none_of_a_bot(scene: Scene) -> None:
    """It is refused before anything is read."""
    terminal = Terminal(scene.data, SystemClock(), scene.environ)

    ended = terminal.run("import", str(scene.data))

    assert ended.exit_code == 2 and "own data directory" in ended.stderr


def test_bad_usage_is_2(scene: Scene) -> None:
    """No directory named, or an option that there is not."""
    terminal = Terminal(scene.data, SystemClock(), scene.environ)

    assert [terminal.run("import").exit_code, terminal.run("import", "x", "--now").exit_code] == [2, 2]


@pytest.mark.parametrize(
    ("in_the_way", "code", "taken"),
    [("calbot.lock", 1, ""), (".env.encrypted", 2, ""), (".env.encrypted.bak", 2, ""), ("tokens", 5, "list")],
)
def test_what_was_broken_off_is_whole_when_it_is_done_again(
    scene: Scene, in_the_way: str, code: int, taken: str
) -> None:
    """Whichever step fails: no sign-in comes without the list, and the second time everything is there."""
    whole(scene)
    obstacle = scene.data / in_the_way
    scene.data.mkdir()
    if in_the_way == "tokens":
        obstacle.write_text("in the way")
    else:
        obstacle.mkdir()

    broken = scene.run()
    signed_in = scene.wallet.accounts()
    listed = bool(taken) and scene.handled(EVENT, OTHER) == [True, True]
    if obstacle.is_dir():
        obstacle.rmdir()
    else:
        obstacle.unlink()
    again = scene.run()

    assert broken.exit_code == code, broken.output
    assert listed is bool(taken) and (listed or signed_in == ())
    assert again.exit_code == 0, again.output
    assert scene.handled(EVENT, OTHER) == [True, True] and len(scene.wallet.accounts()) == 2
    assert scene.settings()["INVITE_EMAIL"] == BOB and scene.wallet.client() is not None


def test_names_from_the_directory_do_nothing_to_a_terminal(scene: Scene) -> None:
    """They are written out."""
    (scene.bot.folder / "token_\x1b[31m\u202e.json").write_text("no token")
    (scene.bot.folder / "token.pickle").write_text("x")

    ended, report = scene.run(), scene.report()

    assert "\x1b" not in ended.output and "\u202e" not in ended.output
    assert {item["part"] for item in report["not_taken"]} == {"token"}
