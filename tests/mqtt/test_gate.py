"""The gate: events wait while nobody listens, and go as soon as somebody may."""

from addon.mqtt.gate import APART, NO_MATCHING_SUBSCRIBERS, Gate

NOW = 1000.0


def connected(gate: Gate | None = None, *, first: bool = True, tells_subscribers: bool = True) -> Gate:
    """A gate that was just connected."""
    return (gate or Gate()).after_connect(NOW, first=first, tells_subscribers=tells_subscribers)


def closed() -> Gate:
    """A gate that an event has found without listeners."""
    return connected().after_publish(NOW).after_puback(NO_MATCHING_SUBSCRIBERS, NOW)


def test_nothing_goes_out_without_a_connection() -> None:
    """Neither before the first nor after the last."""
    assert Gate().may_publish_at() is None
    assert connected().after_disconnect().may_publish_at() is None


def test_events_go_at_once_after_a_start() -> None:
    """Whether Home Assistant was ever seen or not."""
    assert connected().may_publish_at() == 0.0
    assert connected(Gate(seen=True)).may_publish_at() == 0.0


def test_events_keep_five_milliseconds_apart() -> None:
    """Home Assistant merges what comes within one."""
    assert connected().after_publish(NOW).after_puback(0, NOW).may_publish_at() == NOW + APART


def test_no_matching_subscribers_closes_the_gate_for_30_seconds() -> None:
    """And a probe that fares no better closes it for 30 more."""
    gate = closed()

    assert not gate.open and gate.unheard and gate.may_publish_at() == NOW + 30
    again = gate.after_publish(NOW + 30).after_puback(NO_MATCHING_SUBSCRIBERS, NOW + 31)
    assert again.may_publish_at() == NOW + 61


def test_a_probe_goes_alone() -> None:
    """Until it is answered, the next one would be 30 seconds later."""
    assert closed().after_publish(NOW + 30).may_publish_at() == NOW + 60


def test_a_probe_that_is_heard_opens_the_gate() -> None:
    """Somebody has subscribed meanwhile."""
    gate = closed().after_publish(NOW + 30).after_puback(0, NOW + 30)

    assert gate.open and not gate.unheard


def test_home_assistant_going_offline_closes_the_gate() -> None:
    """A PUBACK of an event that went before does not open it again."""
    gate = connected().after_publish(NOW).after_status("offline", NOW, retained=False)

    assert not gate.open and gate.may_publish_at() == NOW + 30
    assert not gate.after_puback(0, NOW).open


def test_with_3_1_1_only_home_assistant_itself_opens_the_gate_after_offline() -> None:
    """Without reason codes every probe looks heard."""
    gate = connected(tells_subscribers=False).after_status("offline", NOW, retained=False)

    assert gate.may_publish_at() is None


def test_a_birth_has_states_told_again_before_events_go() -> None:
    """Between 0.5 and 5 seconds later."""
    gate = closed().after_status("online", NOW, retained=False)

    assert not gate.open
    assert gate.announce_at is not None and 0.5 <= gate.announce_at - NOW <= 5
    assert gate.after_announcing().open


def test_after_our_reconnection_the_gate_waits_for_a_birth_or_60_seconds() -> None:
    """A broker that was away has lost Home Assistant too."""
    gate = connected(Gate(seen=True), first=False)

    assert not gate.open and gate.may_publish_at() == NOW + 60
    assert gate.after_status("online", NOW, retained=False).after_announcing().open


def test_after_our_reconnection_nobody_waits_for_a_home_assistant_that_was_never_there() -> None:
    """Other listeners get their events at once."""
    assert connected(first=False).open


def test_a_retained_online_proves_nothing() -> None:
    """It may be older than the broker's restart; but Home Assistant was seen."""
    gate = closed().after_status("online", NOW, retained=True)

    assert gate.seen and not gate.open and gate.announce_at is None


def test_a_refused_event_waits_like_an_unheard_one() -> None:
    """Not authorised today may be authorised in 30 seconds."""
    gate = connected().after_publish(NOW).after_puback(0x87, NOW)

    assert not gate.open and not gate.unheard and gate.may_publish_at() == NOW + 30
