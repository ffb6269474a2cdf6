"""kill -9 while secrets are written: there is what was before or what came, and a fresh vault can read all of it."""

import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from calbot import envfile, rotation
from calbot.vault import KEY_FILE, Vault
from tests.service.running import ROOT
from tests.service.writing import ANNA, COUNTS, Counts

KILLS = int(os.environ.get("CALBOT_TEST_FILE_KILLS", "200"))


def killed_at(work: str, data: Path, look: Callable[[int, int], int]) -> int:
    """Kill a process at this work again and again, and look; return how many kills hit work under way.

    `look` is told the number before and the number that was begun, and returns the one that it finds.
    """
    seed = int(os.environ.get("CALBOT_TEST_SEED", "0")) or random.randrange(1, 10**6)
    dice = random.Random(seed)
    (data / COUNTS).write_bytes(bytes(16))
    with (data / COUNTS).open("r+b") as file:
        counts = Counts(file)
    found = hits = 0
    with subprocess.Popen(
        [sys.executable, "-m", "tests.service.writing", work, str(data)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdin is not None and parent.stdout is not None
        for _ in range(KILLS):
            start = counts.done.value = counts.begun.value
            parent.stdin.write("\n")
            parent.stdin.flush()
            child = int(parent.stdout.readline())
            threading.Event().wait(dice.uniform(0.0, 0.02))
            os.kill(child, signal.SIGKILL)
            assert int(parent.stdout.readline()) == -9, "the kill ended it, no failure of its own"
            hits += counts.begun.value != counts.done.value
            found = look(found if counts.done.value == start else counts.done.value, counts.begun.value)
        parent.stdin.close()
    print(f"CALBOT_TEST_SEED={seed}: {KILLS} kills, {hits} with work under way, {counts.begun.value} times begun")
    return hits


def rests(data: Path) -> list[Path]:
    """Return what killed writers have left."""
    return [*data.rglob(".*.tmp")]


def test_a_token_is_the_old_one_or_the_new_one(data: Path) -> None:
    """Killed at any moment of keeping it; what is left half-written is cleared away by the next start."""

    def look(old: int, new: int) -> int:
        found = int(Vault(data).read(data / "tokens" / f"{ANNA}.json", ANNA))
        assert found in {old, new}
        return found

    Vault(data).write(data / "tokens" / f"{ANNA}.json", ANNA, b"0")

    hits = killed_at("save_token", data, look)

    assert hits > KILLS / 3, "the kills must hit work under way, else nothing is shown"
    assert rests(data), "some hit a file half-written"
    rotation.finish(data, Vault(data))
    assert rests(data) == []


def test_a_rotation_loses_nothing(data: Path) -> None:
    """Killed at any moment of it, every file can be read; the next start ends it, and one key is left."""
    files = {f"tokens/{name}@example.com.json": f"{name}@example.com" for name in ("anna", "bob", "carol")}
    files |= {f"mail/{ANNA}.json": f"mail:{ANNA}", "client.json": "client"}
    for path, name in files.items():
        Vault(data).write(data / path, name, f"secret of {name}".encode())
    envfile.store(data, Vault(data), "NUMBER=0\n")
    envfile.store(data, Vault(data), "NUMBER=1\n")
    most_keys = 0

    def look(_: int, new: int) -> int:
        nonlocal most_keys
        vault = Vault(data)
        assert {path: vault.read(data / path, name).decode() for path, name in files.items()} == {
            path: f"secret of {name}" for path, name in files.items()
        }
        settings = [vault.decrypt((data / name).read_bytes()) for name in (envfile.NAME, envfile.BACKUP)]
        assert settings == [b"NUMBER=1\n", b"NUMBER=0\n"]
        most_keys = max(most_keys, len(vault.ring.keys()))
        if new % 5 == 0:
            rotation.finish(data, vault)
            assert len(vault.ring.keys()) == 1
        return new

    hits = killed_at("turn_keys", data, look)

    assert hits > KILLS / 3 and most_keys > 2, "the kills must hit rotations under way, else nothing is shown"
    rotation.finish(data, Vault(data))
    look(0, 1)
    assert len((data / KEY_FILE).read_text("ascii").split()) == 1
    assert rests(data) == []


def test_settings_are_the_old_ones_or_the_new_ones(data: Path) -> None:
    """Killed at any moment of encrypting them; the backup can be read as well."""

    def look(old: int, new: int) -> int:
        vault = Vault(data)
        found = envfile.opened(data, vault)
        assert found is not None and found.notes == ()
        number = int(envfile.parsed(found.text)["NUMBER"])
        assert number in {old, new}
        before = int(envfile.parsed(vault.decrypt((data / envfile.BACKUP).read_bytes()).decode())["NUMBER"])
        assert before <= number
        return number

    for text in ("NUMBER=0\n", "NUMBER=0\n# again\n"):
        envfile.store(data, Vault(data), text)

    hits = killed_at("encrypt_settings", data, look)

    assert hits > KILLS / 3, "the kills must hit work under way, else nothing is shown"
    rotation.finish(data, Vault(data))
    assert rests(data) == []
