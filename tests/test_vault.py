"""Promises of the vault: what it seals only its key opens, and nothing is lost on the way."""

import multiprocessing
import stat
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from calbot.errors import BadOptions
from calbot.vault import KEY_FILE, VARIABLE, Locked, Vault, given_key, write_whole

SECRET = b'{"refresh_token": "canary-refresh"}'
ANNA = "anna@example.com"


def mode(path: Path) -> int:
    """Return a file's permissions."""
    return stat.S_IMODE(path.stat().st_mode)


def test_what_is_sealed_is_read_again_and_shows_nothing(tmp_path: Path) -> None:
    """Also by a second vault on the same directory; files are 0600, and nothing half-made stays behind."""
    path = tmp_path / "tokens" / "a.json"

    Vault(tmp_path).write(path, ANNA, SECRET)

    assert b"canary" not in path.read_bytes()
    assert Vault(tmp_path).read(path, ANNA) == SECRET
    assert mode(path) == mode(tmp_path / KEY_FILE) == 0o600
    assert mode(path.parent) == 0o700
    assert sorted(one.name for one in tmp_path.iterdir()) == [KEY_FILE, "tokens"]
    assert [one.name for one in path.parent.iterdir()] == ["a.json"]


def test_a_document_is_good_for_its_own_account_only(tmp_path: Path) -> None:
    """The name is inside, so a file that is renamed opens for nobody."""
    Vault(tmp_path).write(tmp_path / "a", ANNA, SECRET)

    with pytest.raises(Locked, match="another account"):
        Vault(tmp_path).read(tmp_path / "a", "bob@example.com")


def test_a_plain_file_is_read_and_then_sealed_once(tmp_path: Path) -> None:
    """Sealing again changes nothing."""
    path = tmp_path / "a"
    path.write_bytes(SECRET)
    vault = Vault(tmp_path)

    before, first, second = vault.read(path, ANNA), vault.seal(path, ANNA), vault.seal(path, ANNA)

    assert (before, first, second) == (SECRET, True, False)
    assert b"canary" not in path.read_bytes()
    assert vault.read(path, ANNA) == SECRET


def test_a_sealed_file_without_its_key_stays_as_it_is(tmp_path: Path) -> None:
    """It says so, and nothing is written, not even a new key."""
    path = tmp_path / "a"
    Vault(tmp_path).write(path, ANNA, SECRET)
    (tmp_path / KEY_FILE).rename(tmp_path / "elsewhere")
    before = path.read_bytes()

    with pytest.raises(Locked, match="key is not here"):
        Vault(tmp_path).read(path, ANNA)
    with pytest.raises(Locked, match="key is not here"):
        Vault(tmp_path).seal(path, ANNA)

    assert path.read_bytes() == before
    assert not (tmp_path / KEY_FILE).exists()


def test_a_file_under_another_key_or_changed_by_a_bit_is_refused(tmp_path: Path) -> None:
    """Fernet is authenticated."""
    path = tmp_path / "a"
    Vault(tmp_path, Fernet.generate_key().decode()).write(path, ANNA, SECRET)

    with pytest.raises(Locked, match="another key"):
        Vault(tmp_path, Fernet.generate_key().decode()).read(path, ANNA)
    content = bytearray(path.read_bytes())
    content[60] ^= 1
    path.write_bytes(content)
    with pytest.raises(Locked):
        Vault(tmp_path, Fernet.generate_key().decode()).read(path, ANNA)


def test_a_given_key_takes_over_from_the_key_file(tmp_path: Path) -> None:
    """What the file's key sealed is still read, and sealed anew; afterwards the file is not needed."""
    path, key = tmp_path / "a", Fernet.generate_key().decode()
    Vault(tmp_path).write(path, ANNA, SECRET)

    with_key = Vault(tmp_path, key)

    assert with_key.read(path, ANNA) == SECRET
    assert with_key.seal(path, ANNA)
    (tmp_path / KEY_FILE).unlink()
    assert with_key.read(path, ANNA) == SECRET


def test_a_given_key_makes_no_key_file(tmp_path: Path) -> None:
    """Who keeps the key elsewhere does not find it beside the data."""
    Vault(tmp_path, Fernet.generate_key().decode()).write(tmp_path / "a", ANNA, SECRET)

    assert not (tmp_path / KEY_FILE).exists()


def test_a_damaged_key_file_is_put_aside(tmp_path: Path) -> None:
    """Signing in again works, and what may still be of use is kept."""
    (tmp_path / KEY_FILE).write_text("half a k")

    Vault(tmp_path).write(tmp_path / "a", ANNA, SECRET)

    assert (tmp_path / "calbot-damaged.key").read_text() == "half a k"
    assert Vault(tmp_path).read(tmp_path / "a", ANNA) == SECRET


def _seal(data: str, name: str) -> None:
    Vault(Path(data)).write(Path(data) / name, name, SECRET)


def test_processes_that_make_the_key_at_once_agree_on_one(tmp_path: Path) -> None:
    """`calbot login` beside the service: both documents open afterwards."""
    names = [f"account-{number}" for number in range(4)]
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_seal, args=(str(tmp_path), name)) for name in names]

    for process in processes:
        process.start()
    for process in processes:
        process.join(30)

    assert [Vault(tmp_path).read(tmp_path / name, name) for name in names] == [SECRET] * 4


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    """And no rest of the new one."""
    path = tmp_path / "a"
    path.mkdir()

    with pytest.raises(OSError, match="directory"):
        write_whole(path, b"new")

    assert [one.name for one in tmp_path.iterdir()] == ["a"]


KEY = "Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYjA="


@pytest.mark.parametrize(
    ("key", "told"),
    [
        (f"{KEY}\n", "line break"),
        (f" {KEY}", "blank"),
        (f'"{KEY}"', "quotes"),
        (f"'{KEY}'", "quotes"),
        (KEY[:-1], "43 characters"),
        (KEY + "=", "45 characters"),
        ("correct-horse-battery", "21 characters"),
        ("ä" * 44, "no such key has"),
        (KEY.replace("m", "+"), "no such key has"),
    ],
)
def test_a_wrong_key_is_one_sentence_without_the_key(key: str, told: str) -> None:
    """It names the variable, what is wrong and the remedy."""
    with pytest.raises(BadOptions) as caught:
        given_key({VARIABLE: key})

    text = str(caught.value)
    assert text.startswith(f"{VARIABLE}: ") and told in text and "leave it out" in text
    assert key.strip("\"' \n") not in text and "\n" not in text


def test_a_right_key_and_none_are_taken() -> None:
    """An empty variable is none."""
    assert given_key({VARIABLE: KEY}) == KEY
    assert given_key({VARIABLE: ""}) is given_key({}) is None
