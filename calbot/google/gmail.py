"""Sends a mail by the Gmail API, with the consent that one account gave for that alone."""

import base64
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path
from typing import NoReturn

import msgspec
from google.oauth2.credentials import Credentials
from googleapiclient import discovery
from googleapiclient.errors import HttpError

from calbot import secrecy
from calbot.errors import CalbotError, Refused, RetryLater, SignInNeeded, Uncertain
from calbot.google.accounts import DEFAULT_TOKEN_URI
from calbot.google.errors import reason_of, translated
from calbot.google.transport import AccountHttp, pool
from calbot.ports import Clock
from calbot.vault import Locked, Vault

DEFAULT_API = "https://gmail.googleapis.com/"
LIBRARY = "https://console.cloud.google.com/apis/library/gmail.googleapis.com"
LONGEST_SUBJECT = 200
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,255}")
_FULL = frozenset({"userRateLimitExceeded", "rateLimitExceeded", "dailyLimitExceeded", "quotaExceeded"})


class _Token(msgspec.Struct):
    """A mail consent as it is kept: Google's authorised-user document, in the parts that sending needs."""

    refresh_token: str
    client_id: str
    client_secret: str = ""
    token_uri: str = DEFAULT_TOKEN_URI


class Gmail:
    """Sends from any account whose consent `mail/<email>.json` holds. It is not the token that calendars are read with.

    So a sign-in that died can be told of, and one dies without the other: Google revokes tokens that may send mail
    when the password changes, and leaves those for calendars alone.
    """

    def __init__(
        self, data: Path, vault: Vault, clock: Clock, *, api: str | None = None, token_uri: str | None = None
    ) -> None:
        self._folder = data / "mail"
        self._vault = vault
        self._clock = clock
        self._api = api or DEFAULT_API
        self._token_uri = token_uri

    def check(self, sender: str) -> None:
        """Raise SignInNeeded when there is no consent of this account that can be opened."""
        self._token(sender)

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
        """Send a mail, once. Who repeats it gives the same id and time, so that it can be known for the same.

        Raises CalbotError: SignInNeeded where only a person can help, Uncertain when the answer was lost. Gmail has no
        way to ask whether a mail went out with the right to send alone, so an Uncertain one is the caller's to weigh.
        """
        token = self._token(sender)
        when = sent_at if sent_at is not None else self._clock.now()
        raw = base64.urlsafe_b64encode(rfc5322(sender, to, subject, text, message_id, when)).decode()
        credentials = Credentials(
            token=None,
            refresh_token=token.refresh_token,
            token_uri=self._token_uri or token.token_uri,
            client_id=token.client_id,
            client_secret=token.client_secret,
        )
        # Mails are rare: a connection that was kept would be closed by now, and its loss looks like a lost answer.
        with pool() as connections:
            http = AccountHttp(sender, credentials, connections, self._clock)
            try:
                service = discovery.build(
                    "gmail",
                    "v1",
                    http=http,
                    cache_discovery=False,
                    static_discovery=True,
                    client_options={"api_endpoint": self._api},
                )
                answer = service.users().messages().send(userId="me", body={"raw": raw}).execute(num_retries=0)
            except (HttpError, CalbotError) as error:
                _complain(error, sender)
            finally:
                secrecy.remember(credentials.token, passing=True)
        if not isinstance(answer, dict) or not answer.get("id"):  # Somebody on the way answered; the client takes it.
            raise Uncertain("That was not Gmail's answer; the mail may have gone out or not.", "upstream_5xx")

    def _token(self, sender: str) -> _Token:
        path = self._folder / f"{sender}.json"
        try:
            token = msgspec.json.decode(
                self._vault.read(path, f"mail:{sender}").removeprefix(b"\xef\xbb\xbf"), type=_Token
            )
        except FileNotFoundError:
            raise SignInNeeded(
                f"{sender} has not allowed Calbot to send mail; {_remedy(sender)}.", "auth_revoked"
            ) from None
        except OSError as error:
            text = f"The consent of {sender} to send mail cannot be read ({error.strerror}); {_remedy(sender)}."
            raise SignInNeeded(text, "auth_revoked") from None
        except Locked as error:
            text = f"The consent of {sender} to send mail cannot be opened: {error}. Once more: {_remedy(sender)}."
            raise SignInNeeded(text, "auth_revoked") from None
        except (msgspec.DecodeError, UnicodeDecodeError):
            text = f"mail/{sender}.json is not a Google token; {_remedy(sender)}."
            raise SignInNeeded(text, "auth_revoked") from None
        secrecy.remember(token.refresh_token, token.client_secret)
        return token


def rfc5322(sender: str, to: Sequence[str], subject: str, text: str, message_id: str | None, sent_at: float) -> bytes:
    """Return a mail as it is sent (RFC 5322). Raises Refused for an address that would be more than one.

    The subject becomes one line whatever is in it, so it cannot add a header.
    """
    for address in (sender, *to):
        if not _ADDRESS.fullmatch(address):
            raise Refused("A mail cannot be addressed: an address in alerts.gmail is none.", "invalid_request")
    one_line = " ".join("".join(sign if sign.isprintable() else " " for sign in subject).split())
    mail = EmailMessage(policy=SMTP)
    mail["From"] = Address("Calbot", addr_spec=sender)
    mail["To"] = [Address(addr_spec=address) for address in to]
    mail["Subject"] = one_line[:LONGEST_SUBJECT] or "Calbot"
    mail["Date"] = format_datetime(datetime.fromtimestamp(sent_at, UTC))
    if message_id is not None:
        mail["Message-ID"] = message_id
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no vacation answers to it
    mail.set_content(text, charset="utf-8")
    return mail.as_bytes()


def _complain(error: HttpError | CalbotError, sender: str) -> NoReturn:
    """Say in our words, with what helps, why a mail did not go out."""
    if isinstance(error, SignInNeeded):
        text = f"Google no longer accepts the consent of {sender} to send mail; {_remedy(sender)}."
        raise SignInNeeded(text, "auth_revoked") from None
    if isinstance(error, CalbotError):
        raise error
    reason = reason_of(error)
    if reason in {"accessNotConfigured", "SERVICE_DISABLED"}:
        text = f"The Gmail API is not enabled in the Google Cloud project of {sender}: enable it at {LIBRARY}."
        raise Refused(text, "forbidden") from None
    if reason in {"insufficientPermissions", "ACCESS_TOKEN_SCOPE_INSUFFICIENT"}:
        text = f"The consent of {sender} does not allow sending mail; {_remedy(sender)}, and tick every box."
        raise SignInNeeded(text, "auth_revoked") from None
    known = translated(error, write=True)
    if reason in _FULL or int(error.resp.status) == 429:
        after = known.after if isinstance(known, RetryLater) else None
        raise RetryLater(f"Gmail lets {sender} send no more mail for now; it is tried later.", "quota_user", after)
    if isinstance(known, Uncertain):
        raise Uncertain(f"Gmail had trouble ({known}); the mail may have gone out or not.", known.reason)
    raise known from None


def _remedy(sender: str) -> str:
    return f"allow it on the panel’s page Accounts, or run: calbot accounts mail {sender}"
