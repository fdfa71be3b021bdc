"""Which sessions block a change of modules, and which tables the change locks."""

import threading
from collections.abc import Mapping
from contextlib import closing
from typing import Any

import psycopg2

from toolbox.core import postgres
from toolbox.core.errors import Failure
from toolbox.core.progress import note
from toolbox.core.session_names import WHO

SOON = 5.0  # seconds after which a wait is worth a word
PAUSE = 0.2


class Watch:
    """Records, during the block, which sessions block `application`, and what it locks.

    `held` maps tables to the seconds for which no other session could read or write them.
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
                while not self._stop.wait(PAUSE):
                    with connection.cursor() as cursor:
                        self._note_waits(cursor)
                        self._note_locks(cursor)
        except (psycopg2.Error, Failure) as error:
            note(f"locks are no longer watched: {str(error).splitlines()[0]}")

    def _note_waits(self, cursor: Any) -> None:
        cursor.execute(
            f"SELECT {WHO}, extract(epoch FROM now() - waiting.since)::float8"
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
            self.held[table] = round(self.held.get(table, 0.0) + PAUSE, 1)


def longest(held: Mapping[str, float], count: int = 5) -> dict[str, float]:
    """The tables that were locked for longest."""
    return dict(sorted(held.items(), key=lambda item: -item[1])[:count])
