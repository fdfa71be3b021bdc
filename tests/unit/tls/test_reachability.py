import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from scripts.tls import reachability

_URL = ".well-known/acme-challenge"


@pytest.fixture
def webroot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / _URL
    monkeypatch.setattr(reachability, "WEBROOT", folder)
    return folder


def _point_port_80_at(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Port 80 belongs to root; the server answers on `port` instead."""
    connect: Callable[..., socket.socket] = socket.create_connection

    def here(address: tuple[str, int], *args: object, **kwargs: object) -> socket.socket:
        assert address[1] == 80
        return connect(("127.0.0.1", port), *args, **kwargs)

    monkeypatch.setattr(socket, "create_connection", here)


@contextmanager
def _website(folder: Path) -> Iterator[int]:
    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *args: object) -> None:
            super().__init__(*args, directory=str(folder))  # type: ignore[arg-type]

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def test_a_site_that_serves_the_folder_gives_back_the_token_which_is_gone_afterwards(
    webroot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # the authority has none
    with _website(tmp_path) as port:
        _point_port_80_at(port, monkeypatch)
        answer = reachability.main(["localhost"])
    found = answer["found"]
    assert isinstance(found, dict)
    assert found["localhost"]["body"] == answer["token"]
    assert found["localhost"]["error"] == ""
    assert "127.0.0.1" in found["localhost"]["addresses"]
    assert list(webroot.iterdir()) == []


def test_each_run_has_a_token_of_its_own(webroot: Path) -> None:
    assert reachability.main([])["token"] != reachability.main([])["token"]


def test_the_token_goes_even_where_looking_fails(
    webroot: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        assert len(list(webroot.iterdir())) == 1
        raise RuntimeError

    monkeypatch.setattr(reachability, "look", broken)
    with pytest.raises(RuntimeError):
        reachability.main(["localhost"])
    assert list(webroot.iterdir()) == []


def test_another_server_is_known_by_its_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / _URL
    folder.mkdir(parents=True)
    (folder / "token").write_text("x" * 1000)
    with _website(tmp_path) as port:
        _point_port_80_at(port, monkeypatch)
        assert reachability.look("localhost", "missing")["body"] == "status 404"
        assert reachability.look("localhost", "token")["body"] == "x" * reachability.LONGEST


def test_a_server_that_speaks_something_else_is_another_server_and_no_crash(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def greet() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
                connection.recv(4096)

        thread = threading.Thread(target=greet, daemon=True)
        thread.start()
        _point_port_80_at(listener.getsockname()[1], monkeypatch)
        found = reachability.look("localhost", "token")
        thread.join()
    assert (found["error"], found["body"]) == ("", "no HTTP: SSH-2.0-OpenSSH_9.2")


def test_a_closed_port_is_an_error_of_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    _point_port_80_at(port, monkeypatch)
    found = reachability.look("localhost", "token")
    assert str(found["error"]).startswith("connection: ")
    assert "refused" in str(found["error"])
    assert found["addresses"]


def test_a_name_without_an_address_is_an_error_of_dns(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    found = reachability.look("nowhere.example", "token")
    assert str(found["error"]).startswith("dns: ")
    assert found["addresses"] == []
