"""What a platform that was damaged or interrupted says, and the one way back to work."""

import contextlib
import fcntl
import os
import pty
import signal
import subprocess
import termios
import time
from collections.abc import Iterator

import pytest

from tests.e2e.support import images
from tests.e2e.support.browser_session import BrowserSession
from tests.e2e.support.checkout import Checkout
from tests.e2e.support.template import OFTEN_ASKED, Template, running_copy
from tests.support.waiting import eventually

pytestmark = pytest.mark.xdist_group("identity")

_CODES = {
    "SIGTERM": [143],
    # Whichever comes first: SIGHUP, or the next word that cannot be written there.
    "the terminal is closed": [143, 1],
    "SIGKILL": [-signal.SIGKILL],
}


@pytest.fixture(scope="module")
def platform(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """A running platform."""
    clone = Checkout.clone(tmp_path_factory.mktemp("recovery") / "clone")
    with running_copy(template, clone, OFTEN_ASKED) as running:
        yield running


def _rename(platform: Checkout, old: str, new: str) -> None:
    assert platform.compose("stop", "odoo").returncode == 0
    statement = f"ALTER DATABASE {old} RENAME TO {new}"
    psql = ["psql", "-U", "postgres", "-d", "postgres", "-c", statement]
    done = platform.exec("odoo_db", *psql)
    assert done.returncode == 0, done.stderr


def _no_empty_one_is_made(platform: Checkout, copy: str) -> str:
    done = platform.inv("up")
    assert done.returncode == 1
    assert f"the database 'odoo' is missing, and there is {copy}" in done.stderr, done.stderr
    assert (
        platform.sql("SELECT count(*) FROM pg_database WHERE datname = 'odoo'", "postgres") == "0"
    )
    return done.stderr.rpartition("is missing, and there is")[2]  # before: of earlier starts


@pytest.mark.extended  # as beside a snapshot; `restore --undo` is shown with backups
def test_a_missing_database_is_not_replaced_beside_the_one_of_the_last_restore(
    platform: Checkout,
) -> None:
    platform.sql("CREATE TABLE kept AS SELECT 42 AS answer")
    _rename(platform, "odoo", "odoo__before")
    assert "inv restore --undo" in _no_empty_one_is_made(platform, "odoo__before")
    done = platform.inv("restore", "--undo", "--yes")
    assert done.returncode == 0, done.stderr
    assert platform.sql("SELECT answer FROM kept") == "42"
    assert platform.authenticate("admin", platform.admin_password)


def test_a_missing_database_is_back_from_the_last_snapshot_with_its_files(
    platform: Checkout,
) -> None:
    copy, filestore = "odoo__s1795706127", "/var/lib/odoo/filestore"
    files = f"find {filestore}/odoo -type f -not -path '*/checklist/*' | sort"
    held = platform.exec("odoo", "sh", "-c", files).stdout
    assert held
    _rename(platform, "odoo", "kept")
    # What a killed restore and an undone change leave may be half-made: no way leads to them.
    for name in ("odoo__restoring", "odoo__undone"):
        platform.sql(f"CREATE DATABASE {name}", "postgres")
    said = _no_empty_one_is_made(platform, "odoo__restoring, odoo__undone")
    assert not [word for word in ("RENAME", "rollback", "--undo") if word in said]
    drop = said.split("odoo_db psql -U postgres ")[1].split(", then")[0]
    done = platform.run("sh", "-c", f"docker compose exec -T odoo_db psql -U postgres {drop}")
    assert done.returncode == 0, done.stderr
    _rename(platform, "kept", copy)
    about = '{"doing": "install sale", "made": "2026-11-26T00:00:00", "state": "closed"}'
    platform.sql(f"COMMENT ON DATABASE {copy} IS '{about}'", "postgres")
    run = ["run", "--rm", "--no-deps", "-T", "--entrypoint", "mv", "--user", "odoo", "odoo_init"]
    moved = platform.compose(*run, f"{filestore}/odoo", f"{filestore}/{copy}")
    assert moved.returncode == 0, moved.stderr
    assert "inv module.rollback, then inv up" in _no_empty_one_is_made(platform, copy)
    for command in (("module.rollback", "--yes"), ("up",)):
        done = platform.inv(*command)
        assert done.returncode == 0, done.stderr
    assert platform.exec("odoo", "sh", "-c", files).stdout == held
    assert platform.authenticate("admin", platform.admin_password)
    assert copy not in platform.sql("SELECT datname FROM pg_database", "postgres")


def _restoring(platform: Checkout, terminal: int) -> subprocess.Popen[bytes]:
    """`inv restore` at a terminal of its own, as in a login of somebody."""
    return subprocess.Popen(
        ["./scripts/inv", "restore", "--yes"],
        cwd=platform.root,
        env=platform.environment(),
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )


def _read_until(controller: int, words: bytes) -> None:
    said = b""
    while words not in said:
        said += os.read(controller, 4096)  # fails at its end


@pytest.fixture(scope="module")
def backup(platform: Checkout) -> None:
    """There is one."""
    assert platform.inv("backup").returncode == 0


# Not SIGINT: what is started in the background has it ignored.
@pytest.mark.parametrize(
    "end",
    [
        "SIGTERM",
        # While it loads: see test_a_terminal_that_is_closed_while_a_restore_loads_…
        pytest.param("the terminal is closed", marks=pytest.mark.extended),
        "SIGKILL",
    ],
)
@pytest.mark.usefixtures("backup")
def test_odoo_runs_again_after_a_restore_that_was_ended_while_it_stopped(
    platform: Checkout, end: str
) -> None:
    controller, terminal = pty.openpty()
    process = _restoring(platform, terminal)
    os.close(terminal)
    _read_until(controller, b"Stopping Odoo")
    time.sleep(0.5)
    if end == "the terminal is closed":
        os.close(controller)
    else:
        process.send_signal(signal.Signals[end])
        if end == "SIGTERM":
            _read_until(controller, b"it is started again")
    try:
        assert process.wait(300) in _CODES[end]
    finally:
        with contextlib.suppress(OSError):
            os.close(controller)
    if end == "SIGKILL":  # nobody was left to start it, and one command does
        assert platform.inv("up").returncode == 0
    assert platform.get("/web/login") == 200


@pytest.mark.usefixtures("backup")
def test_a_terminal_that_is_closed_while_a_restore_loads_leaves_what_is_live_alone(
    platform: Checkout,
) -> None:
    controller, terminal = pty.openpty()
    process = _restoring(platform, terminal)
    os.close(terminal)
    _read_until(controller, b"Restoring and verifying")
    assert eventually(lambda: "odoo__restoring" in _databases(platform), 60)
    os.close(controller)  # which the client of Docker hears of, too, and its container
    assert process.wait(300) in _CODES["the terminal is closed"]
    assert platform.get("/web/login") == 200
    done = platform.inv("restore", "--yes")  # which takes away what that one may have left
    assert done.returncode == 0, done.stderr
    assert "odoo__restoring" not in _databases(platform)


def _databases(platform: Checkout) -> list[str]:
    return platform.sql("SELECT datname FROM pg_database", "postgres").split()


def test_a_damaged_file_of_sessions_is_repaired_by_a_command(
    platform: Checkout,
) -> None:
    visitor = BrowserSession.admin(platform)
    # Behind what is good, which has to be there afterwards.
    damage = r"printf 'garbage\r\n' >>$(ls /data/appendonlydir/*.incr.aof)"
    assert platform.exec("redis", "sh", "-c", "sleep 2").returncode == 0
    assert platform.compose("stop", "redis").returncode == 0
    run = ["run", "--rm", "--no-deps", "-T", "--user", "redis", "--entrypoint", "sh", "redis", "-c"]
    done = platform.compose(*run, damage)
    assert done.returncode == 0, done.stderr
    refused = platform.inv("up")
    assert refused.returncode == 1
    assert "docker compose run --rm --no-deps redis repair" in refused.stderr, refused.stderr
    done = platform.compose("run", "--rm", "--no-deps", "-T", "redis", "repair")
    assert done.returncode == 0, done.stderr
    assert "repaired; the damaged files are in the volume" in done.stdout + done.stderr
    done = platform.inv("up")
    assert done.returncode == 0, done.stderr
    assert visitor.get("/odoo").status_code == 200
    running = platform.compose("run", "--rm", "--no-deps", "-T", "redis", "repair")
    assert running.returncode == 1
    assert "Redis is running: there is nothing to repair" in running.stderr


def test_a_start_after_the_cause_is_gone_waits_for_no_backoff(platform: Checkout) -> None:
    manifest = platform.root / "odoo" / "addons" / "session_redis" / "__manifest__.py"
    aside = manifest.with_name("aside")
    manifest.rename(aside)
    try:
        assert platform.compose("restart", "odoo").returncode == 0
        # After so many the engine waits for 12 seconds and more before the next try.
        assert eventually(lambda: platform.inspect("odoo")["RestartCount"] >= 7, 60)
    finally:
        aside.rename(manifest)
    done = platform.inv("up")
    assert done.returncode == 0, done.stderr
    # Stopped and started, instead of waited for.
    assert platform.inspect("odoo")["RestartCount"] == 0


def test_a_volume_that_is_a_file_system_of_its_own_gets_a_database(fresh: Checkout) -> None:
    volume = f"{fresh.project}_odoo_db_data"
    marks = [
        f"--label=com.docker.compose.project={fresh.project}",
        "--label=com.docker.compose.volume=odoo_db_data",
    ]
    assert fresh.run("docker", "volume", "create", *marks, volume).returncode == 0
    image = images.in_use(fresh)["REDIS_IMAGE"]
    make = "chown root: /d; chmod 755 /d; mkdir -m 700 /d/lost+found"
    run = ["docker", "run", "--rm", "--volume", f"{volume}:/d", "--entrypoint", "sh", image]
    assert fresh.run(*run, "-c", make).returncode == 0
    assert fresh.compose("up", "-d", "odoo_db").returncode == 0
    ready = ["exec", "-T", "odoo_db", "pg_isready", "-h", "127.0.0.1", "-U", "odoo"]
    assert eventually(lambda: fresh.compose(*ready).returncode == 0, 30)


def test_a_database_of_another_version_is_opened_by_nothing(platform: Checkout) -> None:
    version = "SELECT latest_version FROM ir_module_module WHERE name = 'base'"
    change = "UPDATE ir_module_module SET latest_version = '{}' WHERE name = 'base'"
    assert platform.inv("backup").returncode == 0
    before = platform.sql(version)
    platform.sql(change.format("17.0.1.3"))
    assert platform.compose("rm", "--stop", "--force", "odoo").returncode == 0
    try:
        for command in (("up",), ("module.update", "base")):
            done = platform.inv(*command)
            assert done.returncode == 1
            said = f"is of Odoo 17.0 and this image is Odoo {before.rsplit('.', 2)[0]}"
            assert said in done.stderr and "ODOO_BASE_IMAGE" in done.stderr, done.stderr
        by_hand = platform.compose("run", "--rm", "-T", "--no-deps", "odoo", "odoo", "--version")
        assert by_hand.returncode == 78
        done = platform.inv("restore", "--yes")  # of this version, in the place of the other
        assert done.returncode == 0, done.stderr
        assert platform.sql(version) == before
    finally:
        platform.sql(change.format(before))
    done = platform.inv("up")
    assert done.returncode == 0, done.stderr
    assert platform.authenticate("admin", platform.admin_password)
