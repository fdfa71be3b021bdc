"""What goes wrong with backups: nothing partial is listed, nothing live is touched."""

import json
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.support.odoo_data import OdooData, last_error
from tests.support.json_documentation import as_documented
from tests.support.waiting import eventually

pytestmark = pytest.mark.xdist_group("backup_faults")

_VARIANT = pytest.mark.extended


@pytest.fixture
def broken(odoo_data: OdooData) -> Iterator[OdooData]:
    """The platform, which has to be unharmed afterwards."""
    with odoo_data.unharmed():
        yield odoo_data


@pytest.mark.parametrize("kilobytes", [pytest.param(400, marks=_VARIANT), 20_000])
def test_a_full_disk(broken: OdooData, tmp_path: Path, kilobytes: int) -> None:
    place = tmp_path / "small"
    place.mkdir()
    size = f"size={kilobytes}k"
    mount = broken.platform.run("mount", "-t", "tmpfs", "-o", size, "tmpfs", str(place))
    if mount.returncode:
        pytest.skip("a small file system can be mounted by root only")
    try:
        (place / "repository").mkdir()
        full = {"BACKUP_FOLDER": str(place / "repository")}
        if kilobytes == 20_000:  # room for a repository and one backup, not for what follows
            broken.back_up(**full)
            (place / "filler").write_bytes(b"x" * (shutil.disk_usage(place).free - 30_000))
        done = broken.platform.inv("backup", **full)
        assert "no space left" in last_error(done)
        if kilobytes == 20_000:
            (place / "filler").unlink()
            listed = broken.platform.inv("backup.list", **full).stdout.splitlines()
            assert len(listed) == 2  # a header and the good one
    finally:
        broken.platform.run("umount", str(place))


@pytest.mark.parametrize(
    ("volume", "size", "reason"),
    [("backup_cache", "2m", "no room for the dump"), ("drill_data", "64k", "no room for the dump")],
)
def test_a_disk_that_is_full_for_a_restore(
    broken: OdooData, volume: str, size: str, reason: str
) -> None:
    name = f"{broken.platform.project}_{volume}"
    labels = [f"com.docker.compose.{what}" for what in ("project", "volume")]
    ours = zip(labels, (broken.platform.project, volume), strict=True)
    options = ["type=tmpfs", "device=tmpfs", f"o=size={size}"]
    make = ["docker", "volume", "create", "--driver", "local"]
    make += [part for option in options for part in ("--opt", option)]
    make += [part for label, value in ours for part in ("--label", f"{label}={value}")]
    broken.platform.run("docker", "volume", "rm", name)
    try:
        assert broken.platform.run(*make, name).returncode == 0
        assert reason in last_error(broken.platform.inv("backup.verify"))
        assert "__drill" not in broken.platform.sql("SELECT datname FROM pg_database", "postgres")
    finally:
        assert broken.platform.run("docker", "volume", "rm", name).returncode == 0


@pytest.mark.parametrize("flag", ["--plain", pytest.param("--zip", marks=_VARIANT)])
def test_a_disk_that_is_full_for_a_file_of_its_own(
    odoo_data: OdooData, tmp_path: Path, flag: str
) -> None:
    place = tmp_path / "small"
    place.mkdir()
    mount = odoo_data.platform.run("mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(place))
    if mount.returncode:
        pytest.skip("a small file system can be mounted by root only")
    try:
        (place / "b").write_text("of yesterday")
        done = odoo_data.platform.inv("backup", flag, str(place / "b"))
        assert "No space left" in last_error(done)
        assert [path.name for path in place.iterdir()] == ["b"]
        assert (place / "b").read_text() == "of yesterday"
    finally:
        odoo_data.platform.run("umount", str(place))


@pytest.mark.parametrize(
    "name", ["pg_dump", *(pytest.param(name, marks=_VARIANT) for name in ("restic", "python3"))]
)
def test_a_killed_process(broken: OdooData, name: str) -> None:
    with broken.table_locked("ledger", "ACCESS EXCLUSIVE"):
        running = broken.platform.start("./scripts/inv", "backup")
        assert eventually(lambda: broken.process("pg_dump"), 60)
        broken.platform.run("kill", "-KILL", broken.process(name))
        out, err = running.communicate(timeout=120)
    assert running.returncode == 1 and out == ""
    assert err.strip().splitlines()[-1].startswith(("error: ", "hint: ")), err
    assert eventually(lambda: not broken.process("python3"), 30)


def test_a_killed_database_server(broken: OdooData) -> None:
    with broken.table_locked("ledger", "ACCESS EXCLUSIVE"):
        running = broken.platform.start("./scripts/inv", "backup")
        assert eventually(lambda: broken.process("pg_dump"), 60)
        broken.platform.run("kill", "-KILL", str(broken.platform.pid("odoo_db")))
        _, err = running.communicate(timeout=120)
    assert running.returncode == 1
    assert "error: " in err
    assert eventually(lambda: broken.platform.inv("health").returncode == 0, 120)


def test_two_at_once_and_a_killed_inv(broken: OdooData) -> None:
    with broken.table_locked("ledger", "ACCESS EXCLUSIVE"):
        first = broken.platform.start("./scripts/inv", "backup")
        assert eventually(lambda: broken.process("pg_dump"), 60)
        second = broken.platform.inv("backup")
        assert "`inv backup` (process" in last_error(second)
        assert "still running" in last_error(second)
        first.kill()
        first.communicate(timeout=30)
        # The container goes on without its `inv`, and still keeps others out.
        third = broken.platform.inv("backup")
        assert "`inv backup` (since" in last_error(third)
        broken.platform.run("kill", "-KILL", broken.process("python3"))
        assert eventually(lambda: not broken.process("python3"), 30)


def test_a_lock_that_a_dead_run_left_does_not_stop_the_next_clean_up(broken: OdooData) -> None:
    with broken.table_locked("ledger", "ACCESS EXCLUSIVE"):
        running = broken.platform.start("./scripts/inv", "backup")
        assert eventually(lambda: broken.process("pg_dump"), 60)
        for name in ("python3", "restic"):
            if pid := broken.process(name):
                broken.platform.run("kill", "-KILL", pid)
        running.communicate(timeout=60)
    assert list((broken.platform.root / "backups" / "locks").iterdir())
    done = broken.platform.inv("backup.check")  # wants the repository for itself, as prune does
    assert done.returncode == 0, done.stderr


def test_a_wrong_key(broken: OdooData) -> None:
    key = broken.platform.root / "secrets" / "backup_key.txt"
    good = key.read_text()
    try:
        key.write_text("Another-Passphrase-4711\n")
        for command in (["backup"], ["restore", "--yes"], ["backup.list"]):
            done = broken.platform.inv(*command)
            assert "does not open this repository" in last_error(done)
    finally:
        key.write_text(good)


def test_a_flipped_byte_in_the_repository(broken: OdooData) -> None:
    folder = broken.platform.root / "backups"
    saved = {p: p.read_bytes() for p in (folder / "data").rglob("*") if p.is_file()}
    try:
        for path, content in saved.items():
            middle = len(content) // 2
            path.chmod(0o600)
            flipped = bytes([content[middle] ^ 1])
            path.write_bytes(content[:middle] + flipped + content[middle + 1 :])
        assert "restic failed" in last_error(broken.platform.inv("backup.check", "--data"))
        last_error(broken.platform.inv("restore", "--yes"))
        last_error(broken.platform.inv("backup.verify"))
        staged = broken.platform.sql("SELECT datname FROM pg_database", "postgres")
        assert "__restoring" not in staged and "__drill" not in staged
    finally:
        for path, content in saved.items():
            path.write_bytes(content)


@pytest.mark.parametrize("trouble", [pytest.param("missing", marks=_VARIANT), "damaged"])
def test_an_attachment_without_its_file(odoo_data: OdooData, trouble: str) -> None:
    before = odoo_data.backups()
    number = odoo_data.attach(1)[0]
    path = odoo_data.path(
        odoo_data.platform.sql(f"SELECT store_fname FROM ir_attachment WHERE id = {number}")
    )
    content = path.read_bytes()
    if trouble == "missing":
        path.unlink()
    else:
        path.write_bytes(content[:-1] + b"!")
    reason = "no file" if trouble == "missing" else "damaged"
    name = f"{path.parent.name}/{path.name}"
    for _ in range(2):  # the second does not forget what the first has seen
        done = odoo_data.platform.inv("backup", "--json")
        assert done.returncode == 4 and "warning: 1 attachments have no whole" in done.stderr
        assert json.loads(done.stdout)["files"]["lost"] == {name: reason}
    assert len(odoo_data.backups()) == len(before) + 2
    health = odoo_data.platform.inv("health")
    assert health.returncode == 0 and "1 attachments have no whole file" in health.stdout
    listed = odoo_data.platform.inv("files.check", "--data", "--json")
    assert listed.returncode == 1 and "are lost" in listed.stderr
    [row] = as_documented("files.check", listed.stdout)["lost"]
    assert (row["file"], row["reason"]) == (name, reason)
    assert row["records"] == [f"ir.attachment {number} (0.bin)"]
    restored = odoo_data.platform.inv("restore", "--to-database", "proof", "--yes")
    assert restored.returncode == 4 and "1 attachments of proof" in restored.stderr
    sums = odoo_data.files("proof")
    assert [file for file in sums if sums[file] != file.rpartition("/")[2]] == [name]
    odoo_data.platform.sql("DROP DATABASE proof", "postgres")
    odoo_data.remove([number])
    odoo_data.back_up()
    assert "attachments" not in odoo_data.platform.inv("health").stdout


def test_a_database_that_is_dropped_meanwhile(broken: OdooData) -> None:
    platform = broken.platform
    platform.sql("CREATE DATABASE doomed TEMPLATE template0", "postgres")
    platform.sql(
        "CREATE TABLE ir_attachment (store_fname text, file_size int, checksum text)", "doomed"
    )
    run = ["--progress", "quiet", "run", "--rm", "-T", "--no-deps", "backup"]
    hold = "BEGIN; LOCK TABLE ir_attachment IN SHARE MODE; SELECT pg_sleep(60)"
    psql = ["psql", "-U", "odoo", "-d", "doomed", "-c", hold]
    holder = platform.start("docker", "compose", "exec", "-T", "odoo_db", *psql)
    waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = 'doomed' AND wait_event_type = 'Lock'"
    backup = platform.start("docker", "compose", *run, "create", "--database", "doomed")
    try:
        assert eventually(lambda: platform.sql(waiting, "postgres"), 30)
        platform.sql("DROP DATABASE doomed WITH (FORCE)", "postgres")
        _, err = backup.communicate(timeout=120)
        assert backup.returncode == 1
        assert err.strip().splitlines()[-1].startswith("error: "), err
    finally:
        holder.communicate(timeout=90)
        platform.sql("DROP DATABASE IF EXISTS doomed WITH (FORCE)", "postgres")


def test_files_that_are_no_whole_backup_are_refused(odoo_data: OdooData, tmp_path: Path) -> None:
    plain, zipped = tmp_path / "b.sql", tmp_path / "b.zip"
    done = odoo_data.platform.inv("backup", "--plain", str(plain), "--zip", str(zipped))
    assert done.returncode == 0, done.stderr
    with odoo_data.unharmed():
        _refuse_archives(odoo_data, tmp_path, plain, zipped)


def _refuse_archives(broken: OdooData, tmp_path: Path, plain: Path, zipped: Path) -> None:
    cut = tmp_path / "cut.zip"
    cut.write_bytes(zipped.read_bytes()[:-2000])
    assert "cut off" in last_error(broken.platform.inv("restore", str(cut), "--yes"))
    half = tmp_path / "half.sql"
    half.write_bytes(plain.read_bytes()[:-5000])
    assert "cut off" in last_error(broken.platform.inv("restore", str(half), "--yes"))
    faulty = tmp_path / "faulty.sql"
    faulty.write_text(plain.read_text().replace("COPY public.ledger", "COPY public.nothing"))
    assert "PostgreSQL refuses" in last_error(broken.platform.inv("restore", str(faulty), "--yes"))
    older = tmp_path / "older.sql"
    version = broken.platform.sql("SELECT latest_version FROM ir_module_module WHERE name = 'base'")
    older.write_text(plain.read_text().replace(version, "12.0.1.3"))
    said = last_error(broken.platform.inv("restore", str(older), "--yes"))
    assert "the backup is of Odoo 12.0, and Odoo" in said
    short = tmp_path / "short.zip"
    with zipfile.ZipFile(zipped) as old, zipfile.ZipFile(short, "w") as new:
        dropped = f"filestore/{next(iter(broken.files()))}"
        for name in old.namelist():
            if name != dropped:
                new.writestr(name, old.read(name))
    # Its attachments are not all there, which is no reason to withhold the others.
    done = broken.platform.inv("restore", str(short), "--to-database", "elsewhere", "--yes")
    assert done.returncode == 4 and "1 attachments of elsewhere have no" in done.stderr
    broken.platform.sql("DROP DATABASE elsewhere", "postgres")


def test_odoo_that_does_not_start_on_the_backup_gets_the_old_database_back(
    broken: OdooData,
) -> None:
    platform = broken.platform
    entry = platform.root / "odoo" / "odoo.conf"
    good = entry.read_text()
    try:
        entry.write_text(good.replace("[options]", "[options]\nserver_wide_modules = base,web"))
        done = platform.inv("restore", "--yes")
        assert done.returncode == 1
    finally:
        entry.write_text(good)
    assert platform.inv("up").returncode == 0
    assert "__restoring" not in platform.sql("SELECT datname FROM pg_database", "postgres")
