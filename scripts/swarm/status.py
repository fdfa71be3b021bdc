"""What the swarm is like at present."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from scripts.core.table import Table
from scripts.stack.compose import Stack
from scripts.swarm.nodes import Node, all_nodes, require_manager
from scripts.swarm.services import ServiceState
from scripts.swarm.services import look as look_at_services

_NODES = ("node", "role", "state", "availability", "address", "labels", "services")
_SERVICES = ("service", "tasks", "image", "update", "nodes", "")


@dataclass(frozen=True)
class SwarmStatus:
    """Nodes and services, by name."""

    nodes: tuple[Node, ...]
    services: tuple[ServiceState, ...]

    @property
    def lines(self) -> list[str]:
        """For people: two tables."""
        lines = Table(_NODES, [self._node(node) for node in self.nodes]).lines
        if not self.services:
            return [*lines, "", "The stack is not deployed: inv swarm.deploy"]
        return [*lines, "", *Table(_SERVICES, [self._service(one) for one in self.services]).lines]

    def _node(self, node: Node) -> Sequence[str]:
        role = "leader" if node.leader else node.role
        running = [one.name for one in self.services if node.id in one.nodes]
        labels, names = ", ".join(node.labels), ", ".join(running)
        return (node.name, role, node.state, node.availability, node.address, labels, names)

    def _service(self, one: ServiceState) -> Sequence[str]:
        known = {node.id: node.name for node in self.nodes}
        counts = Counter(known.get(number, number[:12]) for number in one.nodes)
        where = ", ".join(f"{name} ×{n}" if n > 1 else name for name, n in sorted(counts.items()))
        tasks = f"{one.running}/{one.wanted}"
        return (one.name, tasks, one.image, one.update or "-", where or "-", one.trouble)


def look(stack: Stack) -> SwarmStatus:
    """Ask the swarm; raises OpsError where this engine is no manager of one."""
    require_manager(stack.runner)
    return SwarmStatus(tuple(all_nodes(stack.runner)), tuple(look_at_services(stack)))
