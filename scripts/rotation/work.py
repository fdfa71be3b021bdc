"""A rotation under way, and what all its parts need of it."""

from dataclasses import dataclass, replace
from typing import Any

from scripts.core.report import Reporter
from scripts.rotation.journal import Journal, Plan
from scripts.stack.compose import Stack

STARTED = ("running", "restarting")


@dataclass
class Work:
    """What is changed, and where it is remembered."""

    stack: Stack
    reporter: Reporter
    journal: Journal
    plan: Plan

    def remember(self, **changes: Any) -> None:
        """Change the plan, on the disk first."""
        plan = replace(self.plan, **changes)
        self.journal.save(plan)
        self.plan = plan

    def concerns(self, *names: str) -> set[str]:
        """Those of the secrets `names` that are changed."""
        return set(names) & set(self.plan.names)

    def lost(self, *names: str) -> set[str]:
        """Those of the changed secrets `names` whose value from before nobody knows."""
        return {name for name in self.concerns(*names) if not self.journal.knows_old(name)}

    def ran(self, service: str) -> bool:
        """Whether `service` ran before."""
        return service in self.plan.running

    def forget_removed(self) -> None:
        """Let services that have no container any more count as such that did not run.

        After `inv down` there is nothing to put back in them, and nobody wants them started.
        """
        there = {s.service for s in self.stack.services() if not s.oneoff}
        self.remember(running=tuple(name for name in self.plan.running if name in there))

    def runs(self, service: str) -> bool:
        """Whether it runs now, or tries to."""
        found = self.stack.services()
        return any(s.service == service and s.state in STARTED and not s.oneoff for s in found)
