"""A directory as an earlier calendar bot leaves it: a sealed env, a list, plain tokens, the client that it used."""

import base64
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from cryptography.fernet import Fernet

from tests.google_server.http import GoogleServer
from tests.google_server.tokens import CALENDAR_SCOPES

KEY = base64.urlsafe_b64encode(b"the key of an earlier bot: 32 b.").decode()
CLIENT = {"client_id": "calbot-client", "client_secret": "calbot-secret"}
EVENT, OTHER = "abc123def456ghi789jkl012mn", "0123456789abcdefghijklmnop"
"""Ids as Google makes them."""


class EarlierBot:
    """The directory; each method leaves one thing in it. `secrets` are all that nobody may ever print."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.secrets = {KEY, CLIENT["client_secret"]}
        folder.mkdir(parents=True, exist_ok=True)

    def env(self, name: str = ".env.encrypted", **values: str) -> None:
        """Its settings, sealed where the name says so."""
        text = "# the bot's settings\n" + "".join(f"{key}={value}\n" for key, value in values.items())
        content = text.encode() if name == ".env" else Fernet(KEY).encrypt(text.encode())
        (self.folder / name).write_bytes(content)
        self.secrets |= {value for key, value in values.items() if key.endswith(("_KEY", "_TOKEN"))}

    def processed(self, content: object, name: str = "processed_events.json") -> None:
        """Its list of processed events."""
        (self.folder / name).write_text(json.dumps(content))

    def token(
        self,
        google: GoogleServer,
        of: str,
        name: str,
        scopes: tuple[str, ...] = CALENDAR_SCOPES,
        **more: object,
    ) -> dict[str, object]:
        """A token as google-auth writes it, in `token_<name>.json`; the document."""
        document = {
            "token": f"ya29.old-access-of-{of}",
            **google.token_document(of, scopes),
            "universe_domain": "googleapis.com",
            "account": "",
            "expiry": "2026-11-20T08:00:00.000000Z",
            **more,
        }
        (self.folder / f"token_{name}.json").write_text(json.dumps(document))
        self.secrets |= {str(document["token"]), str(document["refresh_token"])}
        return document

    def client(self, name: str = "client_secret.json", kind: str = "installed", **more: str) -> None:
        """The file of an OAuth client, as Google Cloud gives it."""
        uris = {"token_uri": "https://oauth2.googleapis.com/token", "redirect_uris": ["http://localhost"]}
        (self.folder / name).write_text(json.dumps({kind: {**CLIENT, **uris, **more}}))

    def state(self) -> Mapping[str, str]:
        """Everything in the directory, to compare with later."""
        files = sorted(path for path in self.folder.rglob("*") if path.is_file() and not path.is_symlink())
        return {
            str(path): f"{path.stat().st_mtime_ns} {hashlib.sha256(path.read_bytes()).hexdigest()}" for path in files
        }

    def shown_in(self, *texts: str) -> list[str]:
        """The secrets that are in one of these texts."""
        return [secret for secret in self.secrets for text in texts if secret in text]
