"""`inv status --serve`: the page of the status on a port of this machine, behind a password.

It listens on the loopback address and nowhere else: from another machine, through SSH.
"""

import base64
import hmac
import json
import secrets
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from scripts.core.console import Console
from scripts.core.errors import UsageError
from scripts.stack.compose import Stack
from scripts.status import history, look, page
from scripts.status.report import Report

ADDRESS: Final = "127.0.0.1"
USER: Final = "status"
_FRESH: Final = 10.0  # seconds for which what was found is shown again
_PATIENCE: Final = 10.0  # seconds for a client to send its request
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
}


@dataclass(frozen=True)
class Found:
    """What one look at the platform has found, and when (Unix seconds)."""

    report: Report
    history: list[history.Series]
    time: float


@dataclass
class Watch:
    """Looks at the platform when somebody asks, and not more often than every ten seconds."""

    stack: Stack
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _last: Found | None = None

    def look(self) -> Found:
        """What was found last, or just now; raises no OpsError."""
        with self._lock:
            if self._last is None or not 0 <= time.time() - self._last.time < _FRESH:
                report, services = look.look_closer(self.stack)
                self._last = Found(report, history.of_the_last_day(services), time.time())
            return self._last


def serve(stack: Stack, console: Console, port: int, *, as_json: bool) -> None:
    """Tell where the page is and serve it, until the process is interrupted.

    Raises UsageError for a port that cannot be had, and with `as_json`.
    """
    if as_json:
        raise UsageError("--serve and --json exclude each other", "The page has /status.json.")
    password = secrets.token_urlsafe(16)
    with open_server(stack, port, password) as server:
        page_url = f"http://{ADDRESS}:{port}/"
        console.say(f"Status page: {page_url}", f"User:        {USER}", f"Password:    {password}")
        console.note(f"Until Ctrl-C. From another machine: ssh -L {port}:{ADDRESS}:{port} SERVER")
        server.serve_forever()


def open_server(stack: Stack, port: int, password: str) -> ThreadingHTTPServer:
    """A server that listens already, and answers who knows `password`.

    Raises UsageError for a port that cannot be had.
    """
    if not 0 <= port <= 65535:
        raise UsageError(f"--serve: {port} is no port", "From 1 to 65535.")
    watch = Watch(stack)
    expected = base64.b64encode(f"{USER}:{password}".encode()).decode()

    class Handler(_Handler):
        look = staticmethod(watch.look)
        project = stack.settings.project
        authorization = f"Basic {expected}"

    try:
        server = _Server((ADDRESS, port), Handler)
    except OSError as error:
        hint = "Another one: inv status --serve PORT"
        raise UsageError(f"port {port} cannot be had: {error.strerror}", hint) from error
    return server


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """See BaseServer.handle_error; nothing where a browser went before it had its answer."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    look: Callable[[], Found]
    project: str
    authorization: str
    timeout = _PATIENCE
    server_version = "ipai-platform"
    sys_version = ""

    def do_GET(self) -> None:
        """The page, its style sheet, or the same as JSON; 401 without the password."""
        given = self.headers.get("Authorization", "")
        if not hmac.compare_digest(given.encode(), self.authorization.encode()):
            self._answer(401, "text/plain", b"The password is what `inv status --serve` printed.\n")
            return
        if self.path == "/":
            found = self.look()
            text = page.html(found.report, found.history, self.project, found.time)
            self._answer(200, "text/html; charset=utf-8", text.encode())
        elif self.path == "/status.json":
            text = json.dumps(self.look().report.json, indent=2)
            self._answer(200, "application/json", text.encode())
        elif self.path == "/style.css":
            self._answer(200, "text/css; charset=utf-8", page.STYLE)
        else:
            self._answer(404, "text/plain", b"There is nothing here.\n")

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        if status == 401:
            self.send_header("WWW-Authenticate", 'Basic realm="ipai-platform", charset="UTF-8"')
        headers = {**_HEADERS, "Content-Type": kind, "Content-Length": str(len(body))}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a terminal is no access log."""
