"""Backups on the real stack: made, listed, restored, drilled, cloned."""

import json
import shutil
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.support import series
from tests.e2e.support.checkout import Checkout
from tests.e2e.support.odoo_data import OdooData, last_error
from tests.support.json_documentation import as_documented


def test_a_backup_says_nothing_to_cron_and_is_listed_with_its_manifest(odoo_data: OdooData) -> None:
    done = odoo_data.platform.inv("backup")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert "Making" not in done.stderr and "percent" not in done.stderr
    name = odoo_data.backups()[-1]
    known = (odoo_data.platform.root / ".state/known-names/backups.json").read_text()
    assert name in known, "completion offers it"
    shown = as_documented(
        "backup.show", odoo_data.platform.inv("backup.show", name, "--json").stdout
    )
    assert shown["database"] == "odoo" and shown["modules"]["base"].startswith(shown["odoo"])
    assert shown["rows"]["public.ledger"] == 999
    assert shown["files"]["count"] == len(odoo_data.files()) >= 30
    assert shown["guarded_seconds"] <= 15  # on a busy machine; the aim is 3
    assert shown["pg_dump"].split()[-1].startswith("16.")


def test_the_repository_is_private_and_holds_nothing_readable(odoo_data: OdooData) -> None:
    folder = odoo_data.platform.root / "backups"
    assert folder.stat().st_mode & 0o777 == 0o700
    everything = b"".join(p.read_bytes() for p in folder.rglob("*") if p.is_file())
    for told in (b"ledger", b"PGDMP", b"store_fname"):
        assert told not in everything
    key = odoo_data.platform.inv("backup.key").stdout.strip()
    assert key == (odoo_data.platform.root / "secrets/backup_key.txt").read_text().strip()


def test_a_second_backup_of_nothing_new_adds_next_to_nothing(odoo_data: OdooData) -> None:
    odoo_data.back_up()  # of what the server has written by itself since the first one
    assert odoo_data.back_up()["added_bytes"] < 1_000_000


def test_every_row_and_file_survives_the_loss_of_all_volumes(odoo_data: OdooData) -> None:
    platform = odoo_data.platform
    platform.compose("stop", "odoo")  # so that nothing is written between the two looks
    tables = odoo_data.tables()
    made = odoo_data.back_up()
    assert platform.compose("start", "odoo").returncode == 0
    files = odoo_data.files()
    assert platform.inv("down", "--volumes", "--yes").returncode == 0
    done = platform.inv("restore", made["id"], "--yes")
    assert done.returncode == 0, done.stderr
    assert {n: s for n, s in odoo_data.files().items() if n in files} == files
    assert platform.authenticate("admin", platform.admin_password)
    done = platform.inv("restore", made["id"], "--to-database", "proof")
    assert done.returncode == 0, done.stderr
    assert odoo_data.tables("proof") == tables
    assert odoo_data.files("proof") == files
    platform.sql("DROP DATABASE proof", "postgres")
    owners = platform.exec("odoo", "find", "/var/lib/odoo", "-user", "root")
    assert owners.stdout == ""


def test_a_restore_asks_and_can_be_undone(odoo_data: OdooData) -> None:
    platform = odoo_data.platform
    kept = odoo_data.attach(1)
    refused = platform.inv("restore")
    assert "nothing was restored" in last_error(refused)
    done = platform.inv("restore", "--yes")
    assert done.returncode == 0, done.stderr
    assert odoo_data.call("ir.attachment", "search", [["id", "in", kept]]) == []
    assert "" not in odoo_data.files().values()
    psql = ["psql", "-U", "odoo", "-d", "odoo__before", "-c", "SELECT 1"]
    assert "not currently accepting connections" in platform.exec("odoo_db", *psql).stderr
    done = platform.inv("restore", "--undo", "--yes")
    assert done.returncode == 0, done.stderr
    assert odoo_data.call("ir.attachment", "search", [["id", "in", kept]]) == kept
    assert "" not in odoo_data.files().values()


def refuse_another_odoo(odoo_data: OdooData, fresh: Checkout, file: Path) -> None:
    """What would not start is not restored, where no database tells the version either."""
    done = odoo_data.platform.inv("backup", "--plain", str(file))
    assert done.returncode == 0, done.stderr
    base = "SELECT latest_version FROM ir_module_module WHERE name = 'base'"
    file.write_text(file.read_text().replace(odoo_data.platform.sql(base), "12.0.1.3"))
    refused = last_error(fresh.inv("restore", str(file), "--yes"))
    assert "the backup is of Odoo 12.0, and Odoo" in refused
    assert fresh.sql("SELECT count(*) FROM pg_database WHERE datname ~ 'odoo'", "postgres") == "0"


@pytest.mark.extended  # test_a_new_machine_… and the disaster drill start from the same
def test_a_second_empty_stack_needs_only_the_repository_and_its_key(
    odoo_data: OdooData, fresh: Checkout, tmp_path: Path
) -> None:
    shutil.copytree(odoo_data.platform.root / "backups", fresh.root / "backups")
    shutil.copy2(odoo_data.platform.root / "secrets/backup_key.txt", fresh.root / "secrets")
    refuse_another_odoo(odoo_data, fresh, tmp_path / "older.sql")
    done = fresh.inv("restore", "latest", "--neutralize", "--yes")
    assert done.returncode == 0, done.stderr
    there = OdooData(fresh)
    assert fresh.sql("SELECT count(*) FROM ledger") == "999"
    assert "" not in there.files().values()
    parameter = "SELECT value FROM ir_config_parameter WHERE key = 'database.is_neutralized'"
    assert fresh.sql(parameter).lower() == "true"
    # Its own login is that of the company the backup is of.
    assert fresh.authenticate("admin", odoo_data.platform.admin_password)


def test_the_drill_starts_odoo_logs_in_and_leaves_a_certificate(odoo_data: OdooData) -> None:
    done = odoo_data.platform.inv("backup.verify", "--json")
    assert done.returncode == 0, done.stderr
    certificate = as_documented("backup.verify", done.stdout)
    assert certificate["login"] == "admin" and certificate["downloads"] >= 20
    stored = odoo_data.platform.root / ".state" / "verified" / f"{certificate['id']}.json"
    assert json.loads(stored.read_text()) == certificate
    assert "__drill" not in odoo_data.platform.sql("SELECT datname FROM pg_database", "postgres")


def test_a_clone_is_harmless_or_there_is_none(odoo_data: OdooData) -> None:
    platform = odoo_data.platform
    platform.sql(
        "INSERT INTO ir_mail_server (name, smtp_host, smtp_port, smtp_encryption, active,"
        " smtp_authentication) VALUES ('live', 'mail.example.com', 25, 'none', true,"
        " 'login')"
    )
    done = platform.inv("clone", "--to", "staging")
    assert done.returncode == 0, done.stderr
    alive = "SELECT smtp_host FROM ir_mail_server WHERE active"
    assert platform.sql(alive, "staging") == "invalid"
    assert platform.sql(alive) == "mail.example.com"
    # A mail server that comes to life again whatever neutralises it.
    platform.sql("CREATE RULE undead AS ON UPDATE TO ir_mail_server DO INSTEAD NOTHING")
    try:
        done = platform.inv("clone", "--to", "other")
        assert "mail servers: live" in last_error(done)
        assert "other" not in platform.sql("SELECT datname FROM pg_database", "postgres")
    finally:
        platform.sql("DROP RULE undead ON ir_mail_server; DELETE FROM ir_mail_server")
        platform.sql("DROP DATABASE staging", "postgres")


def test_the_plain_dump_and_the_zip_are_what_others_restore(
    odoo_data: OdooData, tmp_path: Path
) -> None:
    plain, zipped = tmp_path / "backup.sql", tmp_path / "backup.zip"
    done = odoo_data.platform.inv("backup", "--plain", str(plain), "--zip", str(zipped))
    assert done.returncode == 0, done.stderr
    assert "PostgreSQL database dump complete" in plain.read_text()[-200:]
    with zipfile.ZipFile(zipped) as archive:
        assert archive.testzip() is None
        names = set(archive.namelist())
        assert {"dump.sql", "manifest.json"} <= names
        assert {f"filestore/{name}" for name in odoo_data.files()} <= names
        assert json.loads(archive.read("manifest.json"))["odoo_dump"] == "1"
    # Odoo's own database manager takes it.
    load = (
        "import odoo; from odoo.service.db import restore_db; "
        "odoo.tools.config.parse_config(['-c', '/run/odoo/odoo.conf', '--no-http']); "
        "odoo.tools.config['list_db'] = True; restore_db('byodoo', '/tmp/backup.zip')"
    )
    copied = odoo_data.platform.run(
        "sh", "-c", f"docker compose exec -T odoo sh -c 'cat > /tmp/backup.zip' < {zipped}"
    )
    assert copied.returncode == 0, copied.stderr
    done = odoo_data.platform.exec("odoo", "python3", "-c", load, user="odoo")
    assert done.returncode == 0, done.stderr[-2000:]
    assert odoo_data.platform.sql("SELECT count(*) FROM ledger", "byodoo") == "999"
    odoo_data.platform.sql("DROP DATABASE byodoo", "postgres")
    for file in (plain, zipped):
        done = odoo_data.platform.inv("restore", str(file), "--to-database", "fromfile", "--yes")
        assert done.returncode == 0, done.stderr
        assert odoo_data.platform.sql("SELECT count(*) FROM ledger", "fromfile") == "999"
    assert "" not in odoo_data.files("fromfile").values()
    odoo_data.platform.sql("DROP DATABASE fromfile", "postgres")


def test_old_backups_are_forgotten_by_whole_sets_and_never_the_last(odoo_data: OdooData) -> None:
    before = odoo_data.backups()
    shown = odoo_data.platform.inv("backup.prune", "--keep", "1d", "--dry-run", "--json")
    rows = as_documented("backup.prune", shown.stdout)
    assert [row["id"] for row in rows] == before[:-1]
    assert odoo_data.backups() == before
    done = odoo_data.platform.inv("backup.prune", "--keep", "1d")
    assert done.returncode == 0, done.stderr
    assert odoo_data.backups() == before[-1:]
    done = odoo_data.platform.inv("backup.check", "--data", "--json")
    assert done.returncode == 0, done.stderr
    assert as_documented("backup.check", done.stdout)["backups"] == 1
    done = odoo_data.platform.inv("restore", "--to-database", "proof", "--json")
    assert done.returncode == 0, done.stderr
    as_documented("restore", done.stdout)
    odoo_data.platform.sql("DROP DATABASE proof", "postgres")


@pytest.mark.extended
def test_those_made_by_hand_are_forgotten_like_others(odoo_data: OdooData) -> None:
    for _ in range(2):
        done = odoo_data.platform.compose("run", "--rm", "-T", "--no-deps", "backup", "create")
        assert done.returncode == 0, done.stderr
    earlier, later = odoo_data.backups()[-2:]
    done = odoo_data.platform.inv("backup.prune", "--keep", "1d")
    assert done.returncode == 0, done.stderr
    assert earlier not in odoo_data.backups() and later in odoo_data.backups()


@contextmanager
def _attachments_come_and_go(odoo_data: OdooData) -> Iterator[None]:
    """Two users who attach and remove, and Odoo's clean-up again and again, beside the block."""
    stop = threading.Event()
    failures: list[BaseException] = []

    def again_and_again(work: Callable[[], None]) -> None:
        try:
            while not stop.is_set():
                work()
        except BaseException as error:
            failures.append(error)

    def attach() -> None:
        odoo_data.remove(odoo_data.attach(5))
        odoo_data.attach(1)

    jobs = (attach, attach, odoo_data.collect_garbage)
    workers = [threading.Thread(target=again_and_again, args=(job,)) for job in jobs]
    for worker in workers:
        worker.start()
    try:
        yield
    finally:
        stop.set()
        for worker in workers:
            worker.join()
        _forget_lost(odoo_data)
    assert not failures, failures[0]


@pytest.mark.parametrize("runs", [2, pytest.param(200, marks=pytest.mark.soak)])
def test_no_file_is_ever_missing_though_attachments_come_and_go(
    odoo_data: OdooData, runs: int
) -> None:
    with _attachments_come_and_go(odoo_data):
        made = [_backed_up(odoo_data) for _ in range(runs)]
        odoo_data.attach(1200, size=20)  # more than one pass saves in a second
        done = odoo_data.platform.compose("run", "--rm", "-T", "--no-deps", "backup", "create")
        assert done.returncode == 0, done.stderr
        # Where Odoo's clean-up has not taken most of them already: see _refuse_lost_by_us().
        assert "saving the files, a first time" in done.stderr or _loses_files()
        made.append(json.loads(done.stdout.splitlines()[-1]))
        there = odoo_data.stored()
    assert max(manifest["guarded_seconds"] for manifest in made) < 15
    for manifest in made:
        _refuse_lost_by_us(manifest, there)
    for manifest in made[-2:]:  # the backup has looked at every one; this is a second opinion
        done = odoo_data.platform.inv("restore", manifest["id"], "--to-database", "proof", "--yes")
        assert done.returncode == (4 if manifest["files"]["lost"] else 0), done.stderr
        missing = {name for name, found in odoo_data.files("proof").items() if not found}
        assert missing <= manifest["files"]["lost"].keys()
    odoo_data.platform.sql("DROP DATABASE proof", "postgres")


def _forget_lost(odoo_data: OdooData) -> None:
    """Take away the rows whose files are not there, or all later backups tell of them."""
    lost = [f"'{name}'" for name, found in odoo_data.files().items() if not found]
    if lost:
        rows = f"DELETE FROM ir_attachment WHERE store_fname IN ({', '.join(lost)})"
        odoo_data.platform.sql(rows)


def _backed_up(odoo_data: OdooData) -> dict[str, Any]:
    """The manifest of a backup, which may name files that Odoo itself has lost."""
    done = odoo_data.platform.inv("backup", "--json")
    assert done.returncode in (0, 4), done.stderr
    manifest: dict[str, Any] = json.loads(done.stdout)
    assert bool(manifest["files"]["lost"]) == (done.returncode == 4)
    return manifest


def _loses_files() -> bool:
    return series.expected() == "18.0"


def _refuse_lost_by_us(manifest: dict[str, Any], there: set[str]) -> None:
    """Odoo 18 writes a file before its row, so that its clean-up may take it in between."""
    lost = manifest["files"]["lost"]
    assert not lost or _loses_files()
    assert not lost.keys() & there, "it was there to be saved"
