"""Continuous archiving on the real stack: any moment, with its files, and what may go wrong."""

import json
import random
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

import pytest

from tests.e2e.support import writer
from tests.e2e.support.archiving import await_status, restored, stamp, status, switch
from tests.e2e.support.checkout import Checkout
from tests.e2e.support.odoo_data import last_error
from tests.e2e.support.template import Template, running_copy
from tests.support.waiting import BUSY, eventually

pytestmark = pytest.mark.xdist_group("continuous")

_MOMENTS = 1  # twenty with --soak


@pytest.fixture(scope="module")
def platform(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """One that archives, with its first base backup."""
    checkout = Checkout.clone(tmp_path_factory.mktemp("continuous") / "clone")
    with running_copy(template, checkout, "BACKUP_CONTINUOUS=true", "BACKUP_QUEUE=1") as running:
        await_status(running, lambda found: bool(found["begins"]), 120)
        yield running


def _compare(platform: Checkout, written: writer.Written, moment: float) -> None:
    """Raises AssertionError for a row or a file too few or too many at that moment."""
    assert restored(platform, moment)["missing_files"] == 0
    rows = platform.sql("SELECT n, file FROM numbered", "past").splitlines()
    found = {int(row.split("|")[0]): row.split("|")[1] for row in rows}
    assert written.certain(moment) <= found.keys() <= written.possible(moment)
    folder = "/var/lib/odoo/filestore/past"
    look = f"cd {folder} && sha1sum {' '.join(found.values())}"
    for line in platform.exec("odoo", "sh", "-c", look).stdout.splitlines():
        digest, name = line.split()
        assert name.rpartition("/")[2] == digest
    assert platform.sql("SELECT count(*) FROM numbered") == "20"  # the live one is as it was


def _moments(platform: Checkout, count: int, seconds: int) -> None:
    written = writer.write(platform, seconds)
    begin, end = written.span
    for _ in range(count):
        _compare(platform, written, random.uniform(begin, end))
    platform.sql("DROP TABLE numbered")


def test_any_moment_has_its_rows_and_its_files(platform: Checkout) -> None:
    _moments(platform, _MOMENTS, 12)


@pytest.mark.soak
def test_twenty_moments_have_their_rows_and_their_files(platform: Checkout) -> None:
    _moments(platform, 20, 120)


def test_a_moment_replaces_the_live_database_and_that_can_be_undone(platform: Checkout) -> None:
    platform.sql("CREATE TABLE told (text text)")
    platform.sql("INSERT INTO told VALUES ('before')")
    moment = time.time()
    platform.sql("UPDATE told SET text = 'after'")
    done = platform.inv("restore", "--at", stamp(moment))
    assert "nothing was restored" in last_error(done)
    done = platform.inv("restore", "--at", stamp(moment), "--yes")
    assert done.returncode == 0, done.stderr
    assert platform.sql("SELECT text FROM told") == "before"
    assert platform.authenticate("admin", platform.admin_password)
    # A moment after a restore: what was written since is archived, too.
    platform.sql("UPDATE told SET text = 'later'")
    later = time.time()
    platform.sql("UPDATE told SET text = 'latest'")
    restored(platform, later)
    assert platform.sql("SELECT text FROM told", "past") == "later"
    done = platform.inv("restore", "--undo", "--yes")
    assert done.returncode == 0, done.stderr
    assert platform.sql("SELECT text FROM told") == "after"


def test_a_moment_is_opened_to_look_things_up_and_reaches_nobody(platform: Checkout) -> None:
    done = platform.inv("at", stamp(time.time()), "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    name = found["database"]
    assert found["url"].endswith(f"{name}.localhost:{platform.clone_port}")
    neutral = "SELECT value FROM ir_config_parameter WHERE key = 'database.is_neutralized'"
    assert platform.sql(neutral, name) == "true"
    done = platform.inv("db.drop", name, "--yes")
    assert done.returncode == 0, done.stderr


def test_what_was_committed_survives_kills_of_the_server_and_the_archiver(
    platform: Checkout,
) -> None:
    for service in ("odoo_db", "archiver"):
        platform.sql("CREATE TABLE IF NOT EXISTS kept (service text)")
        platform.sql(f"INSERT INTO kept VALUES ('{service}')")
        pid = platform.pid(service)
        subprocess.run(["kill", "-9", str(pid)], check=True)
        assert eventually(lambda: _runs_again(platform, service, pid), 60)  # noqa: B023
        assert eventually(lambda: _answers(platform), 60)
    restored(platform, time.time())
    assert platform.sql("SELECT count(*) FROM kept", "past") == "2"


def _runs_again(platform: Checkout, service: str, pid: int) -> bool:
    state = platform.inspect(service)["State"]
    return bool(state["Running"]) and state["Pid"] not in (0, pid)


def _answers(platform: Checkout) -> bool:
    psql = ["psql", "-U", "odoo", "-d", "odoo", "-tAc", "SELECT 1"]
    return platform.exec("odoo_db", *psql).returncode == 0


def test_a_destination_that_is_away_is_told_and_waited_for(platform: Checkout) -> None:
    archive = platform.root / "backups" / "archive"
    away = archive.with_name("away")
    archive.rename(away)
    try:
        platform.sql("CREATE TABLE waited (n int)")
        for _ in range(3):
            switch(platform)
        found = await_status(
            platform, lambda found: bool(found["problem"]) and found["waiting"] >= 3
        )
        assert "pgBackRest" in found["problem"]
        report = platform.inv("health", "--only", "archiving")
        assert "WARNING: pgBackRest" in report.stdout
    finally:
        shutil.rmtree(archive, ignore_errors=True)
        away.rename(archive)
    found = await_status(platform, lambda found: not found["problem"] and not found["waiting"])
    assert found["gaps"] == []
    restored(platform, time.time())
    assert platform.sql("SELECT count(*) FROM waited", "past") == "0"
    assert platform.inv("health", "--only", "archiving").returncode == 0


def _refused(platform: Checkout) -> str:
    """Why this moment cannot be restored."""
    at = ("--at", stamp(time.time()))
    return last_error(platform.inv("restore", *at, "--to-database", "past", "--yes"))


def _segments(platform: Checkout, *, but: Sequence[Path] = ()) -> list[Path]:
    """Those of WAL in the archive, in their order; without one that is being written."""
    place = platform.root / "backups" / "archive" / "archive"
    found = {path for path in place.glob("*/16-1/*/[0-9A-F]*-*") if path.suffix != ".tmp"}
    return sorted(found - {*but}, key=lambda path: path.name)


def test_damage_in_the_archive_is_found_before_it_is_needed(platform: Checkout) -> None:
    before = _segments(platform)
    for _ in range(3):
        switch(platform)
    # The last two of them are not those of the base backup.
    segments = eventually(lambda: (new := _segments(platform, but=before))[2:] and new, 90)
    assert segments
    assert platform.inv("backup.check", "--data").returncode == 0
    last, earlier = segments[-1], segments[-2]
    whole = last.read_bytes()
    last.write_bytes(earlier.read_bytes())  # which decompresses, and is not what it is named by
    said = last_error(platform.inv("backup.check", "--data"))
    assert "is damaged" in said
    assert "pgBackRest" in _refused(platform), "what is behind it cannot be reached"
    last.write_bytes(whole)
    earlier.rename(platform.root / "segment")
    said = last_error(platform.inv("backup.check"))
    assert f"segments of WAL are missing in the archive: {earlier.name[:24]}" in said
    assert "nothing after them can be restored" in _refused(platform)
    (platform.root / "segment").rename(earlier)
    assert platform.inv("backup.check", "--data").returncode == 0


def test_postgresql_goes_on_where_nothing_can_be_archived_for_too_long(platform: Checkout) -> None:
    before = datetime.fromisoformat(status(platform)["until"]).timestamp()
    assert platform.compose("--profile", "continuous", "stop", "archiver").returncode == 0
    rows = "SELECT md5(n::text) || repeat(md5((n + 1)::text), 30) AS text"
    platform.sql(f"CREATE TABLE much AS {rows} FROM generate_series(1, 1300000) n")
    lost = time.time()
    switch(platform)
    given_up = ("test", "-e", "/var/lib/archive/queue/given-up")
    assert eventually(lambda: platform.exec("odoo_db", *given_up).returncode == 0, 90)
    platform.sql("DROP TABLE much")
    assert platform.compose("--profile", "continuous", "start", "archiver").returncode == 0
    found = await_status(platform, lambda found: any(gap["ends"] for gap in found["gaps"]))
    assert last_error(
        platform.inv("restore", "--at", stamp(lost), "--to-database", "past", "--yes")
    )
    restored(platform, before)
    done = platform.inv("backup.check")
    assert done.returncode == 0, done.stderr
    await_status(platform, lambda now: now["until"] > found["gaps"][-1]["ends"])


def test_a_moment_may_be_just_before_a_transaction_and_after_a_gap(platform: Checkout) -> None:
    # The gap is that of the last test: no way leads from the first base backup over it.
    assert status(platform)["gaps"]
    platform.sql("CREATE TABLE deleted AS SELECT generate_series(1, 5) AS n")
    number = platform.sql("DELETE FROM deleted RETURNING pg_current_xact_id()").split()[0]
    restored(platform, f"before xid {number}")
    assert platform.sql("SELECT count(*) FROM deleted", "past") == "5"
    restored(platform, f"xid {number}")
    assert platform.sql("SELECT count(*) FROM deleted", "past") == "0"


def test_a_second_project_comes_up_from_the_repository_and_the_key_alone(
    platform: Checkout,
) -> None:
    platform.sql("CREATE TABLE last_words (text text)")
    switch(platform)
    done = platform.inv("disaster.drill", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["missing_files"] == 0 and found["rto_seconds"] > 0
    assert found["rpo_seconds"] <= 60 * BUSY
    [certificate] = (platform.root / ".state" / "disaster").glob("*.json")
    assert json.loads(certificate.read_text())["source"] == found["source"]
    for kind in ("container", "volume", "network"):
        label = f"--filter=label=com.docker.compose.project={platform.project}-drill"
        assert platform.run("docker", kind, "ls", "--quiet", label).stdout == ""
    assert not (platform.root / ".state" / "disaster-drill").exists()


def test_files_of_the_repository_belong_to_its_owner(platform: Checkout) -> None:
    owner = (platform.root / "backups").stat()
    for path in Path(platform.root / "backups").rglob("*"):
        status = path.stat()
        assert (status.st_uid, status.st_gid) == (owner.st_uid, owner.st_gid), path
