"""One attempt to be let in by a broker, as the service would be; nothing is published and nothing stays behind."""

from dataclasses import dataclass

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from addon.mqtt.client import CONNECT_SECONDS, KEEPALIVE
from addon.mqtt.connection import BrokerAddress, End, Problem, end_of, silent, unanswered
from calbot.ports import Clock

PATIENCE = 5.0
"""Seconds until a greeting, for each version of MQTT."""
_LOOP_SECONDS = 0.5
_OLDER_MAY_HELP = frozenset({"version", "closed_early", "silent"})


@dataclass(slots=True)
class _Attempt:
    code: int = 0
    connected: bool = False


def problem_of(address: BrokerAddress, client_id: str, clock: Clock) -> Problem | None:
    """Return what keeps us out, None when we are let in; MQTT 5 first, then 3.1.1, as the service does."""
    end = _tried(address, client_id, clock, version5=address.version5)
    if end is not None and address.version5 and end.kind in _OLDER_MAY_HELP:
        end = _tried(address, client_id, clock, version5=False)
    return end.problem if end is not None else None


def _tried(address: BrokerAddress, client_id: str, clock: Clock, *, version5: bool) -> End | None:
    """Connect once. There is no will, and the session ends with the connection."""
    attempt = _Attempt()

    def greeted(
        _client: paho.Client,
        _userdata: object,
        _flags: paho.ConnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        attempt.connected, attempt.code = not reason.is_failure, reason.value if reason.is_failure else 0

    client = paho.Client(
        CallbackAPIVersion.VERSION2,
        client_id,
        clean_session=None if version5 else True,
        protocol=MQTTProtocolVersion.MQTTv5 if version5 else MQTTProtocolVersion.MQTTv311,
        reconnect_on_failure=False,
    )
    client.connect_timeout = CONNECT_SECONDS
    client.on_connect = greeted
    if address.username is not None:
        client.username_pw_set(address.username, address.password)
    try:
        if address.tls:
            client.tls_set()
        client.connect(address.host, address.port, KEEPALIVE)
        deadline = clock.monotonic() + PATIENCE
        while not attempt.connected:
            if client.loop(_LOOP_SECONDS) != MQTTErrorCode.MQTT_ERR_SUCCESS:
                return end_of(attempt, address)
            if clock.monotonic() > deadline:
                return silent(address)
        client.disconnect()
        client.loop(_LOOP_SECONDS)
    except (OSError, ValueError) as error:
        return unanswered(address, error)
    finally:
        if (left := client.socket()) is not None:
            left.close()
    return None
