"""A backup every night, by a timer of the system's."""

from typing import Final

from scripts.backups import state
from scripts.backups.repository import BackupRequest
from scripts.core import env_file, notification, scheduler
from scripts.core.errors import OpsError, UsageError
from scripts.core.scheduled_job import BACKUP, ScheduledJob
from scripts.core.settings import Settings
from scripts.stack.compose import Stack

_HOURS: Final = (2,)


def job(settings: Settings) -> ScheduledJob:
    """What `--schedule` installs."""
    return ScheduledJob(
        name=f"{settings.project}-{BACKUP}",
        description="Back up ipai-platform",
        argv=(str(settings.root / "scripts" / "inv"), "backup", "--prune"),
        folder=settings.root,
        hours=_HOURS,
    )


def plan(stack: Stack, request: BackupRequest, *, on: bool, off: bool = False) -> str:
    """Have a backup made every night, or no longer; returns a line for people.

    Raises OpsError as long as nobody has seen the key: nights of backups that burn
    together with their only key would be worse than none, for somebody relies on them.
    """
    if on and off:
        raise UsageError("--schedule and --unschedule exclude each other")
    if request.plain or request.zipped or request.new_repository or request.database:
        raise UsageError("only --notify goes with --schedule and --unschedule")
    if on and not state.key_was_shown(stack.settings):
        raise OpsError("nobody has taken the key of the backups elsewhere yet", state.KEY_HINT)
    if request.tell:  # an address may hold a token, and a command line is no place for it
        notification.parse(request.tell, "--notify")
        env_file.remember(stack.settings.env_file, {"BACKUP_NOTIFY": request.tell})
    if on:
        return f"Backup: {scheduler.install(job(stack.settings), stack.runner)}"
    there = scheduler.remove(job(stack.settings).name, stack.runner)
    return "Backup: no longer scheduled" if there else "Backup: was not scheduled"
