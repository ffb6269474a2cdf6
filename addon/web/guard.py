"""Guards the panel's forms: a session in a cookie, its proof in each form, and requests from our own pages only."""

import base64
import hashlib
import hmac
import re
from urllib.parse import urlsplit

from flask import Request, Response, abort

from calbot.ports import Random

COOKIE = "calbot_session"
FIELD = "proof"
_INGRESS = re.compile(r"/api/hassio_ingress/[A-Za-z0-9_-]{1,100}")
_SESSION = re.compile(r"[A-Za-z0-9_-]{43}")


class Guard:
    """Knows who may post. `only_peer` is the Supervisor's address: what it says of the way here is believed."""

    def __init__(self, random: Random, only_peer: str | None) -> None:
        self._random = random
        self._secret = random.token(32)
        self._only_peer = only_peer

    def session(self, request: Request) -> str:
        """Return the browser's session, or a new one."""
        found = request.cookies.get(COOKIE, "")
        if _SESSION.fullmatch(found):
            return found
        return base64.urlsafe_b64encode(self._random.token(32)).rstrip(b"=").decode()

    def proof(self, session: str) -> str:
        """Return what a form has to carry to count as this session's."""
        return hmac.new(self._secret, session.encode(), hashlib.sha256).hexdigest()

    def remember(self, request: Request, response: Response, session: str) -> None:
        """Give the browser its session, for our path alone."""
        path = "/"
        if self._trusts(request) and _INGRESS.fullmatch(prefix := request.headers.get("X-Ingress-Path", "")):
            path = f"{prefix}/"
        secure = self._trusts(request) and request.headers.get("X-Forwarded-Proto") == "https"
        response.set_cookie(COOKIE, session, path=path, httponly=True, samesite="Strict", secure=secure)

    def check(self, request: Request) -> None:
        """Abort with 403 unless the form comes from one of our pages, in the session that it was made for."""
        if not self._is_from_here(request):
            abort(403, "This form was not sent from Calbot’s own page. Open Calbot and try again.")
        session = request.cookies.get(COOKIE, "")
        proof = request.form.get(FIELD, "").encode()
        if not _SESSION.fullmatch(session) or not hmac.compare_digest(proof, self.proof(session).encode()):
            abort(403, "This page is out of date, or cookies are off. Go back, reload it, and try again.")

    def _is_from_here(self, request: Request) -> bool:
        """Say whether the browser names our own page; without https it does so only by the origin."""
        site = request.headers.get("Sec-Fetch-Site")
        if site is not None:
            return site == "same-origin"
        names = {request.headers.get("Host", "").lower()}
        if self._trusts(request):
            names.add(request.headers.get("X-Forwarded-Host", "").lower())
        try:
            origin = urlsplit(request.headers.get("Origin", ""))
        except ValueError:
            return False
        return origin.scheme in ("http", "https") and origin.netloc.lower() in names - {""}

    def _trusts(self, request: Request) -> bool:
        return self._only_peer is not None and request.remote_addr == self._only_peer
