"""The settings as a whole: values and their sources, and everything that is wrong at once."""

from pathlib import Path

import pytest

from scripts import quickstart, startup
from scripts.core import configuration, env_example, redact
from scripts.core.errors import UsageError
from scripts.core.settings import ROOT, Settings
from scripts.stack.compose import Stack
from tests.unit.support.fakes import FakeReporter, FakeRunner, says

_REF = "abcdefghijklmnopqrst"


def _env(root: Path, text: str) -> None:
    (root / ".env").write_text(text)


def _shown(root: Path, *, prod: bool = False) -> dict[str, tuple[str, str]]:
    for name in ("compose.yaml", "compose.prod.yaml"):
        (root / name).write_bytes((ROOT / name).read_bytes())
    rows = configuration.variables(Settings.load(root, prod=prod))
    return {row.name: (row.value, row.source) for row in rows}


def test_every_variable_is_shown_with_its_default(tmp_path: Path) -> None:
    shown = _shown(tmp_path)
    assert list(shown) == list(env_example.variables())
    assert shown == {name: (value, "default") for name, value in env_example.variables().items()}


def test_production_has_defaults_of_its_own(tmp_path: Path) -> None:
    shown = _shown(tmp_path, prod=True)
    assert shown["ODOO_MEMORY"] == ("12G", "default")
    assert shown["NGINX_BIND"] == ("0.0.0.0", "default")
    assert shown["PLATFORM_ENV"] == ("prod", "default")
    assert shown["ACME_CA_FILE"] == ("", "default")


def test_a_value_is_shown_with_where_it_comes_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _env(
        tmp_path,
        "COMPOSE_PROJECT_NAME=mine\nODOO_PORT=1\nREDIS_MEMORY=1G\nODOO_DEV=\nNGINX_BIND=\n",
    )
    monkeypatch.setenv("ODOO_PORT", "2")
    monkeypatch.setenv("REDIS_MEMORY", "")
    shown = _shown(tmp_path)
    assert shown["COMPOSE_PROJECT_NAME"] == ("mine", ".env")
    assert shown["ODOO_IMAGE"] == ("localhost/mine/odoo:18.0", "default")
    assert shown["ODOO_PORT"] == ("2", "environment")
    assert shown["REDIS_MEMORY"] == ("512M", "default"), "an empty one wins, as in Compose"
    assert shown["ODOO_DEV"] == ("", ".env"), "which is a value there"
    assert shown["NGINX_BIND"] == ("127.0.0.1", "default")


def test_secrets_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "db_password.txt").write_text("correcthorse")
    _env(
        tmp_path,
        "BACKUP_REPOSITORY=rest:https://me:pass@host/name\nBACKUP_FOLDER=/mnt/correcthorse\n"
        "BACKUP_NOTIFY=https://hooks.example.com/services/T0/B0/x?y=z\n"
        "ACME_SERVER=https://token@ca.example.com/dir?key=1\n",
    )
    shown = _shown(tmp_path)
    assert shown["BACKUP_REPOSITORY"][0] == "rest:https://me:***@host/name"
    assert shown["BACKUP_FOLDER"][0] == "/mnt/***"
    assert shown["BACKUP_NOTIFY"][0] == "https://hooks.example.com/***"
    assert shown["ACME_SERVER"][0] == "https://***@ca.example.com/dir?***"


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("SMTP_PASSWORD", "x", "***"),
        ("SMTP_PASSWORD", "", ""),
        ("SSH_KEY_FILE", "/id", "/id"),
        ("A", "sftp:user@host:/folder", "sftp:user@host:/folder"),
        ("A", "sftp://user@host/folder", "sftp://user@host/folder"),
        ("A", "sftp://user:p@ss/word@host/folder", "sftp://user:***@host/folder"),
        ("A", "https://:p@host", "https://:***@host"),
        ("A", "https://host/a#b", "https://host/a#***"),
        ("MY_WEBHOOK", "https://host/abc", "https://host/***"),
        ("A", "plain", "plain"),
    ],
)
def test_what_may_be_shown_of_a_value(name: str, value: str, shown: str) -> None:
    assert redact.variable(name, value) == shown


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("NGINX_HTTP_PORT=8069\n", "NGINX_HTTP_PORT and ODOO_PORT are both 8069"),
        ("NGINX_BIND=0.0.0.0\nODOO_PORT=80\n", "NGINX_HTTP_PORT and ODOO_PORT are both 80"),
        ("PLATFORM_ENV=prod\nNGINX_HTTPS_PORT=80\n", "and NGINX_HTTPS_PORT are both 80"),
        ("REDIS_MEMORY=256M\n", "REDIS_MAXMEMORY=256mb leaves Redis no room in REDIS_MEMORY=256M"),
        ("REDIS_MAXMEMORY=0\n", "REDIS_MAXMEMORY=0 leaves"),
        ("ODOO_DATBASE=x\n", "ODOO_DATBASE in .env is unknown; did you mean ODOO_DATABASE?"),
        ("odoo_port=80\n", "did you mean ODOO_PORT?"),
        ("NGINX_PORT=80\n", "did you mean NGINX_HTTP_PORT?"),
        ("COMPOSE_PROJET_NAME=x\n", "did you mean COMPOSE_PROJECT_NAME?"),
        ("ODOO_MEMORY=lots\n", "ODOO_MEMORY='lots' is no amount of memory"),
        ("ODOO_PORT='80\n", "line 1: a value begins with ' and has no second one"),
        ("BACKUP_FOLDER=${NO:?where}\n", "line 1: NO is required and has no value: where"),
    ],
)
def test_what_cannot_be_is_an_error(tmp_path: Path, text: str, error: str) -> None:
    _env(tmp_path, text)
    report = configuration.examine(tmp_path)
    assert len(report.errors) == 1
    assert error in report.errors[0]


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("MY_OWN=1\n", "MY_OWN in .env is unknown, and no compose file uses it"),
        ("ODOO_PORT=1\nODOO_PORT=2\n", "ODOO_PORT is more than once in .env"),
        ("export PLATFORM_ENV\n", "PLATFORM_ENV stands in .env without a value"),
        ("COMPOSE_PROJECT_NAME\n", "COMPOSE_PROJECT_NAME stands in .env without a value"),
        (
            "BACKUP_FOLDER=/mnt/$WHERE\n",
            "BACKUP_FOLDER in .env refers to $WHERE, which has no value",
        ),
        ("PLATFORM_ENV=prod\n", "production without ODOO_DOMAIN"),
        ("BACKUP_REPOSITORY=s3:x\nBACKUP_FOLDER=/mnt\n", "BACKUP_FOLDER has no effect"),
        ("SUPABASE_CLOUD_HOST=db.example.com\n", "SUPABASE_CLOUD_HOST has no effect"),
        ("SMTP_USER=me\n", "SMTP_USER has no effect without SMTP_HOST"),
        ("ACME_CA_FILE=./ca.pem\n", "certbot does not trust Let's Encrypt"),
    ],
)
def test_what_is_doubtful_is_a_warning(tmp_path: Path, text: str, warning: str) -> None:
    _env(tmp_path, text)
    report = configuration.examine(tmp_path)
    assert report.errors == []
    assert len(report.warnings) == 1
    assert warning in report.warnings[0]
    assert report.lines == [f"warning: {report.warnings[0]}"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ODOO_PORT=1\nODOO_PORT=1\n",
        "COMPOSE_PROFILES=supabase\nDOCKER_HOST=x\nCI=1\n",
        "NGINX_HTTP_PORT=3000\nODOO_DEBUG_PORT=80\n",
        "NGINX_BIND=127.0.0.2\nODOO_PORT=80\n",
        "PLATFORM_ENV=prod\nODOO_DOMAIN=a.example.com\nODOO_PORT=80\n",
        "REDIS_MEMORY=0\n",
        f"SUPABASE_CLOUD_HOST=db.example.com\nSUPABASE_PROJECT_REF={_REF}\n",
        "DISK=/mnt\nBACKUP_FOLDER=$DISK/bk\n",
        "BACKUP_FOLDER=${DISK:-/mnt}\n",
    ],
)
def test_of_what_is_right_nothing_is_said(tmp_path: Path, text: str) -> None:
    _env(tmp_path, text)
    assert configuration.examine(tmp_path).lines == ["no problem was found"]


def test_everything_is_said_at_once(tmp_path: Path) -> None:
    _env(tmp_path, "ODOO_MEMORY=lots\nODOO_PORT=x\nODOO_DATBASE=y\nMY_OWN=1\n")
    report = configuration.examine(tmp_path)
    assert [line.split("=")[0].split()[0] for line in report.errors] == [
        "ODOO_PORT",
        "ODOO_MEMORY",
        "ODOO_DATBASE",
    ]
    assert len(report.warnings) == 1


@pytest.mark.parametrize("line", ["image: x:${ODOO_PORTS}", "command: echo $ODOO_PORTS"])
def test_what_an_own_compose_file_uses_is_known(tmp_path: Path, line: str) -> None:
    _env(tmp_path, "ODOO_PORTS=1\n")
    assert "did you mean ODOO_PORT?" in configuration.examine(tmp_path).errors[0]
    (tmp_path / "compose.override.yaml").write_text(f"services: {{ x: {{ {line} }} }}\n")
    assert configuration.examine(tmp_path).lines == ["no problem was found"]


@pytest.mark.parametrize(
    ("name", "value", "wrong"),
    [
        ("COMPOSE_ENV_FILES", "other.env", True),
        ("COMPOSE_ENV_FILES", ".env", False),
        ("COMPOSE_ENV_FILES", "", False),
        ("COMPOSE_DISABLE_ENV_FILE", "1", True),
        ("COMPOSE_DISABLE_ENV_FILE", "0", False),
    ],
)
def test_compose_has_to_read_the_same_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, wrong: bool
) -> None:
    monkeypatch.setenv(name, value)
    errors = configuration.examine(tmp_path).errors
    assert bool(errors) is wrong
    assert not wrong or f"{name} is set in the environment" in errors[0]


@pytest.mark.parametrize("command", ["up", "quickstart"])
def test_nothing_starts_with_contradictory_settings(tmp_path: Path, command: str) -> None:
    _env(tmp_path, "ODOO_PORT=80\nODOO_DATBASE=x\n")
    runner = FakeRunner({"docker ps": says()})
    stack, reporter = Stack(Settings.load(tmp_path), runner), FakeReporter()
    with pytest.raises(UsageError) as caught:
        if command == "up":
            list(startup.up(stack, reporter))
        else:
            quickstart.run(stack, reporter)
    assert "are both 80" in caught.value.message
    assert "did you mean ODOO_DATABASE?" in caught.value.message
    assert not [call for call in runner.calls if "up" in call or "pull" in call]


def test_a_start_tells_its_warnings(tmp_path: Path) -> None:
    _env(tmp_path, "MY_OWN=1\n")
    reporter = FakeReporter()
    startup.warn_of_settings_file(Settings.load(tmp_path), reporter)
    assert reporter.said == ["warning: MY_OWN in .env is unknown, and no compose file uses it"]


def test_the_port_of_postgrest_counts_where_it_is_published(tmp_path: Path) -> None:
    _env(tmp_path, "POSTGREST_PORT=80\n")
    settings = Settings.load(tmp_path)
    assert configuration.require(settings).errors == []
    with pytest.raises(UsageError, match="POSTGREST_PORT are both 80"):
        configuration.require(settings, supabase=True)


def test_the_port_of_a_copy_counts_while_it_is_served(tmp_path: Path) -> None:
    text = "CLONE_DATABASE=staging\nCLONE_PORT=8025\n"
    _env(tmp_path, text)
    assert configuration.require(Settings.load(tmp_path)).errors == []
    _env(tmp_path, text + "COMPOSE_PROFILES=clone\n")
    with pytest.raises(UsageError, match="CLONE_PORT are both 8025"):
        configuration.require(Settings.load(tmp_path))
