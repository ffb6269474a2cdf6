"""The files of signing in, sealed: `client.json`, `tokens/<email>.json`, `mail/<email>.json`."""

import logging
from collections.abc import Iterator
from pathlib import Path

import msgspec

from calbot import secrecy
from calbot.errors import CalbotError
from calbot.google.accounts import DEFAULT_TOKEN_URI
from calbot.google.consent import CALENDARS, MAIL, Purpose, SignedIn
from calbot.google.turns import Client
from calbot.vault import Locked, Vault

CLIENT = "client"
log = logging.getLogger(__name__)


class CannotKeep(CalbotError):
    """A file of the sign-in cannot be written or removed; the text says why and what helps."""


class Kept(msgspec.Struct, frozen=True):
    """What a token file says besides its secrets. `expires_at` in epoch seconds, where Google named an end.

    `missing` are the boxes of Google’s page that were not ticked; a file that does not name its scopes has none.
    """

    email: str
    usable: bool
    expires_at: float | None = None
    client_id: str = ""
    missing: tuple[str, ...] = ()


class Token(msgspec.Struct, frozen=True):
    """A consent, as Google's authorised-user document says it. `expires_at` in epoch seconds, where Google named it."""

    refresh_token: str
    client_id: str
    client_secret: str = ""
    token_uri: str = DEFAULT_TOKEN_URI
    scopes: tuple[str, ...] | str | None = None
    expires_at: float | None = None

    def __repr__(self) -> str:
        """Return it without its secrets."""
        return f"Token(of the client {self.client_id!r})"

    def missing(self, purpose: Purpose) -> tuple[str, ...]:
        """Return the boxes that were not ticked, where it is known which were."""
        scopes = self.scopes.split() if isinstance(self.scopes, str) else self.scopes
        return purpose.missing(scopes) if scopes else ()


class Wallet:
    """Keeps and finds the clients and tokens of one data directory."""

    def __init__(self, data: Path, vault: Vault) -> None:
        self._client = data / "client.json"
        self._folders = {CALENDARS.name: data / "tokens", MAIL.name: data / "mail"}
        self._vault = vault

    def accounts(self) -> tuple[Kept, ...]:
        """Return what there is of each account, usable or not."""
        return tuple(self._kept(CALENDARS))

    def mail_accounts(self) -> tuple[Kept, ...]:
        """Return what there is of each consent to send mail, usable or not."""
        return tuple(self._kept(MAIL))

    def mail_senders(self) -> tuple[str, ...]:
        """Return the accounts that mail can be sent from."""
        return tuple(one.email for one in self._kept(MAIL) if one.usable)

    def mail(self, email: str) -> Token | None:
        """Return an account's consent to send mail, if there is one that can be read."""
        return self._token(MAIL, email.lower())

    def token(self, email: str) -> Token | None:
        """Return an account's consent for its calendars, if there is one that can be read."""
        return self._token(CALENDARS, email.lower())

    def client(self, account: str = "") -> Client | None:
        """Return the client that an account was signed in with, else the one that was given last for everybody."""
        own = self.token(account)
        if own is not None and own.client_secret:
            return Client(own.client_id, own.client_secret)
        try:
            kept = msgspec.json.decode(self._vault.read(self._client, CLIENT), type=dict[str, Client])
        except (OSError, Locked, msgspec.DecodeError, UnicodeDecodeError):
            return None
        found = kept.get("installed")
        secrecy.remember(found.client_secret if found is not None else None)
        return found

    def keep_client(self, client: Client) -> None:
        """Keep the client for sign-ins to come. Raises CannotKeep."""
        self._write(self._client, CLIENT, client.document())

    def keep(self, signed_in: SignedIn) -> None:
        """Keep a consent in place of the one before it for the same purpose. Raises CannotKeep."""
        email, purpose = signed_in.email, signed_in.purpose
        path = dict(self._files(purpose)).get(email, self._folders[purpose.name] / f"{email}.json")
        self._write(path, _sealed_as(purpose, email), signed_in.document)

    def remove(self, account: str) -> None:
        """Remove the account's token file and its consent to send mail, and nothing else. Raises CannotKeep."""
        self.remove_mail(account)
        self._unlink(CALENDARS, account)

    def remove_mail(self, account: str) -> None:
        """Remove the account's consent to send mail. Raises CannotKeep."""
        self._unlink(MAIL, account)

    def seal(self) -> None:
        """Seal what lies there plain. What cannot be sealed stays as it is, and is logged."""
        plain = [
            (_sealed_as(purpose, email), path)
            for purpose in (CALENDARS, MAIL)
            for email, path in self._files(purpose)
            if self._token(purpose, email) is not None
        ]
        plain += [(CLIENT, self._client)] if self._client.exists() else []
        for name, path in plain:
            try:
                if self._vault.seal(path, name):
                    log.info("%s is sealed now.", path.name)
            except Locked:
                pass  # The account says so, with its remedy.
            except OSError as error:
                log.warning("%s cannot be sealed: %s. It is used as it is.", path.name, error.strerror)

    def _write(self, path: Path, name: str, content: bytes) -> None:
        try:
            self._vault.write(path, name, content)
        except OSError as error:
            raise CannotKeep(f"The sign-in cannot be kept: {error.strerror}. Free some disk space.") from None
        except Locked as error:
            raise CannotKeep(f"The sign-in cannot be kept: {error}") from None

    def _unlink(self, purpose: Purpose, account: str) -> None:
        for email, path in self._files(purpose):
            if email == account:
                try:
                    with self._vault.steady():  # Else one that is being renewed just now would come back.
                        path.unlink(missing_ok=True)
                except OSError as error:
                    raise CannotKeep(f"{path} cannot be removed: {error.strerror}.") from None

    def _kept(self, purpose: Purpose) -> Iterator[Kept]:
        for email, path in self._files(purpose):
            token = self._read(purpose, path, email)
            if token is None:
                yield Kept(email, usable=False)
            else:
                yield Kept(email, True, token.expires_at, token.client_id, token.missing(purpose))

    def _token(self, purpose: Purpose, email: str) -> Token | None:
        path = dict(self._files(purpose)).get(email)
        return self._read(purpose, path, email) if path is not None else None

    def _read(self, purpose: Purpose, path: Path, email: str) -> Token | None:
        try:
            content = self._vault.read(path, _sealed_as(purpose, email))
            found = msgspec.json.decode(content.removeprefix(b"\xef\xbb\xbf"), type=Token)
        except (OSError, Locked, msgspec.DecodeError, UnicodeDecodeError):
            return None
        secrecy.remember(found.refresh_token, found.client_secret)
        return found if found.refresh_token and found.client_id else None

    def _files(self, purpose: Purpose) -> list[tuple[str, Path]]:
        try:
            paths = sorted(self._folders[purpose.name].glob("*.json"))
        except OSError:
            return []
        return [(path.stem.lower(), path) for path in paths if "@" in path.stem and not path.name.startswith(".")]


def _sealed_as(purpose: Purpose, email: str) -> str:
    """Return the name under which a consent is sealed, so that none can be passed off as one for another purpose."""
    return email if purpose is CALENDARS else f"{purpose.name}:{email}"
