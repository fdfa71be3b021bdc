"""Bytes on the wire: requests no client library would send, and many at one moment."""

import contextlib
import re
import select
import ssl
import time
from collections.abc import Mapping, Sequence

import h2.config
import h2.connection
import h2.events
import h2.exceptions

from tests.e2e.support.production import Production

_STATUS_LINE = re.compile(rb"^HTTP/1\.[01] (\d{3})", re.MULTILINE)


def exchange(production: Production, data: bytes, seconds: float = 8) -> bytes:
    """All that comes back for `data` until Nginx closes or is silent for `seconds`."""
    received = bytearray()
    with production.tls(timeout=seconds) as connection, contextlib.suppress(OSError):
        connection.sendall(data)
        while chunk := connection.recv(65536):
            received += chunk
    return bytes(received)


def statuses(received: bytes) -> list[int]:
    """The status of every answer in `received`, in their order."""
    return [int(status) for status in _STATUS_LINE.findall(received)]


def request(production: Production, line: str, *headers: str, body: bytes = b"") -> bytes:
    """A request as HTTP/1.1 text, with a Host and the wish to close."""
    lines = [f"{line} HTTP/1.1", f"Host: {production.host}", "Connection: close", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Streams:
    """One HTTP/2 connection and what comes back on its streams."""

    def __init__(self, production: Production) -> None:
        self._socket: ssl.SSLSocket = production.tls(alpn=("h2",))
        assert self._socket.selected_alpn_protocol() == "h2"
        self._authority = production.host
        # Unchecked, so that hostile requests can be made as well.
        config = h2.config.H2Configuration(
            client_side=True, validate_outbound_headers=False, normalize_outbound_headers=False
        )
        self._connection = h2.connection.H2Connection(config)
        self._connection.initiate_connection()
        self._connection.increment_flow_control_window(2**30)
        self.status: dict[int, int] = {}
        self.headers: dict[int, list[tuple[str, str]]] = {}
        self.bytes: dict[int, int] = {}
        self._ended: set[int] = set()

    def open(
        self,
        path: str,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        *,
        end: bool = True,
    ) -> int:
        """A new stream; its request leaves with the next `flush`."""
        stream = self._connection.get_next_available_stream_id()
        fields = {
            ":method": method,
            ":scheme": "https",
            ":authority": self._authority,
            ":path": path,
            **(headers or {}),
        }
        self._connection.send_headers(stream, list(fields.items()), end_stream=end)
        return stream

    def finish(self, stream: int, body: bytes) -> None:
        """The rest of a request that was opened with `end=False`."""
        with contextlib.suppress(h2.exceptions.StreamClosedError):
            self._connection.send_data(stream, body, end_stream=True)

    def send_body(self, stream: int, size: int, seconds: float = 60) -> None:
        """`size` bytes of a body that goes on, or fewer if an answer comes before them."""
        deadline = time.monotonic() + seconds
        while size and stream not in self.status:
            room = min(size, 16384, self._connection.local_flow_control_window(stream))
            if room:
                self._connection.send_data(stream, b"x" * room)
                self.flush()
                size -= room
            if not room or select.select([self._socket], [], [], 0)[0]:
                self._receive(deadline)

    def flush(self) -> None:
        """Send all that waits, at once."""
        self._socket.sendall(self._connection.data_to_send())

    def read(self, answered: int, seconds: float = 60, *, to_the_end: bool = True) -> None:
        """Read until `answered` streams have an answer, or a complete one."""
        deadline = time.monotonic() + seconds
        while len(self._ended if to_the_end else self.status) < answered:
            assert time.monotonic() < deadline, f"{len(self.status)} of {answered} answers"
            self._receive(deadline)

    def _receive(self, deadline: float) -> None:
        self._socket.settimeout(max(deadline - time.monotonic(), 0.1))
        data = self._socket.recv(65536)
        assert data, f"closed after {len(self.status)} answers"
        for event in self._connection.receive_data(data):
            self._take(event)
        self.flush()

    def _take(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.ResponseReceived):
            fields = [(_text(name), _text(value)) for name, value in event.headers]
            self.headers[event.stream_id] = fields
            self.status[event.stream_id] = int(dict(fields)[":status"])
        elif isinstance(event, h2.events.DataReceived):
            held = self.bytes.get(event.stream_id, 0)
            self.bytes[event.stream_id] = held + len(event.data)
            self._connection.acknowledge_received_data(
                event.flow_controlled_length, event.stream_id
            )
        elif isinstance(event, h2.events.StreamEnded | h2.events.StreamReset):
            self._ended.add(event.stream_id)

    def close(self) -> None:
        """Leave without a word."""
        self._socket.close()


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


def at_once(
    production: Production, path: str, count: int, method: str = "GET", **headers: str
) -> list[int]:
    """The statuses of `count` requests that leave in one write."""
    streams = Streams(production)
    try:
        for _ in range(count):
            streams.open(path, method, headers)
        streams.flush()
        streams.read(count)
        return list(streams.status.values())
    finally:
        streams.close()


def tally(found: Sequence[int]) -> dict[int, int]:
    """How often each status came."""
    return {status: found.count(status) for status in sorted(set(found))}
