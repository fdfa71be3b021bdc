"""Connections that never wait long for DNS: a name that was found once is remembered.

Where a container is stopped, its name is asked for outside, and a resolver that does not
answer would hold every request for ten seconds. Timeouts of sockets do not cover that. So
names are looked up aside, in a thread, and only after the remembered address failed: a
container that was recreated may have another one. So it is with a Redis that became a
replica: its name may lead to the new master by now, and Sentinels know that one's address.
"""

import contextlib
import os
import socket
import threading
from typing import Any

import redis
from redis.sentinel import SentinelManagedConnection

_LOOKUP_SECONDS = 0.5  # Docker's DNS answers in milliseconds where the container runs

_ISOLATED = "NOREPLICAS"  # of a master that has lost them: min-replicas-to-write

_known: dict[str, list[str]] = {}
_asking: dict[str, threading.Thread] = {}
os.register_at_fork(after_in_child=_asking.clear)  # the thread that asks stays behind


def _find(host: str) -> list[str]:
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    _known[host] = list(dict.fromkeys(str(address[4][0]) for address in found))
    return _known[host]


def _find_aside(host: str, seconds: float = _LOOKUP_SECONDS) -> list[str]:
    """The addresses that `host` has now, or the known ones where DNS takes too long.

    Raises OSError where there are none.
    """

    def ask() -> None:
        with contextlib.suppress(OSError):  # the known address stays the best guess
            _find(host)

    thread = _asking.get(host)
    if not (thread and thread.is_alive()):
        thread = threading.Thread(target=ask, daemon=True)
        thread.start()
        _asking[host] = thread
    thread.join(min(seconds, _LOOKUP_SECONDS))
    if host not in _known:
        raise OSError(f"the name {host} is not found")
    return _known[host]


class Remembering(redis.Connection):
    """Connects to an address that its host had when it was last found."""

    def _connect(self) -> socket.socket:
        connected = self._reach_host(_known.get(self.host) or self._first_look())
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connected.settimeout(self.socket_timeout)
        return connected

    def _first_look(self) -> list[str]:
        return _find(self.host)

    def read_response(self, *args: Any, **options: Any) -> Any:
        # redis-py 6 asks a master that Sentinels named for the contrary: an answer that nobody has
        # waited for would be taken for that of the next request, with another one's session.
        if "disconnect_on_error" in options:
            options["disconnect_on_error"] = True
        try:
            return super().read_response(*args, **options)
        except redis.ResponseError as error:
            if not isinstance(error, redis.ReadOnlyError) and _ISOLATED not in str(error):
                raise
            self.disconnect()  # the master is another one now
            with contextlib.suppress(OSError):
                _find_aside(self.host)
            raise redis.ConnectionError(f"{self.host} is no master now") from error

    def _reach_host(self, known: list[str]) -> socket.socket:
        """By the `known` addresses, or else at once by those that it has got since."""
        try:
            return self._reach(known)
        except OSError:
            found = _find_aside(self.host, self.socket_connect_timeout)
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


class _OneOfMany(Remembering):
    """Whose name may be seen for the first time in the middle of a request, as after a failover."""

    def _first_look(self) -> list[str]:
        return _find_aside(self.host, self.socket_connect_timeout)


class OneOfMany(_OneOfMany):
    """To a Sentinel."""


class OneOfManyTLS(RememberingTLS, _OneOfMany):
    """The same, and then TLS for the name of the host."""


class Managed(SentinelManagedConnection, _OneOfMany):
    """To the master that the Sentinels name when it is connected."""


class ManagedTLS(SentinelManagedConnection, RememberingTLS, _OneOfMany):
    """The same, and then TLS for the name or address that they give."""


# Of Redis itself, of Sentinels, and of the master that these name; without TLS and with.
KINDS = ((Remembering, RememberingTLS), (OneOfMany, OneOfManyTLS), (Managed, ManagedTLS))
