"""A restore that finds no room: the server that is live never dies of it."""

import gzip
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.stack.engine import Engine
from tests.e2e.support import images
from tests.e2e.support.checkout import Checkout
from tests.e2e.support.odoo_data import OdooData, last_error
from tests.support.waiting import eventually

pytestmark = pytest.mark.xdist_group("foreign_files")

_END = "--\n-- PostgreSQL database dump complete"
_MEGABYTES = 320
_SLEEP = 60
# It builds at once in the sandbox, and for a minute where it is restored.
_SLOW = f"""
CREATE FUNCTION public.slow(integer) RETURNS integer LANGUAGE sql IMMUTABLE AS $f$
SELECT $1 + CASE WHEN current_user = 'postgres' THEN 0
ELSE length(pg_sleep({_SLEEP})::text) END $f$;
CREATE INDEX slow ON public.ledger (public.slow(id)) WHERE id = 1;
"""


@pytest.fixture(scope="module")
def small(docker: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """PostgreSQL alone, on a small file system, with secrets and images in place."""
    small = Checkout.clone(tmp_path_factory.mktemp("small") / "clone")
    images.write_settings(small)
    assert small.inv("secrets").returncode == 0
    name, labels = f"{small.project}_odoo_db_data", ("project", "volume")
    make = ["docker", "volume", "create", "--driver", "local", "--opt", "type=tmpfs"]
    make += ["--opt", "device=tmpfs", "--opt", f"o=size={_MEGABYTES}m"]
    for label, value in zip(labels, (small.project, "odoo_db_data"), strict=True):
        make += ["--label", f"com.docker.compose.{label}={value}"]
    try:
        assert small.run(*make, name).returncode == 0
        up = small.compose("up", "--detach", "--no-build", "--wait", "odoo_db")
        assert up.returncode == 0, up.stderr
        yield small
    finally:
        small.destroy()


@pytest.fixture(scope="module")
def plain(odoo_data: OdooData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("plain") / "plain.sql"
    run = "docker compose exec -T odoo_db pg_dump -U postgres --no-owner odoo"
    assert odoo_data.platform.run("sh", "-c", f"{run} > {file}").returncode == 0
    return file


def _server(platform: Checkout, script: str) -> str:
    run = ["exec", "-T", "--user", "postgres", "odoo_db", "sh", "-c", script]
    return platform.compose(*run).stdout.strip()


def _databases(platform: Checkout) -> set[str]:
    return set(platform.sql("SELECT datname FROM pg_database", "postgres").split())


def _is_alive(platform: Checkout) -> None:
    """The server never ended, and nothing of the restore is left in it."""
    log = platform.compose("logs", "--no-log-prefix", "odoo_db").stdout
    assert "PANIC" not in log and "No space left" not in log
    assert _databases(platform) == {"postgres", "template0", "template1"}


def test_a_small_file_with_many_rows_is_refused_before_the_server_has_any(
    small: Checkout, plain: Path, tmp_path: Path
) -> None:
    text = plain.read_text()
    rows = "\n".join(f"{n}\t{'x' * 1000}" for n in range(220_000))
    table = "CREATE TABLE public.filler (n int, t text);\nCOPY public.filler FROM stdin;\n"
    filler = f"{table}{rows}\n\\.\n"
    bomb = tmp_path / "bomb.sql.gz"
    bomb.write_bytes(gzip.compress(text.replace(_END, filler + _END).encode(), 1))
    assert bomb.stat().st_size < 10_000_000
    error = last_error(small.inv("restore", str(bomb), "--to-database", "staging", "--yes"))
    assert "PostgreSQL's volume has no room" in error
    _is_alive(small)


def test_a_volume_that_fills_meanwhile_ends_the_restore_and_not_the_server(
    small: Checkout, plain: Path, tmp_path: Path
) -> None:
    slow = tmp_path / "slow.sql"
    slow.write_text(plain.read_text().replace(_END, _SLOW + _END))
    building = (
        "SELECT 1 FROM pg_stat_activity WHERE query LIKE '%INDEX slow%' AND pid <> pg_backend_pid()"
    )
    restore = small.start(
        "./scripts/inv", "restore", str(slow), "--to-database", "staging", "--yes"
    )
    assert eventually(lambda: small.sql(building, "postgres"), 90)
    begun = time.monotonic()
    place = "/var/lib/postgresql/data"
    left = int(_server(small, f"df --block-size=1M --output=avail {place} | tail -n 1"))
    _server(small, f"head -c {left - 30}M /dev/zero > {place}/filler")
    _, errors = restore.communicate(timeout=120)
    assert restore.returncode == 1 and "PostgreSQL's volume is nearly full" in errors, errors
    assert time.monotonic() - begun < _SLEEP - 10  # the busy server process was not waited for
    _server(small, f"rm {place}/filler")
    _is_alive(small)
