"""The database server: connections, and the lock of this program."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg2

from toolbox.contract import names
from toolbox.core.errors import Failure
from toolbox.core.files import write_private
from toolbox.core.text import last_line

SECRET = Path("/run/secrets/db_password")
PASSFILE = Path("/run/backup/pgpass")
_OURS = "odoo_db"
LOCK_KEY = 0x6261636B  # "back"
APPLICATION = "inv"  # as PostgreSQL knows our connections, but for those that hold the lock


def external() -> bool:
    """Whether somebody else runs the server (compose.external-db.yaml), by libpq's own PGHOST."""
    return os.environ.get("PGHOST", _OURS) != _OURS


class MayNotCreateError(Failure):
    """The role of the platform may not create databases, as at many a managed server."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what}: the role {os.environ.get('PGUSER', '')} may not create databases",
            "Have the administrator of PostgreSQL run: ALTER ROLE … CREATEDB."
            " docs/external-database.md says what works without.",
        )


def prepare() -> None:
    """Pass the password to libpq in a file, so that neither arguments nor environment show it."""
    try:
        # As odoo/bin/platform-entrypoint reads it: without what an editor of Windows adds.
        password = SECRET.read_text(encoding="utf-8-sig").replace("\r", "").rstrip("\n")
        password = password.replace("\\", "\\\\").replace(":", "\\:")
    except OSError as error:
        raise Failure(f"secrets/db_password.txt: {error.strerror}", "Run: inv secrets") from error
    write_private(PASSFILE, f"*:*:*:*:{password}\n")
    os.environ["PGPASSFILE"] = str(PASSFILE)


def connect(database: str = "postgres") -> Any:
    """A connection as the role of the platform, or as RESTORER to a database that it owns."""
    staged = database.endswith(names.STAGED)
    user = names.RESTORER if staged and owner(database) == names.RESTORER else None
    return connect_as(database, user)


def owner(database: str) -> str:
    """The role that owns `database`; '' if it does not exist."""
    with closing(connect_as("postgres")) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = %s", (database,)
        )
        row = cursor.fetchone()
        return str(row[0]) if row else ""


def connect_as(
    database: str, user: str | None = None, *, options: str = "", application: str = APPLICATION
) -> Any:
    """A connection as the role `user` (that of the platform)."""
    given = {"options": options, "application_name": application, "connect_timeout": 10}
    try:
        return psycopg2.connect(dbname=database, user=user, **given)
    except psycopg2.OperationalError as error:
        text = last_line(str(error)) or "no answer"
        raise Failure(f"PostgreSQL: {text}", "Does it answer? See: inv health") from error


@contextmanager
def advisory_lock(command: str, patience: float = 0) -> Iterator[Callable[[], None]]:
    """Hold the lock that lets one run work at a time; the server releases it if we die.

    Another run that wants the lock meanwhile reports `command` as still running. Yields a
    function that raises Failure if the lock was lost. Raises Failure with the holder's
    command if the lock is taken for longer than `patience` seconds.
    """
    connection = connect_as("postgres", application=command)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute("SET idle_session_timeout = 0")
            _lock(cursor, time.monotonic() + patience)

        def require_lock() -> None:
            try:
                with connection.cursor() as cursor:
                    cursor.execute("SELECT 1")
            except psycopg2.Error as error:
                raise Failure(
                    "the connection to PostgreSQL was lost, and the lock with it"
                ) from error

        yield require_lock
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
