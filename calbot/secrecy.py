"""What must never be shown: every secret is told here by whoever holds it, and taken out of whatever is written."""

import base64
import contextlib
import json
import re
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from urllib.parse import parse_qsl, quote, unquote, urlsplit

MASK = "[secret]"
SHORTEST = 6
"""Shorter ones are not looked for: they would be found in ordinary words."""
LONG = 16
"""From this length on a secret is found wherever it stands, and also when a message was cut within it; a shorter one
only where it stands by itself, because a password like `dinner` is also part of other words."""
LASTING, PASSING = 1000, 100
"""So many are kept, the newest: of those that last, and of those that are exchanged every hour."""
_ENCODED_UP_TO = 200
"""Longer ones travel in headers and bodies as they are; passwords and keys also in Basic sign-ins, in base64."""
_ORDINARY = frozenset({"calbot", "mosquitto", "homeassistant", "hassio", "password", "addons", "example"})
"""Words of our own lines. As passwords they are no secrets, and masking them would tell that they are it."""
_KEY_AND_SENDER = frozenset({"sendgrid"})
"""Schemes of apprise whose second part is the sender's address, not a password."""
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


Form = tuple[str, bool]
"""A way to write a secret, and whether it is found also within longer words."""


class Secrets:
    """Knows secrets, and takes them out of texts. Any thread may ask; nobody who asks waits for a lock.

    Forms of secrets lie by their first letters, so that a text is looked through once, however many are known.
    """

    def __init__(self, lasting: int = LASTING, passing: int = PASSING) -> None:
        self._lock = threading.RLock()  # a thread's own finalizers may tell of secrets, in the middle of it
        self._lasting: OrderedDict[str, frozenset[Form]] = OrderedDict()
        self._passing: OrderedDict[str, frozenset[Form]] = OrderedDict()
        self._limits = (lasting, passing)
        self._by_start: dict[str, tuple[Form, ...]] = {}

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

    def cleaned(self, text: str) -> str:
        """Return the text without any secret in it."""
        return _FIELDS.sub(_masked, _PATTERNS.sub(MASK, self._without_known(text)))

    def _keep(self, secret: str, *, passing: bool) -> None:
        kept, limit = (self._passing, self._limits[1]) if passing else (self._lasting, self._limits[0])
        with self._lock:
            if secret in kept:
                kept.move_to_end(secret)
                return
            kept[secret] = forms = frozenset(_forms(secret))
            for form in forms:
                start = form[0][:SHORTEST]
                found = {*self._by_start.get(start, ()), form}
                self._by_start[start] = tuple(sorted(found, key=lambda one: len(one[0]), reverse=True))
            if len(kept) > limit:
                self._forget(kept.popitem(last=False)[1])

    def _forget(self, forms: Iterable[Form]) -> None:
        needed = {form for kept in (self._lasting, self._passing) for known in kept.values() for form in known}
        for form in set(forms) - needed:
            start = form[0][:SHORTEST]
            left = tuple(one for one in self._by_start[start] if one != form)
            if left:
                self._by_start[start] = left
            else:
                del self._by_start[start]

    def _without_known(self, text: str) -> str:
        starts = self._by_start
        if not starts:
            return text
        pieces: list[str] = []
        done = at = 0
        last = len(text) - SHORTEST
        while at <= last:
            forms = starts.get(text[at : at + SHORTEST])
            end = _end(text, at, forms) if forms is not None else at
            if end == at:
                at += 1
                continue
            pieces += (text[done:at], MASK)
            done = at = end
        return "".join((*pieces, text[done:])) if pieces else text


def _masked(field: re.Match[str]) -> str:
    return f"{field[1] or field[2] or field[3]}{MASK}"


def _end(text: str, at: int, forms: tuple[Form, ...]) -> int:
    """Return where the secret that begins at `at` ends; `at` when none does. `forms` come longest first."""
    for form, anywhere in forms:
        if text.startswith(form, at) and (anywhere or _stands_alone(text, at, at + len(form))):
            return at + len(form)
    for form, _ in forms:
        if len(form) > LONG and "://" not in form and text.startswith(form[:LONG], at):
            end = at + LONG
            while end < len(text) and end - at < len(form) and text[end] == form[end - at]:
                end += 1
            return end
    return at


def _stands_alone(text: str, start: int, end: int) -> bool:
    r"""Say whether no letter or digit touches it; the end of an escape like %3A or \n is none."""
    before = text[max(0, start - 3) : start]
    free = not before[-1:].isalnum() or re.search(r"%[0-9A-Fa-f]{2}$|\\[nrt]$", before) is not None
    return free and not text[end : end + 1].isalnum()


def _forms(secret: str) -> Iterator[Form]:
    """Yield the secret as it is and as it may be written: escaped for addresses, for JSON, and in base64."""
    escaped = repr(secret)[1:-1], json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]
    in_address = quote(secret, errors="replace"), quote(secret, safe="", errors="replace")
    for written in (secret, *escaped, *in_address):
        yield written, len(written) >= LONG
    if len(secret) <= _ENCODED_UP_TO:
        raw = secret.encode(errors="replace")
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
        parts = [*re.split(r"[/,]", address.path), address.fragment, *(value for _, value in parse_qsl(address.query))]
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
