"""The settings of the production site: its names, its address, its authority."""

from pathlib import Path

import pytest

from scripts.core import env_file
from scripts.core.errors import UsageError
from scripts.core.settings import LETSENCRYPT, Environment, Settings
from tests.unit.support.fakes import settings_in


def _load(root: Path, env: str) -> Settings:
    (root / ".env").write_text(env)
    return Settings.load(root)


def test_without_a_domain_the_site_is_this_machine(tmp_path: Path) -> None:
    settings = Settings.load(tmp_path)
    assert settings.domains == ("localhost",)
    assert (settings.acme_server, settings.acme_email) == (LETSENCRYPT, "")


def test_several_domains_stand_with_spaces_between_in_lower_case(tmp_path: Path) -> None:
    env = 'ODOO_DOMAIN="Odoo.Example.com  *.shop.example.com 192.0.2.7"\n'
    names = ("odoo.example.com", "*.shop.example.com", "192.0.2.7")
    assert _load(tmp_path, env).domains == names


@pytest.mark.parametrize(
    "value",
    [
        "*.example.com",
        "*.example.com a.example.com",
        "a.example.com,b.example.com",
        "a.example.com, b.example.com",
        "https://a.example.com",
        "a.example.com:443",
        "a.*.com",
        "-a.com",
        "a_b.com",
        "a;b",
        "{x}",
        " ",
    ],
)
def test_what_is_no_list_of_names_is_refused(tmp_path: Path, value: str) -> None:
    with pytest.raises(UsageError, match="ODOO_DOMAIN") as caught:
        _load(tmp_path, f"ODOO_DOMAIN='{value}'\n")
    assert repr(value) in caught.value.message


@pytest.mark.parametrize("server", ["http://acme.example/dir", "acme.example/dir", "https://"])
def test_an_authority_is_asked_by_https_alone(tmp_path: Path, server: str) -> None:
    with pytest.raises(UsageError, match="ACME_SERVER"):
        _load(tmp_path, f"ACME_SERVER={server}\n")


@pytest.mark.parametrize("email", ["me", "me@", "@example.com", "a@b@c", "me @example.com"])
def test_what_is_no_email_is_refused(tmp_path: Path, email: str) -> None:
    with pytest.raises(UsageError, match="ACME_EMAIL"):
        _load(tmp_path, f"ACME_EMAIL='{email}'\n")


@pytest.mark.parametrize(
    ("port", "url"), [(443, "https://a.example.com"), (8443, "https://a.example.com:8443")]
)
def test_in_production_the_url_is_the_first_domain_wherever_nginx_listens(
    tmp_path: Path, port: int, url: str
) -> None:
    settings = settings_in(
        tmp_path,
        environment=Environment.PROD,
        bind="0.0.0.0",
        domains=("a.example.com", "b.example.com"),
        http_port=8080,
        https_port=port,
    )
    assert settings.tls
    assert settings.url == url


def test_in_development_the_domain_is_not_in_the_url(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, domains=("a.example.com",), https_port=8443)
    assert not settings.tls
    assert settings.url == "http://localhost"


def test_several_names_are_remembered_in_quotes_and_load_as_they_were(tmp_path: Path) -> None:
    settings = _load(tmp_path, "#ODOO_DOMAIN=localhost\n")
    values = {"ODOO_DOMAIN": "a.example.com *.b.example.com", "ACME_EMAIL": "me@example.com"}
    assert env_file.remember(settings.env_file, values) == [
        'ODOO_DOMAIN="a.example.com *.b.example.com"',
        "ACME_EMAIL=me@example.com",
    ]
    loaded = Settings.load(tmp_path)
    assert loaded.domains == ("a.example.com", "*.b.example.com")
    assert loaded.acme_email == "me@example.com"
    assert env_file.remember(loaded.env_file, values) == []


def test_a_value_loses_its_quotes_with_its_spaces(tmp_path: Path) -> None:
    settings = _load(tmp_path, 'ODOO_DOMAIN="a.example.com b.example.com"\n')
    env_file.remember(settings.env_file, {"ODOO_DOMAIN": "a.example.com"})
    assert (tmp_path / ".env").read_text() == "ODOO_DOMAIN=a.example.com\n"


def test_a_remembered_value_leaves_a_link_and_the_rights_of_its_file(tmp_path: Path) -> None:
    target = tmp_path / "kept.env"
    target.write_text("ODOO_PORT=8070\n")
    target.chmod(0o600)
    (tmp_path / ".env").symlink_to(target)
    env_file.remember(settings_in(tmp_path).env_file, {"ODOO_DOMAIN": "a.example.com"})
    assert (tmp_path / ".env").is_symlink()
    assert target.read_text() == "ODOO_PORT=8070\nODOO_DOMAIN=a.example.com\n"
    assert target.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "value", ["", "192.0.2.1", "10.0.0.0/8,2400:cb00::/32", " 192.0.2.1,  172.16.0.0/12 ::1 "]
)
def test_addresses_and_networks_may_be_trusted_proxies(tmp_path: Path, value: str) -> None:
    _load(tmp_path, f"TRUSTED_PROXIES='{value}'\n")


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("proxy.example.com", "is no address or network"),
        ("300.1.2.3", "is no address or network"),
        ("192.0.2.1:80", "is no address or network"),
        ("10.0.0.0/255.0.0.0", "is no address or network"),
        ("fe80::1%eth0", "is no address or network"),
        ("10.0.0.0/33", "is no address or network"),
        ("10.1.2.3/8", "is no network, 10.0.0.0/8 is"),
        ("0.0.0.0/0", "trusts anybody"),
        ("128.0.0.0/1", "trusts anybody"),
        ("::/0", "trusts anybody"),
        ("2000::/3", "trusts anybody"),
    ],
)
def test_what_is_no_proxy_is_refused(tmp_path: Path, value: str, problem: str) -> None:
    with pytest.raises(UsageError, match="TRUSTED_PROXIES") as caught:
        _load(tmp_path, f"TRUSTED_PROXIES='192.0.2.1, {value}'\n")
    assert f"{value!r} {problem}" in caught.value.message
    assert "192.0.2.1'" not in caught.value.message
