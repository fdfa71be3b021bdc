"""Redis elsewhere: which settings belong together, and what follows from them."""

import os
from pathlib import Path

import pytest

from scripts.core.errors import UsageError
from scripts.core.settings import Settings

_HOST = "REDIS_EXTERNAL_HOST=redis.example.com"
_CA = "REDIS_EXTERNAL_CA_FILE=./ca.pem"
_SENTINELS = "REDIS_EXTERNAL_SENTINELS=one.test:26379,10.0.0.7:26380"
_MASTER = "REDIS_EXTERNAL_MASTER=main"


@pytest.fixture(autouse=True)
def _own_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*os.environ]:
        if name.startswith(("REDIS_EXTERNAL_", "POSTGRES_EXTERNAL_")):
            monkeypatch.delenv(name)
    for name in ("ODOO_REPLICAS", "PLATFORM_ENV"):
        monkeypatch.delenv(name, raising=False)


def _load(root: Path, *lines: str, prod: bool = True) -> Settings:
    (root / ".env").write_text("\n".join(lines) + "\n")
    return Settings.load(root, prod=prod)


def _names(settings: Settings) -> list[str]:
    return [path.name for path in settings.compose_files]


def test_by_default_the_platform_runs_its_own(tmp_path: Path) -> None:
    settings = _load(tmp_path)
    assert _names(settings) == ["compose.yaml", "compose.prod.yaml"]
    assert not settings.redis.external and not settings.redis.address


def test_one_elsewhere_is_asked_by_its_name(tmp_path: Path) -> None:
    settings = _load(tmp_path, _HOST, _CA, "REDIS_EXTERNAL_USER=shop", "REDIS_EXTERNAL_PORT=6380")
    assert _names(settings)[2:] == ["compose.external-redis.yaml"]
    assert settings.redis.place == "redis.example.com:6380"
    assert settings.redis.address == "rediss://shop@redis.example.com:6380"
    plain = _load(tmp_path, _HOST, "REDIS_EXTERNAL_TLS=false").redis
    assert plain.external and plain.address == "redis://redis.example.com:6379"


def test_sentinels_are_asked_for_it(tmp_path: Path) -> None:
    redis = _load(tmp_path, _SENTINELS, _MASTER, _CA).redis
    assert redis.external and redis.address == ""
    assert redis.place == "main (Sentinels one.test:26379, 10.0.0.7:26380)"


def test_replicas_have_a_file_of_their_own_last(tmp_path: Path) -> None:
    lines = (_HOST, _CA, "ODOO_REPLICAS=2", "POSTGRES_MAX_CONNECTIONS=500")
    assert _names(_load(tmp_path, *lines))[2:] == [
        "compose.replicas.yaml",
        "compose.external-redis.yaml",
        "compose.external-redis-replicas.yaml",
    ]
    assert _names(_load(tmp_path, *lines, prod=False))[1:] == ["compose.external-redis.yaml"]
    database = ("POSTGRES_EXTERNAL_HOST=db.test", "POSTGRES_EXTERNAL_CA_FILE=./ca.pem")
    assert _names(_load(tmp_path, *lines, *database))[3:] == [
        "compose.external-db.yaml",
        "compose.external-db-replicas.yaml",
        "compose.external-redis.yaml",
        "compose.external-redis-replicas.yaml",
    ]


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ((_HOST,), "REDIS_EXTERNAL_CA_FILE is missing"),
        ((_SENTINELS, _MASTER), "REDIS_EXTERNAL_CA_FILE is missing"),
        ((_HOST, _CA, _SENTINELS, _MASTER), "exclude each other"),
        ((_CA, _SENTINELS), "belong together"),
        ((_HOST, _CA, _MASTER), "belong together"),
    ],
)
def test_what_does_not_fit_together(tmp_path: Path, lines: tuple[str, ...], problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        _load(tmp_path, *lines)
