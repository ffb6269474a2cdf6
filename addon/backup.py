"""Copies the store of a running Calbot into one whole file, `backup.db`: what a backup of the data directory takes."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from calbot.errors import StoreError
from calbot.sources import data_directory
from calbot.store.database import BACKUP, Database


def back_up(data: Path) -> Path | None:
    """Replace `backup.db` by a copy of the store as it is now; None when there is no store yet. Raises StoreError.

    The live file is in no backup, so a start that finds `backup.db` alone knows that it was restored.
    """
    target, partial = data / BACKUP, data / f"{BACKUP}.partial"
    try:
        partial.unlink(missing_ok=True)
        if not (data / "calbot.db").exists():
            target.unlink(missing_ok=True)
            return None
        Database(data).copy_to(partial)
        partial.chmod(0o600)
        with partial.open("rb") as copy:
            os.fsync(copy.fileno())
        partial.replace(target)
    except OSError as error:
        raise StoreError(f"The store cannot be copied: {error.strerror}. Free some disk space.") from error
    return target


def main(environ: Mapping[str, str]) -> int:
    """Back the store of this installation up; the exit code."""
    try:
        back_up(data_directory(environ))
    except StoreError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(os.environ))
