"""A monitor that takes heartbeats as Uptime Kuma does at `/api/push/<token>`, over real HTTP, also with TLS."""

import contextlib
import datetime as dt
import ipaddress
import json
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

TOKEN = "hJx92mQpLw47"
NAME = "kuma.example.org"


@dataclass
class Kuma:
    """What it heard. `mood` is how it answers: well, `gone`, `elsewhere`, `drips`, `floods` or `mute`."""

    port: int = 0
    mood: str = ""
    heard: list[dict[str, str]] = field(default_factory=list)
    hosts: list[str] = field(default_factory=list)
    strays: list[str] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def url(self, host: str = "127.0.0.1", scheme: str = "http") -> str:
        """The push address, as it is copied from the monitor's page."""
        return f"{scheme}://{host}:{self.port}/api/push/{TOKEN}?status=up&msg=OK&ping="

    def statuses(self) -> list[str]:
        """Every status so far, in order."""
        return [one["status"] for one in self.heard]


def _handler(kuma: Kuma) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            if kuma.mood == "mute":
                kuma.ended.wait(30)
                return
            if kuma.mood == "elsewhere":
                self.send_response(302)
                self.send_header("Location", f"http://127.0.0.1:{kuma.port}/stray")
                self.end_headers()
                return
            good = parts.path == f"/api/push/{TOKEN}" and kuma.mood != "gone"
            if good:
                kuma.heard.append(dict(parse_qsl(parts.query, keep_blank_values=True)))
                kuma.hosts.append(self.headers["Host"])
            else:
                kuma.strays.append(self.path)
            body = {"ok": True} if good else {"ok": False, "msg": "Monitor not found or not active."}
            self._answer(200 if good else 404, json.dumps(body).encode())

        def _answer(self, status: int, body: bytes) -> None:
            body = body * 10_000_000 if kuma.mood == "floods" else body
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            if kuma.mood == "drips":
                self.flush_headers()
                for number in range(10_000):
                    self.wfile.write(f"X-{number}: drip\r\n".encode())
                    if kuma.ended.wait(0.2):
                        return
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """It keeps what it heard."""

    return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no news."""


@contextlib.contextmanager
def monitor(certificate: Path | None = None) -> Iterator[Kuma]:
    """A monitor on a free loopback port; with a certificate (and its key, in one file) over TLS."""
    kuma = Kuma()
    server = _Server(("127.0.0.1", 0), _handler(kuma))
    kuma.port = int(server.server_address[1])
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield kuma
    finally:
        kuma.ended.set()
        server.shutdown()
        server.server_close()


def certificate(folder: Path, name: str = NAME) -> Path:
    """A certificate for a name that vouches for itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    names: list[x509.GeneralName] = [x509.DNSName(name)]
    with contextlib.suppress(ValueError):
        names = [x509.IPAddress(ipaddress.ip_address(name))]
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    target = folder / f"{name}.pem"
    target.write_bytes(private + made.public_bytes(pem))
    return target
