"""Settings that people switched while running, small facts of the installation, and the accounts' short ids."""

from calbot.ports import Random
from calbot.store.database import Tx

HOME_ASSISTANT_SEEN = "homeassistant_seen"
"""The fact that somebody who fetches announcements was there once."""
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


def short_id(length: int, random: Random) -> str:
    """Return `length` characters of [a-z0-9]."""
    return "".join(_LETTERS[byte % len(_LETTERS)] for byte in random.token(length))


def fact(tx: Tx, key: str) -> str | None:
    """Return a fact of the installation."""
    row = tx.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return str(row[0]) if row else None


def remember(tx: Tx, key: str, value: str) -> None:
    """Keep a fact of the installation."""
    tx.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (key, value))


def installation_id(tx: Tx, random: Random) -> str:
    """Return the installation's id, made once."""
    known = fact(tx, "iid")
    if known is None:
        known = short_id(6, random)
        remember(tx, "iid", known)
    return known


def account_id(tx: Tx, email: str, random: Random) -> str:
    """Return the account's short id, made once."""
    row = tx.execute("SELECT aid FROM account WHERE email = ?", (email,)).fetchone()
    if row:
        return str(row[0])
    taken = {aid for (aid,) in tx.execute("SELECT aid FROM account")}
    while (aid := short_id(4, random)) in taken:
        pass
    tx.execute("INSERT INTO account (email, aid) VALUES (?, ?)", (email, aid))
    return aid


def sign_in_problem(tx: Tx, email: str) -> str | None:
    """Return why the account's sign-in is dead, if we have said so already."""
    row = tx.execute("SELECT sign_in_problem FROM account WHERE email = ?", (email,)).fetchone()
    return row[0] if row else None


def set_sign_in_problem(tx: Tx, email: str, problem: str | None) -> None:
    """Remember that the account's sign-in is dead, or that it lives."""
    tx.execute("UPDATE account SET sign_in_problem = ? WHERE email = ?", (problem, email))


def rest(tx: Tx, email: str, until: float | None) -> None:
    """Remember until when Google's quota lets the account invite nobody (epoch seconds)."""
    tx.execute("UPDATE account SET rest_until = ? WHERE email = ?", (until, email))


def resting_until(tx: Tx, email: str) -> float | None:
    """Return until when Google's quota lets the account invite nobody."""
    row = tx.execute("SELECT rest_until FROM account WHERE email = ?", (email,)).fetchone()
    return row[0] if row else None


def switch(tx: Tx, key: str, value: str, basis: str) -> None:
    """Let `value` win over the option, until the option is no longer `basis`."""
    tx.execute("INSERT OR REPLACE INTO setting (key, value, basis) VALUES (?, ?, ?)", (key, value, basis))


def unswitch(tx: Tx, key: str) -> None:
    """Let the option speak again."""
    tx.execute("DELETE FROM setting WHERE key = ?", (key,))


def switched(tx: Tx) -> dict[str, tuple[str, str]]:
    """Return each switched key's value and the option's text when it was switched."""
    return {key: (value, basis) for key, value, basis in tx.execute("SELECT key, value, basis FROM setting")}
