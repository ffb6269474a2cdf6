"""Promises of calbot.envfile: what a dotenv text says, what wins over it, and that nothing unread is overwritten."""

from pathlib import Path
from typing import Any

import apprise
import pytest
from cryptography.fernet import Fernet
from hypothesis import example, given
from hypothesis import strategies as st

from addon.options import Options, load
from addon.ways import Gmail, Url
from calbot import sources
from calbot.envfile import ASIDE, BACKUP, NAME, EnvFileLocked, opened, parsed, store, surroundings
from calbot.errors import BadOptions
from calbot.secrecy import cleaned
from calbot.settings import AccountChoice
from calbot.store.database import Database
from calbot.switchboard import Switchboard
from calbot.vault import KEY_FILE, Vault

ANNA, BOB, CAROL = "anna@example.com", "bob@example.com", "carol@example.com"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", {}),
        ("A=b", {"A": "b"}),
        ("\ufeffA=b\r\nC=d\r\n", {"A": "b", "C": "d"}),
        ("# one\n\n   # two\nA=b # three\n", {"A": "b"}),
        ("export A=b\nexport\tB = c ", {"A": "b", "B": "c"}),
        ("A=\nB=''\nC=\"\"\nD= # nothing\n", {"A": "", "B": "", "C": "", "D": ""}),
        ("A='b # c'  # d\nE=\"f # g\"", {"A": "b # c", "E": "f # g"}),
        ("A=#b\nC=d#e", {"A": "#b", "C": "d#e"}),
        ("URL=https://example.org/?a=b&c=d==\n", {"URL": "https://example.org/?a=b&c=d=="}),
        (r'A="b\nc \"d\" \\ \t $HOME"', {"A": 'b\nc "d" \\ \\t $HOME'}),
        (r"A='b\nc $HOME ${X}'", {"A": r"b\nc $HOME ${X}"}),
        ("A='{\n  \"b\": 1\n}'\nC=d", {"A": '{\n  "b": 1\n}', "C": "d"}),
        ("A=b\nA=c", {"A": "c"}),
        ("A=it's", {"A": "it's"}),
        ("  A = b c  ", {"A": "b c"}),
    ],
)
def test_a_dotenv_text_says_what_it_seems_to(text: str, said: dict[str, str]) -> None:
    """Comments, quotes, `export`, blanks, CRLF, a byte order mark, `=` in values; nothing is put in for `$HOME`."""
    assert parsed(text) == said


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("A=b\nhello world\n", 2),
        ("A='b", 1),
        ('# x\n\nA="b\n', 3),
        ("A='b'c", 1),
        ("1A=b", 1),
        ("=b", 1),
        ("A=b\nB=\0", 2),
        ("A=b\nB", 2),
    ],
)
def test_what_is_no_setting_is_named_by_its_line_and_not_shown(text: str, line: int) -> None:
    """There may be a secret in it."""
    with pytest.raises(BadOptions) as caught:
        parsed(text)

    assert str(caught.value).startswith(f"{NAME}: line {line} ") and "hello" not in str(caught.value)


@given(st.text(alphabet=st.sampled_from("AB='\"\\ #\n\r\t\0nexport$ä"), max_size=60))
@example("A='" * 1000)
def test_any_text_is_read_or_refused(text: str) -> None:
    """No other error, and no text that takes for ever."""
    try:
        said = parsed(text)
    except BadOptions:
        return

    assert all(name and "=" not in name for name in said)


@given(st.text(alphabet=st.characters(exclude_characters="\0\r", codec="utf-8")))
def test_every_value_can_be_written_in_double_quotes(value: str) -> None:
    """The three escapes are enough."""
    written = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

    assert parsed(f'A="{written}"\nB=c') == {"A": value, "B": "c"}


def options(data: Path, **environ: str) -> Options:
    """Load with this data directory and nothing else in the environment."""
    return load({"CALBOT_DATA": str(data), **environ})


def keep(data: Path, text: str) -> None:
    """Encrypt these settings with the directory's own key."""
    store(data, Vault(data), text)


def test_an_encrypted_file_sets_options_and_nothing_lies_there_plain(tmp_path: Path) -> None:
    """By the old names and the new ones; where a value is from is told with the file."""
    keep(tmp_path, f"INVITE_EMAIL={BOB}\nCALBOT_DRY_RUN=yes\nMQTT_HOST=broker.example.org\nTZ=Europe/Berlin\n")

    found = options(tmp_path)

    assert found.settings.invite_emails == (BOB,) and found.settings.dry_run
    assert (found.mqtt.host, found.settings.time_zone) == ("broker.example.org", "Europe/Berlin")
    assert {found.origin["invite_emails"], found.origin["dry_run"]} == {
        ".env.encrypted, INVITE_EMAIL",
        ".env.encrypted, CALBOT_DRY_RUN",
    }
    assert not [path for path in tmp_path.iterdir() if BOB.encode() in path.read_bytes()]


def test_the_real_environment_wins_under_whatever_name(tmp_path: Path) -> None:
    """And an empty variable, as Compose files pass it, is an unset one."""
    keep(tmp_path, f"CALBOT_INVITE_EMAILS={BOB}\nCALBOT_DRY_RUN=yes\nDEBUG_LOGGING=yes\nSOURCE_CALENDARS={ANNA}\n")

    found = options(tmp_path, INVITE_EMAIL=CAROL, CALBOT_DRY_RUN="no", DEBUG_LOGGING=" ")

    assert found.settings.invite_emails == (CAROL,) and not found.settings.dry_run
    assert found.log_level == "debug" and found.settings.accounts == (AccountChoice(ANNA),)
    assert (found.origin["invite_emails"], found.origin["dry_run"]) == ("INVITE_EMAIL", "CALBOT_DRY_RUN")


def test_only_what_calbot_knows_is_taken(tmp_path: Path) -> None:
    """Neither the search path nor who we are; what has to be known before is noted, and a misspelt name too."""
    keep(
        tmp_path,
        "PATH=/tmp\nHOME=/tmp\nLD_PRELOAD=x\nSUPERVISOR_TOKEN=t-t-t-t\nCALBOT_DATA=/else\nCALBOT_IMAGE=1\n"
        "CALBOT_PANEL_PORT=1\nDOTENV_ENCRYPTION_KEY=k\nCALBOT_DRYRUN=yes\nINVITE_EMAIL=x@example.com\n"
        f"INVITE_EMAIL={BOB}\nCALBOT_SUPERVISOR_URL=http://example.org\nCALBOT_OPTIONS_FD=0\n",
    )

    found = surroundings({"CALBOT_DATA": str(tmp_path)})

    assert dict(found) == {"CALBOT_DATA": str(tmp_path), "CALBOT_DRYRUN": "yes", "INVITE_EMAIL": BOB}
    told = options(tmp_path).notes
    for name in ("CALBOT_DATA", "CALBOT_IMAGE", "CALBOT_PANEL_PORT", "DOTENV_ENCRYPTION_KEY"):
        assert f"{name}: has to be known before .env.encrypted is opened; set it in the environment itself." in told
    assert "INVITE_EMAIL: is in .env.encrypted more than once; the last one counts." in told
    assert "CALBOT_DRYRUN: unknown option; did you mean CALBOT_DRY_RUN?" in told


def test_a_bad_value_is_named_with_file_and_variable(tmp_path: Path) -> None:
    """Who reads it knows where to correct it."""
    keep(tmp_path, "INVITE_EMAIL=bob\n")

    with pytest.raises(BadOptions) as caught:
        options(tmp_path)

    assert str(caught.value).startswith(".env.encrypted, INVITE_EMAIL: invite_emails: 'bob' is not an e-mail address")


def test_an_earlier_bots_file_is_read_with_its_key(tmp_path: Path) -> None:
    """A bare Fernet token, a line break at its end."""
    key = Fernet.generate_key().decode()
    (tmp_path / NAME).write_bytes(Fernet(key).encrypt(f"INVITE_EMAIL={BOB}\r\n".encode()) + b"\n")

    assert options(tmp_path, DOTENV_ENCRYPTION_KEY=key).settings.invite_emails == (BOB,)
    assert not (tmp_path / KEY_FILE).exists()


@pytest.mark.parametrize("content", [None, b"", b"gAAAAAB", b"INVITE_EMAIL=x", b"\xff" * 300, b"x" * 300_000])
def test_the_backup_stands_in_for_a_file_that_is_missing_or_damaged(tmp_path: Path, content: bytes | None) -> None:
    """That is noted; the next change leaves the backup as it is, and the damaged file is put aside."""
    keep(tmp_path, f"INVITE_EMAIL={BOB}\n")
    keep(tmp_path, f"INVITE_EMAIL={CAROL}\n")
    (tmp_path / NAME).unlink()
    if content is not None:
        (tmp_path / NAME).write_bytes(content)

    found = options(tmp_path)
    keep(tmp_path, f"INVITE_EMAIL={ANNA}\n")

    assert found.settings.invite_emails == (BOB,)
    assert found.notes[0].startswith(".env.encrypted: ") and ".env.encrypted.bak" in found.notes[0]
    assert options(tmp_path).settings.invite_emails == (ANNA,) and options(tmp_path).notes == ()
    assert Vault(tmp_path).decrypt((tmp_path / BACKUP).read_bytes()) == f"INVITE_EMAIL={BOB}\n".encode()
    assert (content is None) != (tmp_path / ASIDE).exists()


@pytest.mark.parametrize("wrong", [None, "A" * 43 + "="])
def test_without_its_key_the_file_is_locked_and_stays_as_it_is(tmp_path: Path, wrong: str | None) -> None:
    """One sentence with the file, the variable and the remedy; nothing is written, by nobody."""
    keep(tmp_path, f"INVITE_EMAIL={BOB}\n")
    keep(tmp_path, f"INVITE_EMAIL={CAROL}\n")
    (tmp_path / KEY_FILE).unlink()
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    environ = {} if wrong is None else {"DOTENV_ENCRYPTION_KEY": wrong}

    with pytest.raises(EnvFileLocked) as caught:
        options(tmp_path, **environ)
    with pytest.raises(EnvFileLocked):
        store(tmp_path, Vault(tmp_path, wrong), "A=b\n")

    text = str(caught.value)
    assert text.startswith(".env.encrypted: it is sealed") and "\n" not in text
    assert "DOTENV_ENCRYPTION_KEY" in text and "calbot.key" in text and "enter the settings anew" in text
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("make", [Path.mkdir, lambda path: path.write_bytes(b"")])
def test_a_file_that_is_none_is_locked(tmp_path: Path, make: object) -> None:
    """A directory in its place, or nothing in it, is no reason to start without settings that somebody made."""
    assert callable(make)
    make(tmp_path / NAME)

    with pytest.raises(EnvFileLocked, match=r"^\.env\.encrypted: "):
        options(tmp_path)


def test_what_cannot_be_read_back_is_not_kept(tmp_path: Path) -> None:
    """A text with a mistake changes nothing."""
    keep(tmp_path, f"INVITE_EMAIL={BOB}\n")
    before = (tmp_path / NAME).read_bytes()

    with pytest.raises(BadOptions):
        keep(tmp_path, "INVITE_EMAIL\n")

    assert (tmp_path / NAME).read_bytes() == before and not (tmp_path / BACKUP).exists()


def test_a_setting_edited_in_the_file_wins_over_what_was_switched(tmp_path: Path) -> None:
    """As one that is edited in any other place; one that stays as it was does not."""
    keep(tmp_path, "CALBOT_DRY_RUN=no\nENABLE_AUTO_INVITE=yes\n")
    database = Database(tmp_path / "store")
    database.open()
    board = Switchboard(options(tmp_path).settings, database)
    board.load()
    with database.write() as tx:
        board.switch(tx, "dry_run", value=True, account=None)
        board.switch(tx, "auto_invite", value=False, account=None)

    keep(tmp_path, "CALBOT_DRY_RUN=0\nENABLE_AUTO_INVITE=yes\n# the same\n")
    same = Switchboard(options(tmp_path).settings, database)
    same.load()
    keep(tmp_path, "CALBOT_DRY_RUN=no\nENABLE_AUTO_INVITE=no\n")
    edited = Switchboard(options(tmp_path).settings, database)
    edited.load()
    keep(tmp_path, "CALBOT_DRY_RUN=no\nENABLE_AUTO_INVITE=yes\n")
    edited_back = Switchboard(options(tmp_path).settings, database)
    edited_back.load()
    database.close()

    assert (same.effective().dry_run, same.effective().auto_invite) == (True, False)
    assert (edited_back.effective().dry_run, edited_back.effective().auto_invite) == (True, True)


# The names of SPEC §7 that set alerts

KEY = "SG.canary-key-0123456789.canary-rest-0123456789"


@pytest.mark.parametrize(
    ("environ", "ways"),
    [
        ({"SENDER_EMAIL": ANNA, "TO_EMAIL": BOB}, (Gmail(ANNA, (BOB,)),)),
        ({"SENDER_EMAIL": ANNA, "TO_EMAIL": f"{BOB}, {CAROL}"}, (Gmail(ANNA, (BOB, CAROL)),)),
        (
            {"SENDER_EMAIL": ANNA, "TO_EMAIL": f"{BOB},{CAROL}", "SENDGRID_API_KEY": KEY},
            (Url(f"sendgrid://{KEY}:{ANNA}/{BOB}/{CAROL}"),),
        ),
        (
            {"SENDER_EMAIL": "a+b@example.com", "TO_EMAIL": "c/d%e@example.com", "SENDGRID_API_KEY": KEY},
            (Url(f"sendgrid://{KEY}:a%2Bb@example.com/c%2Fd%25e@example.com"),),
        ),
        ({"CALBOT_ALERTS": " ntfy://x  json://example.org/y "}, (Url("ntfy://x"), Url("json://example.org/y"))),
        ({"CALBOT_ALERTS": "ntfy://x", "SENDER_EMAIL": ANNA, "TO_EMAIL": BOB}, (Url("ntfy://x"),)),
        ({"CALBOT_ALERTS": "ntfy://x", "SENDER_EMAIL": ANNA}, (Url("ntfy://x"),)),
    ],
)
def test_alerts_are_asked_for_by_variables(tmp_path: Path, environ: dict[str, str], ways: tuple[object, ...]) -> None:
    """By SendGrid with its key, else from Gmail; or by any URL; they take the place of what a file says."""
    (tmp_path / "calbot.yaml").write_text("alerts: [{url: 'json://example.org/before'}]\n")

    found = options(tmp_path, **environ)

    assert found.alerts == ways and found.notes == ()


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")
def test_sendgrids_url_is_understood_by_apprise() -> None:
    """Sender and receivers come out as they went in, whatever an address may hold."""
    environ = {"SENDER_EMAIL": "a+b@example.com", "TO_EMAIL": "c+d@example.org,e@example.net", "SENDGRID_API_KEY": KEY}
    ((_, _, value),) = sources._alerts(environ)
    assert isinstance(value, list)

    service: Any = apprise.Apprise.instantiate(value[0]["url"])

    assert (service.apikey, service.from_email) == (KEY, "a+b@example.com")
    assert sorted(service.targets) == ["c+d@example.org", "e@example.net"]


@pytest.mark.parametrize(
    ("environ", "note"),
    [
        ({"SENDER_EMAIL": ANNA}, "SENDER_EMAIL: nobody is mailed by it, as long as TO_EMAIL is not set too."),
        ({"TO_EMAIL": BOB}, "TO_EMAIL: nobody is mailed by it, as long as SENDER_EMAIL is not set too."),
        (
            {"SENDGRID_API_KEY": KEY},
            "SENDGRID_API_KEY: nobody is mailed by it, as long as SENDER_EMAIL and TO_EMAIL is not set too.",
        ),
    ],
)
def test_half_of_a_way_is_noted(tmp_path: Path, environ: dict[str, str], note: str) -> None:
    """It names what is missing, never the key."""
    found = options(tmp_path, **environ)

    assert (found.alerts, found.notes) == ((), (note,))


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        ({"SENDER_EMAIL": "anna", "TO_EMAIL": BOB}, "SENDER_EMAIL: 'anna' is not an e-mail address"),
        ({"SENDER_EMAIL": ANNA, "TO_EMAIL": f"{BOB},x"}, "TO_EMAIL: 'x' is not an e-mail address"),
        (
            {"SENDER_EMAIL": ANNA, "TO_EMAIL": BOB, "SENDGRID_API_KEY": f"{KEY}/x"},
            "SENDGRID_API_KEY: holds a character that no such key has; copy it anew from SendGrid.",
        ),
        ({"CALBOT_ALERTS": "canary-no-url"}, "CALBOT_ALERTS: alerts.url: what is there is not an apprise URL"),
        ({"UPTIME_KUMA_PUSH_URL": "canary-no-url"}, "UPTIME_KUMA_PUSH_URL: heartbeat_url: what is there is not a web"),
    ],
)
def test_a_bad_way_is_named_without_its_secret(tmp_path: Path, environ: dict[str, str], sentence: str) -> None:
    """The variable and the remedy."""
    with pytest.raises(BadOptions) as caught:
        options(tmp_path, **environ)

    assert str(caught.value).startswith(sentence) and "canary" not in str(caught.value)


def test_names_that_are_read_elsewhere_are_no_mistakes(tmp_path: Path) -> None:
    """In the environment as in the file."""
    names = ("MONITOR_INTERVAL_SECONDS", "MONITOR_STATUS_FILE", "GOOGLE_AUTH_PATH", "PROCESSED_FILE")
    keep(tmp_path, "".join(f"{name}=file\n" for name in (*names, "CLOUDFLARE_TUNNEL_TOKEN")))

    found = options(tmp_path, MONITOR_STATUS_FILE="own")

    assert found.notes == () and found.origin == {}
    merged = surroundings({"CALBOT_DATA": str(tmp_path), "MONITOR_STATUS_FILE": "own"})
    assert [merged[name] for name in names] == ["file", "own", "file", "file"]


def test_the_primary_calendar_means_everybodys(tmp_path: Path) -> None:
    """Earlier bots had it as their default; it names no account."""
    assert options(tmp_path, SOURCE_CALENDARS="primary").settings.accounts == ()


def test_secrets_of_the_file_are_known_as_such(tmp_path: Path) -> None:
    """Whatever is written somewhere, none of them is in it."""
    secrets = {
        "SENDGRID_API_KEY": KEY,
        "MQTT_PASSWORD": "canary-password",
        "UPTIME_KUMA_PUSH_URL": "https://kuma.example.org/api/push/canary",
        "GOOGLE_CLIENT_SECRET": "canary-of-another-program",
        "CALBOT_ALERTS": "json://canary-user:canary-pass@example.org json://example.org/canary-second",
    }
    keep(tmp_path, "".join(f"{name}={value}\n" for name, value in secrets.items()))

    options(tmp_path)

    said = [word for value in secrets.values() for word in value.split()]
    assert [one for one in said if one in cleaned(f"found {one} there")] == []


def test_secrets_of_the_options_are_known_as_such(tmp_path: Path) -> None:
    """Whichever file they are from."""
    (tmp_path / "calbot.yaml").write_text(
        "mqtt: {host: x, password: canary-of-yaml}\nheartbeat_url: https://example.org/canary-heart\n"
        "alerts: ['json://example.org/canary-alert', {url: 'json://example.org/canary-other'}]\n"
    )

    options(tmp_path)

    said = ("canary-of-yaml", "https://example.org/canary-heart", "json://example.org/canary-alert")
    assert [one for one in (*said, "json://example.org/canary-other") if one in cleaned(f"found {one} there")] == []


def test_no_file_is_no_trouble(tmp_path: Path) -> None:
    """Nor is a directory that is not there; looking makes nothing."""
    assert dict(surroundings({"CALBOT_DATA": str(tmp_path / "absent"), "A": "b"}))["A"] == "b"
    assert opened(tmp_path, Vault(tmp_path)) is None
    assert list(tmp_path.iterdir()) == []
