"""Files that others made: whatever they say, it is said in a sandbox."""

import gzip
import shutil
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.e2e.support.books import Books, last_error
from tests.e2e.support.checkout import Checkout

pytestmark = pytest.mark.xdist_group("strangers")

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
_TRIGGER = """
CREATE FUNCTION public.evil() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN EXECUTE 'ALTER ROLE odoo PASSWORD ''evil'''; RETURN NULL; END $$;
CREATE TRIGGER evil BEFORE UPDATE ON public.ir_cron FOR EACH STATEMENT
EXECUTE FUNCTION public.evil();
"""


@pytest.fixture(scope="module")
def plain(books: Books, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dump as pg_dump makes it, without owners as the documentation says."""
    file = tmp_path_factory.mktemp("dumps") / "plain.sql"
    _dump(books.platform, file, "--no-owner")
    return file


def _dump(platform: Checkout, file: Path, *options: str) -> None:
    run = ["docker", "compose", "exec", "-T", "odoo_db", "pg_dump", "-U", "postgres", *options]
    done = platform.run("sh", "-c", f"{' '.join([*run, 'odoo'])} > {file}")
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
    files = platform.compose("exec", "-T", "odoo", "ls", "-A", "/var/lib/odoo").stdout.split()
    assert not {"stolen", "pwned", "by-copy", "by-o", "by-program"} & set(files)
    roles = "SELECT rolname FROM pg_authid WHERE rolsuper OR rolname ~ 'evil' ORDER BY 1"
    psql = ["exec", "-T", "odoo_db", "psql", "-U", "postgres", "-Atc", roles]
    assert platform.compose(*psql).stdout.split() == ["postgres"]
    assert "__restoring" not in platform.sql("SELECT datname FROM pg_database", "postgres")
    done = platform.inv("health")  # Odoo's own role can log in
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("packed", [False, True], ids=["sql", "zip"])
@pytest.mark.parametrize("evil", [_COMMANDS, _SERVER, _FORGED], ids=["psql", "server", "forged"])
def test_what_a_file_says_reaches_nothing_of_the_platform(
    books: Books, plain: Path, tmp_path: Path, evil: str, packed: bool
) -> None:
    platform = books.platform
    file = _with(plain, tmp_path / "evil.sql", evil)
    if packed:
        file = _zipped(file, tmp_path / "evil.zip")
    with books.unharmed():
        done = platform.inv("restore", str(file), "--to-database", "staging", "--yes")
        assert "Traceback" not in done.stderr
        if evil == _FORGED:
            assert "must be owner of database odoo" in last_error(done)
        platform.sql("DROP DATABASE IF EXISTS staging", "postgres")
    _unharmed(platform)


def test_a_clean_and_create_dump_of_the_live_database_leaves_it_alone(
    books: Books, tmp_path: Path
) -> None:
    platform, file = books.platform, tmp_path / "cc.sql"
    _dump(platform, file, "--clean", "--if-exists", "--create")
    number = "SELECT oid FROM pg_database WHERE datname = 'odoo'"
    before = platform.sql(number, "postgres")
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
    books: Books, plain: Path
) -> None:
    platform = books.platform
    with books.unharmed():
        platform.sql("INSERT INTO ledger VALUES (0, 'after the dump')")
        done = platform.inv("restore", str(plain), "--yes")
        assert done.returncode == 0, done.stderr
        assert platform.authenticate("admin", platform.admin_password)
        assert platform.sql("SELECT count(*) FROM ledger") == "999"
        assert "" not in books.files().values()  # lent by what was live
        assert platform.inv("restore", "--undo", "--yes").returncode == 0
        assert platform.sql("SELECT count(*) FROM ledger") == "1000"
        platform.sql("DELETE FROM ledger WHERE id = 0")
    _unharmed(platform)


def _form(platform: Checkout, plain: Path, form: str, folder: Path) -> Path:
    file = folder / "named-anyhow"
    if form in ("-Fc", "-Ft", "--clean"):
        _dump(platform, file, form)
    elif form == "-Fd":
        script = "rm -rf /tmp/d && pg_dump -U postgres -Fd -f /tmp/d odoo && tar -C /tmp -c d"
        run = f"docker compose exec -T odoo_db sh -c '{script}' > {file}"
        assert platform.run("sh", "-c", run).returncode == 0
        with tarfile.open(file) as archive:
            archive.extractall(folder, filter="data")
        file = folder / "d"
    elif form == "cluster":
        run = f"docker compose exec -T odoo_db pg_dumpall -U postgres > {file}"
        assert platform.run("sh", "-c", run).returncode == 0
    elif form == "gzip":
        file.write_bytes(gzip.compress(plain.read_bytes(), 1))
    else:
        text = plain.read_text().replace("by pg_dump version 16", "by pg_dump version 18")
        assert "SET lock_timeout = 0;" in text
        new = "SET lock_timeout = 0;\nSET transaction_timeout = 0;\nSET of_19 = 1;"
        foreign = "GRANT SELECT ON public.ledger TO bob;\nCREATE EXTENSION timescaledb;\n"
        text = text.replace("SET lock_timeout = 0;", new)
        file.write_text(text.replace(_END, foreign + _END))
    return file


@pytest.mark.parametrize("form", ["-Fc", "-Ft", "-Fd", "--clean", "cluster", "gzip", "foreign"])
def test_a_dump_of_any_form_is_restored(
    books: Books, plain: Path, tmp_path: Path, form: str
) -> None:
    platform = books.platform
    file = _form(platform, plain, form, tmp_path)
    done = platform.inv("restore", str(file), "--to-database", "proof", "--yes")
    assert done.returncode == 0, done.stderr
    assert platform.sql("SELECT count(*) FROM ledger", "proof") == "999"
    platform.sql("DROP DATABASE proof", "postgres")
    if form == "foreign":
        for told in ("bob", "timescaledb", "of_19"):
            assert any(told in line for line in done.stderr.splitlines() if "left out" in line)


@pytest.mark.parametrize("form", ["-Fc", "-Ft", "gzip"])
def test_a_dump_of_any_form_that_is_cut_off_is_refused(
    books: Books, plain: Path, tmp_path: Path, form: str
) -> None:
    whole = _form(books.platform, plain, form, tmp_path)
    cut = tmp_path / "cut"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    error = last_error(books.platform.inv("restore", str(cut), "--to-database", "proof", "--yes"))
    assert "cut off" in error or "end of file" in error
    assert "proof" not in books.platform.sql("SELECT datname FROM pg_database", "postgres")


@pytest.mark.parametrize("packed", [False, True], ids=["sql", "zip"])
def test_a_file_is_neutralised_before_it_has_its_name_or_there_is_none(
    books: Books, plain: Path, tmp_path: Path, packed: bool
) -> None:
    platform = books.platform
    alive = ("INSERT INTO public.ir_mail_server (name, smtp_host, smtp_port, smtp_encryption,"
             " active, smtp_authentication) VALUES ('live', 'mail.example.com', 25, 'none', true,"
             " 'login');")  # fmt: skip
    files = "UPDATE public.ir_attachment SET store_fname = NULL;" if packed else ""
    file = _with(plain, tmp_path / "live.sql", alive + files)
    if packed:
        file = _zipped(file, tmp_path / "live.zip")
    wish = ("--to-database", "copy", "--neutralize", "--yes")
    done = platform.inv("restore", str(file), *wish)
    assert done.returncode == 0, done.stderr
    assert platform.sql("SELECT smtp_host FROM ir_mail_server WHERE active", "copy") == "invalid"
    platform.sql("DROP DATABASE copy", "postgres")
    rule = "CREATE RULE undead AS ON UPDATE TO public.ir_mail_server DO INSTEAD NOTHING;"
    for trouble, reason in ((rule, "mail servers: live"), (_TRIGGER, "")):
        file = _with(plain, tmp_path / "undead.sql", alive + files + trouble)
        assert reason in last_error(platform.inv("restore", str(file), *wish))
        assert "copy" not in platform.sql("SELECT datname FROM pg_database", "postgres")
    _unharmed(platform)


def test_several_databases_in_one_file_are_asked_for(books: Books, tmp_path: Path) -> None:
    platform, file = books.platform, tmp_path / "two.sql"
    shutil.copy(_form(platform, file, "cluster", tmp_path), file)
    text = file.read_text()
    start, end = (text.index(f'-- Database "{name}" dump') for name in ("odoo", "postgres"))
    section = text[start:end]
    for words in ("DATABASE odoo", "connect odoo"):
        assert words in section
        section = section.replace(words, words.replace("odoo", "second"))
    file.write_text(text[:end] + section + text[end:])
    refused = platform.inv("restore", str(file), "--to-database", "proof", "--yes")
    assert "2 databases of Odoo: odoo, second" in last_error(refused)
    assert "--from-database" in refused.stderr
    wish = ("--from-database", "second", "--to-database", "proof", "--yes")
    assert platform.inv("restore", str(file), *wish).returncode == 0
    assert platform.sql("SELECT count(*) FROM ledger", "proof") == "999"
    platform.sql("DROP DATABASE proof", "postgres")
