"""Commands that were accepted, and what was answered: the same command is never carried out twice."""

import msgspec

from calbot.model import Answer, Command
from calbot.store.database import Tx

KEEP_SECONDS = 86400.0

_answer = msgspec.json.Decoder(Answer).decode
_args = msgspec.json.Decoder(dict[str, str | int | float | bool | None]).decode


def add(tx: Tx, command: Command) -> None:
    """Write the command down before anything is done about it."""
    tx.execute(
        "INSERT INTO command (id, name, args, source, received, state) VALUES (?, ?, ?, ?, ?, 'open')",
        (command.id, command.name, msgspec.json.encode(command.args), command.source, command.received),
    )


def known(tx: Tx, command_id: str, now: float) -> tuple[bool, Answer | None]:
    """Say whether this id was accepted in the last 24 h, and its final answer if there is one yet."""
    row = tx.execute(
        "SELECT answer FROM command WHERE id = ? AND received > ?", (command_id, now - KEEP_SECONDS)
    ).fetchone()
    if row is None:
        return False, None
    return True, _answer(row[0]) if row[0] else None


def finish(tx: Tx, command_id: str, answer: Answer, now: float) -> None:
    """Store the final answer."""
    tx.execute(
        "UPDATE command SET state = 'done', answer = ?, finished = ? WHERE id = ?",
        (msgspec.json.encode(answer).decode(), now, command_id),
    )


def unfinished(tx: Tx, *, sources: tuple[str, ...] | None = None) -> list[Command]:
    """Return what was accepted and not answered, oldest first: a restart takes it up again."""
    rows = tx.execute(
        "SELECT id, name, args, source, received FROM command WHERE state != 'done' ORDER BY received, rowid"
    )
    found = [
        Command(id=id_, name=name, args=_args(args), source=source, received=received)
        for id_, name, args, source, received in rows
    ]
    return [command for command in found if sources is None or command.source in sources]


def prune(tx: Tx, now: float) -> None:
    """Forget answered commands after a day."""
    tx.execute("DELETE FROM command WHERE state = 'done' AND received < ?", (now - KEEP_SECONDS,))
