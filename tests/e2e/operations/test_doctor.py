"""`inv doctor` on a real host and engine, sizes of `.env` in production, and the support bundle."""

import json
import tarfile
from pathlib import Path
from typing import Any

from tests.e2e.support.production import Production
from tests.support.json_documentation import problems
from tests.support.waiting import eventually

_SIZES = """\
ODOO_WORKERS=3
ODOO_MAX_CRON_THREADS=1
ODOO_LIMIT_MEMORY_SOFT=1G
ODOO_LIMIT_MEMORY_HARD=1536M
ODOO_DB_MAXCONN=9
POSTGRES_SHARED_BUFFERS=192MB
POSTGRES_WORK_MEM=6MB
POSTGRES_MAX_CONNECTIONS=90
POSTGRES_SHM_SIZE=128m
"""


def _doctor(production: Production, **env: str) -> tuple[int, dict[str, Any]]:
    done = production.inv("doctor", "--json", **env)
    assert problems("doctor", done.stdout) == [], done.stderr
    return done.returncode, json.loads(done.stdout)


def _statuses(found: dict[str, Any]) -> dict[str, str]:
    return {row["name"]: row["status"] for row in found["checks"]}


def test_a_healthy_host_has_no_fault(production: Production) -> None:
    code, found = _doctor(production)
    statuses = _statuses(found)
    assert "failed" not in statuses.values(), found["checks"]
    assert code == 0
    for name in ("Engine", "Compose", "Names in containers", "Project name", "Secrets", "Files"):
        assert statuses[name] == "ok", found["checks"]
    assert found["cpus"] > 0
    assert found["memory"] > 2**30


def test_without_an_engine_the_rest_is_checked(production: Production) -> None:
    code, found = _doctor(production, DOCKER_HOST="unix:///nonexistent")
    statuses = _statuses(found)
    assert code == 1
    # Nobody can tell whose ports are taken: they are this platform's own.
    failed = {name for name, status in statuses.items() if status == "failed"}
    assert {name for name in failed if not name.startswith("Port ")} == {"Engine"}
    assert statuses["Images"] == statuses["Limits"] == "unknown"
    assert statuses["Files"] == statuses["Secrets"] == "ok"
    assert found["sizes"] == []


def test_sizes_of_env_hold_with_plain_compose(production: Production) -> None:
    env = production.root / ".env"
    env.write_text(env.read_text() + _SIZES)
    done = production.compose("up", "--detach", "odoo_db", "odoo")
    assert done.returncode == 0, done.stderr
    assert eventually(lambda: _alive(production) == (3, 1), 60), production.logs("odoo")
    for name, value in {
        "shared_buffers": "192MB",
        "work_mem": "6MB",
        "max_connections": "90",
    }.items():
        assert production.sql(f"SHOW {name}") == value
    conf = production.execute("odoo", "cat", "/run/odoo/odoo.conf").splitlines()
    for line in (
        "workers = 3",
        f"limit_memory_soft = {2**30}",
        f"limit_memory_hard = {3 * 2**29}",
        "db_maxconn = 9",
        "db_maxconn_gevent = 32",  # that of odoo.conf
    ):
        assert conf.count(line) == 1, line
        assert sum(other.startswith(line.partition("=")[0]) for other in conf) == 1
    assert " 128M " in production.execute("odoo_db", "df", "-h", "/dev/shm")
    _, found = _doctor(production)
    sizes = {row["variable"]: (row["present"], row["source"]) for row in found["sizes"]}
    assert sizes["ODOO_WORKERS"] == ("3", ".env")
    assert sizes["ODOO_DB_MAXCONN_GEVENT"] == ("32", "odoo.conf")


def _alive(production: Production) -> tuple[int, int]:
    """How many workers the Odoo that runs now has started, for HTTP and for cron."""
    log = production.logs("odoo")
    return log.count("WorkerHTTP ("), log.count("WorkerCron (")


def test_the_bundle_has_the_logs_and_no_secret(production: Production, tmp_path: Path) -> None:
    planted = "planted-token-4711"
    assert production.ask(f"/web/login?token={planted}").status == 200
    bundle = tmp_path / "support.tar.gz"
    done = production.inv("doctor", "--bundle", str(bundle))
    assert done.returncode == 0, done.stderr
    assert bundle.stat().st_mode & 0o777 == 0o600
    with tarfile.open(bundle) as archive:
        archive.extractall(tmp_path, filter="data")
    files = {path.name: path.read_text() for path in (tmp_path / "support").rglob("*.*")}
    assert "Platform Health Check" in files["health.txt"]
    assert "odoo.service.server" in files["odoo.txt"]
    assert "/web/login" in files["nginx.txt"]
    secrets = [path.read_text().strip() for path in production.root.glob("secrets/*.txt")]
    assert len(secrets) >= 4
    for secret in (planted, *secrets):
        assert not [name for name, text in files.items() if secret in text]
