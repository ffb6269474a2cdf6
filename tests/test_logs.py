"""Promises of the log: no secret on any road, one line a message, a file that cannot grow and never gets in the way."""

import contextlib
import logging
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from addon import logs
from addon.logs import AGAIN_SECONDS, LARGEST, LogFile
from calbot import discretion, secrecy
from tests.service.running import ROOT
from tests.simulation.machine import VirtualClock

SECRET = "correct-horse-battery-7"
LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d (DEBUG|INFO|WARNING|ERROR|CRITICAL) +\S.*|  .*")

START = f"""
import logging, sys, threading, warnings, gc
from pathlib import Path
from addon import logs
from calbot import secrecy
from calbot.clock import SystemClock
secrecy.remember({SECRET!r})
logs.set_up("debug")
logs.keep_file(Path(sys.argv[1]), SystemClock())
log = logging.getLogger("somebody")
secret = {SECRET!r}
"""


def ran(data: Path, program: str) -> tuple[str, str]:
    """Run a program whose logging is set up; return what it wrote on standard error, and into its file."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", START + program, str(data)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    file = logs.path(data)
    return done.stderr + done.stdout, file.read_text() if file.exists() else ""


def record(text: str, *args: object) -> logging.LogRecord:
    """Return a line of ours."""
    return discretion.discreet_record("calbot", logging.INFO, __file__, 1, text, args, None)


@pytest.fixture
def clock() -> VirtualClock:
    """Time that a test moves."""
    return VirtualClock(0.0)


@pytest.fixture
def file(tmp_path: Path, clock: VirtualClock) -> Iterator[LogFile]:
    """The log file of a data directory."""
    with contextlib.closing(LogFile(logs.path(tmp_path), clock)) as made:
        yield made


def written(file: LogFile, *texts: str) -> None:
    """Write lines."""
    for text in texts:
        file.handle(record(text))


@pytest.mark.parametrize(
    "deed",
    [
        "log.info('the key is %s', secret)",
        "log.info(f'the key is {secret}')",
        "log.info({'key': secret})",
        "log.info('%(key)s', {'key': secret})",
        "log.info('stack', stack_info=True); log.info(secret, stack_info=True)",
        "try: raise ValueError(secret)\nexcept ValueError: log.exception('surprise')",
        "try: raise ValueError(secret)\nexcept ValueError as e: log.debug('x', exc_info=e)",
        """try:
  try: raise KeyError(secret)
  except KeyError as e: raise OSError('outer') from e
except OSError: log.exception('chained')""",
        "raise RuntimeError(secret)",
        "t = threading.Thread(target=lambda: 1 / len(secret[:0]) and None, name=secret); t.start(); t.join()",
        "def f(): raise RuntimeError(secret)\nt = threading.Thread(target=f); t.start(); t.join()",
        "class X:\n  def __del__(self): raise RuntimeError(secret)\nx = X(); del x; gc.collect()",
        "warnings.simplefilter('always'); warnings.warn(secret)",
        "logging.getLogger('apprise').error('cannot send to %s', secret)",
    ],
)
def test_no_secret_is_written_on_any_road(tmp_path: Path, deed: str) -> None:
    """Arguments, tracebacks, threads, finalizers, warnings: the secret is masked, and the line is there."""
    console, file = ran(tmp_path, deed)

    assert SECRET not in console + file
    assert secrecy.MASK in console and secrecy.MASK in file


@pytest.mark.parametrize("name", ["urllib3.connectionpool", "apprise", "requests_oauthlib.oauth2_session", "markdown"])
def test_libraries_that_log_whole_requests_are_quiet_at_debug(tmp_path: Path, name: str) -> None:
    """Who asks for more detail of Calbot does not get their requests."""
    program = f"logging.getLogger({name!r}).debug('Authorization: abc'); log.debug('ours')"

    console, file = ran(tmp_path, program)

    assert "Authorization" not in console + file
    assert "ours" in console and "ours" in file


def test_a_handler_that_somebody_else_adds_gets_no_secret_either(tmp_path: Path) -> None:
    """It may even format the exception by itself."""
    program = """
class Own(logging.Handler):
    def emit(self, record):
        print(record.getMessage(), record.args, record.exc_info, record.exc_text, record.__dict__)
logging.getLogger().addHandler(Own())
try: raise ValueError(secret)
except ValueError: log.exception("told: %s", secret)
"""
    console, _ = ran(tmp_path, program)

    assert SECRET not in console
    assert "told: [secret] ()" in console and "ValueError: [secret]" in console


def test_a_line_whose_values_do_not_fit_is_not_lost_and_tells_none_of_them(tmp_path: Path) -> None:
    """A mistake in a library's line is theirs; what it says is still of use."""
    console, file = ran(tmp_path, "log.info('not enough: %s %s', secret); log.info('kept')")

    assert SECRET not in console + file
    assert "not enough: %s %s (its values could not be filled in)" in file and "kept" in file


def test_a_handler_that_fails_prints_no_arguments(tmp_path: Path) -> None:
    """Python's own complaint about it would repeat them, once a line."""
    program = """
class Broken(logging.Handler):
    def emit(self, record):
        try: raise OSError("full")
        except OSError: self.handleError(record)
logging.getLogger().addHandler(Broken())
log.info("told: %s", secret)
"""
    console, file = ran(tmp_path, program)

    assert SECRET not in console + file and "Logging error" not in console
    assert "told: [secret]" in file


@pytest.mark.parametrize("module", ["calbot", "addon"])
def test_a_command_that_ends_by_surprise_shows_no_secret(tmp_path: Path, module: str) -> None:
    """The command line is under the same care, with logging set up or not."""
    program = f"""
import sys
from calbot import secrecy, cli
secrecy.remember({SECRET!r})
def fail(): raise RuntimeError({SECRET!r})
@cli.calbot.command(name="fail")
def command():
    import threading
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    fail()
if {module == "addon"}:
    from addon import __main__
    __main__.main(["fail"])
else:
    import runpy
    sys.argv[1:] = ["fail"]
    runpy.run_module("calbot", run_name="__main__")
"""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == 1
    assert SECRET not in done.stderr and done.stderr.count("RuntimeError: [secret]") == 2


def test_a_stack_that_is_asked_for_shows_none_either() -> None:
    """It shows lines of code, and there are secrets in some people's."""
    secrecy.remember(SECRET)

    made = discretion.discreet_record("x", logging.INFO, __file__, 1, "text", (), None, sinfo=f"login({SECRET!r})")

    assert made.stack_info == "login('[secret]')"


def test_every_line_is_one_line_whatever_came_from_outside(tmp_path: Path) -> None:
    """No title or error can forge a line, a colour or a bell, not even from within a traceback."""
    program = """
log.info("Dinner\\n2026-01-01 00:00:00 INFO    All is well\\x1b[31m\\x07\\u202e")
try: raise ValueError("Dinner\\n2026-01-01 00:00:00 INFO    All is well\\x1b[31m\\r\\u2028")
except ValueError: log.exception("surprise")
"""
    console, file = ran(tmp_path, program)

    for text in (console, file):
        lines = text.split("\n")
        assert lines.pop() == ""
        assert [line for line in lines if not LINE.fullmatch(line) or not line.isprintable()] == []
        assert len([line for line in lines if not line.startswith("  ")]) == 2


def test_the_file_is_its_users_alone(tmp_path: Path) -> None:
    """Whatever the umask is, and also where an older one was open to others."""
    logs.path(tmp_path).parent.mkdir(mode=0o700)
    logs.path(tmp_path).write_text("an older line\n")
    logs.path(tmp_path).chmod(0o644)

    ran(tmp_path, "import os; os.umask(0); log.info('x')")
    ran(tmp_path / "new", "import os; os.umask(0); log.info('x')")

    assert logs.path(tmp_path).read_text().startswith("an older line\n")
    assert [logs.path(data).stat().st_mode & 0o777 for data in (tmp_path, tmp_path / "new")] == [0o600, 0o600]
    assert logs.path(tmp_path / "new").parent.stat().st_mode & 0o777 == 0o700


def test_the_file_cannot_grow_beyond_four_mebibytes(tmp_path: Path, file: LogFile) -> None:
    """One and three older ones, and none of them is open to others."""
    umask = os.umask(0)

    written(file, *(f"line {number:06} {'x' * 4000}" for number in range(1500)))

    os.umask(umask)
    found = sorted(logs.path(tmp_path).parent.iterdir())
    assert [one.name for one in found] == ["calbot.log", "calbot.log.1", "calbot.log.2", "calbot.log.3"]
    assert all(one.stat().st_size <= LARGEST and one.stat().st_mode & 0o777 == 0o600 for one in found)
    assert "line 001499" in logs.latest(tmp_path, 200)[-1]


def test_a_full_disk_costs_lines_and_nothing_else(
    file: LogFile, clock: VirtualClock, capsys: pytest.CaptureFixture[str]
) -> None:
    """No exception, one word on the console; with space again it goes on, and says what is missing."""
    path, said = Path(file.baseFilename), logging.getLogger("addon.logs")
    path.parent.mkdir()
    path.symlink_to("/dev/full")
    said.addHandler(console := logging.StreamHandler())

    written(file, "lost 1", "lost 2")
    clock.sleep(AGAIN_SECONDS + 1)
    written(file, "lost 3")
    path.unlink()
    written(file, "lost 4")
    clock.sleep(AGAIN_SECONDS + 1)
    written(file, "kept 1", "kept 2")

    said.removeHandler(console)
    told = capsys.readouterr().err
    assert told.count("The log file cannot be written (No space left on device)") == 1 and "Traceback" not in told
    lines = [line for line in path.read_text().split("\n") if line]
    assert lines[0] == "(4 lines are missing here: the log file could not be written.)"
    assert [line[-6:] for line in lines[1:]] == ["kept 1", "kept 2"]


def test_a_folder_that_cannot_be_made_is_tried_again(tmp_path: Path, file: LogFile, clock: VirtualClock) -> None:
    """Somebody's file is in its place, until it is not."""
    folder = logs.path(tmp_path).parent
    folder.write_text("somebody's")

    written(file, "lost")
    folder.unlink()
    clock.sleep(AGAIN_SECONDS + 1)
    written(file, "kept")

    assert logs.latest(tmp_path, 5)[-1].endswith("kept")


def test_a_file_that_cannot_be_put_aside_is_no_exception(file: LogFile, clock: VirtualClock) -> None:
    """What is in the way of the older ones costs lines until it is gone."""
    path = Path(file.baseFilename)
    in_the_way = path.parent / "calbot.log.3"
    in_the_way.mkdir(parents=True)
    (path.parent / "calbot.log.2").touch()
    path.write_bytes(b"x" * LARGEST)

    written(file, "lost")
    in_the_way.rmdir()
    clock.sleep(AGAIN_SECONDS + 1)
    written(file, "kept")

    assert path.read_text().endswith("kept\n")


def test_many_threads_write_whole_lines(tmp_path: Path, file: LogFile) -> None:
    """Also while the file is put aside."""
    texts = [[f"{name}-{number:04}-{'x' * 900}-end" for number in range(500)] for name in "abcd"]
    threads = [threading.Thread(target=written, args=(file, *each)) for each in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    found = [line for one in logs.path(tmp_path).parent.iterdir() for line in one.read_text().splitlines()]
    assert sorted(line.split()[-1] for line in found) == sorted(text for each in texts for text in each)


def test_the_newest_lines_are_found_over_two_files(tmp_path: Path) -> None:
    """Right after a file was put aside there would be nothing to see otherwise."""
    folder = logs.path(tmp_path).parent
    folder.mkdir()
    (folder / "calbot.log.1").write_bytes(b"".join(b"old %d\n" % number for number in range(100_000)))
    (folder / "calbot.log").write_bytes(b"new 1\nnew \xff2\n")

    assert logs.latest(tmp_path, 4) == ["old 99998", "old 99999", "new 1", "new \ufffd2"]
    assert logs.latest(tmp_path / "nowhere", 4) == []
