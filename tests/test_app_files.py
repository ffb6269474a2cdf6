"""Holds the files that make the checkout a Home Assistant app: config.yaml, translations, image, profile, pictures.

The Supervisor drops what it does not know, ignores a translation that is wrong, and hides an app whose config.yaml is.
None of that is seen before a user sees it, so each of its rules is a function from content to a list of sentences, one
per violation, and a test plants a violation of each.
"""

import contextlib
import itertools
import json
import re
import sqlite3
import stat
import struct
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath, PurePosixPath
from typing import Any

import pytest
import yaml

from addon import backup, options
from calbot import content, ruleactions, ruleoptions, settings, sources
from calbot.store.database import BACKUP, Database
from tests import test_house
from tests.test_house import PROJECT, ROOT, files

# The Supervisor's `_SCHEMA_APP_CONFIG`, in what an app of today may use. The app linter refuses a default written out.
KNOWN = {
    *("name", "version", "slug", "description", "url", "arch", "image", "homeassistant"),
    *("ingress", "panel_icon", "panel_title", "homeassistant_api", "services", "ports", "timeout"),
    *("backup_pre", "backup_post", "backup_exclude", "options", "schema", "breaking_versions"),
}
REQUIRED = ("name", "version", "slug", "description", "arch")
SERVICE = re.compile(r"(mqtt|mysql):(provide|want|need)")
PORT = re.compile(r"\d+(/tcp|/udp)?")
ELEMENT = re.compile(
    r"(bool|email|url|port|device(\(subsystem=[a-z]+\))?|str(\(\d*,\d*\))?|password(\(\d*,\d*\))?"
    r"|int(\(-?\d*,-?\d*\))?|float(\(-?[\d.]*,-?[\d.]*\))?|match\(.*\)|list\(.+\))\??"
)
INGRESS_PORT = 8099
LANGUAGES = ("en", "de")
NOT_SHOWN: dict[str, str] = {}
"""Options that work or are accepted and that the Configuration tab leaves out, with the reason."""
RELEASED: dict[str, dict[str, object]] = {
    "0.1.0": {
        "invite_emails": ["bob@example.com"],
        "accounts": [{"email": "anna@example.com", "calendars": ["primary"]}, {"email": "carol@example.com"}],
        "auto_invite": True,
        "dry_run": False,
        "first_sync": "invite_future",
        "poll_interval": 60,
        "push_url": "https://example.org/push",
        "mqtt": {"host": "192.0.2.7", "port": 1883, "username": "calbot", "password": "secret", "base_topic": "calbot"},
        "event_detail": "minimal",
        "notify": ["notify.mobile_app_anna"],
        "log_level": "debug",
    },
}
"""Options that a user of each released version may have: they must stay valid for ever; a release adds NEXT."""
NEXT: dict[str, object] = {
    **RELEASED["0.1.0"],
    "central_calendar": "family@group.calendar.google.com",
    "mirroring": True,
    "delete_original": {"enabled": True, "grace": 600},
    "limits": {"invites_per_hour": 20, "removals_per_pass": 0},
    "alerts": [
        {"url": "sendgrid://key:from@example.org/to@example.org"},
        {"gmail_from": "anna@example.com", "gmail_to": "bob@example.com"},
        {"url": "", "gmail_from": "anna@example.com", "gmail_to": ""},
    ],
    "report_at": "07:00",
    "heartbeat_url": "https://status.example.org/api/push/key",
    "rules": [
        {"name": "hush", "match": {"visibility": ["private"]}, "do": {"skip": True}},
        {
            "name": "school",
            "match": {
                "account": ["anna@example.com"],
                "calendar": ["primary"],
                "title": "(?i)school",
                "description": "form 3b",
                "location": "Hall",
                "organiser_is_me": "yes",
                "event_type": ["default", "from_gmail"],
                "all_day": "No",
                "busy": "True",
                "my_rsvp": ["accepted", "needs_action"],
                "has_guest": ["teacher@example.com"],
                "weekdays": ["mon", "Tuesday"],
                "hours": "08:00-17:00",
                "within_days": 90,
                "visibility": ["default"],
                "colour": ["basil", "11"],
            },
            "do": {
                "invite": ["invite_emails", "carol@example.com"],
                "mirror": "central_calendar",
                "mask": "{title} ({calendar})",
                "delete_original": False,
                "skip": False,
                "send_updates": "externalOnly",
            },
            "continue": True,
        },
        {
            "name": "work",
            "match": {"account": ["carol@example.com"]},
            "do": {"mirror": "Bob@example.com", "mask": "busy"},
        },
        {"name": "move", "match": {"title": "move"}, "do": {"mirror": "true", "delete_original": True}},
        {"match": {}, "do": {"invite": ["invite_emails"]}},
    ],
}
"""Every option as the form writes it, for the version that is being made."""


# The rules


def misconfigured(config: Mapping[str, Any]) -> list[str]:
    """What the Supervisor would drop or refuse in config.yaml, and what the app linter would."""
    found = [f"{key} is missing" for key in REQUIRED if key not in config]
    found += [f"{key} is unknown and would be dropped" for key in config if key not in KNOWN]
    if not isinstance(config.get("version", ""), str):
        found.append("version is a number; write it in quotes")
    if not re.fullmatch(r"[-_.A-Za-z0-9]+", str(config.get("slug", ""))):
        found.append("slug has other signs than letters, digits, - _ .")
    if set(config.get("arch", [])) - {"aarch64", "amd64"}:
        found.append("arch names a machine that is no longer supported")
    if not str(config.get("url", "https://")).startswith("https://"):
        found.append("url is not a whole address")
    timeout = config.get("timeout", 10)
    if not isinstance(timeout, int) or not 10 < timeout <= 300:
        found.append("timeout is not within 11 and 300 (10 is the default and is left out)")
    found += [f"{one} is no service" for one in config.get("services", []) if not SERVICE.fullmatch(one)]
    image = config.get("image", "ghcr.io/x/y")
    if image != image.lower() or ":" in image:
        found.append("image has capitals or a tag")
    if not all(isinstance(config.get(key, True), bool) for key in ("ingress", "homeassistant_api")):
        found.append("a switch is not true or false")
    return found


def badly_typed(schema: object, path: str = "schema") -> list[str]:
    """What in a schema the Supervisor does not understand: other types, lists in lists, empty lists."""
    match schema:
        case str():
            return [] if ELEMENT.fullmatch(schema) else [f"{path}: {schema} is no type"]
        case dict():
            return [one for key, inner in schema.items() for one in badly_typed(inner, f"{path}.{key}")]
        case [str() | dict() as inner]:
            single = isinstance(inner, str) and not inner.startswith("str")
            shown = ["a list of other things than texts shows as one box"] if single else []
            return [f"{path}: {one}" for one in shown] + badly_typed(inner, f"{path}[]")
        case _:
            return [f"{path}: {schema!r} is no type"]


def without_default(schema: Mapping[str, Any], defaults: Mapping[str, Any]) -> list[str]:
    """Options that an installation would have to have: neither optional nor with a default."""
    found = []
    for key, kind in schema.items():
        inner = kind[0] if isinstance(kind, list) else kind
        optional = isinstance(inner, str) and inner.endswith("?")
        if key not in defaults and not optional:
            found.append(f"{key} has no default and is not optional")
    return found + [f"{key} has a default and no type" for key in defaults if key not in schema]


def invalid(schema: Mapping[str, Any], given: Mapping[str, Any], path: str = "") -> list[str]:
    """What the Supervisor would refuse in a user's options, in the types that we use."""
    found = [f"{path}{key} would be dropped" for key in given if key not in schema]
    for key, kind in schema.items():
        inner = kind[0] if isinstance(kind, list) else kind
        if key not in given:
            if not (isinstance(inner, str) and inner.endswith("?")):
                found.append(f"{path}{key} is missing")
            continue
        values = given[key] if isinstance(kind, list) else [given[key]]
        if not isinstance(values, list):
            found.append(f"{path}{key} is no list")
            continue
        for value in values:
            if isinstance(inner, dict):
                group = isinstance(value, dict)
                found += invalid(inner, value, f"{path}{key}.") if group else [f"{path}{key} is no group"]
            elif not _fits(inner.rstrip("?"), value):
                found.append(f"{path}{key}: {value!r} is not {inner}")
    return found


def _fits(kind: str, value: object) -> bool:
    name, _, rest = kind.partition("(")
    match name:
        case "str" | "password":
            return isinstance(value, str)
        case "bool":
            return isinstance(value, bool)
        case "port":
            return isinstance(value, int) and 1 <= value <= 65535
        case "int":
            low, high = rest.rstrip(")").split(",")
            return isinstance(value, int) and int(low or -(10**9)) <= value <= int(high or 10**9)
        case "match":
            return re.match(kind.removeprefix("match(").removesuffix(")"), str(value)) is not None
        case "list":
            return str(value) in rest.rstrip(")").split("|")
        case _:
            return False


def untranslated(schema: Mapping[str, Any], told: object, path: str = "") -> list[str]:
    """Keys of a schema without a name or description in a translation, and words for keys that are not there."""
    if not isinstance(told, dict):
        return [f"{path or 'configuration'} has no words"]
    found = [f"{path}{key} is told of and does not exist" for key in told if key not in schema]
    for key, kind in schema.items():
        words = told.get(key)
        if not isinstance(words, dict):
            found.append(f"{path}{key} has no words")
            continue
        empty = [part for part in ("name", "description") if not str(words.get(part) or "").strip()]
        odd = [part for part, text in words.items() if part != "fields" and not isinstance(text, str)]
        found += [f"{path}{key} has no {part}, or one that YAML takes for something else" for part in [*empty, *odd]]
        if set(words) - {"name", "description", "fields"}:
            found.append(f"{path}{key} has other words than name, description and fields")
        inner = kind[0] if isinstance(kind, list) else kind
        if isinstance(inner, dict):
            found += untranslated(inner, words.get("fields"), f"{path}{key}.")
        elif "fields" in words:
            found.append(f"{path}{key} has no fields to tell of")
    return found


def untranslated_ports(ports: Mapping[str, object], told: object) -> list[str]:
    """Ports and their descriptions that do not have the same names, letter by letter."""
    names = set(told) if isinstance(told, dict) else set()
    found = [f"port {one} has no words" for one in ports if one not in names]
    return found + [f"{one} is told of and is no port" for one in sorted(map(str, names - set(ports)))]


def badly_open(ports: Mapping[str, object]) -> list[str]:
    """Ports that are open by themselves or badly named, and the panel's, which is only for Home Assistant."""
    found = [f"{port} is not written like 8098/tcp" for port in ports if not PORT.fullmatch(port)]
    found += [f"{port} is open before a user opens it" for port, host in ports.items() if host is not None]
    panel = [port for port in ports if port.split("/")[0] == str(INGRESS_PORT)]
    return found + [f"{port} would show the panel without Home Assistant's sign-in" for port in panel]


def found_by_the_supervisor(paths: list[str]) -> list[str]:
    """Whether exactly one app and one repository are found by name, and no build instructions."""
    named = [PurePosixPath(path) for path in paths if re.search(r"(^|/)config\.(ya?ml|json)$", path)]
    apps = [str(one) for one in named if not any(p.startswith(".") or p == "rootfs" for p in one.parts)]
    stores = [path for path in paths if re.search(r"(^|/)repository\.(ya?ml|json)$", path)]
    found = [] if apps == ["config.yaml"] else [f"the apps found are {apps}"]
    found += [] if stores == ["repository.yaml"] else [f"the repositories found are {stores}"]
    return found + [f"{path} is read as build instructions" for path in paths if re.search(r"(^|/)build\.[^/]*$", path)]


def picture_size(content: bytes) -> tuple[int, int]:
    """The width and height of a PNG; (0, 0) for anything else."""
    if content[:8] != b"\x89PNG\r\n\x1a\n" or content[12:16] != b"IHDR":
        return (0, 0)
    width, height = struct.unpack(">II", content[16:24])
    return (width, height)


def badly_confined(profile: str) -> list[str]:
    """Faults that make the Supervisor refuse an AppArmor profile, and holes in it."""
    names = re.findall(r"^profile (\S+)", profile, re.MULTILINE)
    found = [] if len(names) == 1 else [f"there are {len(names)} profiles at the beginning of a line"]
    rules = re.sub(r"^\s*#.*$", "", profile, flags=re.MULTILINE)
    wide = r"^\s*(file|capability|network|signal|ptrace|mount|unix|dbus|\S*/\*\* \S*[wx]\S*)\s*,"
    narrow = {"/data/** rwk,", "/tmp/** rwk,", "/var/tmp/** rwk,", "/dev/shm/** rwk,"}
    lines = [match[0].strip() for match in re.finditer(wide, rules, re.MULTILINE)]
    found += [f"{line} allows too much" for line in lines if line not in narrow]
    risky = r"capability (sys_\w+|net_\w+|dac_read_search|bpf|perfmon)"
    return found + [f"capability {one} is not needed" for one in re.findall(risky, rules)]


def badly_built(dockerfile: str) -> list[str]:
    """What would make the image build otherwise elsewhere, start as somebody else, or not say how it is."""
    default = re.search(r"^ARG BUILD_FROM=(\S+)$", dockerfile, re.MULTILINE)
    found = [] if default else ["BUILD_FROM has no default"]
    bases = re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE)
    given = [base for base in [*bases, *([default[1]] if default else [])] if base != "${BUILD_FROM}"]
    found += [f"{base} is not pinned" for base in given if ":" not in base or base.endswith(":latest")]
    if "HEALTHCHECK --interval=10s" not in dockerfile or "/live" not in dockerfile:
        found.append("there is no health check of /live every 10 s")
    instructions = re.sub(r"^#(?! *syntax).*$", "", dockerfile, flags=re.MULTILINE)
    if re.search(r"--start-interval|^# *syntax=|<<|COPY --link", instructions):
        found.append("BuildKit 20.10 does not know that")
    if re.search(r"^USER", dockerfile, re.MULTILINE):
        found.append("USER keeps run.sh from reading the Supervisor's options.json")
    if "--require-hashes" not in dockerfile:
        found.append("packages are taken without their hashes")
    return found


def strange_owners(url: str, texts: Mapping[str, str]) -> list[str]:
    """Mentions of a repository or an image called calbot that is not ours."""
    owner = url.split("/")[3]
    found = []
    for path, text in texts.items():
        addresses = re.findall(r"https://github\.com/[\w.${}-]+/calbot\b", text)
        found += [f"{path} mentions {one}" for one in addresses if one != url]
        images = re.findall(r"ghcr\.io/([\w.-]+)/calbot\b", text)
        found += [f"{path} mentions the image of {one}" for one in images if one != owner.lower()]
        links = re.findall(r"repository_url=(\S+?)[)\s&]", text)
        whole = "https%3A%2F%2Fgithub.com%2F" + url.removeprefix("https://github.com/").replace("/", "%2F")
        found += [f"{path} links to {one}" for one in links if one != whole]
    return found


def excluded(patterns: list[str], path: str) -> bool:
    """Whether the Supervisor leaves a file of the data directory out of a backup."""
    return any(PurePath("/data/apps/data/abcd1234_calbot", path).match(pattern) for pattern in patterns)


def promised(schema: Mapping[str, object], later: Mapping[str, object], known: tuple[str, ...]) -> list[str]:
    """Options in the tab that do not work yet or do not exist, and working ones that nobody decided to leave out."""
    found = [f"{key} is shown and comes later" for key in schema if key in later]
    found += [f"{key} is shown and does not exist" for key in schema if key not in known]
    left_out = set(known) - set(schema) - set(later)
    return found + [f"{key} works and is not shown" for key in sorted(left_out) if key not in NOT_SHOWN]


# What is there


def read(path: str) -> Any:
    """A YAML file of the checkout."""
    return yaml.safe_load((ROOT / path).read_text("utf-8"))


CONFIG: dict[str, Any] = read("config.yaml")
WORDS: dict[str, Any] = {language: read(f"translations/{language}.yaml") for language in LANGUAGES}
KEYS = (*settings.KEYS, *sources.SHELL_KEYS)


def texts() -> Iterator[tuple[str, str]]:
    """The files of the checkout that may mention where it comes from, but this one."""
    kinds = {".md", ".yaml", ".yml", ".py", ".toml", ".sh", ".html", ""}
    for path in files():
        if PurePosixPath(path).suffix in kinds and path != "tests/test_app_files.py":
            yield path, (ROOT / path).read_text("utf-8", errors="replace")


def test_the_supervisor_takes_the_configuration() -> None:
    """Only known keys, each with a value that it accepts, and no default written out."""
    assert misconfigured(CONFIG) == []
    assert badly_typed(CONFIG["schema"]) == []


def test_the_version_is_one() -> None:
    """config.yaml, the package and the first heading of the changelog tell the same version."""
    changelog = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)

    assert changelog is not None
    assert CONFIG["version"] == PROJECT["version"] == changelog[1]


def test_an_installation_never_lacks_an_option() -> None:
    """Every option is optional or has a default, also groups and lists of groups, which the Supervisor wants."""
    assert without_default(CONFIG["schema"], CONFIG["options"]) == []
    assert invalid(CONFIG["schema"], CONFIG["options"]) == []


def test_the_tab_shows_what_works() -> None:
    """The Configuration tab has the options that the code acts on, and no promises."""
    assert promised(CONFIG["schema"], {}, KEYS) == []


def test_the_tab_shows_what_works_in_a_rule() -> None:
    """Every matcher and every action."""
    rule = CONFIG["schema"]["rules"][0]

    assert set(rule) == {"name", "match", "do", "continue"}
    assert set(rule["match"]) == set(ruleoptions._MATCHERS)
    assert set(rule["do"]) == set(ruleactions.ACTIONS)


@pytest.mark.parametrize("version", [*sorted(RELEASED), "next"])
def test_options_of_every_released_version_stay_valid(version: str, tmp_path: Path) -> None:
    """The Supervisor still takes them, laid over today's defaults, and so does Calbot."""
    given = {**CONFIG["options"], **RELEASED.get(version, NEXT)}

    assert invalid(CONFIG["schema"], given) == []
    (tmp_path / "options.json").write_text(json.dumps(given))
    options.load({"CALBOT_DATA": str(tmp_path), "SUPERVISOR_TOKEN": "x"})


def test_a_released_version_is_on_the_list() -> None:
    """The options of the version that goes out are kept for the tests of all later ones; the next name every option."""
    rule = CONFIG["schema"]["rules"][0]
    written = next(one for one in _rules(NEXT) if one["name"] == "school")

    assert CONFIG["version"] in RELEASED
    assert set(NEXT) == set(CONFIG["schema"])
    assert (set(written), set(written["match"]), set(written["do"])) == (set(rule), set(rule["match"]), set(rule["do"]))


def test_a_rule_of_the_form_is_the_same_in_calbot_yaml(tmp_path: Path) -> None:
    """The form can write fewer kinds of values; what it writes means what somebody would write by hand."""
    form, by_hand = tmp_path / "form", tmp_path / "by_hand"
    form.mkdir()
    by_hand.mkdir()
    written = """
        accounts: [anna@example.com, carol@example.com]
        invite_emails: [bob@example.com]
        central_calendar: family@group.calendar.google.com
        delete_original: {enabled: true, grace: 600}
        rules:
          - {name: hush, match: {visibility: private}, do: {skip: true}}
          - name: school
            match: {account: anna@example.com, calendar: primary, title: "(?i)school", description: form 3b,
              location: Hall, organiser_is_me: true, event_type: [default, fromGmail], all_day: false, busy: true,
              my_rsvp: [accepted, needsAction], has_guest: teacher@example.com, weekdays: [Mon, tue],
              hours: 8-17, within_days: 90, visibility: default, colour: [basil, 11]}
            do: {invite: [true, carol@example.com], mirror: true, mask: {title: "{title} ({calendar})"},
              send_updates: externalOnly}
            continue: true
          - {name: work, match: {account: carol@example.com}, do: {mirror: bob@example.com, mask: busy}}
          - {name: move, match: {title: move}, do: {mirror: family@group.calendar.google.com, delete_original: true}}
          - do: {invite: true}
    """

    (form / "options.json").write_text(json.dumps({**CONFIG["options"], **NEXT}))
    (by_hand / "calbot.yaml").write_text(textwrap.dedent(written))
    found = [options.load({"CALBOT_DATA": str(place)}) for place in (form, by_hand)]

    assert found[0].settings.rules == found[1].settings.rules
    assert [rule.name for rule in found[0].settings.rules] == ["hush", "school", "work", "move", "rule 5"]
    assert (found[0].notes, found[1].notes) == ((), ())


def _rules(given: Mapping[str, object]) -> list[dict[str, Any]]:
    rules = given["rules"]
    assert isinstance(rules, list)
    return rules


def test_the_defaults_start_calbot(tmp_path: Path) -> None:
    """What the Supervisor writes for somebody who changed nothing is understood."""
    (tmp_path / "options.json").write_text(json.dumps(CONFIG["options"]))

    found = options.load({"CALBOT_DATA": str(tmp_path), "SUPERVISOR_TOKEN": "x"})

    assert (found.settings.invite_emails, found.mqtt.host, found.notes) == ((), None, ())


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_option_has_words(language: str) -> None:
    """In each language each option has a name and a description, nested ones too, and each port its own."""
    assert set(WORDS[language]) == {"configuration", "network"}
    assert untranslated(CONFIG["schema"], WORDS[language]["configuration"]) == []
    assert untranslated_ports(CONFIG["ports"], WORDS[language]["network"]) == []


def test_every_option_is_in_the_documentation() -> None:
    """DOCS.md names each option that the tab shows."""
    docs = (ROOT / "DOCS.md").read_text("utf-8")

    assert [key for key in _keys(CONFIG["schema"]) if f"`{key}`" not in docs] == []


def test_the_rules_of_the_documentation_work(tmp_path: Path) -> None:
    """What people copy is taken by the Supervisor and by Calbot, without a remark."""
    found = re.search(r"## Rules\n.*?```yaml\n(.*?)```", (ROOT / "DOCS.md").read_text("utf-8"), re.DOTALL)
    assert found is not None
    (tmp_path / "calbot.yaml").write_text(f"invite_emails: [bob@example.com]\n{found[1]}", "utf-8")

    rules = options.load({"CALBOT_DATA": str(tmp_path)})

    assert invalid(CONFIG["schema"], {**CONFIG["options"], **yaml.safe_load(found[1])}) == []
    assert [rule.name for rule in rules.settings.rules] == ["hush", "school", "work", "invited", "rest"]
    assert rules.notes == ()


def test_the_copies_of_the_documentation_work(tmp_path: Path) -> None:
    """The example is taken as it stands, and the page names all that may stand in braces."""
    docs = (ROOT / "DOCS.md").read_text("utf-8")
    found = re.search(r"## Copies on a shared calendar\n.*?```yaml\n(.*?)```", docs, re.DOTALL)
    assert found is not None
    (tmp_path / "calbot.yaml").write_text(found[1], "utf-8")

    taken = options.load({"CALBOT_DATA": str(tmp_path)})

    assert invalid(CONFIG["schema"], {**CONFIG["options"], **yaml.safe_load(found[1])}) == []
    assert [(rule.name, rule.mirror, rule.mask.shows) for rule in taken.settings.rules] == [
        ("work", "bob@example.com", "busy"),
        ("birthdays", "family@group.calendar.google.com", "full"),
        ("rest", "family@group.calendar.google.com", "template"),
    ]
    assert taken.notes == ()
    assert [name for name in content.NAMES if f"`{{{name}}}`" not in docs] == []


def _keys(kind: object) -> list[str]:
    one = kind[0] if isinstance(kind, list) else kind
    return [key for name, inner in one.items() for key in (name, *_keys(inner))] if isinstance(one, dict) else []


def test_no_door_is_open_by_itself() -> None:
    """The push port is off until a user turns it on, and the panel's is never published."""
    assert badly_open(CONFIG["ports"]) == []


def test_the_supervisor_finds_one_app_and_one_repository() -> None:
    """No other file has a name that it searches for, hidden folders included."""
    assert found_by_the_supervisor(sorted(files())) == []
    assert test_house.misnamed(files()) == []


def test_the_repository_is_one() -> None:
    """repository.yaml has what the store asks for."""
    repository = read("repository.yaml")

    assert set(repository) == {"name", "url", "maintainer"}
    assert re.fullmatch(r"https://github\.com/[\w.-]+/calbot", repository["url"])


def test_owner_and_address_stand_in_one_place() -> None:
    """Every mention of the repository or the image is repository.yaml's; none has a slash or .git at its end."""
    url = read("repository.yaml")["url"]

    assert strange_owners(url, dict(texts())) == []
    assert CONFIG["url"] == url
    assert CONFIG.get("image", f"ghcr.io/{url.split('/')[3].lower()}/calbot").endswith("/calbot")
    assert url in (ROOT / "DOCS.md").read_text("utf-8")


def test_the_pictures_have_their_sizes() -> None:
    """The icon is a square of 128, the logo about 250 by 100."""
    assert picture_size((ROOT / "icon.png").read_bytes()) == (128, 128)
    assert picture_size((ROOT / "logo.png").read_bytes()) == (250, 100)


def test_the_profile_is_one_and_tight() -> None:
    """One profile, as the Supervisor counts them, and nothing wide open. That it compiles, tests/container shows."""
    assert badly_confined((ROOT / "apparmor.txt").read_text("utf-8")) == []


def test_the_image_is_built_as_agreed() -> None:
    """A pinned base with a default, a health check, no USER, hashes."""
    assert badly_built((ROOT / "Dockerfile").read_text("utf-8")) == []


def test_a_backup_holds_the_copy_and_not_what_is_live() -> None:
    """backup.db and the sealed tokens are in it; the live store, its snapshots and every key file are not."""
    patterns = CONFIG["backup_exclude"]
    inside = ["backup.db", "options.json", "calbot.yaml", "tokens/anna@example.com.json"]
    outside = ["calbot.db", "calbot.db-wal", "calbot.db-shm", "calbot.lock", "snapshots/calbot-000000000001.db"]
    outside += ["damaged/0000-calbot.db", "logs/calbot.log", "logs/calbot.log.1", "calbot.key"]
    outside += ["backup.db.partial", "tokens/anna@example.com.json.tmp"]

    assert [path for path in inside if excluded(patterns, path)] == []
    assert [path for path in outside if not excluded(patterns, path)] == []


def test_a_backup_is_a_whole_store_of_a_running_calbot(tmp_path: Path) -> None:
    """Made while the store is open and written to; the one before is replaced, and nobody else may read it."""
    database = Database(tmp_path)
    database.open()
    (tmp_path / BACKUP).write_text("an older one")

    made = backup.back_up(tmp_path)
    database.close()

    assert made == tmp_path / "backup.db"
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    with contextlib.closing(sqlite3.connect(made)) as copy:
        assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert copy.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'deed'").fetchone() == (1,)
    assert not list(tmp_path.glob("*.partial"))


def test_a_backup_without_a_store_leaves_none(tmp_path: Path) -> None:
    """Before the first start has made a store nothing is made, and no older copy is passed off as today's."""
    (tmp_path / BACKUP).write_text("an older one")

    assert backup.back_up(tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_a_backup_that_fails_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A store that cannot be copied fails the app's backup, with a sentence; the earlier copy stays."""
    (tmp_path / "calbot.db").write_bytes(b"no store at all" * 100)
    (tmp_path / BACKUP).write_text("an older one")

    code = backup.main({"CALBOT_DATA": str(tmp_path)})

    assert code == 1
    assert "store" in capsys.readouterr().err
    assert (tmp_path / BACKUP).read_text() == "an older one"


def test_the_release_adds_the_image() -> None:
    """publish.yaml writes the image's key after the images are pushed and can be pulled, and then moves the branch."""
    steps = (ROOT / ".github/workflows/publish.yaml").read_text("utf-8")
    order = ["build-image@", "publish-multi-arch-manifest@", "manifest inspect", "a image: $IMAGE", "git push --atomic"]
    places = [steps.index(one) for one in order]

    assert places == sorted(places)
    for path in sorted((ROOT / ".github/workflows").iterdir()):
        assert isinstance(read(f".github/workflows/{path.name}")["jobs"], dict)


# Each rule can fail


def test_planted_misconfigurations_are_found() -> None:
    """Each key that the Supervisor would drop or refuse is named; ours as it is, is not."""
    planted: list[dict[str, Any]] = [
        {"watchdog": "http://[HOST]:8099/live"},
        {"webui": "http://[HOST]:[PORT:8099]"},
        {"ingress_port": 8099},
        {"backup": "hot"},
        {"stage": "advanced"},
        {"version": 0.1},
        {"slug": "cal bot"},
        {"arch": ["armv7"]},
        {"url": "github.com/calbot"},
        {"timeout": 10},
        {"timeout": "20s"},
        {"services": ["mqtt"]},
        {"image": "ghcr.io/Calbot/calbot"},
        {"image": "ghcr.io/calbot/calbot:0.1.0"},
        {"ingress": "yes"},
    ]

    assert [one for one in planted if not misconfigured(CONFIG | one)] == []
    assert len(misconfigured({})) >= len(REQUIRED)


def test_planted_types_are_found() -> None:
    """Types that turn the form to YAML or hide the app."""
    for kind in (
        "text",
        "int(1-5)",
        [["str"]],
        [],
        ["int"],
        ["list(a|b)"],
        {"a": "bol"},
        [{"a": "string"}],
        [{"a": [{"b": 5}]}],
    ):
        assert badly_typed({"key": kind})


def test_planted_missing_defaults_are_found() -> None:
    """Groups, lists of groups and required scalars without a default; optional ones are fine."""
    for kind in ("str", {"a": "str?"}, [{"a": "str?"}], ["str"]):
        assert without_default({"key": kind}, {})
        assert not without_default({"key": kind}, {"key": None})
    assert not without_default({"a": "str?", "b": ["str?"]}, {})
    assert without_default({}, {"key": 1})


def test_planted_bad_options_are_found() -> None:
    """Missing, unknown, and of another type: each is refused as the Supervisor does."""
    schema = CONFIG["schema"]
    good = {**CONFIG["options"], **NEXT}
    rules: list[dict[str, Any]] = [
        {"name": 5},
        {"match": []},
        {"match": {"hours": 8}},
        {"match": {"weekdays": "mon"}},
        {"match": {"weekdays": [["mon"]]}},
        {"match": {"busy": "perhaps"}},
        {"match": {"within_days": 0}},
        {"do": {"invite": [True]}},
        {"do": {"invite": [None]}},
        {"do": {"send_updates": "nobody"}},
        {"do": {"mirror": True}},
        {"do": {"mask": {"title": "Busy"}}},
        {"do": {"delete_original": "yes"}},
        {"continue": "on"},
    ]
    planted: list[dict[str, Any]] = [
        {"poll_interval": 5},
        {"first_sync": "all"},
        {"mqtt": {"port": 0}},
        {"mqtt": []},
        {"accounts": [{"calendars": ["primary"]}]},
        {"accounts": ["anna@example.com"]},
        {"invite_emails": "bob@example.com"},
        {"auto_invite": "on"},
        {"unheard_of": 1},
        {"limits": {"invites_per_hour": 0}},
        {"central_calendar": ["family@group.calendar.google.com"]},
        {"mirroring": "on"},
        {"delete_original": {"grace": 604801}},
        {"delete_original": True},
        {"alerts": ["sendgrid://key:from@example.org/to@example.org"]},
        {"alerts": [{"gmail_from": ["anna@example.com"]}]},
        {"report_at": "25:00"},
        {"report_at": "7"},
        {"heartbeat_url": 5},
        *({"rules": [{"name": "school", "match": {}, "do": {}} | one]} for one in rules),
        {"rules": [{"name": "school", "do": {}}]},
        {"rules": [{"name": "school", "match": {}}]},
        {"rules": {"name": "school", "match": {}, "do": {}}},
    ]

    assert [one for one in planted if not invalid(schema, good | one)] == []
    assert invalid({"new": "str"}, {})


def test_planted_missing_words_are_found() -> None:
    """A key, a name, a description, a nested field; and a text that YAML reads as true."""
    schema = {"a": "str?", "b": [{"c": "str?"}]}
    words = {"name": "A", "description": "B"}
    good = {"a": words, "b": {**words, "fields": {"c": words}}}
    bad = [
        {"a": words},
        {**good, "a": {"name": "A"}},
        {**good, "a": {"name": "A", "description": True}},
        {**good, "b": words},
        {**good, "b": {**words, "fields": {}}},
        {**good, "a": {**words, "fields": {}}},
        {**good, "old": words},
        None,
    ]

    assert untranslated(schema, good) == []
    assert [one for one in bad if not untranslated(schema, one)] == []
    assert untranslated_ports({"8098/tcp": None}, {"8098/TCP": "Push"})
    assert untranslated_ports({"8098/tcp": None}, None)


def test_planted_open_doors_are_found() -> None:
    """A port that is on, the panel's, and one that is badly written."""
    for ports in ({"8098/tcp": 8098}, {"8099/tcp": None}, {"8098/TCP": None}):
        assert badly_open(ports)


def test_planted_names_are_found() -> None:
    """A second app or repository and build instructions, hidden or not; issue forms are no app."""
    good = ["config.yaml", "repository.yaml", ".github/ISSUE_TEMPLATE/config.yml", "rootfs/config.json", "builder.yaml"]
    for planted in ("addon/config.json", "tests/config.yml", ".github/workflows/build.yml", "docs/repository.json"):
        assert found_by_the_supervisor(sorted([*good, planted]))
    assert found_by_the_supervisor(good) == []
    assert found_by_the_supervisor([])


def test_planted_pictures_are_found() -> None:
    """What is no PNG has no size."""
    assert picture_size(b"GIF89a" + bytes(30)) == (0, 0)
    assert picture_size(b"\x89PNG\r\n\x1a\n" + bytes(4) + b"IHDR" + struct.pack(">II", 3, 4)) == (3, 4)


def test_planted_holes_are_found() -> None:
    """Two profiles or none, everything allowed, too large capabilities."""
    good = (ROOT / "apparmor.txt").read_text("utf-8")
    for planted in ("  file,", "  capability,", "  network,", "  /** rw,", "  /app/** rwk,", "  capability sys_admin,"):
        assert badly_confined(good.replace("profile calbot", f"{planted}\nprofile calbot"))
    assert badly_confined(good + "\nprofile other {\n}\n")
    assert badly_confined("")


def test_planted_dockerfiles_are_found() -> None:
    """Each agreement about the image can be broken, and is seen."""
    good = (ROOT / "Dockerfile").read_text("utf-8")
    broken = [
        good.replace("ARG BUILD_FROM=debian:trixie-slim", "ARG BUILD_FROM"),
        good.replace("debian:trixie-slim", "debian:latest"),
        good.replace("debian:trixie-slim", "debian"),
        good.replace("HEALTHCHECK", "# HEALTHCHECK").replace("--interval=10s", ""),
        good.replace("--start-period", "--start-interval=1s --start-period"),
        "# syntax=docker/dockerfile:1\n" + good,
        good + "USER calbot\n",
        good.replace("--require-hashes", ""),
    ]

    assert [index for index, text in enumerate(broken) if not badly_built(text)] == []


def test_planted_owners_are_found() -> None:
    """Another owner, another image, a link of ours to somebody else."""
    url = read("repository.yaml")["url"]
    badge = "?repository_url=https%3A%2F%2Fgithub.com%2Fsomebody%2Fcalbot)"
    planted = ["https://github.com/somebody/calbot", "ghcr.io/somebody/calbot", badge]

    assert [one for one in planted if not strange_owners(url, {"x": one})] == []
    assert strange_owners("https://github.com/Anna/calbot", {"x": "ghcr.io/anna/calbot"}) == []


def test_planted_promises_are_found() -> None:
    """A later option that is shown, one that does not exist, and one that was forgotten."""
    known = ("a", "b", *NOT_SHOWN)

    assert promised({"a": "str?", "b": "str?"}, {}, known) == []
    for schema, later in itertools.product(({"a": "str?"}, {"a": "", "b": "", "c": ""}), ({}, {"a": 1})):
        assert promised(schema, later, known)


def test_planted_backups_are_found() -> None:
    """A pattern that misses leaves its file in."""
    assert not excluded(["calbot.key"], "secret/other.key")
    assert excluded(["snapshots/*"], "snapshots/a.db")
