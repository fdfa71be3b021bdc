"""Addresses of notifications, and what is sent to them over real sockets."""

import json
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from scripts.core import addresses, notification, redact
from scripts.core.errors import UsageError
from scripts.core.notification import Kind, Message
from tests.support.waiting import eventually

_SLACK = "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"
_MESSAGE = Message("Redis FAILED", "Redis: is <paused>\nMemory: 3 %", Kind.FAILURE, {"event": "x"})


@contextmanager
def _serving(server: socketserver.TCPServer) -> Iterator[str]:
    """Its port, while it answers in a thread that has ended afterwards."""
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    with server:
        yield f":{server.server_address[1]}"
        server.shutdown()
        thread.join()


@contextmanager
def _web(status: int = 200, *, hangs: bool = False) -> Iterator[tuple[str, list[tuple[str, Any]]]]:
    """The host and port of a server, and the path and body of each request to it."""
    heard: list[tuple[str, Any]] = []
    ending = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            heard.append((self.path, body.decode()))
            if hangs:
                ending.wait(60)
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            return

    with _serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as port:
        try:
            yield f"127.0.0.1{port}", heard
        finally:
            ending.set()


@contextmanager
def _mail() -> Iterator[tuple[str, list[str]]]:
    """The host and port of a server, and the lines that it was sent."""
    heard: list[str] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 here\r\n")
            data = False
            for line in self.rfile:
                heard.append(line.decode().rstrip("\r\n"))
                data = data and heard[-1] != "."
                if not data:
                    word = heard[-1][:4].upper()
                    data = word == "DATA"
                    self.wfile.write(b"354 go on\r\n" if data else b"250 ok\r\n")
                    if word == "QUIT":
                        return

    with _serving(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)) as port:
        yield f"localhost{port}", heard


def test_an_address_of_ones_own_gets_the_document() -> None:
    with _web() as (host, heard):
        assert notification.deliver({f"http://{host}/hook": _MESSAGE}) == {}
    assert [(path, json.loads(body)) for path, body in heard] == [("/hook", {"event": "x"})]


def test_services_get_title_and_text_in_a_form_of_their_own() -> None:
    with _web() as (host, heard), _mail() as (relay, lines):
        mail = f"mailto://{relay}/?from=platform@example.com&to=ops@example.com"
        assert notification.deliver(dict.fromkeys([f"ntfy://{host}/ops", mail], _MESSAGE)) == {}
    ((_, ntfy),) = heard
    assert json.loads(ntfy)["topic"] == "ops"
    assert json.loads(ntfy)["title"] == "Redis FAILED"
    assert json.loads(ntfy)["message"] == _MESSAGE.text
    assert "Subject: Redis FAILED" in lines and any("ops@example.com" in x for x in lines)
    assert any("Memory: 3 %" in line for line in lines)


def test_what_is_too_long_for_a_service_is_cut_unless_its_address_says_otherwise() -> None:
    long = replace(_MESSAGE, title="t" * 600, text="x" * 9000)
    with _web() as (host, heard):
        assert notification.deliver({f"ntfy://{host}/ops": long}) == {}
        ((_, cut),) = heard
        heard.clear()
        assert notification.deliver({f"ntfy://{host}/ops?overflow=split": long}) == {}
    assert len(json.loads(cut)["title"]) == 200 and 1000 < len(json.loads(cut)["message"]) < 8000
    assert len(heard) == 2


def test_the_address_that_slack_shows_is_slack_s(monkeypatch: pytest.MonkeyPatch) -> None:
    import requests

    asked = []

    def request(method: str, url: str, data: str, **_: Any) -> requests.Response:
        asked.append((url, json.loads(data)))
        answer = requests.Response()
        answer.status_code = 200
        answer._content = b"ok"
        return answer

    monkeypatch.setattr(requests, "request", request)
    assert notification.deliver({_SLACK: _MESSAGE}) == {}
    ((url, body),) = asked
    assert url == _SLACK
    said = json.dumps(body)
    assert "Redis FAILED" in said and "Memory: 3 %" in said and "github" not in said


def test_who_does_not_take_it_is_named_without_a_token(capfd: pytest.CaptureFixture[str]) -> None:
    with _web(status=500) as (host, _):
        unreached = notification.deliver(
            dict.fromkeys(
                [f"http://{host}/t0ken", f"ntfy://t0ken@{host}/ops", "http://127.0.0.1:9/t0ken"],
                _MESSAGE,
            )
        )
    reasons = sorted(unreached.values())
    assert reasons == [
        f"http://{host}/*** was not told: it answers with status 500",
        "http://127.0.0.1:9/*** was not told: ConnectionError",
        "ntfy was not told: it was refused, or nothing answers",
    ]
    assert len(reasons) == 3 and "t0ken" not in " ".join(reasons)
    assert "t0ken" not in "".join(capfd.readouterr())


def test_a_hung_server_costs_its_time_only_and_keeps_nobody_else_waiting() -> None:
    threads = threading.active_count()
    with _web(hangs=True) as (hung, _), _web() as (host, heard):
        targets = [f"http://{hung}/a", f"ntfy://{hung}/a", f"http://{host}/b"]
        started = time.monotonic()
        unreached = notification.deliver(dict.fromkeys(targets, _MESSAGE), seconds=1)
        seconds = time.monotonic() - started
    assert list(unreached) == targets[:2] and [path for path, _ in heard] == ["/b"]
    assert seconds < 5
    assert "no answer within 1.0 s" in unreached[targets[0]]
    assert eventually(lambda: threading.active_count() == threads, 20)


@pytest.mark.parametrize("text", ["foo://t0ken/x", "https://a.b,foo://t0ken", "slack://t0ken"])
def test_what_no_service_is_known_by_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(UsageError, match="--notify: no service is known by") as caught:
        notification.parse(text, "--notify")
    assert "t0ken" not in caught.value.message


def test_several_addresses_are_told_apart_from_a_comma_inside_one() -> None:
    mail = "mailto://host?to=a@example.com,b@example.com"
    assert addresses.split(f" {mail}, https://x.test/a,b https://x.test/a,b ,") == (
        mail,
        "https://x.test/a,b",
    )
    assert addresses.split("") == () and addresses.are_addresses("")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("https://hooks.example.com/a/b", "https://hooks.example.com/***"),
        ("https://user:pass@hooks.example.com", "https://***@hooks.example.com"),
        ("https://hooks.example.com?token=x", "https://hooks.example.com/***"),
        ("slack://tokenA/tokenB,https://h/x", "slack://***, https://h/***"),
        ("mailto://me:pass@example.com?to=a@b.c,d@e.f", "mailto://***"),
        ("https://user:p0ss/w@hooks.example.com", "https://***"),
        ("t0ken", "***"),
        ("", ""),
    ],
)
def test_an_address_is_shown_without_what_may_be_a_token(value: str, shown: str) -> None:
    for name in ("HEALTH_NOTIFY", "HEALTH_PING", "BACKUP_NOTIFY"):
        assert redact.variable(name, value) == shown
