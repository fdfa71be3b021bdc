"""Each line of `inv health` tells of its own service, whatever else is down."""

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.support.checkout import Checkout
from tests.support.waiting import eventually

pytestmark = pytest.mark.xdist_group("health")

_VARIANT = pytest.mark.extended
_LONGEST = 45  # seconds that a report may take where something hangs
_FILESTORE = "/var/lib/odoo/filestore/odoo"


@pytest.fixture(autouse=True)
def well_again(served: Checkout) -> Iterator[None]:
    """Before the next test, everything is as it was."""
    yield
    assert eventually(lambda: _bad(served) == {}, 60), served.inv("health").stdout


def _bad(platform: Checkout) -> dict[str, str]:
    """What is not well, by line: the line as people see it."""
    done = platform.inv("health")
    lines = re.findall(r"^([^:=]+): (?:✗ FAILED|! WARNING)(.*)$", done.stdout, re.MULTILINE)
    assert (done.returncode == 1) == ("✗" in done.stdout), done.stdout
    assert "=== Summary ===" in done.stdout, done.stderr
    return dict(lines)


@pytest.mark.parametrize(
    ("service", "names"),
    [
        ("nginx", ["Nginx", "Odoo (proxy)"]),  # which nobody reaches then
        pytest.param("odoo", ["Odoo (proxy)", "Odoo (container)"], marks=_VARIANT),
        ("odoo_db", ["Odoo (proxy)", "PostgreSQL"]),  # no page without its database
        pytest.param("redis", ["Redis"], marks=_VARIANT),
    ],
)
def test_a_service_that_is_stopped_is_named_and_no_other(
    served: Checkout, service: str, names: list[str]
) -> None:
    assert served.compose("stop", service).returncode == 0
    try:
        assert sorted(_bad(served)) == sorted(names)
    finally:
        assert served.compose("start", service).returncode == 0


@pytest.mark.parametrize("service", ["odoo_db", pytest.param("redis", marks=_VARIANT)])
def test_a_service_that_hangs_does_not_hang_the_report(served: Checkout, service: str) -> None:
    # Its processes, not its container: that could not even be asked.
    program = {"odoo_db": "postgres", "redis": "redis-server"}[service]

    def signal(name: str) -> None:
        stop = f"kill -{name} $(pidof {program})"
        assert served.exec(service, "sh", "-c", stop).returncode == 0

    signal("STOP")
    try:
        started = time.monotonic()
        bad = _bad(served)
        assert time.monotonic() - started < _LONGEST
        assert {"odoo_db": "PostgreSQL", "redis": "Redis"}[service] in bad
        assert ("Redis" in bad) == (service == "redis"), bad
    finally:
        signal("CONT")


def test_a_database_that_is_missing_is_no_healthy_odoo(served: Checkout) -> None:
    with _renamed_database(served):
        bad = _bad(served)
    assert sorted(bad) == ["Odoo (proxy)", "PostgreSQL"], bad
    assert 'database "odoo" does not exist' in bad["PostgreSQL"]


@contextmanager
def _renamed_database(platform: Checkout) -> Iterator[None]:
    end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'odoo'"

    def rename(old: str, new: str) -> bool:
        psql = ["exec", "-T", "odoo_db", "psql", "-U", "postgres", "-d", "postgres"]
        commands = ["-c", end, "-c", f"ALTER DATABASE {old} RENAME TO {new}"]
        return platform.compose(*psql, *commands).returncode == 0

    assert eventually(lambda: rename("odoo", "elsewhere"), 20)
    try:
        yield
    finally:
        assert eventually(lambda: rename("elsewhere", "odoo"), 20)


def test_a_wrong_password_of_odoos_role_is_told_by_postgresqls_line(served: Checkout) -> None:
    secret = (served.root / "secrets" / "db_password.txt").read_text().strip()

    def give(password: str) -> None:
        alter = f"ALTER ROLE odoo PASSWORD '{password}'"
        psql = ["exec", "-T", "odoo_db", "psql", "-U", "postgres", "-c", alter]
        assert served.compose(*psql).returncode == 0

    give("something-else")
    try:
        bad = _bad(served)
        assert "secrets/db_password.txt" in bad["PostgreSQL"]
        assert "Redis" not in bad
        # Odoo still has its connections; a new one it does not get.
        assert "is refused by PostgreSQL" in bad["Odoo (container)"]
    finally:
        give(secret)


def test_another_password_in_the_file_is_seen_before_the_restart_that_it_would_break(
    served: Checkout,
) -> None:
    path = served.root / "secrets" / "db_password.txt"
    secret = path.read_text()
    path.unlink()
    path.write_text("a-new-one\n")
    try:
        bad = _bad(served)
        assert list(bad) == ["PostgreSQL"] and "secrets/db_password.txt" in bad["PostgreSQL"]
    finally:
        path.write_text(secret)


@pytest.mark.parametrize("below", ["{hash}", "checklist/{hash}", ""])
def test_a_folder_of_the_filestore_that_odoo_may_not_write_into_is_named(
    served: Checkout, below: str
) -> None:
    listing = ["exec", "-T", "odoo", "sh", "-c", f"ls -d {_FILESTORE}/??"]
    name = served.compose(*listing).stdout.split()[0].rpartition("/")[2]
    folder = f"{_FILESTORE}/{below.format(hash=name)}".rstrip("/")
    as_odoo = ["exec", "-T", "--user", "odoo", "odoo"]
    served.compose(*as_odoo, "mkdir", "-p", folder)
    assert served.exec("odoo", "chown", "0:0", folder).returncode == 0
    try:
        bad = _bad(served)
        assert list(bad) == ["Odoo (container)"]
        assert f"Odoo may not write into {folder}" in bad["Odoo (container)"]
    finally:
        assert served.exec("odoo", "chown", "odoo:", folder).returncode == 0


def test_the_file_that_health_writes_leaves_no_trace(served: Checkout) -> None:
    find = ["exec", "-T", "odoo", "find", "/var/lib/odoo/filestore", "-type", "f"]
    before = set(served.compose(*find).stdout.split())
    assert before and _bad(served) == {}
    # Fewer are fine: Odoo's own garbage collection empties its checklist at any moment.
    assert set(served.compose(*find).stdout.split()) <= before


def test_a_damaged_page_is_told_once_it_was_read(served: Checkout) -> None:
    served.sql("CREATE TABLE damaged AS SELECT repeat('x', 500) FROM generate_series(1, 200)")
    served.sql("VACUUM damaged")
    path = served.sql("SELECT pg_relation_filepath('damaged')")
    # Out of the memory of PostgreSQL, onto the disk.
    assert served.compose("restart", "odoo_db").returncode == 0
    assert eventually(lambda: "PostgreSQL" not in _bad(served), 60)
    place = f"/var/lib/postgresql/data/{path}"
    damage = f"printf garbage | dd of={place} bs=1 seek=9000 conv=notrunc"
    as_server = ["exec", "-T", "--user", "postgres", "odoo_db"]
    assert served.compose(*as_server, "sh", "-c", damage).returncode == 0
    try:
        read = ["psql", "-U", "odoo", "-d", "odoo", "-c", "SELECT count(*) FROM damaged"]
        done = served.exec("odoo_db", *read)
        assert "invalid page in block 1" in done.stderr
        bad = _bad(served)
        assert list(bad) == ["PostgreSQL"]
        assert "damaged pages were met 1 times in the database odoo" in bad["PostgreSQL"]
        assert "inv restore latest" in bad["PostgreSQL"]
    finally:
        served.sql("DROP TABLE damaged")
        reset = ["psql", "-U", "postgres", "-d", "odoo", "-c", "SELECT pg_stat_reset()"]
        served.exec("odoo_db", *reset)


def test_the_report_is_quick_where_all_is_well(served: Checkout) -> None:
    done = served.inv("health", "--json")
    rows = json.loads(done.stdout)["checks"]
    assert [row["status"] for row in rows] == ["ok"] * len(rows)
    assert max(row["seconds"] for row in rows) < 10, rows


def test_a_schedule_without_a_cron_shows(served: Checkout, tmp_path: Path) -> None:
    """The program `crontab` alone does not start anything."""
    line = f"1 1 * * * x # {served.project}-backup"
    fake = tmp_path / "crontab"
    fake.write_text(f"#!/bin/sh\necho '{line}'\n")
    fake.chmod(0o755)
    path = served.environment()["PATH"]
    done = served.inv("health", PATH=f"{tmp_path}:{path}")
    assert done.returncode == 0, done.stdout
    if served.run("pgrep", "-x", "crond?").returncode:  # else it is all right here
        assert f"Schedule: ! WARNING: {served.project}-backup is in the crontab" in done.stdout
        assert "warnings: Schedule" in done.stdout
