"""The way back to what ran before the last deployment."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from scripts.core.errors import OpsError
from scripts.core.report import Reporter
from scripts.stack.compose import Stack
from scripts.swarm import deploy, nodes, services

_SECONDS: Final = 1200.0
_ALLOWED: Final = ("rollback_started", "rollback_completed")


@dataclass(frozen=True)
class RolledBack:
    """What was done."""

    services: tuple[str, ...]
    images: tuple[str, ...]  # of each of them now

    @property
    def lines(self) -> list[str]:
        """For people."""
        return [
            f"{name} runs {image} again"
            for name, image in zip(self.services, self.images, strict=True)
        ]


def roll_back(stack: Stack, reporter: Reporter) -> RolledBack:
    """Have each service that the last deployment changed run as before it; waits until it does.

    Raises OpsError where there is nothing to go back to.
    """
    nodes.require_manager(stack.runner)
    with deploy.alone(stack, "swarm.rollback"):
        before = services.deployed(stack)
        changed = [state for state in before if state.changed]
        if not changed:
            raise OpsError(
                "the last deployment changed nothing, or was rolled back already",
                "inv swarm.status",
            )
        for state in changed:
            argv = ["docker", "service", "rollback", "--detach", "--quiet", state.id]
            stack.runner.run(argv, timeout=60, changes=True)
        names = [state.name for state in changed]
        if stack.runner.dry:
            return RolledBack(tuple(names), tuple(state.image for state in changed))
        with reporter.step(f"Rolling back {', '.join(names)}"):
            found = _wait(stack, before, names)
        images = {state.name: state.image for state in found}
        return RolledBack(tuple(names), tuple(images[name] for name in names))


def _wait(
    stack: Stack, before: Sequence[services.ServiceState], names: Sequence[str]
) -> list[services.ServiceState]:
    updated = {state.name: state.updated for state in before}
    return services.wait(
        stack,
        updated,
        seconds=_SECONDS,
        allowed=_ALLOWED,
        only=lambda state: state.name in names,
    )
