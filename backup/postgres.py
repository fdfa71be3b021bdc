"""The database server: connections, the lock of this program, and what is counted."""

import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg2
from common import STAGED, Failure, write_private
from psycopg2 import sql

SECRET = Path("/run/secrets/db_password")
PASSFILE = Path("/run/backup/pgpass")
TRIES = 20
LOCK_KEY = 0x6261636B  # "back"
# Owns a database that a stranger's file has filled until it is put in its place: what code is
# in it runs with the rights of this role, which has none in any other database.
RESTORER = "odoo_restore"
_KEPT = re.compile(r"__(before|s\d{10})$")  # copies that wait for a way back
doing = "inv backup"  # which command this is, for whoever finds the lock taken


def prepare() -> None:
    """Hand the password to libpq by a file: neither arguments nor environment show it."""
    try:
        # As odoo/bin/platform-entrypoint reads it: without what an editor of Windows adds.
        password = SECRET.read_text(encoding="utf-8-sig").replace("\r", "").rstrip("\n")
        password = password.replace("\\", "\\\\").replace(":", "\\:")
    except OSError as error:
        raise Failure(f"secrets/db_password.txt: {error.strerror}", "Run: inv secrets") from error
    write_private(PASSFILE, f"*:*:*:*:{password}\n")
    os.environ["PGPASSFILE"] = str(PASSFILE)


def connect(database: str = "postgres") -> Any:
    """A connection as the role of the platform, or as RESTORER to a database of its."""
    user = RESTORER if database.endswith(STAGED) and owner(database) == RESTORER else None
    return _connect(database, user)


def owner(database: str) -> str:
    """The role that owns `database`; '' if there is none of that name."""
    with closing(_connect("postgres")) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = %s", (database,)
        )
        row = cursor.fetchone()
        return str(row[0]) if row else ""


def _connect(database: str, user: str | None = None, options: str = "") -> Any:
    try:
        return psycopg2.connect(
            dbname=database, user=user, connect_timeout=10, application_name=doing, options=options
        )
    except psycopg2.OperationalError as error:
        text = str(error).strip().splitlines()[-1]
        raise Failure(f"PostgreSQL: {text}", "Is the platform up? See: inv ps") from error


@contextmanager
def exclusive(patience: float = 0) -> Iterator[Callable[[], None]]:
    """One run at a time, whoever started it; the server lets go of it if we die.

    Gives a function that raises Failure if the lock was lost meanwhile. Raises Failure
    with the holder's name if it is taken for longer than `patience` seconds.
    """
    connection = connect()
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute("SET idle_session_timeout = 0")
            _lock(cursor, time.monotonic() + patience)

        def still_alone() -> None:
            try:
                with connection.cursor() as cursor:
                    cursor.execute("SELECT 1")
            except psycopg2.Error as error:
                raise Failure("PostgreSQL went away, and our lock with it") from error

        yield still_alone
    finally:
        connection.close()


def _lock(cursor: Any, deadline: float) -> None:
    while True:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", (LOCK_KEY,))
        if cursor.fetchone()[0]:
            return
        if time.monotonic() > deadline:
            raise Failure(f"{_holder(cursor)} is still running", "Wait for it to end.")
        time.sleep(0.5)


def _holder(cursor: Any) -> str:
    cursor.execute(
        "SELECT application_name, to_char(backend_start, 'HH24:MI') FROM pg_locks"
        " JOIN pg_stat_activity USING (pid)"
        " WHERE locktype = 'advisory' AND granted AND objid = %s",
        (LOCK_KEY,),
    )
    row = cursor.fetchone()
    return f"`{row[0]}` (since {row[1]})" if row else "another backup"


def exists(cursor: Any, database: str) -> bool:
    cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (database,))
    return cursor.fetchone() is not None


def major(cursor: Any) -> int:
    cursor.execute("SHOW server_version_num")
    return int(cursor.fetchone()[0]) // 10000


def row_counts(connection: Any) -> dict[str, int]:
    """Rows of every table of the connection's snapshot, by `schema.table`."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n"
            " ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND n.nspname !~ '^pg_'"
            " AND n.nspname <> 'information_schema' AND c.relpersistence <> 't' ORDER BY 1, 2"
        )
        counts = {}
        for schema, table in cursor.fetchall():
            count = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(schema, table))
            cursor.execute(count)
            counts[f"{schema}.{table}"] = cursor.fetchone()[0]
    return counts


def wanted_files(connection: Any) -> dict[str, tuple[int | None, str]]:
    """store_fname to size and checksum, of every attachment that is kept in a file."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('public.ir_attachment') IS NOT NULL")
        if not cursor.fetchone()[0]:
            raise Failure("this is no database of Odoo: it has no table ir_attachment")
    with connection.cursor("wanted_files") as cursor:  # on the server: rows come in portions
        cursor.execute(
            "SELECT store_fname, max(file_size), max(checksum) FROM ir_attachment"
            " WHERE store_fname IS NOT NULL GROUP BY store_fname"
        )
        return {name: (size, checksum or "") for name, size, checksum in cursor}


def about(connection: Any) -> dict[str, Any]:
    """Versions, modules and what else a restore wants to know of this database."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        server = cursor.fetchone()[0]
        cursor.execute(
            "SELECT name, latest_version FROM ir_module_module"
            " WHERE state = 'installed' ORDER BY name"
        )
        modules = dict(cursor.fetchall())
        cursor.execute("SELECT to_jsonb(d) FROM pg_database d WHERE datname = current_database()")
        itself = cursor.fetchone()[0]
        cursor.execute(
            "SELECT DISTINCT rolname FROM pg_shdepend JOIN pg_roles r ON r.oid = refobjid"
            " WHERE refclassid = 'pg_authid'::regclass AND dbid ="
            " (SELECT oid FROM pg_database WHERE datname = current_database()) ORDER BY 1"
        )
        roles = [name for (name,) in cursor.fetchall()]
        cursor.execute("SELECT extname, extversion FROM pg_extension ORDER BY extname")
        extensions = dict(cursor.fetchall())
    odoo = ".".join((modules.get("base") or "").split(".")[:2])
    return {
        "odoo": odoo,
        "postgresql": server.split()[0],
        "modules": modules,
        "collate": itself["datcollate"],
        "ctype": itself["datctype"],
        "icu": _icu(itself),
        "collation_version": itself.get("datcollversion"),
        "extensions": extensions,
        "roles": roles,
    }


def _icu(database: Mapping[str, Any]) -> dict[str, str]:
    """Locale and rules of a database that sorts by ICU; nothing of one that does not."""
    if database.get("datlocprovider") != "i":
        return {}
    rules = database.get("daticurules")
    locale = database.get("daticulocale") or database["datlocale"]  # until 16, from 17 on
    return {"locale": locale, **({"rules": rules} if rules else {})}


def drop(name: str) -> None:
    """Take a database away, whoever of ours is connected; none is no error."""
    # Not WITH (FORCE): it gives up at an autovacuum worker, which is no process of ours,
    # while a plain drop sends that away by itself.
    drop = sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name))
    with closing(connect()) as connection:
        connection.autocommit = True
        for _ in range(TRIES):
            try:
                with connection.cursor() as cursor:
                    _send_away(cursor, name)
                    cursor.execute(drop)
                return
            except psycopg2.errors.ObjectInUse:
                time.sleep(0.5)
    raise Failure(f"somebody is connected to the database {name!r} and does not leave")


def adopt(name: str) -> None:
    """Make the role of the platform the owner of what RESTORER owns in the database `name`."""
    if owner(name) != RESTORER:
        return
    with closing(connect()) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        _send_away(cursor, name)
        # Settings that code in it may have left for those who connect.
        cursor.execute(sql.SQL("ALTER DATABASE {} RESET ALL").format(sql.Identifier(name)))
    reassign = sql.SQL("REASSIGN OWNED BY {0} TO CURRENT_USER; DROP OWNED BY {0}")
    with (
        closing(_connect(name, options="-c search_path=pg_catalog")) as connection,
        connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(reassign.format(sql.Identifier(RESTORER)))


def rename(pairs: Sequence[tuple[str, str]]) -> None:
    """Give databases other names: all of them, or none.

    One that becomes a copy to go back to accepts no connections from then on, and one that
    takes its name again does: who asks Odoo's server for such a copy gets none.
    """
    with closing(connect()) as connection:
        for _ in range(TRIES):
            try:
                with connection, connection.cursor() as cursor:
                    for old, new in pairs:
                        _send_away(cursor, old)
                        rename = sql.SQL("ALTER DATABASE {} RENAME TO {}")
                        cursor.execute(rename.format(sql.Identifier(old), sql.Identifier(new)))
                        accept_connections(cursor, new, accept=not _KEPT.search(new))
                return
            except psycopg2.errors.ObjectInUse:
                time.sleep(0.5)
    raise Failure(f"somebody is connected to the database {pairs[0][0]!r} and does not leave")


def accept_connections(cursor: Any, database: str, *, accept: bool) -> None:
    """Whether any role, a superuser too, may connect to `database` from now on."""
    statement = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
    cursor.execute(statement.format(sql.Identifier(database), sql.SQL(str(accept))))


def _send_away(cursor: Any, database: str) -> None:
    cursor.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = %s AND usename IN (current_user, %s)",
        (database, RESTORER),
    )
