"""Connections that never wait for DNS: a name that was found once is remembered.

Where a container is stopped, its name is asked for outside, and a resolver that does not
answer would hold every request for ten seconds. Timeouts of sockets do not cover that.
"""

import socket
import threading

import redis

_known: dict[str, str] = {}
_asking: set[str] = set()


def _find(host: str) -> str:
    _known[host] = str(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][4][0])
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
    """Connects to the address that its host had when it was last found."""

    def _connect(self) -> socket.socket:
        address = _known.get(self.host) or _find(self.host)
        try:
            connected = socket.create_connection(
                (address, self.port), timeout=self.socket_connect_timeout
            )
        except OSError:
            _find_aside(self.host)
            raise
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connected.settimeout(self.socket_timeout)
        return connected


class RememberingTLS(redis.SSLConnection, Remembering):
    """The same, and then TLS for the name of the host."""


KINDS = (Remembering, RememberingTLS)
