"""Topics come from the base topic, and answers go nowhere they could do harm."""

import pytest

from addon.mqtt.topics import Topics

TOPICS = Topics("home/calbot")


def test_a_base_topic_may_have_levels() -> None:
    """Everything lies below it."""
    assert TOPICS.event("calendar") == "home/calbot/event/calendar"
    assert TOPICS.command_name("home/calbot/command/ping") == "ping"
    assert TOPICS.command_name("home/calbot/response/ping") is None


@pytest.mark.parametrize("topic", ["reply/me", "home/calbot/response/ping", "home/calbot/response/mine", "home/x"])
def test_an_answer_may_go_where_a_requester_listens(topic: str) -> None:
    """A topic of theirs, or one of our responses."""
    assert TOPICS.may_answer_on(topic)


@pytest.mark.parametrize(
    "topic",
    [
        "home/calbot/command/resync",
        "home/calbot/availability",
        "home/calbot/event/calendar",
        "homeassistant/status",
        "homeassistant/device/x/config",
        "homeassistant",
        "$SYS/x",
        "a/+/b",
        "a/#",
        "",
        "a\0b",
        "x" * 2000,
    ],
)
def test_an_answer_never_becomes_an_order(topic: str) -> None:
    """Commands, Home Assistant, topics that others believe, and what is no topic are refused."""
    assert not TOPICS.may_answer_on(topic)
