"""The way back: backups and moments restored, copies made."""

from dataclasses import replace
from typing import TYPE_CHECKING

from invoke.context import Context

from scripts.commands.help_texts import JSON, YES
from scripts.commands.session import Session, open_to_change
from scripts.core.tasklib import command

if TYPE_CHECKING:
    from scripts.backups.wanted import Wanted


@command(
    {
        "source": "A backup, latest, or a file: a zip of Odoo's or a dump of pg_dump's.",
        "at": "A moment instead: 2026-11-26 14:32, yesterday 17:00, -15min, before xid 4711.",
        "archive": "With --at: the archive of another server in the repository.",
        "to_database": "Another database than the platform's own.",
        "from_database": "Which one of a file that holds several, or of a moment.",
        "neutralize": "Disarm mail servers, payments and scheduled actions first.",
        "undo": "Go back to what the last restore replaced.",
        "configuration": "Show how .env, requirements and odoo.conf were, and write them; asks.",
        "json": JSON,
        "yes": YES,
    },
    name="restore",
    positional=("source",),
)
def restore_task(
    c: Context,
    source: str = "latest",
    at: str = "",
    archive: str = "",
    to_database: str = "",
    from_database: str = "",
    neutralize: bool = False,
    undo: bool = False,
    configuration: bool = False,
    json: bool = False,
    yes: bool = False,
) -> None:
    """Bring a backup or a moment back; verified before anything live is touched; asks."""
    from scripts.backups import moments
    from scripts.backups.wanted import Wanted, validate

    session = open_to_change(c, yes=yes)
    wanted = Wanted(
        source=source,
        at=moments.parse(at) if at else None,
        archive=archive,
        to=to_database,
        of=from_database,
        neutralize=neutralize,
    )
    validate(wanted, configuration=configuration, undo=undo)
    if configuration:
        _restore_configuration(session, source, as_json=json)
    else:
        _restore_database(session, wanted, undo=undo, as_json=json)


def _restore_database(session: Session, wanted: "Wanted", *, undo: bool, as_json: bool) -> None:
    from scripts import startup
    from scripts.backups import foreign_files, restore

    stack, console = session.stack, session.console
    startup.prepare_restore(stack, console)
    if undo:
        done = restore.undo(stack, console, wanted.to)
    else:
        if not foreign_files.is_backup(wanted.source):
            wanted = replace(wanted, source=session.path(wanted.source))
        done = restore.restore(stack, console, wanted)
    console.show(done, done.lines, as_json=as_json)
    done.warn()


def _restore_configuration(session: Session, source: str, *, as_json: bool) -> None:
    from scripts.backups import configuration as saved

    found = saved.compare(session.stack, session.console, source)
    if not as_json:
        session.console.say(*found.lines)
    written = saved.write(session.settings, session.console, found)
    session.console.show({"differences": found.lines, "written": written}, written, as_json=as_json)


@command(
    {
        "database": "The database to copy; if empty, the platform's own.",
        "to": "The name of the copy.",
        "serve": "Open it on a port and a host name of its own, with its mail caught.",
        "json": JSON,
        "yes": YES,
    },
    aliases={"from": "database"},
)
def clone(
    c: Context,
    database: str = "",
    to: str = "staging",
    serve: bool = False,
    json: bool = False,
    yes: bool = False,
) -> None:
    """Copy a database, neutralised and scanned for what could still reach somebody."""
    from scripts.backups import restore

    session = open_to_change(c, yes=yes)
    done = restore.clone(session.stack, session.console, database, to, serve=serve)
    session.console.show(done, done.lines, as_json=json)
    done.warn()


@command(
    {
        "moment": "Such as 2026-11-26 14:32, yesterday 17:00, 15min ago.",
        "database": "Which database of that moment; if empty, the platform's own.",
        "archive": "The archive of another server in the repository.",
        "json": JSON,
    },
    name="at",
)
def at_task(
    c: Context,
    moment: str,
    database: str = "",
    archive: str = "",
    json: bool = False,
) -> None:
    """Open a neutralised copy of a moment on a port of its own, and drop it at the end."""
    from scripts.backups import look_back, moments

    session = open_to_change(c)
    stack, console = session.stack, session.console
    wanted = moments.parse(moment)
    with look_back.opened(stack, console, wanted, database, archive) as done:
        console.show(done, done.lines, as_json=json)
    done.warn()


TASKS = (restore_task, at_task, clone)
