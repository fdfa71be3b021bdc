"""Properties of a database that its dump lacks: read for a backup, written by a restore.

A dump has no settings, comment and permissions of the database itself, and of an extension
only its name: neither its version nor what was altered in its functions. `CREATE DATABASE
… TEMPLATE` copies the extensions as they are, but none of the other three.
"""

from collections.abc import Mapping
from contextlib import closing
from typing import Any

import psycopg2
from psycopg2 import sql

from toolbox.core import postgres
from toolbox.core.errors import Failure
from toolbox.core.progress import note

Functions = Mapping[str, Mapping[str, Any]]  # signature to what ALTER FUNCTION can change of it
_VOLATILITY = {"i": "IMMUTABLE", "s": "STABLE", "v": "VOLATILE"}
_PARALLEL = {"s": "SAFE", "r": "RESTRICTED", "u": "UNSAFE"}
_FIELDS = ("volatility", "parallel", "cost", "rows")
_FUNCTIONS = """
    SELECT p.oid::regprocedure::text, p.oid::int8, p.provolatile, p.proparallel,
        p.procost::float8, p.prorows::float8
    FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid
    WHERE d.deptype = 'e' AND p.prokind IN ('f', 'w')"""


def functions(connection: Any) -> Functions:
    """Those of all extensions, by their full signature; `number` is the function's oid."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('search_path')")
        path = cursor.fetchone()[0]
        # So that every name is shown with its schema.
        cursor.execute("SELECT set_config('search_path', 'pg_catalog', false)")
        cursor.execute(_FUNCTIONS)
        rows = cursor.fetchall()
        cursor.execute("SELECT set_config('search_path', %s, false)", (path,))
    return {
        signature: {
            "number": number,
            "volatility": _VOLATILITY[volatility],
            "parallel": _PARALLEL[parallel],
            "cost": cost,
            "rows": result_rows,
        }
        for signature, number, volatility, parallel, cost, result_rows in rows
    }


def altered(wanted: Functions, fresh: Functions) -> Functions:
    """The fields of `wanted` that differ in `fresh`, by signature."""
    changes = {name: _changes(f, fresh[name]) for name, f in wanted.items() if name in fresh}
    return {name: change for name, change in changes.items() if change}


def changeable(wanted: Functions) -> Functions:
    """All that can be changed of each."""
    return {name: {key: f[key] for key in _FIELDS} for name, f in wanted.items()}


def _changes(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    return {key: wanted[key] for key in _FIELDS if wanted.get(key, found[key]) != found[key]}


def restore_functions(database: str, wanted: Functions) -> None:
    """Alter functions of extensions as they were, before an index is built on one.

    Raises Failure where the server has not been set up for that.
    """
    if not wanted:
        return
    with closing(postgres.connect(database)) as connection:
        found = functions(connection)
    ask = "SELECT platform.alter_extension_function(%s, %s::oid, %s, %s, %s, %s)"
    with closing(postgres.connect()) as connection, connection, connection.cursor() as cursor:
        for name, change in altered(wanted, found).items():
            fields = [change.get(key) for key in _FIELDS]
            try:
                cursor.execute(ask, (database, found[name]["number"], *fields))
            except (psycopg2.errors.UndefinedFunction, psycopg2.errors.InvalidSchemaName):
                hint = "Run: inv up. It sets up postgres/platform.sql, which does that."
                if postgres.external():
                    hint = "Drop the indexes on it where the backup is made, and make another."
                raise Failure(
                    f"only the superuser may make {name} {', '.join(map(str, change.values()))}",
                    hint,
                ) from None


def read(connection: Any) -> dict[str, Any]:
    """Settings, comment, permissions and limit of the connection's database."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(r.rolname, ''), split_part(s, '=', 1), substr(s, strpos(s, '=') + 1)"
            " FROM pg_db_role_setting d LEFT JOIN pg_roles r ON r.oid = d.setrole,"
            " unnest(d.setconfig) s WHERE d.setdatabase ="
            " (SELECT oid FROM pg_database WHERE datname = current_database()) ORDER BY 1, 2"
        )
        settings = [list(row) for row in cursor.fetchall()]
        cursor.execute(
            "SELECT shobj_description(oid, 'pg_database'), datconnlimit, datacl IS NOT NULL"
            " FROM pg_database WHERE datname = current_database()"
        )
        comment, limit, granted = cursor.fetchone()
        cursor.execute(
            "SELECT coalesce(r.rolname, ''), privilege_type, is_grantable FROM pg_database d,"
            " aclexplode(datacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee"
            " WHERE datname = current_database() AND a.grantee <> d.datdba ORDER BY 1, 2"
        )
        grants = [list(row) for row in cursor.fetchall()] if granted else None
    return {"settings": settings, "comment": comment, "limit": limit, "grants": grants}


def write(database: str, wanted: Mapping[str, Any]) -> None:
    """Set on `database` what was read of another; notes what this server does not permit.

    Settings of roles that are not here, and those that only a superuser may make.
    """
    for role, name, value in wanted.get("settings", ()):
        _set(database, role, name, value)
    place = sql.Identifier(database)
    if wanted.get("limit", -1) != -1:
        limit = sql.Literal(wanted["limit"])
        _do(sql.SQL("ALTER DATABASE {} CONNECTION LIMIT {}").format(place, limit))
    if wanted.get("grants") is not None:
        _do(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(place))
    for role, privilege, grantable in wanted.get("grants") or ():
        to = sql.Identifier(role) if role else sql.SQL("PUBLIC")
        words = sql.SQL(f"GRANT {privilege} ON DATABASE {{}} TO {{}}").format(place, to)
        _do(words + sql.SQL(" WITH GRANT OPTION" if grantable else ""))
    if wanted.get("comment"):
        comment(database, wanted["comment"])


def comment(database: str, text: str | None) -> None:
    """Set the comment of `database`; None removes it."""
    words = sql.SQL("COMMENT ON DATABASE {} IS {}")
    _do(words.format(sql.Identifier(database), sql.Literal(text)))


def _set(database: str, role: str, name: str, value: str) -> None:
    whose = sql.SQL("DATABASE {}").format(sql.Identifier(database))
    if role:
        whose = sql.SQL("ROLE {} IN ").format(sql.Identifier(role)) + whose
    # From the session, where a list such as search_path needs no quoting of its parts.
    setting = sql.SQL(".").join(map(sql.Identifier, name.split(".")))
    _do(
        sql.SQL("SELECT set_config({}, {}, false)").format(sql.Literal(name), sql.Literal(value)),
        sql.SQL("ALTER {} SET {} FROM CURRENT").format(whose, setting),
        database=database,
    )


def _do(*statements: sql.Composable, database: str = "postgres") -> None:
    with closing(postgres.connect(database)) as connection:
        connection.set_session(readonly=False)  # even if that is the default of the database
        try:
            with connection, connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
        except psycopg2.OperationalError:
            raise
        except psycopg2.Error as error:
            what = statements[-1].as_string(connection)
            note(f"left out: {what}: {str(error).splitlines()[0]}")


def note_other_versions(wanted: Mapping[str, str], found: Mapping[str, str]) -> None:
    """Note which extensions have another version than when the backup was made."""
    other = [
        f"{name} {v} is {found[name]} here" for name, v in wanted.items() if found.get(name, v) != v
    ]
    if other:
        note(f"other versions of extensions: {', '.join(other)}")


def large_objects(connection: Any) -> int:
    """How many there are; a dump has them."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_largeobject_metadata")
        count: int = cursor.fetchone()[0]
    return count
