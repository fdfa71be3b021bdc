"""New secrets for a living platform: all of them or none, and nobody is logged out."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.support import logins
from tests.e2e.support.browser_session import BrowserSession
from tests.e2e.support.checkout import Checkout
from tests.support.waiting import eventually

_ADMIN_HASH = "SELECT password FROM res_users WHERE id = 2"
_REFUSING = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'not this one, by %', session_user; END $$;
CREATE TRIGGER refuse BEFORE UPDATE OF password ON res_users FOR EACH ROW EXECUTE FUNCTION refuse()
"""


@pytest.fixture(scope="module")
def worker(platform: Checkout) -> BrowserSession:
    """Somebody who is at work, and must not notice."""
    boss = BrowserSession.admin(platform)
    new = {"name": "worker", "login": "worker", "password": "Worker-12345"}
    boss.method("res.users", "create", new)
    visitor = BrowserSession(platform)
    assert visitor.log_in("worker", "Worker-12345").status_code == 200
    assert visitor.uid()
    return visitor


def _files(platform: Checkout) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (platform.root / "secrets").glob("*.txt")}


def _repository_opens(platform: Checkout, key: Path) -> bool:
    run = ["--progress", "quiet", "run", "--rm", "-T", "--no-deps", "--entrypoint", "restic"]
    ask = ["--repo", "/repository", "--password-file", "/key", "cat", "config", "--no-lock"]
    return platform.compose(*run, "--volume", f"{key}:/key:ro", "backup", *ask).returncode == 0


def _fits(platform: Checkout) -> None:
    """Every secret opens what it is for."""
    secrets = platform.root / "secrets"
    assert not (secrets / "rotation").exists()
    done = logins.odoo_role(platform, (secrets / "db_password.txt").read_text().strip())
    assert done.returncode == 0, done.stderr
    assert platform.authenticate("admin", platform.admin_password) == 2
    assert _repository_opens(platform, secrets / "backup_key.txt")


def test_all_secrets_are_replaced_and_nobody_notices_but_the_administrator(
    platform: Checkout, worker: BrowserSession, tmp_path: Path
) -> None:
    boss, before = BrowserSession.admin(platform), _files(platform)
    (tmp_path / "old_key").write_bytes(before["backup_key.txt"])
    done = platform.inv("secrets.rotate")
    assert done.returncode == 0, done.stderr
    assert "inv backup.key" in done.stdout
    after = _files(platform)
    assert set(after) == set(before) and not set(after.values()) & set(before.values())
    assert worker.uid() and not boss.uid()
    _fits(platform)
    assert platform.inv("health").returncode == 0
    refused = logins.odoo_role(platform, before["db_password.txt"].decode().strip())
    assert "password authentication failed" in refused.stderr
    assert not platform.authenticate("admin", before["odoo_admin_password.txt"].decode().strip())
    assert not _repository_opens(platform, tmp_path / "old_key")
    logs = platform.compose("logs").stdout + done.stdout + done.stderr
    values = [value.decode().strip() for value in (*before.values(), *after.values())]
    assert not [value for value in values if value in logs]


def test_backup_and_restore_work_with_the_new_secrets(platform: Checkout) -> None:
    assert len(platform.inv("backup.list").stdout.splitlines()) == 2
    for command in (["backup"], ["restore", "--to-database", "aside", "--yes"]):
        done = platform.inv(*command)
        assert done.returncode == 0, done.stderr
    assert platform.sql("SELECT login FROM res_users WHERE id = 2", "aside") == "admin"


@contextlib.contextmanager
def _without_new_passwords(platform: Checkout) -> Iterator[None]:
    """Odoo's database refuses every change of a password."""
    platform.sql(_REFUSING)
    try:
        yield
    finally:
        platform.sql("DROP TRIGGER refuse ON res_users; DROP FUNCTION refuse()")


def test_where_one_cannot_be_replaced_none_is(platform: Checkout, worker: BrowserSession) -> None:
    boss, before = BrowserSession.admin(platform), _files(platform)
    with _without_new_passwords(platform):
        done = platform.inv("secrets.rotate")
    assert done.returncode == 1
    assert "not this one, by odoo" in done.stderr  # no superuser runs what a stranger left there
    assert "The old secrets are in use again." in done.stderr
    assert _files(platform) == before
    assert worker.uid() and boss.uid()
    _fits(platform)


@pytest.mark.parametrize(
    "moment",
    [
        "Stopping Odoo",
        pytest.param("Starting Odoo", marks=pytest.mark.extended),
        "Removing the old key",
    ],
)
def test_a_killed_rotation_is_undone_or_finished_by_one_command(
    platform: Checkout, worker: BrowserSession, moment: str
) -> None:
    before = _files(platform)
    process = subprocess.Popen(
        [str(platform.root / "scripts/inv"), "secrets.rotate"],
        cwd=platform.root,
        env=platform.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr
    for line in process.stderr:
        if line.startswith(f"… {moment}"):
            break
    time.sleep(1)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    for command in ("up", "backup") if moment == "Stopping Odoo" else ():
        refused = platform.inv(command)
        assert refused.returncode == 1
        assert "a rotation of the secrets was interrupted" in refused.stderr
        assert "inv secrets" in refused.stderr
    if moment == "Starting Odoo":  # somebody had no patience
        assert platform.inv("down").returncode == 0
    done = platform.inv("secrets")
    assert done.returncode == 0, done.stderr
    if moment == "Starting Odoo":
        done = platform.inv("up")
        assert done.returncode == 0, done.stderr
    assert (_files(platform) == before) is (moment != "Removing the old key")
    assert eventually(worker.uid, 30)
    _fits(platform)


def test_a_rotation_waits_for_nobody_who_changes_the_platform(platform: Checkout) -> None:
    with platform.start("./scripts/inv", "restart", "--service", "nginx") as other:
        assert eventually(lambda: "restart" in _lock(platform), 30)
        other.send_signal(signal.SIGSTOP)  # it is quick, and has to hold the lock meanwhile
        try:
            done = platform.inv("secrets.rotate", "db_password")
        finally:
            other.send_signal(signal.SIGCONT)
        other.communicate()
    assert done.returncode == 1
    assert "`inv restart` (process" in done.stderr and "still running" in done.stderr


def _lock(platform: Checkout) -> str:
    return (platform.root / ".state" / "lock").read_text()
