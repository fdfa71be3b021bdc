"""Connections that never wait for DNS: a name that was found once is remembered.

Where a container is stopped, its name is asked for outside, and a resolver that does not
answer would hold every request for ten seconds. Timeouts of sockets do not cover that.
"""

import contextlib
import os
import socket
import threading

import redis

_known: dict[str, list[str]] = {}
_asking: set[str] = set()
os.register_at_fork(after_in_child=_asking.clear)  # the thread that asks stays behind


def _find(host: str) -> list[str]:
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    _known[host] = list(dict.fromkeys(str(address[4][0]) for address in found))
    return _known[host]


def _find_aside(host: str) -> None:
    """Look again, while nobody waits: a container started anew may have another address."""

    def ask() -> None:
        try:
            _find(host)
        except OSError:
            return  # the old address stays the best guess
        finally:
            _asking.discard(host)

    if host not in _asking:
        _asking.add(host)
        threading.Thread(target=ask, daemon=True).start()


class Remembering(redis.Connection):
    """Connects to an address that its host had when it was last found."""

    def _connect(self) -> socket.socket:
        connected = self._reach(_known.get(self.host) or _find(self.host))
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connected.settimeout(self.socket_timeout)
        return connected

    def _reach(self, addresses: list[str]) -> socket.socket:
        """The first that takes us: localhost is ::1 too, where Redis need not listen."""
        each = self.socket_connect_timeout / len(addresses)
        for address in addresses[:-1]:
            with contextlib.suppress(OSError):
                return socket.create_connection((address, self.port), timeout=each)
        try:
            return socket.create_connection((addresses[-1], self.port), timeout=each)
        except OSError:
            _find_aside(self.host)
            raise


class RememberingTLS(redis.SSLConnection, Remembering):
    """The same, and then TLS for the name of the host."""


KINDS = (Remembering, RememberingTLS)
