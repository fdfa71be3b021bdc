"""What odoo/addons/platform_mail reads of the environment; Odoo itself is in tests/e2e."""

import importlib.util
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import pytest

from tests.conftest import ROOT

_FILE = ROOT / "odoo" / "addons" / "platform_mail" / "settings.py"


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    for name in ("HOST", "PORT", "ENCRYPTION", "USER", "FROM", "CA_FILE"):
        monkeypatch.delenv(f"SMTP_{name}", raising=False)
    spec = importlib.util.spec_from_file_location("platform_mail_settings", _FILE)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(__import__("sys").modules, spec.name, module)  # for dataclasses
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("given", "address"), [("", None), ("mail_catcher.:1025", ("mail_catcher.", 1025))]
)
def test_the_catcher_is_what_compose_names(
    settings: Any, monkeypatch: pytest.MonkeyPatch, given: str, address: object
) -> None:
    monkeypatch.setenv("MAIL_CATCHER", given)
    found = settings.catcher()
    assert (found and found.address) == address and (not found or found.is_catcher)


@pytest.mark.parametrize(
    ("given", "port"),
    [
        ({}, 587),
        ({"SMTP_ENCRYPTION": "ssl"}, 465),
        ({"SMTP_ENCRYPTION": "none"}, 25),
        ({"SMTP_ENCRYPTION": "ssl", "SMTP_PORT": "2465"}, 2465),
    ],
)
def test_the_port_follows_the_encryption(
    settings: Any, monkeypatch: pytest.MonkeyPatch, given: Mapping[str, str], port: int
) -> None:
    for name, value in {"SMTP_HOST": "relay", **given}.items():
        monkeypatch.setenv(name, value)
    assert settings.relay().address == ("relay", port)


def test_without_a_host_there_is_no_relay(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMTP_ENCRYPTION", "starttls")
    assert settings.relay() is None


def test_an_encryption_that_is_none_keeps_odoo_from_starting(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMTP_HOST", "relay")
    monkeypatch.setenv("SMTP_ENCRYPTION", "tls")
    with pytest.raises(ValueError, match="SMTP_ENCRYPTION=tls"):
        settings.relay()


def test_the_sender_and_its_domain_are_told_to_odoo_if_there_is_one(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    config: dict[str, str] = {}
    settings.set_sender(config)
    assert config == {}
    monkeypatch.setenv("SMTP_FROM", "odoo@example.com")
    settings.set_sender(config)
    assert config == {"email_from": "odoo@example.com", "from_filter": "example.com"}


def test_a_password_may_end_in_a_space(
    settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    (tmp_path / "password").write_text(" secret \n")
    monkeypatch.setattr(settings, "PASSWORD_FILE", tmp_path / "password")
    assert settings.Server(("relay", 25)).password() == " secret "
