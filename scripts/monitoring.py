"""Prometheus, Alertmanager and their exporters: the profile `monitoring` of compose.yaml."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Final

from scripts import credentials
from scripts.core import redis_settings
from scripts.core.checks import Check
from scripts.core.errors import OpsError
from scripts.core.files import make_open_folder
from scripts.core.monitoring_settings import RESULTS
from scripts.core.report import Reporter
from scripts.core.settings import Settings
from scripts.stack import nginx_configuration, permissions, readiness
from scripts.stack.compose import Stack

SECRET: Final = "monitoring_password"  # noqa: S105 - the name of a secret
ROLE: Final = "monitoring"  # of PostgreSQL; postgres/monitoring makes it
PROMETHEUS: Final = "prometheus"
_KEEPER: Final = "monitoring_secrets"
_WITH_SECRETS: Final = ("postgres_exporter", "redis_exporter")
SERVICES: Final = (
    _KEEPER, PROMETHEUS, "alertmanager", *_WITH_SECRETS, "nginx_exporter", "node_exporter",
)  # fmt: skip
_HANDED: Final = ("/run/monitoring/postgres_password", "/run/monitoring/redis.json")
_STATUS: Final = "http://127.0.0.1:8081/stub_status"  # nginx/snippets/stub-status.conf
_RUNS: Final = ("running", "restarting")
_NO_PULL: Final = ("--pull", "never")
_TIMEOUT: Final = 60.0
_ELSEWHERE: Final = (
    "Have its administrator run: CREATE ROLE monitoring LOGIN PASSWORD '(the one in"
    " secrets/monitoring_password.txt)'; GRANT pg_monitor TO monitoring;"
)


def wanting(stack: Stack) -> Stack:
    """`stack` whose start brings monitoring, too."""
    monitoring = replace(stack.settings.monitoring, wanted=True)
    return replace(stack, settings=replace(stack.settings, monitoring=monitoring))


def settle(stack: Stack) -> Stack:
    """`stack` as it is to be started: with monitoring where that was asked for, or runs."""
    if stack.settings.monitoring.wanted:
        return stack
    try:
        services = stack.services()
    except OpsError:  # no engine answers, as the start will say
        return stack
    runs = any(s.service in SERVICES and s.state in _RUNS for s in services)
    return wanting(stack) if runs else stack


def folder(settings: Settings) -> Path:
    """Where the node exporter finds what `inv health` has written."""
    return (settings.state_folder / RESULTS).parent


def preflight(settings: Settings) -> list[Check]:
    """What can be known to fail before anything is started."""

    return [
        Check("Monitoring", lambda: credentials.exists(settings.secrets_folder, SECRET)),
        Check("Files", lambda: permissions.finding(settings.root, permissions.MONITORING)),
    ]


def prepare(stack: Stack) -> None:
    """Make the folder that is mounted, which would else be root's."""
    if not stack.runner.dry:
        make_open_folder(folder(stack.settings))


def up(stack: Stack, reporter: Reporter) -> str:
    """Let the exporters in, start all, and wait until Prometheus works; returns its address.

    Raises OpsError with the last log lines of a service that does not start.
    """
    with reporter.step("Starting Prometheus"):
        if not stack.runner.dry:
            set_password(stack, _value(stack, SECRET))
            if not stack.exec("nginx", "curl", "-fsS", "-m", "5", "-o", "/dev/null", _STATUS).ok:
                nginx_configuration.reload(stack)  # it was started before there was that
        readiness.start(stack, *_NO_PULL, *SERVICES)
        if not stack.runner.dry and _are_old(stack):
            hand_over(stack)
    return stack.settings.monitoring.prometheus


def set_password(stack: Stack, password: str) -> None:
    """Have PostgreSQL take `password` of its role; raises OpsError unless it opens then.

    A server elsewhere has that role from its administrator, or has not.
    """
    done = stack.exec(
        "odoo_db", "sh", "/etc/platform/monitoring", stdin=password, timeout=_TIMEOUT, changes=True
    )
    if not done.ok:
        raise OpsError(
            f"PostgreSQL does not let the role {ROLE} in: {done.last_line}",
            _ELSEWHERE if stack.settings.postgres.external else "inv logs odoo_db",
        )


def hand_over(stack: Stack) -> None:
    """Have the exporters that run read the secrets again, from the files as they are now."""
    running = {s.service for s in stack.services() if not s.stopped and not s.oneoff}
    if _KEEPER not in running:
        return
    stack.run("restart", _KEEPER, timeout=_TIMEOUT, changes=True)
    readiness.wait(stack, [_KEEPER])
    if again := [name for name in _WITH_SECRETS if name in running]:
        stack.run("restart", *again, timeout=_TIMEOUT, changes=True)


def _are_old(stack: Stack) -> bool:
    """Whether the exporters were given other values than the files have now."""
    wanted = [_value(stack, SECRET), _of_redis(stack)]
    seen = stack.exec(_KEEPER, "sha256sum", *_HANDED).stdout.split()[::2]
    return seen != [hashlib.sha256(text.encode()).hexdigest() for text in wanted]


def _of_redis(stack: Stack) -> str:
    """The passwords of Redis by its addresses, as monitoring/hand-over writes them."""
    own = hashlib.sha256(f"redis:{_value(stack, 'db_password')}".encode()).hexdigest()
    passwords = {"redis://redis:6379": own}
    if address := stack.settings.redis.address:
        passwords[address] = _value(stack, redis_settings.PASSWORD)
    return json.dumps(passwords, ensure_ascii=False) + "\n"


def _value(stack: Stack, name: str) -> str:
    return credentials.value_in(stack.settings.secrets_folder / f"{name}.txt")
