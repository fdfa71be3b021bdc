"""Loads a dump of unknown origin into a PostgreSQL of its own, and dumps the wanted database.

The program of the service `sandbox`, a container without network, secrets or volumes of the
platform. Whatever the file says is executed in it: SQL as superuser, programs as the user
postgres. This program stays root, apart from it, and the container ends with it.

By hand:
  docker compose run --rm --volume FILE:/in/FILE:ro sandbox /in/FILE [--database NAME]
  docker compose run --rm restore stage-file /in/FILE NAME__restoring
The answer is JSON on standard output; the last line of standard error is the reason of a
failure. Exit codes: 0 done, 1 failed.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import psycopg2

from toolbox.backup import archives
from toolbox.backup.archive_loading import load_archive
from toolbox.backup.dump_errors import DumpErrors, short
from toolbox.backup.psql import USER, as_user, load_sql
from toolbox.contract.backups import SandboxResult
from toolbox.contract.codec import to_json
from toolbox.core import disk_space, properties
from toolbox.core.errors import Failure
from toolbox.core.files import write_private
from toolbox.core.progress import note, say
from toolbox.core.text import last_line

HERE = Path("/var/lib/postgresql/data")  # a volume without a name, gone with the container
DATA = HERE / "cluster"
SOCKET = "/var/run/postgresql"
OUT = Path("/sandbox")
DUMP, ANSWER = OUT / "database.dump", OUT / "answer.json"
LOADED = "the_file"  # a database for dumps that name none
START_SECONDS = 60
NOBODY = "nobody"  # runs pg_dump: programs that the file starts run as postgres and cannot touch it
# No durability: the cluster is discarded after this run.
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_directories": SOCKET,
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "512MB",
    "maintenance_work_mem": "128MB",
    "max_connections": "20",
    "jit": "off",
    "autovacuum": "off",
    "lc_messages": "C",
}
# An index on unaccent() needs it to be IMMUTABLE, as Odoo makes it, and no dump says so. This
# trigger makes it IMMUTABLE in each database; the dump that is handed over has no trigger.
_UNACCENT = """
CREATE FUNCTION pg_catalog.platform_unaccent() RETURNS event_trigger LANGUAGE plpgsql AS $body$
DECLARE
    found regprocedure;
BEGIN
    FOR found IN
        SELECT p.oid FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_depend d
        ON d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
        JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid AND e.extname = 'unaccent'
        WHERE p.proname = 'unaccent' AND p.provolatile <> 'i'
    LOOP
        EXECUTE format('ALTER FUNCTION %s IMMUTABLE', found);
    END LOOP;
END $body$;
CREATE EVENT TRIGGER platform_unaccent ON ddl_command_end WHEN TAG IN ('CREATE EXTENSION')
    EXECUTE FUNCTION pg_catalog.platform_unaccent();
"""
_OF_ODOO = ("ir_module_module", "ir_attachment")


def run(file: Path, wanted: str) -> SandboxResult:
    """Load `file`, dump its database of Odoo's (`wanted`, where it holds several) to DUMP."""
    form = archives.form(file)
    archives.check(file)
    _start()
    say(f"loading {file.name}")
    errors = _load_sql(file) if form == archives.SQL else _load_archive(file)
    for line in errors.lines:
        note(line)
    name = _choose(_of_odoo(), wanted, file.name)
    say("dumping the database")
    answer = _describe(name, file)
    _dump(name)
    write_private(ANSWER, to_json(answer))
    return answer


def _start() -> None:
    """Make a cluster and start its server."""
    DATA.mkdir(mode=0o700)
    shutil.chown(DATA, USER, USER)
    initdb = ["initdb", "--auth=trust", "--no-sync", "--encoding=UTF8", "--lc-collate=C"]
    made = subprocess.run(
        [*initdb, f"--username={USER}", str(DATA)], capture_output=True, text=True, **as_user(USER)
    )
    if made.returncode:
        raise Failure(f"initdb failed: {last_line(made.stderr)}")
    options = [part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")]
    silent: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
    log = (OUT / "server.log").open("wb")
    server = subprocess.Popen(
        ["postgres", "-D", str(DATA), *options], stderr=log, **silent, **as_user(USER)
    )
    deadline = time.monotonic() + START_SECONDS
    while server.poll() is None and time.monotonic() < deadline:
        try:
            with closing(_connect("postgres")) as connection, connection.cursor() as cursor:
                connection.autocommit = True
                cursor.execute("ALTER DATABASE template0 ALLOW_CONNECTIONS true")
                _prepare_template()
                cursor.execute(f"CREATE DATABASE {LOADED} TEMPLATE template0")
            return
        except psycopg2.OperationalError:
            time.sleep(0.1)
    raise Failure(f"its server did not start: {last_line((OUT / 'server.log').read_text())}")


def _prepare_template() -> None:
    """What every database of the sandbox begins with, also one that the file makes."""
    with closing(_connect("template0")) as connection, connection, connection.cursor() as cursor:
        cursor.execute(_UNACCENT)


def _connect(database: str) -> Any:
    # Not the search path of the loaded database, whose functions could replace built-in ones.
    options = "-c search_path=pg_catalog -c row_security=off -c statement_timeout=60000"
    return psycopg2.connect(dbname=database, user=USER, host=SOCKET, options=options)


def _load_sql(file: Path) -> DumpErrors:
    errors = DumpErrors(file.name)
    with archives.reading(file) as stream:
        load_sql(stream, errors, SOCKET, LOADED, **as_user(USER))
    return errors


def _load_archive(file: Path) -> DumpErrors:
    place = HERE / "unpacked"
    place.mkdir()
    archive, errors = archives.unpack(file, place), DumpErrors(file.name)
    for path in (place, *place.rglob("*")):  # for the user of pg_restore, whose dump it is
        path.chmod(0o755 if path.is_dir() else 0o644)
    load_archive(archive, errors, SOCKET, LOADED, **as_user(USER))
    shutil.rmtree(place)
    return errors


def _of_odoo() -> list[str]:
    """The databases of the sandbox that have Odoo's tables."""
    with closing(_connect("postgres")) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate ORDER BY 1"
        )
        names = [name for (name,) in cursor.fetchall()]
    return [name for name in names if _is_odoo(name)]


def _is_odoo(name: str) -> bool:
    with closing(_connect(name)) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            " AND relkind = 'r' AND relname = ANY(%s)",
            (list(_OF_ODOO),),
        )
        return bool(cursor.fetchone()[0] == len(_OF_ODOO))


def _choose(found: list[str], wanted: str, file: str) -> str:
    if wanted in found or (not wanted and len(found) == 1):
        return wanted or found[0]
    if not found:
        raise Failure(f"{file} has no database of Odoo: no table {' and '.join(_OF_ODOO)}")
    names = short(", ".join(found))
    if wanted:
        raise Failure(f"{file} holds no database {wanted!r}", f"There is: {names}")
    raise Failure(
        f"{file} holds {len(found)} databases of Odoo: {names}",
        f"Name one: inv restore {file} --from-database NAME",
    )


def _describe(name: str, file: Path) -> SandboxResult:
    with closing(_connect(name)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_database_size(current_database())")
        size = cursor.fetchone()[0]
        cursor.execute(
            "SELECT DISTINCT rolname FROM pg_shdepend JOIN pg_roles r ON r.oid = refobjid"
            " WHERE refclassid = 'pg_authid'::regclass AND dbid ="
            " (SELECT oid FROM pg_database WHERE datname = current_database()) ORDER BY 1"
        )
        roles = [role for (role,) in cursor.fetchall()]
        mine = properties.functions(connection)
        cursor.execute("DROP EVENT TRIGGER IF EXISTS platform_unaccent")
        connection.commit()
    functions = {signature: str(f["volatility"]) for signature, f in mine.items()}
    return SandboxResult(
        file=file.name,
        zip=archives.is_zip(file),
        database=name,
        bytes=int(size),
        roles=tuple(roles),
        functions=functions,
    )


def _dump(name: str) -> None:
    options = ["--format=custom", "--compress=none", "--no-owner", "--no-acl", "--no-tablespaces"]
    where = [f"--host={SOCKET}", f"--username={USER}", "--no-password", f"--dbname={name}"]
    with DUMP.open("wb") as stream:
        done = subprocess.run(
            ["pg_dump", *options, *where],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            **as_user(NOBODY),
        )
    if done.returncode:
        raise Failure(f"what was loaded cannot be dumped: {short(last_line(done.stderr))}")


def _clean_up() -> None:
    for path in OUT.iterdir():
        path.unlink()


def _stop(free_before: int) -> None:
    """The disk is nearly full: everything of ours goes, with the container.

    No file is examined: PostgreSQL removes its own at any time, and a program that the file
    started may have made a million of them.
    """
    try:
        used = (free_before - disk_space.free(HERE)) // 1_000_000
        left = f"error: the engine's disk is nearly full, loading was stopped at {used} MB"
        print(f"hint: Make room, or restore on a larger disk.\n{left}", file=sys.stderr, flush=True)
        _clean_up()
    finally:
        os._exit(1)


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("error: interrupted"))
    # Docker's client passes on that a terminal was closed, also where nohup has it ignored. What
    # is to end then is decided on the host, which sends SIGTERM.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    parser = argparse.ArgumentParser(prog="sandbox", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--database", default="")
    given = parser.parse_args()
    os.umask(0o077)
    _clean_up()
    try:
        with disk_space.Watch([HERE, OUT], partial(_stop, disk_space.free(HERE))):
            answer = run(given.file, given.database)
        print(to_json(answer), flush=True)
    except BaseException as error:
        _clean_up()
        _exit_with_reason(error)


def _exit_with_reason(error: BaseException) -> None:
    if isinstance(error, Failure):
        sys.exit(error.shown)
    if isinstance(error, KeyboardInterrupt):
        sys.exit("error: interrupted")
    if isinstance(error, psycopg2.Error):
        sys.exit(f"error: PostgreSQL: {short(last_line(str(error)) or 'it went away')}")
    if isinstance(error, OSError):
        sys.exit(f"error: {error.filename or 'the system'}: {error.strerror}")
    raise error


if __name__ == "__main__":
    main()
