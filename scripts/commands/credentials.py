"""The secret files: made, looked at, replaced."""

from invoke.collection import Collection
from invoke.context import Context

from scripts.commands.help_texts import JSON
from scripts.commands.session import open_session, open_to_change
from scripts.core.errors import of_what_was_reported
from scripts.core.tasklib import command


@command(
    {"check": "Only look; fail if a required secret is missing or weak.", "json": JSON},
    name="make",
    default=True,
)
def secrets_make(c: Context, check: bool = False, json: bool = False) -> None:
    """Generate the secrets that are missing; keep the others."""
    from scripts import credentials
    from scripts.core import checks
    from scripts.rotation import dependents

    session = open_session(c) if check else open_to_change(c)
    if check or session.runner.dry:
        reports = dependents.inspect(session.stack)
    else:
        from scripts.rotation import rotate  # which imports most of the others

        rotate.recover(session.stack, session.console)
        reports = dependents.ensure(session.stack)
    table = credentials.table(reports)
    session.console.show(table.records, table.lines, as_json=json)
    with of_what_was_reported():
        credentials.require_none_lost(reports)
        if check:
            ready = credentials.preflight(session.settings.secrets_folder)
            checks.require(checks.run_all([ready]), "the secrets are not ready")


@command(
    {"names": "Which, with commas between (db_password,backup_key), or all.", "json": JSON},
    name="rotate",
    positional=("names",),
)
def secrets_rotate(c: Context, names: str = "all", json: bool = False) -> None:
    """Replace secrets of a living platform everywhere; each is tried, or all are as before."""
    from scripts.rotation import rotate

    session = open_to_change(c)
    done = rotate.rotate(session.stack, session.console, names)
    session.console.show(done, done.lines, as_json=json)


@command({"who": "Whose password: admin.", "json": JSON}, name="reset", positional=("who",))
def secrets_reset(c: Context, who: str = "admin", json: bool = False) -> None:
    """Give Odoo's administrator a new password, and say where it is."""
    from scripts.rotation import rotate

    session = open_to_change(c)
    done = rotate.reset(session.stack, session.console, who)
    session.console.show(done, done.lines, as_json=json)


COLLECTION = Collection("secrets", secrets_make, secrets_rotate, secrets_reset)
