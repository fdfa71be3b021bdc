"""A backup by a task of its own, on the node that has the database."""

import json
import time
from collections.abc import Mapping
from typing import Any, Final

from scripts.backups import service, state
from scripts.core import known_names, last_backup
from scripts.core.completed import Completed
from scripts.core.errors import OpsError, UsageError
from scripts.core.files import file_lock
from scripts.core.report import Reporter
from scripts.stack import oneoff
from scripts.stack.compose import Stack
from scripts.swarm import deploy, nodes
from toolbox.contract.backups import CreatedBackup

_SERVICE: Final = "backup"
_ENDED: Final = ("complete", "failed", "rejected", "shutdown", "orphaned", "remove")
_MOST_SECONDS: Final = 24 * 3600.0
_PLACING_SECONDS: Final = 120.0  # until there is a place for it
_POLL_SECONDS: Final = 1.0


def create(stack: Stack, reporter: Reporter) -> CreatedBackup:
    """Make a backup in the repository of `.env`; raises OpsError with the task's reason."""
    nodes.require_manager(stack.runner)
    if stack.runner.dry:
        raise UsageError("a backup cannot be shown without making it", "Leave out --dry.")
    found = {one.name: one for one in deploy.deployed(stack)}
    number = found[_SERVICE].id
    # Where there was a repository before, there has to be one.
    existing = ["--existing"] if state.repository_was_seen(stack.settings) else []
    with file_lock(stack.settings.state_folder / "backup.lock", "backup"):
        known = {task["ID"] for task in _tasks(stack, number)}
        try:
            with reporter.step("Making a backup"):
                _update(stack, number, f"--args={' '.join(['create', *existing])}", replicas=1)
                task = _await(stack, number, known)
                done = _output(stack, task)
        finally:
            _update(stack, number, replicas=0)
    if not done.ok:
        raise service.failure(done)
    made = oneoff.answer(CreatedBackup, done.stdout.strip().splitlines()[-1])
    state.remember_repository(stack.settings)
    known_names.add(stack.settings, known_names.BACKUPS, made.id)
    last_backup.remember(stack.settings, made.id, len(made.files.lost))
    return made


def _update(stack: Stack, number: str, *options: str, replicas: int) -> None:
    words = ["--detach", "--quiet", f"--replicas={replicas}", *options, number]
    argv = ["docker", "service", "update", "--force", *words]
    stack.runner.run(argv, timeout=60, changes=True)


def _tasks(stack: Stack, number: str) -> list[dict[str, Any]]:
    listing = ["docker", "service", "ps", "--quiet", "--no-trunc", number]
    ids = stack.runner.run(listing, timeout=60).stdout.split()
    if not ids:
        return []
    inspect = ["docker", "inspect", "--type", "task", *ids]
    # One that is removed meanwhile makes it fail, and is none any more.
    found: list[dict[str, Any]] = json.loads(
        stack.runner.run(inspect, timeout=60, check=False).stdout or "[]"
    )
    return found


def _await(stack: Stack, number: str, known: set[str]) -> Mapping[str, Any]:
    """The new task of the service, which has ended."""
    begun = time.monotonic()
    while time.monotonic() - begun < _MOST_SECONDS:
        new = [task for task in _tasks(stack, number) if task["ID"] not in known]
        for task in new:
            status = task["Status"]
            if status["State"] in _ENDED:
                return task
            waited = time.monotonic() - begun
            if status["State"] == "pending" and waited > _PLACING_SECONDS:
                why = status.get("Err") or "no node takes it"
                raise OpsError(f"the backup gets no place: {why}", "inv swarm.status")
        time.sleep(_POLL_SECONDS)
    raise OpsError(f"the backup does not end within {_MOST_SECONDS / 3600:.0f} h")


def _output(stack: Stack, task: Mapping[str, Any]) -> Completed:
    """What the task has printed, with its exit code."""
    argv = ["docker", "service", "logs", "--raw", task["ID"]]
    printed = stack.runner.run(argv, timeout=120, check=False)
    status = task["Status"]
    code = (status.get("ContainerStatus") or {}).get("ExitCode", 1)
    if status["State"] != "complete" and not printed.stderr.strip():
        raise OpsError(f"the task of the backup failed: {status.get('Err', status['State'])}")
    return Completed(tuple(argv), code, printed.stdout, printed.stderr)
