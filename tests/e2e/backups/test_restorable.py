"""What a dump does not carry, and what cannot be restored: known when the backup is made."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.support.checkout import Checkout
from tests.e2e.support.odoo_data import OdooData, last_error

# As an administrator has a database that uses unaccent, and in which nothing is as by default.
_SETTINGS = (
    "SELECT coalesce(r.rolname, ''), s FROM pg_db_role_setting LEFT JOIN pg_roles r ON r.oid ="
    " setrole, unnest(setconfig) s WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname"
    " = current_database()) AND s !~ '^log_statement' ORDER BY 1, 2"
)
_ITSELF = (
    "SELECT shobj_description(oid, 'pg_database'), datconnlimit, array(SELECT a::text FROM"
    " unnest(datacl) a ORDER BY 1) FROM pg_database WHERE datname = current_database()"
)
_FUNCTIONS = (
    "SELECT proname, pronargs, provolatile, proparallel, procost, prorows FROM pg_proc"
    " WHERE proname IN ('unaccent', 'similarity', 'each') ORDER BY 1, 2"
)
_INDEX = "SELECT indexdef FROM pg_indexes WHERE indexname = 'zz_name'"
_COUNT = "SELECT count(*) FROM pg_largeobject_metadata"


def as_superuser(platform: Checkout, statement: str, database: str = "odoo") -> None:
    """Run a statement that Odoo's role may not."""
    psql = ["psql", "-q", "-U", "postgres", "-d", database, "-c", statement]
    done = platform.exec("odoo_db", *psql)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def peculiar(odoo_data: OdooData) -> Iterator[OdooData]:
    """The books with all that a dump of them does not carry."""
    platform = odoo_data.platform
    platform.sql("CREATE EXTENSION unaccent; CREATE SCHEMA zz; CREATE EXTENSION hstore SCHEMA zz")
    as_superuser(platform, "ALTER FUNCTION unaccent(text) IMMUTABLE")
    as_superuser(platform, "ALTER FUNCTION zz.each(zz.hstore) PARALLEL UNSAFE COST 7 ROWS 77")
    platform.sql("CREATE INDEX zz_name ON res_partner USING gin (unaccent(name) gin_trgm_ops)")
    platform.sql(
        "CREATE TABLE zz.generated (name text, plain text GENERATED ALWAYS AS (unaccent(name))"
        " STORED); INSERT INTO zz.generated VALUES ('é')"
    )
    as_superuser(platform, "ALTER DATABASE odoo SET log_statement = 'ddl'")
    number = platform.sql("SELECT lo_from_bytea(0, 'hello')")
    for statement in (
        "ALTER DATABASE odoo SET work_mem = '9MB'",
        'ALTER ROLE odoo IN DATABASE odoo SET search_path = "$user", public, zz',
        "ALTER DATABASE odoo CONNECTION LIMIT 90",
        "REVOKE TEMPORARY ON DATABASE odoo FROM PUBLIC",
        "COMMENT ON DATABASE odoo IS 'the books'",
    ):
        platform.sql(statement, "postgres")
    try:
        yield odoo_data
    finally:
        for name in ("proof", "staging", "byhand"):
            platform.sql(f"DROP DATABASE IF EXISTS {name}", "postgres")
        platform.sql(f"SELECT lo_unlink({number})")
        as_superuser(platform, "ALTER DATABASE odoo RESET ALL")
        platform.sql("DROP INDEX zz_name; DROP SCHEMA zz CASCADE; DROP EXTENSION unaccent")
        for statement in (
            "ALTER DATABASE odoo RESET ALL",
            "ALTER ROLE odoo IN DATABASE odoo RESET ALL",
            "ALTER DATABASE odoo CONNECTION LIMIT -1",
            "COMMENT ON DATABASE odoo IS NULL",
            "GRANT TEMPORARY ON DATABASE odoo TO PUBLIC",
        ):
            platform.sql(statement, "postgres")


def test_what_no_dump_carries_is_there_again(peculiar: OdooData, tmp_path: Path) -> None:
    platform = peculiar.platform
    done = platform.inv("backup", "--json", "--plain", str(tmp_path / "b.sql"))
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    assert made["functions"] == {
        "public.unaccent(text)": {"volatility": "IMMUTABLE"},
        "zz.each(zz.hstore)": {"parallel": "UNSAFE", "cost": 7, "rows": 77},
    }
    assert (made["unrestorable"], made["large_objects"]) == ("", 1)
    restored = platform.inv("restore", "--to-database", "proof")
    assert restored.returncode == 0, restored.stderr
    # Only a superuser may set it, and what is left out is said.
    assert "left out: ALTER DATABASE" in restored.stderr and "log_statement" in restored.stderr
    assert platform.inv("clone", "--to", "staging").returncode == 0
    for query in (_SETTINGS, _ITSELF, _FUNCTIONS, _INDEX, _COUNT):
        wanted = platform.sql(query)
        assert wanted
        assert platform.sql(query, "proof") == wanted
        assert platform.sql(query, "staging") == wanted
    assert platform.sql("SELECT plain FROM zz.generated", "proof") == "e"
    _restore_by_hand(platform, tmp_path / "b.sql")


def _restore_by_hand(platform: Checkout, file: Path) -> None:
    """What is said of functions in a plain dump is enough for psql alone."""
    platform.sql("CREATE DATABASE byhand TEMPLATE template0", "postgres")
    psql = ["psql", "-q", "-U", "postgres", "-d", "byhand", "-v", "ON_ERROR_STOP=1"]
    with file.open() as stream:
        done = subprocess.run(
            ["docker", "compose", "exec", "-T", "odoo_db", *psql],
            stdin=stream,
            text=True,
            cwd=platform.root,
            env=platform.environment(),
            capture_output=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert platform.sql(_FUNCTIONS, "byhand") == platform.sql(_FUNCTIONS)


@pytest.mark.parametrize(
    ("language", "body"),
    [
        ("sql", "SELECT zz_other($1)"),
        pytest.param("plpgsql", "BEGIN RETURN zz_other($1); END", marks=pytest.mark.extended),
    ],
)
def test_a_backup_that_cannot_be_restored_says_so_and_is_kept(
    odoo_data: OdooData, language: str, body: str
) -> None:
    """The one fault is in the schema, the other is seen only where there are rows."""
    platform = odoo_data.platform
    other = "CREATE FUNCTION zz_other(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1'"
    function = f"FUNCTION zz_fold(text) RETURNS text LANGUAGE {language} IMMUTABLE AS '{body}'"
    platform.sql(f"{other}; CREATE {function}; CREATE INDEX zz_fold ON ledger (zz_fold(note))")
    good = odoo_data.backups()[-1]
    try:
        done = platform.inv("backup")
        said = last_error(done)
        assert "was saved, but cannot be restored" in said and "zz_fold" in said
        assert "function zz_other(text) does not exist" in said
        assert "SET search_path" in done.stderr
        if language == "sql":  # what becomes of the backup does not depend on the fault
            _is_kept_and_not_restored(odoo_data, good)
        platform.sql("ALTER FUNCTION zz_fold SET search_path = public, pg_temp")
        odoo_data.back_up()
    finally:
        platform.sql("DROP INDEX zz_fold; DROP FUNCTION zz_fold, zz_other")


def _is_kept_and_not_restored(odoo_data: OdooData, good: str) -> None:
    """The last backup is listed with its fault, and `good` outlives it."""
    platform = odoo_data.platform
    assert odoo_data.backups()[-2] == good
    assert "cannot be restored" in platform.inv("backup.list").stdout.splitlines()[-1]
    assert "cannot be restored" in last_error(platform.inv("clone", "--to", "other"))
    assert "other" not in platform.sql("SELECT datname FROM pg_database", "postgres")
    assert platform.inv("backup.prune", "--keep", "1d").returncode == 0
    assert good in odoo_data.backups()


def test_the_schema_is_tried_once_for_each_change(odoo_data: OdooData) -> None:
    platform = odoo_data.platform
    run = ["run", "--rm", "-T", "--no-deps", "backup", "create"]
    odoo_data.back_up()
    platform.sql("INSERT INTO ledger VALUES (1000, 'no change of the schema')")
    assert "restoring the schema" not in platform.compose(*run).stderr
    platform.sql("DELETE FROM ledger WHERE id = 1000; CREATE TABLE zz_new (id int)")
    done = platform.compose(*run)
    assert done.returncode == 0 and "restoring the schema" in done.stderr
    platform.sql("DROP TABLE zz_new")
    assert "__drill" not in platform.sql("SELECT datname FROM pg_database", "postgres")


def test_files_of_backups_belong_to_the_owner_of_their_folder(
    odoo_data: OdooData, tmp_path: Path
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder to somebody else")
    platform, folder = odoo_data.platform, odoo_data.platform.root / "backups"
    assert platform.run("chown", "-R", "0:0", str(folder)).returncode == 0  # as from before
    os.chown(folder, 4711, 4712)
    os.chown(tmp_path, 4711, 4712)
    try:
        done = platform.inv("backup", "--plain", str(tmp_path / "b.sql"))
        assert done.returncode == 0, done.stderr
        assert _owners(folder) == _owners(tmp_path) == {(4711, 4712)}
        key = platform.root / "secrets" / "backup_key.txt"
        good = key.read_text()
        key.write_text("Another-Passphrase-4711\n")
        os.chown(folder / "config", 0, 0)
        assert "does not open" in last_error(platform.inv("backup"))
        key.write_text(good)
        assert platform.inv("backup.prune", "--keep", "1d").returncode == 0
        assert _owners(folder) == {(4711, 4712)}
        # A folder that Docker makes belongs to root: the project's owner is the one to read it.
        os.chown(platform.root / "toolbox", 4711, 4712)
        made = tmp_path / "made" / "by-docker"
        run = ["docker", "compose", "run", "--rm", "-T", "--no-deps", "backup", "create"]
        done = platform.run(*run, BACKUP_FOLDER=str(made))
        assert done.returncode == 0, done.stderr
        assert _owners(made) == {(4711, 4712)}
    finally:
        assert platform.run("chown", "-R", "0:0", str(folder)).returncode == 0
        os.chown(platform.root / "toolbox", 0, 0)


def _owners(folder: Path) -> set[tuple[int, int]]:
    found = [folder, *folder.rglob("*")]
    return {(path.lstat().st_uid, path.lstat().st_gid) for path in found}


def test_odoos_role_gets_no_more_from_the_superuser_than_that(odoo_data: OdooData) -> None:
    """What postgres/platform.sql lets it do, with arguments that somebody hostile would give."""
    platform = odoo_data.platform
    platform.sql(
        "CREATE EXTENSION unaccent; CREATE FUNCTION zz_mine() RETURNS int LANGUAGE sql"
        " AS 'SELECT 1'"
    )
    try:
        number = platform.sql("SELECT 'unaccent(text)'::regprocedure::oid")
        own = platform.sql("SELECT 'zz_mine()'::regprocedure::oid")
        for arguments in (
            f"'postgres', {number}, 'IMMUTABLE'",
            "'odoo', 'lower(text)'::regprocedure, 'STABLE'",
            f"'odoo', {own}, 'STABLE'",
            f"'odoo', {number}, 'STABLE SECURITY DEFINER'",
            f"'odoo', {number}, 'STABLE', 'SAFE LEAKPROOF'",
            f"'odoo', {number}, cost => 'nan'",
            f"'odoo'' user=odoo', {number}, 'STABLE'",
        ):
            psql = ["psql", "-U", "odoo", "-d", "postgres", "-c"]
            call = f"SELECT platform.alter_extension_function({arguments})"
            done = platform.exec("odoo_db", *psql, call)
            assert done.returncode == 1 and "ERROR" in done.stderr, arguments
        done = platform.compose(
            "exec", "-T", "odoo_db", *psql, "SELECT platform.dblink_connect('user=postgres')"
        )
        assert "permission denied" in done.stderr
    finally:
        platform.sql("DROP EXTENSION unaccent; DROP FUNCTION zz_mine")
