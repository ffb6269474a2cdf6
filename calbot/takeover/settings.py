"""An earlier bot's settings: what each one becomes, which Calbot does not understand, and where its own stay."""

from collections.abc import Iterator, Mapping

from calbot import envfile, secrecy, sources
from calbot.checks import shown
from calbot.envfile import EnvFile
from calbot.errors import BadOptions
from calbot.sources import Found
from calbot.takeover.directory import Env
from calbot.takeover.steps import Item, Step
from calbot.vault import VARIABLE, Vault

_MEANS = {
    "INVITE_EMAIL": "whom Calbot invites (invite_emails)",
    "SOURCE_CALENDARS": "the accounts that it looks at (accounts)",
    "POLL_INTERVAL_MINUTES": "how often it looks (poll_interval)",
    "ENABLE_AUTO_INVITE": "whether it invites (auto_invite)",
    "DEBUG_LOGGING": "how much it logs (log_level)",
    "GOOGLE_WEBHOOK_URL": "where Google reports changes (push_url)",
    "WEBHOOK_URL": "where Google reports changes (push_url)",
    "PROCESSED_FILE": "where calbot import looks for the list",
    "GOOGLE_AUTH_PATH": "where calbot import looks for sign-ins",
    "SENDER_EMAIL": "who sends alerts by mail (alerts)",
    "TO_EMAIL": "who gets alerts by mail (alerts)",
    "SENDGRID_API_KEY": "how alerts are mailed (alerts)",
    "UPTIME_KUMA_PUSH_URL": "where it says that it lives (heartbeat_url)",
    "MONITOR_INTERVAL_SECONDS": "for calbot monitor",
    "MONITOR_STATUS_FILE": "for calbot monitor",
    "CLOUDFLARE_TUNNEL_TOKEN": "for the tunnel; set it where that runs",
    "TZ": "the time zone; set it where Calbot runs",
}
_WITHOUT_USE = {
    "EXPECTED_CHANNEL_ID": "each channel has a secret of its own by now",
    VARIABLE: "a key does not belong into the file that it opens",
}


def weighed(env: Env, found: Found, vault: Vault, *, replace: bool) -> Iterator[Step]:
    """Yield what becomes of each setting, and the taking of those that Calbot understands. Nothing is changed."""
    sources.remember_secrets(env.values)
    secrecy.remember(*(value for name, value in env.values.items() if not sources.is_setting(name)))
    useless = dict(_useless(env.values))
    good, wrong = _understood({name: env.values[name] for name in env.values if name not in useless}, found)
    yield Step(tuple(Item("env", name, "left", f"{why}.") for name, why in useless.items()))
    yield Step(tuple(Item("env", name, "refused", f"it is left out. {why}") for name, why in wrong.items()))
    if not good:
        return
    try:
        ours = envfile.opened(found.data, vault)
    except BadOptions as error:
        yield Step((Item("env", env.name, "refused", f"Calbot has settings of its own. {error}"),))
        return
    have = envfile.parsed(ours.text) if ours is not None else {}
    differ = sorted(name for name, value in good.items() if have.get(name) != value)
    if not differ:
        yield Step((Item("env", env.name, "here", f"{envfile.NAME} says the same already."),))
    elif ours is not None and not replace:
        yield Step((Item("env", env.name, "refused", _stays(ours, differ)),))
    else:
        as_it_is = ours is None and not wrong and VARIABLE not in env.values
        text = env.text if as_it_is else _written({**have, **good})
        sealed = f"sealed as {envfile.NAME}; it goes before options.json and calbot.yaml."
        items = [Item("env", name, "taken", f"{_MEANS.get(name, 'an option of Calbot')}.") for name in good]
        took = Item("env", env.name, "taken", sealed)
        yield Step((took, *items), lambda: envfile.store(found.data, vault, text))


def _stays(ours: EnvFile, differ: list[str]) -> str:
    return (
        f"Calbot's own {ours.path.name} stays; it has another value, or none, of {', '.join(differ)}. "
        "Change it with calbot env edit, or import again with --replace."
    )


def _useless(values: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name in values:
        if name in _WITHOUT_USE:
            yield name, _WITHOUT_USE[name]
        elif not sources.is_setting(name):
            yield name, "Calbot does not know it"


def _understood(values: Mapping[str, str], found: Found) -> tuple[dict[str, str], dict[str, str]]:
    """Return the settings that Calbot understands, and why not the others: with one of those it would not start."""
    good: dict[str, str] = {}
    wrong: dict[str, str] = {}
    nowhere = {"CALBOT_DATA": str(found.data / "nowhere")}
    google = {"CALBOT_CALENDAR_API": found.endpoints.calendar_api} if found.endpoints.calendar_api is not None else {}
    for name, value in values.items():
        try:
            _refuse_calendars(name, value)
            sources.settings(sources.gather({**google, **good, name: value, **nowhere}))
            good[name] = value
        except BadOptions as error:
            wrong[name] = str(error)
    return good, wrong


def _refuse_calendars(name: str, value: str) -> None:
    """Raise BadOptions for calendars where Calbot wants accounts: it would wait for them to sign in."""
    words = [word.strip().lower() for word in value.split(",") if word.strip()]
    calendars = [word for word in words if word.endswith("calendar.google.com") or word == "primary"]
    if name == "SOURCE_CALENDARS" and calendars and words != ["primary"]:
        raise BadOptions(
            f"{shown(calendars[0])} is a calendar, not an account; write accounts: "
            "[{email: anna@example.com, calendars: [primary]}] into the options."
        )


def _written(values: Mapping[str, str]) -> str:
    """Return settings as a dotenv text."""
    for sign, escaped in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n")):
        values = {name: value.replace(sign, escaped) for name, value in values.items()}
    return "".join(f'{name}="{value}"\n' for name, value in values.items())
