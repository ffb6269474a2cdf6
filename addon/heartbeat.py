"""The heartbeat: tells a monitor like Uptime Kuma that Calbot works, or why it does not, from a thread of its own."""

import ipaddress
import logging
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import urllib3

from addon.web.words import clean
from calbot import health
from calbot.errors import CalbotError
from calbot.google.deadlines import kept_by
from calbot.ports import Clock
from calbot.secrecy import cleaned, remember
from calbot.status import Level, Snapshot

EVERY = 60.0
LOOK_SECONDS = 1.0
SETTLED = 5.0
"""So many seconds Calbot must be down before it is told out of turn: what flickers is not."""
PATIENCE = 5.0
CONNECT_PATIENCE = 2.0
LONGEST_TEXT = 200
LARGEST_ANSWER = 16 * 1024
LONGEST_WAIT = 3600.0
WATCH_SILENCE = 30.0
_OURS = ("status", "msg", "ping")
_WORST: tuple[Level, ...] = ("problem", "setup", "degraded", "paused", "ok")
_DOWN = frozenset({"problem", "setup"})
_NEVER = tuple(map(ipaddress.ip_network, ("172.30.32.0/23", "fd0c:ac1e:2100::/48", "0.0.0.0/8", "192.0.0.0/24")))
"""The Supervisor's networks of apps, this machine by another name, and where one more cloud keeps its secrets."""
_METADATA = frozenset(
    ipaddress.ip_address(one) for one in ("168.63.129.16", "100.100.100.200", "fd00:ec2::254", "fd20:ce::254")
)
"""Clouds answer there with their secrets, beside 169.254.169.254, which is link-local."""
_HOME = tuple(map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")))
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_NAMES = frozenset({"supervisor", "hassio"})
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], list[str]]
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Look:
    """What is to be told: `up` is None as long as nobody can know. `ping` is of Google's last call, in seconds."""

    up: bool | None
    text: str
    ping: float | None = None


class NoHeartbeat(CalbotError):
    """The monitor was not reached, or must not be asked; the text says why and holds no secret."""


def judged(snapshot: Snapshot, now: float, *, watch_silent: float, ping: float | None) -> Look:
    """Return whether Calbot truly works: nothing is wrong, every calendar was read lately, and no work is left lying.

    `watch_silent` is for how many seconds the part that looks after everything has not come round.
    """
    verdict = health.assess(snapshot, now)
    if watch_silent > WATCH_SILENCE:
        return Look(up=False, text="Calbot stands still. Restart it.", ping=ping)
    if verdict.level in _DOWN:
        worst = min(verdict.reasons, key=lambda reason: _WORST.index(reason.level))
        return Look(up=False, text=f"{worst.text} {worst.remedy}".strip(), ping=ping)
    for account in snapshot.accounts:
        for calendar in account.calendars:
            bound = 2 * calendar.every + PATIENCE
            if now - (calendar.last_success or 0.0) > bound:
                text = f"The calendar {calendar.name or calendar.key.calendar} of {account.email} was not read lately."
                young = account.syncing or now - snapshot.started_at <= bound
                return Look(up=None if young else False, text=text, ping=ping)
        if account.waiting_since is not None and not account.paused:
            waited = now - max(account.waiting_since, snapshot.started_at)
            if waited > LONGEST_WAIT:
                return Look(up=False, text=f"Work for {account.email} waits for more than an hour.", ping=ping)
    return Look(up=True, text="OK" if verdict.level == "ok" else verdict.level, ping=ping)


def resolved(host: str, port: int) -> list[str]:
    """Return the addresses of a host, as the machine resolves it. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def allowed(address: str, *, plain: bool, supervised: bool) -> bool:
    """Say whether a heartbeat may go to this address; `plain` is without TLS, which stays in the house."""
    try:
        one = _inner(ipaddress.ip_address(address.partition("%")[0]))
    except ValueError:
        return False
    if one.is_loopback:
        return not supervised
    if one.is_link_local or one.is_multicast or one.is_unspecified or one in _METADATA:
        return False
    if any(one in network for network in _NEVER):
        return False
    if any(one in home for home in _HOME):
        return True
    return not plain and not one.is_reserved and not (one.version == 6 and one.is_site_local)


def _inner(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 address stands for, where it stands for one."""
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        return address.ipv4_mapped or address.sixtofour or address
    return address


@dataclass(frozen=True, slots=True)
class Monitor:
    """Who is told, at an address that is a secret: its path holds the token."""

    url: str = field(repr=False)
    supervised: bool
    clock: Clock
    resolve: Resolve = resolved

    def __post_init__(self) -> None:
        remember(self.url, urlsplit(self.url).path.rpartition("/")[2])

    @property
    def host(self) -> str:
        """Return the part of the address that may be shown."""
        return urlsplit(self.url).hostname or ""

    def tell(self, look: Look) -> None:
        """Tell it once, within five seconds. Raises NoHeartbeat."""
        parts = urlsplit(self.url)
        kept = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name not in _OURS]
        ping = "" if look.ping is None else str(round(look.ping * 1000))
        text = clean(cleaned(look.text), LONGEST_TEXT)
        told = {"status": "up" if look.up else "down", "msg": text, "ping": ping}
        path = f"{quote(parts.path or '/', safe='/%:@!$&()*+,;=~')}?{urlencode([*kept, *told.items()])}"
        netloc = parts.netloc.rpartition("@")[2]
        plain = parts.scheme == "http"
        end = self.clock.monotonic() + PATIENCE
        for address in self.addresses():
            left = end - self.clock.monotonic()
            status = self._asked(address, plain, path, netloc, left) if left > 0 else None
            if status == 200:
                return
            if status is not None:
                why = "it leads elsewhere, which is not followed" if 300 <= status < 400 else f"it answers {status}"
                raise NoHeartbeat(f"{why}; copy the address anew.")
        raise NoHeartbeat("it cannot be reached, or does not answer in time.")

    def check(self) -> None:
        """Open a connection and close it again; nobody is told anything. Raises NoHeartbeat."""
        parts = urlsplit(self.url)
        for address in self.addresses():
            try:
                port = parts.port or (80 if parts.scheme == "http" else 443)
                with socket.create_connection((address, port), CONNECT_PATIENCE) as plain:
                    if parts.scheme == "https":
                        ssl.create_default_context().wrap_socket(plain, server_hostname=self.host).close()
                return
            except ssl.SSLCertVerificationError:
                raise NoHeartbeat("its certificate is not good for its name.") from None
            except OSError:
                continue
        raise NoHeartbeat("it cannot be reached.")

    def addresses(self) -> list[str]:
        """Return the addresses that may be asked, looked up once: who answers for the name later is of no account.

        Raises NoHeartbeat when there are none.
        """
        parts = urlsplit(self.url)
        plain = parts.scheme == "http"
        name = self.host.rstrip(".").lower()
        try:
            port = parts.port or (80 if plain else 443)
            found = [] if name in _NAMES else self.resolve(name, port)
        except (OSError, ValueError, UnicodeError):
            raise NoHeartbeat("its name cannot be resolved.") from None
        good = [one for one in found if allowed(one, plain=plain, supervised=self.supervised)]
        if not good:
            raise NoHeartbeat(
                "heartbeats go to https addresses, or plain http ones in the home network; never to the Supervisor's."
            )
        return good

    def _asked(self, address: str, plain: bool, path: str, netloc: str, left: float) -> int | None:  # noqa: FBT001
        """Return the status that one address answers with; None when it does not answer."""
        parts = urlsplit(self.url)
        secure = {} if plain else {"server_hostname": self.host, "assert_hostname": self.host}
        connect = min(CONNECT_PATIENCE, left / 2)
        timeout = urllib3.Timeout(connect=connect, read=left - connect)
        with kept_by(urllib3.PoolManager(retries=False, timeout=timeout), self.clock, left - connect) as pool:
            pool.connection_pool_kw.update(secure)
            try:
                connection = pool.connection_from_host(address, parts.port, parts.scheme)
                answer = connection.urlopen(
                    "GET", path, headers={"Host": netloc}, redirect=False, preload_content=False
                )
                answer.read(LARGEST_ANSWER)
                answer.close()
            except (urllib3.exceptions.HTTPError, OSError, ValueError):
                return None
        return int(answer.status)


class Heartbeat:
    """`start` and `stop`; between them the monitor hears every minute, and at once when it changes, how Calbot is."""

    def __init__(self, monitor: Monitor, look: Callable[[], Look]) -> None:
        self._monitor = monitor
        self._look = look
        self._clock = monitor.clock
        self._told: bool | None = None
        self._at = self._clock.monotonic()
        self._down_since: float | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
        self.complaint = ""

    def start(self) -> None:
        """Begin to tell."""
        self._thread.start()

    def stop(self) -> None:
        """End; what is under way is not waited for."""
        self._stopping.set()

    def step(self) -> None:
        """Look, and tell what is due or new."""
        look, now = self._look(), self._clock.monotonic()
        if look.up is not False:
            self._down_since = None
        elif self._down_since is None:
            self._down_since = now
        lasting = self._down_since is not None and now - self._down_since >= SETTLED
        news = self._told is not None and look.up != self._told
        flickers = look.up is False and self._told is not False and not lasting
        if look.up is None or flickers or (now < self._at and not news):
            return
        self._told, self._at = look.up, now + EVERY
        try:
            self._monitor.tell(look)
        except NoHeartbeat as error:
            self._failed(str(error))
        else:
            if self.complaint:
                log.info("The heartbeat to %s arrives again.", self._monitor.host)
            self.complaint = ""

    def _failed(self, why: str) -> None:
        """Say once that it does not arrive, until it does again."""
        if not self.complaint:
            log.warning("heartbeat_url: the heartbeat to %s does not arrive: %s", self._monitor.host, why)
        self.complaint = why

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_SECONDS):
            try:
                self.step()
            except Exception:
                log.exception("A surprise in the heartbeat; it goes on.")
