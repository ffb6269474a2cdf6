"""The signed-in accounts: token files in the data directory, each read into its own client."""

import contextlib
import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec
from google.oauth2.credentials import Credentials

from calbot.errors import SignInNeeded
from calbot.google.calendars import DEFAULT_API, GoogleCalendars, service
from calbot.google.transport import AccountHttp, Meter, pool
from calbot.model import Noun
from calbot.ports import Calendars, Clock, Random
from calbot.vault import Locked, Vault

DEFAULT_TOKEN_URI = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
log = logging.getLogger(__name__)


class _Token(msgspec.Struct):
    """Google's authorised-user document, in the parts that signing in needs."""

    refresh_token: str
    client_id: str
    client_secret: str = ""
    token_uri: str = DEFAULT_TOKEN_URI
    expires_at: float | None = None


class _Shut(str):
    """What is wrong with a sign-in that is there, sealed, and cannot be opened: its account says so itself."""

    __slots__ = ()


class _File(Noun, frozen=True):
    """A token file as it was when it was read: what is in it, or the sentence that says what is wrong with it."""

    path: Path
    mark: tuple[int, int]
    token: _Token | str


class GoogleAccounts:
    """Token files `tokens/<email>.json`. A file that is not one is a problem of that account alone.

    `meter` is of the calls of all of them.
    """

    def __init__(
        self,
        directory: Path,
        clock: Clock,
        random: Random,
        *,
        calendar_api: str | None,
        token_uri: str | None,
        vault: Vault | None = None,
        meter: Meter | None = None,
    ) -> None:
        self._vault = vault if vault is not None else Vault(directory)
        self._directory = directory / "tokens"
        self._clock = clock
        self._random = random
        self._api = calendar_api or DEFAULT_API
        self._token_uri = token_uri
        self.meter = meter or Meter()
        self._service: object | None = None
        self._pool = pool(clock)
        self._files: dict[str, _File] = {}

    def emails(self) -> tuple[str, ...]:
        """Return the addresses that are signed in, or were: one whose key is gone is to sign in again."""
        return tuple(email for email, file in self._scan().items() if isinstance(file.token, _Token | _Shut))

    def problems(self) -> tuple[str, ...]:
        """Return a sentence for each token file that is not one."""
        found = (file.token for file in self._scan().values())
        return tuple(text for text in found if isinstance(text, str) and not isinstance(text, _Shut))

    def version(self, email: str) -> int:
        """Return a number that changes when the account's token file is replaced; 0 when there is none."""
        try:
            return self._path(email).stat().st_mtime_ns
        except OSError:
            return 0

    def sign_in_ends(self, email: str) -> float | None:
        """Return when Google ends the account's sign-in by itself, in epoch seconds; None when it named no end."""
        known = self._files.get(email)
        return known.token.expires_at if known is not None and isinstance(known.token, _Token) else None

    def clock_off(self) -> float | None:
        """Return by how many seconds our clock is ahead of Google's; None until Google has answered."""
        return self.meter.clock_off

    def calendars(self, email: str, tick: Callable[[], None] | None = None) -> Calendars:
        """Return the account's calendars, whose every call begins with `tick`. Raises SignInNeeded without a token."""
        found = self._read(self._path(email))
        if isinstance(found, str):
            raise SignInNeeded(found, "auth_revoked")
        credentials = Credentials(
            token=None,
            refresh_token=found.refresh_token,
            token_uri=self._token_uri or found.token_uri,
            client_id=found.client_id,
            client_secret=found.client_secret,
        )
        if self._service is None:
            self._service = service(self._api)
        renewed = partial(self.renewed, email)
        http = AccountHttp(email, credentials, self._pool, self._clock, tick=tick, meter=self.meter, renewed=renewed)
        return GoogleCalendars(self._service, http, self._clock, self._random)

    def renewed(self, email: str, before: str, after: str) -> None:
        """Keep the refresh token that Google gave in place of another, unless a person has signed in or out meanwhile.

        The file's time stays as it was: the account's sign-in is the same, so nobody is to connect anew.
        """
        path = self._path(email)

        def with_it(content: bytes) -> bytes | None:
            document = msgspec.json.decode(content.removeprefix(b"\xef\xbb\xbf"), type=dict[str, object])
            known = document.get("refresh_token") == before
            return msgspec.json.encode({**document, "refresh_token": after}) if known else None

        try:
            if self._vault.change(path, path.stem.lower(), with_it):
                log.info("Google has renewed the sign-in of %s; it is kept.", email)
        except FileNotFoundError:  # The account was removed meanwhile.
            return
        except (OSError, Locked, msgspec.DecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it cannot be opened"
            log.warning("Google has renewed the sign-in of %s, and that cannot be kept: %s.", email, why)

    def _path(self, email: str) -> Path:
        known = self._files.get(email)
        return known.path if known is not None else self._directory / f"{email}.json"

    def _scan(self) -> dict[str, _File]:
        """Look for token files; read those that are new or changed, also in who may read them."""
        found: dict[str, _File] = {}
        try:
            for path in sorted(self._directory.glob("*.json")):
                if "@" in path.stem:
                    with contextlib.suppress(FileNotFoundError):  # It went while we looked, or is a link to nowhere.
                        email, stat, known = path.stem.lower(), path.stat(), self._files.get(path.stem.lower())
                        mark = (stat.st_ctime_ns, stat.st_size)
                        same = known is not None and (known.path, known.mark) == (path, mark)
                        found[email] = known if known is not None and same else _File(path, mark, self._read(path))
        except OSError:  # The next look is a second away.
            return self._files
        self._files = found
        return found

    def _read(self, path: Path) -> _Token | str:
        """Return the token in a file, sealed or plain, or the sentence that says what is wrong with it."""
        remedy = "Sign in again, or put the account's authorised-user JSON there."
        try:
            content = self._vault.read(path, path.stem.lower())
        except FileNotFoundError:
            return f"There is no token file {path.name}. {remedy}"
        except OSError as error:
            return f"The token file {path.name} cannot be read: {error.strerror}. {remedy}"
        except Locked as error:
            return _Shut(f"The sign-in in {path.name} cannot be opened: {error}. Sign in again.")
        try:
            token = msgspec.json.decode(content.removeprefix(b"\xef\xbb\xbf"), type=_Token)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return f"The token file {path.name} is not a Google token (authorised-user JSON). {remedy}"
        if not token.refresh_token or not token.client_id:
            return f"The token file {path.name} lacks its refresh_token or client_id. {remedy}"
        return token
