"""A terminal in Anna's house: real commands on a data directory, with the service beside them or without it."""

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import click
from click.testing import CliRunner, Result

from calbot import cli, sources
from calbot.clock import SystemClock
from calbot.commandline.local import Here
from calbot.ports import Clock
from calbot.settings import Settings
from tests.google_server.control import Control
from tests.google_server.http import GoogleServer
from tests.household import ANNA, BOB, CAROL
from tests.simulation.machine import SeededRandom
from tests.simulation.simulation import Simulation


class Passing:
    """The simulation's clock, by which waiting lets the simulated service work."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation

    def now(self) -> float:
        return self._simulation.clock.now()

    def monotonic(self) -> float:
        return self._simulation.clock.monotonic()

    def sleep(self, seconds: float) -> None:
        self._simulation.run(seconds)


class Terminal:
    """Runs commands on a data directory. `keys` are typed when it is asked; without any it is no terminal."""

    def __init__(self, data: Path, clock: Clock, environ: Mapping[str, str] | None = None, **options: object) -> None:
        self.data = data
        self.clock = clock
        self.environ = {"CALBOT_DATA": str(data), "TZ": "Europe/Berlin", **(environ or {})}
        self.group: click.Group = cli.calbot
        self._random = SeededRandom(7)
        self.set_options(**options)

    def set_options(self, **options: object) -> None:
        """Write the options: Bob is invited, unless they say otherwise."""
        self.data.mkdir(exist_ok=True)
        (self.data / "options.json").write_text(json.dumps({"invite_emails": [BOB], **options}))

    def settings(self) -> Settings:
        """Return what the options ask for, as the service reads them."""
        return sources.settings(sources.gather(self.environ))[0]

    def run(self, *words: str, keys: str = "") -> Result:
        """Run a command to its end."""
        here = Here(self.environ, self.clock, self._random, can_ask=lambda: bool(keys))
        with click.Context(click.Command("terminal"), obj=here) as above:
            return CliRunner().invoke(self.group, words, input=keys, prog_name="calbot", parent=above)

    def json(self, *words: str, keys: str = "") -> object:
        """Run a command that prints JSON and return what it printed."""
        document: object = json.loads(self.run(*words, "--json", keys=keys).stdout)
        return document


def beside(simulation: Simulation, **options: object) -> Terminal:
    """A terminal beside the simulated service."""
    return Terminal(simulation.directory, Passing(simulation), {}, **options)


@contextlib.contextmanager
def alone(data: Path, **options: object) -> Iterator[tuple[Terminal, Control]]:
    """A terminal where no service runs, and a fake Google over HTTP that Anna is signed in to."""
    with GoogleServer(SystemClock(), [ANNA, BOB, CAROL]) as google:
        (data / "tokens").mkdir()
        (data / "tokens" / f"{ANNA}.json").write_text(json.dumps(google.token_document(ANNA)))
        environ = {"CALBOT_CALENDAR_API": google.calendar_api, "CALBOT_TOKEN_URI": google.token_uri}
        environ["CALBOT_REVOKE_URI"] = google.revoke_uri
        yield Terminal(data, SystemClock(), environ, **options), google.control
