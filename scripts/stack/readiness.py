"""Services that a command needs: started where they do not run, and asked until they answer."""

import time
from collections.abc import Mapping, Sequence
from typing import Final

from scripts.core.errors import OpsError
from scripts.stack import external_servers
from scripts.stack.compose import Stack
from scripts.stack.diagnosis import diagnose

_START_SECONDS: Final = 180
_POLL_SECONDS: Final = 0.3
_MOST_RESTARTS: Final = 3
# As their health checks in compose.yaml, for which Docker waits up to HEALTH_INTERVAL.
_CHECKS: Final[Mapping[str, Sequence[str]]] = {
    "odoo_db": ("pg_isready", "-q", "-h", "127.0.0.1", "-U", "odoo", "-d", "postgres"),
    "redis": ("sh", "/etc/platform/cli", "ping"),
    "supabase_db": ("pg_isready", "-q", "-h", "127.0.0.1", "-U", "authenticator", "-d", "postgres"),
    "postgrest": ("postgrest", "--ready"),
    "monitoring_secrets": ("test", "-e", "/tmp/done"),  # noqa: S108 - of monitoring/hand-over
    "prometheus": ("/bin/promtool", "check", "ready", "--url=http://127.0.0.1:9090"),
    "alertmanager": ("/bin/amtool", "config", "show", "--alertmanager.url=http://127.0.0.1:9093"),
}

_UNCHECKED: Final = ("prometheus", "alertmanager")


def answers(stack: Stack, service: str) -> bool:
    """Whether `service` works just now, by its own health check."""
    if service in external_servers.places(stack.settings):
        return external_servers.lets_in(stack, service)
    return stack.exec(service, *_CHECKS[service]).ok


def ensure_running(stack: Stack, *services: str) -> None:
    """Start those of `services` that do not answer, and wait; what runs goes on as it is.

    Whatever the settings say by now. Raises OpsError as `wait` does.
    """
    silent = _silent(stack, services)
    if silent and _only_external(stack, silent):
        wait(stack, silent)
    elif silent:
        start(stack.as_running(), "--no-recreate", *services)


def start(stack: Stack, *words: str) -> None:
    """Run `docker compose up` with `words`, options and services, and wait for the services.

    Raises OpsError with the last log lines of one that does not start.
    """
    arguments = ["up", "--detach", "--no-build", *words]
    services = [word for word in words if word in _CHECKS]
    done = stack.run(*arguments, timeout=_START_SECONDS, check=False, changes=True)
    if not done.ok:
        failure = OpsError(f"{' and '.join(services)} did not start: {done.last_line}")
        raise diagnose(stack, failure, needed=services)
    wait(stack, services)


def wait(stack: Stack, services: Sequence[str]) -> None:
    """Come back when all of `services`, which were started, answer.

    Raises OpsError with the last log lines of one that does not, or with what an external server
    says; that one has PATIENCE_SECONDS.
    """
    deadline = time.monotonic() + _START_SECONDS
    while not stack.runner.dry and (silent := _silent(stack, services)):
        found = [s for s in stack.services() if s.service in silent and not s.oneoff]
        again = [s.service for s in found if s.restarts > _MOST_RESTARTS]
        if again or any(s.stopped for s in found) or time.monotonic() > deadline:
            failure = OpsError(f"{' and '.join(silent)} does not answer")
            raise diagnose(stack, failure, again, needed=services)
        if _only_external(stack, silent):
            deadline = min(deadline, time.monotonic() + external_servers.PATIENCE_SECONDS)
        time.sleep(_POLL_SECONDS)


def wait_for_unchecked(stack: Stack, services: Sequence[str]) -> None:
    """As `wait`, for those of `services` that Docker does not ask by itself."""
    wait(stack, [name for name in _UNCHECKED if name in services])


def _only_external(stack: Stack, silent: Sequence[str]) -> bool:
    """Whether all of `silent` run here, and stand for external servers that do not let us in."""
    return external_servers.refusals(stack).keys() >= set(silent)


def _silent(stack: Stack, services: Sequence[str]) -> list[str]:
    return [service for service in services if not answers(stack, service)]
