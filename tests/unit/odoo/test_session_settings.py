"""The configuration of odoo/addons/session_redis, which needs neither Odoo nor Redis."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.conftest import ROOT

_ADDON = ROOT / "odoo" / "addons" / "session_redis"


@pytest.fixture(scope="module")
def module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("session_settings", _ADDON / "settings.py")
    assert spec and spec.loader
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = loaded  # dataclasses look their module up
    spec.loader.exec_module(loaded)
    return loaded


def _conf(folder: Path, *lines: str) -> str:
    path = folder / "odoo.conf"
    path.write_text("\n".join(["[options]", "workers = 4", "[session_redis]", *lines]) + "\n")
    return str(path)


def test_without_anything_the_defaults_hold(module: ModuleType) -> None:
    settings = module.Settings.load("", {})
    assert (settings.host, settings.port, settings.db) == ("localhost", 6379, 0)
    assert settings.tls is False
    assert settings.anonymous_lifetime >= 86400, "a cart survives a day"
    assert settings.timeout < 2


def test_the_environment_wins_over_the_file(module: ModuleType, tmp_path: Path) -> None:
    conf = _conf(tmp_path, "host = one", "db = 3", "tls = yes")
    settings = module.Settings.load(conf, {"SESSION_REDIS_HOST": "two", "HOST": "three"})
    assert (settings.host, settings.db, settings.tls) == ("two", 3, True)


def test_the_literal_odoo_conf_is_accepted_but_for_the_password_file(module: ModuleType) -> None:
    conf = str(ROOT / "odoo" / "odoo.conf")
    settings = module.Settings.load(conf, {"SESSION_REDIS_PASSWORD_FILE": ""})
    assert settings.host == "redis"


@pytest.mark.parametrize(
    "line",
    [
        "port = eighty",
        "port = 0",
        "db = -1",
        "tls = perhaps",
        "hots = redis",
        "host =",
        "host = my redis",
        "timeout = 30",
        "timeout = soon",
        "anonymous_lifetime = 1 day",
        "password_file = /nowhere",
        "prefix =",
        "tls_ca_file = /nowhere",
        "prefix = session*:",
        "prefix = [s]:",
        "prefix = s?",
        "prefix = s\\:",
        f"tls_ca_file = {__file__}",
        "user = two words",
        "sentinels = one",
        "sentinels = one:port,two:26379",
        "sentinels = one:0",
        "sentinels = one:26379",
        "sentinel_auth = perhaps",
    ],
)
def test_a_wrong_option_is_named(module: ModuleType, tmp_path: Path, line: str) -> None:
    with pytest.raises(module.SettingsError, match=line.split(" ")[0]) as caught:
        module.Settings.load(_conf(tmp_path, line), {})
    assert "\n" not in str(caught.value)


def test_everything_wrong_is_said_at_once(module: ModuleType, tmp_path: Path) -> None:
    conf = _conf(tmp_path, "port = x", "tls = x")
    with pytest.raises(module.SettingsError, match=r"port = .*; tls = "):
        module.Settings.load(conf, {})


def test_a_broken_file_is_named(module: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "odoo.conf"
    path.write_text("no section\n")
    with pytest.raises(module.SettingsError, match=r"odoo\.conf cannot be read"):
        module.Settings.load(str(path), {})


def test_the_password_shows_in_no_repr(module: ModuleType, tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("Xq3vR8-kTz1mPw7dLs5y\n")
    settings = module.Settings.load(_conf(tmp_path, f"password_file = {secret}"), {})
    assert settings._password() == "Xq3vR8-kTz1mPw7dLs5y"
    assert "Xq3vR8" not in repr(settings)
    secret.write_text("\n")
    with pytest.raises(module.SettingsError, match="is empty"):
        settings._password()


def test_sentinels_stand_in_for_a_host(module: ModuleType, tmp_path: Path) -> None:
    conf = _conf(tmp_path, "host = redis")
    settings = module.Settings.load(
        conf,
        {
            "SESSION_REDIS_HOST": "",
            "SESSION_REDIS_SENTINELS": "one:26379, 10.0.0.7:26380",
            "SESSION_REDIS_SENTINEL_MASTER": "main",
        },
    )
    assert settings.sentinels == (("one", 26379), ("10.0.0.7", 26380))
    assert settings.place == "main by the Sentinels one:26379,10.0.0.7:26380"
    assert module.Settings.load(conf, {}).place == "redis:6379"


def test_every_option_is_explained_in_the_readme(module: ModuleType) -> None:
    text = (_ADDON / "README.md").read_text()
    assert not [name for name in module.OPTIONS if f"`{name}`" not in text]
