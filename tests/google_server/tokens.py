"""Who may call: OAuth clients, consent, authorization codes with PKCE, refresh tokens and access tokens."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.google_server import errors
from tests.google_server.values import Doc

if TYPE_CHECKING:
    from tests.google_server.world import World

PREFIX = "https://www.googleapis.com/auth/"
CALENDAR_SCOPES = (
    PREFIX + "calendar",
    PREFIX + "calendar.events",
    PREFIX + "calendar.calendarlist.readonly",
)
SEVEN_DAYS = 604_800
MOST_GRANTS = 100
"""With more live refresh tokens than this for a user, Google drops the oldest without a word."""


class TokenRefusal(Exception):
    """The token endpoint's own kind of error body."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(error)
        self.status = status
        self.document: Doc = {"error": error, "error_description": description}


@dataclass(slots=True)
class Grant:
    """What one refresh token stands for."""

    refresh_token: str
    account: str
    client: str
    scopes: tuple[str, ...]
    expires: float | None = None
    revoked: bool = False


@dataclass(slots=True)
class Access:
    """What one access token stands for; `expires` in epoch seconds."""

    account: str
    client: str
    scopes: frozenset[str]
    expires: float
    refresh_token: str


@dataclass(slots=True)
class Code:
    """An authorization code: good once, for ten minutes."""

    account: str
    client: str
    scopes: tuple[str, ...]
    redirect_uri: str
    challenge: str
    method: str
    expires: float
    offline: bool


@dataclass(slots=True)
class Consent:
    """How the person at the consent page behaves: `account` is who (else login_hint, else the first).

    `deny` presses Cancel; `untick` leaves those scopes out; `not_a_test_user` gets Google's 403 page;
    `testing` gives refresh tokens that die after seven days.
    """

    account: str = ""
    deny: bool = False
    untick: set[str] = field(default_factory=set)
    not_a_test_user: bool = False
    testing: bool = False


@dataclass(slots=True)
class Tokens:
    """All grants and tokens. `lifetime` of access tokens in seconds.

    With `rotates` each refresh brings another refresh token, and the one before it dies.
    """

    world: World
    project: str = "calbot-test"
    clients: dict[str, str] = field(default_factory=lambda: {"calbot-client": "calbot-secret"})
    lifetime: float = 3599.0
    rotates: bool = False
    consent: Consent = field(default_factory=Consent)
    grants: dict[str, Grant] = field(default_factory=dict)
    access: dict[str, Access] = field(default_factory=dict)
    codes: dict[str, Code] = field(default_factory=dict)

    def caller(self, authorization: str, allowed: frozenset[str]) -> Access:
        """Whom an Authorization header stands for; `allowed` are short scope names of which one is needed."""
        if not authorization:
            raise errors.login_required()
        kind, _, token = authorization.partition(" ")
        access = self.access.get(token) if kind.lower() == "bearer" else None
        if access is None or access.expires <= self.world.now():
            raise errors.wrong_credentials()
        if not any(scope.removeprefix(PREFIX) in allowed for scope in access.scopes):
            raise errors.insufficient_scope()
        return access

    def grant(self, account: str, scopes: tuple[str, ...] = CALENDAR_SCOPES, client: str = "") -> Grant:
        """A fresh consent of an account, without the browser."""
        self.world.account(account)
        number = self.world.next("refresh")
        made = Grant(f"refresh-{number}-{account}", account, client or next(iter(self.clients)), scopes)
        live = self._live(account)
        if len(live) >= MOST_GRANTS:
            live[0].revoked = True
        if self.consent.testing:
            made.expires = self.world.now() + SEVEN_DAYS
        self.grants[made.refresh_token] = made
        return made

    def access_token(self, account: str, scopes: tuple[str, ...] = CALENDAR_SCOPES) -> str:
        """A fresh access token of an account, for clients that bring their own."""
        return str(self.issue(self.grant(account, scopes))["access_token"])

    def issue(self, grant: Grant) -> Doc:
        """A token answer for a grant: each time a new access token; the old ones live on."""
        token = f"access-{self.world.next('access')}-{grant.account}"
        expires = self.world.now() + self.lifetime
        scopes = frozenset(grant.scopes)
        self.access[token] = Access(grant.account, grant.client, scopes, expires, grant.refresh_token)
        answer: Doc = {
            "access_token": token,
            "expires_in": int(self.lifetime),
            "scope": " ".join(grant.scopes),
            "token_type": "Bearer",
        }
        if grant.expires is not None:
            answer["refresh_token_expires_in"] = max(0, int(grant.expires - self.world.now()))
        if "openid" in grant.scopes:
            answer["id_token"] = self._id_token(grant)
        return answer

    def refresh(self, client: str, secret: str, refresh_token: str) -> Doc:
        """The refresh_token grant."""
        self._known_client(client, secret)
        grant = self.grants.get(refresh_token)
        dead = grant is None or grant.revoked or grant.client != client
        if grant is None or dead or (grant.expires is not None and grant.expires <= self.world.now()):
            raise TokenRefusal("invalid_grant", "Token has been expired or revoked.")
        if not self.rotates:
            return self.issue(grant)
        grant.revoked = True
        following = self.grant(grant.account, grant.scopes, grant.client)
        return {**self.issue(following), "refresh_token": following.refresh_token}

    def authorize(self, query: dict[str, str]) -> dict[str, str]:
        """What the consent page sends back to the redirect address."""
        state = {"state": query["state"]} if "state" in query else {}
        if self.consent.deny:
            return {"error": "access_denied", **state}
        account = self.consent.account or query.get("login_hint", "") or next(iter(self.world.accounts))
        self.world.account(account)
        asked = query.get("scope", "").split()
        if query.get("include_granted_scopes") == "true":
            asked += [one for grant in self._live(account) for one in grant.scopes]
        scopes = tuple(dict.fromkeys(one for one in asked if one not in self.consent.untick))
        code = f"code-{self.world.next('code')}"
        self.codes[code] = Code(
            account,
            query.get("client_id", ""),
            tuple(_long_name(one) for one in scopes),
            query.get("redirect_uri", ""),
            query.get("code_challenge", ""),
            query.get("code_challenge_method", "plain"),
            self.world.now() + 600,
            query.get("access_type") == "offline" and self._first_or_asked(account, query),
        )
        return {**state, "code": code, "scope": " ".join(_long_name(one) for one in scopes), "authuser": "0"}

    def exchange(self, client: str, secret: str, form: dict[str, str]) -> Doc:
        """The authorization_code grant with PKCE."""
        self._known_client(client, secret)
        code = self.codes.pop(form.get("code", ""), None)
        if code is None or code.client != client or code.expires <= self.world.now():
            raise TokenRefusal("invalid_grant", "Malformed auth code.")
        if code.redirect_uri != form.get("redirect_uri", ""):
            raise TokenRefusal("redirect_uri_mismatch", "Bad Request")
        verifier = form.get("code_verifier", "")
        if code.challenge and not verifier:
            raise TokenRefusal("invalid_grant", "Missing code verifier.")
        if code.challenge and code.challenge != _challenge(verifier, code.method):
            raise TokenRefusal("invalid_grant", "Invalid code verifier.")
        grant = self.grant(code.account, code.scopes, client)
        answer = self.issue(grant)
        if code.offline:
            answer["refresh_token"] = grant.refresh_token
        else:
            answer.pop("refresh_token_expires_in", None)
        return answer

    def revoke(self, token: str) -> bool:
        """Drop all that the token's user granted to the project; False when nobody knows the token."""
        access = self.access.get(token)
        grant = self.grants.get(access.refresh_token if access else token)
        if grant is None or grant.revoked:
            return False
        for other in self.grants.values():
            if other.account == grant.account:
                other.revoked = True
        self.expire_access(grant.account)
        return True

    def expire_access(self, account: str = "") -> None:
        """End the access tokens of an account, or of all; refresh tokens stay good."""
        for access in self.access.values():
            if account in {"", access.account}:
                access.expires = 0.0

    def revoke_account(self, account: str) -> None:
        """What a person does on the page of connected apps: every grant of the account is dead."""
        for grant in self.grants.values():
            if grant.account == account:
                grant.revoked = True
        self.expire_access(account)

    def change_password(self, account: str) -> None:
        """End what may use Gmail; a token that may not lives on."""
        for grant in self._live(account):
            if any(scope.startswith(f"{PREFIX}gmail") or scope == "https://mail.google.com/" for scope in grant.scopes):
                grant.revoked = True
                for access in self.access.values():
                    if access.refresh_token == grant.refresh_token:
                        access.expires = 0.0

    def _live(self, account: str) -> list[Grant]:
        return [one for one in self.grants.values() if one.account == account and not one.revoked]

    def _known_client(self, client: str, secret: str) -> None:
        if client not in self.clients:
            raise TokenRefusal("invalid_client", "The OAuth client was not found.", 401)
        if secret != self.clients[client]:
            raise TokenRefusal("invalid_client", "Unauthorized", 401)

    def _first_or_asked(self, account: str, query: dict[str, str]) -> bool:
        return "consent" in query.get("prompt", "").split() or not self._live(account)

    def _id_token(self, grant: Grant) -> str:
        claims = {
            "iss": "https://accounts.google.com",
            "aud": grant.client,
            "sub": str(10_000 + self.world.number_of(f"account:{grant.account}")),
            "email": grant.account,
            "email_verified": True,
            "iat": int(self.world.now()),
            "exp": int(self.world.now()) + 3600,
        }
        parts = [json.dumps(one, separators=(",", ":")).encode() for one in ({"alg": "RS256", "typ": "JWT"}, claims)]
        return ".".join(base64.urlsafe_b64encode(one).rstrip(b"=").decode() for one in [*parts, b"unsigned"])


def _long_name(scope: str) -> str:
    return {"email": PREFIX + "userinfo.email", "profile": PREFIX + "userinfo.profile"}.get(scope, scope)


def _challenge(verifier: str, method: str) -> str:
    if method != "S256":
        return verifier
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
