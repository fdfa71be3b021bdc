"""Creating, dropping and renaming whole databases."""

import re
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any

import psycopg2
from psycopg2 import sql

from toolbox.contract import names
from toolbox.core import postgres
from toolbox.core.errors import Failure

TRIES = 20
_NO_LOCALE = (
    psycopg2.errors.WrongObjectType,
    psycopg2.errors.InvalidParameterValue,
    psycopg2.errors.FeatureNotSupported,
)


def create(
    name: str,
    collate: str,
    ctype: str,
    icu: Mapping[str, str] | None = None,
    *,
    owner: str = "",
) -> None:
    """Make an empty database, of the role `owner` (that of the platform).

    An empty `ctype` is the server's own. `icu` has the `locale` and, if there are any, the
    `rules` of one that sorts by ICU.
    """
    create = "CREATE DATABASE {} ENCODING 'UTF8' LC_COLLATE {} LC_CTYPE {} TEMPLATE template0"
    with closing(postgres.connect()) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        if not ctype:
            cursor.execute("SELECT datctype FROM pg_database WHERE datname = 'template0'")
            ctype = cursor.fetchone()[0]
        given = [sql.Identifier(name), sql.Literal(collate), sql.Literal(ctype)]
        for key, value in (icu or {}).items():
            create += f" ICU_{key.upper()} {{}}"
            given.append(sql.Literal(value))
        create += " LOCALE_PROVIDER icu" if icu else ""
        try:
            cursor.execute(sql.SQL(create).format(*given))
        except _NO_LOCALE as error:
            raise Failure(
                f"the server cannot make such a database: {str(error).splitlines()[0]}",
                "It needs the locale of the saved database; see POSTGRES_IMAGE.",
            ) from error
        except psycopg2.errors.InsufficientPrivilege:
            raise postgres.MayNotCreateError(f"{name!r} cannot be made") from None
        if owner:
            change = sql.SQL("ALTER DATABASE {} OWNER TO {}")
            cursor.execute(change.format(sql.Identifier(name), sql.Identifier(owner)))


def drop(name: str) -> None:
    """Drop a database, and end the connections of our roles to it; it need not exist."""
    # Not WITH (FORCE): it gives up at an autovacuum worker, which is no process of ours,
    # while a plain drop ends that by itself.
    drop = sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name))
    with closing(postgres.connect()) as connection:
        connection.autocommit = True
        for _ in range(TRIES):
            try:
                with connection.cursor() as cursor:
                    _terminate_connections(cursor, name)
                    cursor.execute(drop)
                return
            except psycopg2.errors.ObjectInUse:
                time.sleep(0.5)
    raise Failure(f"another session stays connected to the database {name!r}")


def take_ownership(name: str) -> None:
    """Make the role of the platform the owner of what RESTORER owns in the database `name`."""
    if postgres.owner(name) != names.RESTORER:
        return
    with closing(postgres.connect()) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        _terminate_connections(cursor, name)
        # Settings that code in it may have left for those who connect.
        cursor.execute(sql.SQL("ALTER DATABASE {} RESET ALL").format(sql.Identifier(name)))
    reassign = sql.SQL("REASSIGN OWNED BY {0} TO CURRENT_USER; DROP OWNED BY {0}")
    with (
        closing(postgres.connect_as(name, options="-c search_path=pg_catalog")) as connection,
        connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(reassign.format(sql.Identifier(names.RESTORER)))


def rename(pairs: Sequence[tuple[str, str]]) -> None:
    """Rename databases: all of them, or none.

    One that becomes a copy to go back to accepts no connections from then on, and one that
    takes its name again does: no request to Odoo's server can reach such a copy.
    """
    with closing(postgres.connect()) as connection:
        for _ in range(TRIES):
            try:
                with connection, connection.cursor() as cursor:
                    for old, new in pairs:
                        _terminate_connections(cursor, old)
                        rename = sql.SQL("ALTER DATABASE {} RENAME TO {}")
                        cursor.execute(rename.format(sql.Identifier(old), sql.Identifier(new)))
                        accept_connections(cursor, new, accept=not re.search(names.KEPT, new))
                return
            except psycopg2.errors.ObjectInUse:
                time.sleep(0.5)
    raise Failure(f"another session stays connected to the database {pairs[0][0]!r}")


def accept_connections(cursor: Any, database: str, *, accept: bool) -> None:
    """Whether any role, a superuser too, may connect to `database` from now on."""
    statement = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
    cursor.execute(statement.format(sql.Identifier(database), sql.SQL(str(accept))))


def _terminate_connections(cursor: Any, database: str) -> None:
    cursor.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = %s AND usename IN (current_user, %s)",
        (database, names.RESTORER),
    )
