"""`calbot check`: every part is tested, and what does not work comes with its remedy."""

import shutil
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import click
import msgspec

from calbot import sources
from calbot.commandline import local, reports, signins
from calbot.commandline.checked import Checked, Part, results
from calbot.commandline.local import FAILED, SIGN_IN, USAGE, Here, Wanted, pass_here
from calbot.errors import BadOptions, CalbotError, StoreError
from calbot.google.wallet import CLIENT
from calbot.secrecy import cleaned
from calbot.store import copyhistory
from calbot.store.database import Database
from calbot.vault import KEY_FILE, VARIABLE, Locked, Vault, given_key

MoreParts = Callable[[Here], list[Part]]
LITTLE_SPACE = 100 * 2**20
"""Bytes. The store is small; the space is for its snapshots and for whatever else fills the disk."""
_MARKS = {"ok": "ok    ", "warn": "warn  "}


@click.command(short_help="Test every part and say what helps.")
@click.option("--json", "as_json", is_flag=True, help="Print the verdicts as JSON.")
@click.pass_obj
@pass_here
def check(here: Here, more: list[MoreParts], *, as_json: bool) -> None:
    """Test every part and say what to do about what does not work; nothing is changed, sent or written.

    The options, the key, the store, the clock, each sign-in and what it may do, each calendar; with the service also
    the push address, the broker and the ways to people. Exit code 0: all works, also where something is worth a
    warning; 1: something failed; 2: an option is wrong; 3: somebody has to sign in.
    """
    found: list[Checked] = []
    for checked in _all(here, more):
        if checked in found:
            continue
        found.append(checked)
        if not as_json:
            mark = _MARKS.get(checked.verdict, "FAILED")
            reports.say(f"{mark}  {checked.part}: {checked.text} {checked.remedy}".rstrip())
    if as_json:
        reports.put([msgspec.to_builtins(checked) for checked in found])
    verdicts = {checked.verdict for checked in found}
    if any(checked.part == "options" and checked.verdict == "failed" for checked in found):
        raise click.exceptions.Exit(USAGE)
    if "sign_in" in verdicts:
        raise click.exceptions.Exit(SIGN_IN)
    if "failed" in verdicts:
        raise click.exceptions.Exit(FAILED)


def _all(here: Here, more: list[MoreParts]) -> Iterator[Checked]:
    """Yield all verdicts; the options first, as the rest depends on them. Who waits at a terminal is told what for."""
    data = sources.data_directory(here.environ)
    parts = [Part("key", partial(_key, here, data)), Part("store", partial(_store, data))]
    try:
        what = local.wanted(here)
    except BadOptions as error:
        yield Checked("options", "failed", cleaned(str(error)))
    else:
        yield Checked("options", "ok", _whom(what))
        for note in what.notes:
            yield Checked("options", "warn", note)
        parts += [Part("brake", partial(_held, what)), *signins.parts(here, what)]
    for make in more:
        try:
            parts += make(here)
        except BadOptions as error:
            yield Checked("options", "failed", cleaned(str(error)))
    yield from results(parts, here.clock, _tell)


def _tell(name: str) -> None:
    if sys.stderr.isatty():
        reports.say(f"Checking {name} …", err=True)


def _whom(what: Wanted) -> str:
    if what.settings.rules:
        return f"Invites by the rules {', '.join(rule.name for rule in what.settings.rules)}; see calbot preview."
    return f"Invites {', '.join(what.settings.invite_emails) or 'nobody yet; set invite_emails'}."


def _key(here: Here, data: Path) -> Iterator[Checked]:
    """Say which key is in force, whether every sealed file opens, and who else could read what is secret."""
    try:
        given = given_key(here.environ)
    except BadOptions:  # The options say so.
        return
    vault, file = Vault(data, given), data / KEY_FILE
    if not (keys := vault.ring.keys()):
        text = "There is no key yet; the first sign-in makes one."
        if file.exists():
            text = f"{file} holds no key that can be read."
            yield Checked("key", "failed", text, "Put the right file there, or sign in again.")
            return
        yield Checked("key", "ok", text)
    elif given is not None and not vault.ring.is_superseded():
        older = f" {KEY_FILE} opens what was sealed before." if len(keys) > 1 else ""
        yield Checked("key", "ok", f"{VARIABLE} is in force.{older}")
    elif given is not None:
        text = f"{VARIABLE} has been rotated away; {file} is in force."
        yield Checked("key", "warn", text, f"Give the newer key, or take {VARIABLE} out.")
    else:
        yield Checked("key", "ok", f"{file} is in force. Backups leave it out: keep a copy elsewhere.")
    for path, name in _secret_files(data):
        yield from _sealed(vault, path, name)
    for path in (file, data / "calbot.db", *(path for path, _ in _secret_files(data))):
        if path.exists() and path.stat().st_mode & 0o077:
            text = f"Other users of this machine can read {path}."
            yield Checked("key", "warn", text, f"chmod 600 {path}")
    if data.exists() and data.stat().st_mode & 0o022:
        yield Checked("key", "warn", f"Other users of this machine can write to {data}.", f"chmod 700 {data}")


def _secret_files(data: Path) -> list[tuple[Path, str]]:
    """Return the files that are sealed, or will be, each with the name under which it is."""
    signed_in = [(path, path.stem.lower()) for path in sorted((data / "tokens").glob("*@*.json"))]
    mail = [(path, f"mail:{path.stem.lower()}") for path in sorted((data / "mail").glob("*@*.json"))]
    client = data / f"{CLIENT}.json"
    return [*signed_in, *mail, *([(client, CLIENT)] if client.exists() else [])]


def _sealed(vault: Vault, path: Path, name: str) -> Iterator[Checked]:
    try:
        vault.read(path, name)
    except Locked as error:
        remedy = "Give the key it was sealed with, or sign in again."
        yield Checked("key", "failed" if name == CLIENT else "sign_in", f"{path} cannot be opened: {error}.", remedy)
    except OSError as error:
        yield Checked("key", "failed", f"{path} cannot be read: {error.strerror}.", "Correct its permissions.")


def _store(data: Path) -> Iterator[Checked]:
    try:
        Database(data).examine()
    except StoreError as error:
        yield Checked("store", "failed", str(error))
    else:
        yield Checked("store", "ok", f"{data} can be written.")
    place = next(path for path in (data, *data.absolute().parents) if path.exists())
    free = shutil.disk_usage(place).free
    if free < LITTLE_SPACE:
        text = f"{free // 2**20} MiB are free on the disk of {data}."
        yield Checked("disk", "failed", text, "Free some space; a store that cannot be written stops Calbot.")
    else:
        yield Checked("disk", "ok", f"{free / 2**30:.1f} GiB are free.")
    running = local.is_running(data)
    yield Checked("service", "ok", f"A Calbot works in {data}." if running else f"No Calbot works in {data} just now.")


def _held(what: Wanted) -> Iterator[Checked]:
    """Tell what waits for a person; a store that cannot be read has been told of, or is not there yet."""
    try:
        with local.reading(what.data) as database:
            runs = copyhistory.held(database.read())
    except CalbotError:
        return
    for run in runs:
        text = reports.held_line(run, what.settings.time_zone)
        yield Checked("brake", "warn", f"{text}.", f"calbot approve {run.run_id}, or calbot discard {run.run_id}")
