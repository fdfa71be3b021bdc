"""Files that others made: whatever they say, it is said in a sandbox."""

import gzip
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.e2e.support import tools
from tests.e2e.support.checkout import Checkout
from tests.e2e.support.odoo_data import OdooData, last_error

pytestmark = pytest.mark.xdist_group("foreign_files")

_VARIANT = pytest.mark.extended
_SMALL = "small"
_END = "--\n-- PostgreSQL database dump complete"
# Each would have reached the live platform from the container of restores.
_COMMANDS = r"""
\! cat /run/secrets/* > /var/lib/odoo/stolen; id > /var/lib/odoo/pwned
\copy (SELECT 'x') TO PROGRAM 'cat > /tmp/by-copy; touch /var/lib/odoo/by-copy || true'
\o |sh
\qecho touch /var/lib/odoo/by-o
\o
"""
_SERVER = """
DROP DATABASE IF EXISTS odoo WITH (FORCE);
ALTER ROLE postgres PASSWORD 'evil';
CREATE ROLE odoo SUPERUSER LOGIN PASSWORD 'evil';
ALTER SYSTEM SET listen_addresses = '*';
COPY public.ledger FROM PROGRAM 'touch /var/lib/odoo/by-program || true';
CREATE FUNCTION public.evil() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$;
CREATE EVENT TRIGGER evil ON ddl_command_start EXECUTE FUNCTION public.evil();
"""
# The server that is asked for its own indexes answers with another command; pg_dump believes it.
_FORGED = """
SET allow_system_table_mods = on;
CREATE INDEX bait ON public.ledger (id);
ALTER FUNCTION pg_catalog.pg_get_indexdef(oid) RENAME TO real_indexdef;
CREATE FUNCTION pg_catalog.pg_get_indexdef(oid) RETURNS text LANGUAGE sql AS $f$
SELECT CASE WHEN $1 = 'public.bait'::regclass THEN 'DROP DATABASE odoo WITH (FORCE)'
ELSE pg_catalog.real_indexdef($1) END $f$;
"""
# As Odoo's administrators make it; that unaccent() was IMMUTABLE is in no dump.
_FOLDED = """
CREATE EXTENSION IF NOT EXISTS unaccent WITH SCHEMA public;
CREATE INDEX folded ON public.ledger (public.unaccent(note));
"""
_RULE = "CREATE RULE undead AS ON UPDATE TO public.ir_mail_server DO INSTEAD NOTHING;"
_TRIGGER = """
CREATE FUNCTION public.evil() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN EXECUTE 'ALTER ROLE odoo PASSWORD ''evil'''; RETURN NULL; END $$;
CREATE TRIGGER evil BEFORE UPDATE ON public.ir_cron FOR EACH STATEMENT
EXECUTE FUNCTION public.evil();
"""


@pytest.fixture(scope="module")
def plain(odoo_data: OdooData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dump as pg_dump makes it, without owners as the documentation says."""
    file = tmp_path_factory.mktemp("dumps") / "plain.sql"
    _dump(odoo_data.platform, file, "--no-owner")
    return file


@pytest.fixture(scope="module")
def small(odoo_data: OdooData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same of the database `small`: what form a file has is not a matter of its size."""
    platform, file = odoo_data.platform, tmp_path_factory.mktemp("dumps") / "small.sql"
    tables = [f"--table={name}" for name in ("ledger", "ir_module_module", "ir_attachment")]
    _dump(platform, file, "--no-owner", "--section=pre-data", "--section=data", *tables)
    platform.sql(f"CREATE DATABASE {_SMALL}", "postgres")
    psql = f"docker compose exec -T odoo_db psql -q -v ON_ERROR_STOP=1 -U odoo -d {_SMALL}"
    done = platform.run("sh", "-c", f"{psql} < {file}")
    assert done.returncode == 0, done.stderr
    _dump(platform, file, "--no-owner", database=_SMALL)
    return file


def _dump(platform: Checkout, file: Path, *options: str, database: str = "odoo") -> None:
    argv = ["docker", "compose", "exec", "-T", "odoo_db", "pg_dump", "-U", "postgres", *options]
    done = platform.run("sh", "-c", f"{' '.join([*argv, database])} > {file}")
    assert done.returncode == 0, done.stderr


def _with(plain: Path, target: Path, evil: str) -> Path:
    """The same with `evil` before its end; it leaves psql's restricted mode, knowing the key."""
    text = plain.read_text()
    key = text.split("\\restrict ")[1].split("\n")[0]
    where = text.rindex(_END)
    around = (f"\\unrestrict {key}\n", f"\n\\restrict {key}\n")
    target.write_text(text[:where] + around[0] + evil + around[1] + text[where:])
    return target


def _zipped(dump: Path, target: Path) -> Path:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(dump, "dump.sql")
    return target


def _unharmed(platform: Checkout) -> None:
    """Nothing was written into the volume, no role has another password, nothing is left."""
    files = platform.exec("odoo", "ls", "-A", "/var/lib/odoo").stdout.split()
    assert not {"stolen", "pwned", "by-copy", "by-o", "by-program"} & set(files)
    roles = "SELECT rolname FROM pg_authid WHERE rolsuper OR rolname ~ 'evil' ORDER BY 1"
    psql = ["exec", "-T", "odoo_db", "psql", "-U", "postgres", "-Atc", roles]
    assert platform.compose(*psql).stdout.split() == ["postgres"]
    assert "__restoring" not in platform.sql("SELECT datname FROM pg_database", "postgres")
    done = platform.inv("health")  # Odoo's own role can log in
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("evil", "packed"),
    [
        pytest.param(_COMMANDS + _SERVER, False, id="sql"),
        pytest.param(_COMMANDS + _SERVER, True, id="zip", marks=_VARIANT),
        pytest.param(_FORGED, False, id="forged"),
    ],
)
def test_what_a_file_says_reaches_nothing_of_the_platform(
    odoo_data: OdooData, plain: Path, tmp_path: Path, evil: str, packed: bool
) -> None:
    platform = odoo_data.platform
    file = _with(plain, tmp_path / "evil.sql", evil)
    if packed:
        file = _zipped(file, tmp_path / "evil.zip")
    with odoo_data.unharmed():
        done = platform.inv("restore", str(file), "--to-database", "staging", "--yes")
        assert "Traceback" not in done.stderr
        if evil == _FORGED:
            assert "must be owner of database odoo" in last_error(done)
        platform.sql("DROP DATABASE IF EXISTS staging", "postgres")
    _unharmed(platform)


def test_a_clean_and_create_dump_of_the_live_database_leaves_it_alone(
    odoo_data: OdooData, tmp_path: Path
) -> None:
    platform, file = odoo_data.platform, tmp_path / "cc.sql"
    _dump(platform, file, "--clean", "--if-exists", "--create")
    number = "SELECT oid FROM pg_database WHERE datname = 'odoo'"
    before = platform.sql(number, "postgres")
    read_only = "ALTER ROLE odoo_restore SET default_transaction_read_only = on"
    _as_code_in_an_earlier_file(platform, read_only)
    done = platform.inv("restore", str(file), "--to-database", "staging", "--yes")
    assert done.returncode == 0, done.stderr
    assert platform.sql(number, "postgres") == before
    assert platform.sql("SELECT count(*) FROM ledger", "staging") == "999"
    owners = "SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class WHERE oid > 16384"
    assert platform.sql(owners, "staging") == "odoo"
    platform.sql("DROP DATABASE staging", "postgres")
    owned = "SELECT count(*) FROM pg_shdepend WHERE refobjid = 'odoo_restore'::regrole"
    assert platform.sql(owned, "postgres") == "0"


def test_a_file_takes_the_place_of_the_live_database_and_makes_room_again(
    odoo_data: OdooData, plain: Path
) -> None:
    platform = odoo_data.platform
    with odoo_data.unharmed():
        platform.sql("INSERT INTO ledger VALUES (0, 'after the dump')")
        done = platform.inv("restore", str(plain), "--yes")
        assert done.returncode == 0, done.stderr
        assert platform.authenticate("admin", platform.admin_password)
        assert platform.sql("SELECT count(*) FROM ledger") == "999"
        assert "" not in odoo_data.files().values()  # lent by what was live
        assert platform.inv("restore", "--undo", "--yes").returncode == 0
        assert platform.sql("SELECT count(*) FROM ledger") == "1000"
        platform.sql("DELETE FROM ledger WHERE id = 0")
    _unharmed(platform)


def _as_code_in_an_earlier_file(platform: Checkout, statement: str) -> None:
    psql = ["exec", "-T", "odoo_db", "psql", "-U", "odoo_restore", "-d", "postgres"]
    done = platform.compose(*psql, "-c", statement)
    assert done.returncode == 0, done.stderr


def _form(platform: Checkout, small: Path, form: str, folder: Path) -> Path:
    file = folder / "named-anyhow"
    if form in ("-Fc", "-Ft", "--clean"):
        _dump(platform, file, form, database=_SMALL)
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
    return text.replace(_END, foreign + _FOLDED + _END)


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


_ALIVE = (
    "INSERT INTO public.ir_mail_server (name, smtp_host, smtp_port, smtp_encryption, active,"
    " smtp_authentication) VALUES ('live', 'mail.example.com', 25, 'none', true, 'login');"
)
_NEUTRALISED = ("--to-database", "copy", "--neutralize", "--yes")


@pytest.mark.parametrize(
    "packed", [pytest.param(False, id="sql", marks=_VARIANT), pytest.param(True, id="zip")]
)
def test_a_file_is_neutralised_before_it_has_its_name(
    odoo_data: OdooData, plain: Path, tmp_path: Path, packed: bool
) -> None:
    platform = odoo_data.platform
    files = "UPDATE public.ir_attachment SET store_fname = NULL;" if packed else ""
    file = _with(plain, tmp_path / "live.sql", _ALIVE + files)
    if packed:
        file = _zipped(file, tmp_path / "live.zip")
    done = platform.inv("restore", str(file), *_NEUTRALISED)
    assert done.returncode == 0, done.stderr
    assert platform.sql("SELECT smtp_host FROM ir_mail_server WHERE active", "copy") == "invalid"
    platform.sql("DROP DATABASE copy", "postgres")


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        pytest.param(_RULE, "mail servers: live", id="rule", marks=_VARIANT),  # see `inv clone`
        pytest.param(_TRIGGER, "", id="trigger"),
    ],
)
def test_a_file_that_stays_alive_gets_no_name(
    odoo_data: OdooData, plain: Path, tmp_path: Path, trouble: str, reason: str
) -> None:
    platform = odoo_data.platform
    file = _with(plain, tmp_path / "undead.sql", _ALIVE + trouble)
    assert reason in last_error(platform.inv("restore", str(file), *_NEUTRALISED))
    assert "copy" not in platform.sql("SELECT datname FROM pg_database", "postgres")
    _unharmed(platform)


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
