"""What modules a database knows."""

from collections.abc import Collection, Mapping
from contextlib import closing
from dataclasses import dataclass

from toolbox.core import postgres
from toolbox.core.errors import Failure


@dataclass(frozen=True)
class Entry:
    """A module in a database."""

    state: str
    version: str  # that was installed or updated last; '' if never


def refuse_no_odoo(database: str) -> None:
    """Raises Failure unless `database` is there and Odoo's."""
    with closing(postgres.connect()) as connection, connection.cursor() as cursor:
        if not postgres.exists(cursor, database):
            raise Failure(f"there is no database {database!r}", "See: inv psql --command '\\l'")
    with closing(postgres.connect(database)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('public.ir_module_module') IS NOT NULL")
        if not cursor.fetchone()[0]:
            raise Failure(f"{database!r} is no database of Odoo")


def in_database(database: str) -> dict[str, Entry]:
    """Every module that the database knows."""
    with closing(postgres.connect(database)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT name, state, coalesce(latest_version, '') FROM ir_module_module")
        return {name: Entry(state, version) for name, state, version in cursor.fetchall()}


def installed(entries: Mapping[str, Entry]) -> list[str]:
    return sorted(n for n, e in entries.items() if e.state in ("installed", "to upgrade"))


def dependants(database: str, names: Collection[str]) -> list[str]:
    """The installed modules that build on `names`."""
    with closing(postgres.connect(database)) as connection, connection.cursor() as cursor:
        cursor.execute(
            "WITH RECURSIVE above AS (SELECT unnest(%s::text[]) AS name UNION"
            " SELECT m.name::text FROM above JOIN ir_module_module_dependency d"
            " ON d.name = above.name JOIN ir_module_module m ON m.id = d.module_id"
            " WHERE m.state IN ('installed', 'to upgrade'))"
            " SELECT name FROM above WHERE name <> ALL (%s) ORDER BY 1",
            (list(names), list(names)),
        )
        return [name for (name,) in cursor.fetchall()]
