"""Promises of the vault: what it seals only its key opens, and nothing is lost on the way."""

import multiprocessing
import stat
import threading
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from calbot import envfile, rotation
from calbot.errors import BadOptions
from calbot.secrecy import cleaned
from calbot.vault import KEY_FILE, VARIABLE, Locked, Ring, Vault, given_key, write_whole

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


# More keys than one, and how one takes the place of another

BOB = "bob@example.com"


def new_key() -> str:
    """Return a key as `DOTENV_ENCRYPTION_KEY` holds it."""
    return Fernet.generate_key().decode()


def kept_keys(data: Path) -> list[str]:
    """Return the lines of the key file."""
    return (data / KEY_FILE).read_text("ascii").split()


def everything(data: Path, key: str | None = None) -> dict[Path, bytes]:
    """Seal one of each thing that is sealed; return where, and what is in it."""
    vault = Vault(data, key)
    said: dict[Path, bytes] = {}
    for path, name in [
        ("tokens/a@example.com.json", "a@example.com"),
        ("mail/a@example.com.json", "mail:a@example.com"),
    ]:
        vault.write(data / path, name, SECRET)
        said[data / path] = SECRET
    vault.write(data / "client.json", "client", b'{"installed": {}}')
    said[data / "client.json"] = b'{"installed": {}}'
    for path, content in [(".env.encrypted", b"INVITE_EMAIL=bob@example.com\n"), (".env.encrypted.bak", b"")]:
        (data / path).write_bytes(vault.encrypt(content) + b"\n")
        said[data / path] = content
    return said


def read(data: Path, path: Path, vault: Vault) -> bytes:
    """Return what is in a sealed file of the data directory."""
    if path.suffix != ".json":
        return vault.decrypt(path.read_bytes())
    name = {"tokens": path.stem, "mail": f"mail:{path.stem}"}.get(path.parent.name, "client")
    return vault.read(path, name)


def all_read(data: Path, said: dict[Path, bytes], key: str | None = None) -> dict[Path, bytes]:
    """Return what is in each of these files, as a fresh vault reads it."""
    return {path: read(data, path, Vault(data, key)) for path in said}


def test_the_first_key_of_the_file_is_in_force_and_the_others_open(tmp_path: Path) -> None:
    """Each on its line; what is sealed with an older one is sealed anew with the first."""
    older, newer = new_key(), new_key()
    Vault(tmp_path, older).write(tmp_path / "a", ANNA, SECRET)
    (tmp_path / KEY_FILE).write_text(f"{newer}\n{older}\n")
    vault = Vault(tmp_path)

    before, sealed = vault.read(tmp_path / "a", ANNA), vault.seal(tmp_path / "a", ANNA)

    assert (before, sealed, vault.seal(tmp_path / "a", ANNA)) == (SECRET, True, False)
    (tmp_path / KEY_FILE).unlink()
    assert Vault(tmp_path, newer).read(tmp_path / "a", ANNA) == SECRET


def test_a_rotation_seals_everything_with_a_new_key_and_forgets_the_old_one(tmp_path: Path) -> None:
    """Also with what the new key cannot know by name; nobody is to connect anew, so the files keep their time."""
    said = everything(tmp_path)
    (before,) = kept_keys(tmp_path)
    times = {path: path.stat().st_mtime_ns for path in said}

    done = rotation.rotate(tmp_path, Vault(tmp_path))

    (after,) = kept_keys(tmp_path)
    assert after != before and mode(tmp_path / KEY_FILE) == 0o600
    assert all_read(tmp_path, said) == said
    assert set(done.renewed) == set(done.sealed) == {str(path.relative_to(tmp_path)) for path in said}
    assert (done.shut, done.superseded) == ((), False)
    assert {path: path.stat().st_mtime_ns for path in said} == times
    assert {mode(path) for path in said} == {0o600}
    (tmp_path / KEY_FILE).write_text(before)
    with pytest.raises(Locked):
        Vault(tmp_path).decrypt((tmp_path / ".env.encrypted").read_bytes())


def test_a_given_key_that_was_rotated_away_is_no_longer_in_force(tmp_path: Path) -> None:
    """As long as the environment gives it, it is kept as an older one; given the new one, it goes; the file stays."""
    given = new_key()
    said = everything(tmp_path, given)

    done = rotation.rotate(tmp_path, Vault(tmp_path, given))

    newer, older = kept_keys(tmp_path)
    assert done.superseded and older == given
    assert all_read(tmp_path, said, given) == all_read(tmp_path, said, newer) == all_read(tmp_path, said) == said
    assert not any(Vault(tmp_path, given).is_behind(path) for path in said)
    rotation.finish(tmp_path, Vault(tmp_path, given))
    assert kept_keys(tmp_path) == [newer, given]
    rotation.finish(tmp_path, Vault(tmp_path, newer))
    assert kept_keys(tmp_path) == [newer]
    assert all_read(tmp_path, said, newer) == said


def test_a_given_key_that_is_taken_away_after_a_rotation_is_forgotten(tmp_path: Path) -> None:
    """The other remedy: remove the variable, and the file's first key is the only one."""
    given = new_key()
    said = everything(tmp_path, given)
    rotation.rotate(tmp_path, Vault(tmp_path, given))

    rotation.finish(tmp_path, Vault(tmp_path))

    assert len(kept_keys(tmp_path)) == 1 and given not in kept_keys(tmp_path)
    assert all_read(tmp_path, said) == said


def test_a_given_key_that_nobody_rotated_leaves_the_file_alone(tmp_path: Path) -> None:
    """Everything is sealed with the given one, the settings too; the file's key may still open an old backup."""
    said, given = everything(tmp_path), new_key()
    before = kept_keys(tmp_path)

    rotation.finish(tmp_path, Vault(tmp_path, given))

    assert kept_keys(tmp_path) == before
    (tmp_path / KEY_FILE).unlink()
    assert all_read(tmp_path, said, given) == said


@pytest.mark.parametrize("done_before_it_died", range(6))
def test_the_next_start_finishes_a_rotation_that_died(tmp_path: Path, done_before_it_died: int) -> None:
    """After however many files; until then everything can be read, and rests of writing are cleared away."""
    said = everything(tmp_path)
    vault = Vault(tmp_path)
    vault.ring.turn()
    for path in list(said)[:done_before_it_died]:
        vault.renew(path)
    (tmp_path / "tokens" / ".a@example.com.json-x1.tmp").write_bytes(b"half")
    (tmp_path / f".{KEY_FILE}-x1.tmp").write_bytes(b"half")
    between = all_read(tmp_path, said)

    rotation.finish(tmp_path, Vault(tmp_path))

    assert between == all_read(tmp_path, said) == said
    assert len(kept_keys(tmp_path)) == 1
    assert not [*tmp_path.rglob(".*.tmp")]


def test_a_file_that_no_key_opens_is_named_and_the_old_keys_stay(tmp_path: Path) -> None:
    """The rest has the new key; once the file is gone, the next start drops the old ones."""
    said = everything(tmp_path)
    stranger = tmp_path / "tokens" / "c@example.com.json"
    Vault(tmp_path, new_key()).write(stranger, "c@example.com", SECRET)
    before = stranger.read_bytes()

    done = rotation.rotate(tmp_path, Vault(tmp_path))

    assert [name for name, _ in done.shut] == ["tokens/c@example.com.json"] and "another key" in done.shut[0][1]
    assert len(kept_keys(tmp_path)) == 2 and stranger.read_bytes() == before
    assert all_read(tmp_path, said) == said
    stranger.unlink()
    rotation.finish(tmp_path, Vault(tmp_path))
    assert len(kept_keys(tmp_path)) == 1


def test_where_nothing_can_be_opened_nothing_is_rotated(tmp_path: Path) -> None:
    """The key is elsewhere; no new one is made that would only be in its way."""
    everything(tmp_path, new_key())
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    with pytest.raises(Locked, match="Nothing was changed"):
        rotation.rotate(tmp_path, Vault(tmp_path))

    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_key_file_that_cannot_be_read_is_never_replaced(tmp_path: Path) -> None:
    """The only key may be in it."""
    (tmp_path / KEY_FILE).mkdir()

    with pytest.raises(Locked, match=r"calbot\.key cannot be read"):
        Vault(tmp_path).write(tmp_path / "a", ANNA, SECRET)
    with pytest.raises(Locked, match=r"calbot\.key cannot be read"):
        rotation.rotate(tmp_path, Vault(tmp_path, new_key()))

    assert [one.name for one in tmp_path.iterdir()] == [KEY_FILE]


def test_lines_of_the_key_file_that_are_no_keys_are_put_aside(tmp_path: Path) -> None:
    """They may once have been one."""
    key = new_key()
    (tmp_path / KEY_FILE).write_text(f"{key}\nhalf a key\n")

    rotation.rotate(tmp_path, Vault(tmp_path))

    assert "half a key" in (tmp_path / "calbot-damaged.key").read_text()
    assert len(kept_keys(tmp_path)) == 1


def test_nobody_loses_anything_while_keys_are_rotated(tmp_path: Path) -> None:
    """Others read and write all the while; no look fails, and in the end one key opens what each wrote last."""
    said = everything(tmp_path)
    over, looks = threading.Event(), [0]
    failures: list[str] = []

    def look() -> None:
        while not over.is_set():
            for path in [one for one in said if one.suffix == ".json"]:
                try:
                    read(tmp_path, path, Vault(tmp_path))
                    looks[0] += 1
                except Locked as error:
                    failures.append(str(error))

    def write() -> None:
        vault = Vault(tmp_path)
        while not over.is_set():
            vault.write(tmp_path / "tokens" / f"{BOB}.json", BOB, SECRET)

    threads = [threading.Thread(target=work) for work in (look, write)]
    for thread in threads:
        thread.start()
    for _ in range(25):
        rotation.rotate(tmp_path, Vault(tmp_path))
    over.set()
    for thread in threads:
        thread.join(10)

    said[tmp_path / "tokens" / f"{BOB}.json"] = SECRET
    assert failures == [] and looks[0] > 50
    assert len(kept_keys(tmp_path)) == 1 and all_read(tmp_path, said) == said


def test_an_earlier_bots_token_is_read(tmp_path: Path) -> None:
    """Its file is a bare Fernet token, with a line break after it or not."""
    key = new_key()
    token = Fernet(key).encrypt(b"INVITE_EMAIL=bob@example.com\n")

    assert Vault(tmp_path, key).decrypt(token + b"\n") == Vault(tmp_path, key).decrypt(token)
    assert Fernet(key).decrypt(Vault(tmp_path, key).encrypt(b"x")) == b"x"
    with pytest.raises(Locked):
        Vault(tmp_path, new_key()).decrypt(token)


def test_keys_are_known_as_secrets(tmp_path: Path) -> None:
    """Whatever is written somewhere, no key is in it."""
    given = new_key()
    rotation.rotate(tmp_path, Vault(tmp_path, given))

    Vault(tmp_path, given).ring.keys()

    assert not [key for key in kept_keys(tmp_path) if key in cleaned(f"key={key}, found")]


class Hurried(Ring):
    """A ring whose keys are rotated by somebody else, once, right when it is asked for one."""

    def __init__(self, data: Path, *, at: str) -> None:
        super().__init__(data, None)
        self.data, self.at = data, at
        self.other = threading.Thread(target=lambda: rotation.rotate(data, Vault(data)))

    def keys(self) -> tuple[str, ...]:
        if self.at == "reading" and not self.other.ident:
            self.other.start()
            self.other.join(10)
        return super().keys()

    def to_seal_with(self) -> str:
        key = super().to_seal_with()
        if self.at == "writing":
            self.other.start()
            self.other.join(0.3)  # It waits for us, so it cannot end before.
        return key


def test_a_rotation_between_two_looks_is_no_lost_key(tmp_path: Path) -> None:
    """The file was read before it, the keys after it: they are looked at once more."""
    everything(tmp_path)
    vault = Vault(tmp_path)
    vault.ring = Hurried(tmp_path, at="reading")

    assert vault.read(tmp_path / "client.json", "client") == b'{"installed": {}}'
    vault.ring = Hurried(tmp_path, at="reading")
    found = envfile.opened(tmp_path, vault)
    assert found is not None and found.notes == () and "bob" in found.text


@pytest.mark.parametrize("what", ["token", "settings"])
def test_a_rotation_waits_for_what_is_being_written(tmp_path: Path, what: str) -> None:
    """Else that would be stored after it, sealed with a key that is gone."""
    everything(tmp_path)
    vault = Vault(tmp_path)
    vault.ring = ring = Hurried(tmp_path, at="writing")

    if what == "token":
        vault.write(tmp_path / "tokens" / f"{BOB}.json", BOB, SECRET)
    else:
        envfile.store(tmp_path, vault, "INVITE_EMAIL=carol@example.com\n")

    ring.other.join(10)
    assert len(kept_keys(tmp_path)) == 1
    if what == "token":
        assert Vault(tmp_path).read(tmp_path / "tokens" / f"{BOB}.json", BOB) == SECRET
    else:
        assert b"carol" in Vault(tmp_path).decrypt((tmp_path / ".env.encrypted").read_bytes())


def test_no_key_is_dropped_that_a_file_still_needs(tmp_path: Path) -> None:
    """Where a file system knows no locks, somebody may have written meanwhile."""
    said = everything(tmp_path)
    first = next(iter(said))
    before = first.read_bytes()

    class Beside(Vault):
        def renew(self, path: Path) -> bool:
            done = super().renew(path)
            first.write_bytes(before)
            return done

    rotation.rotate(tmp_path, Beside(tmp_path))

    assert len(kept_keys(tmp_path)) == 2 and all_read(tmp_path, said) == said


def test_a_byte_order_mark_spoils_neither_key_nor_document(tmp_path: Path) -> None:
    """An editor may have put it there; nothing is to be taken for damaged or plain because of it."""
    path, vault = tmp_path / "tokens" / f"{BOB}.json", Vault(tmp_path)
    vault.write(path, BOB, b"{}")
    for file in (path, tmp_path / KEY_FILE):
        file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    before = vault.read(path, BOB)
    rotation.rotate(tmp_path, vault)

    assert (before, vault.read(path, BOB)) == (b"{}", b"{}")


def test_nobody_writes_while_a_file_is_changed(tmp_path: Path) -> None:
    """What a person has signed in with meanwhile comes after it, and stays."""
    path, vault = tmp_path / "tokens" / f"{BOB}.json", Vault(tmp_path)
    vault.write(path, BOB, b"first")
    person = threading.Thread(target=vault.write, args=(path, BOB, b"by a person"))

    def changed(content: bytes) -> bytes:
        person.start()
        person.join(0.2)
        assert person.is_alive() and content == b"first"
        return b"renewed"

    done = vault.change(path, BOB, changed)
    person.join()

    assert done and vault.read(path, BOB) == b"by a person"


@pytest.mark.parametrize("written", ["\n {} \n", "\ufeff{}", "utf-16"])
def test_a_rotation_takes_along_whatever_can_be_opened(tmp_path: Path, written: str) -> None:
    """However an editor has saved the token: the old key is not dropped before it has the new one."""
    vault = Vault(tmp_path)
    token = vault.encrypt(b"A=1").decode()
    saved = token.encode("utf-16") if written == "utf-16" else written.format(token).encode()
    (tmp_path / envfile.NAME).write_bytes(saved)
    before = envfile.opened(tmp_path, vault)

    done = rotation.rotate(tmp_path, vault)

    after = envfile.opened(tmp_path, vault)
    assert before is not None and after is not None and before.text == after.text == "A=1"
    assert done.renewed == (envfile.NAME,)


def test_settings_that_are_damaged_keep_their_key(tmp_path: Path) -> None:
    """Whoever mends them, or finds an older copy, wants the key that they were made with."""
    vault = Vault(tmp_path)
    vault.write(tmp_path / "client.json", "client", b"{}")
    token = vault.encrypt(b"A=1")
    (tmp_path / envfile.NAME).write_bytes(token[5:])

    done = rotation.rotate(tmp_path, vault)

    assert [name for name, _ in done.shut] == [envfile.NAME] and done.renewed == ("client.json",)
    assert vault.decrypt(token) == b"A=1"
