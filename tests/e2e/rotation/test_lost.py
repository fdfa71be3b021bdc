"""Lost secrets: a new one is never made beside what depends on the old one."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.support import logins
from tests.e2e.support.browser_session import BrowserSession
from tests.e2e.support.checkout import Checkout
from tests.support.waiting import eventually


@contextmanager
def _gone(platform: Checkout, name: str) -> Iterator[None]:
    """Without the file of the secret `name`, which is put back if nothing new is there."""
    path = platform.root / "secrets" / f"{name}.txt"
    content = path.read_bytes()
    path.unlink()
    try:
        yield
    finally:
        if not path.exists():
            path.write_bytes(content)
            path.chmod(0o600)


def _refused(platform: Checkout, name: str) -> str:
    """What `inv secrets` says when that one is missing; it makes none."""
    done = platform.inv("secrets")
    assert done.returncode == 1, done.stdout
    assert f"secrets/{name}.txt is missing, but" in done.stderr
    assert not (platform.root / "secrets" / f"{name}.txt").exists()
    return done.stderr


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("db_password", "inv secrets.rotate db_password"),
        ("odoo_admin_password", "inv secrets.reset admin"),
        ("backup_key", "BACKUP_FOLDER"),
    ],
)
def test_a_secret_that_something_depends_on_is_not_made(
    platform: Checkout, name: str, way: str
) -> None:
    with _gone(platform, name):
        assert way in _refused(platform, name)


def test_one_that_nothing_depends_on_is_made_as_ever(platform: Checkout) -> None:
    with _gone(platform, "supabase_jwt_secret"):
        assert platform.inv("secrets").returncode == 0
        assert (platform.root / "secrets" / "supabase_jwt_secret.txt").exists()


def test_a_lost_backup_key_is_not_replaced_beside_the_repository(platform: Checkout) -> None:
    with _gone(platform, "backup_key"):
        done = platform.inv("secrets.rotate", "backup_key")
        assert done.returncode == 1
        assert "only by the old one" in done.stderr
        assert platform.inv("secrets", BACKUP_FOLDER="./another").returncode == 0
        (platform.root / "secrets" / "backup_key.txt").unlink()
    assert platform.inv("backup.list").returncode == 0


@pytest.mark.parametrize("running", [pytest.param(True, marks=pytest.mark.extended), False])
def test_a_lost_database_password_is_replaced_by_a_rotation(
    platform: Checkout, running: bool
) -> None:
    visitor = BrowserSession.admin(platform)
    if not running:
        assert platform.inv("down").returncode == 0
    with _gone(platform, "db_password"):
        _refused(platform, "db_password")
        assert "does not exist" in platform.inv("up").stderr
        done = platform.inv("secrets.rotate", "db_password")
        assert done.returncode == 0, done.stderr
    if not running:
        done = platform.inv("up")
        assert done.returncode == 0, done.stderr
    assert visitor.uid() == 2


def test_a_password_file_that_was_replaced_by_hand_is_put_right(platform: Checkout) -> None:
    path = platform.root / "secrets" / "db_password.txt"
    path.write_text("Another-Value-12345\n")
    done = platform.inv("restart")
    assert done.returncode == 1
    done = platform.inv("secrets.rotate", "db_password")
    assert done.returncode == 0, done.stderr
    assert platform.inv("up").returncode == 0
    assert platform.authenticate("admin", platform.admin_password) == 2


def test_a_reset_puts_right_what_was_changed_in_odoo_and_logs_out_the_administrator_alone(
    platform: Checkout,
) -> None:
    file = str(platform.root / "secrets" / "odoo_admin_password.txt")
    boss, worker = BrowserSession.admin(platform), BrowserSession(platform)
    boss.method("res.users", "create", {"name": "w", "login": "w", "password": "Worker-1234"})
    worker.log_in("w", "Worker-1234")
    boss.method("res.users", "write", [2], {"password": "Changed-in-Odoo-1"})
    assert not platform.authenticate("admin", platform.admin_password)
    boss = BrowserSession(platform)
    assert boss.log_in("admin", "Changed-in-Odoo-1").status_code == 200 and boss.uid() == 2
    done = platform.inv("quickstart")
    assert done.returncode == 0, done.stderr
    assert file not in done.stdout  # it does not open the door
    assert "inv secrets.reset admin" in done.stdout
    before = platform.container("odoo"), _started(platform)
    done = platform.inv("secrets.reset", "admin")
    assert done.returncode == 0, done.stderr
    assert "secrets/odoo_admin_password.txt" in done.stdout
    assert worker.uid() and not boss.uid()
    assert BrowserSession.admin(platform).uid() == 2
    assert (platform.container("odoo"), _started(platform)) == before


def _started(platform: Checkout) -> str:
    started: str = platform.inspect("odoo")["State"]["StartedAt"]
    return started


def _start_supabase(platform: Checkout) -> None:
    done = platform.compose("up", "--detach", "--no-build", "supabase_db")
    assert done.returncode == 0, done.stderr
    ready = ["pg_isready", "-q", "-h", "127.0.0.1"]
    assert eventually(lambda: platform.exec("supabase_db", *ready).returncode == 0, 60)


def test_the_local_supabase_gets_new_secrets_too(platform: Checkout) -> None:
    _start_supabase(platform)
    with _gone(platform, "supabase_db_password"), _gone(platform, "supabase_jwt_secret"):
        _refused(platform, "supabase_jwt_secret")
        done = platform.inv("secrets.rotate", "supabase_db_password,supabase_jwt_secret")
        assert done.returncode == 0, done.stderr
    _supabase_takes(platform)
    assert platform.compose("--profile", "supabase", "stop", "supabase_db").returncode == 0
    done = platform.inv("secrets.rotate", "supabase_db_password,supabase_jwt_secret")
    assert done.returncode == 0, done.stderr
    assert platform.inspect("supabase_db")["State"]["Status"] == "exited"
    _start_supabase(platform)
    _supabase_takes(platform)


def _supabase_takes(platform: Checkout) -> None:
    """The authenticator logs in over the network, by the present file."""
    secret = (platform.root / "secrets" / "supabase_db_password.txt").read_text().strip()
    done = logins.authenticator(platform, secret)
    assert done.stdout.strip() == "7", done.stderr
