"""What must never be shown: every secret is told here by whoever holds it, and taken out of whatever is written."""

import re
import threading

MASK = "[secret]"
SHORTEST = 6
"""Shorter ones are not looked for: they would be found in ordinary words."""
_PATTERNS = re.compile(
    r"ya29\.[\w.-]{10,}"  # Google's access tokens, refresh tokens, codes and client secrets
    r"|1//[\w-]{20,}"
    r"|\b4/0[\w-]{20,}"
    r"|GOCSPX-[\w-]{10,}"
    r"|gAAAAA[\w-]{20,}=*"  # what Fernet sealed
    r"|(?<=Bearer )[^\s\"',]{6,}"
    r"|(?<=[?&]code=)[^\s&\"']+"
    r"|SG\.[\w-]{10,}\.[\w-]{10,}",  # SendGrid's keys
    re.IGNORECASE,
)


class Secrets:
    """Knows secrets, and takes them out of texts. Any thread may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: set[str] = set()
        self._finder: re.Pattern[str] | None = None

    def remember(self, *secrets: str | None) -> None:
        """Take it that these must not be shown; what is empty or very short is none."""
        fresh = {one for one in secrets if one is not None and len(one) >= SHORTEST}
        with self._lock:
            if fresh <= self._known:
                return
            self._known |= fresh
            longest_first = sorted(self._known, key=len, reverse=True)
            self._finder = re.compile("|".join(map(re.escape, longest_first)))

    def cleaned(self, text: str) -> str:
        """Return the text without any secret in it."""
        finder = self._finder
        found = finder.sub(MASK, text) if finder is not None else text
        return _PATTERNS.sub(MASK, found)


SECRETS = Secrets()
"""Those of this process: there is one standard error, so there is one of these."""
remember, cleaned = SECRETS.remember, SECRETS.cleaned
