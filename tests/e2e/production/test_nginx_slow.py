"""Clients that are slow on purpose: the others do not notice, and they are thrown out."""

import contextlib
import resource
import select
import ssl
import time
from collections.abc import Iterator

import pytest

from tests.e2e.support.production import Production
from tests.support.waiting import eventually

pytestmark = pytest.mark.serial

_MANY = 1200
_SPARE_FILES = 200


def _closed(connections: list[ssl.SSLSocket], seconds: float) -> int:
    """How many of `connections` Nginx has closed within `seconds`; each sends on, slowly."""
    waiting = {connection.fileno(): connection for connection in connections}
    poll = select.poll()
    for number in waiting:
        poll.register(number, select.POLLIN | select.POLLHUP | select.POLLERR)

    def all_closed() -> bool:
        for number, _ in poll.poll(1000):
            if _is_closed(waiting[number]):
                poll.unregister(number)
                del waiting[number]
        for connection in waiting.values():
            with contextlib.suppress(OSError):
                connection.send(b"a")
        return not waiting

    eventually(all_closed, seconds, exactly=True)
    return len(connections) - len(waiting)


def _is_closed(connection: ssl.SSLSocket) -> bool:
    try:
        return connection.recv(4096) == b""
    except (ssl.SSLWantReadError, TimeoutError):
        return False
    except OSError:
        return True


def _open(production: Production, count: int, beginning: str) -> list[ssl.SSLSocket]:
    connections = []
    for _ in range(count):
        connection = production.tls()
        connection.sendall(beginning.encode())
        connection.setblocking(False)
        connections.append(connection)
    return connections


@pytest.fixture(scope="module")
def uploads(production: Production) -> Iterator[list[ssl.SSLSocket]]:
    """Uploads of which nothing but the announcement comes."""
    production.forget_limits()
    line = "POST /web/webclient/version_info HTTP/1.1"
    head = f"{line}\r\nHost: {production.host}\r\nContent-Length: 1000\r\n\r\n"
    opened = _open(production, 15, head)
    yield opened
    for connection in opened:
        connection.close()


def test_a_thousand_slow_clients_stop_nobody_and_are_thrown_out(
    production: Production, uploads: list[ssl.SSLSocket]
) -> None:
    files, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, max(files, _MANY + _SPARE_FILES)), most))
    count = min(_MANY, most - _SPARE_FILES)
    head = f"GET /web/login HTTP/1.1\r\nHost: {production.host}\r\nX-Slow: "
    slow = _open(production, count, head)
    try:
        started = time.monotonic()
        assert [production.ask("/web/login").status for _ in range(5)] == [200] * 5
        assert time.monotonic() - started < 5
        # Each of them sends a byte a second all the while.
        assert _closed(slow, 25) == count
    finally:
        for connection in slow:
            connection.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, most))


def test_slow_uploads_are_thrown_out(production: Production, uploads: list[ssl.SSLSocket]) -> None:
    left = list(uploads)

    def gone() -> bool:
        left[:] = [connection for connection in left if not _is_closed(connection)]
        return not left

    assert eventually(gone, 45, exactly=True)
    assert production.ask("/web/login").status == 200
