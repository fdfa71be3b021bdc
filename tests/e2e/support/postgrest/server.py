#!/usr/bin/env python3
"""Not PostgREST: serves stand_in.py on PostgREST's ports."""

import json
import sys
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from stand_in import OPTIONS, POOL, RefusedError, Request


class Handler(BaseHTTPRequestHandler):
    """Every request is answered with JSON."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet

    def serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            status, answer = Request(self.command, self.path, self.headers, body).answer()
        except RefusedError as error:
            status, answer = error.status, error.body
        data = b"" if answer is None and status != 200 else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        if status == 401:
            self.send_header("WWW-Authenticate", "Bearer")
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_HEAD = do_POST = do_PATCH = do_DELETE = do_PUT = do_OPTIONS = serve  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a test looks at answers."""


class Admin(BaseHTTPRequestHandler):
    """/live and /ready."""

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        """200 if a connection can be had."""
        status = 200
        if self.path == "/ready":
            try:
                POOL.give(POOL.take())
            except RefusedError:
                status = 503
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()


def main() -> None:
    """Serve; or, with --ready, ask the one that serves."""
    admin = (OPTIONS["ADMIN_SERVER_HOST"], int(OPTIONS["ADMIN_SERVER_PORT"]))
    if sys.argv[1:] == ["--ready"]:
        with urllib.request.urlopen(f"http://{admin[0]}:{admin[1]}/ready", timeout=4):
            return
    Thread(target=ThreadingHTTPServer(admin, Admin).serve_forever, daemon=True).start()
    ThreadingHTTPServer.request_queue_size = 128
    ThreadingHTTPServer(
        (OPTIONS["SERVER_HOST"], int(OPTIONS["SERVER_PORT"])), Handler
    ).serve_forever()


if __name__ == "__main__":
    main()
