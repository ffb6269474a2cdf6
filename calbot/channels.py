"""Push channels of one account: open before they are needed, renew with overlap, stop what is old; check pushes."""

import hashlib
import hmac
import logging

import msgspec

from calbot.errors import GoogleError, Refused, RetryLater, SignInNeeded, Uncertain
from calbot.model import CalendarKey, Channel, Notice, Noun
from calbot.ports import Calendars, Clock, Random
from calbot.schedule import backoff
from calbot.secrecy import remember
from calbot.status import PushState
from calbot.store import channels as channel_store
from calbot.store import outbox
from calbot.store.database import Database

RENEW_BEFORE = 86400.0
USUAL_LIFE = 7 * 86400.0
REFUSED_FOR = 86400.0
log = logging.getLogger(__name__)


def token_of(secret: bytes, channel_id: str) -> str:
    """Return the channel's token: computed, so that it need not be stored."""
    return hmac.new(secret, channel_id.encode(), hashlib.sha256).hexdigest()


def is_genuine(channel: Channel, secret: bytes, token: str, resource_id: str, now: float) -> bool:
    """Check a push in constant time: token, resource and expiry. Google signs nothing else."""
    right = hmac.compare_digest(token_of(secret, channel.id).encode(), token.encode("utf-8", "surrogateescape"))
    known = channel.resource_id
    same = known is None or hmac.compare_digest(known.encode(), resource_id.encode("utf-8", "surrogateescape"))
    return right and same and (channel.expires is None or channel.expires > now)


class _Attempt(Noun, frozen=True):
    failures: int = 0
    not_before: float = 0.0
    without_push: bool = False


class Channels:
    """The channels of one account's calendars, towards one address. Untended, they are left as they are."""

    def __init__(
        self,
        account: str,
        address: str | None,
        secret: bytes,
        database: Database,
        clock: Clock,
        random: Random,
        *,
        tended: bool = True,
    ) -> None:
        self._account = account
        self._address = address
        self._secret = secret
        self._database = database
        self._clock = clock
        self._random = random
        self._tended = tended
        self._channels: dict[str, Channel] = {}
        self._attempts: dict[str, _Attempt] = {}
        self._asked: list[str] = []
        self._renewing: set[str] = set()
        self._in_vain: list[str] = []

    @property
    def has_address(self) -> bool:
        """Say whether pushes are wanted, and channels opened for them."""
        return self._address is not None and self._tended

    def load(self) -> None:
        """Read what is known of channels from before."""
        found = channel_store.of_account(self._database.read(), self._account)
        self._channels = {channel.id: channel for channel in found}

    def find(self, channel_id: str) -> Channel | None:
        """Return the channel of this id; any thread may ask."""
        return self._channels.get(channel_id)

    def state(self, calendar: str, now: float) -> PushState:
        """Say how push is for a calendar; healthy is proven: a channel to our address has delivered."""
        attempt = self._attempts.get(calendar)
        if self._address is None or (attempt is not None and attempt.without_push):
            return "off"
        if any(channel.confirmed for channel in self._live(calendar, now)):
            return "healthy"
        return "failed" if attempt is not None else "waiting"

    def next_due(self, calendars: tuple[str, ...], now: float) -> float:
        """Return when `tend` has something to do, in epoch seconds."""
        if self._renewing:
            return now
        if not self._tended:
            return now + RENEW_BEFORE
        if self._address is None:
            return now + RENEW_BEFORE if not self._channels else now
        times = [now + RENEW_BEFORE]
        for calendar in calendars:
            wanted = max((_renew_at(channel) for channel in self._live(calendar, now)), default=now)
            times.append(max(wanted, self._attempts.get(calendar, _Attempt()).not_before))
        return min(times)

    def learn(self, channel_id: str, resource_id: str) -> None:
        """Note that a channel delivered."""
        channel = self._channels.get(channel_id)
        if channel is None or (channel.confirmed and channel.resource_id):
            return
        confirmed = msgspec.structs.replace(
            channel, confirmed=self._clock.now(), resource_id=channel.resource_id or resource_id
        )
        self._save(confirmed)

    def renew(self, command_id: str, calendars: tuple[str, ...]) -> None:
        """Have the next `tend` open new channels, however fresh the old ones are, because somebody asked for it."""
        self._asked.append(command_id)
        self._renewing |= set(calendars) if self.has_address else set()

    def answers(self, signed_out: str | None) -> list[tuple[str, str | None]]:
        """Return whose wishes to `renew` have come to an end, each with what went wrong; each is told once."""
        if self._renewing and signed_out is None:
            return []
        error = signed_out or " ".join(self._in_vain) or None
        told: list[tuple[str, str | None]] = [(command_id, error) for command_id in self._asked]
        self._asked, self._renewing, self._in_vain = [], set(), []
        return told

    def tend(self, calendars: tuple[str, ...], google: Calendars) -> None:
        """Open what is missing or soon runs out, then stop what was replaced. Raises SignInNeeded."""
        now = self._clock.now()
        for calendar in calendars if self._address is not None else ():
            attempt = self._attempts.get(calendar, _Attempt())
            fresh = any(_renew_at(channel) > now for channel in self._live(calendar, now))
            if calendar in self._renewing or (not fresh and now >= attempt.not_before):
                self._open(calendar, google, attempt)
        self._renewing.clear()
        for channel in [c for c in self._channels.values() if self._is_replaced(c, calendars, now)]:
            self._close(channel, google, now)

    def _live(self, calendar: str, now: float) -> list[Channel]:
        return [
            channel
            for channel in self._channels.values()
            if channel.key.calendar == calendar
            and channel.address == self._address
            and channel.resource_id is not None
            and (channel.expires is None or channel.expires > now)
        ]

    def _is_replaced(self, channel: Channel, calendars: tuple[str, ...], now: float) -> bool:
        if channel.expires is not None and channel.expires <= now:
            return True
        if channel.address != self._address or channel.key.calendar not in calendars:
            return True
        newer = [c for c in self._live(channel.key.calendar, now) if c.created > channel.created]
        return bool(newer)

    def _open(self, calendar: str, google: Calendars, attempt: _Attempt) -> None:
        """Ask for a channel that is written down already: its first message may come before the answer."""
        now = self._clock.now()
        channel = Channel(
            id=f"calbot-{self._random.token(16).hex()}",
            key=CalendarKey(self._account, calendar),
            address=self._address or "",
            created=now,
            expires=now + USUAL_LIFE,
        )
        renewal = bool(self._live(calendar, now))
        self._save(channel)
        try:
            remember(token := token_of(self._secret, channel.id), passing=True)
            opened = google.open_channel(channel, token)
        except SignInNeeded:
            raise
        except GoogleError as error:
            self._failed(channel, attempt, error)
            return
        if opened is None:
            self._forget(channel)
            self._attempts[calendar] = _Attempt(not_before=now + REFUSED_FOR, without_push=True)
            log.info("%s: Google pushes no changes of %s; it is polled.", self._account, calendar)
            self._note_in_vain(calendar, f"Google pushes no changes of {calendar}; it is polled.")
            return
        if opened.expires is None or opened.expires <= now:  # Not told, or a clock is wrong.
            opened = msgspec.structs.replace(opened, expires=channel.expires)
        latest = self._channels.get(channel.id, channel)
        self._attempts.pop(calendar, None)
        notice = Notice(
            event_type="channel_renewed" if renewal else "channel_created",
            text="Google pushes changes of this calendar.",
            account=self._account,
            calendar=calendar,
        )
        self._save(msgspec.structs.replace(opened, confirmed=latest.confirmed), notice)

    def _failed(self, channel: Channel, attempt: _Attempt, error: GoogleError) -> None:
        """Put the calendar's channel off. Only one that may have been opened all the same is still listened for."""
        asked = error.after if isinstance(error, RetryLater) else None
        failures = attempt.failures + 1
        wait = REFUSED_FOR if isinstance(error, Refused) else backoff(failures, self._random.uniform(0, 1), asked)
        text = f"Google opens no push channel to {channel.address}: {error} Polling goes on."
        log.warning("%s: %s", self._account, text)
        self._note_in_vain(channel.key.calendar, text)
        if not isinstance(error, Uncertain):
            self._forget(channel)
        if failures == 1:
            notice = Notice(
                event_type="channel_failed",
                text=text,
                account=self._account,
                calendar=channel.key.calendar,
                reason=error.reason,
            )
            with self._database.write() as tx:
                outbox.put(tx, [notice], self._clock.now(), self._random)
        self._attempts[channel.key.calendar] = _Attempt(failures, self._clock.now() + wait)

    def _note_in_vain(self, calendar: str, text: str) -> None:
        """Keep what to tell whoever asked for this calendar's channel."""
        if calendar in self._renewing:
            self._in_vain.append(text)

    def _close(self, channel: Channel, google: Calendars, now: float) -> None:
        expired = channel.expires is not None and channel.expires <= now
        if not expired and channel.resource_id is not None:
            try:
                google.close_channel(channel)
            except SignInNeeded:
                raise
            except GoogleError as error:
                log.debug("A push channel could not be stopped and will run out by itself: %s", error)
        self._forget(channel)

    def _forget(self, channel: Channel) -> None:
        with self._database.write() as tx:
            channel_store.forget(tx, channel.id)
        self._channels = {id_: other for id_, other in self._channels.items() if id_ != channel.id}

    def _save(self, channel: Channel, notice: Notice | None = None) -> None:
        with self._database.write() as tx:
            channel_store.save(tx, channel)
            if notice is not None:
                outbox.put(tx, [notice], self._clock.now(), self._random)
        self._channels = {**self._channels, channel.id: channel}


def _renew_at(channel: Channel) -> float:
    """Return when to open the next one: a day before this one runs out, or half way through a short life."""
    expires = channel.expires or channel.created + USUAL_LIFE
    return expires - min(RENEW_BEFORE, (expires - channel.created) / 2)
