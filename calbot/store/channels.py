"""Push channels, written down before Google is asked for them."""

from calbot.model import CalendarKey, Channel
from calbot.store.database import Tx


def save(tx: Tx, channel: Channel) -> None:
    """Write the channel as it is now."""
    tx.execute(
        "INSERT OR REPLACE INTO channel (id, account, calendar, address, created, resource_id, expires, confirmed) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            channel.id,
            channel.key.account,
            channel.key.calendar,
            channel.address,
            channel.created,
            channel.resource_id,
            channel.expires,
            channel.confirmed,
        ),
    )


def forget(tx: Tx, channel_id: str) -> None:
    """Drop a channel that is stopped or has run out."""
    tx.execute("DELETE FROM channel WHERE id = ?", (channel_id,))


def everything(tx: Tx) -> list[Channel]:
    """Return every account's channels."""
    accounts = [account for (account,) in tx.execute("SELECT DISTINCT account FROM channel ORDER BY account")]
    return [channel for account in accounts for channel in of_account(tx, account)]


def of_account(tx: Tx, account: str) -> list[Channel]:
    """Return the account's channels, oldest first."""
    rows = tx.execute(
        "SELECT id, calendar, address, created, resource_id, expires, confirmed FROM channel "
        "WHERE account = ? ORDER BY created",
        (account,),
    )
    return [
        Channel(
            id=id_,
            key=CalendarKey(account, calendar),
            address=address,
            created=created,
            resource_id=resource_id,
            expires=expires,
            confirmed=confirmed,
        )
        for id_, calendar, address, created, resource_id, expires, confirmed in rows
    ]
