"""What is still to be said: outcomes wait here, in the transaction that made them true, until they are sent."""

import msgspec

from calbot.identity import ulid
from calbot.model import Notice, Outcome, Outgoing, Stream
from calbot.ports import Random
from calbot.store.database import Tx

KEEP_SECONDS = 7 * 86400.0
KEEP_ROWS = 50_000
STREAMS: tuple[Stream, ...] = ("calendar", "system")

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Outcome | Notice).decode


def put(tx: Tx, contents: list[Outcome | Notice], now: float, random: Random) -> None:
    """Append to each content's stream, numbering without gaps."""
    for content in contents:
        stream: Stream = "calendar" if isinstance(content, Outcome) else "system"
        tx.execute(
            "INSERT INTO outbox (stream, seq, id, body, created) "
            "VALUES (?1, 1 + coalesce((SELECT max(seq) FROM outbox WHERE stream = ?1), 0), ?2, ?3, ?4)",
            (stream, ulid(now, random.token(10)), _encode(content), now),
        )


def newest(tx: Tx, stream: Stream) -> int:
    """Return the highest number of the stream; 0 when it is empty."""
    (seq,) = tx.execute("SELECT coalesce(max(seq), 0) FROM outbox WHERE stream = ?", (stream,)).fetchone()
    return int(seq)


def waiting(tx: Tx, stream: Stream, limit: int = 100) -> list[Outgoing]:
    """Return the oldest rows that were not sent, in order."""
    return _rows(tx, "stream = ? AND state = 'waiting' ORDER BY seq LIMIT ?", (stream, limit))


def since(tx: Tx, stream: Stream, seq: int, limit: int = 100) -> list[Outgoing]:
    """Return the rows from `seq` on, sent or not, in order."""
    return _rows(tx, "stream = ? AND seq >= ? ORDER BY seq LIMIT ?", (stream, seq, limit))


def latest(tx: Tx, stream: Stream, limit: int) -> list[Outgoing]:
    """Return the newest rows, sent or not, newest first."""
    return _rows(tx, "stream = ? ORDER BY seq DESC LIMIT ?", (stream, limit))


def mark_tried(tx: Tx, stream: Stream, seq: int) -> None:
    """Note that the row was handed to the broker; from now on it counts as a replay."""
    tx.execute("UPDATE outbox SET attempts = attempts + 1 WHERE stream = ? AND seq = ?", (stream, seq))


def mark_sent(tx: Tx, stream: Stream, seqs: list[int], now: float) -> None:
    """Note that the broker took the rows and had somebody to give them to."""
    tx.executemany(
        "UPDATE outbox SET state = 'sent', sent_at = ?, attempts = attempts + 1 WHERE stream = ? AND seq = ?",
        [(now, stream, seq) for seq in seqs],
    )


def depth(tx: Tx) -> int:
    """Return how many rows wait."""
    (count,) = tx.execute("SELECT count(*) FROM outbox WHERE state = 'waiting'").fetchone()
    return int(count)


def prune(tx: Tx, now: float) -> int:
    """Drop what is too old or too much; return how many dropped rows had not been sent.

    The newest row of each stream stays, so that numbering goes on.
    """
    lost = 0
    for stream in STREAMS:
        last = newest(tx, stream)
        doomed = "stream = ? AND seq < ? AND (created < ? OR seq <= ?)"
        bounds = (stream, last, now - KEEP_SECONDS, last - KEEP_ROWS)
        (unsent,) = tx.execute(f"SELECT count(*) FROM outbox WHERE {doomed} AND state = 'waiting'", bounds).fetchone()
        tx.execute(f"DELETE FROM outbox WHERE {doomed}", bounds)
        lost += unsent
    return lost


def _rows(tx: Tx, which: str, bounds: tuple[str | int, ...]) -> list[Outgoing]:
    rows = tx.execute(f"SELECT seq, stream, id, body, created, attempts FROM outbox WHERE {which}", bounds)
    return [Outgoing(seq, stream, id_, _decode(body), at, tries) for seq, stream, id_, body, at, tries in rows]
