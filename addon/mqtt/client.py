"""One connection's life: paho set up for quick, acknowledged, bounded exchange; its callbacks only post."""

import contextlib
import logging
import socket
from collections.abc import Callable
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from addon.mqtt.posts import Acknowledged, Connected, Post, Received, Subscribed

KEEPALIVE = 30
SESSION_SECONDS = 24 * 3600
RECEIVE_MAXIMUM = 20
MOST_PACKET_BYTES = 16 * 1024
WILL_DELAY = 20
CONNECT_SECONDS = 5.0
WINDOW = 16

_DISCONNECT_WITH_WILL = 0x04
_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)

log = logging.getLogger(__name__)


class Client:
    """A paho client that is opened once and thrown away when its connection ends.

    Only the thread that calls `loop` touches the socket; `publish` and the like may be called from others,
    because they queue and wake it. `code` is why the broker refused or ended it, 0 when it did not say.
    """

    def __init__(
        self,
        *,
        epoch: int,
        client_id: str,
        will_topic: str,
        version5: bool,
        username: str | None,
        password: str | None,
        tls: bool,
        post: Callable[[Post], None],
    ) -> None:
        self.epoch = epoch
        self.version5 = version5
        self.connected = False
        self.code = 0
        self._will_topic = will_topic
        self._username = username
        self._password = password
        self._tls = tls
        self._post = post
        self._paho = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id,
            clean_session=None if version5 else False,
            protocol=MQTTProtocolVersion.MQTTv5 if version5 else MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
            manual_ack=True,
        )

    def open(self, host: str, port: int) -> None:
        """Connect the socket and send CONNECT. Raises OSError, ValueError."""
        client = self._paho
        client.suppress_exceptions = True
        client.connect_timeout = CONNECT_SECONDS
        client.on_socket_open = self._on_socket_open
        client.on_socket_register_write = _leave_it_to_the_loop
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        if self._tls:
            client.tls_set()
        if self._username is not None:
            client.username_pw_set(self._username, self._password)
        client.will_set(self._will_topic, b"offline", qos=1, retain=True, properties=self._will_properties())
        if self.version5:
            client.connect(host, port, KEEPALIVE, clean_start=False, properties=_connect_properties())
        else:
            client.connect(host, port, KEEPALIVE)

    def loop(self, seconds: float) -> bool:
        """Wait for the socket for so long, read and write; return False when the connection is over."""
        return self._paho.loop(seconds) == MQTTErrorCode.MQTT_ERR_SUCCESS

    def publish(self, topic: str, payload: bytes, *, retain: bool, correlation: bytes | None) -> int | None:
        """Queue a QoS 1 message; return its id, None when the connection is gone."""
        properties = None
        if correlation is not None and self.version5:
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            properties.CorrelationData = correlation
        sent = self._paho.publish(topic, payload, qos=1, retain=retain, properties=properties)
        return sent.mid if sent.rc == MQTTErrorCode.MQTT_ERR_SUCCESS else None

    def subscribe(self, filters: tuple[str, ...], qos: int) -> int | None:
        """Queue a SUBSCRIBE; return its id, None when the connection is gone."""
        return self._paho.subscribe([(topic, qos) for topic in filters])[1]

    def unsubscribe(self, filters: tuple[str, ...]) -> None:
        """Queue an UNSUBSCRIBE."""
        self._paho.unsubscribe([*filters])

    def acknowledge(self, mid: int) -> None:
        """Queue the PUBACK of a message."""
        self._paho.ack(mid, 1)

    def leave(self, *, say_offline: bool) -> None:
        """Queue a DISCONNECT; after it others learn that we are offline, or nothing, when the topic is not ours."""
        if self.version5 and say_offline:
            self._paho.disconnect(ReasonCode(PacketTypes.DISCONNECT, identifier=_DISCONNECT_WITH_WILL))
            return
        if self.connected and say_offline:
            self._paho.publish(self._will_topic, b"offline", qos=1, retain=True)
        self._paho.disconnect()

    def cut(self) -> None:
        """Break the connection from any thread: the loop sees its end."""
        found = self._paho.socket()
        if isinstance(found, socket.socket):
            with contextlib.suppress(OSError):
                found.shutdown(socket.SHUT_RDWR)

    def discard(self) -> None:
        """Close what is left of the socket. Only for the thread of the loop, when the loop is over."""
        found = self._paho.socket()
        if found is not None:
            found.close()

    def _will_properties(self) -> Properties | None:
        if not self.version5:
            return None
        properties = Properties(PacketTypes.WILLMESSAGE)  # type: ignore[no-untyped-call]
        properties.WillDelayInterval = WILL_DELAY
        return properties

    def _on_socket_open(self, _client: paho.Client, _userdata: object, sock: Any) -> None:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._acknowledge_quickly(sock)

    def _acknowledge_quickly(self, sock: Any) -> None:
        """Ask for TCP's own acknowledgements at once; the kernel forgets that wish soon. 44 ms become 0.2."""
        if _QUICKACK is not None and sock is not None:
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)

    def _on_connect(
        self,
        _client: paho.Client,
        _userdata: object,
        flags: paho.ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        try:
            if reason.is_failure:
                self.code = reason.value
                return
            self.connected = True
            window = min(WINDOW, getattr(properties, "ReceiveMaximum", WINDOW))
            self._post(Connected(self.epoch, flags.session_present, self.version5, window))
            self._acknowledge_quickly(self._paho.socket())
        except Exception:
            log.exception("A connection's callback failed.")

    def _on_disconnect(
        self,
        _client: paho.Client,
        _userdata: object,
        flags: paho.DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if flags.is_disconnect_packet_from_server:
            self.code = reason.value

    def _on_subscribe(
        self,
        _client: paho.Client,
        _userdata: object,
        mid: int,
        reasons: list[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        try:
            self._acknowledge_quickly(self._paho.socket())
            self._post(Subscribed(self.epoch, mid, tuple(reason.value for reason in reasons)))
        except Exception:
            log.exception("A subscription's callback failed.")

    def _on_publish(
        self,
        _client: paho.Client,
        _userdata: object,
        mid: int,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        try:
            self._acknowledge_quickly(self._paho.socket())
            self._post(Acknowledged(self.epoch, mid, reason.value))
        except Exception:
            log.exception("A publication's callback failed.")

    def _on_message(self, _client: paho.Client, _userdata: object, message: paho.MQTTMessage) -> None:
        try:
            self._acknowledge_quickly(self._paho.socket())
            self._post(
                Received(
                    self.epoch,
                    message.mid,
                    message.topic,
                    bytes(message.payload),
                    message.qos,
                    message.retain,
                    message.dup,
                    getattr(message.properties, "ResponseTopic", None),
                    getattr(message.properties, "CorrelationData", None),
                )
            )
        except Exception:
            log.exception("A message could not be taken.")
            if message.qos:
                self.acknowledge(message.mid)


def _leave_it_to_the_loop(_client: paho.Client, _userdata: object, _sock: Any) -> None:
    """Keep paho from writing to the socket from whatever thread publishes; it wakes the loop by itself."""


def _connect_properties() -> Properties:
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = SESSION_SECONDS
    properties.ReceiveMaximum = RECEIVE_MAXIMUM
    properties.MaximumPacketSize = MOST_PACKET_BYTES
    return properties
