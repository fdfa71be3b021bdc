"""A backup by a task of its own, on the node that has the database."""

from typing import Final

from scripts.backups import repository, state
from scripts.backups.retention import Backup
from scripts.core import known_names, last_backup
from scripts.core.errors import UsageError
from scripts.core.files import file_lock
from scripts.core.report import Reporter
from scripts.stack.compose import Stack
from scripts.swarm import nodes, once
from toolbox.contract.backups import CreatedBackup, StoredBackup

_SERVICE: Final = "backup"


def create(stack: Stack, reporter: Reporter) -> CreatedBackup:
    """Make a backup in the repository of `.env`; raises OpsError with the task's reason."""
    nodes.require_manager(stack.runner)
    if stack.runner.dry:
        raise UsageError("a backup cannot be shown without making it", "Leave out --dry.")
    # Where there was a repository before, there has to be one.
    existing = ["--existing"] if state.repository_was_seen(stack.settings) else []
    with (
        file_lock(repository.lock(stack.settings), "backup"),
        reporter.step("Making a backup"),
    ):
        made = once.ask(stack, reporter, _SERVICE, "create", *existing, kind=CreatedBackup)
    state.remember_repository(stack.settings)
    known_names.add(stack.settings, known_names.BACKUPS, made.id)
    last_backup.remember(stack.settings, made.id, len(made.files.lost))
    return made


def listed(stack: Stack, reporter: Reporter) -> list[Backup]:
    """All complete backups, the oldest first; raises OpsError with the task's reason."""
    nodes.require_manager(stack.runner)
    if stack.runner.dry:
        raise UsageError("backups cannot be listed without asking a task", "Leave out --dry.")
    with file_lock(repository.lock(stack.settings), "backup"):
        stored = once.ask(stack, reporter, _SERVICE, "list", kind=list[StoredBackup])
    return repository.remembered(stack.settings, stored)
