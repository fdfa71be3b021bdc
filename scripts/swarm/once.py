"""Services whose task runs once and ends with an answer: backup, restore, recovery."""

import json
import shlex
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from scripts.backups import service
from scripts.core.completed import Completed
from scripts.core.errors import OpsError
from scripts.core.report import Reporter
from scripts.stack import oneoff
from scripts.stack.compose import Stack
from scripts.swarm import services
from toolbox.contract.messages import NOTE

T = TypeVar("T")

# What they run where somebody starts them by hand: as in compose.swarm.yaml.
_OWN_WORDS: Final = {"backup": "create", "restore": "databases", "recovery": "archives"}
_ENDED: Final = ("complete", "failed", "rejected", "shutdown", "orphaned", "remove")
_MOST_SECONDS: Final = 24 * 3600.0
_PLACING_SECONDS: Final = 120.0  # until there is a place for it
_LEADERLESS_SECONDS: Final = 120.0  # managers elect another leader within seconds
_LOG_SECONDS: Final = 60.0  # what a task has printed last may come late
_END_SECONDS: Final = 180.0  # three times its stop_grace_period
_POLL_SECONDS: Final = 1.0


def ask(stack: Stack, reporter: Reporter, name: str, *words: str, kind: type[T]) -> T:
    """The answer, a record of `kind`, of a task of the service `name` with the arguments `words`.

    Raises OpsError with the task's reason if it fails, where no node takes it, and where another
    task of these services is at work. However this ends, the task has ended.
    """
    found = {one.name: one for one in services.deployed(stack)}
    if name not in found:
        raise OpsError(
            f"the stack has no service {name}: it was deployed by an earlier version",
            "Run: inv swarm.deploy",
        )
    require_idle(stack)
    number = found[name].id
    known = {task["ID"] for task in tasks(stack, number)}
    try:
        _update(stack, number, words, replicas=1)
        done = _output(stack, name, _await(stack, name, number, known))
    finally:
        _end(stack, reporter, name, number)
    for line in done.stderr.splitlines():
        if line.startswith(NOTE):
            reporter.note(line)
    if not done.ok:
        raise service.failure(done)
    return oneoff.answer(kind, done.stdout.strip().splitlines()[-1])


def require_idle(stack: Stack) -> None:
    """Raises OpsError where a backup or a restore is under way, by whichever manager."""
    for one in services.look(stack):
        if one.name in _OWN_WORDS and any(not ended(task) for task in tasks(stack, one.id)):
            stop = f"docker service scale {stack.settings.project}_{one.name}=0"
            raise OpsError(
                f"a task of the service {one.name} is at work in this swarm",
                f"Wait for its end. If the command that began it is gone: {stop}",
            )


def tasks(stack: Stack, number: str) -> list[dict[str, Any]]:
    """Those of the service with the id `number`, as `docker inspect` tells of them."""
    listing = ["docker", "service", "ps", "--quiet", "--no-trunc", number]
    ids = stack.runner.run(listing, timeout=60).stdout.split()
    if not ids:
        return []
    inspect = ["docker", "inspect", "--type", "task", *ids]
    # One that is removed meanwhile makes it fail, and is none any more.
    found = json.loads(stack.runner.run(inspect, timeout=60, check=False).stdout or "[]")
    return [task for task in found if task["ServiceID"] == number]


def ended(task: Mapping[str, Any]) -> bool:
    """Whether nothing of it runs."""
    return task["Status"]["State"] in _ENDED


def patiently(ask: Callable[[], T], seconds: float = _LEADERLESS_SECONDS) -> T:
    """The answer of `ask`, asked again while Docker fails: a swarm may elect a leader just then.

    Raises the last OpsError after `seconds`.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            return ask()
        except OpsError:
            if time.monotonic() > deadline:
                raise
        time.sleep(_POLL_SECONDS)


def _update(stack: Stack, number: str, words: tuple[str, ...], *, replicas: int) -> None:
    options = ["--detach", "--quiet", f"--replicas={replicas}", f"--args={shlex.join(words)}"]
    argv = ["docker", "service", "update", "--force", *options, number]
    patiently(lambda: stack.runner.run(argv, timeout=60, changes=True))


def _end(stack: Stack, reporter: Reporter, name: str, number: str) -> None:
    """Have the service as it was before; what it has done is not undone by a failure here."""
    try:
        _update(stack, number, (_OWN_WORDS[name],), replicas=0)
        deadline = time.monotonic() + _END_SECONDS
        while left := [one for one in patiently(lambda: tasks(stack, number)) if not ended(one)]:
            if time.monotonic() > deadline:
                raise OpsError(f"{len(left)} of its tasks do not end")
            time.sleep(_POLL_SECONDS)
    except OpsError as error:
        reporter.note(f"warning: the service {name} was not ended: {error.message}")


def _await(stack: Stack, name: str, number: str, known: set[str]) -> Mapping[str, Any]:
    """The new task of the service, which has ended."""
    begun = time.monotonic()
    while time.monotonic() - begun < _MOST_SECONDS:
        found = patiently(lambda: tasks(stack, number))
        for task in (task for task in found if task["ID"] not in known):
            if ended(task):
                return task
            status, waited = task["Status"], time.monotonic() - begun
            if status["State"] == "pending" and waited > _PLACING_SECONDS:
                why = status.get("Err") or "no node takes it"
                raise OpsError(f"the task of {name} gets no place: {why}", "inv swarm.status")
        time.sleep(_POLL_SECONDS)
    raise OpsError(f"the task of {name} does not end within {_MOST_SECONDS / 3600:.0f} h")


def _output(stack: Stack, name: str, task: Mapping[str, Any]) -> Completed:
    """What the task has printed, with its exit code; raises OpsError where that is not told."""
    argv = ["docker", "service", "logs", "--raw", task["ID"]]
    status = task["Status"]
    complete = status["State"] == "complete"
    deadline = time.monotonic() + _LOG_SECONDS
    while True:
        printed = stack.runner.run(argv, timeout=120, check=False)
        told = printed.stdout.strip() if complete else printed.stderr.strip()
        if printed.ok and told:
            break
        if time.monotonic() > deadline:
            if not complete:
                raise OpsError(f"the task of {name} failed: {status.get('Err', status['State'])}")
            raise OpsError(
                f"the answer of the task of {name} is not told: {printed.last_line}",
                "Is its log driver one that `docker service logs` can read?",
            )
        time.sleep(_POLL_SECONDS)
    code = 0 if complete else (status.get("ContainerStatus") or {}).get("ExitCode") or 1
    return Completed(tuple(argv), code, printed.stdout, printed.stderr)
