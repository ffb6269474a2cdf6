"""Debian's container engine, started by hand: an image is built and run on this machine without a container registry.

The daemon gets no bridge and changes nothing of this machine's network. Builds use the machine's network; containers
share one of their own that has only loopback, and `inside` takes a test there too. Images and layers stay in CACHE
for the next run; `rm -rf` of it is all it takes to forget them.
"""

import contextlib
import ctypes
import fcntl
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.service.running import wait_for

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("CALBOT_CI", "/var/cache/calbot-ci"))
BASE, IMAGE = "localhost/calbot-base:trixie", "localhost/calbot:ci"
SUPERVISOR, APP = "172.30.32.2", "172.30.33.5"
"""Home Assistant's addresses in the containers' network."""
_CLIENT = "/usr/bin/docker"  # the distribution's carries BuildKit; another one may lack buildx
_NEW_NETWORK = 0x40000000


class Engine:
    """The daemon, while it runs."""

    def __init__(self) -> None:
        self._socket = CACHE / "docker.sock"

    def run(self, *arguments: str, check: bool = True, seconds: float = 60) -> subprocess.CompletedProcess[str]:
        """Give the client's answer. Fails with what it said."""
        environment = os.environ | {"DOCKER_HOST": f"unix://{self._socket}", "DOCKER_BUILDKIT": "1"}
        done = subprocess.run(
            [_CLIENT, *arguments], env=environment, capture_output=True, text=True, timeout=seconds, check=False
        )
        assert not check or done.returncode == 0, f"docker {arguments[0]}: {(done.stderr or done.stdout)[-3000:]}"
        return done

    def inspect(self, name: str) -> Any:
        """Return all that the daemon knows about a container or an image."""
        return json.loads(self.run("inspect", name).stdout)[0]


@contextlib.contextmanager
def engine() -> Iterator[Engine]:
    """The daemon: started, one at a time on this machine's cache, and ended with all that ran in it."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        places = {name: str(CACHE / name) for name in ("docker", "exec", "docker.pid", "docker.sock", "dockerd.log")}
        Path(places["docker.pid"]).unlink(missing_ok=True)  # left by one that was killed
        command = ["/usr/sbin/dockerd", "--data-root", places["docker"], "--exec-root", places["exec"]]
        command += ["--pidfile", places["docker.pid"], "-H", f"unix://{places['docker.sock']}"]
        command += ["--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false"]
        with Path(places["dockerd.log"]).open("wb") as log:
            daemon = subprocess.Popen(command, stdout=log, stderr=log)
        ours = Engine()
        try:
            deadline = time.monotonic() + 30
            while ours.run("version", check=False).returncode != 0:
                if daemon.poll() is not None or time.monotonic() > deadline:
                    last = Path(places["dockerd.log"]).read_text(errors="replace")[-1500:]
                    raise AssertionError(f"dockerd does not run here:\n{last}")
                time.sleep(0.1)
            yield ours
        finally:
            if daemon.poll() is None:
                left = ours.run("ps", "-aq", check=False).stdout.split()
                if left:
                    ours.run("rm", "-f", *left, check=False)
                ours.run("image", "prune", "-f", check=False)
                ours.run("builder", "prune", "-f", "--keep-storage", "1500MB", check=False)
                daemon.terminate()
                daemon.wait(30)
            subprocess.run(["umount", str(CACHE / "exec/netns/default")], capture_output=True, check=False)


def build(docker: Engine) -> float:
    """Build the image as the Supervisor does, on the stand-in for Debian's; return the seconds it took."""
    base = CACHE / "base.tar"
    made = subprocess.run(
        [ROOT / "tests/container/base.sh", base], capture_output=True, text=True, timeout=600, check=False
    )
    assert made.returncode == 0, made.stderr[-3000:]
    key = (CACHE / "base.tar.key").read_text().strip()
    known = docker.run("inspect", "-f", '{{index .Config.Labels "ci.base.key"}}', BASE, check=False).stdout.strip()
    if known != key:
        docker.run("import", "-c", 'CMD ["bash"]', "-c", f"LABEL ci.base.key={key}", str(base), BASE, seconds=120)
    began = time.monotonic()
    arguments = {"BUILD_FROM": BASE, "BUILD_VERSION": "0.0.0", "BUILD_ARCH": "amd64"}
    given = [word for name, value in arguments.items() for word in ("--build-arg", f"{name}={value}")]
    docker.run("build", "--progress", "plain", "--network", "host", "-t", IMAGE, *given, str(ROOT), seconds=500)
    return time.monotonic() - began


class Network:
    """A network with nothing but loopback, which knows Home Assistant's addresses; containers join it.

    `names` are those that a container finds in there, with their addresses.
    """

    def __init__(self, docker: Engine, names: Mapping[str, str]) -> None:
        self._docker = docker
        known = [f"--add-host={name}:{address}" for name, address in names.items()]
        self.holder = docker.run("run", "-d", "--network", "none", *known, BASE, "sleep", "86400").stdout.strip()
        self._process = int(docker.inspect(self.holder)["State"]["Pid"])
        for address in (SUPERVISOR, APP):
            enter = ["nsenter", "-t", str(self._process), "-n"]
            subprocess.run([*enter, "ip", "address", "add", f"{address}/23", "dev", "lo"], check=True)

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """This thread, with the threads and processes that it starts, in that network."""
        with (
            Path("/proc/thread-self/ns/net").open() as home,
            Path(f"/proc/{self._process}/ns/net").open() as there,
        ):
            _enter(there.fileno())
            try:
                yield
            finally:
                _enter(home.fileno())

    def close(self) -> None:
        """Remove it."""
        self._docker.run("rm", "-f", self.holder, check=False)


class Container:
    """A container of the image, as the Supervisor starts it under our profile, in 128 MB and on a read-only root."""

    def __init__(self, docker: Engine, network: Network, data: Path, environment: Mapping[str, str]) -> None:
        self._docker = docker
        self.data = data
        settings = {"TZ": "Europe/Berlin", **environment}
        given = [word for name, value in settings.items() for word in ("-e", f"{name}={value}")]
        limits = ["--read-only", "--memory", "128m", "--memory-swap", "128m", "--oom-score-adj", "200"]
        limits += ["--cap-drop", "ALL", *(f"--cap-add={one}" for one in capabilities())]
        joined = ("--network", f"container:{network.holder}", "-v", f"{data}:/data", "--health-interval", "1s")
        self.id = docker.run("create", "--init", *limits, *joined, *given, IMAGE).stdout.strip()

    def start(self) -> None:
        """Start it."""
        self._docker.run("start", self.id)

    def state(self) -> Any:
        """Return what the daemon knows of how it is."""
        return self._docker.inspect(self.id)["State"]

    def do(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command in it as root, as the Supervisor does."""
        return self._docker.run("exec", self.id, *command, check=check)

    def log(self) -> str:
        """Return what it logged."""
        done = self._docker.run("logs", self.id)
        return done.stdout + done.stderr

    def processes(self) -> dict[int, str]:
        """Return its processes as this machine numbers them, with their commands."""
        lines = self._docker.run("top", self.id, "-eo", "pid,args").stdout.splitlines()[1:]
        return {int(pid): command for pid, command in (line.split(None, 1) for line in lines)}

    def service(self) -> int:
        """Return the process that is Calbot."""
        (found,) = [pid for pid, command in self.processes().items() if "-m addon" in command and "init" not in command]
        return found

    def wait_until_healthy(self) -> None:
        """Wait for the image's own health check."""
        self.wait(lambda: self.state().get("Health", {}).get("Status") == "healthy", "healthy")

    def wait(self, condition: Callable[[], object], what: str, seconds: float = 30) -> None:
        """Wait for something that the container is to bring about; fail with its log and what its health check said."""
        try:
            wait_for(condition, seconds, what)
        except AssertionError as late:
            checks = [check["Output"] for check in self.state().get("Health", {}).get("Log", [])]
            late.add_note(f"{self.log()}\n{checks[-2:]}")
            raise

    def stop(self) -> tuple[int, float]:
        """Send SIGTERM to its init; return the exit code and how many seconds it took."""
        state, began = self.state(), time.monotonic()
        if state["Running"]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(state["Pid"], signal.SIGTERM)
        wait_for(lambda: not self.state()["Running"], 20, "the container to end")
        return self.state()["ExitCode"], time.monotonic() - began

    def remove(self) -> None:
        """Remove it, running or not."""
        self._docker.run("rm", "-f", self.id, check=False)


def capabilities() -> list[str]:
    """Return what apparmor.txt grants. Nothing enforces a profile here, so containers get these and no others."""
    profile = (ROOT / "apparmor.txt").read_text()
    return [one.upper() for one in re.findall(r"^  capability (\w+),", profile, re.MULTILINE)]


def _enter(descriptor: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, _NEW_NETWORK) != 0:
        raise OSError(ctypes.get_errno(), "this network cannot be entered")
