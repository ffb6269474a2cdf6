"""What `calbot check` tests around the service: broker, push address, ways to people, the running service."""

from collections.abc import Callable, Iterator
from functools import partial

import msgspec
import urllib3

from addon import options, supervisor
from addon.alerts.channels import channels
from addon.alerts.mail import by_gmail
from addon.heartbeat import Monitor, NoHeartbeat
from addon.options import Options
from addon.supervisor import Supervisor, SupervisorError
from calbot.commandline import local
from calbot.commandline.checked import Checked, Part, Verdict
from calbot.commandline.local import Here
from calbot.errors import CalbotError, SignInNeeded
from calbot.vault import given_key

SECONDS = 5.0
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what a door that is open to all hears on
_VERDICTS: dict[str, Verdict] = {"problem": "failed", "degraded": "warn", "setup": "warn"}
_SIGN_IN = frozenset({"sign_in_needed", "token_file", "no_account"})


class _Reason(msgspec.Struct):
    code: str
    text: str
    remedy: str = ""
    level: str = "degraded"


class _Health(msgspec.Struct):
    level: str
    reasons: tuple[_Reason, ...] = ()


def parts(here: Here) -> list[Part]:
    """Return what the service needs, one part each. Raises BadOptions."""
    wanted = options.load(here.environ)
    token = here.environ.get("SUPERVISOR_TOKEN", "").strip()
    address = here.environ.get("CALBOT_SUPERVISOR_URL", "").strip() or supervisor.ADDRESS
    core = Supervisor(token, address) if token else None
    return [
        Part("service", partial(_service, wanted)),
        Part("push_url", partial(_push, wanted)),
        Part("broker", partial(_broker, here, wanted, core)),
        Part("notify", partial(_notify, wanted, core)),
        *_ways(here, wanted),
        Part("heartbeat_url", partial(_heartbeat, here, wanted)),
    ]


def _service(wanted: Options) -> Iterator[Checked]:
    """Ask the running service how it is; that none runs is said beside the store."""
    where = wanted.place
    if not local.is_running(where.data):
        return
    host = _EVERYWHERE.get(where.bind, where.bind)
    address = f"http://{f'[{host}]' if ':' in host else host}:{where.panel_port}/health"
    try:
        answer = urllib3.request("GET", address, timeout=SECONDS, retries=False, redirect=False)
        found = msgspec.json.decode(answer.data, type=_Health)
    except (urllib3.exceptions.HTTPError, msgspec.DecodeError, UnicodeDecodeError):
        text = f"A Calbot works in {where.data}, but it does not answer at {address}."
        yield Checked("service", "failed", text, "Look into its log; restart it if it hangs.")
        return
    for reason in found.reasons:
        verdict = "sign_in" if reason.code in _SIGN_IN else _VERDICTS.get(reason.level)
        if verdict is not None:
            yield Checked("service", verdict, reason.text, reason.remedy)
    if found.level not in _VERDICTS:
        yield Checked("service", "ok", f"It answers at {address}, and its status is {found.level}.")


def _push(wanted: Options) -> Iterator[Checked]:
    """Look whether what Google would post comes through to our door; such a push is of no channel, and does nothing."""
    address = wanted.settings.push_url
    if address is None:
        yield Checked("push_url", "ok", f"None; Google is asked every {wanted.settings.poll_interval} s.")
        return
    if not local.is_running(wanted.place.data):
        text = f"Whether {address} leads here can only be tried while Calbot runs."
        yield Checked("push_url", "warn", text, "Start Calbot, and run calbot check once more.")
        return
    health = urllib3.util.parse_url(address)._replace(path="/health", query=None).url
    try:
        answer = urllib3.request("GET", health, timeout=SECONDS, retries=False, redirect=False)
        ours = answer.data in {b"healthy", b"unhealthy"}
        posted = urllib3.request("POST", address, timeout=SECONDS, retries=False, redirect=False).status
    except urllib3.exceptions.HTTPError as error:
        text = f"{address} cannot be reached from here ({type(error).__name__})."
        yield Checked("push_url", "failed", text, "Check the proxy or tunnel, and its certificate.")
        return
    if posted == 204:
        where = "leads to Calbot" if ours else "takes what Google posts"
        yield Checked("push_url", "ok", f"{address} {where}.")
        return
    trouble = f"answers {posted} to what Google would post there"
    text = f"{address} leads to Calbot, but {trouble}." if ours else f"{address} does not lead to Calbot: it {trouble}."
    yield Checked("push_url", "failed", text, f"Have the proxy pass POST on to port {wanted.place.push_port}.")


def _broker(here: Here, wanted: Options, core: Supervisor | None) -> Iterator[Checked]:
    """Log in to the broker as the service would, under another name."""
    from addon.brokers import found_by  # noqa: PLC0415 - paho, which no other command needs
    from addon.mqtt.connection import BrokerAddress  # noqa: PLC0415 - as above
    from addon.mqtt.trying import problem_of  # noqa: PLC0415 - as above

    mqtt = wanted.mqtt
    if mqtt.host is not None:
        address = BrokerAddress(mqtt.host, mqtt.port, mqtt.username, mqtt.password)
    elif core is not None:
        try:
            address = found_by(core)()
        except SupervisorError as error:
            yield Checked("broker", "failed", str(error))
            return
    else:
        yield Checked("broker", "ok", "None is configured; Calbot starts its own.")
        return
    problem = problem_of(address, f"calbot-check-{here.random.token(6).hex()}", here.clock)
    if problem is not None:
        yield Checked("broker", "failed", problem.text)
    else:
        who = f" as {address.username}" if address.username else ""
        yield Checked("broker", "ok", f"{address} lets Calbot in{who}.")


def _notify(wanted: Options, core: Supervisor | None) -> Iterator[Checked]:
    if not wanted.notify:
        return
    if core is None:
        text = "notify: names services of Home Assistant, and there is none here."
        yield Checked("notify", "warn", text, "Use alerts with an apprise URL instead.")
        return
    try:
        known = core.notify_services()
    except SupervisorError as error:
        yield Checked("notify", "failed", str(error))
        return
    for name in wanted.notify:
        if name in known:
            yield Checked("notify", "ok", f"{name} is there.")
        else:
            there = f"There are: {', '.join(known)}." if known else "There is none."
            yield Checked("notify", "failed", f"Home Assistant has no {name}.", there)


def _heartbeat(here: Here, wanted: Options) -> Iterator[Checked]:
    """Look whether the monitor could be told; it is told nothing."""
    if wanted.heartbeat_url is None:
        return
    monitor = Monitor(wanted.heartbeat_url, wanted.place.supervised, here.clock)
    try:
        monitor.check()
    except NoHeartbeat as error:
        yield Checked("heartbeat_url", "failed", f"The monitor at {monitor.host}: {error}")
    else:
        yield Checked("heartbeat_url", "ok", f"{monitor.host} can be reached.")


def _ways(here: Here, wanted: Options) -> list[Part]:
    """Return a part for each way to people; nothing is sent."""
    mail = by_gmail(wanted.place.data, given_key(here.environ), wanted.endpoints, here.clock)
    found = channels(None, (), wanted.alerts, mail, here.clock, here.random)
    return [Part(f"alerts, {one.name}", partial(_way, one.name, one.check)) for one in found]


def _way(name: str, check: Callable[[], None]) -> Iterator[Checked]:
    part = f"alerts, {name}"
    try:
        check()
    except SignInNeeded as error:
        yield Checked(part, "sign_in", str(error))
    except CalbotError as error:
        yield Checked(part, "failed", str(error))
    else:
        yield Checked(part, "ok", "It can be used; calbot alerts test sends something by it.")
