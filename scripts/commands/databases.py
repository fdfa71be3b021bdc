"""The databases beside the platform's own."""

from invoke.collection import Collection
from invoke.context import Context

from scripts.commands.help_texts import JSON, YES
from scripts.commands.session import open_to_change
from scripts.core.tasklib import command


@command({"json": JSON}, name="list")
def db_list(c: Context, json: bool = False) -> None:
    """List the databases: what each is, its Odoo, its size, whether it is neutralised."""
    from scripts.backups import databases

    session = open_to_change(c)
    found = databases.listed(session.stack, session.console)
    session.console.show(found, databases.table(found).lines, as_json=json)


@command({"name": "Which database.", "json": JSON, "yes": YES}, name="drop")
def db_drop(c: Context, name: str, json: bool = False, yes: bool = False) -> None:
    """Drop a database and its files, but not one that is needed; asks."""
    from scripts.backups import databases

    session = open_to_change(c, yes=yes)
    done = databases.drop(session.stack, session.console, name)
    session.console.show(done, databases.dropped(done), as_json=json)


@command(
    {
        "source": "The database to copy.",
        "to": "The name of the copy, which must be free.",
        "neutralize": "Disarm mail servers, payments and scheduled actions of the copy.",
        "json": JSON,
        "yes": YES,
    },
    name="copy",
)
def db_copy(
    c: Context,
    source: str,
    to: str,
    neutralize: bool = False,
    json: bool = False,
    yes: bool = False,
) -> None:
    """Copy a database with its files, in seconds; asks if it is not to be neutralised."""
    from scripts.backups import databases

    session = open_to_change(c, yes=yes)
    done = databases.copy(session.stack, session.console, source, to, neutralize=neutralize)
    session.console.show(done, done.lines, as_json=json)


COLLECTION = Collection("db", db_list, db_drop, db_copy)
