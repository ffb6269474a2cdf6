"""Secrets at rest: sealed with Fernet, under the key of the environment or else one in the data directory."""

import contextlib
import fcntl
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
from cryptography.fernet import Fernet, InvalidToken

from calbot.errors import BadOptions, CalbotError
from calbot.secrecy import remember

VARIABLE = "DOTENV_ENCRYPTION_KEY"
KEY_FILE = "calbot.key"
DAMAGED = "calbot-damaged.key"
"""Backups leave out every `*.key`."""
LARGEST = 256 * 1024
_KEY = re.compile(r"[A-Za-z0-9_-]{43}=")
_TOKEN = b"gAAAA"
"""How every Fernet token begins."""


class Locked(CalbotError):
    """What is there cannot be read; the text says why. Nothing was changed."""


class _Sealed(msgspec.Struct):
    """The document on the disk."""

    sealed: str


class _Inside(msgspec.Struct):
    """What was sealed. `name` keeps a document of one account from being passed off as another's."""

    name: str
    content: str


def given_key(environ: Mapping[str, str]) -> str | None:
    """Return the key that the environment gives, if any. Raises BadOptions, which does not repeat it."""
    key = environ.get(VARIABLE, "")
    if not key:
        return None
    if _KEY.fullmatch(key):
        return key
    if any(sign.isspace() for sign in key):
        wrong = "holds a blank or a line break"
    elif key[0] in "\"'" or key[-1] in "\"'":
        wrong = "stands in quotes"
    elif len(key) != 44:
        wrong = f"has {len(key)} characters instead of 44"
    else:
        wrong = "holds a character that no such key has"
    raise BadOptions(
        f"{VARIABLE}: {wrong}, so it is not a Fernet key; give the 44 characters exactly as they were made, "
        "or leave it out and Calbot makes a key file of its own."
    )


class Ring:
    """The keys of a data directory: the first is in force, the others still open what they once sealed.

    The key file has one on each line. A given key goes before them, unless the file has it as an older one: then it
    was superseded by a rotation, and stays so until the environment gives the newer one or none.
    """

    def __init__(self, data: Path, given: str | None) -> None:
        self._file = data / KEY_FILE
        self._given = given

    def keys(self) -> tuple[str, ...]:
        """Return every key, the one in force first; none where there is none, or none that can be read."""
        try:
            kept = _keys_in(self._content())
        except Locked:
            kept = ()
        given = () if self._given is None or self._given in kept[1:] else (self._given,)
        found = tuple(dict.fromkeys((*given, *kept)))
        remember(*found)
        return found

    def is_superseded(self) -> bool:
        """Say whether the given key was rotated away, so that the file's first is in force instead."""
        return self._given is not None and self._given != self.keys()[0]

    def to_seal_with(self) -> str:
        """Return the key in force; make one where there is none. Raises Locked, OSError."""
        keys = self.keys()
        if keys:
            return keys[0]
        if self._content() is not None:  # What is no key is put aside, never thrown away.
            self._file.replace(self._file.with_name(DAMAGED))
        write_whole(self._file, Fernet.generate_key() + b"\n", only_if_absent=True)
        if not (keys := self.keys()):
            raise Locked(f"The key file {KEY_FILE} cannot be read; correct its permissions.")
        return keys[0]

    def turn(self) -> None:
        """Make a key and put it before all that are known. Raises Locked, OSError; then nothing was changed."""
        self._keep([Fernet.generate_key().decode(), *dict.fromkeys((*_keys_in(self._content()), *self.keys()))])

    def drop_older(self) -> bool:
        """Take out of the file what nothing is sealed with any more; say whether there was such a key.

        A superseded key stays as long as the environment gives it, or it would be in force again. A file that has not
        the key in force is left alone. Raises Locked, OSError.
        """
        kept = _keys_in(self._content())
        left = [key for key in kept if key in (kept[0], self._given)]
        if left == list(kept) or kept[0] != self.keys()[0]:
            return False
        self._keep(left)
        return True

    def _keep(self, keys: Sequence[str]) -> None:
        there = self._content()
        if there is not None and len(_keys_in(there)) != len(there.split()):
            write_whole(self._file.with_name(DAMAGED), there)
        write_whole(self._file, "".join(f"{key}\n" for key in keys).encode(), like=_stat(self._file))

    def _content(self) -> bytes | None:
        """Return what is in the key file, None where there is none. Raises Locked when it cannot be read."""
        try:
            return _content(self._file)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Locked(f"The key file {KEY_FILE} cannot be read: {error.strerror}.") from None


class Vault:
    """Seals and opens small documents. `key` comes from `given_key`; without it a key file is read, or made."""

    def __init__(self, data: Path, key: str | None = None) -> None:
        self.ring = Ring(data, key)
        self._data = data

    def read(self, path: Path, name: str) -> bytes:
        """Return the content of a sealed or plain file. Raises Locked, OSError."""
        while True:
            found = _content(path)
            sealed = _sealed(found)
            keys = self.ring.keys()
            try:
                return found if sealed is None else _inside(sealed, name, keys)[0]
            except Locked:  # It may have been sealed anew, and its key dropped, between our two looks.
                if (found, keys) == (_content(path), self.ring.keys()):
                    raise

    def write(self, path: Path, name: str, content: bytes) -> None:
        """Seal the content and put it in the file's place, whole or not at all. Raises Locked, OSError."""
        with self.steady():
            self._write(path, name, content)

    def change(self, path: Path, name: str, changed: Callable[[bytes], bytes | None]) -> bool:
        """Put what `changed` makes of a file's content in its place, unless that is None; say whether it was put.

        Nobody can replace or remove the file meanwhile, and its time stays. Raises Locked, OSError.
        """
        with self.steady(alone=True):
            content = changed(self.read(path, name))
            if content is not None:
                self._write(path, name, content, like=path.stat())
            return content is not None

    def seal(self, path: Path, name: str) -> bool:
        """Seal a file that is plain, or sealed with an older key; say whether it was. Raises Locked, OSError."""
        with self.steady(alone=True):
            found = _content(path)
            if len(found) > LARGEST:
                raise Locked(f"{path.name} is too large for a sign-in.")
            sealed = _sealed(found)
            content, current = (found, False) if sealed is None else _inside(sealed, name, self.ring.keys())
            if not current:
                try:
                    self._write(path, name, content)
                except UnicodeDecodeError:
                    raise Locked(f"{path.name} is not text.") from None
            return not current

    def encrypt(self, content: bytes) -> bytes:
        """Return the content as a bare Fernet token. Who stores it holds `steady` until it is stored. Raises Locked."""
        return Fernet(self.ring.to_seal_with()).encrypt(content)

    def decrypt(self, token: bytes) -> bytes:
        """Return what is in a bare Fernet token, blanks around it or not. Raises Locked."""
        return _opened(token.strip(), self.ring.keys())[0]

    def is_sealed(self, path: Path) -> bool:
        """Say whether a file is a sealed document or a bare token. Raises OSError."""
        found = _content(path)
        return _sealed(found) is not None or found.strip().startswith(_TOKEN)

    def is_behind(self, path: Path) -> bool:
        """Say whether another key than the one in force opens a sealed file. Raises Locked, OSError."""
        found = _content(path)
        return not _opened((_sealed(found) or "").encode() or found.strip(), self.ring.keys())[1]

    def renew(self, path: Path) -> bool:
        """Seal a sealed file anew if its key is an older one; say whether it was. Raises Locked, OSError.

        What is in it need not be known. Only for who holds `steady(alone=True)`.
        """
        found = _content(path)
        sealed = _sealed(found)
        content, current = _opened((sealed or "").encode() or found.strip(), self.ring.keys())
        if not current:
            token = self.encrypt(content)
            new = token if sealed is None else msgspec.json.encode(_Sealed(token.decode()))
            write_whole(path, new + b"\n", like=path.stat())
        return not current

    @contextlib.contextmanager
    def steady(self, *, alone: bool = False) -> Iterator[None]:
        """While this is held no key is rotated; `alone`, nothing is sealed or replaced by anybody else either.

        Else what was sealed before a rotation could be stored after it, and its key be gone. Raises OSError.
        """
        self._data.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = os.open(self._data, os.O_RDONLY)
        try:
            with contextlib.suppress(OSError):  # A file system without locks, where nobody can do better.
                fcntl.flock(folder, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
            yield
        finally:
            os.close(folder)

    def _write(self, path: Path, name: str, content: bytes, like: os.stat_result | None = None) -> None:
        token = self.encrypt(msgspec.json.encode(_Inside(name, content.decode())))
        write_whole(path, msgspec.json.encode(_Sealed(token.decode())) + b"\n", like=like)


def write_whole(
    path: Path, content: bytes, *, only_if_absent: bool = False, like: os.stat_result | None = None
) -> None:
    """Put a file with 0600 in place so that a power cut leaves the old or the new one. Raises OSError.

    With `like` it has that one's owner and time, since it says nothing new.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, partial = tempfile.mkstemp(prefix=f".{path.name}-", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(content)
            file.flush()
            if like is not None:
                os.utime(file.fileno(), ns=(like.st_atime_ns, like.st_mtime_ns))
                with contextlib.suppress(OSError):  # Only root may give files away.
                    os.fchown(file.fileno(), like.st_uid, like.st_gid)
            os.fsync(file.fileno())
        if only_if_absent:
            try:
                os.link(partial, path)
            except FileExistsError:
                pass  # Another process was first: its key is the key.
            except OSError:  # A file system without links.
                Path(partial).replace(path)
        else:
            Path(partial).replace(path)
    finally:
        Path(partial).unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _inside(sealed: str, name: str, keys: Sequence[str]) -> tuple[bytes, bool]:
    """Return the document that was sealed for this name, and whether it was with the first key. Raises Locked."""
    content, current = _opened(sealed.encode(), keys)
    try:
        inside = msgspec.json.decode(content, type=_Inside)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Locked("it is damaged") from None
    if inside.name != name:
        raise Locked("it was sealed for another account")
    return inside.content.encode(), current


def _opened(token: bytes, keys: Sequence[str]) -> tuple[bytes, bool]:
    """Return what was sealed, and whether it was with the first key. Raises Locked."""
    if not keys:
        raise Locked("it is sealed, and its key is not here (backups leave the key out)")
    for number, key in enumerate(keys):
        with contextlib.suppress(InvalidToken):
            return Fernet(key).decrypt(token), number == 0
    raise Locked("it is sealed with another key, or damaged")


def _keys_in(content: bytes | None) -> tuple[str, ...]:
    """Return the keys of a key file, each once, in their order."""
    words = (content or b"").decode("latin-1").split()
    return tuple(dict.fromkeys(word for word in words if _KEY.fullmatch(word)))


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(LARGEST + 1).removeprefix(b"\xef\xbb\xbf")


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _sealed(content: bytes) -> str | None:
    """Return the sealed part of a document, None for a plain one."""
    try:
        return msgspec.json.decode(content, type=_Sealed).sealed
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
