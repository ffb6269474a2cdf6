"""`calbot env`: the encrypted file of settings is made, shown, edited, handed to a command, and given a new key."""

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import NoReturn

import click

from calbot import envfile, rotation
from calbot.commandline import reports
from calbot.commandline.local import FAILED, NOT_FOUND, PARTIAL, USAGE, Here, pass_here
from calbot.envfile import NAME, EnvFile
from calbot.errors import BadOptions
from calbot.sources import data_directory
from calbot.vault import KEY_FILE, LARGEST, VARIABLE, Vault, given_key, write_whole

MEMORY = Path("/dev/shm")  # noqa: S108 - a folder in memory; ours in it is new and 0700
_NO_COMMAND, _NOT_RUNNABLE = 127, 126
"""As a shell says that there is no such command, or none that may be run."""


@click.group()
def env() -> None:
    """Keep settings in an encrypted file, .env.encrypted in the data directory."""


@env.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--remove", is_flag=True, help="Delete the plain file when its encrypted copy was read back.")
@pass_here
def encrypt(here: Here, file: Path | None, *, remove: bool) -> None:
    """Encrypt FILE, or else .env here or in the data directory; what was encrypted before becomes the backup."""
    data, vault = _place(here)
    file = file or next((path for path in (Path(".env"), data / ".env") if path.exists()), None)
    if file is None:
        _end(f"There is no .env here and none in {data}; name the file: calbot env encrypt FILE", NOT_FOUND)
    text = _plain(file)
    if vault.is_sealed(file):
        _end(
            f"{file} is encrypted already; nothing was changed. An earlier bot's is taken over by calbot import.", USAGE
        )
    count = len(envfile.parsed(text, str(file)))
    envfile.store(data, vault, text)
    reports.say(f"{_settings(count)} of {file} encrypted in {data / NAME}; read back, all the same.")
    if remove:
        file.unlink()
        reports.say(f"{file} is deleted.")
    else:
        reports.say(f"{file} is still there, for whoever can read it: delete it, or run this again with --remove.")


@env.command()
@click.option("--to", type=click.Path(path_type=Path), help="Write a new file that only you can read.")
@click.option("--json", "as_json", is_flag=True, help="Print the settings as JSON.")
@pass_here
def decrypt(here: Here, *, to: Path | None, as_json: bool) -> None:
    """Print what is in the encrypted file, or write it to a new one."""
    if as_json and to is not None:
        _end("--json prints, and --to writes a file: leave one of them out.", USAGE)
    found = _opened(here)
    if as_json:
        reports.put(envfile.parsed(found.text, found.path.name))
    elif to is None:
        click.echo(found.text.encode(), nl=False)
    elif to.exists():
        _end(f"{to} is there already; move it away, or name another file.", USAGE)
    else:
        write_whole(to, found.text.encode())
        reports.say(f"{to} is written. Delete it when you are done.")


@env.command()
@pass_here
def edit(here: Here) -> None:
    """Edit the encrypted file in $VISUAL or $EDITOR; what is plain meanwhile is in memory and goes in any case."""
    data, vault = _place(here)
    found = envfile.opened(data, vault)
    before = found.text if found is not None else ""
    _say_notes(found)
    with _only_for_us() as folder:
        file = folder / "settings.env"
        file.touch(mode=0o600)
        file.write_text(before, "utf-8", newline="")
        while True:
            _let_edit(here, file)
            text = _plain(file)
            try:
                envfile.parsed(text)
                break
            except BadOptions as error:
                reports.say(str(error), err=True)
            if not (here.can_ask() and click.confirm("Edit it again?", default=True, err=True)):
                _end("Nothing was changed.", USAGE)
    if text == before:
        reports.say("Nothing was changed.")
        return
    now = envfile.opened(data, vault)
    if (now.text if now is not None else "") != before:
        _end("Somebody else has changed the settings meanwhile, so yours were not taken; edit them again.", FAILED)
    envfile.store(data, vault, text)
    reports.say(
        f"{_settings(len(envfile.parsed(text)))} encrypted in {data / NAME}. They count when Calbot starts again."
    )


@env.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@pass_here
def run(here: Here, command: tuple[str, ...]) -> None:
    """Run a command with the file's settings under the environment; its exit code is the command's."""
    found = _opened(here)
    said = envfile.parsed(found.text, found.path.name)
    try:
        os.execvpe(command[0], command, {**said, **here.environ})  # noqa: S606 - a shell would need quotes
    except FileNotFoundError:
        _end(f"There is no command {command[0]}.", _NO_COMMAND)
    except OSError as error:
        _end(f"{command[0]} cannot be run: {error.strerror}.", _NOT_RUNNABLE)


@env.command()
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
@pass_here
def rotate(here: Here, *, as_json: bool) -> None:
    """Make a new key and seal everything with it: sign-ins, clients, settings."""
    data, vault = _place(here)
    done = rotation.rotate(data, vault)
    key_file = data / KEY_FILE
    if as_json:
        reports.put(
            {
                "sealed": list(done.sealed),
                "renewed": list(done.renewed),
                "shut": [{"file": name, "why": why} for name, why in done.shut],
                "old_keys_kept": bool(done.shut),
                "key_file": str(key_file),
                "given_key_superseded": done.superseded,
            }
        )
    else:
        for name in done.renewed:
            reports.say(f"{name} is sealed with the new key.")
        for name, why in done.shut:
            reports.say(f"{name} cannot be opened: {why}. The old keys stay.", err=True)
        if not done.sealed:
            reports.say("Nothing was sealed yet.")
        reports.say(f"The new key is the first line of {key_file}. Keep a copy of it where the data is not.")
        if done.superseded:
            reports.say(
                f"{VARIABLE} still holds the old one, which is no longer in force: replace it by that line, or remove "
                f"it. With the line in {VARIABLE} and kept safe, {KEY_FILE} can be deleted."
            )
    if done.shut:
        raise click.exceptions.Exit(PARTIAL)


def _place(here: Here) -> tuple[Path, Vault]:
    """Return the data directory and its vault. Raises BadOptions for a key that is none."""
    data = data_directory(here.environ)
    return data, Vault(data, given_key(here.environ))


def _opened(here: Here) -> EnvFile:
    """Return the decrypted file; without one the command ends. Raises EnvFileLocked."""
    data, vault = _place(here)
    found = envfile.opened(data, vault)
    if found is None:
        _end(f"There is no {NAME} in {data}; make one with calbot env encrypt, or calbot env edit.", NOT_FOUND)
    _say_notes(found)
    return found


def _say_notes(found: EnvFile | None) -> None:
    for note in found.notes if found is not None else ():
        reports.say(note, err=True)


def _plain(file: Path) -> str:
    """Return the text of a plain file. Raises BadOptions."""
    try:
        with file.open("rb") as opened:
            content = opened.read(LARGEST + 1)
        return content.decode()
    except OSError as error:
        raise BadOptions(f"{file}: cannot be read ({error.strerror}).") from None
    except UnicodeDecodeError:
        raise BadOptions(f"{file}: is not text in UTF-8; save it anew with that encoding.") from None


@contextlib.contextmanager
def _only_for_us() -> Iterator[Path]:
    """Give a new folder, in memory where there is one, that goes also when the terminal is closed meanwhile."""

    def leave(number: int, _: FrameType | None) -> NoReturn:
        raise SystemExit(128 + number)

    ends = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(one, leave) for one in ends]
    folder = Path(tempfile.mkdtemp(prefix="calbot-env-", dir=MEMORY if os.access(MEMORY, os.W_OK) else None))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        for one, was in zip(ends, before, strict=True):
            signal.signal(one, was)


def _let_edit(here: Here, file: Path) -> None:
    """Have the user edit the file. Ends the command where that is not possible."""
    editor = here.environ.get("VISUAL") or here.environ.get("EDITOR") or "vi"
    try:
        code = subprocess.run([*shlex.split(editor), str(file)], env=dict(here.environ), check=False).returncode
    except ValueError as error:
        _end(f"The editor {editor} cannot be understood: {error}. Set VISUAL.", USAGE)
    except OSError as error:
        _end(f"The editor {editor} cannot be started: {error.strerror}. Set VISUAL.", FAILED)
    if code:
        _end(f"The editor {editor} ended with {code}; nothing was changed.", FAILED)


def _settings(count: int) -> str:
    return "1 setting" if count == 1 else f"{count} settings"


def _end(text: str, code: int) -> NoReturn:
    reports.say(text, err=True)
    raise click.exceptions.Exit(code)
