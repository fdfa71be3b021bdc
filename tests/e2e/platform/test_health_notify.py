"""Whom `inv health` tells of a running platform, and what it asks of a registry."""

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.e2e.support import faults
from tests.e2e.support.checkout import Checkout
from tests.e2e.support.health_report import Look
from tests.e2e.support.tiny_registry import TinyRegistry
from tests.support.waiting import BUSY

pytestmark = pytest.mark.xdist_group("health")


@dataclass
class Audience:
    """A server that hears of looks, under /t0ken, /ping and as ntfy."""

    port: int = 0
    heard: list[tuple[str, str]] = field(default_factory=list)
    hangs: bool = False

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def events(self) -> list[str]:
        """Of the messages as JSON, in their order."""
        return [json.loads(body)["event"] for path, body in self.heard if path == "/t0ken"]


@pytest.fixture
def audience(served: Checkout) -> Iterator[Audience]:
    made = Audience()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            made.heard.append((self.path, body.decode()))
            if made.hangs:
                time.sleep(60)
            self.send_response(200)
            self.end_headers()

        do_GET = do_POST  # noqa: N815 - its name

        def log_message(self, format: str, *args: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads, server.block_on_close = True, False
        made.port = server.server_port
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield made
        server.shutdown()
    (served.root / ".state" / "health-notify.json").unlink(missing_ok=True)


def test_a_change_is_told_once_and_its_end_and_each_look_is_a_sign_of_life(
    served: Checkout, audience: Audience
) -> None:
    told = f"http://{audience.host}/t0ken, ntfy://{audience.host}/ops"
    settings = {"HEALTH_NOTIFY": told, "HEALTH_PING": f"http://{audience.host}/ping"}

    def look() -> int:
        return served.inv("health", "--strict", "--quiet", **settings).returncode

    assert look() == 0 and audience.heard == [("/ping", "")]
    with faults.limits(served, MEMORY_WARNING="2"):
        assert [look(), look()] == [1, 1]
    assert look() == 0
    assert audience.events() == ["alarm", "recovery"]
    as_text = [json.loads(body) for path, body in audience.heard if path == "/"]
    assert ["Memory WARNING" in m["title"] for m in as_text] == [True, False]
    assert "Memory: ! WARNING: " in as_text[0]["message"]
    pings = [path for path, _ in audience.heard if "ping" in path]
    assert pings == ["/ping", "/ping/fail", "/ping/fail", "/ping"]
    shown = served.inv("config", **settings).stdout
    assert "t0ken" not in shown and "/ping" not in shown


def test_a_server_that_hangs_costs_a_bounded_time_and_is_asked_again(
    served: Checkout, audience: Audience
) -> None:
    audience.hangs = True
    options = ["health", "--only", "memory", "--notify", f"http://{audience.host}/t0ken"]
    with faults.limits(served, MEMORY_WARNING="2"):
        started = time.monotonic()
        with faults.limits(served, file="scripts/core/notification.py", SECONDS="2.0"):
            done = served.inv(*options)
        assert time.monotonic() - started < 10 * BUSY
        assert done.returncode == 4 and "t0ken" not in done.stderr
        assert f"warning: http://{audience.host}/*** was not told: " in done.stderr
        audience.hangs = False
        assert served.inv(*options).returncode == 0
    assert audience.events() == ["alarm", "alarm"]


def test_a_newer_image_in_the_registry_is_told_until_it_is_pulled(served: Checkout) -> None:
    with TinyRegistry() as registry:
        name = f"{registry.host}/tiny-{served.project}"
        image = f"{name}:1"
        try:
            done = served.run("docker", "pull", "--quiet", image)
            if done.returncode:  # an engine in a virtual machine does not reach us
                pytest.skip(done.stderr)
            used = {"BACKUP_BASE_IMAGE": image}
            registry.content = "second"
            with faults.limits(served, UPDATE_KNOWN="-1"):
                told = json.loads(served.inv("health", "--only", "images", "--json", **used).stdout)
                assert [check["status"] for check in told["checks"]] == ["warning"]
                assert image in told["checks"][0]["detail"]
                assert served.run("docker", "pull", "--quiet", image).returncode == 0
                told = json.loads(served.inv("health", "--only", "images", "--json", **used).stdout)
                assert told["status"] == "ok" and told["checks"]
        finally:
            ids = served.run("docker", "image", "ls", "--quiet", name).stdout.split()
            served.run("docker", "image", "rm", "--force", *ids)  # of both contents
            (served.root / ".state" / "image-updates.json").unlink(missing_ok=True)
    assert Look.at(served, "--only", "images").details == {}, "no registry has what was built here"
