"""Backups: made, listed, checked."""

from invoke.collection import Collection
from invoke.context import Context

from scripts.commands.help_texts import DATABASE, JSON
from scripts.commands.session import open_session, open_to_change
from scripts.core.errors import of_what_was_reported
from scripts.core.tasklib import command


@command(
    {
        "plain": "Also write a readable SQL dump into this file.",
        "zip": "Also write what Odoo's database manager restores into this file.",
        "prune": "Afterwards forget what BACKUP_KEEP does not keep; with --schedule always.",
        "new_repository": "Begin a new one where the old one is not there any more.",
        "notify": "Tell these addresses the outcome; with --schedule always (BACKUP_NOTIFY).",
        "schedule": "Make one every night by a systemd timer, or by cron, from now on.",
        "unschedule": "Remove that timer.",
        "database": DATABASE,
        "json": JSON,
    },
    name="create",
    default=True,
)
def backup_create(
    c: Context,
    plain: str = "",
    zip: str = "",
    prune: bool = False,
    notify: str = "",
    new_repository: bool = False,
    schedule: bool = False,
    unschedule: bool = False,
    database: str = "",
    json: bool = False,
) -> None:
    """Back up database and files of one moment into the repository."""
    from scripts.backups import nightly, render, repository
    from scripts.core.quiet import QuietReporter

    session = open_to_change(c)
    files = session.path(plain), session.path(zip)
    request = repository.BackupRequest(
        *files, notify, forget=prune, new_repository=new_repository, database=database
    )
    if schedule or unschedule:
        line = nightly.plan(session.stack, request, on=schedule, off=unschedule)
        session.console.show({"result": line}, [line], as_json=json)
    else:
        made = repository.create(session.stack, QuietReporter(session.console), request)
        render.show_made(session.console, made, as_json=json)


@command({"json": JSON}, name="list")
def backup_list(c: Context, json: bool = False) -> None:
    """List the complete backups, the oldest first, and which moments can be restored."""
    from scripts.backups import archive, render, repository

    session = open_to_change(c)
    found = repository.listed(session.stack, session.console)
    lines = [*render.table(found).lines, *archive.summary(session.stack)]
    session.console.show(render.as_json(found), lines, as_json=json)


@command(
    {"id": "Which backup; a unique beginning of its name is enough.", "json": JSON},
    name="show",
    positional=("id",),
)
def backup_show(c: Context, id: str = "latest", json: bool = False) -> None:
    """Show the manifest of a backup: versions, modules, rows, files."""
    from scripts.backups import render, repository

    session = open_to_change(c)
    manifest = repository.show(session.stack, session.console, id)
    value, lines = render.manifest_as_json(manifest), render.details(manifest)
    session.console.show(value, lines, as_json=json)


@command({"json": JSON}, name="archive")
def backup_archive(c: Context, json: bool = False) -> None:
    """Show which moments can be restored, and how far continuous archiving is."""
    from scripts.backups import archive

    session = open_to_change(c)
    found = archive.status(session.stack)
    session.console.show(found, archive.lines(found), as_json=json)


@command({"data": "Read every byte of the repository, too.", "json": JSON}, name="check")
def backup_check(c: Context, data: bool = False, json: bool = False) -> None:
    """Check that the repository is whole."""
    from scripts.backups import repository

    session = open_to_change(c)
    count, bases = repository.check(session.stack, session.console, data=data)
    more = f", and {bases} base backups of the continuous archive" if bases else ""
    line = f"The repository is whole; it holds {count} backups{more}"
    session.console.show({"backups": count, "bases": bases}, [line], as_json=json)


@command(
    {
        "keep": "The last one of so many days, weeks, months, years; if empty, BACKUP_KEEP.",
        "dry_run": "Only show which would go.",
        "json": JSON,
    },
    name="prune",
)
def backup_prune(c: Context, keep: str = "", dry_run: bool = False, json: bool = False) -> None:
    """Forget old backups, never the last one, and free their room."""
    from scripts.backups import render, repository

    session = open_to_change(c)
    stack, rule = session.stack, keep or session.settings.backup_keep
    gone = repository.prune(stack, session.console, rule, rehearse=dry_run)
    total = f"{len(gone)} would be forgotten" if dry_run else f"{len(gone)} forgotten"
    lines = [*render.table(gone).lines, total]
    session.console.show(render.as_json(gone), lines, as_json=json)


@command(
    {"id": "Which backup; a unique beginning of its name is enough.", "json": JSON},
    name="verify",
    positional=("id",),
)
def backup_verify(c: Context, id: str = "latest", json: bool = False) -> None:
    """Restore a backup beside everything, start Odoo on it, log in, compare; then drop it."""
    from scripts.backups import verified, verify
    from scripts.core.quiet import QuietReporter

    session = open_to_change(c)
    stack, quiet = session.stack, QuietReporter(session.console)
    record = verify.verify(stack, quiet, id)
    session.console.show(record, [record.line], as_json=json)
    verified.warn(record)


@command(name="key")
def backup_key(c: Context) -> None:
    """Print the key of the repository, to be kept somewhere else."""
    from scripts.backups import state

    session = open_session(c)
    session.console.say(state.key(session.settings))


@command(
    {
        "database": "The database whose files are meant; if empty, the platform's own.",
        "data": "Read every file, too.",
        "json": JSON,
    },
    name="check",
)
def files_check(c: Context, database: str = "", data: bool = False, json: bool = False) -> None:
    """List attachments without their file, and files without an attachment; change nothing."""
    from scripts.backups import attachments

    session = open_to_change(c)
    found = attachments.check(session.stack, session.console, database, data=data)
    session.console.show(found, found.lines, as_json=json)
    with of_what_was_reported():
        attachments.require_all(found)


COLLECTION = Collection(
    "backup",
    backup_create,
    backup_list,
    backup_show,
    backup_archive,
    backup_check,
    backup_prune,
    backup_verify,
    backup_key,
)
FILES = Collection("files", files_check)
