"""The security headers, exactly once and word for word, from Nginx and from Odoo."""

import re
from collections.abc import Callable

import pytest

from tests.e2e.support.production import (
    NAME,
    OTHER_NAME,
    Answer,
    Production,
    assert_protected,
)
from tests.e2e.support.raw import exchange, request

_TOO_MUCH = 256 * 1024 * 1024 + 1


def _bundle(production: Production) -> Answer:
    found = re.search(r'href="(/web/assets/[^"]+\.css)"', production.ask("/web/login").text)
    assert found
    return production.ask(found[1])


def _not_modified(production: Production) -> Answer:
    path = "/web/static/img/favicon.ico"
    known = production.ask(path).header("ETag")
    return production.ask(path, headers={"If-None-Match": known})


def _too_large(production: Production) -> Answer:
    # Refused by what it announces; not a byte of it is sent.
    length = f"Content-Length: {_TOO_MUCH}"
    received = exchange(production, request(production, "POST /web/webclient/version_info", length))
    head, _, body = received.partition(b"\r\n\r\n")
    line, *fields = head.decode().split("\r\n")
    pairs = [(name, value.strip()) for name, _, value in (f.partition(":") for f in fields)]
    return Answer(int(line.split()[1]), tuple(pairs), body)


_ANSWERS: dict[str, tuple[int, Callable[[Production], Answer]]] = {
    "a page": (200, lambda p: p.ask("/web/login")),
    "a redirection to HTTPS": (301, lambda p: p.once("/web?x=y", secure=False)),
    "a redirection by Odoo": (303, lambda p: p.ask("/web")),
    "a static file": (200, lambda p: p.ask("/web/static/img/favicon.ico")),
    "a static file that has not changed": (304, _not_modified),
    "a bundle": (200, _bundle),
    "a page Odoo does not have": (404, lambda p: p.ask("/no-such-page")),
    "a page Nginx does not have": (404, lambda p: p.ask("/web/filestore/odoo/00/x")),
    "a picture": (200, lambda p: p.ask("/web/image/res.company/1/logo")),
    "JSON": (200, lambda p: p.call("/web/webclient/version_info", {})),
    "a method that Nginx refuses": (405, lambda p: p.ask("/", method="TRACE")),
    "a request that Odoo refuses": (400, lambda p: p.ask("/web/health", method="DELETE")),
    "a request that Nginx refuses": (400, lambda p: p.ask("/%00")),
    "a path that is too long": (414, lambda p: p.ask("/" + "a" * 9000)),
    "an upload that is too large": (413, _too_large),
    "a name that is not ours": (421, lambda p: p.ask("/", headers={"Host": "evil.test"})),
    "a name that is not ours, by HTTP": (
        421,
        lambda p: p.once("/", headers={"Host": "evil.test"}, secure=False),
    ),
    "health of Nginx": (200, lambda p: p.ask("/nginx-health")),
}


@pytest.mark.parametrize("what", _ANSWERS)
def test_every_answer_has_every_header_once(production: Production, what: str) -> None:
    status, ask = _ANSWERS[what]
    answer = ask(production)
    assert answer.status == status
    assert_protected(answer)


def test_odoos_own_rule_against_frames_is_kept(production: Production) -> None:
    policy = production.ask("/web/login").header("Content-Security-Policy")
    assert policy == "frame-ancestors 'self'"


def test_http_leads_to_the_same_address_by_https(production: Production) -> None:
    answer = production.once("/odoo/a%2Fb?c=d&e", secure=False)
    assert answer.header("Location") == f"https://{production.host}/odoo/a%2Fb?c=d&e"
    other = production.once("/x", headers={"Host": OTHER_NAME}, secure=False)
    assert other.header("Location") == f"https://{OTHER_NAME}:{production.https_port}/x"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_further_name_leads_to_the_first(production: Production, method: str) -> None:
    path, headers = "/jsonrpc?a=%2F", {"Host": f"{OTHER_NAME.upper()}:{production.https_port}"}
    answer = production.once(path, method=method, headers=headers)
    assert (answer.status, answer.all("Set-Cookie")) == (308, [])
    assert answer.header("Location") == f"https://{production.host}{path}"
    assert_protected(answer)
    proof = "/.well-known/acme-challenge/unknown"
    for secure in (True, False):
        assert production.once(proof, headers=headers, secure=secure).status == 404
    upper = {"Host": f"{NAME.upper()}:{production.https_port}"}
    assert production.once("/web/login", headers=upper).status == 200


@pytest.mark.parametrize("path", ["/web/login", "/web", "/odoo", "/xmlrpc/2/common"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_http_never_reaches_odoo(production: Production, path: str, method: str) -> None:
    answer = production.once(path, method=method, body=b"x=1", secure=False)
    assert (answer.status, answer.all("Set-Cookie")) == (301, [])
    assert answer.header("Location") == f"https://{NAME}:{production.https_port}{path}"


def test_every_cookie_is_for_https_only_and_out_of_reach_of_scripts(
    production: Production, admin: str
) -> None:
    answers = [
        production.ask("/web/login"),
        production.ask("/odoo", headers={"Cookie": admin}),
        production.call("/web/session/get_session_info", {}, admin),
    ]
    cookies = [cookie for answer in answers for cookie in answer.all("Set-Cookie")]
    assert any(cookie.startswith("session_id=") for cookie in cookies)
    for cookie in cookies:
        attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
        assert "secure" in attributes
        if cookie.startswith("session_id="):
            assert {"httponly", "samesite=lax"} <= attributes


def test_pages_are_compressed_only_for_who_asks(production: Production) -> None:
    plain = production.ask("/web/login")
    packed = production.ask("/web/login", headers={"Accept-Encoding": "gzip"})
    assert plain.header("Content-Encoding") == ""
    assert packed.header("Content-Encoding") == "gzip"
    assert "Accept-Encoding" in plain.header("Vary")
