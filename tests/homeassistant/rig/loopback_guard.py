"""Loaded by Home Assistant's Python: its sockets stay on loopback.

TCP connections and datagrams elsewhere fail as unreachable, multicast joins do nothing, and binds to another address
are made to loopback. Name look-ups in C code find a resolv.conf that leads nowhere.
"""

import errno
import socket
from typing import Any

_S = socket.socket
_connect, _connect_ex, _sendto, _setsockopt, _bind = _S.connect, _S.connect_ex, _S.sendto, _S.setsockopt, _S.bind
_JOINS = {(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP), (socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP)}


def _is_far(sock: socket.socket, address: Any) -> bool:
    if sock.family not in {socket.AF_INET, socket.AF_INET6} or not isinstance(address, tuple):
        return False
    return not str(address[0]).startswith("127.") and address[0] not in {"::1", "localhost"}


def connect(self: socket.socket, address: Any) -> None:
    """Refuse what is far."""
    if self.type & socket.SOCK_STREAM and _is_far(self, address):
        raise OSError(errno.ENETUNREACH, "loopback only")
    _connect(self, address)


def connect_ex(self: socket.socket, address: Any) -> int:
    """Refuse what is far, by a number."""
    if self.type & socket.SOCK_STREAM and _is_far(self, address):
        return errno.ENETUNREACH
    return _connect_ex(self, address)


def sendto(self: socket.socket, data: Any, *rest: Any) -> int:
    """Refuse what is far."""
    if _is_far(self, rest[-1]):
        raise OSError(errno.ENETUNREACH, "loopback only")
    return _sendto(self, data, *rest)


def setsockopt(self: socket.socket, level: int, option: int, *rest: Any) -> None:
    """Join no group of others."""
    if (level, option) not in _JOINS:
        _setsockopt(self, level, option, *rest)


def bind(self: socket.socket, address: Any) -> None:
    """Listen on loopback whatever was asked for."""
    if _is_far(self, address):
        address = ("127.0.0.1" if self.family == socket.AF_INET else "::1", address[1])
    _bind(self, address)


for function in (connect, connect_ex, sendto, setsockopt, bind):
    setattr(_S, function.__name__, function)
