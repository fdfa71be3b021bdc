"""Volumes that fill up: named before they are full, and nothing acknowledged is lost by it.

Each is a small file system of its own. When there is room again, everything comes back by itself.
"""

import base64
import hashlib
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.e2e.support import images
from tests.e2e.support.browser_session import BrowserSession
from tests.e2e.support.checkout import Checkout
from tests.e2e.support.template import Template, running_copy
from tests.support.waiting import eventually

pytestmark = pytest.mark.xdist_group("volumes")

# MiB. PostgreSQL's begins at a fifth of that.
_SIZES = {"odoo_db_data": 500, "odoo_data": 60, "redis_data": 8, "nginx_cache": 40}
_INODES = {"redis_data": 500}
_OPTIONS = {
    volume: [
        "--opt=type=tmpfs",
        "--opt=device=tmpfs",
        f"--opt=o=size={size}m,mode=1777,nr_inodes={_INODES.get(volume, 0)}",
    ]
    for volume, size in _SIZES.items()
}
_MEGABYTE = 1024 * 1024


@dataclass(frozen=True)
class Small:
    """A platform with small volumes, and a container that sees all of them."""

    platform: Checkout
    keeper: str

    def run(self, script: str) -> str:
        """What a shell prints in that container; /v has the volumes by name."""
        done = self.platform.run("docker", "exec", self.keeper, "sh", "-c", script)
        return done.stdout + done.stderr

    def free(self, volume: str) -> int:
        """Bytes."""
        return int(self.run(f"stat -f -c '%a %S' /v/{volume} | awk '{{print $1 * $2}}'"))

    @contextmanager
    def filled(self, volume: str, leave: int = 0) -> Iterator[None]:
        """No room on `volume` but for `leave` bytes, while the block runs."""
        count = max(0, self.free(volume) - leave) // 4096 + (not leave)
        try:
            self.run(f"dd if=/dev/zero of=/v/{volume}/filler bs=4096 count={count}")
            yield
        finally:
            self.run(f"rm -f /v/{volume}/filler")

    def report(self) -> str:
        """What `inv health` prints."""
        return self.platform.inv("health").stdout

    def is_well(self) -> bool:
        """Whether nothing is left of it, but that what had no room was started again."""
        done = self.platform.inv("health")
        return done.returncode == 0 and "Volumes: ✓ OK" in done.stdout


@pytest.fixture(scope="module")
def small(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Small]:
    clone = Checkout.clone(tmp_path_factory.mktemp("volumes") / "clone")
    keeper = f"{clone.project}-small"
    try:
        _keep_small_volumes(clone, keeper)
        with running_copy(template, clone, volumes=_OPTIONS) as platform:
            yield Small(platform, keeper)
            platform.run("docker", "rm", "--force", "--volumes", keeper)
    finally:
        clone.run("docker", "rm", "--force", "--volumes", keeper)
        clone.destroy()


def _keep_small_volumes(clone: Checkout, keeper: str) -> None:
    """Make them, and a container that uses them: what is in memory goes with the last such."""
    mounts = []
    for volume in _SIZES:
        name = f"{clone.project}_{volume}"
        labels = {"project": clone.project, "volume": volume}
        marks = [f"--label=com.docker.compose.{key}={value}" for key, value in labels.items()]
        done = clone.run("docker", "volume", "create", *marks, *_OPTIONS[volume], name)
        assert done.returncode == 0, done.stderr
        mounts.append(f"--volume={name}:/v/{volume}")
    run = ["docker", "run", "--detach", "--init", "--name", keeper, "--network=none", *mounts]
    done = clone.run(*run, "--entrypoint", "sleep", images.in_use()["REDIS_IMAGE"], "7200")
    assert done.returncode == 0, done.stderr


@pytest.fixture(autouse=True)
def well_again(small: Small) -> Iterator[None]:
    yield
    assert eventually(small.is_well, 120), small.report()


def test_volumes_are_named_before_they_are_full(small: Small) -> None:
    with _all_filled(small, percent_free=18):
        report = small.report()
        for volume, size in _SIZES.items():
            named = rf"^Volumes: ! WARNING: (.*; )?{volume}: \d+ MiB of {size} MiB"
            assert re.search(named, report, re.M), report
        assert report.endswith("All services work; warnings: Volumes\n")
    with _all_filled(small, percent_free=8):
        report = small.report()
        for volume, size in _SIZES.items():
            named = rf"^Volumes: ✗ FAILED: (.*; )?{volume}: \d+ MiB of {size} MiB"
            assert re.search(named, report, re.M), report
        assert report.endswith("Unhealthy: Volumes\n")


@contextmanager
def _all_filled(small: Small, percent_free: int) -> Iterator[None]:
    with ExitStack() as stack:
        for volume, size in _SIZES.items():
            leave = size * _MEGABYTE * percent_free // 100
            stack.enter_context(small.filled(volume, leave))
        yield


def test_a_volume_without_inodes_is_named(small: Small) -> None:
    small.run("mkdir /v/redis_data/many")
    try:
        small.run(f"cd /v/redis_data/many && seq {_INODES['redis_data']} | xargs touch")
        report = small.report()
        assert "Volumes: ✗ FAILED: redis_data: 0 of 500 inodes are free" in report, report
    finally:
        small.run("rm -rf /v/redis_data/many")


def test_a_full_database_loses_nothing_and_comes_back(small: Small) -> None:
    platform = small.platform
    platform.sql("CREATE TABLE acknowledged (n int, content text)")
    stored = 0
    with small.filled("odoo_db_data", leave=60 * _MEGABYTE):
        for number in range(1, 500):
            insert = f"INSERT INTO acknowledged SELECT {number}, string_agg(random()::text, '')"
            insert += " FROM generate_series(1, 50000)"
            if not _execute(platform, insert):
                break
            stored = number
        assert 0 < stored < 499, "it never filled up"
        small.run("dd if=/dev/zero of=/v/odoo_db_data/filler.2 bs=4096")
        for _ in range(5):  # the server has no room for its log then, and starts again and again
            _execute(platform, "CHECKPOINT", "postgres")
            _execute(platform, "INSERT INTO acknowledged SELECT 0, repeat('x', 9000000)")
        report = small.report()
        assert "Volumes: ✗ FAILED: odoo_db_data: 0 MiB of 500 MiB are free" in report, report
        small.run("rm /v/odoo_db_data/filler.2")
    assert eventually(lambda: _execute(platform, "SELECT 1"), 90)
    numbers = "SELECT count(DISTINCT n) FROM acknowledged WHERE n > 0 AND length(content) > 50000"
    assert int(platform.sql(numbers)) >= stored
    platform.sql("DROP TABLE acknowledged")
    assert eventually(lambda: platform.authenticate("admin", platform.admin_password), 60)


def _execute(platform: Checkout, query: str, role: str = "odoo") -> bool:
    psql = ["psql", "-U", role, "-d", "odoo", "-c", query]
    return platform.run("docker", "exec", f"{platform.project}-odoo_db-1", *psql).returncode == 0


def _upload(visitor: BrowserSession, name: str, content: bytes) -> int | None:
    """The id of a new attachment, None where Odoo refuses it."""
    values = {"name": name, "datas": base64.b64encode(content).decode()}
    try:
        found: Any = visitor.method("ir.attachment", "create", values)
    except (AssertionError, requests.RequestException):
        return None
    return int(found)


def _content(visitor: BrowserSession, attachment: int) -> bytes:
    (row,) = visitor.method("ir.attachment", "read", [attachment], ["datas"])
    return base64.b64decode(row["datas"] or b"")


def test_an_upload_without_room_is_refused_and_works_when_there_is_some(small: Small) -> None:
    admin = BrowserSession.admin(small.platform)
    kept = _upload(admin, "kept.bin", b"kept" * 1000)
    content = bytes(range(256)) * 4096
    with small.filled("odoo_data"):
        assert _upload(admin, "refused.bin", content) is None
        assert (
            small.platform.sql("SELECT count(*) FROM ir_attachment WHERE name = 'refused.bin'")
            == "0"
        )
        report = small.report()
        assert "Odoo (container): ✗ FAILED: no file can be written below" in report, report
        assert "Volumes: ✗ FAILED: odoo_data: 0 MiB" in report
        assert "Redis: ✓ OK" in report and "PostgreSQL: ✓ OK" in report
    # Nothing of the failed one is in the way of the same upload.
    again = _upload(admin, "refused.bin", content)
    assert again and _content(admin, again) == content
    assert kept and _content(admin, kept) == b"kept" * 1000


def test_a_folder_that_is_not_odoos_refuses_uploads_into_it(small: Small) -> None:
    admin = BrowserSession.admin(small.platform)
    content = b"another owner"
    folder = "/v/odoo_data/filestore/odoo/" + _hash(content)[:2]
    small.run(f"mkdir -p {folder} && chown 0:0 {folder} && chmod 755 {folder}")
    try:
        assert _upload(admin, "foreign.bin", content) is None
        assert (
            small.platform.sql("SELECT count(*) FROM ir_attachment WHERE name = 'foreign.bin'")
            == "0"
        )
        assert "Odoo may not write into" in small.report()
    finally:
        small.run(f"chown --reference=/v/odoo_data/filestore {folder}")
    assert _upload(admin, "foreign.bin", content)


def _hash(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()


def test_sessions_survive_a_full_disk_and_a_restart_upon_it(small: Small) -> None:
    platform = small.platform
    admin = BrowserSession.admin(platform)
    set_it = ["exec", "-T", "redis", "sh", "/etc/platform/cli", "set", "platform:trial"]
    with small.filled("redis_data"):
        assert eventually(lambda: "MISCONF" in str(platform.compose(*set_it, "x" * 9000)), 20)
        report = small.report()
        assert "Redis: ✗ FAILED: MISCONF" in report and "Volumes: ✗ FAILED: redis_data" in report
        assert admin.uid() == 2
        assert platform.compose("restart", "redis").returncode == 0
        assert eventually(lambda: _is_in(admin), 30), "Redis does not start on a full disk"
    assert eventually(lambda: platform.compose(*set_it, "y").returncode == 0, 20)
    assert platform.compose("restart", "redis").returncode == 0
    assert eventually(lambda: _is_in(admin), 30)


def _is_in(visitor: BrowserSession) -> bool:
    """Whether the session is there; Odoo answers 503 while Redis is away."""
    return visitor.get("/odoo", allow_redirects=False).status_code == 200 and visitor.uid() == 2


def test_nginx_goes_on_where_its_volume_is_full(small: Small) -> None:
    admin = BrowserSession.admin(small.platform)
    with small.filled("nginx_cache"):
        assert "Volumes: ✗ FAILED: nginx_cache: 0 MiB" in small.report()
        assert admin.uid() == 2  # what fits into memory needs no volume
        assert admin.get("/web/login").status_code == 200
    assert eventually(lambda: _upload(admin, "big.bin", bytes(3_000_000)) is not None, 20)


def test_a_full_folder_of_backups_is_named(small: Small, tmp_path: Path) -> None:
    place = tmp_path / "backups"
    place.mkdir()
    size = "-osize=40m"
    if small.platform.run("mount", "-t", "tmpfs", size, "tmpfs", str(place)).returncode:
        pytest.skip("mounting a small file system needs root")
    try:
        folder = {"BACKUP_FOLDER": str(place)}
        (place / "filler").write_bytes(bytes(33 * _MEGABYTE))
        done = small.platform.inv("health", **folder)
        assert f"Volumes: ! WARNING: backups in {place}: 7 MiB of 40 MiB" in done.stdout
        assert done.returncode == 0
        (place / "filler").write_bytes(bytes(39 * _MEGABYTE))
        assert small.platform.inv("backup", **folder).returncode == 1
        done = small.platform.inv("health", **folder)
        assert f"Volumes: ✗ FAILED: backups in {place}" in done.stdout
        assert done.returncode == 1
    finally:
        small.platform.run("umount", str(place))
