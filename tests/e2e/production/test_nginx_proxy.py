"""Behind another proxy: who is believed about visitors, and who is not."""

import re
import secrets
from collections.abc import Iterator

import pytest

from tests.e2e.support.production import (
    HANDSHAKE,
    NAME,
    OTHER_NAME,
    Answer,
    Production,
    asked_of_odoo,
    assert_protected,
    new_file,
    session_cookie,
)
from tests.e2e.support.raw import Streams, tally
from tests.support.waiting import eventually

pytestmark = pytest.mark.serial  # the limits are counted

_VISITOR = "198.51.100.7"


def _here(production: Production) -> str:
    """The address that Nginx sees of this host."""
    networks = production.inspect("nginx")["NetworkSettings"]["Networks"]
    gateway: str = networks[f"{production.project}_edge"]["Gateway"]
    return gateway


def _start(production: Production, trusted: str = "", aliases: str = "redirect") -> None:
    up = ["docker", "compose", "up", "--detach", "--no-deps", "nginx"]
    done = production.run(*up, TRUSTED_PROXIES=trusted, ODOO_ALIASES=aliases)
    assert done.returncode == 0, done.stderr
    production.forget_limits()


@pytest.fixture(scope="module")
def behind(production: Production) -> Iterator[Production]:
    """Production to which this host is a proxy that may speak for others."""
    _start(production, f"2001:db8::/32, {_here(production)} 10.0.0.0/8", "serve")
    try:
        yield production
    finally:
        _start(production)


@pytest.fixture
def no_history(behind: Production) -> None:
    """Counters at nothing."""
    behind.forget_limits()


def _asked(
    site: Production, path: str, proto: str, *, secure: bool = False, host: str = NAME
) -> Answer:
    """What a proxy gets that passes on the name its visitors use."""
    headers = {"Host": host, "X-Forwarded-For": _VISITOR, "X-Forwarded-Proto": proto}
    headers = {name: value for name, value in headers.items() if value}
    return site.once(path, headers=headers, secure=secure)


def _logged(site: Production, mark: str) -> str:
    """The address in Odoo's line about a request with `mark` in its path."""
    lines = eventually(lambda: re.findall(rf"([0-9a-f.:]+) - - .*{mark}", site.logs("odoo")), 5)
    found: str = lines[0]
    return found


def test_what_came_by_https_is_served_by_port_80(behind: Production) -> None:
    answer = _asked(behind, "/web/login", "https")
    assert answer.status == 200
    assert_protected(answer)
    cookie = next(c for c in answer.all("Set-Cookie") if c.startswith("session_id="))
    assert "secure" in cookie.lower() and session_cookie(answer)


@pytest.mark.parametrize(
    ("proto", "secure", "status"),
    [
        ("https", False, 200),
        ("HTTPS, http", False, 200),
        ("https", True, 200),
        ("", True, 200),
        ("http", False, 301),
        ("http", True, 301),  # the proxy speaks HTTPS here, its visitor did not
        ("http, https", False, 301),
        ("gopher", False, 301),
        ("xhttps", False, 301),
    ],
)
def test_the_proxy_says_how_the_visitor_came(
    behind: Production, proto: str, secure: bool, status: int
) -> None:
    answer = _asked(behind, "/web/login?x=y", proto, secure=secure)
    assert answer.status == status
    if status == 301 and proto.startswith("http"):
        assert answer.header("Location") == f"https://{NAME}/web/login?x=y"


def test_who_comes_past_the_proxy_is_led_to_https(behind: Production) -> None:
    answer = behind.once("/web/login", secure=False)
    assert (answer.status, answer.header("Location")) == (301, f"{behind.url}/web/login")


def test_the_address_of_the_site_is_without_the_port_of_nginx(behind: Production) -> None:
    base = "SELECT value FROM ir_config_parameter WHERE key = 'web.base.url'"
    enter = ["platform-addresses"]  # as each start of Odoo does
    behind.execute("odoo", "env", "TRUSTED_PROXIES=10.0.0.0/8", *enter, user="odoo")
    assert behind.sql(base) == f"https://{NAME}"
    behind.execute("odoo", *enter, user="odoo")
    assert behind.sql(base) == behind.url


def test_with_aliases_served_a_further_name_is_served(behind: Production) -> None:
    answer = _asked(behind, "/web/login", "https", host=OTHER_NAME)
    assert answer.status == 200
    path = new_file()  # each name has files of its own: two websites
    for name in (NAME, OTHER_NAME):
        behind.once(path, headers={"Host": f"{name}:{behind.https_port}"})
    assert eventually(lambda: asked_of_odoo(behind, path) == 2, 5)


@pytest.mark.parametrize(
    ("forwarded", "logged"),
    [
        (_VISITOR, _VISITOR),
        (f"6.6.6.6, {_VISITOR}", _VISITOR),  # the first is the visitor's own invention
        (f"6.6.6.6, {_VISITOR}, 10.1.2.3", _VISITOR),  # by way of two proxies
        (f"10.9.9.9, {_VISITOR}", _VISITOR),
        ("2001:db8:1::1, 2001:db9::1", "2001:db9::1"),
        ("nonsense", ""),
        ("", ""),
    ],
)
def test_the_visitor_is_whom_the_proxy_names(
    behind: Production, forwarded: str, logged: str
) -> None:
    mark = secrets.token_hex(6)
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    behind.once(f"/{mark}", headers=headers)
    assert _logged(behind, mark) == (logged or _here(behind))


@pytest.mark.usefixtures("no_history")
def test_fourteen_visitors_behind_one_proxy_are_counted_apart(behind: Production) -> None:
    streams = Streams(behind)
    for number in range(14 * 6):
        streams.open("/web/login", "GET", {"x-forwarded-for": f"198.51.100.{number % 14}"})
    streams.flush()
    streams.read(14 * 6)
    streams.close()
    assert tally(list(streams.status.values())) == {200: 14 * 6}


@pytest.mark.usefixtures("no_history")
def test_one_visitor_behind_a_proxy_has_a_limit(behind: Production) -> None:
    streams = Streams(behind)
    for number in range(60):
        forged = {"x-forwarded-for": f"203.0.113.{number}, {_VISITOR}"}
        streams.open("/web/login", "GET", forged)
    streams.flush()
    streams.read(60)
    streams.close()
    assert list(streams.status.values()).count(429) >= 37


def test_nobody_else_is_believed(behind: Production) -> None:
    # Odoo's container is on the same network, and no proxy.
    mark = secrets.token_hex(6)
    curl = ["curl", "-sk", "-o", "/dev/null", "-w", "%{http_code}", "-H", f"Host: {NAME}"]
    curl += ["-H", "X-Forwarded-Proto: https", "-H", f"X-Forwarded-For: {_VISITOR}"]
    assert behind.execute("odoo", *curl, f"http://nginx/{mark}") == "301"
    there = f"{NAME}:443:{behind.address('nginx')}"
    behind.execute("odoo", *curl, "--resolve", there, f"https://{NAME}/{mark}")
    assert _logged(behind, mark) == behind.address("odoo")


@pytest.mark.parametrize(("scheme", "status"), [("https", 101), ("http", 403)])
def test_live_updates_pass_the_proxy(behind: Production, scheme: str, status: int) -> None:
    own = {"Host": NAME, "Origin": f"{scheme}://{NAME}", "X-Forwarded-Proto": "https"}
    answer = behind.once("/websocket", headers={**HANDSHAKE, **own}, secure=False)
    assert answer.status == status
