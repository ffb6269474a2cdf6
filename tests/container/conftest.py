"""What the container's tests share: the daemon, the image, a household beside it, and figures for the end."""

import os
import shutil
from collections.abc import Callable, Iterator

import pytest

from tests.container.engine import Engine, build, engine
from tests.container.household import Household, household

FIGURES = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    """Pytest's own hook, at the start."""
    config.stash[FIGURES] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Pytest's own hook, at the end."""
    for line in config.stash[FIGURES]:
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def figure(pytestconfig: pytest.Config) -> Callable[[str], None]:
    """Prints a line at the end."""
    return pytestconfig.stash[FIGURES].append


@pytest.fixture(scope="session")
def docker() -> Iterator[Engine]:
    """The daemon."""
    missing = [
        tool for tool in ("/usr/sbin/dockerd", "/usr/bin/docker", "/usr/bin/mmdebstrap") if not shutil.which(tool)
    ]
    if os.geteuid() != 0 or missing:
        pytest.skip(f"building needs root and Debian's docker.io and mmdebstrap (missing: {missing or 'root'})")
    with engine() as ours:
        yield ours


@pytest.fixture(scope="session")
def image(docker: Engine, figure: Callable[[str], None]) -> Engine:
    """The daemon, with the image built."""
    seconds = build(docker)
    size, base = (
        docker.inspect(name)["Size"] / 1e6 for name in ("localhost/calbot:ci", "localhost/calbot-base:trixie")
    )
    figure(f"image {size:.0f} MB, {base:.0f} MB of them Debian's; built in {seconds:.0f} s")
    return docker


@pytest.fixture
def home(image: Engine) -> Iterator[Household]:
    """A household of the test's own."""
    with household(image) as everything:
        yield everything
