"""The compose files as Compose merges them for each environment."""

import json
from functools import cache
from typing import Any

import pytest

from tests.static.support.project import (
    COMPOSE_FILES,
    DEBUG_FILE,
    REPLICAS_FILE,
    ROOT,
    has_compose,
    public_environment,
    run,
)

ENVIRONMENTS = {
    "dev": COMPOSE_FILES[:1],
    "debug": (*COMPOSE_FILES[:1], DEBUG_FILE),
    "prod": COMPOSE_FILES,
    "replicas": (*COMPOSE_FILES, REPLICAS_FILE),
}
KEEPER = "monitoring_secrets"
MONITORING = {
    KEEPER,
    "prometheus",
    "alertmanager",
    "postgres_exporter",
    "redis_exporter",
    "nginx_exporter",
    "node_exporter",
}


@cache
def merged(environment: str) -> dict[str, Any]:
    """What `docker compose config` prints, with all profiles."""
    if not has_compose():
        pytest.skip("the Compose client is not installed")
    files = [part for name in ENVIRONMENTS[environment] for part in ("--file", str(ROOT / name))]
    argv = ["docker", "compose", "--env-file", "/dev/null", *files, "--profile", "*", "config"]
    argv += ["--format", "json"]
    done = run(*argv, env=public_environment())
    assert done.returncode == 0, done.stderr
    assert "warn" not in done.stderr.lower(), done.stderr
    config: dict[str, Any] = json.loads(done.stdout)
    return config


def service_of(environment: str, name: str) -> dict[str, Any]:
    """One of its services."""
    service: dict[str, Any] = merged(environment)["services"][name]
    return service


def published(environment: str) -> dict[str, set[tuple[str, str, int]]]:
    """The ports of each service: address, port of the host, port of the container."""
    return {
        name: {(port["host_ip"], port["published"], port["target"]) for port in service["ports"]}
        for name, service in merged(environment)["services"].items()
        if service.get("ports")
    }
