"""The files of signing in, sealed: `client.json` and `tokens/<email>.json` in the data directory."""

import logging
from pathlib import Path

import msgspec

from calbot.errors import CalbotError
from calbot.google.consent import SignedIn
from calbot.google.turns import Client
from calbot.vault import Locked, Vault

CLIENT = "client"
log = logging.getLogger(__name__)


class CannotKeep(CalbotError):
    """A file of the sign-in cannot be written or removed; the text says why and what helps."""


class Kept(msgspec.Struct, frozen=True):
    """What a token file says besides its secrets. `expires_at` in epoch seconds, where Google named an end."""

    email: str
    usable: bool
    expires_at: float | None = None


class _Document(msgspec.Struct):
    refresh_token: str
    client_id: str
    client_secret: str = ""
    expires_at: float | None = None


class Wallet:
    """Keeps and finds the clients and tokens of one data directory."""

    def __init__(self, data: Path, vault: Vault) -> None:
        self._client = data / "client.json"
        self._tokens = data / "tokens"
        self._vault = vault

    def accounts(self) -> tuple[Kept, ...]:
        """Return what there is of each account, usable or not."""
        found = []
        for email, path in self._files():
            document = self._document(path, email)
            usable = document is not None
            found.append(Kept(email, usable, document.expires_at if document is not None else None))
        return tuple(found)

    def client(self, account: str = "") -> Client | None:
        """Return the client that an account was signed in with, else the one that was given last."""
        path = dict(self._files()).get(account)
        own = self._document(path, account) if path is not None else None
        if own is not None and own.client_secret:
            return Client(own.client_id, own.client_secret)
        try:
            kept = msgspec.json.decode(self._vault.read(self._client, CLIENT), type=dict[str, Client])
        except (OSError, Locked, msgspec.DecodeError, UnicodeDecodeError):
            return None
        return kept.get("installed")

    def keep_client(self, client: Client) -> None:
        """Keep the client for sign-ins to come. Raises CannotKeep."""
        self._write(self._client, CLIENT, client.document())

    def keep(self, signed_in: SignedIn) -> None:
        """Keep an account's token in place of the one before. Raises CannotKeep."""
        email = signed_in.email
        path = dict(self._files()).get(email, self._tokens / f"{email}.json")
        self._write(path, email, signed_in.document)

    def remove(self, account: str) -> None:
        """Remove the account's token file, and nothing else. Raises CannotKeep."""
        path = dict(self._files()).get(account)
        try:
            if path is not None:
                path.unlink(missing_ok=True)
        except OSError as error:
            raise CannotKeep(f"{path} cannot be removed: {error.strerror}.") from None

    def seal(self) -> None:
        """Seal what lies there plain. What cannot be sealed stays as it is, and is logged."""
        plain = [(email, path) for email, path in self._files() if self._document(path, email) is not None]
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

    def _document(self, path: Path, email: str) -> _Document | None:
        try:
            found = msgspec.json.decode(self._vault.read(path, email).removeprefix(b"\xef\xbb\xbf"), type=_Document)
        except (OSError, Locked, msgspec.DecodeError, UnicodeDecodeError):
            return None
        return found if found.refresh_token and found.client_id else None

    def _files(self) -> list[tuple[str, Path]]:
        try:
            paths = sorted(self._tokens.glob("*.json"))
        except OSError:
            return []
        return [(path.stem.lower(), path) for path in paths if "@" in path.stem and not path.name.startswith(".")]
