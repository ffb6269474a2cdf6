"""A relay that hands the fake Google's pushes on to Calbot's push door, and remembers when it did."""

import contextlib
import http.client
import http.server
import threading
import time
from collections.abc import Iterator


class Relay(http.server.ThreadingHTTPServer):
    """A push counts as received when it goes on to the push door, at `door`; `passed` are those moments."""

    daemon_threads = True

    def __init__(self) -> None:
        self.door = 0
        self.passed: list[float] = []
        super().__init__(("127.0.0.1", 0), _Push)

    @property
    def url(self) -> str:
        """What is `push_url` for Calbot."""
        return f"http://127.0.0.1:{self.server_address[1]}/push"


class _Push(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Relay)
        headers = {name: value for name, value in self.headers.items() if name.lower().startswith("x-goog")}
        connection = http.client.HTTPConnection("127.0.0.1", self.server.door, timeout=5)
        connection.connect()
        if headers.get("X-Goog-Resource-State") != "sync":
            self.server.passed.append(time.time())
        connection.request("POST", "/push", headers={**headers, "Content-Length": "0"})
        status = connection.getresponse().status
        connection.close()
        self.send_response(status)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as its base has it
        """The relay remembers what is needed."""


@contextlib.contextmanager
def pushes() -> Iterator[Relay]:
    """Relay until the block ends."""
    relay = Relay()
    threading.Thread(target=relay.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield relay
    finally:
        relay.shutdown()
        relay.server_close()
