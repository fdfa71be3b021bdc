"""Questions to the live server."""

from typing import Any

import psycopg2

from toolbox.archive.places import SOCKET
from toolbox.core.errors import Failure


class Server:
    """PostgreSQL, by its socket, over one connection that is made again where it was lost."""

    def __init__(self) -> None:
        self._connection: Any = None

    def ask(self, query: str) -> Any:
        """The first row; raises Failure where it gives no answer."""
        try:
            if self._connection is None:
                self._connection = psycopg2.connect(
                    host=str(SOCKET),
                    user="postgres",
                    dbname="postgres",
                    connect_timeout=5,
                    application_name="archiver",
                    options="-c statement_timeout=5s",
                )
                self._connection.autocommit = True
            with self._connection.cursor() as cursor:
                cursor.execute(query)
                return cursor.fetchone()
        except psycopg2.Error as error:
            self._connection = None
            said = (str(error).strip() or "it gives no answer").splitlines()[0]
            raise Failure(f"PostgreSQL: {said}") from error
