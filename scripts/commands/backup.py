"""Backups, and the way back."""

from dataclasses import asdict

from invoke.collection import Collection
from invoke.context import Context

from scripts.backups import cli as backups
from scripts.backups import configuration as saved
from scripts.backups import memory, restore, verify
from scripts.commands.flags import JSON, YES
from scripts.commands.opening import open_to_change
from scripts.core.tasklib import Session, command, open_session
from scripts.stack.compose import Stack


@command({"plain": "Also write a readable SQL dump into this file.",
          "zip": "Also write what Odoo's database manager restores into this file.",
          "prune": "Afterwards forget what BACKUP_KEEP does not keep; with --schedule always.",
          "new_repository": "Begin a new one where the old one is not there any more.",
          "notify": "POST the outcome to this address; with --schedule always (BACKUP_NOTIFY).",
          "schedule": "Make one every night by a systemd timer, or by cron, from now on.",
          "unschedule": "Remove that timer.", "json": JSON},
         name="create", default=True)  # fmt: skip
def backup_create(
    c: Context, plain: str = "", zip: str = "", prune: bool = False, notify: str = "",
    new_repository: bool = False,
    schedule: bool = False, unschedule: bool = False, json: bool = False,
) -> None:  # fmt: skip
    """Back up database and files of one moment into the repository."""
    session = open_to_change(c)
    stack, quiet = Stack(session.settings, session.runner), backups.Quiet(session.console)
    wish = backups.Wish(plain, zip, notify, forget=prune, anew=new_repository)
    if schedule or unschedule:
        return session.console.say(backups.plan(stack, wish, on=schedule))
    made = backups.create(stack, quiet, wish)
    return backups.show_made(session.console, made, as_json=json)


@command({"json": JSON}, name="list")
def backup_list(c: Context, json: bool = False) -> None:
    """List the complete backups, the oldest first."""
    session = open_to_change(c)
    found = backups.listed(Stack(session.settings, session.runner), session.console)
    if json:
        session.console.json(backups.as_json(found))
    else:
        session.console.table(backups.HEADER, backups.rows(found))


@command({"id": "Which backup; a unique beginning of its name is enough.", "json": JSON},
         name="show", positional=("id",))  # fmt: skip
def backup_show(c: Context, id: str = "latest", json: bool = False) -> None:
    """Show the manifest of a backup: versions, modules, rows, files."""
    session = open_to_change(c)
    manifest = backups.show(Stack(session.settings, session.runner), session.console, id)
    if json:
        session.console.json(manifest)
    else:
        session.console.say("\n".join(backups.details(manifest)))


@command({"data": "Read every byte of the repository, too."}, name="check")
def backup_check(c: Context, data: bool = False) -> None:
    """Check that the repository is whole."""
    session = open_to_change(c)
    count = backups.check(Stack(session.settings, session.runner), session.console, data=data)
    session.console.say(f"The repository is whole; it holds {count} backups")


@command({"keep": "The last one of so many days, weeks, months, years; if empty, BACKUP_KEEP.",
          "dry_run": "Only show which would go.", "json": JSON}, name="prune")  # fmt: skip
def backup_prune(c: Context, keep: str = "", dry_run: bool = False, json: bool = False) -> None:
    """Forget old backups, never the last one, and free their room."""
    session = open_to_change(c)
    stack, rule = Stack(session.settings, session.runner), keep or session.settings.backup_keep
    gone = backups.prune(stack, session.console, rule, rehearse=dry_run)
    if json:
        return session.console.json(backups.as_json(gone))
    session.console.table(backups.HEADER, backups.rows(gone))
    return session.console.say(f"{len(gone)} {'would be ' if dry_run else ''}forgotten")


@command({"id": "Which backup; a unique beginning of its name is enough.", "json": JSON},
         name="verify", positional=("id",))  # fmt: skip
def backup_verify(c: Context, id: str = "latest", json: bool = False) -> None:
    """Restore a backup beside everything, start Odoo on it, log in, compare; then drop it."""
    session = open_to_change(c)
    stack, quiet = Stack(session.settings, session.runner), backups.Quiet(session.console)
    certificate = verify.verify(stack, quiet, id)
    if json:
        session.console.json(asdict(certificate))
    else:
        session.console.say(certificate.line)


@command(name="key")
def backup_key(c: Context) -> None:
    """Print the key of the repository, to be kept somewhere else."""
    session = open_session(c)
    session.console.say(memory.key(session.settings))


@command({"source": "A backup, latest, or a file: a zip of Odoo's or a dump of pg_dump's.",
          "to_database": "Another database than the platform's own.",
          "from_database": "Which one of a file that holds several.",
          "neutralize": "Disarm mail servers, payments and scheduled actions first.",
          "undo": "Go back to what the last restore replaced.",
          "configuration": "Show how .env, requirements and odoo.conf were, and write them; asks.",
          "yes": YES},
         name="restore", positional=("source",))  # fmt: skip
def restore_task(
    c: Context, source: str = "latest", to_database: str = "", from_database: str = "",
    neutralize: bool = False, undo: bool = False, configuration: bool = False, yes: bool = False,
) -> None:  # fmt: skip
    """Bring a backup back; verified before anything live is touched; asks."""
    session = open_to_change(c, yes=yes)
    stack = Stack(session.settings, session.runner)
    if configuration:
        return _restore_configuration(session, stack, source)
    if undo:
        restore.refuse_with_undo(source, neutralize=neutralize)
        done = restore.undo(stack, session.console, to_database)
    else:
        done = restore.restore(stack, session.console, source, to_database, neutralize=neutralize,
                               of=from_database)  # fmt: skip
    return session.console.say("\n".join(done.lines))


def _restore_configuration(session: Session, stack: Stack, source: str) -> None:
    found = saved.compare(stack, session.console, source)
    session.console.say("\n".join(found.lines))
    written = saved.write(session.settings, session.console, found)
    session.console.say("\n".join(written))


@command({"from_": "The database to copy; if empty, the platform's own.",
          "to": "The name of the copy.", "yes": YES})  # fmt: skip
def clone(c: Context, from_: str = "", to: str = "staging", yes: bool = False) -> None:
    """Copy a database, neutralised and scanned for what could still reach somebody."""
    session = open_to_change(c, yes=yes)
    stack = Stack(session.settings, session.runner)
    done = restore.clone(stack, session.console, from_, to)
    session.console.say("\n".join(done.lines))


ROOM = Collection(
    "backup", backup_create, backup_list, backup_show, backup_check, backup_prune,
    backup_verify, backup_key,
)  # fmt: skip
TASKS = (restore_task, clone)
