"""Opens a websocket as a page of the platform does, and closes it at once."""

import base64
import hashlib
import re
import secrets
import socket
import ssl
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from scripts.core.errors import OpsError
from scripts.core.settings import Settings
from scripts.stack import ingress

_PATH: Final = "/websocket"
_GUID: Final = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3
_STATUS: Final = re.compile(r"HTTP/1\.[01] (\d{3}) ")
_COOKIE: Final = re.compile(r"^set-cookie: session_id=([\w-]+)", re.IGNORECASE | re.MULTILINE)
_MOST: Final = 16_384  # bytes of the headers of an answer
# A frame of the kind `close`, masked as those of browsers are, with the code for a normal end.
_CLOSE: Final = bytes([0x88, 0x82, 0, 0, 0, 0]) + (1000).to_bytes(2)
_SWITCHED: Final = 101


@dataclass(frozen=True)
class Answer:
    """Of a handshake: its status, 101 for a websocket, and the session that Odoo began for it."""

    status: int
    session: str


def handshake(settings: Settings, session: str = "", *, timeout: float) -> Answer:
    """Open a websocket in `session`, if there is one; raises OpsError where no answer comes."""
    key = base64.b64encode(secrets.token_bytes(16)).decode()
    try:
        with _connection(settings, timeout) as connection:
            connection.sendall(_request(settings, key, session))
            head = _head(connection)
            found = _STATUS.match(head)
            if not found:
                raise OpsError(f"{_PATH} answers with something else than HTTP")
            status = int(found[1])
            if status == _SWITCHED:
                connection.sendall(_CLOSE)
                _require_accepted(head, key)
            cookie = _COOKIE.search(head)
            return Answer(status, cookie[1] if cookie else session)
    except TimeoutError as error:
        raise OpsError(f"{_PATH} gives no answer within {timeout:.0f} s") from error
    except OSError as error:
        raise OpsError(f"{_PATH} gives no answer: {error}") from error


def _connection(settings: Settings, timeout: float) -> socket.socket:
    if not settings.tls:
        url = urlsplit(settings.url)
        return socket.create_connection((url.hostname, settings.http_port), timeout)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # another line of the report compares it
    plain = socket.create_connection(ingress.address(settings), timeout)
    return context.wrap_socket(plain, server_hostname=settings.domains[0])


def _request(settings: Settings, key: str, session: str) -> bytes:
    lines = [
        f"GET {_PATH} HTTP/1.1",
        f"Host: {urlsplit(settings.url).netloc}",
        f"Origin: {settings.url}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {key}",
        *([f"Cookie: session_id={session}"] if session else []),
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def _head(connection: socket.socket) -> str:
    data = b""
    while b"\r\n\r\n" not in data and len(data) < _MOST:
        part = connection.recv(4096)
        if not part:
            break
        data += part
    return data.decode("latin-1")


def _require_accepted(head: str, key: str) -> None:
    digest = hashlib.sha1(f"{key}{_GUID}".encode(), usedforsecurity=False).digest()
    if base64.b64encode(digest).decode() not in head:
        raise OpsError(f"{_PATH} answers, but not to this request")
