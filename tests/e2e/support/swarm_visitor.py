"""Somebody who is logged in and asks all the time, whatever happens to the machines."""

import http.client
import json
import socket
import ssl
import threading
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Self

from tests.e2e.support.swarm_nodes import Machine

NAME: Final = "swarm.test"
_PAUSE: Final = 0.15  # seconds: fewer requests than the limit of one address
_ASK: Final = "/web/session/get_session_info"


@dataclass
class Visitor:
    """Between `with` and its end."""

    machine: Machine  # whose Nginx is asked
    password: str
    cookie: str = ""
    asked: int = 0
    failed: list[str] = field(default_factory=list)
    longest: float = 0.0
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def post(self, path: str, **params: Any) -> tuple[int, Any]:
        """Status and answer of a request by JSON-RPC; a cookie that comes is kept."""
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        connection = http.client.HTTPSConnection(NAME, timeout=60)
        plain = socket.create_connection((self.machine.address, 443), 10)
        connection.sock = context.wrap_socket(plain, server_hostname=NAME)
        body = json.dumps({"jsonrpc": "2.0", "method": "call", "params": params})
        headers = {"Content-Type": "application/json"}
        if self.cookie:
            headers["Cookie"] = self.cookie
        try:
            connection.request("POST", path, body, headers)
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        if answer.getheader("Set-Cookie", "") and not self.cookie:
            self.cookie = str(answer.getheader("Set-Cookie")).partition(";")[0]
        try:
            return answer.status, json.loads(text)
        except ValueError:
            return answer.status, {}

    def log_in(self) -> bool:
        """As admin; whether that was possible."""
        given = {"db": "odoo", "login": "admin", "password": self.password}
        return bool(self.post("/web/session/authenticate", **given)[1].get("result", {}).get("uid"))

    def is_known(self) -> str:
        """Ask who it is; '' if Odoo knows, else what went wrong."""
        try:
            status, answer = self.post(_ASK)
        except OSError as error:
            return f"{error}"
        known = status == 200 and (answer.get("result") or {}).get("uid") == 2
        return "" if known else f"{status} {answer}"

    def __enter__(self) -> Self:
        self._stop.clear()
        self.asked, self.failed, self.longest = 0, [], 0.0
        self._thread = threading.Thread(target=self._ask, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._stop.set()
        assert self._thread
        self._thread.join(90)

    def _ask(self) -> None:
        while not self._stop.wait(_PAUSE):
            begun = time.monotonic()
            if wrong := self.is_known():
                self.failed.append(wrong)
            self.asked += 1
            self.longest = max(self.longest, time.monotonic() - begun)
