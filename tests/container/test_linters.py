"""What programs for it say about the Dockerfile, the shell scripts, the AppArmor profile and the wheels for a Pi."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.container

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ("run.sh", "scripts/*.sh", "tests/run.sh", "tests/container/*.sh", ".ci/run")


def complaints(*command: str | Path, text: str | None = None, seconds: float = 60) -> str:
    """Return what a program says when it is not content, nothing when it is."""
    done = subprocess.run(command, input=text, capture_output=True, text=True, cwd=ROOT, timeout=seconds, check=False)
    return "" if done.returncode == 0 else f"{done.stdout}{done.stderr}" or "it failed without a word"


def linter(name: str) -> str:
    """Return the path of a linter that tests/run.sh set up."""
    found = shutil.which(name, path=os.environ.get("CALBOT_LINTERS", "") + os.pathsep + os.environ["PATH"])
    if found is None:
        pytest.skip(f"{name} is not there; ./tests/run.sh container brings it")
    return found


def profile_complaints(text: str) -> str:
    """Return what AppArmor's own compiler says about a profile."""
    parser = shutil.which("apparmor_parser", path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    if parser is None:
        pytest.skip("apparmor_parser is not there; ./tests/run.sh container brings it")
    return complaints(parser, "-Q", "-K", "-T", text=text)


def test_hadolint_is_content() -> None:
    """The Dockerfile has none of the usual faults. Debian's packages are not pinned: its releases are."""
    check = (linter("hadolint"), "--ignore", "DL3008", "-")

    assert complaints(*check, text=(ROOT / "Dockerfile").read_text()) == ""
    assert "DL3007" in complaints(*check, text="FROM debian:latest\n")


def test_shellcheck_is_content() -> None:
    """No shell script has one of the usual faults."""
    scripts = [path for pattern in SCRIPTS for path in sorted(ROOT.glob(pattern))]

    assert len(scripts) >= 5
    assert complaints(linter("shellcheck"), "-x", *scripts) == ""
    assert "SC2086" in complaints(linter("shellcheck"), "-", text="#!/bin/sh\necho $1\n")


def test_the_profile_compiles() -> None:
    """A profile that does not compile would make the installation fail."""
    text = (ROOT / "apparmor.txt").read_text()

    assert profile_complaints(text) == ""
    assert profile_complaints(text.replace("capability setuid,", "capability everything,", 1)) != ""


@pytest.mark.parametrize("machine", ["aarch64", "x86_64"])
def test_every_dependency_has_a_wheel(machine: str, tmp_path: Path, figure: Callable[[str], None]) -> None:
    """Nothing is compiled on a Raspberry Pi: what the image installs is there for Debian's Python, ready made."""
    platforms = [f"manylinux{glibc}_{machine}" for glibc in ("2014", "_2_28")]
    command = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--quiet", "--no-deps"]
    command += ["--only-binary=:all:", "--python-version", "313", "--implementation", "cp"]
    command += [word for abi in ("cp313", "abi3", "none") for word in ("--abi", abi)]
    command += [word for platform in platforms for word in ("--platform", platform)]

    said = complaints(*command, "--require-hashes", "-r", ROOT / "requirements.lock", "-d", tmp_path, seconds=300)

    assert said == ""
    names = {_plain(path.name.split("-")[0]) for path in tmp_path.iterdir()}
    locked = re.findall(r"^([A-Za-z0-9._-]+)==[^ ]+ \\$", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    assert len(locked) > 20
    assert {_plain(name) for name in locked} <= names  # those with a condition may be for other systems
    native = [path.name for path in tmp_path.iterdir() if machine in path.name]
    figure(f"{len(names)} wheels for {machine}, {len(native)} of them compiled for it")


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
