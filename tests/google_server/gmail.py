"""The one Gmail call Calbot makes: sending a message, which lands in the outbox of the world."""

from __future__ import annotations

import base64
import binascii
from email import message_from_bytes
from email.policy import default
from typing import TYPE_CHECKING

from tests.google_server import errors
from tests.google_server.calls import Answer, body_of
from tests.google_server.render import pretty
from tests.google_server.state import SentMail
from tests.google_server.values import Request

if TYPE_CHECKING:
    from tests.google_server.world import World


def send(world: World, account: str, request: Request) -> Answer:
    """Put a message into the outbox; it needs a recipient, as Gmail's does."""
    raw = body_of(request).get("raw")
    if not isinstance(raw, str) or not raw:
        raise errors.Refusal(
            400, "invalidArgument", "'raw' RFC822 payload message string or uploading message required"
        )
    try:
        content = base64.urlsafe_b64decode(raw + "=" * (-len(raw) % 4))
    except (binascii.Error, ValueError) as error:
        raise errors.Refusal(400, "invalidArgument", "Invalid value for ByteString") from error
    message = message_from_bytes(content, policy=default)
    to = str(message["To"] or "")
    if not to:
        raise errors.Refusal(400, "invalidArgument", "Recipient address required")
    number = world.next("gmail")
    subject = str(message["Subject"] or "")
    text = content.decode("utf-8", "replace")
    world.gmail.append(SentMail(number, account, to, subject, text, world.now()))
    name = f"{number:016x}"
    return Answer(pretty({"id": name, "threadId": name, "labelIds": ["SENT"]}) + "\n")
