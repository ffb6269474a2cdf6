"""Time and chance: the only module that asks the machine for either."""

import random
import secrets
import time


class SystemClock:
    """The machine's clocks."""

    def now(self) -> float:
        """Return seconds since the epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds that never run backwards."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


class SystemRandom:
    """The machine's randomness."""

    def uniform(self, low: float, high: float) -> float:
        """Return a number between `low` and `high`, for jitter only."""
        return random.uniform(low, high)

    def token(self, nbytes: int) -> bytes:
        """Return `nbytes` unguessable bytes."""
        return secrets.token_bytes(nbytes)
