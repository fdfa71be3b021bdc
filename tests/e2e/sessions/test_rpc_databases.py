"""JSON-RPC and XML-RPC serve the platform's database and tell nothing of any other."""

import xmlrpc.client
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.e2e.support.checkout import Checkout
from tests.e2e.support.module_tests import run_module_tests
from tests.e2e.support.session_store import in_odoo

_DENIED = "odoo.exceptions.AccessDenied"
_COPY, _NOWHERE = "odoo__before", "odoo__nowhere"


@pytest.fixture(scope="module", autouse=True)
def copy(platform: Checkout) -> Iterator[None]:
    """A database in which the same logins work, as a restore or a clone leaves it."""
    platform.copy_database(_COPY)
    try:
        yield
    finally:
        platform.exec("odoo_db", "dropdb", "-U", "odoo", "--force", _COPY)


def opened(platform: Checkout) -> str:
    """How often the copy has been opened, by anybody; statistics come after a moment."""
    platform.sql("SELECT pg_stat_force_next_flush()", "postgres")
    query = f"SELECT sessions FROM pg_stat_database WHERE datname = '{_COPY}'"
    return platform.sql(query, "postgres")


def rpc(platform: Checkout, service: str, method: str, *arguments: Any) -> Any:
    """The result, or the name of the error."""
    params = {"service": service, "method": method, "args": arguments}
    answer = requests.post(f"{platform.url}/jsonrpc", json={"params": params}, timeout=30).json()
    return answer["error"]["data"]["name"] if "error" in answer else answer.get("result")


def xml(platform: Checkout, version: str, service: str, method: str, *arguments: Any) -> Any:
    """The result, or the fault's code."""
    proxy = xmlrpc.client.ServerProxy(f"{platform.url}/xmlrpc/{version}{service}")
    try:
        return getattr(proxy, method)(*arguments)
    except xmlrpc.client.Fault as fault:
        return fault.faultCode


def test_no_way_of_rpc_leads_to_another_database(platform: Checkout) -> None:
    password, before = platform.admin_password, opened(platform)
    count: tuple[Any, ...] = ("res.users", "search_count", [[]])
    assert rpc(platform, "common", "authenticate", "odoo", "admin", password, {}) == 2
    assert rpc(platform, "object", "execute_kw", "odoo", 2, password, *count) >= 1
    assert xml(platform, "2/", "common", "authenticate", "odoo", "admin", password, {}) == 2
    for name in (_COPY, _NOWHERE, "postgres"):
        login, user = (name, "admin", password), (name, 2, password)
        assert rpc(platform, "common", "authenticate", *login, {}) == _DENIED
        assert rpc(platform, "common", "login", *login) == _DENIED
        assert rpc(platform, "object", "execute_kw", *user, *count) == _DENIED
        assert rpc(platform, "object", "execute", *user, "res.users", "read", [2]) == _DENIED
        assert xml(platform, "2/", "common", "authenticate", *login, {}) == 3
        assert xml(platform, "2/", "object", "execute_kw", *user, *count) == 3
        assert xml(platform, "", "common", "login", *login) == "AccessDenied"
    assert opened(platform) == before, "it was not even opened"


def test_the_service_db_is_closed(platform: Checkout) -> None:
    for name in ("odoo", _COPY, _NOWHERE):
        assert rpc(platform, "db", "db_exist", name) == _DENIED
        assert xml(platform, "2/", "db", "db_exist", name) == 3
    assert rpc(platform, "db", "list") == _DENIED
    assert rpc(platform, "db", "server_version") == _DENIED
    assert rpc(platform, "common", "version")["protocol_version"] == 1


def test_the_other_doors_keep_to_the_filter_as_well(platform: Checkout) -> None:
    before = opened(platform)
    for name in (_COPY, _NOWHERE):
        body = {"params": {"db": name, "login": "admin", "password": platform.admin_password}}
        url = f"{platform.url}/web/session/authenticate"
        answer = requests.post(url, json=body, timeout=30).json()
        assert answer["error"]["data"]["message"] == "Database not found."
        requests.get(f"{platform.url}/web/login?db={name}", timeout=30)
        headers = {"X-Odoo-Database": name}
        for path in ("/json/2/res.users/read", "/web/login?db=" + name):
            url = f"{platform.url}{path}"
            answer = requests.get(url, headers=headers, timeout=30, allow_redirects=False)
            # Odoo 18 knows neither header nor JSON-2, and sends the path to its login page.
            assert "/json/2" not in path or answer.status_code in (303, 404)
    assert opened(platform) == before


def test_the_tests_of_the_module_pass_in_odoo(platform: Checkout) -> None:
    log = run_module_tests(platform, "platform_http")
    for name in ("TestHttp", "TestAway", "TestDatabases", "TestOrigins", "TestPool"):
        assert f"Starting {name}." in log


def test_where_it_is_not_server_wide_the_module_does_nothing(platform: Checkout) -> None:
    script = "import odoo.addons.platform_http; print(odoo.service.model.dispatch.__qualname__)"
    shell = f"echo '{script}' | odoo shell -d odoo --load=base,web --no-http"
    assert "dispatch" in in_odoo(platform, "sh", "-c", shell).split()
