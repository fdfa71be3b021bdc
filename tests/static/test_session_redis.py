"""What the session module must never do, seen in its text."""

import ast
import re

import pytest

from tests.static.support.project import ROOT, compose

_ADDON = ROOT / "odoo" / "addons" / "session_redis"
_ON_REQUESTS = ("__init__.py", "settings.py", "start.py", "store.py", "files.py")


@pytest.mark.parametrize("name", [*_ON_REQUESTS, "admin.py"])
def test_no_pickle_and_no_keys(name: str) -> None:
    text = (_ADDON / name).read_text()
    assert not re.search(r"pickle|marshal|\beval\(|\.keys\(\s*['\"]|flushdb|flushall", text, re.I)


@pytest.mark.parametrize("name", _ON_REQUESTS)
def test_a_request_never_walks_over_all_keys(name: str) -> None:
    assert "scan" not in (_ADDON / name).read_text().lower()


def test_the_module_is_short_enough_to_be_read() -> None:
    total = sum(len((_ADDON / name).read_text().splitlines()) for name in _ON_REQUESTS)
    assert total < 750
    for path in _ADDON.rglob("*.py"):
        assert len(path.read_text().splitlines()) <= 300, path.name


def test_it_may_be_passed_on_under_the_lesser_gpl() -> None:
    manifest = ast.literal_eval((_ADDON / "__manifest__.py").read_text())
    assert manifest["license"] == "LGPL-3"
    assert "installable" in manifest and manifest["external_dependencies"] == {"python": ["redis"]}


def test_odoo_conf_leaves_the_server_wide_modules_to_the_version() -> None:
    conf = (ROOT / "odoo" / "odoo.conf").read_text()
    assert not re.search(r"^server_wide_modules", conf, re.MULTILINE)
    assert "session_redis" in (ROOT / "odoo" / "bin" / "platform-entrypoint").read_text()


def test_redis_keeps_what_it_is_given_and_asks_for_the_password() -> None:
    service = compose("compose.yaml")["services"]["redis"]
    command = " ".join(service["command"])
    assert '--save ""' in command, "a snapshot that fails would stop all writing"
    assert "--appendonly yes" in command and "--maxmemory-policy noeviction" in command
    assert service["entrypoint"] == ["sh", "/etc/platform/start"]
    assert "user" not in service
    shown = str(service["command"]) + str(service["healthcheck"]) + str(service.get("environment"))
    assert not re.search(r"pass|auth", shown, re.IGNORECASE)
