"""The containers that make, read and restore backups, and how they are asked."""

import hashlib
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Final, TypeVar

from scripts.backups.state import KEY_FILE
from scripts.core import interrupted_rotation
from scripts.core.completed import Completed
from scripts.core.errors import OpsError, UsageError
from scripts.core.report import Reporter
from scripts.core.settings import Settings
from scripts.stack import backup_folders, engine, image_names, images, oneoff, readiness
from scripts.stack.compose import Stack
from toolbox.contract.backups import OdooInfo
from toolbox.contract.messages import NOTE

T = TypeVar("T")

MAKE: Final = "backup"
RESTORE: Final = "restore"
RECOVERY: Final = "recovery"
_MACHINE: Final = Path("/etc/machine-id")
_BACKUP_TIMEOUT: Final = 24 * 3600.0
_NO_DATABASE_OF_ODOO: Final = "postgres"


def prepare(stack: Stack, reporter: Reporter) -> None:
    """Image, key and folders; raises OpsError for what can be known to fail."""
    settings = stack.settings
    interrupted_rotation.require_finished(settings)
    if stack.runner.dry:
        raise UsageError("backups cannot be rehearsed", "`inv backup.list` changes nothing.")
    key = settings.secrets_folder / KEY_FILE
    if not key.is_file() or not key.stat().st_size:
        raise OpsError(f"secrets/{KEY_FILE} does not exist", "Run: inv secrets")
    backup_folders.make(settings)
    if not images.has_backup_image(stack):
        engine.probe(stack.runner)  # one that does not answer has no image of anything
        images.ensure(stack, reporter, image_names.BACKUP)


def ask(
    stack: Stack,
    reporter: Reporter,
    service: str,
    *command: str,
    kind: type[T],
    mounts: Mapping[Path, str] | None = None,
    stdin: str | None = None,
) -> T:
    """The program's answer, a record of `kind`; raises OpsError with its reason if it fails."""
    printed = run(stack, reporter, service, *command, mounts=mounts, stdin=stdin)
    return oneoff.answer(kind, printed.splitlines()[-1])


def run(
    stack: Stack,
    reporter: Reporter,
    service: str,
    *command: str,
    mounts: Mapping[Path, str] | None = None,
    stdin: str | None = None,
) -> str:
    """What the program prints; raises OpsError with its reason if it fails."""
    if stack.settings.backups_elsewhere and service in (MAKE, RESTORE, RECOVERY):
        service += "_offsite"
    given = _environment(stack.settings)
    done = oneoff.run(
        stack,
        service,
        *command,
        mounts=mounts,
        env=given,
        stdin=stdin,
        timeout=_BACKUP_TIMEOUT,
        reporter=reporter,
    )
    for line in done.stderr.splitlines():
        if line.startswith(NOTE):
            reporter.note(line)
    if not done.ok:
        raise failure(done)
    return done.stdout


def try_to_discard(stack: Stack, reporter: Reporter, *command: str, service: str = RESTORE) -> None:
    """Take away what a failure left; that failure is the one to tell, whatever comes of it."""
    try:
        run(stack, reporter, service, "discard", *command)
    except OpsError as error:
        reporter.note(f"{command[0]} is left behind until the next restore: {error.message}")


def run_odoo(
    stack: Stack,
    database: str,
    *command: str,
    variables: Mapping[str, str] | None = None,
    stdin: str | None = None,
) -> Completed:
    """Run `command` in an Odoo of its own, without any way out, on `database`."""
    own = {"ODOO_DATABASE": database, **(variables or {})}
    given = _environment(stack.settings)
    return oneoff.run(
        stack,
        "odoo_drill",
        *command,
        variables=own,
        env=given,
        stdin=stdin,
        timeout=_BACKUP_TIMEOUT,
    )


def odoo_here(stack: Stack) -> OdooInfo:
    """Version and modules of the Odoo that would run on a restored database.

    Asked beside any database: the live one may be of another version, and about to be replaced.
    """
    done = run_odoo(stack, _NO_DATABASE_OF_ODOO, "python3", "-P", "-m", "toolbox.backup.odoo_info")
    if not done.ok:
        raise OpsError(f"Odoo does not tell its version: {done.last_line}", "See: inv images")
    return oneoff.answer(OdooInfo, done.stdout.splitlines()[-1])


def _environment(settings: Settings) -> dict[str, str]:
    return {"BACKUP_FOLDER": str(settings.backup_folder), "BACKUP_HOST": installation(settings)}


def installation(settings: Settings) -> str:
    """The name of this installation among those that may share a repository.

    A copy of `.env` on another machine has another one: two that believed to be one would
    take away each other's locks.
    """
    known = _MACHINE.read_text() if _MACHINE.is_file() else socket.gethostname()
    return f"{settings.project}-{hashlib.sha256(known.encode()).hexdigest()[:8]}"


def failure(done: Completed) -> OpsError:
    """The reason that a container of ours gave, for people."""
    return oneoff.failure(done, "backups", "BACKUP_MEMORY")


def start_database(stack: Stack) -> None:
    """Start PostgreSQL, which is all that a restore needs of the platform."""
    readiness.ensure_running(stack, "odoo_db")


def validate_mount_path(path: Path) -> None:
    """Compose's `--volume` takes the first colon for its own."""
    if ":" in str(path):
        raise UsageError(f"{path} has a colon in its name", "Choose another folder.")
