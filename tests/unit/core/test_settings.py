import codecs
import os
from pathlib import Path

import pytest

from scripts.core import env_file
from scripts.core.errors import EXIT_USAGE, UsageError
from scripts.core.settings import Environment, Settings
from tests.unit.support.fakes import settings_in


def test_without_env_file_the_defaults_hold(tmp_path: Path) -> None:
    settings = Settings.load(tmp_path)
    assert settings.environment is Environment.DEV
    assert (settings.bind, settings.http_port) == ("127.0.0.1", 80)
    assert (settings.odoo_bind, settings.odoo_port) == ("127.0.0.1", 8069)
    assert settings.compose_files == (tmp_path / "compose.yaml",)


def test_all_wrong_values_are_reported_at_once(tmp_path: Path) -> None:
    wrong = {
        "PLATFORM_ENV": "staging",
        "ODOO_DATABASE": "Odoo; DROP",
        "NGINX_HTTP_PORT": "70000",
        "ODOO_PORT": "eighty",
        "IMAGE_SOURCE": "moon",
        "COMPOSE_PROJECT_NAME": "Has Spaces",
    }
    (tmp_path / ".env").write_text("".join(f"{k}='{v}'\n" for k, v in wrong.items()))
    with pytest.raises(UsageError) as caught:
        Settings.load(tmp_path)
    for name, value in wrong.items():
        assert f"{name}={value!r}" in caught.value.message
    assert caught.value.exit_code == EXIT_USAGE
    assert str(tmp_path / ".env") in caught.value.hint


@pytest.mark.parametrize("name", ["postgres", "template0", "template1", "odoo__restoring"])
def test_odoo_gets_no_database_of_postgresql_s_or_of_ours(tmp_path: Path, name: str) -> None:
    (tmp_path / ".env").write_text(f"ODOO_DATABASE={name}\n")
    with pytest.raises(UsageError, match="ODOO_DATABASE"):
        Settings.load(tmp_path)


@pytest.mark.parametrize("port", ["0", "65536", "-1", "8 0", "8_0", "٨٠", "80.0"])
def test_what_is_no_port_number_is_refused(tmp_path: Path, port: str) -> None:
    (tmp_path / ".env").write_text(f"NGINX_HTTP_PORT='{port}'\n")
    with pytest.raises(UsageError, match="NGINX_HTTP_PORT"):
        Settings.load(tmp_path)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("", 5), ("30s", 30), ("1m30s", 90), ("1500ms", 1.5), ("1.5s", 1.5), ("1s", 1), ("5m", 300)],
)
def test_the_interval_of_health_checks_is_what_compose_takes(
    tmp_path: Path, written: str, seconds: float
) -> None:
    (tmp_path / ".env").write_text(f"HEALTH_INTERVAL={written}\n")
    assert Settings.load(tmp_path).health_seconds == seconds


@pytest.mark.parametrize(
    "written", ["0s", "999ms", "301s", "6m", "1h", "30", "s", "-5s", "5 s", "5sec", "٣٠s", "1d"]
)
def test_an_interval_that_is_none_or_out_of_bounds_is_a_usage_error(
    tmp_path: Path, written: str
) -> None:
    (tmp_path / ".env").write_text(f"HEALTH_INTERVAL='{written}'\n")
    with pytest.raises(UsageError, match=r"HEALTH_INTERVAL=.* is no duration from 1s to 300s"):
        Settings.load(tmp_path)


def test_the_environment_wins_over_the_env_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("NGINX_HTTP_PORT=8080\nODOO_DATABASE=stored\n")
    monkeypatch.setenv("NGINX_HTTP_PORT", "9090")
    settings = Settings.load(tmp_path)
    assert settings.http_port == 9090
    assert settings.database == "stored"


def test_an_empty_value_is_as_good_as_none(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("NGINX_HTTP_PORT=\nNGINX_BIND=\n")
    settings = Settings.load(tmp_path)
    assert (settings.bind, settings.http_port) == ("127.0.0.1", 80)


def test_production_listens_to_everybody_unless_told_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Settings.load(tmp_path, prod=True).bind == "0.0.0.0"
    (tmp_path / ".env").write_text("PLATFORM_ENV=prod\n")
    assert Settings.load(tmp_path).bind == "0.0.0.0"
    monkeypatch.setenv("NGINX_BIND", "127.0.0.1")
    assert Settings.load(tmp_path).bind == "127.0.0.1"


def test_production_adds_the_overlay_after_the_base(tmp_path: Path) -> None:
    files = Settings.load(tmp_path, prod=True).compose_files
    assert [file.name for file in files] == ["compose.yaml", "compose.prod.yaml"]


@pytest.mark.parametrize(
    ("bind", "port", "url"),
    [
        ("127.0.0.1", 80, "http://localhost"),
        ("0.0.0.0", 8080, "http://localhost:8080"),
        ("192.168.1.5", 80, "http://192.168.1.5"),
    ],
)
def test_the_url_is_what_a_browser_on_this_machine_types(
    tmp_path: Path, bind: str, port: int, url: str
) -> None:
    assert settings_in(tmp_path, bind=bind, http_port=port).url == url


def test_an_ipv6_address_is_bracketed_in_the_url(tmp_path: Path) -> None:
    assert settings_in(tmp_path, bind="::1", http_port=8080).url in (
        "http://[::1]:8080",
        "http://localhost:8080",
    )


def test_remembering_uncomments_a_line_where_it_stands(tmp_path: Path) -> None:
    env = tmp_path / ".env"
    env.write_text("# Images\n#REDIS_IMAGE=redis:7\n# The end, REDIS_IMAGE=mentioned\n")
    changed = env_file.remember(settings_in(tmp_path).env_file, {"REDIS_IMAGE": "ipai/redis:7"})
    assert changed == ["REDIS_IMAGE=ipai/redis:7"]
    assert env.read_text() == (
        "# Images\nREDIS_IMAGE=ipai/redis:7\n# The end, REDIS_IMAGE=mentioned\n"
    )


def test_remembering_replaces_the_live_line_not_a_comment_around_it(tmp_path: Path) -> None:
    env = tmp_path / ".env"
    env.write_text("#REDIS_IMAGE=a\nREDIS_IMAGE=old\n#REDIS_IMAGE=b\nODOO_PORT=1\n")
    env_file.remember(settings_in(tmp_path).env_file, {"REDIS_IMAGE": "new"})
    assert env.read_text() == "#REDIS_IMAGE=a\nREDIS_IMAGE=new\n#REDIS_IMAGE=b\nODOO_PORT=1\n"


def test_remembering_twice_changes_nothing_the_second_time(tmp_path: Path) -> None:
    values = {"REDIS_IMAGE": "ipai/redis:7", "NGINX_IMAGE": "ipai/nginx:1"}
    assert len(env_file.remember(settings_in(tmp_path).env_file, values)) == 2
    before = (tmp_path / ".env").stat()
    assert env_file.remember(settings_in(tmp_path).env_file, values) == []
    assert (tmp_path / ".env").stat().st_ino == before.st_ino


def test_what_was_remembered_is_what_is_loaded(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("ODOO_PORT=8070\n#NGINX_IMAGE=nginx:1")  # no newline at the end
    env_file.remember(
        settings_in(tmp_path).env_file, {"NGINX_IMAGE": "a/b:1", "REDIS_IMAGE": "c/d:2"}
    )
    settings = Settings.load(tmp_path)
    assert settings.images == {"NGINX_IMAGE": "a/b:1", "REDIS_IMAGE": "c/d:2"}
    assert settings.odoo_port == 8070


def test_a_variable_whose_name_merely_ends_alike_is_left_alone(tmp_path: Path) -> None:
    env = tmp_path / ".env"
    env.write_text("MY_REDIS_IMAGE=mine\n")
    env_file.remember(settings_in(tmp_path).env_file, {"REDIS_IMAGE": "new"})
    assert env.read_text() == "MY_REDIS_IMAGE=mine\nREDIS_IMAGE=new\n"


def test_a_debugger_is_one_more_file_in_development(tmp_path: Path) -> None:
    settings = Settings.load(tmp_path, debug=True)
    assert settings.compose_files == (tmp_path / "compose.yaml", tmp_path / "compose.debug.yaml")
    assert settings.debug_port == 5678


@pytest.mark.parametrize(("stored", "prod"), [("prod", False), ("dev", True)])
def test_a_debugger_in_production_is_refused(tmp_path: Path, stored: str, prod: bool) -> None:
    (tmp_path / ".env").write_text(f"PLATFORM_ENV={stored}\n")
    with pytest.raises(UsageError, match="no debugger in production"):
        Settings.load(tmp_path, prod=prod, debug=True)


def test_no_settings_of_production_have_the_debugger(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, environment=Environment.PROD, debug=True)
    assert tmp_path / "compose.debug.yaml" not in settings.compose_files


def test_settings_saved_on_windows_are_the_same_settings(tmp_path: Path) -> None:
    text = "COMPOSE_PROJECT_NAME=mine\r\nNGINX_HTTP_PORT=81\r\n#ODOO_PORT=8069\r\n"
    (tmp_path / ".env").write_bytes(codecs.BOM_UTF8 + text.encode())
    settings = Settings.load(tmp_path)
    assert (settings.project, settings.http_port) == ("mine", 81)
    env_file.remember(settings.env_file, {"COMPOSE_PROJECT_NAME": "other", "ODOO_PORT": "8070"})
    assert (tmp_path / ".env").read_bytes() == (
        b"COMPOSE_PROJECT_NAME=other\nNGINX_HTTP_PORT=81\nODOO_PORT=8070\n"
    )


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_settings_in_another_encoding_are_named(tmp_path: Path, encoding: str) -> None:
    (tmp_path / ".env").write_text("ACME_EMAIL=ä@example.com\n", encoding=encoding)
    with pytest.raises(UsageError, match=r"\.env is no UTF-8 text"):
        Settings.load(tmp_path)


@pytest.mark.parametrize("target", ["nowhere", ".env"])
def test_a_link_that_leads_nowhere_is_not_taken_for_the_defaults(
    tmp_path: Path, target: str
) -> None:
    (tmp_path / ".env").symlink_to(target)
    with pytest.raises(UsageError, match=r"\.env leads to no file"):
        Settings.load(tmp_path)


def test_settings_are_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".env")
    with pytest.raises(UsageError, match=r"\.env leads to no file"):
        Settings.load(tmp_path)


def test_a_folder_in_the_place_of_the_settings_is_as_none(tmp_path: Path) -> None:
    (tmp_path / ".env").mkdir()
    assert Settings.load(tmp_path).http_port == 80
