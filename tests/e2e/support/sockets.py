"""Reading from sockets that give what they have, not what was asked for."""

import socket


def read_exactly(connection: socket.socket, size: int) -> bytes:
    """The next `size` bytes; it is an error if the other side closes before them."""
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        assert part, f"closed after {len(data)} of {size} bytes"
        data += part
    return data
