"""The settings in force: the options, and over them what was switched over MQTT or in the panel."""

import threading

from calbot.house import Orders
from calbot.policy import Policy
from calbot.rules import obvious_rules
from calbot.settings import Settings, parse_switch
from calbot.status import Effective
from calbot.store import switches
from calbot.store.database import Database, Tx

PAUSED = "paused_until"


class Switchboard:
    """Options and switches of one installation. A switch loses its force when its option is edited."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._lock = threading.Lock()
        self._switched: dict[str, str] = {}

    def load(self) -> None:
        """Read the switches; drop those whose option was edited since."""
        found = switches.switched(self._database.read())
        dead = [key for key, (_, basis) in found.items() if basis != self._basis(key)]
        if dead:
            with self._database.write() as tx:
                for key in dead:
                    switches.unswitch(tx, key)
        self._switched = {key: value for key, (value, _) in found.items() if key not in dead}

    def look(self) -> None:
        """Read the switches and change nothing."""
        found = switches.switched(self._database.read())
        self._switched = {key: value for key, (value, basis) in found.items() if basis == self._basis(key)}

    def switch(self, tx: Tx, key: str, value: object, account: str | None) -> None:
        """Set a value for the installation or one account. Raises BadOptions. Takes force with `adopt`."""
        text = str(parse_switch(key, value))
        switches.switch(tx, _scoped(key, account), text, self._basis(key))

    def pause(self, tx: Tx, until: float, account: str | None) -> None:
        """Postpone everything until then (epoch seconds)."""
        switches.switch(tx, _scoped(PAUSED, account), repr(until), "")

    def resume(self, tx: Tx, account: str | None) -> None:
        """End this account's pause, or that of the installation."""
        switches.unswitch(tx, _scoped(PAUSED, account))

    def adopt(self) -> None:
        """Let what was stored take force."""
        found = switches.switched(self._database.read())
        with self._lock:
            self._switched = {key: value for key, (value, _) in found.items()}

    def effective(self) -> Effective:
        """Return what is in force for the installation."""
        settings = self._settings
        return Effective(
            auto_invite=self._flag("auto_invite", None, default=settings.auto_invite),
            mirroring=self._flag("mirroring", None, default=settings.mirroring),
            dry_run=self._flag("dry_run", None, default=settings.dry_run),
            poll_interval=int(self._switched.get("poll_interval", settings.poll_interval)),
            invites_per_hour=int(self._switched.get("invites_per_hour", settings.invites_per_hour)),
            removals_per_pass=settings.removals_per_pass,
            patience=settings.patience,
            first_sync=settings.first_sync,
            invite_emails=settings.invite_emails,
            central_calendar=settings.central_calendar,
            rules=len(settings.rules),
            paused_until=self._paused_until(None),
            accounts_off=tuple(key.partition("@")[2] for key in self._switched if self._is_off(key)),
            accounts_paused=tuple(filter(None, self.pauses())),
        )

    def orders(self, account: str, now: float) -> Orders:
        """Return what is in force for one account."""
        settings = self._settings
        until = max(self._paused_until(None) or 0.0, self._paused_until(account) or 0.0)
        chosen = [one.email for one in settings.accounts]
        policy = Policy(
            rules=settings.rules or obvious_rules(settings.invite_emails, settings.central_calendar),
            auto_invite=self._flag("auto_invite", account, default=settings.auto_invite),
            dry_run=self._flag("dry_run", None, default=settings.dry_run),
            time_zone=settings.time_zone,
            invites_per_hour=self.effective().invites_per_hour,
            mirroring=self._flag("mirroring", None, default=settings.mirroring),
            removals_per_pass=settings.removals_per_pass,
            delete_originals=settings.delete_original,
            grace=float(settings.grace),
            place=chosen.index(account) if account in chosen else len(chosen),
        )
        return Orders(
            policy=policy,
            poll_interval=float(self._switched.get("poll_interval", settings.poll_interval)),
            invite_existing=settings.first_sync == "invite_future",
            paused=until > now,
        )

    def pauses(self) -> dict[str | None, float]:
        """Return until when each account is paused; None stands for the installation."""
        return {
            key.partition("@")[2] or None: float(value)
            for key, value in self._switched.items()
            if key.startswith(PAUSED)
        }

    def _is_off(self, key: str) -> bool:
        return key.startswith("auto_invite@") and self._switched[key] == "False"

    def _flag(self, key: str, account: str | None, *, default: bool) -> bool:
        own = self._switched.get(_scoped(key, account))
        general = self._switched.get(key)
        if own is not None and own == "False":
            return False
        return general == "True" if general is not None else default

    def _paused_until(self, account: str | None) -> float | None:
        value = self._switched.get(_scoped(PAUSED, account))
        return float(value) if value is not None else None

    def _basis(self, key: str) -> str:
        name = key.partition("@")[0]
        return "" if name == PAUSED else str(getattr(self._settings, name, ""))


def _scoped(key: str, account: str | None) -> str:
    return key if account is None else f"{key}@{account}"
