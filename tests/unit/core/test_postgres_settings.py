"""PostgreSQL elsewhere: which settings belong together, and what follows from them."""

from dataclasses import replace
from pathlib import Path

import pytest

from scripts.core import compose_files
from scripts.core.errors import UsageError
from scripts.core.settings import Settings

_HOST = "POSTGRES_EXTERNAL_HOST=db.example.com"
_CA = "POSTGRES_EXTERNAL_CA_FILE=./ca.pem"


@pytest.fixture(autouse=True)
def _own_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOST", "PORT", "USER", "SSLMODE", "CA_FILE"):
        monkeypatch.delenv(f"POSTGRES_EXTERNAL_{name}", raising=False)
    for name in ("BACKUP_CONTINUOUS", "ODOO_REPLICAS", "PLATFORM_ENV"):
        monkeypatch.delenv(name, raising=False)


def _load(root: Path, *lines: str, prod: bool = True) -> Settings:
    (root / ".env").write_text("\n".join(lines) + "\n")
    return Settings.load(root, prod=prod)


def _names(settings: Settings) -> list[str]:
    return [path.name for path in settings.compose_files]


def test_by_default_the_platform_runs_its_own(tmp_path: Path) -> None:
    settings = _load(tmp_path)
    assert _names(settings) == ["compose.yaml", "compose.prod.yaml"]
    assert (settings.postgres.role, settings.postgres.administrator) == ("odoo", "postgres")
    assert settings.archive.wanted


def test_elsewhere_nobody_is_superuser_and_nothing_is_archived(tmp_path: Path) -> None:
    settings = _load(tmp_path, _HOST, _CA, "POSTGRES_EXTERNAL_USER=shop")
    assert _names(settings)[2:] == ["compose.external-db.yaml"]
    assert (settings.postgres.role, settings.postgres.administrator) == ("shop", "shop")
    assert not settings.archive.wanted


def test_replicas_have_a_file_of_their_own_last(tmp_path: Path) -> None:
    lines = (_HOST, _CA, "ODOO_REPLICAS=2", "POSTGRES_MAX_CONNECTIONS=500")
    assert _names(_load(tmp_path, *lines))[2:] == [
        "compose.replicas.yaml",
        "compose.external-db.yaml",
        "compose.external-db-replicas.yaml",
    ]
    assert _names(_load(tmp_path, *lines, prod=False))[1:] == ["compose.external-db.yaml"]


def test_a_swarm_has_files_of_its_own(tmp_path: Path) -> None:
    lines = ("ODOO_REPLICAS=2", "POSTGRES_MAX_CONNECTIONS=500")
    own = replace(_load(tmp_path, *lines), in_swarm=True)
    assert _names(own)[2:] == ["compose.replicas.yaml", "compose.swarm.yaml"]
    elsewhere = replace(_load(tmp_path, *lines, _HOST, _CA), in_swarm=True)
    assert _names(elsewhere)[2:] == [*_names(own)[2:], "compose.swarm-external-db.yaml"]
    both = compose_files.names(
        production=True, replicas=True, debug=False, swarm=True, database=True, redis=True
    )
    assert both[4:] == ("compose.swarm-external-db.yaml", "compose.swarm-external-redis.yaml")


@pytest.mark.parametrize("mode", ["", "POSTGRES_EXTERNAL_SSLMODE=verify-ca"])
def test_who_verifies_needs_an_authority(tmp_path: Path, mode: str) -> None:
    with pytest.raises(UsageError, match="POSTGRES_EXTERNAL_CA_FILE is missing"):
        _load(tmp_path, _HOST, mode)


@pytest.mark.parametrize("mode", ["require", "disable"])
def test_who_does_not_verify_needs_none(tmp_path: Path, mode: str) -> None:
    assert _load(tmp_path, _HOST, f"POSTGRES_EXTERNAL_SSLMODE={mode}").postgres.external


def test_its_log_cannot_be_archived_here(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="who runs PostgreSQL elsewhere archives its log"):
        _load(tmp_path, _HOST, _CA, "BACKUP_CONTINUOUS=true")
