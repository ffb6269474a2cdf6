"""The channel through the Gmail API: an alert becomes a mail, and its repetition the same mail."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from addon.alerts.judge import Message
from addon.ways import Gmail
from calbot.ports import Clock, Random
from calbot.sources import Endpoints
from calbot.vault import Vault


class Post(Protocol):
    """Who sends mail: `calbot.google.gmail.Gmail`."""

    def check(self, sender: str) -> None:
        """Raise CalbotError when this account cannot send."""
        ...

    def send(
        self,
        sender: str,
        to: Sequence[str],
        subject: str,
        text: str,
        *,
        message_id: str | None = None,
        sent_at: float | None = None,
    ) -> None:
        """Send a mail, once. Raises CalbotError."""
        ...


def by_gmail(data: Path, key: str | None, endpoints: Endpoints, clock: Clock) -> Callable[[], Post]:
    """Return who makes the sender when there is a mail: Google's client takes 30 MiB, which a monitor does without."""

    def made() -> Post:
        from calbot.google.gmail import Gmail as Sender  # noqa: PLC0415 - see above

        return Sender(data, Vault(data, key), clock, api=endpoints.gmail_api, token_uri=endpoints.token_uri)

    return made


class GmailChannel:
    """One way by Gmail. `post` makes the sender when it is needed.

    When Google's answer to a mail is lost, the mail is sent again: the right to send does not include the right to
    look whether it went out, and an alert that comes twice does less harm than one that never comes. The second one
    carries the id and the time of the first, by which mail programs know them for one.
    """

    def __init__(self, name: str, way: Gmail, post: Callable[[], Post], clock: Clock, random: Random) -> None:
        self.name = name
        self._way = way
        self._post = post
        self._clock = clock
        self._random = random
        self._begun: tuple[Message, str, float] | None = None

    def check(self) -> None:
        """Look whether the account has allowed it. Raises CalbotError."""
        self._post().check(self._way.sender)

    def send(self, message: Message) -> None:
        """Bring a message. Raises CalbotError."""
        if self._begun is None or self._begun[0] is not message:
            domain = self._way.sender.rpartition("@")[2]
            self._begun = message, f"<calbot-{self._random.token(16).hex()}@{domain}>", self._clock.now()
        _, message_id, sent_at = self._begun
        text = f"{message.text}\n"
        self._post().send(self._way.sender, self._way.to, message.title, text, message_id=message_id, sent_at=sent_at)
        self._begun = None
