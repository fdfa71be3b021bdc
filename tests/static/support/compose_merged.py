"""The compose files as Compose merges them for each environment."""

import json
from collections.abc import Sequence
from functools import cache
from typing import Any

import pytest

from tests.static.support.project import (
    COMPOSE_FILES,
    DEBUG_FILE,
    REPLICAS_FILE,
    ROOT,
    SWARM_FILE,
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


def configured(files: Sequence[str], *options: str, **variables: str) -> dict[str, Any]:
    """What `docker compose config` makes of `files`, with `variables` and without any `.env`."""
    if not has_compose():
        pytest.skip("the Compose client is not installed")
    named = [part for name in files for part in ("--file", str(ROOT / name))]
    argv = ["docker", "compose", "--env-file", "/dev/null", *named, *options, "config"]
    done = run(*argv, "--format", "json", env={**public_environment(), **variables})
    assert done.returncode == 0, done.stderr
    if SWARM_FILE not in files:  # of which Compose says what only Swarm reads
        assert "warn" not in done.stderr.lower(), done.stderr
    config: dict[str, Any] = json.loads(done.stdout)
    return config


@cache
def merged(environment: str) -> dict[str, Any]:
    """The files of an environment, with all profiles."""
    return configured(ENVIRONMENTS[environment], "--profile", "*")


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
