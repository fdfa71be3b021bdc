"""odoo/bin/platform-addresses: which address is the site's, and what is left alone."""

from types import ModuleType
from unittest.mock import MagicMock

import pytest

from tests.conftest import ROOT


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    path = ROOT / "odoo" / "bin" / "platform-addresses"
    loaded = ModuleType("platform_addresses")
    monkeypatch.setitem(__import__("sys").modules, "psycopg2", MagicMock())
    exec(compile(path.read_text(), str(path), "exec"), loaded.__dict__)
    return loaded


@pytest.mark.parametrize(
    ("settings", "address"),
    [
        ({}, ""),
        ({"ODOO_DOMAIN": " "}, ""),
        ({"ODOO_DOMAIN": "localhost"}, "https://localhost"),
        ({"ODOO_DOMAIN": " a.example.com  b.example.com"}, "https://a.example.com"),
        (
            {"ODOO_DOMAIN": "a.example.com", "ODOO_PUBLIC_PORT": ":8443"},
            "https://a.example.com:8443",
        ),
        ({"ODOO_DOMAIN": "a.example.com", "ODOO_PUBLIC_PORT": ":443"}, "https://a.example.com"),
        # What browsers use is the port of the proxy.
        (
            {"ODOO_DOMAIN": "a.test", "ODOO_PUBLIC_PORT": ":8443", "TRUSTED_PROXIES": "10.0.0.1"},
            "https://a.test",
        ),
        # A served copy must not lead to the site of which it is one.
        (
            {"ODOO_DOMAIN": "a.test", "ODOO_BASE_URL": "http://staging.localhost:8070"},
            "http://staging.localhost:8070",
        ),
    ],
)
def test_the_first_name_is_the_address(
    program: ModuleType, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], address: str
) -> None:
    for name in ("ODOO_BASE_URL", "ODOO_DOMAIN", "ODOO_PUBLIC_PORT", "TRUSTED_PROXIES"):
        monkeypatch.delenv(name, raising=False)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    assert program.site() == address
