"""What modules a database knows."""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass

from toolbox.core import postgres
from toolbox.core.errors import Failure

_INSTALLED = ("installed", "to upgrade")


@dataclass(frozen=True)
class Entry:
    """A module in a database."""

    state: str
    version: str  # that was installed or updated last; '' if never


def require_odoo_database(database: str) -> None:
    """Raises Failure unless `database` is there and Odoo's."""
    with closing(postgres.connect()) as connection, connection.cursor() as cursor:
        if not postgres.exists(cursor, database):
            raise Failure(f"there is no database {database!r}", "See: inv db.list")
    with closing(postgres.connect(database)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('public.ir_module_module') IS NOT NULL")
        if not cursor.fetchone()[0]:
            raise Failure(f"{database!r} is not a database of Odoo", "See: inv db.list")


def entries(database: str) -> dict[str, Entry]:
    """Every module that the database knows."""
    with closing(postgres.connect(database)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT name, state, coalesce(latest_version, '') FROM ir_module_module")
        return {name: Entry(state, version) for name, state, version in cursor.fetchall()}


def names(entries: Mapping[str, Entry]) -> list[str]:
    """The installed ones of `entries`."""
    return sorted(n for n, e in entries.items() if e.state in _INSTALLED)


def dependencies(database: str) -> dict[str, frozenset[str]]:
    """What each installed module depends on, as the database has it."""
    with closing(postgres.connect(database)) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT m.name, array_agg(d.name::text) FROM ir_module_module m"
            " JOIN ir_module_module_dependency d ON d.module_id = m.id"
            " WHERE m.state = ANY(%s) GROUP BY m.name",
            (list(_INSTALLED),),
        )
        return {name: frozenset(below) for name, below in cursor.fetchall()}
