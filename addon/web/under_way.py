"""What is under way in memory: sign-ins that wait for their answer, clients that wait for their account."""

import threading
from collections import OrderedDict

from calbot.google.consent import Started
from calbot.google.turns import Client, old
from calbot.ports import Clock

MOST = 20
GOOD_FOR = 1800.0
"""Seconds after which either is forgotten."""


class SignIns:
    """The sign-ins under way: each belongs to one browser session. Any thread may ask."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._begun: OrderedDict[str, tuple[float, str, Started]] = OrderedDict()
        self._clients: OrderedDict[tuple[str, str], tuple[float, Client]] = OrderedDict()

    def add(self, session: str, started: Started) -> None:
        """Remember one; the oldest make room."""
        with self._lock:
            self._begun[started.state] = (self._clock.now(), session, started)
            while len(self._begun) > MOST:
                self._begun.popitem(last=False)

    def find(self, session: str, state: str) -> Started:
        """Return the one that an answer belongs to. Raises WrongTurn when it is old, foreign or never was."""
        with self._lock:
            since, owner, started = self._begun.get(state, (0.0, "", None))
        if started is None or owner != session or self._clock.now() - since > GOOD_FOR:
            raise old()
        return started

    def forget(self, session: str, started: Started) -> None:
        """Drop one that has ended, and the client that was given for its account."""
        with self._lock:
            self._begun.pop(started.state, None)
            self._clients.pop((session, started.account), None)

    def hold(self, session: str, account: str, client: Client) -> None:
        """Remember the client that an account is to be signed in with; nobody else gets it."""
        with self._lock:
            self._clients[session, account] = (self._clock.now(), client)
            while len(self._clients) > MOST:
                self._clients.popitem(last=False)

    def client(self, session: str, account: str) -> Client | None:
        """Return the client that was given for an account, if one was of late."""
        with self._lock:
            since, client = self._clients.get((session, account), (0.0, None))
        return client if self._clock.now() - since <= GOOD_FOR else None
