"""What the panel's pages of work share: the guarded session, their templates, and the page that says what is wrong."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from flask import Response, g, make_response, render_template, request

from addon.web.guard import FIELD, Guard
from addon.web.words import clean
from calbot import __version__
from calbot.errors import CalbotError
from calbot.ports import Random

LARGEST_FORM = 8192


class Sorry(CalbotError):
    """There is no such page just now; the text is for people."""

    def __init__(self, headline: str, text: str, status: int) -> None:
        super().__init__(text)
        self.headline = headline
        self.status = status


class Frame:
    """Shows pages whose forms only their own browser can send."""

    def __init__(self, random: Random, only_peer: str | None) -> None:
        self._guard = Guard(random, only_peer)

    def receive(self) -> None:
        """Take a request in, or abort it: to be called before each."""
        request.max_content_length = LARGEST_FORM
        self.open()
        if request.method == "POST":
            self._guard.check(request)

    def open(self) -> dict[str, str]:
        """Note whose request this is; return what its forms have to carry."""
        g.session = self._guard.session(request)
        return {"proof": self._guard.proof(g.session), "proof_field": FIELD}

    def sign(self, response: Response) -> Response:
        """Give the browser its session with a page that has forms."""
        self._guard.remember(request, response, g.session)
        return response

    def show(self, template: str, status: int = 200, **values: object) -> Response:
        """Return a page."""
        proof = {"proof": self._guard.proof(g.session), "proof_field": FIELD}
        page = render_template(template, **values, **proof, version=__version__)
        return self.sign(make_response(page, status))

    def sorry(self, error: Exception) -> Response:
        """Return the page that says what is wrong."""
        headline, status = (error.headline, error.status) if isinstance(error, Sorry) else ("Not just now", 503)
        return self.show("sorry.html", status, headline=headline, text=clean(str(error), 600))


class Turn:
    """Lets one thread at a time do what takes long, while others wait a little."""

    def __init__(self, patience: float = 3.0) -> None:
        self._lock = threading.Lock()
        self._patience = patience

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Have the turn. Raises Sorry when it does not come."""
        if not self._lock.acquire(timeout=self._patience):
            raise Sorry("One moment", "Calbot looks through the events for another page. Load this one again.", 503)
        try:
            yield
        finally:
            self._lock.release()
