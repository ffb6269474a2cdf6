"""Writes secrets over and over, in a process that is to be killed at it: `python -m tests.service.writing WORK DATA`.

For each line that comes in, a child is forked that goes on until it is killed; its id goes out, and then how it ended.
"""

import mmap
import os
import sys
from ctypes import c_uint64
from pathlib import Path
from typing import IO

from calbot import envfile, rotation
from calbot.vault import KEY_FILE, Vault

ANNA = "anna@example.com"
COUNTS = "counts"


class Counts:
    """How often the work was begun and done, as numbers that several processes see; they lie in a file of 16 bytes."""

    def __init__(self, file: IO[bytes]) -> None:
        memory = mmap.mmap(file.fileno(), 16)
        self.begun, self.done = c_uint64.from_buffer(memory, 0), c_uint64.from_buffer(memory, 8)


def save_token(data: Path, number: int) -> None:
    """Keep a token that says the number."""
    Vault(data).write(data / "tokens" / f"{ANNA}.json", ANNA, str(number).encode())


def turn_keys(data: Path, number: int) -> None:
    """Rotate the keys, every third time with the one in force given, as by the environment."""
    given = (data / KEY_FILE).read_text("ascii").split()[0] if number % 3 == 0 else None
    rotation.rotate(data, Vault(data, given))


def encrypt_settings(data: Path, number: int) -> None:
    """Keep settings that say the number."""
    envfile.store(data, Vault(data), f"NUMBER={number}\n" + "# more\n" * 500)


def main(name: str, data: Path) -> None:
    """Fork a child at each line of standard input, and tell of it."""
    work = {"save_token": save_token, "turn_keys": turn_keys, "encrypt_settings": encrypt_settings}[name]
    with (data / COUNTS).open("r+b") as file:
        counts = Counts(file)
    for _ in sys.stdin:
        child = os.fork()
        while child == 0:
            counts.begun.value += 1
            work(data, counts.begun.value)
            counts.done.value = counts.begun.value
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
