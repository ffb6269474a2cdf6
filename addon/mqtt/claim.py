"""Whose base topic it is: ours, unless the retained info names another Calbot that lives. Pure."""

import dataclasses
from typing import Literal, Self

import msgspec

ANSWER_SECONDS = 10.0
AGAIN_SECONDS = 300.0

Verdict = Literal["ours", "ask", "waiting", "theirs"]


class _Seen(msgspec.Struct):
    iid: str = ""
    id: str | None = None
    accounts: list[str] = []


_decode = msgspec.json.Decoder(_Seen).decode


def _seen(payload: bytes) -> _Seen:
    try:
        return _decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return _Seen()


@dataclasses.dataclass(frozen=True, slots=True)
class Claim:
    """What is known of another installation on our base topic.

    `ping` is the id under which it was asked whether it lives, `until` how long its answer is waited for.
    """

    iid: str
    other: str = ""
    accounts: tuple[str, ...] = ()
    online: bool = False
    ping: str | None = None
    until: float = 0.0
    answered: bool = False

    def after_info(self, payload: bytes) -> Self:
        """Return the claim after the retained info was read. `accounts` are those that were told last."""
        seen = _seen(payload)
        other = seen.iid if seen.iid != self.iid else ""
        return dataclasses.replace(self, other=other, accounts=tuple(seen.accounts))

    def after_availability(self, payload: bytes) -> Self:
        """Return the claim after the availability was read."""
        return dataclasses.replace(self, online=payload == b"online")

    def after_asking(self, ping: str, now: float) -> Self:
        """Return the claim after the other one was asked."""
        return dataclasses.replace(self, ping=ping, until=now + ANSWER_SECONDS)

    def after_response(self, payload: bytes) -> Self:
        """Return the claim after an answer to a ping came by."""
        seen = _seen(payload)
        ours = self.ping is not None and seen.id == self.ping and seen.iid not in {"", self.iid}
        return dataclasses.replace(self, answered=True, other=seen.iid) if ours else self

    def verdict(self, now: float) -> Verdict:
        """Return what follows: publish, ask the other one, wait for it, or leave it the topic."""
        if self.answered:
            return "theirs"
        if not self.other or not self.online:
            return "ours"
        if self.ping is None:
            return "ask"
        return "waiting" if now < self.until else "ours"
