"""`inv status --serve`: who is answered, with what."""

import base64
import http.client
import json
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from scripts.backups.freshness import BackupState
from scripts.core.errors import UsageError
from scripts.stack.compose import Stack
from scripts.status import history, look, server
from scripts.status.report import Report
from tests.unit.support.fakes import FakeRunner, settings_in

_PASSWORD = "pass:word-ä"
_REPORT = Report("stopped", {}, "development", "http://localhost", BackupState("", "", "", ""))


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One more for each look at the platform."""
    counted: list[int] = []

    def look_closer(stack: Stack) -> tuple[Report, tuple[()]]:
        counted.append(1)
        return _REPORT, ()

    monkeypatch.setattr(look, "look_closer", look_closer)
    return counted


@pytest.fixture
def port(looks: list[int], tmp_path: Path) -> Iterator[int]:
    """That of a server which runs."""
    stack = Stack(settings_in(tmp_path), FakeRunner({}))
    with server.open_server(stack, 0, _PASSWORD) as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield made.server_address[1]
        finally:
            made.shutdown()
            thread.join()


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _get(
    port: int,
    path: str = "/",
    authorization: str = _basic("status", _PASSWORD),
    method: str = "GET",
) -> tuple[http.client.HTTPResponse, str]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request(method, path, headers={"Authorization": authorization})
        response = connection.getresponse()
        return response, response.read().decode()


def test_the_page_and_the_json_are_for_who_knows_the_password(port: int) -> None:
    response, html = _get(port)
    assert response.status == 200 and "stopped" in html
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")
    _, text = _get(port, "/status.json")
    assert json.loads(text)["runs"] == "stopped"
    response, css = _get(port, "/style.css")
    assert response.headers["Content-Type"].startswith("text/css") and "polyline" in css


@pytest.mark.parametrize(
    "authorization",
    ["", "Basic", "Bearer x", _basic("status", "wrong"), _basic("admin", _PASSWORD), "Basic é"],
)
@pytest.mark.parametrize("path", ["/", "/status.json", "/nope"])
def test_nobody_else_learns_anything(
    port: int, looks: list[int], path: str, authorization: str
) -> None:
    response, text = _get(port, path, authorization)
    assert response.status == 401 and "stopped" not in text
    assert response.headers["WWW-Authenticate"].startswith("Basic ")
    assert looks == []


@pytest.mark.parametrize("path", ["/nope", "/../secrets/db_password.txt", "/?x", "*"])
def test_there_is_nothing_else(port: int, path: str) -> None:
    response, _ = _get(port, path)
    assert response.status == 404


def test_nothing_can_be_sent(port: int) -> None:
    response, _ = _get(port, method="POST")
    assert response.status == 501


def test_many_visitors_make_one_look(port: int, looks: list[int]) -> None:
    for _ in range(3):
        _get(port)
    assert looks == [1]


def test_who_goes_before_the_answer_leaves_no_traceback(
    port: int, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    gone, answered = threading.Event(), threading.Event()

    def slow(stack: Stack) -> tuple[Report, tuple[()]]:
        assert gone.wait(60)
        return _REPORT, ()

    def shutdown(self: ThreadingHTTPServer, request: socket.socket) -> None:
        request.close()
        answered.set()

    monkeypatch.setattr(look, "look_closer", slow)
    monkeypatch.setattr(ThreadingHTTPServer, "shutdown_request", shutdown)
    with socket.create_connection(("127.0.0.1", port)) as visitor:
        head = f"GET / HTTP/1.0\r\nAuthorization: {_basic('status', _PASSWORD)}\r\n\r\n"
        visitor.sendall(head.encode())
        # Its end is a reset: nothing can be read any more, or the answer not be written.
        visitor.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    gone.set()
    assert answered.wait(60)
    assert capfd.readouterr().err == ""


def test_what_is_shown_is_not_old(
    looks: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter((1000.0, 1009.0, 1011.0, 1011.0, 900.0, 900.0))
    monkeypatch.setattr(history, "of_the_last_day", lambda services: [])
    monkeypatch.setattr(time, "time", lambda: next(clock))
    watch = server.Watch(Stack(settings_in(tmp_path), FakeRunner({})))
    for _ in range(4):  # in the end the clock is set back
        watch.look()
    assert len(looks) == 3


@pytest.mark.parametrize("number", [-1, 65536])
def test_a_number_that_is_no_port_is_refused(tmp_path: Path, number: int) -> None:
    with pytest.raises(UsageError, match="is no port"):
        server.open_server(Stack(settings_in(tmp_path), FakeRunner({})), number, "x")


def test_a_port_that_is_taken_is_refused(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        with pytest.raises(UsageError, match=f"port {taken} cannot be had"):
            server.open_server(Stack(settings_in(tmp_path), FakeRunner({})), taken, "x")
