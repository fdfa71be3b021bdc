"""What the engine is asked about an image in its registry, over a real socket."""

import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from scripts.core.errors import OpsError
from scripts.stack import registry
from tests.unit.support.fakes import FakeRunner, says

_CONTEXT = "docker context inspect"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Path]:
    """The socket of an engine whose registry has a/b:1, and of others says something else."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answers = {
                "/distribution/a/b%3A1/json": (200, b'{"Descriptor": {"digest": "sha256:new"}}'),
                "/distribution/other/json": (200, b"[]"),
                "/distribution/html/json": (200, b"<html>"),
            }
            status, text = answers.get(self.path, (500, b'{"message": "no such host"}'))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text)

        def address_string(self) -> str:
            return ""

        def log_message(self, format: str, *args: object) -> None:
            return

    path = tmp_path / "s"
    with socketserver.ThreadingUnixStreamServer(str(path), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield path
        server.shutdown()
        thread.join()


def test_the_engine_tells_the_digest_that_the_registry_has(engine: Path) -> None:
    assert registry.digest(engine, "a/b:1", 30) == "sha256:new"


@pytest.mark.parametrize("image", ["a/b:2", "other", "html"])
def test_what_is_not_told_is_an_error(engine: Path, image: str) -> None:
    with pytest.raises(OpsError, match=f"tells? of {image}"):
        registry.digest(engine, image, 30)


def test_an_engine_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OpsError, match="the engine does not tell of x"):
        registry.digest(tmp_path / "none", "x", 30)


def test_the_socket_is_that_of_the_context_in_use() -> None:
    runner = FakeRunner({_CONTEXT: says("unix:///home/me/.colima/docker.sock\n")})
    assert registry.engine_socket(runner) == Path("/home/me/.colima/docker.sock")


@pytest.mark.parametrize("endpoint", ["ssh://host", "tcp://192.0.2.1:2376", ""])
def test_an_engine_elsewhere_is_not_asked(endpoint: str) -> None:
    with pytest.raises(OpsError, match="not reached by a socket"):
        registry.engine_socket(FakeRunner({_CONTEXT: says(endpoint)}))
