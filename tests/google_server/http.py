"""The fake over real HTTP/1.1: keep-alive, gzip, latency, broken connections, and the control port."""

from __future__ import annotations

import contextlib
import socket
import threading
import traceback
import zlib
from collections.abc import Iterable
from functools import lru_cache
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

from tests.google_server.api import handle
from tests.google_server.control import Control, ControlError
from tests.google_server.delivery import Delivery
from tests.google_server.discovery import problems
from tests.google_server.oauth import AUTH_PATH
from tests.google_server.render import compact
from tests.google_server.tokens import CALENDAR_SCOPES
from tests.google_server.values import Clock, ConnectionLost, Doc, Request, Response
from tests.google_server.world import World

HOST = "127.0.0.1"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    allow_reuse_address = True

    def __init__(self, port: int, handler: type[BaseHTTPRequestHandler]) -> None:
        self.sockets: set[socket.socket] = set()
        super().__init__((HOST, port), handler)

    def process_request(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        if isinstance(request, socket.socket):
            self.sockets.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        if isinstance(request, socket.socket):
            self.sockets.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no news."""

    def serve(self) -> None:
        """Accept until the listening socket is shut; unlike serve_forever, without waking up now and then."""
        while True:
            try:
                connection, address = self.get_request()
            except OSError:
                return
            self.process_request(connection, address)

    def close_all(self) -> None:
        """Stop serving and close the connections that are still open."""
        for one in [self.socket, *self.sockets]:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    google: GoogleServer
    raw_requestline: bytes

    def parse_request(self) -> bool:
        """As the library does, without its e-mail parser, which takes longer than the rest of a call."""
        words = self.raw_requestline.decode("latin-1").split()
        if len(words) != 3:
            return False
        self.command, self.path, self.request_version = words
        self.asked: dict[str, str] = {}
        while (line := self.rfile.readline(65_537)) not in {b"\r\n", b"\n", b""}:
            name, _, value = line.decode("latin-1").partition(":")
            self.asked[name.strip().lower()] = value.strip()
        self.close_connection = self.asked.get("connection", "").lower() == "close"
        return True

    def _body(self) -> bytes:
        return self.rfile.read(int(self.asked.get("content-length") or 0))

    def _send(self, response: Response) -> None:
        headers = response.headers
        if "Content-Length" not in headers and response.status not in {204, 304}:
            headers["Content-Length"] = str(len(response.body))
        lines = [
            f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}",
            f"Date: {self._date()}",
        ]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if response.truncated:
            self.close_connection = True
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
        whole = head if self.command == "HEAD" else head + response.body
        if response.drip > 0:
            for place in range(len(whole)):
                self.connection.sendall(whole[place : place + 1])
                if self.google.stopping.wait(response.drip):
                    return
            return
        self.wfile.write(whole)
        self.wfile.flush()

    def _date(self) -> str:
        return self.date_time_string(self.google.world.now())

    def log_message(self, *_: object) -> None:
        """The world keeps its own log."""


class _GoogleHandler(_Handler):
    def _answer(self) -> None:
        google = self.google
        headers = self.asked
        request = Request.to(self.command, self.path, headers, self._body())
        try:
            with google.lock:
                response = handle(google.world, request)
        except ConnectionLost:
            self._die()
            return
        except Exception:  # noqa: BLE001 (a mistake of ours is to be seen by the test, not to hide in a thread)
            google.world.surprises.append(traceback.format_exc())
            self._send(_json(500, {"error": {"code": 500, "message": "The fake failed; see world.surprises."}}))
            return
        if response.pushes_first:
            google.delivery.settle()
        if response.delay > 0 and google.stopping.wait(response.delay):
            self._die()
            return
        if _wants_gzip(headers) and response.body and not response.truncated:
            response.body = _gzipped(response.body)
            response.headers["Content-Encoding"] = "gzip"
            response.headers["Vary"] = response.headers.get("Vary", "") + ", Accept-Encoding"
        self._send(response)

    def _die(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _answer  # noqa: N815


class _ControlHandler(_Handler):
    def do_GET(self) -> None:
        if self.path == "/operations":
            self._send(_json(200, {"operations": self.google.control.operations()}))
        else:
            self.do_POST()

    def do_POST(self) -> None:
        body = self._body()
        try:
            result = self.google.control.perform_json(self.path.strip("/"), body)
            self._send(_json(200, {"result": result}))
        except ControlError as error:
            self._send(_json(error.status, {"error": str(error)}))
        except Exception:  # noqa: BLE001 (as above)
            self._send(_json(500, {"error": traceback.format_exc()}))


class GoogleServer:
    """A fake Google on two loopback ports (0: any free one): `with GoogleServer(clock, accounts) as google:`.

    `validate` checks every good answer against the client's discovery document; see `world.schema_problems`.
    """

    def __init__(
        self,
        clock: Clock,
        accounts: Iterable[str] = ("anna@example.com",),
        *,
        port: int = 0,
        control_port: int = 0,
        validate: bool = True,
        allow_http_push: bool = True,
    ) -> None:
        self.world = World(clock, accounts)
        self.world.switches.allow_http_push = allow_http_push
        self.world.checker = problems if validate else None
        self.lock = threading.RLock()
        self.stopping = threading.Event()
        self.delivery = Delivery(self.world, self.lock)
        self.world.on_push = self.delivery.notice
        self.control = Control(self.world, self.lock, self.delivery.settle, self.document)
        self._ports = (port, control_port)
        self._servers: list[_Server] = []

    def start(self) -> Self:
        """Open both ports and serve in the background."""
        self.stopping.clear()
        for port, base in zip(self._ports, (_GoogleHandler, _ControlHandler), strict=True):
            server = _Server(port, type(base.__name__, (base,), {"google": self}))
            self._servers.append(server)
            threading.Thread(target=server.serve, name="google-http", daemon=True).start()
        self.delivery.start()
        return self

    def stop(self) -> None:
        """Close both ports and every connection."""
        self.stopping.set()
        for server in self._servers:
            server.close_all()
        self._servers.clear()
        self.delivery.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _address(self, server: int) -> str:
        return f"http://{HOST}:{self._servers[server].server_address[1]}"

    @property
    def calendar_api(self) -> str:
        return self._address(0) + "/calendar/v3/"

    @property
    def gmail_api(self) -> str:
        return self._address(0) + "/"

    @property
    def auth_uri(self) -> str:
        return self._address(0) + AUTH_PATH

    @property
    def token_uri(self) -> str:
        return self._address(0) + "/token"

    @property
    def revoke_uri(self) -> str:
        return self._address(0) + "/revoke"

    @property
    def userinfo_uri(self) -> str:
        return self._address(0) + "/oauth2/v3/userinfo"

    @property
    def control_url(self) -> str:
        return self._address(1) + "/"

    def addresses(self, scopes: tuple[str, ...] = CALENDAR_SCOPES) -> Doc:
        """Everything another process needs: the addresses, and an authorised-user document per account."""
        return {
            "calendar_api": self.calendar_api,
            "gmail_api": self.gmail_api,
            "auth_uri": self.auth_uri,
            "token_uri": self.token_uri,
            "revoke_uri": self.revoke_uri,
            "userinfo_uri": self.userinfo_uri,
            "control_url": self.control_url,
            "client": {
                "id": next(iter(self.world.tokens.clients)),
                "secret": next(iter(self.world.tokens.clients.values())),
            },
            "accounts": {account: self.token_document(account, scopes) for account in self.world.accounts},
        }

    def token_document(self, account: str, scopes: tuple[str, ...] = CALENDAR_SCOPES) -> Doc:
        """An authorised-user document (`tokens/<email>.json`) from a fresh consent of the account."""
        with self.lock:
            return self.document(account, scopes)

    def document(self, account: str, scopes: tuple[str, ...] = CALENDAR_SCOPES) -> Doc:
        """As `token_document`, for callers that hold the lock."""
        grant = self.world.tokens.grant(account, scopes)
        return {
            "type": "authorized_user",
            "client_id": grant.client,
            "client_secret": self.world.tokens.clients[grant.client],
            "refresh_token": grant.refresh_token,
            "token_uri": self.token_uri,
            "scopes": list(grant.scopes),
        }


def _json(status: int, document: Doc) -> Response:
    return Response(status, {"Content-Type": "application/json"}, compact(document).encode())


def _wants_gzip(headers: dict[str, str]) -> bool:
    return "gzip" in headers.get("accept-encoding", "") and "gzip" in headers.get("user-agent", "")


@lru_cache(maxsize=64)
def _gzipped(body: bytes) -> bytes:
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    return packer.compress(body) + packer.flush()
