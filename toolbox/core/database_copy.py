"""Copying a database to which other sessions are connected."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg2
from psycopg2 import sql

from toolbox.core import postgres, properties
from toolbox.core.errors import Failure
from toolbox.core.session_names import WHO

_PAUSE = 0.2
_RESTED = 0.5  # seconds


def copy(source: str, target: str, patience: int, busy: str) -> None:
    """Make the database `target` as a copy of `source`, by files, with all but its comment.

    While it is copied, no session can connect to `source`: new connections wait for a moment.
    Idle connections are ended, which Odoo's pool does not mind; work in progress may go on for
    `patience` seconds. Raises Failure that names the sessions which did not end, with the hint
    `busy`.
    """
    statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY").format(
        sql.Identifier(target), sql.Identifier(source)
    )
    deadline = time.monotonic() + patience
    with closing(postgres.connect(source)) as connection:
        settings = {**properties.read(connection), "comment": None}
    with closing(postgres.connect()) as connection, _terminate_idle_connections(source):
        connection.autocommit = True
        while True:
            try:
                # It takes a lock that holds off new connections, then waits 5 s for the
                # present ones to end, and fails if they have not.
                with connection.cursor() as cursor:
                    cursor.execute(statement)
                break
            except psycopg2.errors.ObjectInUse:
                if time.monotonic() > deadline:
                    raise _busy(source, patience, busy) from None
            except psycopg2.errors.InsufficientPrivilege:
                raise postgres.MayNotCreateError(f"{source!r} cannot be copied") from None
            except psycopg2.Error as error:
                raise Failure(
                    f"the database {source!r} could not be copied: {str(error).splitlines()[0]}",
                    "Is the engine's disk full? See: inv logs --service odoo_db",
                ) from error
    properties.write(target, settings)


@contextmanager
def _terminate_idle_connections(database: str) -> Iterator[None]:
    """End idle connections to `database` as long as the block lasts.

    One that was used a moment ago may be about to be used again, and its end would be an
    error for a visitor: Odoo's pool resets a connection when it lends it out. So they have
    to be idle for a while first, for less and less, as some are never idle for long.
    """
    leave = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = %s AND usename = current_user AND state = 'idle'"
        " AND state_change < clock_timestamp() - %s * interval '1 second'"
    )
    stop, started = threading.Event(), time.monotonic()

    def terminate() -> None:
        with closing(postgres.connect()) as connection:
            connection.autocommit = True
            while not stop.wait(_PAUSE):
                # Not divided by 4 **: that overflows after 512 s, and this ends at 0.
                rested = _RESTED * 0.25 ** (time.monotonic() - started)
                with connection.cursor() as cursor:
                    cursor.execute(leave, (database, rested))

    thread = threading.Thread(target=terminate, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _busy(database: str, patience: int, hint: str) -> Failure:
    with closing(postgres.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {WHO} FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
            " AND backend_type = 'client backend' ORDER BY xact_start NULLS LAST LIMIT 3",
            (database,),
        )
        sessions = "; ".join(line for (line,) in cursor.fetchall())
    return Failure(
        f"the database {database!r} was in use for {patience} s"
        f" by {sessions or 'a session that has ended'}",
        hint,
    )
