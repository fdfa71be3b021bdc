"""Dumps of all forms that PostgreSQL has, and of newer servers than this one."""

import gzip
import tarfile
from pathlib import Path

import pytest

from tests.e2e.support import tools
from tests.e2e.support.checkout import Checkout
from tests.e2e.support.dumps import END, dump
from tests.e2e.support.odoo_data import OdooData, last_error

pytestmark = pytest.mark.xdist_group("foreign_files")

_VARIANT = pytest.mark.extended
_SMALL = "small"
# As Odoo's administrators make it; that unaccent() was IMMUTABLE is in no dump.
_FOLDED = """
CREATE EXTENSION IF NOT EXISTS unaccent WITH SCHEMA public;
CREATE INDEX folded ON public.ledger (public.unaccent(note));
"""


@pytest.fixture(scope="module")
def small(odoo_data: OdooData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same of the database `small`: what form a file has is not a matter of its size."""
    platform, file = odoo_data.platform, tmp_path_factory.mktemp("dumps") / "small.sql"
    tables = [f"--table={name}" for name in ("ledger", "ir_module_module", "ir_attachment")]
    dump(platform, file, "--no-owner", "--section=pre-data", "--section=data", *tables)
    platform.sql(f"CREATE DATABASE {_SMALL}", "postgres")
    psql = f"docker compose exec -T odoo_db psql -q -v ON_ERROR_STOP=1 -U odoo -d {_SMALL}"
    done = platform.run("sh", "-c", f"{psql} < {file}")
    assert done.returncode == 0, done.stderr
    dump(platform, file, "--no-owner", database=_SMALL)
    return file


def _form(platform: Checkout, small: Path, form: str, folder: Path) -> Path:
    file = folder / "named-anyhow"
    if form in ("-Fc", "-Ft", "--clean"):
        dump(platform, file, form, database=_SMALL)
    elif form == "-Fd":
        script = f"rm -rf /tmp/d && pg_dump -U postgres -Fd -f /tmp/d {_SMALL} && tar -C /tmp -c d"
        run = f"docker compose exec -T odoo_db sh -c '{script}' > {file}"
        assert platform.run("sh", "-c", run).returncode == 0
        with tarfile.open(file) as archive:
            archive.extractall(folder, filter="data")
        file = folder / "d"
    elif form == "cluster":
        options = "-U postgres --exclude-database=odoo"
        run = f"docker compose exec -T odoo_db pg_dumpall {options} > {file}"
        assert platform.run("sh", "-c", run).returncode == 0
    elif form == "gzip":
        file.write_bytes(gzip.compress(_foreign(small).encode(), 1))
    elif form == "-Fc of 17":
        _dump_with_newer_client(platform, file)
    else:
        raise ValueError(form)
    return file


def _dump_with_newer_client(platform: Checkout, file: Path) -> None:
    image = tools.build(platform, "newer_postgres")
    password = (platform.root / "secrets" / "db_password.txt").read_text().strip()
    run = f"docker run --rm --network {platform.project}_backend --env PGPASSWORD {image}"
    dump = f"{run} pg_dump -h odoo_db -U odoo -Fc {_SMALL} > {file}"
    done = platform.run("sh", "-c", dump, PGPASSWORD=password)
    assert done.returncode == 0, done.stderr


def _foreign(plain: Path) -> str:
    """The dump of a newer server, with settings, roles and extensions that are not here."""
    text = plain.read_text().replace("by pg_dump version 16", "by pg_dump version 18")
    assert "SET lock_timeout = 0;" in text
    new = "SET lock_timeout = 0;\nSET transaction_timeout = 0;\nSET of_19 = 1;"
    foreign = "GRANT SELECT ON public.ledger TO bob;\nCREATE EXTENSION timescaledb;\n"
    text = text.replace("SET lock_timeout = 0;", new)
    return text.replace(END, foreign + _FOLDED + END)


# psql reads a text and pg_restore the rest; a cluster's is that of several databases below.
@pytest.mark.parametrize(
    "form",
    [
        *(pytest.param(form, marks=_VARIANT) for form in ("-Fc", "-Ft", "--clean", "cluster")),
        "-Fd",
        "gzip",
        "-Fc of 17",
    ],
)
def test_a_dump_of_any_form_is_restored(
    odoo_data: OdooData, small: Path, tmp_path: Path, form: str
) -> None:
    platform = odoo_data.platform
    file = _form(platform, small, form, tmp_path)
    done = platform.inv("restore", str(file), "--to-database", "proof", "--yes")
    assert done.returncode == 0, done.stderr
    assert platform.sql("SELECT count(*) FROM ledger", "proof") == "999"
    assert platform.sql("SELECT count(*) FROM pg_event_trigger", "proof") == "0"
    folded = platform.sql("SELECT indexname FROM pg_indexes WHERE indexname = 'folded'", "proof")
    platform.sql("DROP DATABASE proof", "postgres")
    if form == "gzip":
        assert folded and "event trigger" not in done.stderr.lower()
        for told in ("bob", "timescaledb", "of_19"):
            assert any(told in line for line in done.stderr.splitlines() if "left out" in line)


@pytest.mark.parametrize(
    "form",
    ["-Fc", "gzip", *(pytest.param(form, marks=_VARIANT) for form in ("-Ft", "-Fc of 17"))],
)
def test_a_dump_of_any_form_that_is_cut_off_is_refused(
    odoo_data: OdooData, small: Path, tmp_path: Path, form: str
) -> None:
    whole = _form(odoo_data.platform, small, form, tmp_path)
    cut = tmp_path / "cut"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    error = last_error(
        odoo_data.platform.inv("restore", str(cut), "--to-database", "proof", "--yes")
    )
    assert "cut off" in error or "end of file" in error
    assert "proof" not in odoo_data.platform.sql("SELECT datname FROM pg_database", "postgres")


def test_several_databases_in_one_file_are_asked_for(
    odoo_data: OdooData, small: Path, tmp_path: Path
) -> None:
    platform = odoo_data.platform
    platform.sql(f"CREATE DATABASE second TEMPLATE {_SMALL}", "postgres")
    file = _form(platform, small, "cluster", tmp_path)
    platform.sql("DROP DATABASE second", "postgres")
    refused = platform.inv("restore", str(file), "--to-database", "proof", "--yes")
    assert "2 databases of Odoo: second, small" in last_error(refused)
    assert "--from-database" in refused.stderr
    wish = ("--from-database", "second", "--to-database", "proof", "--yes")
    assert platform.inv("restore", str(file), *wish).returncode == 0
    assert platform.sql("SELECT count(*) FROM ledger", "proof") == "999"
    platform.sql("DROP DATABASE proof", "postgres")
