"""The engine as `addon/app.py` builds it, for benchmarks that look at it from within its process."""

from collections.abc import Callable
from pathlib import Path

from calbot.clock import SystemClock, SystemRandom
from calbot.engine import Engine
from calbot.google.accounts import GoogleAccounts
from calbot.ports import Accounts
from calbot.settings import Settings
from calbot.store.database import Database


def built(
    directory: Path,
    settings: Settings,
    *,
    calendar_api: str,
    token_uri: str,
    watched: Callable[[Accounts], Accounts] = lambda accounts: accounts,
) -> tuple[Engine, Database]:
    """Return an engine over this data directory, its store open, its threads not started.

    `watched` may put something of the benchmark's between the engine and Google.
    """
    clock, random = SystemClock(), SystemRandom()
    database = Database(directory)
    database.open()
    accounts = GoogleAccounts(directory, clock, random, calendar_api=calendar_api, token_uri=token_uri)
    engine = Engine(settings, watched(accounts), database, clock, random)
    engine.open()
    return engine, database
