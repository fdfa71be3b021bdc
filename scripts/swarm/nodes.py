"""The machines of the swarm that this engine belongs to."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from scripts.core.errors import OpsError, UsageError
from scripts.core.process import Runner

DATA: Final = "ipai.data"  # has the volumes of PostgreSQL and Redis; see compose.swarm.yaml
INGRESS: Final = "ipai.ingress"  # Nginx listens there
_TRUE: Final = "true"
_BEGIN: Final = "Begin one: inv swarm.init"


@dataclass(frozen=True)
class Membership:
    """What the engine says of itself: `docker info`."""

    state: str  # inactive, pending, active, error or locked
    manager: bool
    id: str  # of its node; '' outside a swarm


@dataclass(frozen=True)
class Node:
    """One machine."""

    id: str
    name: str
    role: str  # manager or worker
    leader: bool
    state: str  # ready, down, unknown or disconnected
    availability: str  # active, pause or drain
    address: str
    labels: tuple[str, ...]  # of the platform: ipai.data, ipai.ingress

    @property
    def takes_tasks(self) -> bool:
        """Whether it is there and may be given work."""
        return self.state == "ready" and self.availability == "active"


def membership(runner: Runner) -> Membership:
    """Whether this engine is in a swarm; raises OpsError where it does not answer."""
    done = runner.run(["docker", "info", "--format", "{{json .Swarm}}"], timeout=60)
    found: dict[str, Any] = json.loads(done.stdout or "{}")
    return Membership(
        state=found.get("LocalNodeState") or "inactive",
        manager=bool(found.get("ControlAvailable")),
        id=found.get("NodeID") or "",
    )


def require_manager(runner: Runner) -> Membership:
    """What this engine is; raises OpsError unless it can be asked about its swarm."""
    own = membership(runner)
    if own.state == "inactive":
        raise OpsError("this engine is in no swarm", _BEGIN)
    if own.state == "locked":
        raise OpsError("the swarm of this engine is locked", "Run: docker swarm unlock")
    if own.state != "active":
        raise OpsError(f"this engine is in a swarm in the state {own.state}", "See: docker info")
    if not own.manager:
        raise OpsError(
            "this machine is a worker of its swarm, and only managers know and change it",
            "Run this on a manager; or there: docker node promote NODE",
        )
    return own


def all_nodes(runner: Runner) -> list[Node]:
    """Those of the swarm by name; raises OpsError where it has no leader at present."""
    listed = runner.run(["docker", "node", "ls", "--quiet"], timeout=60, check=False)
    if not listed.ok:
        raise OpsError(f"the swarm does not answer: {listed.last_line}", "See: docker node ls")
    ids = list(dict.fromkeys(listed.stdout.split()))
    if not ids:
        return []
    done = runner.run(["docker", "node", "inspect", *ids], timeout=60)
    return sorted(map(_node, json.loads(done.stdout)), key=lambda node: (node.name, node.id))


def _node(found: dict[str, Any]) -> Node:
    spec, status = found["Spec"], found["Status"]
    labels = spec.get("Labels") or {}
    return Node(
        id=found["ID"],
        name=found["Description"]["Hostname"],
        role=spec["Role"],
        leader=bool((found.get("ManagerStatus") or {}).get("Leader")),
        state=status["State"],
        availability=spec["Availability"],
        address=status.get("Addr", ""),
        labels=tuple(name for name in (DATA, INGRESS) if labels.get(name) == _TRUE),
    )


def named(nodes: Sequence[Node], name: str) -> Node:
    """The one of that host name, or whose id begins so; raises UsageError for none or several."""
    found = [node for node in nodes if node.name == name]
    found = found or [node for node in nodes if name and node.id.startswith(name)]
    known = ", ".join(f"{node.name} ({node.id[:12]})" for node in nodes)
    if not found:
        raise UsageError(f"there is no node {name!r}", f"Nodes: {known}")
    if len(found) > 1:
        raise UsageError(f"several nodes are called {name}", f"Give the id instead: {known}")
    return found[0]


def label(runner: Runner, node: Node, *names: str) -> None:
    """Give `node` those labels."""
    given = [f"--label-add={name}={_TRUE}" for name in names]
    runner.run(["docker", "node", "update", *given, node.id], timeout=60, changes=True)


def require_labels(nodes: Sequence[Node]) -> None:
    """Raises OpsError unless one node has the data, and at least one takes visitors."""
    how = "docker node update --label-add {}=true NODE"
    data = [node.name for node in nodes if DATA in node.labels]
    if len(data) != 1:
        said = f"nodes with the label {DATA}: {', '.join(data) or 'none'}; it has to be one"
        raise OpsError(said, f"inv swarm.init, or: {how.format(DATA)} (--label-rm {DATA})")
    if not any(INGRESS in node.labels for node in nodes):
        raise OpsError(f"no node has the label {INGRESS}", f"Run: {how.format(INGRESS)}")
