"""What odoo/odoo_versions.py makes of the two series, by stand-ins with their recorded ways."""

import importlib.util
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tests.conftest import ROOT

_FILE = ROOT / "odoo" / "odoo_versions.py"
_18, _19 = (18, 0, 0, "final", 0, ""), (19, 0, 0, "final", 0, "")


def _versions(monkeypatch: pytest.MonkeyPatch, info: tuple[object, ...], **module: Any) -> Any:
    """The module beside an Odoo of the version `info`, whose odoo.modules.module has `module`."""
    odoo, modules, release = (ModuleType(n) for n in ("odoo", "odoo.modules", "odoo.release"))
    release.__dict__["version_info"] = info
    modules.__dict__["module"] = SimpleNamespace(**module)
    odoo.__dict__.update(modules=modules, release=release)
    for part in (odoo, modules, release):
        monkeypatch.setitem(sys.modules, part.__name__, part)
    spec = importlib.util.spec_from_file_location("odoo_versions", _FILE)
    assert spec and spec.loader
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


@pytest.mark.parametrize(
    ("info", "series"),
    [(_18, (18, 0)), (_19, (19, 0)), (("saas~18", 2), (18, 2)), (("saas-18", "4"), (18, 4))],
)
def test_the_series_is_two_numbers(
    monkeypatch: pytest.MonkeyPatch, info: tuple[object, ...], series: tuple[int, int]
) -> None:
    assert _versions(monkeypatch, info).series() == series


def _refuse(version: str, **_: bool) -> str:
    raise ValueError(version)


def _with_18_in_front(version: str) -> str:
    return f"18.0.{version}"


def test_a_manifest_is_judged_without_the_function_that_18_lacks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    versions = _versions(monkeypatch, _18, adapt_version=_with_18_in_front)
    assert versions.manifest_version("1.0") == "18.0.1.0"
    versions = _versions(monkeypatch, _18, adapt_version=_refuse)
    with pytest.raises(ValueError, match=r"17\.0\.1\.0"):
        versions.manifest_version("17.0.1.0")


def test_a_manifest_is_judged_by_the_function_that_19_has(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = _versions(monkeypatch, _19, adapt_version=str, check_version=_refuse)
    with pytest.raises(ValueError, match=r"18\.0\.1\.0"):
        versions.manifest_version("18.0.1.0")


def test_options_are_where_each_series_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    old = _Config({"server_wide_modules": "base, web,platform_http"})
    new = _Config({"server_wide_modules": ["base", "platform_http"], "config": "/new.conf"})
    for info, config, file in ((_18, old, "/old.conf"), (_19, new, "/new.conf")):
        versions = _versions(monkeypatch, info)
        assert versions.configuration_file(config) == file
        assert versions.is_server_wide("platform_http", config)
        assert not versions.is_server_wide("platform", config)


class _Config(dict[str, object]):
    rcfile = "/old.conf"


def test_what_odoo_is_told_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    old = _versions(monkeypatch, _18)
    assert (old.demo_arguments(), old.application_variable()) == ([], "ODOO_PGAPPNAME")
    assert not old.refuses_odd_identifiers()
    new = _versions(monkeypatch, _19)
    assert (new.demo_arguments(), new.application_variable()) == (["--with-demo"], "PGAPPNAME")
    assert new.refuses_odd_identifiers()
    assert old.rotated_seconds(SimpleNamespace()) == 120
    assert old.rotated_seconds(SimpleNamespace(SESSION_DELETION_TIMER=60)) == 60


def _mail_models(monkeypatch: pytest.MonkeyPatch, **content: Any) -> None:
    """odoo.addons.base.models.ir_mail_server with `content`."""
    names = ["odoo.addons", "odoo.addons.base", "odoo.addons.base.models"]
    for name in names:
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    models = sys.modules[names[-1]]
    models.__dict__["ir_mail_server"] = SimpleNamespace(SMTP_TIMEOUT=60, **content)


@pytest.mark.parametrize(
    ("info", "name", "connect", "build"),
    [
        (_18, "IrMailServer", "connect", "build_email"),
        (_19, "IrMail_Server", "_connect__", "_build_email__"),
    ],
)
def test_the_mail_server_of_each_version_is_found_by_its_names(
    monkeypatch: pytest.MonkeyPatch, info: tuple[object, ...], name: str, connect: str, build: str
) -> None:
    versions = _versions(monkeypatch, info)
    _mail_models(monkeypatch, **{name: "the class"})
    assert versions.mail_server_class() == "the class"
    assert (versions.mail_connect(), versions.mail_build()) == (connect, build)


@pytest.mark.parametrize("sends", [True, False])
def test_whether_mail_is_sent_is_asked_as_each_version_does(
    monkeypatch: pytest.MonkeyPatch, sends: bool
) -> None:
    test = None if sends else "a test"
    old = _versions(monkeypatch, _18, current_test=test)
    assert old.sends_mail(SimpleNamespace()) is sends
    new = _versions(monkeypatch, _19, current_test=None)
    assert new.sends_mail(SimpleNamespace(_disable_send=lambda: not sends)) is sends


@pytest.mark.parametrize(
    ("info", "encryption", "kind"),
    [(_18, "ssl", "Odoo's"), (_19, "ssl", "SMTP_SSL"), (_19, "starttls", "SMTP")],
)
def test_a_connection_is_of_the_kind_that_the_version_sends_by(
    monkeypatch: pytest.MonkeyPatch, info: tuple[object, ...], encryption: str, kind: str
) -> None:
    versions = _versions(monkeypatch, info)
    _mail_models(monkeypatch, SMTPConnection=lambda *_, **__: "Odoo's")
    monkeypatch.setattr("smtplib.SMTP", lambda *_, **__: "SMTP")
    monkeypatch.setattr("smtplib.SMTP_SSL", lambda *_, **__: "SMTP_SSL")
    assert versions.smtp_connection(("relay", 1), encryption, None) == kind


def test_an_archived_mail_server_is_refused_where_it_is_checked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class UserError(Exception):
        pass

    old = _versions(monkeypatch, _18)
    exceptions = SimpleNamespace(UserError=UserError)
    monkeypatch.setitem(sys.modules, "odoo.exceptions", exceptions)
    row = SimpleNamespace(active=False, display_name="World")
    with pytest.raises(UserError, match="World"):
        old.check_mail_server(row, False, "me")
    old.check_mail_server(row, True, "me")
    asked: list[object] = []
    new = _versions(monkeypatch, _19)
    row._check_forced_mail_server = lambda *words: asked.append(words)
    new.check_mail_server(row, True, "me")
    assert asked == [(row, True, "me")]
