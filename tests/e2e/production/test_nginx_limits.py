"""How many requests one address may make, and which ones are counted."""

import re
from collections.abc import Iterator

import pytest

from tests.e2e.support.production import HEADERS, Production
from tests.e2e.support.raw import Streams, at_once, tally
from tests.support.waiting import eventually

pytestmark = pytest.mark.serial

_UNCOUNTED = ["/web/static/img/favicon.ico", "/web/image/res.company/1/logo", "/web/health"]
_RPC_BODY = b'{"jsonrpc": "2.0", "method": "call", "params": {}}'


@pytest.fixture(scope="module", autouse=True)
def no_burden(production: Production) -> Iterator[None]:
    """Counters at nothing for the tests that follow."""
    yield
    production.forget_limits()


@pytest.fixture(autouse=True)
def no_history(production: Production) -> None:
    """Counters at nothing before each test."""
    production.forget_limits()


def _reached_odoo(production: Production, path: str) -> int:
    return len(re.findall(rf'"(?:GET|POST|HEAD) {re.escape(path)}[ ?]', production.logs("odoo")))


def test_of_sixty_requests_at_once_twenty_one_pass(production: Production) -> None:
    found = tally(at_once(production, "/web/login", 60))
    assert set(found) == {200, 429}
    assert 21 <= found[200] <= 23  # ten more come free in each second
    assert found[200] + found[429] == 60


def test_after_a_pause_the_next_request_passes(production: Production) -> None:
    assert at_once(production, "/web/login", 60).count(429) >= 37
    assert eventually(lambda: production.once("/web/login").status == 200, 5)


def test_a_refusal_has_every_header_once(production: Production) -> None:
    streams = Streams(production)
    for _ in range(40):
        streams.open("/web/login")
    streams.flush()
    streams.read(40)
    streams.close()
    refused = [streams.headers[s] for s, status in streams.status.items() if status == 429]
    assert refused
    for name, value in HEADERS.items():
        assert [v for n, v in refused[0] if n == name.lower()] == [value]
    assert [v for n, v in refused[0] if n == "retry-after"] == ["2"]
    passed = [streams.headers[s] for s, status in streams.status.items() if status == 200]
    assert "retry-after" not in dict(passed[0])


@pytest.mark.parametrize(
    ("path", "seconds"),
    [("/web/login", "6"), ("/web/session/authenticate", "6"), ("/jsonrpc", "2")],
)
def test_a_refused_login_may_come_again_when_one_is_free(
    production: Production, path: str, seconds: str
) -> None:
    streams = Streams(production)
    for _ in range(30):
        streams.open(path, "POST", {"content-length": "0"})
    streams.flush()
    streams.read(30)
    streams.close()
    refused = [streams.headers[s] for s, status in streams.status.items() if status == 429]
    assert refused
    assert {dict(headers)["retry-after"] for headers in refused} == {seconds}


def test_of_a_hundred_streams_at_a_time_fifty_pass(production: Production) -> None:
    # Requests whose body is still to come are held open, however fast Odoo is. The
    # rate is out of the way: it would refuse most before they could be counted.
    with production.changed("conf.d/sites/odoo-prod.conf", "burst=20 nodelay", "burst=500 nodelay"):
        streams = Streams(production)
        path, kind = "/web/webclient/version_info", {"content-type": "application/json"}
        length = {"content-length": str(len(_RPC_BODY))}
        opened = [streams.open(path, "POST", {**kind, **length}, end=False) for _ in range(100)]
        streams.flush()
        streams.read(50, to_the_end=False)
        assert tally(list(streams.status.values())) == {429: 50}
        for stream in set(opened) - set(streams.status):
            streams.finish(stream, _RPC_BODY)
        streams.flush()
        streams.read(100)
        streams.close()
        assert tally(list(streams.status.values())) == {200: 50, 429: 50}


@pytest.mark.parametrize(
    ("path", "at_most"),
    [
        ("/web/login", 7),
        ("/web/session/authenticate", 7),
        ("/web/reset_password", 7),
        ("/fr/web/login", 7),
        ("/de_DE/web/login", 7),
        ("/web//login", 7),
        ("/xmlrpc/2/common", 23),
        ("/jsonrpc", 23),
        ("/fr/jsonrpc", 23),
    ],
)
def test_guessing_passwords_soon_ends(production: Production, path: str, at_most: int) -> None:
    # One after the other: the page's own limit of ten a second is not what stops them.
    with production.changed(
        "conf.d/sites/odoo-prod.conf", "zone=odoo_limit burst=20", "zone=odoo_limit burst=500"
    ):
        found = at_once(production, path, 60, "POST")
    passed = 60 - found.count(429)
    assert 1 <= passed <= at_most


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "QUERY"])
@pytest.mark.parametrize("path", ["/web/session/authenticate", "/jsonrpc"])
def test_another_method_is_no_way_around(production: Production, path: str, method: str) -> None:
    # Odoo takes JSON by whatever method it comes.
    burst = "zone=odoo_limit burst=20", "zone=odoo_limit burst=500"
    with production.changed("conf.d/sites/odoo-prod.conf", *burst):
        found = at_once(production, path, 60, method)
    assert 1 <= 60 - found.count(429) <= 23


def test_looking_at_the_login_page_is_no_guess(production: Production) -> None:
    assert tally(at_once(production, "/web/login", 20)) == {200: 20}


def test_twenty_wrong_passwords_mostly_never_reach_odoo(production: Production) -> None:
    before = _reached_odoo(production, "/web/login")
    body = b"login=admin&password=wrong"
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answers = [
        production.once("/web/login", method="POST", body=body, headers=headers).status
        for _ in range(20)
    ]
    refused = answers.count(429)
    assert refused >= 11 and answers[0] != 429
    logged = eventually(lambda: _reached_odoo(production, "/web/login") - before, 5)
    assert logged == 20 - refused


@pytest.mark.parametrize("path", _UNCOUNTED)
def test_files_and_pictures_are_never_refused(production: Production, path: str) -> None:
    found = [status for _ in range(3) for status in at_once(production, path, 100)]
    assert tally(found) == {200: 300}


def test_a_bundle_is_never_refused(production: Production) -> None:
    page = production.ask("/web/login").text
    bundles = re.findall(r'(?:src|href)="(/web/assets/[^"]+\.(?:js|css))"', page)
    assert bundles
    production.once(bundles[0])  # makes it
    assert tally(at_once(production, bundles[0], 100)) == {200: 100}


@pytest.mark.parametrize(
    "path",
    [
        "/web/static/../login",
        "/web/static/%2e%2e/login",
        "/web/assets/..%2flogin",
        "/web/assets/%2e%2e/login",
        "/web/image/..;/../login",
        "/web/static/..%5clogin",
        "/web/health/../login",
    ],
)
def test_a_detour_frees_no_page_from_the_limit(production: Production, path: str) -> None:
    assert at_once(production, path, 60).count(429) >= 37


def test_a_trusted_address_is_not_counted(production: Production) -> None:
    networks = production.inspect("nginx")["NetworkSettings"]["Networks"]
    here = networks[f"{production.project}_edge"]["Gateway"]
    with production.changed(
        "snippets/limits.conf", "default 0;", "default 0;\n    PLACE 1;".replace("PLACE", here)
    ):
        assert tally(at_once(production, "/web/login", 40)) == {200: 40}
    assert at_once(production, "/web/login", 60).count(429) >= 37


def test_a_forged_address_does_not_escape_the_count(production: Production) -> None:
    streams = Streams(production)
    for number in range(60):
        forged = f"198.51.100.{number}"
        headers = {"x-forwarded-for": forged, "x-real-ip": forged, "forwarded": f"for={forged}"}
        streams.open("/web/login", "GET", headers)
    streams.flush()
    streams.read(60)
    streams.close()
    assert 37 <= list(streams.status.values()).count(429) <= 39
    assert "198.51.100." not in production.logs("odoo")
