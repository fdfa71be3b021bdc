"""The services of the stack: how many tasks each should have and has, and how its update goes."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from scripts.core.errors import OpsError
from scripts.stack.compose import Stack

_LABEL: Final = "com.docker.stack.namespace"
_ENDING: Final = ("none", "on-failure")  # restart policies of what is to end
_UNDER_WAY: Final = ("updating", "rollback_started")
_STOPPED: Final = ("paused", "rollback_paused")
_GONE_WRONG: Final = (*_STOPPED, "rollback_started", "rollback_completed")
_POLL_SECONDS: Final = 1.0
# What tells the tasks of this state of a service from those of the one before. Of other things
# tasks know less than services: they lack what is as by default.
_TOLD: Final = ("Image", "Command", "Args", "Env", "Healthcheck", "Mounts", "Secrets", "Configs")
_TOLD_OUTSIDE: Final = ("Resources", "Networks", "ForceUpdate")


@dataclass(frozen=True)
class ServiceState:
    """One service of the stack."""

    name: str  # without that of the stack
    image: str
    wanted: int  # tasks
    running: int
    current: int  # of those, the ones that are as the service says now
    update: str  # updating, completed, rollback_completed …; '' before the first one
    nodes: tuple[str, ...]  # ids of those where they run, one for each task
    trouble: str  # why the last task failed, while one is missing; '' otherwise
    settled: bool  # nothing is to be waited for
    id: str
    updated: str  # when the last update or rollback began
    changed: bool  # whether the state before was another one, to which it can be rolled back


def look(stack: Stack) -> list[ServiceState]:
    """Those of the stack by name; none where it is not deployed."""
    found = raw(stack)
    tasks = _tasks(stack) if found else []
    prefix = f"{stack.settings.project}_"
    states = (_state(service, tasks, prefix) for service in found)
    return sorted(states, key=lambda state: state.name)


def deployed(stack: Stack) -> list[ServiceState]:
    """The services; raises OpsError where the stack is not deployed."""
    found = look(stack)
    if not found:
        raise OpsError(
            f"there is no stack {stack.settings.project}", "To deploy it: inv swarm.deploy"
        )
    return found


def raw(stack: Stack) -> list[dict[str, Any]]:
    """The services of the stack as `docker service inspect` tells of them."""
    listing = ["service", "ls", "--quiet", "--filter", f"label={_LABEL}={stack.settings.project}"]
    ids = stack.runner.run(["docker", *listing], timeout=60).stdout.split()
    return _inspect(stack, ["service", "inspect"], ids)


def _tasks(stack: Stack) -> list[dict[str, Any]]:
    chosen = ["--quiet", "--no-trunc", stack.settings.project]
    listed = stack.runner.run(["docker", "stack", "ps", *chosen], timeout=60, check=False)
    return _inspect(stack, ["inspect", "--type", "task"], listed.stdout.split())


def _inspect(stack: Stack, words: Sequence[str], ids: Sequence[str]) -> list[dict[str, Any]]:
    if not ids:
        return []
    # One that is removed meanwhile makes it fail, and is none any more.
    done = stack.runner.run(["docker", *words, *ids], timeout=60, check=False)
    found: list[dict[str, Any]] = json.loads(done.stdout or "[]")
    return found


def _state(
    service: Mapping[str, Any], tasks: Sequence[Mapping[str, Any]], prefix: str
) -> ServiceState:
    spec = service["Spec"]
    template, replicated = spec["TaskTemplate"], spec["Mode"].get("Replicated")
    own = [task for task in tasks if task["ServiceID"] == service["ID"]]
    meant = [task for task in own if task["DesiredState"] == "running"]
    wanted = replicated.get("Replicas", 0) if replicated else len(meant)
    running = [task for task in meant if task["Status"]["State"] == "running"]
    now = _told(template)
    current = [task for task in running if _told(task["Spec"]) == now]
    policy = (template.get("RestartPolicy") or {}).get("Condition", "any")
    ends = policy in _ENDING and wanted > 0
    ended = ends and any(
        task["Status"]["State"] == "complete" for task in own if _told(task["Spec"]) == now
    )
    update = service.get("UpdateStatus") or {}
    done = ended if ends else wanted == len(running) == len(current)
    before = (service.get("PreviousSpec") or {}).get("TaskTemplate")
    return ServiceState(
        name=spec["Name"].removeprefix(prefix),
        image=template["ContainerSpec"]["Image"].partition("@")[0],
        wanted=wanted,
        running=len(running),
        current=len(current),
        update=update.get("State", ""),
        nodes=tuple(sorted(task["NodeID"] for task in running)),
        trouble="" if done else _trouble(own),
        settled=done and update.get("State") not in _UNDER_WAY,
        id=service["ID"],
        updated=update.get("StartedAt", ""),
        changed=wanted > 0 and before is not None and _told(before)[:-1] != now[:-1],
    )


def _told(template: Mapping[str, Any]) -> list[Any]:
    """What a task is made of, as far as services and their tasks both tell it.

    The last of it only makes new tasks of the same.
    """
    container = template["ContainerSpec"]
    found = [container.get(name) for name in _TOLD]
    return [*found, *(template.get(name) for name in _TOLD_OUTSIDE)]


def _trouble(tasks: Sequence[Mapping[str, Any]]) -> str:
    """What the task said that failed last, or why one cannot be placed."""
    told = [task["Status"] for task in tasks if task["Status"].get("Err")]
    last = max(told, key=lambda status: str(status.get("Timestamp", "")), default=None)
    return str(last["Err"]) if last else ""


def wait(
    stack: Stack,
    before: Mapping[str, str],
    *,
    seconds: float,
    allowed: Sequence[str] = (),
    only: Callable[[ServiceState], bool] = lambda state: True,
) -> list[ServiceState]:
    """Wait until all services, or `only` those, have what they should; returns all.

    `before`: by name, when the last update of each began before this one (`updated`). Raises
    OpsError where one was paused or rolled back since, except in the states `allowed`, or after
    `seconds`.
    """
    deadline = time.monotonic() + seconds
    while True:
        states = look(stack)
        looked_at = [state for state in states if only(state)]
        wrong = [
            state
            for state in looked_at
            if state.update in _GONE_WRONG
            and state.update not in allowed
            and state.updated != before.get(state.name, "")
        ]
        # One that stopped half-way is not waited for, and one that goes back is.
        missing = [
            state for state in looked_at if not state.settled and state.update not in _STOPPED
        ]
        if not missing:
            if wrong:
                raise _gone_wrong(stack, wrong[0])
            return states
        if time.monotonic() > deadline:
            raise _gone_wrong(stack, wrong[0]) if wrong else _too_slow(stack, missing, seconds)
        time.sleep(_POLL_SECONDS)


def _gone_wrong(stack: Stack, state: ServiceState) -> OpsError:
    logs = f"See: docker service logs {stack.settings.project}_{state.name}"
    why = f": {state.trouble}" if state.trouble else ""
    if state.update == "rollback_completed":
        return OpsError(f"the new {state.name} failed, and the one before runs again{why}", logs)
    return OpsError(f"the update of {state.name} stopped half-way ({state.update}){why}", logs)


def _too_slow(stack: Stack, missing: Sequence[ServiceState], seconds: float) -> OpsError:
    said = "; ".join(
        f"{state.name} has {state.current} of {state.wanted}, of {state.running} that run"
        + (f" ({state.trouble})" if state.trouble else "")
        for state in missing
    )
    logs = f"docker service logs {stack.settings.project}_{missing[0].name}"
    return OpsError(f"after {seconds:.0f} s: {said}", f"inv swarm.status; {logs}")
