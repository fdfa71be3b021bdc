"""The local Supabase, and the project in Supabase Cloud."""

from invoke.collection import Collection
from invoke.context import Context

from scripts.commands.help_texts import JSON, YES
from scripts.commands.session import open_session, open_to_change, open_to_look
from scripts.core.tasklib import command

TARGET = "local, or cloud: the project that SUPABASE_PROJECT_REF names."


@command(
    {
        "show": "Print the keys themselves; they are as good as passwords.",
        "days": "How long they are good for.",
        "json": JSON,
    },
    name="keys",
)
def supabase_keys(c: Context, show: bool = False, days: int = 365, json: bool = False) -> None:
    """Make the keys for anon and service_role of the local Supabase."""
    from scripts.supabase import keys, service

    session = open_session(c)
    made = keys.for_people(session.settings.secrets_folder, days)
    value, lines = service.key_records(made, show=show), service.key_lines(made, show=show)
    session.console.show(value, lines, as_json=json)


@command({"target": TARGET, "json": JSON, "yes": YES}, name="migrate")
def supabase_migrate(
    c: Context, target: str = "local", json: bool = False, yes: bool = False
) -> None:
    """Apply supabase/migrations/*.sql, each once and in a transaction; asks for the cloud."""
    from scripts.supabase import migrations
    from scripts.supabase.database import Database, Target

    session = open_to_change(c, yes=yes)
    database = Database(session.stack, Target.parse(target))
    applied = migrations.migrate(database, session.console)
    names = [migration.path.name for migration in applied]
    line = f"Applied: {', '.join(names)}" if applied else "Nothing to apply"
    session.console.show({"applied": names}, [line], as_json=json)


@command({"target": TARGET, "json": JSON}, name="status")
def supabase_status(c: Context, target: str = "local", json: bool = False) -> None:
    """Show what runs and which migrations are applied; exit code 1 if something is amiss."""
    from scripts.supabase import service
    from scripts.supabase.database import Target

    session = open_to_look(c)
    lines = service.status(session.stack, Target.parse(target))
    table = service.table(lines)
    session.console.show(table.records, table.lines, as_json=json)
    raise SystemExit(not all(line.good for line in lines))


@command(
    {"command": "Run this SQL and leave, instead of an interactive session.", "target": TARGET},
    name="psql",
    takes_over=True,
)
def supabase_psql(c: Context, command: str = "", target: str = "local") -> None:
    """Open psql on the database, as the owner of everything in it."""
    from scripts.supabase.database import Database, Target

    session = open_to_look(c)
    options = ["--set=ON_ERROR_STOP=1", "--command", command] if command else []
    database = Database(session.stack, Target.parse(target))
    database.require_running()
    session.stack.replace_process(*database.psql(*options, terminal=session.console.interactive))


@command({"yes": YES}, name="reset")
def supabase_reset(c: Context, yes: bool = False) -> None:
    """Destroy the local database and make it again with all migrations; asks."""
    from scripts.supabase import service

    session = open_to_change(c, yes=yes)
    service.reset(session.stack, session.console)


COLLECTION = Collection(
    "supabase", supabase_keys, supabase_migrate, supabase_status, supabase_psql, supabase_reset
)
