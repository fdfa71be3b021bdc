"""The repository: backups made, listed, checked and forgotten."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.backups import archive, attachments, configuration, notify, retention, service, state
from scripts.backups.retention import Backup
from scripts.core import known_names, last_backup, notification
from scripts.core.errors import UsageError
from scripts.core.files import file_lock
from scripts.core.report import Reporter
from scripts.core.settings import RULE, Settings
from scripts.stack import archiver, database_names
from scripts.stack.compose import Stack
from toolbox.contract.archive import ArchiveCheck
from toolbox.contract.backups import CheckResult, CreatedBackup, ShownBackup, StoredBackup
from toolbox.contract.names import DATABASE_NAME


def lock(settings: Settings) -> Path:
    """Held by whatever works on backups; two never run at once."""
    return settings.state_folder / "backup.lock"


@dataclass(frozen=True)
class BackupRequest:
    """What `inv backup` was asked for."""

    plain: str = ""  # a file for a readable SQL dump
    zipped: str = ""  # a file that Odoo's database manager restores
    tell: str = ""  # addresses that hear the outcome; BACKUP_NOTIFY if empty
    forget: bool = False  # old ones go afterwards, as BACKUP_KEEP says
    new_repository: bool = False  # a repository that was there once need not be there again
    database: str = ""  # the platform's own if empty


def create(stack: Stack, reporter: Reporter, request: BackupRequest) -> CreatedBackup:
    """Make a backup, and files of it if asked; its manifest, which may name lost attachments."""
    given = notification.parse(request.tell, "--notify")
    with notify.outcome(given or stack.settings.alarms.backup, stack.settings.project) as told:
        targets = _targets(request)
        if request.database and not re.fullmatch(DATABASE_NAME, request.database):
            hint = "Small letters, digits and _, at most 50. See: inv db.list"
            raise UsageError(f"{request.database!r} is not the name of a database", hint)
        with file_lock(lock(stack.settings), "backup"):
            service.prepare(stack, reporter)
            database_names.require(stack, request.database)
            with reporter.step("Making a backup"):
                own = ["--database", request.database] if request.database else []
                manifest = make(stack, reporter, *own, new_repository=request.new_repository)
            if request.new_repository:
                archiver.restart(stack)
            for flag, path in targets.items():
                _export(stack, reporter, manifest.id, flag, path)
        told["id"] = manifest.id
        if said := attachments.warning(manifest):
            told |= {"status": "warning", "message": said}
        if request.forget:
            prune(stack, reporter, stack.settings.backup_keep, rehearse=False)
    if not state.key_was_shown(stack.settings):
        reporter.note(f"Without its key nobody can read a backup. {state.KEY_HINT}")
    return manifest


def make(
    stack: Stack, reporter: Reporter, *options: str, new_repository: bool = False
) -> CreatedBackup:
    """Have the container make one; where there was a repository before, there has to be one."""
    seen = state.repository_was_seen(stack.settings) and not new_repository
    command = ["create", *(["--existing"] if seen else []), *options, "--configuration"]
    # By standard input: a setting may hold a token, and a command line is no place for it.
    given = json.dumps(configuration.collect(stack, reporter))
    manifest = service.ask(stack, reporter, service.MAKE, *command, kind=CreatedBackup, stdin=given)
    state.remember_repository(stack.settings)
    known_names.add(stack.settings, known_names.BACKUPS, manifest.id)
    if manifest.database == stack.settings.database:
        last_backup.remember(stack.settings, manifest.id, len(manifest.files.lost))
    return manifest


def _targets(request: BackupRequest) -> dict[str, Path]:
    given = [("--plain", request.plain), ("--zip", request.zipped)]
    targets = {flag: Path(name).expanduser().resolve() for flag, name in given if name}
    for path in targets.values():
        if not path.parent.is_dir():
            raise UsageError(f"{path} cannot be written: its folder must exist")
        if path.exists() and not path.is_file():
            raise UsageError(f"{path} is no file: what is there is not replaced")
        service.validate_mount_path(path.parent)
    if len(set(targets.values())) < len(targets):
        raise UsageError("--plain and --zip name the same file")
    return targets


def _export(stack: Stack, reporter: Reporter, name: str, flag: str, path: Path) -> None:
    with reporter.step(f"Writing {path}"):
        command = ["export", name, flag, f"/out/{path.name}"]
        mounts = {path.parent: "/out"}
        service.run(stack, reporter, service.MAKE, *command, mounts=mounts)


def listed(stack: Stack, reporter: Reporter) -> list[Backup]:
    """All complete backups, the oldest first."""
    service.prepare(stack, reporter)
    stored = service.ask(stack, reporter, service.MAKE, "list", kind=list[StoredBackup])
    return remembered(stack.settings, stored)


def remembered(settings: Settings, stored: Sequence[StoredBackup]) -> list[Backup]:
    """Those that the repository lists, of which the completion of command lines knows then."""
    found = [retention.backup(known) for known in stored]
    _remember(settings, found)
    return found


def _remember(settings: Settings, backups: Sequence[Backup]) -> None:
    """For the completion of command lines."""
    known_names.remember(settings, known_names.BACKUPS, (b.id for b in backups))


def show(stack: Stack, reporter: Reporter, name: str) -> ShownBackup:
    """The manifest of one backup."""
    service.prepare(stack, reporter)
    return service.ask(stack, reporter, service.MAKE, "show", name, kind=ShownBackup)


def check(stack: Stack, reporter: Reporter, *, data: bool) -> tuple[int, int]:
    """How many backups and base backups there are; with `data` every byte of them is read.

    Raises OpsError where the repository or the continuous archive is not whole.
    """
    with file_lock(lock(stack.settings), "backup.check"):
        service.prepare(stack, reporter)
        with reporter.step("Checking the repository"):
            command = ["check", *(["--data"] if data else [])]
            found = service.ask(stack, reporter, service.MAKE, *command, kind=CheckResult)
        if not stack.settings.archive.wanted or not archive.status(stack):
            return found.backups, 0
        with reporter.step("Checking the continuous archive"):
            other = service.ask(stack, reporter, service.RECOVERY, *command, kind=ArchiveCheck)
        return found.backups, other.bases


def prune(stack: Stack, reporter: Reporter, rule: str, *, rehearse: bool) -> list[Backup]:
    """Forget the backups that `rule` does not keep, and free their room."""
    if not re.fullmatch(RULE, rule):
        raise UsageError(f"--keep {rule!r} is no rule", "For example: --keep 7d,5w,12m")
    with file_lock(lock(stack.settings), "backup.prune"):
        known = listed(stack, reporter)
        doomed = retention.expired(known, rule)
        if not rehearse:
            with reporter.step(f"Forgetting {len(doomed)} backups"):
                names = [backup.id for backup in doomed]
                service.run(stack, reporter, service.MAKE, "forget", *names)
            _remember(stack.settings, [backup for backup in known if backup not in doomed])
        return doomed
