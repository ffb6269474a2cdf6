"""kill -9 while secrets are written: a token, the keys, the settings; what was there or what came, and all can be read."""

import contextlib
import multiprocessing
import os
import random
import threading
from collections.abc import Callable
from ctypes import c_uint64
from multiprocessing.sharedctypes import RawArray, RawValue
from pathlib import Path
from typing import Any

import pytest

from calbot import envfile, rotation
from calbot.vault import KEY_FILE, Vault

KILLS = int(os.environ.get("CALBOT_TEST_FILE_KILLS", "200"))
ANNA = "anna@example.com"
TOKENS = [f"tokens/{name}@example.com.json" for name in ("anna", "bob", "carol")]

Work = Callable[[Path, int], None]


def save_token(data: Path, number: int) -> None:
    """Keep a token that says the number."""
    Vault(data).write(data / TOKENS[0], ANNA, f"token {number}".encode())


def turn_keys(data: Path, number: int) -> None:
    """Rotate the keys, every third time as with a key of the environment."""
    given = (data / KEY_FILE).read_text("ascii").split()[0] if number % 3 == 0 else None
    rotation.rotate(data, Vault(data, given))


def encrypt_settings(data: Path, number: int) -> None:
    """Keep settings that say the number."""
    envfile.store(data, Vault(data), f"POLL_INTERVAL_MINUTES={number}\n" + "# more\n" * 500)


WORK: dict[str, Work] = {"save": save_token, "turn": turn_keys, "encrypt": encrypt_settings}


def work_on(work: str, data: str, begun: Any, done: Any) -> None:
    """Do it over and over, and count each time before and after."""
    while True:
        begun.value += 1
        WORK[work](Path(data), begun.value)
        done.value = begun.value


def killed_at_random_moments(work: str, data: Path, look: Callable[[int, int], None]) -> int:
    """Kill a process at this work again and again, and look; return how many kills hit work that was under way.

    `look` is told how often the work was done, and how often it was begun.
    """
    seed = int(os.environ.get("CALBOT_TEST_SEED", "0")) or random.randrange(1, 10**6)
    print(f"CALBOT_TEST_SEED={seed}")
    dice = random.Random(seed)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["calbot.envfile", "calbot.rotation"])
    begun, done = RawValue(c_uint64, 0), RawValue(c_uint64, 0)
    hits = 0
    for _ in range(KILLS):
        done_before = done.value
        process = context.Process(target=work_on, args=(work, str(data), begun, done), daemon=True)
        process.start()
        while begun.value == done_before and process.is_alive():
            threading.Event().wait(0.0005)
        threading.Event().wait(dice.uniform(0.0, 0.02))
        process.kill()
        process.join(10)
        assert process.exitcode == -9, "it was the kill that ended it"
        hits += begun.value != done.value
        look(done.value, begun.value)
        done.value = begun.value
    print(f"{KILLS} kills, {hits} with work under way, {begun.value} times begun")
    return hits
