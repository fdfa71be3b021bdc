"""Connections that never wait long for DNS: a name that was found once is remembered.

Where a container is stopped, its name is asked for outside, and a resolver that does not
answer would hold every request for ten seconds. Timeouts of sockets do not cover that. So
names are looked up aside, in a thread, and only after the remembered address failed: a
container that was recreated may have another one.
"""

import contextlib
import os
import socket
import threading

import redis

_LOOKUP_SECONDS = 0.5  # Docker's DNS answers in milliseconds where the container runs

_known: dict[str, list[str]] = {}
_asking: dict[str, threading.Thread] = {}
os.register_at_fork(after_in_child=_asking.clear)  # the thread that asks stays behind


def _find(host: str) -> list[str]:
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    _known[host] = list(dict.fromkeys(str(address[4][0]) for address in found))
    return _known[host]


def _find_aside(host: str) -> list[str]:
    """The addresses that `host` has now, or the known ones where DNS takes too long."""

    def ask() -> None:
        with contextlib.suppress(OSError):  # the known address stays the best guess
            _find(host)

    thread = _asking.get(host)
    if not (thread and thread.is_alive()):
        thread = threading.Thread(target=ask, daemon=True)
        thread.start()
        _asking[host] = thread
    thread.join(_LOOKUP_SECONDS)
    return _known[host]


class Remembering(redis.Connection):
    """Connects to an address that its host had when it was last found."""

    def _connect(self) -> socket.socket:
        connected = self._reach_host(_known.get(self.host) or _find(self.host))
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connected.settimeout(self.socket_timeout)
        return connected

    def _reach_host(self, known: list[str]) -> socket.socket:
        """By the `known` addresses, or else at once by those that it has got since."""
        try:
            return self._reach(known)
        except OSError:
            found = _find_aside(self.host)
            if found == known:
                raise
            return self._reach(found)

    def _reach(self, addresses: list[str]) -> socket.socket:
        """The first that takes us: localhost is ::1 too, where Redis need not listen."""
        each = self.socket_connect_timeout / len(addresses)
        for address in addresses[:-1]:
            with contextlib.suppress(OSError):
                return socket.create_connection((address, self.port), timeout=each)
        return socket.create_connection((addresses[-1], self.port), timeout=each)


class RememberingTLS(redis.SSLConnection, Remembering):
    """The same, and then TLS for the name of the host."""


KINDS = (Remembering, RememberingTLS)
