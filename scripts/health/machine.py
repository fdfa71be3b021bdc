"""Containers, and the machine that the engine runs on."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from scripts.core.checks import CannotTellError, Finding, InapplicableError, Status, worst
from scripts.core.errors import OpsError
from scripts.core.settings import Environment
from scripts.health import limits
from scripts.health.answers import Answers
from scripts.health.facts import duration, seconds_since
from scripts.stack.compose import Service, Stack
from scripts.stack.differences import changed_services

_OK: Final = Finding(Status.OK)
_MEMORY: Final = {
    "nginx": "NGINX_MEMORY",
    "odoo": "ODOO_MEMORY",
    "odoo_cron": "ODOO_CRON_MEMORY",
    "odoo_websocket": "ODOO_WEBSOCKET_MEMORY",
    "odoo_db": "POSTGRES_MEMORY",
    "redis": "REDIS_MEMORY",
    "mail_catcher": "MAIL_MEMORY",
    "prometheus": "PROMETHEUS_MEMORY",
    "alertmanager": "ALERTMANAGER_MEMORY",
    "postgres_exporter": "EXPORTER_MEMORY",
    "redis_exporter": "EXPORTER_MEMORY",
    "nginx_exporter": "EXPORTER_MEMORY",
    "node_exporter": "EXPORTER_MEMORY",
    "supabase_db": "SUPABASE_DB_MEMORY",
    "postgrest": "POSTGREST_MEMORY",
}
# What it means that one of them is away.
_MEANS: Final = {
    "odoo": "",
    "odoo_cron": ": no scheduled action runs",
    "odoo_websocket": ": pages hear of no messages",
}
_DEBUG: Final = "compose.debug.yaml"


def containers(answers: Answers) -> Finding:
    """Whether none was started again by the engine lately, or ran out of memory."""
    own = [s for s in answers.containers() if not s.oneoff]
    return worst([_container(s, answers.memory_kills(s.service)) for s in own])


def _container(service: Service, kills: int) -> Finding:
    name, limit = service.service, _MEMORY.get(service.service)
    logs = f"inv logs --service {name}"
    if service.state in ("restarting", "dead"):
        said = "keeps restarting" if service.state == "restarting" else "is dead"
        return Finding(Status.FAILED, f"{name} {said}", logs)
    since = seconds_since(service.started)
    recently = service.state == "running" and since < limits.RESTARTED
    # The engine's own word is of the time before the start.
    if kills or (service.out_of_memory and recently):
        hint = f"raise {limit} in .env, then: inv up" if limit else logs
        return Finding(
            Status.WARNING, f"{name} ran out of memory: a process of it was killed", hint
        )
    if service.restarts and recently:
        times = f"{service.restarts} times, the last {duration(since)} ago"
        return Finding(Status.WARNING, f"{name} ended and was started again, {times}", logs)
    return _OK


def replicas(answers: Answers) -> Finding:
    """Whether there are as many healthy containers of Odoo as there should be."""
    wanted = answers.stack.settings
    if len(wanted.odoo_services) == 1:
        raise InapplicableError
    findings = []
    for service, count in zip(wanted.odoo_services, (wanted.replicas, 1, 1), strict=True):
        own = [s for s in answers.containers() if s.service == service and not s.oneoff]
        # Starting: Docker asks for the first time after a whole interval.
        well = sum(s.state == "running" and s.health != "unhealthy" for s in own)
        if well < count:
            status = Status.WARNING if well else Status.FAILED
            said = f"{well} of {count} containers of {service} are healthy{_MEANS[service]}"
            findings.append(Finding(status, said, f"inv ps; inv logs --service {service}; inv up"))
    if findings:
        return worst(findings)
    return Finding(Status.OK, f"{wanted.replicas} serve requests")


def settings(answers: Answers) -> Finding:
    """Whether the containers are what the compose files and `.env` say now."""
    running = [s for s in answers.containers() if s.configuration and not s.oneoff]
    if not any(s.state == "running" for s in running):
        raise CannotTellError("nothing runs")
    stack = _as_started(answers.stack, running)
    if stack is None:
        raise InapplicableError  # by other files than ours: by hand
    try:
        differ = sorted(changed_services(stack, running))
    except OpsError as error:
        raise CannotTellError(error.message, error.hint) from error
    if differ:
        said = f"changed since it was started, in compose files or .env: {', '.join(differ)}"
        return Finding(Status.WARNING, said, "inv up")
    return _OK


def _as_started(stack: Stack, running: Sequence[Service]) -> Stack | None:
    """`stack` with the compose files that its containers were made of; None for others' files."""
    named = {Path(file).name for s in running for file in s.files}
    debug = _DEBUG in named and stack.settings.environment is Environment.DEV
    found = replace(stack, settings=replace(stack.settings, debug=debug))
    return found if named == {file.name for file in found.settings.compose_files} else None


def memory(answers: Answers) -> Finding:
    """How much the machine has left."""
    host = answers.host()
    share = host.available / max(1, host.memory)
    said = f"{host.available // limits.MIB} of {host.memory // limits.MIB} MiB are available"
    if share >= limits.MEMORY_WARNING:
        return Finding(Status.OK, said)
    failed = share < limits.MEMORY_FAILED
    hint = "docker stats shows who uses it; fewer workers in odoo/odoo.conf need less"
    return Finding(Status.FAILED if failed else Status.WARNING, said, hint)


def clock(answers: Answers) -> Finding:
    """Whether the engine's machine, which may be a virtual one, has the same time as this one."""
    skew = answers.host().skew
    if skew < limits.CLOCK_WARNING:
        return _OK
    detail = f"the clock of the Docker engine's machine is {skew:.0f} s off"
    hint = "of Colima: colima restart; else have it ask a time server"
    return Finding(Status.FAILED if skew > limits.CLOCK_FAILED else Status.WARNING, detail, hint)
