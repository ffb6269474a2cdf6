"""A key is exchanged: every sealed file of a data directory gets the new one, and only then do the old ones go."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from calbot.vault import KEY_FILE, VARIABLE, Locked, Vault

SEALED = ("client*.json", "tokens/*.json", "mail/*.json", ".env.encrypted", ".env.encrypted.bak")
"""Whatever a vault has sealed, as patterns in the data directory."""
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Turned:
    """What came of it. `shut` are the files that no key here opens, each with why; then the old keys stay.

    `superseded`: the environment gives a key that is no longer in force.
    """

    sealed: tuple[str, ...] = ()
    renewed: tuple[str, ...] = ()
    shut: tuple[tuple[str, str], ...] = ()
    superseded: bool = False


def rotate(data: Path, vault: Vault) -> Turned:
    """Make a new key and seal everything with it. Raises Locked, OSError.

    A crash at any moment leaves every file readable, and the next start brings it to its end (`finish`).
    """
    with vault.steady(alone=True):
        there = _sealed_files(data, vault)
        if there and all(_why_shut(vault, path) for path in there):
            raise Locked(
                f"None of the sealed files in {data} can be opened: {_why_shut(vault, there[0])}. Nothing was changed; "
                f"give the key in {VARIABLE}, or put {KEY_FILE} back."
            )
        vault.ring.turn()
        return _all_sealed_anew(data, vault)


def finish(data: Path, vault: Vault) -> None:
    """Bring a rotation to its end that was broken off, or that a given key began. What cannot be is logged."""
    try:
        with vault.steady(alone=True):
            for rest in _rests(data):
                rest.unlink(missing_ok=True)
            if len(vault.ring.keys()) < 2:
                return
            done = _all_sealed_anew(data, vault)
    except Locked as error:
        log.warning("%s The keys stay as they are.", error)
        return
    except OSError as error:
        log.warning("What is sealed with an older key stays so: %s.", error.strerror)
        return
    for name in done.renewed:
        log.info("%s is sealed with the newer key now.", name)
    for name, why in done.shut:
        log.warning("%s cannot be opened: %s. The older keys stay.", name, why)
    if done.superseded:
        log.warning(
            "%s was superseded by a rotation: replace it by the first line of %s, or remove it.", VARIABLE, KEY_FILE
        )


def _all_sealed_anew(data: Path, vault: Vault) -> Turned:
    """Seal everything with the key in force; drop the others if it opens all. Raises Locked, OSError."""
    renewed, shut = [], []
    there = _sealed_files(data, vault)
    for path in there:
        name = str(path.relative_to(data))
        try:
            if vault.renew(path):
                renewed.append(name)
        except Locked as error:
            shut.append((name, str(error)))
        except OSError as error:
            shut.append((name, f"it cannot be read or written ({error.strerror})"))
    if not shut and not any(vault.is_behind(path) for path in there):
        vault.ring.drop_older()
    names = tuple(str(path.relative_to(data)) for path in there)
    return Turned(names, tuple(renewed), tuple(shut), superseded=vault.ring.is_superseded())


def _why_shut(vault: Vault, path: Path) -> str:
    """Return why a sealed file cannot be opened; nothing for one that can."""
    try:
        vault.is_behind(path)
    except Locked as error:
        return str(error)
    except OSError as error:
        return f"it cannot be read ({error.strerror})"
    return ""


def _sealed_files(data: Path, vault: Vault) -> list[Path]:
    """Return the sealed files, and those that cannot be looked into."""
    found = []
    for path in (path for pattern in SEALED for path in sorted(data.glob(pattern))):
        try:
            is_sealed = path.name.startswith(".env") or vault.is_sealed(path)  # Settings are never plain, if damaged.
        except IsADirectoryError:
            continue
        except OSError:
            is_sealed = True
        if is_sealed:
            found.append(path)
    return found


def _rests(data: Path) -> Iterator[Path]:
    """Give what a death in the middle of writing a sealed file or the keys has left."""
    for pattern in (*SEALED, "*.key"):
        folder, _, name = pattern.rpartition("/")
        yield from (data / folder).glob(f".{name}-*.tmp")
