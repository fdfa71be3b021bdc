"""What a registry is asked, and what it tells, over a real socket."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from scripts.core.errors import OpsError
from scripts.stack import registry
from scripts.stack.registry import Reference


@pytest.mark.parametrize(
    ("image", "url"),
    [
        ("redis:7", "https://registry-1.docker.io/v2/library/redis/manifests/7"),
        (
            "docker.io/library/redis",
            "https://registry-1.docker.io/v2/library/redis/manifests/latest",
        ),
        ("a/b:v1.2", "https://registry-1.docker.io/v2/a/b/manifests/v1.2"),
        ("ghcr.io/a/b:1", "https://ghcr.io/v2/a/b/manifests/1"),
        ("127.0.0.1:5000/b:1", "http://127.0.0.1:5000/v2/b/manifests/1"),
        ("localhost/a/b:1", "http://localhost/v2/a/b/manifests/1"),
        ("localhost.example.com/b:1", "https://localhost.example.com/v2/b/manifests/1"),
    ],
)
def test_a_name_leads_to_where_docker_would_look(image: str, url: str) -> None:
    found = Reference.parse(image)
    assert found and found.url == url


def test_a_name_with_a_digest_is_never_another() -> None:
    assert Reference.parse("redis:7@sha256:abc") is None


@pytest.fixture
def host() -> Iterator[str]:
    """A registry that wants a token from everybody, and has open:1."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            assert self.path == "/token?service=here&scope=repository%3Aopen%3Apull"
            self.wfile.write(b'{"token": "t1"}')

        def do_HEAD(self) -> None:
            known = self.headers.get("Authorization") == "Bearer t1"
            there = self.path == "/v2/open/manifests/1"
            assert "oci.image.index" in self.headers["Accept"]
            self.send_response((200 if there else 404) if known else 401)
            realm = f'realm="http://{address}/token",service="here",scope="repository:open:pull"'
            self.send_header("WWW-Authenticate", f"Bearer {realm}")
            if known and there:
                self.send_header("Docker-Content-Digest", "sha256:new")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        address = f"127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield address
        server.shutdown()
        thread.join()


def test_a_digest_is_told_to_somebody_without_a_login(host: str) -> None:
    assert registry.digest(f"{host}/open:1", 4) == "sha256:new"


def test_what_is_not_told_is_an_error(host: str) -> None:
    with pytest.raises(OpsError, match="status 404"):
        registry.digest(f"{host}/open:2", 4)
    with pytest.raises(OpsError, match="does not tell"):
        registry.digest("127.0.0.1:9/open:1", 4)
