"""The signed-in accounts: token files in the data directory, each read into its own client."""

from pathlib import Path

import msgspec
from google.oauth2.credentials import Credentials

from calbot.errors import SignInNeeded
from calbot.google.calendars import DEFAULT_API, GoogleCalendars, service
from calbot.google.transport import AccountHttp, pool
from calbot.ports import Calendars, Clock, Random

DEFAULT_TOKEN_URI = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
_LARGEST = 64 * 1024


class _Token(msgspec.Struct):
    """Google's authorised-user document, in the parts that signing in needs."""

    refresh_token: str
    client_id: str
    client_secret: str = ""
    token_uri: str = DEFAULT_TOKEN_URI


class GoogleAccounts:
    """Token files `tokens/<email>.json`. A file that is not one is a problem of that account alone."""

    def __init__(
        self,
        directory: Path,
        clock: Clock,
        random: Random,
        *,
        calendar_api: str | None,
        token_uri: str | None,
    ) -> None:
        self._directory = directory / "tokens"
        self._clock = clock
        self._random = random
        self._api = calendar_api or DEFAULT_API
        self._token_uri = token_uri
        self._service: object | None = None
        self._pool = pool()

    def emails(self) -> tuple[str, ...]:
        """Return the addresses that have a usable token file."""
        return tuple(email for email, path in self._files() if isinstance(_read(path), _Token))

    def problems(self) -> tuple[str, ...]:
        """Return a sentence for each token file that is not one."""
        return tuple(found for _, path in self._files() if isinstance(found := _read(path), str))

    def version(self, email: str) -> int:
        """Return a number that changes when the account's token file is replaced; 0 when there is none."""
        try:
            return self._path(email).stat().st_mtime_ns
        except OSError:
            return 0

    def calendars(self, email: str) -> Calendars:
        """Return the account's calendars. Raises SignInNeeded when it has no usable token."""
        found = _read(self._path(email))
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
        http = AccountHttp(email, credentials, self._pool, self._clock)
        return GoogleCalendars(self._service, http, self._clock, self._random)

    def _path(self, email: str) -> Path:
        return dict(self._files()).get(email, self._directory / f"{email}.json")

    def _files(self) -> list[tuple[str, Path]]:
        try:
            paths = sorted(self._directory.glob("*.json"))
        except OSError:
            return []
        return [(path.stem.lower(), path) for path in paths if "@" in path.stem]


def _read(path: Path) -> _Token | str:
    """Return the token in a file, or the sentence that says what is wrong with it."""
    remedy = "Sign in again, or put the account's authorised-user JSON there."
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except FileNotFoundError:
        return f"There is no token file {path.name}. {remedy}"
    except OSError as error:
        return f"The token file {path.name} cannot be read: {error.strerror}. {remedy}"
    try:
        token = msgspec.json.decode(content.removeprefix(b"\xef\xbb\xbf"), type=_Token)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return f"The token file {path.name} is not a Google token (authorised-user JSON). {remedy}"
    if not token.refresh_token or not token.client_id:
        return f"The token file {path.name} lacks its refresh_token or client_id. {remedy}"
    return token
