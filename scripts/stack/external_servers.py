"""PostgreSQL and Redis that somebody else runs: asked through the container of their name here."""

from collections.abc import Mapping, Sequence
from typing import Final

from scripts.core.settings import Settings
from scripts.stack.compose import Stack

# How long to wait for a server that we cannot start: for a restart, or a usual failover.
PATIENCE_SECONDS: Final = 60
_QUESTIONS: Final[Mapping[str, Sequence[str]]] = {
    "odoo_db": ("sh", "/etc/platform/external", "ready"),
    "redis": ("sh", "/etc/platform/cli", "ping"),
}


def places(settings: Settings) -> dict[str, str]:
    """Where each external server is, as shown to people, by the service that reaches it."""
    found = {}
    if settings.postgres.external:
        found["odoo_db"] = f"PostgreSQL at {settings.postgres.place}"
    if settings.redis.external:
        found["redis"] = f"Redis at {settings.redis.place}"
    return found


def lets_in(stack: Stack, service: str) -> bool:
    """Whether the one behind `service` answers and takes the password."""
    return stack.exec(service, *_QUESTIONS[service]).ok


def refusals(stack: Stack) -> dict[str, str]:
    """What those say that do not let us in, or that they give no answer, by service.

    Of a container that does not run nothing is known: its log tells.
    """
    external = places(stack.settings)
    if not external:
        return {}
    running = {s.service for s in stack.services() if s.state == "running" and not s.oneoff}
    asked = {name: stack.exec(name, *_QUESTIONS[name]) for name in external if name in running}
    return {name: done.last_line or "no answer" for name, done in asked.items() if not done.ok}
