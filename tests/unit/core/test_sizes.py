"""Sizes of production: what holds, where it comes from, and what contradicts it."""

from pathlib import Path

import pytest

from scripts.core import configuration, sizes
from scripts.core.settings import ROOT, sources

_CONF = "[options]\nworkers = 6\ndb_maxconn=20\nlimit_memory_soft = 1073741824\n"


def _root(root: Path, env: str = "", conf: str | None = None) -> Path:
    (root / "odoo").mkdir(exist_ok=True)
    text = conf if conf is not None else (ROOT / sizes.ODOO_CONF).read_text()
    (root / sizes.ODOO_CONF).write_text(text)
    (root / sizes.PRODUCTION_FILE).write_bytes((ROOT / sizes.PRODUCTION_FILE).read_bytes())
    (root / ".env").write_text(f"PLATFORM_ENV=prod\nODOO_DOMAIN=a.example.com\n{env}")
    return root


def _present(root: Path) -> dict[str, tuple[int, str]]:
    found = sizes.present(root, sources(root))
    assert list(found) == list(sizes.NAMES)
    return {name: (size.value, size.source) for name, size in found.items()}


def test_what_is_delivered_is_read_from_its_files(tmp_path: Path) -> None:
    found = _present(_root(tmp_path))
    assert found["ODOO_WORKERS"] == (4, "odoo.conf")
    assert found["ODOO_LIMIT_MEMORY_HARD"] == (2560 * sizes.MIB, "odoo.conf")
    assert found["ODOO_MEMORY"] == (12 * sizes.GIB, "default"), "that of production"
    assert found["POSTGRES_SHARED_BUFFERS"] == (sizes.GIB, "default")
    assert found["POSTGRES_MAX_CONNECTIONS"] == (200, "default")
    assert found["REDIS_MAXMEMORY"] == (256 * sizes.MIB, "default")


def test_env_wins_over_odoo_conf_and_that_over_odoo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSTGRES_WORK_MEM", "8MB")
    env = "ODOO_WORKERS=3\nODOO_LIMIT_MEMORY_HARD=1.5G\n"
    found = _present(_root(tmp_path, env, _CONF))
    assert found["ODOO_WORKERS"] == (3, ".env")
    assert found["ODOO_DB_MAXCONN"] == (20, "odoo.conf")
    assert found["ODOO_DB_MAXCONN_GEVENT"] == (20, "default"), "Odoo takes that of the others"
    assert found["ODOO_MAX_CRON_THREADS"] == (2, "default")
    assert found["ODOO_LIMIT_MEMORY_HARD"] == (1536 * sizes.MIB, ".env")
    assert found["POSTGRES_WORK_MEM"] == (8 * sizes.MIB, "environment")


@pytest.mark.parametrize("conf", ["", "no section\n", "[queue]\nworkers = 2\n"])
def test_an_odoo_conf_without_options_leaves_the_defaults(tmp_path: Path, conf: str) -> None:
    assert _present(_root(tmp_path, conf=conf))["ODOO_WORKERS"] == (0, "default")


@pytest.mark.parametrize(
    ("env", "error"),
    [
        ("ODOO_LIMIT_MEMORY_SOFT=3G\n", "must be below ODOO_LIMIT_MEMORY_HARD (2684354560"),
        ("POSTGRES_SHARED_BUFFERS=4GB\n", "POSTGRES_SHARED_BUFFERS=4GB leaves PostgreSQL no room"),
        ("ODOO_WORKERS=8\nODOO_MEMORY=20G\n", ""),
        ("ODOO_WORKERS=10\nODOO_MEMORY=24G\n", "Odoo may open 224 connections"),
        ("POSTGRES_MAX_CONNECTIONS=100\n", "Odoo may open 128 connections"),
        ("ODOO_DB_MAXCONN=64\n", "Odoo may open 416 connections"),
    ],
)
def test_what_cannot_work_together_is_refused(tmp_path: Path, env: str, error: str) -> None:
    report = configuration.examine(_root(tmp_path, env))
    assert len(report.errors) == bool(error)
    assert error in "".join(report.errors)
    assert not report.warnings


@pytest.mark.parametrize(
    ("env", "conf", "warning"),
    [
        ("ODOO_MEMORY=6G\n", None, "4 workers of 2.0 GiB"),
        ("POSTGRES_SHARED_BUFFERS=3584MB\n", None, "are more than POSTGRES_MEMORY=4G"),
        ("", "[options]\nworkers = 4\n", "Odoo may open 448 connections"),
    ],
)
def test_what_works_for_a_while_is_warned_of(
    tmp_path: Path, env: str, conf: str | None, warning: str
) -> None:
    report = configuration.examine(_root(tmp_path, env, conf))
    assert report.errors == []
    assert len(report.warnings) == 1
    assert warning in report.warnings[0]


def test_development_has_sizes_of_its_own(tmp_path: Path) -> None:
    root = _root(tmp_path, "PLATFORM_ENV=dev\nODOO_MEMORY=1G\nODOO_WORKERS=99\n")
    text = (root / ".env").read_text().replace("PLATFORM_ENV=prod\n", "")
    (root / ".env").write_text(text)
    assert configuration.examine(root).lines == ["no problem was found"]
