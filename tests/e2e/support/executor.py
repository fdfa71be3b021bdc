"""The Edge Function under real Deno, and something that its jobs can call."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import requests

from tests.conftest import ROOT
from tests.e2e.support.checkout import free_port
from tests.support.waiting import eventually

FUNCTION = ROOT / "supabase" / "functions" / "run-executor"
DENO = str(Path(sys.executable).with_name("deno"))
# /odd: a character that PostgreSQL has not, and one that is cut in two wherever it is cut.
_BODIES = {"large": b"x" * 200_000, "odd": b"\0" + b"x" * 298 + "💣".encode() * 4000}
CRON_SECRET = "a secret of cron that is long enough"


@dataclass
class Listener:
    """An HTTP server that writes down what it gets."""

    port: int = field(default_factory=free_port)
    received: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    hang: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    @contextmanager
    def listening(self) -> Iterator["Listener"]:
        """While the block runs. …/STATUS answers so, /hang not before `hang` is set.

        /echo/… repeats the headers that it got.
        """
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                listener.received.append((self.command, self.path, dict(self.headers), body))
                if self.path == "/hang":
                    listener.hang.wait(60)
                last = self.path.rsplit("/", 1)[-1]
                self.send_response(int(last) if last.isdigit() else 200)
                if last == "302":
                    self.send_header("Location", "/200")
                self.end_headers()
                bodies = {**_BODIES, "echo": str(self.headers).encode()}
                self.wfile.write(bodies.get(self.path.split("/")[1], b"received"))

            do_POST = do_PUT = do_GET  # noqa: N815

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing: the test looks."""

        server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield self
        finally:
            self.hang.set()
            server.shutdown()
            server.server_close()


@dataclass
class Executor:
    """One process of the function."""

    url: str
    process: subprocess.Popen[str]

    def run(self, secret: str = CRON_SECRET) -> requests.Response:
        """What cron does."""
        return requests.post(self.url, headers={"X-CRON-SECRET": secret}, timeout=120)

    def get(self, door: str, **headers: str) -> requests.Response:
        """Ask one of its other doors."""
        return requests.get(f"{self.url}/{door}", headers=headers, timeout=30)


@contextmanager
def executor(**environment: str) -> Iterator[Executor]:
    """The function with these settings and no others."""
    port = free_port()
    env = {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        "NO_COLOR": "1",
        "DENO_NO_UPDATE_CHECK": "1",
        "CRON_SECRET": CRON_SECRET,
        "EXECUTOR_HOST": "127.0.0.1",
        "EXECUTOR_PORT": str(port),
        **environment,
    }
    options = ["--frozen", "--no-prompt", "--allow-net", "--allow-env", "--config", "deno.json"]
    argv = [DENO, "run", *options, "index.ts"]
    process = subprocess.Popen(
        argv, cwd=FUNCTION, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True
    )
    running = Executor(f"http://127.0.0.1:{port}/run-executor", process)

    def answers() -> bool:
        try:
            return running.get("health").status_code > 0
        except requests.ConnectionError:
            return False

    try:
        assert eventually(answers, 60), "the executor does not start"
        yield running
    finally:
        process.kill()
        process.wait(30)
