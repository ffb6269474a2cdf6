"""Promises of the transport: one refresh for many threads, renewed sign-ins kept, slow answers cut off."""

import itertools
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from google.oauth2.credentials import Credentials

from calbot.clock import SystemClock, SystemRandom
from calbot.errors import RetryLater, SignInNeeded, Uncertain
from calbot.google.accounts import GoogleAccounts
from calbot.google.calendars import GoogleCalendars, service
from calbot.google.transport import WINDOW_CALLS, AccountHttp, Budget, Dragged, Meter, pool
from calbot.secrecy import MASK, cleaned
from calbot.vault import Vault
from tests.google_server.http import GoogleServer
from tests.household import ANNA, BOB
from tests.simulation.machine import VirtualClock

THREADS = 40


class FastClock(SystemClock):
    """The machine's clock, running so many times faster."""

    def __init__(self, times: float) -> None:
        self._times = times

    def monotonic(self) -> float:
        return super().monotonic() * self._times


@pytest.fixture
def google() -> Iterator[GoogleServer]:
    """Two people's Google."""
    with GoogleServer(SystemClock(), [ANNA, BOB]) as server:
        yield server


def signed_in(data: Path, google: GoogleServer, *, seal: bool = True) -> GoogleAccounts:
    """Anna's token in the data directory, and who reads it."""
    token = data / "tokens" / f"{ANNA}.json"
    token.parent.mkdir(exist_ok=True)
    token.write_text(json.dumps(google.token_document(ANNA)))
    if seal:
        Vault(data).seal(token, ANNA)
    return reader(data, google)


def reader(data: Path, google: GoogleServer) -> GoogleAccounts:
    """Who reads what is there."""
    accounts = GoogleAccounts(
        data, SystemClock(), SystemRandom(), calendar_api=google.calendar_api, token_uri=google.token_uri
    )
    accounts.emails()
    return accounts


def kept(data: Path) -> str:
    """The refresh token that the file holds."""
    content = Vault(data).read(data / "tokens" / f"{ANNA}.json", ANNA)
    return str(json.loads(content)["refresh_token"])


def together(deed: Callable[[], object]) -> list[object]:
    """Do it in forty threads that begin at the same moment."""
    gate = threading.Barrier(THREADS)

    def one(_: int) -> object:
        gate.wait(10)
        return deed()

    with ThreadPoolExecutor(THREADS) as threads:
        return list(threads.map(one, range(THREADS)))


def test_forty_threads_renew_a_token_once(data: Path, google: GoogleServer) -> None:
    """The first one asks, the others wait for what it got."""
    google.control.set_latency(50)
    anna = signed_in(data, google).calendars(ANNA)

    names = together(lambda: anna.name("primary"))

    assert names == [ANNA] * THREADS
    assert len(google.control.calls("oauth.token")) == 1


def test_a_storm_of_401_renews_once(data: Path, google: GoogleServer) -> None:
    """Forty calls find out at the same time that the token has ended; one refresh helps all of them."""
    google.control.set_latency(50)
    anna = signed_in(data, google).calendars(ANNA)
    anna.name("primary")
    google.control.expire_access_tokens()

    names = together(lambda: anna.name("primary"))

    statuses = [call["status"] for call in google.control.calls("events.list")]
    assert names == [ANNA] * THREADS and statuses.count(401) > 1
    assert len(google.control.calls("oauth.token")) == 2


def test_a_dead_sign_in_asks_once_and_is_no_loop(data: Path, google: GoogleServer) -> None:
    """Each of the threads hears of it."""
    anna = signed_in(data, google).calendars(ANNA)
    google.control.revoke(ANNA)

    with pytest.raises(SignInNeeded, match=ANNA):
        anna.name("primary")

    assert google.control.calls("events.list") == [] and len(google.control.calls("oauth.token")) == 1


@pytest.mark.parametrize("seal", [True, False])
def test_a_renewed_sign_in_is_kept_sealed_and_is_the_same_sign_in(data: Path, google: GoogleServer, seal: bool) -> None:
    """After a restart the new token is the one that works; meanwhile nobody connects anew because of it."""
    accounts = signed_in(data, google, seal=seal)
    google.world.tokens.rotates = True
    before, version = kept(data), accounts.version(ANNA)

    accounts.calendars(ANNA).name("primary")
    after = kept(data)
    again = reader(data, google)

    assert after != before and accounts.version(ANNA) == version == again.version(ANNA)
    assert again.calendars(ANNA).name("primary") == ANNA
    assert after.encode() not in (data / "tokens" / f"{ANNA}.json").read_bytes()
    assert [path.name for path in (data / "tokens").iterdir()] == [f"{ANNA}.json"]
    assert "token_uri" in Vault(data).read(data / "tokens" / f"{ANNA}.json", ANNA).decode()


def test_a_renewed_sign_in_does_not_undo_what_a_person_did_meanwhile(data: Path, google: GoogleServer) -> None:
    """Signed in anew: that one stays. Removed: it stays away."""
    accounts = signed_in(data, google)
    google.world.tokens.rotates = True
    first, second = accounts.calendars(ANNA), accounts.calendars(ANNA)
    token = data / "tokens" / f"{ANNA}.json"
    newer = google.token_document(ANNA)
    Vault(data).write(token, ANNA, json.dumps(newer).encode())

    first.name("primary")
    signed_in_anew = kept(data)
    token.unlink()
    with pytest.raises(SignInNeeded):  # The first one's renewal has ended this one's.
        second.name("primary")

    assert signed_in_anew == newer["refresh_token"] and not token.exists()


def test_a_removed_account_is_not_brought_back_by_a_renewal(data: Path, google: GoogleServer) -> None:
    """Its file is gone when Google gives the new token."""
    accounts = signed_in(data, google)
    google.world.tokens.rotates = True
    anna = accounts.calendars(ANNA)
    (data / "tokens" / f"{ANNA}.json").unlink()

    assert anna.name("primary") == ANNA
    assert list((data / "tokens").iterdir()) == []


def test_tokens_are_told_to_whoever_keeps_secrets_out_of_texts(data: Path, google: GoogleServer) -> None:
    """Refresh token, access token, client secret."""
    document = google.token_document(BOB)
    credentials = Credentials(
        token=None,
        refresh_token=document["refresh_token"],
        token_uri=google.token_uri,
        client_id=document["client_id"],
        client_secret=document["client_secret"],
    )
    http = AccountHttp(BOB, credentials, pool(), SystemClock())

    http.request(f"{google.calendar_api}calendars/primary/events")

    secrets = [document["refresh_token"], document["client_secret"], str(credentials.token)]
    assert cleaned(" ".join(secrets)) == " ".join([MASK] * 3)


def connected(google: GoogleServer, clock: SystemClock, tick: Callable[[], None] | None = None) -> AccountHttp:
    """Anna's connection by another clock."""
    credentials = Credentials(token=google.control.access_token(ANNA))
    return AccountHttp(ANNA, credentials, pool(clock), clock, tick=tick)


@pytest.mark.parametrize(("method", "error"), [("GET", Dragged), ("POST", Uncertain)])
def test_an_answer_that_drips_for_ever_is_cut_off(google: GoogleServer, method: str, error: type[RetryLater]) -> None:
    """After two minutes: each of its bytes came in time. It is not asked for at once again, and the next call works."""
    http = connected(google, FastClock(200))
    google.control.add_fault("drip", seconds=0.05)
    address = f"{google.calendar_api}calendars/primary/events"

    with pytest.raises(error) as cut:
        http.request(address, method, body=b"{}" if method == "POST" else None)
    status = http.request(address)[0].status

    assert (type(cut.value), cut.value.reason) == (error, "timeout")
    assert status == 200


def test_what_dripped_is_not_asked_for_again_at_once(google: GoogleServer) -> None:
    """The two minutes are over; whoever asked waits before the next try."""
    clock = FastClock(400)
    credentials = Credentials(token=google.control.access_token(ANNA))
    http = AccountHttp(ANNA, credentials, pool(clock), clock)
    anna = GoogleCalendars(service(google.calendar_api), http, clock, SystemRandom())
    google.control.add_fault("drip", seconds=0.05, count=None)

    with pytest.raises(Dragged):
        anna.name("primary")

    assert len(google.control.calls("events.list")) == 1


def test_a_slow_answer_that_gets_there_is_an_answer(google: GoogleServer) -> None:
    """A slow line is no fault: the connection is used again afterwards, with its patience of before."""
    http = connected(google, SystemClock())
    address = f"{google.calendar_api}calendars/primary/events?maxResults=1"
    google.control.add_fault("drip", seconds=0.0005)

    answers = [http.request(address) for _ in range(3)]

    assert [answer.status for answer, _ in answers] == [200] * 3
    assert len({content for _, content in answers}) == 1


def test_a_worker_ticks_with_each_call_and_while_it_waits_for_the_quota(google: GoogleServer) -> None:
    """Waiting is no hanging: nobody is silent for more than twenty seconds because of it."""
    clock = VirtualClock(0.0)
    budget, ticks = Budget(clock), list[float]()

    for _ in range(2 * WINDOW_CALLS):
        budget.take(write=False, tick=lambda: ticks.append(clock.monotonic()))

    silences = [after - before for before, after in itertools.pairwise(ticks)]
    assert clock.monotonic() - ticks[0] >= 60 and max(silences) <= 20

    calls: list[int] = []
    http = connected(google, SystemClock(), tick=lambda: calls.append(1))
    http.request(f"{google.calendar_api}calendars/primary/events")
    assert calls == [1]


@pytest.mark.parametrize(("offset", "ahead"), [(0.0, 0.0), (-900.0, 900.0), (7200.0, -7200.0)])
def test_the_clock_is_compared_with_googles(data: Path, google: GoogleServer, offset: float, ahead: float) -> None:
    """To the second; and how long the call took is known."""
    google.control.set_clock_offset(offset)
    accounts = signed_in(data, google)
    unknown = accounts.clock_off(), accounts.meter.latency

    accounts.calendars(ANNA).name("primary")

    off, latency = accounts.clock_off(), accounts.meter.latency
    assert unknown == (None, None) and off is not None and abs(off - ahead) < 2
    assert latency is not None and 0 < latency < 5 and accounts.meter.lately() == (latency,)


@pytest.mark.parametrize("date", [None, "", "yesterday", "Mon, 99 Foo 2026 25:61:61 GMT"])
def test_a_date_that_is_none_says_nothing_of_the_clock(date: str | None) -> None:
    """Whoever stands in between may send what it likes; a call that took long says nothing either."""
    meter = Meter()

    meter.measured(0.1, 1e9, date)
    meter.measured(60.0, 1e9, "Sun, 09 Sep 2001 01:46:40 GMT")

    assert meter.clock_off is None and meter.latency == 60.0


def test_when_a_sign_in_ends_is_read_from_its_file(data: Path, google: GoogleServer) -> None:
    """Where Google named an end; of one that is sealed, too."""
    accounts = signed_in(data, google)
    before = accounts.sign_in_ends(ANNA)
    document = {**google.token_document(ANNA), "expires_at": 1234567.5}
    Vault(data).write(data / "tokens" / f"{ANNA}.json", ANNA, json.dumps(document).encode())

    accounts.emails()

    assert before is None and accounts.sign_in_ends(ANNA) == 1234567.5
    assert accounts.sign_in_ends(BOB) is None


def test_a_link_that_leads_nowhere_hides_no_account(data: Path, google: GoogleServer) -> None:
    """Neither one that is there, nor one that signs in later."""
    signed_in(data, google)
    (data / "tokens" / "nobody@example.com.json").symlink_to("nowhere")
    accounts = reader(data, google)
    before = accounts.emails()
    (data / "tokens" / f"{BOB}.json").write_text(json.dumps(google.token_document(BOB)))

    assert (before, accounts.emails()) == ((ANNA,), (ANNA, BOB))
