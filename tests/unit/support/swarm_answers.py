"""What Docker answers about a swarm."""

import json
from pathlib import Path
from typing import Any

from scripts.stack.compose import Stack
from tests.unit.support.fakes import FakeRunner, says, settings_in

INFO = "docker info --format {{json .Swarm}}"


def node(name: str, *labels: str, availability: str = "active", state: str = "ready") -> Any:
    """One machine; its id is `id-NAME`."""
    return {
        "ID": f"id-{name}",
        "Spec": {
            "Labels": {f"ipai.{label}": "true" for label in labels},
            "Role": "manager" if "data" in labels else "worker",
            "Availability": availability,
        },
        "Description": {"Hostname": name},
        "Status": {"State": state, "Addr": "10.0.0.1"},
        "ManagerStatus": {"Leader": True} if "data" in labels else None,
    }


def template(image: str = "odoo:1", *, policy: str = "any") -> dict[str, Any]:
    """What tasks are made of."""
    return {"ContainerSpec": {"Image": image}, "RestartPolicy": {"Condition": policy}}


def service(
    name: str,
    *,
    replicas: int | None = 1,
    now: dict[str, Any] | None = None,
    before: dict[str, Any] | None = None,
    update: str = "",
    began: str = "",
) -> dict[str, Any]:
    """A service of the stack; `replicas` None: one on each node."""
    found: dict[str, Any] = {
        "ID": f"s-{name}",
        "Spec": {
            "Name": f"ipai-platform_{name}",
            "Mode": {"Global": {}} if replicas is None else {"Replicated": {"Replicas": replicas}},
            "TaskTemplate": now or template(),
        },
    }
    if before:
        found["PreviousSpec"] = {"TaskTemplate": before}
    if update:
        found["UpdateStatus"] = {"State": update, "StartedAt": began}
    return found


def task(
    of: str,
    where: str = "node1",
    *,
    state: str = "running",
    desired: str = "running",
    made: dict[str, Any] | None = None,
    error: str = "",
    number: int = 1,
    code: int = 0,
) -> dict[str, Any]:
    """One of its tasks."""
    status = {"State": state, "Timestamp": f"2026-11-28T10:00:{number:02}Z"}
    return {
        "ID": f"t-{of}-{number}",
        "ServiceID": f"s-{of}",
        "NodeID": f"id-{where}",
        "DesiredState": desired,
        "Spec": made or template(),
        "Status": {
            **status,
            **({"Err": error} if error else {}),
            "ContainerStatus": {"ExitCode": code},
        },
    }


def answers(
    nodes: list[Any], services: list[Any] | None = None, tasks: list[Any] | None = None
) -> dict[str, Any]:
    """Docker on a manager: what `FakeRunner` takes."""
    listed = " ".join(one["ID"] for one in services or [])
    running = " ".join(one["ID"] for one in tasks or [])
    own = {"LocalNodeState": "active", "ControlAvailable": True, "NodeID": nodes[0]["ID"]}
    return {
        INFO: says(json.dumps(own)),
        "docker node ls": says(" ".join(one["ID"] for one in nodes)),
        "docker node inspect": says(json.dumps(nodes)),
        "docker service ls": says(listed),
        "docker service inspect": says(json.dumps(services or [])),
        "docker stack ps": says(running),
        "docker service ps": says(running),
        "docker inspect --type task": says(json.dumps(tasks or [])),
    }


def stack_of(folder: Path, found: dict[str, Any], *, dry: bool = False) -> Stack:
    """The platform in `folder`, with these answers."""
    return Stack(settings_in(folder), FakeRunner(dict(found), dry=dry))


def runner_of(stack: Stack) -> FakeRunner:
    """Its runner, with the calls."""
    assert isinstance(stack.runner, FakeRunner)
    return stack.runner
