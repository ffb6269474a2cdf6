"""`calbot monitor`: asks a Calbot how it is, and tells people when it is down and when it is up again.

Two looks in a row have to fail before anybody is told, the second half a minute after the first at the latest: a
restart is no outage. It needs neither Calbot's lock nor what Calbot is made of, and takes about 30 MiB.
"""

import contextlib
import datetime as dt
import fcntl
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

import click
import msgspec

from addon import logs, options, stopping
from addon.alerts.channels import channels
from addon.alerts.mail import by_gmail
from addon.glance import Target, glance
from addon.options import Options
from addon.outage import SURE, Notes, State, Teller
from calbot import envfile, secrecy, sources
from calbot.checks import number
from calbot.clock import SystemClock, SystemRandom
from calbot.errors import BadOptions, CalbotError
from calbot.ports import Clock
from calbot.vault import given_key

INTERVAL = 60
LOOK_AGAIN = 30.0
LOOK_SECONDS = 5.0
DELIVERY_SECONDS = 45.0
"""So long `--once` waits for its message to be delivered; the next run tries what was not. With the look it is less
than the minute after which cron starts the next one."""
UP, DOWN, USAGE = 0, 1, 2
log = logging.getLogger(__name__)


class Monitor:
    """Looks again and again until `stop` is set."""

    def __init__(
        self,
        target: Target,
        notes: Notes,
        tellers: Sequence[Teller],
        *,
        clock: Clock,
        stop: threading.Event,
        interval: float = INTERVAL,
    ) -> None:
        self._target = target
        self._notes = notes
        self._tellers = tellers
        self._clock = clock
        self._stop = stop
        self._interval = interval

    def look(self) -> State | None:
        """Look once, write down what was found, and have it told; return what is known, None when it is to stop."""
        found = glance(self._target, LOOK_SECONDS, self._stop, self._clock)
        if found is None:
            return None
        before = self._notes.state
        state = self._notes.note(found, dt.datetime.fromtimestamp(self._clock.now(), dt.UTC))
        if state.failures == SURE:
            log.warning("Down: %s", state.reason)
        elif found.up and before is not None and before.failures >= SURE:
            log.info("Calbot at %s is up again.", state.url)
        for teller in self._tellers:
            teller.wake()
        return state

    def pause(self, state: State) -> float:
        """Return for how many seconds to wait before the next look."""
        return min(self._interval, LOOK_AGAIN) if 0 < state.failures < SURE else self._interval

    def watch(self, seen: Callable[[State], None]) -> None:
        """Look until it is to stop."""
        while (state := self.look()) is not None:
            seen(state)
            self._stop.wait(self.pause(state))

    def settle(self, seconds: float) -> None:
        """Wait until each way has tried what it has to tell."""
        deadline = self._clock.monotonic() + seconds
        while not all(teller.has_tried for teller in self._tellers) and self._clock.monotonic() < deadline:
            if self._stop.wait(0.05):
                return


@click.command(name="monitor")
@click.option("--url", help="Where Calbot's /health is; by default on this machine, at the panel's port.")
@click.option("--once", is_flag=True, help="Look once and end with 0 for up, 1 for down: for cron.")
@click.option("--json", "as_json", is_flag=True, help="Print what each look finds as JSON, one to a line.")
def monitor(*, url: str | None, once: bool, as_json: bool) -> None:
    """Watch a running Calbot, and tell by the option `alerts` when it is down and when it is up again."""
    stopping.listen()
    os.umask(0o077)
    try:
        code = _run(os.environ, url, once=once, as_json=as_json)
    except BadOptions as error:
        click.echo(secrecy.cleaned(str(error)), err=True)
        code = USAGE
    except CalbotError as error:
        click.echo(secrecy.cleaned(str(error)), err=True)
        code = DOWN
    logging.shutdown()
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    os._exit(code)  # A way that hangs is not waited for.


def _run(environ: Mapping[str, str], url: str | None, *, once: bool, as_json: bool) -> int:
    clock = SystemClock()
    environ = envfile.surroundings(environ)
    asked = options.load(environ)
    name = "MONITOR_INTERVAL_SECONDS"
    interval = number(sources.env_number(environ, name, INTERVAL), name, 10, 86400, "seconds")
    file = Path(environ.get("MONITOR_STATUS_FILE", "").strip() or asked.place.data / "monitor.json")
    target = Target.of(url or _own_address(asked))
    logs.set_up(asked.log_level)
    with _alone(file):
        logs.keep_file(file.parent, clock, "monitor")
        zone = ZoneInfo(asked.settings.time_zone)
        notes = Notes(file, target.shown)
        mail = by_gmail(asked.place.data, given_key(environ), asked.endpoints, clock)
        ways = channels(None, (), asked.alerts, mail, clock, SystemRandom())
        tellers = [Teller(way, notes, clock, zone, stopping.requested) for way in ways]
        notes.open(tuple(teller.name for teller in tellers), afresh=not once)
        if not tellers:
            log.warning("alerts: no way to you is set, so calbot monitor tells nobody; it only keeps %s.", file)
        watching = Monitor(target, notes, tellers, clock=clock, stop=stopping.requested, interval=interval)
        for teller in tellers:
            teller.start()
        if once:
            return _once(watching, as_json=as_json)
        log.info("Calbot at %s is watched, every %d s.", target.shown, interval)
        watching.watch(_print if as_json else lambda _: None)
    return UP


def _once(watching: Monitor, *, as_json: bool) -> int:
    state = watching.look()
    if state is None:
        return UP
    if as_json:
        _print(state)
    else:
        click.echo(f"up: {state.url}" if state.status == "up" else f"down: {state.reason}")
    watching.settle(DELIVERY_SECONDS)
    return UP if state.status == "up" else DOWN


def _print(state: State) -> None:
    click.echo(msgspec.json.encode(state))


def _own_address(asked: Options) -> str:
    """Return where the Calbot of these options answers on this machine."""
    bind = asked.place.bind
    everywhere = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - nothing is bound here
    host = everywhere.get(bind, f"[{bind}]" if ":" in bind else bind)
    return f"http://{host}:{asked.place.panel_port}/health"


@contextlib.contextmanager
def _alone(file: Path) -> Iterator[None]:
    """Be the only one who keeps this status file. Raises CalbotError; a disk that takes no lock is no reason to end."""
    lock = file.with_name(f"{file.name}.lock")
    try:
        lock.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        yield
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        text = f"Another calbot monitor keeps {file}. End it, or give this one its own file in MONITOR_STATUS_FILE."
        raise CalbotError(text) from None
    except OSError:
        pass  # a file system without locks
    try:
        yield
    finally:
        os.close(handle)
