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

    def ran(self, service: str) -> bool:
        """Whether `service` ran before."""
        return service in self.plan.running

    def runs(self, service: str) -> bool:
        """Whether it runs now, or tries to."""
        found = self.stack.services()
        return any(s.service == service and s.state in STARTED and not s.oneoff for s in found)
