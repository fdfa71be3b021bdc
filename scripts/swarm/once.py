"""Services whose task runs once and ends with an answer: backup, restore, recovery."""

import json
import shlex
import time
from collections.abc import Mapping
from typing import Any, Final, TypeVar

from scripts.backups import service
from scripts.core.completed import Completed
from scripts.core.errors import OpsError
from scripts.core.report import Reporter
from scripts.stack import oneoff
from scripts.stack.compose import Stack
from scripts.swarm import deploy
from toolbox.contract.messages import NOTE

T = TypeVar("T")

_ENDED: Final = ("complete", "failed", "rejected", "shutdown", "orphaned", "remove")
_MOST_SECONDS: Final = 24 * 3600.0
_PLACING_SECONDS: Final = 120.0  # until there is a place for it
_POLL_SECONDS: Final = 1.0


def ask(stack: Stack, reporter: Reporter, name: str, *words: str, kind: type[T]) -> T:
    """The answer, a record of `kind`, of a task of the service `name` with the arguments `words`.

    Raises OpsError with the task's reason if it fails, and where no node takes it. However this
    ends, the task has ended.
    """
    found = {one.name: one for one in deploy.deployed(stack)}
    if name not in found:
        raise OpsError(
            f"the stack has no service {name}: it was deployed by an earlier version",
            "Run: inv swarm.deploy",
        )
    number = found[name].id
    known = {task["ID"] for task in tasks(stack, number)}
    try:
        _update(stack, number, f"--args={shlex.join(words)}", replicas=1)
        done = _output(stack, name, _await(stack, name, number, known))
    finally:
        _update(stack, number, replicas=0)
    for line in done.stderr.splitlines():
        if line.startswith(NOTE):
            reporter.note(line)
    if not done.ok:
        raise service.failure(done)
    return oneoff.answer(kind, done.stdout.strip().splitlines()[-1])


def tasks(stack: Stack, number: str) -> list[dict[str, Any]]:
    """Those of the service with the id `number`, as `docker inspect` tells of them."""
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


def ended(task: Mapping[str, Any]) -> bool:
    """Whether nothing of it runs."""
    return task["Status"]["State"] in _ENDED


def _update(stack: Stack, number: str, *options: str, replicas: int) -> None:
    words = ["--detach", "--quiet", f"--replicas={replicas}", *options, number]
    argv = ["docker", "service", "update", "--force", *words]
    stack.runner.run(argv, timeout=60, changes=True)


def _await(stack: Stack, name: str, number: str, known: set[str]) -> Mapping[str, Any]:
    """The new task of the service, which has ended."""
    begun = time.monotonic()
    while time.monotonic() - begun < _MOST_SECONDS:
        new = [task for task in tasks(stack, number) if task["ID"] not in known]
        for task in new:
            if ended(task):
                return task
            status, waited = task["Status"], time.monotonic() - begun
            if status["State"] == "pending" and waited > _PLACING_SECONDS:
                why = status.get("Err") or "no node takes it"
                raise OpsError(f"the task of {name} gets no place: {why}", "inv swarm.status")
        time.sleep(_POLL_SECONDS)
    raise OpsError(f"the task of {name} does not end within {_MOST_SECONDS / 3600:.0f} h")


def _output(stack: Stack, name: str, task: Mapping[str, Any]) -> Completed:
    """What the task has printed, with its exit code."""
    argv = ["docker", "service", "logs", "--raw", task["ID"]]
    printed = stack.runner.run(argv, timeout=120, check=False)
    status = task["Status"]
    code = (status.get("ContainerStatus") or {}).get("ExitCode", 1)
    if status["State"] != "complete" and not printed.stderr.strip():
        raise OpsError(f"the task of {name} failed: {status.get('Err', status['State'])}")
    return Completed(tuple(argv), code, printed.stdout, printed.stderr)
