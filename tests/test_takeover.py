"""Promises of reading an earlier bot's directory: every shape it may have, and whatever else lies there."""

import json
import os
import pickle
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from calbot.model import Event, Gone
from calbot.takeover import directory
from calbot.takeover.directory import EarlierBot as Found
from calbot.takeover.processed import NoList, listed, names_of, root, spellings
from calbot.vault import Locked, Vault
from tests.earlierbot import CLIENT, EVENT, KEY, OTHER, EarlierBot
from tests.household import ANNA, BOB

TOKEN = {"refresh_token": "1//refresh", "client_id": "id", "client_secret": "secret", "scopes": ["a", "b"]}


@pytest.fixture
def bot(tmp_path: Path) -> EarlierBot:
    """An earlier bot that has left nothing yet."""
    return EarlierBot(tmp_path / "bot")


def read(bot: EarlierBot, key: str | None = KEY, **environ: str) -> Found:
    """What is found in the bot's directory by somebody who has this key."""
    data = bot.folder.parent / "data"
    return directory.read(bot.folder, Vault(data, key).decrypt, environ, without=data)


def told(found: Found) -> list[tuple[str, str]]:
    """What cannot be taken: file and sentence."""
    return [(trouble.name, trouble.text) for trouble in found.troubles]


# The list of processed events

A_DAY = f"{EVENT}_20261120T090000Z"
SHAPES: list[tuple[str, object, set[str]]] = [
    ("a list of ids", [EVENT, OTHER], {EVENT, OTHER}),
    ("nothing yet", [], set()),
    ("twice the same", [EVENT, EVENT], {EVENT}),
    ("under a word", {"processed": [EVENT], "version": 1, "last_run": "2026-11-20T08:00:00"}, {EVENT}),
    ("under another word", {"processed_events": {EVENT: 1_732_000_000}}, {EVENT}),
    ("under a word, nothing yet", {"processed_events": [], "version": 2}, set()),
    ("ids and when", {EVENT: "2026-11-20T08:00:00", OTHER: True}, {EVENT, OTHER}),
    ("ids and whom", {EVENT: ["bob@example.com"], OTHER: []}, {EVENT, OTHER}),
    ("ids and what", {EVENT: {"summary": "Dinner", "guests": ["bob@example.com"]}, OTHER: {}}, {EVENT, OTHER}),
    ("by calendar", {"anna@example.com": [EVENT], "primary": [OTHER]}, {EVENT, OTHER}),
    ("by calendar, and when", {"anna@example.com": {EVENT: 1.5}, "primary": {OTHER: None}}, {EVENT, OTHER}),
    ("by a calendar with a long id", {"c_188abc188abc188abc@group.calendar.google.com": ["dinner"]}, {"dinner"}),
    ("records", [{"id": EVENT, "summary": "two words"}, {"iCalUID": "a-b@example.org"}], {EVENT, "a-b@example.org"}),
    ("records under a word", {"events": [{"event_id": EVENT, "calendar": "anna@example.com"}]}, {EVENT}),
    ("pairs", [[EVENT, "2026-11-20T08:00:00"], [OTHER, "x"]], {EVENT, OTHER}),
    ("iCalUIDs", {f"{EVENT}@google.com": 5, "a@example.org": {"x": 1}}, {f"{EVENT}@google.com", "a@example.org"}),
    ("ids that somebody chose", {"dinner": "2026-11-20"}, {"dinner"}),
    ("single dates", [A_DAY], {A_DAY}),
    ("records by names of their own", [{"google_event_id": EVENT}, {"event": OTHER, "at": 1.5}], {EVENT, OTHER}),
    ("by title", {"Dinner with Bob": EVENT}, {EVENT}),
    ("what Python shows", [f"('{EVENT}', 'bob')"], {f"('{EVENT}', 'bob')"}),
]  # fmt: skip


@pytest.mark.parametrize(("content", "ids"), [shape[1:] for shape in SHAPES], ids=[shape[0] for shape in SHAPES])
def test_a_list_is_read_in_whatever_shape(content: object, ids: set[str]) -> None:
    """Every event in it is known afterwards."""
    assert listed(json.dumps(content).encode()) == ids


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "broken off or no JSON"),
        (b'["' + EVENT.encode(), "broken off or no JSON"),
        (b'{"a": 1} {', "broken off or no JSON"),
        (b'"a text"', "no list"),
        (b"null", "no list"),
        (b"[1, 2, null]", "names no event"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, "nested too deeply"),
        (b"\xff\xfe[", "not text in UTF-8"),
    ],
)
def test_a_list_that_is_none_is_named(content: bytes, why: str) -> None:
    """It is not taken for an empty one."""
    with pytest.raises(NoList, match=why):
        listed(content)


def test_what_python_writes_and_json_does_not_know_is_read() -> None:
    """NaN, a byte order mark, a number of thousands of digits."""
    content = b"\xef\xbb\xbf" + b'{"%b": NaN, "%b": 1%b}' % (EVENT.encode(), OTHER.encode(), b"0" * 9000)

    assert listed(content) == {EVENT, OTHER}


@pytest.mark.parametrize(
    "entry",
    [
        EVENT,
        A_DAY,
        f"{EVENT}_20261120",
        f"{EVENT}_R20261120T090000",
        f"{EVENT}_R20261120T090000_20261127T090000Z",
        f"{EVENT}@google.com",
        f"primary:{EVENT}",
        f"anna@example.com/{EVENT}|2026-11-20T09:00:00+01:00",
    ],
)
@pytest.mark.parametrize(
    "event",
    [
        Event(id=EVENT, etag="1", ical_uid=f"{EVENT}@google.com"),
        Event(id=A_DAY, etag="1", ical_uid=f"{EVENT}@google.com", series=EVENT),
        Event(id=f"{EVENT}_R20261204T090000", etag="1", ical_uid=f"{EVENT}_R20261204T090000@google.com"),
        Gone(A_DAY, EVENT),
    ],
)
def test_an_entry_names_its_event_however_it_is_written(entry: str, event: Event | Gone) -> None:
    """An event, its dates, both halves of a series: one name is enough for all of them."""
    assert not names_of(event).isdisjoint(spellings([entry]))


def test_an_entry_names_no_other_event() -> None:
    """Neither another event, nor one that has the same ending."""
    entries = spellings([EVENT, "a-b@example.org", f"_{OTHER}"])

    strangers = [
        Event(id="zzz", etag="1"),
        Event(id=f"{EVENT}0", etag="1"),
        Event(id="q" * 26, etag="1", ical_uid="b@example.org"),
    ]
    assert [one.id for one in strangers if names_of(one) & entries] == []
    assert root("_20261120") == "_20261120"


def test_an_entry_may_name_a_calendar_before_an_event_of_elsewhere() -> None:
    """Its iCalUID is not like one of Google's, and neither is an id that somebody chose."""
    outlook = "040000008200E00074C5B7101A82E00800000000"
    named = spellings([f"primary:{outlook}", f"{ANNA}/dinner1"])

    assert named >= names_of(Event(id="dinner1", etag="1", ical_uid=outlook))


def test_ids_that_somebody_chose_are_found_by_their_icaluid_too() -> None:
    """Short ones, in which nothing looks like Google's."""
    entries = spellings(["dinner@google.com"]), spellings(["dinner"])

    known = [names_of(one) for one in (Gone("dinner"), Event(id="x", etag="1", ical_uid="dinner@google.com"))]

    assert all(not names.isdisjoint(entry) for names in known for entry in entries)


def test_of_several_lists_every_one_counts(bot: EarlierBot) -> None:
    """One may be left of another time, and be empty; one that cannot be read is named."""
    bot.processed([])
    for folder, content in (("data", json.dumps([EVENT])), ("old", json.dumps([OTHER])), ("older", "[")):
        (bot.folder / folder).mkdir()
        (bot.folder / folder / "processed_events.json").write_text(content)

    found = read(bot)

    assert found.processed is not None and found.processed.ids == {EVENT, OTHER}
    assert [name for name, _ in told(found)] == ["processed_events.json"]


# The directory


def test_a_whole_directory_is_found_and_stays_as_it_is(bot: EarlierBot) -> None:
    """Env, list, tokens, client; and nothing is written there."""
    bot.env(INVITE_EMAIL=BOB, GOOGLE_AUTH_PATH="auth")
    bot.processed([EVENT])
    (bot.folder / "auth").mkdir()
    (bot.folder / "auth" / f"token_{ANNA}.json").write_text(json.dumps(TOKEN))
    (bot.folder / "token_anna.json").write_text(json.dumps(TOKEN), encoding="utf-8-sig")
    bot.client()
    before = bot.state()

    found = read(bot)

    assert found.env is not None and found.env.values["INVITE_EMAIL"] == BOB
    assert found.processed is not None and found.processed.ids == {EVENT}
    assert [(one.name, one.email) for one in found.tokens] == [("token_anna.json", ""), (f"token_{ANNA}.json", ANNA)]
    assert [one.client.client_id for one in found.clients] == [CLIENT["client_id"]]
    assert told(found) == []
    assert bot.state() == before


@pytest.mark.parametrize(
    ("name", "more", "email"),
    [
        ("token_anna.json", {}, ""),
        ("token_anna.json", {"account": "Anna@Example.com"}, ANNA),
        ("token_bob@example.com.json", {"account": ANNA}, ANNA),
        ("token_Anna@Example.com.json", {"account": ""}, ANNA),
        ("token-anna@example.com.json", {}, ANNA),
        ("token.anna@example.com.json", {}, ANNA),
        ("token_anna_example_com.json", {}, ""),
        ("token.json", {}, ""),
        ("token_anna.json", {"account": "../../anna@example.com"}, ""),
        ("token_anna.json", {"account": "anna@example.com\n"}, ANNA),
        ("token_anna.json", {"account": "a/b@example.com"}, ""),
        ("token_..@example.com.json", {}, ""),
    ],
)
def test_whose_a_token_is(bot: EarlierBot, name: str, more: dict[str, object], email: str) -> None:
    """Its own word goes before its file's name, and only an address that can be a file's name counts."""
    (bot.folder / name).write_text(json.dumps({**TOKEN, **more}))

    (found,) = read(bot).tokens

    assert found.email == email


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "not a Google token"),
        (b"[" * 100_000, "not a Google token"),
        (b'{"refresh_token": "x", "client_id": "y", "z": ' + b"[" * 100_000, "not a Google token"),
        (b'{"refresh_token": 5, "client_id": "x"}', "not a Google token"),
        (b'{"refresh_token": "", "client_id": "x"}', "not a Google token"),
        (b'{"refresh_token": "x"}', "not a Google token"),
        (b'{"refresh_token": "x", "client_id": "y", "scopes": NaN}', "not a Google token"),
        (json.dumps({"installed": CLIENT}).encode(), "not a Google token"),
        (b" " * 300_000, "larger than 256 kB"),
        (b"\xff\xfe\x00", "not a Google token"),
    ],
)
def test_what_is_no_token_is_named(bot: EarlierBot, content: bytes, why: str) -> None:
    """One sentence, and the others are found all the same."""
    (bot.folder / "token_anna.json").write_bytes(content)
    (bot.folder / "token_bob.json").write_text(json.dumps({**TOKEN, "expiry": [[[]]], "token": None}))

    found = read(bot)

    assert [one.name for one in found.tokens] == ["token_bob.json"]
    ((name, text),) = told(found)
    assert name == "token_anna.json" and why in text


class Bomb:
    """Says that it was opened, when it is unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, ("opened",)


def test_a_pickle_is_never_opened(bot: EarlierBot, tmp_path: Path, capfd: object) -> None:
    """It is named, and why, and nothing in it runs."""
    (bot.folder / "token.pickle").write_bytes(pickle.dumps(Bomb()))
    here = Path.cwd()
    os.chdir(tmp_path)

    try:
        found = read(bot)
    finally:
        os.chdir(here)

    ((name, text),) = told(found)
    assert name == "token.pickle" and "pickle" in text and "calbot login" in text
    assert not (tmp_path / "opened").exists()


def test_nothing_outside_is_read_and_nothing_hangs(bot: EarlierBot, tmp_path: Path) -> None:
    """Links that lead out, a pipe, a folder with a file's name, a link in a circle: a sentence each."""
    (tmp_path / "elsewhere.json").write_text(json.dumps(TOKEN))
    (bot.folder / "token_out.json").symlink_to(tmp_path / "elsewhere.json")
    (bot.folder / "token_circle.json").symlink_to("token_circle.json")
    (bot.folder / "token_in.json").symlink_to("real.json")
    (bot.folder / "real.json").write_text(json.dumps(TOKEN))
    (bot.folder / "token_folder.json").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "token_outside.json").write_text(json.dumps(TOKEN))
    (bot.folder / "linked").symlink_to(tmp_path / "outside")
    os.mkfifo(bot.folder / "token_pipe.json")
    os.mkfifo(bot.folder / "processed_events.json")

    found = read(bot)

    assert [one.name for one in found.tokens] == ["token_in.json"]
    why = dict(told(found))
    assert "leads out" in why.pop("token_out.json")
    assert [why[f"{name}.json"] for name in ("token_pipe", "processed_events")] == ["it is no file."] * 2
    assert set(why) == {"token_circle.json", "token_folder.json", "token_pipe.json", "processed_events.json"}


def test_odd_names_are_names(bot: EarlierBot) -> None:
    """Blanks, signs that turn a line round, bytes that are no text."""
    for name in ("token_a b.json", "token_\u202ea.json", os.fsdecode(b"token_\xff.json"), "token_\n.json"):
        (bot.folder / name).write_text(json.dumps(TOKEN))

    assert len(read(bot).tokens) + len(told(read(bot))) == 4


@pytest.mark.parametrize("kind", ["web", "service"])
def test_a_client_of_another_kind_is_named(bot: EarlierBot, kind: str) -> None:
    """Only a Desktop client signs in here."""
    bot.client(kind=kind)

    found = read(bot)

    assert found.clients == () and [name for name, _ in told(found)] == ["client_secret.json"]


def test_our_own_directory_is_left_out(bot: EarlierBot) -> None:
    """Also where it lies within the bot's."""
    ours = bot.folder / "calbot"
    ours.mkdir()
    (ours / "token_anna.json").write_text(json.dumps(TOKEN))

    found = directory.read(bot.folder, Vault(ours).decrypt, {}, without=ours)

    assert found.tokens == () and told(found) == []


# The env


@pytest.mark.parametrize(
    ("names", "taken", "beside"),
    [
        ((".env.encrypted",), ".env.encrypted", ()),
        ((".env.encrypted.bak",), ".env.encrypted.bak", ()),
        ((".env",), ".env", ()),
        ((".env", ".env.encrypted.bak", ".env.encrypted"), ".env.encrypted", (".env.encrypted.bak", ".env")),
    ],
)
def test_the_first_env_that_is_there_is_taken(
    bot: EarlierBot, names: tuple[str, ...], taken: str, beside: tuple[str, ...]
) -> None:
    """Sealed before its backup before a plain one; the others are told of."""
    for name in names:
        bot.env(name, INVITE_EMAIL=BOB)

    found = read(bot)

    assert found.env is not None and found.env.name == taken
    assert tuple(one.name for one in found.left) == beside
    assert found.env.values == {"INVITE_EMAIL": BOB} and told(found) == []


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (".env.key", KEY),
        ("secret.key", f"{KEY}\n"),
        ("key.txt", f"DOTENV_ENCRYPTION_KEY={KEY}\r\n"),
        ("encryption_key", f'"{KEY}"'),
        (".env", f"DOTENV_ENCRYPTION_KEY='{KEY}'\n"),
    ],
)
def test_a_key_that_lies_beside_opens_the_env(bot: EarlierBot, name: str, content: str) -> None:
    """Also one that is not the first that is tried."""
    bot.env(INVITE_EMAIL=BOB)
    (bot.folder / "a.key").write_text(Fernet.generate_key().decode())
    (bot.folder / name).write_text(content)

    found = read(bot, key=None)

    assert found.env is not None and found.env.name == ".env.encrypted"


def test_an_env_without_its_key_is_named_and_a_plain_one_is_taken_instead(bot: EarlierBot) -> None:
    """The sentence names the variable, and no key."""
    bot.env(INVITE_EMAIL=BOB)
    without = read(bot, key=None)
    bot.env(".env", INVITE_EMAIL=ANNA)
    with_plain = read(bot, key=None)

    ((name, text),) = told(without)
    assert without.env is None and name == ".env.encrypted" and "DOTENV_ENCRYPTION_KEY" in text
    assert with_plain.env is not None and with_plain.env.values == {"INVITE_EMAIL": ANNA}


def test_an_env_that_is_none_is_named(bot: EarlierBot) -> None:
    """Damaged, no text, a line that is no setting."""
    contents = [b"gAAAAAdamaged", Fernet(KEY).encrypt(b"\xff\xfe"), Fernet(KEY).encrypt(b'A="never ends')]
    found = []
    for content in contents:
        (bot.folder / ".env.encrypted").write_bytes(content)
        found.append(read(bot))

    assert [one.env for one in found] == [None] * 3
    assert [len(told(one)) for one in found] == [1] * 3


# Places that the bot's settings name


def test_a_path_of_the_bots_container_is_found_here(bot: EarlierBot) -> None:
    """/app/auth is the folder auth, if that is here; /data/done.json the file done.json."""
    bot.env(GOOGLE_AUTH_PATH="/app/auth", PROCESSED_FILE="/data/done.json")
    (bot.folder / "auth").mkdir()
    (bot.folder / "auth" / "token_anna.json").write_text(json.dumps(TOKEN))
    bot.processed([EVENT], "done.json")
    bot.processed([OTHER])

    found = read(bot)

    assert [one.name for one in found.tokens] == ["token_anna.json"]
    assert found.processed is not None and found.processed.ids == {EVENT}


def test_other_places_on_this_machine_are_read_too(bot: EarlierBot, tmp_path: Path) -> None:
    """What the environment names goes before the file; each token is found once."""
    elsewhere = EarlierBot(tmp_path / "elsewhere")
    (elsewhere.folder / "token_anna.json").write_text(json.dumps(TOKEN))
    elsewhere.processed({EVENT: 1}, "done.json")
    bot.env(GOOGLE_AUTH_PATH=".", PROCESSED_FILE="gone.json")

    found = read(bot, GOOGLE_AUTH_PATH=str(elsewhere.folder), PROCESSED_FILE=str(elsewhere.folder / "done.json"))

    assert [one.name for one in found.tokens] == ["token_anna.json"]
    assert found.processed is not None and found.processed.ids == {EVENT} and told(found) == []


def test_places_that_are_not_there_are_named(bot: EarlierBot) -> None:
    """Each with the variable that names it; where sign-ins were found, there need be no others."""
    bot.env(GOOGLE_AUTH_PATH="/nowhere/at-all", PROCESSED_FILE="nothing.json")

    found = read(bot)
    (bot.folder / "token_anna.json").write_text(json.dumps(TOKEN))
    with_tokens = read(bot)

    assert [name for name, _ in told(found)] == ["GOOGLE_AUTH_PATH", "PROCESSED_FILE"]
    assert [name for name, _ in told(with_tokens)] == ["PROCESSED_FILE"]
    assert [one.name for one in with_tokens.left] == ["GOOGLE_AUTH_PATH"]


def test_a_list_of_very_many_events_is_read(bot: EarlierBot) -> None:
    """A hundred thousand of them; one of more than 50 MB is named."""
    bot.processed([f"{number:026d}" for number in range(100_000)])
    many = read(bot).processed
    (bot.folder / "processed_events.json").write_bytes(b" " * (50 * 2**20 + 1))
    huge = read(bot)

    assert many is not None and len(many.ids) == 100_000
    assert huge.processed is None and "larger than" in told(huge)[0][1]


def test_no_secret_is_in_what_was_found(bot: EarlierBot) -> None:
    """Neither in its writing for programmers."""
    bot.env(SENDGRID_API_KEY="SG.canary.canary")
    (bot.folder / "token_anna.json").write_text(json.dumps({**TOKEN, "refresh_token": "1//canary-refresh"}))
    bot.client()

    shown = repr(read(bot))

    assert "canary" not in shown and CLIENT["client_secret"] not in shown


def test_a_vault_that_is_locked_is_no_reason_to_stop(bot: EarlierBot, tmp_path: Path) -> None:
    """Without any key of ours the bot's own is tried."""
    bot.env(INVITE_EMAIL=BOB)
    (bot.folder / "bot.key").write_text(KEY)

    with pytest.raises(Locked):
        Vault(tmp_path / "data").decrypt((bot.folder / ".env.encrypted").read_bytes())
    assert read(bot, key=None).env is not None
    assert not (tmp_path / "data").exists()
