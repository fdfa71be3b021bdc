"""Forged names and addresses, smuggled requests and detours, and what each must answer."""

import secrets
import ssl

import pytest

from tests.e2e.support.production import NAME, OTHER_NAME, Production
from tests.e2e.support.raw import Streams, exchange, request, statuses
from tests.support.waiting import eventually

_POST = "POST /web/webclient/version_info"


@pytest.mark.parametrize("name", ["evil.test", "localhost", "127.0.0.1", f"x.{NAME}", None])
def test_a_foreign_name_or_none_gets_no_certificate(
    production: Production, name: str | None
) -> None:
    with pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME"):
        production.tls(name)


@pytest.mark.parametrize(
    ("line", "host", "answer"),
    [
        ("GET /web/health", NAME, [200]),
        ("GET /web/health", OTHER_NAME, [308]),
        ("GET /web/health", "evil.test", [421]),
        ("GET /web/health", "", [400]),
        ("GET /web/health", f"{NAME}\r\nHost: evil.test", [400]),
        ("GET /web/health", f"{NAME}/evil.test", [400]),
        ("GET /web/health", f"evil.test:80@{NAME}", [421]),
        ("GET /web/health", f"evil.test#{NAME}", [421]),
        ("GET https://evil.test/web/health", NAME, [421]),
        (f"GET https://{NAME}/web/health", "evil.test", [200]),  # RFC 9112: the line wins
    ],
)
def test_only_the_names_of_the_site_are_served(
    production: Production, line: str, host: str, answer: list[int]
) -> None:
    text = f"{line} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    assert statuses(exchange(production, text.encode())) == answer


_FORGED = {
    "X-Forwarded-Host": "evil.test",
    "X-Forwarded-Server": "evil.test",
    "X-Host": "evil.test",
    "X-Forwarded-Port": "666",
    "X-Forwarded-Proto": "gopher",
    "X-Forwarded-For": "198.51.100.7",
    "X-Real-IP": "198.51.100.7",
    "X-Original-URL": "/evil.test",
    "Forwarded": "for=198.51.100.7;host=evil.test",
}


@pytest.mark.parametrize("path", ["/", "/web", "/web/login", "/odoo", "/web/session/logout"])
def test_a_forged_host_is_in_no_answer(production: Production, path: str) -> None:
    answer = production.ask(path, headers=_FORGED)
    assert answer.status in (200, 303)
    assert not {"gopher:", f"{NAME}:666"} & set(answer.header("Location").split("/"))
    assert "evil.test" not in str(answer.headers) + answer.text


def test_a_forged_host_does_not_become_the_address_in_mails(production: Production) -> None:
    # Odoo takes it from the login of an administrator.
    body = (
        '{"jsonrpc": "2.0", "method": "call", "params": '
        f'{{"db": "odoo", "login": "admin", "password": "{production.admin_password}"}}}}'
    ).encode()
    headers = {"Content-Type": "application/json", **_FORGED}
    authenticate = "/web/session/authenticate"
    answer = production.ask(authenticate, method="POST", headers=headers, body=body)
    assert answer.json["result"]["uid"]
    base = "SELECT value FROM ir_config_parameter WHERE key = 'web.base.url'"
    assert production.sql(base) == production.url


def test_a_forged_address_is_not_the_one_that_odoo_logs(production: Production) -> None:
    networks = production.inspect("nginx")["NetworkSettings"]["Networks"]
    here = networks[f"{production.project}_edge"]["Gateway"]
    mark = secrets.token_hex(6)
    production.ask(f"/{mark}", headers=_FORGED)
    lines = eventually(
        lambda: [line for line in production.logs("odoo").splitlines() if mark in line], 5
    )
    assert here in lines[0] and "198.51.100.7" not in lines[0]


_SMUGGLED: dict[str, tuple[list[str], str, list[int]]] = {
    "length and chunks": (["Content-Length: 6", "Transfer-Encoding: chunked"], "0\r\n\r\n", [400]),
    "an unknown encoding": (["Transfer-Encoding: xchunked"], "", [501]),
    "two encodings": (["Transfer-Encoding: chunked", "Transfer-Encoding: identity"], "", [400]),
    "a list of encodings": (["Transfer-Encoding: chunked, identity"], "0\r\n\r\n", [501]),
    "a vertical tab": (["Transfer-Encoding: \x0bchunked"], "0\r\n\r\n", [501]),
    "two lengths": (["Content-Length: 4", "Content-Length: 5"], "abcd", [400]),
    "one length twice": (["Content-Length: 4", "Content-Length: 4"], "abcd", [400]),
    "a list of lengths": (["Content-Length: 4, 4"], "abcd", [400]),
    "a length with a sign": (["Content-Length: +4"], "abcd", [400]),
    "a negative length": (["Content-Length: -1"], "", [400]),
    "a folded header": (["X-Any: a\r\n Transfer-Encoding: chunked"], "0\r\n\r\n", [400]),
    "a folded encoding": (["Transfer-Encoding:\r\n chunked"], "0\r\n\r\n", [400]),
    "a space before the colon": (["Transfer-Encoding : chunked"], "0\r\n\r\n", [400]),
    "a length with a space": (["Content-Length : 4"], "abcd", [400]),
    "a bare carriage return": (["X-Any: a\rTransfer-Encoding: chunked"], "0\r\n\r\n", [400]),
    "a zero byte": (["X-Any: a\0b"], "", [400]),
    "a chunk of no size": (["Transfer-Encoding: chunked"], "zz\r\nabc", [400]),
    "a chunk too large": (["Transfer-Encoding: chunked"], "f" * 17 + "\r\n", [400]),
}


@pytest.mark.parametrize("what", _SMUGGLED)
def test_a_second_request_cannot_hide_in_the_first(production: Production, what: str) -> None:
    headers, body, answer = _SMUGGLED[what]
    mark = secrets.token_hex(6)
    hidden = f"GET /{mark} HTTP/1.1\r\nHost: {NAME}\r\n\r\n"
    lines = [f"{_POST} HTTP/1.1", f"Host: {production.host}", *headers, "", body + hidden]
    assert statuses(exchange(production, "\r\n".join(lines).encode())) == answer
    assert mark not in production.logs("odoo")


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        # A line feed alone ends a line for Nginx, which makes the lines for Odoo again.
        (["X-Any: a\nContent-Length: 2"], "{}"),
        (["Transfer-Encoding: chunked"], "2\r\n{}\r\n0\r\n\r\n"),
        (["Transfer-Encoding: chunked"], "2;name=value\r\n{}\r\n0\r\nTrailer: x\r\n\r\n"),
        (["Content-Length: 2", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA"], "{}"),
        (["Content-Length: 2", "Upgrade: websocket"], "{}"),
        (["Content-Length: 2", "Transfer_Encoding: chunked"], "{}"),
        (["Content-Length: 2", "Content-Type: application/json"], "{}"),
    ],
)
def test_what_is_odd_but_clear_is_forwarded_as_one_request(
    production: Production, headers: list[str], body: str
) -> None:
    mark = secrets.token_hex(6)
    hidden = f"GET /{mark} HTTP/1.1\r\nHost: {NAME}\r\n\r\n"
    kind = [] if "json" in str(headers) else ["Content-Type: application/json"]
    found = exchange(
        production, request(production, _POST, *kind, *headers, body=f"{body}{hidden}".encode())
    )
    assert statuses(found) == [200]
    assert mark not in production.logs("odoo")


_FORWARDED = (400, 415)  # what Odoo says of a body that is no JSON; 18 and 19 differ


@pytest.mark.parametrize(
    ("headers", "answers"),
    [
        # Nginx drops both, which HTTP/2 does not know, and counts the body itself.
        ({"transfer-encoding": "chunked"}, _FORWARDED),
        ({"connection": "upgrade"}, _FORWARDED),
        ({"content-length": "1"}, (400,)),
        ({"content-length": "50"}, (400,)),
        ({"x-any": "a\r\nTransfer-Encoding: chunked"}, (400,)),
        ({"x-any: b\r\nx-other": "c"}, (400,)),
        ({"host": "evil.test"}, (400,)),
    ],
)
def test_http2_smuggles_nothing_into_the_http1_behind_it(
    production: Production, headers: dict[str, str], answers: tuple[int, ...]
) -> None:
    mark = secrets.token_hex(6)
    hidden = f"0\r\n\r\nGET /{mark} HTTP/1.1\r\nHost: {NAME}\r\n\r\n".encode()
    streams = Streams(production)
    streams.open("/web/webclient/version_info", "POST", headers, end=False)
    streams.finish(1, hidden)
    streams.flush()
    streams.read(1)
    streams.close()
    # Nginx may end the stream instead of answering.
    assert streams.status.get(1, 400) in answers
    assert mark not in production.logs("odoo")


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("TRACE /", 405),
        ("CONNECT odoo:8069", 400),
        ("CONNECT odoo.test:443", 400),
        ("GET http://odoo:8069/web/login", 421),
        ("GET //evil.test/..", 404),
        ("GET /" + "a" * 9000, 414),
    ],
)
def test_nginx_is_no_open_door(production: Production, line: str, answer: int) -> None:
    assert statuses(exchange(production, request(production, line))) == [answer]


def test_oversized_headers_are_refused(production: Production) -> None:
    one = request(production, "GET /", "X-Any: " + "a" * 9000)
    many = request(production, "GET /", *[f"X-{number}: {'a' * 4000}" for number in range(12)])
    assert statuses(exchange(production, one)) == statuses(exchange(production, many)) == [400]
