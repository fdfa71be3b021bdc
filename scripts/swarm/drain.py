"""A machine is emptied, for work on it, and given tasks again."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from scripts.core.errors import OpsError
from scripts.core.report import Reporter
from scripts.stack.compose import Stack
from scripts.swarm import balance, deploy, nodes, services

_SECONDS: Final = 600.0
_POLL_SECONDS: Final = 1.0


@dataclass(frozen=True)
class Drained:
    """What was done."""

    node: str
    availability: str  # drain or active
    tasks: int  # of the stack that run there now

    @property
    def lines(self) -> list[str]:
        """For people."""
        if self.availability == "drain":
            back = f"afterwards: inv swarm.drain {self.node} --back"
            return [f"{self.node} has no tasks and gets none; {back}"]
        return [f"{self.node} gets tasks again, and runs {self.tasks} now"]


def drain(stack: Stack, reporter: Reporter, name: str) -> Drained:
    """Have all tasks of the node run elsewhere, and wait until they do.

    Asks where something cannot run elsewhere. Raises OpsError for the only node that takes tasks.
    """
    nodes.require_manager(stack.runner)
    known = nodes.all_nodes(stack.runner)
    node = nodes.named(known, name)
    others = [one for one in known if one.takes_tasks and one.id != node.id]
    if not others:
        raise OpsError(
            f"{node.name} is the only node that takes tasks: everything would stop",
            "Add another (docker swarm join-token worker), or stop all: docker stack rm",
        )
    with deploy.alone(stack, "swarm.drain"):
        return _drain(stack, reporter, node, others)


def _drain(
    stack: Stack, reporter: Reporter, node: nodes.Node, others: Sequence[nodes.Node]
) -> Drained:
    before = services.deployed(stack)
    lost = _lost(node, others)
    if lost:
        question = f"{node.name} is drained: {' and '.join(lost)}. Continue?"
        if not reporter.confirm(question, unattended=False):
            raise OpsError("nothing was changed", "Say yes, or give --yes where nobody can answer.")
    _set(stack, node, "drain")
    if stack.runner.dry:
        return Drained(node.name, "drain", 0)
    with reporter.step(f"Waiting until {node.name} is empty"):
        _await_empty(stack, node)
        if not lost:
            updated = {state.name: state.updated for state in before}
            services.wait(stack, updated, seconds=_SECONDS)
    return Drained(node.name, "drain", 0)


def _lost(node: nodes.Node, others: Sequence[nodes.Node]) -> list[str]:
    """What stops with `node`, in words."""
    found = []
    if nodes.DATA in node.labels:
        found.append("PostgreSQL and Redis stop, and with them Odoo, until it is back")
    if nodes.INGRESS in node.labels and not any(nodes.INGRESS in one.labels for one in others):
        found.append("no Nginx is left")
    return found


def back(stack: Stack, reporter: Reporter, name: str) -> Drained:
    """Give the node tasks again: what has to run there, and its share of Odoo."""
    nodes.require_manager(stack.runner)
    node = nodes.named(nodes.all_nodes(stack.runner), name)
    with deploy.alone(stack, "swarm.drain"):
        return _back(stack, reporter, node)


def _back(stack: Stack, reporter: Reporter, node: nodes.Node) -> Drained:
    before = services.deployed(stack)
    _set(stack, node, "active")
    if stack.runner.dry:
        return Drained(node.name, "active", 0)
    updated = {state.name: state.updated for state in before}
    with reporter.step("Waiting until all services run"):
        found = services.wait(stack, updated, seconds=_SECONDS)
    found = balance.spread(stack, reporter, found, always=True)
    return Drained(node.name, "active", sum(node.id in state.nodes for state in found))


def _set(stack: Stack, node: nodes.Node, availability: str) -> None:
    argv = ["docker", "node", "update", "--availability", availability, node.id]
    stack.runner.run(argv, timeout=60, changes=True)


def _await_empty(stack: Stack, node: nodes.Node) -> None:
    deadline = time.monotonic() + _SECONDS
    while left := [state.name for state in services.look(stack) if node.id in state.nodes]:
        if time.monotonic() > deadline:
            said = f"after {_SECONDS:.0f} s {', '.join(left)} still run on {node.name}"
            raise OpsError(said, "inv swarm.status")
        time.sleep(_POLL_SECONDS)
