"""Secrets at rest: sealed with Fernet, under the key of the environment or else one in the data directory."""

import contextlib
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

import msgspec
from cryptography.fernet import Fernet, InvalidToken

from calbot.errors import BadOptions, CalbotError

VARIABLE = "DOTENV_ENCRYPTION_KEY"
KEY_FILE = "calbot.key"
"""Backups leave out every `*.key`."""
LARGEST = 256 * 1024
_KEY = re.compile(r"[A-Za-z0-9_-]{43}=")


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


class Vault:
    """Seals and opens small documents. `key` comes from `given_key`; without it a key file is read, or made."""

    def __init__(self, data: Path, key: str | None = None) -> None:
        self._file = data / KEY_FILE
        self._given = key

    def read(self, path: Path, name: str) -> bytes:
        """Return the content of a sealed or plain file. Raises Locked, OSError."""
        with path.open("rb") as file:
            found = file.read(LARGEST + 1)
        sealed = _sealed(found)
        return found if sealed is None else self._open(sealed, name)[0]

    def write(self, path: Path, name: str, content: bytes) -> None:
        """Seal the content and put it in the file's place, whole or not at all. Raises Locked, OSError."""
        inside = msgspec.json.encode(_Inside(name, content.decode()))
        token = Fernet(self._key_to_seal_with()).encrypt(inside).decode()
        write_whole(path, msgspec.json.encode(_Sealed(token)) + b"\n")

    def seal(self, path: Path, name: str) -> bool:
        """Seal a file that is plain, or sealed with an older key; say whether it was. Raises Locked, OSError."""
        with path.open("rb") as file:
            found = file.read(LARGEST + 1)
        if len(found) > LARGEST:
            raise Locked(f"{path.name} is too large for a sign-in.")
        sealed = _sealed(found)
        content, current = (found, False) if sealed is None else self._open(sealed, name)
        if not current:
            try:
                self.write(path, name, content)
            except UnicodeDecodeError:
                raise Locked(f"{path.name} is not text.") from None
        return not current

    def _open(self, sealed: str, name: str) -> tuple[bytes, bool]:
        """Return what was sealed, and whether it was with the key in force."""
        keys = self._keys()
        if not keys:
            raise Locked("it is sealed, and its key is not here (backups leave the key out)")
        for number, key in enumerate(keys):
            try:
                inside = msgspec.json.decode(Fernet(key).decrypt(sealed), type=_Inside)
            except (InvalidToken, msgspec.DecodeError):
                continue
            if inside.name != name:
                raise Locked("it was sealed for another account")
            return inside.content.encode(), number == 0
        raise Locked("it is sealed with another key, or damaged")

    def _keys(self) -> list[str]:
        """Return the key in force and the one before it. A given key goes before the file's."""
        try:
            kept = self._file.read_text("ascii").strip()
        except (OSError, UnicodeDecodeError):
            kept = ""
        return [key for key in (self._given, kept) if key and _KEY.fullmatch(key)]

    def _key_to_seal_with(self) -> str:
        keys = self._keys()
        if keys:
            return keys[0]
        with contextlib.suppress(FileNotFoundError):  # One that is no key is put aside, never thrown away.
            self._file.replace(self._file.with_name("calbot-damaged.key"))
        write_whole(self._file, Fernet.generate_key() + b"\n", only_if_absent=True)
        if not (keys := self._keys()):
            raise Locked(f"The key file {KEY_FILE} cannot be read; correct its permissions.")
        return keys[0]


def write_whole(path: Path, content: bytes, *, only_if_absent: bool = False) -> None:
    """Put a file with 0600 in place so that a power cut leaves the old or the new one. Raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, partial = tempfile.mkstemp(prefix=f".{path.name}-", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(content)
            file.flush()
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


def _sealed(content: bytes) -> str | None:
    """Return the sealed part of a document, None for a plain one."""
    try:
        return msgspec.json.decode(content, type=_Sealed).sealed
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
