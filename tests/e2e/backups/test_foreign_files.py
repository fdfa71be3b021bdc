"""Files that others made: whatever they say, it is said in a sandbox."""

import zipfile
from pathlib import Path

import pytest

from tests.e2e.support.checkout import Checkout
from tests.e2e.support.dumps import END, dump
from tests.e2e.support.odoo_data import OdooData, last_error

pytestmark = pytest.mark.xdist_group("foreign_files")

_VARIANT = pytest.mark.extended
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
    dump(odoo_data.platform, file, "--no-owner")
    return file


def _with(plain: Path, target: Path, evil: str) -> Path:
    """The same with `evil` before its end; it leaves psql's restricted mode, knowing the key."""
    text = plain.read_text()
    key = text.split("\\restrict ")[1].split("\n")[0]
    where = text.rindex(END)
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
    dump(platform, file, "--clean", "--if-exists", "--create")
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
