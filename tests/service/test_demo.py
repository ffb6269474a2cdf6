"""`./run.sh demo` tells the truth: 0 only when invitations landed and were announced."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable

import pytest

from tests.mqtt import schemas
from tests.service.running import ROOT, free_port


def demo(seconds: int, meanwhile: Callable[[str], None]) -> tuple[int, str]:
    """Run the demo; `meanwhile` is called once with its first lines, when the first event was added."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.demo", "--for", str(seconds)],
        cwd=ROOT,
        env={**os.environ, "CALBOT_PANEL_PORT": str(free_port())},
        stdout=subprocess.PIPE,
        text=True,
    )
    told = ""
    assert process.stdout is not None
    with process.stdout as lines:
        for line in lines:
            told += line
            if "online after" in line:
                meanwhile(told)
    return process.wait(30), told


def test_invitations_land_and_the_exit_code_is_0() -> None:
    """The summary counts by Google's guest lists and by an independent listener."""
    code, told = demo(6, lambda _: None)

    assert code == 0, told
    added, landed, announced = (int(n) for n in re.findall(r": (\d+)$", told, re.MULTILINE))
    assert added == landed == announced
    assert added >= 2


def test_what_mosquitto_sub_shows_is_the_contract() -> None:
    """Any MQTT client sees the topics of the contract, and each message keeps to its schema."""
    heard: list[str] = []

    def subscribe(told: str) -> None:
        found = re.search(r"mosquitto_sub -p (\d+)", told)
        assert found is not None
        arguments = ["-p", found[1], "-t", "calbot/#", "-F", "%t %p", "-W", "5"]
        heard.extend(
            subprocess.run(
                ["mosquitto_sub", *arguments], capture_output=True, text=True, check=False
            ).stdout.splitlines()
        )

    demo(8, subscribe)

    messages = [line.split(" ", 1) for line in heard]
    for topic, payload in messages:
        name = schemas.name_for(topic)
        if name is not None:
            schemas.check(name, payload.encode())
    assert ["calbot/availability", "online"] in messages
    topics = {topic for topic, _ in messages}
    assert topics >= {
        f"calbot/{name}" for name in ("info", "state", "health", "settings", "event/calendar", "last_event")
    }


def test_with_patch_refused_it_ends_with_1() -> None:
    """Nothing lands, and the demo does not claim it did."""

    def refuse(told: str) -> None:
        found = re.search(r"switches: (\S+)\)", told)
        assert found is not None
        fault = {"kind": "forbidden", "operation": "events.patch", "count": None}
        request = urllib.request.Request(found[1] + "add_fault", json.dumps(fault).encode())
        with urllib.request.urlopen(request, timeout=5) as answer:
            assert answer.status == 200

    code, told = demo(6, refuse)

    assert code == 1, told
    assert "not invited" in told


@pytest.mark.slow
def test_with_the_broker_stopped_it_ends_with_1() -> None:
    """Invitations that nobody heard of do not count."""

    def stop_the_broker(told: str) -> None:
        found = re.search(r"broker: process (\d+)\)", told)
        assert found is not None
        os.kill(int(found[1]), signal.SIGKILL)

    code, told = demo(6, stop_the_broker)

    assert code == 1, told
    assert "not announced" in told
