"""The Compose file: sound by its published schema, tight, and naming nothing that is not there.

Each rule is a function from content to a list of sentences, one per violation, and a test plants a violation of each.
That the services run so, tests/container/test_compose.py shows.
"""

import copy
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from addon import options
from addon.commands import calbot
from calbot import sources
from tests.service.running import free_port, wait_for
from tests.standalone.composing import FILE, FOLDER, ROOT, composed, variables

TEXT = FILE.read_text("utf-8")
SECRETS = {
    "MQTT_PASSWORD": "broker-password",
    "DOTENV_ENCRYPTION_KEY": "sealing-key",
    "CLOUDFLARE_TUNNEL_TOKEN": "way-in",
}
WANTED: dict[str, Any] = composed(TEXT, SECRETS)
IMAGE = "calbot:local"
OPEN_TO_THIS_MACHINE = ("127.0.0.1:", "${MQTT_BIND:-127.0.0.1}:")
SYSTEM = {"TZ"}
"""What the code reads through a library, or what belongs to every program."""


# The rules


def refused(text: str) -> str:
    """What the published schema says against a Compose file; nothing when it is content."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(text)
        file.flush()
        command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", file.name]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def careless(services: Mapping[str, Any]) -> list[str]:
    """Services that do not start again, cannot say how they are, log for ever, or may do more than they need."""
    found = []
    for name, service in services.items():
        limits = service.get("logging", {}).get("options", {})
        tag = service.get("image", "").rpartition(":")[2]
        holds = {
            "restarts": service.get("restart") == "unless-stopped",
            "has a health check": bool(service.get("healthcheck")),
            "has logs that end": bool(limits.get("max-size") and limits.get("max-file")),
            "has a pinned image": service.get("image") == IMAGE or bool(re.match(r"\d", tag)),
            "has a read-only root": service.get("read_only") is True,
            "has no capability": service.get("cap_drop") == ["ALL"] and "cap_add" not in service,
            "gets no more rights": "no-new-privileges:true" in service.get("security_opt", ()),
            "is not root": not str(service.get("user", "65532")).startswith("0"),
            "has a limit to its memory": "mem_limit" in service,
            "has time to end": "stop_grace_period" in service,
            "has an init": service.get("init") is True,
            "is not privileged": "privileged" not in service and service.get("network_mode") != "host",
        }
        found += [f"{name}: not so: {what}" for what, so in holds.items() if not so]
    return found


def waiting_for_nobody(services: Mapping[str, Any]) -> list[str]:
    """Services that start before what they need is healthy, or need what is not there."""
    found = []
    for name, service in services.items():
        for needed, how in service.get("depends_on", {}).items():
            if needed not in services:
                found.append(f"{name} needs {needed}, which is not there")
            elif how.get("condition") != "service_healthy":
                found.append(f"{name} does not wait until {needed} is healthy")
    return found


def unknown_names(services: Mapping[str, Any], known: set[str]) -> list[str]:
    """Variables of Calbot's containers that Calbot does not read."""
    ours = {name: one for name, one in services.items() if one.get("image") == IMAGE}
    return [f"{name}: {key}" for name, one in ours.items() for key in one.get("environment", {}) if key not in known]


def unheard_of(services: Mapping[str, Any], usual: list[str], commands: Mapping[str, click.Command]) -> list[str]:
    """Commands of Calbot's containers that are not the image's own with a command of Calbot's behind it."""
    found = []
    for name, service in services.items():
        command = service.get("command", usual)
        words = command[len(usual) :]
        known = commands.get(words[0]) if words else None
        options = {option for one in known.params for option in one.opts} if known is not None else set()
        heard = known is not None and {word for word in words if word.startswith("-")} <= options
        if service.get("image") == IMAGE and not (command[: len(usual)] == usual and (heard or not words)):
            found.append(f"{name} is started with {command}")
    return found


def open_doors(services: Mapping[str, Any]) -> list[str]:
    """Ports that more than this machine reaches by default, and the push door, which only the tunnel is to reach."""
    ports = [(name, port) for name, service in services.items() for port in service.get("ports", ())]
    found = [
        f"{name}: {port} is open to the network" for name, port in ports if not port.startswith(OPEN_TO_THIS_MACHINE)
    ]
    return found + [f"{name}: {port} publishes the push door" for name, port in ports if port.endswith(":8098")]


def too_near(services: Mapping[str, Any]) -> list[str]:
    """Whom the tunnel meets beside Calbot."""
    tunnel = set(services["cloudflared"].get("networks", ["default"]))
    met = {name for name, one in services.items() if tunnel & set(one.get("networks", ["default"]))}
    return [f"the tunnel reaches {name}" for name in sorted(met - {"cloudflared", "calbot"})]


def told_to_all(services: Mapping[str, Any], secrets: Mapping[str, str]) -> list[str]:
    """Secrets on command lines, which every list of processes shows, or with services that have no use for them."""
    uses = {"MQTT_PASSWORD": {"calbot", "mosquitto"}, "DOTENV_ENCRYPTION_KEY": {"calbot", "monitor"}}
    uses["CLOUDFLARE_TUNNEL_TOKEN"] = {"cloudflared"}
    found = []
    for name, service in services.items():
        words = json.dumps([service.get("command"), service.get("healthcheck"), service.get("labels")])
        found += [f"{name} shows {key} in its commands" for key, secret in secrets.items() if secret in words]
        given = json.dumps(service.get("environment", {}))
        found += [f"{name} is told {key}" for key, one in secrets.items() if one in given and name not in uses[key]]
    return found


def unused(whole: Mapping[str, Any]) -> list[str]:
    """Volumes and networks that are declared for nobody, or used and not declared."""
    volumes, networks = set(), {"default"}
    for service in whole["services"].values():
        for one in service.get("volumes", ()):
            source = one["source"] if isinstance(one, dict) else one.split(":")[0]
            volumes |= set() if source.startswith("./") else {source}
        networks |= set(service.get("networks", ()))
    return [f"{name} is not both declared and used" for name in sorted(volumes ^ set(whole["volumes"]))] + [
        f"network {name} is not both declared and used" for name in sorted(networks ^ set(whole["networks"]))
    ]


def unexplained(text: str, example: str) -> list[str]:
    """Variables that the file wants and example.env does not name, and the other way round."""
    named = set(re.findall(r"^#?([A-Z][A-Z0-9_]*)=", example, re.MULTILINE))
    return [f"{name} is not in both" for name in sorted(named ^ variables(text))]


# What is there


def known_names() -> set[str]:
    """Every variable that the code reads, by its tables or by its name in the text."""
    tables = {*sources._BY_OLD_NAME, *sources._BY_OWN_NAME, *sources._BROKER, *sources._OTHERS}
    texts = [path.read_text("utf-8") for folder in ("addon", "calbot") for path in (ROOT / folder).rglob("*.py")]
    read = {name for text in texts for name in re.findall(r'"([A-Z][A-Z0-9]*_[A-Z0-9_]+)"', text)}
    return tables | read | SYSTEM


def usual_command() -> list[str]:
    """The image's own command."""
    found = re.search(r"^CMD (\[.+\])$", (ROOT / "Dockerfile").read_text("utf-8"), re.MULTILINE)
    assert found is not None
    command: list[str] = json.loads(found[1])
    return command


def changed(change: Callable[[Any], object]) -> Any:
    """The services with one thing changed."""
    services = copy.deepcopy(WANTED["services"])
    change(services)
    return services


def test_the_published_schema_is_content() -> None:
    """No key and no value that Docker Compose would refuse."""
    assert refused(TEXT) == ""


def test_every_service_is_careful() -> None:
    """Restart, health, logs that end, no root, no capability, nothing to write but what it needs."""
    assert set(WANTED["services"]) == {"calbot", "mosquitto", "monitor", "cloudflared"}
    assert careless(WANTED["services"]) == []
    assert WANTED["services"]["cloudflared"]["profiles"] == ["tunnel"]


def test_everybody_waits_for_whom_it_needs() -> None:
    """Calbot for the broker, the others for Calbot."""
    services = WANTED["services"]

    assert waiting_for_nobody(services) == []
    assert {name: list(one.get("depends_on", {})) for name, one in services.items()} == {
        "calbot": ["mosquitto"],
        "mosquitto": [],
        "monitor": ["calbot"],
        "cloudflared": ["calbot"],
    }


def test_every_name_and_command_exists() -> None:
    """A variable with a slip of the pen would be ignored without a word."""
    assert unknown_names(WANTED["services"], known_names()) == []
    assert unheard_of(WANTED["services"], usual_command(), calbot.commands) == []


def test_only_this_machine_is_let_in() -> None:
    """The panel has no password; the push door is reached through the tunnel only."""
    assert open_doors(yaml.safe_load(TEXT)["services"]) == []
    assert too_near(WANTED["services"]) == []


def test_no_command_line_holds_a_secret() -> None:
    """Secrets are in the environment of those who use them, and of nobody else."""
    assert told_to_all(WANTED["services"], SECRETS) == []


def test_nothing_is_declared_in_vain() -> None:
    """Volumes, networks, and the variables that example.env explains."""
    assert unused(WANTED) == []
    assert unexplained(TEXT, (FOLDER / "example.env").read_text("utf-8")) == []


def test_the_health_checks_ask_what_is_there() -> None:
    """The image's own check for Calbot, the file that the monitor writes, the port of the tunnel's figures."""
    services = WANTED["services"]
    dockerfile = (ROOT / "Dockerfile").read_text("utf-8")

    assert "test" not in services["calbot"]["healthcheck"]
    assert "HEALTHCHECK" in dockerfile and "/live" in dockerfile
    assert services["monitor"]["environment"]["MONITOR_STATUS_FILE"] in services["monitor"]["healthcheck"]["test"][1]
    assert services["monitor"]["command"][-1] == f"http://calbot:{options.Place(Path()).panel_port}/health"
    assert services["cloudflared"]["environment"]["TUNNEL_METRICS"] in services["cloudflared"]["healthcheck"]["test"]
    assert services["calbot"]["ports"] == [f"127.0.0.1:{port}:{port}" for port in [options.Place(Path()).panel_port]]


def test_no_secret_gets_into_the_image() -> None:
    """What lies beside the Compose file stays out of the build, and out of the repository."""
    assert "addon/standalone" in (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    ignored = (ROOT / ".gitignore").read_text("utf-8").splitlines()
    assert {"/addon/standalone/.env", "/addon/standalone/calbot.yaml"} <= set(ignored)


def test_the_example_of_options_works(tmp_path: Path) -> None:
    """As it stands, and with everything that it suggests."""
    text = (FOLDER / "example.yaml").read_text("utf-8")
    suggested = re.sub(r"^#(?! )", "", re.sub(r"^#  ( *- )", r"  \1", text, flags=re.MULTILINE), flags=re.MULTILINE)

    taken = []
    for content in (text, suggested):
        (tmp_path / "calbot.yaml").write_text(content)
        taken.append(options.load({"CALBOT_DATA": str(tmp_path)}))

    assert [(one.settings.invite_emails, one.notes) for one in taken] == [(("bob@example.com",), ())] * 2
    assert (len(taken[1].alerts), taken[1].settings.push_url) == (2, "https://calbot.example.org/push")
    assert taken[1].report_at and taken[1].heartbeat_url and taken[1].settings.accounts


# The broker, really started


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that an unprivileged process may use."""
    path = Path(tempfile.mkdtemp(prefix="calbot-broker-"))
    for name in ("tmp", "data", "config"):
        (path / name).mkdir()
    if os.geteuid() == 0:
        for one in (path, *path.iterdir()):
            os.chown(one, 1883, 1883)
    yield path
    shutil.rmtree(path, ignore_errors=True)


def test_the_broker_wants_its_password(place: Path) -> None:
    """Its command makes the password's file; the health check gets in, a stranger does not, no process shows it."""
    missing = [name for name in ("mosquitto", "mosquitto_passwd", "mosquitto_sub") if not _found(name)]
    if missing:
        pytest.skip(f"not there: {', '.join(missing)}")
    service, port = WANTED["services"]["mosquitto"], free_port()
    here = {"/tmp/": f"{place}/tmp/", "/mosquitto/config/": f"{place}/config/", "/mosquitto/data/": f"{place}/data/"}
    given = (FOLDER / "mosquitto.conf").read_text("utf-8").replace("listener 1883", f"listener {port}")
    (place / "config/mosquitto.conf").write_text(_moved(given, here))
    (place / "config/mosquitto.conf").chmod(0o644)  # whatever the umask: the broker is another user
    environment = {
        **{name: _moved(f"{value}/", here).rstrip("/") for name, value in service["environment"].items()},
        "PATH": f"{os.environ['PATH']}:/usr/sbin",
    }
    stranger = {**environment, "XDG_CONFIG_HOME": str(place)}
    check = [*service["healthcheck"]["test"][1:], "-p", str(port)]
    someone = {"user": 1883, "group": 1883, "extra_groups": []} if os.geteuid() == 0 else {}

    broker = subprocess.Popen([_moved(word, here) for word in service["command"]], env=environment, **someone)  # type: ignore[call-overload]
    try:

        def ask(by: Mapping[str, str]) -> int:
            return subprocess.run(check, env=by, capture_output=True, timeout=10, check=False, **someone).returncode  # type: ignore[no-any-return,call-overload]

        wait_for(lambda: ask(environment) == 0, 20, "a broker that is healthy")
        assert ask(stranger) != 0
        assert (place / "tmp/passwords").stat().st_mode & 0o077 == 0
        assert SECRETS["MQTT_PASSWORD"] not in (place / "tmp/passwords").read_text()
        shown = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if os.access(path, os.R_OK)]
        assert not [words for words in shown if SECRETS["MQTT_PASSWORD"].encode() in words]
    finally:
        broker.terminate()
        broker.wait(10)


def _found(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")


def _moved(text: str, places: Mapping[str, str]) -> str:
    for before, after in places.items():
        text = text.replace(before, after)
    return text


# Each rule can fail


def test_planted_keys_are_refused() -> None:
    """A key with a slip of the pen, and values of the wrong kind."""
    planted = [
        TEXT.replace("read_only: true\n  cap_drop", "readonly: true\n  cap_drop"),
        TEXT.replace("restart: unless-stopped", "restart: [always]"),
        TEXT.replace("condition: service_healthy", "condition: healthy"),
        TEXT.replace("cap_drop: [ALL]", "cap_drop: ALL"),
        TEXT.replace('ports: ["127.0.0.1:8099:8099"]', "port: 8099"),
    ]

    assert [index for index, text in enumerate(planted) if text == TEXT or not refused(text)] == []


def test_planted_carelessness_is_found() -> None:
    """Each promise of every service, broken once."""
    planted: list[Callable[[Any], object]] = [
        *(
            (lambda services, key=key: services["monitor"].pop(key))
            for key in (
                "restart",
                "healthcheck",
                "logging",
                "read_only",
                "cap_drop",
                "security_opt",
                "mem_limit",
                "init",
            )
        ),
        lambda services: services["calbot"].pop("stop_grace_period"),
        lambda services: services["calbot"].update(user="0:0"),
        lambda services: services["calbot"].update(cap_add=["NET_ADMIN"]),
        lambda services: services["calbot"].update(network_mode="host"),
        lambda services: services["mosquitto"].update(image="eclipse-mosquitto:latest"),
        lambda services: services["mosquitto"].update(image="eclipse-mosquitto"),
        lambda services: services["mosquitto"].update(logging={"driver": "json-file"}),
    ]

    assert [number for number, change in enumerate(planted) if not careless(changed(change))] == []


def test_planted_mistakes_are_found() -> None:
    """A name that nobody reads, a command that nobody knows, a door that is open, a secret that is shown."""
    known, usual = known_names(), usual_command()

    assert unknown_names(changed(lambda s: s["calbot"]["environment"].update(MQTT_HOTS="x")), known)
    assert unknown_names(changed(lambda s: s["monitor"]["environment"].update(CALBOT_INVITES="x")), known)
    assert unheard_of(changed(lambda s: s["monitor"].update(command=[*usual, "watch"])), usual, calbot.commands)
    assert unheard_of(changed(lambda s: s["monitor"]["command"].append("--often")), usual, calbot.commands)
    assert unheard_of(changed(lambda s: s["monitor"].update(command=["calbot", "check"])), usual, calbot.commands)
    assert waiting_for_nobody(changed(lambda s: s["calbot"].update(depends_on={"broker": {}})))
    assert waiting_for_nobody(
        changed(lambda s: s["calbot"]["depends_on"].update(mosquitto={"condition": "service_started"}))
    )
    for port in ("8099:8099", "0.0.0.0:8099:8099", "127.0.0.1:8098:8098"):
        assert open_doors(changed(lambda s, port=port: s["calbot"].update(ports=[port])))  # type: ignore[misc]
    assert too_near(changed(lambda s: s["cloudflared"].pop("networks")))
    assert told_to_all(changed(lambda s: s["cloudflared"].update(command=["--token", "way-in"])), SECRETS)
    assert told_to_all(changed(lambda s: s["monitor"]["environment"].update(P="broker-password")), SECRETS)
    assert unused({**WANTED, "volumes": {}}) and unused({**WANTED, "networks": {"default": {}}})
    assert unexplained("${A} ${B:-x}", "A=\n") and unexplained("${A}", "#B=\nA=\n")
    assert not unexplained("${A:?say} $${C}", "#A=\n")


def test_a_variable_that_is_needed_is_asked_for() -> None:
    """Without a password for the broker nothing starts."""
    with pytest.raises(KeyError, match="MQTT_PASSWORD"):
        composed(TEXT, {})
