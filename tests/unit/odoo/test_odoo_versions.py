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
