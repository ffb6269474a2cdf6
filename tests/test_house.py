"""Holds the shape of the house: the floors, the wall, and what is true of every module.

A rule is a function from text to a list of sentences, one per violation; a test plants a violation of each.
"""

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from graphlib import CycleError, TopologicalSorter
from pathlib import Path, PurePosixPath

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent

# From the roof to the ground; imports go down. `x.*` is everything in the package x that is not named itself.
FLOORS: tuple[tuple[str, ...], ...] = (
    (
        "addon.app",
        "addon.__main__",
        "addon.doors",
        "addon.commands",
        "addon.service",
        "addon.checks",
        "addon.alertcommands",
        "addon.backup",
    ),
    (
        *("addon.mqtt.*", "addon.web.*", "addon.alerts", "addon.alerts.*"),
        *(
            "addon.heartbeat",
            "addon.monitor",
            "addon.outage",
            "addon.glance",
            "addon.supervisor",
            "addon.broker",
            "addon.brokers",
            "addon.backup",
            "addon.logs",
            "addon.stopping",
        ),
    ),
    (
        *("addon.options", "addon.mqtt.topics", "addon.mqtt.messages", "addon.mqtt.discovery"),
        *(
            "addon.mqtt.requests",
            "addon.mqtt.encoding",
            "addon.mqtt.posts",
            "addon.mqtt.claim",
            "addon.mqtt.gate",
        ),
        *("addon.web.views", "addon.web.timeline", "addon.web.words", "addon.web.links", "addon.web.steps"),
        "addon.alerts.judge",
    ),
    ("addon", "addon.mqtt", "addon.web", "addon.ways"),
    # The wall.
    (
        "calbot.cli",
        "calbot.__main__",
    ),
    ("calbot.commandline", "calbot.commandline.*"),
    (
        *("calbot.engine", "calbot.answers", "calbot.board", "calbot.commands", "calbot.control", "calbot.purge"),
        "calbot.switchboard",
    ),
    (
        *("calbot.worker", "calbot.reading", "calbot.errands", "calbot.dispatch", "calbot.slots", "calbot.inbox"),
        *("calbot.house", "calbot.pulse", "calbot.targets"),
    ),
    (
        "calbot.sync",
        "calbot.settle",
        "calbot.record",
        "calbot.channels",
        "calbot.deeds",
        "calbot.undo",
        "calbot.gate",
        "calbot.wishes",
        "calbot.preview",
        "calbot.explaining",
        "calbot.consequences",
        "calbot.orphans",
        "calbot.takeover.*",
        "calbot.verify",
        "calbot.sides",
    ),
    (
        *("calbot.byhand", "calbot.cases", "calbot.copywork", "calbot.copying", "calbot.following"),
        *("calbot.originalwork", "calbot.originals"),
        "calbot.telling",
    ),
    ("calbot.owing", "calbot.stays"),
    (
        *("calbot.store", "calbot.store.*", "calbot.vault", "calbot.clock", "calbot.google.transport"),
        "calbot.rotation",
        *("calbot.google.calendars", "calbot.google.accounts", "calbot.google.consent", "calbot.google.errors"),
        "calbot.google.deadlines",
        "calbot.google.trial",
        "calbot.google.whose",
        *("calbot.google.gmail", "calbot.google.wallet", "calbot.sources", "calbot.optionfiles", "calbot.envfile"),
    ),
    ("calbot.ports", "calbot.discretion"),
    (
        *("calbot.planner", "calbot.rules", "calbot.matching", "calbot.identity", "calbot.schedule", "calbot.health"),
        *(
            "calbot.settings",
            "calbot.ruleoptions",
            "calbot.ruleactions",
            "calbot.moments",
            "calbot.google.wire",
            "calbot.google.turns",
        ),
        *("calbot.google.bodies", "calbot.content", "calbot.copyrules", "calbot.occurrences"),
        *("calbot.takeover", "calbot.takeover.processed", "calbot.takeover.steps"),
    ),
    ("calbot.checks", "calbot.secrecy"),
    (
        *("calbot.model", "calbot.policy", "calbot.actions", "calbot.kinds", "calbot.status", "calbot.errors"),
        *("calbot", "calbot.google"),
    ),
)

# Within these packages, modules of one floor may import each other (never in a circle).
FAMILIES = (
    "calbot.store",
    "calbot.google",
    "calbot.takeover",
    "calbot.commandline",
    "addon.mqtt",
    "addon.web",
    "addon.alerts",
)

# The other imports within one floor. A new line is a decision; usually what is shared moves down instead.
SIDEWAYS = {
    ("addon.__main__", "addon.commands"),
    ("addon.app", "addon.doors"),
    ("addon.alerts.judge", "addon.web.words"),
    ("addon.brokers", "addon.broker"),
    ("addon.brokers", "addon.mqtt.connection"),
    ("addon.brokers", "addon.supervisor"),
    ("addon.service", "addon.app"),
    ("addon.commands", "addon.service"),
    *(("addon.monitor", f"addon.{module}") for module in ("glance", "logs", "outage", "stopping")),
    *(("addon.monitor", f"addon.alerts.{module}") for module in ("channels", "mail")),
    *(("addon.outage", f"addon.{module}") for module in ("alerts.bringing", "glance")),
    ("addon.commands", "addon.alertcommands"),
    ("calbot.__main__", "calbot.cli"),
    ("calbot.byhand", "calbot.copywork"),
    ("calbot.byhand", "calbot.telling"),
    ("calbot.consequences", "calbot.deeds"),
    ("calbot.consequences", "calbot.record"),
    ("addon.commands", "addon.checks"),
    ("calbot.commands", "calbot.purge"),
    ("calbot.purge", "calbot.control"),
    ("calbot.purge", "calbot.switchboard"),
    ("calbot.sides", "calbot.verify"),
    ("calbot.copying", "calbot.following"),
    ("calbot.google.bodies", "calbot.identity"),
    ("calbot.copyrules", "calbot.content"),
    ("calbot.copyrules", "calbot.identity"),
    ("calbot.copyrules", "calbot.moments"),
    ("calbot.copywork", "calbot.cases"),
    ("calbot.copywork", "calbot.copying"),
    ("calbot.copywork", "calbot.following"),
    ("calbot.copywork", "calbot.telling"),
    ("calbot.engine", "calbot.board"),
    ("calbot.engine", "calbot.commands"),
    ("calbot.originalwork", "calbot.cases"),
    ("calbot.originalwork", "calbot.copywork"),
    ("calbot.originalwork", "calbot.originals"),
    ("calbot.originalwork", "calbot.telling"),
    ("calbot.rules", "calbot.copyrules"),
    ("calbot.targets", "calbot.house"),
    ("calbot.worker", "calbot.targets"),
    ("calbot.commands", "calbot.control"),
    ("calbot.control", "calbot.answers"),
    ("calbot.control", "calbot.switchboard"),
    ("calbot.worker", "calbot.errands"),
    ("calbot.errands", "calbot.dispatch"),
    ("calbot.errands", "calbot.house"),
    ("calbot.errands", "calbot.inbox"),
    ("calbot.gate", "calbot.record"),
    ("calbot.gate", "calbot.settle"),
    ("calbot.content", "calbot.moments"),
    ("calbot.content", "calbot.occurrences"),
    ("calbot.occurrences", "calbot.moments"),
    ("calbot.deeds", "calbot.undo"),
    ("calbot.settle", "calbot.consequences"),
    ("calbot.settle", "calbot.undo"),
    ("calbot.wishes", "calbot.preview"),
    *((module, "calbot.cases") for module in ("calbot.sync", "calbot.settle", "calbot.preview", "calbot.explaining")),
    ("calbot.wishes", "calbot.cases"),
    ("calbot.wishes", "calbot.record"),
    ("calbot.explaining", "calbot.preview"),
    ("calbot.engine", "calbot.switchboard"),
    ("calbot.commands", "calbot.switchboard"),
    ("calbot.worker", "calbot.reading"),
    ("calbot.worker", "calbot.dispatch"),
    ("calbot.worker", "calbot.inbox"),
    ("calbot.worker", "calbot.house"),
    ("calbot.reading", "calbot.dispatch"),
    ("calbot.reading", "calbot.house"),
    ("calbot.reading", "calbot.inbox"),
    ("calbot.dispatch", "calbot.slots"),
    ("calbot.slots", "calbot.inbox"),
    ("calbot.dispatch", "calbot.house"),
    ("calbot.dispatch", "calbot.inbox"),
    ("calbot.settle", "calbot.record"),
    ("calbot.sync", "calbot.record"),
    ("calbot.settle", "calbot.deeds"),
    ("calbot.sources", "calbot.optionfiles"),
    *(("calbot.envfile", f"calbot.{module}") for module in ("sources", "vault")),
    ("calbot.rotation", "calbot.vault"),
    ("calbot.planner", "calbot.rules"),
    ("calbot.planner", "calbot.identity"),
    ("calbot.rules", "calbot.identity"),
    ("calbot.rules", "calbot.matching"),
    ("calbot.settings", "calbot.ruleoptions"),
    ("calbot.ruleoptions", "calbot.matching"),
    ("calbot.ruleoptions", "calbot.ruleactions"),
    ("calbot.ruleactions", "calbot.content"),
    ("calbot.rules", "calbot.moments"),
    ("calbot.matching", "calbot.moments"),
    ("calbot.google.accounts", "calbot.vault"),
    ("calbot.google.transport", "calbot.clock"),
    ("calbot.google.wallet", "calbot.vault"),
    ("calbot.google.gmail", "calbot.vault"),
    ("calbot.google.wire", "calbot.identity"),
    ("calbot.errors", "calbot.kinds"),
    ("calbot.model", "calbot.kinds"),
    ("calbot.policy", "calbot.model"),
    ("calbot.policy", "calbot.actions"),
    ("calbot.actions", "calbot.model"),
    ("calbot.actions", "calbot.kinds"),
    ("calbot.policy", "calbot.kinds"),
    ("calbot.status", "calbot.model"),
}

LONGEST = 320
CLOCK = "calbot.clock"
FROM_THE_MACHINE = (
    *("time", "random", "uuid.uuid4", "datetime.date.today"),
    *("datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today"),
)
LOCKS: dict[str, list[str]] = {  # lock → the extras in it
    "requirements.lock": [],
    "requirements-broker.lock": ["broker"],
    "requirements-dev.lock": ["broker", "dev"],
}


# The rules


def imports(module: str, source: str, known: Iterable[str]) -> dict[str, int]:
    """What a module imports, anywhere in it → the line; `from a import b` is `a.b` where that is known."""
    modules = set(known)
    found: dict[str, int] = {}
    for node in ast.walk(ast.parse(source, module)):
        match node:
            case ast.Import(names=names):
                targets = [alias.name for alias in names]
            case ast.ImportFrom(module=name, names=names, level=level):
                parts = module.split(".")[:-level] if level else []
                origin = ".".join([*parts, *([name] if name else [])])
                whole = [f"{origin}.{alias.name}" for alias in names]
                targets = [target if target in modules else origin for target in whole]
            case _:
                continue
        for target in targets:
            found.setdefault(target, node.lineno)
    return found


def floor(module: str) -> int | None:
    """The number of a module's floor, 0 being the roof; None when it has no place."""
    for number, rooms in enumerate(FLOORS):
        if module in rooms:
            return number
    for number, rooms in enumerate(FLOORS):
        if any(room.endswith(".*") and module.startswith(room[:-1]) for room in rooms):
            return number
    return None


def climbing(module: str, source: str, known: Iterable[str]) -> list[str]:
    """Imports that do not go down."""
    here = floor(module)
    if here is None:
        return [f"{module} has no floor: place it in FLOORS (tests/test_house.py, docs/ARCHITECTURE.md)"]
    sentences = []
    for target, line in imports(module, source, known).items():
        if target.split(".")[0] not in {"calbot", "addon"} or target == module:
            continue
        there = floor(target)
        if there is None:
            sentences.append(f"{module}:{line} imports {target}, which has no floor")
        elif module.startswith("calbot") and target.startswith("addon"):
            sentences.append(f"{module}:{line} imports {target} through the wall")
        elif there < here:
            sentences.append(f"{module}:{line} imports {target}, which is above it")
        elif there == here and not beside(module, target):
            sentences.append(f"{module}:{line} imports {target}, which is on the same floor")
    return sentences


def beside(module: str, target: str) -> bool:
    """Whether two modules of one floor may be joined by an import."""
    return (module, target) in SIDEWAYS or any(
        f"{module}.".startswith(f"{family}.") and f"{target}.".startswith(f"{family}.") for family in FAMILIES
    )


def circles(sources: Mapping[str, str]) -> list[str]:
    """Modules that import each other in a circle."""
    ours = set(sources)
    graph = {name: ours & set(imports(name, source, ours)) - {name} for name, source in sources.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as circle:
        return [" ← ".join(circle.args[1])]
    return []


def names_used(source: str) -> Iterator[tuple[str, int]]:
    """Every name as its full dotted path, as far as imports explain it, with its line."""
    tree = ast.parse(source)
    meaning: dict[str, str] = {}
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                for alias in names:
                    yield alias.name, node.lineno
                    first = alias.name.split(".")[0]
                    meaning[alias.asname or first] = alias.name if alias.asname else first
            case ast.ImportFrom(module=str(origin), names=names, level=0):
                for alias in names:
                    yield f"{origin}.{alias.name}", node.lineno
                    meaning[alias.asname or alias.name] = f"{origin}.{alias.name}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            chain = ast.unparse(node).split(".")
            if chain[0] in meaning:
                yield ".".join([meaning[chain[0]], *chain[1:]]), node.lineno


def uses(module: str, source: str, forbidden: Iterable[str]) -> list[str]:
    """Uses of forbidden names, or of anything below them."""
    return [
        f"{module}:{line} uses {name}"
        for name, line in names_used(source)
        if any(f"{name}.".startswith(f"{prefix}.") for prefix in forbidden)
    ]


def untold(module: str, source: str) -> list[str]:
    """Modules whose first statement is not a docstring."""
    told = ast.get_docstring(ast.parse(source, module))
    return [] if told else [f"{module} does not begin with its whole job in one sentence"]


def too_long(module: str, source: str) -> list[str]:
    """Modules that nobody reads in one go."""
    lines = len(source.splitlines())
    return [f"{module} has {lines} lines of at most {LONGEST}"] if lines > LONGEST else []


def misnamed(paths: Iterable[str]) -> list[str]:
    """Files that Home Assistant's Supervisor, which searches by name, would take for an app's."""
    sentences = []
    for path in map(PurePosixPath, paths):
        hidden = any(part.startswith(".") or part == "rootfs" for part in path.parts)
        if path.suffix not in {".yaml", ".yml", ".json"}:
            continue
        if path.stem == "config" and not hidden and str(path) != "config.yaml":
            sentences.append(f"{path} would be read as a second app")
        if path.stem == "build":
            sentences.append(f"{path} would be read as how to build the app")
        if path.stem == "repository" and str(path) != "repository.yaml":
            sentences.append(f"{path} would be read as a second repository")
    return sentences


def unlocked(wanted: Iterable[str], lock: str) -> list[str]:
    """Requirements that a lock does not meet, packages without hashes, and addresses in it."""
    entry = r"^([A-Za-z0-9._-]+)==([^\s;\\]+).*\n((?:    --hash=.*\n?)*)"
    entries = re.findall(entry, lock, re.MULTILINE)
    locked: dict[str, list[str]] = {}
    for name, version, _ in entries:
        locked.setdefault(canonicalize_name(name), []).append(version)
    sentences = []
    for requirement in map(Requirement, wanted):
        versions = locked.get(canonicalize_name(requirement.name), [])
        if not versions or not all(requirement.specifier.contains(version) for version in versions):
            sentences.append(f"{requirement} is locked as {versions}")
    sentences += [f"{name} has no hash" for name, _, hashes in entries if not hashes]
    sentences += [f"{line} names an address" for line in re.findall(r".*(?:://|index-url).*", lock)]
    return sentences


def versions(texts: Mapping[str, str]) -> dict[str, str | None]:
    """The version that each file tells, from its text."""
    patterns = {
        "pyproject.toml": r'^version = "([^"]+)"',
        "calbot/__init__.py": r'^__version__ = "([^"]+)"',
        "CHANGELOG.md": r"^## (\S+)",
        "config.yaml": r'^version: "?([^"\s]+)',
    }
    found = {path: re.search(patterns[path], text, re.MULTILINE) for path, text in texts.items()}
    return {path: match and match[1] for path, match in found.items()}


def loaded(module: str, forbidden: Iterable[str]) -> set[str]:
    """Which of the forbidden packages a fresh Python has loaded after importing a module."""
    program = f"import sys, {module}; print(*sys.modules, sep='\\n')"
    command = [sys.executable, "-c", program]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return {name for name in forbidden for one in done.stdout.split() if f"{one}.".startswith(f"{name}.")}


# What is there


def sources(*packages: str) -> dict[str, str]:
    """The modules of our packages, by dotted name, with their text."""
    found = {}
    for path in sorted(path for package in packages for path in (ROOT / package).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path.read_text("utf-8")
    return found


def files() -> Iterator[str]:
    """The files of the checkout, without what running and testing make."""
    for folder, folders, names in os.walk(ROOT):
        here = Path(folder)
        marks = [here / name / mark for name in folders for mark in ("pyvenv.cfg", "CACHEDIR.TAG")]
        made = {mark.parent.name for mark in marks if mark.exists()} | {".git", "__pycache__"}
        folders[:] = set(folders) - made - ({"data"} if here == ROOT else set())
        yield from (str((here / name).relative_to(ROOT)) for name in names)


def every(rule: Callable[[str, str], list[str]], modules: Mapping[str, str]) -> list[str]:
    """What a rule says about all of these modules."""
    return [sentence for module, source in modules.items() for sentence in rule(module, source)]


HOUSE = sources("calbot", "addon")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def test_imports_go_down_only() -> None:
    """No module imports from its own floor or above, and calbot never imports addon."""
    assert every(partial(climbing, known=HOUSE), HOUSE) == []


def test_no_circles() -> None:
    """Modules of one floor that may import each other do so in one direction."""
    assert circles(HOUSE) == []


def test_the_engine_loads_no_server_and_no_shell() -> None:
    """The engine can be used where neither Home Assistant nor a web server is."""
    foreign = ["flask", "paho", "waitress", "click", "addon", "google_auth_oauthlib"]

    assert loaded("calbot.engine", foreign) == set()


def test_the_app_starts_without_what_it_may_never_need() -> None:
    """Sign-in, the embedded broker and apprise are loaded when they are used."""
    assert loaded("addon.app", ["google_auth_oauthlib", "amqtt", "apprise"]) == set()


def test_only_the_clock_asks_the_machine_for_time_and_chance() -> None:
    """Determinism cannot rot: everyone else is handed the time."""
    rest = {module: source for module, source in HOUSE.items() if module != CLOCK}

    assert every(partial(uses, forbidden=FROM_THE_MACHINE), rest) == []


def test_nobody_patches() -> None:
    """Tests use fakes, not mocks."""
    assert every(partial(uses, forbidden=["unittest.mock"]), sources("tests", "bench")) == []


def test_every_module_tells_its_job() -> None:
    """The docstring on line 1 is the module's whole job."""
    assert every(untold, HOUSE) == []


def test_no_module_is_too_long() -> None:
    """A module is read in one go."""
    assert every(too_long, HOUSE) == []


def test_the_supervisor_finds_one_app() -> None:
    """No other file has a name that the Supervisor searches for."""
    assert misnamed(files()) == []


def test_the_version_is_one() -> None:
    """The project, the package, the changelog and the app all tell the same version."""
    paths = ["pyproject.toml", "calbot/__init__.py", "CHANGELOG.md"]
    paths += ["config.yaml"] if (ROOT / "config.yaml").exists() else []

    told = versions({path: (ROOT / path).read_text("utf-8") for path in paths})

    assert set(told.values()) == {PROJECT["version"]}, told


def test_the_locks_cover_what_the_project_names() -> None:
    """Each direct dependency is locked at a version that it accepts, with hashes and without addresses."""
    sentences = []
    for name, extras in LOCKS.items():
        wanted = sum((PROJECT["optional-dependencies"][extra] for extra in extras), PROJECT["dependencies"])
        sentences += [f"{name}: {one}" for one in unlocked(wanted, (ROOT / name).read_text("utf-8"))]

    assert sentences == []


def test_the_runtime_is_the_same_in_every_lock() -> None:
    """What is tested is what is shipped: the larger locks repeat the smaller ones' versions."""
    texts = {name: (ROOT / name).read_text("utf-8") for name in LOCKS}
    pins = {name: set(re.findall(r"^\S+==\S+", text, re.MULTILINE)) for name, text in texts.items()}

    assert pins["requirements.lock"] <= pins["requirements-broker.lock"] <= pins["requirements-dev.lock"]


# Each rule can fail


def test_planted_imports_are_found() -> None:
    """Up, sideways, through the wall, from nowhere, hidden in a function: all are seen; downwards is not."""
    known = ["addon.app", "calbot.engine", "calbot.rules", "calbot.google.wire", "calbot.model"]
    known += ["calbot.cellar"]  # which nobody has placed

    assert climbing("calbot.rules", "from calbot import model", known) == []
    assert climbing("calbot.planner", "from calbot import rules", known) == []
    assert climbing("addon.app", "import calbot.engine", known) == []
    assert "above" in climbing("calbot.rules", "import calbot.engine", known)[0]
    assert "above" in climbing("calbot.rules", "from .engine import Engine", known)[0]
    assert "same floor" in climbing("calbot.rules", "from calbot.google import wire", known)[0]
    assert "wall" in climbing("calbot.engine", "def f():\n    from addon import app", known)[0]
    assert "no floor" in climbing("calbot.rules", "from calbot import cellar", known)[0]
    assert "no floor" in climbing("calbot.cellar", "", known)[0]


def test_planted_circles_are_found() -> None:
    """A circle is named; a line is not."""
    assert circles({"calbot.store.a": "import calbot.store.b", "calbot.store.b": "import calbot.store.a"})
    assert not circles({"calbot.store.a": "import calbot.store.b", "calbot.store.b": ""})


def test_planted_time_and_chance_are_found() -> None:
    """Each way to ask the machine is seen under each of its names."""
    planted = [
        "import time",
        "from time import sleep",
        "import random as chance",
        "from uuid import uuid4",
        "import uuid\nx = uuid.uuid4()",
        "from datetime import datetime\nx = datetime.now()",
        "import datetime as dt\nx = dt.datetime.utcnow()",
        "def f():\n    from datetime import datetime as d\n    return d.today()",
        "from datetime import date\nx = date.today()",
    ]

    assert [source for source in planted if not uses("calbot.x", source, FROM_THE_MACHINE)] == []
    assert not uses("calbot.x", "from datetime import datetime, time\ndatetime.min", FROM_THE_MACHINE)
    assert uses("tests.x", "from unittest import mock", ["unittest.mock"])


def test_planted_modules_are_found() -> None:
    """A module without a docstring, and one with too many lines."""
    assert untold("calbot.x", "x = 1\n'''late'''")
    assert not untold("calbot.x", "'''Its job.'''")
    assert too_long("calbot.x", "\n" * (LONGEST + 1))
    assert not too_long("calbot.x", "\n" * LONGEST)


def test_planted_names_are_found() -> None:
    """Names that the Supervisor searches for, hidden folders counting only where they do for it."""
    wrong = ["config.json", "tests/config.yml", "build.yaml", ".github/build.yml", "a/repository.yaml"]
    right = ["config.yaml", "repository.yaml", ".github/config.yml", "calbot/config.py", "builder.yaml"]

    assert [len(misnamed([path])) for path in wrong] == [1] * len(wrong)
    assert misnamed(right) == []


def test_planted_gaps_in_a_lock_are_found() -> None:
    """A package that is absent, too old, without a hash or with an address."""
    lock = "Flask==3.1.3 ; python_version > '3' \\\n    --hash=sha256:00\n"

    assert unlocked(["flask>=3"], lock) == []
    assert len(unlocked(["click"], lock)) == 1
    assert len(unlocked(["flask>=4"], lock)) == 1
    assert len(unlocked(["flask"], "flask==3.1.3\n")) == 1
    assert len(unlocked(["flask"], f"--index-url https://example.org\n{lock}")) == 1


def test_a_planted_version_is_found() -> None:
    """Each file's version is read from it, not assumed."""
    assert versions({"CHANGELOG.md": "# Changelog\n\n## 9.9\n\n## 0.1.0\n"}) == {"CHANGELOG.md": "9.9"}
    assert versions({"config.yaml": 'name: x\nversion: "0.2"\n'}) == {"config.yaml": "0.2"}
    assert versions({"calbot/__init__.py": "no"}) == {"calbot/__init__.py": None}


def test_a_loaded_package_is_found() -> None:
    """A package that a module does load is seen in the fresh Python."""
    assert loaded("flask", ["flask", "paho"]) == {"flask"}
