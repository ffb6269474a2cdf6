"""An earlier bot's directory, read: its env, its list of processed events, tokens and clients; nothing is written."""

import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from cryptography.fernet import Fernet, InvalidToken

from calbot import envfile, secrecy
from calbot.errors import CalbotError
from calbot.google.accounts import DEFAULT_TOKEN_URI
from calbot.google.turns import Client, WrongTurn, client
from calbot.google.wallet import Token
from calbot.takeover import processed
from calbot.takeover.steps import Part
from calbot.vault import VARIABLE, Locked

SEALED_ENV = (".env.encrypted", ".env.encrypted.bak")
PLAIN_ENV = ".env"
LARGEST, LARGEST_KEY = 256 * 1024, 4096
MOST_FILES, MOST_FOLDERS = 5000, 50
_KEY = re.compile(rb"(?<![\w-])[\w-]{43}=(?!=)", re.ASCII)
_KEY_FILE = re.compile(r"(^|[._-])keys?([._-]|$)", re.IGNORECASE)
_TOKEN = re.compile(r"(tokens?([_.-].*)?|.*[_.-]token)\.json", re.IGNORECASE | re.DOTALL)
_CLIENT = re.compile(r"(credentials?([_.-].*)?|client[_-](secret|id).*)\.json", re.IGNORECASE | re.DOTALL)
_PICKLE = re.compile(r"(token|credential).*\.(pickle|pkl|dat)", re.IGNORECASE | re.DOTALL)
_NAMED = re.compile(r"(?:token[_.-])?(.*?)(?:[_.-]token)?", re.IGNORECASE | re.DOTALL)
_EMAIL = re.compile(r"(?!\.)[^\s@/\\<>()\[\],;:\"\x00-\x20\x7f]{1,64}@([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z0-9-]{2,}")
Open = Callable[[bytes], bytes]


class Unusable(CalbotError):
    """A file that cannot be read, or not as what it is called; the text says why."""


class _Document(msgspec.Struct):
    """A token as google-auth writes it, in the parts that we take."""

    refresh_token: str | None = None
    client_id: str | None = None
    client_secret: str | None = None
    token_uri: str | None = None
    scopes: list[str] | str | None = None
    account: str | None = None


@dataclass(frozen=True, slots=True)
class Trouble:
    """What cannot be taken: which part of the bot, the file's name, why, and what helps."""

    part: Part
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Env:
    """The bot's settings. `values` are those that its file sets."""

    name: str
    text: str = field(repr=False)
    values: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Processed:
    """The ids and iCalUIDs of the bot's list, as they stand there; of all its lists, where it left several."""

    name: str
    ids: frozenset[str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class FoundToken:
    """A token, and whose it is by its own `account` or else by the file's name; empty where neither says it."""

    name: str
    token: Token
    email: str
    scopes: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class FoundClient:
    """A Desktop client."""

    name: str
    client: Client


@dataclass(frozen=True, slots=True)
class EarlierBot:
    """What lies in the directory."""

    env: Env | None
    processed: Processed | None
    tokens: tuple[FoundToken, ...]
    clients: tuple[FoundClient, ...]
    troubles: tuple[Trouble, ...]
    left: tuple[Trouble, ...]
    """What is left aside, without harm."""


def read(directory: Path, open_env: Open, environ: Mapping[str, str], *, without: Path) -> EarlierBot:
    """Read all that there is. `open_env` opens with our own keys, and raises Locked. Raises OSError.

    The environment goes before the bot's file where it names other places; our own directory is left out.
    """
    root = directory.resolve()
    entries = _entries(root)
    troubles: list[Trouble] = []
    left: list[Trouble] = []
    env = _env(root, entries, open_env, troubles, left)
    said = {**(env.values if env is not None else {}), **{name: word for name, word in environ.items() if word.strip()}}
    auth = said.get("GOOGLE_AUTH_PATH", "").strip()
    elsewhere = _first(root, auth, os.path.isdir) if auth else None
    roots = [root, *([elsewhere] if elsewhere is not None else [])]
    folders = [(top, folder) for top in roots for folder in (top, *_inner(top, without.resolve()))]
    folders = list({folder: (top, folder) for top, folder in reversed(folders)}.values())[::-1]
    tokens: list[FoundToken] = []
    clients: list[FoundClient] = []
    for top, folder in folders:
        for name in _entries(folder):
            _sign_in(top, folder / name, tokens, clients, troubles)
    if auth and elsewhere is None:
        text = f"{auth} is not there; if it holds more sign-ins, copy it into the directory and import again."
        (left if tokens else troubles).append(Trouble("token", "GOOGLE_AUTH_PATH", text))
    handled = _processed(root, folders, said.get("PROCESSED_FILE", ""), troubles)
    return EarlierBot(env, handled, tuple(tokens), tuple(clients), tuple(troubles), tuple(left))


def is_email(word: str) -> bool:
    """Say whether a word is an address that a file can be named after."""
    return len(word) <= 200 and word.isprintable() and _EMAIL.fullmatch(word) is not None


def _content(path: Path, top: Path, largest: int = LARGEST) -> bytes:
    """Return a regular file's content; links are followed within the bot's own directories. Raises Unusable."""
    try:
        real = path.resolve(strict=True)
        if not real.is_relative_to(top):
            raise Unusable("it is a link that leads out of the directory; put the file itself there")
        handle = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise Unusable("it is no file")
            content = file.read(largest + 1)
    except (OSError, RuntimeError, ValueError) as error:
        why = (isinstance(error, OSError) and error.strerror) or "its name leads nowhere"
        raise Unusable(f"it cannot be read ({why})") from None
    if len(content) > largest:
        raise Unusable(f"it is larger than {largest // 1024} kB")
    return content


def _entries(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as found:
            return sorted(entry.name for _, entry in zip(range(MOST_FILES), found, strict=False))
    except OSError:
        return []


def _inner(folder: Path, without: Path) -> Iterator[Path]:
    """Yield the folders in a folder that may hold something of the bot."""
    inner = (folder / name for name in _entries(folder) if not name.startswith("."))
    real = (path for path in inner if path.is_dir() and not path.is_symlink() and path != without)
    yield from (path for _, path in zip(range(MOST_FOLDERS), real, strict=False))


def _env(
    root: Path, entries: Iterable[str], open_env: Open, troubles: list[Trouble], left: list[Trouble]
) -> Env | None:
    """Return the first env that can be read; the others are left for it, where they are sound."""
    there = [name for name in (*SEALED_ENV, PLAIN_ENV) if name in entries]
    for place, name in enumerate(there):
        try:
            content = _content(root / name, root)
            text = (content if name == PLAIN_ENV else _opened(content, root, entries, open_env)).decode("utf-8-sig")
            env = Env(name, text, envfile.parsed(text, name))
        except UnicodeDecodeError:
            troubles.append(Trouble("env", name, "it is not text in UTF-8; save it anew with that encoding."))
        except CalbotError as error:
            troubles.append(Trouble("env", name, f"{str(error).removeprefix(f'{name}: ').rstrip('.')}."))
        else:
            left += [Trouble("env", other, f"{name} is taken instead.") for other in there[place + 1 :]]
            return env
    return None


def _opened(token: bytes, root: Path, entries: Iterable[str], open_env: Open) -> bytes:
    """Return what is in a sealed env. Raises Unusable."""
    try:
        return open_env(token)
    except Locked:
        pass
    for key in _keys(root, entries):
        secrecy.remember(key.decode())
        try:
            return Fernet(key).decrypt(token.strip())
        except (InvalidToken, ValueError):
            continue
    raise Unusable(f"no key here opens it; give the bot's key in {VARIABLE} and import again")


def _keys(root: Path, entries: Iterable[str]) -> Iterator[bytes]:
    """Yield whatever looks like a key: in files that are called so, and in a plain env."""
    for name in (name for name in entries if _KEY_FILE.search(name) or name == PLAIN_ENV):
        try:
            yield from _KEY.findall(_content(root / name, root, LARGEST_KEY))
        except Unusable:
            continue


def _first(root: Path, said: str, fits: Callable[[Path], bool]) -> Path | None:
    try:
        candidates = (root / said, root / said.lstrip("/"), root / Path(said).name)
        return next((path.resolve() for path in candidates if fits(path)), None)
    except (OSError, RuntimeError, ValueError):
        return None


def _processed(
    root: Path, folders: Iterable[tuple[Path, Path]], said: str, troubles: list[Trouble]
) -> Processed | None:
    where = [(top, folder / "processed_events.json") for top, folder in folders]
    if said.strip():
        named = _first(root, said.strip(), os.path.lexists)
        if named is None:
            text = f"{said.strip()} is not there."
            troubles.append(Trouble("processed", "PROCESSED_FILE", text))
            return None
        where = [(named.parent, named)]
    lists: list[frozenset[str]] = []
    there = [(top, path) for top, path in where if os.path.lexists(path)]
    for top, path in there:
        try:
            lists.append(processed.listed(_content(path, top, processed.LARGEST)))
        except (Unusable, processed.NoList) as error:
            troubles.append(Trouble("processed", path.name, f"{error}."))
    return Processed(there[0][1].name, frozenset().union(*lists)) if lists else None


def _sign_in(
    top: Path, path: Path, tokens: list[FoundToken], clients: list[FoundClient], troubles: list[Trouble]
) -> None:
    name = path.name
    if _PICKLE.fullmatch(name):
        text = "it is a pickle, which can hold a program; Calbot opens none. Sign in instead: calbot login"
        troubles.append(Trouble("token", name, text))
    part: Part = "token" if _TOKEN.fullmatch(name) else "client"
    if part == "client" and not _CLIENT.fullmatch(name):
        return
    try:
        content = _content(path, top).removeprefix(b"\xef\xbb\xbf")
        found = _token(content, name)
        if found is not None:
            tokens.append(found)
            return
        if part == "token":
            raise Unusable("it is not a Google token with its refresh_token and client_id; sign in: calbot login")
        clients.append(FoundClient(name, client(content)))
        secrecy.remember(clients[-1].client.client_secret)
    except (Unusable, WrongTurn) as error:
        troubles.append(Trouble(part, name, f"{str(error).rstrip('.')}."))


def _token(content: bytes, name: str) -> FoundToken | None:
    try:
        found = msgspec.json.decode(content, type=_Document)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if not found.refresh_token or not found.client_id:
        return None
    secrecy.remember(found.refresh_token, found.client_secret)
    scopes = found.scopes.split() if isinstance(found.scopes, str) else found.scopes
    stem = _NAMED.fullmatch(name[: -len(".json")])
    named = (found.account or "", stem[1] if stem is not None else "")
    email = next((word.strip().lower() for word in named if is_email(word.strip().lower())), "")
    token = Token(found.refresh_token, found.client_id, found.client_secret or "", found.token_uri or DEFAULT_TOKEN_URI)
    return FoundToken(name, token, email, frozenset(scopes) if scopes else None)
