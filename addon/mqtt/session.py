"""One connection's course: claim the topic, subscribe, announce, take messages, notice a dead client."""

import logging
from typing import Protocol

from addon.mqtt import discovery
from addon.mqtt.announcer import Announcer
from addon.mqtt.claim import AGAIN_SECONDS, Claim
from addon.mqtt.commands import CommandRoad
from addon.mqtt.connection import Problem
from addon.mqtt.posts import Acknowledged, Connected, Received, Subscribed
from addon.mqtt.publisher import Publisher
from addon.mqtt.sending import Retained, Sender, Wire
from addon.mqtt.states import States
from addon.mqtt.topics import DEVICES, HOMEASSISTANT_STATUS, Topics, config_topics
from calbot.ports import Clock, Random

SELF_PING_EVERY = 60.0
ANSWER_SECONDS = 10.0
FORGET_SECONDS = 1.0

log = logging.getLogger(__name__)


class Line(Wire, Protocol):
    """A connection with everything that a session does on it."""

    def subscribe(self, epoch: int, *filters: str, qos: int = 1) -> int | None:
        """Ask for subscriptions; return the id of the answer."""
        ...

    def unsubscribe(self, epoch: int, *filters: str) -> None:
        """Give subscriptions back."""
        ...

    def acknowledge(self, message: Received) -> None:
        """Tell the broker that we have the message for good."""
        ...

    def drop(self) -> None:
        """Cut the connection; a new one is made."""
        ...

    def rest(self, epoch: int, seconds: float) -> None:
        """Leave without a word, and come back after so many seconds."""
        ...


class Session:
    """Follows one connection after the other. Only the bridge's thread works here."""

    def __init__(
        self,
        *,
        iid: str,
        topics: Topics,
        line: Line,
        sender: Sender,
        retained: Retained,
        announcer: Announcer,
        states: States,
        road: CommandRoad,
        publisher: Publisher,
        clock: Clock,
        random: Random,
    ) -> None:
        self._iid = iid
        self._topics = topics
        self._line = line
        self._sender = sender
        self._retained = retained
        self._announcer = announcer
        self._states = states
        self._road = road
        self._publisher = publisher
        self._clock = clock
        self._random = random
        self._link: Connected | None = None
        self._claim: Claim | None = Claim(iid)
        self._claim_at: float | None = None
        self._clearing = False
        self._fence: int | None = None
        self._commands: int | None = None
        self._subscribed = False
        self._held: list[Received] = []
        self._ping: bytes | None = None
        self._ping_at: float | None = None
        self._lost_at: float | None = None
        self._denied: int | None = None
        self.problem: Problem | None = None

    @property
    def speaking(self) -> bool:
        """True while we are connected and the topic is ours."""
        return self._link is not None and self._claim is None

    @property
    def listening(self) -> bool:
        """True while commands reach us too."""
        return self._subscribed

    def connected(self, link: Connected) -> None:
        """Take the new connection into use."""
        self._link = link
        self._lost_at = self._ping = self._ping_at = None
        self._road.connected(resumed=link.resumed)
        if self._claim is not None:
            self._look_around(link)
        else:
            self._line.subscribe(link.epoch, HOMEASSISTANT_STATUS)
            self._announce(link)

    def disconnected(self, epoch: int) -> None:
        """Forget the connection."""
        if self._link is None or self._link.epoch != epoch:
            return
        self._road.disconnected()
        self._announcer.disconnected()
        self._link = self._fence = self._commands = None
        self._subscribed = False
        self._claim_at = self._lost_at = self._ping_at = None
        self._held.clear()
        self._sender.disconnected()
        self._publisher.disconnected()

    def subscribed(self, post: Subscribed) -> None:
        """Take in the answer to a subscription."""
        if self._link is None or post.epoch != self._link.epoch:
            return
        if post.mid == self._fence:
            # What was retained on the topics asked for before has come by now.
            self._fence = self._lost_at = None
            self._decide(self._link)
        elif post.mid == self._commands:
            refused = any(code >= 0x80 for code in post.codes)
            self._subscribed = not refused
            if refused:
                filters = self._topics.commands
                text = f"The broker does not let Calbot subscribe to {filters}: allow its user to."
                self._denied, self.problem = post.epoch, Problem("broker_refused", text)

    def acknowledged(self, post: Acknowledged) -> None:
        """Take in that the broker does not let us publish, or that a later connection may."""
        if post.code >= 0x80:
            self._denied = post.epoch
            text = f"The broker does not let Calbot publish below {self._topics.base}/: allow its user to."
            self.problem = Problem("broker_refused", text)
        elif self._denied is not None and post.epoch > self._denied:
            self._denied = self.problem = None

    def received(self, message: Received) -> None:
        """Take a message to where it belongs."""
        if self._link is None or message.epoch != self._link.epoch:
            return
        name = self._topics.command_name(message.topic)
        if message.payload == self._ping and name == "ping":
            self._line.acknowledge(message)
            self._came_back()
        elif name is not None and self._claim is not None:
            self._held.append(message)
        elif name is not None:
            self._road.take(name, message)
        else:
            self._line.acknowledge(message)
            self._heard(message, self._link)

    def due(self) -> float | None:
        """Return when `step` has something to do."""
        announce_at = self._publisher.announce_at() if self.speaking else None
        times = (self._lost_at, self._claim_at, self._ping_at, announce_at)
        return min((at for at in times if at is not None), default=None)

    def step(self) -> None:
        """Do what the time has come for."""
        link, now = self._link, self._clock.monotonic()
        if link is None:
            return
        if self._lost_at is not None and now >= self._lost_at:
            log.info("The MQTT connection does not bring back what it is sent; a new one is made.")
            self._lost_at = self._ping_at = None
            self._line.drop()
        if self._claim is not None and self._claim_at is not None and now >= self._claim_at:
            self._claim_at = None
            self._decide(link)
        announce_at = self._publisher.announce_at()
        if self.speaking and self._announcer.step():
            self._line.subscribe(link.epoch, *self._announcer.heard_on, qos=0)
        if self.speaking and announce_at is not None and now >= announce_at:
            self._announcer.announce()
            self._states.tell_everything()
            self._publisher.announced()
        if self._ping_at is not None and now >= self._ping_at:
            self._ping_at, self._lost_at = None, now + ANSWER_SECONDS
            self._ping = self._send_ping(link, f"self-{self._iid}-{self._random.token(6).hex()}")

    def _look_around(self, link: Connected) -> None:
        """Ask what is retained here before we say anything.

        With QoS 0, which comes past commands: those are not acknowledged yet, and 20 of them hold up QoS 1.
        """
        self._claim, self._claim_at, self._clearing = Claim(self._iid), None, False
        self._lost_at = self._clock.monotonic() + ANSWER_SECONDS
        self._line.subscribe(link.epoch, self._topics.info, self._topics.availability, qos=0)
        self._fence = self._line.subscribe(link.epoch, HOMEASSISTANT_STATUS)

    def _heard(self, message: Received, link: Connected) -> None:
        topics = self._topics
        if message.topic == HOMEASSISTANT_STATUS:
            self._publisher.status(message.payload, retained=message.retained)
            return
        if message.topic.startswith(DEVICES):
            if self._claim is None:
                self._announcer.heard(message.topic, message.payload)
            elif discovery.is_ours(message.payload):
                self._line.publish(link.epoch, message.topic, b"", retain=True)
            return
        if self._claim is None:
            return
        if message.topic == topics.info:
            self._claim = self._claim.after_info(message.payload)
        elif message.topic == topics.availability:
            self._claim = self._claim.after_availability(message.payload)
        elif message.topic == topics.response("ping"):
            self._claim = self._claim.after_response(message.payload)
        if self._claim_at is not None and not self._clearing:
            self._decide(link)

    def _decide(self, link: Connected) -> None:
        claim, now = self._claim, self._clock.monotonic()
        if claim is None:
            return
        match claim.verdict(now):
            case "ours" if claim.other and not self._clearing:
                self._clear_after(claim, link)
            case "ours":
                self._take(claim, link)
            case "ask":
                asked = f"claim-{self._iid}-{self._random.token(6).hex()}"
                self._line.subscribe(link.epoch, self._topics.response("ping"), qos=0)
                self._ping = self._send_ping(link, asked)
                self._claim = claim.after_asking(asked, now)
                self._claim_at = self._claim.until
            case "waiting":
                pass
            case "theirs":
                self._leave_it_to(claim.other, link)

    def _clear_after(self, claim: Claim, link: Connected) -> None:
        """Take back what another installation announced, and let Home Assistant forget it before we announce."""
        log.info("The installation %.20r is gone; its place on the broker is taken over.", claim.other)
        self._clearing, self._claim_at = True, self._clock.monotonic() + FORGET_SECONDS
        found = config_topics(claim.other, claim.accounts)
        if found:
            self._line.subscribe(link.epoch, *found, qos=0)

    def _take(self, claim: Claim, link: Connected) -> None:
        """Make the topic ours, and clear what another installation or an earlier run of ours left behind."""
        found = config_topics(claim.other, claim.accounts)
        if found:
            self._line.unsubscribe(link.epoch, *found)
        self._states.remember_accounts(claim.accounts)
        topics = self._topics
        self._line.unsubscribe(link.epoch, topics.info, topics.availability, topics.response("ping"))
        self._claim = self._claim_at = self.problem = None
        self._announce(link)
        held, self._held = self._held, []
        for message in held:
            self.received(message)

    def _leave_it_to(self, other: str, link: Connected) -> None:
        """Go away without a word, so that nobody takes the other one for offline, and look again later."""
        text = (
            f"Another Calbot ({other}) works under {self._topics.base}/ on this broker. "
            "Give one of them another mqtt.base_topic, or stop it."
        )
        if self.problem is None:
            log.warning("%s", text)
        self.problem, self._claim_at = Problem("duplicate_instance", text), None
        self._line.unsubscribe(link.epoch, self._topics.commands)
        held, self._held = self._held, []
        for message in held:  # the other one has answered them
            self._line.acknowledge(message)
        self._line.rest(link.epoch, AGAIN_SECONDS)

    def _announce(self, link: Connected) -> None:
        """Subscribe, announce our devices, say that we are online, tell the states, then let events go."""
        self._line.subscribe(link.epoch, *self._announcer.heard_on, qos=0)
        self._commands = self._line.subscribe(link.epoch, self._topics.commands)
        self._retained.put(self._topics.availability, b"online")
        self._states.refresh()
        self._sender.connected(link.epoch, link.window)
        self._announcer.announce()
        self._states.tell_again()
        self._publisher.connected(tells_subscribers=link.tells_subscribers)
        self._ping_at = self._clock.monotonic() + SELF_PING_EVERY

    def _send_ping(self, link: Connected, ping_id: str) -> bytes:
        body = f'{{"v":1,"id":"{ping_id}"}}'.encode()
        self._line.publish(link.epoch, self._topics.command("ping"), body)
        return body

    def _came_back(self) -> None:
        self._ping = None
        if self._claim is None:
            self._lost_at = None
            self._ping_at = self._clock.monotonic() + SELF_PING_EVERY
