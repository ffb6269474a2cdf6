"""The channels by apprise: SendGrid, SMTP, Telegram and a hundred more, each by the URL that the options give."""

import logging
import re
from typing import Any

from addon.alerts.judge import Message
from calbot.errors import CalbotError
from calbot.secrecy import MASK, cleaned, remember

SECONDS = 30.0
"""For one message, however the service behaves."""
DOCUMENTATION = "https://appriseit.com/services/"
LONGEST_REASON = 200
_LOCAL = frozenset({"blink1", "dbus", "gio", "glib", "gnome", "kde", "macosx", "qt", "syslog", "windows"})
"""Schemes that do something on the machine they are used on; none reaches a person from here."""
_OF_FILES = ("template", "keyfile", "subfile", "pem", "pgpkey")
"""Arguments by which some services read a file, or fetch one; others mean a name by them."""
_A_PATH = re.compile(r"[/\\.]")
_BETWEEN = re.compile(r"[/:@?&=,;#]+")
_SHORTEST = 4


class UrlChannel:
    """One apprise URL. Nothing that is said of it names more than its scheme.

    apprise, 17 MiB with all its services, is loaded by the thread that checks or sends: no start waits for it.
    """

    def __init__(self, name: str, url: str) -> None:
        self.name = name
        self._url = url
        self._service: Any = None
        self._hidden: tuple[str, ...] = ()

    def check(self) -> None:
        """Look whether apprise takes the URL. Raises CalbotError."""
        if self._service is None:
            self._service = self._made()

    def send(self, message: Message) -> None:
        """Bring a message, as text. Raises CalbotError with what apprise says of it."""
        self.check()
        apprise = _library()
        caller = apprise.Apprise(asset=_asset(apprise))
        caller.add(self._service)
        told = caller.notify(
            title=" ".join(message.title.split()), body=message.text, body_format="text", timeout=SECONDS
        )
        with told:
            if not told:
                raise CalbotError(self._reason(list(told.logs())))

    def _made(self) -> Any:
        """Return apprise's service for the URL. Raises CalbotError."""
        scheme = self._url.split("://", 1)[0].lower()
        if scheme in _LOCAL:
            raise CalbotError(f"{scheme}:// reaches nobody from here; take another service of {DOCUMENTATION}.")
        apprise = _library()
        parts = apprise.plugins.url_to_dict(self._url)
        wrong = f"alerts.url: what is there is not a {scheme}:// address as apprise takes it; see {DOCUMENTATION}."
        if parts is None:
            raise CalbotError(wrong)
        if any(_A_PATH.search(str(parts.get("qsd", {}).get(name, ""))) for name in _OF_FILES):
            raise CalbotError(
                f"alerts.url: the {scheme}:// address names a file; leave that out, text is all there is."
            )
        # Text is not taken for HTML or Markdown; a failure is one; and the courier tries again, not apprise.
        parts = {"format": "text", **parts, "optional": "no", "retry": 0}
        service = apprise.Apprise.instantiate(parts, asset=_asset(apprise))
        if service is None:
            raise CalbotError(wrong)
        self._hidden = _hidden(service)
        remember(*(part for part in self._hidden if len(part) >= 8))
        return service

    def _reason(self, entries: list[Any]) -> str:
        """Return apprise's own words for a failure, without any part of the URL that it keeps to itself."""
        said = " ".join(" ".join(str(entry.message).split()) for entry in entries).replace(self._url, MASK)
        for part in self._hidden:
            said = re.sub(rf"(?<!\w){re.escape(part)}(?!\w)", MASK, said)
        said = cleaned(said)[:LONGEST_REASON].rstrip(". ")
        return f"{said or 'the service did not take it'}. Compare the URL with {DOCUMENTATION}."


def _library() -> Any:
    """Return apprise. What it logs is captured for the complaint and goes nowhere else: it shows parts of URLs."""
    logger = logging.getLogger("apprise")
    if logger.propagate:
        logger.addHandler(logging.NullHandler())
        logger.setLevel(logging.WARNING)
        logger.propagate = False
    import apprise  # noqa: PLC0415 - 17 MiB and 0.2 s that only those pay who use it

    return apprise


def _asset(apprise: Any) -> Any:
    """Return how apprise is to behave: it keeps nothing, makes no keys, loads no code, follows no redirect."""
    return apprise.AppriseAsset(
        app_id="Calbot",
        app_desc="Calbot",
        app_url="",
        image_url_mask="",
        image_url_logo="",
        storage_mode="memory",
        secure_logging=True,
        pgp_autogen=False,
        pem_autogen=False,
        http_redirects=False,
        async_mode=False,
        interpret_emojis=False,
        allow_templates=False,
        service_timeout=SECONDS,
    )


def _hidden(service: Any) -> tuple[str, ...]:
    """Return the parts of a URL that apprise itself does not show, longest first."""
    shown = set(_BETWEEN.split(str(service.url(privacy=True))))
    parts = {part for part in _BETWEEN.split(str(service.url(privacy=False))) if part not in shown}
    return tuple(sorted((part for part in parts if len(part) >= _SHORTEST), key=len, reverse=True))
