"""Somebody with a browser: logs in over HTTP, keeps the cookie, speaks JSON-RPC and websocket."""

import base64
import json
import os
import re
import socket
from dataclasses import dataclass, field
from typing import Any

import requests

from tests.e2e.support.checkout import Checkout
from tests.e2e.support.sockets import read_exactly

_SESSION_EXPIRED = 100  # Odoo's JSON-RPC error code


@dataclass
class BrowserSession:
    """One cookie jar on one installation."""

    platform: Checkout
    jar: requests.Session = field(default_factory=requests.Session)

    @classmethod
    def admin(cls, platform: Checkout) -> "BrowserSession":
        """Logged in as admin, by the form that people use."""
        visitor = cls(platform)
        answer = visitor.log_in()
        assert answer.status_code == 200, answer.text[:300]
        assert visitor.uid() == 2
        return visitor

    def log_in(self, login: str = "admin", password: str = "") -> requests.Response:
        """Fill in the login form; without a password, with the one of admin."""
        page = self.get("/web/login")
        token = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
        assert token, page.text[:300]
        password = password or self.platform.admin_password
        form = {"csrf_token": token[1], "login": login, "password": password}
        return self.jar.post(f"{self.platform.url}/web/login", data=form, timeout=30)

    @property
    def sid(self) -> str:
        """The session id in the cookie."""
        return self.jar.cookies["session_id"]

    def get(self, path: str, **options: Any) -> requests.Response:
        """A GET with the cookie."""
        return self.jar.get(self.platform.url + path, timeout=30, **options)

    def call(self, path: str, **params: Any) -> requests.Response:
        """A JSON-RPC call with the cookie."""
        body = {"jsonrpc": "2.0", "method": "call", "params": params}
        return self.jar.post(self.platform.url + path, json=body, timeout=30)

    def method(self, model: str, name: str, *arguments: Any) -> Any:
        """The result of a model's method."""
        params = {"model": model, "method": name, "args": arguments, "kwargs": {}}
        answer = self.call(f"/web/dataset/call_kw/{model}/{name}", **params).json()
        assert "error" not in answer, answer
        return answer.get("result")

    def uid(self) -> int | None:
        """Who Odoo says this is; None where the session is over."""
        answer = self.call("/web/session/get_session_info")
        assert answer.status_code == 200, answer.text[:300]
        body = answer.json()
        if "error" in body:
            assert body["error"]["code"] == _SESSION_EXPIRED, body
            return None
        uid: int | None = body["result"]["uid"]
        return uid


class Websocket:
    """Just enough of RFC 6455 to say something and to see why the server hangs up."""

    def __init__(self, visitor: BrowserSession) -> None:
        port = visitor.platform.http_port
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self._socket.sendall(
            (
                f"GET /websocket HTTP/1.1\r\nHost: localhost:{port}\r\nUpgrade: websocket\r\n"
                f"Connection: Upgrade\r\nOrigin: http://localhost:{port}\r\n"
                f"Sec-WebSocket-Version: 13\r\nCookie: session_id={visitor.sid}\r\n"
                f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\n\r\n"
            ).encode()
        )
        reply = b""
        while not reply.endswith(b"\r\n\r\n"):
            reply += read_exactly(self._socket, 1)
        assert b" 101 " in reply.splitlines()[0], reply

    def subscribe(self) -> None:
        """Ask for notifications, as the web client does."""
        payload = json.dumps({"event_name": "subscribe", "data": {"channels": [], "last": 0}})
        mask = os.urandom(4)
        masked = bytes(b ^ mask[i % 4] for i, b in enumerate(payload.encode()))
        assert len(masked) < 126
        self._socket.sendall(bytes([0x81, 0x80 | len(masked)]) + mask + masked)

    def close_code(self) -> int:
        """Wait until the server hangs up, and give back the code it sends."""
        while True:
            first, length = read_exactly(self._socket, 2)
            size = length & 0x7F
            if size == 126:
                size = int.from_bytes(read_exactly(self._socket, 2), "big")
            payload = read_exactly(self._socket, size)
            if first & 0x0F == 8:
                return int.from_bytes(payload[:2], "big")

    def close(self) -> None:
        """Let go of the connection."""
        self._socket.close()
