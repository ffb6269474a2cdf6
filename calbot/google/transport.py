"""HTTP for the official client over urllib3: keep-alive, timeouts, sign-in, a call budget, and no silent repeats.

The client's own httplib2 sends a POST again when a connection closes unanswered, whatever its settings; this
adapter sends each request once and says whether it may have arrived.
"""

import threading
from collections import deque
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime

import httplib2
import urllib3
from google.auth.exceptions import GoogleAuthError, RefreshError
from google.auth.transport.urllib3 import Request as RefreshRequest
from google.oauth2.credentials import Credentials

from calbot import secrecy
from calbot.clock import SystemClock
from calbot.errors import CalbotError, RetryLater, SignInNeeded, Uncertain
from calbot.google import deadlines
from calbot.ports import Clock

WINDOW_SECONDS = 60.0
WINDOW_CALLS = 480
RESERVED_FOR_READS = 40
LARGEST_ANSWER = 64 * 2**20
LONGEST_REST = 3600.0
ANSWER_SECONDS = 120.0
"""So long after its request an answer is not waited for any more, however steadily it drips."""
LONGEST_FAIR = 10.0
LONGEST_NAP = 20.0
REMEMBERED_CALLS = 1000
_ASKS_TO_WAIT = frozenset({403, 429, 503})
_NOT_SENT = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)
DEAD_SIGN_INS = frozenset(
    {
        *("invalid_grant", "invalid_client", "unauthorized_client", "deleted_client", "disabled_client"),
        *("invalid_scope", "admin_policy_enforced", "org_internal"),
    }
)


class Dragged(RetryLater):
    """An answer did not come to its end in all the time there is: not to be tried again at once."""


def pool(clock: Clock | None = None) -> urllib3.PoolManager:
    """Return the one connection pool that all accounts share."""
    patience = urllib3.Timeout(connect=10.0, read=30.0)
    connections = urllib3.PoolManager(num_pools=4, maxsize=16, retries=False, timeout=patience)
    return deadlines.kept_by(connections, clock or SystemClock(), ANSWER_SECONDS)


class Meter:
    """How long Google's calls take, and how our clock stands against Google's. Any thread may write and ask.

    `latency` is of the last call, in seconds. `clock_off` is by how many seconds our clock is ahead; None: unknown.
    """

    def __init__(self) -> None:
        self.latency: float | None = None
        self.clock_off: float | None = None
        self._lately: deque[float] = deque(maxlen=REMEMBERED_CALLS)

    def measured(self, seconds: float, now: float, date: str | None) -> None:
        """Take in a call that was answered at `now` (epoch seconds), with the answer's `Date`."""
        self.latency = seconds
        self._lately.append(seconds)
        try:
            theirs = parsedate_to_datetime(date or "").timestamp()
        except (ValueError, OverflowError, TypeError, IndexError):  # The library trusts its text.
            return
        if seconds < LONGEST_FAIR:  # Else nobody knows when in between it was answered.
            self.clock_off = now - seconds / 2 - (theirs + 0.5)  # Google's date is cut to the second.

    def lately(self) -> tuple[float, ...]:
        """Return how long each of the last thousand calls took, in seconds, oldest first."""
        return tuple(self._lately.copy())


class Budget:
    """A sliding window: at most 480 calls of one account in any 60 s, some of them kept for reading.

    Google's own limit is 600 a minute for each user of a project. When Google names a time to wait (`Retry-After`), the
    whole account rests until then.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._calls: deque[float] = deque()
        self._rest_until = 0.0

    def rest(self, seconds: float) -> None:
        """Make no call for so long: Google asked for it."""
        with self._lock:
            self._rest_until = max(self._rest_until, self._clock.monotonic() + min(seconds, LONGEST_REST))

    def take(self, *, write: bool, tick: Callable[[], None]) -> None:
        """Wait until there is room for one call, ticking meanwhile. Raises RetryLater while the account rests."""
        rest = self._rest_until - self._clock.monotonic()
        if rest > 0:
            raise RetryLater("Google asked to be left alone for a while.", "rate_limited", rest)
        limit = WINDOW_CALLS - RESERVED_FOR_READS if write else WINDOW_CALLS
        while (wait := self._try(limit)) > 0:
            tick()
            self._clock.sleep(min(wait, LONGEST_NAP))
        tick()

    def _try(self, limit: int) -> float:
        with self._lock:
            now = self._clock.monotonic()
            while self._calls and self._calls[0] <= now - WINDOW_SECONDS:
                self._calls.popleft()
            if len(self._calls) < limit:
                self._calls.append(now)
                return 0.0
            return self._calls[len(self._calls) - limit] + WINDOW_SECONDS - now


class AccountHttp:
    """What the client takes for an `httplib2.Http`: `request` and nothing else, safe for many threads.

    `tick` is called as each call begins. `renewed` hears of a new refresh token: the one before, and the new one.
    """

    def __init__(
        self,
        email: str,
        credentials: Credentials,
        pool: urllib3.PoolManager,
        clock: Clock,
        *,
        tick: Callable[[], None] | None = None,
        meter: Meter | None = None,
        renewed: Callable[[str, str], None] | None = None,
    ) -> None:
        self._email = email
        self._credentials = credentials
        self._pool = pool
        self._clock = clock
        self._budget = Budget(clock)
        self._tick = tick or _nothing
        self._meter = meter or Meter()
        self._renewed = renewed
        self._refreshing = threading.Lock()
        secrecy.remember(credentials.refresh_token, credentials.client_secret)

    def request(
        self,
        uri: str,
        method: str = "GET",
        body: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
        **_ignored: object,
    ) -> tuple[httplib2.Response, bytes]:
        """Send one request, once. Raises RetryLater, Uncertain or SignInNeeded when there is no answer."""
        token = self._token(not_this=None)
        answer, content = self._send(uri, method, body, headers or {}, token)
        if answer.status == 401:
            token = self._token(not_this=token)
            answer, content = self._send(uri, method, body, headers or {}, token)
        return answer, content

    def _send(
        self, uri: str, method: str, body: bytes | str | None, headers: Mapping[str, str], token: str
    ) -> tuple[httplib2.Response, bytes]:
        write = method != "GET"
        self._budget.take(write=write, tick=self._tick)
        began = self._clock.monotonic()
        try:
            response = self._pool.request(
                method,
                uri,
                body=body,
                headers={**headers, "authorization": f"Bearer {token}"},
                redirect=False,
                preload_content=False,
            )
            content = response.read(LARGEST_ANSWER + 1)
            if len(content) > LARGEST_ANSWER:
                response.close()
                raise RetryLater("Google's answer is larger than 64 MiB.", "upstream_5xx")
            response.release_conn()
        except urllib3.exceptions.HTTPError as error:
            slow = self._clock.monotonic() - began >= ANSWER_SECONDS
            raise _translated(error, write=write, slow=slow) from error
        if response.status < 500:
            date = response.headers.get("date")
            self._meter.measured(self._clock.monotonic() - began, self._clock.now(), date)
        if response.status in _ASKS_TO_WAIT and (seconds := asked_to_wait(response.headers.get("retry-after"))):
            self._budget.rest(seconds)
        fields = {name.lower(): value for name, value in response.headers.items() if name.lower() != "content-encoding"}
        return httplib2.Response({**fields, "status": str(response.status)}), content

    def _token(self, *, not_this: str | None) -> str:
        """Return a token that is good, renewing it if it is `not_this`; many threads renew once."""
        with self._refreshing:
            if not self._credentials.valid or self._credentials.token == not_this:
                self._refresh()
            return str(self._credentials.token)

    def _refresh(self) -> None:
        self._tick()
        before = str(self._credentials.refresh_token)
        try:
            self._credentials.refresh(RefreshRequest(self._pool))
        except RefreshError as error:
            if not _is_dead(error):
                raise RetryLater("Google's sign-in service does not answer just now.", "upstream_5xx") from error
            message = f"Google no longer accepts the sign-in of {self._email}; open Calbot and press Sign in again."
            raise SignInNeeded(message, "auth_revoked") from error
        except (GoogleAuthError, urllib3.exceptions.HTTPError) as error:
            raise RetryLater("Google's sign-in service cannot be reached.", "network") from error
        except (ValueError, TypeError, KeyError, AttributeError) as error:  # The library trusts every 200.
            raise RetryLater("Google's sign-in service gave an answer that is not one.", "upstream_5xx") from error
        after = str(self._credentials.refresh_token)
        secrecy.remember(str(self._credentials.token), after)
        if after != before and self._renewed is not None:
            self._renewed(before, after)


def _nothing() -> None:
    pass


def asked_to_wait(retry_after: str | None) -> float | None:
    """Return the seconds of a `Retry-After` header; Google sends a number, never a date."""
    value = retry_after or ""
    return float(value) if value.isdecimal() and len(value) < 7 else None


def _is_dead(error: RefreshError) -> bool:
    """Say whether Google refuses the sign-in itself; anything else that the sign-in service answers may pass."""
    answer = error.args[1] if len(error.args) > 1 else None
    if isinstance(answer, dict):
        return answer.get("error") in DEAD_SIGN_INS
    # The library's own words for an `invalid_grant` by which a Workspace asks for the password again.
    return str(error).startswith("Reauthentication is needed")


def _translated(error: urllib3.exceptions.HTTPError, *, write: bool, slow: bool) -> CalbotError:
    """Say in our words what urllib3 met: whether the request can have arrived decides."""
    timeout = isinstance(error, urllib3.exceptions.TimeoutError)
    text = "Google did not answer in time." if timeout else "Google cannot be reached, or the connection broke."
    if write and not isinstance(error, _NOT_SENT):
        return Uncertain(text, "timeout" if timeout else "network")
    return (Dragged if slow else RetryLater)(text, "timeout" if timeout else "network")
