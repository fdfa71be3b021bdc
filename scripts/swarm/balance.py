"""Odoo's tasks on several machines, so that the loss of one does not take all of them."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from scripts.core.report import Reporter
from scripts.stack.compose import Stack
from scripts.swarm import nodes, services

_SERVICE: Final = "odoo"
_SECONDS: Final = 1200.0


def missing(state: services.ServiceState, known: Sequence[nodes.Node]) -> int:
    """How many tasks nodes lack of an equal share."""
    takers = [node.id for node in known if node.takes_tasks]
    found = Counter(state.nodes)
    share = state.wanted // len(takers) if takers else 0
    return sum(max(0, share - found[node]) for node in takers)


def spread(
    stack: Stack, reporter: Reporter, states: list[services.ServiceState], *, always: bool = False
) -> list[services.ServiceState]:
    """Give nodes their share of Odoo's tasks; returns all services.

    Swarm leaves tasks where they are. It places more where there are fewest, and takes away
    where there are most. After that there is nothing to be rolled back to: where there is, it is
    done only if it has to be done `always`.
    """
    odoo = next((state for state in states if state.name == _SERVICE), None)
    if odoo is None or (odoo.changed and not always):
        return states
    more = missing(odoo, nodes.all_nodes(stack.runner))
    if not more:
        return states
    with reporter.step("Spreading Odoo over the nodes"):
        for count in (odoo.wanted + more, odoo.wanted):
            argv = ["docker", "service", "scale", "--detach", f"{odoo.id}={count}"]
            stack.runner.run(argv, timeout=60, changes=True)
            updated = {state.name: state.updated for state in states}
            states = services.wait(stack, updated, seconds=_SECONDS)
    return states
