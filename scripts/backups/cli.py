"""What `inv backup` and its sisters do, and what they say at the end."""

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from scripts.backups import attachments, configuration, notify, retention, service, state
from scripts.backups.retention import Backup
from scripts.core import last_backup, scheduler
from scripts.core.console import Console
from scripts.core.errors import OpsError, UsageError
from scripts.core.files import file_lock
from scripts.core.report import Reporter
from scripts.core.scheduled_job import BACKUP, ScheduledJob
from scripts.core.settings import RULE, Settings, remember
from scripts.stack.compose import Stack
from toolbox.contract.backups import (
    CheckResult,
    CreatedBackup,
    Manifest,
    ShownBackup,
    StoredBackup,
)

HEADER: Final = ("id", "time", "database", "Odoo", "files", "size", "added", "")
_HOURS: Final = (2,)


@dataclass(frozen=True)
class Quiet:
    """Progress for a terminal, and nothing but warnings for cron, whose mail nobody reads."""

    console: Console

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """See Reporter.step."""
        if not self.console.live:
            yield
            return
        with self.console.step(title):
            yield

    def note(self, text: str) -> None:
        """See Reporter.note."""
        self.console.note(text)

    def confirm(self, question: str, *, unattended: bool) -> bool:
        """See Reporter.confirm."""
        return self.console.confirm(question, unattended=unattended)


def lock(settings: Settings) -> Path:
    """Held by whatever works on backups; two never run at once."""
    return settings.state_folder / "backup.lock"


@dataclass(frozen=True)
class BackupRequest:
    """What `inv backup` was asked for."""

    plain: str = ""  # a file for a readable SQL dump
    zipped: str = ""  # a file that Odoo's database manager restores
    tell: str = ""  # an address that hears the outcome; BACKUP_NOTIFY if empty
    forget: bool = False  # old ones go afterwards, as BACKUP_KEEP says
    new_repository: bool = False  # a repository that was there once need not be there again


def create(stack: Stack, reporter: Reporter, request: BackupRequest) -> CreatedBackup:
    """Make a backup, and files of it if asked; its manifest, which may name lost attachments."""
    target = request.tell or stack.settings.backup_notify
    with notify.outcome(target, stack.settings.project) as told:
        targets = _targets(request)
        with file_lock(lock(stack.settings), "backup"):
            service.prepare(stack, reporter)
            with reporter.step("Making a backup"):
                manifest = make(stack, reporter, new_repository=request.new_repository)
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
        service.refuse_colon(path.parent)
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
    return [retention.backup(known) for known in stored]


def show(stack: Stack, reporter: Reporter, name: str) -> ShownBackup:
    """The manifest of one backup."""
    service.prepare(stack, reporter)
    return service.ask(stack, reporter, service.MAKE, "show", name, kind=ShownBackup)


def check(stack: Stack, reporter: Reporter, *, data: bool) -> int:
    """Whether the repository is whole; with `data` every byte of it is read."""
    with file_lock(lock(stack.settings), "backup.check"):
        service.prepare(stack, reporter)
        with reporter.step("Checking the repository"):
            command = ["check", *(["--data"] if data else [])]
            found = service.ask(stack, reporter, service.MAKE, *command, kind=CheckResult)
            return found.backups


def prune(stack: Stack, reporter: Reporter, rule: str, *, rehearse: bool) -> list[Backup]:
    """Forget the backups that `rule` does not keep, and free their room."""
    if not re.fullmatch(RULE, rule):
        raise UsageError(f"--keep {rule!r} is no rule", "For example: --keep 7d,5w,12m")
    with file_lock(lock(stack.settings), "backup.prune"):
        doomed = retention.expired(listed(stack, reporter), rule)
        if not rehearse:
            with reporter.step(f"Forgetting {len(doomed)} backups"):
                names = [backup.id for backup in doomed]
                service.run(stack, reporter, service.MAKE, "forget", *names)
        return doomed


def rows(backups: Sequence[Backup]) -> list[list[str]]:
    """A row for each, sizes in MB."""
    return [
        [b.id, f"{b.time:%Y-%m-%d %H:%M}", b.database, b.odoo, str(b.files), mb(b.bytes),
         mb(b.added), _remark(b)]
        for b in backups
    ]  # fmt: skip


def _remark(backup: Backup) -> str:
    if not backup.restorable:
        return "cannot be restored"
    return f"without {backup.lost} files" if backup.lost else ""


def as_json(backups: Sequence[Backup]) -> list[dict[str, Any]]:
    """For machines."""
    return [{**asdict(b), "time": b.time.isoformat()} for b in backups]


def mb(count: int) -> str:
    """Bytes for people."""
    return f"{count / 1e6:.1f} MB"


def job(settings: Settings) -> ScheduledJob:
    """What `--schedule` installs."""
    return ScheduledJob(
        name=f"{settings.project}-{BACKUP}",
        description="Back up ipai-platform",
        argv=(str(settings.root / "scripts" / "inv"), "backup", "--prune"),
        folder=settings.root,
        hours=_HOURS,
    )


def plan(stack: Stack, request: BackupRequest, *, on: bool) -> str:
    """Have a backup made every night, or no longer; returns a line for people.

    Raises OpsError as long as nobody has seen the key: nights of backups that burn
    together with their only key would be worse than none, for somebody relies on them.
    """
    if request.plain or request.zipped or request.new_repository:
        raise UsageError("only --notify goes with --schedule and --unschedule")
    if on and not state.key_was_shown(stack.settings):
        raise OpsError("nobody has taken the key of the backups elsewhere yet", state.KEY_HINT)
    if request.tell:  # an address may hold a token, and a command line is no place for it
        notify.refuse_no_address(request.tell)
        remember(stack.settings, {"BACKUP_NOTIFY": request.tell})
    if on:
        return f"Backup: {scheduler.install(job(stack.settings), stack.runner)}"
    there = scheduler.remove(job(stack.settings).name, stack.runner)
    return "Backup: no longer scheduled" if there else "Backup: was not scheduled"


def summary(manifest: Manifest) -> str:
    """One line on a backup that was just made."""
    files = manifest.files
    return (
        f"Backup {manifest.id}: database {mb(manifest.dump.bytes)}, {files.count} files"
        f" {mb(files.bytes)}; {mb(manifest.added_bytes)} added in {manifest.seconds} s"
    )


def show_made(console: Console, made: CreatedBackup, *, as_json: bool) -> None:
    """Say what was made; nothing where nobody watches, as cron wants it.

    Raises WarningError if attachments have no file, or a damaged one.
    """
    if as_json:
        console.json(json_of(made))
    elif console.out.isatty():
        console.say(summary(made))
    attachments.warn(made)


def json_of(manifest: Manifest) -> dict[str, Any]:
    """For machines; without the handle, which only another container wants."""
    found = asdict(manifest)
    found.pop("handle", None)
    return found


def details(manifest: Manifest) -> list[str]:
    """A manifest for people."""
    return [
        f"Backup:     {manifest.id} of {manifest.created}",
        f"Database:   {manifest.database}, Odoo {manifest.odoo}, PostgreSQL {manifest.postgresql}",
        f"Modules:    {len(manifest.modules)}: {', '.join(manifest.modules)}",
        f"Rows:       {sum(manifest.rows.values())} in {len(manifest.rows)} tables",
        f"Files:      {manifest.files.count}, {mb(manifest.files.bytes)}",
        *attachments.details(manifest),
        f"Dump:       {mb(manifest.dump.bytes)} by {manifest.pg_dump}",
        *([f"Restorable: no: {manifest.unrestorable}"] if manifest.unrestorable else []),
        f"Added:      {mb(manifest.added_bytes)} in {manifest.seconds} s,"
        f" {manifest.guarded_seconds} s of it guarded",
    ]
