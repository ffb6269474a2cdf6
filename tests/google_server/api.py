"""One request in, one answer out: all calls with their faults, quotas and log, without sockets."""

from urllib.parse import parse_qs

from tests.google_server import calls, errors, gmail, oauth
from tests.google_server.calls import Answer, Incoming
from tests.google_server.errors import Refusal
from tests.google_server.faults import AFTER, Fault
from tests.google_server.render import pretty
from tests.google_server.routes import GMAIL_SEND, route
from tests.google_server.state import Call
from tests.google_server.tokens import PREFIX, Access, TokenRefusal
from tests.google_server.values import ConnectionLost, Doc, Request, Response
from tests.google_server.world import World

CALENDAR = "/calendar/v3/"
GMAIL = "/gmail/v1/users/"
HANG = 3_600.0
NOT_JSON = b"<html><head><title>Error</title></head><body>Sorry, something went wrong.</body></html>"
HEADERS = {
    "Content-Type": "application/json; charset=UTF-8",
    "Vary": "Origin, X-Origin, Referer",
    "Cache-Control": "private, max-age=0, must-revalidate, no-transform",
    "X-Content-Type-Options": "nosniff",
}


def handle(world: World, request: Request) -> Response:
    """The answer to one call, as data: `delay` is to be waited for, `world.outgoing_pushes` to be delivered.

    Raises ConnectionLost when a fault wants the connection to die.
    """
    if "x-http-method-override" in request.headers:
        query = parse_qs(request.body.decode(), keep_blank_values=True)
        request = Request(request.headers["x-http-method-override"], request.path, query, request.headers)
    call = Call(len(world.calls) + 1, world.now(), request.method, request.path, "unknown", query=request.query)
    world.calls.append(call)
    call.if_match = request.headers.get("if-match", "")
    operation = oauth.PATHS.get((request.method, request.path))
    response = _sign_in(world, call, operation, request) if operation else _service(world, call, request)
    call.status = response.status
    switches = world.switches
    response.delay += switches.operation_latency.get(call.operation, switches.latency)
    return response


def _sign_in(world: World, call: Call, operation: str, request: Request) -> Response:
    call.operation = operation
    call.account = oauth.form_account(world, request) if request.body else ""
    fault = world.faults.take(operation, call.account, "", "")
    if fault is None:
        response, account = oauth.respond(world, operation, request)
        call.account = account or call.account
    elif fault.kind == "invalidGrant":
        call.fault = fault.kind
        refusal = TokenRefusal("invalid_grant", "Token has been expired or revoked.")
        response = Response(400, dict(HEADERS), pretty(refusal.document).encode())
    else:
        call.fault = fault.kind
        planned = fault.refusal()
        if planned is not None and fault.kind not in AFTER:
            document: Doc = {"error": "internal_failure", "error_description": planned.message}
            headers = {**HEADERS, **planned.headers}
            response = Response(planned.status, headers, pretty(document).encode())
        else:
            if fault.kind == "closeBefore":
                raise ConnectionLost(applied=False)
            response, _ = oauth.respond(world, operation, request)
            _spoil(world, call, fault, response, "")
    call.reason = str(oauth.document_in(response).get("error", "")) if response.status >= 400 else ""
    return response


def _service(world: World, call: Call, request: Request) -> Response:
    fault, answer, method, path = None, Answer(), request.method, request.path
    try:
        found = route(method, path[len(CALENDAR) :]) if path.startswith(CALENDAR) else None
        mail = method == "POST" and path.startswith(GMAIL) and path.endswith("/messages/send")
        if found is not None:
            call.operation, call.calendar, call.event = found.operation, found.calendar, found.event
        elif mail:
            call.operation = "gmail.send"
        _note_caller(world, call, request)
        fault = world.faults.take(call.operation, call.account, call.calendar, call.event)
        if fault is not None:
            _before(call, fault)
        if found is None and not mail:
            raise errors.not_found()
        scopes = found.scopes if found is not None else GMAIL_SEND
        access = world.tokens.caller(request.headers.get("authorization", ""), scopes)
        world.check_quota(world.account(access.account))
        owned = world.calendars.get(call.calendar)
        if owned and owned.owner != access.account and _owned_only(access, scopes):
            raise errors.insufficient_scope()
        if found is None:
            answer = gmail.send(world, access.account, request)
        else:
            answer = found.run(Incoming(world, request, access, found.calendar, found.event))
            call.event = answer.created or call.event
        status, headers, body = _told(request, answer)
        call.applied = method != "GET"
    except Refusal as refusal:
        call.reason, status = refusal.reason, refusal.status
        headers = {**HEADERS, **refusal.headers}
        body = pretty(refusal.document()).encode() + b"\n"
    response = Response(status, headers, body, pushes_first=answer.pushes_first)
    if fault is not None:
        _spoil(world, call, fault, response, answer.created)
    return response


def _owned_only(access: Access, scopes: frozenset[str]) -> bool:
    """Whether what lets the caller in is good for their own calendars only."""
    held = {scope.removeprefix(PREFIX) for scope in access.scopes} & scopes
    return bool(held) and held <= {"calendar.events.owned", "calendar.events.owned.readonly"}


def _note_caller(world: World, call: Call, request: Request) -> None:
    access: Access | None = world.tokens.access.get(request.headers.get("authorization", "").partition(" ")[2])
    if access:
        call.account = access.account
        world.count_call(world.account(access.account))
    if call.calendar == "primary":
        call.calendar = call.account
    if request.body:
        try:
            call.body = calls.body_of(request)
        except Refusal:
            return
        if call.operation == "events.insert":
            call.event = str(call.body.get("id") or "")


def _told(request: Request, answer: Answer) -> tuple[int, dict[str, str], bytes]:
    if answer.text is None:
        return 204, {"Vary": HEADERS["Vary"], "Cache-Control": "no-cache, no-store"}, b""
    headers = {**HEADERS, "ETag": answer.etag} if answer.etag else dict(HEADERS)
    if request.method == "GET" and answer.etag and request.headers.get("if-none-match") == answer.etag:
        return 304, headers, b""
    return 200, headers, answer.text.encode()


def _before(call: Call, fault: Fault) -> None:
    call.fault = fault.kind
    if fault.kind == "closeBefore":
        raise ConnectionLost(applied=False)
    refusal = fault.refusal()
    if refusal is not None and fault.kind not in AFTER:
        raise refusal


def _spoil(world: World, call: Call, fault: Fault, response: Response, created: str) -> None:
    """What a fault does to an answer after the work was done."""
    call.fault = fault.kind
    match fault.kind:
        case "closeAfter":
            raise ConnectionLost(applied=call.applied)
        case "errorAfter":
            refusal = errors.backend_error(503)
            response.status, response.headers = 503, dict(HEADERS)
            response.body = pretty(refusal.document()).encode()
        case "truncated":
            response.headers["Content-Length"] = str(len(response.body))
            response.body, response.truncated = response.body[: len(response.body) // 2], True
        case "notJson":
            response.headers["Content-Type"] = "text/html; charset=UTF-8"
            response.body = NOT_JSON
        case "slow":
            response.delay += fault.seconds
        case "hang":
            response.delay += fault.seconds or HANG
        case "drip":
            response.drip = fault.seconds or 1.0
        case "notFoundAfterInsert" if created:
            times = max(1, int(fault.seconds))
            world.faults.add(Fault(kind="notFound", operation="events.[gpu]*", event=created, count=times))
        case _:
            pass
