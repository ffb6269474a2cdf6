"""Brokers that misbehave: one that says nothing, and a door before a good one that refuses, notes and freezes."""

import contextlib
import re
import socket
import threading

UNSUPPORTED_VERSION = b"\x20\x03\x00\x84\x00"
TAKEN_OVER = b"\xe0\x02\x8e\x00"
PUBACK_UNHEARD = re.compile(rb"(\x40\x03..)\x10", re.DOTALL)
WILL_DELAY_20 = b"\x18\x00\x00\x00\x14"
WILL_DELAY_1 = b"\x18\x00\x00\x00\x01"


class SilentServer:
    """Takes connections and says nothing."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]

    def close(self) -> None:
        self._server.close()


class Door:
    """Passes bytes between clients and a broker. `heard` has what each client sent.

    Clients that speak MQTT 5 are answered with `refusal` if one is set: bytes, or nothing but a hang-up.
    A door that `keeps_silent` leaves them waiting. A `hurried` one makes wills wait one second where they would
    wait twenty. One that `denies` says "not authorised" where the broker says that nobody listens.
    """

    def __init__(
        self,
        broker_port: int,
        *,
        refusal: bytes | None = None,
        keeps_silent: bool = False,
        hurried: bool = False,
        denies: bool = False,
    ) -> None:
        self.heard: list[bytearray] = []
        self.frozen = threading.Event()
        self._refusal = refusal
        self._hurried = hurried
        self._keeps_silent = keeps_silent
        self._denies = denies
        self._broker_port = broker_port
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._sockets: list[socket.socket] = []
        self._closed = False
        threading.Thread(target=self._accept, daemon=True).start()

    def say(self, data: bytes) -> None:
        """Say this to the first client, as if the broker did."""
        self._sockets[0].sendall(data)

    def close(self) -> None:
        self._closed = True
        for sock in (self._server, *self._sockets):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._server.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _keep(self, sock: socket.socket) -> None:
        """Have the socket closed with the door, also if that is closed by now."""
        self._sockets.append(sock)
        if self._closed:
            sock.close()

    def _serve(self, client: socket.socket) -> None:
        heard = bytearray()
        self.heard.append(heard)
        self._keep(client)
        with contextlib.suppress(OSError):
            first = client.recv(65536)
            heard += first
            if self._keeps_silent and b"\x00\x04MQTT\x05" in first:
                return
            if self._refusal is not None and b"\x00\x04MQTT\x05" in first:
                client.sendall(self._refusal)
                client.close()
                return
            broker = socket.create_connection(("127.0.0.1", self._broker_port))
            self._keep(broker)
            for sock in (client, broker):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            broker.sendall(first.replace(WILL_DELAY_20, WILL_DELAY_1) if self._hurried else first)
            threading.Thread(target=self._pass, args=(broker, client, None), daemon=True).start()
            self._pass(client, broker, heard)

    def _pass(self, source: socket.socket, target: socket.socket, heard: bytearray | None) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if heard is not None:
                    heard += data
                if self._denies and heard is None:
                    data = PUBACK_UNHEARD.sub(lambda puback: puback[1] + b"\x87", data)
                if not self.frozen.is_set():
                    target.sendall(data)
        for sock in (source, target):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
