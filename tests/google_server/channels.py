"""Push channels: opening and stopping them, and their messages as data for somebody else to deliver."""

from __future__ import annotations

from dataclasses import dataclass, field
from email.utils import formatdate
from typing import TYPE_CHECKING
from urllib.parse import quote

from tests.google_server import errors
from tests.google_server.values import Doc

if TYPE_CHECKING:
    from tests.google_server.world import World

WEEK = 604_800
MONTH = 30 * 86_400
RETRIED = frozenset({500, 502, 503, 504})
"""Google tries these again with backoff; every other answer but a success loses the message."""


@dataclass(slots=True, eq=False)
class Channel:
    """One push channel; `expires` in epoch seconds, `number` of its last message."""

    id: str
    account: str
    client: str
    resource: str
    resource_id: str
    resource_uri: str
    address: str
    token: str
    expires: float
    number: int = 0
    stopped: bool = False


@dataclass(slots=True)
class Push:
    """One message for a channel, due at `due` (epoch seconds of the world's clock).

    After a try, hand its status to `finished`; True means to try again at the new `due`.
    """

    channel: str
    address: str
    headers: dict[str, str]
    state: str
    number: int
    due: float
    tries: int = 0
    outcome: str = "waiting"
    statuses: list[int] = field(default_factory=list)

    def finished(self, status: int, now: float) -> bool:
        """Note the answer to a try (0: nobody there); True when Google tries again, at the new `due`."""
        self.tries += 1
        self.statuses.append(status)
        if status in RETRIED and self.tries < 6:
            self.due = now + 0.2 * 2 ** (self.tries - 1)
            return True
        self.outcome = "delivered" if status in {102, 200, 201, 202, 204} else "failed"
        return False


@dataclass(slots=True)
class Channels:
    """All channels that ever were; ids are never free again."""

    world: World
    by_id: dict[str, Channel] = field(default_factory=dict)
    watching: dict[str, list[Channel]] = field(default_factory=dict)

    def watch(self, account: str, client: str, resource: str, path: str, body: Doc) -> Doc:
        """Open a channel on a resource (`events:<calendar>`, `calendarList:<account>`); the answer."""
        name, address = str(body.get("id") or ""), str(body.get("address") or "")
        if not name or not address:
            raise errors.required("Required")
        if body.get("type") not in {"web_hook", "webhook"}:
            raise errors.invalid("Unknown channel type.", "type")
        if len(name) > 64 or len(str(body.get("token") or "")) > 256:
            raise errors.invalid("Invalid Value", "id" if len(name) > 64 else "token")
        if not (address.startswith("https://") or self.world.switches.allow_http_push):
            raise errors.webhook_not_https(address)
        if self.world.switches.push_unauthorized:
            raise errors.webhook_unauthorized(address)
        if name in self.by_id:
            raise errors.channel_id_not_unique(name)
        now = self.world.now()
        channel = Channel(
            id=name,
            account=account,
            client=client,
            resource=resource,
            resource_id=f"resource-{self.world.number_of(resource)}",
            resource_uri=f"https://www.googleapis.com/calendar/v3/{path}?alt=json",
            address=address,
            token=str(body.get("token") or ""),
            expires=_expiry(body, now),
        )
        self.by_id[name] = channel
        self.watching.setdefault(resource, []).append(channel)
        self._tell(channel, "sync", 1)
        answer: Doc = {
            "kind": "api#channel",
            "id": name,
            "resourceId": channel.resource_id,
            "resourceUri": channel.resource_uri,
            "expiration": str(int(channel.expires * 1000)),
        }
        if channel.token:
            answer["token"] = channel.token
        return answer

    def stop(self, account: str, client: str, body: Doc) -> None:
        """Close a channel; Google wants its id, its resource id, and the user and client that opened it."""
        name = str(body.get("id") or "")
        channel = self.by_id.get(name)
        fits = (
            channel is not None
            and not channel.stopped
            and channel.expires > self.world.now()
            and channel.resource_id == body.get("resourceId")
            and (channel.account, channel.client) == (account, client)
        )
        if channel is None or not fits:
            raise errors.channel_not_found(name, self.world.tokens.project)
        channel.stopped = True
        self.watching[channel.resource].remove(channel)

    def changed(self, resource: str, state: str = "exists") -> None:
        """Queue a message for every live channel on this resource."""
        now = self.world.now()
        for channel in self.watching.get(resource, ()):
            if channel.expires > now:
                self._tell(channel, state, channel.number + self.world.switches.push_gap)

    def live(self) -> list[Channel]:
        """The channels that neither stopped nor expired."""
        now = self.world.now()
        return [one for one in self.by_id.values() if not one.stopped and one.expires > now]

    def _tell(self, channel: Channel, state: str, number: int) -> None:
        switches, now = self.world.switches, self.world.now()
        channel.number = number
        headers = {
            "Content-Type": "application/json; utf-8",
            "Accept": "*/*",
            "User-Agent": "APIs-Google; (+https://developers.google.com/webmasters/APIs-Google.html)",
            "X-Goog-Channel-ID": channel.id,
            "X-Goog-Message-Number": str(number),
            "X-Goog-Resource-ID": channel.resource_id,
            "X-Goog-Resource-State": state,
            "X-Goog-Resource-URI": channel.resource_uri,
            "X-Goog-Channel-Expiration": formatdate(channel.expires, usegmt=True),
        }
        if channel.token:
            headers["X-Goog-Channel-Token"] = channel.token
        copies = 1
        if state != "sync" and switches.duplicate_pushes > 0:
            switches.duplicate_pushes -= 1
            copies = 2
        for _ in range(copies):
            delay = 0.0 if state == "sync" else switches.delay_pushes
            push = Push(channel.id, channel.address, headers, state, number, now + delay)
            self.world.push_log.append(push)
            if state != "sync" and switches.lose_pushes > 0:
                switches.lose_pushes -= 1
                push.outcome = "lost"
            else:
                self.world.outgoing_pushes.append(push)
                self.world.on_push()


def events_resource(calendar: str) -> tuple[str, str]:
    """The name of a calendar's events as a resource, and the path in its URI."""
    return f"events:{calendar}", f"calendars/{quote(calendar, safe='@')}/events"


def list_resource(account: str) -> tuple[str, str]:
    """The name of an account's calendar list as a resource, and the path in its URI."""
    return f"calendarList:{account}", "users/me/calendarList"


def _expiry(body: Doc, now: float) -> float:
    try:
        if body.get("expiration"):
            wanted = int(body["expiration"]) / 1000
        else:
            wanted = now + int(body.get("params", {}).get("ttl", WEEK))
    except (TypeError, ValueError) as error:
        raise errors.invalid("Invalid Value", "expiration") from error
    if wanted <= now:
        raise errors.invalid("Invalid Value", "expiration")
    return min(wanted, now + MONTH)
