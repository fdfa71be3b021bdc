"""The content of a database of Odoo, as a backup counts it and a restore compares it."""

from collections.abc import Mapping
from typing import Any

import psycopg2
from psycopg2 import sql

from toolbox.contract.backups import DatabaseInfo
from toolbox.core.errors import Failure

_ROW_OVERHEAD = 28  # bytes of each row in a table, which a dump has not
_PATIENCE = "1s"  # with somebody else's lock of a table


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


def estimated_dump(connection: Any) -> int:
    """The size of an uncompressed dump, as far as that of the tables on disk tells it.

    0 where a table is locked: pg_dump waits for it, an estimate for its progress does not.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"SAVEPOINT estimate; SET LOCAL lock_timeout = '{_PATIENCE}'")
        try:
            cursor.execute(
                "SELECT coalesce(sum(greatest(0, pg_table_size(c.oid) - %s * greatest(0,"
                " reltuples))), 0) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
                " WHERE c.relkind = 'r' AND n.nspname !~ '^pg_'",
                (_ROW_OVERHEAD,),
            )
            estimate = int(cursor.fetchone()[0])
        except psycopg2.errors.LockNotAvailable:
            estimate = 0
        cursor.execute("ROLLBACK TO SAVEPOINT estimate")
    return estimate


def wanted_files(connection: Any) -> dict[str, tuple[int | None, str]]:
    """store_fname to size and checksum, of every attachment that is kept in a file."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('public.ir_attachment') IS NOT NULL")
        if not cursor.fetchone()[0]:
            raise Failure("this is not a database of Odoo: it has no table ir_attachment")
    with connection.cursor("wanted_files") as cursor:  # on the server: rows come in portions
        cursor.execute(
            "SELECT store_fname, max(file_size), max(checksum) FROM ir_attachment"
            " WHERE store_fname IS NOT NULL GROUP BY store_fname"
        )
        return {name: (size, checksum or "") for name, size, checksum in cursor}


def describe(connection: Any) -> DatabaseInfo:
    """Versions, modules and the other properties that a restore needs of this database."""
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
        roles = tuple(name for (name,) in cursor.fetchall())
        cursor.execute("SELECT extname, extversion FROM pg_extension ORDER BY extname")
        extensions = dict(cursor.fetchall())
    return DatabaseInfo(
        odoo=".".join((modules.get("base") or "").split(".")[:2]),
        postgresql=server.split()[0],
        modules=modules,
        collate=itself["datcollate"],
        ctype=itself["datctype"],
        icu=_icu(itself),
        collation_version=itself.get("datcollversion"),
        extensions=extensions,
        roles=roles,
    )


def _icu(database: Mapping[str, Any]) -> dict[str, str]:
    """Locale and rules of a database that sorts by ICU; nothing of one that does not."""
    if database.get("datlocprovider") != "i":
        return {}
    rules = database.get("daticurules")
    locale = database.get("daticulocale") or database["datlocale"]  # until 16, from 17 on
    return {"locale": locale, **({"rules": rules} if rules else {})}
