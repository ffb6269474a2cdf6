"""Where alerts arrive: a web server, a mail server, and a proxy in SendGrid's place; all on loopback."""

import contextlib
import datetime as dt
import email
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True, slots=True)
class Received:
    """A request that came; `host` is whom it was meant for."""

    host: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class WebReceiver:
    """Keeps what is posted to it. `status` is what it answers; while `hangs` is set it answers nothing."""

    port: int = 0
    status: int = 200
    location: str = ""
    hangs: threading.Event = field(default_factory=threading.Event)
    got: list[Received] = field(default_factory=list)

    @property
    def host(self) -> str:
        """Where it is."""
        return f"127.0.0.1:{self.port}"


@contextlib.contextmanager
def web() -> Iterator[WebReceiver]:
    """A web server on loopback."""
    receiver = WebReceiver()

    class Handler(_Handler):
        kept = receiver

    with _serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as port:
        receiver.port = port
        yield receiver


class _Handler(BaseHTTPRequestHandler):
    kept: WebReceiver
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.kept.got.append(Received(headers.get("host", ""), self.path, headers, body))
        if self.kept.hangs.is_set():
            threading.Event().wait(20)
            self.close_connection = True
            return
        self.send_response(self.kept.status)
        if self.kept.location:
            self.send_header("Location", self.kept.location)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    do_GET = do_PUT = do_POST  # noqa: N815 - the library's names

    def log_message(self, *_: object) -> None:
        """Say nothing; tests look at what was kept."""


@contextlib.contextmanager
def _serving(server: ThreadingHTTPServer) -> Iterator[int]:
    server.daemon_threads, server.block_on_close = True, False
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()


@dataclass(slots=True)
class MailReceiver:
    """Keeps the mails that come; `refuses` is what it says to every one instead."""

    port: int = 0
    refuses: str = ""
    got: list[tuple[str, list[str], EmailMessage]] = field(default_factory=list)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        """Take a mail."""
        if self.refuses:
            return self.refuses
        message = email.message_from_bytes(envelope.content, policy=default)
        self.got.append((envelope.mail_from, list(envelope.rcpt_tos), message))
        return "250 OK"


@contextlib.contextmanager
def mail() -> Iterator[MailReceiver]:
    """A mail server on loopback."""
    receiver = MailReceiver()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        receiver.port = int(probe.getsockname()[1])
    controller = Controller(receiver, hostname="127.0.0.1", port=receiver.port)
    controller.start()
    try:
        yield receiver
    finally:
        controller.stop()


@dataclass(slots=True)
class Proxy:
    """A proxy that every `https` host is behind: it ends TLS with a certificate of its own, and keeps what came."""

    bundle: Path
    kept: WebReceiver = field(default_factory=WebReceiver)

    def environment(self) -> dict[str, str]:
        """What makes a process go through it, and trust it."""
        address = f"http://{self.kept.host}"
        return {"HTTPS_PROXY": address, "REQUESTS_CA_BUNDLE": str(self.bundle), "NO_PROXY": "127.0.0.1,localhost"}


@contextlib.contextmanager
def proxy(folder: Path, *hosts: str) -> Iterator[Proxy]:
    """A proxy on loopback for these hosts; it leads nowhere else."""
    bundle, pair = folder / "ca.pem", folder / "pair.pem"
    _certify(bundle, pair, hosts)
    found = Proxy(bundle)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair)

    class Handler(_Handler):
        kept = found.kept

        def do_CONNECT(self) -> None:
            """Become the host that was asked for."""
            if self.path.rpartition(":")[0] not in hosts:
                self.send_error(502)
                return
            self.send_response(200)
            self.end_headers()
            self.wfile.flush()
            self.close_connection = False
            secured = context.wrap_socket(self.connection, server_side=True)
            self.connection = self.request = secured
            self.rfile, self.wfile = secured.makefile("rb", -1), secured.makefile("wb", 0)  # type: ignore[assignment]

        def finish(self) -> None:
            """Close what became of the connection, too."""
            super().finish()
            self.connection.close()

    with _serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as port:
        found.kept.port = port
        yield found


def _certify(bundle: Path, pair: Path, hosts: tuple[str, ...]) -> None:
    """Make an authority, and a certificate of it for these hosts."""
    now = dt.datetime.now(dt.UTC)

    def certificate(
        name: str, key: ec.EllipticCurvePrivateKey, issuer: str, signer: ec.EllipticCurvePrivateKey
    ) -> x509.Certificate:
        names = [x509.DNSName(host) for host in hosts] + [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        usage = x509.BasicConstraints(ca=name == issuer, path_length=None)
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
            .sign(signer, hashes.SHA256())
        )

    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = certificate("test authority", authority_key, "test authority", authority_key)
    own = certificate(hosts[0], key, "test authority", authority_key)
    plain = serialization.NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    bundle.write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    pair.write_bytes(private + own.public_bytes(serialization.Encoding.PEM))
