"""What must never be shown: every secret is told here by whoever holds it, and taken out of whatever is written."""

import base64
import contextlib
import json
import re
import threading
from collections.abc import Iterator
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

MASK = "[secret]"
SHORTEST = 6
"""Shorter ones are not looked for: they would be found in ordinary words."""
LONG = 16
"""From this length on a secret is found wherever it stands, and also when a message was cut within it; a shorter one
only where it stands by itself, because a password like `dinner` is also part of other words."""
LASTING, PASSING = 300, 100
"""So many are kept, the newest: of those that last, and of those that are exchanged every hour."""
_ENCODED_UP_TO = 200
"""Longer ones travel in headers and bodies as they are; passwords and keys also in Basic sign-ins, in base64."""
_ORDINARY = frozenset({"calbot", "mosquitto", "homeassistant", "hassio", "password", "secret", "addons", "example"})
"""Words of our own lines. As passwords they are no secrets, and masking them would tell that they are it."""
_KEY_AND_SENDER = frozenset({"sendgrid"})
"""Schemes of apprise whose second part is the sender's address, not a password."""
_NAMES_OF_KEYS = re.compile(r"pass|pwd|token|key|secret", re.IGNORECASE)
_NAMES_OF_PEOPLE = frozenset({"from", "to", "cc", "bcc", "reply", "name", "smtp"})
"""What an address calls its parts: these hold secrets whatever they look like, and those none: names and hosts."""
_PATTERNS = re.compile(
    r"\bya29\.[\w.-]{10,}"  # Google's access tokens, refresh tokens, codes and client secrets
    r"|(?<![\w/])1(?:/|%2[Ff]){2}0[\w-]{20,}"
    r"|(?<![\w/])4(?:/|%2[Ff])0[\w-]{20,}"
    r"|\bGOCSPX-[\w-]{10,}"
    r"|\bgAAAAA[\w-]{20,}(?:={1,2})?"  # what Fernet sealed
    r"|\bSG\.[\w-]{16,32}\.[\w-]{32,64}"  # SendGrid's keys
)
_FIELDS = re.compile(
    r"((?:access_token|refresh_token|id_token|client_secret|code_verifier|[?&]code)[\"']?\s?[=:]\s?[\"']?)"
    r"[^\s&\"'<>,}]{8,}"
    r"|((?i:bearer)\s)(?=[^\s\"',]*\d)[^\s\"',]{10,}"
    r"|((?i:authorization[\"']?:\s?[\"']?basic)\s)[A-Za-z0-9+/]{4,}={0,2}"
)
"""What stands where secrets stand, in addresses, in JSON and in headers."""


_ALONE = r"(?:(?<![^\W_])|(?<=%[0-9A-Fa-f]{{2}})|(?<=\\[nrt])){}(?![^\W_])"
"""No letter or digit touches it; the end of an escape like %3A or \\n is none."""
Form = tuple[str, bool]
"""A way to write a secret, and whether it is found also within longer words."""


class Secrets:
    """Knows secrets, and takes them out of texts. Any thread may tell and ask."""

    def __init__(self, lasting: int = LASTING, passing: int = PASSING) -> None:
        self._lock = threading.RLock()  # a thread's own finalizers may tell of secrets, in the middle of it
        self._lasting: dict[str, frozenset[Form]] = {}
        self._passing: dict[str, frozenset[Form]] = {}
        self._limits = (lasting, passing)
        self._is_new = False
        self._forms: list[Form] = []
        self._cut: dict[str, list[str]] = {}

    def remember(self, *secrets: str | None, passing: bool = False) -> None:
        """Take it that these must not be shown; what is empty or very short is none.

        An address (`schema://…`) is one as a whole, and so are those of its parts that look like keys. Say `passing`
        of what is exchanged again and again, like access tokens: only the newest of these are kept.
        """
        for one in secrets:
            if one is None or (secret := one.strip()) in _ORDINARY:
                continue
            for part in (secret, *_parts(secret)):
                if len(part) >= SHORTEST and not _PATTERNS.fullmatch(part):
                    self._keep(part, passing=passing)

    def forget(self) -> None:
        """Know none any more, as in a new process."""
        with self._lock:
            self._lasting, self._passing, self._is_new = {}, {}, True

    def cleaned(self, text: str) -> str:
        """Return the text without any secret in it."""
        return _FIELDS.sub(_masked, _PATTERNS.sub(MASK, self._without_known(text)))

    def _keep(self, secret: str, *, passing: bool) -> None:
        kept, limit = (self._passing, self._limits[1]) if passing else (self._lasting, self._limits[0])
        with self._lock:
            self._is_new |= secret not in kept
            kept[secret] = kept.pop(secret) if secret in kept else frozenset(_forms(secret))
            if len(kept) > limit:
                del kept[next(iter(kept))]

    def _known(self) -> tuple[list[Form], dict[str, list[str]]]:
        """Return all forms, longest first, and by their beginnings those that are known also where they were cut."""
        with self._lock:
            if self._is_new:
                self._is_new = False
                found = {form for one in (*self._lasting.values(), *self._passing.values()) for form in one}
                self._forms = sorted(found, key=lambda form: len(form[0]), reverse=True)
                self._cut = {}
                for form, _ in self._forms:
                    if len(form) > LONG and "://" not in unquote(form):
                        self._cut.setdefault(form[:LONG], []).append(form)
            return self._forms, self._cut

    def _without_known(self, text: str) -> str:
        forms, cut = self._known()
        for form, anywhere in forms:
            if form in text:
                text = text.replace(form, MASK) if anywhere else re.sub(_ALONE.format(re.escape(form)), MASK, text)
        for start, wholes in cut.items():
            while (at := text.find(start)) >= 0:
                end = at + max(_shared(one, text[at : at + len(one)]) for one in wholes)
                text = f"{text[:at]}{MASK}{text[end:]}"
        return text


def _shared(one: str, other: str) -> int:
    """Return how many characters they begin with in common."""
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _masked(field: re.Match[str]) -> str:
    return f"{field[1] or field[2] or field[3]}{MASK}"


def _forms(secret: str) -> Iterator[Form]:
    """Yield the secret as it is and as it may be written: escaped for addresses, for JSON, and in base64."""
    raw = secret.encode(errors="replace")
    escaped = (
        repr(secret)[1:-1],
        repr(raw)[2:-1],
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
    )
    for written in (secret, *escaped, quote(raw), quote(raw, safe=""), quote_plus(raw)):
        yield written, len(written) >= LONG
    if len(secret) <= _ENCODED_UP_TO:
        for offset in range(3):
            # Within a longer text, like user:password, it may begin at any of three places of base64's groups; the
            # signs at its ends belong to its neighbours, too.
            first, past = -(-offset * 8 // 6), (offset + len(raw)) * 8 // 6
            inner = base64.b64encode(bytes(offset) + raw)[first:past].decode()
            if len(inner) >= SHORTEST:
                yield inner, True
                yield inner.replace("+", "-").replace("/", "_"), True


def _parts(secret: str) -> Iterator[str]:
    """Yield what looks like a key in an address: apprise and Uptime Kuma put theirs into any part of it."""
    if "://" not in secret:
        return
    with contextlib.suppress(ValueError):
        address = urlsplit(secret)
        scheme = address.scheme.lower()
        if address.password and scheme not in _KEY_AND_SENDER:
            yield from (address.password, unquote(address.password))
        user, _, where = address.netloc.rpartition("@")
        parts = [*re.split(r"[/,]", address.path), address.fragment]
        for name, value in parse_qsl(address.query):
            if _NAMES_OF_KEYS.search(name):
                yield value
            elif name not in _NAMES_OF_PEOPLE:
                parts.append(value)
        if not address.password or scheme in _KEY_AND_SENDER:
            parts.append(user.split(":")[0])
        yield from (one for part in parts for one in {part, unquote(part)} if _looks_like_a_key(one))
        if scheme not in ("http", "https") and "." not in where:
            hosts = where.split(":")
            yield from (one for one in hosts if _looks_like_a_key(one) and (one != one.lower() or len(one) >= LONG))


def _looks_like_a_key(part: str) -> bool:
    """Say whether chance made it: no word, no name, no address."""
    if len(part) < 8 or re.search(r"[@\s]", part):
        return False
    digits, letters = re.search(r"\d", part), re.search(r"[A-Za-z]", part)
    mixed = re.search(r"[a-z].*[A-Z]", part) and re.search(r"[A-Z].*[a-z]", part)
    return bool((digits and letters) or mixed)


SECRETS = Secrets()
"""Those of this process: there is one standard error, so there is one of these."""
remember, cleaned = SECRETS.remember, SECRETS.cleaned
