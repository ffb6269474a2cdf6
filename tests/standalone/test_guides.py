"""The guides tell the truth: their commands exist, their log lines are logged, and each alert has its entry.

Each rule is a function from text to a list of sentences, and a test plants a violation of each.
"""

import ast
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePath
from typing import get_args

import click
import pytest
import yaml

from addon import backup, monitor, options
from addon.alerts import judge
from addon.commands import calbot
from calbot.kinds import FailureReason
from tests.service.running import ANNA, Service, house, wait_for
from tests.standalone.composing import FOLDER, ROOT, composed
from tests.standalone.test_compose import TEXT, refused
from tests.test_app_files import CONFIG, invalid
from tests.test_house import files

GUIDES = {path.name: path.read_text("utf-8") for path in sorted(FOLDER.glob("*.md"))}
PAGES = {**GUIDES, **{name: (ROOT / name).read_text("utf-8") for name in ("README.md", "DOCS.md")}}
PAGES["standalone/README.md"] = GUIDES["README.md"]
TROUBLES = GUIDES["TROUBLESHOOTING.md"]
ELSEWHERE = {"backup": "run.sh itself knows it", "demo": "run.sh itself knows it"}
"""Words behind ./run.sh that are no command of Calbot's."""
_CALBOT = re.compile(
    r"(?:(?:sudo|docker compose exec(?: -T)? calbot|-u calbot|env|systemd-run|--[a-z]+(?:=\S+)?|\w+=\S+|sh -c '?)\s+)*"
    r"(?:calbot|(?!\S*tests/)(?:\S*/)?run\.sh)(?: +(.+))?$"
)
"""Calbot's command line, however it is reached; the rest is what it is told."""


# The rules


def blocks(text: str, language: str) -> list[str]:
    """What stands in a page's fenced blocks of one language; none is a shell's. Blocks in lists are moved in."""
    found = re.findall(r"^( *)```(\w*)\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
    return [re.sub(rf"^{indent}", "", inner, flags=re.MULTILINE) for indent, kind, inner in found if kind == language]


def said_to_calbot(text: str) -> Iterator[list[str]]:
    """The words behind `calbot` or `./run.sh` in a page's shell blocks, its consoles, and between its backticks."""
    lines = [line for block in blocks(text, "") for line in block.splitlines()]
    lines += [line[2:] for block in blocks(text, "console") for line in block.splitlines() if line.startswith("$ ")]
    prose = re.sub(r"^ *```.*?^ *```$", "", text, flags=re.MULTILINE | re.DOTALL)
    for paragraph in re.split(r"\n\s*\n|\n\|", prose):
        lines += re.findall(r"`([^`]+)`", paragraph.replace("\n", " "))
    for line in lines:
        for part in re.split(r"\s+(?:&&|\|\||\||;|>|<)\s+", line.partition(" # ")[0].strip()):
            found = re.match(_CALBOT, part)
            if found is not None and (words := shlex.split((found[1] or "").replace("…", " ").rstrip("'"))):
                yield words


def unheard(text: str, root: click.Command) -> list[str]:
    """Commands and options that a page names and Calbot does not know."""
    found = []
    for words in said_to_calbot(text):
        command, rest = root, list(words)
        while isinstance(command, click.Group) and rest and rest[0] in command.commands:
            command = command.commands[rest.pop(0)]
        known = {option for one in command.params for option in (*one.opts, *one.secondary_opts)} | {"--help"}
        lost = [one for one in rest if one.startswith("--") and one not in known]
        if isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
            lost = [] if words[0] in ELSEWHERE else rest[:1]
        found += [f"{' '.join(words)}: {one}" for one in lost]
    return found


def entries(text: str) -> dict[str, list[list[str]]]:
    """The rows of a page's tables that begin with a name in backticks, with their cells, by that name."""
    found: dict[str, list[list[str]]] = {}
    for line in re.findall(r"^\| `(\w+)`.*\|$", text, re.MULTILINE):
        found.setdefault(line, [])
    for row in re.findall(r"^\|(.*)\|$", text, re.MULTILINE):
        cells = [cell.strip() for cell in row.split(" | ")]
        name = re.match(r"`(\w+)`", cells[0])
        if name is not None:
            found[name[1]].append(cells)
    return found


def untold(section: str, codes: Iterable[str]) -> list[str]:
    """Codes without one whole row in a section: what it means, what to do, when it is solved; and rows of no code."""
    rows = entries(section)
    found = [f"{code} has no entry" for code in codes if code not in rows]
    found += [f"{code} is told of and does not exist" for code in rows if code not in set(codes)]
    return found + [
        f"{code} lacks something" for code, told in rows.items() if [len([c for c in row if c]) for row in told] != [4]
    ]


def codes_in(source: str) -> set[str]:
    """The codes of the reasons that a module makes, read from it."""
    return {
        str(keyword.value.value)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Reason"
        for keyword in node.keywords
        if keyword.arg == "code" and isinstance(keyword.value, ast.Constant)
    }


def section(text: str, title: str) -> str:
    """One section of a page."""
    return re.split(r"^## ", text.partition(f"\n## {title}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def broken_links(pages: Mapping[str, str]) -> list[str]:
    """Links of the guides to files or headings that are not there."""
    found = []
    for name, text in pages.items():
        for target in re.findall(r"\]\((?!https?://)([^)\s]+)\)", text):
            path, _, anchor = target.partition("#")
            page = (FOLDER / path).resolve() if path else FOLDER / name
            headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE) if page.exists() else []
            if not page.exists() or (anchor and anchor not in map(_anchor, headings)):
                found.append(f"{name}: {target}")
    return found


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def unlogged(text: str, log: str) -> list[str]:
    """Lines of a page's text blocks that are nowhere in a log; `…` stands for anything."""
    lines = [line for block in blocks(text, "text") for line in block.splitlines() if line.strip()]
    patterns = {line: ".*".join(map(re.escape, line.split("…"))) for line in lines}
    return [line for line, pattern in patterns.items() if not re.search(pattern, log)]


def commands_of(name: str, word: str) -> list[str]:
    """The lines of a guide's shell blocks that have a word in them."""
    return [line for block in blocks(GUIDES[name], "") for line in block.splitlines() if word in line]


# What is there


@pytest.mark.parametrize("name", PAGES)
def test_every_command_exists(name: str) -> None:
    """Each `calbot …` and `./run.sh …` of guides, README and DOCS is a command, with options that it has."""
    assert unheard(PAGES[name], calbot) == []


def test_the_guides_have_commands() -> None:
    """They are found where they are written: after sudo, in containers, in lists, and in the text."""
    named = {words[0] for text in GUIDES.values() for words in said_to_calbot(text)}

    assert {"check", "alerts", "import", "env", "backup", "version", "preview", "undo", "approve", "channels"} <= named


def test_every_alert_has_an_entry() -> None:
    """Each kind with its title, each reason with its code: a new one without an entry fails here."""
    reasons = codes_in((ROOT / "calbot/health.py").read_text("utf-8")) | set(get_args(FailureReason))

    assert untold(section(TROUBLES, "Alerts"), get_args(judge.Kind)) == []
    assert untold(section(TROUBLES, "Reasons"), sorted(reasons)) == []
    for kind, title in judge._TITLES.items():
        assert f"| `{kind}` “{title}” |" in TROUBLES
    for title in re.findall(r'title="(Calbot is [^"]+)"', Path(monitor.__file__).read_text("utf-8")):
        assert f"“{title}”" in TROUBLES


def test_every_link_leads_somewhere() -> None:
    """To files that are there, and headings in them; the index names every guide, the README too."""
    assert broken_links(GUIDES) == []
    assert [name for name in GUIDES if name != "README.md" and f"({name}" not in GUIDES["README.md"]] == []
    assert [n for n in GUIDES if n != "README.md" and f"(addon/standalone/{n}" not in PAGES["README.md"]] == []


def test_every_file_that_is_named_is_there() -> None:
    """Files of this folder that a command copies, and the units by their names."""
    there = {PurePath(path).name for path in files() if path.startswith("addon/standalone/")}
    named = {name for text in GUIDES.values() for name in re.findall(r"addon/standalone/([\w.-]+\.\w+)", text)}
    named |= {name for text in GUIDES.values() for name in re.findall(r"\bcp (example\.\w+)", text)}

    assert named and named <= there


def test_what_is_to_be_pasted_is_understood(tmp_path: Path) -> None:
    """Options as Calbot reads them, the addition to the Compose file as Compose does, DOCS' as Home Assistant."""
    pasted = [yaml.safe_load(block) for text in GUIDES.values() for block in blocks(text, "yaml")]
    found = re.search(r"## Alerts\n.*?```yaml\n(.*?)```", PAGES["DOCS.md"], re.DOTALL)
    assert found is not None
    pasted.append(yaml.safe_load(found[1]))

    for one in (one for one in pasted if "services" not in one):
        (tmp_path / "calbot.yaml").write_text(yaml.safe_dump(one))
        assert options.load({"CALBOT_DATA": str(tmp_path)}).notes == ()
    (added,) = (one for one in pasted if "services" in one)

    assert invalid(CONFIG["schema"], {**CONFIG["options"], **yaml.safe_load(found[1])}) == []
    assert refused(yaml.safe_dump(added)) == ""
    assert set(added["services"]) <= set(composed(TEXT, {"MQTT_PASSWORD": "x"})["services"])


def test_the_lines_to_look_for_are_logged(tmp_path: Path) -> None:
    """Everything that a guide says you will read is in the log of a real run, on the panel, or said by `check`."""
    said = ""
    with house(tmp_path / "a") as (service, google, _):
        (service.data / "tokens" / f"{ANNA}.json").rename(tmp_path / "token")
        said += _of_a_run(service, "Status: setup")
        (tmp_path / "token").rename(service.data / "tokens" / f"{ANNA}.json")
        service.start()
        wait_for(lambda: google.channels() and "Status: ok." in service.log(), 30, "Status: ok.")
        said += service.run("check").stdout + _of_the_monitor(service)
        service.stop()
        backup.back_up(service.data)
        for path in service.data.glob("calbot.db*"):
            path.unlink()
        said += _of_a_run(service, "came from a backup")
        with sqlite3.connect(service.data / "calbot.db") as store:
            store.execute("PRAGMA user_version = 9999")
        said += _of_a_run(service, "newer Calbot")
        said = said.replace(f"http://127.0.0.1:{service.push_port}/push", "https://calbot.example.org/push")
        at = f"http://127.0.0.1:{service.panel_port}/"
        said += said.replace(at, "http://127.0.0.1:8099/")
        said += said.replace(at, "http://0.0.0.0:8099/") + said.replace(at, "http://calbot:8099/")

    assert {name: lost for name, text in GUIDES.items() if (lost := unlogged(text, said))} == {}
    assert sum(len(blocks(text, "text")) for text in GUIDES.values()) >= 8


def _of_a_run(service: Service, line: str) -> str:
    """Start the service, wait for a line, end it; return all that it has logged."""
    service.start()
    wait_for(lambda: line in service.log(), 30, line)
    assert service.stop()[0] == 0
    return service.log()


def _of_the_monitor(service: Service) -> str:
    """Have a monitor look once or twice; return what it has logged."""
    command = [sys.executable, "-m", "addon", "monitor"]
    given = service.environment(MONITOR_STATUS_FILE=str(service.data.parent / "monitor/status.json"))
    with (service.data / "watch").open("wb") as log:
        watching = subprocess.Popen(command, cwd=service.data, env=given, stdout=log, stderr=log)
    try:
        wait_for(lambda: b"is watched" in (service.data / "watch").read_bytes(), 20, "the monitor to watch")
    finally:
        watching.terminate()
        assert watching.wait(10) == 0
    return (service.data / "watch").read_text()


@pytest.mark.parametrize(("name", "data"), [("Compose", "/data"), ("systemd", "/var/lib/calbot")])
def test_a_backup_by_the_guide_is_whole_and_without_the_key(name: str, data: str, tmp_path: Path) -> None:
    """Its own tar command, as written: all that Home Assistant's backups hold, nothing that they leave out."""
    (packing,) = (line for line in commands_of("BACKUP.md", "--exclude=./snapshots") if f"-C {data} " in line)
    (unpacking,) = (line for line in commands_of("BACKUP.md", "-xz") if f"-C {data} " in line)
    before, after = tmp_path / "before", tmp_path / "after"
    after.mkdir()
    inside = [
        "backup.db",
        "client.json",
        ".env.encrypted",
        "tokens/anna@example.com.json",
        "mail/anna@example.com.json",
    ]
    outside = ["calbot.db", "calbot.db-wal", "calbot.lock", "calbot.key", "calbot-damaged.key", "snapshots/calbot-1.db"]
    outside += ["damaged/0000-calbot.db", "logs/calbot.log", "backup.db.partial", "tokens/.anna.tmp"]
    for path in (*inside, *outside):
        (before / path).parent.mkdir(parents=True, exist_ok=True)
        (before / path).write_text(path)

    _done_in(packing, data, before, tmp_path)
    _done_in(unpacking, data, after, tmp_path)

    there = {str(path.relative_to(after)) for path in after.rglob("*") if path.is_file()}
    assert there == set(inside)
    patterns = CONFIG["backup_exclude"]
    assert [path for path in outside if not any(PurePath("/x", path).match(pattern) for pattern in patterns)] == []


def _done_in(line: str, data: str, folder: Path, here: Path) -> None:
    """Do what a guide's line does within its container or as root, on another folder."""
    inner = re.sub(r"^(sudo|docker compose (exec|run --rm) -T (--no-deps )?calbot) ", "", line)
    subprocess.run(inner.replace(data, str(folder)), shell=True, check=True, cwd=here, timeout=30)  # noqa: S602


def test_the_clone_knows_its_backup(tmp_path: Path) -> None:
    """`./run.sh backup` leaves the copy that the guide packs."""
    if not (ROOT / ".venv/made-from").exists() or shutil.which("bash") is None:
        pytest.skip("./run.sh has not made its environment here")
    with house(tmp_path) as (service, _, _):
        service.start()
        wait_for(service.is_watching, 20, "watching")
        service.stop()

        done = subprocess.run(
            [ROOT / "run.sh", "backup"], env=service.environment(), capture_output=True, timeout=60, check=False
        )

    assert (done.returncode, (tmp_path / "backup.db").exists()) == (0, True)


# Each rule can fail


def test_planted_commands_are_found() -> None:
    """A command, a command of a group, and an option that do not exist; in a block, in a list, in the text."""
    for planted in (
        "```\n./run.sh chekc\n```",
        "```\ndocker compose exec calbot calbot chekc\n```",
        "1. Do\n   ```\n   sudo -u calbot env A=b /opt/calbot/run.sh alerts tset\n   ```",
        "Say `calbot undo --lats` then.",
        "```\na | docker compose exec -T calbot sh -c 'cat > x && calbot evn encrypt x' < y\n```",
        "```console\n$ calbot previw\n```",
        "`./run.sh demo` and `./run.sh dmeo`",
    ):
        assert unheard(planted, calbot), planted
    assert not unheard("`calbot`, `docker compose restart calbot monitor`, `systemctl status calbot`", calbot)
    assert not unheard("```\n./run.sh check # chekc\nsudo systemctl stop calbot calbot-monitor\n```", calbot)


def test_planted_gaps_are_found() -> None:
    """A code without an entry, an entry of no code, an empty cell, two entries of one code."""
    row = "| `{}` “It” | means | do | solved |\n"

    assert untold(row.format("a"), ["a"]) == []
    assert untold(row.format("a"), ["a", "b"])
    assert untold(row.format("a") + row.format("b"), ["a"])
    assert untold("| `a` | means |  | solved |\n", ["a"])
    assert untold(row.format("a") * 2, ["a"])
    assert codes_in('Reason(code="a", text="x")\nfield(code="b")\nReason(text="y", code="c")') == {"a", "c"}


def test_planted_untruths_are_found() -> None:
    """A line that is not logged, a link that leads nowhere."""
    assert unlogged("```text\nCalbot … is running.\n```", "INFO Calbot 1.0 is running.") == []
    assert unlogged("```text\nCalbot … runs.\n```", "INFO Calbot 1.0 is running.")
    assert broken_links({"x.md": "[a](NOTHING.md)"}) and broken_links({"x.md": "[a](BACKUP.md#nothing)"})
    assert not broken_links({"x.md": "[a](BACKUP.md#the-key) [b](https://example.org/x)"})
