"""The encrypted file of settings: opened in memory only, laid under the environment, never overwritten unread."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from calbot.errors import BadOptions
from calbot.sources import Surroundings, data_directory, is_setting, remember_secrets
from calbot.vault import KEY_FILE, LARGEST, VARIABLE, Locked, Vault, given_key, write_whole

NAME = ".env.encrypted"
BACKUP = f"{NAME}.bak"
"""What the file was before the last change."""
ASIDE = f"{NAME}.damaged"
_OUTSIDE = {
    *("CALBOT_DATA", "CALBOT_IMAGE", "CALBOT_OPTIONS_FD", "CALBOT_SUPERVISOR_URL"),
    *("CALBOT_PANEL_PORT", "CALBOT_PUSH_PORT", "CALBOT_BIND"),
}
"""They say where the file is, or through which doors is told that it cannot be opened; so it cannot set them."""
_LINE = re.compile(
    r"""[ \t]*(?:
        (?:export[ \t]+)?(?P<name>[A-Za-z_][A-Za-z0-9_.-]*)[ \t]*=(?:
            [ \t]*"(?P<double>(?:[^"\\]|\\.)*)"[ \t]*(?:\#[^\n]*)?
            | [ \t]*'(?P<single>[^']*)'[ \t]*(?:\#[^\n]*)?
            | (?![ \t]*["'])(?P<plain>[^\n]*)
        )
        | (?:\#[^\n]*)?
    )(?:\n|\Z)""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPED = {r"\n": "\n", r"\"": '"', r"\\": "\\"}


class EnvFileLocked(BadOptions):
    """The encrypted file is there and cannot be opened; the text names it, the key's variable and the remedy."""


@dataclass(frozen=True, slots=True)
class EnvFile:
    """What the file says, and what is to be said of it: in which file it was found, if not where it belongs."""

    text: str = field(repr=False)
    path: Path
    notes: tuple[str, ...] = ()


def parsed(text: str, file: str = NAME) -> dict[str, str]:
    r"""Return the settings in a dotenv text: `NAME=value` lines, the last one of a name winning.

    There may be `export` before a name, a byte order mark, CRLF, and comments after a `#` that follows a blank. Quoted
    values may go over several lines; in double quotes `\n`, `\"` and `\\` are escapes. Nothing is interpolated.
    Raises BadOptions with the line, without its content.
    """
    return dict(_lines(text, file))


def _lines(text: str, file: str) -> Iterator[tuple[str, str]]:
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    at = 0
    while at < len(text):
        line = _LINE.match(text, at)
        if line is None or "\0" in line[0]:
            number = text.count("\n", 0, at) + 1
            raise BadOptions(f"{file}: line {number} is not like NAME=value; correct it, or begin it with #.")
        if (name := line["name"]) is not None:
            yield name, _value(line)
        at = line.end()


def _value(line: re.Match[str]) -> str:
    if (double := line["double"]) is not None:
        return re.sub(r'\\[n"\\]', lambda escape: _ESCAPED[escape[0]], double)
    if (single := line["single"]) is not None:
        return single
    return re.sub(r"[ \t]#.*", "", line["plain"]).strip()


def surroundings(environ: Mapping[str, str]) -> Surroundings:
    """Return the environment and, under it, the settings of the data directory's encrypted file, if there is one.

    Raises EnvFileLocked when it cannot be opened, BadOptions for what is in it and for a key that is none.
    """
    if isinstance(environ, Surroundings):
        return environ
    data = data_directory(environ)
    found = opened(data, Vault(data, given_key(environ)))
    if found is None:
        return Surroundings(environ)
    name = found.path.name
    said = parsed(found.text, name)
    times = Counter(key for key, _ in _lines(found.text, name))
    remember_secrets(said)
    taken = {
        key: value
        for key, value in said.items()
        if is_setting(key) and key not in _OUTSIDE and not environ.get(key, "").strip()
    }
    notes = list(found.notes)
    for key in sorted(said):
        if times[key] > 1:
            notes.append(f"{key}: is in {name} more than once; the last one counts.")
        if key in _OUTSIDE or key == VARIABLE:
            notes.append(f"{key}: has to be known before {name} is opened; set it in the environment itself.")
    return Surroundings({**environ, **taken}, name, frozenset(taken), tuple(notes))


def opened(data: Path, vault: Vault) -> EnvFile | None:
    """Return the encrypted file, decrypted; None where there is none. Raises EnvFileLocked."""
    why: dict[str, str] = {}
    for name in (NAME, BACKUP):
        try:
            text = _read(data / name, vault)
        except Locked as error:
            why[name] = str(error)
        else:
            if text is not None and name == BACKUP:
                trouble = f"cannot be opened ({why[NAME]})" if NAME in why else "is missing"
                note = f"{NAME}: {trouble}, so {BACKUP}, the one before it, is used; look at it with calbot env edit."
                return EnvFile(text, data / name, (note,))
            if text is not None:
                return EnvFile(text, data / name)
    if not why:
        return None
    name = next(iter(why))
    raise EnvFileLocked(
        f"{name}: {why[name]}. Give the key that it was made with in {VARIABLE}, or put {KEY_FILE} back; without the "
        f"key, move {' and '.join(why)} out of {data} and enter the settings anew."
    )


def store(data: Path, vault: Vault, text: str) -> None:
    """Encrypt the settings in place of those before, which become the backup. Raises BadOptions, Locked, OSError.

    Nothing is replaced that could not be opened, and nothing by what cannot be read back.
    """
    parsed(text)
    content = text.encode()
    if len(content) > LARGEST // 2:
        raise BadOptions(f"{NAME}: {len(content)} bytes are too many for settings; is it really a file of settings?")
    with vault.steady(alone=True):
        opened(data, vault)
        path = data / NAME
        try:
            before = _read(path, vault)
        except Locked:  # The backup can be opened, so it stays; nobody may ever miss this one, but who knows.
            path.replace(data / ASIDE)
            before = None
        if before == text:  # Else the backup, too, would be what is there already.
            return
        token = vault.encrypt(content)
        if vault.decrypt(token) != content:
            raise Locked("What was encrypted cannot be decrypted again; nothing was changed.")
        if before is not None:
            write_whole(data / BACKUP, path.read_bytes())
        write_whole(path, token + b"\n")
        if _read(path, vault) != text:
            raise Locked(f"{NAME} cannot be read back; the settings before are in {BACKUP}.")


def _read(path: Path, vault: Vault) -> str | None:
    """Return the decrypted text of a file, None where there is none. Raises Locked."""
    while True:
        token = _content(path)
        if token is None:
            return None
        if len(token) > LARGEST:
            raise Locked("it is too large for a file of settings")
        keys = vault.ring.keys()
        try:
            return vault.decrypt(token).decode()
        except Locked:
            if (token, keys) != (_content(path), vault.ring.keys()):
                continue  # A rotation passed between our two looks.
            if not token.strip().startswith(b"gAAAA"):
                raise Locked("it is damaged, or was never encrypted") from None
            raise
        except UnicodeDecodeError:
            raise Locked("what is in it is not text") from None


def _content(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            return file.read(LARGEST + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise Locked(f"it cannot be read ({error.strerror})") from None
