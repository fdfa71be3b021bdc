"""Who is connected to a database, who waits for whom, and copying one under their feet."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

import properties
import psycopg2
from common import Failure, note
from psycopg2 import sql

import postgres

SOON = 5.0  # seconds after which a wait is worth a word
_PAUSE = 0.2
_RESTED = 0.5  # seconds
_WHO = (
    "coalesce(nullif(application_name, ''), 'somebody') || ' (process ' || pid || ', '"
    " || coalesce(host(client_addr), 'the socket') || ', since '"
    " || to_char(coalesce(xact_start, backend_start), 'HH24:MI:SS') || ', ' || coalesce(state, '?')"
    " || '): ' || left(regexp_replace(query, '\\s+', ' ', 'g'), 80)"
)


def copy(source: str, target: str, patience: int) -> None:
    """Make the database `target` as a copy of `source`, by files, with all but its comment.

    While it is copied, nobody can connect to `source`: who asks waits a moment and gets an
    answer. Idle connections are ended, which Odoo's pool does not mind; work in
    progress may go on for `patience` seconds. Raises Failure with who did not end.
    """
    statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY").format(
        sql.Identifier(target), sql.Identifier(source)
    )
    deadline = time.monotonic() + patience
    with closing(postgres.connect(source)) as connection:
        besides = {**properties.read(connection), "comment": None}
    with closing(postgres.connect()) as connection, _ushers(source):
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
                    raise _busy(source, patience) from None
            except psycopg2.Error as error:
                raise Failure(
                    f"the database {source!r} could not be copied: {str(error).splitlines()[0]}",
                    "Is the engine's disk full? See: inv logs --service odoo_db",
                ) from error
    properties.write(target, besides)


@contextmanager
def _ushers(database: str) -> Iterator[None]:
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

    def usher() -> None:
        with closing(postgres.connect()) as connection:
            connection.autocommit = True
            while not stop.wait(_PAUSE):
                # Not divided by 4 **: that overflows after 512 s, and this ends at 0.
                rested = _RESTED * 0.25 ** (time.monotonic() - started)
                with connection.cursor() as cursor:
                    cursor.execute(leave, (database, rested))

    thread = threading.Thread(target=usher, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _busy(database: str, patience: int) -> Failure:
    with closing(postgres.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {_WHO} FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
            " AND backend_type = 'client backend' ORDER BY xact_start NULLS LAST LIMIT 3",
            (database,),
        )
        who = [line for (line,) in cursor.fetchall()]
    return Failure(
        f"the database {database!r} was in use for {patience} s; by {'; '.join(who) or 'nobody'}",
        "Wait for that to end, or give more time: --max-lock-wait SECONDS.",
    )


class Watch:
    """Looks, beside the block, who keeps `application` waiting, and what that locks itself.

    `held` maps tables to the seconds for which nobody else could read or write them.
    """

    def __init__(self, database: str, application: str) -> None:
        self._database, self._application = database, application
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.held: dict[str, float] = {}
        self.blockers: dict[str, float] = {}

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        try:
            with closing(postgres.connect(self._database)) as connection:
                connection.autocommit = True
                while not self._stop.wait(_PAUSE):
                    with connection.cursor() as cursor:
                        self._note_waits(cursor)
                        self._note_locks(cursor)
        except (psycopg2.Error, Failure) as error:
            note(f"nobody looks for locks any more: {str(error).splitlines()[0]}")

    def _note_waits(self, cursor: Any) -> None:
        cursor.execute(
            f"SELECT {_WHO}, extract(epoch FROM now() - waiting.since)::float8"
            " FROM (SELECT unnest(pg_blocking_pids(pid)) AS blocker, query_start AS since"
            "   FROM pg_stat_activity WHERE application_name = %s AND wait_event_type = 'Lock'"
            " ) waiting JOIN pg_stat_activity ON pid = blocker",
            (self._application,),
        )
        for who, seconds in cursor.fetchall():
            if seconds >= SOON and who not in self.blockers:
                note(f"waiting for a lock that is held by {who}")
            if seconds >= SOON:
                self.blockers[who] = round(seconds, 1)

    def _note_locks(self, cursor: Any) -> None:
        cursor.execute(
            "SELECT DISTINCT l.relation::regclass::text FROM pg_locks l"
            " JOIN pg_stat_activity a USING (pid) JOIN pg_class c ON c.oid = l.relation"
            " WHERE l.mode = 'AccessExclusiveLock' AND l.granted AND a.application_name = %s"
            " AND c.relkind = 'r' AND c.oid >= 16384",
            (self._application,),
        )
        for (table,) in cursor.fetchall():
            self.held[table] = round(self.held.get(table, 0.0) + _PAUSE, 1)


def longest(held: Mapping[str, float], count: int = 5) -> dict[str, float]:
    """The tables that were locked for longest."""
    return dict(sorted(held.items(), key=lambda item: -item[1])[:count])
