"""Bad circumstances: a clear error, a hint, a non-zero exit code, nothing lost."""

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.stack.engine import Engine
from tests.e2e.support.checkout import Checkout
from tests.e2e.support.template import unstarted
from tests.support.waiting import eventually


@pytest.fixture(scope="module")
def _unstarted(docker: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    with unstarted(tmp_path_factory.mktemp("refusals") / "clone") as checkout:
        yield checkout


@pytest.fixture
def refused(_unstarted: Checkout) -> Iterator[Checkout]:
    """A clone that nothing was started in; one for all tests, which find it as it was."""
    root = _unstarted.root
    files = {path: path.read_bytes() for path in (root / ".env", *root.glob("secrets/*.txt"))}
    yield _unstarted
    for path, content in files.items():
        path.write_bytes(content)
        path.chmod(0o600)
    containers = _unstarted.compose("ps", "--all", "--quiet")
    assert (containers.returncode, containers.stdout) == (0, ""), containers.stderr


def test_a_taken_port_is_named_with_its_holder(refused: Checkout) -> None:
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", refused.http_port))
        squatter.listen()
        done = refused.inv("up")
    assert done.returncode == 1
    assert f"Port {refused.http_port}: taken by process {os.getpid()}" in done.stderr
    assert "NGINX_HTTP_PORT" in done.stderr


def test_a_port_held_by_a_container_is_named_with_it(platform: Checkout, refused: Checkout) -> None:
    done = refused.inv("up", NGINX_HTTP_PORT=str(platform.http_port))
    assert done.returncode == 1
    assert f"taken by container {platform.project}-nginx-1" in done.stderr


def test_logs_of_a_service_without_a_container_are_an_error(refused: Checkout) -> None:
    done = refused.inv("logs", "redis")
    assert (done.returncode, done.stdout) == (1, "")
    assert "there is no container of redis" in done.stderr
    assert "there are no containers" in refused.inv("logs").stderr


def test_up_without_secrets_says_how_to_make_them(refused: Checkout) -> None:
    (refused.root / "secrets" / "db_password.txt").unlink()
    done = refused.inv("up")
    assert done.returncode == 1
    assert "secrets/db_password.txt does not exist" in done.stderr
    assert "inv secrets" in done.stderr


def test_the_seeds_placeholder_is_refused_and_kept(refused: Checkout) -> None:
    secret = refused.root / "secrets" / "db_password.txt"
    secret.write_text("your-db-password\n")
    for task in ("up", "secrets", "quickstart"):
        done = refused.inv(task)
        assert done.returncode in (1, 2), task
        assert "placeholder" in done.stderr, task
        assert "Traceback" not in done.stderr
    assert secret.read_text() == "your-db-password\n"


def test_a_wrong_setting_is_a_usage_error_that_names_all(refused: Checkout) -> None:
    done = refused.inv("up", NGINX_HTTP_PORT="http", ODOO_DATABASE="My DB")
    assert done.returncode == 2
    assert "NGINX_HTTP_PORT" in done.stderr and "ODOO_DATABASE" in done.stderr


_NEED_AN_ENGINE = [
    "up", "down", "restart", "images", "ps", "logs", "shell", "psql", "odoo-shell",
    "maintenance on", "restore", "db.list", "supabase.status", "supabase.migrate",
    "supabase.psql",
]  # fmt: skip


@pytest.mark.parametrize("task", _NEED_AN_ENGINE)
def test_a_stopped_engine_is_a_clear_error(refused: Checkout, task: str) -> None:
    done = refused.inv(*task.split(), DOCKER_HOST=f"unix://{refused.root}/none.sock")
    assert done.returncode == 1
    assert "error: the Docker engine is not running" in done.stderr
    assert "hint: " in done.stderr and "Traceback" not in done.stderr


def test_quickstart_does_not_replace_an_engine_that_the_user_chose(refused: Checkout) -> None:
    done = refused.inv("quickstart", DOCKER_HOST=f"unix://{refused.root}/none.sock")
    assert done.returncode == 1
    assert "DOCKER_HOST" in done.stderr


def test_a_secret_in_another_encoding_is_named_before_anything_starts(refused: Checkout) -> None:
    path = refused.root / "secrets" / "db_password.txt"
    path.write_text(path.read_text(), encoding="utf-16")
    done = refused.inv("up")
    assert done.returncode == 1
    assert "secrets/db_password.txt cannot be read" in done.stderr


def test_settings_in_another_encoding_are_named(refused: Checkout) -> None:
    env = refused.root / ".env"
    env.write_text(env.read_text(), encoding="utf-16")
    done = refused.inv("up")
    assert done.returncode == 2
    assert ".env is no UTF-8 text" in done.stderr and "Traceback" not in done.stderr


@pytest.fixture
def small_disk(docker: Engine, tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MB."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(place)]
    subprocess.run(mount, check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def _fill(place: Path, leave: int = 0) -> None:
    """Fill the file system of `place` but for `leave` bytes."""
    with (place / "filler").open("wb", buffering=0) as stream:
        with contextlib.suppress(OSError):
            while True:
                stream.write(b"\0" * 65536)
        stream.truncate(stream.tell() - leave)


def test_a_full_disk_stops_up_before_it_starts_anything(small_disk: Path) -> None:
    checkout = Checkout.clone(small_disk / "clone")
    assert checkout.inv("secrets").returncode == 0
    checkout.inv("ps")  # writes Python's caches while there is room
    _fill(small_disk, leave=1024 * 1024)
    done = checkout.inv("up")
    assert done.returncode == 1
    assert "free at" in done.stderr and "are needed" in done.stderr
    assert "Traceback" not in done.stderr
    assert checkout.container("odoo_db") == ""


def test_a_full_disk_leaves_no_half_written_secret(small_disk: Path) -> None:
    checkout = Checkout.clone(small_disk / "clone")
    _fill(small_disk)
    done = checkout.inv("secrets")
    assert done.returncode == 1
    assert "No space left" in done.stderr and "Traceback" not in done.stderr
    written = list((checkout.root / "secrets").glob("*"))
    assert [path for path in written if path.stat().st_size == 0] == []
    (small_disk / "filler").unlink()
    assert checkout.inv("secrets").returncode == 0


@pytest.mark.extended  # as where Nginx cannot start
def test_a_database_server_that_cannot_start_is_named_with_its_log(fresh: Checkout) -> None:
    compose = fresh.root / "compose.yaml"
    setting = "- archive_timeout=30s\n"
    assert compose.read_text().count(setting) == 1
    compose.write_text(compose.read_text().replace(setting, "- nonsense=1\n"))
    done = fresh.inv("up")
    assert done.returncode == 1
    assert "service odoo_db is restarting" in done.stderr, done.stderr
    assert 'unrecognized configuration parameter "nonsense"' in done.stderr


def _odoo_does_not_make_a_missing_database_with_a_known_password(checkout: Checkout) -> None:
    drop = ["dropdb", "--force", "-U", "postgres", "odoo"]
    assert checkout.exec("odoo_db", *drop).returncode == 0
    checkout.compose("restart", "odoo")

    def refused() -> bool:
        done = checkout.compose("logs", "odoo")
        return "the database odoo does not exist" in done.stdout + done.stderr

    assert eventually(refused, 30)
    present = "SELECT count(*) FROM pg_database WHERE datname = 'odoo'"
    assert checkout.sql(present, "postgres") == "0"


def test_by_hand_with_the_seeds_commands_only(fresh: Checkout) -> None:
    for path in (fresh.root / "secrets").glob("*.txt"):
        path.unlink()
    shell = "openssl rand -base64 32 > secrets/db_password.txt && chmod 600 secrets/*.txt"
    assert fresh.run("sh", "-c", f"mkdir -p secrets && {shell}").returncode == 0
    os.chown(fresh.root / "secrets" / "db_password.txt", 1234, 1234)
    done = fresh.compose("up", "-d")
    assert done.returncode == 0, done.stderr
    assert eventually(lambda: fresh.get("/web/login") == 200, 60)
    assert fresh.authenticate("admin", "admin") is None
    cat = ["exec", "-T", "odoo", "cat", "/var/lib/odoo/initial_admin_password"]
    password = fresh.compose(*cat).stdout.strip()
    assert fresh.authenticate("admin", password)
    _odoo_does_not_make_a_missing_database_with_a_known_password(fresh)
    started = time.monotonic()
    assert fresh.compose("down").returncode == 0
    assert time.monotonic() - started < 60  # nothing had to be killed after its grace time
