"""The sign-in side of Google: consent page, token endpoint, revocation and user info."""

from __future__ import annotations

import base64
import json
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from tests.google_server.render import pretty
from tests.google_server.tokens import PREFIX, TokenRefusal
from tests.google_server.values import Doc, Request, Response

if TYPE_CHECKING:
    from tests.google_server.world import World

AUTH_PATH = "/o/oauth2/v2/auth"
PATHS = {
    ("GET", AUTH_PATH): "oauth.auth",
    ("POST", "/token"): "oauth.token",
    ("POST", "/revoke"): "oauth.revoke",
    ("GET", "/oauth2/v2/userinfo"): "oauth.userinfo",
    ("GET", "/oauth2/v3/userinfo"): "oauth.userinfo",
    ("GET", "/v1/userinfo"): "oauth.userinfo",
}


def respond(world: World, operation: str, request: Request) -> tuple[Response, str]:
    """The answer of a sign-in operation and the account it was about."""
    form = {name: values[0] for name, values in parse_qs(request.body.decode("utf-8", "replace")).items()}
    try:
        match operation:
            case "oauth.auth":
                return _consent(world, {name: values[0] for name, values in request.query.items()}), ""
            case "oauth.token":
                return _token(world, request, form)
            case "oauth.revoke":
                token = form.get("token") or request.one("token") or ""
                if not world.tokens.revoke(token):
                    raise TokenRefusal("invalid_token", "Token expired or revoked")
                return _json(200, {}), ""
            case _:
                return _userinfo(world, request)
    except TokenRefusal as refusal:
        return _json(refusal.status, refusal.document), account_of(world, form)


def account_of(world: World, form: dict[str, str]) -> str:
    """The account a token request is about, as far as its form tells."""
    grant = world.tokens.grants.get(form.get("refresh_token", "") or form.get("token", ""))
    code = world.tokens.codes.get(form.get("code", ""))
    return grant.account if grant else code.account if code else ""


def form_account(world: World, request: Request) -> str:
    """As `account_of`, from the request."""
    form = {name: values[0] for name, values in parse_qs(request.body.decode("utf-8", "replace")).items()}
    return account_of(world, form)


def _token(world: World, request: Request, form: dict[str, str]) -> tuple[Response, str]:
    client, secret = form.get("client_id", ""), form.get("client_secret", "")
    kind, _, encoded = request.headers.get("authorization", "").partition(" ")
    if kind.lower() == "basic":
        client, _, secret = base64.b64decode(encoded).decode().partition(":")
        client, secret = unquote(client), unquote(secret)
    account = account_of(world, form)
    match form.get("grant_type"):
        case "refresh_token":
            answer = world.tokens.refresh(client, secret, form.get("refresh_token", ""))
        case "authorization_code":
            answer = world.tokens.exchange(client, secret, form)
        case _:
            raise TokenRefusal("unsupported_grant_type", "Invalid grant_type")
    return _json(200, answer), account


def _consent(world: World, query: dict[str, str]) -> Response:
    """The page where the person says yes or no; it goes straight on to the redirect address."""
    target = urlsplit(query.get("redirect_uri", ""))
    loopback = target.scheme == "http" and target.hostname in {"127.0.0.1", "localhost", "::1"}
    if query.get("client_id") not in world.tokens.clients:
        return _page(401, "Error 401: invalid_client", "The OAuth client was not found.")
    if query.get("response_type") != "code" or not query.get("scope"):
        return _page(400, "Error 400: invalid_request", "Missing required parameter: scope or response_type")
    if not (loopback or (target.scheme == "https" and "." in (target.hostname or ""))):
        return _page(
            400,
            "Error 400: redirect_uri_mismatch",
            "You can't sign in because this app sent an invalid request.",
        )
    if world.tokens.consent.not_a_test_user:
        text = "Access blocked: Calbot has not completed the Google verification process."
        return _page(403, "Error 403: access_denied", text)
    result = world.tokens.authorize(query)
    glue = "&" if target.query else "?"
    location = query["redirect_uri"] + glue + urlencode(result)
    return Response(302, {"Location": location, "Content-Type": "text/html; charset=utf-8"})


def _userinfo(world: World, request: Request) -> tuple[Response, str]:
    token = request.headers.get("authorization", "").partition(" ")[2]
    access = world.tokens.access.get(token)
    email_scopes = {"email", PREFIX + "userinfo.email"}
    if access is None or access.expires <= world.now() or not access.scopes & email_scopes:
        return _json(401, {"error": "invalid_request", "error_description": "Invalid Credentials"}), ""
    document: Doc = {
        "sub": str(10_000 + world.number_of(f"account:{access.account}")),
        "email": access.account,
        "email_verified": True,
    }
    return _json(200, document), access.account


def _json(status: int, document: Doc) -> Response:
    headers = {"Content-Type": "application/json; charset=utf-8", "Cache-Control": "no-cache, no-store"}
    return Response(status, headers, pretty(document).encode())


def _page(status: int, title: str, text: str) -> Response:
    body = f"<!doctype html><title>{escape(title)}</title><h1>{escape(title)}</h1><p>{escape(text)}</p>"
    return Response(status, {"Content-Type": "text/html; charset=utf-8"}, body.encode())


def document_in(response: Response) -> Doc:
    """The JSON object in an answer, empty when there is none."""
    try:
        found = json.loads(response.body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
